//! The history that the diagnosis works on, and what it would be after an edit (fingerprint.8.2).

use std::collections::VecDeque;

use super::Hash;
use super::accumulator::Scope;
use super::nodes::NodeStore;
use super::tree::Tree;
use crate::errors::Result;
use crate::message::Seq;

/// How a leaf came to be where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Authentic, and its own context fits.
    Sound,
    /// Authentic, and its own context did not fit when it was read.
    Misfit,
    /// Its envelope did not verify. With `form`, because of its signature, body or form.
    Suspect { form: bool },
    /// Named by a later author, not in the file so far.
    Placed,
}

/// A leaf of the working history.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// None: what stands here cannot be read, and its id is unknown.
    pub id: Option<Hash>,
    pub position: u64,
    pub author: Option<Hash>,
    pub seq: Option<Seq>,
    /// The size of its own context.
    pub n: u64,
    pub standing: Standing,
}

impl Leaf {
    pub fn placed(id: Hash, position: u64) -> Self {
        Leaf { id: Some(id), position, author: None, seq: None, n: 0, standing: Standing::Placed }
    }

    /// Whether the leaf says itself that it belongs further down than to `index`.
    pub fn is_ahead(&self, index: u64) -> bool {
        self.standing == Standing::Misfit && self.n > index
    }
}

/// The last leaves of a history, as far back as a fault can be explained.
#[derive(Debug)]
pub(super) struct Recent {
    leaves: VecDeque<Leaf>,
    limit: usize,
}

impl Recent {
    pub fn new(limit: usize) -> Self {
        Recent { leaves: VecDeque::new(), limit: limit.max(1) }
    }

    pub fn push(&mut self, leaf: Leaf) -> Option<Leaf> {
        let oldest = if self.leaves.len() >= self.limit { self.leaves.pop_front() } else { None };
        self.leaves.push_back(leaf);
        oldest
    }

    pub fn len(&self) -> usize {
        self.leaves.len()
    }
}

/// A change of the history that might explain a fault. Indices are places before the edit, `to` and `at` places after it.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    Insert {
        at: u64,
        leaf: Leaf,
    },
    Replace {
        at: u64,
        leaf: Leaf,
    },
    Remove {
        at: u64,
        count: u64,
    },
    Exchange {
        low: u64,
        high: u64,
    },
    Move {
        from: u64,
        to: u64,
    },
    /// `tail` stands from `from` on; the leaves from `resume` on follow it.
    Rewrite {
        from: u64,
        tail: Vec<Leaf>,
        resume: u64,
    },
}

impl Edit {
    /// The first place that changes.
    pub fn lowest(&self) -> u64 {
        match self {
            Edit::Insert { at, .. } | Edit::Replace { at, .. } | Edit::Remove { at, .. } => *at,
            Edit::Exchange { low, .. } => *low,
            Edit::Move { from, to } => *from.min(to),
            Edit::Rewrite { from, .. } => *from,
        }
    }

    /// How many leaves there are after the edit of so many.
    pub fn size_after(&self, size: u64) -> u64 {
        match self {
            Edit::Insert { .. } => size + 1,
            Edit::Remove { count, .. } => size.saturating_sub(*count),
            Edit::Replace { .. } | Edit::Exchange { .. } | Edit::Move { .. } => size,
            Edit::Rewrite { from, tail, resume } => from + tail.len() as u64 + size.saturating_sub(*resume),
        }
    }
}

/// What an author signed about the history. `parent` is None for a retained head, which names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub n: u64,
    pub parent: Option<Hash>,
    pub fingerprint: Hash,
}

/// A history that can be edited within its last leaves.
#[derive(Debug)]
pub(super) struct Working<S> {
    tree: Tree<S>,
    recent: Recent,
    /// An unreadable leaf has left the window: no fingerprint that covers it can be computed.
    lost: bool,
    /// Unreadable leaves in the window.
    unreadable: usize,
    /// Leaves that were hashed in vain or not: the bound on all searching together.
    pub spent: u64,
}

impl<S: NodeStore> Working<S> {
    pub fn new(tree: Tree<S>, recent: Recent) -> Self {
        Working { tree, recent, lost: false, unreadable: 0, spent: 0 }
    }

    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Whether an unreadable leaf has left the window: no history that covers it can be told from another.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// The first index that can be edited.
    pub fn base(&self) -> u64 {
        self.tree.size() - self.recent.len() as u64
    }

    pub fn get(&self, index: u64) -> Option<&Leaf> {
        let place = usize::try_from(index.checked_sub(self.base())?).ok()?;
        self.recent.leaves.get(place)
    }

    pub fn get_mut(&mut self, index: u64) -> Option<&mut Leaf> {
        let place = usize::try_from(index.checked_sub(self.base())?).ok()?;
        self.recent.leaves.get_mut(place)
    }

    /// The newest index in the window for which `test` holds.
    pub fn find(&self, test: impl Fn(&Leaf) -> bool) -> Option<u64> {
        let place = self.recent.leaves.iter().rposition(test)?;
        Some(self.base() + place as u64)
    }

    pub fn find_id(&self, id: &Hash) -> Option<u64> {
        self.find(|leaf| leaf.id.as_ref() == Some(id))
    }

