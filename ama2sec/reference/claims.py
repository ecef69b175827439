"""The claims of a message (spec envelope.5): read in the order of the spec, into values that hold what the table says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias, TypeVar

from ama2sec.errors import error
from ama2sec.limits import (
    MAX_BODY,
    MAX_CLAIMS,
    MAX_MEDIA_TYPE,
    MAX_MERGES,
    MAX_OUTPUT_TEXT,
    MAX_OUTPUTS,
    MAX_RECIPIENTS,
    SIZE_END,
    TIME_END,
)
from ama2sec.reference.codec import Value, decode, encode
from ama2sec.reference.names import check_name

Address: TypeAlias = bytes | str
Output: TypeAlias = bool | int | str
_T = TypeVar("_T")
NO_ID: Final = bytes(32)

OPEN, MESSAGE = 1, 2
_KINDS_OF_MESSAGE: Final = {1: "open", 2: "message", 3: "fork", 4: "rollback", 5: "close"}
_KINDS_OF_OTHERS: Final = frozenset({*range(16, 23), 32, 33, 48, 49, 50})
_LABELS: Final = range(1, 27)
_REQUIRED: Final = {OPEN: frozenset({*range(1, 9), *range(10, 15)}), MESSAGE: frozenset(range(1, 13))}


@dataclass(frozen=True, slots=True)
class Merge:
    """A head of another branch that the message brings in."""

    branch: bytes
    size: int
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class WorkflowState:
    """Which step of which workflow the message takes. ``instance`` is None in an instance's first step."""

    instance: bytes | None
    definition: bytes
    step: str
    outputs: dict[str, Output]
    approves: bytes | None


@dataclass(frozen=True, slots=True)
class BodyClaim:
    """What the claims say of the body: its commitment, its size in bytes, its media type."""

    commitment: bytes
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Claims:
    """Everything an author signed. ``seq`` is None in an open, ``members`` and ``workflow`` are None in a message."""

    realm: bytes
    conversation: bytes
    kind: int
    agent: bytes
    grant: bytes | None
    size: int
    fingerprint: bytes
    registry_size: int
    registry_fingerprint: bytes
    branch: bytes
    parent: bytes | None
    merges: tuple[Merge, ...]
    workflow_state: WorkflowState | None
    recipients: tuple[Address, ...]
    seq: tuple[int, int] | None
    time: int
    salt: bytes
    body: BodyClaim | None
    members: tuple[Address, ...] | None
    workflow: tuple[bool, str | None] | None


def read_claims(payload: bytes, kid: bytes) -> Claims:
    """The claims of an envelope whose ``typ`` is that of messages (steps 1 to 6)."""
    value = decode(payload)
    if not isinstance(value, dict):
        _refuse("ClaimType", "claims that are a map", _kind_of(value))
    kind = _read_kind(value)
    if len(payload) > MAX_CLAIMS:  # envelope.2.1; no kind that is built carries a document
        _refuse("SizeLimit", f"claims of at most {MAX_CLAIMS} bytes", f"{len(payload)}")
    _check_labels(value, kind)
    claims = _read_all(value, kind)
    fault = _contradiction(claims, kid)
    if fault:
        _refuse("ClaimForm", fault, "other claims")
    return claims


def _read_kind(value: dict[int | str, Value]) -> int:  # 1
    if 3 not in value:
        _refuse("ClaimMissing", "claim 3, the kind", "none")
    kind = value[3]
    if type(kind) is not int or kind < 0:
        _refuse("ClaimType", "a kind that is an unsigned integer", _kind_of(kind))
    if kind in _KINDS_OF_OTHERS:
        _refuse("TypKind", "a kind that a message key signs", str(kind))
    if kind not in _KINDS_OF_MESSAGE:
        _refuse("KindUnknown", "a kind of the table", str(kind))
    if kind not in _REQUIRED:
        _refuse("KindNotBuilt", "open or message", _KINDS_OF_MESSAGE[kind])
    return kind


def _check_labels(value: dict[int | str, Value], kind: int) -> None:
    required = _REQUIRED[kind]
    for label in value:  # 2
        if label not in _LABELS:
            _refuse("ClaimUnknown", "labels of the table", ascii(label)[:64])
    for label in sorted(required):  # 3
        if label not in value:
            _refuse("ClaimMissing", f"claim {label} in a {_KINDS_OF_MESSAGE[kind]}", "none")
    for label in _LABELS:  # 4
        if label in value and label not in required:
            _refuse("ClaimForbidden", f"no claim {label} in a {_KINDS_OF_MESSAGE[kind]}", "one")


