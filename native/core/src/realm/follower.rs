//! A replica over a log that somebody else writes: it judges what is there, and goes on when there is more. It needs no key.

use super::checkpoint::Note;
use super::engine::Delivered;
use super::export::READ;
use super::log::Source;
use super::replica::{Asking, Replica};
use crate::errors::{Code, Error, Result};
use crate::message::Id;

/// A reader of a realm. After a fault it stays where it is.
#[derive(Debug)]
pub struct Follower<S> {
    source: S,
    replica: Replica,
    realm: Option<Id>,
}

impl<S: Source> Follower<S> {
    /// Before the first record; with the realm that it must be.
    pub fn new(source: S, realm: Option<Id>) -> Follower<S> {
        Follower { source, replica: Replica::default().with_dags(), realm }
    }

    pub fn source(&self) -> &S {
        &self.source
    }

    pub fn replica(&mut self) -> &mut Replica {
        &mut self.replica
    }

    /// Judges what is there and was not judged yet (record.4.2); the newest checkpoint is over no more and no other records. How many
    /// records there are. Raises the code of the first fault: `replica().records()` are sound before it.
    pub fn refresh(&mut self) -> Result<u64> {
        // Read before the records: it may be over fewer of them, never over more.
        let checkpoint = self.source.checkpoint()?;
        loop {
            let pairs = self.source.read(self.replica.records(), READ)?;
            if pairs.is_empty() {
                break;
            }
            self.replica.take_over(&pairs, Asking::Everything)?;
            if let (Some(expected), Some(found)) = (&self.realm, self.replica.state().realm())
                && expected != found
            {
                return Err(Error::new(Code::RealmOther, crate::text::hex(expected), crate::text::hex(found)));
            }
        }
        if self.replica.records() > 0 {
            self.replica.check_checkpoint(checkpoint.unwrap_or_default().as_bytes())?;
        }
        Ok(self.replica.records())
    }

    /// A checkpoint that was kept is of what is there (record.4.3). What it is over is judged first, where that was not done yet. Raises what
    /// `refresh` raises, `OpenMissing` where nothing is there, and the codes of record.4.3.
    pub fn check_kept(&mut self, text: &[u8]) -> Result<()> {
        if Note::parse(text)?.head.size > self.replica.records() {
            self.refresh()?;
        }
        self.replica.check_kept(text).map(|_| ())
    }

    /// Entries that were judged, in order from a position, at most `limit`; each the one that was judged. As `Engine::entries`.
    pub fn entries(&mut self, from: u64, limit: usize) -> Result<Vec<Delivered>> {
        if from >= self.replica.records() || limit == 0 {
            return Ok(Vec::new());
        }
        let pairs = self.replica.again(from, |position| self.source.read(position, limit.min(READ)))?;
        (from..).zip(pairs).map(|(position, pair)| Delivered::of(&mut self.replica, position, pair)).collect()
    }
}
