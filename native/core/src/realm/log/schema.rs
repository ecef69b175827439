//! The file's form, its settings, and what SQLite's errors mean here (log.1, log.2).

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::errors::{Code, Error, Result};

/// "a2lg"
const APPLICATION: i32 = 0x6132_6c67;
/// The version of the tables below.
pub const VERSION: i32 = 1;
/// How long SQLite's own lock is waited for (log.2.4).
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

const TABLES: &str = "
    CREATE TABLE record (position INTEGER PRIMARY KEY, record BLOB NOT NULL) STRICT;
    CREATE TABLE envelope (position INTEGER PRIMARY KEY, envelope BLOB NOT NULL) STRICT;
    CREATE TABLE body (position INTEGER PRIMARY KEY, salt BLOB NOT NULL, body BLOB NOT NULL) STRICT;
    CREATE TABLE checkpoint (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL, note TEXT NOT NULL) STRICT;
    CREATE TABLE control (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
";

/// What survives what (log.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// What was answered survives a crash of the machine.
    Full,
    /// It survives a crash of the process.
    Normal,
}

impl Durability {
    pub fn as_str(self) -> &'static str {
        match self {
            Durability::Full => "full",
            Durability::Normal => "normal",
        }
    }

    /// Raises `ArgumentRange`.
    pub fn parse(text: &str) -> Result<Durability> {
        match text {
            "full" => Ok(Durability::Full),
            "normal" => Ok(Durability::Normal),
            other => {
                let got = crate::text::shown(other.as_bytes());
                Err(Error::new(Code::ArgumentRange, "durability full or normal", got))
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenAs {
    Writer,
    Reader,
}

/// What an error of SQLite is called here. Texts of SQLite name no content.
pub(super) fn named(fault: &rusqlite::Error) -> Error {
    let code = match fault.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Code::LogFull,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Code::LogReadOnly,
        // The third: others were killed, or suspended, while they set up the WAL, and it was not done within SQLite's own patience.
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            Code::LogBusy
        }
        Some(ErrorCode::DatabaseCorrupt) => Code::LogDamaged,
        Some(ErrorCode::NotADatabase) => Code::LogForm,
        Some(ErrorCode::CannotOpen) => Code::FileUnreadable,
        _ => Code::LogFailed,
    };
    let expected = match code {
        Code::LogFull => "room on the disk",
        Code::LogReadOnly => "a file and a folder that can be written",
        Code::LogBusy => "the lock of the file within 10 s",
        Code::LogDamaged => "sound pages",
        Code::LogForm => "a realm's file",
        Code::FileUnreadable => "a file that can be opened",
        _ => "an answer from SQLite",
    };
    Error::new(code, expected, fault.to_string())
}

/// An empty file of mode 0600 where nothing is: bodies are in it, and SQLite gives the files beside it the same mode. Raises `FileExists`,
/// `LogFull`, `LogReadOnly`.
pub(super) fn make_private(path: &Path) -> Result<()> {
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map(|_| ()).map_err(|fault| match fault.kind() {
        std::io::ErrorKind::AlreadyExists => Error::new(Code::FileExists, "a path where nothing is", "a file"),
        std::io::ErrorKind::StorageFull => Error::new(Code::LogFull, "room on the disk", "none"),
        _ => Error::new(Code::LogReadOnly, "a file that can be made", fault.kind().to_string()),
    })
}

/// Makes the file. A crash in the middle leaves one that is no realm's (`LogForm`). Raises `FileExists`.
pub(super) fn create(path: &Path, durability: Durability) -> Result<()> {
    make_private(path)?;
    let filled = (|| -> rusqlite::Result<()> {
        let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.execute_batch("PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(TABLES)?;
        transaction.execute("INSERT INTO meta VALUES ('durability', ?1)", [durability.as_str()])?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()
    })();
    filled.map_err(|fault| {
        // Nothing of a realm is in it yet.
        let _ = std::fs::remove_file(path);
        named(&fault)
    })
}

/// A connection to a file that is there, and the durability that it was made with.
pub(super) fn open(path: &Path, how: OpenAs) -> Result<(Connection, Durability)> {
    let mode = match how {
        OpenAs::Writer => OpenFlags::SQLITE_OPEN_READ_WRITE,
        OpenAs::Reader => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    if !path.is_file() {
        return Err(Error::new(Code::FileUnreadable, "a realm's file", "no file"));
    }
    let opened = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let connection = opened.map_err(|fault| named(&fault))?;
    let durability = check_form(&connection)?;
    settle(&connection, how, durability).map_err(|fault| named(&fault))?;
    if how == OpenAs::Writer {
        check_pages(&connection)?;
    }
    Ok((connection, durability))
}

/// Every page, also those that a replay does not read (log.2.4).
fn check_pages(connection: &Connection) -> Result<()> {
    let said = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match said.map_err(|fault| named(&fault))?.as_str() {
        "ok" => Ok(()),
        other => Err(Error::new(Code::LogDamaged, "sound pages", crate::text::shown(other.as_bytes()))),
    }
}

fn check_form(connection: &Connection) -> Result<Durability> {
    let asked = |name: &str| -> Result<i32> {
        connection.pragma_query_value(None, name, |row| row.get(0)).map_err(|fault| named(&fault))
    };
    connection.busy_timeout(PATIENCE).map_err(|fault| named(&fault))?;
    let (application, version) = (asked("application_id")?, asked("user_version")?);
    if application != APPLICATION {
        return Err(Error::new(Code::LogForm, "a realm's file", "a file of another application"));
    }
    if version != VERSION {
        let expected = format!("a realm's file of version {VERSION}");
        return Err(Error::new(Code::LogVersion, expected, version.to_string()));
    }
    let kept = connection.query_row("SELECT value FROM meta WHERE name = 'durability'", [], |row| row.get(0));
    let kept: String = match kept {
        Err(rusqlite::Error::QueryReturnedNoRows) => String::new(),
        other => other.map_err(|fault| named(&fault))?,
    };
    Durability::parse(&kept).map_err(|_| Error::new(Code::LogForm, "durability full or normal", "another"))
}

fn settle(connection: &Connection, how: OpenAs, durability: Durability) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(16);
    // A file may hold triggers and views that its owner has put there: nothing of the kind runs.
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    if how == OpenAs::Writer {
        let synchronous = match durability {
            Durability::Full => "FULL",
            Durability::Normal => "NORMAL",
        };
        // A backup that was put back is no WAL file yet.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.pragma_update(None, "secure_delete", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", 8000)?;
    }
    Ok(())
}
