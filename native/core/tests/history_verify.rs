//! Each step of fingerprint.6 with its twin that passes, and the same verdict however the bytes arrive.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "history_support/mod.rs"]
mod support;

use ama2sec_core::errors::{Code, Result};
use ama2sec_core::history::accumulator::{Scope, fingerprints};
use ama2sec_core::history::conversation::ConversationState;
use ama2sec_core::history::head::Head;
use ama2sec_core::history::keeper::Keeper;
use ama2sec_core::history::nodes::{FileNodes, MemoryNodes, NodeStore};
use ama2sec_core::history::report::{Report, Verified};
use ama2sec_core::history::transcript::HEADER;
use ama2sec_core::history::verify::{Failure, TranscriptVerifier};
use ama2sec_core::identity::Directory;
use ama2sec_core::message::{Seq, UnverifiedEnvelope};
use std::io::Cursor;
use support::*;

fn verify_with<S: NodeStore>(
    bytes: &[u8],
    directory: &Directory,
    head: Option<Head>,
    store: S,
    window: usize,
    mut chunk: impl FnMut() -> usize,
) -> std::result::Result<Verified, Box<Report>> {
    let mut verifier = TranscriptVerifier::with_window(directory, head, store, window);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (now, behind) = rest.split_at(chunk().min(rest.len()));
        verifier.feed(now).unwrap();
        rest = behind;
    }
    match verifier.finish() {
        Ok(verified) => Ok(verified),
        Err(Failure::Fault(fault)) => Err(Box::new(fault.report)),
        Err(Failure::Broken(error)) => panic!("{error}"),
    }
}

fn verify(bytes: &[u8], head: Option<Head>) -> std::result::Result<Verified, Box<Report>> {
    verify_with(bytes, &directory(), head, MemoryNodes::default(), 4096, || usize::MAX)
}

/// One by one, without batches and without a window: the twin.
fn verify_plainly(entries: &[Vec<u8>]) -> (usize, Option<Code>) {
    let directory = directory();
    let mut state = ConversationState::new(MemoryNodes::default());
    for (position, item) in entries.iter().enumerate() {
        let judged: Result<()> = (|| {
            let entry = ama2sec_core::message::parse_entry(item)?;
            let verified = UnverifiedEnvelope::parse(entry.envelope)?.verify(&directory, entry.body)?;
            let admittable = state.check(&verified)?;
            state.apply(admittable)
        })();
        if let Err(error) = judged {
            return (position, Some(error.code));
        }
    }
    (entries.len(), None)
}

fn head_of(entries: &[Made]) -> Head {
    let ids = ids(entries);
    let size = ids.len();
    Head { size: size as u64, fingerprint: fingerprints(&Scope::of_file(ids[0]), &ids).unwrap()[size] }
}

fn code(bytes: &[u8]) -> (Code, u64) {
    let report = verify(bytes, None).unwrap_err();
    assert_eq!(report.sound, report.first_fault.position);
    (report.first_fault.error.code, report.first_fault.position)
}

#[test]
fn a_sound_conversation_verifies() {
    let entries = conversation(60, 5, 6, 3);
    let verified = verify(&file(&entries), None).unwrap();
    assert_eq!(verified.head.head, head_of(&entries));
    assert_eq!((verified.entries, verified.authors, verified.tail_checked), (60, 5, false));
    let lag = entries.iter().enumerate().map(|(i, entry)| i as u64 - entry.n).max().unwrap();
    assert_eq!(verified.lag, lag);
    let verified = verify(&file(&entries), Some(head_of(&entries))).unwrap();
    assert!(verified.tail_checked);
    assert!(verify(&file(&entries), Some(head_of(&entries[..17]))).unwrap().tail_checked);
}

