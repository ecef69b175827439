//! Hostile input for ama2sec, made by structure, and what must hold for whatever comes in.
//!
//! `tree` reads and writes any CBOR; `attack` changes a tree; `seal` links and signs again, so that a change gets past the
//! signature; `mutators` puts these together, one function a target; `oracle` judges an input, one function a target.

pub mod attack;
pub mod follow;
pub mod mutators;
pub mod oracle;
pub mod plans;
pub mod proofs;
pub mod seal;
pub mod tree;
pub mod world;

/// Keys, conversations and naive trees: the same as the core's own tests use.
#[path = "../../../../native/core/tests/proof_support/mod.rs"]
pub mod proof_support;
pub use proof_support::histories as support;
