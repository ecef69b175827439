"""The claims that only a realm has (spec dag.2, registry.2, halt.1): grants, and what the registry's entries say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from ama2sec.limits import (
    MAX_DEPTH_OF_GRANTS,
    MAX_GROUPS,
    MAX_REASON,
    MAX_RESUMED,
    MAX_ROOTS,
    MAX_STEPS,
    SIZE_END,
    TIME_END,
)
from ama2sec.reference.codec import Value
from ama2sec.reference.forms import (
    Address,
    kind_of,
    read_addresses,
    read_array,
    read_bytes,
    read_id,
    read_id_or_null,
    read_list,
    read_name,
    read_uint,
    refuse,
)
from ama2sec.reference.names import check_name

RIGHT_FORK, RIGHT_MERGE, RIGHT_ROLL_BACK = 1, 2, 4
QUORUMS: Final = ("root", "enrol", "revoke", "define", "erase", "resume")
_MAX_PATTERN: Final = 64
_MAX_QUORUM: Final = 16


@dataclass(frozen=True, slots=True)
class Grant:
    """What a child may do. ``steps`` and ``to`` are None where everything is allowed; times are milliseconds."""

    key: bytes
    offer: bytes
    steps: tuple[str, ...] | None
    to: tuple[Address, ...] | None
    rights: int
    expires: int | None
    depth: int
    next: bytes | None


@dataclass(frozen=True, slots=True)
class Offered:
    """A key in a genesis, with the proof that its holder wants to be this agent. A sequencer has no ``next``."""

    name: str
    key: bytes
    offer: bytes
    next: bytes | None


@dataclass(frozen=True, slots=True)
class Policy:
    """How many roots each kind of entry needs, and whether erasing is held."""

    root: int
    enrol: int
    revoke: int
    define: int
    erase: int
    resume: int
    hold: bool

    @property
    def quorums(self) -> tuple[int, ...]:
        """The six numbers."""
        return self.root, self.enrol, self.revoke, self.define, self.erase, self.resume

    def to_value(self) -> dict[int | str, Value]:
        """The map of the claims and of the digest."""
        return dict(enumerate((*self.quorums, self.hold), 1))


@dataclass(frozen=True, slots=True)
class Genesis:
    """The document of a genesis."""

    name: str
    rules_version: int
    profile: int
    roots: tuple[Offered, ...]
    sequencer: Offered
    policy: Policy


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A new agent, or a new key of the agent ``replaces``."""

    name: str
    key: bytes
    purpose: int
    groups: tuple[str, ...]
    next: bytes | None
    replaces: bytes | None
    offer: bytes


@dataclass(frozen=True, slots=True)
class Revocation:
    """An agent that may no longer speak; from ``suspect_from`` on an audit marks what it said."""

    agent: bytes
    suspect_from: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class NewPolicy:
    """A policy in the place of another."""

    replaces: bytes
    policy: Policy


@dataclass(frozen=True, slots=True)
class Definition:
    """A document under a name, in the place of the definition ``replaces``, or as the first of its name."""

    name: str
    replaces: bytes | None
    document: bytes


@dataclass(frozen=True, slots=True)
class Erasure:
    """A message whose body shall be forgotten."""

    message: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Term:
    """A mark in the history of the realm."""

    size: int
    root: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Resumption:
    """Halts that shall end, by their ids."""

    halts: tuple[bytes, ...]
    reason: str


Own: TypeAlias = Genesis | Enrolment | Revocation | NewPolicy | Definition | Erasure | Term | Resumption
"""The claim that gives a registry kind, or a resume, its name."""


@dataclass(frozen=True, slots=True)
class RollbackClaim:
    """What is to be undone: the target is cut at ``keep``; so many leaves fall, with this hash of the closure (rollback.1.2)."""

    target: bytes
    keep: int
    count: int
    hash: bytes
    reason: str


