"""A realm judged again: by the core, and by the reference; entries a second. An audit takes the slower one's time."""

from __future__ import annotations

import time
from collections.abc import Callable

from ama2sec import reference
from ama2sec.realm import Replay
from tests.realm_story import long_story

ENTRIES = 1500
ROUNDS = 3


def run() -> None:
    desk, _ = long_story(ENTRIES, seed=7)
    data = desk.engine.export()
    records, core = _rate(lambda: _by_core(data))
    again, twin = _rate(lambda: reference.replay(data).records)
    if records != again:
        raise SystemExit(f"the core replayed {records} records, the reference {again}")
    print(
        f"\nreplay of a realm of {records:,} records in branches that merge ({len(data):,} bytes), whole process CPU time"
    )
    print(f"  core                       {core:>9,.0f} records/s")
    print(f"  reference                  {twin:>9,.0f} records/s   the core is {core / twin:5.1f}x")


def _by_core(data: bytes) -> int:
    replay = Replay()
    replay.feed(data)
    return int(replay.finish().records)


def _rate(replay: Callable[[], int]) -> tuple[int, float]:
    """How many records there are, and how many a second of CPU time, in the best of some rounds."""
    spent, records = [], 0
    for _ in range(ROUNDS):
        start = time.process_time()
        records = replay()
        spent.append(time.process_time() - start)
    return records, records / min(spent)
