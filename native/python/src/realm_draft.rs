//! Writing in a realm, for Python: claims over what an agent has consumed, that wait for a signature.

use ama2sec_core::errors::{Code, Error};
use ama2sec_core::identity::{Name, Purpose};
use ama2sec_core::message::{
    self as core, Kind, Offer, OpenPart, RollbackPart, Seq, WorkflowState, genesis_from_json, grant_from_json,
    proposal_from_json, workflow_from_json,
};
use ama2sec_core::realm::draft::{
    Author, Parts, Seen, SeenRegistry, draft_approval, draft_close, draft_fork, draft_genesis, draft_message,
    draft_open, draft_proposal, draft_rollback,
};
use ama2sec_core::realm::replica::Replica;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::errors::{exact, exact_or_none, guard, guard_detached, to_py};
use crate::identity::{Id, PublicKey, SigningKey, random};
use crate::message::{Draft, addrs, keep_body};

/// Who writes, and what every entry has: the key that will sign, the agent that it acts for, the number, the time, recipients, a body.
///
/// `grant` is true for a sub-agent, whose grant has its own id. `workflow` is the step that is taken or approved, in the JSON view. The salts are drawn when it is made: use it for one entry.
#[pyclass(frozen, module = "ama2sec")]
pub struct EntryParts {
    author: PublicKey,
    agent: core::Id,
    grant: bool,
    seq: Seq,
    time: u64,
    recipients: Vec<core::Addr>,
    salt: [u8; 16],
    body: Option<(Py<PyBytes>, [u8; 32], String)>,
    workflow: Option<WorkflowState>,
}

#[pymethods]
impl EntryParts {
    #[new]
    #[pyo3(signature = (author, agent, seq, time_ms, *, grant=false, recipients=None, body=None, media_type="application/octet-stream", workflow=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords, in Python")]
    fn new(
        py: Python<'_>,
        author: &Bound<'_, PublicKey>,
        agent: &Id,
        seq: (u64, u32),
        time_ms: u64,
        grant: bool,
        recipients: Option<&Bound<'_, PyList>>,
        body: Option<&Bound<'_, PyAny>>,
        media_type: &str,
        workflow: Option<&str>,
    ) -> PyResult<EntryParts> {
        let (mut salt, mut body_salt) = ([0; 16], [0; 32]);
        random(py, &mut salt)?;
        random(py, &mut body_salt)?;
        exact_or_none(body)?;
        let body = keep_body(body, body_salt).map(|(body, salt)| (body, salt, media_type.to_owned()));
        let author = PublicKey(author.get().0.clone());
        let recipients = recipients.map(addrs).transpose()?.unwrap_or_default();
        let seq = Seq { epoch: seq.0, counter: seq.1 };
        let workflow = guard(py, || workflow.map_or(Ok(None), |view| workflow_from_json(&json_of(view)?)))?;
        Ok(EntryParts { author, agent: agent.0, grant, seq, time: time_ms, recipients, salt, body, workflow })
    }
}

impl EntryParts {
    fn author(&self) -> Author<'_> {
        Author { key: &self.author.0, agent: self.agent, grant: self.grant.then_some(self.agent) }
    }

    /// Make a draft, outside the interpreter lock.
    fn draft(
        &self,
        py: Python<'_>,
        make: impl FnOnce(Author<'_>, &Parts<'_>) -> Result<core::Draft, Error> + Send,
    ) -> PyResult<Draft> {
        let body = self
            .body
            .as_ref()
            .map(|(body, salt, media_type)| (core::BodyPart { salt, body: body.as_bytes(py) }, media_type.as_str()));
        let (recipients, seq) = (self.recipients.clone(), self.seq);
        let parts = Parts { recipients, seq, time: self.time, salt: self.salt, body, workflow: self.workflow.clone() };
        let author = self.author();
        let inner = guard_detached(py, || make(author, &parts))?;
        let body = self.body.as_ref().map(|(body, salt, _)| (body.clone_ref(py), *salt));
        Ok(Draft { inner, body })
    }
}

