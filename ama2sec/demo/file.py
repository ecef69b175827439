"""The fourth part: the realm in a file. A second process joins, is killed in the middle and starts again; the file is edited, and the
head that was kept shows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ama2sec import reference
from ama2sec._native import Id, RealmFile
from ama2sec.demo.screen import Screen
from ama2sec.errors import Ama2Error
from ama2sec.realm.agent import Agent
from ama2sec.realm.inbox import Inbox
from ama2sec.realm.sdk import Realm

__all__ = ["FILE", "FilePart"]

FILE: Final = "orders.db"
_ORDERS: Final = 12
_KILLED_AT: Final = 5
_PATIENCE: Final = 60.0
_AGAIN: Final = 3.0
"""Seconds until an order is sent again."""
# What the owner of the file tries, and what a replay says of it.
_EDITS: Final = (
    ("a message is taken out", "DELETE FROM record WHERE position = 9", "RecordPosition"),
    ("a body is put in another's place", "UPDATE body SET body = x'00' WHERE position = 9", "BodySize"),
    ("a time is moved", "UPDATE record SET record = zeroblob(164) WHERE position = 9", "RecordForm"),
)


@dataclass(frozen=True, slots=True)
class FilePart:
    """One run. What stays behind stands in ``folder``."""

    screen: Screen
    folder: Path

    @property
    def file(self) -> Path:
        """The realm."""
        return self.folder / FILE

    @property
    def _morning(self) -> Path:
        return self.folder / "morning.db"

    def run(self) -> int:
        """All of it. Returns how many answers were not as they must be."""
        self.screen.title("The realm in a file: two processes, a kill, and an owner who edits")
        answered, head, realm = asyncio.run(self._day())
        right = answered == list(range(_ORDERS))
        text = f"{_ORDERS} orders to a clerk in another process, killed (kill -9) after {_KILLED_AT} and started again"
        wrong = self.screen.expect("spoken", text, right=True)
        got = f"each order answered: {len(answered)} of {_ORDERS}"
        wrong += self.screen.expect("answered", got, right=right)
        wrong += self._judged(head, realm)
        wrong += sum(self._edited(*edit) for edit in _EDITS)
        return wrong + self._older(head)

    # -- a day ---------------------------------------------------------------------------------------------------

    async def _day(self) -> tuple[list[int], str, Id]:
        async with Realm.dev(self.file) as realm:
            sales = await realm.agent("sales")
            clerk = self._start()
            try:
                while realm.registry().named("clerk") is None:
                    await realm.store.refresh()
                    await asyncio.sleep(0.02)
                inbox, answered = sales.inbox(), []
                for number in range(_ORDERS):
                    if number == _KILLED_AT:
                        RealmFile.open(self.file).backup(self._morning)
                        await sales.send({"order": number}, to="clerk")
                        _end(clerk)
                        clerk = self._start()
                    answered.append(await asyncio.wait_for(_answer(sales, inbox, number), _PATIENCE))
            finally:
                _end(clerk)
            return answered, realm.head(), realm.id

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ama2sec.demo.clerk", str(self.file)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)  # noqa: S603  ourselves

    # -- judged again --------------------------------------------------------------------------------------------

    def _judged(self, head: str, realm: Id) -> int:
        data = RealmFile.open(self.file).export()
        again = reference.replay(data, realm=bytes(realm), checkpoint=head.encode())
        text = f"{again.records} records by the reference, against the head that was kept: every verdict is that of the rules"
        return self.screen.expect("judged", text, right=again.tail_compared and again.realm_retained)

    def _copy(self) -> Path:
        copy = self.folder / "copy.db"
        copy.unlink(missing_ok=True)
        RealmFile.open(self.file).backup(copy)
        return copy

    def _edited(self, what: str, edit: str, code: str) -> int:
        copy = self._copy()
        with contextlib.closing(sqlite3.connect(copy)) as connection:
            connection.execute(edit)
            connection.commit()
        found = _code_of(copy)
        copy.unlink()
        return self.screen.expect("edited", f"{what}: {found}", right=found == code)

    def _older(self, head: str) -> int:
        """The file as it was in the morning, whole and with the head that it had then: only a head that was kept shows it."""
        alone, held = _code_of(self._morning), _code_of(self._morning, head)
        self._morning.unlink()
        text = f"the file of this morning is put in its place: by itself {alone}, against the head that was kept {held}"
        return self.screen.expect("edited", text, right=(alone, held) == ("sound", "CheckpointStale"))


async def _answer(sales: Agent, inbox: Inbox, number: int) -> int:
    """Ask until there is an answer: whoever was killed may have read the order and not have answered it."""
    while True:
        await sales.send({"order": number}, to="clerk")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_AGAIN):
                async for message in inbox:
                    message.ack()
                    if message.json()["done"] == number:
                        return number


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()


def _code_of(path: Path, head: str | None = None) -> str:
    """What a reader says of a file: ``sound``, or the code of the first fault."""
    try:
        source = RealmFile.open(path)
        source.refresh()
        if head is not None:
            source.check_kept(head)
    except Ama2Error as fault:
        return fault.code
    return "sound"
