"""Sharp tools. Each of them checks less than you think; prefer ``ama2sec.verify``.

A raw signature check says that a key signed some bytes. It does not say that the key belongs to anybody, that the bytes
were meant for you, that they were meant in this protocol, or that they were not sent before:

    key = message["key"]                              # WRONG: the key comes from what it verifies
    ed25519_verify(key, message["data"], message["signature"])      # an attacker signs with a key of his own, and passes
"""

from __future__ import annotations

from ama2sec._native import PublicKey, RealmTree, SignatureVerified, SigningKey, backend, rfc6962_root
from ama2sec.identity.identity import Identity

__all__ = ["RealmTree", "SignatureVerified", "backend", "ed25519_sign", "ed25519_verify", "rfc6962_root"]


def ed25519_verify(public_key: bytes | PublicKey, message: bytes, signature: bytes) -> SignatureVerified:
    """Check a raw Ed25519 signature under rule S; returns a proof that it was checked, or raises.

    Raises ``KeyLength``, ``KeyNotCanonical``, ``KeyWeak``, ``SignatureLength``, ``SignatureNotCanonical``,
    ``SignatureWeak``, ``SignatureInvalid``, ``NotBytes``. A ``PublicKey`` skips the checks that it passed
    when it was made. Source: spec identity.1.
    """
    from ama2sec import _native

    return _native.ed25519_verify(public_key, message, signature)


def ed25519_sign(identity: Identity, message: bytes) -> bytes:
    """Sign raw bytes: whoever can choose ``message`` can have an envelope signed. 64 bytes. Raises ``ArgumentType``
    where the identity's private key is not in the core."""
    signer = identity._signer
    if not isinstance(signer, SigningKey):
        return bytes(signer.sign(message))
    return signer.sign(message)
