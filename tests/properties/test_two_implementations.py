"""Both implementations give the same answer to every question, byte for byte, ``expected`` and ``got`` aside (conform.3).

The questions are thousands, and drawn anew from one seed: ``AMA2SEC_SEED=7`` asks others. What was met is counted: a comparison
that never gets past the first check would compare nothing.
"""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any

import pytest
from nacl.bindings import crypto_core_ed25519_add

import ama2sec
from ama2sec import reference
from ama2sec._native import check_cbor
from ama2sec.conform import answer
from ama2sec.errors import CATALOGUE, Ama2Error
from ama2sec.limits import WINDOW
from ama2sec.reference import encode
from ama2sec.reference.envelope import honest_header
from tests.properties import mutation
from tests.unit.test_reference_rule_s import TORSION, crafted, point
from tests.world import (
    BODY_SALT,
    KID,
    NAMES,
    PROTECTED,
    PUBLIC,
    SEEDS,
    ZEROS,
    Talk,
    body_claim,
    directory,
    directory_view,
    entry,
    message_claims,
    open_claims,
    signed,
)

SEED = os.environ.get("AMA2SEC_SEED", "2026")
MET: Counter[str] = Counter()

MALFORMED = {name for name, row in CATALOGUE.items() if row.family == "malformed"}
CODEC = {name for name, row in CATALOGUE.items() if row.clause.startswith("envelope.3")}
HEADER = {name for name, row in CATALOGUE.items() if row.clause.startswith("envelope.4")}
UNAUTHENTIC = {name for name, row in CATALOGUE.items() if row.family in {"key", "weak", "signature"}}


def both(**question: Any) -> str:
    """Ask both. The code that they agree on."""
    line = json.dumps({"id": 1, **question}).encode()
    by_rust, by_reference = _bare(answer(line, "rust")), _bare(answer(line, "reference"))
    assert by_rust == by_reference, json.dumps(question)
    code: str = json.loads(by_rust)["code"]
    assert code not in {"Internal", "Panic", "SelfTestFailed"}, json.dumps(question)
    MET[code] += 1
    return code


def _bare(line: bytes) -> bytes:
    found = json.loads(line)
    if found["code"] == "ok":
        return line
    assert {"expected", "got"} <= set(found)
    return json.dumps({name: value for name, value in found.items() if name not in {"expected", "got"}}).encode()


def rounds(name: str, count: int) -> Iterator[Random]:
    """A generator for each round: a failing round needs none of those before it."""
    return (Random(f"{SEED} {name} {number}") for number in range(count))


def reaching(codes: list[str], short: set[str]) -> float:
    """The share of the answers that are none of those which a question of this kind should get past."""
    return sum(code not in short for code in codes) / len(codes)


def code_of(call: Callable[[], object]) -> str:
    try:
        call()
    except Ama2Error as fault:
        return fault.code
    return "ok"


# -- the codec -----------------------------------------------------------------------------------------------------


def test_every_string_of_at_most_two_bytes() -> None:
    for length in range(3):
        for data in map(bytes, itertools.product(range(256), repeat=length)):
            by_rust = code_of(partial(check_cbor, data))
            assert by_rust == code_of(partial(reference.decode, data)), data.hex()
            MET[by_rust] += 1


def test_items_with_faults() -> None:
    codes = []
    for rng in rounds("items", 4000):
        data = mutation.item(rng)
        codes.append(both(op="cbor", bytes=(data if rng.random() < 0.7 else mutation.break_bytes(rng, data)).hex()))
    assert 0.2 < codes.count("ok") / len(codes) < 0.8
    assert set(codes) >= CODEC


# -- envelopes -----------------------------------------------------------------------------------------------------


def test_envelopes_with_broken_bytes() -> None:
    base = [
        signed(message_claims("bob"), "bob"),
        signed(open_claims(c13=["bob"])),
        signed(message_claims(c12=body_claim(b"hello"))),
    ]
    for rng in rounds("bytes", 1500):
        broken = mutation.break_bytes(rng, rng.choice(base)).hex()
        assert both(op="parse", envelope=broken) in {
            both(op="verify", envelope=broken, directory=directory_view()),
            "ok",
        }


