"""The JSON Schemas of bodies: what may stand in a definition, and whether a body fits (spec workflow.5.1, workflow.6).

A schema decides how long a check takes, and comes from whoever wrote the definition. So it refers to nothing but itself, never to what
contains it, and unrolled it has a bounded size; its patterns are matched in linear time. Then a check takes at most the schema's
unrolled size for each value in the body.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ama2sec.errors import Ama2Error, error
from ama2sec.limits import MAX_SCHEMA
from ama2sec.realm.bodies import decode_json
from ama2sec.realm.definitions.model import TYPES, Output, Unfit

if TYPE_CHECKING:
    import jsonschema_rs

    from ama2sec.realm.definitions.definition import Definition

__all__ = ["check_outputs", "check_payload", "check_schema", "schema_text"]

MAX_NESTED: Final = 32
MAX_CHAIN: Final = 64
"""Subschemas and references on one way from the outermost schema."""
MAX_UNROLLED: Final = 2_048
"""Subschemas, each as often as it is referred to; below each ``unevaluated...`` they count four times."""
_PATTERN_BYTES: Final = 1 << 20
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_EXTRA: Final = "the extra ama2sec[workflows], for bodies with a schema (pip install 'ama2sec[workflows]')"

_UNEVALUATED: Final = frozenset({"unevaluatedItems", "unevaluatedProperties"})
_ONE: Final = _UNEVALUATED | frozenset(
    {"additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then"}
)
_MANY: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED: Final = frozenset({"dependentSchemas", "patternProperties", "properties"})
_KEPT: Final = frozenset({"$defs", "definitions"})
"""Schemas that stand by until something refers to them."""
_REFERENCES: Final = ("$ref", "$dynamicRef")
_FOREIGN: Final = ("$id", "$vocabulary", "$recursiveRef", "$recursiveAnchor")

Path = tuple[str | int, ...]


# -- in a definition -----------------------------------------------------------------------------------------------


def schema_text(raw: Any, path: Path) -> str:
    """The one text of a schema: JSON with sorted keys and without spaces. Raises ``Unfit`` for what is no schema, or too much of one."""
    if isinstance(raw, str):
        try:
            raw = decode_json(raw.encode())
        except (Ama2Error, UnicodeEncodeError):
            raise Unfit(path, "a JSON Schema", "a text that is no JSON") from None
    if not isinstance(raw, (Mapping, bool)):
        raise Unfit(path, "a JSON Schema: a mapping, true or false", type(raw).__name__)
    value = _plain(raw, path, 0)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Unfit(path, "a schema of well-formed text", "half a surrogate pair") from None
    if size > MAX_SCHEMA:
        raise Unfit(path, f"a schema of at most {MAX_SCHEMA} bytes as JSON", f"{size} bytes")
    check_schema(value, path)
    return text


def _plain(raw: Any, path: Path, depth: int) -> Any:
    """Values that JSON has; a number that is whole is written as a whole number."""
    if depth > MAX_NESTED:
        raise Unfit(path, f"a schema of at most {MAX_NESTED} levels", "a deeper one")
    if isinstance(raw, Mapping):
        for key in raw:
            if not isinstance(key, str):
                raise Unfit(path, "keys that are texts", type(key).__name__)
        return {key: _plain(value, (*path, key), depth + 1) for key, value in raw.items()}
    if isinstance(raw, (list, tuple)):
        return [_plain(value, (*path, number), depth + 1) for number, value in enumerate(raw)]
    if raw is None or isinstance(raw, (bool, str)):
        return raw
    if isinstance(raw, int) and abs(raw) < 1 << 63:
        return int(raw)
    if isinstance(raw, float) and math.isfinite(raw):
        return int(raw) if raw.is_integer() and abs(raw) < 1 << 53 else raw
    raise Unfit(path, "a value of JSON, its numbers finite and below 2^63", f"one of {type(raw).__name__}")


def check_schema(schema: Any, path: Path) -> None:
    """Raises ``Unfit`` where a schema is none, refers outside itself or to what contains it, or is too large unrolled."""
    for at, part in _subschemas(schema, ()):
        for key in _FOREIGN:
            if key in part:
                raise Unfit(
                    (*path, *at, key), "a schema without $id and $vocabulary, which refers to nothing outside", key
                )
        if part.get("$schema", _DIALECT) != _DIALECT:
            raise Unfit((*path, *at, "$schema"), f"{_DIALECT}, or no $schema", repr(part["$schema"])[:80])
        for key in _REFERENCES:
            if key in part and not (isinstance(part[key], str) and part[key].startswith("#")):
                raise Unfit(
                    (*path, *at, key), "a reference inside the schema, which begins with #", repr(part[key])[:80]
                )
    _Unrolled(schema, path).measure()
    try:
        _compiled(schema)
    except jsonschema_error() as fault:
        at = tuple(fault.instance_path)
        raise Unfit((*path, *at), "a JSON Schema of draft 2020-12", _said(fault)) from None
    except (ValueError, TypeError, OverflowError, RecursionError) as fault:
        raise Unfit(path, "a JSON Schema of draft 2020-12", str(fault).partition("\n")[0][:120]) from None


def _said(fault: Any) -> str:
    first: str = fault.message
    return first[:160]


def _subschemas(schema: Any, at: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every schema inside, those that only stand by as well."""
    if not isinstance(schema, dict):
        return
    yield at, schema
    for step, inner in _children(schema, _NAMED | _KEPT):
        yield from _subschemas(inner, (*at, *step))


