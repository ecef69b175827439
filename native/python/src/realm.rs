//! The room realm, for Python: the engine in memory, and what can be asked of a replica.

use std::path::PathBuf;
use std::sync::Arc;

use ama2sec_core::errors::{Code, Error, Result};
use ama2sec_core::history::consistency::prove_consistency;
use ama2sec_core::history::sha_tree::Rfc6962;
use ama2sec_core::identity::Name;
use ama2sec_core::message::{Id as CoreId, parse_message};
use ama2sec_core::realm::engine::{Answer, Engine, Submission};
use ama2sec_core::realm::inbox::{Opening, Whom};
use ama2sec_core::realm::log::{Durability, Log, MemoryLog, SqliteLog};
use ama2sec_core::realm::record::Record;
use ama2sec_core::realm::replica::Replica;
use ama2sec_core::realm::view::{code_name, record_view};
use ama2sec_core::realm::{Limits, Start};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::errors::{exact, exact_or_none, guard_detached};
use crate::halt::EngineHalts;
use crate::identity::{Id, SigningKey, random};
use crate::message::{choose_body, from_json, given_body};
use crate::realm_draft::{RealmContext, context_in};
use crate::realm_entry::RealmEntry;
use crate::realm_inbox::{RealmBell, RealmInbox};
use crate::realm_questions::{answer, to_json};

/// What became of one entry that was handed in.
#[pyclass(frozen, module = "ama2sec")]
pub struct RealmAnswer {
    answer: Answer,
}

#[pymethods]
impl RealmAnswer {
    /// `admitted`, `rejected`, `duplicate` or `refused`.
    #[getter]
    fn verdict(&self) -> &'static str {
        match &self.answer {
            Answer::Sequenced { error: None, .. } => "admitted",
            Answer::Sequenced { .. } => "rejected",
            Answer::Duplicate(_) => "duplicate",
            Answer::Refused(_) => "refused",
        }
    }

    /// The code of a rejected or refused entry, and of a duplicate of a rejected one.
    #[getter]
    fn code(&self) -> Option<&'static str> {
        match &self.answer {
            Answer::Sequenced { error, .. } => error.as_ref().map(|error| error.code.as_str()),
            Answer::Duplicate(record) => code_name(record.code),
            Answer::Refused(error) => Some(error.code.as_str()),
        }
    }

    #[getter]
    fn expected(&self) -> Option<String> {
        self.error().map(|error| error.expected.to_string())
    }

    #[getter]
    fn got(&self) -> Option<String> {
        self.error().map(|error| error.got.to_string())
    }

    #[getter]
    fn position(&self) -> Option<u64> {
        self.kept().map(|record| record.position)
    }

    #[getter]
    fn conversation(&self) -> Option<Id> {
        self.kept().map(|record| Id(record.conversation))
    }

    /// Where an admitted entry stands: the branch, and the index in it.
    #[getter]
    fn home(&self) -> Option<(Id, u64)> {
        self.kept().filter(|record| record.is_admitted()).map(|record| (Id(record.home.branch), record.home.index))
    }

    /// The 164 bytes of the record.
    #[getter]
    fn record<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.kept().map(|record| PyBytes::new(py, &record.encode()))
    }

    /// The head over the record, as it was written with it.
    #[getter]
    fn checkpoint(&self) -> Option<&str> {
        match &self.answer {
            Answer::Sequenced { checkpoint, .. } => Some(checkpoint),
            _ => None,
        }
    }

    fn __repr__(&self) -> String {
        match self.code() {
            Some(code) => format!("<RealmAnswer {}: {code}>", self.verdict()),
            None => format!("<RealmAnswer {}>", self.verdict()),
        }
    }
}

impl RealmAnswer {
    fn error(&self) -> Option<&Error> {
        match &self.answer {
            Answer::Sequenced { error, .. } => error.as_ref(),
            Answer::Refused(error) => Some(error),
            Answer::Duplicate(_) => None,
        }
    }

    fn kept(&self) -> Option<&Record> {
        match &self.answer {
            Answer::Sequenced { record, .. } | Answer::Duplicate(record) => Some(record),
            Answer::Refused(_) => None,
        }
    }
}

/// A realm that is open for writing: in memory, gone with the process, or in a file, with other processes on it.
#[pyclass(frozen, module = "ama2sec")]
pub struct RealmEngine(pub Arc<Engine<Arc<dyn Log>>>);

