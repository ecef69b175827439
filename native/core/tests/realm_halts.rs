//! Halts and resumes as entries (halt.1 to halt.3): what they cover, how they end, and that nothing else is asked of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "realm_support/mod.rs"]
mod support;

use ama2sec_core::errors::Code;
use ama2sec_core::halt::Scope;
use ama2sec_core::identity::Purpose;
use ama2sec_core::limits::MAX_LIVE_HALTS;
use ama2sec_core::message::{GrantPart, HaltPart, Id, Kind, Policy, Proposal, Seq, parse_entry};
use ama2sec_core::realm::draft::{Bare, draft_halt, draft_resume, draft_resume_approval};
use ama2sec_core::realm::{OwnLeaves, State};
use std::collections::HashMap;
use support::*;

const OPERATOR: u16 = 300;

/// A realm with two operators, two agents, a conversation of theirs and another one.
struct Halting {
    world: World,
    operators: [Who; 2],
    alice: Who,
    bob: Who,
    chat: Id,
    other: Id,
}

fn begun_with(policy: Policy) -> Halting {
    let mut world = World::new(policy, false);
    let operators =
        [OPERATOR, OPERATOR + 1].map(|seed| world.enrol(&format!("op-{seed}"), seed, Purpose::Operator, &[]));
    let alice = world.enrol("alice", 310, Purpose::Message, &[]);
    let bob = world.enrol("bob", 311, Purpose::Message, &[]);
    let chat = world.open(alice, None);
    let other = world.open(bob, None);
    Halting { world, operators, alice, bob, chat, other }
}

fn begun() -> Halting {
    begun_with(QUORUMS)
}

impl Halting {
    fn bare(&mut self) -> Bare {
        Bare { realm: self.world.realm(), time: self.world.time, salt: self.world.salt() }
    }

    fn halt_bytes(&mut self, who: Who, scope: Vec<u8>) -> Vec<u8> {
        let (bare, part) = (self.bare(), HaltPart { scope, reason: "wrong prices".into() });
        signed(who, |author| draft_halt(author, bare, part, false))
    }

    #[track_caller]
    fn halt(&mut self, scope: &Scope) -> Id {
        let bytes = self.halt_bytes(self.operators[0], scope.encode());
        self.world.offer(&bytes).home();
        id_of(&bytes)
    }

    fn resume(&mut self, who: Who, halts: &[Id]) -> (Outcome, Id) {
        let bare = self.bare();
        let bytes = signed(who, |author| draft_resume(author, bare, halts.to_vec(), "mended".into()));
        (self.world.offer(&bytes), id_of(&bytes))
    }

    fn approve(&mut self, who: Who, proposal: Id) -> Outcome {
        let bare = self.bare();
        let bytes = signed(who, |author| draft_resume_approval(author, bare, proposal));
        self.world.offer(&bytes)
    }

    fn say(&mut self, who: Who, conversation: Id, branch: Id) -> Outcome {
        let seen = self.world.seen(conversation, branch);
        self.world.say(who, &seen, Vec::new())
    }

    #[track_caller]
    fn speaks(&mut self, who: Who, conversation: Id, branch: Id, yes: bool) {
        match self.say(who, conversation, branch) {
            Outcome::Admitted(_) if yes => {}
            Outcome::Rejected(Code::Halted) if !yes => {}
            other => panic!("{other:?}"),
        }
    }

    /// A state that is put together again from what its digests cover says the same.
    fn rebuilt(&self) -> State {
        let state = &self.world.state;
        let registry = state.registry().unwrap();
        let leaves: Vec<Id> = (0..registry.size()).map(|at| registry.leaf(at).unwrap()).collect();
        let none: &[(Vec<u8>, OwnLeaves)] = &[];
        State::rebuild(&registry.canonical().unwrap(), &leaves, &HashMap::new(), none).unwrap()
    }
}

