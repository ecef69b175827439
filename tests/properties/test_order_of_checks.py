"""Of two faults of admission.2 the earlier one counts, in both implementations: each number alone, and every pair that there can be."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.properties.order_of_checks import (
    NOT_OF_ONE_OPEN,
    NUMBERS,
    OPENING,
    ORDER,
    STAGED,
    Stage,
    entry,
    kinds,
    opening,
    pairs,
    why_not,
)
from tests.realm_world import TIME
from tests.remembered import remembering
from tests.two_realms import asked_of_core
from tests.unit import test_reference_rollback as rollbacks
from tests.unit import test_reference_workflows as workflows


def asked(stage: Stage, faults: set[str], kind: str) -> str:
    """The code of both; what was halted for it goes on afterwards."""
    made = opening(stage, faults) if kind == "open" else entry(stage, faults, kind)
    code: str = stage.ask(made)["code"]
    if living := [halt.id for halt in stage.registry.halts.values() if halt.until is None]:
        stage.did(stage.resume("root-1", living))
    return code


def expected_of(fault: str) -> str:
    return "ContextAhead" if fault == "RegistryAhead" else fault


def on_stage(wanted: list[set[str]]) -> Iterator[tuple[Stage, set[str]]]:
    """Those in an open conversation, and then those in one that is closed."""
    for closed in (False, True):
        stage = Stage(closed=closed)
        for faults in wanted:
            if ("ConversationClosed" in faults) == closed:
                yield stage, faults


def test_every_number_is_there() -> None:
    assert sorted(set(NUMBERS.values())) == list(range(1, 41))
    assert list(NUMBERS.values()) == sorted(NUMBERS.values())


def test_each_number_alone() -> None:
    """But for ``GrantUndone``: wherever its child stands, 17 or 18 fails as well, since what was forked off falls with a branch."""
    with remembering():
        for stage, faults in on_stage([{fault} for fault in ORDER]):
            (fault,) = faults
            for kind in kinds(faults):
                assert asked(stage, faults, kind) == expected_of(fault), (fault, kind)


def test_without_a_fault_there_is_none() -> None:
    with remembering():
        stage = Stage(closed=False)
        codes = {kind: asked(stage, set(), kind) for kind in ("approval", "fork", "step", "rollback")}
    assert set(codes.values()) == {"ok"}, codes


def test_of_two_faults_the_earlier_one() -> None:
    count, met = Counter[str](), set[str]()
    good = [pair for pair in pairs() if why_not(*pair) is None]
    with remembering():
        for stage, faults in on_stage([set(pair) for pair in good]):
            first, second = sorted(faults, key=ORDER.index)
            for kind in kinds(faults):
                assert asked(stage, faults, kind) == expected_of(first), (first, second, kind)
                count[kind] += 1
            met |= faults
    assert (len(good), met) == (920, set(ORDER))
    assert min(count.values()) > 250, count


def test_of_two_faults_of_a_rollback_or_a_workflow_the_earlier_one() -> None:
    """Those that want the same part of an entry, or of the realm behind it, to be two things."""
    met = set[frozenset[str]]()
    with remembering():
        for faults in itertools.combinations(rollbacks.ORDER, 2):
            assert_both(*rollbacks.staged(set(faults)), TIME, faults[0])
            met.add(frozenset(faults))
        for approving, order in ((False, workflows.TAKING), (True, workflows.APPROVING)):
            for faults in itertools.combinations(order, 2):
                world, entry_of_both = workflows.staged(set(faults), approving=approving)
                assert_both(world, entry_of_both, workflows.time_of(set(faults)), faults[0])
                met.add(frozenset(faults))
    assert {frozenset(pair) for pair in pairs() if why_not(*pair) == STAGED} <= met


def test_of_two_faults_of_an_open_the_earlier_one() -> None:
    with remembering():
        stage, met = Stage(closed=False), 0
        assert asked(stage, set(), "open") == "ok"
        for faults in [*((fault,) for fault in OPENING), *itertools.combinations(OPENING, 2)]:
            if set(faults) not in NOT_OF_ONE_OPEN:
                assert asked(stage, set(faults), "open") == expected_of(faults[0]), faults
                met += 1
    assert met == 11 + 53


def assert_both(world: Any, envelope: bytes, time: int, expected: str) -> None:
    core = asked_of_core(world, envelope, time, TIME)
    taken = world.take(envelope, time)
    assert core.get("code") == expected
    assert core["record"] == taken.record.to_bytes().hex()


def test_why_the_others_cannot_be() -> None:
    """Each pair is put to both, staged, or has one of these reasons."""
    reasons = Counter(why_not(*pair) for pair in pairs())
    assert (reasons.pop(None), reasons.pop(STAGED)) == (920, 96)
    assert reasons == {
        "the kind of the one entry is not that of the other": 227,
        "an entry is on one branch, which has one fate": 9,
        "an operator has no children, and a purpose is for ever": 7,
        "within check 21 it is the order of the list that decides": 6,
        "an undone grant is on its own branch, which is undone": 4,
        "what is undone holds nothing that could fall": 3,
        "a number is used, or too far away": 1,
        "a registry context is of one size, which the registry has or has not": 1,
        "a context is of one size": 1,
    }
    assert reasons.total() + 920 + 96 == len(ORDER) * (len(ORDER) - 1) // 2
