//! The verification of a transcript, as plainly as fingerprint.5 and fingerprint.6 can be written: everything in memory, one
//! entry after the other, each fingerprint computed anew. The twin of the streaming verifier.

use std::collections::HashMap;

use ama2sec_core::errors::{Code, Error};
use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::{Scope, fingerprints};
use ama2sec_core::identity::Directory;
use ama2sec_core::limits::MAX_ITEM;
use ama2sec_core::message::codec::check_item;
use ama2sec_core::message::{Addr, Claims, Kind, Seq, UnverifiedEnvelope, VerifiedEnvelope, parse_entry};

use crate::tree::Node;

/// How many entries passed, and the code of the first fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub sound: u64,
    pub code: Option<Code>,
}

/// Everything that the steps remember.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub ids: Vec<Hash>,
    pub members: Option<Vec<Addr>>,
    pub numbers: HashMap<Hash, Seq>,
}

/// Judge a whole file.
pub fn verify(data: &[u8], directory: &Directory) -> Verdict {
    let mut history = History::default();
    let code = read(data, directory, &mut history).err();
    Verdict { sound: history.ids.len() as u64, code }
}

fn read(data: &[u8], directory: &Directory, history: &mut History) -> Result<(), Code> {
    let (header, mut rest) = next_item(data)?;
    read_header(header)?;
    while !rest.is_empty() {
        let (item, behind) = next_item(rest)?;
        let entry = read_entry(item, directory)?;
        history.admit(&entry)?;
        rest = behind;
    }
    if history.ids.is_empty() { Err(Code::OpenMissing) } else { Ok(()) }
}

/// fingerprint.5.5 and 5.6.
fn next_item(rest: &[u8]) -> Result<(&[u8], &[u8]), Code> {
    let window = &rest[..rest.len().min(MAX_ITEM)];
    let length = match check_item(window, false) {
        Ok(()) => window.len(),
        Err(Error { code: Code::TrailingBytes, offset: Some(end), .. }) => end,
        Err(Error { code: Code::Truncated, .. }) if rest.len() > MAX_ITEM => return Err(Code::SizeLimit),
        Err(fault) => return Err(fault.code),
    };
    Ok(rest.split_at(length))
}

/// fingerprint.5.1
fn read_header(item: &[u8]) -> Result<(), Code> {
    match Node::read_whole(item) {
        Some(Node::Array(parts)) => match parts.as_slice() {
            [Node::Int { negative: false, argument: 0 }, Node::Text(name), Node::Int { negative: false, argument }]
                if name == b"ama2sec-transcript" =>
            {
                if *argument == 1 {
                    Ok(())
                } else {
                    Err(Code::TranscriptVersion)
                }
            }
            _ => Err(Code::TranscriptForm),
        },
        _ => Err(Code::TranscriptForm),
    }
}

/// fingerprint.5.2, 5.3, and steps 1 and 2.
fn read_entry(item: &[u8], directory: &Directory) -> Result<VerifiedEnvelope, Code> {
    let kind = match Node::read_whole(item) {
        Some(Node::Array(parts)) => parts.first().cloned(),
        _ => None,
    };
    match kind {
        Some(Node::Int { negative: false, argument: 1 }) => {}
        Some(Node::Int { negative: false, argument: 2..=4 }) => return Err(Code::ItemNotBuilt),
        _ => return Err(Code::ItemUnknown),
    }
    let entry = parse_entry(item).map_err(|fault| fault.code)?;
    let envelope = UnverifiedEnvelope::parse(entry.envelope).map_err(|fault| fault.code)?;
    envelope.verify(directory, entry.body).map_err(|fault| fault.code)
}

impl History {
    /// Steps 3 to 11 of fingerprint.6.
    fn admit(&mut self, entry: &VerifiedEnvelope) -> Result<(), Code> {
        let claims = entry.claims();
        match (self.ids.first(), &claims.open) {
            (None, None) => return Err(Code::OpenMissing),
            (Some(_), Some(_)) => return Err(Code::OpenAgain),
            (None, Some(open)) => {
                is_member(open.members.as_deref(), entry)?;
                self.members.clone_from(&open.members);
            }
            (Some(first), None) => self.follows(entry, first)?,
        }
        if let Some(seq) = claims.seq {
            self.numbers.insert(claims.agent, seq);
        }
        self.ids.push(*entry.id());
        Ok(())
    }

    fn follows(&self, entry: &VerifiedEnvelope, first: &Hash) -> Result<(), Code> {
        self.may_speak(entry, first)?;
        let claims = entry.claims();
        if claims.context.size > self.ids.len() as u64 {
            return Err(Code::ContextAhead);
        }
        self.was_seen(claims, first)?;
        if claims.merges.is_empty() { Ok(()) } else { Err(Code::MergeNotBuilt) }
    }

    /// Steps 4 to 7: all that does not look at the context.
    pub fn may_speak(&self, entry: &VerifiedEnvelope, first: &Hash) -> Result<(), Code> {
        let claims = entry.claims();
        assert!(claims.kind == Kind::Message);
        if claims.conversation != *first {
            return Err(Code::ConversationOther);
        }
        is_member(self.members.as_deref(), entry)?;
        let seq = claims.seq.ok_or(Code::Internal)?;
        let before = self.numbers.get(&claims.agent).copied();
        if before.is_some_and(|before| (seq.epoch, seq.counter) <= (before.epoch, before.counter)) {
            return Err(Code::SeqUsed);
        }
        let start = before.filter(|before| before.epoch == seq.epoch).map_or(0, |before| u64::from(before.counter));
        if u64::from(seq.counter) > start + 65_536 {
            return Err(Code::SeqWindow);
        }
        if claims.branch != *first { Err(Code::BranchUnknown) } else { Ok(()) }
    }

    /// Steps 8 to 10, for a context that is no longer than this history.
    pub fn was_seen(&self, claims: &Claims, first: &Hash) -> Result<(), Code> {
        let seen = &self.ids[..claims.context.size as usize];
        let prints = fingerprints(&Scope::of_file(*first), seen).map_err(|fault| fault.code)?;
        if claims.parent.as_ref() != seen.last() || prints.last() != Some(&claims.context.fingerprint) {
            return Err(Code::ContextForked);
        }
        Ok(())
    }
}

pub fn is_member(members: Option<&[Addr]>, entry: &VerifiedEnvelope) -> Result<(), Code> {
    let me = |member: &Addr| match member {
        Addr::Id(id) => *id == entry.claims().agent,
        Addr::Name(name) => name.as_str() == entry.sender().name.as_str(),
    };
    if members.is_none_or(|members| members.iter().any(me)) { Ok(()) } else { Err(Code::NotAMember) }
}
