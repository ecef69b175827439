"""A realm, its people, and whatever they might sign, honest or hostile: made by the reference alone.

    world = World()
    world.take(world.enrol("alice"))
    talk = world.take(world.open("alice")).entry.message_id
    world.take(world.say("alice", talk))

Every maker gives the bytes of one envelope; ``changes`` are ``c<label>=value`` and replace claims, as in ``tests.world``.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

from ama2sec.reference import State, encode, parse
from ama2sec.reference.claims import MESSAGE_TYP, TYP_OF
from ama2sec.reference.dag import Conversation
from ama2sec.reference.envelope import honest_header, make, public_of_seed, thumbprint_of_seed
from ama2sec.reference.hashes import body_commitment, next_key
from ama2sec.reference.realm import Realm, Taken, make_genesis, make_local_halt, make_offer
from ama2sec.reference.registry import Registry
from ama2sec.reference.rollbacks import closure, closure_digest

ZEROS: Final = bytes(32)
BODY_SALT: Final = bytes(range(32))
TIME: Final = 1_793_000_000_000
LAX: Final[dict[int, Any]] = {**dict.fromkeys(range(1, 7), 1), 7: False}
OPEN, MESSAGE, FORK, ROLLBACK, CLOSE = 1, 2, 3, 4, 5
GENESIS, ENROL, REVOKE, POLICY, DEFINE, ERASE, TERM = range(16, 23)
HALT, RESUME, LOCAL_HALT = 32, 33, 48
OWN_LABEL: Final = {GENESIS: 18, ENROL: 19, REVOKE: 20, POLICY: 18, DEFINE: 18, ERASE: 22, TERM: 23}
PURPOSE: Final = {"message": 1, "operator": 2, "sequencer": 3, "root": 4}


@functools.cache
def seed_of(name: str) -> bytes:
    """The seed of somebody's key: each name has one, and a rotated key a name of its own."""
    return hashlib.sha256(name.encode()).digest()


@functools.cache
def key_of(name: str) -> bytes:
    return public_of_seed(seed_of(name))


@functools.cache
def kid_of(name: str) -> bytes:
    return thumbprint_of_seed(seed_of(name))


def policy(**changes: Any) -> dict[int, Any]:
    """A policy of ones, but for what is said: ``q<key>=quorum``, ``hold=True``."""
    named = {7 if name == "hold" else int(name[1:]): value for name, value in changes.items()}
    return LAX | named


