"""A conversation as one agent has it: branches, merges, sub-agents, receipts (spec agent.6, dag)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ama2sec import Id, Identity, Offer, Realm, check_inclusion, prove_inclusion, reference
from ama2sec._native import Accumulator
from ama2sec.errors import Ama2Error
from ama2sec.realm import check_receipt
from tests.on_loop import code_of, database, on_loop, take, waiting


@on_loop
async def test_a_branch_of_ones_own_and_its_merge() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        main = (await a.send("0", to="b")).conversation
        side = await main.fork()
        said = await side.send("aside", to="b")
        assert (said.conversation.branch, said.index) == (side.branch, 2)
        assert await code_of(main.merge()) == "ArgumentRange"
        taken = await main.merge(side, body="taken", to="b")
        assert (taken.conversation.branch, taken.index) == (main.branch, 1)
        assert await code_of(main.merge(side.branch)) == "MergeStale"
        dag = main.dag()
        assert dag.is_ancestor(said.id, taken.id)
        assert [head.id for head in dag.heads()] == [main.branch, side.branch]
        assert await waiting(b) == [b"0", b"aside", b"taken"]


@on_loop
async def test_a_merge_takes_in_only_what_was_acknowledged() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        main = (await a.send("0", to="b")).conversation
        await take(b, 1)
        side = await b.conversation(main.id).fork()
        await side.send("1", to="a")
        await side.send("2", to="a")
        inbox = a.inbox(acknowledge=False)
        first = await anext(inbox)
        first.ack()
        taken = await main.merge(side)
        (merge,) = realm.engine.entries(taken.position, 1)[0].claims["execution_path"]["merges"]
        # The fork itself and "1", above the one leaf that is inherited; "2" waits.
        assert (merge["branch"], merge["size"]) == (str(side.branch), 3)


@on_loop
async def test_what_waits_in_the_inherited_part_was_not_consumed() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        main = (await a.send("0", to="b")).conversation
        await main.send("1", to="b")
        side = await main.fork()
        inbox = b.inbox(acknowledge=False)
        zero, one = await anext(inbox), await anext(inbox)
        zero.ack()
        assert await code_of(b.send("2", conversation=b.conversation(main.id, side.branch))) == "ContextUnder"
        one.ack()
        sent = await b.conversation(main.id, side.branch).send("2", to="a")
        assert realm.engine.entries(sent.position, 1)[0].context == (side.branch, 3)


@on_loop
async def test_a_sub_agent_lives_in_its_branch_under_its_grant() -> None:
    async with Realm.dev() as realm:
        sales, manager = await realm.agent("sales"), await realm.agent("manager")
        order = await sales.send({"sku": 7}, to="manager")
        worker = await order.conversation.spawn("worker-1", to=["manager"], expires_in=60)
        price = await worker.send({"price": 12}, to="manager")
        assert price.conversation.branch == worker.branch
        assert await code_of(worker.send("x", to="sales")) == "GrantScope"
        assert await code_of(worker.send("x", conversation=order.conversation)) == "GrantPlace"
        assert await code_of(worker.home.fork()) == "GrantScope"
        assert await code_of(worker.home.spawn("worker-2")) == "GrantScope"
        taken = await order.conversation.merge(worker)
        assert order.conversation.dag().is_ancestor(price.id, taken.id)
        assert order.conversation.dag().trace(price.id)[0].kind == "grant"
        messages = await take(manager, 2)
        assert [message.sender for message in messages] == ["sales", "worker-1"]
        await messages[1].reply("too much", to=worker.id, on_stale="rebase")
        assert await waiting(worker) == [b"too much"]
        await sales.conversation(order.id, worker.branch).close()
        assert await code_of(worker.send("x", to="manager")) == "GrantEnded"


@on_loop
async def test_a_sub_agent_may_spawn_as_deep_as_it_was_granted_and_only_narrower() -> None:
    async with Realm.dev() as realm:
        a, _, _ = [await realm.agent(name, groups=["all"]) for name in "abd"]
        chat = (await a.send("0", to="b")).conversation
        child = await chat.spawn("child", steps=["price/*", "ask"], to=["b", "all", "a"], rights=3, depth=1)
        grandchild = await child.home.spawn("grandchild", steps=["price/one"], to="b", expires_in=60)
        said = await grandchild.send("deep", to="b")
        assert said.index == 3
        assert await code_of(child.home.spawn("wider", to=["a", "b", "d"])) == "ForkWidens"
        assert await code_of(grandchild.home.fork()) == "GrantScope"
        assert await code_of(chat.spawn("late", expires_in=-1)) == "ForkForm"
        brief = await chat.spawn("brief", expires_in=0.05)
        await asyncio.sleep(0.1)
        assert await code_of(brief.send("late")) == "GrantExpired"


@on_loop
async def test_a_key_that_is_elsewhere_is_granted_by_its_offer(tmp_path: Path) -> None:
    async with Realm.dev(database(tmp_path)) as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        chat = (await a.send("0", to="b")).conversation
        identity = Identity.generate("remote")
        offer = Offer.from_json(identity.offer(realm.id, name="child").to_json())
        granted = await chat.spawn(offer, to="b")
        assert await code_of(granted.send("x", to="b")) == "KeyUnknown"
        await granted.close()
        remote = realm.child(identity, chat.id, granted.branch)
        await remote.send("1", to="b")
        with pytest.raises(Ama2Error) as caught:
            realm.child(identity, chat.id, granted.branch)
        assert caught.value.code == "AgentInUse"
        assert await waiting(b) == [b"0", b"1"]
        assert await code_of(chat.spawn(identity.offer(realm.id))) == "ArgumentRange"
        assert await code_of(chat.spawn(offer)) == "ForkKey"
        other = Identity.generate("other").offer(Id(bytes(32)), name="child")
        assert await code_of(chat.spawn(other)) == "ForkKey"


def test_an_offer_that_is_none() -> None:
    good = Identity.generate("a").offer(Id(b"\1" * 32))
    assert Offer.from_json(good.to_json()) == good
    for bad in (
        "",
        "[]",
        "{}",
        good.to_json().replace("message", "admin"),
        good.to_json().replace('"name": "a"', '"name": 7'),
    ):
        with pytest.raises(Ama2Error) as caught:
            Offer.from_json(bad)
        assert caught.value.code == "ArgumentRange"


@on_loop
async def test_a_closed_branch_and_a_closed_conversation() -> None:
    async with Realm.dev() as realm:
        a, _ = await realm.agent("a"), await realm.agent("b")
        main = (await a.send("0", to="b")).conversation
        side = await main.fork()
        await side.close()
        assert await code_of(side.send("x")) == "BranchClosed"
        assert await code_of(a.conversation(main.id, Id(b"\1" * 32)).send("x")) == "BranchUnknown"
        await main.close(whole=True)
        assert await code_of(main.send("x")) == "ConversationClosed"


@on_loop
async def test_the_context_of_a_handle_is_what_it_would_sign() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        chat = (await a.send("0", to="b")).conversation
        await chat.send("1", to="b")
        inbox = b.inbox(acknowledge=False)
        (await anext(inbox)).ack()
        seen, whole = b.conversation(chat.id).context(), b.conversation(chat.id).context(on_stale="rebase")
        assert (seen.size, whole.size) == (1, 2)
        # A fingerprint like any other: proofs are checked against it.
        tree = Accumulator(realm.id, chat.id)
        entries = [entry for entry in realm.engine.entries(0, 100) if entry.conversation == chat.id]
        tree.extend([entry.id for entry in entries])
        assert check_inclusion(whole, entries[1].envelope, prove_inclusion(tree, 1)).index == 1


@on_loop
async def test_receipts_are_checked_with_nothing_but_the_sequencers_key() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        sent = await a.send("0", to="b")
        (message,) = await take(b, 1)
        key = realm._keys.get("sequencer").public
        envelope = realm.engine.entries(sent.position, 1)[0].envelope
        for receipt in (sent.receipt(), message.receipt(), realm.receipt(sent.id), sent.receipt(proof=True)):
            found = check_receipt(bytes(receipt), envelope, key, realm.engine.origin)
            assert (receipt.position, found["record"]["position"]) == (sent.position, sent.position)
        proved = check_receipt(bytes(sent.receipt().proof()), envelope, key, realm.engine.origin)
        promised = check_receipt(bytes(sent.receipt()), envelope, key, realm.engine.origin)
        assert proved != promised
        for entry in (envelope, sent.entry):  # alone, or with its body
            assert check_receipt(bytes(sent.receipt()), entry, key, realm.engine.origin) == promised
        for nowhere in (Id(b"\1" * 32), 10_000):
            with pytest.raises(Ama2Error) as caught:
                realm.receipt(nowhere)
            assert caught.value.code == "ArgumentRange"


@on_loop
async def test_a_receipt_is_proved_under_a_head_that_was_kept() -> None:
    """By both implementations: under that head, and under no other."""
    async with Realm.dev() as realm:
        a = await realm.agent("a")
        sent = await a.send("0")
        before, receipt = realm.head(), sent.receipt()
        later = await a.send("1")
        kept = realm.head()
        await a.send("2")
        key, origin = realm._keys.get("sequencer").public, realm.engine.origin
        proof = bytes(receipt.proof(kept))
        found = check_receipt(proof, sent.entry, key, origin, head=kept)
        assert (found["record"]["position"], found["included"]) == (sent.position, True)
        assert found["size"] == int(kept.split("\n")[1]) < realm.engine.records

        def codes(data: bytes, head: str) -> set[str]:
            """The one code of both."""
            found = set()
            for check, known, text in (
                (check_receipt, key, head),
                (reference.check_receipt, reference.EnrolledKey(bytes(key)), head.encode()),
            ):
                with pytest.raises(Ama2Error) as caught:
                    check(data, sent.entry, known, origin, head=text)  # type: ignore[operator]
                found.add(caught.value.code)
            return found

        reference.check_receipt(proof, sent.entry, reference.EnrolledKey(bytes(key)), origin, head=kept.encode())
        assert codes(proof, before) == codes(proof, realm.head()) == codes(bytes(receipt), kept) == {"NeedsProof"}
        assert codes(proof, "") == {"CheckpointForm"}
        other = reference.sign_checkpoint(
            realm._keys.get("sequencer")._own_key().expose_seed(), origin, found["size"], bytes(32)
        )
        assert codes(proof, other.decode()) == {"CheckpointForked"}
        for data, head, code in (
            (receipt, other.decode(), "CheckpointForked"),
            (later.receipt(), before, "CheckpointStale"),
            (receipt, "", "CheckpointForm"),
        ):
            with pytest.raises(Ama2Error) as caught:
                data.proof(head)
            assert caught.value.code == code
