//! Stops at an engine (halt.5): what is refused, what is written first, what frees it; in memory, in a file, in two programs' engines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "realm_desk/mod.rs"]
mod desk;
#[path = "realm_support/mod.rs"]
mod support;

use std::path::Path;
use std::time::Duration;

use ama2sec_core::errors::Code;
use ama2sec_core::halt::{Content, Latch, Scope, sidecar_of};
use ama2sec_core::identity::Purpose;
use ama2sec_core::message::{HaltPart, Id, Kind, Proposal};
use ama2sec_core::realm::draft::{Author, Bare, draft_halt, draft_resume};
use ama2sec_core::realm::engine::{Answer, Engine, Submission};
use ama2sec_core::realm::log::{Durability, Log, MemoryLog, SqliteLog};
use ama2sec_core::realm::replay::{Expected, Replay};
use ama2sec_core::realm::stopping::Halting;
use ama2sec_core::realm::{Limits, Start};
use desk::{Desk, exported};
use support::*;

const OPERATOR: u16 = 400;
const SOON: Duration = Duration::from_millis(50);

/// An operator of a realm that is there.
fn operator<L: Log>(desk: &mut Desk<L>) -> Who {
    let part = enrol_part(desk.realm(), "operator", OPERATOR, Purpose::Operator, &[], None);
    let record = desk.propose(root(0), Proposal::Enrol(Box::new(part)));
    Who { seed: OPERATOR, agent: record.id, grant: None }
}

fn halt_by<L: Log>(desk: &Desk<L>, who: Who, salt: u8, scope: &Scope) -> Vec<u8> {
    let bare = Bare { realm: desk.realm(), time: START, salt: [salt; 16] };
    let part = HaltPart { scope: scope.encode(), reason: "stop".into() };
    signed(who, |author: Author<'_>| draft_halt(author, bare, part, false))
}

fn resume_by<L: Log>(desk: &Desk<L>, who: Who, halts: &[Id]) -> Vec<u8> {
    let bare = Bare { realm: desk.realm(), time: START, salt: [99; 16] };
    signed(who, |author| draft_resume(author, bare, halts.to_vec(), "mended".into()))
}

fn refused<L: Log>(desk: &mut Desk<L>) -> Option<Code> {
    let bytes = desk.message();
    match desk.submit(&bytes) {
        Answer::Refused(error) => Some(error.code),
        Answer::Sequenced { error: None, .. } => None,
        other => panic!("{other:?}"),
    }
}

fn local<L: Log>(desk: &Desk<L>, salt: u8) -> (Id, Halting) {
    let halted = desk.engine.halt_locally(Scope::Realm.encode(), "enough".into(), START, [salt; 16]).unwrap();
    assert_eq!(halted.alarm, None);
    (halted.id, halted.outcome)
}

/// The halts that are in force in the registry.
fn live<L: Log>(desk: &Desk<L>) -> Vec<Id> {
    let halts = desk.engine.with(|replica| {
        let halts = replica.state().registry().unwrap().halts();
        Ok(halts.all().filter(|(id, _)| halts.is_live(id)).map(|(id, _)| *id).collect())
    });
    halts.unwrap()
}

#[test]
fn a_stop_that_comes_while_another_is_being_ended_is_in_force() {
    let mut desk = Desk::new(MemoryLog::new(), Limits::default());
    let who = operator(&mut desk);
    let (first, _) = local(&desk, 1);
    assert_eq!(refused(&mut desk), Some(Code::Latched));
    let (second, outcome) = local(&desk, 2);
    assert!(first != second && outcome == Halting::Latched);
    let resume = resume_by(&desk, who, &[first]);
    assert!(matches!(desk.submit(&resume), Answer::Sequenced { error: None, .. }));
    assert_eq!(refused(&mut desk), Some(Code::Latched));
    assert_eq!(live(&desk), [second]);
}

#[test]
fn a_slot_is_freed_only_of_what_was_seen_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.stop");
    ama2sec_core::halt::Sidecar::create(&path, &ama2sec_core::halt::Header::default()).unwrap();
    let (one, two) = (Latch::beside(&path).unwrap(), Latch::beside(&path).unwrap());
    let content =
        |salt: u8| Content::Local { salt: [salt; 16], time: 1, scope: Scope::Realm.encode(), reason: String::new() };
    one.stop(content(1)).unwrap();
    let seen = two.look().stops[0].clone();
    assert!(one.free(&seen).unwrap());
    // The same slot, somebody else's stop.
    assert_eq!(one.stop(content(2)).unwrap().unwrap().slot, seen.slot);
    assert!(!two.free(&seen).unwrap());
    assert!(!two.replace(&seen, content(3)).unwrap());
    assert_eq!(two.look().stops.len(), 1);
}

