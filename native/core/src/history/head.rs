//! Heads: the few bytes that whoever keeps them can hold a history against later (fingerprint.3).

use std::fmt;

use super::Hash;
use super::accumulator::Scope;
use crate::errors::{Code, Error, Result};
use crate::limits::SIZE_END;

/// Size and fingerprint, the part of a head that is written down: `<n>:<64 lowercase hex digits>` (fingerprint.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    pub size: u64,
    pub fingerprint: Hash,
}

/// A whole head: what it is the head of, and the head (fingerprint.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    pub scope: Scope,
    pub head: Head,
}

impl Head {
    /// Reads the text form: no sign, no leading zero, no space, n >= 1, lowercase.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            let shown: String = text.chars().take(64).flat_map(char::escape_default).take(64).collect();
            Error::new(Code::HeadForm, "<n>:<64 lowercase hex digits> with n >= 1", shown)
        };
        let (size, hex) = text.split_once(':').ok_or_else(wrong)?;
        let digits = !size.is_empty() && size.bytes().all(|b| b.is_ascii_digit()) && !size.starts_with('0');
        // `parse` alone would take a plus sign and leading zeros: two spellings of one head.
        let size = size.parse::<u64>().ok().filter(|n| digits && *n < SIZE_END).ok_or_else(wrong)?;
        let fingerprint = parse_hash(hex).ok_or_else(wrong)?;
        Ok(Head { size, fingerprint })
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.size, Hex(&self.fingerprint))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head.fmt(f)
    }
}

/// Lowercase hex of some bytes.
pub(super) struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn parse_hash(hex: &str) -> Option<Hash> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    let mut hash = [0u8; 32];
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(hash)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
