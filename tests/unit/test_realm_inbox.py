"""An inbox against a plain list: who is to have what, order, bounds, acknowledgements, what counts as consumed (spec agent.3)."""

from __future__ import annotations

import asyncio
import gc
import random
import select
import threading
from pathlib import Path
from typing import Any

import pytest

from ama2sec import Id, Realm
from ama2sec._native import RealmBell, RealmEntry
from ama2sec.errors import Ama2Error
from ama2sec.realm.handle import Handle
from tests.on_loop import PATIENCE, code_of, database, on_loop, take, waiting


def addressed(entries: list[RealmEntry], agent: Any) -> list[int]:
    """What agent.3.1 says, in a plain loop: the positions of what an agent is to have."""
    members: dict[Id, list[str] | None] = {}
    found = []
    for entry in entries:
        if entry.code is None and entry.kind == "open":
            members[entry.id] = entry.claims["members"]
        if entry.code is not None or entry.kind not in {"open", "message"} or entry.media_type is None:
            continue
        listed = members[entry.conversation]
        to = entry.recipients or (None if listed is None else [each.removeprefix("name:") for each in listed])
        names = {agent.id, str(agent.id), *agent.groups}
        if entry.sender != agent.id and (to is None or names & set(to)):
            found.append(entry.position)
    return found


def consumed(entries: list[RealmEntry], waits: set[int], handle: Handle) -> tuple[int, int, int]:
    """What agent.3.3 says, in a plain loop: the size consumed of a branch, its whole size, and what it inherits."""
    forks = {entry.id: entry.context for entry in entries if entry.kind == "fork"}
    homes = [(entry.position, *entry.home) for entry in entries if entry.home is not None]
    size = whole = 1 + max(index for _, branch, index in homes if branch == handle.branch)
    base = forks[handle.branch][1] if handle.branch in forks else 0
    branch, end = handle.branch, whole
    while True:
        inside = [i for position, home, i in homes if home == branch and i < end and position in waits]
        size = min([size, *inside])
        if branch not in forks:
            return size, whole, base
        branch, end = forks[branch]


@pytest.mark.parametrize("seed", range(6))
@on_loop
async def test_against_a_plain_list(seed: int) -> None:
    """Arrivals, turns, acknowledgements in any order, new readers, restarts: next comes the first message that nobody has."""
    rng = random.Random(seed)
    limit = rng.choice([1, 2, 5, 1000])
    async with Realm.dev() as realm:
        a, b, _ = await realm.agent("a"), await realm.agent("b", limit=limit), await realm.agent("c")
        chats = [(await a.send("open", to=["b", "c"])).conversation for _ in range(2)]
        chats.append(await chats[0].fork(on_stale="rebase"))
        acked, held, inbox = set[int](), list[Any](), b.inbox(acknowledge=False)
        for turn in range(200):
            entries, move = realm.engine.entries(0, 1000), rng.random()
            left = [position for position in addressed(entries, b) if position not in acked]
            untaken = [position for position in left if position not in {each.position for each in held}]
            if move < 0.45:
                await rng.choice(chats).send(str(turn), to=rng.choice(["b", "b", "c"]), on_stale="rebase")
            elif move < 0.7 and untaken:
                if len(held) < limit:
                    held.append(await anext(inbox))
                    assert held[-1].position == untaken[0]
                else:
                    assert await code_of(anext(inbox)) == "Backpressure"
            elif move < 0.88 and held:
                message = held.pop(rng.randrange(len(held)))
                assert not message.is_acknowledged
                message.ack()
                message.ack()
                assert message.is_acknowledged
                acked.add(message.position)
            elif move < 0.94:
                inbox, held = b.inbox(acknowledge=False), []
            elif move < 0.97:
                await b.close()
                b, held = await realm.agent("b", limit=limit), []
                inbox = b.inbox(acknowledge=False)
            entries = realm.engine.entries(0, 1000)
            waits = set(addressed(entries, b)) - acked
            for chat in chats:
                assert b.mailbox.consumed(chat.id, chat.branch) == consumed(entries, waits, chat)
            assert len(b.mailbox.waiting()[0]) <= limit
        assert len(acked) > 10


@on_loop
async def test_who_waits_is_woken_by_what_arrives() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        reading = asyncio.ensure_future(anext(b.inbox()))
        await asyncio.sleep(0.01)
        assert not reading.done()
        await a.send("0", to="b")
        assert (await reading).text == "0"


@on_loop
async def test_a_reader_that_gives_up_loses_nothing() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        inbox = b.inbox()
        for _ in range(20):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(inbox), 0.001)
        await a.send("0", to="b")
        assert (await anext(inbox)).text == "0"


