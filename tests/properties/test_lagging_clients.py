"""Light clients that lag behind a conversation that grows and is forked, each beside a plain list of what it may know (proofs.5)."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ama2sec import Fingerprint, Id, LightClient
from ama2sec._native import LightState
from ama2sec.errors import Ama2Error
from tests.lagging_world import (
    FOREIGN,
    MEMBERS,
    STRANGER,
    Follower,
    Line,
    Model,
    Said,
    directory,
    long_line,
    long_state,
)

DIRECTORY = directory()
# Hypothesis' own randoms lean to the first choice and the smallest number, and so to clients that never lag.
chances = st.integers(0, 1 << 32).map(Random)


class LaggingMachine(RuleBasedStateMachine):
    """``lines`` are the histories that are told, ``clients`` those who hear of them. One file is everybody's."""

    lines = Bundle("lines")
    clients = Bundle("clients")
    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ama2sec-lagging-"))
        self.file = self.folder / "state"
        self.stored: Model | None = None
        self.all: list[Line] = []
        self.followers: list[Follower] = []
        self.touched: set[Follower] = set()

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def begun(self, core: LightClient, model: Model) -> Follower:
        follower = Follower(core, model)
        self.followers.append(follower)
        self.touched.add(follower)
        return follower

    # -- the conversation ------------------------------------------------------------------------------------------

    @initialize(target=lines, long=st.booleans(), chance=chances)
    def conversation(self, long: bool, chance: Random) -> object:
        """One that has gone on for some time, and one that somebody else is shown."""
        self.seen["long" if long else "short"] += 1
        line = long_line().fork(len(long_line())) if long else Line.opened()
        line.talk(chance, chance.randint(0, 12))
        self.all.append(line)
        return multiple(line, self.fork(line, chance))

    @initialize(target=clients, line=lines, other=lines, chance=chances)
    def first_clients(self, line: Line, other: Line, chance: Random) -> object:
        return multiple(self.start(line), self.start(other), self.join(line, chance))

    @rule(target=clients, line=lines)
    def start(self, line: Line) -> Follower:
        """From the open; in the long conversation from the state of one who followed it."""
        state, followed = long_state()
        if line.parts_from(followed.line) < followed.size:
            return self.begun(LightClient(DIRECTORY, line.said[0].data), Model(line))
        path = self.folder / "long"
        path.write_bytes(state)
        return self.begun(LightClient.load(path, DIRECTORY), replace(followed.copy(), line=line))

    @rule(line=lines, chance=chances, count=st.integers(1, 8))
    def append(self, line: Line, chance: Random, count: int) -> None:
        line.talk(chance, count)

    @rule(target=lines, line=lines, chance=chances)
    def fork(self, line: Line, chance: Random) -> Line:
        """Somebody is shown another history from some place on; the same authors speak in it, under the same numbers."""
        base = max(1, len(line) - chance.choice((0, chance.randint(0, 3), chance.randint(0, len(line)))))
        made = line.fork(base)
        self.all.append(made)
        made.say(chance.choice(MEMBERS), chance.randint(1, base))
        for _ in range(chance.randint(0, 4)):
            made.say(chance.choice(MEMBERS), chance.randint(base, len(made)))
        return made

    # -- what is tried -----------------------------------------------------------------------------------------------

    def refused(self, who: Follower, code: str, call: Callable[..., object], *args: Any, **named: Any) -> Ama2Error:
        """A call that is refused so, and changes nothing."""
        before = who.state
        with pytest.raises(Ama2Error) as caught:
            call(*args, **named)
        assert caught.value.code == code
        assert who.state == before
        self.seen[f"{call.__name__} {code}"] += 1
        return caught.value

    def hears(self, who: Follower, said: Said, *, proof: bool = False) -> bool:
        """A message comes, perhaps with the proof that this client's own history gives; whether it was taken in."""
        model = who.model
        expected = model.verdict(said, proof=proof)
        given = model.line.tree.consistency(said.seen, model.size) if proof and said.seen < model.size else None
        if proof and given is None:
            return False
        if expected != "ok":
            self.refused(who, expected, who.core.receive, said.data, given)
            return False
        if given is not None:
            self.false_proofs(who, said, given)
        message = who.core.receive(said.data, given)
        assert (bytes(message.id), message.sender) == (said.id, said.author)
        model.take(said)
        self.touched.add(who)
        self.seen["receive with a proof" if proof else "receive"] += 1
        return True

    def false_proofs(self, who: Follower, said: Said, proof: bytes) -> None:
        """Where a proof is needed, a neighbour's and a broken one do not serve."""
        size, tree = who.model.size, who.model.line.tree
        if said.seen + 1 < size:
            self.refused(who, "ProofClaim", who.core.receive, said.data, tree.consistency(said.seen + 1, size))
        self.refused(who, "ProofRoot", who.core.receive, said.data, proof[:-1] + bytes([proof[-1] ^ 1]))
        self.refused(who, "ProofForm", who.core.receive, said.data, proof + bytes(32))

    @rule(who=clients, count=st.integers(1, 6))
    def next(self, who: Follower, count: int) -> None:
        """What comes next in its history: without a proof, or with one where the author lags too far."""
        for _ in range(min(count, len(who.model.line) - who.model.size)):
            said = who.model.line.said[who.model.size]
            unneeded = said.seen >= who.model.oldest and said.seen < who.model.size
            assert not (unneeded and self.hears(who, said, proof=True))
            if not (self.hears(who, said) or self.hears(who, said, proof=True)):
                break  # a number that this author has used already, to one who has heard it

    @rule(who=clients, chance=chances)
    def late(self, who: Follower, chance: Random) -> None:
        """An author who lags behind all that the client knows."""
        line = who.model.line
        while who.model.size < len(line):
            said = line.said[who.model.size]
            if not (self.hears(who, said) or self.hears(who, said, proof=True)):
                return
        if who.model.oldest > 1:
            said = line.say(chance.choice(MEMBERS), chance.randint(1, who.model.oldest - 1))
            assert not self.hears(who, said)
            assert self.hears(who, said, proof=True)

    @rule(who=clients, line=lines, chance=chances, proof=st.booleans())
    def any_message(self, who: Follower, line: Line, chance: Random, proof: bool) -> None:
        """Out of order, twice, or of another history: what is right follows from the list alone."""
        if len(line) > 1:
            near = min(len(line) - 1, max(1, who.model.size + chance.randint(-5, 5)))
            self.hears(who, line.said[chance.choice((near, chance.randint(1, len(line) - 1)))], proof=proof)

    # -- what was missed, and forks ------------------------------------------------------------------------------------

    @rule(who=clients, chance=chances)
    def early(self, who: Follower, chance: Random) -> None:
        """A message whose author has seen more: the gap is noticed, and the first message of it is named."""
        line, size = who.model.line, who.model.size
        while len(line) <= size:
            line.say(chance.choice(MEMBERS))
        said = line.craft(chance.choice(MEMBERS), chance.randint(size + 1, len(line)))
        self.refused(who, "ContextAhead", who.core.receive, said.data)
        first = line.said[size].id
        self.named(who, said.data, line, said.seen, "sender")
        stranger = line.craft(STRANGER, said.seen)
        proof = line.tree.inclusion(size, said.seen)
        self.refused(who, "NotAMember", who.core.receive, stranger.data)
        self.refused(who, "NotAMember", who.core.missing, stranger.data, Id(first), proof)
        self.refused(who, "ProofRoot", who.core.missing, said.data, Id(said.id), proof)
        stated = chance.randint(size + 1, len(line))
        self.named(who, line.head(stated), line, stated, "peer")
        self.refused(who, "ProofClaim", who.core.missing, line.head(size), Id(first), proof)
        if size + 1 < stated:
            other = line.tree.inclusion(size + 1, stated)
            self.refused(who, "ProofClaim", who.core.missing, line.head(stated), Id(line.said[size + 1].id), other)

    def named(self, who: Follower, context: bytes | Fingerprint, line: Line, size: int, source: str) -> None:
        """The first that is missing, and on whose word; asking changes nothing."""
        before, at = who.state, who.model.size
        found = who.core.missing(context, Id(line.said[at].id), line.tree.inclusion(at, size))
        assert (bytes(found.id), found.index, found.source) == (line.said[at].id, at, source)
        assert found.context == line.head(size)
        assert who.state == before
        self.seen[f"missing by {source}"] += 1

    def aside(self, who: Follower, chance: Random) -> Line:
        """A history that is not this client's, if there can be one, and that is longer than what the client has."""
        own, size = who.model.line, who.model.size
        others = [each for each in self.all if own.parts_from(each) < size <= len(each) + 20]
        line = chance.choice(others) if others else own.fork(max(1, size - chance.randint(1, 20)))
        while len(line) <= size:
            line.say(chance.choice(MEMBERS), chance.randint(1, len(line)))
        return line

    @rule(who=clients, chance=chances)
    def forked(self, who: Follower, chance: Random) -> None:
        """A message of a history that is not this client's; and what is said to be missing from there."""
        size, own, line = who.model.size, who.model.line, self.aside(who, chance)
        common = own.parts_from(line)  # only now: what is said in both may be the same in both
        if common >= size:
            self.named(who, line.head(len(line)), line, len(line), "peer")  # one history, as far as the client is
            return
        unused = [name for name in MEMBERS if line.numbers.get(name, 0) >= who.model.numbers.get(name, 0)]
        author = chance.choice(unused or MEMBERS)
        for seen in (chance.randint(common + 1, size), size, len(line)):
            self.fork_refused(who, line.craft(author, seen))
        # Half of it right: the parent, or the fingerprint.
        self.fork_refused(who, line.craft(author, size, parent=own.said[size - 1].id))
        if own.said[size - 1].id != line.said[size - 1].id:
            self.fork_refused(who, line.craft(author, size, fingerprint=own.prints[size]))
        begin, end = who.model.part(line)
        for context in (line.craft(author, len(line)).data, line.head(len(line))):
            proof = line.tree.inclusion(size, len(line))
            fault = self.refused(who, "ContextForked", who.core.missing, context, Id(line.said[size].id), proof)
            ours, theirs = own.tree.root(begin, end), line.tree.root(begin, end)
            assert fault.expected == f"leaves {begin} to {end} with the root {ours.hex()}"
            assert fault.got == theirs.hex()

    def fork_refused(self, who: Follower, said: Said) -> None:
        """Signed by a member who has seen something else: never taken in, with a proof or without one."""
        assert not self.hears(who, said)
        if said.seen < who.model.size:
            assert not self.hears(who, said, proof=True)

    # -- without the messages between ------------------------------------------------------------------------------------

    @rule(who=clients, chance=chances)
    def skip(self, who: Follower, chance: Random) -> None:
        """To a later head of its own history, and to no other."""
        model, own = who.model, who.model.line
        size = chance.randint(model.size, len(own))
        count = min(size, chance.randint(1, 8))
        extends = own.tree.consistency(model.size, size) if size > model.size else b""
        how = {"extends": extends, **own.tail(size, count)}
        self.not_skipped(who, self.aside(who, chance), how)
        if size > model.size:
            self.false_tails(who, size, how)
        who.core.skip(own.head(size), **how)
        if size > model.size:  # the same head is no change
            model.stand_at(size, count)
        self.touched.add(who)
        self.seen["skip"] += 1

    def false_tails(self, who: Follower, size: int, how: dict[str, Any]) -> None:
        """The last messages of another place, and a broken proof for the right ones."""
        own, skip = who.model.line, who.core.skip
        other = {"last": [own.said[size - 2].data], "proof": own.tree.range(size - 2, size - 1, size)}
        self.refused(who, "ProofClaim", skip, own.head(size), **(how | other))
        if len(how["proof"]) > 24:  # it has a hash that can be broken
            broken = how["proof"][:-1] + bytes([how["proof"][-1] ^ 1])
            self.refused(who, "ProofRoot", skip, own.head(size), **(how | {"proof": broken}))

    def not_skipped(self, who: Follower, line: Line, how: dict[str, Any]) -> None:
        """A shorter head, another of its size, one that ends in another conversation, one that does not extend its own."""
        size, own, skip = who.model.size, who.model.line, who.core.skip
        if size > 1:
            self.refused(who, "HeadStale", skip, own.head(size - 1), **how)
        strange = own.fork(size)
        strange.add(FOREIGN)
        into = {"extends": strange.tree.consistency(size, size + 1), **strange.tail(size + 1, 1)}
        self.refused(who, "ConversationOther", skip, strange.head(size + 1), **into)
        if own.parts_from(line) >= size:
            return
        self.refused(who, "HeadForked", skip, line.head(size), **how)
        longer = len(line)
        aside = {"extends": line.tree.consistency(size, longer), **line.tail(longer, 1)}
        self.refused(who, "ConsistencyRoot", skip, line.head(longer), **aside)
        if len(own) >= longer:
            forged = aside | {"extends": own.tree.consistency(size, longer)}
            self.refused(who, "ProofRoot", skip, line.head(longer), **forged)

    @rule(target=clients, line=lines, chance=chances)
    def join(self, line: Line, chance: Random) -> Follower:
        """Anew, at any size of a history, with any number of its last messages."""
        size = chance.randint(1, len(line))
        count = chance.choice((1, min(size, chance.randint(1, 12)), min(size, chance.randint(1, 12))))
        how = {"opening": line.said[0].data, **line.tail(size, count)}
        if size > 1:
            with pytest.raises(Ama2Error, match=r"^ProofClaim:"):
                LightClient.join(DIRECTORY, line.head(size - 1), **how)
        model = Model(line)
        model.stand_at(size, count)
        self.seen["join"] += 1
        return self.begun(LightClient.join(DIRECTORY, line.head(size), **how), model)

    # -- files -------------------------------------------------------------------------------------------------------

    @rule(chance=chances)
    def save(self, chance: Random) -> None:
        """Never a step back, never aside: the file takes only what follows from it."""
        for _ in range(3):
            # What may come of it, and why; each as often as the others.
            cases: dict[tuple[str, bool, bool], list[Follower]] = {}
            for who in self.followers:
                known = self.stored is None or self.stored.size >= who.model.oldest
                case = who.model.may_replace(self.stored), known, who.model.kept is None
                cases.setdefault(case, []).append(who)
            case = chance.choice(sorted(cases))
            who = chance.choice(cases[case])
            self.saved(case[0], who)
            if chance.random() < 0.5:  # then it may be known by the file alone what stands there
                self.skip(who, chance)

    def saved(self, expected: str, who: Follower) -> None:
        if expected == "ok":
            who.core.save(self.file)
            known = self.stored is None or self.stored.size >= who.model.oldest
            self.seen["save" if known else "save over what it came from"] += 1
            who.model.kept = who.model.head
            self.stored = who.model.copy()
        else:
            self.refused(who, expected, who.core.save, self.file)
        assert self.stored is not None
        assert self.file.read_bytes() == self.stored.state()

    @precondition(lambda self: self.stored is not None)
    @rule(target=clients)
    def load(self) -> Follower:
        """Somebody goes on from the file: another client with the same past."""
        assert self.stored is not None
        self.seen["load"] += 1
        return self.begun(LightClient.load(self.file, DIRECTORY), self.stored.copy())

    # -- always ------------------------------------------------------------------------------------------------------

    @invariant()
    def every_head_is_the_naive_one(self) -> None:
        for who in self.followers:
            model = who.model
            assert who.core.head == model.line.head(model.size)
            assert (who.core.size, who.core.oldest) == (model.size, model.oldest)

    @invariant()
    def every_state_is_the_naive_one_and_comes_back(self) -> None:
        """Of those that have changed: byte for byte what proofs.5.5 makes of the list."""
        while self.touched:
            who = self.touched.pop()
            state = who.state
            assert state == who.model.state()
            assert LightState.parse(state, DIRECTORY._core).encode() == state


# Not by luck: each of these has come about, if need be in another run.
WANTED = {
    *("long", "short", "join", "load", "receive", "receive with a proof", "skip", "missing by sender"),
    *("missing by peer", "save", "save over what it came from", "save HeadStale", "save HeadForked", "save NeedsProof"),
    *(f"missing {code}" for code in ("ContextForked", "NotAMember", "ProofClaim", "ProofRoot")),
    *(f"receive {code}" for code in ("ContextAhead", "ContextForked", "NeedsProof", "SeqUsed", "ConsistencyRoot")),
    *(f"receive {code}" for code in ("ProofClaim", "ProofRoot", "ProofForm", "NotAMember")),
    *(f"skip {code}" for code in ("HeadStale", "HeadForked", "ConsistencyRoot", "ProofRoot", "ProofClaim")),
    "skip ConversationOther",
}


def test_clients_that_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # nobody pulls a plug here, and there are hundreds of saves
    LaggingMachine.seen.clear()
    for _ in range(5):
        run_state_machine_as_test(
            LaggingMachine, settings=settings(max_examples=40, stateful_step_count=30, deadline=None)
        )
        if LaggingMachine.seen.keys() >= WANTED:
            return
    raise AssertionError(WANTED - LaggingMachine.seen.keys())
