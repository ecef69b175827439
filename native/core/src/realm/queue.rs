//! Callers that wait for one engine share transactions (log.2.3): whoever gets it takes along all who wait.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use super::engine::{Answer, Submission};
use super::sequencing::{Incoming, read};
use crate::errors::{Code, Error, Result};
use crate::message::BodyPart;

/// Where the answer to one caller is put.
type Slot = Arc<Mutex<Option<Result<Answer>>>>;

/// An entry that waits, on its own feet: its caller may be another thread.
pub(super) struct Job {
    pub incoming: Incoming,
    body: Option<(Vec<u8>, Vec<u8>)>,
    pub now: u64,
    slot: Slot,
}

/// Who waits, in order.
#[derive(Default)]
pub(super) struct Queue(Mutex<VecDeque<Job>>);

/// The ticket of one caller.
pub(super) struct Ticket(Slot);

impl Job {
    /// The body as it was handed in.
    pub fn body(&self) -> Option<BodyPart<'_>> {
        self.body.as_ref().map(|(salt, body)| BodyPart { salt, body })
    }

    pub fn answer(&self, answer: Result<Answer>) {
        // Nobody holds a slot while he panics; if it were so, its caller says that there is no answer.
        if let Ok(mut slot) = self.slot.lock() {
            *slot = Some(answer);
        }
    }
}

impl Ticket {
    /// The answer, once.
    pub fn take(&self) -> Option<Result<Answer>> {
        self.0.lock().ok()?.take()
    }
}

impl Queue {
    fn waiting(&self) -> Result<MutexGuard<'_, VecDeque<Job>>> {
        self.0.lock().map_err(|_| Error::new(Code::Panic, "a queue that no thread has left half changed", "one"))
    }

    /// Puts an entry at the end. It is read here, outside the engine's lock.
    pub fn push(&self, entry: &Submission<'_>, now: u64) -> Result<Ticket> {
        let slot = Slot::default();
        let body = entry.body.map(|part| (part.salt.to_vec(), part.body.to_vec()));
        let job = Job { incoming: read(entry), body, now, slot: Arc::clone(&slot) };
        self.waiting()?.push_back(job);
        Ok(Ticket(slot))
    }

    /// Takes the first ones, at most so many.
    pub fn take(&self, most: usize) -> Result<Vec<Job>> {
        let mut waiting = self.waiting()?;
        let count = waiting.len().min(most);
        Ok(waiting.drain(..count).collect())
    }

    /// A caller that gives up takes its entry back, if nobody has taken it.
    pub fn leave(&self, ticket: &Ticket) -> Result<()> {
        self.waiting()?.retain(|job| !Arc::ptr_eq(&job.slot, &ticket.0));
        Ok(())
    }
}
