//! registry.3: each check alone with its twin, quorums, rotation, what is in force as of which size.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "realm_support/mod.rs"]
mod support;

use ama2sec_core::errors::Code;
use ama2sec_core::identity::Purpose;
use ama2sec_core::message::{
    Act, Claims, GenesisPart, Id, Kind, Offer, Policy, Proposal, RegistryPart, Seq, ZERO, next_key_digest,
};
use ama2sec_core::realm::State;
use ama2sec_core::realm::draft::draft_genesis;
use support::*;

const OTHER: Id = [0xee; 32];

fn enrol(world: &World, text: &str, seed: u16) -> Proposal {
    Proposal::Enrol(Box::new(enrol_part(world.realm(), text, seed, Purpose::Message, &[], None)))
}

fn revoke(agent: Id) -> Proposal {
    Proposal::Revoke { agent, suspect_from: None, reason: "left".into() }
}

fn rejected(code: Code) -> Outcome {
    Outcome::Rejected(code)
}

/// A sound proposal of the second root, whose claims are changed and signed again.
fn changed(world: &mut World, change: fn(&mut Claims)) -> Outcome {
    let proposal = enrol(world, "late", 70);
    let bytes = world.proposal(root(1), proposal);
    let mut claims = claims_of(&bytes);
    change(&mut claims);
    world.offer(&sign_claims(ROOTS[1], &claims))
}

#[test]
fn the_checks_before_what_an_entry_says() {
    let mut world = World::default();
    let sales = world.enrol("sales", 1, Purpose::Message, &[]);
    // 1 before 2, 2 before 3.
    let proposal = enrol(&world, "friend", 60);
    assert_eq!(world.propose(sales, proposal), rejected(Code::PurposeWrong));
    world.propose(root(0), revoke(sales.agent)).home();
    let proposal = enrol(&world, "friend", 60);
    assert_eq!(world.propose(sales, proposal), rejected(Code::PrincipalRevoked));
    // 3: the number that the rejected entry used is used; conversations never read it.
    assert_eq!(world.state.registry().unwrap().last_seq(&sales.agent), Some(Seq { epoch: START, counter: 102 }));
    assert_eq!(
        changed(&mut world, |claims| claims.seq = Some(Seq { epoch: START + 86_400_001, counter: 1 })),
        rejected(Code::SeqWindow)
    );
    // 4
    let ahead = |claims: &mut Claims| {
        (claims.context.size, claims.context.registry_size) = (1_000_000_000, 1_000_000_000);
    };
    assert_eq!(changed(&mut world, ahead), rejected(Code::ContextAhead));
    let forked = |claims: &mut Claims| {
        (claims.context.fingerprint, claims.context.registry_fingerprint) = (OTHER, OTHER);
    };
    assert_eq!(changed(&mut world, forked), rejected(Code::RegistryForked));
    assert_eq!(changed(&mut world, |claims| claims.parent = Some(OTHER)), rejected(Code::RegistryForked));
    changed(&mut world, |_| {}).home();
    // An older registry is no fault: a flood of entries must not block a root.
    let (mut parts, seen) = (world.parts(root(2), world.realm(), vec![]), world.state.seen_registry(1).unwrap());
    parts.seq = world.next_seq(root(2), world.realm());
    let proposal = enrol(&world, "older", 61);
    let bytes = signed(root(2), |author| ama2sec_core::realm::draft::draft_proposal(author, &parts, &seen, proposal));
    world.offer(&bytes).home();
}

#[test]
fn an_enrolment_is_judged_part_by_part() {
    let mut world = World::default();
    let sales = world.enrol("sales", 1, Purpose::Message, &["sellers"]);
    let mut offer = |change: &dyn Fn(&mut ama2sec_core::message::EnrolPart)| {
        let mut part = enrol_part(world.realm(), "fresh", 50, Purpose::Message, &[], None);
        change(&mut part);
        world.propose(root(0), Proposal::Enrol(Box::new(part)))
    };
    // a: no offer, a weak key, an offer of something else.
    assert_eq!(offer(&|part| part.offer = [1; 64]), rejected(Code::PossessionInvalid));
    assert_eq!(offer(&|part| part.key = [0; 32]), rejected(Code::PossessionInvalid));
    assert_eq!(offer(&|part| part.name = name("other")), rejected(Code::PossessionInvalid));
    assert_eq!(offer(&|part| part.purpose = Purpose::Root), rejected(Code::PossessionInvalid));
    assert_eq!(offer(&|part| part.next = None), rejected(Code::PossessionInvalid));
    // b before c: an enrolled key, and an enrolled name.
    let again = enrol_part(sales_realm(&world), "sales", 1, Purpose::Message, &[], None);
    assert_eq!(world.propose(root(0), Proposal::Enrol(Box::new(again))), rejected(Code::KeyEnrolled));
    let other_key = enrol_part(world.realm(), "sales", 51, Purpose::Message, &[], None);
    assert_eq!(world.propose(root(0), Proposal::Enrol(Box::new(other_key))), rejected(Code::NameEnrolled));
    // A key that was ever enrolled stays so; a name is free again.
    world.propose(root(0), revoke(sales.agent)).home();
    let again = enrol_part(world.realm(), "sales", 1, Purpose::Message, &[], None);
    assert_eq!(world.propose(root(0), Proposal::Enrol(Box::new(again))), rejected(Code::KeyEnrolled));
    world.enrol("sales", 52, Purpose::Message, &[]);
}

