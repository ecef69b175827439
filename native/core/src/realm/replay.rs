//! The replay of a realm transcript: bytes in, in pieces of any size; one verdict out (record.4).

use super::record::Record;
use super::replica::{Asking, Replayed, Replica};
use super::screen::verify_ahead;
use crate::errors::{Code, Error, Result};
use crate::history::sha_tree::TreeHead;
use crate::history::transcript::{Item, Step, TranscriptReader};
use crate::message::codec::Cursor;
use crate::message::{AuthenticEnvelope, Id, parse_entry};
use crate::text;

/// What the reader knows from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The realm's id.
    pub realm: Option<Id>,
    /// The text of a checkpoint that was kept.
    pub kept: Option<Vec<u8>>,
    /// The transcript has only the registry and this conversation.
    pub only: Option<Id>,
}

/// The first fault: the verdict (record.4.4).
#[derive(Clone, Debug)]
pub struct ReplayFault {
    /// Records before it.
    pub position: u64,
    /// Where its item starts in the file.
    pub offset: u64,
    pub error: Error,
}

/// A realm whose transcript passed every step. Only `Replay` makes one.
#[derive(Debug)]
pub struct RealmVerified {
    replica: Replica,
    head: Option<TreeHead>,
    rejected: u64,
    checkpoints: u64,
    realm_checked: bool,
    tail_checked: bool,
}

impl RealmVerified {
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    pub fn into_replica(self) -> Replica {
        self.replica
    }

    /// The realm tree over all records; None of a filtered transcript.
    pub fn head(&self) -> Option<&TreeHead> {
        self.head.as_ref()
    }

    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// How many checkpoints stood in the transcript.
    pub fn checkpoints(&self) -> u64 {
        self.checkpoints
    }

    /// False: the realm is the one that the transcript states.
    pub fn is_realm_checked(&self) -> bool {
        self.realm_checked
    }

    /// False: nobody can say whether a tail was cut off.
    pub fn is_tail_checked(&self) -> bool {
        self.tail_checked
    }
}

/// Why there is no `RealmVerified`.
#[derive(Debug)]
pub enum ReplayFailure {
    Fault(Box<ReplayFault>),
    /// The replay could not be done: a fault of ours. No verdict.
    Broken(Error),
}

/// Pairs whose signatures are checked together.
const BATCH: usize = 256;
/// Bytes of a batch: bodies can be large.
const BATCH_BYTES: usize = 4 << 20;

/// Takes the transcript in pieces.
#[derive(Debug)]
pub struct Replay {
    replica: Replica,
    expected: Expected,
    reader: TranscriptReader,
    queue: Vec<Queued>,
    queued_bytes: usize,
    /// A record whose entry has not come yet.
    record: Option<(u64, Vec<u8>)>,
    fault: Option<ReplayFault>,
    rejected: u64,
    checkpoints: u64,
}

#[derive(Debug)]
enum Queued {
    Pair { offset: u64, record: Vec<u8>, entry: Vec<u8> },
    Checkpoint { offset: u64, text: Vec<u8> },
    Fault { offset: u64, error: Error },
}

impl Queued {
    fn envelope(&self) -> Option<&[u8]> {
        let Queued::Pair { entry, .. } = self else { return None };
        parse_entry(entry).ok().map(|entry| entry.envelope)
    }
}

impl Replay {
    pub fn new(expected: Expected) -> Replay {
        Replay {
            replica: Replica::new(expected.only).with_dags(),
            expected,
            reader: TranscriptReader::new(),
            queue: Vec::new(),
            queued_bytes: 0,
            record: None,
            fault: None,
            rejected: 0,
            checkpoints: 0,
        }
    }

    /// Records that were taken in so far.
    pub fn records(&self) -> u64 {
        self.replica.records()
    }

