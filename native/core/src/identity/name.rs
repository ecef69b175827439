//! Names and purposes (identity.2.1, identity.3.1).

use crate::errors::{Code, Error, Result};
use crate::limits::MAX_NAME;
use crate::text;

/// What a key is enrolled for. One key, one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Purpose {
    Message = 1,
    Operator = 2,
    Sequencer = 3,
    Root = 4,
}

impl Purpose {
    pub const ALL: [Purpose; 4] = [Purpose::Message, Purpose::Operator, Purpose::Sequencer, Purpose::Root];

    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Message => "message",
            Purpose::Operator => "operator",
            Purpose::Sequencer => "sequencer",
            Purpose::Root => "root",
        }
    }

    /// The number that a key file stores.
    pub fn number(self) -> u8 {
        self as u8
    }

    pub fn from_number(number: u8) -> Option<Purpose> {
        Purpose::ALL.into_iter().find(|purpose| purpose.number() == number)
    }

    /// Raises `ArgumentRange`.
    pub fn from_text(name: &str) -> Result<Purpose> {
        Purpose::ALL.into_iter().find(|purpose| purpose.as_str() == name).ok_or_else(|| {
            Error::new(
                Code::ArgumentRange,
                "a purpose: message, operator, sequencer or root",
                text::shown(name.as_bytes()),
            )
        })
    }
}

/// A name that has one spelling and can never be a path (identity.3.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// Raises `NameForm`.
    pub fn parse(name: &str) -> Result<Name> {
        let bytes = name.as_bytes();
        let lower = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let sound = bytes.len() <= MAX_NAME
            && bytes.first().is_some_and(lower)
            && bytes.iter().all(|byte| lower(byte) || matches!(byte, b'.' | b'_' | b'-'))
            && !name.contains("..")
            && !name.ends_with('.');
        if sound {
            return Ok(Name(name.to_owned()));
        }
        let expected = "1 to 64 of a-z 0-9 . _ -, first a letter or digit, no two dots in a row, no dot at the end";
        Err(Error::new(Code::NameForm, expected, text::shown(bytes)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
