"""Keyed BLAKE3, one key for each purpose (spec envelope.1)."""

from __future__ import annotations

from typing import Final

from blake3 import blake3


def _key(purpose: str) -> bytes:
    return blake3(b"", derive_key_context=f"ama2sec 2026-11 v1 {purpose}").digest()


_LEAF: Final = _key("leaf")
_NODE: Final = _key("node")
_FINGERPRINT: Final = _key("fingerprint")
_BODY: Final = _key("body")
_DEFINITION: Final = _key("definition")
_NEXT_KEY: Final = _key("next-key")
_STATE: Final = _key("state")
_SUCCESSOR: Final = _key("successor")
_CLOSURE: Final = _key("closure")


def message_id(sig_structure: bytes) -> bytes:
    """The id of a message, which is its leaf as well (envelope.4)."""
    return blake3(sig_structure, key=_LEAF).digest()


def node(left: bytes, right: bytes) -> bytes:
    """An inner node of a branch's tree (fingerprint.1.2)."""
    return blake3(left + right, key=_NODE).digest()


def fingerprint(realm: bytes, conversation: bytes, branch: bytes, size: int, root: bytes | None) -> bytes:
    """The fingerprint of the first ``size`` leaves, whose root is ``root``; 32 zero bytes where there are none (fingerprint.2)."""
    if size == 0 or root is None:
        return bytes(32)
    return blake3(realm + conversation + branch + size.to_bytes(8, "big") + root, key=_FINGERPRINT).digest()


def body_commitment(salt: bytes, body: bytes) -> bytes:
    """What claims hold in the place of a body (envelope.7)."""
    return blake3(salt + body, key=_BODY).digest()


def definition_id(document: bytes) -> bytes:
    """The id of a workflow definition (workflow.1.2)."""
    return blake3(document, key=_DEFINITION).digest()


def next_key(key: bytes) -> bytes:
    """The digest by which an enrolment commits to the key after it (registry.1.3)."""
    return blake3(key, key=_NEXT_KEY).digest()


def successor(rollback: bytes, branch: bytes) -> bytes:
    """The id of the branch that goes on from what a rollback has left of one (rollback.2.4)."""
    return blake3(rollback + branch, key=_SUCCESSOR).digest()


def closure(encoding: bytes) -> bytes:
    """The hash of what falls together (rollback.2.3)."""
    return blake3(encoding, key=_CLOSURE).digest()


def state(encoding: bytes) -> bytes:
    """The digest of a state (admission.4)."""
    return blake3(encoding, key=_STATE).digest()
