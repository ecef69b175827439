//! What sub-agents may do (dag.3): the checks 5, 6, 18, 19 and 24 of admission.2.

use super::admission::{Case, refuse};
use super::branches::{Branches, Number, Prefix};
use super::conversation::{CHILD, Conversation, Grant};
use crate::errors::{Code, Error, Result};
use crate::identity::{EnrolledKey, Name, Purpose};
use crate::message::{Act, GrantPart, Id, Kind, Offer};
use crate::text;

/// 4 for the whole chain, then 5, then 6.
pub(super) fn check_grants(conversation: &Conversation, time: u64, chain: &[(Id, &Grant)]) -> Result<()> {
    let branches = &conversation.branches;
    let number = |id: &Id| branches.number(id).unwrap_or(u32::MAX);
    for (id, _) in chain {
        if branches.get(number(id))?.undone || branches.get(branches.tip(number(id))?)?.undone {
            return refuse(Code::GrantUndone, "a grant that no rollback has undone", text::hex(id));
        }
    }
    for (id, _) in chain {
        if branches.get(branches.tip(number(id))?)?.closed {
            return refuse(Code::GrantEnded, "a grant whose branch is open", text::hex(id));
        }
    }
    let expired = chain.iter().find_map(|(_, grant)| grant.expires.filter(|end| *end <= time));
    match expired {
        Some(end) => refuse(Code::GrantExpired, format!("a time before {end}"), time.to_string()),
        None => Ok(()),
    }
}

/// 18
pub(super) fn check_lives(branches: &Branches, id: &Id, branch: Number) -> Result<()> {
    let own = branches.number(id);
    let inside = own.map(|own| branches.in_lineage(branch, own)).transpose()?;
    if inside == Some(true) {
        return Ok(());
    }
    let expected = "a branch that the sub-agent's own is in the lineage of";
    refuse(Code::GrantPlace, expected, text::hex(&branches.get(branch)?.id))
}

impl Case<'_> {
    /// 18, 19
    pub(super) fn check_reach(&self, id: &Id, grant: &Grant, prefix: Prefix) -> Result<()> {
        // 18
        check_lives(&self.conversation.branches, id, prefix.branch)?;
        // 19
        let claims = self.claims;
        let beyond = |got: &'static str| refuse(Code::GrantScope, "what the sub-agent was granted", got);
        if claims.kind == Kind::Fork && grant.rights & GrantPart::FORK == 0 {
            return beyond("a fork");
        }
        if !claims.merges.is_empty() && grant.rights & GrantPart::MERGE == 0 {
            return beyond("a merge");
        }
        if claims.kind == Kind::Rollback && grant.rights & GrantPart::ROLL_BACK == 0 {
            return beyond("a rollback");
        }
        if let Some(to) = &grant.to
            && !claims.recipients.iter().all(|recipient| to.contains(recipient))
        {
            return beyond("another recipient");
        }
        if let (Some(state), Some(steps)) = (&claims.workflow, &grant.steps)
            && !steps.iter().any(|pattern| pattern.covers(state.step.as_str()))
        {
            return beyond("another step");
        }
        if claims.workflow.as_ref().is_some_and(|state| state.approves.is_some()) {
            return beyond("an approval");
        }
        if matches!(claims.act, Some(Act::Close(true))) {
            return beyond("the end of the conversation");
        }
        Ok(())
    }

    /// 24: the grant that a fork hands out, if it does.
    pub(super) fn check_fork(&self, own: Option<&Grant>) -> Result<Option<Grant>> {
        let Some(Act::Fork(Some(part))) = &self.claims.act else {
            return Ok(None);
        };
        let key = self.check_fork_key(part)?;
        if let Some(end) = part.expires.filter(|end| *end <= self.stamp.time) {
            return refuse(Code::ForkForm, format!("an expiry after {}", self.stamp.time), end.to_string());
        }
        if let Some(own) = own
            && let Some(wider) = wider(part, own)
        {
            return refuse(Code::ForkWidens, "a grant within that of its author", wider);
        }
        Grant::new(part, key, self.claims.agent, self.claims.grant).map(Some)
    }

    fn check_fork_key(&self, part: &GrantPart) -> Result<EnrolledKey> {
        let wrong = |got: String| Error::new(Code::ForkKey, "a sound new key, offered by its holder", got);
        let key = EnrolledKey::enrol(&part.key).map_err(|fault| wrong(fault.code.as_str().to_owned()))?;
        // One key, one agent: a child's words could be passed off as a member's.
        if self.registry.knows_key(self.stamp.registry_size, &part.key) {
            return Err(wrong("an enrolled key".to_owned()));
        }
        if self.conversation.granted_keys.contains(&part.key) {
            return Err(wrong("a key that was granted before".to_owned()));
        }
        let name = Name::parse(CHILD)?;
        let offer =
            Offer { realm: self.registry.realm(), purpose: Purpose::Message, name: &name, next: part.next.as_ref() };
        offer.check(&part.key, &part.offer).map_err(|fault| wrong(format!("an offer: {}", fault.code.as_str())))?;
        Ok(key)
    }
}

/// dag.3.3: in what a grant goes beyond the one it hangs from.
fn wider(part: &GrantPart, own: &Grant) -> Option<&'static str> {
    let steps = own.steps.as_ref().is_none_or(|allowed| {
        let covered = |step: &str| allowed.iter().any(|pattern| pattern.covers(step));
        part.steps.as_ref().is_some_and(|steps| steps.iter().all(|step| covered(step.as_str())))
    });
    let to = own.to.as_ref().is_none_or(|allowed| {
        part.to.as_ref().is_some_and(|to| to.iter().all(|recipient| allowed.contains(recipient)))
    });
    let expires = own.expires.is_none_or(|end| part.expires.is_some_and(|own_end| own_end <= end));
    let all = [
        (steps, "other steps"),
        (to, "other recipients"),
        (part.rights & !own.rights == 0, "other rights"),
        (expires, "a later expiry"),
        (part.depth < own.depth, "no smaller depth"),
    ];
    all.into_iter().find(|(within, _)| !within).map(|(_, wider)| wider)
}
