//! Where the nodes of a tree are kept: one vector in post-order, in memory or in a file that the caller made.
//!
//! The complete subtree of height `level` that ends before leaf `end` is written when leaf `end - 1` is appended. So its
//! place follows from arithmetic alone, nothing is ever rewritten, and a tree of any older size is a prefix of the vector.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom, Write};

use super::Hash;
use crate::errors::{Code, Error, Result};

/// How many nodes a tree of `leaves` leaves has: P(m) = 2m - popcount(m).
pub fn node_count(leaves: u64) -> u64 {
    (leaves << 1) - u64::from(leaves.count_ones())
}

/// The place of the complete subtree of height `level` over the leaves before `end`; `end` is a multiple of 2^level, not 0.
pub fn node_index(level: u32, end: u64) -> u64 {
    node_count(end - 1) + u64::from(level)
}

/// A vector of nodes. The tree above it does the arithmetic.
pub trait NodeStore {
    /// Appends one node.
    fn push(&mut self, node: &Hash) -> Result<()>;

    /// Appends many. Where it fails, the caller truncates to the length before.
    fn append(&mut self, nodes: &[Hash]) -> Result<()> {
        nodes.iter().try_for_each(|node| self.push(node))
    }

    /// The node at a place below the length.
    fn node(&mut self, index: u64) -> Result<Hash>;

    /// Forgets all nodes from `length` on.
    fn truncate(&mut self, length: u64) -> Result<()>;
}

/// Nodes in memory: 64 bytes for each leaf, and little beyond it. They lie in pieces, so that what grows does not move.
#[derive(Clone, Debug, Default)]
pub struct MemoryNodes {
    full: Vec<Box<[Hash]>>,
    last: Vec<Hash>,
}

/// Nodes in each of the full pieces: 4 KiB.
const PIECE: usize = 128;

impl MemoryNodes {
    /// Bytes that it holds beyond itself.
    pub fn resident(&self) -> usize {
        let nodes = self.full.len() * PIECE + self.last.capacity();
        nodes * size_of::<Hash>() + self.full.capacity() * size_of::<Box<[Hash]>>()
    }

    /// A sixteenth to spare at most once there are many: of a million short ones, those that double would stand half empty.
    fn make_room(&mut self, more: usize) {
        if self.last.capacity().saturating_sub(self.last.len()) < more {
            let spare = (self.full.len() * PIECE + self.last.len()) / 16;
            self.last.reserve_exact(more.max(2).max(spare.min(PIECE - self.last.len())));
        }
    }
}

impl NodeStore for MemoryNodes {
    fn push(&mut self, node: &Hash) -> Result<()> {
        self.append(std::slice::from_ref(node))
    }

    fn append(&mut self, nodes: &[Hash]) -> Result<()> {
        let mut rest = nodes;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(PIECE - self.last.len()));
            self.make_room(now.len());
            self.last.extend_from_slice(now);
            rest = later;
            if self.last.len() == PIECE {
                grow(&mut self.full, 1);
                self.full.push(std::mem::take(&mut self.last).into());
            }
        }
        Ok(())
    }

    fn node(&mut self, index: u64) -> Result<Hash> {
        let found = usize::try_from(index).ok().and_then(|at| {
            let piece = self.full.get(at / PIECE).map_or(&*self.last, |piece| piece);
            // Behind the full pieces an index must not be one of a piece further on.
            piece.get(at % PIECE).filter(|_| at / PIECE <= self.full.len())
        });
        found.copied().ok_or_else(|| beyond(index))
    }

    fn truncate(&mut self, length: u64) -> Result<()> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        while length < self.full.len() * PIECE
            && let Some(piece) = self.full.pop()
        {
            self.last = piece.into();
        }
        self.last.truncate(length.saturating_sub(self.full.len() * PIECE));
        Ok(())
    }
}

/// Nodes in a file, the newest of them in memory: memory does not grow with the history (fingerprint.6, "Memory").
///
/// The caller makes the file (a temporary one, readable by nobody else) and removes it. What is in it is trusted: it holds
/// only what this process computed, and is never read back by another run.
#[derive(Debug)]
pub struct FileNodes<F> {
    file: F,
    /// Nodes below this place are in the file, the others in `tail`.
    start: u64,
    tail: Vec<Hash>,
    /// How many nodes stay in memory when the older half is written out.
    keep: usize,
    /// Nodes that were read from the file: mostly the few large subtrees that every older root needs.
    read: HashMap<u64, Hash>,
}

/// Nodes from the file that are remembered.
const READ_LIMIT: usize = 256;

impl<F: Read + Write + Seek> FileNodes<F> {
    /// An empty store over an empty file. At least the nodes of the last `window` leaves stay in memory.
    pub fn new(file: F, window: usize) -> Self {
        FileNodes { file, start: 0, tail: Vec::new(), keep: window.max(1).saturating_mul(2), read: HashMap::new() }
    }

    /// Nodes held in memory at this moment: the bound on memory is checked by counting, not by measuring a process.
    pub fn in_memory(&self) -> usize {
        self.tail.len() + self.read.len()
    }

    fn write_out(&mut self) -> Result<()> {
        let count = self.tail.len().saturating_sub(self.keep);
        let older = self.tail.get(..count).unwrap_or_default();
        let offset = self.start.saturating_mul(32);
        self.file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| self.file.write_all(older.as_flattened()))
            .map_err(|error| Error::new(Code::WriteFailed, "a node file that can be written", error.to_string()))?;
        self.tail.drain(..count);
        self.start += count as u64;
        Ok(())
    }

    fn read_node(&mut self, index: u64) -> Result<Hash> {
        let mut node = [0u8; 32];
        self.file
            .seek(SeekFrom::Start(index.saturating_mul(32)))
            .and_then(|_| self.file.read_exact(&mut node))
            .map_err(|error| Error::new(Code::FileUnreadable, "the node file as it was written", error.to_string()))?;
        if self.read.len() >= READ_LIMIT {
            self.read.clear();
        }
        self.read.insert(index, node);
        Ok(node)
    }
}

impl<F: Read + Write + Seek> NodeStore for FileNodes<F> {
    fn push(&mut self, node: &Hash) -> Result<()> {
        // Written in large pieces, and only what has left the window: a short conversation never touches the file.
        if self.tail.len() >= self.keep.saturating_mul(2) {
            self.write_out()?;
        }
        self.tail.push(*node);
        Ok(())
    }

    fn node(&mut self, index: u64) -> Result<Hash> {
        if let Some(place) = index.checked_sub(self.start) {
            return usize::try_from(place).ok().and_then(|i| self.tail.get(i)).copied().ok_or_else(|| beyond(index));
        }
        match self.read.get(&index) {
            Some(node) => Ok(*node),
            None => self.read_node(index),
        }
    }

    fn truncate(&mut self, length: u64) -> Result<()> {
        match length.checked_sub(self.start) {
            Some(kept) => self.tail.truncate(usize::try_from(kept).unwrap_or(usize::MAX)),
            None => {
                // What lies beyond in the file is written over before it is read again.
                self.start = length;
                self.tail.clear();
                self.read.retain(|index, _| *index < length);
            }
        }
        Ok(())
    }
}

/// Makes room for `more` elements with little to spare, a sixteenth at most once there are many.
pub fn grow<E>(vector: &mut Vec<E>, more: usize) {
    if vector.capacity().saturating_sub(vector.len()) < more {
        vector.reserve_exact(more.max(3).max(vector.len() / 16));
    }
}

pub(super) fn beyond(index: u64) -> Error {
    Error::new(Code::Internal, "the place of a node that was stored", format!("place {index}"))
}
