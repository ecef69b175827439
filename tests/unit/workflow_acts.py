"""Every code of workflows, met for real: one act a code, in a realm with the shipped trading workflow, or with a small one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from ama2sec import Definition, Id, Realm
from ama2sec.realm.definitions import Condition, Step
from ama2sec.realm.handle import Handle
from tests.on_loop import take
from tests.trading_desk import QUOTE, Desk

__all__ = ["WORKFLOW_ACTS"]

Act = Callable[[Any], object]


def trading(act: Callable[[Desk, Handle], Awaitable[object]]) -> Act:
    """What the act raises, with an order of the trader on the desk."""

    def run(_: Any) -> object:
        async def acted() -> object:
            async with Realm.dev() as realm:
                desk = await Desk(realm).open()
                return await act(desk, await desk.order())

        return asyncio.run(acted())

    return run


def small(*steps: Step, then: tuple[str, ...], wait: float = 0.0) -> Act:
    """Take the start of a definition, and then these steps of it; the last one is not admitted."""

    def run(_: Any) -> object:
        async def acted() -> object:
            async with Realm.dev() as realm:
                await realm.define(Definition.build("small", steps=steps))
                agent = await realm.agent("a", ["desk"])
                order = (await agent.send("x", workflow="small", outputs={"well": False})).conversation
                for step in then:
                    await asyncio.sleep(wait)
                    outputs = {"well": False} if step == "go" else None
                    await order.send("x", step=step, instance=order.id, outputs=outputs)
                return None

        return asyncio.run(acted())

    return run


async def stale(desk: Desk, order: Handle) -> object:
    await desk.quote(order, 1)
    return await order.send("x", step="refresh")


async def approved_oneself(desk: Desk, order: Handle) -> object:
    await desk.quote(order, 1)
    (quote,) = await take(desk.ben, 1)
    await quote.approve()
    return await quote.approve(on_stale="rebase")


async def unapproved(desk: Desk, order: Handle) -> object:
    await desk.quote(order, 1)
    return await order.send("x", step="execute", on_stale="rebase")


async def remarked(desk: Desk, order: Handle) -> object:
    await order.send("by the way", to="desk")
    _, remark = await take(desk.desk, 2)
    return desk.desk.permit(remark)


async def mispriced(desk: Desk, order: Handle) -> object:
    """By other software, which does not look at schemas."""
    handle = desk.at(desk.desk, order)
    view = desk.realm.workflows.named("trading")
    await desk.desk.write(
        order.id,
        lambda parts: desk.realm.engine.context(order.id).message(parts),
        to="trader",
        body=(b"{}", "application/json"),
        work=lambda: _state(order.id, view.id, "quote"),
    )
    (quote,) = await take(desk.trader, 1)
    assert handle.id == order.id
    return quote.json()


async def other_version(desk: Desk, order: Handle) -> object:
    return await desk.desk.write(
        order.id,
        lambda parts: desk.realm.engine.context(order.id).message(parts),
        work=lambda: _state(order.id, Id(bytes([7]) * 32), "quote"),
    )


def _state(instance: Id, definition: Id, step: str) -> str:
    return f'{{"instance": "{instance}", "definition": "{definition}", "step": "{step}", "outputs": {{}}, "approves": null}}'


GO: Final = Step("go", ["desk"], outputs={"well": "boolean"})
END: Final = Step("end", ["desk"], needs=["go"], terminal=True)

WORKFLOW_ACTS: Final[dict[str, Act]] = {
    "WorkflowVersion": trading(other_version),
    "StepUnknown": trading(lambda _, order: order.send("x", step="nothing")),
    "StepRole": trading(lambda _, order: order.send(QUOTE, step="quote", outputs={"total": 1})),
    "WorkflowEnded": small(GO, END, then=("end", "end")),
    "DeadlinePassed": small(GO, END, Step("late", ["desk"], needs=["go"], deadline=1), then=("late",), wait=0.05),
    "StepSpent": small(GO, END, then=("go",)),
    "StepExcluded": small(
        GO,
        Step("left", ["desk"], needs=["go"], choice="go", terminal=True),
        Step("right", ["desk"], needs=["go"], choice="go"),
        Step("done", ["desk"], needs=["right"], terminal=True),
        then=("right", "left"),
    ),
    "StepNeeds": trading(lambda _, order: order.send("x", step="execute")),
    "StepWhen": small(
        GO,
        END,
        Step("more", ["desk"], needs=["go"], when=[Condition("go", "well", equals=True)]),
        then=("more",),
    ),
    "ApprovalsMissing": trading(unapproved),
    "ApprovalInvalid": trading(approved_oneself),
    "ContextStale": trading(stale),
    "BodyUnfit": trading(lambda desk, _: desk.trader.send({}, to="desk", workflow="trading")),
    "BodySchema": trading(mispriced),
    "NoteOnly": trading(remarked),
    "StepAmbiguous": trading(lambda desk, _: desk.trader.send("x", step="execute")),
}
