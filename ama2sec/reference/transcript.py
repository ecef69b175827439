"""A conversation as a file (spec fingerprint.5, fingerprint.6): the verdict, by the numbered steps, and no repairs.

The whole history is kept, one fingerprint for each entry: an auditor's second opinion, and not the way to read a file
that is larger than memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from ama2sec.errors import Ama2Error, error
from ama2sec.limits import MAX_ITEM, SEQ_COUNTER_JUMP, SIZE_END
from ama2sec.reference import hashes
from ama2sec.reference.claims import MESSAGE, NO_ID, OPEN, Claims
from ama2sec.reference.codec import Value, decode_first
from ama2sec.reference.directory import Directory
from ama2sec.reference.entry import ENTRY, BodyPart, read_entry
from ama2sec.reference.envelope import Verified, verify_envelope
from ama2sec.reference.forms import Address
from ama2sec.reference.tree import CompactRange

_HEADER: Final[list[Value]] = [0, "ama2sec-transcript", 1]
_NOT_BUILT: Final = {2: "record", 3: "head", 4: "proof"}
_HEAD_TEXT: Final = re.compile(r"([1-9][0-9]{0,14}):([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Head:
    """The size and the fingerprint of a history that somebody kept."""

    size: int
    fingerprint: bytes

    @classmethod
    def from_text(cls, text: str) -> Head:
        """Read ``<n>:<64 lowercase hex digits>`` (fingerprint.3.4); else ``HeadForm``."""
        found = _HEAD_TEXT.fullmatch(text)
        if found is None or int(found[1]) >= SIZE_END:
            _refuse("HeadForm", "<n>:<64 lowercase hex digits>", ascii(text[:64]))
        return cls(int(found[1]), bytes.fromhex(found[2]))

    def to_text(self) -> str:
        """The form that ``from_text`` reads."""
        return f"{self.size}:{self.fingerprint.hex()}"


@dataclass(frozen=True, slots=True)
class VerifiedTranscript:
    """Every entry passed: what was signed, by whom, after which history."""

    head_text: str
    entries: int
    authors: int
    lag: int
    """The largest number of entries that stood in the file and that an author had not seen yet."""
    head_compared: bool
    """Whether a retained head was compared. If not, nobody can say that no tail was cut off."""


def verify_transcript(data: bytes, directory: Directory, *, head: str | None = None) -> VerifiedTranscript:
    """Verify a whole conversation against a directory and, where one was kept, a head.

    Raises the error of the first fault; its ``position`` is the number of sound entries before it.
    ``HeadForm`` and ``NotBytes`` are faults of the arguments and have no position.
    """
    if type(data) is not bytes:
        _refuse("NotBytes", "bytes", type(data).__name__)
    history = _History(directory, None if head is None else Head.from_text(head))
    try:
        at = read_header(data)
        while at < len(data):
            item, at = read_item(data, at)
            _check_type(item)
            history.admit(*read_entry(item))
        return history.close()
    except Ama2Error as fault:
        fault.position = fault.sound = len(history.ids)
        raise


# -- items: fingerprint.5 ------------------------------------------------------------------------------------------


def read_item(data: bytes, at: int) -> tuple[Value, int]:
    """The item that begins at ``at``, and where it ends (5.5, 5.6)."""
    end = min(len(data), at + MAX_ITEM)
    try:
        return decode_first(data, at, end)
    except Ama2Error as fault:
        if fault.code == "Truncated" and end < len(data):  # 5.6
            raise error("SizeLimit", f"an item of at most {MAX_ITEM} bytes", "a longer one", at) from None
        raise


def read_header(data: bytes) -> int:
    """Where the header ends (5.1)."""
    item, at = read_item(data, 0)
    if not isinstance(item, list) or len(item) != 3 or type_of(item) != 0 or item[1] != _HEADER[1]:
        _refuse("TranscriptForm", '[0, "ama2sec-transcript", 1]', data[:32].hex())
    version = item[2]
    if isinstance(version, bool) or not isinstance(version, int) or version < 0:
        _refuse("TranscriptForm", "a version that is an unsigned integer", data[:32].hex())
    if version != _HEADER[2]:
        _refuse("TranscriptVersion", "version 1", str(version))
    return at


def type_of(item: Value) -> int | None:
    """An item's type: its first element, where that is an unsigned integer."""
    first = item[0] if isinstance(item, list) and item else None
    return first if type(first) is int and first >= 0 else None


def _check_type(item: Value) -> None:  # 5.2
    kind = type_of(item)
    if kind in _NOT_BUILT:
        _refuse("ItemNotBuilt", "an entry", f"a {_NOT_BUILT[kind]}")
    if kind != ENTRY:
        _refuse("ItemUnknown", "an entry", "an item without a type" if kind is None else f"type {kind}")


# -- entries: fingerprint.6 ----------------------------------------------------------------------------------------


def check_place(claims: Claims, conversation: bytes | None) -> None:
    """Steps 3 and 4: an open begins a conversation (``conversation`` is None), and what follows names that open."""
    if conversation is None:
        if claims.kind != OPEN:  # 3
            _refuse("OpenMissing", "an open as the first entry", "a message")
        return
    if claims.kind == OPEN:  # 3
        _refuse("OpenAgain", "one open", "another")
    if claims.conversation != conversation:  # 4
        _refuse("ConversationOther", conversation.hex(), claims.conversation.hex())


