//! ama2sec's core: what is hashed, signed and decided. Pure: no clock, disk, network, randomness or Python in here.
#![forbid(unsafe_code)]

pub mod errors;
pub mod halt;
pub mod history;
pub mod identity;
pub mod limits;
pub mod message;
pub mod realm;
pub mod text;
