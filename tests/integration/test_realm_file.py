"""A realm's file and what befalls it: kills, suspended writers, full and read-only disks, damaged pages, cut files, forks.

Real processes, real signals, a real file system that is full. ``make test-crash`` kills ten times as often.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ama2sec import Ama2Error
from ama2sec._native import RealmFile
from tests.realm_writers import Killer, Place, Writer, campaign, end, now_ms

KILLS = 20


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.found("full")
    return made


def code_of(place: Place, head: str | None = None) -> str:
    """What it earns to open the file as it is now."""
    try:
        place.load(head=head)
    except Ama2Error as fault:
        return fault.code
    return "ok"


def grown(place: Place, count: int) -> str:
    """So many entries more, and the head over them."""
    engine = place.load()
    writer = Writer(place, engine, 0)
    for number in range(count):
        writer.say(b"x" * (100 + number))
    return engine.head()


def test_nothing_that_was_acknowledged_is_lost_when_writers_are_killed(tmp_path: Path) -> None:
    found = campaign(tmp_path, KILLS, seed=7)
    assert found["inside a transaction"] >= KILLS // 4
    assert found["inside a transaction"] + found["at random"] == KILLS
    assert found["acknowledged"] > KILLS


def test_a_suspended_writer_is_named_and_nothing_is_lost_when_it_goes_on(place: Place) -> None:
    killer = Killer(place, random.Random(3))
    target = killer.start(1)
    assert target.stdout is not None
    assert target.stdout.readline() == "ready\n"
    try:
        assert killer.caught(target)
        writer = Writer(place, place.load(), 0)
        _, entry = writer.entry()
        with pytest.raises(Ama2Error) as caught:
            writer.engine.submit(entry, now_ms())
        assert (caught.value.code, caught.value.blame) == ("LogBusy", "caller")
        os.kill(target.pid, signal.SIGCONT)
        # Its number is burned and its bytes are good: the same ones again.
        assert writer.engine.submit(entry, now_ms()).verdict == "admitted"
    finally:
        end(target)


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs a mount namespace of its own (unshare -rm)")
def test_a_full_disk_and_a_read_only_one_are_named_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    command = ["unshare", "-rm", sys.executable, "-m", "tests.realm_disk", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        "full: LogFull caller",
        "said before: True",
        "head unchanged: True",
        "still full: LogFull",
        "room again: admitted",
        "whole: checked True",
        "stopped when full: latched True None",
        "then: LogFull",
        "with room: Latched local-halt",
        "read-only: LogReadOnly caller",
        "stop from outside: LogReadOnly",
        "stop in the program: latched None False",
        "name: True",
    ], done


def settled(place: Place) -> None:
    """Everything in one file: whoever closes the realm last writes it back."""
    engine = place.load()
    del engine
    assert not Path(f"{place.file}-wal").exists() or Path(f"{place.file}-wal").stat().st_size == 0


def test_a_damaged_page_is_named(place: Place) -> None:
    grown(place, 40)
    settled(place)
    whole = place.file.read_bytes()
    names = set()
    for page in range(1, len(whole) // 4096):
        place.file.write_bytes(whole[: page * 4096] + b"\xff" * 4096 + whole[(page + 1) * 4096 :])
        names.add(code_of(place))
    assert names == {"LogDamaged"}
    place.file.write_bytes(whole)
    assert code_of(place) == "ok"


def test_a_file_that_was_cut_is_named(place: Place) -> None:
    head = grown(place, 40)
    settled(place)
    whole = place.file.read_bytes()
    for size in (0, 1, 100, 4096, 3 * 4096, len(whole) // 2, len(whole) - 4096):
        place.file.write_bytes(whole[:size])
        assert code_of(place, head) != "ok", size
    place.file.write_bytes(whole)
    assert code_of(place, head) == "ok"


def test_a_wal_that_was_cut_or_damaged_is_seen_against_the_head_that_was_kept(place: Place) -> None:
    """Nobody else can see it: what is behind the cut was committed, and the file in front of it is whole."""
    engine = place.load()
    writer = Writer(place, engine, 0)
    for _ in range(20):
        writer.say(b"y" * 300)
    head, records = engine.head(), engine.records
    log = Path(f"{place.file}-wal").read_bytes()
    cut = place.folder / "cut"
    cut.mkdir()
    for size, spoiled in ((len(log) // 2, False), (len(log) // 3, False), (len(log), True)):
        copy = Place(cut)
        shutil.copy(place.file, copy.file)
        shutil.copy(place.folder / "known.json", cut)
        kept = bytearray(log[:size])
        if spoiled:
            kept[size // 2] ^= 1
        Path(f"{copy.file}-wal").write_bytes(kept)
        Path(f"{copy.file}-shm").unlink(missing_ok=True)
        assert 0 < RealmFile.open(copy.file).records < records
        assert code_of(copy, head) == "CheckpointStale"
        assert code_of(copy) == "ok"


def test_an_older_copy_is_seen_against_the_head_that_was_kept(place: Place) -> None:
    settled(place)
    older = place.file.read_bytes()
    head = grown(place, 5)
    settled(place)
    place.file.write_bytes(older)
    assert code_of(place) == "ok"
    assert code_of(place, head) == "CheckpointStale"
    # It goes on: then there are two histories under one sequencer, and the kept head shows it.
    grown(place, 9)
    assert code_of(place, head) == "CheckpointForked"


def test_a_log_does_not_cross_a_fork(place: Place) -> None:
    engine = place.load()
    writer = Writer(place, engine, 0)
    _, entry = writer.entry()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            engine.submit(entry, now_ms())
            os.write(write, b"submitted")
        except Ama2Error as fault:
            os.write(write, fault.code.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"LogForked"
    os.close(read)
    os.close(write)
    assert engine.submit(entry, now_ms()).verdict == "admitted"


def test_readers_see_what_was_committed_while_others_write(place: Place) -> None:
    killer = Killer(place, random.Random(5))
    target = killer.start(0)
    assert target.stdout is not None
    assert target.stdout.readline() == "ready\n"
    try:
        reader, mine = RealmFile.open(place.file), place.load()
        seen = mine.records
        for _ in range(5):
            seen = mine.watch(seen)
            mine.refresh()
            assert mine.records >= seen
            assert reader.records >= seen
            assert place.load(head=reader.head()).records >= seen
    finally:
        end(target)
