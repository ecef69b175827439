"""Every history of a small workflow in which somebody rolls back; both implementations and a model, after every entry.

    $ python -m tests.properties.small_undone_work line 4
    $ python -m tests.properties.small_undone_work join 4 0/2        # and 1/2 elsewhere

Two people and up to four branches take the three steps of a definition, approve, fork, merge and roll back, in all orders up to a depth. At
each history every step and approval by everybody everywhere, and every rollback, is put to both, if the rules reject it; what each
deserves is said by ``machine_model`` over the messages that are left. From each history an honest order ends what runs, unless its
visits are spent. The count is printed, and SHA-256 over all answers in their order.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from ama2sec.reference.dag import Branch, Instance
from tests.properties.machine_world import OTHER, Ledger
from tests.properties.small_worlds import Count
from tests.remembered import remembering
from tests.two_realms import MET
from tests.workflow_world import ANY, step

MAX_BRANCHES = 4
LONG = 20
BOTH = ["work", "check"]
DEFINITIONS: dict[str, list[dict[str, Any]]] = {
    "line": [
        step("a", visits=2),
        step("b", needs=["a"], visits=2, approvals=["a", 1, ["check"]]),
        step("c", needs=["b"], terminal=True),
    ],
    "join": [
        step("a", visits=2),
        step("b", needs=["a"], visits=2),
        step("c", needs=["a", "b"], terminal=True, approvals=["b", 1, BOTH]),
    ],
    "either": [
        step("a", visits=2),
        step("b", needs=["a"], choice="a", visits=2, pivot=True),
        step("c", needs=["a"], choice="a", visits=2, terminal=True),
    ],
    "any": [
        step("a", visits=2, outputs={"n": 1}),
        step("b", needs=["a"], visits=2),
        step("c", mode=ANY, needs=["a", "b"], terminal=True),
    ],
}


class SmallWork(Ledger):
    """A conversation of this definition, before the first move."""

    people_of: ClassVar[dict[str, tuple[str, ...]]] = {"ann": ("work", "undo"), "bob": ("work", "check")}

    def __init__(self, name: str) -> None:
        self.steps = DEFINITIONS[name]
        super().__init__()

    def prepare(self) -> None:
        self.define("flow", self.steps, ["undo"], 2)
        self.begun(self.open("ann", c14=[False, "flow"]))

    @property
    def conversation(self) -> bytes:
        return self.talks[0]

    @property
    def branches(self) -> list[Branch]:
        return list(self.talk(self.conversation).branches.values())

    def running(self) -> Instance | None:
        """The only one that is, if there is one: nobody starts another."""
        return next(iter(self.talk(self.conversation).instances.values()), None)

    def act(self, by: str, branch: Branch, name: str, subject: bytes | None = None, *, merging: bool = False) -> bytes:
        """A step, or an approval, in what runs; or its start."""
        of, talk = self.running(), self.conversation
        known = None if of is None else of.id
        state = [known, self.present(talk), name, {}, subject]
        heads = self.heads(talk, branch) if merging else []
        return self.say(by, talk, branch=branch.id, c7=state, merges=heads)

    def subject(self, name: str) -> bytes | None:
        """What would be approved for a step."""
        of = self.running()
        rule = next(each for each in self.steps if each["name"] == name)["approvals"]
        names = [each["name"] for each in self.steps]
        if of is None or rule is None:
            return None
        given = [each.message_id for each in of.transitions if names[each.step] == rule[0]]
        return given[-1] if given else None


Move = Callable[[SmallWork], bytes | None]


def _at(place: int, make: Callable[[SmallWork, Branch], bytes | None]) -> Move:
    """On one of the branches that are open, in the order in which they were."""

    def move(world: SmallWork) -> bytes | None:
        live = world.live(world.conversation)
        return make(world, live[place]) if place < len(live) else None

    return move


def _take(name: str, by: str, *, merging: bool = False) -> Callable[[SmallWork, Branch], bytes | None]:
    def make(world: SmallWork, branch: Branch) -> bytes | None:
        if world.running() is None and name != "a":
            return None
        return world.act(by, branch, name, merging=merging)

    return make


def _approve(world: SmallWork, branch: Branch) -> bytes | None:
    asked = [(each["name"], subject) for each in world.steps if (subject := world.subject(each["name"]))]
    return world.act("bob", branch, *asked[0]) if asked else None


def _fork(world: SmallWork, branch: Branch) -> bytes | None:
    few = len(world.branches) < MAX_BRANCHES
    return world.fork("bob", world.conversation, branch=branch.id) if few else None


def _back(up: int, leaves: int) -> Callable[[SmallWork, Branch], bytes | None]:
    """So many leaves fall of the branch, or of the one so far up in its lineage, and all that comes of them."""

    def make(world: SmallWork, branch: Branch) -> bytes | None:
        line = list(branch.lineage())
        if up >= len(line) or line[up].end - leaves <= line[up].base:
            return None
        target = line[up]
        return world.rollback("ann", world.conversation, target.end - leaves, target=target.id, branch=branch.id)

    return make


MOVES: tuple[Move, ...] = (
    _at(0, _take("a", "ann")),
    _at(0, _take("b", "ann", merging=True)),
    _at(1, _take("b", "bob")),
    _at(0, _take("c", "ann", merging=True)),
    _at(1, _take("c", "bob", merging=True)),
    _at(0, _approve),
    _at(1, _approve),
    _at(0, _fork),
    _at(0, _back(0, 1)),
    _at(0, _back(0, 2)),
    _at(1, _back(0, 1)),
    _at(1, _back(1, 1)),
)


def questions(world: SmallWork) -> Iterator[bytes]:
    """Every step and approval, by both, on every branch, with and without the heads of the others; of what was undone too; each rollback."""
    talk, gone = world.conversation, [None, *sorted(world.past.gone), OTHER]
    names = [each["name"] for each in world.steps]
    for by, branch, merging in itertools.product(world.people_of, world.branches, (False, True)):
        if merging and not world.heads(talk, branch):
            continue
        for name in names:
            yield world.act(by, branch, name, merging=merging)
            of = world.running()
            for subject in {each.message_id: None for each in of.transitions} if of else ():
                yield world.act(by, branch, name, subject, merging=merging)
    for branch, before in itertools.product(world.branches, gone[1:]):
        yield world.say("ann", talk, branch=branch.id, c7=[before, world.present(talk), "b", {}, None])
        if of := world.running():
            yield world.say("bob", talk, branch=branch.id, c7=[of.id, world.present(talk), "b", {}, before])
    for branch, target in itertools.product(world.branches, world.branches):
        for keep in range(target.base, target.size + 1):
            good = target.base < keep < target.end
            for by in world.people_of:
                for how in ({}, {"falls": [9, OTHER]}) if good else ({"falls": [1, OTHER]},):
                    yield world.rollback(by, talk, keep, target=target.id, branch=branch.id, **how)
            if keep > target.base and target is not branch:
                yield world.say("bob", talk, branch=branch.id, merges=[(target.id, keep)])


def finish(world: SmallWork, count: Counter[str]) -> None:
    """Go on honestly until what runs has ended, or its visits are spent: nothing else is in the way."""
    for _ in range(LONG):
        of = world.running()
        if of is None or any(of.workflow.steps[each.step].terminal for each in of.transitions):
            count["ended"] += of is not None
            return
        tried = {made: world.code_of(made) for made in _honest(world)}
        good = next((made for made, code in tried.items() if code == "ok"), None)
        if good is None:
            assert "StepSpent" in tried.values() or "StepExcluded" in tried.values(), sorted(tried.values())
            count["spent"] += 1
            return
        assert world.put(good) == "ok"
    raise AssertionError("it goes on and on")


def _honest(world: SmallWork) -> Iterator[bytes]:
    """What somebody who has seen everything would try: the last step first, approvals, then the others."""
    (branch, *_), names = world.live(world.conversation), [each["name"] for each in world.steps]
    for by in world.people_of:
        yield world.act(by, branch, names[-1], merging=True)
    for name in names:
        if subject := world.subject(name):
            yield from (world.act(by, branch, name, subject, merging=True) for by in world.people_of)
    for name in reversed(names[:-1]):
        yield from (world.act(by, branch, name, merging=True) for by in world.people_of)


def explore(name: str, depth: int, part: tuple[int, int] = (0, 1)) -> tuple[Count, Counter[str]]:
    """Every history of up to ``depth`` moves; ``part`` [k, n): those whose first three moves are each n-th triple, and all shorter."""
    count, before, ends, places = Count(), sum(MET.values()), Counter[str](), len(MOVES)

    def go(path: tuple[int, ...]) -> None:
        world = SmallWork(name)
        for number in path:
            made = MOVES[number](world)
            if made is None or world.code_of(made) != "ok":
                return
            assert world.put(made) == "ok"
        for question in list(questions(world)):
            if world.code_of(question) != "ok":
                world.put(question)
        if len(path) == depth:
            world.compare_histories([world.conversation])
        finish(world, ends)
        count.add(world)
        for number in range(places) if len(path) < depth else ():
            if len(path) != 2 or ((path[0] * places + path[1]) * places + number) % part[1] == part[0]:
                go((*path, number))

    go(())
    count.entries = sum(MET.values()) - before
    return count, ends


if __name__ == "__main__":
    which, deepest = sys.argv[1], int(sys.argv[2])
    share, of = (int(number) for number in (sys.argv[3] if len(sys.argv) > 3 else "0/1").split("/"))
    with remembering():
        done, ended = explore(which, deepest, (share, of))
    print(
        f"{which}: {done.histories} histories of up to {deepest} moves, {done.entries} answers compared, {dict(ended)}"
    )
    print(done.answers.hexdigest())
    for met, times in MET.most_common():
        print(f"{times:9} {met}")
