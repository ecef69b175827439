"""Ratios that can be trusted on a busy machine: thread CPU time, short slices, all candidates in turn, the median of the ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Call = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Microseconds a call (or a message), one figure a round."""

    name: str
    micros: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.micros)


def interleaved(calls: dict[str, Call], *, rounds: int = 41, slice_ms: float = 4.0, each: int = 1) -> dict[str, Timing]:
    """Time each call in slices of about ``slice_ms``, A B C A B C ..., in this thread's CPU time. A call does ``each`` things."""
    counts = {name: _calibrated(call, slice_ms) for name, call in calls.items()}
    figures: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            count = counts[name]
            start = time.thread_time_ns()
            for _ in range(count):
                call()
            figures[name].append((time.thread_time_ns() - start) / count / each / 1000)
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
        text = "" if name == ours else versus(ratio(timing, timings[ours]), floors.get(name))
        print(line(name, timing.median, text))


def line(name: str, micros: float, text: str) -> str:
    """One candidate of a table."""
    return f"  {name:<27}{micros:>8.1f} us   {text}".rstrip()


def versus(times: float, floor: float | None) -> str:
    """How many times faster ours is, and whether that is what was asked."""
    if floor is None:
        return f"ours is {times:5.2f}x"
    return f"ours is {times:5.2f}x   asked {floor:5.2f}x   {'met' if times >= floor else 'NOT MET'}"
