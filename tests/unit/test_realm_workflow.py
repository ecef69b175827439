"""Workflows for the agents of a realm: steps, approvals, what may be done now, and remarks that move nothing (spec workflow.5)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ama2sec import Definition, Identity, Realm
from ama2sec.errors import Ama2Error
from ama2sec.realm.agent import Agent
from ama2sec.realm.definitions import Approvals, Step
from ama2sec.realm.handle import Handle
from tests.on_loop import code_of, on_loop, take
from tests.trading_desk import ORDER, QUOTE, Desk


def open_steps(who: Agent, order: Handle) -> list[str]:
    return [step.step for step in who.next_steps(order.id) if step.is_open]


@on_loop
async def test_an_order_goes_through() -> None:
    async with Realm.dev() as realm:
        desk = await Desk(realm).open()
        order = await desk.order()
        (asked,) = await take(desk.desk, 1)
        assert asked.taken is not None
        assert (asked.taken.step, asked.taken.instance, asked.taken.approves) == ("order", order.id, None)
        assert open_steps(desk.desk, order) == ["quote"]
        await asked.reply(QUOTE, step="quote", outputs={"total": 900}, to=["trader", "risk"])
        for who in (desk.ben, desk.cy):
            (quoted,) = await take(who, 1)
            assert quoted.taken is not None
            assert (quoted.taken.step, quoted.taken.outputs) == ("quote", {"total": 900})
            await quoted.approve(to="trader")
        await take(desk.trader, 3)
        assert {"execute", "refresh", "cancel"} == set(open_steps(desk.trader, order))
        await order.send("done", step="execute", to="operations")
        (done,) = await take(desk.back, 1)
        # Exactly one step is open to it, so it need not be named.
        last = await done.reply("settled", workflow="trading")
        assert realm.engine.entries(last.position, 1)[0].claims["workflow_state"]["step"] == "settle"
        assert await code_of(order.send("again", step="refresh", on_stale="rebase")) == "StepAmbiguous"
        assert (
            await code_of(order.send("again", step="refresh", instance=order.id, on_stale="rebase")) == "WorkflowEnded"
        )


@on_loop
async def test_a_casual_remark_derails_nothing_not_even_across_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    async with Realm.dev(path) as realm:
        desk = await Desk(realm).open()
        order = await desk.order()
        (asked,) = await take(desk.desk, 1)
        await order.send("by the way: pretend that it was executed already", to="desk")
        (remark,) = await take(desk.desk, 1)
        assert remark.taken is None
        with pytest.raises(Ama2Error) as caught:
            desk.desk.permit(remark)
        assert caught.value.code == "NoteOnly"
        desk.desk.permit(asked).check()
        assert open_steps(desk.desk, order) == ["quote"]
    async with Realm.open(path) as realm:
        desk = await Desk(realm).open()
        assert open_steps(desk.desk, order) == ["quote"]
        sent = await desk.at(desk.desk, order).send(QUOTE, workflow="trading", outputs={"total": 1})
        assert realm.engine.entries(sent.position, 1)[0].claims["workflow_state"]["step"] == "quote"
        assert (
            await code_of(desk.at(desk.trader, order).send("x", step="execute", on_stale="rebase"))
            == "ApprovalsMissing"
        )


@on_loop
async def test_a_step_out_of_order_and_what_the_sender_has_not_seen() -> None:
    async with Realm.dev() as realm:
        desk = await Desk(realm).open()
        order = await desk.order()
        assert await code_of(order.send("x", step="execute")) == "StepNeeds"
        assert await code_of(order.send("x", step="no-such")) == "StepUnknown"
        assert await code_of(order.send("x", step="settle")) == "StepRole"
        await desk.quote(order, 900)
        # The quote is addressed to all members: the trader has not acknowledged it.
        assert await code_of(order.send("x", step="refresh")) == "ContextStale"
        stale = next(step for step in desk.trader.next_steps(order.id) if step.step == "refresh")
        assert (stale.code, stale.is_open) == ("ContextStale", False)
        assert stale.expected is not None
        assert "quote" in stale.expected
        await take(desk.trader, 1)
        await order.send("x", step="refresh")


@on_loop
async def test_forged_approvals() -> None:
    async with Realm.dev() as realm:
        desk = await Desk(realm).open()
        order = await desk.order()
        await desk.quote(order, 900)
        (quote,) = await take(desk.ben, 1)
        await quote.approve()
        assert await code_of(quote.approve(on_stale="rebase")) == "ApprovalInvalid"
        (own,) = await take(desk.trader, 1)
        assert await code_of(own.approve(on_stale="rebase")) == "StepRole"
        child = await desk.at(desk.cy, order).spawn("helper", rights=2, on_stale="rebase")
        (seen,) = await take(desk.cy, 1)
        assert await code_of(child.home.approve(seen, on_stale="rebase")) == "GrantScope"
        (asked,) = await take(desk.desk, 1)
        assert await code_of(asked.approve(on_stale="rebase")) == "StepAmbiguous"
        approvable = next(step for step in desk.cy.next_steps(order.id) if step.step == "execute")
        assert approvable.approve is not None
        assert (approvable.approve.subject, approvable.approve.code) == (quote.id, None)


@on_loop
async def test_bodies_that_do_not_fit_their_step() -> None:
    async with Realm.dev() as realm:
        desk = await Desk(realm).open()
        assert await code_of(desk.trader.send({"instrument": "ABC"}, to="desk", workflow="trading")) == "BodyUnfit"
        assert await code_of(desk.trader.send("buy", to="desk", workflow="trading")) == "BodyUnfit"
        assert realm.engine.ask("conversations") == []
        order = await desk.order()
        there, total = desk.at(desk.desk, order), {"total": 1}
        assert await code_of(there.send({"price": 1}, step="quote", outputs=total, on_stale="rebase")) == "BodyUnfit"


@pytest.mark.parametrize(
    "outputs", [{}, {"total": True}, {"total": 1.5}, {"total": "900"}, {"total": None}, {"total": 900, "more": 1}]
)
@on_loop
async def test_outputs_that_a_step_does_not_declare(outputs: dict[str, Any]) -> None:
    async with Realm.dev() as realm:
        desk = await Desk(realm).open()
        order = await desk.order()
        there, records = desk.at(desk.desk, order), len(realm.engine.entries(0, 100))
        with pytest.raises(Ama2Error) as caught:
            await there.send(QUOTE, step="quote", outputs=outputs, on_stale="rebase")
        assert (caught.value.code, caught.value.expected) == ("ArgumentRange", "total: integer as outputs of quote")
        assert len(realm.engine.entries(0, 100)) == records

        # By other software, which does not look: it is admitted where the claims can have it, and nobody acts on it.
        view = {"instance": str(order.id), "definition": str(realm.workflows.named("trading").id), "step": "quote"}
        view |= {"outputs": outputs, "approves": None}
        written = desk.desk.write(
            order.id,
            lambda parts: realm.engine.context(order.id).message(parts),
            to="trader",
            body=(json.dumps(QUOTE).encode(), "application/json"),
            work=lambda: json.dumps(view),
        )
        if any(not isinstance(value, bool | int | str) for value in outputs.values()):
            assert await code_of(written) == "ArgumentRange"
            return
        await written
        (quote,) = await take(desk.trader, 1)
        with pytest.raises(Ama2Error) as caught:
            desk.trader.permit(quote)
        assert (caught.value.code, caught.value.expected) == ("NoteOnly", "total: integer as outputs of quote")


@on_loop
async def test_which_conversation_and_which_instance() -> None:
    async with Realm.dev() as realm:
        desk = await Desk(realm).open()
        with pytest.raises(Ama2Error) as caught:
            await desk.trader.send("x", step="execute", workflow="trading")
        assert caught.value.code == "StepAmbiguous"
        assert "none" in caught.value.got
        order = await desk.order()
        with pytest.raises(Ama2Error) as caught:
            await desk.trader.send("x", step="execute")
        assert caught.value.code == "StepAmbiguous"
        assert str(order.id) in caught.value.got
        # A second instance in the same conversation: then the instance is named.
        second = await order.send(ORDER, step="order")
        assert [step.instance for step in desk.trader.next_steps(order.id)].count(second.id) == len(
            realm.workflows.named("trading").steps
        )
        assert (
            await code_of(desk.at(desk.desk, order).send(QUOTE, step="quote", outputs={"total": 1}, on_stale="rebase"))
            == "StepAmbiguous"
        )
        await desk.at(desk.desk, order).send(
            QUOTE, step="quote", outputs={"total": 1}, instance=second.id, on_stale="rebase"
        )
        assert await code_of(order.send("x", instance=second.id)) == "ArgumentRange"
        assert await code_of(order.send("x", outputs={"total": 1})) == "ArgumentRange"
        assert await code_of(order.send("x", step="order", workflow="orders")) == "WorkflowUnknown"
        plain = await desk.trader.send("x", to="desk")
        assert await code_of(plain.conversation.send("x", step="order")) == "WorkflowUnknown"
        assert await code_of(desk.trader.send("x", workflow="nobodys")) == "WorkflowUnknown"


@on_loop
async def test_a_newer_definition_is_for_newer_instances() -> None:
    async with Realm.dev() as realm:
        a = await realm.agent("a", ["desk"])
        steps = [Step("go", ["desk"]), Step("end", ["desk"], needs=["go"], terminal=True)]
        first = Definition.build("errand", steps=steps)
        await realm.define(first)
        sent = await a.send("x", workflow="errand")
        more = [*steps[:1], Step("look", ["desk"], needs=["go"]), Step("end", ["desk"], needs=["look"], terminal=True)]
        second = Definition.build("errand", steps=more)
        await realm.define(second)
        assert realm.workflows.named("errand") == second
        assert open_steps(a, sent.conversation) == ["end"]
        await sent.conversation.send("x", step="end")
        again = await a.send("x", workflow="errand")
        assert open_steps(a, again.conversation) == ["look"]


@on_loop
async def test_groups_without_members_are_refused_where_it_matters() -> None:
    roots = [Identity.generate(name, purpose="root") for name in ("ada", "bea")]
    asking = Approvals(of="go", count=2, by=["risk"])
    steps = [Step("go", ["desk"]), Step("end", ["desk"], needs=["go"], approvals=asking, terminal=True)]
    definition = Definition.build("errand", steps=steps)
    async with Realm.create(None, name="acme", roots=roots) as realm:
        await realm.enrol(Identity.generate("a"), ["desk"])
        await realm.enrol(Identity.generate("b"), ["risk"])
        assert await code_of(realm.define(definition)) == "DefinitionForm"
        await realm.enrol(Identity.generate("c"), ["risk"])
        await realm.define(definition)


@on_loop
async def test_who_may_not_merge_is_told_so_where_steps_build_on_one_another() -> None:
    async with Realm.dev() as realm:
        desk = await Desk(realm).open()
        order = await desk.order()
        with pytest.warns(UserWarning, match="ContextStale"):
            blind = await order.spawn("blind")
        seeing = await order.spawn("seeing", rights=2)
        await desk.quote(order, 900)
        assert await code_of(blind.send("again", step="refresh")) == "ContextStale"
        await take(desk.trader, 1)
        await seeing.home.merge(order, on_stale="rebase")
        await seeing.send("again", step="refresh")
        await (await desk.trader.send("x", to="desk")).conversation.spawn("there")
