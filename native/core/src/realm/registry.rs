//! The registry of a realm, as of any prefix (registry.1, registry.4). What may change it is judged in `registry_checks`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::definition::Definition;
use super::halts::{Halt, Halts};
use super::trees::Trees;
use crate::errors::{Code, Error, Result};
use crate::halt::Scope;
use crate::history::forest::Branch;
use crate::identity::{Enrolled, EnrolledKey, Name, Purpose};
use crate::limits::MAX_OPEN_PROPOSALS;
use crate::message::{EnrolPart, GenesisPart, Id, IdMap, KeyBytes, Policy, Proposal, Seq};
use crate::text;

/// One key of an agent, and the sizes of the registry between which it holds (registry.4.1).
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// The proposal that brought it; of an agent of the genesis the realm's id.
    pub entry: Id,
    pub signer: Arc<Enrolled>,
    pub groups: Vec<Name>,
    pub next: Option<Id>,
    pub from: u64,
    pub until: Option<u64>,
}

/// Who may act: its keys one after the other.
#[derive(Clone, Debug)]
pub struct Agent {
    pub id: Id,
    pub name: Name,
    pub purpose: Purpose,
    pub enrolments: Vec<Enrolment>,
    pub revoked_at: Option<u64>,
    pub suspect_from: Option<u64>,
}

impl Agent {
    /// The live enrolment as of the first `r` entries (registry.1.5).
    pub fn live(&self, r: u64) -> Option<&Enrolment> {
        if self.revoked_at.is_some_and(|at| at <= r) {
            return None;
        }
        self.enrolments.iter().rev().find(|held| held.from <= r && held.until.is_none_or(|until| until > r))
    }
}

/// A definition, and since when it is the one of its name (workflow.1.5).
#[derive(Clone, Debug)]
pub struct Defined {
    /// The proposal that brought it.
    pub entry: Id,
    pub definition: Arc<Definition>,
    pub from: u64,
}

/// A proposal that waits for its quorum (registry.2).
#[derive(Clone, Debug)]
pub struct OpenProposal {
    pub id: Id,
    pub leaf: u64,
    pub author: Id,
    pub proposal: Proposal,
    pub approved: BTreeSet<Id>,
}

/// What a realm knows of who may do what. Only admitted entries change it.
#[derive(Debug)]
pub struct Registry {
    pub(super) realm: Id,
    /// Put together once: every checkpoint names it.
    origin: String,
    pub(super) name: Name,
    pub(super) rules_version: u32,
    pub(super) dev: bool,
    pub(super) size: u64,
    trees: Trees,
    branch: Branch,
    pub(super) agents: IdMap<Agent>,
    /// The first size at which a key is enrolled, whatever becomes of it.
    keys: HashMap<KeyBytes, u64>,
    /// The live agents by name.
    names: HashMap<Name, Id>,
    roots: BTreeSet<Id>,
    sequencers: BTreeSet<Id>,
    pub(super) policy: (Id, Policy),
    /// By name; of each, those that were replaced before the one in force.
    pub(super) definitions: HashMap<Name, Vec<Defined>>,
    /// By leaf.
    pub(super) proposals: BTreeMap<u64, OpenProposal>,
    open: HashMap<Id, u64>,
    pub(super) erased: BTreeSet<Id>,
    pub(super) seqs: IdMap<Seq>,
    pub(super) halts: Halts,
    /// The ids of all its leaves: what has no number is told apart by them (halt.3.1).
    known: HashSet<Id>,
}

/// A change that has been judged: what `apply` does.
#[derive(Clone, Debug)]
pub enum Change {
    /// A proposal that waits.
    Opened(Box<OpenProposal>),
    /// One more approval of the proposal at this leaf.
    Approved { leaf: u64, by: Id },
    /// A proposal takes effect; `leaf` where it was open.
    Effect { id: Id, proposal: Box<Proposal>, leaf: Option<u64> },
    /// A halt, with its effective scope.
    Halted { author: Id, scope: Scope },
}

