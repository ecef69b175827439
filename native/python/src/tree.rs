//! The trees of the room history, for Python: accumulators that fork, and the SHA-256 tree of realm records.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ama2sec_core::errors::{Code, Error, Result};
use ama2sec_core::history::accumulator::{BranchTree, CompactRange};
use ama2sec_core::history::forest::{Branch, Forest};
use ama2sec_core::history::node_file::{FileBranch, NodeFile as CoreNodeFile};
use ama2sec_core::history::nodes::{MemoryNodes, NodeStore};
use ama2sec_core::history::sha_tree::{Rfc6962, rfc6962_leaf, rfc6962_root};
use ama2sec_core::history::tree::Tree;
use ama2sec_core::limits::SIZE_END;
use ama2sec_core::message::Id as CoreId;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyList, PyString};

use crate::errors::{exact, guard, guard_detached, to_py};
use crate::history::Fingerprint;
use crate::identity::Id;

/// The nodes of one branch, wherever they are kept.
pub enum Nodes {
    Memory(MemoryNodes),
    File(Box<FileBranch<File>>),
}

impl NodeStore for Nodes {
    fn push(&mut self, node: &CoreId) -> Result<()> {
        self.append(std::slice::from_ref(node))
    }

    fn append(&mut self, nodes: &[CoreId]) -> Result<()> {
        match self {
            Nodes::Memory(memory) => memory.append(nodes),
            Nodes::File(file) => file.append(nodes),
        }
    }

    fn node(&mut self, index: u64) -> Result<CoreId> {
        match self {
            Nodes::Memory(memory) => memory.node(index),
            Nodes::File(file) => file.node(index),
        }
    }

    fn truncate(&mut self, length: u64) -> Result<()> {
        match self {
            Nodes::Memory(memory) => memory.truncate(length),
            Nodes::File(file) => file.truncate(length),
        }
    }
}

/// An unnamed scratch file for the nodes of any number of accumulators, so that memory does not grow with their histories.
///
/// ``NodeFile(directory=None)`` makes it in ``directory``, by default where temporary files go. It vanishes with the process and holds nothing
/// that could not be computed again; a process that was forked off cannot use it. Raises ``WriteFailed``. Source: spec fingerprint.9.6.
#[pyclass(frozen, module = "ama2sec")]
pub struct NodeFile(Arc<CoreNodeFile<File>>);

#[pymethods]
impl NodeFile {
    #[new]
    #[pyo3(signature = (directory=None))]
    fn new(py: Python<'_>, directory: Option<PathBuf>) -> PyResult<NodeFile> {
        let file = guard(py, || {
            directory
                .map_or_else(tempfile::tempfile, tempfile::tempfile_in)
                .map_err(|fault| Error::new(Code::WriteFailed, "to make a temporary file", fault.kind().to_string()))
        })?;
        Ok(NodeFile(CoreNodeFile::new(file)))
    }

    /// Bytes of the file that were given to branches.
    #[getter]
    fn given(&self) -> u64 {
        self.0.given()
    }

    fn __repr__(&self) -> String {
        format!("<NodeFile {} bytes>", self.given())
    }
}

fn empty(file: Option<&Arc<CoreNodeFile<File>>>) -> Nodes {
    file.map_or_else(|| Nodes::Memory(MemoryNodes::default()), |file| Nodes::File(Box::new(file.branch())))
}

/// The histories of one conversation: what all accumulators that were forked from one another share.
pub struct Histories {
    pub realm: CoreId,
    pub conversation: CoreId,
    forest: Mutex<Forest<BranchTree, Nodes>>,
    file: Option<Arc<CoreNodeFile<File>>>,
}

