//! The room history, for Python.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use ama2sec_core::errors::{Code, Error, Result};
use ama2sec_core::history::accumulator::{Scope, fingerprints};
use ama2sec_core::history::conversation::Admittable;
use ama2sec_core::history::head::{Fingerprint as CoreFingerprint, Head};
use ama2sec_core::history::keeper::Keeper;
use ama2sec_core::history::nodes::FileNodes;
use ama2sec_core::history::report::{FirstFault, ProvenBy, Repair, Report};
use ama2sec_core::history::sha_tree::{rfc6962_leaf, rfc6962_root as core_rfc6962_root};
use ama2sec_core::history::transcript::{HEADER, Step, TranscriptReader as CoreReader};
use ama2sec_core::history::verify::{Failure, TranscriptVerifier as CoreVerifier};
use ama2sec_core::identity::Directory;
use ama2sec_core::limits::WINDOW;
use ama2sec_core::message::{self as core, Id as CoreId, Incoming, VerifiedEnvelope};
use ama2sec_core::text;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use serde_json::{Value, json};

use crate::errors::{Text, Uint, exact, exact_or_none, guard, guard_detached, to_py};
use crate::identity::{CoreDirectory, Id, PublicKey};
use crate::message::{Draft, Message, from_json, keep_body, parts};
use crate::tree::hash_of;

type Nodes = FileNodes<File>;
type Reduced<'py> = (Bound<'py, PyAny>, (Id, Id, Id, u64, Id));

/// Nodes of older subtrees go to an unnamed file that vanishes with the process.
fn node_file(py: Python<'_>) -> PyResult<Nodes> {
    let wrong =
        |fault: std::io::Error| Error::new(Code::WriteFailed, "to make a temporary file", fault.kind().to_string());
    guard(py, || tempfile::tempfile().map(|file| FileNodes::new(file, WINDOW)).map_err(wrong))
}

/// The trusted size and fingerprint of a history, and what it is the history of. Keep it: a cut tail shows against it.
#[pyclass(frozen, module = "ama2sec")]
pub struct Fingerprint(pub CoreFingerprint);

#[pymethods]
impl Fingerprint {
    #[new]
    fn new(py: Python<'_>, realm: &Id, conversation: &Id, branch: &Id, size: Uint, hash: &Id) -> PyResult<Fingerprint> {
        let size = size.0;
        guard(py, || {
            if size == 0 || size >= ama2sec_core::limits::SIZE_END {
                return Err(Error::new(Code::HeadForm, "a size of 1 to 2^48 - 1", size.to_string()));
            }
            let scope = Scope { realm: realm.0, conversation: conversation.0, branch: branch.0 };
            Ok(Fingerprint(CoreFingerprint { scope, head: Head { size, fingerprint: hash.0 } }))
        })
    }

    #[getter]
    fn realm(&self) -> Id {
        Id(self.0.scope.realm)
    }

    #[getter]
    fn conversation(&self) -> Id {
        Id(self.0.scope.conversation)
    }

    #[getter]
    fn branch(&self) -> Id {
        Id(self.0.scope.branch)
    }

    /// The number of entries that it covers.
    #[getter]
    fn size(&self) -> u64 {
        self.0.head.size
    }

    #[getter]
    fn hash(&self) -> Id {
        Id(self.0.head.fingerprint)
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<Fingerprint {}>", self.0)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Fingerprint>().is_ok_and(|other| other.get().0 == self.0)
    }

    fn __hash__(&self) -> u64 {
        self.0.head.fingerprint.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        let parts = (self.realm(), self.conversation(), self.branch(), self.size(), self.hash());
        Ok((py.import("ama2sec")?.getattr("Fingerprint")?, parts))
    }
}

/// Size and fingerprint of a head's text form.
#[pyfunction]
pub fn parse_head<'py>(py: Python<'py>, value: Text) -> PyResult<(u64, Bound<'py, PyBytes>)> {
    let head = guard(py, || Head::parse(&value))?;
    Ok((head.size, PyBytes::new(py, &head.fingerprint)))
}

