//! A realm's file for readers, for Python: while whoever has the realm open goes on.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use ama2sec_core::errors::{Code, Error, Result};
use ama2sec_core::realm::export::export;
use ama2sec_core::realm::follower::Follower;
use ama2sec_core::realm::log::{Source, SqliteFile};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::errors::{guard_detached, to_py};
use crate::identity::Id;
use crate::message::from_json;
use crate::realm_entry::RealmEntry;
use crate::realm_questions::{answer, to_json};

/// A realm's file, opened for reading alone. What `export` and `head` give is as it stands there; `refresh` judges it, and only what was
/// judged is given as entries and answers.
#[pyclass(frozen, module = "ama2sec")]
pub struct RealmFile(Mutex<Follower<SqliteFile>>);

#[pymethods]
impl RealmFile {
    /// `realm`: the id that it must have. Raises `FileUnreadable`, `LogForm`, `LogVersion`, `LogDamaged`.
    #[staticmethod]
    #[pyo3(signature = (path, *, realm=None))]
    fn open(py: Python<'_>, path: PathBuf, realm: Option<&Id>) -> PyResult<RealmFile> {
        let realm = realm.map(|id| id.0);
        guard_detached(py, || Ok(RealmFile(Mutex::new(Follower::new(SqliteFile::open(&path)?, realm)))))
    }

    /// Let go of the file: what reads it afterwards gets `ArgumentRange`. Calling it again does nothing.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        guard_detached(py, || self.inner()?.source().close())
    }

    /// How many records are in the file.
    #[getter]
    fn records(&self, py: Python<'_>) -> PyResult<u64> {
        guard_detached(py, || self.inner()?.source().head())
    }

    /// The newest head that is written in it, as it stands there.
    fn head(&self, py: Python<'_>) -> PyResult<String> {
        guard_detached(py, || {
            let none = || Error::new(Code::CheckpointForm, "a checkpoint in the file", "none");
            self.inner()?.source().checkpoint()?.ok_or_else(none)
        })
    }

    /// The id of the realm that its first record states.
    #[getter]
    fn realm(&self, py: Python<'_>) -> PyResult<Id> {
        guard_detached(py, || first(self.inner()?.source()).map(Id))
    }

    /// The file as a realm transcript, or what belongs to the registry and one conversation.
    #[pyo3(signature = (conversation=None))]
    fn export<'py>(&self, py: Python<'py>, conversation: Option<&Id>) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::new();
        let only = conversation.map(|id| id.0);
        guard_detached(py, || {
            let inner = self.inner()?;
            export(inner.source(), &first(inner.source())?, only.as_ref(), |piece| {
                out.extend_from_slice(piece);
                Ok(())
            })
        })?;
        Ok(PyBytes::new(py, &out))
    }

    /// Judge what is there and was not judged yet: how many records are sound. Raises the first fault, with `position`.
    fn refresh(&self, py: Python<'_>) -> PyResult<u64> {
        let mut sound = 0;
        let judged = guard_detached(py, || {
            let mut inner = self.inner()?;
            let judged = inner.refresh();
            sound = inner.replica().records();
            Ok(judged)
        })?;
        judged.map_err(|fault| {
            let raised = to_py(py, &fault);
            match raised.value(py).setattr("position", sound) {
                Ok(()) => raised,
                Err(other) => other,
            }
        })
    }

    /// A head that was kept is one of this file's; what it is over is judged first, where that was not done yet. Raises what `refresh`
    /// raises, `CheckpointForked`, `CheckpointStale`, `CheckpointForm`, `CheckpointKey`, `OpenMissing`.
    fn check_kept(&self, py: Python<'_>, head: &str) -> PyResult<()> {
        guard_detached(py, || self.inner()?.check_kept(head.as_bytes()))
    }

    /// Entries that were judged, in order from a position, at most `limit`; fewer before the end if they are many.
    fn entries(&self, py: Python<'_>, position: u64, limit: usize) -> PyResult<Vec<RealmEntry>> {
        let found = guard_detached(py, || self.inner()?.entries(position, limit))?;
        Ok(found.into_iter().map(RealmEntry::new).collect())
    }

    /// A question about what was judged, as `RealmVerified.ask`.
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
            guard_detached(py, || answer(self.inner()?.replica(), question, conversation.map(|id| id.0), &arguments))?;
        from_json(py, &found)
    }

    /// Write the realm as it is now into a new file, while others go on. Raises `FileExists`, `LogFull`, `LogReadOnly`.
    fn backup(&self, py: Python<'_>, to: PathBuf) -> PyResult<()> {
        guard_detached(py, || self.inner()?.source().backup(&to))
    }
}

impl RealmFile {
    fn inner(&self) -> Result<MutexGuard<'_, Follower<SqliteFile>>> {
        self.0.lock().map_err(|_| Error::new(Code::Panic, "a reader that no thread has left half changed", "one"))
    }
}

fn first(file: &SqliteFile) -> Result<ama2sec_core::message::Id> {
    let found = file.read(0, 1)?.pop();
    found
        .map(|pair| pair.record.id)
        .ok_or_else(|| Error::new(Code::OpenMissing, "a genesis as first entry", "no entry"))
}
