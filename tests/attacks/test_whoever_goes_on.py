"""Whoever wants a realm to go on that somebody has stopped (spec halt.5): every way around a stop that he may try."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import ama2sec
from ama2sec import Ama2Error, Id, Identity, Realm, halt, sync
from ama2sec._native import draft_resume
from ama2sec.identity.identity import clock_ms
from ama2sec.realm.inbox import RealmMessage

WRITER = """
import asyncio, sys
from ama2sec import Ama2Error, Realm
async def main():
    async with Realm.open(sys.argv[1]) as realm:
        me = await realm.agent(sys.argv[2])
        chat = (await me.send("first")).conversation
        print("ready", flush=True)
        while True:
            try:
                await chat.send("more")
            except Ama2Error as fault:
                if fault.code not in {"Latched", "LogBusy"}:
                    raise
                await asyncio.sleep(0.001)
asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    where = tmp_path / "orders.db"
    with sync.Realm.dev(where, durability="normal") as realm:
        for name in ("sales", "manager", "clerk"):
            realm.agent(name).close()
    return where


def writer(path: Path, name: str) -> subprocess.Popen[bytes]:
    running = subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], stdout=subprocess.PIPE)
    assert running.stdout is not None and running.stdout.readline() == b"ready\n"  # noqa: PT018
    return running


def ended(running: subprocess.Popen[bytes]) -> None:
    running.kill()
    running.communicate()


