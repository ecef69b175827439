//! The room message, for Python.

use std::sync::Arc;

use ama2sec_core::errors::{Code, Error};
use ama2sec_core::identity::{EnrolledKey, Name};
use ama2sec_core::message as core;
use ama2sec_core::text;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::errors::{Text, Uint, exact, exact_or_none, guard, guard_detached, to_py};
use crate::identity::{CoreDirectory, Id, PublicKey, SigningKey, random};

/// A view as a Python object, by way of its JSON.
pub fn from_json<'py>(py: Python<'py>, value: &serde_json::Value) -> PyResult<Bound<'py, PyAny>> {
    py.import("json")?.getattr("loads")?.call1((value.to_string(),))
}

/// An envelope that reads strictly. Nothing in it is known to be true.
#[pyclass(frozen, module = "ama2sec")]
pub struct UnverifiedEnvelope {
    pub inner: core::UnverifiedEnvelope,
    body: Option<(Vec<u8>, Vec<u8>)>,
}

#[pymethods]
impl UnverifiedEnvelope {
    #[getter]
    fn id(&self) -> Id {
        Id(*self.inner.id())
    }

    /// The thumbprint of the key that the author says it has used.
    #[getter]
    fn kid(&self) -> Id {
        Id(*self.inner.kid())
    }

    #[getter]
    fn typ(&self) -> &'static str {
        self.inner.typ().as_str()
    }

    #[getter]
    fn kind(&self) -> &'static str {
        self.inner.claims().kind.as_str()
    }

    /// The claims in the JSON view. For people: it is never read back as evidence.
    #[getter]
    fn claims<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &core::claims_to_json(self.inner.claims()))
    }

    #[getter]
    fn envelope<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.bytes())
    }

    /// Whether a body came with it; not yet compared with the claims.
    #[getter]
    fn carries_body(&self) -> bool {
        self.body.is_some()
    }

    /// Verify under the keys of a directory; as `ama2sec.verify`.
    #[pyo3(signature = (directory, *, body=None, body_salt=None, require_body=false))]
    fn verify(
        &self,
        py: Python<'_>,
        directory: &Bound<'_, PyAny>,
        body: Option<&Bound<'_, PyAny>>,
        body_salt: Option<&Bound<'_, PyAny>>,
        require_body: bool,
    ) -> PyResult<Message> {
        let directory = core_directory(directory)?;
        let (body, salt) = (exact_or_none(body)?, exact_or_none(body_salt)?);
        let own = self.body.as_ref().map(|(salt, body)| core::BodyPart { salt, body });
        let inner = self.inner.clone();
        guard_detached(py, move || {
            let part = choose_body(own, given_body(body, salt)?)?;
            Ok(Message(inner.verify_asking(&directory, part, require_body)?))
        })
    }

    fn __repr__(&self) -> String {
        let short: String = text::hex(self.inner.id()).chars().take(8).collect();
        format!("<UnverifiedEnvelope {short}: not verified>")
    }
}

fn core_directory(value: &Bound<'_, PyAny>) -> PyResult<Arc<ama2sec_core::identity::Directory>> {
    let wrong = || to_py(value.py(), &Error::new(Code::ArgumentType, "a Directory", "another type"));
    let inner = value.getattr("_core").map_err(|_| wrong())?;
    Ok(inner.cast::<CoreDirectory>().map_err(|_| wrong())?.get().snapshot())
}

pub fn given_body<'a>(body: Option<&'a [u8]>, salt: Option<&'a [u8]>) -> Result<Option<core::BodyPart<'a>>, Error> {
    match (body, salt) {
        (None, None) => Ok(None),
        (Some(body), Some(salt)) => Ok(Some(core::BodyPart { salt, body })),
        _ => Err(Error::new(Code::ArgumentType, "a body together with its salt", "one of the two")),
    }
}

