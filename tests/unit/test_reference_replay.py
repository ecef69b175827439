"""The reference replays realms, whole and filtered, and checks checkpoints, receipts and evidence: each step alone, each byte."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from dataclasses import replace as changed
from functools import cache
from typing import Any

import pytest

from ama2sec.errors import CATALOGUE, Ama2Error
from ama2sec.reference import (
    Checkpoint,
    Leaves,
    Record,
    check_checkpoint,
    check_equivocation,
    check_fork,
    check_receipt,
    compare,
    conversation_digest,
    encode,
    make_equivocation,
    make_fork,
    make_receipt,
    parse,
    prove_consistency,
    prove_inclusion,
    read_record,
    registry_digest,
    replay,
    rfc6962_leaf,
    rfc6962_root,
    sign_checkpoint,
)
from ama2sec.reference.checkpoint import checkpoint_key_id, origin_of
from ama2sec.reference.proof_form import REALM
from ama2sec.reference.rule_s import EnrolledKey
from tests.realm_world import BODY_SALT, REVOKE, TERM, TIME, World, key_of, seed_of

ID = b"i" * 32
HEADER = encode([0, "ama2sec-transcript", 1])


def code_of(call: Any, *given: Any, **named: Any) -> str:
    try:
        call(*given, **named)
    except Ama2Error as fault:
        return fault.code
    return "ok"


@dataclass
class Log:
    """A realm's transcript in pieces that can be broken: pairs of a record and an entry, and checkpoints behind them."""

    world: World
    pairs: list[tuple[Record, bytes, Any]] = field(default_factory=list)
    notes: dict[int, bytes] = field(default_factory=dict)

    def data(self, keep: Any = None) -> bytes:
        items = [HEADER]
        for number, (record, envelope, body) in enumerate(self.pairs):
            if keep is None or record.conversation in keep:
                items += [encode([2, record.to_bytes()]), encode([1, envelope, body])]
            if number + 1 in self.notes:
                items.append(encode([3, self.notes[number + 1]]))
        return b"".join(items)

    def root(self, size: int) -> bytes:
        return rfc6962_root([rfc6962_leaf(record.to_bytes()) for record, _, _ in self.pairs[:size]])

    def note(self, size: int | None = None, by: str = "sequencer", root: bytes | None = None) -> bytes:
        count = len(self.pairs) if size is None else size
        origin = origin_of("acme", self.world.id)
        return sign_checkpoint(seed_of(by), origin, count, self.root(count) if root is None else root)

    def with_record(self, at: int, **changes: Any) -> Log:
        record, envelope, body = self.pairs[at]
        return Log(
            self.world, [*self.pairs[:at], (changed(record, **changes), envelope, body), *self.pairs[at + 1 :]], {}
        )

    def without(self, at: int) -> Log:
        return Log(self.world, [*self.pairs[:at], *self.pairs[at + 1 :]], {})


@cache
def history() -> tuple[Log, bytes, bytes]:
    """Two conversations, a child, a merge, rejections and bodies; then a hand-over of the sequencer."""
    world = World()
    world.people("alice", "bob", "mallory")
    one, two = world.opened("alice", members=sorted((world.ids["alice"], world.ids["bob"]))), world.opened("bob")
    world.take(world.say("alice", one, body=b"hello"), TIME + 5, b"hello")
    kid = world.spawned("bob", one, "kid")
    world.take(world.say("kid", one, branch=kid))
    world.take(world.say("mallory", one))
    world.take(world.say("mallory", two))
    world.take(world.enrol("next", purpose="sequencer"))
    world.take(world.say("alice", one, merges=[(kid, 4)]))
    world.take(world.open("mallory", members=[world.ids["bob"]]))
    world.take(world.enrol("bob"))
    world.realm.sequencer_seed = seed_of("next")
    world.take(world.entry(REVOKE, "root-1", [world.ids["sequencer"], None, ""]))
    world.take(world.close("bob", one, branch=kid))
    world.take(world.say("kid", one, branch=kid))
    world.take(world.close("bob", two, whole=True))
    log = Log(world, [(read_record(line), envelope, None) for envelope, line in world.sequenced])
    at = next(n for n, (record, _, _) in enumerate(log.pairs) if record.time == TIME + 5)
    log.pairs[at] = (*log.pairs[at][:2], [BODY_SALT, b"hello"])
    log.notes = {1: log.note(1), 5: log.note(5), 10: log.note(3)}
    return log, one, two


