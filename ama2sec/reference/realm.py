"""A realm in memory: what an engine does with one entry after the other (spec conform, admission.1), without budgets."""

from __future__ import annotations

from dataclasses import dataclass, field

from ama2sec.errors import error
from ama2sec.reference import admission
from ama2sec.reference.admission import Admitted, Stamp, State, Verdict, admit, apply
from ama2sec.reference.checkpoint import origin_of, sign_checkpoint
from ama2sec.reference.claims import GENESIS, LOCAL_HALT, LOG_TYP, NO_ID, REGISTRY_TYP
from ama2sec.reference.codec import Value, encode
from ama2sec.reference.entry import BodyPart
from ama2sec.reference.envelope import (
    Envelope,
    check_body,
    honest_header,
    make,
    parse_envelope,
    public_of_seed,
    sign_raw,
    thumbprint_of_seed,
)
from ama2sec.reference.kinds import Enrolment, Revocation
from ama2sec.reference.record import Record, entry_digest
from ama2sec.reference.registry import ROOT_PURPOSE, SEQUENCER_PURPOSE, RegistryChange, offer_structure
from ama2sec.reference.replay import line_of
from ama2sec.reference.tree import rfc6962_leaf, rfc6962_root


@dataclass(frozen=True, slots=True)
class Taken:
    """An entry that was sequenced, with its record and its verdict."""

    entry: Envelope
    record: Record
    verdict: Verdict


@dataclass(slots=True)
class Realm:
    """State, records, and what a sequencer needs besides."""

    sequencer_seed: bytes
    state: State = field(default_factory=State)
    records: list[bytes] = field(default_factory=list)
    positions: dict[bytes, int] = field(default_factory=dict)
    prevs: dict[bytes, int] = field(default_factory=dict)
    time: int = 0

    def take(self, envelope: bytes, body: BodyPart | None, time: int) -> Taken | int:
        """Screen, stamp, admit, record, apply. The position of the original where the entry is a duplicate.

        Raises the error of the first step of admission.1 that refuses it, or ``CheckpointKey``; then nothing has changed.
        """
        entry = parse_envelope(envelope)  # 1
        admission.check_authentic(self.state, entry)  # 2, 3
        if entry.message_id in self.positions:  # 4
            return self.positions[entry.message_id]
        admission.check_realm(self.state, entry)  # 5
        check_body(entry.claims.body, body, require_body=True)  # 7
        admission.check_place(self.state, entry)  # 8, 9
        registry = self.state.registry
        stamp = Stamp(max(time, self.time), 0 if registry is None else registry.size)
        verdict = admit(self.state, stamp, entry)
        self._check_own_key(verdict)
        conversation, branch, index, code = line_of(verdict)
        record = Record(
            position=len(self.records),
            time=stamp.time,
            registry_size=stamp.registry_size,
            digest=entry_digest(envelope),
            message_id=entry.message_id,
            conversation=conversation,
            branch=branch,
            index=index,
            prev=self.prevs.get(conversation, 0),
            code=code,
        )
        self._append(record)
        apply(self.state, entry, verdict)
        return Taken(entry, record, verdict)

    def _check_own_key(self, verdict: Verdict) -> None:
        """Refuse an entry after which this sequencer could sign no checkpoint (record.6.5)."""
        registry = self.state.registry
        if (
            registry is None
            or not isinstance(verdict, Admitted)
            or not isinstance(verdict.change, RegistryChange)
            or not verdict.change.in_force
        ):
            return
        match verdict.change.proposal.own:
            case Revocation(agent=ended) | Enrolment(replaces=bytes(ended)):
                live = registry.live(registry.size, ended)
                if live is not None and live.key.raw == public_of_seed(self.sequencer_seed):
                    raise error("CheckpointKey", "a live sequencer's key", "its end")

    def _append(self, record: Record) -> None:
        self.records.append(record.to_bytes())
        self.positions[record.message_id] = record.position
        self.prevs[record.conversation] = len(self.records)
        self.time = record.time

    def checkpoint(self) -> bytes:
        """The signed head of all records."""
        registry = self.state.registry
        if registry is None:
            raise error("Internal", "a realm", "none")
        root = rfc6962_root([rfc6962_leaf(line) for line in self.records])
        return sign_checkpoint(self.sequencer_seed, origin_of(registry.name, registry.realm), len(self.records), root)


def make_offer(seed: bytes, realm: bytes, purpose: int, name: str, following: bytes | None) -> bytes:
    """An offer by the key of a seed (registry.1.2)."""
    return sign_raw(seed, offer_structure(thumbprint_of_seed(seed), realm, purpose, name, following))


def make_genesis(
    name: str, root_seeds: list[bytes], sequencer_seed: bytes, policy: Value, profile: int, time: int, salt: bytes
) -> bytes:
    """A genesis of roots ``root-1``, ``root-2``, ..., signed by the first (conform)."""
    roots: list[Value] = []
    for number, seed in enumerate(root_seeds, 1):
        offer = make_offer(seed, NO_ID, ROOT_PURPOSE, f"root-{number}", None)
        roots.append([f"root-{number}", public_of_seed(seed), offer, None])
    offer = make_offer(sequencer_seed, NO_ID, SEQUENCER_PURPOSE, "sequencer", None)
    sequencer: list[Value] = ["sequencer", public_of_seed(sequencer_seed), offer]
    author = thumbprint_of_seed(root_seeds[0])
    claims: dict[int | str, Value] = {
        1: NO_ID,
        2: NO_ID,
        3: GENESIS,
        4: [author, None],
        5: [0, NO_ID, 0, NO_ID],
        6: [NO_ID, None, []],
        7: None,
        10: time,
        11: salt,
        18: [name, 1, profile, roots, sequencer, policy],
    }
    return make(root_seeds[0], encode(claims), honest_header(author, REGISTRY_TYP))


def make_local_halt(sequencer_seed: bytes, realm: bytes, scope: bytes, reason: str, time: int, salt: bytes) -> bytes:
    """What a person on the host has said without a key, signed by the sequencer of the genesis (halt.1, conform)."""
    author = thumbprint_of_seed(sequencer_seed)
    claims: dict[int | str, Value] = {
        1: realm,
        2: realm,
        3: LOCAL_HALT,
        4: [author, None],
        5: [0, NO_ID, 0, NO_ID],
        6: [realm, None, []],
        7: None,
        10: time,
        11: salt,
        17: scope,
        26: reason,
    }
    return make(sequencer_seed, encode(claims), honest_header(author, LOG_TYP))
