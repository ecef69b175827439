"""Real messages for proofs: signed, of one conversation, every byte from a number."""

from __future__ import annotations

import functools
import json

from ama2sec import Fingerprint, Id
from ama2sec._native import SigningKey, make
from tests.naive_tree import leaf

REALM = bytes(32)
CONVERSATION = bytes([2]) * 32
ALICE = SigningKey.from_seed(bytes([1]) * 32)
ZEROS = bytes(32).hex()


def same_ids(count: int) -> list[bytes]:
    """Ids of no message: a tree takes what it is given."""
    return [leaf(i) for i in range(count)]


def message(number: int, conversation: Id | bytes = CONVERSATION, merges: list[Fingerprint] | None = None) -> bytes:
    """An envelope; ``merges`` are the heads that it merges."""
    heads = sorted((bytes(head.branch), head.size, bytes(head.hash)) for head in merges or [])
    named = bytes(conversation).hex()
    claims = {
        "realm": ZEROS,
        "conversation": named,
        "kind": "message",
        "agent_identity": {"grant": None},
        "context_fingerprint": {"size": 1, "fingerprint": "01" * 32, "registry_size": 0, "registry_fingerprint": ZEROS},
        "execution_path": {
            "branch": named,
            "parent": "03" * 32,
            "merges": [{"branch": b.hex(), "size": size, "fingerprint": value.hex()} for b, size, value in heads],
        },
        "workflow_state": None,
        "recipients": [],
        "seq": [1793000000000, number],
        "time": 1793000000000,
        "salt": number.to_bytes(16, "big").hex(),
        "body": None,
    }
    return make(ALICE, json.dumps(claims), None, None, None, None)[0]


@functools.cache
def _messages(count: int, first: int) -> tuple[bytes, ...]:
    return tuple(message(first + i) for i in range(count))


def messages(count: int, first: int = 0) -> list[bytes]:
    """As many different envelopes."""
    return list(_messages(count, first))
