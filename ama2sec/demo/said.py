"""One turn of a conversation, however it was found."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from ama2sec.limits import TIME_END

__all__ = ["MAX_TEXT", "Said", "date_ms"]

MAX_TEXT: Final = 16 * 1024
"""Bytes of a text that are signed; the rest of a longer one is left out, so that a demonstration stays small."""


@dataclass(frozen=True, slots=True)
class Said:
    """The author's name as it was written, the text, and when it was said in ms since 1970, or None where nothing says so."""

    author: str
    text: bytes
    time_ms: int | None

    @classmethod
    def of(cls, author: str, text: str, time_ms: int | None) -> Said:
        """With the text cut between two characters, and a time that no message can carry taken for none."""
        cut = text[:MAX_TEXT].encode("utf-8", "replace")[:MAX_TEXT].decode("utf-8", "ignore").encode()
        return cls(author, cut, time_ms if time_ms is not None and 0 <= time_ms < TIME_END else None)


def date_ms(date: str) -> int | None:
    """The ms since 1970 of a date as mail and changelogs write it; None where it is none."""
    try:
        return int(parsedate_to_datetime(date).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