fn sales_realm(world: &World) -> Id {
    world.realm()
}

#[test]
fn only_the_key_that_was_committed_to_replaces_a_key() {
    let mut world = World::default();
    let sales = world.enrol("sales", 1, Purpose::Message, &["sellers"]);
    let rotation = |world: &World, text: &str, seed: u16, purpose, replaces| {
        Proposal::Enrol(Box::new(enrol_part(world.realm(), text, seed, purpose, &["other"], Some(replaces))))
    };
    for (text, seed, purpose, replaces) in [
        ("sales", 53, Purpose::Message, sales.agent),
        ("sale", 1001, Purpose::Message, sales.agent),
        ("sales", 1001, Purpose::Operator, sales.agent),
        ("sales", 1001, Purpose::Message, OTHER),
    ] {
        let proposal = rotation(&world, text, seed, purpose, replaces);
        assert_eq!(world.propose(root(0), proposal), rejected(Code::RotationInvalid));
    }
    let size = world.state.registry_size();
    let proposal = rotation(&world, "sales", 1001, Purpose::Message, sales.agent);
    world.propose(root(0), proposal).home();
    let registry = world.state.registry().unwrap();
    let agent = registry.agent(&sales.agent).unwrap();
    // As of each size: the old key and its groups before, the new one after.
    assert_eq!(agent.live(size).unwrap().groups, vec![name("sellers")]);
    assert_eq!(agent.live(size + 1).unwrap().groups, vec![name("other")]);
    assert_eq!((agent.enrolments[0].until, agent.enrolments[1].from), (Some(size + 1), size + 1));
    assert!(registry.key(size, &sales.agent, key(1001).public().thumbprint()).is_err());
    assert!(registry.key(size + 1, &sales.agent, key(1).public().thumbprint()).is_ok());
    // A root rotates like any other, and keeps its id and its say.
    let next = enrol_part(world.realm(), "ada", 1101, Purpose::Root, &[], Some(root(0).agent));
    world.propose(root(1), Proposal::Enrol(Box::new(next))).home();
    let proposal = enrol(&world, "late", 54);
    assert_eq!(world.propose(root(0), proposal.clone()), rejected(Code::PrincipalRevoked));
    world.propose(Who { seed: 1101, ..root(0) }, proposal).home();
}

#[test]
fn a_realm_keeps_its_sequencer_and_its_quorum() {
    let mut world = World::default();
    let sequencer = *key(SEQUENCER).public().thumbprint();
    assert_eq!(world.propose(root(0), revoke(sequencer)), rejected(Code::RevokeInvalid));
    assert_eq!(world.propose(root(0), revoke(OTHER)), rejected(Code::RevokeInvalid));
    let second = world.enrol("seq-2", 55, Purpose::Sequencer, &[]);
    world.propose(root(0), revoke(sequencer)).home();
    assert_eq!(world.propose(root(0), revoke(sequencer)), rejected(Code::RevokeInvalid));
    assert_eq!(world.propose(root(0), revoke(second.agent)), rejected(Code::RevokeInvalid));
    // Two of three: one can go, and then none.
    world.propose(root(0), revoke(root(2).agent)).home();
    assert_eq!(world.propose(root(0), revoke(root(1).agent)), rejected(Code::RevokeInvalid));
}

