"""The two trees (fingerprint.1, fingerprint.2, fingerprint.4), by their recursive definitions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from .claims import ZERO
from .envelope import keyed

Node = Callable[[bytes, bytes], bytes]


def root(leaves: Sequence[bytes], node: Node) -> bytes:
    """RFC 9162, 2.1: the left subtree has the largest power of two below n leaves."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return node(root(leaves[:k], node), root(leaves[k:], node))


def fingerprint(conversation: bytes, ids: Sequence[bytes], branch: bytes | None = None, realm: bytes = ZERO) -> bytes:
    """Over all of the ids."""
    if not ids:
        return ZERO
    scope = realm + conversation + (conversation if branch is None else branch)
    top = root(ids, lambda left, right: keyed("node", left + right))
    return keyed("fingerprint", scope + len(ids).to_bytes(8, "big") + top)


def rfc6962(leaf_hashes: Sequence[bytes]) -> bytes:
    """The SHA-256 tree over leaf hashes."""
    if not leaf_hashes:
        return hashlib.sha256(b"").digest()
    return root(leaf_hashes, lambda left, right: hashlib.sha256(b"\x01" + left + right).digest())


def rfc6962_leaf(data: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\0" + data).digest()
