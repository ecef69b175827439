"""Ratios that can be trusted on a busy machine: thread CPU time, short slices, all candidates in turn, the median of the ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Call = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Microseconds of CPU time a call, one figure a round."""

    name: str
    micros: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.micros)


def interleaved(calls: dict[str, Call], *, rounds: int = 41, slice_ms: float = 4.0) -> dict[str, Timing]:
    """Time each call in slices of about ``slice_ms``, A B C A B C ..., in this thread's CPU time."""
    counts = {name: _calibrated(call, slice_ms) for name, call in calls.items()}
    figures: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            count = counts[name]
            start = time.thread_time_ns()
            for _ in range(count):
                call()
            figures[name].append((time.thread_time_ns() - start) / count / 1000)
    return {name: Timing(name, micros) for name, micros in figures.items()}


def _calibrated(call: Call, slice_ms: float) -> int:
    count = 1
    while True:
        start = time.thread_time_ns()
        for _ in range(count):
            call()
        spent = (time.thread_time_ns() - start) / 1e6
        if spent >= slice_ms / 2:
            return max(1, int(count * slice_ms / spent))
        count *= 2


def ratio(slower: Timing, faster: Timing) -> float:
    """The median over the rounds of slower/faster, so that a drift of the machine cancels."""
    return statistics.median(a / b for a, b in zip(slower.micros, faster.micros, strict=True))


def report(title: str, timings: dict[str, Timing], ours: str, floors: dict[str, float]) -> None:
    """Print each candidate's time and how many times slower than ours it is, beside the floor that was asked for."""
    print(f"\n{title}")
    for name, timing in timings.items():
        line = f"  {name:<34}{timing.median:>9.1f} us"
        if name != ours:
            found = ratio(timing, timings[ours])
            floor = floors.get(name)
            line += f"   ours is {found:5.2f}x"
            if floor is not None:
                line += f"   asked: >= {floor:.2f}x   {'met' if found >= floor else 'NOT MET'}"
        print(line)
