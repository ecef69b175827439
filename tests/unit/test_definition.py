"""Definitions: what each error says and where, the builder, and that both ways lead to the same bytes (spec workflow.1, workflow.6)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ama2sec import Ama2Error
from ama2sec.realm.definitions import AnyOf, Approvals, Condition, Definition, Rollback, Step
from tests.shell import environment

TRADING = """\
workflow: trading
start: order
rollback: {by: [risk], at_most: 3}
steps:
  order: {by: [traders]}
  quote:
    by: [pricing]
    needs: [order]
    outputs: {total: integer}
  execute:
    by: [traders]
    needs: [quote]
    approvals: {of: quote, count: 2, by: [risk]}
    when: [{step: quote, output: total, at_most: 1000}]
    pivot: true
    terminal: true
"""


def fault_of(act: Callable[[], object]) -> Ama2Error:
    with pytest.raises(Ama2Error) as caught:
        act()
    assert caught.value.code == "DefinitionForm"
    assert caught.value.blame == "caller"
    return caught.value


def place_of(text: str) -> tuple[int, int, Ama2Error]:
    fault = fault_of(lambda: Definition.from_yaml(text))
    report: Any = fault.report
    assert f"at line {report['line']}, column {report['column']}" in fault.got
    return report["line"], report["column"], fault


FAULTS = [
    # form
    ("workflow: trading", "workflow: Trading", 1, 11, "the name of the workflow"),
    ("workflow: trading", "workflow: [trading]", 1, 1, "the name of the workflow"),
    ("start: order", "start: oder", 2, 8, "did you mean 'order'?"),
    ("start: order", "begin: order", 2, 1, "one of workflow, start, rollback, steps"),
    ("{by: [risk], at_most: 3}", "{by: [risk]}", 3, 1, "a value for at_most"),
    ("{by: [risk], at_most: 3}", "{by: [risk], at_most: 256}", 3, 33, "an integer from 0 to 255"),
    ("order: {by: [traders]}", "order: {by: []}", 5, 11, "a list of names"),
    ("order: {by: [traders]}", "order: {by: traders}", 5, 15, "a list is written [traders]"),
    ("order: {by: [traders]}", "order: {needs: []}", 5, 3, "a value for by"),
    ("order: {by: [traders]}", "order: [traders]", 5, 3, "a step: {by: [groups]"),
    ("order: {by: [traders]}", "order: {by: [traders, traders]}", 5, 25, "each name once"),
    ("order: {by: [traders]}", "order: {by: [traders], vists: 2}", 5, 26, "did you mean 'visits'?"),
    ("order: {by: [traders]}", "order: {by: [traders], visits: 0}", 5, 34, "an integer from 1 to 255"),
    ("order: {by: [traders]}", "order: {by: [traders], visits: two}", 5, 34, "an integer"),
    ("order: {by: [traders]}", "order: {by: [traders], terminal: 1}", 5, 36, "true or false"),
    (
        "order: {by: [traders]}",
        "order: {by: [traders], deadline: 36}\n  Order: {by: [traders]}",
        6,
        3,
        "the name of a step",
    ),
    ("needs: [order]", "needs: [ordr]", 8, 13, "did you mean 'order'?"),
    ("needs: [order]", "needs: {all: [order]}", 8, 13, "one of any"),
    ("needs: [order]", "needs: {any: []}", 8, 13, "1 to 32"),
    ("needs: [order]", "needs: [order, order]", 8, 20, "each name once"),
    ("needs: [order]", "deadline: 36 hours", 8, 15, "a deadline such as 36h"),
    ("needs: [order]", "deadline: 0", 8, 15, "above 0"),
    ("needs: [order]", "deadline: 4000000d", 8, 15, "a deadline such as 36h"),
    ("outputs: {total: integer}", "outputs: {total: int}", 9, 22, "did you mean 'integer'?"),
    ("outputs: {total: integer}", "outputs: {Total: integer}", 9, 22, "the name of an output"),
    ("count: 2", "count: 17", 13, 35, "an integer from 1 to 16"),
    ("count: 2", "count: 2.0", 13, 35, "an integer"),
    ("of: quote, ", "", 13, 5, "a value for of"),
    ("at_most: 1000", "at_most: many", 14, 50, "an integer for at_most"),
    ("at_most: 1000", "at_most: 1000, equals: 7", 14, 12, "at_most"),
    ("at_most: 1000", "equals: 9223372036854775808", 14, 49, "an integer from"),
    (", at_most: 1000", "", 14, 12, "one of equals, at_most, at_least"),
    ("pivot: true", "undo: nothing", 15, 11, "a step of this workflow"),
    # soundness (workflow.1.3)
    ("needs: [order]", "needs: [quote]", 8, 5, "another step"),
    ("pivot: true", "undo: execute", 15, 11, "another step"),
    ("start: order", "start: quote", 8, 5, "a start without needs"),
    ("needs: [order]", "needs: [execute]", 8, 5, "quote -> execute -> quote"),
    ("of: quote, count", "of: order, count", 13, 21, "one of the steps that 'execute' needs"),
    ("pivot: true", "choice: order", 15, 13, "one of the steps that 'execute' needs"),
    ("needs: [quote]", "needs: {any: [quote]}", 13, 21, "it needs none"),
    ("step: quote, output", "step: execute, output", 14, 19, "a step that 'execute' needs on every way: order, quote"),
    ("output: total", "output: sum", 14, 34, "an output of 'quote': total"),
    ("at_most: 1000", "equals: much", 14, 49, "a value of type integer"),
    ("terminal: true", "terminal: false", 4, 1, "at least one step with terminal: true"),
    # use (workflow.6.2)
    ("needs: [order]", "needs: {any: [execute]}", 8, 13, "'quote', which waits for execute"),
    # YAML
    ("workflow: trading", "workflow: &name trading", 1, 11, "no anchors"),
    ("[traders]}\n", "[*name]}\n", 5, 16, "no aliases"),
    ("workflow: trading", "workflow: !!str trading", 1, 11, "no tags"),
    ("start: order", "workflow: order", 2, 1, "each key once"),
    ("start: order", "start: order\n---", 3, 1, "one document"),
    ("start: order", "<<: {start: order}", 2, 1, "read as merge"),
    ("by: [pricing]", "by: [no]", 7, 10, "quote it"),
    ("by: [pricing]", "by: [0o17]", 7, 10, "quote it"),
    ("by: [pricing]", "by: [~]", 7, 10, "quote it"),
    ("by: [pricing]", "by: [2026-11-27]", 7, 10, "read as timestamp"),
    ("by: [pricing]", "by: [12]", 7, 10, "what is no text is quoted"),
    ("by: [pricing]", "by:", 7, 8, "a value, or the key left out"),
    ("by: [pricing]", "by: [pricing", 8, 10, "YAML"),
    ("by: [pricing]", "by: [\t@]", 7, 10, "cannot start any token"),
    ("by: [pricing]", 'by: ["\\ud800"]', 7, 10, "half a surrogate pair"),
    ("by: [pricing]", "? [by]\n    : [pricing]", 7, 7, "a key of text"),
]


@pytest.mark.parametrize(("old", "new", "line", "column", "words"), FAULTS)
def test_an_error_has_its_line_and_column(old: str, new: str, line: int, column: int, words: str) -> None:
    assert TRADING.count(old) >= 1
    found = place_of(TRADING.replace(old, new, 1))
    assert words in str(found[2]), found[2]
    assert found[:2] == (line, column), found[2]


def test_a_file_is_named_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "trading.yaml"
    path.write_text(TRADING.replace("needs: [order]", "needs: [ordr]"))
    fault = fault_of(lambda: Definition.from_yaml(path))
    assert f"at {path}:8:13" in str(fault)
    assert fault.report == {"file": str(path), "line": 8, "column": 13, "step": "quote"}
    path.write_text(TRADING)
    assert Definition.from_yaml(path) == Definition.from_yaml(TRADING)
    path.write_bytes(b"#" * (256 * 1024 + 1))
    assert "at most 262144 bytes" in str(fault_of(lambda: Definition.from_yaml(path)))
    with pytest.raises(Ama2Error) as caught:
        Definition.from_yaml(tmp_path / "none.yaml")
    assert caught.value.code == "FileUnreadable"


def built(**changes: Any) -> Definition:
    execute: dict[str, Any] = {
        "needs": ["quote"],
        "approvals": Approvals("quote", count=2, by=["risk"]),
        "when": [Condition("quote", "total", at_most=1000)],
        "pivot": True,
        "terminal": True,
    }
    steps = [
        Step("order", by=["traders"]),
        Step("quote", by=["pricing"], needs=["order"], outputs={"total": "integer"}),
        Step("execute", by=["traders"], **(execute | changes)),
    ]
    return Definition.build("trading", steps=steps, rollback=Rollback(["risk"], 3))


def test_the_builder_makes_the_same_bytes_as_yaml() -> None:
    definition = built()
    assert definition == Definition.from_yaml(TRADING)
    assert definition.document == Definition.from_yaml(TRADING).document
    assert hash(definition) == hash(Definition.from_yaml(TRADING))
    assert definition != built(pivot=False)
    assert repr(definition) == f"Definition('trading', 3 steps, {definition.id.short})"
    assert definition.groups == ("pricing", "risk", "traders")
    assert definition.step("quote").outputs == {"total": "integer"}
    with pytest.raises(Ama2Error, match="StepUnknown"):
        definition.step("quoet")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"needs": ["quoet"]}, "got 'quoet'; did you mean 'quote'? in step 'execute', needs[0]"),
        ({"needs": "quote"}, "in step 'execute', needs"),
        ({"needs": AnyOf()}, "in step 'execute', needs.any"),
        ({"when": Condition("quote", "total", at_most=1)}, "a list of conditions"),
        ({"when": [("quote", "total")]}, "in step 'execute', when[0]"),
        ({"when": [Condition("quote", "total")]}, "one of equals, at_most, at_least, got none"),
        ({"when": [Condition("quote", "total", equals=b"x")]}, "a boolean, an integer or a text"),  # type: ignore[arg-type]
        ({"when": [Condition("quote", "total", equals="x" * 257)]}, "a text of at most 256 bytes"),
        ({"when": [Condition("quote", "total", equals="\ud800")]}, "well-formed text"),
        ({"approvals": "quote"}, "approvals: {of: a step, count: how many, by: [groups]}"),
        ({"deadline": timedelta(0)}, "a deadline such as 36h"),
        ({"deadline": 1.5}, "a deadline such as 36h"),
        ({"visits": True}, "an integer, got true in step 'execute', visits"),
        ({"outputs": {1: "integer"}}, "the name of an output"),
        ({"outputs": {f"o{n}": "text" for n in range(17)}}, "at most 16 outputs"),
        ({"payload": 7}, "a JSON Schema: a mapping, true or false"),
        ({"undo": 3}, "the name of a step"),
        ({"terminal": None, "pivot": "yes"}, "true or false"),
    ],
)
def test_the_builder_names_the_step(changes: dict[str, Any], words: str) -> None:
    fault = fault_of(lambda: built(**changes))
    assert words in str(fault)
    report: Any = fault.report
    assert (report["step"], report["line"]) == ("execute", None)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([], "1 to 64 steps"),
        ([Step(f"s{n}", by=["a"]) for n in range(65)], "1 to 64 steps"),
        ("order", "a list of Step"),
        ([Step("a", by=["a"], terminal=True), {"name": "b"}], "a Step"),
        ([Step("a", by=["a"], terminal=True), Step("a", by=["a"])], "steps with distinct names"),
        ([Step(5, by=["a"])], "the name of a step"),  # type: ignore[arg-type]
        ([Step("a", by=["g" * 65], terminal=True)], "1 to 64 lowercase letters"),
        ([Step("a", by=[f"g{n}" for n in range(17)])], "1 to 16"),
    ],
)
def test_the_builder_takes_steps_alone(steps: Any, words: str) -> None:
    assert words in str(fault_of(lambda: Definition.build("x", steps=steps)))


def test_two_texts_of_one_meaning_have_the_same_bytes() -> None:
    one = """\
