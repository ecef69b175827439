//! A log in one SQLite file, for several processes at once (log.1 to log.5).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::schema::{self, Durability, OpenAs};
use super::turnstile::{Turnstile, beside};
use super::wake::Wake;
use super::{Appended, Log, Pair, Source, Turn};
use crate::errors::{Code, Error, Result};
use crate::realm::record::Record;

/// How long an erasure waits for readers: most of them are done within a millisecond.
const READERS: Duration = Duration::from_millis(100);

/// A realm's file, open for reading and writing.
#[derive(Debug)]
pub struct SqliteLog {
    path: PathBuf,
    /// Its own, so that nobody who reads waits for a commit. It is closed before the writer: whoever closes last writes the WAL back.
    reader: Held<Connection>,
    writer: Held<Connection>,
    turnstile: Held<Arc<Turnstile>>,
    wake: Held<Arc<Wake>>,
    durability: Durability,
    unscrubbed: AtomicBool,
    process: u32,
}

/// Something that is open until the log is closed.
#[derive(Debug)]
struct Held<T>(Mutex<Option<T>>);

impl<T> Held<T> {
    fn new(held: T) -> Held<T> {
        Held(Mutex::new(Some(held)))
    }

    /// Uses it; others wait meanwhile. Raises `ArgumentRange` behind `close`.
    fn with<R, E: From<Error>>(
        &self,
        used: impl FnOnce(&mut T) -> std::result::Result<R, E>,
    ) -> std::result::Result<R, E> {
        match self.0.lock().map_err(|_| poisoned())?.as_mut() {
            Some(held) => used(held),
            None => Err(Error::new(Code::ArgumentRange, "a realm that is open", "one that was closed").into()),
        }
    }

    fn take(&self) -> Option<T> {
        // A panic while it was in use is no reason to keep it open.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Held<Arc<T>> {
    fn shared(&self) -> Result<Arc<T>> {
        self.with(|held| Ok(Arc::clone(held)))
    }
}

/// What an append found out before anything could be lost.
enum Refused {
    Conflict(u64),
    Fault(Error),
    Unknown,
}

impl From<Error> for Refused {
    fn from(fault: Error) -> Refused {
        Refused::Fault(fault)
    }
}

impl From<rusqlite::Error> for Refused {
    fn from(fault: rusqlite::Error) -> Refused {
        Refused::Fault(schema::named(&fault))
    }
}

impl SqliteLog {
    /// A new file. Raises `FileExists`, `LogReadOnly`, `LogFull`, `LogFailed`.
    pub fn create(path: &Path, durability: Durability) -> Result<SqliteLog> {
        schema::create(path, durability)?;
        SqliteLog::open(path, None)
    }

    /// A file that is there; `durability` is held against the one that is written down. Raises `FileUnreadable`, `LogForm`, `LogVersion`,
    /// `LogDamaged`, `ArgumentRange`.
    pub fn open(path: &Path, durability: Option<Durability>) -> Result<SqliteLog> {
        let (writer, kept) = schema::open(path, OpenAs::Writer)?;
        if let Some(other) = durability.filter(|asked| *asked != kept) {
            return Err(Error::new(Code::ArgumentRange, format!("durability {}", kept.as_str()), other.as_str()));
        }
        let (reader, _) = schema::open(path, OpenAs::Reader)?;
        Ok(SqliteLog {
            path: path.to_owned(),
            writer: Held::new(writer),
            reader: Held::new(reader),
            turnstile: Held::new(Turnstile::of(path)?),
            wake: Held::new(Arc::new(Wake::of(path)?)),
            durability: kept,
            unscrubbed: AtomicBool::new(false),
            process: std::process::id(),
        })
    }

    /// Removes a file in which nothing began, with what lies beside it.
    pub fn discard(path: &Path) {
        for ending in ["", "-wal", "-shm", ".turn", ".lock", ".wake", ".stop"] {
            // What is not there need not be removed.
            let _ = std::fs::remove_file(beside(path, ending));
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn check_process(&self) -> Result<()> {
        if std::process::id() == self.process {
            return Ok(());
        }
        Err(Error::new(Code::LogForked, "the process that opened the log", "a fork of it"))
    }

    fn write_with<R, E: From<Error>>(
        &self,
        write: impl FnOnce(&mut Connection) -> std::result::Result<R, E>,
    ) -> std::result::Result<R, E> {
        self.check_process()?;
        self.writer.with(write)
    }

    fn read_with<R>(&self, read: impl FnOnce(&Connection) -> Result<R>) -> Result<R> {
        self.check_process()?;
        self.reader.with(|connection| read(connection))
    }

    /// log.2.1: all or nothing.
    fn write(&self, expected: u64, pairs: &[Pair], checkpoint: &str) -> std::result::Result<(), Refused> {
        self.write_with(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let head = head_of(&transaction)?;
            if head != expected {
                return Err(Refused::Conflict(head));
            }
            insert(&transaction, pairs, checkpoint, expected)?;
            transaction.commit().map_err(|fault| match schema::named(&fault) {
                // These come before the frame that makes a commit: nothing of it counts.
                error if matches!(error.code, Code::LogFull | Code::LogBusy | Code::LogReadOnly) => {
                    Refused::Fault(error)
                }
                _ => Refused::Unknown,
            })
        })
    }

    /// log.5: whether no page of the file or its WAL has the bodies any more. Waits so long for who reads old pages: whoever does for longer
    /// holds nobody up.
    fn scrub(&self, patience: Duration) -> Result<bool> {
        let busy: i64 = self.write_with(|connection| {
            let named = |fault: rusqlite::Error| schema::named(&fault);
            connection.busy_timeout(patience).map_err(named)?;
            let scrubbed = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
            connection.busy_timeout(schema::PATIENCE).map_err(named)?;
            scrubbed.map_err(named)
        })?;
        self.unscrubbed.store(busy != 0, Ordering::SeqCst);
        Ok(busy == 0)
    }
}

/// A realm's file, opened for reading alone: nothing is locked, made or changed, and whoever has the realm open goes on.
#[derive(Debug)]
pub struct SqliteFile(Held<Connection>);

impl SqliteFile {
    /// Raises `FileUnreadable`, `LogForm`, `LogVersion`, `LogDamaged`.
    pub fn open(path: &Path) -> Result<SqliteFile> {
        Ok(SqliteFile(Held::new(schema::open(path, OpenAs::Reader)?.0)))
    }

