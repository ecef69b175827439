//! A person's last word, for Python: what is beside a realm, and what an engine does about it (halt).

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ama2sec_core::errors::{Code, Error, Result};
use ama2sec_core::halt::{Content, Header, Latch, Latched, Scope, Sidecar, Stop, sidecar_of};
use ama2sec_core::identity::Name;
use ama2sec_core::message::{Act, Claims, HaltPart, Id as CoreId, UnverifiedEnvelope};
use ama2sec_core::realm::draft::{self, Author, Bare};
use ama2sec_core::realm::engine::Engine;
use ama2sec_core::realm::log::Log;
use ama2sec_core::realm::stopping::{Halted, local_halt_id};
use ama2sec_core::text;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Value, json};

use crate::errors::{exact, guard, guard_detached};
use crate::identity::{Id, PublicKey, random};
use crate::message::{Draft, from_json};

/// The canonical bytes of a scope from its words: `realm`, `conversation`, `branch`, `instance`, `definition`, `agent`.
#[pyfunction]
#[pyo3(signature = (kind, first=None, second=None, name=None))]
pub fn halt_scope<'py>(
    py: Python<'py>,
    kind: &str,
    first: Option<&Id>,
    second: Option<&Id>,
    name: Option<&str>,
) -> PyResult<Bound<'py, PyBytes>> {
    let wrong = || Error::new(Code::ArgumentRange, "a scope with its ids", text::shown(kind.as_bytes()));
    let scope = guard(py, || match (kind, first.map(|id| id.0), second.map(|id| id.0), name) {
        ("realm", None, None, None) => Ok(Scope::Realm),
        ("conversation", Some(id), None, None) => Ok(Scope::Conversation(id)),
        ("branch", Some(id), Some(branch), None) => Ok(Scope::Branch(id, branch)),
        ("instance", Some(id), Some(instance), None) => Ok(Scope::Instance(id, instance)),
        ("definition", None, None, Some(name)) => Name::parse(name).map(Scope::Definition),
        ("agent", Some(id), None, None) => Ok(Scope::Agent(id)),
        _ => Err(wrong()),
    })?;
    Ok(PyBytes::new(py, &scope.encode()))
}

fn scope_view(scope: &[u8]) -> Value {
    match Scope::read(scope) {
        Some(Scope::Realm) => json!({"kind": "realm"}),
        Some(Scope::Conversation(id)) => json!({"kind": "conversation", "conversation": text::hex(&id)}),
        Some(Scope::Branch(id, branch)) => {
            json!({"kind": "branch", "conversation": text::hex(&id), "branch": text::hex(&branch)})
        }
        Some(Scope::Instance(id, instance)) => {
            json!({"kind": "instance", "conversation": text::hex(&id), "instance": text::hex(&instance)})
        }
        Some(Scope::Definition(name)) => json!({"kind": "definition", "definition": name.as_str()}),
        Some(Scope::Agent(id)) => json!({"kind": "agent", "agent": text::hex(&id)}),
        None => json!({"kind": "realm", "unreadable": text::hex(scope)}),
    }
}

fn claims_view(claims: &Claims) -> Value {
    let (scope, reason) = match &claims.act {
        Some(Act::Halt(part)) => (part.scope.as_slice(), part.reason.as_str()),
        _ => (&[][..], ""),
    };
    json!({"scope": scope_view(scope), "reason": reason, "time": claims.time, "agent": text::hex(&claims.agent),
           "kind": claims.kind.as_str()})
}

fn stop_view(header: &Header, stop: &Stop) -> Value {
    match &stop.content {
        Content::Local { time, scope, reason, .. } => {
            let id = local_halt_id(header, &stop.content).map(|id| text::hex(&id));
            json!({"halt": id, "kind": "local-halt", "recorded": false, "scope": scope_view(scope), "reason": reason, "time": time})
        }
        Content::Signed(envelope) => match UnverifiedEnvelope::parse(envelope) {
            Ok(parsed) => {
                let mut view = claims_view(parsed.claims());
                if let Some(view) = view.as_object_mut() {
                    view.insert("halt".to_owned(), text::hex(parsed.id()).into());
                }
                view
            }
            Err(_) => json!({"halt": null, "kind": "unreadable", "scope": {"kind": "realm"}, "reason": "", "time": 0}),
        },
        _ => Value::Null,
    }
}

fn status_view(header: &Header, latched: &Latched) -> Value {
    let stops: Vec<Value> = latched.stops.iter().map(|stop| stop_view(header, stop)).collect();
    json!({"stopped": !latched.is_clear(), "fault": latched.fault, "stops": stops, "resumes": latched.resumes.len()})
}

fn halted_tuple(halted: &Halted) -> (Id, &'static str, Option<&'static str>) {
    (Id(halted.id), halted.outcome.as_str(), halted.alarm.map(Code::as_str))
}

