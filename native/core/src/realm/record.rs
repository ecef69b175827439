//! The line that the log keeps of every sequenced entry (record.1).

use sha2::{Digest, Sha256};

use crate::errors::{Code, Error, Result};
use crate::history::sha_tree::rfc6962_leaf;
use crate::limits::SIZE_END;
use crate::message::{Id, ZERO};
use crate::text;

/// Bytes of a record.
pub const RECORD_BYTES: usize = 164;
/// "a2r", version 1.
const BEGINNING: [u8; 4] = *b"a2r\x01";

/// Where an admitted entry stands: a branch, and the index in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home {
    pub branch: Id,
    pub index: u64,
}

impl Home {
    /// Of a rejected entry.
    pub const NONE: Home = Home { branch: ZERO, index: 0 };
}

/// What a log says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub position: u64,
    /// Recorded time in ms: it never goes back.
    pub time: u64,
    /// Admitted registry entries at lower positions.
    pub registry_size: u64,
    /// SHA-256 over the whole envelope, signature included.
    pub digest: [u8; 32],
    pub id: Id,
    pub conversation: Id,
    pub home: Home,
    /// The position of the conversation's previous record plus 1; 0: none.
    pub prev: u64,
    /// 0: admitted; else the number of the code of the verdict.
    pub code: u16,
}

/// The digest of an entry.
pub fn entry_digest(envelope: &[u8]) -> [u8; 32] {
    Sha256::digest(envelope).into()
}

impl Record {
    pub fn is_admitted(&self) -> bool {
        self.code == 0
    }

    /// The 164 bytes. Numbers are below 2^48: the engine and `parse` see to it.
    pub fn encode(&self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        let mut rest = bytes.as_mut_slice();
        let mut put = |part: &[u8]| {
            if let Some((to, behind)) = std::mem::take(&mut rest).split_at_mut_checked(part.len()) {
                to.copy_from_slice(part);
                rest = behind;
            }
        };
        let number = |value: u64| -> [u8; 6] {
            let [_, _, bytes @ ..] = value.to_be_bytes();
            bytes
        };
        put(&BEGINNING);
        put(&number(self.position));
        put(&number(self.time));
        put(&number(self.registry_size));
        for part in [&self.digest, &self.id, &self.conversation, &self.home.branch] {
            put(part);
        }
        put(&number(self.home.index));
        put(&number(self.prev));
        put(&self.code.to_be_bytes());
        bytes
    }

    /// Raises `RecordForm`.
    pub fn parse(data: &[u8]) -> Result<Record> {
        let wrong = || {
            let got = format!("{} bytes that begin with {}", data.len(), text::hex(data.get(..4).unwrap_or(data)));
            Error::new(Code::RecordForm, format!("a record: {RECORD_BYTES} bytes that begin with 61327201"), got)
        };
        let rest = data.strip_prefix(&BEGINNING).filter(|_| data.len() == RECORD_BYTES).ok_or_else(wrong)?;
        let mut fields = Fields(rest);
        let record = (|| {
            Some(Record {
                position: fields.number()?,
                time: fields.number()?,
                registry_size: fields.number()?,
                digest: fields.hash()?,
                id: fields.hash()?,
                conversation: fields.hash()?,
                home: Home { branch: fields.hash()?, index: fields.number()? },
                prev: fields.number()?,
                code: u16::from_be_bytes(fields.take()?),
            })
        })();
        record.ok_or_else(wrong)
    }

    /// The record's leaf in the realm tree.
    pub fn leaf(&self) -> [u8; 32] {
        rfc6962_leaf(&self.encode())
    }

    /// Raises `SizeLimit` where a number of it lies outside 48 bits: nothing could be written then.
    pub fn check(&self) -> Result<()> {
        let largest = [self.position, self.time, self.registry_size, self.home.index, self.prev].into_iter().max();
        match largest {
            Some(number) if number >= SIZE_END => {
                Err(Error::new(Code::SizeLimit, "numbers of a record below 2^48", number.to_string()))
            }
            _ => Ok(()),
        }
    }
}

/// Fields of fixed lengths, one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u64> {
        Some(self.take::<6>()?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn hash(&mut self) -> Option<[u8; 32]> {
        self.take()
    }
}
