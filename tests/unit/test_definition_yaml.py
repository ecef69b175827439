"""Whatever stands in a text: a definition, or ``DefinitionForm`` with a place in it (spec workflow.6.1)."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ama2sec import Ama2Error
from ama2sec.realm.definitions import Definition
from tests.shell import REPOSITORY

TEXTS = {path.stem: path.read_bytes() for path in sorted((REPOSITORY / "ama2sec" / "workflows").glob("*.yaml"))}


def read(text: str | bytes) -> Definition | None:
    try:
        return Definition.from_yaml(text)
    except Ama2Error as fault:
        assert fault.code == "DefinitionForm"
        report: Any = fault.report
        lines = 1 + (text.count("\n") if isinstance(text, str) else text.count(b"\n"))
        # Old line ends and Unicode's count as lines in YAML.
        assert (
            1
            <= report["line"]
            <= lines + sum(str(text).count(end) for end in ("\r", "\\r", "\x85", "\u2028", "\u2029", "\\x"))
        )
        assert report["column"] >= 1
        return None


@given(st.text(max_size=300))
@example("[" * 300)
@example("{a: " * 100)
@example('workflow: "\\UFFFFFFFF"')
@example("workflow: &a [*a]")
@example("? ? ?")
@example("\ufeffworkflow: x")
@example("a: |9\n b")
@settings(max_examples=300)
def test_any_text(text: str) -> None:
    read(text)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    read(data)


# What lines of YAML are made of: more of these lead further than random characters.
PIECES = st.sampled_from(
    ["workflow: x\n", "steps:\n", "  a: {by: [g]}\n", "  b:\n", "    by: [g]\n", "    needs: [a]\n", "    terminal: true\n",
     "    needs: {any: [b, a]}\n", "    when: [{step: a, output: o, equals: ", "1}]\n", "true}]\n", "  a:\n", "- ", "*x ", "&x ", "!!int ", "<<: ",
     "~\n", "no\n", "{", "}", "[", "]", ", ", ": ", "'", '"', "#", "|\n", ">\n", "---\n", "...\n", "\t", "1e3\n", "0x1f\n", "\u00e9", "\u2028", "\n"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=40).map("".join))
@settings(max_examples=300)
def test_lines_of_yaml(text: str) -> None:
    read(text)


@pytest.mark.parametrize("name", TEXTS)
def test_an_example_that_was_changed_somewhere(name: str) -> None:
    chance = random.Random(name)
    for _ in range(150):
        data = bytearray(TEXTS[name])
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(data))
            match chance.randrange(3):
                case 0:
                    data[place] = chance.choice(b"[]{}:,#&*!|>'\"%@`-? \n\t~019ano\xff")
                case 1:
                    del data[place : place + chance.randint(1, 12)]
                case _:
                    data[place:place] = chance.choice([b"[", b"{a: ", b"- ", b"\n", b"&x ", b": ", b'"', b"\xc3"])
        read(bytes(data))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 262_144, "40 deep"),
        ("workflow: [" + "a," * 130_000 + "]", "16384 values"),
        ("\n".join(" " * depth + "a:" for depth in range(300)), "40 deep"),
        ("#" * 262_145, "at most 262144 bytes"),
        ("x: " + "é" * 131_072, "at most 262144 bytes"),
        ("{" * 250_000, "a key of text"),
        ("- " * 130_000, "40 deep"),
    ],
    ids=["brackets", "values", "blocks", "bytes", "two bytes each", "braces", "lists"],
)
def test_size_and_depth_are_bounded(text: str, words: str) -> None:
    with pytest.raises(Ama2Error) as caught:
        Definition.from_yaml(text)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_read_is_what_yaml_reads(name: str) -> None:
    """The safe subset means what every reader of YAML makes of it."""
    found: Any = yaml.safe_load(TEXTS[name])
    definition = Definition.shipped(name)
    assert [step.name for step in definition.steps] == list(found["steps"])
    for step in definition.steps:
        raw = found["steps"][step.name]
        assert sorted(step.by) == sorted(raw["by"])
        needs = raw.get("needs", [])
        assert set(step.needed) == set(needs["any"] if isinstance(needs, dict) else needs)
        assert dict(step.outputs) == raw.get("outputs", {})
        assert (step.terminal, step.pivot, step.visits) == (
            raw.get("terminal", False),
            raw.get("pivot", False),
            raw.get("visits", 1),
        )


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(1 << 63), (1 << 63) - 1)
        | st.text(max_size=8)
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
        max_leaves=10,
    )
)
def test_json_in_a_text_is_read_as_json(value: Any) -> None:
    """JSON is YAML: in ``enum`` any value comes through as it is, a whole number as one."""
    try:
        schema = json.dumps({"enum": [value]}, ensure_ascii=True)
        text = f"workflow: x\nsteps:\n  a: {{by: [g], terminal: true, payload: {schema}}}\n"
        definition = Definition.from_yaml(text)
    except Ama2Error as fault:
        # YAML has no pairs of surrogates, and half of one is no text.
        assert fault.code == "DefinitionForm"
        return
    payload = definition.step("a").payload
    assert isinstance(payload, str)
    assert json.loads(payload) == {"enum": [value]}
    assert json.dumps(json.loads(payload), ensure_ascii=False, separators=(",", ":"), sort_keys=True) == payload
