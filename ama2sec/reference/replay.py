"""Replay (spec record.4): a realm's whole history, or one conversation of it, judged again by the rules.

The first fault is the verdict. Its ``position`` is the number of sound records before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ama2sec.errors import CATALOGUE, Ama2Error, error
from ama2sec.reference import admission
from ama2sec.reference.admission import Admitted, Stamp, State, Verdict, admit, apply
from ama2sec.reference.checkpoint import Checkpoint, Note, check_origin, check_signature, origin_of, read_note
from ama2sec.reference.codec import Value
from ama2sec.reference.entry import ENTRY, BodyPart, read_entry
from ama2sec.reference.envelope import Envelope, check_body
from ama2sec.reference.forms import refuse
from ama2sec.reference.record import Record, check_entry_of, read_record
from ama2sec.reference.registry import SEQUENCER_PURPOSE, Registry
from ama2sec.reference.rule_s import EnrolledKey
from ama2sec.reference.transcript import read_header, read_item, type_of
from ama2sec.reference.tree import rfc6962_leaf, rfc6962_root

_RECORD, _CHECKPOINT, _PROOF = 2, 3, 4
_NO_HOME: Final = (bytes(32), 0)


@dataclass(frozen=True, slots=True)
class Replayed:
    """Every record is the one that the rules give."""

    realm: bytes
    records: int
    root: bytes
    """Of the realm tree over the records that were given; in a filtered replay it is no realm's root."""
    state: State
    realm_retained: bool
    """Whether realm's id or a kept checkpoint was held against the history; else the realm is only ``as stated``."""
    tail_compared: bool
    """Whether a kept checkpoint was. If not, nobody can say that no tail was cut off."""


def replay(
    data: bytes, *, realm: bytes | None = None, checkpoint: bytes | None = None, conversation: bytes | None = None
) -> Replayed:
    """Replay a realm transcript; with ``conversation``, one that is filtered for it.

    ``realm`` is the id that is expected, ``checkpoint`` the text of one that was kept.
    """
    if type(data) is not bytes:  # identity.2.4
        refuse("NotBytes", "bytes", type(data).__name__)
    history = _History(realm, conversation)
    try:
        for item in _items(data):
            history.take(item)
        return history.close(checkpoint)
    except Ama2Error as fault:
        fault.position = fault.sound = len(history.records)
        raise


def _items(data: bytes) -> Iterator[list[Value]]:
    at = read_header(data)
    while at < len(data):
        item, at = read_item(data, at)
        kind = type_of(item)
        if kind == _PROOF:
            refuse("ItemNotBuilt", "an entry, a record or a checkpoint", "a proof")
        if kind not in {ENTRY, _RECORD, _CHECKPOINT} or not isinstance(item, list):
            raise error("ItemUnknown", "an entry, a record or a checkpoint", f"type {kind}")
        yield item


