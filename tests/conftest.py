"""What all tests share: identities of fixed seeds, a directory, and a place to write."""

from __future__ import annotations

import pytest

from ama2sec import Directory, Identity
from ama2sec._native import SigningKey


def identity(name: str, seed: int, purpose: str = "message") -> Identity:
    """An identity with a known key: a failing test fails again in the same way."""
    key = SigningKey.from_seed(bytes([seed]) * 32)
    return Identity._of(name, purpose, key.public, key)


@pytest.fixture
def alice() -> Identity:
    return identity("alice", 1)


@pytest.fixture
def bob() -> Identity:
    return identity("bob", 2)


@pytest.fixture
def mallory() -> Identity:
    """Enrolled, and a member of nothing."""
    return identity("mallory", 3)


@pytest.fixture
def directory(alice: Identity, bob: Identity, mallory: Identity) -> Directory:
    made = Directory()
    for who in (alice, bob, mallory):
        made.enrol(who.public, name=who.name)
    made.enrol(identity("warden", 4, "operator").public, name="warden", purpose="operator")
    return made
