//! What was allowed: the registry, conversations that fork and merge, the one function that admits, records and heads
//! (`audits/spec/registry.md`, `dag.md`, `admission.md`, `record.md`).

pub mod admission;
pub mod branches;
pub mod conversation;
pub mod delta;
mod digest;
pub mod draft;
mod grants;
pub mod record;
pub mod registry;
mod registry_checks;
pub mod screen;
pub mod sizes;
pub mod state;

pub use admission::{Stamp, admit};
pub use delta::{Delta, Verdict};
pub use record::{Home, Record};
pub use registry_checks::RULES_VERSION;
pub use state::{State, conversation_of};
