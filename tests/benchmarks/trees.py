"""Appending from Python, against pymerkle's tree in memory; what a fork costs. CPU time of this thread, in turn."""

from __future__ import annotations

import os

import pymerkle

from ama2sec import Accumulator, hazmat
from tests.benchmarks.harness import interleaved, report

MANY = 4096
NOBODY = bytes(32)


def run() -> None:
    one = os.urandom(32)
    ours, records, theirs = Accumulator(NOBODY, one), hazmat.RealmTree(), pymerkle.InmemoryTree(algorithm="sha256")
    timings = interleaved(
        {
            "Accumulator.append": lambda: ours.append(one),
            "pymerkle": lambda: theirs.append_entry(one),
        }
    )
    report("append one", timings, "Accumulator.append", {"pymerkle": 8.0})
    timings = interleaved(
        {
            "RealmTree.append (SHA-256)": lambda: records.append(one),
            "pymerkle": lambda: theirs.append_entry(one),
        }
    )
    report("append one, the same hash on both sides", timings, "RealmTree.append (SHA-256)", {"pymerkle": 8.0})
    _bulk()
    _roots()


def _bulk() -> None:
    ids = [os.urandom(32) for _ in range(MANY)]
    joined = b"".join(ids)
    ours, listed, theirs = Accumulator(NOBODY, ids[0]), Accumulator(NOBODY, ids[0]), pymerkle.InmemoryTree()
    timings = interleaved(
        {
            "Accumulator.extend": lambda: ours.extend(joined),
            "Accumulator.extend, a list": lambda: listed.extend(ids),
            "pymerkle append_entries": lambda: theirs.append_entries(ids),
        },
        rounds=9,
    )
    report(f"append {MANY} in one call", timings, "Accumulator.extend", {"pymerkle append_entries": 25.0})


def _roots() -> None:
    size = 100_000
    ours, theirs = Accumulator(NOBODY, NOBODY), pymerkle.InmemoryTree(algorithm="sha256")
    data = [os.urandom(32) for _ in range(size)]
    ours.extend(b"".join(data))
    theirs.append_entries(data)
    older = size - 12_345
    timings = interleaved(
        {
            "ama2sec": lambda: ours.root(older),
            "pymerkle": lambda: theirs.get_root(older),
        },
        rounds=9,
    )
    report(f"root of the first {older} of {size} leaves", timings, "ama2sec", {})
    timings = interleaved({"a fork with one own leaf": lambda: ours.fork(older).append(data[0])}, rounds=9)
    report("fork, whatever the length", timings, "a fork with one own leaf", {})