#[test]
fn pieces_windows_and_stores_do_not_change_the_verdict() {
    let mut entries = conversation(90, 5, 80, 3);
    let mut random = Random(8);
    for broken in [false, true] {
        if broken {
            entries.remove(70);
        }
        let bytes = file(&entries);
        let expected = verify(&bytes, None);
        let verdict = |found: &std::result::Result<Verified, Box<Report>>| match found {
            Ok(verified) => (verified.entries, verified.lag, None),
            Err(report) => (report.sound, report.lag, Some(report.first_fault.clone())),
        };
        for window in [1, 2, 9, 4096] {
            let store = FileNodes::new(Cursor::new(Vec::new()), window);
            let found = verify_with(&bytes, &directory(), None, store, window, || random.below(900) as usize + 1);
            assert_eq!(verdict(&found), verdict(&expected), "window {window}");
        }
        let found = verify_with(&bytes, &directory(), None, MemoryNodes::default(), 4096, || 1);
        assert_eq!(found, expected);
    }
}

#[test]
fn first_the_open() {
    let entries = conversation(6, 3, 1, 1);
    assert_eq!(code(&file(&[])), (Code::OpenMissing, 0));
    assert_eq!(code(&file(&entries[1..])), (Code::OpenMissing, 0));
    let mut twice = entries.clone();
    twice.insert(3, open(1, None, 77));
    assert_eq!(code(&file(&twice)), (Code::OpenAgain, 3));
    twice[3] = entries[0].clone();
    assert_eq!(code(&file(&twice)), (Code::OpenAgain, 3));
}

#[test]
fn members_only() {
    let first = open(0, members(0..3), 1);
    let ids = [first.id];
    for (author, expected) in
        [(0, None), (1, None), (2, None), (3, Some(Code::NotAMember)), (5, Some(Code::NotAMember))]
    {
        let next = message(author, &ids, 1, seq(author, 1), 1);
        let found = verify(&file(&[first.clone(), next]), None);
        assert_eq!(found.err().map(|report| report.first_fault.error.code), expected, "{author}");
    }
    // Everyone enrolled, and an author of the open who is not in its own list.
    let first = open(0, None, 1);
    let next = message(5, &[first.id], 1, seq(5, 1), 1);
    assert!(verify(&file(&[first, next]), None).is_ok());
    assert_eq!(code(&file(&[open(4, members(0..3), 1)])), (Code::NotAMember, 0));
    // A name is the verifier's own: under another directory the same list lets somebody else in.
    let first = open(0, members(0..2), 1);
    let next = message(1, &[first.id], 1, seq(1, 1), 1);
    let mut other = Directory::default();
    for (author, name) in [(0, "alice"), (1, "robert"), (2, "bob")] {
        let name = ama2sec_core::identity::Name::parse(name).unwrap();
        other.enrol(key(author).public().clone(), name, ama2sec_core::identity::Purpose::Message).unwrap();
    }
    let bytes = file(&[first, next]);
    let found = verify_with(&bytes, &other, None, MemoryNodes::default(), 10, || 50).unwrap_err();
    assert_eq!(found.first_fault.error.code, Code::NotAMember);
}

#[test]
fn numbers_rise_and_do_not_jump() {
    let first = open(0, None, 1);
    let ids = [first.id];
    let at = |epoch: u64, counter: u32| Seq { epoch, counter };
    let cases: [(Seq, Seq, Option<Code>); 10] = [
        (at(5, 5), at(5, 6), None),
        (at(5, 5), at(6, 0), None),
        (at(5, 5), at(5, 5), Some(Code::SeqUsed)),
        (at(5, 5), at(5, 4), Some(Code::SeqUsed)),
        (at(5, 5), at(4, 9), Some(Code::SeqUsed)),
        (at(5, 5), at(5, 5 + 65536), None),
        (at(5, 5), at(5, 6 + 65536), Some(Code::SeqWindow)),
        (at(5, 5), at(6, 65536), None),
        (at(5, 5), at(6, 65537), Some(Code::SeqWindow)),
        (at(5, 65536), at(5, 131_072), None),
    ];
    for (one, two, expected) in cases {
        let bytes = file(&[first.clone(), message(1, &ids, 1, one, 1), message(1, &ids, 1, two, 2)]);
        let found = verify(&bytes, None);
        assert_eq!(found.err().map(|report| report.first_fault.error.code), expected, "{one:?} {two:?}");
    }
    let bytes = file(&[first, message(1, &ids, 1, at(1, 65537), 1)]);
    assert_eq!(code(&bytes), (Code::SeqWindow, 1));
}