    /// Takes the next bytes of the file. A fault in them is no error here: it is the verdict that `finish` gives.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<()> {
        self.read(chunk, false)
    }

    /// The file ends here.
    pub fn finish(mut self) -> std::result::Result<RealmVerified, ReplayFailure> {
        self.end().map_err(ReplayFailure::Broken)?;
        if let Some(fault) = self.fault {
            return Err(ReplayFailure::Fault(Box::new(fault)));
        }
        let records = self.replica.records();
        let head = if self.replica.is_filtered() { None } else { self.replica.tree_head(records).ok() };
        let kept = self.expected.kept.is_some();
        Ok(RealmVerified {
            tail_checked: kept && !self.replica.is_filtered(),
            realm_checked: kept || self.expected.realm.is_some(),
            replica: self.replica,
            head,
            rejected: self.rejected,
            checkpoints: self.checkpoints,
        })
    }

    fn end(&mut self) -> Result<()> {
        self.read(&[], true)?;
        self.flush()?;
        let offset = self.reader.offset();
        if let Some((offset, _)) = self.record.take() {
            self.fall(offset, misplaced("a record without its entry"));
        }
        if self.replica.records() == 0 {
            self.fall(offset, Error::new(Code::OpenMissing, "a genesis as first entry", "no entry"));
        }
        if self.fault.is_none()
            && let Some(kept) = self.expected.kept.clone()
            && let Err(error) = self.replica.check_kept(&kept)
        {
            self.judge(offset, error)?;
        }
        Ok(())
    }

    fn read(&mut self, chunk: &[u8], last: bool) -> Result<()> {
        let mut rest = chunk;
        // Taken out for the loop: an item borrows from the reader.
        let mut reader = std::mem::take(&mut self.reader);
        let outcome = loop {
            if self.fault.is_some() {
                break Ok(());
            }
            match reader.next(&mut rest, last) {
                Step::Item(item) => self.queue(&item),
                Step::Fault(fault) => {
                    self.queue.push(Queued::Fault { offset: fault.offset, error: fault.error });
                    break self.flush();
                }
                Step::More | Step::End => break Ok(()),
            }
            if (self.queue.len() >= BATCH || self.queued_bytes >= BATCH_BYTES)
                && let Err(error) = self.flush()
            {
                break Err(error);
            }
        };
        self.reader = reader;
        outcome
    }

    /// record.4.1: what the item is, and whether it stands where it may.
    fn queue(&mut self, item: &Item<'_>) {
        let offset = item.offset;
        self.queued_bytes += item.bytes.len();
        let record = self.record.take();
        let queued = match (item_of(item), record) {
            (Ok(Part::Record(bytes)), None) => {
                self.record = Some((offset, bytes.to_vec()));
                return;
            }
            (Ok(Part::Entry), Some((offset, record))) => Queued::Pair { offset, record, entry: item.bytes.to_vec() },
            (Ok(Part::Checkpoint(text)), None) => Queued::Checkpoint { offset, text: text.to_vec() },
            (Ok(Part::Entry), None) => Queued::Fault { offset, error: misplaced("an entry without its record") },
            (Ok(_), Some(_)) => Queued::Fault { offset, error: misplaced("another item behind a record") },
            (Err(error), _) => Queued::Fault { offset, error },
        };
        self.queue.push(queued);
    }

    /// Signatures of a batch on all cores, then the steps one after the other: the verdict is the same as if each pair had been
    /// judged alone.
    fn flush(&mut self) -> Result<()> {
        let queue = std::mem::take(&mut self.queue);
        self.queued_bytes = 0;
        let verified = verify_ahead(self.replica.state(), queue.iter().map(Queued::envelope));
        for (queued, verified) in queue.into_iter().zip(verified) {
            if self.fault.is_some() {
                return Ok(());
            }
            let (offset, outcome) = match queued {
                Queued::Pair { offset, record, entry } => (offset, self.pair(&record, &entry, verified)),
                Queued::Checkpoint { offset, text } => (offset, self.checkpoint(&text)),
                Queued::Fault { offset, error } => (offset, Err(error)),
            };
            if let Err(error) = outcome {
                self.judge(offset, error)?;
            }
        }
        Ok(())
    }

    fn pair(&mut self, record: &[u8], entry: &[u8], verified: Option<AuthenticEnvelope>) -> Result<()> {
        let record = Record::parse(record)?;
        let entry = parse_entry(entry)?;
        let first = self.replica.records() == 0;
        self.replica.replay(
            &record,
            Replayed { envelope: entry.envelope, body: entry.body, verified, asking: Asking::Everything },
        )?;
        self.rejected += u64::from(!record.is_admitted());
        match self.expected.realm.filter(|realm| first && *realm != record.id) {
            Some(realm) => Err(Error::new(Code::RealmOther, text::hex(&realm), text::hex(&record.id))),
            None => Ok(()),
        }
    }

    fn checkpoint(&mut self, text: &[u8]) -> Result<()> {
        self.replica.check_checkpoint(text)?;
        self.checkpoints += 1;
        Ok(())
    }

    /// A fault of ours is no verdict on the log.
    fn judge(&mut self, offset: u64, error: Error) -> Result<()> {
        if matches!(error.code, Code::Internal | Code::SelfTestFailed | Code::RulesUnsupported) {
            return Err(error);
        }
        self.fall(offset, error);
        Ok(())
    }

    fn fall(&mut self, offset: u64, error: Error) {
        let position = self.replica.records();
        // Of another realm not even the first record counts.
        let position = if error.code == Code::RealmOther && position == 1 { 0 } else { position };
        self.fault.get_or_insert(ReplayFault { position, offset, error });
    }
}

fn misplaced(got: &'static str) -> Error {
    Error::new(Code::ItemForm, "records right before their entries, checkpoints between the pairs", got)
}

enum Part<'a> {
    Record(&'a [u8]),
    Entry,
    Checkpoint(&'a [u8]),
}

/// The types of a realm transcript; what else there is keeps the code that it has outside.
fn item_of<'a>(item: &Item<'a>) -> Result<Part<'a>> {
    let mut cursor = Cursor::new(item.bytes);
    let (count, kind) = (cursor.array(), cursor.uint());
    if !matches!(kind, Some(2 | 3)) {
        return item.entry.clone().map(|_| Part::Entry);
    }
    let wrong = || Error::new(Code::ItemForm, "[2, record] or [3, checkpoint], as byte strings", "another item");
    let bytes = cursor.bytes().filter(|_| count == Some(2)).ok_or_else(wrong)?;
    Ok(if kind == Some(2) { Part::Record(bytes) } else { Part::Checkpoint(bytes) })
}
