//! The room identity, for Python.

use std::sync::{Arc, PoisonError, RwLock};

use ama2sec_core::errors::{Code, Error};
use ama2sec_core::identity as core;
use ama2sec_core::text;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroize::Zeroizing;

use crate::errors::{Text, exact, exact_or_none, guard, guard_detached, to_py};
use crate::tree::hash_of;

/// 32 bytes that name something: a message, a conversation, a branch, a realm, an agent. Prints as hex.
#[pyclass(frozen, module = "ama2sec", from_py_object)]
#[derive(Clone, Copy)]
pub struct Id(pub [u8; 32]);

#[pymethods]
impl Id {
    #[new]
    fn new(value: &Bound<'_, PyAny>) -> PyResult<Id> {
        hash_of(value).copied().map(Id)
    }

    /// The id of 64 lowercase hex digits.
    #[staticmethod]
    pub fn from_hex(py: Python<'_>, value: Text) -> PyResult<Id> {
        guard(py, || {
            let wrong = || Error::new(Code::ArgumentRange, "64 lowercase hex digits", text::shown(value.as_bytes()));
            text::unhex(&value).and_then(|bytes| bytes.try_into().ok()).map(Id).ok_or_else(wrong)
        })
    }

    /// The first 8 hex digits, for people; never for comparing.
    #[getter]
    pub fn short(&self) -> String {
        text::hex(&self.0).chars().take(8).collect()
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0)
    }

    fn __str__(&self) -> String {
        text::hex(&self.0)
    }

    fn __repr__(&self) -> String {
        format!("<Id {}>", text::hex(&self.0))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Id>().is_ok_and(|other| other.get().0 == self.0)
    }

    fn __hash__(&self) -> u64 {
        // Ids are outputs of a hash already.
        self.0.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        Ok((py.import("ama2sec")?.getattr("Id")?, (PyBytes::new(py, &self.0),)))
    }
}

/// A public key that passed rule S's checks for keys (identity.1.3). Making one is the check.
#[pyclass(frozen, module = "ama2sec")]
pub struct PublicKey(pub core::EnrolledKey);

#[pymethods]
impl PublicKey {
    #[new]
    fn new(value: &Bound<'_, PyAny>) -> PyResult<PublicKey> {
        let bytes = exact(value)?;
        guard(value.py(), || core::EnrolledKey::enrol(bytes).map(PublicKey))
    }

    #[staticmethod]
    fn from_did_key(py: Python<'_>, value: Text) -> PyResult<PublicKey> {
        guard(py, || core::EnrolledKey::from_did_key(&value).map(PublicKey))
    }

    #[getter]
    fn hex(&self) -> String {
        text::hex(self.0.as_bytes())
    }

    /// RFC 9679 thumbprint: the kid, and outside a realm the agent's id.
    #[getter]
    fn thumbprint(&self) -> Id {
        Id(*self.0.thumbprint())
    }

    #[getter]
    fn did_key(&self) -> String {
        self.0.did_key()
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.as_bytes())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<PublicKey>().is_ok_and(|other| other.get().0 == self.0)
    }

    fn __hash__(&self) -> u64 {
        self.thumbprint().__hash__()
    }

    fn __repr__(&self) -> String {
        format!("<PublicKey {}>", text::hex(self.0.as_bytes()))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        Ok((py.import("ama2sec")?.getattr("PublicKey")?, (PyBytes::new(py, self.0.as_bytes()),)))
    }
}

/// Proof that a raw signature was checked under rule S. Only `ed25519_verify` makes one.
#[pyclass(frozen, module = "ama2sec.hazmat")]
pub struct SignatureVerified;

#[pymethods]
impl SignatureVerified {
    fn __repr__(&self) -> &'static str {
        "<SignatureVerified>"
    }
}

/// Rule S over raw bytes.
#[pyfunction]
pub fn ed25519_verify(
    key: &Bound<'_, PyAny>,
    message: &Bound<'_, PyAny>,
    signature: &Bound<'_, PyAny>,
) -> PyResult<SignatureVerified> {
    let py = key.py();
    let (message, signature) = (exact(message)?, exact(signature)?);
    if let Ok(enrolled) = key.cast_exact::<PublicKey>() {
        let enrolled = &enrolled.get().0;
        guard_detached(py, || enrolled.verify(message, signature))?;
    } else {
        let key = exact(key)?;
        guard_detached(py, || core::ed25519_verify(key, message, signature))?;
    }
    Ok(SignatureVerified)
}

/// A private key in the core, overwritten when dropped. It has no textual form and cannot be pickled.
#[pyclass(frozen, module = "ama2sec._native")]
pub struct SigningKey(pub core::SigningKey);

#[pymethods]
impl SigningKey {
    /// A new key from the operating system's randomness.
    #[staticmethod]
    fn generate(py: Python<'_>) -> PyResult<SigningKey> {
        let mut seed = Zeroizing::new([0u8; 32]);
        random(py, seed.as_mut_slice())?;
        guard(py, || core::SigningKey::from_seed(&seed).map(SigningKey))
    }

    #[staticmethod]
    fn from_seed(seed: &Bound<'_, PyAny>) -> PyResult<SigningKey> {
        let bytes = exact(seed)?;
        guard(seed.py(), || {
            let wrong = || Error::new(Code::ArgumentRange, "a seed of 32 bytes", "another length");
            core::SigningKey::from_seed(bytes.try_into().map_err(|_| wrong())?).map(SigningKey)
        })
    }

