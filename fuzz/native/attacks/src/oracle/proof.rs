//! Proofs: the form against its twin, and every check against histories of which all leaves are known. There is one string for
//! each claim (proofs.1), so a check must accept exactly the string that is made from the leaves, and nothing else.

use std::sync::{LazyLock, Mutex, PoisonError};

use ama2sec_core::errors::{Code, Error, Result};
use ama2sec_core::history::accumulator::Scope;
use ama2sec_core::history::ancestry::check_ancestry;
use ama2sec_core::history::consistency::{Compared, check_consistency, compare_heads};
use ama2sec_core::history::head::Fingerprint;
use ama2sec_core::history::inclusion::check_inclusion;
use ama2sec_core::history::proof::{Proof, TreeKind};
use ama2sec_core::history::proof_view::proof_to_json;
use ama2sec_core::history::range::check_range;
use ama2sec_core::history::rfc6962::{rfc6962_check_consistency, rfc6962_check_inclusion};
use ama2sec_core::history::sha_tree::{TreeHead, rfc6962_leaf};
use ama2sec_core::history::trusted::Leaf;

use super::form::{self, Form, Hop};
use super::ground::{Ground, Judged};
use crate::world::{Branch, WORLD};

/// The trees of every branch, in the order of `WORLD`; then one that is as large as it is asked to be. So for the realm.
struct Grounds {
    branches: Vec<Ground<Fingerprint>>,
    realm: Vec<Ground<TreeHead>>,
}

static GROUNDS: LazyLock<Mutex<Grounds>> = LazyLock::new(|| {
    let vast = Ground::vast_branch(&WORLD[0]);
    let branches = WORLD.iter().map(Ground::branch).chain([vast]).collect();
    Mutex::new(Grounds { branches, realm: vec![Ground::realm(21), Ground::vast_realm()] })
});

/// As many leaves as are made for one range.
const MOST: u64 = 64;

fn code<T>(verdict: &Result<T>) -> Option<Code> {
    verdict.as_ref().err().map(|fault| fault.code)
}

/// A proof, held against `main` at the size that it states (against the vast tree where `main` is shorter).
pub fn proof(data: &[u8]) -> Option<Code> {
    let read = form::read(data);
    let parsed = Proof::parse(data);
    assert!(code(&parsed) == read.as_ref().err().copied(), "form: {parsed:?}, its twin: {read:?}");
    let mut grounds = GROUNDS.lock().unwrap_or_else(PoisonError::into_inner);
    match (parsed, read) {
        (Ok(parsed), Ok(form)) => {
            assert!(parsed.encode() == data, "written again, it differs");
            assert!(parsed.kind() == ["inclusion", "consistency", "range", "ancestry"][form.kind as usize - 1]);
            assert!(parsed.tree() == if form.tree == 1 { TreeKind::Branch } else { TreeKind::Realm });
            let view = proof_to_json(&parsed);
            assert!(view.is_ok() || form.kind == 4, "a view of what has its form");
            judge(&mut grounds, data, &form)
        }
        (Err(fault), _) => {
            let ground = &mut grounds.branches[0];
            let (head, thing) = (ground.head(1), ground.thing(0));
            assert!(code(&check_inclusion(&head, Leaf::Bytes(thing), data)) == Some(fault.code), "checked, it differs");
            Some(fault.code)
        }
        _ => None,
    }
}

fn judge(grounds: &mut Grounds, data: &[u8], form: &Form) -> Option<Code> {
    match (form.kind, form.tree) {
        (4, _) => ancestry(&mut grounds.branches, data, &form.hops),
        (kind, 1) => {
            let verdict = all(&mut grounds.branches, data, form);
            if kind == 2 {
                between_branches(&mut grounds.branches, data, &form.numbers);
            }
            verdict
        }
        _ => {
            let verdict = all(&mut grounds.realm, data, form);
            as_lists(&mut grounds.realm, data, form, verdict);
            verdict
        }
    }
}

