//! Proofs over the SHA-256 tree, for Python's `hazmat`: RFC 6962's lists, and the realm tree's proofs in our own form.

use ama2sec_core::errors::{Code, Error, Result};
use ama2sec_core::history::consistency::{self as consistency, prove_consistency};
use ama2sec_core::history::inclusion::{self as inclusion, prove_inclusion};
use ama2sec_core::history::range::{self as range, prove_range};
use ama2sec_core::history::rfc6962 as core;
use ama2sec_core::history::sha_tree::{Rfc6962, TreeHead};
use ama2sec_core::history::tree::Tree;
use ama2sec_core::message::Id as Hash;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyList};

use crate::errors::{exact, guard_detached, to_py};
use crate::proofs::within;
use crate::tree::{Nodes, RealmTree, hash_of, whole};

/// The proof that a leaf hash stands in a tree. It says nothing about the data that somebody hashed.
#[pyclass(frozen, module = "ama2sec.hazmat")]
pub struct Rfc6962Included(core::Rfc6962Included);

/// The proof that one SHA-256 tree begins with another.
#[pyclass(frozen, module = "ama2sec.hazmat")]
pub struct Rfc6962Extended(consistency::Extended<TreeHead>);

/// The proof that a record stands in a tree.
#[pyclass(frozen, module = "ama2sec.hazmat")]
pub struct RecordIncluded(inclusion::Included<TreeHead>);

/// The proof that records are consecutive leaves of a tree.
#[pyclass(frozen, module = "ama2sec.hazmat")]
pub struct RecordRangeIncluded(range::RangeIncluded<TreeHead>);

type Pair<'py> = (u64, Bound<'py, PyBytes>);

fn pair<'py>(py: Python<'py>, head: &TreeHead) -> Pair<'py> {
    (head.size, PyBytes::new(py, &head.root))
}

#[pymethods]
impl Rfc6962Included {
    #[getter]
    fn leaf_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.leaf_hash())
    }

    #[getter]
    fn index(&self) -> u64 {
        self.0.index()
    }

    /// (size, root) that it was held against.
    #[getter]
    fn head<'py>(&self, py: Python<'py>) -> Pair<'py> {
        pair(py, self.0.head())
    }
}

#[pymethods]
impl Rfc6962Extended {
    /// (size, root) of the old tree.
    #[getter]
    fn old<'py>(&self, py: Python<'py>) -> Pair<'py> {
        pair(py, self.0.old())
    }

    /// (size, root) of the new tree.
    #[getter(new)]
    fn new_head<'py>(&self, py: Python<'py>) -> Pair<'py> {
        pair(py, self.0.new_head())
    }
}

#[pymethods]
impl RecordIncluded {
    #[getter]
    fn leaf_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.id())
    }

    #[getter]
    fn index(&self) -> u64 {
        self.0.index()
    }

    /// (size, root) that it was held against.
    #[getter]
    fn head<'py>(&self, py: Python<'py>) -> Pair<'py> {
        pair(py, self.0.head())
    }
}

#[pymethods]
impl RecordRangeIncluded {
    #[getter]
    fn begin(&self) -> u64 {
        self.0.begin()
    }

    #[getter]
    fn leaf_hashes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        listed(py, self.0.ids())
    }

    /// (size, root) that they were held against.
    #[getter]
    fn head<'py>(&self, py: Python<'py>) -> Pair<'py> {
        pair(py, self.0.head())
    }

    /// The compact range of the whole tree where the records are its last ones; else None.
    #[getter]
    fn peaks<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        self.0.compact_range().map(|range| listed(py, range.peaks())).transpose()
    }
}

fn listed<'py>(py: Python<'py>, hashes: &[Hash]) -> PyResult<Bound<'py, PyList>> {
    PyList::new(py, hashes.iter().map(|hash| PyBytes::new(py, hash)))
}

