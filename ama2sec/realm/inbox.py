"""What an agent is sent, in the order of the log, and how far it has consumed it (spec agent.3).

async for message in agent.inbox():       # the next turn acknowledges the message before it; an exception does not
    await message.reply({"ok": True})
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

from ama2sec._native import Id, RealmEntry, RealmInbox
from ama2sec.errors import Ama2Error, error
from ama2sec.realm.bodies import Body, decode_json, decode_text

if TYPE_CHECKING:
    from ama2sec.realm.agent import Agent
    from ama2sec.realm.handle import Handle, Receipt, Sent
    from ama2sec.realm.lease import Lease
    from ama2sec.realm.working import Taken

__all__ = ["LIMIT", "Inbox", "Mailbox", "RealmMessage"]

LIMIT: Final = 1024
"""Messages that wait in memory for an agent, where it sets no other limit. More wait in the log."""
_LOOK: Final = 0.1
"""Seconds after which a reader whom a stop holds up looks again."""


class RealmMessage:
    """A message that was admitted to the realm, as one agent receives it. Only its inbox makes one."""

    __slots__ = ("_agent", "_entry")

    def __init__(self, agent: Agent, entry: RealmEntry) -> None:
        self._agent = agent
        self._entry = entry

    @property
    def id(self) -> Id:
        """The message id: the same at every delivery, to tell them apart."""
        return self._entry.id

    @property
    def sender_id(self) -> Id:
        """The agent that signed it; of a sub-agent the fork that spawned it."""
        return self._entry.sender

    @property
    def sender(self) -> str:
        """The sender's name in the registry; of a sub-agent the first digits of its id, or the name that it got in this process."""
        return self._agent.realm.name_of(self._entry.sender)

    @property
    def body(self) -> bytes | None:
        """The body as it came; None if it was erased. Only ``text`` and ``json`` hold it against the schema of its step."""
        return self._entry.body

    @property
    def media_type(self) -> str | None:
        """What the body is, as its sender says."""
        return self._entry.media_type

    @property
    def text(self) -> str:
        """The body as text. Raises ``Utf8Invalid``, ``BodyMissing``; ``BodySchema`` where it does not fit the step that it takes."""
        return decode_text(self._there())

    def json(self) -> Any:
        """The body as JSON. Raises ``Utf8Invalid``, ``BodyForm``, ``BodyMissing``, ``BodySchema``."""
        return decode_json(self._there())

    def _there(self) -> bytes:
        if self._entry.body is None:
            raise error("BodyMissing", "a body", "one that was erased or withheld")
        self._agent.realm.workflows.check_body(self._entry)
        return self._entry.body

    @property
    def entry(self) -> RealmEntry:
        """The entry with its claims and its record."""
        return self._entry

    @property
    def position(self) -> int:
        """Its place in the realm's log."""
        return self._entry.position

    @property
    def recipients(self) -> list[Id | str]:
        """To whom it was sent: ids, and names of groups. Empty: to all members."""
        return self._entry.recipients

    @property
    def conversation(self) -> Handle:
        """The conversation, on the branch of the message."""
        home = self._entry.home
        return self._agent.conversation(self._entry.conversation, None if home is None else home[0])

    @property
    def taken(self) -> Taken | None:
        """The step of a workflow that it takes or approves; None for a note."""
        return self._agent.realm.workflows.taken(self._entry)

    @property
    def is_acknowledged(self) -> bool:
        """Whether this agent has acknowledged it."""
        return self._agent.mailbox.is_acknowledged(self._entry.position)

    @property
    def undone(self) -> bool:
        """Whether a rollback has taken it back meanwhile: then nobody may act on it (``MessageUndone``)."""
        return self._agent.realm.is_undone(self._entry)

    def ack(self) -> None:
        """Acknowledge it: it will not be delivered again, and what the agent signs from now on says that it has consumed it.

        Calling it again does nothing. Raises ``WriteFailed``, ``AgentInUse`` (the agent was closed).
        """
        self._agent.mailbox.acknowledge(self._entry.position)

    async def reply(self, body: Body, **how: Any) -> Sent:
        """Acknowledge it, then answer its sender in the same branch. ``to=`` names others; the rest is that of ``Handle.send``.

        With ``step=`` or ``workflow=`` it goes on in the instance of the message.
        """
        self.ack()
        how.setdefault("to", self._entry.sender)
        taken = self.taken
        if taken is not None and (how.get("step") is not None or how.get("workflow") is not None):
            how.setdefault("instance", taken.instance)
        return await self.conversation.send(body, **how)

    async def approve(self, body: Body = "approved", **how: Any) -> Sent:
        """Acknowledge it, then approve it for the step that asks for that: as ``Handle.approve``."""
        self.ack()
        return await self.conversation.approve(self, body, **how)

    def receipt(self) -> Receipt:
        """What the log has signed for it."""
        return self._agent.realm.receipt(self._entry.position)

    def to_bytes(self) -> bytes:
        """The entry as it travels."""
        return self._entry.to_bytes()

    def __repr__(self) -> str:
        return f"<RealmMessage {self.id.short} from {self.sender}>"


