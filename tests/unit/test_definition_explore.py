"""What exploring finds, against a plain search with the simulation's rules; and the definitions that it refuses (spec workflow.3, workflow.6.2)."""

from __future__ import annotations

import tracemalloc
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ama2sec import Ama2Error
from ama2sec.realm.definitions import AnyOf, Condition, Definition, Step, explore
from ama2sec.realm.definitions.simulation import Simulation
from ama2sec.reference import encode


def refused(*steps: Step) -> str:
    with pytest.raises(Ama2Error) as caught:
        Definition.build("x", steps=steps)
    assert caught.value.code == "DefinitionForm"
    return str(caught.value)


A = Step("a", by=["g"])
D = Step("d", by=["g"], needs=["a"])


def test_a_step_that_no_way_leads_to() -> None:
    end = Step("z", by=["g"], needs=["a"], terminal=True)
    loop = [Step("b", by=["g"], needs=AnyOf("c")), Step("c", by=["g"], needs=["b"])]
    assert "'b', which waits for c" in refused(A, *loop, end)
    # No value of the output lets both conditions hold.
    never = [Condition("n", "v", at_most=1), Condition("n", "v", at_least=2)]
    said = refused(
        Step("n", by=["g"], outputs={"v": "integer"}),
        Step("b", by=["g"], needs=["n"], when=never),
        Step("z", by=["g"], needs=["n"], terminal=True),
    )
    assert "'b', which no way leads to in step 'b'" in said


def test_a_step_that_needs_what_excludes_each_other() -> None:
    ways = [Step("l", by=["g"], needs=["d"], choice="d"), Step("r", by=["g"], needs=["d"], choice="d")]
    end = Step("z", by=["g"], needs=["l", "r"], terminal=True)
    said = refused(A, D, *ways, end)
    assert "(or {any: [l, r]})" in said
    assert "'l' and 'r', of which the choice 'd' allows one in step 'z', needs" in said
    # Further down, and by a choice of its own.
    deep = [Step("m", by=["g"], needs=["l"]), Step("y", by=["g"], needs=["m", "d"], choice="d", terminal=True)]
    assert "of which the choice 'd' allows one in step 'y'" in refused(A, D, ways[0], *deep)
    # With any on the way only looking at all states tells.
    either = [Step("p", by=["g"], needs=AnyOf("l")), Step("q", by=["g"], needs=AnyOf("r"))]
    both = Step("z", by=["g"], needs=["p", "q"], terminal=True)
    assert "'z', which no way leads to" in refused(A, D, *ways, *either, both)
    again = Step("a", by=["g"], visits=2)
    twice = [again, Step("d", by=["g"], needs=["a"], visits=2), *ways, *either, both]
    assert Definition.build("x", steps=[Step("s", by=["g"]), *twice], start="s").name == "x"


def test_a_choice_after_which_there_is_no_end() -> None:
    ways = [Step("l", by=["g"], needs=["d"], choice="d"), Step("r", by=["g"], needs=["d"], choice="d")]
    end = Step("z", by=["g"], needs=["r"], terminal=True)
    assert "'l', after which no terminal step can be taken in step 'l'" in refused(A, D, *ways, end)


def test_an_instance_without_an_end() -> None:
    assert "at least one step with terminal: true" in refused(A, D)
    said = refused(A, Step("z", by=["g"], needs=AnyOf("y"), terminal=True), Step("y", by=["g"], needs=["z"]))
    assert "'z', which waits for y" in said


def test_a_way_that_gets_stuck_is_found_and_is_shortest() -> None:
    definition = Definition.build(
        "x",
        steps=[
            Step("ask", by=["g"], outputs={"sum": "integer"}),
            Step("look", by=["g"], needs=["ask"]),
            Step("pay", by=["g"], needs=["ask", "look"], when=[Condition("ask", "sum", at_most=10)], terminal=True),
        ],
    )
    found = explore(definition.steps, definition.start)
    assert found.complete
    assert found.stuck is not None
    assert [(move.step, move.outputs) for move in found.stuck] == [(0, (("sum", 11),))]


def test_what_is_larger_than_the_bound_is_not_refused() -> None:
    """Ten steps that may each be taken 255 times: what was not looked at is not said to be stuck."""
    loops = [Step(f"s{n}", by=["g"], visits=255) for n in range(10)]
    definition = Definition.build("x", steps=[A, *loops, Step("z", by=["g"], needs=["a"], terminal=True)])
    found = explore(definition.steps, definition.start, bound=500)
    assert (found.complete, found.states, found.stuck) == (False, 500, None)
    assert found.ends


def test_more_combinations_of_outputs_than_are_tried_are_not_refused() -> None:
    """Eight answers, yes or no: not all 256 together are tried, so a step for one of them is not said to be out of reach."""
    names = [f"o{n}" for n in range(8)]
    ends = [
        Step(
            f"{name}-{value}".lower(),
            by=["g"],
            needs=["a"],
            choice="a",
            when=[Condition("a", name, equals=value)],
            terminal=True,
        )
        for name in names
        for value in (True, False)
    ]
    start = Step("a", by=["g"], outputs=dict.fromkeys(names, "boolean"))
    definition = Definition.build("x", steps=[start, *ends])
    found = explore(definition.steps, definition.start)
    assert (found.complete, found.ends, found.stuck) == (False, True, None)


