//! A person's last word (`audits/spec/halt.md`). Nothing here knows a realm: it asks this room, and this room asks nobody.

mod gates;
mod latch;
mod layout;
mod scope;
mod sidecar;

#[cfg(not(ama2sec_shuttle))]
mod medium;
#[cfg(not(ama2sec_shuttle))]
mod sync;

/// What stands in for the file, the locks and the time while the model checker runs (decision 0015).
#[cfg(ama2sec_shuttle)]
pub mod model;
#[cfg(ama2sec_shuttle)]
use model::{medium, sync};

pub use gates::Drill;
pub use latch::{Entered, Latch, Latched, Stop};
pub use layout::{Content, Header, SLOTS};
pub use scope::Scope;
pub use sidecar::{Sidecar, Written, sidecar_of};
