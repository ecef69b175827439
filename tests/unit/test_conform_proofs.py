"""Questions about proofs, as an outsider asks them (spec conform)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ama2sec import Accumulator, hazmat, parse, prove_ancestry
from ama2sec.conform import answer
from tests.naive_tree import Naive, leaf
from tests.proof_world import CONVERSATION, messages

ENVELOPES = messages(9)
IDS = [str(parse(envelope).id) for envelope in ENVELOPES]
NAMES = {"realm": "00" * 32, "conversation": CONVERSATION.hex(), "branch": CONVERSATION.hex()}


def ask(op: str, **arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer(json.dumps({"op": op, **arguments}).encode(), "rust"))
    return found


def test_inclusion() -> None:
    for size in (None, 9, 7):
        made = ask("prove_inclusion", **NAMES, ids=IDS, index=4, size=size)
        assert made["code"] == "ok"
        assert made["fingerprint"]["size"] == (size or 9)
        asked = {"fingerprint": made["fingerprint"], "proof": made["proof"]}
        found = ask("check_inclusion", envelope=ENVELOPES[4].hex(), **asked)
        assert found == {"id": None, "code": "ok", "message_id": IDS[4], "index": 4}
        assert ask("check_inclusion", envelope=ENVELOPES[5].hex(), **asked)["code"] == "ProofRoot"
        chain = Accumulator(bytes(32), CONVERSATION)
        chain.extend(IDS)
        proof = prove_ancestry(chain, 4, size).hex()
        found = ask("check_ancestry", fingerprint=made["fingerprint"], envelope=ENVELOPES[4].hex(), proof=proof)
        assert found == {"id": None, "code": "ok", "message_id": IDS[4], "index": 4, "via": []}


def test_a_branch_of_any_name() -> None:
    names = NAMES | {"branch": "07" * 32}
    ids = [leaf(i).hex() for i in range(5)]
    made = ask("prove_consistency", **names, ids=ids, old_size=3)
    hashes = ask("fingerprint", **names, ids=ids)["fingerprints"]
    assert made["old"] == {**names, "size": 3, "fingerprint": hashes[3]}
    assert made["new"] == {**names, "size": 5, "fingerprint": hashes[5]}
    assert bytes.fromhex(made["proof"]) == Naive(1, leaf).consistency(3, 5)
    asked = {name: made[name] for name in ("old", "new", "proof")}
    assert ask("check_consistency", **asked) == {"id": None, "code": "ok"}
    other = made["old"] | {"branch": "08" * 32}
    assert ask("check_consistency", **asked | {"old": other})["code"] == "ConsistencyRoot"


def test_ranges() -> None:
    made = ask("prove_range", **NAMES, ids=IDS, begin=5, end=9)
    asked = {"fingerprint": made["fingerprint"], "proof": made["proof"]}
    found = ask("check_range", envelopes=[envelope.hex() for envelope in ENVELOPES[5:]], **asked)
    assert found == {"id": None, "code": "ok", "message_ids": IDS[5:], "begin": 5}
    assert ask("check_range", envelopes=[], **asked)["code"] == "ArgumentRange"


def test_lists() -> None:
    tree = hazmat.RealmTree()
    for i in range(6):
        tree.append(bytes([i]))
    listed = [each.hex() for each in hazmat.rfc6962_prove_inclusion(tree, 2)]
    asked = {"index": 2, "size": 6, "proof": listed, "root": tree.root().hex()}
    leaf_hash = hazmat.rfc6962_root([b"\x02"]).hex()
    assert ask("rfc6962_check_inclusion", leaf_hash=leaf_hash, **asked) == {"id": None, "code": "ok"}
    assert ask("rfc6962_check_inclusion", leaf_hash=leaf_hash[2:], **asked)["code"] == "ProofForm"
    assert (
        ask("rfc6962_check_inclusion", leaf_hash=leaf_hash, **asked | {"index": (1 << 63) - 1})["code"] == "ProofIndex"
    )
    listed = [each.hex() for each in hazmat.rfc6962_prove_consistency(tree, 3)]
    roots = {"old_root": tree.root(3).hex(), "new_root": tree.root().hex()}
    asked = {"old_size": 3, "new_size": 6, "proof": listed, **roots}
    assert ask("rfc6962_check_consistency", **asked) == {"id": None, "code": "ok"}
    assert ask("rfc6962_check_consistency", **asked | {"old_root": "00" * 32})["code"] == "ConsistencyRoot"
    assert ask("rfc6962_check_consistency", **asked | {"new_root": "00" * 32})["code"] == "ProofRoot"


def test_what_cannot_be_proved_is_the_askers_fault() -> None:
    for index, size in ((9, None), (0, 10), (7, 7), (0, 0), (0, (1 << 63) - 1)):
        assert ask("prove_inclusion", **NAMES, ids=IDS, index=index, size=size)["code"] == "ArgumentRange"
    assert ask("prove_inclusion", **NAMES, ids=[], index=0)["code"] == "ArgumentRange"
    for old, new in ((0, 9), (9, 9), (10, 9), (3, 10)):
        assert ask("prove_consistency", **NAMES, ids=IDS, old_size=old, new_size=new)["code"] == "ArgumentRange"
    for begin, end in ((0, 0), (4, 4), (5, 4), (0, 10)):
        assert ask("prove_range", **NAMES, ids=IDS, begin=begin, end=end)["code"] == "ArgumentRange"


@pytest.mark.parametrize("wrong", [-1, 1 << 63, True, 1.5, "1", None, []])
def test_numbers_have_one_form(wrong: object) -> None:
    assert ask("prove_inclusion", **NAMES, ids=IDS, index=wrong)["code"] == "ConformQuestion"
    asked = {"leaf_hash": "", "size": 1, "proof": [], "root": ""}
    assert ask("rfc6962_check_inclusion", index=wrong, **asked)["code"] == "ConformQuestion"


def test_fingerprints_have_one_form() -> None:
    good = ask("prove_inclusion", **NAMES, ids=IDS, index=4)
    changes: list[dict[str, object]] = [{"size": 0}, {"size": 1 << 48}, {"size": "9"}, {"branch": "00"}, {"more": 1}]
    wrong = [good["fingerprint"] | change for change in changes]
    for each in (*wrong, {}, [], None, "9:00", {"size": 9}):
        asked = {"fingerprint": each, "envelope": "", "proof": good["proof"]}
        assert ask("check_inclusion", **asked)["code"] == "ConformQuestion"
