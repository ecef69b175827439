//! What a stop does to an engine (halt.5): what it refuses, what it writes before everything else, what it frees.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::draft::{Author, Bare, draft_halt, local_halt};
use super::engine::Engine;
use super::incoming::Incoming;
use super::log::Log;
use super::sequencing::Core;
use super::shut::{Shut, part_of, part_of_nothing};
use super::state::State;
use crate::errors::{Code, Error, Result};
use crate::halt::{Content, Header, Latch, Latched, Scope, Sidecar, Stop, sidecar_of};
use crate::identity::{Enrolled, Purpose};
use crate::message::{Claims, HaltPart, Id, Kind, Typ, UnverifiedEnvelope, header_of, message_id, sig_structure};
use crate::text;

/// The log's own mark that there is a sidecar (halt.4.5).
const MARK: &str = "stop";

/// Who may stop the realm, and what has ended: asked without the engine's lock, which a writer may be holding.
#[derive(Debug, Default)]
pub(super) struct Operators {
    realm: Id,
    size: u64,
    live: HashMap<Id, (Id, Arc<Enrolled>)>,
    ended: BTreeSet<Id>,
    /// Kid and agent id of live operators and roots: who can end a halt.
    people: Vec<(Id, Id)>,
}

impl Operators {
    fn of(state: &State) -> Operators {
        let Some(registry) = state.registry() else { return Operators::default() };
        let mut people = Vec::new();
        let mut live = HashMap::new();
        for agent in registry.agents() {
            let Some(held) = agent.live(registry.size()) else { continue };
            let kid = *held.signer.key.thumbprint();
            if matches!(agent.purpose, Purpose::Operator | Purpose::Root) {
                people.push((kid, agent.id));
            }
            if agent.purpose == Purpose::Operator {
                live.insert(kid, (agent.id, Arc::clone(&held.signer)));
            }
        }
        let ended = registry.halts().all().filter(|(_, halt)| halt.until.is_some()).map(|(id, _)| *id);
        Operators { realm: *registry.realm(), size: registry.size(), live, ended: ended.collect(), people }
    }
}

/// What became of a halt (halt.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halting {
    Latched,
    Already,
    Spent,
}

impl Halting {
    pub fn as_str(self) -> &'static str {
        match self {
            Halting::Latched => "latched",
            Halting::Already => "already",
            Halting::Spent => "spent",
        }
    }
}

/// A halt that is in force on the host; with `alarm` in this process alone, because the sidecar could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halted {
    pub id: Id,
    pub outcome: Halting,
    pub alarm: Option<Code>,
}

/// An entry that a transaction begins with, from this slot.
pub(super) struct First {
    stop: Stop,
    pub incoming: Incoming,
    kind: Kind,
}

/// The id that a local halt will have, from what the sidecar says (halt.4.2). None: it does not say whose it is.
pub fn local_halt_id(header: &Header, content: &Content) -> Option<Id> {
    let Content::Local { salt, time, scope, reason } = content else { return None };
    if header.realm == [0; 32] || header.sequencer.0 == [0; 32] {
        return None;
    }
    let bare = Bare { realm: header.realm, time: *time, salt: *salt };
    let claims = local_halt(header.sequencer.0, bare, HaltPart { scope: scope.clone(), reason: reason.clone() });
    let protected = header_of(&header.sequencer.1, Typ::Log);
    Some(message_id(&sig_structure(&protected, &claims.encode())))
}

impl<L: Log> Engine<L> {
    /// Takes the sidecar beside a realm's file, or makes it. One that cannot be read stops the realm, and is no error. Raises what making
    /// one raises, and `ArgumentRange` for one program too many.
    pub fn attach(&mut self, realm_file: &Path, now: u64, salt: [u8; 16]) -> Result<()> {
        let path = sidecar_of(realm_file);
        let header = self.header()?;
        let missing = !path.try_exists().unwrap_or(true) && path.symlink_metadata().is_err();
        let known = self.log.control(MARK)?.is_some();
        if missing {
            match Sidecar::create(&path, &header) {
                Err(fault) if fault.code != Code::FileExists => return Err(fault),
                _ => {}
            }
        }
        self.latch = match Latch::open(&path) {
            Ok(latch) => latch,
            Err(fault) if fault.code == Code::ArgumentRange => return Err(fault),
            Err(_) => Latch::shut(),
        };
        match self.latch.header()? {
            Some(found) if found.realm == [0; 32] => self.latch.name(&header)?,
            Some(found) if found.realm != header.realm => self.latch = Latch::shut(),
            Some(found) if found != header => self.latch.name(&header)?,
            _ => {}
        }
        if missing && known {
            let reason = "the realm was opened without its sidecar".to_owned();
            self.latch.stop(Content::Local { salt, time: now, scope: Scope::Realm.encode(), reason })?;
        }
        if !known {
            self.log.put_control(MARK, b"1")?;
        }
        self.latch_recorded()
    }

