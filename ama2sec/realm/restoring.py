"""A realm's file put back from a backup: the history goes on behind a ``term``, so that everybody sees where it was (spec log.6).

async with restore("monday.db", "orders.db", roots=[ada, ben], reason="the disk of the 26th") as realm:
    ...
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ama2sec import _files
from ama2sec._native import RealmFile
from ama2sec.identity import Identity
from ama2sec.realm.lease import Lease
from ama2sec.realm.sdk import Opening, Realm

__all__ = ["restore"]


def restore(
    backup: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    roots: Sequence[Identity] = (),
    reason: str,
    head: str | None = None,
) -> Opening:
    """Put a backup where nothing is, beside the keys of the realm (``<path>.keys``), and write a ``term`` over it.

    The backup is judged before anything is written; with ``head`` also against a head that was kept at the time. ``roots``: the keys that
    the root quorum asks for; in a realm for trying out those beside it. Where they do not suffice the term waits for the others, as any
    proposal. What agents have acknowledged behind the backup is forgotten. Raises ``FileExists``, ``FileUnreadable``, the first fault of
    the backup, ``AgentInUse`` (somebody still has an agent open), ``StateForm``, and what ``Realm.open`` raises.
    """

    async def opens() -> Realm:
        source = RealmFile.open(backup)
        source.refresh()
        if head is not None:
            source.check_kept(head)
        if os.path.lexists(path):
            raise _files.exists(path)
        _forget(Path(f"{os.fspath(path)}.keys"), source.records)
        source.backup(path)
        try:
            _files.sync_folder(Path(path).parent)
            realm = await Realm.open(path, roots=roots, head=source.head(), full=True)
        except BaseException:
            _discard(Path(path))
            raise
        try:
            await realm.term(reason)
        except BaseException:
            await realm.close()
            _discard(Path(path))
            raise
        return realm

    return Opening(opens)


def _forget(keys: Path, records: int) -> None:
    """Positions behind the backup will be those of other entries: nobody may take one for acknowledged that he has never seen."""
    for state in sorted(keys.glob("*.state")):
        lease = Lease(state)
        try:
            lease.rewind(records)
        finally:
            lease.close()


def _discard(path: Path) -> None:
    """A realm that was put back and did not begin its term must not go on."""
    for ending in ("", "-wal", "-shm", ".turn", ".lock", ".wake", ".stop"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def backup(path: str | os.PathLike[str], to: str | os.PathLike[str]) -> str:
    """Write a realm as it is at one moment to a new file, while others go on with it, and give its head: keep that elsewhere.

    The backup is judged before this returns; where it is not sound it is removed. Keys are not in it. Raises ``FileExists``, ``LogFull``,
    ``LogReadOnly``, and the first fault.
    """
    RealmFile.open(path).backup(to)
    try:
        written = RealmFile.open(to)
        written.refresh()
    except BaseException:
        Path(to).unlink(missing_ok=True)
        raise
    _files.sync_folder(Path(to).parent)
    return written.head()
