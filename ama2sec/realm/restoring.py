"""A realm's file as it was at one moment, and put back from that (spec log.6): ``Realm.restore`` goes on from it."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from ama2sec import _files
from ama2sec._native import RealmFile
from ama2sec.realm.lease import Lease

__all__ = ["backup", "discard", "put_back"]


def put_back(backup: str | os.PathLike[str], path: str | os.PathLike[str], head: str | None) -> str:
    """Judge a backup, with ``head`` also against a head that was kept, and put it where nothing is. The head of what was put there.

    What agents have acknowledged behind the backup is forgotten. Raises ``FileExists``, ``FileUnreadable``, the first fault of the backup,
    ``AgentInUse``, ``StateForm``, ``LogFull``, ``LogReadOnly``.
    """
    with closing(RealmFile.open(backup)) as source:
        source.refresh()
        if head is not None:
            source.check_kept(head)
        if os.path.lexists(path):
            raise _files.exists(path)
        _forget(Path(f"{os.fspath(path)}.keys"), source.records)
        source.backup(path)
        try:
            _files.sync_folder(Path(path).parent)
        except BaseException:
            discard(path)
            raise
        return source.head()


def _forget(keys: Path, records: int) -> None:
    """Positions behind the backup will be those of other entries: nobody may take one for acknowledged that he has never seen."""
    for state in sorted(keys.glob("*.state")):
        lease = Lease(state)
        try:
            lease.rewind(records)
        finally:
            lease.close()


def discard(path: str | os.PathLike[str]) -> None:
    """Remove a realm that was put back and did not begin its term: it must not go on."""
    for ending in ("", "-wal", "-shm", ".turn", ".lock", ".wake", ".stop"):
        Path(f"{os.fspath(path)}{ending}").unlink(missing_ok=True)


def backup(path: str | os.PathLike[str], to: str | os.PathLike[str]) -> str:
    """Write a realm as it is at one moment to a new file, while others go on with it, and give its head: keep that elsewhere.

    The backup is judged before this returns; where it is not sound it is removed. Keys are not in it. Raises ``FileExists``, ``LogFull``,
    ``LogReadOnly``, and the first fault.
    """
    with closing(RealmFile.open(path)) as source:
        source.backup(to)
    try:
        with closing(RealmFile.open(to)) as written:
            written.refresh()
            head = written.head()
        _files.sync_folder(Path(to).parent)
    except BaseException:
        Path(to).unlink(missing_ok=True)
        raise
    return head
