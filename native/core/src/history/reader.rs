//! What a store of nodes has to answer: the complete subtree of height `level` that ends before leaf `end` (fingerprint.9.4).
//! Roots, proofs and ranges at every size are made of such answers alone, whether they come from memory, a file or arithmetic.

use super::Hash;
use crate::errors::{Code, Error, Result};
use crate::limits::SIZE_END;

/// Reads nodes of one history. `end` is a multiple of 2^level, above 0 and not above the history's size.
pub trait NodeReader {
    fn node(&mut self, level: u32, end: u64) -> Result<Hash>;
}

impl<R: NodeReader + ?Sized> NodeReader for &mut R {
    fn node(&mut self, level: u32, end: u64) -> Result<Hash> {
        (**self).node(level, end)
    }
}

/// Reads the peaks of D[begin, end) into `peaks`, largest first; `begin` is a multiple of the largest power of two that is not
/// above the length. So these are the peaks of a whole prefix (`begin` = 0) or of an incomplete subtree on the right.
pub fn gather<R: NodeReader + ?Sized>(reader: &mut R, begin: u64, end: u64, peaks: &mut Vec<Hash>) -> Result<()> {
    peaks.clear();
    let (Some(mut rest), true) = (end.checked_sub(begin), end < SIZE_END) else {
        return Err(Error::new(Code::Internal, "leaves below 2^48, in order", format!("{begin} to {end}")));
    };
    // From the right to the left, so that a reader of a branch goes up its chain of ancestors once.
    let mut at = end;
    while rest != 0 {
        let level = rest.trailing_zeros();
        rest &= rest - 1;
        peaks.push(reader.node(level, at)?);
        at -= 1 << level;
    }
    peaks.reverse();
    Ok(())
}
