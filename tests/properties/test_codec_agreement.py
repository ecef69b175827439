"""The two strict decoders, and a third that is naive: the same verdict on every input, and the first two the same code."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ama2sec import Ama2Error
from ama2sec._native import check_cbor
from ama2sec.reference import decode
from tests.vectors.making.cbor import Raw, encode, head


def naive(data: bytes, depth: int = 0) -> int | None:
    """The length of the strict item at the beginning, or None. One recursive function, nothing shared with the others."""
    if not data:
        return None
    major, info = data[0] >> 5, data[0] & 31
    if major == 6 or info > 27:
        return None
    if major == 7:
        return 1 if info in (20, 21, 22) else None
    width = 0 if info < 24 else 1 << info - 24
    if len(data) < 1 + width:
        return None
    value = info if not width else int.from_bytes(data[1 : 1 + width], "big")
    at = 1 + width
    if width and value < (24 if width == 1 else 256 ** (width // 2)):
        return None
    if major < 2:
        return at if value < 2**63 else None
    if major < 4:
        if len(data) < at + value:
            return None
        if major == 3:
            try:
                data[at : at + value].decode()
            except UnicodeDecodeError:
                return None
        return at + value
    if depth == 8 or value > len(data):
        return None
    before = b""
    for _ in range(value):
        for part in ("key", "value") if major == 5 else ("value",):
            size = naive(data[at:], depth + 1)
            if size is None:
                return None
            if part == "key":
                key = data[at : at + size]
                if key <= before or key[0] >> 5 not in (0, 1, 3):
                    return None
                before = key
            at += size
    return at


def verdict(data: bytes) -> str:
    """The code of both, which must be one, and fit what the naive decoder says."""
    codes = []
    for check in (check_cbor, decode):
        try:
            check(data)
        except Ama2Error as fault:
            codes.append(fault.code)
        else:
            codes.append("ok")
    assert codes[0] == codes[1], data.hex()
    assert (codes[0] == "ok") == (naive(data) == len(data)), (codes[0], data.hex())
    return codes[0]


def test_all_strings_of_up_to_two_bytes() -> None:
    """Of three bytes the core's own test has all, against a naive decoder of its own."""
    codes = {verdict(bytes(each)) for length in range(3) for each in itertools.product(range(256), repeat=length)}
    assert codes == {
        "ok", "Truncated", "TrailingBytes", "NotMinimal", "IndefiniteLength", "FloatForbidden", "TypeForbidden", "Utf8Invalid",
    }  # fmt: skip


@pytest.mark.parametrize("first", [0x62, 0x82, 0xA1], ids=hex)
def test_all_strings_of_three_bytes_behind_heads_that_leave_a_choice(first: int) -> None:
    accepted = sum(verdict(bytes((first, a, b))) == "ok" for a in range(256) for b in range(256))
    # Texts of two bytes; two of the 55 items of one byte; one of the 49 keys of one byte with an item.
    assert accepted == {0x62: 128 * 128 + 30 * 64, 0x82: 55**2, 0xA1: 49 * 55}[first]


KEYS = st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | KEYS | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def in_order(value: object) -> object:
    """The same value, its maps in the order of the profile."""
    if isinstance(value, list):
        return [in_order(each) for each in value]
    if isinstance(value, dict):
        return dict(sorted(((k, in_order(v)) for k, v in value.items()), key=lambda pair: encode(pair[0])))
    return value


def depth(value: object) -> int:
    """How deep arrays and maps nest."""
    if isinstance(value, list | dict):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(map(depth, inner), default=0)
    return 0


@settings(deadline=None, max_examples=120)
@given(VALUES)
def test_every_value_of_the_profile_has_one_encoding_that_is_read(value: object) -> None:
    data = encode(in_order(value))
    if depth(value) > 8:
        assert verdict(data) == "DepthLimit"
    else:
        assert verdict(data) == "ok"
        assert decode(data) == value
        assert verdict(data + b"\0") == "TrailingBytes"
        assert all(verdict(data[:end]) == "Truncated" for end in range(len(data)))


PIECES = st.sampled_from(
    [head(major, number, width) for major in range(7) for number, width in ((0, None), (1, None), (1, 1), (24, None), (2**63, None), (3, 8))]
    + [bytes([byte]) for byte in (0x5F, 0x7F, 0x9F, 0xBF, 0xFF, 0xF7, 0xF8, 0xF9, 0xFB, 0x1C, 0x61, 0xC3, 0xA9, 0xED)]
)  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_damaged_encodings_are_judged_alike(data: st.DataObject) -> None:
    whole = encode(in_order(data.draw(VALUES)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole)))
        take = data.draw(st.integers(0, 3))
        whole = whole[:at] + data.draw(PIECES | st.binary(max_size=2)) + whole[at + take :]
    verdict(whole)


@settings(deadline=None, max_examples=400)
@given(st.lists(PIECES | st.binary(max_size=3), max_size=12).map(b"".join))
def test_heads_in_any_row_are_judged_alike(data: bytes) -> None:
    verdict(data)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(KEYS, st.none()), min_size=2, max_size=6))
def test_maps_with_keys_in_any_order(pairs: list[tuple[object, None]]) -> None:
    keys = [encode(key) for key, _ in pairs]
    data = head(5, len(pairs)) + b"".join(key + b"\xf6" for key in keys)
    expected = "ok"
    for before, key in itertools.pairwise(keys):
        if key <= before:
            expected = "MapDuplicateKey" if key == before else "MapKeyOrder"
            break
    assert verdict(data) == expected
    assert verdict(encode(Raw(data))) == expected
