"""Bad input, bad files, bad disks, bad moments: one clear error with a stable code, and nothing half-written."""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ama2sec import Ama2Error, Conversation, Directory, Identity, verify_conversation, verify_many
from ama2sec.cli import show
from ama2sec.errors import CATALOGUE
from ama2sec.history import write_transcript
from ama2sec.limits import MAX_BODY
from tests.conftest import identity
from tests.shell import PROGRAM, Done, ama2sec, environment, start

LINE = b'{"body": "x"}\n'
NOBODY = 65534


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def one_error(done: Done, code: str) -> None:
    """The error and nothing else, on one line, with the status of its family."""
    assert done.err.split(":")[0] == code, done
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
    from ama2sec.errors import FAMILIES

    assert done.status == FAMILIES[CATALOGUE[code].family].exit_code


# -- every beginning of every file -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["letter.ama", "trip.ama", "team.json", "alice.key"])
def test_every_beginning_of_a_file_is_refused_with_one_error(name: str, chat: Path) -> None:
    data = (chat / name).read_bytes()
    part = chat / "part"
    allowed = {
        "letter.ama": {"Truncated"},
        "trip.ama": {"Truncated", "OpenMissing"},
        "team.json": {"DirectoryForm"},
        "alice.key": {"KeyFileForm"},
    }[name]
    command = {
        "team.json": ["directory", "list", part],
        "alice.key": ["id", part],
    }.get(name, ["verify", part, "-d", "team.json"])
    whole_entries = {_end_of_entry(data, count) for count in (1, 2)} if name == "trip.ama" else set()
    for end in {*range(0, len(data) - 1, 41), 1, 2, 21, 22, 23, len(data) - 1}:
        part.write_bytes(data[:end])
        part.chmod(0o600)
        done = ama2sec(*command, "--json")
        if name == "team.json" and end == len(data) - 1:
            continue  # only the last line feed is gone
        assert done.status != 0 or end in whole_entries, end
        assert done.json["code"] in allowed, (end, done)


def _end_of_entry(data: bytes, count: int) -> int:
    from ama2sec._native import TranscriptReader

    return 22 + sum(len(entry) for entry in TranscriptReader().feed(data)[:count])


@pytest.mark.parametrize("kind", [int, str, bytearray, memoryview, list, type(None), io.BytesIO])
def test_arguments_of_the_wrong_type(kind: type, chat: Path, directory: Directory) -> None:
    wrong: Any = None if kind is type(None) else kind(b"7") if kind in (bytearray, memoryview, io.BytesIO) else kind()
    text = Identity.from_openssh, Identity.from_pkcs8
    calls: list[tuple[Callable[[], object], set[str]]] = [
        *((lambda call=call: call(wrong, name="x"), {"NotBytes"}) for call in text),
        (lambda: Conversation.join("new.ama", identity("alice", 1), directory, wrong), {"NotBytes"}),
        (lambda: verify_conversation(b"", directory, head=wrong), {"ArgumentType", "HeadForm", "Truncated"}),
        (lambda: verify_conversation(b"", wrong), {"ArgumentType"}),
    ]
    if kind not in (str, io.BytesIO):
        calls.append((lambda: verify_conversation(wrong, directory), {"NotBytes", "ArgumentType"}))
    for call, codes in calls:
        with pytest.raises(Ama2Error) as caught:
            call()
        assert caught.value.code in codes
    (verdict,) = verify_many([wrong], directory)
    assert isinstance(verdict, Ama2Error)
    assert verdict.code == "NotBytes"
    assert not (chat / "new.ama").exists()


class Broken(io.RawIOBase):
    """Gives some bytes, and then what is wrong with it."""

    def __init__(self, data: bytes, fault: object) -> None:
        super().__init__()
        self.parts: list[object] = [data, fault]

    def read(self, _: int = -1) -> Any:
        part = self.parts.pop(0)
        if isinstance(part, BaseException):
            raise part
        return part


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (OSError(5, "Input/output error"), "FileUnreadable"),
        ("text", "NotBytes"),
        (bytearray(b"x"), "NotBytes"),
        (None, "NotBytes"),
    ],
    ids=repr,
)
def test_a_stream_that_breaks_is_no_end_of_the_file(fault: object, code: str, chat: Path, directory: Directory) -> None:
    with pytest.raises(Ama2Error) as caught:
        verify_conversation(Broken((chat / "trip.ama").read_bytes(), fault), directory)  # type: ignore[arg-type]
    assert caught.value.code == code


# -- permissions, as somebody who is not root ------------------------------------------------------------------------