/// Every history that is long enough; the verdict is the first one's.
fn all<H: Judged>(grounds: &mut [Ground<H>], data: &[u8], form: &Form) -> Option<Code> {
    let size = form.numbers[form.numbers.len() - 1];
    let reached = grounds.iter_mut().filter(|ground| ground.reaches(size));
    let verdicts: Vec<Option<Code>> = reached.map(|ground| one(ground, data, form)).collect();
    verdicts[0]
}

/// One history: the proof is accepted if and only if it is the one that its leaves make.
fn one<H: Judged>(ground: &mut Ground<H>, data: &[u8], form: &Form) -> Option<Code> {
    let size = form.numbers[form.numbers.len() - 1];
    let (right, head) = (ground.proof(form.kind, &form.numbers) == data, ground.head(size));
    let expected = (!right).then_some(Code::ProofRoot);
    let other_size = H::of(&Scope::of_file([5; 32]), size.wrapping_add(1), head.hash());
    // proofs.1.4: of another type or size, nothing is accepted.
    let asked = [
        check_inclusion(&head, H::read(ground.thing(0)), data).err(),
        check_consistency(&head, &head, data).err(),
        check_range(&head, &[], data).err(),
    ];
    for (kind, fault) in (1..).zip(asked) {
        assert!(kind == form.kind || fault.map(|fault| fault.code) == Some(Code::ProofClaim), "another type is asked");
    }
    match (form.kind, form.numbers.as_slice()) {
        (1, &[index, _]) => {
            let verdict = check_inclusion(&head, H::read(ground.thing(index)), data);
            assert!(verdict.as_ref().is_ok_and(|found| found.index() == index && *found.head() == head) == right);
            assert!(code(&verdict) == expected, "inclusion {verdict:?}, the right proof: {right}");
            if ground.thing(index) != ground.thing(index + 1) {
                let other = check_inclusion(&head, H::read(ground.thing(index + 1)), data);
                assert!(code(&other) == Some(Code::ProofRoot), "another leaf in this place");
            }
            assert!(code(&check_inclusion(&head.other(), H::read(ground.thing(index)), data)) == Some(Code::ProofRoot));
            assert!(code(&check_inclusion(&other_size, H::read(ground.thing(index)), data)) == Some(Code::ProofClaim));
        }
        (2, &[old, _]) => consistency(&ground.head(old), &head, data, right),
        (_, &[begin, end, _]) => {
            assert!(code(&check_range(&other_size, &[], data)) == Some(Code::ProofClaim));
            return range(ground, &head, data, (begin, end), expected);
        }
        _ => panic!("no numbers"),
    }
    expected
}

/// proofs.3.3: the new root is judged first, the old one always.
fn consistency<H: Judged>(old: &H, new: &H, data: &[u8], right: bool) {
    let wrong = |right_code| Some(if right { right_code } else { Code::ProofRoot });
    let verdict = check_consistency(old, new, data);
    assert!(code(&verdict) == (!right).then_some(Code::ProofRoot), "consistency {verdict:?}, the right proof: {right}");
    assert!(verdict.is_ok_and(|found| found.old() == old && found.new_head() == new) == right);
    assert!(code(&check_consistency(&old.other(), new, data)) == wrong(Code::ConsistencyRoot), "another old root");
    assert!(code(&check_consistency(old, &new.other(), data)) == Some(Code::ProofRoot), "another new root");
    assert!(code(&check_consistency(old, old, data)) == Some(Code::ProofClaim), "another new size");
    assert!(code(&check_consistency(new, new, data)) == Some(Code::ProofClaim), "another old size");
}

