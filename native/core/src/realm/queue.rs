//! Callers that wait for one engine share transactions (log.2.3): one of them has it, takes along all who wait, and gives it to the first
//! of those who have come meanwhile.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::engine::Answer;
use super::incoming::Incoming;
use crate::errors::{Code, Error, Result};

/// What one caller has been told.
#[derive(Default)]
enum Told {
    #[default]
    Nothing,
    /// The same, and it waits to be told.
    Awaited,
    /// It is its turn to have the engine.
    Turn,
    Answer(Box<Result<Answer>>),
}

/// Where a caller waits.
#[derive(Default)]
struct Slot {
    told: Mutex<Told>,
    changed: Condvar,
}

impl Slot {
    fn tell(&self, what: Told) {
        // Nobody panics while he holds it: there is nothing in it that could be half changed.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // Each wake-up asks the system, and whoever has not come to wait yet needs none.
        if matches!(std::mem::replace(&mut *told, what), Told::Awaited) {
            self.changed.notify_one();
        }
    }
}

/// An entry that waits, on its own feet: its caller may be another thread.
pub(super) struct Job {
    pub incoming: Incoming,
    pub now: u64,
    slot: Arc<Slot>,
}

/// Who waits, in order, and whether somebody has the engine.
#[derive(Default)]
struct Line {
    jobs: VecDeque<Job>,
    led: bool,
}

#[derive(Default)]
pub(super) struct Queue(Mutex<Line>);

/// The ticket of one caller.
pub(super) struct Ticket(Arc<Slot>);

/// Gives the turn to the first who waits when it is dropped, also by a panic.
pub(super) struct Next<'a>(&'a Queue);

impl Job {
    pub fn answer(&self, answer: Result<Answer>) {
        self.slot.tell(Told::Answer(Box::new(answer)));
    }
}

impl Drop for Job {
    /// Whoever took it along may have panicked: its caller must not wait for ever.
    fn drop(&mut self) {
        let mut told = self.slot.told.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*told, Told::Nothing | Told::Awaited) {
            let fault = Error::new(Code::Panic, "an answer from whoever had the engine", "none");
            *told = Told::Answer(Box::new(Err(fault)));
            self.slot.changed.notify_one();
        }
    }
}

impl Ticket {
    /// Waits for the answer. None: it is this caller's turn, and its entry is the first of those who wait.
    pub fn wait(&self) -> Option<Result<Answer>> {
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match std::mem::take(&mut *told) {
                Told::Answer(answer) => return Some(*answer),
                Told::Turn => return None,
                Told::Nothing | Told::Awaited => {
                    *told = Told::Awaited;
                    told = self.0.changed.wait(told).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// The answer, if it is there, once.
    pub fn take(&self) -> Option<Result<Answer>> {
        match std::mem::take(&mut *self.0.told.lock().unwrap_or_else(PoisonError::into_inner)) {
            Told::Answer(answer) => Some(*answer),
            Told::Nothing | Told::Awaited | Told::Turn => None,
        }
    }
}

impl Drop for Next<'_> {
    fn drop(&mut self) {
        let mut line = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        match line.jobs.front() {
            Some(job) => job.slot.tell(Told::Turn),
            None => line.led = false,
        }
    }
}

impl Queue {
    fn line(&self) -> Result<MutexGuard<'_, Line>> {
        self.0.lock().map_err(|_| Error::new(Code::Panic, "a queue that no thread has left half changed", "one"))
    }

    /// Puts an entry at the end. Where nobody has the engine it is its caller's turn.
    pub fn push(&self, incoming: Incoming, now: u64) -> Result<Ticket> {
        let slot = Arc::<Slot>::default();
        let job = Job { incoming, now, slot: Arc::clone(&slot) };
        let mut line = self.line()?;
        if !line.led {
            line.led = true;
            slot.tell(Told::Turn);
        }
        line.jobs.push_back(job);
        drop(line);
        Ok(Ticket(slot))
    }

    /// Whether somebody has the engine, or waits for his process's turn with it.
    pub fn is_led(&self) -> bool {
        self.0.lock().is_ok_and(|line| line.led)
    }

    /// To be held by whoever has the turn.
    pub fn pass_on_later(&self) -> Next<'_> {
        Next(self)
    }

    /// Takes the first ones, at most so many.
    pub fn take(&self, most: usize) -> Result<Vec<Job>> {
        let mut line = self.line()?;
        let count = line.jobs.len().min(most);
        Ok(line.jobs.drain(..count).collect())
    }

    /// A caller that gives up takes its entry back, if nobody has taken it.
    pub fn leave(&self, ticket: &Ticket) -> Result<()> {
        self.line()?.jobs.retain(|job| !Arc::ptr_eq(&job.slot, &ticket.0));
        Ok(())
    }
}
