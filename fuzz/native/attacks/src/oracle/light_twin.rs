//! The twin of the light client: it holds every message, and makes each proof that should be given to see whether it was.

use ama2sec_core::errors::Code;
use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::{BranchTree, Scope, fingerprints};
use ama2sec_core::history::head::{Fingerprint, Head};
use ama2sec_core::history::lightclient::context_of;
use ama2sec_core::message::{Kind, VerifiedEnvelope};

use super::form;
use super::twin::{History, is_member};
use crate::proof_support::Model;
use crate::world::WORLD;

#[derive(Clone, Debug)]
pub struct Follower {
    pub conversation: Hash,
    pub history: History,
    /// The oldest size that may be named without a proof.
    pub oldest: usize,
}

type Judged<T> = Result<T, Code>;

fn check(holds: bool, code: Code) -> Judged<()> {
    if holds { Ok(()) } else { Err(code) }
}

fn head_of(scope: Scope, ids: &[Hash]) -> Fingerprint {
    let fingerprint = fingerprints(&scope, ids).ok().and_then(|all| all.last().copied()).expect("a small history");
    Fingerprint { scope, head: Head { size: ids.len() as u64, fingerprint } }
}

/// The history with this head: a known one, or one whose messages are all given.
fn known(head: &Fingerprint, given: &[Hash]) -> Option<Vec<Hash>> {
    let made = WORLD.iter().find_map(|branch| branch.size_at(head).map(|size| branch.ids()[..size].to_vec()));
    made.or_else(|| (!given.is_empty() && head_of(head.scope, given) == *head).then(|| given.to_vec()))
}

/// proofs.1.1 to 1.4: a proof of this type in a branch tree; its numbers.
fn of_kind(proof: &[u8], kind: u8) -> Judged<Vec<u64>> {
    let form = form::read(proof)?;
    check((form.kind, form.tree) == (kind, 1), Code::ProofClaim)?;
    Ok(form.numbers)
}

fn related(one: &Scope, other: &Scope) -> Judged<()> {
    check((one.realm, one.conversation) == (other.realm, other.conversation), Code::ProofClaim)
}

impl Follower {
    pub fn start(open: &VerifiedEnvelope) -> Judged<Follower> {
        let mut made = Follower::of(open)?;
        made.history.ids.push(*open.id());
        Ok(made)
    }

    fn of(open: &VerifiedEnvelope) -> Judged<Follower> {
        let part = open.claims().open.as_ref().ok_or(Code::OpenMissing)?;
        is_member(part.members.as_deref(), open)?;
        let history = History { members: part.members.clone(), ..History::default() };
        Ok(Follower { conversation: *open.id(), history, oldest: 1 })
    }

    pub fn join(
        head: &Fingerprint,
        open: &VerifiedEnvelope,
        last: &[VerifiedEnvelope],
        proof: &[u8],
    ) -> Judged<Follower> {
        let mut made = Follower::of(open)?;
        check(head.scope.realm == [0; 32], Code::RealmOther)?;
        check(head.scope.conversation == *open.id(), Code::ConversationOther)?;
        check(head.scope.branch == *open.id(), Code::BranchUnknown)?;
        made.stand_at(head, last, proof)?;
        Ok(made)
    }

    pub fn head(&self) -> Fingerprint {
        head_of(Scope::of_file(self.conversation), &self.history.ids)
    }

    /// proofs.5.2. The message is taken in where it may be.
    pub fn receive(&mut self, entry: &VerifiedEnvelope, proof: Option<&[u8]>) -> Judged<()> {
        let claims = entry.claims();
        check(claims.kind != Kind::Open, Code::OpenAgain)?;
        self.history.may_speak(entry, &self.conversation)?;
        let (n, size) = (claims.context.size, self.history.ids.len());
        check(n <= size as u64, Code::ContextAhead)?;
        match proof {
            None if n < self.oldest as u64 => return Err(Code::NeedsProof),
            Some(proof) if n < self.oldest as u64 => {
                let mut named = self.head();
                named.head = Head { size: n, fingerprint: claims.context.fingerprint };
                self.extends(&self.history.ids[..n as usize], &named, &self.head(), Some(&self.history.ids), proof)?;
            }
            Some(_) => return Err(Code::ProofClaim),
            None => self.history.was_seen(claims, &self.conversation)?,
        }
        check(claims.merges.is_empty(), Code::MergeNotBuilt)?;
        self.history.ids.push(*entry.id());
        self.history.numbers.insert(claims.agent, claims.seq.expect("a number"));
        Ok(())
    }

