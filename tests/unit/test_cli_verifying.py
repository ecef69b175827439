"""verify: one message, streams, conversations; every verdict and its status."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ama2sec import Conversation, Directory, Identity, _native
from ama2sec._native import SigningKey
from ama2sec.history import write_transcript
from ama2sec.limits import MAX_BODY, MAX_ITEM
from tests.conftest import identity
from tests.shell import ama2sec, process, start

SUMMARY = ["authors", "conversation", "entries", "head", "lag", "ok", "tail"]
MESSAGE = [
    *("ok", "id", "sender", "kind", "conversation", "context", "recipients"),
    *("time_claimed", "body", "media_type"),
]


def letter(body: bytes = b"hello", to: tuple[str, ...] = ("bob",)) -> bytes:
    return identity("alice", 1).sign(body, to=to, media_type="text/plain").to_bytes()


def bare(entry: bytes) -> bytes:
    return _native.parse(entry).envelope


def trip(directory: Directory, turns: int = 6, path: str = "trip.ama") -> str:
    authors = [identity("alice", 1), identity("bob", 2)]
    said = [(authors[i % 2], f"turn {i}".encode(), 1_790_000_000_000 + i) for i in range(turns)]
    return str(write_transcript(path, authors[0], said, directory, members=["alice", "bob"]))


def test_a_valid_message(here: Path) -> None:
    (here / "letter.ama").write_bytes(letter())
    for shown in (
        ama2sec("verify", "letter.ama", "-d", "team.json"),
        ama2sec("verify", "-", "--directory", "team.json", stdin=letter()),
        ama2sec("verify", "-d", "team.json", stdin=letter()),
    ):
        assert (shown.status, shown.err) == (0, "")
        assert shown.text.startswith("valid: signed by alice\n")
        assert shown.text.endswith("body            present (text/plain)\n  | hello\n")
        assert all(len(line) <= 80 for line in shown.text.splitlines())
    shown = ama2sec("verify", "letter.ama", "-d", "team.json", "--json")
    assert list(shown.json) == MESSAGE
    assert shown.json["sender"] == "alice"
    shown = ama2sec("verify", "letter.ama", "-d", "team.json", "--json", "--bodies")
    assert bytes.fromhex(shown.json["body_hex"]) == b"hello"


def test_the_verified_body_is_written_to_a_new_file_or_not_at_all(here: Path) -> None:
    (here / "letter.ama").write_bytes(letter(b"\x00 body"))
    assert ama2sec("verify", "letter.ama", "-d", "team.json", "--body", "out").status == 0
    assert (here / "out").read_bytes() == b"\x00 body"
    shown = ama2sec("verify", "letter.ama", "-d", "team.json", "--body", "out")
    assert (shown.status, shown.err.split(":")[0]) == (21, "FileExists")
    damaged = letter()[:-1] + b"!"
    shown = ama2sec("verify", "-d", "team.json", "--body", "none", stdin=damaged)
    assert shown.status == 16
    withheld = bare(letter())
    shown = ama2sec("verify", "-d", "team.json", "--body", "none", stdin=withheld)
    assert (shown.status, shown.err.split(":")[0]) == (16, "BodyMissing")
    assert not (here / "none").exists()


def test_a_withheld_body_is_said_or_refused(here: Path) -> None:
    withheld = bare(letter())
    assert "body            withheld" in ama2sec("verify", "-d", "team.json", stdin=withheld).text
    shown = ama2sec("verify", "-d", "team.json", "--json", "--bodies", stdin=withheld)
    assert (shown.json["body"], shown.json["body_hex"]) == ("withheld", None)
    shown = ama2sec("verify", "-d", "team.json", "--require-body", stdin=withheld)
    assert (shown.status, shown.err.split(":")[0]) == (16, "BodyMissing")
    stream = b"".join(json.dumps({"envelope": withheld.hex()}).encode() + b"\n" for _ in range(2))
    assert ama2sec("verify", "-d", "team.json", stdin=stream).status == 0
    shown = ama2sec("verify", "-d", "team.json", "--require-body", "--json", stdin=stream)
    assert shown.status == 16
    assert [line.get("code") for line in shown.lines] == ["BodyMissing", "BodyMissing", None]


def signed_by(name: str, seed: int, purpose: str = "message") -> bytes:
    return identity(name, seed, purpose).sign(b"x").to_bytes()


def other_realm() -> bytes:
    claims = {
        "realm": "11" * 32,
        "conversation": "00" * 32,
        "kind": "open",
        "recipients": [],
        "agent_identity": {"agent": "22" * 32, "grant": None},
        "context_fingerprint": {
            "size": 0,
            "fingerprint": "00" * 32,
            "registry_size": 1,
            "registry_fingerprint": "33" * 32,
        },
        "execution_path": {"branch": "00" * 32, "parent": None, "merges": []},
        "workflow_state": None,
        "time": 1,
        "salt": "00" * 16,
        "body": None,
        "members": None,
        "workflow": {"required": False, "definition": None},
    }
    made, _ = _native.make(SigningKey.from_seed(b"\1" * 32), json.dumps(claims), None, None, None, None)
    return made


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


# The signature stands before the body's salt and the body: [1, envelope, [58 20 salt, 45 "hello"]].
SIGNATURE = -(6 + 34 + 1)
CASES: list[tuple[str, Callable[[], bytes], str, int]] = [
    ("signature", lambda: flipped(letter(), SIGNATURE - 40), "SignatureInvalid", 10),
    (
        "S too large",
        lambda: letter()[: SIGNATURE - 32] + b"\xff" * 32 + letter()[SIGNATURE:],
        "SignatureNotCanonical",
        10,
    ),
    ("empty", lambda: b"", "Truncated", 11),
    ("cut", lambda: letter()[:-1], "Truncated", 11),
    ("cut early", lambda: letter()[:1], "Truncated", 11),
    ("text", lambda: b"hello", "Truncated", 11),
    ("trailing, bare", lambda: bare(letter()) + b"\0", "TrailingBytes", 11),
    ("too long", lambda: b"\xd2" + b"\0" * MAX_ITEM, "SizeLimit", 11),
    ("unknown", lambda: signed_by("eve", 9), "KeyUnknown", 12),
    ("operator", lambda: signed_by("warden", 4, "operator"), "PurposeWrong", 13),
    ("realm", other_realm, "RealmOther", 13),
    ("body", lambda: letter()[:-1] + b"!", "BodyMismatch", 16),
    ("salt", lambda: flipped(letter(), -7), "BodyMismatch", 16),
]


@pytest.mark.parametrize(("make", "code", "status"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_wrong_with_one_message(make: Callable[[], bytes], code: str, status: int, here: Path) -> None:
    data = make()
    shown = ama2sec("verify", "-d", "team.json", stdin=data)
    assert (shown.err.split(":")[0], shown.status) == (code, status), shown
    assert (shown.out, shown.err.count("\n")) == (b"", 1)
    shown = ama2sec("verify", "-d", "team.json", "--json", stdin=data)
    assert (shown.json["code"], shown.json["ok"], shown.status, shown.err) == (code, False, status, "")


# -- options that do not apply -------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["letter", "stream", "lines", "trip"])
def test_an_option_that_would_have_no_effect_is_refused(what: str, here: Path, directory: Directory) -> None:
    trip(directory)
    data = {
        "letter": letter(),
        "stream": letter() * 2,
        "lines": json.dumps({"entry": letter().hex()}).encode(),
        "trip": (here / "trip.ama").read_bytes(),
    }[what]
    applies = {
        ("--head", "1:" + "0" * 64): {"trip"},
        ("--impl", "reference"): {"trip"},
        ("--body", "out"): {"letter"},
        ("--require-body",): {"letter", "stream", "lines"},
        ("--bodies", "--json"): {"letter", "stream", "lines"},
        ("--bodies",): set(),
    }
    for option, where in applies.items():
        shown = ama2sec("verify", "-d", "team.json", *option, stdin=data)
        refused = (shown.status, b"ArgumentRange" in shown.out or "ArgumentRange" in shown.err) == (20, True)
        assert refused == (what not in where), (option, shown)


# -- streams -------------------------------------------------------------------------------------------------------


def test_a_sequence_gets_one_verdict_a_line(here: Path) -> None:
    stream = letter() + signed_by("eve", 9) + letter()[:-1] + b"!" + letter(b"")
    shown = ama2sec("verify", "-d", "team.json", stdin=stream)
    assert shown.status == 12, "that of the first that is not valid"
    assert [line.split()[:2] for line in shown.text.splitlines()] == [
        ["0", "valid"],
        ["1", "NOT"],
        ["2", "NOT"],
        ["3", "valid"],
    ]
    assert shown.err == "2 of 4 valid\n"
    lines = ama2sec("verify", "-d", "team.json", "--json", "--bodies", stdin=stream).lines
    assert [line.get("code") for line in lines] == [None, "KeyUnknown", "BodyMismatch", None, None]
    assert [line.get("item") for line in lines] == [0, 1, 2, 3, None]
    assert lines[0]["body_hex"] == b"hello".hex()
    assert lines[-1] == {"ok": False, "messages": 4, "valid": 2}
    assert ama2sec("verify", "-d", "team.json", stdin=letter() * 2).status == 0


@pytest.mark.parametrize(
    ("tail", "code"),
    [(b"\0", "ItemUnknown"), (b"\xff", "IndefiniteLength"), (letter()[:-1], "Truncated"), (letter()[:3], "Truncated")],
)
def test_a_fault_of_the_framing_is_the_last_verdict(tail: bytes, code: str, here: Path) -> None:
    shown = ama2sec("verify", "-d", "team.json", "--json", stdin=letter() * 3 + tail)
    assert [line.get("code") for line in shown.lines] == [None, None, None, code, None]
    assert shown.status == 11


def test_lines_get_one_verdict_each(here: Path) -> None:
    good = json.dumps({"entry": letter().hex()})
    envelope = json.dumps({"envelope": bare(letter()).hex(), "id": "whatever"})
    wrong = [
        "{",
        "[]",
        "7",
        "{}",
        '{"entry": 7}',
        '{"entry": "0"}',
        '{"entry": ""}',
        '{"entry": "zz"}',
        "null",
        "\ud800",
    ]
    given = "\n".join([good, "", envelope, *wrong, good]).encode(errors="surrogatepass")
    shown = ama2sec("verify", "-d", "team.json", "--json", stdin=given)
    found = [line.get("code") for line in shown.lines]
    assert found == [None, None, *["EnvelopeForm"] * 6, "Truncated", *["EnvelopeForm"] * 3, None, None]
    assert (shown.status, shown.lines[-1]) == (11, {"ok": False, "messages": 13, "valid": 3})
    long = good.encode() + b"\n{" + b" " * (2 << 20)
    shown = ama2sec("verify", "-d", "team.json", "--json", stdin=long)
    assert [line.get("code") for line in shown.lines] == [None, "SizeLimit", None]


def test_a_live_stream_is_answered_as_it_comes(here: Path) -> None:
    for given in (letter(), json.dumps({"entry": letter().hex()}).encode() + b"\n"):
        running = start("verify", "-d", "team.json", "--json")
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(given)
        running.stdin.flush()
        for number in range(3):
            running.stdin.write(given)
            running.stdin.flush()
            assert json.loads(running.stdout.readline())["item"] == number
        out, _ = running.communicate()
        assert json.loads(out.splitlines()[-1]) == {"ok": True, "messages": 4, "valid": 4}


def test_many_long_messages_go_through_in_batches(here: Path) -> None:
    stream = letter(b"x" * MAX_BODY) * 80 + letter() * 600
    shown = ama2sec("verify", "-d", "team.json", "--json", stdin=stream)
    assert shown.lines[-1] == {"ok": True, "messages": 680, "valid": 680}


def test_a_pipe_will_do_for_a_file(here: Path, directory: Directory) -> None:
    trip(directory)
    for data in (letter(), letter() * 2, (here / "trip.ama").read_bytes()):
        reading, writing = os.pipe()
        os.write(writing, data)
        os.close(writing)
        try:
            assert ama2sec("verify", f"/dev/fd/{reading}", "-d", "team.json").status == 0
        finally:
            os.close(reading)


# -- conversations -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("impl", ["rust", "reference"])
def test_a_valid_conversation(impl: str, here: Path, directory: Directory) -> None:
    head = trip(directory)
    shown = ama2sec("verify", "trip.ama", "-d", "team.json", "--impl", impl)
    assert (shown.status, shown.err) == (0, "")
    assert "7 entries by 2 authors" in shown.text
    assert "unchecked" in shown.text
    assert shown.text.splitlines()[-1] == f"head  {head}"
    assert all(len(line) <= 80 for line in shown.text.splitlines())
    shown = ama2sec("verify", "trip.ama", "-d", "team.json", "--head", head, "--json", "--implementation", impl)
    more = ["implementation"] if impl == "reference" else []
    assert set(SUMMARY + more) - {"conversation"} <= set(shown.json)
    assert {
        **shown.json,
        "head": head,
        "entries": 7,
        "authors": 2,
        "lag": 0,
        "tail": "checked",
        "ok": True,
    } == shown.json


def cut(data: bytes, directory: Directory) -> bytes:
    del directory
    return data[: -len(_entries(data)[-1])]


def _entries(data: bytes) -> list[bytes]:
    return list(_native.TranscriptReader().feed(data))


def altered(data: bytes, directory: Directory) -> bytes:
    del directory
    entries = _entries(data)
    entries[3] = entries[3].replace(b"turn", b"burn")
    return _native.transcript_header() + b"".join(entries)


def swapped(data: bytes, directory: Directory) -> bytes:
    del directory
    entries = _entries(data)
    entries[3], entries[4] = entries[4], entries[3]
    return _native.transcript_header() + b"".join(entries)


def dropped(data: bytes, directory: Directory) -> bytes:
    del directory
    entries = _entries(data)
    return _native.transcript_header() + b"".join(entries[:3] + entries[4:])


CONVERSATIONS = [
    (altered, "BodyMismatch", 16, "was altered"),
    (swapped, "ContextAhead", 14, ""),
    (dropped, "ContextAhead", 14, "missing"),
    (cut, "HeadStale", 15, "cut off"),
    (lambda data, _: data[:-1], "Truncated", 11, ""),
    (lambda data, _: data[:22] + b"\xff" + data[23:], "IndefiniteLength", 11, ""),
    (lambda data, _: data[:21] + b"\x02" + data[22:], "TranscriptVersion", 11, ""),
    (lambda data, _: data[:22], "OpenMissing", 14, ""),
]


@pytest.mark.parametrize("impl", ["rust", "reference"])
@pytest.mark.parametrize(
    ("damage", "code", "status", "told"), CONVERSATIONS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_what_is_wrong_with_a_conversation(
    damage: Callable[[bytes, Directory], bytes],
    code: str,
    status: int,
    told: str,
    impl: str,
    here: Path,
    directory: Directory,
) -> None:
    head = trip(directory)
    (here / "bad.ama").write_bytes(damage((here / "trip.ama").read_bytes(), directory))
    options = ["verify", "bad.ama", "-d", "team.json", "--head", head, "--impl", impl]
    shown = ama2sec(*options)
    assert shown.status == status, shown
    assert shown.text.startswith("NOT VALID")
    assert f"  {code}: " in shown.text
    if impl == "rust":
        assert told in shown.text
    assert all(len(line) <= 80 for line in shown.text.splitlines() if code not in line)
    shown = ama2sec(*options, "--json")
    assert (shown.status, shown.json["code"], shown.err) == (status, code, "")
    if impl == "rust":
        assert {"entries_read", "sound", "first_fault", "repairs", "head"} <= set(shown.json["report"])


def test_the_exit_statuses_tell_the_classes_apart() -> None:
    assert {case[3] for case in CASES} | {case[2] for case in CONVERSATIONS} == {10, 11, 12, 13, 14, 15, 16}


@pytest.mark.parametrize("head", ["", "3", "3:zz", "0:" + "0" * 64, "03:" + "0" * 64, "3:" + "A" * 64, "\x1b[31m"])
def test_a_wrong_head_is_the_callers_fault_and_no_verdict(head: str, here: Path, directory: Directory) -> None:
    trip(directory)
    shown = ama2sec("verify", "trip.ama", "-d", "team.json", f"--head={head}")
    assert (shown.status, shown.err.split(":")[0], shown.out) == (20, "ArgumentRange", b"")
    assert "\x1b" not in shown.err


def test_another_conversations_head_forks(here: Path, directory: Directory) -> None:
    trip(directory)
    other = trip(directory, 3, "other.ama")
    shown = ama2sec("verify", "trip.ama", "-d", "team.json", "--head", other)
    assert shown.status == 14
    assert "HeadForked" in shown.text


def test_no_directory_is_taken_from_the_folder_that_one_stands_in(here: Path, directory: Directory) -> None:
    directory.save("directory.json")
    (here / "letter.ama").write_bytes(letter())
    assert process("verify", "letter.ama").status == 2
    assert process("verify", "letter.ama", AMA2SEC_DIRECTORY="team.json").status == 0


def test_both_members_copies_verify(here: Path, alice: Identity, bob: Identity, directory: Directory) -> None:
    with Conversation.create("a.ama", alice, directory) as chat:
        with Conversation.join("b.ama", bob, directory, chat.to_bytes()) as copy:
            copy.receive(chat.send(b"one").to_bytes())
        head = str(chat.head)
    for path in ("a.ama", "b.ama"):
        assert ama2sec("verify", path, "-d", "team.json", "--head", head).status == 0
