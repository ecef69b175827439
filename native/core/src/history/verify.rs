//! The verification of a transcript (fingerprint.6): bytes in, in pieces of any size; one verdict out.

use std::ops::{Deref, Range};

use super::conversation::ConversationState;
use super::diagnose::{Diagnosis, Judged, sound_leaf};
use super::head::Head;
use super::nodes::NodeStore;
use super::report::{FirstFault, HistoryFault, Verified};
use super::salvage::envelopes_in;
use super::transcript::{ReadFault, Step, TranscriptReader};
use super::window::Window;
use crate::errors::{Code, Error, Result};
use crate::identity::Directory;
use crate::limits::WINDOW;
use crate::message::{Incoming, VerifiedEnvelope, verify_many};
use crate::text;

/// Entries whose signatures are checked together.
const BATCH_ENTRIES: usize = 512;
/// Bytes of a batch: bodies can be large.
const BATCH_BYTES: usize = 4 << 20;

/// Why there is no `Verified`.
#[derive(Debug)]
pub enum Failure {
    /// The history is not sound.
    Fault(Box<HistoryFault>),
    /// The verification itself could not be done (a node file that cannot be written, a fault of ours). No verdict.
    Broken(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Broken(error)
    }
}

/// Verifies a transcript in one pass. Memory: one number for each author, the window, one batch of entries.
#[derive(Debug)]
pub struct TranscriptVerifier<D, S> {
    directory: D,
    head: Option<Head>,
    threads: usize,
    reader: TranscriptReader,
    batch: Batch,
    phase: Phase<S>,
    entries: u64,
    ended: Option<ReadFault>,
}

#[derive(Debug)]
enum Phase<S> {
    Sound(Box<ConversationState<S>>, Window),
    /// The verdict has fallen.
    Explaining(Box<Diagnosis<S>>),
    /// An error of the store has ended everything.
    Broken,
}

/// Items that wait for their verdicts.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    items: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    offset: u64,
    range: Range<usize>,
    fault: Option<Error>,
}

impl<D: Deref<Target = Directory>, S: NodeStore> TranscriptVerifier<D, S> {
    /// `directory` is the verifier's own choice, `head` what it has retained (if anything), `store` empty.
    pub fn new(directory: D, head: Option<Head>, store: S) -> Self {
        Self::with_window(directory, head, store, WINDOW)
    }

    /// The same with another window. The verdict does not depend on it, only how far back a fault can be explained.
    pub fn with_window(directory: D, head: Option<Head>, store: S, window: usize) -> Self {
        TranscriptVerifier {
            directory,
            head,
            threads: 0,
            reader: TranscriptReader::new(),
            batch: Batch::default(),
            phase: Phase::Sound(Box::new(ConversationState::new(store)), Window::new(window)),
            entries: 0,
            ended: None,
        }
    }

    /// How many threads check signatures; 0, the default: as many as there are cores.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Entries that were judged so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Bytes and entries held at this moment, besides the numbers of the authors and the node store.
    pub fn held(&self) -> (usize, usize) {
        let (bytes, leaves) = match &self.phase {
            Phase::Sound(_, window) => window.held(),
            _ => (0, 0),
        };
        (bytes + self.batch.bytes.len() + self.reader.carried(), leaves + self.batch.items.len())
    }

