//! The latch: what is stopped on this host, asked at every gate (halt.5).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::gates::{self, Drill, Gate};
use super::layout::{Content, Header};
use super::scope::Scope;
use super::sidecar::{Sidecar, Written, held};
use super::sync::{AtomicBool, Mutex, PoisonError, RwLock, fresh};
use crate::errors::{Code, Error, Result};
use crate::message::Id;

/// One thing that is latched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Its slot; of one that no file could take a number above all slots.
    pub slot: usize,
    pub content: Content,
}

/// What is latched, as it was read at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latched {
    pub epoch: u64,
    /// Halts and local halts.
    pub stops: Vec<Stop>,
    /// Resumes that wait for an engine.
    pub resumes: Vec<Stop>,
    /// The sidecar cannot be read, is gone, or is another file: everything is stopped.
    pub fault: Option<&'static str>,
    /// Of what no file has taken.
    memory: u64,
}

impl Latched {
    pub fn is_clear(&self) -> bool {
        self.stops.is_empty() && self.fault.is_none()
    }
}

/// Somebody on his way; he has arrived when this is dropped.
#[derive(Debug)]
pub struct Entered<'a> {
    latch: &'a Latch,
    ticket: u64,
}

impl Entered<'_> {
    /// What is latched now: from here on he acts on that.
    pub fn look(&mut self) -> Arc<Latched> {
        let latched = self.latch.look();
        self.ticket = self.latch.gate.looked(self.ticket, latched.epoch);
        latched
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.latch.gate.leave(self.ticket);
    }
}

const GONE: &str = "the sidecar is gone, or another file is in its place";
const CLOSED: &str = "the realm was closed in this program";
const FORKED: &str = "the realm was opened by another process, of which this is a child";
const UNREADABLE: &str = "the sidecar cannot be read";

/// Where what is latched is written down.
#[derive(Debug)]
enum Place {
    Memory,
    Open(Arc<Sidecar>),
    /// Nothing of it is open: whoever wants to stop the realm all the same opens it for that.
    Closed(PathBuf),
}

/// The latch of one realm, in this process.
#[derive(Debug)]
pub struct Latch {
    place: RwLock<Place>,
    gate: Gate,
    /// What no file has taken: of a realm in memory, and where the disk refused.
    memory: Mutex<(u64, Vec<Stop>)>,
    seen: Mutex<Arc<Latched>>,
    /// The sidecar was once not what was opened: stopped until the realm is opened anew.
    lost: AtomicBool,
}

impl Latch {
    /// Of a realm without a file.
    pub fn in_memory() -> Latch {
        Latch::with(None, Gate::in_memory())
    }

    /// Of a program that has the realm open: it holds a gate. Raises as `Sidecar::open`, and `ArgumentRange` for one program too many.
    pub fn open(path: &Path) -> Result<Latch> {
        Latch::gated(Sidecar::open(path)?)
    }

    pub(super) fn gated(sidecar: Arc<Sidecar>) -> Result<Latch> {
        let gate = Gate::of(&sidecar)?;
        Ok(Latch::with(Some(sidecar), gate))
    }

    /// Of somebody who only wants to stop it, or to look. Raises as `Sidecar::open`.
    pub fn beside(path: &Path) -> Result<Latch> {
        Ok(Latch::with(Some(Sidecar::open(path)?), Gate::in_memory()))
    }

    /// Of a realm whose sidecar cannot be read: everything is stopped.
    pub fn shut() -> Latch {
        let latch = Latch::in_memory();
        latch.lost.store(true, Ordering::SeqCst);
        *held(&latch.seen) = latch.read(None);
        latch
    }

    pub(super) fn with(sidecar: Option<Arc<Sidecar>>, gate: Gate) -> Latch {
        let latch = Latch {
            place: RwLock::new(sidecar.map_or(Place::Memory, Place::Open)),
            gate,
            memory: Mutex::new((fresh(), Vec::new())),
            seen: Mutex::default(),
            lost: AtomicBool::new(false),
        };
        // Whatever the epoch says, all slots are read once (halt.4.5).
        *held(&latch.seen) = latch.read(None);
        latch
    }

    /// None: of a realm in memory. Raises as `Sidecar::open`, behind `close`. Nobody waits here for a file.
    fn sidecar(&self) -> Result<Option<Arc<Sidecar>>> {
        let path = match &*self.place.read().unwrap_or_else(PoisonError::into_inner) {
            Place::Memory => return Ok(None),
            Place::Open(sidecar) if sidecar.is_ours() => return Ok(Some(Arc::clone(sidecar))),
            Place::Open(sidecar) => sidecar.path().to_owned(),
            Place::Closed(path) => path.clone(),
        };
        Sidecar::open(&path).map(Some)
    }