@dataclass(slots=True)
class _History:
    """What the records so far say."""

    realm: bytes | None
    conversation: bytes | None
    state: State = field(default_factory=State)
    records: list[bytes] = field(default_factory=list)
    last: Record | None = None
    prevs: dict[bytes, int] = field(default_factory=dict)
    waiting: bytes | None = None
    """A record whose entry comes next."""

    # -- items: record.4.1 ---------------------------------------------------------------------------------------

    def take(self, item: list[Value]) -> None:
        """The next item."""
        if item[0] == ENTRY:
            envelope, body = read_entry(item)
            if self.waiting is None:
                raise error("ItemForm", "a record before its entry", "an entry")
            self.take_pair(self.waiting, envelope, body)
            self.waiting = None
            return
        if len(item) != 2 or not isinstance(item[1], bytes) or self.waiting is not None:
            raise error("ItemForm", "a byte string behind the type, and an entry behind its record", "another item")
        if item[0] == _RECORD:
            self.waiting = item[1]
        else:
            self.take_checkpoint(item[1])

    # -- pairs: record.4.2 ---------------------------------------------------------------------------------------

    def take_pair(self, line: bytes, envelope: bytes, body: BodyPart | None) -> None:
        """The lettered steps."""
        record = read_record(line)  # a
        self.check_line(record)  # b, c, d
        entry = check_entry_of(record, envelope)  # e
        self.check_prev(record)  # f
        self.check_screened(record, entry, body)  # g
        verdict = admit(self.state, Stamp(record.time, record.registry_size), entry)  # h
        if not is_record_of(record, verdict):
            refuse("RecordVerdict", "the verdict and the home of the rules", "others")
        apply(self.state, entry, verdict)
        self.records.append(line)
        self.last = record
        self.prevs[record.conversation] = record.position + 1

    def check_line(self, record: Record) -> None:
        last = -1 if self.last is None else self.last.position
        is_next = record.position == last + 1
        if not is_next and (self.conversation is None or self.last is None or record.position <= last):  # b
            refuse("RecordPosition", f"position {last + 1}", str(record.position))
        if self.last is not None and record.time < self.last.time:  # c
            refuse("RecordTime", f"a time of at least {self.last.time}", str(record.time))
        size = 0 if self.state.registry is None else self.state.registry.size
        if record.registry_size != size:  # d
            refuse("RecordRegistry", f"{size} registry entries", str(record.registry_size))

    def check_prev(self, record: Record) -> None:
        prev = self.prevs.get(record.conversation, 0)
        if record.prev != prev:
            refuse("RecordPrev", str(prev), str(record.prev))
        realm = None if self.state.registry is None else self.state.registry.realm
        if (
            self.conversation is not None
            and realm is not None
            and record.conversation not in {realm, self.conversation}
        ):
            refuse("RecordVerdict", "the registry or the conversation asked for", record.conversation.hex())

    def check_screened(self, record: Record, entry: Envelope, body: BodyPart | None) -> None:
        admission.check_authentic(self.state, entry)
        if self.state.registry is None and self.realm is not None and entry.message_id != self.realm:
            refuse("RealmOther", self.realm.hex(), entry.message_id.hex())
        admission.check_realm(self.state, entry)
        admission.check_place(self.state, entry)
        if body is not None and record.code != 0:
            refuse("BodyUnexpected", "no body beside a rejected entry", "one")
        check_body(entry.claims.body, body, require_body=False)

    # -- checkpoints: record.4.2.i, 4.3 --------------------------------------------------------------------------

    def take_checkpoint(self, text: bytes) -> None:
        """A checkpoint in the transcript: by the sequencer of this place, of the records so far."""
        note = read_note(text)
        registry = self.state.registry
        keys = [] if registry is None else [live.key for live in registry.live_sequencers()]
        found = _check_note(note, registry, keys)
        if self.conversation is not None:
            return
        if found.size > len(self.records):
            refuse("CheckpointStale", f"a size of at most {len(self.records)}", str(found.size))
        if found.root != self.root(found.size):
            refuse("CheckpointRoot", self.root(found.size).hex(), found.root.hex())

    def close(self, kept: bytes | None) -> Replayed:
        """What is judged when no item is left."""
        registry = self.state.registry
        if self.waiting is not None:
            raise error("ItemForm", "an entry behind its record", "the end")
        if registry is None:
            raise error("OpenMissing", "a genesis as the first entry", "no entry")
        if kept is not None:
            keys = [each.key for agent in registry.of_purpose(SEQUENCER_PURPOSE) for each in agent.enrolments]
            self.check_kept(_check_note(read_note(kept), registry, keys))
        return Replayed(
            realm=registry.realm,
            records=len(self.records),
            root=self.root(len(self.records)),
            state=self.state,
            realm_retained=self.realm is not None or kept is not None,
            tail_compared=kept is not None and self.conversation is None,
        )

    def check_kept(self, kept: Checkpoint) -> None:
        if self.conversation is not None:
            return
        if kept.size > len(self.records):
            refuse("CheckpointStale", f"{kept.size} records", str(len(self.records)))
        if kept.root != self.root(kept.size):
            refuse("CheckpointForked", kept.root.hex(), self.root(kept.size).hex())

    def root(self, size: int) -> bytes:
        """The root of the realm tree over the first records."""
        return rfc6962_root([rfc6962_leaf(line) for line in self.records[:size]])


def _check_note(note: Note, registry: Registry | None, keys: list[EnrolledKey]) -> Checkpoint:
    """A checkpoint of this realm by one of these keys: the first that has a line in it."""
    if registry is not None:
        check_origin(note, origin_of(registry.name, registry.realm))
    for key in keys:
        if note.signatures(key):
            return check_signature(note, key)
    raise error("CheckpointKey", "a signature of the realm's sequencer", "none")


def is_record_of(record: Record, verdict: Verdict) -> bool:
    """Whether a record says what the rules say: code, conversation and home."""
    return (record.conversation, record.branch, record.index, record.code) == line_of(verdict)


def line_of(verdict: Verdict) -> tuple[bytes, bytes, int, int]:
    """Conversation, branch, index and code of the record of a verdict (record.1.1)."""
    if isinstance(verdict, Admitted):
        return verdict.conversation, verdict.branch, verdict.index, 0
    return verdict.conversation, *_NO_HOME, CATALOGUE[verdict.fault.code].number
