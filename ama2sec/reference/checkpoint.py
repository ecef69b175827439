"""Checkpoints (spec record.2): the head of a realm as a signed note, and what two of them say of each other."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final, Literal, NoReturn

from ama2sec.errors import Ama2Error, error
from ama2sec.limits import MAX_CHECKPOINT, MAX_SIGNATURES, SIZE_END
from ama2sec.reference.codec import Value, decode, encode
from ama2sec.reference.envelope import public_of_seed, sign_raw
from ama2sec.reference.forms import refuse
from ama2sec.reference.proofs import check_realm_consistency
from ama2sec.reference.rule_s import EnrolledKey, verify_enrolled

_MAX_FORK: Final = 16_448
_SIZE: Final = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)
_NAME: Final = re.compile(r"[!-*,-~]{1,255}", re.ASCII)  # printable ASCII without the plus
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A sequencer has said: the realm of this origin has so many records, under this root."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A checkpoint whose form is right; nothing is verified. A signature line is a name and the bytes behind it."""

    checkpoint: Checkpoint
    signed: bytes
    lines: tuple[tuple[str, bytes], ...]

    def signatures(self, key: EnrolledKey) -> list[bytes]:
        """What stands in the lines of the origin's name with the id of this key, behind the id."""
        name, key_id = self.checkpoint.origin, checkpoint_key_id(self.checkpoint.origin, key.raw)
        return [each[4:] for line_name, each in self.lines if line_name == name and each[:4] == key_id]


def origin_of(name: str, realm: bytes) -> str:
    """The origin of a realm."""
    return f"{name}/{realm.hex()}"


def checkpoint_key_id(name: str, key: bytes) -> bytes:
    """The key id of signed notes, 4 bytes (2.2)."""
    return hashlib.sha256(name.encode() + b"\n\x01" + key).digest()[:4]


def sign_checkpoint(seed: bytes, origin: str, size: int, root: bytes) -> bytes:
    """The text of a checkpoint, signed."""
    signed = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()
    signature = checkpoint_key_id(origin, public_of_seed(seed)) + sign_raw(seed, signed)
    return signed + f"\n\u2014 {origin} {base64.b64encode(signature).decode()}\n".encode()


def read_note(text: bytes) -> Note:
    """The form alone (2.1); else ``CheckpointForm``."""
    if type(text) is not bytes:  # identity.2.4
        refuse("NotBytes", "bytes", type(text).__name__)
    if len(text) > MAX_CHECKPOINT:
        _bad(f"at most {MAX_CHECKPOINT} bytes")
    try:
        lines = text.decode("utf-8", "strict").split("\n")
    except UnicodeDecodeError:
        _bad("UTF-8")
    if _CONTROL.search(text.decode()) or not 6 <= len(lines) <= 5 + MAX_SIGNATURES:
        _bad("three lines, an empty one, and 1 to 16 signatures")
    origin, size, root, empty, *signatures, end = lines
    if not origin or empty or end or not _SIZE.fullmatch(size) or int(size) >= SIZE_END:
        _bad("an origin, a size and a root")
    found = Checkpoint(origin, int(size), _base64(root))
    if len(found.root) != 32:
        _bad("a root of 32 bytes")
    signed = f"{origin}\n{size}\n{root}\n".encode()
    return Note(found, signed, tuple(_signature_line(line) for line in signatures))


def _signature_line(line: str) -> tuple[str, bytes]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "\u2014" or not _NAME.fullmatch(parts[1]):
        _bad("signature lines of a dash, a name and a signature")
    signature = _base64(parts[2])
    if len(signature) < 5:
        _bad("a key id and a signature")
    return parts[1], signature


def _base64(text: str) -> bytes:
    """The bytes of the one canonical spelling."""
    try:
        found = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        _bad("base64")
    if base64.b64encode(found).decode() != text:
        _bad("base64 in its canonical spelling")
    return found


def _bad(expected: str) -> NoReturn:
    raise error("CheckpointForm", expected, "another form")


def check_checkpoint(text: bytes, key: EnrolledKey, origin: str) -> Checkpoint:
    """The steps of 2.3: a checkpoint of this origin by this sequencer."""
    note = read_note(text)
    check_origin(note, origin)
    return check_signature(note, key)


def check_origin(note: Note, origin: str) -> None:
    """It is of the realm that is expected."""
    if note.checkpoint.origin != origin:
        refuse("CheckpointOther", ascii(origin)[:64], ascii(note.checkpoint.origin)[:64])


def check_signature(note: Note, key: EnrolledKey) -> Checkpoint:
    """Exactly one line is this key's, and it is good."""
    found = note.signatures(key)
    if len(found) != 1:
        refuse("CheckpointKey", "one signature of the sequencer", str(len(found)))
    verify_enrolled(key, note.signed, found[0])
    return note.checkpoint


Relation = Literal["unchanged", "extended", "behind"]


def compare(old: Checkpoint, new: Checkpoint, proof: bytes | None = None) -> Relation:
    """What a new checkpoint says of an old one (2.4): the same, more of the same history, or less."""
    if old.origin != new.origin:
        refuse("CheckpointOther", ascii(old.origin)[:64], ascii(new.origin)[:64])
    if old.size == new.size:
        if old.root != new.root:
            refuse("CheckpointForked", old.root.hex(), new.root.hex())
        if proof is not None:
            refuse("ProofClaim", "no proof for one and the same head", "a proof")
        return "unchanged"
    if proof is None:
        raise error("NeedsProof", "a consistency proof", "none")
    less, more = (old, new) if old.size < new.size else (new, old)
    check_realm_consistency(less.size, less.root, more.size, more.root, proof)
    return "extended" if less is old else "behind"


@dataclass(frozen=True, slots=True)
class Fork:
    """A sequencer has signed two histories of one size."""

    first: Checkpoint
    second: Checkpoint


def make_fork(one: bytes, other: bytes) -> bytes:
    """The evidence of a fork, of two notes."""
    return encode(["ama2sec-fork", 1, *sorted((one, other))])


def check_fork(evidence: bytes, key: EnrolledKey, origin: str) -> Fork:
    """The steps of 2.5. Raises ``EvidenceForm``, what ``check_checkpoint`` raises, ``EvidenceInvalid``."""
    match read_evidence(evidence, _MAX_FORK, "EvidenceForm"):
        case ["ama2sec-fork", 1 as version, bytes(one), bytes(other)] if version is not True and one < other:
            pass
        case _:
            raise error("EvidenceForm", '["ama2sec-fork", 1, note, note]', "another form")
    first, second = (check_checkpoint(note, key, origin) for note in (one, other))
    if first.size != second.size or first.root == second.root:
        refuse("EvidenceInvalid", "one size and two roots", f"sizes {first.size} and {second.size}")
    return Fork(first, second)


def read_evidence(data: bytes, most: int, code: str) -> Value:
    """The value of a small file; faults of its CBOR are faults of its form (2.5, 3, 5)."""
    if type(data) is not bytes:  # identity.2.4
        refuse("NotBytes", "bytes", type(data).__name__)
    if len(data) > most:
        refuse(code, f"at most {most} bytes", str(len(data)))
    try:
        return decode(data)
    except Ama2Error as fault:
        raise error(code, "deterministic CBOR", fault.code) from None
