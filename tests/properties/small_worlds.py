"""Every history of a small realm: two agents, a sub-agent, three branches; both implementations, compared after every entry.

    $ python -m tests.properties.small_worlds 4
    $ python -m tests.properties.small_worlds 5 0/2        # and 1/2 elsewhere
    $ python -m tests.properties.small_worlds 3 0/1 plain  # nothing remembered (tests.remembered): the same answers, more slowly

At each history that the steps of ``MOVES`` make, up to a depth, every entry of ``questions`` that the rules reject is put to
both. Between the steps another conversation goes on. A filtered replica of the reference, which is given the records of the registry and
of the conversation alone, takes in each of them at once and has the same digests; the core's replays them at the end of each history.
At the ends both also replay everything. The count is printed, and SHA-256 over all answers in their order.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from ama2sec import Id, _conform_rust
from ama2sec.realm import replay_realm
from ama2sec.reference import conversation_digest, read_record, registry_digest
from ama2sec.reference.replay import _History as Filtered
from tests.realm_world import CLOSE, FORK, REVOKE, TERM, TIME, kid_of
from tests.remembered import remembering
from tests.two_realms import MET, TwoRealms

OTHER = b"o" * 32
MAX_BRANCHES = 3


class Small(TwoRealms):
    """The realm before the first step."""

    given: list[bytes]
    filtered: Any

    def __init__(self) -> None:
        super().__init__(roots=2)
        for name in ("alice", "bob"):
            self.ask(self.enrol(name))
        self.other = bytes.fromhex(self.ask(self.open("bob"))["conversation"])
        self.conversation = bytes.fromhex(self.ask(self.open("alice"))["conversation"])
        self.filtered = Filtered(self.id, self.conversation)
        for answer, envelope in zip(self.answers, self.given, strict=True):
            self.follow(answer, envelope)
        self.compare_known()

    def begin(self) -> None:
        super().begin()
        self.given, self.filtered = [self.genesis], None

    def ask(self, envelope: bytes, time: int | None = None, body: bytes | None = None) -> dict[str, Any]:
        found = super().ask(envelope, time, body)
        if self.filtered is None:
            self.given.append(envelope)
        elif self.follow(found, envelope):
            self.compare_known()
        return found

    def follow(self, answer: dict[str, Any], envelope: bytes) -> bool:
        """The filtered replica takes in what belongs to the registry and the conversation. Whether this did."""
        record = read_record(bytes.fromhex(answer["record"]))
        if record.conversation not in {self.id, self.conversation}:
            return False
        self.filtered.take_pair(record.to_bytes(), envelope, None)
        return True

    def compare_known(self) -> None:
        """It knows what the replica knows that has everything."""
        known = self.filtered.state
        assert list(known.conversations) == [self.conversation]
        assert registry_digest(known.registry) == registry_digest(self.registry)
        talk = known.conversations[self.conversation]
        assert conversation_digest(talk) == conversation_digest(self.talk(self.conversation))

    def elsewhere(self) -> None:
        """Something happens in the other conversation, of which the filtered replica hears nothing."""
        self.ask(self.say("bob", self.other))

    def compare_filtered(self) -> None:
        """The core's filtered replica, over what the core exports."""
        engine = _conform_rust._Stream.engine
        assert engine is not None
        found = replay_realm(
            engine.export(Id(self.conversation)), realm=engine.realm, conversation=Id(self.conversation)
        )
        assert found.records == len(self.filtered.records) < len(self.realm.records)
        assert bytes(found.state_digest()) == registry_digest(self.registry)
        talk = conversation_digest(self.talk(self.conversation))
        assert bytes(found.state_digest(Id(self.conversation))) == talk

    def branches(self) -> list[bytes]:
        """In the order in which they were opened."""
        return list(self.talk(self.conversation).branches)

    def has_child(self) -> bool:
        return "kid" in self.grants and self.grants["kid"] in self.talk(self.conversation).grants


Move = Callable[[Small], bytes | None]


def _on(place: int, make: Callable[[Small, bytes], bytes | None]) -> Move:
    """A move on the branch at a place, if it is there."""
    return lambda world: make(world, world.branches()[place]) if place < len(world.branches()) else None


def _say(by: str, **how: Any) -> Callable[[Small, bytes], bytes | None]:
    def make(world: Small, branch: bytes) -> bytes | None:
        if by == "kid" and not world.has_child():
            return None
        return world.say(by, world.conversation, branch=branch, **how)

    return make


def _merge(by: str, other: int) -> Callable[[Small, bytes], bytes | None]:
    def make(world: Small, branch: bytes) -> bytes | None:
        if other >= len(world.branches()) or (by == "kid" and not world.has_child()):
            return None
        head = world.branches()[other]
        size = world.talk(world.conversation).branches[head].size
        return world.say(by, world.conversation, branch=branch, merges=[(head, size)])

    return make


def _fork(world: Small, branch: bytes) -> bytes | None:
    if len(world.branches()) >= MAX_BRANCHES:
        return None
    return world.fork("bob", world.conversation, branch=branch)


def _spawn(rights: int) -> Callable[[Small, bytes], bytes | None]:
    def make(world: Small, branch: bytes) -> bytes | None:
        if len(world.branches()) >= MAX_BRANCHES or world.has_child():
            return None
        grant = world.grant("kid", rights=rights, depth=1, to=[world.ids["alice"]])
        return world.spawn("alice", world.conversation, "kid", branch=branch, grant=grant)

    return make