/// A prefix of a branch, and of the registry, that an agent has consumed.
#[pyclass(frozen, module = "ama2sec")]
pub struct RealmContext {
    registry: SeenRegistry,
    branch: Option<Seen>,
}

#[pymethods]
impl RealmContext {
    #[getter]
    fn registry_size(&self) -> u64 {
        self.registry.size
    }

    #[getter]
    fn size(&self) -> u64 {
        self.branch.map_or(self.registry.size, |seen| seen.size)
    }

    /// An `open`. Without members: everyone enrolled.
    /// With the name of a workflow: its instances live there, and if it is `required`, a message without a step is a note.
    #[pyo3(signature = (parts, members=None, *, definition=None, required=false))]
    fn open(
        &self,
        py: Python<'_>,
        parts: &EntryParts,
        members: Option<&Bound<'_, PyList>>,
        definition: Option<&str>,
        required: bool,
    ) -> PyResult<Draft> {
        let members = members.map(addrs).transpose()?;
        let definition = guard(py, || definition.map(Name::parse).transpose())?;
        let open = OpenPart { members, required, definition };
        parts.draft(py, |author, parts| draft_open(author, parts, &self.registry, open))
    }

    /// A `message`, which may merge other heads.
    #[pyo3(signature = (parts, merges=None))]
    fn message(&self, py: Python<'_>, parts: &EntryParts, merges: Option<Vec<Py<RealmContext>>>) -> PyResult<Draft> {
        let seen = guard(py, || self.seen())?;
        let merges = merges
            .unwrap_or_default()
            .iter()
            .map(|head| {
                let head = guard(py, || head.get().seen())?;
                Ok(core::Merge { branch: head.branch, size: head.size, fingerprint: head.fingerprint })
            })
            .collect::<PyResult<Vec<_>>>()?;
        parts.draft(py, |author, parts| draft_message(author, parts, &seen, merges))
    }

    /// A `fork`; with a grant (the JSON view of it) for a sub-agent.
    #[pyo3(signature = (parts, grant=None))]
    fn fork(&self, py: Python<'_>, parts: &EntryParts, grant: Option<&str>) -> PyResult<Draft> {
        let seen = guard(py, || self.seen())?;
        let grant = guard(py, || grant.map(|view| grant_from_json(&json_of(view)?)).transpose())?;
        parts.draft(py, |author, parts| draft_fork(author, parts, &seen, grant))
    }

