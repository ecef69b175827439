"""Write a whole transcript at once: for imports, demonstrations and tests, where one program holds every key."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

from ama2sec import _files, _native
from ama2sec._native import Draft, Fingerprint, Id
from ama2sec.identity import Directory, Identity
from ama2sec.identity.identity import clock_ms

__all__ = ["write_transcript"]

Turn = tuple[Identity, bytes, int]


def write_transcript(
    path: str | os.PathLike[str],
    opener: Identity,
    turns: Iterable[Turn],
    directory: Directory,
    *,
    members: Sequence[str | Id] | None = None,
    media_type: str = "text/plain;charset=utf-8",
    lag: Callable[[int], int] | None = None,
) -> Fingerprint:
    """Open a conversation, let each turn ``(author, body, claimed time in ms)`` sign its message, and write the file.

    ``lag(position)`` says how many of the latest entries the author at ``position`` had not consumed yet (default
    none). The whole file is in memory until it is written, whole or not at all. Every author's numbers start in an epoch
    of this moment. Returns the head. Raises ``FileExists``, ``WriteFailed``, and what signing raises.
    """
    listed: list[str | Id] | None = (
        None if members is None else [m if isinstance(m, Id) else directory.get(m).public.thumbprint for m in members]
    )
    epoch = clock_ms()
    first = opener.seal(Draft.open(opener.public, None, media_type, [], listed, epoch))
    state = _native.ConversationState(directory._core)
    parts = [_native.transcript_header(), first.to_bytes()]
    state.admit_many([parts[1]])
    counters: dict[Id, int] = {}
    for position, (author, body, time_ms) in enumerate(turns, start=1):
        counter = counters.get(author.id, 0)
        counters[author.id] = counter + 1
        behind = 0 if lag is None else max(0, min(lag(position), position - 1))
        draft = _native.draft_message(author.public, state, (epoch, counter), body, media_type, [], time_ms, behind)
        parts.append(author.seal(draft).to_bytes())
        state.admit_many([parts[-1]])
    _files.write_whole(path, b"".join(parts), replace=False)
    return state.head
