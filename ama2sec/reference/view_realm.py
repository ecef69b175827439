"""The JSON view of the claims that only a realm has, both ways (spec conform, "The JSON view of claims")."""

from __future__ import annotations

from ama2sec.reference.codec import Value
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
    Resumption,
    Revocation,
    RollbackClaim,
    Term,
)
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
    view_of_addresses,
)


def view_of_grant(grant: Grant | None) -> Json:
    if grant is None:
        return None
    return {
        "key": grant.key.hex(),
        "offer": grant.offer.hex(),
        "steps": None if grant.steps is None else list(grant.steps),
        "to": view_of_addresses(grant.to),
        "rights": grant.rights,
        "expires": grant.expires,
        "depth": grant.depth,
        "next": hex_or_null(grant.next),
    }


def view_of_rollback(rollback: RollbackClaim) -> Json:
    return {
        "target": rollback.target.hex(),
        "size": rollback.keep,
        "closure": {"count": rollback.count, "hash": rollback.hash.hex()},
        "reason": rollback.reason,
    }


def view_of_own(own: Own) -> Json:
    match own:
        case Genesis():
            return {
                "name": own.name,
                "rules_version": own.rules_version,
                "profile": own.profile,
                "roots": [{**_view_of_offered(root), "next": hex_or_null(root.next)} for root in own.roots],
                "sequencer": _view_of_offered(own.sequencer),
                "policy": _view_of_policy(own.policy),
            }
        case NewPolicy():
            return {"replaces": own.replaces.hex(), "policy": _view_of_policy(own.policy)}
        case Definition():
            return {"name": own.name, "replaces": hex_or_null(own.replaces), "document": own.document.hex()}
        case Enrolment():
            return {
                "name": own.name,
                "key": own.key.hex(),
                "purpose": own.purpose,
                "groups": list(own.groups),
                "next": hex_or_null(own.next),
                "replaces": hex_or_null(own.replaces),
                "offer": own.offer.hex(),
            }
        case Revocation():
            return {"agent": own.agent.hex(), "suspect_from": own.suspect_from, "reason": own.reason}
        case Erasure():
            return {"message": own.message.hex(), "reason": own.reason}
        case Term():
            return {"size": own.size, "root": own.root.hex(), "reason": own.reason}
        case Resumption():
            return {"halts": [halt.hex() for halt in own.halts], "reason": own.reason}


def _view_of_offered(offered: Offered) -> dict[str, Json]:
    return {"name": offered.name, "key": offered.key.hex(), "offer": offered.offer.hex()}


def _view_of_policy(policy: Policy) -> dict[str, Json]:
    return {**dict(zip(QUORUMS, policy.quorums, strict=True)), "hold": policy.hold}


def read_grant(value: Json) -> Value:
    key, offer, steps, to, rights, expires, depth, following = read_members(
        value, "key", "offer", "steps", "to", "rights", "expires", "depth", "next"
    )
    return [
        read_bytes(key),
        read_bytes(offer),
        None if steps is None else [read_text(step) for step in read_list(steps)],
        None if to is None else [read_address(item) for item in read_list(to)],
        read_int(rights),
        None if expires is None else read_int(expires),
        read_int(depth),
        read_bytes_or_null(following),
    ]


def read_rollback(value: Json) -> Value:
    target, size, fall, reason = read_members(value, "target", "size", "closure", "reason")
    count, digest = read_members(fall, "count", "hash")
    return [read_bytes(target), read_int(size), [read_int(count), read_bytes(digest)], read_text(reason)]


def read_document(value: Json) -> Value:
    given = value if isinstance(value, dict) else {}
    if "roots" in given:
        name, rules, profile, roots, sequencer, policy = read_members(
            value, "name", "rules_version", "profile", "roots", "sequencer", "policy"
        )
        return [
            read_text(name),
            read_int(rules),
            read_int(profile),
            [_offered(root, "next") for root in read_list(roots)],
            _offered(sequencer),
            policy_from_view(policy),
        ]
    if "policy" in given:
        replaces, policy = read_members(value, "replaces", "policy")
        return [read_bytes(replaces), policy_from_view(policy)]
    name, replaces, document = read_members(value, "name", "replaces", "document")
    return [read_text(name), read_bytes_or_null(replaces), read_bytes(document)]


def _offered(value: Json, *more: str) -> Value:
    name, key, offer, *following = read_members(value, "name", "key", "offer", *more)
    return [read_text(name), read_bytes(key), read_bytes(offer), *map(read_bytes_or_null, following)]


def policy_from_view(value: Json) -> Value:
    """A policy, hostile or not."""
    *quorums, hold = read_members(value, *QUORUMS, "hold")
    found: list[Value] = [*map(read_int, quorums), read_bool(hold)]
    return dict(enumerate(found, 1))


def read_enrolment(value: Json) -> Value:
    name, key, purpose, groups, following, replaces, offer = read_members(
        value, "name", "key", "purpose", "groups", "next", "replaces", "offer"
    )
    return [
        read_text(name),
        read_bytes(key),
        read_int(purpose),
        [read_text(group) for group in read_list(groups)],
        read_bytes_or_null(following),
        read_bytes_or_null(replaces),
        read_bytes(offer),
    ]


def read_revocation(value: Json) -> Value:
    agent, suspect_from, reason = read_members(value, "agent", "suspect_from", "reason")
    return [read_bytes(agent), None if suspect_from is None else read_int(suspect_from), read_text(reason)]


def read_erasure(value: Json) -> Value:
    message, reason = read_members(value, "message", "reason")
    return [read_bytes(message), read_text(reason)]


def read_term(value: Json) -> Value:
    size, root, reason = read_members(value, "size", "root", "reason")
    return [read_int(size), read_bytes(root), read_text(reason)]


def read_resumption(value: Json) -> Value:
    halts, reason = read_members(value, "halts", "reason")
    return [[read_bytes(halt) for halt in read_list(halts)], read_text(reason)]
