"""The second process of the demonstration: a clerk who joins a realm and answers orders until somebody kills it."""

from __future__ import annotations

import asyncio
import sys

from ama2sec.realm.sdk import Realm


async def _work(path: str) -> None:
    async with Realm.dev(path) as realm:
        async for message in (await realm.agent("clerk")).inbox():
            await message.reply({"done": message.json()["order"]})


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1]))
