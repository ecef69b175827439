"""Who in this process is to have an entry of the log (spec agent.3)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ama2sec._native import Id, RealmEntry, parse_record
from ama2sec.errors import error

if TYPE_CHECKING:
    from ama2sec.realm.agent import Agent

__all__ = ["Router"]

_MEMBERS: Final = 65_536
"""Conversations whose members, and branches whose parents, are remembered; those of others are read from the log again."""
_DELIVERED: Final = frozenset({"open", "message"})

Members = frozenset[Id | str] | None


class Router:
    """The agents that are open in this process, by id and by group, and the members of conversations."""

    def __init__(self, entries: Callable[[int, int], list[RealmEntry]]) -> None:
        self._entries = entries
        self._names: set[str] = set()
        self._agents: dict[Id, Agent] = {}
        self._groups: dict[str, dict[Id, Agent]] = {}
        self._members: OrderedDict[Id, Members] = OrderedDict()
        self._forks: OrderedDict[Id, tuple[Id, int]] = OrderedDict()
        self.fault: BaseException | None = None

    # -- who is here ---------------------------------------------------------------------------------------------

    def reserve(self, name: str) -> None:
        """Only one in this process opens an agent. Raises ``AgentInUse``."""
        if name in self._names:
            raise error("AgentInUse", "to be the only one that holds this agent", "another one in this process")
        self._names.add(name)

    def release(self, name: str) -> None:
        """The name is free again."""
        self._names.discard(name)

    def add(self, agent: Agent) -> None:
        """Entries go to it from now on."""
        agent.mailbox.fault = self.fault
        self._agents[agent.id] = agent
        for group in agent.groups:
            self._groups.setdefault(group, {})[agent.id] = agent

    def remove(self, agent: Agent) -> None:
        """Nothing goes to it any more."""
        self._agents.pop(agent.id, None)
        for group in agent.groups:
            self._groups.get(group, {}).pop(agent.id, None)
        if not agent.grant:
            self.release(agent.name)

    def find(self, id: Id) -> Agent | None:  # noqa: A002
        """Who of those that are open has an id."""
        return self._agents.get(id)

    def open_agents(self) -> list[Agent]:
        """All that are open."""
        return list(self._agents.values())

    def fail(self, fault: BaseException) -> None:
        """The log cannot be followed: whoever waits for a message hears of it."""
        self.fault = fault
        for agent in self._agents.values():
            agent.mailbox.fault = fault
            agent.mailbox.wake()

    # -- who is to have it ---------------------------------------------------------------------------------------

    def route(self, entry: RealmEntry) -> None:
        """Offer an entry to all who are to have it."""
        if not _is_delivered(entry):
            if entry.kind == "fork" and entry.code is None:
                self._note_fork(entry)
            return
        to: Members = frozenset(entry.recipients) or self.members(entry)
        if to is None:
            found = {agent.id: agent for agent in self._agents.values() if not agent.grant}
        else:
            found = {}
            for address in to:
                if isinstance(address, str):
                    found.update(self._groups.get(address, {}))
                elif (agent := self._agents.get(address)) is not None:
                    found[agent.id] = agent
        found.pop(entry.sender, None)
        for agent in found.values():
            agent.mailbox.offer(entry)

    def is_addressed(self, agent: Agent, entry: RealmEntry) -> bool:
        """Whether an entry is an agent's to handle: the same answer as that of ``route``, for an entry that is read again."""
        if not _is_delivered(entry) or entry.sender == agent.id:
            return False
        to: Members = frozenset(entry.recipients) or self.members(entry)
        if to is None:
            return not agent.grant
        return agent.id in to or any(group in to for group in agent.groups)

    def lineage(
        self, conversation: Id, branch: Id, size: int, find: Callable[[Id], RealmEntry]
    ) -> list[tuple[Id, int]]:
        """A branch and its size, its parent and how much of it is inherited, and so on (dag.1.5). ``find`` reads an entry by its id."""
        found = [(branch, size)]
        while branch != conversation:
            if branch not in self._forks:
                self._note_fork(find(branch))
            self._forks.move_to_end(branch)
            branch, base = self._forks[branch]
            found.append((branch, base))
        return found

    def _note_fork(self, entry: RealmEntry) -> None:
        self._forks[entry.id] = entry.context
        if len(self._forks) > _MEMBERS:
            self._forks.popitem(last=False)

    def members(self, entry: RealmEntry) -> Members:
        """The members of an entry's conversation; None for everyone enrolled."""
        id = entry.conversation  # noqa: A001
        if id in self._members:
            self._members.move_to_end(id)
            return self._members[id]
        opening = entry
        while opening.kind != "open" or opening.code is not None:
            # prev is one more than the position of the conversation's record before (record.1.1).
            opening = self._entries(parse_record(opening.record)["prev"] - 1, 1)[0]
        listed = opening.claims["members"]
        members = None if listed is None else frozenset(_address(each) for each in listed)
        self._members[id] = members
        if len(self._members) > _MEMBERS:
            self._members.popitem(last=False)
        return members


def _is_delivered(entry: RealmEntry) -> bool:
    return entry.code is None and entry.media_type is not None and entry.kind in _DELIVERED


def _address(view: str) -> Id | str:
    return view.removeprefix("name:") if view.startswith("name:") else Id.from_hex(view)
