//! Heads of a realm: signed notes over the size and the root of its tree (record.2).

use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256};

use crate::errors::{Code, Error, Result};
use crate::history::consistency::check_consistency;
use crate::history::sha_tree::TreeHead;
use crate::identity::{EnrolledKey, SigningKey};
use crate::limits::{MAX_CHECKPOINT, MAX_SIGNATURES, SIZE_END};
use crate::text;

/// Ed25519, in a signed note.
const ALGORITHM: u8 = 1;
const KEY_ID: usize = 4;

/// A checkpoint whose form, origin and signature were checked. Only `check_checkpoint` makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    head: TreeHead,
}

impl Checkpoint {
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub fn size(&self) -> u64 {
        self.head.size
    }

    pub fn root(&self) -> &[u8; 32] {
        &self.head.root
    }

    pub fn head(&self) -> &TreeHead {
        &self.head
    }
}

/// How a checkpoint stands to another one of the realm, where nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Unchanged,
    /// The new one is longer, and begins with the old one.
    Extended,
    /// The new one is the beginning of the old one.
    Behind,
}

/// A note that has its form. Nothing in it is known to be true.
#[derive(Clone, Debug)]
pub(super) struct Note<'a> {
    /// What is signed.
    text: &'a str,
    pub origin: &'a str,
    pub head: TreeHead,
    /// Name, key id and signature of each line.
    signatures: Vec<(&'a str, Vec<u8>)>,
}

/// The first bytes of the hash of name and key: which of several keys a line is of.
pub fn key_id(name: &str, key: &EnrolledKey) -> [u8; KEY_ID] {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(name.as_bytes())
        .chain_update([b'\n', ALGORITHM])
        .chain_update(key.as_bytes())
        .finalize()
        .into();
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

/// The text that is signed. Raises `ArgumentRange` for a size of nothing.
fn body(origin: &str, head: &TreeHead) -> Result<String> {
    if head.size == 0 || head.size >= SIZE_END {
        return Err(Error::new(Code::ArgumentRange, "a size from 1 to 2^48 - 1", head.size.to_string()));
    }
    Ok(format!("{origin}\n{}\n{}\n", head.size, Base64::encode_string(&head.root)))
}

/// The checkpoint that the sequencer signs.
pub fn sign_checkpoint(key: &SigningKey, origin: &str, head: &TreeHead) -> Result<String> {
    let text = body(origin, head)?;
    let mut signature = key_id(origin, key.public()).to_vec();
    signature.extend(key.sign(text.as_bytes()));
    Ok(format!("{text}\n\u{2014} {origin} {}\n", Base64::encode_string(&signature)))
}

fn form(expected: &'static str, got: &[u8]) -> Error {
    Error::new(Code::CheckpointForm, expected, text::shown(got))
}

impl<'a> Note<'a> {
    /// record.2.1
    pub fn parse(data: &'a [u8]) -> Result<Note<'a>> {
        if data.len() > MAX_CHECKPOINT {
            let got = format!("{} bytes", data.len());
            return Err(Error::new(Code::CheckpointForm, format!("at most {MAX_CHECKPOINT} bytes"), got));
        }
        let whole = std::str::from_utf8(data).map_err(|_| form("UTF-8", data))?;
        if let Some(control) = whole.bytes().find(|byte| *byte != b'\n' && (*byte < 0x20 || *byte == 0x7f)) {
            return Err(form("no control characters but newlines", &[control]));
        }
        let (text, lines) =
            whole.split_once("\n\n").ok_or_else(|| form("an empty line before the signatures", data))?;
        let text = whole.get(..text.len() + 1).unwrap_or(text);
        let mut parts = text.split('\n');
        let (origin, size, root) = (parts.next(), parts.next(), parts.next());
        let (Some(origin), Some(size), Some(root), Some(""), None) = (origin, size, root, parts.next(), parts.next())
        else {
            return Err(form("three lines: origin, size, root", text.as_bytes()));
        };
        if origin.is_empty() {
            return Err(form("an origin", text.as_bytes()));
        }
        let head = TreeHead { size: read_size(size)?, root: read_root(root)? };
        Ok(Note { text, origin, head, signatures: read_lines(lines)? })
    }

    /// Whether a line of the origin's name has this key's id.
    pub fn is_signed_by(&self, key: &EnrolledKey) -> bool {
        self.lines_of(key).next().is_some()
    }

    fn lines_of(&self, key: &EnrolledKey) -> impl Iterator<Item = &[u8]> {
        let id = key_id(self.origin, key);
        self.signatures
            .iter()
            .filter(|(name, _)| *name == self.origin)
            .filter_map(move |(_, bytes)| bytes.strip_prefix(id.as_slice()))
    }

    /// record.2.3, behind the form.
    pub fn check(&self, key: &EnrolledKey, origin: &str) -> Result<Checkpoint> {
        if self.origin != origin {
            let got = text::shown(self.origin.as_bytes());
            return Err(Error::new(Code::CheckpointOther, format!("origin {origin}"), got));
        }
        let mut lines = self.lines_of(key);
        let (Some(signature), None) = (lines.next(), lines.next()) else {
            return Err(Error::new(Code::CheckpointKey, "one line of the sequencer's key", "none, or several"));
        };
        key.verify(self.text.as_bytes(), signature)?;
        Ok(Checkpoint { origin: origin.to_owned(), head: self.head })
    }
}

fn read_size(written: &str) -> Result<u64> {
    let digits = !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit()) && !written.starts_with('0');
    let size = written.parse::<u64>().ok().filter(|size| digits && *size < SIZE_END);
    size.ok_or_else(|| form("a size in decimal without leading zeros", written.as_bytes()))
}

/// The decoder refuses every spelling but the canonical one; the length is compared before anything is decoded.
fn read_base64(written: &str, most: usize) -> Result<Vec<u8>> {
    let wrong = || form("base64 in its canonical spelling", written.as_bytes());
    if written.len() > most {
        return Err(wrong());
    }
    Base64::decode_vec(written).map_err(|_| wrong())
}

fn read_root(written: &str) -> Result<[u8; 32]> {
    let bytes = read_base64(written, 44)?;
    bytes.try_into().map_err(|_| form("a root of 32 bytes", written.as_bytes()))
}

fn read_lines(lines: &str) -> Result<Vec<(&str, Vec<u8>)>> {
    let wrong = || form("lines: em dash, name, base64 of key id and signature", lines.as_bytes());
    let lines = lines.strip_suffix('\n').ok_or_else(wrong)?;
    if lines.bytes().filter(|byte| *byte == b'\n').count() >= MAX_SIGNATURES {
        return Err(form("at most 16 signature lines", lines.as_bytes()));
    }
    lines
        .split('\n')
        .map(|line| {
            let (name, signature) =
                line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' ')).ok_or_else(wrong)?;
            let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'+';
            if !(1..=255).contains(&name.len()) || !name.bytes().all(plain) {
                return Err(wrong());
            }
            let bytes = read_base64(signature, MAX_CHECKPOINT)?;
            if bytes.len() > KEY_ID { Ok((name, bytes)) } else { Err(wrong()) }
        })
        .collect()
}

