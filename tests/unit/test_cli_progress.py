"""A bar on a terminal, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from ama2sec import Directory
from ama2sec.cli import progress
from ama2sec.history import write_transcript
from ama2sec.limits import MAX_BODY
from tests.conftest import identity
from tests.shell import ama2sec, process, terminal


def bar(shown: str) -> bool:
    return "verifying" in shown and "━" in shown


@pytest.fixture
def long(here: Path, directory: Directory) -> Path:
    alice = identity("alice", 1)
    write_transcript("long.ama", alice, [(alice, b"x" * MAX_BODY, 1)] * 20, directory)
    return here


def test_long_work_shows_a_bar_on_a_terminal_that_is_gone_afterwards(long: Path) -> None:
    status, shown = terminal("verify", "long.ama", "-d", "team.json")
    assert status == 0
    assert bar(shown)
    assert "entries" in shown
    after = shown.rpartition("\x1b[2K")[2]
    assert "valid: 21 entries" in after
    assert "━" not in after
    status, shown = terminal("verify", "long.ama", "-d", "team.json", out=long / "out")
    assert bar(shown)
    assert (long / "out").read_text().startswith("valid: 21 entries")


def test_no_bar_where_there_is_no_terminal_or_the_work_is_short(long: Path, directory: Directory) -> None:
    done = process("verify", "long.ama", "-d", "team.json")
    assert (done.status, done.err) == (0, "")
    assert "━" not in done.text
    alice = identity("alice", 1)
    write_transcript("short.ama", alice, [(alice, b"x", 1)], directory)
    status, shown = terminal("verify", "short.ama", "-d", "team.json")
    assert (status, "━" in shown) == (0, False)


def test_no_bar_gets_into_lines_on_the_same_terminal(long: Path) -> None:
    alice = identity("alice", 1)
    (long / "stream.ama").write_bytes(alice.sign(b"x" * MAX_BODY).to_bytes() * 20)
    status, shown = terminal("verify", "stream.ama", "-d", "team.json")
    assert (status, "━" in shown) == (0, False)
    status, shown = terminal("verify", "stream.ama", "-d", "team.json", out=long / "out")
    assert (status, bar(shown)) == (0, True)
    assert len((long / "out").read_text().splitlines()) == 20


def test_a_dumb_terminal_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    assert progress._quiet(1 << 30, to_terminal=False)
    monkeypatch.setenv("TERM", "xterm")
    assert not progress._quiet(1 << 30, to_terminal=False)
    assert progress._quiet(None, to_terminal=False)


def test_in_this_process_there_is_none(long: Path) -> None:
    assert ama2sec("verify", "long.ama", "-d", "team.json").err == ""
