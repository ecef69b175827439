"""From what YAML, the builder or a document says, to steps: every value judged once, by its place (spec workflow.1.1, workflow.6)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from ama2sec._native import check_name
from ama2sec.errors import Ama2Error, error
from ama2sec.limits import (
    MAX_APPROVALS,
    MAX_CONDITIONS,
    MAX_NEEDS,
    MAX_OUTPUT_TEXT,
    MAX_OUTPUTS,
    MAX_ROLLBACKS,
    MAX_SCHEMA,
    MAX_STEP_GROUPS,
    MAX_VISITS,
    MAX_WORKFLOW_STEPS,
    TIME_END,
)
from ama2sec.realm.definitions.document import ascending
from ama2sec.realm.definitions.model import RELATIONS, TYPES, AnyOf, Approvals, Condition, Rollback, Step, Unfit
from ama2sec.realm.definitions.payload import schema_text

__all__ = ["Parts", "kind", "milliseconds", "read_form"]

_INT_END: Final = 1 << 63
_UNITS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SPAN: Final = re.compile(r"(0|[1-9][0-9]{0,14})(ms|s|m|h|d)")
_TOP: Final = ("workflow", "start", "rollback", "steps")
_FIELDS: Final = (
    "by", "needs", "choice", "when", "approvals", "deadline", "visits", "terminal", "pivot", "outputs", "payload", "undo",
)  # fmt: skip

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """A definition whose every value has its form. What the values refer to is judged next (``soundness``)."""

    name: str
    start: str
    rollback: Rollback
    steps: tuple[Step, ...]


def read_form(raw: Mapping[str, Any], *, schemas: bool = True) -> Parts:
    """``steps`` in ``raw`` is a list of (name, fields). Without ``schemas`` payloads are text already, and stay it. Raises ``Unfit``."""
    _keys(raw, _TOP, ("workflow", "steps"), ())
    name = _name(raw["workflow"], ("workflow",), "the name of the workflow")
    listed = raw["steps"]
    if not 1 <= len(listed) <= MAX_WORKFLOW_STEPS:
        raise Unfit(("steps",), f"1 to {MAX_WORKFLOW_STEPS} steps", str(len(listed)))
    names: list[str] = []
    for step, _ in listed:
        names.append(_name(step, ("steps", step, ""), "the name of a step"))
        if names.count(names[-1]) > 1:
            raise Unfit(("steps", step, ""), "steps with distinct names", repr(step))
    start = names[0] if raw.get("start") is None else _step_name(raw["start"], ("start",), names)
    rollback = _rollback(raw["rollback"]) if raw.get("rollback") is not None else Rollback()
    return Parts(name, start, rollback, tuple(_step(step, fields, names, schemas) for step, fields in listed))


def _rollback(raw: Any) -> Rollback:
    path: Path = ("rollback",)
    given = _mapping(raw, path, "who may roll back: {by: [groups], at_most: how often}")
    _keys(given, ("by", "at_most"), ("by", "at_most"), path)
    groups = _names(given["by"], (*path, "by"), "a group", 0)
    return Rollback(groups, _integer(given["at_most"], (*path, "at_most"), 0, MAX_ROLLBACKS))


def _step(name: str, raw: Any, names: list[str], schemas: bool) -> Step:
    path: Path = ("steps", name)
    given = _mapping(raw, path, "a step: {by: [groups], needs: [steps], ...}")
    _keys(given, _FIELDS, ("by",), path)

    def said(field: str) -> Any:
        return given.get(field)

    def at(field: str) -> Path:
        return (*path, field)

    return Step(
        name,
        _names(given["by"], at("by"), "a group", 1),
        needs=() if said("needs") is None else _needs(said("needs"), at("needs"), names),
        choice=None if said("choice") is None else _step_name(said("choice"), at("choice"), names),
        when=() if said("when") is None else _when(said("when"), at("when"), names),
        approvals=None if said("approvals") is None else _approvals(said("approvals"), at("approvals"), names),
        deadline=None if said("deadline") is None else _deadline(said("deadline"), at("deadline")),
        visits=1 if said("visits") is None else _integer(said("visits"), at("visits"), 1, MAX_VISITS),
        terminal=_flag(said("terminal"), at("terminal")),
        pivot=_flag(said("pivot"), at("pivot")),
        outputs={} if said("outputs") is None else _outputs(said("outputs"), at("outputs")),
        payload=None if said("payload") is None else _payload(said("payload"), at("payload"), schemas),
        undo=None if said("undo") is None else _step_name(said("undo"), at("undo"), names),
    )


def _needs(raw: Any, path: Path, names: list[str]) -> tuple[str, ...] | AnyOf:
    listed, at = raw, path
    if isinstance(raw, Mapping):
        _keys(raw, ("any",), ("any",), path)
        listed, at = raw["any"], (*path, "any")
    least = 1 if isinstance(raw, Mapping) else 0
    found = [
        _step_name(one, (*at, number), names)
        for number, one in enumerate(_list(listed, at, "a list of steps, or {any: [steps]}", least, MAX_NEEDS))
    ]
    _distinct(found, at)
    steps = tuple(sorted(found, key=names.index))
    return AnyOf(*steps) if isinstance(raw, Mapping) else steps


def _when(raw: Any, path: Path, names: list[str]) -> tuple[Condition, ...]:
    listed = _list(raw, path, "a list of conditions", 0, MAX_CONDITIONS)
    return tuple(_condition(one, (*path, number), names) for number, one in enumerate(listed))


def _condition(raw: Any, path: Path, names: list[str]) -> Condition:
    given = _mapping(raw, path, "a condition: {step: a step, output: a name, equals: a value}")
    _keys(given, ("step", "output", *RELATIONS), ("step", "output"), path)
    relations = [name for name in RELATIONS if given.get(name) is not None]
    if len(relations) != 1:
        raise Unfit(path, "one of equals, at_most, at_least", " and ".join(relations) or "none")
    value = _value(given[relations[0]], (*path, relations[0]))
    if relations[0] != "equals" and type(value) is not int:
        raise Unfit((*path, relations[0]), f"an integer for {relations[0]}", repr(value)[:40])
    output = _name(given["output"], (*path, "output"), "the name of an output")
    return Condition(_step_name(given["step"], (*path, "step"), names), output, **{relations[0]: value})  # type: ignore[arg-type]


def _value(raw: Any, path: Path) -> bool | int | str:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, int):
        return _integer(raw, path, -_INT_END, _INT_END - 1)
    if isinstance(raw, str):
        if len(_utf8(raw, path)) > MAX_OUTPUT_TEXT:
            raise Unfit(path, f"a text of at most {MAX_OUTPUT_TEXT} bytes", "a longer one")
        return raw
    raise Unfit(path, "a boolean, an integer or a text", kind(raw))


def _approvals(raw: Any, path: Path, names: list[str]) -> Approvals:
    given = _mapping(raw, path, "approvals: {of: a step, count: how many, by: [groups]}")
    _keys(given, ("of", "count", "by"), ("of", "count", "by"), path)
    of = _step_name(given["of"], (*path, "of"), names)
    count = _integer(given["count"], (*path, "count"), 1, MAX_APPROVALS)
    return Approvals(of, count=count, by=_names(given["by"], (*path, "by"), "a group", 1))


def milliseconds(text: str) -> int:
    """A time span such as ``36h``. Raises ``ArgumentRange``."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise error("ArgumentRange", "a time span such as 36h (ms, s, m, h, d)", repr(text[:40]))
    return int(match[1]) * _UNITS[match[2]]


