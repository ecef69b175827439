"""Bodies and their schemas: what fits, whose fault it is, and that no schema can keep a check busy (spec workflow.5.1, workflow.6)."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ama2sec import Ama2Error
from ama2sec.realm.definitions import Definition, Step, check_payload

JSON = "application/json"
ORDER = {
    "type": "object",
    "required": ["sku", "quantity"],
    "properties": {"sku": {"type": "string", "pattern": "^[A-Z]{3}$"}, "quantity": {"$ref": "#/$defs/some"}},
    "$defs": {"some": {"type": "integer", "minimum": 1}},
}


def with_schema(payload: Any) -> Definition:
    return Definition.build(
        "x", steps=[Step("a", by=["g"], payload=payload), Step("z", by=["g"], needs=["a"], terminal=True)]
    )


def check(payload: Any, body: bytes | None, media_type: str | None = JSON, *, sending: bool = True) -> None:
    check_payload(with_schema(payload), "a", body, media_type, sending=sending)


@pytest.mark.parametrize("body", [b'{"sku": "ABC", "quantity": 1}', b'{"quantity":3,"sku":"XYZ","note":null}'])
def test_what_fits(body: bytes) -> None:
    check(ORDER, body)
    check(ORDER, body, "application/json; charset=utf-8", sending=False)


def test_a_step_without_a_schema_takes_anything() -> None:
    for body in (None, b"", b"\xff"):
        check_payload(with_schema(ORDER), "z", body, None, sending=True)
    with pytest.raises(Ama2Error, match="StepUnknown"):
        check_payload(with_schema(ORDER), "y", None, None, sending=True)


@pytest.mark.parametrize(
    ("body", "media_type", "words"),
    [
        (None, JSON, "got none"),
        (b'{"sku": "ABC", "quantity": 1}', None, "another media type"),
        (b'{"sku": "ABC", "quantity": 1}', "text/plain", "another media type"),
        (b'{"sku": "ABC", "quantity": 1', JSON, "no JSON"),
        (b'{"sku": "ABC", "quantity": 1, "sku": "ABD"}', JSON, "no JSON"),
        (b'{"sku": "ABC", "quantity": NaN}', JSON, "no JSON"),
        (b'{"sku": "\xff"}', JSON, "no JSON"),
        (b'{"sku": "secret-sku", "quantity": 1}', JSON, "by #/properties/sku/pattern"),
        (b'{"sku": "ABC", "quantity": 0}', JSON, "by #/$defs/some/minimum"),
        (b'{"secret": 1}', JSON, "by #/required"),
        (b"[]", JSON, "by #/type"),
        (b"[" * 100_000 + b"]" * 100_000, JSON, "got one"),
    ],
)
def test_what_does_not_fit(body: bytes | None, media_type: str | None, words: str) -> None:
    for sending, code, blame in ((True, "BodyUnfit", "caller"), (False, "BodySchema", "peer")):
        with pytest.raises(Ama2Error) as caught:
            check(ORDER, body, media_type, sending=sending)
        fault = caught.value
        assert (fault.code, fault.blame) == (code, blame)
        assert words in str(fault)
        assert "secret" not in str(fault), "nothing of a body is in an error"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "strin"}, "a JSON Schema of draft 2020-12"),
        ({"minLength": -1}, "minimum"),
        ({"properties": {"a": 7}}, "a JSON Schema of draft 2020-12"),
        ({"pattern": "("}, "pattern"),
        ({"pattern": "(?=a)b"}, "pattern"),
        ({"pattern": r"(a)\1"}, "pattern"),
        ({"pattern": "((a{1,1000}){1,1000}){1,1000}"}, "pattern"),
        ({"$ref": "https://example.org/schema.json"}, "begins with #"),
        ({"items": {"$ref": "other.json#/a"}}, "begins with #"),
        ({"$dynamicRef": "meta#x"}, "begins with #"),
        ({"$ref": 7}, "begins with #"),
        ({"$id": "https://example.org/a"}, "without $id"),
        ({"$defs": {"a": {"$id": "b"}}}, "without $id"),
        ({"$vocabulary": {}}, "without $id"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "draft/2020-12/schema"),
        ({"$ref": "#/$defs/none"}, "something in the schema"),
        ({"$ref": "#none"}, "something in the schema"),
        ({"$ref": "#"}, "no circle"),
        ({"allOf": [{"$ref": "#"}]}, "no circle"),
        ({"properties": {"left": {"$ref": "#"}}}, "no circle"),
        (
            {
                "$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"not": {"$ref": "#/$defs/a"}}},
                "$ref": "#/$defs/a",
            },
            "no circle",
        ),
        ({"$dynamicAnchor": "node", "items": {"$dynamicRef": "#node"}}, "no circle"),
        ({"enum": [1.5, float("inf")]}, "finite"),
        ({"enum": [1 << 63]}, "below 2^63"),
        ({"const": "\ud800"}, "well-formed"),
        ({1: 2}, "keys that are texts"),
        ({"const": b"x"}, "a value of JSON"),
        ({"description": "x" * 16_384}, "at most 16384 bytes"),
        ("{", "no JSON"),
        ("[]", "a mapping, true or false"),
        ('{"a": 1, "a": 2}', "no JSON"),
    ],
)
def test_what_is_no_schema_or_too_much_of_one(schema: Any, words: str) -> None:
    with pytest.raises(Ama2Error) as caught:
        with_schema(schema)
    assert caught.value.code == "DefinitionForm"
    assert words in str(caught.value)
    assert "in step 'a', payload" in str(caught.value)


def test_the_place_inside_a_schema_is_named() -> None:
    text = "workflow: x\nsteps:\n  a:\n    by: [g]\n    terminal: true\n    payload:\n      properties:\n        b: {type: strin}\n"
    with pytest.raises(Ama2Error) as caught:
        Definition.from_yaml(text)
    assert "at line 8, column 19" in str(caught.value)


def doubled(levels: int) -> dict[str, Any]:
    """A schema of a few hundred bytes that is 2^levels unrolled."""
    defs: dict[str, Any] = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**defs, f"a{levels}": {"type": "integer"}}, "$ref": "#/$defs/a0"}


def nested(levels: int, key: str = "unevaluatedProperties") -> dict[str, Any]:
    """Each level makes a validator look at what is inside more than once."""
    schema: dict[str, Any] = {"properties": {"a": True}, key: False}
    for _ in range(levels):
        schema = {"allOf": [schema], key: False}
    return schema


@pytest.mark.parametrize(
    ("fits", "too_much", "words"),
    [
        (doubled(8), doubled(25), "subschemas when it is unrolled"),
        (nested(3), nested(10), "subschemas when it is unrolled"),
        (nested(3, "unevaluatedItems"), nested(10, "unevaluatedItems"), "subschemas when it is unrolled"),
        (
            {
                "$defs": {f"a{n}": {"$ref": f"#/$defs/a{n + 1}"} for n in range(20)} | {"a20": True},
                "$ref": "#/$defs/a0",
            },
            {
                "$defs": {f"a{n}": {"$ref": f"#/$defs/a{n + 1}"} for n in range(400)} | {"a400": True},
                "$ref": "#/$defs/a0",
            },
            "64 schemas inside each other",
        ),
        (json.loads('{"not":' * 20 + "true" + "}" * 20), json.loads('{"not":' * 40 + "true" + "}" * 40), "32 levels"),
    ],
    ids=["references", "unevaluated properties", "unevaluated items", "a chain", "nesting"],
)
def test_the_work_of_a_check_is_bounded(fits: Any, too_much: Any, words: str) -> None:
    with_schema(fits)
    with pytest.raises(Ama2Error) as caught:
        with_schema(too_much)
    assert words in str(caught.value)


def test_a_schema_of_a_document_is_judged_before_it_is_used() -> None:
    """Another compiler may have made the document: what it lets a schema do is no matter here."""
    from tests.unit.test_definition_document import END, STEP, changed, document

    for schema in (json.dumps(doubled(40)), '{"$ref": "https://example.org/x"}', "{", "7", '{"$ref": "#"}', "[" * 8000):
        definition = Definition.from_document(document(changed(STEP, f11=schema), END))
        with pytest.raises(Ama2Error) as caught:
            check_payload(definition, "a", b"1", JSON, sending=False)
        assert caught.value.code == "BodySchema"


def test_patterns_take_linear_time() -> None:
    """With a backtracking engine this one does not come back."""
    body = json.dumps("a" * 50_000 + "!").encode()
    with pytest.raises(Ama2Error, match="BodyUnfit"):
        check({"pattern": "^(a+)+$"}, body)


def test_references_may_be_shared_escaped_and_named() -> None:
    schema = {
        "$defs": {"a/b~c": {"type": "integer"}, "named": {"$anchor": "word", "type": "string"}},
        "properties": {"x": {"$ref": "#/$defs/a~1b~0c"}, "y": {"$ref": "#word"}, "z": {"$ref": "#/properties/x"}},
        "prefixItems": [{"$ref": "#/$defs/a~1b~0c"}],
        "items": {"$ref": "#/prefixItems/0"},
    }
    check(schema, b'{"x": 1, "y": "a", "z": 2}')
    check(schema, b"[1, 2]")
    with pytest.raises(Ama2Error, match="BodyUnfit"):
        check(schema, b"[1, true]")
    check({"properties": {"$ref": {"type": "integer"}, "$id": True}}, b'{"$ref": 1}')


def schemas() -> st.SearchStrategy[Any]:
    small = st.integers(0, 4)
    leaf = st.one_of(
        st.booleans(),
        st.sampled_from(["integer", "string", "null", "array", "object", "number", "boolean"]).map(
            lambda kind: {"type": kind}
        ),
        small.map(lambda n: {"minimum": n}),
        small.map(lambda n: {"maxLength": n}),
        st.lists(small, min_size=1, max_size=3, unique=True).map(lambda found: {"enum": found}),
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda found: {"anyOf": found}),
            st.lists(inner, min_size=1, max_size=3).map(lambda found: {"oneOf": found}),
            inner.map(lambda one: {"not": one}),
            inner.map(lambda one: {"items": one}),
            inner.map(lambda one: {"additionalProperties": one}),
            st.tuples(inner, inner).map(lambda two: {"properties": {"a": two[0]}, "unevaluatedProperties": two[1]}),
            inner.map(lambda one: {"contains": one}),
        ),
        max_leaves=6,
    )


def bodies() -> st.SearchStrategy[Any]:
    leaf = st.none() | st.booleans() | st.integers(-2, 5) | st.text("ab", max_size=5) | st.sampled_from([0.5, 1.0])
    return st.recursive(
        leaf, lambda i: st.lists(i, max_size=3) | st.dictionaries(st.sampled_from("abc"), i, max_size=3), max_leaves=6
    )


@given(schemas(), bodies())
@settings(max_examples=300)
def test_it_agrees_with_another_validator(schema: Any, body: Any) -> None:
    fits = jsonschema.Draft202012Validator(schema).is_valid(body)
    try:
        check(schema, json.dumps(body).encode())
    except Ama2Error as fault:
        assert fault.code == "BodyUnfit"
        assert not fits
    else:
        assert fits
