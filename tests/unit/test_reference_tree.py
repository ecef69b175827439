"""The reference's trees: the roots of other people's examples, and both ways to the same root."""

from __future__ import annotations

import hashlib

import pytest
from blake3 import blake3

from ama2sec.reference import CompactRange, branch_root, fingerprint, fingerprints, rfc6962_leaf, rfc6962_root

# The leaves and roots of Certificate Transparency's own tree tests: sizes 0 to 8.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A, B, C = (letter * 32 for letter in (b"a", b"b", b"c"))


def ids(count: int) -> list[bytes]:
    return [hashlib.sha256(count.to_bytes(4, "big")).digest() for count in range(count)]


@pytest.mark.parametrize("size", range(9))
def test_rfc_6962_roots(size: int) -> None:
    leaves = [rfc6962_leaf(bytes.fromhex(leaf)) for leaf in LEAVES[:size]]
    assert rfc6962_root(leaves).hex() == ROOTS[size]


def test_a_node_is_keyed_and_a_leaf_stands_as_it_is() -> None:
    key = blake3(b"", derive_key_context="ama2sec 2026-11 v1 node").digest()
    assert branch_root([]) is None
    assert branch_root([A]) == A
    assert branch_root([A, B]) == blake3(A + B, key=key).digest()
    inner = blake3(A + B, key=key).digest()
    assert branch_root([A, B, C]) == blake3(inner + C, key=key).digest()


def test_leaf_by_leaf_gives_the_recursive_root() -> None:
    leaves = ids(130)
    tree = CompactRange()
    assert tree.root() is None
    for size, leaf in enumerate(leaves, 1):
        tree.append(leaf)
        assert (tree.size, tree.root()) == (size, branch_root(leaves[:size]))


def test_a_fingerprint_binds_all_that_it_names() -> None:
    key = blake3(b"", derive_key_context="ama2sec 2026-11 v1 fingerprint").digest()
    honest = fingerprint(A, B, C, 5, A)
    assert honest == blake3(A + B + C + bytes(7) + b"\x05" + A, key=key).digest()
    others = [(B, B, C, 5, A), (A, C, C, 5, A), (A, B, B, 5, A), (A, B, C, 6, A), (A, B, C, 5, B)]
    assert len({honest, *(fingerprint(*other) for other in others)}) == 6
    assert fingerprint(A, B, C, 0, None) == bytes(32)


def test_fingerprints_of_every_size() -> None:
    leaves = ids(9)
    found = list(fingerprints(A, B, C, leaves))
    assert found == [fingerprint(A, B, C, size, branch_root(leaves[:size])) for size in range(10)]
