//! Envelopes inside items whose framing is damaged. Nothing here is a verdict: it only serves to explain one.

use crate::message::UnverifiedEnvelope;
use crate::message::codec::{Cursor, Head};

/// Envelopes that are looked for in one item: one damaged byte can make an item swallow its neighbours.
const MAX_ENVELOPES: usize = 8;

/// The envelopes of an item, in order: strings that stand second in an array behind its type, as in an entry.
pub(super) fn envelopes_in(item: &[u8]) -> Vec<UnverifiedEnvelope> {
    let mut found = Vec::new();
    collect(item, &mut found);
    found
}

/// Items nest at most 8 deep, because they have passed the codec.
fn collect(item: &[u8], found: &mut Vec<UnverifiedEnvelope>) {
    let mut cursor = Cursor::new(item);
    let Some(count) = cursor.array() else {
        return;
    };
    for place in 0..count {
        let Some(element) = cursor.item() else {
            return;
        };
        if found.len() >= MAX_ENVELOPES {
            return;
        }
        match Cursor::new(element).head() {
            Some(Head::Array(_)) => collect(element, found),
            Some(Head::Bytes(_)) if place == 1 => {
                let envelope = Cursor::new(element).bytes().and_then(|bytes| UnverifiedEnvelope::parse(bytes).ok());
                found.extend(envelope);
            }
            _ => {}
        }
    }
}
