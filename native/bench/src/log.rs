//! A realm in a file: senders in several threads with `fsync` before each answer, against a bare SQLite loop with the same rows and the
//! same sharing of commits. By the clock on the wall, because a disk's time is no CPU time: on a busy machine both sides wait, so they take
//! turns, and each ratio is of two rounds that followed on one another. Prints; asserts only that every entry is admitted.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Instant;

use crate::opening;
use crate::support::{self, QUORUMS, SEQUENCER, START, Who, enrol_part, genesis, key, root};
use ama2sec_core::identity::Purpose;
use ama2sec_core::message::{Id, OpenPart, Proposal, Seq};
use ama2sec_core::realm::draft::{Author, Parts, draft_message, draft_open, draft_proposal};
use ama2sec_core::realm::engine::{Answer, Engine, Submission};
use ama2sec_core::realm::log::{Durability, Log, SqliteLog};
use ama2sec_core::realm::{Limits, State};
use rusqlite::{Connection, TransactionBehavior, params};

pub(crate) type Outcome<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

pub(crate) const SENDERS: u16 = 8;
/// Checkpoints of SQLite lie 8,000 pages apart, and each stops somebody: enough messages for several.
const EACH: u32 = 2_500;
/// Turns that each side takes.
const ROUNDS: usize = 10;
const P99_MS: f64 = 1.2;
const BARE: f64 = 1.3;

pub fn run(big: bool) -> Outcome {
    let folder = tempfile::tempdir()?;
    senders(folder.path(), Durability::Full)?;
    senders(folder.path(), Durability::Normal)?;
    opening::run(folder.path(), if big { 1_000_000 } else { 50_000 })
}

/// What one sender hands in.
type Entries = Vec<Vec<u8>>;

struct Made {
    world: World,
    entries: Vec<Entries>,
}

/// A realm with senders in one conversation.
pub(crate) struct World {
    pub engine: Engine<SqliteLog>,
    pub realm: Id,
    people: Vec<Who>,
    chat: Id,
}

fn parts(counter: u32, salt: u16) -> Parts<'static> {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&counter.to_be_bytes());
    bytes[4..6].copy_from_slice(&salt.to_be_bytes());
    let seq = Seq { epoch: START, counter };
    Parts { recipients: Vec::new(), seq, time: START, salt: bytes, body: None }
}

pub(crate) fn admitted(answer: &Answer) -> Outcome {
    match answer {
        Answer::Sequenced { error: None, .. } => Ok(()),
        other => Err(format!("not admitted: {other:?}").into()),
    }
}

fn hand_in<L: Log>(engine: &Engine<L>, envelope: &[u8]) -> Outcome {
    admitted(&engine.submit(Submission { envelope, body: None }, START)?)
}

/// A realm with senders.
pub(crate) fn world(path: &Path, durability: Durability) -> Outcome<World> {
    let log = SqliteLog::create(path, durability)?;
    let (engine, genesis) = Engine::create(log, key(SEQUENCER), &genesis(QUORUMS, true), START, Limits::NONE)?;
    let realm = genesis.id;
    let mut people = Vec::new();
    for number in 0..SENDERS {
        let seed = 2_000 + number;
        let part = enrol_part(realm, &format!("sender-{number}"), seed, Purpose::Message, &[], None);
        let envelope = drafted(&engine, root(0), |author, state| {
            let seen = state.seen_registry(state.registry_size())?;
            draft_proposal(author, &parts(u32::from(number) + 1, 0), &seen, Proposal::Enrol(Box::new(part)))
        })?;
        hand_in(&engine, &envelope)?;
        people.push(Who { seed, agent: support::id_of(&envelope), grant: None });
    }
    let first = *people.first().ok_or("a sender")?;
    let open = drafted(&engine, first, |author, state| {
        let open = OpenPart { members: None, required: false, definition: None };
        draft_open(author, &parts(1, 0), &state.seen_registry(state.registry_size())?, open)
    })?;
    hand_in(&engine, &open)?;
    let chat = support::id_of(&open);
    Ok(World { engine, realm, people, chat })
}

