//! The two keyed hashes of a branch tree, until the room `message` has them (envelope.1).

use std::sync::LazyLock;

use super::Hash;

static NODE: LazyLock<Hash> = LazyLock::new(|| blake3::derive_key("ama2sec 2026-11 v1 node", b""));
static FINGERPRINT: LazyLock<Hash> = LazyLock::new(|| blake3::derive_key("ama2sec 2026-11 v1 fingerprint", b""));

pub(super) fn node(left: &Hash, right: &Hash) -> Hash {
    let mut input = [0u8; 64];
    let (a, b) = input.split_at_mut(32);
    a.copy_from_slice(left);
    b.copy_from_slice(right);
    *blake3::keyed_hash(&NODE, &input).as_bytes()
}

pub(super) fn fingerprint(input: &[u8; 136]) -> Hash {
    *blake3::keyed_hash(&FINGERPRINT, input).as_bytes()
}
