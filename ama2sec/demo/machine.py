"""Conversations that are on the machine already: who said what, in the order in which it was said."""

from __future__ import annotations

import ast
import gzip
import re
import sysconfig
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path
from typing import Final

from ama2sec.demo.said import Said, date_ms

__all__ = ["ENOUGH", "changelogs", "find", "standard_library"]

ENOUGH: Final = 10_000
"""Changelog entries that make a conversation worth signing; with fewer the standard library speaks."""

_MAX_FILE: Final = 8 << 20
_ENTRY: Final = re.compile(r"^\w[\w+.-]* \([^)]*\)")
_SIGNED_OFF: Final = re.compile(r"^ -- (?P<name>[^<]+?) <[^>]*>  (?P<date>.+)$")
_NOT_THE_LIBRARY: Final = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"})


def find(want: int) -> tuple[str, list[Said]]:
    """What it is, and at most ``want`` turns of it, the latest."""
    found = changelogs()
    if len(found) >= min(want, ENOUGH):
        return "Debian changelog entries, by the people who signed them off", found[-want:]
    return "functions of Python's standard library, its packages taking turns", standard_library()[:want]


def changelogs(folder: Path = Path("/usr/share/doc")) -> list[Said]:
    """Every entry of every Debian changelog below ``folder``, once, by date: so people take turns."""
    turns: set[tuple[int, str, str]] = set()
    for path in sorted(folder.glob("*/changelog*.gz")):
        try:
            with gzip.open(path, "rb") as file:
                text = file.read(_MAX_FILE).decode("utf-8", "replace")
        except (OSError, EOFError):
            continue
        turns.update(_entries(text))
    return [Said.of(author, text, time_ms) for time_ms, author, text in sorted(turns)]


def _entries(text: str) -> Iterator[tuple[int, str, str]]:
    lines: list[str] = []
    for line in text.splitlines():
        if _ENTRY.match(line):
            lines = [line]
        elif found := _SIGNED_OFF.match(line):
            when = date_ms(found["date"])
            if lines and when is not None:
                yield when, found["name"].strip(), "\n".join(lines).strip()
            lines = []
        elif lines:
            lines.append(line)


def standard_library(root: Path | None = None) -> list[Said]:
    """Each function and method; its top-level module or package is the author. Each says its first, then each its second, ..."""
    root = Path(sysconfig.get_paths()["stdlib"]) if root is None else root
    spoken: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root).parts
        if _NOT_THE_LIBRARY.isdisjoint(inside):
            spoken.setdefault(inside[0].removesuffix(".py"), []).extend(_functions(path))
    rounds = zip_longest(*([(author, text) for text in texts] for author, texts in sorted(spoken.items())))
    return [Said.of(author, text, None) for author, text in filter(None, chain.from_iterable(rounds))]


def _functions(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            source = file.read(_MAX_FILE)
        tree = ast.parse(source)
        lines = source.decode().splitlines()
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in tree.body:
        for part in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
                yield "\n".join(lines[part.lineno - 1 : part.end_lineno])
