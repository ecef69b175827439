//! Ancestry: chains of merges through forks, and every step of proofs.4.3 with the attack that it stops.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "proof_support/mod.rs"]
mod support;

use ama2sec_core::errors::{Code, Result};
use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::BranchTree;
use ama2sec_core::history::ancestry::{Ancestor, AncestryProver, check_ancestry};
use ama2sec_core::history::forest::{Branch, Forest};
use ama2sec_core::history::head::Fingerprint;
use ama2sec_core::history::inclusion::prove_inclusion;
use ama2sec_core::history::nodes::MemoryNodes;
use ama2sec_core::history::proof::Proof;
use ama2sec_core::history::proof_view::proof_to_json;
use ama2sec_core::history::trusted::Leaf;
use ama2sec_core::message::{Merge, UnverifiedEnvelope, ZERO};
use support::histories::{claims, message, open, seq, sign};

/// Branches that hang from one open; branch `i` ends with a message that merges branch `i + 1`.
struct Chain {
    forest: Forest<BranchTree, MemoryNodes>,
    branches: Vec<Branch>,
    /// The merging message at the end of each branch; of the last branch, an ordinary one.
    last: Vec<UnverifiedEnvelope>,
    conversation: Hash,
}

fn read(envelope: &[u8]) -> UnverifiedEnvelope {
    UnverifiedEnvelope::parse(envelope).unwrap()
}

fn chain(length: usize) -> Chain {
    let first = open(0, None, 1);
    let ids = [first.id];
    let (mut forest, root) = Forest::with_branch(MemoryNodes::default());
    forest.append(root, &first.id).unwrap();
    let mut made: Vec<(Branch, UnverifiedEnvelope)> = Vec::new();
    for i in 0..length as u64 {
        let branch = forest.fork(root, 1, MemoryNodes::default()).unwrap();
        for extra in 0..i % 4 + 1 {
            forest.append(branch, &message(0, &ids, 1, seq(0, i), 100 * i + extra).id).unwrap();
        }
        let mut told = claims(0, &ids, 1, seq(0, i), 7000 + i);
        if let Some((below, _)) = made.last() {
            let size = forest.size(*below).unwrap();
            let head = forest.fingerprint(&ZERO, &first.id, *below, size).unwrap();
            let own = Merge { branch: head.scope.branch, size, fingerprint: head.head.fingerprint };
            // Another merged head beside it, so that the place matters.
            let mut merges = vec![own, Merge { branch: [8; 32], size: 3, fingerprint: [9; 32] }];
            merges.sort_by_key(|merge| merge.branch);
            told.merges = merges;
        }
        let envelope = read(&sign(0, &told));
        forest.append(branch, envelope.id()).unwrap();
        for extra in 0..i % 3 {
            forest.append(branch, &message(0, &ids, 1, seq(0, i), 100 * i + 50 + extra).id).unwrap();
        }
        made.push((branch, envelope));
    }
    made.reverse();
    let (branches, last) = made.into_iter().unzip();
    Chain { forest, branches, last, conversation: first.id }
}

impl Chain {
    fn head(&mut self, at: usize) -> Fingerprint {
        let size = self.forest.size(self.branches[at]).unwrap();
        self.forest.fingerprint(&ZERO, &self.conversation, self.branches[at], size).unwrap()
    }

    fn index_of(&mut self, at: usize) -> u64 {
        let size = self.forest.size(self.branches[at]).unwrap();
        (0..size).find(|i| self.forest.leaf(self.branches[at], *i).unwrap() == *self.last[at].id()).unwrap()
    }

    fn merge_of(&mut self, at: usize) -> u8 {
        let below = self.head(at + 1).scope.branch;
        let merges = &self.last[at].claims().merges;
        u8::try_from(merges.iter().position(|merge| merge.branch == below).unwrap()).unwrap()
    }

    /// From the head of branch 0 to the ordinary message at the end of the last.
    fn prove(&mut self) -> Vec<u8> {
        self.try_prove().unwrap()
    }

    fn try_prove(&mut self) -> Result<Vec<u8>> {
        let mut prover = AncestryProver::from_size(self.forest.size(self.branches[0])?);
        for at in 0..self.branches.len() - 1 {
            let (index, merge) = (self.index_of(at), self.merge_of(at));
            prover.via(&mut self.forest.view(self.branches[at]), index, &self.last[at], merge)?;
        }
        let (last, at) = (self.branches[self.branches.len() - 1], self.branches.len() - 1);
        let index = self.index_of(at);
        prover.to(&mut self.forest.view(last), index)
    }

