"""Records, receipts, equivocation (spec record.1, .3, .5): what the log says of an entry, and what proves it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from ama2sec.errors import error
from ama2sec.limits import MAX_RECEIPT
from ama2sec.reference.checkpoint import Checkpoint, check_checkpoint, read_evidence
from ama2sec.reference.codec import encode
from ama2sec.reference.envelope import Envelope, parse, parse_envelope
from ama2sec.reference.forms import refuse
from ama2sec.reference.proofs import check_record_inclusion
from ama2sec.reference.rule_s import EnrolledKey, verify_enrolled

_MAGIC: Final = b"a2r\x01"
_LENGTH: Final = 164
_MAX_EQUIVOCATION: Final = 131_648


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the log (1.1). ``code`` is 0 for an admitted entry; ``branch`` and ``index`` are zero for a rejected one."""

    position: int
    time: int
    registry_size: int
    digest: bytes
    message_id: bytes
    conversation: bytes
    branch: bytes
    index: int
    prev: int
    code: int

    def to_bytes(self) -> bytes:
        """The 164 bytes."""
        return b"".join(
            [
                _MAGIC,
                *(number.to_bytes(6, "big") for number in (self.position, self.time, self.registry_size)),
                *(self.digest, self.message_id, self.conversation, self.branch),
                *(number.to_bytes(6, "big") for number in (self.index, self.prev)),
                self.code.to_bytes(2, "big"),
            ]
        )


def read_record(data: bytes) -> Record:
    """The record that 164 bytes are; else ``RecordForm``."""
    if len(data) != _LENGTH or data[:4] != _MAGIC:
        refuse("RecordForm", f"{_LENGTH} bytes that begin {_MAGIC.hex()}", f"{len(data)}: {data[:4].hex()}")

    def number(at: int, width: int = 6) -> int:
        return int.from_bytes(data[at : at + width], "big")

    digest, message_id, conversation, branch = (data[at : at + 32] for at in range(22, 150, 32))
    return Record(
        position=number(4),
        time=number(10),
        registry_size=number(16),
        digest=digest,
        message_id=message_id,
        conversation=conversation,
        branch=branch,
        index=number(150),
        prev=number(156),
        code=number(162, 2),
    )


def entry_digest(envelope: bytes) -> bytes:
    """SHA-256 over the envelope, its signature included."""
    return hashlib.sha256(envelope).digest()


def check_entry_of(record: Record, envelope: bytes) -> Envelope:
    """The envelope, which parses, and is the one of the record; else ``RecordDigest`` (4.2.e)."""
    if record.digest != entry_digest(envelope):
        refuse("RecordDigest", record.digest.hex(), entry_digest(envelope).hex())
    entry = parse_envelope(envelope)
    if record.message_id != entry.message_id:
        refuse("RecordDigest", record.message_id.hex(), entry.message_id.hex())
    return entry


# -- receipts ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Receipt:
    """The log has taken the entry at this position and time, with this verdict."""

    record: Record
    checkpoint: Checkpoint
    proved: bool
    """Whether the record was proved to be under the checkpoint; else the sequencer has only promised it."""


def make_receipt(record: bytes, checkpoint: bytes, proof: bytes | None) -> bytes:
    """A receipt's bytes."""
    return encode(["ama2sec-receipt", 1, record, checkpoint, proof])


def check_receipt(
    receipt: bytes, envelope: bytes, key: EnrolledKey, origin: str, *, head: bytes | None = None
) -> Receipt:
    """The steps of record.3 for a message, bare or in an entry. ``head``: the text of one that the checker has kept."""
    match read_evidence(receipt, MAX_RECEIPT, "ReceiptForm"):
        case ["ama2sec-receipt", 1 as version, bytes(line), bytes(text), (bytes() | None) as proof] if (
            version is not True
        ):
            pass
        case _:
            raise error("ReceiptForm", '["ama2sec-receipt", 1, record, checkpoint, proof or null]', "another form")
    record = read_record(line)
    entry = parse(envelope)
    if (record.digest, record.message_id) != (entry_digest(entry.data), entry.message_id):
        refuse("RecordDigest", record.message_id.hex(), entry.message_id.hex())
    checkpoint = check_checkpoint(text, key, origin)
    if checkpoint.size <= record.position:
        refuse("CheckpointStale", f"a size above {record.position}", str(checkpoint.size))
    if proof is not None:
        check_record_inclusion(line, record.position, checkpoint.size, checkpoint.root, proof)
    if head is not None:
        kept = check_checkpoint(head, key, origin)
        if proof is None or checkpoint.size != kept.size:
            refuse("NeedsProof", f"a proof at size {kept.size}", "none" if proof is None else str(checkpoint.size))
        if checkpoint.root != kept.root:
            refuse("CheckpointForked", kept.root.hex(), checkpoint.root.hex())
    return Receipt(record, checkpoint, proof is not None)


# -- equivocation --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Equivocation:
    """The holder of one key has signed two messages under one number. Which was meant, nobody can say."""

    first: Envelope
    second: Envelope


def make_equivocation(one: bytes, other: bytes) -> bytes:
    """The evidence, of two bare envelopes."""
    return encode(["ama2sec-equivocation", 1, *sorted((one, other), key=lambda each: parse_envelope(each).message_id)])


def check_equivocation(evidence: bytes, key: EnrolledKey) -> Equivocation:
    """The steps of record.5. ``key`` is the key that the checker has for the author."""
    match read_evidence(evidence, _MAX_EQUIVOCATION, "EvidenceForm"):
        case ["ama2sec-equivocation", 1 as version, bytes(one), bytes(other)] if version is not True:
            pass
        case _:
            raise error("EvidenceForm", '["ama2sec-equivocation", 1, envelope, envelope]', "another form")
    first, second = (_signed_by(key, each) for each in (one, other))
    if _number(first) != _number(second) or first.claims.seq is None or first.message_id >= second.message_id:
        refuse("EvidenceInvalid", "two ids under one number, the lower one first", "otherwise")
    return Equivocation(first, second)


def _signed_by(key: EnrolledKey, data: bytes) -> Envelope:
    entry = parse_envelope(data)
    if entry.kid != key.thumbprint:
        refuse("KeyUnknown", key.thumbprint.hex(), entry.kid.hex())
    verify_enrolled(key, entry.sig_structure, entry.signature)
    return entry


def _number(entry: Envelope) -> tuple[object, ...]:
    claims = entry.claims
    return claims.realm, claims.agent, claims.conversation, claims.seq
