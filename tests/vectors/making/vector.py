"""One vector, and the files that hold them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

Json = object


@dataclass
class Book:
    """The vectors of one file, in order."""

    name: str
    title: str
    vectors: list[dict[str, Json]] = field(default_factory=list)

    def add(self, id: str, clause: str, question: dict[str, Json], code: str, **answer: Json) -> None:
        """One question and its right answer; ids carry the file's name in front."""
        whole = f"{self.name}.{id}"
        expected = {"code": code, **answer}
        self.vectors.append({"id": whole, "clause": clause, "question": question, "expected": expected})

    def text(self) -> str:
        """The file: one vector a line, so that a change shows as the vectors that it changes."""
        lines = ",\n".join(json.dumps(vector, separators=(", ", ": ")) for vector in self.vectors)
        title = json.dumps(self.title)
        return f'{{"format": "ama2sec-vectors", "version": 1, "title": {title}, "vectors": [\n{lines}\n]}}\n'


def times(*runs: tuple[bytes, int]) -> Json:
    """A long argument, written as runs of hex."""
    return {"runs": [[piece.hex(), count] for piece, count in runs]}