def records(path: Path) -> int:
    """In a process of its own: no lock of this one is dropped by it."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT max(position) FROM record').fetchone()[0] + 1)",
            path,
        ],
        capture_output=True,
        check=True,
    )
    return int(done.stdout)


def on_loop(test: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        asyncio.run(test(path))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def code_of(work: Coroutine[Any, Any, Any]) -> str:
    with pytest.raises(Ama2Error) as caught:
        await work
    return caught.value.code


async def message_of(inbox: Any, seconds: float = 2.0) -> RealmMessage:
    found: RealmMessage = await asyncio.wait_for(anext(inbox), seconds)
    return found


def test_nothing_is_sequenced_behind_quiesced_by_a_flood_of_writers(path: Path) -> None:
    running = [writer(path, name) for name in ("sales", "manager", "clerk")]
    try:
        time.sleep(0.3)
        stopped = ama2sec.stop(path, reason="enough", wait_ms=5_000)
        assert (stopped.outcome, stopped.quiesced) == ("latched", True)
        time.sleep(0.3)
        # What is written from here on is the stop's own record, if it was not written already.
        then = records(path)
        time.sleep(1.0)
        assert records(path) == then
        assert all(each.poll() is None for each in running)
    finally:
        for each in running:
            ended(each)
    assert ama2sec.stop_status(path).stopped


BLOCKER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_writer_suspended_between_judging_and_commit_holds_quiesced_back(path: Path, goes_on: bool) -> None:
    """It has judged its entry and waits for SQLite's lock, which somebody else holds. Dead it counts no more; woken it may finish, and
    only then is it quiet."""
    running = writer(path, "sales")
    blocker = subprocess.Popen([sys.executable, "-c", BLOCKER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert blocker.stdout is not None and blocker.stdout.readline() == b"held\n"  # noqa: PT018
        time.sleep(0.3)
        os.kill(running.pid, signal.SIGSTOP)
        os.waitpid(running.pid, os.WUNTRACED)
        begun = time.monotonic()
        for _ in range(3):
            stopped = ama2sec.stop(path, wait_ms=200)
            assert (stopped.outcome, stopped.quiesced) == ("latched", False)
        assert time.monotonic() - begun < 5, "nobody waits for the log"
        ended(blocker)
        if goes_on:
            os.kill(running.pid, signal.SIGCONT)
        else:
            os.kill(running.pid, signal.SIGKILL)
            running.wait()
        assert ama2sec.stop(path, wait_ms=10_000).quiesced
        time.sleep(0.3)
        then = records(path)
        time.sleep(0.5)
        assert records(path) == then
    finally:
        ended(blocker)
        ended(running)
    with sync.Realm.open(path) as realm, pytest.raises(Ama2Error, match="Latched"):
        realm.agent("manager").send("past it")


def test_a_stop_outlives_kill_9_and_whoever_opens_next(path: Path) -> None:
    script = "import ama2sec, os, signal, sys; ama2sec.stop(sys.argv[1], reason='last word'); os.kill(os.getpid(), signal.SIGKILL)"
    done = subprocess.run([sys.executable, "-c", script, path], check=False)
    assert done.returncode == -signal.SIGKILL
    for _ in range(2):
        with sync.Realm.open(path) as realm, pytest.raises(Ama2Error, match="Latched"):
            realm.agent("sales").send("past it")
    assert [each.reason for each in ama2sec.stop_status(path).stops] == ["last word"]


@on_loop
async def test_no_way_around_it_for_an_agent(path: Path) -> None:
    """A new conversation, a fork, a sub-agent, a merge, a close; a held permit; a message that waits in an inbox."""
    async with Realm.dev(path) as realm:
        sales, manager = await realm.agent("sales"), await realm.agent("manager")
        order = await sales.send("an order", to="manager")
        chat = order.conversation
        child = await chat.spawn("worker", rights=3)
        inbox = manager.inbox(acknowledge=False)
        message = await message_of(inbox)
        permit = manager.permit(message)
        await sales.send("it waits", to="manager", conversation=chat)
        stopped = ama2sec.stop(path, f"agent:{sales.id}")
        assert stopped.quiesced
        for way in (
            sales.send("a new conversation"),
            sales.send("the same", conversation=chat),
            chat.fork(),
            chat.spawn("another"),
            chat.close(),
            child.send("by its sub-agent"),
        ):
            assert await code_of(way) == "Latched"
        with pytest.raises(Ama2Error, match="Latched"):
            permit.check()
        with pytest.raises(Ama2Error, match="Latched"):
            manager.permit(message)
        with pytest.raises(TimeoutError):
            await message_of(inbox, 0.3)
        # Who is not in scope goes on.
        await manager.send("mine")
        assert await code_of(realm.dev_operator().resume([Id(bytes(32))])) == "ResumeInvalid"
        await realm.dev_operator().resume([stopped.halt])  # type: ignore[list-item]
        permit.check()
        assert (await message_of(inbox)).text == "it waits"
        await sales.send("going on", conversation=chat)


@on_loop
async def test_who_is_below_a_stopped_agent_is_handed_nothing_either(path: Path) -> None:
    """Its sub-agent, and that one's: `[5, agent]` is everybody below it (halt.2.1). Others send to them; they act on nothing."""
    async with Realm.dev(path) as realm:
        sales, manager = await realm.agent("sales"), await realm.agent("manager")
        chat = (await sales.send("an order", to="manager")).conversation
        child = await chat.spawn("worker", rights=7, depth=1)
        below = await child.home.spawn("helper", rights=7)
        there = manager.conversation(chat.id)
        await there.send("for the child", to=child.id, on_stale="rebase")
        held = await message_of(child.inbox(acknowledge=False))
        permit = child.permit(held)
        stopped = ama2sec.stop(path, f"agent:{sales.id}")
        await there.send("for both", to=[child.id, below.id], on_stale="rebase")
        for check in (permit.check, lambda: child.permit(held)):
            with pytest.raises(Ama2Error, match="Latched"):
                check()
        for agent in (child, below):
            with pytest.raises(TimeoutError):
                await message_of(agent.inbox(acknowledge=False), 0.3)
        await realm.dev_operator().resume([stopped.halt])  # type: ignore[list-item]
        assert (await message_of(below.inbox())).text == "for both"
        permit.check()


@on_loop
async def test_only_who_has_the_right_ends_exactly_what_he_names(path: Path) -> None:
    async with Realm.dev(path) as realm:
        sales = await realm.agent("sales")
        first, second = ama2sec.stop(path, reason="one"), ama2sec.stop(path, reason="two")
        assert first.halt is not None and second.halt is not None  # noqa: PT018
        # An agent's key, and a stranger's, by the sidecar.
        for nobody in (realm._keys.get("sales"), Identity.generate("eve", purpose="operator")):
            with pytest.raises(Ama2Error, match="KeyUnknown"):
                ama2sec.resume(path, [first.halt], operator=nobody)
            draft = draft_resume(nobody.public, sales.id, realm.id, [first.halt], "", clock_ms())
            halt.LatchFile.open(path).post(nobody.seal(draft).envelope)
        await asyncio.sleep(0.4)
        assert len(ama2sec.stop_status(path).stops) == 2
        ama2sec.resume(path, [first.halt], operator=realm._keys.get("operator-1"))
        await asyncio.sleep(0.4)
        assert [each.halt for each in ama2sec.stop_status(path).stops] == [second.halt]
        assert await code_of(sales.send("past it")) == "Latched"
        await realm.dev_operator(2).resume([second.halt])
        await sales.send("going on")