pub fn choose_body<'a>(
    own: Option<core::BodyPart<'a>>,
    given: Option<core::BodyPart<'a>>,
) -> Result<Option<core::BodyPart<'a>>, Error> {
    match (own, given) {
        (Some(_), Some(_)) => Err(Error::new(Code::ArgumentType, "one body", "one in the entry and one beside it")),
        (own, given) => Ok(own.or(given)),
    }
}

/// A verified message. Only verification makes one; it cannot be changed, subclassed or constructed.
#[pyclass(frozen, module = "ama2sec")]
#[derive(Clone)]
pub struct Message(pub core::VerifiedEnvelope);

#[pymethods]
impl Message {
    #[getter]
    fn id(&self) -> Id {
        Id(*self.0.id())
    }

    /// The verifier's own name for the key that signed it.
    #[getter]
    fn sender(&self) -> &str {
        self.0.sender().name.as_str()
    }

    #[getter]
    fn sender_id(&self) -> Id {
        Id(self.0.claims().agent)
    }

    #[getter]
    fn kind(&self) -> &'static str {
        self.0.claims().kind.as_str()
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        match self.0.body() {
            core::Body::Present { body, .. } => Some(PyBytes::new(py, body)),
            _ => None,
        }
    }

    /// `none`, `present` or `withheld`.
    #[getter]
    fn body_state(&self) -> &'static str {
        match self.0.body() {
            core::Body::None => "none",
            core::Body::Withheld => "withheld",
            core::Body::Present { .. } => "present",
        }
    }

    #[getter]
    fn media_type(&self) -> Option<&str> {
        self.0.claims().body.as_ref().map(|body| body.media_type.as_str())
    }

    /// The history that the author says it had consumed.
    #[getter]
    fn context(&self) -> Context {
        Context { inner: self.0.claims().context }
    }

    #[getter]
    fn path(&self) -> ExecutionPath {
        let claims = self.0.claims();
        let merges = claims.merges.iter().map(|merge| (Id(merge.branch), merge.size, Id(merge.fingerprint))).collect();
        ExecutionPath { branch: claims.branch, parent: claims.parent, merges }
    }

    #[getter]
    fn workflow<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if self.0.claims().workflow.is_none() {
            return Ok(None);
        }
        from_json(py, &core::claims_to_json(self.0.claims()))?.get_item("workflow_state").map(Some)
    }

    /// Ids as hex, names as `name:...`.
    #[getter]
    fn recipients<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &core::claims_to_json(self.0.claims()))?.get_item("recipients")
    }

    /// The author's own counter: (epoch in ms, counter); None for an open.
    #[getter]
    fn seq(&self) -> Option<(u64, u32)> {
        self.0.claims().seq.map(|seq| (seq.epoch, seq.counter))
    }

    /// The time that the author claims, in ms since 1970.
    #[getter]
    fn time(&self) -> u64 {
        self.0.claims().time
    }

    #[getter]
    fn realm(&self) -> Id {
        Id(self.0.claims().realm)
    }

    /// The conversation's id; an open's own id.
    #[getter]
    fn conversation(&self) -> Id {
        let claims = self.0.claims();
        Id(if claims.open.is_some() { *self.0.id() } else { claims.conversation })
    }

    #[getter]
    fn envelope<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.bytes())
    }

    #[getter]
    fn claims<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &core::claims_to_json(self.0.claims()))
    }

    /// The entry that travels: the envelope, and the body if it is here.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let part = match self.0.body() {
            core::Body::Present { salt, body } => Some(core::BodyPart { salt, body }),
            _ => None,
        };
        PyBytes::new(py, &core::encode_entry(self.0.bytes(), part))
    }

    fn __repr__(&self) -> String {
        let short: String = text::hex(self.0.id()).chars().take(8).collect();
        format!("<Message {short} from {}>", self.sender())
    }
}

/// (size, hash) of the history, and of the registry, that an author says it had consumed.
#[pyclass(frozen, module = "ama2sec")]
pub struct Context {
    inner: core::Context,
}

#[pymethods]
impl Context {
    #[getter]
    fn size(&self) -> u64 {
        self.inner.size
    }

