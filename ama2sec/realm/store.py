"""The engine of a realm for one event loop: made or loaded, fed, and watched (spec agent.5, log)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from ama2sec._native import Id, RealmAnswer, RealmBell, RealmEngine, SigningKey
from ama2sec.errors import Ama2Error, error
from ama2sec.identity.identity import clock_ms

__all__ = ["Store", "create_engine", "load_engine"]

_TRIES: Final = 3
_SHARE: Final = 32
"""Entries that are handed in on the loop before others have their turn on it."""
_LATCH: Final = 0.1
"""Seconds between two looks at the latch."""
_WRITERS: Final = 16
"""Entries of one process that wait for the disk together: the engine puts them into one commit."""


def create_engine(
    genesis: bytes, sequencer: SigningKey, path: str | None, durability: str, *, budgets: bool
) -> RealmEngine:
    """A new realm in a log at ``path``; in memory without one. Raises as ``RealmEngine.create``."""
    engine, _ = RealmEngine.create(genesis, sequencer, clock_ms(), budgets=budgets, path=path, durability=durability)
    return engine


def load_engine(
    path: str,
    sequencer: SigningKey,
    realm: Id,
    durability: str | None,
    *,
    budgets: bool,
    head: str | None = None,
    full: bool = False,
) -> RealmEngine:
    """The realm in the log at ``path``, judged again (log.7). Raises as ``RealmEngine.load``."""
    return RealmEngine.load(
        path, sequencer, realm, budgets=budgets, durability=durability, head=head, full=full, now_ms=clock_ms()
    )


class Store:
    """An engine on one event loop.

    Where an entry waits for the disk it is handed in from a thread; else on the loop itself. The engine delivers what it has committed,
    and rings the bell for those who wait for it: ``rung`` is called on the loop with what the bell calls them, ``failed`` when the log
    cannot be followed any more. Where others may append to the log, a thread follows it.
    """

    def __init__(self, engine: RealmEngine) -> None:
        self.engine = engine
        self.bell = RealmBell()
        self._durable = engine.durability == "full"
        self._shared = engine.durability is not None
        self._pool: ThreadPoolExecutor | None = None
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handed_in = 0

    def start(self, rung: Callable[[Iterable[int]], None], failed: Callable[[BaseException], None]) -> None:
        """Begin to watch. To be called on the loop."""
        self._rung = rung
        loop = self._loop = asyncio.get_running_loop()
        loop.add_reader(self.bell.fileno(), self._drain)
        if self._durable:
            self._pool = ThreadPoolExecutor(_WRITERS, thread_name_prefix="ama2sec-write")
        if self._shared:
            for name, work in (("ama2sec-watch", self._watch), ("ama2sec-latch", self._look)):
                thread = threading.Thread(target=work, args=(loop, failed), name=name, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _drain(self) -> None:
        self._rung(self.bell.drain())

    def _watch(self, loop: asyncio.AbstractEventLoop, failed: Callable[[BaseException], None]) -> None:
        """Take in what others append: the engine delivers it, and the bell wakes the loop."""
        try:
            self.engine.follow()
        except Exception as fault:  # noqa: BLE001  whoever waits for a message must hear of it
            self._tell(loop, failed, fault)

    def _look(self, loop: asyncio.AbstractEventLoop, failed: Callable[[BaseException], None]) -> None:
        """Look at the latch where nobody else does: what is latched, and what ends it, is written into the log (halt.6.2)."""
        seen = -1
        while not self._closed.wait(_LATCH) and not loop.is_closed():
            try:
                now = self.engine.halts.epoch
                if now != seen and self.engine.halts.record(clock_ms()):
                    seen = self.engine.halts.epoch
            except Ama2Error as fault:
                # A disk that refuses un-latches nothing, and may take it later; what stops an engine stops this as well.
                if fault.blame != "caller" or not fault.code.startswith("Log"):
                    self._tell(loop, failed, fault)
                    return
        if loop.is_closed():
            # The loop has ended before the realm: nobody will close it, and nobody is left to be told.
            self.engine.end_watch()

    def _tell(
        self, loop: asyncio.AbstractEventLoop, failed: Callable[[BaseException], None], fault: BaseException
    ) -> None:
        # A loop that was closed before the realm was has nobody who waits.
        with contextlib.suppress(RuntimeError):
            if not self._closed.is_set():
                loop.call_soon_threadsafe(failed, fault)

    async def submit(self, entry: bytes) -> RealmAnswer:
        """Hand in one entry; it was delivered on this loop when this returns.

        Where others kept the log busy, the same bytes are handed in again. Raises ``LogBusy`` after three times, the other codes with
        which a log says that it took nothing (log.2.4), and what stops an engine; ``ArgumentRange`` on another loop, and behind ``close``.
        """
        self._check()
        for left in reversed(range(_TRIES)):
            try:
                answer = await self._submit(entry)
                break
            except Ama2Error as fault:
                if fault.code != "LogBusy" or not left:
                    raise
        self._handed_in += 1
        if self._pool is None and self._handed_in % _SHARE == 0:
            # Nothing else here lets others have the loop.
            await asyncio.sleep(0)
        return answer

    async def record_halts(self) -> None:
        """Write what is latched into the log, unless somebody has the engine, who then does it."""
        self._check()
        if self._pool is None:
            self.engine.halts.record(clock_ms())
        else:
            await asyncio.get_running_loop().run_in_executor(self._pool, self.engine.halts.record, clock_ms())

    def catch_up(self) -> None:
        """Take in what other processes have appended, from any thread; the caller waits for the log."""
        if self._shared:
            self.engine.refresh()

    async def refresh(self) -> None:
        """Take in what other processes have appended, now."""
        self._check()
        if self._shared:
            await asyncio.to_thread(self.engine.refresh)

    def _check(self) -> None:
        if self._closed.is_set() or asyncio.get_running_loop() is not self._loop:
            raise error(
                "ArgumentRange", "a realm that is open on this event loop", "one that was closed, or another loop's"
            )

    async def _submit(self, entry: bytes) -> RealmAnswer:
        if self._pool is not None:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self.engine.submit, entry, clock_ms())
        # Whoever is to have it is woken here, without a turn through the system.
        self.bell.hold()
        try:
            return self.engine.submit(entry, clock_ms())
        finally:
            self._drain()

    async def close(self) -> None:
        """End the watch and let go of the realm's files; what was handed in is finished first. Calling it again does nothing."""
        self._closed.set()
        if self._shared:
            self.engine.end_watch()
        if self._pool is not None:
            await asyncio.to_thread(self._pool.shutdown)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        if self._loop is not None:
            self._loop.remove_reader(self.bell.fileno())
        await asyncio.to_thread(self.engine.close)