#[test]
fn the_realm_stops_and_goes_on_when_that_very_halt_is_ended() {
    let mut at = begun();
    let first = at.halt(&Scope::Realm);
    let second = at.halt(&Scope::Realm);
    let (chat, other, alice, bob) = (at.chat, at.other, at.alice, at.bob);
    at.speaks(alice, chat, chat, false);
    at.speaks(bob, other, other, false);
    let open = at.world.open_bytes(alice, None);
    assert_eq!(at.world.offer(&open), Outcome::Rejected(Code::Halted));
    let seen = at.world.seen(chat, chat);
    assert_eq!(at.world.close(alice, &seen, true), Outcome::Rejected(Code::Halted));
    assert_eq!(at.world.fork(alice, &seen, None), Outcome::Rejected(Code::Halted));
    // The registry is never covered.
    at.world.enrol("dora", 320, Purpose::Message, &[]);
    let (outcome, _) = at.resume(at.operators[1], &[first]);
    outcome.home();
    at.speaks(alice, chat, chat, false);
    let (outcome, _) = at.resume(at.operators[0], &[second]);
    outcome.home();
    at.speaks(alice, chat, chat, true);
    // What has ended cannot be ended again, and neither can what never was.
    for halts in [vec![first], vec![second, [9; 32]], vec![[9; 32]]] {
        assert_eq!(at.resume(at.operators[0], &halts).0, Outcome::Rejected(Code::ResumeInvalid));
    }
    assert_eq!(at.rebuilt().registry_digest().unwrap(), at.world.state.registry_digest().unwrap());
}

#[test]
fn a_conversation_an_agent_a_definition() {
    let mut at = begun();
    let (chat, other, alice, bob) = (at.chat, at.other, at.alice, at.bob);
    let halt = at.halt(&Scope::Conversation(chat));
    at.speaks(alice, chat, chat, false);
    at.speaks(alice, other, other, true);
    at.resume(at.operators[0], &[halt]).0.home();
    let halt = at.halt(&Scope::Agent(alice.agent));
    at.speaks(alice, chat, chat, false);
    at.speaks(alice, other, other, false);
    at.speaks(bob, chat, chat, true);
    let open = at.world.open_bytes(alice, None);
    assert_eq!(at.world.offer(&open), Outcome::Rejected(Code::Halted));
    at.resume(at.operators[0], &[halt]).0.home();
    // What nobody knows covers nothing here: a replica of one conversation could not know either.
    let halt = at.halt(&Scope::Conversation([7; 32]));
    let agent = at.halt(&Scope::Agent([7; 32]));
    at.speaks(alice, chat, chat, true);
    at.resume(at.operators[0], &[halt, agent]).0.home();
    // A definition that the registry does not have is the realm; one that it has covers who names it.
    let orders = name("orders");
    let halt = at.halt(&Scope::Definition(orders.clone()));
    at.speaks(alice, chat, chat, false);
    at.resume(at.operators[0], &[halt]).0.home();
    for index in 0..usize::from(QUORUMS.define) {
        let document = flow::smallest("orders", 0);
        let proposal = Proposal::Define { name: orders.clone(), replaces: None, document };
        if index == 0 {
            at.world.propose(root(0), proposal).home();
        } else {
            let id = at.world.kept.last().unwrap().id;
            at.world.approve(root(index), Kind::Define, id).home();
        }
    }
    at.halt(&Scope::Definition(orders));
    at.speaks(alice, chat, chat, true);
}

#[test]
fn a_branch_with_what_is_forked_off_it_and_what_merges_it() {
    let mut at = begun();
    let (chat, alice, bob) = (at.chat, at.alice, at.bob);
    let fork = |at: &mut Halting, from: Id| {
        let seen = at.world.seen(chat, from);
        at.world.fork(bob, &seen, None).home().branch
    };
    let left = fork(&mut at, chat);
    let right = fork(&mut at, chat);
    let below = fork(&mut at, left);
    let halt = at.halt(&Scope::Branch(chat, left));
    for (branch, yes) in [(chat, true), (right, true), (left, false), (below, false)] {
        at.speaks(alice, chat, branch, yes);
    }
    let seen = at.world.seen(chat, below);
    assert_eq!(at.world.fork(bob, &seen, None), Outcome::Rejected(Code::Halted));
    // Nobody carries it out by merging it.
    for (head, yes) in [(below, false), (left, false), (right, true)] {
        let (seen, merge) = (at.world.seen(chat, chat), at.world.head(chat, head));
        let outcome = at.world.say(alice, &seen, vec![merge]);
        assert_eq!(matches!(outcome, Outcome::Admitted(_)), yes, "{outcome:?}");
    }
    at.resume(at.operators[0], &[halt]).0.home();
    at.speaks(alice, chat, below, true);
    // A branch, or an instance, that the conversation does not have is all of it, and nothing else.
    let other = at.other;
    for scope in [Scope::Branch(chat, [5; 32]), Scope::Instance(chat, [5; 32])] {
        let halt = at.halt(&scope);
        at.speaks(alice, chat, right, false);
        at.speaks(alice, other, other, true);
        at.resume(at.operators[0], &[halt]).0.home();
    }
}

