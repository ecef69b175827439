"""A stranger on the wire reads, drops, delays, reorders, alters and replays any bytes."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ama2sec import Ama2Error, Conversation, Directory, verify
from tests.attacks.target import DIRECTORY, honest_still_passes, judge, judge_history, refused, refused_history
from tests.conftest import identity
from tests.vectors.making.cbor import Raw, encode, head
from tests.vectors.making.claims import id_of, message, opening
from tests.vectors.making.envelope import commitment, cose, header, seal
from tests.vectors.making.people import ALICE, BOB
from tests.vectors.making.talk import HEADER, Entry, Talk, file

ENVELOPES = {"open": seal(opening()), "message": seal(message())}


def flipped(data: bytes, bit: int) -> bytes:
    """The data with one bit turned."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize("kind", ENVELOPES)
def test_a02_every_single_bit_counts(kind: str) -> None:
    envelope = ENVELOPES[kind]
    codes = Counter(judge(flipped(envelope, bit)) for bit in range(8 * len(envelope)))
    assert "ok" not in codes
    # Bits of salts, ids and times leave a message that reads well: there only the signature speaks.
    assert codes["SignatureInvalid"] > 500, codes
    assert len(codes) >= 15, codes
    honest_still_passes()


def test_a02_every_single_bit_of_a_file_counts() -> None:
    salt, body = bytes(range(32)), b"hello"
    first = Entry(ALICE, opening({12: [commitment(salt, body), len(body), "text/plain"]}), salt, body)
    data = HEADER + first.item
    codes = Counter(judge_history(flipped(data, bit))[0] for bit in range(8 * len(data)))
    assert "ok" not in codes
    # All of the salt and all of the body.
    assert codes["BodyMismatch"] == 8 * (len(salt) + len(body))
    assert codes["TranscriptVersion"] >= 4
    assert len(codes) >= 18, codes
    honest_still_passes()


