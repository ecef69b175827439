//! Proofs of the room history, for Python.

use ama2sec_core::errors::{Code, Error, Result};
use ama2sec_core::history::accumulator::BranchTree;
use ama2sec_core::history::ancestry::{self, AncestryProver};
use ama2sec_core::history::consistency::{self as consistency, Compared, prove_consistency as core_prove_consistency};
use ama2sec_core::history::forest::View;
use ama2sec_core::history::head::Fingerprint as CoreFingerprint;
use ama2sec_core::history::inclusion::{self as inclusion, prove_inclusion as core_prove_inclusion};
use ama2sec_core::history::proof::Proof;
use ama2sec_core::history::proof_view::proof_to_json;
use ama2sec_core::history::range::{self as range, prove_range as core_prove_range};
use ama2sec_core::history::trusted::Leaf;
use ama2sec_core::message as core;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::errors::{exact, exact_or_none, guard, guard_detached, to_py};
use crate::history::Fingerprint;
use crate::identity::Id;
use crate::message::{Message, Signed, UnverifiedEnvelope, from_json};
use crate::tree::{Accumulator, Nodes, whole};

/// The proof that a message is an entry of a trusted history. Only `check_inclusion` makes one.
#[pyclass(frozen, module = "ama2sec")]
pub struct Included(inclusion::Included);

#[pymethods]
impl Included {
    #[getter]
    fn id(&self) -> Id {
        Id(*self.0.id())
    }

    #[getter]
    fn index(&self) -> u64 {
        self.0.index()
    }

    /// What it was held against.
    #[getter]
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint(*self.0.head())
    }

    fn __repr__(&self) -> String {
        format!("<Included {}: entry {} of {}>", self.id().short(), self.0.index(), self.0.head())
    }
}

/// The proof that messages are consecutive entries of a trusted history. Only `check_range` makes one.
#[pyclass(frozen, module = "ama2sec")]
pub struct RangeIncluded(range::RangeIncluded);

#[pymethods]
impl RangeIncluded {
    #[getter]
    fn begin(&self) -> u64 {
        self.0.begin()
    }

    #[getter]
    fn ids(&self) -> Vec<Id> {
        self.0.ids().iter().copied().map(Id).collect()
    }

    /// What they were held against.
    #[getter]
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint(*self.0.head())
    }

    /// The compact range of the whole history, largest subtree first, where the messages are its last ones; else None.
    #[getter]
    fn peaks<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        let list = |peaks: &[core::Id]| PyList::new(py, peaks.iter().map(|peak| PyBytes::new(py, peak)));
        self.0.compact_range().map(|range| list(range.peaks())).transpose()
    }

    fn __len__(&self) -> usize {
        self.0.ids().len()
    }

    fn __repr__(&self) -> String {
        format!("<RangeIncluded: {} entries from {} of {}>", self.0.ids().len(), self.0.begin(), self.0.head())
    }
}

/// The proof that one head extends another. Only `check_consistency` and `compare_heads` make one.
#[pyclass(frozen, module = "ama2sec")]
pub struct Extended(consistency::Extended);

#[pymethods]
impl Extended {
    #[getter]
    fn old(&self) -> Fingerprint {
        Fingerprint(*self.0.old())
    }

    #[getter(new)]
    fn new_head(&self) -> Fingerprint {
        Fingerprint(*self.0.new_head())
    }

    fn __repr__(&self) -> String {
        format!("<Extended: {} extends {}>", self.0.new_head(), self.0.old())
    }
}

/// The proof that two heads are one and the same. Only `compare_heads` makes one.
#[pyclass(frozen, module = "ama2sec")]
pub struct Unchanged(consistency::Unchanged);

#[pymethods]
impl Unchanged {
    #[getter]
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint(*self.0.head())
    }

    fn __repr__(&self) -> String {
        format!("<Unchanged: {}>", self.0.head())
    }
}

/// The proof that a message lies in the past of a trusted head. Only `check_ancestry` makes one.
#[pyclass(frozen, module = "ama2sec")]
pub struct Ancestor(ancestry::Ancestor);

#[pymethods]
impl Ancestor {
    #[getter]
    fn id(&self) -> Id {
        Id(*self.0.id())
    }

    #[getter]
    fn index(&self) -> u64 {
        self.0.index()
    }

    /// The trusted head.
    #[getter]
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint(*self.0.head())
    }

    /// The head under which the message was found.
    #[getter]
    fn found(&self) -> Fingerprint {
        Fingerprint(*self.0.found())
    }

    /// The ids of the merging messages on the way.
    #[getter]
    fn via(&self) -> Vec<Id> {
        self.0.via().iter().copied().map(Id).collect()
    }

    fn __repr__(&self) -> String {
        let hops = self.0.via().len();
        format!("<Ancestor {}: entry {}, {hops} merges before {}>", self.id().short(), self.0.index(), self.0.head())
    }
}

