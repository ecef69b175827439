//! Inboxes, for Python: what waits for an agent, and the bell that wakes an event loop (agent.3, agent.5).

use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use ama2sec_core::realm::engine::Engine;
use ama2sec_core::realm::inbox::{Bell, Held, Taken};
use ama2sec_core::realm::log::Log;
use pyo3::prelude::*;

use crate::errors::{guard, guard_detached};
use crate::identity::Id;
use crate::realm_entry::RealmEntry;

/// Wakes one event loop: a descriptor that it waits on, and the readers that are to look.
#[pyclass(frozen, module = "ama2sec")]
pub struct RealmBell(pub Arc<Bell>);

#[pymethods]
impl RealmBell {
    /// Raises `WriteFailed` where the system gives no descriptor.
    #[new]
    fn new(py: Python<'_>) -> PyResult<RealmBell> {
        guard(py, || Ok(RealmBell(Arc::new(Bell::new()?))))
    }

    /// It can be read when somebody is to look.
    fn fileno(&self) -> i32 {
        self.0.as_fd().as_raw_fd()
    }

    /// Nothing is signalled until `drain`: the caller drains himself.
    fn hold(&self) {
        self.0.hold();
    }

    /// The tokens of the inboxes that are to look, in the order in which something came for them.
    fn drain(&self) -> Vec<u64> {
        self.0.drain()
    }
}

/// The inbox of an agent that is open. Only an engine makes one; `close` gives the agent back.
#[pyclass(frozen, module = "ama2sec")]
pub struct RealmInbox {
    engine: Arc<Engine<Arc<dyn Log>>>,
    held: Held,
}

impl RealmInbox {
    pub fn new(engine: Arc<Engine<Arc<dyn Log>>>, held: Held) -> RealmInbox {
        RealmInbox { engine, held }
    }
}

impl Drop for RealmInbox {
    fn drop(&mut self) {
        // One that was closed is not there any more.
        let _ = self.engine.router().close(&self.held);
    }
}

#[pymethods]
impl RealmInbox {
    /// By what its bell names it.
    #[getter]
    fn token(&self) -> u64 {
        self.held.token()
    }

    /// A reader begins: all that was not acknowledged is delivered to it, and an older one ends. Its number, for `take`.
    fn read(&self, py: Python<'_>) -> PyResult<u32> {
        guard(py, || self.engine.router().read_by(&self.held))
    }

    /// The next message that no handler has; None: nothing waits, and the bell is rung when something does. Raises `AgentInUse` for a
    /// reader that is not the newest, `Backpressure`, and what stops an engine.
    fn take(&self, py: Python<'_>, reader: u32) -> PyResult<Option<RealmEntry>> {
        // What is in memory is there at once; only the log is worth letting others have the interpreter.
        match guard(py, || self.engine.router().take(&self.held, reader))? {
            Taken::Message(entry) => Ok(Some(RealmEntry(entry))),
            Taken::Nothing => Ok(None),
            Taken::Behind => {
                let found = guard_detached(py, || self.engine.take(&self.held, reader))?;
                Ok(found.map(RealmEntry))
            }
        }
    }

    /// A message that was taken has reached no handler.
    fn give_back(&self, py: Python<'_>, position: u64) -> PyResult<()> {
        guard(py, || self.engine.router().give_back(&self.held, position))
    }

    /// Below which position everything will have been acknowledged when this message is: to be kept before `acknowledge`. None: it does
    /// not wait. Raises `AgentInUse` where the agent was closed.
    fn below_without(&self, py: Python<'_>, position: u64) -> PyResult<Option<u64>> {
        guard(py, || self.engine.router().below_without(&self.held, position))
    }

    /// A handler is done with it.
    fn acknowledge(&self, py: Python<'_>, position: u64) -> PyResult<()> {
        guard(py, || self.engine.router().acknowledge(&self.held, position))
    }

    /// The positions of the messages in memory that were not acknowledged; and from where on the rest has to be read from the log.
    #[getter]
    fn waiting(&self, py: Python<'_>) -> PyResult<(Vec<u64>, Option<u64>)> {
        guard(py, || self.engine.router().waiting(&self.held))
    }

    /// How many entries of a branch the agent has consumed, how many there are, and how many of them the branch has inherited. Raises
    /// `ConversationUnknown`, `BranchUnknown`.
    fn consumed(&self, py: Python<'_>, conversation: &Id, branch: &Id) -> PyResult<(u64, u64, u64)> {
        let found = guard_detached(py, || self.engine.consumed(&self.held, &conversation.0, &branch.0))?;
        Ok((found.size, found.whole, found.base))
    }

    /// Nothing goes to it any more. Below which position the agent had acknowledged everything. Raises `AgentInUse` the second time.
    fn close(&self, py: Python<'_>) -> PyResult<u64> {
        guard(py, || self.engine.router().close(&self.held))
    }
}
