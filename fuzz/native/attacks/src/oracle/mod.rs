//! What must hold for every input. One function a target: it panics where something does not hold, and answers with the verdict.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod exhibit;
pub mod form;
mod ground;
mod light;
mod light_state;
mod light_twin;
mod message;
mod proof;
mod transcript;
mod twin;

use std::sync::LazyLock;

use ama2sec_core::errors::Code;
use ama2sec_core::identity::Directory;

/// The verifier's own keys; nothing in an input can change them.
pub static DIRECTORY: LazyLock<Directory> = LazyLock::new(crate::support::directory);

/// envelope.3: the codec accepts exactly the canonical items of the profile, and each of them reads whole.
pub fn codec(data: &[u8]) -> Option<Code> {
    message::codec(data).err().map(|fault| fault.code)
}

/// envelope.4 to envelope.7: what is accepted is what an enrolled author has signed, to the bit.
pub fn envelope(data: &[u8]) -> Option<Code> {
    message::message(data).err().map(|fault| fault.code)
}

/// fingerprint.5 and fingerprint.6: one verdict, however the bytes arrive, wherever nodes are kept, and the same as the twin's.
pub fn transcript(data: &[u8]) -> Option<Code> {
    transcript::transcript(data).err().map(|report| report.first_fault.error.code)
}

/// proofs.1 to proofs.4 and proofs.6, proofs.7: what is accepted is the one proof of a claim that is true. An input that begins as
/// an array of five is an exhibit, every other one a proof.
pub fn proof(data: &[u8]) -> Option<Code> {
    if data.first() == Some(&0x85) { exhibit::exhibit(data) } else { proof::proof(data) }
}

/// proofs.5: a state file is what it was written as, and a client that follows a script knows at each step what a plain list of all
/// messages would know.
pub fn lightclient(data: &[u8]) -> Option<Code> {
    match light::read(data) {
        Some(script) => light::follow(&script),
        None => light_state::state(data),
    }
}