def test_envelopes_of_other_shapes() -> None:
    codes = []
    for rng in rounds("shapes", 1500):
        parts: Any = [honest_header(KID["alice"]), {}, encode(message_claims()), bytes(64)]
        way = rng.randrange(5)
        if way == 4:
            parts[1] = rng.choice(({1: -19}, {4: b""}, [], None))
        elif way == 0:
            parts = mutation.mutate(rng, parts, mutation.JUNK)
        elif way == 1:
            header = {
                1: -19,
                4: KID["alice"],
                16: rng.choice(("ama2sec-message+cose", "ama2sec-halt+cose", "ama2sec-offer+cose", "jwt")),
            }
            parts[0] = encode(mutation.mutate(rng, header, [*mutation.JUNK, -19, -8]))
        elif way == 2:
            parts[rng.choice((0, 2))] = mutation.item(rng)
        else:
            parts[3] = rng.choice((b"", bytes(63), bytes(65), b"\x01" + bytes(63), b"\xff" * 64))
        tag = rng.choice((b"\xd2", b"\xd2", b"\xd2", b"\xd2", b"", b"\xc0", b"\xd2\xd2", b"\xd8\x12"))
        codes.append(both(op="verify", envelope=(tag + encode(parts)).hex(), directory=directory_view()))
    assert both(op="parse", envelope="00" * 65_793) == "SizeLimit"
    assert HEADER - {"EnvelopeForm"} <= set(codes)


def test_signed_claims_that_are_hostile() -> None:
    codes = []
    for rng in rounds("claims", 3000):
        author, claims = mutation.hostile_claims(rng)
        envelope = signed(claims, author)
        codes.append(both(op="verify", envelope=envelope.hex(), directory=directory_view()))
    # What is not built is a log's, and no header of a message has it.
    of_a_log = PROTECTED["alice"].replace(encode("ama2sec-message+cose"), encode("ama2sec-log+cose"))
    for kind in (49, 50):
        envelope = signed({**message_claims(), 3: kind}, header=of_a_log)
        codes.append(both(op="verify", envelope=envelope.hex(), directory=directory_view()))
    assert reaching(codes, CODEC | HEADER | UNAUTHENTIC) > 0.95
    assert {name for name in MALFORMED if CATALOGUE[name].clause.startswith("envelope.5")} <= set(codes)


def test_signed_claims_with_broken_bytes() -> None:
    codes = []
    for rng in rounds("payload", 1000):
        payload = mutation.break_bytes(rng, encode(rng.choice((message_claims(), open_claims()))))
        codes.append(both(op="verify", envelope=signed(payload).hex(), directory=directory_view()))
    assert reaching(codes, UNAUTHENTIC) > 0.95


def test_what_stands_behind_the_signature() -> None:
    codes = []
    for rng in rounds("verify", 1200):
        envelope, body, salt = mutation.verifiable(rng)
        known = directory_view()[rng.random() < 0.1 :]
        question: dict[str, Any] = {"op": "verify", "envelope": envelope.hex(), "directory": known}
        if body is not None and salt is not None:
            question |= {"body": body.hex(), "body_salt": salt.hex()}
        codes.append(both(**question))
    assert reaching(codes, MALFORMED | UNAUTHENTIC) > 0.5
    assert {"RealmOther", "BodySize", "BodyMismatch", "BodyUnexpected", "PurposeWrong"} <= set(codes)
    assert {"ok", "KeyUnknown", "ArgumentType"} <= set(codes)


def test_a_body_that_must_be_there() -> None:
    keys = ama2sec.Directory.from_json(_directory_file([directory_view()[0], directory_view()[3]]))
    for author, body, code in (
        ("alice", None, "ok"),
        ("alice", b"hello", "BodyMissing"),
        ("warden", b"hello", "BodyMissing"),  # before the key's purpose is asked
        ("warden", None, "PurposeWrong"),
    ):
        claims = message_claims(author) if body is None else message_claims(author, c12=body_claim(body))
        envelope = signed(claims, author)
        assert code_of(partial(ama2sec.verify, envelope, keys, require_body=True)) == code
        assert code_of(partial(ama2sec.parse(envelope).verify, keys, require_body=True)) == code
        assert code_of(partial(reference.verify, envelope, directory(), require_body=True)) == code
        MET[code] += 1


