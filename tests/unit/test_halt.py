"""Scopes as text, what is latched as values, and what is wrong with a call (spec halt)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ama2sec
from ama2sec import Ama2Error, Id, Identity, halt, sync
from ama2sec.reference import encode

ID, OTHER = Id(bytes([0xAB]) * 32), Id(bytes([2]) * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with sync.Realm.dev(tmp_path / "orders.db"):
        return tmp_path / "orders.db"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("realm", [0]),
        (f"conversation:{ID}", [1, bytes(ID)]),
        (f"branch:{ID}:{OTHER}", [2, bytes(ID), bytes(OTHER)]),
        (f"instance:{ID}:{OTHER}", [3, bytes(ID), bytes(OTHER)]),
        ("definition:orders", [4, "orders"]),
        (f"agent:{ID}", [5, bytes(ID)]),
    ],
)
def test_a_scope_has_one_text_and_one_form(text: str, form: list[object], path: Path) -> None:
    assert halt.encode_scope(text) == encode(form)
    stopped = ama2sec.stop(path, text, "why")
    (found,) = ama2sec.stop_status(path).stops
    assert (found.scope, found.reason, found.kind, found.halt) == (text, "why", "local-halt", stopped.halt)


@pytest.mark.parametrize(
    "text",
    ["", "everything", "realm:", f"realm:{ID}", "conversation", "conversation:12", f"conversation:{ID}:{OTHER}",
     f"branch:{ID}", f"agent:{ID}:", "definition:", "definition:a b", f"definition:a:{ID}", f"conversation:{str(ID).upper()}"],
)  # fmt: skip
def test_what_is_no_scope_stops_nothing_and_says_so(text: str, path: Path) -> None:
    with pytest.raises(Ama2Error) as caught:
        ama2sec.stop(path, text)
    assert (caught.value.code, caught.value.blame) == ("ArgumentRange", "caller")
    assert not ama2sec.stop_status(path).stopped


def test_where_no_realm_is_nothing_is_made(tmp_path: Path) -> None:
    for call in (ama2sec.stop, ama2sec.stop_status, halt.drill):
        with pytest.raises(Ama2Error, match="FileUnreadable"):
            call(tmp_path / "nowhere.db")
    assert not list(tmp_path.iterdir())


SMALL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
from ama2sec import Ama2Error, sync
try:
    sync.Realm.dev(sys.argv[1])
except Ama2Error as fault:
    print(fault.code)
"""


def test_a_realm_that_cannot_have_a_sidecar_does_not_begin(tmp_path: Path) -> None:
    """There is room for its log, and not for what stops it: nothing is left of it."""
    done = subprocess.run(
        [sys.executable, "-c", SMALL, tmp_path / "orders.db"], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("LogFailed\n", 0), done
    assert not list(tmp_path.iterdir())


def test_what_lies_in_the_sidecars_place_is_a_stop(tmp_path: Path) -> None:
    (tmp_path / "orders.db.stop").mkdir()
    with sync.Realm.dev(tmp_path / "orders.db") as realm, pytest.raises(Ama2Error, match="Latched"):
        realm.agent("sales").send("past it")


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("é" * 128, "é" * 128),
        ("é" * 129, "é" * 126 + "..."),
        ("x" * 257, "x" * 253 + "..."),
        ("\udce9" * 300, "?" * 253 + "..."),
    ],
)
def test_a_reason_that_is_too_long_keeps_nobody_from_a_stop(
    path: Path, reason: str, kept: str, *, signed: bool
) -> None:
    operator = Identity.load(f"{path}.keys/operator-1.key", passphrase=None) if signed else None
    assert ama2sec.stop(path, reason=reason, operator=operator).outcome == "latched"
    assert [stop.reason for stop in ama2sec.stop_status(path).stops] == [kept]


def test_a_signed_stop_is_the_operators_and_latched_once(path: Path) -> None:
    operator = Identity.load(f"{path}.keys/operator-1.key", passphrase=None)
    stopped = ama2sec.stop(path, operator=operator)
    assert stopped.halt is not None
    with sync.Realm.dev(path) as realm:
        with pytest.raises(Ama2Error, match="Latched"):
            realm.agent("sales").send("past it")
        entry = realm.engine.entries(realm.engine.records - 2, 2)
        assert [each.claims["kind"] for each in entry if each.id == stopped.halt] == ["halt"]
    with pytest.raises(Ama2Error, match="KeyUnknown"):
        ama2sec.stop(path, operator=Identity.generate("eve", purpose="operator"))


def test_a_realm_in_memory_is_stopped_by_its_operators_alone() -> None:
    with sync.Realm.dev() as realm:
        sales = realm.agent("sales")
        stopped = realm.dev_operator().stop(reason="enough")
        assert stopped.quiesced and stopped.alarm is None  # noqa: PT018
        with pytest.raises(Ama2Error, match="Latched"):
            sales.send("past it")
        realm.dev_operator().resume([stopped.halt])
        sales.send("going on")


def test_a_missing_sidecar_is_made_by_a_stop_and_named_by_who_opens_it(path: Path) -> None:
    Path(f"{path}.stop").unlink()
    assert ama2sec.stop_status(path).stopped
    stopped = ama2sec.stop(path, reason="first of all")
    assert (stopped.halt, stopped.outcome) == (None, "latched")
    with sync.Realm.dev(path) as realm:
        with pytest.raises(Ama2Error, match="Latched"):
            realm.agent("sales").send("past it")
        (found,) = ama2sec.stop_status(path).stops
        assert (found.reason, found.halt is None) == ("first of all", False)
