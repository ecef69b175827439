//! The light client: follows a conversation without keeping it (proofs.5).
//!
//! It holds the compact range of its size, the leaves and fingerprints of the last sizes, and one number for each author.

use std::collections::{BTreeMap, VecDeque};

use super::Hash;
use super::accumulator::{BranchTree, CompactRange, Scope};
use super::consistency::{check_consistency, compare_heads};
use super::conversation::{check_member, check_seq, differs};
use super::head::{Fingerprint, Head};
use super::inclusion::InclusionProof;
use super::path::Side;
use super::range::{RangeProof, check_range};
use super::trusted::{Leaf, Trusted, check_root, check_size};
use crate::errors::{Code, Error, Result};
use crate::limits::LIGHT_WINDOW;
use crate::message::{Claims, Kind, OpenPart, Seq, VerifiedEnvelope};
use crate::text::hex;

/// What is kept of one size: its last leaf, and the fingerprint that a late sender of that size names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub leaf: Hash,
    pub fingerprint: Hash,
}

/// A reader's knowledge of a conversation after some entries.
#[derive(Clone, Debug)]
pub struct LightClient {
    pub(super) opening: VerifiedEnvelope,
    pub(super) range: CompactRange<BranchTree>,
    /// Of the sizes up to the present one, the oldest first; never empty.
    pub(super) points: VecDeque<Point>,
    pub(super) authors: BTreeMap<Hash, Seq>,
    /// The head of the state file that this client was read from or was last written to (proofs.5.6).
    pub(super) kept: Option<Head>,
}

/// The proof that an entry is the next one. Only `check` makes it; `apply` takes it in.
#[derive(Clone, Debug)]
pub struct NextEntry {
    size: u64,
    id: Hash,
    author: Hash,
    seq: Seq,
}

/// From where the context came under which something is missing (proofs.5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A message that could not be taken in: its author has signed the context.
    Sender,
    /// Somebody said so: it is worth what his word is worth.
    Peer,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Sender => "sender",
            Source::Peer => "peer",
        }
    }
}

/// The first message that a client has missed, under a context. Only `missing` makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    id: Hash,
    index: u64,
    context: Fingerprint,
    source: Source,
}

impl Missing {
    pub fn id(&self) -> &Hash {
        &self.id
    }

    pub fn index(&self) -> u64 {
        self.index
    }

    /// The history in which it stands: the client misses `index` and all up to this size.
    pub fn context(&self) -> &Fingerprint {
        &self.context
    }

    pub fn source(&self) -> Source {
        self.source
    }
}

impl LightClient {
    /// A client that has seen the open of a conversation and nothing else (proofs.5.1).
    pub fn start(opening: VerifiedEnvelope) -> Result<Self> {
        let part = opened(&opening)?;
        check_member(part.members.as_deref(), &opening.claims().agent, opening.sender())?;
        let id = *opening.id();
        let authors = BTreeMap::new();
        let mut client =
            LightClient { opening, range: CompactRange::new(), points: VecDeque::new(), authors, kept: None };
        client.push(&id)?;
        Ok(client)
    }

    /// A client at a head that is trusted, from the last messages and a range proof for them (proofs.5.1).
    pub fn join(head: Fingerprint, opening: VerifiedEnvelope, last: &[VerifiedEnvelope], proof: &[u8]) -> Result<Self> {
        let part = opened(&opening)?;
        check_member(part.members.as_deref(), &opening.claims().agent, opening.sender())?;
        let scope = Scope::of_file(*opening.id());
        if head.scope.realm != scope.realm {
            return Err(differs(Code::RealmOther, "a head of realm", &scope.realm, &head.scope.realm));
        }
        if head.scope.conversation != scope.conversation {
            return Err(differs(Code::ConversationOther, "the open of", &head.scope.conversation, &scope.conversation));
        }
        if head.scope.branch != scope.branch {
            return Err(differs(Code::BranchUnknown, "branch", &scope.branch, &head.scope.branch));
        }
        let authors = BTreeMap::new();
        let mut client =
            LightClient { opening, range: CompactRange::new(), points: VecDeque::new(), authors, kept: None };
        client.stand_at(&head, last, proof)?;
        Ok(client)
    }

    pub fn size(&self) -> u64 {
        self.range.size()
    }

    pub fn scope(&self) -> Scope {
        Scope::of_file(*self.opening.id())
    }