def _children(schema: dict[str, Any], named: frozenset[str]) -> Iterator[tuple[Path, Any]]:
    for key, value in schema.items():
        if key in _ONE:
            yield (key,), value
        elif key in _MANY and isinstance(value, list):
            yield from (((key, number), inner) for number, inner in enumerate(value))
        elif key in named and isinstance(value, dict):
            yield from (((key, name), inner) for name, inner in value.items())


class _Unrolled:
    """How many subschemas a schema has when every reference is replaced by what it refers to."""

    def __init__(self, schema: Any, path: Path) -> None:
        self._schema, self._path = schema, path
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()
        self._anchors = {
            part[key]: part
            for _, part in _subschemas(schema, ())
            for key in ("$anchor", "$dynamicAnchor")
            if isinstance(part.get(key), str)
        }

    def measure(self) -> None:
        self._size(self._schema, (), 0, reference=False)

    def _size(self, schema: Any, at: Path, depth: int, *, reference: bool) -> int:
        """``at`` is the place in the text: of what is behind a reference, that of the reference."""
        if not isinstance(schema, dict):
            return 1
        # By identity: a schema is a tree of dicts, and each stands in one place of it.
        if (known := self._sizes.get(id(schema))) is not None:
            return known
        if id(schema) in self._open:
            raise Unfit((*self._path, *at), "references that lead to no circle", "one back to what contains it")
        if depth > MAX_CHAIN:
            raise Unfit((*self._path, *at), f"at most {MAX_CHAIN} schemas inside each other", "more")
        self._open.add(id(schema))
        here = [((*at, *step), inner) for step, inner in _children(schema, _NAMED)]
        there = [((*at, key), schema[key]) for key in _REFERENCES if key in schema]
        inside = sum(
            self._size(inner, at if reference else place, depth + 1, reference=reference) for place, inner in here
        )
        for place, named in there:
            named_at = at if reference else place
            inside += self._size(self._target(named, named_at), named_at, depth + 1, reference=True)
        size = 1 + inside * (4 if _UNEVALUATED & schema.keys() else 1)
        self._open.discard(id(schema))
        if size > MAX_UNROLLED:
            raise Unfit(
                (*self._path, *at), f"a schema of at most {MAX_UNROLLED} subschemas when it is unrolled", "more"
            )
        self._sizes[id(schema)] = size
        return size

    def _target(self, reference: str, at: Path) -> Any:
        from urllib.parse import unquote

        pointer = unquote(reference[1:])
        if pointer and not pointer.startswith("/"):
            if pointer in self._anchors:
                return self._anchors[pointer]
            raise Unfit((*self._path, *at), "a reference to something in the schema", repr(reference)[:80])
        found = self._schema
        for part in pointer.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            try:
                found = found[int(key)] if isinstance(found, list) else found[key]
            except (KeyError, IndexError, ValueError, TypeError):
                raise Unfit(
                    (*self._path, *at), "a reference to something in the schema", repr(reference)[:80]
                ) from None
        return found


