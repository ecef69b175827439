//! What an engine asks of a log (record.6), and the logs that there are.

mod memory;
mod schema;
mod sqlite;
mod turnstile;
mod wake;

pub use memory::MemoryLog;
pub use schema::Durability;
pub use sqlite::{SqliteFile, SqliteLog};

use std::sync::Arc;

use super::record::Record;
use crate::errors::Result;
use crate::message::{BodyPart, encode_entry};

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

/// A writer's turn among all who write to one log; it ends when it is dropped.
pub trait Turn {}

impl Turn for () {}

/// A totally ordered sequence of records with their entries, for readers. It is not trusted: whoever reads it replays it.
pub trait Source {
    /// The number of records.
    fn head(&self) -> Result<u64>;

    /// Pairs in order from a position, at most `limit`, fewer only at the end.
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Pair>>;

    /// The newest checkpoint; None of an empty log.
    fn checkpoint(&self) -> Result<Option<String>>;
}

/// One that can be written.
pub trait Log: Source + Send + Sync {
    /// Waits for this writer's turn, where writers take turns. It is a courtesy: what keeps them apart is `append`.
    fn turn(&self) -> Result<Box<dyn Turn + '_>> {
        Ok(Box::new(()))
    }

    /// The number of records, for whoever has the turn and is about to append: where that is quicker than `head`.
    fn head_to_write(&self) -> Result<u64> {
        self.head()
    }

    /// Takes all pairs if exactly `expected` records are there, else none. The checkpoint is over all of them. An error says that none was
    /// taken, and why.
    fn append(&self, expected: u64, pairs: &[Pair], checkpoint: &str) -> Result<Appended>;

    /// Waits until there are more than `from` records, or `end_watch` is called; the number of records.
    fn watch(&self, from: u64) -> Result<u64>;

    /// Ends every `watch` that waits, and every later one at once.
    fn end_watch(&self);

    /// What a commit waits for. None: there is no disk.
    fn durability(&self) -> Option<Durability> {
        None
    }

    /// Keeps a small value beside the log.
    fn put_control(&self, name: &str, value: &[u8]) -> Result<()>;

    fn control(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// Lets go of what it has open, behind whoever is using it; what asks it for something afterwards gets `ArgumentRange`. Calling it
    /// again does nothing, and of a log that has nothing open neither does the first time.
    fn close(&self) -> Result<()> {
        Ok(())
    }

    /// Forgets the bodies and the salts at these positions, never the envelopes. False: they cannot be read any more, and some trace of
    /// them is still in a file; a later append or `erase` tries again.
    fn erase(&self, positions: &[u64]) -> Result<bool>;
}

impl<L: Source + ?Sized> Source for Arc<L> {
    fn head(&self) -> Result<u64> {
        (**self).head()
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Pair>> {
        (**self).read(from, limit)
    }

    fn checkpoint(&self) -> Result<Option<String>> {
        (**self).checkpoint()
    }
}

impl<L: Log + ?Sized> Log for Arc<L> {
    fn turn(&self) -> Result<Box<dyn Turn + '_>> {
        (**self).turn()
    }

    fn head_to_write(&self) -> Result<u64> {
        (**self).head_to_write()
    }

    fn append(&self, expected: u64, pairs: &[Pair], checkpoint: &str) -> Result<Appended> {
        (**self).append(expected, pairs, checkpoint)
    }

    fn watch(&self, from: u64) -> Result<u64> {
        (**self).watch(from)
    }

    fn end_watch(&self) {
        (**self).end_watch();
    }

    fn durability(&self) -> Option<Durability> {
        (**self).durability()
    }

    fn put_control(&self, name: &str, value: &[u8]) -> Result<()> {
        (**self).put_control(name, value)
    }

    fn control(&self, name: &str) -> Result<Option<Vec<u8>>> {
        (**self).control(name)
    }

    fn close(&self) -> Result<()> {
        (**self).close()
    }

    fn erase(&self, positions: &[u64]) -> Result<bool> {
        (**self).erase(positions)
    }
}