#[test]
fn what_needs_a_quorum_waits_for_distinct_live_roots() {
    let policy = Policy { enrol: 2, revoke: 1, erase: 2, ..QUORUMS };
    let mut world = World::new(policy, false);
    let proposal = enrol(&world, "sales", 1);
    world.propose(root(0), proposal).home();
    let id = world.kept.last().unwrap().id;
    let agent = |world: &World| world.state.registry().unwrap().agent(&id).is_some();
    assert!(!agent(&world));
    // 5: not twice by one root, not of another kind, not of another id, not unseen.
    assert_eq!(world.approve(root(0), Kind::Enrol, id), rejected(Code::ProposalInvalid));
    assert_eq!(world.approve(root(1), Kind::Revoke, id), rejected(Code::ProposalInvalid));
    assert_eq!(world.approve(root(1), Kind::Enrol, OTHER), rejected(Code::ProposalInvalid));
    let (parts, seen) = (world.parts(root(1), world.realm(), vec![]), world.state.seen_registry(1).unwrap());
    let unseen =
        signed(root(1), |author| ama2sec_core::realm::draft::draft_approval(author, &parts, &seen, Kind::Enrol, id));
    assert_eq!(world.offer(&unseen), rejected(Code::ProposalInvalid));
    let size = world.state.registry_size();
    world.approve(root(1), Kind::Enrol, id).home();
    // Named by its proposal, in force from the entry that brought it.
    assert_eq!(world.state.registry().unwrap().agent(&id).unwrap().enrolments[0].from, size + 1);
    assert_eq!(world.approve(root(2), Kind::Enrol, id), rejected(Code::ProposalInvalid));
}

#[test]
fn a_revoked_roots_approval_does_not_count() {
    let mut world = World::new(Policy { enrol: 2, revoke: 1, root: 2, ..QUORUMS }, false);
    let proposal = enrol(&world, "sales", 1);
    world.propose(root(0), proposal).home();
    let id = world.kept.last().unwrap().id;
    world.propose(root(1), revoke(root(0).agent)).home();
    world.approve(root(1), Kind::Enrol, id).home();
    assert!(world.state.registry().unwrap().agent(&id).is_none());
    world.approve(root(2), Kind::Enrol, id).home();
    assert!(world.state.registry().unwrap().agent(&id).is_some());
}

#[test]
fn what_a_proposal_says_is_judged_again_when_it_takes_effect() {
    let mut world = World::new(Policy { enrol: 2, ..QUORUMS }, false);
    let (first, second) = (enrol(&world, "sales", 1), enrol(&world, "sales", 2));
    world.propose(root(0), first).home();
    let first = world.kept.last().unwrap().id;
    world.propose(root(0), second).home();
    let second = world.kept.last().unwrap().id;
    world.approve(root(1), Kind::Enrol, second).home();
    assert_eq!(world.approve(root(1), Kind::Enrol, first), rejected(Code::NameEnrolled));
    // It stays open: when the name is free again, it can still come.
    world.propose(root(0), revoke(second)).home();
    world.approve(root(1), Kind::Enrol, first).home();
    assert!(world.state.registry().unwrap().agent(&first).is_some());
}

#[test]
fn policies_definitions_erasures() {
    let mut world = World::default();
    let policy = Policy { hold: true, ..QUORUMS };
    let say = |replaces, policy| Proposal::Policy { replaces, policy };
    assert_eq!(world.propose(root(0), say(OTHER, policy)), rejected(Code::PolicyInvalid));
    let realm = world.realm();
    assert_eq!(world.propose(root(0), say(realm, Policy { resume: 4, ..policy })), rejected(Code::PolicyInvalid));
    assert_eq!(world.propose(root(0), say(realm, Policy { erase: 1, ..policy })), rejected(Code::PolicyInvalid));
    // An erasure proposed before the hold is judged again under it.
    world.propose(root(0), Proposal::Erase { message: OTHER, reason: "asked".into() }).home();
    let erase = world.kept.last().unwrap().id;
    world.propose(root(0), say(realm, policy)).home();
    let id = world.kept.last().unwrap().id;
    assert_eq!(world.state.registry().unwrap().policy_id(), &realm);
    world.approve(root(1), Kind::Policy, id).home();
    assert_eq!(world.state.registry().unwrap().policy_id(), &id);
    assert_eq!(world.approve(root(1), Kind::Erase, erase), rejected(Code::EraseInvalid));
    assert_eq!(
        world.propose(root(0), Proposal::Erase { message: OTHER, reason: String::new() }),
        rejected(Code::EraseInvalid)
    );
    world.propose(root(0), say(id, QUORUMS)).home();
    let free = world.kept.last().unwrap().id;
    world.approve(root(2), Kind::Policy, free).home();
    world.approve(root(1), Kind::Erase, erase).home();
    assert!(world.state.registry().unwrap().is_erased(&OTHER));
    assert_eq!(
        world.propose(root(0), Proposal::Erase { message: OTHER, reason: String::new() }),
        rejected(Code::EraseInvalid)
    );
    // A definition names the one that it replaces.
    let document = flow::smallest("orders", 16_384);
    let define = |replaces| Proposal::Define { name: name("orders"), replaces, document: document.clone() };
    assert_eq!(world.propose(root(0), define(Some(OTHER))), rejected(Code::DefinitionInvalid));
    world.propose(root(0), define(None)).home();
    let first = world.kept.last().unwrap().id;
    assert_eq!(world.propose(root(0), define(None)), rejected(Code::DefinitionInvalid));
    world.propose(root(0), define(Some(first))).home();
    let term = Proposal::Term { size: 5, root: OTHER, reason: "restored".into() };
    world.propose(root(0), term).home();
}

