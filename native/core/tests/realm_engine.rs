//! The engine over a log: receipts, budgets, duplicates, conflicts, a log that lies; records, heads and evidence; replay step by step.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "realm_desk/mod.rs"]
mod desk;
mod log_suite;
#[path = "realm_support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use ama2sec_core::errors::{Code, Error, Result};
use ama2sec_core::history::sha_tree::TreeHead;
use ama2sec_core::identity::Purpose;
use ama2sec_core::message::{BodyPart, Id, Kind, Proposal, UnverifiedEnvelope};
use ama2sec_core::realm::checkpoint::{
    Relation, check_checkpoint, compare_checkpoints, sign_checkpoint, stated_origin,
};
use ama2sec_core::realm::draft::{Parts, draft_approval};
use ama2sec_core::realm::engine::{Answer, Engine, Submission};
use ama2sec_core::realm::evidence::{check_equivocation, check_fork, encode_equivocation, encode_fork};
use ama2sec_core::realm::export::{checkpoint_item, pair_items};
use ama2sec_core::realm::log::{Appended, Log, MemoryLog, Pair, Source};
use ama2sec_core::realm::receipt::check_receipt;
use ama2sec_core::realm::replay::{Expected, RealmVerified, Replay, ReplayFailure};
use ama2sec_core::realm::{Limits, Record, Start};
use desk::{Desk, exported};
use support::*;

fn desk() -> Desk<MemoryLog> {
    Desk::new(MemoryLog::new(), Limits::default())
}

fn origin<L: Log>(desk: &Desk<L>) -> String {
    desk.engine.with(|replica| Ok(replica.state().registry().unwrap().origin())).unwrap()
}

fn replay(bytes: &[u8], expected: Expected) -> std::result::Result<RealmVerified, (Code, u64)> {
    let whole = replay_in(bytes, expected.clone(), usize::MAX);
    let outcome = |verified: &std::result::Result<RealmVerified, (Code, u64)>| {
        verified.as_ref().map(|_| ()).map_err(|fault| *fault)
    };
    assert_eq!(outcome(&whole), outcome(&replay_in(bytes, expected, 97)));
    whole
}

fn replay_in(bytes: &[u8], expected: Expected, piece: usize) -> std::result::Result<RealmVerified, (Code, u64)> {
    let mut replay = Replay::new(expected);
    bytes.chunks(piece.min(bytes.len().max(1))).for_each(|chunk| replay.feed(chunk).unwrap());
    replay.finish().map_err(|failure| match failure {
        ReplayFailure::Fault(fault) => (fault.error.code, fault.position),
        ReplayFailure::Broken(error) => panic!("{error}"),
    })
}

#[test]
fn the_memory_log_does_what_every_log_must() {
    log_suite::all(MemoryLog::new);
    log_suite::all(|| Arc::new(MemoryLog::new()));
}

#[test]
fn an_entry_gets_a_receipt_that_a_stranger_can_check() {
    let mut desk = desk();
    for _ in 0..20 {
        let bytes = desk.message();
        desk.record(&bytes);
    }
    let (sequencer, origin) = (key(SEQUENCER), origin(&desk));
    for pair in desk.engine.log().read(0, 100).unwrap() {
        for with_proof in [false, true] {
            let receipt = desk.engine.receipt(pair.record.position, with_proof).unwrap();
            let found = check_receipt(&receipt, &pair.envelope, sequencer.public(), &origin, None).unwrap();
            assert_eq!((found.record(), found.is_included()), (&pair.record, with_proof));
            let other = genesis(QUORUMS, false);
            let code = |receipt: &[u8], envelope: &[u8], key: &ama2sec_core::identity::EnrolledKey, origin: &str| {
                check_receipt(receipt, envelope, key, origin, None).map(|_| ()).unwrap_err().code
            };
            assert_eq!(code(&receipt, &other, sequencer.public(), &origin), Code::RecordDigest);
            assert_eq!(code(&receipt, &pair.envelope, key(1).public(), &origin), Code::CheckpointKey);
            assert_eq!(code(&receipt, &pair.envelope, sequencer.public(), "other/00"), Code::CheckpointOther);
            assert_eq!(code(&receipt[1..], &pair.envelope, sequencer.public(), &origin), Code::ReceiptForm);
        }
    }
    // Under a head that was kept, and under no other.
    let kept = desk.engine.head().unwrap();
    let pair = desk.engine.log().read(7, 1).unwrap().remove(0);
    let bytes = desk.message();
    desk.record(&bytes);
    let under = desk.engine.receipt_under(7, &kept).unwrap();
    let checked = |receipt: &[u8], head: &str| {
        let found = check_receipt(receipt, &pair.envelope, sequencer.public(), &origin, Some(head.as_bytes()));
        found.map(|found| found.is_included()).map_err(|fault| fault.code)
    };
    assert_eq!(checked(&under, &kept), Ok(true));
    assert_eq!(checked(&under, &desk.engine.head().unwrap()), Err(Code::NeedsProof));
    assert_eq!(checked(&desk.engine.receipt(7, false).unwrap(), &kept), Err(Code::NeedsProof));
    let size = desk.engine.with(|replica| Ok(replica.records())).unwrap();
    let forged = sign_checkpoint(&sequencer, &origin, &TreeHead { size: size - 1, root: [1; 32] }).unwrap();
    assert_eq!(checked(&under, &forged), Err(Code::CheckpointForked));
    assert_eq!(desk.engine.receipt_under(7, &forged).unwrap_err().code, Code::CheckpointForked);
    assert_eq!(desk.engine.receipt_under(size - 1, &kept).unwrap_err().code, Code::CheckpointStale);
    // A receipt under an older head than its record promises nothing.
    let pair = desk.engine.log().read(20, 1).unwrap().remove(0);
    let old = sign_checkpoint(&sequencer, &origin, &TreeHead { size: 20, root: [1; 32] }).unwrap();
    let receipt = ama2sec_core::realm::receipt::encode_receipt(&pair.record, &old, None);
    let fault = check_receipt(&receipt, &pair.envelope, sequencer.public(), &origin, None).unwrap_err();
    assert_eq!(fault.code, Code::CheckpointStale);
}

