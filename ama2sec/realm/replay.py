"""The replay of a realm transcript (spec record.4)."""

from __future__ import annotations

import os

from ama2sec._native import Id, RealmVerified, Replay
from ama2sec.errors import error

_PIECE = 1 << 20


def replay_realm(
    source: bytes | str | os.PathLike[str],
    *,
    realm: Id | None = None,
    head: str | None = None,
    conversation: Id | None = None,
) -> RealmVerified:
    """Replay a realm transcript: its bytes, or the path of a file, which is read in pieces.

    ``realm`` is the realm's id, ``head`` the text of a head that was kept; without either the realm is as the file states it, and a
    tail that was cut off cannot be seen. ``conversation`` says that the transcript has the registry and this conversation only. Raises
    the fault with ``position`` (the records before it) and ``offset``, and ``FileUnreadable``. Source: spec record.4.
    """
    replay = Replay(realm=realm, head=None if head is None else head.encode("utf-8"), conversation=conversation)
    if isinstance(source, bytes):
        replay.feed(source)
        return replay.finish()
    try:
        with open(source, "rb") as file:
            while piece := file.read(_PIECE):
                replay.feed(piece)
    except OSError as fault:
        raise error("FileUnreadable", "a realm transcript that can be read", type(fault).__name__) from fault
    return replay.finish()
