"""workflow.1: documents of workflow definitions, each form and each rule of soundness."""

from __future__ import annotations

import re
from collections.abc import Callable

from .cbor import Pairs, Value, encode, head
from .envelope import keyed
from .vector import Book, Json, times

REFUSED = "DefinitionInvalid"
NAME, BY, NEEDS, CHOICE, WHEN, APPROVALS, DEADLINE, VISITS, TERMINAL, PIVOT, OUTPUTS, PAYLOAD, UNDO = range(13)
GROUPS: list[Value] = [f"g{number:02}" for number in range(17)]
TEXT = "x" * 256
WIDEST = 61_440

Row = list[Value]
Rows = list[Row]
Ask = Callable[..., None]


def row(name: str, *needs: int, **parts: Value) -> Row:
    """A step that group `work` takes; parts by the names above, in small letters."""
    made: Row = [name, ["work"], [0, list(needs)], None, [], None, None, 1, False, False, {}, None, None]
    for part, value in parts.items():
        made[globals()[part.upper()]] = value
    return made


def whole(rows: Rows, name: Value = "flow", start: Value = 0, rollback: Value = None) -> list[Value]:
    return [1, name, start, [[], 0] if rollback is None else rollback, list(rows)]


def pair() -> Rows:
    """A start that signs a number and a text, and an end."""
    return [row("a", outputs={"n": 1, "t": 2}), row("b", 0, terminal=True)]


def build() -> Book:
    """All vectors of definitions."""
    book = Book("definition", "documents of workflow definitions (workflow.1)")

    def ask(id: str, clause: str, value: Value, code: str = "ok") -> None:
        data = value if isinstance(value, bytes) else encode(value)
        answer: dict[str, Json] = {}
        if code == "ok":
            name = value[1] if isinstance(value, list) else "flow"
            answer = {"name": name, "definition_id": keyed("definition", data).hex()}
        book.add(id, f"workflow.1.{clause}", {"op": "workflow_compile", "document": _written(data)}, code, **answer)

    _documents(ask)
    _steps(ask)
    _sound(ask)
    _bytes(ask)
    long = {"op": "workflow_compile", "document": times((b"x", 100 * WIDEST))}
    book.add("bytes.a-hundred-times-too-long", "workflow.1.1", long, REFUSED)
    return book


def _written(data: bytes) -> Json:
    """As hex; long runs of one letter as runs."""
    pieces = [piece for piece in re.split(rb"(x{1000,})", data) if piece]
    if len(pieces) == 1:
        return data.hex()
    return times(*((b"x", len(piece)) if piece == b"x" * len(piece) else (piece, 1) for piece in pieces))


def _documents(ask: Ask) -> None:
    ask("whole.two-steps", "1", whole(pair()))
    ask("whole.every-part", "1", whole(_every(), "orders-2", 0, [["ops", "risk"], 255]))
    for name, place, value in (
        ("version-2", 0, 2), ("version-true", 0, True), ("name-in-capitals", 1, "Flow"), ("name-of-65", 1, "f" * 65),
        ("name-in-bytes", 1, b"flow"), ("start-null", 2, None), ("start-of-no-step", 2, 2), ("start-below-0", 2, -1),
        ("rollback-null", 3, None), ("rollback-of-one", 3, [[]]), ("rollback-cap-256", 3, [[], 256]),
        ("rollback-17-groups", 3, [GROUPS, 1]), ("rollback-not-ascending", 3, [["b", "a"], 1]),
        ("rollback-doubled", 3, [["a", "a"], 1]), ("no-steps", 4, []), ("steps-a-map", 4, {}), ("step-empty", 4, [[]]),
    ):  # fmt: skip
        made = whole(pair())
        made[place] = value
        ask(f"whole.{name}", "1", made, REFUSED)
    ask("whole.sixteen-groups", "1", whole(pair(), rollback=[GROUPS[:16], 0]))
    ask("whole.one-too-many", "1", [*whole(pair()), None], REFUSED)
    ask("whole.one-too-few", "1", whole(pair())[:4], REFUSED)
    many = [row(f"s{number:02}", terminal=True) for number in range(65)]
    ask("whole.64-steps", "1", whole(many[:64]))
    ask("whole.65-steps", "1", whole(many), REFUSED)
    ask("whole.32-needs", "1", whole([*many[:32], row("end", *range(32))]))
    ask("whole.33-needs", "1", whole([*many[:33], row("end", *range(33))]), REFUSED)


def _every() -> Rows:
    return [
        row("order", by=["a", "b", "aa"], outputs={"n": 1, "t": 2, "rush": 0}, pivot=True, undo=3),
        row("quote", 0, outputs={"ok": 0}, visits=255, payload='{"type":"object"}'),
        row("go", 0, 1, choice=1, when=[[0, "n", 1, 900], [1, "ok", 0, True], [0, "t", 0, "x"]],
            approvals=[1, 16, ["risk"]], deadline=(1 << 48) - 1, terminal=True),
        row("stop", needs=[1, [0, 1]], terminal=True),
    ]  # fmt: skip


