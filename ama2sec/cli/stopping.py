"""``stop`` and ``resume``: a person's last word, from any terminal on the host (spec halt)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from ama2sec import Id, halt
from ama2sec.cli.inputs import JSON, PassphraseFile, argument, load_identity, reason_given
from ama2sec.cli.show import emit, line, row
from ama2sec.errors import error

__all__ = ["resume", "stop"]

NOT_QUIET = 18
"""Exit status where a stop is in force and somebody was still on his way, or where a realm is stopped."""

File = Annotated[Path, typer.Argument(metavar="REALM", readable=False, help="The realm's file.", show_default=False)]
Key = Annotated[
    Path | None,
    typer.Option("--key", metavar="KEY", readable=False, help="An operator's key file: the stop is signed with it."),
]
Wait = Annotated[
    int,
    typer.Option("--wait", metavar="MS", min=0, max=3_600_000, help="How long to wait for those who are on their way."),
]


def stop(
    path: File,
    scope: Annotated[
        str,
        typer.Option(
            metavar="SCOPE",
            help="realm, conversation:ID, branch:ID:ID, instance:ID:ID, agent:ID or definition:NAME.",
        ),
    ] = "realm",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; more than 256 bytes are cut.")] = "",
    key: Key = None,
    status: Annotated[bool, typer.Option("--status", help="Only show what is latched.")] = False,
    drill: Annotated[
        bool, typer.Option("--drill", help="Test the way to every program that has it open; stop nothing.")
    ] = False,
    wait: Wait = halt.QUIET_MS,
    passphrase_file: PassphraseFile = None,
    as_json: JSON = False,
) -> None:
    """Stop a realm, or a part of it. It is in force when this returns; nothing but the file REALM.stop is opened.

    Exit status 0: nothing in scope is on its way any more. 18: it is in force, and somebody was still on his way. With --status: 18 if
    anything is latched.
    """
    if status and drill:
        raise error("ArgumentRange", "--status or --drill", "both")
    if status:
        _show(halt.stop_status(path), as_json=as_json)
        return
    if drill:
        _drilled(halt.drill(path, wait_ms=wait), as_json=as_json)
        return
    operator = None if key is None else load_identity(key, passphrase_file)
    begun = time.monotonic()
    done = halt.stop(path, scope, reason, operator=operator, wait_ms=wait)
    if as_json:
        emit(
            {
                "ok": True,
                "halt": _text(done.halt),
                "outcome": done.outcome,
                "quiesced": done.quiesced,
                "alarm": done.alarm,
            }
        )
    else:
        line(f"{'stopped':<16}{path}", style="bold red")
        row("halt", _text(done.halt) or "not known yet", f"{'signed' if operator else 'local'}, scope {scope}")
        if done.outcome == "already":
            row("", "it was in force already")
        quiet = "nothing is on its way any more" if done.quiesced else "somebody is still on his way"
        row("quiesced", "yes" if done.quiesced else "NO", f"{quiet}; after {(time.monotonic() - begun) * 1e3:.0f} ms")
        if done.alarm:
            row("ALARM", done.alarm, "the disk has not taken it: it may not outlive this machine")
    if not done.quiesced:
        raise typer.Exit(NOT_QUIET)


def _text(found: Id | None) -> str | None:
    return None if found is None else str(found)


def _show(found: halt.Status, *, as_json: bool) -> None:
    if as_json:
        stops: list[dict[str, Any]] = [
            {
                "halt": _text(each.halt),
                "kind": each.kind,
                "scope": each.scope,
                "reason": each.reason,
                "time": each.time_ms,
            }
            for each in found.stops
        ]
        emit({"ok": True, "stopped": found.stopped, "fault": found.fault, "stops": stops, "resumes": found.resumes})
    elif not found.stopped:
        line("not stopped", style="bold green")
    else:
        line("STOPPED", style="bold red")
        if found.fault:
            row("fault", found.fault)
        for each in found.stops:
            row("halt", _text(each.halt) or "not known yet", f"{each.kind}, scope {each.scope}")
            row("", each.reason or "no reason given")
        if found.resumes:
            row("resumes", str(found.resumes), "that wait for a program that has the realm open")
    if found.stopped:
        raise typer.Exit(NOT_QUIET)


def _drilled(found: halt.Drill, *, as_json: bool) -> None:
    if as_json:
        emit({"ok": found.programs == found.saw, "programs": found.programs, "saw": found.saw, "us": found.took_us})
    else:
        line("drill: nothing was stopped", style="bold")
        row("programs", str(found.programs), "that have the realm open")
        row("saw it", str(found.saw), f"after {found.took_us / 1e3:.1f} ms")
    if found.programs != found.saw:
        raise typer.Exit(NOT_QUIET)


def resume(
    path: File,
    halts: Annotated[
        list[str], typer.Argument(metavar="HALT...", help="The ids of the halts to end.", show_default=False)
    ],
    key: Annotated[
        Path, typer.Option("--key", metavar="KEY", readable=False, help="An operator's or a root's key file.")
    ],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, in at most 256 bytes.")] = "",
    passphrase_file: PassphraseFile = None,
    as_json: JSON = False,
) -> None:
    """End exactly these halts. It takes effect when a program that has the realm open, or opens it next, has recorded it."""
    with argument("HALT"):
        named = [Id.from_hex(each) for each in halts]
    operator = load_identity(key, passphrase_file)
    entry = halt.resume(path, named, operator, reason=reason_given(reason))
    if as_json:
        emit({"ok": True, "resume": str(entry)})
        return
    line("resume handed in", style="bold green")
    row("entry", str(entry), "ama2sec stop --status shows whether it has taken effect")
