"""Rule S: when an Ed25519 signature is valid (spec identity.1).

libsodium's own verification is another rule, and it changed from version to version. So nothing here asks it
whether a signature is good: it computes points, and the equation of the spec is written out and compared byte for byte.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from typing import Final

from nacl.bindings import (
    crypto_core_ed25519_add,
    crypto_core_ed25519_is_valid_point,
    crypto_core_ed25519_sub,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_scalarmult_ed25519_noclamp,
)

from ama2sec.errors import Ama2Error, error

L: Final = 2**252 + 27742317777372353535851937790883648493
_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
IDENTITY: Final = b"\x01" + bytes(31)
_ORDER_TWO: Final = (_P - 1).to_bytes(32, "little")  # the point (0, -1)


@dataclass(frozen=True, slots=True)
class EnrolledKey:
    """A public key that has passed step 3. Making one runs the check: ``KeyLength``, ``KeyNotCanonical``, ``KeyWeak``."""

    raw: bytes
    thumbprint: bytes = field(init=False)

    def __post_init__(self) -> None:
        _check_bytes(self.raw)
        _check_key_length(self.raw)
        _check_point(self.raw)
        # RFC 9679 over the COSE_Key {1: 1, -1: 6, -2: x}: identity.2.2
        cose_key = bytes.fromhex("a301012006215820") + self.raw
        object.__setattr__(self, "thumbprint", hashlib.sha256(cose_key).digest())


@dataclass(frozen=True, slots=True)
class SignatureVerified:
    """That ``key`` signed ``message`` was checked. It does not say whose key it is."""

    key: EnrolledKey
    message: bytes


def ed25519_verify(public_key: bytes, message: bytes, signature: bytes) -> SignatureVerified:
    """Check a signature under a raw key: all five steps, in the order of the spec. Raises the error of the first that fails."""
    for value in (public_key, message, signature):
        _check_bytes(value)
    _check_key_length(public_key)  # 1
    _check_signature(signature)  # 1, 2
    return verify_enrolled(EnrolledKey(public_key), message, signature)  # 3, 4, 5


def verify_enrolled(key: EnrolledKey, message: bytes, signature: bytes) -> SignatureVerified:
    """Check a signature under an enrolled key (step 3 is behind it): steps 1, 2, 4 and 5."""
    _self_test()
    _verify(key, message, signature)
    return SignatureVerified(key, message)


def _verify(key: EnrolledKey, message: bytes, signature: bytes) -> None:
    _check_signature(signature)  # 1, 2
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if r == IDENTITY:  # 4
        raise error("SignatureWeak", "an R that is not the identity", "the identity")
    k = int.from_bytes(hashlib.sha512(r + key.raw + message).digest(), "little") % L
    if crypto_core_ed25519_sub(_times_base(s), _times(k, key.raw)) != r:  # 5
        raise error("SignatureInvalid", "a signature that verifies under this key", "one that does not")


def _check_bytes(value: object) -> None:
    if type(value) is not bytes:  # identity.2.4: a subclass could change between check and use
        raise error("NotBytes", "bytes", type(value).__name__)


def _check_key_length(key: bytes) -> None:
    if len(key) != 32:
        raise error("KeyLength", "a public key of 32 bytes", f"{len(key)} bytes")


def _check_signature(signature: bytes) -> None:
    if len(signature) != 64:
        raise error("SignatureLength", "a signature of 64 bytes", f"{len(signature)} bytes")
    if int.from_bytes(signature[32:], "little") >= L:
        raise error("SignatureNotCanonical", "an S below the group order", signature[32:].hex())


def _check_point(key: bytes) -> None:
    """Step 3: the one encoding of a point of the curve; then not the identity, and of prime order."""
    y = int.from_bytes(key, "little") & (2**255 - 1)
    negative = key[31] >> 7
    # -x^2 + y^2 = 1 + d x^2 y^2, so x^2 = u / v; v is never 0, and u / v is a square where u v is one.
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    is_square = pow(u * v, (_P - 1) // 2, _P) in {0, 1}
    if y >= _P or not is_square or (u == 0 and negative):
        raise error("KeyNotCanonical", "the one encoding of a point on the curve", key.hex())
    if not crypto_core_ed25519_is_valid_point(key):
        raise error("KeyWeak", "a point of prime order", key.hex())


def _times(scalar: int, point: bytes) -> bytes:
    """[scalar]point for a point of prime order. libsodium refuses to return the identity; the group law does not."""
    if scalar % L == 0:
        return IDENTITY
    return crypto_scalarmult_ed25519_noclamp(scalar.to_bytes(32, "little"), point)


def _times_base(scalar: int) -> bytes:
    if scalar % L == 0:
        return IDENTITY
    return crypto_scalarmult_ed25519_base_noclamp(scalar.to_bytes(32, "little"))


# -- the self-test: identity.1.6 -----------------------------------------------------------------------------------


@functools.cache  # an exception is not cached: after a failure every call fails
def _self_test() -> None:
    secret, nonce, message = 2**200 + 5, 2**201 + 7, b"ama2sec self-test"
    public = _times_base(secret)
    r = _times_base(nonce)

    def sign(r_bytes: bytes, key: bytes, add: int = 0) -> bytes:
        k = int.from_bytes(hashlib.sha512(r_bytes + key + message).digest(), "little") % L
        return r_bytes + ((nonce + k * secret) % L + add).to_bytes(32, "little")

    honest = sign(r, public)
    torsion = sign(crypto_core_ed25519_add(r, _ORDER_TWO), public)
    # Under the identity key [k]A vanishes: whoever has no key at all signs anything.
    keyless = r + nonce.to_bytes(32, "little")
    results = [
        _outcome(public, message, honest),
        _outcome(public, message, torsion),
        _outcome(public, message, sign(r, public, add=L)),
        _outcome(IDENTITY, message, keyless),
    ]
    wanted = ["ok", "SignatureInvalid", "SignatureNotCanonical", "KeyWeak"]
    if results != wanted:
        raise error("SelfTestFailed", ", ".join(wanted), ", ".join(results))


def _outcome(key: bytes, message: bytes, signature: bytes) -> str:
    try:
        _verify(EnrolledKey(key), message, signature)
    except Ama2Error as fault:
        return fault.code
    except RuntimeError:  # what PyNaCl raises where libsodium refuses to compute
        return "a refusal of the library"
    return "ok"
