"""Many messages in one call, against a loop over ``verify``, and one thread against two."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from ama2sec import Directory, Identity, hazmat, verify, verify_many
from tests.benchmarks.harness import Call, interleaved, line, report, versus

SLICE = 256
WIDE = 512
ROUNDS = 60
FLOORS = {"avx512ifma": 1.15, "avx2": 1.05}


def run() -> None:
    author = Identity.generate("bench")
    directory = Directory()
    directory.enrol(author.public, name="bench")
    items = [author.sign(b"x" * 64, to=["bob"]).to_bytes() for _ in range(WIDE)]
    few = items[:SLICE]
    timings = interleaved(
        {
            "loop over verify": lambda: [verify(item, directory) for item in few],
            "verify_many, one thread": lambda: verify_many(few, directory, threads=1),
        },
        each=SLICE,
    )
    floors = {"loop over verify": FLOORS[hazmat.backend()]} if hazmat.backend() in FLOORS else {}
    report(f"a message of {SLICE} in one call", timings, "verify_many, one thread", floors)
    _threads(lambda threads: verify_many(items, directory, threads=threads))


def _threads(call: Callable[[int], object]) -> None:
    """Threads are about the clock on the wall, and whatever else runs only makes that longer: the shortest of many rounds counts."""
    print(f"\na message of {WIDE} in one call, by the clock on the wall, the shortest of {ROUNDS} rounds")
    cores = os.cpu_count() or 1
    if cores < 2:
        print("  two threads: not measured, one core")
        return
    load = os.getloadavg()[0]
    rounds = [(_clocks(lambda: call(1)), _clocks(lambda: call(2))) for _ in range(ROUNDS)]
    one, two = (min(pair[which].wall for pair in rounds) for which in (0, 1))
    alone, busier = (min(pair[which].busier for pair in rounds) for which in (0, 1))
    verdict = versus(one / two, 1.8)
    if one / two < 1.8 and load > cores / 2:
        verdict = f"ours is {one / two:5.2f}x   not judged: others want the cores (load {load:.1f})"
    print(line("verify_many, one thread", one, ""))
    print(line("verify_many, two threads", two, verdict))
    print(line("CPU time of the busier one", busier, f"ours is {alone / busier:5.2f}x"))


@dataclass(frozen=True)
class Clocks:
    """Microseconds a message: by the clock on the wall, and of CPU time in the busier of this thread and all others together."""

    wall: float
    busier: float


def _clocks(call: Call) -> Clocks:
    wall, process, thread = time.perf_counter(), time.process_time(), time.thread_time()
    call()
    mine = time.thread_time() - thread
    others = time.process_time() - process - mine
    return Clocks(*(seconds / WIDE * 1e6 for seconds in (time.perf_counter() - wall, max(mine, others))))
