//! Finds where a CBOR item ends, resumably, without judging it: the codec judges whole items, and files come in pieces.

use crate::limits::{MAX_DEPTH, MAX_ITEM};

/// What a scan of the bytes so far has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// The item ends after so many bytes.
    Complete(usize),
    /// The item is not complete before so many bytes are there.
    Needs(usize),
    /// The codec refuses this item, or it is longer than any item may be: only the codec can name the fault.
    Faulty,
}

/// A scan that goes on where it stopped. Its bytes always start at the item's start.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    at: usize,
    /// How many items are still to come at each depth.
    open: [u64; MAX_DEPTH + 1],
    depth: usize,
    faulty: bool,
}

impl Default for Scan {
    fn default() -> Self {
        let mut open = [0; MAX_DEPTH + 1];
        open[0] = 1;
        Scan { at: 0, open, depth: 0, faulty: false }
    }
}

impl Scan {
    /// Looks at the bytes so far. Work is linear in the item, however small the pieces are.
    pub(super) fn run(&mut self, bytes: &[u8]) -> Scanned {
        let found = if self.faulty { Scanned::Faulty } else { self.advance(bytes) };
        self.faulty = found == Scanned::Faulty;
        found
    }

    fn advance(&mut self, bytes: &[u8]) -> Scanned {
        loop {
            while let Some(0) = self.open.get(self.depth) {
                let Some(outer) = self.depth.checked_sub(1) else {
                    return Scanned::Complete(self.at);
                };
                self.depth = outer;
            }
            let rest = bytes.get(self.at..).unwrap_or_default();
            let head = match Head::read(rest) {
                Ok(head) => head,
                Err(missing) => return missing.map_or(Scanned::Faulty, |length| Scanned::Needs(self.at + length)),
            };
            let next = self.at + head.length;
            let end = match head.major {
                2 | 3 => usize::try_from(head.argument).ok().and_then(|length| next.checked_add(length)),
                _ => Some(next),
            };
            let Some(end) = end.filter(|end| *end <= MAX_ITEM) else {
                return Scanned::Faulty;
            };
            if bytes.len() < end {
                return Scanned::Needs(end);
            }
            if !self.enter(head) {
                return Scanned::Faulty;
            }
            self.at = end;
        }
    }

    /// Counts one item, and opens it if it holds others. False where the codec would refuse it.
    fn enter(&mut self, head: Head) -> bool {
        if let Some(count) = self.open.get_mut(self.depth) {
            *count -= 1;
        }
        let inner = match head.major {
            0..=3 => return true,
            4 => Some(head.argument),
            5 => head.argument.checked_mul(2),
            7 => return head.length == 1 && matches!(head.argument, 20..=22),
            _ => None,
        };
        // An element takes at least one byte: a larger count cannot be honest, and must not be counted down.
        let Some(inner) = inner.filter(|count| *count <= MAX_ITEM as u64) else {
            return false;
        };
        match self.open.get_mut(self.depth + 1) {
            Some(count) => *count = inner,
            None => return false,
        }
        self.depth += 1;
        true
    }
}

/// The head of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub major: u8,
    pub argument: u64,
    pub length: usize,
}

impl Head {
    /// Reads a head in any length form. `Err(Some(n))`: n bytes are needed; `Err(None)`: no head that the codec takes.
    pub(super) fn read(bytes: &[u8]) -> Result<Head, Option<usize>> {
        let Some((first, rest)) = bytes.split_first() else {
            return Err(Some(1));
        };
        let (major, info) = (first >> 5, first & 31);
        let width = match info {
            0..=23 => return Ok(Head { major, argument: u64::from(info), length: 1 }),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(None),
        };
        let argument = rest.get(..width).ok_or(Some(1 + width))?;
        let argument = argument.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        Ok(Head { major, argument, length: 1 + width })
    }

    pub(super) fn is_shortest(&self) -> bool {
        let shortest = match self.argument {
            0..=23 => 1,
            24..=0xff => 2,
            0x100..=0xffff => 3,
            0x1_0000..=0xffff_ffff => 5,
            _ => 9,
        };
        self.length == shortest
    }
}
