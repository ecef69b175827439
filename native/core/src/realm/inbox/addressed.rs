//! Whom an entry is for (agent.3.1).

use crate::identity::Name;
use crate::message::{Addr, Claims, Id, Kind};
use crate::realm::record::Record;
use crate::realm::state::State;

/// One who can be addressed: an agent, or a sub-agent, which only its id reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whom {
    pub id: Id,
    /// The groups of its enrolment.
    pub groups: Box<[Name]>,
    /// Whether it is a sub-agent.
    pub child: bool,
}

/// An entry that somebody is to handle.
#[derive(Clone, Copy, Debug)]
pub struct Addressed<'a> {
    /// None: everyone enrolled.
    pub to: Option<&'a [Addr]>,
    pub author: &'a Id,
}

impl<'a> Addressed<'a> {
    /// None: it is followed, and needs no handler. The members of its conversation stand in the state, however old it is.
    pub fn of(state: &'a State, record: &Record, claims: &'a Claims) -> Option<Addressed<'a>> {
        let handled = matches!(claims.kind, Kind::Open | Kind::Message) && claims.body.is_some();
        if !handled || !record.is_admitted() {
            return None;
        }
        let to = match claims.recipients.as_slice() {
            [] => state.conversation(&record.conversation)?.members(),
            named => Some(named),
        };
        Some(Addressed { to, author: &claims.agent })
    }

    /// The same answer as the router's, for an entry that is read again.
    pub fn is_for(&self, whom: &Whom) -> bool {
        let named = |to: &Addr| match to {
            Addr::Id(id) => *id == whom.id,
            Addr::Name(group) => whom.groups.contains(group),
        };
        *self.author != whom.id && self.to.map_or(!whom.child, |to| to.iter().any(named))
    }
}
