"""How an instance stands, for people: done by whom, open to somebody, or refused with the code that came furthest."""

from __future__ import annotations

import pytest

from ama2sec import Definition, Realm
from ama2sec.errors import Ama2Error
from ama2sec.realm.definitions import AnyOf, Step
from ama2sec.realm.standing import standing
from tests.on_loop import on_loop, take
from tests.trading_desk import ORDER, QUOTE, Desk

EIGHT_HOURS = 8 * 3_600_000


@on_loop
async def test_an_order_on_its_way() -> None:
    async with Realm.dev() as realm:
        desk = await Desk(realm).open()
        order = await desk.order()
        found = standing(realm.engine, order.id)
        assert (found.instance, found.ended) == (order.id, False)
        assert found.title == f"instance {order.id.short} of trading {found.definition.id.short}"
        assert found.states["order"] == "done"
        assert found.notes["order"] == "taken by trader"
        assert (found.states["quote"], found.notes.get("quote")) == ("enabled", None)
        assert (found.states["execute"], found.notes["execute"]) == ("refused", "StepNeeds")
        await desk.quote(order, 900)
        (quoted,) = await take(desk.ben, 1)
        await quoted.approve()
        found = standing(realm.engine, order.id, undone={"quote": 2})
        assert found.notes["quote"] == "taken by desk\ntaken back 2 times"
        assert found.notes["execute"] == "approved by ben\nApprovalsMissing"
        assert [name for name, state in found.states.items() if state == "enabled"] == ["refresh", "cancel"]
        # A deadline is a guard on the time at which it is asked.
        start = realm.engine.ask("instance", order.id, id=str(order.id))["start_time"]
        assert standing(realm.engine, order.id, time=start + EIGHT_HOURS).notes["execute"].endswith("ApprovalsMissing")
        assert (
            standing(realm.engine, order.id, time=start + EIGHT_HOURS + 1).notes["execute"].endswith("DeadlinePassed")
        )
        await desk.at(desk.trader, order).send("enough", step="cancel", on_stale="rebase")
        ended = standing(realm.engine, order.id)
        assert ended.ended
        assert ended.title.endswith(", ended")
        assert set(ended.states.values()) == {"done", "refused"}
        assert ended.notes["settle"] == "WorkflowEnded"


@on_loop
async def test_a_step_that_is_taken_again_and_what_is_out_of_date() -> None:
    steps = [
        Step("draft", ["a"]),
        Step("edit", ["a"], needs=AnyOf("draft", "ask"), visits=3),
        Step("ask", ["a"], needs=["edit"], visits=3),
        Step("review", ["a"], needs=["edit"], visits=3),
        Step("end", ["b"], needs=["review"], terminal=True),
    ]
    definition = Definition.build("paper", steps=steps)
    async with Realm.dev() as realm:
        a = await realm.agent("a1", ["a"])
        await realm.define(definition)
        sent = await a.send("x", workflow="paper")
        for step in ("edit", "review", "ask", "edit"):
            await sent.conversation.send("x", step=step, on_stale="rebase")
        found = standing(realm.engine, sent.conversation.id)
        assert found.notes["edit"].startswith("taken by a1, the 2nd time")
        assert found.states["review"] == "enabled"
        assert found.notes["review"] == "taken by a1\nout of date: done again before it counts"
        # Nobody is in the group b: the nearest answer is the role.
        assert found.notes["end"] == "StepRole"
        await sent.conversation.close(on_stale="rebase")
        assert standing(realm.engine, sent.conversation.id).notes["end"] == "BranchClosed"


@on_loop
async def test_which_instance_is_meant() -> None:
    async with Realm.dev() as realm:
        desk = await Desk(realm).open()
        order = await desk.order()
        plain = await desk.trader.send("x", to="desk")
        second = await order.send(ORDER, step="order")
        for given, code in (
            ((order.id,), "StepAmbiguous"),
            ((order.id, plain.id), "WorkflowUnknown"),
            ((plain.id,), "WorkflowUnknown"),
            ((realm.id,), "ConversationUnknown"),
        ):
            with pytest.raises(Ama2Error) as caught:
                standing(realm.engine, *given)
            assert caught.value.code == code
        assert standing(realm.engine, order.id, second.id).instance == second.id


@on_loop
async def test_in_a_branch_of_its_own() -> None:
    """What was taken in a fork is built on there: the first branch has not seen it."""
    async with Realm.dev() as realm:
        desk = await Desk(realm).open()
        order = await desk.order()
        fork = await desk.at(desk.desk, order).fork(on_stale="rebase")
        await fork.send(QUOTE, step="quote", outputs={"total": 1}, on_stale="rebase")
        found = standing(realm.engine, order.id)
        assert (found.states["refresh"], found.states["cancel"]) == ("enabled", "enabled")
