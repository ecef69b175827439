//! How an engine goes on with a realm that is in a log (log.7).

use super::budget::Limits;
use super::checkpoint::Note;
use super::engine::Engine;
use super::export::READ;
use super::log::Log;
use super::replica::Asking;
use super::sequencing::Core;
use crate::errors::{Code, Error, Result};
use crate::identity::SigningKey;
use crate::message::Id;

/// How much is judged again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// What a checkpoint of the own key is over: all but the signatures.
    Quick,
    /// Everything.
    Full,
}

impl<L: Log> Engine<L> {
    /// A realm that is in the log: it is replayed, and it is the one that was asked for. Raises `RealmOther`, `CheckpointKey`, the codes of
    /// record.4 and those of the log.
    pub fn load(log: L, key: SigningKey, realm: &Id, limits: Limits, start: Start) -> Result<Engine<L>> {
        let engine = Engine::over(log, key, limits);
        let mut core = engine.core()?;
        engine.begin(&mut core, start)?;
        if core.replica.state().realm() != Some(realm) {
            return Err(Error::new(Code::RealmOther, crate::text::hex(realm), "a log of another realm"));
        }
        engine.check_sequencer(&core)?;
        engine.erase_again(&mut core)?;
        engine.renew(&core);
        drop(core);
        Ok(engine)
    }

    /// Takes in what is in the log, from before the first record on.
    pub(super) fn begin(&self, core: &mut Core, start: Start) -> Result<()> {
        if start == Start::Quick && self.begin_quickly(core).is_err() {
            // Whatever it was: who judges everything says where it stands, or that it is sound.
            core.begin_again();
        }
        self.catch_up(core)
    }

    /// log.7.1 to 3: what the newest checkpoint is over, if it is this sequencer's own.
    fn begin_quickly(&self, core: &mut Core) -> Result<()> {
        let written = self.log.checkpoint()?.unwrap_or_default();
        let note = Note::parse(written.as_bytes())?;
        let checkpoint = note.check(self.key.public(), note.origin)?;
        while core.replica.records() < checkpoint.size() {
            let left = checkpoint.size().saturating_sub(core.replica.records());
            let pairs = self.log.read(core.replica.records(), READ.min(usize::try_from(left).unwrap_or(READ)))?;
            if pairs.is_empty() {
                let expected = format!("{} records", checkpoint.size());
                return Err(Error::new(Code::CheckpointStale, expected, core.replica.records().to_string()));
            }
            core.take_over(&pairs, Asking::AllButSignatures)?;
        }
        if core.replica.state().founded()?.origin() != note.origin {
            return Err(Error::new(Code::CheckpointOther, "the realm's own checkpoint", "another's"));
        }
        core.replica.check_root(&checkpoint, Code::CheckpointRoot)
    }
}
