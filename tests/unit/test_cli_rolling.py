"""``realm rollback``: what falls is shown before anything is signed, and exactly that is signed; what cannot be is refused by its code."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ama2sec import Ama2Error, Id, Identity, Realm, halt
from ama2sec.cli import rolling
from tests.on_loop import on_loop, take
from tests.order_desk import SHIPPED, Orders
from tests.shell import PROGRAM, Done, ama2sec, process, terminal


@dataclass(frozen=True)
class World:
    """An order that was placed and checked, with a remark and a branch of the warehouse."""

    path: Path
    chat: Id
    placed: int
    stocked: Id
    fork: Id

    def rollback(self, *arguments: str | Path) -> Done:
        return ama2sec("realm", "rollback", self.path, *arguments)

    def kinds(self) -> list[str]:
        return [entry["kind"] for entry in ama2sec("realm", "log", self.path, "--json").lines]


async def told(path: Path) -> World:
    async with Realm.dev(path, durability="normal") as realm:
        orders = await Orders(realm).open()
        placed = await orders.place()
        await placed.conversation.send("by the way: nothing is urgent", to="billing")
        stocked = await orders.take(orders.warehouse, "check_stock", in_stock=True)
        await orders.take(orders.billing, "authorize", authorized=True)
        fork = await orders.warehouse.conversation(orders.order.id).fork(on_stale="rebase")
        return World(path, orders.order.id, placed.position, stocked.id, fork.branch)


async def more(world: World, *steps: tuple[str, str, Any]) -> None:
    async with Realm.dev(world.path) as realm:
        orders = await Orders(realm).open()
        orders.order = orders.sales.conversation(world.chat)
        for who, step, body in steps:
            await orders.take(getattr(orders, who), step, body)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    return asyncio.run(told(tmp_path / "orders.db"))


SHIP = (("warehouse", "pack", "packed"), ("warehouse", "ship", SHIPPED))


def test_a_dry_run_shows_what_falls_and_signs_nothing(world: World) -> None:
    before = world.kinds()
    done = world.rollback("--to", str(world.placed), "--dry-run")
    assert (done.status, done.err) == (0, "")
    chat, fork = world.chat.short, world.fork.short
    lines = done.text.splitlines()
    assert lines[0] == "would be undone: 4 entries in 2 branches"
    assert lines[1] == f"conversation    {world.chat}"
    assert lines[2] == f"stays           {world.placed:>6}  ada -> billing, warehouse: place"
    assert f"branch          {chat}: keeps its first 1, 3 undone" in lines
    assert f"                {world.placed + 1:>6}  ada -> billing: note  'by the way: nothing is urgent'" in lines
    assert f"                {world.placed + 3:>6}  bea: authorize" in lines
    assert f"branch          {fork}: falls whole, 1 undone" in lines
    assert f"                {world.placed + 4:>6}  walter: fork" in lines
    assert "addressed to    billing, all members" in lines
    assert any(line.startswith("compensate      release, for authorize ") for line in lines)
    assert "who may         sales" in lines
    assert lines[-1] == "nothing was signed"
    assert all(len(line) <= 80 for line in lines)
    assert world.kinds() == before


def test_a_dry_run_for_programs(world: World) -> None:
    found = world.rollback("--to", str(world.placed), "--dry-run", "--json").json
    assert (found["ok"], found["code"], found["count"], len(found["messages"])) == (True, None, 4, 4)
    assert found["conversation"] == str(world.chat)
    assert [cut["keeps"] for cut in found["branches"] if cut["branch"] == str(world.chat)] == [1]
    assert [(step["step"], step["compensation"]) for step in found["steps"]] == [
        ("authorize", "release"),
        ("check_stock", None),
    ]
    # By an id, and with its conversation by the first digits.
    again = world.rollback(
        "--to", str(world.stocked), "--conversation", str(world.chat)[:12], "--dry-run", "--json"
    ).json
    assert (again["count"], again["to"]) == (2, str(world.stocked))


def test_it_is_signed_and_the_log_says_what_was_undone(world: World) -> None:
    done = world.rollback("--to", str(world.placed), "--agent", "ada", "--reason", "wrong customer", "--yes")
    assert (done.status, done.err) == (0, "")
    assert done.text.splitlines()[0] == "to be undone: 4 entries in 2 branches"
    assert "rolled back: 4 undone" in done.text
    entries = ama2sec("realm", "log", world.path, "--json", "--from", str(world.placed)).lines
    assert [entry["undone"] for entry in entries] == [False, True, True, True, True, False]
    assert [entry["note"] for entry in entries] == [False, True, False, False, False, False]
    assert [entry["step"] and entry["step"]["step"] for entry in entries[:4]] == [
        "place",
        None,
        "check_stock",
        "authorize",
    ]
    assert entries[3]["step"]["outputs"] == {"authorized": True}
    assert entries[2]["step"]["instance"] == str(world.chat)
    shown = ama2sec("realm", "log", world.path, "--from", str(world.placed)).text.splitlines()
    of = f"(order_processing {world.chat.short})"
    assert f"  place {of}  " in shown[0]
    assert "  UNDONE  note  " in shown[1]
    assert f"walter  UNDONE  check_stock {of}  " in shown[2]
    assert shown[5].endswith(f"rollback ada  back to 1 of {world.chat.short}, 4 undone: 'wrong customer'")
    one = ama2sec("realm", "show", world.path, str(world.placed + 2)).text
    assert f"step            check_stock {of}" in one
    assert "undone          True" in one
    assert ama2sec("realm", "verify", world.path, "--impl", "reference").status == 0


def test_a_key_file_and_json(world: World) -> None:
    key = f"{world.path}.keys/ada.key"
    found = world.rollback("--to", str(world.placed), "--key", key, "--yes", "--json").json
    assert (found["ok"], found["count"]) == (True, 4)
    assert [each["step"] for each in found["compensations"]] == ["release"]
    assert found["branch"] != str(world.chat)
    asyncio.run(_goes_on(world, Id.from_hex(found["branch"])))
    assert world.rollback("--to", str(world.stocked), "--dry-run").code == "RollbackTarget"


async def _goes_on(world: World, branch: Id) -> None:
    async with Realm.dev(world.path) as realm:
        orders = await Orders(realm).open()
        orders.order = orders.sales.conversation(world.chat)
        await orders.take(orders.warehouse, "check_stock", branch=branch, in_stock=False)


def test_what_lies_behind_a_point_of_no_return_is_refused_by_name(world: World) -> None:
    asyncio.run(more(world, *SHIP))
    before = world.kinds()
    for how in (("--dry-run",), ("--agent", "ada", "--yes")):
        done = world.rollback("--to", str(world.placed), *how)
        assert (done.status, done.code) == (17, "RollbackPivot")
        assert "NO RETURN       ship " in done.text
        assert "got ship (" in done.err
        assert "[spec admission.2.29]" in done.err
        again = world.rollback("--to", str(world.placed), *how, "--json")
        assert (again.status, again.json["ok"], again.code) == (17, False, "RollbackPivot")
    assert world.kinds() == before, "what is known to be refused is not signed"
    # Behind the pivot itself nothing is in the way.
    asyncio.run(more(world, ("billing", "invoice", "sent")))
    assert world.rollback("--to", str(len(before) - 1), "--agent", "ada", "--yes").status == 0


def test_who_may(world: World) -> None:
    before = world.kinds()
    done = world.rollback("--to", str(world.placed), "--agent", "walter", "--yes")
    assert (done.status, done.code) == (13, "RollbackRole")
    assert "expected somebody of sales, got walter" in done.err
    assert world.rollback("--to", str(world.placed), "--agent", "walter", "--dry-run").code == "RollbackRole"
    # Nobody is enrolled on the way, as a realm for trying out would do.
    assert world.rollback("--to", str(world.placed), "--agent", "adda", "--yes").code == "NameUnknown"
    assert world.rollback("--to", str(world.placed), "--agent", "root", "--yes").code == "NameUnknown"
    stranger = Identity.generate("eve")
    stranger.save("eve.key", passphrase=None)
    assert world.rollback("--to", str(world.placed), "--key", "eve.key", "--yes").code == "NameUnknown"
    assert world.kinds() == before
    assert ama2sec("realm", "revoke", world.path, "ada").status == 0
    assert world.rollback("--to", str(world.placed), "--agent", "ada", "--yes").code == "NameUnknown"


def test_a_stop_is_shown_and_holds(world: World) -> None:
    halt.stop(world.path, f"branch:{world.chat}:{world.fork}")
    done = world.rollback("--to", str(world.placed), "--dry-run")
    assert "STOPPED         a stop is in force here" in done.text
    refused = world.rollback("--to", str(world.placed), "--agent", "ada", "--yes")
    assert (refused.status, refused.code) == (18, "HaltedByEffect")
    halt.stop(world.path)
    refused = world.rollback("--to", str(world.placed), "--agent", "ada", "--yes")
    assert (refused.status, refused.code) == (18, "Latched")


def test_how_often_is_the_logs_verdict(world: World) -> None:
    at = str(world.placed)
    for _ in range(3):
        found = world.rollback("--to", at, "--agent", "ada", "--yes", "--json").json
        asyncio.run(_goes_on(world, Id.from_hex(found["branch"])))
    done = world.rollback("--to", at, "--agent", "ada", "--yes")
    assert (done.status, done.code) == (14, "RollbackCap")


def test_exactly_what_was_shown_is_signed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sign = rolling._sign

    async def late(*given: Any) -> Any:
        async with Realm.dev(world.path) as realm:
            orders = await Orders(realm).open()
            await orders.sales.conversation(world.chat).send("one more", on_stale="rebase")
        return await sign(*given)

    monkeypatch.setattr(rolling, "_sign", late)
    done = world.rollback("--to", str(world.placed), "--agent", "ada", "--yes")
    assert (done.status, done.code) == (14, "RollbackIncomplete")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to", "5", "--yes"),
        ("--to", "5", "--agent", "ada", "--key", "x.key", "--yes"),
        ("--to", "5", "--agent", "Ada Lovelace", "--yes"),
        ("--to", "999", "--dry-run"),
        ("--to", "-1", "--dry-run"),
        ("--to", "0", "--dry-run"),
        ("--to", "7", "--dry-run", "--reason", "é" * 129),
        ("--to", "zz", "--dry-run"),
        ("--to", "ab" * 32, "--dry-run"),
        ("--to", "8", "--conversation", "", "--dry-run"),
        ("--to", "8", "--conversation", "zz", "--dry-run"),
    ],
)
def test_what_it_does_not_take(world: World, arguments: tuple[str, ...]) -> None:
    done = world.rollback(*arguments)
    assert (done.status, done.code) == (20, "ArgumentRange"), done


def test_nothing_behind_it(world: World) -> None:
    last = str(len(world.kinds()) - 1)
    assert world.rollback("--to", last, "--dry-run").code == "RollbackTarget"


def test_a_script_says_yes_and_a_person_is_asked(world: World) -> None:
    command = ("realm", "rollback", world.path, "--to", str(world.placed), "--agent", "ada")
    before = world.kinds()
    done = process(*command)
    assert (done.status, done.out, done.code) == (20, b"", "ArgumentRange")
    assert "a terminal to ask on" in done.err
    # A program reads JSON, and answers no question.
    assert process(*command, "--json").code == "ArgumentRange"
    status, shown = terminal(*command, answers=[("[y/N] ", b"\n")])
    assert (status, "nothing was signed" in shown, world.kinds()) == (20, True, before)
    status, shown = terminal(*command, answers=[("[y/N] ", b"yes\n")])
    assert (status, "rolled back: 4 undone" in shown) == (0, True)
    assert world.kinds()[-1] == "rollback"


def test_long_branches_are_counted_and_not_listed(world: World) -> None:
    asyncio.run(_remarks(world))
    done = world.rollback("--to", str(world.placed), "--dry-run")
    assert "would be undone: 24 entries" in done.text
    assert "and 11 more" in done.text


async def _remarks(world: World) -> None:
    async with Realm.dev(world.path) as realm:
        orders = await Orders(realm).open()
        for number in range(20):
            await orders.sales.conversation(world.chat).send(f"{number}", on_stale="rebase")


def test_while_a_program_has_it_open(world: World) -> None:
    """Whoever has a message is told, in his own process; an agent that is open there cannot sign here."""
    command = [*PROGRAM, "realm", "rollback", str(world.path), "--to", str(world.placed), "--yes", "--agent"]

    async def running(agent: str) -> tuple[int, bytes]:
        made = await asyncio.create_subprocess_exec(
            *command, agent, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        _, err = await made.communicate()
        return made.returncode or 0, err

    @on_loop
    async def held() -> None:
        async with Realm.dev(world.path) as realm:
            billing = await realm.agent("bea")
            _, _, stocked = await take(billing, 3)
            permit = billing.permit(stocked, seconds=60)
            permit.check()
            sales = await realm.agent("ada")
            status, err = await running("ada")
            assert (status, err.split(b":")[0]) == (20, b"AgentInUse")
            await sales.close()
            assert await running("ada") == (0, b"")
            while not stocked.undone:
                await asyncio.sleep(0.01)
            with pytest.raises(Ama2Error) as caught:
                permit.check()
            assert caught.value.code == "MessageUndone"

    held()
