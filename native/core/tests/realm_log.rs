//! The log in a file: the suite, the same history as in memory, an owner who edits the file, several engines on one file, erasure.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "realm_desk/mod.rs"]
mod desk;
mod log_suite;
#[path = "realm_support/mod.rs"]
mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use ama2sec_core::errors::{Code, Result};
use ama2sec_core::history::sha_tree::{TreeHead, rfc6962_leaf, rfc6962_root};
use ama2sec_core::identity::Purpose;
use ama2sec_core::message::{BodyPart, Id, Kind, Proposal};
use ama2sec_core::realm::checkpoint::sign_checkpoint;
use ama2sec_core::realm::draft::{Parts, draft_approval};
use ama2sec_core::realm::engine::{Answer, Engine, Submission};
use ama2sec_core::realm::log::{Durability, Log, MemoryLog, Pair, Source, SqliteFile, SqliteLog};
use ama2sec_core::realm::record::entry_digest;
use ama2sec_core::realm::{Limits, Start, State};
use desk::{Desk, exported};
use rusqlite::Connection;
use support::*;
use tempfile::TempDir;

/// A folder, and files in it that nobody has used before.
struct Files {
    folder: TempDir,
    made: AtomicU32,
}

impl Files {
    fn new() -> Files {
        Files { folder: TempDir::new().unwrap(), made: AtomicU32::new(0) }
    }

    fn next(&self) -> PathBuf {
        self.folder.path().join(format!("{}.db", self.made.fetch_add(1, Ordering::SeqCst)))
    }

    fn log(&self, durability: Durability) -> SqliteLog {
        SqliteLog::create(&self.next(), durability).unwrap()
    }
}

fn code<T>(outcome: Result<T>) -> Code {
    outcome.map(|_| ()).unwrap_err().code
}

fn load(path: &Path, realm: &Id) -> Result<Engine<SqliteLog>> {
    started(path, realm, Start::Quick)
}

fn started(path: &Path, realm: &Id, start: Start) -> Result<Engine<SqliteLog>> {
    Engine::load(SqliteLog::open(path, None)?, key(SEQUENCER), realm, Limits::default(), start)
}

/// A realm in a file with a story of nine records, one of them rejected.
fn told(path: &Path) -> Desk<SqliteLog> {
    let mut desk = Desk::new(SqliteLog::create(path, Durability::Normal).unwrap(), Limits::default());
    tell(&mut desk);
    desk
}

fn tell<L: Log>(desk: &mut Desk<L>) {
    for body in [b"first".as_slice(), b"second", b"third"] {
        let body = BodyPart { salt: &[3; 32], body };
        let parts = Parts { body: Some((body, "text/plain")), ..desk.parts() };
        let bytes = desk.message_of(&parts);
        let answer = desk.engine.submit(Submission { envelope: &bytes, body: Some(body) }, START).unwrap();
        assert!(matches!(answer, Answer::Sequenced { error: None, .. }), "{answer:?}");
    }
    desk.counter -= 1;
    let again = desk.message();
    assert!(matches!(desk.submit(&again), Answer::Sequenced { error: Some(error), .. } if error.code == Code::SeqUsed));
    let other = desk.open();
    let last = desk.message();
    desk.record(&last);
    assert_ne!(other.id, desk.chat);
}

#[test]
fn a_file_does_what_every_log_must_do() {
    let files = Files::new();
    for durability in [Durability::Full, Durability::Normal] {
        log_suite::all(|| files.log(durability));
        log_suite::turns(|| files.log(durability));
        log_suite::all(|| -> Arc<dyn Log> { Arc::new(files.log(durability)) });
    }
}

#[test]
fn what_was_written_is_there_after_the_file_was_closed() {
    let files = Files::new();
    let path = files.next();
    let mut kept = told(&path);
    let mut memory = Desk::new(MemoryLog::new(), Limits::default());
    tell(&mut memory);
    assert_eq!(exported(&kept, None), exported(&memory, None));
    let (realm, head) = (kept.realm(), kept.engine.head().unwrap());
    kept.engine = load(&path, &realm).unwrap();
    assert_eq!(kept.engine.head().unwrap(), head);
    kept.engine.check_kept(head.as_bytes()).unwrap();
    let (digest, chat) = (|state: &ama2sec_core::realm::State, chat: &Id| state.conversation_digest(chat), kept.chat);
    assert_eq!(
        kept.engine.with(|replica| digest(replica.state(), &chat)).unwrap(),
        memory.engine.with(|replica| digest(replica.state(), &chat)).unwrap()
    );
    // Both go on alike.
    let bytes = kept.message();
    assert_eq!((kept.record(&bytes), kept.engine.head().unwrap()), {
        let bytes = memory.message();
        (memory.record(&bytes), memory.engine.head().unwrap())
    });
    assert_eq!(code(load(&path, &[7; 32])), Code::RealmOther);
    let again = Engine::create(SqliteLog::open(&path, None).unwrap(), key(SEQUENCER), &[], START, Limits::NONE);
    assert_eq!(code(again), Code::LogConflict);
}

