//! Receipts: what a log says that it did with an entry (record.3).

use super::checkpoint::{Checkpoint, check_checkpoint};
use super::record::{Record, entry_digest};
use crate::errors::{Code, Error, Result};
use crate::history::inclusion::{InclusionProof, check_inclusion};
use crate::history::sha_tree::Rfc6962;
use crate::identity::EnrolledKey;
use crate::limits::MAX_RECEIPT;
use crate::message::codec::{Cursor, check_item};
use crate::message::{UnverifiedEnvelope, Writer, parse_message};
use crate::text;

const NAME: &str = "ama2sec-receipt";

/// What a receipt shows. Only `check_receipt` makes one.
#[derive(Clone, Debug)]
pub struct Receipt {
    record: Record,
    checkpoint: Checkpoint,
    included: bool,
}

impl Receipt {
    pub fn record(&self) -> &Record {
        &self.record
    }

    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Whether a proof shows the record in the checkpoint's tree. Without one the sequencer has only promised it.
    pub fn is_included(&self) -> bool {
        self.included
    }
}

/// The bytes of a receipt.
pub fn encode_receipt(record: &Record, checkpoint: &str, proof: Option<&[u8]>) -> Vec<u8> {
    let mut out = Writer::with_capacity(512);
    out.array(5).text(NAME).uint(1).bytes(&record.encode()).bytes(checkpoint.as_bytes());
    match proof {
        Some(proof) => out.bytes(proof),
        None => out.null(),
    };
    out.0
}

type Parts<'a> = (&'a [u8], &'a [u8], Option<&'a [u8]>);

fn read(data: &[u8]) -> Result<Parts<'_>> {
    let wrong = || {
        let expected = "[\"ama2sec-receipt\", 1, record, checkpoint, proof or null]";
        Error::new(Code::ReceiptForm, expected, format!("{} other bytes", data.len()))
    };
    if data.len() > MAX_RECEIPT || check_item(data, false).is_err() {
        return Err(wrong());
    }
    let mut cursor = Cursor::new(data);
    let parts = (|| {
        let named = cursor.array()? == 5 && cursor.text()? == NAME && cursor.uint()? == 1;
        let (record, checkpoint) = (cursor.bytes()?, cursor.bytes()?);
        let proof = if cursor.null() { None } else { Some(cursor.bytes()?) };
        named.then_some((record, checkpoint, proof))
    })();
    parts.ok_or_else(wrong)
}

/// The steps of record.3, for an envelope alone or in an entry. `kept` is the text of a head that the checker has kept.
pub fn check_receipt(
    receipt: &[u8],
    envelope: &[u8],
    key: &EnrolledKey,
    origin: &str,
    kept: Option<&[u8]>,
) -> Result<Receipt> {
    let (record, checkpoint, proof) = read(receipt)?;
    let bytes = record;
    let record = Record::parse(record)?;
    let parsed = UnverifiedEnvelope::parse(parse_message(envelope)?.envelope)?;
    if record.digest != entry_digest(parsed.bytes()) || record.id != *parsed.id() {
        return Err(Error::new(Code::RecordDigest, "the record of this entry", "that of another"));
    }
    let checkpoint = check_checkpoint(checkpoint, key, origin)?;
    check_covers(&checkpoint, record.position)?;
    if let Some(proof) = proof {
        let index = InclusionProof::parse::<Rfc6962>(proof)?.index();
        if index != record.position {
            let expected = format!("a proof for record {}", record.position);
            return Err(Error::new(Code::ProofClaim, expected, format!("one for record {index}")));
        }
        check_inclusion(checkpoint.head(), bytes, proof)?;
    }
    if let Some(kept) = kept {
        check_under(&checkpoint, proof.is_some(), &check_checkpoint(kept, key, origin)?)?;
    }
    Ok(Receipt { record, checkpoint, included: proof.is_some() })
}

/// The checkpoint is over the record at a position.
pub(super) fn check_covers(checkpoint: &Checkpoint, position: u64) -> Result<()> {
    if checkpoint.size() > position {
        return Ok(());
    }
    let expected = format!("a checkpoint of more than {position} records");
    Err(Error::new(Code::CheckpointStale, expected, checkpoint.size().to_string()))
}

/// What was proved was proved of the history that the checker has kept a head of.
fn check_under(checkpoint: &Checkpoint, included: bool, kept: &Checkpoint) -> Result<()> {
    if !included || checkpoint.size() != kept.size() {
        let got = if included { format!("one at size {}", checkpoint.size()) } else { "none".to_owned() };
        return Err(Error::new(Code::NeedsProof, format!("a proof at size {}", kept.size()), got));
    }
    if checkpoint.root() != kept.root() {
        return Err(Error::new(Code::CheckpointForked, text::hex(kept.root()), text::hex(checkpoint.root())));
    }
    Ok(())
}
