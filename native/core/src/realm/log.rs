//! What an engine asks of a log (record.6), and the log that keeps everything in memory.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::record::Record;
use crate::errors::{Code, Error, Result};
use crate::message::{BodyPart, Id, encode_entry};

/// A body as a log keeps it: salt and bytes.
pub type KeptBody = ([u8; 32], Arc<[u8]>);

/// A record with its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub record: Record,
    pub envelope: Arc<[u8]>,
    /// None: there is none, it was withheld, it was erased, or the entry was rejected.
    pub body: Option<KeptBody>,
}

impl Pair {
    pub fn body_part(&self) -> Option<BodyPart<'_>> {
        self.body.as_ref().map(|(salt, body)| BodyPart { salt, body })
    }

    /// The entry as it travels.
    pub fn entry(&self) -> Vec<u8> {
        encode_entry(&self.envelope, self.body_part())
    }
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// All pairs are taken, and survive a crash.
    Committed,
    /// None is: there are so many records.
    Conflict(u64),
    /// Nobody can say.
    Unknown,
}

/// A totally ordered sequence of records with their entries. It is not trusted: whoever reads it replays it.
pub trait Log: Send + Sync {
    /// Takes all pairs if exactly `expected` records are there, else none. The checkpoint is over all of them.
    fn append(&self, expected: u64, pairs: &[Pair], checkpoint: &str) -> Result<Appended>;

    /// The number of records.
    fn head(&self) -> Result<u64>;

    /// Pairs in order from a position, at most `limit`, fewer only at the end.
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Pair>>;

    /// The newest checkpoint; None of an empty log.
    fn checkpoint(&self) -> Result<Option<String>>;

    /// Waits until there are more than `from` records, or `end_watch` is called; the number of records.
    fn watch(&self, from: u64) -> Result<u64>;

    /// Ends every `watch` that waits, and every later one at once.
    fn end_watch(&self);

    /// Keeps a small value beside the log.
    fn put_control(&self, name: &str, value: &[u8]) -> Result<()>;

    fn control(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// Forgets the body and the salt of a message, never its envelope.
    fn erase(&self, message: &Id) -> Result<()>;
}

impl<L: Log + ?Sized> Log for Arc<L> {
    fn append(&self, expected: u64, pairs: &[Pair], checkpoint: &str) -> Result<Appended> {
        (**self).append(expected, pairs, checkpoint)
    }

    fn head(&self) -> Result<u64> {
        (**self).head()
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Pair>> {
        (**self).read(from, limit)
    }

    fn checkpoint(&self) -> Result<Option<String>> {
        (**self).checkpoint()
    }

    fn watch(&self, from: u64) -> Result<u64> {
        (**self).watch(from)
    }

    fn end_watch(&self) {
        (**self).end_watch();
    }

    fn put_control(&self, name: &str, value: &[u8]) -> Result<()> {
        (**self).put_control(name, value)
    }

    fn control(&self, name: &str) -> Result<Option<Vec<u8>>> {
        (**self).control(name)
    }

    fn erase(&self, message: &Id) -> Result<()> {
        (**self).erase(message)
    }
}

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

    fn erase(&self, message: &Id) -> Result<()> {
        let mut kept = self.kept()?;
        kept.pairs.iter_mut().filter(|pair| pair.record.id == *message).for_each(|pair| pair.body = None);
        Ok(())
    }
}