def test_a_state_is_small_however_many_steps_are_compared() -> None:
    """64 steps, each of which needs 32 others: what is kept of a state is a few hundred bytes."""
    steps = [
        Step(f"s{n}", by=["g"], needs=[f"s{m}" for m in range(max(0, n - 32), n)], visits=255, terminal=n == 63)
        for n in range(64)
    ]
    tracemalloc.start()
    try:
        assert explore(steps, "s0", bound=1_000).states == 1_000
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_dead_end_within_the_bound_is_told() -> None:
    many = [Step(f"s{n}", by=["g"], needs=["l"], visits=255) for n in range(10)]
    steps = [
        A,
        Step("l", by=["g"], needs=["a"], choice="a"),
        *many,
        Step("z", by=["g"], needs=["l"], terminal=True),
        Step("d", by=["g"], needs=["a"], choice="a", outputs={"v": "boolean"}),
        Step("y", by=["g"], needs=["d"], when=[Condition("d", "v", equals=True)], terminal=True),
    ]
    found = explore(Definition.build("x", steps=steps).steps, "a", bound=100)
    assert not found.complete
    assert found.stuck is not None
    assert [(steps[move.step].name, move.outputs) for move in found.stuck] == [("a", ()), ("d", (("v", False),))]


def test_steps_side_by_side_cost_no_more_than_in_a_row() -> None:
    side = [Step(f"s{n}", by=["g"], needs=["a"], outputs={"ok": "boolean"}) for n in range(30)]
    end = Step("z", by=["g"], needs=[step.name for step in side], terminal=True)
    definition = Definition.build("x", steps=[A, *side, end])
    found = explore(definition.steps, definition.start)
    assert found.complete
    assert found.states == 33


# -- against a plain search ----------------------------------------------------------------------------------------


def documents() -> st.SearchStrategy[bytes]:
    """Small definitions, sound, of use or not."""

    @st.composite
    def drawn(draw: st.DrawFn) -> bytes:
        count = draw(st.integers(3, 5))
        steps: list[list[Any]] = []
        for number in range(count):
            others = [n for n in range(count) if n != number]
            mode = draw(st.sampled_from([0, 0, 1])) if number else 0
            # What is needed on every way comes before; a loop goes by any.
            among = others if mode else list(range(number))
            needs = sorted(draw(st.sets(st.sampled_from(among), min_size=mode, max_size=2))) if number else []
            one = st.sampled_from([*needs, None])
            choice, read, of = (draw(one), draw(one), draw(one)) if not mode else (None, None, None)
            when = [[read, "o", draw(st.integers(0, 2)), 1]] if read is not None and draw(st.booleans()) else []
            asked = [of, draw(st.integers(1, 2)), ["h"]] if of is not None and draw(st.booleans()) else None
            steps.append(
                [f"s{number}", ["g"], [mode, needs], choice, when, asked, None, draw(st.integers(1, 3)),
                 number == count - 1, False, {"o": 1}, None, None]
            )  # fmt: skip
        return encode([1, "x", 0, [[], 0], steps])

    return drawn()


def played(definition: Definition, history: tuple[tuple[str, int], ...]) -> Simulation:
    run = Simulation(definition)
    for name, value in history:
        approved(run, name)
        assert run.take(name, "ada", outputs={"o": value}) is None
    return run


def approved(run: Simulation, name: str) -> None:
    """Everybody approves what can be approved."""
    for person in ("ben", "eve"):
        run.approve(name, person)


def plain_search(definition: Definition, bound: int) -> tuple[set[str], bool, bool] | None:
    """Which steps are taken, whether an end is reached, whether it is missed: over every history, told apart by the order of the last ones."""
    read = [one.value for step in definition.steps for one in step.when]
    values = [0, 1, 2] if read else [0]
    todo: list[tuple[tuple[str, int], ...]] = [()]
    after: dict[Any, set[Any]] = {}
    taken: set[str] = set()
    ends: set[Any] = set()
    while todo:
        history = todo.pop(0)
        key = state_of(history)
        if key in after:
            continue
        if len(after) > bound:
            return None
        after[key] = set()
        if played(definition, history).ended:
            ends.add(key)
            continue
        for step in definition.steps:
            run = played(definition, history)
            approved(run, step.name)
            if run.verdict(step.name) is None:
                taken.add(step.name)
                for value in values:
                    longer = (*history, (step.name, value))
                    after[key].add(state_of(longer))
                    todo.append(longer)
    good = set(ends)
    while more := {key for key, found in after.items() if key not in good and found & good}:
        good |= more
    return taken, bool(ends), good != set(after)


def state_of(history: tuple[tuple[str, int], ...]) -> Any:
    names = [name for name, _ in history]
    last = {name: place for place, (name, _) in enumerate(history)}
    order = sorted(last, key=last.__getitem__)
    return (tuple((name, names.count(name), history[last[name]][1]) for name in order),)


@given(documents())
@settings(max_examples=250, deadline=None)
def test_exploring_agrees_with_a_plain_search(document: bytes) -> None:
    definition = Definition.from_document(document)
    plain = plain_search(definition, 120)
    if plain is None:
        return
    found = explore(definition.steps, definition.start)
    assert found.complete
    names = {definition.steps[number].name for number in found.taken}
    assert (names, found.ends, found.stuck is not None) == plain


def test_the_examples_never_get_stuck_whatever_is_done() -> None:
    """From every state that a person can play to, an end is reached."""
    for name in Definition.examples():
        definition = Definition.shipped(name)
        found = explore(definition.steps, definition.start)
        assert found.complete
        assert found.stuck is None
        assert found.taken == found.useful == frozenset(range(len(definition.steps)))


@pytest.mark.parametrize(("value", "other"), list(product([True, 1, "1"], repeat=2)))
def test_a_condition_holds_for_a_value_of_its_own_type_alone(value: Any, other: Any) -> None:
    assert Condition("a", "o", equals=value).holds(other) == (type(value) is type(other))
    assert not Condition("a", "o", equals=value).holds(None)
    assert not Condition("a", "o", at_most=1).holds(True)
