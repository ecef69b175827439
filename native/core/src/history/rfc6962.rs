//! Proof lists of RFC 9162, sections 2.1.3 and 2.1.4, over the SHA-256 tree, as other tools write them (proofs.7.1).
//!
//! They take a leaf's hash: whoever lets others choose it has proved nothing about data.

use super::Hash;
use super::consistency::{ConsistencyProof, Extended, Growth, growth, subproof};
use super::inclusion::{InclusionProof, path, place};
use super::path::Place;
use super::proof::{form, index_fault};
use super::reader::NodeReader;
use super::sha_tree::{Rfc6962, TreeHead};
use super::trusted::check_root;
use crate::errors::{Code, Error, Result};

/// The proof that a leaf hash stands in a tree. Only `rfc6962_check_inclusion` makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rfc6962Included {
    leaf_hash: Hash,
    index: u64,
    head: TreeHead,
}

impl Rfc6962Included {
    pub fn leaf_hash(&self) -> &Hash {
        &self.leaf_hash
    }

    pub fn index(&self) -> u64 {
        self.index
    }

    pub fn head(&self) -> &TreeHead {
        &self.head
    }
}

/// A hash from outside: 32 bytes, no more, no fewer. A prefix that compares equal is no hash.
fn hash(bytes: &[u8]) -> Result<Hash> {
    bytes.try_into().map_err(|_| form("hashes of 32 bytes", format!("one of {} bytes", bytes.len())))
}

/// As many hashes as the numbers ask for (known to be at most 49), each of them one.
fn list(proof: &[&[u8]], count: usize) -> Result<Vec<Hash>> {
    if proof.len() != count {
        return Err(Error::new(Code::ProofForm, format!("{count} hashes"), proof.len().to_string()));
    }
    proof.iter().map(|bytes| hash(bytes)).collect()
}

/// Steps: index and size; the number of hashes, then each hash; the root.
pub fn rfc6962_check_inclusion(
    leaf_hash: &[u8],
    index: u64,
    size: u64,
    proof: &[&[u8]],
    root: &[u8],
) -> Result<Rfc6962Included> {
    let place = Place::new(index, size)
        .ok_or_else(|| index_fault("index < size < 2^48", format!("index {index} and size {size}")))?;
    let hashes = list(proof, place.siblings().len())?;
    let (leaf_hash, head) = (hash(leaf_hash)?, TreeHead { size, root: hash(root)? });
    let found = InclusionProof::over(place, &hashes)?.root::<Rfc6962>(&leaf_hash);
    check_root(&head, &found, Code::ProofRoot)?;
    Ok(Rfc6962Included { leaf_hash, index, head })
}

/// Steps: the sizes; the number of hashes, then each hash; the new root, then the old one.
pub fn rfc6962_check_consistency(
    old_size: u64,
    new_size: u64,
    proof: &[&[u8]],
    old_root: &[u8],
    new_root: &[u8],
) -> Result<Extended<TreeHead>> {
    let growth = Growth::new(old_size, new_size).ok_or_else(|| {
        index_fault("0 < old size < new size < 2^48", format!("old size {old_size} and new size {new_size}"))
    })?;
    let seeded = !old_size.is_power_of_two();
    let hashes = list(proof, growth.siblings().len().saturating_add(usize::from(seeded)))?;
    let old = TreeHead { size: old_size, root: hash(old_root)? };
    let new = TreeHead { size: new_size, root: hash(new_root)? };
    // A complete old tree is the seed itself, and the list leaves it out.
    let (seed, rest) = match hashes.split_first() {
        Some((seed, rest)) if seeded => (*seed, rest),
        _ => (old.root, hashes.as_slice()),
    };
    ConsistencyProof::over(growth, seed, rest)?.extends(&old, &new)
}

/// PATH(index, D) for the tree of `size` leaves.
pub fn rfc6962_prove_inclusion<R: NodeReader + ?Sized>(reader: &mut R, index: u64, size: u64) -> Result<Vec<Hash>> {
    path::<Rfc6962, R>(reader, place(index, size)?)
}

/// PROOF(old, D) for the tree of `new` leaves: without the seed where the old tree is complete.
pub fn rfc6962_prove_consistency<R: NodeReader + ?Sized>(reader: &mut R, old: u64, new: u64) -> Result<Vec<Hash>> {
    let mut hashes = subproof::<Rfc6962, R>(reader, growth(old, new)?)?;
    if old.is_power_of_two() {
        hashes.remove(0);
    }
    Ok(hashes)
}
