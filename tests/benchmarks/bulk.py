"""Many messages in one call, against a loop over ``verify``, and one thread against two."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ama2sec import Directory, Identity, hazmat, verify, verify_many
from tests.benchmarks.harness import Call, interleaved, line, report, versus

SLICE = 256
WIDE = 512
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
    """Threads are about the clock on the wall, and what else runs only ever makes that longer: the shortest of many rounds counts."""
    print(f"\na message of {WIDE} in one call, by the clock on the wall, the shortest of 200 rounds")
    if (os.cpu_count() or 1) < 2:
        print("  two threads: not measured, one core")
        return
    one, two = [], []
    for _ in range(200):
        one.append(_micros(lambda: call(1)))
        two.append(_micros(lambda: call(2)))
    print(line("verify_many, one thread", min(one), ""))
    print(line("verify_many, two threads", min(two), versus(min(one) / min(two), 1.8)))


def _micros(call: Call) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) / WIDE * 1e6
