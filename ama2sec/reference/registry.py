"""The registry (spec registry): agents and their keys as of any prefix, policy, definitions, proposals; and its own checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ama2sec.errors import Ama2Error, error
from ama2sec.limits import MAX_OPEN_PROPOSALS, SEQ_COUNTER_JUMP, SEQ_EPOCH_AHEAD
from ama2sec.reference import hashes
from ama2sec.reference.claims import DEFINE, ENROL, ERASE, NO_ID, RESUME, REVOKE, Claims
from ama2sec.reference.codec import Value, encode
from ama2sec.reference.dag import Seq
from ama2sec.reference.definitions import Workflow, compile_definition
from ama2sec.reference.envelope import Envelope, honest_header, sig_structure
from ama2sec.reference.forms import refuse
from ama2sec.reference.kinds import (
    Definition,
    Enrolment,
    Erasure,
    Genesis,
    NewPolicy,
    Offered,
    Own,
    Policy,
    Resumption,
    Revocation,
)
from ama2sec.reference.rule_s import EnrolledKey, verify_enrolled
from ama2sec.reference.scopes import Halt
from ama2sec.reference.tree import CompactRange

MESSAGE_PURPOSE, SEQUENCER_PURPOSE, ROOT_PURPOSE = 1, 3, 4
OFFER_TYP = "ama2sec-offer+cose"
_RULES_VERSION = 1


@dataclass(slots=True)
class KeyPeriod:
    """One enrolment: a key of an agent, from the registry size ``start`` on, and no longer from ``until`` on (registry.4.1)."""

    entry_id: bytes
    key: EnrolledKey
    groups: tuple[str, ...]
    next: bytes | None
    start: int
    until: int | None = None


@dataclass(slots=True)
class Agent:
    """Someone with an id that outlives his keys (registry.1.1)."""

    id: bytes
    name: str
    purpose: int
    enrolments: list[KeyPeriod]
    revoked_at: int | None = None
    suspect_from: int | None = None

    def live_at(self, size: int) -> KeyPeriod | None:
        """The live enrolment as of a size of the registry, if there is one (registry.1.5)."""
        if self.revoked_at is not None and self.revoked_at <= size:
            return None
        for each in self.enrolments:
            if each.start <= size and (each.until is None or each.until > size):
                return each
        return None


@dataclass(frozen=True, slots=True)
class Defined:
    """A definition that was brought into force, from the registry size ``start`` on (workflow.1.5)."""

    entry_id: bytes
    workflow: Workflow
    start: int


@dataclass(slots=True)
class Proposal:
    """An open proposal (registry.2)."""

    id: bytes
    leaf: int
    author: bytes
    kind: int
    own: Own
    own_value: Value
    approved: set[bytes]


@dataclass(slots=True)
class Registry:
    """Who may do what in a realm."""

    realm: bytes
    name: str
    rules_version: int
    profile: int
    policy_id: bytes
    policy: Policy
    agents: dict[bytes, Agent] = field(default_factory=dict)
    definitions: dict[str, list[Defined]] = field(default_factory=dict)
    """For each name all that it has ever meant, in order."""
    proposals: list[Proposal] = field(default_factory=list)
    erased: set[bytes] = field(default_factory=set)
    seqs: dict[bytes, Seq] = field(default_factory=dict)
    halts: dict[bytes, Halt] = field(default_factory=dict)
    """Every halt that was admitted, those that have ended too."""
    leaves: list[bytes] = field(default_factory=list)
    root: bytes = b""
    tree: CompactRange = field(default_factory=CompactRange)
    fingerprints: list[bytes] = field(default_factory=lambda: [NO_ID])

    @property
    def size(self) -> int:
        """The number of its leaves."""
        return len(self.leaves)

    def append(self, leaf: bytes) -> None:
        """Take the next leaf."""
        self.leaves.append(leaf)
        self.tree.append(leaf)
        self.root = self.tree.root() or b""
        self.fingerprints.append(hashes.fingerprint(self.realm, self.realm, self.realm, self.size, self.root))

    def enrolments(self, size: int) -> Iterator[tuple[Agent, KeyPeriod]]:
        """Every enrolment that is in force in the prefix, whatever became of it."""
        for agent in self.agents.values():
            for each in agent.enrolments:
                if each.start <= size:
                    yield agent, each

    def key(self, size: int, agent_id: bytes, kid: bytes) -> KeyPeriod:
        """The enrolment of this key (registry.1.4); else ``KeyUnknown``."""
        for agent, each in self.enrolments(size):
            if agent.id == agent_id and each.key.thumbprint == kid:
                return each
        raise error("KeyUnknown", "a key of the agent", kid.hex())

    def live(self, size: int, agent_id: bytes) -> KeyPeriod | None:
        """The live enrolment of an agent."""
        agent = self.agents.get(agent_id)
        return None if agent is None else agent.live_at(size)

    def definition(self, name: str, size: int) -> Defined | None:
        """What a name means as of a size of the registry (workflow.1.5)."""
        found = [each for each in self.definitions.get(name, []) if each.start <= size]
        return found[-1] if found else None

    def of_purpose(self, purpose: int) -> list[Agent]:
        """All agents of a purpose, in the order of their ids."""
        return sorted((agent for agent in self.agents.values() if agent.purpose == purpose), key=lambda agent: agent.id)

    def live_agents(self, size: int, purpose: int) -> list[Agent]:
        """Those of them that are live."""
        return [agent for agent in self.of_purpose(purpose) if agent.live_at(size)]

    def live_sequencers(self) -> list[KeyPeriod]:
        """Who may sign checkpoints now (registry.1.6)."""
        found = [agent.live_at(self.size) for agent in self.of_purpose(SEQUENCER_PURPOSE)]
        return [each for each in found if each is not None]


def check_live(registry: Registry, size: int, agent_id: bytes, kid: bytes) -> Agent:
    """The author, whose enrolment with this key is live; else ``PrincipalRevoked``."""
    live = registry.live(size, agent_id)
    if live is None or live.key.thumbprint != kid:
        refuse("PrincipalRevoked", "a live enrolment with this key", kid.hex())
    return registry.agents[agent_id]


# -- offers: registry.1.2 ------------------------------------------------------------------------------------------


def offer_structure(kid: bytes, realm: bytes, purpose: int, name: str, following: bytes | None) -> bytes:
    """What an offer signs."""
    return sig_structure(honest_header(kid, OFFER_TYP), encode([realm, purpose, name, following]))


def check_offer(
    code: str, key: bytes, offer: bytes, realm: bytes, purpose: int, name: str, following: bytes | None
) -> EnrolledKey:
    """The key, which is sound, and whose holder made the offer; else ``code``."""
    try:
        found = EnrolledKey(key)
        verify_enrolled(found, offer_structure(found.thumbprint, realm, purpose, name, following), offer)
    except Ama2Error as fault:
        refuse(code, "a sound key and an offer by it", fault.code)
    return found


# -- the genesis: registry.3.7 -------------------------------------------------------------------------------------


def check_genesis(genesis: Genesis, kid: bytes) -> list[tuple[Offered, EnrolledKey, int]]:
    """Everybody whom a genesis enrols: with the key and the purpose. Else ``RulesUnsupported`` or ``GenesisInvalid``."""
    if genesis.rules_version != _RULES_VERSION:
        refuse("RulesUnsupported", f"rules_version {_RULES_VERSION}", str(genesis.rules_version))
    everybody = [(root, ROOT_PURPOSE) for root in genesis.roots] + [(genesis.sequencer, SEQUENCER_PURPOSE)]
    for distinct in ({each.name for each, _ in everybody}, {each.key for each, _ in everybody}):
        if len(distinct) != len(everybody):
            refuse("GenesisInvalid", "distinct names and distinct keys", "one twice")
    found = [
        (each, check_offer("GenesisInvalid", each.key, each.offer, NO_ID, purpose, each.name, each.next), purpose)
        for each, purpose in everybody
    ]
    if kid not in {key.thumbprint for _, key, purpose in found if purpose == ROOT_PURPOSE}:
        refuse("GenesisInvalid", "an author who is one of the roots", kid.hex())
    _check_policy("GenesisInvalid", genesis.policy, genesis.profile, len(genesis.roots))
    return found


def found(realm: bytes, genesis: Genesis, kid: bytes) -> Registry:
    """The registry that a genesis begins."""
    made = Registry(realm, genesis.name, genesis.rules_version, genesis.profile, realm, genesis.policy)
    for each, key, purpose in check_genesis(genesis, kid):
        period = KeyPeriod(realm, key, (), each.next, 1)
        made.agents[key.thumbprint] = Agent(key.thumbprint, each.name, purpose, [period])
    made.append(realm)
    return made


def _check_policy(code: str, policy: Policy, profile: int, roots: int) -> None:
    if max(policy.quorums) > roots:
        refuse(code, f"quorums of at most {roots}", str(max(policy.quorums)))
    if policy.erase < 2 and profile != 1:
        refuse(code, "two roots to erase", str(policy.erase))


# -- the checks of an entry: registry.3.1 to 3.6 -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """What an admitted entry does: it is the next leaf, and brings a proposal forward or into force."""

    proposal: Proposal
    approved: frozenset[bytes]
    """Who has approved the proposal, with this entry's author."""
    in_force: bool


