"""The engine of a realm for one event loop: made or loaded, fed, and watched (spec agent.5, log)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from ama2sec._native import Id, RealmAnswer, RealmEngine, SigningKey
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
    """An engine, and who on this loop is told of its entries.

    ``shared``: others append to the log, so a thread waits for them. ``durable``: an entry waits for the disk, so it is handed in from
    a thread; else it is handed in on the loop itself, and delivered before ``submit`` returns. ``arrived`` is called on the loop
    whenever there may be new entries, ``failed`` when the log cannot be followed any more.
    """

    def __init__(self, engine: RealmEngine, *, durable: bool, shared: bool) -> None:
        self.engine = engine
        self._durable = durable
        self._shared = shared
        self._pool: ThreadPoolExecutor | None = None
        self._watcher: threading.Thread | None = None
        self._looker: threading.Thread | None = None
        self._closed = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handed_in = 0

    def start(self, arrived: Callable[[], None], failed: Callable[[BaseException], None]) -> None:
        """Begin to watch. To be called on the loop."""
        self._arrived = arrived
        self._loop = asyncio.get_running_loop()
        if self._durable:
            self._pool = ThreadPoolExecutor(_WRITERS, thread_name_prefix="ama2sec-write")
        if self._shared:
            told = (self._loop, arrived, failed)
            watch = threading.Thread(target=self._watch, args=told, name="ama2sec-watch", daemon=True)
            self._watcher = watch
            watch.start()
            look = threading.Thread(target=self._look, args=told, name="ama2sec-latch", daemon=True)
            self._looker = look
            look.start()

    def _watch(
        self,
        loop: asyncio.AbstractEventLoop,
        arrived: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        def deliver() -> None:
            try:
                arrived()
            except Exception as fault:  # noqa: BLE001  whoever waits for a message must hear of it
                failed(fault)

        try:
            seen = self.engine.records
            while not self._closed.is_set():
                self.engine.watch(seen)
                if self._closed.is_set():
                    return
                self.engine.refresh()
                seen = self.engine.records
                loop.call_soon_threadsafe(deliver)
        except RuntimeError:
            # The loop was closed before the realm was.
            return
        except Exception as fault:  # noqa: BLE001  whoever waits for a message must hear of it
            if not self._closed.is_set():
                loop.call_soon_threadsafe(failed, fault)

    def _look(
        self,
        loop: asyncio.AbstractEventLoop,
        arrived: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Look at the latch where nobody else does: what is latched, and what ends it, is written into the log (halt.6.2)."""
        seen = -1
        while not self._closed.wait(_LATCH):
            try:
                now = self.engine.halts.epoch
                if now == seen:
                    continue
                if self.engine.halts.record(clock_ms()):
                    seen = self.engine.halts.epoch
                loop.call_soon_threadsafe(arrived)
            except RuntimeError:
                # The loop was closed before the realm was.
                return
            except Ama2Error as fault:
                # A disk that refuses un-latches nothing, and may take it later; what stops an engine stops this as well.
                if fault.blame != "caller" or not fault.code.startswith("Log"):
                    loop.call_soon_threadsafe(failed, fault)
                    return

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
        self._arrived()
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
        self._arrived()

    async def refresh(self) -> None:
        """Take in what other processes have appended, now."""
        self._check()
        if self._shared:
            await asyncio.to_thread(self.engine.refresh)
            self._arrived()

    def _check(self) -> None:
        if self._closed.is_set() or asyncio.get_running_loop() is not self._loop:
            raise error(
                "ArgumentRange", "a realm that is open on this event loop", "one that was closed, or another loop's"
            )

    async def _submit(self, entry: bytes) -> RealmAnswer:
        if self._pool is None:
            return self.engine.submit(entry, clock_ms())
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.engine.submit, entry, clock_ms())

    async def close(self) -> None:
        """End the watch and let go of the realm's files; what was handed in is finished first. Calling it again does nothing."""
        self._closed.set()
        if self._shared:
            self.engine.end_watch()
        if self._pool is not None:
            await asyncio.to_thread(self._pool.shutdown)
        for thread in (self._watcher, self._looker):
            if thread is not None:
                await asyncio.to_thread(thread.join)
        await asyncio.to_thread(self.engine.close)
