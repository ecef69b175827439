"""Put the vectors to an implementation, and hold its answers against them.

    python -m tests.vectors.ask questions | python -m ama2sec.conform | python -m tests.vectors.ask check

Any program that answers the lines of ``audits/spec/conform.md`` can stand in the middle. Nothing of ama2sec is imported here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = ["HERE", "files", "fits", "load", "main", "plain"]

HERE = Path(__file__).parent

Vector = dict[str, Any]


def load(names: Sequence[str] = ()) -> Iterator[Vector]:
    """The vectors of all files, or of those named, with long arguments written out."""
    for name in names or files():
        for vector in json.loads((HERE / f"{name}.json").read_text(encoding="ascii"))["vectors"]:
            yield {**vector, "question": {name: plain(value) for name, value in vector["question"].items()}}


def files() -> list[str]:
    """The names of the files of questions; what else is here has no questions in it (README.md)."""
    found = [path.stem for path in sorted(HERE.glob("*.json"))]
    return [
        name for name in found if json.loads((HERE / f"{name}.json").read_text()).get("format") == "ama2sec-vectors"
    ]


def plain(value: Any) -> Any:
    """An argument as it is asked: runs of hex are written out, everything else is taken as it stands."""
    if isinstance(value, dict) and set(value) == {"runs"}:
        return "".join(piece * count for piece, count in value["runs"])
    return value


def fits(vector: Vector, answer: dict[str, Any]) -> bool:
    """Whether the answer has the code, and every other member that the vector states."""
    expected = vector["expected"]
    return all(name in answer and answer[name] == value for name, value in expected.items())


def main(arguments: list[str]) -> int:
    """``questions [file ...]`` writes the questions; ``check [file ...]`` reads the answers. Returns the exit status."""
    if not arguments or arguments[0] not in ("questions", "check"):
        print(main.__doc__, file=sys.stderr)
        return 2
    vectors = {vector["id"]: vector for vector in load(arguments[1:])}
    if arguments[0] == "questions":
        for id, vector in vectors.items():
            print(json.dumps({"id": id, **vector["question"]}))
        return 0
    wrong = 0
    for line in sys.stdin:
        answer = json.loads(line)
        vector = vectors.pop(answer["id"])
        if not fits(vector, answer):
            wrong += 1
            print(f"{vector['id']} ({vector['clause']}): expected {vector['expected']}, got {answer}")
    for id in vectors:
        print(f"{id}: not answered")
    print(f"{wrong} wrong, {len(vectors)} not answered")
    return 1 if wrong or vectors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
