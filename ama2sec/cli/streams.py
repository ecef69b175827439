"""Many messages in one input: a conversation, a bare sequence of entries, or JSON lines; read in bounded memory."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

from ama2sec._native import TranscriptReader
from ama2sec.cli.inputs import Input
from ama2sec.errors import Ama2Error, error
from ama2sec.limits import MAX_BODY, MAX_ITEM

__all__ = ["is_conversation", "is_lines", "is_sequence", "items", "lines"]

_CHUNK = 1 << 18
# A line holds at most an entry or a body in hex, and some names.
_MAX_LINE = 2 * max(MAX_ITEM, MAX_BODY) + 65536


def is_conversation(first: bytes) -> bool:
    """Whether these first bytes are a transcript's (fingerprint.5.1)."""
    return first.startswith(b"\x83\x00")


def is_sequence(first: bytes) -> bool:
    """Whether an entry begins here (fingerprint.5.3)."""
    return first.startswith(b"\x83") and not is_conversation(first)


def is_lines(first: bytes) -> bool:
    """Whether these are JSON lines."""
    return first.lstrip()[:1] == b"{"


def items(source: Input) -> Iterator[bytes | Ama2Error]:
    """Each message of an input as bytes, or, where one cannot be read, its fault; a fault of the framing is the last."""
    if is_lines(source.first):
        yield from (line if isinstance(line, Ama2Error) else _entry_of(line) for line in lines(source))
        return
    reader = TranscriptReader(bare=not is_conversation(source.first))
    try:
        while chunk := source.read(_CHUNK):
            yield from reader.feed(chunk)
        left = reader.finish()
    except Ama2Error as fault:
        yield fault
        return
    if left:
        yield error("Truncated", "a whole entry", f"{left} bytes of one")


def lines(source: Input) -> Iterator[bytes | Ama2Error]:
    """The lines that are not blank. One that is too long is a fault, and the last: where the next begins is not looked for."""
    buffered = io.BufferedReader(source, _CHUNK)
    while line := buffered.readline(_MAX_LINE + 1):
        if len(line) > _MAX_LINE:
            yield error("SizeLimit", f"lines of at most {_MAX_LINE} bytes", "a longer one")
            return
        if line.strip():
            yield line


def _entry_of(line: bytes) -> bytes | Ama2Error:
    try:
        found: Any = json.loads(line)
        return bytes.fromhex(found["entry"] if "entry" in found else found["envelope"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return error("EnvelopeForm", 'a line {"entry": hex} or {"envelope": hex}', "another line")
