//! What the keeper of a conversation file knows besides its state: which entries are there, and how long the file is (fingerprint.7).

use std::collections::HashSet;

use super::Hash;
use super::conversation::{Admittable, ConversationState};
use super::nodes::NodeStore;
use super::transcript::HEADER;
use crate::errors::{Code, Result};
use crate::message::VerifiedEnvelope;

/// A conversation that is kept as a file. Memory: that of the state, and one id for each entry.
#[derive(Debug)]
pub struct Keeper<S> {
    state: ConversationState<S>,
    /// A search through the file would let every replay cost as much as the history is long.
    ids: HashSet<Hash>,
    length: u64,
}

impl<S: NodeStore> Keeper<S> {
    /// A file that has its header and no entry.
    pub fn new(store: S) -> Self {
        Keeper { state: ConversationState::new(store), ids: HashSet::new(), length: HEADER.len() as u64 }
    }

    pub fn state(&mut self) -> &mut ConversationState<S> {
        &mut self.state
    }

    /// The bytes of the header and of the entries that were taken in.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Steps 3 to 11 of fingerprint.6; None for an entry that is there already (fingerprint.7.4). Changes nothing.
    pub fn check(&mut self, entry: &VerifiedEnvelope) -> Result<Option<Admittable>> {
        match self.state.check(entry) {
            Ok(admittable) => Ok(Some(admittable)),
            // Only its own two faults can mean that it is the same again.
            Err(fault) if matches!(fault.code, Code::SeqUsed | Code::OpenAgain) && self.ids.contains(entry.id()) => {
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// The entry becomes a leaf, `bytes` long in the file. Fails without a change as `ConversationState::apply` does.
    pub fn apply(&mut self, entry: Admittable, bytes: usize) -> Result<()> {
        let id = *entry.id();
        self.state.apply(entry)?;
        self.ids.insert(id);
        self.length = self.length.saturating_add(bytes as u64);
        Ok(())
    }
}
