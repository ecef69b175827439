"""A conversation as one agent has it, on one branch: send, fork, merge, spawn, close (spec agent.6).

order = await sales.send({"sku": 7}, to="manager")
await order.conversation.send("in a hurry", to="manager")
worker = await order.conversation.spawn("worker-1", to=["manager"], expires_in=60)
await worker.send({"price": 12})
await order.conversation.merge(worker)
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ama2sec._native import Draft, EntryParts, Fingerprint, Id, RealmAnswer, RealmContext
from ama2sec.errors import error
from ama2sec.halt import stated
from ama2sec.identity import Identity, Offer
from ama2sec.identity.identity import clock_ms
from ama2sec.realm.bodies import Body, encode_body
from ama2sec.realm.dag import RealmDag
from ama2sec.realm.definitions import Output, check_payload
from ama2sec.realm.undoing import RolledBack, Undoing, fate_of, target_of, undoing
from ama2sec.realm.working import NextStep, Taking

if TYPE_CHECKING:
    from ama2sec.realm.agent import Agent, Child
    from ama2sec.realm.inbox import RealmMessage
    from ama2sec.realm.sdk import Realm

__all__ = ["Handle", "Receipt", "Sent", "To", "admitted"]

To = str | Id | Sequence[str | Id]
"""The name of an agent or of a group, an id, or several of them."""

_CHILD: Final = "child"
_MERGE: Final = 2
_NARROW: Final = (
    "a sub-agent without the right to merge (2), in a conversation with a workflow: what is written elsewhere from now on it never sees, "
    "and a step that needs it is ContextStale for good"
)


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
        outputs: Mapping[str, Output] | None = None,
        instance: Id | None = None,
        on_stale: str = "raise",
    ) -> Sent:
        """Send a message in this branch; without ``to`` it is for all members.

        ``step`` takes a step of the conversation's workflow, and signs its ``outputs``; ``workflow`` without a step takes the only one that
        is open. ``instance`` says which one is meant where several run. Without any of them it is a note: it moves nothing.

        It says that the agent had consumed what it has acknowledged of the branch; with ``on_stale="rebase"`` all of it. Raises the code
        with which the realm rejects or refuses it, ``ContextUnder`` where the agent has acknowledged nothing yet, ``NameUnknown``,
        ``BodyLimit``; with a step the codes of spec workflow.3, ``StepAmbiguous``, ``BodyUnfit``. Source: spec agent.6, workflow.5.
        """
        return await self._say(body, to, Taking(workflow, step, outputs, instance), on_stale)

    async def approve(
        self,
        subject: RealmMessage,
        body: Body = "approved",
        to: To = (),
        *,
        step: str | None = None,
        on_stale: str = "raise",
    ) -> Sent:
        """Approve a message that takes a step, for the taking of ``step``: the one that asks for it, unless said.

        Raises ``ApprovalInvalid``, ``StepAmbiguous``, and as ``send``. Source: spec workflow.4.
        """
        asking = self.agent.realm.workflows.subject_of(subject.entry)
        taken = self.agent.realm.workflows.taken(subject.entry)
        instance = None if taken is None else taken.instance
        return await self._say(body, to, Taking(None, step or asking, None, instance, subject.id), on_stale)

    async def _say(self, body: Body, to: To, taking: Taking, on_stale: str) -> Sent:
        seen, said = self._seen(on_stale), encode_body(body)
        if taking.is_note:
            return await self.agent.write(self.id, lambda parts: seen().message(parts), to=to, body=said)

        def work() -> str:
            chosen = self.agent.realm.workflows.choose(self, seen().size, taking)
            if taking.approves is None:
                check_payload(chosen.definition, chosen.step, *said, sending=True)
            return chosen.view

        return await self.agent.write(self.id, lambda parts: seen().message(parts), to=to, body=said, work=work)

    def next_steps(self, *, instance: Id | None = None, on_stale: str = "raise") -> list[NextStep]:
        """What the agent may do now in the workflow, by what it has consumed: each step, with the code that it would get, or none.

        Of each instance that runs, or of ``instance``; where none runs, of the one that it could start. Advice: the log decides at the
        entry's place in it. Raises ``WorkflowUnknown``. Source: spec workflow.5.3.
        """
        return self.agent.realm.workflows.next_steps(self, self._seen(on_stale)().size, instance)

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

    def tip(self) -> Handle:
        """Where this branch goes on: in the newest successor where rollbacks have cut it, else in itself.

        Whoever gets ``BranchSuperseded`` finds it here. Raises ``BranchUndone`` where nothing of the branch is left, ``BranchUnknown``,
        ``ConversationUnknown``. Source: spec rollback.2.6.
        """
        engine = self.agent.realm.engine
        tip = Id.from_hex(fate_of(engine, self.id, self.branch)["tip"])
        if fate_of(engine, self.id, tip)["undone"]:
            raise error("BranchUndone", "a branch of which something is left", str(self.branch))
        return Handle(self.agent, self.id, tip)

    def undoing(self, to: Sent | RealmMessage | Id) -> Undoing:
        """What ``rollback`` to this message would undo, as it is now; nothing is signed. Raises ``RollbackTarget``, ``ArgumentRange``."""
        engine = self.agent.realm.engine
        return undoing(engine, self.id, *target_of(engine, self.id, self._home(to)))

    async def rollback(
        self,
        to: Sent | RealmMessage | Id,
        reason: str = "",
        *,
        expected: Undoing | None = None,
        on_stale: str = "raise",
    ) -> RolledBack:
        """Undo everything behind a message, which is the last that stays: in its branch, and whatever came of that in others.

        Nothing is deleted, and nothing that is undone comes back. ``expected``: what ``undoing`` has said, if it must be exactly that;
        else it is what there is when the entry is signed. Compensation is listed in the answer and never run. Raises ``RollbackRole``,
        ``RollbackTarget``, ``RollbackIncomplete`` (something was written meanwhile), ``RollbackScope``, ``RollbackPivot``,
        ``RollbackCap``, ``HaltedByEffect``, ``GrantScope``, and as ``send``. Source: spec rollback.
        """
        engine, reason = self.agent.realm.engine, stated(reason)
        target, size = target_of(engine, self.id, self._home(to))
        tip = Id.from_hex(fate_of(engine, self.id, self.branch)["tip"])
        seen = Handle(self.agent, self.id, tip)._seen(on_stale)
        plans: list[Undoing] = []

        def draft(parts: EntryParts) -> Draft:
            plans.append(expected or undoing(engine, self.id, target, size))
            plan = plans[-1]
            return seen().rollback(parts, plan.target, plan.size, (plan.count, plan.hash), reason)

        sent = await self.agent.write(self.id, draft)
        fate = fate_of(engine, self.id, self.branch)
        branch = sent.conversation.branch if fate["undone"] else Id.from_hex(fate["tip"])
        return RolledBack(sent, plans[-1], Handle(self.agent, self.id, branch))

    def _home(self, to: Sent | RealmMessage | Id) -> tuple[Id, int]:
        if isinstance(to, Sent):
            return to.conversation.branch, to.index
        entry = self.agent.realm.find(to) if isinstance(to, Id) else to.entry
        if entry.home is None or entry.conversation != self.id:
            raise error("ArgumentRange", "an admitted entry of this conversation", str(entry.id))
        return entry.home

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
        2 merge, 4 roll back, ``expires_in`` seconds, ``depth`` how many generations it may spawn. A grant only narrows.

        Without the right to merge a sub-agent never sees what is written elsewhere after it was made: in a conversation with a workflow
        every step that needs something newer is ``ContextStale`` for good, and a ``UserWarning`` says so.

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
        if not rights & _MERGE and realm.workflows.in_conversation(self.id)["definition"] is not None:
            warnings.warn(_NARROW, stacklevel=2)
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
