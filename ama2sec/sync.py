"""The same verbs without ``async``: one event loop in a thread of its own does the work (spec agent.8).

    with Realm.dev("orders.db") as realm:
        sales, manager = realm.agent("sales"), realm.agent("manager")
        sales.send({"sku": 7}, to="manager")
        for message in manager.inbox(timeout=1):
            message.reply({"ok": True})

What is not listed here is read through: ``sent.position``, ``message.sender``, ``realm.id``. Any thread may use these objects.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, Generic, TypeVar

from ama2sec._native import Id
from ama2sec.errors import error
from ama2sec.halt import Stopped
from ama2sec.halt.permit import Permit
from ama2sec.identity import Identity, Offer
from ama2sec.realm import agent as _agent
from ama2sec.realm import handle as _handle
from ama2sec.realm import inbox as _inbox
from ama2sec.realm import operator as _operator
from ama2sec.realm import sdk as _sdk
from ama2sec.realm import undoing as _undoing
from ama2sec.realm.bodies import Body
from ama2sec.realm.definitions import Definition
from ama2sec.realm.undoing import Undoing
from ama2sec.realm.working import NextStep

__all__ = ["Agent", "Handle", "Inbox", "Message", "Operator", "Realm", "RolledBack", "Sent"]

T = TypeVar("T")


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ama2sec-sync", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What the coroutine gives. An interrupt of the caller cancels it."""
        if self._loop.is_closed():
            work.close()
            raise error("ArgumentRange", "a realm that is open", "one that was closed")
        if threading.current_thread() is self._thread:
            work.close()
            raise error("ArgumentType", "a call from another thread than the loop's", "one from inside it")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def call(self, function: Callable[[], T]) -> T:
        """What a function gives on the loop."""

        async def work() -> T:
            return function()

        return self.run(work())

    @property
    def is_stopped(self) -> bool:
        """Whether it has ended."""
        return self._loop.is_closed()

    def stop(self) -> None:
        """End it, with the threads that it has borrowed."""
        if not self._loop.is_closed():
            self.run(self._loop.shutdown_default_executor())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


class _Face(Generic[T]):
    """An object of the loop, seen from outside: what is not a verb is read through."""

    def __init__(self, loop: _Loop, inner: T) -> None:
        self._loop = loop
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._inner, name)

    def __repr__(self) -> str:
        return repr(self._inner)


class Handle(_Face[_handle.Handle]):
    """``ama2sec.realm.handle.Handle``."""

    def send(self, body: Body, to: _handle.To = (), **how: Any) -> Sent:
        """As ``Handle.send``."""
        return Sent(self._loop, self._loop.run(self._inner.send(body, to, **how)))

    def fork(self, **how: Any) -> Handle:
        """As ``Handle.fork``."""
        return Handle(self._loop, self._loop.run(self._inner.fork(**how)))

    def merge(self, *heads: Id | Handle | Agent, **how: Any) -> Sent:
        """As ``Handle.merge``."""
        listed = [head._inner if isinstance(head, _Face) else head for head in heads]
        return Sent(self._loop, self._loop.run(self._inner.merge(*listed, **how)))  # type: ignore[arg-type]

    def close(self, **how: Any) -> Sent:
        """As ``Handle.close``."""
        return Sent(self._loop, self._loop.run(self._inner.close(**how)))

    def approve(self, subject: Message, body: Body = "approved", to: _handle.To = (), **how: Any) -> Sent:
        """As ``Handle.approve``."""
        return Sent(self._loop, self._loop.run(self._inner.approve(subject._inner, body, to, **how)))

    def next_steps(self, **how: Any) -> list[NextStep]:
        """As ``Handle.next_steps``."""
        return self._loop.call(lambda: self._inner.next_steps(**how))

    def tip(self) -> Handle:
        """As ``Handle.tip``."""
        return Handle(self._loop, self._loop.call(self._inner.tip))

    def undoing(self, to: Sent | Message | Id) -> Undoing:
        """As ``Handle.undoing``."""
        return self._loop.call(lambda: self._inner.undoing(to._inner if isinstance(to, _Face) else to))

    def rollback(self, to: Sent | Message | Id, reason: str = "", **how: Any) -> RolledBack:
        """As ``Handle.rollback``."""
        inner = to._inner if isinstance(to, _Face) else to
        return RolledBack(self._loop, self._loop.run(self._inner.rollback(inner, reason, **how)))

    def spawn(self, who: str | Offer, **how: Any) -> Agent:
        """As ``Handle.spawn``."""
        return Agent(self._loop, self._loop.run(self._inner.spawn(who, **how)))

    def context(self, **how: Any) -> Any:
        """As ``Handle.context``."""
        return self._loop.call(lambda: self._inner.context(**how))


