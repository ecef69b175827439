//! How an engine brings what is in the log to the agents of its process (agent.5), and what they have consumed of it (agent.3.3).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::addressed::{Addressed, Whom};
use super::bell::Bell;
use super::router::{Held, Router, Taken};
use crate::errors::{Code, Error, Result};
use crate::message::{Id, UnverifiedEnvelope};
use crate::realm::engine::{Delivered, Engine};
use crate::realm::export::READ;
use crate::realm::log::{Log, Pair};
use crate::realm::sequencing::Core;
use crate::realm::state::State;
use crate::text;

/// How an agent is opened.
#[derive(Debug)]
pub struct Opening {
    pub whom: Whom,
    /// How many of its messages may be in memory.
    pub limit: u32,
    /// Everything below was acknowledged.
    pub start: u64,
    /// And these, which are not.
    pub acked: BTreeSet<u64>,
}

/// How much of a branch an agent has consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consumed {
    pub size: u64,
    /// How much there is.
    pub whole: u64,
    /// How much of it the branch has inherited.
    pub base: u64,
}

impl<L: Log> Engine<L> {
    pub fn router(&self) -> &Router {
        &self.router
    }

    // -- delivering: under the engine's lock, in the order of the log --------------------------------------------------

    /// Behind a commit: what was judged, and is in the log now.
    pub(in crate::realm) fn deliver(&self, core: &mut Core, first: u64, pairs: &[Pair], read: Vec<UnverifiedEnvelope>) {
        self.deliver_from_log(core, first);
        if !self.router.is_empty() {
            for (pair, envelope) in pairs.iter().zip(read) {
                let claims = envelope.claims();
                if let Some(entry) = Addressed::of(core.replica.state(), &pair.record, claims) {
                    self.router.put(entry, pair.record.position, &mut || Arc::new(Delivered::judged(pair, &envelope)));
                }
            }
        }
        self.router.set_delivered(core.replica.records());
    }

    /// What others have appended, and this engine has taken in, up to `end`. It is behind a commit and cannot fail: what cannot be read
    /// now is read by those whom it concerns.
    pub(in crate::realm) fn deliver_from_log(&self, core: &mut Core, end: u64) {
        while self.router.delivered() < end {
            let from = self.router.delivered();
            if self.router.is_empty() {
                return self.router.set_delivered(end);
            }
            if self.deliver_some(core, from, end).is_err() {
                self.router.fall_behind(self.router.delivered());
                return self.router.set_delivered(end);
            }
        }
    }

    fn deliver_some(&self, core: &mut Core, from: u64, end: u64) -> Result<()> {
        let read = self.read_again(core, from, READ)?;
        for (pair, envelope) in read.into_iter().take_while(|(pair, _)| pair.record.position < end) {
            let shared = envelope.clone();
            if let Some(entry) = Addressed::of(core.replica.state(), &pair.record, shared.claims()) {
                let made = Arc::new(Delivered::checked(&pair, envelope)?);
                self.router.put(entry, pair.record.position, &mut || Arc::clone(&made));
            }
            self.router.set_delivered(pair.record.position + 1);
        }
        Ok(())
    }

    /// Pairs that were taken in, from the log, each the one that it was.
    fn read_again(&self, core: &mut Core, from: u64, limit: usize) -> Result<Vec<(Pair, UnverifiedEnvelope)>> {
        let pairs = core.replica.again(from, |position| self.log.read(position, limit.min(READ)))?;
        let checked = (from..).zip(pairs).map(|(position, pair)| {
            let envelope = core.replica.check_again(position, &pair)?;
            Ok((pair, envelope))
        });
        checked.collect()
    }

    /// Takes in, and delivers, what others append, until `end_watch`. Raises what stops an engine, and the codes of a log.
    pub fn follow(&self) -> Result<()> {
        let mut seen = self.with(|replica| Ok(replica.records()))?;
        loop {
            let head = self.log.watch(seen)?;
            if head <= seen {
                return Ok(());
            }
            if self.with(|replica| Ok(replica.records()))? < head {
                self.refresh()?;
            }
            seen = head;
        }
    }

    /// Where the entry with an id stands in the log. None: it is not there.
    pub fn position_of(&self, id: &Id) -> Result<Option<u64>> {
        Ok(self.core()?.position(id))
    }

    // -- reading -----------------------------------------------------------------------------------------------------

