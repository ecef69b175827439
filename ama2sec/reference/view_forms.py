"""Values of the JSON view, both ways (spec conform): bytes as lowercase hex, addresses, and forms that are told apart."""

from __future__ import annotations

from typing import Final, NoReturn, TypeAlias

from ama2sec.errors import error
from ama2sec.reference.codec import Value
from ama2sec.reference.forms import Address

Json: TypeAlias = "int | float | str | bool | list[Json] | dict[str, Json] | None"

_INT_END: Final = 1 << 63


def hex_or_null(value: bytes | None) -> str | None:
    """Bytes as JSON has them."""
    return None if value is None else value.hex()


def view_of_address(address: Address) -> str:
    """An id as hex, a name behind ``name:``."""
    return address.hex() if isinstance(address, bytes) else f"name:{address}"


def view_of_addresses(addresses: tuple[Address, ...] | None) -> Json:
    """A list of them, or null."""
    return None if addresses is None else [view_of_address(address) for address in addresses]


def read_address(value: Json) -> Value:
    """An address, back."""
    text = read_text(value)
    return text.removeprefix("name:") if text.startswith("name:") else read_bytes(text)


def read_members(value: Json, *names: str) -> list[Json]:
    """Exactly these members, in this order."""
    if not isinstance(value, dict) or set(value) != set(names):
        refuse(f"an object of {', '.join(names)}", "another form")
    return [value[name] for name in names]


def read_list(value: Json) -> list[Json]:
    """A list."""
    if not isinstance(value, list):
        refuse("a list", type(value).__name__)
    return value


def read_int(value: Json) -> int:
    """An integer that CBOR of this profile can hold."""
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT_END <= value < _INT_END:
        refuse("an integer in -2^63 .. 2^63-1", type(value).__name__)
    return value


def read_bool(value: Json) -> bool:
    """A boolean."""
    if not isinstance(value, bool):
        refuse("a boolean", type(value).__name__)
    return value


def read_text(value: Json) -> str:
    """A text."""
    if not isinstance(value, str):
        refuse("a text", type(value).__name__)
    return value


def read_bytes(value: Json) -> bytes:
    """Lowercase hex of any length."""
    text = read_text(value)
    if len(text) % 2 or text.strip("0123456789abcdef"):
        refuse("lowercase hex", "something else")
    return bytes.fromhex(text)


def read_bytes_or_null(value: Json) -> bytes | None:
    """The same, or null."""
    return None if value is None else read_bytes(value)


def refuse(expected: str, got: str) -> NoReturn:
    """``ConformQuestion``."""
    raise error("ConformQuestion", expected, got)
