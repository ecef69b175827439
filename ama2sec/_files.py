"""Files that are whole or not there: the one place that writes evidence and keys to disk.

A file is written under a temporary name in its own folder, synced, and moved to its name; then the folder is synced.
So a crash, a full disk or an interrupt leaves the old file or the new one, never a part (spec errors.2).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from ama2sec.errors import Ama2Error, error

__all__ = [
    "append_durable",
    "lock",
    "private",
    "read_bounded",
    "reading",
    "sync_folder",
    "take_lock",
    "unlock",
    "write_whole",
    "writing_whole",
]

_CHUNK = 1 << 20


def _why(fault: OSError | ValueError) -> str:
    """What the operating system says, or that the name can be no file's (a null character, a lone surrogate)."""
    return (fault.strerror or type(fault).__name__) if isinstance(fault, OSError) else "a name that no file can have"


def unreadable(path: str | os.PathLike[str], fault: OSError | ValueError) -> Ama2Error:
    """The ``FileUnreadable`` error for ``path``."""
    return error("FileUnreadable", f"to read {os.fspath(path)!r}", _why(fault))


def unwritable(path: str | os.PathLike[str], fault: OSError | ValueError) -> Ama2Error:
    """The ``WriteFailed`` (or, for a closed pipe, ``PipeClosed``) error for ``path``."""
    code = "PipeClosed" if isinstance(fault, BrokenPipeError) else "WriteFailed"
    return error(code, f"to write {os.fspath(path)!r}", _why(fault))


@contextlib.contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[int]:
    """A descriptor of ``path`` opened for reading; an operating-system fault becomes ``FileUnreadable``."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError) as fault:
        raise unreadable(path, fault) from None
    try:
        yield descriptor
    except OSError as fault:
        raise unreadable(path, fault) from None
    finally:
        os.close(descriptor)


def read_bounded(descriptor: int, limit: int) -> bytes:
    """All bytes of a descriptor, at most ``limit + 1`` of them, so that the caller can see that there were more."""
    parts = []
    left = limit + 1
    while left and (chunk := os.read(descriptor, min(left, _CHUNK))):
        parts.append(chunk)
        left -= len(chunk)
    return b"".join(parts)


def sync_folder(path: str | os.PathLike[str]) -> None:
    """Sync the folder that holds ``path``, so that a name just made survives a power cut."""
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def exists(path: str | os.PathLike[str]) -> Ama2Error:
    """The ``FileExists`` error for ``path``."""
    return error("FileExists", f"no file at {os.fspath(path)!r}", "one that would be overwritten")


def write_whole(path: str | os.PathLike[str], data: bytes, *, replace: bool, mode: int = 0o644) -> None:
    """Write ``data`` to ``path``, whole or not at all.

    With ``replace=False`` an existing file is never touched (``FileExists``), also not when two callers race.
    ``mode`` is the permission of the new file, less the umask. Raises ``WriteFailed`` on any fault of the disk.
    """
    with writing_whole(path, replace=replace, mode=mode) as write:
        write(data)


@contextlib.contextmanager
def writing_whole(
    path: str | os.PathLike[str], *, replace: bool, mode: int = 0o644
) -> Iterator[Callable[[bytes], object]]:
    """A function that writes a file in pieces; ``path`` is there when the block ends well, and else is as it was.

    Raises as ``write_whole``; what the block itself raises goes through.
    """
    target = _writable_name(path)
    if not replace and os.path.lexists(target):
        raise exists(path)
    temporary: str | None = None
    try:
        name = f"{target.parent}/.ama2sec-{secrets.token_hex(16)}"
        # Not mkstemp with a chmod: the umask of whoever asked for a private file is his word.
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        temporary = name
        with os.fdopen(descriptor, "wb") as file:
            yield file.write
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(temporary, target)
            temporary = None
        else:
            os.link(temporary, target)
        sync_folder(target)
    except FileExistsError:
        raise exists(path) from None
    except OSError as fault:
        raise unwritable(path, fault) from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _writable_name(path: str | os.PathLike[str]) -> Path:
    try:
        if b"\0" in os.fsencode(path):
            raise ValueError
    except ValueError as fault:
        raise unwritable(path, fault) from None
    return Path(path)


def append_durable(descriptor: int, data: bytes, path: str | os.PathLike[str], *, sync: bool = True) -> None:
    """Append ``data`` to an open file and sync it; on a fault the file is cut back to what it was.

    The descriptor must be the only writer's. Raises ``WriteFailed``.
    """
    before = os.lseek(descriptor, 0, os.SEEK_END)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        if sync:
            os.fsync(descriptor)
    except BaseException as fault:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, before)
        if isinstance(fault, OSError):
            raise unwritable(path, fault) from None
        raise


def private(descriptor: int, path: str | os.PathLike[str], *, pipes: bool = False) -> None:
    """Refuse a file with a secret that is no regular file, belongs to another user, or is open to others (identity.4.4).

    Judged on the open descriptor, so that the file cannot be exchanged between the check and the read; a symbolic link is
    judged by what it leads to. With ``pipes=True`` a pipe will do.
    """
    found = os.fstat(descriptor)
    if not (stat.S_ISREG(found.st_mode) or (pipes and stat.S_ISFIFO(found.st_mode))):
        raise error("KeyFilePermissions", "a regular file", "something else")
    if found.st_uid not in (os.geteuid(), 0):
        raise error("KeyFilePermissions", "a file of the reader's own or root's", f"one of user {found.st_uid}")
    if found.st_mode & 0o077:
        raise error(
            "KeyFilePermissions",
            f"no permission for group or others (chmod 600 {os.fspath(path)})",
            f"mode {stat.S_IMODE(found.st_mode):04o}",
        )


def take_lock(path: Path, expected: str) -> int:
    """The descriptor of ``<path>.lock`` with an exclusive lock on it, held until it is closed; ``AgentInUse`` if another has it.

    flock, not a POSIX lock: it holds between two handles of one process. ``expected`` is the error's text.
    """
    name = f"{path}.lock"
    try:
        if not path.name:
            raise ValueError
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except (OSError, ValueError) as fault:
        raise unwritable(name, fault) from None
    try:
        lock(descriptor, expected)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def lock(descriptor: int, expected: str) -> None:
    """An exclusive lock on an open file, for as long as it is open; ``AgentInUse`` if another has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise error("AgentInUse", expected, "another writer has it") from None


def unlock(descriptor: int) -> None:
    """Give the lock back, whoever else has inherited the open file."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
