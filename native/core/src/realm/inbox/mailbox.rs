//! What waits for one agent: in memory up to a limit, behind that in the log (agent.3.5).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::message::Id;
use crate::realm::engine::Delivered;

/// How far one branch was searched, behind the messages in memory, for the first one that is addressed to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unread {
    pub searched: u64,
    /// Its position, and its index in the branch.
    pub first: Option<(u64, u64)>,
}

/// An agent for which something waits. One for which nothing does has none of this.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    /// All in memory that was not acknowledged, in the order of the log.
    waiting: BTreeMap<u64, Arc<Delivered>>,
    /// Those of them that no handler has.
    untaken: BTreeSet<u64>,
    /// From where on the log has to be read again, because the memory was full, or the agent has just been opened.
    overflow: Option<u64>,
    /// What was acknowledged at or behind `overflow` before the agent was opened.
    acked: BTreeSet<u64>,
    unread: HashMap<Id, Unread>,
}

impl Mailbox {
    /// Of an agent that begins to read at `start`, where these later messages were acknowledged.
    pub fn behind(start: u64, acked: BTreeSet<u64>) -> Mailbox {
        Mailbox { overflow: Some(start), acked, ..Mailbox::default() }
    }

    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.overflow.is_none()
    }

    pub fn is_full(&self, limit: usize) -> bool {
        self.waiting.len() >= limit
    }

    pub fn overflow(&self) -> Option<u64> {
        self.overflow
    }

    pub fn waiting(&self) -> impl Iterator<Item = u64> + '_ {
        self.waiting.keys().copied()
    }

    // -- arriving ----------------------------------------------------------------------------------------------------

    /// An entry that is addressed to the agent. Whether it is in memory now: what does not fit stays in the log, and so does all behind it.
    pub fn put(&mut self, position: u64, limit: usize, entry: impl FnOnce() -> Arc<Delivered>) -> bool {
        if self.overflow.is_some() {
            return false;
        }
        if self.is_full(limit) {
            self.overflow = Some(position);
            return false;
        }
        // One that is named by its id and by a group is named once.
        self.waiting.entry(position).or_insert_with(|| {
            self.untaken.insert(position);
            entry()
        });
        true
    }

    /// From here on it has to read the log: what came could not be handed on.
    pub fn fall_behind(&mut self, position: u64) {
        self.overflow.get_or_insert(position);
    }

    /// Where to read on, and how many messages there is room for. None: nothing is behind, or there is no room.
    pub fn wanting(&self, limit: usize) -> Option<(u64, usize)> {
        let room = limit.saturating_sub(self.waiting.len());
        self.overflow.filter(|_| room > 0).map(|from| (from, room))
    }

    /// Takes in what was read from `overflow` on and is addressed to the agent; `next` is where the log goes on, None at its end.
    pub fn refill(&mut self, read: Vec<Arc<Delivered>>, limit: usize, next: Option<u64>) {
        self.overflow = None;
        for entry in read {
            let position = entry.record.position;
            if !self.acked.contains(&position) {
                self.put(position, limit, || entry);
            }
        }
        self.overflow = self.overflow.or(next);
        if self.overflow.is_none() {
            (self.acked, self.unread) = (BTreeSet::new(), HashMap::new());
        }
    }

    // -- handling ----------------------------------------------------------------------------------------------------

    /// The first message that no handler has: it has one now.
    pub fn take(&mut self) -> Option<Arc<Delivered>> {
        let position = self.untaken.pop_first()?;
        self.waiting.get(&position).map(Arc::clone)
    }

    /// It reached no handler.
    pub fn give_back(&mut self, position: u64) {
        if self.waiting.contains_key(&position) {
            self.untaken.insert(position);
        }
    }

    /// A reader that begins anew gets all that was not acknowledged.
    pub fn begin_again(&mut self) {
        self.untaken = self.waiting.keys().copied().collect();
    }

    /// Below which position everything will have been acknowledged when this message is. None: it does not wait.
    pub fn below_without(&self, position: u64, delivered: u64) -> Option<u64> {
        self.waiting.get(&position)?;
        let rest = self.waiting.keys().copied().find(|other| *other != position);
        Some(rest.or(self.overflow).unwrap_or(delivered))
    }

    /// Below which position everything was acknowledged.
    pub fn below(&self, delivered: u64) -> u64 {
        self.waiting.keys().next().copied().or(self.overflow).unwrap_or(delivered)
    }

    pub fn acknowledge(&mut self, position: u64) {
        self.waiting.remove(&position);
        self.untaken.remove(&position);
    }

    // -- consumed (agent.3.3) ------------------------------------------------------------------------------------------

    /// The smallest index in a lineage, below `size`, of a message in memory that was not acknowledged; `ends` says how much of each
    /// branch belongs to the lineage.
    pub fn consumed(&self, ends: &HashMap<Id, u64>, size: u64) -> u64 {
        let homes = self.waiting.values().map(|entry| entry.record.home);
        let inside = homes.filter(|home| ends.get(&home.branch).is_some_and(|end| home.index < *end));
        inside.map(|home| home.index).min().map_or(size, |first| first.min(size))
    }

    /// What is known of a branch behind the memory.
    pub fn unread(&self, branch: &Id, overflow: u64) -> Unread {
        let known = self.unread.get(branch).copied().unwrap_or(Unread { searched: overflow, first: None });
        let first = known.first.filter(|(position, _)| *position >= overflow);
        Unread { searched: known.searched.max(overflow), first }
    }

    pub fn keep_unread(&mut self, branch: &Id, known: Unread) {
        if self.overflow.is_some() {
            self.unread.insert(*branch, known);
        }
    }

    /// Whether it was acknowledged before the agent was opened.
    pub fn was_acknowledged(&self, position: u64) -> bool {
        self.acked.contains(&position)
    }
}
