//! One history without forks, which answers for every older size and can be cut back: a forest of one branch.

use super::Hash;
use super::accumulator::{BranchTree, CompactRange, Scope, TreeHash};
use super::forest::{Branch, Forest, View};
use super::nodes::NodeStore;
use crate::errors::{Code, Error, Result};

/// Leaves in order, with the roots of all their prefixes in O(log n).
#[derive(Debug)]
pub struct Tree<S, T = BranchTree> {
    forest: Forest<T, S>,
    branch: Branch,
    size: u64,
}

impl<S: NodeStore, T: TreeHash> Tree<S, T> {
    /// A tree without leaves over an empty store.
    pub fn new(store: S) -> Self {
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

    /// Appends one leaf and returns its index.
    pub fn append(&mut self, leaf: &Hash) -> Result<u64> {
        let index = self.forest.append(self.branch, leaf)?;
        self.size = index + 1;
        Ok(index)
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

    /// The nodes, for proofs.
    pub fn view(&mut self) -> View<'_, T, S> {
        self.forest.view(self.branch)
    }

    fn check(&self, n: u64) -> Result<()> {
        if n > self.size {
            return Err(Error::new(Code::Internal, format!("at most {} leaves", self.size), n.to_string()));
        }
        Ok(())
    }
}

impl<S: NodeStore> Tree<S> {
    /// The fingerprint at size `n`; 32 zero bytes at 0 (fingerprint.2).
    pub fn fingerprint_at(&mut self, scope: &Scope, n: u64) -> Result<Hash> {
        Ok(self.root_at(n)?.map_or([0; 32], |root| scope.fingerprint(n, &root)))
    }
}
