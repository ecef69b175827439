"""A definition as one SVG, or as Mermaid: layers from the start down, a lane of its own for nothing (spec workflow.1).

The form says what a box is: a double frame ends the instance, a thick bar on the left is the point of no return, a dashed line is one of
several ways, a diamond is a choice. Colour says nothing that these and the words do not. No script, no font, no link.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from ama2sec.errors import error
from ama2sec.realm.definitions.definition import Definition
from ama2sec.realm.definitions.model import Step
from ama2sec.realm.definitions.simulation import shown
from ama2sec.realm.drawing import plain

__all__ = ["STATES", "definition_to_mermaid", "definition_to_svg"]

STATES: Final = {
    "done": ("#1a7f37", "#dafbe1", "✓ done"),
    "enabled": ("#0b5fa5", "#ddf0ff", "▶ may be taken now"),
    "refused": ("#8c959f", "#f6f8fa", "· not now"),
}
"""How a step of an instance is shown: line, ground, word."""
_NEUTRAL: Final = ("#24292f", "#ffffff", "")
_WIDTH, _LINE, _HEAD, _ACROSS, _DOWN, _LEFT, _TOP = 254, 14, 22, 26, 56, 26, 84
_LETTERS: Final = 35
"""Characters of a line in a box; the rest is in its tooltip."""
_ARROW: Final = (
    '<defs><marker id="t" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L8 4L0 8Z" fill="#57606a"/></marker></defs>'
)
_STYLE: Final = (
    "text{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#1b1f24}"
    ".h{font:bold 14px sans-serif}.n{font:11px sans-serif;fill:#57606a}.s{font:bold 12px sans-serif}.d{fill:#57606a}.i{font-weight:bold}"
    ".e{fill:none;stroke:#57606a;stroke-width:1.5}.a{stroke-dasharray:5 4}.b{stroke:#b4540a}.k{fill:#b4540a;font:bold 10px sans-serif}"
)


@dataclass(slots=True)
class _Box:
    """A step, and where it stands."""

    step: Step
    layer: int
    column: float
    lines: list[str]
    now: list[str]
    """Of an instance: how the step stands, below a line of its own."""
    x: float = 0
    y: float = 0

    @property
    def height(self) -> float:
        return _HEAD + _LINE * len(self.lines) + (_LINE * len(self.now) + 8 if self.now else 0) + 8

    @property
    def middle(self) -> float:
        return self.x + _WIDTH / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height


def definition_to_svg(
    definition: Definition,
    states: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
    *,
    title: str | None = None,
) -> str:
    """The picture. ``states``: of an instance's steps ``done``, ``enabled`` or ``refused``; ``notes``: lines more for a step (the code
    that it would get, who took it). Raises ``ArgumentRange`` for another state or an unknown step."""
    states, notes = {} if states is None else states, {} if notes is None else notes
    names = {step.name for step in definition.steps}
    for name, state in [*states.items(), *((name, "done") for name in notes)]:
        if name not in names or state not in STATES:
            raise error(
                "ArgumentRange", f"steps of {definition.name}, each {', '.join(STATES)}", f"{name!r}: {state!r}"[:80]
            )
    boxes = _placed(definition, states, notes)
    width = max(box.x + _WIDTH for box in boxes.values()) + _LEFT + 34
    width = max(width, 720)
    height = max(box.bottom for box in boxes.values()) + 24
    title = plain(title or f"workflow {definition.name}, {definition.id.short}")
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        _ARROW,
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>',
        f'<text class="h" x="14" y="24">{escape(title)}</text>',
        *_legend(bool(states)),
    ]
    out += _edges(definition, boxes)
    for box in boxes.values():
        out += _box(definition, box, states.get(box.step.name))
    return "\n".join([*out, "</svg>", ""])


# -- where everything goes -----------------------------------------------------------------------------------------


def _layers(definition: Definition) -> dict[str, int]:
    """Each step below what it needs; needs that lead back up (a loop by any) do not count."""
    found = {definition.start: 0}
    steps = [step for step in definition.steps if step.name != definition.start]
    while True:
        ready = [step for step in steps if step.name not in found and _is_ready(step, found)]
        if not ready:
            break
        for step in ready[:1] if any(step.needs_any for step in ready) else ready:
            known = [found[need] for need in step.needed if need in found]
            found[step.name] = 1 + (min(known) if step.needs_any else max(known)) if known else 1
    return found | {step.name: 1 for step in steps if step.name not in found}


def _is_ready(step: Step, found: dict[str, int]) -> bool:
    return any(need in found for need in step.needed) if step.needs_any else all(need in found for need in step.needed)


def _placed(definition: Definition, states: Mapping[str, str], notes: Mapping[str, str]) -> dict[str, _Box]:
    layers = _layers(definition)
    rows: list[list[_Box]] = [[] for _ in range(1 + max(layers.values()))]
    boxes: dict[str, _Box] = {}
    for step in definition.steps:
        now = [STATES[states[step.name]][2]] if step.name in states else []
        now += notes[step.name].split("\n") if step.name in notes else []
        lines = [plain(line) for line in _lines(step)]
        boxes[step.name] = _Box(step, layers[step.name], 0, lines, [plain(line) for line in now])
        rows[layers[step.name]].append(boxes[step.name])
    widest = max(len(row) for row in rows)
    for row in rows:
        for number, box in enumerate(row):
            box.column = number + (widest - len(row)) / 2
    _settle(rows, boxes, widest)
    y = float(_TOP)
    for row in rows:
        for box in row:
            box.x, box.y = _LEFT + box.column * (_WIDTH + _ACROSS), y
        y += max((box.height for box in row), default=-_DOWN) + _DOWN
    return boxes


def _settle(rows: list[list[_Box]], boxes: dict[str, _Box], widest: int) -> None:
    """Move each box below the middle of what it needs, and keep boxes of a row apart."""
    for row in rows[1:]:
        wanted = {}
        for box in row:
            above = [boxes[need].column for need in box.step.needed if boxes[need].layer < box.layer]
            wanted[box.step.name] = sum(above) / len(above) if above else box.column
        # What leads back up stands on the right, where the way up is.
        row.sort(key=lambda box: (wanted[box.step.name], _leads_back(box, boxes)))
        places = [wanted[box.step.name] for box in row]
        # Boxes that want one place stand side by side around it.
        for number in range(1, len(places)):
            places[number] = max(places[number], places[number - 1] + 1)
        shift = sum(wanted[box.step.name] for box in row) / len(row) - sum(places) / len(row)
        low, high = -min(places), widest - 1 - max(places)
        shift = min(max(shift, low), max(high, low))
        for box, place in zip(row, places, strict=True):
            box.column = place + shift


def _leads_back(box: _Box, boxes: dict[str, _Box]) -> bool:
    return any(box.step.name in other.step.needed and other.layer <= box.layer for other in boxes.values())


def _lines(step: Step) -> list[str]:
    """What stands in a box below the name."""
    lines = [f"by {', '.join(step.by)}"]
    lines += [f"when {one.step}.{one.output} {_SIGNS[one.relation]} {shown(one.value)}" for one in step.when]
    if (asked := step.approvals) is not None:
        lines.append(f"{asked.count} of {', '.join(asked.by)} approve {asked.of}")
    if step.outputs:
        lines.append(f"signs {', '.join(step.outputs)}")
    limits = [f"within {span(step.deadline)}"] if isinstance(step.deadline, int) else []
    limits += [f"at most {step.visits} times"] if step.visits > 1 else []
    if limits:
        lines.append(", ".join(limits))
    marks = [word for word, there in (("point of no return", step.pivot), ("ends it", step.terminal)) if there]
    if marks:
        lines.append(", ".join(marks))
    if step.undo is not None:
        lines.append(f"compensated by {step.undo}")
    return lines


_SIGNS: Final = {"equals": "=", "at_most": "≤", "at_least": "≥"}


def span(ms: int) -> str:
    """A time span as YAML has it: the largest unit in which it is a whole number."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if ms % size == 0:
            return f"{ms // size}{unit}"
    return f"{ms}ms"