#[test]
fn a_person_on_the_host_stops_a_realm_and_an_operator_lets_it_go_on() {
    let mut desk = Desk::new(MemoryLog::new(), Limits::default());
    let who = operator(&mut desk);
    let before = desk.engine.with(|replica| Ok(replica.records())).unwrap();
    let (id, outcome) = local(&desk, 1);
    assert_eq!(outcome, Halting::Latched);
    assert_eq!(refused(&mut desk), Some(Code::Latched));
    // The transaction that refused it began with the halt.
    let entries = desk.engine.entries(before, 10).unwrap();
    let kinds: Vec<Kind> = entries.iter().map(|entry| entry.envelope.claims().kind).collect();
    assert_eq!((kinds, entries[0].record.id), (vec![Kind::LocalHalt], id));
    // The registry is never in scope.
    let part = enrol_part(desk.realm(), "late", 410, Purpose::Message, &[], None);
    desk.propose(root(0), Proposal::Enrol(Box::new(part)));
    let resume = resume_by(&desk, who, &[id]);
    assert!(matches!(desk.submit(&resume), Answer::Sequenced { error: None, .. }));
    assert_eq!(refused(&mut desk), None);
    assert!(desk.engine.latch().look().is_clear());
    // A replay knows nothing of latches, and comes to the same.
    let realm = desk.realm();
    let mut replay = Replay::new(Expected { realm: Some(realm), ..Expected::default() });
    let exported = exported(&desk, None);
    replay.feed(&exported).unwrap();
    let verified = replay.finish().unwrap();
    assert_eq!(verified.replica().records(), desk.engine.with(|replica| Ok(replica.records())).unwrap());
}

#[test]
fn a_signed_stop_latches_before_anything_and_a_forged_one_never() {
    let mut desk = Desk::new(MemoryLog::new(), Limits::default());
    let who = operator(&mut desk);
    for (stranger, code) in [(Who { seed: 77, ..who }, Code::KeyUnknown), (desk.sales, Code::KeyUnknown)] {
        let forged = halt_by(&desk, stranger, 1, &Scope::Realm);
        assert_eq!(desk.engine.halt(&forged).unwrap_err().code, code);
    }
    let mut bent = halt_by(&desk, who, 2, &Scope::Realm);
    *bent.last_mut().unwrap() ^= 1;
    assert_eq!(desk.engine.halt(&bent).unwrap_err().code, Code::SignatureInvalid);
    let message = desk.message();
    assert_eq!(desk.engine.halt(&message).unwrap_err().code, Code::ArgumentRange);
    assert!(desk.engine.latch().look().is_clear());
    assert_eq!(refused(&mut desk), None);
    let halt = halt_by(&desk, who, 3, &Scope::Realm);
    assert_eq!(desk.engine.halt(&halt).unwrap().outcome, Halting::Latched);
    assert_eq!(desk.engine.halt(&halt).unwrap().outcome, Halting::Already);
    assert_eq!(refused(&mut desk), Some(Code::Latched));
    let resume = resume_by(&desk, who, &[id_of(&halt)]);
    assert!(matches!(desk.submit(&resume), Answer::Sequenced { error: None, .. }));
    assert_eq!(desk.engine.halt(&halt).unwrap().outcome, Halting::Spent);
    assert_eq!(refused(&mut desk), None);
    // Handed in like any other entry it is latched as well.
    let other = halt_by(&desk, who, 4, &Scope::Conversation(desk.chat));
    desk.record(&other);
    assert_eq!(desk.engine.latch().look().stops.len(), 1);
    assert_eq!(refused(&mut desk), Some(Code::Latched));
    desk.open();
}

