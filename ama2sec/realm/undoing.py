"""Rollbacks: what one would undo, and what it has undone (spec rollback.5).

plan = order.undoing(to=quote)                     # nothing is signed: the messages that would fall, the steps to compensate
done = await order.rollback(to=quote, reason="wrong price")
await done.conversation.send(...)                  # goes on in the successor
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ama2sec._native import Id
from ama2sec.errors import error
from ama2sec.realm.dag import Asked

if TYPE_CHECKING:
    from ama2sec.realm.handle import Handle, Sent

__all__ = ["Cut", "RolledBack", "Undoing", "UndoneStep", "fate_of", "target_of", "undoing"]

_LIMIT: Final = 10_000
"""Messages that are named; the count is exact whatever it is."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One branch that is cut: what it keeps, and where what it held ended."""

    branch: Id
    size: int
    end: int


@dataclass(frozen=True, slots=True)
class UndoneStep:
    """A step that is taken back, and the step that its definition names to compensate it. Nobody runs that but you."""

    instance: Id
    message: Id
    step: str
    compensation: str | None
    pivot: bool
    """A point of no return: a rollback over it is refused."""


@dataclass(frozen=True, slots=True)
class Undoing:
    """The closure of a rollback: what falls together."""

    target: Id
    """The branch that is cut, and how much of it stays."""
    size: int
    count: int
    """Entries that fall."""
    hash: Id
    branches: tuple[Cut, ...]
    messages: tuple[Id, ...]
    """The first 10,000 of them."""
    steps: tuple[UndoneStep, ...]
    """The latest first, of each instance."""

    @property
    def compensations(self) -> tuple[UndoneStep, ...]:
        """The steps that have to be compensated where the world was touched, the latest first."""
        return tuple(step for step in self.steps if step.compensation is not None)


@dataclass(frozen=True, slots=True)
class RolledBack:
    """A rollback that was admitted."""

    sent: Sent
    undone: Undoing
    conversation: Handle
    """Where one goes on: in the successor of the branch of the handle, or of the one that was cut."""


def fate_of(source: Asked, conversation: Id, branch: Id) -> dict[str, Any]:
    """What has become of a branch. Raises ``ConversationUnknown``, ``BranchUnknown``."""
    view: dict[str, Any] = source.ask("fate", conversation, branch=str(branch))
    return view


def target_of(source: Asked, conversation: Id, home: tuple[Id, int]) -> tuple[Id, int]:
    """The branch to cut, and how much of it stays, so that the entry at ``home`` is the last one. Raises ``RollbackTarget``.

    Where that is the last one that a cut branch holds, what comes behind it is the successor's: its rollback stays as well. What the log would
    refuse for its place alone is refused here (admission.2.26), before anything is signed.
    """
    branch, size = home[0], home[1] + 1
    fate = fate_of(source, conversation, branch)
    if fate["undone"] or size > fate["end"]:
        raise error("RollbackTarget", "a message that was not undone", f"entry {home[1]} of {home[0]}")
    while size == fate["end"] and fate["successor"] is not None:
        branch = Id.from_hex(fate["successor"])
        fate = fate_of(source, conversation, branch)
        size = fate["base"] + 1
    if size >= fate["end"]:
        raise error("RollbackTarget", "a message behind which something stands", f"the last one that {branch} holds")
    if not fate_of(source, conversation, Id.from_hex(fate["tip"]))["live"]:
        raise error("RollbackTarget", "a branch that is open", f"{branch}, which was closed")
    return branch, size


def undoing(source: Asked, conversation: Id, target: Id, size: int) -> Undoing:
    """The closure of a cut, as it is now."""
    view = source.ask("undoing", conversation, target=str(target), size=size, limit=_LIMIT)
    cuts = tuple(Cut(Id.from_hex(each["branch"]), each["cut"], each["end"]) for each in view["branches"])
    steps = tuple(
        UndoneStep(
            Id.from_hex(each["instance"]),
            Id.from_hex(each["message"]),
            each["step"],
            each["compensation"],
            each["pivot"],
        )
        for each in view["steps"]
    )
    messages = tuple(Id.from_hex(each) for each in view["messages"])
    return Undoing(target, size, view["count"], Id.from_hex(view["hash"]), cuts, messages, steps)
