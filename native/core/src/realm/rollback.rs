//! What a rollback may cut, and who may roll back: the checks 25 to 31 of admission.2 (rollback.3).

use super::admission::{Case, refuse};
use super::branches::{Cut, Prefix, successor_id};
use super::conversation::Step;
use super::record::Home;
use super::work_checks::Actor;
use crate::errors::{Code, Result};
use crate::halt::Scope;
use crate::message::{Act, Id, RollbackPart};
use crate::text;

impl Case<'_> {
    /// Of a rollback: its home, and what it does. `grant`: that of a sub-agent.
    pub(super) fn check_rollback(
        &self,
        prefix: Prefix,
        actor: Actor<'_>,
        grant: Option<&Id>,
    ) -> Result<Option<(Home, Step)>> {
        let Some(Act::Rollback(part)) = &self.claims.act else {
            return Ok(None);
        };
        // 25
        self.check_may_roll_back(actor)?;
        // 26
        let target = self.check_target(prefix, part)?;
        // 27: what was written meanwhile falls too, and whoever rolls back has to know it.
        let branches = &self.conversation.branches;
        let cuts = branches.closure(target, part.keep)?;
        let (count, hash) = branches.closure_digest(&cuts)?;
        if (part.count, part.hash) != (count, hash) {
            let expected = format!("a closure of {count} entries with the hash {}", text::hex(&hash));
            return refuse(
                Code::RollbackIncomplete,
                expected,
                format!("{} with {}", part.count, text::hex(&part.hash)),
            );
        }
        // 28
        self.check_scope(&cuts, grant)?;
        // 29 to 31
        self.check_effects(&cuts)?;
        let home = Home { branch: successor_id(self.entry.id(), &part.target), index: part.keep };
        Ok(Some((home, Step::Rollback { target, cuts })))
    }

    /// 25
    fn check_may_roll_back(&self, actor: Actor<'_>) -> Result<()> {
        let Some(name) = self.conversation.definition() else { return Ok(()) };
        let definition = self.registry.definition_at(self.stamp.registry_size, name);
        let by = definition.map_or(&[][..], |definition| definition.rollback().0);
        if by.iter().any(|group| actor.groups.contains(group)) {
            return Ok(());
        }
        let names: Vec<&str> = by.iter().map(|group| group.as_str()).collect();
        refuse(Code::RollbackRole, format!("a principal of the groups [{}]", names.join(", ")), "one of none of them")
    }

    /// 26
    fn check_target(&self, prefix: Prefix, part: &RollbackPart) -> Result<u32> {
        let branches = &self.conversation.branches;
        let wrong =
            |got: String| refuse(Code::RollbackTarget, "a branch of the author's lineage, cut in what it holds", got);
        let Some(target) = branches.number(&part.target) else { return wrong(text::hex(&part.target)) };
        if !branches.in_lineage(prefix.branch, target)? {
            return wrong("a branch elsewhere".to_owned());
        }
        let branch = branches.get(target)?;
        if part.keep <= branch.base || part.keep >= branch.end() {
            return wrong(format!("{} of {} to {}", part.keep, branch.base, branch.end()));
        }
        if branches.get(branches.tip(target)?)?.closed {
            return wrong("a branch that is closed".to_owned());
        }
        Ok(target)
    }

    /// 28
    fn check_scope(&self, cuts: &[Cut], grant: Option<&Id>) -> Result<()> {
        let branches = &self.conversation.branches;
        let Some(own) = grant.and_then(|id| branches.number(id)) else { return Ok(()) };
        for cut in cuts {
            if !branches.in_lineage(cut.branch, own)? {
                let got = text::hex(&branches.get(cut.branch)?.id);
                return refuse(Code::RollbackScope, "what lies in the sub-agent's own branch and its forks", got);
            }
        }
        Ok(())
    }

    /// 29, 30, 31
    fn check_effects(&self, cuts: &[Cut]) -> Result<()> {
        let conversation = self.conversation;
        let words = conversation.touched(cuts)?;
        let touched = || words.iter().filter(|(_, undone)| !undone.is_empty());
        let instance = |id: &Id| conversation.instance(id).into_iter();
        for (id, undone) in touched() {
            let steps = instance(id)
                .flat_map(|running| undone.iter().filter_map(|taken| running.definition.steps().get(taken.step)));
            if let Some(pivot) = steps.into_iter().find(|step| step.pivot) {
                let got = pivot.name.as_str().to_owned();
                return refuse(Code::RollbackPivot, "nothing that lies behind a point of no return", got);
            }
        }
        for (id, _) in touched() {
            for running in instance(id) {
                let cap = running.definition.rollback().1;
                if running.rollbacks >= u64::from(cap) {
                    return refuse(Code::RollbackCap, format!("at most {cap} rollbacks of an instance"), text::hex(id));
                }
            }
        }
        let branches = &conversation.branches;
        for scope in self.registry.halts().inside(self.stamp.registry_size, conversation.id()) {
            let held = match scope {
                Scope::Branch(_, id) => match branches.number(id) {
                    Some(halted) => {
                        cuts.iter().try_fold(false, |held, cut| Ok(held || branches.in_lineage(cut.branch, halted)?))?
                    }
                    None => true,
                },
                // Its approvals are held as well.
                Scope::Instance(_, id) => words.iter().any(|(touched, _)| touched == id),
                _ => false,
            };
            if held {
                return refuse(Code::HaltedByEffect, "nothing that a halt holds", scope.to_string());
            }
        }
        Ok(())
    }
}
