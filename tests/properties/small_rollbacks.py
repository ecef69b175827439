"""Every history of a small conversation in which somebody rolls back; both implementations, compared after every entry.

    $ python -m tests.properties.small_rollbacks 4
    $ python -m tests.properties.small_rollbacks 5 0/2        # and 1/2 elsewhere

Two agents and a sub-agent write, fork, merge, close and roll back, in all orders up to a depth. At each history every rollback that
there is, right or not, and what else may touch a branch that was cut, is put to both if the rules reject it; and of each target and
place what would fall is held against ``rollback_model``. The count is printed, and SHA-256 over all answers in their order.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator

from ama2sec.reference.dag import Branch
from ama2sec.reference.rollbacks import closure, closure_digest
from tests.properties.rollback_model import cuts_of, fallen
from tests.properties.small_worlds import Count, Small
from tests.realm_world import CLOSE
from tests.remembered import remembering
from tests.two_realms import MET

OTHER = b"o" * 32
MAX_BRANCHES = 5
Move = Callable[[Small], bytes | None]


def _open(world: Small) -> list[Branch]:
    """The branches on which something can be said, in the order in which they were opened."""
    branches = world.talk(world.conversation).branches.values()
    return [each for each in branches if not (each.undone or each.closed or each.successor)]


def _at(place: int, make: Callable[[Small, Branch], bytes | None]) -> Move:
    return lambda world: make(world, _open(world)[place]) if place < len(_open(world)) else None


def _say(world: Small, branch: Branch) -> bytes | None:
    return world.say("alice", world.conversation, branch=branch.id)


def _kid(world: Small, branch: Branch) -> bytes | None:
    return world.say("kid", world.conversation, branch=branch.id) if world.has_child() else None


def _merge(world: Small, branch: Branch) -> bytes | None:
    """All the other open branches, as far as each brings something."""
    heads = [(each.id, each.size) for each in _open(world) if each is not branch][:1]
    return world.say("bob", world.conversation, branch=branch.id, merges=heads) if heads else None


def _fork(world: Small, branch: Branch) -> bytes | None:
    few = len(world.talk(world.conversation).branches) < MAX_BRANCHES
    return world.fork("bob", world.conversation, branch=branch.id) if few else None


def _spawn(world: Small, branch: Branch) -> bytes | None:
    if world.has_child() or len(world.talk(world.conversation).branches) >= MAX_BRANCHES:
        return None
    return world.spawn("alice", world.conversation, "kid", branch=branch.id, grant=world.grant("kid", depth=1))


def _close(world: Small, branch: Branch) -> bytes | None:
    return world.say("bob", world.conversation, branch=branch.id, kind=CLOSE, c25=False)


def _back(up: int, by: str) -> Callable[[Small, Branch], bytes | None]:
    """The last leaf falls of the branch, or of the one so far up in its lineage, and all that comes of it."""

    def make(world: Small, branch: Branch) -> bytes | None:
        line = list(branch.lineage())
        if up >= len(line) or line[up].end - 1 <= line[up].base or (by == "kid" and not world.has_child()):
            return None
        target = line[up]
        return world.rollback(by, world.conversation, target.end - 1, target=target.id, branch=branch.id)

    return make


MOVES: tuple[Move, ...] = (
    _at(0, _say),
    _at(1, _say),
    _at(1, _kid),
    _at(0, _merge),
    _at(1, _merge),
    _at(0, _fork),
    _at(0, _spawn),
    _at(1, _close),
    _at(0, _back(0, "bob")),
    _at(0, _back(1, "bob")),
    _at(1, _back(0, "kid")),
    _at(1, _back(1, "alice")),
)


def questions(world: Small) -> Iterator[bytes]:
    """Of everybody on every branch: each rollback, with another closure too; a message, and each head to merge."""
    talk, branches = world.conversation, world.talk(world.conversation).branches
    for by, branch in itertools.product(("alice", "kid") if world.has_child() else ("alice",), branches.values()):
        yield world.say(by, talk, branch=branch.id)
        yield world.say(by, talk, branch=branch.id, n=branch.base + 1)
        yield world.rollback(by, talk, 1, target=OTHER, branch=branch.id, falls=[1, OTHER])
        for target in branches.values():
            for keep in range(target.base, target.size + 1):
                count, name = closure_digest(world.talk(talk), closure(world.talk(talk), target.id, keep))
                for falls in ([max(1, count), name], [max(1, count) + 1, name], [max(1, count), OTHER]):
                    yield world.rollback(by, talk, keep, target=target.id, branch=branch.id, falls=falls)
                if keep > target.base and target is not branch:
                    yield world.say(by, talk, branch=branch.id, merges=[(target.id, keep)])


def compare_closures(world: Small) -> None:
    """What each cut would take along, against the messages."""
    talk = world.talk(world.conversation)
    for branch in talk.branches.values():
        for keep in range(branch.base + 1, branch.end):
            cuts, falls = closure(talk, branch.id, keep), fallen(talk, branch.id, keep)
            assert cuts == cuts_of(falls)
            assert closure_digest(talk, cuts)[0] == len(falls)


def explore(depth: int, part: tuple[int, int] = (0, 1)) -> Count:
    """Every history of up to ``depth`` moves; ``part`` [k, n): those whose first two moves are each n-th pair, and all shorter."""
    count, before = Count(), sum(MET.values())

    def go(path: tuple[int, ...]) -> None:
        world = Small()
        for number in path:
            made = MOVES[number](world)
            if made is None or world.would_reject(made):
                return
            world.ask(made)
        compare_closures(world)
        for question in list(questions(world)):
            if world.would_reject(question):
                world.ask(question)
        if len(path) == depth:
            world.compare_histories([world.conversation])
        world.compare_filtered()
        count.add(world)
        for number in range(len(MOVES)) if len(path) < depth else ():
            if len(path) != 1 or (path[0] * len(MOVES) + number) % part[1] == part[0]:
                go((*path, number))

    go(())
    count.entries = sum(MET.values()) - before
    return count


if __name__ == "__main__":
    deepest = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    which, of = (int(number) for number in (sys.argv[2] if len(sys.argv) > 2 else "0/1").split("/"))
    with remembering():
        done = explore(deepest, (which, of))
    print(f"{done.histories} histories of up to {deepest} moves, {done.entries} answers compared")
    print(done.answers.hexdigest())
    for met, times in MET.most_common():
        print(f"{times:9} {met}")
