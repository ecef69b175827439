//! What proofs are held against. Size and hash come from the checker, never from the proof (fingerprint.2).

use super::Hash;
use super::accumulator::BranchTree;
use super::head::Fingerprint;
use super::proof::ProofTree;
use super::sha_tree::{Rfc6962, TreeHead, rfc6962_leaf};
use crate::errors::{Code, Error, Result};
use crate::message::{UnverifiedEnvelope, VerifiedEnvelope, parse_message};
use crate::text::hex;

/// A head that the checker trusts: of a branch tree, or of the realm tree.
pub trait Trusted: Copy + std::fmt::Debug {
    type Tree: ProofTree;
    /// The thing itself that becomes a leaf; never its hash.
    type Leaf<'a>;

    fn size(&self) -> u64;

    /// The hash that is trusted.
    fn hash(&self) -> &Hash;

    /// The same hash, from a root that was computed.
    fn hash_of(&self, root: &Hash) -> Hash;

    fn leaf(leaf: &Self::Leaf<'_>) -> Result<Hash>;

    /// proofs.1.4: two heads that are held against each other are of one realm and one conversation.
    fn related(&self, other: &Self) -> Result<()>;
}

/// A message that is to be a leaf: its bytes (an envelope or an entry), or what was read from them.
#[derive(Clone, Copy, Debug)]
pub enum Leaf<'a> {
    Bytes(&'a [u8]),
    Read(&'a UnverifiedEnvelope),
    Verified(&'a VerifiedEnvelope),
}

impl Leaf<'_> {
    /// The message's id (envelope.4), computed here and now from its own bytes unless that was done when it was read.
    pub fn id(&self) -> Result<Hash> {
        match self {
            Leaf::Bytes(data) => Ok(*UnverifiedEnvelope::parse(parse_message(data)?.envelope)?.id()),
            Leaf::Read(envelope) => Ok(*envelope.id()),
            Leaf::Verified(envelope) => Ok(*envelope.id()),
        }
    }
}

impl Trusted for Fingerprint {
    type Tree = BranchTree;
    type Leaf<'a> = Leaf<'a>;

    fn size(&self) -> u64 {
        self.head.size
    }

    fn hash(&self) -> &Hash {
        &self.head.fingerprint
    }

    fn hash_of(&self, root: &Hash) -> Hash {
        self.scope.fingerprint(self.head.size, root)
    }

    fn leaf(leaf: &Leaf<'_>) -> Result<Hash> {
        leaf.id()
    }

    fn related(&self, other: &Self) -> Result<()> {
        let (ours, theirs) = (&self.scope, &other.scope);
        for (what, ours, theirs) in
            [("realm", &ours.realm, &theirs.realm), ("conversation", &ours.conversation, &theirs.conversation)]
        {
            if ours != theirs {
                return Err(Error::new(Code::ProofClaim, format!("{what} {}", hex(ours)), hex(theirs)));
            }
        }
        Ok(())
    }
}

/// The realm tree: a size and a root, and the bytes of a record (proofs.7.2).
impl Trusted for TreeHead {
    type Tree = Rfc6962;
    type Leaf<'a> = &'a [u8];

    fn size(&self) -> u64 {
        self.size
    }

    fn hash(&self) -> &Hash {
        &self.root
    }

    fn hash_of(&self, root: &Hash) -> Hash {
        *root
    }

    fn leaf(record: &&[u8]) -> Result<Hash> {
        Ok(rfc6962_leaf(record))
    }

    fn related(&self, _: &Self) -> Result<()> {
        Ok(())
    }
}

/// proofs.1.4: the size in the proof is the trusted one. It is compared and never used instead.
pub(super) fn check_size(what: &'static str, trusted: u64, stated: u64) -> Result<()> {
    if trusted == stated {
        return Ok(());
    }
    Err(Error::new(Code::ProofClaim, format!("a proof for {what} {trusted}"), format!("one for {stated}")))
}

/// The computed root gives the trusted hash; `code` if not.
pub(super) fn check_root<H: Trusted>(trusted: &H, root: &Hash, code: Code) -> Result<()> {
    let found = trusted.hash_of(root);
    if found == *trusted.hash() {
        return Ok(());
    }
    Err(Error::new(code, format!("{} at size {}", hex(trusted.hash()), trusted.size()), hex(&found)))
}
