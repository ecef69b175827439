//! A state put together again from what its digest covers and the leaves of its trees (admission.4.3): what a snapshot rests on.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::branches::{Branches, MergeLeaf, Prefix, Row, successor_id};
use super::conversation::{Conversation, Grant};
use super::definition::{Definition, StepIndex};
use super::halts::Halt;
use super::record::Home;
use super::registry::{Defined, Enrolment, OpenProposal, Registry};
use super::state::State;
use super::work::{Approval, Instance, Transition};
use crate::errors::{Code, Error, Result};
use crate::halt::Scope;
use crate::identity::{Enrolled, EnrolledKey, Name, Purpose};
use crate::limits::{MAX_WORKFLOW_STEPS, SIZE_END, TIME_END};
use crate::message::codec::check_item;
use crate::message::{
    Addr, GrantPart, Id, IdMap, Kind, OpenPart, Proposal, Seq, StepPattern, Value, read_output, read_outputs,
    read_policy, read_proposal_claim,
};

/// The leaves that a branch owns, in order.
pub type OwnLeaves = HashMap<Id, Vec<Id>>;

const STATE: &str = "the canonical bytes of a state";

fn wrong() -> Error {
    Error::new(Code::ArgumentRange, "the canonical bytes of a state, with its leaves", "something else")
}

impl State {
    /// The state of a registry, and of conversations with their leaves. `documents` has those of definitions and of open `define`
    /// proposals, by the proposal's id. What comes out has the digests of what went in, or nothing does: `ArgumentRange`.
    pub fn rebuild(
        registry: &[u8],
        leaves: &[Id],
        documents: &HashMap<Id, Vec<u8>>,
        conversations: &[(Vec<u8>, OwnLeaves)],
    ) -> Result<State> {
        let registry = rebuild_registry(registry, leaves, documents)?;
        let mut state = State { registry: Some(registry), ..State::default() };
        for (canonical, leaves) in conversations {
            let registry = state.founded()?;
            let conversation = rebuild_conversation(registry, canonical, leaves)?;
            state.conversations.insert(*conversation.id(), conversation);
        }
        Ok(state)
    }
}

fn rebuild_registry(canonical: &[u8], leaves: &[Id], documents: &HashMap<Id, Vec<u8>>) -> Result<Registry> {
    check_item(canonical, false)?;
    let mut input = Value::new(canonical, "state");
    let realm = *leaves.first().ok_or_else(wrong)?;
    input.array_of(14, STATE)?;
    if input.uint_below(SIZE_END)? != 2 {
        return Err(wrong());
    }
    let name = input.name()?;
    let (size, _root) = (input.uint_below(SIZE_END)?, input.id()?);
    let (rules_version, profile) = (input.uint_below(SIZE_END)?, input.uint_below(SIZE_END)?);
    input.array_of(2, STATE)?;
    let policy = (input.id()?, read_policy(&mut input)?);
    let mut registry = Registry::over(realm, name, leaves, policy)?;
    registry.rules_version = u32::try_from(rules_version).map_err(|_| wrong())?;
    registry.dev = profile == 1;
    for _ in 0..input.list(usize::MAX)? {
        read_agent(&mut registry, &mut input)?;
    }
    for _ in 0..input.list(usize::MAX)? {
        read_definitions(&mut registry, &mut input, documents)?;
    }
    for _ in 0..input.list(usize::MAX)? {
        let proposal = read_proposal(&mut input, documents)?;
        registry.open_proposal(proposal);
    }
    for _ in 0..input.list(usize::MAX)? {
        registry.erased.insert(input.id()?);
    }
    registry.seqs = read_seqs(&mut input)?;
    read_halts(&mut registry, &mut input)?;
    if registry.size() != size || registry.canonical()? != canonical {
        return Err(wrong());
    }
    Ok(registry)
}

/// One name, with what was defined under it; the documents are those of `documents`, which the ids pin.
fn read_definitions(registry: &mut Registry, input: &mut Value<'_>, documents: &HashMap<Id, Vec<u8>>) -> Result<()> {
    input.array_of(2, STATE)?;
    let name = input.name()?;
    for _ in 0..input.list(usize::MAX)? {
        input.array_of(3, STATE)?;
        let (entry, id, from) = (input.id()?, input.id()?, number(input)?);
        let definition = Arc::new(Definition::parse(documents.get(&entry).ok_or_else(wrong)?)?);
        if *definition.id() != id {
            return Err(wrong());
        }
        registry.definitions.entry(name.clone()).or_default().push(Defined { entry, definition, from });
    }
    Ok(())
}