    /// Takes the next bytes of the file. A fault in them is no error here: it is the verdict that `finish` gives.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<()> {
        self.read(chunk, false)
    }

    /// The file ends here.
    pub fn finish(mut self) -> std::result::Result<Verified, Failure> {
        self.read(&[], true)?;
        self.flush()?;
        if let Some(fault) = self.ended.take() {
            let error = fault.error.clone();
            self.fall(fault.offset, None, fault.error)?;
            return Err(self.report(Some(&error)));
        }
        let Phase::Sound(state, _) = &mut self.phase else {
            return Err(self.report(None));
        };
        if let Some(verified) = conclude(state, self.head)? {
            return Ok(verified);
        }
        let end = self.reader.offset();
        let error = match self.head {
            Some(head) if self.entries > 0 => {
                let got = format!("{} entries", self.entries);
                Error::new(Code::HeadStale, format!("at least the {} entries of the retained head", head.size), got)
            }
            _ => Error::new(Code::OpenMissing, "an open as first entry", "no entry"),
        };
        self.fall(end, None, error)?;
        Err(self.report(None))
    }

    fn read(&mut self, chunk: &[u8], last: bool) -> Result<()> {
        let mut rest = chunk;
        while self.ended.is_none() {
            match self.reader.next(&mut rest, last) {
                Step::Item(item) => match &mut self.phase {
                    // The verdict has fallen and nothing explains it any further: what follows is only counted.
                    Phase::Explaining(diagnosis) if !diagnosis.judged => {
                        self.entries += 1;
                        diagnosis.count_unjudged();
                    }
                    _ => self.batch.push(item.offset, item.bytes, item.entry.err()),
                },
                Step::Fault(fault) => self.ended = Some(fault),
                Step::More | Step::End => return Ok(()),
            }
            if self.batch.items.len() >= BATCH_ENTRIES || self.batch.bytes.len() >= BATCH_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Signatures of a batch on all cores, then the steps of the history one after the other: the verdict is the same as if
    /// each entry had been verified alone.
    fn flush(&mut self) -> Result<()> {
        let Batch { bytes, items } = std::mem::take(&mut self.batch);
        let slice = |range: &Range<usize>| bytes.get(range.clone()).unwrap_or_default();
        let asked: Vec<Incoming<'_>> = items
            .iter()
            .filter(|item| item.fault.is_none())
            .map(|item| Incoming { data: slice(&item.range), body: None })
            .collect();
        let mut verdicts = verify_many(&asked, &self.directory, self.threads).into_iter();
        for item in items {
            let verdict = match item.fault {
                Some(fault) => Err(fault),
                None => verdicts.next().unwrap_or_else(|| Err(internal("one verdict an entry", "fewer"))),
            };
            let position = self.entries;
            self.entries += 1;
            self.judge(Judged { position, offset: item.offset, bytes: slice(&item.range), verdict })?;
        }
        self.batch = Batch::reuse(bytes);
        Ok(())
    }

    fn judge(&mut self, item: Judged<'_>) -> Result<()> {
        let (state, window) = match &mut self.phase {
            Phase::Sound(state, window) => (state, window),
            Phase::Explaining(diagnosis) => return diagnosis.take(item),
            Phase::Broken => return Err(internal("a verification that goes on", "one that has failed")),
        };
        let (entry, error) = match &item.verdict {
            Ok(entry) => match state.check(entry).and_then(|admittable| state.apply(admittable)) {
                Ok(()) => {
                    window.admit(sound_leaf(entry, item.position), entry.bytes());
                    match compare_head(state, self.head)? {
                        None => return Ok(()),
                        // Step 12 of an entry that has become a leaf: it is admitted, and the history is another one.
                        Some(error) => return self.fall_behind(&item, entry, error),
                    }
                }
                Err(error) => (Some(entry), error),
            },
            Err(error) => (None, error.clone()),
        };
        // A fault of the store or of ours is no verdict on the history.
        if matches!(error.code, Code::WriteFailed | Code::FileUnreadable | Code::Internal | Code::SelfTestFailed) {
            self.phase = Phase::Broken;
            return Err(error);
        }
        let first = first_fault(&item, entry, error);
        self.explain(first)?;
        self.judge(item)
    }

    fn fall_behind(&mut self, item: &Judged<'_>, entry: &VerifiedEnvelope, error: Error) -> Result<()> {
        self.explain(first_fault(item, Some(entry), error))?;
        if let Phase::Explaining(diagnosis) = &mut self.phase {
            diagnosis.count_admitted();
        }
        Ok(())
    }

    /// A fault that is no entry's: it stands behind the last one, if none has come before.
    fn fall(&mut self, offset: u64, id: Option<super::Hash>, error: Error) -> Result<()> {
        let position = self.entries;
        self.explain(FirstFault { position, offset, id, author: None, author_name: None, error })
    }

    /// The first fault is the verdict and does not change; what follows explains it (fingerprint.8.1).
    fn explain(&mut self, first: FirstFault) -> Result<()> {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Broken) {
            Phase::Sound(state, window) => Phase::Explaining(Box::new(Diagnosis::new(*state, window, first)?)),
            other => other,
        };
        Ok(())
    }

    fn report(self, ended: Option<&Error>) -> Failure {
        let Phase::Explaining(diagnosis) = self.phase else {
            return Failure::Broken(internal("a fault with its explanation", "none"));
        };
        match diagnosis.finish(self.head, ended) {
            Ok(report) => Failure::Fault(Box::new(HistoryFault { report })),
            Err(error) => Failure::Broken(error),
        }
    }
}

impl Batch {
    fn push(&mut self, offset: u64, item: &[u8], fault: Option<Error>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(item);
        self.items.push(Waiting { offset, range: start..self.bytes.len(), fault });
    }

    /// An empty batch with the memory of one that is done.
    fn reuse(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        Batch { bytes, items: Vec::new() }
    }
}

/// Step 12 while entries come in.
fn compare_head<S: NodeStore>(state: &mut ConversationState<S>, head: Option<Head>) -> Result<Option<Error>> {
    let Some(retained) = head.filter(|head| head.size == state.size()) else {
        return Ok(None);
    };
    let found = state.head()?.map(|found| found.head);
    if found == Some(retained) {
        return Ok(None);
    }
    let got = found.map_or_else(String::new, |found| text::hex(&found.fingerprint));
    let expected = format!("fingerprint {} of {} entries", text::hex(&retained.fingerprint), retained.size);
    Ok(Some(Error::new(Code::HeadForked, expected, got)))
}

/// The result, if the history is as long as it must be.
fn conclude<S: NodeStore>(state: &mut ConversationState<S>, retained: Option<Head>) -> Result<Option<Verified>> {
    let entries = state.size();
    if retained.is_some_and(|head| head.size > entries) {
        return Ok(None);
    }
    let (authors, lag) = (state.authors(), state.lag());
    let verified = |head| Verified { head, entries, authors, lag, tail_checked: retained.is_some() };
    Ok(state.head()?.map(verified))
}

fn first_fault(item: &Judged<'_>, entry: Option<&VerifiedEnvelope>, error: Error) -> FirstFault {
    let (id, author, author_name) = match entry {
        Some(entry) => (Some(*entry.id()), Some(entry.claims().agent), Some(entry.sender().name.as_str().to_owned())),
        None => match envelopes_in(item.bytes).first() {
            Some(envelope) => (Some(*envelope.id()), Some(envelope.claims().agent), None),
            None => (None, None, None),
        },
    };
    FirstFault { position: item.position, offset: item.offset, id, author, author_name, error }
}

fn internal(expected: &'static str, got: &'static str) -> Error {
    Error::new(Code::Internal, expected, got)
}
