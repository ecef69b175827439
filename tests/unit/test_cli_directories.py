"""The directory commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ama2sec import Directory, Identity
from tests.shell import ama2sec

FIELDS = ["name", "purpose", "key", "thumbprint", "did_key"]
WEAK = "0100000000000000000000000000000000000000000000000000000000000000"


def test_a_directory_is_made_filled_listed_and_emptied(here: Path, alice: Identity, bob: Identity) -> None:
    made = [
        ama2sec("directory", "add", "d.json", "--name", "alice", "--from", "alice.key", "--json"),
        ama2sec("directory", "add", "d.json", "--name", "robert", "--key", bob.did_key, "--purpose", "root", "--json"),
        ama2sec(
            "directory", "add", "d.json", "--name", "robert", "--key", bob.public.hex, "--purpose", "root", "--json"
        ),
    ]
    assert [done.status for done in made] == [0, 0, 0]
    assert list(made[0].json) == ["ok", *FIELDS]
    listed = ama2sec("directory", "list", "d.json", "--json").lines
    assert [(row["name"], row["purpose"], row["key"]) for row in listed] == [
        ("alice", "message", alice.public.hex),
        ("robert", "root", bob.public.hex),
    ]
    text = ama2sec("directory", "list", "d.json").text
    assert text.splitlines()[0] == "alice  (message)"
    assert all(len(line) <= 80 for line in text.splitlines())
    assert str(bob.id) in text
    assert bob.did_key in text
    exported = ama2sec("directory", "export", "d.json")
    assert exported.out == (here / "d.json").read_bytes()
    assert ama2sec("directory", "export", "d.json", "--out", "copy.json").status == 0
    assert (here / "copy.json").read_bytes() == exported.out
    shown = ama2sec("directory", "import", "team.json", "-", stdin=exported.out)
    assert (shown.status, shown.err.split(":")[0]) == (20, "KeyTaken"), "bob is robert there"
    assert ama2sec("directory", "remove", "d.json", "--name", "robert").text == "removed robert; 1 key now\n"
    assert ama2sec("directory", "import", "d.json", "team.json").text == "added 3; 4 keys now\n"
    assert ama2sec("directory", "import", "d.json", "team.json", "--json").json == {"ok": True, "keys": 4}
    assert len(Directory.load("d.json")) == 4


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (["add", "team.json", "--name", "x"], "ArgumentRange", 20),
        (["add", "team.json", "--name", "x", "--key", WEAK, "--from", "alice.key"], "ArgumentRange", 20),
        (["add", "team.json", "--name", "X", "--key", WEAK], "ArgumentRange", 20),
        (["add", "team.json", "--name", "x", "--key", "zz"], "ArgumentRange", 20),
        (["add", "team.json", "--name", "x", "--key", "00"], "KeyLength", 13),
        (["add", "team.json", "--name", "x", "--key", WEAK], "KeyWeak", 13),
        (["add", "team.json", "--name", "x", "--key", "02" + WEAK[2:]], "KeyNotCanonical", 13),
        (["add", "team.json", "--name", "x", "--key", "did:key:zQ"], "KeyFormatUnsupported", 21),
        (["add", "team.json", "--name", "bob", "--from", "alice.key"], "NameTaken", 20),
        (["add", "team.json", "--name", "x", "--from", "alice.key"], "KeyTaken", 20),
        (["add", "team.json", "--name", "alice", "--from", "alice.key", "--purpose", "root"], "KeyTaken", 20),
        (["add", "team.json", "--name", "x", "--from", "none.key"], "FileUnreadable", 21),
        (["add", "alice.key", "--name", "x", "--from", "bob.key"], "DirectoryForm", 21),
        (["add", "dangling", "--name", "x", "--from", "bob.key"], "FileUnreadable", 21),
        (["add", "no/such.json", "--name", "x", "--from", "bob.key"], "WriteFailed", 21),
        (["list", "none.json"], "FileUnreadable", 21),
        (["remove", "team.json", "--name", "nobody"], "NameUnknown", 20),
        (["remove", "team.json", "--name", "../x"], "ArgumentRange", 20),
        (["import", "team.json", "none.json"], "FileUnreadable", 21),
        (["import", "team.json", "alice.key"], "DirectoryForm", 21),
        (["export", "team.json", "--out", "alice.key"], "FileExists", 21),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_what_is_refused_changes_nothing(arguments: list[str], code: str, status: int, here: Path) -> None:
    (here / "dangling").symlink_to("nowhere")
    before = {path.name: path.read_bytes() for path in here.iterdir() if path.exists()}
    shown = ama2sec("directory", *arguments)
    assert (shown.status, shown.out) == (status, b"")
    assert shown.err.startswith(f"{code}: ")
    assert {path.name: path.read_bytes() for path in here.iterdir() if path.exists()} == before


def test_a_weak_key_in_a_directory_file_is_a_fault_of_that_file_and_no_verdict(here: Path) -> None:
    entries = [{"name": "eve", "purpose": "message", "key": WEAK}]
    (here / "d.json").write_text(json.dumps({"format": "ama2sec-directory", "version": 1, "entries": entries}))
    ama2sec("sign", "-k", "alice.key", "-o", "letter.ama", stdin=b"hello")
    shown = ama2sec("verify", "letter.ama", "-d", "d.json")
    assert (shown.status, shown.err.split(":")[0]) == (21, "DirectoryForm")
    assert "KeyWeak" in shown.err