def faulty(data: bytes, **how: Any) -> tuple[str, int | None]:
    with pytest.raises(Ama2Error) as caught:
        replay(data, **how)
    return caught.value.code, caught.value.position


# -- whole histories -----------------------------------------------------------------------------------------------


def test_a_whole_history() -> None:
    log, one, two = history()
    found = replay(log.data(), realm=log.world.id)
    assert (found.realm, found.records, found.root) == (log.world.id, len(log.pairs), log.root(len(log.pairs)))
    assert (found.realm_retained, found.tail_compared) == (True, False)
    assert found.state.registry is not None
    assert registry_digest(found.state.registry) == registry_digest(log.world.registry)
    for talk in (one, two):
        assert conversation_digest(found.state.conversations[talk]) == conversation_digest(log.world.talk(talk))
    alone = replay(log.data())
    assert (alone.realm_retained, alone.tail_compared) == (False, False)


def test_a_checkpoint_that_was_kept() -> None:
    log, _, _ = history()
    for size in (1, 7, len(log.pairs)):
        for by in ("sequencer", "next"):
            found = replay(log.data(), checkpoint=log.note(size, by))
            assert (found.realm_retained, found.tail_compared) == (True, True)
    count = len(log.pairs)
    assert faulty(log.data(), checkpoint=log.note(5, root=ID)) == ("CheckpointForked", count)
    assert faulty(log.data(), checkpoint=log.note(count + 1)) == ("CheckpointStale", count)
    assert faulty(log.data(), checkpoint=log.note(5, "mallory")) == ("CheckpointKey", count)
    assert faulty(log.data(), checkpoint=b"") == ("CheckpointForm", count)
    other = sign_checkpoint(seed_of("sequencer"), origin_of("acme", ID), 5, log.root(5))
    assert faulty(log.data(), checkpoint=other) == ("CheckpointOther", count)


def test_filtered_histories() -> None:
    log, one, two = history()
    for talk in (one, two):
        data = log.data({log.world.id, talk})
        found = replay(data, conversation=talk, realm=log.world.id, checkpoint=log.note())
        assert (found.realm_retained, found.tail_compared) == (True, False)
        assert set(found.state.conversations) == {talk}
        assert conversation_digest(found.state.conversations[talk]) == conversation_digest(log.world.talk(talk))
        assert found.state.registry is not None
        assert registry_digest(found.state.registry) == registry_digest(log.world.registry)
        kept = [
            number for number, (record, _, _) in enumerate(log.pairs) if record.conversation in {log.world.id, talk}
        ]
        for number in kept[1:-1]:
            without = log.without(number).data({log.world.id, talk})
            last = [n for n in kept if log.pairs[n][0].conversation == log.pairs[number][0].conversation][-1]
            if number != last:
                assert code_of(replay, without, conversation=talk) != "ok", number  # a withheld record shows
        assert code_of(replay, data, conversation=one if talk == two else two) == "RecordVerdict"
        assert code_of(replay, data) in {"RecordPosition", "CheckpointStale"}


