//! Locks whose taking is a step, numbers that only differ, and time that passes by looking at it.

use std::sync::LockResult;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Space, Step, announce, is_alone, number};
pub use shuttle::sync::{MutexGuard, PoisonError, RwLockReadGuard, RwLockWriteGuard};

/// How often somebody looks before he gives up.
const LOOKS: usize = 2;

fn take(lock: u64) {
    if !is_alone() {
        announce(Step::new(Space::Memory, lock, 1, true));
    }
}

#[derive(Debug)]
pub struct Mutex<T>(u64, shuttle::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub fn new(value: T) -> Mutex<T> {
        Mutex(number(), shuttle::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        take(self.0);
        self.1.lock()
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

#[derive(Debug)]
pub struct RwLock<T>(u64, shuttle::sync::RwLock<T>);

impl<T> RwLock<T> {
    pub fn new(value: T) -> RwLock<T> {
        RwLock(number(), shuttle::sync::RwLock::new(value))
    }

    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        take(self.0);
        self.1.read()
    }

    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        take(self.0);
        self.1.write()
    }
}

#[derive(Debug)]
pub struct AtomicBool(u64, shuttle::sync::atomic::AtomicBool);

impl AtomicBool {
    pub fn new(value: bool) -> AtomicBool {
        AtomicBool(number(), shuttle::sync::atomic::AtomicBool::new(value))
    }

    pub fn load(&self, order: Ordering) -> bool {
        take(self.0);
        self.1.load(order)
    }

    pub fn store(&self, value: bool, order: Ordering) {
        take(self.0);
        self.1.store(value, order);
    }
}

pub struct Patience(usize);

impl Patience {
    /// However long it is: in a model others can do anything between two looks.
    pub fn of(_: Duration) -> Patience {
        Patience(LOOKS)
    }

    pub fn is_over(&mut self) -> bool {
        self.0 -= 1;
        self.0 == 0
    }
}

pub fn pause(_: Duration) {}

/// Never the same twice, in the part of it either that a gate says (halt.5.3).
pub fn fresh() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    COUNT.fetch_add(1, Ordering::Relaxed) << 1
}
