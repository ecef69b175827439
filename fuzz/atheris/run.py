"""A fuzzer: ``run.py <target> [libFuzzer arguments]``, through ``make fuzz`` or ``fuzz/atheris/run``.

The core is watched because it was built for it (see ``build``), the reference because its modules are instrumented here.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import ama2sec_mutator
import atheris

# Behind everything else: the package itself is the one that was built for this.
sys.path.append(str(Path(__file__).resolve().parents[2]))
with atheris.instrument_imports(include=["ama2sec.reference"]):
    from fuzz.atheris.judges import JUDGES

# It has done its work; the symbolizer that libFuzzer starts cannot load it.
os.environ.pop("LD_PRELOAD", None)

target = sys.argv[1]
judge = JUDGES[target]
attack = getattr(ama2sec_mutator, target)


def judge_one(data: bytes) -> None:
    """Any exception is a finding."""
    judge(data)


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """The attacks that the native fuzzers use; plain bytes where there is no structure."""
    made = attack(data, seed)
    if made is None or not 0 < len(made) <= max_size:
        return atheris.Mutate(data, max_size)
    return made


atheris.Setup([f"{target}-atheris", *sys.argv[2:]], judge_one, custom_mutator=mutate)
atheris.Fuzz()
