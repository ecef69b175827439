//! How long a stop takes until it is in force: in this process under a flood of others that look, from a process that is already running,
//! with and without a flood of `fdatasync` beside it, and among forged stops. By the clock on the wall. Prints; asserts nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use ama2sec_core::halt::{Content, Header, Latch, Scope, Sidecar};
use ama2sec_core::identity::Purpose;
use ama2sec_core::message::{HaltPart, Id, Proposal, Seq};
use ama2sec_core::realm::Limits;
use ama2sec_core::realm::draft::{Bare, Parts, draft_halt, draft_proposal};
use ama2sec_core::realm::engine::{Engine, Submission};
use ama2sec_core::realm::log::MemoryLog;

use crate::support::{self, QUORUMS, SEQUENCER, START, Who, enrol_part, genesis, key, root};

type Outcome<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const ROUNDS: usize = 1_000;
const LOOKERS: usize = 4;
const FORGED: usize = 100_000;
const OPERATOR: u16 = 9_000;

fn content(number: usize) -> Content {
    let mut salt = [0; 16];
    salt[..8].copy_from_slice(&(number as u64).to_be_bytes());
    Content::Local { salt, time: START, scope: Scope::Realm.encode(), reason: "a measured stop".to_owned() }
}

pub fn run() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("realm.db.stop");
    Sidecar::create(&path, &Header::default())?;
    let latch = Latch::open(&path)?;
    let mut looks: Vec<f64> = (0..100 * ROUNDS).map(|_| timed(|| drop(latch.look()))).collect();
    line("a look at an unchanged latch", &mut looks, None);
    in_process(&latch, folder.path())?;
    elsewhere(&path, folder.path(), false)?;
    elsewhere(&path, folder.path(), true)?;
    forged()
}

/// Microseconds.
fn timed(act: impl FnOnce()) -> f64 {
    let start = Instant::now();
    act();
    start.elapsed().as_secs_f64() * 1e6
}

fn line(what: &str, times: &mut [f64], asked: Option<f64>) {
    times.sort_by(f64::total_cmp);
    let [half, p99, most] = [0.5, 0.99, 1.0].map(|part| times[((times.len() - 1) as f64 * part) as usize]);
    let verdict = asked.map_or(String::new(), |asked| {
        format!("   asked p99 < {asked:.0}: {}", if p99 < asked { "met" } else { "NOT MET" })
    });
    println!("{what:<64} p50 {half:>7.1} us   p99 {p99:>7.1}   most {most:>8.1}{verdict}");
}

/// Each stop is freed again, outside what is timed: a sidecar has 127 slots for them.
fn one_stop(latch: &Latch, number: usize) -> Outcome<f64> {
    let content = content(number);
    let mut written = Ok(None);
    let took = timed(|| written = latch.stop(content.clone()));
    written?.ok_or("a stop of its own")?;
    let seen = latch.look().stops.iter().find(|stop| stop.content == content).cloned().ok_or("a stop that is seen")?;
    latch.free(&seen)?;
    Ok(took)
}

/// Beside it, in turn: what a stop writes, into a file that nobody else has. What both wait for is the scheduler's.
fn in_process(latch: &Latch, folder: &Path) -> Outcome {
    let done = AtomicBool::new(false);
    let bare = File::create(folder.join("bare"))?;
    let mut times = std::thread::scope(|scope| {
        for _ in 0..LOOKERS {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    drop(latch.enter().look());
                }
            });
        }
        let both = |number| Ok((one_stop(latch, number)?, bare_writes(&bare)));
        let times: Outcome<Vec<(f64, f64)>> = (0..ROUNDS).map(both).collect();
        done.store(true, Ordering::Relaxed);
        times
    })?;
    let (mut stops, mut writes): (Vec<f64>, Vec<f64>) = times.drain(..).unzip();
    line(&format!("a stop in process, {LOOKERS} threads going in and out"), &mut stops, Some(50.0));
    line("three bare writes of as many bytes beside it, in turn", &mut writes, None);
    Ok(())
}

/// Content, head and epoch.
fn bare_writes(file: &File) -> f64 {
    let bytes = [7; 64];
    timed(|| {
        for (at, length) in [(16_384, 64), (8_192, 32), (112, 8)] {
            let _ = file.write_all_at(&bytes[..length], at);
        }
    })
}

