//! A conversation as a file: a CBOR sequence, read strictly, in pieces of any size (fingerprint.5).

use super::scan::{Head as ItemHead, Scan, Scanned};
use crate::errors::{Code, Error, Result};
use crate::limits::{MAX_BODY, MAX_ENVELOPE, MAX_ITEM};
use crate::message::codec::{Cursor, check_item};
use crate::message::{Entry, UnverifiedEnvelope, parse_entry};

/// The first item of every transcript: `[0, "ama2sec-transcript", 1]` (fingerprint.5.1).
pub const HEADER: [u8; 22] = *b"\x83\x00\x72ama2sec-transcript\x01";
const NAME: &str = "ama2sec-transcript";
const VERSION: u64 = 1;

/// One item behind the header. A fault of its form is its own: the next item can still be read.
#[derive(Debug)]
pub struct Item<'a> {
    /// Where it starts in the file.
    pub offset: u64,
    pub bytes: &'a [u8],
    pub entry: Result<Entry<'a>>,
}

/// What ends the reading before the end of the file (fingerprint.5.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFault {
    /// Where the faulty item starts: everything before is whole items.
    pub offset: u64,
    pub error: Error,
    /// The bytes of an entry that the file's end cuts off, as a crash in the middle of an append leaves it. None for every other
    /// fault: a length that was damaged in the middle of a file must never be taken for a crash, or a repair would throw away
    /// what follows.
    pub partial: Option<u64>,
}

/// What a step of reading gives.
#[derive(Debug)]
pub enum Step<'a> {
    Item(Item<'a>),
    /// The input is used up and there may be more.
    More,
    Fault(ReadFault),
    /// The file ends after a whole item.
    End,
}

/// Reads items from chunks. Memory is bounded by one item, and by nothing that the file declares.
#[derive(Debug, Default)]
pub struct TranscriptReader {
    /// The item that a chunk's end has cut.
    carry: Vec<u8>,
    /// The carried item was handed out.
    spent: bool,
    scan: Scan,
    /// Where the item under the scan starts.
    offset: u64,
    in_items: bool,
    ended: bool,
}

impl TranscriptReader {
    pub fn new() -> Self {
        Self::default()
    }

    /// A reader that stands behind the header, at a byte offset where an item starts.
    pub fn resume(offset: u64) -> Self {
        TranscriptReader { offset, in_items: true, ..Self::default() }
    }

    /// The offset behind the last whole item.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes held in memory at this moment.
    pub fn carried(&self) -> usize {
        self.carry.len()
    }

    /// Takes from `input` what the next item needs. `last` says that nothing follows behind `input`.
    pub fn next<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8], last: bool) -> Step<'s> {
        if !self.in_items
            && let Some(step) = self.read_header(input, last)
        {
            return step;
        }
        let offset = self.offset;
        let bytes = match self.advance(input, last) {
            Found::Direct(bytes) => bytes,
            Found::Carried => self.carry.as_slice(),
            Found::More => return Step::More,
            Found::End => return Step::End,
            Found::Faulty => return Step::Fault(self.refuse(last)),
        };
        if let Err(error) = check_item(bytes, false) {
            self.ended = true;
            return Step::Fault(ReadFault { offset, error: place(error, offset), partial: None });
        }
        self.offset += bytes.len() as u64;
        Step::Item(Item { offset, bytes, entry: read_entry(bytes) })
    }

    /// The first item (fingerprint.5.1). None when it is the right one.
    fn read_header<'a>(&mut self, input: &mut &[u8], last: bool) -> Option<Step<'a>> {
        let (judged, length) = match self.advance(input, last) {
            Found::Direct(bytes) => (check_header(bytes), bytes.len()),
            Found::Carried => (check_header(&self.carry), self.carry.len()),
            Found::More => return Some(Step::More),
            Found::End if self.ended => return Some(Step::End),
            // A file of no bytes ends before its first item.
            Found::End | Found::Faulty => return Some(Step::Fault(self.refuse(last))),
        };
        if let Err(error) = judged {
            self.ended = true;
            return Some(Step::Fault(ReadFault { offset: 0, error: place(error, 0), partial: None }));
        }
        self.offset = length as u64;
        self.in_items = true;
        None
    }

    /// The bytes of the next item, once it is whole. An item that lies whole in the input is not copied.
    fn advance<'a>(&mut self, input: &mut &'a [u8], last: bool) -> Found<'a> {
        if std::mem::take(&mut self.spent) {
            self.carry.clear();
        }
        while !self.ended {
            let (wanted, complete) = match self.scan.run(if self.carry.is_empty() { input } else { &self.carry }) {
                Scanned::Complete(length) => (length, true),
                Scanned::Needs(length) => (length, false),
                // One byte more than an item may have tells an item that is too long from a file that ends.
                Scanned::Faulty => (MAX_ITEM + 1, false),
            };
            if complete && self.carry.is_empty() {
                self.scan = Scan::default();
                let (item, rest) = input.split_at_checked(wanted).unwrap_or((input, &[]));
                *input = rest;
                return Found::Direct(item);
            }
            if complete || self.carry.len() > MAX_ITEM {
                self.spent = true;
                self.scan = Scan::default();
                return if complete { Found::Carried } else { Found::Faulty };
            }
            let missing = wanted.saturating_sub(self.carry.len()).min(input.len());
            let (taken, rest) = input.split_at_checked(missing).unwrap_or((input, &[]));
            *input = rest;
            self.carry.extend_from_slice(taken);
            if self.carry.len() < wanted {
                return match (last, self.carry.is_empty()) {
                    (false, _) => Found::More,
                    (true, true) => Found::End,
                    (true, false) => Found::Faulty,
                };
            }
        }
        *input = &[];
        Found::End
    }

    /// Names the fault of the bytes in the carry: they are no whole item, and either all that there is or more than an item
    /// may have. Lengths are held against the rest of the file, up to the bound of an item.
    fn refuse(&mut self, last: bool) -> ReadFault {
        self.ended = true;
        let window = self.carry.get(..MAX_ITEM).unwrap_or(&self.carry);
        let error = match check_item(window, false) {
            Err(error) if error.code == Code::Truncated && self.carry.len() > MAX_ITEM => too_long(),
            Err(error) => error,
            Ok(()) => Error::new(Code::Internal, "an item that the codec refuses", "one that it takes"),
        };
        let cut = error.code == Code::Truncated && last && self.in_items && is_cut_entry(window);
        let partial = cut.then_some(window.len() as u64);
        ReadFault { offset: self.offset, error: place(error, self.offset), partial }
    }
}

