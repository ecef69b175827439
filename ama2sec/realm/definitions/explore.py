"""The states that an instance can come to, in one branch (spec workflow.3), up to a bound: for what a definition is worth (workflow.6.2).

Kept of a state is what decides what may be taken: how often each step was taken, the outputs that conditions read, and, of any two steps
that are compared, which was taken later. Time stands still, whoever is asked approves, and outputs take one value for each answer that
the conditions can give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Final, NamedTuple

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


class _State(NamedTuple):
    """Small, because there are many: a number of each step is a byte, an answer to each pair a bit."""

    counts: bytes
    later: int
    """For each pair that is compared, whether the first was taken later than the second; 0 where either was not."""
    outputs: bytes
    """Of each step which of its values it has."""
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
    """The steps as numbers, sets of steps and of pairs as bits."""

    def __init__(self, steps: Sequence[Step], start: str) -> None:
        self.steps = steps
        index = {step.name: number for number, step in enumerate(steps)}
        found = grounds_of(steps)
        self.start = index[start]
        needs = [tuple(index[need] for need in step.needed) for step in steps]
        grounds = [tuple(index[name] for name in found[step.name]) for step in steps]
        rivals = [
            [(n, index[step.choice]) for n, other in enumerate(steps) if other.choice == step.choice and n != number]
            if step.choice is not None
            else []
            for number, step in enumerate(steps)
        ]
        self.values, whole = zip(*(_values(step, steps) for step in steps), strict=True)
        self.complete = all(whole)
        """Whether outputs take every value that makes a difference."""
        self.when = [[(index[one.step], self._holds(one, index[one.step])) for one in step.when] for step in steps]
        self._pairs(needs, grounds, rivals)
        self.quiet = [
            self._is_quiet(number, {number, *grounds[number], *needs[number]}) for number in range(len(steps))
        ]

    def _pairs(
        self,
        needs: Sequence[Sequence[int]],
        grounds: Sequence[Sequence[int]],
        rivals: Sequence[Sequence[tuple[int, int]]],
    ) -> None:
        """The pairs whose order decides something: a ground after what rests on it, a need after who needs it, a rival after the choice."""
        below = [[(ground, step) for ground in found] for step, found in enumerate(grounds)]
        before = [[(need, step) for need in found] for step, found in enumerate(needs)]
        pairs = sorted({pair for found in (*below, *before, *rivals) for pair in found})
        bit = {pair: 1 << number for number, pair in enumerate(pairs)}
        self.outdated = [sum(bit[pair] for pair in found) for found in below]
        """Of each step the pairs by which it is out of date."""
        self.newer = [[(1 << need, bit[need, step]) for need, step in found] for found in before]
        self.needed = [sum(1 << need for need, _ in found) for found in before]
        self.excluded = [sum(bit[pair] for pair in found) for found in rivals]
        self.first: list[list[tuple[int, int]]] = [[] for _ in self.steps]
        self.second = [0] * len(self.steps)
        for (one, other), found in bit.items():
            self.first[one].append((other, found))
            self.second[other] |= found

    def _is_quiet(self, step: int, before: set[int]) -> bool:
        """Whether it may as well be taken at once: it closes nothing to others, and nothing closes it.

        So of independent steps one order stands for all, and steps in parallel cost no more than in a row.
        """
        rule = self.steps[step]
        return not rule.terminal and rule.choice is None and all(self.steps[one].visits == 1 for one in before)

    def _holds(self, one: Condition, read: int) -> list[bool]:
        """For each value of the step that is read."""
        return [one.holds(dict(value).get(one.output)) for value in self.values[read]]

    def begin(self) -> _State:
        none = bytes(len(self.steps))
        return _State(none, 0, none)

    def take(self, state: _State, step: int, value: int) -> _State:
        counts, outputs, later = bytearray(state.counts), bytearray(state.outputs), state.later & ~self.second[step]
        counts[step] += 1
        outputs[step] = value
        for other, bit in self.first[step]:
            if counts[other]:
                later |= bit
        return _State(bytes(counts), later, bytes(outputs), self.steps[step].terminal)

    def move(self, step: int, value: int) -> Move:
        return Move(step, self.values[step][value])

    def moves(self, state: _State) -> list[tuple[int, int]]:
        """What may be taken, and with which of its values; of steps that may as well be taken at once, one alone."""
        if state.ended:
            return []
        if not any(state.counts):
            return self.with_outputs(self.start)
        current = self.current(state)
        enabled = [step for step in range(len(self.steps)) if self.enabled(state, step, current)]
        at_once = next((step for step in enabled if self.quiet[step]), None)
        if at_once is not None:
            return self.with_outputs(at_once)
        return [move for step in enabled for move in self.with_outputs(step)]

    def with_outputs(self, step: int) -> list[tuple[int, int]]:
        return [(step, value) for value in range(len(self.values[step]))]

    def enabled(self, state: _State, step: int, current: int) -> bool:
        """workflow.3, 36 to 39; approvals are given."""
        if state.counts[step] >= self.steps[step].visits or state.later & self.excluded[step]:
            return False
        return self._has_needs(state, step, current) and all(
            state.counts[read] and holds[state.outputs[read]] for read, holds in self.when[step]
        )

    def _has_needs(self, state: _State, step: int, current: int) -> bool:
        """38."""
        needed = self.needed[step]
        if not needed:
            return True
        found = needed & current
        if not found or not (self.steps[step].needs_any or found == needed):
            return False
        return not state.counts[step] or any(need & found and state.later & bit for need, bit in self.newer[step])

    def current(self, state: _State) -> int:
        """Which steps are (workflow.2.4)."""
        found = 0
        for step, count in enumerate(state.counts):
            if count and not state.later & self.outdated[step]:
                found |= 1 << step
        return found


def _values(step: Step, steps: Sequence[Step]) -> tuple[list[tuple[tuple[str, Output], ...]], bool]:
    """Outputs of a step that conditions tell apart: for each output a value for every answer that they can give. And whether these are all."""
    read: dict[str, dict[tuple[str, type, Output], Condition]] = {}
    for one in (one for other in steps for one in other.when if one.step == step.name):
        read.setdefault(one.output, {})[one.relation, type(one.value), one.value] = one
    names = sorted(read)
    choices = [_told_apart(list(read[name].values())) for name in names]
    combined = (tuple(zip(names, values, strict=True)) for values in product(*choices))
    found = list(islice(combined, _MOST_VALUES + 1))
    return found[:_MOST_VALUES], len(found) <= _MOST_VALUES


def _told_apart(conditions: Sequence[Condition]) -> list[Output]:
    """One value for each set of these conditions that a value can satisfy; of very many the first."""
    tried: list[Output] = []
    for one in conditions:
        value = one.value
        tried += [value - 1, value, value + 1] if type(value) is int else [value]
    tried += [False, True] if isinstance(conditions[0].value, bool) else []
    tried += ["something else"] if isinstance(conditions[0].value, str) else []
    found: dict[tuple[bool, ...], Output] = {}
    for value in tried:
        found.setdefault(tuple(one.holds(value) for one in conditions), value)
        if len(found) > _MOST_VALUES:
            break
    return list(found.values())


def explore(steps: Sequence[Step], start: str, bound: int = BOUND) -> Explored:
    """Look at the states breadth first, at most ``bound`` of them."""
    rules = _Rules(steps, start)
    states: list[_State] = [rules.begin()]
    came: list[tuple[int, Move] | None] = [None]
    known = {states[0]: 0}
    before: list[list[int]] = [[]]
    led: list[set[int]] = [set() for _ in steps]
    goes_on: list[bool] = []
    full, complete = False, rules.complete
    while len(goes_on) < len(states):
        at = len(goes_on)
        moves = rules.moves(states[at])
        goes_on.append(bool(moves))
        for step, value in moves if not full else ():
            after = rules.take(states[at], step, value)
            number = known.get(after)
            if number is None:
                if len(states) >= bound:
                    # From here on it is only asked which of them have no way on.
                    full, complete = True, False
                    break
                number = known[after] = len(states)
                states.append(after)
                came.append((at, rules.move(step, value)))
                before.append([])
            led[step].add(number)
            before[number].append(at)
    open_ = _backwards([number for number, state in enumerate(states) if state.ended], before)
    taken = frozenset(number for number, found in enumerate(led) if found)
    useful = frozenset(number for number, found in enumerate(led) if found & open_)
    # Where not all was looked at, only what has no way on at all is known to be a dead end.
    closed = (number for number in range(len(states)) if number not in open_)
    dead = next((number for number in closed if complete or not goes_on[number]), None)
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