fn wrong_type(value: &Bound<'_, PyAny>, expected: &'static str) -> PyErr {
    to_py(value.py(), &Error::new(Code::ArgumentType, expected, "another type"))
}

fn accumulator<'a>(value: &'a Bound<'_, PyAny>) -> PyResult<&'a Accumulator> {
    value.cast::<Accumulator>().map(Bound::get).map_err(|_| wrong_type(value, "an Accumulator"))
}

fn fingerprint(value: &Bound<'_, PyAny>) -> PyResult<CoreFingerprint> {
    value.cast::<Fingerprint>().map(|found| found.get().0).map_err(|_| wrong_type(value, "a Fingerprint"))
}

/// The message itself: bytes (an envelope or an entry), or what this package read, signed or verified. Never a hash.
fn leaf<'a>(value: &'a Bound<'_, PyAny>) -> PyResult<Leaf<'a>> {
    if let Ok(message) = value.cast::<Message>() {
        return Ok(Leaf::Verified(&message.get().0));
    }
    if let Ok(signed) = value.cast::<Signed>() {
        return Ok(Leaf::Bytes(&signed.get().envelope));
    }
    if let Ok(read) = value.cast::<UnverifiedEnvelope>() {
        return Ok(Leaf::Read(&read.get().inner));
    }
    exact(value).map(Leaf::Bytes)
}

/// Prove from a branch at a size, all of it by default. A size beyond the tree is the caller's fault (proofs.1.6).
fn prove<'py, R: Send>(
    py: Python<'py>,
    tree: &Bound<'py, PyAny>,
    size: Option<&Bound<'py, PyAny>>,
    call: impl FnOnce(&mut View<'_, BranchTree, Nodes>, u64) -> Result<R> + Send,
) -> PyResult<R> {
    let size = size.map(whole).transpose()?;
    accumulator(tree)?.with(py, |forest, branch| {
        let size = within(size, forest.size(branch)?)?;
        call(&mut forest.view(branch), size)
    })
}

/// The size that was asked for, if the tree has it; else all of the tree.
pub fn within(asked: Option<u64>, size: u64) -> Result<u64> {
    let beyond =
        |n: u64| Error::new(Code::ArgumentRange, format!("at most the {size} leaves of the tree"), n.to_string());
    match asked {
        Some(n) if n > size => Err(beyond(n)),
        asked => Ok(asked.unwrap_or(size)),
    }
}

fn bytes<'py>(py: Python<'py>, proof: PyResult<Vec<u8>>) -> PyResult<Bound<'py, PyBytes>> {
    proof.map(|proof| PyBytes::new(py, &proof))
}

/// The proof that entry `index` is in the history.
#[pyfunction]
#[pyo3(signature = (accumulator, index, size=None))]
pub fn prove_inclusion<'py>(
    py: Python<'py>,
    accumulator: &Bound<'py, PyAny>,
    index: &Bound<'py, PyAny>,
    size: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let index = whole(index)?;
    bytes(py, prove(py, accumulator, size, |view, size| core_prove_inclusion::<BranchTree, _>(view, index, size)))
}

/// Check that a message is an entry of a trusted history.
#[pyfunction]
pub fn check_inclusion(
    fingerprint: &Bound<'_, PyAny>,
    envelope: &Bound<'_, PyAny>,
    proof: &Bound<'_, PyAny>,
) -> PyResult<Included> {
    let (trusted, leaf, proof_bytes) = (self::fingerprint(fingerprint)?, leaf(envelope)?, exact(proof)?);
    guard_detached(proof.py(), || inclusion::check_inclusion(&trusted, leaf, proof_bytes)).map(Included)
}

/// The proof that the history at one size begins with the history at an older one.
#[pyfunction]
#[pyo3(signature = (accumulator, old_size, new_size=None))]
pub fn prove_consistency<'py>(
    py: Python<'py>,
    accumulator: &Bound<'py, PyAny>,
    old_size: &Bound<'py, PyAny>,
    new_size: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let old = whole(old_size)?;
    bytes(py, prove(py, accumulator, new_size, |view, new| core_prove_consistency::<BranchTree, _>(view, old, new)))
}

/// Check that one head extends another.
#[pyfunction]
pub fn check_consistency(
    old: &Bound<'_, PyAny>,
    new: &Bound<'_, PyAny>,
    proof: &Bound<'_, PyAny>,
) -> PyResult<Extended> {
    let (old, new, proof_bytes) = (fingerprint(old)?, fingerprint(new)?, exact(proof)?);
    guard_detached(proof.py(), || consistency::check_consistency(&old, &new, proof_bytes)).map(Extended)
}

/// How a newer head stands to an older one.
#[pyfunction]
#[pyo3(signature = (old, new, proof=None))]
pub fn compare_heads<'py>(
    py: Python<'py>,
    old: &Bound<'py, PyAny>,
    new: &Bound<'py, PyAny>,
    proof: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (old, new, proof) = (fingerprint(old)?, fingerprint(new)?, exact_or_none(proof)?);
    match guard_detached(py, || consistency::compare_heads(&old, &new, proof))? {
        Compared::Unchanged(same) => Ok(Bound::new(py, Unchanged(same))?.into_any()),
        Compared::Extended(found) => Ok(Bound::new(py, Extended(found))?.into_any()),
    }
}

