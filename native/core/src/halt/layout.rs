//! The bytes of the sidecar (halt.4.1, halt.4.2). Reading is total: what is wrong is nothing.

use sha2::{Digest, Sha256};

use crate::limits::{MAX_REASON, TIME_END};
use crate::message::codec::{Cursor, check_item};
use crate::message::{Id, Writer};

const MAGIC: [u8; 8] = *b"a2stop\0\x01";
/// Bytes of the header that its checksum is over.
const CHECKED: usize = 104;
const EPOCH: usize = 112;
const HEADER: usize = 120;

pub(super) const PEOPLE_AT: u64 = 128;
const GATES_AT: u64 = 4_096;
const HEADS_AT: u64 = 8_192;
const CONTENTS_AT: u64 = 16_384;
pub(super) const GATE: usize = 32;
pub(super) const HEAD: usize = 32;
/// Bytes that a slot can hold: any envelope of a halt fits.
pub(super) const CONTENT: usize = 4_608;

/// Operators and roots that the sidecar names.
pub(super) const PEOPLE: usize = 60;
/// How many processes can have the realm open at once.
pub(super) const GATES: usize = if cfg!(ama2sec_shuttle) { 3 } else { 64 };
/// How many halts and resumes can be latched or wait.
pub const SLOTS: usize = if cfg!(ama2sec_shuttle) { 6 } else { 128 };
/// The bytes of a sidecar.
pub(super) const LENGTH: u64 = CONTENTS_AT + (SLOTS * CONTENT) as u64;

pub(super) fn gate_at(gate: usize) -> u64 {
    GATES_AT + (gate * GATE) as u64
}

pub(super) fn head_at(slot: usize) -> u64 {
    HEADS_AT + (slot * HEAD) as u64
}

pub(super) fn content_at(slot: usize) -> u64 {
    CONTENTS_AT + (slot * CONTENT) as u64
}

pub(super) const EPOCH_AT: u64 = EPOCH as u64;

/// Whose sidecar it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Header {
    /// Zeros: not known to who made the file.
    pub realm: Id,
    /// Agent id and kid of the sequencer, or zeros.
    pub sequencer: (Id, Id),
}

impl Header {
    /// Without the epoch.
    pub(super) fn encode(&self) -> [u8; EPOCH] {
        let mut out = [0; EPOCH];
        let parts = [&MAGIC[..], &self.realm, &self.sequencer.0, &self.sequencer.1].concat();
        let sum = Sha256::digest(&parts);
        for (slot, byte) in out.iter_mut().zip(parts.iter().chain(sum.iter().take(EPOCH - CHECKED))) {
            *slot = *byte;
        }
        out
    }

    pub(super) fn read(bytes: &[u8; HEADER]) -> Option<(Header, u64)> {
        let id = |from: usize| -> Option<Id> { bytes.get(from..from + 32)?.try_into().ok() };
        let header = Header { realm: id(8)?, sequencer: (id(40)?, id(72)?) };
        let epoch = u64::from_be_bytes(bytes.get(EPOCH..)?.try_into().ok()?);
        (bytes.get(..EPOCH)? == header.encode()).then_some((header, epoch))
    }
}

/// What is in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The envelope of a halt or a local halt. Whether it is sound is the engine's to say; it stops in any case.
    Signed(Vec<u8>),
    /// A local halt that nobody has signed yet.
    Local {
        salt: [u8; 16],
        time: u64,
        scope: Vec<u8>,
        reason: String,
    },
    /// The envelope of a resume, which waits for an engine.
    Resume(Vec<u8>),
    Drill([u8; 16]),
}

impl Content {
    fn state(&self) -> u8 {
        match self {
            Content::Signed(_) => 1,
            Content::Local { .. } => 2,
            Content::Resume(_) => 3,
            Content::Drill(_) => 4,
        }
    }

    /// Head and content. None: it does not fit.
    pub(super) fn encode(&self) -> Option<([u8; HEAD], Vec<u8>)> {
        let bytes = match self {
            Content::Signed(envelope) | Content::Resume(envelope) => envelope.clone(),
            Content::Drill(id) => id.to_vec(),
            Content::Local { salt, time, scope, reason } => {
                let mut out = Writer::default();
                out.array(4).bytes(salt).uint(*time).bytes(scope).text(reason);
                out.0
            }
        };
        let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= CONTENT)?;
        Some((head_of(self.state(), length, &bytes), bytes))
    }

    /// What a head and the bytes behind it say. Ok(None): the slot is free. Err: the checksum, or the form.
    pub(super) fn read(head: &[u8; HEAD], content: &[u8]) -> Result<Option<Content>, ()> {
        if head.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let length = length_of(head).ok_or(())?;
        let bytes = content.get(..length as usize).ok_or(())?;
        let [state, ..] = *head;
        if head_of(state, length, bytes) != *head {
            return Err(());
        }
        match state {
            1 => Ok(Some(Content::Signed(bytes.to_vec()))),
            2 => read_local(bytes).map(Some).ok_or(()),
            3 => Ok(Some(Content::Resume(bytes.to_vec()))),
            4 => bytes.try_into().map(|id| Some(Content::Drill(id))).map_err(|_| ()),
            _ => Err(()),
        }
    }
}

