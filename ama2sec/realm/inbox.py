"""What an agent is sent, in the order of the log, and how far it has consumed it (spec agent.3).

async for message in agent.inbox():       # the next turn acknowledges the message before it; an exception does not
    await message.reply({"ok": True})
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ama2sec._native import Id, RealmEntry
from ama2sec.errors import Ama2Error, error
from ama2sec.realm.bodies import Body, decode_json, decode_text

if TYPE_CHECKING:
    from ama2sec.realm.agent import Agent
    from ama2sec.realm.handle import Handle, Receipt, Sent
    from ama2sec.realm.working import Taken

__all__ = ["LIMIT", "Inbox", "Mailbox", "RealmMessage"]

LIMIT: Final = 1024
"""Messages that wait in memory for an agent, where it sets no other limit. More wait in the log."""
_READ: Final = 256
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
        return not self._agent.mailbox.waits(self._entry.position)

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


@dataclass(slots=True)
class _Unread:
    """How far one branch was searched, behind the messages in memory, for the first one that is addressed to the agent."""

    searched: int
    first: tuple[int, int] | None = None
    """Its position and its index."""


@dataclass(slots=True)
class Mailbox:
    """What waits for one agent: in memory up to ``limit`` messages, behind them in the log.

    ``entries`` reads the log, ``addressed`` says whether an entry is the agent's to handle, ``keep`` stores an acknowledgement.
    """

    entries: Callable[[int, int], list[RealmEntry]]
    addressed: Callable[[RealmEntry], bool]
    keep: Callable[[int, int], None]
    position: Callable[[], int]
    """Up to where the log was looked through, by those who ``offer``."""
    limit: int = LIMIT
    overflow: int | None = None
    """From where on the log has to be read again, because the memory was full."""
    fault: BaseException | None = None
    closed: bool = False
    _waiting: dict[int, RealmEntry] = field(default_factory=dict)
    """All in memory that was not acknowledged, in the order of the log."""
    _queue: deque[int] = field(default_factory=deque)
    """Those of them that no handler has."""
    _unread: dict[Id, _Unread] = field(default_factory=dict)
    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    reader: Inbox | None = None

    # -- arriving ------------------------------------------------------------------------------------------------

    def offer(self, entry: RealmEntry) -> None:
        """An entry of the log that is addressed to the agent, the first time that it is seen."""
        if self.overflow is None:
            self._put(entry)

    def _put(self, entry: RealmEntry) -> None:
        if len(self._waiting) >= self.limit:
            self.overflow = entry.position
            return
        self._waiting[entry.position] = entry
        self._queue.append(entry.position)
        self._bell.set()

    def refill(self) -> None:
        """Read on from the log, as far as there is room."""
        while self.overflow is not None and len(self._waiting) < self.limit:
            position, self.overflow = self.overflow, None
            room = self.limit - len(self._waiting)
            batch = self.entries(position, min(_READ, 4 * room + 16))
            batch = [entry for entry in batch if entry.position < self.position()]
            for entry in batch:
                if self.overflow is None and self.addressed(entry):
                    self._put(entry)
            if self.overflow is None and batch and batch[-1].position + 1 < self.position():
                self.overflow = batch[-1].position + 1
        if self.overflow is None:
            self._unread.clear()

    def wake(self) -> None:
        """Let a reader look again."""
        self._bell.set()

    # -- handling ------------------------------------------------------------------------------------------------

    async def take(self, reader: Inbox) -> RealmEntry | None:
        """The next message that no handler has; None when the agent is closed."""
        while True:
            if self.reader is not reader:
                raise error("AgentInUse", "the newest inbox of this agent", "an older one")
            if self.fault is not None:
                raise self.fault
            if self.closed:
                return None
            if not self._queue:
                self.refill()
            if self._queue:
                return self._waiting[self._queue.popleft()]
            if len(self._waiting) >= self.limit:
                raise error(
                    "Backpressure", f"fewer than {self.limit} messages that wait for an acknowledgement", "as many"
                )
            self._bell.clear()
            await self._bell.wait()

    async def held_up(self, reader: Inbox) -> bool:
        """Wait a while for a stop to end. False: the agent was closed. Raises as ``take``."""
        self._bell.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._bell.wait(), _LOOK)
        if self.reader is not reader:
            raise error("AgentInUse", "the newest inbox of this agent", "an older one")
        if self.fault is not None:
            raise self.fault
        return not self.closed

    def give_back(self, entry: RealmEntry) -> None:
        """A message that was taken and reached no handler."""
        if entry.position in self._waiting and entry.position not in self._queue:
            self._queue.appendleft(entry.position)

    def read_by(self, reader: Inbox) -> None:
        """A new reader, or one that begins anew: all that was not acknowledged is delivered to it."""
        self.reader = reader
        self._queue = deque(self._waiting)
        self._bell.set()

    def waits(self, position: int) -> bool:
        """Whether a message was not acknowledged yet."""
        return position in self._waiting or (self.overflow is not None and position >= self.overflow)

    def acknowledge(self, position: int) -> None:
        """The handler of a message is done with it."""
        if position not in self._waiting:
            return
        rest = iter(self._waiting)
        first = next(rest)
        if first == position:
            first = next(rest, self.overflow if self.overflow is not None else self.position())
        self.keep(position, first)
        del self._waiting[position]
        if position in self._queue:
            self._queue.remove(position)

    @property
    def below(self) -> int:
        """Every message at a lower position was acknowledged."""
        return next(iter(self._waiting), self.position() if self.overflow is None else self.overflow)

    # -- consumed ------------------------------------------------------------------------------------------------

    def consumed(self, lineage: Sequence[tuple[Id, int]]) -> int:
        """How many leaves of a branch come before the first message that was not acknowledged (agent.3.3).

        ``lineage``: the branch and its size, its parent and how much it has inherited of it, and so on to the first branch.
        """
        size = lineage[0][1]
        ends = dict(lineage)
        for entry in self._waiting.values():
            if entry.home is not None and entry.home[1] < ends.get(entry.home[0], 0):
                size = min(size, entry.home[1])
        if self.overflow is not None:
            unread = [self._first_unread(branch, self.overflow) for branch, _ in lineage]
            firsts = zip(unread, ends.values(), strict=True)
            size = min([size, *(first for first, end in firsts if first is not None and first < end)])
        return size

    def _first_unread(self, branch: Id, overflow: int) -> int | None:
        known = self._unread.setdefault(branch, _Unread(overflow))
        if known.first is not None and known.first[0] < overflow:
            known.first = None
        known.searched = max(known.searched, overflow)
        while known.first is None and known.searched < self.position():
            batch = self.entries(known.searched, _READ)
            if not batch:
                break
            for entry in batch:
                known.searched = entry.position + 1
                if entry.home is not None and entry.home[0] == branch and self.addressed(entry):
                    known.first = (entry.position, entry.home[1])
                    break
        return None if known.first is None else known.first[1]


class Inbox(AsyncIterator[RealmMessage]):
    """An agent's messages in the order of the log, without an end. ``Agent.inbox`` makes it.

    With ``acknowledge`` the next turn acknowledges the message before. A loop that is begun anew, over this inbox or a new one, gets
    all again that was not acknowledged. One agent has one inbox: an older one raises ``AgentInUse`` at its next turn.
    """

    def __init__(self, agent: Agent, *, acknowledge: bool) -> None:
        self._agent = agent
        self._acknowledge = acknowledge
        self._last: RealmMessage | None = None
        agent.mailbox.read_by(self)

    def __aiter__(self) -> Inbox:
        self._last = None
        self._agent.mailbox.read_by(self)
        return self

    async def __anext__(self) -> RealmMessage:
        last, self._last = self._last, None
        if last is not None and self._acknowledge:
            last.ack()
        entry = await self._agent.mailbox.take(self)
        if entry is None:
            raise StopAsyncIteration
        try:
            await self._pass_gate(entry)
        except BaseException:
            # It has reached no handler: who waits no longer, or was refused, leaves it for the next turn.
            self._agent.mailbox.give_back(entry)
            raise
        self._last = RealmMessage(self._agent, entry)
        return self._last

    async def _pass_gate(self, entry: RealmEntry) -> None:
        """Wait while a stop covers the message or the agent (halt.5.2). Counted until the handler has it: a stop waits for that."""
        agent, halts = self._agent, self._agent.realm.engine.halts
        while True:
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
                return
            if not await agent.mailbox.held_up(self):
                raise StopAsyncIteration
