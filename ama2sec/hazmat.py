"""Sharp tools. Each of them checks less than you think; prefer ``ama2sec.verify``.

A raw signature check says that a key signed some bytes. It does not say that the key belongs to anybody, that the bytes
were meant for you, that they were meant in this protocol, or that they were not sent before:

    key = message["key"]                              # WRONG: the key comes from what it verifies
    ed25519_verify(key, message["data"], message["signature"])      # an attacker signs with a key of his own, and passes

A proof over a bare leaf hash says that the hash stands in a tree. Whoever chose the hash may have chosen an inner node:

    rfc6962_check_inclusion(claim["leaf_hash"], claim["index"], claim["size"], claim["proof"], root)   # WRONG: hash the data yourself,
                                                                      # and take the size from where the root came from
"""

from __future__ import annotations

from ama2sec import _native
from ama2sec._native import (
    PublicKey,
    RealmTree,
    RecordIncluded,
    RecordRangeIncluded,
    Rfc6962Extended,
    Rfc6962Included,
    SignatureVerified,
    SigningKey,
    backend,
    rfc6962_root,
)
from ama2sec.identity.identity import Identity

__all__ = [
    "RealmTree",
    "RecordIncluded",
    "RecordRangeIncluded",
    "Rfc6962Extended",
    "Rfc6962Included",
    "SignatureVerified",
    "backend",
    "check_record_consistency",
    "check_record_inclusion",
    "check_record_range",
    "ed25519_sign",
    "ed25519_verify",
    "prove_record_consistency",
    "prove_record_inclusion",
    "prove_record_range",
    "rfc6962_check_consistency",
    "rfc6962_check_inclusion",
    "rfc6962_prove_consistency",
    "rfc6962_prove_inclusion",
    "rfc6962_root",
]


def ed25519_verify(public_key: bytes | PublicKey, message: bytes, signature: bytes) -> SignatureVerified:
    """Check a raw Ed25519 signature under rule S; returns a proof that it was checked, or raises.

    Raises ``KeyLength``, ``KeyNotCanonical``, ``KeyWeak``, ``SignatureLength``, ``SignatureNotCanonical``,
    ``SignatureWeak``, ``SignatureInvalid``, ``NotBytes``. A ``PublicKey`` skips the checks that it passed
    when it was made. Source: spec identity.1.
    """
    return _native.ed25519_verify(public_key, message, signature)


def ed25519_sign(identity: Identity, message: bytes) -> bytes:
    """Sign raw bytes: whoever can choose ``message`` can have an envelope signed. 64 bytes. Raises ``ArgumentType``
    where the identity's private key is not in the core."""
    signer = identity._signer
    if not isinstance(signer, SigningKey):
        return bytes(signer.sign(message))
    return signer.sign(message)


def rfc6962_check_inclusion(
    leaf_hash: bytes, index: int, size: int, proof: list[bytes], root: bytes
) -> Rfc6962Included:
    """Check an inclusion list of RFC 9162, 2.1.3, over the SHA-256 tree; returns a proof that it was checked, or raises.

    ``size`` and ``root`` are what you trust. Raises ``ProofIndex`` unless 0 <= index < size < 2^48, ``ProofForm`` for another
    number of hashes or one that is not 32 bytes, ``ProofRoot``. Source: spec proofs.7.1.
    """
    return _native.rfc6962_check_inclusion(leaf_hash, index, size, proof, root)


def rfc6962_check_consistency(
    old_size: int, new_size: int, proof: list[bytes], old_root: bytes, new_root: bytes
) -> Rfc6962Extended:
    """Check a consistency list of RFC 9162, 2.1.4: without a seed where ``old_size`` is a power of two.

    Raises ``ProofIndex`` unless 0 < old_size < new_size < 2^48, ``ProofForm``, ``ProofRoot`` (the new root),
    ``ConsistencyRoot`` (the old one). Source: spec proofs.7.1.
    """
    return _native.rfc6962_check_consistency(old_size, new_size, proof, old_root, new_root)


def rfc6962_prove_inclusion(tree: RealmTree, index: int, size: int | None = None) -> list[bytes]:
    """The list of RFC 9162, 2.1.3, for leaf ``index`` of the first ``size`` leaves. Raises ``ArgumentRange``."""
    return _native.rfc6962_prove_inclusion(tree, index, size)


def rfc6962_prove_consistency(tree: RealmTree, old_size: int, new_size: int | None = None) -> list[bytes]:
    """The list of RFC 9162, 2.1.4, from ``old_size`` to ``new_size`` leaves. Raises ``ArgumentRange``."""
    return _native.rfc6962_prove_consistency(tree, old_size, new_size)


def prove_record_inclusion(tree: RealmTree, index: int, size: int | None = None) -> bytes:
    """As ``ama2sec.prove_inclusion``, for a record of the realm tree. Source: spec proofs.7.2."""
    return _native.prove_record_inclusion(tree, index, size)


def prove_record_consistency(tree: RealmTree, old_size: int, new_size: int | None = None) -> bytes:
    """As ``ama2sec.prove_consistency``, for the realm tree. Source: spec proofs.7.2."""
    return _native.prove_record_consistency(tree, old_size, new_size)


def prove_record_range(tree: RealmTree, begin: int, end: int, size: int | None = None) -> bytes:
    """As ``ama2sec.prove_range``, for records of the realm tree. Source: spec proofs.7.2."""
    return _native.prove_record_range(tree, begin, end, size)


def check_record_inclusion(size: int, root: bytes, record: bytes, proof: bytes) -> RecordIncluded:
    """As ``ama2sec.check_inclusion``, for the bytes of a record against a trusted size and root. A bare root does not bind
    its size: both have to come from where the trust comes from. Source: spec proofs.7.2."""
    return _native.check_record_inclusion(size, root, record, proof)


def check_record_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: bytes
) -> Rfc6962Extended:
    """As ``ama2sec.check_consistency``, for two trusted sizes and roots of the realm tree. Source: spec proofs.7.2."""
    return _native.check_record_consistency(old_size, old_root, new_size, new_root, proof)


def check_record_range(size: int, root: bytes, records: list[bytes], proof: bytes) -> RecordRangeIncluded:
    """As ``ama2sec.check_range``, for the bytes of consecutive records. Source: spec proofs.7.2."""
    return _native.check_record_range(size, root, records, proof)