fn wait(ms: u64) -> Duration {
    Duration::from_millis(ms.min(3_600_000))
}

/// The sidecar of a realm, opened by itself: nothing else of the realm is looked at.
#[pyclass(frozen, module = "ama2sec")]
pub struct LatchFile(Mutex<Latch>);

#[pymethods]
impl LatchFile {
    /// Of the realm at `path`. With `make` one that is missing is made, and stops what finds it. Raises `FileUnreadable` (no realm, or no
    /// sidecar), `LatchForm`, `LogReadOnly`, `LogFull`.
    #[staticmethod]
    #[pyo3(signature = (path, *, make=false))]
    fn open(py: Python<'_>, path: PathBuf, make: bool) -> PyResult<LatchFile> {
        guard_detached(py, || {
            let sidecar = sidecar_of(&path);
            if make && path.exists() && sidecar.symlink_metadata().is_err() {
                match Sidecar::create(&sidecar, &Header::default()) {
                    Err(fault) if fault.code != Code::FileExists => return Err(fault),
                    _ => {}
                }
            }
            Ok(LatchFile(Mutex::new(Latch::beside(&sidecar)?)))
        })
    }

    /// Latch a halt without a key: its id (None: not known to who made the sidecar), and what became of it. It waits for no disk: `sync` does.
    fn stop(
        &self,
        py: Python<'_>,
        scope: &Bound<'_, PyAny>,
        reason: String,
        time_ms: u64,
    ) -> PyResult<(Option<Id>, &'static str)> {
        let scope = exact(scope)?.to_vec();
        let mut salt = [0; 16];
        random(py, &mut salt)?;
        guard_detached(py, || {
            let latch = self.latch()?;
            let header = latch.header()?.unwrap_or_default();
            let content = Content::Local { salt, time: time_ms, scope, reason };
            latch.stop(content.clone())?;
            Ok((local_halt_id(&header, &content).map(Id), "latched"))
        })
    }

    /// Latch an operator's halt as it was signed. Whether the signature is right is the engine's to say.
    fn stop_signed(&self, envelope: &Bound<'_, PyAny>) -> PyResult<(Option<Id>, &'static str)> {
        let bytes = exact(envelope)?.to_vec();
        guard_detached(envelope.py(), || {
            let id = *UnverifiedEnvelope::parse(&bytes)?.id();
            let written = self.latch()?.stop(Content::Signed(bytes))?;
            Ok((Some(Id(id)), if written.is_some() { "latched" } else { "already" }))
        })
    }

    /// Whether the disk has what was latched.
    fn sync(&self, py: Python<'_>) -> PyResult<bool> {
        guard_detached(py, || Ok(self.latch()?.sync()))
    }

    /// A resume that waits for whoever has the realm open, or opens it next.
    fn post(&self, envelope: &Bound<'_, PyAny>) -> PyResult<()> {
        let bytes = exact(envelope)?.to_vec();
        guard_detached(envelope.py(), || self.latch()?.post(bytes))
    }

    /// Whether everybody who was on his way has arrived.
    fn quiesce(&self, py: Python<'_>, longest_ms: u64) -> PyResult<bool> {
        guard_detached(py, || Ok(self.latch()?.quiesce(wait(longest_ms))))
    }

    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let view = guard_detached(py, || {
            let latch = self.latch()?;
            Ok(status_view(&latch.header().ok().flatten().unwrap_or_default(), &latch.look()))
        })?;
        from_json(py, &view)
    }

    /// The realm that the sidecar names; None: nobody has said.
    #[getter]
    fn realm(&self, py: Python<'_>) -> PyResult<Option<Id>> {
        let header = guard_detached(py, || self.latch()?.header())?;
        Ok(header.map(|header| header.realm).filter(|realm| *realm != [0; 32]).map(Id))
    }

    /// The agent id of the operator or root with this key.
    fn agent_of(&self, py: Python<'_>, key: &PublicKey) -> PyResult<Option<Id>> {
        guard_detached(py, || Ok(self.latch()?.agent_of(key.0.thumbprint()).map(Id)))
    }

    /// How many programs have the realm open, how many saw a change, and after how many microseconds.
    fn drill(&self, py: Python<'_>, longest_ms: u64) -> PyResult<(usize, usize, u64)> {
        let mut id = [0; 16];
        random(py, &mut id)?;
        guard_detached(py, || {
            let drill = self.latch()?.drill(id, wait(longest_ms))?;
            Ok((drill.gates, drill.saw, u64::try_from(drill.took.as_micros()).unwrap_or(u64::MAX)))
        })
    }
}

