"""What the roots of a realm say in its registry: who is in it, and who no more (spec registry, agent.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ama2sec._native import EntryParts, Id
from ama2sec.errors import Ama2Error, error
from ama2sec.identity import Identity
from ama2sec.identity.identity import clock_ms
from ama2sec.realm.handle import admitted
from ama2sec.realm.lease import Lease
from ama2sec.realm.people import Keyring
from ama2sec.realm.store import Store

__all__ = ["Erasure", "Roots"]

_TRIES: Final = 250
_WAIT: Final = 0.02
"""Seconds between two tries to get a root's numbers while another process enrols."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What became of an order to erase a body (spec log.5)."""

    proposal: Id
    state: Literal["waiting", "pending", "done"]
    """``waiting``: for other roots. ``pending``: nobody is given the body any more, and a file still has a trace of it. ``done``: none has."""


class Roots:
    """The roots whose keys are here. A root's numbers are held only while it speaks: other processes have it too."""

    def __init__(self, store: Store, roots: Sequence[Identity], keys: Keyring) -> None:
        self._store = store
        self._roots = list(roots)
        self._keys = keys
        self._turn = asyncio.Lock()

    async def propose(self, kind: str, view: str, quorum: int) -> Id:
        """A proposal, approved by as many of the roots here as are asked for. Its id; raises the code that it is rejected with."""
        roots = self._here()
        proposal = await self._say(roots[0], kind, view, None)
        for root in roots[1:quorum]:
            await self._say(root, kind, None, proposal)
        return proposal

    async def approve(self, kind: str, proposal: Id) -> None:
        """Approve what other roots have proposed, with every key that is here."""
        for root in self._here():
            await self._say(root, kind, None, proposal)

    def _here(self) -> list[Identity]:
        if not self._roots:
            raise error("NameUnknown", "the key of a root", "none in this process")
        return self._roots

    async def _say(self, root: Identity, kind: str, view: str | None, proposal: Id | None) -> Id:
        engine = self._store.engine
        async with self._turn:
            lease = await self._lease(root.name)
            try:
                parts = EntryParts(root.public, root.id, lease.next(engine.realm), clock_ms())
                seen = engine.context()
                if proposal is None:
                    draft = seen.propose(parts, kind, "null" if view is None else view)
                else:
                    draft = seen.approve(parts, kind, proposal)
                signed = root.seal(draft)
                admitted(await self._store.submit(signed.to_bytes()))
            finally:
                lease.close()
        return signed.id

    async def _lease(self, name: str) -> Lease:
        for left in reversed(range(_TRIES)):
            try:
                return self._keys.lease(name)
            except Ama2Error as fault:
                if fault.code != "AgentInUse" or not left:
                    raise
            await asyncio.sleep(_WAIT)
        raise error("Internal", "a lease or a fault", "neither")
