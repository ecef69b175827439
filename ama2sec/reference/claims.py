"""The claims of a message (spec envelope.5): read in the order of the spec, into values that hold what the table says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ama2sec.limits import (
    MAX_BODY,
    MAX_CLAIMS,
    MAX_DOCUMENT_CLAIMS,
    MAX_MEDIA_TYPE,
    MAX_MERGES,
    MAX_OUTPUT_TEXT,
    MAX_OUTPUTS,
    SIZE_END,
    TIME_END,
)
from ama2sec.reference import kinds
from ama2sec.reference.codec import Value, decode
from ama2sec.reference.forms import (
    Address,
    kind_of,
    read_addresses,
    read_array,
    read_bytes,
    read_id,
    read_id_or_null,
    read_list,
    read_name,
    read_uint,
    refuse,
)

Output: TypeAlias = bool | int | str
NO_ID: Final = bytes(32)

OPEN, MESSAGE, FORK, ROLLBACK, CLOSE = 1, 2, 3, 4, 5
GENESIS, ENROL, REVOKE, POLICY, DEFINE, ERASE, TERM = range(16, 23)
REGISTRY_KINDS: Final = range(16, 23)
HALT, RESUME, LOCAL_HALT = 32, 33, 48
STOP_KINDS: Final = frozenset({HALT, RESUME, LOCAL_HALT})
OF_THE_REGISTRY: Final = STOP_KINDS.union(REGISTRY_KINDS)
"""Every kind whose entries are the registry's (halt.1.4)."""
MESSAGE_TYP: Final = "ama2sec-message+cose"
REGISTRY_TYP: Final = "ama2sec-registry+cose"
HALT_TYP: Final = "ama2sec-halt+cose"
LOG_TYP: Final = "ama2sec-log+cose"

# Every kind of the table: its typ, and its name where it is not built.
TYP_OF: Final = {
    **dict.fromkeys(range(1, 6), MESSAGE_TYP),
    **dict.fromkeys(REGISTRY_KINDS, REGISTRY_TYP),
    **dict.fromkeys((HALT, RESUME), HALT_TYP),
    **dict.fromkeys((LOCAL_HALT, 49, 50), LOG_TYP),
}
_NOT_BUILT: Final = {49: "snapshot", 50: "sequencer's term"}
_LABELS: Final = range(1, 28)
_SCOPE, _REASON, _APPROVES = 17, 26, 27

# For each registry kind, and a resume, the label of its own claim, and its form.
_OWN: Final[dict[int, tuple[int, Callable[[Value], kinds.Own | None]]]] = {
    GENESIS: (18, kinds.read_genesis),
    ENROL: (19, kinds.read_enrolment),
    REVOKE: (20, kinds.read_revocation),
    POLICY: (18, kinds.read_new_policy),
    DEFINE: (18, kinds.read_definition),
    ERASE: (22, kinds.read_erasure),
    TERM: (23, kinds.read_term),
    RESUME: (21, kinds.read_resumption),
}
_REQUIRED: Final[dict[int, frozenset[int]]] = {
    OPEN: frozenset({*range(1, 9), *range(10, 15)}),
    MESSAGE: frozenset(range(1, 13)),
    FORK: frozenset({*range(1, 13), 15}),
    ROLLBACK: frozenset({*range(1, 13), 16}),
    CLOSE: frozenset({*range(1, 13), 25}),
    GENESIS: frozenset({*range(1, 8), 10, 11, 18}),
    **{kind: frozenset({*range(1, 8), 9, 10, 11, _OWN[kind][0], _APPROVES}) for kind in range(17, 23)},
    **dict.fromkeys((HALT, LOCAL_HALT), frozenset({*range(1, 8), 10, 11, _SCOPE, _REASON})),
    RESUME: frozenset({*range(1, 8), 10, 11, _OWN[RESUME][0], _APPROVES}),
}
_WITH_DOCUMENT: Final = frozenset({GENESIS, POLICY, DEFINE})


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
    """Everything an author signed. What the kind forbids is None: so ``recipients`` and ``body`` in the registry's kinds,
    ``seq`` in an open and a genesis, ``close`` in everything but a close."""

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
    recipients: tuple[Address, ...] | None
    seq: tuple[int, int] | None
    time: int
    salt: bytes
    body: BodyClaim | None
    members: tuple[Address, ...] | None
    workflow: tuple[bool, str | None] | None
    fork: kinds.Grant | None
    rollback: kinds.RollbackClaim | None
    scope: bytes | None
    own: kinds.Own | None
    own_value: Value
    """The own claim of a registry kind, or of a resume, as it stands in the entry."""
    close: bool | None
    reason: str | None
    approves: bytes | None


def read_claims(payload: bytes, kid: bytes, typ: str = MESSAGE_TYP) -> Claims:
    """The claims of an envelope with this ``typ`` (steps 1 to 6)."""
    value = decode(payload)
    if not isinstance(value, dict):
        refuse("ClaimType", "claims that are a map", kind_of(value))
    kind = _read_kind(value, typ)
    most = MAX_DOCUMENT_CLAIMS if kind in _WITH_DOCUMENT else MAX_CLAIMS
    if len(payload) > most:  # envelope.2.1
        refuse("SizeLimit", f"claims of at most {most} bytes", f"{len(payload)}")
    _check_labels(value, kind)
    claims = _read_all(value, kind)
    fault = _contradiction(claims, kid)
    if fault:
        refuse("ClaimForm", fault, "other claims")
    return claims