/// The first item of every transcript.
#[pyfunction]
pub fn transcript_header(py: Python<'_>) -> Bound<'_, PyBytes> {
    PyBytes::new(py, &HEADER)
}

/// What verifying a whole transcript found.
#[pyclass(frozen, module = "ama2sec._native", get_all)]
pub struct Verified {
    head: Py<Fingerprint>,
    entries: u64,
    authors: usize,
    lag: u64,
    tail: &'static str,
}

/// Verifies a transcript in one pass, in bounded memory, outside the interpreter lock.
#[pyclass(frozen, module = "ama2sec._native")]
pub struct TranscriptVerifier(Mutex<Option<CoreVerifier<Arc<Directory>, Nodes>>>);

fn used_up() -> Error {
    Error::new(Code::ArgumentRange, "a verifier that has not finished", "one that has")
}

#[pymethods]
impl TranscriptVerifier {
    #[new]
    #[pyo3(signature = (directory, head))]
    fn new(py: Python<'_>, directory: &CoreDirectory, head: Option<(u64, [u8; 32])>) -> PyResult<TranscriptVerifier> {
        let head = head.map(|(size, fingerprint)| Head { size, fingerprint });
        Ok(TranscriptVerifier(Mutex::new(Some(CoreVerifier::new(directory.snapshot(), head, node_file(py)?)))))
    }

    /// The next bytes of the file. A fault in them is the verdict that `finish` gives.
    fn feed(&self, chunk: &Bound<'_, PyAny>) -> PyResult<()> {
        let bytes = exact(chunk)?;
        guard_detached(chunk.py(), || {
            let mut verifier = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            verifier.as_mut().ok_or_else(used_up)?.feed(bytes)
        })
    }

    /// Entries that were judged so far.
    #[getter]
    fn entries(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, CoreVerifier::entries)
    }

    /// The file ends here: the result, or the first fault's error with its `report`.
    fn finish(&self, py: Python<'_>) -> PyResult<Verified> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let verifier = guard(py, || taken.ok_or_else(used_up))?;
        match guard_detached(py, || Ok(verifier.finish()))? {
            Ok(found) => Ok(Verified {
                head: Py::new(py, Fingerprint(found.head))?,
                entries: found.entries,
                authors: found.authors,
                lag: found.lag,
                tail: if found.tail_checked { "checked" } else { "unchecked" },
            }),
            Err(Failure::Broken(fault)) => Err(to_py(py, &fault)),
            Err(Failure::Fault(fault)) => {
                let raised = to_py(py, fault.error());
                raised.value(py).setattr("report", from_json(py, &report_view(&fault.report))?)?;
                Err(raised)
            }
        }
    }
}

fn optional(id: Option<&CoreId>) -> Value {
    id.map_or(Value::Null, |id| text::hex(id).into())
}

fn report_view(report: &Report) -> Value {
    json!({
        "entries_read": report.entries_read,
        "sound": report.sound,
        "first_fault": fault_view(&report.first_fault),
        "repairs": report.repairs.iter().map(repair_view).collect::<Vec<_>>(),
        "fits_after": report.fits_after,
        "misfits_after": report.misfits_after,
        "misfits": report.misfits,
        "judged": report.judged,
        "head": report.head.map(|head| head.to_string()),
        "lag": report.lag,
    })
}

fn fault_view(fault: &FirstFault) -> Value {
    json!({
        "position": fault.position,
        "offset": fault.offset,
        "code": fault.error.code.as_str(),
        "expected": fault.error.expected,
        "got": fault.error.got,
        "id": optional(fault.id.as_ref()),
        "author": fault.author_name,
        "author_id": optional(fault.author.as_ref()),
    })
}

fn repair_view(repair: &Repair) -> Value {
    let proof = match &repair.proven_by {
        ProvenBy::Entry { position, id } => json!({"by": "entry", "position": position, "id": text::hex(id)}),
        ProvenBy::Head => json!({"by": "head"}),
        ProvenBy::Itself => json!({"by": "itself"}),
        ProvenBy::Nothing => Value::Null,
    };
    let evidence = repair.evidence.as_ref().map(|pair| json!([text::hex(&pair.first), text::hex(&pair.second)]));
    json!({
        "kind": repair.kind.as_str(),
        "position": repair.position,
        "ids": repair.ids.iter().map(|id| text::hex(id)).collect::<Vec<_>>(),
        "proven_by": proof,
        "evidence": evidence,
    })
}

/// Splits a transcript into its entries; verifies nothing.
#[pyclass(frozen, module = "ama2sec._native")]
pub struct TranscriptReader(Mutex<Reading>);

struct Reading {
    reader: CoreReader,
    /// Records and checkpoints may stand between the entries (record.4.1).
    realm: bool,
    /// Met in a chunk that had whole entries before it: those come first.
    fault: Option<Error>,
}

impl Reading {
    fn feed(&mut self, mut rest: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut entries = Vec::new();
        let fault = loop {
            if let Some(fault) = self.fault.take() {
                break fault;
            }
            match self.reader.next(&mut rest, false) {
                Step::Item(item) => match item.entry {
                    Ok(_) => entries.push(item.bytes.to_vec()),
                    Err(_) if self.realm && matches!(item.bytes, [0x82, 2 | 3, ..]) => {}
                    Err(fault) => break fault,
                },
                Step::Fault(fault) => break fault.error,
                Step::More | Step::End => return Ok(entries),
            }
        };
        self.fault = Some(fault.clone());
        if entries.is_empty() { Err(fault) } else { Ok(entries) }
    }

