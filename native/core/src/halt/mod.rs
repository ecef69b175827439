//! A person's last word (`audits/spec/halt.md`). Nothing here knows a realm: it asks this room, and this room asks nobody.

mod gates;
mod latch;
mod layout;
mod scope;
mod sidecar;

pub use gates::Drill;
pub use latch::{Entered, Latch, Latched, Stop};
pub use layout::{Content, Header, SLOTS};
pub use scope::Scope;
pub use sidecar::{Sidecar, Written, sidecar_of};
