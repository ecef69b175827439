//! The trees of the room history, for Python: accumulators that fork, and the SHA-256 tree of realm records.

use std::sync::{Arc, Mutex};

use ama2sec_core::errors::{Code, Error, Result};
use ama2sec_core::history::accumulator::{BranchTree, CompactRange};
use ama2sec_core::history::forest::{Branch, Forest};
use ama2sec_core::history::nodes::MemoryNodes;
use ama2sec_core::history::sha_tree::{Rfc6962, rfc6962_leaf, rfc6962_root};
use ama2sec_core::history::tree::Tree;
use ama2sec_core::limits::SIZE_END;
use ama2sec_core::message::Id as CoreId;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyList, PyString};

use crate::errors::{exact, guard, guard_detached, to_py};
use crate::history::Fingerprint;
use crate::identity::Id;

pub type Nodes = MemoryNodes;

/// The histories of one conversation: what all accumulators that were forked from one another share.
pub struct Histories {
    pub realm: CoreId,
    pub conversation: CoreId,
    forest: Mutex<Forest<BranchTree, Nodes>>,
}

/// The message ids of one branch, in order, with the root and the fingerprint of every prefix.
#[pyclass(frozen, module = "ama2sec")]
pub struct Accumulator {
    histories: Arc<Histories>,
    branch: Branch,
}

/// Run a call on what a lock guards. A call that panicked may have left it half-changed: it answers no more.
fn locked<S, R>(lock: &Mutex<S>, call: impl FnOnce(&mut S) -> Result<R>) -> Result<R> {
    let mut held = lock.lock().map_err(|_| {
        Error::new(Code::Panic, "a tree that no fault of its own has touched", "one that a fault has touched")
    })?;
    call(&mut held)
}

fn no_history() -> Error {
    Error::new(Code::ArgumentRange, "a history of one leaf or more", "size 0: it has no root and no fingerprint")
}

impl Accumulator {
    /// A call on the forest and this branch of it, outside the interpreter lock.
    pub fn with<R: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&mut Forest<BranchTree, Nodes>, Branch) -> Result<R> + Send,
    ) -> PyResult<R> {
        guard_detached(py, || locked(&self.histories.forest, |forest| call(forest, self.branch)))
    }

    pub fn histories(&self) -> &Histories {
        &self.histories
    }
}

#[pymethods]
impl Accumulator {
    #[new]
    fn new(realm: &Bound<'_, PyAny>, conversation: &Bound<'_, PyAny>) -> PyResult<Accumulator> {
        let (forest, branch) = Forest::with_branch(Nodes::default());
        let (realm, conversation) = (id_of(realm)?, id_of(conversation)?);
        Ok(Accumulator { histories: Arc::new(Histories { realm, conversation, forest: Mutex::new(forest) }), branch })
    }

    /// Append one message id; returns its index.
    fn append(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<u64> {
        let leaf = id_of(id)?;
        self.with(py, |forest, branch| forest.append(branch, &leaf))
    }

    /// Append many message ids, all or none; returns the new size.
    fn extend(&self, py: Python<'_>, ids: &Bound<'_, PyAny>) -> PyResult<u64> {
        let gathered;
        let leaves = match ids.cast_exact::<PyBytes>() {
            Ok(bytes) => split(py, bytes.as_bytes())?,
            Err(_) => {
                gathered = ids_of(ids)?;
                &gathered
            }
        };
        self.with(py, |forest, branch| forest.extend(branch, leaves))
    }

    /// The root of the first `size` leaves, all by default.
    #[pyo3(signature = (size=None))]
    fn root<'py>(&self, py: Python<'py>, size: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyBytes>> {
        let range = self.range_at(py, size)?;
        // Hashed outside the forest's lock.
        let root = guard_detached(py, || range.root().ok_or_else(no_history))?;
        Ok(PyBytes::new(py, &root))
    }

    /// The fingerprint of the first `size` leaves, under the name that this point has on every branch.
    #[pyo3(signature = (size=None))]
    fn fingerprint(&self, py: Python<'_>, size: Option<&Bound<'_, PyAny>>) -> PyResult<Fingerprint> {
        let size = size.map(whole).transpose()?;
        let Histories { realm, conversation, .. } = *self.histories;
        self.with(py, |forest, branch| {
            let size = size.map_or_else(|| forest.size(branch), Ok)?;
            forest.fingerprint(&realm, &conversation, branch, size)
        })
        .map(Fingerprint)
    }

    /// The compact range of the first `size` leaves.
    #[pyo3(signature = (size=None))]
    fn range<'py>(&self, py: Python<'py>, size: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyList>> {
        let range = self.range_at(py, size)?;
        PyList::new(py, range.peaks().iter().map(|peak| PyBytes::new(py, peak)))
    }

    /// A branch that inherits the first `size` leaves.
    fn fork(&self, py: Python<'_>, size: &Bound<'_, PyAny>) -> PyResult<Accumulator> {
        let size = whole(size)?;
        let branch = self.with(py, |forest, branch| forest.fork(branch, size, Nodes::default()))?;
        Ok(Accumulator { histories: Arc::clone(&self.histories), branch })
    }

    /// The leaf at `index`.
    fn leaf(&self, py: Python<'_>, index: &Bound<'_, PyAny>) -> PyResult<Id> {
        let index = whole(index)?;
        self.with(py, |forest, branch| forest.leaf(branch, index)).map(Id)
    }

    #[getter]
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |forest, branch| forest.size(branch))
    }

    /// How many leaves are inherited.
    #[getter]
    fn base(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |forest, branch| forest.base(branch))
    }

    /// The branch's id; None before the first own leaf of a fork.
    #[getter]
    fn branch(&self, py: Python<'_>) -> PyResult<Option<Id>> {
        let conversation = self.histories.conversation;
        Ok(self.with(py, |forest, branch| forest.id(branch, &conversation))?.map(Id))
    }

    #[getter]
    fn realm(&self) -> Id {
        Id(self.histories.realm)
    }

    #[getter]
    fn conversation(&self) -> Id {
        Id(self.histories.conversation)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.size(py).map(|size| usize::try_from(size).unwrap_or(usize::MAX))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (size, base) = (self.size(py)?, self.base(py)?);
        Ok(format!("<Accumulator {} size {size} base {base}>", self.conversation().short()))
    }
}

