"""Realms for tests: a small story with every kind of entry, and long ones from a seed. Known keys, a clock that stands still."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import count

from ama2sec._native import Id, SigningKey
from ama2sec.demo.desk import Actor, Desk

NOW = 1_793_000_000_000


def desk(name: str = "acme-orders") -> Desk:
    """A realm with keys of known seeds."""
    numbers = count(1)
    return Desk(name, NOW, lambda: SigningKey.from_seed(next(numbers).to_bytes(32, "big")))


@dataclass
class Story:
    """Open, a branch with a sub-agent, lag, a merge, a rejected entry, two closes."""

    desk: Desk
    ada: Actor
    ben: Actor
    worker: Actor
    chat: Id
    ids: dict[str, Id]

    @property
    def data(self) -> bytes:
        return self.desk.engine.export()


def story() -> Story:
    """A realm in which everything happened once."""
    made = desk()
    ada, ben = made.enrol("ada"), made.enrol("ben")
    chat = made.open(ada, body=b"two offers, please")
    ids = {"open": chat, "ask": made.say(ada, chat, body=b"who takes the first?")}
    worker = made.spawn(ben, chat, chat, "worker", rights=0)
    ids["fork"] = worker.id
    ids["offer"] = made.say(worker, chat, worker.id, body=b"12")
    ids["second"] = made.say(worker, chat, worker.id, body=b"11")
    ids["late"] = made.say(ben, chat, size=1, body=b"had not read the question")
    ids["merge"] = made.say(ada, chat, merges=[(worker.id, None)], body=b"taken")
    ada.counter -= 1
    seen = made.engine.context(chat)
    ids["again"], entry = made.message(ada, seen, b"under the same number")
    assert made.submit(entry).code == "SeqUsed"
    ada.counter += 1
    ids["end"] = made.close(ben, chat, worker.id)
    ids["close"] = made.close(ada, chat, whole=True)
    return Story(made, ada, ben, worker, chat, ids)


def long_story(length: int, seed: int) -> tuple[Desk, Id]:
    """A conversation of about so many entries in up to eight open branches."""
    rng, made = random.Random(seed), desk()
    people = [made.enrol(name) for name in ("ada", "ben", "cleo", "dan")]
    chat = made.open(people[0])
    sizes, live = {chat: 1}, [chat]
    merged: set[tuple[Id, Id, int]] = set()
    for _ in range(length):
        branch, who = rng.choice(live), rng.choice(people)
        other = rng.choice(live)
        choice = rng.random()
        if choice < 0.1 and len(live) < 8:
            fork = made.fork(who, chat, branch)
            sizes[fork] = sizes[branch] + 1
            live.append(fork)
        elif choice < 0.2 and other != branch and (branch, other, sizes[other]) not in merged:
            merged.add((branch, other, sizes[other]))
            heads = [made.engine.context(chat, other)]
            _, entry = made.message(who, made.engine.context(chat, branch), merges=heads)
            sizes[branch] += made.submit(entry).verdict == "admitted"
        elif choice < 0.25 and branch != chat:
            made.close(who, chat, branch)
            live.remove(branch)
        else:
            made.say(who, chat, branch)
            sizes[branch] += 1
    return made, chat