#[pymethods]
impl RealmEngine {
    /// Begin a realm with its genesis, under the sequencer's key; with `path` in a new file, where `durability` is `full` or `normal`.
    /// `budgets` off: nobody is ever refused for having spent one. `latch` off, in memory: nothing is ever latched, and halts are records alone.
    #[staticmethod]
    #[pyo3(signature = (genesis, sequencer, now_ms, *, budgets=true, path=None, durability="full", latch=true))]
    fn create(
        genesis: &Bound<'_, PyAny>,
        sequencer: &SigningKey,
        now_ms: u64,
        budgets: bool,
        path: Option<PathBuf>,
        durability: &str,
        latch: bool,
    ) -> PyResult<(RealmEngine, RealmAnswer)> {
        let bytes = exact(genesis)?;
        let key = sequencer.copy(genesis.py())?;
        let mut salt = [0; 16];
        random(genesis.py(), &mut salt)?;
        guard_detached(genesis.py(), || {
            let durability = Durability::parse(durability)?;
            let log: Arc<dyn Log> = match &path {
                Some(path) => Arc::new(SqliteLog::create(path, durability)?),
                None => Arc::new(MemoryLog::new()),
            };
            let (engine, record) = Engine::create(log, key, bytes, now_ms, limits(budgets)).inspect_err(|_| {
                // A file in which no realm began is of no use to anybody.
                path.iter().for_each(|path| SqliteLog::discard(path));
            })?;
            let checkpoint = engine.head()?;
            let answer = Answer::Sequenced { record, error: None, checkpoint };
            let mut engine = engine;
            match &path {
                // Without its sidecar it would be a realm that nobody can stop: it has not begun.
                Some(path) => {
                    engine.attach(path, now_ms, salt).inspect_err(|_| SqliteLog::discard(path))?;
                }
                None if !latch => engine.never_latch(),
                None => {}
            }
            Ok((RealmEngine(Arc::new(engine)), RealmAnswer { answer }))
        })
    }

    /// Open a realm that is in a file. What a checkpoint of this sequencer is over is judged again but for its signatures (log.7), and with
    /// `full` all of it. `head`: a note that was kept, which it must go on from. Raises
    /// `FileUnreadable`, `LogForm`, `LogVersion`, `LogDamaged`, `RealmOther`, `CheckpointKey`, and the codes of record.4.
    #[staticmethod]
    #[pyo3(signature = (path, sequencer, realm, *, budgets=true, durability=None, head=None, full=false, now_ms=0))]
    #[expect(clippy::too_many_arguments, reason = "keywords, in Python")]
    fn load(
        py: Python<'_>,
        path: PathBuf,
        sequencer: &SigningKey,
        realm: &Id,
        budgets: bool,
        durability: Option<&str>,
        head: Option<&str>,
        full: bool,
        now_ms: u64,
    ) -> PyResult<RealmEngine> {
        let key = sequencer.copy(py)?;
        let mut salt = [0; 16];
        random(py, &mut salt)?;
        let realm = realm.0;
        let start = if full { Start::Full } else { Start::Quick };
        guard_detached(py, || {
            let log: Arc<dyn Log> = Arc::new(SqliteLog::open(&path, durability.map(Durability::parse).transpose()?)?);
            let mut engine = Engine::load(log, key, &realm, limits(budgets), start)?;
            engine.attach(&path, now_ms, salt)?;
            if let Some(head) = head {
                engine.check_kept(head.as_bytes())?;
            }
            Ok(RealmEngine(Arc::new(engine)))
        })
    }

    /// What it does about stops.
    #[getter]
    fn halts(&self) -> EngineHalts {
        EngineHalts(Arc::clone(&self.0))
    }

    /// Whether a body that was erased by order still has a trace in a file. Asking tries again.
    fn erasure_pending(&self, py: Python<'_>) -> PyResult<bool> {
        guard_detached(py, || self.0.erasure_pending())
    }

