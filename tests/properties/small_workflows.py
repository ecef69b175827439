"""Small workflows, exhaustively: a family of definitions, every history of each up to a depth, every entry that somebody might try.

    $ python -m tests.properties.small_workflows 4
    $ python -m tests.properties.small_workflows 5 0/2        # and 1/2 elsewhere: every second definition
    $ python -m tests.properties.small_workflows 5 drawn      # in the order of the SHA-256 of their names: as many as there is time for
    $ python -m tests.properties.small_workflows 5 kinds      # of each kind the first in that order

What an entry deserves is said by ``workflow_model``; whoever plays is held against it. ``Quick`` is the reference alone, over claims
that nobody signed: for every entry at every history. ``Signed`` is the reference and the core, over envelopes, with their digests:
for walks through each definition. From each history of a definition that is of use an honest order leads to the end.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final, Protocol

from ama2sec import _conform_rust
from ama2sec.errors import Ama2Error
from ama2sec.reference import Admitted, Stamp, admit, apply, compile_definition, conversation_digest, parse
from ama2sec.reference.admission import State
from ama2sec.reference.claims import MESSAGE_TYP, Claims, Merge, WorkflowState
from ama2sec.reference.envelope import Envelope
from tests.properties.workflow_model import Act, Model, Said, Steps
from tests.realm_world import FORK, MESSAGE, OPEN, TIME, ZEROS, kid_of, seed_of
from tests.workflow_world import ALL, ANY, Flow, document, step

PEOPLE: Final = {"ann": ("work",), "bob": ("check",), "cat": ("work", "check")}
NOBODY: Final = 1 << 20
"""The number of a message that there is not."""
OTHER = b"o" * 32
MAX_BRANCHES: Final = 3
TICK: Final = 6
GOOD, BAD = (("n", 1),), (("n", 2),)
LONG: Final = 60
"""Moves after which an honest order should have ended."""


# -- the family ----------------------------------------------------------------------------------------------------


def _needs(other: str) -> list[tuple[int, list[str]]]:
    """What a step in the middle may need: nothing, the start, the other one, both; all of it or any."""
    return [(ALL, []), *((mode, needs) for needs in (["s"], [other], ["s", other]) for mode in (ALL, ANY))]


ENDS: Final = [(ALL, ["b"]), (ALL, ["a", "b"]), (ANY, ["a", "b"]), (ALL, ["s"])]


def family() -> Iterator[tuple[str, Steps]]:
    """Definitions of four steps (start, two in the middle, end) with all shapes of needs, and what else they may have."""
    for number, (of_a, of_b, of_end) in enumerate(itertools.product(_needs("b"), _needs("a"), ENDS)):
        for kind in ("twice", "once", "choice", "approvals", "inner", "double", "when", "deadline", "wait"):
            steps = _steps(kind, of_a, of_b, of_end)
            if steps is not None and _is_sound(steps):
                yield f"{number}-{kind}", steps


def _steps(kind: str, of_a: Any, of_b: Any, of_end: Any) -> Steps | None:
    visits = 1 if kind == "once" else 2
    steps = [
        step("s", visits=visits, outputs={"n": 1}),
        step("a", mode=of_a[0], needs=of_a[1], visits=visits),
        step("b", mode=of_b[0], needs=of_b[1], visits=visits, by=["check"]),
        step("e", mode=of_end[0], needs=of_end[1], by=["work", "check"], terminal=True),
    ]
    _, a, b, end = steps
    last = of_end[1][-1] if of_end[0] == ALL else None
    match kind:
        case "choice" if (ALL, "s") == (of_a[0], *of_a[1][:1]) == (of_b[0], *of_b[1][:1]):
            a["choice"] = b["choice"] = "s"
        case "approvals" if last is not None:
            end["approvals"] = [last, 2 if last == "s" else 1, ["work", "check"]]
        case "inner" if of_b[0] == ALL and of_b[1]:
            b["approvals"] = [of_b[1][-1], 1, ["work"]]
            end["by"] = ["work"]
        case "double" if last == "s" and of_b == (ALL, ["s"]):
            b["approvals"], end["approvals"] = ["s", 1, ["work"]], ["s", 2, ["work", "check"]]
            end["when"] = [["s", "n", 1, 1]]
        case "when":
            end["when"] = [["s", "n", 1, 1]]
        case "deadline":
            end["deadline"] = TICK
        case "wait":
            b["deadline"] = TICK - 1
        case "twice" | "once":
            pass
        case _:
            return None
    return steps


def _is_sound(steps: Steps) -> bool:
    try:
        compile_definition(document(steps))
    except Ama2Error:
        return False
    return True


# -- who plays -----------------------------------------------------------------------------------------------------


class Player(Protocol):
    """Somebody who judges entries. ``refuses`` changes nothing that a later verdict depends on."""

    def begin(self, time: int) -> None:
        """A new conversation, opened by ann without a step; it is message 0."""

    def judges(self, said: Said, time: int) -> str | None:
        """The code of an entry that shall be rejected, or ``ok``; None where that cannot be said without taking it."""

    def take(self, said: Said, time: int) -> str:
        """The code of an entry that shall be admitted; then it is taken."""


@dataclass
class Table:
    """A realm in which one definition is in force."""

    steps: Steps
    world: Flow = field(default_factory=Flow)

    def __post_init__(self) -> None:
        for name, groups in PEOPLE.items():
            self.world.take(self.world.enrol(name, groups=groups))
        self.flow = document(self.steps)
        self.world.take(self.world.define(self.flow))
        self.names: list[bytes] = []
        """Messages by their numbers."""
        self.branches: list[bytes] = []
        self.talk = b""

    def state_of(self, act: Act | None) -> list[Any] | None:
        """Claim 7."""
        if act is None:
            return None
        instance, approves = (None if at is None else self.name(at) for at in (act.instance, act.approves))
        made = self.world.state_of(self.flow, instance, act.step, dict(act.outputs), approves)
        return made if act.version else [made[0], OTHER, *made[2:]]

    def name(self, number: int) -> bytes:
        return self.names[number] if number < len(self.names) else OTHER

    def keep(self, said: Said, name: bytes) -> None:
        """A message that was taken."""
        self.names.append(name)
        if said.fork:
            self.branches.append(name)


@dataclass
class Quick(Table):
    """The reference over claims that nobody signed."""

    state: State = field(default_factory=State)
    count: int = 0

    def begin(self, time: int) -> None:
        del time
        self.state, self.count = State(self.world.registry), 0
        entry = self.entry(OPEN, "ann", ZEROS, replace(_BLANK, workflow=(False, "flow")))
        apply(self.state, entry, Admitted(entry.message_id, entry.message_id, 0))
        self.talk = entry.message_id
        self.names, self.branches = [self.talk], [self.talk]

    def judges(self, said: Said, time: int) -> str:
        found = admit(self.state, Stamp(time, self.world.registry.size), self.said(said))
        return "ok" if isinstance(found, Admitted) else found.fault.code

    def take(self, said: Said, time: int) -> str:
        entry = self.said(said)
        found = admit(self.state, Stamp(time, self.world.registry.size), entry)
        apply(self.state, entry, found)
        if not isinstance(found, Admitted):
            return found.fault.code
        self.keep(said, entry.message_id)
        return "ok"

    def said(self, said: Said) -> Envelope:
        talk = self.state.conversations[self.talk]
        branch = talk.branches[self.branches[said.branch]]
        heads = [(talk.branches[self.branches[at]], size) for at, size in said.merges]
        state = self.state_of(said.act)
        claims = replace(
            _BLANK,
            branch=branch.id,
            size=said.n,
            fingerprint=branch.fingerprint(said.n),
            parent=branch.leaves[said.n - 1],
            merges=tuple(Merge(head.id, size, head.fingerprint(size)) for head, size in heads),
            workflow_state=None if state is None else WorkflowState(*state),
        )
        return self.entry(FORK if said.fork else MESSAGE, said.by, self.talk, claims)

    def entry(self, kind: int, by: str, conversation: bytes, claims: Claims) -> Envelope:
        self.count += 1
        size, fingerprint = self.world.registry_context()
        whole = replace(
            claims,
            realm=self.world.id,
            conversation=conversation,
            kind=kind,
            agent=self.world.ids[by],
            registry_size=size,
            registry_fingerprint=fingerprint,
            seq=None if kind == OPEN else (TIME, self.count),
        )
        return Envelope(b"", b"", self.count.to_bytes(8, "big"), b"", kid_of(by), MESSAGE_TYP, whole)


_BLANK: Final = Claims(
    realm=ZEROS, conversation=ZEROS, kind=MESSAGE, agent=ZEROS, grant=None, size=0, fingerprint=ZEROS, registry_size=0,
    registry_fingerprint=ZEROS, branch=ZEROS, parent=None, merges=(), workflow_state=None, recipients=(), seq=None, time=TIME,
    salt=bytes(16), body=None, members=None, workflow=None, fork=None, rollback=None, scope=None, own=None, own_value=None, close=None,
    reason=None, approves=None,
)  # fmt: skip


@dataclass
class Signed(Table):
    """The reference and the core, over envelopes. What they answer, and their digests, are compared at each of them."""

    compared: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [envelope for envelope, _ in self.world.sequenced]
        seed = seed_of("sequencer")
        _conform_rust.realm_new(TIME, seed, given[0], None, None, None, None, None)
        for envelope in given[1:]:
            assert _conform_rust.admit(envelope, TIME, None)["verdict"] == "admitted"

    def begin(self, time: int) -> None:
        self.talk = self.both(self.world.open("ann", c14=[False, "flow"]), time)[1]
        self.names, self.branches = [self.talk], [self.talk]

    def judges(self, said: Said, time: int) -> str | None:
        envelope = self.said(said)
        found = admit(self.world.state, Stamp(time, self.world.registry.size), parse(envelope))
        return None if isinstance(found, Admitted) else self.both(envelope, time)[0]

    def take(self, said: Said, time: int) -> str:
        code, name = self.both(self.said(said), time)
        if code == "ok":
            self.keep(said, name)
        return code

    def both(self, envelope: bytes, time: int) -> tuple[str, bytes]:
        """The code and the message's id; both give an entry to their state."""
        self.compared += 1
        taken = self.world.take(envelope, time)
        rust = _conform_rust.admit(envelope, time, None)
        code = "ok" if isinstance(taken.verdict, Admitted) else taken.verdict.fault.code
        talk = self.world.talk(taken.record.conversation)
        mine = (code, taken.record.to_bytes().hex(), conversation_digest(talk).hex())
        theirs = (rust.get("code", "ok"), rust["record"], rust["digest"])
        assert mine == theirs, (mine, theirs)
        return code, taken.entry.message_id

    def said(self, said: Said) -> bytes:
        names = self.branches
        merges = [(names[at], size) for at, size in said.merges]
        return self.world.say(
            said.by,
            self.talk,
            kind=FORK if said.fork else MESSAGE,
            branch=names[said.branch],
            n=said.n,
            merges=merges,
            c7=self.state_of(said.act),
            **({"c15": None} if said.fork else {}),
        )