    #[getter]
    fn public(&self) -> PublicKey {
        PublicKey(self.0.public().clone())
    }

    fn sign<'py>(&self, py: Python<'py>, message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let message = exact(message)?;
        let signature = guard_detached(py, || Ok(self.0.sign(message)))?;
        Ok(PyBytes::new(py, &signature))
    }

    /// The seed, for an export that the user asked for.
    fn expose_seed<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.expose_seed().as_slice())
    }

    fn __repr__(&self) -> String {
        format!("<SigningKey of {}>", text::hex(self.0.public().as_bytes()))
    }
}

/// Fill with the operating system's randomness.
pub fn random(py: Python<'_>, into: &mut [u8]) -> PyResult<()> {
    getrandom::fill(into)
        .map_err(|_| to_py(py, &Error::new(Code::Internal, "randomness of the operating system", "none")))
}

/// The keys that a verifier accepts; shared by reference, changed only by `enrol`.
#[pyclass(frozen, module = "ama2sec._native")]
#[derive(Default)]
pub struct CoreDirectory(RwLock<Arc<core::Directory>>);

impl CoreDirectory {
    /// The directory as it is now: verification goes on with it, whatever is enrolled meanwhile.
    pub fn snapshot(&self) -> Arc<core::Directory> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[pymethods]
impl CoreDirectory {
    #[new]
    fn new() -> CoreDirectory {
        CoreDirectory::default()
    }

    fn enrol(&self, py: Python<'_>, key: &PublicKey, name: Text, purpose: Text) -> PyResult<()> {
        guard(py, || {
            let (name, purpose) = (core::Name::parse(&name)?, core::Purpose::from_text(&purpose)?);
            let mut shared = self.0.write().unwrap_or_else(PoisonError::into_inner);
            // A verification that runs meanwhile keeps its own copy.
            Arc::make_mut(&mut shared).enrol(key.0.clone(), name, purpose)
        })
    }

    fn by_name(&self, py: Python<'_>, name: Text) -> PyResult<(PublicKey, &'static str)> {
        guard(py, || {
            let directory = self.snapshot();
            let entry = directory.by_name(&name)?;
            Ok((PublicKey(entry.key.clone()), entry.purpose.as_str()))
        })
    }

    fn name_of(&self, id: &Id) -> Option<String> {
        self.snapshot().by_kid(&id.0).ok().map(|entry| entry.name.as_str().to_owned())
    }

    fn entries(&self) -> Vec<(String, &'static str, PublicKey)> {
        let row = |entry: &Arc<core::Enrolled>| {
            (entry.name.as_str().to_owned(), entry.purpose.as_str(), PublicKey(entry.key.clone()))
        };
        self.snapshot().entries().map(row).collect()
    }

    fn to_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &guard(py, || self.snapshot().to_json())?))
    }

    #[staticmethod]
    fn from_json(data: &Bound<'_, PyAny>) -> PyResult<CoreDirectory> {
        let bytes = exact(data)?;
        let read = guard_detached(data.py(), || core::Directory::from_json(bytes))?;
        Ok(CoreDirectory(RwLock::new(Arc::new(read))))
    }

    fn __len__(&self) -> usize {
        self.snapshot().len()
    }
}

/// The name, if it has the form of one.
#[pyfunction]
pub fn check_name(py: Python<'_>, name: Text) -> PyResult<String> {
    guard(py, || core::Name::parse(&name).map(|name| name.as_str().to_owned()))
}

/// The purpose, if it is one.
#[pyfunction]
pub fn check_purpose(py: Python<'_>, purpose: Text) -> PyResult<&'static str> {
    guard(py, || core::Purpose::from_text(&purpose).map(core::Purpose::as_str))
}

/// The bytes of a key file.
#[pyfunction]
#[pyo3(signature = (key, name, purpose, passphrase))]
pub fn keyfile_encode<'py>(
    py: Python<'py>,
    key: &SigningKey,
    name: Text,
    purpose: Text,
    passphrase: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let passphrase = exact_or_none(passphrase)?;
    let (mut salt, mut nonce) = ([0u8; 16], [0u8; 24]);
    random(py, &mut salt)?;
    random(py, &mut nonce)?;
    let data = guard_detached(py, || {
        let key = core::SigningKey::from_seed(&key.0.expose_seed())?;
        let file = core::KeyFile { key, name: core::Name::parse(&name)?, purpose: core::Purpose::from_text(&purpose)? };
        let secrets = passphrase.map(|passphrase| core::KeyFileSecrets { passphrase, salt, nonce });
        core::encode_keyfile(&file, secrets.as_ref())
    })?;
    Ok(PyBytes::new(py, &data))
}

/// Read a key file: (key, name, purpose).
#[pyfunction]
#[pyo3(signature = (data, passphrase))]
pub fn keyfile_decode(
    data: &Bound<'_, PyAny>,
    passphrase: Option<&Bound<'_, PyAny>>,
) -> PyResult<(SigningKey, String, &'static str)> {
    let (bytes, passphrase) = (exact(data)?, exact_or_none(passphrase)?);
    let file = guard_detached(data.py(), || core::decode_keyfile(bytes, passphrase))?;
    Ok((SigningKey(file.key), file.name.as_str().to_owned(), file.purpose.as_str()))
}

/// Which code the curve library runs on this processor: `avx512ifma`, `avx2` or `serial`.
#[pyfunction]
pub fn backend() -> &'static str {
    core::backend()
}
