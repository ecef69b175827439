//! The branches of one conversation, and who comes after whom (dag.1, dag.4).

use std::collections::HashMap;

use super::sizes::Sizes;
use super::trees::Trees;
use crate::errors::{Code, Error, Result};
use crate::history::forest::Branch as Place;
use crate::message::{Id, IdMap, Merge};

/// A branch by its place in the order in which the branches were opened.
pub type Number = u32;

/// A merge leaf of a branch: what it names, and all that its branch has merged up to it.
#[derive(Clone, Debug)]
pub struct MergeLeaf {
    pub index: u64,
    pub heads: Vec<(Id, u64)>,
    pub(super) map: Sizes,
}

/// One branch.
#[derive(Debug)]
pub struct Branch {
    pub id: Id,
    pub parent: Option<Number>,
    /// The first leaf that it owns.
    pub base: u64,
    pub size: u64,
    pub closed: bool,
    /// The author of the open or the fork.
    pub opener: Id,
    /// The merges among the leaves that it owns, ascending by index.
    pub merges: Vec<MergeLeaf>,
    /// What was merged below its base.
    pub(super) start: Sizes,
    depth: u32,
    /// A branch further up in the lineage, at a distance that makes searches logarithmic.
    jump: Number,
    place: Place,
}

/// All branches of a conversation.
#[derive(Debug)]
pub struct Branches {
    realm: Id,
    conversation: Id,
    all: Vec<Branch>,
    numbers: IdMap<Number>,
    live: usize,
    trees: Trees,
}

/// A branch as a digest and its leaves give it.
#[derive(Debug)]
pub(super) struct Row {
    pub id: Id,
    pub parent: Option<Id>,
    pub base: u64,
    /// The leaves that it owns.
    pub leaves: Vec<Id>,
    pub closed: bool,
    pub opener: Id,
    pub merges: Vec<(u64, Vec<(Id, u64)>)>,
}

/// A prefix of a branch: what an entry's context names.
#[derive(Clone, Copy, Debug)]
pub struct Prefix {
    pub branch: Number,
    pub size: u64,
}

/// A set of leaves that is closed: with a leaf it has everything that the leaf's author had consumed (dag.4.3).
#[derive(Clone, Debug)]
pub struct Ancestors {
    prefix: Prefix,
    merged: Sizes,
}

impl Ancestors {
    /// What was merged, without the prefix.
    pub(super) fn into_merged(self) -> Sizes {
        self.merged
    }
}

fn lost() -> Error {
    Error::new(Code::Internal, "a branch of this conversation", "another")
}

impl Branches {
    /// A conversation whose first leaf is its open.
    pub fn open(realm: Id, conversation: Id, opener: Id) -> Result<Branches> {
        let (trees, place) = Trees::new(&[conversation])?;
        let first = Branch {
            id: conversation,
            parent: None,
            base: 0,
            size: 1,
            closed: false,
            opener,
            merges: Vec::new(),
            start: Sizes::default(),
            depth: 0,
            jump: 0,
            place,
        };
        let numbers = IdMap::from_iter([(conversation, 0)]);
        Ok(Branches { realm, conversation, all: vec![first], numbers, live: 1, trees })
    }

    /// Appends the leaves of a branch that is put together again, without merges.
    pub(super) fn extend(&mut self, number: Number, leaves: &[Id]) -> Result<()> {
        let place = self.get(number)?.place;
        let size = self.trees.extend(place, leaves)?;
        self.get_mut(number)?.size = size;
        Ok(())
    }

    pub fn number(&self, id: &Id) -> Option<Number> {
        self.numbers.get(id).copied()
    }

    pub fn get(&self, number: Number) -> Result<&Branch> {
        self.all.get(number as usize).ok_or_else(lost)
    }

    pub fn all(&self) -> &[Branch] {
        &self.all
    }

    /// How many branches are not closed.
    pub fn live(&self) -> usize {
        self.live
    }

    pub(super) fn get_mut(&mut self, number: Number) -> Result<&mut Branch> {
        self.all.get_mut(number as usize).ok_or_else(lost)
    }

    /// Leaf `index` of a branch, inherited or its own.
    pub fn leaf(&self, number: Number, index: u64) -> Result<Id> {
        self.trees.leaf(self.get(number)?.place, index)
    }

    /// The root over the first `size` leaves.
    pub fn root(&self, prefix: Prefix) -> Result<Id> {
        self.trees.root(self.get(prefix.branch)?.place, prefix.size)
    }

    /// The fingerprint of a branch at a size above its base (dag.1.6).
    pub fn fingerprint(&self, prefix: Prefix) -> Result<Id> {
        let branch = self.get(prefix.branch)?;
        let names = [&self.realm, &self.conversation, &branch.id];
        self.trees.fingerprint((prefix.branch as usize, branch.place), names, prefix.size)
    }

    /// Appends a leaf and returns its index. With merges: the cumulative map of the branch goes on.
    pub fn append(&mut self, number: Number, leaf: &Id, merges: &[Merge]) -> Result<u64> {
        let (place, size) = (self.get(number)?.place, self.get(number)?.size);
        let merged = if merges.is_empty() {
            None
        } else {
            let start = self.ancestors(Prefix { branch: number, size })?;
            let map = merges.iter().try_fold(start, |set, merge| self.with_head(set, self.head(merge)?))?.merged;
            Some(MergeLeaf { index: size, heads: merges.iter().map(|merge| (merge.branch, merge.size)).collect(), map })
        };
        self.trees.append(place, leaf)?;
        let branch = self.get_mut(number)?;
        branch.size = size + 1;
        branch.merges.extend(merged);
        Ok(size)
    }

