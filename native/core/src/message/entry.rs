//! One message as it travels: a transcript entry, or a bare envelope (fingerprint.5.3, envelope.7).

use super::body::BodyPart;
use super::codec::{Cursor, check_item};
use super::write::Writer;
use crate::errors::{Code, Error, Result};
use crate::limits::MAX_ITEM;

/// The parts of an entry; the envelope is not looked into yet.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub envelope: &'a [u8],
    pub body: Option<BodyPart<'a>>,
}

/// `[1, envelope, null | [body_salt, body]]`.
pub fn encode_entry(envelope: &[u8], body: Option<BodyPart<'_>>) -> Vec<u8> {
    let mut out = Writer::with_capacity(envelope.len() + body.map_or(0, |part| part.body.len()) + 64);
    out.array(3).uint(1).bytes(envelope);
    match body {
        Some(part) => out.array(2).bytes(part.salt).bytes(part.body),
        None => out.null(),
    };
    out.0
}

/// Read one entry strictly. Raises the codec's codes and `ItemForm`.
pub fn parse_entry(item: &[u8]) -> Result<Entry<'_>> {
    if item.len() > MAX_ITEM {
        let got = format!("{} bytes", item.len());
        return Err(Error::new(Code::SizeLimit, format!("an item of at most {MAX_ITEM} bytes"), got));
    }
    check_item(item, false)?;
    entry_of(item).ok_or_else(|| Error::new(Code::ItemForm, "[1, envelope, null or [body_salt, body]]", "another item"))
}

/// The parts of an item that has passed the codec, if it is an entry.
pub(crate) fn entry_of(item: &[u8]) -> Option<Entry<'_>> {
    let mut cursor = Cursor::new(item);
    if cursor.array()? != 3 || cursor.uint()? != 1 {
        return None;
    }
    let envelope = cursor.bytes()?;
    if cursor.null() {
        return Some(Entry { envelope, body: None });
    }
    if cursor.array()? != 2 {
        return None;
    }
    let salt = cursor.bytes().filter(|salt| salt.len() == 32)?;
    Some(Entry { envelope, body: Some(BodyPart { salt, body: cursor.bytes()? }) })
}

/// A message in either form in which it travels: first byte `83`, an entry; anything else is read as an envelope.
pub fn parse_message(data: &[u8]) -> Result<Entry<'_>> {
    if data.first() == Some(&0x83) { parse_entry(data) } else { Ok(Entry { envelope: data, body: None }) }
}
