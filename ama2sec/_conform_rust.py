"""The core's answers to the questions of ``ama2sec.conform`` (spec conform): one function for each operation.

Arguments come in the right form. Each function returns the members of an answer besides ``id`` and ``code``, or raises.
"""

from __future__ import annotations

import json
from typing import Any

from ama2sec import _native, history
from ama2sec._native import Accumulator, Fingerprint, Id, SigningKey
from ama2sec.errors import Ama2Error
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
    named = {"realm": realm, "conversation": conversation, "branch": branch, "fingerprint": hashes[size]}
    return {**{name: value.hex() for name, value in named.items()}, "size": size}


def _trusted(named: Named) -> Fingerprint:
    realm, conversation, branch, size, found = named
    return Fingerprint(Id(realm), Id(conversation), Id(branch), size, Id(found))


def _directory(entries: list[tuple[bytes, str, str]]) -> Directory:
    made = Directory()
    for key, purpose, name in entries:
        made.enrol(key, name=name, purpose=purpose)
    return made