# -- what may be tried ---------------------------------------------------------------------------------------------


@dataclass
class Game:
    """A history of a definition, for the model and whoever plays."""

    steps: Steps
    player: Player
    time: int = TIME
    model: Model = field(init=False)

    def begin(self) -> None:
        self.model = Model(self.steps, PEOPLE, "s")
        self.model.take(Said("ann", 0, 0), self.time)
        self.player.begin(self.time)

    def move(self, said: Said | None) -> None:
        """An entry that the model admits, or None: time passes."""
        if said is None:
            self.time += TICK
            return
        verdict = self.model.verdict(said, self.time)
        assert (verdict, self.player.take(said, self.time)) == ("ok", "ok"), said
        self.model.take(said, self.time)

    def size(self, branch: int) -> int:
        return len(self.model.branches[branch])

    def heads(self, branch: int) -> tuple[tuple[int, int], ...]:
        """The other branches, whole, as far as each brings what neither the context nor the others have."""
        model, at = self.model, range(len(self.model.branches))
        whole = [(other, self.size(other)) for other in at if other != branch]
        found = []
        for head in whole:
            rest = tuple(each for each in whole if each != head)
            if model.branches[head[0]][-1] not in model.ancestors(Said("ann", branch, self.size(branch), rest)):
                found.append(head)
        return tuple(found)

    # -- what may be tried ---------------------------------------------------------------------------------------

    def places(self) -> Iterator[tuple[int, int, tuple[tuple[int, int], ...]]]:
        """The ends of all branches, each without merges and with all."""
        for branch in range(len(self.model.branches)):
            yield branch, self.size(branch), ()
            if heads := self.heads(branch):
                yield branch, self.size(branch), heads

    def instances(self) -> list[int]:
        return [each.number for each in self.model.messages if each.is_transition and each.instance == each.number]

    def acts(self) -> Iterator[Act]:
        """Every step of every instance, and every approval of what was done in it; and a start."""
        for each in self.steps:
            for instance in (None, *self.instances()):
                for good in (True, False) if each["outputs"] and self.has("when") else (True,):
                    yield Act(each["name"], instance, self.outputs(each, good=good))
                if each["approvals"] is not None and instance is not None:
                    for subject in self.model.transitions(instance):
                        yield Act(each["name"], instance, (), subject.number)

    def has_ended(self, instance: int) -> bool:
        ends = {each["name"] for each in self.steps if each["terminal"]}
        return any(
            each.said.act is not None and each.said.act.step in ends for each in self.model.transitions(instance)
        )

    def outputs(self, of: dict[str, Any], *, good: bool) -> tuple[tuple[str, Any], ...]:
        return () if not of["outputs"] else GOOD if good else BAD

    def has(self, part: str) -> bool:
        return any(each[part] for each in self.steps)

    def tries(self) -> Iterator[Said]:
        """Every act of everybody, everywhere."""
        for (branch, n, heads), act, by in itertools.product(self.places(), list(self.acts()), PEOPLE):
            yield Said(by, branch, n, heads, act)

    def odd_tries(self) -> Iterator[Said]:
        """The acts of somebody who may do everything, with contexts that are older, and heads that are shorter; and what is no act."""
        model, acts = self.model, list(self.acts())
        for branch, base in enumerate(model.bases):
            for n in range(base + 1, self.size(branch)):
                yield from (Said("cat", branch, n, (), act) for act in acts)
            for other, low in enumerate(model.bases):
                for size in range(low + 1, self.size(other)) if other != branch else ():
                    head = Said("cat", branch, self.size(branch), ((other, size),))
                    if model.branches[other][size - 1] not in model.ancestors(replace(head, merges=())):
                        yield from (replace(head, act=act) for act in acts)
        whole = Said("cat", 0, self.size(0), self.heads(0))
        for act in acts:
            yield replace(whole, act=replace(act, version=False))
            yield replace(whole, act=replace(act, step="none"))
            if act.instance is not None:
                yield replace(whole, act=replace(act, instance=NOBODY))
                yield replace(whole, act=replace(act, instance=0))
            if act.approves is not None:
                yield replace(whole, act=replace(act, outputs=GOOD))
                yield from (replace(whole, act=replace(act, approves=at)) for at in (0, NOBODY))

    def moves(self) -> Iterator[Said | None]:
        """How the history may go on: what is admitted, once for all who may do it where nobody is told apart; forks; time."""
        found: set[Said] = set()
        told_apart = self.has("approvals")
        for said in self.tries():
            assert said.act is not None
            if said.act.instance is None and len(self.instances()) > 1:
                continue
            key = said if told_apart else replace(said, by="")
            if key not in found and self.model.verdict(said, self.time) == "ok":
                found.add(key)
                yield said
        if len(self.model.branches) < MAX_BRANCHES:
            for branch in range(len(self.model.branches)):
                yield Said("bob", branch, self.size(branch), fork=True)
        if self.has("deadline"):
            yield None

    def ask_all(self, count: Counter[str]) -> None:
        """Each entry that somebody might try has the verdict of the model; those that are rejected change nothing."""
        for said in itertools.chain(self.tries(), self.odd_tries()):
            expected = self.model.verdict(said, self.time)
            found = self.player.judges(said, self.time)
            assert found == expected or (found is None and expected == "ok"), (
                expected,
                found,
                said,
                self.model.messages,
            )
            count[expected] += 1


