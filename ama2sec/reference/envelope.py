"""The envelope (spec envelope.4, envelope.6): parsing, verifying, and, for hostile tests, making."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final, NoReturn

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from ama2sec.errors import error
from ama2sec.limits import MAX_ENVELOPE
from ama2sec.reference import hashes
from ama2sec.reference.claims import (
    HALT_TYP,
    LOG_TYP,
    MESSAGE_TYP,
    NO_ID,
    REGISTRY_TYP,
    BodyClaim,
    Claims,
    read_claims,
)
from ama2sec.reference.codec import Value, decode, encode
from ama2sec.reference.directory import Directory, Enrolled
from ama2sec.reference.entry import BodyPart, split_message
from ama2sec.reference.rule_s import EnrolledKey, verify_enrolled

_TAG_18: Final = 0xD2
_ED25519: Final = -19
_PURPOSE_OF_TYP: Final = {
    MESSAGE_TYP: "message",
    HALT_TYP: "operator",  # or root, for a resume: a realm says which (halt.3); outside of realms there is neither
    REGISTRY_TYP: "root",
    LOG_TYP: "sequencer",
}
_NEVER_AN_ENVELOPE: Final = "ama2sec-offer+cose"


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope that parses. Nothing is verified: anybody can have made it."""

    data: bytes
    protected: bytes
    payload: bytes
    signature: bytes
    kid: bytes
    typ: str
    claims: Claims

    @property
    def sig_structure(self) -> bytes:
        """What the signature is over: the bytes that were received."""
        return sig_structure(self.protected, self.payload)

    @property
    def message_id(self) -> bytes:
        """The id of the message, 32 bytes. The signature is not in it."""
        return hashes.message_id(self.sig_structure)


@dataclass(frozen=True, slots=True)
class Verified:
    """What ``verify`` found: the holder of ``sender``'s key signed these claims, and no more than that."""

    envelope: Envelope
    sender: Enrolled
    body_state: str
    """``none`` (the claims have none), ``present`` (given, and the one committed to), or ``withheld`` (not given)."""


def sig_structure(protected: bytes, payload: bytes) -> bytes:
    """The ``Sig_structure`` of RFC 9052, 4.4, with no external data."""
    return encode(["Signature1", protected, b"", payload])


def parse(data: bytes) -> Envelope:
    """Read one message strictly, bare or in an entry, whose body is not looked at. Raises the error of the first step of
    envelope.4 that fails, or ``NotBytes``."""
    _check_bytes(data)
    return parse_envelope(split_message(data)[0])


def parse_envelope(data: bytes) -> Envelope:
    """The numbered steps of envelope.4 for a bare envelope."""
    protected, unprotected, payload, signature = _cose_sign1(data)  # 1
    kid, typ = _header(protected)  # 2, 3, 5, 4
    if unprotected:  # 6
        _refuse("UnprotectedNotEmpty", "an empty map", f"one of {len(unprotected)}")
    if len(signature) != 64:  # 8
        _refuse("SignatureLength", "a signature of 64 bytes", f"{len(signature)} bytes")
    claims = read_claims(payload, kid, typ)  # 7
    if bytes([_TAG_18]) + encode([protected, unprotected, payload, signature]) != data:  # 9
        _refuse("Internal", "an encoding equal to the input", "another")
    if encode(decode(protected)) != protected or encode(decode(payload)) != payload:
        _refuse("Internal", "an encoding equal to the input", "another")
    return Envelope(data, protected, payload, signature, kid, typ, claims)


def _cose_sign1(data: bytes) -> tuple[bytes, dict[int | str, Value], bytes, bytes]:
    if len(data) > MAX_ENVELOPE:
        _refuse("SizeLimit", f"an envelope of at most {MAX_ENVELOPE} bytes", f"{len(data)}")
    is_tagged = data[:1] == bytes([_TAG_18])
    if data and data[0] >> 5 == 6 and not is_tagged:
        _refuse("EnvelopeForm", "tag 18", f"a tag that begins {data[0]:02x}")
    value = decode(data, start=1 if is_tagged else 0)
    if is_tagged and isinstance(value, list) and len(value) == 4:
        protected, unprotected, payload, signature = value
        if (
            isinstance(protected, bytes)
            and isinstance(unprotected, dict)
            and isinstance(payload, bytes)
            and isinstance(signature, bytes)
        ):
            return protected, unprotected, payload, signature
    raise error("EnvelopeForm", "tag 18 over [bytes, map, bytes, bytes]", data[:8].hex())


