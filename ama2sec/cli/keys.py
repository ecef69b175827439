"""``keygen``, ``id`` and ``directory``: keys, and the list of those that one accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ama2sec import Directory, Identity, PublicKey, _files
from ama2sec.cli.inputs import JSON, PassphraseFile, load_directory, load_identity, passphrase, read_input, write_output
from ama2sec.cli.show import console, emit
from ama2sec.errors import error

__all__ = ["directory_app", "keygen", "show_id"]

directory_app = typer.Typer(
    help="The keys that you accept, under the names that you give them.", no_args_is_help=True, rich_markup_mode=None
)
_MAX_IMPORT = 64 * 1024


def _view(name: str, purpose: str, public: PublicKey) -> dict[str, str]:
    return {
        "name": name,
        "purpose": purpose,
        "key": public.hex,
        "thumbprint": str(public.thumbprint),
        "did_key": public.did_key,
    }


def _show(view: dict[str, str], as_json: bool) -> None:
    if as_json:
        emit({"ok": True, **view})
        return
    for label, value in view.items():
        console().print(f"{label:<12}{value}")


def keygen(
    name: Annotated[str, typer.Argument(help="A name: a-z 0-9 . _ -, at most 64.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The new key file; never over an existing one.")],
    purpose: Annotated[str, typer.Option(help="message, operator, sequencer or root.")] = "message",
    passphrase_file: PassphraseFile = None,
    no_passphrase: Annotated[bool, typer.Option("--no-passphrase", help="Leave the file unencrypted.")] = False,
    import_openssh: Annotated[
        Path | None, typer.Option(help="Take this OpenSSH private key instead of a new one.")
    ] = None,
    import_pkcs8: Annotated[Path | None, typer.Option(help="Take this PKCS#8 PEM private key instead.")] = None,
    import_passphrase_file: Annotated[Path | None, typer.Option(help="The passphrase of the key to import.")] = None,
    as_json: JSON = False,
) -> None:
    """Make a key pair (or import one) and write it to a key file of mode 0600."""
    if no_passphrase and passphrase_file is not None:
        raise error("ArgumentRange", "--no-passphrase or --passphrase-file", "both")
    if import_openssh is not None and import_pkcs8 is not None:
        raise error("ArgumentRange", "one key to import", "two")
    secret = None if import_passphrase_file is None else passphrase(import_passphrase_file)
    if import_openssh is not None:
        data = _private(import_openssh)
        identity = Identity.from_openssh(data, name=name, passphrase=secret, purpose=purpose)
    elif import_pkcs8 is not None:
        identity = Identity.from_pkcs8(_private(import_pkcs8), name=name, passphrase=secret, purpose=purpose)
    else:
        identity = Identity.generate(name, purpose=purpose)
    identity.save(out, passphrase=None if no_passphrase else passphrase(passphrase_file, confirm=True))
    _show(_view(identity.name, identity.purpose, identity.public), as_json)


def _private(path: Path) -> bytes:
    with _files.reading(path) as descriptor:
        _files.private_regular(descriptor, path)
        return _files.read_bounded(descriptor, _MAX_IMPORT)


def show_id(
    what: Annotated[str, typer.Argument(help="A key file, or a did:key.")],
    passphrase_file: PassphraseFile = None,
    export_openssh: Annotated[Path | None, typer.Option(help="Write the private key in OpenSSH's format.")] = None,
    export_pkcs8: Annotated[Path | None, typer.Option(help="Write the private key as PKCS#8 PEM.")] = None,
    export_passphrase_file: Annotated[
        Path | None, typer.Option(help="Encrypt the export with this passphrase.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Show who a key is: name, purpose, thumbprint, did:key. Or export it."""
    if what.startswith("did:key:"):
        public = PublicKey.from_did_key(what)
        view = _view("", "", public)
        _show({label: view[label] for label in ("key", "thumbprint", "did_key")}, as_json)
        return
    identity = load_identity(Path(what), passphrase_file)
    secret = None if export_passphrase_file is None else passphrase(export_passphrase_file)
    if export_openssh is not None:
        _files.write_whole(export_openssh, identity.to_openssh(passphrase=secret), replace=False, mode=0o600)
    if export_pkcs8 is not None:
        _files.write_whole(export_pkcs8, identity.to_pkcs8(passphrase=secret), replace=False, mode=0o600)
    _show(_view(identity.name, identity.purpose, identity.public), as_json)


DirectoryFile = Annotated[Path, typer.Argument(help="The directory file.")]


@directory_app.command("add")
def add(
    file: DirectoryFile,
    name: Annotated[str, typer.Option(help="Your name for the key.")],
    purpose: Annotated[str, typer.Option(help="message, operator, sequencer or root.")] = "message",
    key: Annotated[str | None, typer.Option(help="The public key: 64 hex digits or a did:key.")] = None,
    source: Annotated[Path | None, typer.Option("--from", help="Take the public key of this key file.")] = None,
    passphrase_file: PassphraseFile = None,
    as_json: JSON = False,
) -> None:
    """Accept a key. The file is made if it does not exist."""
    if (key is None) == (source is None):
        raise error("ArgumentRange", "--key or --from", "both or neither")
    directory = load_directory(file) if file.exists() else Directory()
    public = load_identity(source, passphrase_file).public if source is not None else _public(key or "")
    entry = directory.enrol(public, name=name, purpose=purpose)
    directory.save(file)
    _show(_view(entry.name, entry.purpose, entry.public), as_json)


def _public(text: str) -> PublicKey:
    if text.startswith("did:key:"):
        return PublicKey.from_did_key(text)
    try:
        return PublicKey(bytes.fromhex(text))
    except ValueError:
        raise error("ArgumentRange", "64 hex digits or a did:key", "another text") from None


@directory_app.command("list")
def list_entries(file: DirectoryFile, as_json: JSON = False) -> None:
    """Show the keys of a directory; each is checked again."""
    for entry in load_directory(file):
        view = _view(entry.name, entry.purpose, entry.public)
        if as_json:
            emit(view)
        else:
            console().print(f"{entry.name:<24} {entry.purpose:<10} {entry.public.thumbprint}  {entry.public.did_key}")


@directory_app.command("remove")
def remove(file: DirectoryFile, name: Annotated[str, typer.Option(help="The name to take out.")]) -> None:
    """Take a key out: what it signed is not accepted any more, old messages included."""
    directory = load_directory(file)
    directory.get(name)
    kept = Directory()
    for entry in directory:
        if entry.name != name:
            kept.enrol(entry.public, name=entry.name, purpose=entry.purpose)
    kept.save(file)


@directory_app.command("import")
def import_file(file: DirectoryFile, other: Annotated[Path, typer.Argument(help="A directory file, or -.")]) -> None:
    """Accept all keys of another directory; nothing is changed if one of them clashes."""
    directory = load_directory(file) if file.exists() else Directory()
    for entry in Directory.from_json(read_input(other, 256 << 20)):
        directory.enrol(entry.public, name=entry.name, purpose=entry.purpose)
    directory.save(file)


@directory_app.command("export")
def export_file(file: DirectoryFile, out: Annotated[Path | None, typer.Option("--out", "-o")] = None) -> None:
    """Write the directory again in its one form."""
    write_output(out, load_directory(file).to_json().encode())
