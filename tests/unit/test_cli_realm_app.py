"""realm: a realm in a file from the command line, alone and while a program has it open."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from pathlib import Path

import pytest

from ama2sec import Ama2Error, Identity, Realm, check_ancestry, reference
from ama2sec.realm import parse_record
from tests.shell import Done, ama2sec, start


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def good(done: Done) -> Done:
    assert (done.status, done.err) == (0, ""), done
    return done


def realm(*arguments: str | Path) -> Done:
    return ama2sec("realm", *arguments)


async def talk(path: str = "orders.db") -> None:
    """Sales asks, the manager answers, sales says something in bytes without having read the answer."""
    async with Realm.dev(path, durability="normal") as opened:
        sales, manager = await opened.agent("sales"), await opened.agent("manager")
        order = await sales.send({"sku": 7}, to="manager")
        async for message in manager.inbox():
            await message.reply("yes")
            break
        await sales.send(b"\0\1", to="manager", conversation=order.conversation)


@pytest.fixture
def orders(here: Path) -> Path:
    good(realm("init", "orders.db", "--dev", "--durability", "normal"))
    asyncio.run(talk())
    return here / "orders.db"


def test_a_realm_for_trying_out_is_begun_and_listed(orders: Path) -> None:
    listed = good(realm("log", orders)).text.splitlines()
    assert len(listed) == 8
    assert "sales -> manager  '{\"sku\":7}'" in listed[5]
    assert "manager -> sales  'yes'" in listed[6]
    assert listed[7].endswith("[2 bytes, application/octet-stream]")
    kinds = [line["kind"] for line in good(realm("log", orders, "--json")).lines]
    assert kinds == ["genesis", "enrol", "enrol", "enrol", "enrol", "open", "message", "message"]


def test_the_list_is_filtered(orders: Path) -> None:
    def positions(*filters: str) -> list[int]:
        return [line["position"] for line in good(realm("log", orders, "--json", *filters)).lines]

    assert positions("--agent", "sales") == [5, 7]
    assert positions("--kind", "enrol") == [1, 2, 3, 4]
    assert positions("--from", "6") == [6, 7]
    assert positions("--rejected") == []
    chat = good(realm("log", orders, "--json", "--kind", "open")).lines[0]["conversation"]
    assert positions("--conversation", chat) == [5, 6, 7]
    assert realm("log", orders, "--conversation", "xyz").code == "ArgumentRange"
    assert realm("log", orders, "--from", "-1").code == "ArgumentRange"
    assert realm("log", orders, "--realm", "00" * 32).code == "RealmOther"


def test_a_list_follows_a_program_that_goes_on(orders: Path) -> None:
    following = start("realm", "log", orders, "--follow", "--json", "--from", "8")
    try:
        asyncio.run(talk())
        assert following.stdout is not None
        found = [json.loads(following.stdout.readline()) for _ in range(3)]
        assert [line["sender"] for line in found] == ["sales", "manager", "sales"]
    finally:
        following.send_signal(signal.SIGINT)
        _, err = following.communicate(timeout=30)
    assert b"Traceback" not in err


def test_one_entry_and_who_is_in_it(orders: Path) -> None:
    shown = good(realm("show", orders, "5", "--json")).json
    assert bytes.fromhex(shown["body"]) == b'{"sku":7}'
    assert parse_record(bytes.fromhex(shown["record"]))["position"] == 5
    assert shown["claims"]["kind"] == "open"
    assert "position        5" in good(realm("show", orders, "5")).text
    people = good(realm("show", orders, "--json")).json["agents"]
    assert {"sales", "manager", "operator-1", "operator-2", "root", "sequencer"} == {each["name"] for each in people}
    assert "message, live" in good(realm("show", orders)).text
    assert realm("show", orders, "8").code == "ArgumentRange"


@pytest.mark.parametrize("by", ["rust", "reference"])
def test_it_is_judged_again_against_a_head_that_was_kept(by: str, orders: Path) -> None:
    good(realm("head", orders, "--out", "kept"))
    asyncio.run(talk())
    found = good(realm("verify", orders, "--head", "kept", "--impl", by, "--json")).json
    assert (found["records"], found["tail"]) == (11, "checked")
    assert good(ama2sec("replay", orders, "--json", "--implementation", by)).json["tail"] == "unchecked"
    # An older copy put in its place.
    good(realm("backup", orders, "old.db"))
    good(realm("head", orders, "--out", "later"))
    asyncio.run(talk())
    newest = good(realm("head", orders)).text
    Path("newest").write_text(newest)
    assert realm("verify", "old.db", "--head", "later", "--impl", by).status == 0
    assert realm("verify", "old.db", "--head", "newest", "--impl", by, "--json").code == "CheckpointStale"


def test_a_file_that_was_edited_ends_the_list_with_its_fault(orders: Path) -> None:
    connection = sqlite3.connect(orders)
    connection.execute("UPDATE record SET record = zeroblob(164) WHERE position = 6")
    connection.commit()
    connection.close()
    done = realm("log", orders)
    assert (done.code, done.status, len(done.text.splitlines())) == ("RecordForm", 11, 6)
    assert realm("verify", orders, "--json").code == "RecordForm"
    assert realm("backup", orders, "b.db").code == "RecordForm"
    assert not Path("b.db").exists()
    assert realm("head", orders).code == "RecordForm"


def test_a_conversation_of_a_file_is_drawn_and_its_ancestry_proved(orders: Path) -> None:
    assert "manager: message" in good(realm("dag", orders)).text
    good(realm("dag", orders, "--format", "svg", "--out", "talk.svg"))
    assert Path("talk.svg").read_text().startswith("<svg")
    ids = [line["id"] for line in good(realm("log", orders, "--json", "--from", "5")).lines]
    good(ama2sec("dag", orders, "--is-ancestor", ids[0], ids[1], "--proof", "one.proof"))
    assert Path("one.proof").stat().st_size > 0
    assert callable(check_ancestry)


def test_a_backup_is_put_back_behind_a_term(orders: Path) -> None:
    head = good(realm("backup", orders, "monday.db")).text
    Path("kept").write_text(head)
    good(realm("verify", "monday.db", "--head", "kept"))
    asyncio.run(talk())
    good(realm("head", orders, "--out", "later"))
    for file in orders.parent.glob("orders.db*"):
        if file.is_file():
            file.unlink()
    again = ("restore", "monday.db", orders, "--reason", "the disk")
    good(realm(*again, "--head", "kept"))
    assert realm(*again).code == "FileExists"
    halt, term = good(realm("log", orders, "--json")).lines[-2:]
    assert (halt["kind"], term["kind"]) == ("local-halt", "term")
    # Nobody can say what was in force: it starts stopped, until an operator says that it may go on.
    with pytest.raises(Ama2Error, match="Latched"):
        asyncio.run(talk())
    good(ama2sec("resume", orders, halt["id"], "--key", f"{orders}.keys/operator-1.key"))
    asyncio.run(talk())
    good(realm("verify", orders, "--head", "kept", "--impl", "reference"))
    assert realm("verify", orders, "--head", "later", "--json").code in {"CheckpointStale", "CheckpointForked"}


def test_a_restore_that_fails_leaves_nothing(orders: Path) -> None:
    good(realm("backup", orders, "monday.db"))
    moved = orders.parent / "elsewhere.db"
    # No keys beside it: nobody could go on with it.
    assert realm("restore", "monday.db", moved, "--reason", "x").code == "NameUnknown"
    assert not list(orders.parent.glob("elsewhere*"))
    assert realm("restore", "none.db", moved, "--reason", "x").code == "FileUnreadable"


def test_a_realm_for_work_asks_for_its_roots(here: Path) -> None:
    for name, purpose in (
        ("ada", "root"),
        ("ben", "root"),
        ("cy", "operator"),
        ("dee", "operator"),
        ("bot", "message"),
    ):
        Identity.generate(name, purpose=purpose).save(f"{name}.key", passphrase=None)
    roots = ("--root", "ada.key", "--root", "ben.key")
    wardens = ("--operator", "cy.key", "--operator", "dee.key")
    made = good(realm("init", "work.db", "--name", "work", *roots, *wardens, "--quorum", "2", "--json")).json
    assert good(realm("verify", "work.db", "--realm", made["realm"], "--json")).json["realm_is"] == "checked"
    assert realm("enrol", "work.db", "bot.key").code == "NameUnknown"
    good(realm("enrol", "work.db", "bot.key", "--group", "bots", *roots))
    assert "bot" in good(realm("show", "work.db")).text
    good(realm("revoke", "work.db", "bot", "--reason", "done", *roots))
    states = {each["name"]: each["live"] for each in good(realm("show", "work.db", "--json")).json["agents"]}
    assert (states["bot"], states["ada"]) == (False, True)
    assert not any(Path("work.db.keys").glob("ada.key*"))
    found = reference.replay(bytes(_exported()))
    assert found.records == 1 + 2 * 2 + 2 + 2


def _exported() -> bytes:
    from ama2sec._native import RealmFile

    return RealmFile.open("work.db").export()


def test_wrong_calls_are_the_callers_fault(here: Path) -> None:
    assert realm("init", "a.db").code == "ArgumentRange"
    assert realm("init", "a.db", "--dev", "--name", "x").code == "ArgumentRange"
    assert realm("init", "a.db", "--dev", "--durability", "never").code == "ArgumentRange"
    assert not list(here.iterdir())
    good(realm("init", "a.db", "--dev"))
    assert realm("init", "a.db", "--dev").code == "FileExists"
    assert realm("log", "none.db").code == "FileUnreadable"
    Path("text").write_text("not a database at all, but long enough to be looked at")
    assert realm("log", "text").code == "LogForm"
    assert realm("verify", "text").status != 0
