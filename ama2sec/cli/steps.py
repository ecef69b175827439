"""What entries say of workflows and rollbacks, in the words of the command line: the step, a note, an approval, undone."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from ama2sec import Id
from ama2sec._native import RealmEntry
from ama2sec.errors import Ama2Error
from ama2sec.realm.dag import Asked

__all__ = ["SPOKEN", "Names", "Steps", "said"]

SPOKEN: Final = frozenset({"open", "message", "fork", "close", "rollback"})
"""Kinds that stand in a conversation; all others are the registry's."""
_KEPT: Final = 4096
"""Conversations, and branches, of which the answer is kept."""
_SHOWN: Final = 48
"""Characters of a body."""


class Names:
    """Who is who in a realm, as of what was judged so far."""

    def __init__(self, source: Asked) -> None:
        self._source = source
        self._known: dict[str, str] = {}

    def of(self, agent: Id) -> str:
        """A name; of a sub-agent the first digits of its id."""
        if str(agent) not in self._known:
            self._known |= {found["id"]: found["name"] for found in self._source.ask("registry")["agents"]}
        return self._known.setdefault(str(agent), agent.short)

    def to(self, entry: RealmEntry) -> list[str]:
        """To whom an entry is addressed; nobody: to all members."""
        return [each if isinstance(each, str) else self.of(each) for each in entry.recipients]


class Steps:
    """Asks a realm that was judged. ``forget`` when more of it was: a rollback may have undone what stood before."""

    def __init__(self, source: Asked) -> None:
        self._source = source
        self._workflow = lru_cache(_KEPT)(self._workflow_of)
        self._fate = lru_cache(_KEPT)(self._fate_of)

    def forget(self) -> None:
        """More was judged."""
        self._workflow.cache_clear()
        self._fate.cache_clear()

    def _workflow_of(self, conversation: Id) -> tuple[str | None, bool]:
        try:
            view = self._source.ask("workflows", conversation, running=0)
        except Ama2Error:
            # A rejected entry may name a conversation that there is not.
            return None, False
        return view["definition"], view["required"]

    def _fate_of(self, conversation: Id, branch: Id) -> tuple[bool, int]:
        view = self._source.ask("fate", conversation, branch=str(branch))
        return view["undone"], view["end"]

    def is_undone(self, entry: RealmEntry) -> bool:
        """Whether a rollback has taken it back (rollback.2)."""
        if entry.home is None or entry.kind not in SPOKEN:
            return False
        undone, end = self._fate(entry.conversation, entry.home[0])
        return undone or entry.home[1] >= end

    def is_note(self, entry: RealmEntry) -> bool:
        """A message without a step where a workflow is required: it moves nothing (workflow.2.1)."""
        if entry.kind not in {"open", "message"} or entry.claims["workflow_state"] is not None:
            return False
        return entry.code is None and self._workflow(entry.conversation)[1]

    def view(self, entry: RealmEntry) -> dict[str, Any] | None:
        """The step that an entry takes or approves, as its author says; None for any other entry."""
        state = entry.claims.get("workflow_state")
        if state is None:
            return None
        return {
            "workflow": self._workflow(entry.conversation)[0],
            "definition": state["definition"],
            "instance": state["instance"] or str(entry.id),
            "step": state["step"],
            "approves": state["approves"],
            "outputs": state["outputs"],
        }

    def words(self, entry: RealmEntry, *, instance: bool = True) -> str:
        """The same in a few words, with the workflow and the instance; empty where there is nothing to say."""
        rolled = entry.claims.get("rollback")
        if rolled is not None:
            count, reason = rolled["closure"]["count"], rolled["reason"]
            said = f"back to {rolled['size']} of {rolled['target'][:8]}, {count:,} undone"
            return f"{said}: {reason!r}" if reason else said
        view = self.view(entry)
        if view is None:
            return "note" if self.is_note(entry) else ""
        of = f" ({view['workflow'] or view['definition'][:8]} {view['instance'][:8]})" if instance else ""
        if view["approves"] is not None:
            return f"approves {view['approves'][:8]} for {view['step']}{of}"
        return f"{view['step']}{of}"


def said(entry: RealmEntry) -> str:
    """The beginning of its body, or what has become of it."""
    if entry.body is None:
        return "" if entry.body_state == "none" else f"  [body {entry.body_state}]"
    if (entry.media_type or "").startswith(("text/", "application/json")):
        text = entry.body.decode("utf-8", "replace")
        return f"  {text[:_SHOWN]!r}{'...' if len(text) > _SHOWN else ''}"
    return f"  [{len(entry.body)} bytes, {entry.media_type}]"
