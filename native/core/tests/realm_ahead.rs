//! Signatures that are asked about before an entry's turn (log.2.3): what is answered, and with which of two faults, is the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "realm_desk/mod.rs"]
mod desk;
#[path = "realm_support/mod.rs"]
mod support;

use std::sync::Arc;
use std::thread;

use ama2sec_core::errors::{Code, Error, Result};
use ama2sec_core::identity::{Enrolled, Purpose};
use ama2sec_core::message::{BodyClaim, BodyPart, Keys, Proposal, UnverifiedEnvelope, commitment};
use ama2sec_core::realm::draft::{Parts, draft_fork};
use ama2sec_core::realm::engine::{Answer, Engine, Submission};
use ama2sec_core::realm::log::MemoryLog;
use ama2sec_core::realm::{Limits, Start};
use desk::Desk;
use support::*;

/// One key for whatever is asked, or none.
struct Always(Option<Arc<Enrolled>>);

impl Keys for Always {
    fn signer(&self, _: &UnverifiedEnvelope) -> Result<Arc<Enrolled>> {
        self.0.clone().ok_or_else(|| Error::new(Code::KeyUnknown, "a key", "none"))
    }
}

fn enrolled(seed: u16) -> Arc<Enrolled> {
    Arc::new(Enrolled {
        name: name(&format!("key-{seed}")),
        purpose: Purpose::Message,
        key: key(seed).public().clone(),
    })
}

fn desk() -> Desk<Arc<MemoryLog>> {
    Desk::new(Arc::new(MemoryLog::new()), Limits::NONE)
}

/// The same realm behind an engine that has not seen anybody's key yet.
fn cold(desk: &Desk<Arc<MemoryLog>>) -> Engine<Arc<MemoryLog>> {
    Engine::load(Arc::clone(desk.engine.log()), key(SEQUENCER), &desk.realm(), Limits::NONE, Start::Quick).unwrap()
}

#[test]
fn an_answer_counts_under_the_key_that_was_asked_about_and_under_no_other() {
    let bytes = desk().message();
    let ask = |bytes: &[u8], seed| UnverifiedEnvelope::parse(bytes).unwrap().ask_ahead(enrolled(seed));
    let under = |seed: Option<u16>| Always(seed.map(enrolled));
    let code = |asked: &ama2sec_core::message::AskedAhead, seed| {
        asked.authenticate(&under(seed)).map(drop).map_err(|fault| fault.code)
    };

    let right = ask(&bytes, 1);
    assert_eq!(code(&right, Some(1)), Ok(()));
    assert_eq!(code(&right, Some(2)), Err(Code::SignatureInvalid));
    assert_eq!(code(&right, None), Err(Code::KeyUnknown));
    // Asked about the wrong key: no loss for who has the right one.
    let wrong = ask(&bytes, 2);
    assert_eq!(wrong.answer().map(drop).map_err(|fault| fault.code), Err(Code::SignatureInvalid));
    assert_eq!(code(&wrong, Some(1)), Ok(()));
    assert_eq!(code(&wrong, Some(2)), Err(Code::SignatureInvalid));
    // A key that is not known comes before a signature that is wrong.
    assert_eq!(code(&ask(&spoilt(&bytes), 1), None), Err(Code::KeyUnknown));
    // It is the enrolment of its turn that is found in it.
    let later = Enrolled { name: name("later"), purpose: Purpose::Message, key: key(1).public().clone() };
    let sender = right.authenticate(&Always(Some(Arc::new(later))));
    assert_eq!(sender.unwrap().sender().name, name("later"));
}

/// With another last byte of the signature.
fn spoilt(bytes: &[u8]) -> Vec<u8> {
    let mut spoilt = bytes.to_vec();
    *spoilt.last_mut().unwrap() ^= 1;
    spoilt
}

/// A message of the desk with all of these faults.
fn with_faults(desk: &mut Desk<Arc<MemoryLog>>, faults: &[Code]) -> Vec<u8> {
    let mut claims = claims_of(&desk.message());
    let has = |code| faults.contains(&code);
    if has(Code::RealmOther) {
        claims.realm = [7; 32];
    }
    if has(Code::BodyMissing) {
        claims.body = Some(BodyClaim { commitment: [8; 32], size: 5, media_type: "text/plain".into() });
    }
    if has(Code::ConversationUnknown) {
        (claims.conversation, claims.branch) = ([9; 32], [9; 32]);
    }
    let bytes = sign_claims(if has(Code::KeyUnknown) { 77 } else { 1 }, &claims);
    if has(Code::SignatureInvalid) { spoilt(&bytes) } else { bytes }
}