    /// Writes the realm as it is at one moment into a new file, while others go on (log.6). Raises `FileExists`, `LogFull`, `LogReadOnly`.
    pub fn backup(&self, to: &Path) -> Result<()> {
        let name = to.to_str().ok_or_else(|| Error::new(Code::ArgumentRange, "a path in UTF-8", "another"))?;
        self.0.with(|connection| {
            // SQLite writes into a file that is there and empty.
            schema::make_private(to)?;
            let written = connection.execute("VACUUM INTO ?1", [name]);
            written.map(|_| ()).map_err(|fault| {
                // Half a backup is none.
                let _ = std::fs::remove_file(to);
                schema::named(&fault)
            })
        })?;
        let made = std::fs::File::open(to).and_then(|file| file.sync_all());
        made.map_err(|fault| Error::new(Code::LogFailed, "a backup on the disk", fault.kind().to_string()))
    }

    /// As `Log::close`.
    pub fn close(&self) -> Result<()> {
        match self.0.take() {
            Some(connection) => connection.close().map_err(|(_, fault)| schema::named(&fault)),
            None => Ok(()),
        }
    }
}

impl Source for SqliteFile {
    fn head(&self) -> Result<u64> {
        self.0.with(|connection| head_of(connection).map_err(|fault| schema::named(&fault)))
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Pair>> {
        self.0.with(|connection| read_pairs(connection, from, limit))
    }

    fn checkpoint(&self) -> Result<Option<String>> {
        self.0.with(|connection| read_checkpoint(connection))
    }
}

fn poisoned() -> Error {
    Error::new(Code::Panic, "a log that no thread has left half used", "one")
}

fn number(value: u64) -> i64 {
    // Positions lie below 2^48 (record.1).
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn head_of(connection: &Connection) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT max(position) FROM record")?;
    let last: Option<i64> = statement.query_row([], |row| row.get(0))?;
    Ok(last.and_then(|last| u64::try_from(last).ok()).map_or(0, |last| last.saturating_add(1)))
}

fn insert(connection: &Connection, pairs: &[Pair], checkpoint: &str, expected: u64) -> rusqlite::Result<()> {
    let mut record = connection.prepare_cached("INSERT INTO record VALUES (?1, ?2)")?;
    let mut envelope = connection.prepare_cached("INSERT INTO envelope VALUES (?1, ?2)")?;
    let mut kept = connection.prepare_cached("INSERT INTO body VALUES (?1, ?2, ?3)")?;
    for pair in pairs {
        let position = number(pair.record.position);
        record.execute(params![position, pair.record.encode()])?;
        envelope.execute(params![position, &pair.envelope[..]])?;
        if let Some((salt, body)) = &pair.body {
            kept.execute(params![position, salt, &body[..]])?;
        }
    }
    let size = number(expected.saturating_add(pairs.len() as u64));
    let mut note = connection.prepare_cached("INSERT OR REPLACE INTO checkpoint VALUES (1, ?1, ?2)")?;
    note.execute(params![size, checkpoint]).map(|_| ())
}

/// Pairs from a position on, up to the first that cannot be read, so that whoever judges them names its place; it is the fault of the read
/// that begins with it.
pub(super) fn read_pairs(connection: &Connection, from: u64, limit: usize) -> Result<Vec<Pair>> {
    let named = |fault: rusqlite::Error| schema::named(&fault);
    let mut statement = connection
        .prepare_cached(
            "SELECT record.record, envelope.envelope, body.salt, body.body FROM record
             JOIN envelope USING (position) LEFT JOIN body USING (position)
             WHERE position >= ?1 ORDER BY position LIMIT ?2",
        )
        .map_err(named)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![number(from), limit]).map_err(named)?;
    let mut pairs = Vec::new();
    loop {
        match rows.next().map_err(named).and_then(|row| row.map(pair_in).transpose()) {
            Ok(Some(pair)) => pairs.push(pair),
            Err(fault) if pairs.is_empty() => return Err(fault),
            Ok(None) | Err(_) => return Ok(pairs),
        }
    }
}

/// What does not have the form of a pair is the file's fault: it is read, not repaired.
fn pair_in(row: &Row<'_>) -> Result<Pair> {
    let form = |expected: &'static str, got: &'static str| Error::new(Code::LogForm, expected, got);
    let column = |at: usize| -> Result<Option<&[u8]>> {
        let value = row.get_ref(at).map_err(|fault| schema::named(&fault))?;
        value.as_blob_or_null().map_err(|_| form("bytes in each column", "another type"))
    };
    let body = match (column(2)?, column(3)?) {
        (Some(salt), Some(body)) => {
            let salt = salt.try_into().map_err(|_| form("a salt of 32 bytes", "another length"))?;
            Some((salt, Arc::from(body)))
        }
        _ => None,
    };
    let absent = || form("a record with its envelope", "one of the two");
    let envelope = Arc::from(column(1)?.ok_or_else(absent)?);
    Ok(Pair { record: Record::parse(column(0)?.ok_or_else(absent)?)?, envelope, body })
}

pub(super) fn read_checkpoint(connection: &Connection) -> Result<Option<String>> {
    let mut statement = connection
        .prepare_cached("SELECT note FROM checkpoint WHERE one = 1")
        .map_err(|fault| schema::named(&fault))?;
    statement.query_row([], |row| row.get(0)).optional().map_err(|fault| schema::named(&fault))
}

impl Source for SqliteLog {
    fn head(&self) -> Result<u64> {
        self.read_with(|connection| head_of(connection).map_err(|fault| schema::named(&fault)))
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Pair>> {
        self.read_with(|connection| read_pairs(connection, from, limit))
    }

    fn checkpoint(&self) -> Result<Option<String>> {
        self.read_with(read_checkpoint)
    }
}

impl Log for SqliteLog {
    fn turn(&self) -> Result<Box<dyn Turn + '_>> {
        self.check_process()?;
        Ok(Box::new(self.turnstile.shared()?.take()?))
    }