#[test]
fn everybody_below_an_agent() {
    let mut at = begun();
    let (chat, alice, bob) = (at.chat, at.alice, at.bob);
    let realm = at.world.realm();
    let seen = at.world.seen(chat, chat);
    let child = at.world.spawn(alice, &seen, GrantPart { depth: 3, rights: 3, ..grant(realm, 330) }, 330);
    let seen = at.world.seen(chat, child.agent);
    let narrower = GrantPart { depth: 1, rights: 3, ..grant(realm, 331) };
    let grandchild = at.world.spawn(child, &seen, narrower, 331);
    at.speaks(grandchild, chat, grandchild.agent, true);
    for halted in [alice.agent, child.agent, grandchild.agent] {
        let halt = at.halt(&Scope::Agent(halted));
        at.speaks(grandchild, chat, grandchild.agent, false);
        at.speaks(child, chat, child.agent, halted == grandchild.agent);
        at.speaks(alice, chat, chat, halted != alice.agent);
        at.speaks(bob, chat, chat, true);
        at.resume(at.operators[0], &[halt]).0.home();
    }
}

#[test]
fn whatever_is_written_in_a_scope_stops_something() {
    for scope in [vec![], vec![0xff], vec![0x81, 9], vec![0; 300], vec![0x82, 1, 0x41, 7], b"everything".to_vec()] {
        let mut at = begun();
        let bytes = at.halt_bytes(at.operators[0], scope.clone());
        at.world.offer(&bytes).home();
        let (alice, chat) = (at.alice, at.chat);
        at.speaks(alice, chat, chat, false);
        let halts = at.world.state.registry().unwrap().halts();
        assert_eq!(halts.get(&id_of(&bytes)).unwrap().scope, Scope::Realm, "{scope:?}");
        assert_eq!(at.rebuilt().registry_digest().unwrap(), at.world.state.registry_digest().unwrap());
    }
}

#[test]
fn who_may_halt_and_who_may_resume() {
    let mut at = begun();
    let operator = at.operators[0];
    for (who, code) in [(at.alice, Code::PurposeWrong), (root(0), Code::PurposeWrong)] {
        let bytes = at.halt_bytes(who, Scope::Realm.encode());
        assert_eq!(at.world.offer(&bytes), Outcome::Rejected(code));
    }
    let (bare, part) = (at.bare(), HaltPart { scope: vec![], reason: String::new() });
    let bytes = signed(operator, |author| draft_halt(author, bare, part.clone(), true));
    assert_eq!(at.world.offer(&bytes), Outcome::Rejected(Code::PurposeWrong));
    let sequencer = Who { seed: SEQUENCER, agent: *key(SEQUENCER).public().thumbprint(), grant: None };
    let bytes = signed(sequencer, |author| draft_halt(author, bare, part.clone(), false));
    assert_eq!(at.world.offer(&bytes), Outcome::Rejected(Code::PurposeWrong));
    let bytes = signed(sequencer, |author| draft_halt(author, bare, part, true));
    at.world.offer(&bytes).home();
    let local = id_of(&bytes);
    assert_eq!(at.resume(at.alice, &[local]).0, Outcome::Rejected(Code::PurposeWrong));
    assert_eq!(at.resume(sequencer, &[local]).0, Outcome::Rejected(Code::PurposeWrong));
    // A halt of an operator who is revoked stays; it can be ended by another one, and the revoked one can do nothing more.
    let halt = at.halt(&Scope::Realm);
    let revoke = Proposal::Revoke { agent: operator.agent, suspect_from: None, reason: String::new() };
    at.world.propose(root(0), revoke).home();
    for index in 1..usize::from(QUORUMS.revoke) {
        let id = at.world.kept.last().unwrap().id;
        at.world.approve(root(index), Kind::Revoke, id).home();
    }
    assert!(at.world.state.registry().unwrap().halts().is_live(&halt));
    assert_eq!(at.resume(operator, &[halt]).0, Outcome::Rejected(Code::PrincipalRevoked));
    let bytes = at.halt_bytes(operator, Scope::Realm.encode());
    assert_eq!(at.world.offer(&bytes), Outcome::Rejected(Code::PrincipalRevoked));
    at.resume(at.operators[1], &[halt, local]).0.home();
    let (alice, chat) = (at.alice, at.chat);
    at.speaks(alice, chat, chat, true);
}

