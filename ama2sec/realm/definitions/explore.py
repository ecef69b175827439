"""The states that an instance can come to, in one branch (spec workflow.3), up to a bound: for what a definition is worth (workflow.6.2).

Kept of a state is what decides what may be taken: how often each step was taken, the outputs that conditions read, and, of any two steps
that are compared, which was taken later. Time stands still, whoever is asked approves, and outputs take one value for each answer that
the conditions can give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Final

from ama2sec.realm.definitions.model import Condition, Output, Step
from ama2sec.realm.definitions.soundness import grounds_of

__all__ = ["BOUND", "Explored", "Move", "explore"]

BOUND: Final = 20_000
"""States that are looked at."""
_MOST_VALUES: Final = 64
"""Combinations of outputs of one step that are tried."""


@dataclass(frozen=True, slots=True)
class Move:
    """A step that is taken, with the outputs that somebody reads."""

    step: int
    outputs: tuple[tuple[str, Output], ...] = ()


@dataclass(frozen=True, slots=True)
class _State:
    counts: tuple[int, ...]
    later: tuple[bool, ...]
    """For each pair that is compared, whether the first was taken later than the second; false where either was not."""
    outputs: tuple[tuple[tuple[str, Output], ...], ...]
    ended: bool = False


@dataclass(slots=True)
class Explored:
    """What was found. ``complete``: every state was looked at."""

    states: int
    complete: bool
    taken: frozenset[int]
    """Steps that are taken on some way."""
    ends: bool
    """Whether some way comes to an end."""
    useful: frozenset[int]
    """Steps after which the end is reached on some way."""
    stuck: list[Move] | None
    """A shortest way to where no end can be reached any more; None where none was found."""


class _Rules:
    """The steps as numbers."""

    def __init__(self, steps: Sequence[Step], start: str) -> None:
        self.steps = steps
        index = {step.name: number for number, step in enumerate(steps)}
        found = grounds_of(steps)
        self.start = index[start]
        self.needs = [tuple(index[need] for need in step.needed) for step in steps]
        self.grounds = [tuple(index[name] for name in found[step.name]) for step in steps]
        self.rivals = [
            (index[step.choice], [n for n, other in enumerate(steps) if other.choice == step.choice and n != number])
            if step.choice is not None
            else None
            for number, step in enumerate(steps)
        ]
        self.when = [[(index[one.step], one) for one in step.when] for step in steps]
        self.values = [_values(step, steps) for step in steps]
        self._pairs()
        self.quiet = [self._is_quiet(number) for number in range(len(steps))]

    def _pairs(self) -> None:
        """The pairs whose order decides something: a ground after what rests on it, a need after who needs it, a rival after the choice."""
        pairs = {(ground, step) for step, grounds in enumerate(self.grounds) for ground in grounds}
        pairs |= {(need, step) for step, needs in enumerate(self.needs) for need in needs}
        pairs |= {(rival, found[0]) for found in self.rivals if found for rival in found[1]}
        self.place = {pair: number for number, pair in enumerate(sorted(pairs))}
        self.first: list[list[int]] = [[] for _ in self.steps]
        self.second: list[list[int]] = [[] for _ in self.steps]
        for (one, other), number in self.place.items():
            self.first[one].append(number)
            self.second[other].append(number)
        self.others = [other for _, other in self.place]

    def _is_quiet(self, step: int) -> bool:
        """Whether it may as well be taken at once: it closes nothing to others, and nothing closes it.

        So of independent steps one order stands for all, and steps in parallel cost no more than in a row.
        """
        before = {step, *self.grounds[step], *self.needs[step]}
        rule = self.steps[step]
        return not rule.terminal and rule.choice is None and all(self.steps[one].visits == 1 for one in before)

    def begin(self) -> _State:
        count = len(self.steps)
        return _State((0,) * count, (False,) * len(self.place), ((),) * count)

    def take(self, state: _State, move: Move) -> _State:
        counts, later, outputs = list(state.counts), list(state.later), list(state.outputs)
        counts[move.step] += 1
        outputs[move.step] = move.outputs
        for number in self.first[move.step]:
            later[number] = counts[self.others[number]] > 0
        for number in self.second[move.step]:
            later[number] = False
        return _State(tuple(counts), tuple(later), tuple(outputs), self.steps[move.step].terminal)

    def moves(self, state: _State) -> list[Move]:
        """What may be taken; of steps that may as well be taken at once, one alone."""
        if state.ended:
            return []
        if not any(state.counts):
            return self.with_outputs(self.start)
        enabled = [step for step in range(len(self.steps)) if self.enabled(state, step)]
        at_once = next((step for step in enabled if self.quiet[step]), None)
        if at_once is not None:
            return self.with_outputs(at_once)
        return [move for step in enabled for move in self.with_outputs(step)]

    def with_outputs(self, step: int) -> list[Move]:
        return [Move(step, outputs) for outputs in self.values[step]]

    def enabled(self, state: _State, step: int) -> bool:
        """workflow.3, 36 to 39; approvals are given."""
        if state.counts[step] >= self.steps[step].visits:
            return False
        rivals = self.rivals[step]
        if rivals is not None and any(state.later[self.place[rival, rivals[0]]] for rival in rivals[1]):
            return False
        return self._has_needs(state, step) and all(
            one.holds(dict(state.outputs[read]).get(one.output)) for read, one in self.when[step]
        )

    def _has_needs(self, state: _State, step: int) -> bool:
        """38."""
        needs = self.needs[step]
        if not needs:
            return True
        current = [need for need in needs if self.current(state, need)]
        newer = [need for need in current if not state.counts[step] or state.later[self.place[need, step]]]
        return bool(newer) and (self.steps[step].needs_any or len(current) == len(needs))

    def current(self, state: _State, step: int) -> bool:
        """workflow.2.4."""
        return state.counts[step] > 0 and not any(
            state.later[self.place[ground, step]] for ground in self.grounds[step]
        )


def _values(step: Step, steps: Sequence[Step]) -> list[tuple[tuple[str, Output], ...]]:
    """Outputs of a step that conditions tell apart: for each output a value for every answer that they can give."""
    read = [one for other in steps for one in other.when if one.step == step.name]
    names = sorted({one.output for one in read})
    choices = [_told_apart([one for one in read if one.output == name]) for name in names]
    combined = (tuple(zip(names, values, strict=True)) for values in product(*choices))
    return list(islice(combined, _MOST_VALUES))


def _told_apart(conditions: Sequence[Condition]) -> list[Output]:
    """One value for each set of these conditions that a value can satisfy."""
    tried: list[Output] = []
    for one in conditions:
        value = one.value
        tried += [value - 1, value, value + 1] if type(value) is int else [value]
    tried += [False, True] if isinstance(conditions[0].value, bool) else []
    tried += ["something else"] if isinstance(conditions[0].value, str) else []
    found: dict[tuple[bool, ...], Output] = {}
    for value in tried:
        found.setdefault(tuple(one.holds(value) for one in conditions), value)
    return list(found.values())


def explore(steps: Sequence[Step], start: str, bound: int = BOUND) -> Explored:
    """Look at the states breadth first, at most ``bound`` of them."""
    rules = _Rules(steps, start)
    states: list[_State] = [rules.begin()]
    came: list[tuple[int, Move] | None] = [None]
    known = {states[0]: 0}
    before: list[list[int]] = [[]]
    led: list[set[int]] = [set() for _ in steps]
    at, complete = 0, True
    while at < len(states):
        for move in rules.moves(states[at]):
            after = rules.take(states[at], move)
            if after not in known:
                if len(states) >= bound:
                    complete = False
                    continue
                known[after] = len(states)
                states.append(after)
                came.append((at, move))
                before.append([])
            led[move.step].add(known[after])
            before[known[after]].append(at)
        at += 1
    open_ = _backwards([number for number, state in enumerate(states) if state.ended], before)
    taken = frozenset(number for number, found in enumerate(led) if found)
    useful = frozenset(number for number, found in enumerate(led) if found & open_)
    # Where not all was looked at, only what has no way on at all is known to be a dead end.
    closed = (number for number in range(len(states)) if number not in open_)
    dead = next((number for number in closed if complete or not rules.moves(states[number])), None)
    return Explored(len(states), complete, taken, bool(open_), useful, None if dead is None else _way(dead, came))


def _backwards(ends: list[int], before: list[list[int]]) -> set[int]:
    """The states from which one of these can be reached."""
    found, waiting = set(ends), list(ends)
    while waiting:
        for number in before[waiting.pop()]:
            if number not in found:
                found.add(number)
                waiting.append(number)
    return found


def _way(number: int, came: list[tuple[int, Move] | None]) -> list[Move]:
    found: list[Move] = []
    while (step := came[number]) is not None:
        number, move = step
        found.append(move)
    return found[::-1]