    /// Opens the branch whose first own leaf is a fork; it inherits the context of that fork.
    pub fn fork(&mut self, context: Prefix, id: &Id, opener: Id) -> Result<Number> {
        let start = self.ancestors(context)?.merged;
        let above = self.get(context.branch)?;
        let (place, depth) = (above.place, above.depth.saturating_add(1));
        let far = self.get(above.jump)?;
        // Two jumps of one length become one of their sum: the lengths along a lineage are those of a skew-binary counter.
        let even = above.depth.saturating_sub(far.depth) == far.depth.saturating_sub(self.get(far.jump)?.depth);
        let jump = if even { far.jump } else { context.branch };
        let number = Number::try_from(self.all.len())
            .map_err(|_| Error::new(Code::SizeLimit, "fewer than 2^32 branches", "one more"))?;
        let place = self.trees.fork(place, context.size, id)?;
        self.all.push(Branch {
            id: *id,
            parent: Some(context.branch),
            base: context.size,
            size: context.size + 1,
            closed: false,
            opener,
            merges: Vec::new(),
            start,
            depth,
            jump,
            place,
        });
        self.numbers.insert(*id, number);
        self.live += 1;
        Ok(number)
    }

    pub fn close(&mut self, number: Number) -> Result<()> {
        let branch = self.get_mut(number)?;
        let was_open = !std::mem::replace(&mut branch.closed, true);
        self.live = self.live.saturating_sub(usize::from(was_open));
        Ok(())
    }

    /// A merged head as a prefix of a branch that is known.
    pub fn head(&self, merge: &Merge) -> Result<Prefix> {
        Ok(Prefix { branch: self.number(&merge.branch).ok_or_else(lost)?, size: merge.size })
    }

    /// What the author of an entry with this context had consumed: the prefix, and all that was merged below it.
    pub fn ancestors(&self, prefix: Prefix) -> Result<Ancestors> {
        let branch = self.get(prefix.branch)?;
        let below = branch.merges.partition_point(|merge| merge.index < prefix.size);
        let merged = match below.checked_sub(1).and_then(|last| branch.merges.get(last)) {
            Some(merge) => merge.map.clone(),
            None => branch.start.clone(),
        };
        Ok(Ancestors { prefix, merged })
    }

    /// The ancestor at this depth of the lineage.
    fn at_depth(&self, number: Number, depth: u32) -> Result<Number> {
        let mut at = number;
        loop {
            let branch = self.get(at)?;
            if branch.depth <= depth {
                return Ok(at);
            }
            at = if self.get(branch.jump)?.depth >= depth { branch.jump } else { branch.parent.ok_or_else(lost)? };
        }
    }

    /// Whether `above` lies in the lineage of `number` (dag.1.5).
    pub fn in_lineage(&self, number: Number, above: Number) -> Result<bool> {
        Ok(self.at_depth(number, self.get(above)?.depth)? == above)
    }

    /// How many leaves of `of` (its own and what it inherits) the set has.
    pub fn covered(&self, set: &Ancestors, of: Number) -> Result<u64> {
        let Prefix { branch, size } = set.prefix;
        let merged = set.merged.get(of);
        if of == branch {
            return Ok(merged.max(size));
        }
        let depth = self.get(of)?.depth;
        if depth >= self.get(branch)?.depth || self.at_depth(branch, depth)? != of {
            return Ok(merged);
        }
        let next = self.at_depth(branch, depth.saturating_add(1))?;
        // The context may end inside what the branch inherits.
        Ok(merged.max(size.min(self.get(next)?.base)))
    }

    /// The set joined with a head and all of its ancestors.
    pub fn with_head(&self, set: Ancestors, head: Prefix) -> Result<Ancestors> {
        let mut merged = set.merged.clone();
        let (mut at, mut size) = (head.branch, head.size);
        // Up the head's lineage, until what the set has already: it is closed, so everything further up is in it too.
        while self.covered(&set, at)? < size {
            merged = merged.raised(at, size);
            let branch = self.get(at)?;
            let Some(parent) = branch.parent else { break };
            (at, size) = (parent, branch.base);
        }
        let merged = merged.joined(&self.ancestors(head)?.merged);
        Ok(Ancestors { prefix: set.prefix, merged })
    }

    /// The whole map of a set: (branch, size) of every branch that owns a leaf of it, in no particular order (dag.4.1).
    pub fn map(&self, set: &Ancestors) -> Result<HashMap<Number, u64>> {
        let mut map = HashMap::new();
        set.merged.each(|branch, size| {
            map.insert(branch, size);
        });
        let (mut at, mut size) = (set.prefix.branch, set.prefix.size);
        loop {
            let entry = map.entry(at).or_insert(0);
            *entry = (*entry).max(size);
            let branch = self.get(at)?;
            let Some(parent) = branch.parent else { return Ok(map) };
            (at, size) = (parent, size.min(branch.base));
        }
    }
}