class RolledBack(_Face[_undoing.RolledBack]):
    """``ama2sec.realm.undoing.RolledBack``."""

    @property
    def sent(self) -> Sent:
        """The rollback's own entry."""
        return Sent(self._loop, self._inner.sent)

    @property
    def conversation(self) -> Handle:
        """Where one goes on."""
        return Handle(self._loop, self._inner.conversation)


class Sent(_Face[_handle.Sent]):
    """``ama2sec.realm.handle.Sent``."""

    @property
    def conversation(self) -> Handle:
        """Where it stands, to go on there."""
        return Handle(self._loop, self._inner.conversation)


class Message(_Face[_inbox.RealmMessage]):
    """``ama2sec.realm.inbox.RealmMessage``."""

    @property
    def conversation(self) -> Handle:
        """The conversation, on the branch of the message."""
        return Handle(self._loop, self._inner.conversation)

    def ack(self) -> None:
        """As ``RealmMessage.ack``."""
        self._loop.call(self._inner.ack)

    def approve(self, body: Body = "approved", **how: Any) -> Sent:
        """As ``RealmMessage.approve``."""
        return Sent(self._loop, self._loop.run(self._inner.approve(body, **how)))

    def reply(self, body: Body, **how: Any) -> Sent:
        """As ``RealmMessage.reply``."""
        return Sent(self._loop, self._loop.run(self._inner.reply(body, **how)))


class Inbox(Iterator[Message]):
    """``ama2sec.realm.inbox.Inbox``; it ends when nothing came for ``timeout`` seconds, or the agent was closed."""

    def __init__(self, loop: _Loop, inner: _inbox.Inbox, timeout: float | None) -> None:
        self._loop = loop
        self._inner = inner
        self._timeout = timeout

    def __iter__(self) -> Inbox:
        self._loop.call(self._inner.__aiter__)
        return self

    def __next__(self) -> Message:
        found = self._loop.run(self._next())
        if found is None:
            raise StopIteration
        return Message(self._loop, found)

    async def _next(self) -> _inbox.RealmMessage | None:
        try:
            return await asyncio.wait_for(anext(self._inner), self._timeout)
        except (StopAsyncIteration, TimeoutError):
            return None


class Agent(_Face[_agent.Agent]):
    """``ama2sec.realm.agent.Agent``."""

    def send(self, body: Body, to: _handle.To = (), conversation: Id | Handle | None = None, **how: Any) -> Sent:
        """As ``Agent.send``."""
        where = conversation._inner if isinstance(conversation, Handle) else conversation
        return Sent(self._loop, self._loop.run(self._inner.send(body, to, where, **how)))

    def inbox(self, *, timeout: float | None = None, acknowledge: bool = True) -> Inbox:
        """As ``Agent.inbox``; without a ``timeout`` it waits for ever."""
        return Inbox(self._loop, self._loop.call(lambda: self._inner.inbox(acknowledge=acknowledge)), timeout)

    def permit(self, message: Message, *, seconds: float = 5.0) -> Permit:
        """As ``Agent.permit``; the permit may be checked in any thread."""
        return self._loop.call(lambda: self._inner.permit(message._inner, seconds=seconds))

    def next_steps(self, conversation: Id | Handle, **how: Any) -> list[NextStep]:
        """As ``Agent.next_steps``."""
        where = conversation._inner if isinstance(conversation, Handle) else conversation
        return self._loop.call(lambda: self._inner.next_steps(where, **how))

    def conversation(self, id: Id, branch: Id | None = None) -> Handle:  # noqa: A002
        """As ``Agent.conversation``."""
        return Handle(self._loop, self._inner.conversation(id, branch))

    def close(self) -> None:
        """As ``Agent.close``."""
        self._loop.run(self._inner.close())


