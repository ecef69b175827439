"""A backup put back: what agents remember of the history that is gone (spec log.6)."""

from __future__ import annotations

from pathlib import Path

from ama2sec import Realm
from ama2sec.realm.restoring import backup
from tests.on_loop import code_of, database, on_loop, take, waiting


async def lose(path: Path) -> None:
    for file in path.parent.glob(path.name + "*"):
        if file.is_file():
            file.unlink()


@on_loop
async def test_no_new_message_counts_as_acknowledged_where_another_one_stood(tmp_path: Path) -> None:
    path, saved = database(tmp_path), tmp_path / "monday.db"
    async with Realm.dev(path) as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        await a.send("read before the backup", to="b")
        await take(b, 1)
        await a.send("read after it was made, and in it", to="b")
        await a.send("in it, and never read", to="b")
        backup(path, saved)
        await take(b, 1)
        for number in range(5):
            await a.send(f"lost {number}", to="b")
        inbox = b.inbox(acknowledge=False)
        taken = [await anext(inbox) for _ in range(6)]
        for message in taken[1:]:
            message.ack()
    await lose(path)
    async with Realm.restore(saved, path, reason="the disk") as realm:
        operator = realm.dev_operator()
        await operator.resume([each.halt for each in operator.status().stops if each.halt is not None])
        a = await realm.agent("a")
        # At positions that the other history had, and b has acknowledged there.
        for number in range(8):
            await a.send(f"new {number}", to="b")
        b = await realm.agent("b")
        assert await waiting(b) == [b"in it, and never read", *(b"new %d" % n for n in range(8))]


@on_loop
async def test_nothing_is_restored_while_somebody_has_one_of_the_agents(tmp_path: Path) -> None:
    path, saved = database(tmp_path), tmp_path / "monday.db"
    async with Realm.dev(path) as realm:
        await realm.agent("a")
        backup(path, saved)
        other = tmp_path / "again" / path.name
        other.parent.mkdir()
        Path(f"{other}.keys").symlink_to(f"{path}.keys")

        async def opened() -> None:
            async with Realm.restore(saved, other, reason="too early"):
                raise AssertionError

        assert await code_of(opened()) == "AgentInUse"
        assert not other.exists()
