//! Writing in a realm: claims over the context that an agent has consumed, as a state knows it (fingerprint.3, dag.1).

use super::branches::Prefix;
use super::state::State;
use crate::errors::{Code, Error, Result};
use crate::identity::EnrolledKey;
use crate::message::{
    Act, Addr, BodyPart, Claims, Context, Draft, GenesisPart, GrantPart, HaltPart, Id, Kind, Merge, OpenPart, Proposal,
    RegistryPart, RollbackPart, Seq, WorkflowState, ZERO, body_claim, sorted,
};
use crate::text;

/// Who writes: the key that will sign, and the agent that it acts for.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    pub key: &'a EnrolledKey,
    pub agent: Id,
    /// A sub-agent's grant, which has its own id.
    pub grant: Option<Id>,
}

/// What every entry of a conversation has. Salts are the caller's randomness, and the number is one that was never used.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    pub recipients: Vec<Addr>,
    pub seq: Seq,
    pub time: u64,
    pub salt: [u8; 16],
    pub body: Option<(BodyPart<'a>, &'a str)>,
    /// The step that a message or an open takes or approves (workflow.3).
    pub workflow: Option<WorkflowState>,
}

/// A prefix of the registry that an agent has consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenRegistry {
    pub realm: Id,
    pub size: u64,
    pub fingerprint: Id,
    pub last: Id,
}

/// A prefix of a branch that an agent has consumed, and of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub registry: SeenRegistry,
    pub conversation: Id,
    pub branch: Id,
    pub size: u64,
    pub fingerprint: Id,
    pub parent: Id,
}

impl State {
    /// The registry up to `size` entries; at most what there is. Raises `ArgumentRange`.
    pub fn seen_registry(&self, size: u64) -> Result<SeenRegistry> {
        let registry = self.founded()?;
        if size == 0 || size > registry.size() {
            let expected = format!("1 to {} entries of the registry", registry.size());
            return Err(Error::new(Code::ArgumentRange, expected, size.to_string()));
        }
        let (fingerprint, last) = (registry.fingerprint(size)?, registry.leaf(size - 1)?);
        Ok(SeenRegistry { realm: *registry.realm(), size, fingerprint, last })
    }

    /// A branch up to `size` entries, more than it inherits and at most what there is. Raises `ConversationUnknown`,
    /// `BranchUnknown`, `ArgumentRange`.
    pub fn seen(&self, registry: SeenRegistry, conversation: &Id, branch: &Id, size: u64) -> Result<Seen> {
        let merge = self.head_of(conversation, branch, size)?;
        let branches = self.branches_of(conversation)?;
        let number = branches.head(&merge)?.branch;
        let parent = branches.leaf(number, size.saturating_sub(1))?;
        Ok(Seen {
            registry,
            conversation: *conversation,
            branch: *branch,
            size,
            fingerprint: merge.fingerprint,
            parent,
        })
    }

    /// A head that can be merged.
    pub fn head_of(&self, conversation: &Id, branch: &Id, size: u64) -> Result<Merge> {
        let branches = self.branches_of(conversation)?;
        let Some(number) = branches.number(branch) else {
            return Err(Error::new(Code::BranchUnknown, "a branch of this conversation", text::hex(branch)));
        };
        let found = branches.get(number)?;
        if size <= found.base || size > found.size {
            let expected = format!("a size from {} to {}", found.base + 1, found.size);
            return Err(Error::new(Code::ArgumentRange, expected, size.to_string()));
        }
        let fingerprint = branches.fingerprint(Prefix { branch: number, size })?;
        Ok(Merge { branch: *branch, size, fingerprint })
    }

    fn branches_of(&self, conversation: &Id) -> Result<&super::branches::Branches> {
        let found = self.conversation(conversation).map(super::conversation::Conversation::branches);
        found.ok_or_else(|| {
            Error::new(Code::ConversationUnknown, "a conversation of this realm", text::hex(conversation))
        })
    }
}

