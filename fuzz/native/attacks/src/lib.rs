//! Hostile input for ama2sec, made by structure, and what must hold for whatever comes in.
//!
//! `tree` reads and writes any CBOR; `attack` changes a tree; `seal` links and signs again, so that a change gets past the
//! signature; `mutators` puts these together, one function a target; `oracle` judges an input, one function a target.

pub mod attack;
pub mod mutators;
pub mod oracle;
pub mod plans;
pub mod seal;
pub mod tree;

/// Keys and conversations: the same as the core's own tests use.
#[path = "../../../../native/core/tests/history_support/mod.rs"]
pub mod support;
