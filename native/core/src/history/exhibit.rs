//! An exhibit: one message, its path and its head in one small file (proofs.6).

use super::Hash;
use super::accumulator::Scope;
use super::head::{Fingerprint, Head};
use super::inclusion::{Included, check_inclusion};
use super::trusted::Leaf;
use crate::errors::{Code, Error, Result};
use crate::limits::{MAX_EXHIBIT, SIZE_END};
use crate::message::codec::{Cursor, check_item};
use crate::message::{Writer, encode_entry, parse_message};

const NAME: &str = "ama2sec-exhibit";
const VERSION: u64 = 1;

/// An exhibit that has its form. Nothing in it is known to be true, and its head least of all.
#[derive(Clone, Copy, Debug)]
pub struct Exhibit<'a> {
    stated: Fingerprint,
    entry: &'a [u8],
    proof: &'a [u8],
}

/// The proof that an exhibit's message belongs to its head. Only `check_exhibit` makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhibited {
    included: Included,
    retained: bool,
}

impl Exhibited {
    pub fn included(&self) -> &Included {
        &self.included
    }

    /// Whether the head was held against one that the checker trusts; if not it is only what the file states.
    pub fn retained(&self) -> bool {
        self.retained
    }
}

fn form() -> Error {
    Error::new(Code::ExhibitForm, "an exhibit: [name, version 1, head, entry, proof]", "another item")
}

impl<'a> Exhibit<'a> {
    /// Reads strictly. The entry's own form is judged when it is checked.
    pub fn parse(data: &'a [u8]) -> Result<Exhibit<'a>> {
        if data.len() > MAX_EXHIBIT {
            let got = format!("{} bytes", data.len());
            return Err(Error::new(Code::SizeLimit, format!("an exhibit of at most {MAX_EXHIBIT} bytes"), got));
        }
        check_item(data, false).map_err(|_| form())?;
        read(data).ok_or_else(form)
    }

    /// The head as the file states it.
    pub fn stated(&self) -> &Fingerprint {
        &self.stated
    }

    /// The message as it travels.
    pub fn entry(&self) -> &'a [u8] {
        self.entry
    }

    /// The inclusion proof.
    pub fn proof(&self) -> &'a [u8] {
        self.proof
    }
}

fn read(data: &[u8]) -> Option<Exhibit<'_>> {
    let mut at = Cursor::new(data);
    let named = at.array()? == 5 && at.text()? == NAME && at.uint()? == VERSION && at.array()? == 5;
    let scope = Scope { realm: hash(&mut at)?, conversation: hash(&mut at)?, branch: hash(&mut at)? };
    let size = at.uint().filter(|size| (1..SIZE_END).contains(size))?;
    let stated = Fingerprint { scope, head: Head { size, fingerprint: hash(&mut at)? } };
    // An array of three: what is in it is judged as an entry.
    let entry = at.item().filter(|entry| entry.first() == Some(&0x83))?;
    let proof = at.bytes()?;
    named.then_some(Exhibit { stated, entry, proof })
}

fn hash(at: &mut Cursor<'_>) -> Option<Hash> {
    at.bytes()?.try_into().ok()
}

/// Makes an exhibit, of what passes its own check only. `message` is an entry or a bare envelope.
pub fn make_exhibit(head: &Fingerprint, message: &[u8], proof: &[u8]) -> Result<Vec<u8>> {
    check_inclusion(head, Leaf::Bytes(message), proof)?;
    let parts = parse_message(message)?;
    let entry = encode_entry(parts.envelope, parts.body);
    let mut out = Writer::with_capacity(entry.len() + proof.len() + 256);
    out.array(5).text(NAME).uint(VERSION);
    let scope = &head.scope;
    out.array(5).bytes(&scope.realm).bytes(&scope.conversation).bytes(&scope.branch);
    out.uint(head.head.size).bytes(&head.head.fingerprint);
    out.0.extend_from_slice(&entry);
    out.bytes(proof);
    Exhibit::parse(&out.0)?;
    Ok(out.0)
}

/// The steps of proofs.6. A retained head is its size and fingerprint: the fingerprint binds the rest.
pub fn check_exhibit(data: &[u8], retained: Option<&Head>) -> Result<Exhibited> {
    let exhibit = Exhibit::parse(data)?;
    let stated = &exhibit.stated;
    if let Some(head) = retained
        && *head != stated.head
    {
        let code = if stated.head.size < head.size { Code::HeadStale } else { Code::HeadForked };
        return Err(Error::new(code, format!("the head {head}"), stated.to_string()));
    }
    let included = check_inclusion(stated, Leaf::Bytes(exhibit.entry), exhibit.proof)?;
    Ok(Exhibited { included, retained: retained.is_some() })
}
