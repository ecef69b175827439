"""What came from elsewhere cannot steer a terminal, pass for a line of ours, or be read as markup."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from ama2sec import Directory, Identity
from ama2sec.cli import show
from tests.conftest import crafted, identity
from tests.shell import Done, ama2sec, terminal

HOSTILE = (
    "\x1b[2J\x1b]0;title\x07 \x9b31m \r\x08\x7f\0 \u202e\u2066\u2069\u200b\u200f\ufeff\u2028\u2029\u0085 "
    "[red]x[/red] [link=https://evil.example]y[/link] :smile: \U000e0041\nvalid: signed by bob\n"
)


def harmless(done: Done) -> bool:
    return all(c == "\n" or unicodedata.category(c) not in show._HIDDEN for c in done.text + done.err)


def test_every_character_that_is_not_seen_is_escaped() -> None:
    for number in range(0x110000):
        char = chr(number)
        seen = unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        assert show.plain(char) == (char if seen else f"\\u{{{number:x}}}")


def test_no_line_of_a_body_can_pass_for_one_of_ours(here: Path, alice: Identity) -> None:
    signed = alice.sign(HOSTILE.encode(), to=["bob"], media_type="text/[bold]html")
    for command in ("verify", "inspect"):
        done = ama2sec(command, "-d", "team.json", stdin=signed.to_bytes())
        assert done.status == 0
        assert harmless(done)
        shown = [line for line in done.text.splitlines() if "signed by" in line and "key" not in line]
        assert [
            line.lower().startswith(("valid: signed by alice", "verified: signed by alice", "  | ")) for line in shown
        ] == [True] * len(shown)
        assert "  | valid: signed by bob" in shown
        assert "[red]x[/red]" in done.text, "markup is text"
        assert ":smile:" in done.text
        assert "text/[bold]html" in done.text
    status, text = terminal("verify", "letter.ama", "-d", "team.json")
    assert status == 21
    (here / "letter.ama").write_bytes(signed.to_bytes())
    status, text = terminal("verify", "letter.ama", "-d", "team.json")
    assert status == 0
    for code in ("\x1b[2J", "\x1b]0", "\x07", "\x9b", "\u202e", "\x1b[31m"):
        assert code not in text


def test_claims_that_hold_any_text_are_escaped(here: Path) -> None:
    state = {
        "instance": None,
        "definition": "ef" * 32,
        "step": "go",
        "approves": None,
        "outputs": {"text": HOSTILE[:120]},
    }
    for options in ([], ["--json"]):
        done = ama2sec("inspect", *options, stdin=crafted(workflow_state=state))
        assert done.status == 0
        assert harmless(done)
        if not options:
            (line,) = [line for line in done.text.splitlines() if "output text" in line]
            assert "[red]x[/red]" in line


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_what_a_person_types_is_escaped(options: list[str], here: Path) -> None:
    commands = [
        ["id", HOSTILE.replace("\0", "")],
        ["verify", HOSTILE.replace("\0", ""), "-d", "team.json"],
        ["verify", "-d", HOSTILE],
        ["keygen", HOSTILE, "-o", "x", "--no-passphrase"],
        ["keygen", "x", "-o", HOSTILE, "--no-passphrase"],
        ["directory", "add", "team.json", "--name", HOSTILE, "--key", "00"],
        ["sign", "-k", "alice.key", "--to", HOSTILE],
        ["errors", HOSTILE],
        [HOSTILE],
    ]
    for command in commands:
        done = ama2sec(*command, *options)
        assert done.status in (2, 20, 21), command
        assert harmless(done), command


def test_names_in_json_lines_are_escaped(here: Path) -> None:
    done = ama2sec("sign", "-k", "alice.key", "--jsonl", stdin=b'{"body": "", "to": ["\\u001b[31m\\u202e"]}')
    assert done.status == 20
    assert harmless(done)


def test_json_is_ascii(here: Path, alice: Identity) -> None:
    done = ama2sec("inspect", "--json", stdin=alice.sign("ä".encode()).to_bytes())
    assert done.out.isascii()


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", ["  | "]),
        (b"a\nb\n", ["  | a", "  | b"]),
        (b"\n\n", ["  | ", "  | "]),
        (b"\xff\x00", ["  | ff00"]),
        (b"x" * 400, ["  | " + "x" * 400]),
        (b"x" * 401, ["  | " + "x" * 400, "  ... 401 bytes in all"]),
        (b"x" * 399 + "ä".encode(), ["  | " + "x" * 399, "  ... 401 bytes in all"]),
        (b"x\n" * 20, ["  | x"] * 12 + ["  ... 40 bytes in all"]),
        (b"\xff" * 300, ["  | " + "ff" * 32] * 6 + ["  | " + "ff" * 8, "  ... 300 bytes in all"]),
        (b"x\xc3", ["  | 78c3"]),
    ],
    ids=lambda value: "",
)
def test_the_beginning_of_a_body(body: bytes, shown: list[str]) -> None:
    assert show.body_lines(body) == shown


def test_a_name_in_the_directory_is_told_from_a_name_in_the_message(here: Path) -> None:
    # "root" is only what the author wrote; "alice" with an id behind it is what the directory says.
    alice = identity("alice", 1)
    done = ama2sec("verify", "-d", "team.json", stdin=alice.sign(b"x", to=["root", alice.id]).to_bytes())
    rows = [line.removeprefix("to").strip() for line in done.text.splitlines()[3:5]]
    assert sorted(rows) == [f"alice ({alice.id.short})", "root"]
    assert len(Directory.load("team.json")) == 4
