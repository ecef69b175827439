"""The reference's reading of definitions (workflow.1): each form, each rule of soundness, and every byte of a document."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from ama2sec.errors import Ama2Error
from ama2sec.limits import (
    MAX_APPROVALS,
    MAX_CONDITIONS,
    MAX_DEFINITION,
    MAX_NEEDS,
    MAX_OUTPUT_TEXT,
    MAX_OUTPUTS,
    MAX_ROLLBACKS,
    MAX_SCHEMA,
    MAX_STEP_GROUPS,
    MAX_VISITS,
    MAX_WORKFLOW_STEPS,
)
from ama2sec.reference import compile_definition, encode
from ama2sec.reference.definitions import When
from tests.workflow_world import ANY, document, step, value_of


def code_of(data: bytes) -> str:
    try:
        found = compile_definition(data)
    except Ama2Error as fault:
        return fault.code
    assert found.document == data
    return "ok"


def compiled(steps: list[dict[str, Any]], **how: Any) -> str:
    return code_of(document(steps, **how))


def trading() -> list[dict[str, Any]]:
    """Every part is used."""
    return [
        step("order", by=["traders"], outputs={"total": 1, "note": 2, "rush": 0}),
        step("quote", needs=["order"], outputs={"ok": 0}, visits=3, payload='{"type":"object"}'),
        step(
            "execute",
            needs=["quote"],
            choice="quote",
            when=[["order", "total", 1, 900], ["quote", "ok", 0, True], ["order", "note", 0, "x"]],
            approvals=["quote", 2, ["risk"]],
            deadline=1000,
            terminal=True,
            pivot=True,
        ),
        step("cancel", needs=["order", "quote"], mode=ANY, terminal=True, undo="execute"),
    ]


def test_a_definition_is_read_whole() -> None:
    data = document(trading(), rollback=[["ops"], 3])
    found = compile_definition(data)
    assert (found.name, found.start, found.rollback_by, found.rollback_cap) == ("flow", 0, ("ops",), 3)
    assert [each.name for each in found.steps] == ["order", "quote", "execute", "cancel"]
    execute = found.steps[2]
    assert execute.when[0] == When(0, "total", 1, 900)
    assert execute.approvals is not None
    assert (execute.approvals.of, execute.approvals.count, execute.approvals.by) == (1, 2, ("risk",))
    assert (execute.deadline, execute.visits, execute.terminal, execute.pivot) == (1000, 1, True, True)
    assert found.steps[1].payload == '{"type":"object"}'
    assert (found.index_of("cancel"), found.index_of("none")) == (3, None)
    assert [found.grounds(index) for index in range(4)] == [set(), {0}, {0, 1}, set()]
    assert (found.steps[3].undo, found.steps[3].all_needs) == (2, ())


def test_the_same_meaning_has_the_same_id_and_another_one_another() -> None:
    ids = {compile_definition(document(trading(), **how)).id for how in ({}, {}, {"name": "other"}, {"start": 0})}
    assert len(ids) == 2


# -- the form: 1.1 -------------------------------------------------------------------------------------------------

TEXT = "x" * MAX_OUTPUT_TEXT
Change = Callable[[list[Any]], Any]


def at(place: int, value: Any, row: int = 0) -> Change:
    """Put a value into a place of a step."""

    def change(whole: list[Any]) -> None:
        whole[4][row][place] = value

    return change


def top(place: int, value: Any) -> Change:
    def change(whole: list[Any]) -> None:
        whole[place] = value

    return change


NAMES = [f"g{number:02}" for number in range(17)]
OUTPUTS = {f"o{number:02}": 1 for number in range(17)}
FORMS: list[tuple[str, Change]] = [
    ("ok", lambda _: None),
    # the definition
    ("no", top(0, 2)), ("no", top(0, True)), ("no", top(0, None)), ("no", lambda w: w.append(None)), ("no", lambda w: w.pop()),
    ("no", top(1, "Not a name")), ("no", top(1, b"flow")), ("no", top(2, -1)), ("no", top(2, None)), ("no", top(2, False)),
    ("ok", top(3, [NAMES[:MAX_STEP_GROUPS], MAX_ROLLBACKS])), ("no", top(3, [NAMES, 0])), ("no", top(3, [[], MAX_ROLLBACKS + 1])),
    ("no", top(3, [["b", "a"], 0])), ("no", top(3, [["a", "a"], 0])), ("no", top(3, [[]])), ("no", top(3, [[], 0, 0])), ("no", top(3, None)),
    ("no", top(4, [])), ("no", top(4, {})), ("no", top(4, None)), ("no", top(4, [[]])),
    # a step: its length, name, by
    ("no", lambda w: w[4][0].append(None)), ("no", lambda w: w[4][0].pop()), ("no", at(0, "")), ("no", at(0, None)),
    ("no", at(1, [])), ("no", at(1, None)), ("no", at(1, NAMES)), ("ok", at(1, NAMES[:MAX_STEP_GROUPS])), ("no", at(1, ["b", "a"])),
    ("no", at(1, ["aa", "b"])), ("ok", at(1, ["b", "aa"])), ("no", at(1, ["A"])), ("no", at(1, [b"a"])),
    # needs
    ("no", at(2, [1, []], 1)), ("no", at(2, [2, [0]], 1)), ("no", at(2, [True, [0]], 1)), ("no", at(2, [0, [0, 0]], 1)),
    ("no", at(2, [0, [-1]], 1)), ("no", at(2, [0, ["a"]], 1)), ("no", at(2, [0], 1)), ("no", at(2, None, 1)), ("ok", at(2, [1, [0]], 1)),
    # choice, when
    ("no", at(3, False, 1)), ("no", at(3, "a", 1)), ("ok", at(3, 0, 1)), ("no", at(4, None, 1)), ("no", at(4, [[0, "n", 0]], 1)),
    ("ok", at(4, [[0, "n", 0, 1]] * MAX_CONDITIONS, 1)), ("no", at(4, [[0, "n", 0, 1]] * (MAX_CONDITIONS + 1), 1)),
    ("no", at(4, [[0, "n", 3, 1]], 1)), ("no", at(4, [[0, "n", False, 1]], 1)), ("no", at(4, [[0, "N", 0, 1]], 1)),
    ("no", at(4, [[0, "n", 0, None]], 1)), ("no", at(4, [[0, "n", 0, b"x"]], 1)), ("no", at(4, [[0, "n", 0, []]], 1)),
    ("ok", at(4, [[0, "t", 0, TEXT]], 1)), ("no", at(4, [[0, "t", 0, TEXT + "x"]], 1)), ("no", at(4, [[0, "t", 0, "é" * 200]], 1)),
    ("ok", at(4, [[0, "n", 2, -(1 << 63)], [0, "n", 1, (1 << 63) - 1]], 1)), ("no", at(4, [["a", "n", 0, 1]], 1)),
    # approvals
    ("ok", at(5, [0, 1, ["g"]], 1)), ("ok", at(5, [0, MAX_APPROVALS, NAMES[:16]], 1)), ("no", at(5, [0, 0, ["g"]], 1)),
    ("no", at(5, [0, MAX_APPROVALS + 1, ["g"]], 1)), ("no", at(5, [0, 1, []], 1)), ("no", at(5, [0, 1, NAMES], 1)), ("no", at(5, [0, 1], 1)),
    ("no", at(5, [0, True, ["g"]], 1)), ("no", at(5, [], 1)), ("no", at(5, False, 1)), ("no", at(5, [None, 1, ["g"]], 1)),
    # deadline, visits, terminal, pivot
    ("ok", at(6, 1)), ("ok", at(6, (1 << 48) - 1)), ("no", at(6, 0)), ("no", at(6, 1 << 48)), ("no", at(6, -1)), ("no", at(6, True)),
    ("ok", at(7, MAX_VISITS)), ("no", at(7, 0)), ("no", at(7, MAX_VISITS + 1)), ("no", at(7, None)), ("no", at(7, True)),
    ("no", at(8, 1)), ("no", at(8, None)), ("ok", at(9, True)), ("no", at(9, 0)), ("no", at(9, None)),
    # outputs, payload, undo
    ("no", at(10, None)), ("no", at(10, [])), ("ok", at(10, {}, 1)), ("no", at(10, OUTPUTS, 1)), ("ok", at(10, dict(list(OUTPUTS.items())[:MAX_OUTPUTS]), 1)),
    ("no", at(10, {"a": 3}, 1)), ("no", at(10, {"a": True}, 1)), ("no", at(10, {"A": 0}, 1)), ("no", at(10, {1: 0}, 1)), ("ok", at(10, {"a": 2}, 1)),
    ("no", at(11, "")), ("ok", at(11, "x" * MAX_SCHEMA)), ("no", at(11, "x" * (MAX_SCHEMA + 1))), ("no", at(11, "é" * (MAX_SCHEMA // 2 + 1))),
    ("no", at(11, b"{}")), ("no", at(11, {})), ("ok", at(12, 0, 1)), ("ok", at(12, 1)), ("no", at(12, -1)), ("no", at(12, False)),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(FORMS)))
def test_each_form(number: int) -> None:
    expected, change = FORMS[number]
    whole = value_of([step("a", outputs={"n": 1, "t": 2}), step("b", needs=["a"], terminal=True)])
    change(whole)
    assert code_of(encode(whole)) == ("ok" if expected == "ok" else "DefinitionInvalid")


def test_how_long_lists_may_be() -> None:
    many = [step(f"s{number:02}", terminal=True) for number in range(MAX_WORKFLOW_STEPS + 1)]
    assert compiled(many[:-1]) == "ok"
    assert compiled(many) == "DefinitionInvalid"
    wide = [*many[: MAX_NEEDS + 1], step("end", needs=[each["name"] for each in many[:MAX_NEEDS]])]
    assert compiled(wide) == "ok"
    wide[-1]["needs"] = [each["name"] for each in many[: MAX_NEEDS + 1]]
    assert compiled(wide) == "DefinitionInvalid"


def test_how_long_a_document_may_be() -> None:
    steps = [step(f"s{number}", terminal=True, payload="x" * 15_000) for number in range(5)]
    steps[-1]["payload"] = "x" * 1000
    room = MAX_DEFINITION - len(document(steps))
    steps[-1]["payload"] = "x" * (1000 + room)
    assert (len(document(steps)), compiled(steps)) == (MAX_DEFINITION, "ok")
    steps[-1]["payload"] += "x"
    assert compiled(steps) == "DefinitionInvalid"
    assert code_of(bytes(MAX_DEFINITION + 1)) == "DefinitionInvalid"


# -- soundness: 1.3 ------------------------------------------------------------------------------------------------

END = {"terminal": True}
SOUND: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("a", "no", [step("a", **END), step("a")]),
    # b: indexes
    ("b", "ok", [step("a"), step("b", needs=["a"], undo="a", **END)]),
    ("b", "no", [step("a"), step("b", needs=[2], **END)]),
    ("b", "no", [step("a"), step("b", needs=["a"], choice=2, **END)]),
    ("b", "no", [step("a"), step("b", needs=["a"], when=[[2, "n", 0, 1]], **END)]),
    ("b", "no", [step("a"), step("b", needs=["a"], approvals=[2, 1, ["g"]], **END)]),
    ("b", "no", [step("a"), step("b", needs=["a"], undo=2, **END)]),
    # b: itself
    ("b", "no", [step("a"), step("b", needs=["a", "b"], mode=ANY, **END)]),
    ("b", "no", [step("a"), step("b", needs=["a"], undo="b", **END)]),
    ("b", "no", [step("a"), step("b", needs=["a"], choice="b", **END)]),
    ("b", "no", [step("a"), step("b", needs=["a"], approvals=["b", 1, ["g"]], **END)]),
    # c: the start
    ("c", "no", [step("a", needs=["b"], mode=ANY), step("b", **END)]),
    ("c", "no", [step("a", needs=["b"]), step("b", **END)]),
    ("c", "no", [step("a", choice="b"), step("b", **END)]),
    ("c", "no", [step("a", when=[["b", "n", 0, 1]]), step("b", outputs={"n": 1}, **END)]),
    ("c", "no", [step("a", approvals=["b", 1, ["g"]]), step("b", **END)]),
    ("c", "ok", [step("a", deadline=1, visits=2, pivot=True, undo="b"), step("b", **END)]),
    # d: its own grounds
    ("d", "no", [step("a", **END), step("b", needs=["c"]), step("c", needs=["b"])]),
    ("d", "no", [step("a", **END), step("b", needs=["d"]), step("c", needs=["b"]), step("d", needs=["c", "a"])]),
    ("d", "ok", [step("a", **END), step("b", needs=["a", "c"], mode=ANY), step("c", needs=["b"])]),
    ("d", "ok", [step("a", **END), step("b", needs=["c"], mode=ANY), step("c", needs=["b"], mode=ANY)]),
    # e: a choice and an `of` are needs with mode 0
    ("e", "ok", [step("a"), step("b", needs=["a"], choice="a", approvals=["a", 1, ["g"]], **END)]),
    ("e", "no", [step("a"), step("b", needs=["a"], mode=ANY, choice="a", **END)]),
    ("e", "no", [step("a"), step("b", needs=["a"], mode=ANY, approvals=["a", 1, ["g"]], **END)]),
    ("e", "no", [step("a"), step("b", needs=["a"]), step("c", needs=["b"], choice="a", **END)]),
    ("e", "no", [step("a"), step("b", needs=["a"]), step("c", needs=["b"], approvals=["a", 1, ["g"]], **END)]),
    # f: what a condition reads
    ("f", "ok", [step("a", outputs={"n": 1}), step("b", needs=["a"], when=[["a", "n", 1, 1]], **END)]),
    ("f", "ok", [step("a", outputs={"n": 1}), step("b", needs=["a"]), step("c", needs=["b"], when=[["a", "n", 2, 1]], **END)]),
    ("f", "no", [step("a", outputs={"n": 1}), step("b", when=[["a", "n", 0, 1]], **END)]),
    ("f", "no", [step("a", outputs={"n": 1}), step("b", needs=["a"], mode=ANY, when=[["a", "n", 0, 1]], **END)]),
    ("f", "no", [step("a", outputs={"n": 1}), step("b", needs=["a"], mode=ANY), step("c", needs=["b"], when=[["a", "n", 0, 1]], **END)]),
    ("f", "no", [step("a"), step("b", needs=["a"], outputs={"n": 1}, when=[["b", "n", 0, 1]], **END)]),
    ("f", "no", [step("a", outputs={"n": 1}), step("b", needs=["a"], when=[["a", "m", 0, 1]], **END)]),
    ("f", "no", [step("a", outputs={"n": 1}), step("b", needs=["a"], when=[["a", "n", 0, True]], **END)]),
    ("f", "no", [step("a", outputs={"n": 1}), step("b", needs=["a"], when=[["a", "n", 0, "1"]], **END)]),
    ("f", "no", [step("a", outputs={"n": 0}), step("b", needs=["a"], when=[["a", "n", 0, 1]], **END)]),
    ("f", "no", [step("a", outputs={"n": 0}), step("b", needs=["a"], when=[["a", "n", 1, True]], **END)]),
    ("f", "no", [step("a", outputs={"n": 2}), step("b", needs=["a"], when=[["a", "n", 2, "x"]], **END)]),
    ("f", "ok", [step("a", outputs={"n": 2, "m": 0}), step("b", needs=["a"], when=[["a", "n", 0, "x"], ["a", "m", 0, False]], **END)]),
    # g: an end
    ("g", "no", [step("a"), step("b", needs=["a"])]),
]  # fmt: skip


# What the error says of each rule: so each case fails by its own, and by no earlier one.
SAYS = {
    "a": "distinct names",
    "b": "indexes below|does not name itself",
    "c": "a start without",
    "d": "not among its own grounds",
    "e": "a choice and an",
    "f": "one of the step's grounds|an output that is declared|an integer where",
    "g": "a step that is terminal",
}


@pytest.mark.parametrize("number", range(len(SOUND)))
def test_each_rule_of_soundness(number: int) -> None:
    rule, expected, steps = SOUND[number]
    if expected == "ok":
        assert compiled(steps) == "ok"
        return
    with pytest.raises(Ama2Error) as caught:
        compile_definition(document(steps))
    assert caught.value.code == "DefinitionInvalid"
    assert re.search(SAYS[rule], caught.value.expected or "")


def test_a_start_is_a_step() -> None:
    steps = [step("a", **END), step("b", needs=["a"])]
    assert [compiled(steps, start=start) for start in (0, 1, 2)] == ["ok", "DefinitionInvalid", "DefinitionInvalid"]


# -- every byte ----------------------------------------------------------------------------------------------------


def test_every_byte_of_a_document_counts() -> None:
    """Each single byte, with every bit turned and as every other value, is refused or is another definition."""
    data = document(trading(), rollback=[["ops"], 3])
    whole = compile_definition(data)
    sound = 0
    for place in range(len(data)):
        for value in range(256):
            changed = data[:place] + bytes([value]) + data[place + 1 :]
            if changed == data or code_of(changed) != "ok":
                continue
            other = compile_definition(changed)
            assert other.id != whole.id
            meaning = (other.name, other.start, other.rollback_by, other.rollback_cap, other.steps)
            assert meaning != (whole.name, whole.start, whole.rollback_by, whole.rollback_cap, whole.steps)
            sound += 1
    assert 1000 < sound < 256 * len(data) // 4


def test_every_cut_and_every_longer_document_is_refused() -> None:
    data = document(trading())
    assert {code_of(data[:end]) for end in range(len(data))} == {"DefinitionInvalid"}
    assert {code_of(data + bytes([byte])) for byte in range(256)} == {"DefinitionInvalid"}
    for odd in (b"\xd2" + data, b"\x9f" + data[1:] + b"\xff", data.replace(b"\x01", b"\x18\x01", 1)):
        assert code_of(odd) == "DefinitionInvalid"


# -- conditions, and the question ----------------------------------------------------------------------------------


def test_a_condition_asks_for_the_type_too() -> None:
    assert When(0, "n", 0, 1).holds({"n": 1})
    assert not When(0, "n", 0, 1).holds({"n": True})
    assert not When(0, "n", 0, True).holds({"n": 1})
    assert not When(0, "n", 0, 1).holds({"m": 1})
    assert not When(0, "n", 1, 1).holds({"n": "1"})
    assert [When(0, "n", relation, 5).holds({"n": 5}) for relation in range(3)] == [True, True, True]
    assert [When(0, "n", relation, 5).holds({"n": 4}) for relation in range(3)] == [False, True, False]
    assert [When(0, "n", relation, 5).holds({"n": 6}) for relation in range(3)] == [False, False, True]
    assert When(0, "t", 0, "x").holds({"t": "x"})
    assert not When(0, "t", 0, "x").holds({"t": "y"})