/// A number that a peer may have chosen: any integer may come, and one that no tree has is `ProofIndex` (proofs.7.1).
fn claimed(value: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
    match value.cast_exact::<PyInt>() {
        Ok(number) => Ok(number.extract::<u64>().ok()),
        Err(_) => Err(to_py(value.py(), &Error::new(Code::ArgumentType, "a whole number", "another type"))),
    }
}

fn both(first: Option<u64>, second: Option<u64>) -> Result<(u64, u64)> {
    let beyond = || Error::new(Code::ProofIndex, "numbers from 0 on, below 2^48", "another one");
    first.zip(second).ok_or_else(beyond)
}

fn items<'a, 'py>(held: &'a [Bound<'py, PyAny>]) -> PyResult<Vec<&'a [u8]>> {
    held.iter().map(exact).collect()
}

/// Check a list of RFC 9162, 2.1.3.
#[pyfunction]
pub fn rfc6962_check_inclusion(
    leaf_hash: &Bound<'_, PyAny>,
    index: &Bound<'_, PyAny>,
    size: &Bound<'_, PyAny>,
    proof: &Bound<'_, PyList>,
    root: &Bound<'_, PyAny>,
) -> PyResult<Rfc6962Included> {
    let held: Vec<Bound<'_, PyAny>> = proof.iter().collect();
    let (leaf, hashes, head) = (exact(leaf_hash)?, items(&held)?, exact(root)?);
    let (index, size) = (claimed(index)?, claimed(size)?);
    guard_detached(proof.py(), || {
        let (index, size) = both(index, size)?;
        core::rfc6962_check_inclusion(leaf, index, size, &hashes, head)
    })
    .map(Rfc6962Included)
}

/// Check a list of RFC 9162, 2.1.4.
#[pyfunction]
pub fn rfc6962_check_consistency(
    old_size: &Bound<'_, PyAny>,
    new_size: &Bound<'_, PyAny>,
    proof: &Bound<'_, PyList>,
    old_root: &Bound<'_, PyAny>,
    new_root: &Bound<'_, PyAny>,
) -> PyResult<Rfc6962Extended> {
    let held: Vec<Bound<'_, PyAny>> = proof.iter().collect();
    let (hashes, old, new) = (items(&held)?, exact(old_root)?, exact(new_root)?);
    let (old_size, new_size) = (claimed(old_size)?, claimed(new_size)?);
    guard_detached(proof.py(), || {
        let (old_size, new_size) = both(old_size, new_size)?;
        core::rfc6962_check_consistency(old_size, new_size, &hashes, old, new)
    })
    .map(Rfc6962Extended)
}

/// Prove from a tree at a size, all of it by default.
fn prove<'py, R: Send>(
    py: Python<'py>,
    tree: &RealmTree,
    size: Option<&Bound<'py, PyAny>>,
    call: impl FnOnce(&mut Tree<Nodes, Rfc6962>, u64) -> Result<R> + Send,
) -> PyResult<R> {
    let size = size.map(whole).transpose()?;
    tree.with(py, |tree| {
        let size = within(size, tree.size())?;
        call(tree, size)
    })
}

/// The list of RFC 9162, 2.1.3, for leaf `index`.
#[pyfunction]
#[pyo3(signature = (tree, index, size=None))]
pub fn rfc6962_prove_inclusion<'py>(
    py: Python<'py>,
    tree: &RealmTree,
    index: &Bound<'py, PyAny>,
    size: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyList>> {
    let index = whole(index)?;
    listed(py, &prove(py, tree, size, |tree, size| core::rfc6962_prove_inclusion(tree, index, size))?)
}

/// The list of RFC 9162, 2.1.4.
#[pyfunction]
#[pyo3(signature = (tree, old_size, new_size=None))]
pub fn rfc6962_prove_consistency<'py>(
    py: Python<'py>,
    tree: &RealmTree,
    old_size: &Bound<'py, PyAny>,
    new_size: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyList>> {
    let old = whole(old_size)?;
    listed(py, &prove(py, tree, new_size, |tree, new| core::rfc6962_prove_consistency(tree, old, new))?)
}

