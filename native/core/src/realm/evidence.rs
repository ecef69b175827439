//! Portable proofs against somebody: two signatures that no honest holder of the key makes (record.2.5, record.5).

use super::checkpoint::{Checkpoint, Note};
use crate::errors::{Code, Error, Result};
use crate::identity::{Enrolled, EnrolledKey, Name, Purpose};
use crate::limits::{MAX_CHECKPOINT, MAX_ENVELOPE};
use crate::message::codec::{Cursor, check_item};
use crate::message::{AuthenticEnvelope, Id, Keys, Seq, UnverifiedEnvelope, Writer};
use crate::text;
use std::sync::Arc;

const FORK: &str = "ama2sec-fork";
const EQUIVOCATION: &str = "ama2sec-equivocation";
/// What frames the two parts, at most.
const FRAME: usize = 64;

/// The sequencer signed two histories of one size. Only `check_fork` makes one.
#[derive(Clone, Debug)]
pub struct ForkProved {
    pub origin: String,
    pub size: u64,
    pub roots: [[u8; 32]; 2],
}

/// The holder of a key signed two messages under one number. Only `check_equivocation` makes one.
#[derive(Clone, Debug)]
pub struct EquivocationProved {
    pub realm: Id,
    pub agent: Id,
    pub conversation: Id,
    pub seq: Seq,
    pub ids: [Id; 2],
}

fn encode(name: &str, first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut out = Writer::with_capacity(first.len() + second.len() + FRAME);
    out.array(4).text(name).uint(1).bytes(first).bytes(second);
    out.0
}

fn read<'a>(data: &'a [u8], name: &'static str, most: usize) -> Result<(&'a [u8], &'a [u8])> {
    let wrong = || {
        let got = format!("{} other bytes", data.len());
        Error::new(Code::EvidenceForm, format!("[\"{name}\", 1, and the two parts]"), got)
    };
    if data.len() > most || check_item(data, false).is_err() {
        return Err(wrong());
    }
    let mut cursor = Cursor::new(data);
    let parts = (|| {
        let named = cursor.array()? == 4 && cursor.text()? == name && cursor.uint()? == 1;
        let parts = (cursor.bytes()?, cursor.bytes()?);
        named.then_some(parts)
    })();
    parts.ok_or_else(wrong)
}

fn invalid<T>(expected: &'static str, got: impl Into<std::borrow::Cow<'static, str>>) -> Result<T> {
    Err(Error::new(Code::EvidenceInvalid, expected, got))
}

/// The bytes that prove a fork, of two checkpoints that were checked.
pub fn encode_fork(first: &[u8], second: &[u8]) -> Vec<u8> {
    let (low, high) = if first <= second { (first, second) } else { (second, first) };
    encode(FORK, low, high)
}

/// The steps of record.2.5.
pub fn check_fork(evidence: &[u8], key: &EnrolledKey, origin: &str) -> Result<ForkProved> {
    let (first, second) = read(evidence, FORK, 2 * MAX_CHECKPOINT + FRAME)?;
    if first >= second {
        return Err(Error::new(Code::EvidenceForm, "two notes in ascending order", "another order"));
    }
    let check = |note| -> Result<Checkpoint> { Note::parse(note)?.check(key, origin) };
    let (first, second) = (check(first)?, check(second)?);
    if first.size() != second.size() {
        return invalid("two notes of one size", format!("sizes {} and {}", first.size(), second.size()));
    }
    if first.root() == second.root() {
        return invalid("two roots", text::hex(first.root()));
    }
    Ok(ForkProved { origin: origin.to_owned(), size: first.size(), roots: [*first.root(), *second.root()] })
}

/// The bytes that prove an equivocation, of two envelopes with one number.
pub fn encode_equivocation(first: &UnverifiedEnvelope, second: &UnverifiedEnvelope) -> Vec<u8> {
    let (low, high) = if first.id() <= second.id() { (first, second) } else { (second, first) };
    encode(EQUIVOCATION, low.bytes(), high.bytes())
}

/// The one key that the checker has for the author.
struct Only(Arc<Enrolled>);

impl Keys for Only {
    fn signer(&self, envelope: &UnverifiedEnvelope) -> Result<Arc<Enrolled>> {
        if envelope.kid() == self.0.key.thumbprint() {
            return Ok(Arc::clone(&self.0));
        }
        Err(Error::new(Code::KeyUnknown, text::hex(self.0.key.thumbprint()), text::hex(envelope.kid())))
    }
}

/// The steps of record.5.
pub fn check_equivocation(evidence: &[u8], key: &EnrolledKey) -> Result<EquivocationProved> {
    let (first, second) = read(evidence, EQUIVOCATION, 2 * MAX_ENVELOPE + FRAME)?;
    let only = Only(Arc::new(Enrolled { name: Name::parse("author")?, purpose: Purpose::Message, key: key.clone() }));
    let check = |bytes| -> Result<AuthenticEnvelope> { UnverifiedEnvelope::parse(bytes)?.authenticate(&only) };
    let (first, second) = (check(first)?, check(second)?);
    let (one, other) = (first.claims(), second.claims());
    if (one.realm, one.agent, one.conversation) != (other.realm, other.agent, other.conversation) {
        return invalid("one realm, author and conversation", "others");
    }
    let Some(seq) = one.seq.filter(|_| one.seq == other.seq) else {
        return invalid("one number in both", "none, or two");
    };
    if first.id() >= second.id() {
        return invalid("two messages, ascending by id", "one, or another order");
    }
    let (realm, agent, conversation) = (one.realm, one.agent, one.conversation);
    Ok(EquivocationProved { realm, agent, conversation, seq, ids: [*first.id(), *second.id()] })
}
