"""Definitions as pictures: well-formed, complete, nothing that runs or is fetched, and nothing on top of anything else (spec workflow.1)."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from ama2sec import Ama2Error
from ama2sec.realm.definitions import AnyOf, Approvals, Condition, Definition, Step
from ama2sec.realm.definitions.picture import STATES, definition_to_mermaid, definition_to_svg

SVG = "{http://www.w3.org/2000/svg}"


def twenty() -> Definition:
    """A definition of twenty steps with everything that can be drawn."""
    checks = [Step(f"check_{letter}", by=["ops"], needs=["begin"]) for letter in "abcd"]
    signs = [Step(f"sign_{letter}", by=["legal"], needs=["price"]) for letter in "abc"]
    return Definition.build(
        "twenty",
        steps=[
            Step("begin", by=["sales"], outputs={"n": "integer"}),
            *checks,
            Step("join_ab", by=["ops"], needs=["check_a", "check_b"]),
            Step("join_cd", by=["ops"], needs=["check_c", "check_d"]),
            Step("gate", by=["quality"], needs=AnyOf("join_ab", "redo"), visits=5, outputs={"grade": "integer"}),
            Step("redo", by=["ops"], needs=["gate"], choice="gate", visits=4),
            Step("pass", by=["quality"], needs=["gate"], choice="gate", when=[Condition("gate", "grade", at_least=5)]),
            Step("fail", by=["quality"], needs=["gate"], choice="gate", terminal=True),
            Step("price", by=["pricing"], needs=["pass", "join_cd"], undo="fail"),
            *signs,
            Step(
                "contract",
                by=["sales"],
                needs=["sign_a", "sign_b", "sign_c", "price"],
                approvals=Approvals("price", count=3, by=["board"]),
                deadline="36h",
                pivot=True,
            ),
            Step("invoice", by=["billing"], needs=["contract"]),
            Step("deliver", by=["ops"], needs=["contract", "check_b"], deadline=1500),
            Step("reminder", by=["billing"], needs=["invoice"], visits=3),
            Step("close", by=["sales"], needs=["invoice", "deliver"], terminal=True),
        ],
    )


def drawn(definition: Definition, *more: Any) -> ElementTree.Element:
    return ElementTree.fromstring(definition_to_svg(definition, *more))


def boxes(root: ElementTree.Element) -> dict[str, tuple[float, float, float, float]]:
    found = {}
    for group in root.iter(f"{SVG}g"):
        rect, title = group.find(f"{SVG}rect"), group.findtext(f"{SVG}title") or ""
        assert rect is not None
        x, y, width, height = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        found[title.partition(":")[0]] = (x, y, x + width, y + height)
    return found


@pytest.mark.parametrize(
    "definition", [twenty(), *map(Definition.shipped, Definition.examples())], ids=lambda d: d.name
)
def test_every_step_has_a_box_of_its_own_inside_the_picture(definition: Definition) -> None:
    root = drawn(definition)
    found = boxes(root)
    assert list(found) == [step.name for step in definition.steps]
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    placed = list(found.values())
    for number, (left, top, right, bottom) in enumerate(placed):
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        for other in placed[:number]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top, "boxes overlap"


@pytest.mark.parametrize(
    "definition", [twenty(), *map(Definition.shipped, Definition.examples())], ids=lambda d: d.name
)
def test_a_step_stands_below_what_it_needs_and_an_arrow_leads_there(definition: Definition) -> None:
    root = drawn(definition)
    found = boxes(root)
    arrows = [
        path.attrib["d"]
        for path in root.iter(f"{SVG}path")
        if path.attrib.get("marker-end") and "h26" not in path.attrib["d"]
    ]
    assert len(arrows) == sum(len(step.needed) for step in definition.steps)
    for step in definition.steps:
        if not step.needs_any:
            assert all(found[need][3] < found[step.name][1] for need in step.needed)
    for arrow in arrows:
        numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", arrow)]
        assert all(-1 <= number <= 5000 for number in numbers)


def test_all_that_a_step_says_is_in_the_picture() -> None:
    text = " ".join(drawn(twenty()).itertext())
    for words in (
        "▸ begin",
        "by quality",
        "when gate.grade ≥ 5",
        "3 of board approve price",
        "signs grade",
        "within 36h",
        "within 1500ms",
        "at most 5 times",
        "point of no return",
        "ends it",
        "compensated by fail",
        "only one of them, by choice",
    ):
        assert words in text, words


def test_an_instance_is_coloured_and_annotated() -> None:
    definition = Definition.shipped("trading")
    states = {"order": "done", "quote": "done", "execute": "refused", "cancel": "enabled"}
    root = drawn(definition, states, {"execute": "ApprovalsMissing", "quote": "by <b>&amp;"})
    text = " ".join(root.itertext())
    assert "ApprovalsMissing" in text
    assert "by <b>&amp;" in text, "it is shown, and it is no markup"
    colours = [group.find(f"{SVG}rect").attrib["stroke"] for group in root.iter(f"{SVG}g")]  # type: ignore[union-attr]
    done, enabled, refused = (STATES[name][0] for name in ("done", "enabled", "refused"))
    assert colours == [done, done, "#24292f", refused, enabled, "#24292f", "#24292f"]
    for _, _, word in STATES.values():
        assert word in text, "colour is not alone"


@pytest.mark.parametrize(("states", "notes"), [({"order": "lost"}, {}), ({"oder": "done"}, {}), ({}, {"oder": "x"})])
def test_a_wrong_state_is_refused(states: dict[str, str], notes: dict[str, str]) -> None:
    with pytest.raises(Ama2Error, match="ArgumentRange"):
        definition_to_svg(Definition.shipped("trading"), states, notes)


def test_nothing_runs_and_nothing_is_fetched() -> None:
    hostile = Definition.build(
        "x",
        steps=[
            Step("a", by=["g"], outputs={"o": "text"}),
            Step(
                "z",
                by=["g"],
                needs=["a"],
                when=[Condition("a", "o", equals='"</text><script>\n\u202e&%%{init}')],
                terminal=True,
            ),
        ],
    )
    svg = definition_to_svg(hostile)
    root = ElementTree.fromstring(svg)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "style", "defs", "marker", "path", "rect", "text", "g"}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or "href" in name]
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
    assert "\u202e" not in svg
    mermaid = definition_to_mermaid(hostile)
    assert not set('"<>%{}&') & set(mermaid.splitlines()[2].partition('"')[2].replace("<br/>", "").rpartition('"')[0])


def test_mermaid_says_the_same() -> None:
    text = definition_to_mermaid(Definition.shipped("trading"))
    assert text.startswith("flowchart TB\n")
    lines = text.splitlines()
    assert sum("-->" in line or ".->" in line for line in lines) == 7
    assert '  s1 -- "choice" --> s3' in lines
    assert '  s2 -. "any" .-> s1' in lines
    assert "2 of risk approve quote" in lines[4]
