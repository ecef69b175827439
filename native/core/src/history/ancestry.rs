//! Ancestry: from the history of a head, by a chain of merges, one comes to this message (proofs.4).

use super::Hash;
use super::accumulator::{BranchTree, Scope};
use super::head::{Fingerprint, Head};
use super::inclusion::{InclusionProof, path, place};
use super::path::{Place, no_claim};
use super::proof::{Claim, Proof, Reader, TreeKind, Writer, form};
use super::reader::NodeReader;
use super::trusted::{Leaf, Trusted, check_root, check_size};
use crate::errors::{Code, Error, Result};
use crate::limits::MAX_HOPS;
use crate::message::{Claims, Merge, UnverifiedEnvelope, read_message};
use crate::text::hex;

/// What an ancestry proof states.
#[derive(Clone, Debug)]
pub struct AncestryProof<'a> {
    via: Vec<Hop<'a>>,
    last: InclusionProof<'a>,
}

/// A message that merges the head at which the chain goes on. The signature is left out: it is not part of what is hashed.
#[derive(Clone, Debug)]
pub struct Hop<'a> {
    pub(super) path: InclusionProof<'a>,
    pub(super) merge: u8,
    pub(super) kid: &'a Hash,
    pub(super) claims: &'a [u8],
}

/// The proof that a message lies in the past of a head that is trusted. Only `check_ancestry` makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    id: Hash,
    index: u64,
    head: Fingerprint,
    found: Fingerprint,
    via: Vec<Hash>,
}

impl Ancestor {
    pub fn id(&self) -> &Hash {
        &self.id
    }

    pub fn index(&self) -> u64 {
        self.index
    }

    /// What the chain was held against.
    pub fn head(&self) -> &Fingerprint {
        &self.head
    }

    /// The head under which the message was found: the trusted one, or the one that the last merging message names.
    pub fn found(&self) -> &Fingerprint {
        &self.found
    }

    /// The ids of the merging messages on the way.
    pub fn via(&self) -> &[Hash] {
        &self.via
    }
}

impl<'a> AncestryProof<'a> {
    /// proofs.4.2
    pub(super) fn read(input: &mut Reader<'a>) -> Result<Self> {
        let [hops] = *input.take("a number of hops")?;
        if !(1..=MAX_HOPS).contains(&hops) {
            return Err(form("1 to 32 hops", hops.to_string()));
        }
        let via = (1..hops).map(|_| Hop::read(input)).collect::<Result<_>>()?;
        Ok(AncestryProof { via, last: InclusionProof::read(input)? })
    }

