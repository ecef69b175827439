"""Histories as plain lists of leaves, and the definitions of root, name and fingerprint as they are written (fingerprint.1, .2, .9)."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from blake3 import blake3

Node = Callable[[bytes, bytes], bytes]


@functools.cache
def key_of(purpose: str) -> bytes:
    return blake3(b"", derive_key_context=f"ama2sec 2026-11 v1 {purpose}").digest()


def keyed(purpose: str, data: bytes) -> bytes:
    return blake3(data, key=key_of(purpose)).digest()


@functools.lru_cache(1 << 16)
def branch_node(left: bytes, right: bytes) -> bytes:
    return keyed("node", left + right)


def sha_node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes], node: Node = branch_node) -> bytes:
    """RFC 9162, section 2.1: the left subtree has the largest power of two below the number of leaves."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root(leaves[:k], node), root(leaves[k:], node))


@dataclass
class PlainBranch:
    """All leaves of a branch, how many of them are inherited, and from which branch."""

    conversation: bytes
    leaves: list[bytes] = field(default_factory=list)
    base: int = 0
    parent: PlainBranch | None = None

    def fork(self, base: int) -> PlainBranch:
        return PlainBranch(self.conversation, self.leaves[:base], base, self)

    def root(self, size: int) -> bytes:
        return root(self.leaves[:size])

    def range(self, size: int) -> list[bytes]:
        """The roots of the complete subtrees, largest first."""
        peaks, at = [], 0
        for bit in reversed(range(size.bit_length())):
            if size >> bit & 1:
                peaks.append(root(self.leaves[at : at + (1 << bit)]))
                at += 1 << bit
        return peaks

    @property
    def id(self) -> bytes | None:
        if self.parent is None:
            return self.conversation
        return self.leaves[self.base] if len(self.leaves) > self.base else None

    def name(self, size: int) -> bytes:
        """The id of the branch that owns leaf ``size - 1``, found by walking up."""
        owner = self
        while size <= owner.base:
            assert owner.parent is not None
            owner = owner.parent
        assert owner.id is not None
        return owner.id

    def fingerprint(self, realm: bytes, size: int) -> bytes:
        scope = realm + self.conversation + self.name(size)
        return keyed("fingerprint", scope + size.to_bytes(8, "big") + self.root(size))
