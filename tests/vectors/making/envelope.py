"""COSE_Sign1 by hand (envelope.4), every part of it the maker's choice; BLAKE3 with its purposes (envelope.1)."""

from __future__ import annotations

from functools import cache

import blake3

from .cbor import Raw, Value, encode
from .people import ALICE, Person

TYP = "ama2sec-message+cose"


@cache
def purpose_key(purpose: str) -> bytes:
    """The key of a purpose."""
    return blake3.blake3(b"", derive_key_context=f"ama2sec 2026-11 v1 {purpose}").digest()


def keyed(purpose: str, data: bytes) -> bytes:
    """Keyed BLAKE3."""
    return blake3.blake3(data, key=purpose_key(purpose)).digest()


def header(kid: bytes, alg: Value = -19, typ: Value = TYP) -> bytes:
    """A protected header of the three labels."""
    return encode({1: alg, 4: kid, 16: typ})


def sig_structure(protected: bytes, payload: bytes, context: str = "Signature1", external: bytes = b"") -> bytes:
    """What is signed."""
    return encode([context, protected, external, payload])


def cose(protected: Value, payload: Value, signature: Value, unprotected: Value = {}, tag: bytes = b"\xd2") -> bytes:
    """The frame."""
    return tag + encode([protected, Raw(encode(unprotected)), payload, signature])


def seal(claims: Value, author: Person = ALICE, protected: bytes | None = None) -> bytes:
    """Authentic bytes: what is given, signed by the author. ``claims`` are bytes, or a value that is written as it stands."""
    payload = bytes(claims) if isinstance(claims, bytes) else encode(claims)
    protected = header(author.kid) if protected is None else bytes(protected)
    return cose(protected, payload, author.sign(sig_structure(protected, payload)))


def message_id(claims: Value, author: Person = ALICE) -> bytes:
    """The id of what ``seal`` makes of the same claims."""
    payload = bytes(claims) if isinstance(claims, bytes) else encode(claims)
    return keyed("leaf", sig_structure(header(author.kid), payload))


def commitment(salt: bytes, body: bytes) -> bytes:
    """envelope.7"""
    return keyed("body", salt + body)
