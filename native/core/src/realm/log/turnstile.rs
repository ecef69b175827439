//! Writers of several processes take turns (log.3): a courtesy, because SQLite's own waiting starves.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, fcntl_lock};

use super::Turn;
use crate::errors::{Code, Error, Result};

const STEP: Duration = Duration::from_micros(100);
/// How long a writer stands in line; the one before it may be suspended.
const IN_LINE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(10);

/// The two locks of one realm's file. A process has one of each, however often it opens the file: whoever closes any descriptor of a
/// file drops the process's POSIX locks on it.
#[derive(Debug)]
pub(super) struct Turnstile {
    /// Whether a thread of this process has its turn.
    within: Mutex<bool>,
    free: Condvar,
    turn: File,
    lock: File,
}

/// Held by the writer whose turn it is.
pub(super) struct Held {
    turnstile: Arc<Turnstile>,
    has_lock: bool,
}

impl Turn for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        if self.has_lock {
            // If it fails the process is ending, and its locks with it.
            let _ = fcntl_lock(&self.turnstile.lock, FlockOperation::Unlock);
        }
        *self.turnstile.within.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.turnstile.free.notify_one();
    }
}

/// Device and inode of the lock file.
type Inode = (u64, u64);

/// All that this process has open.
static OPEN: OnceLock<Mutex<HashMap<Inode, Weak<Turnstile>>>> = OnceLock::new();

pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

pub(super) fn open_beside(path: &Path, ending: &str) -> Result<File> {
    // Whoever can open a lock file can keep everybody waiting.
    let mut how = std::fs::OpenOptions::new();
    let opened = how.read(true).write(true).create(true).truncate(false).mode(0o600).open(beside(path, ending));
    opened.map_err(|fault| {
        let code = if fault.kind() == std::io::ErrorKind::StorageFull { Code::LogFull } else { Code::LogReadOnly };
        Error::new(code, format!("a file {ending} beside the realm's that can be written"), fault.kind().to_string())
    })
}

impl Turnstile {
    pub fn of(path: &Path) -> Result<Arc<Turnstile>> {
        let failed = |fault: std::io::Error| Error::new(Code::LogFailed, "a lock file", fault.kind().to_string());
        let mut open = OPEN
            .get_or_init(Mutex::default)
            .lock()
            .map_err(|_| Error::new(Code::Panic, "a table that no thread has left half changed", "one"))?;
        // Found by name first: to open the file only to look at it would already drop a lock when it is closed again.
        if let Ok(there) = std::fs::metadata(beside(path, ".lock"))
            && let Some(known) = open.get(&(there.dev(), there.ino())).and_then(Weak::upgrade)
        {
            return Ok(known);
        }
        let (turn, lock) = (open_beside(path, ".turn")?, open_beside(path, ".lock")?);
        let made = lock.metadata().map_err(failed)?;
        let turnstile = Arc::new(Turnstile { within: Mutex::new(false), free: Condvar::new(), turn, lock });
        open.retain(|_, known| known.strong_count() > 0);
        open.insert((made.dev(), made.ino()), Arc::downgrade(&turnstile));
        Ok(turnstile)
    }

    /// Waits for the turn. Raises `LogBusy`.
    pub fn take(self: &Arc<Self>) -> Result<Held> {
        let mut held = self.take_within();
        let in_line = waited(&self.turn, IN_LINE)?;
        let has_lock = waited(&self.lock, PATIENCE);
        if in_line {
            let _ = fcntl_lock(&self.turn, FlockOperation::Unlock);
        }
        held.has_lock = has_lock?;
        if held.has_lock {
            return Ok(held);
        }
        Err(Error::new(Code::LogBusy, "this writer's turn within 10 s", "another writer that does not go on"))
    }

    /// Among the threads of this process.
    fn take_within(self: &Arc<Self>) -> Held {
        // Nobody panics while he has the lock of it.
        let mut taken = self.within.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken {
            taken = self.free.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken = true;
        Held { turnstile: Arc::clone(self), has_lock: false }
    }
}

/// Whether the lock was to be had in time.
fn waited(file: &File, longest: Duration) -> Result<bool> {
    let start = Instant::now();
    loop {
        match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS | rustix::io::Errno::INTR) => {}
            Err(fault) => {
                return Err(Error::new(Code::LogFailed, "a lock on a file beside the realm's", fault.to_string()));
            }
        }
        if start.elapsed() >= longest {
            return Ok(false);
        }
        std::thread::sleep(STEP);
    }
}
