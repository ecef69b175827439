"""The realm of the demonstration: every answer as it must be, and a wrong one is noticed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ama2sec import reference
from ama2sec.cli.show import console
from ama2sec.demo import realm
from ama2sec.demo.desk import Desk
from ama2sec.demo.realm import RealmPart
from ama2sec.demo.screen import Screen
from ama2sec.errors import Ama2Error
from ama2sec.realm import replay_realm


def run(folder: Path) -> int:
    console.cache_clear()
    return RealmPart(Screen(), folder).run()


def test_every_answer_is_as_it_must_be_and_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 0
    out = capsys.readouterr().out
    assert "BUT" not in out
    for words in (
        "rejected GrantPlace, rejected GrantScope",
        "SeqUsed",
        "same verdicts, same tree",
        "RecordPosition",
        "CheckpointForked",
    ):
        assert words in " ".join(out.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("equivocation.evidence", "realm.ama", "realm.head", "realm.svg")
    ]
    picture = ET.parse(tmp_path / "realm.svg").getroot()
    assert len(picture.findall("{http://www.w3.org/2000/svg}g")) == 23
    found = replay_realm(tmp_path / "realm.ama", head=(tmp_path / "realm.head").read_text())
    assert (found.records, found.rejected) == (28, 3)


@dataclass
class _Blind:
    """A replay that finds no fault in anything: the honest answer again."""

    honest: Callable[..., Any]
    first: Any = None

    def __call__(self, *given: Any, **more: Any) -> Any:
        if self.first is None:
            self.first = self.honest(*given, **more)
        return self.first


def _another(honest: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any, **more: Any) -> Any:
        found = honest(*given, **more)
        object.__setattr__(found, "records", found.records + 1)
        return found

    return call


def test_wrong_answers_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lies: list[tuple[object, str, object]] = [
        (realm, "replay_realm", _Blind(replay_realm)),
        (reference, "replay", _Blind(reference.replay)),
        (reference, "replay", _another(reference.replay)),
        (realm, "check_equivocation", _Blind(realm.check_equivocation)),
        (realm, "prove_ancestor", lambda *_, **__: None),
        (realm.RealmDag, "is_ancestor", lambda *_: True),
        (realm.RealmDag, "trace", lambda *_: []),
        (realm.RealmDag, "nearest_common_ancestors", lambda *_: []),
        (realm, "to_svg", lambda *_: "<svg/>"),
    ]
    for number, (place, name, lie) in enumerate(lies):
        folder = tmp_path / str(number)
        folder.mkdir()
        with monkeypatch.context() as patched:
            patched.setattr(place, name, lie)
            assert run(folder) > 0, name
        assert "BUT" in capsys.readouterr().out


def test_a_refused_honest_entry_is_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk("t", 1_793_000_000_000)
    ada = desk.enrol("ada")
    chat = desk.open(ada)
    ada.counter -= 1
    with pytest.raises(Ama2Error) as caught:
        desk.enrol("ada")
    assert caught.value.code == "Internal"
    assert "NameEnrolled" in str(caught.value)
    desk.say(ada, chat)
