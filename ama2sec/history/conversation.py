"""A conversation kept as a file by one of its members (spec fingerprint.5 to .7)."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ama2sec import _files, _native
from ama2sec._native import Draft, Fingerprint, Id, Message, Signed
from ama2sec.errors import Ama2Error, error
from ama2sec.identity import Directory, Identity
from ama2sec.identity.identity import addresses, clock_ms
from ama2sec.identity.secrecy import forgetful
from ama2sec.limits import TIME_END
from ama2sec.message import verify

__all__ = ["Conversation"]

_CHUNK: Final = 1 << 20
_MEDIA_TYPE: Final = "application/octet-stream"
_ONLY_WRITER: Final = "to be the only writer of this conversation file"
_MAX_EPOCHS: Final = 16 << 20


class Conversation:
    """One member's own copy of a conversation: a transcript file that only grows, and a lock on it.

    What is received into the file its keeper has consumed: the next ``send`` signs the fingerprint of all of it.
    Use it as a context manager, or call ``close``; until then nobody else can open the file to write. Threads may share one:
    its calls wait for each other. It cannot be copied, and a process that was forked off is refused (``AgentInUse``): two writers
    would sign under one number.
    """

    __slots__ = (
        "_busy",
        "_closed",
        "_directory",
        "_file",
        "_identity",
        "_lock",
        "_path",
        "_process",
        "_seq",
        "_state",
        "_turn",
        "truncated_tail",
    )

    _busy: bool
    _closed: bool
    _directory: Directory
    _file: int
    _identity: Identity
    _lock: int
    _path: Path
    _process: int
    _seq: tuple[int, int]
    _state: _native.ConversationState
    _turn: threading.RLock
    truncated_tail: int
    """Bytes of part-written entries that were cut off: at load, or behind a write that was interrupted. 0 if there were none."""

    def __init__(self) -> None:
        raise error("ArgumentType", "Conversation.create, .load or .join", "Conversation()")

    # -- opening ------------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        identity: Identity,
        directory: Directory,
        *,
        members: str | Id | Sequence[str | Id] | None = None,
    ) -> Conversation:
        """Open a new conversation in a new file.

        ``members`` are names of ``directory`` or ids; None means everyone enrolled. The author is always one, and is enrolled in
        ``directory`` for messages (``KeyUnknown``, ``PurposeWrong``). Raises ``FileExists``, ``WriteFailed``, ``NameUnknown``, ``TooMany``, ``AgentInUse``, ``SignerFault``.
        """
        listed = None if members is None else _with(identity.id, _resolved(addresses(members), directory))
        first = identity.seal(Draft.open(identity.public, None, _MEDIA_TYPE, [], listed, clock_ms()))
        return cls._begin(path, identity, directory, _native.transcript_header() + first.to_bytes())

    @classmethod
    def join(cls, path: str | os.PathLike[str], identity: Identity, directory: Directory, data: bytes) -> Conversation:
        """Start an own copy in a new file from ``data``, the transcript so far, which is verified first.

        Raises ``NotBytes`` and what ``verify_conversation`` raises, and nothing is written then.
        """
        if type(data) is not bytes:
            raise error("NotBytes", "bytes, exactly", type(data).__name__)
        return cls._begin(path, identity, directory, data)

    @classmethod
    def _begin(
        cls, path: str | os.PathLike[str], identity: Identity, directory: Directory, data: bytes
    ) -> Conversation:
        from ama2sec.history.transcript import verify_conversation

        # No file is made that its maker could not open again.
        verify_conversation(data, directory)
        _files.write_whole(path, data, replace=False)
        return cls.load(path, identity, directory)

    @classmethod
    @forgetful
    def load(cls, path: str | os.PathLike[str], identity: Identity, directory: Directory) -> Conversation:
        """Open an existing file: verify all of it, take the lock, and be ready to send and receive.

        A part-written entry at the end, left by a crash, is cut off; ``truncated_tail`` says how many bytes. Raises ``AgentInUse``,
        ``FileUnreadable``, and the code of the first entry that does not verify.
        """
        made = object.__new__(cls)
        made._path = Path(path)
        made._identity = identity
        made._directory = directory
        made._busy = made._closed = False
        made._process = os.getpid()
        made._turn = threading.RLock()
        made.truncated_tail = 0
        with contextlib.ExitStack() as undo:
            made._lock = _files.take_lock(made._path, _ONLY_WRITER)
            undo.callback(os.close, made._lock)
            made._file = _opened(made._path)
            undo.callback(os.close, made._file)
            # The file has other names than this one: links, and the name that it gets while it is open.
            _files.lock(made._file, _ONLY_WRITER)
            made._state = _native.ConversationState(directory._core)
            made._read_on()
            made._seq = (made._acquire_epoch(), secrets.randbelow(1 << 15))
            undo.pop_all()
        return made

    def _read_on(self) -> None:
        """Take in what stands in the file behind what is known: all of it at load, later what an interrupted write has left."""
        known = self._state.size
        at = self._state.length if known else 0
        reader = _native.TranscriptReader(bare=known > 0)
        while chunk := _pread(self._file, at, self._path):
            at += len(chunk)
            self._state.admit_many(reader.feed(chunk))
        cut = reader.finish()
        if self._state.size == 0:
            raise error("OpenMissing", "a transcript with its open", "none")
        if cut:
            try:
                os.ftruncate(self._file, self._state.length)
                os.fsync(self._file)
            except OSError as fault:
                raise _files.unwritable(self._path, fault) from None
        self.truncated_tail += cut

    def _acquire_epoch(self) -> int:
        """The epoch of this writer's numbers, stored before anything is signed under it (fingerprint.7.3)."""
        path = self._path.with_name(self._path.name + ".epochs")
        stored = _read_epochs(path)
        me = str(self._identity.id)
        used = self._state.last_seq(self._identity.id)
        epoch = max(clock_ms(), stored.get(me, -1) + 1, -1 if used is None else used[0] + 1)
        if not 0 <= epoch < TIME_END:
            raise error("ClockRange", f"an epoch below {TIME_END}", str(epoch))
        stored[me] = epoch
        _files.write_whole(path, json.dumps(stored, sort_keys=True).encode() + b"\n", replace=True)
        return epoch

    # -- speaking and listening ------------------------------------------------------------------------------------

    def send(self, body: bytes, *, to: str | Id | Sequence[str | Id] = (), media_type: str = _MEDIA_TYPE) -> Signed:
        """Sign ``body`` over everything in the file, append it, sync, and return it; ``to_bytes()`` is what travels.

        ``to`` takes names of the directory and ids. Raises ``BodyLimit``, ``NameUnknown``, ``SignerFault``, ``WriteFailed``
        (the file is then as it was), and ``NotAMember`` where the keeper is none. Source: spec fingerprint.7.
        """
        with self._alone():
            epoch, counter = self._seq
            # Asking for a signature burns the number, whatever comes of it (fingerprint.7.3).
            self._seq = (epoch, counter + 1)
            recipients = _resolved(addresses(to), self._directory)
            draft = _native.draft_message(
                self._identity.public, self._state, (epoch, counter), body, media_type, recipients, clock_ms()
            )
            signed = self._identity.seal(draft)
            self._take(signed.to_bytes())
            return signed

    def receive(self, data: bytes) -> Message:
        """Verify one entry against this history and append it, or raise and leave everything as it was.

        The same entry again is answered with the message and changes nothing. Raises what spec fingerprint.6 names: among
        others ``ContextAhead`` if something that its author had seen has not arrived here, ``ContextForked``
        if its author had seen another history. Source: spec fingerprint.7.4.
        """
        with self._alone():
            return self._take(data)

    def _take(self, data: bytes) -> Message:
        checked = self._state.check(data)
        if checked.stored:
            return checked.message
        # Whatever interrupts these two lines, the length of the file tells what came of it: the next call reads on.
        _files.append_durable(self._file, checked.entry, self._path)
        return self._state.apply(checked)

    # -- reading ------------------------------------------------------------------------------------------------

    @property
    def head(self) -> Fingerprint:
        """The size and fingerprint of everything in the file: keep it, and a cut tail will show."""
        return self._state.head

    @property
    def id(self) -> Id:
        """The conversation's id: that of its open."""
        return self._state.head.conversation

    @property
    def size(self) -> int:
        """The number of entries."""
        return self._state.size

    @property
    def path(self) -> Path:
        """The transcript file."""
        return self._path

    def messages(self) -> Iterator[Message]:
        """All entries in order, read from the file and verified one by one (their history was checked at load)."""
        reader = _native.TranscriptReader()
        for chunk in self._chunks():
            for entry in reader.feed(chunk):
                yield verify(entry, self._directory)

    def to_bytes(self) -> bytes:
        """The whole transcript, as ``join`` and ``verify_conversation`` take it. Raises ``FileUnreadable``."""
        return b"".join(self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        with self._alone():
            whole = self._state.length
        position = 0
        while position < whole:
            with self._alone():
                chunk = _pread(self._file, position, self._path)[: whole - position]
            if not chunk:
                raise self._shorter(position)
            position += len(chunk)
            yield chunk

    # -- closing ------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Release the file and its lock. Calling it again does nothing."""
        ours = self._process == os.getpid()
        # In a process that was forked off, a thread that is not there may hold the turn.
        with self._turn if ours else contextlib.nullcontext():
            if self._closed:
                return
            if ours:
                self._must_not_be_inside()
            self._closed = True
            for descriptor in (self._file, self._lock):
                if ours:
                    # Closing alone would leave the lock with every process that was forked off meanwhile.
                    _files.unlock(descriptor)
                os.close(descriptor)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One call at a time, in the process that has the lock, over a file that is as long as what is known of it."""
        if self._process != os.getpid():
            raise error("AgentInUse", _ONLY_WRITER, "a process that was forked off the one that is")
        with self._turn:
            self._must_not_be_inside()
            if self._closed:
                raise error("ArgumentRange", "an open conversation", "one that was closed")
            try:
                self._busy = True
                found = os.fstat(self._file).st_size
                if found < self._state.length:
                    raise self._shorter(found)
                if found > self._state.length:
                    self._read_on()
                yield
            finally:
                self._busy = False

    def _must_not_be_inside(self) -> None:
        """A signer that calls back, or a handler of a signal, would write into the middle of a write."""
        if self._busy:
            raise error("AgentInUse", _ONLY_WRITER, "a call from inside another one")

    def _shorter(self, found: int) -> Ama2Error:
        return error("HeadStale", f"a file of at least {self._state.length} bytes, up to {self.head}", f"{found} bytes")

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True) and hasattr(self, "_seq"):
            self.close()

    def __reduce__(self) -> str | tuple[object, ...]:
        raise error("ArgumentType", "Conversation.load, in one process at a time", "an attempt to copy a writer")

    def __repr__(self) -> str:
        try:
            return f"<Conversation {self.id.short} at {self.size} entries>"
        except (Ama2Error, AttributeError):
            # While it is opened; a traceback must be able to show it.
            return "<Conversation, not open>"


def _resolved(listed: Sequence[str | Id], directory: Directory) -> list[str | Id]:
    return [directory.get(address).public.thumbprint if isinstance(address, str) else address for address in listed]


def _with(own: Id, listed: list[str | Id]) -> list[str | Id]:
    return listed if own in listed else [own, *listed]


def _opened(path: Path) -> int:
    try:
        # A pipe would wait for somebody to open its other end.
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as fault:
        raise _files.unreadable(path, fault) from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise error("FileUnreadable", f"to read {os.fspath(path)!r}", "no regular file")
    return file


def _pread(file: int, position: int, path: Path) -> bytes:
    try:
        return os.pread(file, _CHUNK, position)
    except OSError as fault:
        raise _files.unreadable(path, fault) from None


def _read_epochs(path: Path) -> dict[str, int]:
    if not path.exists():
        return {}
    with _files.reading(path) as descriptor:
        data = _files.read_bounded(descriptor, _MAX_EPOCHS)
    try:
        found = json.loads(data)
        whole = isinstance(found, dict) and all(type(v) is int and 0 <= v < TIME_END for v in found.values())
    except (ValueError, RecursionError):
        whole = False
    if not whole or len(data) > _MAX_EPOCHS:
        # Going on from a damaged store could use a number twice; the clock alone is not trusted for that.
        raise _damaged(path)
    return dict(found)


def _damaged(path: Path) -> Ama2Error:
    return error("FileUnreadable", f"the stored epochs in {os.fspath(path)!r}", "a damaged file")
