"""A conversation for people: lanes, and from them text, Mermaid and DOT (``ama2sec.realm.svg`` draws the picture).

Time runs downwards, one row an entry, one lane a branch. What an entry is, is said by a word and a sign, what joins two of them by the
form of the line; colour says nothing that these do not. Everything that came from elsewhere is escaped.
"""

from __future__ import annotations

import heapq
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ama2sec._native import Id
from ama2sec.realm.dag import Node

__all__ = ["Edge", "Lane", "Layout", "Marks", "Row", "lay_out", "to_dot", "to_mermaid", "to_text"]

SIGNS: Final = {"open": "O", "message": "*", "merge": "M", "fork": "Y", "close": "X", "rollback": "R", "rejected": "!"}
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(slots=True)
class Lane:
    """A branch: its column, and the rows between which the column is its own."""

    branch: Id
    number: int
    """In the order in which the branches were opened."""
    column: int
    start: int
    """The row of the entry that it goes on from."""
    first: int
    last: int
    """Its newest leaf."""
    held: int
    """The newest that no rollback has undone; below ``first`` where none is left."""
    end: int
    """The last row to which something leads from it."""


@dataclass(frozen=True, slots=True)
class Edge:
    """From an older row to a newer one: ``fork`` out of a parent branch, or ``merge`` of a head."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Row:
    """One entry: its column (None: rejected, beside the lanes) and its words."""

    node: Node
    column: int | None
    sign: str
    words: str
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Marks:
    """What rollbacks and workflows say of entries (``ama2sec.realm.marking``)."""

    undone: frozenset[Id] = frozenset()
    based: Mapping[Id, Id] = field(default_factory=dict)
    """Of a rollback the entry on which it stands: what its author had seen is undone."""
    steps: Mapping[Id, str] = field(default_factory=dict)
    """The step that an entry takes or approves, in words."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything goes."""

    rows: list[Row]
    lanes: list[Lane]
    edges: list[Edge]
    columns: int
    names: Mapping[Id, str] = field(default_factory=dict)


def lay_out(nodes: Sequence[Node], names: Mapping[Id, str] | None = None, marks: Marks | None = None) -> Layout:
    """Rows, lanes and lines of a timeline. ``names``: what to call the agents; a sub-agent is called after who spawned it.

    ``marks``: what was undone, where rollbacks stand, which steps were taken; without them a rollback is an entry like any other.
    """
    marks = Marks() if marks is None else marks
    nodes = [replace(node, parent=marks.based.get(node.id, node.parent)) for node in nodes]
    called = _names(nodes, {} if names is None else names)
    at = {node.id: row for row, node in enumerate(nodes) if node.home is not None}
    lanes, edges = _lanes(nodes, at, marks)
    columns = {lane.branch: lane.column for lane in lanes.values()}
    rows = [
        Row(
            node,
            None if node.home is None else columns[node.home[0]],
            _sign(node),
            _words(node, called, marks),
            undone=node.id in marks.undone and node.home is not None,
        )
        for node in nodes
    ]
    return Layout(rows, list(lanes.values()), edges, 1 + max(columns.values(), default=0), called)


def _lanes(nodes: Sequence[Node], at: Mapping[Id, int], marks: Marks) -> tuple[dict[Id, Lane], list[Edge]]:
    lanes: dict[Id, Lane] = {}
    edges: list[Edge] = []
    for row, node in enumerate(nodes):
        if node.home is None:
            continue
        branch = node.home[0]
        parent = at.get(node.parent, row) if node.parent is not None else row
        if branch not in lanes:
            lanes[branch] = Lane(branch, len(lanes), 0, min(parent, row), row, row, row - 1, row)
            if parent < row:
                edges.append(Edge("fork", parent, row))
        lanes[branch].last = lanes[branch].end = row
        if node.id not in marks.undone:
            lanes[branch].held = row
        for merged in node.merges:
            if merged.last is not None and merged.last in at:
                edges.append(Edge("merge", at[merged.last], row))
                owner = nodes[at[merged.last]].home
                if owner is not None:
                    lanes[owner[0]].end = max(lanes[owner[0]].end, row)
    _give_columns(list(lanes.values()), len(nodes))
    return lanes, edges


def _give_columns(lanes: list[Lane], rows: int) -> None:
    """The leftmost column that is free from the start of a lane to its end; the first branch keeps its own for good."""
    free: list[int] = []
    busy: list[tuple[int, int]] = []
    count = 0
    for lane in sorted(lanes, key=lambda lane: (lane.start, lane.number)):
        while busy and busy[0][0] < lane.start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            lane.column = heapq.heappop(free)
        else:
            lane.column, count = count, count + 1
        heapq.heappush(busy, (rows if lane.number == 0 else lane.end, lane.column))


def _sign(node: Node) -> str:
    if node.code is not None:
        return "rejected"
    return "merge" if node.merges else node.kind if node.kind in SIGNS else "message"


def _names(nodes: Sequence[Node], names: Mapping[Id, str]) -> dict[Id, str]:
    called = dict(names)
    for node in nodes:
        if node.kind == "fork" and node.home is not None:
            called.setdefault(node.id, f"{called.get(node.author, short(node.author))}'s {short(node.id)}")
    return called


