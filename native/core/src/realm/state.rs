//! What a replica knows of a realm: the registry, and the conversations that it follows.

use std::sync::Arc;

use super::conversation::Conversation;
use super::delta::{Delta, Effect};
use super::record::Home;
use super::registry::Registry;
use crate::errors::{Code, Error, Result};
use crate::identity::{Enrolled, EnrolledKey};
use crate::message::{Act, GenesisPart, Id, IdMap, Keys, Kind, UnverifiedEnvelope};
use crate::text;

/// A realm as a replica knows it. One that follows a single conversation holds that one and the registry: the same code.
#[derive(Debug, Default)]
pub struct State {
    pub(super) registry: Option<Registry>,
    pub(super) conversations: IdMap<Conversation>,
}

impl State {
    /// Before the genesis.
    pub fn new() -> State {
        State::default()
    }

    /// None before the genesis.
    pub fn registry(&self) -> Option<&Registry> {
        self.registry.as_ref()
    }

    /// The registry of a realm that has a genesis.
    pub(super) fn founded(&self) -> Result<&Registry> {
        self.registry.as_ref().ok_or_else(|| Error::new(Code::Internal, "a realm with a genesis", "none"))
    }

    pub fn realm(&self) -> Option<&Id> {
        self.registry().map(Registry::realm)
    }

    /// How many entries the registry has: what a stamp names.
    pub fn registry_size(&self) -> u64 {
        self.registry().map_or(0, Registry::size)
    }

    pub fn conversation(&self, id: &Id) -> Option<&Conversation> {
        self.conversations.get(id)
    }

    /// In the order of their ids.
    pub fn conversations(&self) -> Vec<&Conversation> {
        let mut all: Vec<&Conversation> = self.conversations.values().collect();
        all.sort_by_key(|conversation| *conversation.id());
        all
    }

    /// The keys as of the first `r` registry entries (admission.1.2).
    pub fn keys(&self, r: u64) -> KeysAt<'_> {
        KeysAt { state: self, r }
    }

    /// Does what an admitted or rejected entry changes. The delta is one that `admit` made on this very state.
    pub fn apply(&mut self, delta: Delta) -> Result<Home> {
        let Delta { id, conversation, home, author, seq, effect } = delta;
        let made = match effect {
            Effect::Found(genesis, keys) => self.found(id, &genesis, &keys)?,
            Effect::Registry(change) => {
                let registry = self.registry.as_mut().ok_or_else(stray)?;
                registry.apply(&id, seq, change)?;
                Home { branch: conversation, index: registry.size() - 1 }
            }
            Effect::Open(open, work) => {
                let realm = *self.founded()?.realm();
                let home = Home { branch: id, index: 0 };
                let mut begun = Conversation::begin(realm, id, author, open)?;
                work.map_or(Ok(()), |work| begun.work(id, home, work))?;
                self.conversations.insert(id, begun);
                home
            }
            Effect::Step(step) => self.conversation_mut(&conversation)?.apply(&id, author, seq, step)?,
            Effect::Rejected => {
                self.count_rejected(&conversation, seq);
                Home::NONE
            }
        };
        if made == home { Ok(made) } else { Err(stray()) }
    }

    fn found(&mut self, id: Id, genesis: &GenesisPart, keys: &[EnrolledKey]) -> Result<Home> {
        self.registry = Some(Registry::found(id, genesis, keys)?);
        Ok(Home { branch: id, index: 0 })
    }

    fn conversation_mut(&mut self, id: &Id) -> Result<&mut Conversation> {
        self.conversations.get_mut(id).ok_or_else(stray)
    }

    /// A rejected open leaves nothing: there is no conversation.
    fn count_rejected(&mut self, conversation: &Id, seq: Option<(Id, crate::message::Seq)>) {
        if let Some(found) = self.conversations.get_mut(conversation) {
            found.count(seq);
        } else if let Some(registry) = self.registry.as_mut().filter(|registry| registry.realm() == conversation) {
            registry.burn(seq);
        }
    }
}

fn stray() -> Error {
    Error::new(Code::Internal, "the state that the entry was judged on", "another")
}

/// Whose key it is, as of a prefix of the registry (admission.1.2).
#[derive(Clone, Copy, Debug)]
pub struct KeysAt<'a> {
    state: &'a State,
    r: u64,
}

impl Keys for KeysAt<'_> {
    fn signer(&self, envelope: &UnverifiedEnvelope) -> Result<Arc<Enrolled>> {
        let (claims, kid) = (envelope.claims(), envelope.kid());
        let unknown = |expected: &'static str| Error::new(Code::KeyUnknown, expected, text::hex(kid));
        if let Some(Act::Genesis(genesis)) = &claims.act {
            return genesis_signer(genesis, kid).ok_or_else(|| unknown("the key of a root of this genesis"));
        }
        let Some(registry) = self.state.registry() else {
            return Err(unknown("a genesis as the first entry"));
        };
        let Some(grant) = claims.grant else {
            return registry.key(self.r, &claims.agent, kid).map(|held| Arc::clone(&held.signer));
        };
        let conversation = self.state.conversation(&claims.conversation);
        let granted = conversation.and_then(|conversation| conversation.grant(&grant));
        match granted {
            Some(found) if found.signer.key.thumbprint() == kid => Ok(Arc::clone(&found.signer)),
            _ => Err(unknown("the key of a sub-agent of this conversation")),
        }
    }
}

fn genesis_signer(genesis: &GenesisPart, kid: &Id) -> Option<Arc<Enrolled>> {
    genesis.roots.iter().find_map(|root| {
        let key = EnrolledKey::enrol(&root.key).ok().filter(|key| key.thumbprint() == kid)?;
        Some(Arc::new(Enrolled { name: root.name.clone(), purpose: crate::identity::Purpose::Root, key }))
    })
}

/// The conversation of an entry's record: of an open its own id, of a registry entry the realm's (record.1.1).
pub fn conversation_of(envelope: &UnverifiedEnvelope) -> Id {
    conversation_in(envelope.claims(), envelope.id())
}

pub(super) fn conversation_in(claims: &crate::message::Claims, id: &Id) -> Id {
    match claims.kind {
        Kind::Open | Kind::Genesis => *id,
        kind if kind.is_of_registry() => claims.realm,
        _ => claims.conversation,
    }
}
