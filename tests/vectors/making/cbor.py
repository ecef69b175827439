"""A CBOR writer that does as it is told: any width of a head, any order of keys, any bytes in the middle."""

from __future__ import annotations

import struct
from collections.abc import Sequence

Value = object

WIDTHS = (0, 1, 2, 4, 8)


class Raw(bytes):
    """Bytes that go into the output as they are."""


class Pairs(tuple[tuple[Value, Value], ...]):
    """A map whose keys stand in the order given, doubled where they are doubled."""

    __slots__ = ()


def head(major: int, number: int, width: int | None = None) -> bytes:
    """The head of an item; ``width`` 0, 1, 2, 4 or 8 forces a form, the default is the shortest."""
    if width is None:
        width = next(w for w, end in zip(WIDTHS, (24, 1 << 8, 1 << 16, 1 << 32, 1 << 64), strict=True) if number < end)
    if width == 0:
        return bytes([major << 5 | number])
    info = {1: 24, 2: 25, 4: 26, 8: 27}[width]
    return bytes([major << 5 | info]) + number.to_bytes(width, "big")


def wider(number: int) -> Sequence[int]:
    """The widths above the shortest that can hold the number."""
    shortest = len(head(0, number)) - 1
    return [width for width in WIDTHS if width > shortest]


def encode(value: Value) -> bytes:
    """One item: int, bytes, str, list, dict (its own order), Pairs, bool, None, float (double), Raw."""
    match value:
        case Raw():
            return bytes(value)
        case bool():
            return b"\xf5" if value else b"\xf4"
        case None:
            return b"\xf6"
        case int():
            return head(0, value) if value >= 0 else head(1, -1 - value)
        case float():
            return b"\xfb" + struct.pack(">d", value)
        case bytes():
            return head(2, len(value)) + value
        case str():
            return head(3, len(value.encode())) + value.encode()
        case list():
            return head(4, len(value)) + b"".join(map(encode, value))
        case Pairs():
            return head(5, len(value)) + b"".join(encode(k) + encode(v) for k, v in value)
        case dict():
            return encode(Pairs(value.items()))
    raise TypeError(type(value))
