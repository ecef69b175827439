"""Proofs from Python: against the naive recursions, with every kind of argument, and what the results are (spec proofs)."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

import ama2sec
from ama2sec import (
    Accumulator,
    Ama2Error,
    Ancestor,
    Directory,
    Extended,
    Fingerprint,
    Hop,
    Id,
    Identity,
    Included,
    RangeIncluded,
    Unchanged,
    check_ancestry,
    check_consistency,
    check_inclusion,
    check_range,
    compare_heads,
    hazmat,
    inspect_proof,
    limits,
    parse,
    prove_ancestry,
    prove_consistency,
    prove_inclusion,
    prove_range,
    verify,
)
from tests.naive_tree import Naive, accumulated
from tests.proof_world import CONVERSATION, REALM, message, messages, same_ids

VECTORS = Path(__file__).parents[1] / "vectors" / "proofs.json"


def code(call: Callable[..., object], *arguments: object, **named: object) -> str:
    with pytest.raises(Ama2Error) as caught:
        call(*arguments, **named)
    return caught.value.code


# -- against the twin ----------------------------------------------------------------------------------------------


def test_the_twin_makes_the_pinned_hashes() -> None:
    pinned = json.loads(VECTORS.read_text())["accumulated"]
    assert pinned == {"branch": accumulated(1), "realm": accumulated(2)}


def test_every_proof_of_a_branch_to_130() -> None:
    envelopes = messages(130)
    ids = [parse(envelope).id for envelope in envelopes]
    read = [parse(envelope) for envelope in envelopes]
    twin = Naive(1, lambda i: bytes(ids[i]))
    tree = Accumulator(REALM, CONVERSATION)
    tree.extend(ids)
    heads = [None, *(tree.fingerprint(n) for n in range(1, 131))]
    for n in range(1, 131):
        head = heads[n]
        assert head is not None
        for index in range(n):
            proof = prove_inclusion(tree, index, n)
            assert proof == twin.inclusion(index, n)
            found = check_inclusion(head, read[index], proof)
            assert (found.id, found.index, found.fingerprint) == (ids[index], index, head)
        for old in range(1, n):
            proof = prove_consistency(tree, old, n)
            assert proof == twin.consistency(old, n)
            before = heads[old]
            assert before is not None
            extended = check_consistency(before, head, proof)
            assert (extended.old, extended.new) == (before, head)
        for begin in range(n if n <= 40 else 0):
            for end in range(begin + 1, n + 1):
                proof = prove_range(tree, begin, end, n)
                assert proof == twin.range(begin, end, n)
                span = check_range(head, read[begin:end], proof)
                assert (span.begin, span.ids, span.fingerprint) == (begin, ids[begin:end], head)
                assert span.peaks == (tree.range(n) if end == n else None)


def test_every_proof_of_the_realm_tree_to_70() -> None:
    records = [bytes([i]) * i for i in range(70)]
    tree = hazmat.RealmTree()
    for record in records:
        tree.append(record)
    leaves = [hazmat.rfc6962_root([record]) for record in records]
    twin = Naive(2, lambda i: leaves[i])
    for n in range(1, 71):
        root = tree.root(n)
        assert root == twin.root(0, n)
        for index in range(n):
            proof = hazmat.prove_record_inclusion(tree, index, n)
            assert proof == twin.inclusion(index, n)
            found = hazmat.check_record_inclusion(n, root, records[index], proof)
            assert (found.leaf_hash, found.index, found.head) == (leaves[index], index, (n, root))
            listed = hazmat.rfc6962_prove_inclusion(tree, index, n)
            assert listed == twin.path(index, 0, n)
            other = hazmat.rfc6962_check_inclusion(leaves[index], index, n, listed, root)
            assert (other.leaf_hash, other.index, other.head) == (leaves[index], index, (n, root))
        for old in range(1, n):
            proof = hazmat.prove_record_consistency(tree, old, n)
            assert proof == twin.consistency(old, n)
            extended = hazmat.check_record_consistency(old, tree.root(old), n, root, proof)
            assert (extended.old, extended.new) == ((old, tree.root(old)), (n, root))
            listed = hazmat.rfc6962_prove_consistency(tree, old, n)
            assert listed == twin.subproof(old, 0, n)[0 if old & (old - 1) else 1 :]
            named = {"old_root": tree.root(old), "new_root": root}
            extended = hazmat.rfc6962_check_consistency(old_size=old, new_size=n, proof=listed, **named)
            assert (extended.old, extended.new) == ((old, tree.root(old)), (n, root))
        for begin in range(0, n, 3):
            proof = hazmat.prove_record_range(tree, begin, n, n)
            assert proof == twin.range(begin, n, n)
            span = hazmat.check_record_range(n, root, records[begin:n], proof)
            assert (span.begin, span.leaf_hashes, span.head) == (begin, leaves[begin:n], (n, root))
            assert span.peaks == twin.peaks(n)


def test_the_published_lists_of_certificate_transparency() -> None:
    leaves = [
        b"",
        b"\0",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        bytes(range(0x50, 0x58)),
        bytes(range(0x60, 0x70)),
    ]
    tree = hazmat.RealmTree()
    for leaf in leaves:
        tree.append(leaf)
    root = bytes.fromhex("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")
    proof = [
        bytes.fromhex("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"),
        bytes.fromhex("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"),
        bytes.fromhex("6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"),
    ]
    assert hazmat.rfc6962_prove_inclusion(tree, 0) == proof
    assert hazmat.rfc6962_check_inclusion(hazmat.rfc6962_root([b""]), 0, 8, proof, root).index == 0


# -- arguments -----------------------------------------------------------------------------------------------------


def test_an_envelope_in_every_form(alice: Identity, directory: Directory) -> None:
    signed = alice.sign(b"hello", to=["bob"])
    tree = Accumulator(REALM, CONVERSATION)
    tree.extend(same_ids(5))
    index = tree.append(signed.id)
    head, proof = tree.fingerprint(), prove_inclusion(tree, index)
    forms = [signed, signed.envelope, signed.to_bytes(), parse(signed.envelope), verify(signed.to_bytes(), directory)]
    for form in forms:
        assert check_inclusion(head, form, proof).id == signed.id
        assert check_range(head, (form,), prove_range(tree, index, index + 1)).ids == [signed.id]
        assert check_ancestry(head, form, prove_ancestry(tree, index)).id == signed.id
    for wrong in (bytearray(signed.envelope), memoryview(signed.envelope), signed.id, bytes(signed.id).hex(), None):
        assert code(check_inclusion, head, wrong, proof) == "NotBytes"
        assert code(check_range, head, [wrong], prove_range(tree, index, index + 1)) == "NotBytes"
        assert code(check_ancestry, head, wrong, prove_ancestry(tree, index)) == "NotBytes"
    # An id is 32 bytes, and no envelope: what is checked is the message, never a hash.
    assert code(check_inclusion, head, bytes(signed.id), proof) not in {"ProofRoot", "ok"}
    assert code(check_inclusion, head, signed, bytearray(proof)) == "NotBytes"
    assert code(check_inclusion, str(head), signed, proof) == "ArgumentType"
    assert code(check_inclusion, None, signed, proof) == "ArgumentType"


def test_the_numbers_of_provers() -> None:
    tree, realm = Accumulator(REALM, CONVERSATION), hazmat.RealmTree()
    tree.extend(same_ids(5))
    for _ in range(5):
        realm.append(b"record")
    for wrong in (True, 1.0, "1", b"1"):
        for call in (prove_inclusion, prove_consistency, prove_ancestry):
            assert code(call, tree, wrong) == "ArgumentType"
            assert code(call, tree, 1, wrong) == "ArgumentType"
        assert code(prove_range, tree, wrong, 3) == code(prove_range, tree, 0, wrong) == "ArgumentType"
        assert code(hazmat.rfc6962_prove_inclusion, realm, wrong) == "ArgumentType"
    for wrong in (-1, 5, 6, 1 << 48, 1 << 64, 1 << 200):
        assert code(prove_inclusion, tree, wrong) == code(prove_ancestry, tree, wrong) == "ArgumentRange"
        assert code(prove_consistency, tree, wrong) == "ArgumentRange"
        assert code(prove_range, tree, wrong, 3) == "ArgumentRange"
        for call in (hazmat.rfc6962_prove_inclusion, hazmat.prove_record_inclusion, hazmat.prove_record_consistency):
            assert code(call, realm, wrong) == "ArgumentRange"
        if wrong != 5:
            assert code(prove_inclusion, tree, 0, wrong) == code(prove_consistency, tree, 1, wrong) == "ArgumentRange"
            assert code(prove_range, tree, 0, 1, wrong) == "ArgumentRange"
            assert code(hazmat.prove_record_range, realm, 0, 1, wrong) == "ArgumentRange"
    # The last leaf's path does not touch what is missing, and is refused all the same.
    assert code(prove_inclusion, tree, 5, 6) == code(prove_range, tree, 5, 6, 6) == "ArgumentRange"
    assert code(prove_consistency, tree, 0) == code(prove_consistency, tree, 5) == "ArgumentRange"
    assert (
        code(prove_range, tree, 2, 2)
        == code(prove_range, tree, 0, 0)
        == code(prove_range, tree, 0, 6)
        == "ArgumentRange"
    )
    assert code(prove_inclusion, Accumulator(REALM, CONVERSATION), 0) == "ArgumentRange"
    assert code(prove_inclusion, realm, 0) == code(prove_inclusion, None, 0) == "ArgumentType"


def test_the_numbers_of_list_checks() -> None:
    tree = hazmat.RealmTree()
    for i in range(5):
        tree.append(bytes([i]))
    leaf, root = hazmat.rfc6962_root([b"\x01"]), tree.root()
    proof = hazmat.rfc6962_prove_inclusion(tree, 1)
    for wrong in (-1, 5, 1 << 48, (1 << 64) - 1, 1 << 64, 1 << 200):
        assert code(hazmat.rfc6962_check_inclusion, leaf, wrong, 5, proof, root) == "ProofIndex"
    for wrong in (-1, 0, 1, 1 << 48, 1 << 64):
        assert code(hazmat.rfc6962_check_inclusion, leaf, 1, wrong, proof, root) == "ProofIndex"
    listed = hazmat.rfc6962_prove_consistency(tree, 3)
    for old, new in ((0, 5), (5, 5), (6, 5), (-3, 5), (3, -5), (3, 1 << 48), (1 << 64, 1 << 65), (0, 0)):
        assert code(hazmat.rfc6962_check_consistency, old, new, listed, tree.root(3), root) == "ProofIndex"
    for wrong in (True, 1.0, "1", None):
        assert code(hazmat.rfc6962_check_inclusion, leaf, wrong, 5, proof, root) == "ArgumentType"
        assert code(hazmat.rfc6962_check_consistency, 3, wrong, listed, tree.root(3), root) == "ArgumentType"
    assert code(hazmat.rfc6962_check_inclusion, bytearray(leaf), 1, 5, proof, root) == "NotBytes"
    assert code(hazmat.rfc6962_check_inclusion, leaf, 1, 5, [bytearray(each) for each in proof], root) == "NotBytes"


# -- results -------------------------------------------------------------------------------------------------------


def results() -> list[object]:
    tree = Accumulator(REALM, CONVERSATION)
    tree.extend(parse(envelope).id for envelope in messages(6))
    head, old, envelope = tree.fingerprint(), tree.fingerprint(3), messages(6)[2]
    return [
        check_inclusion(head, envelope, prove_inclusion(tree, 2)),
        check_range(head, messages(6)[4:], prove_range(tree, 4, 6)),
        check_consistency(old, head, prove_consistency(tree, 3)),
        compare_heads(head, head),
        check_ancestry(head, envelope, prove_ancestry(tree, 2)),
    ]


def test_only_a_check_makes_a_result() -> None:
    kinds = (Included, RangeIncluded, Extended, Unchanged, Ancestor)
    for found, kind in zip(results(), kinds, strict=True):
        assert type(found) is kind
        with pytest.raises(TypeError):
            kind()
        with pytest.raises(TypeError):
            kind.__new__(kind)
        with pytest.raises(TypeError):
            type("Mine", (kind,), {})
        with pytest.raises(AttributeError):
            found.index = 7  # type: ignore[attr-defined]
        for again in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError):
                again(found)
        assert repr(found).startswith(f"<{kind.__name__}")
        assert ":" in repr(found)


def test_heads_are_compared() -> None:
    tree = Accumulator(REALM, CONVERSATION)
    tree.extend(same_ids(9))
    old, new, proof = tree.fingerprint(4), tree.fingerprint(), prove_consistency(tree, 4)
    same, extended = compare_heads(new, new), compare_heads(old, new, proof)
    assert isinstance(same, Unchanged)
    assert isinstance(extended, Extended)
    assert (same.fingerprint, extended.old, extended.new) == (new, old, new)
    assert code(compare_heads, old, new) == "NeedsProof"
    assert code(compare_heads, new, old) == code(compare_heads, new, old, proof) == "HeadStale"
    assert code(compare_heads, new, new, proof) == "ProofClaim"
    other = Fingerprint(new.realm, new.conversation, new.branch, new.size, Id(bytes(32)))
    assert code(compare_heads, new, other) == code(compare_heads, new, other, proof) == "HeadForked"
    assert code(compare_heads, old, other, proof) == "ProofRoot"
    assert code(compare_heads, old, new, bytearray(proof)) == "NotBytes"
    assert code(compare_heads, old, "9:00", proof) == "ArgumentType"


def test_a_reader_joins_with_the_last_message() -> None:
    envelopes = messages(50)
    tree = Accumulator(REALM, CONVERSATION)
    tree.extend(parse(envelope).id for envelope in envelopes)
    proof = prove_range(tree, 49, 50)
    assert len(proof) == 24 + 32 * (49).bit_count()
    assert check_range(tree.fingerprint(), envelopes[49:], proof).peaks == tree.range()


# -- forks and merges ----------------------------------------------------------------------------------------------


def test_a_fork_is_proved_as_one_history() -> None:
    envelopes = messages(12)
    ids = [parse(envelope).id for envelope in envelopes]
    main = Accumulator(REALM, CONVERSATION)
    main.extend(ids[:8])
    fork = main.fork(5)
    fork.extend(ids[8:])
    history = [*ids[:5], *ids[8:]]
    twin = Naive(1, lambda i: bytes(history[i]))
    head = fork.fingerprint()
    for index, each in enumerate(history):
        proof = prove_inclusion(fork, index)
        assert proof == twin.inclusion(index, 9)
        assert check_inclusion(head, envelopes[ids.index(each)], proof).index == index
    assert head.branch == ids[8] != main.fingerprint().branch
    # The fork's head extends the parent's at the fork, and not the parent's later ones.
    extended = compare_heads(main.fingerprint(5), head, prove_consistency(fork, 5))
    assert isinstance(extended, Extended)
    assert code(compare_heads, main.fingerprint(7), head, prove_consistency(fork, 7)) == "ConsistencyRoot"


def test_ancestry_by_way_of_merges() -> None:
    start = messages(6)
    main = Accumulator(bytes(32), parse(start[0]).id)
    main.extend(parse(envelope).id for envelope in start)
    worker, helper = main.fork(3), main.fork(2)
    results = messages(4, 300)
    helper.extend(parse(envelope).id for envelope in results[:2])
    report = message(400, main.conversation, [helper.fingerprint()])
    worker.append(parse(results[2]).id)
    worker.append(parse(report).id)
    # Another head beside it, so that the number of the merge counts.
    beside = main.fork(1)
    beside.append(parse(results[3]).id)
    final = message(401, main.conversation, [beside.fingerprint(), worker.fingerprint()])
    at = main.append(parse(final).id)
    main.extend(same_ids(3))
    merge = [each[0] for each in parse_path(final)].index(worker.fingerprint().branch)
    hops = [Hop(at, final, worker, merge), Hop(index=4, envelope=parse(report), into=helper)]
    proof = prove_ancestry(main, 3, via=hops)
    found = check_ancestry(main.fingerprint(), results[1], proof)
    assert (found.id, found.index, found.fingerprint) == (parse(results[1]).id, 3, main.fingerprint())
    assert (found.found, found.via) == (helper.fingerprint(), [parse(final).id, parse(report).id])
    # An older head of the same branch, and one hop.
    older = main.fingerprint(at + 1)
    assert (
        check_ancestry(older, results[2], prove_ancestry(main, 3, at + 1, via=hops[:1])).found == worker.fingerprint()
    )
    view = inspect_proof(proof)
    assert [hop["message_id"] for hop in view["via"]] == [str(each) for each in found.via]
    assert [hop["merge"] for hop in view["via"]] == [merge, 0]
    assert code(check_ancestry, older, results[1], proof) == "ProofClaim"
    assert code(check_ancestry, main.fingerprint(), results[0], proof) == "AncestryRoot"
    assert code(prove_ancestry, main, 3, via=[Hop(at, final, helper, merge)]) == "ArgumentRange"
    assert code(prove_ancestry, main, 3, via=[Hop(at, final, worker, 1 - merge)]) == "ArgumentRange"
    assert code(prove_ancestry, main, 3, via=[Hop(at, report, worker, merge)]) == "ArgumentRange"
    assert code(prove_ancestry, main, 3, via=[Hop(at, final, worker, 300)]) == "ArgumentRange"
    assert (
        code(prove_ancestry, main, 3, via=[Hop(at, final, Accumulator(bytes(32), CONVERSATION), merge)])
        == "ArgumentRange"
    )
    assert code(prove_ancestry, main, 3, via=[(at, final, worker, merge)]) == "ArgumentType"
    assert code(prove_ancestry, main, 3, via=[Hop(at, 7, worker)]) == "ArgumentType"
    assert code(prove_ancestry, main, 3, via=[Hop(at, final, "worker")]) == "ArgumentType"


def parse_path(envelope: bytes) -> list[tuple[Id, int]]:
    merges = parse(envelope).claims["execution_path"]["merges"]
    return [(Id.from_hex(each["branch"]), each["size"]) for each in merges]


# -- for people ----------------------------------------------------------------------------------------------------


def test_inspect_tells_where_each_hash_stands() -> None:
    ids = same_ids(22)
    tree = Accumulator(REALM, CONVERSATION)
    tree.extend(ids)
    twin = Naive(1, lambda i: ids[i])
    proofs = [prove_inclusion(tree, i) for i in range(22)]
    proofs += [prove_consistency(tree, old) for old in range(1, 22)]
    proofs += [prove_range(tree, begin, end) for begin in range(21) for end in range(begin + 1, 23)]
    for proof in proofs:
        view = inspect_proof(proof)
        assert view["tree"] == "branch"
        numbers = 3 if view["type"] == "range" else 2
        assert len(proof) == 6 + 6 * numbers + 32 * len(view["hashes"])
        for each in view["hashes"]:
            assert bytes.fromhex(each["hash"]) == twin.root(each["begin"], each["end"])
            assert each["side"] in {"left", "right"}
    assert inspect_proof(proofs[3])["index"] == 3
    assert inspect_proof(prove_consistency(tree, 7))["old_size"] == 7
    assert {inspect_proof(proof)["type"] for proof in proofs} == {"inclusion", "consistency", "range"}
    assert code(inspect_proof, b"") == "ProofForm"
    assert code(inspect_proof, b"a2p\x09") == "ProofVersion"
    assert code(inspect_proof, bytes(limits.MAX_PROOF + 1)) == "SizeLimit"
    assert code(inspect_proof, bytearray(b"a2p")) == "NotBytes"


def test_names_are_where_they_are_said_to_be() -> None:
    names = [
        "Hop",
        "prove_inclusion",
        "check_inclusion",
        "prove_range",
        "check_range",
        "compare_heads",
        "inspect_proof",
    ]
    for name in [*names, "prove_consistency", "check_consistency", "prove_ancestry", "check_ancestry", "Included"]:
        assert name in ama2sec.__all__
        assert getattr(ama2sec, name) is getattr(ama2sec.history, name)
    for kind in (Included, RangeIncluded, Extended, Unchanged, Ancestor):
        assert kind.__module__ == "ama2sec"