def test_a02_bits_across_a_longer_file() -> None:
    talk = Talk().open()
    talk.say(BOB, "yes")
    talk.say(ALICE, "no", n=1)
    data = file(talk.items)
    ends = list(itertools.accumulate(map(len, talk.items), initial=len(HEADER)))
    for bit in range(0, 8 * len(data), 13):
        code, position = judge_history(flipped(data, bit))
        assert code != "ok"
        hit = sum(end <= bit // 8 for end in ends) - 1
        assert position <= max(hit, 0), "an entry that was not touched is not the first to fail before one that was"
    honest_still_passes()


@pytest.mark.parametrize("kind", ENVELOPES)
def test_a03_every_truncation(kind: str) -> None:
    envelope = ENVELOPES[kind]
    for end in range(len(envelope)):
        assert judge(envelope[:end]) == "Truncated", end
    honest_still_passes()


def test_a03_every_truncation_of_a_file() -> None:
    talk = Talk().open()
    talk.say(BOB, "yes")
    data, kept = file(talk.items), talk.head()
    whole = {len(HEADER): 0, len(HEADER) + len(talk.items[0]): 1}
    for end in range(len(data)):
        found = judge_history(data[:end], kept)
        if end in whole:
            assert found == (("HeadStale", 1) if whole[end] else ("OpenMissing", 0))
        else:
            assert found == ("Truncated", int(end > len(HEADER) + len(talk.items[0])))


def test_a04_anything_appended() -> None:
    envelope = ENVELOPES["message"]
    for byte in range(256):
        assert judge(envelope + bytes([byte])) == "TrailingBytes"
    for count in range(1, 9):
        refused("TrailingBytes", envelope + b"\xf6" * count)
    refused("TrailingBytes", envelope + envelope)
    refused("TrailingBytes", envelope + ENVELOPES["open"])


def test_bytes_taken_out_or_put_in_anywhere() -> None:
    envelope = ENVELOPES["message"]
    for at in range(len(envelope)):
        assert judge(envelope[:at] + envelope[at + 1 :]) != "ok"
        assert judge(envelope[:at] + b"\x00" + envelope[at:]) != "ok"
        assert judge(envelope[:at] + envelope[at : at + 1] + envelope[at:]) != "ok"


def test_a05_every_head_in_every_wider_form() -> None:
    """One head of the frame, the header or the claims is written longer, and all lengths around it are made to fit."""
    claims = encode(message())
    found = 0
    for place, whole in (("header", header(ALICE.kid)), ("claims", claims)):
        for start, major, number, width in _heads(whole):
            for wider in (1, 2, 4, 8):
                if wider > width:
                    longer = whole[:start] + head(major, number, wider) + whole[start + 1 + width :]
                    protected, payload = (longer, claims) if place == "header" else (header(ALICE.kid), longer)
                    assert judge(cose(protected, payload, bytes(64))) == "NotMinimal"
                    found += 1
    for start, major, number, width in _heads(ENVELOPES["message"][1:]):
        for wider in (1, 2, 4, 8):
            if wider > width:
                rest = ENVELOPES["message"][1:]
                assert (
                    judge(b"\xd2" + rest[:start] + head(major, number, wider) + rest[start + 1 + width :])
                    == "NotMinimal"
                )
                found += 1
    assert found > 150
    honest_still_passes()


def _heads(data: bytes) -> list[tuple[int, int, int, int]]:
    """Where each head of sound CBOR starts, its major type, number and width."""
    found, at = [], 0
    while at < len(data):
        major, info = data[at] >> 5, data[at] & 31
        width = 0 if info < 24 else 1 << info - 24
        number = info if width == 0 else int.from_bytes(data[at + 1 : at + 1 + width], "big")
        if major < 7:
            found.append((at, major, number, width))
        at += 1 + width + (number if major in (2, 3) else 0)
    return found


@pytest.mark.parametrize("depth", [9, 1_000, 60_000])
def test_a09_depth(depth: int) -> None:
    for piece in (b"\x81", b"\xa1\x00"):
        bomb = piece * depth + b"\x00"
        if len(bomb) < 65_000:
            inside = (
                bomb,
                b"\xd2" + bomb,
                cose(bomb, b"", b""),
                seal(bomb),
                cose(Raw(bomb), b"", b""),
                cose(header(ALICE.kid), b"", b"", Raw(bomb)),
            )
            for envelope in inside:
                assert judge(envelope) == "DepthLimit"
    honest_still_passes()


def test_a32_replay_in_the_same_conversation() -> None:
    talk = Talk().open()
    talk.say(BOB, "pay 5")
    talk.say(ALICE, "done")
    refused_history("SeqUsed", 3, file([*talk.items, talk.items[1]]))
    refused_history("OpenAgain", 3, file([*talk.items, talk.items[0]]))


def test_a33_replay_elsewhere() -> None:
    talk, other = Talk().open(), Talk().open(BOB)
    talk.say(BOB, "pay 5")
    refused_history("ConversationOther", 1, file([*other.items, talk.items[1]]))
    refused("RealmOther", seal(message({1: id_of(1), 5: [1, id_of(6), 1, id_of(7)]})))
    others = Directory()
    others.enrol(BOB.public, name="alice")
    with pytest.raises(Ama2Error, match="KeyUnknown"):
        verify(ENVELOPES["message"], others)


def test_a36_every_order_of_delivery_ends_in_one_history(tmp_path: Path) -> None:
    alice, bob = identity("alice", 1), identity("bob", 2)
    with Conversation.create(tmp_path / "a", alice, DIRECTORY, members=["alice", "bob"]) as chat:
        opened = chat.to_bytes()
        sent = [chat.send(f"{n}".encode()).to_bytes() for n in range(4)]
        kept = chat.head
    for number, order in enumerate(itertools.permutations(range(4))):
        with Conversation.join(tmp_path / f"b{number}", bob, DIRECTORY, opened) as copy:
            waiting = list(order)
            while waiting:
                for n in list(waiting):
                    try:
                        copy.receive(sent[n])
                    except Ama2Error as fault:
                        assert (fault.code, n > copy.size - 1) == ("ContextAhead", True)
                    else:
                        waiting.remove(n)
                    # The same bytes twice change nothing, whether they were taken or not.
                    size = copy.size
                    if n in waiting:
                        with pytest.raises(Ama2Error, match="ContextAhead"):
                            copy.receive(sent[n])
                    else:
                        copy.receive(sent[n])
                    assert copy.size == size
            assert copy.head == kept


def test_a10_declared_lengths_allocate_nothing() -> None:
    """Half a gigabyte of declarations: memory is that of the bytes that are there."""
    program = """
import resource, sys
from tests.attacks.target import judge, judge_history
from tests.vectors.making.cbor import head
from tests.vectors.making.claims import message
from tests.vectors.making.envelope import seal
from tests.vectors.making.talk import HEADER, Talk, file

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1 << 20 if sys.platform == "darwin" else 1 << 10)

talk = file(Talk().open().items)
judge(seal(message())), judge_history(talk)
before = peak()
for length in (2**28, 2**29, 2**31 - 1, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1):
    for major in (2, 3, 4, 5):
        huge = head(major, length)
        for data in (huge, b"\\xd2\\x84" + huge, seal(b"\\xa1\\x01" + huge), b"\\xd2" + huge):
            assert judge(data + b"\\0" * 9) != "ok"
        for data in (huge, HEADER + huge, talk + huge, talk + b"\\x83\\x01" + huge):
            assert judge_history(data + b"\\0" * 400_000)[0] != "ok"
print(before, peak())
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    before, after = map(int, found.stdout.split())
    assert after - before < 32, f"{after - before} MiB more"