# -- what is drawn -------------------------------------------------------------------------------------------------


def _legend(instance: bool) -> list[str]:
    """What the forms mean, in two rows."""
    out = []
    x = 14.0
    for kind, words in (("", "needs"), ("a", "one of these is enough"), ("b", "only one of them, by choice")):
        out.append(f'<path class="e {kind}" d="M{x} 44h26" marker-end="url(#t)"/>')
        out.append(f'<text class="n" x="{x + 32}" y="48">{words}</text>')
        x += 56 + len(words) * 6
    x = 14.0
    out.append(f'<rect x="{x}" y="59" width="18" height="12" fill="#fff" stroke="#24292f"/>')
    out.append(f'<rect x="{x + 2}" y="61" width="14" height="8" fill="none" stroke="#24292f"/>')
    out.append(f'<text class="n" x="{x + 24}" y="69">ends the instance</text>')
    x += 134
    out.append(f'<rect x="{x}" y="59" width="18" height="12" fill="#fff" stroke="#24292f"/>')
    out.append(f'<rect x="{x}" y="59" width="5" height="12" fill="#24292f"/>')
    out.append(f'<text class="n" x="{x + 24}" y="69">point of no return</text>')
    if instance:
        x += 140
        for line, ground, word in STATES.values():
            out.append(f'<rect x="{x}" y="59" width="18" height="12" fill="{ground}" stroke="{line}"/>')
            out.append(f'<text class="n" x="{x + 24}" y="69">{word}</text>')
            x += 44 + len(word) * 6
    return out


