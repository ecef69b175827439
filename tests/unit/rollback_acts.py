"""Every code of rollbacks, met for real in the core: one act a code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ama2sec.realm.handle import Handle
from tests.on_loop import take
from tests.realm_world import TIME, World
from tests.trading_desk import QUOTE, Desk
from tests.two_realms import asked_of_core
from tests.unit.test_reference_rollback import ORDER, staged, talk_of
from tests.unit.workflow_acts import trading

__all__ = ["ROLLBACK_ACTS"]

Act = Callable[[Any], object]


def judged(act: Callable[[], tuple[World, bytes]]) -> Act:
    """The code that the core gives, raised as a look-up that found it."""

    def run(_: Any) -> object:
        raise LookupError(asked_of_core(*act(), TIME).get("code", "ok"))

    return run


def superseded() -> tuple[World, bytes]:
    world, talk = talk_of()
    world.rolled("alice", talk, 3)
    return world, world.say("ben", talk)


def undone() -> tuple[World, bytes]:
    world, talk = talk_of()
    fork = world.take(world.fork("ben", talk)).entry.message_id
    world.rolled("alice", talk, 3)
    return world, world.say("ben", talk, branch=fork)


def merged() -> tuple[World, bytes]:
    world, talk = talk_of()
    successor = world.rolled("alice", talk, 3)
    return world, world.say("ben", talk, branch=successor, merges=[(talk, 5)])


def granted() -> tuple[World, bytes]:
    world, talk = talk_of()
    kid = world.spawned("ben", talk, "kid")
    world.rolled("alice", talk, 3)
    return world, world.say("kid", talk, branch=kid)


def faulty(code: str) -> Act:
    return judged(lambda: staged({code}))


async def withdrawn(desk: Desk, order: Handle) -> object:
    (asked,) = await take(desk.desk, 1)
    await asked.reply(QUOTE, step="quote", outputs={"total": 1}, to=["trader", "risk"])
    (quote,) = await take(desk.cy, 1, acknowledge=False)
    await desk.at(desk.ben, order).rollback(asked, on_stale="rebase")
    return desk.cy.permit(quote)


ROLLBACK_ACTS: Final[dict[str, Act]] = {
    **{code: faulty(code) for code in ORDER if code not in {"GrantScope", "MergeForm"}},
    "BranchSuperseded": judged(superseded),
    "BranchUndone": judged(undone),
    "MergeUndone": judged(merged),
    "GrantUndone": judged(granted),
    "MessageUndone": trading(withdrawn),
}
