//! Proofs against the naive recursions for every small tree, under every relabelling, with every bit flipped (proofs.1 to proofs.3).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "proof_support/mod.rs"]
mod support;

use ama2sec_core::errors::Code;
use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::{BranchTree, CompactRange, Scope};
use ama2sec_core::history::consistency::{Compared, check_consistency, compare_heads, prove_consistency};
use ama2sec_core::history::head::Fingerprint;
use ama2sec_core::history::inclusion::{check_inclusion, prove_inclusion};
use ama2sec_core::history::nodes::MemoryNodes;
use ama2sec_core::history::proof::{Proof, ProofTree};
use ama2sec_core::history::range::{check_range, prove_range};
use ama2sec_core::history::reader::NodeReader;
use ama2sec_core::history::sha_tree::{Rfc6962, TreeHead, rfc6962_leaf};
use ama2sec_core::history::tree::Tree;
use ama2sec_core::history::trusted::{Leaf, Trusted};
use ama2sec_core::message::UnverifiedEnvelope;
use support::*;

/// One history in both forms that a check needs: the nodes to prove from, and heads and leaves to check with.
trait History {
    type Head: Trusted;
    type Tree: Twin + ProofTree;
    fn model(&mut self) -> &mut Model<Self::Tree>;
    fn reader(&mut self) -> &mut Tree<MemoryNodes, Self::Tree>;
    fn head(&mut self, size: usize) -> Self::Head;
    fn leaf(&self, index: usize) -> <Self::Head as Trusted>::Leaf<'_>;
}

struct Branch {
    messages: Vec<UnverifiedEnvelope>,
    model: Model<BranchTree>,
    tree: Tree<MemoryNodes>,
    scope: Scope,
}

fn branch(count: usize, seed: u64) -> Branch {
    let messages = messages(count, seed);
    let ids: Vec<Hash> = messages.iter().map(|message| *message.id()).collect();
    let mut tree = Tree::new(MemoryNodes::default());
    tree.extend(&ids).unwrap();
    Branch { messages, model: Model::new(ids), tree, scope: scope() }
}

impl History for Branch {
    type Head = Fingerprint;
    type Tree = BranchTree;
    fn model(&mut self) -> &mut Model<BranchTree> {
        &mut self.model
    }
    fn reader(&mut self) -> &mut Tree<MemoryNodes> {
        &mut self.tree
    }
    fn head(&mut self, size: usize) -> Fingerprint {
        head(&mut self.model, self.scope, size)
    }
    fn leaf(&self, index: usize) -> Leaf<'_> {
        Leaf::Read(&self.messages[index])
    }
}

struct Records {
    records: Vec<Vec<u8>>,
    model: Model<Rfc6962>,
    tree: Tree<MemoryNodes, Rfc6962>,
}

fn records(count: usize) -> Records {
    let records: Vec<Vec<u8>> = (0..count).map(|i| vec![i as u8; i]).collect();
    let hashes: Vec<Hash> = records.iter().map(|record| rfc6962_leaf(record)).collect();
    let mut tree = Tree::of_records(MemoryNodes::default());
    tree.extend(&hashes).unwrap();
    Records { records, model: Model::new(hashes), tree }
}

impl History for Records {
    type Head = TreeHead;
    type Tree = Rfc6962;
    fn model(&mut self) -> &mut Model<Rfc6962> {
        &mut self.model
    }
    fn reader(&mut self) -> &mut Tree<MemoryNodes, Rfc6962> {
        &mut self.tree
    }
    fn head(&mut self, size: usize) -> TreeHead {
        TreeHead { size: size as u64, root: self.model.mth(0, size) }
    }
    fn leaf(&self, index: usize) -> &[u8] {
        &self.records[index]
    }
}

fn inclusion<H: History>(history: &mut H, index: usize, size: usize) -> Vec<u8> {
    prove_inclusion::<H::Tree, _>(history.reader(), index as u64, size as u64).unwrap()
}

