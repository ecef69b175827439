"""The core's answers to the questions of ``ama2sec.conform`` (spec conform): one function for each operation.

Arguments come in the right form. Each function returns the members of an answer besides ``id`` and ``code``, or raises.
"""

from __future__ import annotations

import json
from typing import Any

from ama2sec import _native, history
from ama2sec._native import (
    Accumulator,
    Fingerprint,
    Id,
    RealmAnswer,
    RealmEngine,
    SigningKey,
    check_definition,
    draft_realm,
    next_key_digest,
    sign_offer,
)
from ama2sec.errors import Ama2Error, error
from ama2sec.history import verify_conversation
from ama2sec.identity import Directory
from ama2sec.message import parse as parse_message
from ama2sec.message import verify as verify_message

Answer = dict[str, Any]
# Realm, conversation, branch, size, fingerprint.
Named = tuple[bytes, bytes, bytes, int, bytes]


def ed25519_verify(key: bytes, msg: bytes, sig: bytes) -> Answer:
    """Rule S on raw bytes."""
    _native.ed25519_verify(key, msg, sig)
    return {}


def cbor(data: bytes) -> Answer:
    """Strict decoding alone."""
    _native.check_cbor(data)
    return {}


def make(
    seed: bytes,
    claims: dict[str, Any] | None,
    claims_bytes: bytes | None,
    header_bytes: bytes | None,
    body: tuple[bytes, bytes] | None,
) -> Answer:
    """Sign what is given, hostile or not. ``body`` is a body and its salt."""
    given, salt = body or (None, None)
    view = None if claims is None else json.dumps(claims)
    envelope, message_id = _native.make(SigningKey.from_seed(seed), view, claims_bytes, header_bytes, given, salt)
    return {"envelope": envelope.hex(), "message_id": str(message_id)}


def parse(data: bytes) -> Answer:
    """Parsing alone: nothing is verified."""
    found = parse_message(data)
    return {"message_id": str(found.id), "kid": str(found.kid), "claims": found.claims}


def verify(data: bytes, directory: list[tuple[bytes, str, str]], body: tuple[bytes, bytes] | None) -> Answer:
    """One message against a directory of (key, purpose, name), with the body and its salt where they are given."""
    given, salt = body or (None, None)
    found = verify_message(data, _directory(directory), body=given, body_salt=salt)
    return {"message_id": str(found.id), "sender": found.sender, "claims": found.claims, "body": found.body_state}


def transcript(data: bytes, directory: list[tuple[bytes, str, str]], head: str | None) -> Answer:
    """A whole conversation; the error of a fault in it has its position."""
    try:
        found = verify_conversation(data, _directory(directory), head=head)
    except Ama2Error as fault:
        report: Any = fault.report
        if report is not None:
            fault.position, fault.sound = report["first_fault"]["position"], report["sound"]
        raise
    return {"head": str(found.head), "entries": found.entries}


def fingerprint(realm: bytes, conversation: bytes, branch: bytes, ids: list[bytes]) -> Answer:
    """The fingerprints of every prefix."""
    found = _native.branch_fingerprints(Id(realm), Id(conversation), Id(branch), ids)
    return {"fingerprints": [each.hex() for each in found]}


def rfc6962_root(leaves: list[bytes] | None, leaf_hashes: list[bytes] | None) -> Answer:
    """The SHA-256 root over data or over leaf hashes."""
    hashed = leaves is None
    return {"root": _native.rfc6962_root((leaf_hashes if leaves is None else leaves) or [], hashed=hashed).hex()}


