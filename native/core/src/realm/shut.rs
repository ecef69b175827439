//! What is latched, as an entry meets it: which scopes, and whether one of them covers it (halt.5.2, halt.5.4).

use super::conversation::Grant;
use super::halts::{Covered, is_above};
use super::state::State;
use crate::errors::{Code, Error, Result};
use crate::halt::{Content, Scope};
use crate::message::{Act, AuthenticEnvelope, Claims, HaltPart, Id, Kind, UnverifiedEnvelope};
use crate::text;

/// The scopes that are latched, as wide as this realm makes them (halt.5.4).
pub(super) struct Shut {
    scopes: Vec<Scope>,
    fault: Option<&'static str>,
}

fn latch_fault(got: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Code::Latched, "nothing that stops it", got)
}

impl Shut {
    pub fn of<'a>(state: &State, stops: impl Iterator<Item = &'a Content>, fault: Option<&'static str>) -> Shut {
        Shut { scopes: stops.map(|content| wide(state, content)).collect(), fault }
    }

    /// admission.1.6, of an entry of a conversation.
    pub fn admit(&self, state: &State, entry: &AuthenticEnvelope) -> Result<()> {
        self.check(state, entry.id(), entry.claims())
    }

    /// The same of an entry that is in the log.
    pub fn check(&self, state: &State, id: &Id, claims: &Claims) -> Result<()> {
        if claims.kind.is_of_registry() || (self.fault.is_none() && self.scopes.is_empty()) {
            return Ok(());
        }
        if let Some(fault) = self.fault {
            return Err(latch_fault(fault));
        }
        let conversation = if claims.kind == Kind::Open { id } else { &claims.conversation };
        let known = state.conversation(conversation);
        let definition = match (&claims.open, known) {
            (Some(open), _) => open.definition.as_ref(),
            (None, known) => known.and_then(|known| known.open.definition.as_ref()),
        };
        let chain: Vec<(Id, &Grant)> = match (claims.grant, known) {
            (Some(grant), Some(known)) => known.chain(grant)?,
            _ => Vec::new(),
        };
        let case = Covered::entry((conversation, known), definition, (id, claims), &chain);
        for scope in &self.scopes {
            if case.is_covered_by(scope)? {
                return Err(latch_fault(format!("a stop of scope {scope}")));
            }
        }
        Ok(())
    }

    /// Nothing is handed over to an agent that is stopped, or to one below it.
    pub fn check_agent(&self, state: &State, agent: &Id) -> Result<()> {
        for scope in &self.scopes {
            let Scope::Agent(id) = scope else { continue };
            let spawned = || state.conversations.values().find(|found| found.grant(agent).is_some());
            let chain = if id == agent { None } else { spawned() }.map(|found| found.chain(*agent)).transpose()?;
            if id == agent || chain.is_some_and(|chain| is_above(id, &chain)) {
                return Err(latch_fault(format!("a stop of agent {}", text::hex(id))));
            }
        }
        Ok(())
    }
}

/// halt.5.4
fn wide(state: &State, content: &Content) -> Scope {
    let part = match content {
        Content::Local { scope, .. } => HaltPart { scope: scope.clone(), reason: String::new() },
        Content::Signed(envelope) => {
            UnverifiedEnvelope::parse(envelope).map_or_else(|_| part_of_nothing(), |parsed| part_of(parsed.claims()))
        }
        _ => part_of_nothing(),
    };
    let Some(registry) = state.registry() else { return Scope::Realm };
    let is_agent =
        |id: &Id| registry.agent(id).is_some() || state.conversations.values().any(|found| found.grant(id).is_some());
    match Scope::read(&part.scope) {
        Some(Scope::Conversation(id) | Scope::Branch(id, _) | Scope::Instance(id, _))
            if state.conversation(&id).is_none() =>
        {
            Scope::Realm
        }
        Some(Scope::Agent(id)) if !is_agent(&id) => Scope::Realm,
        Some(Scope::Definition(name)) if registry.definition(&name).is_none() => Scope::Realm,
        Some(scope) => scope,
        None => Scope::Realm,
    }
}

pub(super) fn part_of(claims: &Claims) -> HaltPart {
    match &claims.act {
        Some(Act::Halt(part)) => (**part).clone(),
        _ => part_of_nothing(),
    }
}

/// What stands for a halt that does not read.
pub(super) fn part_of_nothing() -> HaltPart {
    HaltPart { scope: Scope::Realm.encode(), reason: "a slot of the sidecar that does not read".to_owned() }
}
