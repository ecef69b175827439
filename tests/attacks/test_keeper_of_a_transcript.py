"""The keeper of a transcript edits the file at will. What a later author or a retained head covers must not change unseen."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from ama2sec import HistoryError, verify_conversation
from tests.attacks.target import DIRECTORY, honest_still_passes, judge_history, refused_history
from tests.vectors.making.claims import TIME
from tests.vectors.making.people import ALICE, BOB, CAROL, Person
from tests.vectors.making.talk import Entry, Talk, entry, file

PEOPLE = (ALICE, BOB, CAROL)


def seen_by(position: int) -> int:
    """How many entries the author at a position had seen (``talk_of``)."""
    return max(1, position - position % 3)


def talk_of(size: int, salt: str = "") -> Talk:
    """Three members in turn; everybody has seen everything but the last one or two."""
    talk = Talk().open()
    for n in range(1, size):
        talk.say(PEOPLE[n % 3], f"{salt}{n}", n=seen_by(n))
    return talk


TALK = talk_of(9)
OTHER = talk_of(9, "other ")
FILE, HEAD = file(TALK.items), TALK.head()


def edits() -> Iterator[tuple[str, list[bytes]]]:
    """Everything that one can do to whole entries, once."""
    items = TALK.items
    size = len(items)
    for i in range(size):
        yield f"drop {i}", items[:i] + items[i + 1 :]
        if i:  # both have the same open
            yield f"other {i}", [*items[:i], OTHER.items[i], *items[i + 1 :]]
        yield f"body altered {i}", [*items[:i], altered(TALK.entries[i]), *items[i + 1 :]]
        for j in range(size + 1):
            if j != i:
                yield f"copy {i} to {j}", [*items[:j], items[i], *items[j:]]
            if j not in (i, i + 1):
                rest = items[:i] + items[i + 1 :]
                at = j - (j > i)
                yield f"move {i} to {at}", [*rest[:at], items[i], *rest[at:]]
    for i, j in itertools.combinations(range(size), 2):
        swapped = list(items)
        swapped[i], swapped[j] = swapped[j], swapped[i]
        yield f"swap {i} {j}", swapped
    for end in range(size):
        yield f"cut at {end}", items[:end]


def altered(made: Entry) -> bytes:
    """The entry with one bit of its body turned; an entry without a body gets one."""
    body = bytes([made.body[0] ^ 1]) + made.body[1:] if made.body else b"x"
    return entry(made.envelope, made.salt or bytes(32), body)


def test_a61_no_edit_passes_a_retained_head() -> None:
    count = 0
    for name, items in edits():
        code, position = judge_history(file(items), HEAD)
        assert code != "ok", name
        # What stands before the first difference is sound.
        same = next(
            (i for i, (a, b) in enumerate(zip(items, TALK.items, strict=False)) if a != b),
            min(len(items), len(TALK.items)),
        )
        assert position >= same or code == "HeadStale", name
        count += 1
    assert count > 200
    assert judge_history(FILE, HEAD) == ("ok", len(TALK.entries))


def test_a61_without_a_head_only_a_tail_can_go_unseen() -> None:
    """What passes is a beginning of the honest file, or an order of messages of which nobody has seen the other."""
    accepted = []
    for name, items in edits():
        code, _ = judge_history(file(items))
        if code == "ok":
            accepted.append(name)
            assert (
                sorted(items) == sorted(TALK.items) or items == TALK.items[: len(items)] or set(items) < set(TALK.items)
            ), name
            # Every author's own words stand in the author's own order, and nothing is there that was not signed.
            for person in PEOPLE:
                own = [e.item for e in TALK.entries if e.author is person]
                found = [item for item in items if item in own]
                assert found == [item for item in own if item in found], name
    assert "cut at 5" in accepted
    assert not [name for name in accepted if name.split()[0] in ("other", "body", "copy")]
    honest_still_passes()


def test_a61_the_file_is_replaced_by_an_older_one() -> None:
    for size in range(1, 9):
        refused_history("HeadStale", size, file(TALK.items[:size]), HEAD)
    refused_history("OpenMissing", 0, file([]), HEAD)


def test_a61_the_file_is_replaced_by_another_of_the_same_length() -> None:
    assert [a.id == b.id for a, b in zip(TALK.entries, OTHER.entries, strict=True)] == [True] + [False] * 8
    refused_history("HeadForked", 8, file(OTHER.items), HEAD)
    for size in range(2, 9):
        refused_history("HeadForked", size - 1, file(OTHER.items), TALK.head(size))
    longer = talk_of(12, "other ")
    refused_history("HeadForked", 8, file(longer.items), HEAD)


def test_two_histories_for_two_readers_meet_in_one_head() -> None:
    """One open, then two continuations, each sound alone. Whoever compares heads of one size sees the fork."""
    assert judge_history(FILE)[0] == judge_history(file(OTHER.items))[0] == "ok"
    for size in range(2, 10):
        assert TALK.head(size) != OTHER.head(size)
    # And an author who has seen the one cannot be put into the other.
    for n in range(1, 9):
        spliced = [*TALK.items[:n], *OTHER.items[n:]]
        if n != 1:
            assert judge_history(file(spliced))[0] in ("ContextForked", "ContextAhead"), n


def test_a_keeper_can_withhold_a_body_and_cannot_replace_it() -> None:
    """The one thing that may be taken out: it is not in the history (envelope.7), and the reader is told."""
    withheld = [entry(each.envelope) for each in TALK.entries]
    assert judge_history(file(withheld), HEAD) == ("ok", 9)
    for i, made in enumerate(TALK.entries):
        if made.body is not None:
            for salt, body in (
                (made.salt, made.body + b" "),
                (bytes(32), made.body),
                (made.salt, OTHER.entries[i].body),
            ):
                assert body is not None
                items = [*TALK.items[:i], entry(made.envelope, salt, body), *TALK.items[i + 1 :]]
                code = "BodySize" if len(body) != len(made.body) else "BodyMismatch"
                refused_history(code, i, file(items), HEAD)


@pytest.mark.parametrize("place", range(1, 9))
def test_a61_the_report_names_what_is_proved(place: int) -> None:
    """Dropped or altered, an entry that a later author names is named. What nobody has seen can be dropped unseen, without a head."""
    gone = TALK.entries[place].id.hex()
    dropped = file(TALK.items[:place] + TALK.items[place + 1 :])
    covered = any(seen_by(n) > place for n in range(place + 1, 9))
    named = any(seen_by(n) - 1 == place for n in range(place + 1, 9))
    if not covered:
        assert judge_history(dropped) == ("ok", 8)
    elif named:
        assert gone in {each for repair in _report(dropped)["repairs"] for each in repair["ids"]}
    changed = _report(file([*TALK.items[:place], altered(TALK.entries[place]), *TALK.items[place + 1 :]]))
    assert changed["first_fault"]["position"] == place
    if named:
        kinds = {repair["kind"]: repair for repair in changed["repairs"]}
        assert gone in kinds["altered"]["ids"]


def _report(data: bytes) -> dict:  # type: ignore[type-arg]
    with pytest.raises(HistoryError) as caught:
        verify_conversation(data, DIRECTORY)
    assert isinstance(caught.value.report, dict)
    return caught.value.report


def test_an_authors_own_key_rewrites_only_what_nobody_has_seen() -> None:
    """A keeper who is also a member signs another version of his own message: everybody who has seen the first denies it."""

    def rewritten(place: int, author: Person) -> list[bytes]:
        other = Entry(author, {**TALK.entries[place].claims, 10: TIME - 1, 12: None})
        return [*TALK.items[:place], other.item, *TALK.items[place + 1 :]]

    for place in range(1, 8):
        code, position = judge_history(file(rewritten(place, PEOPLE[place % 3])))
        later = [n for n in range(place + 1, 9) if seen_by(n) > place]
        assert (code, position) == (("ContextForked", later[0]) if later else ("ok", 9))
        refused_history(
            "HeadForked" if not later else "ContextForked",
            8 if not later else later[0],
            file(rewritten(place, PEOPLE[place % 3])),
            HEAD,
        )


@pytest.mark.parametrize(
    ("junk", "code", "explained"), [(b"\x80", "ItemUnknown", 1024), (b"\x81\x01", "ItemForm", 4096)]
)
def test_a_file_full_of_junk_takes_no_memory_for_each_byte(junk: bytes, code: str, explained: int) -> None:
    """Entries of one byte each: after a bounded number of them nothing is kept, and the report says so (fingerprint.8.3)."""
    more = 3 * explained
    report = _report(FILE + junk * more)
    assert (report["first_fault"]["code"], report["sound"]) == (code, 9)
    assert (report["entries_read"], report["judged"]) == (9 + more, False)
    assert report["misfits_after"] <= explained
    few = _report(FILE + junk * 20)
    assert (few["entries_read"], few["judged"], few["misfits_after"]) == (29, True, 19)