    fn header(&self) -> Result<Header> {
        self.header_in(&*self.core()?)
    }

    fn header_in(&self, core: &Core) -> Result<Header> {
        let registry = core.replica.state().founded()?;
        let agent = registry.sequencer_with(self.key.public()).map_or([0; 32], |agent| agent.id);
        Ok(Header { realm: *registry.realm(), sequencer: (agent, *self.key.public().thumbprint()) })
    }

    /// Halts that are in force in the registry are latched, whatever became of the sidecar.
    fn latch_recorded(&self) -> Result<()> {
        let core = self.core()?;
        if let Ok(known) = self.operators() {
            // It was made before there was a sidecar.
            self.latch.set_people(&known.people);
        }
        self.renew(&core);
        let latched: BTreeSet<Id> = self.latch.look().stops.iter().filter_map(|stop| self.id_of(&core, stop)).collect();
        let halts = core.replica.state().founded()?.halts();
        for id in halts.all().map(|(id, _)| id).filter(|id| halts.is_live(id) && !latched.contains(*id)) {
            if let Some(position) = core.position(id) {
                self.latch.stop(Content::Signed(self.pair_at(position)?.envelope.to_vec()))?;
            }
        }
        Ok(())
    }

    /// For who wants to see what halts are on every replica, where there is no latch: conform.
    pub fn never_latch(&mut self) {
        self.latches = false;
    }

    pub fn latch(&self) -> &Latch {
        &self.latch
    }

    /// A signed halt (halt.5.1): latched before anybody waits for anything. Raises the codes of envelope.4 and 5, `RealmOther`,
    /// `KeyUnknown` and the codes of signatures; a fault of the disk is in the answer.
    pub fn halt(&self, envelope: &[u8]) -> Result<Halted> {
        let parsed = UnverifiedEnvelope::parse(envelope)?;
        if parsed.claims().kind != Kind::Halt {
            return Err(Error::new(Code::ArgumentRange, "a halt", parsed.claims().kind.as_str()));
        }
        let operators = Arc::clone(&*self.operators()?);
        if parsed.claims().realm != operators.realm {
            let expected = format!("realm {}", text::hex(&operators.realm));
            return Err(Error::new(Code::RealmOther, expected, text::hex(&parsed.claims().realm)));
        }
        let id = *parsed.id();
        match operators.live.get(parsed.kid()) {
            Some((agent, signer)) if *agent == parsed.claims().agent => {
                parsed.check_signature(signer)?;
            }
            _ => return Err(Error::new(Code::KeyUnknown, "the key of a live operator", text::hex(parsed.kid()))),
        }
        if operators.ended.contains(&id) {
            return Ok(Halted { id, outcome: Halting::Spent, alarm: None });
        }
        Ok(self.latched(id, Content::Signed(envelope.to_vec())))
    }

    /// A halt that comes like any other entry is latched before it waits with them. What does not verify is judged when its turn comes.
    pub(super) fn latch_first(&self, envelope: &[u8]) {
        if !self.latches {
            return;
        }
        let typ = Typ::Halt.as_str().as_bytes();
        let head = envelope.get(..96).unwrap_or(envelope);
        if head.windows(typ.len()).any(|part| part.first() == typ.first() && part == typ) {
            let _ = self.halt(envelope);
        }
    }

    /// A halt by somebody on the host, who has no key. Each is one of its own, whatever is latched already: somebody may be ending that.
    pub fn halt_locally(&self, scope: Vec<u8>, reason: String, time: u64, salt: [u8; 16]) -> Result<Halted> {
        let header = self.header_without_waiting();
        let content = Content::Local { salt, time, scope, reason };
        let id = local_halt_id(&header, &content).unwrap_or_default();
        Ok(self.latched(id, content))
    }