/// The realm tree's inclusion proof, in the form of proofs.1.
#[pyfunction]
#[pyo3(signature = (tree, index, size=None))]
pub fn prove_record_inclusion<'py>(
    py: Python<'py>,
    tree: &RealmTree,
    index: &Bound<'py, PyAny>,
    size: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let index = whole(index)?;
    let proof = prove(py, tree, size, |tree, size| prove_inclusion::<Rfc6962, _>(tree, index, size))?;
    Ok(PyBytes::new(py, &proof))
}

/// The realm tree's consistency proof, in the form of proofs.1.
#[pyfunction]
#[pyo3(signature = (tree, old_size, new_size=None))]
pub fn prove_record_consistency<'py>(
    py: Python<'py>,
    tree: &RealmTree,
    old_size: &Bound<'py, PyAny>,
    new_size: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let old = whole(old_size)?;
    let proof = prove(py, tree, new_size, |tree, new| prove_consistency::<Rfc6962, _>(tree, old, new))?;
    Ok(PyBytes::new(py, &proof))
}

/// The realm tree's range proof, in the form of proofs.1.
#[pyfunction]
#[pyo3(signature = (tree, begin, end, size=None))]
pub fn prove_record_range<'py>(
    py: Python<'py>,
    tree: &RealmTree,
    begin: &Bound<'py, PyAny>,
    end: &Bound<'py, PyAny>,
    size: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (begin, end) = (whole(begin)?, whole(end)?);
    let proof = prove(py, tree, size, |tree, size| prove_range::<Rfc6962, _>(tree, begin, end, size))?;
    Ok(PyBytes::new(py, &proof))
}

fn tree_head(size: &Bound<'_, PyAny>, root: &Bound<'_, PyAny>) -> PyResult<TreeHead> {
    Ok(TreeHead { size: whole(size)?, root: *hash_of(root)? })
}

/// Check that a record is a leaf of a trusted tree.
#[pyfunction]
pub fn check_record_inclusion(
    size: &Bound<'_, PyAny>,
    root: &Bound<'_, PyAny>,
    record: &Bound<'_, PyAny>,
    proof: &Bound<'_, PyAny>,
) -> PyResult<RecordIncluded> {
    let (trusted, record, proof_bytes) = (tree_head(size, root)?, exact(record)?, exact(proof)?);
    guard_detached(proof.py(), || inclusion::check_inclusion(&trusted, record, proof_bytes)).map(RecordIncluded)
}

/// Check that one trusted tree begins with another.
#[pyfunction]
pub fn check_record_consistency(
    old_size: &Bound<'_, PyAny>,
    old_root: &Bound<'_, PyAny>,
    new_size: &Bound<'_, PyAny>,
    new_root: &Bound<'_, PyAny>,
    proof: &Bound<'_, PyAny>,
) -> PyResult<Rfc6962Extended> {
    let (old, new) = (tree_head(old_size, old_root)?, tree_head(new_size, new_root)?);
    let proof_bytes = exact(proof)?;
    guard_detached(proof.py(), || consistency::check_consistency(&old, &new, proof_bytes)).map(Rfc6962Extended)
}

/// Check that records are consecutive leaves of a trusted tree.
#[pyfunction]
pub fn check_record_range(
    size: &Bound<'_, PyAny>,
    root: &Bound<'_, PyAny>,
    records: &Bound<'_, PyList>,
    proof: &Bound<'_, PyAny>,
) -> PyResult<RecordRangeIncluded> {
    let (trusted, proof_bytes) = (tree_head(size, root)?, exact(proof)?);
    let held: Vec<Bound<'_, PyAny>> = records.iter().collect();
    let leaves = items(&held)?;
    guard_detached(proof.py(), || range::check_range(&trusted, &leaves, proof_bytes)).map(RecordRangeIncluded)
}
