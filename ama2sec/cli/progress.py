"""A bar on standard error while long work runs: on a terminal only, and never into the result."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ama2sec.cli.show import console

__all__ = ["bar"]

_LONG = 4 << 20

Advance = Callable[[int, int], None]


def _quiet(total: int | None, to_terminal: bool) -> bool:
    if total is None or total < _LONG or sys.stderr is None or not sys.stderr.isatty():
        return True
    return os.environ.get("TERM") == "dumb" or (to_terminal and sys.stdout is not None and sys.stdout.isatty())


@contextmanager
def bar(total: int | None, verb: str, *, with_lines: bool = False) -> Iterator[Advance]:
    """A function that takes (bytes done, entries done). ``with_lines``: the work prints lines as it goes, so that a bar on the
    same terminal would get into them."""
    if _quiet(total, with_lines):
        yield lambda _done, _entries: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(verb),
        BarColumn(),
        TextColumn("{task.fields[entries]:,} entries"),
        TimeRemainingColumn(),
    )
    # Without these two the library takes what is printed meanwhile for its own console: the result would land on the terminal.
    shown = Progress(
        *columns, console=console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
    )
    with shown:
        task = shown.add_task(verb, total=total, entries=0)
        yield lambda done, entries: shown.update(task, completed=done, entries=entries)
