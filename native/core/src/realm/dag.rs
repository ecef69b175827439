//! The entries of one conversation in log order, and what can be asked of them (dag.4.4).

use std::collections::{HashMap, HashSet, VecDeque};

use super::branches::{Ancestors, Branches, Number, Prefix};
use super::record::{Home, Record};
use super::state::State;
use crate::errors::{Code, Error, Result};
use crate::message::{Claims, Id, Kind, Merge};
use crate::text;

/// One entry, admitted or not.
#[derive(Clone, Debug)]
pub struct Node {
    pub id: Id,
    pub kind: Kind,
    pub author: Id,
    pub grant: Option<Id>,
    pub position: u64,
    pub time: u64,
    pub registry_size: u64,
    /// 0: admitted.
    pub code: u16,
    /// None of a rejected entry.
    pub home: Option<Home>,
    /// The branch that it names: of a fork the one that it leaves.
    pub branch: Id,
    /// How much of that branch its author had consumed.
    pub size: u64,
    pub parent: Option<Id>,
    pub merges: Vec<Merge>,
    /// The last leaf of each merged head.
    pub merged: Vec<Id>,
    /// Of a rollback that was admitted the entry that it stands on: the last that its successor inherits (rollback.4.4).
    pub stands_on: Option<Id>,
}

/// All entries of a conversation, in the order of the log.
#[derive(Debug, Default)]
pub struct Dag {
    nodes: Vec<Node>,
    by_id: HashMap<Id, usize>,
    by_home: HashMap<(Id, u64), usize>,
}

/// A head of a branch: what two of them differ in can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadAt {
    pub branch: Id,
    pub size: u64,
}

/// A branch that is open, and its size.
pub type LiveHead = HeadAt;

fn unknown(id: &Id) -> Error {
    Error::new(Code::ArgumentRange, "an admitted entry of this conversation", text::hex(id))
}

fn too_many(limit: usize) -> Error {
    Error::new(Code::ArgumentRange, format!("an answer of at most {limit} entries"), "more")
}

impl Dag {
    pub(super) fn push(&mut self, record: &Record, claims: &Claims, state: &State) -> Result<()> {
        let admitted = record.is_admitted();
        let merged = match state.conversation(&record.conversation) {
            Some(found) if admitted => {
                let branches = found.branches();
                let last = |merge: &Merge| {
                    let head = branches.head(merge)?;
                    branches.leaf(head.branch, head.size.saturating_sub(1))
                };
                claims.merges.iter().map(last).collect::<Result<_>>()?
            }
            _ => Vec::new(),
        };
        let stands_on = match state.conversation(&record.conversation) {
            Some(found) if admitted && claims.kind == Kind::Rollback => {
                Some(last_kept(found.branches(), &record.home.branch)?)
            }
            _ => None,
        };
        let at = self.nodes.len();
        if admitted {
            self.by_id.insert(record.id, at);
            self.by_home.insert((record.home.branch, record.home.index), at);
            // A rollback is a leaf of every successor that it has made.
            if let Some(found) = state.conversation(&record.conversation) {
                for number in found.branches().successors(&record.id) {
                    let successor = found.branches().get(*number)?;
                    self.by_home.insert((successor.id, successor.base), at);
                }
            }
        }
        self.nodes.push(Node {
            id: record.id,
            kind: claims.kind,
            author: claims.agent,
            grant: claims.grant,
            position: record.position,
            time: record.time,
            registry_size: record.registry_size,
            code: record.code,
            home: admitted.then_some(record.home),
            branch: claims.branch,
            size: claims.context.size,
            parent: claims.parent,
            merges: claims.merges.clone(),
            merged,
            stands_on,
        });
        Ok(())
    }

