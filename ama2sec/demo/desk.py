"""A realm, in memory or in a file, with a few agents: what the demonstration, and the tests, act with. Keys and entries are real."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Final

from ama2sec._native import (
    EntryParts,
    Id,
    RealmAnswer,
    RealmContext,
    RealmEngine,
    SigningKey,
    draft_realm,
    sign_offer,
)
from ama2sec.errors import error

__all__ = ["Actor", "Desk"]

_NOWHERE: Final = Id(bytes(32))
_QUORUMS: Final = ("root", "enrol", "revoke", "define", "erase", "resume")


@dataclass(slots=True)
class Actor:
    """Somebody with a key: a root, an agent, or a sub-agent (``grant``)."""

    name: str
    key: SigningKey
    id: Id
    grant: bool = False
    counter: int = 0


class Desk:
    """One realm under one root; its clock stands still unless somebody moves ``now``."""

    def __init__(
        self,
        name: str,
        now: int,
        new_key: Callable[[], SigningKey] = SigningKey.generate,
        *,
        path: str | PathLike[str] | None = None,
        durability: str = "full",
    ) -> None:
        self.now = now
        self._new_key = new_key
        self.sequencer = new_key()
        key = new_key()
        self.root = Actor("root", key, key.public.thumbprint)
        draft = draft_realm(key.public, json.dumps(self._document(name)), now)
        self.engine, self.first = RealmEngine.create(
            draft.sign(key).envelope, self.sequencer, now, budgets=False, path=path, durability=durability
        )
        self.names = {self.root.id: "root"}

    def _document(self, name: str) -> dict[str, Any]:
        def holder(key: SigningKey, purpose: str, name: str) -> dict[str, Any]:
            return {
                "name": name,
                "key": bytes(key.public).hex(),
                "offer": sign_offer(key, _NOWHERE, purpose, name).hex(),
            }

        return {
            "name": name,
            "rules_version": 1,
            "profile": 1,
            "roots": [{**holder(self.root.key, "root", "root"), "next": None}],
            "sequencer": holder(self.sequencer, "sequencer", "sequencer"),
            "policy": {**dict.fromkeys(_QUORUMS, 1), "hold": False},
        }

    @property
    def realm(self) -> Id:
        """The realm's id."""
        return self.engine.realm

    # -- who there is --------------------------------------------------------------------------------------------------

    def enrol(self, name: str) -> Actor:
        """A new agent with a key of its own."""
        key = self._new_key()
        view = {
            "name": name,
            "key": bytes(key.public).hex(),
            "purpose": 1,
            "groups": [],
            "next": None,
            "replaces": None,
            "offer": sign_offer(key, self.realm, "message", name).hex(),
        }
        draft = self.engine.context().propose(self.parts(self.root), "enrol", json.dumps(view))
        signed = draft.sign(self.root.key)
        admitted(self.submit(signed.envelope))
        self.names[signed.id] = name
        return Actor(name, key, signed.id)

    def spawn(self, by: Actor, conversation: Id, branch: Id, name: str, **grant: Any) -> Actor:
        """A sub-agent in a branch of its own; ``grant`` narrows what it may do (dag.2)."""
        key = self._new_key()
        view = {
            "key": bytes(key.public).hex(),
            "offer": sign_offer(key, self.realm, "message", "child").hex(),
            "steps": None,
            "to": None,
            "rights": 0,
            "expires": None,
            "depth": 0,
            "next": None,
            **grant,
        }
        home = self.fork(by, conversation, branch, grant=view)
        self.names[home] = name
        return Actor(name, key, home, grant=True)

    # -- what they do --------------------------------------------------------------------------------------------------

    def parts(self, who: Actor, body: bytes | None = None, to: Sequence[Id] = ()) -> EntryParts:
        """What every entry has; each call is a new number."""
        who.counter += 1
        return EntryParts(
            who.key.public,
            who.id,
            (self.now, who.counter),
            self.now,
            grant=who.grant,
            recipients=list(to),
            body=body,
            media_type="text/plain",
        )

    def submit(self, entry: bytes) -> RealmAnswer:
        """Hand an entry in."""
        return self.engine.submit(entry, self.now)

    def open(self, who: Actor, members: Sequence[Id] | None = None, body: bytes | None = None) -> Id:
        """A conversation; its id is that of its first branch."""
        draft = self.engine.context().open(self.parts(who, body), None if members is None else list(members))
        signed = draft.sign(who.key)
        admitted(self.submit(signed.to_bytes()))
        return signed.id

    def message(
        self,
        who: Actor,
        seen: RealmContext,
        body: bytes | None = None,
        merges: Sequence[RealmContext] = (),
        to: Sequence[Id] = (),
    ) -> tuple[Id, bytes]:
        """A signed message over what its author has consumed, not handed in: its id and the entry."""
        signed = seen.message(self.parts(who, body, to), list(merges)).sign(who.key)
        return signed.id, signed.to_bytes()

    def say(
        self,
        who: Actor,
        conversation: Id,
        branch: Id | None = None,
        body: bytes | None = None,
        *,
        size: int | None = None,
        merges: Sequence[tuple[Id, int | None]] = (),
        to: Sequence[Id] = (),
    ) -> Id:
        """A message that must be admitted: after all of its branch or its first ``size`` entries, merging heads."""
        seen = self.engine.context(conversation, branch, size=size)
        heads = [self.engine.context(conversation, head, size=end) for head, end in merges]
        id, entry = self.message(who, seen, body, heads, to)  # noqa: A001
        admitted(self.submit(entry))
        return id

    def fork(
        self,
        who: Actor,
        conversation: Id,
        branch: Id | None = None,
        *,
        size: int | None = None,
        grant: dict[str, Any] | None = None,
    ) -> Id:
        """A new branch, which has the id of the fork."""
        seen = self.engine.context(conversation, branch, size=size)
        signed = seen.fork(self.parts(who), None if grant is None else json.dumps(grant)).sign(who.key)
        admitted(self.submit(signed.envelope))
        return signed.id

    def close(self, who: Actor, conversation: Id, branch: Id | None = None, *, whole: bool = False) -> Id:
        """The end of a branch, or of the whole conversation."""
        signed = self.engine.context(conversation, branch).close(self.parts(who), whole=whole).sign(who.key)
        admitted(self.submit(signed.envelope))
        return signed.id


def admitted(answer: RealmAnswer) -> RealmAnswer:
    """The answer, if it is what an honest entry gets. Raises ``Internal`` else: then it is this program that is wrong."""
    if answer.verdict != "admitted":
        raise error("Internal", "an honest entry to be admitted", f"{answer.verdict} {answer.code}: {answer.got}")
    return answer
