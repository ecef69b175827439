"""Files, standard input and passphrases, as the commands take them."""

from __future__ import annotations

import getpass
import io
import os
import select
import stat
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, cast

import typer

from ama2sec import Directory, Identity, _files
from ama2sec._native import RealmFile, check_name
from ama2sec.cli import Stopped
from ama2sec.cli.show import flush, tell, write
from ama2sec.errors import Ama2Error, PeerError, error
from ama2sec.halt import stated
from ama2sec.limits import MAX_BODY, MAX_REASON

__all__ = [
    "JSON",
    "DirectoryOption",
    "Input",
    "MaybeDirectory",
    "PassphraseFile",
    "argument",
    "is_database",
    "load_directory",
    "load_identity",
    "must_not_exist",
    "named",
    "opened",
    "opened_realm",
    "passphrase",
    "read_body",
    "read_input",
    "reason_given",
    "write_output",
]

JSON = Annotated[bool, typer.Option("--json", help="For programs: one JSON object a line on standard output.")]
_DIRECTORY = typer.Option(
    "--directory",
    "-d",
    metavar="FILE",
    readable=False,
    envvar="AMA2SEC_DIRECTORY",
    help="The keys that you accept (made by ama2sec directory).",
)
DirectoryOption = Annotated[Path, _DIRECTORY]
MaybeDirectory = Annotated[Path | None, _DIRECTORY]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        readable=False,
        envvar="AMA2SEC_PASSPHRASE_FILE",
        help="The passphrase is the first line of this file (or pipe). Without it you are asked.",
    ),
]

_MAX_PASSPHRASE_FILE = 4096
_FIRST = 16
_STDIN = "standard input"


@contextmanager
def argument(option: str) -> Iterator[None]:
    """What the person typed: a fault in it is the caller's, and is never reported as hostile input (errors.2)."""
    try:
        yield
    except PeerError as fault:
        raise error("ArgumentRange", f"{option}: {fault.expected}", fault.got) from None


def named(name: str, option: str) -> str:
    """A name that the person typed."""
    with argument(option):
        return check_name(name)


def reason_given(text: str) -> str:
    """Why a person does something: text of at most 256 bytes. Raises ``ArgumentRange``.

    What the terminal gives in another encoding than UTF-8 becomes question marks: nobody is kept from a stop by a letter.
    """
    found = stated(text)
    if len(found.encode()) > MAX_REASON:
        raise error("ArgumentRange", f"--reason: at most {MAX_REASON} bytes", "more")
    return found


# -- passphrases and keys ------------------------------------------------------------------------------------------


def passphrase(file: Path | None, *, confirm: bool = False) -> str:
    """The passphrase from a file, or asked for without echo. Raises ``PassphraseNeeded`` where nobody can be asked."""
    if file is None:
        return _asked(confirm=confirm)
    with _files.reading(file) as descriptor:
        _files.private(descriptor, file, pipes=True)
        data = _files.read_bounded(descriptor, _MAX_PASSPHRASE_FILE)
    try:
        return data.decode().split("\n", 1)[0].rstrip("\r")
    except UnicodeDecodeError:
        raise error("ArgumentRange", "a passphrase file of UTF-8 text", "other bytes") from None


def _asked(*, confirm: bool) -> str:
    """Ask on the terminal itself, whatever standard input is: the body may come from there."""
    nobody = error("PassphraseNeeded", "a passphrase: --passphrase-file, or a terminal to ask on", "neither")
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        raise nobody from None
    with warnings.catch_warnings():
        # Where the echo cannot be turned off, nothing is asked.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            while True:
                found = getpass.getpass("Passphrase: ")
                if not found:
                    tell("An empty passphrase protects nothing; try again.")
                elif not confirm or getpass.getpass("The same again: ") == found:
                    return found
                else:
                    tell("The two differ; try again.")
        except EOFError:
            raise Stopped from None
        except (getpass.GetPassWarning, OSError):
            raise nobody from None


def load_identity(path: Path, file: Path | None) -> Identity:
    """Read a key file; its passphrase is asked for only if it is encrypted."""
    if file is not None:
        return Identity.load(path, passphrase=passphrase(file))
    try:
        return Identity.load(path)
    except Ama2Error as fault:
        if fault.code != "PassphraseNeeded":
            raise
    return Identity.load(path, passphrase=passphrase(None))


def load_directory(path: Path) -> Directory:
    """Read a directory file. A key in it that rule S refuses is a fault of that file, and no verdict on a message."""
    try:
        return Directory.load(path)
    except PeerError as fault:
        raise error("DirectoryForm", f"{os.fspath(path)!r}: {fault.expected}", f"{fault.code}: {fault.got}") from None


# -- files and standard input --------------------------------------------------------------------------------------


