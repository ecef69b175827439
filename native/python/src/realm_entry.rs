//! An entry of a realm, for Python: what a replica took in, as it is delivered.

use std::sync::Arc;

use ama2sec_core::message::{self as core, Body, BodyPart, claims_to_json, encode_entry};
use ama2sec_core::realm::engine::Delivered;
use ama2sec_core::realm::view::code_name;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::identity::Id;
use crate::message::from_json;

/// An entry that is in a realm's log, with its record. Only an engine makes one, behind its own judgement.
#[pyclass(frozen, module = "ama2sec")]
pub struct RealmEntry(pub Arc<Delivered>);

#[pymethods]
impl RealmEntry {
    #[getter]
    fn id(&self) -> Id {
        Id(self.0.record.id)
    }

    #[getter]
    fn position(&self) -> u64 {
        self.0.record.position
    }

    /// Recorded time, in ms since 1970.
    #[getter]
    fn time(&self) -> u64 {
        self.0.record.time
    }

    #[getter]
    fn conversation(&self) -> Id {
        Id(self.0.record.conversation)
    }

    /// Where an admitted entry stands: the branch, and the index in it.
    #[getter]
    fn home(&self) -> Option<(Id, u64)> {
        let record = &self.0.record;
        record.is_admitted().then_some((Id(record.home.branch), record.home.index))
    }

    /// The code of a rejected entry.
    #[getter]
    fn code(&self) -> Option<&'static str> {
        code_name(self.0.record.code)
    }

    #[getter]
    fn kind(&self) -> &'static str {
        self.claims_of().kind.as_str()
    }

    /// The agent that signed it.
    #[getter]
    fn sender(&self) -> Id {
        Id(self.claims_of().agent)
    }

    /// Ids, and names of groups.
    #[getter]
    fn recipients<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let recipients = self.claims_of().recipients.iter();
        recipients
            .map(|to| match to {
                core::Addr::Id(id) => Ok(Bound::new(py, Id(*id))?.into_any()),
                core::Addr::Name(name) => Ok(name.as_str().into_pyobject(py)?.into_any()),
            })
            .collect()
    }

    /// The branch that the author had consumed, and how many entries of it.
    #[getter]
    fn context(&self) -> (Id, u64) {
        (Id(self.claims_of().branch), self.claims_of().context.size)
    }

    /// (epoch in ms, counter); None for an open.
    #[getter]
    fn seq(&self) -> Option<(u64, u32)> {
        self.claims_of().seq.map(|seq| (seq.epoch, seq.counter))
    }

    /// The claims in the JSON view. For people: it is never read back as evidence.
    #[getter]
    fn claims<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &claims_to_json(self.claims_of()))
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        match &self.0.body {
            Body::Present { body, .. } => Some(PyBytes::new(py, body)),
            _ => None,
        }
    }

    /// `none`, `present` or `withheld` (which an erased one is too).
    #[getter]
    fn body_state(&self) -> &'static str {
        match &self.0.body {
            Body::None => "none",
            Body::Withheld => "withheld",
            Body::Present { .. } => "present",
        }
    }

    #[getter]
    fn media_type(&self) -> Option<&str> {
        self.claims_of().body.as_ref().map(|body| body.media_type.as_str())
    }

    /// The 164 bytes of the record.
    #[getter]
    fn record<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.record.encode())
    }

    #[getter]
    fn envelope<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.envelope.bytes())
    }

    /// The entry as it travels: the envelope, and the body if it is here.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let part = match &self.0.body {
            Body::Present { salt, body } => Some(BodyPart { salt, body }),
            _ => None,
        };
        PyBytes::new(py, &encode_entry(self.0.envelope.bytes(), part))
    }

    fn __repr__(&self) -> String {
        let short: String = ama2sec_core::text::hex(&self.0.record.id).chars().take(8).collect();
        format!("<RealmEntry {short}: {} at {}>", self.kind(), self.0.record.position)
    }
}

impl RealmEntry {
    pub fn new(entry: Delivered) -> RealmEntry {
        RealmEntry(Arc::new(entry))
    }

    fn claims_of(&self) -> &core::Claims {
        self.0.envelope.claims()
    }
}
