"""A trading desk in both implementations, whose members attack it: who asks, who prices, who approves, a child, and what is taken honestly.

desk = Desk.open()
quote = desk.quoted(900)
desk.rejected("ApprovalsMissing", desk.move("tara", "execute"))
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Final

from tests.two_realms import TwoRealms
from tests.workflow_world import Flow, document, running, step

__all__ = ["AT_MOST", "INTEGER", "LIMIT", "Desk", "Pair", "trading"]

INTEGER: Final = 1
AT_MOST: Final = 1
LIMIT: Final = 1000

PEOPLE: Final = {
    "tara": ("traders",),
    "pia": ("pricing",),
    "rita": ("risk",),
    "rob": ("risk",),
    "olga": ("operations",),
    "max": ("pricing", "risk", "traders"),
}


def trading(**changes: Any) -> bytes:
    """The definition; ``changes`` are parts of steps by their names, or ``rollback``."""
    rollback = changes.pop("rollback", (["risk"], 2))
    steps = [
        step("order", by=["traders"]),
        step("quote", by=["pricing"], mode=1, needs=["order", "refresh"], visits=3, outputs={"total": INTEGER}),
        step("refresh", by=["traders"], needs=["quote"], choice="quote", visits=2),
        step(
            "execute",
            by=["traders"],
            needs=["quote"],
            choice="quote",
            when=[["quote", "total", AT_MOST, LIMIT]],
            approvals=["quote", 2, ["risk"]],
            deadline=60_000,
            pivot=True,
            undo="reverse",
        ),
        step("cancel", by=["risk", "traders"], needs=["quote"], choice="quote", terminal=True),
        step("settle", by=["operations"], needs=["execute"], choice="execute", terminal=True),
        step("reverse", by=["risk"], needs=["execute"], choice="execute", terminal=True),
    ]
    for each in steps:
        each.update(changes.get(each["name"], {}))
    return document(steps, name="trading", rollback=rollback)


@dataclass
class Pair(Flow, TwoRealms):
    """A realm with workflows in both implementations."""


@dataclass
class Desk:
    """A conversation with an order in it, known as ``start``."""

    world: Pair
    talk: bytes
    start: bytes

    @classmethod
    def open(cls, **changes: Any) -> Desk:
        world, talk = running(trading(**changes), Pair, name="trading", **PEOPLE)
        world.take(world.enrol("op", purpose="operator"))
        return cls(world, talk, world.taken("tara", talk, "order"))

    def move(self, by: str, name: str, **how: Any) -> bytes:
        """A step of the order, or an approval with ``approves``."""
        return self.world.move(by, self.talk, name, how.pop("instance", self.start), **how)

    def take(self, by: str, name: str, **how: Any) -> bytes:
        """The same, admitted. The message's id."""
        return self.world.taken(by, self.talk, name, how.pop("instance", self.start), **how)

    def quoted(self, total: int, **how: Any) -> bytes:
        return self.take("pia", "quote", outputs={"total": total}, **how)

    def approved(self, total: int = 900, **how: Any) -> bytes:
        """Quoted, and approved by both of risk. The quote's id."""
        quote = self.quoted(total, **how)
        for who in ("rita", "rob"):
            self.take(who, "execute", approves=quote, **how)
        return quote

    def instances(self) -> dict[bytes, Any]:
        """What every instance of every conversation is."""
        talks = self.world.state.conversations.values()
        return {
            instance.id: (
                list(instance.transitions),
                list(instance.approvals),
                instance.rollbacks,
                instance.workflow.id,
            )
            for talk in talks
            for instance in talk.instances.values()
        }

    def rejected(self, code: str, envelope: bytes) -> None:
        """Both implementations reject it with this code; it moves nothing; and a second time it is known as the same."""
        before = copy.deepcopy(self.instances())
        branches = {id: branch.size for id, branch in self.world.talk(self.talk).branches.items()}  # noqa: A001
        found = self.world.ask(envelope)
        assert (found["code"], found["verdict"]) == (code, "rejected"), found
        assert self.instances() == before
        assert {id: branch.size for id, branch in self.world.talk(self.talk).branches.items()} == branches  # noqa: A001
        again = self.world.ask(envelope)
        assert (again["verdict"], again["position"]) == ("duplicate", found["position"]), again

    def refused(self, code: str, envelope: bytes) -> None:
        """Both refuse to sequence it at all."""
        before = len(self.world.answers), copy.deepcopy(self.instances())
        for _ in range(2):
            found = self.world.ask(envelope)
            assert (found["code"], found["verdict"]) == (code, "refused"), found
        assert self.instances() == before[1]

    def goes_through(self, branch: bytes | None = None) -> None:
        """Honest people bring the order to its end, and both implementations tell the same history of it."""
        how: dict[str, Any] = {} if branch is None else {"branch": branch}
        taken = [self.name_of(each) for each in self.world.talk(self.talk).instances[self.start].transitions]
        if taken[-1] in {"order", "refresh"}:
            self.quoted(900, **how)
        if taken[-1] != "execute":
            self.executed(**how)
        self.take("olga", "settle", **how)
        self.world.compare_histories([self.talk])

    def executed(self, **how: Any) -> bytes:
        """By the trader, with what approvals are still missing."""
        instance = self.world.talk(self.talk).instances[self.start]
        quote = [each for each in instance.transitions if self.name_of(each) == "quote"][-1].message_id
        if instance.transitions[-1].outputs.get("total", 0) > LIMIT:
            self.take("tara", "refresh", **how)
            quote = self.quoted(900, **how)
        given = {each.principal for each in instance.approvals if each.subject == quote}
        for who in ("rita", "rob"):
            if self.world.ids[who] not in given:
                self.take(who, "execute", approves=quote, **how)
        return self.take("tara", "execute", **how)

    def name_of(self, transition: Any) -> str:
        instance = self.world.talk(self.talk).instances[self.start]
        name: str = instance.workflow.steps[transition.step].name
        return name
