"""Whether a definition is sound: the rules that every replica judges by (spec workflow.1.3), with the place of what breaks them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ama2sec.realm.definitions.form import Parts, Path
from ama2sec.realm.definitions.model import TYPES, AnyOf, Step, Unfit

__all__ = ["check_sound", "grounds_of"]


def check_sound(parts: Parts) -> None:
    """workflow.1.3, b to g; distinct names and known references have been seen to with the form. Raises ``Unfit``."""
    steps = {step.name: step for step in parts.steps}
    for step in parts.steps:
        for path, other in _references(step):
            if other == step.name:
                raise Unfit(path, "another step", f"{step.name!r} itself")
    start = steps[parts.start]
    for field in ("needs", "choice", "when", "approvals"):
        asked = start.needed if field == "needs" else getattr(start, field)
        if asked:
            raise Unfit(
                ("steps", start.name, field), f"a start without {field}", f"the start, {start.name!r}, with some"
            )
    grounds = grounds_of(parts.steps)
    for step in parts.steps:
        _check_needed(step)
        _check_when(step, steps, grounds[step.name])
    if not any(step.terminal for step in parts.steps):
        raise Unfit(("steps",), "at least one step with terminal: true", "none")


def _references(step: Step) -> Iterator[tuple[Path, str]]:
    path = ("steps", step.name)
    inner = (*path, "needs", "any") if isinstance(step.needs, AnyOf) else (*path, "needs")
    yield from ((inner, need) for need in step.needed)
    if step.choice is not None:
        yield (*path, "choice"), step.choice
    if step.approvals is not None:
        yield (*path, "approvals", "of"), step.approvals.of
    if step.undo is not None:
        yield (*path, "undo"), step.undo


def grounds_of(steps: Sequence[Step]) -> dict[str, frozenset[str]]:
    """Of each step those that it needs with mode 0, and theirs. Raises ``Unfit`` where a step is among its own (1.3 d)."""
    needs = {step.name: () if step.needs_any else step.needed for step in steps}
    found: dict[str, frozenset[str]] = {}
    while len(found) < len(needs):
        ready = [name for name, needed in needs.items() if name not in found and all(need in found for need in needed)]
        if not ready:
            circle = _circle(needs, found)
            raise Unfit(
                ("steps", circle[0], "needs"), "needs that lead in no circle, unless by any", " -> ".join(circle)
            )
        for name in ready:
            found[name] = frozenset(needs[name]).union(*(found[need] for need in needs[name]))
    return found


def _circle(needs: dict[str, tuple[str, ...]], found: dict[str, frozenset[str]]) -> list[str]:
    """A circle among the steps that are not found: whatever of them one needs, too, is none."""
    way = [next(name for name in needs if name not in found)]
    while way.count(way[-1]) < 2:
        way.append(next(need for need in needs[way[-1]] if need not in found))
    circle = way[way.index(way[-1]) :]
    # From its first step in the order of the text.
    first = min(range(len(circle) - 1), key=lambda place: [*needs].index(circle[place]))
    return [*circle[first:-1], *circle[:first], circle[first]]


def _check_needed(step: Step) -> None:
    """1.3 e."""
    needed = () if step.needs_any else step.needed
    path = ("steps", step.name)
    expected = f"one of the steps that {step.name!r} needs, all of them: {', '.join(needed) or 'it needs none'}"
    if step.choice is not None and step.choice not in needed:
        raise Unfit((*path, "choice"), expected, repr(step.choice))
    if step.approvals is not None and step.approvals.of not in needed:
        raise Unfit((*path, "approvals", "of"), expected, repr(step.approvals.of))


def _check_when(step: Step, steps: dict[str, Step], grounds: frozenset[str]) -> None:
    """1.3 f."""
    for number, one in enumerate(step.when):
        path = ("steps", step.name, "when", number)
        if one.step not in grounds:
            expected = (
                f"a step that {step.name!r} needs on every way: {', '.join(n for n in steps if n in grounds) or 'none'}"
            )
            raise Unfit((*path, "step"), expected, repr(one.step))
        declared = steps[one.step].outputs
        if one.output not in declared:
            raise Unfit(
                (*path, "output"),
                f"an output of {one.step!r}: {', '.join(declared) or 'it has none'}",
                repr(one.output),
            )
        kind = declared[one.output]
        if TYPES[(bool, int, str).index(type(one.value))] != kind:
            raise Unfit((*path, one.relation), f"a value of type {kind}", repr(one.value)[:60])
