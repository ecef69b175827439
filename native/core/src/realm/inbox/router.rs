//! The agents that are open in this process, and what waits for them. No lock is over all of them: each part has its own.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::addressed::{Addressed, Whom};
use super::bell::Bell;
use super::mailbox::Unread;
use super::shard::{Arrival, Beginning, Place, Shard, Slot, token};
use crate::errors::{Code, Error, Result};
use crate::message::{Addr, Id};
use crate::realm::engine::Delivered;

const SHARDS: usize = 64;

/// Who is open, in parts by the first byte of the id.
#[derive(Debug)]
pub struct Router {
    shards: Box<[Mutex<Shard>]>,
    open: AtomicUsize,
    /// Up to where entries were handed on.
    delivered: AtomicU64,
}

/// An agent that is open: what its reader holds.
#[derive(Debug)]
pub struct Held {
    whom: Whom,
    place: Place,
}

/// What a reader finds.
#[derive(Debug)]
pub enum Taken {
    Message(Arc<Delivered>),
    /// Nothing waits: the bell is rung when something does.
    Nothing,
    /// What waits is in the log, and has to be read there first.
    Behind,
}

impl Default for Router {
    fn default() -> Router {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Router { shards, open: AtomicUsize::new(0), delivered: AtomicU64::new(0) }
    }
}

fn shard_of(id: &Id) -> usize {
    usize::from(id[0]) % SHARDS
}

impl Held {
    pub fn whom(&self) -> &Whom {
        &self.whom
    }

    /// By what its bell names it.
    pub fn token(&self) -> u64 {
        token(shard_of(&self.whom.id), self.place.slot)
    }
}

impl Router {
    fn shard(&self, number: usize) -> MutexGuard<'_, Shard> {
        // A panic in here would have stopped the engine, which delivers under its own lock; a reader's is its own.
        let shard = &self.shards[number % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot<T>(&self, held: &Held, ask: impl FnOnce(&mut Slot) -> Result<T>) -> Result<T> {
        ask(self.shard(shard_of(&held.whom.id)).slot(held.place)?)
    }

    /// Whether nobody is open: then an entry need not be handed on.
    pub fn is_empty(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

    /// Up to where entries were handed on.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Acquire)
    }

    pub(super) fn set_delivered(&self, position: u64) {
        self.delivered.store(position, Ordering::Release);
    }

    // -- who is here -------------------------------------------------------------------------------------------------

    /// An agent that reads from `start` on but for what it has acknowledged there, and has at most `limit` messages in memory. The engine
    /// opens it under its lock, so that no entry comes in between.
    pub fn open(&self, whom: Whom, limit: u32, start: u64, acked: BTreeSet<u64>, bell: &Arc<Bell>) -> Result<Held> {
        if limit == 0 {
            return Err(Error::new(Code::ArgumentRange, "a limit of at least 1", "0"));
        }
        let behind = (start < self.delivered()).then_some((start, acked));
        let place = self.shard(shard_of(&whom.id)).add(&whom, Beginning { limit, behind, bell })?;
        self.open.fetch_add(1, Ordering::AcqRel);
        Ok(Held { whom, place })
    }

    /// Below which position the agent had acknowledged everything. Nothing goes to it any more.
    pub fn close(&self, held: &Held) -> Result<u64> {
        let mut shard = self.shard(shard_of(&held.whom.id));
        let below = self.below_in(shard.slot(held.place)?);
        shard.remove(&held.whom, held.place)?;
        self.open.fetch_sub(1, Ordering::AcqRel);
        Ok(below)
    }

    fn below_in(&self, slot: &Slot) -> u64 {
        let delivered = self.delivered();
        slot.waits().map_or(delivered, |waits| waits.below(delivered))
    }

    // -- arriving ----------------------------------------------------------------------------------------------------

    /// Hands an entry on to all of this process who are to have it (agent.3.1); `make` is called where there is one.
    pub fn put(&self, entry: Addressed<'_>, position: u64, make: &mut dyn FnMut() -> Arc<Delivered>) {
        let mut arrival = Arrival::new(position, make);
        let Some(to) = entry.to else {
            return self.each_shard(&mut arrival, |shard, arrival| shard.put_to_all(entry.author, arrival));
        };
        for address in to {
            match address {
                Addr::Id(id) if id == entry.author => {}
                Addr::Id(id) => {
                    arrival.shard = shard_of(id);
                    self.shard(arrival.shard).put_to(id, &mut arrival);
                }
                Addr::Name(group) => {
                    self.each_shard(&mut arrival, |shard, arrival| shard.put_to_group(group, entry.author, arrival));
                }
            }
        }
    }

    fn each_shard(&self, arrival: &mut Arrival<'_>, put: impl Fn(&mut Shard, &mut Arrival<'_>)) {
        for number in 0..SHARDS {
            arrival.shard = number;
            put(&mut self.shard(number), arrival);
        }
    }

    /// What comes from `position` on could not be read to be handed on: every agent reads it in the log itself, and says why it cannot.
    pub(super) fn fall_behind(&self, position: u64) {
        for number in 0..SHARDS {
            self.shard(number).fall_behind(position, |slot| token(number, slot));
        }
    }

    /// From where an agent is to read on, and how many messages it has room for. None: nothing is behind, or nothing fits.
    pub(super) fn wanting(&self, held: &Held) -> Result<Option<(u64, usize)>> {
        self.slot(held, |slot| Ok(slot.waits().and_then(|waits| waits.wanting(slot.limit()))))
    }