    /// An ancestry proof, or `ProofClaim` (proofs.1.4).
    pub fn parse(data: &'a [u8]) -> Result<Self> {
        match Proof::parse(data)?.of_tree::<BranchTree>()? {
            Claim::Ancestry(proof) => Ok(proof),
            other => Err(other.other_than("ancestry")),
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        // At most 32: the reader and the prover see to it.
        out.0.push(u8::try_from(self.via.len()).unwrap_or(u8::MAX).saturating_add(1));
        for hop in &self.via {
            hop.path.write(out);
            out.0.push(hop.merge);
            out.0.extend_from_slice(hop.kid);
            out.0.extend_from_slice(&u16::try_from(hop.claims.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.0.extend_from_slice(hop.claims);
        }
        self.last.write(out);
    }

    /// Every hop but the last.
    pub fn via(&self) -> &[Hop<'a>] {
        &self.via
    }

    pub fn last(&self) -> &InclusionProof<'a> {
        &self.last
    }
}

impl<'a> Hop<'a> {
    fn read(input: &mut Reader<'a>) -> Result<Self> {
        let path = InclusionProof::read(input)?;
        let [merge] = *input.take("the number of a merge")?;
        let kid = input.take("a kid")?;
        let length = u16::from_be_bytes(*input.take("the length of claims")?);
        Ok(Hop { path, merge, kid, claims: input.bytes(usize::from(length), "claims of the stated length")? })
    }

    /// Steps a to d for one merging message: its id, and the head that it names.
    fn follow(&self, head: &Fingerprint) -> Result<(Hash, Fingerprint)> {
        check_hop_size(head, &self.path)?;
        // b. Both are read as strictly as in an envelope: one id, one string of bytes.
        let (claims, id) = read_message(self.kid, self.claims)?;
        // c.
        check_root(head, &self.path.root::<BranchTree>(&id), Code::AncestryRoot)?;
        // d. It is an entry of that history; what it names is what its author had consumed.
        Ok((id, self.merged(head, &claims)?))
    }

    fn merged(&self, head: &Fingerprint, claims: &Claims) -> Result<Fingerprint> {
        let Scope { realm, conversation, .. } = head.scope;
        if (claims.realm, claims.conversation) != (realm, conversation) {
            let expected = format!("a message of conversation {}", hex(&conversation));
            return Err(Error::new(Code::AncestryRoot, expected, format!("one of {}", hex(&claims.conversation))));
        }
        let merge = claims.merges.get(usize::from(self.merge)).ok_or_else(|| {
            let got = format!("{} merges", claims.merges.len());
            Error::new(Code::AncestryRoot, format!("a message with a merge number {}", self.merge), got)
        })?;
        Ok(merged_head(head, merge))
    }
}

/// The merged head, in the same realm and conversation (step d).
fn merged_head(head: &Fingerprint, merge: &Merge) -> Fingerprint {
    let scope = Scope { branch: merge.branch, ..head.scope };
    Fingerprint { scope, head: Head { size: merge.size, fingerprint: merge.fingerprint } }
}

/// Step a, for a hop behind the first.
fn check_hop_size(head: &Fingerprint, path: &InclusionProof<'_>) -> Result<()> {
    if path.size() == head.size() {
        return Ok(());
    }
    let got = format!("one at size {}", path.size());
    Err(Error::new(Code::AncestryRoot, format!("a path at size {}", head.size()), got))
}

/// The numbered steps of proofs.4.3. `leaf` is the message itself, never its id.
pub fn check_ancestry(trusted: &Fingerprint, leaf: Leaf<'_>, proof: &[u8]) -> Result<Ancestor> {
    let proof = AncestryProof::parse(proof)?;
    // a, for the first hop: the size is the checker's.
    let first = proof.via.first().map_or(&proof.last, |hop| &hop.path);
    check_size("size", trusted.size(), first.size())?;
    let id = leaf.id()?;
    let (mut head, mut via) = (*trusted, Vec::with_capacity(proof.via.len()));
    for hop in &proof.via {
        let (merging, next) = hop.follow(&head)?;
        via.push(merging);
        head = next;
    }
    // a and c for the last hop.
    check_hop_size(&head, &proof.last)?;
    check_root(&head, &proof.last.root::<BranchTree>(&id), Code::AncestryRoot)?;
    Ok(Ancestor { id, index: proof.last.index(), head: *trusted, found: head, via })
}

/// Builds an ancestry proof hop by hop, from the trusted head on.
#[derive(Debug)]
pub struct AncestryProver {
    size: u64,
    via: Vec<Taken>,
}

#[derive(Debug)]
struct Taken {
    place: Place,
    path: Vec<Hash>,
    merge: u8,
    kid: Hash,
    claims: Vec<u8>,
}

impl AncestryProver {
    /// From the head of `size` leaves.
    pub fn from_size(size: u64) -> Self {
        AncestryProver { size, via: Vec::new() }
    }

    /// Over the message that is leaf `index` of the history where the chain has come to; the chain goes on at the head that
    /// its merge number `merge` names, which is returned. A message that is not that leaf, or that has no such merge, is the
    /// caller's fault (proofs.1.6): no proof that cannot be checked is made.
    pub fn via<R: NodeReader + ?Sized>(
        &mut self,
        reader: &mut R,
        index: u64,
        message: &UnverifiedEnvelope,
        merge: u8,
    ) -> Result<Merge> {
        let place = place(index, self.size)?;
        if self.via.len().saturating_add(2) > usize::from(MAX_HOPS) {
            return Err(no_claim("at most 32 hops", "more".into()));
        }
        if reader.node(0, index.saturating_add(1))? != *message.id() {
            return Err(no_claim("the envelope of the leaf that was named", format!("message {}", hex(message.id()))));
        }
        let Some(named) = message.claims().merges.get(usize::from(merge)).copied() else {
            let got = format!("{merge} of {} merges", message.claims().merges.len());
            return Err(no_claim("the number of a merge that the message has", got));
        };
        let path = path::<BranchTree, R>(reader, place)?;
        self.via.push(Taken { place, path, merge, kid: *message.kid(), claims: message.claims().encode() });
        self.size = named.size;
        Ok(named)
    }

    /// To leaf `index` of the history where the chain has come to: the proof.
    pub fn to<R: NodeReader + ?Sized>(self, reader: &mut R, index: u64) -> Result<Vec<u8>> {
        let place = place(index, self.size)?;
        let path = path::<BranchTree, R>(reader, place)?;
        let via = self.via.iter().map(Taken::as_hop).collect::<Result<_>>()?;
        let claim = Claim::Ancestry(AncestryProof { via, last: InclusionProof::over(place, &path)? });
        Ok(Proof { tree: TreeKind::Branch, claim }.encode())
    }
}

impl Taken {
    fn as_hop(&self) -> Result<Hop<'_>> {
        let path = InclusionProof::over(self.place, &self.path)?;
        Ok(Hop { path, merge: self.merge, kid: &self.kid, claims: &self.claims })
    }
}
