"""``realm log``: the entries of a realm, judged, as they are and as they come."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from ama2sec import Id
from ama2sec._native import RealmEntry, RealmFile
from ama2sec.cli.inputs import JSON, argument
from ama2sec.cli.show import emit, flush, line
from ama2sec.cli.steps import Names, Steps, said
from ama2sec.errors import Ama2Error, error

__all__ = ["follow"]

_READ: Final = 256
_WAIT: Final = 0.1


def follow(
    path: Annotated[
        Path, typer.Argument(metavar="REALM", readable=False, help="The realm's file.", show_default=False)
    ],
    start: Annotated[int, typer.Option("--from", metavar="POSITION", help="Begin there.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as the log grows, until interrupted.")] = False,
    conversation: Annotated[str | None, typer.Option(metavar="ID", help="Of this conversation only.")] = None,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="By this agent only.")] = None,
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Of this kind only: open, message, fork, enrol, ...")
    ] = None,
    rejected: Annotated[bool, typer.Option("--rejected", help="Only what was rejected.")] = False,
    realm: Annotated[str | None, typer.Option(metavar="ID", help="The realm that it must be.")] = None,
    as_json: JSON = False,
) -> None:
    """Every entry is judged by the rules before it is printed; the first that is not sound ends the list, with its code.

    It needs no key, and programs that have the realm open go on. A message of a workflow is shown with the step that it takes or approves and its
    instance, or as a note; what a rollback has taken back is UNDONE.
    """
    if start < 0:
        raise error("ArgumentRange", "--from: a position", str(start))
    wanted = None
    if conversation is not None:
        with argument("--conversation"):
            wanted = Id.from_hex(conversation)
    expected = None
    if realm is not None:
        with argument("--realm"):
            expected = Id.from_hex(realm)
    source = RealmFile.open(path, realm=expected)
    names, steps = Names(source), Steps(source)
    for entry in _entries(source, start, follow, steps):
        if wanted is not None and entry.conversation != wanted:
            continue
        name = names.of(entry.sender)
        if (agent not in {None, name}) or (kind not in {None, entry.kind}) or (rejected and entry.code is None):
            continue
        _print(entry, name, names, steps, as_json)
        if follow:
            flush()


def _entries(source: RealmFile, start: int, goes_on: bool, steps: Steps) -> Iterator[RealmEntry]:
    position = start
    while True:
        fault = None
        try:
            source.refresh()
        except Ama2Error as found:
            # What is sound before a fault is shown as well.
            fault = found
        steps.forget()
        while batch := source.entries(position, _READ):
            yield from batch
            position = batch[-1].position + 1
        if fault is not None:
            raise fault
        if not goes_on:
            return
        time.sleep(_WAIT)


def _print(entry: RealmEntry, name: str, names: Names, steps: Steps, as_json: bool) -> None:
    to = names.to(entry)
    if as_json:
        home = None if entry.home is None else [str(entry.home[0]), entry.home[1]]
        emit(
            {
                "position": entry.position,
                "time": entry.time,
                "kind": entry.kind,
                "code": entry.code,
                "sender": name,
                "sender_id": str(entry.sender),
                "to": to,
                "id": str(entry.id),
                "conversation": str(entry.conversation),
                "home": home,
                "body_state": entry.body_state,
                "media_type": entry.media_type,
                "step": steps.view(entry),
                "note": steps.is_note(entry),
                "undone": steps.is_undone(entry),
            }
        )
        return
    when = datetime.datetime.fromtimestamp(entry.time / 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
    verdict = f"  REJECTED {entry.code}" if entry.code is not None else "  UNDONE" if steps.is_undone(entry) else ""
    step = f"  {words}" if (words := steps.words(entry)) else ""
    target = f" -> {', '.join(to)}" if to else ""
    line(
        f"{entry.position:>8}  {when}  {entry.conversation.short}  {entry.kind:<8} {name}{target}{verdict}{step}{said(entry)}"
    )
