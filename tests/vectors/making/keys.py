"""identity.1: rule S, for keys and signatures as bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from .curve import (
    BASE,
    ZERO,
    L,
    P,
    add,
    decode,
    encode,
    plus_order,
    raw,
    rule_s,
    secret,
    sign_with,
    small_order_encodings,
    times,
    torsion,
    x_of,
)  # fmt: skip
from .people import ALICE, BOB
from .vector import Book

RFC8032 = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
)
MESSAGE = b"ama2sec"


def build() -> Book:
    """All vectors of rule S."""
    book = Book("keys", "rule S: keys and signatures (identity.1)")

    def ask(id: str, clause: str, key: bytes, message: bytes, signature: bytes, code: str = "ok") -> None:
        question = {"op": "ed25519_verify", "key": key.hex(), "msg": message.hex(), "sig": signature.hex()}
        book.add(id, f"identity.1.{clause}", question, code)

    for number, (key, message, signature) in enumerate(RFC8032, start=1):
        ask(f"rfc8032.{number}", "5", bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature))
    good = ALICE.sign(MESSAGE)
    ask("twin", "5", ALICE.public, MESSAGE, good)
    ask("other-message", "5", ALICE.public, MESSAGE + b"\0", good, "SignatureInvalid")
    ask("other-key", "5", BOB.public, MESSAGE, good, "SignatureInvalid")
    for length in (0, 31, 33, 64):
        ask(f"key-length.{length}", "1", (ALICE.public * 2)[:length], MESSAGE, good, "KeyLength")
    for length in (0, 32, 63, 65, 128):
        ask(f"signature-length.{length}", "1", ALICE.public, MESSAGE, (good * 2)[:length], "SignatureLength")
    for count in range(1, 15):
        ask(f"s-plus-{count}-l", "2", ALICE.public, MESSAGE, plus_order(good, count), "SignatureNotCanonical")
    for name, key, code in _bad_keys():
        ask(f"key.{name}", "3", key, MESSAGE, good, code)
    for name, key, signature, clause, code in _made():
        assert rule_s(key, MESSAGE, signature) == code, name
        ask(name, clause, key, MESSAGE, signature, code)
    high = good[:63] + b"\xff"
    weak = encode(ZERO)
    ask("first.key-length", "1", b"", MESSAGE, b"", "KeyLength")
    ask("first.signature-length", "1", weak, MESSAGE, high[:63], "SignatureLength")
    ask("first.s", "2", weak, MESSAGE, high, "SignatureNotCanonical")
    ask("first.key-encoding", "3", raw(1, 1), MESSAGE, weak + bytes(32), "KeyNotCanonical")
    ask("first.key-order", "3", weak, MESSAGE, weak + bytes(32), "KeyWeak")
    ask("first.r", "4", ALICE.public, MESSAGE, weak + good[32:], "SignatureWeak")
    return book


def _bad_keys() -> Iterator[tuple[str, bytes, str]]:
    for number, (data, canonical) in enumerate(small_order_encodings()):
        yield f"small-order.{number}", data, "KeyWeak" if canonical else "KeyNotCanonical"
    for y in range(19):
        for sign in (0, 1):
            # y + p below 2^255: the only encodings that are not reduced.
            yield f"unreduced.{y}-{sign}", raw(y + P, sign), "KeyNotCanonical"
    for y in range(2, 40):
        if x_of(y, 0) is None:
            yield f"no-point.{y}", raw(y, 0), "KeyNotCanonical"
    alice = decode(ALICE.public)
    assert alice is not None
    for number, point in enumerate(torsion()[1:], start=1):
        yield f"mixed-order.{number}", encode(add(alice, point)), "KeyWeak"
    yield "ones", b"\xff" * 32, "KeyNotCanonical"


def _made() -> Iterator[tuple[str, bytes, bytes, str, str]]:
    """Signatures that one library or another accepts: small and mixed orders, R of every kind."""
    a, key = secret(ALICE.seed), ALICE.public
    point = decode(key)
    assert point is not None
    r = times(77, BASE)
    one = (1).to_bytes(32, "little")
    yield "r-of-77", key, sign_with(77, encode(r), key, a, MESSAGE), "5", "ok"
    yield "identity-key-r-is-b-s-is-1", encode(ZERO), encode(BASE) + one, "3", "KeyWeak"
    yield "identity-key-all-zero", encode(ZERO), encode(ZERO) + bytes(32), "3", "KeyWeak"
    yield "r-is-identity", key, sign_with(0, encode(ZERO), key, a, MESSAGE), "4", "SignatureWeak"
    for number, (data, canonical) in enumerate(small_order_encodings()):
        if data != encode(ZERO):
            kind = "small-order" if canonical else "small-order-unreduced"
            yield f"r.{kind}.{number}", key, sign_with(0, data, key, a, MESSAGE), "5", "SignatureInvalid"
    for number, small in enumerate(torsion()[1:], start=1):
        mixed_r = encode(add(r, small))
        yield f"r.mixed-order.{number}", key, sign_with(77, mixed_r, key, a, MESSAGE), "5", "SignatureInvalid"
        mixed_key = encode(add(point, small))
        yield f"mixed-key.{number}", mixed_key, sign_with(77, encode(r), mixed_key, a, MESSAGE), "3", "KeyWeak"
        yield f"mixed-key-mixed-r.{number}", mixed_key, sign_with(77, mixed_r, mixed_key, a, MESSAGE), "3", "KeyWeak"
        weak = encode(small)
        yield f"small-key.{number}", weak, sign_with(77, encode(r), weak, 0, MESSAGE), "3", "KeyWeak"
        yield f"small-key-small-r.{number}", weak, weak + bytes(32), "3", "KeyWeak"
        yield f"small-key-mixed-r.{number}", weak, sign_with(77, mixed_r, weak, 0, MESSAGE), "3", "KeyWeak"
    yield "s-is-0", key, encode(r) + bytes(32), "5", "SignatureInvalid"
    yield "s-is-l-minus-1", key, encode(r) + (L - 1).to_bytes(32, "little"), "5", "SignatureInvalid"
    yield "s-is-l", key, encode(r) + L.to_bytes(32, "little"), "2", "SignatureNotCanonical"
    yield "r-is-no-point", key, raw(2, 0) + one, "5", "SignatureInvalid"