#[test]
fn the_oldest_open_proposal_of_an_author_lapses() {
    let mut world = World::default();
    let erase = |byte: u8| Proposal::Erase { message: [byte; 32], reason: String::new() };
    world.propose(root(1), erase(200)).home();
    let mut ids = Vec::new();
    for byte in 0..65 {
        world.propose(root(0), erase(byte)).home();
        ids.push(world.kept.last().unwrap().id);
    }
    assert_eq!(world.state.registry().unwrap().proposals().count(), 65);
    assert_eq!(world.approve(root(1), Kind::Erase, ids[0]), rejected(Code::ProposalInvalid));
    world.approve(root(1), Kind::Erase, ids[1]).home();
}

#[test]
fn a_genesis_that_is_not_sound_makes_no_realm() {
    let refused = |change: fn(&mut GenesisPart)| {
        let mut part = genesis_part(QUORUMS, false);
        change(&mut part);
        let author = key(ROOTS[0]);
        let bytes = draft_genesis(author.public(), part, START, [7; 16]).unwrap().sign(&author).unwrap();
        screen(&State::new(), 0, &bytes).err().map(|error| error.code)
    };
    assert_eq!(refused(|_| {}), None);
    let invalid = Some(Code::GenesisInvalid);
    assert_eq!(refused(|part| part.rules_version = 2), Some(Code::RulesUnsupported));
    assert_eq!(refused(|part| (part.rules_version, part.sequencer.0) = (2, name("ada"))), Some(Code::RulesUnsupported));
    assert_eq!(refused(|part| part.roots[1].offer = [1; 64]), invalid);
    assert_eq!(refused(|part| part.roots[1].next = None), invalid);
    assert_eq!(refused(|part| part.policy.root = 4), invalid);
    assert_eq!(refused(|part| part.policy.erase = 1), invalid);
    assert_eq!(refused(|part| (part.policy.erase, part.dev) = (1, true)), None);
    let twice = |part: &mut GenesisPart| {
        let (name, seed) = (name("ada"), SEQUENCER);
        let offer = Offer { realm: &ZERO, purpose: Purpose::Sequencer, name: &name, next: None }.sign(&key(seed));
        part.sequencer = (name, *key(seed).public().as_bytes(), offer);
    };
    assert_eq!(refused(twice), invalid);
    let one_key = |part: &mut GenesisPart| {
        let (name, seed) = (name("seq-1"), ROOTS[1]);
        let offer = Offer { realm: &ZERO, purpose: Purpose::Sequencer, name: &name, next: None }.sign(&key(seed));
        part.sequencer = (name, *key(seed).public().as_bytes(), offer);
    };
    assert_eq!(refused(one_key), invalid);
    // The author is none of its roots; or its own key is not sound.
    assert_eq!(refused(|part| drop(part.roots.remove(0))), Some(Code::KeyUnknown));
    // Nothing else begins a realm.
    let mut world = World::default();
    let bytes = world.proposal(root(0), revoke(OTHER));
    assert_eq!(screen(&State::new(), 0, &bytes).unwrap_err().code, Code::KeyUnknown);
}

#[test]
fn a_proposal_is_no_approval() {
    let mut world = World::default();
    let bytes = world.proposal(root(0), revoke(OTHER));
    let mut claims = claims_of(&bytes);
    claims.act = Some(Act::Registry(Box::new(RegistryPart { own: None, approves: None })));
    let code = |claims: &Claims| {
        ama2sec_core::message::UnverifiedEnvelope::parse(&sign_claims(101, claims)).err().map(|error| error.code)
    };
    assert_eq!(code(&claims), Some(Code::ClaimForm));
    claims.act = Some(Act::Registry(Box::new(RegistryPart { own: Some(revoke(OTHER)), approves: Some(OTHER) })));
    assert_eq!(code(&claims), Some(Code::ClaimForm));
    assert_ne!(next_key_digest(&OTHER), OTHER);
}
