//! The SHA-256 tree of RFC 6962, section 2.1: what realm records use, and what outside tools check (fingerprint.4).

use sha2::{Digest, Sha256};

use super::Hash;
use super::accumulator::{CompactRange, TreeHash};
use crate::errors::Result;

/// SHA-256 trees: a prefix byte keeps leaves and nodes apart.
#[derive(Clone, Copy, Debug)]
pub enum Rfc6962 {}

impl TreeHash for Rfc6962 {
    fn node(left: &Hash, right: &Hash) -> Hash {
        Sha256::new().chain_update([1u8]).chain_update(left).chain_update(right).finalize().into()
    }
}

/// The hash of a leaf's data.
pub fn rfc6962_leaf(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0u8]).chain_update(data).finalize().into()
}

/// The root over leaf hashes; over none, the hash of nothing.
pub fn rfc6962_root<'a>(leaf_hashes: impl IntoIterator<Item = &'a Hash>) -> Result<Hash> {
    let mut range = CompactRange::<Rfc6962>::new();
    for leaf in leaf_hashes {
        range.append(leaf)?;
    }
    Ok(range.root().unwrap_or_else(|| Sha256::digest(b"").into()))
}

/// A trusted size and root of the realm tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    pub size: u64,
    pub root: Hash,
}
