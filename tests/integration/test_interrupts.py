"""A signal half-way: no verdict, nothing half-written, and what was answered stays."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from ama2sec import Conversation, Directory, verify_conversation
from tests.conftest import identity
from tests.integration.test_bad_input import LINE, files
from tests.shell import start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_while_a_file_is_written_leaves_no_file(number: int, chat: Path) -> None:
    before = files(chat)
    running = start("sign", "-k", "alice.key", "--jsonl", "-o", "out.ama")
    assert running.stdin is not None
    # More than a pipe holds: when it is written, most of it has been signed.
    running.stdin.write(LINE * 20_000)
    running.stdin.flush()
    assert [path for path in chat.iterdir() if path.name.startswith(".ama2sec-")], "it is being written"
    running.send_signal(number)
    out, err = running.communicate()
    assert (running.returncode, out) == (128 + number, b"")
    assert err.startswith(b"Cancelled: ")
    assert err.count(b"\n") == 1
    assert files(chat) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stop_while_a_conversation_goes_on_keeps_what_was_answered(
    number: int, chat: Path, directory: Directory
) -> None:
    running = start("sign", "-k", "alice.key", "-c", "trip.ama", "-d", "team.json", "--jsonl", "--json")
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write(LINE * 200)
    running.stdin.flush()
    answered = [json.loads(running.stdout.readline())["entry"] for _ in range(20)]
    running.send_signal(number)
    out, _ = running.communicate()
    assert running.returncode == (-number if number == signal.SIGKILL else 128 + number)
    found = [json.loads(line) for line in out.splitlines() if line.endswith(b"}")]
    answered += [line["entry"] for line in found if "entry" in line]
    data = (chat / "trip.ama").read_bytes()
    for entry in answered:
        assert bytes.fromhex(entry) in data
    with Conversation.load("trip.ama", identity("alice", 1), directory) as again:
        assert again.size >= 3 + len(answered)
    assert verify_conversation("trip.ama", directory).entries >= 3 + len(answered)


def test_a_stop_while_verifying_is_no_verdict(chat: Path) -> None:
    running = start("verify", "-d", "team.json")
    assert running.stdin is not None
    running.stdin.write((chat / "trip.ama").read_bytes() + bytes(100_000))
    running.stdin.flush()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate()
    assert (running.returncode, out) == (130, b"")
    assert err.startswith(b"Cancelled: ")
