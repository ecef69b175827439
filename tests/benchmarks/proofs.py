"""Proofs from Python: against pymerkle's, and against the core's own check without Python around it. CPU time of this thread, in turn."""

from __future__ import annotations

import os
import statistics
import subprocess
from pathlib import Path

import pymerkle

from ama2sec import Accumulator, Identity, check_inclusion, hazmat, parse, prove_consistency, prove_inclusion, verify
from ama2sec.identity import Directory
from tests.benchmarks.harness import interleaved, report

SIZE = 100_000
MILLION = 1 << 20
NOBODY = bytes(32)
BENCH = Path(__file__).parents[2] / "native" / "target" / "release" / "bench"


def run() -> None:
    data = [os.urandom(32) for _ in range(SIZE)]
    ours, records, theirs = Accumulator(NOBODY, NOBODY), hazmat.RealmTree(), pymerkle.InmemoryTree(algorithm="sha256")
    ours.extend(b"".join(data))
    for each in data:
        records.append(each)
    theirs.append_entries(data)
    index = SIZE // 3
    timings = interleaved(
        {
            "prove_inclusion": lambda: prove_inclusion(ours, index),
            "the same, SHA-256": lambda: hazmat.prove_record_inclusion(records, index),
            "pymerkle": lambda: theirs.prove_inclusion(index + 1),
        },
        rounds=15,
    )
    report(f"prove inclusion among {SIZE} leaves", timings, "prove_inclusion", {"pymerkle": 40.0})
    timings = interleaved(
        {
            "prove_consistency": lambda: prove_consistency(ours, index),
            "pymerkle": lambda: theirs.prove_consistency(index, SIZE),
        },
        rounds=15,
    )
    report(f"prove consistency from {index} to {SIZE} leaves", timings, "prove_consistency", {})
    _lists(records, theirs, data, index)
    _whole_check()


def _lists(records: hazmat.RealmTree, theirs: pymerkle.InmemoryTree, data: list[bytes], index: int) -> None:
    leaf, listed, root = (
        hazmat.rfc6962_root([data[index]]),
        hazmat.rfc6962_prove_inclusion(records, index),
        records.root(),
    )
    base, their_proof, their_root = theirs.get_leaf(index + 1), theirs.prove_inclusion(index + 1), theirs.get_root()
    timings = interleaved(
        {
            "rfc6962_check_inclusion": lambda: hazmat.rfc6962_check_inclusion(leaf, index, SIZE, listed, root),
            "pymerkle": lambda: pymerkle.verify_inclusion(base, their_root, their_proof),
        },
        rounds=15,
    )
    report("check inclusion, SHA-256 on both sides", timings, "rfc6962_check_inclusion", {})


def _whole_check() -> None:
    author, directory = Identity.generate("bench"), Directory()
    directory.enrol(author.public, name="bench")
    signed = author.sign(b"x")
    ids = [os.urandom(32) for _ in range(MILLION - 1)]
    index = MILLION // 3
    tree = Accumulator(NOBODY, NOBODY)
    tree.extend(b"".join([*ids[:index], bytes(signed.id), *ids[index:]]))
    head, proof, envelope = tree.fingerprint(), prove_inclusion(tree, index), signed.envelope
    read, message = parse(envelope), verify(signed.to_bytes(), directory)
    before = _core()
    timings = interleaved(
        {
            "check_inclusion, envelope as bytes": lambda: check_inclusion(head, envelope, proof),
            "envelope read before": lambda: check_inclusion(head, read, proof),
            "envelope verified before": lambda: check_inclusion(head, message, proof),
        }
    )
    report(f"check inclusion, {len(envelope)} bytes of envelope, {MILLION} leaves", timings, "envelope read before", {})
    core = None if before is None else statistics.mean([before, _core() or before])
    if core is None:
        print("  (the core alone: not measured, native/target/release/bench is not built; `make bench` builds it)")
        return
    found = timings["check_inclusion, envelope as bytes"].median / core
    print(
        f"  the core alone {core:.2f} us: from Python {found:.2f}x   asked: <= 1.40x   {'met' if found <= 1.4 else 'NOT MET'}"
    )


def _core() -> float | None:
    """Microseconds of the same check in the core alone, in a process of its own."""
    if not BENCH.exists():
        return None
    return float(subprocess.run([BENCH, "proofs", "--check"], check=True, capture_output=True, text=True).stdout)
