"""Small workflows: the reference and the core against a model that is slow and plain (workflow.3, workflow.4).

``make enumerate-workflows`` goes deeper; ``AMA2SEC_SEED=7`` walks other ways.
"""

from __future__ import annotations

import os
from collections import Counter
from random import Random

from ama2sec.errors import CATALOGUE
from tests.properties.small_workflows import (
    TIME,
    Game,
    Quick,
    Signed,
    always_ends,
    explore,
    family,
    is_of_use,
    unbounded,
    walk,
)

SEED = os.environ.get("AMA2SEC_SEED", "2026")
FAMILY = list(family())
KINDS = Counter(name.split("-")[1] for name, _ in FAMILY)
CODES = {name for name, row in CATALOGUE.items() if row.built and row.clause.split(".")[:2] == ["admission", "2"]}
CODES = {name for name in CODES if 32 <= int(CATALOGUE[name].clause.split(".")[2]) <= 40}


def test_the_family_is_what_it_was() -> None:
    assert KINDS == {
        "twice": 180,
        "once": 180,
        "deadline": 180,
        "wait": 180,
        "approvals": 135,
        "when": 79,
        "inner": 68,
        "double": 7,
        "choice": 12,
    }
    assert sum(is_of_use(steps) for _, steps in FAMILY[::10]) > 80


def test_every_history_of_two_moves_of_some_definitions() -> None:
    count: Counter[str] = Counter()
    for _, steps in FAMILY[::31]:
        explore(steps, 2, Quick(steps), count)
    assert count["histories"] > 300
    assert set(count) >= CODES - {"StepExcluded", "WorkflowEnded", "StepWhen"}, sorted(CODES - set(count))


def test_walks_through_definitions_of_each_kind() -> None:
    count: Counter[str] = Counter()
    for kind in sorted(KINDS):
        of_kind = [(name, steps) for name, steps in FAMILY if name.endswith(kind)]
        for name, steps in of_kind[:: max(1, len(of_kind) // 7)]:
            walk(Game(steps, Quick(steps)), Random(f"{SEED} {name}"), 8, count, silent=3)
    for name, steps in FAMILY:
        if name.endswith("twice") and [(each["mode"], each["needs"]) for each in steps[1:3]] == [
            (0, ["s"]),
            (0, ["a"]),
        ]:
            walk(Game(steps, Quick(steps)), Random(f"{SEED} chain {name}"), 9, count, silent=3)
    assert set(count) >= CODES, sorted(CODES - set(count))
    assert count["ended"] > 20


def test_walks_in_both_implementations() -> None:
    count: Counter[str] = Counter()
    for number, (name, steps) in enumerate(FAMILY[3::52]):
        player = Signed(steps)
        walk(Game(steps, player, TIME + 9), Random(f"{SEED} both {name}"), 3 + number % 4, count, silent=6)
        count["compared"] += player.compared
    assert count["compared"] > 1500
    everywhere = {"WorkflowUnknown", "WorkflowVersion", "StepUnknown", "StepRole", "StepNeeds", "ContextStale"}
    assert set(count) >= everywhere, sorted(everywhere - set(count))


def test_an_honest_order_ends_whatever_came_before() -> None:
    count: Counter[str] = Counter()
    for _, steps in FAMILY[::6]:
        if is_of_use(steps):
            always_ends(steps, 2, count)
    assert count["ends"] > 1000


def test_an_honest_order_is_admitted_to_its_end() -> None:
    """By the reference: that the model says so of every history, and both of many, is not yet that."""
    count: Counter[str] = Counter()
    for _, steps in FAMILY[3::34]:
        if is_of_use(steps):
            always_ends(steps, 2, count, Quick(unbounded(steps)))
    assert count["ends"] > 250, count
