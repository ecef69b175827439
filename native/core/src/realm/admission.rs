//! The one function (admission.md): what every replica decides of an entry, from the state and the stamp alone.
//!
//! The numbers in the comments are those of admission.2. Those of grants are in `grants`, of rollbacks in `rollback`, of workflows in `work_checks`.

use super::branches::{Ancestors, Branch, Branches, Prefix};
use super::conversation::{Conversation, Grant, Step};
use super::delta::{Delta, Effect, Verdict};
use super::grants::check_grants;
use super::halts::Covered;
use super::record::Home;
use super::registry::Registry;
use super::registry_checks::{self, check_context, check_live, check_purpose};
use super::state::{State, conversation_in};
use super::work::Work;
use super::work_checks::{self, Actor, Seen, Taking};
use crate::errors::{Code, Error, Result};
use crate::identity::{Name, Purpose};
use crate::limits::{SEQ_COUNTER_JUMP, SEQ_EPOCH_AHEAD};
use crate::message::{Act, Addr, AuthenticEnvelope, Claims, Id, Kind, Merge, OpenPart, Seq};
use crate::text;

/// What the log puts on an entry: a time that never goes back, and how many registry entries stand below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub time: u64,
    pub registry_size: u64,
}

pub(super) fn refuse<T>(
    code: Code,
    expected: impl Into<std::borrow::Cow<'static, str>>,
    got: impl Into<std::borrow::Cow<'static, str>>,
) -> Result<T> {
    Err(Error::new(code, expected, got))
}

/// The verdict on an entry that was screened (admission.1). Changes nothing, reads no clock, no disk, no body.
///
/// An error is no verdict: the caller gave an entry that this state never screened, or something of ours is broken.
pub fn admit(state: &State, stamp: Stamp, entry: &AuthenticEnvelope) -> Result<Verdict> {
    let claims = entry.claims();
    let judged = if state.registry.is_none() {
        found(entry)
    } else if claims.kind.is_of_registry() {
        judge_registry(state, stamp, entry)
    } else {
        judge_conversation(state, stamp, entry)
    };
    let conversation = conversation_in(claims, entry.id());
    let delta = |home, seq, effect| Delta { id: *entry.id(), conversation, home, author: claims.agent, seq, effect };
    match judged {
        Ok((home, effect)) => Ok(Verdict::Admitted(delta(home, claims.seq.map(|seq| (claims.agent, seq)), effect))),
        Err(error) if is_verdict(error.code) => {
            let seq = burned(state, stamp, claims, &conversation);
            Ok(Verdict::Rejected(error, delta(Home::NONE, seq, Effect::Rejected)))
        }
        Err(error) => Err(error),
    }
}

/// The codes with which an entry can be rejected (errors.4). Everything else is no judgement on it.
fn is_verdict(code: Code) -> bool {
    (301..380).contains(&code.number())
}

/// admission.2.8: a number that was used in a rejected entry is used.
fn burned(state: &State, stamp: Stamp, claims: &Claims, conversation: &Id) -> Option<(Id, Seq)> {
    let last = match state.conversation(conversation) {
        Some(found) => found.last_seq(&claims.agent),
        None => state.registry().filter(|registry| registry.realm() == conversation)?.last_seq(&claims.agent),
    };
    let seq = check_seq(claims.seq, last, stamp.time).ok()?;
    Some((claims.agent, seq))
}

fn found(entry: &AuthenticEnvelope) -> Result<(Home, Effect)> {
    let Some(Act::Genesis(genesis)) = &entry.claims().act else {
        return refuse(Code::Internal, "a genesis, as it was screened", "another entry");
    };
    // GenesisInvalid lies among the verdicts, but the first genesis is screened with the same checks.
    let keys = registry_checks::judge_genesis(genesis, &entry.claims().agent)?;
    Ok((Home { branch: *entry.id(), index: 0 }, Effect::Found(genesis.clone(), keys)))
}

fn judge_registry(state: &State, stamp: Stamp, entry: &AuthenticEnvelope) -> Result<(Home, Effect)> {
    let registry = state.founded()?;
    if registry.size() != stamp.registry_size {
        return refuse(Code::Internal, "a stamp of the registry as it is", "another");
    }
    if entry.claims().kind == Kind::Genesis {
        return refuse(Code::GenesisInvalid, "a genesis as the first entry of the realm only", "one later");
    }
    let change = registry_checks::judge(registry, stamp, entry)?;
    Ok((Home { branch: *registry.realm(), index: registry.size() }, Effect::Registry(change)))
}

