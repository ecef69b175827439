//! The branches of one conversation, and who comes after whom (dag.1, dag.4).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::sizes::Sizes;
use super::trees::Trees;
use crate::errors::{Code, Error, Result};
use crate::history::forest::Branch as Place;
use crate::message::{HashPurpose, Id, IdMap, Merge, Writer, keyed};

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
    /// Wholly, by a rollback.
    pub undone: bool,
    /// Where a rollback has cut it (rollback.2.4).
    pub cut: Option<u64>,
    pub successor: Option<Number>,
    /// The author of the open, the fork or the rollback.
    pub opener: Id,
    /// The merges among the leaves that it owns, ascending by index.
    pub merges: Vec<MergeLeaf>,
    /// What was merged below its base.
    pub(super) start: Sizes,
    /// What was forked off it, by base: what a cut takes along is found without a look at the rest.
    forks: BTreeSet<(u64, Number)>,
    /// Who merged it: the size that was named, the branch and the index of the merge leaf.
    merged_by: BTreeSet<(u64, Number, u64)>,
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
    /// The successors that a rollback has made.
    successors: HashMap<Id, Vec<Number>>,
}

/// One branch of a closure: where it is cut, and where what it holds ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    pub branch: Number,
    pub at: u64,
    pub end: u64,
}

impl Branch {
    /// Where what it holds ends (rollback.2.1).
    pub fn end(&self) -> u64 {
        if self.undone { self.base } else { self.cut.unwrap_or(self.size) }
    }

    /// Whether it can be written into.
    pub fn is_live(&self) -> bool {
        !self.closed && !self.undone && self.successor.is_none()
    }
}