    fn check(&mut self, proof: &[u8]) -> Result<Ancestor> {
        let trusted = self.head(0);
        check_ancestry(&trusted, Leaf::Read(self.last.last().unwrap()), proof)
    }

    fn code(&mut self, proof: &[u8]) -> Code {
        self.check(proof).unwrap_err().code
    }
}

#[test]
fn chains_of_1_to_32_hops() {
    for length in [1, 2, 3, 5, 31, 32] {
        let mut chain = chain(length);
        let proof = chain.prove();
        assert_eq!(Proof::parse(&proof).unwrap().encode(), proof);
        let found = chain.check(&proof).unwrap();
        let merging: Vec<Hash> = chain.last[..length - 1].iter().map(|message| *message.id()).collect();
        assert_eq!((found.id(), found.via()), (chain.last[length - 1].id(), merging.as_slice()));
        assert_eq!((*found.head(), *found.found()), (chain.head(0), chain.head(length - 1)));
        assert_eq!(found.index(), chain.index_of(length - 1));
        let view = proof_to_json(&Proof::parse(&proof).unwrap()).unwrap();
        assert_eq!(view["via"].as_array().unwrap().len(), length - 1);
    }
    assert_eq!(chain(33).try_prove().unwrap_err().code, Code::ArgumentRange);
}

#[test]
fn one_hop_reaches_through_any_depth_of_forks() {
    let all: Vec<UnverifiedEnvelope> = support::messages(40, 2);
    let (mut forest, mut branch) = Forest::<BranchTree, _>::with_branch(MemoryNodes::default());
    for (at, message) in all.iter().enumerate() {
        if at % 3 == 2 {
            branch = forest.fork(branch, at as u64, MemoryNodes::default()).unwrap();
        }
        forest.append(branch, message.id()).unwrap();
    }
    let head = forest.fingerprint(&ZERO, all[0].id(), branch, 40).unwrap();
    for (index, message) in all.iter().enumerate() {
        let proof = AncestryProver::from_size(40).to(&mut forest.view(branch), index as u64).unwrap();
        let found = check_ancestry(&head, Leaf::Bytes(message.bytes()), &proof).unwrap();
        assert_eq!((found.index(), found.via(), *found.found()), (index as u64, &[][..], head));
        let inclusion = prove_inclusion::<BranchTree, _>(&mut forest.view(branch), index as u64, 40).unwrap();
        assert_eq!(proof[7..], inclusion[6..], "one hop is an inclusion proof");
        let other = Leaf::Read(&all[(index + 1) % 40]);
        assert_eq!(check_ancestry(&head, other, &proof).unwrap_err().code, Code::AncestryRoot);
    }
}

#[test]
fn every_bit_of_a_chain_counts() {
    let mut chain = chain(3);
    let mut proof = chain.prove();
    for bit in 0..proof.len() * 8 {
        proof[bit / 8] ^= 1 << (bit % 8);
        assert!(chain.check(&proof).is_err(), "bit {bit} is free");
        proof[bit / 8] ^= 1 << (bit % 8);
    }
    for length in 0..proof.len() {
        assert_eq!(chain.code(&proof[..length]), Code::ProofForm, "{length} bytes");
    }
    assert_eq!(chain.code(&[&proof[..], &[0]].concat()), Code::ProofForm);
    assert_eq!(chain.code(&[&proof[..], &[7; 32]].concat()), Code::ProofForm);
    assert!(chain.check(&proof).is_ok());
}

/// Where the fields of the first hop stand.
struct Places {
    merge: usize,
    kid: usize,
    claims: usize,
    second: usize,
}

fn places(proof: &[u8]) -> Places {
    let number = |at: usize| proof[at..at + 6].iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    let place = ama2sec_core::history::path::Place::new(number(7), number(13)).unwrap();
    let merge = 19 + 32 * place.siblings().len();
    let claims = merge + 35;
    let length = usize::from(u16::from_be_bytes([proof[claims - 2], proof[claims - 1]]));
    Places { merge, kid: merge + 1, claims, second: claims + length }
}

