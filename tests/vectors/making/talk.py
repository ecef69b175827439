"""Conversations by hand: every entry authentic, every claim the maker's choice (fingerprint.3, fingerprint.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .cbor import Value, encode
from .claims import SALT, TIME, ZERO, Claims, message, opening
from .envelope import commitment, message_id, seal
from .people import ALICE, BOB, CAROL, Person
from .tree import fingerprint

HEADER = encode([0, "ama2sec-transcript", 1])
MEMBERS: list[Value] = sorted([ALICE.kid, CAROL.kid]) + ["bob"]


def entry(envelope: bytes, salt: bytes | None = None, body: bytes | None = None) -> bytes:
    """One transcript item (fingerprint.5.3)."""
    return encode([1, envelope, None if body is None else [salt, body]])


@dataclass
class Entry:
    """One entry with what its neighbours need to know of it."""

    author: Person
    claims: Claims
    salt: bytes = b""
    body: bytes | None = None

    @property
    def id(self) -> bytes:
        return message_id(self.claims, self.author)

    @property
    def envelope(self) -> bytes:
        return seal(self.claims, self.author)

    @property
    def item(self) -> bytes:
        return entry(self.envelope, self.salt, self.body)


@dataclass
class Talk:
    """A conversation under construction; ``say`` is honest unless it is told otherwise."""

    entries: list[Entry] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)

    @property
    def ids(self) -> list[bytes]:
        return [entry.id for entry in self.entries]

    @property
    def items(self) -> list[bytes]:
        return [entry.item for entry in self.entries]

    def open(self, author: Person = ALICE, members: Value = MEMBERS) -> Talk:
        """The open."""
        self.entries.append(Entry(author, opening({13: members}, author)))
        return self

    def draft(
        self,
        author: Person,
        n: int | None = None,
        seq: tuple[int, int] | None = None,
        changes: Mapping[object, Value] = {},
    ) -> Entry:
        """The message that the author would sign now, having seen ``n`` entries, with some claims changed."""
        ids = self.ids
        n = len(ids) if n is None else n
        counter = self.counters.get(author.name, 99) + 1
        claims = message({
            2: ids[0], 5: [n, fingerprint(ids[0], ids[:n]), 0, ZERO], 6: [ids[0], ids[n - 1], []],
            9: [TIME + author.number, counter] if seq is None else list(seq), 10: TIME + len(ids), 11: SALT[:15] + bytes([len(ids)]),
        }, author)  # fmt: skip
        return Entry(author, {**claims, **changes})

    def say(
        self, author: Person, text: str | None = None, n: int | None = None, seq: tuple[int, int] | None = None,
        changes: Mapping[object, Value] = {},
    ) -> Entry:  # fmt: skip
        """Append a message."""
        made = self.draft(author, n, seq, changes)
        if text is not None:
            salt, body = bytes([len(self.entries)]) * 32, text.encode()
            made = Entry(author, {**made.claims, 12: [commitment(salt, body), len(body), "text/plain"]}, salt, body)
        self.entries.append(made)
        _, counter = made.claims[9]  # type: ignore[misc]
        self.counters[author.name] = counter
        return made

    def head(self, size: int | None = None) -> str:
        """The head's text form."""
        ids = self.ids[:size]
        return f"{len(ids)}:{fingerprint(ids[0], ids).hex()}"


def file(items: Sequence[bytes]) -> bytes:
    """The bytes of a transcript."""
    return HEADER + b"".join(items)


def lively() -> Talk:
    """Seven entries of three members: bodies, a withheld one, lag."""
    talk = Talk().open()
    talk.say(BOB, "one")
    talk.say(CAROL, "two")
    talk.say(ALICE, "three", n=2)
    talk.say(BOB, None)
    withheld = talk.say(CAROL, "five", n=3)
    withheld.body = None
    talk.say(BOB, "")
    return talk
