//! A realm as a file: the items of a realm transcript (record.4.1).

use super::log::{Pair, Source};
use crate::errors::Result;
use crate::history::transcript::HEADER;
use crate::message::{Id, Writer};

/// `[2, record]` and the entry behind it.
pub fn pair_items(pair: &Pair) -> Vec<u8> {
    let mut out = Writer::with_capacity(pair.envelope.len() + 512);
    out.array(2).uint(2).bytes(&pair.record.encode());
    out.0.extend(pair.entry());
    out.0
}

/// `[3, checkpoint text]`.
pub fn checkpoint_item(checkpoint: &str) -> Vec<u8> {
    let mut out = Writer::with_capacity(checkpoint.len() + 8);
    out.array(2).uint(3).bytes(checkpoint.as_bytes());
    out.0
}

/// How many pairs are read from a log at once.
pub(super) const READ: usize = 512;

/// Everything that a log has, or what belongs to the registry and one conversation, in pieces; the newest checkpoint last.
pub fn export(
    log: &impl Source,
    realm: &Id,
    only: Option<&Id>,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    write(&HEADER)?;
    // Read before the pairs: a checkpoint above them would say that some were withheld.
    let (checkpoint, head) = (log.checkpoint()?, log.head()?);
    let mut from = 0;
    while from < head {
        let pairs = log.read(from, READ)?;
        if pairs.is_empty() {
            break;
        }
        for pair in &pairs {
            let kept = only.is_none_or(|only| pair.record.conversation == *only || pair.record.conversation == *realm);
            if kept {
                write(&pair_items(pair))?;
            }
        }
        from += pairs.len() as u64;
    }
    match checkpoint {
        Some(checkpoint) => write(&checkpoint_item(&checkpoint)),
        None => Ok(()),
    }
}
