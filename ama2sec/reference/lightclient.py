"""The light client (spec proofs.5): a reader that follows one conversation outside a realm, and keeps no history.

It keeps the compact range of its size, the last leaf and the fingerprint of at most 1,024 sizes, and one number for each
author. There is no file here: the lock, the sync and the rename of proofs.5.6 are its owner's rim, and only the rule by
which one state may replace another is given, as ``check_replaces``.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias, TypeGuard

from ama2sec.errors import Ama2Error, error
from ama2sec.limits import LIGHT_WINDOW, MAX_DIRECTORY, MAX_LIGHT_STATE, SIZE_END, TIME_END
from ama2sec.reference import codec, hashes
from ama2sec.reference.claims import NO_ID, OPEN, Claims
from ama2sec.reference.codec import Value
from ama2sec.reference.directory import Directory
from ama2sec.reference.envelope import Verified, verify, verify_envelope
from ama2sec.reference.proof_form import BRANCH, INCLUSION, check_bytes, peaks, read_proof, root_over
from ama2sec.reference.proofs import Fingerprint, check_consistency, check_range, compare_heads
from ama2sec.reference.transcript import check_context, check_member, check_merges, check_place, check_reach, check_seq
from ama2sec.reference.tree import CompactRange

Known: TypeAlias = tuple[bytes, bytes]
"""What is known of a size: its last leaf, and its fingerprint."""
Seq: TypeAlias = tuple[int, int]

_NAME: Final = "ama2sec-lightclient"
_COUNTER_END: Final = 1 << 32
_MOST_PEAKS: Final = 48


@dataclass(frozen=True, slots=True)
class Missing:
    """The message ``message_id`` is entry ``index`` of the history under ``context``, and the client has not had it."""

    message_id: bytes
    index: int
    context: Fingerprint
    source: str
    """On whose word: ``sender`` (the author of a message signed the context) or ``peer`` (somebody stated it)."""


class LightClient:
    """A reader's state, and the steps that a next message, a gap or a later head must pass.

    Made by ``start``, ``join`` and ``parse``. A call that raises leaves it as it was.
    """

    def __init__(self, directory: Directory, opening: Verified) -> None:
        """What all three begin with: an open whose author is a member (5.1). Else ``OpenMissing``, ``NotAMember``."""
        claims = opening.envelope.claims
        check_place(claims, None)
        check_member(opening, claims.members)
        self._directory = directory
        self._opening = opening.envelope
        self._tree = CompactRange()
        self._known: list[Known] = []
        self._last_seq: dict[bytes, Seq] = {}
        self._kept: tuple[int, bytes] | None = None

    @classmethod
    def start(cls, directory: Directory, opening: bytes) -> LightClient:
        """Begin with the open alone: size 1. Raises what ``verify`` raises, ``OpenMissing`` and ``NotAMember`` (5.1)."""
        client = cls(directory, verify(opening, directory))
        client._tree, client._known = client._grown(CompactRange(), [client.conversation])
        return client

    @classmethod
    def join(
        cls, directory: Directory, head: Fingerprint, opening: bytes, last: Sequence[bytes], proof: bytes
    ) -> LightClient:
        """Begin at a head that is trusted, with the last messages before it and a range proof for them (5.1).

        Raises what ``start`` and ``check_range`` raise, ``RealmOther``, ``ConversationOther``, ``BranchUnknown`` for a head of
        something else, and ``ProofClaim`` for messages that are not the last.
        """
        verified = verify(opening, directory)
        messages = [verify(message, directory) for message in last]
        client = cls(directory, verified)
        client._check_scope(head)
        client._stand_at(head, messages, last, proof)
        return client

    # -- what it knows -------------------------------------------------------------------------------------------------

    @property
    def conversation(self) -> bytes:
        """The id of the open: of the conversation, and of its one branch."""
        return self._opening.message_id

    @property
    def head(self) -> Fingerprint:
        """The size and the fingerprint of all that it has followed."""
        return self._at(self.size, self._known[-1][1])

    @property
    def size(self) -> int:
        """The number of messages that it has followed."""
        return self._tree.size

    @property
    def oldest(self) -> int:
        """The smallest size that it knows: a sender who names a smaller one needs a proof."""
        return self.size - len(self._known) + 1

    def _at(self, size: int, value: bytes) -> Fingerprint:
        return Fingerprint(NO_ID, self.conversation, self.conversation, size, value)

    def _known_at(self, size: int) -> Known | None:
        return self._known[size - self.oldest] if self.oldest <= size <= self.size else None

    # -- the next message: 5.2 -----------------------------------------------------------------------------------------

    def receive(self, entry: bytes, proof: bytes | None = None) -> Verified:
        """Take in the message that is to be the next leaf, by the steps of fingerprint.6 with the differences of 5.2.

        ``proof`` is a consistency proof from the context that the message signed to ``head``; it is asked for
        (``NeedsProof``) where that context is smaller than ``oldest``, and only there (``ProofClaim``).
        """
        verified = verify(entry, self._directory)  # fingerprint.6, steps 1 and 2
        claims = verified.envelope.claims
        check_place(claims, self.conversation)  # 3, 4
        check_member(verified, self._opening.claims.members)  # 5
        check_seq(claims, self._last_seq)  # 6, 7
        check_reach(claims, self.conversation, self.size)  # 8, 9
        self._check_past(claims, proof)  # 10
        check_merges(claims)  # 11
        tree, grown = self._grown(self._tree, [verified.envelope.message_id])
        self._tree, self._known = tree, [*self._known, *grown][-LIGHT_WINDOW:]
        self._count(claims)
        return verified

    def _check_past(self, claims: Claims, proof: bytes | None) -> None:
        known = self._known_at(claims.size)
        if known is not None:
            if proof is not None:
                _refuse("ProofClaim", "no proof for a size that is known", "one")
            check_context(claims, *known)
            return
        if proof is None:
            _refuse("NeedsProof", f"a proof, below size {self.oldest}", f"none for {claims.size}")
        check_consistency(self._at(claims.size, claims.fingerprint), self.head, proof)

    def _grown(self, tree: CompactRange, leaves: Iterable[bytes]) -> tuple[CompactRange, list[Known]]:
        """The compact range with more leaves, and what is then known of each new size."""
        grown, known = CompactRange(tree.size, tree.peaks), []
        for leaf in leaves:
            if grown.size + 1 >= SIZE_END:  # fingerprint.1.4
                _refuse("SizeLimit", f"a history below {SIZE_END} messages", "one more")
            grown.append(leaf)
            known.append((leaf, self._print(grown)))
        return grown, known

    def _print(self, tree: CompactRange) -> bytes:
        return hashes.fingerprint(NO_ID, self.conversation, self.conversation, tree.size, tree.root())

    def _count(self, claims: Claims) -> None:
        """Note an author's number. Those of messages that came with a head may be older than what is known already."""
        if claims.seq is not None:
            self._last_seq[claims.agent] = max(claims.seq, self._last_seq.get(claims.agent, claims.seq))

    # -- what was missed: 5.3 ------------------------------------------------------------------------------------------

    def missing_by_sender(self, entry: bytes, first: bytes, proof: bytes) -> Missing:
        """That ``first`` is the first message which was missed, by the word of a message that could not be received.

        Raises what ``verify`` raises, ``NotAMember``, ``ArgumentRange`` (an open names no context), and what
        ``missing_by_peer`` raises.
        """
        verified = verify(entry, self._directory)
        check_member(verified, self._opening.claims.members)
        claims = verified.envelope.claims
        if claims.kind == OPEN:
            _refuse("ArgumentRange", "a message that names a context", "an open, which names none")
        scope = claims.realm, claims.conversation, claims.branch
        return self._missing(Fingerprint(*scope, claims.size, claims.fingerprint), first, proof, "sender")

    def missing_by_peer(self, context: Fingerprint, first: bytes, proof: bytes) -> Missing:
        """The same, by a fingerprint that somebody stated. ``proof`` is an inclusion proof of ``first``, at this client's
        size. Raises what ``read_proof`` raises, ``ProofClaim``, ``ProofRoot``, and ``ContextForked`` with the leaves in
        which the two histories part."""
        return self._missing(context, first, proof, "peer")

    def _missing(self, context: Fingerprint, first: bytes, proof: bytes, source: str) -> Missing:
        found = read_proof(proof)  # a
        if (found.kind, found.tree, context.realm, context.conversation) != (
            INCLUSION,
            BRANCH,
            NO_ID,
            self.conversation,
        ):
            _refuse("ProofClaim", "an inclusion in this conversation", f"type {found.kind} in tree {found.tree}")
        if found.numbers != (self.size, context.size):  # b
            _refuse("ProofClaim", f"index {self.size} of {context.size}", str(found.numbers))
        path = found.known()
        if not context.is_of(root_over(path | {(self.size, self.size + 1): first}, 0, context.size, hashes.node)):  # c
            _refuse("ProofRoot", "a path to the context", "another root")
        for span, ours in zip(peaks(self.size), self._tree.peaks, strict=True):  # d
            if path[span] != ours:
                _refuse("ContextForked", f"leaves {span[0]} to {span[1]} as they are here", "others")
        return Missing(first, self.size, context, source)

    # -- a later head: 5.4 ---------------------------------------------------------------------------------------------

    def skip(self, head: Fingerprint, extends: bytes, last: Sequence[bytes], proof: bytes) -> None:
        """Go to a later head without the messages between: a consistency proof to it, and the last messages as in ``join``.

        Raises ``BranchUnknown``, what ``compare_heads`` raises (so ``HeadStale`` and ``HeadForked``), and what ``join`` raises of messages.
        """
        messages = [verify(message, self._directory) for message in last]
        self._check_branch(head)
        if head == self.head:
            return
        compare_heads(self.head, head, extends)
        self._stand_at(head, messages, last, proof)

    def _check_scope(self, head: Fingerprint) -> None:
        if head.realm != NO_ID:
            _refuse("RealmOther", "no realm", head.realm.hex())
        if head.conversation != self.conversation:
            _refuse("ConversationOther", self.conversation.hex(), head.conversation.hex())
        self._check_branch(head)

    def _check_branch(self, head: Fingerprint) -> None:
        if head.branch != self.conversation:
            _refuse("BranchUnknown", self.conversation.hex(), head.branch.hex())

    def _stand_at(self, head: Fingerprint, messages: Sequence[Verified], last: Sequence[bytes], proof: bytes) -> None:
        """Take the last messages up to a head for what is known: a range proof yields the compact range before them (2.7)."""
        found = check_range(head, last, proof)
        if found.begin + len(last) != head.size:
            _refuse("ProofClaim", f"a range that ends at {head.size}", f"at {found.begin + len(last)}")
        for message in messages:
            if message.envelope.claims.kind != OPEN:
                check_place(message.envelope.claims, self.conversation)
        before = CompactRange(found.begin, read_proof(proof).hashes[: found.begin.bit_count()])
        tree, known = self._grown(before, found.message_ids)
        self._tree, self._known = tree, known[-LIGHT_WINDOW:]
        for message in messages:
            self._count(message.envelope.claims)

    # -- the state file: 5.5, 5.6 --------------------------------------------------------------------------------------

    def encode(self) -> bytes:
        """The state as a file has it: the same state gives the same bytes."""
        seqs: list[Value] = [[author, *seq] for author, seq in sorted(self._last_seq.items())]
        known: list[Value] = [list(each) for each in self._known]
        state = codec.encode([_NAME, 1, self._opening.data, self.size, list(self._tree.peaks), known, seqs])
        return state + hashlib.sha256(state).digest()

    @classmethod
    def parse(cls, data: bytes, directory: Directory) -> LightClient:
        """Read what ``encode`` made. Else ``StateForm``, or what is wrong with the open under this directory."""
        check_bytes(data)
        opening, size, roots, known, authors = _read_state(data)  # a
        client = cls(directory, verify_envelope(opening, directory, None))  # b
        client._tree, client._known = CompactRange(size, roots), known
        client._last_seq = {author: (epoch, counter) for author, epoch, counter in authors}
        client._check_state([each[0] for each in authors])  # c
        client.mark_kept()
        return client

    def _check_state(self, authors: Sequence[bytes]) -> None:
        if len(self._tree.peaks) != self.size.bit_count():
            raise _no_state(f"{self.size.bit_count()} peaks")
        if not 1 <= len(self._known) <= self.size:
            raise _no_state(f"1 to {self.size} known sizes")
        if self._known[-1][1] != self._print(self._tree):
            raise _no_state("the fingerprint that the peaks give")
        if any(before >= author for before, author in itertools.pairwise(authors)):
            raise _no_state("authors in ascending order")

    def mark_kept(self) -> None:
        """Note that this state was read from, or has been written to, its file (5.6)."""
        self._kept = self.size, self.head.value

    def fingerprint_at(self, size: int) -> bytes | None:
        """The fingerprint of a size that it knows, or at which it was kept (5.6); else None."""
        known = self._known_at(size)
        if known is not None:
            return known[1]
        return self._kept[1] if self._kept is not None and self._kept[0] == size else None


