"""The same verbs without async (spec agent.8)."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ama2sec import Identity, sync
from ama2sec.errors import Ama2Error
from tests.on_loop import database


def test_the_whole_story_without_async(tmp_path: Path) -> None:
    with sync.Realm.dev(database(tmp_path)) as realm:
        sales, manager = realm.agent("sales"), realm.agent("manager")
        order = sales.send({"sku": 7}, to="manager")
        for message in manager.inbox(timeout=5):
            assert (message.json(), message.sender) == ({"sku": 7}, "sales")
            message.reply({"ok": True})
            break
        assert [message.json() for message in sales.inbox(timeout=0.1)] == [{"ok": True}]
        worker = order.conversation.spawn("worker", to="manager")
        worker.send("12", to="manager")
        order.conversation.merge(worker)
        side = order.conversation.fork()
        side.send("aside")
        side.close()
        assert order.conversation.context().size == 3
        assert realm.submit(order.entry).position == order.position == order.receipt().position
        realm.enrol(Identity.generate("later"))
        realm.revoke("later")
        first, *_ = list(manager.inbox(timeout=0.1, acknowledge=False))
        first.ack()
        assert first.conversation.id == order.id
        manager.close()
        assert [message.text for message in realm.agent("manager").inbox(timeout=0.1)] == ["aside"]


def test_an_error_comes_through_as_it_is() -> None:
    with sync.Realm.dev() as realm, pytest.raises(Ama2Error) as caught:
        realm.agent("a").send("x", to="nobody")
    assert caught.value.code == "NameUnknown"


def test_threads_share_it() -> None:
    with sync.Realm.dev() as realm:
        a, b = realm.agent("a"), realm.agent("b")
        chat = a.send("0", to="b").conversation
        threads = [threading.Thread(target=chat.send, args=(str(number), "b")) for number in range(1, 21)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({message.text for message in b.inbox(timeout=0.1)}) == 21


def test_a_closed_realm_does_nothing_and_leaves_no_thread() -> None:
    before = threading.active_count()
    realm = sync.Realm.dev()
    a = realm.agent("a")
    realm.close()
    realm.close()
    assert threading.active_count() == before
    with pytest.raises(Ama2Error) as caught:
        a.send("x")
    assert caught.value.code == "ArgumentRange"


def test_a_realm_that_does_not_open_leaves_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(Ama2Error):
        sync.Realm.open(tmp_path / "nowhere.db")
    assert threading.active_count() == before