/// The message ids of one branch of a conversation, in order: the root and the fingerprint of every prefix, and forks that share it.
///
///     history = Accumulator(realm, conversation)
///     history.append(message.id)                      # 0, its index
///     other = history.fork(1)                         # inherits leaf 0, and copies nothing
///     other.fingerprint(1) == history.fingerprint(1)  # one name for each point
///
/// Ids (also ``realm`` and ``conversation``) are given as ``Id``, as 32 bytes or as 64 hex digits. It takes the ids that it is given: whether they may
/// stand here is judged elsewhere (``Conversation``). ``nodes`` is a ``NodeFile`` for the nodes, memory without it (64 bytes a
/// message). Accumulators that were forked from one another share their nodes and one lock; all calls are safe in threads.
///
/// Every call raises ``ArgumentType``, ``ArgumentRange`` and ``NotBytes`` for what is no id, no size or beyond the history, and with a
/// ``NodeFile`` ``WriteFailed`` and ``FileUnreadable``. Source: spec fingerprint.1, .2, .9.
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
    #[pyo3(signature = (realm, conversation, *, nodes=None))]
    fn new(
        realm: &Bound<'_, PyAny>,
        conversation: &Bound<'_, PyAny>,
        nodes: Option<&NodeFile>,
    ) -> PyResult<Accumulator> {
        let file = nodes.map(|nodes| Arc::clone(&nodes.0));
        let (forest, branch) = Forest::with_branch(empty(file.as_ref()));
        let (realm, conversation) = (id_of(realm)?, id_of(conversation)?);
        let histories = Arc::new(Histories { realm, conversation, forest: Mutex::new(forest), file });
        Ok(Accumulator { histories, branch })
    }

    /// Append one message id; returns its index. Raises ``SizeLimit`` at 2^48 leaves.
    fn append(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<u64> {
        let leaf = id_of(id)?;
        self.with(py, |forest, branch| forest.append(branch, &leaf))
    }

    /// Append many message ids, all or none, and return the new size: an iterable of ids, or their bytes in one piece (fastest).
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

    /// The root of the first ``size`` leaves, all by default: 32 bytes. Size 0 has none. A bare root is no fingerprint: one proof
    /// against it verifies under other sizes as well.
    #[pyo3(signature = (size=None))]
    fn root<'py>(&self, py: Python<'py>, size: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyBytes>> {
        let range = self.range_at(py, size)?;
        // Hashed outside the forest's lock.
        let root = guard_detached(py, || range.root().ok_or_else(no_history))?;
        Ok(PyBytes::new(py, &root))
    }

    /// The fingerprint of the first ``size`` leaves, all by default, under the name that this point has on every branch through it.
    /// No fingerprint has size 0.
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

    /// The compact range of the first ``size`` leaves, all by default: the roots of the complete subtrees, largest first.
    #[pyo3(signature = (size=None))]
    fn range<'py>(&self, py: Python<'py>, size: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyList>> {
        let range = self.range_at(py, size)?;
        PyList::new(py, range.peaks().iter().map(|peak| PyBytes::new(py, peak)))
    }

    /// A branch that inherits the first ``size`` leaves, at least one, in constant memory. It hangs from the branch that owns the
    /// last of them.
    fn fork(&self, py: Python<'_>, size: &Bound<'_, PyAny>) -> PyResult<Accumulator> {
        let size = whole(size)?;
        let branch = self.with(py, |forest, branch| forest.fork(branch, size, empty(self.histories.file.as_ref())))?;
        Ok(Accumulator { histories: Arc::clone(&self.histories), branch })
    }

    /// The message id at ``index``.
    fn leaf(&self, py: Python<'_>, index: &Bound<'_, PyAny>) -> PyResult<Id> {
        let index = whole(index)?;
        self.with(py, |forest, branch| forest.leaf(branch, index)).map(Id)
    }

    /// The number of leaves, inherited ones included.
    #[getter]
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |forest, branch| forest.size(branch))
    }

    /// How many leaves are inherited: own ones begin at this index.
    #[getter]
    fn base(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |forest, branch| forest.base(branch))
    }

    /// The branch's id, that of its first own leaf: None before a fork has one. A first branch has the conversation's.
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

/// The SHA-256 tree of RFC 6962 over records, with the root of every prefix. ``nodes`` as for ``Accumulator``.
///
/// ``append_hash`` is why it is a sharp tool: whoever lets others choose a leaf hash has recorded nothing about data. Raises what
/// ``Accumulator`` raises. Source: spec fingerprint.4, proofs.7.
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
    #[pyo3(signature = (*, nodes=None))]
    fn new(nodes: Option<&NodeFile>) -> RealmTree {
        RealmTree(Mutex::new(Tree::of_records(empty(nodes.map(|nodes| &nodes.0)))))
    }

    /// Append one record of any length; returns its index.
    fn append(&self, data: &Bound<'_, PyAny>) -> PyResult<u64> {
        let bytes = exact(data)?;
        guard_detached(data.py(), || {
            let leaf = rfc6962_leaf(bytes);
            locked(&self.0, |tree| record(tree, &leaf))
        })
    }

    /// Append one leaf hash, 32 bytes; returns its index.
    fn append_hash(&self, leaf_hash: &Bound<'_, PyAny>) -> PyResult<u64> {
        let leaf = *hash_of(leaf_hash)?;
        guard_detached(leaf_hash.py(), || locked(&self.0, |tree| record(tree, &leaf)))
    }

    /// The root of the first ``size`` records, all by default: 32 bytes. Of none it is the hash of nothing.
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

fn record(tree: &mut Tree<Nodes, Rfc6962>, leaf: &CoreId) -> Result<u64> {
    let index = tree.size();
    tree.append(leaf)?;
    Ok(index)
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
        Ok(written) => Id::from_hex(value.py(), written.extract()?).map(|id| id.0),
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
