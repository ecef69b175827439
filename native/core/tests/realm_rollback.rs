//! Rollbacks: what falls, what is left, who may, and what is never given back (rollback).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "realm_support/mod.rs"]
mod support;

use std::collections::HashMap;

use ama2sec_core::errors::Code;
use ama2sec_core::halt::Scope;
use ama2sec_core::identity::Purpose;
use ama2sec_core::message::HashPurpose;
use ama2sec_core::message::{GrantPart, HaltPart, Id, Merge, Proposal, RollbackPart, Writer, ZERO, keyed};
use ama2sec_core::realm::definition::Definition;
use ama2sec_core::realm::draft::{Bare, Seen, draft_halt, draft_rollback};
use support::flow::{Doc, Word};
use support::*;

fn rejected(code: Code) -> Outcome {
    Outcome::Rejected(code)
}

struct Desk {
    world: World,
    alice: Who,
    bob: Who,
    chat: Id,
}

impl Desk {
    fn new() -> Desk {
        let mut world = World::default();
        let (alice, bob) =
            (world.enrol("alice", 1, Purpose::Message, &["desk"]), world.enrol("bob", 2, Purpose::Message, &[]));
        let chat = world.open(alice, None);
        Desk { world, alice, bob, chat }
    }

    fn say(&mut self, branch: Id) -> Id {
        self.say_with(branch, Vec::new())
    }

    fn say_with(&mut self, branch: Id, merges: Vec<Merge>) -> Id {
        let seen = self.world.seen(self.chat, branch);
        let alice = self.alice;
        let home = self.world.say(alice, &seen, merges).home();
        self.world.at(self.chat, home)
    }

    fn fork(&mut self, branch: Id) -> Id {
        let seen = self.world.seen(self.chat, branch);
        let bob = self.bob;
        self.world.fork(bob, &seen, None).home().branch
    }

    fn head(&self, branch: Id) -> Merge {
        self.world.head(self.chat, branch)
    }

    /// With the true closure.
    fn part(&self, target: Id, keep: u64) -> RollbackPart {
        let branches = self.world.state.conversation(&self.chat).unwrap().branches();
        let cuts = branches.closure(branches.number(&target).unwrap(), keep).unwrap();
        let (count, hash) = branches.closure_digest(&cuts).unwrap();
        RollbackPart { target, keep, count, hash, reason: "wrong".into() }
    }

    fn hand_in(&mut self, who: Who, seen: &Seen, part: RollbackPart) -> Outcome {
        let parts = self.world.parts(who, self.chat, Vec::new());
        let bytes = signed(who, |author| draft_rollback(author, &parts, seen, part));
        self.world.offer(&bytes)
    }

    /// From a branch; the id of the target's successor.
    fn back(&mut self, from: Id, target: Id, keep: u64) -> Outcome {
        let (seen, part, alice) = (self.world.seen(self.chat, from), self.part(target, keep), self.alice);
        self.hand_in(alice, &seen, part)
    }

    /// (status, end, successor) of a branch.
    fn fate(&self, branch: Id) -> (&'static str, u64, Option<Id>) {
        let branches = self.world.state.conversation(&self.chat).unwrap().branches();
        let found = branches.get(branches.number(&branch).unwrap()).unwrap();
        let status = match found {
            found if found.undone => "undone",
            found if found.closed => "closed",
            found if found.successor.is_some() => "superseded",
            _ => "open",
        };
        (status, found.end(), found.successor.map(|next| branches.get(next).unwrap().id))
    }

