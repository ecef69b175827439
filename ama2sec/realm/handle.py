"""A conversation as one agent has it, on one branch: send, fork, merge, spawn, close (spec agent.6).

order = await sales.send({"sku": 7}, to="manager")
await order.conversation.send("in a hurry", to="manager")
worker = await order.conversation.spawn("worker-1", to=["manager"], expires_in=60)
await worker.send({"price": 12})
await order.conversation.merge(worker)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ama2sec._native import Fingerprint, Id, RealmAnswer, RealmContext
from ama2sec.errors import error
from ama2sec.identity import Identity, Offer
from ama2sec.identity.identity import clock_ms
from ama2sec.realm.bodies import Body, encode_body
from ama2sec.realm.dag import RealmDag

if TYPE_CHECKING:
    from ama2sec.realm.agent import Agent, Child
    from ama2sec.realm.sdk import Realm

__all__ = ["Handle", "Receipt", "Sent", "To", "admitted", "no_workflow"]

To = str | Id | Sequence[str | Id]
"""The name of an agent or of a group, an id, or several of them."""

_CHILD: Final = "child"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the log has signed for one entry: its record, and a head over it (spec record.3)."""

    realm: Realm
    position: int
    data: bytes

    def proof(self, head: str | None = None) -> Receipt:
        """The same with the proof that the newest head covers the record; or that ``head`` does, one of this realm that was kept.

        Raises ``CheckpointStale`` where that head is older than the entry, or above the log; ``CheckpointForked``, ``CheckpointForm``,
        ``CheckpointKey``, ``CheckpointOther``. ``check_receipt`` checks it anywhere. Source: spec record.3.
        """
        if head is None:
            return self.realm.receipt(self.position, proof=True)
        return Receipt(self.realm, self.position, self.realm.engine.receipt(self.position, head=head))

    def __bytes__(self) -> bytes:
        """As ``check_receipt`` takes it."""
        return self.data


@dataclass(frozen=True, slots=True)
class Sent:
    """An entry of one's own that was admitted."""

    id: Id
    position: int
    """In the realm's log."""
    index: int
    """In its branch."""
    conversation: Handle
    """Where it stands, to go on there."""
    entry: bytes
    """As it travels: whoever hands the same bytes in again gets the original receipt."""

    def receipt(self, *, proof: bool = False) -> Receipt:
        """What the log has signed for it."""
        return self.conversation.agent.realm.receipt(self.position, proof=proof)


