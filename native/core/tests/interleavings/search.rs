//! Every order of steps that can matter, one execution each: a depth-first search with partial order reduction (races found in what was run
//! say where another order is to be tried: Flanagan and Godefroid 2005) and sleep sets (what was tried and met nothing since is not tried
//! again). Without reduction it tries every order there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ama2sec_core::halt::model::{Step, next_of};
use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

type Move = (TaskId, Step);

/// One state on the path that is being searched.
struct Node {
    enabled: Vec<Move>,
    /// What is to be tried here.
    wanted: Vec<TaskId>,
    /// What needs no trying: it was tried here or above, and nothing has met it since.
    asleep: Vec<Move>,
    chosen: Move,
    /// For each task the number of the last step that happened before this one, and that of its own.
    clock: Vec<usize>,
}

pub struct Search {
    nodes: Vec<Node>,
    depth: usize,
    /// What is left of this execution was seen before.
    stale: bool,
    begun: bool,
    reduce: bool,
    /// Whether all was tried.
    pub whole: Arc<AtomicBool>,
}

impl Search {
    pub fn new(reduce: bool) -> Search {
        Search { nodes: Vec::new(), depth: 0, stale: false, begun: false, reduce, whole: Arc::default() }
    }

    fn meet(&self, one: &Move, other: &Move) -> bool {
        !self.reduce || one.0 == other.0 || one.1.meets(&other.1)
    }

    /// What happened before the next step of a task.
    fn clock_of(&self, task: TaskId) -> Vec<usize> {
        let own = self.nodes[..self.depth].iter().rev().find(|node| node.chosen.0 == task);
        own.map_or_else(Vec::new, |node| node.clock.clone())
    }

    /// The last step that the next one of a task could have come before, but did not: there it is to be tried.
    fn race(&mut self, next: &Move) {
        let clock = self.clock_of(next.0);
        let before = |task: TaskId| clock.get(usize::from(task)).copied().unwrap_or_default();
        let found = (0..self.depth).rev().find(|at| {
            let chosen = &self.nodes[*at].chosen;
            chosen.0 != next.0 && before(chosen.0) <= *at && self.meet(chosen, next)
        });
        let Some(node) = found.map(|at| &mut self.nodes[at]) else { return };
        let known = node.enabled.iter().any(|(task, _)| *task == next.0);
        let added: Vec<TaskId> =
            if known { vec![next.0] } else { node.enabled.iter().map(|(task, _)| *task).collect() };
        for task in added {
            if !node.wanted.contains(&task) {
                node.wanted.push(task);
            }
        }
    }

    fn enter(&mut self, enabled: Vec<Move>, current: Option<TaskId>) -> Option<()> {
        let asleep: Vec<Move> = match self.nodes.last() {
            Some(above) => above.asleep.iter().filter(|other| !self.meet(&above.chosen, other)).copied().collect(),
            None => Vec::new(),
        };
        for next in &enabled {
            self.race(next);
        }
        let awake = |next: &&Move| !asleep.iter().any(|(task, _)| *task == next.0);
        let chosen = enabled.iter().filter(|next| Some(next.0) == current).find(awake);
        let chosen = *chosen.or_else(|| enabled.iter().find(awake))?;
        let wanted = if self.reduce { vec![chosen.0] } else { enabled.iter().map(|(task, _)| *task).collect() };
        self.nodes.push(Node { enabled, wanted, asleep, chosen, clock: Vec::new() });
        Some(())
    }

    fn take(&mut self) -> TaskId {
        let at = self.depth;
        let chosen = self.nodes[at].chosen;
        let mut clock = self.clock_of(chosen.0);
        for node in &self.nodes[..at] {
            if self.meet(&node.chosen, &chosen) {
                join(&mut clock, &node.clock);
            }
        }
        let own = usize::from(chosen.0);
        clock.resize(clock.len().max(own + 1), 0);
        clock[own] = at + 1;
        self.nodes[at].clock = clock;
        self.depth += 1;
        chosen.0
    }

    /// To the deepest state where something is left to be tried. False: there is none.
    fn back(&mut self) -> bool {
        while let Some(node) = self.nodes.last_mut() {
            node.asleep.push(node.chosen);
            let asleep = &node.asleep;
            let next = node
                .enabled
                .iter()
                .find(|(task, _)| node.wanted.contains(task) && !asleep.iter().any(|(other, _)| other == task));
            if let Some(next) = next {
                node.chosen = *next;
                return true;
            }
            self.nodes.pop();
        }
        false
    }
}

fn join(clock: &mut Vec<usize>, other: &[usize]) {
    clock.resize(clock.len().max(other.len()), 0);
    for (own, other) in clock.iter_mut().zip(other) {
        *own = (*own).max(*other);
    }
}

impl Scheduler for Search {
    fn new_execution(&mut self) -> Option<Schedule> {
        if self.begun && !self.back() {
            self.whole.store(true, Ordering::Relaxed);
            return None;
        }
        (self.begun, self.stale, self.depth) = (true, false, 0);
        Some(Schedule::new(0))
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, _: bool) -> Option<TaskId> {
        // Whoever is not before a step that others could notice goes on.
        let quiet = |task: &TaskId| next_of(*task).is_none();
        let ids = || runnable.iter().map(|task| task.id());
        if let Some(task) = ids().find(|task| Some(*task) == current && quiet(task)).or_else(|| ids().find(quiet)) {
            return Some(task);
        }
        let enabled: Vec<Move> = ids().filter_map(|task| Some((task, next_of(task)?))).collect();
        if !self.stale {
            if self.depth < self.nodes.len() {
                assert_eq!(self.nodes[self.depth].enabled, enabled, "the model does not do the same twice");
                return Some(self.take());
            }
            match self.enter(enabled.clone(), current) {
                Some(()) => return Some(self.take()),
                None => self.stale = true,
            }
        }
        enabled.first().map(|(task, _)| *task)
    }

    fn next_u64(&mut self) -> u64 {
        0
    }
}
