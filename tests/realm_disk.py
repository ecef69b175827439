"""A disk that fills up and a disk that cannot be written, in a mount namespace of this process's own: ``unshare -rm python -m tests.realm_disk FOLDER``.

What it prints is what each step earned; the test compares. Nothing outside the namespace is mounted or changed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ama2sec import Ama2Error, stop
from ama2sec._native import RealmEngine, RealmFile
from ama2sec.halt import encode_scope
from ama2sec.realm import replay_realm
from tests.realm_writers import Place, Writer, now_ms

OUTSIDE = """
import sys
from ama2sec import Ama2Error, stop
try:
    stop(sys.argv[1])
except Ama2Error as fault:
    print("stop from outside:", fault.code, flush=True)
"""


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
    stop_on_a_full_disk(small, engine, writer)
    _run("mount", "--bind", str(small), str(small))
    _run("mount", "-o", "remount,bind,ro", str(small))
    try:
        place.load(small / "realm.db")
    except Ama2Error as fault:
        print("read-only:", fault.code, fault.blame)
    stop_where_nothing_can_be_written(small, engine)
    print("name:", str(name) in {str(entry.id) for entry in engine.entries(0, 1000)})


def stop_on_a_full_disk(small: Path, engine: RealmEngine, writer: Writer) -> None:
    """Overwriting works where appending does not (halt.4.1): the stop holds, and is recorded when there is room."""
    rest = (small / "rest").open("wb", buffering=0)
    try:
        while True:
            rest.write(bytes(4096))
    except OSError:
        rest.close()
    stopped = stop(small / "realm.db", reason="full")
    print("stopped when full:", stopped.outcome, stopped.quiesced, stopped.alarm)
    _, entry = writer.entry(os.urandom(100))
    try:
        print("then:", engine.submit(entry, now_ms()).code)
    except Ama2Error as fault:
        print("then:", fault.code)
    (small / "rest").unlink()
    print("with room:", engine.submit(entry, now_ms()).code, engine.entries(engine.records - 1, 1)[0].claims["kind"])


def stop_where_nothing_can_be_written(small: Path, engine: RealmEngine) -> None:
    """From outside it says that it cannot; a program that had the realm open before can still be stopped."""
    sys.stdout.flush()
    _run(sys.executable, "-c", OUTSIDE, str(small / "realm.db"))
    _, outcome, alarm = engine.halts.halt_locally(encode_scope("realm"), "", now_ms())
    print("stop in the program:", outcome, alarm, engine.halts.is_clear)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
