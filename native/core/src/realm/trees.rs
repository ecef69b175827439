//! The branch trees of one conversation, or of the registry, behind a lock: reading a node changes nothing but the reader's own scratch space.

use std::sync::Mutex;

use crate::errors::{Code, Error, Result};
use crate::history::accumulator::BranchTree;
use crate::history::forest::{Branch, Forest};
use crate::history::nodes::MemoryNodes;
use crate::message::{self, Id};

/// Trees that grow and fork.
#[derive(Debug)]
pub(super) struct Trees(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    forest: Forest<BranchTree, MemoryNodes>,
    /// For each place the size whose fingerprint was asked for last, and that fingerprint. Many entries name the same context, and what a
    /// branch was at a size it stays.
    asked: Vec<(u64, Id)>,
}

/// A thread panicked while it read: nothing here is answered any more.
fn half_read() -> Error {
    Error::new(Code::Panic, "a tree that no thread has left half read", "one")
}

impl Trees {
    /// One branch with these leaves.
    pub fn new(leaves: &[Id]) -> Result<(Trees, Branch)> {
        let (mut forest, first) = Forest::with_branch(MemoryNodes::default());
        forest.extend(first, leaves)?;
        Ok((Trees(Mutex::new(Inner { forest, asked: Vec::new() })), first))
    }

    fn reading<T>(&self, read: impl FnOnce(&mut Inner) -> Result<T>) -> Result<T> {
        read(&mut *self.0.lock().map_err(|_| half_read())?)
    }

    fn forest(&mut self) -> Result<&mut Forest<BranchTree, MemoryNodes>> {
        Ok(&mut self.0.get_mut().map_err(|_| half_read())?.forest)
    }

    /// Appends leaves and returns the branch's size behind them.
    pub fn extend(&mut self, branch: Branch, leaves: &[Id]) -> Result<u64> {
        self.forest()?.extend(branch, leaves)
    }

    pub fn append(&mut self, branch: Branch, leaf: &Id) -> Result<()> {
        self.forest()?.append(branch, leaf).map(|_| ())
    }

    /// A branch that inherits `size` leaves of another, and begins with `leaf`.
    pub fn fork(&mut self, from: Branch, size: u64, leaf: &Id) -> Result<Branch> {
        let forest = self.forest()?;
        let place = forest.fork(from, size, MemoryNodes::default())?;
        forest.append(place, leaf)?;
        Ok(place)
    }

    pub fn leaf(&self, branch: Branch, index: u64) -> Result<Id> {
        self.reading(|inner| inner.forest.leaf(branch, index))
    }

    /// The root over the first `size` leaves, at least one.
    pub fn root(&self, branch: Branch, size: u64) -> Result<Id> {
        self.reading(|inner| inner.root(branch, size))
    }

    /// The fingerprint of the branch `place.1` at a size above its base, under the names that it binds: realm, conversation, branch.
    pub fn fingerprint(&self, place: (usize, Branch), names: [&Id; 3], size: u64) -> Result<Id> {
        if size == 0 {
            return Err(Error::new(Code::ArgumentRange, "a history of one leaf or more", "0"));
        }
        self.reading(|inner| {
            let (number, branch) = place;
            if let Some((_, known)) = inner.asked.get(number).filter(|(at, _)| *at == size) {
                return Ok(*known);
            }
            let root = inner.root(branch, size)?;
            let [realm, conversation, id] = names;
            let made = message::fingerprint(realm, conversation, id, size, &root);
            if inner.asked.len() <= number {
                // Nobody gets an answer for a size of 0.
                inner.asked.resize(number + 1, (0, [0; 32]));
            }
            if let Some(slot) = inner.asked.get_mut(number) {
                *slot = (size, made);
            }
            Ok(made)
        })
    }
}

impl Inner {
    fn root(&mut self, branch: Branch, size: u64) -> Result<Id> {
        let root = self.forest.root(branch, size)?;
        root.ok_or_else(|| Error::new(Code::Internal, "a tree with a leaf", "none"))
    }
}
