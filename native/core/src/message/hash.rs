//! Keyed BLAKE3, one key for each purpose (envelope.1, fingerprint.1, fingerprint.2).

use std::sync::OnceLock;

use super::claims::Id;

/// The purposes that are in use. The names are fixed for ever by envelope.1.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    Leaf = 0,
    Node = 1,
    Fingerprint = 2,
    Body = 3,
    NextKey = 4,
    State = 5,
    Definition = 6,
    Successor = 7,
    Closure = 8,
}

const CONTEXTS: [&str; 9] = [
    "ama2sec 2026-11 v1 leaf",
    "ama2sec 2026-11 v1 node",
    "ama2sec 2026-11 v1 fingerprint",
    "ama2sec 2026-11 v1 body",
    "ama2sec 2026-11 v1 next-key",
    "ama2sec 2026-11 v1 state",
    "ama2sec 2026-11 v1 definition",
    "ama2sec 2026-11 v1 successor",
    "ama2sec 2026-11 v1 closure",
];

/// The key of a purpose.
pub fn key(purpose: Purpose) -> &'static [u8; 32] {
    static KEYS: OnceLock<[[u8; 32]; 9]> = OnceLock::new();
    let keys = KEYS.get_or_init(|| CONTEXTS.map(|context| blake3::derive_key(context, &[])));
    let [leaf, node, fingerprint, body, next_key, state, definition, successor, closure] = keys;
    match purpose {
        Purpose::Leaf => leaf,
        Purpose::Node => node,
        Purpose::Fingerprint => fingerprint,
        Purpose::Body => body,
        Purpose::NextKey => next_key,
        Purpose::State => state,
        Purpose::Definition => definition,
        Purpose::Successor => successor,
        Purpose::Closure => closure,
    }
}

/// Keyed BLAKE3 of `data`.
pub fn keyed(purpose: Purpose, data: &[u8]) -> Id {
    *blake3::keyed_hash(key(purpose), data).as_bytes()
}

/// The id of a message: of the exact Sig_structure bytes (envelope.4).
pub fn message_id(sig_structure: &[u8]) -> Id {
    keyed(Purpose::Leaf, sig_structure)
}

/// An inner node: exactly 64 bytes are hashed (fingerprint.1.2).
pub fn node(left: &Id, right: &Id) -> Id {
    keyed(Purpose::Node, [*left, *right].as_flattened())
}

/// The size-bound fingerprint of n >= 1 leaves with this root (fingerprint.2).
pub fn fingerprint(realm: &Id, conversation: &Id, branch: &Id, n: u64, root: &Id) -> Id {
    let parts: [&[u8]; 5] = [realm, conversation, branch, &n.to_be_bytes(), root];
    keyed(Purpose::Fingerprint, &parts.concat())
}
