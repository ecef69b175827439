//! Who signed two entries under one number (record.5): looked for when somebody asks, so that honest entries pay nothing for it.

use std::collections::HashMap;

use super::evidence::encode_equivocation;
use super::log::Pair;
use super::replica::Replica;
use crate::errors::{Code, Error, Result};
use crate::message::{Id, Seq, UnverifiedEnvelope};

/// Equivocations that are kept.
const MOST: usize = 1024;

/// What was found in the records up to `seen`.
#[derive(Debug, Default)]
pub(super) struct Equivocations {
    seen: u64,
    /// Which numbers an author used in a conversation, ascending, and at which position first.
    used: HashMap<(Id, Id), Vec<(Seq, u64)>>,
    found: Vec<Vec<u8>>,
}

impl Equivocations {
    /// Goes on over the records that were not looked at before; `read(position)` gives pairs from there on. The log is not trusted: each
    /// pair is one that the replica has taken in. Raises `CheckpointStale`, `RecordDigest`.
    pub fn look(&mut self, replica: &mut Replica, read: impl Fn(u64) -> Result<Vec<Pair>>) -> Result<&[Vec<u8>]> {
        while self.seen < replica.records() {
            for pair in replica.again(self.seen, &read)? {
                let envelope = replica.check_again(self.seen, &pair)?;
                if let Some(first) = self.first_with(&envelope, &pair) {
                    self.keep(replica, first, &envelope, &read)?;
                }
                self.seen += 1;
            }
        }
        Ok(&self.found)
    }

    /// The position of an earlier entry with the author's number, if there is one.
    fn first_with(&mut self, envelope: &UnverifiedEnvelope, pair: &Pair) -> Option<u64> {
        let seq = envelope.claims().seq?;
        let used = self.used.entry((pair.record.conversation, envelope.claims().agent)).or_default();
        // Numbers rise, but for what was rejected: nearly always the next one belongs at the end.
        let place = used.partition_point(|(before, _)| *before < seq);
        match used.get(place) {
            Some((same, first)) if *same == seq => Some(*first),
            _ => {
                used.insert(place, (seq, pair.record.position));
                None
            }
        }
    }

    fn keep(
        &mut self,
        replica: &mut Replica,
        first: u64,
        second: &UnverifiedEnvelope,
        read: impl Fn(u64) -> Result<Vec<Pair>>,
    ) -> Result<()> {
        if self.found.len() < MOST {
            let pair = replica.again(first, read)?.into_iter().next();
            let pair = pair.ok_or_else(|| Error::new(Code::Internal, "the pair of a record", "none"))?;
            self.found.push(encode_equivocation(&replica.check_again(first, &pair)?, second));
        }
        Ok(())
    }
}
