"""Realms in files: made, opened again, shared, and their people (spec agent.1, agent.4, agent.5)."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ama2sec import Identity, Realm
from ama2sec.errors import Ama2Error
from tests.on_loop import code_of, database, on_loop, take, waiting
from tests.shell import REPOSITORY


def roots(count: int = 2) -> list[Identity]:
    return [Identity.generate(f"root-{number}", purpose="root") for number in range(count)]


def operators() -> list[Identity]:
    return [Identity.generate(f"warden-{number}", purpose="operator") for number in range(2)]


@on_loop
async def test_a_restart_goes_on_where_the_inbox_stood(tmp_path: Path) -> None:
    path = database(tmp_path)
    async with Realm.dev(path) as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        chat = (await a.send("0", to="b")).conversation
        for number in range(1, 5):
            await chat.send(str(number), to="b")
        inbox = b.inbox(acknowledge=False)
        messages = [await anext(inbox) for _ in range(4)]
        for number in (0, 1, 3):
            messages[number].ack()
    async with Realm.dev(path) as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        assert await waiting(b) == [b"2", b"4"]
        assert b.conversation(chat.id).context().size == 2
        await a.conversation(chat.id).send("5", to="b")
        assert [message.text for message in await take(b, 3)] == ["2", "4", "5"]
        numbers = [entry.seq for entry in realm.engine.entries(0, 100) if entry.sender == a.id and entry.seq]
        assert numbers == sorted(set(numbers))


CRASH = """
import asyncio, os, sys
from ama2sec import Realm
async def main():
    async with Realm.dev(sys.argv[1]) as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        chat = (await a.send("0", to="b")).conversation
        for number in range(1, 6):
            await chat.send(str(number), to="b")
        async for message in b.inbox():
            if message.text == "3":
                os._exit(9)
asyncio.run(main())
"""


@on_loop
async def test_a_crash_in_a_handler_delivers_again_and_skips_nothing(tmp_path: Path) -> None:
    path = database(tmp_path)
    done = subprocess.run([sys.executable, "-c", CRASH, str(path)], cwd=REPOSITORY, check=False)
    assert done.returncode == 9
    async with Realm.dev(path) as realm:
        b = await realm.agent("b")
        assert await waiting(b) == [b"3", b"4", b"5"]


OTHER = """
import asyncio, sys
from ama2sec import Realm
async def main():
    async with Realm.dev(sys.argv[1]) as realm:
        async with await realm.agent("other") as other:
            print("ready", flush=True)
            async for message in other.inbox():
                await message.reply("echo " + message.text)
                if message.text == "end":
                    return