    fn rejects(&mut self, branch: Id) -> Code {
        let (seen, alice) = (self.world.seen(self.chat, branch), self.alice);
        match self.world.say(alice, &seen, Vec::new()) {
            Outcome::Rejected(code) => code,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_suffix_and_what_was_forked_off_it() {
    let mut desk = Desk::new();
    let chat = desk.chat;
    let ids: Vec<Id> = (0..4).map(|_| desk.say(chat)).collect();
    let seen = desk.world.seen_at(chat, chat, 3);
    let bob = desk.bob;
    // Forked at 3: it inherits leaves 0, 1, 2. And at the end: it inherits all five.
    let at = desk.world.fork(bob, &seen, None).home().branch;
    let above = desk.fork(chat);
    desk.say(above);
    let home = desk.back(chat, chat, 3).home();
    let rollback = desk.world.at(chat, home);
    // The successor's id and the closure, by hand.
    let expected = keyed(HashPurpose::Successor, &[rollback, chat].concat());
    assert_eq!((home.branch, home.index), (expected, 3));
    assert_eq!(desk.fate(chat), ("superseded", 3, Some(expected)));
    assert_eq!(desk.fate(at), ("open", 4, None));
    assert_eq!(desk.fate(above), ("undone", 5, None));
    assert_eq!(desk.rejects(chat), Code::BranchSuperseded);
    assert_eq!(desk.rejects(above), Code::BranchUndone);
    // The leaves of the successor are the ones that were kept, and the rollback.
    let branches = desk.world.state.conversation(&chat).unwrap().branches();
    let number = branches.number(&expected).unwrap();
    let leaves: Vec<Id> = (0..4).map(|index| branches.leaf(number, index).unwrap()).collect();
    assert_eq!(leaves, [chat, ids[0], ids[1], rollback]);
    assert_eq!(desk.say(expected), desk.world.kept.last().unwrap().id);
    desk.say(at);
}

#[test]
fn the_count_and_the_hash_are_those_of_the_spec() {
    let mut desk = Desk::new();
    let chat = desk.chat;
    (0..3).for_each(|_| {
        desk.say(chat);
    });
    let fork = desk.fork(chat);
    let part = desk.part(chat, 2);
    let mut cuts = vec![(chat, 2u64, 4u64), (fork, 4, 5)];
    cuts.sort();
    let mut out = Writer::default();
    out.array(2);
    for (branch, at, end) in cuts {
        out.array(3).bytes(&branch).uint(at).uint(end);
    }
    assert_eq!((part.count, part.hash), (3, keyed(HashPurpose::Closure, &out.0)));
    // Anything else is incomplete: less, more, another hash, or what was written meanwhile.
    let (seen, alice) = (desk.world.seen(chat, chat), desk.alice);
    for wrong in [
        RollbackPart { count: 2, ..part.clone() },
        RollbackPart { count: 4, ..part.clone() },
        RollbackPart { hash: ZERO, ..part.clone() },
    ] {
        assert_eq!(desk.hand_in(alice, &seen, wrong), rejected(Code::RollbackIncomplete));
    }
    desk.say(fork);
    assert_eq!(desk.hand_in(alice, &seen, part), rejected(Code::RollbackIncomplete));
    let part = desk.part(chat, 2);
    desk.hand_in(alice, &seen, part).home();
}

#[test]
fn who_merged_what_is_undone_falls_from_there_on() {
    let mut desk = Desk::new();
    let chat = desk.chat;
    desk.say(chat);
    let (left, right) = (desk.fork(chat), desk.fork(chat));
    desk.say(left);
    let early = desk.head(left);
    let kept = desk.say_with(right, vec![early]);
    desk.say(left);
    let late = desk.head(left);
    desk.say_with(right, vec![late]);
    let third = desk.fork(right);
    desk.say(third);
    // left: fork at 2, messages at 3 and 4; right: fork at 2, merges at 3 and 4.
    desk.back(left, left, 4).home();
    let (status, end, successor) = desk.fate(right);
    assert_eq!((status, end), ("superseded", 4));
    assert_eq!(desk.fate(third).0, "undone");
    assert_eq!(desk.fate(chat).0, "open");
    // Its successor still has what it had merged before.
    let branches = desk.world.state.conversation(&chat).unwrap().branches();
    let number = branches.number(&successor.unwrap()).unwrap();
    assert_eq!(branches.leaf(number, 3).unwrap(), kept);
    let stale = desk.world.seen(chat, successor.unwrap());
    let alice = desk.alice;
    let again = Merge { size: 4, ..desk.world.head(chat, left) };
    let again = Merge { fingerprint: desk.world.seen_at(chat, left, 4).fingerprint, ..again };
    assert_eq!(desk.world.say(alice, &stale, vec![again]), rejected(Code::MergeStale));
}

#[test]
fn surviving_prefixes_can_be_merged_and_nothing_beyond() {
    let mut desk = Desk::new();
    let chat = desk.chat;
    let other = desk.fork(chat);
    desk.say(chat);
    desk.say(chat);
    let home = desk.back(chat, chat, 2).home();
    let (seen, alice) = (desk.world.seen(chat, other), desk.alice);
    let beyond = desk.world.seen_at(chat, chat, 3);
    let beyond = Merge { branch: chat, size: 3, fingerprint: beyond.fingerprint };
    assert_eq!(desk.world.say(alice, &seen, vec![beyond]), rejected(Code::MergeUndone));
    let held = desk.world.seen_at(chat, chat, 2);
    desk.world.say(alice, &seen, vec![Merge { branch: chat, size: 2, fingerprint: held.fingerprint }]).home();
    let (seen, head) = (desk.world.seen(chat, other), desk.head(home.branch));
    desk.world.say(alice, &seen, vec![head]).home();
}

#[test]
fn cuts_only_deepen_and_nothing_is_revived() {
    let mut desk = Desk::new();
    let chat = desk.chat;
    (0..5).for_each(|_| {
        desk.say(chat);
    });
    let fork = desk.fork(chat);
    let first = desk.back(chat, chat, 4).home().branch;
    desk.say(first);
    assert_eq!(desk.fate(fork).0, "undone");
    // Where it is cut already, and behind, there is nothing to cut.
    assert_eq!(desk.back_code(first, chat, 4), Code::RollbackTarget);
    assert_eq!(desk.back_code(first, chat, 5), Code::RollbackTarget);
    // A superseded home is cut deeper: the successor before is undone, and a new one goes on.
    let second = desk.back(first, chat, 2).home().branch;
    assert_eq!(desk.fate(first).0, "undone");
    assert_eq!(desk.fate(chat), ("superseded", 2, Some(second)));
    assert_eq!(desk.fate(fork).0, "undone");
    // To undo the rollback revives nothing.
    desk.say(second);
    assert_eq!(desk.back_code(second, second, 2), Code::RollbackTarget);
    let third = desk.back(second, second, 3).home().branch;
    assert_eq!(desk.fate(chat), ("superseded", 2, Some(second)));
    assert_eq!(desk.fate(second), ("superseded", 3, Some(third)));
    assert_eq!(desk.fate(first).0, "undone");
}

impl Desk {
    fn back_code(&mut self, from: Id, target: Id, keep: u64) -> Code {
        let (seen, alice) = (self.world.seen(self.chat, from), self.alice);
        let part = RollbackPart { target, keep, count: 1, hash: ZERO, reason: String::new() };
        match self.hand_in(alice, &seen, part) {
            Outcome::Rejected(code) => code,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn targets_that_are_none() {
    let mut desk = Desk::new();
    let chat = desk.chat;
    desk.say(chat);
    let (left, right) = (desk.fork(chat), desk.fork(chat));
    desk.say(left);
    assert_eq!(desk.back_code(chat, left, 3), Code::RollbackTarget);
    assert_eq!(desk.back_code(right, left, 3), Code::RollbackTarget);
    assert_eq!(desk.back_code(left, [9; 32], 3), Code::RollbackTarget);
    assert_eq!(desk.back_code(left, left, 2), Code::RollbackTarget);
    assert_eq!(desk.back_code(left, left, 4), Code::RollbackTarget);
    assert_eq!(desk.back_code(chat, chat, 0), Code::RollbackTarget);
    // A closed one: what has ended is not begun again.
    let (seen, alice) = (desk.world.seen(chat, left), desk.alice);
    let below = desk.fork(left);
    desk.world.close(alice, &seen, false).home();
    assert_eq!(desk.back_code(below, left, 3), Code::RollbackTarget);
}

#[test]
fn a_closed_branch_that_is_cut_stays_closed() {
    let mut desk = Desk::new();
    let chat = desk.chat;
    desk.say(chat);
    let (left, right) = (desk.fork(chat), desk.fork(chat));
    desk.say(left);
    let head = desk.head(left);
    desk.say_with(right, vec![head]);
    let (seen, alice) = (desk.world.seen(chat, right), desk.alice);
    desk.world.close(alice, &seen, false).home();
    desk.back(left, left, 3).home();
    // right was closed at 4, and merged at 3.
    assert_eq!(desk.fate(right), ("closed", 3, None));
    // So does one of which the successor was closed.
    let mut desk = Desk::new();
    let chat = desk.chat;
    desk.say(chat);
    let (left, right) = (desk.fork(chat), desk.fork(chat));
    desk.say(left);
    let head = desk.head(left);
    desk.say_with(right, vec![head]);
    desk.say(right);
    desk.say(right);
    let next = desk.back(right, right, 5).home().branch;
    let (seen, alice) = (desk.world.seen(chat, next), desk.alice);
    desk.world.close(alice, &seen, false).home();
    desk.back(left, left, 3).home();
    assert_eq!(desk.fate(right), ("closed", 3, None));
    assert_eq!(desk.fate(next).0, "undone");
}

#[test]
fn sub_agents() {
    let mut desk = Desk::new();
    let (chat, alice) = (desk.chat, desk.alice);
    desk.say(chat);
    let seen = desk.world.seen(chat, chat);
    let realm = desk.world.realm();
    let child = desk.world.spawn(alice, &seen, grant(realm, 50), 50);
    let weak = desk.world.spawn(alice, &seen, GrantPart { rights: 3, ..grant(realm, 51) }, 51);
    let speak = |desk: &mut Desk, who: Who, branch: Id| {
        let own = desk.world.seen(chat, branch);
        desk.world.say(who, &own, Vec::new())
    };
    for who in [child, weak] {
        speak(&mut desk, who, who.agent).home();
        speak(&mut desk, who, who.agent).home();
    }
    // 19, 28
    let own = desk.world.seen(chat, weak.agent);
    let part = desk.part(weak.agent, 3);
    assert_eq!(desk.hand_in(weak, &own, part), rejected(Code::GrantScope));
    let own = desk.world.seen(chat, child.agent);
    let part = desk.part(chat, 1);
    assert_eq!(desk.hand_in(child, &own, part), rejected(Code::RollbackScope));
    // Somebody else has merged what it would undo.
    let head = desk.head(child.agent);
    desk.say_with(chat, vec![head]);
    let part = desk.part(child.agent, 4);
    assert_eq!(desk.hand_in(child, &own, part), rejected(Code::RollbackScope));
    // Behind its principal's rollback it goes on in the successor, and its grant ends there.
    let alice_in = desk.world.seen(chat, child.agent);
    let part = desk.part(child.agent, 3);
    let next = desk.hand_in(alice, &alice_in, part).home().branch;
    assert_eq!(speak(&mut desk, child, child.agent), rejected(Code::BranchSuperseded));
    speak(&mut desk, child, next).home();
    let seen = desk.world.seen(chat, next);
    desk.world.close(alice, &seen, false).home();
    let below = desk.world.seen(chat, next);
    assert_eq!(desk.world.say(child, &below, Vec::new()), rejected(Code::GrantEnded));
    // And one whose fork is undone has none.
    let tip = desk.fate(chat).2.unwrap_or(chat);
    desk.back(tip, chat, 1).home();
    let own = desk.world.seen(chat, weak.agent);
    assert_eq!(desk.world.say(weak, &own, Vec::new()), rejected(Code::GrantUndone));
}

#[test]
fn ancestors_are_not_walked_through_a_rollback() {
    let mut desk = Desk::new();
    let chat = desk.chat;
    desk.say(chat);
    desk.say(chat);
    let next = desk.back(chat, chat, 2).home().branch;
    desk.say(next);
    let branches = desk.world.state.conversation(&chat).unwrap().branches();
    let number = branches.number(&next).unwrap();
    let set = branches.ancestors(ama2sec_core::realm::branches::Prefix { branch: number, size: 4 }).unwrap();
    assert_eq!(branches.covered(&set, 0).unwrap(), 2);
}

fn flow() -> Vec<u8> {
    let steps = [
        Doc::new("order", "desk", &[]),
        Doc { visits: 9, ..Doc::new("price", "desk", &[0]) },
        Doc { pivot: true, ..Doc::new("ship", "desk", &[1]) },
        Doc { terminal: true, approvals: Some((1, 1, vec!["desk"])), ..Doc::new("done", "desk", &[1]) },
    ];
    flow::with_rollback("orders", 0, &["desk"], 2, &steps)
}

struct Work {
    desk: Desk,
    definition: Id,
}

impl Work {
    fn new() -> Work {
        let mut desk = Desk::new();
        let document = flow();
        let definition = *Definition::parse(&document).unwrap().id();
        desk.world.propose(root(0), Proposal::Define { name: name("orders"), replaces: None, document }).home();
        let word = Word { instance: None, definition, step: "order", outputs: Vec::new(), approves: None };
        let alice = desk.alice;
        desk.chat = desk.world.open_flow(alice, Some(name("orders")), Some(&word)).home().branch;
        Work { desk, definition }
    }

    fn take(&mut self, branch: Id, step: &'static str) -> Outcome {
        let word = Word {
            instance: Some(self.desk.chat),
            definition: self.definition,
            step,
            outputs: Vec::new(),
            approves: None,
        };
        let (seen, alice) = (self.desk.world.seen(self.desk.chat, branch), self.desk.alice);
        self.desk.world.work(alice, &seen, &word)
    }
}

#[test]
fn steps_that_are_undone_can_be_taken_again_and_points_of_no_return_stand() {
    let mut work = Work::new();
    let chat = work.desk.chat;
    work.take(chat, "price").home();
    let seen = work.desk.world.seen(chat, chat);
    let (bob, part) = (work.desk.bob, work.desk.part(chat, 1));
    // 25
    assert_eq!(work.desk.hand_in(bob, &seen, part), rejected(Code::RollbackRole));
    let next = work.desk.back(chat, chat, 1).home().branch;
    assert_eq!(work.take(next, "ship"), rejected(Code::StepNeeds));
    work.take(next, "price").home();
    work.take(next, "ship").home();
    // 29
    let (seen, alice, part) = (work.desk.world.seen(chat, next), work.desk.alice, work.desk.part(next, 2));
    assert_eq!(work.desk.hand_in(alice, &seen, part), rejected(Code::RollbackPivot));
}

#[test]
fn an_instance_is_rolled_back_so_often_and_one_without_transitions_is_gone() {
    let mut work = Work::new();
    let chat = work.desk.chat;
    let mut at = chat;
    for _ in 0..2 {
        let home = work.take(at, "price").home();
        at = work.desk.back(at, at, home.index).home().branch;
    }
    let home = work.take(at, "price").home();
    // 30: a note alone may still go.
    let (seen, alice, part) = (work.desk.world.seen(chat, at), work.desk.alice, work.desk.part(at, home.index));
    assert_eq!(work.desk.hand_in(alice, &seen, part), rejected(Code::RollbackCap));
    work.desk.say(at);
    at = work.desk.back(at, at, home.index + 1).home().branch;
    let instance = |work: &Work, id: &Id| {
        work.desk
            .world
            .state
            .conversation(&chat)
            .unwrap()
            .instance(id)
            .map(|found| (found.rollbacks, found.transitions().len()))
    };
    assert_eq!(instance(&work, &chat), Some((2, 2)));
    // Another instance, begun behind: it is gone with its start, and is unknown from then on.
    let word = Word { instance: None, definition: work.definition, step: "order", outputs: Vec::new(), approves: None };
    let seen = work.desk.world.seen(chat, at);
    let home = work.desk.world.work(alice, &seen, &word).home();
    let second = work.desk.world.at(chat, home);
    assert_eq!(instance(&work, &second), Some((0, 1)));
    at = work.desk.back(at, at, home.index).home().branch;
    assert_eq!(instance(&work, &second), None);
    let word = Word { instance: Some(second), step: "price", ..word };
    let seen = work.desk.world.seen(chat, at);
    assert_eq!(work.desk.world.work(alice, &seen, &word), rejected(Code::WorkflowUnknown));
}

#[test]
fn approvals_that_are_undone_do_not_count() {
    let mut work = Work::new();
    let chat = work.desk.chat;
    let cy = work.desk.world.enrol("cy", 3, Purpose::Message, &["desk"]);
    let home = work.take(chat, "price").home();
    let price = work.desk.world.at(chat, home);
    let word = Word {
        instance: Some(chat),
        definition: work.definition,
        step: "done",
        outputs: Vec::new(),
        approves: Some(price),
    };
    let seen = work.desk.world.seen(chat, chat);
    let home = work.desk.world.work(cy, &seen, &word).home();
    let next = work.desk.back(chat, chat, home.index).home().branch;
    assert_eq!(work.take(next, "done"), rejected(Code::ApprovalsMissing));
    let seen = work.desk.world.seen(chat, next);
    work.desk.world.work(cy, &seen, &word).home();
    work.take(next, "done").home();
}

#[test]
fn what_a_halt_holds_is_not_cut_from_elsewhere() {
    for instance in [false, true] {
        let mut work = Work::new();
        let chat = work.desk.chat;
        work.take(chat, "price").home();
        let aside = work.desk.fork(chat);
        let scope = if instance { Scope::Instance(chat, chat) } else { Scope::Branch(chat, aside) };
        let operator = work.desk.world.enrol("op", 60, Purpose::Operator, &[]);
        let bare = Bare { realm: work.desk.world.realm(), time: START, salt: [3; 16] };
        let part = HaltPart { scope: scope.encode(), reason: String::new() };
        let halt = signed(operator, |author| draft_halt(author, bare, part, false));
        work.desk.world.offer(&halt).home();
        assert_eq!(work.desk.back(chat, chat, 1), rejected(Code::HaltedByEffect));
        // What does not touch it may go.
        let before = work.desk.say(chat);
        assert_eq!(work.desk.world.kept.last().unwrap().id, before);
        work.desk.back(chat, chat, 2).home();
    }
}

#[test]
fn only_members_roll_back_where_there_is_no_workflow_and_merges_are_refused() {
    let mut desk = Desk::new();
    let chat = desk.chat;
    desk.say(chat);
    desk.say(chat);
    let fork = desk.fork(chat);
    let (seen, bob, mut claims) = (desk.world.seen(chat, chat), desk.bob, None);
    let part = desk.part(chat, 2);
    let parts = desk.world.parts(bob, chat, Vec::new());
    let bytes = signed(bob, |author| draft_rollback(author, &parts, &seen, part.clone()));
    claims.replace(claims_of(&bytes));
    let mut claims = claims.unwrap();
    claims.merges = vec![desk.head(fork)];
    assert_eq!(desk.world.offer(&sign_claims(bob.seed, &claims)), rejected(Code::MergeForm));
    desk.hand_in(bob, &seen, part).home();
}

#[test]
fn a_state_from_its_digest_cuts_alike() {
    let mut work = Work::new();
    let chat = work.desk.chat;
    let entry = work.desk.world.state.registry().unwrap().definition(&name("orders")).unwrap().entry;
    let documents = HashMap::from([(entry, flow())]);
    work.take(chat, "price").home();
    let (left, right) = (work.desk.fork(chat), work.desk.fork(chat));
    work.desk.say(left);
    let head = work.desk.head(left);
    work.desk.say_with(right, vec![head]);
    work.desk.world.state = work.desk.world.rebuilt(&documents);
    let next = work.desk.back(left, left, 3).home().branch;
    assert_eq!(work.desk.fate(right).0, "superseded");
    work.desk.world.state = work.desk.world.rebuilt(&documents);
    assert_eq!(work.desk.fate(right).0, "superseded");
    work.desk.say(next);
    work.desk.back(next, chat, 1).home();
    assert_eq!(work.desk.fate(next).0, "undone");
    assert_eq!(work.desk.fate(right).0, "undone");
    work.desk.world.state = work.desk.world.rebuilt(&documents);
    assert_eq!(work.desk.fate(right).0, "undone");
}
