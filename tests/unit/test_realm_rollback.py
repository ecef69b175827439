"""Rollbacks for the agents of a realm: what would fall, what fell, and where one goes on (spec rollback.5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ama2sec import Realm, sync
from ama2sec.errors import Ama2Error
from ama2sec.realm import replay_realm
from tests.on_loop import code_of, on_loop, take, waiting
from tests.trading_desk import QUOTE, Desk


@on_loop
async def test_what_would_fall_and_what_fell() -> None:
    async with Realm.dev() as realm:
        desk = await Desk(realm).open()
        order = await desk.order()
        (asked,) = await take(desk.desk, 1)
        wrong = await asked.reply(QUOTE, step="quote", outputs={"total": 1}, to="trader")
        fork = await desk.at(desk.cy, order).fork(on_stale="rebase")
        risk = desk.at(desk.ben, order)
        plan = risk.undoing(asked)
        assert (plan.target, plan.size, plan.count) == (order.id, 1, 2)
        assert set(plan.messages) == {wrong.id, fork.branch}
        assert [(step.step, step.compensation, step.pivot) for step in plan.steps] == [("quote", None, False)]
        # Nothing was signed: all is as it was.
        assert realm.engine.ask("fate", order.id, branch=str(order.id))["live"]
        assert await code_of(order.rollback(asked, on_stale="rebase")) == "RollbackRole"
        done = await risk.rollback(asked, "wrong price", on_stale="rebase")
        assert done.undone.count == 2
        assert realm.find(done.sent.id).kind == "rollback"
        assert await code_of(order.send("x", step="refresh", on_stale="rebase")) == "BranchSuperseded"
        again = await desk.desk.conversation(order.id, done.conversation.branch).send(
            QUOTE, step="quote", outputs={"total": 2}, on_stale="rebase"
        )
        assert again.conversation.branch == done.conversation.branch
        assert replay_realm(realm.export()).records == realm.engine.records


@on_loop
async def test_deliveries_of_what_is_undone() -> None:
    async with Realm.dev() as realm:
        desk = await Desk(realm).open()
        order = await desk.order()
        (asked,) = await take(desk.desk, 1)
        await asked.reply(QUOTE, step="quote", outputs={"total": 1}, to=["trader", "risk"])
        (quote,) = await take(desk.cy, 1, acknowledge=False)
        permit = desk.cy.permit(quote)
        permit.check()
        assert not quote.undone
        done = await desk.at(desk.ben, order).rollback(asked, on_stale="rebase")
        # One has it, and is told; the others never get it.
        assert quote.undone
        with pytest.raises(Ama2Error) as caught:
            permit.check()
        assert caught.value.code == "MessageUndone"
        with pytest.raises(Ama2Error) as caught:
            desk.cy.permit(quote)
        assert caught.value.code == "MessageUndone"
        assert await waiting(desk.trader) == []
        # What was undone does not hold back what is consumed of the successor.
        assert desk.trader.conversation(order.id, done.conversation.branch).context().size == 2
        await desk.trader.conversation(order.id, done.conversation.branch).send("a note")


@on_loop
async def test_what_came_meanwhile_and_how_often() -> None:
    async with Realm.dev() as realm:
        desk = await Desk(realm).open()
        order = await desk.order()
        (asked,) = await take(desk.desk, 1)
        await desk.quote(order, 1)
        risk = desk.at(desk.ben, order)
        plan = risk.undoing(asked)
        await order.send("a note", on_stale="rebase")
        assert await code_of(risk.rollback(asked, expected=plan, on_stale="rebase")) == "RollbackIncomplete"
        at = risk
        for _ in range(2):
            done = await at.rollback(asked, on_stale="rebase")
            at = done.conversation
            await desk.desk.conversation(order.id, at.branch).send(
                QUOTE, step="quote", outputs={"total": 1}, on_stale="rebase"
            )
        assert await code_of(at.rollback(asked, on_stale="rebase")) == "RollbackCap"
        assert await code_of(at.rollback(done.sent, on_stale="rebase")) == "RollbackCap"


@on_loop
async def test_nothing_is_signed_that_the_log_must_refuse() -> None:
    """A cut behind which nothing stands, or in a branch that was closed: ``RollbackTarget`` before a number is burnt."""
    async with Realm.dev() as realm:
        a = await realm.agent("a")
        await realm.agent("b")
        first = await a.send("one", to="b")
        chat = first.conversation
        second = await chat.send("two", to="b")
        fork = await chat.fork()
        inside = await fork.send("three", to="b")
        records = realm.position
        with pytest.raises(Ama2Error) as caught:
            fork.undoing(inside)
        assert caught.value.code == "RollbackTarget"
        assert await code_of(fork.rollback(inside)) == "RollbackTarget"
        await fork.close()
        with pytest.raises(Ama2Error) as caught:
            chat.undoing(fork.branch)
        assert caught.value.code == "RollbackTarget"
        assert realm.position == records + 1
        done = await chat.rollback(first)
        with pytest.raises(Ama2Error) as caught:
            done.conversation.undoing(first)
        assert caught.value.code == "RollbackTarget"
        assert realm.is_undone(realm.find(second.id))


@on_loop
async def test_where_one_goes_on() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        first = await a.send("one", to="b")
        chat = first.conversation
        assert chat.tip() == chat
        second = await chat.send("two", to="b")
        fork = await chat.fork()
        await chat.rollback(first)
        once = chat.tip()
        await once.send("again", to="b")
        # Whoever did not roll back finds the same place.
        theirs = b.conversation(chat.id)
        assert (theirs.tip().branch, theirs.tip().agent) == (once.branch, b)
        assert await code_of(theirs.send("late", on_stale="rebase")) == "BranchSuperseded"
        await theirs.tip().send("in time", on_stale="rebase")
        twice = await once.rollback(first, on_stale="rebase")
        assert chat.tip().branch == once.tip().branch == twice.conversation.branch
        with pytest.raises(Ama2Error) as caught:
            fork.tip()
        assert caught.value.code == "BranchUndone"
        with pytest.raises(Ama2Error) as caught:
            a.conversation(chat.id, second.id).tip()
        assert caught.value.code == "BranchUnknown"


@on_loop
async def test_across_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    async with Realm.dev(path) as realm:
        desk = await Desk(realm).open()
        order = await desk.order()
        (asked,) = await take(desk.desk, 1)
        quote = await asked.reply(QUOTE, step="quote", outputs={"total": 1}, to="trader")
        done = await desk.at(desk.ben, order).rollback(asked, on_stale="rebase")
        branch = done.conversation.branch
    async with Realm.open(path) as realm:
        desk = await Desk(realm).open()
        assert await waiting(desk.trader) == []
        assert realm.is_undone(realm.find(quote.id))
        again = desk.desk.conversation(order.id, branch)
        await again.send(QUOTE, step="quote", outputs={"total": 2}, on_stale="rebase")


def test_without_an_event_loop() -> None:
    with sync.Realm.dev() as realm:
        a, b = realm.agent("a"), realm.agent("b")
        first = a.send("one", to="b")
        second = first.conversation.send("two", to="b")
        plan = first.conversation.undoing(first)
        assert plan.messages == (second.id,)
        done = first.conversation.rollback(first, "not so")
        assert done.undone.count == 1
        done.conversation.send("three", to="b")
        assert first.conversation.tip().branch == done.conversation.branch
        assert [message.text for message in b.inbox(timeout=0.2)] == ["one", "three"]