    /// Let go of the realm's files, once whoever is in a transaction is done: nothing is handed in or read any more (`ArgumentRange`), and
    /// nothing passes its latch. What is in memory goes on answering. Calling it again does nothing.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        guard_detached(py, || {
            self.0.latch().close();
            self.0.close()
        })
    }

    /// Hand in one entry: an envelope, or an entry with its body.
    #[pyo3(signature = (entry, now_ms, *, body=None, body_salt=None))]
    fn submit(
        &self,
        entry: &Bound<'_, PyAny>,
        now_ms: u64,
        body: Option<&Bound<'_, PyAny>>,
        body_salt: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<RealmAnswer> {
        let bytes = exact(entry)?;
        let (body, salt) = (exact_or_none(body)?, exact_or_none(body_salt)?);
        guard_detached(entry.py(), || {
            let given = given_body(body, salt)?;
            let entry = match parse_message(bytes) {
                Ok(entry) => entry,
                // What does not read is refused like any other entry, and is no fault of the call.
                Err(error) => return Ok(RealmAnswer { answer: Answer::Refused(error) }),
            };
            let submission = Submission { envelope: entry.envelope, body: choose_body(entry.body, given)? };
            Ok(RealmAnswer { answer: self.0.submit(submission, now_ms)? })
        })
    }

    /// Hand in many: signatures on all cores, then one after the other. One answer an entry, in order.
    fn submit_many(&self, entries: &Bound<'_, PyList>, now_ms: u64) -> PyResult<Vec<RealmAnswer>> {
        let held: Vec<Bound<'_, PyAny>> = entries.iter().collect();
        let bytes: Vec<&[u8]> = held.iter().map(exact).collect::<PyResult<_>>()?;
        guard_detached(entries.py(), || submit_many(&self.0, &bytes, now_ms))
    }

    /// The newest head of the realm: a note of three lines and a signature.
    fn head(&self, py: Python<'_>) -> PyResult<String> {
        guard_detached(py, || Ok(self.0.head()?.to_string()))
    }

    #[getter]
    fn realm(&self, py: Python<'_>) -> PyResult<Id> {
        self.ask(py, |replica| realm_of(replica).map(Id))
    }

    /// What heads of this realm are of: its name and its id.
    #[getter]
    fn origin(&self, py: Python<'_>) -> PyResult<String> {
        self.ask(py, |replica| Ok(replica.state().registry().map(|found| found.origin()).unwrap_or_default()))
    }

    /// How many records there are.
    #[getter]
    fn records(&self, py: Python<'_>) -> PyResult<u64> {
        self.ask(py, |replica| Ok(replica.records()))
    }

    #[getter]
    fn registry_size(&self, py: Python<'_>) -> PyResult<u64> {
        self.ask(py, |replica| Ok(replica.state().registry_size()))
    }

    /// The digest of the registry, or of a conversation.
    #[pyo3(signature = (conversation=None))]
    fn state_digest(&self, py: Python<'_>, conversation: Option<&Id>) -> PyResult<Id> {
        self.ask(py, |replica| match conversation {
            Some(id) => replica.state().conversation_digest(&id.0).map(Id),
            None => replica.state().registry_digest().map(Id),
        })
    }

    /// The fingerprint of a branch at a size above its base; of the registry with the realm's id for both.
    fn fingerprint(&self, py: Python<'_>, conversation: &Id, branch: &Id, size: u64) -> PyResult<Id> {
        self.ask(py, |replica| {
            let state = replica.state();
            if state.realm() == Some(&conversation.0) {
                return Ok(Id(state.seen_registry(size)?.fingerprint));
            }
            Ok(Id(state.head_of(&conversation.0, &branch.0, size)?.fingerprint))
        })
    }

    /// The receipt of the record at a position; with the proof that the newest head covers it, if asked for, or that `head` does.
    #[pyo3(signature = (position, *, proof=false, head=None))]
    fn receipt<'py>(
        &self,
        py: Python<'py>,
        position: u64,
        proof: bool,
        head: Option<&str>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let made = guard_detached(py, || match head {
            Some(head) => self.0.receipt_under(position, head),
            None => self.0.receipt(position, proof),
        })?;
        Ok(PyBytes::new(py, &made))
    }

    /// The proof that the realm at one size begins with the realm at another.
    fn prove_consistency<'py>(&self, py: Python<'py>, old_size: u64, new_size: u64) -> PyResult<Bound<'py, PyBytes>> {
        let proof = self.ask(py, |replica| prove_consistency::<Rfc6962, _>(&mut replica.tree(), old_size, new_size))?;
        Ok(PyBytes::new(py, &proof))
    }

    /// The realm as a transcript, or what belongs to the registry and one conversation.
    #[pyo3(signature = (conversation=None))]
    fn export<'py>(&self, py: Python<'py>, conversation: Option<&Id>) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::new();
        guard_detached(py, || {
            self.0.export(conversation.map(|id| &id.0), |piece| {
                out.extend_from_slice(piece);
                Ok(())
            })
        })?;
        Ok(PyBytes::new(py, &out))
    }

    /// Evidence of authors who signed two messages under one number.
    fn equivocations<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let found = guard_detached(py, || self.0.equivocations())?;
        Ok(found.iter().map(|evidence| PyBytes::new(py, evidence)).collect())
    }

    /// Entries in order from a position, at most `limit`; fewer before the end if they are many. Each is one that was admitted or rejected here.
    fn entries(&self, py: Python<'_>, position: u64, limit: usize) -> PyResult<Vec<RealmEntry>> {
        let found = guard_detached(py, || self.0.entries(position, limit))?;
        Ok(found.into_iter().map(RealmEntry::new).collect())
    }

    /// Where the entry with an id stands in the log.
    fn position_of(&self, py: Python<'_>, id: &Id) -> PyResult<Option<u64>> {
        guard_detached(py, || self.0.position_of(&id.0))
    }

    /// `full` or `normal`, as the file says; None: there is no file.
    #[getter]
    fn durability(&self) -> Option<&'static str> {
        self.0.log().durability().map(Durability::as_str)
    }

    /// Open the inbox of an agent, or of a sub-agent (`child`), which only its id reaches. All below `start` was acknowledged, and so were the
    /// messages at `acked`. Raises `AgentInUse`, `ArgumentRange`, `NameForm`.
    #[pyo3(signature = (bell, agent, *, groups=Vec::new(), child=false, limit, start, acked=Vec::new()))]
    #[expect(clippy::too_many_arguments, reason = "keywords, in Python")]
    fn inbox(
        &self,
        py: Python<'_>,
        bell: &RealmBell,
        agent: &Id,
        groups: Vec<String>,
        child: bool,
        limit: u32,
        start: u64,
        acked: Vec<u64>,
    ) -> PyResult<RealmInbox> {
        guard_detached(py, || {
            let groups = groups.iter().map(|group| Name::parse(group)).collect::<Result<_>>()?;
            let whom = Whom { id: agent.0, groups, child };
            let opening = Opening { whom, limit, start, acked: acked.into_iter().collect() };
            Ok(RealmInbox::new(Arc::clone(&self.0), self.0.open_inbox(opening, &bell.0)?))
        })
    }

    /// Take in, and deliver, what other processes append, until `end_watch`.
    fn follow(&self, py: Python<'_>) -> PyResult<()> {
        guard_detached(py, || self.0.follow())
    }

    /// Take in what other processes have appended.
    fn refresh(&self, py: Python<'_>) -> PyResult<()> {
        guard_detached(py, || self.0.refresh())
    }

    /// Wait until the log has more than so many records, or `end_watch` is called. How many there are.
    fn watch(&self, py: Python<'_>, records: u64) -> PyResult<u64> {
        guard_detached(py, || self.0.log().watch(records))
    }

    /// End every `watch`, now and later.
    fn end_watch(&self) {
        self.0.log().end_watch();
    }

    /// What an agent has consumed of the registry, and of a branch (the conversation's first by default): all of it, or up to a size.
    #[pyo3(signature = (conversation=None, branch=None, *, size=None, registry_size=None))]
    fn context(
        &self,
        py: Python<'_>,
        conversation: Option<&Id>,
        branch: Option<&Id>,
        size: Option<u64>,
        registry_size: Option<u64>,
    ) -> PyResult<RealmContext> {
        let (conversation, branch) = (conversation.map(|id| id.0), branch.map(|id| id.0));
        self.ask(py, |replica| context_in(replica, conversation, branch, size, registry_size))
    }

    /// A question about a conversation, as `RealmVerified.ask`.
    #[pyo3(signature = (question, conversation=None, **arguments))]
    #[pyo3(name = "ask")]
    fn ask_realm<'py>(
        &self,
        py: Python<'py>,
        question: &str,
        conversation: Option<&Id>,
        arguments: Option<&Bound<'py, pyo3::types::PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let arguments = to_json(py, arguments)?;
        let ask = |replica: &mut Replica| answer(replica, question, conversation.map(|id| id.0), &arguments);
        let answer = guard_detached(py, || self.0.with_dags(ask))?;
        from_json(py, &answer)
    }
}

