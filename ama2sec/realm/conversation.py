"""The same questions about a conversation file: one branch, no merges, and the lag of its authors (spec fingerprint.5)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar

from ama2sec import _files
from ama2sec._native import Id, TranscriptReader, parse
from ama2sec.errors import error
from ama2sec.history.transcript import verify_conversation
from ama2sec.identity import Directory
from ama2sec.realm.dag import LIMIT, Branch, Node

__all__ = ["FileDag"]

_CHUNK: Final = 1 << 20
T = TypeVar("T")


class FileDag:
    """A conversation file. With a ``directory`` it is verified first, without one nothing says that any signature is good.

    Raises what ``verify_conversation`` raises. The methods mean what those of ``RealmDag`` mean.
    """

    def __init__(self, path: str | os.PathLike[str], directory: Directory | None = None) -> None:
        head = None if directory is None else verify_conversation(path, directory).head
        self._nodes = _read(Path(path))
        self._at = {node.id: place for place, node in enumerate(self._nodes)}
        self.verified = head is not None
        self.conversation = self._nodes[0].id
        if head is not None and (head.conversation, head.size) != (self.conversation, len(self._nodes)):
            raise error("FileUnreadable", "the file that was verified", "another one: it was changed meanwhile")

    def heads(self, *, limit: int = LIMIT) -> list[Branch]:
        """The only branch."""
        return _bounded([Branch(self.conversation, len(self._nodes))], limit)

    def timeline(self, start: int = 0, *, limit: int = LIMIT) -> list[Node]:
        """The entries in their order."""
        return self._nodes[start : start + limit]

    def ancestors(self, id: Id, *, limit: int = LIMIT) -> list[Node]:  # noqa: A002
        """The first entries, as many as its author had consumed."""
        return _bounded(self._nodes[: self._node(id).size], limit)

    def descendants(self, id: Id, *, limit: int = LIMIT) -> list[Node]:  # noqa: A002
        """All entries whose authors had consumed it."""
        place = self._place(id)
        return _bounded([node for node in self._nodes if node.size > place], limit)

    def is_ancestor(self, above: Id, id: Id) -> bool:  # noqa: A002
        """Whether the author of ``id`` had consumed ``above``."""
        return self._place(above) < self._node(id).size

    def path(self, id: Id, to: Id, *, limit: int = LIMIT) -> list[Id] | None:  # noqa: A002
        """The chain of parents from ``id`` back to ``to``."""
        place, end, way = self._place(id), self._place(to), [id]
        while place > end:
            if len(way) > limit:
                return _bounded(way, limit)
            place = self._nodes[place].size - 1
            way.append(self._nodes[place].id)
        return way if place == end else None

    def nearest_common_ancestors(self, ids: Sequence[Id], *, limit: int = LIMIT) -> list[Node]:
        """The common ancestors of which none is an ancestor of another."""
        shared = self._nodes[: min((self._node(each).size for each in ids), default=0)]
        seen = max((node.size for node in _bounded(shared, limit)), default=0)
        return shared[seen:]

    def diff(self, first: Branch, second: Branch, *, limit: int = LIMIT) -> tuple[list[Node], list[Node]]:
        """What each of two heads has that the other has not: one of the two lists is empty."""
        for head in (first, second):
            if head.id != self.conversation or not 0 < head.size <= len(self._nodes):
                raise error("ArgumentRange", "a head of this conversation", str(head.id))
        ours, theirs = self._nodes[: first.size], self._nodes[: second.size]
        return _bounded(ours[second.size :], limit), _bounded(theirs[first.size :], limit)

    def _place(self, id: Id) -> int:  # noqa: A002
        found = self._at.get(id)
        if found is None:
            raise error("ArgumentRange", "an entry of this conversation", str(id))
        return found

    def _node(self, id: Id) -> Node:  # noqa: A002
        return self._nodes[self._place(id)]


def _bounded(found: list[T], limit: int) -> list[T]:
    if len(found) > limit:
        raise error("ArgumentRange", f"an answer of at most {limit} entries", "more")
    return found


def _read(path: Path) -> list[Node]:
    reader, nodes = TranscriptReader(), list[Node]()
    with _files.reading(path) as descriptor:
        while chunk := os.read(descriptor, _CHUNK):
            nodes += [_node(entry, len(nodes) + place) for place, entry in enumerate(reader.feed(chunk))]
    left = reader.finish()
    if left:
        raise error("Truncated", "whole entries", f"{left} bytes of one")
    if not nodes:
        raise error("OpenMissing", "a conversation with its open", "none")
    first = nodes[0].id
    for place, node in enumerate(nodes):
        # Unverified claims can say anything; these two would lead out of the list.
        if node.size > place or (place and (node.size == 0 or node.home != (first, place))):
            raise error("ContextAhead", f"an entry of this conversation that follows on {place} entries", str(node.id))
    return nodes


def _node(entry: bytes, place: int) -> Node:
    found = parse(entry)
    claims = found.claims
    path, agent = claims["execution_path"], claims["agent_identity"]
    branch = found.id if place == 0 else Id.from_hex(claims["conversation"])
    parent = path["parent"]
    return Node(
        id=found.id,
        kind=found.kind,
        author=Id.from_hex(agent["agent"]) if agent.get("agent") else found.kid,
        grant=None,
        position=place,
        time=claims["time"],
        code=None,
        home=(branch, place),
        branch=branch,
        size=claims["context_fingerprint"]["size"],
        parent=None if parent is None else Id.from_hex(parent),
        merges=(),
    )
