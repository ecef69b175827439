//! The engine: screen, stamp, admit, commit, apply, checkpoint (admission.1, record.6).

use std::sync::{Arc, Mutex, MutexGuard};

use super::budget::Limits;
use super::export::{READ, export};
use super::log::{Log, Pair};
use super::receipt::encode_receipt;
use super::record::Record;
use super::replica::Replica;
use super::sequencing::{Core, Incoming, read};
use crate::errors::{Code, Error, Result};
use crate::history::inclusion::prove_inclusion;
use crate::history::sha_tree::Rfc6962;
use crate::identity::{Enrolled, SigningKey, in_parallel};
use crate::message::{Body, BodyPart, Id, Keys, UnverifiedEnvelope, authenticate_many};

/// One entry that somebody hands in.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    pub envelope: &'a [u8],
    pub body: Option<BodyPart<'a>>,
}

/// What an engine answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It is in the log, with this verdict (for a rejected entry with its texts); the checkpoint is over it.
    Sequenced { record: Record, error: Option<Error>, checkpoint: Arc<str> },
    /// It was in the log before.
    Duplicate(Record),
    /// It is not, and the log did not grow.
    Refused(Error),
}

/// An entry as it is in the log, behind a replica that has taken it in.
#[derive(Clone, Debug)]
pub struct Delivered {
    pub record: Record,
    pub envelope: UnverifiedEnvelope,
    pub body: Body,
}

/// Pairs that are appended at once.
const GROUP: usize = 256;

/// A realm over a log, under one sequencer key.
pub struct Engine<L> {
    pub(super) log: L,
    pub(super) key: SigningKey,
    pub(super) limits: Limits,
    core: Mutex<Core>,
}

impl<L: Log> Engine<L> {
    /// A new realm: the genesis is its first entry. Raises `GenesisInvalid`, `RulesUnsupported`, the codes of admission.1, and
    /// `LogConflict` for a log that is not empty.
    pub fn create(log: L, key: SigningKey, genesis: &[u8], now: u64, limits: Limits) -> Result<(Engine<L>, Record)> {
        let engine = Engine { log, key, limits, core: Mutex::new(Core::new(limits)) };
        if engine.log.head()? != 0 {
            return Err(Error::new(Code::LogConflict, "an empty log", "one with records"));
        }
        match engine.submit(Submission { envelope: genesis, body: None }, now)? {
            Answer::Sequenced { record, error: None, .. } => Ok((engine, record)),
            Answer::Refused(error) | Answer::Sequenced { error: Some(error), .. } => Err(error),
            Answer::Duplicate(_) => Err(Error::new(Code::Internal, "a first entry", "a duplicate")),
        }
    }

    /// A realm that is in the log: all of it is replayed, and it is the one that was asked for.
    pub fn load(log: L, key: SigningKey, realm: &Id, limits: Limits) -> Result<Engine<L>> {
        let engine = Engine { log, key, limits, core: Mutex::new(Core::new(limits)) };
        let mut core = engine.core()?;
        engine.catch_up(&mut core)?;
        if core.replica.state().realm() != Some(realm) {
            return Err(Error::new(Code::RealmOther, crate::text::hex(realm), "a log of another realm"));
        }
        engine.check_sequencer(&core)?;
        drop(core);
        Ok(engine)
    }

    /// One entry. Raises what stops an engine; everything else is in the answer.
    pub fn submit(&self, entry: Submission<'_>, now: u64) -> Result<Answer> {
        let incoming = read(&entry);
        let mut core = self.core()?;
        let mut answers = self.sequence(&mut core, vec![(entry, incoming)], now)?;
        answers.pop().ok_or_else(|| Error::new(Code::Internal, "one answer an entry", "none"))
    }

