//! The halts of a realm: which are in force, and what they cover (halt.2, halt.3).

use std::collections::{BTreeMap, HashMap};

use super::conversation::{Conversation, Grant};
use crate::errors::Result;
use crate::halt::Scope;
use crate::identity::Name;
use crate::message::{Claims, Id, Merge};

/// A halt that was admitted. It is never forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    pub author: Id,
    /// The effective scope (halt.2.2).
    pub scope: Scope,
    /// The first size of the registry at which it is in force.
    pub from: u64,
    /// The first at which it no longer is.
    pub until: Option<u64>,
}

impl Halt {
    fn holds(&self, r: u64) -> bool {
        self.from <= r && self.until.is_none_or(|until| until > r)
    }
}

/// What is asked first: only halts under one of an entry's keys can cover it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Realm,
    Conversation(Id),
    Definition(Name),
    Agent(Id),
}

fn key_of(scope: &Scope) -> Key {
    match scope {
        Scope::Realm => Key::Realm,
        Scope::Conversation(id) | Scope::Branch(id, _) | Scope::Instance(id, _) => Key::Conversation(*id),
        Scope::Definition(name) => Key::Definition(name.clone()),
        Scope::Agent(id) => Key::Agent(*id),
    }
}

/// Grow-only: halts come, and are ended by name.
#[derive(Debug, Default)]
pub struct Halts {
    all: BTreeMap<Id, Halt>,
    by_key: HashMap<Key, Vec<Id>>,
    live: HashMap<Id, usize>,
}

impl Halts {
    pub(super) fn add(&mut self, id: Id, halt: Halt) {
        self.by_key.entry(key_of(&halt.scope)).or_default().push(id);
        *self.live.entry(halt.author).or_default() += usize::from(halt.until.is_none());
        self.all.insert(id, halt);
    }

    /// What was judged to be in force ends.
    pub(super) fn end(&mut self, id: &Id, until: u64) {
        if let Some(halt) = self.all.get_mut(id).filter(|halt| halt.until.is_none()) {
            halt.until = Some(until);
            if let Some(live) = self.live.get_mut(&halt.author) {
                *live = live.saturating_sub(1);
            }
        }
    }

    pub fn get(&self, id: &Id) -> Option<&Halt> {
        self.all.get(id)
    }

    /// By id.
    pub fn all(&self) -> impl Iterator<Item = (&Id, &Halt)> {
        self.all.iter()
    }

    /// Whether it was admitted and has not ended.
    pub fn is_live(&self, id: &Id) -> bool {
        self.all.get(id).is_some_and(|halt| halt.until.is_none())
    }

    /// How many of an author are in force (halt.3.2).
    pub fn live_of(&self, author: &Id) -> usize {
        self.live.get(author).copied().unwrap_or(0)
    }

    /// The scopes in force at `r` that are inside one conversation.
    pub fn inside(&self, r: u64, conversation: &Id) -> impl Iterator<Item = &Scope> {
        let ids = self.by_key.get(&Key::Conversation(*conversation)).into_iter().flatten();
        ids.filter_map(|id| self.all.get(id)).filter(move |halt| halt.holds(r)).map(|halt| &halt.scope)
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The first halt, by id, that is in force at `r` and covers an entry (halt.3.6).
    pub fn covering(&self, r: u64, case: &Covered<'_>) -> Result<Option<Id>> {
        if self.all.is_empty() {
            return Ok(None);
        }
        let mut found: Option<Id> = None;
        for key in case.keys() {
            for id in self.by_key.get(&key).into_iter().flatten() {
                let Some(halt) = self.all.get(id).filter(|halt| halt.holds(r)) else { continue };
                if found.is_none_or(|before| *id < before) && case.is_covered_by(&halt.scope)? {
                    found = Some(*id);
                }
            }
        }
        Ok(found)
    }
}

/// Whether an agent is one of a chain of grants, or gave one of them (halt.2.3 f).
pub fn is_above(agent: &Id, chain: &[(Id, &Grant)]) -> bool {
    chain.iter().any(|(link, grant)| agent == link || *agent == grant.by)
}

/// An entry of a conversation, with what decides whether a scope covers it.
#[derive(Clone, Copy)]
pub struct Covered<'a> {
    /// Of an open its own id.
    pub conversation: &'a Id,
    /// None: it is being opened.
    pub known: Option<&'a Conversation>,
    pub definition: Option<&'a Name>,
    /// Its author.
    pub agent: &'a Id,
    pub branch: &'a Id,
    pub merges: &'a [Merge],
    /// The instance that it acts in, or starts.
    pub instance: Option<&'a Id>,
    /// Of a sub-agent, from its own grant upwards.
    pub chain: &'a [(Id, &'a Grant)],
}

impl<'a> Covered<'a> {
    /// An entry by its id, which is that of an instance that it starts, and its claims.
    pub fn entry(
        (conversation, known): (&'a Id, Option<&'a Conversation>),
        definition: Option<&'a Name>,
        (id, claims): (&'a Id, &'a Claims),
        chain: &'a [(Id, &'a Grant)],
    ) -> Covered<'a> {
        let instance = claims.workflow.as_ref().map(|state| state.instance.as_ref().unwrap_or(id));
        let (agent, branch, merges) = (&claims.agent, &claims.branch, claims.merges.as_slice());
        Covered { conversation, known, definition, agent, branch, merges, instance, chain }
    }

    fn keys(&self) -> Vec<Key> {
        let mut keys = vec![Key::Realm, Key::Conversation(*self.conversation), Key::Agent(*self.agent)];
        for (id, grant) in self.chain {
            for agent in [id, &grant.by] {
                if !keys.contains(&Key::Agent(*agent)) {
                    keys.push(Key::Agent(*agent));
                }
            }
        }
        keys.extend(self.definition.cloned().map(Key::Definition));
        keys
    }

    /// halt.2.3, for a scope that is under one of the keys.
    pub fn is_covered_by(&self, scope: &Scope) -> Result<bool> {
        Ok(match scope {
            Scope::Realm => true,
            Scope::Conversation(id) => id == self.conversation,
            Scope::Branch(id, branch) => id == self.conversation && self.is_on(branch)?,
            Scope::Instance(id, instance) => id == self.conversation && self.is_of(instance),
            Scope::Definition(name) => self.definition == Some(name),
            Scope::Agent(id) => id == self.agent || is_above(id, self.chain),
        })
    }

    /// Whether the entry acts in an instance, or starts it; of an unknown instance: always.
    fn is_of(&self, instance: &Id) -> bool {
        let known = self.known.and_then(|known| known.instance(instance)).is_some();
        !known || self.instance == Some(instance)
    }

    /// Whether the entry, or a head that it merges, lies on a branch or on what was forked off it; of an unknown branch: always.
    fn is_on(&self, branch: &Id) -> Result<bool> {
        let Some(branches) = self.known.map(|known| &known.branches) else { return Ok(true) };
        let Some(halted) = branches.number(branch) else { return Ok(true) };
        let heads = self.merges.iter().map(|merge| &merge.branch);
        for head in std::iter::once(self.branch).chain(heads) {
            if let Some(number) = branches.number(head)
                && branches.in_lineage(number, halted)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
