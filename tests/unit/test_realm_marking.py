"""Drawings say what a rollback has undone, on what it stands, and which steps were taken; nothing of it is believed of a rejected entry."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from ama2sec import Realm
from ama2sec.realm.dag import RealmDag
from ama2sec.realm.drawing import lay_out, to_dot, to_mermaid, to_text
from ama2sec.realm.marking import marks_of
from ama2sec.realm.svg import to_svg
from tests.on_loop import code_of, on_loop
from tests.order_desk import Orders


@on_loop
async def test_what_was_undone_and_where_a_rollback_stands() -> None:
    async with Realm.dev() as realm:
        orders = await Orders(realm).open()
        placed = await orders.place()
        chat = placed.conversation
        stocked = await orders.take(orders.warehouse, "check_stock", in_stock=True)
        fork = await chat.fork(on_stale="rebase")
        await fork.send("aside", on_stale="rebase")
        done = await chat.rollback(placed, "wrong customer", on_stale="rebase")
        assert await code_of(orders.take(orders.billing, "authorize", authorized=True)) == "BranchSuperseded"
        again = await orders.take(orders.warehouse, "check_stock", branch=done.conversation.branch, in_stock=False)
        nodes = realm.dag(chat.id).timeline()
        marks = marks_of(realm.dag(chat.id), nodes, ((entry.id, entry.claims) for entry in realm.entries(0, 100)))
        assert marks.based == {done.sent.id: placed.id}
        assert marks.undone == {node.id for node in nodes[1:4]}
        assert marks.steps[placed.id] == "takes place total=70"
        assert marks.steps[again.id] == "takes check_stock in_stock=false"
        layout = lay_out(nodes, {orders.sales.id: "ada"}, marks)
        assert [row.undone for row in layout.rows] == [False, True, True, True, False, False, False]
        assert [row.sign for row in layout.rows][4:] == ["rollback", "rejected", "message"]
        # The rollback leaves from what is left, and not from what its author had seen.
        assert [(edge.start, edge.end) for edge in layout.edges if edge.end == 4] == [(0, 4)]
        lines = to_text(layout).splitlines()[2:]
        assert "UNDONE, takes check_stock in_stock=true" in lines[1]
        assert "REJECTED BranchSuperseded" in lines[5]
        assert "UNDONE" not in lines[5] + lines[6]
        for drawn in (to_mermaid(layout), to_dot(layout)):
            assert drawn.count("UNDONE") == 3
        picture = ElementTree.fromstring(to_svg(layout, "orders"))
        struck = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}text") if each.get("class") == "u"]
        assert len(struck) == 3
        assert stocked.id in marks.undone
        # Without marks it is what it was: an entry like any other.
        assert not any(row.undone for row in lay_out(nodes).rows)


@on_loop
async def test_a_rollback_that_was_undone_itself() -> None:
    async with Realm.dev() as realm:
        a = await realm.agent("a")
        await realm.agent("b")
        first = await a.send("one", to="b")
        second = await first.conversation.send("two", to="b")
        await first.conversation.send("three", to="b")
        once = await first.conversation.rollback(second)
        twice = await first.conversation.rollback(first)
        nodes = realm.dag(first.conversation.id).timeline()
        marks = marks_of(realm.dag(first.conversation.id), nodes)
        assert once.sent.id in marks.undone
        assert twice.sent.id not in marks.undone
        assert (marks.based[once.sent.id], marks.based[twice.sent.id]) == (second.id, first.id)


@on_loop
async def test_behind_a_merge_of_a_rollback_lies_what_its_branch_has_kept() -> None:
    """A path is found wherever there is an ancestor: a rollback stands in several branches, and the merge says in which it was met."""
    async with Realm.dev() as realm:
        ann, ben = await realm.agent("ann"), await realm.agent("ben")
        chat = (await ann.send("open", to="ben")).conversation
        side = await ben.conversation(chat.id).fork(on_stale="rebase")
        kept = await chat.send("kept")
        await chat.send("falls")
        rolled = await chat.rollback(kept)
        merged = await side.merge(rolled.conversation.branch, on_stale="rebase")
        dag = realm.dag(chat.id)
        assert dag.is_ancestor(kept.id, merged.id)
        assert dag.path(merged.id, kept.id) == [merged.id, kept.id]
        (node,) = [each for each in dag.timeline() if each.id == rolled.sent.id]
        assert node.stands_on == kept.id
        assert {each.stands_on for each in dag.timeline() if each.id != node.id} == {None}


@on_loop
async def test_the_marks_of_many_rollbacks_ask_nothing_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Realm.dev() as realm:
        ann = await realm.agent("ann")
        last = await ann.send("open")
        await last.conversation.send("kept")
        for _ in range(5):
            last = await last.conversation.send("stays")
            await last.conversation.send("falls")
            last = (await last.conversation.rollback(last)).sent
        dag = realm.dag(last.conversation.id)
        monkeypatch.setattr(RealmDag, "path", None)
        marks = marks_of(dag, dag.timeline())
        assert len(marks.based) == len(marks.undone) == 5