def _header(protected: bytes) -> tuple[bytes, str]:
    """Steps 2, 3, 5, 4. Returns the kid and the typ."""
    header = decode(protected)
    if not isinstance(header, dict) or set(header) != {1, 4, 16}:
        _refuse("HeaderForm", "a map with the keys 1, 4 and 16", protected[:32].hex())
    if header[1] != _ED25519:
        _refuse("AlgUnsupported", "-19", ascii(header[1])[:64])
    typ, kid = header[16], header[4]
    if not isinstance(typ, str):
        _refuse("HeaderForm", "a typ that is a text", type(typ).__name__)
    if typ == _NEVER_AN_ENVELOPE:
        _refuse("TypNotBuilt", " or ".join(_PURPOSE_OF_TYP), typ)
    if typ not in _PURPOSE_OF_TYP:
        _refuse("TypUnknown", " or ".join(_PURPOSE_OF_TYP), ascii(typ[:64]))
    if not isinstance(kid, bytes) or len(kid) != 32:
        _refuse("HeaderForm", "a kid of 32 bytes", type(kid).__name__)
    return kid, typ


def verify(
    data: bytes,
    directory: Directory,
    *,
    body: bytes | None = None,
    body_salt: bytes | None = None,
    require_body: bool = False,
) -> Verified:
    """Verify one message, bare or in an entry. A body comes with its salt, and from one place (``ArgumentType``).

    Raises the error of the first step of envelope.6 that fails.
    """
    for value in (data, body, body_salt):
        if value is not None:
            _check_bytes(value)
    envelope, carried = split_message(data)
    if (body is None) != (body_salt is None):
        _refuse("ArgumentType", "a body together with its salt", "one of them")
    if body is None or body_salt is None:
        return verify_envelope(envelope, directory, carried, require_body=require_body)
    if carried is not None:
        _refuse("ArgumentType", "one body", "one in the entry and one beside it")
    return verify_envelope(envelope, directory, (body, body_salt), require_body=require_body)


def verify_envelope(
    data: bytes, directory: Directory, body: BodyPart | None, *, require_body: bool = False
) -> Verified:
    """The numbered steps of envelope.6 for a bare envelope, and the body and salt that came with it."""
    envelope = parse_envelope(data)  # 1
    claims = envelope.claims
    sender = directory.by_thumbprint(envelope.kid)  # 2
    verify_enrolled(sender.key, envelope.sig_structure, envelope.signature)  # 3
    if claims.realm != NO_ID:  # 4
        _refuse("RealmOther", "no realm", claims.realm.hex())
    body_state = check_body(claims.body, body, require_body=require_body)  # 5
    purpose = _PURPOSE_OF_TYP[envelope.typ]
    if sender.purpose != purpose:  # 6
        _refuse("PurposeWrong", f"a key with the purpose {purpose}", sender.purpose)
    return Verified(envelope, sender, body_state)


def check_body(claim: BodyClaim | None, given: BodyPart | None, *, require_body: bool) -> str:
    """Section 7. The state of the body."""
    if claim is None:  # 1
        if given is not None:
            _refuse("BodyUnexpected", "no body", f"one of {len(given[0])} bytes")
        return "none"
    if given is None:  # 2
        if require_body:
            _refuse("BodyMissing", f"a body of {claim.size} bytes", "none")
        return "withheld"
    body, salt = given
    if len(body) != claim.size:  # 3
        _refuse("BodySize", f"a body of {claim.size} bytes", f"{len(body)}")
    if len(salt) != 32 or not hmac.compare_digest(hashes.body_commitment(salt, body), claim.commitment):  # 4
        _refuse("BodyMismatch", "the body that the claims commit to", "another, or another salt")
    return "present"


def make(seed: bytes, payload: bytes, header: bytes | None = None) -> bytes:
    """Sign what is given, hostile or not (conform, op ``make``). ``seed`` is 32 bytes; ``header`` is by default the honest one."""
    protected = honest_header(thumbprint_of_seed(seed)) if header is None else header
    signature = sign_raw(seed, sig_structure(protected, payload))
    return bytes([_TAG_18]) + encode([protected, {}, payload, signature])


def honest_header(kid: bytes, typ: str = MESSAGE_TYP) -> bytes:
    """The protected header of an envelope under the key with this thumbprint."""
    return encode({1: _ED25519, 4: kid, 16: typ})


def public_of_seed(seed: bytes) -> bytes:
    """The public key that a seed of 32 bytes gives."""
    return crypto_sign_seed_keypair(seed)[0]


def sign_raw(seed: bytes, message: bytes) -> bytes:
    """An Ed25519 signature over some bytes, 64 bytes."""
    return crypto_sign(message, crypto_sign_seed_keypair(seed)[1])[:64]


def thumbprint_of_seed(seed: bytes) -> bytes:
    """The thumbprint of the key that a seed of 32 bytes gives."""
    return EnrolledKey(public_of_seed(seed)).thumbprint


def _check_bytes(value: object) -> None:
    if type(value) is not bytes:  # identity.2.4
        _refuse("NotBytes", "bytes", type(value).__name__)


def _refuse(code: str, expected: str, got: str) -> NoReturn:
    raise error(code, expected, got)
