"""Whoever sends a proof: it is bytes from a stranger, held against a fingerprint that is trusted. It must not have a message
accepted that is not there, nor one history taken for another (spec proofs)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ama2sec import (
    Accumulator,
    Fingerprint,
    Id,
    check_ancestry,
    check_consistency,
    check_inclusion,
    check_range,
    hazmat,
    limits,
    parse,
    prove_ancestry,
    prove_consistency,
    prove_inclusion,
    prove_range,
)
from ama2sec.errors import PeerError
from tests.naive_tree import Naive, branch_node, number, realm_node, relabelled
from tests.proof_world import CONVERSATION, REALM, message, messages

SIZE = 11
ENVELOPES = messages(SIZE)
IDS = [bytes(parse(envelope).id) for envelope in ENVELOPES]
TREE = Accumulator(REALM, CONVERSATION)
TREE.extend(IDS)
HEAD = TREE.fingerprint()
TWIN = Naive(1, lambda i: IDS[i])


def judge(call: Callable[..., object], *arguments: object) -> str:
    """The code, twice the same, with an honest proof accepted afterwards."""
    codes = set()
    for _ in range(2):
        try:
            call(*arguments)
        except PeerError as fault:
            codes.add(fault.code)
        else:
            codes.add("ok")
    assert check_inclusion(HEAD, ENVELOPES[4], prove_inclusion(TREE, 4)).index == 4
    assert check_consistency(TREE.fingerprint(4), HEAD, prove_consistency(TREE, 4)).new == HEAD
    assert len(codes) == 1
    return codes.pop()


def head_of_one(leaf: bytes) -> Fingerprint:
    """The head of a history whose only leaf is this."""
    made = Accumulator(REALM, CONVERSATION)
    made.append(leaf)
    return made.fingerprint()


# -- A46, A50: another message, a node for a message ---------------------------------------------------------------


@pytest.mark.parametrize("index", range(SIZE))
def test_a46_a_message_that_is_not_there(index: int) -> None:
    proof = prove_inclusion(TREE, index)
    assert judge(check_inclusion, HEAD, message(999), proof) == "ProofRoot"
    for other in range(SIZE):
        wanted = "ok" if other == index else "ProofRoot"
        assert judge(check_inclusion, HEAD, ENVELOPES[other], proof) == wanted


def test_a50_an_inner_node_as_a_leaf() -> None:
    # The node over leaves 0 and 1 with the rest of its path: as a leaf of a smaller tree it would lead to the root.
    node, path = TWIN.root(0, 2), TWIN.path(0, 0, 8)[1:]
    root = node
    for sibling in path:
        root = branch_node(root, sibling)
    assert root == TWIN.root(0, 8)
    # A checker takes the message and not its hash, so there is nothing to hand the node in as.
    proof = TWIN.proof(1, [0, 4], path)
    head = TREE.fingerprint(8)
    assert judge(check_inclusion, head, node, relabelled(proof, 0, 4)) == "ProofClaim"
    for envelope in (node, b"\xd2" + node, IDS[0] + IDS[1]):
        assert judge(check_inclusion, head, envelope, prove_inclusion(TREE, 0, 8)) in MALFORMED
    # Where a hash may be given, the number of hashes does not fit the size.
    tree, leaves = realm(8)
    inner = realm_node(leaves[0], leaves[1])
    listed = hazmat.rfc6962_prove_inclusion(tree, 0)
    assert judge(hazmat.rfc6962_check_inclusion, inner, 0, 8, listed[1:], tree.root()) == "ProofForm"
    assert judge(hazmat.rfc6962_check_inclusion, inner, 0, 8, listed, tree.root()) == "ProofRoot"
    # And under a size of the peer's own choice it passes: a bare root binds no size. That is why it is `hazmat`.
    assert judge(hazmat.rfc6962_check_inclusion, inner, 0, 4, listed[1:], tree.root()) == "ok"
    # A record is hashed by the checker, with a leaf's prefix: its children's bytes do not give the node.
    assert judge(
        hazmat.check_record_inclusion, 4, tree.root(), leaves[0] + leaves[1], record_proof(0, 4, listed[1:])
    ) == ("ProofRoot")


MALFORMED = {
    "EnvelopeForm",
    "Truncated",
    "TrailingBytes",
    "TypeForbidden",
    "NotMinimal",
    "IndefiniteLength",
    "DepthLimit",
}
MALFORMED |= {"FloatForbidden", "MapKeyOrder", "MapDuplicateKey", "IntRange", "Utf8Invalid", "ItemForm"}


def realm(size: int) -> tuple[hazmat.RealmTree, list[bytes]]:
    tree = hazmat.RealmTree()
    for i in range(size):
        tree.append(bytes([i]))
    return tree, [hazmat.rfc6962_root([bytes([i])]) for i in range(size)]


def record_proof(index: int, size: int, hashes: list[bytes]) -> bytes:
    return b"a2p\x01\x01\x02" + number(index) + number(size) + b"".join(hashes)


def test_a50_a_leaf_as_an_inner_node() -> None:
    # The head of one message is trusted; the message is shown as the left half of two.
    head = head_of_one(branch_node(IDS[0], IDS[1]))
    assert judge(check_inclusion, head, ENVELOPES[0], TWIN.inclusion(0, 2)) == "ProofClaim"
    assert judge(check_inclusion, head, ENVELOPES[0], relabelled(TWIN.inclusion(0, 2), 0, 1)) == "ProofForm"
    assert judge(check_inclusion, head, ENVELOPES[0], TWIN.proof(1, [0, 1], [])) == "ProofRoot"


def test_a_duplicated_last_leaf_is_another_history() -> None:
    # Trees that double the last leaf of an odd level give 3 leaves and 4 the same root (CVE-2012-2459). This one does not.
    three, four = Accumulator(REALM, CONVERSATION), Accumulator(REALM, CONVERSATION)
    three.extend(IDS[:3])
    four.extend([*IDS[:3], IDS[2]])
    assert three.root() != four.root()
    doubled = TWIN.proof(1, [2, 3], [IDS[2], TWIN.root(0, 2)])
    assert judge(check_inclusion, three.fingerprint(), ENVELOPES[2], doubled) == "ProofForm"
    assert judge(check_inclusion, four.fingerprint(), ENVELOPES[2], prove_inclusion(three, 2)) == "ProofClaim"
    stretched = TWIN.proof(2, [3, 4], [IDS[2], TWIN.root(0, 2)])
    assert judge(check_consistency, three.fingerprint(), four.fingerprint(), stretched) == "ProofForm"


# -- A47, A48: index and size --------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [SIZE, SIZE + 1, (1 << 48) - 1])
def test_a47_an_index_that_is_no_leaf(wrong: int) -> None:
    assert judge(check_inclusion, HEAD, ENVELOPES[4], relabelled(prove_inclusion(TREE, 4), wrong, SIZE)) == "ProofIndex"
    tree, leaves = realm(SIZE)
    for index in (wrong, -1, (1 << 64) - 1, 1 << 64):
        listed = hazmat.rfc6962_prove_inclusion(tree, 4)
        assert judge(hazmat.rfc6962_check_inclusion, leaves[4], index, SIZE, listed, tree.root()) == "ProofIndex"


@pytest.mark.parametrize("index", range(SIZE))
@pytest.mark.parametrize("change", [1, 2, 3, 4, 8])
def test_a47_another_index(index: int, change: int) -> None:
    wrong = index ^ change
    if wrong >= SIZE:
        wanted = {"ProofIndex"}
    else:
        fits = len(TWIN.path(wrong, 0, SIZE)) == len(TWIN.path(index, 0, SIZE))
        wanted = {"ProofRoot" if fits else "ProofForm"}
    assert (
        judge(check_inclusion, HEAD, ENVELOPES[index], relabelled(prove_inclusion(TREE, index), wrong, SIZE)) in wanted
    )


@pytest.mark.parametrize("size", [SIZE * 2, SIZE // 2, SIZE + 1, SIZE - 1, 16, (1 << 48) - 1])
def test_a48_another_size(size: int) -> None:
    honest = prove_inclusion(TREE, 4)
    bad = relabelled(honest, 4, size)
    fits = path_length(4, size) == path_length(4, SIZE)
    # The size in a proof is only compared: it never takes the place of the trusted one.
    assert judge(check_inclusion, HEAD, ENVELOPES[4], bad) == ("ProofClaim" if fits else "ProofForm")
    # Nor does a head that is relabelled accept: the size is bound into the fingerprint.
    relabelled_head = Fingerprint(HEAD.realm, HEAD.conversation, HEAD.branch, size, HEAD.hash)
    assert judge(check_inclusion, relabelled_head, ENVELOPES[4], honest) == "ProofClaim"
    assert judge(check_inclusion, relabelled_head, ENVELOPES[4], bad) == ("ProofRoot" if fits else "ProofForm")


def path_length(index: int, size: int) -> int:
    """How many hashes PATH(index) has (spec proofs.1.3)."""
    low = (index ^ (size - 1)).bit_length()
    return low + (index >> low).bit_count()


def test_a48_a_size_of_nothing() -> None:
    assert judge(check_inclusion, HEAD, ENVELOPES[0], TWIN.proof(1, [0, 0], [])) == "ProofIndex"
    assert judge(check_consistency, HEAD, HEAD, TWIN.proof(2, [0, SIZE], [HEADROOT])) == "ProofIndex"
    assert judge(check_range, HEAD, [], TWIN.proof(3, [0, 0, SIZE], [])) == "ProofIndex"
    assert judge(check_range, HEAD, [], TWIN.proof(3, [3, 3, SIZE], [])) == "ProofIndex"


HEADROOT = TWIN.root(0, SIZE)


def test_an_empty_proof_with_the_root_as_leaf() -> None:
    assert judge(check_inclusion, HEAD, ENVELOPES[0], TWIN.proof(1, [0, SIZE], [])) == "ProofForm"
    assert judge(check_inclusion, HEAD, ENVELOPES[0], TWIN.proof(1, [0, 1], [])) == "ProofClaim"
    assert judge(check_inclusion, HEAD, ENVELOPES[0], b"") == "ProofForm"
    tree, _ = realm(SIZE)
    root = tree.root()
    assert judge(hazmat.rfc6962_check_inclusion, root, 0, SIZE, [], root) == "ProofForm"
    assert judge(hazmat.rfc6962_check_consistency, 3, SIZE, [], root, root) == "ProofForm"
    assert judge(hazmat.check_record_inclusion, SIZE, root, root, record_proof(0, 1, [])) == "ProofClaim"


# -- A49: elements -------------------------------------------------------------------------------------------------


def hashes_of(proof: bytes, numbers: int) -> tuple[bytes, list[bytes]]:
    head, rest = proof[: 6 + 6 * numbers], proof[6 + 6 * numbers :]
    return head, [rest[at : at + 32] for at in range(0, len(rest), 32)]


def variants(hashes: list[bytes], root: bytes) -> Iterator[list[bytes]]:
    """A49: extra, missing, doubled, exchanged, cut and stretched elements."""
    for at in range(len(hashes)):
        yield hashes[:at] + hashes[at + 1 :]
        yield [*hashes[:at], hashes[at], *hashes[at:]]
        yield [*hashes[:at], hashes[at][:31], *hashes[at + 1 :]]
        yield [*hashes[:at], hashes[at] + b"\0", *hashes[at + 1 :]]
        yield [*hashes[:at], b"", *hashes[at + 1 :]]
    for extra in (bytes(32), root, hashes[0], b"\0"):
        yield [*hashes, extra]
        yield [extra, *hashes]
    yield []


def test_a49_elements_of_inclusion() -> None:
    for index in range(SIZE):
        head, hashes = hashes_of(prove_inclusion(TREE, index), 2)
        for bad in variants(hashes, HEADROOT):
            # In one string of bytes an element of 31 bytes and one of 33 make two of 32: then the root is wrong.
            assert judge(check_inclusion, HEAD, ENVELOPES[index], head + b"".join(bad)) == "ProofForm"
        for at in range(len(hashes) - 1):
            exchanged = [*hashes[:at], hashes[at + 1], hashes[at], *hashes[at + 2 :]]
            assert judge(check_inclusion, HEAD, ENVELOPES[index], head + b"".join(exchanged)) == "ProofRoot"


def test_a49_elements_of_consistency_and_ranges() -> None:
    for old in range(1, SIZE):
        head, hashes = hashes_of(prove_consistency(TREE, old), 2)
        for bad in variants(hashes, HEADROOT):
            assert judge(check_consistency, TREE.fingerprint(old), HEAD, head + b"".join(bad)) == "ProofForm"
    for begin in range(1, SIZE):
        head, hashes = hashes_of(prove_range(TREE, begin, SIZE), 3)
        for bad in variants(hashes, HEADROOT):
            assert judge(check_range, HEAD, ENVELOPES[begin:], head + b"".join(bad)) == "ProofForm"


def test_a49_elements_of_lists() -> None:
    tree, leaves = realm(SIZE)
    for index in range(SIZE):
        listed = hazmat.rfc6962_prove_inclusion(tree, index)
        for bad in variants(listed, tree.root()):
            assert judge(hazmat.rfc6962_check_inclusion, leaves[index], index, SIZE, bad, tree.root()) == "ProofForm"
    for old in range(1, SIZE):
        listed = hazmat.rfc6962_prove_consistency(tree, old)
        for bad in variants(listed, tree.root()):
            found = judge(hazmat.rfc6962_check_consistency, old, SIZE, bad, tree.root(old), tree.root())
            assert found == "ProofForm"
        for cut in (0, 8, 16, 31):
            # A44: a prefix of the right root is no root.
            roots = (tree.root(old)[:cut], tree.root()), (tree.root(old), tree.root()[:cut])
            for pair in roots:
                assert judge(hazmat.rfc6962_check_consistency, old, SIZE, listed, *pair) == "ProofForm"
            assert judge(hazmat.rfc6962_check_inclusion, leaves[0][:cut], 0, SIZE, [], tree.root()) == "ProofForm"
        stretched = tree.root() + b"\0"
        assert judge(hazmat.rfc6962_check_consistency, old, SIZE, listed, tree.root(old), stretched) == "ProofForm"


# -- A51: consistency ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("old", range(1, SIZE))
def test_a51_an_old_history_that_is_no_prefix(old: int) -> None:
    proof = prove_consistency(TREE, old)
    other = Accumulator(REALM, CONVERSATION)
    other.extend([*IDS[: old - 1], IDS[-1]])
    # The new head is true and the proof is honest: all that is wrong is the old head, a power of two or not.
    assert judge(check_consistency, other.fingerprint(), HEAD, proof) == "ConsistencyRoot"
    for at in (0, 7, 31):
        changed = bytearray(bytes(TREE.fingerprint(old).hash))
        changed[at] ^= 1
        wrong = Fingerprint(HEAD.realm, HEAD.conversation, HEAD.branch, old, Id(bytes(changed)))
        assert judge(check_consistency, wrong, HEAD, proof) == "ConsistencyRoot"
        # And the other way round.
        changed = bytearray(bytes(HEAD.hash))
        changed[at] ^= 1
        wrong = Fingerprint(HEAD.realm, HEAD.conversation, HEAD.branch, SIZE, Id(bytes(changed)))
        assert judge(check_consistency, TREE.fingerprint(old), wrong, proof) == "ProofRoot"
    other.extend([bytes([9]) * 32] * (SIZE - old))
    assert judge(check_consistency, TREE.fingerprint(old), other.fingerprint(), proof) == "ProofRoot"


@pytest.mark.parametrize("old", range(1, SIZE))
def test_a51_lists_with_a_wrong_old_root(old: int) -> None:
    tree, _ = realm(SIZE)
    listed = hazmat.rfc6962_prove_consistency(tree, old)
    # Where the old tree is complete its root is the seed itself, so that a wrong one leads to another new root.
    wanted = "ProofRoot" if old & (old - 1) == 0 else "ConsistencyRoot"
    for wrong in (bytes(32), tree.root(), tree.root(old)[:31] + bytes([tree.root(old)[31] ^ 1])):
        assert judge(hazmat.rfc6962_check_consistency, old, SIZE, listed, wrong, tree.root()) == wanted
    assert judge(hazmat.rfc6962_check_consistency, old, SIZE, listed, tree.root(old), bytes(32)) == "ProofRoot"


def test_a51_sizes_that_say_nothing() -> None:
    for numbers in ([SIZE, SIZE], [SIZE, 4], [0, SIZE], [0, 0]):
        for hashes in ([], [HEADROOT]):
            assert judge(check_consistency, HEAD, HEAD, TWIN.proof(2, numbers, hashes)) == "ProofIndex"
    honest = prove_consistency(TREE, 4)
    assert judge(check_consistency, HEAD, TREE.fingerprint(4), honest) == "ProofClaim"
    assert judge(check_consistency, HEAD, HEAD, honest) == "ProofClaim"
    assert judge(check_consistency, TREE.fingerprint(5), HEAD, honest) == "ProofClaim"


def test_a_linear_history_is_not_this_tree() -> None:
    # A chain of hashes over the same messages, and a tree that hangs the other way round, are other histories.
    chain = IDS[0]
    for each in IDS[1:]:
        chain = branch_node(chain, each)
    assert chain != HEADROOT
    path = IDS[1:][: len(TWIN.path(0, 0, SIZE))]
    assert judge(check_inclusion, HEAD, ENVELOPES[0], TWIN.proof(1, [0, SIZE], path)) == "ProofRoot"
    assert judge(check_inclusion, HEAD, ENVELOPES[0], TWIN.proof(1, [0, SIZE], IDS[1:])) == "ProofForm"
    assert (
        judge(check_inclusion, HEAD, ENVELOPES[0], TWIN.proof(1, [0, SIZE], TWIN.path(0, 0, SIZE)[::-1])) == "ProofRoot"
    )


# -- other places --------------------------------------------------------------------------------------------------


def test_a_proof_of_a_sibling_branch() -> None:
    left, right = TREE.fork(6), TREE.fork(6)
    mine, theirs = message(700), message(701)
    left.append(parse(mine).id)
    right.append(parse(theirs).id)
    ours, others = left.fingerprint(), right.fingerprint()
    assert judge(check_inclusion, others, mine, prove_inclusion(left, 6)) == "ProofRoot"
    assert judge(check_inclusion, others, mine, prove_inclusion(right, 6)) == "ProofRoot"
    assert judge(check_inclusion, ours, mine, prove_inclusion(left, 6)) == "ok"
    # What both inherit is in both, and each proof serves its own head alone.
    assert judge(check_inclusion, ours, ENVELOPES[3], prove_inclusion(left, 3)) == "ok"
    assert judge(check_inclusion, ours, ENVELOPES[3], prove_inclusion(right, 3)) == "ProofRoot"
    # Neither extends the other; both extend the point where they part.
    left.append(bytes(32))
    assert judge(check_consistency, others, left.fingerprint(), prove_consistency(left, 7)) == "ConsistencyRoot"
    assert judge(check_consistency, TREE.fingerprint(6), others, prove_consistency(right, 6)) == "ok"
    # An ancestor is looked for in the branch and its merges, not beside it.
    assert judge(check_ancestry, others, mine, prove_ancestry(left, 6, 7)) == "AncestryRoot"


@pytest.mark.parametrize("which", ["realm", "conversation", "branch"])
def test_a_proof_of_another_realm_conversation_or_branch(which: str) -> None:
    names = {name: getattr(HEAD, name) for name in ("realm", "conversation", "branch")} | {which: Id(bytes([7]) * 32)}
    other = Fingerprint(names["realm"], names["conversation"], names["branch"], HEAD.size, HEAD.hash)
    assert judge(check_inclusion, other, ENVELOPES[4], prove_inclusion(TREE, 4)) == "ProofRoot"
    assert judge(check_range, other, ENVELOPES[4:6], prove_range(TREE, 4, 6)) == "ProofRoot"
    assert judge(check_ancestry, other, ENVELOPES[4], prove_ancestry(TREE, 4)) == "AncestryRoot"
    wanted = "ProofRoot" if which == "branch" else "ProofClaim"
    assert judge(check_consistency, TREE.fingerprint(4), other, prove_consistency(TREE, 4)) == wanted


def test_the_realm_trees_proof_for_a_branch() -> None:
    tree, _ = realm(SIZE)
    assert judge(check_inclusion, HEAD, ENVELOPES[4], hazmat.prove_record_inclusion(tree, 4)) == "ProofClaim"
    assert judge(check_consistency, TREE.fingerprint(4), HEAD, hazmat.prove_record_consistency(tree, 4)) == "ProofClaim"
    proof = prove_inclusion(TREE, 4)
    assert judge(hazmat.check_record_inclusion, SIZE, tree.root(), b"\x04", proof) == "ProofClaim"
    assert (
        judge(hazmat.check_record_inclusion, SIZE, tree.root(), b"\x04", proof[:5] + b"\x02" + proof[6:]) == "ProofRoot"
    )


def test_another_type_of_proof() -> None:
    proofs = {
        check_inclusion: prove_inclusion(TREE, 4),
        check_range: prove_range(TREE, 4, 5),
        check_ancestry: prove_ancestry(TREE, 4),
    }
    consistency = prove_consistency(TREE, 4)
    for check in proofs:
        leaf = [ENVELOPES[4]] if check is check_range else ENVELOPES[4]
        for made_for, proof in proofs.items():
            assert judge(check, HEAD, leaf, proof) == ("ok" if check is made_for else "ProofClaim")
            assert judge(check_consistency, TREE.fingerprint(4), HEAD, proof) == "ProofClaim"
        assert judge(check, HEAD, leaf, consistency) == "ProofClaim"


def test_what_is_too_long_or_of_a_later_version() -> None:
    honest = prove_inclusion(TREE, 4)
    longest = honest + bytes(limits.MAX_PROOF - len(honest))
    assert judge(check_inclusion, HEAD, ENVELOPES[4], longest) == "ProofForm"
    assert judge(check_inclusion, HEAD, ENVELOPES[4], longest + b"\0") == "SizeLimit"
    assert judge(check_inclusion, HEAD, ENVELOPES[4], honest[:3] + b"\x02" + honest[4:]) == "ProofVersion"
    assert judge(check_inclusion, HEAD, ENVELOPES[4], b"a2q" + honest[3:]) == "ProofForm"