    /// A `rollback` of what lies in `target` at `size` and behind, with the closure that `RealmEngine.ask("undoing")` gives.
    fn rollback(
        &self,
        py: Python<'_>,
        parts: &EntryParts,
        target: &Id,
        size: u64,
        closure: (u64, Bound<'_, Id>),
        reason: &str,
    ) -> PyResult<Draft> {
        let seen = guard(py, || self.seen())?;
        let (count, hash) = (closure.0, closure.1.get().0);
        let part = RollbackPart { target: target.0, keep: size, count, hash, reason: reason.to_owned() };
        parts.draft(py, |author, parts| draft_rollback(author, parts, &seen, part))
    }

    /// A `close` of the branch, or of the whole conversation.
    #[pyo3(signature = (parts, *, whole=false))]
    fn close(&self, py: Python<'_>, parts: &EntryParts, whole: bool) -> PyResult<Draft> {
        let seen = guard(py, || self.seen())?;
        parts.draft(py, |author, parts| draft_close(author, parts, &seen, whole))
    }

    /// A registry entry of its own: the kind, and what it says in the JSON view.
    fn propose(&self, py: Python<'_>, parts: &EntryParts, kind: &str, view: &str) -> PyResult<Draft> {
        let proposal = guard(py, || proposal_from_json(kind_of(kind)?, &json_of(view)?))?;
        parts.draft(py, |author, parts| draft_proposal(author, parts, &self.registry, proposal))
    }

    /// The approval of somebody else's proposal.
    fn approve(&self, py: Python<'_>, parts: &EntryParts, kind: &str, proposal: &Id) -> PyResult<Draft> {
        let kind = guard(py, || kind_of(kind))?;
        parts.draft(py, |author, parts| draft_approval(author, parts, &self.registry, kind, proposal.0))
    }
}

impl RealmContext {
    fn seen(&self) -> Result<Seen, Error> {
        self.branch.ok_or_else(|| Error::new(Code::ArgumentRange, "a context in a conversation", "one of the registry"))
    }
}

fn json_of(view: &str) -> Result<serde_json::Value, Error> {
    serde_json::from_str(view).map_err(|_| Error::new(Code::ArgumentRange, "a view as JSON", "something else"))
}

fn kind_of(kind: &str) -> Result<Kind, Error> {
    let got = ama2sec_core::text::shown(kind.as_bytes());
    Kind::from_text(kind).ok_or_else(|| Error::new(Code::ArgumentRange, "the name of a kind", got))
}

/// What an agent has consumed of a realm: see `RealmEngine.context`.
pub fn context_in(
    replica: &Replica,
    conversation: Option<core::Id>,
    branch: Option<core::Id>,
    size: Option<u64>,
    registry_size: Option<u64>,
) -> Result<RealmContext, Error> {
    let state = replica.state();
    let registry = state.seen_registry(registry_size.unwrap_or_else(|| state.registry_size()))?;
    let Some(conversation) = conversation else {
        return Ok(RealmContext { registry, branch: None });
    };
    let branch = branch.unwrap_or(conversation);
    let whole = state.conversation(&conversation).and_then(|found| {
        let branches = found.branches();
        branches.get(branches.number(&branch)?).ok().map(|branch| branch.size)
    });
    let seen = state.seen(registry, &conversation, &branch, size.or(whole).unwrap_or(0))?;
    Ok(RealmContext { registry, branch: Some(seen) })
}

/// A genesis from its document in the JSON view, by one of its roots.
#[pyfunction]
#[pyo3(signature = (author, document, time_ms, salt=None))]
pub fn draft_realm(
    py: Python<'_>,
    author: &PublicKey,
    document: &str,
    time_ms: u64,
    salt: Option<[u8; 16]>,
) -> PyResult<Draft> {
    let salt = match salt {
        Some(salt) => salt,
        None => {
            let mut drawn = [0; 16];
            random(py, &mut drawn)?;
            drawn
        }
    };
    let inner = guard(py, || draft_genesis(&author.0, genesis_from_json(&json_of(document)?)?, time_ms, salt))?;
    Ok(Draft { inner, body: None })
}

/// An offer: proof of possession of a key that is to be enrolled or granted. `next` is the digest of the key that may follow.
#[pyfunction]
#[pyo3(signature = (key, realm, purpose, name, next_key=None))]
pub fn sign_offer<'py>(
    py: Python<'py>,
    key: &SigningKey,
    realm: &Id,
    purpose: &str,
    name: &str,
    next_key: Option<&Id>,
) -> PyResult<Bound<'py, PyBytes>> {
    let signature = guard(py, || {
        let (purpose, name) = (Purpose::from_text(purpose)?, Name::parse(name)?);
        Ok(Offer { realm: &realm.0, purpose, name: &name, next: next_key.map(|id| &id.0) }.sign(&key.0))
    })?;
    Ok(PyBytes::new(py, &signature))
}

/// The digest by which a key names the one that may replace it.
#[pyfunction]
pub fn next_key_digest(key: &Bound<'_, PyAny>) -> PyResult<Id> {
    let bytes = exact(key)?;
    let wrong = || Error::new(Code::KeyLength, "a key of 32 bytes", format!("{} bytes", bytes.len()));
    let bytes: &[u8; 32] = bytes.try_into().map_err(|_| to_py(key.py(), &wrong()))?;
    Ok(Id(core::next_key_digest(bytes)))
}
