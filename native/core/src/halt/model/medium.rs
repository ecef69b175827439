//! One sidecar in memory, with the locks of several processes on it, which can be killed or suspended before any of their steps.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Space, Step, announce};
use crate::halt::layout::{Header, LENGTH};

pub type Inode = (u64, u64);

/// What becomes of a process before one of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is gone, and so are its locks.
    Killed,
    /// It never goes on, and keeps its locks.
    Suspended,
}

#[derive(Debug, Default)]
struct Process {
    /// After how many steps what becomes of it.
    end: Option<(usize, Fate)>,
    over: bool,
}

#[derive(Debug)]
struct State {
    bytes: Vec<u8>,
    /// Process, from, before.
    locks: Vec<(usize, u64, u64)>,
    processes: Vec<Process>,
}

/// What several processes share.
#[derive(Debug)]
pub struct World {
    state: Mutex<State>,
    /// Whether what is written comes about in two parts, where it has more than a word.
    torn: bool,
}

impl World {
    pub fn new(processes: usize, torn: bool) -> Arc<World> {
        let mut bytes = Header { realm: [1; 32], sequencer: ([2; 32], [3; 32]) }.encode().to_vec();
        bytes.resize(LENGTH as usize, 0);
        let processes = (0..processes).map(|_| Process::default()).collect();
        Arc::new(World { state: Mutex::new(State { bytes, locks: Vec::new(), processes }), torn })
    }

    pub(super) fn medium(self: &Arc<World>, process: usize) -> Medium {
        Medium { world: Arc::clone(self), process }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// That many steps from now on are a process's last.
    pub fn ends(&self, process: usize, after: usize, fate: Fate) {
        self.state().processes[process].end = Some((after, fate));
    }

    /// Whether what was to become of a process has.
    pub fn is_over(&self, process: usize) -> bool {
        self.state().processes[process].over
    }

    /// Something outside that a process does, or says. False: it is over.
    pub fn happens(&self, process: usize, changes: bool) -> bool {
        self.step(process, Step::new(Space::Outside, 0, 1, changes)).is_ok()
    }

    /// Waits for the process's turn. Err: there is none any more.
    fn step(&self, process: usize, step: Step) -> io::Result<()> {
        let ending = {
            let mut state = self.state();
            let process = &mut state.processes[process];
            if process.over {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            match &mut process.end {
                Some((0, fate)) => Some(*fate),
                Some((left, _)) => {
                    *left -= 1;
                    None
                }
                None => None,
            }
        };
        match ending {
            None => announce(step),
            // All that others see of it is that its locks are gone.
            Some(Fate::Killed) => announce(Step::new(Space::Locks, 0, u64::MAX, true)),
            Some(Fate::Suspended) => {}
        }
        let mut state = self.state();
        if let Some(fate) = ending {
            state.processes[process].over = true;
            if fate == Fate::Killed {
                state.locks.retain(|(holder, ..)| *holder != process);
            }
        }
        if state.processes[process].over { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}

/// The sidecar, as one process has it.
#[derive(Debug)]
pub(in crate::halt) struct Medium {
    world: Arc<World>,
    process: usize,
}

impl Medium {
    pub fn create(_: &Path, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn inode_of(_: &Path) -> io::Result<Option<Inode>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn open(_: &Path) -> io::Result<Medium> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn path(&self) -> &Path {
        Path::new("")
    }

    pub fn inode(&self) -> Inode {
        (0, 0)
    }

    pub fn length(&self) -> io::Result<u64> {
        Ok(LENGTH)
    }

    pub fn is_there(&self) -> bool {
        true
    }

    pub fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn step(&self, space: Space, at: u64, length: usize, changes: bool) -> io::Result<()> {
        self.world.step(self.process, Step::new(space, at, length as u64, changes))
    }

    /// Where a piece of work on so many bytes is cut in two: behind the first word, or in the middle.
    fn cut(&self, length: usize) -> usize {
        match length {
            0..=8 => length,
            _ if !self.world.torn => length,
            9..=64 => 8,
            _ => length / 2,
        }
    }

    pub fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.step(Space::Bytes, at, bytes.len(), false)?;
        let from = at as usize;
        bytes.copy_from_slice(&self.world.state().bytes[from..from + bytes.len()]);
        Ok(())
    }

    pub fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let (first, second) = bytes.split_at(self.cut(bytes.len()));
        for (part, at) in [(first, at), (second, at + first.len() as u64)] {
            if !part.is_empty() {
                self.step(Space::Bytes, at, part.len(), true)?;
                let from = at as usize;
                self.world.state().bytes[from..from + part.len()].copy_from_slice(part);
            }
        }
        Ok(())
    }

    /// A process's own locks never keep it out, and what it holds it can hold again: as fcntl has it.
    pub fn lock(&self, at: u64, length: usize) -> bool {
        if self.step(Space::Locks, at, length, true).is_err() {
            return false;
        }
        let mut state = self.world.state();
        let free = !is_held(&state, self.process, at, length);
        if free {
            state.locks.push((self.process, at, at + length as u64));
        }
        free
    }

    pub fn unlock(&self, at: u64, length: usize) {
        if self.step(Space::Locks, at, length, true).is_ok() {
            let held = (self.process, at, at + length as u64);
            self.world.state().locks.retain(|lock| *lock != held);
        }
    }

    pub fn is_held_elsewhere(&self, at: u64, length: usize) -> bool {
        self.step(Space::Locks, at, length, false).is_err() || is_held(&self.world.state(), self.process, at, length)
    }
}

fn is_held(state: &State, process: usize, at: u64, length: usize) -> bool {
    state.locks.iter().any(|(holder, from, before)| *holder != process && *from < at + length as u64 && at < *before)
}
