//! What a realm knows of one conversation: enough to judge its next entry (dag.1, dag.3). Only applied deltas change it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::branches::{Branches, Cut, Number, Prefix};
use super::record::Home;
use super::work::{Approval, Deed, Instance, Transition, Work};
use crate::errors::{Code, Error, Result};
use crate::identity::{Enrolled, EnrolledKey, Name, Purpose};
use crate::message::{Addr, Claims, GrantPart, Id, IdMap, KeyBytes, Merge, OpenPart, Seq, StepPattern};

/// The name under which a sub-agent proves possession of its key (dag.3.2).
pub const CHILD: &str = "child";

/// What a sub-agent may do. Its id is that of the fork that spawned it, and of the branch in which it lives.
#[derive(Clone, Debug)]
pub struct Grant {
    pub signer: Arc<Enrolled>,
    /// The agent that spawned it.
    pub by: Id,
    /// That agent's own grant, if it is a sub-agent itself.
    pub parent: Option<Id>,
    pub steps: Option<Vec<StepPattern>>,
    pub to: Option<Vec<Addr>>,
    pub rights: u8,
    pub expires: Option<u64>,
    pub depth: u8,
    pub next: Option<Id>,
}

impl Grant {
    /// A grant whose key has been judged.
    pub(super) fn new(part: &GrantPart, key: EnrolledKey, by: Id, parent: Option<Id>) -> Result<Grant> {
        let signer = Arc::new(Enrolled { name: Name::parse(CHILD)?, purpose: Purpose::Message, key });
        let GrantPart { steps, to, rights, expires, depth, next, .. } = part.clone();
        Ok(Grant { signer, by, parent, steps, to, rights, expires, depth, next })
    }
}

/// One conversation of a realm.
#[derive(Debug)]
pub struct Conversation {
    id: Id,
    pub(super) open: OpenPart,
    pub(super) closed: bool,
    /// Records since the open, rejected ones too.
    pub(super) records: u64,
    pub(super) branches: Branches,
    pub(super) grants: HashMap<Id, Grant>,
    pub(super) granted_keys: HashSet<KeyBytes>,
    pub(super) seqs: IdMap<Seq>,
    pub(super) instances: HashMap<Id, Instance>,
    /// The words of instances on a branch, ascending by index: what a rollback takes from them is found without a look at the rest. What is
    /// undone stays.
    worked: HashMap<Id, Vec<(u64, Id)>>,
}

/// What an admitted entry of a conversation changes.
#[derive(Clone, Debug)]
pub enum Step {
    /// A message or a close: the next leaf of its branch.
    Leaf { branch: Number, merges: Vec<Merge>, close: Option<bool>, work: Option<Box<Work>> },
    /// A fork: the first own leaf of a new branch.
    Fork { context: Prefix, grant: Option<Box<Grant>> },
    /// A rollback: the first own leaf of each successor; the target is among the cuts.
    Rollback { target: Number, cuts: Vec<Cut> },
}

impl Conversation {
    pub(super) fn begin(realm: Id, id: Id, author: Id, open: OpenPart) -> Result<Conversation> {
        Ok(Conversation {
            id,
            open,
            closed: false,
            records: 1,
            branches: Branches::open(realm, id, author)?,
            grants: HashMap::new(),
            granted_keys: HashSet::new(),
            seqs: IdMap::default(),
            instances: HashMap::new(),
            worked: HashMap::new(),
        })
    }

    /// A conversation that is put together again.
    pub(super) fn restored(
        id: Id,
        open: OpenPart,
        (closed, records): (bool, u64),
        branches: Branches,
        grants: Vec<(Id, Grant)>,
        seqs: IdMap<Seq>,
        instances: HashMap<Id, Instance>,
    ) -> Conversation {
        let granted_keys = grants.iter().map(|(_, grant)| *grant.signer.key.as_bytes()).collect();
        let grants = grants.into_iter().collect();
        let mut worked: HashMap<Id, Vec<(u64, Id)>> = HashMap::new();
        for (id, instance) in &instances {
            for home in instance.homes() {
                worked.entry(home.branch).or_default().push((home.index, *id));
            }
        }
        worked.values_mut().for_each(|words| words.sort_unstable());
        Conversation { id, open, closed, records, branches, grants, granted_keys, seqs, instances, worked }
    }

    pub fn id(&self) -> &Id {
        &self.id
    }

    pub fn members(&self) -> Option<&[Addr]> {
        self.open.members.as_deref()
    }

    /// The name of the workflow whose instances live here, and whether a message without a step is a note (workflow.2.1).
    pub fn definition(&self) -> Option<&Name> {
        self.open.definition.as_ref()
    }

    pub fn is_workflow_required(&self) -> bool {
        self.open.required
    }

    pub fn is_closed(&self) -> bool {
        self.closed
    }

    pub fn records(&self) -> u64 {
        self.records
    }

    pub fn branches(&self) -> &Branches {
        &self.branches
    }

    pub fn grant(&self, id: &Id) -> Option<&Grant> {
        self.grants.get(id)
    }

    pub fn instance(&self, id: &Id) -> Option<&Instance> {
        self.instances.get(id)
    }

