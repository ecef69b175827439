//! What an entry changes, decided before anything is written and applied after the commit (admission.3).

use super::conversation::Step;
use super::record::Home;
use super::registry::Change;
use super::work::Work;
use crate::errors::Error;
use crate::identity::EnrolledKey;
use crate::message::{GenesisPart, Id, OpenPart, Proposal, Seq};

/// The verdict of `admit`: a value that only it makes.
#[derive(Clone, Debug)]
pub enum Verdict {
    Admitted(Delta),
    /// The code, with texts for people; and what a rejected entry leaves behind.
    Rejected(Error, Delta),
}

impl Verdict {
    pub fn delta(&self) -> &Delta {
        match self {
            Verdict::Admitted(delta) | Verdict::Rejected(_, delta) => delta,
        }
    }

    pub fn into_delta(self) -> Delta {
        match self {
            Verdict::Admitted(delta) | Verdict::Rejected(_, delta) => delta,
        }
    }

    /// What the record says: 0, or the number of the code.
    pub fn code(&self) -> u16 {
        match self {
            Verdict::Admitted(_) => 0,
            Verdict::Rejected(error, _) => error.code.number(),
        }
    }
}

/// What to apply.
#[derive(Clone, Debug)]
pub struct Delta {
    pub(super) id: Id,
    pub(super) conversation: Id,
    pub(super) home: Home,
    pub(super) author: Id,
    /// The author's new last number, if it changes.
    pub(super) seq: Option<(Id, Seq)>,
    pub(super) effect: Effect,
}

#[derive(Clone, Debug)]
pub(super) enum Effect {
    Found(Box<GenesisPart>, Vec<EnrolledKey>),
    Registry(Change),
    Open(OpenPart, Option<Work>),
    Step(Step),
    Rejected,
}

impl Delta {
    /// The conversation of the record (record.1.1).
    pub fn conversation(&self) -> &Id {
        &self.conversation
    }

    /// Where the entry will stand; of a rejected one `Home::NONE`.
    pub fn home(&self) -> Home {
        self.home
    }

    fn in_force(&self) -> Option<&Proposal> {
        match &self.effect {
            Effect::Registry(Change::Effect { proposal, .. }) => Some(proposal),
            _ => None,
        }
    }

    /// The message whose body is to be forgotten, if this entry brings its erasure into force.
    pub fn erases(&self) -> Option<&Id> {
        match self.in_force() {
            Some(Proposal::Erase { message, .. }) => Some(message),
            _ => None,
        }
    }

    /// The agent that this entry revokes.
    pub fn revokes(&self) -> Option<&Id> {
        match self.in_force() {
            Some(Proposal::Revoke { agent, .. }) => Some(agent),
            _ => None,
        }
    }

    /// The agent whose key this entry replaces.
    pub fn rotates(&self) -> Option<&Id> {
        match self.in_force() {
            Some(Proposal::Enrol(part)) => part.replaces.as_ref(),
            _ => None,
        }
    }

    /// Whether this entry makes a realm with this sequencer.
    pub fn founds(&self, sequencer: &EnrolledKey) -> bool {
        matches!(&self.effect, Effect::Found(genesis, _) if genesis.sequencer.1 == *sequencer.as_bytes())
    }
}
