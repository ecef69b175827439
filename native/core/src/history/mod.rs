//! What had been seen: fingerprints of a history, and a conversation as a file (`audits/spec/fingerprint.md`).

pub mod accumulator;
pub mod head;
pub mod nodes;
mod scan;
pub mod sha_tree;
pub mod transcript;
pub mod tree;

/// A message id, a node, a root or a fingerprint.
pub type Hash = crate::message::Id;