def test_the_steps_of_a_pair() -> None:
    log, _, _ = history()
    count = len(log.pairs)
    line = log.pairs[4][0].to_bytes()
    items = [HEADER, encode([2, line[:-1]]), encode([1, log.pairs[0][1], None])]
    assert faulty(b"".join(items)) == ("RecordForm", 0)
    for at, code, changes in (
        (0, "RecordPosition", {"position": 1}),
        (4, "RecordPosition", {"position": 5, "time": 0, "digest": ID}),
        (4, "RecordTime", {"time": TIME - 1, "registry_size": 9}),
        (4, "RecordRegistry", {"registry_size": 3, "digest": ID}),
        (0, "RecordRegistry", {"registry_size": 1}),
        (4, "RecordDigest", {"digest": ID, "prev": 9}),
        (4, "RecordDigest", {"message_id": ID, "prev": 9}),
        (7, "RecordPrev", {"prev": 0}),
        (7, "RecordPrev", {"conversation": ID}),
        (7, "RecordVerdict", {"conversation": ID, "prev": 0}),
        (7, "RecordVerdict", {"branch": ID}),
        (7, "RecordVerdict", {"index": 9}),
        (7, "RecordVerdict", {"code": CATALOGUE["SeqUsed"].number}),
        (9, "RecordVerdict", {"code": 0}),
        (9, "RecordVerdict", {"code": CATALOGUE["SeqUsed"].number}),
        (9, "RecordVerdict", {"index": 1}),
    ):
        assert faulty(log.with_record(at, **changes).data()) == (code, at), (at, changes)
    assert faulty(log.data(), realm=ID) == ("RealmOther", 0)
    # a verdict that depends on time: the kid is told apart from its principal by nothing else
    assert code_of(replay, log.with_record(count - 1, time=TIME + 99).data()) == "ok"


def test_what_had_to_be_refused_was_not_to_be_sequenced() -> None:
    log, one, _ = history()
    world = log.world
    forged = bytearray(world.say("alice", one))
    forged[-1] ^= 1
    for code, envelope in (
        ("KeyUnknown", world.say("alice", one, c4=[ID, None])),
        ("RealmOther", World(roots=3).genesis),
        ("RealmOther", world.say("alice", one, c1=ID)),
        ("ConversationUnknown", world.say("alice", one, c2=ID)),
    ):
        assert faulty(appended(log, envelope).data()) == (code, len(log.pairs))
    assert code_of(replay, appended(log, bytes(forged)).data()) in {"SignatureInvalid", "SignatureNotCanonical"}
    assert faulty(appended(log, b"").data()) == ("Truncated", len(log.pairs))


def appended(log: Log, envelope: bytes, code: str | None = None, **changes: Any) -> Log:
    """One more pair, with the record that a lying log might write."""
    last, registry_size = log.pairs[-1][0], log.world.registry.size
    message_id, conversation = ID, ID
    if code_of(parse, envelope) == "ok":
        entry = parse(envelope)
        message_id = entry.message_id
        conversation = message_id if entry.claims.kind in {1, 16} else entry.claims.conversation
    prev = max((record.position + 1 for record, _, _ in log.pairs if record.conversation == conversation), default=0)
    record = Record(
        position=last.position + 1,
        time=last.time,
        registry_size=registry_size,
        digest=hashlib.sha256(envelope).digest(),
        message_id=message_id,
        conversation=conversation,
        branch=bytes(32),
        index=0,
        prev=prev,
        code=0 if code is None else CATALOGUE[code].number,
    )
    return Log(log.world, [*log.pairs, (changed(record, **changes), envelope, None)], {})


def test_what_came_twice_is_rejected() -> None:
    log, one, two = history()
    for number, code in ((0, "GenesisInvalid"), (4, "SeqUsed"), (6, "SeqUsed"), (1, "SeqUsed")):
        envelope = log.pairs[number][1]
        assert replay(appended(log, envelope, code).data()).records == len(log.pairs) + 1, number
        assert faulty(appended(log, envelope).data())[0] == "RecordVerdict"
    assert one != two


