//! The way from a node up to the root: which siblings it meets, on which side, in which order (proofs.2.2).
//!
//! The one stem of everything that proves and checks: a prover reads these siblings from a tree, a checker takes their hashes
//! from a proof, and both hash them in the same order.

use super::Hash;
use super::accumulator::{TreeHash, bag};
use super::reader::{NodeReader, gather};
use crate::errors::{Code, Error, Result};
use crate::limits::SIZE_END;

/// A leaf of a history of a size: index < size < 2^48.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    index: u64,
    size: u64,
}

impl Place {
    /// None where the numbers are no place (proofs.1.2).
    pub fn new(index: u64, size: u64) -> Option<Self> {
        (index < size && size < SIZE_END).then_some(Place { index, size })
    }

    pub fn index(self) -> u64 {
        self.index
    }

    pub fn size(self) -> u64 {
        self.size
    }

    /// The siblings of PATH(index, D), from the leaf upwards.
    pub fn siblings(self) -> Siblings {
        self.siblings_from(0)
    }

    /// The same from the complete subtree of height `level` on that ends with this leaf.
    pub(super) fn siblings_from(self, level: u32) -> Siblings {
        // From this height on the way runs along the right edge of the tree: nothing stands on its right there.
        let edge = 64 - (self.index ^ (self.size - 1)).leading_zeros();
        Siblings { place: self, level, edge }
    }
}

/// On which side of the way a sibling stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// A subtree beside the way: over leaves [begin, end). Only one on the right, the last, can be incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sibling {
    pub side: Side,
    pub begin: u64,
    pub end: u64,
}

/// The siblings on a way, from below. Their number is known before any is taken.
#[derive(Clone, Debug)]
pub struct Siblings {
    place: Place,
    level: u32,
    edge: u32,
}

impl Iterator for Siblings {
    type Item = Sibling;

    fn next(&mut self) -> Option<Sibling> {
        let Place { index, size } = self.place;
        let mut level = self.level;
        if level >= self.edge {
            // On the edge a step up without a left sibling hashes nothing.
            let above = index >> level;
            if above == 0 {
                return None;
            }
            level += above.trailing_zeros();
        }
        self.level = level + 1;
        let at = index >> level;
        if at & 1 == 1 {
            return Some(Sibling { side: Side::Left, begin: (at - 1) << level, end: at << level });
        }
        Some(Sibling { side: Side::Right, begin: (at + 1) << level, end: ((at + 2) << level).min(size) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let below = self.edge.saturating_sub(self.level);
        let above = (self.place.index >> self.level.max(self.edge)).count_ones();
        let count = (below + above) as usize;
        (count, Some(count))
    }
}

impl ExactSizeIterator for Siblings {}

/// Siblings with one hash for each: what a checker climbs.
#[derive(Clone, Debug)]
pub(super) struct Way<'a> {
    siblings: Siblings,
    hashes: &'a [Hash],
}

impl<'a> Way<'a> {
    /// None for another number of hashes (proofs.1.3).
    pub fn new(siblings: Siblings, hashes: &'a [Hash]) -> Option<Self> {
        (siblings.len() == hashes.len()).then_some(Way { siblings, hashes })
    }

    pub fn hashes(&self) -> &'a [Hash] {
        self.hashes
    }

    /// Each sibling with its hash, from below.
    pub fn steps(&self) -> impl Iterator<Item = (Sibling, &'a Hash)> + use<'a> {
        self.siblings.clone().zip(self.hashes)
    }

    /// The root over `node`.
    pub fn climb<T: TreeHash>(&self, node: Hash) -> Hash {
        self.steps().fold(node, |node, (sibling, hash)| match sibling.side {
            Side::Left => T::node(hash, &node),
            Side::Right => T::node(&node, hash),
        })
    }
}

/// The hashes of siblings, from the nodes of a tree.
///
/// They are read from the right end of the history to the left, whatever their order: a reader of a branch that was forked many
/// times goes up its chain of ancestors once.
pub(super) fn read_all<T: TreeHash, R: NodeReader + ?Sized>(reader: &mut R, siblings: &[Sibling]) -> Result<Vec<Hash>> {
    let mut hashes = vec![[0; 32]; siblings.len()];
    let mut peaks = Vec::new();
    let mut read = |sibling: &Sibling, slot: &mut Hash| {
        gather(reader, sibling.begin, sibling.end, &mut peaks)?;
        *slot = bag::<T>(&peaks).ok_or_else(|| Error::new(Code::Internal, "a sibling over leaves", "one over none"))?;
        Ok(())
    };
    // Upwards, those on the right lie further and further right, those on the left further and further left.
    for (sibling, slot) in siblings.iter().zip(&mut hashes).rev().filter(|(sibling, _)| sibling.side == Side::Right) {
        read(sibling, slot)?;
    }
    for (sibling, slot) in siblings.iter().zip(&mut hashes).filter(|(sibling, _)| sibling.side == Side::Left) {
        read(sibling, slot)?;
    }
    Ok(hashes)
}

/// The caller's numbers make no claim about a tree (proofs.1.6).
pub(super) fn no_claim(expected: &'static str, got: String) -> Error {
    Error::new(Code::ArgumentRange, expected, got)
}