#[test]
fn what_nobody_knows_is_latched_as_the_realm() {
    for scope in [Scope::Conversation([5; 32]), Scope::Agent([5; 32]), Scope::Branch([5; 32], [6; 32])] {
        let mut desk = Desk::new(MemoryLog::new(), Limits::default());
        desk.engine.halt_locally(scope.encode(), String::new(), START, [1; 16]).unwrap();
        assert_eq!(refused(&mut desk), Some(Code::Latched), "{scope:?}");
    }
    let mut desk = Desk::new(MemoryLog::new(), Limits::default());
    let other = desk.open();
    desk.engine.halt_locally(Scope::Conversation(other.id).encode(), String::new(), START, [1; 16]).unwrap();
    assert_eq!(refused(&mut desk), None);
}

#[test]
fn whoever_is_on_his_way_keeps_a_stop_from_being_quiet() {
    let desk = Desk::new(MemoryLog::new(), Limits::default());
    assert!(desk.engine.quiesce(SOON));
    let inside = desk.engine.latch().enter();
    local(&desk, 1);
    assert!(!desk.engine.quiesce(SOON));
    // Others who come and go do not outvote him.
    for _ in 0..3 {
        let mut later = desk.engine.latch().enter();
        assert!(!later.look().is_clear());
        assert!(!desk.engine.quiesce(SOON));
    }
    drop(inside);
    assert!(desk.engine.quiesce(SOON));
    // Who comes later sees the stop, and is not waited for; and neither is he who has looked since.
    let mut before = desk.engine.latch().enter();
    local(&desk, 2);
    let mut after = desk.engine.latch().enter();
    assert!(!desk.engine.quiesce(SOON));
    after.look();
    assert!(!desk.engine.quiesce(SOON));
    before.look();
    assert!(desk.engine.quiesce(SOON));
    drop((before, after));
    assert!(desk.engine.quiesce(SOON));
}

fn attached(path: &Path, realm: &Id) -> Engine<SqliteLog> {
    let log = SqliteLog::open(path, None).unwrap();
    let mut engine = Engine::load(log, key(SEQUENCER), realm, Limits::default(), Start::Quick).unwrap();
    engine.attach(path, START, [7; 16]).unwrap();
    engine
}

/// A realm in a file with its sidecar and an operator.
fn filed(path: &Path) -> (Desk<SqliteLog>, Who) {
    let mut desk = Desk::new(SqliteLog::create(path, Durability::Normal).unwrap(), Limits::default());
    desk.engine.attach(path, START, [7; 16]).unwrap();
    let who = operator(&mut desk);
    (desk, who)
}

#[test]
fn every_engine_on_the_file_stops_and_a_restart_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    let (mut desk, who) = filed(&path);
    let realm = desk.realm();
    let other = attached(&path, &realm);
    let outside = Latch::beside(&sidecar_of(&path)).unwrap();
    let content =
        Content::Local { salt: [3; 16], time: START, scope: Scope::Realm.encode(), reason: "from elsewhere".into() };
    assert!(outside.stop(content).unwrap().is_some() && outside.sync());
    assert_eq!(refused(&mut desk), Some(Code::Latched));
    let bytes = desk.message();
    let answer = other.submit(Submission { envelope: &bytes, body: None }, START).unwrap();
    assert!(matches!(answer, Answer::Refused(error) if error.code == Code::Latched));
    // Its slot has what the log has.
    let id = match &outside.look().stops[..] {
        [stop] => match &stop.content {
            Content::Signed(envelope) => id_of(envelope),
            other => panic!("{other:?}"),
        },
        others => panic!("{others:?}"),
    };
    drop(other);
    desk.engine = attached(&path, &realm);
    assert_eq!(refused(&mut desk), Some(Code::Latched));
    outside.post(resume_by(&desk, who, &[id])).unwrap();
    assert_eq!(refused(&mut desk), None, "the transaction begins with the resume that waits");
    assert!(outside.look().is_clear() && outside.look().resumes.is_empty());
}

