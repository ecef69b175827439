//! How long it takes to open a realm that is there, where the time goes, and how much memory it needs. Each way to open it runs in a
//! process of its own, so that nothing is in memory but what it needs, and its greatest size is its own. The file is in the system's cache.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::clock::cpu_of_all;
use crate::log::{Outcome, SENDERS, admitted, world};
use crate::support::{SEQUENCER, START, key};
use ama2sec_core::message::{Id, UnverifiedEnvelope};
use ama2sec_core::realm::engine::{Engine, Submission};
use ama2sec_core::realm::log::{Durability, Source, SqliteLog};
use ama2sec_core::realm::{Limits, Start};

/// Messages of one sender that are made at a time.
const SLICE: u32 = 1_250;
const READ: usize = 1_024;
/// What a process can be asked to do with the file: each does what the one before it does, and something more.
const WAYS: [&str; 4] = ["rows", "envelopes", "quick", "full"];

pub fn run(folder: &Path, records: u32) -> Outcome {
    let path = folder.join("large.db");
    let realm = filled(&path, records / u32::from(SENDERS))?;
    println!("opening a realm of {records} messages and what is before them, the file in the system's cache");
    for way in WAYS {
        let told =
            Command::new(std::env::current_exe()?).args(["log", "--open", way]).arg(&path).arg(hex(&realm)).output()?;
        if !told.status.success() {
            return Err(format!("{way}: {}", String::from_utf8_lossy(&told.stderr)).into());
        }
        print!("{}", String::from_utf8_lossy(&told.stdout));
    }
    Ok(())
}

/// A realm with so many messages of each sender.
fn filled(path: &Path, each: u32) -> Outcome<Id> {
    let world = world(path, Durability::Normal)?;
    for first in (1..=each).step_by(SLICE as usize) {
        for mine in world.entries(first..each.min(first + SLICE - 1) + 1)? {
            let items: Vec<Submission<'_>> = mine.iter().map(|envelope| Submission { envelope, body: None }).collect();
            world.engine.submit_many(&items, START)?.iter().try_for_each(admitted)?;
        }
    }
    Ok(world.realm)
}

/// What one process does: `bench log --open WAY PATH REALM`.
pub fn open(arguments: &[String]) -> Outcome {
    let [way, path, realm] = arguments else { return Err("log --open WAY PATH REALM".into()) };
    println!("{}", opened(way, &PathBuf::from(path), &unhex(realm)?)?);
    Ok(())
}

fn opened(way: &str, path: &Path, realm: &Id) -> Outcome<String> {
    let (begun, cpu) = (Instant::now(), cpu_of_all());
    let log = SqliteLog::open(path, None)?;
    let checked = begun.elapsed().as_secs_f64();
    let (said, count) = match way {
        "rows" => ("the pages checked, the rows read", rows(&log, |_| Ok(()))?),
        "envelopes" => (
            "and their envelopes read",
            rows(&log, |bytes| {
                let _ = UnverifiedEnvelope::parse(bytes)?;
                Ok(())
            })?,
        ),
        "quick" => ("opened quickly: all judged but signatures", loaded(log, realm, Start::Quick)?),
        "full" => ("opened in full", loaded(log, realm, Start::Full)?),
        _ => return Err("rows, envelopes, quick or full".into()),
    };
    let (took, spent) = (begun.elapsed().as_secs_f64(), (cpu_of_all() - cpu).as_secs_f64());
    let pages = if way == "rows" { format!(" (the pages: {checked:.2} s)") } else { String::new() };
    Ok(format!(
        "  {said:<42} {took:>6.2} s, {:>8.0} messages/s; CPU {spent:>6.2} s, {:>7.0} messages/s a core; at most {} MB{pages}",
        count as f64 / took,
        count as f64 / spent,
        peak_mb()
    ))
}

fn rows(log: &SqliteLog, mut each: impl FnMut(&[u8]) -> Outcome) -> Outcome<u64> {
    let mut count = 0;
    loop {
        let pairs = log.read(count, READ)?;
        if pairs.is_empty() {
            return Ok(count);
        }
        pairs.iter().try_for_each(|pair| each(&pair.envelope))?;
        count += pairs.len() as u64;
    }
}

fn loaded(log: SqliteLog, realm: &Id, start: Start) -> Outcome<u64> {
    let engine = Engine::load(log, key(SEQUENCER), realm, Limits::NONE, start)?;
    let count = engine.with(|replica| Ok(replica.records()))?;
    // Its memory is what is asked for, not how fast the system takes it back.
    std::mem::forget(engine);
    Ok(count)
}

/// The most that this process has ever had in memory.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default().to_owned();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn hex(id: &Id) -> String {
    ama2sec_core::text::hex(id)
}

fn unhex(text: &str) -> Outcome<Id> {
    let bytes = ama2sec_core::text::unhex(text).ok_or("64 digits")?;
    Ok(bytes.try_into().map_err(|_| "32 bytes")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_open_finds_all_that_is_there() {
        let folder = tempfile::tempdir().unwrap_or_else(|fault| unreachable!("{fault}"));
        let path = folder.path().join("a.db");
        let realm = filled(&path, 5).unwrap_or_else(|fault| unreachable!("{fault}"));
        assert_eq!(unhex(&hex(&realm)).ok(), Some(realm));
        let counts = || -> Outcome<[u64; 3]> {
            let log = || SqliteLog::open(&path, None);
            let quick = loaded(log()?, &realm, Start::Quick)?;
            Ok([rows(&log()?, |_| Ok(()))?, quick, loaded(log()?, &realm, Start::Full)?])
        };
        // The genesis, eight enrolments, an open, and the messages.
        assert_eq!(counts().ok(), Some([50; 3]));
        assert!(WAYS.iter().all(|way| opened(way, &path, &realm).is_ok()));
        assert!(opened("otherwise", &path, &realm).is_err());
    }
}
