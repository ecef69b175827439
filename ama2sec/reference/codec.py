"""Strict deterministic CBOR (spec envelope.3; RFC 8949, 4.2.1): one encoding for each value, and no other is read."""

from __future__ import annotations

from typing import Final, NoReturn, TypeAlias

from ama2sec.errors import error
from ama2sec.limits import MAX_DEPTH

Value: TypeAlias = "int | bytes | str | bool | list[Value] | dict[int | str, Value] | None"

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_SIMPLES: Final[dict[int, bool | None]] = {20: False, 21: True, 22: None}
_INT_END: Final = 1 << 63


def decode(data: bytes, start: int = 0) -> Value:
    """The one item that ``data[start:]`` is, to its last byte; else the error of the first fault in reading order."""
    value, at = decode_first(data, start, len(data))
    if at != len(data):
        raise error("TrailingBytes", f"{at - start} bytes", f"{len(data) - at} more", at)
    return value


def decode_first(data: bytes, start: int, end: int) -> tuple[Value, int]:
    """The first item of ``data[start:end]``, and where it ends."""
    reader = _Reader(data, start, end)
    return reader.item(0), reader.at


class _Reader:
    """The order of the faults is that of the lines (envelope.3.10)."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data = data
        self.at = start
        self.end = end

    def item(self, depth: int, *, is_key: bool = False) -> Value:
        """One item inside ``depth`` open arrays and maps."""
        start = self.at
        major, argument = self._head(is_key)
        if major in {_UNSIGNED, _NEGATIVE}:
            if argument >= _INT_END:
                _refuse("IntRange", "an integer in -2^63 .. 2^63-1", "one outside", start)
            return argument if major == _UNSIGNED else -1 - argument
        if major == _SIMPLE:
            return _SIMPLES[argument]
        least = 2 * argument if major == _MAP else argument  # bytes that so many elements take at least
        if least > self.end - self.at:
            _refuse("Truncated", f"{least} bytes", f"{self.end - self.at}", start)
        if major in {_BYTES, _TEXT}:
            return self._string(major, argument)
        if depth == MAX_DEPTH:
            _refuse("DepthLimit", f"at most {MAX_DEPTH} levels", "one more", start)
        if major == _ARRAY:
            return [self.item(depth + 1) for _ in range(argument)]
        return self._map(argument, depth + 1)

    def _head(self, is_key: bool) -> tuple[int, int]:
        start = self.at
        if start >= self.end:
            _refuse("Truncated", "an item", "the end", start)
        major, info = self.data[start] >> 5, self.data[start] & 31
        _check_head(major, info, start)
        if is_key and major not in {_UNSIGNED, _NEGATIVE, _TEXT}:
            _refuse("TypeForbidden", "an integer or a text as a key", f"major type {major}", start)
        self.at += 1
        if info < 24:
            return major, info
        width = 1 << (info - 24)
        if width > self.end - self.at:
            _refuse("Truncated", f"an argument of {width} bytes", f"{self.end - self.at}", start)
        argument = int.from_bytes(self.data[self.at : self.at + width], "big")
        self.at += width
        if argument < (24 if width == 1 else 1 << (4 * width)):
            _refuse("NotMinimal", "the shortest form", f"{argument} in {width} bytes", start)
        return major, argument

    def _string(self, major: int, length: int) -> bytes | str:
        start = self.at
        self.at += length
        raw = self.data[start : self.at]
        if major == _BYTES:
            return raw
        try:
            return raw.decode("utf-8", "strict")
        except UnicodeDecodeError:
            _refuse("Utf8Invalid", "well-formed UTF-8", raw[:32].hex(), start)

    def _map(self, pairs: int, depth: int) -> dict[int | str, Value]:
        found: dict[int | str, Value] = {}
        before = b""  # below every encoding
        for _ in range(pairs):
            start = self.at
            key = self.item(depth, is_key=True)
            encoding = self.data[start : self.at]
            if encoding == before:
                _refuse("MapDuplicateKey", "each key once", encoding[:32].hex(), start)
            if encoding < before:
                _refuse("MapKeyOrder", "keys in bytewise order", encoding[:32].hex(), start)
            before = encoding
            assert isinstance(key, int | str)  # noqa: S101  (_head has seen to it)
            found[key] = self.item(depth)
        return found


def _check_head(major: int, info: int, at: int) -> None:
    """Reserved and forbidden forms (envelope.3.4, 3.5)."""
    if info == 31 and major not in {_UNSIGNED, _NEGATIVE, _TAG}:
        _refuse("IndefiniteLength", "a definite length", f"head {major << 5 | info:02x}", at)
    if major == _SIMPLE and 25 <= info <= 27:
        _refuse("FloatForbidden", "no float", f"head {major << 5 | info:02x}", at)
    if info >= 28 or major == _TAG or (major == _SIMPLE and info not in _SIMPLES):
        _refuse("TypeForbidden", "a type of this profile", f"head {major << 5 | info:02x}", at)


def _refuse(code: str, expected: str, got: str, at: int) -> NoReturn:
    raise error(code, expected, got, at)


def encode(value: Value) -> bytes:
    """The one encoding of a value. Integers and lengths are below 2^64."""
    if value is None or isinstance(value, bool):
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
    if isinstance(value, int):
        return _encode_head(_UNSIGNED, value) if value >= 0 else _encode_head(_NEGATIVE, -1 - value)
    if isinstance(value, bytes):
        return _encode_head(_BYTES, len(value)) + value
    if isinstance(value, str):
        raw = value.encode("utf-8", "strict")
        return _encode_head(_TEXT, len(raw)) + raw
    if isinstance(value, list):
        return _encode_head(_ARRAY, len(value)) + b"".join(map(encode, value))
    pairs = sorted((encode(key), encode(item)) for key, item in value.items())
    return _encode_head(_MAP, len(pairs)) + b"".join(key + item for key, item in pairs)


def _encode_head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    info = next(info for info in (24, 25, 26, 27) if argument >> (8 << (info - 24)) == 0)
    return bytes([major << 5 | info]) + argument.to_bytes(1 << (info - 24), "big")