impl Accumulator {
    /// The compact range of the size that was asked for, or of the newest.
    fn range_at(&self, py: Python<'_>, size: Option<&Bound<'_, PyAny>>) -> PyResult<CompactRange> {
        let size = size.map(whole).transpose()?;
        self.with(py, |forest, branch| {
            let size = size.map_or_else(|| forest.size(branch), Ok)?;
            forest.range(branch, size)
        })
    }
}

/// The SHA-256 tree of RFC 6962 over data, or over leaf hashes.
#[pyclass(frozen, module = "ama2sec.hazmat")]
pub struct RealmTree(Mutex<Tree<Nodes, Rfc6962>>);

impl RealmTree {
    /// A call on the tree, outside the interpreter lock.
    pub fn with<R: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&mut Tree<Nodes, Rfc6962>) -> Result<R> + Send,
    ) -> PyResult<R> {
        guard_detached(py, || locked(&self.0, call))
    }
}

#[pymethods]
impl RealmTree {
    #[new]
    fn new() -> RealmTree {
        RealmTree(Mutex::new(Tree::new(Nodes::default())))
    }

    /// Append one record; returns its index.
    fn append(&self, data: &Bound<'_, PyAny>) -> PyResult<u64> {
        let bytes = exact(data)?;
        guard_detached(data.py(), || {
            let leaf = rfc6962_leaf(bytes);
            locked(&self.0, |tree| tree.append(&leaf))
        })
    }

    /// Append one leaf hash; returns its index.
    fn append_hash(&self, leaf_hash: &Bound<'_, PyAny>) -> PyResult<u64> {
        let leaf = *hash_of(leaf_hash)?;
        guard_detached(leaf_hash.py(), || locked(&self.0, |tree| tree.append(&leaf)))
    }

    /// The root of the first `size` records, all by default; of none, the hash of nothing.
    #[pyo3(signature = (size=None))]
    fn root<'py>(&self, py: Python<'py>, size: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyBytes>> {
        let size = size.map(whole).transpose()?;
        let root = guard_detached(py, || {
            let range = locked(&self.0, |tree| {
                let size = size.unwrap_or(tree.size());
                if size > tree.size() {
                    let expected = format!("at most the {} leaves of the tree", tree.size());
                    return Err(Error::new(Code::ArgumentRange, expected, size.to_string()));
                }
                tree.range_at(size)
            })?;
            range.root().map_or_else(|| rfc6962_root([]), Ok)
        })?;
        Ok(PyBytes::new(py, &root))
    }

    #[getter]
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        guard_detached(py, || locked(&self.0, |tree| Ok(tree.size())))
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.size(py).map(|size| usize::try_from(size).unwrap_or(usize::MAX))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        self.size(py).map(|size| format!("<RealmTree size {size}>"))
    }
}

/// A number from 0 on, of exactly the type `int`.
pub fn whole(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    let number = value
        .cast_exact::<PyInt>()
        .map_err(|_| to_py(value.py(), &Error::new(Code::ArgumentType, "a whole number", "another type")))?;
    let wrong = || Error::new(Code::ArgumentRange, "a whole number from 0 on, below 2^48", "another number");
    guard(value.py(), || number.extract::<u64>().ok().filter(|n| *n < SIZE_END).ok_or_else(wrong))
}

/// 32 bytes, exactly `bytes`.
pub fn hash_of<'a>(value: &'a Bound<'_, PyAny>) -> PyResult<&'a CoreId> {
    let bytes = exact(value)?;
    let wrong = || Error::new(Code::ArgumentRange, "32 bytes", format!("{} bytes", bytes.len()));
    guard(value.py(), || bytes.try_into().map_err(|_| wrong()))
}

/// An id given as an `Id`, as 32 bytes or as 64 hex digits.
pub fn id_of(value: &Bound<'_, PyAny>) -> PyResult<CoreId> {
    if let Ok(id) = value.cast::<Id>() {
        return Ok(id.get().0);
    }
    match value.cast_exact::<PyString>() {
        Ok(written) => Id::from_hex(value.py(), written.to_str()?).map(|id| id.0),
        Err(_) => hash_of(value).copied(),
    }
}

fn ids_of(values: &Bound<'_, PyAny>) -> PyResult<Vec<CoreId>> {
    let wrong =
        |_| to_py(values.py(), &Error::new(Code::ArgumentType, "ids, or their bytes in one piece", "another type"));
    values.try_iter().map_err(wrong)?.map(|value| id_of(&value?)).collect()
}

fn split<'a>(py: Python<'_>, bytes: &'a [u8]) -> PyResult<&'a [CoreId]> {
    let wrong = || Error::new(Code::ArgumentRange, "ids of 32 bytes each", format!("{} bytes", bytes.len()));
    match bytes.as_chunks::<32>() {
        (ids, []) => Ok(ids),
        _ => guard(py, || Err(wrong())),
    }
}