class Operator(_Face[_operator.Operator]):
    """``ama2sec.realm.operator.Operator``."""

    def stop(self, scope: str = "realm", reason: str = "", **how: Any) -> Stopped:
        """As ``Operator.stop``."""
        return self._loop.run(self._inner.stop(scope, reason, **how))

    def resume(self, halts: Iterable[Id | str], reason: str = "") -> Id:
        """As ``Operator.resume``."""
        return self._loop.run(self._inner.resume(halts, reason))

    def approve_resume(self, proposal: Id) -> Id:
        """As ``Operator.approve_resume``."""
        return self._loop.run(self._inner.approve_resume(proposal))


class Realm(_Face[_sdk.Realm]):
    """``ama2sec.realm.sdk.Realm``: ``create``, ``open`` and ``dev`` take the same arguments and give it opened."""

    @classmethod
    def _opened(cls, opening: _sdk.Opening) -> Realm:
        loop = _Loop()

        async def opens() -> _sdk.Realm:
            return await opening

        try:
            return cls(loop, loop.run(opens()))
        except BaseException:
            loop.stop()
            raise

    @classmethod
    def create(cls, path: Any, **how: Any) -> Realm:
        """As ``Realm.create``."""
        return cls._opened(_sdk.Realm.create(path, **how))

    @classmethod
    def open(cls, path: Any, **how: Any) -> Realm:
        """As ``Realm.open``."""
        return cls._opened(_sdk.Realm.open(path, **how))

    @classmethod
    def dev(cls, path: Any = None, **how: Any) -> Realm:
        """As ``Realm.dev``."""
        return cls._opened(_sdk.Realm.dev(path, **how))

    @classmethod
    def restore(cls, backup: Any, path: Any, **how: Any) -> Realm:
        """As ``Realm.restore``."""
        return cls._opened(_sdk.Realm.restore(backup, path, **how))

    def agent(self, who: str | Identity, groups: Iterable[str] = (), **how: Any) -> Agent:
        """As ``Realm.agent``."""
        return Agent(self._loop, self._loop.run(self._inner.agent(who, groups, **how)))

    def child(self, identity: Identity, conversation: Id, branch: Id) -> Agent:
        """As ``Realm.child``."""
        return Agent(self._loop, self._loop.call(lambda: self._inner.child(identity, conversation, branch)))

    def enrol(self, who: Identity | Offer, groups: Iterable[str] = ()) -> Id:
        """As ``Realm.enrol``."""
        return self._loop.run(self._inner.enrol(who, groups))

    def revoke(self, name: str, reason: str = "", **how: Any) -> Id:
        """As ``Realm.revoke``."""
        return self._loop.run(self._inner.revoke(name, reason, **how))

    def define(self, definition: Definition) -> Id:
        """As ``Realm.define``."""
        return self._loop.run(self._inner.define(definition))

    def erase(self, message: Id, reason: str = "") -> _sdk.Erasure:
        """As ``Realm.erase``."""
        return self._loop.run(self._inner.erase(message, reason))

    def erasure_pending(self) -> bool:
        """As ``Realm.erasure_pending``."""
        return self._loop.run(self._inner.erasure_pending())

    def approve(self, kind: str, proposal: Id) -> None:
        """As ``Realm.approve``."""
        self._loop.run(self._inner.approve(kind, proposal))

    def operator(self, identity: Identity) -> Operator:
        """As ``Realm.operator``."""
        return Operator(self._loop, self._loop.call(lambda: self._inner.operator(identity)))

    def dev_operator(self, number: int = 1) -> Operator:
        """As ``Realm.dev_operator``."""
        return Operator(self._loop, self._loop.call(lambda: self._inner.dev_operator(number)))

    def submit(self, entry: bytes) -> _handle.Receipt:
        """As ``Realm.submit``."""
        return self._loop.run(self._inner.submit(entry))

    def close(self) -> None:
        """As ``Realm.close``; the loop ends."""
        if self._loop.is_stopped:
            return
        try:
            self._loop.run(self._inner.close())
        finally:
            self._loop.stop()

    def __enter__(self) -> Realm:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
