//! How much an author may cost (admission.1.10). The engine's own measure: no replay repeats it.

use std::collections::HashMap;

use super::delta::Verdict;
use super::state::State;
use crate::errors::{Code, Error, Result};
use crate::message::{Claims, Id, Kind};

/// Limits for each principal and hour of recorded time, and for each conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rejected entries an hour.
    pub rejected: u32,
    /// Conversations opened an hour.
    pub opened: u32,
    /// Open branches of a conversation.
    pub branches: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { rejected: 64, opened: 1024, branches: 4096 }
    }
}

impl Limits {
    pub const NONE: Limits = Limits { rejected: u32::MAX, opened: u32::MAX, branches: usize::MAX };
}

const HOUR: u64 = 3_600_000;

/// What has been spent in the present hour.
#[derive(Debug, Default)]
pub(super) struct Budget {
    limits: Limits,
    hour: u64,
    rejected: HashMap<Id, u32>,
    opened: HashMap<Id, u32>,
    refused: u64,
    /// What was counted for entries that are not committed yet: (rejected, principal).
    pending: Vec<(bool, Id)>,
}

impl Budget {
    pub fn new(limits: Limits) -> Budget {
        Budget { limits, ..Budget::default() }
    }

    /// How many entries were refused because a budget was spent.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Counts an entry that is about to be sequenced with this verdict, or refuses it: `QuotaExceeded`.
    pub fn take(&mut self, state: &State, claims: &Claims, verdict: &Verdict, time: u64) -> Result<()> {
        if self.hour != time / HOUR {
            self.hour = time / HOUR;
            self.rejected.clear();
            self.opened.clear();
        }
        let principal = || match state.conversation(&claims.conversation) {
            Some(found) => found.principal(claims),
            None => Ok(claims.agent),
        };
        let within = match (verdict, claims.kind) {
            (Verdict::Rejected(..), _) => self.count(true, principal()?),
            (_, Kind::Open) => self.count(false, principal()?),
            (_, Kind::Fork) => state
                .conversation(&claims.conversation)
                .is_none_or(|found| found.branches().live() < self.limits.branches),
            _ => true,
        };
        if within {
            return Ok(());
        }
        self.refused = self.refused.saturating_add(1);
        Err(Error::new(Code::QuotaExceeded, "an author within its budget", "one entry more"))
    }

    fn count(&mut self, rejected: bool, principal: Id) -> bool {
        let (spent, limit) =
            if rejected { (&mut self.rejected, self.limits.rejected) } else { (&mut self.opened, self.limits.opened) };
        let spent = spent.entry(principal).or_insert(0);
        if *spent >= limit {
            return false;
        }
        *spent += 1;
        self.pending.push((rejected, principal));
        true
    }

    /// What was counted has been committed.
    pub fn settle(&mut self) {
        self.pending.clear();
    }

    /// What was counted since has not been committed, and will be judged again.
    pub fn undo(&mut self) {
        for (rejected, principal) in self.pending.drain(..) {
            let spent = if rejected { &mut self.rejected } else { &mut self.opened };
            if let Some(spent) = spent.get_mut(&principal) {
                *spent = spent.saturating_sub(1);
            }
        }
    }
}