impl Registry {
    /// The registry after its genesis, which has been judged (registry.3.7); the keys of the roots in their order, then the
    /// sequencer's.
    pub(super) fn found(realm: Id, genesis: &GenesisPart, keys: &[EnrolledKey]) -> Result<Registry> {
        let mut registry = Registry::over(realm, genesis.name.clone(), &[realm], (realm, genesis.policy))?;
        (registry.rules_version, registry.dev) = (genesis.rules_version, genesis.dev);
        let roots = genesis.roots.iter().map(|root| (&root.name, Purpose::Root, root.next));
        let all = roots.chain([(&genesis.sequencer.0, Purpose::Sequencer, None)]);
        for ((name, purpose, next), key) in all.zip(keys) {
            let signer = Arc::new(Enrolled { name: name.clone(), purpose, key: key.clone() });
            let held = Enrolment { entry: realm, signer, groups: Vec::new(), next, from: 1, until: None };
            registry.admit_agent(*key.thumbprint(), held);
        }
        Ok(registry)
    }

    /// A registry without agents over these leaves.
    pub(super) fn over(realm: Id, name: Name, leaves: &[Id], policy: (Id, Policy)) -> Result<Registry> {
        let (trees, branch) = Trees::new(leaves)?;
        Ok(Registry {
            realm,
            origin: format!("{}/{}", name.as_str(), text::hex(&realm)),
            name,
            rules_version: 0,
            dev: false,
            size: leaves.len() as u64,
            trees,
            branch,
            agents: IdMap::default(),
            keys: HashMap::new(),
            names: HashMap::new(),
            roots: BTreeSet::new(),
            sequencers: BTreeSet::new(),
            policy,
            definitions: HashMap::new(),
            proposals: BTreeMap::new(),
            open: HashMap::new(),
            erased: BTreeSet::new(),
            seqs: IdMap::default(),
            halts: Halts::default(),
            known: leaves.iter().copied().collect(),
        })
    }

    pub fn realm(&self) -> &Id {
        &self.realm
    }

    /// How many entries it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What heads of the realm are of: its name and id (record.2.1).
    pub fn origin(&self) -> String {
        self.origin.clone()
    }

    pub fn agent(&self, id: &Id) -> Option<&Agent> {
        self.agents.get(id)
    }

    /// In the order of their ids.
    pub fn agents(&self) -> Vec<&Agent> {
        let mut all: Vec<&Agent> = self.agents.values().collect();
        all.sort_by_key(|agent| agent.id);
        all
    }

    /// The live agent of this name.
    pub fn named(&self, name: &Name) -> Option<&Agent> {
        self.agents.get(self.names.get(name)?)
    }

    pub fn policy(&self) -> &Policy {
        &self.policy.1
    }

    pub fn policy_id(&self) -> &Id {
        &self.policy.0
    }

    /// By name, each with those that were replaced before it.
    pub fn definitions(&self) -> BTreeMap<&Name, &[Defined]> {
        self.definitions.iter().map(|(name, versions)| (name, versions.as_slice())).collect()
    }

    /// The definition in force under a name.
    pub fn definition(&self, name: &Name) -> Option<&Defined> {
        self.definitions.get(name)?.last()
    }

    /// The one that was in force in the first `r` entries.
    pub fn definition_at(&self, r: u64, name: &Name) -> Option<&Arc<Definition>> {
        self.definitions.get(name)?.iter().rev().find(|defined| defined.from <= r).map(|defined| &defined.definition)
    }

    /// A definition of this name by its id, whether it is in force or was replaced.
    pub fn definition_of(&self, name: &Name, id: &Id) -> Option<&Arc<Definition>> {
        let mut all = self.definitions.get(name)?.iter().map(|defined| &defined.definition);
        all.find(|definition| definition.id() == id)
    }

