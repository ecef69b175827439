"""The forms of which claims are made (spec envelope.5.5): each value whole before the next is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeAlias, TypeVar

from ama2sec.errors import error
from ama2sec.limits import MAX_RECIPIENTS
from ama2sec.reference.codec import Value, encode
from ama2sec.reference.names import check_name

Address: TypeAlias = bytes | str
"""An id, or a name: in a realm a group, outside of one whom the reader's directory calls so."""

_T = TypeVar("_T")


def read_list(value: Value, what: str, most: int, read: Callable[[Value], _T]) -> tuple[_T, ...]:
    """A list whose elements ascend strictly by their encoded bytes; its length first, then each element whole."""
    if not isinstance(value, list):
        refuse("ClaimType", f"{what} in an array", kind_of(value))
    if len(value) > most:
        refuse("TooMany", f"{what}: at most {most}", str(len(value)))
    found: list[_T] = []
    before = b""
    for item in value:
        found.append(read(item))
        encoding = encode(item)
        if encoding <= before:
            refuse("ListOrder", f"{what} in ascending order", encoding[:32].hex())
        before = encoding
    return tuple(found)


def read_addresses(value: Value, what: str) -> tuple[Address, ...]:
    """Addresses in ascending order."""
    return read_list(value, what, MAX_RECIPIENTS, read_address)


def read_address(value: Value) -> Address:
    """An id or a name."""
    return read_name(value, "an address") if isinstance(value, str) else read_id(value, "an address")


def read_array(value: Value, what: str, length: int) -> list[Value]:
    """An array of exactly this length; its elements are not looked at."""
    if not isinstance(value, list) or len(value) != length:
        refuse("ClaimType", f"{what} as an array of {length}", kind_of(value))
    return value


def read_bytes(value: Value, what: str, length: int) -> bytes:
    """A byte string of exactly this length."""
    if not isinstance(value, bytes) or len(value) != length:
        refuse("ClaimType", f"{what} as {length} bytes", kind_of(value))
    return value


def read_id(value: Value, what: str) -> bytes:
    """32 bytes."""
    return read_bytes(value, what, 32)


def read_id_or_null(value: Value, what: str) -> bytes | None:
    """32 bytes, or null."""
    return None if value is None else read_id(value, what)


def read_uint(value: Value, what: str, end: int) -> int:
    """An unsigned integer below ``end``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        refuse("ClaimType", f"{what} as an unsigned integer", kind_of(value))
    if value >= end:
        refuse("ClaimRange", f"{what} below {end}", str(value))
    return value


def read_name(value: Value, what: str) -> str:
    """A text that is a name (identity.3.1)."""
    if not isinstance(value, str):
        refuse("ClaimType", f"{what} that is a text", kind_of(value))
    return check_name(value)


def kind_of(value: Value) -> str:
    """What a value is, in a few words."""
    if isinstance(value, bytes | list):
        return f"{'bytes' if isinstance(value, bytes) else 'an array'} of {len(value)}"
    return {int: "an integer", str: "a text", bool: "a boolean", dict: "a map"}.get(type(value), "null")


def refuse(code: str, expected: str, got: str) -> NoReturn:
    """Raise the error of a code."""
    raise error(code, expected, got)
