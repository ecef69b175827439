//! The checks of registry.3, in its order. Pure: nothing changes here.

use std::collections::BTreeSet;

use super::admission::{Stamp, check_seq, refuse};
use super::definition::Definition;
use super::registry::{Change, Enrolment, OpenProposal, Registry};
use crate::errors::{Code, Error, Result};
use crate::halt::Scope;
use crate::identity::{EnrolledKey, Name, Purpose};
use crate::limits::MAX_LIVE_HALTS;
use crate::message::{
    Act, AuthenticEnvelope, EnrolPart, GenesisPart, Id, Kind, Offer, Policy, Proposal, RegistryPart, ZERO,
    next_key_digest,
};
use crate::text;

/// The rules that this software has (registry.3.7).
pub const RULES_VERSION: u32 = 1;

/// Checks 1 to 6 for an entry that is no genesis. The stamp names the registry as it is.
pub(super) fn judge(registry: &Registry, stamp: Stamp, entry: &AuthenticEnvelope) -> Result<Change> {
    let claims = entry.claims();
    let size = registry.size();
    // 1: a stolen key after its revocation, or after its rotation.
    let held = registry.key(size, &claims.agent, entry.kid())?;
    check_live(registry, size, &claims.agent, held)?;
    if claims.kind.is_bare() {
        return judge_halt(registry, held.signer.purpose, entry);
    }
    // 2: an agent's key that would enrol its friends.
    check_purpose(held.signer.purpose, Purpose::Root)?;
    // 3: a number used twice.
    check_seq(claims.seq, registry.last_seq(&claims.agent), stamp.time)?;
    // 4: a registry that the author saw and that is not this one.
    check_context(registry, size, claims.context.registry_size, &claims.context.registry_fingerprint)?;
    if claims.parent != Some(registry.leaf(claims.context.size.saturating_sub(1))?) {
        return refuse(Code::RegistryForked, "the registry's entry before the context's end", "another parent");
    }
    let Some(Act::Registry(part)) = &claims.act else {
        return refuse(Code::GenesisInvalid, "a genesis as the first entry of the realm only", "one later");
    };
    // 5 and 6.
    match &**part {
        RegistryPart { own: Some(proposal), .. } => propose(registry, entry, proposal),
        RegistryPart { approves: Some(id), .. } => approve(registry, entry, id),
        RegistryPart { own: None, approves: None } => refuse(Code::Internal, "a proposal or an approval", "neither"),
    }
}

/// The author's enrolment with this key is live (check 1; admission.2, check 1).
pub(super) fn check_live(registry: &Registry, r: u64, agent: &Id, held: &Enrolment) -> Result<()> {
    let live = registry.agent(agent).and_then(|agent| agent.live(r));
    if live.is_some_and(|live| live.from == held.from) {
        return Ok(());
    }
    refuse(
        Code::PrincipalRevoked,
        format!("a live enrolment of {}", held.signer.name.as_str()),
        "one that was revoked or replaced",
    )
}

pub(super) fn check_purpose(held: Purpose, wanted: Purpose) -> Result<()> {
    if held == wanted {
        return Ok(());
    }
    refuse(
        Code::PurposeWrong,
        format!("a key enrolled for {}", wanted.as_str()),
        format!("one enrolled for {}", held.as_str()),
    )
}

/// The claimed prefix of the registry is not above `r`, and is this registry's (registry.3.4; admission.2, 10 and 11).
pub(super) fn check_context(registry: &Registry, r: u64, size: u64, fingerprint: &Id) -> Result<()> {
    if size > r {
        return refuse(Code::ContextAhead, format!("at most the {r} registry entries of the stamp"), size.to_string());
    }
    let own = registry.fingerprint(size)?;
    if own == *fingerprint {
        return Ok(());
    }
    refuse(
        Code::RegistryForked,
        format!("fingerprint {} of {size} registry entries", text::hex(&own)),
        text::hex(fingerprint),
    )
}

