"""Rule S in the reference: published signatures, each step, and the forgeries that laxer rules let through."""

from __future__ import annotations

import hashlib

import pytest
from nacl.bindings import (
    crypto_core_ed25519_add,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_sign,
    crypto_sign_seed_keypair,
)

from ama2sec.errors import Ama2Error
from ama2sec.reference import EnrolledKey, ed25519_verify, rule_s
from ama2sec.reference.rule_s import IDENTITY, L

P = 2**255 - 19
# RFC 8032, 7.1: seed, public key, message, signature.
RFC_8032 = {
    "1": (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        b"",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    "2": (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        b"\x72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    "3": (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        b"\xaf\x82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    "SHA(abc)": (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").digest(),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
            "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ),
}
# The eight points whose order divides the cofactor, as their one encoding (x = 0 first, then y = 0, then the order 8).
TORSION = [
    IDENTITY,
    (P - 1).to_bytes(32, "little"),
    bytes(32),
    bytes(31) + b"\x80",
    *(
        bytes.fromhex(text)
        for text in (
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        )
    ),
]
SECRET, NONCE = 2**199 + 3, 2**198 + 11
MESSAGE = b"move 100 to bob"


def point(scalar: int) -> bytes:
    return crypto_scalarmult_ed25519_base_noclamp(scalar.to_bytes(32, "little"))


def crafted(r: bytes, key: bytes, nonce: int = NONCE) -> bytes:
    """The signature that fits if R were [nonce]B, whatever R is."""
    k = int.from_bytes(hashlib.sha512(r + key + MESSAGE).digest(), "little") % L
    return r + ((nonce + k * SECRET) % L).to_bytes(32, "little")


def code_of(key: bytes, message: bytes, signature: bytes) -> str:
    try:
        ed25519_verify(key, message, signature)
    except Ama2Error as fault:
        return fault.code
    return "ok"


@pytest.mark.parametrize("name", RFC_8032)
def test_the_signatures_of_rfc_8032(name: str) -> None:
    seed, public, message, signature = RFC_8032[name]
    public_key, secret = crypto_sign_seed_keypair(bytes.fromhex(seed))
    assert public_key.hex() == public
    assert crypto_sign(message, secret)[:64].hex() == signature
    proof = ed25519_verify(public_key, message, bytes.fromhex(signature))
    assert (proof.key.raw, proof.message) == (public_key, message)
    assert code_of(public_key, message + b"!", bytes.fromhex(signature)) == "SignatureInvalid"


def test_every_bit_of_a_signature_counts() -> None:
    _, public, message, signature = RFC_8032["2"]
    whole = int(signature, 16)
    for bit in range(512):
        broken = (whole ^ 1 << bit).to_bytes(64, "big")
        assert code_of(bytes.fromhex(public), message, broken) in {"SignatureInvalid", "SignatureNotCanonical"}


def test_step_1_lengths_the_key_first() -> None:
    _, public, message, signature = RFC_8032["1"]
    key, sig = bytes.fromhex(public), bytes.fromhex(signature)
    assert code_of(key[:31], message, sig[:63]) == "KeyLength"
    assert code_of(key + b"\0", message, sig) == "KeyLength"
    assert code_of(key, message, sig[:63]) == "SignatureLength"
    assert code_of(key, message, sig + b"\0") == "SignatureLength"


def test_step_2_s_below_the_order_before_the_key() -> None:
    key, sig = point(SECRET), crafted(point(NONCE), point(SECRET))
    s = int.from_bytes(sig[32:], "little")
    assert code_of(key, MESSAGE, sig) == "ok"
    for high in (s + L, L, 2**256 - 1):
        assert code_of(key, MESSAGE, sig[:32] + high.to_bytes(32, "little")) == "SignatureNotCanonical"
    assert code_of(IDENTITY, MESSAGE, sig[:32] + L.to_bytes(32, "little")) == "SignatureNotCanonical"
    assert code_of(key, MESSAGE, sig[:32] + (L - 1).to_bytes(32, "little")) == "SignatureInvalid"


def test_step_3_keys_with_another_encoding() -> None:
    sig = crafted(point(NONCE), point(SECRET))
    for y in range(19):  # y + p still fits into 255 bits
        for sign in (0, 1):
            key = (y + P + (sign << 255)).to_bytes(32, "little")
            assert code_of(key, MESSAGE, sig) == "KeyNotCanonical"
    for y in (1, P - 1):  # x = 0 with a sign
        assert code_of((y + (1 << 255)).to_bytes(32, "little"), MESSAGE, sig) == "KeyNotCanonical"
    assert code_of((2).to_bytes(32, "little"), MESSAGE, sig) == "KeyNotCanonical"  # not on the curve


@pytest.mark.parametrize("torsion", TORSION, ids=bytes.hex)
def test_step_3_keys_of_small_or_mixed_order(torsion: bytes) -> None:
    r = point(NONCE)
    keyless = r + NONCE.to_bytes(32, "little")
    assert code_of(torsion, MESSAGE, keyless) == "KeyWeak"
    if torsion != IDENTITY:
        assert code_of(crypto_core_ed25519_add(point(SECRET), torsion), MESSAGE, crafted(r, point(SECRET))) == "KeyWeak"


def test_step_4_an_r_that_is_the_identity() -> None:
    key = point(SECRET)
    assert code_of(key, MESSAGE, crafted(IDENTITY, key, nonce=0)) == "SignatureWeak"


@pytest.mark.parametrize("torsion", TORSION[1:], ids=bytes.hex)
def test_step_5_a_torsion_r_that_a_cofactored_check_accepts(torsion: bytes) -> None:
    key = point(SECRET)
    assert code_of(key, MESSAGE, crafted(crypto_core_ed25519_add(point(NONCE), torsion), key)) == "SignatureInvalid"
    assert code_of(key, MESSAGE, crafted(torsion, key, nonce=0)) == "SignatureInvalid"


def test_step_5_other_encodings_of_r() -> None:
    key = point(SECRET)
    for r in (P + 1, 1 | 1 << 255, P - 1 | 1 << 255):  # of the identity and of (0, -1)
        raw = r.to_bytes(32, "little")
        assert code_of(key, MESSAGE, crafted(raw, key, nonce=0)) == "SignatureInvalid"


def test_an_s_of_zero_is_a_number_like_any_other() -> None:
    key = point(SECRET)
    assert code_of(key, MESSAGE, point(NONCE) + bytes(32)) == "SignatureInvalid"


def test_only_immutable_bytes() -> None:
    class Sly(bytes):
        pass

    key, sig = point(SECRET), crafted(point(NONCE), point(SECRET))
    for arguments in ((Sly(key), MESSAGE, sig), (key, bytearray(MESSAGE), sig), (key, MESSAGE, memoryview(sig))):
        assert code_of(*arguments) == "NotBytes"  # type: ignore[arg-type]


def test_a_key_cannot_be_made_without_its_check() -> None:
    with pytest.raises(Ama2Error, match="KeyWeak"):
        EnrolledKey(IDENTITY)
    with pytest.raises(AttributeError):
        EnrolledKey(point(SECRET)).raw = IDENTITY  # type: ignore[misc]


@pytest.mark.parametrize("planted", ["_check_point", "_check_signature", "_times"])
def test_the_self_test_stops_a_lax_library(planted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key, sig = point(SECRET), crafted(point(NONCE), point(SECRET))
    rule_s._self_test.cache_clear()
    lax = (lambda scalar, _: point(scalar)) if planted == "_times" else (lambda _: None)
    with monkeypatch.context() as patch:
        patch.setattr(rule_s, planted, lax)
        for _ in range(2):
            assert code_of(key, MESSAGE, sig) == "SelfTestFailed"
    assert code_of(key, MESSAGE, sig) == "ok"
