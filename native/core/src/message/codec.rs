//! The strict decoder (envelope.3). `check_item` is the whole grammar; `Cursor` reads what has passed it.

use std::borrow::Cow;
use std::ops::Range;

use crate::errors::{Code, Error, Result};
use crate::limits::MAX_DEPTH;

/// The head of one item: its type and its number, length or count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    Uint(u64),
    /// The value itself, below zero.
    Negative(i64),
    Bytes(usize),
    Text(usize),
    Array(usize),
    Map(usize),
    Bool(bool),
    Null,
}

const RANGE_END: u64 = 1 << 63;

fn fault<T>(code: Code, at: usize, expected: &'static str, got: impl Into<Cow<'static, str>>) -> Result<T> {
    Err(Error::new(code, expected, got).at(at))
}

/// One head, by the order of envelope.3.10; returns it with the offset behind it.
#[inline]
fn read_head(data: &[u8], at: usize, as_key: bool) -> Result<(Head, usize)> {
    match short_head(data, at) {
        Some(found) if !as_key || matches!(found.0, Head::Uint(_) | Head::Negative(_) | Head::Text(_)) => Ok(found),
        _ => any_head(data, at, as_key),
    }
}

/// A sound head of one or two bytes, as nearly all of a message's are. None says nothing about the bytes: `any_head` judges them.
#[inline]
fn short_head(data: &[u8], at: usize) -> Option<(Head, usize)> {
    let (&first, behind) = data.get(at..)?.split_first()?;
    let (argument, left, next) = match first & 0x1f {
        info @ 0..24 => (info, behind.len(), at + 1),
        24 => {
            let (&argument, behind) = behind.split_first().filter(|(argument, _)| **argument >= 24)?;
            (argument, behind.len(), at + 2)
        }
        _ => return None,
    };
    let length = usize::from(argument);
    let head = match first >> 5 {
        0 => Head::Uint(u64::from(argument)),
        1 => Head::Negative(!i64::from(argument)),
        2 if length <= left => Head::Bytes(length),
        3 if length <= left => Head::Text(length),
        4 if length <= left => Head::Array(length),
        5 if length <= left / 2 => Head::Map(length),
        7 => match first {
            0xf4 => Head::Bool(false),
            0xf5 => Head::Bool(true),
            0xf6 => Head::Null,
            _ => return None,
        },
        _ => return None,
    };
    Some((head, next))
}

#[cold]
#[inline(never)]
fn any_head(data: &[u8], at: usize, as_key: bool) -> Result<(Head, usize)> {
    let Some(&first) = data.get(at) else {
        return fault(Code::Truncated, at, "an item", "the end of the bytes");
    };
    let (major, info) = (first >> 5, first & 0x1f);
    refuse_forbidden(major, info, at)?;
    if as_key && !matches!(major, 0 | 1 | 3) {
        return fault(Code::TypeForbidden, at, "an integer or a text as a map key", "another type");
    }
    if major == 7 {
        let head = match info {
            20 => Head::Bool(false),
            21 => Head::Bool(true),
            _ => Head::Null,
        };
        return Ok((head, at + 1));
    }
    let (argument, next) = read_argument(data, at, info)?;
    let head = match major {
        0 | 1 if argument >= RANGE_END => {
            return fault(Code::IntRange, at, "an integer in -2^63 .. 2^63-1", "one outside");
        }
        0 => Head::Uint(argument),
        // argument < 2^63, so it is an i64 and its complement is -1 - argument.
        1 => Head::Negative(!argument.cast_signed()),
        _ => sized(data, major, argument, at, next)?,
    };
    Ok((head, next))
}

fn refuse_forbidden(major: u8, info: u8, at: usize) -> Result<()> {
    match (major, info) {
        (2..=5, 31) => fault(Code::IndefiniteLength, at, "a definite length", "an indefinite one"),
        (7, 31) => fault(Code::IndefiniteLength, at, "an item", "a break byte"),
        (7, 25..=27) => fault(Code::FloatForbidden, at, "no floating-point number", "one"),
        (6, _) => fault(Code::TypeForbidden, at, "no tag here", "a tag"),
        (7, 20..=22) => Ok(()),
        (7, _) => fault(Code::TypeForbidden, at, "false, true or null", "another simple value"),
        (_, 28..=31) => fault(Code::TypeForbidden, at, "a head that CBOR defines", "a reserved one"),
        _ => Ok(()),
    }
}

fn read_argument(data: &[u8], at: usize, info: u8) -> Result<(u64, usize)> {
    let start = at + 1;
    if info < 24 {
        return Ok((u64::from(info), start));
    }
    let width = 1usize << (info - 24);
    let Some(bytes) = data.get(start..start + width) else {
        return fault(Code::Truncated, at, "the bytes of a head", "the end of the bytes");
    };
    let value = bytes.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    let least = match width {
        1 => 24,
        2 => 1 << 8,
        4 => 1 << 16,
        _ => 1 << 32,
    };
    if value < least {
        return fault(Code::NotMinimal, at, "the shortest form", "a longer one");
    }
    Ok((value, start + width))
}

/// Lengths and counts against what is left, before anything is allocated or skipped (envelope.3.2).
fn sized(data: &[u8], major: u8, argument: u64, at: usize, next: usize) -> Result<Head> {
    let left = data.len().saturating_sub(next);
    let room = if major == 5 { left / 2 } else { left };
    let Some(length) = usize::try_from(argument).ok().filter(|length| *length <= room) else {
        return fault(Code::Truncated, at, "as many bytes as are announced", format!("{left} bytes left"));
    };
    Ok(match major {
        2 => Head::Bytes(length),
        3 => Head::Text(length),
        4 => Head::Array(length),
        _ => Head::Map(length),
    })
}

