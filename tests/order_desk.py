"""The people of the shipped order processing, for tests: an order with a compensation and a point of no return."""

from __future__ import annotations

from typing import Any, Final

from ama2sec import Id, Realm
from ama2sec.realm.agent import Agent
from ama2sec.realm.handle import Handle, Sent

PLACED: Final[dict[str, Any]] = {"customer": "acme", "lines": [{"sku": "CHAIR", "quantity": 40}]}
SHIPPED: Final[dict[str, Any]] = {"carrier": "post", "tracking": "A1"}


class Orders:
    """Sales, a warehouse, billing."""

    sales: Agent
    warehouse: Agent
    billing: Agent
    order: Handle

    def __init__(self, realm: Realm) -> None:
        self.realm = realm

    async def open(self) -> Orders:
        self.sales = await self.realm.agent("ada", ["sales"])
        self.warehouse = await self.realm.agent("walter", ["warehouse"])
        self.billing = await self.realm.agent("bea", ["billing"])
        return self

    async def place(self) -> Sent:
        sent = await self.sales.send(
            PLACED, to=["warehouse", "billing"], workflow="order_processing", outputs={"total": 70}
        )
        self.order = sent.conversation
        return sent

    async def take(self, who: Agent, step: str, body: Any = "done", branch: Id | None = None, **outputs: Any) -> Sent:
        """A step by somebody who has seen everything."""
        handle = who.conversation(self.order.id, branch or self.order.branch)
        return await handle.send(body, step=step, outputs=outputs or None, on_stale="rebase")

    async def checked(self) -> Sent:
        """Stock and payment: both in order. What was sent last."""
        await self.take(self.warehouse, "check_stock", in_stock=True)
        return await self.take(self.billing, "authorize", authorized=True)
