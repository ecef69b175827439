"""An inbox against a plain list: order, bounds, acknowledgements, what counts as consumed (spec agent.3)."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any

import pytest

from ama2sec import Id, Realm
from ama2sec.errors import Ama2Error
from ama2sec.realm.inbox import Mailbox
from tests.on_loop import PATIENCE, on_loop

BRANCHES = [Id(bytes([number]) * 32) for number in range(1, 4)]


@dataclass
class Line:
    """As much of an entry as an inbox looks at."""

    position: int
    home: tuple[Id, int] | None
    mine: bool


class Model:
    """A log of lines, and an inbox over it; what it should say is asked of the list."""

    def __init__(self, limit: int) -> None:
        self.log: list[Line] = []
        self.sizes = dict.fromkeys(BRANCHES, 0)
        self.acked: set[int] = set()
        self.kept: list[tuple[int, int]] = []
        self.box = self.opened(limit, 0)

    def opened(self, limit: int, start: int) -> Mailbox:
        return Mailbox(
            lambda position, count: self.log[position : position + count],  # type: ignore[arg-type, return-value]
            lambda line: line.mine and line.position not in self.acked,  # type: ignore[attr-defined]
            self.keep,
            lambda: len(self.log),
            limit,
            overflow=start,
        )

    def keep(self, position: int, below: int) -> None:
        self.acked.add(position)
        self.kept.append((position, below))
        assert all(line.position in self.acked for line in self.log[:below] if line.mine)

    def arrive(self, rng: random.Random) -> None:
        branch, mine = rng.choice(BRANCHES), rng.random() < 0.4
        home = None if rng.random() < 0.1 else (branch, self.sizes[branch])
        if home is not None:
            self.sizes[branch] += 1
        line = Line(len(self.log), home, mine and home is not None)
        self.log.append(line)
        if line.mine:
            self.box.offer(line)  # type: ignore[arg-type]

    def wanted(self, branch: Id, size: int) -> int:
        waits = [
            line.home[1]
            for line in self.log
            if line.mine and line.position not in self.acked and line.home and line.home[0] == branch
        ]
        return min([size, *waits])


@pytest.mark.parametrize("seed", range(12))
def test_against_a_plain_list(seed: int) -> None:
    async def story() -> None:
        rng = random.Random(seed)
        model = Model(rng.choice([1, 2, 5, 1000]))
        reader: Any = object()
        model.box.read_by(reader)
        held: list[Line] = []
        for _ in range(400):
            move = rng.random()
            if move < 0.45:
                model.arrive(rng)
            elif move < 0.65:
                left = [
                    line for line in model.log if line.mine and line.position not in model.acked and line not in held
                ]
                if left and len(held) < model.box.limit:
                    line: Any = await model.box.take(reader)
                    assert line is left[0]
                    held.append(line)
            elif move < 0.85 and held:
                model.box.acknowledge(held.pop(rng.randrange(len(held))).position)
            elif move < 0.9:
                reader, held = object(), []
                model.box.read_by(reader)
            elif move < 0.93:
                # A restart: what was kept is enough to go on.
                model.box = model.opened(model.box.limit, model.box.below)
                reader, held = object(), []
                model.box.read_by(reader)
            for branch in BRANCHES:
                size = model.sizes[branch]
                parent = BRANCHES[0]
                assert model.box.consumed([(branch, size)]) == model.wanted(branch, size)
                if branch != parent:
                    base = min(3, model.sizes[parent])
                    both = min(
                        model.wanted(branch, size),
                        model.wanted(parent, base) if model.wanted(parent, base) < base else size,
                    )
                    assert model.box.consumed([(branch, size), (parent, base)]) == both
            assert len(model.box._waiting) <= model.box.limit
        assert len(model.kept) > 5

    asyncio.run(asyncio.wait_for(story(), PATIENCE))


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
async def test_route_and_a_second_look_at_an_entry_agree() -> None:
    """What is delivered as it arrives is what is found when the log is read again."""
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
            waits = list(agent.mailbox._waiting)
            assert waits == [entry.position for entry in entries if realm.is_addressed(agent, entry)]
            assert len(waits) > 5
        # A process that comes later, and knows no members, finds the same.
        realm._router._members.clear()
        for agent in agents:
            assert list(agent.mailbox._waiting) == [e.position for e in entries if realm.is_addressed(agent, e)]