    #[getter]
    fn hash(&self) -> Id {
        Id(self.inner.fingerprint)
    }

    #[getter]
    fn registry_size(&self) -> u64 {
        self.inner.registry_size
    }

    #[getter]
    fn registry_hash(&self) -> Id {
        Id(self.inner.registry_fingerprint)
    }

    fn __repr__(&self) -> String {
        format!("<Context {}:{}>", self.inner.size, text::hex(&self.inner.fingerprint))
    }
}

/// Where a message stands: its branch, its parent, and the heads that it merges.
#[pyclass(frozen, module = "ama2sec")]
pub struct ExecutionPath {
    branch: core::Id,
    parent: Option<core::Id>,
    merges: Vec<(Id, u64, Id)>,
}

#[pymethods]
impl ExecutionPath {
    #[getter]
    fn branch(&self) -> Id {
        Id(self.branch)
    }

    #[getter]
    fn parent(&self) -> Option<Id> {
        self.parent.map(Id)
    }

    /// (branch, size, fingerprint) of each merged head.
    #[getter]
    fn merges(&self) -> Vec<(Id, u64, Id)> {
        self.merges.clone()
    }
}

/// A signed message, as its author holds it. The body is the caller's own object: it is not copied.
#[pyclass(frozen, module = "ama2sec")]
pub struct Signed {
    id: core::Id,
    pub envelope: Vec<u8>,
    body: Option<(Py<PyBytes>, [u8; 32])>,
}

#[pymethods]
impl Signed {
    #[getter]
    fn id(&self) -> Id {
        Id(self.id)
    }

    #[getter]
    fn envelope<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.envelope)
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.body.as_ref().map(|(body, _)| body.bind(py).clone())
    }

    /// The entry that travels: the envelope with its body.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let part = self.body.as_ref().map(|(body, salt)| core::BodyPart { salt, body: body.as_bytes(py) });
        PyBytes::new(py, &core::encode_entry(&self.envelope, part))
    }

    fn __repr__(&self) -> String {
        let short: String = text::hex(&self.id).chars().take(8).collect();
        format!("<Signed {short}>")
    }
}

/// Claims that wait for a signature.
#[pyclass(frozen, module = "ama2sec._native")]
pub struct Draft {
    pub inner: core::Draft,
    pub body: Option<(Py<PyBytes>, [u8; 32])>,
}

/// What Python gives for both kinds, with fresh salts.
pub fn parts<'a>(
    py: Python<'_>,
    author: &'a PublicKey,
    body: Option<&'a [u8]>,
    media_type: &'a str,
    recipients: &Bound<'_, PyList>,
    time: u64,
    body_salt: &'a mut [u8; 32],
) -> PyResult<core::MessageParts<'a>> {
    let mut salt = [0u8; 16];
    random(py, &mut salt)?;
    random(py, body_salt)?;
    let body = body.map(|body| (core::BodyPart { salt: &*body_salt, body }, media_type));
    Ok(core::MessageParts { author: &author.0, recipients: addrs(recipients)?, time, salt, body })
}

pub fn addrs(list: &Bound<'_, PyList>) -> PyResult<Vec<core::Addr>> {
    list.iter()
        .map(|item| {
            if let Ok(id) = item.cast::<Id>() {
                return Ok(core::Addr::Id(id.get().0));
            }
            let Ok(name) = item.extract::<Text>() else {
                let fault = Error::new(Code::ArgumentType, "names and ids", "another type");
                return Err(to_py(item.py(), &fault));
            };
            guard(item.py(), || Name::parse(&name).map(core::Addr::Name))
        })
        .collect()
}