@dataclass
class World:
    """One realm and its people. ``ids`` are agents' ids by the name of a key; ``grants`` say who is a child."""

    roots: int = 2
    laws: dict[int, Any] = field(default_factory=lambda: dict(LAX))
    profile: int = 1
    ids: dict[str, bytes] = field(default_factory=dict)
    grants: dict[str, bytes] = field(default_factory=dict)
    counters: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    now: int = TIME
    """What the log's clock says."""
    proposal: bytes = b""
    """Room for a test to keep a proposal in."""
    sequenced: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Envelopes and their records."""

    def __post_init__(self) -> None:
        self.found_genesis()
        self.realm = Realm(seed_of("sequencer"))
        self.take(self.genesis)

    def found_genesis(self) -> None:
        """Who the roots are, and what the first of them signs."""
        names = [f"root-{number + 1}" for number in range(self.roots)]
        seeds = [seed_of(name) for name in names]
        self.genesis = make_genesis("acme", seeds, seed_of("sequencer"), self.laws, self.profile, TIME, bytes(16))
        self.id = parse(self.genesis).message_id
        self.ids |= {name: kid_of(name) for name in (*names, "sequencer")}

    # -- what is -------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self.realm.state

    @property
    def registry(self) -> Registry:
        assert self.state.registry is not None
        return self.state.registry

    def talk(self, conversation: bytes) -> Conversation:
        return self.state.conversations[conversation]

    def take(self, envelope: bytes, time: int | None = None, body: bytes | None = None) -> Taken:
        """Have the reference sequence it."""
        given = None if body is None else (body, BODY_SALT)
        found = self.realm.take(envelope, given, self.now if time is None else time)
        assert isinstance(found, Taken), "a duplicate"
        self.sequenced.append((envelope, self.realm.records[-1]))
        return found

    # -- what may be signed --------------------------------------------------------------------------------------

    def sign(self, by: str, claims: dict[Any, Any], changes: dict[str, Any]) -> bytes:
        """An envelope over claims with changes; ``typ`` and ``seed`` may be changed too."""
        typ = changes.pop("typ", TYP_OF.get(claims[3], MESSAGE_TYP) if isinstance(claims[3], int) else MESSAGE_TYP)
        claims = claims | {int(name[1:]): value for name, value in changes.items()}
        claims = {label: value for label, value in claims.items() if value is not ...}
        return make(seed_of(by), encode(claims), honest_header(kid_of(by), typ))

    def seq(self, agent: bytes, conversation: bytes) -> list[int]:
        """The next number of an author."""
        number = self.counters[agent, conversation] = self.counters.get((agent, conversation), 0) + 1
        return [TIME, number]

    def registry_context(self, size: int | None = None) -> tuple[int, bytes]:
        n = self.registry.size if size is None else size
        return n, self.registry.fingerprints[n]

    def entry(
        self, kind: int, by: str, own: Any, *, approves: bytes | None = None, seen: int | None = None, **changes: Any
    ) -> bytes:
        """An entry of the registry."""
        size, fingerprint = self.registry_context(seen)
        agent = self.ids[by]
        claims: dict[Any, Any] = {
            1: self.id,
            2: self.id,
            3: kind,
            4: [agent, None],
            5: [size, fingerprint, size, fingerprint],
            6: [self.id, self.registry.leaves[size - 1], []],
            7: None,
            9: self.seq(agent, self.id),
            10: TIME,
            11: bytes(16),
            OWN_LABEL[kind]: own,
            27: approves,
        }
        return self.sign(by, claims, changes)

    def approve(self, kind: int, by: str, proposal: bytes, **changes: Any) -> bytes:
        return self.entry(kind, by, None, approves=proposal, **changes)

    def enrolment(
        self,
        key: str,
        *,
        name: str | None = None,
        purpose: str = "message",
        groups: tuple[str, ...] = (),
        following: str | None = None,
        replaces: bytes | None = None,
    ) -> list[Any]:
        """Claim 19 for the key of this name, with its offer."""
        called = key if name is None else name
        digest = None if following is None else next_key(key_of(following))
        offer = make_offer(seed_of(key), self.id, PURPOSE[purpose], called, digest)
        return [called, key_of(key), PURPOSE[purpose], list(groups), digest, replaces, offer]

    def enrol(self, key: str, *, by: str = "root-1", own: Any = ..., **how: Any) -> bytes:
        """A proposal to enrol a key; its agent is known by the key's name from now on."""
        changes = {name: how.pop(name) for name in list(how) if name[0] == "c" and name[1:].isdigit()}
        made = self.entry(ENROL, by, self.enrolment(key, **how) if own is ... else own, **changes)
        self.ids.setdefault(key, how.get("replaces") or parse(made).message_id)
        return made

    def stop_claims(self, kind: int, by: str) -> dict[Any, Any]:
        """What halts and resumes have in common: they ask for nothing."""
        return {
            1: self.id,
            2: self.id,
            3: kind,
            4: [self.ids[by], None],
            5: [0, ZEROS, 0, ZEROS],
            6: [self.id, None, []],
            7: None,
            10: TIME,
            11: self.counted_salt(),
        }

    def halt(
        self, by: str, scope: Any = (0,), *, reason: str = "wrong prices", kind: int = HALT, **changes: Any
    ) -> bytes:
        """A halt; the scope in its array form, or the bytes that stand for it."""
        given = scope if isinstance(scope, bytes) else encode(list(scope))
        return self.sign(by, self.stop_claims(kind, by) | {17: given, 26: reason}, changes)

    def local_halt(self, scope: Any = (0,), *, reason: str = "wrong prices") -> bytes:
        """A local halt by the sequencer."""
        given = scope if isinstance(scope, bytes) else encode(list(scope))
        return make_local_halt(seed_of("sequencer"), self.id, given, reason, TIME, self.counted_salt())

    def resume(self, by: str, halts: list[bytes], *, reason: str = "prices are right", **changes: Any) -> bytes:
        """A proposal to end these halts."""
        own = {21: [sorted(halts), reason], 27: None}
        return self.sign(by, self.stop_claims(RESUME, by) | own, changes)

    def approve_resume(self, by: str, proposal: bytes, **changes: Any) -> bytes:
        """The approval of such a proposal."""
        return self.sign(by, self.stop_claims(RESUME, by) | {21: None, 27: proposal}, changes)

    def people(self, *names: str) -> None:
        """Enrol these, at once."""
        for name in names:
            self.take(self.enrol(name))

    def open(self, by: str, *, members: list[Any] | None = None, seen: int | None = None, **changes: Any) -> bytes:
        claims: dict[Any, Any] = {
            1: self.id,
            2: ZEROS,
            3: OPEN,
            4: [self.ids[by], None],
            5: [0, ZEROS, *self.registry_context(seen)],
            6: [ZEROS, None, []],
            7: None,
            8: [],
            10: TIME,
            11: self.counted_salt(),
            12: None,
            13: members,
            14: [False, None],
        }
        return self.sign(by, claims, changes)

    def counted_salt(self) -> bytes:
        """Two opens, or two forks, of one author are never one message."""
        self.counters[ZEROS, ZEROS] = number = self.counters.get((ZEROS, ZEROS), 0) + 1
        return number.to_bytes(16, "big")

    def opened(self, by: str, **how: Any) -> bytes:
        """Open a conversation at once. Its id."""
        return self.take(self.open(by, **how)).entry.message_id

    def say(
        self,
        by: str,
        conversation: bytes,
        *,
        kind: int = MESSAGE,
        branch: bytes | None = None,
        n: int | None = None,
        merges: list[tuple[bytes, int]] | tuple[()] = (),
        seen: int | None = None,
        body: bytes | None = None,
        **changes: Any,
    ) -> bytes:
        """A message, or another kind, on a branch that is there, by default with all that is known as its context."""
        talk, agent = self.talk(conversation), self.ids[by]
        at = talk.branches[conversation if branch is None else branch]
        size = at.size if n is None else n
        heads = sorted(([b, s, talk.branches[b].fingerprint(s)] for b, s in merges), key=lambda head: encode(head))
        claims: dict[Any, Any] = {
            1: self.id,
            2: conversation,
            3: kind,
            4: [agent, self.grants.get(by)],
            5: [size, at.fingerprint(size), *self.registry_context(seen)],
            6: [at.id, at.leaves[size - 1], heads],
            7: None,
            8: [],
            9: self.seq(agent, conversation),
            10: TIME,
            11: bytes(16),
            12: None if body is None else [body_commitment(BODY_SALT, body), len(body), "text/plain"],
        }
        return self.sign(by, claims, changes)

    def fork(self, by: str, conversation: bytes, **how: Any) -> bytes:
        """A fork in which the author goes on himself."""
        return self.say(by, conversation, kind=FORK, **{"c15": None, "c11": self.counted_salt()} | how)

    def close(self, by: str, conversation: bytes, *, whole: bool = False, **how: Any) -> bytes:
        return self.say(by, conversation, kind=CLOSE, **{"c25": whole} | how)

    def rollback(
        self, by: str, conversation: bytes, keep: int, *, target: bytes | None = None, falls: Any = None, **how: Any
    ) -> bytes:
        """Back to the first ``keep`` leaves of a branch, with all that falls by that, unless it is said."""
        talk, cut = self.talk(conversation), conversation if target is None else target
        whole = list(closure_digest(talk, closure(talk, cut, keep))) if falls is None else falls
        return self.say(by, conversation, kind=ROLLBACK, **{"c16": [cut, keep, whole, "not so"]} | how)

    def rolled(self, by: str, conversation: bytes, keep: int, **how: Any) -> bytes:
        """Roll back at once; it has to be admitted. The branch in which the target goes on."""
        found = self.take(self.rollback(by, conversation, keep, **how))
        assert found.record.code == 0, found.record.code
        successor = self.talk(conversation).branches[how.get("target") or conversation].successor
        assert successor is not None
        return successor

    def grant(self, child: str, **changes: Any) -> list[Any]:
        """Claim 15 for a child with the key of this name: it may do all that there is, unless it is changed."""
        parts: dict[str, Any] = {
            "key": key_of(child),
            "offer": make_offer(seed_of(child), self.id, 1, "child", changes.get("next")),
            "steps": None,
            "to": None,
            "rights": 7,
            "expires": None,
            "depth": 8,
            "next": None,
        }
        return list((parts | changes).values())

    def spawn(self, by: str, conversation: bytes, child: str, *, grant: Any = None, **how: Any) -> bytes:
        """A fork that makes a child, which is known by its key's name from now on."""
        made = self.fork(by, conversation, c15=self.grant(child) if grant is None else grant, **how)
        self.ids[child] = self.grants[child] = parse(made).message_id
        return made

    def spawned(self, by: str, conversation: bytes, child: str, **how: Any) -> bytes:
        """Spawn at once. The child's id, which is its branch's."""
        return self.take(self.spawn(by, conversation, child, **how)).entry.message_id