#[test]
fn no_sidecar_a_swapped_one_and_rubbish_are_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    let (mut desk, who) = filed(&path);
    let (realm, sidecar) = (desk.realm(), sidecar_of(&path));
    let sound = std::fs::read(&sidecar).unwrap();
    std::fs::remove_file(&sidecar).unwrap();
    assert_eq!(refused(&mut desk), Some(Code::Latched));
    // Whoever puts a sound one in its place has not stopped it from being stopped.
    std::fs::write(&sidecar, &sound).unwrap();
    assert_eq!(refused(&mut desk), Some(Code::Latched));
    desk.engine = attached(&path, &realm);
    assert_eq!(refused(&mut desk), None);
    std::fs::remove_file(&sidecar).unwrap();
    desk.engine = attached(&path, &realm);
    assert_eq!(refused(&mut desk), Some(Code::Latched), "it starts stopped");
    let halts = live(&desk);
    assert_eq!(halts.len(), 1);
    let resume = resume_by(&desk, who, &halts);
    assert!(matches!(desk.submit(&resume), Answer::Sequenced { error: None, .. }));
    assert_eq!(refused(&mut desk), None);
    for rubbish in [vec![], vec![0; 100], vec![0xff; sound.len()], sound[..sound.len() - 1].to_vec()] {
        std::fs::remove_file(&sidecar).unwrap();
        std::fs::write(&sidecar, rubbish).unwrap();
        desk.engine = attached(&path, &realm);
        assert_eq!(refused(&mut desk), Some(Code::Latched));
    }
    // Of another realm.
    std::fs::remove_file(&sidecar).unwrap();
    let header = ama2sec_core::halt::Header { realm: [1; 32], sequencer: ([2; 32], [3; 32]) };
    ama2sec_core::halt::Sidecar::create(&sidecar, &header).unwrap();
    desk.engine = attached(&path, &realm);
    assert_eq!(refused(&mut desk), Some(Code::Latched));
}

#[test]
fn an_envelope_that_nobody_signed_stops_all_the_same_when_a_person_on_the_host_put_it_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    let (mut desk, who) = filed(&path);
    let outside = Latch::beside(&sidecar_of(&path)).unwrap();
    let mut bent = halt_by(&desk, who, 2, &Scope::Realm);
    *bent.last_mut().unwrap() ^= 1;
    outside.stop(Content::Signed(bent)).unwrap();
    outside.stop(Content::Signed(b"rubbish".to_vec())).unwrap();
    assert_eq!(refused(&mut desk), Some(Code::Latched));
    let halts = live(&desk);
    assert_eq!(halts.len(), 2);
    let resume = resume_by(&desk, who, &halts);
    assert!(matches!(desk.submit(&resume), Answer::Sequenced { error: None, .. }));
    assert_eq!(refused(&mut desk), None);
}

#[test]
fn a_stop_of_an_agent_holds_messages_to_it() {
    let mut desk = Desk::new(MemoryLog::new(), Limits::default());
    let bytes = desk.message();
    let record = desk.record(&bytes);
    desk.engine.check_passage(&record.id, None).unwrap();
    let agent = [0x33; 32];
    desk.engine.halt_locally(Scope::Agent(desk.sales.agent).encode(), String::new(), START, [1; 16]).unwrap();
    assert_eq!(desk.engine.check_passage(&record.id, Some(&agent)).unwrap_err().code, Code::Latched);
    assert_eq!(desk.engine.check_passage(&[9; 32], None).unwrap_err().code, Code::ArgumentRange);
}

#[test]
fn an_engine_that_died_before_it_settled_the_slots_leaves_a_stop_that_can_be_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    let (mut desk, who) = filed(&path);
    let realm = desk.realm();
    let outside = Latch::beside(&sidecar_of(&path)).unwrap();
    let content = Content::Local { salt: [3; 16], time: START, scope: Scope::Realm.encode(), reason: "enough".into() };
    outside.stop(content.clone()).unwrap();
    assert_eq!(refused(&mut desk), Some(Code::Latched));
    let signed = outside.look().stops[0].clone();
    // It is in the log, and its slot is as it was before: whoever committed it was killed right behind that.
    assert!(outside.replace(&signed, content).unwrap());
    desk.engine = attached(&path, &realm);
    assert_eq!(refused(&mut desk), Some(Code::Latched));
    let halts = live(&desk);
    let resume = resume_by(&desk, who, &halts);
    assert!(matches!(desk.submit(&resume), Answer::Sequenced { error: None, .. }));
    assert_eq!(refused(&mut desk), None);
    assert!(outside.look().is_clear());
}
