//! Who takes part in the models, and what must hold whatever happens (halt.4, halt.5).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ama2sec_core::halt::model::{Fate, World, alone, begin};
use ama2sec_core::halt::{Content, Latch, Latched, SLOTS, Scope, Stop};
use shuttle::thread::{JoinHandle, spawn};

/// A stop of one conversation: where there is no slot for it, it becomes one of the realm.
fn local(salt: u8) -> Content {
    let scope = Scope::Conversation([salt; 32]).encode();
    Content::Local { salt: [salt; 16], time: 1, scope, reason: String::new() }
}

/// Which stop it is, signed or not, and whether it is of the realm.
fn who(stop: &Stop) -> Option<(u8, bool)> {
    match &stop.content {
        Content::Local { salt, scope, .. } => Some((*salt.first()?, *scope == Scope::Realm.encode())),
        Content::Signed(bytes) => Some((*bytes.first()?, *bytes.get(1)? == 1)),
        _ => None,
    }
}

/// Something that a person has stopped.
#[derive(Debug)]
struct Stopped {
    salt: u8,
    /// When it was begun, and when it returned.
    since: (usize, usize),
    slot: usize,
}

/// What has happened, in the order in which it did.
#[derive(Debug, Default)]
struct Facts {
    time: usize,
    stopped: Vec<Stopped>,
    /// Those after which it was said that nobody is on his way any more.
    quiet: Vec<u8>,
    /// Those that somebody began to free, a resume of exactly them is in force: and whether they stood for others too.
    freeing: Vec<(u8, bool)>,
    acts: usize,
}

impl Facts {
    fn stop(&self, salt: u8) -> Option<&Stopped> {
        self.stopped.iter().find(|stop| stop.salt == salt)
    }

    /// Freed; or in a slot that was taken over, because none was free, by one that was freed.
    fn has_ended(&self, salt: u8) -> bool {
        self.freeing.iter().any(|(freed, wide)| {
            let over = || match (self.stop(salt), self.stop(*freed)) {
                (Some(own), Some(other)) => own.slot == other.slot && own.since.0 < other.since.1,
                // It has not returned yet, and may have been written behind this one.
                (Some(_), None) => true,
                (None, _) => false,
            };
            *freed == salt || (*wide && over())
        })
    }
}

#[derive(Clone)]
pub struct Scene {
    pub world: Arc<World>,
    facts: Arc<Mutex<Facts>>,
    full: bool,
    torn: bool,
}

/// One process of a scene, or one thread of it.
#[derive(Clone)]
pub struct Actor {
    scene: Scene,
    process: usize,
    latch: Arc<Latch>,
}

impl Scene {
    pub fn new(processes: usize, torn: bool) -> Scene {
        begin();
        // One more: who opens the realm when all is over.
        Scene { world: World::new(processes + 1, torn), facts: Arc::default(), full: false, torn }
    }

    /// All slots but so many are taken.
    pub fn filled(processes: usize, torn: bool, but: usize) -> Scene {
        let scene = Scene { full: true, ..Scene::new(processes, torn) };
        let person = scene.beside(processes);
        for salt in (100..).take(SLOTS - but) {
            person.stop(salt);
        }
        scene
    }

    pub fn open(&self, process: usize) -> Actor {
        Actor { scene: self.clone(), process, latch: Arc::new(Latch::model_open(&self.world, process).unwrap()) }
    }

    /// Somebody without a gate, as the one who calls `ama2sec stop` is.
    pub fn beside(&self, process: usize) -> Actor {
        Actor { scene: self.clone(), process, latch: Arc::new(Latch::model_beside(&self.world, process).unwrap()) }
    }

    /// Whoever opens the realm next sees every stop that has returned and was not ended.
    pub fn end(&self, process: usize) -> Vec<Stop> {
        let latch = Latch::model_beside(&self.world, process).unwrap();
        let latched = latch.look();
        // What is half written is free, where a write of a head is not cut in two; else everything is stopped.
        assert!(self.torn || latched.fault.is_none(), "{latched:?}");
        let facts = self.facts.lock().unwrap();
        shows(&facts, facts.stopped.iter().map(|stop| stop.salt), &latched);
        latched.stops.clone()
    }

    /// What has happened, for who compares two searches.
    pub fn told(&self) -> String {
        format!("{:?}", self.facts.lock().unwrap())
    }
}

