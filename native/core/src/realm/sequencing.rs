//! What the engine does behind its lock: judge, commit, take in (admission.1, record.6).

use std::sync::Arc;

use super::admission::{Stamp, admit};
use super::budget::{Budget, Limits};
use super::checkpoint::{Note, sign_checkpoint};
use super::delta::{Delta, Verdict};
use super::engine::{Answer, Engine};
use super::equivocations::Equivocations;
use super::export::READ;
use super::incoming::Incoming;
use super::log::{Appended, KeptBody, Log, Pair, Turn};
use super::record::Record;
use super::registry::Registry;
use super::replica::{Asking, Replica};
use super::screen::{check_conversation, check_genesis, check_realm};
use super::shut::Shut;
use super::starting::Start;
use super::state::State;
use crate::errors::{Code, Error, Result};
use crate::halt::Entered;
use crate::history::sha_tree::TreeHead;
use crate::limits::TIME_END;
use crate::message::{AuthenticEnvelope, Id, IdMap, UnverifiedEnvelope};
use crate::text;

/// Conflicts in a row after which an engine gives up (record.6.3).
const PATIENCE: usize = 64;

/// What is behind the lock.
pub(super) struct Core {
    pub replica: Replica,
    positions: IdMap<u64>,
    pub equivocations: Equivocations,
    pub budget: Budget,
    pub checkpoint: Arc<str>,
    /// What was committed last: no log may ever tell another story.
    committed: Option<TreeHead>,
    /// Positions of bodies that are to be erased by order, as long as the log may still have some trace of them (log.5).
    pub unerased: Vec<u64>,
    /// The fault that stopped the engine: nothing is answered after it.
    pub stopped: Option<Error>,
}

impl<L: Log> Engine<L> {
    /// Judges, appends and applies a group, in its turn. What comes back is in the log. Whoever needs the turn waits for it before he locks
    /// the core: nobody who reads here waits for other processes.
    pub(super) fn sequence(
        &self,
        core: &mut Core,
        items: &[&Incoming],
        now: u64,
        _turn: Box<dyn Turn + '_>,
    ) -> Result<Vec<Answer>> {
        check_clock(now)?;
        // Counted before anybody looks at the latch: a stop waits for whoever is on his way (halt.5.3).
        let mut entered = self.latch.enter();
        for _ in 0..PATIENCE {
            match self.try_sequence(core, items, now, &mut entered) {
                Ok(Some(answers)) => return Ok(answers),
                // Others were first: judge again on what they have written.
                Ok(None) => {}
                Err(fault) => return Err(self.after_fault(core, fault)),
            }
        }
        Err(Error::new(Code::LogConflict, "an append before others", format!("{PATIENCE} conflicts in a row")))
    }

    /// A log that took nothing, and says so, may take it later: what was judged is taken back (log.2.4). Anything else stops the engine.
    fn after_fault(&self, core: &mut Core, fault: Error) -> Error {
        let undone =
            if may_pass(&fault) && core.replica.records() > 0 { self.take_back(core) } else { Err(fault.clone()) };
        if let Err(fault) = undone {
            core.stopped = Some(fault);
        }
        fault
    }

    fn take_back(&self, core: &mut Core) -> Result<()> {
        core.budget.undo();
        if core.committed.is_some_and(|head| head.size == core.replica.records()) {
            return Ok(());
        }
        self.rebuild(core)
    }

    fn try_sequence(
        &self,
        core: &mut Core,
        items: &[&Incoming],
        now: u64,
        entered: &mut Entered<'_>,
    ) -> Result<Option<Vec<Answer>>> {
        if self.log.head_to_write()? != core.replica.records() {
            self.catch_up(core)?;
            self.check_sequencer(core)?;
        }
        let latched = entered.look();
        let firsts = self.firsts(core, &latched, items, now)?;
        let mut shut = None;
        let expected = core.replica.records();
        let mut pairs: Vec<Pair> = Vec::with_capacity(items.len());
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(items.len());
        let mut read: Vec<UnverifiedEnvelope> = Vec::with_capacity(items.len());
        let mut erased: Vec<u64> = Vec::new();
        let own = firsts.iter().map(|first| &first.incoming);
        for (place, incoming) in own.chain(items.iter().copied()).enumerate() {
            if place == firsts.len() && !latched.is_clear() {
                // Behind the resumes that waited: what they have ended stops nobody any more.
                shut = Some(self.shut(core, &latched, &firsts));
            }
            let outcome = match self.judge(core, incoming, now, shut.as_ref()) {
                Ok(Judged::Duplicate(position)) => {
                    let here = position.checked_sub(expected).and_then(|at| pairs.get(usize::try_from(at).ok()?));
                    Outcome::Duplicate(match here {
                        Some(pair) => pair.record,
                        None => self.pair_at(position)?.record,
                    })
                }
                Ok(Judged::New(case)) => {
                    let Case { entry, stamp, verdict, body } = *case;
                    let record = core.replica.record(stamp, &entry, &verdict)?;
                    let error = if let Verdict::Rejected(error, _) = &verdict { Some(error.clone()) } else { None };
                    let kept = if error.is_none() { body } else { None };
                    pairs.push(Pair { record, envelope: entry.shared_bytes(), body: kept });
                    read.push(entry.parsed().clone());
                    let delta = verdict.into_delta();
                    erased.extend(delta.erases().and_then(|message| core.positions.get(message)));
                    core.take_in(&record, &entry, delta)?;
                    Outcome::Sequenced(record, error)
                }
                Err(error) if is_ours(&error) => return Err(error),
                Err(error) => Outcome::Refused(error),
            };
            outcomes.push(outcome);
        }
        if !pairs.is_empty() && !self.commit(core, expected, &pairs)? {
            return Ok(None);
        }
        self.deliver(core, expected, &pairs, read);
        self.settle_slots(core, &latched, &firsts);
        outcomes.drain(..firsts.len());
        // Behind the commit nothing may fail any more: whoever is told of a fault believes that nothing was taken.
        core.unerased.extend(erased);
        let _ = self.erase(core);
        Ok(Some(answers(core, outcomes)))
    }

