"""A realm for a program: its log, its people, and the agents that this process is (spec agent).

async with Realm.dev("orders.db") as realm:                    # a realm for trying out: keys and root are made
    sales, manager = await realm.agent("sales"), await realm.agent("manager")
    await sales.send({"sku": 7}, to="manager")
    async for message in manager.inbox():                      # verified, or it does not arrive
        await message.reply({"ok": True})
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Iterable, Sequence
from typing import Final

from ama2sec._native import Id, RealmEngine, RealmEntry, RealmInbox
from ama2sec.errors import CallerError, error
from ama2sec.identity import Identity, Offer
from ama2sec.identity.identity import addresses
from ama2sec.realm.agent import Agent, Child
from ama2sec.realm.dag import RealmDag
from ama2sec.realm.handle import Handle, Receipt, Sent, To, admitted
from ama2sec.realm.inbox import LIMIT
from ama2sec.realm.lease import Lease
from ama2sec.realm.opening import DEV_OPERATORS, DEV_ROOT, Opened, Opening, begin, find
from ama2sec.realm.operator import Operator, operator_of
from ama2sec.realm.people import Person, Registry, enrolment_of
from ama2sec.realm.restoring import discard, put_back
from ama2sec.realm.roots import Erasure, Roots
from ama2sec.realm.routing import Router
from ama2sec.realm.store import Store

__all__ = ["Erasure", "Opening", "Realm"]

_LIMIT_END: Final = 1 << 32


class Realm:
    """One realm, open in this process, to be used on the event loop that opened it. ``create``, ``open`` and ``dev`` make it."""

    def __init__(self, opened: Opened, roots: Sequence[Identity]) -> None:
        self.engine: RealmEngine = opened.engine
        self.id: Id = opened.engine.realm
        self.is_dev = opened.dev
        self.store = Store(self.engine)
        self._keys = opened.keys
        self._registry = Registry(self.engine.ask("registry"))
        self._roots = Roots(self.store, roots, self._keys)
        self._router = Router()
        self._children: dict[Id, str] = {}
        self._closed = False
        self.store.start(self._router.rung, self._router.fail)

    # -- opening -------------------------------------------------------------------------------------------------

    @staticmethod
    def create(
        path: str | os.PathLike[str] | None,
        *,
        name: str,
        roots: Sequence[Identity],
        operators: Sequence[Identity | Offer] = (),
        quorum: int = 1,
        durability: str = "full",
        budgets: bool = True,
    ) -> Opening:
        """A new realm in a new log at ``path``, in memory without one; the keys that it needs go to the new folder ``<path>.keys``.

        ``roots`` say who is in it, ``quorum`` of them together; there are two at least, since one alone erases nothing. ``operators`` may
        stop it. The sequencer's key is made here. Raises ``FileExists``, ``WriteFailed``, ``GenesisInvalid``, ``PurposeWrong``,
        ``NameForm``, ``ArgumentType`` (the key of a root is an external signer's). Source: spec agent.1.
        """

        async def opens() -> Realm:
            made = Realm(begin(path, name, roots, quorum, durability, budgets=budgets, dev=False), roots)
            return await made._with(operators)

        return Opening(opens)

    @staticmethod
    def open(
        path: str | os.PathLike[str],
        *,
        roots: Sequence[Identity] = (),
        head: str | None = None,
        durability: str | None = None,
        budgets: bool = True,
        full: bool = False,
    ) -> Opening:
        """The realm at ``path``, with its keys beside it; with ``roots`` this process can enrol and revoke.

        ``head``: one that was kept, which the log must go on from (``CheckpointForked``, ``CheckpointStale``): without it nobody sees that
        an older copy was put in its place. ``full``: verify every signature again, also of what this sequencer has signed a checkpoint over
        (log.7). Raises ``FileUnreadable``, ``RealmOther``, ``NameUnknown`` (no sequencer's key), and what a replay of its log raises.
        """

        async def opens() -> Realm:
            opened = await asyncio.to_thread(find, path, durability, head, budgets=budgets, full=full)
            return Realm(opened, [opened.keys.get(DEV_ROOT)] if opened.dev and not roots else roots)

        return Opening(opens)

    @staticmethod
    def dev(
        path: str | os.PathLike[str] | None = None, *, durability: str | None = None, budgets: bool = True
    ) -> Opening:
        """A realm for trying out: made if it is not there, with a root, two operators, and every agent that is asked for.

        It says so for ever (``profile`` in its genesis): whoever can read the folder of its keys can say anything in it. Raises
        ``ArgumentRange`` where another kind of realm is at ``path``.
        """

        async def opens() -> Realm:
            if path is not None and os.path.lexists(path):
                opened = await asyncio.to_thread(find, path, durability, None, budgets=budgets)
                if not opened.dev:
                    await asyncio.to_thread(opened.engine.close)
                    raise error("ArgumentRange", "a realm for trying out", "another one")
                return Realm(opened, [opened.keys.get(DEV_ROOT)])
            root = Identity.generate(DEV_ROOT, purpose="root")
            opened = begin(path, "dev", [root], 1, durability or "full", budgets=budgets, dev=True)
            operators = [opened.keys.add(Identity.generate(each, purpose="operator")) for each in DEV_OPERATORS]
            return await Realm(opened, [root])._with(operators)

        return Opening(opens)

    @staticmethod
    def restore(
        backup: str | os.PathLike[str],
        path: str | os.PathLike[str],
        *,
        roots: Sequence[Identity] = (),
        reason: str,
        head: str | None = None,
    ) -> Opening:
        """Put a backup where nothing is, beside the keys of the realm (``<path>.keys``), and go on from it behind a ``term``.

        The backup is judged before anything is written; with ``head`` also against a head that was kept at the time. ``roots``: the keys
        that the root quorum asks for; in a realm for trying out those beside it. Where they do not suffice the term waits for the others, as
        any proposal. What agents have acknowledged behind the backup is forgotten, and the realm starts stopped. Raises ``FileExists``,
        ``FileUnreadable``, the first fault of the backup, ``AgentInUse`` (somebody still has an agent open), ``StateForm``, and what
        ``open`` raises. Source: spec log.6.
        """

        async def opens() -> Realm:
            kept = await asyncio.to_thread(put_back, backup, path, head)
            realm: Realm | None = None
            try:
                realm = await Realm.open(path, roots=roots, head=kept, full=True)
                await realm.term(reason)
            except BaseException:
                if realm is not None:
                    await realm.close()
                discard(path)
                raise
            return realm

        return Opening(opens)

    async def _with(self, operators: Sequence[Identity | Offer]) -> Realm:
        try:
            for operator in operators:
                await self.enrol(operator)
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """Close every agent, end the watch, and let go of the log. Calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            for agent in self._router.open_agents():
                await agent.close()
        finally:
            await self.store.close()

    # -- who is in it --------------------------------------------------------------------------------------------

    async def agent(self, who: str | Identity, groups: Iterable[str] = (), *, limit: int = LIMIT) -> Agent:
        """Open an agent of this realm: its key is beside the realm, or ``who`` is its identity.

        In a realm for trying out it is enrolled when it is asked for the first time, in ``groups``. ``limit``: how many of its messages
        wait in memory. Raises ``AgentInUse`` (here or in another process), ``NameUnknown`` (it is not enrolled, or its key is not here),
        ``PrincipalRevoked``, ``PurposeWrong``, ``KeyUnknown`` (it is enrolled with another key), ``ArgumentRange`` (in other groups),
        ``CheckpointStale`` (the log is shorter than what the agent has acknowledged).
        """
        name, wanted = (who.name if isinstance(who, Identity) else who), set(groups)
        if not 1 <= limit < _LIMIT_END:
            raise error("ArgumentRange", f"a limit from 1 to {_LIMIT_END - 1}", str(limit))
        self._router.reserve(name)
        lease: Lease | None = None
        try:
            await self.store.refresh()
            known = self.registry().named(name) is not None
            lease = self._keys.lease(name, 0 if known else self.engine.records)
            identity = who if isinstance(who, Identity) else self._key(name, known=known)
            if self.is_dev and not known and self.registry().revoked(identity.public) is None:
                await self.enrol(identity, wanted)
            return self._opened(identity, wanted, lease, limit)
        except BaseException:
            self._router.release(name)
            if lease is not None:
                lease.close()
            raise

    def _key(self, name: str, *, known: bool) -> Identity:
        if self.is_dev and not known and self._keys.find(name) is None:
            return self._keys.add(Identity.generate(name))
        return self._keys.get(name)

    def _opened(self, identity: Identity, groups: set[str], lease: Lease, limit: int) -> Agent:
        registry, records = self.registry(), self.engine.records
        if lease.below > records:
            # An older copy of the log was put in its place: what comes now would count as acknowledged.
            raise error(
                "CheckpointStale", f"a log of the {lease.below} records that {identity.name} knows", f"{records}"
            )
        person = registry.named(identity.name)
        if person is None:
            code = "NameUnknown" if registry.revoked(identity.public) is None else "PrincipalRevoked"
            raise error(code, "an agent that is enrolled", identity.name)
        if person.key != bytes(identity.public):
            raise error("KeyUnknown", f"the key that {identity.name} is enrolled with", "another one")
        if person.purpose != "message":
            raise error("PurposeWrong", "a key of purpose message", person.purpose)
        if groups and groups != set(person.groups):
            raise error("ArgumentRange", f"groups: {', '.join(person.groups) or 'none'}", ", ".join(sorted(groups)))
        agent = Agent(self, identity, identity.name, person.id, lease, person.groups, limit)
        self._router.add(agent)
        return agent

    async def enrol(self, who: Identity | Offer, groups: Iterable[str] = ()) -> Id:
        """Enrol a key under its name: an identity, or the offer of one whose key is elsewhere. The id of the agent.

        Where more roots are asked for than are here, it waits for theirs: ``approve``. Raises ``NameEnrolled``, ``KeyEnrolled``,
        ``PossessionInvalid``, ``NameUnknown`` (no root's key is here), ``NameTaken`` (a group has the name). Source: spec registry.3.
        """
        offer = who.offer(self.id) if isinstance(who, Identity) else who
        registry = self.registry()
        if offer.name in registry.groups:
            raise error("NameTaken", "a name that no group has", offer.name)
        listed = sorted(set(groups))
        made = await self._roots.propose("enrol", enrolment_of(offer, listed), registry.quorums["enrol"])
        known = self._registry
        if known.quorums["enrol"] == 1 and self.engine.registry_size == known.size + 1 and known.person(made) is None:
            # The one change that is not known yet is this one: asking for all again would make many enrolments slow.
            person = Person(made, offer.name, offer.purpose, tuple(listed), live=True, key=bytes(offer.public))
            known.add(person, known.size + 1)
        return made

    async def term(self, reason: str) -> Id:
        """Say in the registry that the history goes on from here, behind a restore or a change of engine: size and root of the log as it is.

        The id of the entry. Where more roots are asked for than are here, it waits for theirs: ``approve``. Source: spec registry.2.
        """
        _, size, root, *_ = self.head().split("\n")
        view = {"size": int(size), "root": base64.b64decode(root, validate=True).hex(), "reason": reason}
        return await self._roots.propose("term", json.dumps(view), self.registry().quorums["root"])

    async def revoke(self, name: str, reason: str = "", *, suspect_from: int | None = None) -> Id:
        """End an agent: nothing that it signs is admitted from then on. The id of the entry.

        ``suspect_from``: the position from which on its entries are to be doubted. Raises ``NameUnknown``, ``RevokeInvalid``, ``ClaimRange``.
        """
        registry = self.registry()
        person = registry.named(name)
        if person is None:
            raise error("NameUnknown", "the name of an agent of this realm", name)
        view = {"agent": str(person.id), "suspect_from": suspect_from, "reason": reason}
        return await self._roots.propose("revoke", json.dumps(view), registry.quorums["revoke"])

    async def erase(self, message: Id, reason: str = "") -> Erasure:
        """Forget the body of a message, and its salt, in every file of this realm: what was said is gone, that it was said stays.

        Outside a realm for trying out two roots are asked for at least. The answer says whether it is ``done``, ``pending`` (a reader holds
        old pages of the file: ask ``erasure_pending``) or ``waiting`` for other roots (``approve("erase", ...)``). Backups, and whoever has
        the message, are not reached. Raises ``ArgumentRange`` (no message with a body has the id), ``EraseInvalid`` (it is erased already,
        or a hold is on), ``ClaimRange``. Source: spec registry.3, log.5.
        """
        entry = self.engine.entries(self._find(message), 1)[0]
        if entry.body_state == "none" or entry.code is not None:
            raise error("ArgumentRange", "a message that has a body", str(message))
        view = json.dumps({"message": str(message), "reason": reason})
        proposal = await self._roots.propose("erase", view, self.registry().quorums["erase"])
        if self.engine.entries(entry.position, 1)[0].body_state == "present":
            return Erasure(proposal, "waiting")
        return Erasure(proposal, "pending" if await self.erasure_pending() else "done")

    async def erasure_pending(self) -> bool:
        """Whether a body that was erased by order still has a trace in a file of the realm. Asking tries again (spec log.5)."""
        return await asyncio.to_thread(self.engine.erasure_pending)

    async def approve(self, kind: str, proposal: Id) -> None:
        """Approve what other roots proposed (kind ``enrol``, ``revoke``, ``term`` or ``erase``) with the keys that are here.

        Raises ``ProposalInvalid``, and what the proposal itself would raise.
        """
        await self._roots.approve(kind, proposal)

    def registry(self) -> Registry:
        """Who is in the realm now."""
        if self._registry.size != self.engine.registry_size:
            self._registry = Registry(self.engine.ask("registry"))
        return self._registry

    def addresses(self, to: To) -> list[str | Id]:
        """Ids for the names of agents, names for groups, each once. Raises as ``Registry.address``."""
        registry = self.registry()
        return list(dict.fromkeys(registry.address(each) for each in addresses(to)))

    async def resolve(self, to: To) -> list[str | Id]:
        """As ``addresses``; a name that is unknown may have been enrolled by another process a moment ago."""
        try:
            return self.addresses(to)
        except CallerError as fault:
            if fault.code != "NameUnknown":
                raise
        await self.store.refresh()
        return self.addresses(to)

    def name_of(self, id: Id) -> str:  # noqa: A002
        """The name of an agent; of a sub-agent the one that it has in this process, or the first digits of its id."""
        person = self._registry.person(id) or self.registry().person(id)
        return self._children.get(id, id.short) if person is None else person.name

    # -- stops -----------------------------------------------------------------------------------------------------

    def operator(self, identity: Identity) -> Operator:
        """One who may stop this realm, or end a stop: an operator, or a root. Raises ``KeyUnknown``. Source: spec halt."""
        return operator_of(self, identity)

    def dev_operator(self, number: int = 1) -> Operator:
        """An operator of a realm for trying out, whose key lies beside it. Raises ``ArgumentRange`` in any other realm."""
        if not self.is_dev or number not in (1, 2):
            raise error("ArgumentRange", "operator 1 or 2 of a realm for trying out", "another")
        return self.operator(self._keys.get(DEV_OPERATORS[number - 1]))

    def wake_inboxes(self) -> None:
        """Let whoever waits for a message look again."""
        for agent in self._router.open_agents():
            agent.mailbox.wake()

    # -- sub-agents ----------------------------------------------------------------------------------------------

    def spawned(self, identity: Identity | None, conversation: Id, fork: Sent) -> Child:
        """The sub-agent that a fork has made; without its key it can be addressed and merged, but does not write here."""
        name = fork.id.short if identity is None else identity.name
        return self._child(identity, name, conversation, fork.id, Lease(None, fork.position + 1))

    def child(self, identity: Identity, conversation: Id, branch: Id) -> Child:
        """A sub-agent whose key is here, and whose offer was granted elsewhere: ``branch`` is the fork that did it.

        Raises ``AgentInUse``, ``ConversationUnknown``, ``BranchUnknown``. Whether the key is the granted one shows at the first entry.
        """
        self.engine.context(conversation, branch)
        if self._router.find(branch) is not None:
            raise error("AgentInUse", "to be the only one that holds this agent", "another one in this process")
        return self._child(identity, identity.name, conversation, branch, self._keys.lease(str(branch)))

    def _child(self, identity: Identity | None, name: str, conversation: Id, branch: Id, lease: Lease) -> Child:
        made = Child(self, conversation, identity, name, branch, lease)
        self._children[branch] = name
        self._router.add(made)
        return made

    # -- the log -------------------------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """How many records the log has, as far as it was taken in here: where the next one will stand."""
        return self.engine.records

    def entries(self, position: int, limit: int) -> list[RealmEntry]:
        """Entries of the log from a position on, admitted and rejected, as they were judged here; at most ``limit``."""
        return self.engine.entries(position, limit)

    def inbox_of(self, agent: Agent, lease: Lease, limit: int) -> RealmInbox:
        """What is addressed to an agent goes there from now on (spec agent.3). Raises ``AgentInUse``."""
        return self.engine.inbox(
            self.store.bell,
            agent.id,
            groups=list(agent.groups),
            child=agent.grant,
            limit=limit,
            start=lease.below,
            acked=lease.acknowledged,
        )

    def forget(self, agent: Agent) -> None:
        """An agent was closed."""
        self._router.remove(agent)

    async def submit(self, entry: bytes) -> Receipt:
        """Hand in an entry that was signed earlier, or elsewhere. The same bytes again get the original receipt.

        Raises the code with which the realm rejects or refuses it.
        """
        return self.receipt(admitted(await self.store.submit(entry)))

    def head(self) -> str:
        """The newest head of the realm, three lines and a signature: keep it where nobody changes it (spec record.2)."""
        return self.engine.head()

    def receipt(self, where: int | Id, *, proof: bool = False) -> Receipt:
        """What the log has signed for the entry at a position, or with an id.

        With ``proof`` also that the newest head covers it. Raises ``ArgumentRange`` if there is none.
        """
        position = self._find(where) if isinstance(where, Id) else where
        return Receipt(self, position, self.engine.receipt(position, proof=proof))

    def _find(self, id: Id) -> int:  # noqa: A002
        position = self.engine.position_of(id)
        if position is None:
            raise error("ArgumentRange", "the id of an entry of this realm", str(id))
        return position

    def export(self, conversation: Id | Handle | None = None) -> bytes:
        """The whole log as a transcript, or what belongs to the registry and one conversation: for ``verify_export`` and ``replay_realm``."""
        return self.engine.export(conversation.id if isinstance(conversation, Handle) else conversation)

    def dag(self, conversation: Id) -> RealmDag:
        """Who had seen what in a conversation."""
        return RealmDag(self.engine, conversation)

    def __repr__(self) -> str:
        return f"<Realm {self.engine.origin}>"