# -- an honest order -----------------------------------------------------------------------------------------------


def honest(game: Game, instance: int) -> Said | None:
    """What somebody who has seen everything would do next: end; else give an approval; else take what was taken longest ago."""
    model, place = game.model, Said("cat", 0, game.size(0), game.heads(0))
    takes, approvals = [], []
    for each in game.steps:
        act = Act(each["name"], instance, game.outputs(each, good=True))
        verdicts = {by: model.verdict(replace(place, by=by, act=act), game.time) for by in PEOPLE}
        last = model.last(instance, each["name"])
        takes += [
            (not each["terminal"], -1 if last is None else last.number, replace(place, by=by, act=act))
            for by, verdict in verdicts.items()
            if verdict == "ok"
        ][:1]
        if "ApprovalsMissing" in verdicts.values():
            of = model.last(instance, each["approvals"][0])
            assert of is not None
            words = [replace(place, by=by, act=Act(each["name"], instance, (), of.number)) for by in PEOPLE]
            approvals += [said for said in words if model.verdict(said, game.time) == "ok"]
    ends = [said for goes_on, _, said in takes if not goes_on]
    first = [*ends, *approvals, *(said for *_, said in sorted(takes, key=lambda take: take[:2]))]
    return first[0] if first else None


def finish(game: Game, instance: int) -> bool:
    """Go on honestly until the instance has ended. Whether it did."""
    for _ in range(LONG):
        if game.has_ended(instance):
            return True
        said = honest(game, instance)
        if said is None:
            return False
        game.move(said)
    return False


