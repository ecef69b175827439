"""The RFC's recursions over both trees, as they are written down (spec proofs.2, proofs.3): the twin of the core's provers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import blake3

Node = Callable[[bytes, bytes], bytes]

_NODE_KEY = blake3.blake3(b"", derive_key_context="ama2sec 2026-11 v1 node").digest()


def branch_node(left: bytes, right: bytes) -> bytes:
    return blake3.blake3(left + right, key=_NODE_KEY).digest()


def realm_node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def leaf(i: int) -> bytes:
    """Leaves for trees whose leaves need not be messages."""
    return hashlib.sha256(i.to_bytes(8, "big")).digest()


def split(n: int) -> int:
    """k(n): the largest power of two below n."""
    return 1 << (n - 1).bit_length() - 1


def number(value: int) -> bytes:
    return value.to_bytes(6, "big")


@dataclass
class Naive:
    """A tree over D[0, n) for any n: ``leaves`` answers for each place; roots are remembered by ``same`` or by place."""

    tree: int
    leaves: Callable[[int], bytes]
    same: bool = False
    roots: dict[tuple[int, int], bytes] = field(default_factory=dict)

    @property
    def node(self) -> Node:
        return branch_node if self.tree == 1 else realm_node

    def root(self, a: int, b: int) -> bytes:
        """MTH(D[a, b))."""
        if b - a == 1:
            return self.leaves(a)
        key = (0, b - a) if self.same else (a, b)
        if key not in self.roots:
            k = split(b - a)
            self.roots[key] = self.node(self.root(a, a + k), self.root(a + k, b))
        return self.roots[key]

    def path(self, i: int, a: int, b: int) -> list[bytes]:
        if b - a == 1:
            return []
        k = split(b - a)
        if i < k:
            return [*self.path(i, a, a + k), self.root(a + k, b)]
        return [*self.path(i - k, a + k, b), self.root(a, a + k)]

    def subproof(self, m: int, a: int, b: int) -> list[bytes]:
        if m == b - a:
            return [self.root(a, b)]
        k = split(b - a)
        if m <= k:
            return [*self.subproof(m, a, a + k), self.root(a + k, b)]
        return [*self.subproof(m - k, a + k, b), self.root(a, a + k)]

    def peaks(self, size: int) -> list[bytes]:
        """The compact range."""
        found, at = [], 0
        for level in reversed(range(size.bit_length())):
            if size >> level & 1:
                found.append(self.root(at, at + (1 << level)))
                at += 1 << level
        return found

    def right_siblings(self, i: int, a: int, b: int) -> list[bytes]:
        if b - a == 1:
            return []
        k = split(b - a)
        if i < k:
            return [*self.right_siblings(i, a, a + k), self.root(a + k, b)]
        return self.right_siblings(i - k, a + k, b)

    def inclusion(self, index: int, size: int) -> bytes:
        return self.proof(1, [index, size], self.path(index, 0, size))

    def consistency(self, old: int, new: int) -> bytes:
        return self.proof(2, [old, new], self.subproof(old, 0, new))

    def range(self, begin: int, end: int, size: int) -> bytes:
        return self.proof(3, [begin, end, size], [*self.peaks(begin), *self.right_siblings(end - 1, 0, size)])

    def proof(self, kind: int, numbers: Sequence[int], hashes: Sequence[bytes]) -> bytes:
        return b"a2p\x01" + bytes([kind, self.tree]) + b"".join(map(number, numbers)) + b"".join(hashes)


def relabelled(proof: bytes, *numbers: int) -> bytes:
    """The same proof under other numbers."""
    written = b"".join(map(number, numbers))
    return proof[:6] + written + proof[6 + len(written) :]


@dataclass
class Accumulated:
    """SHA-256 over proofs, each with its length before it (tests/vectors/proofs.json)."""

    count: int = 0
    hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, proof: bytes) -> None:
        self.hash.update(len(proof).to_bytes(4, "big") + proof)
        self.count += 1

    def view(self) -> dict[str, object]:
        return {"count": self.count, "sha256": self.hash.hexdigest()}


class Prover(Protocol):
    """Who makes the proofs of one tree."""

    def inclusion(self, index: int, size: int) -> bytes: ...
    def consistency(self, old: int, new: int) -> bytes: ...
    def range(self, begin: int, end: int, size: int) -> bytes: ...


def accumulated(tree: int) -> dict[str, dict[str, object]]:
    """The accumulated hashes of one tree, as their definition says."""
    return accumulated_by(Naive(tree, leaf), Naive(tree, lambda _: leaf(0), same=True))


def accumulated_by(small: Prover, same: Prover) -> dict[str, dict[str, object]]:
    """The same of any two provers: over 130 leaves or more, and over equal leaves of any number."""
    inclusion, consistency, ranges = Accumulated(), Accumulated(), Accumulated()
    for n in range(1, 131):
        for index in range(n):
            inclusion.add(small.inclusion(index, n))
        for old in range(1, n):
            consistency.add(small.consistency(old, n))
        for begin in range(n if n <= 40 else 0):
            for end in range(begin + 1, n + 1):
                ranges.add(small.range(begin, end, n))
    for n in (2**e + d for e in range(1, 48) for d in (-1, 0, 1)):
        for index in (0, n // 2, n - 1):
            inclusion.add(same.inclusion(index, n))
        for old in (1, n // 2, n - 1):
            if 0 < old < n:
                consistency.add(same.consistency(old, n))
        for begin, end in ((0, n // 2), (n // 2, n), (n - 1, n)):
            if begin < end:
                ranges.add(same.range(begin, end, n))
    return {"inclusion": inclusion.view(), "consistency": consistency.view(), "range": ranges.view()}