fn context_of(registry: &SeenRegistry, size: u64, fingerprint: Id) -> Context {
    Context { size, fingerprint, registry_size: registry.size, registry_fingerprint: registry.fingerprint }
}

/// An `open`: a conversation begins. It has no number.
pub fn draft_open(author: Author<'_>, parts: &Parts<'_>, registry: &SeenRegistry, open: OpenPart) -> Result<Draft> {
    let open = OpenPart { members: open.members.map(sorted).transpose()?, ..open };
    let context = context_of(registry, 0, ZERO);
    let claims =
        Claims { open: Some(open), seq: None, ..claims_of(author, parts, Kind::Open, registry.realm, context)? };
    Draft::of(author.key, &claims)
}

/// A `message`, which may merge other heads.
pub fn draft_message(author: Author<'_>, parts: &Parts<'_>, seen: &Seen, mut merges: Vec<Merge>) -> Result<Draft> {
    merges.sort_by_key(|merge| merge.branch);
    let claims = Claims { merges, ..claims_over(author, parts, Kind::Message, seen)? };
    Draft::of(author.key, &claims)
}

/// A `fork`: the author goes on in a branch of its own, or grants it to a sub-agent.
pub fn draft_fork(author: Author<'_>, parts: &Parts<'_>, seen: &Seen, grant: Option<GrantPart>) -> Result<Draft> {
    let grant = grant.map(|grant| -> Result<_> {
        let to = grant.to.map(sorted).transpose()?;
        let steps = grant.steps.map(|mut steps| {
            steps.sort_by_key(|step| (step.as_str().len(), step.as_str().to_owned()));
            steps.dedup();
            steps
        });
        Ok(Box::new(GrantPart { to, steps, ..grant }))
    });
    let act = Some(Act::Fork(grant.transpose()?));
    let claims = Claims { act, ..claims_over(author, parts, Kind::Fork, seen)? };
    Draft::of(author.key, &claims)
}

/// A `rollback`, with the closure as it was looked at (rollback.1).
pub fn draft_rollback(author: Author<'_>, parts: &Parts<'_>, seen: &Seen, part: RollbackPart) -> Result<Draft> {
    let claims =
        Claims { act: Some(Act::Rollback(Box::new(part))), ..claims_over(author, parts, Kind::Rollback, seen)? };
    Draft::of(author.key, &claims)
}

/// A `close` of the branch, or of the whole conversation.
pub fn draft_close(author: Author<'_>, parts: &Parts<'_>, seen: &Seen, whole: bool) -> Result<Draft> {
    let claims = Claims { act: Some(Act::Close(whole)), ..claims_over(author, parts, Kind::Close, seen)? };
    Draft::of(author.key, &claims)
}

/// The first entry of a realm, by one of its roots.
pub fn draft_genesis(key: &EnrolledKey, genesis: GenesisPart, time: u64, salt: [u8; 16]) -> Result<Draft> {
    let author = Author { key, agent: *key.thumbprint(), grant: None };
    let parts =
        Parts { recipients: Vec::new(), seq: Seq { epoch: 0, counter: 0 }, time, salt, body: None, workflow: None };
    let claims = claims_of(author, &parts, Kind::Genesis, ZERO, Context::EMPTY)?;
    Draft::of(key, &Claims { seq: None, act: Some(Act::Genesis(Box::new(genesis))), ..claims })
}

/// What a root wants of the registry: a proposal of its own.
pub fn draft_proposal(
    author: Author<'_>,
    parts: &Parts<'_>,
    registry: &SeenRegistry,
    proposal: Proposal,
) -> Result<Draft> {
    let kind = proposal.kind();
    draft_registry(author, parts, registry, kind, RegistryPart { own: Some(proposal), approves: None })
}

/// Or the approval of somebody else's, which is of this kind.
pub fn draft_approval(
    author: Author<'_>,
    parts: &Parts<'_>,
    registry: &SeenRegistry,
    kind: Kind,
    id: Id,
) -> Result<Draft> {
    draft_registry(author, parts, registry, kind, RegistryPart { own: None, approves: Some(id) })
}

