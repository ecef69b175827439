//! What the verification of a transcript answers (fingerprint.6, fingerprint.8.4). Plain data, ready to be written down.

use super::Hash;
use super::head::Fingerprint;
use crate::errors::Error;

/// The whole history passed every step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub head: Fingerprint,
    pub entries: u64,
    pub authors: usize,
    /// The largest number of entries that an author had not seen.
    pub lag: u64,
    /// Whether a retained head was compared. Without one nobody can tell that a tail was cut off.
    pub tail_checked: bool,
}

/// A history that did not pass: the first fault is the verdict, the rest of the report explains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryFault {
    pub report: Report,
}

impl HistoryFault {
    /// The error of the first fault.
    pub fn error(&self) -> &Error {
        &self.report.first_fault.error
    }
}

/// fingerprint.8.4
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub entries_read: u64,
    /// Entries before the first fault.
    pub sound: u64,
    pub first_fault: FirstFault,
    pub repairs: Vec<Repair>,
    /// Entries behind the first fault whose signed context fits the history after the repairs.
    pub fits_after: u64,
    pub misfits_after: u64,
    /// The positions of the first few of those that do not fit.
    pub misfits: Vec<u64>,
    /// False where the rest of the file was not judged: the reading ended, or there were too many repairs.
    pub judged: bool,
    /// The head before the fault; None if nothing before it was sound.
    pub head: Option<Fingerprint>,
    /// The largest lag before the fault.
    pub lag: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstFault {
    /// Place among the entries of the file.
    pub position: u64,
    /// Byte offset at which the item starts.
    pub offset: u64,
    /// The id of the entry, where it can be read.
    pub id: Option<Hash>,
    /// Who the entry says has written it. Only with `author_name` is that more than a claim.
    pub author: Option<Hash>,
    /// The directory's name for the author; None where the envelope did not verify.
    pub author_name: Option<String>,
    /// Code, expected and got.
    pub error: Error,
}

/// One thing that is wrong with the file, and what proves it (the table of fingerprint.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    pub kind: RepairKind,
    /// Where it shows in the file: the place of the entry concerned, or for `missing` the place before which it belongs.
    pub position: u64,
    /// The ids concerned; for `altered` the one in the file, then the one that was signed (alone where they are the same).
    pub ids: Vec<Hash>,
    pub proven_by: ProvenBy,
    /// Both envelopes of an equivocation.
    pub evidence: Option<Box<EquivocationEvidence>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepairKind {
    Altered,
    Inserted,
    OtherConversation,
    Missing,
    Swapped,
    Equivocation,
    Duplicated,
    CutOff,
    Unknown,
}

impl RepairKind {
    /// The stable spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            RepairKind::Altered => "altered",
            RepairKind::Inserted => "inserted",
            RepairKind::OtherConversation => "other_conversation",
            RepairKind::Missing => "missing",
            RepairKind::Swapped => "swapped",
            RepairKind::Equivocation => "equivocation",
            RepairKind::Duplicated => "duplicated",
            RepairKind::CutOff => "cut_off",
            RepairKind::Unknown => "unknown",
        }
    }
}

/// Whose signature stands behind a diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvenBy {
    /// The context that this entry's author signed.
    Entry { position: u64, id: Hash },
    /// The head that the verifier had kept.
    Head,
    /// The entry's own signed claims, or its mere presence.
    Itself,
    /// Nobody's: what was done here is not known.
    Nothing,
}

/// Two signed envelopes of one author under one number. Whoever holds it can show it to anybody (fingerprint.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EquivocationEvidence {
    pub first: Vec<u8>,
    pub second: Vec<u8>,
}
