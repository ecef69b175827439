"""A conversation as one SVG that needs nothing from outside: no script, no font, no link (spec dag.4.4)."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from ama2sec.realm.drawing import Edge, Lane, Layout, Row, plain, short

__all__ = ["to_svg"]

_ROW, _COLUMN, _TOP, _LEFT, _GAP = 22, 18, 106, 34, 14
_LETTER: Final = 6.7
_BEFORE: Final = 26
"""Characters before the words: position, id, branch."""
_WORDS: Final = 110
"""Characters of a row's words that are drawn; the rest is in its tooltip."""
# Apart from each other in lightness too, so that they stay apart in grey; a lane is told by its place and its label.
_COLOURS: Final = ("#0b5fa5", "#b4540a", "#1a7f37", "#8250df", "#a40e53", "#57606a")
_STYLE: Final = (
    "text{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#1b1f24}"
    ".h{font:bold 14px sans-serif}.n{font:11px sans-serif;fill:#57606a}.d{fill:#57606a}.bad{fill:#a40e26;font-weight:bold}.u{text-decoration:line-through;fill:#57606a}"
    "path{fill:none;stroke-width:2}.w{stroke-dasharray:1 3}.m{stroke-dasharray:5 3}"
)
_KINDS: Final = (
    ("open", "opens the conversation"),
    ("message", "message"),
    ("merge", "message that merges"),
    ("fork", "opens a branch"),
    ("close", "closes"),
    ("rollback", "rolls back"),
    ("rejected", "rejected"),
)


def to_svg(layout: Layout, title: str) -> str:
    """The picture: the oldest entry on top, a lane a branch, words beside every sign."""
    text_x = _LEFT + layout.columns * _COLUMN + _GAP
    title = plain(title)
    longest = max((min(len(row.words), _WORDS) for row in layout.rows), default=0)
    width = max(text_x + (_BEFORE + longest) * _LETTER + 20, 780, 28 + len(title) * 8.6)
    height = _TOP + len(layout.rows) * _ROW + 20
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{width:.0f}" height="{height}" fill="#fff"/>',
        f'<text class="h" x="14" y="24">{escape(title)}</text>',
        *_legend(),
        f'<text class="n" x="{text_x:.0f}" y="{_TOP - 4}">position, id, branch, who and what</text>',
    ]
    out += [
        f'<rect x="0" y="{_y(at) - _ROW // 2}" width="{width:.0f}" height="{_ROW}" fill="#f6f8fa"/>'
        for at in range(0, len(layout.rows), 2)
    ]
    columns = {lane.branch: lane for lane in layout.lanes}
    by_row = {at: columns[row.node.home[0]] for at, row in enumerate(layout.rows) if row.node.home is not None}
    for lane in layout.lanes:
        out += _lane(lane)
    for edge in layout.edges:
        out.append(_edge(edge, by_row))
    for at, row in enumerate(layout.rows):
        out += _row(row, at, text_x, by_row.get(at))
    return "\n".join([*out, "</svg>", ""])


def _y(row: int) -> int:
    return _TOP + row * _ROW + _ROW // 2


def _x(column: int) -> int:
    return _LEFT + column * _COLUMN + _COLUMN // 2


def _colour(lane: Lane) -> str:
    # By the branch, not the column: two branches that share one, one after the other, differ.
    return _COLOURS[lane.number % len(_COLOURS)]


def _legend() -> list[str]:
    out, x = [], 20
    for kind, words in _KINDS:
        out += [*_sign(kind, x, 46, "#24292f"), f'<text class="n" x="{x + 12}" y="50">{words}</text>']
        x += 34 + round(len(words) * 6.2)
    y, x = 70, 14
    for form, words in (("", "a branch goes on"), ("m", "its head is merged"), ("w", "nothing new until then")):
        kind = f' class="{form}"' if form else ""
        out.append(f'<path{kind} d="M{x} {y}h24" stroke="#24292f"/>')
        out.append(f'<text class="n" x="{x + 30}" y="{y + 4}">{words}</text>')
        x += 56 + round(len(words) * 6.2)
    out.append(f'<path d="M{x} {y}h24" stroke="#24292f" stroke-opacity="0.3"/>')
    out.append(f'<text class="n u" x="{x + 30}" y="{y + 4}">undone by a rollback</text>')
    return out


