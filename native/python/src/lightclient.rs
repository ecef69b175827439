//! The light client and exhibits, for Python.

use std::sync::Mutex;

use ama2sec_core::errors::{Code, Error, Result};
use ama2sec_core::history::exhibit::{self, Exhibit};
use ama2sec_core::history::head::Head;
use ama2sec_core::history::inclusion::Included as CoreIncluded;
use ama2sec_core::history::lightclient::{self as light, LightClient, Source};
use ama2sec_core::identity::Directory;
use ama2sec_core::message::{UnverifiedEnvelope, VerifiedEnvelope, parse_message};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::errors::{exact, exact_or_none, guard, guard_detached};
use crate::history::Fingerprint;
use crate::identity::{CoreDirectory, Id};
use crate::message::Message;

/// A light client's knowledge: what `ama2sec.LightClient` keeps and writes.
#[pyclass(frozen, module = "ama2sec._native")]
pub struct LightState(Mutex<LightClient>);

/// The first message that a light client has missed. Only `missing` makes one.
#[pyclass(frozen, module = "ama2sec")]
pub struct Missing(light::Missing);

#[pymethods]
impl Missing {
    #[getter]
    fn id(&self) -> Id {
        Id(*self.0.id())
    }

    #[getter]
    fn index(&self) -> u64 {
        self.0.index()
    }

    /// The history in which it stands; all from `index` up to its size are missing.
    #[getter]
    fn context(&self) -> Fingerprint {
        Fingerprint(*self.0.context())
    }

    /// `sender`: the context is signed by the author of a message; `peer`: somebody stated it.
    #[getter]
    fn source(&self) -> &'static str {
        self.0.source().as_str()
    }

    fn __repr__(&self) -> String {
        let (index, end) = (self.0.index(), self.0.context().head.size);
        format!(
            "<Missing {}: entry {index}, the first of {}, by the {}>",
            self.id().short(),
            end - index,
            self.source()
        )
    }
}

/// One message as it travels, verified under the reader's keys.
fn verified(data: &[u8], directory: &Directory) -> Result<VerifiedEnvelope> {
    let parts = parse_message(data)?;
    UnverifiedEnvelope::parse(parts.envelope)?.verify(directory, parts.body)
}

fn all_verified(items: &[&[u8]], directory: &Directory) -> Result<Vec<VerifiedEnvelope>> {
    items.iter().map(|data| verified(data, directory)).collect()
}

impl LightState {
    fn with<T: Send>(&self, py: Python<'_>, call: impl FnOnce(&mut LightClient) -> Result<T> + Send) -> PyResult<T> {
        guard_detached(py, || {
            // A call that panicked may have left it half-changed: it answers no more.
            let mut held = self.0.lock().map_err(|_| Error::new(Code::Panic, "a client without a fault", "a fault"))?;
            call(&mut held)
        })
    }
}

fn items<'a>(list: &'a [Bound<'_, PyAny>]) -> PyResult<Vec<&'a [u8]>> {
    list.iter().map(exact).collect()
}

#[pymethods]
impl LightState {
    #[staticmethod]
    fn start(py: Python<'_>, directory: &CoreDirectory, opening: &Bound<'_, PyAny>) -> PyResult<LightState> {
        let (data, keys) = (exact(opening)?, directory.snapshot());
        let made = guard_detached(py, || LightClient::start(verified(data, &keys)?))?;
        Ok(LightState(Mutex::new(made)))
    }

    #[staticmethod]
    fn join(
        py: Python<'_>,
        directory: &CoreDirectory,
        head: &Fingerprint,
        opening: &Bound<'_, PyAny>,
        last: &Bound<'_, PyList>,
        proof: &Bound<'_, PyAny>,
    ) -> PyResult<LightState> {
        let held: Vec<Bound<'_, PyAny>> = last.iter().collect();
        let (opening, last, proof) = (exact(opening)?, items(&held)?, exact(proof)?);
        let (head, keys) = (head.0, directory.snapshot());
        let made = guard_detached(py, || {
            LightClient::join(head, verified(opening, &keys)?, &all_verified(&last, &keys)?, proof)
        })?;
        Ok(LightState(Mutex::new(made)))
    }

    /// Read a state file under the reader's own directory.
    #[staticmethod]
    fn parse(py: Python<'_>, data: &Bound<'_, PyAny>, directory: &CoreDirectory) -> PyResult<LightState> {
        let (data, keys) = (exact(data)?, directory.snapshot());
        let made = guard_detached(py, || LightClient::parse(data, &keys))?;
        Ok(LightState(Mutex::new(made)))
    }

    fn encode<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.with(py, |client| Ok(client.encode()))?;
        Ok(PyBytes::new(py, &bytes))
    }

    #[getter]
    fn head(&self, py: Python<'_>) -> PyResult<Fingerprint> {
        self.with(py, |client| Ok(client.head())).map(Fingerprint)
    }

    /// The oldest size that a sender may name without a proof.
    #[getter]
    fn oldest(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |client| Ok(client.oldest()))
    }

    /// Verify the next entry and take it in, or raise and change nothing.
    fn receive(
        &self,
        py: Python<'_>,
        directory: &CoreDirectory,
        data: &Bound<'_, PyAny>,
        proof: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Message> {
        let (data, proof, keys) = (exact(data)?, exact_or_none(proof)?, directory.snapshot());
        self.with(py, |client| {
            let message = verified(data, &keys)?;
            let next = client.check(&message, proof)?;
            client.apply(next)?;
            Ok(Message(message))
        })
    }

    /// Which message is the first that was missed, under the context of a message that could not be received.
    fn missing_by_sender(
        &self,
        py: Python<'_>,
        directory: &CoreDirectory,
        data: &Bound<'_, PyAny>,
        id: &Id,
        proof: &Bound<'_, PyAny>,
    ) -> PyResult<Missing> {
        let (data, proof, keys) = (exact(data)?, exact(proof)?, directory.snapshot());
        self.with(py, |client| client.missing_by(&verified(data, &keys)?, &id.0, proof)).map(Missing)
    }

    /// The same, under a fingerprint that a peer stated.
    fn missing_by_peer(
        &self,
        py: Python<'_>,
        context: &Fingerprint,
        id: &Id,
        proof: &Bound<'_, PyAny>,
    ) -> PyResult<Missing> {
        let (context, proof) = (context.0, exact(proof)?);
        self.with(py, |client| client.missing(context, Source::Peer, &id.0, proof)).map(Missing)
    }

    /// Move to a later head that extends the present one.
    fn skip(
        &self,
        py: Python<'_>,
        directory: &CoreDirectory,
        head: &Fingerprint,
        extends: &Bound<'_, PyAny>,
        last: &Bound<'_, PyList>,
        proof: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let held: Vec<Bound<'_, PyAny>> = last.iter().collect();
        let (extends, last, proof) = (exact(extends)?, items(&held)?, exact(proof)?);
        let (head, keys) = (head.0, directory.snapshot());
        self.with(py, |client| client.skip(head, extends, &all_verified(&last, &keys)?, proof))
    }

    /// Raises unless this state may take the place of a stored one (proofs.5.6).
    fn check_succeeds(&self, py: Python<'_>, stored: &LightState) -> PyResult<()> {
        let stored = stored.with(py, |client| Ok(client.clone()))?;
        self.with(py, |client| client.check_succeeds(&stored))
    }

    /// This state stands in its file now.
    fn mark_kept(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |client| {
            client.mark_kept();
            Ok(())
        })
    }
}