FORMS: list[tuple[str, int, int, Value, bool]] = [
    ("name-empty", 0, NAME, "", False), ("name-null", 0, NAME, None, False),
    ("by-nobody", 0, BY, [], False), ("by-17", 0, BY, GROUPS, False), ("by-16", 0, BY, GROUPS[:16], True),
    ("by-longer-first", 0, BY, ["aa", "b"], False), ("by-shorter-first", 0, BY, ["b", "aa"], True), ("by-bytes", 0, BY, [b"a"], False),
    ("needs-mode-2", 1, NEEDS, [2, [0]], False), ("needs-mode-true", 1, NEEDS, [True, [0]], False),
    ("needs-none-with-any", 1, NEEDS, [1, []], False), ("needs-any", 1, NEEDS, [1, [0]], True), ("needs-twice", 1, NEEDS, [0, [0, 0]], False),
    ("needs-by-name", 1, NEEDS, [0, ["a"]], False), ("needs-without-mode", 1, NEEDS, [[0]], False), ("choice-false", 1, CHOICE, False, False),
    ("choice-of-a-need", 1, CHOICE, 0, True), ("when-null", 1, WHEN, None, False), ("when-of-three", 1, WHEN, [[0, "n", 0]], False),
    ("when-16", 1, WHEN, [[0, "n", 0, 1]] * 16, True), ("when-17", 1, WHEN, [[0, "n", 0, 1]] * 17, False),
    ("when-relation-3", 1, WHEN, [[0, "n", 3, 1]], False), ("when-null-value", 1, WHEN, [[0, "n", 0, None]], False),
    ("when-bytes", 1, WHEN, [[0, "t", 0, b"x"]], False), ("when-256-bytes", 1, WHEN, [[0, "t", 0, TEXT]], True),
    ("when-257-bytes", 1, WHEN, [[0, "t", 0, TEXT + "x"]], False), ("when-least", 1, WHEN, [[0, "n", 2, -(1 << 63)]], True),
    ("approvals-one", 1, APPROVALS, [0, 1, ["g"]], True), ("approvals-none", 1, APPROVALS, [0, 0, ["g"]], False),
    ("approvals-17", 1, APPROVALS, [0, 17, ["g"]], False), ("approvals-by-nobody", 1, APPROVALS, [0, 1, []], False),
    ("approvals-empty", 1, APPROVALS, [], False), ("deadline-1", 0, DEADLINE, 1, True), ("deadline-0", 0, DEADLINE, 0, False),
    ("deadline-2-to-48", 0, DEADLINE, 1 << 48, False), ("visits-0", 0, VISITS, 0, False), ("visits-256", 0, VISITS, 256, False),
    ("visits-255", 0, VISITS, 255, True), ("terminal-0", 0, TERMINAL, 0, False), ("pivot-null", 0, PIVOT, None, False),
    ("pivot-true", 0, PIVOT, True, True), ("outputs-null", 0, OUTPUTS, None, False), ("outputs-type-3", 1, OUTPUTS, {"a": 3}, False),
    ("outputs-of-a-number", 1, OUTPUTS, {1: 0}, False), ("outputs-in-capitals", 1, OUTPUTS, {"A": 0}, False),
    ("outputs-16", 1, OUTPUTS, {f"o{number:02}": 0 for number in range(16)}, True),
    ("outputs-17", 1, OUTPUTS, {f"o{number:02}": 0 for number in range(17)}, False), ("payload-empty", 0, PAYLOAD, "", False),
    ("payload-of-any-text", 0, PAYLOAD, "no schema", True), ("payload-16384", 0, PAYLOAD, "x" * 16_384, True),
    ("payload-16385", 0, PAYLOAD, "x" * 16_385, False), ("payload-bytes", 0, PAYLOAD, b"{}", False), ("undo-other", 0, UNDO, 1, True),
    ("undo-false", 0, UNDO, False, False),
]  # fmt: skip


def _steps(ask: Ask) -> None:
    for name, at, part, value, right in FORMS:
        rows = pair()
        rows[at][part] = value
        ask(f"step.{name}", "1", whole(rows), "ok" if right else REFUSED)
    for name, change in (("12-parts", slice(0, 12)), ("no-parts", slice(0, 0))):
        rows = pair()
        rows[0] = rows[0][change]
        ask(f"step.{name}", "1", whole(rows), REFUSED)
    rows = pair()
    rows[0] = [*rows[0], None]
    ask("step.14-parts", "1", whole(rows), REFUSED)


END: dict[str, Value] = {"terminal": True}


