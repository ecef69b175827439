"""The reference's proofs: each one against the definition, each one broken, and the constants that both implementations make."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ama2sec.errors import Ama2Error
from ama2sec.limits import MAX_EXHIBIT, MAX_PROOF
from ama2sec.reference import (
    Extended,
    Fingerprint,
    Leaves,
    Step,
    Unchanged,
    check_ancestry,
    check_consistency,
    check_exhibit,
    check_inclusion,
    check_range,
    compare_heads,
    encode,
    fingerprint,
    parse,
    prove_ancestry,
    prove_consistency,
    prove_inclusion,
    prove_range,
    read_proof,
    rfc6962_check_consistency,
    rfc6962_check_inclusion,
    rfc6962_leaf,
)
from ama2sec.reference.proof_form import BRANCH, REALM
from ama2sec.reference.proofs import check_realm_consistency, check_record_inclusion
from ama2sec.reference.tree import rfc6962_node
from tests.naive_tree import Naive, accumulated_by, branch_node, leaf, relabelled
from tests.world import ZEROS, Talk, directory, entry, message_claims, signed

VECTORS = Path(__file__).parents[1] / "vectors" / "proofs.json"
SCOPE = (b"r" * 32, b"c" * 32, b"b" * 32)
ENVELOPES = [signed(message_claims(c9=[7, number])) for number in range(40)]
IDS = [parse(envelope).message_id for envelope in ENVELOPES]
NAIVE = Naive(BRANCH, IDS.__getitem__)


def code_of(call: Any, *given: Any, **named: Any) -> str:
    try:
        call(*given, **named)
    except Ama2Error as fault:
        return fault.code
    return "ok"


def trusted(size: int, ids: list[bytes] = IDS, scope: tuple[bytes, bytes, bytes] = SCOPE) -> Fingerprint:
    root = Naive(BRANCH, ids.__getitem__).root(0, size)
    return Fingerprint(*scope, size, fingerprint(*scope, size, root))


HEADS = [trusted(size) for size in range(1, 41)]
HEADS.insert(0, HEADS[0])  # no history has size 0; HEADS[n] is the head of size n


# -- against the definition ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tree", [BRANCH, REALM])
def test_every_proof_up_to_forty_leaves_is_the_definitions(tree: int) -> None:
    leaves, naive = Leaves([leaf(i) for i in range(40)], tree), Naive(tree, leaf)
    for size in range(1, 41):
        for index in range(size):
            assert prove_inclusion(leaves, index, size) == naive.inclusion(index, size)
            if index:
                assert prove_consistency(leaves, index, size) == naive.consistency(index, size)
            for end in range(index + 1, size + 1):
                assert prove_range(leaves, index, end, size) == naive.range(index, end, size)


@dataclass
class Same:
    """A tree of any size whose leaves are all equal."""

    tree: int
    size: int = 1 << 48
    roots: dict[int, bytes] = field(default_factory=dict)

    def root(self, begin: int, end: int) -> bytes:
        count = end - begin
        if count == 1:
            return leaf(0)
        if count not in self.roots:
            k = 1 << (count - 1).bit_length() - 1
            node = branch_node if self.tree == BRANCH else rfc6962_node
            self.roots[count] = node(self.root(0, k), self.root(0, count - k))
        return self.roots[count]


@dataclass
class Reference:
    """The reference as a prover."""

    leaves: Any

    def inclusion(self, index: int, size: int) -> bytes:
        return prove_inclusion(self.leaves, index, size)

    def consistency(self, old: int, new: int) -> bytes:
        return prove_consistency(self.leaves, old, new)

    def range(self, begin: int, end: int, size: int) -> bytes:
        return prove_range(self.leaves, begin, end, size)


@pytest.mark.parametrize(("name", "tree"), [("branch", BRANCH), ("realm", REALM)])
def test_the_constants_over_all_proofs(name: str, tree: int) -> None:
    small = Reference(Leaves([leaf(i) for i in range(130)], tree))
    pinned = json.loads(VECTORS.read_text(encoding="utf-8"))["accumulated"][name]
    assert accumulated_by(small, Reference(Same(tree))) == pinned


def ones(number: int) -> int:
    return number.bit_count()


def test_the_number_of_hashes_is_the_one_of_the_spec() -> None:
    def path(i: int, n: int) -> int:
        x = (i ^ (n - 1)).bit_length()
        return x + ones(i >> x)

    leaves = Same(BRANCH)
    for n in (*range(1, 41), 2**47 - 1, 2**47, 2**47 + 1, 2**48 - 1):
        for i in {0, 1, n // 3, n // 2, n - 2, n - 1} & set(range(min(n, 41))) | {n - 1, n // 2}:
            assert len(prove_inclusion(leaves, i, n)) == 18 + 32 * path(i, n)
            if 0 < i < n:
                zeros = (i & -i).bit_length() - 1
                assert len(prove_consistency(leaves, i, n)) == 18 + 32 * (1 + path(i - 1, n) - zeros)
            end = (i + n + 1) // 2
            if i < end:
                count = ones(i) + path(end - 1, n) - ones(end - 1)
                assert len(prove_range(leaves, i, end, n)) == 24 + 32 * count


# -- each proof checks, and under no other numbers -----------------------------------------------------------------


def test_inclusion_to_forty_and_every_other_label() -> None:
    for size in range(1, 41):
        for index in range(size):
            proof = NAIVE.inclusion(index, size)
            found = check_inclusion(HEADS[size], ENVELOPES[index], proof)
            assert (found.message_id, found.index, found.fingerprint) == (IDS[index], index, HEADS[size])
            for other in {0, index - 1, index + 1, size - 1} & set(range(size)) - {index}:
                assert code_of(check_inclusion, HEADS[size], ENVELOPES[other], proof) == "ProofRoot"
                label = code_of(check_inclusion, HEADS[size], ENVELOPES[index], relabelled(proof, other, size))
                assert label in {"ProofForm", "ProofRoot"}
            for other in {size - 1, size + 1} & set(range(index + 1, 41)):
                moved = relabelled(proof, index, other)
                assert code_of(check_inclusion, HEADS[other], ENVELOPES[index], moved) in {"ProofForm", "ProofRoot"}
                assert code_of(check_inclusion, HEADS[other], ENVELOPES[index], proof) == "ProofClaim"


def test_consistency_to_forty_and_every_other_label() -> None:
    for new in range(2, 41):
        for old in range(1, new):
            proof = NAIVE.consistency(old, new)
            assert check_consistency(HEADS[old], HEADS[new], proof) == Extended(HEADS[old], HEADS[new])
            for other in {old - 1, old + 1} & set(range(1, new)):
                moved = relabelled(proof, other, new)
                assert code_of(check_consistency, HEADS[other], HEADS[new], moved) in {
                    "ProofForm",
                    "ProofRoot",
                    "ConsistencyRoot",
                }
            for other in {new - 1, new + 1} & set(range(old + 1, 41)):
                moved = relabelled(proof, old, other)
                assert code_of(check_consistency, HEADS[old], HEADS[other], moved) in {"ProofForm", "ProofRoot"}
            wrong = Fingerprint(*SCOPE, old, b"w" * 32)
            assert code_of(check_consistency, wrong, HEADS[new], proof) == "ConsistencyRoot"
            assert code_of(check_consistency, HEADS[old], Fingerprint(*SCOPE, new, b"w" * 32), proof) == "ProofRoot"


def test_ranges_to_twenty() -> None:
    for size in range(1, 21):
        for begin in range(size):
            for end in range(begin + 1, size + 1):
                proof = NAIVE.range(begin, end, size)
                found = check_range(HEADS[size], ENVELOPES[begin:end], proof)
                assert (found.begin, found.message_ids) == (begin, IDS[begin:end])
                assert code_of(check_range, HEADS[size], ENVELOPES[begin:end][1:], proof) == "ArgumentRange"
                swapped = [ENVELOPES[39], *ENVELOPES[begin + 1 : end]]
                assert code_of(check_range, HEADS[size], swapped, proof) == "ProofRoot"


def test_every_flipped_byte() -> None:
    cases = [
        (NAIVE.inclusion(4, 11), lambda proof: check_inclusion(HEADS[11], ENVELOPES[4], proof)),
        (NAIVE.consistency(6, 11), lambda proof: check_consistency(HEADS[6], HEADS[11], proof)),
        (NAIVE.range(3, 7, 11), lambda proof: check_range(HEADS[11], ENVELOPES[3:7], proof)),
    ]
    for proof, check in cases:
        check(proof)
        for at in range(len(proof)):
            assert code_of(check, proof[:at]) == "ProofForm"
            for bit in range(8):
                broken = proof[:at] + bytes([proof[at] ^ 1 << bit]) + proof[at + 1 :]
                assert code_of(check, broken) != "ok", (at, bit)
        assert code_of(check, proof + b"\0") == "ProofForm"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (bytes(MAX_PROOF + 1), "SizeLimit"),
        (b"", "ProofForm"),
        (b"a2", "ProofForm"),
        (b"a2r\x01", "ProofForm"),
        (b"a2p", "ProofForm"),
        (b"a2p\x02", "ProofVersion"),
        (b"a2p\x00\x09", "ProofVersion"),
        (b"a2p\x01\x00\x01", "ProofForm"),
        (b"a2p\x01\x05\x01", "ProofForm"),
        (b"a2p\x01\x01\x03", "ProofForm"),
        (b"a2p\x01\x04\x02", "ProofForm"),
        (b"a2p\x01\x01\x01" + bytes(11), "ProofForm"),
        (b"a2p\x01\x01\x01" + bytes(12), "ProofIndex"),
        (b"a2p\x01\x01\x01" + bytes(5) + b"\x01" + bytes(5) + b"\x01", "ProofIndex"),
        (b"a2p\x01\x02\x01" + bytes(11) + b"\x01", "ProofIndex"),
        (b"a2p\x01\x02\x01" + bytes(5) + b"\x02" + bytes(5) + b"\x02", "ProofIndex"),
        (b"a2p\x01\x03\x01" + bytes(11) + b"\x02" + bytes(5) + b"\x01", "ProofIndex"),
        (b"a2p\x01\x03\x02" + bytes(17) + b"\x01", "ProofIndex"),
        (b"a2p\x01\x04\x01\x00", "ProofForm"),
        (b"a2p\x01\x04\x01\x21", "ProofForm"),
        (b"a2p\x01\x04\x01\x02" + bytes(12), "ProofIndex"),
    ],
)
def test_the_order_of_a_proofs_form(data: bytes, code: str) -> None:
    assert code_of(read_proof, data) == code


def test_another_claim_than_the_one_asked() -> None:
    inclusion, ranged = NAIVE.inclusion(4, 11), NAIVE.range(4, 5, 11)
    realm = inclusion[:5] + b"\x02" + inclusion[6:]
    assert code_of(check_inclusion, HEADS[11], ENVELOPES[4], ranged) == "ProofClaim"
    assert code_of(check_inclusion, HEADS[11], ENVELOPES[4], realm) == "ProofClaim"
    assert code_of(check_inclusion, HEADS[11], b"not looked at", ranged) == "ProofClaim"
    assert code_of(check_range, HEADS[11], [], inclusion) == "ProofClaim"
    assert code_of(check_consistency, HEADS[4], HEADS[11], inclusion) == "ProofClaim"
    assert code_of(check_ancestry, HEADS[11], ENVELOPES[4], inclusion) == "ProofClaim"
    elsewhere = trusted(4, scope=(SCOPE[0], b"d" * 32, SCOPE[2]))
    assert code_of(check_consistency, elsewhere, HEADS[11], NAIVE.consistency(4, 11)) == "ProofClaim"
    assert code_of(check_consistency, elsewhere, HEADS[11], b"") == "ProofForm"
    assert code_of(check_inclusion, HEADS[11], b"", inclusion) == "Truncated"
    assert code_of(check_inclusion, HEADS[11], b"\x83\x00", inclusion) == "Truncated"
    assert check_inclusion(HEADS[11], entry(ENVELOPES[4]), inclusion).index == 4


def test_what_cannot_be_proved_is_the_callers_fault() -> None:
    leaves = Leaves(IDS)
    for given in ((-1, 3), (3, 3), (40,), (0, 41), (0, 0)):
        assert code_of(prove_inclusion, leaves, *given) == "ArgumentRange"
    for given in ((0,), (40,), (41,), (3, 41), (4, 3)):
        assert code_of(prove_consistency, leaves, *given) == "ArgumentRange"
    for given in ((0, 0), (4, 4), (5, 4), (0, 41), (-1, 4), (0, 4, 3)):
        assert code_of(prove_range, leaves, *given) == "ArgumentRange"


def test_heads_are_compared() -> None:
    proof = NAIVE.consistency(4, 9)
    assert compare_heads(HEADS[4], HEADS[9], proof) == Extended(HEADS[4], HEADS[9])
    assert compare_heads(HEADS[9], HEADS[9]) == Unchanged(HEADS[9])
    assert code_of(compare_heads, HEADS[9], HEADS[9], b"") == "ProofClaim"
    assert code_of(compare_heads, HEADS[9], trusted(9, IDS[1:])) == "HeadForked"
    assert code_of(compare_heads, HEADS[9], trusted(9, scope=(*SCOPE[:2], b"x" * 32))) == "HeadForked"
    assert code_of(compare_heads, HEADS[9], HEADS[4], b"") == "HeadStale"
    assert code_of(compare_heads, HEADS[4], HEADS[9]) == "NeedsProof"
    assert code_of(compare_heads, HEADS[4], trusted(9, scope=(ZEROS, *SCOPE[1:]))) == "ProofClaim"


# -- ancestry ------------------------------------------------------------------------------------------------------

MAIN, SIDE = (*SCOPE[:2], b"m" * 32), (*SCOPE[:2], b"s" * 32)


@dataclass
class Merged:
    """A main branch of nine, whose leaf 6 merges a side branch of five, whose leaf 3 merges a third of two."""

    third: list[bytes] = field(default_factory=lambda: ENVELOPES[:2])
    side: list[bytes] = field(default_factory=list)
    main: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        third = trusted(2, scope=SCOPE)
        self.side = [*ENVELOPES[10:13], self.merging(SCOPE[2], third), ENVELOPES[14]]
        side = trusted(5, self.ids(self.side), SIDE)
        self.main = [*ENVELOPES[20:26], self.merging(SIDE[2], side), *ENVELOPES[27:29]]

    @staticmethod
    def ids(envelopes: list[bytes]) -> list[bytes]:
        return [parse(envelope).message_id for envelope in envelopes]

    @staticmethod
    def merging(branch: bytes, head: Fingerprint, **changes: Any) -> bytes:
        merges = [[b"a" * 32, 1, b"z" * 32], [branch, head.size, head.value]]
        path = {"c1": SCOPE[0], "c5": [1, b"f" * 32, 1, b"f" * 32], "c6": [b"x" * 32, b"p" * 32, merges]}
        return signed(message_claims(**(path | changes)))

    def steps(self) -> list[Step]:
        return [
            Step(Leaves(self.ids(self.main)), 6, 9, parse(self.main[6]), 1),
            Step(Leaves(self.ids(self.side)), 3, 5, parse(self.side[3]), 1),
            Step(Leaves(self.ids(self.third)), 1, 2),
        ]

    def head(self) -> Fingerprint:
        return trusted(9, self.ids(self.main), MAIN)


def test_ancestry_through_two_merges() -> None:
    world = Merged()
    proof = prove_ancestry(world.steps())
    found = check_ancestry(world.head(), ENVELOPES[1], proof)
    assert (found.message_id, found.index, found.trusted, found.head) == (IDS[1], 1, world.head(), trusted(2))
    assert found.via == [parse(world.main[6]).message_id, parse(world.side[3]).message_id]
    assert code_of(check_ancestry, world.head(), ENVELOPES[0], proof) == "AncestryRoot"
    assert code_of(check_ancestry, trusted(9), ENVELOPES[1], proof) == "AncestryRoot"
    assert code_of(check_ancestry, trusted(8), ENVELOPES[1], proof) == "ProofClaim"
    one = prove_ancestry(world.steps()[2:])
    assert check_ancestry(trusted(2), ENVELOPES[1], one).via == []
    assert code_of(check_ancestry, trusted(2), ENVELOPES[0], one) == "AncestryRoot"
    head = world.head()
    for at in range(len(proof)):
        broken = proof[:at] + bytes([proof[at] ^ 1]) + proof[at + 1 :]
        assert code_of(check_ancestry, head, ENVELOPES[1], broken) != "ok", at
        assert code_of(check_ancestry, head, ENVELOPES[1], proof[:at]) == "ProofForm"


@pytest.mark.parametrize(
    ("step", "code"),
    [({"merge": 2}, "AncestryRoot"), ({"merge": 0}, "AncestryRoot"), ({"merge": 256}, "ArgumentRange")],
)
def test_the_place_of_a_merge(step: dict[str, Any], code: str) -> None:
    world = Merged()
    first, *rest = world.steps()
    changed = Step(first.leaves, first.index, first.size, first.envelope, **step)
    assert code_of(lambda: check_ancestry(world.head(), ENVELOPES[1], prove_ancestry([changed, *rest]))) == code


def test_a_merge_of_another_conversation_leads_nowhere() -> None:
    world = Merged()
    world.main[6] = world.merging(SIDE[2], trusted(5, world.ids(world.side), SIDE), c2=b"d" * 32)
    assert code_of(check_ancestry, world.head(), ENVELOPES[1], prove_ancestry(world.steps())) == "AncestryRoot"


def test_claims_in_an_ancestry_are_judged_like_any_others() -> None:
    world = Merged()
    proof = prove_ancestry(world.steps())
    payload = parse(world.main[6]).payload
    at = proof.index(payload)
    for change, code in ((b"\x80", "ClaimType"), (b"", "Truncated"), (payload + b"\0", "TrailingBytes")):
        changed = proof[: at - 2] + len(change).to_bytes(2, "big") + change + proof[at + len(payload) :]
        assert code_of(check_ancestry, world.head(), ENVELOPES[1], changed) == code


# -- exhibits ------------------------------------------------------------------------------------------------------


def exhibit(talk: Talk, index: int = 1, **changes: Any) -> bytes:
    ids = [each.message_id for each in talk.envelopes]
    parts = {
        "tag": "ama2sec-exhibit",
        "version": 1,
        "head": [ZEROS, talk.id, talk.id, len(ids), talk.prints[-1]],
        "entry": [1, talk.envelopes[index].data, None],
        "proof": prove_inclusion(Leaves(ids), index),
    }
    return encode(list((parts | changes).values()))


def test_an_exhibit_alone_with_a_head_and_with_keys() -> None:
    talk = Talk.opened().say("bob").say("alice")
    data, head = exhibit(talk), f"3:{talk.prints[3].hex()}"
    alone = check_exhibit(data)
    assert (alone.included.index, alone.head_retained, alone.verified) == (1, False, None)
    full = check_exhibit(data, head=head, directory=directory())
    assert full.head_retained
    assert full.verified is not None
    assert full.verified.sender.name == "bob"
    assert code_of(check_exhibit, data, head=f"4:{'00' * 32}") == "HeadStale"
    assert code_of(check_exhibit, data, head=f"2:{'00' * 32}") == "HeadForked"
    assert code_of(check_exhibit, data, head=f"3:{'00' * 32}") == "HeadForked"
    assert code_of(check_exhibit, data, head="3") == "HeadForm"
    assert code_of(check_exhibit, exhibit(talk, entry=[2, b"", None])) == "ItemForm"
    assert code_of(check_exhibit, exhibit(talk, 2, proof=prove_inclusion(Leaves([ZEROS] * 3), 2))) == "ProofRoot"
    assert code_of(check_exhibit, exhibit(talk, proof=b"")) == "ProofForm"
    forged = talk.envelopes[1].data[:-1] + bytes([talk.envelopes[1].data[-1] ^ 1])
    assert code_of(check_exhibit, exhibit(talk, entry=[1, forged, None])) == "ok"
    assert code_of(check_exhibit, exhibit(talk, entry=[1, forged, None]), directory=directory()) != "ok"


@pytest.mark.parametrize(
    "change",
    [
        {"tag": "ama2sec-exhibits"},
        {"version": 2},
        {"version": True},
        {"head": []},
        {"head": [ZEROS, ZEROS, ZEROS, 0, ZEROS]},
        {"head": [ZEROS, ZEROS, ZEROS, 1 << 48, ZEROS]},
        {"head": [ZEROS, ZEROS, ZEROS, 1, b""]},
        {"entry": [1, b""]},
        {"entry": None},
        {"proof": None},
        {"more": 1},
    ],
)
def test_the_form_of_an_exhibit(change: dict[str, Any]) -> None:
    assert code_of(check_exhibit, exhibit(Talk.opened().say("bob"), **change)) == "ExhibitForm"


def test_bytes_that_are_no_exhibit() -> None:
    data = exhibit(Talk.opened().say("bob"))
    assert code_of(check_exhibit, bytes(MAX_EXHIBIT + 1)) == "SizeLimit"
    for each in (b"", data[:-1], data + b"\0", b"\x9f\xff"):
        assert code_of(check_exhibit, each) == "ExhibitForm"


# -- SHA-256 -------------------------------------------------------------------------------------------------------

HASHES = [rfc6962_leaf(bytes([i])) for i in range(20)]
SHA = Naive(REALM, HASHES.__getitem__)


def test_lists_of_hashes_to_twenty() -> None:
    for size in range(1, 21):
        root = SHA.root(0, size)
        for index in range(size):
            path = SHA.path(index, 0, size)
            rfc6962_check_inclusion(leaf_hash=HASHES[index], index=index, size=size, proof=path, root=root)
            assert code_of(rfc6962_check_inclusion, HASHES[index], index, size, path, ZEROS) == "ProofRoot"
            assert code_of(rfc6962_check_inclusion, HASHES[index], index, size, [*path, ZEROS], root) == "ProofForm"
            if index:
                proof, old_root = SHA.subproof(index, 0, size), SHA.root(0, index)
                complete = index & (index - 1) == 0
                proof = proof[1:] if complete else proof
                named: dict[str, Any] = {"old_size": index, "new_size": size, "proof": proof, "new_root": root}
                rfc6962_check_consistency(**named, old_root=old_root)
                wrong = "ProofRoot" if complete else "ConsistencyRoot"
                assert code_of(rfc6962_check_consistency, **named, old_root=ZEROS) == wrong
                assert (
                    code_of(rfc6962_check_consistency, **named | {"new_root": ZEROS}, old_root=old_root) == "ProofRoot"
                )


def test_the_numbers_and_the_lengths_of_lists() -> None:
    for index, size in ((-1, 3), (3, 3), (0, 1 << 48), (1 << 70, 1 << 71)):
        assert code_of(rfc6962_check_inclusion, ZEROS, index, size, [b""], ZEROS) == "ProofIndex"
    for old, new in ((0, 1), (1, 1), (2, 1), (1, 1 << 48), (-1, 1)):
        assert code_of(rfc6962_check_consistency, old, new, [b""], ZEROS, ZEROS) == "ProofIndex"
    good = (HASHES[0], 0, 2, [HASHES[1]], SHA.root(0, 2))
    assert code_of(rfc6962_check_inclusion, *good) == "ok"
    for place, value in ((0, b"short"), (3, [b"short"]), (4, bytes(33))):
        changed: list[Any] = list(good)
        changed[place] = value
        assert code_of(rfc6962_check_inclusion, *changed) == "ProofForm"
    assert code_of(rfc6962_check_inclusion, bytearray(32), 0, 1, [], ZEROS) == "NotBytes"
    assert code_of(rfc6962_check_inclusion, ZEROS, False, 1, [], ZEROS) == "ArgumentType"


def test_records_and_realm_trees() -> None:
    leaves = Leaves(HASHES, REALM)
    root, proof = SHA.root(0, 20), prove_inclusion(leaves, 7)
    check_record_inclusion(b"\x07", 7, 20, root, proof)
    assert code_of(check_record_inclusion, b"\x08", 7, 20, root, proof) == "ProofRoot"
    assert code_of(check_record_inclusion, b"\x07", 8, 20, root, proof) == "ProofClaim"
    assert code_of(check_record_inclusion, b"\x07", 7, 21, root, proof) == "ProofClaim"
    grown, old = prove_consistency(leaves, 8), SHA.root(0, 8)
    check_realm_consistency(8, old, 20, root, grown)
    assert code_of(check_realm_consistency, 8, ZEROS, 20, root, grown) == "ConsistencyRoot"
    assert code_of(check_realm_consistency, 8, old, 20, ZEROS, grown) == "ProofRoot"
    assert code_of(check_realm_consistency, 7, old, 20, root, grown) == "ProofClaim"
