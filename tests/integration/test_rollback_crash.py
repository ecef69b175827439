"""A rollback that is interrupted: whatever of it the disk has, it is there whole or not at all, and the same entry again makes it whole.

A commit is appended to SQLite's write-ahead log before it is in force, so a program that dies meanwhile leaves a beginning of it.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Final

import pytest

from ama2sec import Id, sync
from ama2sec.reference import conversation_digest, replay
from tests.trading_desk import ORDER, QUOTE

FRAME: Final = 24 + 4096
"""Bytes of a page in the write-ahead log, with its header."""
HEAD: Final = 32
CHANCES: Final = 24


def folder_of(path: Path) -> list[Path]:
    return [
        each for each in path.parent.iterdir() if each.name.startswith(path.name) and not each.name.endswith("-shm")
    ]


def copied(path: Path, to: Path, log: bytes) -> Path:
    """The realm with this much of the log, and without what was in memory."""
    to.mkdir()
    for each in folder_of(path):
        (shutil.copytree if each.is_dir() else shutil.copy)(each, to / each.name)
    Path(f"{to / path.name}-wal").write_bytes(log)
    return to / path.name


def order_of(realm: sync.Realm) -> tuple[Id, sync.Agent]:
    """An order with a quote, which one has approved, in two branches; and who may roll it back."""
    trader, desk = realm.agent("trader", ["traders"]), realm.agent("desk", ["pricing"])
    ben = realm.agent("ben", ["risk"])
    order = trader.send(ORDER, to="desk", workflow="trading").conversation
    quoted = desk.conversation(order.id).send(
        QUOTE, step="quote", outputs={"total": 9}, to=["trader", "risk"], on_stale="rebase"
    )
    desk.conversation(order.id).fork(on_stale="rebase")
    for message in ben.inbox():
        assert message.id == quoted.id
        message.approve(on_stale="rebase")
        break
    return order.id, ben


def test_a_rollback_that_was_cut_short(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    path = tmp_path / "a" / "realm.db"
    log = Path(f"{path}-wal")
    with sync.Realm.dev(path, durability="normal") as realm:
        order, ben = order_of(realm)
        records, before, begun = realm.engine.records, realm.engine.state_digest(order), log.read_bytes()
        ben.conversation(order).rollback(order, reason="wrong price", on_stale="rebase")
        whole = log.read_bytes()
        after, head = realm.engine.state_digest(order), realm.engine.head()
        (entry,) = realm.engine.entries(records, 1)
        assert whole.startswith(begun[:HEAD])
        assert len(whole) > len(begun)
        rng = random.Random(7)
        frames = range(len(begun), len(whole) + 1, FRAME)
        sizes = {at + more for at in frames for more in (-1, 0, 1, 24, FRAME // 2)}
        sizes |= {rng.randrange(len(begun), len(whole)) for _ in range(CHANCES)}
        left = [
            copied(path, tmp_path / f"cut-{size}", whole[:size])
            for size in sorted(sizes)
            if len(begun) <= size <= len(whole)
        ]
        # A page of it that was spoilt on the way is one that is not there.
        for at in frames[:-1]:
            spoilt = bytearray(whole)
            spoilt[at + 1000] ^= 1
            left.append(copied(path, tmp_path / f"spoilt-{at}", bytes(spoilt)))

    met = set()
    for copy in left:
        with sync.Realm.dev(copy, durability="normal") as realm:
            engine = realm.engine
            is_there = engine.records > records
            assert engine.state_digest(order) == (after if is_there else before)
            assert engine.is_undone(order, order, 1) == is_there
            answer = engine.submit(entry.to_bytes(), entry.time)
            assert (answer.verdict, answer.position) == ("duplicate" if is_there else "admitted", records)
            assert (engine.state_digest(order), engine.head()) == (after, head)
            met.add(is_there)
            data, name = engine.export(), bytes(engine.realm)
    assert met == {True, False}
    told = replay(data, realm=name).state.conversations[bytes(order)]
    assert conversation_digest(told) == bytes(after)


@pytest.mark.parametrize("times", [1, 3])
def test_the_same_again_after_a_restart(tmp_path: Path, times: int) -> None:
    """Handed in again and again, also by a program that has just opened the realm: the answer is the first one."""
    path = tmp_path / "realm.db"
    with sync.Realm.dev(path) as realm:
        order, ben = order_of(realm)
        done = ben.conversation(order).rollback(order, reason="x", on_stale="rebase")
        (entry,) = realm.engine.entries(done.sent.position, 1)
        head = realm.engine.head()
    for _ in range(times):
        with sync.Realm.dev(path) as realm:
            answer = realm.engine.submit(entry.to_bytes(), entry.time)
            assert (answer.verdict, answer.position) == ("duplicate", entry.position)
            assert realm.engine.head() == head