    /// Open proposals in the order of their leaves.
    pub fn proposals(&self) -> impl Iterator<Item = &OpenProposal> {
        self.proposals.values()
    }

    pub fn proposal(&self, id: &Id) -> Option<&OpenProposal> {
        self.proposals.get(self.open.get(id)?)
    }

    /// Whether an entry with this id is a leaf.
    pub fn has_leaf(&self, id: &Id) -> bool {
        self.known.contains(id)
    }

    pub fn halts(&self) -> &Halts {
        &self.halts
    }

    pub fn is_erased(&self, message: &Id) -> bool {
        self.erased.contains(message)
    }

    pub fn last_seq(&self, author: &Id) -> Option<Seq> {
        self.seqs.get(author).copied()
    }

    /// Live roots, and the live sequencers in the order of their ids (registry.1.6).
    pub fn roots(&self) -> &BTreeSet<Id> {
        &self.roots
    }

    pub fn sequencers(&self) -> impl Iterator<Item = &Arc<Enrolled>> {
        let held = |id: &Id| self.agents.get(id).and_then(|agent| agent.live(self.size)).map(|held| &held.signer);
        self.sequencers.iter().filter_map(held)
    }

    /// The live sequencer with this key. There are few: the other agents are not looked at.
    pub fn sequencer_with(&self, key: &EnrolledKey) -> Option<&Agent> {
        let mut live = self.sequencers.iter().filter_map(|id| self.agents.get(id));
        live.find(|agent| agent.live(self.size).is_some_and(|held| held.signer.key == *key))
    }

    /// The key of every sequencer that the registry has or had.
    pub fn all_sequencers(&self) -> Vec<&Arc<Enrolled>> {
        let sequencers = self.agents().into_iter().filter(|agent| agent.purpose == Purpose::Sequencer);
        sequencers.flat_map(|agent| agent.enrolments.iter().map(|held| &held.signer)).collect()
    }

    /// The look-up of registry.1.4. Raises `KeyUnknown`.
    pub fn key(&self, r: u64, agent: &Id, kid: &Id) -> Result<&Enrolment> {
        let held = self.agents.get(agent).and_then(|agent| {
            agent.enrolments.iter().find(|held| held.from <= r && held.signer.key.thumbprint() == kid)
        });
        held.ok_or_else(|| Error::new(Code::KeyUnknown, "the thumbprint of a key of the author", text::hex(kid)))
    }

    /// Whether a key has an enrolment in force in the first `r` entries, whatever became of it.
    pub fn knows_key(&self, r: u64, key: &KeyBytes) -> bool {
        self.keys.get(key).is_some_and(|from| *from <= r)
    }

    /// The fingerprint at a size from 1 to the registry's own.
    pub fn fingerprint(&self, size: u64) -> Result<Id> {
        self.trees.fingerprint((0, self.branch), [&self.realm; 3], size)
    }

    pub fn leaf(&self, index: u64) -> Result<Id> {
        self.trees.leaf(self.branch, index)
    }

    pub fn root(&self) -> Result<Id> {
        self.trees.root(self.branch, self.size)
    }

    /// The admitted entry `id` becomes the next leaf, and changes what was judged that it changes.
    pub(super) fn apply(&mut self, id: &Id, seq: Option<(Id, Seq)>, change: Change) -> Result<()> {
        self.trees.append(self.branch, id)?;
        self.known.insert(*id);
        self.size += 1;
        self.burn(seq);
        match change {
            Change::Opened(proposal) => self.open_proposal(*proposal),
            Change::Approved { leaf, by } => {
                if let Some(proposal) = self.proposals.get_mut(&leaf) {
                    proposal.approved.insert(by);
                }
            }
            Change::Effect { id, proposal, leaf } => {
                if let Some(done) = leaf.and_then(|leaf| self.proposals.remove(&leaf)) {
                    self.open.remove(&done.id);
                }
                self.take_effect(id, *proposal)?;
            }
            Change::Halted { author, scope } => {
                self.halts.add(*id, Halt { author, scope, from: self.size, until: None });
            }
        }
        Ok(())
    }

