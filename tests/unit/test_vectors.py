"""Every vector, put to both implementations; and the vectors themselves: made again, well-formed, complete."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from ama2sec.errors import CATALOGUE
from tests.both import IMPLEMENTATIONS, ask
from tests.vectors.ask import HERE, files, fits, load, main
from tests.vectors.generate import books

FILES = files()
SPECS = Path(__file__).parents[2] / "audits" / "spec"

# Codes of the other side's bytes that no question of conform can lead to.
NOT_ASKED = {"BodyMissing"}


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("name", FILES)
def test_every_vector_has_its_answer(name: str, implementation: str) -> None:
    wrong = []
    for vector in load([name]):
        answer = ask(implementation, **vector["question"])
        if not fits(vector, answer):
            wrong.append((vector["id"], vector["clause"], vector["expected"], answer))
    assert not wrong


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_the_process_answers_every_line_in_order(implementation: str) -> None:
    vectors = list(load())
    lines = "".join(json.dumps({"id": vector["id"], **vector["question"]}) + "\n" for vector in vectors)
    command = [sys.executable, "-m", "ama2sec.conform", "--impl", implementation]
    found = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, timeout=120)
    answers = [json.loads(line) for line in found.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [vector["id"] for vector in vectors]
    assert [v["id"] for v, answer in zip(vectors, answers, strict=True) if not fits(v, answer)] == []


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_verification_stops_where_parsing_does(implementation: str) -> None:
    directory = next(load(["verify"]))["question"]["directory"]
    for vector in load(["envelope", "claims"]):
        code = vector["expected"]["code"]
        found = ask(implementation, op="verify", envelope=vector["question"]["envelope"], directory=directory)["code"]
        # Claims inside a realm parse, and do not verify outside of one; a genesis is no agent's to sign.
        assert found == code or (code == "ok" and found in {"RealmOther", "PurposeWrong"}), vector["id"]


def test_the_same_bytes_are_made_again() -> None:
    made = {book.name: book.text() for book in books()}
    assert sorted(made) == FILES
    for name, text in made.items():
        assert (HERE / f"{name}.json").read_text(encoding="ascii") == text, f"python -m tests.vectors.generate: {name}"


@pytest.mark.parametrize("name", FILES)
def test_files_have_the_form_of_the_schema(name: str) -> None:
    schema = json.loads((HERE / "schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads((HERE / f"{name}.json").read_text()))


def test_the_schema_refuses_what_is_no_vector() -> None:
    checker = jsonschema.Draft202012Validator(json.loads((HERE / "schema.json").read_text()))
    vector = {
        "id": "a.b",
        "clause": "envelope.3",
        "question": {"op": "cbor", "bytes": "00"},
        "expected": {"code": "ok"},
    }
    whole = {"format": "ama2sec-vectors", "version": 1, "title": "t"}
    assert checker.is_valid({**whole, "vectors": [vector]})
    for change in (
        {"id": "A"}, {"clause": "somewhere"}, {"question": {"op": "cbor", "bytes": "0"}}, {"question": {"op": "x"}},
        {"question": {"op": "cbor", "bytes": {"runs": [["0", 1]]}}}, {"expected": {}}, {"expected": {"code": "E", "head": ""}}, {"more": 1},
    ):  # fmt: skip
        assert not checker.is_valid({**whole, "vectors": [{**vector, **change}]}), change
    assert not checker.is_valid({**whole, "vectors": []})


def test_ids_are_unique_and_name_their_file() -> None:
    seen: set[str] = set()
    for name in FILES:
        for vector in load([name]):
            assert vector["id"].startswith(f"{name}.")
            assert vector["id"] not in seen
            seen.add(vector["id"])
    assert len(seen) > 2000


def test_every_clause_that_is_cited_stands_in_the_specs() -> None:
    numbers = {path.stem: {*re.findall(r"^## (\d+)\.", path.read_text(), re.MULTILINE)} for path in SPECS.glob("*.md")}
    numbers["conform"] = {*re.findall(r"^(\d+)\.", (SPECS / "conform.md").read_text(), re.MULTILINE)}
    for vector in load():
        spec, section = vector["clause"].split(".")[:2]
        assert section in numbers[spec], vector["id"]


def test_every_code_for_bytes_from_elsewhere_has_a_vector() -> None:
    asked = {vector["expected"]["code"] for vector in load()}
    built = [entry for entry in CATALOGUE.values() if entry.built and entry.blame == "peer"]
    # Proofs are asked about in test_conform_proofs, where they are made first.
    wanted = {entry.name for entry in built if entry.clause.split(".")[0] in ("envelope", "fingerprint", "identity")}
    assert wanted - asked == NOT_ASKED
    # And the caller's faults that a question can have.
    assert asked - wanted == {"ok", "DefinitionInvalid", "ConformQuestion", "ArgumentType", "NameTaken", "KeyTaken"}


def test_every_rule_has_an_accepted_twin() -> None:
    """A file in which everything is refused would pass with an implementation that refuses everything."""
    for name in FILES:
        codes = [vector["expected"]["code"] for vector in load([name])]
        assert codes.count("ok") >= 4 or name == "conform", name


def test_the_pipe_of_the_readme(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["questions", "keys"]) == 0
    asked = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    answers = [{**ask("reference", **question), "id": question["id"]} for question in asked]
    for found, status in ((answers, 0), (answers[1:], 1), ([{**answers[0], "code": "KeyWeak"}, *answers[1:]], 1)):
        monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(map(json.dumps, found))))
        assert main(["check", "keys"]) == status
    assert main([]) == 2


def test_what_makes_them_shares_nothing_with_what_they_test() -> None:
    for path in [HERE / "generate.py", HERE / "ask.py", *(HERE / "making").glob("*.py")]:
        imports = re.findall(r"^ *(?:from|import) +([\w.]+)", path.read_text(), re.MULTILINE)
        assert not [name for name in imports if name.split(".")[0] == "ama2sec"], path
