"""The JSON view of claims, both ways (spec conform, "The JSON view of claims")."""

from __future__ import annotations

from typing import Final, NoReturn, TypeAlias

from ama2sec.errors import error
from ama2sec.reference.claims import (
    CLOSE,
    DEFINE,
    ENROL,
    ERASE,
    FORK,
    GENESIS,
    MESSAGE,
    OPEN,
    POLICY,
    REGISTRY_KINDS,
    REVOKE,
    TERM,
    BodyClaim,
    Claims,
    WorkflowState,
)
from ama2sec.reference.codec import Value
from ama2sec.reference.forms import Address
from ama2sec.reference.kinds import (
    QUORUMS,
    Definition,
    Enrolment,
    Erasure,
    Genesis,
    Grant,
    NewPolicy,
    Offered,
    Own,
    Policy,
    Revocation,
    Term,
)

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
    "fork": 15,
    "document": 18,
    "enrolment": 19,
    "revocation": 20,
    "erasure": 22,
    "term": 23,
    "close": 25,
    "approves": 27,
}
_KINDS: Final = {
    "open": OPEN,
    "message": MESSAGE,
    "fork": FORK,
    "rollback": 4,
    "close": CLOSE,
    "genesis": GENESIS,
    "enrol": ENROL,
    "revoke": REVOKE,
    "policy": POLICY,
    "define": DEFINE,
    "erase": ERASE,
    "term": TERM,
    "halt": 32,
    "resume": 33,
    "local-halt": 48,
    "snapshot": 49,
    "sequencer-term": 50,
}
_INT_END: Final = 1 << 63
_OWN_MEMBER: Final = {
    GENESIS: "document",
    ENROL: "enrolment",
    REVOKE: "revocation",
    POLICY: "document",
    DEFINE: "document",
    ERASE: "erasure",
    TERM: "term",
}


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
    }
    view |= _view_of_contents(claims)
    return view


def _view_of_contents(claims: Claims) -> dict[str, Json]:
    view: dict[str, Json] = {}
    if claims.kind not in REGISTRY_KINDS:
        view["recipients"] = _view_of_addresses(claims.recipients)
    if claims.seq is not None:
        view["seq"] = list(claims.seq)
    view |= {"time": claims.time, "salt": claims.salt.hex()}
    if claims.kind not in REGISTRY_KINDS:
        view["body"] = _view_of_body(claims.body)
    if claims.workflow is not None:
        view["members"] = _view_of_addresses(claims.members)
        view["workflow"] = {"required": claims.workflow[0], "definition": claims.workflow[1]}
    if claims.kind == FORK:
        view["fork"] = _view_of_grant(claims.fork)
    if claims.kind == CLOSE:
        view["close"] = claims.close
    if claims.kind in REGISTRY_KINDS:
        view[_OWN_MEMBER[claims.kind]] = None if claims.own is None else _view_of_own(claims.own)
    if claims.kind in REGISTRY_KINDS and claims.kind != GENESIS:
        view["approves"] = _hex(claims.approves)
    return view


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _view_of_address(address: Address) -> str:
    return address.hex() if isinstance(address, bytes) else f"name:{address}"


def _view_of_addresses(addresses: tuple[Address, ...] | None) -> Json:
    return None if addresses is None else [_view_of_address(address) for address in addresses]


def _view_of_grant(grant: Grant | None) -> Json:
    if grant is None:
        return None
    return {
        "key": grant.key.hex(),
        "offer": grant.offer.hex(),
        "steps": None if grant.steps is None else list(grant.steps),
        "to": _view_of_addresses(grant.to),
        "rights": grant.rights,
        "expires": grant.expires,
        "depth": grant.depth,
        "next": _hex(grant.next),
    }


def _view_of_own(own: Own) -> Json:
    match own:
        case Genesis():
            return {
                "name": own.name,
                "rules_version": own.rules_version,
                "profile": own.profile,
                "roots": [{**_view_of_offered(root), "next": _hex(root.next)} for root in own.roots],
                "sequencer": _view_of_offered(own.sequencer),
                "policy": _view_of_policy(own.policy),
            }
        case NewPolicy():
            return {"replaces": own.replaces.hex(), "policy": _view_of_policy(own.policy)}
        case Definition():
            return {"name": own.name, "replaces": _hex(own.replaces), "document": own.document.hex()}
        case Enrolment():
            return {
                "name": own.name,
                "key": own.key.hex(),
                "purpose": own.purpose,
                "groups": list(own.groups),
                "next": _hex(own.next),
                "replaces": _hex(own.replaces),
                "offer": own.offer.hex(),
            }
        case Revocation():
            return {"agent": own.agent.hex(), "suspect_from": own.suspect_from, "reason": own.reason}
        case Erasure():
            return {"message": own.message.hex(), "reason": own.reason}
        case Term():
            return {"size": own.size, "root": own.root.hex(), "reason": own.reason}


