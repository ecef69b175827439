"""The agents that are open in this process, by name, by id, and by what the core's bell calls them (spec agent.5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ama2sec._native import Id
from ama2sec.errors import error

if TYPE_CHECKING:
    from ama2sec.realm.agent import Agent

__all__ = ["Router"]


class Router:
    """Who is open. Who is to have an entry is the core's to say: it delivers what was committed, and rings for those who wait for it."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._agents: dict[Id, Agent] = {}
        self._tokens: dict[int, Agent] = {}
        self.fault: BaseException | None = None

    def reserve(self, name: str) -> None:
        """Only one in this process opens an agent. Raises ``AgentInUse``."""
        if name in self._names:
            raise error("AgentInUse", "to be the only one that holds this agent", "another one in this process")
        self._names.add(name)

    def release(self, name: str) -> None:
        """The name is free again."""
        self._names.discard(name)

    def add(self, agent: Agent) -> None:
        """It is woken from now on."""
        agent.mailbox.fault = self.fault
        self._agents[agent.id] = agent
        self._tokens[agent.mailbox.token] = agent

    def remove(self, agent: Agent) -> None:
        """Nothing goes to it any more."""
        self._agents.pop(agent.id, None)
        self._tokens.pop(agent.mailbox.token, None)
        if not agent.grant:
            self.release(agent.name)

    def find(self, id: Id) -> Agent | None:  # noqa: A002
        """Who of those that are open has an id."""
        return self._agents.get(id)

    def open_agents(self) -> list[Agent]:
        """All that are open."""
        return list(self._agents.values())

    def rung(self, tokens: Iterable[int]) -> None:
        """Something came for these; one that was closed meanwhile does not look."""
        for token in tokens:
            agent = self._tokens.get(token)
            if agent is not None:
                agent.mailbox.wake()

    def fail(self, fault: BaseException) -> None:
        """The log cannot be followed: whoever waits for a message hears of it."""
        self.fault = fault
        for agent in self._agents.values():
            agent.mailbox.fault = fault
            agent.mailbox.wake()