def _read_all(value: dict[int | str, Value], kind: int) -> Claims:  # 5: calls in label order
    is_open = kind == OPEN
    realm = _id(value[1], "claim 1")
    conversation = _id(value[2], "claim 2")
    agent, grant = _agent_identity(value[4])
    size, fingerprint, registry_size, registry_fingerprint = _context(value[5])
    branch, parent, merges = _path(value[6])
    return Claims(
        realm=realm,
        conversation=conversation,
        kind=kind,
        agent=agent,
        grant=grant,
        size=size,
        fingerprint=fingerprint,
        registry_size=registry_size,
        registry_fingerprint=registry_fingerprint,
        branch=branch,
        parent=parent,
        merges=merges,
        workflow_state=_workflow_state(value[7]),
        recipients=_addresses(value[8], "claim 8"),
        seq=None if is_open else _seq(value[9]),
        time=_uint(value[10], "claim 10", TIME_END),
        salt=_bytes(value[11], "claim 11", 16),
        body=_body(value[12]),
        members=_members(value[13]) if is_open else None,
        workflow=_workflow(value[14]) if is_open else None,
    )


def _contradiction(claims: Claims, kid: bytes) -> str | None:  # 6
    """What the claims would have to say to agree with each other, or None."""
    c, state = claims, claims.workflow_state
    if c.kind == OPEN:  # a
        nothing = (NO_ID, NO_ID, 0, NO_ID, None, ())
        if (c.conversation, c.branch, c.size, c.fingerprint, c.parent, c.merges) != nothing:
            return "an open that names no history"
    elif NO_ID in {c.conversation, c.branch, c.fingerprint} or c.size == 0 or c.parent is None:  # b
        return "a message that names the history it had seen"
    if c.realm == NO_ID:  # c
        if (c.registry_size, c.registry_fingerprint, c.grant, c.agent) != (0, NO_ID, None, kid):
            return "no registry, no grant, and the key's own agent, outside a realm"
    elif c.registry_size == 0:
        return "a registry inside a realm"
    if state is not None:  # d
        if c.kind == OPEN and state.instance is not None:
            return "no running workflow instance in an open"
        if state.approves is not None and state.instance is None:
            return "approval inside a workflow instance"
    branches = [merge.branch for merge in c.merges]  # e
    if c.branch in branches or len(set(branches)) != len(branches) or any(merge.size == 0 for merge in c.merges):
        return "merges of other branches, each once, not empty"
    if c.workflow is not None and c.workflow[0] and c.workflow[1] is None:  # f
        return "a definition where a workflow is required"
    return None


# -- one claim each ------------------------------------------------------------------------------------------------


def _agent_identity(value: Value) -> tuple[bytes, bytes | None]:
    agent, grant = _array(value, "claim 4", 2)
    return _id(agent, "an agent"), _id_or_null(grant, "a grant")


def _context(value: Value) -> tuple[int, bytes, int, bytes]:
    size, fingerprint, registry_size, registry_fingerprint = _array(value, "claim 5", 4)
    return (
        _uint(size, "a size", SIZE_END),
        _id(fingerprint, "a fingerprint"),
        _uint(registry_size, "a registry size", SIZE_END),
        _id(registry_fingerprint, "a registry fingerprint"),
    )


def _path(value: Value) -> tuple[bytes, bytes | None, tuple[Merge, ...]]:
    branch, parent, merges = _array(value, "claim 6", 3)
    return _id(branch, "a branch"), _id_or_null(parent, "a parent"), _list(merges, "merges", MAX_MERGES, _merge)


def _merge(value: Value) -> Merge:
    branch, size, fingerprint = _array(value, "a merge", 3)
    return Merge(_id(branch, "a branch"), _uint(size, "a size", SIZE_END), _id(fingerprint, "a fingerprint"))


def _workflow_state(value: Value) -> WorkflowState | None:
    if value is None:
        return None
    instance, definition, step, outputs, approves = _array(value, "claim 7", 5)
    return WorkflowState(
        instance=_id_or_null(instance, "an instance"),
        definition=_id(definition, "a definition"),
        step=_name(step, "a step"),
        outputs=_outputs(outputs),
        approves=_id_or_null(approves, "an approved message"),
    )