fn draft_registry(
    author: Author<'_>,
    parts: &Parts<'_>,
    registry: &SeenRegistry,
    kind: Kind,
    part: RegistryPart,
) -> Result<Draft> {
    let context = context_of(registry, registry.size, registry.fingerprint);
    let claims = Claims {
        conversation: registry.realm,
        branch: registry.realm,
        parent: Some(registry.last),
        act: Some(Act::Registry(Box::new(part))),
        ..claims_of(author, parts, kind, registry.realm, context)?
    };
    Draft::of(author.key, &claims)
}

/// When, and the caller's randomness: all that a halt or a resume has besides what it says.
#[derive(Clone, Copy, Debug)]
pub struct Bare {
    pub realm: Id,
    pub time: u64,
    pub salt: [u8; 16],
}

/// A halt by an operator, or with `local` one of somebody on the host, by the sequencer (halt.1). Raises `ArgumentRange`, `ClaimRange`.
pub fn draft_halt(author: Author<'_>, bare: Bare, part: HaltPart, local: bool) -> Result<Draft> {
    let kind = if local { Kind::LocalHalt } else { Kind::Halt };
    draft_bare(author, bare, kind, Act::Halt(Box::new(part)))
}

/// The end of halts, as a proposal.
pub fn draft_resume(author: Author<'_>, bare: Bare, mut halts: Vec<Id>, reason: String) -> Result<Draft> {
    halts.sort_unstable();
    halts.dedup();
    let own = Some(Proposal::Resume { halts, reason });
    draft_bare(author, bare, Kind::Resume, Act::Registry(Box::new(RegistryPart { own, approves: None })))
}

/// The approval of a resume that is open.
pub fn draft_resume_approval(author: Author<'_>, bare: Bare, proposal: Id) -> Result<Draft> {
    let part = RegistryPart { own: None, approves: Some(proposal) };
    draft_bare(author, bare, Kind::Resume, Act::Registry(Box::new(part)))
}

fn draft_bare(author: Author<'_>, bare: Bare, kind: Kind, act: Act) -> Result<Draft> {
    Draft::of(author.key, &bare_claims(author.agent, bare, kind, act))
}

/// The claims of a local halt of this sequencer.
pub(super) fn local_halt(agent: Id, bare: Bare, part: HaltPart) -> Claims {
    bare_claims(agent, bare, Kind::LocalHalt, Act::Halt(Box::new(part)))
}

fn bare_claims(agent: Id, bare: Bare, kind: Kind, act: Act) -> Claims {
    let Bare { realm, time, salt } = bare;
    Claims {
        realm,
        conversation: realm,
        kind,
        agent,
        grant: None,
        context: Context::EMPTY,
        branch: realm,
        parent: None,
        merges: Vec::new(),
        workflow: None,
        recipients: Vec::new(),
        seq: None,
        time,
        salt,
        body: None,
        open: None,
        act: Some(act),
    }
}

fn claims_over(author: Author<'_>, parts: &Parts<'_>, kind: Kind, seen: &Seen) -> Result<Claims> {
    let context = context_of(&seen.registry, seen.size, seen.fingerprint);
    Ok(Claims {
        conversation: seen.conversation,
        branch: seen.branch,
        parent: Some(seen.parent),
        ..claims_of(author, parts, kind, seen.registry.realm, context)?
    })
}

fn claims_of(author: Author<'_>, parts: &Parts<'_>, kind: Kind, realm: Id, context: Context) -> Result<Claims> {
    Ok(Claims {
        realm,
        conversation: ZERO,
        kind,
        agent: author.agent,
        grant: author.grant,
        context,
        branch: ZERO,
        parent: None,
        merges: Vec::new(),
        workflow: parts.workflow.clone(),
        recipients: sorted(parts.recipients.clone())?,
        seq: Some(parts.seq),
        time: parts.time,
        salt: parts.salt,
        body: parts.body.as_ref().map(|(body, media_type)| body_claim(body, media_type)).transpose()?,
        open: None,
        act: None,
    })
}
