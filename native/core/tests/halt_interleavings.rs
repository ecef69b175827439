//! The latch under a model checker: every order of the steps of a few processes, and many orders of more (decision 0015). The code that
//! runs here is the product's; only the file, its locks and the time are not.

#![cfg(ama2sec_shuttle)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "interleavings/cast.rs"]
mod cast;
#[path = "interleavings/search.rs"]
mod search;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use ama2sec_core::halt::SLOTS;
use ama2sec_core::halt::model::{Fate, alone};
use cast::{Actor, Scene, join};
use search::Search;
use shuttle::rand::RngCore;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::thread::spawn;
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

fn config() -> Config {
    let mut config = Config::default();
    config.silence_warnings = true;
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::FailAfter(100_000);
    config
}

fn run(scheduler: impl Scheduler + 'static, model: impl Fn() + Send + Sync + 'static) -> usize {
    Runner::new(scheduler, config()).run(model)
}

/// Every order that can matter.
fn every(name: &str, model: impl Fn() + Send + Sync + 'static) {
    println!("{name}: {} schedules", searched(true, model));
}

fn searched(reduce: bool, model: impl Fn() + Send + Sync + 'static) -> usize {
    let search = Search::new(reduce);
    let whole = search.whole.clone();
    let count = run(search, model);
    assert!(whole.load(Ordering::Relaxed), "not all was tried");
    count
}

/// Every order, with a process that ends before its first step, its second, and so on. `model` says whether it came to that.
fn every_end(name: &str, fate: Fate, model: impl Fn(usize, Fate) -> bool + Clone + Send + Sync + 'static) {
    let mut count = 0;
    for after in 0.. {
        let reached = Arc::new(AtomicBool::new(false));
        let (model, seen) = (model.clone(), Arc::clone(&reached));
        count += searched(true, move || {
            if model(after, fate) {
                seen.store(true, Ordering::Relaxed);
            }
        });
        if !reached.load(Ordering::Relaxed) {
            println!("{name}, {fate:?} before each of {after} steps: {count} schedules");
            assert!(after > 3);
            return;
        }
    }
}

/// A person who stops, and says when nobody is on his way any more.
fn person(own: &Actor, salt: u8) {
    own.stop(salt);
    own.quiesce(salt);
}

#[test]
fn nobody_acts_behind_a_quiet_stop_and_none_is_lost() {
    for torn in [false, true] {
        every("a person, a writer, an engine that resumes", move || {
            let scene = Scene::new(3, torn);
            let (stopper, writer, engine) = (scene.beside(0), scene.open(1), scene.beside(2));
            join([stopper.alone(|own| person(own, 1)), writer.alone(Actor::pass), engine.alone(Actor::resume)]);
            scene.end(3);
        });
    }
    every("a person, an inbox that hands over twice", || {
        let scene = Scene::new(2, true);
        let (stopper, inbox) = (scene.beside(0), scene.open(1));
        let twice = |own: &Actor| {
            own.hand_over();
            own.hand_over();
        };
        join([stopper.alone(|own| person(own, 1)), inbox.alone(twice)]);
        scene.end(2);
    });
}

#[test]
fn whoever_opens_the_realm_while_it_is_stopped_is_counted_or_sees_it() {
    every("a person, a program that opens and writes", || {
        let scene = Scene::new(2, false);
        let stopper = scene.beside(0);
        let late = scene.clone();
        let opens = spawn(move || {
            alone();
            late.open(1).pass();
        });
        join([stopper.alone(|own| person(own, 1)), opens]);
        scene.end(2);
    });
}

#[test]
fn two_who_stop_at_once_are_both_latched() {
    for torn in [false, true] {
        every("two persons", move || {
            let scene = Scene::new(2, torn);
            let (one, other) = (scene.beside(0), scene.beside(1));
            join([one.alone(|own| own.stop(1)), other.alone(|own| own.stop(2))]);
            assert_eq!(scene.end(2).len(), 2);
        });
    }
    every("two persons, a writer", || {
        let scene = Scene::new(3, false);
        let (one, other, writer) = (scene.beside(0), scene.beside(1), scene.open(2));
        join([one.alone(|own| person(own, 1)), other.alone(|own| own.stop(2)), writer.alone(Actor::pass)]);
        assert_eq!(scene.end(3).len(), 2);
    });
}

#[test]
fn a_stop_during_the_end_of_another_is_kept() {
    for torn in [false, true] {
        every("a stop while one is freed by two engines", move || {
            let scene = Scene::new(3, torn);
            let (stopper, one, other) = (scene.beside(0), scene.beside(1), scene.beside(2));
            one.stop(1);
            join([stopper.alone(|own| own.stop(2)), one.alone(Actor::resume), other.alone(Actor::resume)]);
            scene.end(3);
        });
        every("a stop while one is signed and freed", move || {
            let scene = Scene::new(3, torn);
            let (stopper, one, other) = (scene.beside(0), scene.beside(1), scene.beside(2));
            one.stop(1);
            join([stopper.alone(|own| own.stop(2)), one.alone(Actor::sign), other.alone(Actor::resume)]);
            scene.end(3);
        });
    }
}