#[pymethods]
impl Draft {
    /// A first entry of a conversation outside a realm.
    #[staticmethod]
    #[pyo3(signature = (author, body, media_type, recipients, members, time_ms))]
    fn open(
        py: Python<'_>,
        author: &PublicKey,
        body: Option<&Bound<'_, PyAny>>,
        media_type: Text,
        recipients: &Bound<'_, PyList>,
        members: Option<&Bound<'_, PyList>>,
        time_ms: Uint,
    ) -> PyResult<Draft> {
        let held = body;
        let body = exact_or_none(body)?;
        let mut salt = [0; 32];
        let parts = parts(py, author, body, &media_type, recipients, time_ms.0, &mut salt)?;
        let members = members.map(addrs).transpose()?;
        let inner = guard_detached(py, || core::Draft::open(parts, core::OpenParts { members }))?;
        Ok(Draft { inner, body: keep_body(held, salt) })
    }

    /// The exact bytes to sign.
    #[getter]
    fn to_sign<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.to_sign())
    }

    /// Sign with a key of the core.
    fn sign(&self, py: Python<'_>, key: &SigningKey) -> PyResult<Signed> {
        let envelope = guard_detached(py, || self.inner.sign(&key.0))?;
        Ok(self.signed(py, envelope))
    }

    /// Take a signature from elsewhere; it is verified first.
    fn seal(&self, signature: &Bound<'_, PyAny>) -> PyResult<Signed> {
        let py = signature.py();
        let bytes = exact(signature)
            .map_err(|_| to_py(py, &Error::new(Code::SignerFault, "a signature as bytes", "another type")))?;
        let envelope = guard_detached(py, || self.inner.seal(bytes))?;
        Ok(self.signed(py, envelope))
    }
}

impl Draft {
    fn signed(&self, py: Python<'_>, envelope: Vec<u8>) -> Signed {
        let body = self.body.as_ref().map(|(body, salt)| (body.clone_ref(py), *salt));
        Signed { id: *self.inner.id(), envelope, body }
    }
}

/// Keep the caller's body with its salt, for the entry that travels.
pub fn keep_body(held: Option<&Bound<'_, PyAny>>, salt: [u8; 32]) -> Option<(Py<PyBytes>, [u8; 32])> {
    let body = held?.cast_exact::<PyBytes>().ok()?;
    Some((body.clone().unbind(), salt))
}

/// Read an envelope strictly, without a key.
#[pyfunction]
pub fn parse(data: &Bound<'_, PyAny>) -> PyResult<UnverifiedEnvelope> {
    let bytes = exact(data)?;
    guard_detached(data.py(), || {
        let entry = core::parse_message(bytes)?;
        let body = entry.body.map(|part| (part.salt.to_vec(), part.body.to_vec()));
        Ok(UnverifiedEnvelope { inner: core::UnverifiedEnvelope::parse(entry.envelope)?, body })
    })
}

/// Verify one message.
#[pyfunction]
#[pyo3(signature = (data, directory, body, body_salt, require_body))]
pub fn verify(
    data: &Bound<'_, PyAny>,
    directory: &CoreDirectory,
    body: Option<&Bound<'_, PyAny>>,
    body_salt: Option<&Bound<'_, PyAny>>,
    require_body: bool,
) -> PyResult<Message> {
    let bytes = exact(data)?;
    let (body, salt) = (exact_or_none(body)?, exact_or_none(body_salt)?);
    let directory = directory.snapshot();
    guard_detached(data.py(), || {
        let entry = core::parse_message(bytes)?;
        let part = choose_body(entry.body, given_body(body, salt)?)?;
        let envelope = core::UnverifiedEnvelope::parse(entry.envelope)?;
        Ok(Message(envelope.verify_asking(&directory, part, require_body)?))
    })
}