    /// Log order, from a place in this conversation on; at most `limit`.
    pub fn timeline(&self, from: usize, limit: usize) -> &[Node] {
        let rest = self.nodes.get(from..).unwrap_or_default();
        rest.get(..limit).unwrap_or(rest)
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// An admitted entry. Raises `ArgumentRange`.
    pub fn node(&self, id: &Id) -> Result<&Node> {
        self.by_id.get(id).and_then(|at| self.nodes.get(*at)).ok_or_else(|| unknown(id))
    }

    fn at_home(&self, branch: &Id, index: u64) -> Result<&Node> {
        let found = self.by_home.get(&(*branch, index)).and_then(|at| self.nodes.get(*at));
        found.ok_or_else(|| Error::new(Code::Internal, "an entry at every leaf", "none"))
    }

    /// The set of what the author of an entry had consumed (dag.4.1).
    fn set_of(&self, branches: &Branches, node: &Node) -> Result<Option<Ancestors>> {
        let Some(number) = branches.number(&node.branch) else {
            return Ok(None);
        };
        // The walk stops at a rollback: what it was signed over may be undone by it (rollback.4.4).
        let prefix = match node.home {
            Some(home) if node.kind == Kind::Rollback => kept_by(branches, &home.branch)?,
            _ => Prefix { branch: number, size: node.size },
        };
        let start = branches.ancestors(prefix)?;
        let heads = node.merges.iter().try_fold(start, |set, merge| branches.with_head(set, branches.head(merge)?))?;
        Ok(Some(heads))
    }

    /// Whether `above` lies in the past of `id` (dag.4.3).
    pub fn is_ancestor(&self, branches: &Branches, above: &Id, id: &Id) -> Result<bool> {
        let (above, node) = (self.node(above)?, self.node(id)?);
        self.has(branches, above, node)
    }

    fn has(&self, branches: &Branches, above: &Node, node: &Node) -> Result<bool> {
        let (Some(home), Some(set)) = (above.home, self.set_of(branches, node)?) else {
            return Ok(false);
        };
        let first = branches.number(&home.branch).map(|number| (number, home.index));
        let others = branches.successors(&above.id).iter().map(|number| Ok((*number, branches.get(*number)?.base)));
        for place in first.map(Ok).into_iter().chain(others) {
            let (number, index): (Number, u64) = place?;
            if branches.covered(&set, number)? > index {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All entries in the past of `id`, in log order. Raises `ArgumentRange` beyond `limit`.
    pub fn ancestors(&self, branches: &Branches, id: &Id, limit: usize) -> Result<Vec<&Node>> {
        match self.set_of(branches, self.node(id)?)? {
            Some(set) => self.leaves(branches, &branches.map(&set)?, limit),
            None => Ok(Vec::new()),
        }
    }

    /// The entries of a map, in log order.
    fn leaves(&self, branches: &Branches, map: &HashMap<Number, u64>, limit: usize) -> Result<Vec<&Node>> {
        let mut found = Vec::new();
        for (number, size) in map {
            let branch = branches.get(*number)?;
            if size.saturating_sub(branch.base) > limit.saturating_sub(found.len()) as u64 {
                return Err(too_many(limit));
            }
            for index in branch.base..*size {
                found.push(self.at_home(&branch.id, index)?);
            }
        }
        found.sort_by_key(|node| node.position);
        Ok(found)
    }

    /// All entries in whose past `id` lies, in log order. Raises `ArgumentRange` beyond `limit`.
    pub fn descendants(&self, branches: &Branches, id: &Id, limit: usize) -> Result<Vec<&Node>> {
        let above = self.node(id)?;
        let mut found = Vec::new();
        let later = self.nodes.iter().filter(|node| node.position > above.position && node.home.is_some());
        for node in later {
            if self.has(branches, above, node)? {
                if found.len() >= limit {
                    return Err(too_many(limit));
                }
                found.push(node);
            }
        }
        Ok(found)
    }

    /// The entries that come right before one: its parent and the merged heads. Behind a rollback it is what its successor inherits.
    fn before(&self, branches: &Branches, node: &Node) -> Result<Vec<Id>> {
        if let Some(kept) = node.stands_on {
            return Ok(vec![kept]);
        }
        let mut all = node.merged.clone();
        all.extend(node.parent);
        let merged = node.merges.iter().map(|merge| &merge.branch).zip(&node.merged);
        for (branch, last) in merged.chain(node.parent.as_ref().map(|parent| (&node.branch, parent))) {
            // Which prefix a rollback goes on from, the branch says on which it is met.
            if self.node(last).is_ok_and(|found| found.kind == Kind::Rollback) {
                all.push(last_kept(branches, branch)?);
            }
        }
        Ok(all)
    }

    /// A shortest chain of parents and merges from `from` back to `to`, both included; None where there is none. Looks at no more
    /// than `limit` entries (`ArgumentRange`).
    pub fn path(&self, branches: &Branches, from: &Id, to: &Id, limit: usize) -> Result<Option<Vec<Id>>> {
        let (start, _) = (self.node(from)?, self.node(to)?);
        let mut came_from: HashMap<Id, Id> = HashMap::new();
        let mut seen = HashSet::from([start.id]);
        let mut queue = VecDeque::from([start.id]);
        while let Some(id) = queue.pop_front() {
            if id == *to {
                return Ok(Some(unwind(&came_from, id)));
            }
            let node = self.node(&id)?;
            // One that is reached stands for itself: which prefix it goes on from, the entry behind it says.
            let stops = node.kind == Kind::Rollback && id != start.id;
            for next in if stops { Vec::new() } else { self.before(branches, node)? }.iter() {
                if seen.insert(*next) {
                    if seen.len() > limit {
                        return Err(too_many(limit));
                    }
                    came_from.insert(*next, id);
                    queue.push_back(*next);
                }
            }
        }
        Ok(None)
    }

    /// The common ancestors of some entries of which none is an ancestor of another, in log order. Looks at no more than `limit`
    /// common ancestors (`ArgumentRange`).
    pub fn nearest_common_ancestors(&self, branches: &Branches, ids: &[Id], limit: usize) -> Result<Vec<&Node>> {
        let mut common: Option<HashMap<Number, u64>> = None;
        for id in ids {
            let map = match self.set_of(branches, self.node(id)?)? {
                Some(set) => branches.map(&set)?,
                None => HashMap::new(),
            };
            common = Some(match common {
                None => map,
                Some(before) => both(&before, &map),
            });
        }
        let all = self.leaves(branches, &common.unwrap_or_default(), limit)?;
        // With lag a leaf need not be in the past of the next: what any of them has seen is not nearest.
        let mut seen: HashMap<Number, u64> = HashMap::new();
        for node in &all {
            if let Some(set) = self.set_of(branches, node)? {
                for (number, size) in branches.map(&set)? {
                    let entry = seen.entry(number).or_insert(0);
                    *entry = (*entry).max(size);
                }
            }
        }
        let nearest = |node: &&Node| {
            let number = node.home.and_then(|home| branches.number(&home.branch).zip(Some(home.index)));
            number.is_some_and(|(number, index)| seen.get(&number).is_none_or(|size| *size <= index))
        };
        Ok(all.into_iter().filter(nearest).collect())
    }

    /// What each of two heads has, with all that it merged, that the other has not; each in log order.
    pub fn diff(
        &self,
        branches: &Branches,
        first: HeadAt,
        second: HeadAt,
        limit: usize,
    ) -> Result<(Vec<&Node>, Vec<&Node>)> {
        let (ours, theirs) = (head_map(branches, first)?, head_map(branches, second)?);
        Ok((self.beyond(branches, &ours, &theirs, limit)?, self.beyond(branches, &theirs, &ours, limit)?))
    }

    fn beyond(
        &self,
        branches: &Branches,
        has: &HashMap<Number, u64>,
        lacks: &HashMap<Number, u64>,
        limit: usize,
    ) -> Result<Vec<&Node>> {
        let mut found = Vec::new();
        for (number, size) in has {
            let branch = branches.get(*number)?;
            let from = lacks.get(number).copied().unwrap_or(0).max(branch.base);
            for index in from..*size {
                if found.len() >= limit {
                    return Err(too_many(limit));
                }
                found.push(self.at_home(&branch.id, index)?);
            }
        }
        found.sort_by_key(|node| node.position);
        Ok(found)
    }
}

/// What a successor inherits.
fn kept_by(branches: &Branches, successor: &Id) -> Result<Prefix> {
    let lost = || Error::new(Code::Internal, "a successor with what it goes on from", "another branch");
    let branch = branches.get(branches.number(successor).ok_or_else(lost)?)?;
    Ok(Prefix { branch: branch.parent.ok_or_else(lost)?, size: branch.base })
}

/// The last entry of that.
fn last_kept(branches: &Branches, successor: &Id) -> Result<Id> {
    let kept = kept_by(branches, successor)?;
    branches.leaf(kept.branch, kept.size.saturating_sub(1))
}

/// The branches that are open, with their sizes, in the order in which they were opened. Raises `ArgumentRange` beyond `limit`.
pub fn heads(branches: &Branches, limit: usize) -> Result<Vec<LiveHead>> {
    if branches.live() > limit {
        return Err(too_many(limit));
    }
    let live = branches.all().iter().filter(|branch| branch.is_live());
    Ok(live.map(|branch| HeadAt { branch: branch.id, size: branch.size }).collect())
}

fn head_map(branches: &Branches, head: HeadAt) -> Result<HashMap<Number, u64>> {
    let number = branches.number(&head.branch);
    let sound = number.map(|number| branches.get(number)).transpose()?;
    match (number, sound) {
        (Some(number), Some(branch)) if head.size > branch.base && head.size <= branch.size => {
            branches.map(&branches.ancestors(Prefix { branch: number, size: head.size })?)
        }
        _ => Err(Error::new(Code::ArgumentRange, "a head of this conversation", text::hex(&head.branch))),
    }
}

fn both(first: &HashMap<Number, u64>, second: &HashMap<Number, u64>) -> HashMap<Number, u64> {
    first.iter().filter_map(|(number, size)| Some((*number, (*size).min(*second.get(number)?)))).collect()
}

fn unwind(came_from: &HashMap<Id, Id>, end: Id) -> Vec<Id> {
    let mut chain = vec![end];
    let mut at = end;
    while let Some(before) = came_from.get(&at) {
        chain.push(*before);
        at = *before;
    }
    chain.reverse();
    chain
}