fn read_agent(registry: &mut Registry, input: &mut Value<'_>) -> Result<()> {
    input.array_of(6, STATE)?;
    let (id, name) = (input.id()?, input.name()?);
    let purpose = u8::try_from(input.uint_below(SIZE_END)?).ok().and_then(Purpose::from_number).ok_or_else(wrong)?;
    let mut first = true;
    for _ in 0..input.list(usize::MAX)? {
        input.array_of(6, STATE)?;
        let entry = input.id()?;
        let key = EnrolledKey::enrol(&input.id()?)?;
        let groups = (0..input.list(usize::MAX)?).map(|_| input.name()).collect::<Result<_>>()?;
        let (next, from, until) = (input.id_or_null()?, input.uint_below(SIZE_END)?, input.or_null(number)?);
        let signer = Arc::new(Enrolled { name: name.clone(), purpose, key });
        let held = Enrolment { entry, signer, groups, next, from, until };
        if std::mem::take(&mut first) {
            registry.admit_agent(id, held);
        } else {
            registry.rotate(&id, held);
        }
    }
    let (revoked_at, suspect_from) = (input.or_null(number)?, input.or_null(number)?);
    if let Some(at) = revoked_at {
        registry.revoked(&id, at, suspect_from);
    }
    Ok(())
}

/// halt.3.7
fn read_halts(registry: &mut Registry, input: &mut Value<'_>) -> Result<()> {
    for _ in 0..input.list(usize::MAX)? {
        input.array_of(4, STATE)?;
        let (id, author) = (input.id()?, input.id()?);
        let scope = Scope::read(input.cursor.item().ok_or_else(wrong)?).ok_or_else(wrong)?;
        registry.halts.add(id, Halt { author, scope, from: number(input)?, until: None });
    }
    for _ in 0..input.list(usize::MAX)? {
        input.array_of(2, STATE)?;
        let (id, until) = (input.id()?, number(input)?);
        registry.halts.end(&id, until);
    }
    Ok(())
}

fn read_proposal(input: &mut Value<'_>, documents: &HashMap<Id, Vec<u8>>) -> Result<OpenProposal> {
    input.array_of(6, STATE)?;
    let (id, leaf, author) = (input.id()?, input.uint_below(SIZE_END)?, input.id()?);
    let kind = Kind::from_number(input.uint_below(SIZE_END)?).ok_or_else(wrong)?;
    let proposal = if kind == Kind::Define {
        input.array_of(3, STATE)?;
        let (name, replaces, _) = (input.name()?, input.id_or_null()?, input.id()?);
        Proposal::Define { name, replaces, document: documents.get(&id).ok_or_else(wrong)?.clone() }
    } else {
        read_proposal_claim(input, kind)?
    };
    let approved: BTreeSet<Id> = (0..input.list(usize::MAX)?).map(|_| input.id()).collect::<Result<_>>()?;
    Ok(OpenProposal { id, leaf, author, proposal, approved })
}

fn read_seqs(input: &mut Value<'_>) -> Result<IdMap<Seq>> {
    (0..input.list(usize::MAX)?)
        .map(|_| {
            input.array_of(3, STATE)?;
            let agent = input.id()?;
            let (epoch, counter) =
                (input.uint_below(SIZE_END)?, u32::try_from(input.uint_below(SIZE_END)?).map_err(|_| wrong())?);
            Ok((agent, Seq { epoch, counter }))
        })
        .collect()
}

fn rebuild_conversation(registry: &Registry, canonical: &[u8], leaves: &OwnLeaves) -> Result<Conversation> {
    check_item(canonical, false)?;
    let mut input = Value::new(canonical, "state");
    input.array_of(9, STATE)?;
    if input.uint_below(SIZE_END)? != 1 {
        return Err(wrong());
    }
    let (id, members) = (input.id()?, input.or_null(addrs)?);
    input.array_of(2, STATE)?;
    let open = OpenPart { members, required: input.bool()?, definition: input.or_null(Value::name)? };
    let (closed, records) = (input.bool()?, input.uint_below(SIZE_END)?);
    let mut rows = Vec::new();
    let mut grants: Vec<(Id, Grant)> = Vec::new();
    for _ in 0..input.list(usize::MAX)? {
        let (row, grant) = read_branch(&mut input, leaves)?;
        grants.extend(grant.map(|grant| (row.id, grant)));
        rows.push(row);
    }
    let seqs = read_seqs(&mut input)?;
    let instances = read_instances(registry, open.definition.as_ref(), &mut input)?;
    let branches = restore(*registry.realm(), id, rows)?;
    let conversation = Conversation::restored(id, open, (closed, records), branches, grants, seqs, instances);
    if conversation.canonical()? != canonical {
        return Err(wrong());
    }
    Ok(conversation)
}