def _deadline(raw: Any, path: Path) -> int:
    expected = "a deadline such as 36h (ms, s, m, h, d; a number is ms), above 0"
    found = raw
    if isinstance(raw, timedelta):
        found = raw // timedelta(milliseconds=1)
    elif isinstance(raw, str):
        try:
            found = milliseconds(raw)
        except Ama2Error:
            raise Unfit(path, expected, repr(raw[:40])) from None
    if type(found) is not int or not 1 <= found < TIME_END:
        raise Unfit(path, expected, repr(raw)[:40])
    return found


def _outputs(raw: Any, path: Path) -> dict[str, str]:
    given = _mapping(raw, path, "outputs: {name: boolean, integer or text}")
    if len(given) > MAX_OUTPUTS:
        raise Unfit(path, f"at most {MAX_OUTPUTS} outputs", str(len(given)))
    for name, declared in given.items():
        _name(name, (*path, name), "the name of an output")
        if not isinstance(declared, str) or declared not in TYPES:
            raise Unfit((*path, name), "boolean, integer or text", _told(declared, TYPES))
    return {name: given[name] for name in ascending(list(given))}


def _payload(raw: Any, path: Path, schemas: bool) -> str:
    if schemas:
        return schema_text(raw, path)
    if not isinstance(raw, str) or not 1 <= len(raw.encode()) <= MAX_SCHEMA:
        raise Unfit(path, f"the text of a schema, of 1 to {MAX_SCHEMA} bytes", kind(raw))
    return raw