def test_bodies_as_far_as_they_are_given() -> None:
    log, _, _ = history()
    at = next(n for n, (_, _, body) in enumerate(log.pairs) if body is not None)
    for body, code in (([BODY_SALT, b"jello"], "BodyMismatch"), ([BODY_SALT, b""], "BodySize"), (None, "ok")):
        log.pairs[at], before = (*log.pairs[at][:2], body), log.pairs[at]
        assert code_of(replay, log.data()) == code
        log.pairs[at] = before
    rejected = next(n for n, (record, _, _) in enumerate(log.pairs) if record.code)
    for number in (rejected, 0):
        log.pairs[number], before = (*log.pairs[number][:2], [BODY_SALT, b""]), log.pairs[number]
        assert faulty(log.data()) == ("BodyUnexpected", number)
        log.pairs[number] = before


def test_items_stand_where_they_belong() -> None:
    log, _, _ = history()
    record, entry = (encode([2, log.pairs[0][0].to_bytes()]), encode([1, log.pairs[0][1], None]))
    note = encode([3, log.note(1)])
    for code, items in (
        ("OpenMissing", []),
        ("ItemForm", [entry]),
        ("ItemForm", [record]),
        ("ItemForm", [record, record]),
        ("ItemForm", [record, note]),
        ("ItemForm", [encode([2, 0])]),
        ("ItemForm", [encode([2, b"", None])]),
        ("ItemForm", [encode([3, None])]),
        ("ItemForm", [record, encode([1, b""])]),
        ("ItemUnknown", [record, encode([5, b""])]),
        ("ItemUnknown", [HEADER]),
        ("ItemNotBuilt", [record, encode([4, b""])]),
        ("CheckpointKey", [note]),
        ("CheckpointForm", [encode([3, b""])]),
        ("Truncated", [record[:-1]]),
        ("ok", [record, entry, note]),
    ):
        assert code_of(replay, b"".join([HEADER, *items])) == code
    assert faulty(b"") == ("Truncated", 0)
    assert faulty(encode([0, "ama2sec-transcript", 2])) == ("TranscriptVersion", 0)


def test_checkpoints_in_a_transcript() -> None:
    log, one, _ = history()
    count = len(log.pairs)
    revoked = next(n for n, (record, _, _) in enumerate(log.pairs) if record.registry_size == log.world.registry.size)
    for at, note, code in (
        (5, log.note(5, "next"), "CheckpointKey"),
        (revoked, log.note(revoked), "CheckpointKey"),
        (revoked - 1, log.note(revoked - 1), "ok"),
        (revoked - 1, log.note(revoked - 1, "next"), "ok"),
        (revoked, log.note(revoked, "next"), "ok"),
        (5, log.note(6), "CheckpointStale"),
        (6, log.note(5, root=ID), "CheckpointRoot"),
        (count, log.note(count, "next"), "ok"),
        (5, log.note(5)[:-1], "CheckpointForm"),
    ):
        assert code_of(replay, Log(log.world, log.pairs, {at: note}).data()) == code, (at, code)
    lying = Log(log.world, log.pairs, {6: log.note(5, root=ID)})
    assert (
        code_of(replay, lying.data({log.world.id, one}), conversation=one) == "ok"
    )  # not compared in a filtered replay


def test_every_byte_of_every_record_counts() -> None:
    log, _, _ = history()
    few = Log(log.world, log.pairs[:8], {})
    replay(few.data())
    for number in (4, 7):
        line = few.pairs[number][0].to_bytes()
        for at in range(len(line)):
            broken = few.data().replace(line, line[:at] + bytes([line[at] ^ 0x40]) + line[at + 1 :], 1)
            if 10 <= at < 16 and line[at] ^ 0x40 > line[at]:
                continue  # a later time is a lie that only other clocks see
            assert code_of(replay, broken) != "ok", (number, at)


# -- checkpoints ---------------------------------------------------------------------------------------------------

ORIGIN, KEY = "acme/" + "ab" * 32, EnrolledKey(key_of("sequencer"))


def signed(size: int, root: bytes, origin: str = ORIGIN, by: str = "sequencer") -> bytes:
    return sign_checkpoint(seed_of(by), origin, size, root)


