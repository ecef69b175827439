"""What reaches a terminal: everything that came from elsewhere is made harmless first."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import sys
import textwrap
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from ama2sec import _files
from ama2sec.errors import Ama2Error, error

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["body_lines", "console", "emit", "fault_view", "flush", "line", "plain", "row", "tell", "write"]

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_OUTPUT = "standard output"
_COLUMN = 16
_WIDTH = 80


def plain(text: str) -> str:
    """The text on one line, every control, format, bidi and unassigned character as an escape: no terminal obeys a peer."""
    return "".join(f"\\u{{{ord(c):x}}}" if unicodedata.category(c) in _HIDDEN else c for c in text)


def body_lines(body: bytes, *, limit: int = 400, lines: int = 12) -> list[str]:
    """The beginning of a body, as text where it is text, else as hex.

    Each line stands behind a bar, so that no line of a body can pass for one of ours.
    """
    whole = len(body) <= limit
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(body[:limit], final=whole)
        found = text.removesuffix("\n").split("\n") if whole else text.split("\n")
    except UnicodeDecodeError:
        found = textwrap.wrap(body[: limit // 2].hex(), 64)
        whole = len(body) <= limit // 2
    shown = [f"  | {plain(part)}" for part in found[:lines]]
    if not whole or len(found) > lines:
        shown.append(f"  ... {len(body)} bytes in all")
    return shown


def row(label: str, value: str, meaning: str = "") -> None:
    """One labelled value, and beneath it what it means; made for 80 columns."""
    for number, part in enumerate(value.split("\n")):
        head = label if number == 0 else ""
        if len(head) >= _COLUMN:
            line(head)
            head = ""
        line(f"{head:<{_COLUMN}}{plain(part)}")
    for part in textwrap.wrap(meaning, _WIDTH - _COLUMN - 2):
        line(f"{'':<{_COLUMN}}  {plain(part)}", style="dim")


@contextlib.contextmanager
def _output() -> Iterator[None]:
    """Standard output, open; a fault of it is ``WriteFailed`` or, where its reader has gone, ``PipeClosed``."""
    if sys.stdout is None:
        raise error("WriteFailed", f"to write {_OUTPUT}", "it is closed")
    try:
        yield
    except OSError as fault:
        silence()
        raise _files.unwritable(_OUTPUT, fault) from None


def line(text: str, *, style: str = "") -> None:
    """One line of the result."""
    with _output():
        if style and sys.stdout.isatty():
            console().print(plain(text), style=style)
        else:
            sys.stdout.write(plain(text) + "\n")


def emit(value: object) -> None:
    """One JSON object on one line, in ASCII."""
    with _output():
        sys.stdout.write(json.dumps(value) + "\n")


def write(data: bytes) -> None:
    """Bytes of the result."""
    with _output():
        sys.stdout.buffer.write(data)


def flush() -> None:
    """Bring everything out."""
    if sys.stdout is not None:
        with _output():
            sys.stdout.flush()


def silence() -> None:
    """Give standard output up: what is in its buffer goes nowhere, and the interpreter's own last flush says nothing."""
    stream, sys.stdout = sys.stdout, None
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)


def tell(text: str, *, style: str = "") -> None:
    """One line beside the result: errors and notes. If nobody can be told, nobody is."""
    if sys.stderr is None:
        return
    with contextlib.suppress(OSError):
        if style and sys.stderr.isatty():
            console(stderr=True).print(plain(text), style=style)
        else:
            sys.stderr.write(plain(text) + "\n")
            sys.stderr.flush()


@cache
def console(*, stderr: bool = False) -> Console:
    """A console without markup or highlighting, so that brackets in a peer's text mean nothing."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            # The library would leave the process with a status of its own.
            raise BrokenPipeError(32, "Broken pipe")

    return Plain(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)


def fault_view(fault: Ama2Error) -> dict[str, object]:
    """An error as the JSON that ``--json`` prints."""
    view: dict[str, object] = {
        "ok": False,
        "code": fault.code,
        "number": fault.number,
        "blame": fault.blame,
        "clause": fault.clause,
        "expected": fault.expected,
        "got": fault.got,
    }
    if fault.offset is not None:
        view["offset"] = fault.offset
    if fault.report is not None:
        view["report"] = fault.report
    return view
