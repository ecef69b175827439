//! A realm's file for readers, for Python: while whoever has the realm open goes on.

use std::path::PathBuf;

use ama2sec_core::errors::{Code, Error};
use ama2sec_core::realm::export::export;
use ama2sec_core::realm::log::{Source, SqliteFile};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::guard_detached;
use crate::identity::Id;

/// A realm's file, opened for reading alone. Nothing in it is known to be true: give what it exports to a replay.
#[pyclass(frozen, module = "ama2sec")]
pub struct RealmFile(SqliteFile);

#[pymethods]
impl RealmFile {
    /// Raises `FileUnreadable`, `LogForm`, `LogVersion`, `LogDamaged`.
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<RealmFile> {
        guard_detached(py, || Ok(RealmFile(SqliteFile::open(&path)?)))
    }

    /// How many records it has.
    #[getter]
    fn records(&self, py: Python<'_>) -> PyResult<u64> {
        guard_detached(py, || self.0.head())
    }

    /// The newest head that is written in it.
    fn head(&self, py: Python<'_>) -> PyResult<String> {
        guard_detached(py, || {
            let none = || Error::new(Code::CheckpointForm, "a checkpoint in the file", "none");
            self.0.checkpoint()?.ok_or_else(none)
        })
    }

    /// The id of the realm that its first record states.
    #[getter]
    fn realm(&self, py: Python<'_>) -> PyResult<Id> {
        guard_detached(py, || self.first().map(Id))
    }

    /// The file as a realm transcript, or what belongs to the registry and one conversation.
    #[pyo3(signature = (conversation=None))]
    fn export<'py>(&self, py: Python<'py>, conversation: Option<&Id>) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::new();
        let only = conversation.map(|id| id.0);
        guard_detached(py, || {
            export(&self.0, &self.first()?, only.as_ref(), |piece| {
                out.extend_from_slice(piece);
                Ok(())
            })
        })?;
        Ok(PyBytes::new(py, &out))
    }
}

impl RealmFile {
    fn first(&self) -> Result<ama2sec_core::message::Id, Error> {
        let found = self.0.read(0, 1)?.pop();
        found
            .map(|pair| pair.record.id)
            .ok_or_else(|| Error::new(Code::OpenMissing, "a genesis as first entry", "no entry"))
    }
}
