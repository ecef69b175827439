//! Gates: who is on his way, counted, so that a stop can say when nobody is any more (halt.5.3, halt.6.2).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::layout::{Content, GATE, GATES, Word, busy, gate_at};
use super::sidecar::{Sidecar, held};
use super::sync::{Mutex, Patience, pause};
use crate::errors::{Code, Error, Result};

const STEP: Duration = Duration::from_micros(200);

/// This process's gate. Without a sidecar it is a count in memory.
#[derive(Debug)]
pub(super) struct Gate {
    place: Mutex<Option<(Arc<Sidecar>, usize)>>,
    inside: Mutex<Inside>,
}

/// Who is on his way. Whoever goes in looks at the latch afterwards: so who went in when an epoch had been seen already will see that one,
/// or a later one, and only who went in before and has not looked since may act on less.
#[derive(Clone, Copy, Debug, Default)]
struct Inside {
    seen: u64,
    /// Rises with each epoch that is seen.
    generation: u64,
    fresh: u64,
    stale: u64,
}

impl Inside {
    fn state(&self) -> u64 {
        if self.fresh == 0 && self.stale == 0 { 0 } else { busy(self.seen, self.stale) }
    }
}

impl Gate {
    pub fn in_memory() -> Gate {
        Gate { place: Mutex::default(), inside: Mutex::default() }
    }

    /// A free gate of the sidecar, held until it is dropped. Raises `ArgumentRange` if there is none.
    pub fn of(sidecar: &Arc<Sidecar>) -> Result<Gate> {
        let mut own = held(&sidecar.own);
        for gate in (0..GATES).filter(|gate| !own.contains(gate)).collect::<Vec<_>>() {
            if sidecar.medium.lock(gate_at(gate), GATE) {
                own.insert(gate);
                drop(own);
                let taken = Gate { place: Mutex::new(Some((Arc::clone(sidecar), gate))), inside: Mutex::default() };
                taken.write(Word::default());
                return Ok(taken);
            }
        }
        let expected = format!("at most {GATES} programs that have the realm open");
        Err(Error::new(Code::ArgumentRange, expected, "one more"))
    }

    fn write(&self, word: Word) {
        if let Some((sidecar, gate)) = held(&self.place).as_ref().filter(|(sidecar, _)| sidecar.is_ours()) {
            // What cannot be written cannot be overwritten by a stop either.
            let _ = sidecar.medium.write_at(&word.encode(), gate_at(*gate));
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inside) -> T) -> T {
        let mut inside = held(&self.inside);
        let before = (inside.state(), inside.seen);
        let result = change(&mut inside);
        if (inside.state(), inside.seen) != before {
            self.write(Word { state: inside.state(), seen: inside.seen });
        }
        result
    }

    /// Somebody goes in: his ticket. To be called before he looks at the latch.
    pub fn enter(&self) -> u64 {
        self.change(|inside| {
            inside.fresh += 1;
            inside.generation
        })
    }

    /// Somebody looked, and saw this epoch: everybody who went in before has to look again.
    pub fn saw(&self, epoch: u64) {
        self.change(|inside| {
            if inside.seen != epoch {
                inside.seen = epoch;
                inside.generation += 1;
                inside.stale += std::mem::take(&mut inside.fresh);
            }
        });
    }

    /// The holder of a ticket has looked, and acts on this epoch: his new one. Where somebody else has seen a later one meanwhile, he has
    /// not seen it, and keeps his.
    pub fn looked(&self, ticket: u64, epoch: u64) -> u64 {
        self.change(|inside| {
            if ticket == inside.generation || epoch != inside.seen {
                return ticket;
            }
            inside.stale = inside.stale.saturating_sub(1);
            inside.fresh += 1;
            inside.generation
        })
    }

    pub fn leave(&self, ticket: u64) {
        self.change(|inside| {
            let count = if ticket == inside.generation { &mut inside.fresh } else { &mut inside.stale };
            *count = count.saturating_sub(1);
        });
    }

    fn state(&self) -> u64 {
        held(&self.inside).state()
    }
}

impl Gate {
    /// Lets others have it.
    pub fn close(&self) {
        // A forked child lets nothing go: it is its parent's.
        if let Some((sidecar, gate)) = held(&self.place).take().filter(|(sidecar, _)| sidecar.is_ours()) {
            let mut own = held(&sidecar.own);
            let _ = sidecar.medium.write_at(&Word::default().encode(), gate_at(gate));
            sidecar.medium.unlock(gate_at(gate), GATE);
            own.remove(&gate);
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.close();
    }
}

/// The gates that somebody holds, with what they say.
fn gates_of(sidecar: &Sidecar) -> Option<Vec<Word>> {
    let mut bytes = vec![0; GATES * GATE];
    sidecar.medium.read_at(&mut bytes, gate_at(0)).ok()?;
    let own = held(&sidecar.own).clone();
    let mut found = Vec::new();
    for (gate, bytes) in bytes.chunks_exact(GATE).enumerate() {
        if own.contains(&gate) || sidecar.medium.is_held_elsewhere(gate_at(gate), GATE) {
            found.push(Word::read(bytes.try_into().ok()?));
        }
    }
    Some(found)
}

/// halt.5.3: whether nobody is on his way any more who may not have seen what is latched now; the dead do not count. True by what the
/// gates say alone.
pub(super) fn quiesce(sidecar: Option<&Sidecar>, memory: &Gate, epoch: impl Fn() -> u64, longest: Duration) -> bool {
    let Some(sidecar) = sidecar else {
        return wait(longest, || [0, busy(epoch(), 0)].contains(&memory.state()));
    };
    wait(longest, || {
        let (Some(epoch), Some(gates)) = (sidecar.epoch(), gates_of(sidecar)) else { return false };
        gates.iter().all(|gate| gate.state == 0 || gate.state == busy(epoch, 0))
    })
}

fn wait(longest: Duration, mut done: impl FnMut() -> bool) -> bool {
    let mut patience = Patience::of(longest);
    loop {
        if done() {
            return true;
        }
        if patience.is_over() {
            return false;
        }
        pause(STEP);
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
        let saw = gates.iter().filter(|gate| Some(gate.seen) == epoch).count();
        (gates.len(), saw)
    };
    let took = AtomicU64::new(0);
    wait(longest, || {
        let (gates, saw) = count();
        took.store(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        gates == saw
    });
    let (gates, saw) = count();
    sidecar.free(written.slot, &content)?;
    Ok(Drill { gates, saw, took: Duration::from_micros(took.into_inner()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_looked_before_another_saw_the_change_has_not_seen_it() {
        let gate = Gate::in_memory();
        gate.saw(2);
        let (one, other) = (gate.enter(), gate.enter());
        // One has read the latch; then it changes, and the other is the first to see that.
        gate.saw(4);
        let other = gate.looked(other, 4);
        let one = gate.looked(one, 2);
        assert_eq!(gate.state(), busy(4, 1), "one acts on what was before");
        gate.leave(other);
        assert_eq!(gate.state(), busy(4, 1));
        let one = gate.looked(one, 4);
        assert_eq!(gate.state(), busy(4, 0));
        gate.leave(one);
        assert_eq!(gate.state(), 0);
    }
}
