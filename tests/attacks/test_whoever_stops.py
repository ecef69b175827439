"""Whoever wants a realm to stand still, without its files or an operator's key (spec halt.5.1)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from ama2sec import Ama2Error, Id, Identity, Realm, stop_status
from ama2sec._native import draft_halt
from ama2sec.halt import encode_scope
from ama2sec.identity.identity import clock_ms


def forged(realm: Realm, signer: Identity, agent: Id, where: Id | None = None) -> bytes:
    draft = draft_halt(
        signer.public, agent, realm.id if where is None else where, encode_scope("realm"), "stand still", clock_ms()
    )
    return signer.seal(draft).envelope


def refused(realm: Realm, envelope: bytes) -> str:
    """As a stop, and as any other entry."""
    with pytest.raises(Ama2Error) as caught:
        realm.engine.halts.halt(envelope)
    answer = realm.engine.submit(envelope, clock_ms())
    assert (answer.verdict, answer.code) == ("refused", caught.value.code)
    return caught.value.code


def test_a_forged_stop_never_latches(tmp_path: Path) -> None:
    """Of a stranger, of an agent, of an operator of another realm, with a bit changed, of an operator who was revoked."""

    async def attack() -> None:
        path = tmp_path / "orders.db"
        async with Realm.dev(path) as realm, Realm.dev(tmp_path / "other.db") as other:
            sales = await realm.agent("sales")
            operator = realm._keys.get("operator-1")
            known = realm.registry().named("operator-1")
            assert known is not None
            stranger = Identity.generate("operator-1", purpose="operator")
            assert refused(realm, forged(realm, stranger, known.id)) == "KeyUnknown"
            assert refused(realm, forged(realm, operator, known.id, other.id)) == "RealmOther"
            elsewhere = other._keys.get("operator-1")
            assert refused(realm, forged(realm, elsewhere, known.id)) == "KeyUnknown"
            envelope = bytearray(forged(realm, operator, known.id))
            envelope[-1] ^= 1
            assert refused(realm, bytes(envelope)) == "SignatureInvalid"
            # An agent of the realm, whose key the realm knows: latched by nobody, and rejected where it is judged.
            by_agent = forged(realm, realm._keys.get("sales"), sales.id)
            with pytest.raises(Ama2Error, match="KeyUnknown"):
                realm.engine.halts.halt(by_agent)
            assert realm.engine.submit(by_agent, clock_ms()).code == "PurposeWrong"
            await realm.revoke("operator-1")
            late = forged(realm, operator, known.id)
            with pytest.raises(Ama2Error, match="KeyUnknown"):
                realm.engine.halts.halt(late)
            assert realm.engine.submit(late, clock_ms()).code == "PrincipalRevoked"
            for rubbish in (b"", b"stop", os.urandom(300)):
                with pytest.raises(Ama2Error):
                    realm.engine.halts.halt(rubbish)
            assert not stop_status(path).stopped
            await sales.send("still going")

    asyncio.run(attack())


def test_a_flood_of_forged_stops_does_not_keep_a_real_one_waiting(tmp_path: Path) -> None:
    async def attack() -> None:
        async with Realm.dev(tmp_path / "orders.db") as realm:
            known = realm.registry().named("operator-1")
            assert known is not None
            flood = [forged(realm, Identity.generate("x", purpose="operator"), known.id) for _ in range(2_000)]

            def pour() -> None:
                for envelope in flood:
                    with pytest.raises(Ama2Error):
                        realm.engine.halts.halt(envelope)

            pouring = asyncio.create_task(asyncio.to_thread(pour))
            await asyncio.sleep(0)
            stopped = await realm.dev_operator().stop(reason="now")
            assert (stopped.outcome, stopped.quiesced) == ("latched", True)
            await pouring
            assert len(realm.dev_operator().status().stops) == 1

    asyncio.run(attack())


def test_a_stop_that_was_ended_cannot_be_played_again(tmp_path: Path) -> None:
    async def attack() -> None:
        path = tmp_path / "orders.db"
        async with Realm.dev(path) as realm:
            sales = await realm.agent("sales")
            operator = realm._keys.get("operator-1")
            known = realm.registry().named("operator-1")
            assert known is not None
            envelope = forged(realm, operator, known.id)
            halt, outcome, _ = realm.engine.halts.halt(envelope)
            assert outcome == "latched"
            assert realm.engine.halts.halt(envelope)[1] == "already"
            await realm.dev_operator(2).resume([halt])
            assert realm.engine.halts.halt(envelope)[1] == "spent"
            assert realm.engine.submit(envelope, clock_ms()).verdict == "duplicate"
            assert not stop_status(path).stopped
            await sales.send("going on")

    asyncio.run(attack())