    /// A number that is used up.
    pub(super) fn burn(&mut self, seq: Option<(Id, Seq)>) {
        self.seqs.extend(seq);
    }

    /// registry.2.4: the oldest open proposal of an author that has too many lapses.
    pub(super) fn open_proposal(&mut self, proposal: OpenProposal) {
        let own = |open: &&OpenProposal| open.author == proposal.author;
        if self.proposals.values().filter(own).count() >= MAX_OPEN_PROPOSALS
            && let Some(lapsed) = self.proposals.values().find(own).map(|open| (open.leaf, open.id))
        {
            self.proposals.remove(&lapsed.0);
            self.open.remove(&lapsed.1);
        }
        self.open.insert(proposal.id, proposal.leaf);
        self.proposals.insert(proposal.leaf, proposal);
    }

    fn take_effect(&mut self, id: Id, proposal: Proposal) -> Result<()> {
        match proposal {
            Proposal::Enrol(part) => self.enrol(id, *part)?,
            Proposal::Revoke { agent, suspect_from, .. } => self.revoke(&agent, suspect_from),
            Proposal::Policy { policy, .. } => self.policy = (id, policy),
            Proposal::Define { name, document, .. } => {
                let definition = Arc::new(Definition::parse(&document)?);
                let defined = Defined { entry: id, definition, from: self.size };
                self.definitions.entry(name).or_default().push(defined);
            }
            Proposal::Erase { message, .. } => {
                self.erased.insert(message);
            }
            Proposal::Term { .. } => {}
            Proposal::Resume { halts, .. } => halts.iter().for_each(|halt| self.halts.end(halt, self.size)),
        }
        Ok(())
    }

    fn enrol(&mut self, id: Id, part: EnrolPart) -> Result<()> {
        let key = EnrolledKey::enrol(&part.key)?;
        let signer = Arc::new(Enrolled { name: part.name, purpose: part.purpose, key });
        let held = Enrolment { entry: id, signer, groups: part.groups, next: part.next, from: self.size, until: None };
        match part.replaces {
            None => self.admit_agent(id, held),
            Some(agent) => self.rotate(&agent, held),
        }
        Ok(())
    }

    pub(super) fn admit_agent(&mut self, id: Id, held: Enrolment) {
        let (name, purpose) = (held.signer.name.clone(), held.signer.purpose);
        let agent = Agent { id, name, purpose, enrolments: Vec::new(), revoked_at: None, suspect_from: None };
        self.agents.insert(id, agent);
        self.rotate(&id, held);
        self.index_live(&id);
    }

    /// One more key of an agent; the one before no longer holds.
    pub(super) fn rotate(&mut self, agent: &Id, held: Enrolment) {
        self.keys.insert(*held.signer.key.as_bytes(), held.from);
        if let Some(agent) = self.agents.get_mut(agent) {
            if let Some(last) = agent.enrolments.last_mut() {
                last.until = Some(held.from);
            }
            agent.enrolments.push(held);
        }
    }

    fn index_live(&mut self, id: &Id) {
        let Some(agent) = self.agents.get(id) else { return };
        self.names.insert(agent.name.clone(), *id);
        match agent.purpose {
            Purpose::Root => self.roots.insert(*id),
            Purpose::Sequencer => self.sequencers.insert(*id),
            _ => false,
        };
    }

    fn revoke(&mut self, id: &Id, suspect_from: Option<u64>) {
        self.revoked(id, self.size, suspect_from);
    }

    pub(super) fn revoked(&mut self, id: &Id, at: u64, suspect_from: Option<u64>) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        agent.revoked_at = Some(at);
        agent.suspect_from = suspect_from;
        if self.names.get(&agent.name) == Some(id) {
            self.names.remove(&agent.name);
        }
        self.roots.remove(id);
        self.sequencers.remove(id);
    }
}
