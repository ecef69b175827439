"""From ``send`` to a verified message in its reader's hands, in one process with 10,000 agents (spec agent.5).

By the clock on the wall: what is measured is waiting. Beside it, in the same seconds, an item through an ``asyncio.Queue``; and with
``--langgraph``, which installs LangGraph from PyPI into a folder of its own, one step of a graph that keeps its state in SQLite:
``python -m tests.benchmarks.delivery --langgraph``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from ama2sec import Realm
from ama2sec.realm.agent import Agent
from ama2sec.realm.sdk import Opening
from tests.benchmarks.harness import line

AGENTS = 10_000
CHATS = 500
MESSAGES = 4_000
ASKED = {None: 150.0, "normal": 300.0, "full": None}
"""Microseconds within which 99 % are there, by durability."""
OPENED = 500


def run(*, langgraph: bool = False, agents: int = AGENTS) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        for durability in ASKED:
            with tempfile.TemporaryDirectory() as folder:
                asyncio.run(measured(realm_in(folder, durability), durability, agents))
        asyncio.run(opening())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if langgraph:
        langgraph_step()


def realm_in(folder: str, durability: str | None) -> Opening:
    if durability is None:
        return Realm.dev(budgets=False)
    return Realm.dev(Path(folder) / "realm.db", durability=durability, budgets=False)


class Readers:
    """A reader for every agent, and the time at which the last message was in a handler's hands."""

    def __init__(self, agents: list[Agent]) -> None:
        self.arrived = asyncio.Event()
        self.at = 0.0
        self.tasks = [asyncio.ensure_future(self.read(agent)) for agent in agents]

    async def read(self, agent: Agent) -> None:
        async for message in agent.inbox():
            self.at = time.perf_counter()
            assert message.body is not None
            self.arrived.set()

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@contextlib.contextmanager
def unsynced() -> Iterator[None]:
    """What is prepared, and not measured, does not wait for the disk."""
    with mock.patch("os.fsync", return_value=None):
        yield


async def measured(opens: Opening, durability: str | None, count: int) -> None:
    rng = random.Random(7)
    async with opens as realm:
        with unsynced():
            agents = [await realm.agent(f"agent-{number}") for number in range(count)]
        readers = Readers(agents)
        pairs = [rng.sample(agents, 2) for _ in range(CHATS if durability != "full" else 20)]
        chats = [((await a.send("0", to=b.id)).conversation, b) for a, b in pairs]
        hops, queue = [], Queue()
        times = []
        for number in range(MESSAGES if durability != "full" else MESSAGES // 4):
            handle, reader = rng.choice(chats)
            await asyncio.sleep(0)
            readers.arrived.clear()
            start = time.perf_counter()
            await handle.send(b"a body of ordinary length, as agents send them", to=reader.id)
            await readers.arrived.wait()
            times.append(1e6 * (readers.at - start))
            hops.append(1e6 * await queue.hop(number))
        await queue.end()
        await readers.end()
    where = "in memory" if durability is None else f"durability {durability}"
    print(f"\nsend to verified receive, one process, {count:,} agents with a reader each, {where}")
    percentiles("ama2sec", times, ASKED[durability])
    percentiles("asyncio.Queue", hops, None)


class Queue:
    """A queue and its reader: the hop that nobody signs, judges or keeps."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.arrived = asyncio.Event()
        self.at = 0.0
        self.task = asyncio.ensure_future(self.read())

    async def read(self) -> None:
        while True:
            await self.queue.get()
            self.at = time.perf_counter()
            self.arrived.set()

    async def hop(self, item: int) -> float:
        self.arrived.clear()
        start = time.perf_counter()
        self.queue.put_nowait(item)
        await self.arrived.wait()
        return self.at - start

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def percentiles(name: str, times: list[float], asked: float | None) -> None:
    times.sort()
    half, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    text = f"p99 {p99:,.0f} us"
    if asked is not None:
        text += f"   asked < {asked:.0f}   {'met' if p99 < asked else 'NOT MET'}"
    print(line(name, half, text))


async def opening() -> None:
    """Many agents for the first time, which makes their keys, and once more."""
    print(f"\nopening {OPENED} agents of a realm in a file, ms each")
    for name, around in (("as it is", contextlib.nullcontext), ("without fsync", unsynced)):
        with tempfile.TemporaryDirectory() as folder, around():
            path = Path(folder) / "realm.db"
            first = await opened(Realm.dev(path, durability="normal"))
            again = await opened(Realm.open(path))
        print(f"  {name:<27}{first:>8.2f} the first time{again:>8.2f} again")


async def opened(opens: Opening) -> float:
    async with opens as realm:
        start = time.perf_counter()
        for number in range(OPENED):
            await realm.agent(f"agent-{number}")
        return 1e3 * (time.perf_counter() - start) / OPENED


# -- LangGraph ------------------------------------------------------------------------------------------------------------

_STEP = """
import sqlite3, sys, time
from importlib.metadata import version
from typing import TypedDict
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph

class State(TypedDict):
    text: str

graph = StateGraph(State)
graph.add_node("step", lambda state: {"text": state["text"]})
graph.add_edge(START, "step")
graph.add_edge("step", END)
saver = SqliteSaver(sqlite3.connect(sys.argv[1], check_same_thread=False))
app = graph.compile(checkpointer=saver)
times = []
for number in range(1200):
    start = time.perf_counter()
    app.invoke({"text": "a body of ordinary length, as agents send them"}, {"configurable": {"thread_id": str(number % 20)}})
    times.append(time.perf_counter() - start)
print(version("langgraph"), *times[200:])
"""


def langgraph_step() -> None:
    """A graph of one step, run once a message, with LangGraph's own SQLite checkpointer; in an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(f"{folder}/env", with_pip=True)
        python = f"{folder}/env/bin/python"
        install = [python, "-m", "pip", "install", "--quiet", "langgraph", "langgraph-checkpoint-sqlite"]
        subprocess.run(install, check=True)
        told = subprocess.run(
            [python, "-c", _STEP, f"{folder}/state.db"],
            check=True,
            capture_output=True,
            text=True,
            env=dict(os.environ),
        )
    version, *times = told.stdout.split()
    print(f"\nLangGraph {version}, a graph of one step with its SQLite checkpointer")
    percentiles("invoke", [1e6 * float(each) for each in times], None)


if __name__ == "__main__":
    few = [int(each) for each in sys.argv[1:] if each.isdigit()]
    run(langgraph="--langgraph" in sys.argv, agents=few[0] if few else AGENTS)
