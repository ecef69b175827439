//! The engine: screen, stamp, admit, commit, apply, checkpoint (admission.1, record.6).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::budget::Limits;
use super::export::{READ, export};
use super::inbox::Router;
use super::incoming::{Incoming, KnownKeys, Questions};
use super::log::{Log, Pair, Turn};
use super::queue::{Job, Queue};
use super::receipt::{check_covers, encode_receipt};
use super::record::Record;
use super::replica::Replica;
use super::sequencing::{Core, check_clock, may_pass};
use super::stopping::Operators;
use crate::errors::{Code, Error, Result};
use crate::halt::Latch;
use crate::history::inclusion::prove_inclusion;
use crate::history::sha_tree::Rfc6962;
use crate::identity::SigningKey;
use crate::message::{Body, BodyPart, Id, UnverifiedEnvelope};

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

impl Delivered {
    /// What was judged in this moment, with its body if it has one.
    pub(super) fn judged(pair: &Pair, envelope: &UnverifiedEnvelope) -> Delivered {
        let body = match (&pair.body, &envelope.claims().body) {
            (Some((salt, body)), _) => Body::Present { salt: *salt, body: Box::from(&**body) },
            (None, Some(_)) => Body::Withheld,
            (None, None) => Body::None,
        };
        Delivered { record: pair.record, envelope: envelope.clone(), body }
    }

    /// A pair of which the record and the envelope were held against what was taken in.
    pub(super) fn checked(pair: &Pair, envelope: UnverifiedEnvelope) -> Result<Delivered> {
        let body = envelope.check_body(pair.body_part(), false)?;
        Ok(Delivered { record: pair.record, envelope, body })
    }

    /// A pair that was read again: it is the one that the replica took in at this position.
    pub(super) fn of(replica: &mut Replica, position: u64, pair: Pair) -> Result<Delivered> {
        let envelope = replica.check_again(position, &pair)?;
        Delivered::checked(&pair, envelope)
    }
}

/// Pairs that are appended at once.
const GROUP: usize = 256;

/// A realm over a log, under one sequencer key.
pub struct Engine<L> {
    pub(super) log: L,
    pub(super) key: SigningKey,
    pub(super) core: Mutex<Core>,
    pub(super) queue: Queue,
    pub(super) router: Router,
    known: KnownKeys,
    pub(super) latch: Latch,
    pub(super) latches: bool,
    operators: Mutex<Arc<Operators>>,
}

impl<L: Log> Engine<L> {
    /// A new realm: the genesis is its first entry. Raises `GenesisInvalid`, `RulesUnsupported`, the codes of admission.1, and
    /// `LogConflict` for a log that is not empty.
    pub fn create(log: L, key: SigningKey, genesis: &[u8], now: u64, limits: Limits) -> Result<(Engine<L>, Record)> {
        let engine = Engine::over(log, key, limits);
        if engine.log.head()? != 0 {
            return Err(Error::new(Code::LogConflict, "an empty log", "one with records"));
        }
        match engine.submit(Submission { envelope: genesis, body: None }, now)? {
            Answer::Sequenced { record, error: None, .. } => Ok((engine, record)),
            Answer::Refused(error) | Answer::Sequenced { error: Some(error), .. } => Err(error),
            Answer::Duplicate(_) => Err(Error::new(Code::Internal, "a first entry", "a duplicate")),
        }
    }

    /// Before the first record, and with nothing that stops it.
    pub(super) fn over(log: L, key: SigningKey, limits: Limits) -> Engine<L> {
        let (core, operators) = (Mutex::new(Core::new(limits)), Mutex::default());
        let (queue, known, router) = (Queue::default(), KnownKeys::default(), Router::default());
        Engine { log, key, core, queue, known, router, latch: Latch::in_memory(), latches: true, operators }
    }