    fn latched(&self, id: Id, content: Content) -> Halted {
        match self.latch.stop(content) {
            Ok(Some(_)) => Halted { id, outcome: Halting::Latched, alarm: None },
            Ok(None) => Halted { id, outcome: Halting::Already, alarm: None },
            // In force in this process all the same.
            Err(fault) => Halted { id, outcome: Halting::Latched, alarm: Some(fault.code) },
        }
    }

    /// From the sidecar, or of a realm in memory from what was seen last: no lock of the engine's.
    fn header_without_waiting(&self) -> Header {
        match self.latch.header() {
            Ok(Some(header)) => header,
            _ => {
                let realm = self.operators().map(|operators| operators.realm).unwrap_or_default();
                let own = *self.key.public().thumbprint();
                Header { realm, sequencer: (own, own) }
            }
        }
    }

    /// Writes what is latched into the log, if nobody has the engine: else whoever has it will. Whether it was done.
    pub fn record_halts(&self, now: u64) -> Result<bool> {
        if self.queue.is_led() || self.core.try_lock().is_err() {
            return Ok(false);
        }
        let turn = self.log.turn()?;
        let Ok(mut core) = self.core.try_lock() else { return Ok(false) };
        if core.stopped.is_some() {
            return Ok(false);
        }
        self.sequence(&mut core, &[], now, turn)?;
        Ok(true)
    }

    /// halt.5.3
    pub fn quiesce(&self, longest: Duration) -> bool {
        self.latch.quiesce(longest)
    }

    pub(super) fn renew(&self, core: &Core) {
        if let Ok(mut known) = self.operators()
            && known.size != core.replica.state().registry_size()
        {
            *known = Arc::new(Operators::of(core.replica.state()));
            self.latch.set_people(&known.people);
        }
    }

    /// What a transaction begins with: latched halts that the registry does not have, and resumes that wait (halt.5.5).
    pub(super) fn firsts(&self, core: &Core, latched: &Latched, items: &[&Incoming], now: u64) -> Result<Vec<First>> {
        let mut firsts = Vec::new();
        for stop in &latched.stops {
            let id = id_of_signed(stop);
            if id.is_some() && items.iter().any(|incoming| incoming.id() == id) {
                // It has just been handed in, and is answered like any other entry.
                continue;
            }
            if let Some((incoming, kind)) = self.first_of(core, stop, now)? {
                firsts.push(First { stop: stop.clone(), incoming, kind });
            }
        }
        for stop in &latched.resumes {
            if let Content::Resume(envelope) = &stop.content {
                let incoming = Incoming::read(envelope, None);
                firsts.push(First { stop: stop.clone(), incoming, kind: Kind::Resume });
            }
        }
        Ok(firsts)
    }

    fn first_of(&self, core: &Core, stop: &Stop, now: u64) -> Result<Option<(Incoming, Kind)>> {
        let (part, bare) = match &stop.content {
            Content::Signed(envelope) => match UnverifiedEnvelope::parse(envelope) {
                Ok(parsed) if core.position(parsed.id()).is_some() => return Ok(None),
                Ok(parsed) => {
                    let kind = parsed.claims().kind;
                    if self.would_admit(core, &parsed, now) {
                        return Ok(Some((Incoming::read(envelope, None), kind)));
                    }
                    (part_of(parsed.claims()), bare_of(parsed.claims()))
                }
                Err(_) => (part_of_nothing(), None),
            },
            Content::Local { salt, time, scope, reason } => {
                let part = HaltPart { scope: scope.clone(), reason: reason.clone() };
                (part, Some((*time, *salt)))
            }
            _ => return Ok(None),
        };
        let registry = core.replica.state().founded()?;
        let agent = registry.sequencer_with(self.key.public()).map_or([0; 32], |agent| agent.id);
        let (time, salt) = bare.unwrap_or((now, [0; 16]));
        let author = Author { key: self.key.public(), agent, grant: None };
        let draft = draft_halt(author, Bare { realm: *registry.realm(), time, salt }, part, true)?;
        if core.position(draft.id()).is_some() {
            return Ok(None);
        }
        let signed = draft.sign(&self.key)?;
        Ok(Some((Incoming::read(&signed, None), Kind::LocalHalt)))
    }

