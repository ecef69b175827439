"""Files, standard input and passphrases, as the commands take them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ama2sec import Directory, Identity, _files
from ama2sec.errors import error
from ama2sec.limits import MAX_BODY, MAX_ITEM

__all__ = [
    "JSON",
    "DirectoryOption",
    "PassphraseFile",
    "load_directory",
    "load_identity",
    "passphrase",
    "read_input",
    "write_output",
]

JSON = Annotated[bool, typer.Option("--json", help="For programs: one JSON object on standard output.")]
DirectoryOption = Annotated[
    Path, typer.Option("--directory", "-d", help="The keys that you accept (ama2sec directory).", show_default=False)
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        envvar="AMA2SEC_PASSPHRASE_FILE",
        help="A file with the passphrase in its first line. Never a value on the command line.",
    ),
]

_MAX_PASSPHRASE_FILE = 4096


def passphrase(file: Path | None, *, confirm: bool = False) -> str:
    """The passphrase from a file, or asked for without echo. Raises ``PassphraseNeeded`` where nobody can be asked."""
    if file is not None:
        with _files.reading(file) as descriptor:
            _files.private_regular(descriptor, file)
            data = _files.read_bounded(descriptor, _MAX_PASSPHRASE_FILE)
        try:
            return data.decode().split("\n", 1)[0].rstrip("\r")
        except UnicodeDecodeError:
            raise error("ArgumentRange", "a passphrase file of UTF-8 text", "other bytes") from None
    if not sys.stdin.isatty():
        raise error("PassphraseNeeded", "a passphrase: --passphrase-file, or a terminal to ask on", "neither")
    return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True))


def load_identity(path: Path, file: Path | None) -> Identity:
    """Read a key file; its passphrase is asked for only if it is encrypted."""
    try:
        return Identity.load(path, passphrase=None if file is None else passphrase(file))
    except Exception as fault:
        if getattr(fault, "code", "") != "PassphraseNeeded" or file is not None:
            raise
    return Identity.load(path, passphrase=passphrase(None))


def load_directory(path: Path) -> Directory:
    """Read a directory file."""
    return Directory.load(path)


def read_input(path: Path | None, limit: int) -> bytes:
    """A whole file, or standard input for None and ``-``. Raises ``SizeLimit`` above ``limit`` bytes."""
    if path is None or str(path) == "-":
        data = sys.stdin.buffer.read(limit + 1)
    else:
        with _files.reading(path) as descriptor:
            data = _files.read_bounded(descriptor, limit)
    if len(data) > limit:
        raise error("SizeLimit", f"at most {limit} bytes", "more")
    return data


def write_output(path: Path | None, data: bytes) -> None:
    """A whole new file, or standard output for None and ``-``."""
    if path is None or str(path) == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    _files.write_whole(path, data, replace=False)


def read_body(path: Path | None) -> bytes:
    """A body; ``BodyLimit`` above 256 KiB."""
    try:
        return read_input(path, MAX_BODY)
    except Exception as fault:
        if getattr(fault, "code", "") == "SizeLimit":
            raise error("BodyLimit", f"a body of at most {MAX_BODY} bytes", "a longer one") from None
        raise


def is_terminal() -> bool:
    """Whether progress can be shown."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


MAX_MESSAGE = MAX_ITEM
