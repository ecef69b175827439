"""The tree over a branch's message ids (spec fingerprint.1), and the SHA-256 tree of RFC 6962 (fingerprint.4).

Each root is here in the words of its RFC, recursive and slow; ``CompactRange`` gives the same root leaf by leaf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from ama2sec.reference import hashes

Node: TypeAlias = Callable[[bytes, bytes], bytes]


def branch_root(leaves: Sequence[bytes]) -> bytes | None:
    """The root over message ids; None where there are none."""
    return root(leaves, hashes.node) if leaves else None


def rfc6962_root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root of RFC 6962, 2.1 over leaf hashes (see ``rfc6962_leaf``); of none, SHA-256 of nothing."""
    return root(leaf_hashes, rfc6962_node) if leaf_hashes else hashlib.sha256(b"").digest()


def rfc6962_leaf(data: bytes) -> bytes:
    """The leaf hash of some data."""
    return hashlib.sha256(b"\x00" + data).digest()


def rfc6962_node(left: bytes, right: bytes) -> bytes:
    """An inner node of the SHA-256 tree."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes], node: Node) -> bytes:
    """The root over at least one leaf, by its definition."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << ((len(leaves) - 1).bit_length() - 1)  # the largest power of two below
    return node(root(leaves[:k], node), root(leaves[k:], node))


class CompactRange:
    """The roots of the complete subtrees of a growing tree, largest first: enough to append and to give the root.

    ``peaks`` are those of ``size``: one for each bit set in it.
    """

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)

    def append(self, leaf: bytes) -> None:
        """Add one leaf: it closes as many subtrees as the old size has one-bits at its end."""
        peak = leaf
        size = self.size
        while size & 1:
            peak = hashes.node(self.peaks.pop(), peak)
            size >>= 1
        self.peaks.append(peak)
        self.size += 1

    def root(self) -> bytes | None:
        """The root, or None of an empty tree: the smallest subtrees are joined first."""
        if not self.peaks:
            return None
        *larger, found = self.peaks
        for peak in reversed(larger):
            found = hashes.node(peak, found)
        return found


def fingerprints(realm: bytes, conversation: bytes, branch: bytes, ids: Sequence[bytes]) -> Iterator[bytes]:
    """The fingerprints at the sizes 0 to ``len(ids)``."""
    tree = CompactRange()
    yield hashes.fingerprint(realm, conversation, branch, 0, None)
    for leaf in ids:
        tree.append(leaf)
        yield hashes.fingerprint(realm, conversation, branch, tree.size, tree.root())