@on_loop
async def test_a_sidecar_that_is_deleted_swapped_or_spoilt_is_a_stop(path: Path) -> None:
    sidecar = Path(f"{path}.stop")
    sound = sidecar.read_bytes()
    for spoil in (
        sidecar.unlink,
        lambda: sidecar.rename(f"{sidecar}.away"),
        lambda: (sidecar.unlink(), sidecar.write_bytes(sound)),  # noqa: B023
        lambda: os.truncate(sidecar, 1000),
        lambda: sidecar.write_bytes(b"\xff" * 606_208),
    ):
        async with Realm.dev(path) as realm:
            sales = await realm.agent("sales")
            await sales.send("before")
            spoil()
            assert await code_of(sales.send("past it")) == "Latched"
            assert ama2sec.stop_status(path).stopped or sidecar.read_bytes() == sound
        sidecar.unlink(missing_ok=True)
        async with Realm.dev(path) as realm:
            assert await code_of((await realm.agent("sales")).send("past it")) == "Latched", "it starts stopped"
            halts = [each.halt for each in ama2sec.stop_status(path).stops]
            await realm.dev_operator().resume(halts)  # type: ignore[arg-type]
        sound = sidecar.read_bytes()


@on_loop
async def test_a_cloned_folder_starts_stopped(path: Path) -> None:
    clone = path.parent / "clone" / path.name
    clone.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(path, clone)
    shutil.copytree(f"{path}.keys", f"{clone}.keys")
    async with Realm.dev(clone) as realm:
        assert await code_of((await realm.agent("sales")).send("past it")) == "Latched"


@on_loop
async def test_a_stop_from_outside_is_recorded_by_an_idle_program(path: Path) -> None:
    async with Realm.dev(path) as realm:
        before = realm.engine.records
        found = halt.drill(path, wait_ms=2_000)
        assert (found.programs, found.saw) == (1, 1)
        stopped = ama2sec.stop(path, reason="from outside")
        for _ in range(100):
            if realm.engine.records > before:
                break
            await asyncio.sleep(0.05)
        (entry,) = realm.engine.entries(before, 10)
        assert (entry.claims["kind"], entry.claims["reason"], entry.id) == ("local-halt", "from outside", stopped.halt)


@on_loop
async def test_a_reader_who_gives_up_while_it_is_held_up_misses_nothing(path: Path) -> None:
    async with Realm.dev(path) as realm:
        sales, manager = await realm.agent("sales"), await realm.agent("manager")
        for number in range(5):
            await sales.send(str(number), to="manager")
        stopped = ama2sec.stop(path)
        inbox = manager.inbox()
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await message_of(inbox, 0.15)
        await realm.dev_operator().resume([stopped.halt])  # type: ignore[list-item]
        assert [(await message_of(inbox)).text for _ in range(5)] == ["0", "1", "2", "3", "4"]
        with pytest.raises(TimeoutError):
            await message_of(inbox, 0.2)


def test_a_full_sidecar_is_a_stop_of_everything(path: Path) -> None:
    for _ in range(140):
        ama2sec.stop(path, "agent:" + "00" * 32, wait_ms=0)
    assert "realm" in {each.scope for each in ama2sec.stop_status(path).stops}


def test_the_same_without_async(path: Path) -> None:
    with sync.Realm.dev(path) as realm:
        sales, manager = realm.agent("sales"), realm.agent("manager")
        sales.send("an order", to="manager")
        message = next(manager.inbox(timeout=1))
        permit = manager.permit(message)
        stopped = realm.dev_operator().stop(reason="wait")
        with pytest.raises(Ama2Error, match="Latched"):
            permit.check()
        realm.dev_operator(2).resume([stopped.halt])
        permit.check()