    pub fn head(&self) -> Fingerprint {
        let fingerprint = self.points.back().map_or([0; 32], |point| point.fingerprint);
        Fingerprint { scope: self.scope(), head: Head { size: self.size(), fingerprint } }
    }

    /// The oldest size that a sender may name without a proof.
    pub fn oldest(&self) -> u64 {
        self.size().saturating_sub(self.points.len() as u64).saturating_add(1)
    }

    /// The last number that the author is known to have used.
    pub fn last_seq(&self, author: &Hash) -> Option<Seq> {
        self.authors.get(author).copied()
    }

    /// The peaks, largest first: what this client proves its position with.
    pub fn peaks(&self) -> &[Hash] {
        self.range.peaks()
    }

    /// Steps 3 to 11 of fingerprint.6 for a verified entry that is to be leaf `size` (proofs.5.2). Changes nothing.
    pub fn check(&self, entry: &VerifiedEnvelope, proof: Option<&[u8]>) -> Result<NextEntry> {
        let claims = entry.claims();
        if claims.kind == Kind::Open {
            return Err(Error::new(Code::OpenAgain, "an open as first entry only", format!("one at {}", self.size())));
        }
        let scope = self.scope();
        if claims.conversation != scope.conversation {
            return Err(differs(Code::ConversationOther, "conversation", &scope.conversation, &claims.conversation));
        }
        check_member(opened(&self.opening)?.members.as_deref(), &claims.agent, entry.sender())?;
        let seq = check_seq(claims, self.last_seq(&claims.agent))?;
        if claims.branch != scope.branch {
            return Err(differs(Code::BranchUnknown, "branch", &scope.branch, &claims.branch));
        }
        self.check_context(claims, proof)?;
        if !claims.merges.is_empty() {
            return Err(Error::new(Code::MergeNotBuilt, "no merged heads", format!("{} of them", claims.merges.len())));
        }
        Ok(NextEntry { size: self.size(), id: *entry.id(), author: claims.agent, seq })
    }

    /// The entry becomes the next leaf. Fails without a change if the client has moved on since the check.
    pub fn apply(&mut self, entry: NextEntry) -> Result<()> {
        if entry.size != self.size() {
            return Err(Error::new(Code::Internal, "the client that the entry was checked against", "another size"));
        }
        self.push(&entry.id)?;
        self.authors.insert(entry.author, entry.seq);
        Ok(())
    }

    fn check_context(&self, claims: &Claims, proof: Option<&[u8]>) -> Result<()> {
        let (n, size) = (claims.context.size, self.size());
        if n > size {
            // A gap: what stands at `size` and after it never came.
            let expected = format!("a context of at most {size} messages, the ones that came");
            return Err(Error::new(Code::ContextAhead, expected, n.to_string()));
        }
        let named = claims.context.fingerprint;
        let Some(point) = self.point(n) else {
            let old = Fingerprint { scope: self.scope(), head: Head { size: n, fingerprint: named } };
            return match proof {
                // The signed fingerprint is held against the client's own head: a fork cannot pass.
                Some(proof) => check_consistency(&old, &self.head(), proof).map(|_| ()),
                None => {
                    let expected = format!("a context of at least {} messages, or a proof", self.oldest());
                    Err(Error::new(Code::NeedsProof, expected, n.to_string()))
                }
            };
        };
        if proof.is_some() {
            return Err(Error::new(Code::ProofClaim, "no proof for a context that is still known", "one"));
        }
        if claims.parent != Some(point.leaf) {
            let got = claims.parent.map_or_else(|| "none".to_owned(), |parent| hex(&parent));
            return Err(Error::new(Code::ContextForked, format!("parent at {} {}", n - 1, hex(&point.leaf)), got));
        }
        if named != point.fingerprint {
            let what = format!("fingerprint of {n} messages");
            return Err(differs(Code::ContextForked, &what, &point.fingerprint, &named));
        }
        Ok(())
    }

    /// proofs.5.3: which message is the first that was missed, under a context that names more than came.
    pub fn missing(&self, context: Fingerprint, source: Source, id: &Hash, proof: &[u8]) -> Result<Missing> {
        let proof = InclusionProof::parse::<BranchTree>(proof)?;
        self.head().related(&context)?;
        check_size("branch size", context.size(), proof.size())?;
        check_size("index", self.size(), proof.index())?;
        check_root(&context, &proof.root::<BranchTree>(id), Code::ProofRoot)?;
        // What stands on the left of the path is the compact range of all that came, if the two histories are one so far.
        let left: Vec<_> = proof.steps().filter(|(sibling, _)| sibling.side == Side::Left).collect();
        for ((sibling, theirs), ours) in left.iter().rev().zip(self.peaks()) {
            if *theirs != ours {
                let expected = format!("leaves {} to {} with the root {}", sibling.begin, sibling.end, hex(ours));
                return Err(Error::new(Code::ContextForked, expected, hex(*theirs)));
            }
        }
        Ok(Missing { id: *id, index: self.size(), context, source })
    }