#[test]
fn nobody_else_can_read_or_lock_what_is_made() {
    let files = Files::new();
    let path = files.next();
    let _desk = told(&path);
    let backup = files.next();
    SqliteFile::open(&path).unwrap().backup(&backup).unwrap();
    assert_eq!(code(SqliteFile::open(&path).unwrap().backup(&backup)), Code::FileExists);
    let listed: Vec<_> = std::fs::read_dir(files.folder.path()).unwrap().map(|file| file.unwrap()).collect();
    assert_eq!(listed.len(), 7, "{listed:?}");
    for file in listed {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[test]
fn what_is_no_realm_file_is_named() {
    let files = Files::new();
    let path = files.next();
    assert_eq!(code(SqliteLog::open(&path, None)), Code::FileUnreadable);
    assert_eq!(code(SqliteLog::open(files.folder.path(), None)), Code::FileUnreadable);
    assert_eq!(code(SqliteLog::create(&files.folder.path().join("no/folder.db"), Durability::Full)), Code::LogReadOnly);
    std::fs::write(&path, b"not a database, and long enough to be looked at ................................").unwrap();
    assert_eq!(code(SqliteLog::open(&path, None)), Code::LogForm);
    assert_eq!(code(SqliteLog::create(&path, Durability::Full)), Code::FileExists);
    let made = files.log(Durability::Full);
    let path = made.path().to_owned();
    assert_eq!(made.durability(), Some(Durability::Full));
    assert_eq!(code(SqliteLog::open(&path, Some(Durability::Normal))), Code::ArgumentRange);
    assert!(SqliteLog::open(&path, Some(Durability::Full)).is_ok());
    drop(made);
    for (edit, expected) in [
        ("UPDATE meta SET value = 'never'", Code::LogForm),
        ("DELETE FROM meta", Code::LogForm),
        ("DROP TABLE meta", Code::LogFailed),
        ("PRAGMA user_version = 2", Code::LogVersion),
        ("PRAGMA application_id = 1", Code::LogForm),
    ] {
        Connection::open(&path).unwrap().execute_batch(edit).unwrap();
        assert_eq!(code(SqliteLog::open(&path, None)), expected, "{edit}");
    }
    assert_eq!(code(Durability::parse("never")), Code::ArgumentRange);
}

/// Everything that the owner of a file may try, and what a replay says of it; with what a kept head says where nothing else does.
#[test]
fn whoever_edits_the_file_is_found_out() {
    let files = Files::new();
    let first = files.next();
    let desk = told(&first);
    let (realm, head) = (desk.realm(), desk.engine.head().unwrap());
    let early = files.next();
    drop(desk);
    // The same realm when it was younger, with the head that it had then.
    let checkpoint = {
        let young = Desk::new(SqliteLog::create(&early, Durability::Normal).unwrap(), Limits::default());
        young.engine.head().unwrap()
    };
    let cases: [(&str, Code); 15] = [
        ("DELETE FROM record WHERE position = 4", Code::RecordPosition),
        ("DELETE FROM envelope WHERE position = 4", Code::RecordPosition),
        ("DELETE FROM record WHERE position = 8", Code::CheckpointStale),
        ("DELETE FROM record", Code::RealmOther),
        ("UPDATE record SET record = zeroblob(164) WHERE position = 3", Code::RecordForm),
        ("UPDATE record SET record = zeroblob(3) WHERE position = 3", Code::RecordForm),
        (
            "UPDATE envelope SET envelope = (SELECT envelope FROM envelope WHERE position = 5) WHERE position = 4",
            Code::RecordDigest,
        ),
        ("UPDATE envelope SET envelope = zeroblob(0) WHERE position = 4", Code::RecordDigest),
        ("UPDATE body SET body = x'00' WHERE position = 3", Code::BodySize),
        ("UPDATE body SET body = x'7468697265' WHERE position = 3", Code::BodyMismatch),
        ("UPDATE body SET salt = zeroblob(32) WHERE position = 3", Code::BodyMismatch),
        ("UPDATE body SET salt = zeroblob(31) WHERE position = 3", Code::LogForm),
        ("INSERT INTO body VALUES (6, zeroblob(32), x'00')", Code::BodyUnexpected),
        ("DELETE FROM checkpoint", Code::CheckpointForm),
        ("UPDATE checkpoint SET note = 'mine'", Code::CheckpointForm),
    ];
    for (edit, expected) in cases {
        let copy = files.next();
        copy_of(&first, &copy);
        assert_ne!(Connection::open(&copy).unwrap().execute(edit, []).unwrap(), 0, "{edit}");
        for start in [Start::Quick, Start::Full] {
            assert_eq!(code(started(&copy, &realm, start)), expected, "{edit}");
        }
    }
    // Field by field, each byte of the fifth record: time, registry's size, digest, id, conversation, home, prev, code.
    let connection = Connection::open(&first).unwrap();
    let record: Vec<u8> =
        connection.query_row("SELECT record FROM record WHERE position = 4", [], |row| row.get(0)).unwrap();
    drop(connection);
    let copy = files.next();
    copy_of(&first, &copy);
    for at in 0..record.len() {
        let mut bent = record.clone();
        bent[at] ^= 1;
        let put = "UPDATE record SET record = ?1 WHERE position = 4";
        Connection::open(&copy).unwrap().execute(put, [&bent]).unwrap();
        let found = code(load(&copy, &realm));
        // A code makes it a rejected entry, which has no body.
        let named =
            found.as_str().starts_with("Record") || matches!(found, Code::CheckpointRoot | Code::BodyUnexpected);
        assert!(named, "byte {at}: {found:?}");
    }
    // A tail that was cut off together with its head, or an older copy: the file is whole, and the head that was kept says it.
    let cut = load(&early, &realm).unwrap();
    cut.check_kept(checkpoint.as_bytes()).unwrap();
    assert_eq!(code(cut.check_kept(head.as_bytes())), Code::CheckpointStale);
    // A copy that goes on by itself: two heads, and neither begins with the other.
    let clone = files.next();
    copy_of(&early, &clone);
    let mut fork = Desk { engine: load(&clone, &realm).unwrap(), ..remembered(&early, &realm) };
    for _ in 0..9 {
        let bytes = fork.message();
        fork.record(&bytes);
    }
    assert_eq!(code(fork.engine.check_kept(head.as_bytes())), Code::CheckpointForked);
}

/// Every signature of a file, bit by bit and byte by byte: what is asked again is asked of everything else, and of these in full alone.
#[test]
fn a_quick_start_asks_for_no_signature_that_its_own_checkpoint_is_over() {
    let files = Files::new();
    let path = files.next();
    let desk = told(&path);
    let (realm, chat, head) = (desk.realm(), desk.chat, desk.engine.head().unwrap());
    let digests = |engine: &Engine<SqliteLog>| {
        let both = |state: &State| Ok((state.registry_digest()?, state.conversation_digest(&chat)?));
        engine.with(|replica| both(replica.state())).unwrap()
    };
    let kept = digests(&desk.engine);
    let pairs = desk.engine.log().read(0, 100).unwrap();
    drop(desk);
    for start in [Start::Quick, Start::Full] {
        let engine = started(&path, &realm, start).unwrap();
        assert_eq!((digests(&engine), engine.head().unwrap()), (kept, Arc::clone(&head)), "{start:?}");
    }
    // What the sequencer's own hand has made true is believed, and only by who does not look again.
    let forged = files.next();
    let log = SqliteLog::create(&forged, Durability::Normal).unwrap();
    let mut tree = Vec::new();
    let forged_pairs: Vec<Pair> = pairs
        .iter()
        .map(|pair| {
            let mut pair = pair.clone();
            if pair.record.position == 4 {
                let mut bytes = pair.envelope.to_vec();
                *bytes.last_mut().unwrap() ^= 1;
                pair.record.digest = entry_digest(&bytes);
                pair.envelope = bytes.into();
            }
            tree.push(rfc6962_leaf(&pair.record.encode()));
            pair
        })
        .collect();
    let size = tree.len() as u64;
    let root = rfc6962_root(&tree).unwrap();
    let origin = head.split('\n').next().unwrap().to_owned();
    let note = |by: u16| sign_checkpoint(&key(by), &origin, &TreeHead { size, root }).unwrap();
    log.append(0, &forged_pairs, &note(SEQUENCER)).unwrap();
    drop(log);
    assert_eq!(started(&forged, &realm, Start::Quick).unwrap().with(|replica| Ok(replica.records())).unwrap(), size);
    assert_eq!(code(started(&forged, &realm, Start::Full)), Code::SignatureInvalid);
    // By any other hand, and for any other realm, it is not; nor beyond what the checkpoint is over.
    let say = |note: &str| {
        Connection::open(&forged).unwrap().execute("UPDATE checkpoint SET note = ?1", [note]).unwrap();
        code(load(&forged, &realm))
    };
    assert_eq!(say(&note(9)), Code::SignatureInvalid);
    assert_eq!(say(&note(SEQUENCER).replace(&origin, "elsewhere")), Code::SignatureInvalid);
    let early = TreeHead { size: 4, root: rfc6962_root(&tree[..4]).unwrap() };
    assert_eq!(say(&sign_checkpoint(&key(SEQUENCER), &origin, &early).unwrap()), Code::SignatureInvalid);
    let mut bent = note(SEQUENCER).into_bytes();
    for at in 0..bent.len() {
        bent[at] ^= 1;
        if let Ok(text) = std::str::from_utf8(&bent) {
            assert_eq!(say(text), Code::SignatureInvalid, "byte {at}");
        }
        bent[at] ^= 1;
    }
}

fn remembered(path: &Path, realm: &Id) -> Desk<SqliteLog> {
    let mut desk =
        Desk::new(SqliteLog::create(&path.with_extension("other"), Durability::Normal).unwrap(), Limits::NONE);
    assert_eq!(desk.realm(), *realm);
    desk.counter += 100;
    desk
}

fn copy_of(from: &Path, to: &Path) {
    let whole = Connection::open(from).unwrap();
    whole.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    std::fs::copy(from, to).unwrap();
}

#[test]
fn engines_on_one_file_take_turns_and_see_each_other() {
    let files = Files::new();
    let path = files.next();
    let first = told(&path);
    let realm = first.realm();
    let second = load(&path, &realm).unwrap();
    let entries: Vec<Vec<u8>> = {
        let mut desk = first;
        let made = (0..60).map(|_| desk.message()).collect();
        drop(desk);
        made
    };
    let one = load(&path, &realm).unwrap();
    let before = one.with(|replica| Ok(replica.records())).unwrap();
    let submit = |engine: &Engine<SqliteLog>, bytes: &[u8]| {
        engine.submit(Submission { envelope: bytes, body: None }, START).unwrap()
    };
    // Numbers rise one after the other, so that the engines have to see each other's entries at once.
    for (at, bytes) in entries.iter().enumerate() {
        let engine = if at % 2 == 0 { &one } else { &second };
        assert!(matches!(submit(engine, bytes), Answer::Sequenced { error: None, .. }), "{at}");
    }
    for engine in [&one, &second] {
        engine.refresh().unwrap();
    }
    assert_eq!(one.with(|replica| Ok(replica.records())).unwrap(), before + 60);
    assert_eq!(one.head().unwrap(), second.head().unwrap());
    // The same bytes at both at once: one records them, the other says that they are there.
    let mut desk = Desk { engine: one, ..remembered(&path, &realm) };
    let bytes = desk.message();
    let answers = thread::scope(|scope| {
        let other = scope.spawn(|| submit(&second, &bytes));
        [submit(&desk.engine, &bytes), other.join().unwrap()]
    });
    let sequenced = answers.iter().filter(|answer| matches!(answer, Answer::Sequenced { .. })).count();
    assert_eq!((sequenced, answers.len()), (1, 2), "{answers:?}");
}

#[test]
fn threads_share_commits_and_each_gets_its_own_answer() {
    let files = Files::new();
    let path = files.next();
    let mut desk = told(&path);
    let root_key = root(0);
    let made: Vec<(Who, Id)> = (0..8)
        .map(|number| {
            let part = enrol_part(desk.realm(), &format!("agent-{number}"), 300 + number, Purpose::Message, &[], None);
            let record = desk.propose(root_key, Proposal::Enrol(Box::new(part)));
            (Who { seed: 300 + number, agent: record.id, grant: None }, desk.chat)
        })
        .collect();
    let before = desk.engine.with(|replica| Ok(replica.records())).unwrap();
    let engine = &desk.engine;
    let all: Vec<Vec<Vec<u8>>> =
        made.iter().map(|(who, chat)| (1..=40).map(|counter| said(engine, *who, chat, counter)).collect()).collect();
    let first = commits(&path);
    thread::scope(|scope| {
        for entries in &all {
            scope.spawn(move || {
                for bytes in entries {
                    let answer = engine.submit(Submission { envelope: bytes, body: None }, START).unwrap();
                    let Answer::Sequenced { record, error: None, .. } = answer else { panic!("{answer:?}") };
                    assert_eq!(record.id, id_of(bytes));
                }
            });
        }
    });
    assert_eq!(engine.with(|replica| Ok(replica.records())).unwrap(), before + 320);
    assert!(commits(&path) - first <= 320);
    // Who comes while somebody has the engine is taken along by whoever has it next.
    let last: Vec<Vec<u8>> = made.iter().map(|(who, chat)| said(engine, *who, chat, 41)).collect();
    let first = commits(&path);
    thread::scope(|scope| {
        let busy = scope.spawn(|| {
            let held = engine.with(|_| {
                thread::sleep(Duration::from_secs(1));
                Ok(())
            });
            held.unwrap();
        });
        thread::sleep(Duration::from_millis(100));
        for bytes in &last {
            scope.spawn(move || engine.submit(Submission { envelope: bytes, body: None }, START).unwrap());
        }
        busy.join().unwrap();
    });
    assert_eq!(engine.with(|replica| Ok(replica.records())).unwrap(), before + 328);
    assert!(commits(&path) - first <= 4, "{} commits of 8 entries", commits(&path) - first);
    let (realm, head) = (desk.realm(), desk.engine.head().unwrap());
    drop(desk);
    load(&path, &realm).unwrap().check_kept(head.as_bytes()).unwrap();
}

/// Others are woken once a commit (log.4).
fn commits(path: &Path) -> u64 {
    u64::from_be_bytes(std::fs::read(path.with_extension("db.wake")).unwrap().try_into().unwrap())
}

/// A message by somebody, after all that is in the branch now.
fn said(engine: &Engine<SqliteLog>, who: Who, chat: &Id, counter: u32) -> Vec<u8> {
    let mut salt = [0; 16];
    salt[..4].copy_from_slice(&counter.to_be_bytes());
    let seq = ama2sec_core::message::Seq { epoch: START, counter };
    let parts = Parts { recipients: vec![], seq, time: START, salt, body: None, workflow: None };
    let draft = |replica: &mut ama2sec_core::realm::replica::Replica| {
        let state = replica.state();
        let size = state.conversation(chat).unwrap().branches().get(0)?.size;
        let seen = state.seen(state.seen_registry(state.registry_size())?, chat, chat, size)?;
        Ok(signed(who, |author| ama2sec_core::realm::draft::draft_message(author, &parts, &seen, vec![])))
    };
    engine.with(draft).unwrap()
}

#[test]
fn an_erased_body_is_gone_from_every_file() {
    let files = Files::new();
    let path = files.next();
    let mut desk = Desk::new(SqliteLog::create(&path, Durability::Full).unwrap(), Limits::default());
    // Large enough for overflow pages.
    let secret: Vec<u8> = b"the secret of the third floor ".repeat(2_000);
    let body = BodyPart { salt: &[3; 32], body: &secret };
    let parts = Parts { body: Some((body, "text/plain")), ..desk.parts() };
    let bytes = desk.message_of(&parts);
    let answer = desk.engine.submit(Submission { envelope: &bytes, body: Some(body) }, START).unwrap();
    let Answer::Sequenced { record, error: None, .. } = answer else { panic!("{answer:?}") };
    assert!(traces(&path) > 0);
    // A reader of old pages holds the WAL back.
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM record").unwrap();
    let erase = desk.propose(root(0), Proposal::Erase { message: record.id, reason: "asked".into() });
    let parts = desk.parts();
    let approval = desk.bytes(root(1), |author, state| {
        draft_approval(author, &parts, &state.seen_registry(state.registry_size())?, Kind::Erase, erase.id)
    });
    desk.record(&approval);
    assert_eq!(desk.engine.log().read(record.position, 1).unwrap()[0].body, None);
    drop(reader);
    assert!(!desk.engine.erasure_pending().unwrap());
    assert_eq!(traces(&path), 0);
    // A crash between the two transactions: the next start erases again.
    let realm = desk.realm();
    drop(desk);
    let put = "INSERT INTO body VALUES (?1, ?2, ?3)";
    let position = i64::try_from(record.position).unwrap();
    Connection::open(&path).unwrap().execute(put, rusqlite::params![position, [3u8; 32], secret]).unwrap();
    assert!(traces(&path) > 0);
    let engine = load(&path, &realm).unwrap();
    assert!(!engine.erasure_pending().unwrap());
    assert_eq!(traces(&path), 0);
}

/// How often the secret stands in any file of the folder.
fn traces(path: &Path) -> usize {
    let files = std::fs::read_dir(path.parent().unwrap()).unwrap();
    let count = |bytes: Vec<u8>| bytes.windows(15).filter(|part| part == b"the secret of t").count();
    files.map(|file| count(std::fs::read(file.unwrap().path()).unwrap())).sum()
}
