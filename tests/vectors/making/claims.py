"""Sound claims to change one thing in, and the JSON view that an honest reader prints of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .cbor import Value, encode
from .people import ALICE, Person

ZERO = bytes(32)
TIME = 1_793_000_000_000
SALT = bytes(range(16))

Claims = dict[object, Value]


def id_of(number: int) -> bytes:
    """An id that nothing has."""
    return bytes([number]) * 32


def message(changes: Mapping[object, Value] = {}, author: Person = ALICE) -> Claims:
    """A message outside a realm."""
    claims: Claims = {
        1: ZERO, 2: id_of(5), 3: 2, 4: [author.kid, None], 5: [1, id_of(6), 0, ZERO], 6: [id_of(5), id_of(5), []], 7: None, 8: [],
        9: [TIME, 1], 10: TIME, 11: SALT, 12: None,
    }  # fmt: skip
    return ordered({**claims, **changes})


def opening(changes: Mapping[object, Value] = {}, author: Person = ALICE) -> Claims:
    """An open outside a realm."""
    claims: Claims = {
        1: ZERO, 2: ZERO, 3: 1, 4: [author.kid, None], 5: [0, ZERO, 0, ZERO], 6: [ZERO, None, []], 7: None, 8: [], 10: TIME, 11: SALT,
        12: None, 13: None, 14: [False, None],
    }  # fmt: skip
    return ordered({**claims, **changes})


def full_message() -> Claims:
    """A message in which every optional part is there."""
    return message({
        6: [id_of(5), id_of(5), [[id_of(7), 3, id_of(8)]]],
        7: [id_of(9), id_of(10), "pay", {"a": 1, "ok": True}, id_of(11)],
        8: [id_of(1), "buyers"],
        12: [id_of(12), 5, "text/plain"],
    })  # fmt: skip


def full_open() -> Claims:
    """An open in which every optional part is there."""
    return opening({
        7: [None, id_of(10), "start", {"n": -1}, None],
        8: ["buyers"],
        12: [id_of(12), 5, "text/plain"],
        13: [id_of(1), "alice"],
        14: [True, "order"],
    })  # fmt: skip


def ordered(claims: Claims) -> Claims:
    """The claims with their keys in bytewise order of the encodings."""
    return dict(sorted(claims.items(), key=lambda pair: encode(pair[0])))


def without(claims: Claims, label: int) -> Claims:
    """The claims less one."""
    return {key: value for key, value in claims.items() if key != label}


def put(claims: Value, path: Sequence[int], value: Value) -> Value:
    """A copy with the value at a path of labels and list indices replaced."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(claims, dict):
        return {**claims, step: put(claims[step], rest, value)}
    assert isinstance(claims, list)
    return [put(old, rest, value) if i == step else old for i, old in enumerate(claims)]


def get(claims: Value, path: Sequence[int]) -> Value:
    """The value at a path."""
    for step in path:
        claims = claims[step]  # type: ignore[index]
    return claims


def view(claims: Claims) -> dict[str, object]:
    """The JSON view (conform.md) of claims that are sound."""
    kind = {1: "open", 2: "message"}[claims[3]]  # type: ignore[index]
    agent, grant = _list(claims[4])
    size, fingerprint, registry_size, registry = _list(claims[5])
    branch, parent, merges = _list(claims[6])
    shown: dict[str, object] = {
        "realm": _hex(claims[1]), "conversation": _hex(claims[2]), "kind": kind,
        "agent_identity": {"agent": _hex(agent), "grant": _hex(grant)},
        "context_fingerprint": {
            "size": size, "fingerprint": _hex(fingerprint), "registry_size": registry_size, "registry_fingerprint": _hex(registry),
        },
        "execution_path": {
            "branch": _hex(branch), "parent": _hex(parent),
            "merges": [{"branch": _hex(b), "size": n, "fingerprint": _hex(f)} for b, n, f in map(_list, _list(merges))],
        },
        "workflow_state": _workflow(claims[7]),
        "recipients": [_addr(addr) for addr in _list(claims[8])],
    }  # fmt: skip
    if 9 in claims:
        shown["seq"] = claims[9]
    shown |= {"time": claims[10], "salt": _hex(claims[11]), "body": None}
    if claims[12] is not None:
        commitment, length, media_type = _list(claims[12])
        shown["body"] = {"commitment": _hex(commitment), "size": length, "media_type": media_type}
    if kind == "open":
        shown["members"] = None if claims[13] is None else [_addr(addr) for addr in _list(claims[13])]
        required, definition = _list(claims[14])
        shown["workflow"] = {"required": required, "definition": definition}
    return shown


def _list(value: Value) -> list[Value]:
    assert isinstance(value, list)
    return value


def _hex(value: Value) -> str | None:
    return value.hex() if isinstance(value, bytes) else None


def _addr(value: Value) -> str | None:
    return f"name:{value}" if isinstance(value, str) else _hex(value)


def _workflow(value: Value) -> dict[str, object] | None:
    if value is None:
        return None
    instance, definition, step, outputs, approves = _list(value)
    return {
        "instance": _hex(instance), "definition": _hex(definition), "step": step, "outputs": outputs, "approves": _hex(approves),
    }  # fmt: skip