    /// The same under the context of a message that could not be taken in: its author's word counts where he may write.
    pub fn missing_by(&self, message: &VerifiedEnvelope, id: &Hash, proof: &[u8]) -> Result<Missing> {
        check_member(opened(&self.opening)?.members.as_deref(), &message.claims().agent, message.sender())?;
        self.missing(context_of(message)?, Source::Sender, id, proof)
    }

    /// proofs.5.4: to a later head, without the messages between. The client changes whole or not at all.
    pub fn skip(&mut self, head: Fingerprint, extends: &[u8], last: &[VerifiedEnvelope], proof: &[u8]) -> Result<()> {
        let branch = self.scope().branch;
        if head.scope.branch != branch {
            return Err(differs(Code::BranchUnknown, "branch", &branch, &head.scope.branch));
        }
        if head == self.head() {
            return Ok(());
        }
        // A shorter head or another one of the same size is refused here, whatever the proof.
        compare_heads(&self.head(), &head, Some(extends))?;
        let mut ahead = self.clone();
        ahead.stand_at(&head, last, proof)?;
        *self = ahead;
        Ok(())
    }

    /// The last messages of a trusted head, its compact range, and the sizes that they make known.
    fn stand_at(&mut self, head: &Fingerprint, last: &[VerifiedEnvelope], proof: &[u8]) -> Result<()> {
        let leaves: Vec<Leaf<'_>> = last.iter().map(Leaf::Verified).collect();
        let included = check_range(head, &leaves, proof)?;
        if included.compact_range().is_none() {
            return Err(Error::new(Code::ProofClaim, format!("a range that ends at {}", head.size()), "another end"));
        }
        let parts = RangeProof::parse::<BranchTree>(proof)?;
        let before = parts.begin().count_ones() as usize;
        let peaks = parts.steps().map(|(_, hash)| *hash).take(before).collect();
        self.range = CompactRange::from_peaks(parts.begin(), peaks)?;
        self.points.clear();
        for (entry, id) in last.iter().zip(included.ids()) {
            let conversation = self.scope().conversation;
            let claims = entry.claims();
            if claims.kind != Kind::Open && claims.conversation != conversation {
                return Err(differs(Code::ConversationOther, "conversation", &conversation, &claims.conversation));
            }
            self.push(id)?;
            if let Some(seq) = claims.seq {
                let known = self.authors.entry(claims.agent).or_insert(seq);
                *known = seq.max(*known);
            }
        }
        Ok(())
    }

    fn push(&mut self, leaf: &Hash) -> Result<()> {
        self.range.append(leaf)?;
        let fingerprint = self.range.fingerprint(&self.scope());
        self.points.push_back(Point { leaf: *leaf, fingerprint });
        while self.points.len() > LIGHT_WINDOW {
            self.points.pop_front();
        }
        Ok(())
    }

    pub(super) fn point(&self, n: u64) -> Option<&Point> {
        let place = n.checked_sub(self.oldest())?;
        usize::try_from(place).ok().and_then(|place| self.points.get(place))
    }
}

/// What an open says; another entry cannot begin a conversation.
pub(super) fn opened(entry: &VerifiedEnvelope) -> Result<&OpenPart> {
    let claims = entry.claims();
    claims
        .open
        .as_ref()
        .ok_or_else(|| Error::new(Code::OpenMissing, "the open of a conversation", claims.kind.as_str()))
}

/// The history that a verified message says that its author had seen.
pub fn context_of(message: &VerifiedEnvelope) -> Result<Fingerprint> {
    let claims = message.claims();
    if claims.kind == Kind::Open {
        return Err(Error::new(Code::ArgumentRange, "a message with a context", "an open, which has none"));
    }
    let scope = Scope { realm: claims.realm, conversation: claims.conversation, branch: claims.branch };
    Ok(Fingerprint { scope, head: Head { size: claims.context.size, fingerprint: claims.context.fingerprint } })
}
