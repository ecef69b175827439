"""Stops in the midst of something: of a restore, of a rollback, of a flood, of a spoilt store, of the stopping itself (spec halt.5)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import ama2sec
from ama2sec import Ama2Error, Realm, sync
from ama2sec.realm import handle, replay_realm, sdk
from ama2sec.realm.restoring import backup
from ama2sec.realm.restoring import put_back as really_put_back
from ama2sec.realm.undoing import undoing as really_undoing
from tests.on_loop import code_of, database, on_loop, take
from tests.trading_desk import QUOTE, Desk

SPOIL = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=10) as db:
    print(db.execute("UPDATE body SET body = x'ff7b776f726b666c6f77'").rowcount)
"""
AGENTS = int(os.environ.get("AGENTS", "100"))


def entries(realm: Realm) -> list[Any]:
    found: list[Any] = []
    while more := realm.engine.entries(len(found), 500):
        found += more
    return found


async def resumed(realm: Realm) -> None:
    operator = realm.dev_operator()
    await operator.resume([each.halt for each in operator.status().stops if each.halt is not None])


@pytest.mark.parametrize("moment", ["put back", "begun"])
def test_a_stop_while_a_backup_is_put_back(tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path, saved = database(tmp_path), tmp_path / "monday.db"

    def stops(*_: object) -> None:
        assert ama2sec.stop(path, reason="not this one").outcome == "latched"

    real_term = Realm.term

    def put_back(*args: Any) -> str:
        head = really_put_back(*args)
        stops()
        return head

    async def term(realm: Realm, reason: str) -> Any:
        stops()
        return await real_term(realm, reason)

    @on_loop
    async def run(_: Path) -> None:
        async with Realm.dev(path) as realm:
            await (await realm.agent("a")).send("before")
            backup(path, saved)
        for file in path.parent.glob(path.name + "*"):
            if file.is_file():
                file.unlink()
        if moment == "put back":
            monkeypatch.setattr(sdk, "put_back", put_back)
        else:
            monkeypatch.setattr(Realm, "term", term)
        async with Realm.restore(saved, path, reason="the disk") as realm:
            monkeypatch.undo()
            agent = await realm.agent("a")
            assert await code_of(agent.send("past it")) == "Latched"
            stopped = ama2sec.stop(path, reason="directly behind it")
            assert stopped.quiesced
            reasons = {each.reason for each in ama2sec.stop_status(path).stops}
            assert {"not this one", "directly behind it"} <= reasons
            # Whoever ends the last one has not ended the first.
            await realm.dev_operator().resume([stopped.halt])  # type: ignore[list-item]
            assert await code_of(agent.send("past it")) == "Latched"
            await resumed(realm)
            await agent.send("going on")

    run(tmp_path)


@pytest.mark.parametrize("moment", ["planned", "signed"])
def test_a_stop_during_a_rollback(tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the dry run and signing, and between signing and commit: nothing of it is in the log, and nothing is undone."""
    path = tmp_path / "orders.db"

    @on_loop
    async def run(_: Path) -> None:
        async with Realm.dev(path) as realm:
            desk = await Desk(realm).open()
            order = await desk.order()
            (asked,) = await take(desk.desk, 1)
            await asked.reply(QUOTE, step="quote", outputs={"total": 1}, to="trader")
            stops: list[Any] = []
            real_submit = realm.store.submit

            def undoing(*args: Any) -> Any:
                plan = really_undoing(*args)
                stops.append(ama2sec.stop(path))
                return plan

            async def submit(entry: bytes) -> Any:
                stops.append(ama2sec.stop(path))
                return await real_submit(entry)

            if moment == "planned":
                monkeypatch.setattr(handle, "undoing", undoing)
            else:
                monkeypatch.setattr(realm.store, "submit", submit)
            risk = desk.at(desk.ben, order)
            assert await code_of(risk.rollback(asked, "wrong price", on_stale="rebase")) == "Latched"
            monkeypatch.undo()
            assert len(stops) == 1
            assert "rollback" not in {entry.claims["kind"] for entry in entries(realm)}
            assert realm.engine.ask("fate", order.id, branch=str(order.id))["live"]
            assert replay_realm(realm.export()).records == realm.engine.records
            await resumed(realm)
            done = await risk.rollback(asked, "wrong price", on_stale="rebase")
            assert done.undone.count == 1
            assert replay_realm(realm.export()).records == realm.engine.records

    run(tmp_path)


def test_a_flood_of_agents_is_quiet_at_once(tmp_path: Path) -> None:
    """AGENTS=10000 for as many, in ten minutes. Each sends, forks and spawns as fast as it can."""
    asyncio.run(flood(tmp_path / "orders.db"))


async def flood(path: Path) -> None:
    async with Realm.dev(path, durability="normal") as realm:
        agents = [await realm.agent(f"agent-{number}") for number in range(AGENTS)]
        over, refused = asyncio.Event(), 0

        async def floods(agent: Any, number: int) -> None:
            nonlocal refused
            chat: Any = None
            turn = 0
            while not over.is_set():
                turn += 1
                ways: list[Callable[[], Coroutine[Any, Any, Any]]] = [
                    lambda: agent.send("more", to=f"agent-{(number + 1) % AGENTS}")
                ]
                if chat is not None:
                    ways += [chat.fork, lambda: chat.spawn(f"kid-{number}-{turn}")]  # noqa: B023
                try:
                    made = await ways[turn % len(ways)]()
                    chat = chat or made.conversation
                except Ama2Error as fault:
                    if fault.code not in {"Latched", "QuotaExceeded", "LogBusy"}:
                        raise
                    refused += fault.code == "Latched"
                await asyncio.sleep(0)

        running = [asyncio.create_task(floods(agent, number)) for number, agent in enumerate(agents)]
        while realm.engine.records < 4 * AGENTS:
            await asyncio.sleep(0.01)
        stopped = await asyncio.to_thread(ama2sec.stop, path, reason="enough", wait_ms=10_000)
        assert (stopped.outcome, stopped.quiesced) == ("latched", True)
        # What is written from here on is the stop's own record.
        while refused < 2 * AGENTS:
            await asyncio.sleep(0.01)
        then = realm.engine.records
        while refused < 6 * AGENTS:
            await asyncio.sleep(0.01)
        assert realm.engine.records == then
        over.set()
        await asyncio.gather(*running)
        assert [entry.id for entry in entries(realm) if entry.claims["kind"] == "local-halt"] == [stopped.halt]
        assert entries(realm)[-1].id == stopped.halt


@on_loop
async def test_a_stop_asks_nothing_of_bodies_and_definitions(tmp_path: Path) -> None:
    """Every body in the store is rubbish, and so are the definitions among them: before it was opened, and while it is."""
    path = tmp_path / "orders.db"
    async with Realm.dev(path) as realm:
        desk = await Desk(realm).open()
        order = await desk.order()
        # In a process of its own: another SQLite in this one would drop the locks of ours.
        done = subprocess.run([sys.executable, "-c", SPOIL, path], capture_output=True, check=True)
        assert int(done.stdout) > 0
        stopped = ama2sec.stop(path, f"conversation:{order.id}")
        assert (stopped.outcome, stopped.quiesced) == ("latched", True)
        assert await code_of(order.send("past it", on_stale="rebase")) == "Latched"
        assert ama2sec.stop(path, "definition:trade").outcome == "latched"
        (seen,) = (each for each in ama2sec.stop_status(path).stops if each.halt == stopped.halt)
        assert str(order.id) in seen.scope
    assert ama2sec.stop(path, reason="nobody has it open").outcome == "latched"
    with contextlib.suppress(Ama2Error):
        async with Realm.dev(path) as realm:
            assert await code_of((await realm.agent("late")).send("past it")) == "Latched"
    assert "nobody has it open" in {each.reason for each in ama2sec.stop_status(path).stops}


@on_loop
async def test_inboxes_full_of_what_waits_hand_nothing_over_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    async with Realm.dev(path, durability="normal") as realm:
        sender, readers = await realm.agent("sender"), [await realm.agent(f"reader-{number}") for number in range(5)]
        names = [f"reader-{number}" for number in range(5)]
        chat = (await sender.send("0", to=names)).conversation
        for number in range(1, 400):
            await chat.send(str(number), to=names)
        inboxes = [reader.inbox() for reader in readers]
        assert [(await anext(inbox)).text for inbox in inboxes] == ["0"] * 5
        stopped = await asyncio.to_thread(ama2sec.stop, path, wait_ms=10_000)
        assert stopped.quiesced
        for inbox in inboxes:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(inbox), 0.2)
        await resumed(realm)
        for inbox in inboxes:
            rest = [(await asyncio.wait_for(anext(inbox), 10)).text for _ in range(399)]
            assert rest == [str(number) for number in range(1, 400)]


def test_whoever_has_said_that_it_is_stopped_may_be_killed(tmp_path: Path) -> None:
    """`ama2sec stop`, killed some moments behind its first word: each of its stops holds for whoever opens next."""
    path = tmp_path / "orders.db"
    with sync.Realm.dev(path) as realm:
        realm.agent("sales").close()
    for turn in range(6):
        command = [
            sys.executable,
            "-c",
            "from ama2sec.cli import main; main()",
            "stop",
            str(path),
            "--reason",
            f"turn {turn}",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as stopping:
            assert stopping.stdout is not None
            assert stopping.stdout.readline().startswith(b"stopped")
            time.sleep(turn * 0.001)
            stopping.kill()
        assert f"turn {turn}" in {each.reason for each in ama2sec.stop_status(path).stops}
    with sync.Realm.open(path) as realm, pytest.raises(Ama2Error, match="Latched"):
        realm.agent("sales").send("past it")
    # Its slots are those of the log now, and none is lost.
    assert {each.reason for each in ama2sec.stop_status(path).stops} == {f"turn {turn}" for turn in range(6)}


def test_a_forked_child_takes_no_gate_from_its_parent_and_passes_none(tmp_path: Path) -> None:
    """What it has inherited is its parent's: it is stopped there, lets nothing go, and can stop both."""
    path = tmp_path / "orders.db"
    script = """
import os, sys
import ama2sec
from ama2sec import halt, sync
with sync.Realm.dev(sys.argv[1]) as realm:
    engine = realm.engine
    assert engine.halts.is_clear
    child = os.fork()
    if child == 0:
        passes = engine.halts.is_clear
        ama2sec.stop(sys.argv[1], reason="a child", wait_ms=0)
        os._exit(passes)
    assert os.waitpid(child, 0)[1] == 0
    print(halt.drill(sys.argv[1], wait_ms=2000).programs, [each.reason for each in ama2sec.stop_status(sys.argv[1]).stops], flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, path], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"1 ['a child']\n"), done.stderr
