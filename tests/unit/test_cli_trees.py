"""tree, and inspect of what it makes: heads, proofs, exhibits, and every way in which a check says no."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import ama2sec as library
from ama2sec import Accumulator, Directory, Fingerprint, Hop, Id
from ama2sec._native import SigningKey, make
from ama2sec.history import Archive, write_transcript
from tests.conftest import identity
from tests.shell import ama2sec

ZERO = "00" * 32


@pytest.fixture
def trip(here: Path, directory: Directory) -> Fingerprint:
    """``trip.ama`` with 13 entries, ``m5.ama`` one of them; the head of the whole."""
    authors = [identity("alice", 1), identity("bob", 2)]
    turns = [(authors[i % 2], f"turn {i}".encode(), 1_790_000_000_000 + i) for i in range(12)]
    head = write_transcript("trip.ama", authors[0], turns, directory, members=["alice", "bob"])
    archive = Archive("trip.ama")
    for index in (3, 4, 5):
        (here / f"m{index}.ama").write_bytes(archive.entry(index))
    return head


def head_at(size: int) -> str:
    return str(Archive("trip.ama").accumulator.fingerprint(size))


def test_the_root_names_the_head_and_says_what_was_checked(trip: Fingerprint) -> None:
    shown = ama2sec("tree", "root", "trip.ama")
    assert (shown.status, shown.err) == (0, "")
    assert shown.text.startswith("NOT VERIFIED")
    assert shown.text.endswith(f"head  {trip}\n")
    shown = ama2sec("tree", "root", "trip.ama", "-d", "team.json")
    assert "NOT VERIFIED" not in shown.text
    found = ama2sec("tree", "root", "trip.ama", "--size", "4", "--json").json
    assert (found["head"], found["verified"], found["conversation"]) == (head_at(4), False, str(trip.conversation))
    assert ama2sec("tree", "root", "trip.ama", "--size", "14").code == "ArgumentRange"
    assert ama2sec("tree", "root", "nothing.ama").code == "FileUnreadable"


def test_a_conversation_that_does_not_verify_gives_no_proof(trip: Fingerprint, here: Path) -> None:
    data = bytearray((here / "trip.ama").read_bytes())
    data[-1] ^= 1
    (here / "trip.ama").write_bytes(data)
    shown = ama2sec("tree", "prove", "trip.ama", "--index", "2", "-o", "p", "-d", "team.json")
    assert shown.code == "BodyMismatch"
    assert not (here / "p").exists()
    # Its form is whole, so its tree can be had; whoever trusts another head will not take a proof from it.
    assert ama2sec("tree", "prove", "trip.ama", "--index", "2", "-o", "p").status == 0
    (here / "trip.ama").write_bytes(data[:-3])
    assert ama2sec("tree", "root", "trip.ama").code == "Truncated"


def test_an_inclusion_is_proved_and_checked(trip: Fingerprint, here: Path) -> None:
    assert ama2sec("tree", "prove", "trip.ama", "--index", "5", "--out", "5.proof").status == 0
    shown = ama2sec("tree", "check", "5.proof", "--head", str(trip), "--message", "m5.ama")
    assert shown.status == 0
    assert shown.text.startswith("included: message ")
    found = ama2sec("tree", "check", "5.proof", "--head", str(trip), "-m", "m5.ama", "--json").json
    assert (found["index"], found["type"]) == (5, "inclusion")
    check = ("tree", "check", "5.proof")
    assert ama2sec(*check, "--head", str(trip), "-m", "m4.ama").code == "ProofRoot"
    assert ama2sec(*check, "--head", head_at(12), "-m", "m5.ama").code == "ProofClaim"
    assert ama2sec(*check, "--head", f"13:{ZERO}", "-m", "m5.ama").code == "ProofRoot"
    assert ama2sec(*check, "--head", str(trip)).code == "ArgumentRange"
    assert ama2sec(*check, "-m", "m5.ama").code == "ArgumentRange"
    assert ama2sec(*check, "--head", "13:no", "-m", "m5.ama").code == "ArgumentRange"
    assert ama2sec(*check, "--head", str(trip), "-m", "m5.ama", "-m", "m5.ama").code == "ArgumentRange"
    (here / "cut.proof").write_bytes((here / "5.proof").read_bytes()[:-1])
    shown = ama2sec("tree", "check", "cut.proof", "--head", str(trip), "-m", "m5.ama")
    assert (shown.code, shown.status) == ("ProofForm", 11)
    # The first entry names no conversation: it is one.
    (here / "m0.ama").write_bytes(Archive("trip.ama").entry(0))
    assert ama2sec("tree", "prove", "trip.ama", "--index", "0", "-o", "0.proof").status == 0
    assert ama2sec("tree", "check", "0.proof", "--head", str(trip), "-m", "m0.ama").status == 0


def test_a_consistency_and_a_range_are_proved_and_checked(trip: Fingerprint) -> None:
    assert ama2sec("tree", "prove", "trip.ama", "--from", "6", "--out", "c.proof").status == 0
    scope = ("--conversation", str(trip.conversation))
    check = ("tree", "check", "c.proof", "--head", str(trip))
    shown = ama2sec(*check, "--old-head", head_at(6), *scope)
    assert shown.text.startswith("extended: ")
    assert ama2sec(*check, "--old-head", head_at(6), *scope, "--json").json["type"] == "consistency"
    assert ama2sec(*check, "--old-head", f"6:{ZERO}", *scope).code == "ConsistencyRoot"
    assert ama2sec(*check, "--old-head", head_at(6), "--conversation", ZERO).code == "ProofRoot"
    assert ama2sec(*check, "--old-head", head_at(6), "--conversation", "zz").code == "ArgumentRange"
    assert ama2sec(*check).code == "ArgumentRange"
    assert ama2sec("tree", "prove", "trip.ama", "--range", "3:6", "--out", "r.proof").status == 0
    check = ("tree", "check", "r.proof", "--head", str(trip))
    three = [part for name in ("m3.ama", "m4.ama", "m5.ama") for part in ("-m", name)]
    assert "entries 3 to 5" in ama2sec(*check, *three).text
    assert ama2sec(*check, *three, "--json").json["begin"] == 3
    assert ama2sec(*check, *three[:4]).code == "ArgumentRange"
    assert ama2sec(*check).code == "ArgumentRange"
    assert ama2sec(*check, "-m", "m4.ama", "-m", "m3.ama", "-m", "m5.ama").code == "ProofRoot"


def test_what_prove_does_not_take(trip: Fingerprint, here: Path) -> None:
    prove = ("tree", "prove", "trip.ama")
    for wrong in (
        (),
        ("--index", "1", "--from", "2"),
        ("--index", "13"),
        ("--from", "13"),
        ("--range", "6:6"),
        ("--range", "a:b"),
        ("--range", "1"),
        ("--range", "0:99999999999999999999"),
        # Not the first fifteen digits of it, which are another number.
        ("--range", "0000000000000001:3"),
        ("--range", "0:0000000000000003"),
    ):
        assert ama2sec(*prove, *wrong).code == "ArgumentRange", wrong
    (here / "there").write_bytes(b"mine")
    assert ama2sec(*prove, "--index", "1", "--out", "there").code == "FileExists"
    assert (here / "there").read_bytes() == b"mine"
    shown = ama2sec(*prove, "--index", "1")
    assert shown.out.startswith(b"a2p\x01")


def test_an_exhibit_is_one_file_that_checks_alone(trip: Fingerprint, here: Path) -> None:
    assert ama2sec("tree", "exhibit", "trip.ama", "--index", "5", "-o", "5.exhibit", "-d", "team.json").status == 0
    shown = ama2sec("tree", "check", "5.exhibit")
    assert shown.status == 0
    assert "AS STATED" in shown.text
    assert "NOT VERIFIED" in shown.text
    shown = ama2sec("tree", "check", "5.exhibit", "--head", str(trip), "-d", "team.json")
    assert "the one that you trust" in shown.text
    assert "signed by alice" in shown.text
    found = ama2sec("tree", "check", "5.exhibit", "--json").json
    assert (found["head_is"], found["sender"], found["index"]) == ("as stated", None, 5)
    shown = ama2sec("tree", "check", "5.exhibit", "--head", head_at(12))
    assert (shown.code, shown.status) == ("HeadForked", 14)
    shown = ama2sec("tree", "check", "5.exhibit", "--head", f"99:{ZERO}")
    assert (shown.code, shown.status) == ("HeadStale", 15)
    assert ama2sec("tree", "check", "5.exhibit", "--head", "what").code == "ArgumentRange"
    Directory().save("nobody.json")
    assert ama2sec("tree", "check", "5.exhibit", "-d", "nobody.json").code == "KeyUnknown"
    (here / "5.exhibit").write_bytes((here / "5.exhibit").read_bytes() + b"\0")
    assert ama2sec("tree", "check", "5.exhibit").code == "ExhibitForm"


def test_inspect_shows_the_path_and_draws_it(trip: Fingerprint, here: Path) -> None:
    ama2sec("tree", "exhibit", "trip.ama", "--index", "5", "-o", "5.exhibit")
    for name, option, value in (("i", "--index", "5"), ("c", "--from", "6"), ("r", "--range", "3:6")):
        ama2sec("tree", "prove", "trip.ama", option, value, "-o", f"{name}.proof")
    shown = ama2sec("inspect", "i.proof", "--svg", "i.svg")
    assert shown.text.startswith("NOT CHECKED")
    assert "entries 0 to 12: computed = the root\n  entries 8 to 12: given " in shown.text
    assert shown.text.endswith("        entry 5: the message\n")
    assert all(len(line) <= 80 for line in shown.text.splitlines())
    shown = ama2sec("inspect", "5.exhibit", "--svg", "e.svg")
    assert f"head as stated  {trip}" in shown.text
    assert "NOT VERIFIED" in shown.text
    for name in ("c", "r"):
        assert ama2sec("inspect", f"{name}.proof", "--svg", f"{name}.svg").status == 0
    for name in ("i", "e", "c", "r"):
        picture = ET.fromstring((here / f"{name}.svg").read_text())
        texts = [node.text for node in picture.iter("{http://www.w3.org/2000/svg}text")]
        assert "the root" in texts
    assert ama2sec("inspect", "i.proof", "--json").json["proof"]["index"] == 5
    assert ama2sec("inspect", "i.proof", "--svg", "i.svg").code == "FileExists"
    assert ama2sec("inspect", "m5.ama", "--svg", "m.svg").code == "ArgumentRange"


def test_inspect_shows_each_hop_of_an_ancestry(here: Path, trip: Fingerprint) -> None:
    worker = Archive("trip.ama").accumulator
    main = Accumulator(Id(bytes(32)), worker.leaf(0))
    main.extend([worker.leaf(0), worker.leaf(1)])
    branch = main.fork(1)
    branch.extend([worker.leaf(3), worker.leaf(4)])
    merged = branch.fingerprint()
    view = library.parse(Archive("trip.ama").entry(5)).claims
    view["execution_path"]["merges"] = [
        {"branch": str(merged.branch), "size": merged.size, "fingerprint": str(merged.hash)}
    ]
    view["body"] = None
    view["conversation"] = view["execution_path"]["branch"] = str(main.fingerprint().conversation)
    envelope, found = make(SigningKey.from_seed(bytes([1]) * 32), json.dumps(view), None, None, None, None)
    main.append(found)
    proof = library.prove_ancestry(main, 2, via=[Hop(index=2, envelope=envelope, into=branch)])
    (here / "a.proof").write_bytes(proof)
    shown = ama2sec("inspect", "a.proof", "--svg", "a.svg")
    assert "hop 1: message " in shown.text
    assert "ancestry: entry 2 of 3" in shown.text
    assert (here / "a.svg").read_text().count("the root") == 2
    (here / "m3.bare").write_bytes(library.parse(Archive("trip.ama").entry(4)).envelope)
    check = ("tree", "check", "a.proof", "--head", str(main.fingerprint()))
    shown = ama2sec(*check, "-m", "m3.bare")
    assert shown.text.startswith("ancestor: message ")
    assert f"by way of    {found}" in " ".join(shown.text.split("  "))
    assert ama2sec(*check, "-m", "m3.bare", "--json").json["via"] == [str(found)]
    assert ama2sec(*check, "-m", "m5.ama").code == "AncestryRoot"
    assert ama2sec(*check).code == "ArgumentRange"
