//! One claim's value, read element by element (envelope.5.5); errors carry the claim's name.

use std::borrow::Cow;

use super::claims::{Addr, Id, write_addr};
use super::codec::{Cursor, Head};
use super::write::Writer;
use crate::errors::{Code, Error, Result};
use crate::identity::Name;

/// Labels have numbers 1 to 27; index 0 is unused.
pub(super) const LABELS: [&str; 28] = [
    "",
    "realm",
    "conversation",
    "kind",
    "agent_identity",
    "context_fingerprint",
    "execution_path",
    "workflow_state",
    "recipients",
    "seq",
    "time",
    "salt",
    "body",
    "members",
    "workflow",
    "fork",
    "rollback",
    "halt scope",
    "document",
    "enrolment",
    "revocation",
    "resume",
    "erasure",
    "term",
    "snapshot",
    "close",
    "reason",
    "approves",
];

pub(super) fn label_name(label: usize) -> &'static str {
    LABELS.get(label).copied().unwrap_or("unknown")
}

/// Where each label's value stands in the payload.
pub(super) type Values<'a> = [Option<&'a [u8]>; LABELS.len()];

pub(super) fn value_of<'a>(values: &Values<'a>, label: usize) -> Result<Value<'a>> {
    let bytes = values.get(label).copied().flatten().ok_or_else(broken)?;
    Ok(Value::new(bytes, label_name(label)))
}

/// The codec has accepted these bytes, and now they do not read: a fault of ours, never a verdict.
pub(super) fn broken() -> Error {
    Error::new(Code::Internal, "claims that read as the codec checked them", "other bytes")
}

pub(crate) struct Value<'a> {
    pub cursor: Cursor<'a>,
    pub label: &'static str,
}

impl<'a> Value<'a> {
    /// Bytes that have passed the codec.
    pub fn new(bytes: &'a [u8], label: &'static str) -> Self {
        Value { cursor: Cursor::new(bytes), label }
    }

    pub fn fault(
        &self,
        code: Code,
        expected: impl Into<Cow<'static, str>>,
        got: impl Into<Cow<'static, str>>,
    ) -> Error {
        Error::new(code, format!("{}: {}", self.label, expected.into()), got)
    }

    pub fn wrong_type(&self, expected: &'static str) -> Error {
        self.fault(Code::ClaimType, expected, "another type or length")
    }

    /// A byte string of exactly `N` bytes.
    pub fn bytes_of<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N]> {
        let bytes = self.cursor.bytes().ok_or_else(|| self.wrong_type(expected))?;
        bytes.try_into().map_err(|_| self.wrong_type(expected))
    }

    pub fn id(&mut self) -> Result<Id> {
        self.bytes_of("32 bytes")
    }

    pub fn id_or_null(&mut self) -> Result<Option<Id>> {
        self.or_null(Value::id)
    }

    pub fn or_null<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        if self.cursor.null() { Ok(None) } else { read(self).map(Some) }
    }

    pub fn array_of(&mut self, count: usize, expected: &'static str) -> Result<()> {
        if self.cursor.array() == Some(count) { Ok(()) } else { Err(self.wrong_type(expected)) }
    }

    pub fn list(&mut self, most: usize) -> Result<usize> {
        let count = self.cursor.array().ok_or_else(|| self.wrong_type("a list"))?;
        if count > most {
            return Err(self.fault(Code::TooMany, format!("at most {most}"), count.to_string()));
        }
        Ok(count)
    }

    pub fn uint_below(&mut self, end: u64) -> Result<u64> {
        let value = self.cursor.uint().ok_or_else(|| self.wrong_type("an unsigned integer"))?;
        if value >= end {
            return Err(self.fault(Code::ClaimRange, format!("a number below {end}"), value.to_string()));
        }
        Ok(value)
    }

    /// A number from `least` to `most`, both small.
    pub fn small(&mut self, least: u8, most: u8) -> Result<u8> {
        let value = self.cursor.uint().ok_or_else(|| self.wrong_type("an unsigned integer"))?;
        match u8::try_from(value) {
            Ok(small) if (least..=most).contains(&small) => Ok(small),
            _ => Err(self.fault(Code::ClaimRange, format!("a number from {least} to {most}"), value.to_string())),
        }
    }

    pub fn bool(&mut self) -> Result<bool> {
        match self.cursor.head() {
            Some(Head::Bool(found)) => Ok(found),
            _ => Err(self.wrong_type("a boolean")),
        }
    }

    pub fn text(&mut self, expected: &'static str) -> Result<&'a str> {
        self.cursor.text().ok_or_else(|| self.wrong_type(expected))
    }

    pub fn name(&mut self) -> Result<Name> {
        Name::parse(self.text("a name")?)
    }

    pub fn addr(&mut self) -> Result<Addr> {
        match self.cursor.peek() {
            Some(Head::Text(_)) => self.name().map(Addr::Name),
            Some(Head::Bytes(_)) => self.id().map(Addr::Id),
            _ => Err(self.wrong_type("an id or a name")),
        }
    }

    /// `count` elements that ascend strictly by their encoded bytes; each is judged whole, then against the one before.
    pub fn ascending<T>(&mut self, count: usize, mut read: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut all = Vec::with_capacity(count);
        let mut before: &[u8] = &[];
        for _ in 0..count {
            let mut whole = self.cursor;
            all.push(read(self)?);
            let encoded = whole.item().ok_or_else(broken)?;
            if encoded <= before {
                return Err(self.fault(
                    Code::ListOrder,
                    "strictly ascending elements",
                    "one at or below the one before",
                ));
            }
            before = encoded;
        }
        Ok(all)
    }
}

/// The encoded bytes of an address: what lists of them are sorted by.
pub(super) fn addr_key(addr: &Addr) -> Vec<u8> {
    let mut out = Writer::default();
    write_addr(&mut out, addr);
    out.0
}
