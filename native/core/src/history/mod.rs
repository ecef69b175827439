//! What had been seen: fingerprints of a history, and a conversation as a file (`audits/spec/fingerprint.md`).

pub mod accumulator;
mod hash;
pub mod head;
pub mod nodes;
pub mod sha_tree;
pub mod tree;

/// A message id, a node, a root or a fingerprint.
pub type Hash = [u8; 32];
