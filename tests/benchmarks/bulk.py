"""Many messages in one call: wall-clock time, because threads are the point; the loop and the call in turn."""

from __future__ import annotations

import os
import statistics
import time

from ama2sec import Directory, Identity, hazmat, verify, verify_many

COUNT = 2048


def run() -> None:
    author = Identity.generate("bench")
    directory = Directory()
    directory.enrol(author.public, name="bench")
    items = [author.sign(b"x" * 64, to=["bob"]).to_bytes() for _ in range(COUNT)]
    loop: list[float] = []
    one: list[float] = []
    two: list[float] = []
    for _ in range(15):
        loop.append(_seconds(lambda: [verify(item, directory) for item in items]))
        one.append(_seconds(lambda: verify_many(items, directory, threads=1)))
        two.append(_seconds(lambda: verify_many(items, directory, threads=2)))
    asked = 1.15 if hazmat.backend() == "avx512ifma" else 1.05
    print(f"\nverify_many, {COUNT} messages ({hazmat.backend()}, {os.cpu_count()} cores)")
    _line("loop over verify", loop, None, 0)
    _line("verify_many, one thread", one, loop, asked)
    _line("verify_many, two threads", two, one, 1.8)


def _seconds(call: object) -> float:
    assert callable(call)
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _line(name: str, found: list[float], against: list[float] | None, asked: float) -> None:
    text = f"  {name:<34}{statistics.median(found) / COUNT * 1e6:>9.1f} us"
    if against is not None:
        times = statistics.median(a / b for a, b in zip(against, found, strict=True))
        text += f"   {times:5.2f}x the line before   asked: >= {asked:.2f}x   {'met' if times >= asked else 'NOT MET'}"
    print(text)