/// An open array or map: how many items are left in it, and for a map its last key.
#[derive(Clone, Copy)]
struct Open {
    start: usize,
    left: usize,
    map: bool,
    key: (usize, usize),
}

impl Open {
    const NONE: Open = Open { start: 0, left: 0, map: false, key: (0, 0) };
}

/// Check that `data` is exactly one item of the profile. With `tag18` its first byte may be tag 18.
/// Never recurses; the stack of open arrays and maps has eight places.
pub fn check_item(data: &[u8], tag18: bool) -> Result<()> {
    check_parts(data, usize::from(tag18 && data.first() == Some(&0xd2)), |_| {})
}

/// The same, and it tells on the way where each element of the outermost array stands, or each key and each value of the outermost map.
/// What it has told is good for something only if it then finds no fault.
pub(super) fn check_parts(data: &[u8], start: usize, mut tell: impl FnMut(Range<usize>)) -> Result<()> {
    let mut at = start;
    let mut stack: [Open; MAX_DEPTH] = [Open::NONE; MAX_DEPTH];
    let mut depth = 0usize;
    loop {
        let as_key = stack.get(depth.wrapping_sub(1)).is_some_and(|top| top.map && top.left.is_multiple_of(2));
        let start = at;
        let (head, next) = read_head(data, at, as_key)?;
        at = next;
        let opened = match head {
            Head::Bytes(length) => {
                at += length;
                None
            }
            Head::Text(length) => {
                at += length;
                let text = data.get(next..at).unwrap_or_default();
                if std::str::from_utf8(text).is_err() {
                    return fault(Code::Utf8Invalid, start, "well-formed UTF-8", "something else");
                }
                None
            }
            Head::Array(count) => Some(Open { start, left: count, ..Open::NONE }),
            Head::Map(pairs) => Some(Open { start, left: pairs * 2, map: true, ..Open::NONE }),
            _ => None,
        };
        if as_key && let Some(top) = stack.get_mut(depth - 1) {
            check_key_order(data, top.key, (start, at))?;
            top.key = (start, at);
        }
        if let Some(open) = opened {
            let Some(slot) = stack.get_mut(depth) else {
                return fault(Code::DepthLimit, start, "at most 8 levels of arrays and maps", "a ninth");
            };
            *slot = open;
            depth += 1;
        }
        // Count the finished item in its parent, and every parent that this finishes in its own. An array or map counts when it
        // closes; an empty one closes at once.
        let (mut finished, mut begun) = (opened.is_none(), start);
        loop {
            let Some(top) = stack.get_mut(depth.wrapping_sub(1)) else {
                return conclude(data, at);
            };
            if finished {
                top.left -= 1;
                if depth == 1 {
                    tell(begun..at);
                }
            }
            if top.left > 0 {
                break;
            }
            (finished, begun) = (true, top.start);
            depth -= 1;
        }
    }
}

fn check_key_order(data: &[u8], before: (usize, usize), key: (usize, usize)) -> Result<()> {
    if before == (0, 0) {
        return Ok(());
    }
    match data.get(before.0..before.1).cmp(&data.get(key.0..key.1)) {
        std::cmp::Ordering::Less => Ok(()),
        std::cmp::Ordering::Equal => fault(Code::MapDuplicateKey, key.0, "each key once", "one key twice"),
        std::cmp::Ordering::Greater => {
            fault(Code::MapKeyOrder, key.0, "keys in bytewise order", "a lower key after a higher")
        }
    }
}

fn conclude(data: &[u8], at: usize) -> Result<()> {
    if at < data.len() {
        return fault(Code::TrailingBytes, at, "the end of the bytes", format!("{} more bytes", data.len() - at));
    }
    Ok(())
}

/// Reads items that have passed `check_item`. On anything else it answers None: it never trusts the check blindly.
#[derive(Clone, Copy)]
pub struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Cursor { data, at: 0 }
    }

    /// Start behind the tag of an envelope.
    pub fn behind_tag(data: &'a [u8]) -> Self {
        Cursor { data, at: 1 }
    }

    pub fn position(&self) -> usize {
        self.at
    }

    #[inline]
    fn next(&self) -> Option<(Head, usize)> {
        short_head(self.data, self.at).or_else(|| any_head(self.data, self.at, false).ok())
    }

    pub fn head(&mut self) -> Option<Head> {
        let (head, next) = self.next()?;
        self.at = next;
        Some(head)
    }

    pub fn peek(&self) -> Option<Head> {
        self.next().map(|(head, _)| head)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.data.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    pub fn uint(&mut self) -> Option<u64> {
        match self.head()? {
            Head::Uint(value) => Some(value),
            _ => None,
        }
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        match self.head()? {
            Head::Bytes(length) => self.take(length),
            _ => None,
        }
    }

    pub fn text(&mut self) -> Option<&'a str> {
        match self.head()? {
            Head::Text(length) => std::str::from_utf8(self.take(length)?).ok(),
            _ => None,
        }
    }

    pub fn array(&mut self) -> Option<usize> {
        match self.head()? {
            Head::Array(count) => Some(count),
            _ => None,
        }
    }

    /// True and the null consumed, or false and nothing consumed.
    pub fn null(&mut self) -> bool {
        let found = self.peek() == Some(Head::Null);
        self.at += usize::from(found);
        found
    }

    /// Skip one item whole and return its bytes.
    pub fn item(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        let mut left = 1usize;
        while left > 0 {
            left -= 1;
            match self.head()? {
                Head::Bytes(length) | Head::Text(length) => {
                    self.take(length)?;
                }
                Head::Array(count) => left = left.checked_add(count)?,
                Head::Map(pairs) => left = left.checked_add(pairs.checked_mul(2)?)?,
                _ => {}
            }
        }
        self.data.get(start..self.at)
    }
}
