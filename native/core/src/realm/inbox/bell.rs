//! Wakes the readers of one event loop: many messages, one signal (agent.5.1).

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::errors::{Code, Error, Result};

/// A descriptor that an event loop waits on, and the readers that are to look. Any thread rings; the loop drains.
#[derive(Debug)]
pub struct Bell {
    state: Mutex<Rung>,
    line: Line,
}

#[derive(Debug, Default)]
struct Rung {
    tokens: Vec<u64>,
    /// The loop is handing in an entry itself, and drains behind that: no signal is needed.
    held: bool,
    /// The descriptor was written to and not read since.
    signalled: bool,
}

/// What carries the signal.
#[derive(Debug)]
enum Line {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Event(std::os::fd::OwnedFd),
    /// Written at one end and read at the other, where the system has no eventfd.
    Pair { near: UnixStream, far: UnixStream },
}

impl Bell {
    /// Raises `WriteFailed` where the system gives no descriptor.
    pub fn new() -> Result<Bell> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::event::{EventfdFlags, eventfd};
            if let Ok(event) = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK) {
                return Ok(Bell { state: Mutex::default(), line: Line::Event(event) });
            }
        }
        Bell::paired()
    }

    /// With a pair of sockets, which every Unix has.
    pub fn paired() -> Result<Bell> {
        let (near, far) = UnixStream::pair().map_err(|fault| no_line(&fault))?;
        near.set_nonblocking(true).and_then(|()| far.set_nonblocking(true)).map_err(|fault| no_line(&fault))?;
        Ok(Bell { state: Mutex::default(), line: Line::Pair { near, far } })
    }

    fn rung(&self) -> MutexGuard<'_, Rung> {
        // Nobody panics while he holds it: there is nothing in it that could be half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader is to look.
    pub fn ring(&self, token: u64) {
        let mut rung = self.rung();
        rung.tokens.push(token);
        if !rung.held && !rung.signalled {
            rung.signalled = true;
            self.line.signal();
        }
    }

    /// From here to the next `drain` nothing is signalled: the caller drains himself.
    pub fn hold(&self) {
        self.rung().held = true;
    }

    /// Who is to look, in the order in which they were rung for.
    pub fn drain(&self) -> Vec<u64> {
        let mut rung = self.rung();
        rung.held = false;
        if std::mem::take(&mut rung.signalled) {
            self.line.clear();
        }
        std::mem::take(&mut rung.tokens)
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.line {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Line::Event(event) => event.as_fd(),
            Line::Pair { near, .. } => near.as_fd(),
        }
    }
}

impl Line {
    /// A full line is a signal that was not read yet: nothing is lost where a write is refused.
    fn signal(&self) {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Line::Event(event) => {
                let _ = rustix::io::write(event, &1u64.to_ne_bytes());
            }
            Line::Pair { far, .. } => {
                let _ = (&*far).write(&[1]);
            }
        }
    }

    fn clear(&self) {
        let mut room = [0; 8];
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Line::Event(event) => {
                let _ = rustix::io::read(event, &mut room);
            }
            Line::Pair { near, .. } => {
                let _ = (&*near).read(&mut room);
            }
        }
    }
}

fn no_line(fault: &std::io::Error) -> Error {
    Error::new(Code::WriteFailed, "a descriptor to wake an event loop with", fault.kind().to_string())
}