def test_a_checkpoint_and_its_parts() -> None:
    text = signed(12, ID)
    assert check_checkpoint(text, KEY, ORIGIN) == Checkpoint(ORIGIN, 12, ID)
    lines = text.decode().split("\n")
    assert (lines[:2], lines[3], lines[5]) == ([ORIGIN, "12"], "", "")
    other = signed(12, ID, by="next").decode().split("\n")[4]
    assert code_of(check_checkpoint, text + (other + "\n").encode(), KEY, ORIGIN) == "ok"
    assert code_of(check_checkpoint, text + text.split(b"\n\n")[1], KEY, ORIGIN) == "CheckpointKey"
    assert code_of(check_checkpoint, signed(12, ID, by="next"), KEY, ORIGIN) == "CheckpointKey"
    assert code_of(check_checkpoint, text, KEY, "acme/" + "00" * 32) == "CheckpointOther"
    assert code_of(check_checkpoint, text.replace(b"\n12\n", b"\n13\n"), KEY, ORIGIN) == "SignatureInvalid"
    short = (checkpoint_key_id(ORIGIN, KEY.raw) + bytes(63)).hex()
    line = "\u2014 " + ORIGIN + " " + base64.b64encode(bytes.fromhex(short)).decode()
    assert code_of(check_checkpoint, "\n".join([*lines[:4], line, ""]).encode(), KEY, ORIGIN) == "SignatureLength"


def test_the_form_of_a_checkpoint() -> None:
    text = signed(12, ID)
    origin, size, root, _, line, _ = text.decode().split("\n")

    def note(*parts: str) -> bytes:
        return "\n".join(parts).encode()

    def resized(text: str) -> bytes:
        return note(origin, text, root, "", line, "")

    dash, name, signature = line.split(" ")
    bad = [
        b"", text[:-1], text + b"\n", b"\n" + text, text.replace(b"\n\n", b"\n"), text + b"x",
        text.replace(b"acme", b"ac\tme"), text.replace(b"acme", b"ac\x7fme"), text.replace(b"acme", b"ac\xffme"),
        text.replace(b"\n", b"\r\n"), note("", size, root, "", line, ""), note(origin, size, root, ""),
        note(origin, size, root, "", ""), note(origin, size, root, "", *[line] * 17, ""), note(origin, size, root, "x", line, ""),
        *map(resized, ("0", "012", "-1", "+12", "1e1", " 12", str(1 << 48), "", "\u0661")),
        note(origin, size, root[:-1], "", line, ""), note(origin, size, root.replace("=", ""), "", line, ""),
        note(origin, size, root[:-2] + "p=", "", line, ""), note(origin, size, "aaaa", "", line, ""),
        note(origin, size, root, "", f"- {name} {signature}", ""), note(origin, size, root, "", f"{dash}  {name} {signature}", ""),
        note(origin, size, root, "", f"{dash} a+b {signature}", ""), note(origin, size, root, "", f"{dash} {'a' * 256} {signature}", ""),
        note(origin, size, root, "", f"{dash} {name} aaaa", ""), note(origin, size, root, "", f"{dash} {name} {signature} x", ""),
        note(origin, size, root, "", f"{dash} \u00fc {signature}", ""), note("x" * 8192, size, root, "", line, ""),
    ]  # fmt: skip
    for each in bad:
        assert code_of(check_checkpoint, each, KEY, ORIGIN) == "CheckpointForm", each[:100]
    good = [
        resized(str((1 << 48) - 1)),
        note(origin, size, root, "", *[line] * 16, ""),
        note("\u00fc x", size, root, "", line, ""),
    ]
    for each in good:
        assert code_of(check_checkpoint, each, KEY, ORIGIN) in {"SignatureInvalid", "CheckpointKey", "CheckpointOther"}


