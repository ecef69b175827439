"""Conversations as files: writing, receiving, crashing, locking, verifying."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ama2sec import Ama2Error, Conversation, Directory, Fingerprint, HistoryError, Identity, verify_conversation
from ama2sec.errors import StaleError
from ama2sec.history import TranscriptError, write_transcript
from tests.conftest import identity


def both(tmp_path: Path, alice: Identity, bob: Identity, directory: Directory) -> tuple[Conversation, Conversation]:
    chat = Conversation.create(tmp_path / "a.ama", alice, directory, members=["alice", "bob"])
    return chat, Conversation.join(tmp_path / "b.ama", bob, directory, chat.to_bytes())


def test_two_members_share_one_history(tmp_path: Path, alice: Identity, bob: Identity, directory: Directory) -> None:
    chat, copy = both(tmp_path, alice, bob, directory)
    with chat, copy:
        for turn in range(5):
            request = chat.send(f"request {turn}".encode(), to=["bob"])
            message = copy.receive(request.to_bytes())
            assert (message.sender, message.body) == ("alice", f"request {turn}".encode())
            assert message.context.size == 2 * turn + 1
            chat.receive(copy.send(b"answer", to=alice.id).to_bytes())
        assert chat.head == copy.head
        assert [m.kind for m in chat.messages()] == ["open"] + ["message"] * 10
        keep = chat.head
    report = verify_conversation(tmp_path / "a.ama", directory, head=keep)
    assert (report.entries, report.authors, report.lag, report.tail, report.head) == (11, 2, 0, "checked", keep)
    assert verify_conversation((tmp_path / "b.ama").read_bytes(), directory).tail == "unchecked"
    assert Fingerprint(keep.realm, keep.conversation, keep.branch, keep.size, keep.hash) == keep


def test_the_same_entry_again_changes_nothing(
    tmp_path: Path, alice: Identity, bob: Identity, directory: Directory
) -> None:
    chat, copy = both(tmp_path, alice, bob, directory)
    with chat, copy:
        request = chat.send(b"x")
        first = copy.receive(request.to_bytes())
        size = (tmp_path / "b.ama").stat().st_size
        again = copy.receive(request.to_bytes())
        assert (again.id, copy.size) == (first.id, 2)
        assert (tmp_path / "b.ama").stat().st_size == size


def test_what_does_not_fit_is_refused_and_the_file_stays(
    tmp_path: Path, alice: Identity, bob: Identity, mallory: Identity, directory: Directory
) -> None:
    chat, copy = both(tmp_path, alice, bob, directory)
    other = Conversation.create(tmp_path / "o.ama", alice, directory)
    with chat, copy, other:
        one, two = chat.send(b"1"), chat.send(b"2")
        before = (tmp_path / "b.ama").read_bytes()
        stranger = Conversation.join(tmp_path / "m.ama", mallory, directory, chat.to_bytes())
        cases = [
            (two.to_bytes(), "ContextAhead"),
            (other.send(b"y").to_bytes(), "ConversationOther"),
            (other.to_bytes()[22:], "OpenAgain"),
            (one.to_bytes()[:-1], "Truncated"),
            (b"", "Truncated"),
        ]
        for data, wanted in cases:
            with pytest.raises(Ama2Error) as caught:
                copy.receive(data if wanted != "OpenAgain" else next(iter(other.messages())).to_bytes())
            assert caught.value.code == wanted
        with stranger, pytest.raises(Ama2Error) as caught:
            stranger.send(b"let me in")
        assert caught.value.code == "NotAMember"
        assert (tmp_path / "b.ama").read_bytes() == before
        copy.receive(one.to_bytes())
        copy.receive(two.to_bytes())


def test_a_fork_is_noticed_at_the_next_message(
    tmp_path: Path, alice: Identity, bob: Identity, directory: Directory
) -> None:
    chat, copy = both(tmp_path, alice, bob, directory)
    with chat, copy:
        chat.send(b"shown to nobody")
        copy.send(b"something else")
        with pytest.raises(HistoryError) as caught:
            copy.receive(chat.send(b"over another history").to_bytes())
        assert caught.value.code in ("ContextForked", "ContextAhead")


def test_only_one_writer_at_a_time(tmp_path: Path, alice: Identity, bob: Identity, directory: Directory) -> None:
    chat, copy = both(tmp_path, alice, bob, directory)
    with copy:
        with pytest.raises(Ama2Error) as caught:
            Conversation.load(tmp_path / "a.ama", alice, directory)
        assert caught.value.code == "AgentInUse"
        chat.close()
        chat.close()
        with pytest.raises(Ama2Error):
            chat.send(b"closed")
        Conversation.load(tmp_path / "a.ama", alice, directory).close()


def test_numbers_never_repeat_over_reopening_and_a_clock_set_back(
    tmp_path: Path, alice: Identity, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.ama"
    Conversation.create(path, alice, directory).close()
    numbers = []
    for clock in (2_000_000, 1_000_000, 1_000_000, 3_000_000):
        monkeypatch.setattr("ama2sec.history.conversation.clock_ms", lambda now=clock: now)
        with Conversation.load(path, alice, directory) as chat:
            for _ in range(3):
                chat.send(b"x")
            numbers += [m.seq for m in chat.messages()][-3:]
    assert numbers == sorted(set(numbers))


def test_a_restored_backup_of_the_file_does_not_reuse_numbers(
    tmp_path: Path, alice: Identity, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ama2sec.history.conversation.clock_ms", lambda: 5_000_000)
    path = tmp_path / "a.ama"
    with Conversation.create(path, alice, directory) as chat:
        backup = path.read_bytes()
        chat.send(b"lost")
        used = [m.seq for m in chat.messages()][-1]
    path.write_bytes(backup)
    with Conversation.load(path, alice, directory) as chat:
        chat.send(b"again")
        found = [m.seq for m in chat.messages()][-1]
    assert used is not None
    assert found is not None
    assert found > used


def test_a_part_written_entry_is_cut_off_at_every_byte(tmp_path: Path, alice: Identity, directory: Directory) -> None:
    path = tmp_path / "a.ama"
    with Conversation.create(path, alice, directory) as chat:
        whole = path.read_bytes()
        chat.send(b"the last words")
        data = path.read_bytes()
    for end in range(len(whole) + 1, len(data), 7):
        path.write_bytes(data[:end])
        with Conversation.load(path, alice, directory) as chat:
            assert (chat.size, chat.truncated_tail) == (1, end - len(whole))
        assert path.read_bytes() == whole


def test_damage_in_the_middle_is_no_crash(tmp_path: Path, alice: Identity, directory: Directory) -> None:
    path = tmp_path / "a.ama"
    with Conversation.create(path, alice, directory) as chat:
        start = path.stat().st_size
        for _ in range(3):
            chat.send(b"words")
    data = bytearray(path.read_bytes())
    data[start + 3] = 0xFF
    path.write_bytes(data)
    with pytest.raises(Ama2Error):
        Conversation.load(path, alice, directory)
    assert path.read_bytes() == bytes(data)


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, alice: Identity, directory: Directory) -> None:
    path = tmp_path / "a.ama"
    with Conversation.create(path, alice, directory) as chat:
        before = path.read_bytes()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
        try:
            with pytest.raises(Ama2Error) as caught:
                chat.send(b"x" * 5000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, ignored)
        assert caught.value.code == "WriteFailed"
        assert path.read_bytes() == before
        chat.send(b"after the disk has room again")
    assert verify_conversation(path, directory).entries == 2


def test_a_killed_writer_loses_nothing_that_was_returned(tmp_path: Path, alice: Identity, directory: Directory) -> None:
    path = tmp_path / "a.ama"
    alice.save(tmp_path / "alice.key", passphrase=None)
    directory.save(tmp_path / "d.json")
    Conversation.create(path, alice, directory).close()
    program = (
        "import sys; from ama2sec import *; from ama2sec import Conversation, Directory, Identity\n"
        "a = Identity.load('alice.key'); d = Directory.load('d.json')\n"
        "with Conversation.load('a.ama', a, d) as chat:\n"
        "    while True:\n"
        "        print(chat.send(b'x' * 3000).id, flush=True)\n"
    )
    rng = random.Random(7)
    acknowledged = 0
    for _ in range(5):
        root = Path(__file__).parents[2]
        child = subprocess.Popen(
            [sys.executable, "-c", program.replace("from ama2sec import *; ", "")],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        assert child.stdout is not None
        ids = [child.stdout.readline() for _ in range(rng.randrange(5, 60))]
        child.kill()
        ids += child.stdout.readlines()
        child.stdout.close()
        child.wait()
        acknowledged += len([line for line in ids if line.endswith(b"\n")])
        with Conversation.load(path, alice, directory) as chat:
            assert chat.size >= acknowledged + 1
            known = {str(m.id).encode() + b"\n" for m in chat.messages()}
            assert all(line in known for line in ids if line.endswith(b"\n"))
            acknowledged = chat.size - 1
    verify_conversation(path, directory)


def test_a_damaged_store_of_epochs_stops_the_writer(tmp_path: Path, alice: Identity, directory: Directory) -> None:
    path = tmp_path / "a.ama"
    Conversation.create(path, alice, directory).close()
    for damage in (b"", b"{", b"[]", b'{"a": -1}', b'{"a": "x"}', b'{"a": true}'):
        (tmp_path / "a.ama.epochs").write_bytes(damage)
        with pytest.raises(Ama2Error) as caught:
            Conversation.load(path, alice, directory)
        assert caught.value.code == "FileUnreadable"


def test_heads_too_short_too_long_and_of_another_history(tmp_path: Path, directory: Directory) -> None:
    authors = [identity("alice", 1), identity("bob", 2)]
    turns = [(authors[i % 2], b"words", i) for i in range(20)]
    head = write_transcript(tmp_path / "a.ama", authors[0], turns, directory)
    data = (tmp_path / "a.ama").read_bytes()
    verify_conversation(data, directory, head=str(head))
    shorter = write_transcript(tmp_path / "b.ama", authors[0], turns[:5], directory)
    with pytest.raises(StaleError) as stale:
        verify_conversation((tmp_path / "b.ama").read_bytes(), directory, head=head)
    assert (stale.value.code, stale.value.exit_code) == ("HeadStale", 15)
    assert stale.value.report["repairs"][0]["kind"] == "cut_off"  # type: ignore[index]
    with pytest.raises(HistoryError) as forked:
        verify_conversation(data, directory, head=shorter)
    assert forked.value.code == "HeadForked"
    for text in (
        "",
        "3",
        "0:" + "0" * 64,
        "03:" + "0" * 64,
        "3:" + "0" * 63,
        "3:" + "A" * 64,
        "+3:" + "0" * 64,
        "3:" + "0" * 65,
    ):
        with pytest.raises(Ama2Error) as caught:
            verify_conversation(data, directory, head=text)
        assert caught.value.code == "HeadForm"


def test_a_fault_is_a_history_error_with_the_entrys_own_code(tmp_path: Path, directory: Directory) -> None:
    alice = identity("alice", 1)
    write_transcript(tmp_path / "a.ama", alice, [(alice, b"words", 1)], directory)
    data = bytearray((tmp_path / "a.ama").read_bytes())
    data[-1] ^= 1
    with pytest.raises(HistoryError) as caught:
        verify_conversation(bytes(data), directory)
    assert type(caught.value) is TranscriptError
    assert (caught.value.code, caught.value.exit_code) == ("BodyMismatch", 16)
    assert caught.value.report["first_fault"]["position"] == 1  # type: ignore[index]
    for source in (b"", b"\x80", b"\x83\x00\x72ama2sec-transcript\x02", bytes(data[:22])):
        with pytest.raises(HistoryError):
            verify_conversation(source, directory)
    with pytest.raises(Ama2Error) as missing:
        verify_conversation(tmp_path / "none", directory)
    assert missing.value.code == "FileUnreadable"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    program = (
        "import sys; from ama2sec import Directory, verify_conversation\n"
        "d = Directory.load(sys.argv[2]); verify_conversation(sys.argv[1], d)\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
    )
    alice = identity("alice", 1)
    directory = Directory()
    directory.enrol(alice.public, name="alice")
    directory.save(tmp_path / "d.json")
    peaks = []
    for count in (3_000, 30_000):
        path = tmp_path / f"{count}.ama"
        write_transcript(path, alice, ((alice, b"x" * 600, i) for i in range(count)), directory)
        root = str(Path(__file__).parents[2])
        shown = subprocess.run(
            [sys.executable, "-c", program, str(path), str(tmp_path / "d.json")],
            capture_output=True,
            check=True,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        )
        peaks.append(int(shown.stdout))
    # The longer file is 30 MB longer; what is kept of it is a window.
    assert peaks[1] - peaks[0] < 6_000, peaks