# -- conversations -------------------------------------------------------------------------------------------------


def test_conversations() -> None:
    codes = []
    for rng in rounds("talks", 700):
        data, head = mutation.hostile_talk(rng)
        codes.append(both(op="transcript", bytes=data.hex(), directory=directory_view(), head=head))
    assert reaching(codes, MALFORMED | UNAUTHENTIC) > 0.5
    assert {name for name, row in CATALOGUE.items() if row.clause.startswith("fingerprint.6")} <= set(codes)


def test_contexts_older_than_the_window() -> None:
    talk = Talk.opened()
    for number in range(WINDOW + 60):
        talk.say(("alice", "bob")[number % 2])
    for seen in (1, 2, 58, 59, 60, 61, 62, WINDOW):
        talk.say("bob", seen)
    question = {"op": "transcript", "directory": directory_view()}
    assert both(bytes=talk.data().hex(), **question) == "ok"
    by_rust = ama2sec.verify_conversation(talk.data(), ama2sec.Directory.from_json(_directory_file(directory_view())))
    by_reference = reference.verify_transcript(talk.data(), directory())
    assert (by_rust.authors, by_rust.lag) == (by_reference.authors, by_reference.lag) == (2, WINDOW + 60)
    forked = entry(signed(talk.claims("bob", 2, c5=[2, talk.prints[3], 0, ZEROS]), "bob"))
    assert both(bytes=talk.data([*talk.items, forked]).hex(), **question) == "ContextForked"


def test_items_at_their_largest() -> None:
    start = encode([0, "ama2sec-transcript", 1])
    for length in (328_064 - 9, 328_064 - 8, 328_064 - 7, 400_000):
        for rest in (b"", b"\xf6", b"\xf6\x00", bytes(400_000)):
            item = b"\x83\x01\x5a" + length.to_bytes(4, "big")
            for short in (0, 1):
                both(op="transcript", bytes=(start + item + bytes(length - short) + rest).hex(), directory=[])


# -- keys and directories ------------------------------------------------------------------------------------------


def test_signatures_and_keys_of_every_kind() -> None:
    codes = []
    strange = [*TORSION, *(b"\xff" * 31 + bytes([n]) for n in (0x7F, 0xFF)), bytes(31), bytes(33)]
    for rng in rounds("rule S", 1200):
        key, r = point(2**199 + 3), point(2**198 + 11)
        way = rng.randrange(7)
        if way == 0:
            r = crypto_core_ed25519_add(r, rng.choice(TORSION))
        elif way == 1:
            r = rng.choice(strange)
        signature = crafted(r, key, nonce=rng.choice((2**198 + 11, 2**198 + 11, 0)))
        if way == 2:
            key = rng.choice(
                (crypto_core_ed25519_add(key, rng.choice(TORSION)), rng.choice(strange), rng.randbytes(32))
            )
        elif way == 3:
            s = int.from_bytes(signature[32:], "little") + rng.choice((1, reference.rule_s.L, -1))
            signature = signature[:32] + (s % (1 << 256)).to_bytes(32, "little")
        elif way == 4:
            signature = mutation.break_bytes(rng, signature)
        codes.append(both(op="ed25519_verify", key=key.hex(), msg=b"move 100 to bob".hex(), sig=signature.hex()))
    wanted = {name for name, row in CATALOGUE.items() if row.clause.startswith("identity.1.") and row.blame == "peer"}
    assert wanted | {"SignatureLength", "ok"} <= set(codes)


def _directory_file(entries: list[Any], **changes: Any) -> bytes:
    return json.dumps({"format": "ama2sec-directory", "version": 1, "entries": entries} | changes).encode()


def test_directories() -> None:
    codes = []
    for rng in rounds("directories", 1200):
        entries = mutation.entries(rng)
        codes.append(both(op="verify", envelope="", directory=entries))
        if isinstance(entries, list) and rng.random() < 0.5:
            entries = sorted(entries, key=lambda item: str(item.get("name")) if isinstance(item, dict) else "")
        whole: Any = {"format": "ama2sec-directory", "version": 1, "entries": entries}
        if rng.random() < 0.3:
            whole = mutation.mutate(rng, whole, mutation.JSON_JUNK)
        data = json.dumps(whole).encode()
        if rng.random() < 0.1:
            data = mutation.break_bytes(rng, data)
        found = code_of(partial(ama2sec.Directory.from_json, data))
        assert found == code_of(partial(reference.Directory.from_json, data)), data
        codes.append(found)
    assert {"KeyLength", "KeyWeak", "KeyNotCanonical", "NameForm", "NameTaken", "KeyTaken"} <= set(codes)
    assert {"DirectoryForm", "ConformQuestion", "ok"} <= set(codes)


