"""``errors``: the catalogue."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ama2sec.cli.inputs import JSON
from ama2sec.cli.show import emit, line
from ama2sec.errors import CATALOGUE, FAMILIES, CodeEntry, error

__all__ = ["errors"]


def errors(
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="One code; all of them by default.", show_default=False)
    ] = None,
    as_json: JSON = False,
) -> None:
    """Every error code: number, whose fault it is, exit status, the clause of the spec that it enforces, and what it means."""
    if code is not None and code not in CATALOGUE:
        raise error("ArgumentRange", "a code of the catalogue (see `ama2sec errors`)", repr(code[:64]))
    for entry in CATALOGUE.values() if code is None else [CATALOGUE[code]]:
        status = FAMILIES[entry.family].exit_code
        if as_json:
            emit({**asdict(entry), "exit_status": status})
        else:
            _print(entry, status)


def _print(entry: CodeEntry, status: int) -> None:
    whose = {"peer": "sender's fault", "caller": "caller's fault", "us": "our fault"}[entry.blame]
    reserved = "" if entry.built else ", reserved"
    line(f"{entry.number:>4}  {entry.name:<20}  {whose}, exit {status}, {entry.clause}{reserved}")
    line(f"      {entry.meaning}")
