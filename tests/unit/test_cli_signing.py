"""sign: one message, streams, conversations."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ama2sec import Conversation, Directory, Identity, verify, verify_conversation
from ama2sec.limits import MAX_BODY
from tests.shell import ama2sec, process, start, terminal


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_message_goes_to_standard_output_or_to_a_new_file(here: Path, directory: Directory) -> None:
    piped = ama2sec("sign", "-k", "alice.key", "--to", "bob", "--to", "mallory", stdin=b"hello\0\xff")
    assert (piped.status, piped.err) == (0, "")
    message = verify(piped.out, directory)
    assert (message.sender, message.body, message.recipients) == ("alice", b"hello\0\xff", ["name:bob", "name:mallory"])
    assert message.media_type == "application/octet-stream"
    (here / "body").write_bytes(b"words")
    options = ["--body", "body", "--media-type", "text/markdown", "--out", "letter.ama"]
    filed = ama2sec("sign", "--key", "alice.key", *options)
    assert (filed.status, filed.text, filed.err) == (0, "signed  1 message\n", "")
    message = verify((here / "letter.ama").read_bytes(), directory)
    assert (message.body, message.media_type, message.recipients) == (b"words", "text/markdown", [])
    assert ama2sec("sign", "-k", "alice.key", "-o", "-", stdin=b"x").out.startswith(b"\x83\x01")
    shown = ama2sec("sign", "-k", "alice.key", "--json", stdin=b"x")
    assert list(shown.json) == ["id", "entry"]
    assert str(verify(bytes.fromhex(shown.json["entry"]), directory).id) == shown.json["id"]


LINE = b'{"body": "x"}\n'
CLASHES = [
    (["--jsonl", "--to", "bob"], "ArgumentRange", 20),
    (["--jsonl", "--media-type", "x/y"], "ArgumentRange", 20),
    (["--json", "--out", "x.ama"], "ArgumentRange", 20),
    (["--member", "bob"], "ArgumentRange", 20),
    (["--conversation", "c.ama"], "ArgumentRange", 20),
    (["--to", "Bob"], "ArgumentRange", 20),
    (["--to", "a/b"], "ArgumentRange", 20),
    (["--out", "team.json"], "FileExists", 21),
    (["--out", "no/such.ama"], "WriteFailed", 21),
    (["--body", "none"], "FileUnreadable", 21),
    (["--body", "."], "FileUnreadable", 21),
    (["--body", "long"], "BodyLimit", 20),
    (["-c", "c.ama", "-d", "team.json", "--to", "nobody"], "NameUnknown", 20),
    (["-c", "c.ama", "-d", "team.json", "--member", "nobody"], "NameUnknown", 20),
    (["-c", "c.ama", "-d", "none.json"], "FileUnreadable", 21),
    (["-c", "team.json", "-d", "team.json"], "Truncated", 11),
    (["-c", "team.json", "-d", "team.json", "--member", "bob"], "ArgumentRange", 20),
    (["-c", "c.ama", "-d", "team.json", "--out", "alice.key"], "FileExists", 21),
    (["-c", "no/such.ama", "-d", "team.json"], "WriteFailed", 21),
]


@pytest.mark.parametrize(
    ("options", "code", "status"), CLASHES, ids=lambda v: " ".join(v) if isinstance(v, list) else str(v)
)
def test_what_is_refused_writes_nothing(options: list[str], code: str, status: int, here: Path) -> None:
    (here / "long").write_bytes(b"x" * (MAX_BODY + 1))
    before = names(here)
    shown = ama2sec("sign", "-k", "alice.key", *options, stdin=LINE)
    assert (shown.code, shown.status) == (code, status), shown
    assert (shown.out + shown.err.encode()).count(b"\n") == 1
    left = {name for name in names(here) - before if not name.endswith(".lock")}
    assert left <= ({"c.ama", "c.ama.epochs"} if code == "FileExists" and "c.ama" in options else set())


def test_the_longest_body_is_signed_and_a_longer_one_is_not(here: Path, directory: Directory) -> None:
    done = ama2sec("sign", "-k", "alice.key", stdin=b"x" * MAX_BODY)
    assert len(verify(done.out, directory).body or b"") == MAX_BODY
    shown = ama2sec("sign", "-k", "alice.key", stdin=b"x" * (MAX_BODY + 1))
    assert (shown.status, shown.out, shown.err.split(":")[0]) == (20, b"", "BodyLimit")


def test_bytes_are_not_written_to_a_terminal_and_a_body_is_asked_for_on_one(here: Path, directory: Directory) -> None:
    status, shown = terminal("sign", "-k", "alice.key")
    assert status == 20
    assert "--out FILE" in shown
    status, shown = terminal("sign", "-k", "alice.key", "-o", "letter.ama", answers=[("Ctrl-D", b"typed\n\x04")])
    assert status == 0, shown
    assert verify((here / "letter.ama").read_bytes(), directory).body == b"typed\n"


def test_the_body_may_be_piped_while_the_terminal_is_asked_for_the_passphrase(
    here: Path, alice: Identity, directory: Directory
) -> None:
    alice.save("sealed.key", passphrase="horse")
    (here / "body").write_bytes(b"piped")
    answers = [("Passphrase: ", b"horse\n")]
    status, shown = terminal("sign", "-k", "sealed.key", "-b", "body", "-o", "letter.ama", answers=answers)
    assert status == 0, shown
    assert "horse" not in shown
    assert verify((here / "letter.ama").read_bytes(), directory).body == b"piped"


# -- streams -------------------------------------------------------------------------------------------------------


def test_lines_become_messages(here: Path, directory: Directory) -> None:
    turns = [
        {"body": "grüße"},
        {"body_hex": "00ff", "to": ["bob"]},
        {"body": "{}", "media_type": "application/json", "to": []},
    ]
    given = b"\n".join(json.dumps(turn).encode() for turn in turns) + b"\n\n  \n"
    shown = ama2sec("sign", "-k", "alice.key", "--jsonl", "--json", stdin=given)
    messages = [verify(bytes.fromhex(line["entry"]), directory) for line in shown.lines]
    assert [(m.body, m.media_type, m.recipients) for m in messages] == [
        ("grüße".encode(), "text/plain;charset=utf-8", []),
        (b"\x00\xff", "application/octet-stream", ["name:bob"]),
        (b"{}", "application/json", []),
    ]
    (here / "turns.jsonl").write_bytes(given)
    assert (
        ama2sec("sign", "-k", "alice.key", "--jsonl", "-b", "turns.jsonl", "-o", "s.ama").text == "signed  3 messages\n"
    )
    verdicts = ama2sec("verify", "s.ama", "-d", "team.json", "--json").lines
    assert [v.get("ok") for v in verdicts] == [True] * 4
    assert ama2sec("sign", "-k", "alice.key", "--jsonl", stdin=given).out.count(b"ama2sec-message+cose") == 3


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"[]",
        b'"text"',
        b"{}",
        b'{"body": "x", "body_hex": "00"}',
        b'{"body": 7}',
        b'{"body": null}',
        b'{"body_hex": "0"}',
        b'{"body_hex": 7}',
        b'{"body": "x", "to": "bob"}',
        b'{"body": "x", "to": [7]}',
        b'{"body": "x", "to": ["Bob"]}',
        b'{"body": "x", "media_type": null}',
        b'{"body": "x", "form": "bob"}',
        b'{"body": "\\ud800"}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
    ids=lambda line: line[:30].decode("latin1"),
)
def test_a_wrong_line_is_named_and_a_file_is_not_written(line: bytes, here: Path) -> None:
    given = LINE + b"\n" + line + b"\n" + LINE
    shown = ama2sec("sign", "-k", "alice.key", "--jsonl", "-o", "s.ama", stdin=given)
    assert (shown.status, shown.err.split(":")[0]) == (20, "ArgumentRange")
    assert "line 2" in shown.err
    assert names(here) == {"alice.key", "bob.key", "team.json"}
    piped = ama2sec("sign", "-k", "alice.key", "--jsonl", stdin=given)
    assert piped.status == 20
    whole = ama2sec("verify", "-d", "team.json", "--json", stdin=piped.out)
    assert (whole.status, whole.json["ok"]) == (0, True), "what went out is whole"


def test_a_line_that_never_ends_is_refused_in_bounded_memory(here: Path) -> None:
    shown = ama2sec("sign", "-k", "alice.key", "--jsonl", "--json", stdin=LINE + b'{"body": "' + b"x" * (2 << 20))
    assert [line.get("code") for line in shown.lines] == [None, "SizeLimit"]
    assert shown.status == 11
    assert "line 2" in shown.lines[1]["got"]


def test_a_live_stream_is_answered_line_by_line(here: Path) -> None:
    running = start("sign", "-k", "alice.key", "--jsonl", "--json")
    assert running.stdin is not None
    assert running.stdout is not None
    for _ in range(3):
        running.stdin.write(LINE)
        running.stdin.flush()
        assert json.loads(running.stdout.readline())["id"]
    _, err = running.communicate()
    assert (running.returncode, err) == (0, b"")


# -- conversations -------------------------------------------------------------------------------------------------


def test_a_conversation_is_made_and_goes_on(here: Path, directory: Directory) -> None:
    options = ["-c", "trip.ama", "-d", "team.json"]
    first = ama2sec(
        "sign", "-k", "alice.key", *options, "--member", "alice", "--member", "bob", "--to", "bob", stdin=b"1"
    )
    assert first.status == 0, first.err
    assert first.text.splitlines()[0] == "signed  1 message"
    second = ama2sec("sign", "-k", "bob.key", *options, "--jsonl", "--json", stdin=LINE * 3)
    assert [sorted(line) for line in second.lines] == [["entry", "id"]] * 3 + [["head", "ok", "signed"]]
    head = second.lines[-1]["head"]
    report = verify_conversation("trip.ama", directory, head=head)
    assert (report.entries, report.authors, report.tail) == (5, 2, "checked")
    third = ama2sec("sign", "-k", "alice.key", *options, "--out", "sent.ama", stdin=b"2")
    assert third.text.splitlines()[-1].startswith("head    6:")
    assert (here / "trip.ama").read_bytes().endswith((here / "sent.ama").read_bytes())
    assert str(verify_conversation("trip.ama", directory).head) == third.text.split()[-1]


def test_a_stranger_cannot_speak_and_a_second_writer_waits_outside(
    here: Path, alice: Identity, directory: Directory
) -> None:
    options = ["-c", "trip.ama", "-d", "team.json"]
    ama2sec("sign", "-k", "alice.key", *options, "--member", "alice", stdin=b"1")
    before = (here / "trip.ama").read_bytes()
    shown = ama2sec("sign", "-k", "bob.key", *options, stdin=b"2")
    assert (shown.status, shown.err.split(":")[0]) == (13, "NotAMember")
    with Conversation.load("trip.ama", alice, directory):
        shown = ama2sec("sign", "-k", "alice.key", *options, stdin=b"2")
        assert (shown.status, shown.err.split(":")[0]) == (20, "AgentInUse")
    assert (here / "trip.ama").read_bytes() == before


def test_what_a_crash_left_is_cut_off_and_told(here: Path, directory: Directory) -> None:
    options = ["-c", "trip.ama", "-d", "team.json"]
    ama2sec("sign", "-k", "alice.key", *options, stdin=b"1")
    data = (here / "trip.ama").read_bytes()
    (here / "trip.ama").write_bytes(data[:-5])
    shown = ama2sec("sign", "-k", "alice.key", *options, stdin=b"2")
    assert shown.status == 0
    assert "never finished were cut off" in shown.err
    assert verify_conversation("trip.ama", directory).entries == 2


def test_an_input_without_lines_makes_no_conversation(here: Path) -> None:
    shown = ama2sec("sign", "-k", "alice.key", "-c", "trip.ama", "-d", "team.json", "--jsonl", stdin=b"\n \n")
    assert (shown.status, shown.err.split(":")[0]) == (20, "ArgumentRange")
    assert not (here / "trip.ama").exists()


def test_a_directory_can_come_from_the_environment(here: Path) -> None:
    shown = process("sign", "-k", "alice.key", "-c", "trip.ama", stdin=b"1", AMA2SEC_DIRECTORY=str(here / "team.json"))
    assert shown.status == 0, shown.err
    assert os.path.exists("trip.ama")
