"""envelope.6 and envelope.7: verifying one envelope, and its body."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import blake3

from .cbor import Value, encode
from .claims import Claims, id_of, message, opening, put, view
from .curve import BASE, ZERO, L, add, plus_order, secret, sign_with, torsion
from .curve import encode as encode_point
from .curve import times as multiple
from .envelope import commitment, cose, header, keyed, message_id, seal, sig_structure
from .people import ALICE, BOB, MALLORY, OPERATOR, ROOT, SEQUENCER, STRANGER, Person, directory
from .vector import Book, times

Ask = Callable[..., None]
SALT = bytes(range(32))
LARGEST = 262_144


def with_body(body: bytes, salt: bytes = SALT, size: int | None = None, media_type: str = "text/plain") -> Claims:
    """An open that commits to a body."""
    return opening({12: [commitment(salt, body), len(body) if size is None else size, media_type]})


def build() -> Book:
    """All vectors of the verification of one envelope."""
    book = Book("verify", "verifying one envelope and its body (envelope.6, envelope.7, identity.1)")

    def ask(
        id: str,
        clause: str,
        envelope: bytes,
        code: str = "ok",
        given: object = None,
        salt: bytes = SALT,
        **answer: object,
    ) -> None:
        question: dict[str, object] = {"op": "verify", "envelope": envelope.hex(), "directory": directory()}
        if given is not None:
            question |= {"body": given.hex() if isinstance(given, bytes) else given, "body_salt": salt.hex()}
        book.add(id, clause, question, code, **answer)

    _sound(ask)
    _keys(ask)
    _signatures(ask)
    _cross_protocol(ask)
    _bodies(ask)
    _order(ask)
    return book


def verified(claims: Claims, body: str, author: Person = ALICE) -> dict[str, object]:
    """What `verify` answers for sound claims."""
    return {"message_id": message_id(claims, author).hex(), "sender": author.name, "claims": view(claims), "body": body}


def _sound(ask: Ask) -> None:
    for name, claims in {"message": message(), "open": opening()}.items():
        ask(f"sound.{name}", "envelope.6", seal(claims), **verified(claims, "none"))
    claims = message(author=BOB)
    ask("sound.bob", "envelope.6", seal(claims, BOB), **verified(claims, "none", BOB))
    claims = with_body(b"hello")
    ask("sound.body", "envelope.7", seal(claims), given=b"hello", **verified(claims, "present"))
    ask("sound.withheld", "envelope.7.2", seal(claims), **verified(claims, "withheld"))


def _keys(ask: Ask) -> None:
    ask("key.stranger", "envelope.6.2", seal(message(author=STRANGER), STRANGER), "KeyUnknown")
    for name, kid in {
        "raw-key": ALICE.public,
        "plain-hash": hashlib.sha256(ALICE.public).digest(),
        "zeros": bytes(32),
        "prefix-of-alice": ALICE.kid[:31] + bytes([ALICE.kid[31] ^ 1]),
    }.items():
        claims = put(message(), (4, 0), kid)
        ask(f"key.kid.{name}", "identity.2.2", seal(claims, protected=header(kid)), "KeyUnknown")
    for who in (OPERATOR, SEQUENCER, ROOT):
        ask(f"key.purpose.{who.purpose}", "envelope.6.6", seal(message(author=who), who), "PurposeWrong")
    other = message({1: id_of(1), 4: [id_of(3), id_of(3)], 5: [1, id_of(6), 1, id_of(7)]})
    ask("realm.other", "envelope.6.4", seal(other), "RealmOther")
    ask("realm.other-and-grantless", "envelope.6.4", seal(put(other, (4, 1), None)), "RealmOther")


def _signatures(ask: Ask) -> None:
    protected, payload = header(ALICE.kid), encode(message())
    signed = sig_structure(protected, payload)
    good = ALICE.sign(signed)

    def with_signature(id: str, clause: str, signature: bytes, code: str) -> None:
        ask(f"signature.{id}", f"identity.{clause}", cose(protected, payload, signature), code)

    with_signature("twin", "1.5", good, "ok")
    with_signature("by-bob", "1.5", BOB.sign(signed), "SignatureInvalid")
    with_signature("by-a-stranger", "1.5", STRANGER.sign(signed), "SignatureInvalid")
    with_signature("zeros", "1.5", bytes(64), "SignatureInvalid")
    with_signature("ones", "1.2", b"\xff" * 64, "SignatureNotCanonical")
    with_signature("halves-exchanged", "1.5", good[32:] + good[:32], _exchanged(good))
    for count in (1, 2, 3, 7, 8, 14):
        with_signature(f"s-plus-{count}-l", "1.2", plus_order(good, count), "SignatureNotCanonical")
    with_signature("s-is-l", "1.2", good[:32] + L.to_bytes(32, "little"), "SignatureNotCanonical")
    with_signature("s-is-l-minus-1", "1.5", good[:32] + (L - 1).to_bytes(32, "little"), "SignatureInvalid")
    with_signature("s-is-0", "1.5", good[:32] + bytes(32), "SignatureInvalid")
    for bit in (5, 6, 7):
        with_signature(f"s-bit-{248 + bit}", "1.2", good[:63] + bytes([good[63] | 1 << bit]), "SignatureNotCanonical")
    a, key = secret(ALICE.seed), ALICE.public
    identity = encode_point(ZERO)
    with_signature("r-is-identity", "1.4", sign_with(0, identity, key, a, signed), "SignatureWeak")
    with_signature("r-is-identity-s-is-0", "1.4", identity + bytes(32), "SignatureWeak")
    r_point = multiple(77, BASE)
    with_signature("r-of-77", "1.5", sign_with(77, encode_point(r_point), key, a, signed), "ok")
    for order, point in enumerate(torsion()[1:], start=1):
        mixed = encode_point(add(r_point, point))
        with_signature(f"r-with-torsion-{order}", "1.5", sign_with(77, mixed, key, a, signed), "SignatureInvalid")
        small = encode_point(point)
        with_signature(f"r-is-torsion-{order}", "1.5", sign_with(0, small, key, a, signed), "SignatureInvalid")
    other = seal(message({10: 1}))
    ask("signature.of-another-envelope", "identity.1.5", cose(protected, payload, other[-64:]), "SignatureInvalid")
    ask(
        "signature.under-another-kid",
        "identity.1.5",
        cose(header(BOB.kid), encode(message(author=BOB)), good),
        "SignatureInvalid",
    )


def _exchanged(good: bytes) -> str:
    return "SignatureInvalid" if int.from_bytes(good[:32], "little") < L else "SignatureNotCanonical"


def _cross_protocol(ask: Ask) -> None:
    """A28: alice did sign, but something else."""
    protected, payload = header(ALICE.kid), encode(message())
    signed = sig_structure(protected, payload)
    things: dict[str, bytes] = {
        "the-payload": payload,
        "header-and-payload": protected + payload,
        "the-sha-256-of-it": hashlib.sha256(signed).digest(),
        "the-sha-512-of-it": hashlib.sha512(signed).digest(),
        "the-message-id": keyed("leaf", signed),
        "context-signature": sig_structure(protected, payload, "Signature"),
        "context-counter-signature": sig_structure(protected, payload, "CounterSignature"),
        "context-mac0": sig_structure(protected, payload, "MAC0"),
        "context-signature2": sig_structure(protected, payload, "Signature2"),
        "context-empty": sig_structure(protected, payload, ""),
        "external-aad": sig_structure(protected, payload, external=b"x"),
        "no-header": sig_structure(b"", payload),
        "empty-header": sig_structure(b"\xa0", payload),
        "cose-sign": encode(["Signature", protected, protected, b"", payload]),
        "without-aad": encode(["Signature1", protected, payload]),
        "header-as-map": encode(["Signature1", {1: -19, 4: ALICE.kid, 16: "ama2sec-message+cose"}, b"", payload]),
        "reserved-typ": sig_structure(header(ALICE.kid, typ="ama2sec-offer+cose"), payload),
        "alg-eddsa": sig_structure(header(ALICE.kid, alg=-8), payload),
        "kid-of-bob": sig_structure(header(BOB.kid), payload),
        "the-envelope": seal(message()),
        "nothing": b"",
    }
    for name, thing in things.items():
        ask(f"signed.{name}", "envelope.4", cose(protected, payload, ALICE.sign(thing)), "SignatureInvalid")


def _bodies(ask: Ask) -> None:
    hello = seal(with_body(b"hello"))
    ask("body.other", "envelope.7.4", hello, "BodyMismatch", given=b"hellO")
    ask("body.other-salt", "envelope.7.4", hello, "BodyMismatch", given=b"hello", salt=bytes(32))
    for length in (0, 16, 31, 33, 64):
        salt = (SALT * 2)[:length]
        ask(f"body.salt-of-{length}", "envelope.7.4", hello, "BodyMismatch", given=b"hello", salt=salt)
    for body in (b"", b"hell", b"hello "):
        ask(f"body.of-{len(body)}", "envelope.7.3", hello, "BodySize", given=body)
    moved = seal(with_body(b"hello", SALT[:31] + b"h"))
    ask("body.salt-moved-into-it", "envelope.7.4", moved, "BodySize", given=b"hhello", salt=SALT[:31])
    ask("body.size-claimed-too-high", "envelope.7.3", seal(with_body(b"hello", size=6)), "BodySize", given=b"hello")
    ask("body.size-claimed-too-low", "envelope.7.3", seal(with_body(b"hello", size=4)), "BodySize", given=b"hello")
    ask("body.unexpected", "envelope.7.1", seal(opening()), "BodyUnexpected", given=b"hello")
    ask("body.unexpected-empty", "envelope.7.1", seal(opening()), "BodyUnexpected", given=b"")
    claims = with_body(b"")
    ask("body.empty", "envelope.7", seal(claims), given=b"", **verified(claims, "present"))
    ask("body.empty-withheld", "envelope.7.2", seal(claims), **verified(claims, "withheld"))
    for name, thing in {
        "unkeyed": blake3.blake3(SALT + b"hello").digest(),
        "without-salt": keyed("body", b"hello"),
        "salt-behind": keyed("body", b"hello" + SALT),
        "other-purpose": keyed("leaf", SALT + b"hello"),
        "sha-256": hashlib.sha256(SALT + b"hello").digest(),
    }.items():
        ask(
            f"body.commitment.{name}",
            "envelope.7.4",
            seal(opening({12: [thing, 5, "text/plain"]})),
            "BodyMismatch",
            given=b"hello",
        )
    largest = bytes(LARGEST)
    claims = with_body(largest)
    ask("body.largest", "envelope.2.1", seal(claims), given=times((b"\0", LARGEST)), **verified(claims, "present"))
    ask("body.one-more-given", "envelope.7.3", seal(claims), "BodySize", given=times((b"\0", LARGEST + 1)))
    more = bytes(LARGEST + 1)
    ask("body.one-more-claimed", "envelope.5.5", seal(with_body(more)), "ClaimRange", given=times((b"\0", LARGEST + 1)))


def _order(ask: Ask) -> None:
    """envelope.6: parse, key, signature, realm, body, purpose."""
    inside: dict[object, Value] = {1: id_of(1), 5: [1, id_of(6), 1, id_of(7)]}
    hello: Value = [commitment(SALT, b"hello"), 5, "text/plain"]

    def forged(claims: Claims, author: Person) -> bytes:
        return cose(header(author.kid), encode(claims), MALLORY.sign(b"x"))

    broken = {**message(author=STRANGER), 28: None}
    ask("first.claims-before-key", "envelope.6.1", seal(broken, STRANGER), "ClaimUnknown")
    ask("first.key-before-signature", "envelope.6.2", forged(message(author=STRANGER), STRANGER), "KeyUnknown")
    ask("first.signature-before-realm", "envelope.6.3", forged(message(inside), ALICE), "SignatureInvalid")
    ask(
        "first.signature-before-purpose", "envelope.6.3", forged(message(author=OPERATOR), OPERATOR), "SignatureInvalid"
    )
    with_hello = message({12: hello})
    ask("first.signature-before-body", "envelope.6.3", forged(with_hello, ALICE), "SignatureInvalid", given=b"other")
    ask("first.realm-before-body", "envelope.6.4", seal(message({**inside, 12: hello})), "RealmOther", given=b"other")
    ask("first.realm-before-purpose", "envelope.6.4", seal(message(inside, OPERATOR), OPERATOR), "RealmOther")
    by_operator = seal(message({12: hello}, OPERATOR), OPERATOR)
    ask("first.body-before-purpose", "envelope.6.5", by_operator, "BodyMismatch", given=b"hellO")
    ask("first.body-size-before-salt", "envelope.7.3", seal(with_hello), "BodySize", given=b"hell", salt=b"")
    ask(
        "first.body-unexpected-before-purpose",
        "envelope.7.1",
        seal(message(author=OPERATOR), OPERATOR),
        "BodyUnexpected",
        given=b"",
    )
    ask("first.sound-body-wrong-purpose", "envelope.6.6", by_operator, "PurposeWrong", given=b"hello")
