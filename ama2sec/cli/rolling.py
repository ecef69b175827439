"""``realm rollback``: what one would undo, shown before anything is signed; then signed, and nothing else than that (spec rollback.5)."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ama2sec import Ama2Error, Id, Identity, halt
from ama2sec._native import RealmEntry, RealmFile
from ama2sec.cli.inputs import JSON, PassphraseFile, argument, load_identity, named, reason_given
from ama2sec.cli.rollback_view import Plan, show, tell
from ama2sec.cli.show import flush
from ama2sec.cli.steps import SPOKEN, Names
from ama2sec.errors import error
from ama2sec.realm.dag import RealmDag
from ama2sec.realm.definitions import Definition
from ama2sec.realm.sdk import Realm
from ama2sec.realm.undoing import Cut, RolledBack, Undoing, target_of, undoing

__all__ = ["rollback"]

_READ: Final = 256
_NAMED: Final = 10_000
"""Entries that are looked at for whom they were addressed to; the count is exact whatever it is."""
_SHOWN: Final = 12
"""Entries of a branch that are listed."""
_DIGITS: Final = 15


def rollback(
    path: Annotated[
        Path, typer.Argument(metavar="REALM", readable=False, help="The realm's file.", show_default=False)
    ],
    to: Annotated[
        str,
        typer.Option(
            metavar="POSITION|ID",
            help="The last message that stays: its position (realm log) or its id.",
            show_default=False,
        ),
    ],
    conversation: Annotated[
        str | None, typer.Option(metavar="ID", help="Its conversation, or the first digits: it must be this one.")
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it stands in the history for ever.")] = "",
    agent: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who signs it: an agent whose key lies beside the realm.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="KEY", readable=False, help="Or: the key file of who signs it.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be undone; sign nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask: for scripts.")] = False,
    passphrase_file: PassphraseFile = None,
    as_json: JSON = False,
) -> None:
    """Take a conversation back to one of its messages, with everything that came of what lies behind it. The realm is judged first; what
    would be undone is shown; then it is asked for on the terminal. Signed is exactly what was shown: whatever was written meanwhile makes it
    RollbackIncomplete, and one looks again. Nothing is deleted, and what is undone is undone for ever.
    """
    if (agent is not None) + (key is not None) + dry_run == 0 or (agent is not None and key is not None):
        raise error("ArgumentRange", "--agent NAME or --key KEY of who signs it, or --dry-run", "both or neither")
    if not (dry_run or yes) and (as_json or sys.stdin is None or not sys.stdin.isatty()):
        raise error("ArgumentRange", "--yes, --dry-run, or a terminal to ask on", "none of them")
    reason = reason_given(reason)
    identity = None if key is None else load_identity(key, passphrase_file)
    signer = named(agent, "--agent") if agent is not None else None if identity is None else identity.name
    plan = _planned(path, to, conversation, signer)
    if dry_run or plan.refusal is not None or not as_json:
        show(plan, as_json=as_json, dry_run=dry_run)
    if plan.refusal is not None:
        if as_json:
            raise typer.Exit(plan.refusal.exit_code)
        raise plan.refusal
    if dry_run:
        return
    if not yes:
        _ask()
    done = asyncio.run(_sign(path, plan, identity or str(signer), reason))
    tell(done, as_json=as_json)


async def _sign(path: Path, plan: Plan, who: str | Identity, reason: str) -> RolledBack:
    async with Realm.open(path) as realm:
        agent = await realm.agent(who)
        handle = agent.conversation(plan.entry.conversation, plan.undoing.target)
        # Who is shown what falls has seen it: the rollback's context is the whole branch.
        return await handle.rollback(plan.entry.id, reason, expected=plan.undoing, on_stale="rebase")


def _ask() -> None:
    """Raises ``Cancelled`` for anything but a yes."""
    flush()
    sys.stderr.write("Undo all of this, for ever? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline(64).strip().lower() not in {"y", "yes"}:
        raise error("Cancelled", "a yes", "none: nothing was signed")


# -- what would be undone --------------------------------------------------------------------------------------------


def _planned(path: Path, to: str, conversation: str | None, signer: str | None) -> Plan:
    """Judge the realm and look. Raises ``ArgumentRange``, ``RollbackTarget``, ``NameUnknown``, and the first fault of the realm."""
    source = RealmFile.open(path)
    source.refresh()
    person = _person(source, signer)
    entry = _find(source, to, conversation)
    found = undoing(source, entry.conversation, *target_of(source, entry.conversation, _home(entry)))
    entries, addressed = _fallen(source, entry.conversation, found)
    definition = _definition(source, entry.conversation)
    stopped = False
    with contextlib.suppress(Ama2Error):
        stopped = halt.stop_status(path).stopped
    return Plan(source, entry, found, entries, addressed, definition, _refusal(found, definition, person), stopped)


def _person(source: RealmFile, name: str | None) -> dict[str, Any] | None:
    """Who signs; somebody who is not enrolled must not be enrolled by this, as a realm for trying out would do."""
    if name is None:
        return None
    for agent in source.ask("registry")["agents"]:
        if agent["live"] and agent["name"] == name and agent["purpose"] == "message":
            found: dict[str, Any] = agent
            return found
    raise error("NameUnknown", "the name of an agent of this realm", name)


def _home(entry: RealmEntry) -> tuple[Id, int]:
    if entry.home is None or entry.kind not in SPOKEN:
        raise error("ArgumentRange", "--to: an admitted entry of a conversation", f"{entry.kind} {entry.id.short}")
    return entry.home


def _find(source: RealmFile, to: str, conversation: str | None) -> RealmEntry:
    found = _at(source, int(to)) if to.isascii() and to.isdecimal() and len(to) <= _DIGITS else _with_id(source, to)
    if found is None:
        raise error(
            "ArgumentRange",
            f"--to: an entry of this realm, by its position below {source.records:,} or its id",
            to[:80],
        )
    _home(found)
    if conversation is not None and not (conversation and str(found.conversation).startswith(conversation.lower())):
        raise error("ArgumentRange", f"--conversation: that of --to, {found.conversation.short}", conversation[:80])
    return found


def _at(source: RealmFile, position: int) -> RealmEntry | None:
    found = source.entries(position, 1) if position < source.records else []
    return found[0] if found else None


def _with_id(source: RealmFile, text: str) -> RealmEntry | None:
    with argument("--to"):
        wanted = Id.from_hex(text)
    position = 0
    while batch := source.entries(position, _READ):
        for entry in batch:
            if entry.id == wanted and entry.code is None:
                return entry
        position = batch[-1].position + 1
    return None


def _fallen(source: RealmFile, conversation: Id, plan: Undoing) -> tuple[dict[Id, list[RealmEntry]], list[str]]:
    """What falls, by branch, the first of each; and whom it was addressed to."""
    names, cuts = Names(source), {cut.branch: cut for cut in plan.branches}
    listed: dict[Id, list[RealmEntry]] = {branch: [] for branch in cuts}
    addressed: dict[str, None] = {}
    for position, branch in _positions(RealmDag(source, conversation), cuts):
        entry = source.entries(position, 1)[0]
        if len(listed[branch]) < _SHOWN:
            listed[branch].append(entry)
        if entry.kind in {"open", "message"}:
            addressed |= dict.fromkeys(names.to(entry) or ["all members"])
    return listed, list(addressed)


def _positions(dag: RealmDag, cuts: dict[Id, Cut]) -> Iterator[tuple[int, Id]]:
    """Where what falls stands in the log, in its order, and in which branch; the first 10,000."""
    start = count = 0
    while nodes := dag.timeline(start):
        for node in nodes:
            cut = None if node.home is None else cuts.get(node.home[0])
            if node.home is not None and cut is not None and cut.size <= node.home[1] < cut.end:
                yield node.position, node.home[0]
                count += 1
                if count == _NAMED:
                    return
        start += len(nodes)


def _definition(source: RealmFile, conversation: Id) -> Definition | None:
    """The one in force under the name that the conversation has: it says who may roll back (admission.2.25)."""
    name = source.ask("workflows", conversation, running=0)["definition"]
    documents = [each["document"] for each in source.ask("definitions") if each["name"] == name]
    return Definition.from_document(bytes.fromhex(documents[-1])) if documents else None


def _refusal(plan: Undoing, definition: Definition | None, person: dict[str, Any] | None) -> Ama2Error | None:
    """What is known before anything is signed, in the order of the checks (admission.2.25, 2.29)."""
    if definition is not None and person is not None and not set(definition.rollback.by) & set(person["groups"]):
        groups = ", ".join(definition.rollback.by) or "nobody"
        return error("RollbackRole", f"somebody of {groups}", person["name"])
    pivots = [f"{step.step} ({step.message.short})" for step in plan.steps if step.pivot]
    if pivots:
        return error("RollbackPivot", "nothing that lies behind a point of no return", ", ".join(pivots))
    return None
