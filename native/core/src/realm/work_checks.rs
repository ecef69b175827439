//! Whether a step may be taken now, or approved: the checks 32 to 40 of admission.2 (workflow.3, workflow.4).

use std::sync::Arc;

use super::admission::{Stamp, refuse};
use super::branches::{Ancestors, Branches};
use super::conversation::Conversation;
use super::definition::{Condition, Definition, Relation, StepIndex, StepRule};
use super::record::Home;
use super::registry::Registry;
use super::work::{Deed, Instance, Work};
use crate::errors::{Code, Error, Result};
use crate::identity::Name;
use crate::message::{Id, OpenPart, Output, WorkflowState};
use crate::text;

/// Who acts: the principal of the author, its groups at r.
#[derive(Clone, Copy)]
pub(super) struct Actor<'a> {
    pub principal: &'a Id,
    pub groups: &'a [Name],
}

/// What the author of an entry had consumed. None: an open, which comes after nothing.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub branches: &'a Branches,
    pub ancestors: &'a Ancestors,
}

impl Seen<'_> {
    fn has(&self, home: Home) -> Result<bool> {
        let number = self.branches.number(&home.branch);
        let number = number.ok_or_else(|| Error::new(Code::Internal, "a home in this conversation", "another"))?;
        Ok(self.branches.covered(self.ancestors, number)? > home.index)
    }
}

/// An entry that takes or approves a step, with what it is judged by.
pub(super) struct Taking<'a> {
    pub registry: &'a Registry,
    pub stamp: Stamp,
    pub state: &'a WorkflowState,
    pub entry: &'a Id,
    pub actor: Actor<'a>,
    pub seen: Option<Seen<'a>>,
}

/// 32, for an open: that there is what it names, whether it takes a step or not.
pub(super) fn check_named(registry: &Registry, r: u64, open: &OpenPart) -> Result<()> {
    match &open.definition {
        Some(name) if registry.definition_at(r, name).is_none() => {
            refuse(Code::WorkflowUnknown, "a workflow that the registry defines", name.as_str().to_owned())
        }
        _ => Ok(()),
    }
}

impl Taking<'_> {
    /// Checks 32 to 40 in a conversation; of an open, `conversation` is none.
    pub fn check(&self, open: &OpenPart, conversation: Option<&Conversation>) -> Result<Work> {
        // 32
        let Some(name) = &open.definition else {
            return refuse(Code::WorkflowUnknown, "a conversation with a workflow", "one without");
        };
        let running = match &self.state.instance {
            None => None,
            Some(id) => match conversation.and_then(|conversation| conversation.instance(id)) {
                Some(instance) => Some((*id, instance)),
                None => return refuse(Code::WorkflowUnknown, "an instance of this conversation", text::hex(id)),
            },
        };
        match running {
            Some((id, instance)) => {
                let (step, deed) = self.check_in(instance, false)?;
                Ok(Work { instance: id, starts: None, step, principal: *self.actor.principal, deed })
            }
            None => self.check_start(name),
        }
    }

    fn check_start(&self, name: &Name) -> Result<Work> {
        let Some(definition) = self.registry.definition_at(self.stamp.registry_size, name) else {
            return refuse(Code::WorkflowUnknown, "a workflow that the registry defines", name.as_str().to_owned());
        };
        let instance = Instance::new(Arc::clone(definition), self.stamp.time);
        let (step, deed) = self.check_in(&instance, true)?;
        let starts = Some((instance.definition, instance.start_time));
        Ok(Work { instance: *self.entry, starts, step, principal: *self.actor.principal, deed })
    }

    /// 33 to 40
    pub fn check_in(&self, instance: &Instance, starts: bool) -> Result<(StepIndex, Deed)> {
        let (state, definition) = (self.state, &*instance.definition);
        // 33
        if state.definition != *definition.id() {
            let expected = format!("definition {}", text::hex(definition.id()));
            return refuse(Code::WorkflowVersion, expected, text::hex(&state.definition));
        }
        // 34
        let Some(step) = definition.index(&state.step) else {
            return refuse(Code::StepUnknown, steps(definition, |_| true), state.step.as_str().to_owned());
        };
        let case = At { instance, definition, step, rule: definition.step(step)?, taking: self };
        match &state.approves {
            None => case.check_taken(starts)?,
            Some(subject) => case.check_approval(subject)?,
        }
        let deed = state.approves.map_or_else(|| Deed::Take(state.outputs.clone()), Deed::Approve);
        Ok((step, deed))
    }
}

/// Names of steps for people, in the definition's order.
fn steps(definition: &Definition, which: impl Fn(StepIndex) -> bool) -> String {
    let named = definition.steps().iter().enumerate().filter(|(index, _)| which(*index));
    let names: Vec<&str> = named.map(|(_, step)| step.name.as_str()).collect();
    if names.is_empty() { "no step".to_owned() } else { format!("one of the steps {}", names.join(", ")) }
}

