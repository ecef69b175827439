//! Heads: the few bytes that whoever keeps them can hold a history against later (fingerprint.3).

use std::fmt;

use super::Hash;
use super::accumulator::Scope;
use crate::errors::{Code, Error, Result};
use crate::limits::SIZE_END;
use crate::text;

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
    pub fn parse(written: &str) -> Result<Self> {
        let wrong =
            || Error::new(Code::HeadForm, "<n>:<64 lowercase hex digits> with n >= 1", text::shown(written.as_bytes()));
        let (size, hex) = written.split_once(':').ok_or_else(wrong)?;
        let digits = !size.is_empty() && size.bytes().all(|b| b.is_ascii_digit()) && !size.starts_with('0');
        // `parse` alone would take a plus sign and leading zeros: two spellings of one head.
        let size = size.parse::<u64>().ok().filter(|n| digits && *n < SIZE_END).ok_or_else(wrong)?;
        let fingerprint = text::unhex(hex).and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)?;
        Ok(Head { size, fingerprint })
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.size, text::hex(&self.fingerprint))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head.fmt(f)
    }
}