MOVES: tuple[Move, ...] = (
    _on(0, _say("alice")),
    _on(1, _say("bob")),
    _on(1, _say("kid")),
    _on(0, _merge("bob", 1)),
    _on(1, _merge("kid", 2)),
    _on(2, _merge("alice", 0)),
    _on(0, _fork),
    _on(1, _fork),
    _on(0, _spawn(3)),
    _on(1, _spawn(0)),
    _on(0, _say("bob", kind=CLOSE, c25=False)),
    _on(1, _say("alice", kind=CLOSE, c25=False)),
    _on(0, _say("bob", kind=CLOSE, c25=True)),
    lambda world: world.entry(REVOKE, "root-1", [world.ids["alice"], None, ""]),
)


def questions(world: Small) -> Iterator[bytes]:
    """Entries of everybody on every branch: right and wrong contexts, numbers, merges, forks, closes."""
    talk, state = world.conversation, world.talk(world.conversation)
    authors = ("alice", "bob", "kid") if world.has_child() else ("alice", "bob")
    size, fingerprint = world.registry_context()
    for by, branch in itertools.product(authors, state.branches.values()):
        context = [branch.size, branch.fingerprint(branch.size), size, fingerprint]
        path = [branch.id, branch.leaves[-1], []]
        changes: list[dict[str, Any]] = [
            {},
            {"c5": [branch.size + 1, *context[1:]]},
            {"c5": [max(1, branch.base), *context[1:]]},
            {"c5": [branch.size, OTHER, size, fingerprint]},
            {"c6": [branch.id, OTHER, []]},
            {"c6": [OTHER, *path[1:]]},
            {"c5": [*context[:2], size + 1, fingerprint]},
            {"c5": [*context[:2], size, OTHER]},
            {"c9": [TIME, 0]},
            {"c9": [TIME, 1 << 20]},
            {"c7": [None, OTHER, "a", {}, None]},
            {"c8": [world.ids["bob"]]},
            {"kind": FORK, "c15": None},
            {"kind": FORK, "c15": world.grant("alice")},
            {"kind": FORK, "c15": world.grant("grandkid", expires=TIME)},
            {"kind": FORK, "c15": world.grant("grandkid")},
            {"kind": CLOSE, "c25": False},
            {"kind": CLOSE, "c25": True},
        ]
        for change in changes:
            yield world.say(by, talk, branch=branch.id, **change)
        for other in state.branches.values():
            if other is not branch:
                sizes = {other.base, other.base + 1, other.size, other.size + 1}
                for n in sizes:
                    head = [other.id, max(1, n), other.fingerprint(n) if other.base < n <= other.size else OTHER]
                    yield world.say(by, talk, branch=branch.id, c6=[*path[:2], [head]])
                yield world.say(by, talk, branch=branch.id, c6=[*path[:2], [[other.id, other.size, OTHER]]])
                yield world.fork(by, talk, branch=branch.id, merges=[(other.id, other.size)])
    yield world.say("alice", talk, branch=talk, c6=[talk, state.branches[talk].leaves[-1], [[OTHER, 1, OTHER]]])
    yield world.entry(TERM, "alice", [0, OTHER, ""])
    yield world.entry(TERM, "root-1", [0, OTHER, ""], c5=[size + 1, OTHER, size + 1, OTHER])
    yield world.entry(REVOKE, "root-2", [kid_of("sequencer"), None, ""])
    yield world.approve(REVOKE, "root-2", OTHER)


@dataclass
class Count:
    """What was done."""

    histories: int = 0
    entries: int = 0
    answers: Any = field(default_factory=hashlib.sha256)

    def add(self, world: Small) -> None:
        """What a history was answered."""
        self.histories += 1
        self.answers.update(json.dumps(world.answers).encode())


def _number(path: tuple[Move, ...]) -> int:
    """Of the first two moves: by it the work is shared out."""
    first, second = (MOVES.index(move) for move in path)
    return first * len(MOVES) + second


def explore(depth: int, part: tuple[int, int] = (0, 1)) -> Count:
    """Every history of up to ``depth`` moves; of those of two moves and more, the ``part`` [k, n): each n-th pair of first moves."""
    count = Count()
    before = sum(MET.values())

    def go(path: tuple[Move, ...]) -> None:
        world = Small()
        for move in path:
            made = move(world)
            if made is None or world.would_reject(made):
                return
            world.elsewhere()
            world.ask(made)
        if not path or len(path) == depth:
            world.compare_histories([world.conversation, world.other])
        for question in list(questions(world)):
            if world.would_reject(question):
                world.ask(question)
        world.compare_filtered()
        count.add(world)
        if len(path) < depth:
            for move in MOVES:
                if len(path) != 1 or _number((*path, move)) % part[1] == part[0]:
                    go((*path, move))

    go(())
    count.entries = sum(MET.values()) - before
    return count


if __name__ == "__main__":
    deepest = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    which, of = (int(number) for number in (sys.argv[2] if len(sys.argv) > 2 else "0/1").split("/"))
    with nullcontext() if sys.argv[3:] == ["plain"] else remembering():
        done = explore(deepest, (which, of))
    print(f"{done.histories} histories of up to {deepest} moves, {done.entries} answers compared")
    print(done.answers.hexdigest())
    for met, times in MET.most_common():
        print(f"{times:9} {met}")