/// What the other process does: a stop for each line that it is given.
pub fn child(path: &str) -> Outcome {
    let latch = Latch::beside(Path::new(path))?;
    for (number, line) in std::io::stdin().lines().enumerate() {
        line?;
        println!("{}", one_stop(&latch, number)?);
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn elsewhere(path: &Path, folder: &Path, flood: bool) -> Outcome {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["latch", "--child"])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (mut ask, answers) = (child.stdin.take().ok_or("stdin")?, child.stdout.take().ok_or("stdout")?);
    let done = AtomicBool::new(false);
    let times = std::thread::scope(|scope| {
        if flood {
            for number in 0..2 {
                let (done, file) = (&done, folder.join(format!("flood-{number}")));
                scope.spawn(move || pour(&file, done));
            }
        }
        let mut lines = BufReader::new(answers).lines();
        let times: Outcome<Vec<f64>> = (0..ROUNDS)
            .map(|_| {
                writeln!(ask)?;
                Ok(lines.next().ok_or("an answer")??.parse::<f64>()?)
            })
            .collect();
        done.store(true, Ordering::Relaxed);
        times
    });
    drop(ask);
    child.wait()?;
    let beside = if flood { "two threads of fdatasync beside it" } else { "a quiet disk" };
    line(&format!("a stop from another process, {beside}"), &mut times?, Some(1_000.0));
    Ok(())
}

fn pour(file: &PathBuf, done: &AtomicBool) -> std::io::Result<()> {
    let mut file = File::create(file)?;
    while !done.load(Ordering::Relaxed) {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
    }
    Ok(())
}

fn halt_by(who: Who, realm: Id, number: usize) -> Vec<u8> {
    let mut salt = [0; 16];
    salt[..8].copy_from_slice(&(number as u64).to_be_bytes());
    let part = HaltPart { scope: Scope::Realm.encode(), reason: String::new() };
    support::signed(who, |author| draft_halt(author, Bare { realm, time: START, salt }, part, false))
}

/// A real stop while another thread hands in forged ones as fast as it can.
fn forged() -> Outcome {
    let (engine, genesis) =
        Engine::create(MemoryLog::new(), key(SEQUENCER), &genesis(QUORUMS, true), START, Limits::NONE)?;
    let realm = genesis.id;
    let part = enrol_part(realm, "operator", OPERATOR, Purpose::Operator, &[], None);
    let parts = Parts {
        recipients: Vec::new(),
        seq: Seq { epoch: START, counter: 1 },
        time: START,
        salt: [1; 16],
        body: None,
        workflow: None,
    };
    let entry = engine.with(|replica| {
        let state = replica.state();
        let seen = state.seen_registry(state.registry_size())?;
        Ok(support::signed(root(0), |author| draft_proposal(author, &parts, &seen, Proposal::Enrol(Box::new(part)))))
    })?;
    engine.submit(Submission { envelope: &entry, body: None }, START)?;
    let operator = Who { seed: OPERATOR, agent: support::id_of(&entry), grant: None };
    let real: Vec<Vec<u8>> = (0..100).map(|number| halt_by(operator, realm, number)).collect();
    // The operator's own key and id, and a signature that does not verify: the dearest kind of forgery.
    let mut forgery = halt_by(operator, realm, 1 << 32);
    if let Some(last) = forgery.last_mut() {
        *last ^= 1;
    }
    let done = AtomicBool::new(false);
    let (mut times, poured) = std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let mut poured = 0;
            while poured < FORGED || !done.load(Ordering::Relaxed) {
                if engine.halt(&forgery).is_ok() {
                    return Err("a forged stop was latched");
                }
                poured += 1;
            }
            Ok(poured)
        });
        let mut times = Vec::new();
        for envelope in &real {
            std::thread::sleep(std::time::Duration::from_millis(15));
            let mut halted = None;
            times.push(timed(|| halted = engine.halt(envelope).ok()));
            halted.ok_or("a stop that is latched")?;
        }
        done.store(true, Ordering::Relaxed);
        Ok::<_, Box<dyn std::error::Error>>((times, flood.join().map_err(|_| "a panic")??))
    })?;
    line(&format!("a signed stop among {poured} forged ones"), &mut times, None);
    Ok(())
}
