"""``keygen`` and ``id``: private keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ama2sec import Identity, PublicKey, _files
from ama2sec.cli.inputs import JSON, PassphraseFile, load_identity, must_not_exist, named, passphrase
from ama2sec.cli.show import emit, row
from ama2sec.errors import error

__all__ = ["key_view", "keygen", "show_id", "show_view"]

_MAX_IMPORT = 64 * 1024
Purpose = Annotated[str, typer.Option(metavar="PURPOSE", help="message, operator, sequencer or root.")]


def key_view(name: str, purpose: str, public: PublicKey) -> dict[str, str]:
    """A key, as it is shown and as ``--json`` prints it."""
    return {
        "name": name,
        "purpose": purpose,
        "key": public.hex,
        "thumbprint": str(public.thumbprint),
        "did_key": public.did_key,
    }


def show_view(view: dict[str, str], *, as_json: bool) -> None:
    """Print a view, one label a line."""
    if as_json:
        emit({"ok": True, **view})
        return
    for label, value in view.items():
        row(label.replace("did_key", "did:key"), value)


def keygen(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name: a-z 0-9 . _ -, at most 64.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="FILE", readable=False, help="The new key file; never over an existing one."
        ),
    ],
    purpose: Purpose = "message",
    passphrase_file: PassphraseFile = None,
    no_passphrase: Annotated[bool, typer.Option("--no-passphrase", help="Leave the file unencrypted.")] = False,
    import_openssh: Annotated[
        Path | None,
        typer.Option(metavar="FILE", readable=False, help="Take this OpenSSH private key instead of a new one."),
    ] = None,
    import_pkcs8: Annotated[
        Path | None, typer.Option(metavar="FILE", readable=False, help="Take this PKCS#8 PEM private key instead.")
    ] = None,
    import_passphrase_file: Annotated[
        Path | None, typer.Option(metavar="FILE", readable=False, help="The passphrase of the key to import.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Make a key pair (or import one) and write it to a key file of mode 0600, encrypted with a passphrase."""
    if no_passphrase and passphrase_file is not None:
        raise error("ArgumentRange", "--no-passphrase or --passphrase-file (AMA2SEC_PASSPHRASE_FILE)", "both")
    if import_openssh is not None and import_pkcs8 is not None:
        raise error("ArgumentRange", "one key to import", "two")
    named(name, "NAME")
    must_not_exist(out)
    secret = None if import_passphrase_file is None else passphrase(import_passphrase_file)
    if import_openssh is not None:
        data = _private(import_openssh)
        identity = Identity.from_openssh(data, name=name, passphrase=secret, purpose=purpose)
    elif import_pkcs8 is not None:
        identity = Identity.from_pkcs8(_private(import_pkcs8), name=name, passphrase=secret, purpose=purpose)
    else:
        identity = Identity.generate(name, purpose=purpose)
    identity.save(out, passphrase=None if no_passphrase else passphrase(passphrase_file, confirm=True))
    show_view(key_view(identity.name, identity.purpose, identity.public) | {"file": str(out)}, as_json=as_json)


def _private(path: Path) -> bytes:
    with _files.reading(path) as descriptor:
        _files.private(descriptor, path)
        return _files.read_bounded(descriptor, _MAX_IMPORT)


def show_id(
    what: Annotated[str, typer.Argument(metavar="KEY", help="A key file, or a did:key.")],
    passphrase_file: PassphraseFile = None,
    export_openssh: Annotated[
        Path | None, typer.Option(metavar="FILE", readable=False, help="Write the private key in OpenSSH's format.")
    ] = None,
    export_pkcs8: Annotated[
        Path | None, typer.Option(metavar="FILE", readable=False, help="Write the private key as PKCS#8 PEM.")
    ] = None,
    export_passphrase_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", readable=False, help="Encrypt the export with this passphrase; you are asked else."
        ),
    ] = None,
    no_passphrase: Annotated[bool, typer.Option("--no-passphrase", help="Leave the export unencrypted.")] = False,
    as_json: JSON = False,
) -> None:
    """Show who a key is: name, purpose, thumbprint, did:key. Or export it."""
    exports = [path for path in (export_openssh, export_pkcs8) if path is not None]
    if not exports and (no_passphrase or export_passphrase_file is not None):
        raise error("ArgumentRange", "--export-openssh or --export-pkcs8", "none")
    if what.startswith("did:key:"):
        if exports:
            raise error("ArgumentRange", "a key file, to export its private key", "a public key")
        view = key_view("", "", PublicKey.from_did_key(what))
        show_view({label: view[label] for label in ("key", "thumbprint", "did_key")}, as_json=as_json)
        return
    if no_passphrase and export_passphrase_file is not None:
        raise error("ArgumentRange", "--no-passphrase or --export-passphrase-file", "both")
    for path in exports:
        must_not_exist(path)
    identity = load_identity(Path(what), passphrase_file)
    if exports:
        secret = None if no_passphrase else passphrase(export_passphrase_file, confirm=True)
        if export_openssh is not None:
            _files.write_whole(export_openssh, identity.to_openssh(passphrase=secret), replace=False, mode=0o600)
        if export_pkcs8 is not None:
            _files.write_whole(export_pkcs8, identity.to_pkcs8(passphrase=secret), replace=False, mode=0o600)
    show_view(key_view(identity.name, identity.purpose, identity.public), as_json=as_json)