def _read_kind(value: dict[int | str, Value], typ: str) -> int:  # 1
    if 3 not in value:
        refuse("ClaimMissing", "claim 3, the kind", "none")
    kind = value[3]
    if type(kind) is not int or kind < 0:
        refuse("ClaimType", "a kind that is an unsigned integer", kind_of(kind))
    if kind not in TYP_OF:
        refuse("KindUnknown", "a kind of the table", str(kind))
    if TYP_OF[kind] != typ:
        refuse("TypKind", f"a kind of {typ}", str(kind))
    if kind not in _REQUIRED:
        refuse("KindNotBuilt", "a kind that is built", _NOT_BUILT[kind])
    return kind


def _check_labels(value: dict[int | str, Value], kind: int) -> None:
    required = _REQUIRED[kind]
    for label in value:  # 2
        if label not in _LABELS:
            refuse("ClaimUnknown", "labels of the table", ascii(label)[:64])
    for label in sorted(required):  # 3
        if label not in value:
            refuse("ClaimMissing", f"claim {label} in kind {kind}", "none")
    for label in _LABELS:  # 4
        if label in value and label not in required:
            refuse("ClaimForbidden", f"no claim {label} in kind {kind}", "one")


def _read_all(value: dict[int | str, Value], kind: int) -> Claims:  # 5: calls in label order
    def claim(label: int, read: Callable[[Value], Any]) -> Any:
        return read(value[label]) if label in value else None

    realm = read_id(value[1], "claim 1")
    conversation = read_id(value[2], "claim 2")
    agent, grant = _agent_identity(value[4])
    size, fingerprint, registry_size, registry_fingerprint = _context(value[5])
    branch, parent, merges = _path(value[6])
    own_label, read_own = _OWN.get(kind, (0, lambda _: None))
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
        recipients=claim(8, lambda item: read_addresses(item, "claim 8")),
        seq=claim(9, _seq),
        time=read_uint(value[10], "claim 10", TIME_END),
        salt=read_bytes(value[11], "claim 11", 16),
        body=claim(12, _body),
        members=claim(13, _members),
        workflow=claim(14, _workflow),
        fork=claim(15, kinds.read_grant),
        rollback=claim(16, kinds.read_rollback),
        scope=claim(_SCOPE, kinds.read_scope),
        own=claim(own_label, read_own),
        own_value=value.get(own_label),
        close=claim(25, kinds.read_close),
        reason=claim(_REASON, kinds.read_reason),
        approves=claim(_APPROVES, lambda item: read_id_or_null(item, "claim 27")),
    )


def _contradiction(claims: Claims, kid: bytes) -> str | None:  # 6
    """What the claims would have to say to agree with each other, or None."""
    return _contradiction_of_place(claims) or _contradiction_of_realm(claims, kid) or _contradiction_of_contents(claims)


def _contradiction_of_place(c: Claims) -> str | None:
    if c.kind in {OPEN, GENESIS}:  # a
        nothing = (NO_ID, NO_ID, 0, NO_ID, None, ())
        if (c.conversation, c.branch, c.size, c.fingerprint, c.parent, c.merges) != nothing:
            return "a first entry that names no history"
    elif c.kind in REGISTRY_KINDS:  # b
        if (c.conversation, c.branch) != (c.realm, c.realm) or c.size == 0 or c.parent is None or c.merges:
            return "an entry of the registry in the realm's own history"
        if (c.size, c.fingerprint) != (c.registry_size, c.registry_fingerprint):
            return "the registry's own context"
    elif c.kind in STOP_KINDS:  # b
        nothing = (c.realm, c.realm, 0, NO_ID, None, ())
        if (c.conversation, c.branch, c.size, c.fingerprint, c.parent, c.merges) != nothing:
            return "an entry of the registry that asks for nothing"
    elif NO_ID in {c.conversation, c.branch, c.fingerprint} or c.size == 0 or c.parent is None:  # b
        return "a message that names the history it had seen"
    return None


def _contradiction_of_realm(c: Claims, kid: bytes) -> str | None:  # c
    if c.realm == NO_ID:
        if c.kind not in {OPEN, MESSAGE, GENESIS}:
            return "a realm"
        if (c.registry_size, c.registry_fingerprint, c.grant, c.agent) != (0, NO_ID, None, kid):
            return "no registry, no grant, and the key's own agent, outside a realm"
        return None
    if c.kind == GENESIS:
        return "no realm in a genesis"
    if c.kind in STOP_KINDS:
        if (c.registry_size, c.registry_fingerprint) != (0, NO_ID):
            return "no registry context in a halt or a resume"
    elif c.registry_size == 0:
        return "a registry inside a realm"
    if c.grant is not None and (c.grant != c.agent or c.kind not in {MESSAGE, FORK, ROLLBACK, CLOSE}):
        return "a grant that is the agent's own, and in a message, a fork, a rollback or a close"
    return None


