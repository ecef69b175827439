"""Realms of every schema version that there was open in this one, say what they said, and go on (spec log.1.1)."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ama2sec import Id, Identity, Realm, reference, verify_export
from ama2sec._native import RealmFile
from tests.on_loop import on_loop, take, waiting
from tests.shell import REPOSITORY

STORED = sorted((REPOSITORY / "tests" / "fixtures").glob("realm-*"))


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


@pytest.fixture(params=STORED, ids=lambda folder: folder.name)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A copy, with the modes that a version control does not keep. What is stored stays as it is."""
    stored, copy = request.param, tmp_path / "old"
    before = (stored / "realm.db").read_bytes()
    shutil.copytree(stored, copy)
    (copy / "realm.db.keys").chmod(0o700)
    for kept in [copy / "realm.db", *copy.glob("realm.db.keys/*"), *copy.glob("roots/*")]:
        kept.chmod(0o600)
    yield copy
    assert sorted(path.name for path in stored.iterdir()) == ["found.json", "realm.db", "realm.db.keys", "roots"]
    assert (stored / "realm.db").read_bytes() == before


def found_in(old: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((old / "found.json").read_text())
    return found


def digests(engine: Any, found: dict[str, Any]) -> dict[str, str]:
    return {name: str(engine.state_digest(Id.from_hex(talk))) for name, talk in found["conversations"].items()}


def by_reference(data: bytes, found: dict[str, Any], head: str) -> None:
    again = reference.replay(data, realm=bytes.fromhex(found["realm"]), checkpoint=head.encode())
    assert again.tail_compared
    assert again.state.registry is not None
    assert reference.registry_digest(again.state.registry).hex() == found["registry"]
    for name, talk in found["conversations"].items():
        kept = again.state.conversations[bytes.fromhex(talk)]
        assert reference.conversation_digest(kept).hex() == found["digests"][name]


def test_each_version_that_there_was_is_stored(tmp_path: Path) -> None:
    from ama2sec.sync import Realm as Now

    with Now.dev(tmp_path / "now.db"):
        pass
    now = version_of(tmp_path / "now.db")
    assert [folder.name for folder in STORED] == [f"realm-{number}" for number in range(1, now + 1)]
    for folder in STORED:
        assert folder.name == f"realm-{version_of(folder / 'realm.db')}"


@pytest.mark.parametrize("full", [False, True], ids=["quick", "full"])
@on_loop
async def test_it_opens_and_is_what_it_was(old: Path, full: bool) -> None:
    found = found_in(old)
    async with Realm.open(old / "realm.db", head=found["kept"], full=full) as realm:
        engine = realm.engine
        assert (str(realm.id), engine.records, realm.head()) == (found["realm"], found["records"], found["head"])
        assert str(engine.state_digest()) == found["registry"]
        assert digests(engine, found) == found["digests"]
        entries = engine.entries(0, engine.records)
        assert [entry.body and entry.body.hex() for entry in entries] == found["bodies"]
        assert [entry.code for entry in entries if entry.code is not None] == found["rejected"]
        (secret,) = [entry for entry in entries if str(entry.id) == found["conversations"]["secret"]]
        assert (secret.body, secret.body_state) == (None, "withheld")
        assert {node.kind for node in realm.dag(Id.from_hex(found["conversations"]["order"])).timeline()} == {
            "open",
            "message",
            "fork",
            "close",
        }


@on_loop
async def test_it_goes_on(old: Path) -> None:
    found, path = found_in(old), old / "realm.db"
    roots = [Identity.load(key) for key in sorted((old / "roots").iterdir())]
    order = Id.from_hex(found["conversations"]["order"])
    async with Realm.open(path, roots=roots) as realm:
        sales, manager = await realm.agent("sales"), await realm.agent("manager")
        assert (await waiting(manager))[-1] == b"this one waits"
        last = (await take(manager, len(await waiting(manager))))[-1]
        answer = await last.reply("it has waited for long")
        more = await manager.conversation(order).send("and the order?", to="sales")
        # The note of clerk had waited as well.
        assert [message.id for message in await take(sales, 3)][1:] == [answer.id, more.id]
        fresh = Identity.generate("fresh")
        await realm.enrol(fresh)
        head, size = realm.head(), realm.engine.records
        assert size == found["records"] + 4
    # Numbers go on, and both of its heads are of one history.
    async with Realm.open(path, head=found["head"], full=True) as realm:
        assert (realm.head(), realm.engine.records) == (head, size)
        assert await waiting(await realm.agent("manager")) == []
    assert verify_export(RealmFile.open(path).export(), realm=Id.from_hex(found["realm"]), head=head).messages


def test_both_implementations_replay_it(old: Path) -> None:
    found, file = found_in(old), RealmFile.open(old / "realm.db")
    assert file.refresh() == found["records"]
    file.check_kept(found["head"])
    data = file.export()
    by_reference(data, found, found["head"])
    verified = verify_export(data, realm=Id.from_hex(found["realm"]), head=found["kept"]).verified
    assert (verified.records, verified.realm_state, verified.tail) == (found["records"], "checked", "checked")
    assert str(verified.state_digest()) == found["registry"]
    assert digests(verified, found) == found["digests"]


def test_what_was_erased_and_the_keys_are_not_in_its_file(old: Path) -> None:
    data = (old / "realm.db").read_bytes()
    assert b"two offers, please" in data
    assert b"Long Street" not in data
    for key in [*old.glob("realm.db.keys/*.key"), *old.glob("roots/*.key")]:
        # identity.4: behind the name stand the seed and 16 bytes over all.
        assert key.read_bytes()[-48:-16] not in data
