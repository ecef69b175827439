//! Nodes of many branches in one scratch file: memory does not grow with the histories (fingerprint.9.6).
//!
//! A branch takes extents of 8, 16, 32 ... nodes from the end of the file, and a node is written once, at the place that its
//! number gives it. Of a branch only the list of its extents is in memory: 4 bytes each time its length doubles.
//!
//! The caller makes the file (a temporary one, readable by nobody else). It is trusted: it holds only what this process computed.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Hash;
use super::nodes::{NodeStore, beyond, grow};
use crate::errors::{Code, Error, Result};

/// Bytes at a place, as a file has them. No position is shared, so that threads do not disturb each other.
pub trait Disk {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
}

#[cfg(unix)]
impl Disk for std::fs::File {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, bytes, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self, bytes, offset)
    }
}

/// Nodes in the smallest extent, which is also the unit in which places of extents are counted: 2^32 of them are 1 TiB.
const UNIT: u64 = 8;
/// Nodes that are remembered for the whole file: mostly the newest, and the large subtrees that every root needs.
const REMEMBERED: usize = 2048;

/// The file, and what all of its branches share.
#[derive(Debug)]
pub struct NodeFile<D> {
    disk: D,
    process: u32,
    shared: Mutex<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Units that were given away.
    used: u32,
    /// Where a place finds its node if it is remembered: one slot for each residue.
    remembered: Vec<Option<(u64, Hash)>>,
}

/// The nodes of one branch in the file.
#[derive(Debug)]
pub struct FileBranch<D> {
    file: Arc<NodeFile<D>>,
    length: u64,
    /// The first unit of each extent.
    extents: Vec<u32>,
}

impl<D: Disk> NodeFile<D> {
    /// A file without branches over an empty disk.
    pub fn new(disk: D) -> Arc<Self> {
        let shared = Mutex::new(Shared { used: 0, remembered: vec![None; REMEMBERED] });
        Arc::new(NodeFile { disk, process: std::process::id(), shared })
    }

    /// An empty store for one more branch.
    pub fn branch(self: &Arc<Self>) -> FileBranch<D> {
        FileBranch { file: Arc::clone(self), length: 0, extents: Vec::new() }
    }

    /// Bytes of the file that were given to branches.
    pub fn given(&self) -> u64 {
        u64::from(self.shared().used) * UNIT * 32
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        // Whatever is remembered was written: a thread that died here left nothing half done.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, units: u32) -> Result<u32> {
        let mut shared = self.shared();
        let first = shared.used;
        shared.used = first.checked_add(units).ok_or_else(full)?;
        Ok(first)
    }

    fn write(&self, nodes: &[Hash], place: u64) -> Result<()> {
        let wrong = |fault: String| Error::new(Code::WriteFailed, "a node file that can be written", fault);
        self.same_process().map_err(wrong)?;
        let offset = place.saturating_mul(32);
        self.disk.write_all_at(nodes.as_flattened(), offset).map_err(|fault| wrong(fault.to_string()))?;
        let mut shared = self.shared();
        for (place, node) in (place..).zip(nodes) {
            shared.remember(place, *node);
        }
        Ok(())
    }

    fn read(&self, place: u64) -> Result<Hash> {
        if let Some(node) = self.shared().recall(place) {
            return Ok(node);
        }
        let wrong = |fault: String| Error::new(Code::FileUnreadable, "the node file as it was written", fault);
        self.same_process().map_err(wrong)?;
        let mut node = [0; 32];
        let offset = place.saturating_mul(32);
        self.disk.read_exact_at(&mut node, offset).map_err(|fault| wrong(fault.to_string()))?;
        self.shared().remember(place, node);
        Ok(node)
    }

    /// A child of `fork` has the same file and would write over its parent's nodes.
    fn same_process(&self) -> std::result::Result<(), String> {
        match self.process == std::process::id() {
            true => Ok(()),
            false => Err("a process that was forked off".to_owned()),
        }
    }
}

impl Shared {
    fn remember(&mut self, place: u64, node: Hash) {
        if let Some(slot) = self.remembered.get_mut(slot(place)) {
            *slot = Some((place, node));
        }
    }

    fn recall(&self, place: u64) -> Option<Hash> {
        match self.remembered.get(slot(place)) {
            Some(Some((at, node))) if *at == place => Some(*node),
            _ => None,
        }
    }
}

fn slot(place: u64) -> usize {
    usize::try_from(place % REMEMBERED as u64).unwrap_or(0)
}

/// The extent of a node, and its place in there: extent i has `UNIT << i` nodes, and those before it `UNIT * (2^i - 1)`.
fn extent_of(index: u64) -> (usize, u64) {
    let extent = (index / UNIT + 1).ilog2();
    (extent as usize, index + UNIT - (UNIT << extent))
}

impl<D: Disk> FileBranch<D> {
    /// Bytes of memory that it holds beyond itself.
    pub fn resident(&self) -> usize {
        self.extents.capacity() * size_of::<u32>()
    }

    fn place(&self, index: u64) -> Result<u64> {
        let (extent, within) = extent_of(index);
        let first = self.extents.get(extent).ok_or_else(|| beyond(index))?;
        Ok(u64::from(*first) * UNIT + within)
    }

    /// How many of the nodes from `index` on lie in the same extent; takes the extent if it is the next one.
    fn room(&mut self, index: u64) -> Result<usize> {
        let (extent, within) = extent_of(index);
        if extent == self.extents.len() {
            let units = u32::try_from(1u64 << extent).map_err(|_| full())?;
            grow(&mut self.extents, 1);
            self.extents.push(self.file.take(units)?);
        }
        Ok(usize::try_from((UNIT << extent) - within).unwrap_or(usize::MAX))
    }
}

impl<D: Disk> NodeStore for FileBranch<D> {
    fn push(&mut self, node: &Hash) -> Result<()> {
        self.append(std::slice::from_ref(node))
    }

    fn append(&mut self, nodes: &[Hash]) -> Result<()> {
        let (mut rest, mut at) = (nodes, self.length);
        while !rest.is_empty() {
            let room = self.room(at)?;
            let (piece, later) = rest.split_at(room.min(rest.len()));
            self.file.write(piece, self.place(at)?)?;
            at += piece.len() as u64;
            rest = later;
        }
        // Only now do they count: after a failure half-way the next ones are written over them.
        self.length = at;
        Ok(())
    }

    fn node(&mut self, index: u64) -> Result<Hash> {
        if index >= self.length {
            return Err(beyond(index));
        }
        self.file.read(self.place(index)?)
    }

    fn truncate(&mut self, length: u64) -> Result<()> {
        self.length = self.length.min(length);
        Ok(())
    }
}

fn full() -> Error {
    Error::new(Code::SizeLimit, "node files of at most 1 TiB", "more")
}
