"""What all tests share: identities of fixed seeds, a directory, and a place to write."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from ama2sec import Directory, Identity, _native
from ama2sec._native import SigningKey
from ama2sec.history import write_transcript

# A test run that was started in the background, or with nohup, ignores interrupts or hang-ups, and so would every process that it starts:
# a program does not take a signal back that was switched off for it. The tests of interrupts need them on.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def identity(name: str, seed: int, purpose: str = "message") -> Identity:
    """An identity with a known key: a failing test fails again in the same way."""
    key = SigningKey.from_seed(bytes([seed]) * 32)
    return Identity._of(name, purpose, key.public, key)


ZERO, SOME = "00" * 32, "ab" * 32


def crafted(**changes: Any) -> bytes:
    """A message, signed by alice, with claims of the test's own."""
    claims: dict[str, Any] = {
        "realm": ZERO,
        "conversation": SOME,
        "kind": "message",
        "agent_identity": {"grant": None},
        "context_fingerprint": {"size": 1234, "fingerprint": SOME, "registry_size": 0, "registry_fingerprint": ZERO},
        "execution_path": {"branch": SOME, "parent": "cd" * 32, "merges": []},
        "workflow_state": None,
        "recipients": [],
        "seq": [1_790_000_000_000, 17],
        "time": 1_790_000_000_000,
        "salt": "00" * 16,
        "body": None,
    }
    made, _ = _native.make(SigningKey.from_seed(b"\1" * 32), json.dumps(claims | changes), None, None, None, None)
    return made


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


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alice: Identity, bob: Identity, directory: Directory) -> Path:
    """A folder to work in, with ``alice.key``, ``bob.key`` and ``team.json``."""
    monkeypatch.chdir(tmp_path)
    for name in ("AMA2SEC_DIRECTORY", "AMA2SEC_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    alice.save("alice.key", passphrase=None)
    bob.save("bob.key", passphrase=None)
    directory.save("team.json")
    return tmp_path


@pytest.fixture
def chat(here: Path, alice: Identity, bob: Identity, directory: Directory) -> Path:
    """``here``, with a conversation and a letter, too."""
    write_transcript("trip.ama", alice, [(alice, b"a", 1), (bob, b"b", 2)], directory)
    (here / "letter.ama").write_bytes(alice.sign(b"hello", to=["bob"]).to_bytes())
    return here
