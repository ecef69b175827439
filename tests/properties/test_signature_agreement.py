"""Rule S against its steps in plain arithmetic, on every kind of key, R and S; and beside the libraries of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey as NaclKey
from nacl.signing import VerifyKey

from ama2sec import Ama2Error, hazmat
from ama2sec._native import SigningKey
from ama2sec.reference import ed25519_verify
from tests.vectors.making import curve
from tests.vectors.making.people import ALICE, BOB

MESSAGE = b"a message"
NONCE = 77


def verdict(key: bytes, message: bytes, signature: bytes) -> str:
    """The code of both implementations, which must be one."""
    codes = []
    for check in (hazmat.ed25519_verify, ed25519_verify):
        try:
            check(key, message, signature)
        except Ama2Error as fault:
            codes.append(fault.code)
        else:
            codes.append("ok")
    assert codes[0] == codes[1], (codes, key.hex(), message.hex(), signature.hex())
    return codes[0]


@cache
def keys() -> dict[str, tuple[bytes, int]]:
    """Every kind of public key, and the scalar that its maker knows of it."""
    found = {who.name: (who.public, curve.secret(who.seed)) for who in (ALICE, BOB)}
    alice = curve.decode(ALICE.public)
    assert alice is not None
    for number, point in enumerate(curve.torsion()[1:]):
        found[f"mixed {number}"] = curve.encode(curve.add(alice, point)), curve.secret(ALICE.seed)
    for number, (data, _) in enumerate(curve.small_order_encodings()):
        found[f"small {number}"] = data, 0
    for y in (3, 4, 9, 18):
        found[f"unreduced {y}"] = curve.raw(y + curve.P, 0), 0
    found["no point"] = curve.raw(2, 0), 0
    return found


@cache
def commitments() -> dict[str, tuple[bytes, int]]:
    """Every kind of R, and its scalar."""
    r = curve.times(NONCE, curve.BASE)
    found = {
        "r": (curve.encode(r), NONCE),
        "minus r": (curve.encode((curve.P - r[0], r[1])), curve.L - NONCE),
        "b": (curve.encode(curve.BASE), 1),
    }
    for number, point in enumerate(curve.torsion()[1:]):
        found[f"mixed {number}"] = curve.encode(curve.add(r, point)), NONCE
    for number, (data, _) in enumerate(curve.small_order_encodings()):
        found[f"small {number}"] = data, 0
    found["no point"] = curve.raw(2, 0), 0
    found["unreduced"] = curve.raw(3 + curve.P, 0), 0
    return found


def test_every_kind_of_key_with_every_kind_of_r() -> None:
    """What cofactored, cofactorless, strict and lax libraries disagree about: of all of it only the honest ones are accepted."""
    counted: Counter[str] = Counter()
    for key, scalar in keys().values():
        for r, nonce in commitments().values():
            good = curve.sign_with(nonce, r, key, scalar, MESSAGE)
            for signature in (good, r + bytes(32), curve.plus_order(good, 1)) if scalar else (good,):
                expected = _expected(key, MESSAGE, signature)
                assert verdict(key, MESSAGE, signature) == expected
                counted[expected] += 1
    assert sum(counted.values()) > 1000
    # Two sound keys with the three R of which the maker knows the scalar.
    assert counted["ok"] == 6
    assert set(counted) == {
        "ok",
        "KeyWeak",
        "KeyNotCanonical",
        "SignatureInvalid",
        "SignatureNotCanonical",
        "SignatureWeak",
    }


@cache
def _key_fault(key: bytes) -> str:
    """Step 3 alone; the arithmetic of rule_s is slow, and a key is asked about often."""
    found = curve.rule_s(key, b"", curve.encode(curve.ZERO) + bytes(32))
    return "" if found == "SignatureWeak" else found


def _expected(key: bytes, message: bytes, signature: bytes) -> str:
    if int.from_bytes(signature[32:], "little") >= curve.L:
        return "SignatureNotCanonical"
    return _key_fault(key) or curve.rule_s(key, message, signature)


@pytest.mark.parametrize("count", range(1, 16))
def test_s_plus_any_multiple_of_the_order(count: int) -> None:
    good = ALICE.sign(MESSAGE)
    if int.from_bytes(good[32:], "little") + count * curve.L < 2**256:
        assert verdict(ALICE.public, MESSAGE, curve.plus_order(good, count)) == "SignatureNotCanonical"


def pyca(key: bytes, message: bytes, signature: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(key).verify(signature, message)


def nacl(key: bytes, message: bytes, signature: bytes) -> None:
    VerifyKey(key).verify(message, signature)


OTHERS: list[Callable[[bytes, bytes, bytes], None]] = [pyca, nacl]


@settings(deadline=None, max_examples=100)
@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=300), bit=st.integers(0, 8 * 64 - 1))
def test_honest_signatures_are_everybodys_and_a_flipped_bit_is_nobodys(seed: bytes, message: bytes, bit: int) -> None:
    signer = SigningKey.from_seed(seed)
    key, signature = bytes(signer.public), signer.sign(message)
    assert NaclKey(seed).sign(message).signature == signature
    assert bytes(NaclKey(seed).verify_key) == key
    assert verdict(key, message, signature) == "ok"
    for verify in OTHERS:
        verify(key, message, signature)
    broken = bytearray(signature)
    broken[bit // 8] ^= 1 << bit % 8
    assert verdict(key, message, bytes(broken)) != "ok"
    for verify in OTHERS:
        with pytest.raises((InvalidSignature, BadSignatureError)):
            verify(key, message, bytes(broken))


@settings(deadline=None, max_examples=200)
@given(
    key=st.binary(min_size=30, max_size=34),
    message=st.binary(max_size=8),
    signature=st.binary(min_size=62, max_size=66),
)
def test_random_bytes_are_refused_for_one_reason(key: bytes, message: bytes, signature: bytes) -> None:
    assert verdict(key, message, signature) != "ok"