def _outputs(value: Value) -> dict[str, Output]:
    if not isinstance(value, dict):
        _refuse("ClaimType", "outputs that are a map", _kind_of(value))
    if len(value) > MAX_OUTPUTS:
        _refuse("TooMany", f"at most {MAX_OUTPUTS} outputs", str(len(value)))
    found: dict[str, Output] = {}
    for key, item in value.items():
        name = _name(key, "the name of an output")
        if not isinstance(item, bool | int | str):
            _refuse("ClaimType", "an output that is a boolean, an integer or a text", _kind_of(item))
        if isinstance(item, str) and len(item.encode()) > MAX_OUTPUT_TEXT:
            _refuse("ClaimRange", f"an output of at most {MAX_OUTPUT_TEXT} bytes", f"{len(item.encode())}")
        found[name] = item
    return found


def _seq(value: Value) -> tuple[int, int]:
    epoch, counter = _array(value, "claim 9", 2)
    return _uint(epoch, "an epoch", TIME_END), _uint(counter, "a counter", 1 << 32)


def _body(value: Value) -> BodyClaim | None:
    if value is None:
        return None
    commitment, size, media_type = _array(value, "claim 12", 3)
    return BodyClaim(
        commitment=_id(commitment, "a commitment"),
        size=_uint(size, "a body's size", MAX_BODY + 1),
        media_type=_media_type(media_type),
    )


def _media_type(value: Value) -> str:
    if not isinstance(value, str):
        _refuse("ClaimType", "a media type that is a text", _kind_of(value))
    if not (1 <= len(value) <= MAX_MEDIA_TYPE and all("\x21" <= letter <= "\x7e" for letter in value)):
        _refuse("ClaimForm", f"a media type of 1 to {MAX_MEDIA_TYPE} printable ASCII letters", ascii(value[:64]))
    return value


def _members(value: Value) -> tuple[Address, ...] | None:
    if value is None:
        return None
    if value == []:
        _refuse("ClaimRange", "at least one member", "none")
    return _addresses(value, "claim 13")


def _workflow(value: Value) -> tuple[bool, str | None]:
    required, definition = _array(value, "claim 14", 2)
    if not isinstance(required, bool):
        _refuse("ClaimType", "a boolean: is a workflow required", _kind_of(required))
    return required, None if definition is None else _name(definition, "a definition")


# -- forms ---------------------------------------------------------------------------------------------------------


def _list(value: Value, what: str, most: int, read: Callable[[Value], _T]) -> tuple[_T, ...]:
    """A list whose elements ascend strictly by their encoded bytes; its length first, then each element whole."""
    if not isinstance(value, list):
        _refuse("ClaimType", f"{what} in an array", _kind_of(value))
    if len(value) > most:
        _refuse("TooMany", f"{what}: at most {most}", str(len(value)))
    found: list[_T] = []
    before = b""
    for item in value:
        found.append(read(item))
        encoding = encode(item)
        if encoding <= before:
            _refuse("ListOrder", f"{what} in ascending order", encoding[:32].hex())
        before = encoding
    return tuple(found)


def _addresses(value: Value, what: str) -> tuple[Address, ...]:
    return _list(value, what, MAX_RECIPIENTS, _address)


def _address(value: Value) -> Address:
    return _name(value, "an address") if isinstance(value, str) else _id(value, "an address")


def _array(value: Value, what: str, length: int) -> list[Value]:
    if not isinstance(value, list) or len(value) != length:
        _refuse("ClaimType", f"{what} as an array of {length}", _kind_of(value))
    return value


def _bytes(value: Value, what: str, length: int) -> bytes:
    if not isinstance(value, bytes) or len(value) != length:
        _refuse("ClaimType", f"{what} as {length} bytes", _kind_of(value))
    return value


def _id(value: Value, what: str) -> bytes:
    return _bytes(value, what, 32)


def _id_or_null(value: Value, what: str) -> bytes | None:
    return None if value is None else _id(value, what)


def _uint(value: Value, what: str, end: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        _refuse("ClaimType", f"{what} as an unsigned integer", _kind_of(value))
    if value >= end:
        _refuse("ClaimRange", f"{what} below {end}", str(value))
    return value


def _name(value: Value, what: str) -> str:
    if not isinstance(value, str):
        _refuse("ClaimType", f"{what} that is a text", _kind_of(value))
    return check_name(value)


def _kind_of(value: Value) -> str:
    if isinstance(value, bytes | list):
        return f"{'bytes' if isinstance(value, bytes) else 'an array'} of {len(value)}"
    return {int: "an integer", str: "a text", bool: "a boolean", dict: "a map"}.get(type(value), "null")


def _refuse(code: str, expected: str, got: str) -> NoReturn:
    raise error(code, expected, got)