impl LatchFile {
    fn latch(&self) -> Result<std::sync::MutexGuard<'_, Latch>> {
        Ok(self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// What an engine does about stops: `RealmEngine.halts`.
#[pyclass(frozen, module = "ama2sec")]
pub struct EngineHalts(pub Arc<Engine<Arc<dyn Log>>>);

#[pymethods]
impl EngineHalts {
    /// Latch an operator's halt. Raises what does not verify; see halt.5.1.
    fn halt(&self, envelope: &Bound<'_, PyAny>) -> PyResult<(Id, &'static str, Option<&'static str>)> {
        let bytes = exact(envelope)?;
        guard_detached(envelope.py(), || Ok(halted_tuple(&self.0.halt(bytes)?)))
    }

    /// Latch a halt of somebody on the host.
    fn halt_locally(
        &self,
        py: Python<'_>,
        scope: &Bound<'_, PyAny>,
        reason: String,
        time_ms: u64,
    ) -> PyResult<(Id, &'static str, Option<&'static str>)> {
        let scope = exact(scope)?.to_vec();
        let mut salt = [0; 16];
        random(py, &mut salt)?;
        guard_detached(py, || Ok(halted_tuple(&self.0.halt_locally(scope, reason, time_ms, salt)?)))
    }

    /// Whether the disk has what was latched.
    fn sync(&self, py: Python<'_>) -> PyResult<bool> {
        guard_detached(py, || Ok(self.0.latch().sync()))
    }

    /// Write what is latched into the log, unless somebody has the engine, who then does it. Whether it was done.
    fn record(&self, py: Python<'_>, now_ms: u64) -> PyResult<bool> {
        guard_detached(py, || self.0.record_halts(now_ms))
    }

    /// Whether everybody who was on his way, in every program, has arrived.
    fn quiesce(&self, py: Python<'_>, longest_ms: u64) -> PyResult<bool> {
        guard_detached(py, || Ok(self.0.quiesce(wait(longest_ms))))
    }

    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let view = guard_detached(py, || {
            let latch = self.0.latch();
            Ok(status_view(&latch.header().ok().flatten().unwrap_or_default(), &latch.look()))
        })?;
        from_json(py, &view)
    }

    /// Nothing is latched, and there is a latch.
    #[getter]
    fn is_clear(&self) -> bool {
        self.0.latch().look().is_clear()
    }

    /// Another number after each change of the latch.
    #[getter]
    fn epoch(&self) -> u64 {
        self.0.latch().look().epoch
    }

    /// Raises `Latched` where a stop covers this message, or the agent that it would go to.
    #[pyo3(signature = (message, to=None))]
    fn check(&self, py: Python<'_>, message: &Id, to: Option<&Id>) -> PyResult<()> {
        guard_detached(py, || self.0.check_passage(&message.0, to.map(|id| &id.0)))
    }

    /// Somebody is on his way with a message, and has looked at the latch: a ticket for `leave`.
    fn enter(&self) -> u64 {
        self.0.latch().go_in()
    }

    /// This program is done with the realm.
    fn close(&self) {
        self.0.latch().close();
    }

    fn leave(&self, ticket: u64) {
        self.0.latch().go_out(ticket);
    }
}

fn bare(py: Python<'_>, realm: &Id, time: u64) -> PyResult<Bare> {
    let mut salt = [0; 16];
    random(py, &mut salt)?;
    Ok(Bare { realm: realm.0, time, salt })
}

/// An operator's halt.
#[pyfunction]
pub fn draft_halt(
    py: Python<'_>,
    author: &PublicKey,
    agent: &Id,
    realm: &Id,
    scope: &Bound<'_, PyAny>,
    reason: String,
    time_ms: u64,
) -> PyResult<Draft> {
    let (bare, scope) = (bare(py, realm, time_ms)?, exact(scope)?.to_vec());
    let author = Author { key: &author.0, agent: agent.0, grant: None };
    let inner = guard(py, || draft::draft_halt(author, bare, HaltPart { scope, reason }, false))?;
    Ok(Draft { inner, body: None })
}

/// The end of halts: a proposal that names them, or with `approves` the approval of one.
#[pyfunction]
#[pyo3(signature = (author, agent, realm, halts, reason, time_ms, approves=None))]
#[expect(clippy::too_many_arguments, reason = "they are the claims of one entry")]
pub fn draft_resume(
    py: Python<'_>,
    author: &PublicKey,
    agent: &Id,
    realm: &Id,
    halts: Vec<PyRef<'_, Id>>,
    reason: String,
    time_ms: u64,
    approves: Option<&Id>,
) -> PyResult<Draft> {
    let bare = bare(py, realm, time_ms)?;
    let author = Author { key: &author.0, agent: agent.0, grant: None };
    let halts: Vec<CoreId> = halts.iter().map(|id| id.0).collect();
    let inner = guard(py, || match approves {
        Some(proposal) => draft::draft_resume_approval(author, bare, proposal.0),
        None => draft::draft_resume(author, bare, halts, reason),
    })?;
    Ok(Draft { inner, body: None })
}
