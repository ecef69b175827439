"""keygen and id."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from ama2sec import Identity
from tests.shell import ama2sec, process, terminal

FIELDS = ["name", "purpose", "key", "thumbprint", "did_key"]


def test_keygen_writes_a_key_file_and_says_whose(here: Path) -> None:
    shown = ama2sec("keygen", "carol", "--out", "carol.key", "--no-passphrase", "--purpose", "operator", "--json")
    assert (shown.status, shown.err) == (0, "")
    assert list(shown.json) == ["ok", *FIELDS, "file"]
    made = Identity.load("carol.key")
    assert shown.json["key"] == made.public.hex
    assert (made.name, made.purpose) == ("carol", "operator")
    assert stat.S_IMODE((here / "carol.key").stat().st_mode) == 0o600
    text = ama2sec("id", "carol.key").text
    assert [line.split()[0] for line in text.splitlines()] == ["name", "purpose", "key", "thumbprint", "did:key"]
    assert all(len(line) <= 80 for line in text.splitlines())
    assert ama2sec("id", "carol.key", "--json").json == {k: v for k, v in shown.json.items() if k != "file"}
    public = ama2sec("id", shown.json["did_key"], "--json").json
    assert public == {name: shown.json[name] for name in ("ok", "key", "thumbprint", "did_key")}


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (["keygen", "Carol", "-o", "c.key", "--no-passphrase"], "ArgumentRange", 20),
        (["keygen", "../c", "-o", "c.key", "--no-passphrase"], "ArgumentRange", 20),
        (["keygen", "c", "-o", "c.key", "--no-passphrase", "--purpose", "captain"], "ArgumentRange", 20),
        (["keygen", "c", "-o", "alice.key", "--no-passphrase"], "FileExists", 21),
        (["keygen", "c", "-o", "alice.key"], "FileExists", 21),
        (["keygen", "c", "-o", "no/such/c.key", "--no-passphrase"], "WriteFailed", 21),
        (["keygen", "c", "-o", "c.key", "--no-passphrase", "--passphrase-file", "x"], "ArgumentRange", 20),
        (["keygen", "c", "-o", "c.key", "--import-openssh", "x", "--import-pkcs8", "y"], "ArgumentRange", 20),
        (
            ["keygen", "c", "-o", "c.key", "--no-passphrase", "--import-openssh", "alice.key"],
            "KeyFormatUnsupported",
            21,
        ),
        (["keygen", "c", "-o", "c.key", "--no-passphrase", "--import-pkcs8", "none"], "FileUnreadable", 21),
        (["id", "none.key"], "FileUnreadable", 21),
        (["id", "team.json"], "KeyFilePermissions", 21),
        (["id", "did:key:zzz"], "KeyFormatUnsupported", 21),
        (["id", "did:key:zzz", "--export-pkcs8", "x"], "ArgumentRange", 20),
        (["id", "alice.key", "--no-passphrase"], "ArgumentRange", 20),
        (
            ["id", "alice.key", "--export-pkcs8", "x", "--no-passphrase", "--export-passphrase-file", "y"],
            "ArgumentRange",
            20,
        ),
        (["id", "alice.key", "--export-pkcs8", "bob.key", "--no-passphrase"], "FileExists", 21),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_what_is_refused(arguments: list[str], code: str, status: int, here: Path) -> None:
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    shown = ama2sec(*arguments)
    assert (shown.status, shown.out) == (status, b"")
    assert shown.err.startswith(f"{code}: ")
    assert shown.err.count("\n") == 1
    assert ama2sec(*arguments, "--json").json["code"] == code
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before


def test_nobody_to_ask_is_said_and_nothing_is_written(here: Path) -> None:
    shown = process("keygen", "carol", "-o", "carol.key")
    assert (shown.status, shown.out) == (21, b"")
    assert shown.err.startswith("PassphraseNeeded: ")
    assert not (here / "carol.key").exists()


def test_the_passphrase_is_asked_for_twice_without_echo_until_both_agree(here: Path) -> None:
    answers = [
        ("Passphrase: ", b"one-hunter2\n"),
        ("The same again: ", b"two-hunter2\n"),
        ("Passphrase: ", b"\n"),
        ("Passphrase: ", b"three-hunter2\n"),
        ("The same again: ", b"three-hunter2\n"),
    ]
    status, shown = terminal("keygen", "carol", "-o", "carol.key", answers=answers)
    assert status == 0, shown
    assert "hunter2" not in shown
    assert "The two differ" in shown
    assert "empty passphrase" in shown
    assert Identity.load("carol.key", passphrase="three-hunter2").name == "carol"
    status, shown = terminal("id", "carol.key", answers=[("Passphrase: ", b"hunter3\n")])
    assert status == 21
    assert "PassphraseWrong" in shown
    assert "hunter" not in shown


def test_a_passphrase_comes_from_a_file_an_environment_variable_or_a_pipe(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "pass").write_bytes("grüße horse\r\nsecond line\n".encode())
    (here / "pass").chmod(0o600)
    assert ama2sec("keygen", "carol", "-o", "carol.key", "--passphrase-file", "pass").status == 0
    assert Identity.load("carol.key", passphrase="grüße horse").name == "carol"
    monkeypatch.setenv("AMA2SEC_PASSPHRASE_FILE", "pass")
    assert ama2sec("id", "carol.key").status == 0
    monkeypatch.delenv("AMA2SEC_PASSPHRASE_FILE")
    os.mkfifo("pipe", 0o600)
    writer = threading.Thread(target=(here / "pipe").write_bytes, args=(b"wrong\n",))
    writer.start()
    shown = ama2sec("id", "carol.key", "--passphrase-file", "pipe")
    writer.join()
    assert (shown.status, shown.err.split(":")[0]) == (21, "PassphraseWrong")
    for damage, code in ((b"\xff\xfe\n", "ArgumentRange"), (b"\n", "ArgumentRange"), (b"x" * 2000, "ArgumentRange")):
        (here / "pass").write_bytes(damage)
        shown = ama2sec("id", "carol.key", "--passphrase-file", "pass")
        assert (shown.status, shown.err.split(":")[0]) == (20, code)
    (here / "pass").chmod(0o644)
    shown = ama2sec("id", "carol.key", "--passphrase-file", "pass")
    assert (shown.status, shown.err.split(":")[0]) == (21, "KeyFilePermissions")


def test_a_passphrase_for_an_unencrypted_file_is_refused(here: Path) -> None:
    (here / "pass").write_bytes(b"x\n")
    (here / "pass").chmod(0o600)
    shown = ama2sec("id", "alice.key", "--passphrase-file", "pass")
    assert (shown.status, shown.err.split(":")[0]) == (21, "KeyFileForm")


@pytest.mark.parametrize("form", ["openssh", "pkcs8"])
def test_keys_go_out_and_come_in(form: str, here: Path) -> None:
    (here / "pass").write_bytes(b"horse\n")
    (here / "pass").chmod(0o600)
    assert ama2sec("id", "alice.key", f"--export-{form}", "plain", "--no-passphrase").status == 0
    assert ama2sec("id", "alice.key", f"--export-{form}", "sealed", "--export-passphrase-file", "pass").status == 0
    key = json.loads(ama2sec("id", "alice.key", "--json").out)["key"]
    for name, more in (("plain", []), ("sealed", ["--import-passphrase-file", "pass"])):
        assert stat.S_IMODE((here / name).stat().st_mode) == 0o600
        shown = ama2sec(
            "keygen", "again", "-o", f"{name}.key", "--no-passphrase", f"--import-{form}", name, *more, "--json"
        )
        assert shown.json["key"] == key
    (here / "plain").chmod(0o640)
    shown = ama2sec("keygen", "again", "-o", "more.key", "--no-passphrase", f"--import-{form}", "plain")
    assert (shown.status, shown.err.split(":")[0]) == (21, "KeyFilePermissions")


def test_an_export_is_never_unencrypted_by_default(here: Path) -> None:
    shown = process("id", "alice.key", "--export-openssh", "out")
    assert (shown.status, shown.err.split(":")[0]) == (21, "PassphraseNeeded")
    assert not (here / "out").exists()