/// Verify many messages outside the interpreter lock: a list of messages and errors, one an item.
#[pyfunction]
pub fn verify_many<'py>(
    py: Python<'py>,
    items: &Bound<'py, PyList>,
    directory: &CoreDirectory,
    threads: Uint,
) -> PyResult<Bound<'py, PyList>> {
    // More threads than items are never started.
    let threads = usize::try_from(threads.0).unwrap_or(usize::MAX);
    let held: Vec<Bound<'py, PyAny>> = items.iter().collect();
    // An item of the wrong type is the caller's fault, and gets its own verdict like any other.
    let read: Vec<PyResult<&[u8]>> = held.iter().map(exact).collect();
    let incoming: Vec<core::Incoming<'_>> =
        read.iter().filter_map(|item| item.as_ref().ok()).map(|data| core::Incoming { data, body: None }).collect();
    let directory = directory.snapshot();
    let mut verdicts = guard_detached(py, || Ok(core::verify_many(&incoming, &directory, threads)))?.into_iter();
    let out = PyList::empty(py);
    for item in read {
        match item {
            Err(fault) => out.append(fault.into_value(py))?,
            Ok(_) => match verdicts.next() {
                Some(Ok(message)) => out.append(Py::new(py, Message(message))?)?,
                Some(Err(fault)) => out.append(to_py(py, &fault).into_value(py))?,
                None => return Err(to_py(py, &Error::new(Code::Internal, "one verdict an item", "fewer"))),
            },
        }
    }
    Ok(out)
}

/// Strict decoding alone (conformance).
#[pyfunction]
pub fn check_cbor(data: &Bound<'_, PyAny>) -> PyResult<()> {
    let bytes = exact(data)?;
    guard_detached(data.py(), || core::codec::check_item(bytes, false))
}

/// Sign what is given, hostile or not (conformance): (envelope, message id).
#[pyfunction]
#[pyo3(signature = (key, claims_json, claims, header, body, body_salt))]
pub fn make<'py>(
    py: Python<'py>,
    key: &SigningKey,
    claims_json: Option<&str>,
    claims: Option<&Bound<'py, PyAny>>,
    header: Option<&Bound<'py, PyAny>>,
    body: Option<&Bound<'py, PyAny>>,
    body_salt: Option<&Bound<'py, PyAny>>,
) -> PyResult<(Bound<'py, PyBytes>, Id)> {
    let (claims, header) = (exact_or_none(claims)?, exact_or_none(header)?);
    let (body, salt) = (exact_or_none(body)?, exact_or_none(body_salt)?);
    let (envelope, id) = guard(py, || {
        let public: &EnrolledKey = key.0.public();
        let (payload, typ) = match (claims_json, claims) {
            (None, Some(claims)) => (claims.to_vec(), core::Typ::Message),
            (Some(view), None) => claims_of_view(view, public, body, salt)?,
            _ => return Err(question("claims or claims_bytes")),
        };
        let protected = header.map_or_else(|| core::header_of(public.thumbprint(), typ), <[u8]>::to_vec);
        let signed = core::sig_structure(&protected, &payload);
        let envelope = core::encode_envelope(&protected, &payload, &key.0.sign(&signed));
        Ok((envelope, core::message_id(&signed)))
    })?;
    Ok((PyBytes::new(py, &envelope), Id(id)))
}

fn question(expected: &'static str) -> Error {
    Error::new(Code::ConformQuestion, expected, "something else")
}

fn claims_of_view(
    view: &str,
    public: &EnrolledKey,
    body: Option<&[u8]>,
    salt: Option<&[u8]>,
) -> Result<(Vec<u8>, core::Typ), Error> {
    let mut view: serde_json::Value = serde_json::from_str(view).map_err(|_| question("claims as JSON"))?;
    let members = view.as_object_mut().ok_or_else(|| question("claims as a JSON object"))?;
    if let (Some(body), Some(salt)) = (body, salt) {
        let salt: &[u8; 32] = salt.try_into().map_err(|_| question("a body salt of 32 bytes"))?;
        let filled = serde_json::json!({"commitment": text::hex(&core::commitment(salt, body)), "size": body.len(),
                                        "media_type": "application/octet-stream"});
        let given = members.entry("body").or_insert_with(|| serde_json::json!({}));
        if let (Some(given), Some(filled)) = (given.as_object_mut(), filled.as_object()) {
            for (name, value) in filled {
                given.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    Ok((core::claims_from_json(&view, public.thumbprint())?, core::typ_of_json(&view)))
}