    /// Opens an agent: entries go to it from now on, and what it had not acknowledged before is read from the log. Raises `AgentInUse`,
    /// `ArgumentRange`, what stops an engine, and as `entries`.
    pub fn open_inbox(&self, opening: Opening, bell: &Arc<Bell>) -> Result<Held> {
        let Opening { whom, limit, start, acked } = opening;
        let held = {
            // No entry is committed in between.
            let _core = self.core()?;
            self.router.open(whom, limit, start, acked, bell)?
        };
        match self.refill(&held) {
            Ok(()) => Ok(held),
            Err(fault) => self.router.close(&held).and(Err(fault)),
        }
    }

    /// The next message of an agent that no handler has. Raises as `Router::take`, and as `entries`.
    pub fn take(&self, held: &Held, reader: u32) -> Result<Option<Arc<Delivered>>> {
        loop {
            match self.router.take(held, reader)? {
                Taken::Message(entry) => return Ok(Some(entry)),
                Taken::Nothing => return Ok(None),
                Taken::Behind => self.refill(held)?,
            }
        }
    }

    /// Reads on in the log, as far as there is room (agent.3.5). Between two pieces others have the engine.
    pub fn refill(&self, held: &Held) -> Result<()> {
        while self.router.wanting(held)?.is_some() {
            let mut core = self.core()?;
            let Some((from, room)) = self.router.wanting(held)? else { return Ok(()) };
            let end = self.router.delivered();
            let (mut mine, mut next) = (Vec::new(), from);
            if from < end {
                for (pair, envelope) in self.read_again(&mut core, from, room.saturating_mul(4).saturating_add(16))? {
                    next = pair.record.position + 1;
                    if is_for(core.replica.state(), &pair, &envelope, held.whom()) {
                        mine.push(Arc::new(Delivered::checked(&pair, envelope)?));
                    }
                }
            }
            self.router.refill(held, mine, (next < end).then_some(next))?;
        }
        Ok(())
    }

    // -- consumed ----------------------------------------------------------------------------------------------------

    /// How many entries of a branch come before the first message to this agent that was not acknowledged (agent.3.3), as of one moment.
    /// Raises `ConversationUnknown`, `BranchUnknown`.
    pub fn consumed(&self, held: &Held, conversation: &Id, branch: &Id) -> Result<Consumed> {
        let mut core = self.core()?;
        let lineage = lineage(core.replica.state(), conversation, branch)?;
        let whole = lineage.first().map_or(0, |(_, size)| *size);
        let base = lineage.get(1).map_or(0, |(_, base)| *base);
        let ends: HashMap<Id, u64> = lineage.iter().copied().collect();
        let (mut size, overflow) = self.router.consumed(held, &ends, whole)?;
        if let Some(overflow) = overflow {
            for (branch, end) in &lineage {
                let first = self.first_unread(&mut core, held, branch, overflow)?;
                size = first.filter(|first| first < end).map_or(size, |first| size.min(first));
            }
        }
        Ok(Consumed { size, whole, base })
    }

    fn first_unread(&self, core: &mut Core, held: &Held, branch: &Id, overflow: u64) -> Result<Option<u64>> {
        let mut known = self.router.unread(held, branch, overflow)?;
        let end = self.router.delivered();
        while known.first.is_none() && known.searched < end {
            for (pair, envelope) in self.read_again(core, known.searched, READ)? {
                let (position, home) = (pair.record.position, pair.record.home);
                known.searched = position + 1;
                if home.branch == *branch
                    && is_for(core.replica.state(), &pair, &envelope, held.whom())
                    && !self.router.was_acknowledged(held, position)?
                {
                    known.first = Some((position, home.index));
                    break;
                }
            }
        }
        self.router.keep_unread(held, branch, known)?;
        Ok(known.first.map(|(_, index)| index))
    }
}

fn is_for(state: &State, pair: &Pair, envelope: &UnverifiedEnvelope, whom: &Whom) -> bool {
    Addressed::of(state, &pair.record, envelope.claims()).is_some_and(|entry| entry.is_for(whom))
}

/// A branch and its size, its parent and how much of it is inherited, and so on to the first branch (dag.1.5).
fn lineage(state: &State, conversation: &Id, branch: &Id) -> Result<Vec<(Id, u64)>> {
    let unknown = |code, expected: &'static str, id: &Id| Error::new(code, expected, text::hex(id));
    let found = state.conversation(conversation);
    let branches = found
        .ok_or_else(|| unknown(Code::ConversationUnknown, "a conversation of this realm", conversation))?
        .branches();
    let number = branches.number(branch);
    let mut at =
        branches.get(number.ok_or_else(|| unknown(Code::BranchUnknown, "a branch of this conversation", branch))?)?;
    let mut lineage = vec![(at.id, at.size)];
    while let Some(parent) = at.parent {
        let base = at.base;
        at = branches.get(parent)?;
        lineage.push((at.id, base));
    }
    Ok(lineage)
}