def test_two_checkpoints_are_compared() -> None:
    hashes = [rfc6962_leaf(bytes([n])) for n in range(9)]
    leaves = Leaves(hashes, REALM)
    small, large = (Checkpoint(ORIGIN, n, rfc6962_root(hashes[:n])) for n in (4, 9))
    proof = prove_consistency(leaves, 4, 9)
    assert compare(small, large, proof) == "extended"
    assert compare(large, small, proof) == "behind"
    assert compare(large, large) == "unchanged"
    wrong = Checkpoint(ORIGIN, 9, ID)
    assert code_of(compare, large, large, b"") == "ProofClaim"
    assert code_of(compare, large, wrong, b"") == "CheckpointForked"
    assert code_of(compare, small, large) == "NeedsProof"
    assert code_of(compare, small, wrong, proof) == "ProofRoot"
    assert code_of(compare, Checkpoint(ORIGIN, 4, ID), large, proof) == "ConsistencyRoot"
    assert code_of(compare, large, Checkpoint(ORIGIN, 4, ID), proof) == "ConsistencyRoot"
    assert code_of(compare, small, Checkpoint("x", 9, ID), proof) == "CheckpointOther"
    assert code_of(compare, small, large, proof[:-1]) == "ProofForm"


def test_evidence_of_a_fork() -> None:
    one, two, later = signed(5, ID), signed(5, b"j" * 32), signed(6, ID)
    found = check_fork(make_fork(two, one), KEY, ORIGIN)
    assert {found.first.root, found.second.root} == {ID, b"j" * 32}
    low, high = sorted((one, two))
    for code, evidence in (
        ("EvidenceForm", b""),
        ("EvidenceForm", encode(["ama2sec-fork", 1, high, low])),
        ("EvidenceForm", encode(["ama2sec-fork", 1, one, one])),
        ("EvidenceForm", encode(["ama2sec-fork", 2, low, high])),
        ("EvidenceForm", encode(["ama2sec-fork", True, low, high])),
        ("EvidenceForm", encode(["ama2sec-fork", 1, low, high, None])),
        ("EvidenceForm", make_fork(one, two) + b"\0"),
        ("EvidenceForm", make_fork(bytes(9000), bytes(9001))),
        ("CheckpointForm", make_fork(one, b"")),
        ("CheckpointKey", make_fork(one, signed(5, b"k" * 32, by="next"))),
        ("CheckpointOther", make_fork(one, signed(5, b"k" * 32, origin="acme/x"))),
        ("EvidenceInvalid", make_fork(one, later)),
        ("EvidenceInvalid", make_fork(one, one + signed(5, ID, by="next").split(b"\n\n")[1])),
    ):
        assert code_of(check_fork, evidence, KEY, ORIGIN) == code


# -- records and receipts ------------------------------------------------------------------------------------------


def test_the_bytes_of_a_record() -> None:
    record = Record(1, 2, 3, b"d" * 32, b"m" * 32, b"c" * 32, b"b" * 32, 4, 5, 308)
    data = record.to_bytes()
    assert data.hex() == (
        "61327201000000000001000000000002000000000003" + "64" * 32 + "6d" * 32 + "63" * 32 + "62" * 32
        + "000000000004000000000005" + "0134"
    )  # fmt: skip
    assert read_record(data) == record
    for each in (data[:-1], data + b"\0", b"a2r\x02" + data[4:], b""):
        assert code_of(read_record, each) == "RecordForm"