def read_rollback(value: Value) -> RollbackClaim:
    """Claim 16."""
    target, keep, fall, reason = read_array(value, "claim 16", 4)
    target, keep = read_id(target, "a branch"), read_uint(keep, "a size", SIZE_END)
    count, digest = read_array(fall, "a closure", 2)
    count = read_uint(count, "a count", SIZE_END)
    if count == 0:
        refuse("ClaimRange", "at least one leaf that falls", "0")
    return RollbackClaim(target, keep, count, read_id(digest, "a hash"), read_reason(reason))


def read_grant(value: Value) -> Grant | None:
    """Claim 15."""
    if value is None:
        return None
    key, offer, steps, to, rights, expires, depth, following = read_array(value, "claim 15", 8)
    return Grant(
        key=read_id(key, "a key"),
        offer=_offer(offer),
        steps=None if steps is None else read_list(steps, "steps", MAX_STEPS, _pattern),
        to=None if to is None else read_addresses(to, "addressees"),
        rights=read_uint(rights, "rights", 8),
        expires=None if expires is None else read_uint(expires, "a time", TIME_END),
        depth=read_uint(depth, "a depth", MAX_DEPTH_OF_GRANTS + 1),
        next=read_id_or_null(following, "the digest of a key"),
    )


def _pattern(value: Value) -> str:
    """Names joined by ``/``, and perhaps ``/*`` at the end (dag.2)."""
    if not isinstance(value, str):
        refuse("ClaimType", "a step pattern that is a text", kind_of(value))
    if len(value.encode()) > _MAX_PATTERN:
        refuse("NameForm", f"a step pattern of at most {_MAX_PATTERN} bytes", str(len(value.encode())))
    for name in value.removesuffix("/*").split("/"):
        check_name(name)
    return value


def lies_in(pattern: str, other: str) -> bool:
    """Whether a step, or a pattern of steps, is covered by another pattern (dag.2)."""
    return pattern == other or (other.endswith("/*") and pattern.startswith(other[:-1]))


def read_genesis(value: Value) -> Genesis:
    """Claim 18 of a genesis."""
    name, rules_version, profile, roots, sequencer, policy = read_array(value, "claim 18", 6)
    return Genesis(
        name=read_name(name, "a realm's name"),
        rules_version=read_uint(rules_version, "a version of the rules", 1 << 32),
        profile=read_uint(profile, "a profile", 2),
        roots=_roots(roots),
        sequencer=_sequencer(sequencer),
        policy=_policy(policy),
    )


def _roots(value: Value) -> tuple[Offered, ...]:
    if value == []:
        refuse("ClaimRange", "at least one root", "none")
    return read_list(value, "roots", MAX_ROOTS, _root)


def _root(value: Value) -> Offered:
    name, key, offer, following = read_array(value, "a root", 4)
    return Offered(
        read_name(name, "a root's name"),
        read_id(key, "a key"),
        _offer(offer),
        read_id_or_null(following, "the digest of a key"),
    )


def _sequencer(value: Value) -> Offered:
    name, key, offer = read_array(value, "a sequencer", 3)
    return Offered(read_name(name, "a sequencer's name"), read_id(key, "a key"), _offer(offer), None)


def _policy(value: Value) -> Policy:
    if not isinstance(value, dict) or len(value) != len(QUORUMS) + 1:
        refuse("ClaimType", "a policy as a map of seven", kind_of(value))
    quorums: list[int] = []
    hold = False
    for place, (key, item) in enumerate(value.items(), 1):
        if key != place:
            refuse("ClaimType", f"key {place} of a policy", ascii(key)[:64])
        if place > len(QUORUMS):
            hold = _boolean(item, "hold")
            continue
        quorums.append(read_uint(item, "a quorum", _MAX_QUORUM + 1))
        if quorums[-1] == 0:
            refuse("ClaimRange", "a quorum of at least 1", "0")
    root, enrol, revoke, define, erase, resume = quorums
    return Policy(root, enrol, revoke, define, erase, resume, hold)


