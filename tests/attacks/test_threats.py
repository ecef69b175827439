"""Each attacker of ``audits/threats.md`` has his attacks, and no other file is here."""

from __future__ import annotations

import re
from pathlib import Path

FILES = {
    "a stranger on the wire": ("test_stranger_on_the_wire.py", "test_proofs.py"),
    "a peer with an enrolled key": ("test_peer_with_a_key.py",),
    "the keeper of a transcript": ("test_keeper_of_a_transcript.py",),
    "a program that calls this library": ("test_calling_program.py",),
    "a member who wants a step that is not open to him": ("test_member_who_wants_a_step.py",),
    "whoever wants undone what stands against him": ("test_whoever_rolls_back.py",),
    "whoever wants a realm to go on that somebody has stopped": (
        "test_whoever_goes_on.py",
        "test_stopped_under_way.py",
    ),
    "whoever wants a realm to stand still, without the file or a key": ("test_whoever_stops.py",),
    "a person at the same machine": ("test_person_at_the_machine.py",),
}


def test_every_attacker_has_his_attacks() -> None:
    page = (Path(__file__).parents[2] / "audits" / "threats.md").read_text(encoding="utf-8")
    rows = [row for row in re.findall(r"^\| ([^|]+?) \|", page, re.MULTILINE) if row != "attacker"]
    assert rows == list(FILES)
    here = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    assert here == {name for names in FILES.values() for name in names} | {Path(__file__).name}