fn refused(answer: &Answer) -> Option<Code> {
    match answer {
        Answer::Refused(error) => Some(error.code),
        Answer::Sequenced { error: None, .. } => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_two_faults_the_earlier_one_is_told_whatever_was_known_before() {
    let steps =
        [Code::KeyUnknown, Code::SignatureInvalid, Code::RealmOther, Code::BodyMissing, Code::ConversationUnknown];
    let mut desk = desk();
    // The engine has seen the key of sales by now, and asks before the turn.
    let first = desk.message();
    desk.record(&first);
    for (at, earlier) in steps.iter().enumerate() {
        for later in &steps[at..] {
            let bytes = with_faults(&mut desk, &[*earlier, *later]);
            let entry = Submission { envelope: &bytes, body: None };
            let warm = desk.engine.submit(entry, START).unwrap();
            let alone = cold(&desk).submit(entry, START).unwrap();
            let many = desk.engine.submit_many(&[entry, entry], START).unwrap();
            let all: Vec<_> = [&warm, &alone].into_iter().chain(&many).map(refused).collect();
            assert_eq!(all, vec![Some(*earlier); 4], "{earlier:?} and {later:?}");
        }
    }
}

#[test]
fn many_senders_at_once_each_get_the_answer_that_they_get_alone() {
    let mut desk = desk();
    let sound: Vec<Vec<u8>> = (0..64).map(|_| desk.message()).collect();
    let cases: Vec<(Vec<u8>, Option<Code>)> = sound
        .iter()
        .enumerate()
        .map(|(number, bytes)| match number % 4 {
            0 => (spoilt(bytes), Some(Code::SignatureInvalid)),
            1 => (sign_claims(77, &claims_of(bytes)), Some(Code::KeyUnknown)),
            _ => (bytes.clone(), None),
        })
        .collect();
    let engine = &desk.engine;
    // One after the other in each thread, so that the numbers of their author rise; threads take turns as they come.
    let answers: Vec<Vec<Option<Code>>> = thread::scope(|scope| {
        let hand_in = |wanted: fn(usize) -> bool| {
            let mine = cases.iter().enumerate().filter(move |(number, _)| wanted(*number));
            mine.map(|(_, (bytes, _))| {
                refused(&engine.submit(Submission { envelope: bytes, body: None }, START).unwrap())
            })
            .collect::<Vec<_>>()
        };
        let threads = [
            scope.spawn(move || hand_in(|number| number % 4 == 0)),
            scope.spawn(move || hand_in(|number| number % 4 == 1)),
            scope.spawn(move || hand_in(|number| number % 4 > 1)),
        ];
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers, vec![vec![Some(Code::SignatureInvalid); 16], vec![Some(Code::KeyUnknown); 16], vec![None; 32]]);
}

#[test]
fn what_became_of_a_key_meanwhile_is_what_counts() {
    let mut desk = desk();
    let first = desk.message();
    desk.record(&first);
    let before = desk.message();
    desk.propose(root(0), Proposal::Revoke { agent: desk.sales.agent, suspect_from: None, reason: "left".into() });
    let rejected = |answer: Answer| match answer {
        Answer::Sequenced { error: Some(error), .. } => error.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(rejected(desk.submit(&before)), Code::PrincipalRevoked);
}

#[test]
fn the_key_of_a_child_is_known_in_its_conversation_alone() {
    let mut desk = desk();
    let (chat, realm, elsewhere) = (desk.chat, desk.realm(), desk.open().id);
    let parts = desk.parts();
    let fork = desk.bytes(desk.sales, |author, state| {
        draft_fork(author, &parts, &state.seen(state.seen_registry(2)?, &chat, &chat, 1)?, Some(grant(realm, 9)))
    });
    let child = Who { seed: 9, agent: desk.record(&fork).id, grant: Some(id_of(&fork)) };
    let say = |desk: &Desk<Arc<MemoryLog>>, parts: &Parts<'_>| {
        desk.bytes(child, |author, state| {
            let seen = state.seen(state.seen_registry(2)?, &chat, &child.agent, 2)?;
            ama2sec_core::realm::draft::draft_message(author, parts, &seen, vec![])
        })
    };
    for _ in 0..2 {
        let parts = desk.parts();
        let said = say(&desk, &parts);
        desk.record(&said);
    }
    // Its key has come before by now: a guess, and not an answer.
    let parts = desk.parts();
    let mut claims = claims_of(&say(&desk, &parts));
    claims.conversation = elsewhere;
    assert_eq!(refused(&desk.submit(&sign_claims(9, &claims))), Some(Code::KeyUnknown));
}

#[test]
fn a_body_is_judged_at_its_step_and_kept_as_it_was_handed_in() {
    let mut desk = desk();
    let (salt, body) = ([3; 32], b"seven of them".as_slice());
    let say = |desk: &mut Desk<Arc<MemoryLog>>, given: Option<(&[u8], &[u8])>| {
        let mut claims = claims_of(&desk.message());
        claims.body = Some(BodyClaim {
            commitment: commitment(&salt, body),
            size: body.len() as u64,
            media_type: "text/plain".into(),
        });
        let bytes = sign_claims(1, &claims);
        let body = given.map(|(salt, body)| BodyPart { salt, body });
        refused(&desk.engine.submit(Submission { envelope: &bytes, body }, START).unwrap())
    };
    assert_eq!(say(&mut desk, None), Some(Code::BodyMissing));
    assert_eq!(say(&mut desk, Some((&salt, b"seven of those"))), Some(Code::BodySize));
    assert_eq!(say(&mut desk, Some((&salt, b"eight of them"))), Some(Code::BodyMismatch));
    assert_eq!(say(&mut desk, Some((&[4; 32], body))), Some(Code::BodyMismatch));
    assert_eq!(say(&mut desk, Some((&salt, body))), None);
    let last = desk.engine.entries(0, 100).unwrap().pop().unwrap();
    assert!(matches!(last.body, ama2sec_core::message::Body::Present { body: kept, .. } if *kept == *body));
}
