//! The instances of workflows in a conversation: the fold over the steps that were taken (workflow.2).

use std::sync::Arc;

use super::definition::{Definition, StepIndex};
use super::record::Home;
use crate::identity::Name;
use crate::message::{Id, Output};

/// A step that was taken.
#[derive(Clone, Debug)]
pub struct Transition {
    pub message: Id,
    pub home: Home,
    pub step: StepIndex,
    /// The author's principal.
    pub principal: Id,
    pub outputs: Vec<(Name, Output)>,
}

/// A word for the taking of a step, given on one transition.
#[derive(Clone, Debug)]
pub struct Approval {
    pub message: Id,
    pub home: Home,
    pub step: StepIndex,
    pub subject: Id,
    pub principal: Id,
}

/// A running workflow, or one that has ended. Only applied deltas change it.
#[derive(Clone, Debug)]
pub struct Instance {
    pub definition: Arc<Definition>,
    /// The stamp's time of its start.
    pub start_time: u64,
    pub(super) transitions: Vec<Transition>,
    pub(super) approvals: Vec<Approval>,
    /// Of each step: how often it was taken, and the place of its last transition.
    taken: Vec<(usize, Option<usize>)>,
    /// How often it was rolled back.
    pub rollbacks: u64,
}

/// What an admitted entry does in an instance.
#[derive(Clone, Debug)]
pub struct Work {
    pub instance: Id,
    /// At a start: the definition, and the time.
    pub starts: Option<(Arc<Definition>, u64)>,
    pub step: StepIndex,
    pub principal: Id,
    pub deed: Deed,
}

#[derive(Clone, Debug)]
pub enum Deed {
    Take(Vec<(Name, Output)>),
    Approve(Id),
}

impl Instance {
    /// Before its first transition.
    pub fn new(definition: Arc<Definition>, start_time: u64) -> Instance {
        let taken = vec![(0, None); definition.steps().len()];
        Instance { definition, start_time, transitions: Vec::new(), approvals: Vec::new(), taken, rollbacks: 0 }
    }

    /// In log order.
    pub fn transitions(&self) -> &[Transition] {
        &self.transitions
    }

    /// In log order.
    pub fn approvals(&self) -> &[Approval] {
        &self.approvals
    }

    pub(super) fn take(&mut self, transition: Transition) {
        if let Some(taken) = self.taken.get_mut(transition.step) {
            *taken = (taken.0 + 1, Some(self.transitions.len()));
        }
        self.transitions.push(transition);
    }

    /// Where its transitions and approvals stand.
    pub(super) fn homes(&self) -> impl Iterator<Item = &Home> {
        self.transitions.iter().map(|taken| &taken.home).chain(self.approvals.iter().map(|given| &given.home))
    }

    /// Only what survives a rollback is left (rollback.4.2). Whether anything is.
    pub(super) fn keep(&mut self, survives: impl Fn(&Home) -> bool) -> bool {
        let before = self.transitions.len();
        let transitions = std::mem::take(&mut self.transitions);
        self.taken.fill((0, None));
        transitions.into_iter().filter(|taken| survives(&taken.home)).for_each(|taken| self.take(taken));
        self.approvals.retain(|given| survives(&given.home));
        self.rollbacks += u64::from(self.transitions.len() < before);
        !self.transitions.is_empty()
    }

    pub fn visits(&self, step: StepIndex) -> usize {
        self.taken.get(step).map_or(0, |taken| taken.0)
    }

    /// The place of a step's last transition in log order.
    pub fn last(&self, step: StepIndex) -> Option<usize> {
        self.taken.get(step).and_then(|taken| taken.1)
    }

    pub fn last_transition(&self, step: StepIndex) -> Option<&Transition> {
        self.transitions.get(self.last(step)?)
    }

    /// The place of the last transition, if none of the step's grounds was taken after it (workflow.2.4).
    pub fn current(&self, step: StepIndex) -> Option<usize> {
        let last = self.last(step)?;
        let outdated = (0..self.taken.len())
            .filter(|ground| self.definition.is_ground(step, *ground))
            .any(|ground| self.last(ground) > Some(last));
        (!outdated).then_some(last)
    }

    /// Whether a terminal step was taken.
    pub fn has_ended(&self) -> bool {
        self.definition.steps().iter().zip(&self.taken).any(|(step, taken)| step.terminal && taken.0 > 0)
    }

    /// The approvals of a step on one subject.
    pub fn approvals_of(&self, step: StepIndex, subject: &Id) -> impl Iterator<Item = &Approval> {
        self.approvals.iter().filter(move |approval| approval.step == step && approval.subject == *subject)
    }
}