def test_receipts_promise_and_prove() -> None:
    log, _, _ = history()
    count, at = len(log.pairs), 5
    record, envelope, _ = log.pairs[at]
    origin, note = origin_of("acme", log.world.id), log.note()
    leaves = Leaves([rfc6962_leaf(each.to_bytes()) for each, _, _ in log.pairs], REALM)
    proof = prove_inclusion(leaves, at)
    promised = check_receipt(make_receipt(record.to_bytes(), note, None), envelope, KEY, origin)
    proved = check_receipt(make_receipt(record.to_bytes(), note, proof), encode([1, envelope, None]), KEY, origin)
    assert (promised.record, promised.proved, promised.checkpoint.size) == (record, False, count)
    assert proved.proved
    line = record.to_bytes()
    for code, parts in (
        ("ReceiptForm", ["ama2sec-receipt", 2, line, note, None]),
        ("ReceiptForm", ["ama2sec-receipt", 1, line, note]),
        ("ReceiptForm", ["ama2sec-receipt", 1, line, note, 0]),
        ("ReceiptForm", ["ama2sec-receipt", 1, line, note, bytes(16_384)]),
        ("RecordForm", ["ama2sec-receipt", 1, line[:-1], b"", b""]),
        ("RecordDigest", ["ama2sec-receipt", 1, changed(record, digest=ID).to_bytes(), b"", b""]),
        ("RecordDigest", ["ama2sec-receipt", 1, changed(record, message_id=ID).to_bytes(), b"", b""]),
        ("CheckpointForm", ["ama2sec-receipt", 1, line, b"", b""]),
        ("CheckpointKey", ["ama2sec-receipt", 1, line, log.note(by="next"), b""]),
        ("CheckpointStale", ["ama2sec-receipt", 1, line, log.note(at), b""]),
        ("ProofForm", ["ama2sec-receipt", 1, line, note, b""]),
        ("ProofClaim", ["ama2sec-receipt", 1, line, note, prove_inclusion(leaves, at, count - 1)]),
        ("ProofClaim", ["ama2sec-receipt", 1, line, note, prove_inclusion(leaves, at + 1)]),
        ("ProofClaim", ["ama2sec-receipt", 1, line, note, prove_inclusion(Leaves(leaves.leaves), at)]),
        ("ProofRoot", ["ama2sec-receipt", 1, changed(record, time=0).to_bytes(), note, proof]),
    ):
        assert code_of(check_receipt, encode(parts), envelope, KEY, origin) == code
    assert code_of(check_receipt, make_receipt(line, note, proof), log.pairs[6][1], KEY, origin) == "RecordDigest"
    assert code_of(check_receipt, make_receipt(line, note, proof), b"", KEY, origin) == "Truncated"
    assert code_of(check_receipt, b"\xff", envelope, KEY, origin) == "ReceiptForm"


# -- equivocation --------------------------------------------------------------------------------------------------


def test_evidence_of_equivocation() -> None:
    log, one, two = history()
    world, alice = log.world, EnrolledKey(key_of("alice"))

    def said(by: str = "alice", talk: bytes = one, **changes: Any) -> bytes:
        return world.say(by, talk, **{"c9": [TIME, 77]} | changes)

    first, second = said(), said(c11=b"x" * 16)
    found = check_equivocation(make_equivocation(first, second), alice)
    assert found.first.message_id < found.second.message_id
    low, high = found.first.data, found.second.data
    forged = bytearray(high)
    forged[-20] ^= 1
    for code, evidence in (
        ("EvidenceForm", b""),
        ("EvidenceForm", encode(["ama2sec-equivocation", 1, low])),
        ("EvidenceForm", bytes(131_649)),
        ("EvidenceInvalid", encode(["ama2sec-equivocation", 1, high, low])),
        ("EvidenceInvalid", encode(["ama2sec-equivocation", 1, low, low])),
        ("EvidenceInvalid", make_equivocation(first, said(c9=[TIME, 78]))),
        ("EvidenceInvalid", make_equivocation(first, said(talk=two))),
        ("EvidenceInvalid", make_equivocation(world.open("alice"), world.open("alice"))),
        ("KeyUnknown", encode(["ama2sec-equivocation", 1, said("bob"), b""])),
        ("Truncated", encode(["ama2sec-equivocation", 1, low, b""])),
        ("SignatureInvalid", encode(["ama2sec-equivocation", 1, low, bytes(forged)])),
    ):
        assert code_of(check_equivocation, evidence, alice) in {
            code,
            "SignatureNotCanonical" if "Sig" in code else code,
        }
    entries = [world.entry(TERM, "root-1", [n, ID, ""], c9=[TIME, 99]) for n in (1, 2)]
    assert code_of(check_equivocation, make_equivocation(*entries), EnrolledKey(key_of("root-1"))) == "ok"