fn judge_conversation(state: &State, stamp: Stamp, entry: &AuthenticEnvelope) -> Result<(Home, Effect)> {
    let registry = state.founded()?;
    if registry.size() < stamp.registry_size {
        return refuse(Code::Internal, "a stamp of this registry or an older one", "a newer one");
    }
    if let Some(open) = &entry.claims().open {
        return judge_open(state, registry, stamp, entry, open);
    }
    let Some(conversation) = state.conversation(&entry.claims().conversation) else {
        return refuse(Code::Internal, "a conversation, as it was screened", "none");
    };
    Case { registry, conversation, stamp, entry, claims: entry.claims() }.judge()
}

/// Checks 1, 2, 3, 7, 8, 10, 11 and 32 to 40: all that an open can fail.
fn judge_open(
    state: &State,
    registry: &Registry,
    stamp: Stamp,
    entry: &AuthenticEnvelope,
    open: &OpenPart,
) -> Result<(Home, Effect)> {
    let claims = entry.claims();
    let r = stamp.registry_size;
    let held = registry.key(r, &claims.agent, entry.kid())?;
    // 1, 2
    check_live(registry, r, &claims.agent, held)?;
    check_purpose(held.signer.purpose, Purpose::Message)?;
    // 3
    check_member(open.members.as_deref(), &claims.agent, &held.groups)?;
    // 7
    let definition = open.definition.as_ref();
    check_halts(registry, r, &Covered::entry((entry.id(), None), definition, (entry.id(), claims), &[]))?;
    // 8: only a replay meets it; an engine answers a duplicate with the original receipt.
    if state.conversation(entry.id()).is_some() {
        return refuse(Code::SeqUsed, "an open that was not sequenced before", "one that was");
    }
    // 10, 11
    check_context(registry, r, claims.context.registry_size, &claims.context.registry_fingerprint)?;
    // 32 to 40
    work_checks::check_named(registry, r, open)?;
    let actor = Actor { principal: &claims.agent, groups: &held.groups };
    let taking = |state| Taking { registry, stamp, state, entry: entry.id(), actor, seen: None };
    let work = claims.workflow.as_ref().map(|state| taking(state).check(open, None)).transpose()?;
    Ok((Home { branch: *entry.id(), index: 0 }, Effect::Open(open.clone(), work)))
}

/// An entry of a conversation that exists, with all that it is judged by.
pub(super) struct Case<'a> {
    pub registry: &'a Registry,
    pub conversation: &'a Conversation,
    pub stamp: Stamp,
    pub entry: &'a AuthenticEnvelope,
    pub claims: &'a Claims,
}

