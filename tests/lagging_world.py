"""A conversation as plain lists, what its light clients may know of it, and what each of them has to answer (spec proofs.5)."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from ama2sec import Directory, Fingerprint, Id, LightClient
from ama2sec.reference import encode, make
from ama2sec.reference.envelope import honest_header, sig_structure, thumbprint_of_seed
from tests.conftest import identity
from tests.naive_tree import Naive
from tests.tree_model import keyed
from tests.world import ZEROS, entry, message_claims, open_claims

WINDOW = 1024
MEMBERS = ("alice", "bob", "carol")
STRANGER = "mallory"
_NUMBERS = {"alice": 1, "bob": 2, STRANGER: 3, "carol": 5}
_SEEDS = {name: bytes([number]) * 32 for name, number in _NUMBERS.items()}
KID = {name: thumbprint_of_seed(seed) for name, seed in _SEEDS.items()}
_HEADERS = {name: honest_header(kid) for name, kid in KID.items()}
EPOCH = 7


@functools.cache
def _list_head(count: int) -> bytes:
    """How a list of so many elements begins: 0 is one byte."""
    return encode([0] * count)[:-count]


def directory() -> Directory:
    """All four are enrolled; the stranger is a member of nothing."""
    made = Directory()
    for name, number in _NUMBERS.items():
        made.enrol(identity(name, number).public, name=name)
    return made


@dataclass(frozen=True)
class Said:
    """A message, and what its author claims in it: his number, and the history that he had seen."""

    id: bytes
    data: bytes
    envelope: bytes
    author: str
    seq: int
    seen: int
    parent: bytes
    fingerprint: bytes

    @classmethod
    def signed(cls, claims: dict[Any, Any], author: str) -> Said:
        payload, header = encode(claims), _HEADERS[author]
        envelope = make(_SEEDS[author], payload, header)
        _, seq = claims.get(9) or (0, 0)
        # Bare or as an entry: a client takes both.
        data = entry(envelope) if seq % 2 else envelope
        seen, fingerprint, *_ = claims[5]
        return cls(
            keyed("leaf", sig_structure(header, payload)), data, envelope, author, seq, seen, claims[6][1], fingerprint
        )


# A member's message in another conversation.
FOREIGN = Said.signed(message_claims(c4=[KID["bob"], None], c8=[], c9=[EPOCH, 1]), "bob")


@dataclass(repr=False)
class Line:
    """One history of the conversation: a list of messages that only grows. Lines that part share a beginning.

    ``prints[n]`` is the fingerprint of the first n; ``points`` are the pairs of leaf and fingerprint as a state file has them.
    """

    said: list[Said] = field(default_factory=list)
    prints: list[bytes] = field(default_factory=lambda: [ZEROS])
    points: list[bytes] = field(default_factory=list)
    roots: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tree = Naive(1, lambda i: self.said[i].id, roots=self.roots)
        self.numbers: dict[str, int] = {}
        for said in self.said:
            self.count(said)

    @classmethod
    def opened(cls) -> Line:
        made = cls()
        made.add(Said.signed(open_claims(c13=sorted((KID[name] for name in MEMBERS), key=encode)), "alice"))
        return made

    def __len__(self) -> int:
        return len(self.said)

    def fork(self, size: int) -> Line:
        """Another history that begins with the first ``size`` messages."""
        roots = {place: root for place, root in self.roots.items() if place[1] <= size}
        return Line(self.said[:size], self.prints[: size + 1], self.points[:size], roots)

    @property
    def conversation(self) -> bytes:
        return self.said[0].id

    def ids(self, begin: int, end: int) -> list[bytes]:
        return [said.id for said in self.said[begin:end]]

    def count(self, said: Said) -> None:
        """The highest number that each author has used."""
        self.numbers[said.author] = max(said.seq, self.numbers.get(said.author, 0))

    def add(self, said: Said) -> Said:
        self.said.append(said)
        self.count(said)
        size = len(self)
        scope = ZEROS + 2 * self.conversation
        self.prints.append(keyed("fingerprint", scope + size.to_bytes(8, "big") + self.tree.root(0, size)))
        self.points.append(encode([said.id, self.prints[size]]))
        return said

    def craft(self, author: str, seen: int, parent: bytes | None = None, fingerprint: bytes | None = None) -> Said:
        """What an author signs who has consumed the first ``seen`` messages, or says so of others; it stands nowhere yet."""
        claims = message_claims(
            c2=self.conversation,
            c4=[KID[author], None],
            c5=[seen, fingerprint or self.prints[seen], 0, ZEROS],
            c6=[self.conversation, parent or self.said[seen - 1].id, []],
            c8=[],
            c9=[EPOCH, 1 + self.numbers.get(author, 0)],
        )
        return Said.signed(claims, author)

    def say(self, author: str, seen: int | None = None) -> Said:
        """A message more; its author has seen all, or the beginning."""
        return self.add(self.craft(author, len(self) if seen is None else seen))

    def head(self, size: int) -> Fingerprint:
        name = Id(self.conversation)
        return Fingerprint(Id(ZEROS), name, name, size, Id(self.prints[size]))

    def talk(self, chance: Random, count: int) -> None:
        """Authors who have seen all, and some who lag: a little, or far."""
        for _ in range(count):
            size = len(self)
            lag = chance.choice((0, 0, chance.randint(0, 4), chance.randint(0, size)))
            self.say(chance.choice(MEMBERS), max(1, size - lag))

    def parts_from(self, other: Line) -> int:
        """How many messages the two begin with in common."""
        both = zip(self.said, other.said, strict=False)
        return next((i for i, (ours, theirs) in enumerate(both) if ours.id != theirs.id), min(len(self), len(other)))

    def tail(self, size: int, count: int) -> dict[str, Any]:
        """The last messages of a head as they travel, and the range proof for them."""
        last = [said.data for said in self.said[size - count : size]]
        return {"last": last, "proof": self.tree.range(size - count, size, size)}


@dataclass(repr=False)
class Model:
    """What a light client knows after some messages: which history, how far, from where on, and each author's last number.

    ``kept`` is the size and fingerprint of the state file that it was read from or last written to.
    """

    line: Line
    size: int = 1
    oldest: int = 1
    numbers: dict[str, int] = field(default_factory=dict)
    kept: tuple[int, bytes] | None = None

    def copy(self) -> Model:
        return replace(self, numbers=dict(self.numbers))

    @property
    def head(self) -> tuple[int, bytes]:
        return self.size, self.line.prints[self.size]

    def verdict(self, said: Said, *, proof: bool) -> str:
        """What receiving it gives; a ``proof`` is the one of this line from the size that the author names."""
        own = self.line.prints
        if said.author not in MEMBERS:
            return "NotAMember"
        if said.seq <= self.numbers.get(said.author, -1):
            return "SeqUsed"
        if said.seen > self.size:
            return "ContextAhead"
        if said.seen < self.oldest:
            same = said.fingerprint == own[said.seen]
            return ("ok" if same else "ConsistencyRoot") if proof else "NeedsProof"
        if proof:
            return "ProofClaim"
        leaf = self.line.said[said.seen - 1].id
        return "ok" if (said.parent, said.fingerprint) == (leaf, own[said.seen]) else "ContextForked"

    def take(self, said: Said) -> None:
        """It becomes the next leaf; where it stands in no such place, this client has a history of its own from here on."""
        if self.size == len(self.line) or self.line.said[self.size].id != said.id:
            self.line = self.line.fork(self.size)
            self.line.add(said)
        self.size += 1
        self.oldest = max(self.oldest, self.size - WINDOW + 1)
        self.numbers[said.author] = said.seq

    def stand_at(self, size: int, count: int) -> None:
        """Join or skip: only the last messages are known."""
        self.size, self.oldest = size, size - count + 1
        for said in self.line.said[size - count : size]:
            if said.seq:  # an open has none
                self.numbers[said.author] = max(said.seq, self.numbers.get(said.author, said.seq))

    def part(self, other: Line) -> tuple[int, int]:
        """Of the complete subtrees of what came, the first in which another history has other leaves."""
        begin = 0
        for level in reversed(range(self.size.bit_length())):
            if self.size >> level & 1:
                end = begin + (1 << level)
                if self.line.ids(begin, end) != other.ids(begin, end):
                    return begin, end
                begin = end
        raise AssertionError("the two are one so far")

    def may_replace(self, stored: Model | None) -> str:
        """proofs.5.6, for states of one conversation."""
        if stored is None:
            return "ok"
        size, value = stored.head
        if self.size < size:
            return "HeadStale"
        if size >= self.oldest:
            return "ok" if self.line.prints[size] == value else "HeadForked"
        if self.kept is not None and self.kept[0] == size:
            return "ok" if self.kept[1] == value else "HeadForked"
        return "NeedsProof"

    def state(self) -> bytes:
        """The bytes of proofs.5.5."""
        line, known = self.line, self.line.points[self.oldest - 1 : self.size]
        authors = sorted([KID[name], EPOCH, seq] for name, seq in self.numbers.items())
        parts = [
            b"\x87",
            *map(encode, ("ama2sec-lightclient", 1, line.said[0].envelope, self.size, line.tree.peaks(self.size))),
            _list_head(len(known)),
            *known,
            encode(authors),
        ]
        body = b"".join(parts)
        return body + hashlib.sha256(body).digest()


@dataclass(repr=False, eq=False)
class Follower:
    """A light client beside its model."""

    core: LightClient
    model: Model

    @property
    def state(self) -> bytes:
        """What it would write into a file."""
        return self.core._state.encode()


@functools.cache
def long_line() -> Line:
    """A conversation that is longer than what a client knows of it."""
    line = Line.opened()
    line.talk(Random(1), WINDOW + 1)
    return line


@functools.cache
def long_state() -> tuple[bytes, Model]:
    """The state file of a client that has followed all of it, and its model."""
    line = long_line()
    who = Follower(LightClient(directory(), line.said[0].data), Model(line))
    for said in line.said[1:]:
        assert who.model.verdict(said, proof=False) == "ok"
        who.core.receive(said.data)
        who.model.take(said)
    assert (who.model.line, who.model.oldest) == (line, 3)
    return who.state, replace(who.model, kept=who.model.head)