    fn finish(&mut self) -> Result<u64> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        match self.reader.next(&mut [].as_slice(), true) {
            Step::Fault(fault) => fault.partial.ok_or(fault.error),
            _ => Ok(0),
        }
    }
}

#[pymethods]
impl TranscriptReader {
    /// `bare`: the entries stand without a transcript's header before them. `realm`: records and checkpoints between them are passed over.
    #[new]
    #[pyo3(signature = (*, bare = false, realm = false))]
    fn new(bare: bool, realm: bool) -> TranscriptReader {
        let reader = if bare { CoreReader::resume(0) } else { CoreReader::new() };
        TranscriptReader(Mutex::new(Reading { reader, realm, fault: None }))
    }

    /// The entries that end in this chunk. Raises the fault of the first item that is none, after the entries before it.
    fn feed<'py>(&self, py: Python<'py>, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let bytes = exact(chunk)?;
        let entries = guard(py, || self.0.lock().unwrap_or_else(PoisonError::into_inner).feed(bytes))?;
        PyList::new(py, entries.iter().map(|entry| PyBytes::new(py, entry)))
    }

    /// The end of the file: how many bytes of an entry a crash has left there. Raises for any other fault.
    fn finish(&self, py: Python<'_>) -> PyResult<u64> {
        guard(py, || self.0.lock().unwrap_or_else(PoisonError::into_inner).finish())
    }
}

/// What is known of a conversation: enough to judge the next entry and to sign one.
#[pyclass(frozen, module = "ama2sec._native")]
pub struct ConversationState {
    keeper: Mutex<Keeper<Nodes>>,
    directory: Py<CoreDirectory>,
}

/// An entry that passed every check against one state of one conversation.
#[pyclass(frozen, module = "ama2sec._native")]
pub struct Checked {
    message: VerifiedEnvelope,
    entry: Vec<u8>,
    admittable: Mutex<Option<Admittable>>,
}

#[pymethods]
impl Checked {
    /// True: the very same entry is in the conversation already.
    #[getter]
    fn stored(&self) -> bool {
        self.admittable.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    #[getter]
    fn message(&self) -> Message {
        Message(self.message.clone())
    }

    /// The bytes to append to the transcript.
    #[getter]
    fn entry<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.entry)
    }
}

fn no_open() -> Error {
    Error::new(Code::OpenMissing, "a conversation with its open", "none")
}

impl ConversationState {
    fn with<T>(&self, call: impl FnOnce(&mut Keeper<Nodes>) -> Result<T>) -> Result<T> {
        // A call that panicked may have left it half-changed: it answers no more.
        let mut held =
            self.keeper.lock().map_err(|_| Error::new(Code::Panic, "a conversation without a fault", "a fault"))?;
        call(&mut held)
    }
}

#[pymethods]
impl ConversationState {
    #[new]
    fn new(py: Python<'_>, directory: Py<CoreDirectory>) -> PyResult<ConversationState> {
        Ok(ConversationState { keeper: Mutex::new(Keeper::new(node_file(py)?)), directory })
    }

    /// Verify entries (signatures on all cores, then the history in order) and take them in, up to the first that fails.
    fn admit_many(&self, py: Python<'_>, entries: &Bound<'_, PyList>) -> PyResult<()> {
        let held: Vec<Bound<'_, PyAny>> = entries.iter().collect();
        let data = held.iter().map(exact).collect::<PyResult<Vec<&[u8]>>>()?;
        let directory = self.directory.get().snapshot();
        guard_detached(py, || {
            let items: Vec<Incoming<'_>> = data.iter().map(|data| Incoming { data, body: None }).collect();
            let verdicts = core::verify_many(&items, &directory, 0);
            self.with(|keeper| {
                verdicts.into_iter().zip(&data).try_for_each(|(verdict, data)| {
                    let admittable = keeper.state().check(&verdict?)?;
                    keeper.apply(admittable, data.len())
                })
            })
        })
    }

    /// Every check of fingerprint.6 for the next entry; changes nothing.
    fn check(&self, data: &Bound<'_, PyAny>) -> PyResult<Checked> {
        let bytes = exact(data)?;
        let directory = self.directory.get().snapshot();
        guard_detached(data.py(), || {
            let parsed = core::parse_message(bytes)?;
            let message = core::UnverifiedEnvelope::parse(parsed.envelope)?.verify(&directory, parsed.body)?;
            let entry = core::encode_entry(parsed.envelope, parsed.body);
            let verdict = self.with(|keeper| keeper.check(&message))?;
            Ok(Checked { message, entry, admittable: Mutex::new(verdict) })
        })
    }

