"""An agent of a realm: what it sends, what it is sent, and what it has consumed (spec agent).

sales = await realm.agent("sales")
sent = await sales.send({"sku": 7}, to="manager")
async for message in sales.inbox():
    ...
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from ama2sec._native import Draft, EntryParts, Id, SigningKey
from ama2sec.errors import error
from ama2sec.halt.permit import Permit
from ama2sec.identity import Identity
from ama2sec.identity.identity import clock_ms
from ama2sec.realm.bodies import BYTES, Body, encode_body
from ama2sec.realm.definitions import Output, check_payload
from ama2sec.realm.handle import Handle, Sent, To, admitted
from ama2sec.realm.inbox import LIMIT, Inbox, Mailbox, RealmMessage
from ama2sec.realm.lease import Lease
from ama2sec.realm.working import NextStep, Taking

if TYPE_CHECKING:
    from ama2sec.realm.sdk import Realm

__all__ = ["Agent", "Child"]


class Agent:
    """One who writes in a realm. ``Realm.agent`` opens it; it is to be used on the realm's event loop.

    As long as it is open nobody else can write under its name (``AgentInUse``).
    """

    grant = False
    """Whether it is a sub-agent."""

    def __init__(
        self,
        realm: Realm,
        identity: Identity | None,
        name: str,
        id: Id,  # noqa: A002
        lease: Lease,
        groups: tuple[str, ...],
        limit: int = LIMIT,
    ) -> None:
        self.realm = realm
        self.name = name
        self.id = id
        self.groups = groups
        self._identity = identity
        self._lease = lease
        self._turns: WeakValueDictionary[Id, asyncio.Lock] = WeakValueDictionary()
        self.mailbox = Mailbox(realm.inbox_of(self, lease, limit), lease)

    # -- sending -------------------------------------------------------------------------------------------------

    async def send(
        self,
        body: Body,
        to: To = (),
        conversation: Id | Handle | None = None,
        *,
        workflow: str | None = None,
        step: str | None = None,
        outputs: Mapping[str, Output] | None = None,
        instance: Id | None = None,
        on_stale: str = "raise",
    ) -> Sent:
        """Send a message: in ``conversation``, or without one in a new one, whose members are the agent and the recipients.

        ``body`` is bytes, text, a dict or a list (JSON), or a pydantic model, at most 256 KiB; ``to`` the name of an agent or of a group,
        an id, or several. It is verified, judged and in the log when this returns; what follows goes through the result's
        ``conversation``. Raises the code with which the realm rejects or refuses it; ``NameUnknown``, ``ArgumentType``, ``BodyLimit``,
        ``TooMany``; ``AgentInUse`` behind ``close``. With ``workflow`` and without a conversation it begins one in which that workflow is
        required, also for the groups that may take its steps, and takes the first step; else ``step``, ``workflow``, ``outputs`` and
        ``instance`` are those of ``Handle.send``. Source: spec agent.2, agent.6, workflow.5.
        """
        taking = Taking(workflow, step, outputs, instance)
        if conversation is not None:
            handle = conversation if isinstance(conversation, Handle) else Handle(self, conversation, conversation)
            return await Handle(self, handle.id, handle.branch)._say(body, to, taking, on_stale)
        return await self._open(encode_body(body), to, taking)

    async def _open(self, body: tuple[bytes, str], to: To, taking: Taking) -> Sent:
        recipients = await self.realm.resolve(to)
        if taking.is_note:
            members = list({self.id, *recipients})
            context = self.realm.engine.context()
            return await self.write(None, lambda parts: context.open(parts, members), to=recipients, body=body)
        await self.realm.find_workflow(taking.workflow)
        chosen = self.realm.workflows.opening(taking)
        check_payload(chosen.definition, chosen.step, *body, sending=True)
        members = list({self.id, *recipients, *chosen.definition.groups})
        context = self.realm.engine.context()
        return await self.write(
            None,
            lambda parts: context.open(parts, members, definition=chosen.definition.name, required=True),
            to=recipients,
            body=body,
            work=lambda: chosen.view,
        )

    async def write(
        self,
        conversation: Id | None,
        draft: Callable[[EntryParts], Draft],
        *,
        to: To = (),
        body: tuple[bytes, str] | None = None,
        work: Callable[[], str] | None = None,
    ) -> Sent:
        """Number, draft, sign and hand in one entry; one after the other in a conversation, so that numbers arrive as they rise.

        ``work`` gives the step that it takes, as it is when the entry is drafted. The number is burnt whatever becomes of it.
        ``conversation=None`` is an open, which has none. Source: spec agent.4.
        """
        recipients = await self.realm.resolve(to)
        if conversation is None:
            return await self._write(self.realm.id, draft, recipients, body, work, opens=True)
        turn = self._turns.get(conversation)
        if turn is None:
            turn = self._turns[conversation] = asyncio.Lock()
        async with turn:
            return await self._write(conversation, draft, recipients, body, work, opens=False)

    async def _write(
        self,
        conversation: Id,
        draft: Callable[[EntryParts], Draft],
        to: list[str | Id],
        body: tuple[bytes, str] | None,
        work: Callable[[], str] | None,
        *,
        opens: bool,
    ) -> Sent:
        identity = self._signer()
        self._lease.check()
        workflow = None if work is None else work()
        seq = (self._lease.epoch, 0) if opens else self._lease.next(conversation)
        data, media_type = (None, BYTES) if body is None else body
        parts = EntryParts(
            identity.public,
            self.id,
            seq,
            clock_ms(),
            grant=self.grant,
            recipients=to,
            body=data,
            media_type=media_type,
            workflow=workflow,
        )
        drafted = draft(parts)
        own = isinstance(identity._signer, SigningKey)
        # A signer that is elsewhere may take its time, and must not hold the loop.
        signed = identity.seal(drafted) if own else await asyncio.to_thread(identity.seal, drafted)
        entry = signed.to_bytes()
        answer = await self.realm.store.submit(entry)
        position, home = admitted(answer), answer.home
        if home is None:
            raise error("Internal", "an admitted entry with a home", repr(answer))
        handle = Handle(self, signed.id if opens else conversation, home[0])
        return Sent(signed.id, position, home[1], handle, entry)

    def _signer(self) -> Identity:
        if self._identity is None:
            raise error("KeyUnknown", "a sub-agent whose key is here", f"{self.name}, whose key is elsewhere")
        return self._identity

    # -- receiving -----------------------------------------------------------------------------------------------

    def inbox(self, *, acknowledge: bool = True) -> Inbox:
        """The messages that are addressed to the agent, in the order of the log, without an end.

        The next turn of the loop acknowledges the message before; an exception, or a loop that is left, does not: then it is delivered
        again. ``acknowledge=False`` leaves that to ``message.ack()``. What was not acknowledged is delivered again by the next inbox, also
        after a restart: at least once. Raises ``AgentInUse`` in an older inbox of this agent, ``Backpressure`` where more than the agent's
        ``limit`` of messages were taken and none acknowledged. Source: spec agent.3.
        """
        return Inbox(self, acknowledge=acknowledge)

    def permit(self, message: RealmMessage, *, seconds: float = 5.0) -> Permit:
        """Leave to act on a message, for a short time: a tool calls its ``check`` right before it acts. Raises ``Latched``, ``ArgumentRange``, and
        ``NoteOnly`` for a remark in a conversation whose workflow is required, or a body that does not fit its step; ``MessageUndone``.

        Source: spec halt.6.1, workflow.5.2, rollback.5.2.
        """
        self.realm.workflows.check_act(message.entry)

        def stands() -> None:
            # What another process has undone counts from its commit on, and not from when it is heard of here.
            self.realm.store.catch_up()
            if message.undone:
                raise error("MessageUndone", "a message that stands", "one that a rollback has undone")

        stands()
        return Permit(self.realm.engine.halts, message.id, self.id, seconds, stands)

    def next_steps(self, conversation: Id | Handle, *, instance: Id | None = None) -> list[NextStep]:
        """What the agent may do now in a conversation's workflow: as ``Handle.next_steps``."""
        handle = conversation if isinstance(conversation, Handle) else Handle(self, conversation, conversation)
        return Handle(self, handle.id, handle.branch).next_steps(instance=instance)

    # -- conversations -------------------------------------------------------------------------------------------

    def conversation(self, id: Id, branch: Id | None = None) -> Handle:  # noqa: A002
        """The handle of a conversation: on its first branch, or on another one."""
        return Handle(self, id, id if branch is None else branch)

    async def close(self) -> None:
        """Keep what was acknowledged, end the inbox, and let others have the agent. Calling it again does nothing."""
        if self.mailbox.closed:
            return
        below = self.mailbox.close()
        self.realm.forget(self)
        self._lease.advance(below)
        self._lease.close()

    async def __aenter__(self) -> Agent:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.id.short}>"


class Child(Agent):
    """A sub-agent: it lives in its branch and the forks of it, and may do what its grant says (spec dag.3)."""

    grant = True

    def __init__(
        self, realm: Realm, conversation: Id, identity: Identity | None, name: str, branch: Id, lease: Lease
    ) -> None:
        super().__init__(realm, identity, name, branch, lease, ())
        self._conversation = conversation

    @property
    def branch(self) -> Id:
        """Its branch, which has the id of the fork that spawned it."""
        return self.id

    @property
    def home(self) -> Handle:
        """Its conversation, on its own branch."""
        return Handle(self, self._conversation, self.id)

    async def send(self, body: Body, to: To = (), conversation: Id | Handle | None = None, **how: Any) -> Sent:
        """Send a message in its own branch, or in the one that ``conversation`` is the handle of."""
        return await super().send(body, to, self.home if conversation is None else conversation, **how)
