"""How long ``import ama2sec`` takes in a fresh process, above an empty Python."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def run() -> None:
    bare, ours = [], []
    for _ in range(15):
        bare.append(_process("pass"))
        ours.append(_process("import ama2sec; ama2sec.verify; ama2sec.Identity; ama2sec.Conversation"))
    extra = statistics.median(b - a for a, b in zip(bare, ours, strict=True)) * 1000
    print(f"\nimport ama2sec with its main names: {extra:.1f} ms above an empty process   asked: < 80 ms")


def _process(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start