    /// The steps of admission.1 and 2 for one entry, on the state as it is after those before it.
    fn judge(&self, core: &mut Core, incoming: &Incoming, now: u64, shut: Option<&Shut>) -> Result<Judged> {
        let stamp = core.replica.stamp(now);
        let state = core.replica.state();
        // 1 to 3
        let entry = incoming.authenticate(&state.keys(stamp.registry_size))?;
        // 4
        if let Some(position) = core.positions.get(entry.id()) {
            return Ok(Judged::Duplicate(*position));
        }
        // 5
        check_realm(state, &entry)?;
        // 6
        if let Some(shut) = shut {
            shut.admit(state, &entry)?;
        }
        // 7
        let body = incoming.body()?;
        // 8, 9
        check_conversation(state, &entry)?;
        check_genesis(state, &entry)?;
        let verdict = admit(state, stamp, &entry)?;
        self.check_own_key(state, &verdict)?;
        // 10
        core.budget.take(core.replica.state(), entry.claims(), &verdict, stamp.time)?;
        Ok(Judged::New(Box::new(Case { entry, stamp, verdict, body })))
    }

    /// record.6.5: no checkpoint could be signed over an entry that ends this sequencer, or never names it.
    fn check_own_key(&self, state: &State, verdict: &Verdict) -> Result<()> {
        let delta = verdict.delta();
        let own = match state.registry() {
            Some(registry) => registry
                .sequencer_with(self.key.public())
                .is_some_and(|own| delta.revokes() != Some(&own.id) && delta.rotates() != Some(&own.id)),
            None => delta.founds(self.key.public()),
        };
        if own {
            return Ok(());
        }
        Err(Error::new(Code::CheckpointKey, "an entry after which this sequencer is one of the realm's", "another"))
    }

    /// Appends what was judged. False: others were first, and what they wrote has been taken in instead.
    fn commit(&self, core: &mut Core, expected: u64, pairs: &[Pair]) -> Result<bool> {
        let origin = core.replica.state().registry().map(Registry::origin).unwrap_or_default();
        let size = core.replica.records();
        let head = core.replica.tree_head(size)?;
        let checkpoint = sign_checkpoint(&self.key, &origin, &head)?;
        match self.log.append(expected, pairs, &checkpoint)? {
            Appended::Committed => {
                core.checkpoint = checkpoint.into();
                core.committed = Some(head);
                core.budget.settle();
                Ok(true)
            }
            Appended::Conflict(_) => {
                core.budget.undo();
                self.rebuild(core)?;
                Ok(false)
            }
            Appended::Unknown => {
                Err(Error::new(Code::LogUnknown, "a log that says whether it took the entries", "no answer"))
            }
        }
    }

    /// The state was ahead of the log: what is in it is read again from the beginning, and begins with what was committed.
    fn rebuild(&self, core: &mut Core) -> Result<()> {
        core.begin_again();
        self.begin(core, Start::Quick)?;
        self.check_sequencer(core)
    }

    /// Takes in what others have appended. It is replayed: a log is not trusted.
    pub(super) fn catch_up(&self, core: &mut Core) -> Result<()> {
        for _ in 0..PATIENCE {
            loop {
                let pairs = self.log.read(core.replica.records(), READ)?;
                if pairs.is_empty() {
                    break;
                }
                core.take_over(&pairs, Asking::Everything)?;
            }
            if self.check_committed(core)? {
                self.deliver_from_log(core, core.replica.records());
                return Ok(());
            }
        }
        Err(Error::new(
            Code::CheckpointStale,
            "the records that the newest checkpoint is over",
            "fewer, again and again",
        ))
    }

