"""The one function (spec admission): what becomes of an entry, given what was before it, and of nothing else.

    verdict = admit(state, Stamp(time, registry_size), envelope)        Admitted, or Rejected with a code
    apply(state, envelope, verdict)                                     what it changes

Before an entry is judged it is screened (admission.1): ``check_authentic``, ``check_realm``, ``check_place``. There is no
clock, disk, network, randomness or body in any of it. The numbers beside the checks are those of admission.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from ama2sec.errors import Ama2Error, error
from ama2sec.reference import halts, rollbacks, workflows
from ama2sec.reference import registry as rules
from ama2sec.reference.claims import (
    CLOSE,
    FORK,
    GENESIS,
    MESSAGE,
    NO_ID,
    OF_THE_REGISTRY,
    OPEN,
    REGISTRY_KINDS,
    RESUME,
    ROLLBACK,
    STOP_KINDS,
    Claims,
)
from ama2sec.reference.dag import Branch, Conversation, Granted
from ama2sec.reference.envelope import Envelope
from ama2sec.reference.forms import Address, refuse
from ama2sec.reference.kinds import RIGHT_FORK, RIGHT_MERGE, RIGHT_ROLL_BACK, Genesis, Grant, lies_in
from ama2sec.reference.registry import Registry, RegistryChange
from ama2sec.reference.rollbacks import Cuts
from ama2sec.reference.rule_s import EnrolledKey, verify_enrolled
from ama2sec.reference.scopes import Halt
from ama2sec.reference.workflows import Move


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the log says of an entry: the recorded time in ms, and how many registry entries stand before it."""

    time: int
    registry_size: int