class Input(io.RawIOBase):
    """A file or standard input, opened once, of which the first bytes can be seen before it is read.

    ``total`` is its length in bytes where that is known. ``before_waiting`` is called before a read that may have to wait for
    another program: what is known so far can be brought out then.
    """

    def __init__(self, source: io.RawIOBase, name: str) -> None:
        super().__init__()
        self._source = source
        self._name = name
        self._ahead = b""
        self._ended = False
        self.done = 0
        self.total: int | None = None
        self.before_waiting: Callable[[], None] | None = None
        try:
            found = os.fstat(source.fileno())
            self.total = found.st_size if stat.S_ISREG(found.st_mode) else None
        except (OSError, ValueError):
            pass
        # No more than it takes to see what this is: the other end may be waiting for an answer to a short first line.
        while len(self._ahead) < _FIRST and len(self._ahead.lstrip()) < 2:
            if not (more := self._more(_FIRST - len(self._ahead))):
                break
            self._ahead += more
        self.first = self._ahead

    def _more(self, count: int) -> bytes:
        if self._ended:
            return b""
        try:
            while (data := self._source.read(count)) is None:
                # A pipe that somebody made non-blocking has nothing yet; that is not its end.
                select.select([self._source], [], [])
        except OSError as fault:
            raise _files.unreadable(self._name, fault) from None
        # A terminal would ask for its end a second time.
        self._ended = not data
        return data

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: object, /) -> int:
        """Read what there is, at most as much as the buffer holds."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        if self._ahead:
            data, self._ahead = self._ahead[: len(view)], self._ahead[len(view) :]
        else:
            if self.total is None and self.before_waiting is not None:
                self.before_waiting()
            data = self._more(len(view))
        view[: len(data)] = data
        self.done += len(data)
        return len(data)


@contextmanager
def opened(path: Path | None) -> Iterator[Input]:
    """A file, or standard input for None and ``-``; opened once, so that a pipe will do."""
    if path is None or str(path) == "-":
        if sys.stdin is None:
            raise error("FileUnreadable", f"to read {_STDIN}", "it is closed")
        yield Input(cast("io.RawIOBase", getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)), _STDIN)
        return
    with _files.reading(path) as descriptor, open(descriptor, "rb", buffering=0, closefd=False) as file:
        yield Input(file, str(path))


DATABASE = b"SQLite format 3\0"
"""How a realm's file begins."""


@contextmanager
def opened_realm(path: Path | None) -> Iterator[Input]:
    """As ``opened``; of a realm's file its transcript, as it is at one moment."""
    if path is None or str(path) == "-" or not is_database(path):
        with opened(path) as source:
            yield source
        return
    data = RealmFile.open(path).export()
    source = Input(cast("io.RawIOBase", io.BytesIO(data)), str(path))
    source.total = len(data)
    yield source


def is_database(path: Path) -> bool:
    """Whether a file is a realm's file, or another database; it says itself which, where it is opened."""
    try:
        with open(path, "rb") as file:
            # A pipe gives what it has only once.
            return stat.S_ISREG(os.fstat(file.fileno()).st_mode) and file.read(len(DATABASE)) == DATABASE
    except (OSError, ValueError):
        # Whoever opens it next says what is wrong with it.
        return False


def read_input(path: Path | None, limit: int) -> bytes:
    """A whole file, or standard input for None and ``-``. Raises ``SizeLimit`` above ``limit`` bytes."""
    with opened(path) as source:
        return read_whole(source, limit)


def read_whole(source: Input, limit: int) -> bytes:
    """The rest of an input. Raises ``SizeLimit`` above ``limit`` bytes."""
    data = io.BufferedReader(source).read(limit + 1)
    if len(data) > limit:
        raise error("SizeLimit", f"at most {limit} bytes", "more")
    return data


def read_body(path: Path | None) -> bytes:
    """A body; ``BodyLimit`` above 256 KiB."""
    if path is None and sys.stdin is not None and sys.stdin.isatty():
        tell("The body, from the terminal; end it with Ctrl-D.")
    try:
        return read_input(path, MAX_BODY)
    except Ama2Error as fault:
        if fault.code != "SizeLimit":
            raise
    raise error("BodyLimit", f"a body of at most {MAX_BODY} bytes", "a longer one")


def must_not_exist(path: Path) -> None:
    """Say that a file is in the way before anybody is asked for a passphrase; the write itself decides (``FileExists``)."""
    if os.path.lexists(path):
        raise _files.exists(path)


def write_output(path: Path | None, data: bytes) -> None:
    """A whole new file, or standard output for None and ``-``."""
    if path is None or str(path) == "-":
        write(data)
        flush()
        return
    _files.write_whole(path, data, replace=False)
