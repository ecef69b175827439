"""The JSON view of claims, both ways (spec conform, "The JSON view of claims")."""

from __future__ import annotations

from typing import Final

from ama2sec.reference.claims import (
    CLOSE,
    DEFINE,
    ENROL,
    ERASE,
    FORK,
    GENESIS,
    HALT,
    LOCAL_HALT,
    MESSAGE,
    MESSAGE_TYP,
    OF_THE_REGISTRY,
    OPEN,
    POLICY,
    RESUME,
    REVOKE,
    ROLLBACK,
    TERM,
    TYP_OF,
    BodyClaim,
    Claims,
    WorkflowState,
)
from ama2sec.reference.codec import Value
from ama2sec.reference.view_forms import (
    Json,
    hex_or_null,
    read_address,
    read_bool,
    read_bytes,
    read_bytes_or_null,
    read_int,
    read_list,
    read_members,
    read_text,
    refuse,
    view_of_addresses,
)
from ama2sec.reference.view_realm import (
    read_document,
    read_enrolment,
    read_erasure,
    read_grant,
    read_resumption,
    read_revocation,
    read_rollback,
    read_term,
    view_of_grant,
    view_of_own,
    view_of_rollback,
)

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
    "fork": 15,
    "rollback": 16,
    "scope": 17,
    "document": 18,
    "enrolment": 19,
    "revocation": 20,
    "resume": 21,
    "erasure": 22,
    "term": 23,
    "close": 25,
    "reason": 26,
    "approves": 27,
}
_KINDS: Final = {
    "open": OPEN,
    "message": MESSAGE,
    "fork": FORK,
    "rollback": ROLLBACK,
    "close": CLOSE,
    "genesis": GENESIS,
    "enrol": ENROL,
    "revoke": REVOKE,
    "policy": POLICY,
    "define": DEFINE,
    "erase": ERASE,
    "term": TERM,
    "halt": HALT,
    "resume": RESUME,
    "local-halt": LOCAL_HALT,
    "snapshot": 49,
    "sequencer-term": 50,
}
_OWN_MEMBER: Final = {
    GENESIS: "document",
    ENROL: "enrolment",
    REVOKE: "revocation",
    POLICY: "document",
    DEFINE: "document",
    ERASE: "erasure",
    TERM: "term",
    RESUME: "resume",
}


# -- claims to JSON ------------------------------------------------------------------------------------------------


def to_view(claims: Claims) -> dict[str, Json]:
    """What ``parse`` and ``verify`` print: members in the order of the labels, without what the kind forbids."""
    view: dict[str, Json] = {
        "realm": claims.realm.hex(),
        "conversation": claims.conversation.hex(),
        "kind": next(name for name, kind in _KINDS.items() if kind == claims.kind),
        "agent_identity": {"agent": claims.agent.hex(), "grant": hex_or_null(claims.grant)},
        "context_fingerprint": {
            "size": claims.size,
            "fingerprint": claims.fingerprint.hex(),
            "registry_size": claims.registry_size,
            "registry_fingerprint": claims.registry_fingerprint.hex(),
        },
        "execution_path": {
            "branch": claims.branch.hex(),
            "parent": hex_or_null(claims.parent),
            "merges": [
                {"branch": merge.branch.hex(), "size": merge.size, "fingerprint": merge.fingerprint.hex()}
                for merge in claims.merges
            ],
        },
        "workflow_state": _view_of_state(claims.workflow_state),
    }
    view |= _view_of_contents(claims)
    return view


def _view_of_contents(claims: Claims) -> dict[str, Json]:
    view: dict[str, Json] = {}
    if claims.kind not in OF_THE_REGISTRY:
        view["recipients"] = view_of_addresses(claims.recipients)
    if claims.seq is not None:
        view["seq"] = list(claims.seq)
    view |= {"time": claims.time, "salt": claims.salt.hex()}
    if claims.kind not in OF_THE_REGISTRY:
        view["body"] = _view_of_body(claims.body)
    if claims.workflow is not None:
        view["members"] = view_of_addresses(claims.members)
        view["workflow"] = {"required": claims.workflow[0], "definition": claims.workflow[1]}
    if claims.kind == FORK:
        view["fork"] = view_of_grant(claims.fork)
    if claims.rollback is not None:
        view["rollback"] = view_of_rollback(claims.rollback)
    if claims.kind == CLOSE:
        view["close"] = claims.close
    if claims.scope is not None:
        view |= {"scope": claims.scope.hex(), "reason": claims.reason}
    if claims.kind in _OWN_MEMBER:
        view[_OWN_MEMBER[claims.kind]] = None if claims.own is None else view_of_own(claims.own)
    if claims.kind in _OWN_MEMBER and claims.kind != GENESIS:
        view["approves"] = hex_or_null(claims.approves)
    return view