/// halt.3, behind the liveness of the key: asks for nothing that somebody could withhold.
fn judge_halt(registry: &Registry, purpose: Purpose, entry: &AuthenticEnvelope) -> Result<Change> {
    let claims = entry.claims();
    match &claims.act {
        Some(Act::Halt(part)) => {
            let local = claims.kind == Kind::LocalHalt;
            check_purpose(purpose, if local { Purpose::Sequencer } else { Purpose::Operator })?;
            check_new(registry, entry.id())?;
            let scope = registry.effective_scope(&claims.agent, &part.scope);
            Ok(Change::Halted { author: claims.agent, scope })
        }
        Some(Act::Registry(part)) => {
            if purpose != Purpose::Root {
                check_purpose(purpose, Purpose::Operator)?;
            }
            check_new(registry, entry.id())?;
            match &**part {
                RegistryPart { own: Some(proposal), .. } => propose(registry, entry, proposal),
                RegistryPart { approves: Some(id), .. } => approve(registry, entry, id),
                RegistryPart { own: None, approves: None } => {
                    refuse(Code::Internal, "a proposal or an approval", "neither")
                }
            }
        }
        _ => refuse(Code::Internal, "a halt or a resume", "neither"),
    }
}

/// halt.3.1: only a log that sequences what it has sequenced meets it; an engine answers with the original receipt.
fn check_new(registry: &Registry, id: &Id) -> Result<()> {
    if registry.has_leaf(id) {
        return refuse(Code::SeqUsed, "a halt or a resume that was not sequenced before", text::hex(id));
    }
    Ok(())
}

fn propose(registry: &Registry, entry: &AuthenticEnvelope, proposal: &Proposal) -> Result<Change> {
    check_content(registry, proposal)?;
    let author = entry.claims().agent;
    let approved: BTreeSet<Id> = [author].into_iter().collect();
    if registry.is_enough(proposal, &approved) {
        return Ok(Change::Effect { id: *entry.id(), proposal: Box::new(proposal.clone()), leaf: None });
    }
    let (id, leaf) = (*entry.id(), registry.size());
    Ok(Change::Opened(Box::new(OpenProposal { id, leaf, author, proposal: proposal.clone(), approved })))
}

fn approve(registry: &Registry, entry: &AuthenticEnvelope, id: &Id) -> Result<Change> {
    let claims = entry.claims();
    let invalid = |got: &'static str| refuse(Code::ProposalInvalid, "the approval of an open proposal", got);
    // 5: an approval counts once, and only of what its author has seen.
    let Some(open) = registry.proposal(id) else { return invalid("one of something else") };
    if open.proposal.kind() != claims.kind {
        return invalid("one of another kind");
    }
    // Whoever ends a halt names it: what else he has seen is not asked (halt.3.3).
    if !claims.kind.is_bare() && open.leaf >= claims.context.registry_size {
        return invalid("one by an author who has not seen it");
    }
    if open.approved.contains(&claims.agent) {
        return invalid("a second one by the same agent");
    }
    let mut approved = open.approved.clone();
    approved.insert(claims.agent);
    if !registry.is_enough(&open.proposal, &approved) {
        return Ok(Change::Approved { leaf: open.leaf, by: claims.agent });
    }
    check_content(registry, &open.proposal)?;
    Ok(Change::Effect { id: *id, proposal: Box::new(open.proposal.clone()), leaf: Some(open.leaf) })
}

impl Registry {
    /// halt.2.2 and halt.3.2: what a halt covers, from the registry alone.
    pub fn effective_scope(&self, author: &Id, scope: &[u8]) -> Scope {
        if self.halts().live_of(author) >= MAX_LIVE_HALTS {
            return Scope::Realm;
        }
        match Scope::read(scope) {
            Some(Scope::Definition(name)) if self.definition(&name).is_none() => Scope::Realm,
            Some(scope) => scope,
            None => Scope::Realm,
        }
    }