fn read_instances(registry: &Registry, name: Option<&Name>, input: &mut Value<'_>) -> Result<HashMap<Id, Instance>> {
    let mut instances = HashMap::new();
    for _ in 0..input.list(usize::MAX)? {
        input.array_of(6, STATE)?;
        let (id, definition) = (input.id()?, input.id()?);
        let definition = name.and_then(|name| registry.definition_of(name, &definition)).ok_or_else(wrong)?;
        let mut instance = Instance::new(Arc::clone(definition), input.uint_below(TIME_END)?);
        instance.rollbacks = number(input)?;
        for _ in 0..input.list(usize::MAX)? {
            let (message, home, step) = read_deed(input)?;
            let (principal, outputs) = (input.id()?, read_outputs(input, read_output)?);
            instance.take(Transition { message, home, step, principal, outputs });
        }
        for _ in 0..input.list(usize::MAX)? {
            let (message, home, step) = read_deed(input)?;
            instance.approvals.push(Approval { message, home, step, subject: input.id()?, principal: input.id()? });
        }
        instances.insert(id, instance);
    }
    Ok(instances)
}

fn read_deed(input: &mut Value<'_>) -> Result<(Id, Home, StepIndex)> {
    input.array_of(6, STATE)?;
    let (message, home) = (input.id()?, Home { branch: input.id()?, index: number(input)? });
    let step = input.uint_below(MAX_WORKFLOW_STEPS as u64)?;
    Ok((message, home, usize::try_from(step).map_err(|_| wrong())?))
}

/// The branches with their leaves, parents first; then the maps of their merges, each behind those that it rests on.
fn restore(realm: Id, conversation: Id, rows: Vec<Row>) -> Result<Branches> {
    let mut by_parent: HashMap<Option<Id>, Vec<Row>> = HashMap::new();
    for row in rows {
        by_parent.entry(row.parent).or_default().push(row);
    }
    let mut first = by_parent.remove(&None).unwrap_or_default();
    let first = first.pop().filter(|row| row.id == conversation && first.is_empty()).ok_or_else(wrong)?;
    let mut branches = Branches::open(realm, conversation, first.opener)?;
    let mut pending: Vec<Pending> = Vec::new();
    let mut fates = Vec::new();
    let mut ready = vec![first];
    while let Some(row) = ready.pop() {
        if let Some(parent) = row.parent {
            let context = Prefix { branch: branches.number(&parent).ok_or_else(wrong)?, size: row.base };
            match row.leaves.first() {
                Some(first) if *first == row.id => branches.fork(context, first, row.opener)?,
                Some(first) if successor_id(first, &parent) == row.id => {
                    branches.succeed(context, first, row.opener)?
                }
                _ => return Err(wrong()),
            };
        }
        let number = branches.number(&row.id).ok_or_else(wrong)?;
        branches.extend(number, row.leaves.get(1..).unwrap_or_default())?;
        fates.push((number, row.closed, row.undone, row.cut, row.successor));
        ready.extend(by_parent.remove(&Some(row.id)).unwrap_or_default());
        pending.push(Pending { merges: row.merges, done: None });
    }
    for (number, closed, undone, cut, successor) in fates {
        let successor = successor.map(|id| branches.number(&id).ok_or_else(wrong)).transpose()?;
        branches.mark(number, |branch| {
            (branch.closed, branch.undone, branch.cut, branch.successor) = (closed, undone, cut, successor);
        })?;
    }
    Merges { branches, pending }.restore()
}

/// The merges of a branch that is put together again, and how many of them are done; None: not even what lies below its base.
struct Pending {
    merges: Vec<(u64, Vec<(Id, u64)>)>,
    done: Option<usize>,
}

/// By the numbers of the branches.
struct Merges {
    branches: Branches,
    pending: Vec<Pending>,
}

impl Merges {
    fn restore(mut self) -> Result<Branches> {
        let total = self.pending.iter().fold(self.pending.len(), |sum, pending| sum + pending.merges.len());
        for number in 0..self.pending.len() {
            let all = self.pending.get(number).map_or(0, |pending| pending.merges.len());
            let mut stack = vec![(u32::try_from(number).map_err(|_| wrong())?, all)];
            while let Some(top) = stack.last().copied() {
                match self.advance(top.0, top.1)? {
                    Some(needed) => stack.push(needed),
                    None => {
                        stack.pop();
                    }
                }
                // What rests on itself is no history.
                if stack.len() > total + 1 {
                    return Err(wrong());
                }
            }
        }
        Ok(self.branches)
    }

