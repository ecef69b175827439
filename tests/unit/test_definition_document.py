"""The document of a definition: each byte of it, what is refused, and random texts and bytes (spec workflow.1)."""

from __future__ import annotations

from typing import Any

import pytest
from blake3 import blake3
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ama2sec import Ama2Error, Id, _native
from ama2sec.realm.definitions import AnyOf, Approvals, Condition, Definition, Rollback, Step
from ama2sec.reference import compile_definition, encode

# Pinned: whoever changes an example makes another definition of it, and instances of the old one keep the old one.
IDS = {
    "manufacturing": "cb29b79ba1eb91839692ef77b052a60794263b7e967c67e28bef93dac76200c6",
    "order_processing": "274703ffebb1a5b4da0199ddcce40ba9b193c9f79fd52a28fa5a9712f42e1c06",
    "trading": "4c5253005ae91919895c0330a3982ed02e56c2875212edea2fbcecdc6a775777",
}
STEP = ["a", ["g"], [0, []], None, [], None, None, 1, False, False, {}, None, None]
END = ["z", ["g"], [0, [0]], None, [], None, None, 1, True, False, {}, None, None]


def document(*steps: Any, version: Any = 1, name: Any = "x", start: Any = 0, rollback: Any = None) -> bytes:
    return encode([version, name, start, [[], 0] if rollback is None else rollback, list(steps or (STEP, END))])


def changed(step: list[Any], **fields: Any) -> list[Any]:
    return [fields.get(f"f{number}", value) for number, value in enumerate(step)]


def test_the_examples_are_pinned() -> None:
    assert Definition.examples() == tuple(IDS)
    for name, pinned in IDS.items():
        assert str(Definition.shipped(name).id) == pinned
    with pytest.raises(Ama2Error, match="NameUnknown: expected one of manufacturing, order_processing, trading"):
        Definition.shipped("poem")


def test_each_byte_stands_for_what_the_spec_says() -> None:
    definition = Definition.build(
        "loan",
        rollback=Rollback(["risk", "it"], 3),
        steps=[
            Step("ask", by=["customers"], outputs={"sum": "integer", "name": "text", "new": "boolean"}, payload=True),
            Step(
                "check", by=["desk", "it"], needs=["ask"], when=[Condition("ask", "sum", at_most=-500)], deadline="36h"
            ),
            Step("again", by=["desk"], needs=AnyOf("check", "ask"), visits=200, undo="ask"),
            Step(
                "pay",
                by=["desk"],
                needs=["check", "ask"],
                choice="check",
                when=[Condition("ask", "new", equals=False), Condition("ask", "name", equals="é")],
                approvals=Approvals("check", count=2, by=["risk"]),
                terminal=True,
                pivot=True,
            ),
        ],
    )
    expected = [
        1,
        "loan",
        0,
        [["it", "risk"], 3],
        [
            [
                "ask",
                ["customers"],
                [0, []],
                None,
                [],
                None,
                None,
                1,
                False,
                False,
                {"sum": 1, "name": 2, "new": 0},
                "true",
                None,
            ],
            [
                "check",
                ["it", "desk"],
                [0, [0]],
                None,
                [[0, "sum", 1, -500]],
                None,
                129_600_000,
                1,
                False,
                False,
                {},
                None,
                None,
            ],
            ["again", ["desk"], [1, [0, 1]], None, [], None, None, 200, False, False, {}, None, 0],
            [
                "pay",
                ["desk"],
                [0, [0, 1]],
                1,
                [[0, "new", 0, False], [0, "name", 0, "é"]],
                [1, 2, ["risk"]],
                None,
                1,
                True,
                True,
                {},
                None,
                None,
            ],
        ],
    ]
    assert definition.document == encode(expected)
    key = blake3(b"", derive_key_context="ama2sec 2026-11 v1 definition").digest()
    assert definition.id == Id(blake3(definition.document, key=key).digest())
    assert Definition.from_document(definition.document).steps == definition.steps


def test_the_examples_come_back_from_their_bytes() -> None:
    for name in IDS:
        definition = Definition.shipped(name)
        again = Definition.from_document(definition.document)
        assert (again, again.id, again.steps, again.rollback) == (
            definition,
            definition.id,
            definition.steps,
            definition.rollback,
        )
        assert (again.name, again.start) == (definition.name, definition.start)


