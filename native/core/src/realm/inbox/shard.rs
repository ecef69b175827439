//! One part of the agents of this process, behind a lock of its own.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::addressed::Whom;
use super::bell::Bell;
use super::mailbox::Mailbox;
use crate::errors::{Code, Error, Result};
use crate::identity::Name;
use crate::message::Id;
use crate::realm::engine::Delivered;

/// What is kept of an agent for which nothing waits: 32 bytes, and its place in the index. No name, no key.
#[derive(Debug)]
pub(super) struct Slot {
    waits: Option<Box<Mailbox>>,
    /// None: nobody is there.
    bell: Option<Arc<Bell>>,
    /// Goes up with each agent that leaves the slot, so that a handle of an old one finds nobody.
    generation: u32,
    /// The newest reader's number.
    reader: u32,
    limit: u32,
    child: bool,
    /// A reader found nothing: it is to be woken.
    asleep: bool,
}

/// Where an agent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub slot: u32,
    pub generation: u32,
}

#[derive(Debug, Default)]
pub(super) struct Shard {
    index: HashMap<Id, u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    groups: HashMap<Name, Vec<u32>>,
}

/// How an agent begins.
pub(super) struct Beginning<'a> {
    pub limit: u32,
    /// From where on it reads the log, and what was acknowledged behind that. None: it has all that was delivered.
    pub behind: Option<(u64, BTreeSet<u64>)>,
    pub bell: &'a Arc<Bell>,
}

fn gone() -> Error {
    Error::new(Code::AgentInUse, "an agent that is open", "one that was closed")
}

impl Slot {
    fn empty() -> Slot {
        Slot { waits: None, bell: None, generation: 0, reader: 0, limit: 0, child: false, asleep: false }
    }

    pub fn waits(&self) -> Option<&Mailbox> {
        self.waits.as_deref()
    }

    pub fn waits_mut(&mut self) -> Option<&mut Mailbox> {
        self.waits.as_deref_mut()
    }

    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    pub fn reader(&self) -> u32 {
        self.reader
    }

    pub fn next_reader(&mut self) -> u32 {
        self.reader = self.reader.wrapping_add(1);
        self.reader
    }

    /// Nobody is to be kept waiting for what is not there: a reader is woken by the next message.
    pub fn sleep(&mut self) {
        self.asleep = true;
    }

    /// What nothing waits for any more takes no room.
    pub fn tidy(&mut self) {
        if self.waits.as_ref().is_some_and(|waits| waits.is_idle()) {
            self.waits = None;
        }
    }

    fn put(&mut self, position: u64, token: u64, entry: impl FnOnce() -> Arc<Delivered>) {
        let limit = self.limit();
        self.waits.get_or_insert_default().put(position, limit, entry);
        self.wake(token);
    }

    fn wake(&mut self, token: u64) {
        if std::mem::take(&mut self.asleep)
            && let Some(bell) = &self.bell
        {
            bell.ring(token);
        }
    }
}

impl Shard {
    /// Raises `AgentInUse` for one that is here.
    pub fn add(&mut self, whom: &Whom, beginning: Beginning<'_>) -> Result<Place> {
        if self.index.contains_key(&whom.id) {
            return Err(Error::new(Code::AgentInUse, "to be the only one that holds this agent", "another one"));
        }
        let number = match self.free.pop() {
            Some(number) => number,
            None => {
                let number = u32::try_from(self.slots.len());
                let number = number.map_err(|_| Error::new(Code::SizeLimit, "fewer than 2^32 agents", "one more"))?;
                self.slots.push(Slot::empty());
                number
            }
        };
        let slot = self.slots.get_mut(number as usize).ok_or_else(gone)?;
        let Beginning { limit, behind, bell } = beginning;
        let waits = behind.map(|(start, acked)| Box::new(Mailbox::behind(start, acked)));
        let (bell, child, generation, reader) = (Some(Arc::clone(bell)), whom.child, slot.generation, slot.reader);
        *slot = Slot { waits, bell, generation, reader, limit, child, asleep: false };
        self.index.insert(whom.id, number);
        for group in &whom.groups {
            self.groups.entry(group.clone()).or_default().push(number);
        }
        Ok(Place { slot: number, generation })
    }

