"""Definitions of workflows as documents, honest or hostile, and a realm in which they run: made by the reference alone.

flow = document([step("order"), step("pay", needs=["order"], terminal=True)])
world, talk = running(flow, alice=("work",))
start = world.taken("alice", talk, "order")
world.taken("alice", talk, "pay", start)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ama2sec.reference import encode, parse
from ama2sec.reference.hashes import definition_id
from tests.realm_world import DEFINE, World

ANY, ALL = 1, 0


def step(name: str, **parts: Any) -> dict[str, Any]:
    """A step by what is said of it. Other steps are meant by their names, or by indexes."""
    plain: dict[str, Any] = {
        "by": ["work"],
        "mode": ALL,
        "needs": [],
        "choice": None,
        "when": [],
        "approvals": None,
        "deadline": None,
        "visits": 1,
        "terminal": False,
        "pivot": False,
        "outputs": {},
        "payload": None,
        "undo": None,
    }
    assert set(parts) <= set(plain), parts
    return {"name": name, **plain, **parts}


def value_of(steps: list[dict[str, Any]], *, name: str = "flow", start: Any = 0, rollback: Any = ([], 0)) -> list[Any]:
    """The value of a definition, in the form of workflow.1.1."""
    names = [each["name"] for each in steps]

    def at(which: Any) -> Any:
        return names.index(which) if isinstance(which, str) else which

    def row(each: dict[str, Any]) -> list[Any]:
        rule = each["approvals"]
        return [
            each["name"],
            each["by"],
            [each["mode"], sorted(map(at, each["needs"]))],
            at(each["choice"]),
            [[at(when[0]), *when[1:]] for when in each["when"]],
            None if rule is None else [at(rule[0]), *rule[1:]],
            *(each[part] for part in ("deadline", "visits", "terminal", "pivot", "outputs", "payload")),
            at(each["undo"]),
        ]

    return [1, name, at(start), list(rollback), [row(each) for each in steps]]


def document(steps: list[dict[str, Any]], **how: Any) -> bytes:
    """The bytes of a definition."""
    return encode(value_of(steps, **how))


def small(name: str = "flow", visits: int = 1) -> bytes:
    """A definition of one step; another one for each number of visits."""
    return document([step("do", terminal=True, visits=visits)], name=name)


@dataclass
class Flow(World):
    """A realm with definitions. ``running`` are the instances' definition ids."""

    running: dict[bytes, bytes] = field(default_factory=dict)

    def define(self, flow: bytes, *, name: str = "flow", by: str = "root-1") -> bytes:
        """An entry that brings a document into force, in the place of the present one."""
        present = self.registry.definition(name, self.registry.size)
        return self.entry(DEFINE, by, [name, None if present is None else present.entry_id, flow])

    def state_of(
        self, flow: bytes, instance: bytes | None, step: str, outputs: dict[Any, Any] | None = None, subject: Any = None
    ) -> list[Any]:
        """Claim 7."""
        return [instance, definition_id(flow), step, outputs or {}, subject]

    def move(
        self,
        by: str,
        talk: bytes,
        step: str,
        instance: bytes | None = None,
        *,
        flow: bytes | None = None,
        outputs: dict[Any, Any] | None = None,
        approves: bytes | None = None,
        **how: Any,
    ) -> bytes:
        """A message that takes a step, or approves; without an instance it starts one."""
        known = None if instance is None else self.running.get(instance)
        used = known or (b"" if flow is None else definition_id(flow)) or self.present(talk)
        return self.say(by, talk, c7=[instance, used, step, outputs or {}, approves], **how)

    def present(self, talk: bytes) -> bytes:
        """The id of what the conversation's definition is now."""
        name = self.talk(talk).workflow[1]
        found = None if name is None else self.registry.definition(name, self.registry.size)
        return bytes(32) if found is None else found.workflow.id

    def taken(self, by: str, talk: bytes, step: str, instance: bytes | None = None, **how: Any) -> bytes:
        """Take a step, or approve, at once; it has to be admitted. The id of the message."""
        made = self.move(by, talk, step, instance, **how)
        found = self.take(made)
        assert found.record.code == 0, found.record.code
        if instance is None:
            self.running[found.entry.message_id] = self.talk(talk).instances[found.entry.message_id].workflow.id
        return parse(made).message_id


def running(
    flow: bytes, kind: type[Flow] = Flow, *, name: str = "flow", **people: tuple[str, ...]
) -> tuple[Any, bytes]:
    """A realm with this definition, these people in their groups, and a conversation of it."""
    world = kind()
    for person, groups in (people or {"alice": ("work",)}).items():
        world.take(world.enrol(person, groups=tuple(sorted(groups, key=encode))))
    world.take(world.define(flow, name=name))
    opener = next(iter(people or {"alice": ()}))
    return world, world.opened(opener, c14=[False, name])
