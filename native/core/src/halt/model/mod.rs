//! What the model checker puts in the place of files, locks and time (decision 0015). Built under `cfg(ama2sec_shuttle)` only; never in a
//! product.
//!
//! Each step that others could notice is said before it is done: what it touches, and whether it changes it. Between two such steps there
//! is nothing that anybody else can see, so a search that orders only these steps, and only where they touch the same, leaves nothing out.

pub mod medium;
pub(super) mod sync;

use std::cell::{Cell, RefCell};
use std::sync::Arc;

pub use medium::{Fate, World};
use shuttle::current::{TaskId, me};
use shuttle::sync::atomic::{AtomicBool, Ordering};

use super::latch::Latch;
use super::sidecar::Sidecar;
use crate::errors::Result;

/// Where a step takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// The bytes of the sidecar.
    Bytes,
    /// The locks on them.
    Locks,
    /// What threads of one process share.
    Memory,
    /// What happens outside: somebody acts, a stop has returned.
    Outside,
}

/// A step: what it touches, from and before which place, and whether it changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub space: Space,
    pub from: u64,
    pub before: u64,
    pub changes: bool,
}

impl Step {
    pub fn new(space: Space, from: u64, length: u64, changes: bool) -> Step {
        Step { space, from, before: from.saturating_add(length), changes }
    }

    /// Whether it matters which of the two comes first.
    pub fn meets(&self, other: &Step) -> bool {
        self.space == other.space
            && (self.changes || other.changes)
            && self.from < other.before
            && other.from < self.before
    }
}

thread_local! {
    // All of one model's threads run on one thread of the machine.
    static NEXT: RefCell<Vec<Option<Step>>> = const { RefCell::new(Vec::new()) };
    static ALONE: RefCell<Vec<bool>> = const { RefCell::new(Vec::new()) };
    static LOCKS: Cell<u64> = const { Cell::new(0) };
}

fn put<T: Clone + Default>(table: &mut Vec<T>, at: usize, value: T) {
    if table.len() <= at {
        table.resize(at + 1, T::default());
    }
    table[at] = value;
}

/// The step that a thread is about to take. None: nothing that others could notice.
pub fn next_of(task: TaskId) -> Option<Step> {
    NEXT.with_borrow(|table| table.get(usize::from(task)).copied().flatten())
}

/// Before each execution, by its first thread, which uses nothing while others do.
pub fn begin() {
    NEXT.with_borrow_mut(Vec::clear);
    ALONE.with_borrow_mut(Vec::clear);
    LOCKS.set(0);
    alone();
}

/// The number of one more lock: the same in each execution.
fn number() -> u64 {
    LOCKS.replace(LOCKS.get() + 1)
}

/// The calling thread is the only one of its process: nobody shares its memory.
pub fn alone() {
    ALONE.with_borrow_mut(|table| put(table, usize::from(me()), true));
}

fn is_alone() -> bool {
    let me = usize::from(me());
    ALONE.with_borrow(|table| table.get(me).copied().unwrap_or_default())
}

/// Lets others go first, as often as they like; what comes behind it is the step.
fn announce(step: Step) {
    say(Some(step));
    AtomicBool::new(false).load(Ordering::SeqCst);
    say(None);
}

fn say(step: Option<Step>) {
    let me = usize::from(me());
    NEXT.with_borrow_mut(|table| put(table, me, step));
}

impl Latch {
    /// As `beside`, of a process of a model.
    pub fn model_beside(world: &Arc<World>, process: usize) -> Result<Latch> {
        Ok(Latch::with(Some(Sidecar::on(world.medium(process))?), super::gates::Gate::in_memory()))
    }

    /// As `open`, of a process of a model.
    pub fn model_open(world: &Arc<World>, process: usize) -> Result<Latch> {
        Latch::gated(Sidecar::on(world.medium(process))?)
    }
}
