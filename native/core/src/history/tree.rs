//! A history that answers for every older size: the compact range of the newest size, over a store of all nodes.

use super::Hash;
use super::accumulator::{BranchTree, CompactRange, Scope, TreeHash, bag};
use super::nodes::{NodeStore, node_count, node_index};
use super::reader::{NodeReader, gather};
use super::sha_tree::Rfc6962;
use crate::errors::{Code, Error, Result};

/// The leaves of a branch in order, with the roots of all their prefixes in O(log n).
#[derive(Debug)]
pub struct Tree<S, T: TreeHash = BranchTree> {
    range: CompactRange<T>,
    store: S,
    completed: Vec<Hash>,
    peaks: Vec<Hash>,
}

impl<S: NodeStore> Tree<S> {
    /// A branch tree without leaves over an empty store.
    pub fn new(store: S) -> Self {
        Self::empty(store)
    }

    /// The fingerprint at size `n`.
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
        Tree { range: CompactRange::new(), store, completed: Vec::new(), peaks: Vec::new() }
    }

    pub fn size(&self) -> u64 {
        self.range.size()
    }

    pub fn store(&self) -> &S {
        &self.store
    }

    /// Appends one leaf.
    pub fn append(&mut self, leaf: &Hash) -> Result<()> {
        self.completed.clear();
        let completed = &mut self.completed;
        self.range.append_with(leaf, |node| completed.push(*node))?;
        self.completed.iter().try_for_each(|node| self.store.push(node))
    }

    /// The leaf at `index`.
    pub fn leaf(&mut self, index: u64) -> Result<Hash> {
        self.check(index.saturating_add(1))?;
        self.store.node(node_index(0, index + 1))
    }

    /// The root at size `n`, older or not; none at 0.
    pub fn root_at(&mut self, n: u64) -> Result<Option<Hash>> {
        if n == self.size() {
            return Ok(self.range.root());
        }
        // All peaks first, hashes afterwards: the reads do not wait for the hashing.
        self.gather(n)?;
        Ok(bag::<T>(&self.peaks))
    }

    /// The compact range at size `n`: where another continuation of the first n leaves starts.
    pub fn range_at(&mut self, n: u64) -> Result<CompactRange<T>> {
        if n == self.size() {
            return Ok(self.range.clone());
        }
        self.gather(n)?;
        CompactRange::from_peaks(n, self.peaks.clone())
    }

    /// Forgets all leaves from `n` on.
    pub fn truncate(&mut self, n: u64) -> Result<()> {
        self.range = self.range_at(n)?;
        self.store.truncate(node_count(n))
    }

    fn gather(&mut self, n: u64) -> Result<()> {
        self.check(n)?;
        gather(&mut StoreReader(&mut self.store), 0, n, &mut self.peaks)
    }

    fn check(&self, n: u64) -> Result<()> {
        if n > self.size() {
            return Err(Error::new(Code::Internal, format!("at most {} leaves", self.size()), format!("{n}")));
        }
        Ok(())
    }
}

impl<S: NodeStore, T: TreeHash> NodeReader for Tree<S, T> {
    fn node(&mut self, level: u32, end: u64) -> Result<Hash> {
        self.check(end)?;
        StoreReader(&mut self.store).node(level, end)
    }
}

/// The nodes of a tree without forks, where the store is its post-order vector.
struct StoreReader<'a, S>(&'a mut S);

impl<S: NodeStore> NodeReader for StoreReader<'_, S> {
    fn node(&mut self, level: u32, end: u64) -> Result<Hash> {
        self.0.node(node_index(level, end))
    }
}
