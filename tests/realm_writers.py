"""Processes that write in one realm's file, and one who kills them: ``python -m tests.realm_writers FOLDER KILLS``.

Four processes with eight writers each. A quarter of the kills hit a process that has a transaction open: it is suspended first, and the
lock of the turn (its holder is asked of the system) and SQLite's own lock are both found taken. What was acknowledged is written down by
the writer, one line each, and held against the file at the end.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ama2sec import Ama2Error, reference
from ama2sec._native import EntryParts, Id, RealmEngine, RealmFile, SigningKey
from ama2sec.demo.desk import Desk
from ama2sec.realm import replay_realm

T = TypeVar("T")
PROCESSES, WRITERS = 4, 8
PAUSE = 0.03
"""Seconds between two messages of one writer: the reference judges all of them again."""
ROUND = 20
"""Kills under one realm."""
FIRST = 100
"""The seed of the first writer's key."""


def key_of(number: int) -> SigningKey:
    return SigningKey.from_seed(number.to_bytes(32, "big"))


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def patient(call: Callable[[], T]) -> T:
    """The same again where a suspended process, on a busy machine, has kept the log for longer than a writer waits (log.2.4)."""
    for _ in range(20):
        try:
            return call()
        except Ama2Error as fault:
            if fault.code != "LogBusy":
                raise
    return call()


