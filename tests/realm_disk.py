"""A disk that fills up and a disk that cannot be written, in a mount namespace of this process's own: ``unshare -rm python -m tests.realm_disk FOLDER``.

What it prints is what each step earned; the test compares. Nothing outside the namespace is mounted or changed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ama2sec import Ama2Error
from ama2sec._native import RealmFile
from ama2sec.realm import replay_realm
from tests.realm_writers import Place, Writer, now_ms


def main(folder: Path) -> None:
    small = folder / "small"
    small.mkdir()
    _run("mount", "-t", "tmpfs", "-o", "size=2300k", "tmpfs", str(small))
    ballast = small / "ballast"
    ballast.write_bytes(bytes(300_000))
    place = Place(folder)
    engine = place.found("full", small / "realm.db")
    writer = Writer(place, engine, 0)
    said = 0
    while True:
        name, entry = writer.entry(os.urandom(20_000))
        try:
            answer = engine.submit(entry, now_ms())
        except Ama2Error as fault:
            print("full:", fault.code, fault.blame)
            break
        assert answer.verdict == "admitted"
        said += 1
    print("said before:", said > 10)
    before = engine.head()
    print("head unchanged:", RealmFile.open(small / "realm.db").head() == before)
    try:
        engine.submit(entry, now_ms())
    except Ama2Error as fault:
        print("still full:", fault.code)
    ballast.unlink()
    print("room again:", engine.submit(entry, now_ms()).verdict)
    for _ in range(3):
        writer.say()
    found = replay_realm(RealmFile.open(small / "realm.db").export(), head=before)
    print("whole:", found.tail, found.records == engine.records)
    _run("mount", "--bind", str(small), str(small))
    _run("mount", "-o", "remount,bind,ro", str(small))
    try:
        place.load(small / "realm.db")
    except Ama2Error as fault:
        print("read-only:", fault.code, fault.blame)
    print("name:", str(name) in {str(entry.id) for entry in engine.entries(0, 1000)})


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
