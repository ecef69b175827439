//! Workflows: the document, and each of the checks 32 to 40 (workflow.1, 3, 4).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "realm_support/mod.rs"]
mod support;

use std::collections::HashMap;

use ama2sec_core::errors::Code;
use ama2sec_core::halt::Scope;
use ama2sec_core::identity::Purpose;
use ama2sec_core::message::{Id, Output, Proposal};
use ama2sec_core::realm::State;
use ama2sec_core::realm::definition::Definition;
use ama2sec_core::realm::draft::Seen;
use support::flow::{Doc, Word, document};
use support::*;

fn rejected(code: Code) -> Outcome {
    Outcome::Rejected(code)
}

const OTHER: Id = [9; 32];

/// `quote` may be asked for again after a `reject`; `execute` needs two of the group `risk`.
fn trading() -> Vec<Doc> {
    vec![
        Doc::new("order", "traders", &[]),
        Doc { any: true, visits: 3, outputs: vec![("total", 1)], ..Doc::new("quote", "pricing", &[0, 3]) },
        Doc {
            choice: Some(1),
            when: vec![(1, "total", 1, Output::Int(1000))],
            approvals: Some((1, 2, vec!["risk"])),
            deadline: Some(60_000),
            terminal: true,
            ..Doc::new("execute", "traders", &[1])
        },
        Doc { choice: Some(1), visits: 2, ..Doc::new("reject", "risk", &[1]) },
        Doc::new("remark", "traders", &[]),
    ]
}

/// Traders, pricing, three of risk; a workflow that is registered.
struct Desk {
    world: World,
    alice: Who,
    bob: Who,
    cy: Who,
    dan: Who,
    eve: Who,
    definition: Id,
    chat: Id,
}

impl Desk {
    fn new(steps: &[Doc]) -> Desk {
        let mut world = World::default();
        let mut enrol = |text: &str, seed, groups: &[&str]| world.enrol(text, seed, Purpose::Message, groups);
        let (alice, bob) = (enrol("alice", 1, &["traders"]), enrol("bob", 2, &["pricing"]));
        let (cy, dan, eve) =
            (enrol("cy", 3, &["risk"]), enrol("dan", 4, &["risk"]), enrol("eve", 5, &["risk", "pricing"]));
        let document = document("trading", 0, steps);
        let definition = *Definition::parse(&document).unwrap().id();
        world.propose(root(0), Proposal::Define { name: name("trading"), replaces: None, document }).home();
        let mut desk = Desk { world, alice, bob, cy, dan, eve, definition, chat: OTHER };
        let word = desk.word(None, "order");
        desk.chat = desk.world.open_flow(alice, Some(name("trading")), Some(&word)).home().branch;
        desk
    }

    fn word(&self, instance: Option<Id>, step: &'static str) -> Word {
        Word { instance, definition: self.definition, step, outputs: Vec::new(), approves: None }
    }

    fn all(&self) -> Seen {
        self.world.seen(self.chat, self.chat)
    }

    /// In the instance that the open has started, having seen everything.
    fn take(&mut self, who: Who, step: &'static str) -> Outcome {
        let word = self.word(Some(self.chat), step);
        self.say(who, &word)
    }

    fn say(&mut self, who: Who, word: &Word) -> Outcome {
        let seen = self.all();
        self.world.work(who, &seen, word)
    }

    fn quote(&mut self, total: i64) -> Id {
        let word = Word { outputs: vec![("total", Output::Int(total))], ..self.word(Some(self.chat), "quote") };
        let home = self.say(self.bob, &word).home();
        self.world.at(self.chat, home)
    }

    fn approve(&mut self, who: Who, subject: Id) -> Outcome {
        let word = Word { approves: Some(subject), ..self.word(Some(self.chat), "execute") };
        self.say(who, &word)
    }

    fn approved(&mut self, total: i64) -> Id {
        let quote = self.quote(total);
        self.approve(self.cy, quote).home();
        self.approve(self.dan, quote).home();
        quote
    }
}