fn consistency<H: History>(history: &mut H, old: usize, new: usize) -> Vec<u8> {
    prove_consistency::<H::Tree, _>(history.reader(), old as u64, new as u64).unwrap()
}

fn range<H: History>(history: &mut H, begin: usize, end: usize, size: usize) -> Vec<u8> {
    prove_range::<H::Tree, _>(history.reader(), begin as u64, end as u64, size as u64).unwrap()
}

fn leaves<H: History>(history: &H, begin: usize, end: usize) -> Vec<<H::Head as Trusted>::Leaf<'_>> {
    (begin..end).map(|i| history.leaf(i)).collect()
}

fn every_proof<H: History>(mut history: H, most: usize) {
    for n in 1..=most {
        let head = history.head(n);
        for i in 0..n {
            let proof = inclusion(&mut history, i, n);
            assert_eq!(proof, history.model().inclusion_proof(i, n), "{i} of {n}");
            assert_eq!(Proof::parse(&proof).unwrap().encode(), proof);
            let found = check_inclusion(&head, history.leaf(i), &proof).unwrap();
            assert_eq!((*found.id(), found.index()), (history.model().leaves[i], i as u64));
            assert_eq!(found.head().hash(), head.hash());
        }
        for old in 1..n {
            let before = history.head(old);
            let proof = consistency(&mut history, old, n);
            assert_eq!(proof, history.model().consistency_proof(old, n), "{old} of {n}");
            assert_eq!(Proof::parse(&proof).unwrap().encode(), proof);
            let found = check_consistency(&before, &head, &proof).unwrap();
            assert_eq!((found.old().size(), found.new_head().size()), (old as u64, n as u64));
        }
        for begin in 0..n {
            for end in begin + 1..=n {
                let proof = range(&mut history, begin, end, n);
                assert_eq!(proof, history.model().range_proof(begin, end, n), "{begin} to {end} of {n}");
                assert_eq!(Proof::parse(&proof).unwrap().encode(), proof);
                let found = check_range(&head, &leaves(&history, begin, end), &proof).unwrap();
                assert_eq!((found.begin(), found.ids().len()), (begin as u64, end - begin));
                let joined = found.compact_range().map(|range| (range.size(), range.root()));
                let root = history.model().mth(0, n);
                assert_eq!(joined, (end == n).then_some((n as u64, Some(root))));
            }
        }
    }
}

#[test]
fn every_proof_of_every_branch_tree_to_130() {
    every_proof(branch(130, 1), 130);
}

#[test]
fn every_proof_of_every_realm_tree_to_130() {
    every_proof(records(130), 130);
}

/// No bit of a proof is free: whatever is flipped, the proof is refused.
fn every_bit<H: History>(mut history: H, whole: usize, sizes: &[usize]) {
    let mut random = histories::Random(77);
    for n in (1..=whole).chain(sizes.iter().copied()) {
        let all = n <= whole;
        let head = history.head(n);
        for i in 0..n {
            let proof = inclusion(&mut history, i, n);
            flips(&proof, all, &mut random, |bad| check_inclusion(&head, history.leaf(i), bad).err().map(|e| e.code));
        }
        for old in 1..n {
            let (before, proof) = (history.head(old), consistency(&mut history, old, n));
            flips(&proof, all, &mut random, |bad| check_consistency(&before, &head, bad).err().map(|e| e.code));
        }
        for begin in 0..n {
            for end in [begin + 1, (begin + n) / 2 + 1, n].into_iter().filter(|end| all || *end == n) {
                let proof = range(&mut history, begin, end.min(n), n);
                let leaves = leaves(&history, begin, end.min(n));
                flips(&proof, all, &mut random, |bad| check_range(&head, &leaves, bad).err().map(|e| e.code));
            }
        }
    }
}

