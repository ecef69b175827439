"""Bodies that are erased by order of the roots (spec registry.3, log.5)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ama2sec import Id, Identity, Realm, reference, sync
from tests.on_loop import code_of, database, on_loop, take

SECRET = b"her address is 1 Long Street " * 700
"""Large enough for overflow pages."""

READS = """
import sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, isolation_level=None)
connection.execute("BEGIN")
connection.execute("SELECT count(*) FROM record").fetchone()
print("reads", flush=True)
sys.stdin.read()
"""


def traces(path: Path) -> int:
    """How often the secret stands in the realm's file and in what lies beside it."""
    files = [file for file in path.parent.glob(path.name + "*") if file.is_file()]
    assert path in files
    return sum(file.read_bytes().count(SECRET[:29]) for file in files)


def roots() -> tuple[Identity, Identity]:
    return Identity.generate("ada", purpose="root"), Identity.generate("ben", purpose="root")


async def said(realm: Realm, path: Path) -> Id:
    """A message with the secret, from one who is enrolled to another; read and acknowledged."""
    for name in ("sales", "manager"):
        identity = Identity.generate(name)
        identity.save(Path(f"{path}.keys") / f"{name}.key", passphrase=None)
        await realm.enrol(identity)
    sales, manager = await realm.agent("sales"), await realm.agent("manager")
    sent = await sales.send(SECRET, to="manager")
    (message,) = await take(manager, 1)
    assert message.body == SECRET
    assert traces(path) > 0
    return sent.id


def state_of(realm: Realm, message: Id) -> str:
    return next(entry for entry in realm.entries(0, 100) if entry.id == message).body_state


@on_loop
async def test_two_roots_erase_a_body_from_every_file(tmp_path: Path) -> None:
    path, both = database(tmp_path), roots()
    async with Realm.create(path, name="acme", roots=both) as realm:
        message = await said(realm, path)
        erasure = await realm.erase(message, "she has asked for it")
        assert (erasure.state, traces(path)) == ("done", 0)
        assert not await realm.erasure_pending()
        assert state_of(realm, message) == "withheld"
        assert await code_of(realm.erase(message)) == "EraseInvalid"
        entry = next(entry for entry in realm.entries(0, 100) if entry.id == erasure.proposal)
        assert entry.claims["erasure"] == {"message": str(message), "reason": "she has asked for it"}
        exported, head = realm.export(), realm.head()
    # History verifies without it, and it does not come back.
    found = reference.replay(exported, realm=bytes(realm.id), checkpoint=head.encode())
    assert bytes(message) in found.state.registry.erased
    async with Realm.open(path, head=head) as realm:
        assert (state_of(realm, message), traces(path)) == ("withheld", 0)


@on_loop
async def test_where_one_root_is_here_it_waits_for_another(tmp_path: Path) -> None:
    path, (ada, ben) = database(tmp_path), roots()
    async with Realm.create(path, name="acme", roots=[ada, ben]) as realm:
        message = await said(realm, path)
    async with Realm.open(path, roots=[ada]) as realm:
        erasure = await realm.erase(message)
        assert (erasure.state, state_of(realm, message)) == ("waiting", "present")
        assert traces(path) > 0
        assert await code_of(realm.approve("erase", erasure.proposal)) == "ProposalInvalid"
    async with Realm.open(path, roots=[ben]) as realm:
        await realm.approve("erase", erasure.proposal)
        assert not await realm.erasure_pending()
        assert (state_of(realm, message), traces(path)) == ("withheld", 0)


@on_loop
async def test_a_reader_of_old_pages_keeps_an_erasure_pending(tmp_path: Path) -> None:
    path, both = database(tmp_path), roots()
    async with Realm.create(path, name="acme", roots=both) as realm:
        message = await said(realm, path)
        reader = subprocess.Popen(
            [sys.executable, "-c", READS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "reads\n"
            erasure = await realm.erase(message)
            assert (erasure.state, state_of(realm, message)) == ("pending", "withheld")
            assert await realm.erasure_pending()
            assert traces(path) > 0
            # Nobody else waits for that reader.
            await realm.enrol(Identity.generate("clerk"))
        finally:
            reader.communicate("")
        assert not await realm.erasure_pending()
        assert traces(path) == 0


@on_loop
async def test_what_cannot_be_erased_is_named(tmp_path: Path) -> None:
    path, both = database(tmp_path), roots()
    async with Realm.create(path, name="acme", roots=both) as realm:
        message = await said(realm, path)
        records = realm.engine.records
        enrolment = realm.entries(1, 1)[0].id
        for unknown in (Id(bytes(32)), enrolment):
            assert await code_of(realm.erase(unknown)) == "ArgumentRange"
        assert await code_of(realm.erase(message, "x" * 300)) == "ClaimRange"
        assert realm.engine.records == records, "the log did not grow"
        # While there is a hold nothing is erased, whoever asks.
        policy = {"root": 1, "enrol": 1, "revoke": 1, "define": 1, "erase": 2, "resume": 1, "hold": True}
        view = {"replaces": str(realm.id), "policy": policy}
        await realm._roots.propose("policy", json.dumps(view), 1)
        assert await code_of(realm.erase(message)) == "EraseInvalid"
        assert (state_of(realm, message), traces(path) > 0) == ("present", True)
    async with Realm.open(path) as realm:
        assert await code_of(realm.erase(message)) == "NameUnknown", "no root's key is here"


def test_the_same_without_a_loop(tmp_path: Path) -> None:
    path, saved = database(tmp_path), tmp_path / "monday.db"
    with sync.Realm.dev(path) as realm:
        sales = realm.agent("sales")
        realm.agent("manager")
        sent = sales.send(SECRET, to="manager")
        assert realm.erase(sent.id, "asked").state == "done"
        assert (realm.erasure_pending(), traces(path)) == (False, 0)
    path.rename(saved)
    for ending in (".turn", ".lock", ".wake", ".stop"):
        Path(f"{path}{ending}").unlink()
    with sync.Realm.restore(saved, path, reason="the disk") as realm:
        last = realm.entries(realm.position - 1, 1)[0]
        assert (last.kind, last.claims["term"]["reason"]) == ("term", "the disk")