def check_member(verified: Verified, members: tuple[Address, ...] | None) -> None:
    """Step 5: by its id or by the directory's name for it, the author is in the open's list, or there is none."""
    if members is not None and not {verified.envelope.claims.agent, verified.sender.name} & {*members}:
        _refuse("NotAMember", "a member of the conversation", verified.sender.name)


def check_seq(claims: Claims, last_seq: Mapping[bytes, tuple[int, int]]) -> None:
    """Steps 6 and 7: the author's number is above its last one, and not too far above."""
    if claims.seq is None:
        return
    last = last_seq.get(claims.agent)
    if last is not None and claims.seq <= last:  # 6
        _refuse("SeqUsed", f"a number above {list(last)}", str(list(claims.seq)))
    base = last[1] if last is not None and last[0] == claims.seq[0] else 0
    if claims.seq[1] > base + SEQ_COUNTER_JUMP:  # 7
        _refuse("SeqWindow", f"a counter of at most {base + SEQ_COUNTER_JUMP}", str(claims.seq[1]))


def check_reach(claims: Claims, branch: bytes, size: int) -> None:
    """Steps 8 and 9: the branch is this one, and the context is no longer than it."""
    if claims.branch != branch:  # 8
        _refuse("BranchUnknown", branch.hex(), claims.branch.hex())
    if claims.size > size:  # 9
        _refuse("ContextAhead", f"a context of at most {size}", str(claims.size))


def check_context(claims: Claims, parent: bytes, fingerprint: bytes) -> None:
    """Step 10: the context that was signed is the one of the history at that size."""
    if claims.parent != parent:
        _refuse("ContextForked", f"parent {parent.hex()}", claims.parent.hex() if claims.parent else "none")
    if claims.fingerprint != fingerprint:
        _refuse("ContextForked", f"fingerprint {fingerprint.hex()}", claims.fingerprint.hex())


def check_merges(claims: Claims) -> None:
    """Step 11."""
    if claims.merges:
        _refuse("MergeNotBuilt", "no merges", str(len(claims.merges)))


class _History:
    """What the entries so far say, and the steps that the next one must pass."""

    def __init__(self, directory: Directory, head: Head | None) -> None:
        self.directory = directory
        self.head = head
        self.ids: list[bytes] = []
        self.fingerprints: list[bytes] = [hashes.fingerprint(NO_ID, NO_ID, NO_ID, 0, None)]
        self.tree = CompactRange()
        self.members: tuple[Address, ...] | None = None
        self.last_seq: dict[bytes, tuple[int, int]] = {}
        self.authors: set[bytes] = set()
        self.lag = 0

    def admit(self, envelope: bytes, body: BodyPart | None) -> None:
        """The numbered steps for the next entry."""
        verified = verify_envelope(envelope, self.directory, body)  # 1, 2
        claims = verified.envelope.claims
        check_place(claims, self.ids[0] if self.ids else None)  # 3, 4
        check_member(verified, self.members if self.ids else claims.members)  # 5
        check_seq(claims, self.last_seq)  # 6, 7
        if claims.kind == MESSAGE:
            self._check_context(claims)  # 8, 9, 10
        check_merges(claims)  # 11
        self._append(verified)  # 12

    def _check_context(self, claims: Claims) -> None:
        check_reach(claims, self.ids[0], len(self.ids))  # 8, 9
        check_context(claims, self.ids[claims.size - 1], self.fingerprints[claims.size])  # 10

    def _append(self, verified: Verified) -> None:
        claims, new_id = verified.envelope.claims, verified.envelope.message_id
        branch = self.ids[0] if self.ids else new_id
        self.tree.append(new_id)
        fingerprint = hashes.fingerprint(NO_ID, branch, branch, self.tree.size, self.tree.root())
        if self.head is not None and self.tree.size == self.head.size and fingerprint != self.head.fingerprint:  # 12
            _refuse("HeadForked", self.head.to_text(), Head(self.tree.size, fingerprint).to_text())
        if not self.ids:
            self.members = claims.members
        self.lag = max(self.lag, len(self.ids) - claims.size)
        self.ids.append(new_id)
        self.fingerprints.append(fingerprint)
        self.authors.add(claims.agent)
        if claims.seq is not None:
            self.last_seq[claims.agent] = claims.seq

    def close(self) -> VerifiedTranscript:
        """What is judged when no entry is left."""
        if not self.ids:
            _refuse("OpenMissing", "an open as the first entry", "no entry")
        if self.head is not None and len(self.ids) < self.head.size:
            _refuse("HeadStale", self.head.to_text(), f"{len(self.ids)} entries")
        head = Head(len(self.ids), self.fingerprints[-1])
        return VerifiedTranscript(head.to_text(), head.size, len(self.authors), self.lag, self.head is not None)


def _refuse(code: str, expected: str, got: str) -> NoReturn:
    raise error(code, expected, got)