    /// Whether these agents bring a proposal into force: only live ones count (registry.2.1, halt.3.4).
    fn is_enough(&self, proposal: &Proposal, approved: &BTreeSet<Id>) -> bool {
        let roots = approved.iter().filter(|agent| self.roots().contains(*agent)).count();
        if !matches!(proposal, Proposal::Resume { .. }) {
            return roots >= self.quorum(proposal);
        }
        let is_operator = |id: &&Id| {
            let live = self.agent(id).filter(|agent| agent.live(self.size()).is_some());
            live.is_some_and(|agent| agent.purpose == Purpose::Operator)
        };
        roots >= usize::from(self.policy().root) || approved.iter().filter(is_operator).count() >= self.quorum(proposal)
    }

    /// How many live roots bring a proposal into force (registry.2.2); of a resume, how many operators.
    fn quorum(&self, proposal: &Proposal) -> usize {
        let policy = self.policy();
        usize::from(match proposal {
            Proposal::Enrol(_) => policy.enrol,
            Proposal::Revoke { .. } => policy.revoke,
            Proposal::Policy { .. } | Proposal::Term { .. } => policy.root,
            Proposal::Define { .. } => policy.define,
            Proposal::Erase { .. } => policy.erase,
            Proposal::Resume { .. } => policy.resume,
        })
    }
}

/// Check 6, by the kind.
fn check_content(registry: &Registry, proposal: &Proposal) -> Result<()> {
    match proposal {
        // a to d.
        Proposal::Enrol(part) => check_enrol(registry, part),
        // e.
        Proposal::Revoke { agent, .. } => check_revoke(registry, agent),
        // f.
        Proposal::Policy { replaces, policy } => {
            if replaces != registry.policy_id() {
                return refuse(Code::PolicyInvalid, "the id of the present policy", text::hex(replaces));
            }
            check_policy(policy, registry.roots().len(), registry.dev, Code::PolicyInvalid)
        }
        // g.
        Proposal::Define { name, replaces, document } => {
            let present = registry.definition(name).map(|found| found.entry);
            if *replaces != present {
                let show = |id: Option<Id>| id.map_or("null".to_owned(), |id| text::hex(&id));
                return refuse(Code::DefinitionInvalid, format!("replaces {}", show(present)), show(*replaces));
            }
            let definition = Definition::parse(document)?;
            if definition.name() != name {
                let got = definition.name().as_str().to_owned();
                return refuse(Code::DefinitionInvalid, format!("a definition of {}", name.as_str()), got);
            }
            Ok(())
        }
        // h.
        Proposal::Erase { .. } if registry.policy().hold => {
            refuse(Code::EraseInvalid, "no hold", "a hold on the realm")
        }
        Proposal::Erase { message, .. } if registry.is_erased(message) => {
            refuse(Code::EraseInvalid, "a message that is not erased", "one that is")
        }
        Proposal::Resume { halts, .. } => match halts.iter().find(|halt| !registry.halts().is_live(halt)) {
            Some(halt) => refuse(Code::ResumeInvalid, "halts that are in force", text::hex(halt)),
            None => Ok(()),
        },
        // i.
        Proposal::Erase { .. } | Proposal::Term { .. } => Ok(()),
    }
}