fn range<H: Judged>(
    ground: &mut Ground<H>,
    head: &H,
    data: &[u8],
    (begin, end): (u64, u64),
    expected: Option<Code>,
) -> Option<Code> {
    let count = (end - begin).min(MOST);
    let mut leaves: Vec<_> = (begin..begin + count).map(|index| H::read(ground.thing(index))).collect();
    let verdict = check_range(head, &leaves, data);
    let expected = if count < end - begin { Some(Code::ArgumentRange) } else { expected };
    assert!(code(&verdict) == expected, "range {verdict:?}, expected {expected:?}");
    if let Ok(found) = &verdict {
        assert!((found.begin(), found.ids().len() as u64, *found.head()) == (begin, count, *head));
        assert!(found.compact_range().is_some() == (end == head.size()));
        // proofs.2.7: what one goes on with is bound by the root.
        let root = found.compact_range().and_then(|range| range.root());
        assert!(root.is_none_or(|root| head.hash_of(&root) == *head.hash()));
    }
    assert!(check_range(&head.other(), &leaves, data).is_err());
    if leaves.len() > 1 && ground.thing(begin) != ground.thing(begin + 1) {
        leaves.swap(0, 1);
        assert!(check_range(head, &leaves, data).is_err(), "another order");
    }
    leaves.pop();
    assert!(code(&check_range(head, &leaves, data)) == Some(Code::ArgumentRange), "one leaf fewer");
    code(&verdict)
}

/// proofs.3.3 to 3.6 for heads of two branches: the old one is `main`'s.
fn between_branches(grounds: &mut [Ground<Fingerprint>], data: &[u8], numbers: &[u64]) {
    let &[old_size, new_size] = numbers else { panic!("no sizes") };
    let branches: Vec<_> =
        WORLD.iter().zip(grounds.iter_mut()).filter(|(_, ground)| ground.reaches(new_size)).collect();
    for (branch, ground) in branches {
        let (old, new) = (WORLD[0].head(old_size as usize), branch.head(new_size as usize));
        let begins = WORLD[0].ids()[..old_size as usize] == branch.ids()[..old_size as usize];
        let expected = match (ground.proof(2, numbers) == data, begins) {
            (true, true) => None,
            (true, false) => Some(Code::ConsistencyRoot),
            (false, _) => Some(Code::ProofRoot),
        };
        let verdict = check_consistency(&old, &new, data);
        assert!(code(&verdict) == expected, "main at {old_size}, {} at {new_size}: {verdict:?}", branch.name);
        let compared = compare_heads(&old, &new, Some(data));
        assert!(code(&compared) == expected && !matches!(compared, Ok(Compared::Unchanged(_))));
        assert!(code(&compare_heads(&new, &old, Some(data))) == Some(Code::HeadStale));
        assert!(code(&compare_heads(&old, &new, None)) == Some(Code::NeedsProof));
        assert!(code(&compare_heads(&new, &new, Some(data))) == Some(Code::ProofClaim));
        let mut elsewhere = new;
        elsewhere.scope.conversation[3] ^= 1;
        assert!(code(&check_consistency(&old, &elsewhere, data)) == Some(Code::ProofClaim), "another conversation");
    }
}

/// proofs.7.1: the same hashes as a list get the same verdict.
fn as_lists(grounds: &mut [Ground<TreeHead>], data: &[u8], form: &Form, verdict: Option<Code>) {
    let size = form.numbers[form.numbers.len() - 1];
    let Some(ground) = grounds.iter_mut().find(|ground| ground.reaches(size)) else { return };
    let hashes: Vec<&[u8]> = data[18..].chunks(32).collect();
    let head = ground.head(size);
    match (form.kind, form.numbers.as_slice()) {
        (1, &[index, _]) => {
            let leaf = rfc6962_leaf(ground.thing(index));
            let listed = rfc6962_check_inclusion(&leaf, index, size, &hashes, &head.root);
            assert!(code(&listed) == verdict, "as a list: {listed:?}");
        }
        (2, &[old_size, _]) => {
            let old = ground.head(old_size);
            // Where the old tree is complete its root is the seed, whatever stands in the proof.
            let complete = old_size.is_power_of_two();
            let listed =
                rfc6962_check_consistency(old_size, size, &hashes[usize::from(complete)..], &old.root, &head.root);
            let expected = if complete && hashes[0] != old.root { code(&listed) } else { verdict };
            assert!(code(&listed) == expected, "as a list: {listed:?}");
        }
        _ => {}
    }
}