class Mailbox:
    """What waits for one agent, on its event loop: the core holds it (``RealmInbox``), the lease keeps what was acknowledged."""

    __slots__ = ("_bell", "_inbox", "_lease", "_newest", "closed", "fault")

    def __init__(self, inbox: RealmInbox, lease: Lease) -> None:
        self._inbox = inbox
        self._lease = lease
        self._bell = asyncio.Event()
        self._newest = -1
        self.fault: BaseException | None = None
        self.closed = False

    @property
    def token(self) -> int:
        """By what the core's bell names it."""
        return self._inbox.token

    def wake(self) -> None:
        """Let a reader look again."""
        self._bell.set()

    def read(self) -> int:
        """A new reader, or one that begins anew: all that was not acknowledged is delivered to it. The number by which it is the newest."""
        self._newest = self._newest + 1 if self.closed else self._inbox.read()
        self._bell.set()
        return self._newest

    async def take(self, reader: int) -> RealmEntry | None:
        """The next message that no handler has; None when the agent is closed. Raises ``AgentInUse``, ``Backpressure``, what stops an engine."""
        while not self._is_over(reader):
            entry = self._inbox.take(reader)
            if entry is not None:
                return entry
            self._bell.clear()
            await self._bell.wait()
        return None

    async def held_up(self, reader: int) -> bool:
        """Wait a while for a stop to end. False: the agent was closed. Raises as ``take``."""
        self._bell.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._bell.wait(), _LOOK)
        return not self._is_over(reader)

    def _is_over(self, reader: int) -> bool:
        if self._newest != reader:
            raise error("AgentInUse", "the newest inbox of this agent", "an older one")
        if self.fault is not None:
            raise self.fault
        return self.closed

    def give_back(self, entry: RealmEntry) -> None:
        """A message that was taken and reached no handler."""
        if not self.closed:
            self._inbox.give_back(entry.position)

    def is_acknowledged(self, position: int) -> bool:
        """Whether a message that was delivered needs no handler any more."""
        return self._lease.is_acknowledged(position)

    def acknowledge(self, position: int) -> None:
        """The handler of a message is done with it: kept first, and then forgotten. Raises ``AgentInUse``, ``WriteFailed``."""
        if self.is_acknowledged(position):
            return
        below = self._inbox.below_without(position)
        if below is not None:
            self._lease.acknowledge(position, below)
            self._inbox.acknowledge(position)

    def waiting(self) -> tuple[list[int], int | None]:
        """The positions of what is in memory and was not acknowledged, and from where on the rest is in the log."""
        return self._inbox.waiting

    def consumed(self, conversation: Id, branch: Id) -> tuple[int, int, int]:
        """How many entries of a branch come before the first message that was not acknowledged (agent.3.3); how many there are; how many of
        them are inherited. Raises ``ConversationUnknown``, ``BranchUnknown``."""
        return self._inbox.consumed(conversation, branch)

    def close(self) -> int:
        """End every reader. Below which position the agent had acknowledged everything."""
        self.closed = True
        self._bell.set()
        return self._inbox.close()


class Inbox(AsyncIterator[RealmMessage]):
    """An agent's messages in the order of the log, without an end. ``Agent.inbox`` makes it.

    With ``acknowledge`` the next turn acknowledges the message before. A loop that is begun anew, over this inbox or a new one, gets
    all again that was not acknowledged. One agent has one inbox: an older one raises ``AgentInUse`` at its next turn.
    """

    def __init__(self, agent: Agent, *, acknowledge: bool) -> None:
        self._agent = agent
        self._acknowledge = acknowledge
        self._last: RealmMessage | None = None
        self._reader = agent.mailbox.read()

    def __aiter__(self) -> Inbox:
        self._last = None
        self._reader = self._agent.mailbox.read()
        return self

    async def __anext__(self) -> RealmMessage:
        last, self._last = self._last, None
        if last is not None and self._acknowledge:
            last.ack()
        while (entry := await self._agent.mailbox.take(self._reader)) is not None:
            try:
                if await self._pass_gate(entry):
                    self._last = RealmMessage(self._agent, entry)
                    return self._last
                self._agent.mailbox.acknowledge(entry.position)
            except BaseException:
                # It has reached no handler: who waits no longer, or was refused, leaves it for the next turn.
                self._agent.mailbox.give_back(entry)
                raise
        raise StopAsyncIteration

    async def _pass_gate(self, entry: RealmEntry) -> bool:
        """Wait while a stop covers the message or the agent (halt.5.2). Counted until the handler has it: a stop waits for that.

        False: a rollback has taken it back before anybody had it, perhaps while it was waited for (rollback.5.2).
        """
        agent, halts = self._agent, self._agent.realm.engine.halts
        while not agent.realm.is_undone(entry):
            ticket = halts.enter()
            try:
                if not halts.is_clear:
                    halts.check(entry.id, agent.id)
            except Ama2Error as fault:
                halts.leave(ticket)
                if fault.code != "Latched":
                    raise
            except BaseException:
                halts.leave(ticket)
                raise
            else:
                # On the loop's next turn the message has been handed over.
                asyncio.get_running_loop().call_soon(halts.leave, ticket)
                return True
            if not await agent.mailbox.held_up(self._reader):
                raise StopAsyncIteration
        return False
