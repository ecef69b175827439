"""The reference's answers to the questions of ``ama2sec.conform`` (spec conform): one function for each operation.

Arguments come in the right form. Each function returns the members of an answer besides ``id`` and ``code``, or raises.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TypeAlias

from ama2sec.errors import error
from ama2sec.reference import codec, definitions, envelope, hashes, proofs, realm_answers, rule_s, tree
from ama2sec.reference.directory import Directory
from ama2sec.reference.transcript import verify_transcript
from ama2sec.reference.view import from_view, to_view, typ_of_view
from ama2sec.reference.view_forms import Json

_MEDIA_TYPE = "application/octet-stream"


def ed25519_verify(key: bytes, msg: bytes, sig: bytes) -> dict[str, Json]:
    """Rule S on raw bytes."""
    rule_s.ed25519_verify(key, msg, sig)
    return {}


def cbor(data: bytes) -> dict[str, Json]:
    """Strict decoding alone; and what was decoded encodes to the same bytes."""
    if codec.encode(codec.decode(data)) != data:
        raise error("Internal", "an encoding equal to the input", "another")
    return {}


def make(
    seed: bytes,
    claims: dict[str, Json] | None,
    claims_bytes: bytes | None,
    header_bytes: bytes | None,
    body: tuple[bytes, bytes] | None,
) -> dict[str, Json]:
    """Sign what is given, hostile or not. ``body`` is a body and its salt."""
    typ = typ_of_view(claims or {})
    if claims_bytes is None:
        view = dict(claims or {})
        if body is not None:
            _fill_body(view, *body)
        claims_bytes = codec.encode(from_view(view, envelope.thumbprint_of_seed(seed)))
    header = envelope.honest_header(envelope.thumbprint_of_seed(seed), typ) if header_bytes is None else header_bytes
    made = envelope.make(seed, claims_bytes, header)
    message_id = hashes.message_id(envelope.sig_structure(header, claims_bytes))
    return {"envelope": made.hex(), "message_id": message_id.hex()}


def _fill_body(view: dict[str, Json], body: bytes, salt: bytes) -> None:
    """What the claims leave out of it: the commitment, the size, the media type."""
    given = view.get("body", {})
    if isinstance(given, dict):
        commitment = hashes.body_commitment(salt, body).hex()
        view["body"] = {"commitment": commitment, "size": len(body), "media_type": _MEDIA_TYPE, **given}


def parse(data: bytes) -> dict[str, Json]:
    """Parsing alone: nothing is verified."""
    found = envelope.parse(data)
    return {"message_id": found.message_id.hex(), "kid": found.kid.hex(), "claims": to_view(found.claims)}


def verify(data: bytes, directory: list[tuple[bytes, str, str]], body: tuple[bytes, bytes] | None) -> dict[str, Json]:
    """One envelope against a directory of (key, purpose, name), with the body and its salt where they are given."""
    given, salt = body or (None, None)
    found = envelope.verify(data, _directory(tuple(directory)), body=given, body_salt=salt)
    return {
        "message_id": found.envelope.message_id.hex(),
        "sender": found.sender.name,
        "claims": to_view(found.envelope.claims),
        "body": found.body_state,
    }


def transcript(data: bytes, directory: list[tuple[bytes, str, str]], head: str | None) -> dict[str, Json]:
    """A whole conversation; the error of a fault in it has its position."""
    found = verify_transcript(data, _directory(tuple(directory)), head=head)
    return {"head": found.head_text, "entries": found.entries}


def fingerprint(realm: bytes, conversation: bytes, branch: bytes, ids: list[bytes]) -> dict[str, Json]:
    """The fingerprints of every prefix."""
    found: list[Json] = [each.hex() for each in tree.fingerprints(realm, conversation, branch, ids)]
    return {"fingerprints": found}


def rfc6962_root(leaves: list[bytes] | None, leaf_hashes: list[bytes] | None) -> dict[str, Json]:
    """The SHA-256 root over data or over leaf hashes."""
    of_data = [tree.rfc6962_leaf(leaf) for leaf in leaves or []]
    return {"root": tree.rfc6962_root(of_data if leaf_hashes is None else leaf_hashes).hex()}


def rfc6962_check_inclusion(
    leaf_hash: bytes, index: int, size: int, proof: list[bytes], root: bytes
) -> dict[str, Json]:
    """A path as a list of SHA-256 hashes."""
    proofs.rfc6962_check_inclusion(leaf_hash, index, size, proof, root)
    return {}


def rfc6962_check_consistency(
    old_size: int, new_size: int, proof: list[bytes], old_root: bytes, new_root: bytes
) -> dict[str, Json]:
    """A consistency proof as a list of SHA-256 hashes."""
    proofs.rfc6962_check_consistency(old_size, new_size, proof, old_root, new_root)
    return {}


# -- proofs --------------------------------------------------------------------------------------------------------

Print: TypeAlias = tuple[bytes, bytes, bytes, int, bytes]
"""A fingerprint as it stands in a question: realm, conversation, branch, size, value."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """What every prover is given: a branch of any name, and its leaves."""

    realm: bytes
    conversation: bytes
    branch: bytes
    ids: list[bytes]

    @property
    def leaves(self) -> proofs.Leaves:
        return proofs.Leaves(self.ids)

    def print_at(self, size: int) -> Json:
        """The fingerprint of the first ``size`` leaves: a size that was proved."""
        names = (self.realm, self.conversation, self.branch)
        value = hashes.fingerprint(*names, size, tree.branch_root(self.ids[:size]))
        return _print_view(proofs.Fingerprint(*names, size, value))


def _print_view(found: proofs.Fingerprint) -> Json:
    return {
        "realm": found.realm.hex(),
        "conversation": found.conversation.hex(),
        "branch": found.branch.hex(),
        "size": found.size,
        "fingerprint": found.value.hex(),
    }


def prove_inclusion(
    realm: bytes, conversation: bytes, branch: bytes, ids: list[bytes], index: int, size: int | None
) -> dict[str, Json]:
    """Leaf ``index`` of the first ``size``."""
    scope, size = _Scope(realm, conversation, branch, ids), len(ids) if size is None else size
    made = proofs.prove_inclusion(scope.leaves, index, size)
    return {"proof": made.hex(), "fingerprint": scope.print_at(size)}


def check_inclusion(fingerprint: Print, envelope: bytes, proof: bytes) -> dict[str, Json]:
    """One message under a fingerprint."""
    found = proofs.check_inclusion(proofs.Fingerprint(*fingerprint), envelope, proof)
    return {"message_id": found.message_id.hex(), "index": found.index}


def prove_consistency(
    realm: bytes, conversation: bytes, branch: bytes, ids: list[bytes], old_size: int, new_size: int | None
) -> dict[str, Json]:
    """The first ``old_size`` leaves begin the first ``new_size``."""
    scope, new_size = _Scope(realm, conversation, branch, ids), len(ids) if new_size is None else new_size
    made = proofs.prove_consistency(scope.leaves, old_size, new_size)
    return {"proof": made.hex(), "old": scope.print_at(old_size), "new": scope.print_at(new_size)}


def check_consistency(old: Print, new: Print, proof: bytes) -> dict[str, Json]:
    """One history begins with the other."""
    proofs.check_consistency(proofs.Fingerprint(*old), proofs.Fingerprint(*new), proof)
    return {}


def prove_range(
    realm: bytes, conversation: bytes, branch: bytes, ids: list[bytes], begin: int, end: int, size: int | None
) -> dict[str, Json]:
    """Leaves [begin, end) of the first ``size``."""
    scope, size = _Scope(realm, conversation, branch, ids), len(ids) if size is None else size
    made = proofs.prove_range(scope.leaves, begin, end, size)
    return {"proof": made.hex(), "fingerprint": scope.print_at(size)}


def check_range(fingerprint: Print, envelopes: list[bytes], proof: bytes) -> dict[str, Json]:
    """Messages in a row under a fingerprint."""
    found = proofs.check_range(proofs.Fingerprint(*fingerprint), envelopes, proof)
    ids: list[Json] = [each.hex() for each in found.message_ids]
    return {"message_ids": ids, "begin": found.begin}


def check_ancestry(fingerprint: Print, envelope: bytes, proof: bytes) -> dict[str, Json]:
    """One message in the past of a fingerprint."""
    found = proofs.check_ancestry(proofs.Fingerprint(*fingerprint), envelope, proof)
    via: list[Json] = [each.hex() for each in found.via]
    return {"message_id": found.message_id.hex(), "index": found.index, "via": via}


def workflow_compile(document: bytes) -> dict[str, Json]:
    """A workflow definition, read strictly and found sound."""
    found = definitions.compile_definition(document)
    return {"document": found.document.hex(), "definition_id": found.id.hex(), "name": found.name}


# -- realms --------------------------------------------------------------------------------------------------------

offer, next_key = realm_answers.offer, realm_answers.next_key
realm_new, admit = realm_answers.realm_new, realm_answers.admit
state_digest, head = realm_answers.state_digest, realm_answers.head
halt, resume = realm_answers.halt, realm_answers.resume


@functools.lru_cache(maxsize=8)  # a stream of questions names one directory again and again; nobody changes it here
def _directory(entries: tuple[tuple[bytes, str, str], ...]) -> Directory:
    made = Directory()
    for key, purpose, name in entries:
        made.enrol(key, name=name, purpose=purpose)
    return made