#[test]
fn the_whole_way() {
    let mut desk = Desk::new(&trading());
    desk.approved(900);
    desk.take(desk.alice, "execute").home();
    assert_eq!(desk.take(desk.alice, "remark"), rejected(Code::WorkflowEnded));
}

#[test]
fn what_is_no_workflow_of_this_conversation() {
    let mut desk = Desk::new(&trading());
    // 32
    let other = name("orders");
    assert_eq!(desk.world.open_flow(desk.alice, Some(other), None), rejected(Code::WorkflowUnknown));
    let word = desk.word(None, "order");
    assert_eq!(desk.world.open_flow(desk.alice, None, Some(&word)), rejected(Code::WorkflowUnknown));
    let unknown = desk.word(Some(OTHER), "quote");
    assert_eq!(desk.say(desk.bob, &unknown), rejected(Code::WorkflowUnknown));
    let plain = desk.world.open(desk.alice, None);
    let seen = desk.world.seen(plain, plain);
    assert_eq!(desk.world.work(desk.alice, &seen, &word), rejected(Code::WorkflowUnknown));
    // An instance of another conversation.
    let second = desk.world.open_flow(desk.alice, Some(name("trading")), Some(&word)).home().branch;
    let foreign = desk.word(Some(second), "quote");
    assert_eq!(desk.say(desk.bob, &foreign), rejected(Code::WorkflowUnknown));
    // 33
    let version = Word { definition: OTHER, ..desk.word(Some(desk.chat), "quote") };
    assert_eq!(desk.say(desk.bob, &version), rejected(Code::WorkflowVersion));
    let version = Word { instance: None, step: "order", ..version };
    assert_eq!(desk.say(desk.alice, &version), rejected(Code::WorkflowVersion));
    // 34
    assert_eq!(desk.take(desk.bob, "pay"), rejected(Code::StepUnknown));
}

#[test]
fn a_new_definition_is_for_new_instances() {
    let mut desk = Desk::new(&trading());
    let first = desk.world.state.registry().unwrap().definition(&name("trading")).unwrap().entry;
    let mut steps = trading();
    steps[1].visits = 1;
    let newer = document("trading", 0, &steps);
    let id = *Definition::parse(&newer).unwrap().id();
    let define = Proposal::Define { name: name("trading"), replaces: Some(first), document: newer };
    desk.world.propose(root(0), define).home();
    // The old one goes on, and starts nothing more.
    desk.quote(1);
    let old = desk.word(None, "order");
    assert_eq!(desk.say(desk.alice, &old), rejected(Code::WorkflowVersion));
    desk.say(desk.alice, &Word { definition: id, ..old }).home();
    let chat = desk.world.state.conversation(&desk.chat).unwrap();
    assert_eq!(chat.instances().len(), 2);
}

#[test]
fn roles_deadlines_and_visits() {
    let mut desk = Desk::new(&trading());
    // 35
    assert_eq!(desk.take(desk.alice, "quote"), rejected(Code::StepRole));
    // 36
    let quote = desk.approved(1);
    desk.world.time = START + 60_001;
    assert_eq!(desk.take(desk.alice, "execute"), rejected(Code::DeadlinePassed));
    assert_eq!(desk.approve(desk.eve, quote), rejected(Code::DeadlinePassed));
    desk.world.time = START + 60_000;
    // The log's time never goes back; here it is the test that says what it is.
    desk.take(desk.alice, "execute").home();
    assert_eq!(desk.approve(desk.eve, quote), rejected(Code::WorkflowEnded));
    // 37
    let mut desk = Desk::new(&trading());
    desk.take(desk.alice, "remark").home();
    assert_eq!(desk.take(desk.alice, "remark"), rejected(Code::StepSpent));
    assert_eq!(desk.take(desk.alice, "order"), rejected(Code::StepSpent));
}