    /// Whose realm the sidecar says it is. None: there is no sidecar.
    pub fn header(&self) -> Result<Option<Header>> {
        self.sidecar()?.map(|sidecar| sidecar.header()).transpose()
    }

    /// Fills in whose it is.
    pub fn name(&self, header: &Header) -> Result<()> {
        self.sidecar()?.map_or(Ok(()), |sidecar| sidecar.name(header))
    }

    /// The agent id of the operator or root with this key, if an engine has written it down.
    pub fn agent_of(&self, kid: &Id) -> Option<Id> {
        let people = self.sidecar().ok()??.people();
        people.into_iter().find(|(found, _)| found == kid).map(|(_, agent)| agent)
    }

    pub fn set_people(&self, people: &[(Id, Id)]) {
        if let Ok(Some(sidecar)) = self.sidecar() {
            sidecar.set_people(people);
        }
    }

    /// halt.4.4: what is latched now. Never fails.
    pub fn look(&self) -> Arc<Latched> {
        let mut seen = held(&self.seen);
        if !self.is_as_seen(&seen) {
            let now = self.read(seen.fault);
            self.gate.saw(now.epoch);
            *seen = now;
        }
        Arc::clone(&seen)
    }

    fn is_as_seen(&self, seen: &Latched) -> bool {
        if held(&self.memory).0 != seen.memory {
            return false;
        }
        match &*self.place.read().unwrap_or_else(PoisonError::into_inner) {
            Place::Open(sidecar) => {
                seen.fault.is_none() && sidecar.is_ours() && sidecar.is_there() && sidecar.epoch() == Some(seen.epoch)
            }
            // Closed: nothing passes, whatever the file says.
            Place::Memory | Place::Closed(_) => true,
        }
    }

    fn is_inherited(&self) -> bool {
        let place = self.place.read().unwrap_or_else(PoisonError::into_inner);
        matches!(&*place, Place::Open(sidecar) if !sidecar.is_ours())
    }

    fn read(&self, before: Option<&'static str>) -> Arc<Latched> {
        let (memory, mut stops) = held(&self.memory).clone();
        let mut epoch = memory;
        let mut found = Latched { memory, ..Latched::default() };
        let sidecar = self.sidecar().ok().flatten();
        if let Some(sidecar) = &sidecar {
            // The epoch first: what is written behind this line has another one.
            let now = sidecar.epoch();
            let slots = sidecar.slots();
            if !sidecar.is_there() {
                self.lost.store(true, Ordering::SeqCst);
            }
            epoch = now.unwrap_or(epoch);
            found.fault = match (&slots, now) {
                (Some(_), Some(_)) => None,
                _ => Some(UNREADABLE),
            };
            stops.extend(slots.unwrap_or_default().into_iter().map(|(slot, content)| Stop { slot, content }));
        }
        if self.is_inherited() {
            found.fault = Some(FORKED);
        }
        if self.lost.load(Ordering::SeqCst) {
            found.fault = Some(before.unwrap_or(if sidecar.is_some() { GONE } else { UNREADABLE }));
        }
        found.epoch = epoch;
        for stop in stops {
            match stop.content {
                Content::Signed(_) | Content::Local { .. } => found.stops.push(stop),
                Content::Resume(_) => found.resumes.push(stop),
                Content::Drill(_) => {}
            }
        }
        Arc::new(found)
    }

    /// Latches a halt. `Ok(None)`: the very same content is latched. It is in force when this returns, and waits for no disk: `sync` does.
    /// An error is the disk's, and then the halt holds in this process alone.
    pub fn stop(&self, content: Content) -> Result<Option<Written>> {
        // A local halt is always one of its own. No lock is taken here that those who look hold: under a flood of them a stop would wait.
        if matches!(content, Content::Signed(_)) && self.holds(&content) {
            return Ok(None);
        }
        let written = self.sidecar().and_then(|sidecar| match sidecar {
            None => Ok(Written { slot: self.remember(content.clone()) }),
            Some(sidecar) => match sidecar.take(&content)? {
                Some(written) => Ok(written),
                None => sidecar.take_over(&wide(&content)),
            },
        });
        written.map(Some).inspect_err(|_| {
            self.remember(content);
        })
    }

    fn holds(&self, content: &Content) -> bool {
        let slots = self.sidecar().ok().flatten().and_then(|sidecar| sidecar.slots()).unwrap_or_default();
        slots.iter().any(|(_, there)| there == content)
            || held(&self.memory).1.iter().any(|stop| stop.content == *content)
    }

