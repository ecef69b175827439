"""Hold a real git repository against a conversation of the same shape: ``python -m tests.dag_git PATH [--pairs N] [--commits N]``.

Exit status: 0 git and the replayed conversation gave the same answers, 1 they did not, 2 a wrong command line.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from tests.git_history import differences, parents_of


def main(arguments: list[str]) -> int:
    """Compare; says what it did."""
    parser = argparse.ArgumentParser(prog="python -m tests.dag_git", description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--pairs", type=int, default=200, help="pairs of commits to ask about (200)")
    parser.add_argument("--commits", type=int, default=5_000, help="at most so many commits, the oldest (5000)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    start = time.monotonic()
    history = parents_of(options.path, options.commits)
    merges = sum(len(parents) > 1 for parents in history.values())
    print(f"{len(history):,} commits, {merges:,} of them merges")
    wrong = differences(options.path, history, random.Random(options.seed), options.pairs)
    for line in wrong:
        print(line)
    said = "the same answers" if not wrong else f"{len(wrong)} DIFFERENT answers"
    print(f"{options.pairs} pairs: {said}, in {time.monotonic() - start:.1f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
