//! What a realm knows of one conversation: enough to judge its next entry (dag.1, dag.3). Only applied deltas change it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::branches::{Branches, Number, Prefix};
use super::record::Home;
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
}

/// What an admitted entry of a conversation changes.
#[derive(Clone, Debug)]
pub enum Step {
    /// A message or a close: the next leaf of its branch.
    Leaf { branch: Number, merges: Vec<Merge>, close: Option<bool> },
    /// A fork: the first own leaf of a new branch.
    Fork { context: Prefix, grant: Option<Box<Grant>> },
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
    ) -> Conversation {
        let granted_keys = grants.iter().map(|(_, grant)| *grant.signer.key.as_bytes()).collect();
        let grants = grants.into_iter().collect();
        Conversation { id, open, closed, records, branches, grants, granted_keys, seqs }
    }

    pub fn id(&self) -> &Id {
        &self.id
    }

    pub fn members(&self) -> Option<&[Addr]> {
        self.open.members.as_deref()
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
            Step::Leaf { branch, merges, close } => {
                let index = self.branches.append(branch, id, &merges)?;
                match close {
                    Some(true) => self.closed = true,
                    Some(false) => self.branches.close(branch)?,
                    None => {}
                }
                Home { branch: self.branches.get(branch)?.id, index }
            }
            Step::Fork { context, grant } => {
                self.branches.fork(context, id, author)?;
                if let Some(grant) = grant {
                    self.grant_to(*id, *grant);
                }
                Home { branch: *id, index: context.size }
            }
        };
        self.count(seq);
        Ok(home)
    }

    /// One more record; a number that is used up.
    pub(super) fn count(&mut self, seq: Option<(Id, Seq)>) {
        self.records += 1;
        self.seqs.extend(seq);
    }
}
