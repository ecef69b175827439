//! Proofs of histories that no memory holds, and one accumulated hash over all proofs that another implementation can make too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "proof_support/mod.rs"]
mod support;

use ama2sec_core::errors::Code;
use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::{BranchTree, bag};
use ama2sec_core::history::consistency::{check_consistency, prove_consistency};
use ama2sec_core::history::forest::Forest;
use ama2sec_core::history::head::{Fingerprint, Head};
use ama2sec_core::history::inclusion::{check_inclusion, prove_inclusion};
use ama2sec_core::history::nodes::MemoryNodes;
use ama2sec_core::history::proof::ProofTree;
use ama2sec_core::history::range::{check_range, prove_range};
use ama2sec_core::history::reader::{NodeReader, gather};
use ama2sec_core::history::sha_tree::{Rfc6962, TreeHead, rfc6962_leaf};
use ama2sec_core::history::trusted::{Leaf, Trusted};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::*;

/// 2^e - 1, 2^e and 2^e + 1 for e = 1 to 47.
fn sizes() -> impl Iterator<Item = u64> {
    (1..=47).flat_map(|e| [(1 << e) - 1, 1 << e, (1 << e) + 1])
}

fn root<T: Twin + ProofTree>(same: &mut Same, size: u64) -> Hash {
    let mut peaks = Vec::new();
    gather(same, 0, size, &mut peaks).unwrap();
    bag::<T>(&peaks).unwrap()
}

/// Every check over `leaf`, as many times as there are leaves.
fn large<H: Trusted>(leaf_hash: Hash, leaf: &dyn Fn() -> H::Leaf<'static>, head: &dyn Fn(u64, &mut Same) -> H)
where
    H::Tree: Twin,
{
    let mut same = Same::new::<H::Tree>(leaf_hash);
    let last = (1 << 48) - 1;
    for n in sizes().chain([last - 1, last]) {
        let trusted = head(n, &mut same);
        for index in [0, 1, n / 3, n / 2, n - 1].into_iter().filter(|index| *index < n) {
            let proof = prove_inclusion::<H::Tree, _>(&mut same, index, n).unwrap();
            assert!(proof.len() <= 18 + 48 * 32);
            assert_eq!(check_inclusion(&trusted, leaf(), &proof).unwrap().index(), index, "{index} of {n}");
        }
        for old in [1, 2, n / 3, n / 2, n - 1].into_iter().filter(|old| 0 < *old && *old < n) {
            let before = head(old, &mut same);
            let proof = prove_consistency::<H::Tree, _>(&mut same, old, n).unwrap();
            assert!(proof.len() <= 18 + 49 * 32);
            check_consistency(&before, &trusted, &proof).unwrap();
            let code = check_consistency(&trusted, &trusted, &proof).unwrap_err().code;
            assert_eq!(code, Code::ProofClaim);
        }
        for begin in [0, n / 2, n.saturating_sub(7)].into_iter().filter(|begin| *begin < n) {
            let end = n.min(begin + 5);
            let proof = prove_range::<H::Tree, _>(&mut same, begin, end, n).unwrap();
            let leaves: Vec<_> = (begin..end).map(|_| leaf()).collect();
            check_range(&trusted, &leaves, &proof).unwrap();
        }
    }
}

#[test]
fn branch_trees_to_2_48() {
    let message: &'static _ = Box::leak(Box::new(messages(1, 1).remove(0)));
    let head = |size, same: &mut Same| {
        let fingerprint = scope().fingerprint(size, &root::<BranchTree>(same, size));
        Fingerprint { scope: scope(), head: Head { size, fingerprint } }
    };
    large::<Fingerprint>(*message.id(), &|| Leaf::Read(message), &head);
}

#[test]
fn realm_trees_to_2_48() {
    let head = |size, same: &mut Same| TreeHead { size, root: root::<Rfc6962>(same, size) };
    large::<TreeHead>(rfc6962_leaf(b"record"), &|| b"record", &head);
}

/// SHA-256 over proofs, each with its length in four bytes before it.
#[derive(Default)]
struct Accumulated {
    hash: Sha256,
    count: u64,
}

impl Accumulated {
    fn add(&mut self, proof: &[u8]) {
        self.hash.update(u32::try_from(proof.len()).unwrap().to_be_bytes());
        self.hash.update(proof);
        self.count += 1;
    }

    fn finish(self) -> Value {
        let hash: String = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        json!({"count": self.count, "sha256": hash})
    }
}

/// The proofs of tests/vectors/proofs.json, in the order that is told there.
fn accumulated<T: Twin + ProofTree>() -> Value {
    let (mut tree, branch) = Forest::<T, _>::with_branch(MemoryNodes::default());
    tree.extend(branch, &(0..130).map(leaf).collect::<Vec<_>>()).unwrap();
    let mut same = Same::new::<T>(leaf(0));
    let (mut inclusion, mut consistency, mut range) =
        (Accumulated::default(), Accumulated::default(), Accumulated::default());
    let mut all = |nodes: &mut dyn NodeReader, n: u64, places: &[u64], olds: &[u64], spans: &[(u64, u64)]| {
        places.iter().for_each(|i| inclusion.add(&prove_inclusion::<T, _>(nodes, *i, n).unwrap()));
        let olds = olds.iter().filter(|old| 0 < **old && **old < n);
        olds.for_each(|old| consistency.add(&prove_consistency::<T, _>(nodes, *old, n).unwrap()));
        let spans = spans.iter().filter(|(begin, end)| begin < end);
        spans.for_each(|(begin, end)| range.add(&prove_range::<T, _>(nodes, *begin, *end, n).unwrap()));
    };
    for n in 1..=130 {
        let places: Vec<u64> = (0..n).collect();
        let to = if n <= 40 { n } else { 0 };
        let spans: Vec<(u64, u64)> = (0..to).flat_map(|begin| (begin + 1..=to).map(move |end| (begin, end))).collect();
        all(&mut tree.view(branch), n, &places, &places, &spans);
    }
    for n in sizes() {
        all(&mut same, n, &[0, n / 2, n - 1], &[1, n / 2, n - 1], &[(0, n / 2), (n / 2, n), (n - 1, n)]);
    }
    json!({"inclusion": inclusion.finish(), "consistency": consistency.finish(), "range": range.finish()})
}

#[test]
fn all_proofs_give_the_accumulated_hashes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/proofs.json");
    let pinned: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let found = json!({"branch": accumulated::<BranchTree>(), "realm": accumulated::<Rfc6962>()});
    assert_eq!(found, pinned["accumulated"], "{found:#}");
}
