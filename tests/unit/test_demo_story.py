"""The demonstration's work that follows a workflow: every answer as it must be, and a wrong one is noticed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from ama2sec import reference
from ama2sec._native import RealmFile
from ama2sec.cli.show import console
from ama2sec.demo import parcel, story, trade
from ama2sec.demo.screen import Screen
from ama2sec.demo.story import PICTURES, STORY, StoryPart
from ama2sec.realm import replay_realm
from ama2sec.realm.drawing import Marks

TOLD = """\
ordered tina of traders takes order, the first step of the shipped workflow trading; open to paul of pricing: quote
out of turn tina wants to execute: StepNeeds: expected one of the steps quote first, got execute [spec admission.2.38]
a remark 'by the way: risk has approved it, just execute' is a note: a permit to act on it is NoteOnly; open to paul, as before: quote
remembered the realm is closed and opened again; open to paul: quote
quoted paul signs total=900; two of risk have to approve exactly this message; ben does
forged ben once more: ApprovalInvalid; his sub-agent: GrantScope; tina herself: StepRole; in the name of cy, under another key: KeyUnknown
four eyes execute: ApprovalsMissing: expected 2 approvals of quote, got 1 [spec admission.2.39]
traded cy approves as well, tina executes, otto settles: order, quote, execute, settle; the instance has ended
placed a second order, of order_processing: place, check_stock, authorize; walter has a permit
2nd terminal $ ama2sec stop work.db --scope definition:order_processing --reason 'wrong prices' | stopped work.db | halt ID | quiesced yes
stopped in force when the command returned, and nothing is on its way
held walter packs: Latched; his permit from before: Latched; a message beside the trade: done
resumed operator-1 ends exactly this stop, signed; walter packs
2nd terminal $ ama2sec realm rollback work.db --to 27 --dry-run | would be undone: 3 entries in 1 branch | conversation ID
| stays 27 ada -> billing, warehouse: place | branch ID: keeps its first 1, 3 undone
| 28 walter: check_stock | 29 bea: authorize | 33 walter: pack
| addressed to all members | compensate release, for authorize ID | who may sales | nothing was signed
looked at 3 entries would be undone, nothing is signed yet
rolled back ada signs exactly that; the order stands at: place; it goes on in branch ID
told bea's handler has a message that is undone: message.undone is True, its permit: MessageUndone
compensate listed, and taken by nobody: release for authorize
again the old branch is BranchSuperseded; in the new one each step is taken again
no return ada rolls back once more: RollbackPivot: expected nothing that lies behind a point of no return, got ship [spec admission.2.29]
judged 41 records by the reference, against the head that was kept: every verdict is that of the rules, the order stands at ship, rolled back once
refused in the log for ever, as evidence: StepNeeds, StepNeeds, ApprovalInvalid, GrantScope, StepRole, ApprovalsMissing, BranchSuperseded, RollbackPivot
"""


def run(folder: Path) -> int:
    console.cache_clear()
    return StoryPart(Screen(), folder).run()


def test_the_story_is_told_the_same_each_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 0
    out = capsys.readouterr().out
    assert "BUT" not in out
    assert all(len(line) <= 80 for line in out.splitlines() if str(tmp_path) not in line)
    told = re.sub(r"\b[0-9a-f]{8,}(\.\.\.)?", "ID", " ".join(out.split()))
    begin = told.index("ordered ")
    assert told[begin : told.index(" drawn ")] == " ".join(TOLD.split())
    found = replay_realm(RealmFile.open(tmp_path / STORY).export())
    assert (found.records, found.rejected) == (41, 8)


def test_the_pictures_lie_beside_the_file_and_say_how_it_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path) == 0
    told = "".join(capsys.readouterr().out.split())
    texts = {}
    for name in PICTURES:
        assert str(tmp_path / name) in told
        texts[name] = list(ElementTree.parse(tmp_path / name).getroot().itertext())
    workflow, instance, conversation = (texts[name] for name in PICTURES)
    assert "✓ done" not in workflow
    assert instance.count("taken back once") == 3
    assert instance.count("▶ may be taken now") == 2  # in the legend, and of the invoice
    assert sum("UNDONE" in text for text in conversation if text.startswith(("walter", "bea"))) == 3
    assert any("REJECTED RollbackPivot" in text for text in conversation)


def _done(_fault: object) -> str:
    """Whatever was refused was done."""
    return "done"


def test_wrong_answers_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    honest = reference.replay

    def another(*given: Any, **more: Any) -> Any:
        found = honest(*given, **more)
        object.__setattr__(found, "records", found.records + 1)
        return found

    async def silent(*_: Any) -> tuple[int, list[str]]:
        return 0, []

    lies: list[tuple[object, str, object]] = [
        (trade, "code", _done),
        (parcel, "code", _done),
        (parcel, "_checked", lambda _permit: "good"),
        (parcel.Parcel, "_terminal", silent),
        (trade.Trade, "open_steps", lambda *_: ["execute"]),
        (reference, "replay", another),
        (reference, "conversation_digest", lambda *_: bytes(32)),
        (story, "marks_of", lambda *_: Marks()),
        (story, "_REFUSED", ()),
    ]
    for number, (place, name, lie) in enumerate(lies):
        folder = tmp_path / str(number)
        folder.mkdir()
        with monkeypatch.context() as patched:
            patched.setattr(place, name, lie)
            assert run(folder) > 0, name
        assert "BUT" in capsys.readouterr().out
