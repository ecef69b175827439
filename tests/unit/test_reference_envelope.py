"""The reference reads envelopes in the order of envelope.4 to 7, and every clause has its refusal and its honest twin."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from ama2sec.errors import Ama2Error
from ama2sec.limits import MAX_CLAIMS, MAX_ENVELOPE, MAX_ITEM
from ama2sec.reference import encode, parse, verify
from ama2sec.reference.claims import LOG_TYP
from ama2sec.reference.envelope import honest_header
from tests.world import (
    BODY_SALT,
    KID,
    PUBLIC,
    SALT,
    ZEROS,
    body_claim,
    directory,
    entry,
    message_claims,
    open_claims,
    signed,
)

KNOWN = directory()
ID = b"i" * 32
OTHER = b"o" * 32


def code_of(envelope: bytes, **given: Any) -> str:
    try:
        verify(envelope, KNOWN, **given)
    except Ama2Error as fault:
        return fault.code
    return "ok"


def cose(protected: Any = None, unprotected: Any = None, payload: Any = None, signature: Any = None) -> bytes:
    """A COSE_Sign1 that nobody signed."""
    parts = [
        honest_header(KID["alice"]) if protected is None else protected,
        {} if unprotected is None else unprotected,
        encode(message_claims()) if payload is None else payload,
        bytes(64) if signature is None else signature,
    ]
    return b"\xd2" + encode(parts)


# -- envelope.4 ----------------------------------------------------------------------------------------------------


def test_the_bytes_of_the_specs_example() -> None:
    envelope = signed(open_claims())
    assert envelope.startswith(
        b"\xd2\x84\x58\x3c\xa3\x01\x32\x04\x58\x20" + KID["alice"] + b"\x10\x74ama2sec-message+cose\xa0"
    )
    assert envelope[-66:-64] == b"\x58\x40"
    assert KID["alice"] == hashlib.sha256(bytes.fromhex("a301012006215820") + PUBLIC["alice"]).digest()
    parsed = parse(envelope)
    claims = b"\x59" + len(parsed.payload).to_bytes(2, "big") + parsed.payload
    assert parsed.sig_structure == b"\x84\x6aSignature1\x58\x3c" + parsed.protected + b"\x40" + claims
    assert code_of(envelope) == "ok"


@pytest.mark.parametrize(
    ("code", "envelope"),
    [
        ("Truncated", b""),
        ("Truncated", b"\xd2"),
        ("SizeLimit", b"\xff" * (MAX_ENVELOPE + 1)),
        ("EnvelopeForm", b"\xc0"),
        ("EnvelopeForm", b"\xd8\x12\x84"),
        ("EnvelopeForm", b"\xd2\x00"),
        ("EnvelopeForm", b"\xd2\x80"),
        ("EnvelopeForm", cose()[1:]),
        ("EnvelopeForm", cose(protected={})),
        ("EnvelopeForm", cose(unprotected=[])),
        ("EnvelopeForm", cose(payload="")),
        ("EnvelopeForm", cose(signature=None)[:-66] + b"\xf6"),
        ("TypeForbidden", b"\xd2\xd2\x80"),
        ("TrailingBytes", cose() + b"\x00"),
        ("TrailingBytes", cose()[1:] + b"\x00"),
        ("HeaderForm", cose(protected=encode({1: -19, 4: ID}))),
        ("HeaderForm", cose(protected=encode({1: -19, 4: ID, 16: "ama2sec-message+cose", 17: 0}))),
        ("HeaderForm", cose(protected=encode([]))),
        ("Truncated", cose(protected=b"")),
        ("AlgUnsupported", cose(protected=encode({1: -8, 4: b"", 16: 0}))),
        ("AlgUnsupported", cose(protected=encode({1: "EdDSA", 4: ID, 16: "ama2sec-message+cose"}))),
        ("HeaderForm", cose(protected=encode({1: -19, 4: ID, 16: 0}))),
        ("TypUnknown", cose(protected=encode({1: -19, 4: b"", 16: "application/json"}))),
        ("TypUnknown", cose(protected=encode({1: -19, 4: ID, 16: "ama2sec-message+COSE"}))),
        ("TypNotBuilt", cose(protected=encode({1: -19, 4: b"", 16: "ama2sec-offer+cose"}))),
        ("TypKind", cose(protected=encode({1: -19, 4: ID, 16: "ama2sec-halt+cose"}))),
        ("TypKind", cose(protected=encode({1: -19, 4: ID, 16: "ama2sec-log+cose"}))),
        ("HeaderForm", cose(protected=encode({1: -19, 4: ID[:31], 16: "ama2sec-message+cose"}), unprotected={1: 1})),
        ("UnprotectedNotEmpty", cose(unprotected={1: -19}, signature=b"")),
        ("SignatureLength", cose(signature=bytes(63), payload=b"")),
        ("ClaimType", cose(payload=encode([]))),
        ("Truncated", cose(payload=b"")),
        ("MapKeyOrder", cose(payload=bytes.fromhex("a202000100"))),
        ("KeyUnknown", cose(protected=honest_header(ID), payload=encode(message_claims(c4=[ID, None])))),
        ("SignatureInvalid", cose(signature=b"\x02" + bytes(63))),
        ("SignatureWeak", cose(signature=b"\x01" + bytes(63))),
        ("SignatureNotCanonical", cose(signature=b"\xff" * 64)),
    ],
)
def test_each_step_of_the_envelope(code: str, envelope: bytes) -> None:
    assert code_of(envelope) == code


def test_every_bit_of_an_envelope_counts() -> None:
    envelope = signed(message_claims())
    assert code_of(envelope) == "ok"
    for place in range(len(envelope)):
        for bit in range(8):
            broken = bytearray(envelope)
            broken[place] ^= 1 << bit
            assert code_of(bytes(broken)) != "ok", (place, bit)


def test_only_immutable_bytes() -> None:
    with pytest.raises(Ama2Error, match="NotBytes"):
        parse(bytearray(signed(message_claims())))  # type: ignore[arg-type]


# -- envelope.5 ----------------------------------------------------------------------------------------------------


STATE = [ID, ID, "review", {"done": True, "total": -5, "note": "x"}, ID]
ADDRESSES = sorted(bytes([number]) * 32 for number in range(40))
HONEST = [
    open_claims(c13=["bob", "carol", KID["alice"]] if encode("bob") < encode(KID["alice"]) else [KID["alice"], "bob", "carol"]),
    open_claims(c13=ADDRESSES[:32], c14=[True, "order_processing"], c7=[None, ID, "start", {}, None]),
    open_claims(c14=[False, "x"], c8=[]),
    message_claims(c7=STATE),
    message_claims(c7=[ID, ID, "s", {f"k{number:02}": "x" * (256 if number == 0 else 200) for number in range(16)}, None]),
    message_claims(c8=ADDRESSES[:32]),
    message_claims(c9=[(1 << 48) - 1, (1 << 32) - 1], c10=(1 << 48) - 1),
    message_claims(c12=[ID, 262_144, "a" * 127]),
    message_claims(c6=[OTHER, ID, [[bytes([number]) * 32, (1 << 48) - 1, ZEROS] for number in range(16)]]),
]  # fmt: skip


@pytest.mark.parametrize("claims", HONEST, ids=range(len(HONEST)))
def test_claims_at_their_bounds_are_read(claims: dict[Any, Any]) -> None:
    assert code_of(signed(claims)) == "ok"


def merges(*heads: list[Any]) -> dict[Any, Any]:
    return message_claims(c6=[OTHER, ID, list(heads)])


CASES: list[tuple[str, dict[Any, Any]]] = [
    # 5.1
    ("ClaimMissing", message_claims(c3=..., c99=0)),
    ("ClaimType", message_claims(c3=-1)),
    ("ClaimType", message_claims(c3="open")),
    ("ClaimType", message_claims(c3=True)),
    ("KindUnknown", message_claims(c3=0)),
    ("KindUnknown", message_claims(c3=6)),
    ("KindUnknown", message_claims(c3=51)),
    ("ClaimMissing", message_claims(c3=4)),
    ("ClaimMissing", message_claims(c3=3)),
    ("ClaimMissing", message_claims(c3=5)),
    ("TypKind", message_claims(c3=16)),
    ("TypKind", message_claims(c3=33, c1=...)),
    ("TypKind", message_claims(c3=50)),
    # 5.2 to 5.4
    ("ClaimUnknown", message_claims(c28=0, c1=...)),
    ("ClaimUnknown", message_claims(c0=0)),
    ("ClaimUnknown", {**message_claims(), -1: 0}),
    ("ClaimUnknown", {**message_claims(), "realm": 0}),
    *(("ClaimMissing", message_claims(**{f"c{label}": ..., "c13": None})) for label in range(1, 13) if label != 3),
    *(("ClaimMissing", open_claims(**{f"c{label}": ...})) for label in (*range(1, 9), *range(10, 15)) if label != 3),
    *(("ClaimForbidden", message_claims(**{f"c{label}": 0, "c1": 0})) for label in range(13, 28)),
    *(("ClaimForbidden", open_claims(**{f"c{label}": 0})) for label in (9, *range(15, 28))),
    # 5.5, label by label
    ("ClaimType", message_claims(c1=ZEROS[:31])),
    ("ClaimType", message_claims(c1="x" * 32)),
    ("ClaimType", message_claims(c2=None)),
    ("ClaimType", message_claims(c4=[KID["alice"]])),
    ("ClaimType", message_claims(c4=[None, None])),
    ("ClaimType", message_claims(c4=[KID["alice"], b""])),
    ("ClaimType", message_claims(c5=[1, ID, 0])),
    ("ClaimType", message_claims(c5=[-1, ID, 0, ZEROS])),
    ("ClaimType", message_claims(c5=[True, ID, 0, ZEROS])),
    ("ClaimType", message_claims(c5=[1, None, 1 << 48, ZEROS])),
    ("ClaimRange", message_claims(c5=[1 << 48, None, 0, ZEROS])),
    ("ClaimRange", message_claims(c5=[1, ID, 1 << 48, None])),
    ("ClaimType", message_claims(c5=[1, ID, 0, None])),
    ("ClaimType", message_claims(c6=[None, ID, []])),
    ("ClaimType", message_claims(c6=[OTHER, 0, []])),
    ("ClaimType", message_claims(c6=[OTHER, ID, None])),
    ("TooMany", merges(*[[None]] * 17)),
    ("ClaimType", merges([ID, 1])),
    ("ClaimRange", merges([ID, 1 << 48, None])),
    ("ClaimType", merges([ID, 1, None])),
    ("ListOrder", merges([ID, 1, ZEROS], [ID, 1, ZEROS])),
    ("ListOrder", merges([ID, 2, ZEROS], [ID, 1, ZEROS], [None, 1, ZEROS])),
    ("ClaimType", message_claims(c7=False)),
    ("ClaimType", message_claims(c7=[ID, ID, "s", {}])),
    ("ClaimType", message_claims(c7=[0, ID, "s", {}, None])),
    ("ClaimType", message_claims(c7=[ID, None, "s", {}, None])),
    ("ClaimType", message_claims(c7=[ID, ID, 0, {}, None])),
    ("NameForm", message_claims(c7=[ID, ID, "S", 0, None])),
    ("ClaimType", message_claims(c7=[ID, ID, "s", [], None])),
    ("TooMany", message_claims(c7=[ID, ID, "s", dict.fromkeys(range(17)), None])),
    ("ClaimType", message_claims(c7=[ID, ID, "s", {1: True}, None])),
    ("NameForm", message_claims(c7=[ID, ID, "s", {"": None}, None])),
    ("ClaimType", message_claims(c7=[ID, ID, "s", {"a": None}, None])),
    ("ClaimType", message_claims(c7=[ID, ID, "s", {"a": b""}, None])),
    ("ClaimRange", message_claims(c7=[ID, ID, "s", {"a": "\u00fc" * 129}, 0])),
    ("ClaimType", message_claims(c7=[ID, ID, "s", {}, 0])),
    ("ClaimType", message_claims(c8=None)),
    ("TooMany", message_claims(c8=[None] * 33)),
    ("ClaimType", message_claims(c8=[None])),
    ("ClaimType", message_claims(c8=[ID[:31]])),
    ("NameForm", message_claims(c8=["Bob"])),
    ("ListOrder", message_claims(c8=["bob", "bob"])),
    ("ListOrder", message_claims(c8=["bob", "al", "Bob"])),
    ("NameForm", message_claims(c8=["bob", "Al"])),
    ("ClaimType", message_claims(c9=None)),
    ("ClaimType", message_claims(c9=[1, 2, 3])),
    ("ClaimRange", message_claims(c9=[1 << 48, None])),
    ("ClaimType", message_claims(c9=[1, -1])),
    ("ClaimRange", message_claims(c9=[1, 1 << 32])),
    ("ClaimType", message_claims(c10=-1)),
    ("ClaimRange", message_claims(c10=1 << 48, c11=None)),
    ("ClaimType", message_claims(c11=SALT[:15])),
    ("ClaimType", message_claims(c12=[ID, 1])),
    ("ClaimType", message_claims(c12=[None, 1, "a"])),
    ("ClaimRange", message_claims(c12=[ID, 262_145, None])),
    ("ClaimType", message_claims(c12=[ID, 1, None])),
    *(("ClaimForm", message_claims(c12=[ID, 1, text])) for text in ("", "a b", "a\x7f", "\u00fc", "a" * 128)),
    ("ClaimType", open_claims(c13=0)),
    ("ClaimRange", open_claims(c13=[], c14=None)),
    ("TooMany", open_claims(c13=ADDRESSES[:33])),
    ("ListOrder", open_claims(c13=[OTHER, ID])),
    ("ClaimType", open_claims(c14=[False])),
    ("ClaimType", open_claims(c14=[None, None])),
    ("ClaimType", open_claims(c14=[0, None])),
    ("ClaimType", open_claims(c14=[True, 0])),
    ("NameForm", open_claims(c14=[True, ""])),
    # 5.6
    ("ClaimForm", open_claims(c2=ID)),
    ("ClaimForm", open_claims(c5=[1, ZEROS, 0, ZEROS])),
    ("ClaimForm", open_claims(c5=[0, ID, 0, ZEROS])),
    ("ClaimForm", open_claims(c6=[ID, None, []])),
    ("ClaimForm", open_claims(c6=[ZEROS, ID, []])),
    ("ClaimForm", open_claims(c6=[ZEROS, None, [[ID, 1, ZEROS]]])),
    ("ClaimForm", message_claims(c2=ZEROS)),
    ("ClaimForm", message_claims(c5=[0, ID, 0, ZEROS])),
    ("ClaimForm", message_claims(c5=[1, ZEROS, 0, ZEROS])),
    ("ClaimForm", message_claims(c6=[ZEROS, ID, []])),
    ("ClaimForm", message_claims(c6=[OTHER, None, []])),
    ("ClaimForm", message_claims(c5=[1, ID, 1, ZEROS])),
    ("ClaimForm", message_claims(c5=[1, ID, 0, ID])),
    ("ClaimForm", message_claims(c4=[KID["alice"], ID])),
    ("ClaimForm", message_claims(c4=[KID["bob"], None])),
    ("ClaimForm", message_claims(c1=ID)),
    ("ClaimForm", open_claims(c7=[ID, ID, "s", {}, None])),
    ("ClaimForm", message_claims(c7=[None, ID, "s", {}, ID])),
    ("ClaimForm", merges([OTHER, 1, ZEROS])),
    ("ClaimForm", merges([ID, 1, ZEROS], [ID, 2, ZEROS])),
    ("ClaimForm", merges([ID, 0, ZEROS])),
    ("ClaimForm", open_claims(c14=[True, None])),
    # envelope.6.4 comes after the claims
    ("ClaimForm", message_claims(c1=ID, c5=[1, ID, 1, ID], c4=[OTHER, ID])),
    ("RealmOther", message_claims(c1=ID, c5=[1, ID, 1, ID], c4=[OTHER, OTHER])),
    ("RealmOther", message_claims(c1=ID, c5=[1, ID, 1, ID], c3=3, c15=None)),
    ("RealmOther", message_claims(c1=ID, c5=[1, ID, 1, ID], c3=5, c25=True)),
]


@pytest.mark.parametrize(("code", "claims"), CASES, ids=[f"{number}-{code}" for number, (code, _) in enumerate(CASES)])
def test_each_rule_of_the_claims(code: str, claims: dict[Any, Any]) -> None:
    assert code_of(signed(claims)) == code


def test_claims_of_a_kind_without_document_are_small() -> None:
    padding = {**message_claims(), 17: b""}
    room = MAX_CLAIMS - len(encode(padding)) - 2
    for more, code in ((0, "ClaimForbidden"), (1, "SizeLimit")):
        assert code_of(signed({**padding, 17: bytes(room + more)})) == code
    long = bytes(MAX_CLAIMS)
    assert code_of(signed({**padding, 17: long, 99: 0})) == "SizeLimit"  # right after the kind
    assert code_of(signed({**padding, 17: long, 3: 16})) == "TypKind"
    assert code_of(signed({**padding, 17: long, 3: 49}, header=honest_header(KID["alice"], LOG_TYP))) == "KindNotBuilt"


def test_names_have_one_form() -> None:
    for name in ("a", "0", "a.b", "a_b-c.d", "x" * 64):
        assert code_of(signed(message_claims(c8=[name]))) == "ok"
    for name in ("", "A", ".a", "-a", "_a", "a.", "a..b", "a/b", "a b", "a\n", "x" * 65, "\u0430", "\u0661", "a\0"):
        assert code_of(signed(message_claims(c8=[name]))) == "NameForm", ascii(name)


# -- envelope.6 and envelope.7 -------------------------------------------------------------------------------------


def test_the_body_in_the_order_of_section_7() -> None:
    body = b"hello"
    without, envelope = signed(message_claims()), signed(message_claims(c12=body_claim(body)))
    assert code_of(without, body=b"", body_salt=BODY_SALT) == "BodyUnexpected"
    assert code_of(without, require_body=True) == "ok"
    assert code_of(envelope, require_body=True) == "BodyMissing"
    assert code_of(envelope, body=b"hell", body_salt=b"") == "BodySize"
    for wrong, salt in ((b"jello", BODY_SALT), (body, bytes(32)), (body, BODY_SALT[:31]), (body, b"")):
        assert code_of(envelope, body=wrong, body_salt=salt) == "BodyMismatch"
    assert code_of(envelope, body=body) == "ArgumentType"
    assert code_of(envelope, body_salt=BODY_SALT) == "ArgumentType"
    assert verify(envelope, directory(), body=body, body_salt=BODY_SALT).body_state == "present"
    assert verify(envelope, directory()).body_state == "withheld"
    assert verify(without, directory()).body_state == "none"
    empty = signed(message_claims(c12=body_claim(b"")))
    assert verify(empty, directory(), body=b"", body_salt=BODY_SALT).body_state == "present"


def test_a_message_travels_bare_or_as_an_entry() -> None:
    body = b"hello"
    envelope = signed(message_claims(c12=body_claim(body)))
    assert verify(entry(envelope, body), directory(), require_body=True).body_state == "present"
    assert verify(entry(envelope), directory(), body=body, body_salt=BODY_SALT).body_state == "present"
    assert parse(entry(envelope, b"jello")).data == envelope
    for code, data in {
        "BodyMismatch": entry(envelope, b"jello"),
        "BodySize": entry(envelope, b"hell"),
        "TrailingBytes": entry(envelope) + b"\0",
        "ItemForm": encode([2, envelope, None]),
        "Truncated": b"\x83",
        "EnvelopeForm": entry(entry(envelope)),
        "SizeLimit": entry(envelope, bytes(MAX_ITEM)),
    }.items():
        assert code_of(data) == code
    assert code_of(entry(b"", body), body=body, body_salt=BODY_SALT) == "ArgumentType"
    assert code_of(encode([True, envelope, None])) == "ItemForm"


def test_the_order_of_refusals() -> None:
    foreign = {"c1": ID, "c5": [1, ID, 1, ID]}
    claim = {"c12": body_claim(b"hello")}
    warden = signed(message_claims("warden", **foreign, **claim), "warden")
    assert code_of(warden[:-1] + bytes([warden[-1] ^ 1])) == "SignatureInvalid"  # before the realm
    assert code_of(warden, body=b"x", body_salt=b"") == "RealmOther"  # before the body
    warden = signed(message_claims("warden", **claim), "warden")
    assert code_of(warden, body=b"x", body_salt=b"") == "BodySize"  # before the purpose
    assert code_of(warden, body=b"hello", body_salt=BODY_SALT) == "PurposeWrong"


def test_the_senders_name_is_the_directorys() -> None:
    found = verify(signed(message_claims("bob", c8=["alice"]), "bob"), directory())
    assert (found.sender.name, found.envelope.kid) == ("bob", KID["bob"])


def test_a_second_signature_makes_no_second_message() -> None:
    envelope = signed(message_claims())
    other = envelope[:-1] + bytes([envelope[-1] ^ 1])
    assert parse(envelope).message_id == parse(other).message_id
    assert parse(envelope).message_id != parse(signed(message_claims(c11=bytes(16)))).message_id
