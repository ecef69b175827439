//! Compact ranges: all that appending to a Merkle tree and giving its root needs (fingerprint.1), and the fingerprint (fingerprint.2).

use std::marker::PhantomData;

use super::Hash;
use crate::errors::{Code, Error, Result};
use crate::limits::SIZE_END;
use crate::message;

/// The hash of an inner node. Chosen by type where the tree is declared, never at run time: there is no agility.
pub trait TreeHash {
    fn node(left: &Hash, right: &Hash) -> Hash;
}

/// Branch trees: keyed BLAKE3 with purpose `node` (fingerprint.1.2).
#[derive(Clone, Copy, Debug)]
pub enum BranchTree {}

impl TreeHash for BranchTree {
    fn node(left: &Hash, right: &Hash) -> Hash {
        message::node(left, right)
    }
}

/// The roots of the complete subtrees of a tree, largest first, one for each bit set in its size.
#[derive(Debug)]
pub struct CompactRange<T: TreeHash = BranchTree> {
    size: u64,
    peaks: Vec<Hash>,
    tree: PhantomData<fn() -> T>,
}

impl<T: TreeHash> Clone for CompactRange<T> {
    fn clone(&self) -> Self {
        CompactRange { size: self.size, peaks: self.peaks.clone(), tree: PhantomData }
    }
}

impl<T: TreeHash> Default for CompactRange<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: TreeHash> CompactRange<T> {
    /// The range of the tree without leaves.
    pub fn new() -> Self {
        CompactRange { size: 0, peaks: Vec::new(), tree: PhantomData }
    }

    /// The range of `size` leaves whose peaks, largest first, are known from elsewhere.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Result<Self> {
        check_size(size)?;
        if peaks.len() != size.count_ones() as usize {
            return Err(Error::new(Code::Internal, "one peak for each bit set in the size", "another number of peaks"));
        }
        Ok(CompactRange { size, peaks, tree: PhantomData })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends one leaf.
    pub fn append(&mut self, leaf: &Hash) -> Result<()> {
        self.append_with(leaf, |_| {})
    }

    /// Appends one leaf and hands every node that it completes to `completed`: the leaf itself, then upwards.
    pub fn append_with(&mut self, leaf: &Hash, completed: impl FnMut(&Hash)) -> Result<()> {
        check_size(self.size.saturating_add(1))?;
        // One peak is taken in for each one bit at the end of the size, as in a binary counter.
        let kept = self.peaks.len().saturating_sub(self.size.trailing_ones() as usize);
        let peak = complete::<T>(leaf, self.peaks.drain(kept..).rev(), completed);
        self.peaks.push(peak);
        self.size += 1;
        Ok(())
    }

    /// The root; a tree without leaves has none (fingerprint.1.3).
    pub fn root(&self) -> Option<Hash> {
        bag::<T>(&self.peaks)
    }
}

impl CompactRange<BranchTree> {
    /// The fingerprint of the history so far (fingerprint.2).
    pub fn fingerprint(&self, scope: &Scope) -> Hash {
        match self.root() {
            Some(root) => scope.fingerprint(self.size, &root),
            None => [0; 32],
        }
    }
}

/// The root over peaks that were gathered, largest first.
pub fn bag<T: TreeHash>(peaks: &[Hash]) -> Option<Hash> {
    let (last, rest) = peaks.split_last()?;
    Some(rest.iter().rev().fold(*last, |right, left| T::node(left, &right)))
}

/// Hands the nodes that a new leaf completes to `completed`, the leaf first, and returns the last. `left` are their left children,
/// upwards.
pub fn complete<T: TreeHash>(leaf: &Hash, left: impl Iterator<Item = Hash>, mut completed: impl FnMut(&Hash)) -> Hash {
    completed(leaf);
    left.fold(*leaf, |right, left| {
        let node = T::node(&left, &right);
        completed(&node);
        node
    })
}

/// Every size of a tree lies below 2^48 (fingerprint.1.4).
pub fn check_size(size: u64) -> Result<()> {
    if size >= SIZE_END {
        return Err(Error::new(Code::SizeLimit, "a tree of fewer than 2^48 leaves", format!("{size} leaves")));
    }
    Ok(())
}

/// What a fingerprint is bound to besides its size and root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    pub realm: Hash,
    pub conversation: Hash,
    pub branch: Hash,
}

impl Scope {
    /// The scope of a conversation kept as a file: no realm, and the one branch has the conversation's id.
    pub fn of_file(conversation: Hash) -> Self {
        Scope { realm: [0; 32], conversation, branch: conversation }
    }

    /// The fingerprint at size `n` > 0. The size is bound in: a proof against a bare root verifies under other sizes too.
    pub fn fingerprint(&self, n: u64, root: &Hash) -> Hash {
        message::fingerprint(&self.realm, &self.conversation, &self.branch, n, root)
    }
}

/// The fingerprints at every size from 0 to the number of ids, in order (the conformance question `fingerprint`).
pub fn fingerprints(scope: &Scope, ids: &[Hash]) -> Result<Vec<Hash>> {
    let mut range = CompactRange::new();
    let mut all = Vec::with_capacity(ids.len().saturating_add(1));
    all.push(range.fingerprint(scope));
    for id in ids {
        range.append(id)?;
        all.push(range.fingerprint(scope));
    }
    Ok(all)
}
