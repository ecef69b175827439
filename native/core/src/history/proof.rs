//! The form of a proof (proofs.1): one string of bytes for each claim.

use super::Hash;
use super::accumulator::{BranchTree, TreeHash};
use super::ancestry::AncestryProof;
use super::consistency::ConsistencyProof;
use super::inclusion::InclusionProof;
use super::range::RangeProof;
use super::sha_tree::Rfc6962;
use crate::errors::{Code, Error, Result};
use crate::limits::MAX_PROOF;

const MAGIC: [u8; 3] = *b"a2p";
const VERSION: u8 = 1;

/// The tree that a proof is of: its hash function follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeKind {
    Branch = 1,
    Realm = 2,
}

impl TreeKind {
    pub fn as_str(self) -> &'static str {
        match self {
            TreeKind::Branch => "branch",
            TreeKind::Realm => "realm",
        }
    }
}

/// A hash function whose proofs have a tree number (proofs.1.1).
pub trait ProofTree: TreeHash + std::fmt::Debug {
    const KIND: TreeKind;
}

impl ProofTree for BranchTree {
    const KIND: TreeKind = TreeKind::Branch;
}

impl ProofTree for Rfc6962 {
    const KIND: TreeKind = TreeKind::Realm;
}

/// A proof that has its form. Nothing in it is known to be true.
#[derive(Clone, Debug)]
pub struct Proof<'a> {
    pub(super) tree: TreeKind,
    pub(super) claim: Claim<'a>,
}

#[derive(Clone, Debug)]
pub(super) enum Claim<'a> {
    Inclusion(InclusionProof<'a>),
    Consistency(ConsistencyProof<'a>),
    Range(RangeProof<'a>),
    Ancestry(AncestryProof<'a>),
}

impl<'a> Proof<'a> {
    /// Reads strictly: what is missing is `ProofForm` where it is missed, and so is what is left over.
    pub fn parse(data: &'a [u8]) -> Result<Self> {
        // proofs.1.3, first of all: nothing is read of what is too long.
        if data.len() > MAX_PROOF {
            let got = format!("{} bytes", data.len());
            return Err(Error::new(Code::SizeLimit, format!("a proof of at most {MAX_PROOF} bytes"), got));
        }
        let mut input = Reader { rest: data };
        let (kind, tree) = input.header()?;
        let claim = match kind {
            1 => Claim::Inclusion(InclusionProof::read(&mut input)?),
            2 => Claim::Consistency(ConsistencyProof::read(&mut input)?),
            3 => Claim::Range(RangeProof::read(&mut input)?),
            _ => Claim::Ancestry(AncestryProof::read(&mut input)?),
        };
        // proofs.1.3: the length follows from the numbers.
        match input.rest.len() {
            0 => Ok(Proof { tree, claim }),
            left => Err(form("nothing behind the last hash", format!("{left} bytes"))),
        }
    }

    /// The one string of bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(1024));
        out.0.extend_from_slice(&MAGIC);
        out.0.extend_from_slice(&[VERSION, self.claim.number(), self.tree as u8]);
        match &self.claim {
            Claim::Inclusion(proof) => proof.write(&mut out),
            Claim::Consistency(proof) => proof.write(&mut out),
            Claim::Range(proof) => proof.write(&mut out),
            Claim::Ancestry(proof) => proof.write(&mut out),
        }
        out.0
    }

    /// `inclusion`, `consistency`, `range` or `ancestry`.
    pub fn kind(&self) -> &'static str {
        self.claim.name()
    }

    pub fn tree(&self) -> TreeKind {
        self.tree
    }

    /// proofs.1.4: the claim, if it is of the tree that was asked for. The caller takes the type that was asked for out of it.
    pub(super) fn of_tree<T: ProofTree>(self) -> Result<Claim<'a>> {
        if self.tree != T::KIND {
            let expected = format!("a proof of a {} tree", T::KIND.as_str());
            return Err(Error::new(Code::ProofClaim, expected, format!("one of a {} tree", self.tree.as_str())));
        }
        Ok(self.claim)
    }
}

impl Claim<'_> {
    fn number(&self) -> u8 {
        match self {
            Claim::Inclusion(_) => 1,
            Claim::Consistency(_) => 2,
            Claim::Range(_) => 3,
            Claim::Ancestry(_) => 4,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Claim::Inclusion(_) => "inclusion",
            Claim::Consistency(_) => "consistency",
            Claim::Range(_) => "range",
            Claim::Ancestry(_) => "ancestry",
        }
    }

    /// proofs.1.4: another type was asked for.
    pub fn other_than(&self, asked: &'static str) -> Error {
        Error::new(Code::ProofClaim, format!("a proof of {asked}"), format!("one of {}", self.name()))
    }
}

/// Reads the fields of a proof.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// proofs.1.1. The type is known: 1 to 4.
    fn header(&mut self) -> Result<(u8, TreeKind)> {
        let magic: [u8; 3] = *self.take("the beginning 'a2p'")?;
        if magic != MAGIC {
            return Err(form("the beginning 'a2p'", "another one"));
        }
        let [version] = *self.take("a version")?;
        if version != VERSION {
            return Err(Error::new(Code::ProofVersion, "version 1", version.to_string()));
        }
        let [kind] = *self.take("a type")?;
        if !(1..=4).contains(&kind) {
            return Err(form("type 1 to 4", kind.to_string()));
        }
        let [tree] = *self.take("a tree")?;
        match (tree, kind) {
            (1, _) => Ok((kind, TreeKind::Branch)),
            (2, 1..=3) => Ok((kind, TreeKind::Realm)),
            (2, _) => Err(form("an ancestry proof of a branch tree", "one of a realm tree")),
            _ => Err(form("tree 1 or 2", tree.to_string())),
        }
    }

    pub fn take<const N: usize>(&mut self, what: &'static str) -> Result<&'a [u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.missing(what))?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn bytes(&mut self, count: usize, what: &'static str) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.missing(what))?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn number(&mut self) -> Result<u64> {
        let [a, b, c, d, e, f] = *self.take("a number of 6 bytes")?;
        Ok(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// `count` hashes, none of them copied: what is allocated never depends on what a proof says.
    pub fn hashes(&mut self, count: usize) -> Result<&'a [Hash]> {
        let bytes = self.bytes(count.saturating_mul(32), "as many hashes as its numbers ask for")?;
        let (hashes, _) = bytes.as_chunks();
        Ok(hashes)
    }

    fn missing(&self, what: &'static str) -> Error {
        form(what, format!("{} bytes", self.rest.len()))
    }
}

/// Writes the fields of a proof.
#[derive(Debug)]
pub(super) struct Writer(pub Vec<u8>);

impl Writer {
    pub fn number(&mut self, value: u64) -> &mut Self {
        let [_, _, low @ ..] = value.to_be_bytes();
        self.0.extend_from_slice(&low);
        self
    }

    pub fn hashes(&mut self, hashes: &[Hash]) -> &mut Self {
        self.0.extend_from_slice(hashes.as_flattened());
        self
    }
}

pub(super) fn form(expected: &'static str, got: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Code::ProofForm, expected, got)
}

/// proofs.1.2: the numbers do not fit each other.
pub(super) fn index_fault(expected: &'static str, got: String) -> Error {
    Error::new(Code::ProofIndex, expected, got)
}