def _sound(ask: Ask) -> None:
    start, number = row("a"), row("a", outputs={"f": 0, "n": 1, "t": 2})
    for name, rows, right in (
        ("a-one-name-twice", [row("a", **END), row("a")], False),
        ("b-a-need-that-is-not-there", [start, row("b", 2, **END)], False),
        ("b-a-choice-that-is-not-there", [start, row("b", 0, choice=2, **END)], False),
        ("b-a-read-that-is-not-there", [number, row("b", 0, when=[[2, "n", 0, 1]], **END)], False),
        ("b-an-undo-that-is-not-there", [start, row("b", 0, undo=2, **END)], False),
        ("b-its-own-need", [start, row("b", needs=[1, [0, 1]], **END)], False),
        ("b-its-own-undo", [start, row("b", 0, undo=1, **END)], False),
        ("b-its-own-approval", [start, row("b", 0, approvals=[1, 1, ["g"]], **END)], False),
        ("c-a-start-with-needs", [row("a", needs=[1, [1]]), row("b", **END)], False),
        ("c-a-start-with-a-condition", [row("a", when=[[1, "n", 0, 1]]), row("b", outputs={"n": 1}, **END)], False),
        ("c-a-start-with-approvals", [row("a", approvals=[1, 1, ["g"]]), row("b", **END)], False),
        ("c-a-start-with-all-else", [row("a", deadline=1, visits=2, pivot=True, undo=1), row("b", **END)], True),
        ("d-two-that-need-each-other", [row("a", **END), row("b", 2), row("c", 1)], False),
        ("d-three-in-a-circle", [row("a", **END), row("b", 3), row("c", 1), row("d", 0, 2)], False),
        ("d-a-loop-by-way-of-any", [row("a", **END), row("b", needs=[1, [0, 2]]), row("c", 1)], True),
        ("e-a-choice-of-any", [start, row("b", needs=[1, [0]], choice=0, **END)], False),
        ("e-a-choice-further-down", [start, row("b", 0), row("c", 1, choice=0, **END)], False),
        ("e-approvals-of-any", [start, row("b", needs=[1, [0]], approvals=[0, 1, ["g"]], **END)], False),
        ("e-approvals-further-down", [start, row("b", 0), row("c", 1, approvals=[0, 1, ["g"]], **END)], False),
        ("f-reads-a-ground-further-down", [number, row("b", 0), row("c", 1, when=[[0, "n", 2, 1]], **END)], True),
        ("f-reads-what-it-does-not-need", [number, row("b", when=[[0, "n", 0, 1]], **END)], False),
        ("f-reads-one-of-any", [number, row("b", needs=[1, [0]], when=[[0, "n", 0, 1]], **END)], False),
        ("f-reads-what-is-not-declared", [number, row("b", 0, when=[[0, "m", 0, 1]], **END)], False),
        ("f-true-for-a-number", [number, row("b", 0, when=[[0, "n", 0, True]], **END)], False),
        ("f-1-for-a-truth", [number, row("b", 0, when=[[0, "f", 0, 1]], **END)], False),
        ("f-at-most-a-text", [number, row("b", 0, when=[[0, "t", 1, "x"]], **END)], False),
        ("f-at-least-a-truth", [number, row("b", 0, when=[[0, "f", 2, True]], **END)], False),
        ("f-equal-of-each-type", [number, row("b", 0, when=[[0, "t", 0, ""], [0, "f", 0, False], [0, "n", 0, 0]], **END)], True),
        ("g-without-an-end", [start, row("b", 0)], False),
    ):  # fmt: skip
        ask(f"sound.{name}", f"3.{name[0]}", whole(rows), "ok" if right else REFUSED)


def _bytes(ask: Ask) -> None:
    data = encode(whole(pair()))
    for name, made in (
        ("nothing", b""), ("one-short", data[:-1]), ("one-more", data + b"\x00"), ("a-map", encode({1: 2})), ("a-number", encode(1)),
        ("a-wide-head", head(4, 5, 1) + data[1:]), ("an-endless-array", b"\x9f" + data[1:] + b"\xff"),
        ("a-float", encode(whole(pair(), start=0.0))), ("a-tag", b"\xd8\x18" + data),
    ):  # fmt: skip
        ask(f"bytes.{name}", "1", made, REFUSED)
    for name, pairs in (("out-of-order", (("b", 0), ("a", 0))), ("doubled", (("a", 0), ("a", 0)))):
        rows = pair()
        rows[1][OUTPUTS] = Pairs(pairs)
        ask(f"bytes.outputs-{name}", "1", encode(whole(rows)), REFUSED)
    rows = [row(f"s{number}", payload="x" * 15_000, **END) for number in range(5)]
    rows[4][PAYLOAD] = "x" * 1000
    rows[4][PAYLOAD] = "x" * (1000 + WIDEST - len(encode(whole(rows))))
    ask("bytes.as-many-as-there-may-be", "1", whole(rows))
    rows[4][PAYLOAD] = f"{rows[4][PAYLOAD]}x"
    ask("bytes.one-more-than-there-may-be", "1", whole(rows), REFUSED)