#[test]
fn a_choice_is_made_once_for_each_visit_of_what_it_is_made_at() {
    let mut desk = Desk::new(&trading());
    let first = desk.approved(1);
    desk.take(desk.eve, "reject").home();
    assert_eq!(desk.take(desk.alice, "execute"), rejected(Code::StepExcluded));
    assert_eq!(desk.approve(desk.eve, first), rejected(Code::StepExcluded));
    // Another visit needs something new.
    assert_eq!(desk.take(desk.eve, "reject"), rejected(Code::StepNeeds));
    desk.approved(2);
    desk.take(desk.alice, "execute").home();
}

#[test]
fn needs_and_loops() {
    let mut desk = Desk::new(&trading());
    // 38
    assert_eq!(desk.take(desk.cy, "reject"), rejected(Code::StepNeeds));
    desk.quote(1);
    // The start is as old as the quote that rests on it: a second quote needs a rejection.
    assert_eq!(desk.take(desk.bob, "quote"), rejected(Code::StepNeeds));
    desk.take(desk.cy, "reject").home();
    desk.quote(2);
    // At a start there is nothing to go on from, whatever the step needs.
    let word = desk.word(None, "remark");
    assert_eq!(desk.say(desk.alice, &word), rejected(Code::StepNeeds));
    let word = desk.word(None, "quote");
    assert_eq!(desk.say(desk.bob, &word), rejected(Code::StepNeeds));
    desk.say(desk.alice, &desk.word(None, "order")).home();
}

#[test]
fn an_old_visit_satisfies_no_need() {
    let steps = vec![
        Doc::new("order", "traders", &[]),
        Doc { any: true, visits: 2, ..Doc::new("draft", "traders", &[0, 4]) },
        Doc { visits: 2, ..Doc::new("review", "risk", &[1]) },
        Doc { terminal: true, ..Doc::new("publish", "traders", &[2]) },
        Doc::new("again", "pricing", &[0]),
    ];
    let mut desk = Desk::new(&steps);
    desk.take(desk.alice, "draft").home();
    desk.take(desk.cy, "review").home();
    desk.take(desk.bob, "again").home();
    desk.take(desk.alice, "draft").home();
    // The review was of the first draft.
    assert_eq!(desk.take(desk.alice, "publish"), rejected(Code::StepNeeds));
    desk.take(desk.cy, "review").home();
    desk.take(desk.alice, "publish").home();
}

#[test]
fn conditions_and_approvals() {
    let mut desk = Desk::new(&trading());
    let quote = desk.approved(1001);
    // 39
    assert_eq!(desk.take(desk.alice, "execute"), rejected(Code::StepWhen));
    desk.take(desk.eve, "reject").home();
    let next = desk.quote(1000);
    assert_eq!(desk.take(desk.alice, "execute"), rejected(Code::ApprovalsMissing));
    // Of the quote before: that one is not what is executed.
    assert_eq!(desk.approve(desk.cy, quote), rejected(Code::ApprovalInvalid));
    desk.approve(desk.cy, next).home();
    assert_eq!(desk.approve(desk.cy, next), rejected(Code::ApprovalInvalid));
    assert_eq!(desk.approve(desk.alice, next), rejected(Code::StepRole));
    assert_eq!(desk.take(desk.alice, "execute"), rejected(Code::ApprovalsMissing));
    let word = Word {
        approves: Some(next),
        outputs: vec![("total", Output::Int(1))],
        ..desk.word(Some(desk.chat), "execute")
    };
    assert_eq!(desk.say(desk.dan, &word), rejected(Code::ApprovalInvalid));
    let word = Word { approves: Some(next), ..desk.word(Some(desk.chat), "reject") };
    assert_eq!(desk.say(desk.dan, &word), rejected(Code::ApprovalInvalid));
    desk.approve(desk.dan, next).home();
    desk.take(desk.alice, "execute").home();
}