    /// Take in what was checked. Fails if the conversation has moved on since.
    fn apply(&self, py: Python<'_>, checked: &Checked) -> PyResult<Message> {
        guard(py, || {
            let admittable = checked.admittable.lock().unwrap_or_else(PoisonError::into_inner).take();
            let admittable = admittable
                .ok_or_else(|| Error::new(Code::Internal, "an entry that was not taken in yet", "one that was"))?;
            self.with(|keeper| keeper.apply(admittable, checked.entry.len()))
        })?;
        Ok(checked.message())
    }

    #[getter]
    fn head(&self, py: Python<'_>) -> PyResult<Fingerprint> {
        guard(py, || self.with(|keeper| keeper.state().head())?.map(Fingerprint).ok_or_else(no_open))
    }

    #[getter]
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        guard(py, || self.with(|keeper| Ok(keeper.state().size())))
    }

    /// The bytes of the transcript so far: its header and the entries that were taken in.
    #[getter]
    fn length(&self, py: Python<'_>) -> PyResult<u64> {
        guard(py, || self.with(|keeper| Ok(keeper.length())))
    }

    /// The last number that the author used here: (epoch, counter).
    fn last_seq(&self, py: Python<'_>, author: &Id) -> PyResult<Option<(u64, u32)>> {
        guard(py, || self.with(|keeper| Ok(keeper.state().last_seq(&author.0).map(|seq| (seq.epoch, seq.counter)))))
    }
}

/// A message over all but the last `behind` entries of a conversation.
#[pyfunction]
#[pyo3(signature = (author, state, seq, body, media_type, recipients, time_ms, behind=0))]
#[expect(clippy::too_many_arguments, reason = "they are the claims of one message")]
pub fn draft_message(
    py: Python<'_>,
    author: &PublicKey,
    state: &ConversationState,
    seq: (u64, u32),
    body: Option<&Bound<'_, PyAny>>,
    media_type: Text,
    recipients: &Bound<'_, PyList>,
    time_ms: Uint,
    behind: u64,
) -> PyResult<Draft> {
    let data = exact_or_none(body)?;
    let mut salt = [0; 32];
    let parts = parts(py, author, data, &media_type, recipients, time_ms.0, &mut salt)?;
    let inner = guard_detached(py, || {
        let (head, parent) = state.with(|keeper| {
            let state = keeper.state();
            let size = state.size().checked_sub(behind).filter(|size| *size > 0).ok_or_else(no_open)?;
            Ok((state.head_at(size)?.ok_or_else(no_open)?, state.leaf(size - 1)?))
        })?;
        let seq = core::Seq { epoch: seq.0, counter: seq.1 };
        core::Draft::message(parts, head.scope.conversation, head.head.size, head.head.fingerprint, parent, seq)
    })?;
    Ok(Draft { inner, body: keep_body(body, salt) })
}

fn hashes(list: &Bound<'_, PyList>) -> PyResult<Vec<CoreId>> {
    list.iter().map(|item| hash_of(&item).copied()).collect()
}

/// The fingerprints at sizes 0 to the number of ids.
#[pyfunction]
pub fn branch_fingerprints<'py>(
    py: Python<'py>,
    realm: &Id,
    conversation: &Id,
    branch: &Id,
    ids: &Bound<'py, PyList>,
) -> PyResult<Bound<'py, PyList>> {
    let ids = hashes(ids)?;
    let scope = Scope { realm: realm.0, conversation: conversation.0, branch: branch.0 };
    let found = guard_detached(py, || fingerprints(&scope, &ids))?;
    PyList::new(py, found.iter().map(|hash| PyBytes::new(py, hash)))
}

/// The SHA-256 tree head of RFC 6962 over leaf data, or over leaf hashes.
#[pyfunction]
#[pyo3(signature = (leaves, *, hashed=false))]
pub fn rfc6962_root<'py>(py: Python<'py>, leaves: &Bound<'py, PyList>, hashed: bool) -> PyResult<Bound<'py, PyBytes>> {
    let hashed_leaves: Vec<CoreId> = if hashed {
        hashes(leaves)?
    } else {
        leaves.iter().map(|item| exact(&item).map(rfc6962_leaf)).collect::<PyResult<_>>()?
    };
    let root = guard_detached(py, || core_rfc6962_root(hashed_leaves.iter()))?;
    Ok(PyBytes::new(py, &root))
}
