"""Agents of a realm: what is sent arrives, once acknowledged it is consumed, and nobody writes for two (spec agent)."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from ama2sec import Identity, Realm, verify_export
from ama2sec._native import EntryParts, SigningKey
from ama2sec.errors import Ama2Error
from ama2sec.identity.identity import clock_ms
from ama2sec.limits import MAX_BODY
from tests.on_loop import code_of, database, on_loop, take, waiting


@on_loop
async def test_a_message_arrives_verified_with_all_that_it_says() -> None:
    async with Realm.dev() as realm:
        sales, manager = await realm.agent("sales"), await realm.agent("manager")
        sent = await sales.send({"sku": 7}, to="manager")
        (message,) = await take(manager, 1, acknowledge=False)
        assert (message.id, message.position, message.sender, message.sender_id) == (
            sent.id,
            sent.position,
            "sales",
            sales.id,
        )
        assert (message.json(), message.text, message.media_type) == ({"sku": 7}, '{"sku":7}', "application/json")
        assert (message.recipients, message.conversation.id) == ([manager.id], sent.id)
        assert message.to_bytes() == sent.entry
        answer = await message.reply("yes")
        (back,) = await take(sales, 1)
        assert (back.text, back.sender, back.id) == ("yes", "manager", answer.id)
        # The reply acknowledged what it answers, and says so.
        assert back.entry.context == (sent.id, 1)
        assert message.is_acknowledged


@on_loop
async def test_to_takes_names_ids_groups_and_lists_of_them() -> None:
    async with Realm.dev() as realm:
        a = await realm.agent("a")
        b, c = await realm.agent("b", groups=["readers"]), await realm.agent("c", groups=["readers", "writers"])
        for number, to in enumerate(["b", b.id, ["b", "c"], "readers", ["readers", "c", c.id], "writers"]):
            await a.send(str(number), to=to)
        assert await waiting(b) == [b"0", b"1", b"2", b"3", b"4"]
        assert await waiting(c) == [b"2", b"3", b"4", b"5"]
        assert await waiting(a) == []


@on_loop
async def test_without_recipients_a_message_is_for_all_members_and_nobody_else() -> None:
    async with Realm.dev() as realm:
        a, b, c, d = [await realm.agent(name) for name in "abcd"]
        sent = await a.send("0", to=["b", "c"])
        await sent.conversation.send("1")
        assert [await waiting(each) for each in (a, b, c, d)] == [[], [b"0", b"1"], [b"0", b"1"], []]


@on_loop
async def test_only_members_write() -> None:
    async with Realm.dev() as realm:
        a, _, stranger = [await realm.agent(name) for name in ("a", "b", "stranger")]
        sent = await a.send("0", to="b")
        assert await code_of(stranger.send("1", conversation=sent.id)) == "NotAMember"
        assert await code_of(stranger.conversation(sent.id).fork()) == "NotAMember"
        # A rejected entry is evidence in the log, and moves nobody.
        assert (realm.engine.entries(realm.position - 1, 1)[0].code, await waiting(a)) == ("NotAMember", [])


@on_loop
async def test_the_next_turn_acknowledges_and_an_exception_does_not() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        for number in range(3):
            await a.send(str(number), to="b")
        seen: list[str] = []

        async def handle(inbox: Any) -> None:
            async for message in inbox:
                seen.append(message.text)
                if len(seen) == 2:
                    raise ZeroDivisionError
                if len(seen) == 4:
                    break

        with pytest.raises(ZeroDivisionError):
            await handle(b.inbox())
        await handle(b.inbox())
        assert seen == ["0", "1", "1", "2"]


@on_loop
async def test_the_same_inbox_begun_anew_gives_again_what_was_not_acknowledged() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        for number in range(3):
            await a.send(str(number), to="b")
        inbox, seen = b.inbox(), list[str]()
        for last in ("1", "1", "2"):
            async for message in inbox:
                seen.append(message.text)
                if message.text == last:
                    break
        assert seen == ["0", "1", "1", "1", "2"]


@on_loop
async def test_an_older_inbox_ends_and_the_new_one_has_all() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        await a.send("0", to="b")
        old = b.inbox()
        first = await anext(old)
        new = b.inbox()
        assert (await anext(new)).id == first.id
        assert await code_of(anext(old)) == "AgentInUse"


@on_loop
async def test_what_an_agent_signs_is_what_it_has_acknowledged() -> None:
    """Against a plain list: the prefix of the branch up to the first message to it that waits."""
    rng = random.Random(5)
    async with Realm.dev() as realm:
        a, b, c = [await realm.agent(name, limit=4) for name in "abc"]
        chat = (await a.send("open", to=["b", "c"])).conversation
        inbox, held, done = b.inbox(acknowledge=False), list[Any](), set[Any]()
        opening = await anext(inbox)
        opening.ack()
        done.add(opening.id)
        mine = b.conversation(chat.id)
        for turn in range(120):
            move = rng.random()
            if move < 0.5:
                who, to = rng.choice([(a, "b"), (a, "c"), (c.conversation(chat.id), "b")])
                handle = chat if who is a else who
                await handle.send(str(turn), to=to, on_stale="rebase")
            elif move < 0.7 and len(held) < 4:
                try:
                    async with asyncio.timeout(0.01):
                        held.append(await anext(inbox))
                except TimeoutError:
                    pass
            elif move < 0.85 and held:
                message = held.pop(rng.randrange(len(held)))
                message.ack()
                done.add(message.id)
            else:
                sent = await mine.send(str(turn), to="c")
                signed = realm.engine.entries(sent.position, 1)[0]
                leaves = [e for e in realm.engine.entries(0, 1000) if e.home and e.home[0] == chat.id]
                leaves = leaves[: sent.index]
                wanted = next(
                    (e.home[1] for e in leaves if e.home and b.id in e.recipients and e.id not in done), len(leaves)
                )
                assert signed.context == (chat.id, wanted)
                assert signed.claims["context_fingerprint"]["fingerprint"] == str(
                    realm.engine.fingerprint(chat.id, chat.id, wanted)
                )
        assert len(done) > 10


@on_loop
async def test_who_has_acknowledged_nothing_can_say_nothing_unless_it_says_that_it_has_seen_all() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        sent = await a.send("0", to="b")
        assert await code_of(b.send("1", conversation=sent.id)) == "ContextUnder"
        assert await code_of(b.send("1", conversation=sent.id, on_stale="never")) == "ArgumentRange"
        assert (await b.send("1", conversation=sent.id, on_stale="rebase")).index == 1
        (message,) = await take(b, 1)
        assert message.id == sent.id


@on_loop
async def test_fifty_agents_on_one_branch_lose_nothing_and_fork_nothing() -> None:
    async with Realm.dev() as realm:
        agents = [await realm.agent(f"agent-{number}", groups=["all"]) for number in range(50)]
        chat = (await agents[0].send("open", to="all")).conversation
        for agent in agents[1:]:
            await take(agent, 1)
        every = [agent.conversation(chat.id) for agent in agents]
        sent = await asyncio.gather(
            *(each.send(f"{n} {i}", to="all") for n, each in enumerate(every) for i in range(4))
        )
        assert sorted(each.index for each in sent) == list(range(1, 201))
        for number, agent in enumerate(agents):
            others = {f"{n} {i}" for n in range(50) for i in range(4) if n != number}
            got = await take(agent, len(others))
            assert {message.text for message in got} == others
            assert [message.position for message in got] == sorted(message.position for message in got)
        verified = verify_export(realm.export(), realm=realm.id, head=realm.head()).verified
        assert (verified.rejected, realm.engine.equivocations(), verified.tail) == (0, [], "checked")


@on_loop
async def test_a_full_inbox_reads_on_from_the_log_and_says_when_nothing_was_acknowledged() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b", limit=3)
        chat = (await a.send("0", to="b")).conversation
        for number in range(1, 300):
            await chat.send(str(number), to="b")
        inbox = b.inbox(acknowledge=False)
        held = [await anext(inbox) for _ in range(3)]
        assert await code_of(anext(inbox)) == "Backpressure"
        for message in held:
            message.ack()
        assert [message.text for message in await take(b, 297)] == [str(number) for number in range(3, 300)]


@on_loop
async def test_the_memory_of_an_inbox_is_bounded() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b", limit=10)
        for number in range(50):
            await a.send(str(number), to="b")
        positions, overflow = b.mailbox.waiting()
        assert (len(positions), overflow) == (10, positions[-1] + 1)
        assert len(await take(b, 50)) == 50


@on_loop
async def test_the_same_bytes_again_get_the_original_receipt_and_no_second_message() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        sent = await a.send("0", to="b")
        again = await realm.submit(sent.entry)
        assert (again.position, await waiting(b)) == (sent.position, [b"0"])


@on_loop
async def test_a_number_is_burnt_by_a_crash_between_signing_and_handing_in(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Realm.dev() as realm:
        a, _ = await realm.agent("a"), await realm.agent("b")
        chat = (await a.send("0", to="b")).conversation
        signed: list[bytes] = []

        async def lost(entry: bytes) -> Any:
            signed.append(entry)
            raise ConnectionError

        with monkeypatch.context() as patch:
            patch.setattr(realm.store, "submit", lost)
            with pytest.raises(ConnectionError):
                await chat.send("lost", to="b")
        await a.close()
        a = await realm.agent("a")
        # The bytes that were signed may come late; under the same number there is nothing else.
        await realm.submit(signed[0])
        after = await a.send("after", conversation=chat.id)
        assert (await realm.submit(signed[0])).position < after.position
        numbers = [entry.seq for entry in realm.engine.entries(0, 100) if entry.sender == a.id and entry.seq]
        assert numbers == sorted(set(numbers))
        assert len(numbers) == 2
        assert realm.engine.equivocations() == []


@on_loop
async def test_what_cannot_be_sent() -> None:
    async with Realm.dev() as realm:
        a = await realm.agent("a", groups=["b"])
        assert await code_of(a.send(b"x" * (MAX_BODY + 1))) == "BodyLimit"
        assert await code_of(a.send(7)) == "ArgumentType"  # type: ignore[arg-type]
        assert await code_of(a.send("x", to="nobody")) == "NameUnknown"
        assert await code_of(a.send("x", to="No Name")) == "NameForm"
        assert await code_of(a.send("x", to=[7])) == "ArgumentType"  # type: ignore[list-item]
        assert await code_of(a.send("x", workflow="orders")) == "WorkflowUnknown"
        assert await code_of(a.send("x", step="approve")) == "WorkflowUnknown"
        assert await code_of(a.send("x", conversation=realm.id)) == "ConversationUnknown"
        crowd = [await realm.agent(f"crowd-{number}") for number in range(33)]
        assert await code_of(a.send("x", to=[each.id for each in crowd])) == "TooMany"


@on_loop
async def test_a_name_that_an_agent_and_a_group_have_is_not_guessed_at() -> None:
    async with Realm.dev() as realm:
        a = await realm.agent("a", groups=["sellers"])
        assert await code_of(realm.agent("sellers")) == "NameTaken"
        await realm.agent("b")
        await realm.agent("c", groups=["b"])
        assert await code_of(a.send("x", to="b")) == "ArgumentRange"


@on_loop
async def test_a_signer_that_is_elsewhere_signs_for_an_agent() -> None:
    key = SigningKey.generate()
    identity = Identity.external("token", key.public, key)
    async with Realm.dev() as realm:
        offer = Identity._of("token", "message", key.public, key).offer(realm.id)
        await realm.enrol(offer)
        token, b = await realm.agent(identity), await realm.agent("b")
        await token.send("0", to="b")
        assert await waiting(b) == [b"0"]


@on_loop
async def test_a_closed_agent_neither_sends_nor_receives_and_can_be_opened_again() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        await a.send("0", to="b")
        inbox = b.inbox()
        await anext(inbox)
        reading = asyncio.ensure_future(anext(inbox))
        await asyncio.sleep(0)
        await b.close()
        await b.close()
        with pytest.raises(StopAsyncIteration):
            await reading
        assert await code_of(b.send("1", to="a")) == "AgentInUse"
        await a.send("2", to="b")
        async with await realm.agent("b") as again:
            assert await waiting(again) == [b"2"]


@on_loop
async def test_a_stale_object_acknowledges_nothing(tmp_path: Path) -> None:
    async with Realm.dev(database(tmp_path)) as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        await a.send("0", to="b")
        (message,) = await take(b, 1, acknowledge=False)
        await b.close()
        with pytest.raises(Ama2Error) as caught:
            message.ack()
        assert caught.value.code == "AgentInUse"
        assert await waiting(await realm.agent("b")) == [b"0"]


@on_loop
async def test_an_erased_body_is_delivered_without_it() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        sent = await a.send("secret", to="b")
        await b.close()
        root = realm._roots._here()[0]
        view = json.dumps({"message": str(sent.id), "reason": ""})
        context = realm.engine.context()
        parts = EntryParts(root.public, root.id, (clock_ms() + 1000, 1), clock_ms())
        signed = root.seal(context.propose(parts, "erase", view))
        await realm.submit(signed.envelope)
        (message,) = await take(await realm.agent("b"), 1)
        assert (message.id, message.body) == (sent.id, None)
        with pytest.raises(Ama2Error) as caught:
            message.json()
        assert caught.value.code == "BodyMissing"