def rfc6962_check_inclusion(leaf_hash: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> Answer:
    """A list of RFC 9162, 2.1.3."""
    _native.rfc6962_check_inclusion(leaf_hash, index, size, proof, root)
    return {}


def rfc6962_check_consistency(
    old_size: int, new_size: int, proof: list[bytes], old_root: bytes, new_root: bytes
) -> Answer:
    """A list of RFC 9162, 2.1.4."""
    _native.rfc6962_check_consistency(old_size, new_size, proof, old_root, new_root)
    return {}


def prove_inclusion(
    realm: bytes, conversation: bytes, branch: bytes, ids: list[bytes], index: int, size: int | None
) -> Answer:
    """An inclusion proof, and the fingerprint that it is held against."""
    proof = history.prove_inclusion(_tree(realm, conversation, ids), index, size)
    return {"proof": proof.hex(), "fingerprint": _named(realm, conversation, branch, ids, size)}


def check_inclusion(fingerprint: Named, envelope: bytes, proof: bytes) -> Answer:
    """An inclusion proof against a fingerprint."""
    found = history.check_inclusion(_trusted(fingerprint), envelope, proof)
    return {"message_id": str(found.id), "index": found.index}


def prove_consistency(
    realm: bytes, conversation: bytes, branch: bytes, ids: list[bytes], old_size: int, new_size: int | None
) -> Answer:
    """A consistency proof, and the fingerprints of both sizes."""
    proof = history.prove_consistency(_tree(realm, conversation, ids), old_size, new_size)
    old, new = (_named(realm, conversation, branch, ids, size) for size in (old_size, new_size))
    return {"proof": proof.hex(), "old": old, "new": new}


def check_consistency(old: Named, new: Named, proof: bytes) -> Answer:
    """A consistency proof against two fingerprints."""
    history.check_consistency(_trusted(old), _trusted(new), proof)
    return {}


def prove_range(
    realm: bytes, conversation: bytes, branch: bytes, ids: list[bytes], begin: int, end: int, size: int | None
) -> Answer:
    """A range proof, and the fingerprint that it is held against."""
    proof = history.prove_range(_tree(realm, conversation, ids), begin, end, size)
    return {"proof": proof.hex(), "fingerprint": _named(realm, conversation, branch, ids, size)}


def check_range(fingerprint: Named, envelopes: list[bytes], proof: bytes) -> Answer:
    """A range proof against a fingerprint."""
    found = history.check_range(_trusted(fingerprint), envelopes, proof)
    return {"message_ids": [str(each) for each in found.ids], "begin": found.begin}


def check_ancestry(fingerprint: Named, envelope: bytes, proof: bytes) -> Answer:
    """An ancestry proof against a fingerprint."""
    found = history.check_ancestry(_trusted(fingerprint), envelope, proof)
    return {"message_id": str(found.id), "index": found.index, "via": [str(each) for each in found.via]}


def _tree(realm: bytes, conversation: bytes, ids: list[bytes]) -> Accumulator:
    made = Accumulator(realm, conversation)
    made.extend(ids)
    return made


def _named(realm: bytes, conversation: bytes, branch: bytes, ids: list[bytes], size: int | None) -> dict[str, object]:
    size = len(ids) if size is None else size
    hashes = _native.branch_fingerprints(Id(realm), Id(conversation), Id(branch), ids[:size])
    named: dict[str, object] = {"realm": realm.hex(), "conversation": conversation.hex(), "branch": branch.hex()}
    return {**named, "size": size, "fingerprint": hashes[size].hex()}


def _trusted(named: Named) -> Fingerprint:
    realm, conversation, branch, size, found = named
    return Fingerprint(Id(realm), Id(conversation), Id(branch), size, Id(found))


def _directory(entries: list[tuple[bytes, str, str]]) -> Directory:
    made = Directory()
    for key, purpose, name in entries:
        made.enrol(key, name=name, purpose=purpose)
    return made


# -- a realm: one for each stream ----------------------------------------------------------------------------------

_PURPOSES = {1: "message", 2: "operator", 3: "sequencer", 4: "root"}


class _Stream:
    """The realm of this process's stream."""

    engine: RealmEngine | None = None
    seed: bytes = b""
    """The sequencer's."""


def _engine() -> RealmEngine:
    if _Stream.engine is None:
        raise error("ConformQuestion", "a realm (realm_new)", "none")
    return _Stream.engine


def offer(seed: bytes, realm: bytes, purpose: int, name: str, next: bytes | None) -> Answer:  # noqa: A002
    """Proof of possession of a key."""
    key = SigningKey.from_seed(seed)
    following = None if next is None else Id(next)
    return {
        "key": bytes(key.public).hex(),
        "offer": sign_offer(key, Id(realm), _PURPOSES[purpose], name, following).hex(),
    }


def next_key(key: bytes) -> Answer:
    """The digest that commits to a key."""
    return {"next": str(next_key_digest(key))}


def workflow_compile(document: bytes) -> Answer:
    """A workflow definition, read strictly and found sound."""
    found = check_definition(document)
    return {"document": found.document.hex(), "definition_id": str(found.id), "name": found.name}


def realm_new(
    time: int,
    sequencer_seed: bytes,
    envelope: bytes | None,
    name: str | None,
    root_seeds: list[bytes] | None,
    policy: dict[str, Any] | None,
    profile: int | None,
    salt: bytes | None,
) -> Answer:
    """Begin the stream's realm, with the genesis that is given or with one that is made."""
    sequencer = SigningKey.from_seed(sequencer_seed)
    _Stream.engine = None
    try:
        genesis = envelope
        if genesis is None:
            genesis = _made_genesis(name or "", root_seeds or [], sequencer, policy, profile, time, salt)
        _check_sequencer(genesis, sequencer)
        _Stream.engine, first = RealmEngine.create(genesis, sequencer, time, budgets=False, latch=False)
        _Stream.seed = sequencer_seed
    except Ama2Error as fault:
        if fault.code == "ArgumentRange":
            raise
        return {"code": fault.code, "verdict": "refused", "expected": fault.expected, "got": fault.got}
    return {"realm": str(_Stream.engine.realm), "envelope": genesis.hex(), **_answer(_Stream.engine, first)}


def _made_genesis(
    name: str,
    root_seeds: list[bytes],
    sequencer: SigningKey,
    policy: dict[str, Any] | None,
    profile: int | None,
    time: int,
    salt: bytes | None,
) -> bytes:
    quorums = dict.fromkeys(("root", "enrol", "revoke", "define", "erase", "resume"), 1)
    policy = {**quorums, "hold": False} if policy is None else policy
    document = _document(name, root_seeds, sequencer, policy, 1 if profile is None else profile)
    first = SigningKey.from_seed(root_seeds[0])
    return draft_realm(first.public, json.dumps(document), time, salt).sign(first).envelope


def _check_sequencer(envelope: bytes, sequencer: SigningKey) -> None:
    try:
        found = parse_message(envelope)
    except Ama2Error:
        return
    if found.kind == "genesis" and found.claims["document"]["sequencer"]["key"] != bytes(sequencer.public).hex():
        raise error("ArgumentRange", "the seed of the genesis's sequencer", "another seed")


def _document(
    name: str, root_seeds: list[bytes], sequencer: SigningKey, policy: dict[str, Any], profile: int
) -> dict[str, Any]:
    zeros = Id(bytes(32))

    def holder(key: SigningKey, purpose: str, name: str) -> dict[str, Any]:
        return {"name": name, "key": bytes(key.public).hex(), "offer": sign_offer(key, zeros, purpose, name).hex()}

    keys = [SigningKey.from_seed(seed) for seed in root_seeds]
    return {
        "name": name,
        "rules_version": 1,
        "profile": profile,
        "roots": [{**holder(key, "root", f"root-{place}"), "next": None} for place, key in enumerate(keys, 1)],
        "sequencer": holder(sequencer, "sequencer", "sequencer"),
        "policy": policy,
    }


def _answer(engine: RealmEngine, found: RealmAnswer) -> Answer:
    fault = {"code": found.code, "verdict": found.verdict, "expected": found.expected, "got": found.got}
    if found.verdict == "refused":
        return fault
    if found.verdict == "duplicate":
        return {"verdict": "duplicate", "position": found.position}
    conversation, record = found.conversation, found.record
    assert conversation is not None and record is not None  # noqa: S101, PT018  (a record has both)
    digest = None
    if conversation == engine.realm:
        digest = str(engine.state_digest())
    elif str(conversation) in engine.ask("conversations"):
        digest = str(engine.state_digest(conversation))
    answer: Answer = {} if found.verdict == "admitted" else fault
    answer |= {"verdict": found.verdict, "position": found.position, "conversation": str(conversation)}
    if found.home is not None:
        branch, index = found.home
        fingerprint = engine.fingerprint(conversation, branch, index + 1)
        answer |= {"branch": str(branch), "index": index, "fingerprint": str(fingerprint)}
    return answer | {
        "digest": digest,
        "registry_digest": str(engine.state_digest()),
        "record": record.hex(),
    }


def admit(envelope: bytes, time: int, body: tuple[bytes, bytes] | None) -> Answer:
    """What an engine does with one entry."""
    engine = _engine()
    given, salt = body or (None, None)
    return _answer(engine, engine.submit(envelope, time, body=given, body_salt=salt))


def halt(time: int, envelope: bytes | None, scope: bytes | None, reason: str | None, salt: bytes | None) -> Answer:
    """What an engine does with a halt, or with a local halt that is made here."""
    engine = _engine()
    if envelope is not None:
        _check_kind(envelope, {"halt", "local-halt"})
        return admit(envelope, time, None)
    if scope is None or reason is None or salt is None:
        raise error("Internal", "what a local halt is made of", "less")
    made = _made_local_halt(engine, scope, reason, time, salt)
    return {"envelope": made.hex(), **admit(made, time, None)}


def _made_local_halt(engine: RealmEngine, scope: bytes, reason: str, time: int, salt: bytes) -> bytes:
    """Crafted, not drafted: whether it has the form is for the engine to say."""
    realm, zeros = str(engine.realm), "00" * 32
    claims: dict[str, Any] = {
        "realm": realm,
        "conversation": realm,
        "kind": "local-halt",
        "agent_identity": {"grant": None},
        "context_fingerprint": {"size": 0, "fingerprint": zeros, "registry_size": 0, "registry_fingerprint": zeros},
        "execution_path": {"branch": realm, "parent": None, "merges": []},
        "workflow_state": None,
        "time": time,
        "salt": salt.hex(),
        "scope": scope.hex(),
        "reason": reason,
    }
    return bytes.fromhex(str(make(_Stream.seed, claims, None, None, None)["envelope"]))


def resume(envelope: bytes, time: int) -> Answer:
    """What an engine does with a resume."""
    _engine()
    _check_kind(envelope, {"resume"})
    return admit(envelope, time, None)


def _check_kind(envelope: bytes, kinds: set[str]) -> None:
    """Bytes that do not parse are left to ``admit``, which says why."""
    try:
        kind = parse_message(envelope).kind
    except Ama2Error:
        return
    if kind not in kinds:
        raise error("ConformQuestion", f"an envelope of kind {' or '.join(sorted(kinds))}", kind)


def state_digest(conversation: bytes | None) -> Answer:
    """The digests of the registry and of a conversation."""
    engine = _engine()
    found = None if conversation is None else str(engine.state_digest(Id(conversation)))
    return {"registry": str(engine.state_digest()), "conversation": found}


def head() -> Answer:
    """The checkpoint of all records so far."""
    return {"checkpoint": _engine().head()}