def _edges(definition: Definition, boxes: dict[str, _Box]) -> list[str]:
    out = []
    right = max(box.x + _WIDTH for box in boxes.values())
    back = 0
    for step in definition.steps:
        box = boxes[step.name]
        for number, need in enumerate(step.needed):
            other = boxes[need]
            kind = "e" + (" a" if step.needs_any else "") + (" b" if step.choice == need else "")
            # Apart from each other where several arrive.
            x2 = box.x + _WIDTH * (number + 1) / (len(step.needed) + 1)
            if other.layer < box.layer:
                out.append(_down(kind, other, x2, box, boxes))
            else:
                out.append(_up(kind, other, box, boxes, right + 10 + 7 * (back % 4)))
                back += 1
    for step in definition.steps:
        chosen = [boxes[one.name] for one in definition.steps if one.choice == step.name]
        if chosen:
            box = boxes[step.name]
            x, y = box.middle, box.bottom
            out.append(f'<path d="M{x:.1f} {y:.1f}l7 6l-7 6l-7 -6Z" fill="#fff" stroke="#b4540a" stroke-width="1.5"/>')
    return out


def _up(kind: str, below: _Box, box: _Box, boxes: dict[str, _Box], rim: float) -> str:
    """A loop: out to the right rim, up there, and back in; through the gap between two rows where boxes stand beside."""
    begin, y1 = _aside(below, boxes, below.bottom, 1)
    end, y2 = _aside(box, boxes, box.y, -1)
    # An end that is in a gap leads up into its box, or down out of it.
    leaves = f"M{begin:.1f} {y1:.1f}" if begin == below.x + _WIDTH else f"M{begin:.1f} {below.bottom:.1f}V{y1:.1f}"
    arrives = f"H{end:.1f}" if end == box.x + _WIDTH else f"H{end:.1f}V{box.y:.1f}"
    return (
        f'<path class="{kind}" stroke-linejoin="round" d="{leaves}H{rim:.1f}V{y2:.1f}{arrives}" marker-end="url(#t)"/>'
    )


def _aside(box: _Box, boxes: dict[str, _Box], edge: float, way: int) -> tuple[float, float]:
    """Where a loop leaves or reaches a box: at its right side if nothing stands there, else in the gap above or below its row."""
    row = [one for one in boxes.values() if one.layer == box.layer]
    if all(one.x <= box.x for one in row):
        return box.x + _WIDTH, box.y + box.height / 2
    gap = max(one.bottom for one in row) + 18 if way > 0 else edge - 18
    return box.x + _WIDTH - 16, gap