@dataclass(frozen=True, slots=True)
class Handle:
    """One branch of a conversation, for one agent. It holds nothing: any number of them can be made."""

    agent: Agent
    id: Id
    """The conversation's."""
    branch: Id

    async def send(
        self,
        body: Body,
        to: To = (),
        *,
        workflow: str | None = None,
        step: str | None = None,
        on_stale: str = "raise",
    ) -> Sent:
        """Send a message in this branch; without ``to`` it is for all members.

        It says that the agent had consumed what it has acknowledged of the branch; with ``on_stale="rebase"`` all of it. Raises the code
        with which the realm rejects or refuses it, ``ContextUnder`` where the agent has acknowledged nothing yet, ``NameUnknown``,
        ``BodyLimit``, ``WorkflowUnknown``. Source: spec agent.6.
        """
        no_workflow(workflow, step)
        seen = self._seen(on_stale)
        return await self.agent.write(self.id, lambda parts: seen().message(parts), to=to, body=encode_body(body))

    async def fork(self, *, on_stale: str = "raise") -> Handle:
        """Go on in a branch of one's own, from what was consumed of this one. The handle of the new branch."""
        seen = self._seen(on_stale)
        sent = await self.agent.write(self.id, lambda parts: seen().fork(parts))
        return Handle(self.agent, self.id, sent.id)

    async def merge(
        self, *heads: Id | Handle | Child, body: Body | None = None, to: To = (), on_stale: str = "raise"
    ) -> Sent:
        """Take in other branches of the conversation, as far as the agent has consumed them, in a message that may say something.

        Raises ``MergeUnder`` or ``ContextUnder`` where nothing of one was consumed, ``MergeStale`` where one brings nothing new.
        """
        if not heads:
            raise error("ArgumentRange", "a branch to merge", "none")
        seen = self._seen(on_stale)
        others = [Handle(self.agent, self.id, _branch(head))._seen(on_stale) for head in heads]
        said = None if body is None else encode_body(body)
        return await self.agent.write(
            self.id, lambda parts: seen().message(parts, [other() for other in others]), to=to, body=said
        )

    async def close(self, *, whole: bool = False, on_stale: str = "raise") -> Sent:
        """End this branch, and with it the grant of a sub-agent that lives in it; ``whole`` ends the conversation."""
        seen = self._seen(on_stale)
        return await self.agent.write(self.id, lambda parts: seen().close(parts, whole=whole))

    async def spawn(
        self,
        who: str | Offer,
        *,
        steps: Sequence[str] | None = None,
        to: To | None = None,
        rights: int = 0,
        expires_in: float | None = None,
        depth: int = 0,
        on_stale: str = "raise",
    ) -> Child:
        """A sub-agent in a branch of its own, from what was consumed of this one.

        ``who`` is its name in this process: its key is made here, kept in memory, and gone with the process. Or it is an offer from
        elsewhere (``Identity.offer(realm.id, name="child")``): then what comes back can be addressed and merged, and writes there,
        through ``Realm.child``. ``to`` and ``steps`` are what it may address and take (None: anything), ``rights`` the sum of 1 fork,
        2 merge, ``expires_in`` seconds, ``depth`` how many generations it may spawn. A grant only narrows.

        Raises ``ForkKey``, ``ForkForm``, ``ForkWidens``, ``GrantScope``, ``ClaimRange``, and as ``send``. Source: spec dag.3.
        """
        realm = self.agent.realm
        identity = None if isinstance(who, Offer) else Identity.generate(who)
        offer = who if identity is None else identity.offer(realm.id, name=_CHILD)
        if not isinstance(offer, Offer) or (offer.purpose, offer.name) != ("message", _CHILD):
            raise error("ArgumentRange", "an offer of a message key under the name child", "another one")
        grant = {
            "key": bytes(offer.public).hex(),
            "offer": offer.signature.hex(),
            "steps": None if steps is None else sorted(set(steps), key=lambda step: (len(step), step)),
            "to": None if to is None else [_view(address) for address in sorted(await realm.resolve(to), key=_order)],
            "rights": rights,
            "expires": None if expires_in is None else clock_ms() + round(expires_in * 1000),
            "depth": depth,
            "next": None,
        }
        seen = self._seen(on_stale)
        sent = await self.agent.write(self.id, lambda parts: seen().fork(parts, json.dumps(grant)))
        return realm.spawned(identity, self.id, sent)

    def context(self, *, on_stale: str = "raise") -> Fingerprint:
        """What the agent would sign now: the size and the fingerprint of what it has consumed of the branch."""
        seen = self._seen(on_stale)()
        realm = self.agent.realm
        hashed = realm.engine.fingerprint(self.id, self.branch, seen.size)
        return Fingerprint(realm.id, self.id, self.branch, seen.size, hashed)

    def dag(self) -> RealmDag:
        """Who had seen what in the conversation."""
        return self.agent.realm.dag(self.id)

    def _seen(self, on_stale: str) -> _Seen:
        if on_stale not in {"raise", "rebase"}:
            raise error("ArgumentRange", "on_stale to be raise or rebase", str(on_stale))
        return _Seen(self.agent, self.id, self.branch, rebase=on_stale == "rebase")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What an agent has consumed of a branch, asked at the moment of signing."""

    agent: Agent
    conversation: Id
    branch: Id
    rebase: bool

    def __call__(self) -> RealmContext:
        engine = self.agent.realm.engine
        size, whole, base = self.agent.mailbox.consumed(self.conversation, self.branch)
        if self.rebase:
            size = whole
        if size <= base:
            raise error("ContextUnder", f"more than {base} entries of the branch that were acknowledged", f"{size}")
        return engine.context(self.conversation, self.branch, size=size)


def _branch(head: Id | Handle | Child) -> Id:
    return head if isinstance(head, Id) else head.branch


def _order(address: str | Id) -> tuple[int, int, bytes]:
    """As their encodings ascend: ids, then names, a shorter one first (spec envelope.5.5)."""
    return (0, 32, bytes(address)) if isinstance(address, Id) else (1, len(address), address.encode())


def _view(address: str | Id) -> str:
    return str(address) if isinstance(address, Id) else f"name:{address}"


def admitted(answer: RealmAnswer) -> int:
    """The position of an entry that was admitted, now or before; else raises its code."""
    if answer.code is not None:
        raise error(answer.code, answer.expected or "an entry that can be admitted", answer.got or answer.verdict)
    position = answer.position
    if position is None:
        raise error("Internal", "an answer with a position", repr(answer))
    return position


def no_workflow(workflow: str | None, step: str | None) -> None:
    """Workflows are not built: no name is one. Raises ``WorkflowUnknown``."""
    if workflow is not None or step is not None:
        raise error("WorkflowUnknown", "no workflow: this version has none", str(workflow if step is None else step))