# -- values of any field -------------------------------------------------------------------------------------------


def _keys(given: Mapping[Any, Any], known: Sequence[str], asked: Sequence[str], path: Path) -> None:
    for key in given:
        if key not in known:
            raise Unfit((*path, key, ""), f"one of {', '.join(known)}", _told(key, known))
    for key in asked:
        if given.get(key) is None:
            raise Unfit(path, f"a value for {key}", "none")


def _mapping(raw: Any, path: Path, what: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise Unfit(path, what, kind(raw))
    return raw


def _list(raw: Any, path: Path, what: str, least: int, most: int) -> Sequence[Any]:
    if not isinstance(raw, (list, tuple)):
        raise Unfit(path, what, f"{kind(raw)}; a list is written [{raw}]" if isinstance(raw, str) else kind(raw))
    if not least <= len(raw) <= most:
        raise Unfit(path, f"{what}, {least} to {most} of them", str(len(raw)))
    return raw


def _names(raw: Any, path: Path, what: str, least: int) -> tuple[str, ...]:
    listed = _list(raw, path, f"a list of names, each {what}", least, MAX_STEP_GROUPS)
    found = [_name(one, (*path, number), what) for number, one in enumerate(listed)]
    _distinct(found, path)
    return ascending(found)


def _distinct(found: list[str], path: Path) -> None:
    for number, one in enumerate(found):
        if one in found[:number]:
            raise Unfit((*path, number), "each name once", repr(one))


def _name(raw: Any, path: Path, what: str) -> str:
    if not isinstance(raw, str):
        raise Unfit(path, f"{what}; what is no text is quoted", kind(raw))
    try:
        return check_name(raw)
    except Ama2Error:
        form = "1 to 64 lowercase letters, digits, '.', '_' and '-', a letter or digit first"
        raise Unfit(path, f"{what}: {form}", repr(raw[:64])) from None


def _step_name(raw: Any, path: Path, names: list[str]) -> str:
    found = _name(raw, path, "the name of a step")
    if found not in names:
        raise Unfit(path, "a step of this workflow", _told(found, names))
    return found


def _integer(raw: Any, path: Path, least: int, most: int) -> int:
    if type(raw) is not int:
        raise Unfit(path, "an integer", kind(raw))
    if not least <= raw <= most:
        raise Unfit(path, f"an integer from {least} to {most}", str(raw) if -_INT_END <= raw < _INT_END else "another")
    return raw


def _flag(raw: Any, path: Path) -> bool:
    if raw is None:
        return False
    if not isinstance(raw, bool):
        raise Unfit(path, "true or false", kind(raw))
    return raw


def _utf8(raw: str, path: Path) -> bytes:
    try:
        return raw.encode()
    except UnicodeEncodeError:
        raise Unfit(path, "well-formed text", "half a surrogate pair") from None


def kind(raw: Any) -> str:
    """What a value is, for people."""
    if isinstance(raw, str):
        return f"the text {raw[:64]!r}"
    if isinstance(raw, (bool, int, float)):
        return f"{str(raw).lower()[:40]}"
    kinds: dict[type, str] = {list: "a list", tuple: "a list", dict: "a mapping", type(None): "nothing"}
    return kinds.get(type(raw), type(raw).__name__)


def _told(found: Any, known: Collection[str]) -> str:
    if not isinstance(found, str):
        return kind(found)
    near = _nearest(found, known)
    return f"{found[:64]!r}; did you mean {near!r}?" if near else repr(found[:64])


def _nearest(found: str, known: Collection[str]) -> str | None:
    """The known name that was probably meant."""
    near = difflib.get_close_matches(found[:64], list(known), 1, 0.6)
    return near[0] if near else None