def _down(kind: str, above: _Box, x2: float, box: _Box, boxes: dict[str, _Box]) -> str:
    x1, y1, y2 = above.middle, above.bottom + (12 if "b" in kind.split() else 0), box.y
    if box.layer - above.layer == 1:
        half = (y2 - y1) / 2
        return f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + half:.1f} {x2:.1f} {y2 - half:.1f} {x2:.1f} {y2:.1f}" marker-end="url(#t)"/>'
    # Past the boxes between: down the gap that is nearest to where it arrives.
    between = [one for one in boxes.values() if above.layer < one.layer < box.layer]
    lane = _free_lane(between, x2)
    top = min(one.y for one in between) - 10
    low = max(one.bottom for one in between) + 10
    return (
        f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + 20:.1f} {lane:.1f} {top - 24:.1f} {lane:.1f} {top:.1f}V{low:.1f}'
        f'C{lane:.1f} {low + 24:.1f} {x2:.1f} {y2 - 20:.1f} {x2:.1f} {y2:.1f}" marker-end="url(#t)"/>'
    )


def _free_lane(between: list[_Box], wanted: float) -> float:
    """The nearest x that no box between covers."""
    tried = [wanted, *(edge for box in between for edge in (box.x - 12, box.x + _WIDTH + 12))]
    free = [x for x in tried if all(not box.x - 6 < x < box.x + _WIDTH + 6 for box in between)]
    return min(free, key=lambda x: abs(x - wanted), default=wanted)


def _box(definition: Definition, box: _Box, state: str | None) -> list[str]:
    step = box.step
    line, ground, _ = _NEUTRAL if state is None else STATES[state]
    x, y, height = box.x, box.y, box.height
    tip = escape(plain(f"{step.name}: {'; '.join([*box.lines, *box.now])}"))
    out = [
        f"<g><title>{tip}</title>",
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{_WIDTH}" height="{height:.1f}" rx="4" fill="{ground}" stroke="{line}" stroke-width="1.5"/>',
    ]
    if step.terminal:
        out.append(
            f'<rect x="{x + 3:.1f}" y="{y + 3:.1f}" width="{_WIDTH - 6}" height="{height - 6:.1f}" rx="2" fill="none" stroke="{line}"/>'
        )
    if step.pivot:
        out.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="6" height="{height:.1f}" fill="{line}"/>')
    name = f"▸ {step.name}" if step.name == definition.start else step.name
    out.append(f'<text class="s" x="{x + 12:.1f}" y="{y + 17:.1f}">{escape(_cut(plain(name), _LETTERS - 3))}</text>')
    for number, text in enumerate(box.lines):
        at = y + _HEAD + 10 + number * _LINE
        out.append(f'<text class="d" x="{x + 12:.1f}" y="{at:.1f}">{escape(_cut(text, _LETTERS))}</text>')
    at = y + _HEAD + 4 + len(box.lines) * _LINE
    if box.now:
        out.append(f'<path d="M{x + 12:.1f} {at:.1f}H{x + _WIDTH - 12:.1f}" stroke="{line}" stroke-width="0.75"/>')
    for number, text in enumerate(box.now):
        style = "i" if number == 0 else ""
        out.append(
            f'<text class="{style}" x="{x + 12:.1f}" y="{at + 14 + number * _LINE:.1f}">{escape(_cut(text, _LETTERS))}</text>'
        )
    return [*out, "</g>"]


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


# -- Mermaid -------------------------------------------------------------------------------------------------------


def definition_to_mermaid(definition: Definition) -> str:
    """A flowchart that code hosts and editors draw by themselves. Names and texts are quoted; nothing in them is obeyed."""
    number = {step.name: place for place, step in enumerate(definition.steps)}
    lines = ["flowchart TB"]
    for step in definition.steps:
        words = "<br/>".join(_entities(line) for line in [step.name, *_lines(step)])
        opening, closing = ("([", "])") if step.terminal else ("[[", "]]") if step.pivot else ("[", "]")
        lines.append(f'  s{number[step.name]}{opening}"{words}"{closing}')
    for step in definition.steps:
        for need in step.needed:
            arrow = '-. "any" .->' if step.needs_any else '-- "choice" -->' if step.choice == need else "-->"
            lines.append(f"  s{number[need]} {arrow} s{number[step.name]}")
    return "\n".join(lines) + "\n"


def _entities(text: str) -> str:
    return "".join(c if c.isalnum() or c in " ,.:-_'=" else f"#{ord(c)};" for c in plain(text))
