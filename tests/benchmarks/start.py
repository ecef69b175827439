"""How long ``import ama2sec`` takes in a fresh process, above an empty Python."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

ASKED = 80.0


def run() -> None:
    bare, ours = [], []
    for _ in range(21):
        bare.append(_process("pass"))
        ours.append(_process("import ama2sec; ama2sec.verify; ama2sec.Identity; ama2sec.Conversation"))
    extra = statistics.median(b - a for a, b in zip(bare, ours, strict=True))
    print("\nimport ama2sec and its main names, CPU time above an empty process")
    print(f"  {extra:.0f} ms   asked: below {ASKED:.0f} ms   {'met' if extra < ASKED else 'NOT MET'}")


def _process(code: str) -> float:
    """Milliseconds of CPU time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000
