"""Both implementations make the same proofs, and have one opinion of every broken one (spec proofs)."""

from __future__ import annotations

import os
from random import Random
from typing import Any

import ama2sec
from ama2sec import Ama2Error, reference
from ama2sec.reference import encode, prove_ancestry
from ama2sec.reference.proof_form import REALM
from tests.naive_tree import Naive, leaf, number, relabelled
from tests.two_realms import MET, both
from tests.unit.test_reference_proofs import ENVELOPES, IDS, SCOPE, Merged, exhibit
from tests.world import Talk, directory, directory_view

SEED = os.environ.get("AMA2SEC_SEED", "2026")
NAMES = dict(zip(("realm", "conversation", "branch"), (each.hex() for each in SCOPE), strict=True))
HEX_IDS = [each.hex() for each in IDS]


def broken(rng: Random, proof: bytes) -> bytes:
    """A proof with a bit, a byte, a number, its type or its tree changed."""
    match rng.randrange(8):
        case 0:
            return proof[: rng.randrange(len(proof))]
        case 1:
            return proof + rng.choice((b"\0", bytes(32)))
        case 2:
            return proof[:4] + bytes([rng.randrange(6)]) + proof[5:]
        case 3:
            return proof[:5] + bytes([rng.randrange(4)]) + proof[6:]
        case 4:
            return relabelled(proof, rng.randrange(13), rng.randrange(13))
        case 5:
            at = 6 + 6 * rng.randrange(3)
            return proof[:at] + number(rng.choice((0, 1, 12, (1 << 48) - 1))) + proof[at + 6 :]
        case _:
            at = rng.randrange(len(proof))
            return proof[:at] + bytes([proof[at] ^ 1 << rng.randrange(8)]) + proof[at + 1 :]


def test_every_proof_of_a_small_tree() -> None:
    for size in range(1, 14):
        for index in range(size):
            both(op="prove_inclusion", **NAMES, ids=HEX_IDS[:13], index=index, size=size)
            both(op="prove_consistency", **NAMES, ids=HEX_IDS[:13], old_size=index, new_size=size)
            for end in range(index, size + 2):
                both(op="prove_range", **NAMES, ids=HEX_IDS[:13], begin=index, end=end, size=size)
    both(op="prove_inclusion", **NAMES, ids=HEX_IDS[:3], index=3)
    both(op="prove_inclusion", **NAMES, ids=HEX_IDS[:3], index=0, size=4)
    both(op="prove_consistency", **NAMES, ids=HEX_IDS[:3], old_size=(1 << 63) - 1)


def test_broken_proofs() -> None:
    rng, ids = Random(f"{SEED} proofs"), HEX_IDS[:12]
    before = MET.copy()
    for _ in range(250):
        index, size = rng.randrange(11), rng.randrange(11, 13)
        begin, end = sorted(rng.sample(range(12), 2))
        inclusion = both(op="prove_inclusion", **NAMES, ids=ids, index=index, size=size)
        consistency = both(op="prove_consistency", **NAMES, ids=ids, old_size=index + 1)
        ranged = both(op="prove_range", **NAMES, ids=ids, begin=begin, end=end)
        proofs = [bytes.fromhex(each.get("proof", "")) for each in (inclusion, consistency, ranged)]
        made = [proof if rng.random() < 0.2 or not proof else broken(rng, proof) for proof in proofs]
        message = rng.choice((ENVELOPES[index], ENVELOPES[index], encode([1, ENVELOPES[index], None]), b"", b"\x83"))
        messages = [each.hex() for each in ENVELOPES[begin : rng.choice((end, end, end + 1))]]
        for proof in (*made, rng.choice(proofs)):
            asked = {"proof": proof.hex()}
            both(op="check_inclusion", fingerprint=inclusion["fingerprint"], envelope=message.hex(), **asked)
            both(op="check_range", fingerprint=ranged["fingerprint"], envelopes=messages, **asked)
            if "old" in consistency:
                old = consistency["old"] | rng.choice(({}, {}, {"conversation": "dd" * 32}, {"branch": "dd" * 32}))
                both(op="check_consistency", old=old, new=consistency["new"], **asked)
            both(op="check_ancestry", fingerprint=inclusion["fingerprint"], envelope=message.hex(), **asked)
    new = set(MET - before)
    assert {
        "ProofForm",
        "ProofVersion",
        "ProofIndex",
        "ProofClaim",
        "ProofRoot",
        "ConsistencyRoot",
        "ArgumentRange",
    } <= new


