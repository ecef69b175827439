"""errors: the catalogue on the command line."""

from __future__ import annotations

import pytest

from ama2sec.errors import CATALOGUE, FAMILIES
from tests.shell import ama2sec


def test_all_codes_in_two_lines_each() -> None:
    shown = ama2sec("errors")
    lines = shown.text.splitlines()
    assert (shown.status, len(lines)) == (0, 2 * len(CATALOGUE))
    for entry, first, second in zip(CATALOGUE.values(), lines[::2], lines[1::2], strict=True):
        assert first.split()[:2] == [str(entry.number), entry.name]
        assert entry.clause in first
        assert first.endswith(", reserved") != entry.built
        assert second.strip() == entry.meaning
        assert len(first) <= 80


def test_json_has_the_whole_row() -> None:
    rows = ama2sec("errors", "--json").lines
    assert [row["name"] for row in rows] == list(CATALOGUE)
    for row in rows:
        assert list(row) == ["number", "name", "family", "blame", "clause", "built", "meaning", "exit_status"]
        assert row["exit_status"] == FAMILIES[row["family"]].exit_code


def test_one_code() -> None:
    assert ama2sec("errors", "KeyWeak").text.startswith(" 204  KeyWeak")
    assert [row["number"] for row in ama2sec("errors", "KeyWeak", "--json").lines] == [204]


@pytest.mark.parametrize("code", ["keyweak", "", "\x1b[31m", "x" * 1000])
def test_a_code_that_there_is_not(code: str) -> None:
    shown = ama2sec("errors", code)
    assert (shown.status, shown.code, shown.out) == (20, "ArgumentRange", b"")
    assert "\x1b" not in shown.err
    assert len(shown.err) < 250