fn check_enrol(registry: &Registry, part: &EnrolPart) -> Result<()> {
    // a: a key that its holder never offered, a weak one, or an offer for another realm, purpose or name.
    let offer = Offer { realm: registry.realm(), purpose: part.purpose, name: &part.name, next: part.next.as_ref() };
    offer.check(&part.key, &part.offer).map_err(|fault| possession(&fault, Code::PossessionInvalid))?;
    // b: one key, one agent, one purpose, for ever.
    if registry.knows_key(registry.size(), &part.key) {
        return refuse(Code::KeyEnrolled, "a key that was never enrolled", "one that was");
    }
    let Some(replaced) = &part.replaces else {
        // c.
        return match registry.named(&part.name) {
            None => Ok(()),
            Some(_) => refuse(Code::NameEnrolled, "a name without a live agent", part.name.as_str().to_owned()),
        };
    };
    // d: a thief of the present key, or of the roots' patience, does not have the next one.
    let invalid = |got: &'static str| refuse(Code::RotationInvalid, "the next key of a live agent", got);
    let Some(agent) = registry.agent(replaced) else { return invalid("an unknown agent") };
    let Some(live) = agent.live(registry.size()) else { return invalid("a revoked agent") };
    if agent.name != part.name || agent.purpose != part.purpose {
        return invalid("another name or purpose");
    }
    match live.next {
        None => invalid("an agent without a next key"),
        Some(next) if next != next_key_digest(&part.key) => invalid("another key"),
        Some(_) => Ok(()),
    }
}

fn possession(fault: &Error, code: Code) -> Error {
    Error::new(code, "an offer by the key itself", format!("one that is refused as {}", fault.code.as_str()))
}

fn check_revoke(registry: &Registry, id: &Id) -> Result<()> {
    let invalid = |got: &'static str| refuse(Code::RevokeInvalid, "a live agent that the realm can do without", got);
    let agent = registry.agent(id).filter(|agent| agent.live(registry.size()).is_some());
    let Some(agent) = agent else { return invalid("no live agent") };
    match agent.purpose {
        Purpose::Sequencer if registry.sequencers().count() <= 1 => invalid("the only sequencer"),
        Purpose::Root if registry.roots().len() <= largest(registry.policy()) => invalid("a root of the quorum"),
        _ => Ok(()),
    }
}

fn largest(policy: &Policy) -> usize {
    policy.quorums().into_iter().max().map_or(0, usize::from)
}

/// Check f, without what it replaces.
fn check_policy(policy: &Policy, roots: usize, dev: bool, code: Code) -> Result<()> {
    if largest(policy) > roots {
        return refuse(code, format!("quorums of at most the {roots} roots"), largest(policy).to_string());
    }
    if policy.erase < 2 && !dev {
        return refuse(code, "at least two approvers for an erasure", policy.erase.to_string());
    }
    Ok(())
}

/// registry.3.7: the keys of the roots in their order, then the sequencer's. The author's key and signature have been checked.
pub(super) fn judge_genesis(genesis: &GenesisPart, author: &Id) -> Result<Vec<EnrolledKey>> {
    // What other rules would ask of a genesis is unknown here, so this comes first.
    if genesis.rules_version != RULES_VERSION {
        let expected = format!("rules version {RULES_VERSION}");
        return refuse(Code::RulesUnsupported, expected, genesis.rules_version.to_string());
    }
    let (sequencer, key, offer) = &genesis.sequencer;
    let roots =
        genesis.roots.iter().map(|root| (&root.name, Purpose::Root, &root.key, &root.offer, root.next.as_ref()));
    let all: Vec<_> = roots.chain([(sequencer, Purpose::Sequencer, key, offer, None)]).collect();
    let mut keys: Vec<EnrolledKey> = Vec::with_capacity(all.len());
    let mut names: Vec<&Name> = Vec::with_capacity(all.len());
    for (name, purpose, key, signature, next) in all {
        let offer = Offer { realm: &ZERO, purpose, name, next };
        let key = offer.check(key, signature).map_err(|fault| possession(&fault, Code::GenesisInvalid))?;
        if names.contains(&name) || keys.contains(&key) {
            return refuse(Code::GenesisInvalid, "distinct names and keys", name.as_str().to_owned());
        }
        names.push(name);
        keys.push(key);
    }
    if !keys.iter().take(genesis.roots.len()).any(|key| key.thumbprint() == author) {
        return refuse(Code::GenesisInvalid, "one of the roots as the author", text::hex(author));
    }
    check_policy(&genesis.policy, genesis.roots.len(), genesis.dev, Code::GenesisInvalid)?;
    Ok(keys)
}
