"""What is sound and still of no use: refused where a definition is made, not where it is admitted (spec workflow.6.2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ama2sec.realm.definitions.explore import explore
from ama2sec.realm.definitions.form import Parts
from ama2sec.realm.definitions.model import Step, Unfit
from ama2sec.realm.definitions.soundness import grounds_of

__all__ = ["check_groups", "check_useful"]


def check_useful(parts: Parts) -> None:
    """Raises ``Unfit``. What would take more states than are looked at is not refused."""
    steps = {step.name: step for step in parts.steps}
    _check_reachable(parts, steps)
    grounds = grounds_of(parts.steps)
    for step in parts.steps:
        _check_exclusive(step, steps, grounds[step.name])
    found = explore(parts.steps, parts.start)
    if not found.complete:
        return
    for number, step in enumerate(parts.steps):
        if number not in found.taken:
            expected = "a step that can be taken: its needs, choice, when and visits fit those of others"
            raise Unfit(("steps", step.name), expected, f"{step.name!r}, which no way leads to")
    if not found.ends:
        raise Unfit(("steps",), "a way to a terminal step", "none")
    for number, step in enumerate(parts.steps):
        if number not in found.useful:
            expected = "a step after which the end can be reached"
            raise Unfit(("steps", step.name), expected, f"{step.name!r}, after which no terminal step can be taken")


def _check_reachable(parts: Parts, steps: dict[str, Step]) -> None:
    """By needs alone; the first step that none leads to, and what of its needs is missing."""
    found = {parts.start}
    while True:
        more = {name for name, step in steps.items() if name not in found and _is_led_to(step, found)}
        if not more:
            break
        found |= more
    for name, step in steps.items():
        if name not in found:
            missing = ", ".join(need for need in step.needed if need not in found)
            field = ("needs", "any") if step.needs_any else ("needs",)
            raise Unfit(("steps", name, *field), "a step that can be reached", f"{name!r}, which waits for {missing}")


def _is_led_to(step: Step, found: set[str]) -> bool:
    return any(need in found for need in step.needed) if step.needs_any else all(need in found for need in step.needed)


def _check_exclusive(step: Step, steps: dict[str, Step], grounds: frozenset[str]) -> None:
    """Of what it needs on every way, no two are of one choice: when both have been taken, one of them is no longer current."""
    chosen: dict[str, str] = {}
    for name in (name for name in steps if name in grounds | {step.name}):
        choice = steps[name].choice
        if choice is not None and (other := chosen.setdefault(choice, name)) != name:
            raise Unfit(
                ("steps", step.name, "needs"),
                f"needs that can be met together (or {{any: [{other}, {name}]}})",
                f"{other!r} and {name!r}, of which the choice {choice!r} allows one",
            )


def check_groups(parts: Parts, members: Mapping[str, Collection[object]]) -> None:
    """Raises ``Unfit`` for a group without a live member, and for approvals that ask for more people than there are."""
    for number, group in enumerate(parts.rollback.by):
        _check_group(("rollback", "by", number), group, members)
    for step in parts.steps:
        path = ("steps", step.name)
        for number, group in enumerate(step.by):
            _check_group((*path, "by", number), group, members)
        if step.approvals is None:
            continue
        for number, group in enumerate(step.approvals.by):
            _check_group((*path, "approvals", "by", number), group, members)
        people = {one for group in step.approvals.by for one in members[group]}
        if len(people) < step.approvals.count:
            expected = f"at least {step.approvals.count} members of {', '.join(step.approvals.by)}"
            raise Unfit((*path, "approvals", "count"), expected, str(len(people)))


def _check_group(path: tuple[str | int, ...], group: str, members: Mapping[str, Collection[object]]) -> None:
    if not members.get(group):
        raise Unfit(path, "a group with a member in this realm", repr(group))