#[test]
fn each_step_stops_its_attack() {
    let mut chain = chain(3);
    let proof = chain.prove();
    let at = places(&proof);
    let changed = |at: usize, byte: u8| {
        let mut bad = proof.clone();
        bad[at] = byte;
        bad
    };
    // The form.
    assert_eq!([0, 33, 255].map(|hops| chain.code(&changed(6, hops))), [Code::ProofForm; 3]);
    let inclusion = prove_inclusion::<BranchTree, _>(&mut chain.forest.view(chain.branches[0]), 0, 2).unwrap();
    assert_eq!(chain.code(&inclusion), Code::ProofClaim);
    assert_eq!(chain.code(&changed(18, 0)), Code::ProofIndex);
    // a. The head of another size than the trusted one; in a later hop, than the merged one (here 6 for 5: as many hashes).
    let (trusted, wanted) = (chain.head(1), chain.last[2].clone());
    assert_eq!(check_ancestry(&trusted, Leaf::Read(&wanted), &proof).unwrap_err().code, Code::ProofClaim);
    let mut other = chain.head(0);
    other.head.size += 1;
    assert_eq!(check_ancestry(&other, Leaf::Read(&wanted), &proof).unwrap_err().code, Code::ProofClaim);
    assert_eq!((proof[at.second + 11], chain.code(&changed(at.second + 11, 6))), (5, Code::AncestryRoot));
    // c. Another place of the merging message, and another message at the end (5 for 4 of 7: as many hashes).
    assert_eq!((proof[12], chain.code(&changed(12, 5))), (4, Code::AncestryRoot));
    let mut sibling = chain.last[1].clone();
    std::mem::swap(&mut sibling, &mut chain.last[2]);
    assert_eq!(chain.code(&proof), Code::AncestryRoot);
    std::mem::swap(&mut sibling, &mut chain.last[2]);
    // b. Claims that do not read; a kid that is not the author's.
    assert_eq!(chain.code(&changed(at.claims, 0x0f)), Code::TrailingBytes);
    assert_eq!(chain.code(&changed(at.kid, proof[at.kid] ^ 1)), Code::ClaimForm);
    // d. Another merge, or one that the message does not have.
    assert_eq!(chain.code(&changed(at.merge, proof[at.merge] ^ 1)), Code::AncestryRoot);
    assert_eq!([2, 16, 255].map(|merge| chain.code(&changed(at.merge, merge))), [Code::AncestryRoot; 3]);
    // The caller's own envelope is read before any hop, and behind the claim.
    let head = chain.head(0);
    assert_eq!(check_ancestry(&head, Leaf::Bytes(b""), &changed(at.merge, 9)).unwrap_err().code, Code::Truncated);
    assert_eq!(check_ancestry(&other, Leaf::Bytes(b""), &proof).unwrap_err().code, Code::ProofClaim);
    // A hop left out: what is left leads from another head.
    let mut short = proof[..6].to_vec();
    short.push(2);
    short.extend_from_slice(&proof[at.second..]);
    assert_eq!(chain.code(&short), Code::ProofClaim);
    assert!(chain.check(&proof).is_ok());
}

/// A message of another conversation can stand in a tree (the tree takes what it is given), but no chain goes over it.
#[test]
fn no_chain_over_a_message_of_another_conversation() {
    let mut chain = chain(2);
    let mut told = chain.last[0].claims().clone();
    told.conversation = [5; 32];
    let foreign = read(&sign(0, &told));
    let branch = chain.branches[0];
    let (index, size) = (chain.forest.append(branch, foreign.id()).unwrap(), chain.forest.size(branch).unwrap());
    let merge = chain.merge_of(0);
    let mut prover = AncestryProver::from_size(size);
    prover.via(&mut chain.forest.view(branch), index, &foreign, merge).unwrap();
    let last = chain.index_of(1);
    let proof = prover.to(&mut chain.forest.view(chain.branches[1]), last).unwrap();
    assert_eq!(chain.code(&proof), Code::AncestryRoot);
}

/// A prover makes no proof that cannot be checked; what stops it is its caller's fault.
#[test]
fn provers_refuse_a_wrong_message_or_merge() {
    let mut chain = chain(2);
    let (branch, index) = (chain.branches[0], chain.index_of(0));
    let size = chain.forest.size(branch).unwrap();
    let mut code = |size, index, message: &UnverifiedEnvelope, merge| {
        let mut prover = AncestryProver::from_size(size);
        prover.via(&mut chain.forest.view(branch), index, message, merge).unwrap_err().code
    };
    let (merging, plain) = (chain.last[0].clone(), chain.last[1].clone());
    assert_eq!(code(size, index, &plain, 0), Code::ArgumentRange);
    assert_eq!(code(size, index + 1, &merging, 0), Code::ArgumentRange);
    assert_eq!(code(size, size, &merging, 0), Code::ArgumentRange);
    assert_eq!(code(size, index, &merging, 2), Code::ArgumentRange);
    assert_eq!(code(1 << 48, index, &merging, 0), Code::ArgumentRange);
    let prover = AncestryProver::from_size(size);
    assert_eq!(prover.to(&mut chain.forest.view(branch), size).unwrap_err().code, Code::ArgumentRange);
}