@dataclass(slots=True)
class State:
    """All that a verdict can depend on. ``registry`` is None before the genesis."""

    registry: Registry | None = None
    conversations: dict[bytes, Conversation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Admitted:
    """The entry has a home: leaf ``index`` of ``branch``. ``change`` is what it brings to the registry, or to a workflow, or cuts."""

    conversation: bytes
    branch: bytes
    index: int
    change: RegistryChange | Halt | Move | Cuts | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The entry is kept as evidence. ``burns`` says whether its number is used up (admission.2.8)."""

    conversation: bytes
    fault: Ama2Error
    burns: bool


Verdict: TypeAlias = Admitted | Rejected


# -- refused: admission.1 ------------------------------------------------------------------------------------------


def check_authentic(state: State, entry: Envelope) -> None:
    """Steps 2 and 3: the key is known, and the signature is by it."""
    verify_enrolled(_key(state, entry), entry.sig_structure, entry.signature)


def _key(state: State, entry: Envelope) -> EnrolledKey:  # 1.2
    claims = entry.claims
    if isinstance(claims.own, Genesis):
        return _key_of_root(claims.own, entry.kid)
    if state.registry is None:
        raise error("KeyUnknown", "a genesis first", f"kind {claims.kind}")
    if claims.grant is None:
        return state.registry.key(state.registry.size, claims.agent, entry.kid).key
    conversation = state.conversations.get(claims.conversation)
    granted = None if conversation is None else conversation.grants.get(claims.grant)
    if granted is None or granted.key.thumbprint != entry.kid:
        raise error("KeyUnknown", "the key of a child of this conversation", entry.kid.hex())
    return granted.key


def _key_of_root(genesis: Genesis, kid: bytes) -> EnrolledKey:
    for root in genesis.roots:
        try:
            key = EnrolledKey(root.key)
        except Ama2Error:
            continue
        if key.thumbprint == kid:
            return key
    raise error("KeyUnknown", "a root of this genesis", kid.hex())


def check_realm(state: State, entry: Envelope) -> None:
    """Step 5."""
    stated = entry.message_id if entry.claims.kind == GENESIS else entry.claims.realm
    if state.registry is not None and stated != state.registry.realm:
        refuse("RealmOther", state.registry.realm.hex(), stated.hex())


def check_place(state: State, entry: Envelope) -> None:
    """Steps 8 and 9: the conversation is there; a genesis is good."""
    claims = entry.claims
    if claims.kind in {MESSAGE, FORK, ROLLBACK, CLOSE} and claims.conversation not in state.conversations:
        refuse("ConversationUnknown", "a conversation of this realm", claims.conversation.hex())
    if isinstance(claims.own, Genesis):
        rules.check_genesis(claims.own, entry.kid)


# -- admitted or rejected: admission.2 -----------------------------------------------------------------------------


def conversation_of(entry: Envelope) -> bytes:
    """Which conversation a record names: that of an open is its own id, that of the registry is the realm's (record.1.1)."""
    own_history = entry.claims.kind in {OPEN, GENESIS}
    return entry.message_id if own_history else entry.claims.conversation


def admit(state: State, stamp: Stamp, entry: Envelope) -> Verdict:
    """The verdict on an entry that was screened. Nothing is changed."""
    claims, where = entry.claims, conversation_of(entry)
    registry = state.registry
    if registry is None:  # a genesis, by steps 1.2 and 1.9
        return Admitted(where, where, 0)
    if claims.kind == GENESIS:  # registry.3.7: in a realm that exists
        return Rejected(registry.realm, error("GenesisInvalid", "one genesis", "another"), burns=False)
    try:
        if claims.kind in OF_THE_REGISTRY:
            if stamp.registry_size != registry.size:
                raise error("Internal", f"registry size {registry.size}", str(stamp.registry_size))
            return Admitted(where, registry.realm, registry.size, _judge_for_registry(registry, stamp, entry))
        if claims.kind == OPEN:
            return Admitted(where, where, 0, _judge_open(state, registry, stamp, entry))
        conversation = state.conversations[where]
        judge = _Judge(registry, conversation, stamp, entry)
        principal = judge.check()  # 1 to 24
        if claims.rollback is not None:  # 25 to 31
            found = rollbacks.judge(registry, stamp.registry_size, entry, conversation, principal)
            return Admitted(where, found[0], claims.rollback.keep, found[1])
        move = judge.check_workflow(principal)  # 32 to 40
        if claims.kind == FORK:
            return Admitted(where, entry.message_id, claims.size)
        return Admitted(where, claims.branch, conversation.branches[claims.branch].size, move)
    except Ama2Error as fault:
        if fault.code == "Internal":
            raise
        return Rejected(where, fault, _burns(state, stamp, claims, where))


def _judge_for_registry(registry: Registry, stamp: Stamp, entry: Envelope) -> RegistryChange | Halt:
    if entry.claims.kind == RESUME:
        return halts.judge_resume(registry, entry)
    if entry.claims.kind in STOP_KINDS:
        return halts.judge_halt(registry, entry)
    return rules.judge(registry, stamp.time, entry)


def _burns(state: State, stamp: Stamp, claims: Claims, where: bytes) -> bool:  # 2.8
    if claims.seq is None:
        return False
    last = _seqs(state, claims, where).get(claims.agent)
    return (last is None or claims.seq > last) and rules.in_window(claims.seq, last, stamp.time)


def _seqs(state: State, claims: Claims, where: bytes) -> dict[bytes, tuple[int, int]]:
    if state.registry is not None and claims.kind in REGISTRY_KINDS:
        return state.registry.seqs
    return state.conversations[where].seqs


def _judge_open(state: State, registry: Registry, stamp: Stamp, entry: Envelope) -> Move | None:
    claims, size = entry.claims, stamp.registry_size
    agent = rules.check_live(registry, size, claims.agent, entry.kid)  # 1
    _check_principal(registry, size, agent.id, claims.members)  # 2, 3
    halts.check_halted(registry, size, entry, None)  # 7
    if entry.message_id in state.conversations:  # 8
        refuse("SeqUsed", "an open that is new", entry.message_id.hex())
    rules.check_registry_context(registry, size, claims)  # 10, 11
    return workflows.judge_open(registry, stamp.time, size, entry, agent.id)  # 32 to 40


def _check_principal(registry: Registry, size: int, principal: bytes, members: tuple[Address, ...] | None) -> None:
    if registry.agents[principal].purpose != rules.MESSAGE_PURPOSE:  # 2
        refuse("PurposeWrong", "a principal that speaks", str(registry.agents[principal].purpose))
    live = registry.live(size, principal)
    names = {principal} if live is None else {principal, *live.groups}
    if members is not None and not names & set(members):  # 3
        refuse("NotAMember", "a member of the conversation", principal.hex())


@dataclass(frozen=True, slots=True)
class _Judge:
    """The numbered checks of a message, a fork or a close, in order."""

    registry: Registry
    conversation: Conversation
    stamp: Stamp
    entry: Envelope

    @property
    def claims(self) -> Claims:
        return self.entry.claims

    @property
    def grant(self) -> Granted | None:
        """A child's own grant."""
        return None if self.claims.grant is None else self.conversation.grants[self.claims.grant]

    def check(self) -> bytes:
        """1 to 24. The principal. Raises the first fault."""
        principal = self.check_authority()  # 1 to 6
        halts.check_halted(self.registry, self.stamp.registry_size, self.entry, self.conversation)  # 7
        rules.check_seq(self.claims, self.conversation.seqs.get(self.claims.agent), self.stamp.time)  # 8, 9
        rules.check_registry_context(self.registry, self.stamp.registry_size, self.claims)  # 10, 11
        branch = self.check_context()  # 12 to 17
        if self.grant is not None:
            self.check_grant(branch, self.grant.grant)  # 18, 19
        self.check_merges(branch)  # 20 to 23
        if self.claims.fork is not None:
            self.check_fork(self.claims.fork)  # 24
        return principal

    def check_workflow(self, principal: bytes) -> Move | None:
        """32 to 40. What the entry does in a workflow."""
        size = self.stamp.registry_size
        return workflows.judge(self.registry, self.stamp.time, size, self.entry, self.conversation, principal)

    def check_authority(self) -> bytes:
        """The principal, who may speak here."""
        claims, size = self.claims, self.stamp.registry_size
        chain = [] if claims.grant is None else list(self.conversation.chain(claims.grant))
        if not chain:
            principal = rules.check_live(self.registry, size, claims.agent, self.entry.kid).id  # 1
        else:
            principal = chain[-1][1].by
            if self.registry.live(size, principal) is None:  # 1
                refuse("PrincipalRevoked", "a principal that is live", principal.hex())
        _check_principal(self.registry, size, principal, self.conversation.members)  # 2, 3
        for grant_id, _ in chain:  # 4
            if self.conversation.branches[grant_id].undone or self.conversation.tip(grant_id).undone:
                refuse("GrantUndone", "a grant that stands", grant_id.hex())
        for grant_id, _ in chain:  # 5
            if self.conversation.tip(grant_id).closed:
                refuse("GrantEnded", "a grant whose branch is open", grant_id.hex())
        for grant_id, granted in chain:  # 6
            if granted.grant.expires is not None and self.stamp.time >= granted.grant.expires:
                refuse("GrantExpired", f"a time before {granted.grant.expires}", f"{self.stamp.time}: {grant_id.hex()}")
        return principal

    def check_context(self) -> Branch:
        claims = self.claims
        if self.conversation.closed:  # 12
            refuse("ConversationClosed", "an open conversation", "a closed one")
        branch = self.conversation.branches.get(claims.branch)
        if branch is None:  # 13
            raise error("BranchUnknown", "a branch of the conversation", claims.branch.hex())
        if claims.size > branch.size:  # 14
            refuse("ContextAhead", f"a context of at most {branch.size}", str(claims.size))
        if claims.size <= branch.base:  # 15
            refuse("ContextUnder", f"a context above {branch.base}", str(claims.size))
        if claims.parent != branch.leaves[claims.size - 1]:  # 16
            refuse("ContextForked", branch.leaves[claims.size - 1].hex(), "another parent")
        if claims.fingerprint != branch.fingerprint(claims.size):  # 16
            refuse("ContextForked", branch.fingerprint(claims.size).hex(), claims.fingerprint.hex())
        if branch.undone:  # 17
            refuse("BranchUndone", "a branch that stands", claims.branch.hex())
        if branch.closed:  # 17
            refuse("BranchClosed", "an open branch", claims.branch.hex())
        if branch.successor is not None:  # 17
            refuse("BranchSuperseded", branch.successor.hex(), claims.branch.hex())
        return branch

    def check_grant(self, branch: Branch, grant: Grant) -> None:
        claims = self.claims
        if claims.grant not in {each.id for each in branch.lineage()}:  # 18
            refuse("GrantPlace", "the child's branch, or a fork of it", branch.id.hex())
        state = claims.workflow_state
        fits = (  # 19
            claims.kind != FORK or grant.rights & RIGHT_FORK,
            not claims.merges or grant.rights & RIGHT_MERGE,
            claims.kind != ROLLBACK or grant.rights & RIGHT_ROLL_BACK,
            grant.to is None or set(claims.recipients or ()) <= set(grant.to),
            state is None or grant.steps is None or _in_one_of(state.step, grant.steps),
            state is None or state.approves is None,
            not claims.close,
        )
        if not all(fits):
            refuse("GrantScope", "what the grant allows", "more")

    def check_merges(self, branch: Branch) -> None:
        claims = self.claims
        if claims.merges and claims.kind != MESSAGE:  # 20
            refuse("MergeForm", "merges in a message", f"in kind {claims.kind}")
        for merge in claims.merges:  # 21
            merged = self.conversation.branches.get(merge.branch)
            if merged is None:
                raise error("MergeUnknown", "a branch of the conversation", merge.branch.hex())
            if merge.size > merged.size:
                refuse("MergeAhead", f"a size of at most {merged.size}", str(merge.size))
            if merge.size <= merged.base:
                refuse("MergeUnder", f"a size above {merged.base}", str(merge.size))
            if merge.fingerprint != merged.fingerprint(merge.size):
                refuse("MergeForked", merged.fingerprint(merge.size).hex(), merge.fingerprint.hex())
        for merge in claims.merges:  # 22
            if merge.size > self.conversation.branches[merge.branch].end:
                refuse("MergeUndone", "a head of what the branch holds", merge.branch.hex())
        heads = [(branch.id, claims.size)]
        for merge in claims.merges:  # 23
            if self.conversation.ancestors(*heads).get(merge.branch, 0) >= merge.size:
                refuse("MergeStale", "a head that brings something new", merge.branch.hex())
            heads.append((merge.branch, merge.size))

    def check_fork(self, new: Grant) -> None:  # 24
        key = rules.check_offer("ForkKey", new.key, new.offer, self.registry.realm, 1, "child", new.next)
        enrolled = {each.key for _, each in self.registry.enrolments(self.stamp.registry_size)}
        if key in enrolled or key in {granted.key for granted in self.conversation.grants.values()}:
            refuse("ForkKey", "a key that was never enrolled or granted", new.key.hex())
        if new.expires is not None and new.expires <= self.stamp.time:
            refuse("ForkForm", f"an end after {self.stamp.time}", str(new.expires))
        if self.grant is not None and not narrows(new, self.grant.grant):
            refuse("ForkWidens", "a grant inside the author's own", "a wider one")


def narrows(new: Grant, old: Grant) -> bool:
    """Whether a grant lies inside another one (dag.3.3)."""
    return (
        (old.steps is None or (new.steps is not None and all(_in_one_of(step, old.steps) for step in new.steps)))
        and (old.to is None or (new.to is not None and set(new.to) <= set(old.to)))
        and new.rights & ~old.rights == 0
        and (old.expires is None or (new.expires is not None and new.expires <= old.expires))
        and new.depth < old.depth
    )


def _in_one_of(step: str, patterns: tuple[str, ...]) -> bool:
    return any(lies_in(step, pattern) for pattern in patterns)


# -- the delta: admission.3 ----------------------------------------------------------------------------------------


def apply(state: State, entry: Envelope, verdict: Verdict) -> None:
    """What an entry with this verdict changes."""
    claims = entry.claims
    if claims.kind in OF_THE_REGISTRY:
        _apply_to_registry(state, entry, verdict)
        return
    if claims.kind == OPEN and isinstance(verdict, Admitted):
        opened = Conversation(verdict.conversation, claims.members, claims.workflow or (False, None))
        state.conversations[opened.id] = opened
    conversation = state.conversations.get(verdict.conversation)
    if conversation is None:  # a rejected open leaves nothing
        return
    conversation.records += 1
    if claims.seq is not None and (isinstance(verdict, Admitted) or verdict.burns):
        conversation.seqs[claims.agent] = claims.seq
    if isinstance(verdict, Admitted):
        _apply_to_conversation(state, conversation, entry, verdict)


def _apply_to_registry(state: State, entry: Envelope, verdict: Verdict) -> None:
    claims = entry.claims
    if state.registry is None:
        assert isinstance(claims.own, Genesis)  # noqa: S101  (step 1.2)
        state.registry = rules.found(entry.message_id, claims.own, entry.kid)
        return
    if claims.seq is not None and (isinstance(verdict, Admitted) or verdict.burns):
        state.registry.seqs[claims.agent] = claims.seq
    if isinstance(verdict, Admitted) and isinstance(verdict.change, Halt):
        halts.apply_halt(state.registry, verdict.change)
    elif isinstance(verdict, Admitted) and isinstance(verdict.change, RegistryChange):
        rules.apply(state.registry, verdict.change, entry.message_id)


def _apply_to_conversation(state: State, conversation: Conversation, entry: Envelope, home: Admitted) -> None:
    claims = entry.claims
    realm = state.registry.realm if state.registry is not None else NO_ID
    if isinstance(home.change, Cuts):
        rollbacks.apply(conversation, home.change, entry, realm)
        return
    if claims.kind in {OPEN, FORK}:
        parent = conversation.branches[claims.branch] if claims.kind == FORK else None
        scope = (realm, conversation.id, home.branch)
        conversation.branches[home.branch] = Branch(scope, parent, home.index, claims.agent)
    branch = conversation.branches[home.branch]
    branch.append(entry.message_id)
    if claims.fork is not None:
        granted = Granted(claims.fork, EnrolledKey(claims.fork.key), claims.agent, claims.grant)
        conversation.grants[home.branch] = granted
    if claims.merges:
        branch.merges[home.index] = [(merge.branch, merge.size) for merge in claims.merges]
    if isinstance(home.change, Move):
        workflows.apply(conversation, home.change, entry, (home.branch, home.index))
    if claims.close is True:
        conversation.closed = True
    elif claims.close is False:
        branch.closed = True
