"""The reference reads transcripts: each step of fingerprint.5 and fingerprint.6, its refusal and its position."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ama2sec.reference
from ama2sec.errors import Ama2Error
from ama2sec.limits import MAX_ITEM
from ama2sec.reference import Head, encode, verify_transcript
from tests.world import BODY_SALT, HEADER, KID, ZEROS, Talk, directory, entry, message_claims, open_claims, signed

KNOWN = directory()
ID = b"i" * 32


def talk() -> Talk:
    return Talk.opened().say("bob", body=b"hello").say("alice").say("bob", seen=2).say("alice", seen=1)


def verdict(data: bytes, head: str | None = None) -> tuple[str, int | None]:
    try:
        verify_transcript(data, KNOWN, head=head)
    except Ama2Error as fault:
        return fault.code, fault.position if fault.sound == fault.position else -1
    return "ok", None


def test_an_honest_conversation() -> None:
    honest = talk()
    found = verify_transcript(honest.data(), directory())
    assert (found.head_text, found.entries, found.authors, found.lag) == (honest.head(), 5, 2, 3)
    assert not found.head_compared
    for size in range(1, 6):
        assert verify_transcript(honest.data(), directory(), head=honest.head(size)).head_compared
        assert verify_transcript(honest.data(honest.items[:size]), directory()).head_text == honest.head(size)


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("Truncated", b""),
        ("Truncated", HEADER[:-1]),
        ("TypeForbidden", b"\xd2" + HEADER),
        ("NotMinimal", b"\x83\x18\x00\x00"),
        ("TranscriptForm", b"\x00"),
        ("TranscriptForm", b"\x80"),
        ("TranscriptForm", encode([0, "ama2sec-transcript"])),
        ("TranscriptForm", encode([0, "ama2sec-transcript", 1, 1])),
        ("TranscriptForm", encode([1, "ama2sec-transcript", 1])),
        ("TranscriptForm", encode([False, "ama2sec-transcript", 1])),
        ("TranscriptForm", encode([0, "ama2sec", 1])),
        ("TranscriptForm", encode([0, b"ama2sec-transcript", 1])),
        ("TranscriptForm", encode([0, "ama2sec-transcript", -1])),
        ("TranscriptForm", encode([0, "ama2sec-transcript", True])),
        ("TranscriptForm", entry(b"")),
        ("TranscriptVersion", encode([0, "ama2sec-transcript", 2])),
        ("TranscriptVersion", encode([0, "ama2sec-transcript", 0])),
        ("OpenMissing", HEADER),
    ],
)
def test_the_header(code: str, data: bytes) -> None:
    assert verdict(data) == (code, 0)


@pytest.mark.parametrize(
    ("code", "item"),
    [
        *(("ItemNotBuilt", encode([kind, *rest])) for kind in (2, 3, 4) for rest in ([], [None, {}])),
        ("ItemUnknown", HEADER),
        ("ItemUnknown", encode([5, b"", None])),
        ("ItemUnknown", encode([-1, b"", None])),
        ("ItemUnknown", encode([True, b"", None])),
        ("ItemUnknown", encode(["1", b"", None])),
        ("ItemUnknown", encode([])),
        ("ItemUnknown", encode({1: 1})),
        ("ItemUnknown", encode(1)),
        ("ItemForm", encode([1])),
        ("ItemForm", encode([1, b""])),
        ("ItemForm", encode([1, b"", None, None])),
        ("ItemForm", encode([1, "", None])),
        ("ItemForm", encode([1, b"", False])),
        ("ItemForm", encode([1, b"", []])),
        ("ItemForm", encode([1, b"", [b"", b""]])),
        ("ItemForm", encode([1, b"", [bytes(31), b""]])),
        ("ItemForm", encode([1, b"", [BODY_SALT, ""]])),
        ("ItemForm", encode([1, b"", [BODY_SALT, b"", b""]])),
        ("Truncated", encode([1, b"", None])[:-1]),
        ("Truncated", encode([1, b"", None])),  # the envelope, once the entry's form is right
        ("TypeForbidden", b"\xc0"),
        ("DepthLimit", b"\x81" * 9 + bytes(9)),
    ],
)
def test_items(code: str, item: bytes) -> None:
    honest = talk()
    for place in (1, 3):
        items = [*honest.items[:place], item]
        assert verdict(honest.data(items)) == (code, place)
        if code != "Truncated":
            assert verdict(honest.data(items) + b"\xff") == (code, place)  # the first fault is the verdict


def test_items_have_a_largest_size() -> None:
    honest = talk()
    start = honest.data(honest.items[:2])
    head = b"\x83\x01\x5a" + MAX_ITEM.to_bytes(4, "big")
    assert verdict(start + head + bytes(MAX_ITEM - len(head))) == ("Truncated", 2)
    assert verdict(start + head + bytes(MAX_ITEM - len(head) + 1)) == ("SizeLimit", 2)
    assert verdict(start + head + bytes(2 * MAX_ITEM)) == ("SizeLimit", 2)
    envelope = b"\x83\x01\x5a" + (MAX_ITEM - 8).to_bytes(4, "big") + bytes(MAX_ITEM - 8) + b"\xf6"
    assert len(envelope) == MAX_ITEM
    assert verdict(start + envelope) == ("SizeLimit", 2)  # of the envelope: an item of this size is read
    assert verdict(b"\x83\x00\x5a" + MAX_ITEM.to_bytes(4, "big") + bytes(MAX_ITEM)) == ("SizeLimit", 0)


def after(honest: Talk, author: str = "alice", seen: int | None = None, **changes: Any) -> tuple[str, int | None]:
    """The verdict on one more entry by ``author``."""
    more = entry(signed(honest.claims(author, seen, **changes), author))
    return verdict(honest.data([*honest.items, more]))


def test_steps_1_and_2_the_envelope() -> None:
    honest = talk()
    item = honest.items[1]
    assert verdict(honest.data([honest.items[0], entry(b"\xd2\x00")])) == ("EnvelopeForm", 1)
    broken = entry(honest.envelopes[2].data[:-1] + bytes([honest.envelopes[2].data[-1] ^ 1]))
    assert verdict(honest.data([*honest.items[:2], broken])) == ("SignatureInvalid", 2)
    assert verdict(honest.data([honest.items[0], item.replace(b"hello", b"jello")])) == ("BodyMismatch", 1)
    assert verdict(honest.data([honest.items[0], entry(honest.envelopes[1].data, b"hell")])) == ("BodySize", 1)
    assert verdict(honest.data([honest.items[0], entry(honest.envelopes[1].data)])) == ("ok", None)  # withheld
    assert verdict(honest.data([*honest.items[:2], entry(honest.envelopes[2].data, b"")])) == ("BodyUnexpected", 2)
    assert after(honest, "warden") == ("PurposeWrong", 5)
    assert after(honest, c1=ID, c5=[1, ID, 1, ID]) == ("RealmOther", 5)
    with pytest.raises(Ama2Error, match="KeyUnknown"):
        verify_transcript(honest.data(), ama2sec.reference.Directory())


def test_step_3_one_open_and_first() -> None:
    honest = talk()
    assert verdict(honest.data(honest.items[1:])) == ("OpenMissing", 0)
    assert verdict(honest.data([*honest.items, honest.items[0]])) == ("OpenAgain", 5)
    assert verdict(honest.data([*honest.items, entry(signed(open_claims("mallory"), "mallory"))])) == ("OpenAgain", 5)


def test_step_4_the_conversation() -> None:
    honest = talk()
    assert after(honest, c2=ID) == ("ConversationOther", 5)
    assert verdict(honest.data([*honest.items, entry(signed(message_claims()))])) == ("ConversationOther", 5)


def test_step_5_members_by_id_or_by_the_directorys_name() -> None:
    members = sorted(["bob", KID["alice"]], key=encode)
    closed = Talk.opened(c13=members).say("bob").say("alice")
    assert verdict(closed.data()) == ("ok", None)
    assert after(closed, "mallory") == ("NotAMember", 3)
    assert verdict(Talk.opened(c13=["bob"]).data()) == ("NotAMember", 0)
    assert verdict(Talk.opened(c13=["alice"]).data()) == ("ok", None)
    assert verdict(Talk.opened().say("mallory").data()) == ("ok", None)  # null: everyone enrolled
    assert after(closed, "mallory", c2=ID) == ("ConversationOther", 3)


def test_steps_6_and_7_the_authors_numbers() -> None:
    honest = talk()
    last = honest.counters["alice"]
    assert after(honest, c9=[7, last + 1]) == ("ok", None)
    assert after(honest, c9=[7, last]) == ("SeqUsed", 5)
    assert after(honest, c9=[6, (1 << 32) - 1]) == ("SeqUsed", 5)
    assert after(honest, c9=[8, 0]) == ("ok", None)
    assert after(honest, c9=[8, 1 << 16]) == ("ok", None)
    assert after(honest, c9=[8, (1 << 16) + 1]) == ("SeqWindow", 5)
    assert after(honest, c9=[7, last + (1 << 16)]) == ("ok", None)
    assert after(honest, c9=[7, last + (1 << 16) + 1]) == ("SeqWindow", 5)
    assert after(honest, "mallory", c9=[0, 0]) == ("ok", None)  # the first number of an author
    assert after(honest, "mallory", c9=[0, (1 << 16) + 1]) == ("SeqWindow", 5)
    assert verdict(honest.data([*honest.items, honest.items[4]])) == ("SeqUsed", 5)  # the same bytes twice
    assert verdict(honest.data([*honest.items[:3], honest.items[2]])) == ("SeqUsed", 3)


def test_step_8_the_branch() -> None:
    honest = talk()
    assert after(honest, c6=[ID, honest.envelopes[4].message_id, []]) == ("BranchUnknown", 5)


def test_steps_9_and_10_the_context() -> None:
    honest = talk()
    parent = honest.envelopes[4].message_id
    assert after(honest, c5=[6, honest.prints[5], 0, ZEROS]) == ("ContextAhead", 5)
    assert after(honest, c5=[4, honest.prints[5], 0, ZEROS]) == ("ContextForked", 5)
    assert after(honest, c5=[5, honest.prints[4], 0, ZEROS]) == ("ContextForked", 5)
    assert after(honest, c6=[honest.id, ID, []]) == ("ContextForked", 5)
    assert after(honest, c6=[honest.id, parent, []]) == ("ok", None)
    for seen in range(1, 6):
        assert after(honest, seen=seen) == ("ok", None)


def test_step_11_merges() -> None:
    honest = talk()
    parent = honest.envelopes[4].message_id
    assert after(honest, c6=[honest.id, parent, [[ID, 1, ID]]]) == ("MergeNotBuilt", 5)
    assert after(honest, c6=[honest.id, ID, [[ID, 1, ID]]]) == ("ContextForked", 5)


def test_step_12_the_head_that_was_kept() -> None:
    honest = talk()
    other = Talk.opened().say("bob").say("alice").say("bob").say("alice")
    assert verdict(honest.data(), head=f"6:{ID.hex()}") == ("HeadStale", 5)
    for size in range(2, 6):
        assert verdict(honest.data(), head=other.head(size)) == ("HeadForked", size - 1)
    assert verdict(honest.data(honest.items[:2]) + b"\xff", head=other.head(2)) == ("HeadForked", 1)
    assert verdict(honest.data(honest.items[:1]) + b"\xff", head=other.head(2)) == ("IndefiniteLength", 1)
    assert verdict(HEADER, head=honest.head()) == ("OpenMissing", 0)


def test_the_form_of_a_head() -> None:
    good = f"{(1 << 48) - 1}:{ID.hex()}"
    assert Head.from_text(good).to_text() == good
    for text in (
        *("", "1", f"0:{ID.hex()}", f"01:{ID.hex()}", f"+1:{ID.hex()}", f" 1:{ID.hex()}", f"1:{ID.hex()}\n"),
        *(f"1:{ID.hex()[1:]}", f"1:{ID.hex().upper()}"[:-1] + "F", f"1:{'g' * 64}", f"{1 << 48}:{ID.hex()}"),
        *(f"{'9' * 5000}:{ID.hex()}", f"\u0661:{ID.hex()}", f"-1:{ID.hex()}", f"1:{ID.hex()}:"),
    ):
        assert verdict(talk().data(), head=text) == ("HeadForm", None), text


def test_every_cut_and_every_broken_byte_is_noticed() -> None:
    honest = Talk.opened().say("bob", body=b"hello").say("alice")
    data, head = honest.data(), honest.head()
    for length in range(len(data)):
        assert verdict(data[:length], head=head)[0] != "ok"
    for place in range(0, len(data), 3):
        broken = bytearray(data)
        broken[place] ^= 1 << place % 8
        assert verdict(bytes(broken), head=head)[0] != "ok", place


def test_only_immutable_bytes() -> None:
    with pytest.raises(Ama2Error, match="NotBytes"):
        verify_transcript(bytearray(talk().data()), directory())  # type: ignore[arg-type]


def test_a_long_conversation_takes_linear_work() -> None:
    long = Talk.opened()
    for number in range(600):
        long.say(("alice", "bob", "mallory")[number % 3], seen=max(1, number - 40))
    found = verify_transcript(long.data(), directory(), head=long.head(601))
    assert (found.entries, found.authors, found.lag) == (601, 3, 41)


# -- without the compiled module -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_all_of_this_without_the_compiled_module(tmp_path: Path) -> None:
    here = Path(__file__).parent
    source = Path(ama2sec.reference.__file__).parents[1]
    shutil.copytree(source, tmp_path / "ama2sec", ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    for folder in ("unit", "vectors"):
        (tmp_path / "tests" / folder).mkdir(parents=True)
    for name in (
        "__init__.py",
        "world.py",
        "realm_world.py",
        "workflow_world.py",
        "naive_tree.py",
        "vectors/proofs.json",
    ):
        shutil.copy(here.parent / name, tmp_path / "tests" / name)
    for file in here.glob("test_reference_*.py"):
        shutil.copy(file, tmp_path / "tests" / "unit" / file.name)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\npythonpath = .\naddopts = --import-mode=importlib\nmarkers = slow\n"
    )
    missing = subprocess.run(
        [sys.executable, "-c", "import ama2sec._native._core"],
        cwd=tmp_path,
        env=_clean(),
        capture_output=True,
        check=False,
    )
    assert b"ModuleNotFoundError" in missing.stderr
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=_clean(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " passed" in done.stdout


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "COV"))}