fn flips(proof: &[u8], all: bool, random: &mut histories::Random, check: impl Fn(&[u8]) -> Option<Code>) {
    assert_eq!(check(proof), None);
    let bits = proof.len() * 8;
    let chosen: Vec<usize> =
        if all { (0..bits).collect() } else { (0..24).map(|_| random.below(bits as u64) as usize).collect() };
    let mut bad = proof.to_vec();
    for bit in chosen {
        bad[bit / 8] ^= 1 << (bit % 8);
        let code = check(&bad).unwrap_or_else(|| panic!("bit {bit} is free"));
        let allowed = match bit / 8 {
            0..=2 => &[Code::ProofForm][..],
            3 => &[Code::ProofVersion],
            4 | 5 => &[Code::ProofForm, Code::ProofClaim, Code::ProofIndex],
            _ => &[
                Code::ProofForm,
                Code::ProofClaim,
                Code::ProofIndex,
                Code::ProofRoot,
                Code::ConsistencyRoot,
                Code::ArgumentRange,
            ],
        };
        assert!(allowed.contains(&code), "bit {bit}: {code:?}");
        bad[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn every_bit_of_every_proof_counts() {
    every_bit(branch(130, 2), 17, &[31, 32, 33, 100, 127, 128, 129, 130]);
    every_bit(records(130), 17, &[31, 32, 33, 100, 127, 128, 129, 130]);
}

/// The same hashes under every other claim: one is true, and one is accepted.
#[test]
fn one_inclusion_claim_a_proof_to_32() {
    let mut history = branch(32, 3);
    let heads: Vec<Fingerprint> = (1..=32).map(|n| history.head(n)).collect();
    for n in 1..=32 {
        for i in 0..n {
            let proof = inclusion(&mut history, i, n);
            let mut accepted = Vec::new();
            for size in 1..=32 {
                for index in 0..size {
                    let claimed = relabelled(&proof, &[index as u64, size as u64]);
                    for leaf in 0..32 {
                        if check_inclusion(&heads[size - 1], history.leaf(leaf), &claimed).is_ok() {
                            accepted.push((leaf, index, size));
                        }
                    }
                }
            }
            assert_eq!(accepted, [(i, i, n)]);
        }
    }
}

#[test]
fn one_consistency_claim_a_proof_to_32() {
    let mut history = branch(32, 4);
    let heads: Vec<Fingerprint> = (1..=32).map(|n| history.head(n)).collect();
    let pairs = || (1..=32usize).flat_map(|new| (1..new).map(move |old| (old, new)));
    for (old, new) in pairs() {
        let proof = consistency(&mut history, old, new);
        let mut accepted = Vec::new();
        for (a, b) in pairs() {
            let claimed = relabelled(&proof, &[a as u64, b as u64]);
            if check_consistency(&heads[a - 1], &heads[b - 1], &claimed).is_ok() {
                accepted.push((a, b));
            }
        }
        assert_eq!(accepted, [(old, new)]);
    }
}

/// Two ranges from 0 to the end have the same hashes, none; so their messages are part of the claim, and what is accepted
/// for other messages is what their own prover would have made.
#[test]
fn one_range_claim_a_proof_to_20() {
    let mut history = branch(20, 5);
    let heads: Vec<Fingerprint> = (1..=20).map(|n| history.head(n)).collect();
    let spans: Vec<(usize, usize, usize)> =
        (1..=20).flat_map(|n| (0..n).flat_map(move |b| (b + 1..=n).map(move |e| (b, e, n)))).collect();
    for &(begin, end, n) in &spans {
        let proof = range(&mut history, begin, end, n);
        let mut accepted = Vec::new();
        for &(b, e, size) in &spans {
            let claimed = relabelled(&proof, &[b as u64, e as u64, size as u64]);
            for (first, last) in [(begin, end), (b, e)] {
                if check_range(&heads[size - 1], &leaves(&history, first, last), &claimed).is_ok() {
                    assert_eq!(claimed, history.model().range_proof(b, e, size));
                    accepted.push((first, last, b, e, size));
                }
            }
        }
        accepted.retain(|(first, last, ..)| (*first, *last) == (begin, end));
        accepted.dedup();
        assert_eq!(accepted, [(begin, end, begin, end, n)]);
    }
}

/// A fingerprint is of one realm, one conversation and one branch: under other names nothing is accepted.
#[test]
fn no_proof_serves_another_scope() {
    let (mut history, mut other) = (branch(16, 6), branch(16, 7));
    let renamed = |head: Fingerprint| {
        let change = |edit: fn(&mut Scope)| {
            let mut changed = head;
            edit(&mut changed.scope);
            changed
        };
        [change(|s| s.realm = [9; 32]), change(|s| s.conversation = [9; 32]), change(|s| s.branch = [9; 32])]
    };
    for n in 1..=16 {
        let head = history.head(n);
        let mut wrong = renamed(head).to_vec();
        wrong.push(other.head(n));
        for i in 0..n {
            let proof = inclusion(&mut history, i, n);
            for bad in &wrong {
                assert_eq!(check_inclusion(bad, history.leaf(i), &proof).unwrap_err().code, Code::ProofRoot);
            }
            let proof = range(&mut history, i, n, n);
            for bad in &wrong {
                assert_eq!(check_range(bad, &leaves(&history, i, n), &proof).unwrap_err().code, Code::ProofRoot);
            }
        }
        for old in 1..n {
            let (before, proof) = (history.head(old), consistency(&mut history, old, n));
            let codes = |old: &Fingerprint, new: &Fingerprint| check_consistency(old, new, &proof).unwrap_err().code;
            let [realm, conversation, branch] = renamed(head);
            assert_eq!(codes(&before, &realm), Code::ProofClaim);
            assert_eq!(codes(&before, &conversation), Code::ProofClaim);
            assert_eq!(codes(&before, &branch), Code::ProofRoot);
            let [realm, conversation, branch] = renamed(before);
            assert_eq!(codes(&realm, &head), Code::ProofClaim);
            assert_eq!(codes(&conversation, &head), Code::ProofClaim);
            assert_eq!(codes(&branch, &head), Code::ConsistencyRoot);
            assert_eq!(codes(&before, &other.head(n)), Code::ProofRoot);
            assert_eq!(codes(&other.head(old), &head), Code::ConsistencyRoot);
        }
    }
}

/// A fork has its parent's first leaves, so its head extends the parent's (proofs.3.4).
#[test]
fn a_forks_head_extends_its_parents() {
    let mut history = branch(20, 8);
    let old = history.head(7);
    history.scope.branch = [4; 32];
    let (new, proof) = (history.head(20), consistency(&mut history, 7, 20));
    assert_eq!(check_consistency(&old, &new, &proof).unwrap().new_head(), &new);
    assert!(matches!(compare_heads(&old, &new, Some(&proof)), Ok(Compared::Extended(_))));
}

#[test]
fn heads_are_compared_step_by_step() {
    let mut history = branch(12, 9);
    let (old, new) = (history.head(5), history.head(12));
    let proof = consistency(&mut history, 5, 12);
    let code =
        |old: &Fingerprint, new: &Fingerprint, proof: Option<&[u8]>| compare_heads(old, new, proof).unwrap_err().code;
    assert!(matches!(compare_heads(&new, &new, None), Ok(Compared::Unchanged(same)) if *same.head() == new));
    assert!(matches!(compare_heads(&old, &new, Some(&proof)), Ok(Compared::Extended(found)) if *found.old() == old));
    assert_eq!(code(&new, &new, Some(&proof)), Code::ProofClaim);
    assert_eq!(code(&new, &new, Some(b"")), Code::ProofClaim);
    assert_eq!(code(&old, &new, None), Code::NeedsProof);
    assert_eq!(code(&old, &new, Some(b"")), Code::ProofForm);
    for proof in [None, Some(proof.as_slice()), Some(b"")] {
        assert_eq!(code(&new, &old, proof), Code::HeadStale);
        let mut other = new;
        other.head.fingerprint[31] ^= 1;
        assert_eq!(code(&new, &other, proof), Code::HeadForked);
        let mut other = new;
        other.scope.branch = [8; 32];
        assert_eq!(code(&new, &other, proof), Code::HeadForked);
        let mut other = new;
        other.scope.realm = [8; 32];
        assert_eq!(code(&new, &other, proof), Code::ProofClaim);
        assert_eq!(code(&old, &other, proof), Code::ProofClaim);
    }
}

fn parse_code(bytes: &[u8]) -> Option<Code> {
    Proof::parse(bytes).err().map(|error| error.code)
}

#[test]
fn the_form_is_judged_field_by_field() {
    let good = proof(1, 1, &[1, 3], &[[7; 32], [8; 32]]);
    assert_eq!(parse_code(&good), None);
    for short in 0..good.len() {
        assert_eq!(parse_code(&good[..short]), Some(Code::ProofForm), "{short} bytes");
    }
    assert_eq!(parse_code(&[&good[..], &[0]].concat()), Some(Code::ProofForm));
    assert_eq!(parse_code(&[&good[..], &[7; 32]].concat()), Some(Code::ProofForm));
    let with = |at: usize, byte: u8| {
        let mut changed = good.clone();
        changed[at] = byte;
        parse_code(&changed)
    };
    assert_eq!([with(0, 0), with(1, 0), with(2, 0)], [Some(Code::ProofForm); 3]);
    assert_eq!([with(3, 0), with(3, 2), with(3, 255)], [Some(Code::ProofVersion); 3]);
    assert_eq!([with(4, 0), with(4, 5), with(4, 255)], [Some(Code::ProofForm); 3]);
    assert_eq!([with(5, 0), with(5, 3), with(5, 255)], [Some(Code::ProofForm); 3]);
    // A version from later is told as such, whatever stands behind it; another beginning is not ours at all.
    assert_eq!(parse_code(b"a2p\x02"), Some(Code::ProofVersion));
    assert_eq!(parse_code(b"a2p\x02\xff\xff"), Some(Code::ProofVersion));
    assert_eq!(parse_code(b"xyz\x02"), Some(Code::ProofForm));
    assert_eq!(parse_code(&proof(4, 2, &[], &[])), Some(Code::ProofForm));
    let most = (1 << 48) - 1;
    for numbers in [[0, 0], [3, 3], [4, 3], [most, most], [most, 1]] {
        assert_eq!(parse_code(&proof(1, 1, &numbers, &[])), Some(Code::ProofIndex), "{numbers:?}");
    }
    for numbers in [[0, 0], [0, 3], [3, 3], [4, 3], [most, most]] {
        assert_eq!(parse_code(&proof(2, 1, &numbers, &[])), Some(Code::ProofIndex), "{numbers:?}");
    }
    for numbers in [[0, 0, 0], [0, 0, 3], [2, 2, 3], [2, 1, 3], [0, 4, 3], [most, most, most]] {
        assert_eq!(parse_code(&proof(3, 1, &numbers, &[])), Some(Code::ProofIndex), "{numbers:?}");
    }
    // The numbers are judged before the hashes are missed, and the length of the whole before anything.
    assert_eq!(parse_code(&proof(1, 1, &[0, most], &[])), Some(Code::ProofForm));
    assert_eq!(parse_code(&vec![0; 256 * 1024]), Some(Code::ProofForm));
    assert_eq!(parse_code(&vec![0; 256 * 1024 + 1]), Some(Code::SizeLimit));
}

#[test]
fn another_type_or_tree_is_another_claim() {
    let (mut history, mut realm) = (branch(9, 1), records(9));
    let (head, root) = (history.head(9), realm.head(9));
    let all = |history: &mut dyn NodeReader| {
        [
            prove_inclusion::<BranchTree, _>(history, 3, 9).unwrap(),
            prove_consistency::<BranchTree, _>(history, 3, 9).unwrap(),
            prove_range::<BranchTree, _>(history, 3, 4, 9).unwrap(),
        ]
    };
    let proofs = all(history.reader());
    for (which, proof) in proofs.iter().enumerate() {
        let codes = [
            check_inclusion(&head, history.leaf(3), proof).err(),
            check_consistency(&head, &head, proof).err(),
            check_range(&head, &[history.leaf(3)], proof).err(),
        ];
        for (asked, error) in codes.into_iter().enumerate() {
            let wanted = if asked == which && asked != 1 { None } else { Some(Code::ProofClaim) };
            assert_eq!(error.map(|error| error.code), wanted, "asked {asked}, got {which}");
        }
        let code = check_inclusion(&root, realm.leaf(3), proof).unwrap_err().code;
        assert_eq!(code, Code::ProofClaim);
    }
    let code = check_inclusion(&head, history.leaf(3), &inclusion(&mut realm, 3, 9)).unwrap_err().code;
    assert_eq!(code, Code::ProofClaim);
}

#[test]
fn a_range_takes_exactly_its_messages() {
    let mut history = branch(12, 2);
    let (head, proof) = (history.head(12), range(&mut history, 3, 7, 12));
    let code = |leaves: &[Leaf<'_>]| check_range(&head, leaves, &proof).unwrap_err().code;
    assert_eq!(code(&leaves(&history, 3, 6)), Code::ArgumentRange);
    assert_eq!(code(&leaves(&history, 3, 8)), Code::ArgumentRange);
    assert_eq!(code(&[]), Code::ArgumentRange);
    assert_eq!(code(&leaves(&history, 2, 6)), Code::ProofRoot);
    let mut swapped = leaves(&history, 3, 7);
    swapped.swap(1, 2);
    assert_eq!(code(&swapped), Code::ProofRoot);
    swapped[3] = Leaf::Bytes(b"\xd2");
    assert_eq!(code(&swapped), Code::Truncated);
    // proofs.1.5: the form and the claim come first, then the leaves.
    let code = check_range(&head, &[Leaf::Bytes(b"")], &proof[1..]).unwrap_err().code;
    assert_eq!(code, Code::ProofForm);
    let code = check_inclusion(&history.head(11), Leaf::Bytes(b""), &inclusion(&mut history, 3, 12)).unwrap_err().code;
    assert_eq!(code, Code::ProofClaim);
    let code = check_inclusion(&head, Leaf::Bytes(b""), &inclusion(&mut history, 3, 12)).unwrap_err().code;
    assert_eq!(code, Code::Truncated);
}

#[test]
fn a_reader_joins_with_the_last_message_and_a_few_hashes() {
    let mut history = branch(100, 3);
    for n in 1..=99usize {
        let (head, proof) = (history.head(n), range(&mut history, n - 1, n, n));
        assert_eq!(proof.len(), 24 + 32 * (n - 1).count_ones() as usize);
        let found = check_range(&head, &leaves(&history, n - 1, n), &proof).unwrap();
        let mut range: CompactRange = found.compact_range().unwrap().clone();
        range.append(history.messages[n].id()).unwrap();
        assert_eq!(range.fingerprint(&history.scope), history.head(n + 1).head.fingerprint);
    }
}

/// A prover's numbers are its caller's: never a peer's fault, whatever they are (proofs.1.6).
#[test]
fn provers_refuse_what_is_no_claim() {
    let mut same = Same::new::<BranchTree>([5; 32]);
    for (index, size) in [(0, 0), (3, 3), (4, 3), (0, 1 << 48), (u64::MAX, u64::MAX), (0, u64::MAX)] {
        let code = prove_inclusion::<BranchTree, _>(&mut same, index, size).unwrap_err().code;
        assert_eq!(code, Code::ArgumentRange);
    }
    for (old, new) in [(0, 0), (0, 3), (3, 3), (4, 3), (1, 1 << 48), (u64::MAX, u64::MAX), (0, u64::MAX)] {
        let code = prove_consistency::<BranchTree, _>(&mut same, old, new).unwrap_err().code;
        assert_eq!(code, Code::ArgumentRange);
    }
    for (begin, end, size) in
        [(0, 0, 3), (2, 2, 3), (0, 4, 3), (0, 1, 1 << 48), (u64::MAX, 0, 3), (0, u64::MAX, u64::MAX)]
    {
        let code = prove_range::<BranchTree, _>(&mut same, begin, end, size).unwrap_err().code;
        assert_eq!(code, Code::ArgumentRange);
    }
}