#[test]
fn a_quorum_of_operators_or_one_of_roots() {
    let policy = Policy { root: 2, resume: 2, ..QUORUMS };
    let mut at = begun_with(policy);
    let (alice, chat) = (at.alice, at.chat);
    let [one, two] = at.operators;
    let halt = at.halt(&Scope::Realm);
    let (outcome, proposal) = at.resume(one, &[halt]);
    outcome.home();
    at.speaks(alice, chat, chat, false);
    assert_eq!(at.approve(one, proposal), Outcome::Rejected(Code::ProposalInvalid));
    // A root and an operator are not two operators, and not two roots.
    at.approve(root(0), proposal).home();
    at.speaks(alice, chat, chat, false);
    at.approve(two, proposal).home();
    at.speaks(alice, chat, chat, true);
    assert_eq!(at.approve(root(1), proposal), Outcome::Rejected(Code::ProposalInvalid));
    let halt = at.halt(&Scope::Realm);
    let (outcome, proposal) = at.resume(root(0), &[halt]);
    outcome.home();
    at.speaks(alice, chat, chat, false);
    assert_eq!(at.rebuilt().registry_digest().unwrap(), at.world.state.registry_digest().unwrap());
    at.approve(root(1), proposal).home();
    at.speaks(alice, chat, chat, true);
}

#[test]
fn too_many_halts_of_one_operator_are_the_realm() {
    let mut at = begun();
    let (alice, chat, bob, other) = (at.alice, at.chat, at.bob, at.other);
    let nobody = Scope::Agent([8; 32]);
    let first = at.halt(&nobody);
    for _ in 1..MAX_LIVE_HALTS {
        at.halt(&nobody);
    }
    at.speaks(alice, chat, chat, true);
    // Another operator's are his own; and one that has ended is none.
    let bytes = at.halt_bytes(at.operators[1], nobody.encode());
    at.world.offer(&bytes).home();
    at.speaks(alice, chat, chat, true);
    at.resume(at.operators[1], &[first]).0.home();
    at.halt(&nobody);
    at.speaks(bob, other, other, true);
    let last = at.halt(&nobody);
    at.speaks(alice, chat, chat, false);
    at.speaks(bob, other, other, false);
    assert_eq!(at.rebuilt().registry_digest().unwrap(), at.world.state.registry_digest().unwrap());
    at.resume(at.operators[1], &[last]).0.home();
    at.speaks(alice, chat, chat, true);
}

#[test]
fn a_halted_number_is_burned_and_a_halt_has_none() {
    let mut at = begun();
    let (alice, chat) = (at.alice, at.chat);
    let halt = at.halt(&Scope::Realm);
    let seen = at.world.seen(chat, chat);
    at.world.say(alice, &seen, Vec::new());
    let used = at.world.state.conversation(&chat).unwrap().last_seq(&alice.agent);
    assert!(used.is_some_and(|seq: Seq| seq.counter > 0));
    let claims = claims_of(&at.world.kept.iter().find(|kept| kept.id == halt).unwrap().envelope);
    assert_eq!((claims.seq, claims.kind), (None, Kind::Halt));
    assert!(parse_entry(&[0x83]).is_err());
    assert_eq!(at.world.state.registry().unwrap().last_seq(&at.operators[0].agent), None);
}