    /// In the order of their ids.
    pub fn instances(&self) -> Vec<(&Id, &Instance)> {
        let mut all: Vec<(&Id, &Instance)> = self.instances.iter().collect();
        all.sort_by_key(|(id, _)| **id);
        all
    }

    pub fn last_seq(&self, author: &Id) -> Option<Seq> {
        self.seqs.get(author).copied()
    }

    /// The grants from this one up to a member's, with their ids; at most nine, because depth falls along the chain (dag.3.1).
    pub fn chain(&self, id: Id) -> Result<Vec<(Id, &Grant)>> {
        let mut chain = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next {
            let grant = self.grants.get(&id).ok_or_else(|| Error::new(Code::Internal, "a grant", "none"))?;
            chain.push((id, grant));
            next = grant.parent;
        }
        Ok(chain)
    }

    /// The member at the end of the author's chain; a member is its own principal.
    pub fn principal(&self, claims: &Claims) -> Result<Id> {
        match claims.grant {
            None => Ok(claims.agent),
            Some(id) => Ok(self.chain(id)?.last().map_or(claims.agent, |(_, grant)| grant.by)),
        }
    }

    pub(super) fn grant_to(&mut self, id: Id, grant: Grant) {
        self.granted_keys.insert(*grant.signer.key.as_bytes());
        self.grants.insert(id, grant);
    }

    /// The admitted entry takes its place. The answer is its home.
    pub(super) fn apply(&mut self, id: &Id, author: Id, seq: Option<(Id, Seq)>, step: Step) -> Result<Home> {
        let home = match step {
            Step::Leaf { branch, merges, close, work } => {
                let index = self.branches.append(branch, id, &merges)?;
                match close {
                    Some(true) => self.closed = true,
                    Some(false) => self.branches.close(branch)?,
                    None => {}
                }
                let home = Home { branch: self.branches.get(branch)?.id, index };
                if let Some(work) = work {
                    self.work(*id, home, *work)?;
                }
                home
            }
            Step::Fork { context, grant } => {
                self.branches.fork(context, id, author)?;
                if let Some(grant) = grant {
                    self.grant_to(*id, *grant);
                }
                Home { branch: *id, index: context.size }
            }
            Step::Rollback { target, cuts } => {
                self.undo(&cuts)?;
                self.branches.roll_back(id, author, &cuts)?;
                let successor = self.branches.get(target)?.successor.map(|next| self.branches.get(next)).transpose()?;
                let successor =
                    successor.ok_or_else(|| Error::new(Code::Internal, "a successor of the target", "none"))?;
                Home { branch: successor.id, index: successor.base }
            }
        };
        self.count(seq);
        Ok(home)
    }

    /// A step that was taken, or approved.
    pub(super) fn work(&mut self, message: Id, home: Home, work: Work) -> Result<()> {
        let Work { instance, starts, step, principal, deed } = work;
        if let Some((definition, start_time)) = starts {
            self.instances.insert(instance, Instance::new(definition, start_time));
        }
        self.worked.entry(home.branch).or_default().push((home.index, instance));
        let running = self.instances.get_mut(&instance);
        let running = running.ok_or_else(|| Error::new(Code::Internal, "an instance of this conversation", "none"))?;
        match deed {
            Deed::Take(outputs) => running.take(Transition { message, home, step, principal, outputs }),
            Deed::Approve(subject) => running.approvals.push(Approval { message, home, step, subject, principal }),
        }
        Ok(())
    }

    /// The instances that have a word in a closure, with the transitions that it undoes (rollback.3), by their ids.
    pub(super) fn touched(&self, cuts: &[Cut]) -> Result<Vec<(Id, Vec<&Transition>)>> {
        let cut = self.cut_at(cuts)?;
        let above = |(branch, at): (&Id, &u64)| {
            let words = self.worked.get(branch)?;
            words.get(words.partition_point(|(index, _)| index < at)..)
        };
        let ids: BTreeSet<Id> = cut.iter().filter_map(above).flatten().map(|(_, id)| *id).collect();
        let undone = |home: &Home| cut.get(&home.branch).is_some_and(|at| home.index >= *at);
        let touched = ids.into_iter().filter_map(|id| {
            let instance = self.instances.get(&id)?;
            Some((id, instance.transitions().iter().filter(|taken| undone(&taken.home)).collect()))
        });
        Ok(touched.collect())
    }

    fn cut_at(&self, cuts: &[Cut]) -> Result<HashMap<Id, u64>> {
        cuts.iter().map(|cut| Ok((self.branches.get(cut.branch)?.id, cut.at))).collect()
    }

    /// rollback.4.2
    fn undo(&mut self, cuts: &[Cut]) -> Result<()> {
        let cut = self.cut_at(cuts)?;
        let survives = |home: &Home| cut.get(&home.branch).is_none_or(|at| home.index < *at);
        let ids: Vec<Id> = self.touched(cuts)?.into_iter().map(|(id, _)| id).collect();
        for id in ids {
            if let Some(instance) = self.instances.get_mut(&id)
                && !instance.keep(survives)
            {
                self.instances.remove(&id);
            }
        }
        Ok(())
    }

    /// One more record; a number that is used up.
    pub(super) fn count(&mut self, seq: Option<(Id, Seq)>) {
        self.records += 1;
        self.seqs.extend(seq);
    }
}
