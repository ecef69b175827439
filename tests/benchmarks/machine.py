"""What kind of machine it is, and which versions stand against each other: a figure without them says little."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from ama2sec import hazmat

BACKENDS = ("avx512ifma", "avx2")


def describe() -> None:
    peers = ", ".join(f"{name} {version(name)}" for name in ("PyNaCl", "cryptography", "PyJWT"))
    print(f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}")
    print(f"against {peers}; the curve's code: {hazmat.backend()}")
    for name in BACKENDS:
        if name != hazmat.backend():
            print(f"not measured here: {name} (docs/benchmarks.md)")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    fields = {name.strip(): value.strip() for name, value in found.items()}
    numbers = f"family {fields.get('cpu family', '?')} model {fields.get('model', '?')}"
    return f"{fields.get('model name', platform.machine())} ({numbers})"