/// The proof that an exhibit's message belongs to its head. Only `check_exhibit` makes one.
#[pyclass(frozen, module = "ama2sec")]
pub struct Exhibited {
    included: CoreIncluded,
    retained: bool,
    envelope: Vec<u8>,
    message: Option<VerifiedEnvelope>,
}

#[pymethods]
impl Exhibited {
    #[getter]
    fn id(&self) -> Id {
        Id(*self.included.id())
    }

    #[getter]
    fn index(&self) -> u64 {
        self.included.index()
    }

    #[getter]
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint(*self.included.head())
    }

    /// `retained`: the head is one that the checker trusts; `as stated`: the exhibit says so.
    #[getter]
    fn head(&self) -> &'static str {
        if self.retained { "retained" } else { "as stated" }
    }

    #[getter]
    fn envelope<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.envelope)
    }

    /// The verified message, where a directory was given; else None: nobody was asked who signed it.
    #[getter]
    fn message(&self) -> Option<Message> {
        self.message.clone().map(Message)
    }

    fn __repr__(&self) -> String {
        let (index, head) = (self.included.index(), self.included.head());
        format!("<Exhibited {}: entry {index} of {head}, {}>", self.id().short(), self.head())
    }
}

/// Make an exhibit, of what passes its own check only.
#[pyfunction]
pub fn make_exhibit<'py>(
    py: Python<'py>,
    fingerprint: &Fingerprint,
    message: &Bound<'py, PyAny>,
    proof: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (message, proof) = (exact(message)?, exact(proof)?);
    let made = guard(py, || exhibit::make_exhibit(&fingerprint.0, message, proof))?;
    Ok(PyBytes::new(py, &made))
}

/// Check an exhibit, against a head that is trusted and keys that were chosen, as far as they are given.
#[pyfunction]
#[pyo3(signature = (data, head, directory))]
pub fn check_exhibit(
    py: Python<'_>,
    data: &Bound<'_, PyAny>,
    head: Option<(u64, [u8; 32])>,
    directory: Option<&CoreDirectory>,
) -> PyResult<Exhibited> {
    let (data, keys) = (exact(data)?, directory.map(CoreDirectory::snapshot));
    let head = head.map(|(size, fingerprint)| Head { size, fingerprint });
    guard_detached(py, || {
        let found = exhibit::check_exhibit(data, head.as_ref())?;
        let entry = Exhibit::parse(data)?.entry();
        let message = keys.map(|keys| verified(entry, &keys)).transpose()?;
        let envelope = parse_message(entry)?.envelope.to_vec();
        Ok(Exhibited { included: *found.included(), retained: found.retained(), envelope, message })
    })
}

/// The head that an exhibit states, its entry and its proof. Nothing is checked but the form.
#[pyfunction]
pub fn parse_exhibit<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
) -> PyResult<(Fingerprint, Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let data = exact(data)?;
    let read = guard(py, || Exhibit::parse(data))?;
    Ok((Fingerprint(*read.stated()), PyBytes::new(py, read.entry()), PyBytes::new(py, read.proof())))
}