    pub fn remove(&mut self, whom: &Whom, place: Place) -> Result<()> {
        let slot = self.slot(place)?;
        *slot = Slot { generation: slot.generation.wrapping_add(1), ..Slot::empty() };
        self.index.remove(&whom.id);
        for group in &whom.groups {
            if let Some(numbers) = self.groups.get_mut(group) {
                numbers.retain(|number| *number != place.slot);
                if numbers.is_empty() {
                    self.groups.remove(group);
                }
            }
        }
        self.free.push(place.slot);
        Ok(())
    }

    /// Raises `AgentInUse` where the agent was closed.
    pub fn slot(&mut self, place: Place) -> Result<&mut Slot> {
        let slot = self.slots.get_mut(place.slot as usize);
        slot.filter(|slot| slot.generation == place.generation && slot.bell.is_some()).ok_or_else(gone)
    }

    // -- arriving ----------------------------------------------------------------------------------------------------

    fn number(&self, id: &Id) -> Option<u32> {
        self.index.get(id).copied()
    }

    fn put(&mut self, number: u32, arrival: &mut Arrival<'_>) {
        if let Some(slot) = self.slots.get_mut(number as usize) {
            let token = arrival.token(number);
            slot.put(arrival.position, token, || arrival.entry());
        }
    }

    /// To the agent with this id, if it is here.
    pub fn put_to(&mut self, id: &Id, arrival: &mut Arrival<'_>) {
        if let Some(number) = self.number(id) {
            self.put(number, arrival);
        }
    }

    /// To all of a group that are here, but for the author.
    pub fn put_to_group(&mut self, group: &Name, author: &Id, arrival: &mut Arrival<'_>) {
        let author = self.number(author);
        let Some(members) = self.groups.remove(group) else { return };
        for number in members.iter().filter(|number| Some(**number) != author) {
            self.put(*number, arrival);
        }
        self.groups.insert(group.clone(), members);
    }

    /// To everyone enrolled who is here, but for the author.
    pub fn put_to_all(&mut self, author: &Id, arrival: &mut Arrival<'_>) {
        let author = self.number(author);
        for number in 0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX) {
            let here = self.slots.get(number as usize).is_some_and(|slot| slot.bell.is_some() && !slot.child);
            if here && Some(number) != author {
                self.put(number, arrival);
            }
        }
    }

    /// What comes from `position` on was not handed on: all have to read it in the log.
    pub fn fall_behind(&mut self, position: u64, token: impl Fn(u32) -> u64) {
        for (number, slot) in (0..).zip(&mut self.slots) {
            if slot.bell.is_some() {
                slot.waits.get_or_insert_default().fall_behind(position);
                slot.wake(token(number));
            }
        }
    }
}

/// An entry on its way to one shard after the other; it is made for the first who is to have it.
pub(super) struct Arrival<'a> {
    pub position: u64,
    pub shard: usize,
    made: Option<Arc<Delivered>>,
    make: &'a mut dyn FnMut() -> Arc<Delivered>,
}

impl<'a> Arrival<'a> {
    pub fn new(position: u64, make: &'a mut dyn FnMut() -> Arc<Delivered>) -> Arrival<'a> {
        Arrival { position, shard: 0, made: None, make }
    }

    fn token(&self, slot: u32) -> u64 {
        token(self.shard, slot)
    }

    fn entry(&mut self) -> Arc<Delivered> {
        Arc::clone(self.made.get_or_insert_with(&mut *self.make))
    }
}

/// By what a reader is known to its bell.
pub(super) fn token(shard: usize, slot: u32) -> u64 {
    (shard as u64) << 32 | u64::from(slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_for_which_nothing_waits_is_small() {
        // Behind it come its place in the index, 36 bytes, and what a table and a vector have in reserve.
        assert!(size_of::<Slot>() <= 32, "{}", size_of::<Slot>());
    }
}