/// The id of a successor (rollback.2.4).
pub(super) fn successor_id(rollback: &Id, predecessor: &Id) -> Id {
    keyed(HashPurpose::Successor, [*rollback, *predecessor].as_flattened())
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
    pub undone: bool,
    pub cut: Option<u64>,
    pub successor: Option<Id>,
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
            undone: false,
            cut: None,
            successor: None,
            opener,
            merges: Vec::new(),
            start: Sizes::default(),
            forks: BTreeSet::new(),
            merged_by: BTreeSet::new(),
            depth: 0,
            jump: 0,
            place,
        };
        let numbers = IdMap::from_iter([(conversation, 0)]);
        Ok(Branches { realm, conversation, all: vec![first], numbers, live: 1, trees, successors: HashMap::new() })
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
        self.get_mut(number)?.size = size + 1;
        if let Some(merged) = merged {
            self.keep_merge(number, merged)?;
        }
        Ok(size)
    }

    /// A merge leaf of a branch, found again from the branches that it names.
    pub(super) fn keep_merge(&mut self, number: Number, merged: MergeLeaf) -> Result<()> {
        for (head, size) in &merged.heads {
            let source = self.number(head).ok_or_else(lost)?;
            self.get_mut(source)?.merged_by.insert((*size, number, merged.index));
        }
        self.get_mut(number)?.merges.push(merged);
        Ok(())
    }

    /// Opens the branch whose first own leaf is a fork; it inherits the context of that fork.
    pub fn fork(&mut self, context: Prefix, id: &Id, opener: Id) -> Result<Number> {
        self.grow(context, id, id, opener)
    }

    /// Opens the successor of a branch whose cut is the size of the prefix.
    pub(super) fn succeed(&mut self, kept: Prefix, rollback: &Id, opener: Id) -> Result<Number> {
        let id = successor_id(rollback, &self.get(kept.branch)?.id);
        let number = self.grow(kept, &id, rollback, opener)?;
        self.successors.entry(*rollback).or_default().push(number);
        Ok(number)
    }

    /// The successors that a rollback has made, in the order of their numbers.
    pub fn successors(&self, rollback: &Id) -> &[Number] {
        self.successors.get(rollback).map_or(&[], Vec::as_slice)
    }

    fn grow(&mut self, context: Prefix, id: &Id, leaf: &Id, opener: Id) -> Result<Number> {
        let start = self.ancestors(context)?.merged;
        let above = self.get(context.branch)?;
        let (place, depth) = (above.place, above.depth.saturating_add(1));
        let far = self.get(above.jump)?;
        // Two jumps of one length become one of their sum: the lengths along a lineage are those of a skew-binary counter.
        let even = above.depth.saturating_sub(far.depth) == far.depth.saturating_sub(self.get(far.jump)?.depth);
        let jump = if even { far.jump } else { context.branch };
        let number = Number::try_from(self.all.len())
            .map_err(|_| Error::new(Code::SizeLimit, "fewer than 2^32 branches", "one more"))?;
        let place = self.trees.fork(place, context.size, leaf)?;
        self.get_mut(context.branch)?.forks.insert((context.size, number));
        self.all.push(Branch {
            id: *id,
            parent: Some(context.branch),
            base: context.size,
            size: context.size + 1,
            closed: false,
            undone: false,
            cut: None,
            successor: None,
            opener,
            merges: Vec::new(),
            start,
            forks: BTreeSet::new(),
            merged_by: BTreeSet::new(),
            depth,
            jump,
            place,
        });
        self.numbers.insert(*id, number);
        self.live += 1;
        Ok(number)
    }

    pub fn close(&mut self, number: Number) -> Result<()> {
        self.mark(number, |branch| branch.closed = true)
    }

    /// Changes what a branch is, and counts those that can be written into.
    pub(super) fn mark(&mut self, number: Number, change: impl FnOnce(&mut Branch)) -> Result<()> {
        let branch = self.get_mut(number)?;
        let before = branch.is_live();
        change(branch);
        let after = branch.is_live();
        self.live = self.live + usize::from(after) - usize::from(before);
        Ok(())
    }

    /// The branch, or the tip of its successor (rollback.2.6).
    pub fn tip(&self, number: Number) -> Result<Number> {
        let mut at = number;
        while let Some(next) = self.get(at)?.successor {
            at = next;
        }
        Ok(at)
    }

    /// Of each branch whether its tip is closed. A chain of successors is walked once, however many of it are asked for.
    fn have_ended(&self, cuts: &[Cut]) -> Result<Vec<bool>> {
        let mut known: HashMap<Number, bool> = HashMap::new();
        let mut ended = |first: Number| -> Result<bool> {
            let (mut at, mut walked) = (first, Vec::new());
            let closed = loop {
                if let Some(closed) = known.get(&at) {
                    break *closed;
                }
                walked.push(at);
                let branch = self.get(at)?;
                match branch.successor {
                    Some(next) => at = next,
                    None => break branch.closed,
                }
            };
            known.extend(walked.into_iter().map(|number| (number, closed)));
            Ok(closed)
        };
        cuts.iter().map(|cut| ended(cut.branch)).collect()
    }

    /// The closure of a cut, by the ids of the branches (rollback.2.2). It looks at what it cuts, and at nothing else.
    pub fn closure(&self, target: Number, keep: u64) -> Result<Vec<Cut>> {
        let mut cuts: BTreeMap<Number, u64> = BTreeMap::new();
        let mut pending = vec![(target, keep)];
        while let Some((number, at)) = pending.pop() {
            let branch = self.get(number)?;
            if at >= branch.end() || cuts.get(&number).is_some_and(|cut| *cut <= at) {
                continue;
            }
            cuts.insert(number, at);
            for (base, fork) in branch.forks.range((at + 1, 0)..) {
                pending.push((*fork, *base));
            }
            for (_, merging, index) in branch.merged_by.range((at + 1, 0, 0)..) {
                pending.push((*merging, *index));
            }
        }
        let cut = |(branch, at): (Number, u64)| Ok(Cut { branch, at, end: self.get(branch)?.end() });
        let mut found: Vec<(Id, Cut)> =
            cuts.into_iter().map(|one| Ok((self.get(one.0)?.id, cut(one)?))).collect::<Result<_>>()?;
        found.sort_by_key(|(id, _)| *id);
        Ok(found.into_iter().map(|(_, cut)| cut).collect())
    }

    /// How many leaves a closure undoes, and its hash (rollback.2.3).
    pub fn closure_digest(&self, cuts: &[Cut]) -> Result<(u64, Id)> {
        let mut out = Writer::default();
        out.array(cuts.len());
        for cut in cuts {
            out.array(3).bytes(&self.get(cut.branch)?.id).uint(cut.at).uint(cut.end);
        }
        let count = cuts.iter().map(|cut| cut.end.saturating_sub(cut.at)).sum();
        Ok((count, keyed(HashPurpose::Closure, &out.0)))
    }

    /// Cuts the branches of a closure (rollback.2.4).
    pub(super) fn roll_back(&mut self, rollback: &Id, opener: Id, cuts: &[Cut]) -> Result<()> {
        // What has ended before the rollback decides, not what it has cut already.
        let ends = self.have_ended(cuts)?;
        for (cut, ended) in cuts.iter().zip(ends) {
            let whole = self.get(cut.branch)?.base == cut.at;
            let successor = if whole || ended {
                None
            } else {
                Some(self.succeed(Prefix { branch: cut.branch, size: cut.at }, rollback, opener)?)
            };
            self.mark(cut.branch, |branch| {
                branch.cut = Some(cut.at);
                branch.successor = successor;
                branch.undone = whole;
                branch.closed |= ended && !whole;
            })?;
        }
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
