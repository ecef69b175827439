"""The keys of the vectors: fixed seeds, so that everybody can sign with them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from nacl.signing import SigningKey


@dataclass(frozen=True)
class Person:
    """A name, a purpose and a key pair."""

    name: str
    number: int
    purpose: str = "message"

    @property
    def seed(self) -> bytes:
        return bytes([self.number]) * 32

    @property
    def public(self) -> bytes:
        return bytes(SigningKey(self.seed).verify_key)

    @property
    def kid(self) -> bytes:
        """identity.2.2"""
        return hashlib.sha256(bytes.fromhex("a301012006215820") + self.public).digest()

    def sign(self, message: bytes) -> bytes:
        return SigningKey(self.seed).sign(message).signature


ALICE = Person("alice", 1)
BOB = Person("bob", 2)
CAROL = Person("carol", 3)
MALLORY = Person("mallory", 4)
OPERATOR = Person("operator", 5, "operator")
SEQUENCER = Person("sequencer", 6, "sequencer")
ROOT = Person("root", 7, "root")
STRANGER = Person("stranger", 9)

ENROLLED = (ALICE, BOB, CAROL, MALLORY, OPERATOR, SEQUENCER, ROOT)


def directory(people: tuple[Person, ...] = ENROLLED) -> list[dict[str, str]]:
    """The directory argument of a question. STRANGER is in none."""
    return [{"key": who.public.hex(), "purpose": who.purpose, "name": who.name} for who in people]