/// The proof that entries [begin, end) are in the history.
#[pyfunction]
#[pyo3(signature = (accumulator, begin, end, size=None))]
pub fn prove_range<'py>(
    py: Python<'py>,
    accumulator: &Bound<'py, PyAny>,
    begin: &Bound<'py, PyAny>,
    end: &Bound<'py, PyAny>,
    size: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (begin, end) = (whole(begin)?, whole(end)?);
    bytes(py, prove(py, accumulator, size, |view, size| core_prove_range::<BranchTree, _>(view, begin, end, size)))
}

/// Check that messages are consecutive entries of a trusted history.
#[pyfunction]
pub fn check_range(
    fingerprint: &Bound<'_, PyAny>,
    envelopes: &Bound<'_, PyList>,
    proof: &Bound<'_, PyAny>,
) -> PyResult<RangeIncluded> {
    let (trusted, proof_bytes) = (self::fingerprint(fingerprint)?, exact(proof)?);
    let held: Vec<Bound<'_, PyAny>> = envelopes.iter().collect();
    let leaves = held.iter().map(leaf).collect::<PyResult<Vec<Leaf<'_>>>>()?;
    guard_detached(proof.py(), || range::check_range(&trusted, &leaves, proof_bytes)).map(RangeIncluded)
}

/// (index of the merging message, its envelope, the accumulator of the merged head, which of its merges).
type Hop<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>);

/// The proof that an entry lies in the past of a head, by way of merges.
#[pyfunction]
pub fn prove_ancestry<'py>(
    py: Python<'py>,
    accumulator: Bound<'py, PyAny>,
    index: &Bound<'py, PyAny>,
    size: Option<&Bound<'py, PyAny>>,
    via: Vec<Hop<'py>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let index = whole(index)?;
    let mut prover = AncestryProver::from_size(prove(py, &accumulator, size, |_, size| Ok(size))?);
    let mut at = accumulator;
    for (place, envelope, into, merge) in via {
        let place = whole(&place)?;
        let message = guard(py, || read(&leaf(&envelope).map_err(|_| no_envelope())?))?;
        // One above the highest place is no merge of any message, so what does not fit is refused as that.
        let merge = u8::try_from(whole(&merge)?).unwrap_or(u8::MAX);
        let named = prove(py, &at, None, |view, _| prover.via(view, place, &message, merge))?;
        check_merged(py, self::accumulator(&at)?, self::accumulator(&into)?, &named)?;
        at = into;
    }
    bytes(py, prove(py, &at, None, |view, _| prover.to(view, index)))
}

fn no_envelope() -> Error {
    Error::new(Code::ArgumentType, "the envelope of a merging message", "another type")
}

/// The claims of a merging message go into the proof, so it is needed as it was read.
fn read(leaf: &Leaf<'_>) -> Result<core::UnverifiedEnvelope> {
    match leaf {
        Leaf::Bytes(data) => core::UnverifiedEnvelope::parse(core::parse_message(data)?.envelope),
        Leaf::Verified(message) => core::UnverifiedEnvelope::parse(message.bytes()),
        Leaf::Read(envelope) => Ok((*envelope).clone()),
    }
}

/// The caller's accumulator is the merged history: else the proof would not be one.
fn check_merged(py: Python<'_>, from: &Accumulator, into: &Accumulator, named: &core::Merge) -> PyResult<()> {
    let (ours, theirs) = (from.histories(), into.histories());
    let found =
        into.with(py, |forest, branch| forest.fingerprint(&ours.realm, &ours.conversation, branch, named.size))?;
    let same = (theirs.realm, theirs.conversation) == (ours.realm, ours.conversation)
        && (found.scope.branch, found.head.fingerprint) == (named.branch, named.fingerprint);
    let other = || Error::new(Code::ArgumentRange, "the accumulator of the merged head", "another history");
    guard(py, || if same { Ok(()) } else { Err(other()) })
}

/// Check that a message lies in the past of a trusted head.
#[pyfunction]
pub fn check_ancestry(
    fingerprint: &Bound<'_, PyAny>,
    envelope: &Bound<'_, PyAny>,
    proof: &Bound<'_, PyAny>,
) -> PyResult<Ancestor> {
    let (trusted, leaf, proof_bytes) = (self::fingerprint(fingerprint)?, leaf(envelope)?, exact(proof)?);
    guard_detached(proof.py(), || ancestry::check_ancestry(&trusted, leaf, proof_bytes)).map(Ancestor)
}

/// The numbers and the hashes of a proof, for people.
#[pyfunction]
pub fn inspect_proof<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let bytes = exact(data)?;
    let view = guard(data.py(), || proof_to_json(&Proof::parse(bytes)?))?;
    from_json(data.py(), &view)
}