    /// The log still begins with what this engine has committed, and its newest checkpoint is over all that it has. False: it is over more,
    /// so that somebody has appended since.
    fn check_committed(&self, core: &mut Core) -> Result<bool> {
        let records = core.replica.records();
        if let Some(before) = core.committed {
            if before.size > records {
                let expected = format!("at least the {} records that were committed", before.size);
                return Err(Error::new(Code::CheckpointStale, expected, records.to_string()));
            }
            if core.replica.tree_head(before.size)? != before {
                return Err(Error::new(Code::CheckpointForked, text::hex(&before.root), "another history"));
            }
        }
        if records == 0 {
            return Ok(true);
        }
        let written = self.log.checkpoint()?.unwrap_or_default();
        if Note::parse(written.as_bytes())?.head.size > records && self.log.head()? > records {
            return Ok(false);
        }
        let now = core.replica.check_checkpoint(written.as_bytes())?;
        if now.size() != records {
            let expected = format!("a checkpoint over all {records} records");
            return Err(Error::new(Code::CheckpointStale, expected, now.size().to_string()));
        }
        core.committed = Some(*now.head());
        core.checkpoint = written.into();
        Ok(true)
    }

    /// log.5: what was to be erased is erased once more; a crash may have come between.
    pub(super) fn erase_again(&self, core: &mut Core) -> Result<()> {
        let registry = core.replica.state().founded()?;
        let positions: Vec<u64> = registry.erased.iter().filter_map(|id| core.positions.get(id).copied()).collect();
        core.unerased = positions;
        self.erase(core)
    }

    /// Erases what is to be erased and may have left a trace. What fails is tried again.
    pub(super) fn erase(&self, core: &mut Core) -> Result<()> {
        if !core.unerased.is_empty() && self.log.erase(&core.unerased)? {
            core.unerased.clear();
        }
        Ok(())
    }

    pub(super) fn check_sequencer(&self, core: &Core) -> Result<()> {
        let mut sequencers = core.replica.state().registry().into_iter().flat_map(Registry::sequencers);
        if sequencers.any(|held| held.key == *self.key.public()) {
            return Ok(());
        }
        Err(Error::new(Code::CheckpointKey, "the key of a sequencer of the realm", "another key"))
    }

    pub(super) fn pair_at(&self, position: u64) -> Result<Pair> {
        let found = self.log.read(position, 1)?.pop();
        found.ok_or_else(|| Error::new(Code::Internal, "the pair of a record that was committed", "none"))
    }
}

fn answers(core: &Core, outcomes: Vec<Outcome>) -> Vec<Answer> {
    let answer = |outcome| match outcome {
        Outcome::Sequenced(record, error) => {
            Answer::Sequenced { record, error, checkpoint: Arc::clone(&core.checkpoint) }
        }
        Outcome::Duplicate(record) => Answer::Duplicate(record),
        Outcome::Refused(error) => Answer::Refused(error),
    };
    outcomes.into_iter().map(answer).collect()
}

enum Judged {
    Duplicate(u64),
    New(Box<Case>),
}

struct Case {
    entry: AuthenticEnvelope,
    stamp: Stamp,
    verdict: Verdict,
    body: Option<KeptBody>,
}

enum Outcome {
    Sequenced(Record, Option<Error>),
    Duplicate(Record),
    Refused(Error),
}

pub(super) fn check_clock(now: u64) -> Result<()> {
    if now < TIME_END {
        return Ok(());
    }
    Err(Error::new(Code::ClockRange, "a time below 2^48 ms", now.to_string()))
}

/// Faults with which a log says that it has taken nothing (log.2.4).
pub(super) fn may_pass(error: &Error) -> bool {
    matches!(error.code, Code::LogFull | Code::LogReadOnly | Code::LogBusy | Code::LogFailed)
}

/// A fault of ours, or of the rules that this version has, is no answer to an entry: the engine stops.
fn is_ours(error: &Error) -> bool {
    matches!(error.code, Code::Internal | Code::Panic | Code::SelfTestFailed | Code::RulesUnsupported)
}

impl Core {
    pub fn new(limits: Limits) -> Core {
        Core {
            replica: Replica::default(),
            positions: IdMap::default(),
            equivocations: Equivocations::default(),
            budget: Budget::new(limits),
            checkpoint: Arc::from(""),
            committed: None,
            unerased: Vec::new(),
            stopped: None,
        }
    }

    /// Pairs that others have appended.
    pub(super) fn take_over(&mut self, pairs: &[Pair], asking: Asking) -> Result<()> {
        self.replica.take_over(pairs, asking)?;
        self.positions.extend(pairs.iter().map(|pair| (pair.record.id, pair.record.position)));
        Ok(())
    }

    pub fn position(&self, id: &Id) -> Option<u64> {
        self.positions.get(id).copied()
    }

    /// Back to before the first record, to be taken in once more.
    pub(super) fn begin_again(&mut self) {
        self.replica = Replica::default();
        self.positions.clear();
    }

    fn take_in(&mut self, record: &Record, entry: &AuthenticEnvelope, delta: Delta) -> Result<()> {
        self.replica.apply(record, entry, delta)?;
        self.positions.insert(record.id, record.position);
        Ok(())
    }
}