def _contradiction_of_contents(c: Claims) -> str | None:
    state = c.workflow_state
    if state is not None:  # d
        if c.kind not in {OPEN, MESSAGE}:
            return "no workflow step in this kind"
        if c.kind == OPEN and state.instance is not None:
            return "no running workflow instance in an open"
        if state.approves is not None and state.instance is None:
            return "approval inside a workflow instance"
    branches = [merge.branch for merge in c.merges]  # e
    if c.branch in branches or len(set(branches)) != len(branches) or any(merge.size == 0 for merge in c.merges):
        return "merges of other branches, each once, not empty"
    if c.workflow is not None and c.workflow[0] and c.workflow[1] is None:  # f
        return "a definition where a workflow is required"
    if _APPROVES in _REQUIRED[c.kind] and (c.approves is None) != (c.own is not None):  # g
        return "a proposal or an approval"
    return None


# -- one claim each ------------------------------------------------------------------------------------------------


def _agent_identity(value: Value) -> tuple[bytes, bytes | None]:
    agent, grant = read_array(value, "claim 4", 2)
    return read_id(agent, "an agent"), read_id_or_null(grant, "a grant")


def _context(value: Value) -> tuple[int, bytes, int, bytes]:
    size, fingerprint, registry_size, registry_fingerprint = read_array(value, "claim 5", 4)
    return (
        read_uint(size, "a size", SIZE_END),
        read_id(fingerprint, "a fingerprint"),
        read_uint(registry_size, "a registry size", SIZE_END),
        read_id(registry_fingerprint, "a registry fingerprint"),
    )


def _path(value: Value) -> tuple[bytes, bytes | None, tuple[Merge, ...]]:
    branch, parent, merges = read_array(value, "claim 6", 3)
    return (
        read_id(branch, "a branch"),
        read_id_or_null(parent, "a parent"),
        read_list(merges, "merges", MAX_MERGES, _merge),
    )


def _merge(value: Value) -> Merge:
    branch, size, fingerprint = read_array(value, "a merge", 3)
    return Merge(
        read_id(branch, "a branch"), read_uint(size, "a size", SIZE_END), read_id(fingerprint, "a fingerprint")
    )


def _workflow_state(value: Value) -> WorkflowState | None:
    if value is None:
        return None
    instance, definition, step, outputs, approves = read_array(value, "claim 7", 5)
    return WorkflowState(
        instance=read_id_or_null(instance, "an instance"),
        definition=read_id(definition, "a definition"),
        step=read_name(step, "a step"),
        outputs=_outputs(outputs),
        approves=read_id_or_null(approves, "an approved message"),
    )


def _outputs(value: Value) -> dict[str, Output]:
    if not isinstance(value, dict):
        refuse("ClaimType", "outputs that are a map", kind_of(value))
    if len(value) > MAX_OUTPUTS:
        refuse("TooMany", f"at most {MAX_OUTPUTS} outputs", str(len(value)))
    found: dict[str, Output] = {}
    for key, item in value.items():
        name = read_name(key, "the name of an output")
        if not isinstance(item, bool | int | str):
            refuse("ClaimType", "an output that is a boolean, an integer or a text", kind_of(item))
        if isinstance(item, str) and len(item.encode()) > MAX_OUTPUT_TEXT:
            refuse("ClaimRange", f"an output of at most {MAX_OUTPUT_TEXT} bytes", f"{len(item.encode())}")
        found[name] = item
    return found


def _seq(value: Value) -> tuple[int, int]:
    epoch, counter = read_array(value, "claim 9", 2)
    return read_uint(epoch, "an epoch", TIME_END), read_uint(counter, "a counter", 1 << 32)


def _body(value: Value) -> BodyClaim | None:
    if value is None:
        return None
    commitment, size, media_type = read_array(value, "claim 12", 3)
    return BodyClaim(
        commitment=read_id(commitment, "a commitment"),
        size=read_uint(size, "a body's size", MAX_BODY + 1),
        media_type=_media_type(media_type),
    )


def _media_type(value: Value) -> str:
    if not isinstance(value, str):
        refuse("ClaimType", "a media type that is a text", kind_of(value))
    if not (1 <= len(value) <= MAX_MEDIA_TYPE and all("\x21" <= letter <= "\x7e" for letter in value)):
        refuse("ClaimForm", f"a media type of 1 to {MAX_MEDIA_TYPE} printable ASCII letters", ascii(value[:64]))
    return value


def _members(value: Value) -> tuple[Address, ...] | None:
    if value is None:
        return None
    if value == []:
        refuse("ClaimRange", "at least one member", "none")
    return read_addresses(value, "claim 13")


def _workflow(value: Value) -> tuple[bool, str | None]:
    required, definition = read_array(value, "claim 14", 2)
    if not isinstance(required, bool):
        refuse("ClaimType", "a boolean: is a workflow required", kind_of(required))
    return required, None if definition is None else read_name(definition, "a definition")
