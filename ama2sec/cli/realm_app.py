"""``realm``: a realm in a file, from the command line; all of it while programs have it open (spec log, agent)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from ama2sec import Id, Identity, _files
from ama2sec._native import RealmFile
from ama2sec.cli.dags import dag
from ama2sec.cli.inputs import JSON, PassphraseFile, argument, load_identity, named, read_input, write_output
from ama2sec.cli.realm_log import follow
from ama2sec.cli.realms import replay
from ama2sec.cli.rolling import rollback
from ama2sec.cli.show import emit, line, row
from ama2sec.cli.steps import Steps
from ama2sec.cli.verifying import Implementation
from ama2sec.errors import error
from ama2sec.realm.restoring import backup as write_backup
from ama2sec.realm.sdk import Realm

__all__ = ["realm_app"]

T = TypeVar("T")
_MAX_HEAD: Final = 8 * 1024

realm_app = typer.Typer(
    help="A realm in a file: who is in it, what they said, and what the log has signed. Works while programs have it open.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

File = Annotated[Path, typer.Argument(metavar="REALM", readable=False, help="The realm's file.", show_default=False)]
RootKeys = Annotated[
    list[Path] | None,
    typer.Option(
        "--root", metavar="KEY", readable=False, help="A root's key file; once for each root that is asked for."
    ),
]
Head = Annotated[
    Path | None, typer.Option("--head", metavar="FILE", readable=False, help="A head of the realm that you kept.")
]


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def _roots(keys: list[Path] | None, passphrase: Path | None) -> list[Identity]:
    return [load_identity(key, passphrase) for key in keys or []]


def _kept(head: Path | None) -> str | None:
    if head is None:
        return None
    with argument("--head"):
        try:
            return read_input(head, _MAX_HEAD).decode()
        except UnicodeDecodeError:
            raise error("CheckpointForm", "a head in UTF-8", "other bytes") from None


@realm_app.callback()
def _realms() -> None:
    pass


@realm_app.command("init", short_help="Begin a realm in a new file.")
def init(
    path: File,
    name: Annotated[str, typer.Option(metavar="NAME", help="The realm's name.")] = "dev",
    root: RootKeys = None,
    operator: Annotated[
        list[Path] | None,
        typer.Option("--operator", metavar="KEY", readable=False, help="The key file of one who may stop the realm."),
    ] = None,
    quorum: Annotated[int, typer.Option(metavar="N", help="How many roots decide together.")] = 1,
    durability: Annotated[
        str, typer.Option(metavar="full|normal", help="full: an answer waits until the disk has it.")
    ] = "full",
    dev: Annotated[
        bool,
        typer.Option(
            "--dev", help="A realm for trying out, for ever: root and operators are made, their keys lie beside it."
        ),
    ] = False,
    passphrase_file: PassphraseFile = None,
    as_json: JSON = False,
) -> None:
    """Make the realm's file and, in the folder REALM.keys beside it, the sequencer's key, which is never in the file.

    The roots decide who is in it; their keys (ama2sec keygen --purpose root) stay where they are.
    """
    if dev and (root or operator or name != "dev"):
        raise error("ArgumentRange", "--dev alone, or --name with --root", "both")
    if not dev and not root:
        raise error("ArgumentRange", "--root KEY, two of them at least, or --dev", "neither")
    named(name, "--name")

    async def begin() -> tuple[Id, str]:
        if dev:
            _files_missing(path)
            opening = Realm.dev(path, durability=durability)
        else:
            opening = Realm.create(
                path,
                name=name,
                roots=_roots(root, passphrase_file),
                operators=_roots(operator, passphrase_file),
                quorum=quorum,
                durability=durability,
            )
        async with opening as realm:
            return realm.id, realm.head()

    made, head = _run(begin())
    if as_json:
        emit({"ok": True, "realm": str(made), "head": head})
        return
    line(f"a realm in {str(path)!r}", style="bold green")
    row("realm", str(made), "give it to whoever is to verify what comes from here")
    row("keys", f"{path}.keys", "the sequencer's: whoever reads it can write this realm's history")


def _files_missing(path: Path) -> None:
    if path.exists():
        raise _files.exists(path)


@realm_app.command("enrol", short_help="Take an agent into a realm.")
def enrol(
    path: File,
    key: Annotated[
        Path, typer.Argument(metavar="KEY", readable=False, help="The agent's key file.", show_default=False)
    ],
    group: Annotated[list[str] | None, typer.Option("--group", metavar="NAME", help="A group that it is in.")] = None,
    root: RootKeys = None,
    passphrase_file: PassphraseFile = None,
    as_json: JSON = False,
) -> None:
    """Enrol a key under its name. It proves that it has the private key; the key file stays where it is."""
    agent = load_identity(key, passphrase_file)

    async def add() -> Id:
        async with Realm.open(path, roots=_roots(root, passphrase_file)) as realm:
            return await realm.enrol(agent, group or [])

    made = _run(add())
    if as_json:
        emit({"ok": True, "agent": str(made), "name": agent.name})
        return
    line(f"enrolled {agent.name}", style="bold green")
    row("agent", str(made))


@realm_app.command("revoke", short_help="End an agent.")
def revoke(
    path: File,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The agent.", show_default=False)],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it stands in the history for ever.")] = "",
    suspect_from: Annotated[
        int | None, typer.Option(metavar="POSITION", help="From where on its entries are to be doubted.")
    ] = None,
    root: RootKeys = None,
    passphrase_file: PassphraseFile = None,
    as_json: JSON = False,
) -> None:
    """Nothing that the agent signs is admitted from then on; what it said before stays, and stays signed."""
    named(name, "NAME")

    async def end() -> Id:
        async with Realm.open(path, roots=_roots(root, passphrase_file)) as realm:
            return await realm.revoke(name, reason, suspect_from=suspect_from)

    made = _run(end())
    if as_json:
        emit({"ok": True, "entry": str(made), "name": name})
        return
    line(f"revoked {name}", style="bold green")
    row("entry", str(made))


realm_app.command("log", short_help="List what is in the log, and go on as it grows.")(follow)


@realm_app.command("show", short_help="Show one entry with its record, or who is in the realm.")
def show(
    path: File,
    position: Annotated[int | None, typer.Argument(metavar="POSITION", help="Which entry.", show_default=False)] = None,
    as_json: JSON = False,
) -> None:
    """Judge the realm first; then show one entry of it as JSON, or without POSITION its registry."""
    source = RealmFile.open(path)
    count = source.refresh()
    if position is None:
        _people(source.ask("registry"), as_json)
        return
    if not 0 <= position < count:
        raise error("ArgumentRange", f"a position below {count}", str(position))
    entry = source.entries(position, 1)[0]
    body, steps = entry.body, Steps(source)
    view = {
        "position": entry.position,
        "time": entry.time,
        "id": str(entry.id),
        "conversation": str(entry.conversation),
        "kind": entry.kind,
        "code": entry.code,
        "step": steps.view(entry),
        "note": steps.is_note(entry),
        "undone": steps.is_undone(entry),
        "body_state": entry.body_state,
        "body": None if body is None else body.hex(),
        "claims": entry.claims,
        "record": entry.record.hex(),
        "envelope": entry.envelope.hex(),
    }
    if as_json:
        emit(view)
        return
    view["step"] = steps.words(entry) or None
    for name, value in view.items():
        row(name, str(value))


def _people(registry: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit(registry)
        return
    for agent in registry["agents"]:
        state = "live" if agent["live"] else "revoked"
        groups = f", in {', '.join(agent['groups'])}" if agent["groups"] else ""
        row(agent["name"], agent["id"], f"{agent['purpose']}, {state}{groups}")


@realm_app.command("verify", short_help="Judge a realm again, whole.")
def verify(
    path: File,
    realm: Annotated[str | None, typer.Option(metavar="ID", help="The realm that it must be.")] = None,
    head: Head = None,
    impl: Annotated[
        Implementation, typer.Option("--impl", "--implementation", help="Which implementation judges.")
    ] = Implementation.RUST,
    as_json: JSON = False,
) -> int:
    """Signatures, the registry as it was, each verdict and home, every head: as ``ama2sec replay`` of its transcript."""
    return replay(path, realm=realm, checkpoint=head, impl=impl, as_json=as_json)


realm_app.command("rollback", short_help="Take a conversation back to one of its messages.")(rollback)
realm_app.command("dag", short_help="Draw a conversation of a realm, or ask who had seen what.")(dag)


@realm_app.command("head", short_help="Print the newest head: keep it where nobody changes it.")
def head_of(
    path: File,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", readable=False, help="A new file; else standard output."),
    ] = None,
) -> None:
    """Judge the realm, then print its head: three lines and the sequencer's signature, for a ticket, a tag or a mail."""
    source = RealmFile.open(path)
    text = source.head()
    source.refresh()
    source.check_kept(text)
    write_output(out, text.encode())


