//! Inclusion: this message is leaf `index` of that history (proofs.2.1 to proofs.2.4).

use super::Hash;
use super::accumulator::TreeHash;
use super::head::Fingerprint;
use super::path::{Place, Sibling, Way, no_claim, read_all};
use super::proof::{Claim, Proof, ProofTree, Reader, Writer, form, index_fault};
use super::reader::NodeReader;
use super::trusted::{Trusted, check_root, check_size};
use crate::errors::{Code, Result};

/// The way from one leaf to the root, as a proof states it.
#[derive(Clone, Debug)]
pub struct InclusionProof<'a> {
    place: Place,
    way: Way<'a>,
}

/// The proof that a message is an entry of a history that is trusted. Only `check_inclusion` makes one.
///
/// It does not say who signed the message (verify the envelope), nor that the history was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Included<H = Fingerprint> {
    id: Hash,
    index: u64,
    head: H,
}

impl<H> Included<H> {
    /// The leaf: a message's id, or a record's leaf hash.
    pub fn id(&self) -> &Hash {
        &self.id
    }

    pub fn index(&self) -> u64 {
        self.index
    }

    /// What it was held against.
    pub fn head(&self) -> &H {
        &self.head
    }
}

impl<'a> InclusionProof<'a> {
    pub(super) fn read(input: &mut Reader<'a>) -> Result<Self> {
        let (index, size) = (input.number()?, input.number()?);
        // proofs.1.2
        let place = Place::new(index, size)
            .ok_or_else(|| index_fault("index < size", format!("index {index} and size {size}")))?;
        let hashes = input.hashes(place.siblings().len())?;
        Self::over(place, hashes)
    }

    /// proofs.1.3
    pub(super) fn over(place: Place, hashes: &'a [Hash]) -> Result<Self> {
        let way = Way::new(place.siblings(), hashes)
            .ok_or_else(|| form("a hash for each sibling", format!("{} hashes", hashes.len())))?;
        Ok(InclusionProof { place, way })
    }

    /// An inclusion proof of this tree, or `ProofClaim` (proofs.1.4).
    pub fn parse<T: ProofTree>(data: &'a [u8]) -> Result<Self> {
        match Proof::parse(data)?.of_tree::<T>()? {
            Claim::Inclusion(proof) => Ok(proof),
            other => Err(other.other_than("inclusion")),
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.number(self.index()).number(self.size()).hashes(self.way.hashes());
    }

    pub fn index(&self) -> u64 {
        self.place.index()
    }

    pub fn size(&self) -> u64 {
        self.place.size()
    }

    /// The siblings with the hashes that the proof states for them, from the leaf upwards.
    pub fn steps(&self) -> impl Iterator<Item = (Sibling, &'a Hash)> + use<'a> {
        self.way.steps()
    }

    /// The root that this path leads to from a leaf. It proves nothing until it is held against what is trusted.
    pub fn root<T: TreeHash>(&self, leaf: &Hash) -> Hash {
        self.way.climb::<T>(*leaf)
    }
}

/// PATH(index, D) (proofs.2.2).
pub(super) fn path<T: TreeHash, R: NodeReader + ?Sized>(reader: &mut R, place: Place) -> Result<Vec<Hash>> {
    let siblings: Vec<Sibling> = place.siblings().collect();
    read_all::<T, R>(reader, &siblings)
}

/// A place that a caller named; it is his fault if there is none (proofs.1.6).
pub(super) fn place(index: u64, size: u64) -> Result<Place> {
    Place::new(index, size).ok_or_else(|| no_claim("index < size < 2^48", format!("index {index} and size {size}")))
}

/// The proof that leaf `index` is in the history of `size` leaves.
pub fn prove_inclusion<T: ProofTree, R: NodeReader + ?Sized>(reader: &mut R, index: u64, size: u64) -> Result<Vec<u8>> {
    let place = place(index, size)?;
    let hashes = path::<T, R>(reader, place)?;
    let claim = Claim::Inclusion(InclusionProof::over(place, &hashes)?);
    Ok(Proof { tree: T::KIND, claim }.encode())
}

/// The numbered steps of proofs.2.3. `leaf` is the message itself (or the record's bytes), never its hash.
pub fn check_inclusion<H: Trusted>(trusted: &H, leaf: H::Leaf<'_>, proof: &[u8]) -> Result<Included<H>> {
    // a. Form, type and tree; then the size: one path fits under many sizes, so the size is the checker's.
    let proof = InclusionProof::parse::<H::Tree>(proof)?;
    check_size("size", trusted.size(), proof.size())?;
    // b. The leaf is computed here: whoever could choose the hash could pass off a node as a message.
    let id = H::leaf(&leaf)?;
    // c. The whole way, then the fingerprint over it.
    check_root(trusted, &proof.root::<H::Tree>(&id), Code::ProofRoot)?;
    Ok(Included { id, index: proof.index(), head: *trusted })
}