/// One step of one instance.
struct At<'a> {
    instance: &'a Instance,
    definition: &'a Definition,
    step: StepIndex,
    rule: &'a StepRule,
    taking: &'a Taking<'a>,
}

impl At<'_> {
    fn check_taken(&self, starts: bool) -> Result<()> {
        // 35
        self.check_role(&self.rule.by)?;
        self.check_open()?;
        // 38
        let needed = self.check_needs(starts)?;
        // 39
        self.rule.when.iter().try_for_each(|condition| self.check_when(condition))?;
        self.check_approvals()?;
        // 40
        if starts { Ok(()) } else { self.check_seen(&needed) }
    }

    /// workflow.4
    fn check_approval(&self, subject: &Id) -> Result<()> {
        let principal = self.taking.actor.principal;
        let invalid = |got: &'static str| refuse(Code::ApprovalInvalid, "an approval that fits its subject", got);
        let Some(approvals) = &self.rule.approvals else {
            return invalid("one of a step that asks for none");
        };
        self.check_role(&approvals.by)?;
        self.check_open()?;
        // 39
        if !self.taking.state.outputs.is_empty() {
            return invalid("one with outputs");
        }
        let last = self.instance.last_transition(approvals.of).filter(|last| last.message == *subject);
        let Some(last) = last else {
            return invalid("one of something else than the last transition of the step that is approved");
        };
        if last.principal == *principal {
            return invalid("one of its author's own word");
        }
        if self.instance.approvals_of(self.step, subject).any(|approval| approval.principal == *principal) {
            return invalid("a second one by the same principal");
        }
        // 40
        self.check_ancestors(&[last.home])
    }

    /// 35
    fn check_role(&self, by: &[Name]) -> Result<()> {
        if by.iter().any(|group| self.taking.actor.groups.contains(group)) {
            return Ok(());
        }
        let names: Vec<&str> = by.iter().map(Name::as_str).collect();
        let expected = format!("a principal of the groups {} for {}", names.join(", "), self.rule.name.as_str());
        refuse(Code::StepRole, expected, "one of none of them")
    }

    /// 36, 37
    fn check_open(&self) -> Result<()> {
        let (instance, name) = (self.instance, || self.rule.name.as_str().to_owned());
        if instance.has_ended() {
            return refuse(Code::WorkflowEnded, "an instance that has not ended", name());
        }
        let end = self.rule.deadline.map(|deadline| instance.start_time.saturating_add(deadline));
        if let Some(end) = end.filter(|end| self.taking.stamp.time > *end) {
            let expected = format!("{} by {end}", self.rule.name.as_str());
            return refuse(Code::DeadlinePassed, expected, self.taking.stamp.time.to_string());
        }
        let visits = instance.visits(self.step);
        if visits >= usize::from(self.rule.visits) {
            return refuse(Code::StepSpent, format!("at most {} of {}", self.rule.visits, name()), "one more");
        }
        let Some(choice) = self.rule.choice else { return Ok(()) };
        let Some(chosen_at) = instance.last(choice) else { return Ok(()) };
        let others = self.definition.steps().iter().enumerate();
        let other = others
            .filter(|(index, step)| *index != self.step && step.choice == Some(choice))
            .find(|(index, _)| instance.last(*index) > Some(chosen_at));
        match other {
            Some((_, other)) => refuse(Code::StepExcluded, format!("what goes with {}", other.name.as_str()), name()),
            None => Ok(()),
        }
    }

    /// 38. The homes of what the step builds on; of any, those that are enough each.
    fn check_needs(&self, starts: bool) -> Result<Vec<Home>> {
        let (instance, needs) = (self.instance, &self.rule.needs);
        let missing = |which: Vec<StepIndex>| {
            let expected = format!("{} first", steps(self.definition, |index| which.contains(&index)));
            refuse(Code::StepNeeds, expected, self.rule.name.as_str().to_owned())
        };
        if starts {
            return if self.step == self.definition.start() {
                Ok(Vec::new())
            } else {
                missing(vec![self.definition.start()])
            };
        }
        let before = instance.last(self.step);
        let newer = |place: &usize| before.is_none_or(|before| *place > before);
        let current: Vec<(StepIndex, Option<usize>)> =
            needs.steps.iter().map(|need| (*need, instance.current(*need))).collect();
        let places: Vec<usize> = current.iter().filter_map(|(_, place)| *place).collect();
        let enough: Vec<usize> = if needs.any {
            places.into_iter().filter(newer).collect()
        } else if places.len() == current.len() && (current.is_empty() || places.iter().any(newer)) {
            places
        } else {
            let open = current.iter().filter(|(_, place)| place.is_none()).map(|(need, _)| *need).collect::<Vec<_>>();
            return missing(if open.is_empty() { needs.steps.clone() } else { open });
        };
        if needs.any && enough.is_empty() {
            return missing(needs.steps.clone());
        }
        Ok(enough.into_iter().filter_map(|place| instance.transitions().get(place)).map(|taken| taken.home).collect())
    }

    /// 39, of one condition.
    fn check_when(&self, condition: &Condition) -> Result<()> {
        let read = self.instance.last_transition(condition.step);
        let found = read.and_then(|taken| taken.outputs.iter().find(|(name, _)| *name == condition.output));
        let holds = match (found.map(|(_, value)| value), &condition.value, condition.relation) {
            (Some(value), wanted, Relation::Equal) => value == wanted,
            (Some(Output::Int(value)), Output::Int(wanted), Relation::AtMost) => value <= wanted,
            (Some(Output::Int(value)), Output::Int(wanted), Relation::AtLeast) => value >= wanted,
            _ => false,
        };
        if holds {
            return Ok(());
        }
        let relation = match condition.relation {
            Relation::Equal => "",
            Relation::AtMost => "at most ",
            Relation::AtLeast => "at least ",
        };
        let step = self.definition.step(condition.step)?.name.as_str();
        let expected = format!("{} of {step}: {relation}{}", condition.output.as_str(), shown(&condition.value));
        refuse(Code::StepWhen, expected, found.map_or_else(|| "none".to_owned(), |(_, value)| shown(value)))
    }

    /// The homes of the approvals that count (39): of the last transition, by principals that are live at r.
    fn approvals_that_count(&self) -> Vec<Home> {
        let Some(approvals) = &self.rule.approvals else { return Vec::new() };
        let Some(subject) = self.instance.last_transition(approvals.of) else { return Vec::new() };
        let live = |principal: &Id| {
            let agent = self.taking.registry.agent(principal);
            agent.and_then(|agent| agent.live(self.taking.stamp.registry_size)).is_some()
        };
        let given = self.instance.approvals_of(self.step, &subject.message);
        given.filter(|approval| live(&approval.principal)).map(|approval| approval.home).collect()
    }

    /// 39
    fn check_approvals(&self) -> Result<()> {
        let Some(approvals) = &self.rule.approvals else { return Ok(()) };
        let count = self.approvals_that_count().len();
        if count >= usize::from(approvals.count) {
            return Ok(());
        }
        let of = self.definition.step(approvals.of)?.name.as_str();
        refuse(Code::ApprovalsMissing, format!("{} approvals of {of}", approvals.count), count.to_string())
    }

    /// 40, of a step that is taken.
    fn check_seen(&self, needed: &[Home]) -> Result<()> {
        let read = self.rule.when.iter().filter_map(|condition| self.instance.last_transition(condition.step));
        let mut all: Vec<Home> = read.map(|taken| taken.home).collect();
        if !self.rule.needs.any {
            all.extend(needed);
        }
        self.check_ancestors(&all)?;
        if self.rule.needs.any && self.count_seen(needed)? == 0 {
            return refuse(Code::ContextStale, "one of the transitions that it needs among what was seen", "none");
        }
        let wanted = self.rule.approvals.as_ref().map_or(0, |approvals| usize::from(approvals.count));
        let seen = self.count_seen(&self.approvals_that_count())?;
        if seen < wanted {
            return refuse(Code::ContextStale, format!("{wanted} approvals among what was seen"), seen.to_string());
        }
        Ok(())
    }

    /// 40: the instance's start, and these.
    fn check_ancestors(&self, homes: &[Home]) -> Result<()> {
        let start = self.instance.transitions().first().map(|start| start.home);
        for home in start.iter().chain(homes) {
            if self.count_seen(&[*home])? == 0 {
                let missed = self.instance.transitions().iter().find(|taken| taken.home == *home);
                let missed = missed.map_or_else(String::new, |taken| {
                    let name = self.definition.step(taken.step).map(|step| step.name.as_str()).unwrap_or_default();
                    format!("{name} {} ", text::hex(&taken.message))
                });
                return refuse(Code::ContextStale, format!("{missed}among what was seen"), "a context without it");
            }
        }
        Ok(())
    }

    fn count_seen(&self, homes: &[Home]) -> Result<usize> {
        let Some(seen) = &self.taking.seen else { return Ok(0) };
        homes.iter().try_fold(0, |count, home| Ok(count + usize::from(seen.has(*home)?)))
    }
}

fn shown(value: &Output) -> String {
    match value {
        Output::Bool(value) => value.to_string(),
        Output::Int(value) => value.to_string(),
        Output::Text(value) => text::shown(value.as_bytes()),
    }
}