/// record.2.3: under a key and for an origin that the checker has from elsewhere.
pub fn check_checkpoint(text: &[u8], key: &EnrolledKey, origin: &str) -> Result<Checkpoint> {
    Note::parse(text)?.check(key, origin)
}

/// The origin that a text states. It is only good for looking up what the checker trusts.
pub fn stated_origin(text: &[u8]) -> Result<String> {
    Ok(Note::parse(text)?.origin.to_owned())
}

/// record.2.4: how `new` stands to `old`. Two of one size and two roots prove a fork: `CheckpointForked`.
pub fn compare_checkpoints(old: &Checkpoint, new: &Checkpoint, proof: Option<&[u8]>) -> Result<Relation> {
    if old.origin != new.origin {
        let got = text::shown(new.origin.as_bytes());
        return Err(Error::new(Code::CheckpointOther, format!("origin {}", old.origin), got));
    }
    let (first, second, relation) = match new.size().cmp(&old.size()) {
        std::cmp::Ordering::Equal if old.root() != new.root() => {
            let expected = format!("root {} at size {}", text::hex(old.root()), old.size());
            return Err(Error::new(Code::CheckpointForked, expected, text::hex(new.root())));
        }
        std::cmp::Ordering::Equal => {
            return match proof {
                None => Ok(Relation::Unchanged),
                Some(_) => Err(Error::new(Code::ProofClaim, "no proof for a head that did not change", "one")),
            };
        }
        std::cmp::Ordering::Greater => (old, new, Relation::Extended),
        std::cmp::Ordering::Less => (new, old, Relation::Behind),
    };
    let Some(proof) = proof else {
        let expected = format!("a consistency proof from size {} to {}", first.size(), second.size());
        return Err(Error::new(Code::NeedsProof, expected, "none"));
    };
    check_consistency(first.head(), second.head(), proof)?;
    Ok(relation)
}
