"""What the demonstration prints: 80 columns or fewer are enough, colour says nothing that words do not, and a pipe gets plain text."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.rule import Rule
from rich.text import Text

from ama2sec.cli.show import console, plain

__all__ = ["Row", "Screen"]

Row = tuple[str, str]

_WIDEST: Final = 100
_LABEL: Final = 12


class Screen:
    """The one place that writes to the terminal. Everything that came from elsewhere is made harmless first."""

    def __init__(self) -> None:
        self._console = console()
        self._width = max(40, min(self._console.width, _WIDEST))
        self._lively = self._console.is_terminal and os.environ.get("TERM") != "dumb"

    def title(self, text: str) -> None:
        """The beginning of a part."""
        self._console.print()
        self._console.print(
            Rule(Text(text, style="bold"), align="left", style="dim"), width=self._width, soft_wrap=False
        )

    def heading(self, text: str) -> None:
        """The beginning of a paragraph."""
        self._console.print()
        self.say(text, style="bold")

    def say(self, text: str, style: str = "") -> None:
        """A paragraph."""
        for line in _wrapped(text, self._width):
            self._console.print(Text(line, style=style))

    def rows(self, rows: list[Row], style: str = "") -> None:
        """Labels, and beside each its text, which wraps below itself."""
        for label, text in rows:
            for number, line in enumerate(_wrapped(text, self._width - _LABEL - 3)):
                beside = f"  {label if number == 0 else '':<{_LABEL}} "
                self._console.print(Text.assemble((beside, "dim"), (line, style)))

    def expect(self, label: str, text: str, *, right: bool) -> int:
        """What was answered, and whether it is what it must be. Returns how many answers were wrong: 0 or 1."""
        self.rows([(label, text)], style="" if right else "bold red")
        if not right:
            self.rows([("BUT", "this is not what it must be")], style="bold red")
        return 0 if right else 1

    def line(self, text: str, *, crop: bool = False) -> None:
        """One line, for a person to copy: never wrapped by us. With ``crop`` as much of it as there is room for."""
        shown = plain(text)
        if crop and cell_len(shown) > self._width:
            shown = f"{set_cell_size(shown, self._width - 3)}..."
        self._console.print(Text(shown))

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar on a terminal, nothing elsewhere; yields what is called with how far it is."""
        if not self._lively:
            yield _nothing
            return
        columns = (TextColumn(f"  {escape(what):<{_LABEL}}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """A sign of life on a terminal, nothing elsewhere."""
        if not self._lively:
            yield
            return
        with self._console.status(Text(what)):
            yield


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most ``width``; a hash is never broken, so that it can be searched for."""
    return textwrap.wrap(plain(text), width, break_long_words=False, break_on_hyphens=False)


def _nothing(_done: int) -> None:
    return
