//! Tables by id: an entry's admission looks into a dozen of them.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::OnceLock;

use super::claims::Id;

/// A table by ids that are hashes themselves: of messages, agents, branches, conversations.
pub type IdMap<V> = HashMap<Id, V, BuildHasherDefault<IdHasher>>;

/// Multiply, add, shift, under a key of this process that nobody else knows. Of any two numbers of 64 bits whatever part of the results
/// is equal with no higher probability than of random ones (Dietzfelbinger 1996), so no choice of ids fills one place of a table; and to
/// find several ids that begin with the same 64 bits is to find collisions in BLAKE3 or SHA-256 cut to that length.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

/// The two numbers of the key. They come from the randomness that the standard library's tables have.
fn key() -> &'static [u128; 2] {
    static KEY: OnceLock<[u128; 2]> = OnceLock::new();
    KEY.get_or_init(|| {
        let random = RandomState::new();
        let number = |at: u64| u128::from(random.hash_one(at)) << 64 | u128::from(random.hash_one(at + 1));
        [number(0), number(2)]
    })
}

impl Hasher for IdHasher {
    fn write(&mut self, id: &[u8]) {
        if let Some(first) = id.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// All ids have one length.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        let [times, plus] = key();
        (times.wrapping_mul(u128::from(self.0)).wrapping_add(*plus) >> 64) as u64
    }
}
