"""The demonstration's realm in a file: every answer as it must be, and a wrong one is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ama2sec._native import RealmFile
from ama2sec.cli.show import console
from ama2sec.demo import file
from ama2sec.demo.file import FilePart
from ama2sec.demo.screen import Screen
from ama2sec.realm import replay_realm


def run(folder: Path) -> int:
    console.cache_clear()
    return FilePart(Screen(), folder).run()


def test_every_answer_is_as_it_must_be_and_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "BUT" not in out
    for words in ("12 of 12", "RecordPosition", "BodySize", "RecordForm", "by itself sound", "CheckpointStale"):
        assert words in out
    kept = {path.name for path in tmp_path.iterdir() if path.suffix != ""}
    assert {"orders.db", "orders.db.keys"} <= kept
    assert not kept & {"copy.db", "morning.db"}
    assert replay_realm(RealmFile.open(tmp_path / "orders.db").export()).records > 20


def test_a_fault_that_is_not_found_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "_code_of", lambda *_: "sound")
    assert run(tmp_path) == 4