@pytest.fixture
def as_nobody() -> Iterator[tuple[Path, Callable[[Callable[[], Any]], Any]]]:
    """A folder that anybody may use, and a way to call a function in it as a user without rights."""
    folder = Path(tempfile.mkdtemp(prefix="ama2sec-"))
    folder.chmod(0o777)
    show.console()
    ama2sec("errors", "KeyWeak")  # everything is imported before the rights are gone

    def call(function: Callable[[], Any]) -> Any:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.chdir(folder)
                if os.geteuid() == 0:
                    os.setgroups([])
                    os.setgid(NOBODY)
                    os.setuid(NOBODY)
                os.write(writing, json.dumps(function()).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading, "rb") as file:
            answer = file.read()
        os.waitpid(child, 0)
        return json.loads(answer)

    yield folder, call
    shutil.rmtree(folder)


def test_what_one_may_not_read_or_write(as_nobody: Any, alice: Identity, directory: Directory) -> None:
    folder, call = as_nobody
    mine = {}
    for name in ("own.key", "linked.key", "their.key", "open.key", "closed.key"):
        alice.save(folder / name, passphrase=None)
        mine[name] = folder / name
    directory.save(folder / "team.json")
    write_transcript(folder / "trip.ama", alice, [(alice, b"a", 1)], directory)
    (folder / "letter.ama").write_bytes(alice.sign(b"hello").to_bytes())
    (folder / "shut").mkdir(mode=0o755)
    (folder / "hidden").write_bytes(b"secret\n")
    if os.geteuid() == 0:
        for path in folder.iterdir():
            os.chown(path, NOBODY, NOBODY)
        os.chown(folder / "their.key", 12345, 12345)
        os.chown(folder / "shut", 0, 0)
    (folder / "shut").chmod(0o555)
    (folder / "their.key").chmod(0o604)
    (folder / "open.key").chmod(0o640)
    (folder / "closed.key").chmod(0)
    (folder / "hidden").chmod(0)
    (folder / "trip.ama").chmod(0o444)
    os.symlink("open.key", folder / "link-to-open.key")
    os.symlink("own.key", folder / "link-to-own.key")
    before = files(folder)
    commands = {
        ("id", "own.key"): "ok",
        ("id", "link-to-own.key"): "ok",
        ("id", "link-to-open.key"): "KeyFilePermissions",
        ("id", "open.key"): "KeyFilePermissions",
        ("id", "their.key"): "KeyFilePermissions",
        ("id", "closed.key"): "FileUnreadable",
        ("id", "own.key", "--passphrase-file", "hidden"): "FileUnreadable",
        ("verify", "hidden", "-d", "team.json"): "FileUnreadable",
        ("verify", "letter.ama", "-d", "hidden"): "FileUnreadable",
        ("inspect", "hidden"): "FileUnreadable",
        ("sign", "-k", "own.key", "-b", "hidden", "-o", "new.ama"): "FileUnreadable",
        ("sign", "-k", "own.key", "-o", "shut/new.ama"): "WriteFailed",
        ("sign", "-k", "own.key", "-c", "shut/new.ama", "-d", "team.json"): "WriteFailed",
        ("sign", "-k", "own.key", "-c", "trip.ama", "-d", "team.json"): "FileUnreadable",
        ("keygen", "x", "-o", "shut/x.key", "--no-passphrase"): "WriteFailed",
        ("verify", "letter.ama", "-d", "team.json", "--body", "shut/body"): "WriteFailed",
        ("directory", "add", "shut/d.json", "--name", "x", "--from", "own.key"): "WriteFailed",
        ("directory", "list", "hidden"): "FileUnreadable",
    }
    for command, code in commands.items():
        status, out, err = call(lambda command=command: _plain(ama2sec(*command, stdin=b"body")))
        if code == "ok":
            assert (status, err) == (0, ""), (command, err)
        else:
            one_error(Done(status, out.encode(), err), code)
    (folder / "shut").chmod(0o755)
    assert {k: v for k, v in files(folder).items() if not k.endswith(".lock")} == before
    assert list((folder / "shut").iterdir()) == []


def _plain(done: Done) -> tuple[int, str, str]:
    return done.status, done.text, done.err


def test_a_machine_without_threads_verifies_on_the_one_it_has(
    as_nobody: Any, alice: Identity, directory: Directory
) -> None:
    _, call = as_nobody
    entries = [alice.sign(b"x").to_bytes()] * 3000

    def starved() -> list[str]:
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        return [type(verdict).__name__ for verdict in verify_many(entries, directory, threads=16)]

    assert call(starved) == ["Message"] * 3000


# -- a disk that is full ---------------------------------------------------------------------------------------------