def test_broken_ancestries() -> None:
    world, rng = Merged(), Random(f"{SEED} ancestry")
    proof, head = prove_ancestry(world.steps()), world.head()
    named = {"branch": head.branch.hex(), "size": head.size, "fingerprint": head.value.hex()}
    before = MET.copy()
    for _ in range(700):
        made = proof if rng.random() < 0.1 else broken(rng, proof)
        asked = {"fingerprint": NAMES | named | rng.choice(({}, {}, {}, {"size": 8})), "proof": made.hex()}
        both(op="check_ancestry", envelope=ENVELOPES[rng.choice((1, 1, 1, 0))].hex(), **asked)
    assert {"ok", "AncestryRoot", "ProofForm", "ProofClaim"} <= set(MET - before)


def test_lists_of_hashes() -> None:
    rng, naive = Random(f"{SEED} lists"), Naive(REALM, leaf)
    for _ in range(400):
        size = rng.randrange(2, 20)
        index = rng.randrange(1, size)
        complete = index & (index - 1) == 0
        path, proof = naive.path(index, 0, size), naive.subproof(index, 0, size)[complete:]
        roots = {"old_root": naive.root(0, index), "new_root": naive.root(0, size)}
        inclusion: dict[str, Any] = {
            "leaf_hash": leaf(index),
            "index": index,
            "size": size,
            "proof": path,
            "root": naive.root(0, size),
        }
        consistency: dict[str, Any] = {"old_size": index, "new_size": size, "proof": proof, **roots}
        for op, asked in (("rfc6962_check_inclusion", inclusion), ("rfc6962_check_consistency", consistency)):
            if rng.random() < 0.8:
                name = rng.choice(list(asked))
                value = asked[name]
                if isinstance(value, int):
                    asked[name] = rng.choice((0, value + 1, value - 1, 1 << 48, (1 << 63) - 1))
                elif isinstance(value, bytes):
                    asked[name] = rng.choice((value[:-1], bytes(32), b""))
                elif value:
                    asked[name] = rng.choice(
                        (value[1:], [*value, bytes(32)], [value[0][:-1], *value[1:]], [bytes(32), *value[1:]])
                    )
            both(op=op, **{name: hexed(value) for name, value in asked.items()})


def hexed(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return [each.hex() for each in value] if isinstance(value, list) else value


def test_exhibits() -> None:
    talk, rng = Talk.opened().say("bob").say("alice"), Random(f"{SEED} exhibits")
    core_directory = _core_directory()
    forms: list[dict[str, Any]] = [
        {},
        {"version": 2},
        {"version": True},
        {"head": []},
        {"entry": [2, b"", None]},
        {"entry": [1, b""]},
        {"proof": b""},
    ]
    forms += [{"head": [bytes(32)] * 3 + [size, bytes(32)]} for size in (0, 1, 3, (1 << 48) - 1, 1 << 48, -1, True)]
    forms += [{"entry": [True, b"", None]}, {"entry": [1, b"", [bytes(31), b""]]}, {"more": None}, {"head": [None] * 5}]
    data = [exhibit(talk, index, **form) for form in forms for index in (0, 1)]
    whole = data[0]
    data += [b"", whole[:-1], whole + b"\0", bytes((1 << 20) + 1), whole[:1] + b"\x9f" + whole[2:]]
    for _ in range(250):
        at = rng.randrange(len(whole))
        data.append(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :])
    heads = (None, f"3:{talk.prints[3].hex()}", f"3:{'00' * 32}", f"4:{'00' * 32}", f"2:{'00' * 32}", "3")
    met = set()
    for each in data:
        for head in heads:
            for with_keys in (False, True):
                by_rust = _code(ama2sec.check_exhibit, each, head=head, directory=core_directory if with_keys else None)
                ours = _code(reference.check_exhibit, each, head=head, directory=directory() if with_keys else None)
                assert by_rust == ours, (each[:100].hex(), head, with_keys)
                met.add(ours)
    assert {
        "ok",
        "ExhibitForm",
        "SizeLimit",
        "HeadStale",
        "HeadForked",
        "HeadForm",
        "ItemForm",
        "ProofForm",
        "ProofRoot",
    } <= met


def _code(call: Any, data: bytes, **how: Any) -> str:
    try:
        call(data, **how)
    except Ama2Error as fault:
        return fault.code
    return "ok"


def _core_directory() -> ama2sec.Directory:
    made = ama2sec.Directory()
    for each in directory_view():
        made.enrol(bytes.fromhex(each["key"]), name=each["name"], purpose=each["purpose"])
    return made
