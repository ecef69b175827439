"""dag: drawings and questions, over realms and over conversation files."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from ama2sec import Directory, check_ancestry
from ama2sec._native import Fingerprint, Id, TranscriptReader, parse
from ama2sec.history import write_transcript
from tests.conftest import identity
from tests.realm_story import Story, story
from tests.shell import ama2sec


@pytest.fixture(scope="module")
def told() -> Story:
    return story()


@pytest.fixture
def files(told: Story, here: Path, directory: Directory) -> Path:
    """``realm.ama`` and ``talk.ama``."""
    (here / "realm.ama").write_bytes(told.data)
    people = [identity("alice", 1), identity("bob", 2)]
    turns = [(people[n % 2], b"x", 1_790_000_000_000 + n) for n in range(5)]
    write_transcript("talk.ama", people[0], turns, directory, lag=lambda n: 2 if n == 4 else 0)
    return here


def test_a_conversation_is_drawn_in_every_form(files: Path) -> None:
    shown = ama2sec("dag", "realm.ama")
    assert (shown.status, shown.err) == (0, "")
    assert "acme-orders" in shown.text
    assert "REJECTED SeqUsed" in shown.text
    assert len(shown.text.splitlines()) == 13
    assert ama2sec("dag", "realm.ama", "--format", "svg", "--out", "d.svg").status == 0
    assert ET.parse(files / "d.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert ama2sec("dag", "realm.ama", "--format", "dot").text.startswith("digraph")
    assert ama2sec("dag", "realm.ama", "--format", "mermaid").text.startswith("flowchart")
    assert ama2sec("dag", "realm.ama", "--format", "svg", "--out", "d.svg").code == "FileExists"
    assert len(ama2sec("dag", "realm.ama", "--json").json["timeline"]) == 10


def test_the_questions_about_a_realm(told: Story, files: Path) -> None:
    ids = {name: str(one) for name, one in told.ids.items()}

    def asked(*options: str) -> list[str]:
        found = ama2sec("dag", "realm.ama", *options, "--json").json["entries"]
        called = {one: name for name, one in ids.items()}
        return [called[entry["id"]] for entry in found]

    assert asked("--ancestors", ids["offer"]) == ["open", "ask", "fork"]
    assert asked("--descendants", ids["second"][:16]) == ["merge", "end", "close"]
    assert asked("--path", ids["merge"], ids["offer"]) == ["merge", "second", "offer"]
    assert asked("--common", ids["late"], ids["offer"]) == ["open"]
    shown = ama2sec("dag", "realm.ama", "--path", ids["late"], ids["ask"])
    assert shown.text.startswith("no way")
    heads = ama2sec("dag", "realm.ama", "--heads")
    assert heads.text == f"{told.chat}:5\n"
    assert ama2sec("dag", "realm.ama", "--heads", "--json").json["heads"] == [{"branch": str(told.chat), "size": 5}]
    worker = f"{told.worker.id}:5"
    shown = ama2sec("dag", "realm.ama", "--diff", f"{told.chat}:3", worker)
    assert "only in the first: 1\n" in shown.text
    assert "only in the second: 3\n" in shown.text
    found = ama2sec("dag", "realm.ama", "--diff", f"{told.chat}:3", worker, "--json").json
    assert (len(found["first"]), len(found["second"])) == (1, 3)
    shown = ama2sec("dag", "realm.ama", "--trace", ids["offer"])
    assert shown.text.splitlines()[0].endswith("granted by ben")
    assert shown.text.splitlines()[-1] == f"genesis {told.desk.realm}: the realm itself"
    found = ama2sec("dag", "realm.ama", "--trace", ids["offer"], "--json").json
    assert [link["link"] for link in found["trace"]] == ["grant", "agent", "entry", "agent", "genesis"]
    shown = ama2sec("dag", "realm.ama", "--ancestors", ids["offer"])
    assert "ada: open" in shown.text


def test_an_ancestor_is_proved_to_a_stranger(told: Story, files: Path) -> None:
    question = ("dag", "realm.ama", "--is-ancestor", str(told.ids["offer"]), str(told.ids["close"]))
    assert ama2sec(*question).text.startswith("yes: ")
    assert "proof for the head" in ama2sec(*question, "--proof", "p").text
    found = ama2sec(*question, "--proof", "p2", "--json").json
    size, digest = found["head"].split(":")
    branch = Id.from_hex(found["branch"])
    trusted = Fingerprint(told.desk.realm, told.chat, branch, int(size), Id.from_hex(digest))
    reader = TranscriptReader(realm=True)
    envelope = next(entry for entry in reader.feed(told.data) if parse(entry).id == told.ids["offer"])
    assert check_ancestry(trusted, envelope, (files / "p").read_bytes()).id == told.ids["offer"]
    backwards = ("dag", "realm.ama", "--is-ancestor", str(told.ids["close"]), str(told.ids["offer"]))
    assert ama2sec(*backwards).text.startswith("no: ")
    assert ama2sec(*backwards, "--json").json == {"ok": True, "is_ancestor": False}
    assert ama2sec(*backwards, "--proof", "p3").code == "ArgumentRange"


def test_a_conversation_file_is_drawn_and_asked_too(files: Path) -> None:
    shown = ama2sec("dag", "talk.ama")
    assert "NOT VERIFIED" in shown.text
    shown = ama2sec("dag", "talk.ama", "-d", "team.json")
    assert ", verified" in shown.text
    assert "alice: message" in shown.text
    assert "had seen 2 of 4" in shown.text
    entries = ama2sec("dag", "talk.ama", "--json").json["timeline"]
    last, first = entries[-1]["id"], entries[0]["id"]
    assert len(ama2sec("dag", "talk.ama", "--ancestors", last, "--json").json["entries"]) == 5
    assert ama2sec("dag", "talk.ama", "--is-ancestor", first, last).text.startswith("yes")
    assert ama2sec("dag", "talk.ama", "--is-ancestor", first, last, "--proof", "p").code == "ArgumentRange"
    assert ama2sec("dag", "talk.ama", "--trace", last).code == "ArgumentRange"
    data = bytearray((files / "talk.ama").read_bytes())
    data[-1] ^= 1
    (files / "talk.ama").write_bytes(data)
    assert ama2sec("dag", "talk.ama", "-d", "team.json").code == "BodyMismatch"


def test_what_dag_does_not_take(told: Story, files: Path) -> None:
    offer = str(told.ids["offer"])
    for wrong in (
        ("realm.ama", "--heads", "--trace", offer),
        ("realm.ama", "--proof", "p"),
        ("realm.ama", "--ancestors", ""),
        ("realm.ama", "--ancestors", "zz"),
        ("realm.ama", "--ancestors", str(told.ids["again"])),
        ("realm.ama", "--ancestors", str(told.ids["close"]), "--limit", "3"),
        ("realm.ama", "--limit", "9"),
        ("realm.ama", "--diff", offer, offer),
        ("realm.ama", "--diff", f"{told.chat}:0", f"{told.chat}:1"),
        ("realm.ama", "--conversation", "zz"),
        ("realm.ama", "--realm", "zz"),
        ("realm.ama", "-d", "team.json"),
        ("talk.ama", "--conversation", "00"),
        ("talk.ama", "--realm", "00" * 32),
    ):
        assert ama2sec("dag", *wrong).code == "ArgumentRange", wrong
    assert ama2sec("dag", "nothing").code == "FileUnreadable"
    assert ama2sec("dag", "realm.ama", "--realm", "00" * 32).code == "RealmOther"
    (files / "bad").write_bytes(told.data[:-1])
    assert ama2sec("dag", "bad").code == "Truncated"


def test_one_of_several_conversations_is_chosen(files: Path) -> None:
    other = story()
    second = other.desk.open(other.ada)
    (files / "two.ama").write_bytes(other.data)
    assert ama2sec("dag", "two.ama").code == "ArgumentRange"
    shown = ama2sec("dag", "two.ama", "--conversation", str(second)[:12], "--realm", str(other.desk.realm))
    assert shown.text.count(": open") == 1