    /// The leaves of the window with their indices, oldest first.
    pub fn leaves_mut(&mut self) -> impl Iterator<Item = (u64, &mut Leaf)> {
        (self.base()..).zip(self.recent.leaves.iter_mut())
    }

    pub fn leaves(&self) -> impl DoubleEndedIterator<Item = (u64, &Leaf)> + ExactSizeIterator {
        let base = self.base();
        self.recent.leaves.iter().enumerate().map(move |(place, leaf)| (base + place as u64, leaf))
    }

    pub fn append(&mut self, leaf: Leaf) -> Result<()> {
        // An unreadable leaf holds its place in the tree; that no fingerprint over it is taken for a fit is seen to in `fits`.
        self.tree.append(&leaf.id.unwrap_or([0; 32]))?;
        self.unreadable += usize::from(leaf.id.is_none());
        if self.recent.push(leaf).is_some_and(|oldest| oldest.id.is_none()) {
            self.unreadable -= 1;
            self.lost = true;
        }
        Ok(())
    }

    /// Starts again with nothing: what stood before the real open is no history.
    pub fn clear(&mut self) -> Result<()> {
        self.tree.truncate(0)?;
        self.recent.leaves.clear();
        (self.unreadable, self.lost) = (0, false);
        Ok(())
    }

    /// Whether the history is the one that was signed.
    pub fn fits(&mut self, scope: &Scope, signed: &Signed) -> Result<bool> {
        let Some(last) = signed.n.checked_sub(1).filter(|last| *last < self.size()) else {
            return Ok(false);
        };
        if self.lost || (self.unreadable > 0 && self.leaves().any(|(index, leaf)| index <= last && leaf.id.is_none())) {
            return Ok(false);
        }
        if let Some(parent) = signed.parent
            && parent != self.tree.leaf(last)?
        {
            return Ok(false);
        }
        Ok(self.tree.fingerprint_at(scope, signed.n)? == signed.fingerprint)
    }

    /// The leaf that stands at `index` after the edit.
    fn after<'a>(&'a self, edit: &'a Edit, index: u64) -> Option<&'a Leaf> {
        match edit {
            Edit::Insert { at, leaf } | Edit::Replace { at, leaf } if index == *at => Some(leaf),
            Edit::Insert { at, .. } if index > *at => self.get(index - 1),
            Edit::Insert { .. } | Edit::Replace { .. } => self.get(index),
            Edit::Remove { at, count } => self.get(if index < *at { index } else { index.checked_add(*count)? }),
            Edit::Exchange { low, high } => match index {
                _ if index == *low => self.get(*high),
                _ if index == *high => self.get(*low),
                _ => self.get(index),
            },
            Edit::Move { from, to } => match index {
                _ if index == *to => self.get(*from),
                _ if *to < index && index <= *from => self.get(index - 1),
                _ if *from <= index && index < *to => self.get(index + 1),
                _ => self.get(index),
            },
            Edit::Rewrite { from, tail, resume } => match index.checked_sub(*from) {
                None => self.get(index),
                Some(place) => match place.checked_sub(tail.len() as u64) {
                    None => tail.get(usize::try_from(place).ok()?),
                    Some(behind) => self.get(resume.checked_add(behind)?),
                },
            },
        }
    }

    /// Whether the edited history would be the one that was signed. Hashes only from the first changed leaf on.
    pub fn would_fit(&mut self, scope: &Scope, edit: &Edit, signed: &Signed) -> Result<bool> {
        let lowest = edit.lowest();
        let reachable = lowest >= self.base() && lowest < signed.n && signed.n <= edit.size_after(self.size());
        if self.lost || !reachable {
            return Ok(false);
        }
        // The named parent rules out nearly every candidate before anything is hashed.
        let parent = self.after(edit, signed.n - 1).and_then(|leaf| leaf.id);
        if parent.is_none() || signed.parent.is_some_and(|named| parent != Some(named)) {
            return Ok(false);
        }
        if self.unreadable > 0 && self.leaves().any(|(index, leaf)| index < lowest && leaf.id.is_none()) {
            return Ok(false);
        }
        self.spent = self.spent.saturating_add(signed.n - lowest);
        let mut range = self.tree.range_at(lowest)?;
        for index in lowest..signed.n {
            let Some(id) = self.after(edit, index).and_then(|leaf| leaf.id) else {
                return Ok(false);
            };
            range.append(&id)?;
        }
        Ok(range.fingerprint(scope) == signed.fingerprint)
    }

    /// The leaves from `from` on, after the edit.
    pub fn tail_after(&self, edit: &Edit, from: u64) -> Vec<Leaf> {
        (from..edit.size_after(self.size())).filter_map(|index| self.after(edit, index).cloned()).collect()
    }

    /// Makes the edit.
    pub fn apply(&mut self, edit: &Edit) -> Result<()> {
        let lowest = edit.lowest();
        let tail = self.tail_after(edit, lowest);
        let kept = usize::try_from(lowest.saturating_sub(self.base())).unwrap_or(usize::MAX);
        self.tree.truncate(lowest)?;
        self.recent.leaves.truncate(kept);
        self.unreadable = self.recent.leaves.iter().filter(|leaf| leaf.id.is_none()).count();
        tail.into_iter().try_for_each(|leaf| self.append(leaf))
    }
}
