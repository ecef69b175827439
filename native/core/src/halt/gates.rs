//! Gates: who is on his way, counted, so that a stop can say when nobody is any more (halt.5.3, halt.6.2).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::libc;

use super::layout::{Content, Counts, GATE, GATES, gate_at};
use super::sidecar::{Sidecar, held};
use crate::errors::{Code, Error, Result};
use std::os::unix::fs::FileExt;
use std::sync::Mutex;

const STEP: Duration = Duration::from_micros(200);

/// This process's gate. Without a sidecar it is a count in memory.
#[derive(Debug)]
pub(super) struct Gate {
    place: Option<(Arc<Sidecar>, usize)>,
    counts: Mutex<Counts>,
}

impl Gate {
    pub fn in_memory() -> Gate {
        Gate { place: None, counts: Mutex::default() }
    }

    /// A free gate of the sidecar, held until it is dropped. Raises `ArgumentRange` if there is none.
    pub fn of(sidecar: &Arc<Sidecar>) -> Result<Gate> {
        let mut own = held(&sidecar.own);
        for gate in (0..GATES).filter(|gate| !own.contains(gate)).collect::<Vec<_>>() {
            if sidecar.lock(gate_at(gate), GATE, libc::F_WRLCK) {
                own.insert(gate);
                drop(own);
                let taken = Gate { place: Some((Arc::clone(sidecar), gate)), counts: Mutex::default() };
                taken.write(Counts::default());
                return Ok(taken);
            }
        }
        let expected = format!("at most {GATES} programs that have the realm open");
        Err(Error::new(Code::ArgumentRange, expected, "one more"))
    }

    fn write(&self, counts: Counts) {
        if let Some((sidecar, gate)) = &self.place {
            // What cannot be counted is never quiesced: whoever asks reads the old numbers, or none.
            let _ = sidecar.file.write_all_at(&counts.encode(), gate_at(*gate));
        }
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = held(&self.counts);
        change(&mut counts);
        self.write(*counts);
    }

    pub fn enter(&self) {
        self.change(|counts| counts.entered = counts.entered.wrapping_add(1));
    }

    pub fn leave(&self) {
        self.change(|counts| counts.left = counts.left.wrapping_add(1));
    }

    pub fn saw(&self, epoch: u64) {
        self.change(|counts| counts.seen = epoch);
    }

    fn counts(&self) -> Counts {
        *held(&self.counts)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some((sidecar, gate)) = &self.place {
            let mut own = held(&sidecar.own);
            self.write(Counts::default());
            sidecar.lock(gate_at(*gate), GATE, libc::F_UNLCK);
            own.remove(gate);
        }
    }
}

/// The gates that somebody holds, with what they say.
fn gates_of(sidecar: &Sidecar) -> Option<Vec<(usize, Counts)>> {
    let mut bytes = vec![0; GATES * GATE];
    sidecar.file.read_exact_at(&mut bytes, gate_at(0)).ok()?;
    let own = held(&sidecar.own).clone();
    let mut found = Vec::new();
    for (gate, bytes) in bytes.chunks_exact(GATE).enumerate() {
        let counts = Counts::read(bytes.try_into().ok()?);
        if own.contains(&gate) || sidecar.is_held_elsewhere(gate_at(gate), GATE) {
            found.push((gate, counts));
        }
    }
    Some(found)
}

/// halt.5.3: whether everybody who was on his way when this was called has arrived, or is dead. True by counters alone.
pub(super) fn quiesce(sidecar: Option<&Sidecar>, memory: &Gate, longest: Duration) -> bool {
    let end = Instant::now() + longest;
    let Some(sidecar) = sidecar else {
        let then = memory.counts();
        return wait(end, || memory.counts().left >= then.entered);
    };
    let Some(then) = gates_of(sidecar) else { return false };
    let mut waiting: Vec<(usize, u64)> = then
        .into_iter()
        .filter(|(_, counts)| counts.left < counts.entered)
        .map(|(at, counts)| (at, counts.entered))
        .collect();
    wait(end, || {
        let Some(now) = gates_of(sidecar) else { return false };
        waiting.retain(|(gate, entered)| {
            now.iter().any(|(at, counts)| at == gate && counts.left < *entered && counts.entered >= *entered)
        });
        waiting.is_empty()
    })
}

fn wait(end: Instant, mut done: impl FnMut() -> bool) -> bool {
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(STEP);
    }
}

/// What a drill has found (halt.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drill {
    /// Programs that have the realm open.
    pub gates: usize,
    /// How many of them saw the change in time.
    pub saw: usize,
    /// How long it took until the last of these had seen it.
    pub took: Duration,
}

/// Raises `LatchForm` where no slot is free, and what writing one raises.
pub(super) fn drill(sidecar: &Sidecar, id: [u8; 16], longest: Duration) -> Result<Drill> {
    let begun = Instant::now();
    let content = Content::Drill(id);
    let written = sidecar.take(&content)?;
    let written = written.ok_or_else(|| Error::new(Code::LatchForm, "a free slot for the drill", "none"))?;
    let epoch = sidecar.epoch();
    let count = || {
        let gates = gates_of(sidecar).unwrap_or_default();
        let saw = gates.iter().filter(|(_, counts)| Some(counts.seen) == epoch).count();
        (gates.len(), saw)
    };
    let took = AtomicU64::new(0);
    wait(begun + longest, || {
        let (gates, saw) = count();
        took.store(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        gates == saw
    });
    let (gates, saw) = count();
    sidecar.free(written.slot, &content)?;
    Ok(Drill { gates, saw, took: Duration::from_micros(took.into_inner()) })
}
