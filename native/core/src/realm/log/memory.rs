//! The log that keeps everything in memory.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard};

use super::{Appended, Log, Pair, Source};
use crate::errors::{Code, Error, Result};

/// A log in memory. It is gone with the process.
#[derive(Debug, Default)]
pub struct MemoryLog {
    kept: Mutex<Kept>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct Kept {
    pairs: Vec<Pair>,
    checkpoint: Option<String>,
    controls: HashMap<String, Vec<u8>>,
    ended: bool,
    /// How many wait in `watch`: where nobody does, an append need not ask the system to wake anybody.
    watching: usize,
}

impl Kept {
    fn head(&self) -> u64 {
        self.pairs.len() as u64
    }
}

impl MemoryLog {
    pub fn new() -> MemoryLog {
        MemoryLog::default()
    }

    /// A panic in another thread may have left half an append.
    fn kept(&self) -> Result<MutexGuard<'_, Kept>> {
        self.kept.lock().map_err(|_| poisoned())
    }
}

fn poisoned() -> Error {
    Error::new(Code::Panic, "a log that no thread has left half written", "one")
}

impl Source for MemoryLog {
    fn head(&self) -> Result<u64> {
        Ok(self.kept()?.head())
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Pair>> {
        let kept = self.kept()?;
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(kept.pairs.iter().skip(from).take(limit).cloned().collect())
    }

    fn checkpoint(&self) -> Result<Option<String>> {
        Ok(self.kept()?.checkpoint.clone())
    }
}

impl Log for MemoryLog {
    fn append(&self, expected: u64, pairs: &[Pair], checkpoint: &str) -> Result<Appended> {
        let mut kept = self.kept()?;
        let head = kept.head();
        if head != expected {
            return Ok(Appended::Conflict(head));
        }
        kept.pairs.extend_from_slice(pairs);
        kept.checkpoint = Some(checkpoint.to_owned());
        if kept.watching > 0 {
            self.grown.notify_all();
        }
        Ok(Appended::Committed)
    }

    fn watch(&self, from: u64) -> Result<u64> {
        let mut kept = self.kept()?;
        kept.watching += 1;
        let grown = self.grown.wait_while(kept, |kept| kept.head() <= from && !kept.ended);
        let mut kept = grown.map_err(|_| poisoned())?;
        kept.watching -= 1;
        Ok(kept.head())
    }

    fn end_watch(&self) {
        if let Ok(mut kept) = self.kept.lock() {
            kept.ended = true;
        }
        self.grown.notify_all();
    }

    fn put_control(&self, name: &str, value: &[u8]) -> Result<()> {
        self.kept()?.controls.insert(name.to_owned(), value.to_vec());
        Ok(())
    }

    fn control(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.kept()?.controls.get(name).cloned())
    }

    fn erase(&self, positions: &[u64]) -> Result<bool> {
        let mut kept = self.kept()?;
        for position in positions {
            if let Some(pair) = usize::try_from(*position).ok().and_then(|at| kept.pairs.get_mut(at)) {
                pair.body = None;
            }
        }
        Ok(true)
    }
}