@dataclass
class Nobody:
    """Plays nothing: the model is alone."""

    def begin(self, time: int) -> None:
        """Nothing."""

    def judges(self, said: Said, time: int) -> None:
        """Nothing."""

    def take(self, said: Said, time: int) -> str:
        """Whatever the model admits."""
        return "ok"


def unbounded(steps: Steps) -> Steps:
    """The same definition, whose steps may be taken as often as one likes, whenever one likes."""
    return [{**each, "visits": 255, "deadline": None} for each in steps]


def is_of_use(steps: Steps) -> bool:
    """Whether an honest order leads from the start to the end."""
    game = Game(unbounded(steps), Nobody())
    game.begin()
    game.move(Said("cat", 0, 1, (), Act("s", None, GOOD)))
    return finish(game, 1)


# -- every history, and walks --------------------------------------------------------------------------------------


def histories(game: Game, depth: int) -> Iterator[None]:
    """Every history of up to ``depth`` moves behind the open, one after the other: it is in ``game`` while it is here."""
    todo: list[tuple[Said | None, ...]] = [()]
    while todo:
        path = todo.pop()
        game.begin()
        for move in path:
            game.move(move)
        todo += [(*path, move) for move in game.moves()] if len(path) < depth else []
        yield


def explore(steps: Steps, depth: int, player: Player, count: Counter[str]) -> None:
    """At every history whatever somebody might try."""
    game = Game(steps, player)
    for _ in histories(game, depth):
        count["histories"] += 1
        game.ask_all(count)


