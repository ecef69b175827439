"""Verify a conversation that is kept as a file, in bounded memory (spec fingerprint.5, .6, .8)."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

from ama2sec import _files, _native
from ama2sec._native import Fingerprint
from ama2sec.errors import CATALOGUE, FAMILIES, Ama2Error, HistoryError, error
from ama2sec.identity import Directory

__all__ = ["ConversationReport", "TranscriptError", "parse_head", "verify_conversation"]

_CHUNK: Final = 1 << 20

Source = str | os.PathLike[str] | bytes | BinaryIO
Progress = Callable[[int, int], None]


class TranscriptError(HistoryError):
    """A conversation does not verify because one of its entries does not.

    ``code`` is that entry's own (a codec's, a signature's, ...), and so is ``exit_code``; ``report`` explains it.
    """

    def __init__(self, code: str, expected: str, got: str, offset: int | None = None) -> None:
        super().__init__(code, expected, got, offset)
        self.exit_code = FAMILIES[CATALOGUE[code].family].exit_code  # type: ignore[misc]

    def __reduce__(self) -> tuple[object, ...]:
        _, arguments, found = super().__reduce__()
        return (TranscriptError, arguments, found)


@dataclass(frozen=True, slots=True)
class ConversationReport:
    """What verifying a whole conversation found.

    ``head`` covers everything; keep it. ``lag`` is the most entries that any author had not seen when it spoke. ``tail`` is
    ``checked`` if a retained head was compared, else ``unchecked``: a tail that was cut off cannot be seen without one.
    """

    head: Fingerprint
    entries: int
    authors: int
    lag: int
    tail: str

    def to_json(self) -> dict[str, object]:
        """The report as plain data."""
        return {
            "head": str(self.head),
            "conversation": str(self.head.conversation),
            "entries": self.entries,
            "authors": self.authors,
            "lag": self.lag,
            "tail": self.tail,
        }


def verify_conversation(
    source: Source,
    directory: Directory,
    *,
    head: Fingerprint | str | None = None,
    progress: Progress | None = None,
) -> ConversationReport:
    """Verify a transcript: every signature, and that every author had seen what it says.

    ``source`` is a path, the bytes, or a binary file. ``head`` is one that the verifier kept from earlier (``Fingerprint``
    or its text ``size:hash``); without it the report says that a cut tail cannot be seen. ``progress`` is called with
    (bytes read, entries verified).

    Raises ``HistoryError`` with ``report`` (spec fingerprint.8) for the first fault: ``TranscriptError`` if it is the
    entry's own, ``StaleError`` if the history is shorter than ``head``. Raises ``FileUnreadable``, ``HeadForm``.
    Memory is one number for each author and a fixed window, whatever the length. Source: spec fingerprint.6.
    """
    retained = None if head is None else parse_head(head)
    if not isinstance(directory, Directory):
        raise error("ArgumentType", "a Directory", type(directory).__name__)
    with _opened(source) as stream:
        verifier = _native.TranscriptVerifier(directory._core, retained)
        done = 0
        while chunk := _read(stream, source):
            verifier.feed(chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, verifier.entries)
        try:
            found = verifier.finish()
        except Ama2Error as fault:
            raise _as_history_error(fault) from None
    return ConversationReport(found.head, found.entries, found.authors, found.lag, found.tail)


def parse_head(head: Fingerprint | str) -> tuple[int, bytes]:
    """Size and hash of a head, from the object or from its text ``size:hash``. Raises ``HeadForm``."""
    if isinstance(head, Fingerprint):
        return head.size, bytes(head.hash)
    if type(head) is not str:
        raise error("ArgumentType", "a Fingerprint or its text", type(head).__name__)
    return _native.parse_head(head)


def _as_history_error(fault: Ama2Error) -> HistoryError:
    if isinstance(fault, HistoryError):
        return fault
    raised = TranscriptError(fault.code, fault.expected, fault.got, fault.offset)
    raised.report = fault.report
    return raised


@contextmanager
def _opened(source: Source) -> Iterator[BinaryIO]:
    if type(source) is bytes:
        yield io.BytesIO(source)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        raise error("NotBytes", "bytes, exactly", type(source).__name__)
    elif isinstance(source, (str, os.PathLike)):
        with _files.reading(source) as descriptor, open(descriptor, "rb", buffering=0, closefd=False) as file:
            yield file
    elif hasattr(source, "read"):
        yield source
    else:
        raise error("ArgumentType", "a path, bytes or a binary file", type(source).__name__)


def _read(stream: BinaryIO, source: Source) -> bytes:
    try:
        chunk = stream.read(_CHUNK)
    except OSError as fault:
        raise _files.unreadable(source if isinstance(source, (str, os.PathLike)) else "<stream>", fault) from None
    if type(chunk) is not bytes:
        raise error("NotBytes", "a stream of bytes", type(chunk).__name__)
    return chunk