    fn would_admit(&self, core: &Core, parsed: &UnverifiedEnvelope, now: u64) -> bool {
        let state = core.replica.state();
        let stamp = core.replica.stamp(now);
        let halts = matches!(parsed.claims().kind, Kind::Halt | Kind::LocalHalt);
        let judged = parsed.clone().authenticate(&state.keys(stamp.registry_size)).and_then(|entry| {
            super::screen::check_realm(state, &entry)?;
            super::admission::admit(state, stamp, &entry)
        });
        halts && judged.is_ok_and(|verdict| verdict.code() == 0)
    }

    /// Behind the commit: what was signed stands in its slot as it stands in the log, and what has ended, or was judged, is freed. Nothing
    /// here may fail: whatever stays in a slot goes on stopping, and is looked at again by the next transaction.
    pub(super) fn settle_slots(&self, core: &Core, latched: &Latched, firsts: &[First]) {
        self.renew(core);
        for first in firsts {
            let _ = match (first.kind, first.incoming.envelope()) {
                (Kind::Resume, _) => self.latch.free(&first.stop),
                (Kind::LocalHalt, Some(envelope)) => {
                    self.latch.replace(&first.stop, Content::Signed(envelope.bytes().to_vec()))
                }
                _ => Ok(false),
            };
        }
        let Some(registry) = core.replica.state().registry().filter(|registry| !registry.halts().is_empty()) else {
            return;
        };
        let now = if firsts.is_empty() { None } else { Some(self.latch.look()) };
        for stop in &now.as_deref().unwrap_or(latched).stops {
            if self
                .id_of(core, stop)
                .is_some_and(|id| registry.halts().get(&id).is_some_and(|halt| halt.until.is_some()))
            {
                let _ = self.latch.free(stop);
            }
        }
    }

    /// By which id the registry knows what is in a slot: that of its envelope; or of the local halt that it became, where whoever committed
    /// that was killed before the slot said so.
    fn id_of(&self, core: &Core, stop: &Stop) -> Option<Id> {
        let halts = core.replica.state().registry()?.halts();
        let header = self.header_in(core).ok()?;
        match &stop.content {
            Content::Signed(envelope) => {
                let parsed = UnverifiedEnvelope::parse(envelope).ok()?;
                if halts.get(parsed.id()).is_some() {
                    return Some(*parsed.id());
                }
                let Claims { time, salt, .. } = *parsed.claims();
                let HaltPart { scope, reason } = part_of(parsed.claims());
                local_halt_id(&header, &Content::Local { salt, time, scope, reason })
            }
            other => local_halt_id(&header, other),
        }
    }

    /// What is latched and has not ended by now; `firsts` say what unsigned halts have become.
    pub(super) fn shut(&self, core: &Core, latched: &Latched, firsts: &[First]) -> Shut {
        let state = core.replica.state();
        let has_ended = |stop: &&Stop| {
            let signed = firsts.iter().find(|first| first.stop == **stop).and_then(|first| first.incoming.id());
            let id = signed.or_else(|| self.id_of(core, stop));
            let halt = id.and_then(|id| state.registry()?.halts().get(&id));
            halt.is_some_and(|halt| halt.until.is_some())
        };
        let stops = latched.stops.iter().filter(|stop| !has_ended(stop));
        Shut::of(state, stops.map(|stop| &stop.content), latched.fault)
    }

    /// Whether the latch lets this message through to this agent, or to a tool (halt.5.2). Raises `Latched`, `ArgumentRange` for a message that is not in
    /// the log. With nothing latched no lock is taken.
    pub fn check_passage(&self, message: &Id, to: Option<&Id>) -> Result<()> {
        let latched = self.latch.look();
        if latched.is_clear() {
            return Ok(());
        }
        let core = self.core()?;
        let position = core.position(message);
        let position =
            position.ok_or_else(|| Error::new(Code::ArgumentRange, "a message of the log", text::hex(message)))?;
        let envelope = UnverifiedEnvelope::parse(&self.pair_at(position)?.envelope)?;
        let shut = self.shut(&core, &latched, &[]);
        shut.check(core.replica.state(), envelope.id(), envelope.claims())?;
        to.map_or(Ok(()), |agent| shut.check_agent(core.replica.state(), agent))
    }
}

fn bare_of(claims: &Claims) -> Option<(u64, [u8; 16])> {
    Some((claims.time, claims.salt))
}

fn id_of_signed(stop: &Stop) -> Option<Id> {
    match &stop.content {
        Content::Signed(envelope) => UnverifiedEnvelope::parse(envelope).ok().map(|parsed| *parsed.id()),
        _ => None,
    }
}