/// Each of these stops is seen; or everything is stopped, because the sidecar is unreadable, or by a stop that found no slot.
fn shows(facts: &Facts, stops: impl IntoIterator<Item = u8>, latched: &Latched) {
    let seen: Vec<(u8, bool)> = latched.stops.iter().filter_map(who).collect();
    if latched.fault.is_some() || seen.iter().any(|(_, wide)| *wide) {
        return;
    }
    for salt in stops.into_iter().filter(|salt| !facts.has_ended(*salt)) {
        assert!(seen.iter().any(|(other, _)| *other == salt), "stop {salt} is lost: {latched:?}, {facts:?}");
    }
}

impl Actor {
    fn now<T>(&self, changes: bool, fact: impl FnOnce(&mut Facts) -> T) -> Option<T> {
        let happens = self.scene.world.happens(self.process, changes);
        happens.then(|| {
            let mut facts = self.scene.facts.lock().unwrap();
            facts.time += 1;
            fact(&mut facts)
        })
    }

    /// A thread of its own; the only one of its process.
    pub fn alone(self, act: impl FnOnce(&Actor) + Send + 'static) -> JoinHandle<()> {
        spawn(move || {
            alone();
            act(&self);
        })
    }

    /// One of several threads of a process.
    pub fn thread(&self, act: impl FnOnce(&Actor) + Send + 'static) -> JoinHandle<()> {
        let own = self.clone();
        spawn(move || act(&own))
    }

    /// The same by hand, as a face does that cannot hold on to a value.
    pub fn hand_over(&self) {
        let ticket = self.latch.go_in();
        if self.latch.look().is_clear() {
            self.act();
        }
        self.latch.go_out(ticket);
    }

    fn act(&self) {
        self.now(true, |facts| {
            let passed: Vec<&u8> = facts.quiet.iter().filter(|salt| !facts.has_ended(**salt)).collect();
            assert!(passed.is_empty(), "somebody acts behind {passed:?}, of which it was said that nobody would");
            facts.acts += 1;
        });
    }

    pub fn stop(&self, salt: u8) {
        // When it began is asked only where slots are taken over, and says so in as many orders.
        let begun = if self.scene.full { self.now(true, |facts| facts.time) } else { Some(0) };
        let Some(begun) = begun else { return };
        let written = self.latch.stop(local(salt));
        self.now(true, |facts| match written {
            Ok(Some(written)) => facts.stopped.push(Stopped { salt, since: (begun, facts.time), slot: written.slot }),
            other => panic!("a stop is total: {other:?}"),
        });
    }

    pub fn quiesce(&self, salt: u8) {
        if self.latch.quiesce(Duration::ZERO) {
            self.now(true, |facts| facts.quiet.push(salt));
        }
    }

    /// Goes in, looks, acts if nothing is latched, and leaves: a transaction, or an inbox that hands over a message.
    pub fn pass(&self) {
        let mut entered = self.latch.enter();
        let Some(must) = self.now(false, |facts| facts.stopped.iter().map(|stop| stop.salt).collect::<Vec<u8>>())
        else {
            return;
        };
        let latched = entered.look();
        if self.now(false, |facts| shows(facts, must, &latched)).is_some() && latched.is_clear() {
            self.act();
        }
    }

    /// A resume of the first stop that is seen has taken effect, and is committed.
    pub fn resume(&self) {
        self.free(self.latch.look().stops.first());
    }

    pub fn resume_last(&self) {
        self.free(self.latch.look().stops.last());
    }

    fn free(&self, stop: Option<&Stop>) {
        let Some(stop) = stop else { return };
        let Some(ended) = who(stop) else { return };
        // As in the registry: it ends this one, and no other.
        if self.now(true, |facts| facts.freeing.push(ended)).is_some() {
            let _ = self.latch.free(stop);
        }
    }

    /// An engine signs what a person on the host has stopped.
    pub fn sign(&self) {
        for stop in &self.latch.look().stops {
            if let (Content::Local { .. }, Some((salt, wide))) = (&stop.content, who(stop)) {
                let _ = self.latch.replace(stop, Content::Signed(vec![salt, wide.into()]));
            }
        }
    }

    pub fn ends(self, after: usize, fate: Fate) -> Actor {
        self.scene.world.ends(self.process, after, fate);
        self
    }
}

pub fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}