#[test]
fn every_claim_about_the_history_is_held_against_it() {
    let entries = conversation(5, 3, 0, 1);
    let ids = ids(&entries);
    let good = claims(1, &ids, 5, seq(1, 90), 90);
    let add = |claims: &ama2sec_core::message::Claims| {
        let mut all = entries.clone();
        all.push(made(1, sign(1, claims), None));
        verify(&file(&all), None).err().map(|report| report.first_fault.error.code)
    };
    assert_eq!(add(&good), None);
    let mut bad = good.clone();
    bad.conversation = [9; 32];
    bad.branch = [9; 32];
    assert_eq!(add(&bad), Some(Code::ConversationOther));
    let mut bad = good.clone();
    bad.branch = [9; 32];
    assert_eq!(add(&bad), Some(Code::BranchUnknown));
    let mut bad = good.clone();
    bad.context.size = 6;
    assert_eq!(add(&bad), Some(Code::ContextAhead));
    bad.context.size = 4;
    assert_eq!(add(&bad), Some(Code::ContextForked));
    let mut bad = good.clone();
    bad.parent = Some(ids[3]);
    assert_eq!(add(&bad), Some(Code::ContextForked));
    let mut bad = good.clone();
    bad.context.fingerprint[31] ^= 1;
    assert_eq!(add(&bad), Some(Code::ContextForked));
    let mut bad = good.clone();
    bad.merges = vec![merge([8; 32])];
    assert_eq!(add(&bad), Some(Code::MergeNotBuilt));
    bad.context.fingerprint[0] ^= 1;
    assert_eq!(add(&bad), Some(Code::ContextForked), "the merge is looked at last");
}

#[test]
fn heads_that_were_kept() {
    let entries = conversation(20, 3, 2, 4);
    let bytes = file(&entries);
    let fault = |bytes: &[u8], head: Head| {
        let report = verify(bytes, Some(head)).unwrap_err();
        (report.first_fault.error.code, report.first_fault.position, report.sound, report.entries_read)
    };
    let mut forked = head_of(&entries[..8]);
    forked.fingerprint[3] ^= 1;
    assert_eq!(fault(&bytes, forked), (Code::HeadForked, 7, 7, 20));
    forked.size = 20;
    assert_eq!(fault(&bytes, forked), (Code::HeadForked, 19, 19, 20));
    let head = head_of(&entries);
    assert_eq!(fault(&file(&entries[..15]), head), (Code::HeadStale, 15, 15, 15));
    assert_eq!(fault(&file(&[]), head), (Code::OpenMissing, 0, 0, 0));
    // A fault of an earlier entry comes first, one of a later entry does not.
    let mut dropped = entries.clone();
    dropped.remove(5);
    let report = verify(&file(&dropped), Some(head)).unwrap_err();
    assert!(matches!(report.first_fault.error.code, Code::ContextAhead | Code::ContextForked));
    let mut late = entries.clone();
    late.push(entries[19].clone());
    assert_eq!(verify(&file(&late), Some(forked)).unwrap_err().first_fault.error.code, Code::HeadForked);
}

#[test]
fn batches_say_what_single_verification_says() {
    let entries = conversation(40, 5, 4, 6);
    let mut random = Random(99);
    for _ in 0..120 {
        let mut items: Vec<Vec<u8>> = entries.iter().map(|entry| entry.item.clone()).collect();
        for _ in 0..=random.below(2) {
            let broken = random.below(items.len() as u64) as usize;
            match random.below(4) {
                0 => drop(items.remove(broken)),
                1 => items.swap(broken, (broken + 1) % 38),
                2 => items.insert(broken, entries[random.below(40) as usize].item.clone()),
                _ => {
                    let at = random.below(items[broken].len() as u64) as usize;
                    items[broken][at] ^= 1 << random.below(8);
                }
            }
        }
        let bytes = [&ama2sec_core::history::transcript::HEADER[..], &items.concat()].concat();
        let found = verify(&bytes, None);
        // Where an item's own CBOR breaks, the pieces of a list are not those of a file.
        let whole = items.iter().all(|item| ama2sec_core::message::codec::check_item(item, false).is_ok());
        if whole {
            let (position, code) = verify_plainly(&items);
            let found = found.err().map(|report| (report.first_fault.position, report.first_fault.error.code));
            let expected = code.map(|code| (position as u64, code));
            let item_code = |code| matches!(code, Code::ItemUnknown | Code::ItemNotBuilt | Code::ItemForm);
            match (found, expected) {
                (Some((at, got)), Some((position, Code::ItemForm))) => assert!(at == position && item_code(got)),
                _ => assert_eq!(found, expected),
            }
        }
    }
}