impl Case<'_> {
    /// The numbered checks: the first that fails gives the code.
    fn judge(&self) -> Result<(Home, Effect)> {
        let chain = match self.claims.grant {
            Some(id) => self.conversation.chain(id)?,
            None => Vec::new(),
        };
        // 1 to 3: whose word it is in the end, and whether he has a say here.
        let actor = self.check_principal(&chain)?;
        // 4 to 6: a grant that was undone, or has ended, anywhere up the chain, ends all below it.
        check_grants(self.conversation, self.stamp.time, &chain)?;
        // 7: what somebody has stopped.
        let conversation = self.conversation;
        let (id, definition) = (conversation.id(), conversation.open.definition.as_ref());
        let own = (self.entry.id(), self.claims);
        let covered = Covered::entry((id, Some(conversation)), definition, own, &chain);
        check_halts(self.registry, self.stamp.registry_size, &covered)?;
        // 8, 9: a number used twice; a stolen key that uses up all numbers at once.
        check_seq(self.claims.seq, self.conversation.last_seq(&self.claims.agent), self.stamp.time)?;
        // 10, 11: a revocation withheld from the author shows in what it had seen of the registry.
        let context = &self.claims.context;
        check_context(self.registry, self.stamp.registry_size, context.registry_size, &context.registry_fingerprint)?;
        // 12 to 17: a message dropped, altered, moved or put in between.
        let prefix = self.check_place()?;
        // 18, 19: a sub-agent outside what it was given.
        if let Some((id, grant)) = chain.first() {
            self.check_reach(id, grant, prefix)?;
        }
        // 20 to 23
        self.check_merges(prefix)?;
        // 24
        let grant = self.check_fork(chain.first().map(|(_, grant)| *grant))?;
        // 25 to 31
        let rollback = self.check_rollback(prefix, actor, chain.first().map(|(id, _)| id))?;
        if let Some((home, step)) = rollback {
            return Ok((home, Effect::Step(step)));
        }
        // 32 to 40: work out of order.
        let work = self.check_work(prefix, actor)?;
        self.conclude(prefix, grant, work)
    }

    fn check_work(&self, prefix: Prefix, actor: Actor<'_>) -> Result<Option<Work>> {
        let Some(state) = &self.claims.workflow else { return Ok(None) };
        let branches = &self.conversation.branches;
        let mut ancestors = branches.ancestors(prefix)?;
        for merge in &self.claims.merges {
            ancestors = branches.with_head(ancestors, branches.head(merge)?)?;
        }
        let seen = Some(Seen { branches, ancestors: &ancestors });
        let taking = Taking { registry: self.registry, stamp: self.stamp, state, entry: self.entry.id(), actor, seen };
        taking.check(&self.conversation.open, Some(self.conversation)).map(Some)
    }

    fn conclude(&self, prefix: Prefix, grant: Option<Grant>, work: Option<Work>) -> Result<(Home, Effect)> {
        let branch = self.conversation.branches.get(prefix.branch)?;
        let (home, step) = match self.claims.act {
            Some(Act::Fork(_)) => {
                let home = Home { branch: *self.entry.id(), index: prefix.size };
                (home, Step::Fork { context: prefix, grant: grant.map(Box::new) })
            }
            ref act => {
                let close = if let Some(Act::Close(whole)) = act { Some(*whole) } else { None };
                let home = Home { branch: branch.id, index: branch.size };
                (
                    home,
                    Step::Leaf {
                        branch: prefix.branch,
                        merges: self.claims.merges.clone(),
                        close,
                        work: work.map(Box::new),
                    },
                )
            }
        };
        Ok((home, Effect::Step(step)))
    }

    /// 1 to 3. Whose word it is, and in which groups.
    fn check_principal<'a>(&'a self, chain: &[(Id, &'a Grant)]) -> Result<Actor<'a>> {
        let r = self.stamp.registry_size;
        let Some((_, first)) = chain.last() else {
            let held = self.registry.key(r, &self.claims.agent, self.entry.kid())?;
            check_live(self.registry, r, &self.claims.agent, held)?;
            check_purpose(held.signer.purpose, Purpose::Message)?;
            check_member(self.conversation.members(), &self.claims.agent, &held.groups)?;
            return Ok(Actor { principal: &self.claims.agent, groups: &held.groups });
        };
        let live = self.registry.agent(&first.by).and_then(|agent| agent.live(r));
        let Some(held) = live else {
            return refuse(Code::PrincipalRevoked, "a live principal of the sub-agent", "one that was revoked");
        };
        check_purpose(held.signer.purpose, Purpose::Message)?;
        check_member(self.conversation.members(), &first.by, &held.groups)?;
        Ok(Actor { principal: &first.by, groups: &held.groups })
    }

    /// 12 to 17: the prefix of its branch that the author had consumed.
    fn check_place(&self) -> Result<Prefix> {
        let (claims, branches) = (self.claims, &self.conversation.branches);
        // 12
        check_open(self.conversation)?;
        // 13
        let Some(number) = branches.number(&claims.branch) else {
            return refuse(Code::BranchUnknown, "a branch of this conversation", text::hex(&claims.branch));
        };
        let branch = branches.get(number)?;
        let n = claims.context.size;
        // 14
        if n > branch.size {
            return refuse(
                Code::ContextAhead,
                format!("at most the {} entries of the branch", branch.size),
                n.to_string(),
            );
        }
        // 15: what lies at or below the base is the history of the branch further up, under that branch's name.
        if n <= branch.base {
            return refuse(
                Code::ContextUnder,
                format!("more than the {} inherited entries", branch.base),
                n.to_string(),
            );
        }
        // 16
        let leaf = branches.leaf(number, n - 1)?;
        if claims.parent != Some(leaf) {
            let got = claims.parent.map_or_else(String::new, |parent| text::hex(&parent));
            return refuse(Code::ContextForked, format!("parent {}", text::hex(&leaf)), got);
        }
        let prefix = Prefix { branch: number, size: n };
        let fingerprint = branches.fingerprint(prefix)?;
        if fingerprint != claims.context.fingerprint {
            let expected = format!("fingerprint {} of {n} entries", text::hex(&fingerprint));
            return refuse(Code::ContextForked, expected, text::hex(&claims.context.fingerprint));
        }
        // 17
        check_writable(branches, branch)?;
        Ok(prefix)
    }

    /// 20 to 23
    fn check_merges(&self, prefix: Prefix) -> Result<()> {
        let merges = &self.claims.merges;
        if merges.is_empty() {
            return Ok(());
        }
        // 20
        if self.claims.kind != Kind::Message {
            return refuse(Code::MergeForm, "merges in a message only", self.claims.kind.as_str());
        }
        // 21
        merges.iter().try_for_each(|merge| self.check_head(merge))?;
        // 22
        merges.iter().try_for_each(|merge| self.check_held(merge))?;
        // 23: what names nothing new only pretends to bring work together.
        let branches = &self.conversation.branches;
        let mut seen: Ancestors = branches.ancestors(prefix)?;
        for merge in merges {
            let head = branches.head(merge)?;
            if branches.covered(&seen, head.branch)? >= head.size {
                return refuse(Code::MergeStale, "a head that brings something new", text::hex(&merge.branch));
            }
            seen = branches.with_head(seen, head)?;
        }
        Ok(())
    }

    /// 22 for one head.
    fn check_held(&self, merge: &Merge) -> Result<()> {
        let branches = &self.conversation.branches;
        let end = branches.get(branches.head(merge)?.branch)?.end();
        if merge.size > end {
            return refuse(
                Code::MergeUndone,
                format!("at most the {end} entries that it holds"),
                merge.size.to_string(),
            );
        }
        Ok(())
    }

    /// 21 for one head.
    fn check_head(&self, merge: &Merge) -> Result<()> {
        let branches = &self.conversation.branches;
        let Some(number) = branches.number(&merge.branch) else {
            return refuse(Code::MergeUnknown, "a branch of this conversation", text::hex(&merge.branch));
        };
        let branch = branches.get(number)?;
        if merge.size > branch.size {
            let expected = format!("at most the {} entries of the branch", branch.size);
            return refuse(Code::MergeAhead, expected, merge.size.to_string());
        }
        if merge.size <= branch.base {
            let expected = format!("more than the {} inherited entries", branch.base);
            return refuse(Code::MergeUnder, expected, merge.size.to_string());
        }
        let fingerprint = branches.fingerprint(Prefix { branch: number, size: merge.size })?;
        if fingerprint != merge.fingerprint {
            let expected = format!("fingerprint {} of {} entries", text::hex(&fingerprint), merge.size);
            return refuse(Code::MergeForked, expected, text::hex(&merge.fingerprint));
        }
        Ok(())
    }
}

/// 17
pub(super) fn check_writable(branches: &Branches, branch: &Branch) -> Result<()> {
    if branch.undone {
        return refuse(Code::BranchUndone, "a branch that was not undone", text::hex(&branch.id));
    }
    if branch.closed {
        return refuse(Code::BranchClosed, "an open branch", "one that is closed");
    }
    if let Some(next) = branch.successor {
        let successor = text::hex(&branches.get(next)?.id);
        return refuse(Code::BranchSuperseded, format!("its successor {successor}"), text::hex(&branch.id));
    }
    Ok(())
}

/// 12
pub(super) fn check_open(conversation: &Conversation) -> Result<()> {
    if conversation.closed {
        return refuse(Code::ConversationClosed, "an open conversation", "one that is closed");
    }
    Ok(())
}

/// 3
pub(super) fn check_member(members: Option<&[Addr]>, principal: &Id, groups: &[Name]) -> Result<()> {
    let listed = members.is_none_or(|members| {
        members.iter().any(|member| match member {
            Addr::Id(id) => id == principal,
            Addr::Name(group) => groups.contains(group),
        })
    });
    if listed {
        return Ok(());
    }
    refuse(Code::NotAMember, "a member, by its id or a group of its own", text::hex(principal))
}

/// 7
pub(super) fn check_halts(registry: &Registry, r: u64, case: &Covered<'_>) -> Result<()> {
    match registry.halts().covering(r, case)? {
        None => Ok(()),
        Some(halt) => refuse(Code::Halted, "an entry that no halt covers", format!("halt {}", text::hex(&halt))),
    }
}

/// 8, 9
pub(super) fn check_seq(seq: Option<Seq>, last: Option<Seq>, time: u64) -> Result<Seq> {
    let Some(seq) = seq else {
        return refuse(Code::Internal, "an entry with a number", "one without");
    };
    let show = |seq: Seq| format!("[{}, {}]", seq.epoch, seq.counter);
    if let Some(last) = last.filter(|last| seq <= *last) {
        return refuse(Code::SeqUsed, format!("a number above {}", show(last)), show(seq));
    }
    let latest = time.saturating_add(SEQ_EPOCH_AHEAD);
    if seq.epoch > latest {
        return refuse(Code::SeqWindow, format!("an epoch of at most {latest}"), seq.epoch.to_string());
    }
    let start = last.filter(|last| last.epoch == seq.epoch).map_or(0, |last| last.counter);
    if seq.counter - start > SEQ_COUNTER_JUMP {
        let most = u64::from(start) + u64::from(SEQ_COUNTER_JUMP);
        return refuse(Code::SeqWindow, format!("a counter of at most {most}"), seq.counter.to_string());
    }
    Ok(seq)
}
