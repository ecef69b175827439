//! What an agent may do now in an instance (workflow.5.3). Advice: the verdict is that of `admit`, at its place in the log.

use std::sync::Arc;

use super::admission::{Stamp, check_halts, check_member, check_open, check_writable};
use super::branches::{Number, Prefix};
use super::conversation::{Conversation, Grant};
use super::definition::{Definition, StepIndex};
use super::grants::{check_grants, check_lives};
use super::halts::Covered;
use super::registry::{Enrolment, Registry};
use super::registry_checks::check_purpose;
use super::state::State;
use super::work::Instance;
use super::work_checks::{Actor, Seen, Taking};
use crate::errors::{Code, Error, Result};
use crate::identity::Purpose;
use crate::message::{Id, WorkflowState};
use crate::text;

/// Who asks, and what he has consumed of a branch.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// A member, or a sub-agent of the conversation.
    pub agent: Id,
    pub conversation: Id,
    /// None: he wants to start one.
    pub instance: Option<Id>,
    pub branch: Id,
    pub size: u64,
    pub time: u64,
}

/// What would become of a step, and of an approval of it, if it is one that asks for approvals and there is something to approve.
#[derive(Debug)]
pub struct StepOption {
    pub step: StepIndex,
    pub taken: Option<Error>,
    pub approved: Option<(Id, Option<Error>)>,
}

fn absent(code: Code, expected: &'static str, got: &Id) -> Error {
    Error::new(code, expected, text::hex(got))
}

/// Each step of the definition, in its order. Raises `ConversationUnknown`, `WorkflowUnknown`, `BranchUnknown`, `KeyUnknown`.
pub fn options(state: &State, asker: Asker) -> Result<(Arc<Definition>, Vec<StepOption>)> {
    let registry = state.founded()?;
    let found = state.conversation(&asker.conversation);
    let conversation =
        found.ok_or_else(|| absent(Code::ConversationUnknown, "a conversation of this realm", &asker.conversation))?;
    let made;
    let (instance, starts) = match &asker.instance {
        Some(id) => {
            let running = conversation.instance(id);
            (running.ok_or_else(|| absent(Code::WorkflowUnknown, "an instance of this conversation", id))?, false)
        }
        None => {
            made = started(registry, conversation, asker.time)?;
            (&made, true)
        }
    };
    let chain = conversation.grant(&asker.agent).map_or(Ok(Vec::new()), |_| conversation.chain(asker.agent))?;
    let principal = chain.last().map_or(asker.agent, |(_, grant)| grant.by);
    let live = registry.agent(&principal).and_then(|agent| agent.live(registry.size()));
    let held = live.ok_or_else(|| absent(Code::KeyUnknown, "a live agent", &principal))?;
    let branches = conversation.branches();
    let number = branches.number(&asker.branch);
    let branch = number.ok_or_else(|| absent(Code::BranchUnknown, "a branch of this conversation", &asker.branch))?;
    let ancestors = branches.ancestors(Prefix { branch, size: asker.size })?;
    let granted = |step: &str| {
        let patterns = chain.first().and_then(|(_, grant)| grant.steps.as_ref());
        patterns.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.covers(step)))
    };
    let barred = verdict(check_message(registry, conversation, &asker, (branch, held), (&principal, &chain)))?;
    let case = Case {
        registry,
        stamp: Stamp { time: asker.time, registry_size: registry.size() },
        entry: &asker.conversation,
        actor: Actor { principal: &principal, groups: &held.groups },
        seen: Seen { branches, ancestors: &ancestors },
        instance,
        starts,
        barred,
    };
    let beyond = || Error::new(Code::GrantScope, "what the sub-agent was granted", "another step");
    let steps = instance.definition.steps().iter().enumerate();
    let all = steps
        .map(|(step, rule)| {
            let outside = case.barred.is_none() && !granted(rule.name.as_str());
            let taken = if outside { Some(beyond()) } else { case.judge(step, None)? };
            let subject = rule.approvals.as_ref().and_then(|approvals| instance.last_transition(approvals.of));
            let approved = match subject {
                Some(subject) if chain.is_empty() => Some((subject.message, case.judge(step, Some(subject.message))?)),
                _ => None,
            };
            Ok(StepOption { step, taken, approved })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok((Arc::clone(&instance.definition), all))
}

/// What any message of the asker's on this branch would be asked before its step: 2 to 7, 12, 17, 18.
fn check_message(
    registry: &Registry,
    conversation: &Conversation,
    asker: &Asker,
    (branch, held): (Number, &Enrolment),
    (principal, chain): (&Id, &[(Id, &Grant)]),
) -> Result<()> {
    check_purpose(held.signer.purpose, Purpose::Message)?;
    check_member(conversation.members(), principal, &held.groups)?;
    check_grants(conversation, asker.time, chain)?;
    let covered = Covered {
        conversation: conversation.id(),
        known: Some(conversation),
        definition: conversation.definition(),
        agent: &asker.agent,
        branch: &asker.branch,
        merges: &[],
        instance: asker.instance.as_ref(),
        chain,
    };
    check_halts(registry, registry.size(), &covered)?;
    check_open(conversation)?;
    let branches = conversation.branches();
    check_writable(branches, branches.get(branch)?)?;
    chain.first().map_or(Ok(()), |(id, _)| check_lives(branches, id, branch))
}

/// An instance that would start now.
fn started(registry: &Registry, conversation: &Conversation, time: u64) -> Result<Instance> {
    let name = conversation.definition();
    let definition = name.and_then(|name| registry.definition_at(registry.size(), name)).cloned();
    let none = || absent(Code::WorkflowUnknown, "a conversation with a workflow", conversation.id());
    Ok(Instance::new(definition.ok_or_else(none)?, time))
}

/// The code of a check that fails; what is no verdict is an error here too.
fn verdict<T>(checked: Result<T>) -> Result<Option<Error>> {
    match checked {
        Ok(_) => Ok(None),
        Err(error) if error.code == Code::Internal => Err(error),
        Err(error) => Ok(Some(error)),
    }
}

struct Case<'a> {
    registry: &'a Registry,
    stamp: Stamp,
    entry: &'a Id,
    actor: Actor<'a>,
    seen: Seen<'a>,
    instance: &'a Instance,
    starts: bool,
    /// What every entry of his would get, whatever the step.
    barred: Option<Error>,
}

impl Case<'_> {
    /// The checks from 35 on, of an entry that takes the step or approves a subject for it.
    fn judge(&self, step: StepIndex, approves: Option<Id>) -> Result<Option<Error>> {
        if let Some(barred) = &self.barred {
            return Ok(Some(barred.clone()));
        }
        let definition = &self.instance.definition;
        let name = definition.step(step)?.name.clone();
        let state =
            WorkflowState { instance: None, definition: *definition.id(), step: name, outputs: Vec::new(), approves };
        let Case { registry, stamp, entry, actor, seen, instance, starts, .. } = *self;
        let taking = Taking { registry, stamp, state: &state, entry, actor, seen: Some(seen) };
        verdict(taking.check_in(instance, starts))
    }
}
