"""A person at the same machine reads open files and races file creation."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ama2sec import Ama2Error, Conversation, Directory, Identity, verify_conversation
from tests.attacks.target import DIRECTORY
from tests.conftest import identity
from tests.vectors.making.people import ALICE


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "alice.key"
    identity("alice", 1).save(path, passphrase=None)
    return path


def refused(code: str, path: Path, passphrase: str | None = None) -> None:
    for _ in range(2):
        with pytest.raises(Ama2Error) as caught:
            Identity.load(path, passphrase=passphrase)
        assert caught.value.code == code
        assert ALICE.seed.hex() not in repr(caught.value)


def test_a_key_file_is_private_from_its_first_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the umask says: no moment at which another can open it."""
    modes = []
    opened = os.open

    def watch(path: object, flags: int, mode: int = 0o777, **more: object) -> int:
        descriptor = opened(path, flags, mode, **more)  # type: ignore[arg-type]
        if flags & os.O_CREAT:
            modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    monkeypatch.setattr(os, "open", watch)
    before = os.umask(0)
    try:
        identity("alice", 1).save(tmp_path / "a.key", passphrase=None)
    finally:
        os.umask(before)
    assert modes
    assert not any(mode & 0o077 for mode in modes), [oct(mode) for mode in modes]
    assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["a.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o777])
def test_a_key_that_others_can_touch_is_not_used(key: Path, mode: int) -> None:
    key.chmod(mode)
    refused("KeyFilePermissions", key)
    key.chmod(0o600)
    assert Identity.load(key).name == "alice"


def test_what_was_put_in_place_of_a_new_file_is_not_overwritten(tmp_path: Path) -> None:
    """A link or a file that was there first, dangling or not: it stays as it is."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "link.key").symlink_to(victim)
    (tmp_path / "dangling.key").symlink_to(tmp_path / "nothing")
    (tmp_path / "there.key").write_bytes(b"")
    for name in ("link.key", "dangling.key", "there.key"):
        with pytest.raises(Ama2Error) as caught:
            identity("alice", 1).save(tmp_path / name, passphrase="pass")
        assert caught.value.code == "FileExists"
    assert victim.read_bytes() == b"precious"
    assert not (tmp_path / "nothing").exists()
    assert (tmp_path / "there.key").read_bytes() == b""


def test_an_encrypted_file_replaced_by_another_is_noticed(tmp_path: Path, key: Path) -> None:
    """Whoever gives a passphrase does not get a key that somebody put there without one (identity.4.3)."""
    refused("KeyFileForm", key, passphrase="correct horse")
    own = tmp_path / "own.key"
    identity("alice", 1).save(own, passphrase="correct horse")
    other = tmp_path / "other.key"
    identity("mallory", 3).save(other, passphrase="battery staple")
    other.replace(own)
    refused("PassphraseWrong", own, passphrase="correct horse")


def test_an_encrypted_file_shows_nothing_and_every_byte_of_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.key"
    identity("alice", 1).save(path, passphrase="correct horse")
    data = path.read_bytes()
    assert ALICE.seed not in data
    assert b"alice" not in data
    # Costs that the file would choose beyond the reader's bounds are refused before memory is taken (identity.4.2).
    for at, value in (
        (14, b"\xff\xff\xff\xff"),
        (14, bytes(4)),
        (18, b"\xff\xff\xff\xff"),
        (18, bytes(4)),
        (22, b"\x02"),
        (13, b"\x02"),
    ):
        path.write_bytes(data[:at] + value + data[at + len(value) :])
        refused("KeyFileForm", path, passphrase="correct horse")
    for at in (40, len(data) - 1):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        refused("PassphraseWrong", path, passphrase="correct horse")


def test_a_directory_file_is_never_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails leaves the old file, whole, and nothing beside it."""
    path = tmp_path / "team.json"
    DIRECTORY.save(path)
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    for call in ("fsync", "replace", "rename", "write"):
        with monkeypatch.context() as patched:
            patched.setattr(os, call, full)
            more = Directory.from_json(before)
            more.enrol(identity("zoe", 77).public, name="zoe")
            try:
                more.save(path)
            except Ama2Error as fault:
                assert fault.code == "WriteFailed"
                assert path.read_bytes() == before
        assert Directory.load(path).to_json() in (before.decode(), more.to_json())
        assert [each.name for each in tmp_path.iterdir()] == ["team.json"]
        DIRECTORY.save(path)


def test_a_conversation_has_one_writer(tmp_path: Path) -> None:
    path = tmp_path / "a.ama"
    with Conversation.create(path, identity("alice", 1), DIRECTORY) as chat:
        for _ in range(2):
            with pytest.raises(Ama2Error) as caught:
                Conversation.load(path, identity("bob", 2), DIRECTORY)
            assert caught.value.code == "AgentInUse"
        chat.send(b"still mine")


def test_a_conversation_has_one_writer_under_all_its_names(tmp_path: Path) -> None:
    """Links, a new name while it is open, a lock file that is gone: it is the same file."""
    path = tmp_path / "a.ama"
    with Conversation.create(path, identity("alice", 1), DIRECTORY) as chat:
        (tmp_path / "soft.ama").symlink_to(path)
        (tmp_path / "hard.ama").hardlink_to(path)
        (tmp_path / "a.ama.lock").unlink()
        for name in ("soft.ama", "hard.ama", "a.ama"):
            with pytest.raises(Ama2Error) as caught:
                Conversation.load(tmp_path / name, identity("alice", 1), DIRECTORY)
            assert caught.value.code == "AgentInUse"
        path.rename(tmp_path / "moved.ama")
        with pytest.raises(Ama2Error) as caught:
            Conversation.load(tmp_path / "moved.ama", identity("alice", 1), DIRECTORY)
        assert caught.value.code == "AgentInUse"
        chat.send(b"still mine")
    assert verify_conversation(tmp_path / "moved.ama", DIRECTORY).entries == 2


def test_a_tail_that_is_cut_off_under_an_open_conversation_is_missed(tmp_path: Path) -> None:
    """Going on from the shorter file would sign a second history."""
    path = tmp_path / "a.ama"
    with Conversation.create(path, identity("alice", 1), DIRECTORY) as chat:
        short = path.stat().st_size
        chat.send(b"said")
        whole = path.read_bytes()
        os.truncate(path, short)
        for call in (lambda: chat.send(b"again"), lambda: chat.receive(b"d2"), chat.to_bytes):
            with pytest.raises(Ama2Error) as caught:
                call()
            assert caught.value.code == "HeadStale"
        path.write_bytes(whole)
        chat.send(b"and more")
    assert verify_conversation(path, DIRECTORY).entries == 3


def test_bytes_that_another_wrote_behind_an_open_conversation_are_judged(tmp_path: Path) -> None:
    path = tmp_path / "a.ama"
    with Conversation.create(path, identity("alice", 1), DIRECTORY) as chat:
        whole = path.read_bytes()
        path.write_bytes(whole + chat.to_bytes()[-100:])
        for _ in range(2):
            with pytest.raises(Ama2Error):
                chat.send(b"over garbage")
        path.write_bytes(whole)
        chat.send(b"over an honest file")
    assert verify_conversation(path, DIRECTORY).entries == 2


def test_what_is_no_file_is_no_conversation(tmp_path: Path) -> None:
    """A pipe in the place of the file: neither waited for nor read."""
    path = tmp_path / "pipe.ama"
    os.mkfifo(path)
    with pytest.raises(Ama2Error) as caught:
        Conversation.load(path, identity("alice", 1), DIRECTORY)
    assert caught.value.code == "FileUnreadable"


def test_a_store_of_epochs_is_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "a.ama"
    Conversation.create(path, identity("alice", 1), DIRECTORY).close()
    for store in ("[" * 200_000, "[]", '{"a": -1}', '{"a": true}', '{"a": 281474976710656}', '{"a"', "\udcff"):
        (tmp_path / "a.ama.epochs").write_text(store, errors="surrogateescape")
        with pytest.raises(Ama2Error) as caught:
            Conversation.load(path, identity("alice", 1), DIRECTORY)
        assert caught.value.code == "FileUnreadable"


def test_a_umask_for_private_files_is_obeyed(tmp_path: Path) -> None:
    """A conversation holds what was said: whoever asked for private files gets one."""
    before = os.umask(0o077)
    try:
        Conversation.create(tmp_path / "a.ama", identity("alice", 1), DIRECTORY).close()
        DIRECTORY.save(tmp_path / "team.json")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}