def judge(registry: Registry, time: int, entry: Envelope) -> RegistryChange:
    """The numbered checks; the first that fails is raised."""
    claims, size = entry.claims, registry.size
    author = check_live(registry, size, claims.agent, entry.kid)  # 1
    if author.purpose != ROOT_PURPOSE:  # 2
        refuse("PurposeWrong", "a root", str(author.purpose))
    check_seq(claims, registry.seqs.get(claims.agent), time)  # 3
    check_registry_context(registry, size, claims)  # 4
    if claims.parent != registry.leaves[claims.size - 1]:  # 4
        refuse("RegistryForked", registry.leaves[claims.size - 1].hex(), "another parent")
    proposal = find_proposal(registry, entry)  # 5
    approved = frozenset({*proposal.approved, author.id})
    counted = [agent for agent in approved if registry.live(size, agent) is not None]  # 2.1
    in_force = len(counted) >= _quorum(registry.policy, proposal.kind)
    if claims.approves is None or in_force:
        check_proposal(registry, proposal)  # 6
    return RegistryChange(proposal, approved, in_force)


def check_seq(claims: Claims, last: Seq | None, time: int) -> None:
    """Admission.2, 8 and 9."""
    if claims.seq is None:
        return
    if last is not None and claims.seq <= last:
        refuse("SeqUsed", f"a number above {list(last)}", str(list(claims.seq)))
    if not in_window(claims.seq, last, time):
        refuse("SeqWindow", "a number in the window", str(list(claims.seq)))