def _words(node: Node, names: Mapping[Id, str], marks: Marks) -> str:
    """Who, what, and where it does not simply follow on: the words that stand beside the sign."""
    parts = [f"{names.get(node.author, short(node.author))}: {node.kind}"]
    if node.code is not None:
        parts.append(f"REJECTED {node.code}")
    elif node.id in marks.undone:
        parts.append("UNDONE")
    if node.id in marks.steps:
        parts.append(marks.steps[node.id])
    if node.kind == "fork" and node.home is not None:
        parts.append(f"opens {short(node.id)} at {node.size} of {short(node.branch)}")
    elif node.home is not None and node.size < node.home[1]:
        parts.append(f"had seen {node.size} of {node.home[1]}")
    parts += [f"merges {short(merged.branch)} at {merged.size}" for merged in node.merges]
    return ", ".join(parts)


def short(id: Id) -> str:  # noqa: A002
    """The eight digits that people compare."""
    return str(id)[:8]


def plain(text: str) -> str:
    """On one line, without a character that a reader or a terminal would obey."""
    return "".join(f"\\u{{{ord(c):x}}}" if unicodedata.category(c) in _HIDDEN else c for c in text)


# -- text ----------------------------------------------------------------------------------------------------------


def to_text(layout: Layout) -> str:
    """One line an entry: the lanes, the sign, the position, the id and the words."""
    lines = [f"{'  '.join(f'{sign} {word}' for word, sign in SIGNS.items())}   | a branch that goes on", ""]
    for number, row in enumerate(layout.rows):
        cells = [" "] * layout.columns
        branch = "" if row.node.home is None else short(row.node.home[0])
        for lane in layout.lanes:
            if lane.start < number <= lane.end:
                cells[lane.column] = "|" if lane.first <= number <= lane.last else ":"
        if row.column is not None:
            cells[row.column] = SIGNS[row.sign]
        mark = "!" if row.column is None else " "
        lines.append(
            f"{mark}{' '.join(cells)}  {row.node.position:>6}  {short(row.node.id)}  {branch:<8}  {plain(row.words)}".rstrip()
        )
    return "\n".join(lines) + "\n"


# -- Mermaid -------------------------------------------------------------------------------------------------------

_MERMAID: Final = {
    "open": ("[", "]"),
    "message": ("(", ")"),
    "merge": ("{{", "}}"),
    "fork": ("[/", "/]"),
    "close": ("[[", "]]"),
    "rollback": ("[\\", "\\]"),
    "rejected": (">", "]"),
}


def to_mermaid(layout: Layout) -> str:
    """A flowchart, one box a branch: what code hosts and many editors draw by themselves."""
    lines = ["flowchart TB"]
    for number, lane in enumerate(layout.lanes):
        lines.append(f'  subgraph b{number}["branch {short(lane.branch)}"]')
        lines += [f"    {_mermaid(row, at)}" for at, row in _rows_of(layout, lane)]
        lines.append("  end")
    lines += [f"  {_mermaid(row, at)}" for at, row in enumerate(layout.rows) if row.column is None]
    for start, end, kind in _joins(layout):
        lines.append(f"  n{start} {'-. merged .->' if kind == 'merge' else '-->'} n{end}")
    return "\n".join(lines) + "\n"


def _mermaid(row: Row, at: int) -> str:
    opening, closing = _MERMAID[row.sign]
    return f'n{at}{opening}"{_entities(f"{row.node.position} {row.words}")}"{closing}'


def _entities(text: str) -> str:
    """Letters, digits and a few harmless signs as they are, everything else by number: no quote, tag or directive survives."""
    return "".join(c if c.isalnum() or c in " ,.:-_'" else f"#{ord(c)};" for c in plain(text))


# -- DOT -----------------------------------------------------------------------------------------------------------

_DOT: Final = {
    "open": "box",
    "message": "ellipse",
    "merge": "diamond",
    "fork": "triangle",
    "close": "Msquare",
    "rollback": "invtriangle",
    "rejected": "octagon",
}


def to_dot(layout: Layout) -> str:
    """A digraph for Graphviz, one cluster a branch."""
    lines = ["digraph conversation {", '  node [fontname="sans-serif", fontsize=10];']
    for number, lane in enumerate(layout.lanes):
        lines.append(f'  subgraph cluster_{number} {{ label="branch {short(lane.branch)}";')
        lines += [f"    {_dot(row, at)}" for at, row in _rows_of(layout, lane)]
        lines.append("  }")
    lines += [f"  {_dot(row, at)}" for at, row in enumerate(layout.rows) if row.column is None]
    for start, end, kind in _joins(layout):
        style = ' [style=dashed, label="merged"]' if kind == "merge" else ""
        lines.append(f"  n{start} -> n{end}{style};")
    return "\n".join([*lines, "}", ""])


def _dot(row: Row, at: int) -> str:
    text = plain(f"{row.node.position} {row.words}").replace("\\", "\\\\").replace('"', '\\"')
    return f'n{at} [shape={_DOT[row.sign]}, label="{text}"];'


def _rows_of(layout: Layout, lane: Lane) -> list[tuple[int, Row]]:
    rows = enumerate(layout.rows[lane.first : lane.last + 1], lane.first)
    return [(at, row) for at, row in rows if row.node.home is not None and row.node.home[0] == lane.branch]


def _joins(layout: Layout) -> list[tuple[int, int, str]]:
    """Every parent and every merge, by rows."""
    at = {row.node.id: number for number, row in enumerate(layout.rows) if row.column is not None}
    found: list[tuple[int, int, str]] = []
    for number, row in enumerate(layout.rows):
        if row.column is None:
            continue
        if row.node.parent in at:
            found.append((at[row.node.parent], number, "parent"))
        found += [(at[merged.last], number, "merge") for merged in row.node.merges if merged.last in at]
    return found