#[test]
fn every_byte_of_a_receipt_counts() {
    let mut desk = desk();
    let bytes = desk.message();
    let record = desk.record(&bytes);
    let (sequencer, origin) = (key(SEQUENCER), origin(&desk));
    let receipt = desk.engine.receipt(record.position, true).unwrap();
    for at in 0..receipt.len() {
        let mut broken = receipt.clone();
        broken[at] ^= 1;
        assert!(check_receipt(&broken, &bytes, sequencer.public(), &origin, None).is_err(), "{at}");
    }
}

#[test]
fn the_same_bytes_again_get_the_original_record() {
    let mut desk = desk();
    let bytes = desk.message();
    let record = desk.record(&bytes);
    let head = desk.engine.head().unwrap();
    for _ in 0..3 {
        match desk.submit(&bytes) {
            Answer::Duplicate(found) => assert_eq!(found, record),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(desk.engine.head().unwrap(), head);
    // Also the genesis, an open, a rejected entry, and two in one group.
    assert!(matches!(desk.submit(&genesis(QUORUMS, true)), Answer::Duplicate(record) if record.position == 0));
    let wrong = desk.proposal(desk.sales, Proposal::Erase { message: [1; 32], reason: String::new() });
    assert!(matches!(desk.submit(&wrong), Answer::Sequenced { error: Some(_), .. }));
    assert!(matches!(desk.submit(&wrong), Answer::Duplicate(record) if record.code == Code::PurposeWrong.number()));
    let fresh = desk.message();
    let twice = [Submission { envelope: &fresh, body: None }; 2];
    let answers = desk.engine.submit_many(&twice, START).unwrap();
    assert!(matches!(answers.as_slice(), [Answer::Sequenced { error: None, .. }, Answer::Duplicate(_)]));
}

#[test]
fn bodies_are_asked_for_and_those_of_rejected_entries_are_not_kept() {
    let mut desk = desk();
    let body = BodyPart { salt: &[3; 32], body: b"seven" };
    let parts = Parts { body: Some((body, "text/plain")), ..desk.parts() };
    let bytes = desk.message_of(&parts);
    let refused =
        |given: Option<BodyPart<'_>>| match desk.engine.submit(Submission { envelope: &bytes, body: given }, START) {
            Ok(Answer::Refused(error)) => error.code,
            other => panic!("{other:?}"),
        };
    assert_eq!(refused(None), Code::BodyMissing);
    assert_eq!(refused(Some(BodyPart { body: b"eight!", ..body })), Code::BodySize);
    assert_eq!(refused(Some(BodyPart { body: b"eight", ..body })), Code::BodyMismatch);
    let plain = desk.message();
    let unexpected = desk.engine.submit(Submission { envelope: &plain, body: Some(body) }, START).unwrap();
    assert!(matches!(unexpected, Answer::Refused(error) if error.code == Code::BodyUnexpected));
    let answer = desk.engine.submit(Submission { envelope: &bytes, body: Some(body) }, START).unwrap();
    let Answer::Sequenced { record, error: None, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(desk.engine.log().read(record.position, 1).unwrap()[0].body_part().unwrap().body, b"seven");
    // A number that was used: rejected, and kept without its body.
    let parts = Parts { seq: parts.seq, body: Some((body, "text/plain")), ..desk.parts() };
    let again = desk.message_of(&parts);
    let answer = desk.engine.submit(Submission { envelope: &again, body: Some(body) }, START).unwrap();
    let Answer::Sequenced { record: second, error: Some(error), .. } = answer else { panic!("{answer:?}") };
    assert_eq!(error.code, Code::SeqUsed);
    assert_eq!(desk.engine.log().read(second.position, 1).unwrap()[0].body, None);
    // Which is an equivocation: both signatures, in one file that anybody can check.
    let evidence = desk.engine.equivocations().unwrap();
    let proved = check_equivocation(&evidence[0], key(1).public()).unwrap();
    assert_eq!((proved.agent, proved.conversation, proved.seq), (desk.sales.agent, desk.chat, parts.seq));
    // Erased by order: the history still replays.
    let erase = desk.propose(root(0), Proposal::Erase { message: record.id, reason: "asked".into() });
    assert!(desk.engine.log().read(record.position, 1).unwrap()[0].body.is_some());
    let parts = desk.parts();
    let approval = desk.bytes(root(1), |author, state| {
        draft_approval(author, &parts, &state.seen_registry(state.registry_size())?, Kind::Erase, erase.id)
    });
    desk.record(&approval);
    assert_eq!(desk.engine.log().read(record.position, 1).unwrap()[0].body, None);
    replay(&exported(&desk, None), Expected::default()).unwrap();
}

#[test]
fn a_flood_is_refused_and_counted_and_honest_entries_still_pass() {
    let mut desk = desk();
    let broken: Vec<Vec<u8>> = (0..200)
        .map(|_| {
            let mut claims = claims_of(&desk.message());
            claims.parent = Some([9; 32]);
            sign_claims(1, &claims)
        })
        .collect();
    let flood: Vec<Submission<'_>> = broken.iter().map(|bytes| Submission { envelope: bytes, body: None }).collect();
    let answers = desk.engine.submit_many(&flood, START).unwrap();
    let rejected = answers.iter().filter(|answer| matches!(answer, Answer::Sequenced { error: Some(_), .. })).count();
    let refused = |answer: &&Answer| matches!(answer, Answer::Refused(error) if error.code == Code::QuotaExceeded);
    assert_eq!((rejected, answers.iter().filter(refused).count()), (64, 136));
    assert_eq!(desk.engine.over_budget().unwrap(), 136);
    assert_eq!(desk.engine.log().head().unwrap(), 3 + 64);
    let bytes = desk.message();
    desk.record(&bytes);
    // The next hour is another budget.
    let answer = desk.engine.submit(flood[199], START + 3_600_000).unwrap();
    assert!(matches!(answer, Answer::Sequenced { error: Some(_), .. } | Answer::Duplicate(_)), "{answer:?}");
    replay(&exported(&desk, None), Expected::default()).unwrap();
}

#[test]
fn many_at_once_are_as_one_by_one() {
    let (mut one, mut many) = (desk(), desk());
    let mut bytes: Vec<Vec<u8>> = (0..30).map(|_| one.open_bytes()).collect();
    let mut wrong = one.open_bytes();
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    bytes.push(wrong);
    bytes.push(vec![1, 2, 3]);
    bytes.push(bytes[4].clone());
    assert_eq!(many.open_bytes().len(), bytes[0].len());
    let submissions: Vec<Submission<'_>> =
        bytes.iter().map(|bytes| Submission { envelope: bytes, body: None }).collect();
    let show = |answer: Answer| match answer {
        Answer::Sequenced { record, error, .. } => (Some(record), error.map(|error| error.code)),
        Answer::Duplicate(record) => (Some(record), None),
        Answer::Refused(error) => (None, Some(error.code)),
    };
    let singles: Vec<_> = submissions.iter().map(|entry| show(one.engine.submit(*entry, START).unwrap())).collect();
    let together: Vec<_> = many.engine.submit_many(&submissions, START).unwrap().into_iter().map(show).collect();
    assert_eq!(singles, together);
    assert_eq!(one.engine.log().read(0, 100).unwrap(), many.engine.log().read(0, 100).unwrap());
}

#[test]
fn time_never_goes_back() {
    let mut desk = desk();
    let (first, second) = (desk.message(), desk.message());
    let record = |bytes: &[u8], now| match desk.engine.submit(Submission { envelope: bytes, body: None }, now).unwrap()
    {
        Answer::Sequenced { record, .. } => record,
        other => panic!("{other:?}"),
    };
    assert_eq!(record(&first, START + 500).time, START + 500);
    assert_eq!(record(&second, START).time, START + 500);
}

#[test]
fn two_engines_on_one_log_make_one_history() {
    let log = Arc::new(MemoryLog::new());
    let mut first = Desk::new(Arc::clone(&log), Limits::default());
    let realm = first.realm();
    let engine = Engine::load(Arc::clone(&log), key(SEQUENCER), &realm, Limits::default(), Start::Quick).unwrap();
    let mut second = Desk { engine, sales: first.sales, chat: first.chat, counter: 1000 };
    for round in 0..10 {
        first.counter = 10 + 2 * round;
        let bytes = first.message();
        first.record(&bytes);
        second.counter = 11 + 2 * round;
        let bytes = second.message();
        assert_eq!(second.record(&bytes).position, u64::from(4 + 2 * round));
    }
    first.engine.refresh().unwrap();
    assert_eq!(first.engine.head().unwrap(), second.engine.head().unwrap());
    let verified = replay(&exported(&first, None), Expected { realm: Some(realm), ..Expected::default() }).unwrap();
    assert_eq!(verified.replica().records(), 23);
    // Another key, or another realm, is no engine of this log.
    let code = |key, realm: &Id| {
        Engine::load(Arc::clone(&log), key, realm, Limits::default(), Start::Quick).map(|_| ()).unwrap_err().code
    };
    assert_eq!(code(key(105), &realm), Code::CheckpointKey);
    assert_eq!(code(key(SEQUENCER), &[1; 32]), Code::RealmOther);
}

#[test]
fn a_sequencer_hands_over_and_cannot_sign_its_own_end() {
    let log = Arc::new(MemoryLog::new());
    let mut first = Desk::new(Arc::clone(&log), Limits::default());
    let realm = first.realm();
    let part = enrol_part(realm, "seq-2", 105, Purpose::Sequencer, &[], None);
    first.propose(root(0), Proposal::Enrol(Box::new(part)));
    let old = *key(SEQUENCER).public().thumbprint();
    let revoke =
        first.proposal(root(0), Proposal::Revoke { agent: old, suspect_from: None, reason: "handover".into() });
    assert!(matches!(first.submit(&revoke), Answer::Refused(error) if error.code == Code::CheckpointKey));
    let engine = Engine::load(Arc::clone(&log), key(105), &realm, Limits::default(), Start::Quick).unwrap();
    let second = Desk { engine, sales: first.sales, chat: first.chat, counter: 1000 };
    second.record(&revoke);
    let bytes = exported(&second, None);
    let kept = first.engine.head().unwrap();
    let expected = Expected { kept: Some(kept.as_bytes().to_vec()), ..Expected::default() };
    assert!(replay(&bytes, expected).unwrap().is_tail_checked());
    // The old engine writes no more.
    let stale = first.message();
    let fault = first.engine.submit(Submission { envelope: &stale, body: None }, START).unwrap_err();
    assert_eq!(fault.code, Code::CheckpointKey);
}

/// A log that lies in one way, once it is told to.
struct Liar {
    inner: MemoryLog,
    way: AtomicU8,
}

impl Liar {
    fn lie(&self, mut pairs: Vec<Pair>) -> Vec<Pair> {
        match self.way.load(Ordering::SeqCst) {
            // It withholds, swaps, turns its clock back, moves the registry, changes a verdict, gives another entry.
            1 if pairs.len() > 4 => drop(pairs.remove(3)),
            2 if pairs.len() > 5 => pairs.swap(4, 5),
            3 => pairs.iter_mut().skip(4).take(1).for_each(|pair| pair.record.time -= 1),
            4 => pairs.iter_mut().skip(4).take(1).for_each(|pair| pair.record.registry_size += 1),
            5 => pairs.iter_mut().skip(4).take(1).for_each(|pair| pair.record.code = 301),
            6 if pairs.len() > 5 => pairs[4].envelope = Arc::clone(&pairs[5].envelope),
            7 => pairs.iter_mut().skip(4).take(1).for_each(|pair| pair.record.prev = 0),
            8 => pairs.iter_mut().skip(4).take(1).for_each(|pair| pair.record.home.index += 1),
            _ => {}
        }
        pairs
    }
}

impl Source for Liar {
    fn head(&self) -> Result<u64> {
        self.inner.head()
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Pair>> {
        Ok(if from == 0 { self.lie(self.inner.read(0, limit)?) } else { self.inner.read(from, limit)? })
    }

    fn checkpoint(&self) -> Result<Option<String>> {
        self.inner.checkpoint()
    }
}

impl Log for Liar {
    fn append(&self, expected: u64, pairs: &[Pair], checkpoint: &str) -> Result<Appended> {
        match self.way.load(Ordering::SeqCst) {
            9 => Ok(Appended::Unknown),
            10 => Ok(Appended::Conflict(expected)),
            _ => self.inner.append(expected, pairs, checkpoint),
        }
    }
    fn watch(&self, from: u64) -> Result<u64> {
        self.inner.watch(from)
    }
    fn end_watch(&self) {
        self.inner.end_watch();
    }
    fn put_control(&self, name: &str, value: &[u8]) -> Result<()> {
        self.inner.put_control(name, value)
    }
    fn control(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.inner.control(name)
    }
    fn erase(&self, positions: &[u64]) -> Result<bool> {
        match self.way.load(Ordering::SeqCst) {
            11 => Err(Error::new(Code::LogBusy, "a lock", "none")),
            12 => self.inner.erase(positions).map(|_| false),
            _ => self.inner.erase(positions),
        }
    }
}

#[test]
fn a_log_that_lies_is_caught_when_it_is_read() {
    let log = Arc::new(Liar { inner: MemoryLog::new(), way: AtomicU8::new(0) });
    let mut desk = Desk::new(Arc::clone(&log), Limits::default());
    for _ in 0..8 {
        let bytes = desk.message();
        desk.record(&bytes);
    }
    let realm = desk.realm();
    for (way, expected) in [
        (1, Code::RecordPosition),
        (2, Code::RecordPosition),
        (3, Code::RecordTime),
        (4, Code::RecordRegistry),
        (5, Code::RecordVerdict),
        (6, Code::RecordDigest),
        (7, Code::RecordPrev),
        (8, Code::RecordVerdict),
    ] {
        log.way.store(way, Ordering::SeqCst);
        let loaded = Engine::load(Arc::clone(&log), key(SEQUENCER), &realm, Limits::default(), Start::Quick);
        assert_eq!(loaded.map(|_| ()).unwrap_err().code, expected, "{way}");
    }
    // An append that nobody can speak for stops the engine; one that always conflicts makes it give up.
    log.way.store(10, Ordering::SeqCst);
    let bytes = desk.message();
    let fault = |desk: &Desk<Arc<Liar>>, bytes: &[u8]| {
        desk.engine.submit(Submission { envelope: bytes, body: None }, START).map(|_| ()).unwrap_err().code
    };
    assert_eq!(fault(&desk, &bytes), Code::LogConflict);
    log.way.store(9, Ordering::SeqCst);
    assert_eq!(fault(&desk, &bytes), Code::LogUnknown);
    log.way.store(0, Ordering::SeqCst);
    assert_eq!(fault(&desk, &bytes), Code::LogUnknown);
    // The bytes are still good, behind a new start.
    desk.engine = Engine::load(Arc::clone(&log), key(SEQUENCER), &realm, Limits::default(), Start::Quick).unwrap();
    desk.record(&bytes);
}

#[test]
fn an_erasure_that_fails_takes_no_entry_back() {
    for way in [11, 12] {
        let log = Arc::new(Liar { inner: MemoryLog::new(), way: AtomicU8::new(0) });
        let mut desk = Desk::new(Arc::clone(&log), Limits::default());
        let body = BodyPart { salt: &[3; 32], body: b"seven" };
        let parts = Parts { body: Some((body, "text/plain")), ..desk.parts() };
        let bytes = desk.message_of(&parts);
        let answer = desk.engine.submit(Submission { envelope: &bytes, body: Some(body) }, START).unwrap();
        let Answer::Sequenced { record, error: None, .. } = answer else { panic!("{answer:?}") };
        let erase = desk.propose(root(0), Proposal::Erase { message: record.id, reason: "asked".into() });
        let parts = desk.parts();
        let approval = desk.bytes(root(1), |author, state| {
            draft_approval(author, &parts, &state.seen_registry(state.registry_size())?, Kind::Erase, erase.id)
        });
        log.way.store(way, Ordering::SeqCst);
        // It is in the log, and its author hears so.
        desk.record(&approval);
        let pending = desk.engine.erasure_pending();
        assert_eq!(pending.map_err(|fault| fault.code), if way == 11 { Err(Code::LogBusy) } else { Ok(true) });
        let bytes = desk.message();
        desk.record(&bytes);
        log.way.store(0, Ordering::SeqCst);
        assert!(!desk.engine.erasure_pending().unwrap());
        assert_eq!(log.read(record.position, 1).unwrap()[0].body, None);
    }
}

#[test]
fn a_log_that_lies_when_it_is_read_again_gives_no_answer_and_stops_nothing() {
    let log = Arc::new(Liar { inner: MemoryLog::new(), way: AtomicU8::new(0) });
    let mut desk = Desk::new(Arc::clone(&log), Limits::default());
    for _ in 0..4 {
        let bytes = desk.message();
        desk.record(&bytes);
    }
    let ask = |desk: &Desk<Arc<Liar>>| {
        let dags = desk.engine.with_dags(|replica| Ok(replica.dag(&desk.chat).is_some()));
        let equivocations = desk.engine.equivocations();
        (dags.map_err(|fault| fault.code), equivocations.map(|found| found.len()).map_err(|fault| fault.code))
    };
    let realm = desk.realm();
    for way in 1..=8 {
        desk.engine = Engine::load(Arc::clone(&log), key(SEQUENCER), &realm, Limits::default(), Start::Quick).unwrap();
        log.way.store(way, Ordering::SeqCst);
        assert_eq!(ask(&desk), (Err(Code::RecordDigest), Err(Code::RecordDigest)), "{way}");
        log.way.store(0, Ordering::SeqCst);
        assert_eq!(ask(&desk), (Ok(true), Ok(0)));
        let bytes = desk.message();
        desk.record(&bytes);
    }
}

#[test]
fn checkpoints_are_read_strictly_and_compared() {
    let mut desk = desk();
    let (sequencer, origin) = (key(SEQUENCER), origin(&desk));
    let old = desk.engine.head().unwrap();
    let bytes = desk.message();
    desk.record(&bytes);
    let new = desk.engine.head().unwrap();
    let check = |text: &str| check_checkpoint(text.as_bytes(), sequencer.public(), &origin);
    let (first, second) = (check(&old).unwrap(), check(&new).unwrap());
    assert_eq!((first.size(), second.size()), (3, 4));
    assert_eq!(stated_origin(new.as_bytes()).unwrap(), origin);
    let proof = desk.engine.with(|replica| {
        ama2sec_core::history::consistency::prove_consistency::<ama2sec_core::history::sha_tree::Rfc6962, _>(
            &mut replica.tree(),
            3,
            4,
        )
    });
    let proof = proof.unwrap();
    let code = |old, new, proof| compare_checkpoints(old, new, proof).map_err(|error| error.code);
    assert_eq!(code(&first, &second, Some(&proof[..])), Ok(Relation::Extended));
    assert_eq!(code(&second, &first, Some(&proof[..])), Ok(Relation::Behind));
    assert_eq!(code(&first, &second, None), Err(Code::NeedsProof));
    assert_eq!(code(&first, &first, None), Ok(Relation::Unchanged));
    assert_eq!(code(&first, &first, Some(&proof[..])), Err(Code::ProofClaim));
    // Two of one size: a fork, and its portable proof.
    let other = sign_checkpoint(&sequencer, &origin, &TreeHead { size: 4, root: [5; 32] }).unwrap();
    let forked = check(&other).unwrap();
    assert_eq!(code(&second, &forked, None), Err(Code::CheckpointForked));
    assert_eq!(code(&first, &forked, Some(&proof[..])), Err(Code::ProofRoot));
    let evidence = encode_fork(new.as_bytes(), other.as_bytes());
    assert_eq!(check_fork(&evidence, sequencer.public(), &origin).unwrap().size, 4);
    let fork = |first: &str, second: &str| {
        check_fork(&encode_fork(first.as_bytes(), second.as_bytes()), sequencer.public(), &origin)
            .map(|_| ())
            .unwrap_err()
            .code
    };
    assert_eq!(fork(&new, &new), Code::EvidenceForm);
    assert_eq!(fork(&old, &new), Code::EvidenceInvalid);
    // Every byte of a head counts.
    for at in 0..new.len() {
        let mut broken = new.as_bytes().to_vec();
        broken[at] ^= 1;
        assert!(check_checkpoint(&broken, sequencer.public(), &origin).is_err(), "{at}");
    }
    let form = |text: String| check(&text).map(|_| ()).unwrap_err().code;
    for text in [
        new.trim_end().to_owned(),
        format!("{new}\n"),
        format!("\n{new}"),
        new.replace("\n4\n", "\n04\n"),
        new.replace("\n4\n", "\n+4\n"),
        new.replace("\n4\n", "\n4\nextension\n"),
        new.replace("\n\n", "\n\n\n"),
        new.replace('\n', "\r\n"),
        new.replace(" acme", "  acme"),
        new.replacen("=\n", "\n", 1),
        new.to_string() + &"\u{2014} witness AAAAAAAA\n".repeat(16),
        new.to_string() + "\u{2014} wit+ness AAAAAAAA\n",
        new.to_string() + "\u{2014} witness AAAA\n",
        new.to_string() + "\u{2014} witness AAAAAAB\n",
    ] {
        assert_eq!(form(text.clone()), Code::CheckpointForm, "{text}");
    }
    // Witnesses are left alone; a second line of the sequencer's key is not.
    check(&(new.to_string() + "\u{2014} witness AAAAAAAA\n")).unwrap();
    let line = new.split("\n\n").nth(1).unwrap();
    assert_eq!(form(new.to_string() + line), Code::CheckpointKey);
}

#[test]
fn an_equivocation_is_two_messages_under_one_number() {
    let mut desk = desk();
    let parts = desk.parts();
    let first = desk.message_of(&parts);
    let second = desk.message_of(&Parts { salt: [8; 16], ..parts.clone() });
    let parse = |bytes: &[u8]| UnverifiedEnvelope::parse(bytes).unwrap();
    let evidence = encode_equivocation(&parse(&first), &parse(&second));
    check_equivocation(&evidence, key(1).public()).unwrap();
    let code = |first: &[u8], second: &[u8]| {
        check_equivocation(&encode_equivocation(&parse(first), &parse(second)), key(1).public())
            .map(|_| ())
            .unwrap_err()
            .code
    };
    assert_eq!(check_equivocation(&evidence, key(2).public()).map(|_| ()).unwrap_err().code, Code::KeyUnknown);
    assert_eq!(code(&first, &first), Code::EvidenceInvalid);
    let third = desk.message();
    assert_eq!(code(&first, &third), Code::EvidenceInvalid);
    let open = desk.open_bytes();
    assert_eq!(code(&first, &open), Code::EvidenceInvalid);
    for at in 0..evidence.len() {
        let mut broken = evidence.clone();
        broken[at] ^= 1;
        assert!(check_equivocation(&broken, key(1).public()).is_err(), "{at}");
    }
}

/// A sound realm, as its pairs and its checkpoint.
fn realm_file() -> (Desk<MemoryLog>, Vec<Pair>, String) {
    let mut desk = desk();
    let mut other = desk.open_bytes();
    for at in 0..12 {
        let bytes = if at == 5 { std::mem::take(&mut other) } else { desk.message() };
        desk.submit(&bytes);
        if at == 8 {
            let wrong = desk.proposal(desk.sales, Proposal::Erase { message: [1; 32], reason: String::new() });
            desk.submit(&wrong);
        }
    }
    let (pairs, head) = (desk.engine.log().read(0, 100).unwrap(), desk.engine.head().unwrap().to_string());
    (desk, pairs, head)
}

fn file(pairs: &[Pair], checkpoints: &[(usize, &str)]) -> Vec<u8> {
    let mut out = ama2sec_core::history::transcript::HEADER.to_vec();
    for (at, pair) in pairs.iter().enumerate() {
        checkpoints.iter().filter(|(place, _)| *place == at).for_each(|(_, text)| out.extend(checkpoint_item(text)));
        out.extend(pair_items(pair));
    }
    checkpoints
        .iter()
        .filter(|(place, _)| *place == pairs.len())
        .for_each(|(_, text)| out.extend(checkpoint_item(text)));
    out
}

#[test]
fn a_replay_names_the_first_fault() {
    let (desk, pairs, head) = realm_file();
    let all = pairs.len();
    let realm = desk.realm();
    let verified =
        replay(&file(&pairs, &[(all, &head)]), Expected { realm: Some(realm), ..Expected::default() }).unwrap();
    assert_eq!((verified.replica().records() as usize, verified.rejected(), verified.checkpoints()), (all, 1, 1));
    assert!(verified.is_realm_checked() && !verified.is_tail_checked());
    let broken = |change: fn(&mut Vec<Pair>)| {
        let mut pairs = pairs.clone();
        change(&mut pairs);
        replay(&file(&pairs, &[]), Expected::default()).map(|_| ()).unwrap_err()
    };
    assert_eq!(broken(|pairs| drop(pairs.remove(6))), (Code::RecordPosition, 6));
    assert_eq!(broken(|pairs| pairs.swap(6, 7)), (Code::RecordPosition, 6));
    assert_eq!(broken(|pairs| pairs[6].record.time -= 1), (Code::RecordTime, 6));
    assert_eq!(broken(|pairs| pairs[6].record.registry_size += 1), (Code::RecordRegistry, 6));
    assert_eq!(broken(|pairs| pairs[6].record.digest = [0; 32]), (Code::RecordDigest, 6));
    assert_eq!(broken(|pairs| pairs[6].record.id = [0; 32]), (Code::RecordDigest, 6));
    assert_eq!(broken(|pairs| pairs[6].record.prev -= 1), (Code::RecordPrev, 6));
    assert_eq!(broken(|pairs| pairs[6].record.code = 308), (Code::RecordVerdict, 6));
    assert_eq!(broken(|pairs| pairs[12].record.code = 308), (Code::RecordVerdict, 12));
    assert_eq!(broken(|pairs| pairs[6].record.home.index += 1), (Code::RecordVerdict, 6));
    assert_eq!(broken(|pairs| pairs[6].record.home.branch = [1; 32]), (Code::RecordVerdict, 6));
    assert_eq!(broken(|pairs| pairs[12].body = Some(([0; 32], Arc::from(vec![0; 3])))), (Code::BodyUnexpected, 12));
    assert_eq!(broken(|pairs| pairs[6].body = Some(([0; 32], Arc::from(vec![0; 3])))), (Code::BodyUnexpected, 6));
    let forged = |pairs: &mut Vec<Pair>| {
        let mut bytes = pairs[6].envelope.to_vec();
        let last = bytes.len() - 40;
        bytes[last] ^= 1;
        pairs[6].record.digest = ama2sec_core::realm::record::entry_digest(&bytes);
        pairs[6].envelope = bytes.into();
    };
    assert_eq!(broken(forged), (Code::SignatureInvalid, 6));
    // An entry played in twice, with a record of its own: the number was used.
    let again = |pairs: &mut Vec<Pair>| {
        let (last, mut pair) = (pairs.len() as u64, pairs[5].clone());
        pair.record = Record { position: last, time: START, registry_size: 2, prev: last, ..pair.record };
        pairs.push(pair);
    };
    assert_eq!(broken(again), (Code::RecordVerdict, all as u64));
    assert_eq!(broken(Vec::clear), (Code::OpenMissing, 0));
    let other = Expected { realm: Some([1; 32]), ..Expected::default() };
    assert_eq!(replay(&file(&pairs, &[]), other).map(|_| ()).unwrap_err(), (Code::RealmOther, 0));
}

#[test]
fn heads_in_a_transcript_and_heads_that_were_kept() {
    let (desk, pairs, head) = realm_file();
    let (all, sequencer, origin) = (pairs.len(), key(SEQUENCER), origin(&desk));
    let note = |size: u64, root: [u8; 32]| sign_checkpoint(&sequencer, &origin, &TreeHead { size, root }).unwrap();
    let root_at = |size: u64| desk.engine.with(|replica| replica.tree_head(size)).unwrap().root;
    let at = |place: usize, text: &str| {
        replay(&file(&pairs, &[(place, text)]), Expected::default()).map(|_| ()).map_err(|fault| fault.0)
    };
    // Behind what it is over, at once or later; not before; not of another tree, realm or key.
    assert_eq!(at(6, &note(6, root_at(6))), Ok(()));
    assert_eq!(at(9, &note(6, root_at(6))), Ok(()));
    assert_eq!(at(5, &note(6, root_at(6))), Err(Code::CheckpointStale));
    assert_eq!(at(0, &head), Err(Code::CheckpointKey));
    assert_eq!(at(1, &head), Err(Code::CheckpointStale));
    assert_eq!(at(9, &note(6, root_at(7))), Err(Code::CheckpointRoot));
    assert_eq!(at(all, &head[1..]), Err(Code::CheckpointOther));
    let forged = sign_checkpoint(&key(1), &origin, &TreeHead { size: 6, root: root_at(6) }).unwrap();
    assert_eq!(at(9, &forged), Err(Code::CheckpointKey));
    assert_eq!(at(9, "x"), Err(Code::CheckpointForm));
    let kept = |text: &str| {
        let expected = Expected { kept: Some(text.as_bytes().to_vec()), ..Expected::default() };
        replay(&file(&pairs, &[]), expected).map(|found| found.is_tail_checked()).map_err(|fault| fault.0)
    };
    assert_eq!(kept(&head), Ok(true));
    assert_eq!(kept(&note(6, root_at(6))), Ok(true));
    assert_eq!(kept(&note(6, root_at(7))), Err(Code::CheckpointForked));
    assert_eq!(kept(&note(all as u64 + 1, [1; 32])), Err(Code::CheckpointStale));
    assert_eq!(kept(&forged), Err(Code::CheckpointKey));
    // Items out of place.
    let mut bytes = file(&pairs[..2], &[]);
    let pair = pair_items(&pairs[2]);
    let record = 2 + 2 + 164 + 1;
    bytes.extend(&pair[..record - 1]);
    let fault = |bytes: &[u8]| replay(bytes, Expected::default()).map(|_| ()).unwrap_err();
    assert_eq!(fault(&bytes).0, Code::ItemForm);
    let mut two = bytes.clone();
    two.extend(checkpoint_item(&head));
    assert_eq!(fault(&two).0, Code::ItemForm);
    let mut entry = file(&pairs[..2], &[]);
    entry.extend(pairs[2].entry());
    assert_eq!(fault(&entry), (Code::ItemForm, 2));
    let mut proof = file(&pairs[..2], &[]);
    proof.extend([0x82, 4, 0x40]);
    assert_eq!(fault(&proof), (Code::ItemNotBuilt, 2));
}

#[test]
fn a_filtered_transcript_replays_and_shows_what_is_withheld() {
    let (desk, pairs, head) = realm_file();
    let bytes = exported(&desk, Some(&desk.chat));
    let expected = Expected { only: Some(desk.chat), realm: Some(desk.realm()), kept: Some(head.into_bytes()) };
    let verified = replay(&bytes, expected.clone()).unwrap();
    assert!(!verified.is_tail_checked() && verified.head().is_none());
    assert_eq!((verified.replica().records() as usize) + 1, pairs.len());
    let state = verified.replica().state();
    let whole = desk.engine.with(|replica| replica.state().conversation_digest(&desk.chat)).unwrap();
    assert_eq!(state.conversation_digest(&desk.chat).unwrap(), whole);
    let realm = desk.realm();
    let own: Vec<Pair> =
        pairs.iter().filter(|pair| [desk.chat, realm].contains(&pair.record.conversation)).cloned().collect();
    let fault = |pairs: &[Pair]| replay(&file(pairs, &[]), expected.clone()).map(|_| ()).unwrap_err();
    let without = |at: usize| {
        own.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, pair)| pair.clone()).collect::<Vec<_>>()
    };
    // A message that is withheld shows in the next record; a registry entry in its size.
    assert_eq!(fault(&without(6)), (Code::RecordPrev, 6));
    assert_eq!(fault(&without(1)), (Code::RecordRegistry, 1));
    assert_eq!(fault(&without(0)), (Code::RecordPosition, 0));
    assert_eq!(fault(&pairs), (Code::RecordVerdict, 8));
}

#[test]
fn a_registry_of_a_billion_entries_stops_nobody() {
    let mut desk = desk();
    let mut claims = claims_of(&desk.message());
    claims.context.registry_size = 1_000_000_000;
    let answer = desk.submit(&sign_claims(1, &claims));
    assert!(matches!(answer, Answer::Sequenced { error: Some(error), .. } if error.code == Code::ContextAhead));
    claims.seq.as_mut().unwrap().counter += 1;
    claims.context.registry_size = (1 << 48) - 1;
    assert!(matches!(desk.submit(&sign_claims(1, &claims)), Answer::Sequenced { error: Some(_), .. }));
    let bytes = desk.message();
    desk.counter += 5;
    desk.submit(&bytes);
    let bytes = desk.message();
    desk.record(&bytes);
}
