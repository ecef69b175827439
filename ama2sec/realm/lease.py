"""One writer at a time for an agent: its lock, its numbers, and what it has acknowledged (spec agent.4).

    lease = Lease(Path("orders.db.keys/sales.state"), start=records)
    seq = lease.next(conversation)          # burnt, whatever comes of the signature
    lease.acknowledge(position, below)

The file is a journal: a first line with the epoch, whole and synced before anything is signed under it, then one line for each
acknowledgement. Those are not synced: what a power cut takes of them is delivered again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ama2sec import _files
from ama2sec._native import Id
from ama2sec.errors import error
from ama2sec.identity.identity import clock_ms
from ama2sec.limits import SEQ_COUNTER_JUMP, SIZE_END, TIME_END

__all__ = ["Lease"]

_MAX_FILE: Final = 64 << 20
_COMPACT: Final = 1 << 20
"""Bytes of acknowledgements behind which the journal is written anew."""
_IN_USE: Final = "to be the only one that holds this agent"


class Lease:
    """The right to write as one agent, until ``close``. Without a path it is this process's own affair, and forgotten with it.

    Raises ``AgentInUse`` where another holder has it, in this process or in another; ``FileUnreadable``, ``WriteFailed``,
    ``StateForm`` (a state file that is damaged), ``ClockRange``. ``start`` is the position from which on an agent without a file
    reads the log. Source: spec agent.4.
    """

    __slots__ = (
        "_acked",
        "_clock",
        "_closed",
        "_counters",
        "_descriptor",
        "_epoch",
        "_kept",
        "_lock",
        "_path",
        "_process",
        "_size",
        "below",
    )

    _size: int
    """Bytes of acknowledgements behind the state."""
    _kept: int
    """``below``, as it is in the file; -1 before there is one."""

    def __init__(self, path: Path | None, start: int = 0, clock: Callable[[], int] = clock_ms) -> None:
        self._path = path
        self._clock = clock
        self._closed = False
        self._process = os.getpid()
        self._counters: dict[Id, int] = {}
        self._lock: int | None = None
        self._descriptor: int | None = None
        """Where acknowledgements go, from the first one on: an agent that has none needs none."""
        self._kept = -1
        self._epoch = -1
        self.below = start
        """Every message at a lower position that is addressed to the agent was acknowledged."""
        self._acked: set[int] = set()
        if path is None:
            self._renew()
            return
        self._lock = _files.take_lock(path, _IN_USE)
        try:
            self._read(path)
            self._renew()
        except BaseException:
            self.close()
            raise

    def reopen(self) -> None:
        """Hold an agent without a file again, behind ``close``. Raises ``AgentInUse`` where it is held."""
        if not self._closed or self._path is not None:
            raise error("AgentInUse", _IN_USE, "another one in this process")
        self._closed = False
        self._renew()

    # -- numbers -------------------------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """The epoch of the numbers, in ms since 1970."""
        return self._epoch

    def next(self, conversation: Id) -> tuple[int, int]:
        """The next number of this agent in a conversation. It is burnt: no other entry will have it, whatever becomes of this one."""
        self.check()
        counter = self._counters.get(conversation, 0) + 1
        if counter > SEQ_COUNTER_JUMP:
            # Were all of them refused, the next one would lie outside the window of admission.2.9.
            self._renew()
            counter = 1
        self._counters[conversation] = counter
        return self._epoch, counter

    def check(self) -> None:
        """Raise ``AgentInUse`` if this lease is not held any more."""
        if self._closed:
            raise error("AgentInUse", "an agent that is open", "one that was closed")
        if self._process != os.getpid():
            # It has the numbers and the lock of the one that it was forked off.
            raise error("AgentInUse", _IN_USE, "a process that was forked off the one that does")

    def _renew(self) -> None:
        epoch = max(self._epoch + 1, self._clock())
        if not 0 <= epoch < TIME_END:
            raise error("ClockRange", f"an epoch below {TIME_END}", str(epoch))
        self._epoch = epoch
        self._counters.clear()
        self._write()

    # -- acknowledgements ----------------------------------------------------------------------------------------

    def is_acknowledged(self, position: int) -> bool:
        """Whether a message at this position needs no handler any more."""
        return position < self.below or position in self._acked

    @property
    def acknowledged(self) -> list[int]:
        """The positions from ``below`` on of what was acknowledged."""
        return sorted(self._acked)

    def acknowledge(self, position: int, below: int) -> None:
        """Keep that the message at ``position`` was acknowledged, and that all that lie below ``below`` were."""
        self.check()
        self._acked.add(position)
        self.advance(below)
        if self._path is None:
            return
        line = b"%d %d\n" % (position, self.below)
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            os.write(self._descriptor, line)
        except OSError as fault:
            raise _files.unwritable(self._path, fault) from None
        self._size, self._kept = self._size + len(line), self.below
        if self._size > _COMPACT:
            self._write()

    def advance(self, below: int) -> None:
        """Nothing that lies below ``below`` waits. Kept with the next acknowledgement, or at the end."""
        if below > self.below:
            self.below = below
            self._acked = {position for position in self._acked if position >= below}

    def rewind(self, records: int) -> None:
        """Forget what was acknowledged at positions from ``records`` on: other entries will stand there (spec log.6.4)."""
        self.check()
        if self.below > records or any(position >= records for position in self._acked):
            self.below = min(self.below, records)
            self._acked = {position for position in self._acked if position < records}
            self._write()

    # -- the file ------------------------------------------------------------------------------------------------

    def _read(self, path: Path) -> None:
        if not path.exists():
            return
        with _files.reading(path) as descriptor:
            data = _files.read_bounded(descriptor, _MAX_FILE)
        # A line without its end was being written when the process ended.
        first, *lines = data.split(b"\n")[:-1] or [b""]
        try:
            head = json.loads(first)
            epoch, below = _number(head["epoch"], TIME_END), _number(head["below"], SIZE_END)
            acked = {_number(position, SIZE_END) for position in head["acked"]}
            for line in lines:
                position, below = (_number(int(word), SIZE_END) for word in line.split(b" "))
                acked.add(position)
        except (ValueError, TypeError, KeyError, RecursionError):
            raise error("StateForm", f"a state file at {os.fspath(path)!r}", "a damaged one") from None
        self._epoch, self.below = epoch, below
        self._acked = {position for position in acked if position >= below}

    def _write(self) -> None:
        """The whole state, synced, under the file's name."""
        if self._path is None:
            return
        state = {"ama2sec-agent": 1, "epoch": self._epoch, "below": self.below, "acked": sorted(self._acked)}
        data = json.dumps(state).encode() + b"\n"
        _files.write_whole(self._path, data, replace=True, mode=0o600)
        # It is another file now.
        old, self._descriptor = self._descriptor, None
        if old is not None:
            os.close(old)
        self._size, self._kept = 0, self.below

    def close(self) -> None:
        """Keep the state and give the agent back. Calling it again does nothing."""
        self._closed = True
        if self._lock is None:
            return
        try:
            if self._kept >= 0 and self.below != self._kept:
                self._write()
        finally:
            if self._descriptor is not None:
                os.close(self._descriptor)
            _files.unlock(self._lock)
            with contextlib.suppress(OSError):
                os.close(self._lock)
            self._lock = self._descriptor = None


def _number(value: Any, end: int) -> int:
    if type(value) is not int or not 0 <= value < end:
        raise ValueError("a number out of its range")
    return value
