"""Conversations with anything done to them: both implementations give one code at one place, whatever the size of the pieces."""

from __future__ import annotations

import io
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ama2sec import Ama2Error, verify_conversation
from tests.attacks.target import DIRECTORY, judge_history
from tests.vectors.making.cbor import encode, head
from tests.vectors.making.claims import TIME, ZERO, id_of
from tests.vectors.making.people import ALICE, BOB, CAROL, MALLORY, STRANGER
from tests.vectors.making.talk import HEADER, Entry, Talk, entry, file

MEMBERS = (ALICE, BOB, CAROL)


@st.composite
def talks(draw: Any, most: int = 8) -> Talk:
    """A sound conversation: who, whether with a body, having seen how many."""
    talk = Talk().open()
    for position in range(1, draw(st.integers(1, most)) + 1):
        author = draw(st.sampled_from(MEMBERS))
        talk.say(author, draw(st.none() | st.text(max_size=12)), n=draw(st.integers(1, position)))
    return talk


@settings(deadline=None, max_examples=60)
@given(talks(), st.data())
def test_what_is_sound_is_accepted_with_each_of_its_heads(talk: Talk, data: st.DataObject) -> None:
    whole, size = file(talk.items), len(talk.entries)
    assert judge_history(whole) == ("ok", size)
    kept = data.draw(st.integers(1, size))
    assert judge_history(whole, talk.head(kept)) == ("ok", size)
    cut = data.draw(st.integers(0, size))
    expected = ("ok", cut) if cut >= kept else ("HeadStale", cut) if cut else ("OpenMissing", 0)
    assert judge_history(file(talk.items[:cut]), talk.head(kept)) == expected
    report = verify_conversation(whole, DIRECTORY)
    assert report.authors == len({each.author.name for each in talk.entries})
    assert report.lag == max(i - each.claims[5][0] for i, each in enumerate(talk.entries))  # type: ignore[index]


def _drop(draw: Any, talk: Talk, items: list[bytes]) -> None:
    if items:
        items.pop(draw(st.integers(0, len(items) - 1)))


def _copy(draw: Any, talk: Talk, items: list[bytes]) -> None:
    items.insert(draw(st.integers(0, len(items))), draw(st.sampled_from(talk.items)))


def _move(draw: Any, talk: Talk, items: list[bytes]) -> None:
    if items:
        item = items.pop(draw(st.integers(0, len(items) - 1)))
        items.insert(draw(st.integers(0, len(items))), item)


def _forge(draw: Any, talk: Talk, items: list[bytes]) -> None:
    """An authentic entry of anybody, with some claims of his choice."""
    author = draw(st.sampled_from((*MEMBERS, MALLORY, STRANGER)))
    ids = talk.ids
    n = draw(st.integers(1, len(ids)))
    seq = draw(
        st.none() | st.tuples(st.integers(TIME - 1, TIME + 4), st.sampled_from([0, 99, 100, 101, 65536, 65537, 70000]))
    )
    changes: dict[object, Any] = {}
    if draw(st.booleans()):
        ahead = draw(st.integers(1, 10))
        changes[5] = [
            ahead,
            draw(st.sampled_from([id_of(1), bytes.fromhex(talk.head(min(ahead, len(ids))).split(":")[1])])),
            0,
            ZERO,
        ]
    if draw(st.integers(0, 3)) == 0:
        changes[2] = id_of(1)
    if draw(st.booleans()):
        merges = draw(st.sampled_from([[], [], [[id_of(9), 1, id_of(9)]]]))
        changes[6] = [
            draw(st.sampled_from([ids[0], ids[0], id_of(1)])),
            draw(st.sampled_from([*ids, id_of(2)])),
            merges,
        ]
    made = talk.draft(author, n=n, seq=seq, changes=changes)
    items.insert(draw(st.integers(0, len(items))), made.item)


def _strip(draw: Any, talk: Talk, items: list[bytes]) -> None:
    """Withhold a body, or give another."""
    place = draw(st.integers(0, len(talk.entries) - 1))
    made: Entry = talk.entries[place]
    body = draw(st.sampled_from([None, b"", b"other", made.body]))
    items[:] = [entry(made.envelope, made.salt or ZERO, body) if item == made.item else item for item in items]


def _other_item(draw: Any, talk: Talk, items: list[bytes]) -> None:
    strange = [encode([number]) for number in range(6)] + [
        HEADER,
        b"\xff",
        b"\x80",
        encode("x"),
        head(4, 2**63),
        b"\x83\x01",
        encode([1, b"", None]),
    ]
    items.insert(draw(st.integers(0, len(items))), draw(st.sampled_from(strange)))


def _bit(draw: Any, talk: Talk, items: list[bytes]) -> None:
    if items:
        place = draw(st.integers(0, len(items) - 1))
        item = bytearray(items[place])
        if item:
            item[draw(st.integers(0, len(item) - 1))] ^= 1 << draw(st.integers(0, 7))
        items[place] = bytes(item)


EDITS = [_drop, _copy, _move, _forge, _forge, _strip, _other_item, _bit]


@settings(deadline=None, max_examples=120)
@given(talks(), st.data())
def test_whatever_is_done_to_a_file_is_judged_alike(talk: Talk, data: st.DataObject) -> None:
    items = list(talk.items)
    for _ in range(data.draw(st.integers(1, 3))):
        data.draw(st.sampled_from(EDITS))(data.draw, talk, items)
    whole = file(items)
    kept = data.draw(st.sampled_from([None, talk.head(), talk.head(1), "3:" + "0" * 64]))
    found = judge_history(whole, kept)
    assert in_pieces(whole, kept, data.draw(st.lists(st.integers(1, 300), min_size=1, max_size=20))) == found
    if found[0] == "ok" and kept == talk.head():
        # Behind a head that was kept everything is as it was; more may stand behind it.
        envelopes = [each.envelope for each in talk.entries]
        assert all(envelope in item for envelope, item in zip(envelopes, items, strict=False))


class Pieces(io.RawIOBase):
    """A stream that gives as much at a time as it likes."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.data, self.sizes, self.turn = data, sizes, 0

    def read(self, size: int = -1) -> bytes:
        taken = self.sizes[self.turn % len(self.sizes)]
        self.turn += 1
        piece, self.data = self.data[:taken], self.data[taken:]
        return piece


def in_pieces(data: bytes, kept: str | None, sizes: list[int]) -> tuple[str, int]:
    """The core's verdict over a stream in pieces."""
    try:
        return "ok", verify_conversation(Pieces(data, sizes), DIRECTORY, head=kept).entries  # type: ignore[arg-type]
    except Ama2Error as fault:
        assert isinstance(fault.report, dict)
        return fault.code, fault.report["sound"]
