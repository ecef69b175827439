"""Several processes that write in one realm's file at once: who gets how much of it, and how long an entry waits (spec log.3).

By the clock on the wall: what is measured is waiting for others and for the disk. ``python -m tests.benchmarks.storage``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.benchmarks.harness import line
from tests.realm_writers import Place, Writer, now_ms

FAIR = 0.9
SECONDS = 8.0
SENDERS = 2
"""Threads of one process that send, each as soon as it was answered."""


def run() -> None:
    for durability in ("full", "normal"):
        for processes in (2, 4):
            with tempfile.TemporaryDirectory() as folder:
                place = Place(Path(folder))
                place.found(durability)
                told = together(place, processes)
            report(durability, told)


def together(place: Place, processes: int) -> list[list[float]]:
    """The milliseconds of each entry of each process, which begin together and end together."""
    command = [sys.executable, "-m", "tests.benchmarks.storage", str(place.folder)]
    running = [
        subprocess.Popen([*command, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for number in range(processes)
    ]
    for each in running:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    start = time.time() + 0.5
    told = []
    for each in running:
        assert each.stdin is not None
        each.stdin.write(f"{start}\n")
        each.stdin.flush()
    for each in running:
        out, _ = each.communicate()
        assert each.returncode == 0, "a writer failed"
        told.append(json.loads(out))
    return told


def report(durability: str, told: list[list[float]]) -> None:
    counts = [len(times) for times in told]
    fairness = min(counts) / max(counts)
    all_times = sorted(1000 * each for times in told for each in times)
    print(f"\n{len(told)} processes in one realm, {SENDERS} senders each, durability {durability}, {SECONDS:.0f} s")
    print(f"  entries of each process    {', '.join(f'{count:,}' for count in sorted(counts))}")
    print(f"  fairness {fairness:.2f}   asked {FAIR}   {'met' if fairness >= FAIR else 'NOT MET'}")
    print(f"  {sum(counts) / SECONDS:,.0f} entries/s")
    for name, part in (("half of them within", 0.5), ("99 % within", 0.99), ("99.9 % within", 0.999)):
        print(line(name, all_times[int(len(all_times) * part)], ""))


def write(place: Place, process: int) -> None:
    """One process: its senders send from the moment that it is told, for so long. What each entry took, in ms, as JSON."""
    engine = place.load()
    writers = [Writer(place, engine, process * 8 + number) for number in range(SENDERS)]
    times: list[list[float]] = [[] for _ in writers]
    print("ready", flush=True)
    start = float(sys.stdin.readline())

    def send(writer: Writer, mine: list[float]) -> None:
        time.sleep(max(0.0, start - time.time()))
        end = start + SECONDS
        while time.time() < end:
            _, entry = writer.entry()
            before = time.perf_counter()
            answer = engine.submit(entry, now_ms())
            mine.append(1000 * (time.perf_counter() - before))
            assert answer.verdict == "admitted", answer.code

    threads = [threading.Thread(target=send, args=both) for both in zip(writers, times, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(times), "a sender that failed"
    print(json.dumps([each for mine in times for each in mine]))


if __name__ == "__main__":
    if len(sys.argv) == 1:
        run()
    else:
        write(Place(Path(sys.argv[1])), int(sys.argv[2]))
