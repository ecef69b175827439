//! What was allowed: the registry, conversations that fork and merge, the one function that admits, records and heads
//! (`audits/spec/registry.md`, `dag.md`, `admission.md`, `record.md`).

pub mod admission;
pub mod branches;
mod budget;
pub mod checkpoint;
pub mod conversation;
pub mod dag;
pub mod delta;
mod digest;
pub mod draft;
pub mod engine;
mod equivocations;
pub mod evidence;
pub mod export;
pub mod follower;
mod grants;
pub mod halts;
pub mod inbox;
mod incoming;
pub mod log;
mod queue;
mod rebuild;
pub mod receipt;
pub mod record;
pub mod registry;
mod registry_checks;
pub mod replay;
pub mod replica;
pub mod screen;
mod sequencing;
mod shut;
pub mod sizes;
mod starting;
pub mod state;
pub mod stopping;
pub mod trace;
mod trees;
pub mod view;

pub use admission::{Stamp, admit};
pub use budget::Limits;
pub use delta::{Delta, Verdict};
pub use rebuild::OwnLeaves;
pub use record::{Home, Record};
pub use registry_checks::RULES_VERSION;
pub use starting::Start;
pub use state::{State, conversation_of};
