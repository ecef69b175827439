"""Make the vectors: ``python -m tests.vectors.generate [folder]``. The same bytes every time, from fixed seeds."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.vectors.making import alone, codec, definitions, frame, keys, others, rules, transcript, verify
from tests.vectors.making.vector import Book

__all__ = ["HERE", "books", "main"]

HERE = Path(__file__).parent


def books() -> list[Book]:
    """All files."""
    return [
        codec.build(),
        keys.build(),
        frame.build(),
        rules.build(),
        verify.build(),
        alone.build(),
        others.fingerprints(),
        transcript.build(),
        definitions.build(),
        others.makes(),
        others.questions(),
    ]


def main(folder: Path) -> None:
    """Write the files into a folder."""
    for book in books():
        (folder / f"{book.name}.json").write_text(book.text(), encoding="ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
