"""The JSON view of claims, both ways (spec conform, "The JSON view of claims")."""

from __future__ import annotations

from typing import Final, NoReturn, TypeAlias

from ama2sec.errors import error
from ama2sec.reference.claims import MESSAGE, OPEN, Address, BodyClaim, Claims, WorkflowState
from ama2sec.reference.codec import Value

Json: TypeAlias = "int | float | str | bool | list[Json] | dict[str, Json] | None"

_LABELS: Final = {
    "realm": 1,
    "conversation": 2,
    "kind": 3,
    "agent_identity": 4,
    "context_fingerprint": 5,
    "execution_path": 6,
    "workflow_state": 7,
    "recipients": 8,
    "seq": 9,
    "time": 10,
    "salt": 11,
    "body": 12,
    "members": 13,
    "workflow": 14,
}
_KINDS: Final = {
    "open": OPEN,
    "message": MESSAGE,
    "fork": 3,
    "rollback": 4,
    "close": 5,
    "genesis": 16,
    "enrol": 17,
    "revoke": 18,
    "policy": 19,
    "define": 20,
    "erase": 21,
    "term": 22,
    "halt": 32,
    "resume": 33,
    "local-halt": 48,
    "snapshot": 49,
    "sequencer-term": 50,
}
_INT_END: Final = 1 << 63


# -- claims to JSON ------------------------------------------------------------------------------------------------


def to_view(claims: Claims) -> dict[str, Json]:
    """What ``parse`` and ``verify`` print: members in the order of the labels, without what the kind forbids."""
    view: dict[str, Json] = {
        "realm": claims.realm.hex(),
        "conversation": claims.conversation.hex(),
        "kind": next(name for name, kind in _KINDS.items() if kind == claims.kind),
        "agent_identity": {"agent": claims.agent.hex(), "grant": _hex(claims.grant)},
        "context_fingerprint": {
            "size": claims.size,
            "fingerprint": claims.fingerprint.hex(),
            "registry_size": claims.registry_size,
            "registry_fingerprint": claims.registry_fingerprint.hex(),
        },
        "execution_path": {
            "branch": claims.branch.hex(),
            "parent": _hex(claims.parent),
            "merges": [
                {"branch": merge.branch.hex(), "size": merge.size, "fingerprint": merge.fingerprint.hex()}
                for merge in claims.merges
            ],
        },
        "workflow_state": _view_of_state(claims.workflow_state),
        "recipients": [_view_of_address(address) for address in claims.recipients],
    }
    if claims.seq is not None:
        view["seq"] = list(claims.seq)
    view |= {"time": claims.time, "salt": claims.salt.hex(), "body": _view_of_body(claims.body)}
    if claims.workflow is not None:
        view["members"] = None if claims.members is None else [_view_of_address(address) for address in claims.members]
        view["workflow"] = {"required": claims.workflow[0], "definition": claims.workflow[1]}
    return view


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _view_of_address(address: Address) -> str:
    return address.hex() if isinstance(address, bytes) else f"name:{address}"


def _view_of_state(state: WorkflowState | None) -> dict[str, Json] | None:
    if state is None:
        return None
    return {
        "instance": _hex(state.instance),
        "definition": state.definition.hex(),
        "step": state.step,
        "outputs": dict(state.outputs),
        "approves": _hex(state.approves),
    }


def _view_of_body(body: BodyClaim | None) -> dict[str, Json] | None:
    if body is None:
        return None
    return {"commitment": body.commitment.hex(), "size": body.size, "media_type": body.media_type}


# -- JSON to claims ------------------------------------------------------------------------------------------------


def from_view(view: dict[str, Json], agent: bytes) -> dict[int | str, Value]:
    """The claims that a view describes, hostile or not: forms are checked here (``ConformQuestion``), meaning is not.

    ``agent`` stands where ``agent_identity`` has no ``agent``. A kind may be a number too, and bytes may have any length.
    """
    view = {"agent_identity": {}, **view}
    unknown = set(view) - set(_LABELS)
    if unknown:
        _refuse("members of the view of claims", ascii(min(unknown))[:64])
    return {label: _claim(name, view[name], agent) for name, label in _LABELS.items() if name in view}


def _claim(name: str, value: Json, agent: bytes) -> Value:
    match name:
        case "kind":
            return _KINDS[value] if isinstance(value, str) and value in _KINDS else _int(value)
        case "agent_identity":
            filled = {"agent": agent.hex(), "grant": None, **value} if isinstance(value, dict) else value
            who, grant = _members(filled, "agent", "grant")
            return [_bytes(who), _bytes_or_null(grant)]
        case "context_fingerprint":
            n, print_n, m, print_m = _members(value, "size", "fingerprint", "registry_size", "registry_fingerprint")
            return [_int(n), _bytes(print_n), _int(m), _bytes(print_m)]
        case "execution_path":
            branch, parent, merges = _members(value, "branch", "parent", "merges")
            return [_bytes(branch), _bytes_or_null(parent), [_merge(item) for item in _list(merges)]]
        case "workflow_state":
            return None if value is None else _state(value)
        case "recipients" | "members":
            return None if value is None else [_address(item) for item in _list(value)]
        case "seq":
            if not isinstance(value, list) or len(value) != 2:
                _refuse("[epoch, counter]", "another form")
            return [_int(item) for item in value]
        case "time":
            return _int(value)
        case "body":
            return None if value is None else _body(value)
        case "workflow":
            required, definition = _members(value, "required", "definition")
            return [_bool(required), None if definition is None else _text(definition)]
        case _:  # realm, conversation, salt
            return _bytes(value)


def _merge(value: Json) -> Value:
    branch, size, fingerprint = _members(value, "branch", "size", "fingerprint")
    return [_bytes(branch), _int(size), _bytes(fingerprint)]


def _state(value: Json) -> Value:
    instance, definition, step, outputs, approves = _members(
        value, "instance", "definition", "step", "outputs", "approves"
    )
    if not isinstance(outputs, dict):
        _refuse("outputs as an object", type(outputs).__name__)
    found: dict[int | str, Value] = {
        key: item if isinstance(item, bool | str) else _int(item) for key, item in outputs.items()
    }
    return [_bytes_or_null(instance), _bytes(definition), _text(step), found, _bytes_or_null(approves)]


def _body(value: Json) -> Value:
    commitment, size, media_type = _members(value, "commitment", "size", "media_type")
    return [_bytes(commitment), _int(size), _text(media_type)]


def _address(value: Json) -> Value:
    text = _text(value)
    return text.removeprefix("name:") if text.startswith("name:") else _bytes(text)


def _members(value: Json, *names: str) -> list[Json]:
    """Exactly these members, in this order."""
    if not isinstance(value, dict) or set(value) != set(names):
        _refuse(f"an object of {', '.join(names)}", "another form")
    return [value[name] for name in names]


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        _refuse("a list", type(value).__name__)
    return value


def _int(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT_END <= value < _INT_END:
        _refuse("an integer in -2^63 .. 2^63-1", type(value).__name__)
    return value


def _bool(value: Json) -> bool:
    if not isinstance(value, bool):
        _refuse("a boolean", type(value).__name__)
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        _refuse("a text", type(value).__name__)
    return value


def _bytes(value: Json) -> bytes:
    text = _text(value)
    if len(text) % 2 or text.strip("0123456789abcdef"):
        _refuse("lowercase hex", "something else")
    return bytes.fromhex(text)


def _bytes_or_null(value: Json) -> bytes | None:
    return None if value is None else _bytes(value)


def _refuse(expected: str, got: str) -> NoReturn:
    raise error("ConformQuestion", expected, got)