    pub(super) fn operators(&self) -> Result<MutexGuard<'_, Arc<Operators>>> {
        self.operators
            .lock()
            .map_err(|_| Error::new(Code::Panic, "a table that no thread has left half changed", "one"))
    }

    /// One entry. Raises what stops an engine, and the codes with which a log says that it took nothing (log.2.4); everything else is in
    /// the answer. Callers in several threads share one commit.
    pub fn submit(&self, entry: Submission<'_>, now: u64) -> Result<Answer> {
        // Judged alone, before anybody shares a time with it.
        check_clock(now)?;
        self.latch_first(entry.envelope);
        // What follows from its bytes alone is found out here, while others have the engine.
        let mut incoming = Incoming::read(entry.envelope, entry.body);
        self.known.ask(&mut incoming);
        let ticket = self.queue.push(incoming, now)?;
        // Waits for its answer, and not for the engine: else whoever was just answered would have that again before the others wake up.
        if let Some(answer) = ticket.wait() {
            return answer;
        }
        let next = self.queue.pass_on_later();
        // Who comes while others have their turns is taken along.
        let turn = self.log.turn();
        let mut core = self.core().inspect_err(|_| drop(self.queue.leave(&ticket)))?;
        let answered = self.work(&mut core, turn)?;
        drop(core);
        // First those who have their answers: what they hand in next shares the commit of whoever goes on.
        answered.into_iter().for_each(|(job, answer)| job.answer(answer));
        drop(next);
        ticket.take().unwrap_or_else(|| Err(Error::new(Code::Internal, "the answer to one's own entry", "none")))
    }

    /// Takes along all who wait: what each is to be told. What does not get its turn has read and written nothing.
    fn work(&self, core: &mut Core, turn: Result<Box<dyn Turn + '_>>) -> Result<Vec<(Job, Result<Answer>)>> {
        let mut jobs = self.queue.take(GROUP)?;
        let Some(now) = jobs.iter().map(|job| job.now).max() else {
            return Err(Error::new(Code::Internal, "an entry that waits, or its answer", "neither"));
        };
        let questions = Questions::of(core.replica.state(), jobs.iter().map(|job| &job.incoming));
        questions.ask(&self.known, jobs.iter_mut().map(|job| &mut job.incoming));
        let items: Vec<&Incoming> = jobs.iter().map(|job| &job.incoming).collect();
        let answers: Vec<Result<Answer>> = match turn.and_then(|turn| self.sequence(core, &items, now, turn)) {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(fault) => jobs.iter().map(|_| Err(fault.clone())).collect(),
        };
        Ok(jobs.into_iter().zip(answers).collect())
    }

    /// Many entries: read and verified on all cores outside the lock, sequenced in their order, appended in groups.
    pub fn submit_many(&self, entries: &[Submission<'_>], now: u64) -> Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(entries.len());
        entries.iter().for_each(|entry| self.latch_first(entry.envelope));
        for group in entries.chunks(GROUP) {
            let incoming = self.verify(group)?;
            let items: Vec<&Incoming> = incoming.iter().collect();
            let turn = self.log.turn()?;
            let mut core = self.core()?;
            answers.extend(self.sequence(&mut core, &items, now, turn)?);
        }
        Ok(answers)
    }

    /// Signatures under the keys that are known now; a key that an earlier entry of the group brings is looked up again later.
    fn verify(&self, entries: &[Submission<'_>]) -> Result<Vec<Incoming>> {
        let mut incoming = Incoming::read_many(entries);
        let questions = {
            let core = self.core()?;
            Questions::of(core.replica.state(), incoming.iter())
        };
        questions.ask(&self.known, &mut incoming);
        Ok(incoming)
    }

    pub(super) fn core(&self) -> Result<MutexGuard<'_, Core>> {
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
        if let Some(fault) = caught.as_ref().err().filter(|fault| !may_pass(fault)) {
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

    /// The receipt of the record at a position under a head of this realm that was kept, with the proof that it is in that head's tree.
    /// Raises the codes of record.4.3, and `CheckpointStale` for a head that does not reach the position.
    pub fn receipt_under(&self, position: u64, kept: &str) -> Result<Vec<u8>> {
        let mut core = self.core()?;
        let checkpoint = core.replica.check_kept(kept.as_bytes())?;
        check_covers(&checkpoint, position)?;
        let record = self.pair_at(position)?.record;
        let proof = prove_inclusion::<Rfc6962, _>(&mut core.replica.tree(), position, checkpoint.size())?;
        Ok(encode_receipt(&record, kept, Some(&proof)))
    }

    /// The equivocations in the log, as portable evidence. What came since the last such question is read once more.
    pub fn equivocations(&self) -> Result<Vec<Vec<u8>>> {
        let mut core = self.core()?;
        let Core { equivocations, replica, .. } = &mut *core;
        equivocations.look(replica, |position| self.log.read(position, READ)).map(<[Vec<u8>]>::to_vec)
    }

    /// Holds a checkpoint that was kept against the log as it is now. Raises `CheckpointForked`, `CheckpointStale`, and the codes of record.2.
    pub fn check_kept(&self, checkpoint: &[u8]) -> Result<()> {
        self.core()?.replica.check_kept(checkpoint).map(|_| ())
    }

    /// Whether the log still has a trace of bodies that were erased by order (log.5). Asking tries again.
    pub fn erasure_pending(&self) -> Result<bool> {
        let mut core = self.core()?;
        self.erase(&mut core)?;
        Ok(!core.unerased.is_empty())
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
        (from..).zip(pairs).map(|(position, pair)| Delivered::of(&mut core.replica, position, pair)).collect()
    }

    /// Lets go of the log, behind whoever has the engine: nothing is appended or read any more (`ArgumentRange`). What the state says it
    /// goes on saying.
    pub fn close(&self) -> Result<()> {
        // Also where a fault has stopped it, or a thread has left it half changed: nothing of it is asked here.
        let _core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        self.log.close()
    }

    pub fn log(&self) -> &L {
        &self.log
    }
}
