"""What reaches a terminal: everything that came from elsewhere is made harmless first."""

from __future__ import annotations

import json
import sys
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["body_preview", "console", "emit", "plain"]

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def plain(text: str) -> str:
    """The text with every control, format, bidi and unassigned character shown as an escape: no terminal obeys a peer."""
    return "".join(f"\\u{{{ord(c):x}}}" if unicodedata.category(c) in _HIDDEN and c != "\n" else c for c in text)


def body_preview(body: bytes | None, media_type: str | None, limit: int = 400) -> str:
    """The beginning of a body, as text where it is text, else as hex."""
    if body is None:
        return ""
    try:
        text = body[:limit].decode()
        printable = plain(text)
    except UnicodeDecodeError:
        printable = body[: limit // 2].hex()
    more = f" ... ({len(body)} bytes of {plain(media_type or '')})" if len(body) > limit else ""
    return printable + more


@cache
def console(*, stderr: bool = False) -> Console:
    """The one console: no markup, no highlighting, so that brackets in a peer's text mean nothing."""
    from rich.console import Console

    class Strict(Console):
        def on_broken_pipe(self) -> None:
            """A reader that has gone is an error of its own (``PipeClosed``); rich would leave with status 1."""
            raise  # noqa: PLE0704  called while the BrokenPipeError is handled

    return Strict(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)


def emit(value: object) -> None:
    """One JSON object on one line."""
    sys.stdout.write(json.dumps(value) + "\n")