@dataclass(frozen=True)
class Place:
    """A folder with one realm."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "realm.db"

    @property
    def acknowledged(self) -> Path:
        return self.folder / "acknowledged"

    def found(self, durability: str = "normal", path: Path | None = None) -> RealmEngine:
        """Begin the realm: all writers enrolled, one conversation of everybody."""
        seeds = iter(range(1, FIRST + PROCESSES * WRITERS))
        desk = Desk("crash", now_ms(), lambda: key_of(next(seeds)), path=path or self.file, durability=durability)
        while next(seeds) < FIRST - 1:
            pass
        people = [desk.enrol(f"writer-{number}") for number in range(PROCESSES * WRITERS)]
        chat = desk.open(people[0])
        known = {"realm": str(desk.realm), "chat": str(chat), "people": [str(person.id) for person in people]}
        (self.folder / "known.json").write_text(json.dumps(known))
        return desk.engine

    def load(self, path: Path | None = None, head: str | None = None) -> RealmEngine:
        realm = Id.from_hex(self.known()["realm"])
        return patient(lambda: RealmEngine.load(path or self.file, key_of(1), realm, budgets=False, head=head))

    def known(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.folder / "known.json").read_text())
        return found


class Writer:
    """One agent who says something again and again."""

    def __init__(self, place: Place, engine: RealmEngine, number: int) -> None:
        known = place.known()
        self.engine, self.key = engine, key_of(FIRST + number)
        self.agent, self.chat = Id.from_hex(known["people"][number]), Id.from_hex(known["chat"])  # type: ignore[index]
        self.epoch, self.counter = now_ms(), 0

    def entry(self, body: bytes | None = None) -> tuple[Id, bytes]:
        """The next one, over all that there is now."""
        self.counter += 1
        parts = EntryParts(self.key.public, self.agent, (self.epoch, self.counter), now_ms(), body=body)
        signed = self.engine.context(self.chat).message(parts, []).sign(self.key)
        return signed.id, signed.to_bytes()

    def say(self, body: bytes | None = None) -> tuple[Id, int]:
        """The id and the position of one that was admitted."""
        name, entry = self.entry(body)
        answer = patient(lambda: self.engine.submit(entry, now_ms()))
        assert answer.verdict == "admitted", (answer.verdict, answer.code, answer.expected, answer.got)
        assert answer.position is not None
        return name, answer.position


def write(place: Place, process: int) -> None:
    """Eight writers in this process, until somebody kills it."""
    engine = place.load()
    ledger = os.open(place.acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    print("ready", flush=True)

    def go(number: int) -> None:
        writer = Writer(place, engine, number)
        while True:
            name, position = writer.say(b"x" * (number * 10))
            os.write(ledger, f"{name} {position}\n".encode())
            time.sleep(PAUSE)

    numbers = range(process * WRITERS, (process + 1) * WRITERS)
    threads = [threading.Thread(target=go, args=(number,), daemon=True) for number in numbers]
    for thread in threads:
        thread.start()
    while all(thread.is_alive() for thread in threads):
        time.sleep(0.05)
    os._exit(1)


def end(target: subprocess.Popen[str]) -> None:
    """Kill -9."""
    target.kill()
    target.wait()
    if target.stdout is not None:
        target.stdout.close()


@dataclass
class Killer:
    """Starts the processes, kills one after the other, and starts them again."""

    place: Place
    rng: random.Random
    running: list[subprocess.Popen[str]] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)

    def start(self, process: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.realm_writers", "write", str(self.place.folder), str(process)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def campaign(self, kills: int) -> None:
        self.running = [self.start(process) for process in range(PROCESSES)]
        try:
            for kill in range(kills):
                process = self.rng.randrange(PROCESSES)
                target = self.running[process]
                assert target.stdout is not None
                assert target.stdout.readline() == "ready\n" or kill >= PROCESSES
                time.sleep(self.rng.uniform(0, 0.15))
                inside = 4 * self.counted["inside a transaction"] < kills and self.caught(target)
                assert target.poll() is None, "a writer ended by itself"
                end(target)
                self.counted["inside a transaction" if inside else "at random"] += 1
                self.running[process] = self.start(process)
        finally:
            for each in self.running:
                end(each)

    def caught(self, target: subprocess.Popen[str]) -> bool:
        """Suspend it while it has a transaction open. It stays suspended."""
        end = time.monotonic() + 20
        while time.monotonic() < end and target.poll() is None:
            time.sleep(self.rng.uniform(0, 0.002))
            if self.holder() != target.pid:
                continue
            os.kill(target.pid, signal.SIGSTOP)
            # Until all of its threads stand still: one of them may be about to commit.
            os.waitpid(target.pid, os.WUNTRACED)
            if self.holder() == target.pid and self.is_locked():
                return True
            os.kill(target.pid, signal.SIGCONT)
        return False

    def holder(self) -> int:
        """Which process has the turn; 0: none."""
        with open(f"{self.place.file}.lock", "rb") as file:
            asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, process = struct.unpack("hhqqi4x", fcntl.fcntl(file, fcntl.F_GETLK, asked))
            return 0 if kind == fcntl.F_UNLCK else int(process)

    def is_locked(self) -> bool:
        """Whether somebody has a writing transaction open: SQLite itself is asked."""
        connection = sqlite3.connect(self.place.file, timeout=0, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as fault:
            return "locked" in str(fault)
        finally:
            connection.close()
        return False


def judge(place: Place) -> dict[str, int]:
    """Hold the file against what was acknowledged, by both implementations."""
    data = RealmFile.open(place.file).export()
    head = RealmFile.open(place.file).head()
    realm = Id.from_hex(place.known()["realm"])  # type: ignore[arg-type]
    found = replay_realm(data, realm=realm, head=head)
    again = reference.replay(data, realm=bytes(realm), checkpoint=head.encode())
    assert found.root is not None
    assert (found.records, bytes(found.root)) == (again.records, again.root)
    chat = Id.from_hex(place.known()["chat"])  # type: ignore[arg-type]
    talk = reference.conversation_digest(again.state.conversations[bytes(chat)])
    assert bytes(found.state_digest(chat)) == talk
    records = [reference.read_record(line) for line in _lines(place)]
    assert [record.position for record in records] == list(range(found.records)), "a gap"
    positions = {record.message_id.hex(): record.position for record in records}
    assert len(positions) == found.records, "an entry twice"
    acknowledged = [line.split() for line in place.acknowledged.read_text().splitlines()]
    lost = [name for name, position in acknowledged if positions.get(name) != int(position)]
    assert not lost, lost[:5]
    return {"records": found.records, "acknowledged": len(acknowledged)}


def _lines(place: Place) -> list[bytes]:
    connection = sqlite3.connect(f"file:{place.file}?mode=ro", uri=True)
    try:
        return [row[0] for row in connection.execute("SELECT record FROM record ORDER BY position")]
    finally:
        connection.close()


def campaign(folder: Path, kills: int, seed: int) -> Counter[str]:
    """Found a realm, kill its writers so often, and judge what is left. The counts."""
    place = Place(folder)
    place.found()
    killer = Killer(place, random.Random(seed))
    killer.campaign(kills)
    return killer.counted + Counter(judge(place))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", folder, process]:
            write(Place(Path(folder)), int(process))
        case [folder, kills]:
            total: Counter[str] = Counter()
            # A realm of its own for each round: every restart judges all that is there.
            for number in range(-(-int(kills) // ROUND)):
                place = Path(folder) / str(number)
                place.mkdir(parents=True)
                total += campaign(place, min(ROUND, int(kills) - number * ROUND), seed=number)
            for what, count in total.items():
                print(f"{count:>8,} {what}")
        case _:
            raise SystemExit(__doc__)