    /// Many entries: read and verified on all cores outside the lock, sequenced in their order, appended in groups.
    pub fn submit_many(&self, entries: &[Submission<'_>], now: u64) -> Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(entries.len());
        for group in entries.chunks(GROUP) {
            let incoming = self.verify(group)?;
            let items = group.iter().copied().zip(incoming).collect();
            let mut core = self.core()?;
            answers.extend(self.sequence(&mut core, items, now)?);
        }
        Ok(answers)
    }

    /// Signatures under the keys that are known now; a key that an earlier entry of the group brings is looked up again later.
    fn verify(&self, entries: &[Submission<'_>]) -> Result<Vec<Incoming>> {
        let mut incoming = in_parallel(entries, 0, 32, |chunk| chunk.iter().map(read).collect());
        let mut asked: Vec<(UnverifiedEnvelope, Arc<Enrolled>)> = Vec::new();
        let mut places = Vec::new();
        {
            let core = self.core()?;
            let state = core.replica.state();
            let keys = state.keys(state.registry_size());
            for (place, item) in incoming.iter().enumerate() {
                if let Incoming::Read(envelope) = item
                    && let Ok(signer) = keys.signer(envelope)
                {
                    asked.push((envelope.clone(), signer));
                    places.push(place);
                }
            }
        }
        for (place, verdict) in places.into_iter().zip(authenticate_many(&asked, 0)) {
            if let Some(slot) = incoming.get_mut(place) {
                *slot = verdict.map_or_else(Incoming::Faulty, Incoming::Verified);
            }
        }
        Ok(incoming)
    }

    fn core(&self) -> Result<MutexGuard<'_, Core>> {
        // A panic under the lock may have left half a change: the engine has stopped for good (errors.3).
        let core = self
            .core
            .lock()
            .map_err(|_| Error::new(Code::Panic, "an engine that no thread has left half changed", "one"))?;
        match &core.stopped {
            Some(fault) => Err(fault.clone()),
            None => Ok(core),
        }
    }

    /// Reads what others have appended meanwhile.
    pub fn refresh(&self) -> Result<()> {
        let mut core = self.core()?;
        let caught = self.catch_up(&mut core);
        if let Err(fault) = &caught {
            core.stopped = Some(fault.clone());
        }
        caught
    }

    /// The newest checkpoint: the head of the realm.
    pub fn head(&self) -> Result<Arc<str>> {
        Ok(Arc::clone(&self.core()?.checkpoint))
    }

    /// The receipt of the record at a position, with the proof that it is in the newest checkpoint's tree if one is asked for.
    pub fn receipt(&self, position: u64, with_proof: bool) -> Result<Vec<u8>> {
        let mut core = self.core()?;
        let size = core.replica.records();
        if position >= size {
            let expected = format!("a position below {size}");
            return Err(Error::new(Code::ArgumentRange, expected, position.to_string()));
        }
        let record = self.pair_at(position)?.record;
        let proof = if with_proof {
            Some(prove_inclusion::<Rfc6962, _>(&mut core.replica.tree(), position, size)?)
        } else {
            None
        };
        Ok(encode_receipt(&record, &core.checkpoint, proof.as_deref()))
    }

    /// The equivocations in the log, as portable evidence. What came since the last such question is read once more.
    pub fn equivocations(&self) -> Result<Vec<Vec<u8>>> {
        let mut core = self.core()?;
        let Core { equivocations, replica, .. } = &mut *core;
        equivocations.look(replica, |position| self.log.read(position, READ)).map(<[Vec<u8>]>::to_vec)
    }

    /// How many entries were refused because a budget was spent.
    pub fn over_budget(&self) -> Result<u64> {
        Ok(self.core()?.budget.refused())
    }

    /// Asks the replica something. The lock is held meanwhile.
    pub fn with<T>(&self, ask: impl FnOnce(&mut Replica) -> Result<T>) -> Result<T> {
        ask(&mut self.core()?.replica)
    }

    /// Asks the replica who comes after whom. The first such question reads the log once more: nobody pays for answers that he never asks for.
    pub fn with_dags<T>(&self, ask: impl FnOnce(&mut Replica) -> Result<T>) -> Result<T> {
        let mut core = self.core()?;
        if !core.replica.has_dags() {
            core.replica.make_dags(|position| self.log.read(position, READ))?;
        }
        ask(&mut core.replica)
    }

    /// The realm as a transcript, or what belongs to the registry and one conversation.
    pub fn export(&self, only: Option<&Id>, write: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let realm = {
            let core = self.core()?;
            *core.replica.state().realm().ok_or_else(|| Error::new(Code::Internal, "a realm", "none"))?
        };
        export(&self.log, &realm, only, write)
    }

    /// Admitted and rejected entries in order from a position, at most `limit`, each the one that the replica took in: the log is read
    /// again and not trusted. Raises `CheckpointStale`, `RecordDigest`, and the codes of envelope.7 for a body that is another.
    pub fn entries(&self, from: u64, limit: usize) -> Result<Vec<Delivered>> {
        let mut core = self.core()?;
        if from >= core.replica.records() || limit == 0 {
            return Ok(Vec::new());
        }
        let pairs = core.replica.again(from, |position| self.log.read(position, limit.min(READ)))?;
        let deliver = |(position, pair): (u64, Pair)| {
            let envelope = core.replica.check_again(position, &pair)?;
            let body = envelope.check_body(pair.body_part())?;
            Ok(Delivered { record: pair.record, envelope, body })
        };
        (from..).zip(pairs).map(deliver).collect()
    }

    pub fn log(&self) -> &L {
        &self.log
    }
}