def check_replaces(old: LightClient, new: LightClient) -> None:
    """The rule by which ``new`` may be written over the state ``old`` (5.6): only the past is replaced.

    Raises ``ConversationOther``, ``HeadStale`` (the new one is smaller), ``HeadForked`` (the old one is not in its past) and
    ``NeedsProof`` (the new one cannot tell).
    """
    if new.conversation != old.conversation:
        _refuse("ConversationOther", old.conversation.hex(), new.conversation.hex())
    if new.size < old.size:
        _refuse("HeadStale", f"a size of at least {old.size}", str(new.size))
    known = new.fingerprint_at(old.size)
    if known is None:
        _refuse("NeedsProof", f"a client that knows size {old.size}", f"one that knows those from {new.oldest}")
    if known != old.head.value:
        _refuse("HeadForked", old.head.value.hex(), known.hex())


_State: TypeAlias = tuple[bytes, int, list[bytes], list[Known], list[tuple[bytes, int, int]]]


def _read_state(data: bytes) -> _State:
    """The form alone (5.5.a): the open, the size, the peaks, the known sizes, the authors."""
    state, digest = data[:-32], data[-32:]
    if len(data) > MAX_LIGHT_STATE or hashlib.sha256(state).digest() != digest:
        raise _no_state(f"at most {MAX_LIGHT_STATE} bytes, the last of which are the SHA-256 of the others")
    try:
        value = codec.decode(state)
    except Ama2Error:
        value = None
    match value:
        case [name, version, bytes(opening), size, [*peaks_], [*known], [*authors]] if (
            name == _NAME
            and _is_number(version, 1, 2)
            and _is_number(size, 1, SIZE_END)
            and (len(peaks_) <= _MOST_PEAKS and len(known) <= LIGHT_WINDOW and len(authors) <= MAX_DIRECTORY)
        ):
            roots = [_read_hash(peak) for peak in peaks_]
            return opening, size, roots, [_read_known(each) for each in known], [_read_author(each) for each in authors]
    raise _no_state(f'["{_NAME}", 1, open, size, peaks, known sizes, authors]')


def _read_known(value: Value) -> Known:
    match value:
        case [leaf, fingerprint]:
            return _read_hash(leaf), _read_hash(fingerprint)
    raise _no_state("[leaf, fingerprint] for each known size")


def _read_author(value: Value) -> tuple[bytes, int, int]:
    match value:
        case [author, epoch, counter] if _is_number(epoch, 0, TIME_END) and _is_number(counter, 0, _COUNTER_END):
            return _read_hash(author), epoch, counter
    raise _no_state("[author, epoch, counter] for each author")


def _read_hash(value: Value) -> bytes:
    if isinstance(value, bytes) and len(value) == 32:
        return value
    raise _no_state("ids and hashes of 32 bytes")


def _is_number(value: Value, least: int, end: int) -> TypeGuard[int]:
    return type(value) is int and least <= value < end


def _no_state(expected: str) -> Ama2Error:
    return error("StateForm", expected, "something else")


def _refuse(code: str, expected: str, got: str) -> NoReturn:
    raise error(code, expected, got)
