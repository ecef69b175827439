"""Who had seen what in one conversation of a realm, and on whose authority it was said (spec dag.4).

    verified = replay_realm("orders.ama")
    dag = RealmDag(verified, verified_conversation_id)
    dag.ancestors(message_id)                     # everything that its author had consumed
    dag.nearest_common_ancestors([left, right])   # where two of them part

Every answer comes from a history that was judged by the rules first: a replay, or an engine. Answers are in the order of the log. None is
longer than the ``limit`` that its caller gives (``ArgumentRange`` beyond it), so that a hostile history cannot fill the memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ama2sec._native import Id

__all__ = ["Agent", "Asked", "Branch", "Dag", "Link", "Merged", "Node", "RealmDag", "agents", "conversations"]

LIMIT: Final = 10_000
"""Entries of an answer where the caller gives no limit."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A head that a message merges: the first ``size`` leaves of ``branch``, of which ``last`` is the last."""

    branch: Id
    size: int
    last: Id | None


@dataclass(frozen=True, slots=True)
class Node:
    """One entry of a conversation, in its place."""

    id: Id
    kind: str
    author: Id
    """The agent; of a sub-agent the fork that spawned it."""
    grant: Id | None
    """The fork whose grant it was written under; None for a member."""
    position: int
    """In the realm's log."""
    time: int
    """As the log recorded it, in ms since 1970; in a conversation file as its author claims it."""
    code: str | None
    """Why it was rejected; None for an admitted entry."""
    home: tuple[Id, int] | None
    """Branch and index; None for a rejected entry."""
    branch: Id
    """The branch that it names: of a fork the one that it leaves."""
    size: int
    """How many entries of that branch its author had consumed."""
    parent: Id | None
    merges: tuple[Merged, ...]
    stands_on: Id | None = None
    """Of a rollback the last entry that is left of what it cut: what its author had seen is no ancestor of it (spec rollback.4.4)."""


@dataclass(frozen=True, slots=True)
class Branch:
    """The head of a branch that is open."""

    id: Id
    size: int


@dataclass(frozen=True, slots=True)
class Link:
    """One step of the authority of a message: ``kind`` is ``grant``, ``agent``, ``entry`` (of the registry) or ``genesis``."""

    kind: str
    id: Id
    by: Id | None = None
    """Who granted, or proposed the entry."""
    name: str | None = None
    purpose: str | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent of the registry, as far as drawings and people need it."""

    id: Id
    name: str
    purpose: str
    live: bool


class Asked(Protocol):
    """A replay that was passed, an engine, or a realm's file that was judged."""

    def ask(self, question: str, conversation: Id | None = None, **arguments: object) -> Any: ...


class Dag(Protocol):
    """What can be asked of a conversation, wherever it is kept."""

    @property
    def conversation(self) -> Id: ...
    def heads(self, *, limit: int = LIMIT) -> list[Branch]: ...
    def timeline(self, start: int = 0, *, limit: int = LIMIT) -> list[Node]: ...
    def ancestors(self, id: Id, *, limit: int = LIMIT) -> list[Node]: ...  # noqa: A002
    def descendants(self, id: Id, *, limit: int = LIMIT) -> list[Node]: ...  # noqa: A002
    def is_ancestor(self, above: Id, id: Id) -> bool: ...  # noqa: A002
    def path(self, id: Id, to: Id, *, limit: int = LIMIT) -> list[Id] | None: ...  # noqa: A002
    def nearest_common_ancestors(self, ids: Sequence[Id], *, limit: int = LIMIT) -> list[Node]: ...
    def diff(self, first: Branch, second: Branch, *, limit: int = LIMIT) -> tuple[list[Node], list[Node]]: ...


