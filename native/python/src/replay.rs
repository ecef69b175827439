//! The room realm, for Python: replays, heads, receipts and evidence.

use std::sync::{Mutex, PoisonError};

use ama2sec_core::errors::{Code, Error};
use ama2sec_core::realm::checkpoint::{
    Checkpoint as CoreCheckpoint, Relation, check_checkpoint as core_check_checkpoint, compare_checkpoints,
    stated_origin,
};
use ama2sec_core::realm::evidence::{check_equivocation as core_equivocation, check_fork as core_fork, encode_fork};
use ama2sec_core::realm::receipt::check_receipt as core_check_receipt;
use ama2sec_core::realm::replay::{Expected, RealmVerified as CoreVerified, Replay as CoreReplay, ReplayFailure};
use ama2sec_core::realm::view::record_view;
use ama2sec_core::text::hex;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use serde_json::json;

use crate::errors::{exact, exact_or_none, guard_detached, to_py};
use crate::identity::{Id, PublicKey};
use crate::message::from_json;
use crate::realm_questions::{answer, to_json};

/// Replays a realm transcript in pieces, outside the interpreter lock.
///
/// What is known from elsewhere: the realm's id, the text of a head that was kept, and the one conversation that a filtered transcript is of.
#[pyclass(frozen, module = "ama2sec")]
pub struct Replay(Mutex<Option<CoreReplay>>);

fn used_up() -> Error {
    Error::new(Code::ArgumentRange, "a replay that has not finished", "one that has")
}

#[pymethods]
impl Replay {
    #[new]
    #[pyo3(signature = (*, realm=None, head=None, conversation=None))]
    fn new(realm: Option<&Id>, head: Option<&Bound<'_, PyAny>>, conversation: Option<&Id>) -> PyResult<Replay> {
        let kept = exact_or_none(head)?.map(<[u8]>::to_vec);
        let expected = Expected { realm: realm.map(|id| id.0), kept, only: conversation.map(|id| id.0) };
        Ok(Replay(Mutex::new(Some(CoreReplay::new(expected)))))
    }

    fn feed(&self, chunk: &Bound<'_, PyAny>) -> PyResult<()> {
        let bytes = exact(chunk)?;
        guard_detached(chunk.py(), || {
            let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Taken out while it works: after a panic there is nothing left to go on with.
            let mut replay = held.take().ok_or_else(used_up)?;
            replay.feed(bytes)?;
            *held = Some(replay);
            Ok(())
        })
    }

    /// Records that were taken in so far.
    #[getter]
    fn records(&self) -> u64 {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().map_or(0, CoreReplay::records)
    }

    /// The verdict. A fault is raised with `position` (the records before it) and `offset`.
    fn finish(&self, py: Python<'_>) -> PyResult<RealmVerified> {
        let outcome = guard_detached(py, || {
            let replay = self.0.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(used_up)?;
            match replay.finish() {
                Ok(verified) => Ok(Ok(verified)),
                Err(ReplayFailure::Broken(error)) => Err(error),
                Err(ReplayFailure::Fault(fault)) => Ok(Err(fault)),
            }
        })?;
        match outcome {
            Ok(verified) => Ok(RealmVerified(verified)),
            Err(fault) => {
                let raised = to_py(py, &fault.error);
                let value = raised.value(py);
                value.setattr("position", fault.position)?;
                value.setattr("offset", fault.offset)?;
                Err(raised)
            }
        }
    }
}

/// A realm whose transcript passed every step. Only `Replay` makes one.
#[pyclass(frozen, module = "ama2sec")]
pub struct RealmVerified(CoreVerified);

#[pymethods]
impl RealmVerified {
    #[getter]
    fn realm(&self) -> Option<Id> {
        self.0.replica().state().realm().copied().map(Id)
    }

    #[getter]
    fn origin(&self) -> Option<String> {
        self.0.replica().state().registry().map(ama2sec_core::realm::registry::Registry::origin)
    }

    #[getter]
    fn records(&self) -> u64 {
        self.0.replica().records()
    }

    #[getter]
    fn rejected(&self) -> u64 {
        self.0.rejected()
    }

    #[getter]
    fn registry_size(&self) -> u64 {
        self.0.replica().state().registry_size()
    }

    /// How many heads stood in the transcript; all of them are of these records.
    #[getter]
    fn checkpoints(&self) -> u64 {
        self.0.checkpoints()
    }

    /// The root over all records; None of a filtered transcript.
    #[getter]
    fn root(&self) -> Option<Id> {
        self.0.head().map(|head| Id(head.root))
    }

