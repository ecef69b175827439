"""What a halt is about (spec halt.2): its scope, read from any bytes at all, and which entries it covers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from ama2sec.errors import Ama2Error
from ama2sec.limits import MAX_SCOPE
from ama2sec.reference.codec import decode
from ama2sec.reference.dag import Conversation
from ama2sec.reference.envelope import Envelope

Scope: TypeAlias = tuple[int | bytes | str, ...]
"""An effective scope, in the array form of halt.2.1."""

_CONVERSATION, _BRANCH, _INSTANCE, _DEFINITION, _AGENT = range(1, 6)
REALM: Final[Scope] = (0,)
_IDS: Final = {_CONVERSATION: 1, _BRANCH: 2, _INSTANCE: 2, _AGENT: 1}


@dataclass(slots=True)
class Halt:
    """A halt that was admitted: in force from the registry size ``start`` on, and no longer from ``until`` on (halt.3)."""

    id: bytes
    author: bytes
    scope: Scope
    start: int
    until: int | None = None

    def in_force(self, size: int) -> bool:
        """Whether it is in force as of a size of the registry."""
        return self.start <= size and (self.until is None or self.until > size)


def read_scope(data: bytes, definitions: Collection[str]) -> Scope:
    """The effective scope of these bytes, where the registry has these definitions: what has no form of halt.2.1 is the realm."""
    if len(data) > MAX_SCOPE:
        return REALM
    try:
        value = decode(data)
    except Ama2Error:
        return REALM
    match value:
        case [int(kind), str(name)] if kind is not True and kind == _DEFINITION and name in definitions:
            return kind, name
        case [int(kind), *parts] if kind is not True and len(parts) == _IDS.get(kind):
            ids = tuple(part for part in parts if isinstance(part, bytes) and len(part) == 32)
            return (kind, *ids) if len(ids) == len(parts) else REALM
    return REALM


@dataclass(frozen=True, slots=True)
class Subject:
    """What scopes ask of an entry of a conversation, on the state before it (halt.2.3)."""

    conversation: bytes
    branches: Collection[bytes]
    """All that the conversation has. None while it is being opened."""
    lines: frozenset[bytes]
    """The branch that the entry is on, those that it merges, and whatever these were forked off."""
    instances: Collection[bytes]
    """All workflow instances that the conversation has. None while it is being opened."""
    instance: bytes | None
    """The one that the entry starts, or in which it takes a step or approves one."""
    definition: str | None
    agents: frozenset[bytes]
    """The author; for a sub-agent also whoever granted, along its chain (dag.3.1)."""


def subject_of(entry: Envelope, conversation: Conversation | None) -> Subject:
    """The entry of this conversation, or the open of one (None)."""
    claims = entry.claims
    if conversation is None:
        definition = None if claims.workflow is None else claims.workflow[1]
        return Subject(entry.message_id, (), frozenset(), (), None, definition, frozenset({claims.agent}))
    agents = {claims.agent}
    for _, granted in () if claims.grant is None else conversation.chain(claims.grant):
        agents.add(granted.by)
    return Subject(
        conversation.id,
        conversation.branches.keys(),
        frozenset(_lines(conversation, [claims.branch, *(merge.branch for merge in claims.merges)])),
        conversation.instances.keys(),
        None if claims.workflow_state is None else claims.workflow_state.instance or entry.message_id,
        conversation.workflow[1],
        frozenset(agents),
    )


def _lines(conversation: Conversation, named: list[bytes]) -> Iterator[bytes]:
    for branch in map(conversation.branches.get, named):
        if branch is not None:
            yield from (each.id for each in branch.lineage())


def covers(scope: Scope, subject: Subject) -> bool:
    """Whether an effective scope covers an entry (halt.2.3)."""
    match scope:
        case (1, conversation):  # b
            return conversation == subject.conversation
        case (2, conversation, branch):  # c
            here = branch not in subject.branches or branch in subject.lines
            return conversation == subject.conversation and here
        case (3, conversation, instance):  # d
            here = instance not in subject.instances or instance == subject.instance
            return conversation == subject.conversation and here
        case (4, name):  # e
            return name == subject.definition
        case (5, agent):  # f
            return agent in subject.agents
    return True  # a
