//! What had been seen: fingerprints of a history, and a conversation as a file (`audits/spec/fingerprint.md`).

pub mod accumulator;
pub mod ancestry;
pub mod consistency;
pub mod conversation;
mod diagnose;
mod evidence;
pub mod exhibit;
pub mod forest;
pub mod head;
pub mod inclusion;
pub mod keeper;
pub mod lightclient;
mod lightstate;
pub mod node_file;
pub mod nodes;
pub mod path;
pub mod proof;
pub mod proof_view;
pub mod range;
pub mod reader;
mod repair;
pub mod report;
pub mod rfc6962;
mod salvage;
mod scan;
pub mod sha_tree;
pub mod transcript;
pub mod tree;
pub mod trusted;
pub mod verify;
mod window;
mod working;

pub use evidence::Equivocation;

/// A message id, a node, a root or a fingerprint.
pub type Hash = crate::message::Id;