@on_loop
async def test_what_is_delivered_as_it_arrives_is_what_is_found_when_the_log_is_read_again() -> None:
    rng = random.Random(3)
    async with Realm.dev() as realm:
        names = ["a", "b", "c", "d"]
        agents = [await realm.agent(name, groups=[f"g{number % 2}", "all"]) for number, name in enumerate(names)]
        handles: list[Any] = []
        for turn in range(60):
            who = rng.choice(agents)
            to = rng.sample([*names, "g0", "g1", "all"], rng.randrange(3))
            if handles and rng.random() < 0.7:
                handle = rng.choice(handles)
                try:
                    sent = await who.conversation(handle.id, handle.branch).send(str(turn), to=to, on_stale="rebase")
                except Ama2Error as fault:
                    assert fault.code == "NotAMember"
                    continue
                if rng.random() < 0.2:
                    handles.append(await sent.conversation.fork(on_stale="rebase"))
            else:
                sent = await who.send(str(turn), to=to)
                handles.append(sent.conversation)
        entries = realm.engine.entries(0, 1000)
        for agent in agents:
            wanted = addressed(entries, agent)
            assert agent.mailbox.waiting() == (wanted, None)
            assert len(wanted) > 5
            await agent.close()
            again = await realm.agent(agent.name)
            assert [message.position for message in await take(again, len(wanted), acknowledge=False)] == wanted
            assert len(await waiting(again)) == len(wanted)


@on_loop
async def test_what_comes_from_another_thread_wakes_the_loop_once_for_many() -> None:
    """Handed in behind the loop's back, all in one go: the reader is woken through the bell's descriptor, and misses nothing."""
    async with Realm.dev() as realm:
        a, b, c = [await realm.agent(name) for name in "abc"]
        chat = (await a.send("0", to=["b", "c"])).conversation
        kept: list[bytes] = []
        submit = realm.engine.submit
        for number in range(1, 6):
            sent = await chat.send(str(number), to=["b", "c"])
            kept.append(sent.entry)
        assert [m.text for m in await take(b, 6)] == [m.text for m in await take(c, 6)] == list("012345")
        readers = [asyncio.ensure_future(anext(each.inbox())) for each in (b, c)]
        await asyncio.sleep(0.01)

        # The same bytes again are no second message and wake nobody.
        await asyncio.to_thread(submit, kept[0], 0)
        await asyncio.sleep(0.01)
        assert not any(reader.done() for reader in readers)

        held: list[bytes] = []

        async def keep(entry: bytes) -> Any:
            held.append(entry)
            raise ConnectionError

        original, realm.store.submit = realm.store.submit, keep  # type: ignore[method-assign]
        with pytest.raises(ConnectionError):
            await chat.send("6", to=["b", "c"])
        realm.store.submit = original  # type: ignore[method-assign]
        thread = threading.Thread(target=submit, args=(held[0], 1 << 40))
        thread.start()
        assert [message.text for message in await asyncio.gather(*readers)] == ["6", "6"]
        thread.join()


def test_a_bell_rings_until_it_is_drained_and_not_while_it_is_held() -> None:
    bell = RealmBell()

    def rings() -> bool:
        return bool(select.select([bell.fileno()], [], [], 0)[0])

    assert (rings(), bell.drain()) == (False, [])
    bell.hold()
    assert bell.drain() == []


@on_loop
async def test_an_agent_that_is_closed_leaves_nothing_behind() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b", groups=["all"])
        inbox = b.mailbox._inbox
        await b.close()
        for call in (inbox.read, lambda: inbox.take(1), lambda: inbox.waiting, inbox.close):
            with pytest.raises(Ama2Error) as caught:
                call()
            assert caught.value.code == "AgentInUse"
        # Its place is somebody else's now, and the old handle does not reach it.
        again = await realm.agent("b")
        await a.send("0", to="all")
        with pytest.raises(Ama2Error):
            inbox.acknowledge(realm.position - 1)
        assert await waiting(again) == [b"0"]


@on_loop
async def test_an_inbox_that_nobody_closed_is_closed_when_it_is_collected() -> None:
    async with Realm.dev() as realm:
        a = await realm.agent("a")
        bell = RealmBell()
        there = realm.engine.inbox(bell, Id(b"\7" * 32), limit=1, start=0)
        with pytest.raises(Ama2Error) as caught:
            realm.engine.inbox(bell, Id(b"\7" * 32), limit=1, start=0)
        assert caught.value.code == "AgentInUse"
        del there
        gc.collect()
        realm.engine.inbox(bell, Id(b"\7" * 32), limit=1, start=0).close()
        assert (
            await code_of(realm.agent("b", limit=0))
            == await code_of(realm.agent("b", limit=1 << 32))
            == "ArgumentRange"
        )
        await a.close()


@on_loop
async def test_where_an_entry_waits_for_the_disk_is_what_the_file_says(tmp_path: Path) -> None:
    async with Realm.dev(database(tmp_path), durability="normal") as realm:
        assert (realm.engine.durability, realm.store._pool) == ("normal", None)
    async with Realm.dev(database(tmp_path)) as realm:
        assert (realm.engine.durability, realm.store._pool) == ("normal", None)
    async with Realm.dev(tmp_path / "full.db") as realm:
        assert realm.engine.durability == "full"
        assert realm.store._pool is not None
    async with Realm.dev() as realm:
        assert (realm.engine.durability, realm.store._pool) == (None, None)


def test_a_loop_that_ends_before_its_realm_leaves_no_thread(tmp_path: Path) -> None:
    async def opened() -> Realm:
        return await Realm.dev(database(tmp_path), durability="normal")

    loop = asyncio.new_event_loop()
    realm = loop.run_until_complete(opened())
    threads = realm.store._threads
    assert [thread.is_alive() for thread in threads] == [True, True]
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