#[test]
fn where_no_slot_is_free_one_is_taken_over_for_the_realm() {
    every("two persons, and one slot", || {
        let scene = Scene::filled(2, false, 1);
        let (one, other) = (scene.beside(0), scene.beside(1));
        join([one.alone(|own| own.stop(1)), other.alone(|own| own.stop(2))]);
        scene.end(2);
    });
    every("a person, and no slot but one that is being freed", || {
        let scene = Scene::filled(2, true, 1);
        let (one, engine) = (scene.beside(0), scene.beside(1));
        one.stop(1);
        join([one.alone(|own| own.stop(2)), engine.alone(Actor::resume_last)]);
        scene.end(2);
    });
    every_end("an engine at the last slot", Fate::Suspended, |after, fate| {
        let scene = Scene::filled(2, false, 1);
        let (one, engine) = (scene.beside(0), scene.beside(1));
        one.stop(1);
        let engine = engine.ends(after, fate);
        join([one.alone(|own| own.stop(2)), engine.alone(Actor::resume_last)]);
        scene.end(2);
        scene.world.is_over(1)
    });
}

#[test]
fn whoever_is_killed_or_suspended_takes_no_stop_with_him() {
    for (fate, torn) in [(Fate::Killed, false), (Fate::Killed, true), (Fate::Suspended, false), (Fate::Suspended, true)]
    {
        every_end("a person beside another", fate, move |after, fate| {
            let scene = Scene::new(2, torn);
            let (one, other) = (scene.beside(0).ends(after, fate), scene.beside(1));
            join([one.alone(|own| own.stop(1)), other.alone(|own| own.stop(2))]);
            scene.end(2);
            scene.world.is_over(0)
        });
        every_end("an engine that frees beside a person", fate, move |after, fate| {
            let scene = Scene::new(2, torn);
            let (engine, other) = (scene.beside(0), scene.beside(1));
            other.stop(1);
            let engine = engine.ends(after, fate);
            join([engine.alone(Actor::resume), other.alone(|own| own.stop(2))]);
            scene.end(2);
            scene.world.is_over(0)
        });
        every_end("a writer on his way", fate, move |after, fate| {
            let scene = Scene::new(2, torn);
            let (writer, stopper) = (scene.open(0).ends(after, fate), scene.beside(1));
            join([writer.alone(Actor::pass), stopper.alone(|own| person(own, 1))]);
            scene.end(2);
            scene.world.is_over(0)
        });
        every_end("a person and a writer", fate, move |after, fate| {
            let scene = Scene::new(2, torn);
            let (stopper, writer) = (scene.beside(0).ends(after, fate), scene.open(1));
            join([stopper.alone(|own| person(own, 1)), writer.alone(Actor::pass)]);
            scene.end(2);
            scene.world.is_over(0)
        });
    }
}

#[test]
fn threads_of_one_process_share_a_gate() {
    every("two writers in one process", || {
        let scene = Scene::new(2, false);
        let (stopper, writers) = (scene.beside(0), scene.open(1));
        join([stopper.alone(|own| person(own, 1)), writers.thread(Actor::pass), writers.thread(Actor::pass)]);
        scene.end(2);
    });
}

/// Some of everything, in four processes; one of them may end before one of its first steps.
fn crowd() {
    let random = |upto: u32| shuttle::rand::thread_rng().next_u32() % upto;
    let scene = Scene::filled(5, true, 1 + random(SLOTS as u32) as usize);
    let (one, other) = (scene.open(0), scene.open(1));
    let (person, second, engine) = (scene.beside(2), scene.beside(3), scene.beside(4));
    let fate = if random(2) == 0 { Fate::Killed } else { Fate::Suspended };
    let victim = random(7) as usize;
    if victim < 5 {
        scene.world.ends(victim, random(30) as usize, fate);
    }
    let stops = |own: &Actor, from: u8| {
        own.stop(from);
        own.quiesce(from);
        own.stop(from + 1);
    };
    let passes = |own: &Actor| {
        own.pass();
        own.hand_over();
    };
    let ends = |own: &Actor| {
        own.sign();
        own.resume();
        own.resume();
    };
    join([
        one.thread(passes),
        one.thread(passes),
        other.thread(passes),
        other.thread(ends),
        person.thread(move |own| stops(own, 1)),
        second.thread(move |own| stops(own, 3)),
        engine.thread(ends),
    ]);
    scene.end(5);
}

#[test]
fn many_orders_of_many() {
    let count = std::env::var("SCHEDULES").map_or(10_000, |count| count.parse().unwrap());
    let seed = std::env::var("SEED").map_or_else(|_| rand_seed(), |seed| seed.parse().unwrap());
    println!("a crowd, at random with SEED={seed}: {count} schedules");
    run(RandomScheduler::new_from_seed(seed, count), crowd);
    for depth in [2, 3, 5] {
        println!("a crowd, {depth} changes of priority: {count} schedules");
        run(PctScheduler::new_from_seed(seed, depth, count), crowd);
    }
}

fn rand_seed() -> u64 {
    std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0)
}

#[test]
fn the_search_leaves_nothing_out() {
    let model = |told: Arc<Mutex<BTreeSet<String>>>| {
        move || {
            let scene = Scene::new(2, false);
            let (one, other) = (scene.beside(0), scene.beside(1));
            join([one.alone(|own| own.stop(1)), other.alone(|own| own.stop(2))]);
            told.lock().unwrap().insert(format!("{} {:?}", scene.told(), scene.end(2)));
        }
    };
    let (all, few): (Arc<Mutex<BTreeSet<String>>>, Arc<Mutex<BTreeSet<String>>>) = Default::default();
    let counts = [searched(false, model(all.clone())), searched(true, model(few.clone()))];
    println!("every order, and every one that can matter: {counts:?}");
    assert!(counts[0] > 10 * counts[1]);
    assert_eq!(*all.lock().unwrap(), *few.lock().unwrap());
    assert!(all.lock().unwrap().len() > 2);
}