    /// `as stated`, or `checked`.
    #[getter]
    fn realm_state(&self) -> &'static str {
        if self.0.is_realm_checked() { "checked" } else { "as stated" }
    }

    /// `unchecked`, or `checked`: whether a head that was kept says that no tail was cut off.
    #[getter]
    fn tail(&self) -> &'static str {
        if self.0.is_tail_checked() { "checked" } else { "unchecked" }
    }

    #[pyo3(signature = (conversation=None))]
    fn state_digest(&self, py: Python<'_>, conversation: Option<&Id>) -> PyResult<Id> {
        guard_detached(py, || {
            let state = self.0.replica().state();
            match conversation {
                Some(id) => state.conversation_digest(&id.0).map(Id),
                None => state.registry_digest().map(Id),
            }
        })
    }

    /// A question of dag.4.4: `registry`, `conversations`, `timeline`, `heads`, `ancestors`, `descendants`, `is_ancestor`, `path`,
    /// `nearest_common_ancestors`, `diff`, `trace`. Ids in arguments and answers are hex.
    #[pyo3(signature = (question, conversation=None, **arguments))]
    fn ask<'py>(
        &self,
        py: Python<'py>,
        question: &str,
        conversation: Option<&Id>,
        arguments: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let arguments = to_json(py, arguments)?;
        let found =
            crate::errors::guard(py, || answer(self.0.replica(), question, conversation.map(|id| id.0), &arguments))?;
        from_json(py, &found)
    }

    fn __repr__(&self) -> String {
        format!("<RealmVerified {} records, realm {}, tail {}>", self.records(), self.realm_state(), self.tail())
    }
}

/// A head of a realm whose signature was checked. Only `check_checkpoint` makes one.
#[pyclass(frozen, module = "ama2sec")]
pub struct Checkpoint(CoreCheckpoint);

#[pymethods]
impl Checkpoint {
    #[getter]
    fn origin(&self) -> &str {
        self.0.origin()
    }

    #[getter]
    fn size(&self) -> u64 {
        self.0.size()
    }

    #[getter]
    fn root(&self) -> Id {
        Id(*self.0.root())
    }

    /// How a newer head stands to this one: `unchanged`, `extended` or `behind`. A fork is raised.
    #[pyo3(signature = (new, proof=None))]
    fn compare(&self, py: Python<'_>, new: &Checkpoint, proof: Option<&Bound<'_, PyAny>>) -> PyResult<&'static str> {
        let proof = exact_or_none(proof)?;
        let relation = guard_detached(py, || compare_checkpoints(&self.0, &new.0, proof))?;
        Ok(match relation {
            Relation::Unchanged => "unchanged",
            Relation::Extended => "extended",
            Relation::Behind => "behind",
        })
    }

    fn __repr__(&self) -> String {
        format!("<Checkpoint {} of {}>", self.0.size(), self.0.origin())
    }
}

/// Check a head under the sequencer's key, for the origin that is expected.
#[pyfunction]
pub fn check_checkpoint(text: &Bound<'_, PyAny>, key: &PublicKey, origin: &str) -> PyResult<Checkpoint> {
    let bytes = exact(text)?;
    guard_detached(text.py(), || core_check_checkpoint(bytes, &key.0, origin).map(Checkpoint))
}

/// The origin that a head states: good for looking up what is trusted, and for nothing else.
#[pyfunction]
pub fn checkpoint_origin(text: &Bound<'_, PyAny>) -> PyResult<String> {
    let bytes = exact(text)?;
    guard_detached(text.py(), || stated_origin(bytes))
}

/// Check a receipt: the record as a view, the head's size, and whether a proof shows the record in it; with `head`, that the proof is under it.
#[pyfunction]
#[pyo3(signature = (receipt, envelope, key, origin, *, head=None))]
pub fn check_receipt<'py>(
    receipt: &Bound<'py, PyAny>,
    envelope: &Bound<'py, PyAny>,
    key: &PublicKey,
    origin: &str,
    head: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    let (receipt_bytes, envelope) = (exact(receipt)?, exact(envelope)?);
    let kept = head.map(str::as_bytes);
    let found = guard_detached(receipt.py(), || core_check_receipt(receipt_bytes, envelope, &key.0, origin, kept))?;
    let view = json!({"record": record_view(found.record()), "size": found.checkpoint().size(),
                      "root": hex(found.checkpoint().root()), "included": found.is_included()});
    from_json(receipt.py(), &view)
}

/// The portable proof that two heads of one size disagree.
#[pyfunction]
pub fn fork_evidence<'py>(first: &Bound<'py, PyAny>, second: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let evidence = encode_fork(exact(first)?, exact(second)?);
    Ok(PyBytes::new(first.py(), &evidence))
}

/// Check the proof of a fork: (size, root, other root).
#[pyfunction]
pub fn check_fork(evidence: &Bound<'_, PyAny>, key: &PublicKey, origin: &str) -> PyResult<(u64, Id, Id)> {
    let bytes = exact(evidence)?;
    let proved = guard_detached(evidence.py(), || core_fork(bytes, &key.0, origin))?;
    let [first, second] = proved.roots;
    Ok((proved.size, Id(first), Id(second)))
}

type Equivocated = (Id, Id, (u64, u32), (Id, Id));

/// Check the proof of an equivocation, under the key that is known for the author: (agent, conversation, number, the two ids).
#[pyfunction]
pub fn check_equivocation(evidence: &Bound<'_, PyAny>, key: &PublicKey) -> PyResult<Equivocated> {
    let bytes = exact(evidence)?;
    let proved = guard_detached(evidence.py(), || core_equivocation(bytes, &key.0))?;
    let [first, second] = proved.ids;
    let seq = (proved.seq.epoch, proved.seq.counter);
    Ok((Id(proved.agent), Id(proved.conversation), seq, (Id(first), Id(second))))
}
