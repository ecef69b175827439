"""The reference's codec: every fault by name, in reading order, and one encoding for each value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ama2sec.errors import Ama2Error
from ama2sec.reference import decode, encode


def code_of(data: bytes) -> str:
    try:
        assert encode(decode(data)) == data
    except Ama2Error as fault:
        return fault.code
    return "ok"


READ = {
    "00": 0,
    "17": 23,
    "1818": 24,
    "18ff": 255,
    "190100": 256,
    "1a00010000": 65536,
    "1b0000000100000000": 1 << 32,
    "1b7fffffffffffffff": (1 << 63) - 1,
    "20": -1,
    "3b7fffffffffffffff": -(1 << 63),
    "40": b"",
    "42beef": b"\xbe\xef",
    "60": "",
    "62c3bc": "\u00fc",
    "64f0908591": "\U00010151",
    "80": [],
    "83010203": [1, 2, 3],
    "a0": {},
    "a201026161f5": {1: 2, "a": True},
    "f4": False,
    "f6": None,
}
REFUSED = {
    "Truncated": ["", "18", "1900", "1a000000", "41", "61", "81", "a1", "a101", "9bffffffffffffffff", "bb8000000000000000", "5a00010000", "8201"],
    "TrailingBytes": ["0000", "f6f6", "8000", "4000"],
    "NotMinimal": ["1800", "1817", "1900ff", "1a0000ffff", "1b00000000ffffffff", "3800", "580100", "7800", "9800", "b800"],
    "IntRange": ["1b8000000000000000", "3b8000000000000000", "1bffffffffffffffff"],
    "IndefiniteLength": ["5f", "7f", "9f", "bf", "ff", "5f40ff", "a1ff00", "a15f40ff"],
    "FloatForbidden": ["f9", "f90000", "fa", "fb", "a1f900"],
    "TypeForbidden": [
        *("1c", "1d", "1e", "1f", "3f", "5c", "7d", "9e", "bc", "c0", "d2", "d280", "df", "d8", "e0", "f3", "f7", "f8", "f820", "fc", "fd", "fe"),
        *("a14000", "a18001", "a1a001", "a1f401", "a1f601"),
    ],
    "MapDuplicateKey": ["a201000100", "a2616100616100"],
    "MapKeyOrder": ["a202000100", "a26161002000", "a260000000", "a220000100"],
    "DepthLimit": ["81" * 8 + "80", "81" * 8 + "a0", "a101" * 8 + "a0"],
    "Utf8Invalid": ["61ff", "62c080", "63eda080", "64f4908080", "61c3", "a161ff00"],
}  # fmt: skip


def test_values_and_their_one_encoding() -> None:
    for text, value in READ.items():
        found = decode(bytes.fromhex(text))
        assert (found, type(found)) == (value, type(value)), text
        assert encode(value) == bytes.fromhex(text)


@pytest.mark.parametrize("code", REFUSED)
def test_each_fault_has_its_name(code: str) -> None:
    for text in REFUSED[code]:
        assert code_of(bytes.fromhex(text)) == code, text


def test_faults_are_met_in_reading_order() -> None:
    for text, code in {
        "a1f97b": "FloatForbidden",  # the head before what a key may be
        "a14300": "TypeForbidden",  # the key's type before its length
        "1b80": "Truncated",  # the argument's bytes before its range
        "1b00000000ffffff": "Truncated",  # and before its form
        "5b0000000000000001": "NotMinimal",  # the form before the length
        "81" * 8 + "82": "Truncated",  # the length before the depth
        "81" * 8 + "8141": "DepthLimit",  # the depth before the contents
        "8361ff": "Truncated",  # the outer length before the contents
        "8261ff": "Utf8Invalid",
        "a201ff": "Truncated",
        "a20100": "Truncated",  # two pairs take four bytes
        "a201000061": "MapKeyOrder",  # the key's order before its value
        "a2010001ff": "MapDuplicateKey",
        "a2616100": "Truncated",
        "0000ff": "TrailingBytes",
    }.items():
        assert code_of(bytes.fromhex(text)) == code, text


def test_eight_levels_are_allowed_and_where_they_end_is_told() -> None:
    assert code_of(b"\x81" * 7 + b"\x80") == "ok"
    assert code_of(bytes.fromhex("a100" * 7 + "a0")) == "ok"
    with pytest.raises(Ama2Error) as caught:
        decode(b"\x81" * 8 + b"\x80")
    assert caught.value.offset == 8


def test_a_declared_length_costs_nothing() -> None:
    for head in ("5b", "7b", "9b", "bb"):
        for length in (1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1):
            assert code_of(bytes.fromhex(head) + length.to_bytes(8, "big")) == "Truncated"


def test_input_deeper_than_any_stack() -> None:
    assert code_of(b"\x81" * 1_000_000) == "DepthLimit"
    assert code_of(b"\xa1" * 1_000_000) == "TypeForbidden"


keys = st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.text(max_size=5))
values = st.recursive(
    st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.binary(max_size=40), st.text(max_size=40), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=8,
)  # fmt: skip


@given(values)
def test_what_is_encoded_is_read_back(value: object) -> None:
    data = encode(value)  # type: ignore[arg-type]
    try:
        assert decode(data) == value
    except Ama2Error as fault:
        assert fault.code == "DepthLimit"


@given(st.binary(max_size=12))
def test_whatever_is_read_has_one_encoding(data: bytes) -> None:
    code_of(data)