def _nowhere(uri: str) -> NoReturn:
    """The validator never fetches anything."""
    raise ValueError(f"a reference outside the schema: {uri[:80]}")


def _library() -> Any:
    try:
        import jsonschema_rs as library
    except ImportError:
        raise error("DefinitionForm", _EXTRA, "no module jsonschema_rs") from None
    return library


def jsonschema_error() -> type[jsonschema_rs.ValidationError]:
    """The exception of the validator."""
    found: type[jsonschema_rs.ValidationError] = _library().ValidationError
    return found


def _compiled(schema: Any) -> jsonschema_rs.Draft202012Validator:
    library = _library()
    # The engine without look-around and back references: its time is linear in the text, whatever the pattern.
    patterns = library.RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES)
    made: jsonschema_rs.Draft202012Validator = library.Draft202012Validator(
        schema, retriever=_nowhere, pattern_options=patterns, validate_formats=False
    )
    return made


# -- for a body ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _validator(text: str) -> jsonschema_rs.Draft202012Validator:
    """Of a schema out of a document, which need not come from this compiler: it is judged again. Raises ``Unfit``."""
    try:
        schema = decode_json(text.encode())
    except Ama2Error:
        raise Unfit((), "a schema of JSON", "something else") from None
    if not isinstance(schema, (dict, bool)):
        raise Unfit((), "a JSON Schema", "something else")
    check_schema(_plain(schema, (), 0), ())
    return _compiled(schema)


def check_outputs(definition: Definition, step: str, outputs: Mapping[str, Output], *, sending: bool) -> None:
    """Hold what a transition signs against what its step declares: all of it, each of its type, and nothing else.

    Raises ``ArgumentRange`` (``sending``: the caller's) or ``NoteOnly`` (nobody may act on it). Source: spec workflow.5.1.
    """
    declared = definition.step(step).outputs
    code = "ArgumentRange" if sending else "NoteOnly"
    kinds = dict(zip((bool, int, str), TYPES, strict=True))
    told = {name: kinds.get(type(value), type(value).__name__) for name, value in outputs.items()}
    if told != dict(declared):
        raise error(code, f"{_listed(declared)} as outputs of {step}", _listed(told))


def _listed(outputs: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {kind}" for name, kind in sorted(outputs.items())) or "nothing"


def check_payload(
    definition: Definition, step: str, body: bytes | None, media_type: str | None, *, sending: bool
) -> None:
    """Hold the body of a transition against the schema of its step; a step without one takes any body, or none.

    Raises ``BodyUnfit`` (``sending``: the caller's) or ``BodySchema`` (the peer's) where it is no JSON or does not fit; the error names
    the place in the schema, and nothing of the body. Source: spec workflow.5.1.
    """
    text = definition.step(step).payload
    if not isinstance(text, str):
        return
    code = "BodyUnfit" if sending else "BodySchema"
    expected = f"a body that fits the schema of {step}"
    if body is None:
        raise error(code, expected, "none")
    if media_type is None or media_type.partition(";")[0].strip().lower() != "application/json":
        raise error(code, f"{expected}: application/json", "another media type")
    try:
        value = decode_json(body)
    except Ama2Error:
        raise error(code, expected, "one that is no JSON") from None
    try:
        validator = _validator(text)
    except Unfit as fault:
        raise error(code, f"{expected}, {fault.expected}", fault.got) from None
    failure: str | None = None
    try:
        validator.validate(value)
    except jsonschema_error() as fault:
        failure = "#" + "".join(f"/{part}" for part in fault.schema_path)
    except (ValueError, TypeError, OverflowError, RecursionError):
        failure = "what can be held against it: nesting, size of numbers"
    if failure is not None:
        raise error(code, expected, f"one that does not, by {failure}")
