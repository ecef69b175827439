//! A panic under the engine's lock: everybody who waits gets an answer, and it is no verdict (errors.3).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "realm_desk/mod.rs"]
mod desk;
#[path = "realm_support/mod.rs"]
mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ama2sec_core::errors::{Code, Result};
use ama2sec_core::realm::Limits;
use ama2sec_core::realm::engine::Submission;
use ama2sec_core::realm::log::{Appended, Log, MemoryLog, Pair, Source};
use desk::Desk;
use support::*;

/// A log that, once it is told to, takes its time over one append and panics in the next.
#[derive(Default)]
struct Falling {
    inner: MemoryLog,
    slow: AtomicBool,
    falls: AtomicBool,
}

impl Source for Falling {
    fn head(&self) -> Result<u64> {
        self.inner.head()
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Pair>> {
        self.inner.read(from, limit)
    }

    fn checkpoint(&self) -> Result<Option<String>> {
        self.inner.checkpoint()
    }
}

impl Log for Falling {
    fn append(&self, expected: u64, pairs: &[Pair], checkpoint: &str) -> Result<Appended> {
        assert!(!self.falls.load(Ordering::SeqCst), "the log falls");
        if self.slow.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(300));
            self.falls.store(true, Ordering::SeqCst);
        }
        self.inner.append(expected, pairs, checkpoint)
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
        self.inner.erase(positions)
    }
}

#[test]
fn nobody_waits_for_ever_when_whoever_took_his_entry_along_panics() {
    let mut desk = Desk::new(Falling::default(), Limits::default());
    let entries: Vec<Vec<u8>> = (0..6).map(|_| desk.message()).collect();
    desk.engine.log().slow.store(true, Ordering::SeqCst);
    let (answered, answers) = mpsc::channel();
    let engine = std::sync::Arc::new(desk.engine);
    for entry in entries {
        let (engine, answered) = (std::sync::Arc::clone(&engine), answered.clone());
        thread::spawn(move || {
            let submitted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                engine
                    .submit(Submission { envelope: &entry, body: None }, START)
                    .map(|_| ())
                    .map_err(|error| error.code)
            }));
            answered.send(submitted.unwrap_or(Err(Code::Panic))).unwrap();
        });
        thread::sleep(Duration::from_millis(20));
    }
    let found: Vec<_> = (0..6).map(|_| answers.recv_timeout(Duration::from_secs(20)).expect("an answer")).collect();
    assert_eq!(found.iter().filter(|answer| answer.is_ok()).count(), 1, "{found:?}");
    assert!(found.iter().all(|answer| matches!(answer, Ok(()) | Err(Code::Panic))), "{found:?}");
}