fn limits(budgets: bool) -> Limits {
    if budgets { Limits::default() } else { Limits::NONE }
}

impl RealmEngine {
    pub fn ask<T: Send>(&self, py: Python<'_>, ask: impl FnOnce(&mut Replica) -> Result<T> + Send) -> PyResult<T> {
        guard_detached(py, || self.0.with(ask))
    }
}

fn submit_many(engine: &Engine<Arc<dyn Log>>, entries: &[&[u8]], now: u64) -> Result<Vec<RealmAnswer>> {
    let read: Vec<Result<Submission<'_>>> = entries
        .iter()
        .map(|bytes| parse_message(bytes).map(|entry| Submission { envelope: entry.envelope, body: entry.body }))
        .collect();
    let sound: Vec<Submission<'_>> = read.iter().filter_map(|entry| entry.as_ref().ok().copied()).collect();
    let mut answers = engine.submit_many(&sound, now)?.into_iter();
    read.into_iter()
        .map(|entry| match entry {
            Err(error) => Ok(RealmAnswer { answer: Answer::Refused(error) }),
            Ok(_) => answers
                .next()
                .map(|answer| RealmAnswer { answer })
                .ok_or_else(|| Error::new(Code::Internal, "one answer an entry", "fewer")),
        })
        .collect()
}

fn realm_of(replica: &Replica) -> Result<CoreId> {
    replica.state().realm().copied().ok_or_else(|| Error::new(Code::Internal, "a realm", "none"))
}

/// A record in the view for people.
#[pyfunction]
pub fn parse_record<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let bytes = exact(data)?;
    let record = guard_detached(data.py(), || Record::parse(bytes))?;
    from_json(data.py(), &record_view(&record))
}