def _lane(lane: Lane) -> list[str]:
    """The branch itself: a whole line over its own leaves."""
    x = _x(lane.column)
    out = []
    held = max(lane.first, min(lane.held, lane.last))
    if held > lane.first:
        out.append(f'<path d="M{x} {_y(lane.first)}V{_y(held)}" stroke="{_colour(lane)}"/>')
    if lane.last > held:
        out.append(f'<path d="M{x} {_y(held)}V{_y(lane.last)}" stroke="{_colour(lane)}" stroke-opacity="0.3"/>')
    return out


def _edge(edge: Edge, lanes: dict[int, Lane]) -> str:
    here, there = lanes[edge.start], lanes[edge.end]
    (x1, y1), (x2, y2) = (_x(here.column), _y(edge.start)), (_x(there.column), _y(edge.end))
    half = _ROW // 2
    if edge.kind == "fork":
        # Out of the parent at once, then down the new branch's own lane.
        bend = min(y1 + _ROW, y2)
        down = f'<path class="w" d="M{x2} {bend}V{y2}" stroke="{_colour(there)}"/>' if bend < y2 else ""
        return f'<path d="M{x1} {y1}C{x1} {y1 + half} {x2} {bend - half} {x2} {bend}" stroke="{_colour(there)}"/>{down}'
    colour = _colour(here)
    if here.last > edge.start:
        # The branch went on: beside it, from the leaf that was merged.
        if y2 - y1 <= 2 * _ROW:
            return f'<path class="m" d="M{x1} {y1}L{x2} {y2}" stroke="{colour}"/>'
        return f'<path class="m" d="M{x1} {y1}C{x1 + 9} {y1 + half} {x1 + 9} {y2 - _ROW} {x2} {y2}" stroke="{colour}"/>'
    bend = max(y2 - _ROW, y1)
    down = f"V{bend}" if bend > y1 else ""
    return f'<path class="m" d="M{x1} {y1}{down}C{x1} {bend + half} {x2} {y2 - half} {x2} {y2}" stroke="{colour}"/>'


def _row(row: Row, at: int, x: float, lane: Lane | None) -> list[str]:
    y, node = _y(at), row.node
    words = plain(row.words)
    shown = words if len(words) <= _WORDS else f"{words[: _WORDS - 1]}…"
    colour, style = ("#a40e26", ' class="bad"') if lane is None else (_colour(lane), "")
    sign_x = 18 if lane is None else _x(lane.column)
    sign = "".join(_sign(row.sign, sign_x, y, colour))
    if row.undone:
        sign, style = f'<g opacity="0.4">{sign}</g>', ' class="u"'
    tip = escape(plain(f"{node.id} at position {node.position}: {row.words}"))
    return [
        f"<g><title>{tip}</title>{sign}",
        f'<text class="d" x="{x:.0f}" y="{y + 4}">{_place(row)}</text>',
        f'<text{style} x="{x + _BEFORE * _LETTER:.0f}" y="{y + 4}">{escape(shown)}</text></g>',
    ]


def _place(row: Row) -> str:
    """Position, id, and the branch whose leaf it is."""
    branch = "" if row.node.home is None else short(row.node.home[0])
    # Spaces that do not collapse: the columns stay columns.
    return f"{row.node.position:>5} {short(row.node.id)} {branch}".replace(" ", "\u00a0")


def _sign(kind: str, x: int, y: int, colour: str) -> list[str]:
    """A form for each kind: square, dot, ring, triangle, crossed square, triangle that points up, cross."""
    line = f'stroke="{colour}" stroke-width="2"'
    match kind:
        case "open":
            return [f'<rect x="{x - 5}" y="{y - 5}" width="10" height="10" fill="{colour}" {line}/>']
        case "merge":
            return [
                f'<circle cx="{x}" cy="{y}" r="6" fill="#fff" {line}/>',
                f'<circle cx="{x}" cy="{y}" r="2" fill="{colour}"/>',
            ]
        case "fork":
            return [f'<path d="M{x - 6} {y - 5}H{x + 6}L{x} {y + 6}Z" style="fill:#fff" {line}/>']
        case "rollback":
            return [f'<path d="M{x - 6} {y + 5}H{x + 6}L{x} {y - 6}Z" style="fill:{colour}" {line}/>']
        case "close":
            return [
                f'<rect x="{x - 5}" y="{y - 5}" width="10" height="10" fill="#fff" {line}/>',
                f'<path d="M{x - 5} {y - 5}L{x + 5} {y + 5}M{x + 5} {y - 5}L{x - 5} {y + 5}" {line}/>',
            ]
        case "rejected":
            return [f'<path d="M{x - 5} {y - 5}L{x + 5} {y + 5}M{x + 5} {y - 5}L{x - 5} {y + 5}" {line}/>']
        case _:
            return [f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}" {line}/>']
