//! The room realm, for Python: the engine in memory, and what can be asked of a replica.

use std::sync::Arc;

use ama2sec_core::errors::{Code, Error, Result};
use ama2sec_core::history::consistency::prove_consistency;
use ama2sec_core::history::sha_tree::Rfc6962;
use ama2sec_core::message::{Id as CoreId, parse_message};
use ama2sec_core::realm::Limits;
use ama2sec_core::realm::dag::{Dag, HeadAt, Node, heads};
use ama2sec_core::realm::engine::{Answer, Engine, Submission};
use ama2sec_core::realm::log::{Log, MemoryLog};
use ama2sec_core::realm::record::Record;
use ama2sec_core::realm::replica::Replica;
use ama2sec_core::realm::trace::trace;
use ama2sec_core::realm::view::{code_name, head_view, link_view, node_view, record_view, registry_view};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use serde_json::{Value, json};

use crate::errors::{exact, exact_or_none, guard_detached};
use crate::identity::{Id, SigningKey};
use crate::message::{choose_body, from_json, given_body};
use crate::realm_draft::{RealmContext, context_in};
use crate::realm_entry::RealmEntry;

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

/// A realm in memory: one process, gone with it.
#[pyclass(frozen, module = "ama2sec")]
pub struct RealmEngine(pub Arc<Engine<Arc<dyn Log>>>);

#[pymethods]
impl RealmEngine {
    /// Begin a realm with its genesis, under the sequencer's key. `budgets` off: nobody is ever refused for having spent one.
    #[staticmethod]
    #[pyo3(signature = (genesis, sequencer, now_ms, *, budgets=true))]
    fn create(
        genesis: &Bound<'_, PyAny>,
        sequencer: &SigningKey,
        now_ms: u64,
        budgets: bool,
    ) -> PyResult<(RealmEngine, RealmAnswer)> {
        let bytes = exact(genesis)?;
        let limits = if budgets { Limits::default() } else { Limits::NONE };
        let key = sequencer.copy(genesis.py())?;
        guard_detached(genesis.py(), || {
            let log: Arc<dyn Log> = Arc::new(MemoryLog::new());
            let (engine, record) = Engine::create(log, key, bytes, now_ms, limits)?;
            let checkpoint = engine.head()?;
            Ok((
                RealmEngine(Arc::new(engine)),
                RealmAnswer { answer: Answer::Sequenced { record, error: None, checkpoint } },
            ))
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

    /// The receipt of the record at a position; with the proof that the newest head covers it, if asked for.
    #[pyo3(signature = (position, *, proof=false))]
    fn receipt<'py>(&self, py: Python<'py>, position: u64, proof: bool) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &guard_detached(py, || self.0.receipt(position, proof))?))
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
        Ok(found.into_iter().map(RealmEntry).collect())
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

/// Keyword arguments of a question, by way of JSON: ids as hex.
pub fn to_json(py: Python<'_>, arguments: Option<&Bound<'_, pyo3::types::PyDict>>) -> PyResult<Value> {
    let Some(arguments) = arguments else {
        return Ok(json!({}));
    };
    let text: String = py.import("json")?.getattr("dumps")?.call1((arguments,))?.extract()?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// Entries of an answer where the caller gives no limit.
const LIMIT: u64 = 10_000;

struct Asked<'a>(&'a Value);

impl Asked<'_> {
    fn wrong(name: &str) -> Error {
        Error::new(Code::ArgumentType, format!("the argument {name}"), "another value, or none")
    }

    fn id(&self, name: &str) -> Result<CoreId> {
        let bytes = self.0.get(name).and_then(Value::as_str).and_then(ama2sec_core::text::unhex);
        bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| Self::wrong(name))
    }

    fn ids(&self, name: &str) -> Result<Vec<CoreId>> {
        let list = self.0.get(name).and_then(Value::as_array).ok_or_else(|| Self::wrong(name))?;
        list.iter().map(|id| Asked(&json!({"id": id})).id("id")).collect()
    }

    fn number(&self, name: &str, default: u64) -> Result<usize> {
        let value = self.0.get(name).map_or(Some(default), Value::as_u64);
        value.and_then(|value| usize::try_from(value).ok()).ok_or_else(|| Self::wrong(name))
    }

    fn head(&self, name: &str) -> Result<HeadAt> {
        let part = self.0.get(name).ok_or_else(|| Self::wrong(name))?;
        let size = part.get("size").and_then(Value::as_u64).ok_or_else(|| Self::wrong(name))?;
        Ok(HeadAt { branch: Asked(part).id("branch")?, size })
    }
}

fn nodes(found: &[&Node]) -> Value {
    found.iter().map(|node| node_view(node)).collect()
}

/// The questions of dag.4.4, by name.
pub fn answer(replica: &Replica, question: &str, conversation: Option<CoreId>, arguments: &Value) -> Result<Value> {
    let (asked, state) = (Asked(arguments), replica.state());
    if question == "registry" {
        return Ok(state.registry().map_or(Value::Null, registry_view));
    }
    if question == "conversations" {
        return Ok(state.conversations().iter().map(|found| ama2sec_core::text::hex(found.id())).collect());
    }
    let unknown = || Error::new(Code::ConversationUnknown, "a conversation of this realm", "another");
    let conversation = conversation.ok_or_else(unknown)?;
    let dag: &Dag = replica.dag(&conversation).ok_or_else(unknown)?;
    let limit = asked.number("limit", LIMIT)?;
    if question == "timeline" {
        return Ok(dag.timeline(asked.number("start", 0)?, limit).iter().map(node_view).collect());
    }
    let branches = state.conversation(&conversation).ok_or_else(unknown)?.branches();
    Ok(match question {
        "heads" => heads(branches, limit)?.iter().map(head_view).collect(),
        "ancestors" => nodes(&dag.ancestors(branches, &asked.id("id")?, limit)?),
        "descendants" => nodes(&dag.descendants(branches, &asked.id("id")?, limit)?),
        "is_ancestor" => dag.is_ancestor(branches, &asked.id("above")?, &asked.id("id")?)?.into(),
        "path" => dag
            .path(&asked.id("id")?, &asked.id("to")?, limit)?
            .map_or(Value::Null, |chain| chain.iter().map(|id| ama2sec_core::text::hex(id)).collect()),
        "nearest_common_ancestors" => nodes(&dag.nearest_common_ancestors(branches, &asked.ids("ids")?, limit)?),
        "diff" => {
            let (first, second) = dag.diff(branches, asked.head("first")?, asked.head("second")?, limit)?;
            json!([nodes(&first), nodes(&second)])
        }
        "trace" => trace(replica, &conversation, &asked.id("id")?)?.iter().map(link_view).collect(),
        _ => {
            return Err(Error::new(
                Code::ArgumentRange,
                "a question of dag.4.4",
                ama2sec_core::text::shown(question.as_bytes()),
            ));
        }
    })
}

/// A record in the view for people.
#[pyfunction]
pub fn parse_record<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let bytes = exact(data)?;
    let record = guard_detached(data.py(), || Record::parse(bytes))?;
    from_json(data.py(), &record_view(&record))
}
