"""``directory``: the list of the keys that one accepts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ama2sec import Directory, PublicKey
from ama2sec.cli.inputs import JSON, PassphraseFile, load_directory, load_identity, named, read_input, write_output
from ama2sec.cli.keys import Purpose, key_view, show_view
from ama2sec.cli.show import emit, line
from ama2sec.errors import error

__all__ = ["directory_app", "public_key"]

directory_app = typer.Typer(
    help="The keys that you accept, under the names that you give them. Whoever can write this file decides whom you trust.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
DirectoryFile = Annotated[Path, typer.Argument(metavar="FILE", readable=False, help="The directory file.")]
_MAX_FILE = 256 << 20


def _old_or_new(file: Path) -> Directory:
    # A link that leads nowhere is a file that cannot be read, and not a reason to begin anew.
    return load_directory(file) if os.path.lexists(file) else Directory()


@directory_app.command("add", short_help="Accept a key.")
def add(
    file: DirectoryFile,
    name: Annotated[str, typer.Option(metavar="NAME", help="Your name for the key.")],
    purpose: Purpose = "message",
    key: Annotated[str | None, typer.Option(metavar="KEY", help="The public key: 64 hex digits or a did:key.")] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", readable=False, help="Take the public key of this key file."),
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: JSON = False,
) -> None:
    """Accept a key. The directory file is made if it does not exist."""
    if (key is None) == (source is None):
        raise error("ArgumentRange", "--key or --from", "both or neither")
    named(name, "--name")
    directory = _old_or_new(file)
    public = load_identity(source, passphrase_file).public if source is not None else public_key(key or "")
    entry = directory.enrol(public, name=name, purpose=purpose)
    directory.save(file)
    show_view(key_view(entry.name, entry.purpose, entry.public), as_json=as_json)


def public_key(text: str) -> PublicKey:
    """A public key that the person typed: 64 hex digits or a did:key."""
    if text.startswith("did:key:"):
        return PublicKey.from_did_key(text)
    try:
        return PublicKey(bytes.fromhex(text))
    except ValueError:
        raise error("ArgumentRange", "--key: 64 hex digits or a did:key", "another text") from None


@directory_app.command("list", short_help="Show the keys.")
def list_entries(file: DirectoryFile, as_json: JSON = False) -> None:
    """Show the keys of a directory; each is checked again."""
    for entry in load_directory(file):
        if as_json:
            emit(key_view(entry.name, entry.purpose, entry.public))
            continue
        line(f"{entry.name}  ({entry.purpose})")
        line(f"  thumbprint  {entry.public.thumbprint}")
        line(f"  did:key     {entry.public.did_key}")


@directory_app.command("remove", short_help="Take a key out.")
def remove(
    file: DirectoryFile,
    name: Annotated[str, typer.Option(metavar="NAME", help="The name to take out.")],
    as_json: JSON = False,
) -> None:
    """Take a key out: what it signed is not accepted any more, old messages included."""
    directory = load_directory(file)
    gone = directory.get(named(name, "--name"))
    kept = Directory()
    for entry in directory:
        if entry.name != name:
            kept.enrol(entry.public, name=entry.name, purpose=entry.purpose)
    kept.save(file)
    _count(f"removed {gone.name}", kept, as_json)


@directory_app.command("import", short_help="Accept all keys of another directory.")
def import_file(
    file: DirectoryFile,
    other: Annotated[
        Path, typer.Argument(metavar="OTHER", readable=False, help="A directory file; - for standard input.")
    ],
    as_json: JSON = False,
) -> None:
    """Accept all keys of another directory; nothing is changed if one of them clashes."""
    directory = _old_or_new(file)
    before = len(directory)
    for entry in Directory.from_json(read_input(other, _MAX_FILE)):
        directory.enrol(entry.public, name=entry.name, purpose=entry.purpose)
    directory.save(file)
    _count(f"added {len(directory) - before}", directory, as_json)


def _count(done: str, directory: Directory, as_json: bool) -> None:
    if as_json:
        emit({"ok": True, "keys": len(directory)})
    else:
        line(f"{done}; {len(directory)} {'key' if len(directory) == 1 else 'keys'} now")


@directory_app.command("export", short_help="Write it again in its one form.")
def export_file(
    file: DirectoryFile,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", readable=False, help="The new file; standard output by default."),
    ] = None,
) -> None:
    """Write the directory again in its one form, each key checked."""
    write_output(out, load_directory(file).to_json().encode())
