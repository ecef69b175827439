//! A realm that was closed has none of its files open, and a stop of it gets through all the same; a reader that holds it against a head.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "realm_desk/mod.rs"]
mod desk;
#[path = "realm_support/mod.rs"]
mod support;

use std::path::Path;
use std::thread;
use std::time::Duration;

use ama2sec_core::errors::{Code, Result};
use ama2sec_core::halt::{Latch, Scope, sidecar_of};
use ama2sec_core::realm::Limits;
use ama2sec_core::realm::engine::Submission;
use ama2sec_core::realm::follower::Follower;
use ama2sec_core::realm::log::{Durability, Log, Source, SqliteFile, SqliteLog};
use ama2sec_core::realm::stopping::Halting;
use desk::Desk;
use support::*;

fn code<T>(outcome: Result<T>) -> Code {
    outcome.err().map(|fault| fault.code).unwrap()
}

fn desk(path: &Path) -> Desk<SqliteLog> {
    let mut desk = Desk::new(SqliteLog::create(path, Durability::Normal).unwrap(), Limits::NONE);
    desk.engine.attach(path, START, [1; 16]).unwrap();
    desk
}

/// What this process has open of a realm's files.
#[cfg(target_os = "linux")]
fn open_files(path: &Path) -> Vec<String> {
    let of_realm = |link: std::path::PathBuf| {
        let text = link.to_string_lossy().into_owned();
        text.starts_with(&*path.to_string_lossy()).then_some(text)
    };
    let all = std::fs::read_dir("/proc/self/fd").unwrap();
    all.filter_map(|entry| of_realm(std::fs::read_link(entry.unwrap().path()).ok()?)).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn a_realm_that_was_closed_has_no_file_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("realm.db");
    let mut desk = desk(&path);
    let bytes = desk.message();
    desk.record(&bytes);
    assert!(open_files(&path).len() >= 6, "{:?}", open_files(&path));
    // Whoever waits for more is let go.
    thread::scope(|scope| {
        let engine = &desk.engine;
        let waits = scope.spawn(move || engine.log().watch(1_000));
        thread::sleep(Duration::from_millis(20));
        engine.latch().close();
        engine.close().unwrap();
        let answer = waits.join().unwrap();
        assert!(answer.map_or_else(|fault| fault.code == Code::ArgumentRange, |records| records == 4));
    });
    assert_eq!(open_files(&path), Vec::<String>::new());
    // The last one has written the WAL back.
    assert!(!folder.path().join("realm.db-wal").exists());
    desk.engine.close().unwrap();
}

#[test]
fn what_asks_a_closed_realm_is_told_so_and_its_state_goes_on_answering() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("realm.db");
    let mut desk = desk(&path);
    let (first, late) = (desk.message(), desk.message());
    desk.record(&first);
    let head = desk.engine.head().unwrap();
    desk.engine.close().unwrap();
    assert_eq!(code(desk.engine.entries(0, 10)), Code::ArgumentRange);
    assert_eq!(code(desk.engine.refresh()), Code::ArgumentRange);
    assert_eq!(code(desk.engine.log().head()), Code::ArgumentRange);
    desk.engine.log().end_watch();
    assert_eq!(code(desk.engine.submit(Submission { envelope: &late, body: None }, START)), Code::ArgumentRange);
    // The file is as it was.
    let again = SqliteFile::open(&path).unwrap();
    assert_eq!((again.head().unwrap(), again.checkpoint().unwrap().as_deref()), (4, Some(&*head)));
}

#[test]
fn two_logs_of_one_process_close_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("realm.db");
    let mut desk = desk(&path);
    let other = SqliteLog::open(&path, None).unwrap();
    other.close().unwrap();
    // The locks of the first one's turns are still there.
    let bytes = desk.message();
    desk.record(&bytes);
    assert_eq!(code(other.turn().map(drop)), Code::ArgumentRange);
}

#[test]
fn a_realm_that_was_closed_can_still_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("realm.db");
    let desk = desk(&path);
    desk.engine.latch().close();
    desk.engine.close().unwrap();
    let halted = desk.engine.halt_locally(Scope::Realm.encode(), "too late".into(), START, [2; 16]).unwrap();
    assert_eq!((halted.outcome, halted.alarm), (Halting::Latched, None));
    assert!(desk.engine.latch().sync());
    assert_eq!(Latch::beside(&sidecar_of(&path)).unwrap().look().stops.len(), 1);
    #[cfg(target_os = "linux")]
    assert_eq!(open_files(&path), Vec::<String>::new());
    // Where nothing can be written any more it says so.
    std::fs::remove_file(sidecar_of(&path)).unwrap();
    let halted = desk.engine.halt_locally(Scope::Realm.encode(), "gone".into(), START, [3; 16]).unwrap();
    assert_eq!((halted.outcome, halted.alarm), (Halting::Latched, Some(Code::FileUnreadable)));
    assert!(!desk.engine.latch().sync());
}

#[test]
fn a_reader_judges_what_a_head_is_over_before_it_says_anything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("realm.db");
    let mut desk = desk(&path);
    let early = desk.engine.head().unwrap();
    let reader = || Follower::new(SqliteFile::open(&path).unwrap(), None);
    let mut before = reader();
    before.refresh().unwrap();
    let bytes = desk.message();
    desk.record(&bytes);
    let late = desk.engine.head().unwrap();
    // Nothing judged yet, and less judged than the head is over.
    reader().check_kept(late.as_bytes()).unwrap();
    before.check_kept(early.as_bytes()).unwrap();
    assert_eq!(before.replica().records(), 3);
    before.check_kept(late.as_bytes()).unwrap();
    assert_eq!(before.replica().records(), 4);
    assert_eq!(code(reader().check_kept(b"no head")), Code::CheckpointForm);
    // Another realm's, and a file in which no realm has begun.
    let (elsewhere, nothing) = (folder.path().join("other.db"), folder.path().join("nothing.db"));
    drop(Desk::new(SqliteLog::create(&elsewhere, Durability::Normal).unwrap(), Limits::NONE));
    drop(SqliteLog::create(&nothing, Durability::Normal).unwrap());
    let mut empty = Follower::new(SqliteFile::open(&nothing).unwrap(), None);
    assert_eq!(code(empty.check_kept(late.as_bytes())), Code::OpenMissing);
    // An edited file is named for what it is, and not for its head.
    let edit = rusqlite::Connection::open(&elsewhere).unwrap();
    edit.execute("DELETE FROM record WHERE position = 1", []).unwrap();
    let mut edited = Follower::new(SqliteFile::open(&elsewhere).unwrap(), None);
    assert_eq!(code(edited.check_kept(early.as_bytes())), Code::RecordPosition);
}
