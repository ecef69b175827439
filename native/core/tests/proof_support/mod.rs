//! The naive twin of proofs.2 and proofs.3: the RFC's recursions as they are written down, and histories to hold them against.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../history_support/mod.rs"]
pub mod histories;

use std::collections::HashMap;

use ama2sec_core::errors::Result;
use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::{BranchTree, Scope, TreeHash};
use ama2sec_core::history::head::{Fingerprint, Head};
use ama2sec_core::history::reader::NodeReader;
use ama2sec_core::history::sha_tree::Rfc6962;
use ama2sec_core::message::UnverifiedEnvelope;
use sha2::{Digest, Sha256};

/// Leaves for trees whose leaves need not be messages: SHA-256 of the place.
pub fn leaf(i: u64) -> Hash {
    Sha256::digest(i.to_be_bytes()).into()
}

pub trait Twin {
    const TREE: u8;
    fn node(left: &Hash, right: &Hash) -> Hash;
}

impl Twin for BranchTree {
    const TREE: u8 = 1;
    fn node(left: &Hash, right: &Hash) -> Hash {
        let key = blake3::derive_key("ama2sec 2026-11 v1 node", b"");
        *blake3::keyed_hash(&key, &[left.as_slice(), right].concat()).as_bytes()
    }
}

impl Twin for Rfc6962 {
    const TREE: u8 = 2;
    fn node(left: &Hash, right: &Hash) -> Hash {
        Sha256::digest([&[1u8][..], left, right].concat()).into()
    }
}

/// The recursions over D[a, b); roots are remembered, nothing else is shared with the core.
pub struct Model<T> {
    pub leaves: Vec<Hash>,
    roots: HashMap<(usize, usize), Hash>,
    tree: std::marker::PhantomData<T>,
}

/// The largest power of two below n.
fn k(n: usize) -> usize {
    let mut k = 1;
    while 2 * k < n {
        k *= 2;
    }
    k
}

impl<T: Twin> Model<T> {
    pub fn new(leaves: Vec<Hash>) -> Self {
        Model { leaves, roots: HashMap::new(), tree: std::marker::PhantomData }
    }

    pub fn mth(&mut self, a: usize, b: usize) -> Hash {
        if b - a == 1 {
            return self.leaves[a];
        }
        if let Some(root) = self.roots.get(&(a, b)) {
            return *root;
        }
        let middle = a + k(b - a);
        let root = T::node(&self.mth(a, middle), &self.mth(middle, b));
        self.roots.insert((a, b), root);
        root
    }

    pub fn path(&mut self, i: usize, a: usize, b: usize) -> Vec<Hash> {
        if b - a == 1 {
            return Vec::new();
        }
        let k = k(b - a);
        let (mut path, sibling) = if i < k {
            (self.path(i, a, a + k), self.mth(a + k, b))
        } else {
            (self.path(i - k, a + k, b), self.mth(a, a + k))
        };
        path.push(sibling);
        path
    }

    pub fn subproof(&mut self, m: usize, a: usize, b: usize) -> Vec<Hash> {
        if m == b - a {
            return vec![self.mth(a, b)];
        }
        let k = k(b - a);
        let (mut proof, sibling) = if m <= k {
            (self.subproof(m, a, a + k), self.mth(a + k, b))
        } else {
            (self.subproof(m - k, a + k, b), self.mth(a, a + k))
        };
        proof.push(sibling);
        proof
    }

    /// The subtrees that a walk from the root of D[a, b) takes in whole left of `begin`, and those right of `end`, from below.
    fn outside(&mut self, begin: usize, end: usize, a: usize, b: usize, left: &mut Vec<Hash>, right: &mut Vec<Hash>) {
        let middle = a + k(b - a);
        if b - a == 1 {
            if b <= begin {
                left.push(self.leaves[a]);
            }
            return;
        }
        if b <= begin && (b - a).is_power_of_two() {
            left.push(self.mth(a, b));
            return;
        }
        if end <= middle {
            self.outside(begin, end, a, middle, left, right);
            right.push(self.mth(middle, b));
        } else {
            self.outside(begin, end.max(middle + 1), a, middle, left, &mut Vec::new());
            self.outside(begin, end, middle, b, left, right);
        }
    }

    pub fn range(&mut self, begin: usize, end: usize, size: usize) -> Vec<Hash> {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        if size > 1 {
            self.outside(begin, end, 0, size, &mut left, &mut right);
        }
        left.extend(right);
        left
    }

    pub fn inclusion_proof(&mut self, index: usize, size: usize) -> Vec<u8> {
        let path = self.path(index, 0, size);
        proof(1, T::TREE, &[index as u64, size as u64], &path)
    }

    pub fn consistency_proof(&mut self, old: usize, new: usize) -> Vec<u8> {
        let hashes = self.subproof(old, 0, new);
        proof(2, T::TREE, &[old as u64, new as u64], &hashes)
    }

    pub fn range_proof(&mut self, begin: usize, end: usize, size: usize) -> Vec<u8> {
        let hashes = self.range(begin, end, size);
        proof(3, T::TREE, &[begin as u64, end as u64, size as u64], &hashes)
    }
}

/// proofs.1: the bytes.
pub fn proof(kind: u8, tree: u8, numbers: &[u64], hashes: &[Hash]) -> Vec<u8> {
    let mut out = vec![0x61, 0x32, 0x70, 1, kind, tree];
    for number in numbers {
        out.extend_from_slice(&number.to_be_bytes()[2..]);
    }
    out.extend_from_slice(hashes.as_flattened());
    out
}

/// The same proof under other numbers.
pub fn relabelled(proof: &[u8], numbers: &[u64]) -> Vec<u8> {
    let mut out = proof.to_vec();
    for (slot, number) in out[6..].chunks_mut(6).zip(numbers) {
        slot.copy_from_slice(&number.to_be_bytes()[2..]);
    }
    out
}

/// Real messages: what a branch tree's proofs are checked with.
pub fn messages(count: usize, seed: u64) -> Vec<UnverifiedEnvelope> {
    let first = histories::open(0, None, seed as u8);
    let ids = [first.id];
    let mut all = vec![UnverifiedEnvelope::parse(&first.envelope).unwrap()];
    for i in 1..count as u64 {
        let next = histories::message(0, &ids, 1, histories::seq(0, i), i + 1000 * seed);
        all.push(UnverifiedEnvelope::parse(&next.envelope).unwrap());
    }
    all
}

pub fn scope() -> Scope {
    Scope { realm: [1; 32], conversation: [2; 32], branch: [3; 32] }
}

pub fn head<T: Twin>(model: &mut Model<T>, scope: Scope, size: usize) -> Fingerprint {
    let fingerprint = scope.fingerprint(size as u64, &model.mth(0, size));
    Fingerprint { scope, head: Head { size: size as u64, fingerprint } }
}

/// Any number of leaves that are all the same: each complete subtree of a height is.
pub struct Same(Vec<Hash>);

impl Same {
    pub fn new<T: TreeHash>(leaf: Hash) -> Self {
        let mut levels = vec![leaf];
        for level in 0..48 {
            levels.push(T::node(&levels[level], &levels[level]));
        }
        Same(levels)
    }
}

impl NodeReader for Same {
    fn node(&mut self, level: u32, end: u64) -> Result<Hash> {
        assert!(end > 0 && end.is_multiple_of(1 << level), "a complete subtree");
        Ok(self.0[level as usize])
    }
}