def in_window(seq: Seq, last: Seq | None, time: int) -> bool:
    """Whether a number above the last one is near enough to it, and to the stamp's time."""
    epoch, counter = seq
    base = last[1] if last is not None and last[0] == epoch else 0
    return epoch <= time + SEQ_EPOCH_AHEAD and counter <= base + SEQ_COUNTER_JUMP


def check_registry_context(registry: Registry, size: int, claims: Claims) -> None:
    """Admission.2, 10 and 11."""
    if claims.registry_size > size:
        refuse("ContextAhead", f"a registry of at most {size}", str(claims.registry_size))
    if claims.registry_fingerprint != registry.fingerprints[claims.registry_size]:
        refuse("RegistryForked", registry.fingerprints[claims.registry_size].hex(), claims.registry_fingerprint.hex())


def find_proposal(registry: Registry, entry: Envelope) -> Proposal:
    """The entry's own proposal, or the open one that it approves; else ``ProposalInvalid``."""
    claims = entry.claims
    if claims.own is not None:
        return Proposal(entry.message_id, registry.size, claims.agent, claims.kind, claims.own, claims.own_value, set())
    for each in registry.proposals:
        if (
            each.id == claims.approves
            and each.kind == claims.kind
            and (each.leaf < claims.size or claims.kind == RESUME)  # halt.3.3: nobody has to have seen anything
            and claims.agent not in each.approved
        ):
            return each
    raise error("ProposalInvalid", "an open proposal of this kind, seen and not approved yet", "none")


def _quorum(policy: Policy, kind: int) -> int:
    return {ENROL: policy.enrol, REVOKE: policy.revoke, DEFINE: policy.define, ERASE: policy.erase}.get(
        kind, policy.root
    )


def check_proposal(registry: Registry, proposal: Proposal) -> None:  # 6
    """What a proposal says can take effect now; else the code of its kind."""
    match proposal.own:
        case Enrolment() as own:
            _check_enrolment(registry, own)
        case Revocation() as own:
            _check_revocation(registry, own)
        case NewPolicy() as own:  # f
            if own.replaces != registry.policy_id:
                refuse("PolicyInvalid", registry.policy_id.hex(), own.replaces.hex())
            roots = len(registry.live_agents(registry.size, ROOT_PURPOSE))
            _check_policy("PolicyInvalid", own.policy, registry.profile, roots)
        case Definition() as own:  # g
            _check_definition(registry, own)
        case Erasure() as own:  # h
            if registry.policy.hold or own.message in registry.erased:
                refuse("EraseInvalid", "no hold, and a message that is not erased yet", "otherwise")
        case Resumption() as own:  # halt.3.3
            if any(each not in registry.halts or registry.halts[each].until is not None for each in own.halts):
                refuse("ResumeInvalid", "halts that were admitted and have not ended", "another")