@realm_app.command("backup", short_help="Write a realm as it is now to a new file.")
def backup(
    path: File,
    to: Annotated[Path, typer.Argument(metavar="BACKUP", readable=False, help="A new file.", show_default=False)],
    as_json: JSON = False,
) -> None:
    """While others go on with it. The backup is judged before it counts; keys are not in it. Keep the head that is printed elsewhere."""
    head = write_backup(path, to)
    if as_json:
        emit({"ok": True, "head": head})
        return
    write_output(None, head.encode())


@realm_app.command("restore", short_help="Put a backup back, behind a term.")
def restore(
    backup_file: Annotated[
        Path, typer.Argument(metavar="BACKUP", readable=False, help="A realm's file.", show_default=False)
    ],
    path: File,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it stands in the history for ever.")],
    root: RootKeys = None,
    head: Head = None,
    passphrase_file: PassphraseFile = None,
    as_json: JSON = False,
) -> None:
    """The realm's keys must lie in REALM.keys; nothing may lie at REALM. Whoever kept a later head sees what is gone."""

    async def back() -> tuple[Id, str]:
        roots = _roots(root, passphrase_file)
        async with Realm.restore(backup_file, path, roots=roots, reason=reason, head=_kept(head)) as realm:
            return realm.id, realm.head()

    made, now = _run(back())
    if as_json:
        emit({"ok": True, "realm": str(made), "head": now})
        return
    line(f"restored {str(path)!r}", style="bold green")
    row("realm", str(made))