    pub(super) fn refill(&self, held: &Held, read: Vec<Arc<Delivered>>, next: Option<u64>) -> Result<()> {
        self.slot(held, |slot| {
            let limit = slot.limit();
            if let Some(waits) = slot.waits_mut() {
                waits.refill(read, limit, next);
            }
            slot.tidy();
            Ok(())
        })
    }

    // -- reading -----------------------------------------------------------------------------------------------------

    /// A new reader, or one that begins anew: all that was not acknowledged is delivered to it. The number by which it is the newest.
    pub fn read_by(&self, held: &Held) -> Result<u32> {
        self.slot(held, |slot| {
            if let Some(waits) = slot.waits_mut() {
                waits.begin_again();
            }
            Ok(slot.next_reader())
        })
    }

    /// The next message that no handler has. Raises `AgentInUse` for a reader that is not the newest, or of an agent that was closed;
    /// `Backpressure` where as many wait for their acknowledgement as may (agent.3.5).
    pub fn take(&self, held: &Held, reader: u32) -> Result<Taken> {
        self.slot(held, |slot| {
            if slot.reader() != reader {
                return Err(Error::new(Code::AgentInUse, "the newest inbox of this agent", "an older one"));
            }
            let limit = slot.limit();
            if let Some(waits) = slot.waits_mut() {
                if let Some(entry) = waits.take() {
                    return Ok(Taken::Message(entry));
                }
                if waits.is_full(limit) {
                    let expected = format!("fewer than {limit} messages that wait for an acknowledgement");
                    return Err(Error::new(Code::Backpressure, expected, "as many"));
                }
                if waits.overflow().is_some() {
                    return Ok(Taken::Behind);
                }
            }
            slot.sleep();
            Ok(Taken::Nothing)
        })
    }

    /// A message that was taken reached no handler.
    pub fn give_back(&self, held: &Held, position: u64) -> Result<()> {
        self.slot(held, |slot| {
            if let Some(waits) = slot.waits_mut() {
                waits.give_back(position);
            }
            Ok(())
        })
    }

    /// Below which position everything will have been acknowledged when this message is: what is to be kept before `acknowledge`. None: it
    /// does not wait.
    pub fn below_without(&self, held: &Held, position: u64) -> Result<Option<u64>> {
        let delivered = self.delivered();
        self.slot(held, |slot| Ok(slot.waits().and_then(|waits| waits.below_without(position, delivered))))
    }

    /// A handler is done with it.
    pub fn acknowledge(&self, held: &Held, position: u64) -> Result<()> {
        self.slot(held, |slot| {
            if let Some(waits) = slot.waits_mut() {
                waits.acknowledge(position);
            }
            slot.tidy();
            Ok(())
        })
    }

    /// The positions of all in memory that was not acknowledged, and from where on the rest is in the log.
    pub fn waiting(&self, held: &Held) -> Result<(Vec<u64>, Option<u64>)> {
        self.slot(held, |slot| {
            Ok(slot.waits().map(|waits| (waits.waiting().collect(), waits.overflow())).unwrap_or_default())
        })
    }

    // -- consumed ----------------------------------------------------------------------------------------------------

    /// What counts as consumed of a lineage by the messages in memory, and from where on the log has to be searched for more.
    pub(super) fn consumed(&self, held: &Held, ends: &HashMap<Id, u64>, size: u64) -> Result<(u64, Option<u64>)> {
        self.slot(held, |slot| {
            Ok(slot.waits().map_or((size, None), |waits| (waits.consumed(ends, size), waits.overflow())))
        })
    }

    pub(super) fn unread(&self, held: &Held, branch: &Id, overflow: u64) -> Result<Unread> {
        let none = Unread { searched: overflow, first: None };
        self.slot(held, |slot| Ok(slot.waits().map_or(none, |waits| waits.unread(branch, overflow))))
    }

    pub(super) fn keep_unread(&self, held: &Held, branch: &Id, known: Unread) -> Result<()> {
        self.slot(held, |slot| {
            if let Some(waits) = slot.waits_mut() {
                waits.keep_unread(branch, known);
            }
            Ok(())
        })
    }

    pub(super) fn was_acknowledged(&self, held: &Held, position: u64) -> Result<bool> {
        self.slot(held, |slot| Ok(slot.waits().is_some_and(|waits| waits.was_acknowledged(position))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_read_the_log_to_its_end_and_found_nothing_takes_no_room() -> Result<()> {
        let (router, bell) = (Router::default(), Arc::new(Bell::new()?));
        router.set_delivered(5);
        let whom = |id| Whom { id: [id; 32], groups: [].into(), child: false };
        let there = router.open(whom(1), 2, 5, BTreeSet::new(), &bell)?;
        let behind = router.open(whom(2), 2, 4, BTreeSet::new(), &bell)?;
        let has_room_taken = |held: &Held| router.slot(held, |slot| Ok(slot.waits().is_some()));
        assert_eq!((has_room_taken(&there)?, has_room_taken(&behind)?), (false, true));
        assert_eq!((router.wanting(&there)?, router.wanting(&behind)?), (None, Some((4, 2))));
        router.refill(&behind, Vec::new(), None)?;
        assert!(!has_room_taken(&behind)?);
        assert_eq!((router.close(&there)?, router.close(&behind)?), (5, 5));
        Ok(())
    }
}
