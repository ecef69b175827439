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
from ama2sec.errors import Ama2Error, error

__all__ = ["follow"]

_READ: Final = 256
_WAIT: Final = 0.1
_SHOWN: Final = 48


class Names:
    """Who is who in a realm, as of what was judged so far."""

    def __init__(self, source: RealmFile) -> None:
        self._source = source
        self._known: dict[str, str] = {}

    def of(self, agent: Id) -> str:
        """A name; of a sub-agent the first digits of its id."""
        if str(agent) not in self._known:
            self._known |= {found["id"]: found["name"] for found in self._source.ask("registry")["agents"]}
        return self._known.setdefault(str(agent), agent.short)


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

    It needs no key, and programs that have the realm open go on.
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
    names = Names(source)
    for entry in _entries(source, start, follow):
        if wanted is not None and entry.conversation != wanted:
            continue
        name = names.of(entry.sender)
        if (agent not in {None, name}) or (kind not in {None, entry.kind}) or (rejected and entry.code is None):
            continue
        _print(entry, name, names, as_json)
        if follow:
            flush()


def _entries(source: RealmFile, start: int, goes_on: bool) -> Iterator[RealmEntry]:
    position = start
    while True:
        fault = None
        try:
            source.refresh()
        except Ama2Error as found:
            # What is sound before a fault is shown as well.
            fault = found
        while batch := source.entries(position, _READ):
            yield from batch
            position = batch[-1].position + 1
        if fault is not None:
            raise fault
        if not goes_on:
            return
        time.sleep(_WAIT)


def _print(entry: RealmEntry, name: str, names: Names, as_json: bool) -> None:
    to = [each if isinstance(each, str) else names.of(each) for each in entry.recipients]
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
            }
        )
        return
    when = datetime.datetime.fromtimestamp(entry.time / 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
    said = _said(entry)
    verdict = "" if entry.code is None else f"  REJECTED {entry.code}"
    target = f" -> {', '.join(to)}" if to else ""
    line(f"{entry.position:>8}  {when}  {entry.conversation.short}  {entry.kind:<8} {name}{target}{verdict}{said}")


def _said(entry: RealmEntry) -> str:
    if entry.body is None:
        return "" if entry.body_state == "none" else f"  [body {entry.body_state}]"
    if (entry.media_type or "").startswith(("text/", "application/json")):
        text = entry.body.decode("utf-8", "replace")
        return f"  {text[:_SHOWN]!r}{'...' if len(text) > _SHOWN else ''}"
    return f"  [{len(entry.body)} bytes, {entry.media_type}]"
