"""The one string of bytes that a definition is (spec workflow.1.1): written, and read back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ama2sec._native import check_cbor
from ama2sec.errors import Ama2Error
from ama2sec.limits import MAX_DEFINITION
from ama2sec.realm.definitions.model import RELATIONS, TYPES, Rollback, Step, Unfit

__all__ = ["ascending", "decode", "encode_definition"]

_UNSIGNED, _NEGATIVE, _TEXT, _ARRAY, _MAP = 0, 1, 3, 4, 5


def ascending(names: Sequence[str]) -> tuple[str, ...]:
    """Names in the order of their encodings: shorter first."""
    return tuple(sorted(names, key=lambda name: (len(name.encode()), name.encode())))


def encode_definition(name: str, start: str, rollback: Rollback, steps: Sequence[Step]) -> bytes:
    """The document of steps whose form and references are sound. Raises ``Unfit`` above 61,440 bytes."""
    index = {step.name: number for number, step in enumerate(steps)}
    listed = [_step(step, index) for step in steps]
    document = _encode([1, name, index[start], [[*ascending(rollback.by)], rollback.at_most], listed])
    if len(document) > MAX_DEFINITION:
        raise Unfit((), f"a definition of at most {MAX_DEFINITION} bytes", f"{len(document)} bytes")
    return document


def _step(step: Step, index: dict[str, int]) -> list[Any]:
    def place(name: str | None) -> int | None:
        return None if name is None else index[name]

    asked = step.approvals
    return [
        step.name,
        [*ascending(step.by)],
        [int(step.needs_any), sorted(index[need] for need in step.needed)],
        place(step.choice),
        [[index[one.step], one.output, RELATIONS.index(one.relation), one.value] for one in step.when],
        None if asked is None else [index[asked.of], asked.count, [*ascending(asked.by)]],
        step.deadline,
        step.visits,
        step.terminal,
        step.pivot,
        {name: TYPES.index(kind) for name, kind in step.outputs.items()},
        step.payload,
        place(step.undo),
    ]


def _encode(value: Any) -> bytes:
    """Deterministic CBOR (envelope.3) of what a definition is made of."""
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", False: b"\xf4", True: b"\xf5"}[value]
    if isinstance(value, int):
        return _head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
    if isinstance(value, str):
        raw = value.encode()
        return _head(_TEXT, len(raw)) + raw
    if isinstance(value, list):
        return _head(_ARRAY, len(value)) + b"".join(map(_encode, value))
    pairs = sorted((_encode(key), _encode(item)) for key, item in value.items())
    return _head(_MAP, len(pairs)) + b"".join(key + item for key, item in pairs)


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    width = next(width for width in (1, 2, 4, 8) if argument >> (8 * width) == 0)
    return bytes([major << 5 | 23 + width.bit_length()]) + argument.to_bytes(width, "big")


def decode(document: bytes) -> dict[str, Any]:
    """The document in the form in which YAML says it (``form.read_form``): whoever reads that judges every value again.

    Raises ``Unfit`` for what is not deterministic CBOR in the arrays of workflow.1.1.
    """
    if len(document) > MAX_DEFINITION:
        raise Unfit((), f"a definition of at most {MAX_DEFINITION} bytes", f"{len(document)} bytes")
    try:
        check_cbor(document)
    except Ama2Error as fault:
        raise Unfit((), "a definition of deterministic CBOR", f"{fault.code}, {fault.got}") from None
    version, name, start, rollback, listed = _array(_item(document, 0)[0], 5, "[1, name, start, rollback, steps]")
    if type(version) is not int or version != 1:
        raise Unfit((), "a definition of version 1", repr(version)[:40])
    by, at_most = _array(rollback, 2, "rollback: [by, cap]")
    steps = [_array(step, 13, "a step of thirteen elements") for step in _list(listed)]
    names = [step[0] for step in steps]
    return {
        "workflow": name,
        "start": _named(start, names),
        "rollback": {"by": by, "at_most": at_most},
        "steps": [(step[0], _fields(step, names)) for step in steps],
    }


def _fields(step: list[Any], names: list[Any]) -> dict[str, Any]:
    _, by, needs, choice, when, approvals, deadline, visits, terminal, pivot, outputs, payload, undo = step
    mode, needed = _array(needs, 2, "needs: [mode, steps]")
    steps = [_named(need, names) for need in _list(needed)]
    if type(mode) is not int or mode not in {0, 1} or (mode == 1 and not steps):
        raise Unfit((), "needs of mode 0 (all) or 1 (any)", repr(mode)[:40])
    fields: dict[str, Any] = {
        "by": by,
        "needs": {"any": steps} if mode else steps,
        "choice": None if choice is None else _named(choice, names),
        "when": [_condition(one, names) for one in _list(when)],
        "deadline": deadline,
        "visits": visits,
        "terminal": terminal,
        "pivot": pivot,
        "outputs": {name: _chosen(kind, TYPES, "the type of an output") for name, kind in _map(outputs).items()},
        "payload": payload,
        "undo": None if undo is None else _named(undo, names),
    }
    if approvals is not None:
        of, count, groups = _array(approvals, 3, "approvals: [of, count, by]")
        fields["approvals"] = {"of": _named(of, names), "count": count, "by": groups}
    return fields


def _condition(one: Any, names: list[Any]) -> dict[str, Any]:
    step, output, relation, value = _array(one, 4, "a condition: [step, output, relation, value]")
    return {"step": _named(step, names), "output": output, _chosen(relation, RELATIONS, "a relation"): value}


def _named(index: Any, names: list[Any]) -> Any:
    if type(index) is not int or not 0 <= index < len(names):
        raise Unfit((), "the index of a step", repr(index)[:40])
    return names[index]


def _chosen(index: Any, among: tuple[str, ...], what: str) -> str:
    if type(index) is not int or not 0 <= index < len(among):
        raise Unfit((), f"{what} from 0 to {len(among) - 1}", repr(index)[:40])
    return among[index]


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Unfit((), "a list", type(value).__name__)
    return value


def _array(value: Any, length: int, what: str) -> list[Any]:
    if not isinstance(value, list) or len(value) != length:
        raise Unfit((), what, f"{len(value)} elements" if isinstance(value, list) else type(value).__name__)
    return value


def _map(value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise Unfit((), "a map of outputs", type(value).__name__)
    return value


def _item(data: bytes, at: int) -> tuple[Any, int]:
    """One item of bytes that ``check_cbor`` has passed: every length is there, and no nesting is deeper than 8."""
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        return {20: False, 21: True, 22: None}[info], at
    width = 0 if info < 24 else 1 << (info - 24)
    argument = int.from_bytes(data[at : at + width], "big") if width else info
    at += width
    if major <= _NEGATIVE:
        return (argument if major == _UNSIGNED else -1 - argument), at
    if major <= _TEXT:
        raw = data[at : at + argument]
        return (raw.decode() if major == _TEXT else raw), at + argument
    found = []
    for _ in range(argument * (2 if major == _MAP else 1)):
        value, at = _item(data, at)
        found.append(value)
    return (dict(zip(found[::2], found[1::2], strict=True)) if major == _MAP else found), at
