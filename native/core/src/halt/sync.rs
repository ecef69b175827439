//! What the latch has from the outside: locks, numbers, time. The model checker puts its own in their place (`model/sync.rs`, decision 0015).

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(super) use std::sync::atomic::AtomicBool;
pub(super) use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

/// How long somebody waits.
pub(super) struct Patience(Instant);

impl Patience {
    pub fn of(longest: Duration) -> Patience {
        Patience(Instant::now() + longest)
    }

    pub fn is_over(&mut self) -> bool {
        Instant::now() >= self.0
    }
}

pub(super) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A number that nobody has had: only that it differs is ever asked.
pub(super) fn fresh() -> u64 {
    static RANDOM: OnceLock<RandomState> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    RANDOM.get_or_init(RandomState::new).hash_one((count, now, std::process::id()))
}