def read_enrolment(value: Value) -> Enrolment | None:
    """Claim 19."""
    if value is None:
        return None
    name, key, purpose, groups, following, replaces, offer = read_array(value, "claim 19", 7)
    return Enrolment(
        name=read_name(name, "an agent's name"),
        key=read_id(key, "a key"),
        purpose=_purpose(purpose),
        groups=read_list(groups, "groups", MAX_GROUPS, lambda group: read_name(group, "a group")),
        next=read_id_or_null(following, "the digest of a key"),
        replaces=read_id_or_null(replaces, "an agent"),
        offer=_offer(offer),
    )


def _purpose(value: Value) -> int:
    purpose = read_uint(value, "a purpose", 5)
    if purpose == 0:
        refuse("ClaimRange", "a purpose from 1 to 4", "0")
    return purpose


def read_revocation(value: Value) -> Revocation | None:
    """Claim 20."""
    if value is None:
        return None
    agent, suspect_from, reason = read_array(value, "claim 20", 3)
    return Revocation(
        read_id(agent, "an agent"),
        None if suspect_from is None else read_uint(suspect_from, "a position", SIZE_END),
        read_reason(reason),
    )


def read_new_policy(value: Value) -> NewPolicy | None:
    """Claim 18 of a policy."""
    if value is None:
        return None
    replaces, policy = read_array(value, "claim 18", 2)
    return NewPolicy(read_id(replaces, "a policy"), _policy(policy))


def read_definition(value: Value) -> Definition | None:
    """Claim 18 of a define."""
    if value is None:
        return None
    name, replaces, document = read_array(value, "claim 18", 3)
    found_name, found_replaces = read_name(name, "a definition"), read_id_or_null(replaces, "a definition")
    if not isinstance(document, bytes):
        refuse("ClaimType", "a document as bytes", kind_of(document))
    return Definition(found_name, found_replaces, document)


def read_erasure(value: Value) -> Erasure | None:
    """Claim 22."""
    if value is None:
        return None
    message, reason = read_array(value, "claim 22", 2)
    return Erasure(read_id(message, "a message"), read_reason(reason))


def read_term(value: Value) -> Term | None:
    """Claim 23."""
    if value is None:
        return None
    size, root, reason = read_array(value, "claim 23", 3)
    return Term(read_uint(size, "a size", SIZE_END), read_id(root, "a root"), read_reason(reason))


def read_resumption(value: Value) -> Resumption | None:
    """Claim 21."""
    if value is None:
        return None
    halts, reason = read_array(value, "claim 21", 2)
    if halts == []:
        refuse("ClaimRange", "at least one halt", "none")
    return Resumption(read_list(halts, "halts", MAX_RESUMED, lambda halt: read_id(halt, "a halt")), read_reason(reason))


def read_scope(value: Value) -> bytes:
    """Claim 17: bytes of any length. What they say is read where a halt is admitted (halt.2)."""
    if not isinstance(value, bytes):
        refuse("ClaimType", "a scope as bytes", kind_of(value))
    return value


def read_close(value: Value) -> bool:
    """Claim 25: false for the branch, true for the conversation."""
    return _boolean(value, "claim 25")


def _boolean(value: Value, what: str) -> bool:
    if not isinstance(value, bool):
        refuse("ClaimType", f"{what} as a boolean", kind_of(value))
    return value


def _offer(value: Value) -> bytes:
    return read_bytes(value, "an offer", 64)


def read_reason(value: Value) -> str:
    """A reason: claim 26, and a part of others."""
    if not isinstance(value, str):
        refuse("ClaimType", "a reason that is a text", kind_of(value))
    if len(value.encode()) > MAX_REASON:
        refuse("ClaimRange", f"a reason of at most {MAX_REASON} bytes", str(len(value.encode())))
    return value
