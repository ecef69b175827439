"""Conversations as they are (spec dag): branches, grants, and who comes after whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ama2sec.reference import hashes
from ama2sec.reference.claims import Output
from ama2sec.reference.definitions import Workflow
from ama2sec.reference.forms import Address
from ama2sec.reference.kinds import Grant
from ama2sec.reference.rule_s import EnrolledKey
from ama2sec.reference.tree import CompactRange

Seq: TypeAlias = tuple[int, int]
Heads: TypeAlias = dict[bytes, int]
"""Of each branch how many leaves: a set of messages that is closed under "comes before" (dag.4.1)."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant as it was given. Its id is the id of its fork, of its branch, and of the agent that it makes (dag.3.1)."""

    grant: Grant
    key: EnrolledKey
    by: bytes
    parent: bytes | None


@dataclass(frozen=True, slots=True)
class Transition:
    """A step that was taken: the message and its home, the step's index, and by whom (workflow.2.3)."""

    message_id: bytes
    branch: bytes
    index: int
    step: int
    principal: bytes
    outputs: dict[str, Output]


@dataclass(frozen=True, slots=True)
class Approval:
    """A word for the transition ``subject``, for the taking of a step."""

    message_id: bytes
    branch: bytes
    index: int
    step: int
    subject: bytes
    principal: bytes


@dataclass(slots=True)
class Instance:
    """A workflow that runs in a conversation. Both lists are in log order."""

    id: bytes
    workflow: Workflow
    start_time: int
    transitions: list[Transition] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)
    rollbacks: int = 0


class Branch:
    """One branch: all its leaves, those that it inherits too, and a fingerprint for every size above its base."""

    def __init__(self, scope: tuple[bytes, bytes, bytes], parent: Branch | None, base: int, opener: bytes) -> None:
        self.scope = scope
        self.parent = parent
        self.base = base
        self.opener = opener
        self.closed = False
        self.undone = False
        self.cut: int | None = None
        self.successor: bytes | None = None
        self.merges: dict[int, list[tuple[bytes, int]]] = {}
        self.leaves: list[bytes] = []
        self.root = b""
        self._tree = CompactRange()
        self._fingerprints: list[bytes | None] = [None]
        for leaf in [] if parent is None else parent.leaves[:base]:
            self._append(leaf)
            self._fingerprints.append(None)  # at a size up to its base a history has its owner's name (fingerprint.9.3)

    @property
    def id(self) -> bytes:
        return self.scope[2]

    @property
    def size(self) -> int:
        return len(self.leaves)

    @property
    def end(self) -> int:
        """Where what it holds ends (rollback.2.1)."""
        if self.undone:
            return self.base
        return self.size if self.cut is None else self.cut

    def _append(self, leaf: bytes) -> None:
        self.leaves.append(leaf)
        self._tree.append(leaf)

    def append(self, leaf: bytes) -> None:
        """Take the next leaf."""
        self._append(leaf)
        self.root = self._tree.root() or b""
        self._fingerprints.append(hashes.fingerprint(*self.scope, self.size, self.root))

    def fingerprint(self, size: int) -> bytes:
        """The fingerprint of the first ``size`` leaves: above the base, and not above the size (dag.1.6)."""
        found = self._fingerprints[size]
        assert found is not None  # noqa: S101  (admission.2, 15 and 21)
        return found

    def lineage(self) -> Iterator[Branch]:
        """The branch, its parent, and so on to the first one (dag.1.5)."""
        at: Branch | None = self
        while at is not None:
            yield at
            at = at.parent


@dataclass(slots=True)
class Conversation:
    """One conversation of a realm."""

    id: bytes
    members: tuple[Address, ...] | None
    workflow: tuple[bool, str | None]
    closed: bool = False
    records: int = 0
    branches: dict[bytes, Branch] = field(default_factory=dict)
    grants: dict[bytes, Granted] = field(default_factory=dict)
    seqs: dict[bytes, Seq] = field(default_factory=dict)
    instances: dict[bytes, Instance] = field(default_factory=dict)

    def chain(self, grant: bytes) -> Iterator[tuple[bytes, Granted]]:
        """A grant, its parent, and so on to the one that a member gave (dag.3.1)."""
        at: bytes | None = grant
        while at is not None:
            granted = self.grants[at]
            yield at, granted
            at = granted.parent

    def tip(self, branch: bytes) -> Branch:
        """The branch, or the tip of its successor (rollback.2.6)."""
        at = self.branches[branch]
        while at.successor is not None:
            at = self.branches[at.successor]
        return at

    def ancestors(self, *heads: tuple[bytes, int]) -> Heads:
        """All that these prefixes of branches hold, and what is merged in them, and so on (dag.4.1)."""
        found: Heads = {}
        todo = list(heads)
        while todo:
            branch_id, end = todo.pop()
            for branch in self.branches[branch_id].lineage():
                begin = max(found.get(branch.id, 0), branch.base)
                if begin < end:
                    found[branch.id] = end
                    todo += [head for index, merged in branch.merges.items() if begin <= index < end for head in merged]
                end = min(end, branch.base)
        return found

    def is_ancestor(self, of: tuple[bytes, int], what: tuple[bytes, int]) -> bool:
        """Whether the home ``what`` (branch, index) is an ancestor of the entry at the home ``of`` (dag.4.3).

        The context of an entry is at most its index; ``of`` stands for the context that its author signed.
        """
        return self.ancestors(of).get(what[0], 0) > what[1]
