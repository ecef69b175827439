"""A person who may stop a realm, in a program that has it open (spec halt)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ama2sec._native import Id, draft_halt, draft_resume
from ama2sec.errors import Ama2Error, error
from ama2sec.halt import QUIET_MS, Status, Stopped, brief, encode_scope, stated, status_of
from ama2sec.identity import Identity
from ama2sec.identity.identity import clock_ms
from ama2sec.realm.handle import admitted

if TYPE_CHECKING:
    from ama2sec.realm.sdk import Realm

__all__ = ["Operator"]


class Operator:
    """``Realm.operator`` makes it: of an operator, or of a root who ends what an operator did."""

    def __init__(self, realm: Realm, identity: Identity, agent: Id) -> None:
        self._realm = realm
        self._identity = identity
        self.id = agent

    async def stop(self, scope: str = "realm", reason: str = "", *, wait_ms: int = QUIET_MS) -> Stopped:
        """Stop the realm, or a part of it (``ama2sec.halt.encode_scope``): signed, latched, recorded with the next transaction.

        It is in force before anything is waited for. A reason over 256 bytes is cut. Raises ``ArgumentRange``, ``KeyUnknown`` (no operator).
        """
        identity, halts = self._identity, self._realm.engine.halts
        draft = draft_halt(identity.public, self.id, self._realm.id, encode_scope(scope), brief(reason), clock_ms())
        halt, outcome, alarm = halts.halt(identity.seal(draft).envelope)
        quiesced = await asyncio.to_thread(halts.quiesce, wait_ms)
        if alarm is None and not await asyncio.to_thread(halts.sync):
            alarm = "LogFailed"
        try:
            await self._realm.store.record_halts()
        except Ama2Error as fault:
            # It is in force, and will be recorded by the first transaction that the log takes.
            alarm = alarm or fault.code
        return Stopped(halt, outcome, quiesced, alarm)

    async def resume(self, halts: Iterable[Id | str], reason: str = "") -> Id:
        """End exactly these halts: the id of the entry, which others approve where the policy asks for several.

        Raises ``ResumeInvalid`` (one that is not in force), ``PurposeWrong``, ``TooMany``, ``ClaimRange``.
        """
        named = [Id.from_hex(each) if isinstance(each, str) else each for each in halts]
        return await self._hand_in(named, reason, None)

    async def approve_resume(self, proposal: Id) -> Id:
        """Approve what another operator wants to end. Raises ``ProposalInvalid``."""
        return await self._hand_in([], "", proposal)

    async def _hand_in(self, halts: list[Id], reason: str, approves: Id | None) -> Id:
        identity = self._identity
        draft = draft_resume(identity.public, self.id, self._realm.id, halts, stated(reason), clock_ms(), approves)
        signed = identity.seal(draft)
        admitted(await self._realm.store.submit(signed.to_bytes()))
        self._realm.wake_inboxes()
        return signed.id

    def status(self) -> Status:
        """What is latched."""
        return status_of(self._realm.engine.halts.status())


def operator_of(realm: Realm, identity: Identity) -> Operator:
    """Raises ``KeyUnknown`` where the key is no live operator's or root's of this realm."""
    person = realm.registry().named(identity.name)
    if person is None or person.key != bytes(identity.public) or person.purpose not in {"operator", "root"}:
        raise error("KeyUnknown", "the key of a live operator or root of this realm", identity.name)
    return Operator(realm, identity, person.id)