def run_limited(limit: int, *arguments: str, stdin: bytes) -> Done:
    """In a process that may not make a file longer than ``limit`` bytes: what a full disk is to one file."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        input=stdin,
        capture_output=True,
        env=environment(),
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    return Done(done.returncode, done.stdout, done.stderr.decode())


WRITING = [
    ["keygen", "x", "-o", "x.key", "--no-passphrase"],
    ["id", "alice.key", "--export-pkcs8", "out", "--no-passphrase"],
    ["sign", "-k", "alice.key", "-o", "out"],
    ["sign", "-k", "alice.key", "-c", "trip.ama", "-d", "team.json"],
    ["sign", "-k", "alice.key", "-c", "new.ama", "-d", "team.json"],
    [
        "directory",
        "add",
        "team.json",
        "--name",
        "new",
        "--key",
        "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
    ],
    ["directory", "export", "team.json", "-o", "out"],
    ["verify", "letter.ama", "-d", "team.json", "--body", "out"],
]


@pytest.mark.parametrize("command", WRITING, ids=lambda c: " ".join(c)[:40])
def test_a_full_disk_leaves_everything_as_it_was(command: list[str], chat: Path) -> None:
    before = files(chat)
    one_error(run_limited(3, *command, stdin=b"hello"), "WriteFailed")
    assert {k: v for k, v in files(chat).items() if not k.endswith(".lock")} == before


@pytest.mark.parametrize("command", WRITING, ids=lambda c: " ".join(c)[:40])
def test_a_disk_that_really_is_full(command: list[str], chat: Path) -> None:
    disk = chat / "disk"
    disk.mkdir()
    if (
        shutil.which("mount") is None
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("no file system can be mounted here")
    try:
        for path in chat.iterdir():
            if path.is_file():
                shutil.copy2(path, disk)
        try:
            with (disk / "filling").open("wb", buffering=0) as filling:
                while filling.write(bytes(1024)):
                    pass
        except OSError:
            pass
        before = files(disk)
        done = subprocess.run(
            [*PROGRAM, *command], input=b"hello", capture_output=True, env=environment(), cwd=disk, check=False
        )
        one_error(Done(done.returncode, done.stdout, done.stderr.decode()), "WriteFailed")
        assert {k: v for k, v in files(disk).items() if not k.endswith(".lock")} == before
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_full_disk_in_the_middle_of_a_stream(chat: Path, alice: Identity, directory: Directory) -> None:
    before = (chat / "trip.ama").read_bytes()
    room = len(before) + 3000
    options = ["-c", "trip.ama", "-d", "team.json", "--jsonl", "--json"]
    done = run_limited(room, "sign", "-k", "alice.key", *options, stdin=LINE * 100)
    assert (done.status, done.lines[-1]["code"]) == (21, "WriteFailed")
    data = (chat / "trip.ama").read_bytes()
    acknowledged = b"".join(bytes.fromhex(line["entry"]) for line in done.lines[:-1])
    assert data == before + acknowledged, "what was answered is there, whole, and nothing else"
    assert verify_conversation(data, directory).entries == 3 + len(done.lines) - 1


@pytest.mark.parametrize(
    "command",
    [
        ["errors"],
        ["errors", "--json"],
        ["verify", "letter.ama", "-d", "team.json"],
        ["verify", "trip.ama", "-d", "team.json", "--json"],
        ["inspect", "letter.ama"],
        ["sign", "-k", "alice.key", "-b", "letter.ama"],
        ["directory", "export", "team.json"],
    ],
    ids=lambda c: " ".join(c)[:40],
)
def test_an_output_that_takes_nothing_is_never_success(command: list[str], chat: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*PROGRAM, *command], stdout=full, stderr=subprocess.PIPE, env=environment(), check=False)
    one_error(Done(done.returncode, b"", done.stderr.decode()), "WriteFailed")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*PROGRAM, *command], stdout=writing, stderr=subprocess.PIPE, env=environment(), check=False)
    os.close(writing)
    one_error(Done(done.returncode, b"", done.stderr.decode()), "PipeClosed")


def test_a_reader_that_leaves_half_way(chat: Path) -> None:
    (chat / "long.ama").write_bytes((chat / "letter.ama").read_bytes() * 5000)
    running = start("verify", "long.ama", "-d", "team.json")
    assert running.stdout is not None
    assert running.stdout.readline().split()[1] == b"valid"
    running.stdout.close()
    running.stdout = None
    _, err = running.communicate()
    one_error(Done(running.returncode, b"", err.decode()), "PipeClosed")


# -- lengths ---------------------------------------------------------------------------------------------------------


def test_a_body_of_256_kib_is_signed_and_one_byte_more_is_not(
    chat: Path, alice: Identity, directory: Directory
) -> None:
    longest, longer = bytes(MAX_BODY), bytes(MAX_BODY + 1)
    line = json.dumps({"body_hex": longest.hex()}).encode() + b"\n" + json.dumps({"body_hex": longer.hex()}).encode()
    done = ama2sec("sign", "-k", "alice.key", "--jsonl", "--json", stdin=line)
    assert [item.get("code") for item in done.lines] == [None, "BodyLimit"]
    assert done.status == 20
    with Conversation.load("trip.ama", alice, directory) as chat_file:
        before = (chat / "trip.ama").read_bytes()
        with pytest.raises(Ama2Error) as caught:
            chat_file.send(longer)
        assert caught.value.code == "BodyLimit"
        assert (chat / "trip.ama").read_bytes() == before
        chat_file.send(longest)
