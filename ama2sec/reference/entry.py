"""An entry: the form in which one message travels (spec envelope.7, fingerprint.5.3)."""

from __future__ import annotations

from typing import TypeAlias

from ama2sec.errors import error
from ama2sec.limits import MAX_ITEM
from ama2sec.reference.codec import Value, decode

BodyPart: TypeAlias = tuple[bytes, bytes]
"""A body and its salt."""

ENTRY = 1


def read_entry(item: Value) -> tuple[bytes, BodyPart | None]:
    """The envelope of an entry, which is not looked into, and the body, if it is there; else ``ItemForm``."""
    match item:
        case [kind, bytes(envelope), None] if kind is not True and kind == ENTRY:
            return envelope, None
        case [kind, bytes(envelope), [bytes(salt), bytes(body)]] if (
            kind is not True and kind == ENTRY and len(salt) == 32
        ):
            return envelope, (body, salt)
    raise error("ItemForm", "[1, envelope, null or [salt, body]]", "another form")


def split_message(data: bytes) -> tuple[bytes, BodyPart | None]:
    """Both forms in which a message travels: an entry (first byte 83), or the bare envelope."""
    if data[:1] != b"\x83":
        return data, None
    if len(data) > MAX_ITEM:  # fingerprint.5.6
        raise error("SizeLimit", f"an entry of at most {MAX_ITEM} bytes", f"{len(data)}")
    return read_entry(decode(data))
