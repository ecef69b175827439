"""A proof for people: what each hash stands for, as a text tree and as a picture (spec proofs)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from ama2sec.cli.show import line

__all__ = ["Step", "drawing", "paths", "show_paths"]


@dataclass(frozen=True, slots=True)
class Step:
    """One hash of a proof: the entries [begin, end) that it stands for, and on which side of the way it hangs."""

    begin: int
    end: int
    side: str
    hash: str


@dataclass(frozen=True, slots=True)
class Way:
    """The way from some entries up to a root: where it starts, what is joined on the way, and over how many entries it ends."""

    title: str
    begin: int
    end: int
    start: str
    steps: list[Step]
    flat: bool = False
    """A range is no path: everything hangs side by side below the root."""


def paths(view: dict[str, Any]) -> list[Way]:
    """The ways of a proof, as ``inspect_proof`` describes it: one, or for ancestry one a hop."""
    if view["type"] == "consistency":
        seed, *rest = _steps(view["hashes"])
        title = f"consistency: {view['new_size']} entries begin with {view['old_size']}"
        return [Way(title, seed.begin, seed.end, f"given {seed.hash[:16]}", rest)]
    if view["type"] == "range":
        title = f"range: entries {view['begin']} to {view['end'] - 1} of {view['size']}"
        return [Way(title, view["begin"], view["end"], "the messages", _steps(view["hashes"]), flat=True)]
    hops = [_inclusion(hop, _hop(number, hop)) for number, hop in enumerate(view.get("via", []), start=1)]
    return [*hops, _inclusion(view, f"{view['type']}: entry {view['index']} of {view['size']}")]


def _hop(number: int, hop: dict[str, Any]) -> str:
    return f"hop {number}: message {hop['message_id'][:16]} names the next head as its merge {hop['merge']}"


def _inclusion(view: dict[str, Any], title: str) -> Way:
    return Way(title, view["index"], view["index"] + 1, "the message", _steps(view["hashes"]))


def _steps(hashes: list[dict[str, Any]]) -> list[Step]:
    return [Step(one["begin"], one["end"], one["side"], one["hash"]) for one in hashes]


def _entries(begin: int, end: int) -> str:
    return f"entry {begin}" if end - begin == 1 else f"entries {begin} to {end - 1}"


def _joined(way: Way) -> list[tuple[Step, int, int]]:
    """Each hash with the entries that are covered once it has been joined, from the bottom up."""
    begin, end, out = way.begin, way.end, []
    for step in way.steps:
        begin, end = min(begin, step.begin), max(end, step.end)
        out.append((step, begin, end))
    return out


def _side_by_side(way: Way) -> list[tuple[str, str, str]]:
    """The parts of a range from left to right: what they are, which entries, and the hash or the messages."""
    parts = [(step.begin, "given", _entries(step.begin, step.end), step.hash[:20]) for step in way.steps]
    parts.append((way.begin, "start", _entries(way.begin, way.end), way.start))
    return [part[1:] for part in sorted(parts)]


def show_paths(ways: list[Way]) -> None:
    """The text tree: the root first, below it what it is computed from, and at the bottom what the checker brings."""
    for way in ways:
        line(way.title, style="bold")
        rows = _joined(way)
        if way.flat:
            begin, end = (rows[-1][1], rows[-1][2]) if rows else (way.begin, way.end)
            line(f"{_entries(begin, end)}: computed = the root")
            for kind, entries, what in _side_by_side(way):
                line(f"  {entries}: {'given ' if kind == 'given' else ''}{what}")
            continue
        pad = 2 if len(rows) <= 16 else 1
        depth = 0
        for step, begin, end in reversed(rows):
            line(f"{' ' * depth}{_entries(begin, end)}: computed{' = the root' if depth == 0 else ''}")
            depth += pad
            line(f"{' ' * depth}{_entries(step.begin, step.end)}: given {step.hash[:16]} ({step.side})")
        line(f"{' ' * depth}{_entries(way.begin, way.end)}: {way.start}")


# -- the picture ---------------------------------------------------------------------------------------------------

_WIDE, _HIGH, _STEP_X, _STEP_Y, _MARGIN = 190, 34, 104, 58, 20
_STYLE = (
    "text{font:12px ui-monospace,monospace;fill:#1b1f24}.t{font:bold 14px sans-serif}"
    "rect{stroke:#57606a;rx:5}.own{fill:#ddf4ff}.given{fill:#fff8c5}.start{fill:#dafbe1}path{stroke:#57606a;fill:none}"
)


def drawing(ways: list[Way]) -> str:
    """The same as one SVG: blue is computed, yellow is given by the proof, green is what the checker brings."""
    parts: list[str] = []
    top = float(_MARGIN)
    right = 0.0
    for way in ways:
        drawn, width, height = _draw(way, top)
        parts += drawn
        top += height
        right = max(right, width)
    size = f'width="{right:.0f}" height="{top:.0f}" viewBox="0 0 {right:.0f} {top:.0f}"'
    paper = '<rect width="100%" height="100%" style="fill:#fff;stroke:none"/>'
    first = [f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', f"<style>{_STYLE}</style>", paper]
    return "\n".join([*first, *parts, "</svg>", ""])


def _draw(way: Way, top: float) -> tuple[list[str], float, float]:
    rows = _joined(way)
    if way.flat:
        return _draw_flat(way, rows, top)
    # The way leans to the left where its sibling is on the right, and the other way round: nothing crosses.
    at = [0]
    for step, _, _ in reversed(rows):
        at.append(at[-1] + (1 if step.side == "left" else -1))
    low = min(at) - 1
    out = [f'<text class="t" x="{_MARGIN}" y="{top + 12:.0f}">{escape(way.title)}</text>']
    top += 30

    def centre(column: int) -> float:
        return _MARGIN + _WIDE / 2 + (column - low) * _STEP_X

    y = top
    for number, (step, begin, end) in enumerate(reversed(rows)):
        x, down = centre(at[number]), y + _STEP_Y
        sibling = at[number] - 1 if step.side == "left" else at[number] + 1
        ends = (centre(at[number + 1]), centre(sibling))
        out += [f'<path d="M{x:.0f} {y + _HIGH:.0f}L{end_x:.0f} {down:.0f}"/>' for end_x in ends]
        out += _box(x, y, "own", _entries(begin, end), "the root" if number == 0 else "computed")
        out += _box(centre(sibling), down, "given", _entries(step.begin, step.end), step.hash[:20])
        y = down
    out += _box(centre(at[-1]), y, "start", _entries(way.begin, way.end), way.start)
    width = centre(max(at) + 1) + _WIDE / 2 + _MARGIN
    return out, width, y + _HIGH + 2 * _MARGIN - top + 30


def _draw_flat(way: Way, rows: list[tuple[Step, int, int]], top: float) -> tuple[list[str], float, float]:
    parts = _side_by_side(way)
    begin, end = (rows[-1][1], rows[-1][2]) if rows else (way.begin, way.end)
    out = [f'<text class="t" x="{_MARGIN}" y="{top + 12:.0f}">{escape(way.title)}</text>']
    y, middle = top + 30, _MARGIN + _WIDE * len(parts) / 2
    for number, (kind, entries, what) in enumerate(parts):
        x, down = _MARGIN + _WIDE * (number + 0.5), y + _STEP_Y
        out.append(f'<path d="M{middle:.0f} {y + _HIGH:.0f}L{x:.0f} {down:.0f}"/>')
        out += _box(x, down, kind, entries, what)
    out += _box(middle, y, "own", _entries(begin, end), "the root")
    return out, 2 * _MARGIN + _WIDE * len(parts), _STEP_Y + _HIGH + 2 * _MARGIN + 30


def _box(x: float, y: float, kind: str, first: str, second: str) -> list[str]:
    left = x - _WIDE / 2 + 4
    return [
        f'<rect class="{kind}" x="{left:.0f}" y="{y:.0f}" width="{_WIDE - 8}" height="{_HIGH}"/>',
        f'<text x="{x:.0f}" y="{y + 14:.0f}" text-anchor="middle">{escape(first)}</text>',
        f'<text x="{x:.0f}" y="{y + 28:.0f}" text-anchor="middle">{escape(second)}</text>',
    ]