@dataclass(frozen=True, slots=True)
class RealmDag:
    """One conversation of a realm. ``source`` is a ``RealmVerified`` or a ``RealmEngine``.

    Every method raises ``ConversationUnknown`` if the realm has no such conversation, and ``ArgumentRange`` for an id that is no admitted
    entry of it. Source: spec dag.4.4.
    """

    source: Asked
    conversation: Id

    def heads(self, *, limit: int = LIMIT) -> list[Branch]:
        """The branches that are open and their sizes, in the order in which they were opened."""
        return [Branch(Id.from_hex(head["branch"]), head["size"]) for head in self._ask("heads", limit=limit)]

    def timeline(self, start: int = 0, *, limit: int = LIMIT) -> list[Node]:
        """The log's order, rejected entries too, from the entry ``start`` of the conversation on; at most ``limit``, without a fault."""
        return _nodes(self._ask("timeline", start=start, limit=limit))

    def ancestors(self, id: Id, *, limit: int = LIMIT) -> list[Node]:  # noqa: A002
        """All that the author of ``id`` had consumed, by way of its context and of its merges (dag.4.1)."""
        return _nodes(self._ask("ancestors", id=str(id), limit=limit))

    def descendants(self, id: Id, *, limit: int = LIMIT) -> list[Node]:  # noqa: A002
        """All entries whose authors had consumed ``id``."""
        return _nodes(self._ask("descendants", id=str(id), limit=limit))

    def is_ancestor(self, above: Id, id: Id) -> bool:  # noqa: A002
        """Whether the author of ``id`` had consumed ``above`` (dag.4.3). ``prove_ancestor`` makes it a proof for strangers."""
        return bool(self._ask("is_ancestor", above=str(above), id=str(id)))

    def path(self, id: Id, to: Id, *, limit: int = LIMIT) -> list[Id] | None:  # noqa: A002
        """A shortest chain of parents and merges from ``id`` back to ``to``, both included; None where there is none."""
        found = self._ask("path", id=str(id), to=str(to), limit=limit)
        return None if found is None else [Id.from_hex(each) for each in found]

    def nearest_common_ancestors(self, ids: Sequence[Id], *, limit: int = LIMIT) -> list[Node]:
        """The common ancestors of which none is an ancestor of another."""
        return _nodes(self._ask("nearest_common_ancestors", ids=[str(each) for each in ids], limit=limit))

    def diff(self, first: Branch, second: Branch, *, limit: int = LIMIT) -> tuple[list[Node], list[Node]]:
        """What each of two heads has, with all that it merged, that the other has not."""
        views = [{"branch": str(head.id), "size": head.size} for head in (first, second)]
        ours, theirs = self._ask("diff", first=views[0], second=views[1], limit=limit)
        return _nodes(ours), _nodes(theirs)

    def trace(self, id: Id) -> list[Link]:  # noqa: A002
        """The authority of a message: the grants above its author, the member, the roots that enrolled it, up to the genesis."""
        return [_link(view) for view in self._ask("trace", id=str(id))]

    def _ask(self, question: str, **arguments: object) -> Any:
        return self.source.ask(question, self.conversation, **arguments)


def conversations(source: Asked) -> list[Id]:
    """The conversations of a realm, in the order of their ids."""
    return [Id.from_hex(each) for each in source.ask("conversations")]


def agents(source: Asked) -> list[Agent]:
    """Who was ever enrolled in a realm, in the order of their ids."""
    found = source.ask("registry")
    listed = [] if found is None else found["agents"]
    return [Agent(Id.from_hex(each["id"]), each["name"], each["purpose"], each["live"]) for each in listed]


def _nodes(views: list[dict[str, Any]]) -> list[Node]:
    return [_node(view) for view in views]


def _node(view: dict[str, Any]) -> Node:
    home = view["home"]
    return Node(
        id=Id.from_hex(view["id"]),
        kind=view["kind"],
        author=Id.from_hex(view["author"]),
        grant=_maybe(view["grant"]),
        position=view["position"],
        time=view["time"],
        code=view["code"],
        home=None if home is None else (Id.from_hex(home["branch"]), home["index"]),
        branch=Id.from_hex(view["branch"]),
        size=view["size"],
        parent=_maybe(view["parent"]),
        merges=tuple(Merged(Id.from_hex(m["branch"]), m["size"], _maybe(m["last"])) for m in view["merges"]),
        stands_on=_maybe(view["stands_on"]),
    )


def _maybe(text: str | None) -> Id | None:
    return None if text is None else Id.from_hex(text)


def _link(view: dict[str, Any]) -> Link:
    by = _maybe(view.get("by"))
    if view["link"] == "genesis":
        return Link("genesis", Id.from_hex(view["realm"]))
    return Link(view["link"], Id.from_hex(view["id"]), by, view.get("name"), view.get("purpose"), view.get("position"))
