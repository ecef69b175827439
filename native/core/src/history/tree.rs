//! One history without forks, which answers for every older size and can be cut back: a forest of one branch.

use super::Hash;
use super::accumulator::{BranchTree, CompactRange, Scope, TreeHash};
use super::forest::{Branch, Forest};
use super::nodes::NodeStore;
use super::reader::NodeReader;
use super::sha_tree::Rfc6962;
use crate::errors::{Code, Error, Result};

/// Leaves in order, with the roots of all their prefixes in O(log n).
#[derive(Debug)]
pub struct Tree<S, T = BranchTree> {
    forest: Forest<T, S>,
    branch: Branch,
    size: u64,
}

impl<S: NodeStore> Tree<S> {
    /// A branch tree without leaves over an empty store.
    pub fn new(store: S) -> Self {
        Self::empty(store)
    }

    /// The fingerprint at size `n`; 32 zero bytes at 0 (fingerprint.2).
    pub fn fingerprint_at(&mut self, scope: &Scope, n: u64) -> Result<Hash> {
        Ok(self.root_at(n)?.map_or([0; 32], |root| scope.fingerprint(n, &root)))
    }
}

impl<S: NodeStore> Tree<S, Rfc6962> {
    /// A realm tree without leaves over an empty store; its leaves are hashes of records (proofs.7).
    pub fn of_records(store: S) -> Self {
        Self::empty(store)
    }
}

impl<S: NodeStore, T: TreeHash> Tree<S, T> {
    fn empty(store: S) -> Self {
        let (forest, branch) = Forest::with_branch(store);
        Tree { forest, branch, size: 0 }
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// The store that it was made with.
    pub fn store(&self) -> Result<&S> {
        self.forest.store(self.branch)
    }

    /// Appends one leaf.
    pub fn append(&mut self, leaf: &Hash) -> Result<()> {
        self.size = self.forest.append(self.branch, leaf)? + 1;
        Ok(())
    }

    /// Appends many leaves, all or none, and returns the new size.
    pub fn extend(&mut self, leaves: &[Hash]) -> Result<u64> {
        self.size = self.forest.extend(self.branch, leaves)?;
        Ok(self.size)
    }

    /// The leaf at `index`.
    pub fn leaf(&mut self, index: u64) -> Result<Hash> {
        self.check(index.saturating_add(1))?;
        self.forest.leaf(self.branch, index)
    }

    /// The root at size `n`, older or not; none at 0.
    pub fn root_at(&mut self, n: u64) -> Result<Option<Hash>> {
        self.check(n)?;
        self.forest.root(self.branch, n)
    }

    /// The compact range at size `n`: where another continuation of the first n leaves starts.
    pub fn range_at(&mut self, n: u64) -> Result<CompactRange<T>> {
        self.check(n)?;
        self.forest.range(self.branch, n)
    }

    /// Forgets all leaves from `n` on.
    pub fn truncate(&mut self, n: u64) -> Result<()> {
        self.check(n)?;
        self.forest.truncate(self.branch, n)?;
        self.size = n;
        Ok(())
    }

    fn check(&self, n: u64) -> Result<()> {
        if n > self.size {
            return Err(Error::new(Code::Internal, format!("at most {} leaves", self.size), n.to_string()));
        }
        Ok(())
    }
}

impl<S: NodeStore, T: TreeHash> NodeReader for Tree<S, T> {
    fn node(&mut self, level: u32, end: u64) -> Result<Hash> {
        self.check(end)?;
        self.forest.node(self.branch, level, end)
    }
}