    /// The writer's connection still has the pages in memory that it wrote last; the reader's would have to read them.
    fn head_to_write(&self) -> Result<u64> {
        self.write_with(|connection| head_of(connection).map_err(|fault| schema::named(&fault)))
    }

    fn append(&self, expected: u64, pairs: &[Pair], checkpoint: &str) -> Result<Appended> {
        match self.write(expected, pairs, checkpoint) {
            Ok(()) => {
                if let Ok(wake) = self.wake.shared() {
                    wake.others();
                }
                if self.unscrubbed.load(Ordering::SeqCst) {
                    // The pairs are taken, whatever comes of this; a later one tries again.
                    let _ = self.scrub(Duration::ZERO);
                }
                Ok(Appended::Committed)
            }
            Err(Refused::Conflict(head)) => Ok(Appended::Conflict(head)),
            Err(Refused::Unknown) => Ok(Appended::Unknown),
            Err(Refused::Fault(error)) => Err(error),
        }
    }

    fn watch(&self, from: u64) -> Result<u64> {
        let wake = self.wake.shared()?;
        wake.wait(|| self.head().map(|head| (head > from).then_some(head)), || self.head())
    }

    fn end_watch(&self) {
        if let Ok(wake) = self.wake.shared() {
            wake.end();
        }
    }

    fn durability(&self) -> Option<Durability> {
        Some(self.durability)
    }

    fn put_control(&self, name: &str, value: &[u8]) -> Result<()> {
        let put = |connection: &mut Connection| {
            connection.execute("INSERT OR REPLACE INTO control VALUES (?1, ?2)", params![name, value])
        };
        self.write_with(|connection| put(connection).map(|_| ()).map_err(|fault| schema::named(&fault)))
    }

    fn control(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.read_with(|connection| {
            let found = connection.query_row("SELECT value FROM control WHERE name = ?1", [name], |row| row.get(0));
            found.optional().map_err(|fault| schema::named(&fault))
        })
    }

    /// The reader first: whoever closes last writes the WAL back, and only a writer may. Then what lies beside the file; the locks of a turn
    /// that another log of this process has stay as they are.
    fn close(&self) -> Result<()> {
        self.check_process()?;
        self.end_watch();
        for connection in [&self.reader, &self.writer].into_iter().filter_map(Held::take) {
            connection.close().map_err(|(_, fault)| schema::named(&fault))?;
        }
        drop((self.wake.take(), self.turnstile.take()));
        Ok(())
    }

    fn erase(&self, positions: &[u64]) -> Result<bool> {
        self.write_with(|connection| {
            let named = |fault: rusqlite::Error| schema::named(&fault);
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(named)?;
            for position in positions {
                let gone = transaction.execute("DELETE FROM body WHERE position = ?1", [number(*position)]);
                gone.map_err(named)?;
            }
            transaction.commit().map_err(named)
        })?;
        self.scrub(READERS)
    }
}