#[test]
fn nobody_approves_his_own_word_and_a_revoked_one_does_not_count() {
    let mut desk = Desk::new(&trading());
    let word = Word { outputs: vec![("total", Output::Int(1))], ..desk.word(Some(desk.chat), "quote") };
    let home = desk.say(desk.eve, &word).home();
    let quote = desk.world.at(desk.chat, home);
    assert_eq!(desk.approve(desk.eve, quote), rejected(Code::ApprovalInvalid));
    desk.approve(desk.cy, quote).home();
    desk.approve(desk.dan, quote).home();
    let revoke = Proposal::Revoke { agent: desk.dan.agent, suspect_from: None, reason: String::new() };
    desk.world.propose(root(0), revoke).home();
    assert_eq!(desk.take(desk.alice, "execute"), rejected(Code::ApprovalsMissing));
}

#[test]
fn a_sub_agent_takes_steps_for_its_principal_and_approves_nothing() {
    let mut desk = Desk::new(&trading());
    let seen = desk.all();
    let (bob, cy) = (desk.bob, desk.cy);
    let worker = desk.world.spawn(bob, &seen, grant(desk.world.realm(), 50), 50);
    let word = Word { outputs: vec![("total", Output::Int(1))], ..desk.word(Some(desk.chat), "quote") };
    let own = desk.world.seen(desk.chat, worker.agent);
    let home = desk.world.work(worker, &own, &word).home();
    let quote = desk.world.at(desk.chat, home);
    let child = desk.world.spawn(cy, &seen, grant(desk.world.realm(), 51), 51);
    let merge = desk.world.head(desk.chat, worker.agent);
    let own = desk.world.seen(desk.chat, child.agent);
    let word = Word { approves: Some(quote), ..desk.word(Some(desk.chat), "execute") };
    assert_eq!(desk.world.work_with(child, &own, &word, vec![merge]), rejected(Code::GrantScope));
    // Nor has a parent seen what its child did, before it merges it.
    assert_eq!(desk.approve(desk.cy, quote), rejected(Code::ContextStale));
    let seen = desk.all();
    desk.world.work_with(cy, &seen, &word, vec![merge]).home();
    // Whose principal the author of the quote is, has made it.
    let mut steps = trading();
    steps[1].by = vec!["risk", "pricing"];
    let mut desk = Desk::new(&steps);
    let seen = desk.all();
    let eve = desk.eve;
    let worker = desk.world.spawn(eve, &seen, grant(desk.world.realm(), 50), 50);
    let own = desk.world.seen(desk.chat, worker.agent);
    let word = Word { outputs: vec![("total", Output::Int(1))], ..desk.word(Some(desk.chat), "quote") };
    let home = desk.world.work(worker, &own, &word).home();
    let quote = desk.world.at(desk.chat, home);
    let merge = desk.world.head(desk.chat, worker.agent);
    let word = Word { approves: Some(quote), ..desk.word(Some(desk.chat), "execute") };
    let seen = desk.all();
    assert_eq!(desk.world.work_with(eve, &seen, &word, vec![merge]), rejected(Code::ApprovalInvalid));
}

#[test]
fn who_has_not_seen_what_he_builds_on() {
    let mut desk = Desk::new(&trading());
    let seen = |desk: &Desk, size| desk.world.seen_at(desk.chat, desk.chat, size);
    let quote = desk.quote(1);
    desk.approve(desk.cy, quote).home();
    desk.approve(desk.dan, quote).home();
    // The quote: leaf 1. Its approvals: 2 and 3.
    let word = Word { approves: Some(quote), ..desk.word(Some(desk.chat), "execute") };
    let (eve, alice) = (desk.eve, desk.alice);
    let early = seen(&desk, 1);
    assert_eq!(desk.world.work(eve, &early, &word), rejected(Code::ContextStale));
    let word = desk.word(Some(desk.chat), "execute");
    let early = seen(&desk, 3);
    assert_eq!(desk.world.work(alice, &early, &word), rejected(Code::ContextStale));
    let enough = seen(&desk, 4);
    desk.world.work(alice, &enough, &word).home();
    // A branch from before the start of an instance.
    let mut desk = Desk::new(&trading());
    let (alice, before) = (desk.alice, desk.all());
    let second = desk.say(desk.alice, &desk.word(None, "order")).home();
    let second = desk.world.at(desk.chat, second);
    let branch = desk.world.fork(alice, &before, None).home().branch;
    let own = desk.world.seen(desk.chat, branch);
    let word = desk.word(Some(second), "remark");
    assert_eq!(desk.world.work(alice, &own, &word), rejected(Code::ContextStale));
    let merge = desk.world.head(desk.chat, desk.chat);
    desk.world.work_with(alice, &own, &word, vec![merge]).home();
}