#[test]
fn memory_is_bounded_by_window_and_batch() {
    let entries = conversation(300, 3, 10, 5);
    let bytes = file(&entries);
    let directory = directory();
    let store = FileNodes::new(Cursor::new(Vec::new()), 16);
    let mut verifier = TranscriptVerifier::with_window(&directory, None, store, 16);
    for chunk in bytes.chunks(777) {
        verifier.feed(chunk).unwrap();
        let (held, entries) = verifier.held();
        assert!(entries <= 16 + 512 && held <= (2 << 20) + (4 << 20) + 2 * 328_064);
    }
    assert_eq!(verifier.finish().unwrap().entries, 300);
}

#[test]
fn a_full_disk_is_no_verdict() {
    struct Full;
    impl NodeStore for Full {
        fn push(&mut self, _: &[u8; 32]) -> Result<()> {
            Err(ama2sec_core::errors::Error::new(Code::WriteFailed, "room", "none"))
        }
        fn node(&mut self, _: u64) -> Result<[u8; 32]> {
            Ok([0; 32])
        }
        fn truncate(&mut self, _: u64) -> Result<()> {
            Ok(())
        }
    }
    let directory = directory();
    let mut verifier = TranscriptVerifier::new(&directory, None, Full);
    verifier.feed(&file(&conversation(3, 2, 0, 1))).unwrap();
    match verifier.finish() {
        Err(Failure::Broken(error)) => assert_eq!(error.code, Code::WriteFailed),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_state_admits_one_entry_after_the_other() {
    let entries = conversation(10, 3, 2, 1);
    let directory = directory();
    let mut state = ConversationState::new(MemoryNodes::default());
    assert_eq!(state.head().unwrap(), None);
    let verified = |made: &Made| UnverifiedEnvelope::parse(&made.envelope).unwrap().verify(&directory, None).unwrap();
    for (i, entry) in entries.iter().enumerate() {
        let envelope = verified(entry);
        let stale = state.check(&envelope).unwrap();
        let now = state.check(&envelope).unwrap();
        assert_eq!((now.index(), *now.id()), (i as u64, entry.id));
        state.apply(now).unwrap();
        // A check against an older state admits nothing.
        assert_eq!(state.apply(stale).unwrap_err().code, Code::Internal);
        assert_eq!(state.head().unwrap().unwrap().head, head_of(&entries[..=i]));
    }
    assert_eq!(state.check(&verified(&entries[4])).unwrap_err().code, Code::SeqUsed);
    assert_eq!(state.head_at(4).unwrap().unwrap().head, head_of(&entries[..4]));
    let author = entries[9].author;
    assert_eq!(state.last_seq(key(author).public().thumbprint()), Some(seq(author, 9)));
}

#[test]
fn a_keeper_knows_which_entries_are_there_and_how_long_the_file_is() {
    let entries = conversation(10, 3, 2, 1);
    let directory = directory();
    let mut keeper = Keeper::new(MemoryNodes::default());
    let verified = |made: &Made| UnverifiedEnvelope::parse(&made.envelope).unwrap().verify(&directory, None).unwrap();
    let mut bytes = HEADER.len();
    for entry in &entries {
        assert_eq!(keeper.length(), bytes as u64);
        let admittable = keeper.check(&verified(entry)).unwrap().unwrap();
        keeper.apply(admittable, entry.envelope.len()).unwrap();
        bytes += entry.envelope.len();
        // The same again is there; it changes nothing.
        assert!(keeper.check(&verified(entry)).unwrap().is_none());
    }
    assert_eq!((keeper.length(), keeper.state().size()), (bytes as u64, 10));
    // Another message under an old number is none of them.
    let other = conversation(10, 3, 2, 2);
    assert_eq!(keeper.check(&verified(&other[0])).unwrap_err().code, Code::OpenAgain);
}