/// The length that a head states, if a slot can hold it.
pub(super) fn length_of(head: &[u8; HEAD]) -> Option<u32> {
    let [_, _, _, _, a, b, c, d, ..] = *head;
    Some(u32::from_be_bytes([a, b, c, d])).filter(|length| *length as usize <= CONTENT)
}

fn head_of(state: u8, length: u32, bytes: &[u8]) -> [u8; HEAD] {
    let length = length.to_be_bytes();
    let sum = Sha256::new().chain_update([state]).chain_update(length).chain_update(bytes).finalize();
    let mut out = [0; HEAD];
    let parts = [state, 0, 0, 0].into_iter().chain(length).chain(sum.into_iter().take(16));
    for (slot, byte) in out.iter_mut().zip(parts) {
        *slot = byte;
    }
    out
}

fn read_local(bytes: &[u8]) -> Option<Content> {
    check_item(bytes, false).ok()?;
    let mut cursor = Cursor::new(bytes);
    if cursor.array()? != 4 {
        return None;
    }
    let salt = cursor.bytes()?.try_into().ok()?;
    let time = cursor.uint().filter(|time| *time < TIME_END)?;
    let scope = cursor.bytes()?.to_vec();
    let reason = cursor.text().filter(|reason| reason.len() <= MAX_REASON)?.to_owned();
    Some(Content::Local { salt, time, scope, reason })
}

/// What a gate says (halt.5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Word {
    /// 0: nobody is on his way. Else who looked last, and how many have not looked since: one number, so that nobody reads half of it.
    pub state: u64,
    /// The epoch that was seen last.
    pub seen: u64,
}

/// The state of a gate through which somebody is on his way.
pub(super) fn busy(seen: u64, stale: u64) -> u64 {
    ((seen | 1) << 32) | stale.min(u64::from(u32::MAX))
}

impl Word {
    pub fn encode(self) -> [u8; GATE] {
        let mut out = [0; GATE];
        let numbers = [self.state, self.seen].into_iter().flat_map(u64::to_be_bytes);
        for (slot, byte) in out.iter_mut().zip(numbers) {
            *slot = byte;
        }
        out
    }

    pub fn read(bytes: &[u8; GATE]) -> Word {
        let number = |at: usize| {
            let part = bytes.get(at..at + 8).and_then(|part| part.try_into().ok());
            part.map_or(0, u64::from_be_bytes)
        };
        Word { state: number(0), seen: number(8) }
    }
}

pub(super) const HEADER_BYTES: usize = HEADER;

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> [Content; 4] {
        [
            Content::Signed(vec![0xd2; CONTENT]),
            Content::Local { salt: [1; 16], time: 5, scope: vec![0x81, 0], reason: "why".into() },
            Content::Resume(vec![1, 2, 3]),
            Content::Drill([9; 16]),
        ]
    }

    #[test]
    fn what_is_written_reads_back_and_every_bit_counts() {
        for content in all() {
            let (head, bytes) = content.encode().unwrap_or_else(|| unreachable!("it fits"));
            assert_eq!(Content::read(&head, &bytes), Ok(Some(content.clone())));
            for bit in 0..head.len() * 8 {
                let mut bent = head;
                if let Some(byte) = bent.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
                assert_eq!(Content::read(&bent, &bytes), Err(()), "{content:?}, bit {bit} of the head");
            }
            for at in 0..bytes.len() {
                let mut bent = bytes.clone();
                if let Some(byte) = bent.get_mut(at) {
                    *byte ^= 1;
                }
                assert_eq!(Content::read(&head, &bent), Err(()));
            }
        }
        assert_eq!(Content::read(&[0; HEAD], &[]), Ok(None));
        assert_eq!(Content::Signed(vec![0; CONTENT + 1]).encode(), None);
    }

    #[test]
    fn a_header_is_known_by_every_byte_but_the_epoch() {
        let header = Header { realm: [1; 32], sequencer: ([2; 32], [3; 32]) };
        let mut bytes = [0; HEADER];
        for (slot, byte) in bytes.iter_mut().zip(header.encode().into_iter().chain(7u64.to_be_bytes())) {
            *slot = byte;
        }
        assert_eq!(Header::read(&bytes), Some((header, 7)));
        for at in 0..HEADER {
            let mut bent = bytes;
            if let Some(byte) = bent.get_mut(at) {
                *byte ^= 1;
            }
            assert_eq!(Header::read(&bent).is_some(), at >= EPOCH, "byte {at}");
        }
    }

    #[test]
    fn no_content_of_a_local_halt_but_the_form_is_one() {
        for bytes in [&b""[..], &[0x80], &[0x84, 0x40, 0, 0x40, 0x60], &[0xff; 40]] {
            assert_eq!(Content::read(&head_of(2, bytes.len() as u32, bytes), bytes), Err(()));
        }
        assert_eq!(Content::read(&head_of(7, 0, &[]), &[]), Err(()));
    }
}