    fn needs(&self, branch: u32, below: u64) -> Result<Option<(u32, usize)>> {
        let pending = self.pending.get(branch as usize).ok_or_else(wrong)?;
        let count = pending.merges.partition_point(|(index, _)| *index < below);
        Ok(if pending.done.is_some_and(|done| done >= count) { None } else { Some((branch, count)) })
    }

    /// Does the merges of a branch up to a count; what has to be done before, if there is something.
    fn advance(&mut self, number: u32, count: usize) -> Result<Option<(u32, usize)>> {
        let (parent, base) = {
            let branch = self.branches.get(number)?;
            (branch.parent, branch.base)
        };
        loop {
            let pending = self.pending.get(number as usize).ok_or_else(wrong)?;
            let Some(done) = pending.done else {
                if let Some(parent) = parent {
                    if let Some(needed) = self.needs(parent, base)? {
                        return Ok(Some(needed));
                    }
                    let start = self.branches.ancestors(Prefix { branch: parent, size: base })?;
                    self.branches.get_mut(number)?.start = start.into_merged();
                }
                self.pending.get_mut(number as usize).ok_or_else(wrong)?.done = Some(0);
                continue;
            };
            if done >= count {
                return Ok(None);
            }
            let (index, heads) = pending.merges.get(done).ok_or_else(wrong)?.clone();
            let mut prefixes = Vec::with_capacity(heads.len());
            for (head, size) in &heads {
                let branch = self.branches.number(head).ok_or_else(wrong)?;
                if let Some(needed) = self.needs(branch, *size)? {
                    return Ok(Some(needed));
                }
                prefixes.push(Prefix { branch, size: *size });
            }
            let start = self.branches.ancestors(Prefix { branch: number, size: index })?;
            let set = prefixes.into_iter().try_fold(start, |set, head| self.branches.with_head(set, head))?;
            self.branches.keep_merge(number, MergeLeaf { index, heads, map: set.into_merged() })?;
            self.pending.get_mut(number as usize).ok_or_else(wrong)?.done = Some(done + 1);
        }
    }
}

fn read_branch(input: &mut Value<'_>, leaves: &OwnLeaves) -> Result<(Row, Option<Grant>)> {
    input.array_of(11, STATE)?;
    let (id, parent, base) = (input.id()?, input.id_or_null()?, input.uint_below(SIZE_END)?);
    let (_size, _root, status) = (input.uint_below(SIZE_END)?, input.id()?, input.small(0, 3)?);
    let (cut, successor) = (input.or_null(number)?, input.id_or_null()?);
    let opener = input.id()?;
    let grant = input.or_null(read_grant)?;
    let mut merges = Vec::new();
    for _ in 0..input.list(usize::MAX)? {
        input.array_of(2, STATE)?;
        let index = input.uint_below(SIZE_END)?;
        let mut heads = Vec::new();
        for _ in 0..input.list(usize::MAX)? {
            input.array_of(2, STATE)?;
            heads.push((input.id()?, input.uint_below(SIZE_END)?));
        }
        merges.push((index, heads));
    }
    let leaves = leaves.get(&id).ok_or_else(wrong)?.clone();
    let (closed, undone) = (status == 1, status == 3);
    Ok((Row { id, parent, base, leaves, closed, undone, cut, successor, opener, merges }, grant))
}

fn read_grant(input: &mut Value<'_>) -> Result<Grant> {
    input.array_of(9, STATE)?;
    let key = input.id()?;
    let (by, parent) = (input.id()?, input.id_or_null()?);
    let steps = input.or_null(|input| {
        (0..input.list(usize::MAX)?).map(|_| StepPattern::parse(input.text(STATE)?)).collect::<Result<Vec<_>>>()
    })?;
    let to = input.or_null(addrs)?;
    let (rights, expires) = (small(input.uint_below(SIZE_END)?)?, input.or_null(number)?);
    let (depth, next) = (small(input.uint_below(SIZE_END)?)?, input.id_or_null()?);
    let part = GrantPart { key, offer: [0; 64], steps, to, rights, expires, depth, next };
    Grant::new(&part, EnrolledKey::enrol(&key)?, by, parent)
}

fn number(input: &mut Value<'_>) -> Result<u64> {
    input.uint_below(SIZE_END)
}

fn addrs(input: &mut Value<'_>) -> Result<Vec<Addr>> {
    (0..input.list(usize::MAX)?).map(|_| input.addr()).collect()
}

fn small(value: u64) -> Result<u8> {
    u8::try_from(value).map_err(|_| wrong())
}
