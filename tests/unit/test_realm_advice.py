"""Whoever is told what he may do now is told what the log would say in the same state: on a dead branch, under a halt, without a say (workflow.5.3)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ama2sec import Definition, Id, Realm
from ama2sec.errors import Ama2Error
from ama2sec.realm.agent import Agent
from ama2sec.realm.definitions import Step
from ama2sec.realm.handle import Handle
from ama2sec.realm.standing import standing
from ama2sec.realm.working import Workflows
from tests.on_loop import code_of, on_loop, take
from tests.trading_desk import QUOTE, Desk

SENT: dict[str, dict[str, Any]] = {
    "order": {"body": {"instrument": "ABC", "side": "buy", "quantity": 7}},
    "quote": {"body": QUOTE, "outputs": {"total": 900}},
}


async def told_and_said(handle: Handle, instance: Any) -> dict[str, str | None]:
    """What the agent is told of each step; each code is the one that the message really gets."""
    told = {option.step: option.code for option in handle.next_steps(instance=instance, on_stale="rebase")}
    for step, code in told.items():
        if code is None:
            continue
        how = {"body": "x"} | SENT.get(step, {})
        try:
            await handle.send(step=step, instance=instance, on_stale="rebase", **how)
        except Ama2Error as fault:
            assert fault.code == {"Halted": "Latched"}.get(code, code), step
        else:
            raise AssertionError(step)
    return told


@on_loop
async def test_no_step_is_open_where_no_message_is() -> None:
    async with Realm.dev() as realm:
        people = await Desk(realm).open()
        order = await people.order()
        (asked,) = await take(people.desk, 1)
        await asked.reply(QUOTE, step="quote", outputs={"total": 900})
        desk = people.at(people.desk, order)
        outsider = await realm.agent("outsider", ["press"])

        async def codes(who: Agent, branch: Any) -> set[str | None]:
            return set((await told_and_said(who.conversation(order.id, branch), order.id)).values())

        side = await desk.fork(on_stale="rebase")
        rolled = await people.at(people.ben, order).rollback(asked, on_stale="rebase")
        assert await codes(people.desk, order.id) == {"BranchSuperseded"}
        assert await codes(people.desk, side.branch) == {"BranchUndone"}
        after = rolled.conversation.branch
        assert await codes(people.desk, after) == {None, "StepRole"}
        assert await codes(outsider, after) == {"NotAMember"}
        operator = realm.dev_operator()
        for scope in (
            f"conversation:{order.id}", f"branch:{order.id}:{order.id}", f"instance:{order.id}:{order.id}", "definition:trading",
            f"agent:{people.desk.id}",
        ):  # fmt: skip
            stopped = await operator.stop(scope)
            assert await codes(people.desk, after) == {"Halted"}
            notes = standing(realm.engine, order.id).notes
            assert notes.get("quote") == ("StepRole" if scope.startswith("agent") else "Halted"), scope
            assert stopped.halt is not None
            await operator.resume([stopped.halt])
        closed = await people.desk.conversation(order.id, after).fork(on_stale="rebase")
        await closed.close(on_stale="rebase")
        assert await codes(people.desk, closed.branch) == {"BranchClosed"}
        await people.at(people.trader, order).agent.conversation(order.id, after).close(whole=True, on_stale="rebase")
        assert await codes(people.desk, after) == {"ConversationClosed"}
        assert set(standing(realm.engine, order.id).notes.values()) >= {"ConversationClosed"}


@on_loop
async def test_a_sub_agent_is_told_what_its_grant_has_come_to() -> None:
    async with Realm.dev() as realm:
        people = await Desk(realm).open()
        order = await people.order()
        (asked,) = await take(people.desk, 1)
        parent = people.at(people.desk, order)
        kid = await parent.spawn("kid", steps=["quote"], rights=7)
        assert await told_and_said(kid.home, order.id) == dict.fromkeys(
            ("order", "refresh", "execute", "cancel", "settle", "reverse"), "GrantScope"
        ) | {"quote": None}
        elsewhere = kid.conversation(order.id, order.id)
        assert set((await told_and_said(elsewhere, order.id)).values()) == {"GrantPlace"}
        second = await parent.spawn("second", rights=7)
        await parent.agent.conversation(order.id, second.branch).close(on_stale="rebase")
        assert set((await told_and_said(second.home, order.id)).values()) == {"GrantEnded"}
        await people.at(people.desk, order).send("a remark", on_stale="rebase")
        third = await parent.spawn("third", rights=7, on_stale="rebase")
        await people.at(people.ben, order).rollback(asked, on_stale="rebase")
        assert set((await told_and_said(third.home, order.id)).values()) == {"GrantUndone"}


@on_loop
async def test_who_takes_a_step_asks_for_no_more_instances_than_are_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """A conversation may have many: neither who takes a step nor who reads one pays for the others."""
    listed: list[int] = []
    steps = [Step("do", ["g"], visits=2), Step("work", ["g"], needs=["do"]), Step("end", ["g"], terminal=True)]
    async with Realm.dev() as realm:
        await realm.define(Definition.build("many", steps=steps))
        a, b = await realm.agent("a", ["g"]), await realm.agent("b", ["g"])
        chat = (await a.send("x", to="b", workflow="many")).conversation
        chosen = realm.workflows.named("many").id
        start = json.dumps({"instance": None, "definition": str(chosen), "step": "do", "outputs": {}, "approves": None})
        for _ in range(3):
            made = await a.write(
                chat.id, lambda parts: realm.engine.context(chat.id, chat.id).message(parts), work=lambda: start
            )
        asked = Workflows.in_conversation

        def counted(self: Workflows, *args: Any, **how: Any) -> dict[str, Any]:
            found = asked(self, *args, **how)
            listed.append(len(found["instances"]))
            return found

        monkeypatch.setattr(Workflows, "in_conversation", counted)
        await chat.send({"n": 1}, step="work", instance=made.id)
        (_, *_, last) = await take(b, 2)
        b.permit(last)
        assert last.json() == {"n": 1}
        assert listed
        assert max(listed) == 1
        # Where nothing says which is meant, the first few are named.
        assert await code_of(chat.send("x", step="work")) == "StepAmbiguous"
        assert await code_of(chat.send("x", step="work", instance=Id(bytes(32)))) == "WorkflowUnknown"
        assert max(listed) == 4