workflow: x
steps:
  a: {by: [g]}
  b: {by: [zz, a, mm], needs: [a], deadline: 36h, outputs: {zed: text, al: boolean}, payload: {type: object, minProperties: 1.0}}
  c: {by: [g], needs: [b, a], terminal: true}
"""
    other = """\
# the same
"workflow": 'x'
start: a
steps:
  a: {by: [g], visits: 1, terminal: false, needs: []}
  b:
    payload: {"minProperties": 1, "type": "object"}
    outputs:
      al: boolean
      zed: text
    by: [a, zz, mm]
    needs: [a]
    deadline: 129600000
  c: {by: [g], needs: [a, b], terminal: true}
"""
    assert Definition.from_yaml(one).document == Definition.from_yaml(other).document
    swapped = one.replace("needs: [b, a]", "needs: {any: [b, a]}")
    assert Definition.from_yaml(swapped).document != Definition.from_yaml(one).document


def test_a_group_without_a_member_is_named() -> None:
    definition = Definition.from_yaml(TRADING)
    members = {"traders": {"ada"}, "pricing": {"bot"}, "risk": {"ben", "eve"}}
    definition.check_groups(members)
    fault = fault_of(lambda: definition.check_groups(members | {"pricing": set()}))
    assert "a group with a member in this realm, got 'pricing' at line 7, column 10" in str(fault)
    fault = fault_of(lambda: definition.check_groups(members | {"risk": {"ben"}}))
    assert "at least 2 members of risk, got 1 at line 13" in str(fault)
    fault = fault_of(lambda: built().check_groups({"traders": {"ada"}, "pricing": {"bot"}}))
    assert "got 'risk' in rollback.by[0]" in str(fault)


def test_nothing_loads_yaml_or_a_validator_before_it_is_asked_for() -> None:
    script = (
        "import sys; from ama2sec.realm.definitions import Definition, Step\n"
        "Definition.build('x', steps=[Step('a', by=['g'], terminal=True)])\n"
        "print(sorted({'yaml', 'jsonschema_rs'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("module", ["yaml", "jsonschema_rs"])
def test_without_the_extra_it_says_what_to_install(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    text = TRADING.replace("needs: [order]", "needs: [order]\n    payload: {type: object}")
    assert "pip install 'ama2sec[workflows]'" in str(fault_of(lambda: Definition.from_yaml(text)))
