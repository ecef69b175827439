//! A router with a million agents: how much memory an idle one takes, and how long an entry is on its way into an inbox. By the clock on
//! the wall, each entry by itself: what counts is the slowest hundredth. Prints; asserts nothing.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use crate::log::Outcome;
use crate::support::{QUORUMS, Random, SEQUENCER, START, genesis, key};
use ama2sec_core::message::{Addr, Id};
use ama2sec_core::realm::Limits;
use ama2sec_core::realm::engine::{Delivered, Engine};
use ama2sec_core::realm::inbox::{Addressed, Bell, Held, Router, Taken, Whom};
use ama2sec_core::realm::log::MemoryLog;

const MANY: usize = 1_000_000;
const FEW: usize = 10_000;
const ROUTED: usize = 200_000;
const BYTES: f64 = 200.0;
const P99_US: f64 = 2.0;
const AUTHOR: Id = [0xff; 32];

pub fn run() -> Outcome {
    let entry = entry()?;
    for count in [FEW, MANY] {
        agents(count, &entry)?;
    }
    Ok(())
}

/// One that is handed about: which one is nothing to a router.
fn entry() -> Outcome<Arc<Delivered>> {
    let (engine, _) = Engine::create(MemoryLog::new(), key(SEQUENCER), &genesis(QUORUMS, true), START, Limits::NONE)?;
    Ok(Arc::new(engine.entries(0, 1)?.pop().ok_or("an entry")?))
}

/// Ids as they are: no order, no pattern.
fn id(number: usize) -> Id {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (number as u64 + 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut id = [0; 32];
    for part in id.chunks_exact_mut(8) {
        part.copy_from_slice(&random.below(u64::MAX).to_be_bytes());
    }
    id
}

/// The pages of this process that are in memory, in bytes; None where the system does not say.
fn resident() -> Option<usize> {
    let told = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(told.split(' ').nth(1)?.parse::<usize>().ok()? * 4096)
}

fn agents(count: usize, entry: &Arc<Delivered>) -> Outcome {
    let (router, bell) = (Router::default(), Arc::new(Bell::new()?));
    // What the readers hold is theirs; it is there before the memory is measured.
    let none = Whom { id: AUTHOR, groups: [].into(), child: false };
    let mut held: Vec<Held> = Vec::with_capacity(count);
    router.close(&router.open(none, 1, 0, BTreeSet::new(), &bell)?)?;
    let before = resident();
    let mut handles = 0;
    for number in 0..count {
        let whom = Whom { id: id(number), groups: [].into(), child: false };
        held.push(router.open(whom, 1024, 0, BTreeSet::new(), &bell)?);
        handles += size_of::<Held>();
    }
    println!("a router with {count} agents");
    if let (Some(before), Some(after)) = (before, resident()) {
        let each = (after.saturating_sub(before).saturating_sub(handles)) as f64 / count as f64;
        let verdict = if each <= BYTES { "met" } else { "NOT MET" };
        println!(
            "  bytes of an idle agent {each:>8.0}   asked <= {BYTES}: {verdict}   (and {} of its reader)",
            size_of::<Held>()
        );
    }
    let mut times = routed(&router, &held, entry)?;
    let [half, p99, p999] = [0.5, 0.99, 0.999].map(|part| percentile(&mut times, part));
    let verdict = if p99 < P99_US { "met" } else { "NOT MET" };
    println!(
        "  into an inbox   p50 {half:>6.2} us   p99 {p99:>6.2} us   p99.9 {p999:>6.2} us   asked p99 < {P99_US}: {verdict}"
    );
    Ok(())
}

/// Microseconds of each entry, to agents in no order; each has read it before the next one comes.
fn routed(router: &Router, held: &[Held], entry: &Arc<Delivered>) -> Outcome<Vec<f64>> {
    let mut random = Random(7);
    let mut times = Vec::with_capacity(ROUTED);
    for position in 0..ROUTED as u64 {
        let reader = &held[usize::try_from(random.below(held.len() as u64))?];
        let to = [Addr::Id(reader.whom().id)];
        let addressed = Addressed { to: Some(&to), author: &AUTHOR };
        let start = Instant::now();
        router.put(black_box(addressed), position, &mut || Arc::clone(entry));
        times.push(start.elapsed().as_secs_f64() * 1e6);
        let number = router.read_by(reader)?;
        match router.take(reader, number)? {
            Taken::Message(_) => router.acknowledge(reader, position)?,
            _ => return Err("an entry that did not arrive".into()),
        }
    }
    Ok(times)
}

fn percentile(times: &mut [f64], part: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get((times.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_routed_arrives() {
        let entry = entry().unwrap_or_else(|fault| unreachable!("{fault}"));
        assert!(agents(100, &entry).is_ok());
    }
}
