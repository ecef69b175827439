"""The people of the shipped trading workflow, for tests."""

from __future__ import annotations

from typing import Any, Final

from ama2sec import Realm
from ama2sec.realm.agent import Agent
from ama2sec.realm.handle import Handle

ORDER: Final[dict[str, Any]] = {"instrument": "ABC", "side": "buy", "quantity": 7}
QUOTE: Final[dict[str, Any]] = {"price": "9.5", "currency": "EUR"}


class Desk:
    """A trader, somebody who quotes, two of risk, one of operations."""

    trader: Agent
    desk: Agent
    ben: Agent
    cy: Agent
    back: Agent

    def __init__(self, realm: Realm) -> None:
        self.realm = realm

    async def open(self) -> Desk:
        realm = self.realm
        self.trader = await realm.agent("trader", ["traders"])
        self.desk = await realm.agent("desk", ["pricing"])
        self.ben, self.cy = await realm.agent("ben", ["risk"]), await realm.agent("cy", ["risk"])
        self.back = await realm.agent("back", ["operations"])
        return self

    async def order(self) -> Handle:
        """As the trader has it."""
        return (await self.trader.send(ORDER, to="desk", workflow="trading")).conversation

    async def quote(self, order: Handle, total: int) -> None:
        """By the desk, which has seen everything, to all members."""
        await self.at(self.desk, order).send(QUOTE, step="quote", outputs={"total": total}, on_stale="rebase")

    def at(self, who: Agent, order: Handle) -> Handle:
        """The same conversation, for somebody else."""
        return who.conversation(order.id)
