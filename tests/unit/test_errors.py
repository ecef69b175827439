"""The catalogue: one table in the spec, in Python and in Rust, and the tree above it."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from ama2sec import _native
from ama2sec.errors import CATALOGUE, FAMILIES, Ama2Error, CallerError, InternalError, PeerError, error

SPEC = Path(__file__).parents[2] / "audits" / "spec"


def test_python_and_rust_have_the_same_catalogue() -> None:
    ours = [(e.number, e.name, e.family, e.blame, e.clause, e.built, e.meaning) for e in CATALOGUE.values()]
    assert ours == _native.error_catalogue()


def test_the_spec_has_the_same_catalogue() -> None:
    rows = re.findall(
        r"^\| (\d+) \| `(\w+)` \| (\w+) \| (\w+) \| ([\w.-]+) \| (\w+) \| (.*) \|$",
        (SPEC / "errors.md").read_text(),
        re.MULTILINE,
    )
    assert [
        (int(n), name, f, b, c, built == "yes", m) for n, name, f, b, c, built, m in rows
    ] == _native.error_catalogue()


def test_numbers_and_names_are_unique_and_numbers_fit_a_u16() -> None:
    numbers = [entry.number for entry in CATALOGUE.values()]
    assert len(set(numbers)) == len(numbers)
    assert all(0 < number < 1 << 16 for number in numbers)


def test_clauses_of_built_codes_exist() -> None:
    texts = {path.stem: path.read_text() for path in SPEC.glob("*.md")}
    for entry in CATALOGUE.values():
        if entry.built:
            file, section = entry.clause.split(".")[:2]
            assert re.search(rf"^## {section}\. |^{section}\. ", texts[file], re.MULTILINE), entry


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_code_makes_its_error(code: str) -> None:
    made = error(code, "one thing", "another")
    entry = CATALOGUE[code]
    assert type(made) is FAMILIES[entry.family]
    assert (made.code, made.number, made.blame, made.clause) == (code, entry.number, entry.blame, entry.clause)
    assert str(made).startswith(f"{code}: expected one thing, got another")
    base = {"peer": PeerError, "caller": CallerError, "us": InternalError}[entry.blame]
    assert isinstance(made, base)
    assert isinstance(made, Ama2Error)
    again = pickle.loads(pickle.dumps(made))
    assert (type(again), str(again)) == (type(made), str(made))


def test_exit_statuses_tell_the_classes_apart() -> None:
    wanted = {"signature": 10, "malformed": 11, "key": 12, "authority": 13, "history": 14, "stale": 15, "body": 16}
    assert {family: FAMILIES[family].exit_code for family in wanted} == wanted
