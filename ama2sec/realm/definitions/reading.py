"""A definition as people write it: one document of YAML's safe subset, and the line and column of every value (spec workflow.6.1).

The nodes are made here, from the parser's events: so nesting and size are bounded before anything is built, and what YAML would read
in more than one way (``no``, ``1_000``, ``1:30``, ``~``, a date) is refused where it stands without quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ama2sec.errors import error
from ama2sec.realm.definitions.form import Path, kind
from ama2sec.realm.definitions.model import Unfit

__all__ = ["MAX_TEXT", "Place", "Places", "read_yaml"]

MAX_TEXT: Final = 256 * 1024
MAX_NODES: Final = 16_384
MAX_NESTED: Final = 40
_EXTRA: Final = "the extra ama2sec[workflows], for definitions as YAML (pip install 'ama2sec[workflows]')"
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_LITERALS: Final = {"true": True, "false": False, "null": None}
# What YAML 1.2 reads as something else than a text, and 1.1 does not.
_NEWER: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+")


class Place(NamedTuple):
    """From 1, as editors count."""

    line: int
    column: int


_BEGIN: Final = Place(1, 1)


class Places:
    """Where everything stands, by its path."""

    def __init__(self) -> None:
        self._found: dict[Path, Place] = {(): _BEGIN}

    def put(self, path: Path, place: Place) -> None:
        """Say where the value of a path stands; the first word counts."""
        self._found.setdefault(path, place)

    def of(self, path: Path) -> Place:
        """Of the value, or of the nearest that contains it."""
        while path not in self._found:
            path = path[:-1]
        return self._found[path]


@dataclass(slots=True)
class _Reader:
    """Values out of events; each event is taken once."""

    events: Iterator[Any]
    yaml: Any
    resolver: Any
    places: Places
    last: Place = _BEGIN
    nodes: int = 0

    def next(self) -> Any:
        event = next(self.events)
        mark = event.start_mark
        self.last = Place(mark.line + 1, mark.column + 1)
        return event

    def refuse(self, expected: str, got: str) -> Unfit:
        """At the event that was taken last."""
        return Unfit((), expected, got, self.last)

    def document(self) -> Any:
        self.next()
        begin = self.next()
        if isinstance(begin, self.yaml.StreamEndEvent):
            raise self.refuse("a definition", "an empty text")
        if begin.version is not None or begin.tags:
            raise self.refuse("no directives", "one")
        value = self.value(self.next(), (), 0)
        self.next()
        if not isinstance(self.next(), self.yaml.StreamEndEvent):
            raise self.refuse("one document", "another one")
        return value

    def value(self, event: Any, path: Path, depth: int) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_NESTED:
            raise self.refuse(f"at most {MAX_NODES} values, at most {MAX_NESTED} deep", "more")
        if isinstance(event, self.yaml.AliasEvent):
            raise self.refuse("no aliases: what is meant is written out", f"*{event.anchor[:40]}")
        if event.anchor is not None:
            raise self.refuse("no anchors", f"&{event.anchor[:40]}")
        if event.tag is not None:
            raise self.refuse("no tags", event.tag[:60])
        self.places.put(path, self.last)
        if isinstance(event, self.yaml.ScalarEvent):
            return self.scalar(event)
        if isinstance(event, self.yaml.SequenceStartEvent):
            listed: list[Any] = []
            while not isinstance(event := self.next(), self.yaml.SequenceEndEvent):
                listed.append(self.value(event, (*path, len(listed)), depth + 1))
            return listed
        return self.mapping(path, depth)

    def mapping(self, path: Path, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := self.next(), self.yaml.MappingEndEvent):
            key = self.key(event)
            if key in found:
                raise self.refuse("each key once", repr(key[:64]))
            self.places.put((*path, key, ""), self.last)
            at, event = self.last, self.next()
            if isinstance(event, self.yaml.CollectionStartEvent):
                # Of what is more than a word the key says where it stands; its first element may be far below.
                self.places.put((*path, key), at)
            found[key] = self.value(event, (*path, key), depth + 1)
        return found

    def key(self, event: Any) -> str:
        if not isinstance(event, self.yaml.ScalarEvent):
            raise self.refuse("a key of text", "a list, a mapping or an alias")
        if event.anchor is not None or event.tag is not None:
            raise self.refuse("no anchors and no tags", "one")
        key = self.scalar(event)
        if not isinstance(key, str):
            raise self.refuse("a key of text, in quotes where it looks like something else", event.value[:40])
        return key

    def scalar(self, event: Any) -> Any:
        """A text; unquoted also JSON's literals and numbers. What versions of YAML read differently is to be quoted."""
        text: str = event.value
        try:
            text.encode()
        except UnicodeEncodeError:
            raise self.refuse("well-formed text", "half a surrogate pair") from None
        if event.style is not None:
            return text
        if text in _LITERALS:
            return _LITERALS[text]
        if not text:
            raise self.refuse("a value, or the key left out", "nothing")
        if _NUMBER.fullmatch(text) and len(text) <= 40:
            return json.loads(text)
        tag = self.resolver.resolve(self.yaml.ScalarNode, text, (True, False))
        if tag != "tag:yaml.org,2002:str" or _NEWER.fullmatch(text):
            kind = tag.rpartition(":")[2]
            read = "as a number by some" if kind == "str" else f"as {kind} by some"
            raise self.refuse(
                "what YAML reads in one way; quote it, or write it as in JSON", f"{text[:40]!r}, read {read}"
            )
        return text


def read_yaml(text: str | bytes, places: Places) -> dict[str, Any]:
    """The definition that ``form.read_form`` judges; ``places`` learns where its values stand. Raises ``Unfit``."""
    try:
        import yaml
    except ImportError:
        raise error("DefinitionForm", _EXTRA, "no module yaml") from None
    raw = _decoded(text)
    reader = _Reader(iter(()), yaml, yaml.SafeLoader(""), places)
    try:
        reader.events = iter(yaml.parse(raw, Loader=yaml.SafeLoader))
        value = reader.document()
    except yaml.MarkedYAMLError as fault:
        if fault.problem_mark is not None:
            reader.last = Place(fault.problem_mark.line + 1, fault.problem_mark.column + 1)
        raise reader.refuse("YAML", (fault.problem or "something else")[:120]) from None
    except (yaml.YAMLError, ValueError, OverflowError) as fault:
        raise reader.refuse("YAML", _reason(fault)) from None
    return _listed(value)


def _reason(fault: Exception) -> str:
    reason = getattr(fault, "reason", None)
    return f"{reason or 'a character that cannot be read'}"[:120]


def _decoded(text: str | bytes) -> str:
    try:
        data = text.encode() if isinstance(text, str) else text
        if len(data) > MAX_TEXT:
            raise Unfit((), f"a text of at most {MAX_TEXT} bytes", "a longer one")
        return data.decode()
    except UnicodeError:
        raise Unfit((), "a text of UTF-8", "other bytes") from None


def _listed(value: Any) -> dict[str, Any]:
    """The steps as a list: their order is that of the text."""
    if not isinstance(value, dict):
        raise Unfit((), "a definition: workflow, start, rollback, steps", kind(value))
    steps = value.get("steps")
    if steps is None:
        return value
    if not isinstance(steps, dict):
        raise Unfit(("steps",), "steps: {name: step}", kind(steps))
    return {**value, "steps": list(steps.items())}