enum Found<'a> {
    Direct(&'a [u8]),
    /// The whole carry.
    Carried,
    Faulty,
    More,
    End,
}

fn too_long() -> Error {
    Error::new(Code::SizeLimit, format!("an item of at most {MAX_ITEM} bytes"), "a longer one")
}

/// The error with its place in the file.
fn place(error: Error, start: u64) -> Error {
    let inside = error.offset.unwrap_or(0);
    error.at(usize::try_from(start).unwrap_or(usize::MAX).saturating_add(inside))
}

/// fingerprint.5.1
fn check_header(item: &[u8]) -> Result<()> {
    check_item(item, false)?;
    let mut cursor = Cursor::new(item);
    let named = cursor.array() == Some(3) && cursor.uint() == Some(0) && cursor.text() == Some(NAME);
    match cursor.uint().filter(|_| named) {
        Some(VERSION) => Ok(()),
        Some(other) => Err(Error::new(Code::TranscriptVersion, "version 1", format!("version {other}"))),
        None => Err(Error::new(Code::TranscriptForm, "the header [0, \"ama2sec-transcript\", 1]", "another item")),
    }
}

/// fingerprint.5.2 and 5.3, for an item that has passed the codec.
fn read_entry(item: &[u8]) -> Result<Entry<'_>> {
    let mut cursor = Cursor::new(item);
    let kind = cursor.array().filter(|count| *count > 0).and_then(|_| cursor.uint());
    match kind {
        Some(1) => parse_entry(item),
        Some(2) => Err(Error::new(Code::ItemNotBuilt, "an entry", "a record")),
        Some(3) => Err(Error::new(Code::ItemNotBuilt, "an entry", "a head")),
        Some(4) => Err(Error::new(Code::ItemNotBuilt, "an entry", "a proof")),
        Some(0) => Err(Error::new(Code::ItemUnknown, "an entry", "a second header")),
        Some(other) => Err(Error::new(Code::ItemUnknown, "an item of a type from 1 to 4", format!("type {other}"))),
        None => Err(Error::new(Code::ItemUnknown, "an array that starts with its type", "another item")),
    }
}

/// Whether these bytes, the last of a file, are the start of an entry as far as they go (fingerprint.7.1).
///
/// All lengths inside must agree: the string's with the envelope's own, the body's with the claims. A damaged length fails this,
/// except in the few bytes before which there is nothing to compare it with.
fn is_cut_entry(tail: &[u8]) -> bool {
    let start: [u8; 2] = [HEADER[0], 1];
    let Some(rest) = tail.strip_prefix(&start) else {
        return start.starts_with(tail);
    };
    let (length, rest) = match announced(rest, MAX_ENVELOPE) {
        Ok(announced) => announced,
        Err(cut) => return cut,
    };
    // Inside its string an envelope is COSE_Sign1: the tag, which is not scanned, and one item.
    let envelope = rest.get(..length).unwrap_or(rest);
    let Some((tag, inner)) = envelope.split_first() else {
        return true;
    };
    let fits = match Scan::default().run(inner) {
        Scanned::Complete(end) => end + 1 == length,
        Scanned::Needs(end) => end < length && envelope.len() < length,
        Scanned::Faulty => false,
    };
    if *tag != 0xd2 || !fits || envelope.len() < length {
        return *tag == 0xd2 && fits;
    }
    rest.get(length..).is_some_and(|body| is_cut_body(body, envelope))
}

fn is_cut_body(tail: &[u8], envelope: &[u8]) -> bool {
    const START: [u8; 3] = [0x82, 0x58, 0x20];
    let Some(rest) = tail.strip_prefix(&START) else {
        return START.starts_with(tail);
    };
    let Some(rest) = rest.get(32..) else {
        return true;
    };
    let (length, _) = match announced(rest, MAX_BODY) {
        Ok(announced) => announced,
        Err(cut) => return cut,
    };
    let claimed = UnverifiedEnvelope::parse(envelope).ok().and_then(|envelope| envelope.claims().body.clone());
    claimed.is_some_and(|claim| claim.size == length as u64)
}

/// The length of a byte string that starts here, and what is there of it. Otherwise, whether only the end of the file is at fault.
fn announced(bytes: &[u8], most: usize) -> std::result::Result<(usize, &[u8]), bool> {
    let head = match ItemHead::read(bytes) {
        Ok(head) => head,
        Err(missing) => return Err(missing.is_some() && bytes.first().is_none_or(|first| first >> 5 == 2)),
    };
    let length = usize::try_from(head.argument).ok().filter(|length| *length <= most);
    let length = length.filter(|_| head.major == 2 && head.is_shortest()).ok_or(false)?;
    Ok((length, bytes.get(head.length..).unwrap_or_default()))
}