    /// Whether the disk has what was latched: behind the halt, which it does not hold up (halt.4.3).
    pub fn sync(&self) -> bool {
        self.sidecar().is_ok_and(|sidecar| sidecar.is_none_or(|sidecar| sidecar.sync()))
    }

    fn remember(&self, content: Content) -> usize {
        let mut memory = held(&self.memory);
        let slot = memory.1.iter().map(|stop| stop.slot + 1).max().unwrap_or(super::SLOTS);
        memory.1.push(Stop { slot, content });
        memory.0 = fresh();
        slot
    }

    /// A resume that waits for an engine. Raises `LatchForm` where no slot is free, and what writing raises.
    pub fn post(&self, envelope: Vec<u8>) -> Result<()> {
        let content = Content::Resume(envelope);
        if self.look().resumes.iter().any(|stop| stop.content == content) {
            return Ok(());
        }
        let Some(sidecar) = self.sidecar()? else {
            self.remember(content);
            return Ok(());
        };
        match sidecar.take(&content)? {
            Some(_) => Ok(()),
            None => Err(Error::new(Code::LatchForm, "a free slot for a resume", "none")),
        }
    }

    /// Another content for what was seen latched: a local halt that was signed. Whether it was still there.
    pub fn replace(&self, seen: &Stop, content: Content) -> Result<bool> {
        let mut memory = held(&self.memory);
        if let Some(stop) = memory.1.iter_mut().find(|stop| *stop == seen) {
            stop.content = content;
            memory.0 = fresh();
            return Ok(true);
        }
        drop(memory);
        match self.sidecar()? {
            Some(sidecar) if seen.slot < super::SLOTS => sidecar.replace(seen.slot, &seen.content, &content),
            _ => Ok(false),
        }
    }

    /// Frees what was seen latched: its halt has ended, its resume is judged. The engine's alone. Whether it was still there.
    pub fn free(&self, seen: &Stop) -> Result<bool> {
        let mut memory = held(&self.memory);
        let before = memory.1.len();
        memory.1.retain(|stop| stop != seen);
        if memory.1.len() < before {
            memory.0 = fresh();
            return Ok(true);
        }
        drop(memory);
        match self.sidecar()? {
            Some(sidecar) if seen.slot < super::SLOTS => sidecar.free(seen.slot, &seen.content),
            _ => Ok(false),
        }
    }

    /// Somebody goes in: to be called before `look`.
    pub fn enter(&self) -> Entered<'_> {
        Entered { latch: self, ticket: self.gate.enter() }
    }

    /// The same by hand, for who cannot hold on to a value: he goes in, and has looked; the ticket is for `go_out`.
    pub fn go_in(&self) -> u64 {
        let ticket = self.gate.enter();
        let epoch = self.look().epoch;
        self.gate.looked(ticket, epoch)
    }

    pub fn go_out(&self, ticket: u64) {
        self.gate.leave(ticket);
    }

    /// The program is done with the realm: its gate is free, and nothing passes here any more, because nobody would be counted. Whoever still
    /// has this can stop the realm all the same.
    pub fn close(&self) {
        self.lost.store(true, Ordering::SeqCst);
        *held(&self.seen) = self.read(Some(CLOSED));
        self.gate.close();
        let mut place = self.place.write().unwrap_or_else(PoisonError::into_inner);
        if let Place::Open(sidecar) = &*place {
            *place = Place::Closed(sidecar.path().to_owned());
        }
    }

    /// halt.5.3
    pub fn quiesce(&self, longest: Duration) -> bool {
        let Ok(sidecar) = self.sidecar() else { return false };
        gates::quiesce(sidecar.as_deref(), &self.gate, || self.look().epoch, longest)
    }

    /// halt.6.2. Raises `LatchForm`, and what writing raises; `ArgumentRange` of a realm in memory.
    pub fn drill(&self, id: [u8; 16], longest: Duration) -> Result<Drill> {
        match self.sidecar()? {
            Some(sidecar) => gates::drill(&sidecar, id, longest),
            None => Err(Error::new(Code::ArgumentRange, "a realm with a file", "one in memory")),
        }
    }
}

/// The same halt for the whole realm, as the last slot takes it.
fn wide(content: &Content) -> Content {
    match content {
        Content::Local { salt, time, reason, .. } => {
            Content::Local { salt: *salt, time: *time, scope: Scope::Realm.encode(), reason: reason.clone() }
        }
        // Whatever it says, a slot that holds no halt that can be read holds the realm.
        _ => Content::Local {
            salt: [0; 16],
            time: 0,
            scope: Scope::Realm.encode(),
            reason: "more halts than there are slots".to_owned(),
        },
    }
}
