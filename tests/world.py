"""Honest envelopes and conversations, made by the reference alone, for tests that then break them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nacl.bindings import crypto_sign_seed_keypair

from ama2sec.reference import CompactRange, Directory, Envelope, encode, fingerprint, make, parse
from ama2sec.reference.envelope import honest_header, thumbprint_of_seed
from ama2sec.reference.hashes import body_commitment

ZEROS = bytes(32)
NAMES = ("alice", "bob", "mallory", "warden")
PURPOSES = ("message", "message", "message", "operator")
SEEDS = {name: bytes([number]) * 32 for number, name in enumerate(NAMES, 1)}
PUBLIC = {name: crypto_sign_seed_keypair(seed)[0] for name, seed in SEEDS.items()}
KID = {name: thumbprint_of_seed(seed) for name, seed in SEEDS.items()}
PROTECTED = {name: honest_header(kid) for name, kid in KID.items()}
SALT = bytes(range(16))
BODY_SALT = bytes(range(32))
HEADER = encode([0, "ama2sec-transcript", 1])


def directory() -> Directory:
    """Everybody of ``NAMES``; the warden's key is an operator's."""
    made = Directory()
    for name, purpose in zip(NAMES, PURPOSES, strict=True):
        made.enrol(PUBLIC[name], name=name, purpose=purpose)
    return made


def directory_view() -> list[dict[str, str]]:
    """The same, as a question of ``ama2sec.conform`` has it."""
    return [
        {"key": PUBLIC[name].hex(), "purpose": purpose, "name": name}
        for name, purpose in zip(NAMES, PURPOSES, strict=True)
    ]


def open_claims(author: str = "alice", **changes: Any) -> dict[Any, Any]:
    """The claims of an open; ``changes`` are ``c<label>=value``, and ``...`` takes a claim away."""
    claims: dict[Any, Any] = {
        1: ZEROS,
        2: ZEROS,
        3: 1,
        4: [KID[author], None],
        5: [0, ZEROS, 0, ZEROS],
        6: [ZEROS, None, []],
        7: None,
        8: [KID["bob"]],
        10: 1_793_000_000_000,
        11: SALT,
        12: None,
        13: None,
        14: [False, None],
    }
    return _changed(claims, changes)


def message_claims(author: str = "alice", **changes: Any) -> dict[Any, Any]:
    """The claims of a message that stands alone: its conversation is made up."""
    conversation = b"c" * 32
    claims: dict[Any, Any] = {
        1: ZEROS,
        2: conversation,
        3: 2,
        4: [KID[author], None],
        5: [1, b"f" * 32, 0, ZEROS],
        6: [conversation, b"p" * 32, []],
        7: None,
        8: ["bob", KID["bob"]] if encode("bob") < encode(KID["bob"]) else [KID["bob"], "bob"],
        9: [1_793_000_000_000, 17],
        10: 1_793_000_000_000,
        11: SALT,
        12: None,
    }
    return _changed(claims, changes)


def _changed(claims: dict[Any, Any], changes: dict[str, Any]) -> dict[Any, Any]:
    for name, value in changes.items():
        claims[int(name[1:])] = value
    return {label: value for label, value in claims.items() if value is not ...}


def body_claim(body: bytes) -> list[Any]:
    """Claim 12 for a body under ``BODY_SALT``."""
    return [body_commitment(BODY_SALT, body), len(body), "text/plain"]


def signed(claims: dict[Any, Any] | bytes, author: str = "alice", header: bytes | None = None) -> bytes:
    """An envelope over claims, or over the bytes of claims, however hostile."""
    payload = claims if isinstance(claims, bytes) else encode(claims)
    return make(SEEDS[author], payload, PROTECTED[author] if header is None else header)


def entry(envelope: bytes, body: bytes | None = None) -> bytes:
    """A transcript's entry."""
    return encode([1, envelope, None if body is None else [BODY_SALT, body]])


@dataclass
class Talk:
    """A conversation as its keeper would write it. ``say`` appends; ``envelopes`` and ``items`` are there to be broken."""

    envelopes: list[Envelope] = field(default_factory=list)
    items: list[bytes] = field(default_factory=list)
    tree: CompactRange = field(default_factory=CompactRange)
    prints: list[bytes] = field(default_factory=lambda: [ZEROS])
    counters: dict[str, int] = field(default_factory=dict)

    @classmethod
    def opened(cls, author: str = "alice", **changes: Any) -> Talk:
        talk = cls()
        talk.add(signed(open_claims(author, **changes), author))
        return talk

    @property
    def id(self) -> bytes:
        """The conversation's id."""
        return self.envelopes[0].message_id

    def claims(self, author: str, seen: int | None = None, **changes: Any) -> dict[Any, Any]:
        """What ``author`` would sign next, having seen ``seen`` entries (None: all)."""
        n = len(self.envelopes) if seen is None else seen
        counter = self.counters[author] = self.counters.get(author, 0) + 1
        mine = {
            "c2": self.id,
            "c5": [n, self.prints[n], 0, ZEROS],
            "c6": [self.id, self.envelopes[n - 1].message_id, []],
            "c9": [7, counter],
        }
        return message_claims(author, **(mine | changes))

    def say(self, author: str, seen: int | None = None, body: bytes | None = None, **changes: Any) -> Talk:
        claim = {} if body is None else {"c12": body_claim(body)}
        self.add(signed(self.claims(author, seen, **(claim | changes)), author), body)
        return self

    def add(self, envelope: bytes, body: bytes | None = None) -> None:
        parsed = parse(envelope)
        self.envelopes.append(parsed)
        self.items.append(entry(envelope, body))
        self.tree.append(parsed.message_id)
        self.prints.append(fingerprint(ZEROS, self.id, self.id, self.tree.size, self.tree.root()))

    def data(self, items: list[bytes] | None = None) -> bytes:
        return HEADER + b"".join(self.items if items is None else items)

    def head(self, size: int | None = None) -> str:
        n = len(self.items) if size is None else size
        return f"{n}:{self.prints[n].hex()}"
