"""What may be sent as a body (spec agent.2)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ama2sec.errors import Ama2Error
from ama2sec.limits import MAX_BODY
from ama2sec.realm.bodies import BYTES, JSON, TEXT, decode_json, decode_text, encode_body


class Order:
    """Writes itself as a pydantic model does."""

    def model_dump_json(self) -> str:
        return '{"sku":7}'


def test_each_form_has_its_media_type() -> None:
    assert encode_body(b"\0\xff") == (b"\0\xff", BYTES)
    assert encode_body("grün") == ("grün".encode(), TEXT)
    assert encode_body({"b": 1, "a": [None, "ü"]}) == ('{"b":1,"a":[null,"ü"]}'.encode(), JSON)
    assert encode_body([]) == (b"[]", JSON)
    assert encode_body(Order()) == (b'{"sku":7}', JSON)


def test_a_pydantic_model_is_sent_as_the_json_that_it_writes() -> None:
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("Order", sku=(int, ...))
    assert encode_body(model(sku=7)) == (b'{"sku":7}', JSON)


JSON_VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(JSON_VALUES, max_size=4) | st.dictionaries(st.text(), JSON_VALUES, max_size=4))
def test_what_json_holds_comes_back_as_it_was(value: Any) -> None:
    try:
        data, _ = encode_body(value)
    except Ama2Error as fault:
        # Python's text can hold half a surrogate pair, UTF-8 cannot.
        assert fault.code == "ArgumentRange"
        assert "\\ud" in json.dumps(value)
        return
    assert decode_json(data) == value


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (7, "ArgumentType"),
        (None, "ArgumentType"),
        (bytearray(b"x"), "ArgumentType"),
        (("a",), "ArgumentType"),
        (Order, "ArgumentType"),
        ({"x": object()}, "ArgumentRange"),
        ({"x": float("nan")}, "ArgumentRange"),
        ("\ud800", "ArgumentRange"),
        (b"x" * (MAX_BODY + 1), "BodyLimit"),
        ("ü" * (MAX_BODY // 2 + 1), "BodyLimit"),
    ],
)
def test_what_is_no_body(body: Any, code: str) -> None:
    with pytest.raises(Ama2Error) as caught:
        encode_body(body)
    assert caught.value.code == code


def test_the_largest_body_is_one() -> None:
    assert len(encode_body(b"x" * MAX_BODY)[0]) == MAX_BODY


@pytest.mark.parametrize("data", [b"{", b'{"a":NaN}', b'{"a":1,"a":2}', b"[" * 100_000, b""])
def test_what_is_not_json_is_the_senders_fault(data: bytes) -> None:
    with pytest.raises(Ama2Error) as caught:
        decode_json(data)
    assert (caught.value.code, caught.value.blame) == ("BodyForm", "peer")


def test_what_is_not_text_is_the_senders_fault() -> None:
    for decode in (decode_text, decode_json):
        with pytest.raises(Ama2Error) as caught:
            decode(b"\xff")
        assert (caught.value.code, caught.value.blame) == ("Utf8Invalid", "peer")
