"""A realm that was closed, or did not open, has none of its files open (spec log.2)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ama2sec import Ama2Error, Id, Realm, sync
from ama2sec._native import RealmEngine
from ama2sec.realm.restoring import backup
from tests.on_loop import code_of, database, on_loop, take

OPEN = Path("/proc/self/fd")

pytestmark = pytest.mark.skipif(not OPEN.exists(), reason="nobody says here what a process has open")


def open_files(path: Path) -> list[str]:
    """What this process has open of a realm's files."""
    found = []
    for link in OPEN.iterdir():
        try:
            found.append(str(link.readlink()))
        except FileNotFoundError:  # the listing itself
            continue
    return sorted(name for name in found if name.startswith(str(path)))


@on_loop
async def test_close_lets_go_of_every_file(tmp_path: Path) -> None:
    path = database(tmp_path)
    async with Realm.dev(path) as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        await a.send("hello", to="b")
        await take(b, 1)
        beside = {"", "-wal", "-shm", ".turn", ".lock", ".wake", ".stop"}
        assert {name.removeprefix(str(path)) for name in open_files(path)} >= beside
        head, records = realm.head(), realm.engine.records
    # The realm and its agents are still referred to, so that nothing is left to the garbage collector.
    assert open_files(path) == []
    assert not Path(f"{path}-wal").exists(), "whoever closes last writes the WAL back"
    assert (realm.head(), realm.engine.records) == (head, records)
    with pytest.raises(Ama2Error) as caught:
        realm.entries(0, 1)
    assert caught.value.code == "ArgumentRange"
    assert await code_of(a.send("late", to="b")) in {"AgentInUse", "ArgumentRange"}
    await realm.close()
    async with Realm.open(path, head=head) as again:
        assert again.engine.records == records
    assert open_files(path) == []


@on_loop
async def test_one_of_two_in_a_process_closes_and_the_other_goes_on(tmp_path: Path) -> None:
    path = database(tmp_path)
    async with Realm.dev(path) as first:
        async with Realm.open(path) as second:
            await second.agent("b")
        a = await first.agent("a")
        for number in range(5):
            await a.send(str(number), to="b")
        assert len(open_files(path)) > 0
    assert open_files(path) == []


@on_loop
async def test_what_does_not_open_leaves_nothing_open(tmp_path: Path) -> None:
    path, saved = database(tmp_path), tmp_path / "monday.db"
    async with Realm.dev(path) as realm:
        backup(path, saved)
        await (await realm.agent("a")).close()
        later = realm.head()

    async def opened(opening: object) -> None:
        async with opening:  # type: ignore[attr-defined]
            raise AssertionError

    Path(saved.with_name("other.db.keys")).symlink_to(f"{path}.keys")
    assert await code_of(opened(Realm.open(path, head="no head"))) == "CheckpointForm"
    other = saved.with_name("other.db")
    assert await code_of(opened(Realm.restore(saved, other, reason="x" * 300))) == "ClaimRange"
    assert not other.exists()
    assert await code_of(opened(Realm.restore(saved, other, reason="cut", head=later))) == "CheckpointStale"
    assert (open_files(path), open_files(other), open_files(saved)) == ([], [], [])


def test_without_a_loop_too(tmp_path: Path) -> None:
    path = database(tmp_path)
    with sync.Realm.dev(path) as realm:
        realm.agent("a").send("hello", to="a")
        assert len(open_files(path)) > 0
    assert open_files(path) == []


@on_loop
async def test_a_stop_of_a_realm_that_was_closed_gets_through(tmp_path: Path) -> None:
    path = database(tmp_path)
    async with Realm.dev(path) as realm:
        operator = realm.dev_operator()
    stopped = await operator.stop(reason="too late, or just in time")
    assert stopped.outcome == "latched"
    assert open_files(path) == []
    async with Realm.dev(path) as realm:
        assert [str(stop.halt) for stop in realm.dev_operator().status().stops] == [str(stopped.halt)]


def test_an_engine_that_was_closed_says_so(tmp_path: Path) -> None:
    path = database(tmp_path)
    with sync.Realm.dev(path) as realm:
        engine, entry = realm.engine, realm.entries(0, 1)[0]
    assert isinstance(engine, RealmEngine)
    for call in (engine.refresh, engine.export, lambda: engine.submit(entry.envelope, 1), lambda: engine.watch(0)):
        with pytest.raises(Ama2Error) as caught:
            call()
        assert caught.value.code == "ArgumentRange"
    # SQLite itself may have the file for its own: nobody has a lock on it.
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    connection.close()
    assert isinstance(realm.id, Id)