#[test]
fn a_fork_takes_no_step_twice() {
    let mut desk = Desk::new(&trading());
    let (bob, eve, seen) = (desk.bob, desk.eve, desk.all());
    let branch = desk.world.fork(eve, &seen, None).home().branch;
    let word = desk.word(Some(desk.chat), "quote");
    let own = desk.world.seen(desk.chat, branch);
    desk.world.work(eve, &own, &word).home();
    assert_eq!(desk.world.work(bob, &seen, &word), rejected(Code::StepNeeds));
}

#[test]
fn a_halt_of_an_instance_holds_that_one() {
    let mut desk = Desk::new(&trading());
    let second = desk.say(desk.alice, &desk.word(None, "order")).home();
    let second = desk.world.at(desk.chat, second);
    let operator = desk.world.enrol("op", 60, Purpose::Operator, &[]);
    let part =
        ama2sec_core::message::HaltPart { scope: Scope::Instance(desk.chat, second).encode(), reason: String::new() };
    let bare = ama2sec_core::realm::draft::Bare { realm: desk.world.realm(), time: START, salt: [3; 16] };
    let halt = signed(operator, |author| ama2sec_core::realm::draft::draft_halt(author, bare, part, false));
    desk.world.offer(&halt).home();
    desk.quote(1);
    assert_eq!(desk.say(desk.bob, &desk.word(Some(second), "quote")), rejected(Code::Halted));
    // Another one may start; a note is no part of any.
    desk.say(desk.alice, &desk.word(None, "order")).home();
    let seen = desk.all();
    desk.world.say(desk.alice, &seen, Vec::new()).home();
}

#[test]
fn a_state_from_its_digest_judges_alike() {
    let mut desk = Desk::new(&trading());
    desk.approved(7);
    let entry = desk.world.state.registry().unwrap().definition(&name("trading")).unwrap().entry;
    let documents = HashMap::from([(entry, document("trading", 0, &trading()))]);
    desk.world.state = desk.world.rebuilt(&documents);
    assert_eq!(desk.take(desk.bob, "quote"), rejected(Code::StepNeeds));
    desk.take(desk.alice, "execute").home();
    desk.world.state = desk.world.rebuilt(&documents);
    assert_eq!(desk.take(desk.alice, "remark"), rejected(Code::WorkflowEnded));
    // Without the document, or with another one, there is no state.
    let other = HashMap::from([(entry, flow::smallest("trading", 0))]);
    let registry = desk.world.state.registry().unwrap();
    let leaves: Vec<Id> = (0..registry.size()).map(|index| registry.leaf(index).unwrap()).collect();
    for documents in [other, HashMap::new()] {
        assert!(State::rebuild(&registry.canonical().unwrap(), &leaves, &documents, &[]).is_err());
    }
}

fn code_of(document: &[u8]) -> Option<Code> {
    Definition::parse(document).err().map(|error| error.code)
}

fn with(change: impl FnOnce(&mut Vec<Doc>)) -> Vec<u8> {
    let mut steps = trading();
    change(&mut steps);
    document("trading", 0, &steps)
}