def test_what_is_sound_and_of_no_use_comes_back_as_well() -> None:
    waits = [changed(STEP, f0="b", f2=[1, [2]]), changed(STEP, f0="c", f2=[1, [1]])]
    assert len(Definition.from_document(document(STEP, *waits, END)).steps) == 4


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"x",
        b"\x80",
        document() + b"\0",
        document(version=2),
        document(version=True),
        document(name="X"),
        document(name=7),
        document(start=2),
        document(start=-1),
        document(start=None),
        document(rollback=[["b", "a"], 1]),
        document(rollback=[[], 256]),
        document(rollback=[[]]),
        document(rollback={}),
        encode([1, "x", 0, [[], 0], []]),
        encode([1, "x", 0, [[], 0], [STEP] * 65]),
        encode([1, "x", 0, [[], 0], {}]),
        document(STEP, STEP, END),
        document(STEP[:12], END),
        document(changed(STEP, f0=b"a"), END),
        document(changed(STEP, f1=[]), END),
        document(changed(STEP, f1=["h", "g"]), END),
        document(changed(STEP, f1=["g", "g"]), END),
        document(STEP, changed(END, f2=[2, [0]])),
        document(STEP, changed(END, f2=[1, []])),
        document(STEP, changed(END, f2=[0, [2]])),
        document(STEP, changed(END, f2=[0, [1]])),
        document(STEP, changed(STEP, f0="b"), changed(END, f2=[0, [1, 0]])),
        document(STEP, changed(END, f3=1)),
        document(STEP, changed(END, f3=7)),
        document(STEP, changed(END, f4=[[0, "o", 0]])),
        document(STEP, changed(END, f4=[[0, "o", 0, 1]])),
        document(changed(STEP, f10={"o": 1}), changed(END, f4=[[0, "o", 3, 1]])),
        document(changed(STEP, f10={"o": 1}), changed(END, f4=[[0, "o", 0, "1"]])),
        document(changed(STEP, f10={"o": 2}), changed(END, f4=[[0, "o", 1, "1"]])),
        document(changed(STEP, f10={"o": 1}), changed(END, f4=[[0, "o", 0, b"1"]])),
        document(changed(STEP, f10={"o": 1}), changed(END, f4=[[0, "o", 0, 1]] * 17)),
        document(STEP, changed(END, f5=[0, 0, ["g"]])),
        document(STEP, changed(END, f5=[0, 1, []])),
        document(STEP, changed(END, f5=[1, 1, ["g"]])),
        document(STEP, changed(END, f6=0)),
        document(STEP, changed(END, f6=1 << 48)),
        document(STEP, changed(END, f6="36h")),
        document(STEP, changed(END, f7=0)),
        document(STEP, changed(END, f7=256)),
        document(STEP, changed(END, f8=1)),
        document(STEP, changed(END, f8=False)),
        document(STEP, changed(END, f10={"o": 3})),
        document(STEP, changed(END, f10={"O": 1})),
        document(STEP, changed(END, f10=[])),
        document(STEP, changed(END, f11="")),
        document(STEP, changed(END, f11=b"true")),
        document(STEP, changed(END, f11="x" * 16_385)),
        document(STEP, changed(END, f12=1)),
        document(STEP, changed(END, f12=9)),
        document(*[changed(STEP, f0=f"s{n}", f11="x" * 16_000) for n in range(4)], END),
    ],
)
def test_what_is_no_document(bad: bytes) -> None:
    assert judged(bad) is None


def test_only_bytes_are_a_document() -> None:
    with pytest.raises(Ama2Error, match="NotBytes"):
        Definition.from_document(bytearray(document()))  # type: ignore[arg-type]


def test_a_schema_out_of_a_document_stays_as_it_is() -> None:
    spaced = document(changed(STEP, f11='{ "type": "object" }'), END)
    assert Definition.from_document(spaced).step("a").payload == '{ "type": "object" }'


def test_every_single_changed_byte_is_refused_or_is_another_definition() -> None:
    definition = Definition.shipped("trading")
    good = definition.document
    for place in range(0, len(good), 3):
        other = judged(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert other is None or other.id != definition.id


def judged(data: bytes) -> Definition | None:
    """By this compiler, the core and the reference, which agree."""
    found: list[Any] = []
    for judge in (Definition.from_document, _native.check_definition, compile_definition):
        try:
            found.append(judge(data))
        except Ama2Error as fault:
            assert fault.code == "DefinitionInvalid"
            found.append(None)
    mine, core, reference = found
    assert (mine is None, core is None) == (reference is None, reference is None), found
    if mine is not None:
        assert mine.document == core.document == reference.document == data
        assert bytes(mine.id) == bytes(core.id) == reference.id
    return mine  # type: ignore[no-any-return]


@given(st.binary(max_size=200))
@example(document())
def test_bytes_never_raise_anything_else(data: bytes) -> None:
    judged(data)


def values() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers(-3, 300) | st.sampled_from(["a", "b", "z", "g", "true", "\xe9"])
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=4), max_leaves=8)


@given(st.integers(0, 12), values(), st.integers(0, 1))
@settings(max_examples=300)
def test_any_value_in_any_place_is_refused_or_is_what_it_was(field: int, value: Any, which: int) -> None:
    steps = [list(STEP), list(END)]
    steps[which][field] = value
    judged(document(*steps))