    /// proofs.3.3, where `ids` are all that stands under the new head, if that is known.
    fn extends(
        &self,
        before: &[Hash],
        old: &Fingerprint,
        new: &Fingerprint,
        ids: Option<&Vec<Hash>>,
        proof: &[u8],
    ) -> Judged<()> {
        let numbers = of_kind(proof, 2)?;
        related(&old.scope, &new.scope)?;
        check(numbers == [old.head.size, new.head.size], Code::ProofClaim)?;
        let ids = ids.ok_or(Code::ProofRoot)?;
        let right = Model::<BranchTree>::new(ids.clone()).consistency_proof(before.len(), ids.len());
        check(proof == right, Code::ProofRoot)?;
        check(ids.starts_with(before) && head_of(old.scope, before) == *old, Code::ConsistencyRoot)
    }

    /// proofs.5.3.
    pub fn missing(&self, context: &Fingerprint, id: &Hash, proof: &[u8]) -> Judged<()> {
        let numbers = of_kind(proof, 1)?;
        related(&Scope::of_file(self.conversation), &context.scope)?;
        let size = self.history.ids.len();
        check(numbers == [size as u64, context.head.size], Code::ProofClaim)?;
        let ids = known(context, &[]).ok_or(Code::ProofRoot)?;
        let right = Model::<BranchTree>::new(ids.clone()).inclusion_proof(size, ids.len());
        check(proof == right && ids[size] == *id, Code::ProofRoot)?;
        check(ids[..size] == self.history.ids, Code::ContextForked)
    }

    /// The same for somebody's message: he may write here, or his word does not count.
    pub fn missing_by(&self, message: &VerifiedEnvelope, id: &Hash, proof: &[u8]) -> Judged<()> {
        is_member(self.history.members.as_deref(), message)?;
        let context = context_of(message).map_err(|fault| fault.code)?;
        self.missing(&context, id, proof)
    }

    /// proofs.5.4.
    pub fn skip(&mut self, head: &Fingerprint, extends: &[u8], last: &[VerifiedEnvelope], proof: &[u8]) -> Judged<()> {
        let ours = self.head();
        check(head.scope.branch == self.conversation, Code::BranchUnknown)?;
        if *head == ours {
            return Ok(());
        }
        related(&ours.scope, &head.scope)?;
        check(head.head.size != ours.head.size, Code::HeadForked)?;
        check(head.head.size > ours.head.size, Code::HeadStale)?;
        let given: Vec<Hash> = last.iter().map(|entry| *entry.id()).collect();
        self.extends(&self.history.ids, &ours, head, known(head, &given).as_ref(), extends)?;
        self.stand_at(head, last, proof)
    }

    /// proofs.2.6 and 2.7: the last messages of a head.
    fn stand_at(&mut self, head: &Fingerprint, last: &[VerifiedEnvelope], proof: &[u8]) -> Judged<()> {
        let numbers = of_kind(proof, 3)?;
        let &[begin, end, size] = numbers.as_slice() else { return Err(Code::Internal) };
        check(size == head.head.size, Code::ProofClaim)?;
        check(last.len() as u64 == end - begin, Code::ArgumentRange)?;
        let given: Vec<Hash> = last.iter().map(|entry| *entry.id()).collect();
        let ids = known(head, &given).ok_or(Code::ProofRoot)?;
        let (begin, end) = (begin as usize, end as usize);
        let right = Model::<BranchTree>::new(ids.clone()).range_proof(begin, end, ids.len());
        check(proof == right && ids[begin..end] == given, Code::ProofRoot)?;
        check(end == ids.len(), Code::ProofClaim)?;
        for claims in last.iter().map(|entry| entry.claims()) {
            check(claims.kind == Kind::Open || claims.conversation == self.conversation, Code::ConversationOther)?;
            if let Some(seq) = claims.seq {
                let known = self.history.numbers.entry(claims.agent).or_insert(seq);
                *known = seq.max(*known);
            }
        }
        self.history.ids = ids;
        self.oldest = begin + 1;
        Ok(())
    }
}