/// proofs.4.3: tried for the message in this place of each branch; the verdict is the first that accepts, or `main`'s.
fn ancestry(grounds: &mut [Ground<Fingerprint>], data: &[u8], hops: &[Hop]) -> Option<Code> {
    let (first, last) = (hops[0].size, hops[hops.len() - 1].index);
    let ends = walk(hops).filter(|_| regenerated(grounds, hops) == data);
    let main = WORLD[0].entries.len() as u64;
    let head = if first <= main { WORLD[0].head(first as usize) } else { grounds[WORLD.len()].head(first) };
    // The vast tree has one message in all places, and no way leads on from it.
    let vast = first > main && hops.len() == 1 && grounds[WORLD.len()].proof(1, &[last, first])[6..] == data[7..];
    let mut verdicts = Vec::new();
    for branch in WORLD.iter() {
        let index = if first > main { 0 } else { last as usize % branch.entries.len() };
        let entry = &branch.entries[index];
        let found = ends.is_some_and(|end| end.entries[last as usize].id == entry.id);
        let expected = found || (vast && entry.id == WORLD[0].entries[0].id);
        let verdict = check_ancestry(&head, Leaf::Bytes(&entry.item), data);
        assert!(verdict.is_ok() == expected, "{}: {verdict:?}, expected: {expected}", branch.name);
        match &verdict {
            Ok(ancestor) => {
                assert!((ancestor.id(), ancestor.index(), ancestor.head()) == (&entry.id, last, &head));
                assert!(ancestor.via().len() == hops.len() - 1);
            }
            Err(Error { code, .. }) => assert!(*code == Code::AncestryRoot || code.number() < 160, "{code:?}"),
        }
        assert!(check_ancestry(&head.other(), Leaf::Bytes(&entry.item), data).is_err(), "another head");
        verdicts.push(code(&verdict));
    }
    assert!(code(&check_inclusion(&head, Leaf::Bytes(&WORLD[0].entries[0].item), data)) == Some(Code::ProofClaim));
    if verdicts.contains(&None) { None } else { verdicts[0] }
}

/// Where the merges lead from `main`, if every hop is a true one.
fn walk(hops: &[Hop]) -> Option<&'static Branch> {
    let (last, via) = hops.split_last()?;
    let mut at = &WORLD[0];
    let mut size = hops[0].size;
    for hop in via {
        let entry =
            at.entries.get(hop.index as usize).filter(|_| hop.size == size && size <= at.entries.len() as u64)?;
        let message = ama2sec_core::message::UnverifiedEnvelope::parse(&entry.envelope).ok()?;
        let same = *message.kid() == hop.kid && message.claims().encode() == hop.claims;
        let merge = message.claims().merges.get(hop.merge as usize).filter(|_| same)?;
        at = WORLD.iter().find(|branch| branch.scope.branch == merge.branch)?;
        size = merge.size;
    }
    (last.size == size && size <= at.entries.len() as u64).then_some(at)
}

/// The proof with these hops, from the leaves. Empty where they lead nowhere.
fn regenerated(grounds: &mut [Ground<Fingerprint>], hops: &[Hop]) -> Vec<u8> {
    let mut out = [&b"a2p\x01\x04\x01"[..], &[hops.len() as u8]].concat();
    for (number, hop) in (1..).zip(hops) {
        let Some(branch) = walk_to(&hops[..number]) else { return Vec::new() };
        out.extend_from_slice(&grounds[branch].proof(1, &[hop.index, hop.size])[6..]);
        if number < hops.len() {
            out.push(hop.merge);
            out.extend_from_slice(&hop.kid);
            out.extend_from_slice(&(hop.claims.len() as u16).to_be_bytes());
            out.extend_from_slice(&hop.claims);
        }
    }
    out
}

fn walk_to(hops: &[Hop]) -> Option<usize> {
    let found = walk(hops)?;
    WORLD.iter().position(|branch| branch.name == found.name)
}
