//! What verification keeps of the last entries, to explain a fault and to show both halves of an equivocation.

use std::collections::VecDeque;

use super::working::{Leaf, Recent};

/// Bytes of envelopes that are kept. Ordinary envelopes of a whole window fit in.
const MAX_BYTES: usize = 2 << 20;

/// The last leaves, and the envelopes of as many of them as the bound allows.
#[derive(Debug)]
pub(super) struct Window {
    recent: Recent,
    envelopes: VecDeque<(u64, Box<[u8]>)>,
    bytes: usize,
}

impl Window {
    pub fn new(limit: usize) -> Self {
        Window { recent: Recent::new(limit), envelopes: VecDeque::new(), bytes: 0 }
    }

    /// An entry was admitted.
    pub fn admit(&mut self, leaf: Leaf, envelope: &[u8]) {
        self.keep(leaf.position, envelope);
        self.recent.push(leaf);
    }

    /// Keeps an envelope as long as there is room; the oldest go first.
    pub fn keep(&mut self, position: u64, envelope: &[u8]) {
        self.bytes += envelope.len();
        self.envelopes.push_back((position, envelope.into()));
        while self.bytes > MAX_BYTES {
            let Some((_, oldest)) = self.envelopes.pop_front() else {
                return;
            };
            self.bytes -= oldest.len();
        }
    }

    /// The envelope of the entry at this place of the file, if it is still kept.
    pub fn envelope(&self, position: u64) -> Option<Vec<u8>> {
        let (_, found) = self.envelopes.iter().find(|(place, _)| *place == position)?;
        Some(found.to_vec())
    }

    /// The leaves go to the working history; the envelopes stay.
    pub fn split(self) -> (Recent, Window) {
        let Window { recent, envelopes, bytes } = self;
        (recent, Window { recent: Recent::new(1), envelopes, bytes })
    }

    /// Bytes and leaves held at this moment.
    pub fn held(&self) -> (usize, usize) {
        (self.bytes, self.recent.len())
    }
}