def _check_enrolment(registry: Registry, own: Enrolment) -> None:
    key = check_offer(  # a
        "PossessionInvalid", own.key, own.offer, registry.realm, own.purpose, own.name, own.next
    )
    size = registry.size
    if any(each.key == key for _, each in registry.enrolments(size)):  # b
        refuse("KeyEnrolled", "a key that was never enrolled", own.key.hex())
    if own.replaces is None:  # c
        if any(agent.name == own.name and agent.live_at(size) for agent in registry.agents.values()):
            refuse("NameEnrolled", "a name that no live agent has", own.name)
        return
    agent, live = registry.agents.get(own.replaces), registry.live(size, own.replaces)  # d
    if agent is None or live is None or (agent.name, agent.purpose) != (own.name, own.purpose):
        refuse("RotationInvalid", "a live agent of the same name and purpose", own.replaces.hex())
    if live.next != hashes.next_key(own.key):
        refuse("RotationInvalid", "the key that was committed to", own.key.hex())


def _check_definition(registry: Registry, own: Definition) -> None:  # g
    present = registry.definition(own.name, registry.size)
    if own.replaces != (None if present is None else present.entry_id):
        refuse("DefinitionInvalid", "the id of the present definition of that name", "another")
    found = compile_definition(own.document)
    if found.name != own.name:
        refuse("DefinitionInvalid", f"a document under the name {own.name}", found.name)


def _check_revocation(registry: Registry, own: Revocation) -> None:  # e
    agent, size = registry.agents.get(own.agent), registry.size
    if agent is None or agent.live_at(size) is None:
        refuse("RevokeInvalid", "a live agent", own.agent.hex())
    if agent.purpose == SEQUENCER_PURPOSE and len(registry.live_agents(size, SEQUENCER_PURPOSE)) == 1:
        refuse("RevokeInvalid", "a sequencer besides", "the only one")
    if agent.purpose == ROOT_PURPOSE:
        remaining = len(registry.live_agents(size, ROOT_PURPOSE)) - 1
        if remaining < max(registry.policy.quorums):
            refuse("RevokeInvalid", f"{max(registry.policy.quorums)} roots that remain", str(remaining))


# -- what an admitted entry changes: registry.4 --------------------------------------------------------------------


def apply(registry: Registry, change: RegistryChange, entry_id: bytes) -> None:
    """Make the entry the next leaf. What takes effect does so for every prefix that holds this leaf."""
    registry.append(entry_id)
    proposal, is_open = change.proposal, change.proposal in registry.proposals
    if change.in_force:
        if is_open:
            registry.proposals.remove(proposal)
        _take_effect(registry, proposal)
        return
    if not is_open:
        mine = [each for each in registry.proposals if each.author == proposal.author]
        if len(mine) == MAX_OPEN_PROPOSALS:  # 2.4
            registry.proposals.remove(mine[0])
        registry.proposals.append(proposal)
    proposal.approved |= change.approved


def _take_effect(registry: Registry, proposal: Proposal) -> None:
    start = registry.size  # the leaf is size - 1; it is in force from size on
    match proposal.own:
        case Enrolment() as own:
            period = KeyPeriod(proposal.id, EnrolledKey(own.key), own.groups, own.next, start)
            if own.replaces is None:
                registry.agents[proposal.id] = Agent(proposal.id, own.name, own.purpose, [period])
                return
            agent = registry.agents[own.replaces]
            agent.enrolments[-1].until = start
            agent.enrolments.append(period)
        case Revocation() as own:
            agent = registry.agents[own.agent]
            agent.revoked_at, agent.suspect_from = start, own.suspect_from
        case NewPolicy() as own:
            registry.policy_id, registry.policy = proposal.id, own.policy
        case Definition() as own:
            defined = Defined(proposal.id, compile_definition(own.document), start)
            registry.definitions.setdefault(own.name, []).append(defined)
        case Erasure() as own:
            registry.erased.add(own.message)
        case Resumption() as own:
            for each in own.halts:
                registry.halts[each].until = start
