//! A workflow's document, for Python: bytes that were judged (workflow.1).

use ama2sec_core::realm::definition::Definition;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{exact, guard};
use crate::identity::Id;

/// A definition that is sound.
#[pyclass(frozen, module = "ama2sec")]
pub struct RealmDefinition(Definition);

#[pymethods]
impl RealmDefinition {
    /// What every message that takes a step of it names.
    #[getter]
    fn id(&self) -> Id {
        Id(*self.0.id())
    }

    #[getter]
    fn name(&self) -> &str {
        self.0.name().as_str()
    }

    /// The canonical bytes.
    #[getter]
    fn document<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.document())
    }

    fn __repr__(&self) -> String {
        format!("<RealmDefinition {}>", self.name())
    }
}

/// The definition of these canonical bytes. Raises `DefinitionInvalid`.
#[pyfunction]
pub fn check_definition(document: &Bound<'_, PyAny>) -> PyResult<RealmDefinition> {
    let bytes = exact(document)?;
    guard(document.py(), || Definition::parse(bytes)).map(RealmDefinition)
}
