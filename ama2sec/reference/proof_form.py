"""The form of a proof (spec proofs.1): a few numbers, and the roots of the spans of leaves that they determine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from ama2sec.limits import MAX_HOPS, MAX_PROOF
from ama2sec.reference import hashes, tree
from ama2sec.reference.forms import refuse

Span: TypeAlias = tuple[int, int]
"""The leaves [begin, end)."""

INCLUSION, CONSISTENCY, RANGE, ANCESTRY = 1, 2, 3, 4
BRANCH, REALM = 1, 2
MAGIC: Final = b"a2p"
_NUMBERS: Final = {INCLUSION: 2, CONSISTENCY: 2, RANGE: 3}
NODE: Final = {BRANCH: hashes.node, REALM: tree.rfc6962_node}


# -- which spans a claim needs: proofs.2.2, 2.5, 3.2 ---------------------------------------------------------------


def split(begin: int, end: int) -> int:
    """Where the leaves [begin, end) part: the left subtree has the largest power of two below their number."""
    return begin + (1 << (end - begin - 1).bit_length() - 1)


def siblings(index: int, begin: int, end: int) -> list[Span]:
    """The siblings of a leaf, upwards: PATH of RFC 9162, 2.1.3.1."""
    if end - begin == 1:
        return []
    k = split(begin, end)
    return [*siblings(index, begin, k), (k, end)] if index < k else [*siblings(index, k, end), (begin, k)]


def subproof(old: int, begin: int, end: int) -> list[Span]:
    """SUBPROOF of RFC 9162, 2.1.4.1, with the seed always written out."""
    if old == end:
        return [(begin, end)]
    k = split(begin, end)
    return [*subproof(old, begin, k), (k, end)] if old <= k else [*subproof(old, k, end), (begin, k)]


def peaks(size: int) -> list[Span]:
    """The compact range of a size: its complete subtrees, largest first."""
    found: list[Span] = []
    at = 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            found.append((at, at + (1 << level)))
            at += 1 << level
    return found


def spans(kind: int, numbers: Sequence[int]) -> list[Span]:
    """The spans whose roots stand in a proof, in their order."""
    if kind == INCLUSION:
        index, size = numbers
        return siblings(index, 0, size)
    if kind == CONSISTENCY:
        old, new = numbers
        return subproof(old, 0, new)
    begin, end, size = numbers
    return [*peaks(begin), *(span for span in siblings(end - 1, 0, size) if span[0] >= end)]


def root_over(known: Mapping[Span, bytes], begin: int, end: int, node: tree.Node) -> bytes:
    """The root over [begin, end), from spans that cover it."""
    if (begin, end) in known:
        return known[begin, end]
    k = split(begin, end)
    return node(root_over(known, begin, k, node), root_over(known, k, end, node))


# -- the form of a proof: proofs.1, 4.2 ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hop:
    """One path of an ancestry proof, and, but for the last, the claims that lead to the next head."""

    index: int
    size: int
    path: list[bytes]
    merge: int = 0
    kid: bytes = b""
    claims: bytes = b""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof whose form is right. An ancestry proof has hops, every other one numbers and hashes."""

    kind: int
    tree: int
    numbers: tuple[int, ...]
    hashes: list[bytes]
    hops: list[Hop]

    def known(self) -> dict[Span, bytes]:
        """What the proof says of spans."""
        return dict(zip(spans(self.kind, self.numbers), self.hashes, strict=True))


def read_proof(data: bytes) -> Proof:
    """The form alone (proofs.1.1 to 1.3). Raises ``SizeLimit``, ``ProofForm``, ``ProofVersion``, ``ProofIndex``."""
    check_bytes(data)
    if len(data) > MAX_PROOF:
        refuse("SizeLimit", f"a proof of at most {MAX_PROOF} bytes", f"{len(data)}")
    reader = _Reader(data)
    if reader.take(3) != MAGIC:
        refuse("ProofForm", "a proof", data[:3].hex())
    if reader.number(1) != 1:
        refuse("ProofVersion", "version 1", data[3:4].hex())
    kind = reader.number(1)
    if kind not in {*_NUMBERS, ANCESTRY}:
        refuse("ProofForm", "a type of the table", str(kind))
    in_tree = reader.number(1)
    if in_tree not in NODE or (kind == ANCESTRY and in_tree != BRANCH):
        refuse("ProofForm", "a tree of the table", str(in_tree))
    if kind == ANCESTRY:
        proof = Proof(kind, in_tree, (), [], _read_hops(reader))
    else:
        numbers = tuple(reader.number(6) for _ in range(_NUMBERS[kind]))
        check_numbers(kind, numbers, "ProofIndex")
        proof = Proof(kind, in_tree, numbers, [reader.take(32) for _ in spans(kind, numbers)], [])
    if reader.at != len(data):
        refuse("ProofForm", f"{reader.at} bytes", f"{len(data)}")
    return proof


def check_numbers(kind: int, numbers: Sequence[int], code: str) -> None:  # 1.2
    if kind == INCLUSION:
        good = 0 <= numbers[0] < numbers[1]
    elif kind == CONSISTENCY:
        good = 0 < numbers[0] < numbers[1]
    else:
        good = 0 <= numbers[0] < numbers[1] <= numbers[2]
    if not good:
        refuse(code, "numbers that make a claim", ", ".join(map(str, numbers)))


def _read_hops(reader: _Reader) -> list[Hop]:
    count = reader.number(1)
    if not 1 <= count <= MAX_HOPS:
        refuse("ProofForm", f"1 to {MAX_HOPS} hops", str(count))
    hops = []
    for left in reversed(range(count)):
        index, size = reader.number(6), reader.number(6)
        check_numbers(INCLUSION, (index, size), "ProofIndex")
        path = [reader.take(32) for _ in siblings(index, 0, size)]
        if left:
            merge, kid = reader.number(1), reader.take(32)
            hops.append(Hop(index, size, path, merge, kid, reader.take(reader.number(2))))
        else:
            hops.append(Hop(index, size, path))
    return hops


class _Reader:
    """A field that is not there whole is ``ProofForm``, when it is that field's turn."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, length: int) -> bytes:
        if length > len(self.data) - self.at:
            refuse("ProofForm", f"{length} bytes more", f"{len(self.data) - self.at}")
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")


def check_bytes(value: object) -> None:
    """Only immutable bytes (identity.2.4)."""
    if type(value) is not bytes:
        refuse("NotBytes", "bytes", type(value).__name__)
