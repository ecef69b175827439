"""The command line as a whole: usage, help, the one place where faults become statuses."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from ama2sec import __version__
from ama2sec.cli import Stopped, app
from ama2sec.errors import FAMILIES, error
from tests.shell import PROGRAM, Done, ama2sec, environment, process, terminal

COMMANDS = [
    [],
    ["keygen"],
    ["id"],
    ["directory"],
    ["directory", "add"],
    ["directory", "list"],
    ["directory", "remove"],
    ["directory", "import"],
    ["directory", "export"],
    ["sign"],
    ["verify"],
    ["inspect"],
    ["tree"],
    ["tree", "root"],
    ["tree", "prove"],
    ["tree", "exhibit"],
    ["tree", "check"],
    ["replay"],
    ["dag"],
    ["head"],
    ["head", "compare"],
    ["workflow"],
    ["workflow", "check"],
    ["workflow", "draw"],
    ["workflow", "simulate"],
    ["errors"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_that_fits(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (80, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        shown = ama2sec(*command, "--help")
        assert (shown.status, shown.err) == (0, "")
        assert shown.text.startswith("Usage: ama2sec")
        assert max(map(len, shown.text.splitlines())) <= columns
        whole = shown.text.replace("[OPTIONS] COMMAND [ARGS]...", "").replace("{FILE}...", "")
        assert "..." not in whole, "nothing is cut short"
    assert ama2sec(*command, "-h").out == shown.out


def test_help_names_every_exit_status() -> None:
    for command in (["--help"], ["verify", "--help"]):
        text = " ".join(ama2sec(*command).text.split())
        for status in (0, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 70, 2):
            assert f" {status} " in text, status


def test_the_version() -> None:
    assert ama2sec("--version") == Done(0, f"ama2sec {__version__}\n".encode(), "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], "No such command 'nonsense'."),
        (["keygen"], "Missing"),
        (["keygen", "x", "--out"], "requires an argument"),
        (["verify", "--bogus", "-d", "x"], "No such option"),
        (["verify", "letter"], "--directory"),
        (["inspect", "--at", "-1"], "at"),
        (["inspect", "--at", "x"], "at"),
        (["verify", "-d", "x", "--impl", "perl"], "perl"),
    ],
)
def test_a_wrong_command_line_is_status_2_and_says_where_help_is(arguments: list[str], told: str) -> None:
    shown = ama2sec(*arguments)
    assert (shown.status, shown.out) == (2, b"")
    assert told in shown.err
    assert "--help" in shown.err
    assert shown.err.startswith(("Usage: ", "Try "))


def test_no_arguments_show_the_help_on_standard_error() -> None:
    shown = ama2sec()
    assert (shown.status, shown.out) == (2, b"")
    assert shown.err.splitlines() == ama2sec("--help").text.splitlines()


def test_a_wrong_command_line_cannot_steer_the_terminal() -> None:
    shown = ama2sec("\x1b[31m\u202e\nno")
    assert shown.status == 2
    assert "\x1b" not in shown.err
    assert "\u202e" not in shown.err


def test_a_fault_of_ours_shows_no_traceback_and_no_text_of_the_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: list[str]) -> int:
        raise RuntimeError("the passphrase is hunter2")

    monkeypatch.setattr(app, "invoke", broken)
    shown = ama2sec("errors")
    assert shown.status == 70
    assert shown.err.startswith("Internal: expected the command to finish, got RuntimeError")
    assert "hunter2" not in shown.err
    assert "Traceback" not in shown.err
    assert ama2sec("errors", "--json").json["code"] == "Internal"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_status_of_a_fault_is_that_of_its_family(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from ama2sec.errors import CATALOGUE

    code = next(entry.name for entry in CATALOGUE.values() if entry.family == family)

    def failing(_: list[str]) -> int:
        raise error(code, "one thing", "another", 7)

    monkeypatch.setattr(app, "invoke", failing)
    shown = ama2sec("errors")
    assert (shown.status, shown.out) == (FAMILIES[family].exit_code, b"")
    assert shown.err.startswith(f"{code}: expected one thing, got another (at byte 7) [spec ")
    shown = ama2sec("errors", "--json")
    assert (shown.status, shown.err) == (FAMILIES[family].exit_code, "")
    entry = CATALOGUE[code]
    assert shown.json == {
        "ok": False,
        "code": code,
        "number": entry.number,
        "blame": entry.blame,
        "clause": entry.clause,
        "expected": "one thing",
        "got": "another",
        "offset": 7,
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_is_a_fault_with_the_shells_own_status(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_: list[str]) -> int:
        raise Stopped(number)

    monkeypatch.setattr(app, "invoke", stopped)
    shown = ama2sec("errors")
    assert shown.status == 128 + number
    assert shown.err.startswith("Cancelled: ")
    assert ama2sec("errors", "--json").json["code"] == "Cancelled"


def test_an_interrupt_at_the_prompt(here: Path) -> None:
    for key in (b"\x03", b"\x04"):
        status, shown = terminal("keygen", "carol", "--out", "carol.key", answers=[("Passphrase: ", key)])
        assert status == 130
        assert "Cancelled" in shown
    assert not [path for path in here.iterdir() if path.name.startswith((".ama2sec-", "carol"))]


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_standard_streams_are_no_fault_of_ours_and_no_file_gets_their_number(
    closed: tuple[int, ...], here: Path
) -> None:
    redirections = " ".join("<&-" if number == 0 else f"{number}>&-" for number in closed)
    command = f'"$@" {redirections}'
    done = subprocess.run(
        ["/bin/sh", "-c", command, "sh", *PROGRAM, "keygen", "carol", "-o", "carol.key", "--no-passphrase"],
        capture_output=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == (21 if 1 in closed else 0)
    assert b"Traceback" not in done.stderr
    assert ama2sec("id", "carol.key").status == 0, "nothing but the key is in the key file"


def test_an_output_that_cannot_be_encoded_is_escaped(here: Path) -> None:
    (here / "body").write_text("grüße 漢字")
    assert ama2sec("sign", "-k", "alice.key", "-b", "body", "-o", "letter.ama").status == 0
    shown = process("verify", "letter.ama", "-d", "team.json", PYTHONIOENCODING="ascii")
    assert shown.status == 0
    assert b"  | gr\\xfc\\xdfe \\u6f22\\u5b57" in shown.out


def test_signals_that_the_caller_ignores_stay_ignored(here: Path) -> None:
    program = f"trap '' INT TERM; {' '.join(map(_quoted, PROGRAM))} errors KeyWeak; kill -INT $$; echo $?"
    done = subprocess.run(["/bin/sh", "-c", program], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout.endswith("\n0\n")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def test_the_entry_point_is_this_program() -> None:
    shown = subprocess.run(
        [Path(PROGRAM[0]).parent / "ama2sec", "--version"], capture_output=True, text=True, check=True, env=os.environ
    )
    assert shown.stdout == f"ama2sec {__version__}\n"