#[test]
fn only_sound_definitions_are_read() {
    assert_eq!(code_of(&with(|_| ())), None);
    let mut wrong: Vec<Vec<u8>> = vec![
        // a, b
        with(|steps| steps[4].name = "order"),
        with(|steps| steps[4].needs = vec![5]),
        with(|steps| steps[4].needs = vec![4]),
        with(|steps| steps[4].undo = Some(4)),
        with(|steps| steps[4].undo = Some(5)),
        with(|steps| steps[2].when[0].0 = 5),
        with(|steps| steps[2].approvals.as_mut().unwrap().0 = 5),
        document("trading", 5, &trading()),
        // c
        document("trading", 1, &trading()),
        with(|steps| steps[0].approvals = Some((4, 1, vec!["risk"]))),
        // d
        with(|steps| steps[1].any = false),
        // e
        with(|steps| steps[2].choice = Some(0)),
        with(|steps| steps[2].approvals.as_mut().unwrap().0 = 0),
        with(|steps| steps[1].choice = Some(0)),
        // f
        with(|steps| steps[2].when[0].0 = 4),
        with(|steps| steps[2].when[0].1 = "price"),
        with(|steps| steps[2].when[0].3 = Output::Bool(true)),
        with(|steps| {
            steps[1].outputs[0].1 = 0;
            steps[2].when[0].3 = Output::Bool(true);
        }),
        // g
        with(|steps| steps[2].terminal = false),
        // 1.1
        with(|steps| steps[0].by = vec![]),
        with(|steps| steps[0].by = vec!["traders", "risk"]),
        with(|steps| steps[1].needs = vec![3, 0]),
        with(|steps| steps[1].needs = vec![0, 0]),
        with(|steps| steps[4].any = true),
        with(|steps| steps[0].visits = 0),
        with(|steps| steps[0].visits = 256),
        with(|steps| steps[2].deadline = Some(0)),
        with(|steps| steps[2].deadline = Some(1 << 48)),
        with(|steps| steps[2].approvals.as_mut().unwrap().1 = 0),
        with(|steps| steps[2].approvals.as_mut().unwrap().1 = 17),
        with(|steps| steps[2].approvals.as_mut().unwrap().2 = vec![]),
        with(|steps| steps[2].when[0].2 = 3),
        with(|steps| steps[1].outputs[0].1 = 3),
        with(|steps| steps[1].payload = Some(String::new())),
        with(|steps| steps[1].payload = Some("x".repeat(16_385))),
        with(|steps| steps[0].name = "Order"),
        with(|steps| steps.clear()),
        document("Trading", 0, &trading()),
        vec![0; 61_441],
    ];
    let whole = with(|_| ());
    wrong.push([whole.clone(), vec![0]].concat());
    wrong.extend((0..whole.len()).map(|end| whole[..end].to_vec()));
    for document in wrong {
        assert_eq!(code_of(&document), Some(Code::DefinitionInvalid), "{document:02x?}");
    }
    // Through any, a step may come before itself; what it reads may be true, if only equality is asked.
    assert_eq!(code_of(&with(|steps| steps[3].needs = vec![0, 1])), None);
    let boolean = with(|steps| {
        steps[1].outputs[0].1 = 0;
        steps[2].when[0] = (1, "total", 0, Output::Bool(true));
    });
    assert_eq!(code_of(&boolean), None);
}

#[test]
fn another_document_has_another_id_or_none() {
    let whole = with(|_| ());
    let id = *Definition::parse(&whole).unwrap().id();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            match Definition::parse(&changed) {
                Ok(other) => assert_ne!(*other.id(), id),
                Err(error) => assert_eq!(error.code, Code::DefinitionInvalid),
            }
        }
    }
}

#[test]
fn a_definition_is_registered_under_its_own_name_only() {
    let mut world = World::default();
    let define = |text: &str, document| Proposal::Define { name: name(text), replaces: None, document };
    let sound = document("trading", 0, &trading());
    assert_eq!(world.propose(root(0), define("orders", sound.clone())), rejected(Code::DefinitionInvalid));
    assert_eq!(world.propose(root(0), define("trading", vec![0xa0])), rejected(Code::DefinitionInvalid));
    world.propose(root(0), define("trading", sound)).home();
}
