"""Tests that run on an event loop, and what they all need of a realm."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from ama2sec.errors import Ama2Error
from ama2sec.realm.inbox import RealmMessage

PATIENCE = 60
"""Seconds behind which a test that waits has failed."""


def on_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a coroutine function as a test; it fails where it hangs."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(PATIENCE):
                await test(*args, **kwargs)

        asyncio.run(bounded())

    return run


async def code_of(work: Awaitable[object]) -> str:
    """The code that it raises."""
    with pytest.raises(Ama2Error) as caught:
        await work
    return caught.value.code


async def take(agent: Any, count: int, *, acknowledge: bool = True) -> list[RealmMessage]:
    """So many messages of an inbox; with ``acknowledge`` all of them are acknowledged."""
    found: list[RealmMessage] = []
    if count == 0:
        return found
    async for message in agent.inbox(acknowledge=False):
        found.append(message)
        if acknowledge:
            message.ack()
        if len(found) == count:
            break
    return found


async def waiting(agent: Any) -> list[bytes | None]:
    """The bodies that wait for an agent now; nothing is acknowledged."""
    found = []
    inbox = agent.inbox(acknowledge=False)
    while True:
        try:
            async with asyncio.timeout(0.05):
                found.append((await anext(inbox)).body)
        except TimeoutError:
            return found


def database(folder: Path) -> Path:
    """Where a test's realm is."""
    return folder / "orders.db"