def _view_of_state(state: WorkflowState | None) -> dict[str, Json] | None:
    if state is None:
        return None
    return {
        "instance": hex_or_null(state.instance),
        "definition": state.definition.hex(),
        "step": state.step,
        "outputs": dict(state.outputs),
        "approves": hex_or_null(state.approves),
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
        refuse("members of the view of claims", ascii(min(unknown))[:64])
    return {label: _claim(name, view[name], agent) for name, label in _LABELS.items() if name in view}


def _claim(name: str, value: Json, agent: bytes) -> Value:
    match name:
        case "kind":
            return _KINDS[value] if isinstance(value, str) and value in _KINDS else read_int(value)
        case "agent_identity":
            filled = {"agent": agent.hex(), "grant": None, **value} if isinstance(value, dict) else value
            who, grant = read_members(filled, "agent", "grant")
            return [read_bytes(who), read_bytes_or_null(grant)]
        case "context_fingerprint":
            n, print_n, m, print_m = read_members(value, "size", "fingerprint", "registry_size", "registry_fingerprint")
            return [read_int(n), read_bytes(print_n), read_int(m), read_bytes(print_m)]
        case "execution_path":
            branch, parent, merges = read_members(value, "branch", "parent", "merges")
            return [read_bytes(branch), read_bytes_or_null(parent), [_merge(item) for item in read_list(merges)]]
        case "workflow_state":
            return None if value is None else _state(value)
        case "recipients" | "members":
            return None if value is None else [read_address(item) for item in read_list(value)]
        case "seq":
            if not isinstance(value, list) or len(value) != 2:
                refuse("[epoch, counter]", "another form")
            return [read_int(item) for item in value]
        case "time":
            return read_int(value)
        case "body":
            return None if value is None else _body(value)
        case "workflow":
            required, definition = read_members(value, "required", "definition")
            return [read_bool(required), None if definition is None else read_text(definition)]
        case "fork":
            return None if value is None else read_grant(value)
        case "rollback":
            return None if value is None else read_rollback(value)
        case "document":
            return None if value is None else read_document(value)
        case "enrolment":
            return None if value is None else read_enrolment(value)
        case "revocation":
            return None if value is None else read_revocation(value)
        case "resume":
            return None if value is None else read_resumption(value)
        case "erasure":
            return None if value is None else read_erasure(value)
        case "term":
            return None if value is None else read_term(value)
        case "close":
            return read_bool(value)
        case "approves":
            return read_bytes_or_null(value)
        case "reason":
            return read_text(value)
        case _:  # realm, conversation, salt, scope
            return read_bytes(value)


def _merge(value: Json) -> Value:
    branch, size, fingerprint = read_members(value, "branch", "size", "fingerprint")
    return [read_bytes(branch), read_int(size), read_bytes(fingerprint)]


def _state(value: Json) -> Value:
    instance, definition, step, outputs, approves = read_members(
        value, "instance", "definition", "step", "outputs", "approves"
    )
    if not isinstance(outputs, dict):
        refuse("outputs as an object", type(outputs).__name__)
    found: dict[int | str, Value] = {
        key: item if isinstance(item, bool | str) else read_int(item) for key, item in outputs.items()
    }
    return [read_bytes_or_null(instance), read_bytes(definition), read_text(step), found, read_bytes_or_null(approves)]


def _body(value: Json) -> Value:
    commitment, size, media_type = read_members(value, "commitment", "size", "media_type")
    return [read_bytes(commitment), read_int(size), read_text(media_type)]


def typ_of_view(view: dict[str, Json]) -> str:
    """The typ of the kind that a view names, by name or by number; of any other the messages' (conform, ``make``)."""
    kind = view.get("kind")
    number = _KINDS.get(kind) if isinstance(kind, str) else kind
    return TYP_OF.get(number, MESSAGE_TYP) if type(number) is int else MESSAGE_TYP