impl World {
    /// What each of the senders says next, under these numbers.
    pub fn entries(&self, numbers: Range<u32>) -> Outcome<Vec<Entries>> {
        let chat = &self.chat;
        let say = |who: Who, counter: u32| {
            drafted(&self.engine, who, |author, state| {
                let seen = state.seen(state.seen_registry(state.registry_size())?, chat, chat, 1)?;
                draft_message(author, &parts(counter, who.seed), &seen, Vec::new())
            })
        };
        let all = |who: &Who| numbers.clone().map(|counter| say(*who, counter)).collect::<Outcome<Entries>>();
        self.people.iter().map(all).collect()
    }
}

fn made(path: &Path, durability: Durability, each: u32) -> Outcome<Made> {
    let world = world(path, durability)?;
    let entries = world.entries(1..each + 1)?;
    Ok(Made { world, entries })
}

fn drafted<L: Log>(
    engine: &Engine<L>,
    who: Who,
    draft: impl FnOnce(Author<'_>, &State) -> ama2sec_core::errors::Result<ama2sec_core::message::Draft>,
) -> Outcome<Vec<u8>> {
    Ok(engine.with(|replica| Ok(support::signed(who, |author| draft(author, replica.state()))))?)
}

/// Milliseconds from call to answer of each message, all senders at once; and how long it took altogether, in s.
fn timed(entries: &[&[Vec<u8>]], hand_in: impl Fn(&[u8]) -> Outcome + Sync) -> Outcome<(Vec<f64>, f64)> {
    let start = Instant::now();
    let times = std::thread::scope(|scope| {
        let send = |mine: &[Vec<u8>]| {
            mine.iter()
                .map(|entry| {
                    let start = Instant::now();
                    hand_in(entry).map_err(|fault| fault.to_string())?;
                    Ok(start.elapsed().as_secs_f64() * 1e3)
                })
                .collect::<std::result::Result<Vec<f64>, String>>()
        };
        let threads: Vec<_> = entries.iter().copied().map(|mine| scope.spawn(move || send(mine))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a sender panicked".to_owned())?).collect()
    });
    let times: std::result::Result<Vec<Vec<f64>>, String> = times;
    Ok((times?.concat(), start.elapsed().as_secs_f64()))
}

fn senders(folder: &Path, durability: Durability) -> Outcome {
    let path = folder.join(format!("{}.db", durability.as_str()));
    let made = made(&path, durability, EACH)?;
    let bare = Bare::new(&folder.join(format!("{}-bare.db", durability.as_str())), durability)?;
    let before = commits(&path)?;
    let (mut ours, mut theirs, mut ratios) = (Side::default(), Side::default(), Vec::new());
    for round in 0..ROUNDS {
        let size = EACH as usize / ROUNDS;
        let slices: Vec<&[Vec<u8>]> = made.entries.iter().filter_map(|mine| mine.chunks(size).nth(round)).collect();
        let p99 = ours.take(timed(&slices, |entry| hand_in(&made.world.engine, entry))?);
        ratios.push(p99 / theirs.take(timed(&slices, |entry| bare.put(entry))?));
    }
    println!("{SENDERS} senders in threads, {EACH} messages each, durability {}", durability.as_str());
    ours.line("ama2sec", commits(&path)? - before);
    theirs.line("bare SQLite, same rows, shared commits", bare.commits()?);
    let (p99, ratio) = (percentile(&mut ours.times, 0.99), percentile(&mut ratios, 0.5));
    let verdict = |met: bool| if met { "met" } else { "NOT MET" };
    if durability == Durability::Full {
        println!("  p99 {p99:.2} ms, asked < {P99_MS}: {}", verdict(p99 < P99_MS));
        let (least, most) = (percentile(&mut ratios, 0.0), percentile(&mut ratios, 0.999));
        println!(
            "  p99 is {ratio:.2}x the bare loop's in the median of {ROUNDS} rounds ({least:.2} to {most:.2}), asked <= {BARE}: {}",
            verdict(ratio <= BARE)
        );
    }
    Ok(())
}

/// What was measured of one side, in ms and s.
#[derive(Default)]
struct Side {
    times: Vec<f64>,
    took: f64,
}

impl Side {
    /// One round more: its p99.
    fn take(&mut self, (mut times, took): (Vec<f64>, f64)) -> f64 {
        let p99 = percentile(&mut times, 0.99);
        self.times.extend(times);
        self.took += took;
        p99
    }

    fn line(&mut self, what: &str, commits: u64) {
        let shared = self.times.len() as f64 / commits as f64;
        let rate = self.times.len() as f64 / self.took;
        let [half, p99, p999] = [0.5, 0.99, 0.999].map(|part| percentile(&mut self.times, part));
        println!(
            "  {what:<40} p50 {half:>6.2} ms   p99 {p99:>6.2} ms   p99.9 {p999:>6.2} ms   {rate:>8.0} messages/s, {shared:.1} a commit"
        );
    }
}

/// How often somebody was woken, which is once a commit (log.4).
fn commits(realm: &Path) -> Outcome<u64> {
    let mut wake = PathBuf::from(realm).into_os_string();
    wake.push(".wake");
    let count = std::fs::read(wake)?.try_into().map_err(|_| "a counter of 8 bytes")?;
    Ok(u64::from_be_bytes(count))
}

fn percentile(times: &mut [f64], part: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get((times.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN)
}

/// The same rows, and the same way to share a commit, without any judgement.
struct Bare {
    connection: Mutex<Connection>,
    line: Mutex<Line>,
    changed: Condvar,
}

/// Who waits, how many were handed in, committed and committed at once, and whether somebody is about it.
#[derive(Default)]
struct Line {
    waiting: Vec<(u64, Vec<u8>)>,
    handed: u64,
    done: u64,
    commits: u64,
    busy: bool,
}

impl Bare {
    fn new(path: &Path, durability: Durability) -> Outcome<Bare> {
        drop(SqliteLog::create(path, durability)?);
        let connection = Connection::open(path)?;
        let synchronous = if durability == Durability::Full { "FULL" } else { "NORMAL" };
        connection.execute_batch(&format!(
            "PRAGMA synchronous={synchronous}; PRAGMA secure_delete=ON; PRAGMA wal_autocheckpoint=8000"
        ))?;
        Ok(Bare { connection: Mutex::new(connection), line: Mutex::default(), changed: Condvar::new() })
    }

    fn line(&self) -> Outcome<MutexGuard<'_, Line>> {
        self.line.lock().map_err(|_| "a sender panicked".into())
    }

    fn commits(&self) -> Outcome<u64> {
        Ok(self.line()?.commits)
    }

    fn put(&self, entry: &[u8]) -> Outcome {
        let mut line = self.line()?;
        let mine = line.handed;
        line.handed += 1;
        line.waiting.push((mine, entry.to_vec()));
        while line.busy && line.done <= mine {
            line = self.changed.wait(line).map_err(|_| "a sender panicked")?;
        }
        if line.done > mine {
            return Ok(());
        }
        line.busy = true;
        let batch = std::mem::take(&mut line.waiting);
        drop(line);
        let size = self.write(&batch)?;
        let mut line = self.line()?;
        (line.done, line.commits, line.busy) = (size, line.commits + 1, false);
        drop(line);
        self.changed.notify_all();
        Ok(())
    }

    fn write(&self, batch: &[(u64, Vec<u8>)]) -> Outcome<u64> {
        let mut connection = self.connection.lock().map_err(|_| "a sender panicked")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (position, entry) in batch {
            let position = i64::try_from(*position)?;
            transaction.prepare_cached("INSERT INTO record VALUES (?1, ?2)")?.execute(params![position, [7u8; 164]])?;
            transaction.prepare_cached("INSERT INTO envelope VALUES (?1, ?2)")?.execute(params![position, entry])?;
        }
        let put = "INSERT OR REPLACE INTO checkpoint VALUES (1, ?1, ?2)";
        let size = batch.last().map_or(0, |(position, _)| position + 1);
        transaction.prepare_cached(put)?.execute(params![i64::try_from(size)?, "x".repeat(250)])?;
        transaction.commit()?;
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_admitted_and_opens_again() {
        let folder = tempfile::tempdir().unwrap_or_else(|fault| unreachable!("{fault}"));
        let made =
            made(&folder.path().join("a.db"), Durability::Full, 5).unwrap_or_else(|fault| unreachable!("{fault}"));
        let entries: Vec<&[Vec<u8>]> = made.entries.iter().map(Vec::as_slice).collect();
        let ours = timed(&entries, |entry| hand_in(&made.world.engine, entry));
        assert_eq!(ours.map(|(times, _)| times.len()).ok(), Some(40));
        let again = timed(&entries, |entry| hand_in(&made.world.engine, entry));
        assert!(again.is_err(), "duplicates are no figure");
    }
}
