"""replay and head: a realm judged again by both implementations, the first fault named, two heads held against each other."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from ama2sec import Directory
from ama2sec._native import SigningKey
from ama2sec.demo.desk import Desk
from ama2sec.realm import check_checkpoint, check_fork
from tests.realm_story import NOW, Story, story
from tests.shell import ama2sec


@pytest.fixture(scope="module")
def told() -> Story:
    return story()


@pytest.fixture
def files(told: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``realm.ama``, and its head."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "realm.ama").write_bytes(told.data)
    (tmp_path / "head").write_text(told.desk.engine.head())
    return tmp_path


BOTH = pytest.mark.parametrize("by", ["rust", "reference"])


@BOTH
def test_a_realm_is_replayed_and_what_was_not_checked_is_said(by: str, told: Story, files: Path) -> None:
    shown = ama2sec("replay", "realm.ama", "--implementation", by)
    assert (shown.status, shown.err) == (0, "")
    assert "13 records" in shown.text
    assert "AS STATED" in shown.text
    assert "cannot be seen" in " ".join(shown.text.split())
    assert all(len(line) <= 100 for line in shown.text.splitlines())
    shown = ama2sec("replay", "realm.ama", "--impl", by, "--realm", str(told.desk.realm), "--checkpoint", "head")
    assert "AS STATED" not in shown.text
    assert "checked against the head that you kept" in shown.text
    found = ama2sec("replay", "--impl", by, "--json", stdin=told.data).json
    assert (found["records"], found["registry_size"], found["realm_is"], found["tail"]) == (
        13,
        3,
        "as stated",
        "unchecked",
    )
    assert found["registry_digest"] == str(told.desk.engine.state_digest())
    assert found["implementation"] == by


def test_both_implementations_say_the_same(files: Path) -> None:
    one, two = (ama2sec("replay", "realm.ama", "--impl", by, "--json").json for by in ("rust", "reference"))
    for name in ("realm", "origin", "records", "registry_size", "root", "registry_digest", "realm_is", "tail"):
        assert one[name] == two[name], name


@BOTH
def test_one_conversation_of_a_realm(by: str, told: Story, files: Path) -> None:
    (files / "one.ama").write_bytes(told.desk.engine.export(told.chat))
    command = ("replay", "one.ama", "--conversation", str(told.chat), "--impl", by)
    assert ama2sec(*command).status == 0
    assert ama2sec(*command, "--json").json["root"] is None


@BOTH
def test_the_first_fault_has_its_place_and_its_own_status(by: str, told: Story, files: Path) -> None:
    whole = told.data
    # A bit of the last signature, the time of a record, and a tail that was cut off behind a pair.
    for name, data, code in (
        ("bit", _flipped(whole, whole.rindex(b"\x58\x40") + 20), "RecordDigest"),
        ("cut", whole[: _last_record(whole)], "CheckpointStale"),
        ("none", whole[:22], "OpenMissing"),
        ("short", whole[:-1], "Truncated"),
    ):
        (files / name).write_bytes(data)
        shown = ama2sec("replay", name, "--checkpoint", "head", "--impl", by)
        assert code in shown.text, (name, shown.text)
        assert "first fault" in shown.text
        assert shown.text.startswith("NOT VALID")
        again = ama2sec("replay", name, "--checkpoint", "head", "--impl", by, "--json")
        assert (again.json["code"], again.json["ok"]) == (code, False)
        assert shown.status == again.status == _status(code)
    other = ama2sec("replay", "realm.ama", "--realm", "00" * 32, "--impl", by, "--json")
    assert (other.json["code"], other.json["position"]) == ("RealmOther", 0)


def _status(code: str) -> int:
    from ama2sec.errors import CATALOGUE, FAMILIES

    return FAMILIES[CATALOGUE[code].family].exit_code


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _last_record(data: bytes) -> int:
    return data.rindex(b"\x82\x02\x58\xa4a2r\x01")


def test_what_replay_does_not_take(files: Path) -> None:
    assert ama2sec("replay", "realm.ama", "--realm", "zz").code == "ArgumentRange"
    assert ama2sec("replay", "realm.ama", "--conversation", "zz").code == "ArgumentRange"
    assert ama2sec("replay", "nothing").code == "FileUnreadable"
    assert ama2sec("replay", "realm.ama", "--checkpoint", "nothing").code == "FileUnreadable"


# -- heads -----------------------------------------------------------------------------------------------------------------


class Heads:
    """A realm of one key, told twice: two heads of one size, and a longer one with its proof."""

    def __init__(self, folder: Path) -> None:
        self.desk = self._told()
        (folder / "old").write_text(self.desk.engine.head())
        size = self.desk.engine.records
        self.key = bytes(self.desk.sequencer.public).hex()
        self.origin = self.desk.engine.origin
        self.desk.enrol("ben")
        (folder / "new").write_text(self.desk.engine.head())
        (folder / "proof").write_bytes(self.desk.engine.prove_consistency(size, size + 1))
        (folder / "forked").write_text(self._signed_elsewhere())

    def _told(self) -> Desk:
        numbers = count(1)
        desk = Desk("acme-orders", NOW, lambda: SigningKey.from_seed(next(numbers).to_bytes(32, "big")))
        desk.enrol("ada")
        return desk

    def _signed_elsewhere(self) -> str:
        """What this sequencer would say of another history: the reference signs it with the same key."""
        from ama2sec import reference

        seed = self.desk.sequencer.expose_seed()
        return reference.sign_checkpoint(seed, self.origin, 2, bytes(32)).decode()


@pytest.fixture
def heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Heads:
    monkeypatch.chdir(tmp_path)
    return Heads(tmp_path)


def test_heads_extend_or_are_the_same_or_older(heads: Heads, tmp_path: Path) -> None:
    by_key = ("--key", heads.key)
    shown = ama2sec("head", "compare", "old", "new", "--proof", "proof", *by_key)
    assert (shown.status, shown.text.split(":")[0]) == (0, "extends")
    assert ama2sec("head", "compare", "old", "old", *by_key).text.startswith("same")
    found = ama2sec("head", "compare", "new", "old", "--proof", "proof", *by_key, "--json").json
    assert (found["relation"], found["old_size"], found["new_size"]) == ("behind", 3, 2)
    assert ama2sec("head", "compare", "old", "new", *by_key).code == "NeedsProof"
    assert ama2sec("head", "compare", "old", "old", "--proof", "proof", *by_key).code == "ProofClaim"
    directory = Directory()
    directory.enrol(SigningKey.from_seed(bytes([9]) * 32).public, name="other", purpose="sequencer")
    directory.enrol(heads.desk.sequencer.public, name="seq", purpose="sequencer")
    directory.save(tmp_path / "d.json")
    shown = ama2sec("head", "compare", "old", "new", "--proof", "proof", "-d", "d.json", "--origin", heads.origin)
    assert shown.status == 0


def test_a_fork_of_the_realm_is_written_as_proof(heads: Heads, tmp_path: Path) -> None:
    shown = ama2sec("head", "compare", "old", "forked", "--key", heads.key, "--out", "evidence")
    assert "FORK" in shown.err
    assert "CheckpointForked" in shown.err
    assert shown.status == _status("CheckpointForked")
    size, one, two = check_fork((tmp_path / "evidence").read_bytes(), heads.desk.sequencer.public, heads.origin)
    assert size == 2
    assert one != two
    assert ama2sec("head", "compare", "old", "forked", "--key", heads.key, "--json").code == "CheckpointForked"
    assert ama2sec("head", "compare", "old", "forked", "--key", heads.key, "-o", "evidence").code == "FileExists"


def test_what_compare_does_not_take(heads: Heads, tmp_path: Path) -> None:
    compare = ("head", "compare", "old", "new", "--proof", "proof")
    other = bytes(SigningKey.from_seed(bytes([9]) * 32).public).hex()
    assert ama2sec(*compare).code == "ArgumentRange"
    assert ama2sec(*compare, "--key", heads.key, "-d", "d.json").code == "ArgumentRange"
    assert ama2sec(*compare, "--key", "zz").code == "ArgumentRange"
    assert ama2sec(*compare, "--key", other).code == "CheckpointKey"
    assert ama2sec(*compare, "--key", heads.key, "--origin", "x/00").code == "CheckpointOther"
    directory = Directory()
    directory.enrol(heads.desk.sequencer.public, name="seq")
    directory.save(tmp_path / "d.json")
    assert ama2sec(*compare, "-d", "d.json").code == "KeyUnknown", "a key of another purpose is no sequencer's"
    (tmp_path / "new").write_text("nonsense")
    assert ama2sec(*compare, "--key", heads.key).code == "CheckpointForm"
    assert check_checkpoint((tmp_path / "old").read_bytes(), heads.desk.sequencer.public, heads.origin).size == 2