def _view_of_offered(offered: Offered) -> dict[str, Json]:
    return {"name": offered.name, "key": offered.key.hex(), "offer": offered.offer.hex()}


def _view_of_policy(policy: Policy) -> dict[str, Json]:
    return {**dict(zip(QUORUMS, policy.quorums, strict=True)), "hold": policy.hold}


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
        case "fork":
            return None if value is None else _grant(value)
        case "document":
            return None if value is None else _document(value)
        case "enrolment":
            return None if value is None else _enrolment(value)
        case "revocation":
            return None if value is None else _revocation(value)
        case "erasure":
            return None if value is None else _erasure(value)
        case "term":
            return None if value is None else _term(value)
        case "close":
            return _bool(value)
        case "approves":
            return _bytes_or_null(value)
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


def _grant(value: Json) -> Value:
    key, offer, steps, to, rights, expires, depth, following = _members(
        value, "key", "offer", "steps", "to", "rights", "expires", "depth", "next"
    )
    return [
        _bytes(key),
        _bytes(offer),
        None if steps is None else [_text(step) for step in _list(steps)],
        None if to is None else [_address(item) for item in _list(to)],
        _int(rights),
        None if expires is None else _int(expires),
        _int(depth),
        _bytes_or_null(following),
    ]


def _document(value: Json) -> Value:
    given = value if isinstance(value, dict) else {}
    if "roots" in given:
        name, rules, profile, roots, sequencer, policy = _members(
            value, "name", "rules_version", "profile", "roots", "sequencer", "policy"
        )
        return [
            _text(name),
            _int(rules),
            _int(profile),
            [_offered(root, "next") for root in _list(roots)],
            _offered(sequencer),
            policy_from_view(policy),
        ]
    if "policy" in given:
        replaces, policy = _members(value, "replaces", "policy")
        return [_bytes(replaces), policy_from_view(policy)]
    name, replaces, document = _members(value, "name", "replaces", "document")
    return [_text(name), _bytes_or_null(replaces), _bytes(document)]


def _offered(value: Json, *more: str) -> Value:
    name, key, offer, *following = _members(value, "name", "key", "offer", *more)
    return [_text(name), _bytes(key), _bytes(offer), *map(_bytes_or_null, following)]


def policy_from_view(value: Json) -> Value:
    """A policy, hostile or not."""
    *quorums, hold = _members(value, *QUORUMS, "hold")
    found: list[Value] = [*map(_int, quorums), _bool(hold)]
    return dict(enumerate(found, 1))


def _enrolment(value: Json) -> Value:
    name, key, purpose, groups, following, replaces, offer = _members(
        value, "name", "key", "purpose", "groups", "next", "replaces", "offer"
    )
    return [
        _text(name),
        _bytes(key),
        _int(purpose),
        [_text(group) for group in _list(groups)],
        _bytes_or_null(following),
        _bytes_or_null(replaces),
        _bytes(offer),
    ]


def _revocation(value: Json) -> Value:
    agent, suspect_from, reason = _members(value, "agent", "suspect_from", "reason")
    return [_bytes(agent), None if suspect_from is None else _int(suspect_from), _text(reason)]


def _erasure(value: Json) -> Value:
    message, reason = _members(value, "message", "reason")
    return [_bytes(message), _text(reason)]


def _term(value: Json) -> Value:
    size, root, reason = _members(value, "size", "root", "reason")
    return [_int(size), _bytes(root), _text(reason)]


def is_registry_kind(view: dict[str, Json]) -> bool:
    """Whether the kind that a view names is one of the registry's: by name or by number (conform, ``make``)."""
    kind = view.get("kind")
    number = _KINDS.get(kind) if isinstance(kind, str) else kind
    return type(number) is int and number in REGISTRY_KINDS


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