def always_ends(steps: Steps, depth: int, count: Counter[str], player: Player | None = None) -> None:
    """From every history an honest order ends each instance that has begun; what it takes is admitted by whoever plays, too."""
    steps = unbounded(steps)
    game = Game(steps, player or Nobody())
    for _ in histories(game, depth):
        kept = copy.deepcopy(game.model), game.time
        for instance in game.instances():
            assert finish(game, instance), (instance, kept[0].messages)
            count["ends"] += 1
            if player is None:  # else the next one ends behind it
                game.model, game.time = copy.deepcopy(kept[0]), kept[1]


def walk(game: Game, rng: Random, length: int, count: Counter[str], *, silent: int = 0) -> None:
    """Moves at random, and, after some, what somebody might try wherever they lead; then an honest order, as far as it goes."""
    game.begin()
    for number in range(length):
        drawn = _drawn(list(game.moves()), rng)
        if not drawn:
            break
        game.move(drawn[0])
        if number >= silent or number == length - 1:
            game.ask_all(count)
    for instance in game.instances():
        count["ended"] += finish(game, instance)
    count["walks"] += 1


def _drawn(moves: list[Said | None], rng: Random) -> list[Said | None]:
    """One of them: a fifth are forks, half of the others approvals, as far as there are any, and ends are put off."""
    forks = [move for move in moves if move is not None and move.fork]
    words = [move for move in moves if move is not None and move.act is not None and move.act.approves is not None]
    others = [move for move in moves if move not in forks and move not in words]
    calm = [move for move in others if move is None or move.act is None or move.act.step != "e"]
    kinds = [forks] * (rng.random() < 0.2) + [words] * (rng.random() < 0.5) + [calm] * (rng.random() < 0.7)
    return [rng.choice(next(kind for kind in [*kinds, others, words, forks] if kind))] if moves else []


def chosen(which: str) -> list[tuple[str, Steps]]:
    """Definitions: each n-th; or in an order that nobody has chosen, all or the first of each kind."""
    whole = list(family())
    if "/" in which:
        share, of = (int(part) for part in which.split("/"))
        return whole[share::of]
    whole.sort(key=lambda each: hashlib.sha256(each[0].encode()).digest())
    firsts = {name.split("-")[1]: (name, steps) for name, steps in reversed(whole)}
    return whole if which == "drawn" else [each for each in whole if each in firsts.values()]


def main(depth: int, which: str, both: int) -> None:
    """What was met in some definitions, up to ``both`` moves in both implementations; a line for each that is done."""
    count: Counter[str] = Counter()
    for name, steps in chosen(which):
        explore(steps, depth, Quick(steps), count)
        signed = Signed(steps)
        explore(steps, both, signed, count)
        for walked in range(depth):
            walk(Game(steps, signed, signed.world.realm.time), Random(f"{name} {walked}"), 2 * depth, count)
        count["compared"] += signed.compared
        if is_of_use(steps):
            always_ends(steps, depth - 1, count)
        count["definitions"] += 1
        print(name, dict(count), flush=True)


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    moves = int(given.get(1, 4))
    main(moves, given.get(2, "0/1"), int(given.get(3, max(1, moves - 3))))
