"""How questions about transcripts are added to a book."""

from __future__ import annotations

from .people import directory
from .talk import Entry, Talk, file
from .vector import Book


class Teller:
    """Adds `transcript` questions to a book."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def __call__(
        self, id: str, clause: str, data: object, code: str, kept: str | None = None, **answer: object
    ) -> None:
        question: dict[str, object] = {"op": "transcript", "bytes": data.hex() if isinstance(data, bytes) else data}
        question["directory"] = directory()
        if kept is not None:
            question["head"] = kept
        self.book.add(id, f"fingerprint.{clause}", question, code, **answer)

    def fault(self, id: str, clause: str, data: object, code: str, at: int, kept: str | None = None) -> None:
        """A fault at a position: everything before it is sound."""
        self(id, clause, data, code, kept, position=at, sound=at)

    def good(self, id: str, clause: str, talk: Talk, kept: str | None = None) -> None:
        """A sound conversation."""
        self(id, clause, file(talk.items), "ok", kept, head=talk.head(), entries=len(talk.entries))

    def then(self, id: str, clause: str, talk: Talk, next: Entry | bytes, code: str) -> None:
        """A sound conversation and one entry that is not: the fault stands at its place, whatever comes behind."""
        item = next if isinstance(next, bytes) else next.item
        self.fault(id, clause, file([*talk.items, item]), code, len(talk.entries))
