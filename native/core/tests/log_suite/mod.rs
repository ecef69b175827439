//! What every log must do (record.6): call `all` with a maker of empty logs.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::thread;

use ama2sec_core::message::ZERO;
use ama2sec_core::realm::log::{Appended, Log, Pair};
use ama2sec_core::realm::{Home, Record};

fn pair(position: u64, tag: u8, body: bool) -> Pair {
    let record = Record {
        position,
        time: 1,
        registry_size: 0,
        digest: [tag; 32],
        id: [tag; 32],
        conversation: ZERO,
        home: Home::NONE,
        prev: 0,
        code: 0,
    };
    let body = body.then(|| ([tag; 32], Arc::from(vec![tag; 5])));
    Pair { record, envelope: Arc::from(vec![tag; 9]), body }
}

/// For logs whose writers take turns.
pub fn turns<L: Log>(make: impl Fn() -> L) {
    turns_keep_writers_apart(&make());
}

pub fn all<L: Log>(make: impl Fn() -> L) {
    an_empty_log_has_nothing(&make());
    an_append_is_all_or_nothing(&make());
    pieces_are_read_in_order(&make());
    what_is_erased_is_the_body_alone(&make());
    controls_are_kept_beside_the_log(&make());
    of_two_writers_one_is_first(&make());
    a_watch_wakes_when_there_is_more(&make());
    a_watch_can_be_ended(&make());
}

fn an_empty_log_has_nothing(log: &impl Log) {
    assert_eq!((log.head().unwrap(), log.read(0, 10).unwrap(), log.checkpoint().unwrap()), (0, vec![], None));
}

fn an_append_is_all_or_nothing(log: &impl Log) {
    assert_eq!(log.append(0, &[pair(0, 1, true), pair(1, 2, false)], "first").unwrap(), Appended::Committed);
    for wrong in [0, 1, 3, u64::MAX] {
        assert_eq!(log.append(wrong, &[pair(2, 3, false)], "other").unwrap(), Appended::Conflict(2));
    }
    assert_eq!((log.head().unwrap(), log.checkpoint().unwrap()), (2, Some("first".to_owned())));
    assert_eq!(log.read(0, 10).unwrap(), vec![pair(0, 1, true), pair(1, 2, false)]);
    assert_eq!(log.append(2, &[pair(2, 3, false)], "second").unwrap(), Appended::Committed);
    assert_eq!(log.checkpoint().unwrap(), Some("second".to_owned()));
}

fn pieces_are_read_in_order(log: &impl Log) {
    let pairs: Vec<Pair> = (0..20).map(|at| pair(at, at as u8, at % 2 == 0)).collect();
    log.append(0, &pairs, "head").unwrap();
    for from in 0..22 {
        for limit in [0, 1, 7, 100] {
            let expected: Vec<Pair> = pairs.iter().skip(from).take(limit).cloned().collect();
            assert_eq!(log.read(from as u64, limit).unwrap(), expected);
        }
    }
    assert_eq!(log.read(u64::MAX, 5).unwrap(), vec![]);
}

fn what_is_erased_is_the_body_alone(log: &impl Log) {
    log.append(0, &[pair(0, 1, true), pair(1, 2, true)], "head").unwrap();
    assert!(log.erase(&[1, 7]).unwrap());
    assert!(log.erase(&[]).unwrap());
    assert_eq!(log.read(0, 5).unwrap(), vec![pair(0, 1, true), pair(1, 2, false)]);
}

fn controls_are_kept_beside_the_log(log: &impl Log) {
    assert_eq!(log.control("epoch").unwrap(), None);
    log.put_control("epoch", b"1").unwrap();
    log.put_control("epoch", b"2").unwrap();
    log.put_control("other", b"").unwrap();
    assert_eq!((log.control("epoch").unwrap(), log.control("other").unwrap()), (Some(b"2".to_vec()), Some(vec![])));
    assert_eq!(log.head().unwrap(), 0);
}

fn of_two_writers_one_is_first(log: &impl Log) {
    let race = |tag: u8| {
        let mut won = 0;
        while won < 50 {
            let head = log.head().unwrap();
            won += u32::from(log.append(head, &[pair(head, tag, false)], "head").unwrap() == Appended::Committed);
        }
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| race(1));
        race(2);
        other.join().unwrap();
    });
    let pairs = log.read(0, 1000).unwrap();
    assert!(pairs.iter().enumerate().all(|(at, pair)| pair.record.position == at as u64));
    assert_eq!(pairs.len(), 100);
}

/// Writers who take turns are never told of a conflict.
fn turns_keep_writers_apart(log: &impl Log) {
    let write = |tag: u8| {
        for _ in 0..50 {
            let _turn = log.turn().unwrap();
            let head = log.head().unwrap();
            assert_eq!(log.append(head, &[pair(head, tag, false)], "head").unwrap(), Appended::Committed);
        }
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| write(1));
        write(2);
        other.join().unwrap();
    });
    assert_eq!(log.head().unwrap(), 100);
}

fn a_watch_wakes_when_there_is_more(log: &impl Log) {
    thread::scope(|scope| {
        let watcher = scope.spawn(|| log.watch(1).unwrap());
        log.append(0, &[pair(0, 1, false)], "head").unwrap();
        log.append(1, &[pair(1, 2, false)], "head").unwrap();
        assert_eq!(watcher.join().unwrap(), 2);
    });
    assert_eq!(log.watch(0).unwrap(), 2);
}

fn a_watch_can_be_ended(log: &impl Log) {
    thread::scope(|scope| {
        let watcher = scope.spawn(|| log.watch(100).unwrap());
        log.end_watch();
        assert_eq!(watcher.join().unwrap(), 0);
    });
    assert_eq!(log.watch(100).unwrap(), 0);
}