@pytest.mark.parametrize(
    "values",
    [
        '["ama2sec-directory", 1, []]',
        '{"format": "ama2sec-directory", "version": 1, "entries": [["a", "message", "k"]]}',
    ],
)
def test_a_directory_is_made_of_objects(values: str) -> None:
    data = values.replace('"k"', f'"{PUBLIC["alice"].hex()}"').encode()
    for read in (ama2sec.Directory.from_json, reference.Directory.from_json):
        assert code_of(partial(read, data)) == "DirectoryForm"


# -- questions, trees, views ---------------------------------------------------------------------------------------


def test_views_of_claims_and_what_is_made_of_them() -> None:
    codes = []
    views = [reference.view.to_view(reference.parse(signed(claims)).claims) for claims in (message_claims(c7=[mutation.ID, mutation.ID, "s", {"a": True, "b": -1, "c": "x"}, None]), open_claims(c13=["bob"]))]  # fmt: skip
    for rng in rounds("views", 2500):
        claims = rng.choice(views)
        for _ in range(rng.randrange(3)):
            claims = mutation.mutate(rng, claims, mutation.JSON_JUNK)
        question: dict[str, Any] = {"op": "make", "seed": SEEDS[rng.choice(NAMES)].hex(), "claims": claims}
        if rng.random() < 0.3:
            question |= {"body": b"hello".hex(), "body_salt": BODY_SALT.hex()}
            if isinstance(claims, dict):
                question["claims"] = claims | {
                    "body": rng.choice((None, {}, {"media_type": "a"}, {"size": 1}, {"x": 1}))
                }
        if rng.random() < 0.1:
            question[rng.choice(("header_bytes", "claims_bytes", "x", "body"))] = "a0"
        codes.append(both(**question))
    assert 0.25 < codes.count("ok") / len(codes) < 0.9
    assert set(codes) == {"ok", "ConformQuestion"}


def test_fingerprints_and_roots() -> None:
    for rng in rounds("trees", 150):
        ids = [rng.randbytes(32).hex() for _ in range(rng.choice((0, 1, 2, rng.randrange(70))))]
        scope = {name: rng.choice((ZEROS, rng.randbytes(32))).hex() for name in ("realm", "conversation", "branch")}
        assert both(op="fingerprint", ids=ids, **scope) == "ok"
        assert both(op="rfc6962_root", leaf_hashes=ids) == "ok"
        assert both(op="rfc6962_root", leaves=[leaf[: 2 * rng.randrange(33)] for leaf in ids]) == "ok"


def test_heads_in_every_spelling() -> None:
    for text in ("", ":", "1", "1:", "0:" + "0" * 64, "+1:" + "0" * 64, "1:" + "0" * 64, "01:" + "0" * 64, f"{1 << 48}:" + "0" * 64, f"{(1 << 48) - 1}:" + "0" * 64,
                 "1:" + "0" * 63, "1:" + "F" * 64, "1 :" + "0" * 64, "\u0661:" + "0" * 64, "1:" + "\uff10" * 64, f"{1 << 64}:" + "0" * 64, "9" * 400 + ":" + "0" * 64, "1:" + "0" * 65):  # fmt: skip
        both(op="transcript", bytes="", directory=[], head=text)


# -- what was met --------------------------------------------------------------------------------------------------


def test_every_code_was_met() -> None:
    """Last in the file. Alone it says nothing, so it asks that the others have run."""
    if len(MET) < 40:
        pytest.skip("the questions above were not all asked in this run")
    rooms = ("envelope.", "identity.", "fingerprint.")
    wanted = {
        name for name, row in CATALOGUE.items() if row.built and row.blame == "peer" and row.clause.startswith(rooms)
    }
    assert sorted(wanted - set(MET)) == []
