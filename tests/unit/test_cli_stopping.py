"""``stop`` and ``resume`` from a terminal: what they print, and their exit statuses."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ama2sec import Realm
from tests.shell import PROGRAM, Done, ama2sec


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert ama2sec("realm", "init", "orders.db", "--dev").status == 0
    return tmp_path / "orders.db"


def stop(*arguments: str | Path) -> Done:
    return ama2sec("stop", *arguments)


def test_a_stop_its_status_and_its_end(orders: Path) -> None:
    assert stop(orders, "--status").text == "not stopped\n"
    done = stop(orders, "--reason", "wrong prices", "--json")
    assert (done.status, done.json["outcome"], done.json["quiesced"], done.json["alarm"]) == (0, "latched", True, None)
    halt = done.json["halt"]
    status = stop(orders, "--status", "--json")
    assert status.status == 18
    (found,) = status.json["stops"]
    assert (found["halt"], found["scope"], found["reason"], found["kind"]) == (
        halt,
        "realm",
        "wrong prices",
        "local-halt",
    )
    shown = stop(orders, "--status")
    assert shown.status == 18
    assert shown.text.startswith("STOPPED\n") and "wrong prices" in shown.text  # noqa: PT018
    key = f"{orders}.keys/operator-2.key"
    assert ama2sec("resume", orders, halt, "--key", key).status == 0
    assert "that wait for a program" in stop(orders, "--status").text

    async def opens() -> None:
        async with Realm.dev(orders) as realm:
            await (await realm.agent("sales")).send("going on")

    asyncio.run(opens())
    assert stop(orders, "--status", "--json").json == {
        "ok": True,
        "stopped": False,
        "fault": None,
        "stops": [],
        "resumes": 0,
    }
    kinds = [line["kind"] for line in ama2sec("realm", "log", orders, "--json").lines]
    assert kinds[3:5] == ["local-halt", "resume"]


def test_an_operator_signs_with_his_key(orders: Path) -> None:
    done = stop(orders, "--key", f"{orders}.keys/operator-1.key")
    assert done.status == 0
    assert "signed, scope realm" in done.text
    assert stop(orders, "--status", "--json").json["stops"][0]["kind"] == "halt"


def test_a_drill_stops_nothing(orders: Path) -> None:
    command = [*PROGRAM, "stop", str(orders), "--drill", "--json", "--wait", "3000"]

    async def drilled() -> tuple[int, bytes]:
        async with Realm.dev(orders):
            running = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
            out, _ = await running.communicate()
            return running.returncode or 0, out

    status, out = asyncio.run(drilled())
    found = json.loads(out)
    assert (status, found["programs"], found["saw"]) == (0, 1, 1)
    assert stop(orders, "--status").status == 0
    assert "nothing was stopped" in stop(orders, "--drill").text


def test_a_reason_in_another_encoding_keeps_nobody_from_a_stop(orders: Path) -> None:
    """As Python gives what a terminal in Latin-1 has sent: the stop is in force, and says what could be read."""
    assert stop(orders, "--reason", "M\udcfcller: wrong prices").status == 0
    (found,) = stop(orders, "--status", "--json").json["stops"]
    assert found["reason"] == "M?ller: wrong prices"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--scope", "nonsense"), "ArgumentRange"),
        (("--status", "--drill"), "ArgumentRange"),
    ],
)
def test_a_wrong_argument_stops_nothing(orders: Path, arguments: tuple[str, ...], code: str) -> None:
    assert stop(orders, *arguments).code == code
    assert stop(orders, "--status").status == 0


def test_wrong_halts_and_wrong_keys(orders: Path) -> None:
    halt = stop(orders, "--json").json["halt"]
    assert ama2sec("resume", orders, "12", "--key", f"{orders}.keys/operator-1.key").status == 20
    assert ama2sec("resume", orders, halt, "--key", f"{orders}.keys/sequencer.key").code == "KeyUnknown"
    assert stop(orders.parent / "nowhere.db").code == "FileUnreadable"
    assert len(stop(orders, "--status", "--json").json["stops"]) == 1