asyncio.run(main())
"""


@on_loop
async def test_two_processes_share_a_realm_and_only_one_has_an_agent(tmp_path: Path) -> None:
    path = database(tmp_path)
    async with Realm.dev(path) as realm:
        me = await realm.agent("me")
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", OTHER, str(path), cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        assert await child.stdout.readline() == b"ready\n"
        assert await code_of(realm.agent("other")) == "AgentInUse"
        inbox = me.inbox()
        for text in ("one", "two", "end"):
            await me.send(text, to="other")
            message = await anext(inbox)
            assert (message.text, message.sender) == (f"echo {text}", "other")
        assert await child.wait() == 0
        other = await realm.agent("other")
        assert await waiting(other) == []


@on_loop
async def test_the_keys_are_beside_the_log_and_nobody_elses(tmp_path: Path) -> None:
    path = database(tmp_path)
    async with Realm.dev(path) as realm:
        await realm.agent("a")
        folder = tmp_path / "orders.db.keys"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        names = {file.name for file in folder.iterdir()}
        assert {
            "sequencer.key",
            "root.key",
            "operator-1.key",
            "operator-2.key",
            "a.key",
            "a.state",
            "realm.json",
        } <= names
        for file in folder.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0 or file.name.endswith(".lock"), file
        seed = Identity.load(folder / "sequencer.key")._own_key().expose_seed()
    for file in tmp_path.glob("orders.db*"):
        if file.is_file():
            assert seed not in file.read_bytes()


@on_loop
async def test_a_realm_for_trying_out_says_so_for_ever(tmp_path: Path) -> None:
    path = database(tmp_path)
    async with Realm.dev(path) as realm:
        assert realm.is_dev
        purposes = [agent["purpose"] for agent in realm.engine.ask("registry")["agents"]]
        assert sorted(purposes) == ["operator", "operator", "root", "sequencer"]
        assert realm.engine.entries(0, 1)[0].claims["document"]["profile"] == 1
    async with Realm.open(path) as realm:
        assert realm.is_dev


@on_loop
async def test_a_realm_with_roots_of_its_own(tmp_path: Path) -> None:
    path, who = database(tmp_path), roots(3)
    async with Realm.create(path, name="acme", roots=who, operators=operators(), quorum=2) as realm:
        assert not realm.is_dev
        assert realm.engine.origin.startswith("acme/")
        assert await code_of(realm.agent("a")) == "NameUnknown"
        ada = Identity.generate("ada")
        id_ = await realm.enrol(ada, ["sellers"])
        agent = await realm.agent(ada)
        assert (agent.id, agent.groups) == (id_, ("sellers",))
        await agent.send("0", to="sellers")
    assert not (tmp_path / "orders.db.keys" / "ada.key").exists()
    assert not (tmp_path / "orders.db.keys" / "root-0.key").exists()
    assert await code_of(opened(Realm.dev(path))) == "ArgumentRange"
    async with Realm.open(path) as realm:
        assert await code_of(realm.enrol(Identity.generate("ben"))) == "NameUnknown"
    async with Realm.open(path, roots=who[:1]) as realm:
        proposal = await realm.enrol(Identity.generate("ben"))
        assert realm.registry().named("ben") is None
        assert await code_of(realm.approve("enrol", proposal)) == "ProposalInvalid"
    async with Realm.open(path, roots=who[1:2]) as realm:
        await realm.approve("enrol", proposal)
        assert realm.registry().named("ben") is not None
        assert await code_of(realm.approve("enrol", proposal)) == "ProposalInvalid"


async def opened(opening: Any) -> Realm:
    found: Realm = await opening
    await found.close()
    return found


@on_loop
async def test_who_is_revoked_says_nothing_any_more(tmp_path: Path) -> None:
    async with Realm.dev(database(tmp_path)) as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        await a.send("0", to="b")
        await realm.revoke("a", "lost its laptop", suspect_from=3)
        assert await code_of(a.send("1", to="b")) == "PrincipalRevoked"
        assert await code_of(b.send("1", to="a")) == "NameUnknown"
        await a.close()
        assert await code_of(realm.agent("a")) == "PrincipalRevoked"
        assert await code_of(realm.revoke("a")) == "NameUnknown"
        assert await code_of(realm.revoke("b", "x" * 257)) == "ClaimRange"


@on_loop
async def test_who_cannot_be_an_agent(tmp_path: Path) -> None:
    async with Realm.dev(database(tmp_path)) as realm:
        await realm.agent("a", groups=["sellers"])
        assert await code_of(realm.agent("a")) == "AgentInUse"
        assert await code_of(realm.agent("b", limit=0)) == "ArgumentRange"
        assert await code_of(realm.agent("../b")) == "NameForm"
        assert await code_of(realm.agent("root")) == "PurposeWrong"
        assert await code_of(realm.agent("operator-1")) == "PurposeWrong"
        c = await realm.agent("c")
        await c.close()
        assert await code_of(realm.agent("c", groups=["sellers"])) == "ArgumentRange"
        assert await code_of(realm.agent(Identity.generate("c"))) == "KeyUnknown"
        await realm.agent("c")


@on_loop
async def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = database(tmp_path)
    async with Realm.dev(path):
        assert await code_of(opened(Realm.create(path, name="acme", roots=roots()))) == "FileExists"
    os.unlink(path)
    assert await code_of(opened(Realm.dev(path))) == "FileExists"


@on_loop
async def test_a_realm_that_cannot_begin_leaves_nothing(tmp_path: Path) -> None:
    path = database(tmp_path)
    for how, code in [
        ({"name": "acme", "roots": roots(1)}, "GenesisInvalid"),
        ({"name": "acme", "roots": roots(2), "quorum": 3}, "GenesisInvalid"),
        ({"name": "acme", "roots": []}, "PurposeWrong"),
        ({"name": "acme", "roots": operators()}, "PurposeWrong"),
        ({"name": "Acme!", "roots": roots()}, "NameForm"),
        ({"name": "acme", "roots": roots(), "durability": "none"}, "ArgumentRange"),
    ]:
        assert await code_of(opened(Realm.create(path, **how))) == code  # type: ignore[arg-type]
        assert list(tmp_path.iterdir()) == []
    assert await code_of(opened(Realm.dev(tmp_path / "nowhere" / "orders.db"))) == "WriteFailed"
    assert await code_of(opened(Realm.open(path))) == "NameUnknown"


@on_loop
async def test_an_older_copy_is_seen_against_a_head_that_was_kept(tmp_path: Path) -> None:
    path, older = tmp_path / "now" / "orders.db", tmp_path / "older" / "orders.db"
    path.parent.mkdir()
    async with Realm.dev(path) as realm:
        a = await realm.agent("a")
        await a.send("0")
    shutil.copytree(path.parent, older.parent)
    async with Realm.dev(path) as realm:
        await (await realm.agent("a")).send("1")
        head = realm.head()
    for full in (False, True):
        async with Realm.open(path, head=head, full=full) as realm:
            assert realm.head() == head
        assert await code_of(opened(Realm.open(older, head=head, full=full))) == "CheckpointStale"


@on_loop
async def test_an_agent_that_knows_more_than_the_log_does_not_go_on(tmp_path: Path) -> None:
    path, older = tmp_path / "now" / "orders.db", tmp_path / "older" / "orders.db"
    path.parent.mkdir()
    async with Realm.dev(path) as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        await a.send("0", to="b")
    shutil.copytree(path.parent, older.parent)
    async with Realm.dev(path) as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        await a.send("1", to="b")
        await take(b, 2)
    shutil.copy(f"{path}.keys/b.state", f"{older}.keys/b.state")
    async with Realm.dev(older) as realm:
        assert await code_of(realm.agent("b")) == "CheckpointStale"


@on_loop
async def test_a_realm_is_used_on_its_own_loop_and_while_it_is_open(tmp_path: Path) -> None:
    async with Realm.dev(database(tmp_path)) as realm:
        a = await realm.agent("a")

        async def elsewhere() -> str:
            return await code_of(a.send("0"))

        assert await asyncio.to_thread(asyncio.run, elsewhere()) == "ArgumentRange"
    await realm.close()
    assert await code_of(realm.agent("b")) == "ArgumentRange"
    assert await code_of(realm.revoke("a")) == "ArgumentRange"


@on_loop
async def test_who_sends_without_end_lets_others_have_the_loop() -> None:
    async with Realm.dev() as realm:
        a, b = await realm.agent("a"), await realm.agent("b")
        chat = (await a.send("0", to="b")).conversation
        reading = asyncio.ensure_future(take(b, 10))
        for number in range(200):
            await chat.send(str(number), to="b")
        assert reading.done()


@on_loop
async def test_keys_of_another_realm_open_nothing(tmp_path: Path) -> None:
    one, two = tmp_path / "one.db", tmp_path / "two.db"
    for path in (one, two):
        async with Realm.dev(path):
            pass
    shutil.rmtree(tmp_path / "two.db.keys")
    shutil.copytree(tmp_path / "one.db.keys", tmp_path / "two.db.keys")
    assert await code_of(opened(Realm.dev(two))) == "RealmOther"
    (tmp_path / "two.db.keys" / "realm.json").write_text("{}")
    assert await code_of(opened(Realm.dev(two))) == "StateForm"


@on_loop
async def test_many_writers_in_a_file_at_once(tmp_path: Path) -> None:
    async with Realm.dev(database(tmp_path)) as realm:
        agents = [await realm.agent(f"agent-{number}", groups=["all"]) for number in range(8)]
        chat = (await agents[0].send("open", to="all")).conversation
        for agent in agents[1:]:
            await take(agent, 1)
        handles = [agent.conversation(chat.id) for agent in agents]
        sent = await asyncio.gather(*(each.send(f"{n}", to="all") for n, each in enumerate(handles) for _ in range(5)))
        assert sorted(each.index for each in sent) == list(range(1, 41))
        for agent in agents:
            assert len(await take(agent, 35)) == 35
        assert realm.engine.equivocations() == []


@on_loop
async def test_what_stops_the_watch_reaches_every_inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Realm.dev() as realm:
        b = await realm.agent("b")
        reading = asyncio.ensure_future(anext(b.inbox()))
        await asyncio.sleep(0)
        realm._router.fail(ama_error := Ama2Error("LogDamaged", "a log", "another"))
        with pytest.raises(Ama2Error) as caught:
            await reading
        assert caught.value is ama_error
        late = await realm.agent("c")
        assert await code_of(anext(late.inbox())) == "LogDamaged"


def test_a_realm_is_only_opened() -> None:
    with pytest.raises(TypeError):
        Realm()  # type: ignore[call-arg]
