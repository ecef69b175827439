"""Random histories whose messages merge the heads of others: who descends from whom, proved and against plain lists (proofs.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, multiple, rule, run_state_machine_as_test

from ama2sec import Fingerprint, Hop, check_ancestry, prove_ancestry, reference
from ama2sec.errors import Ama2Error
from ama2sec.reference import encode, parse
from tests.properties.test_forest import ForestMachine, Grown, shares
from tests.world import ZEROS, message_claims, open_claims, signed

branches = ForestMachine.branches
# Hypothesis' own randoms lean to the first choice and the smallest number, and so to histories in which nothing is merged twice.
chances = st.integers(0, 1 << 32).map(Random)


@dataclass(frozen=True)
class Head:
    """The first ``size`` leaves of a branch."""

    branch: Grown
    size: int

    @property
    def leaves(self) -> list[bytes]:
        return self.branch.plain.leaves[: self.size]

    @property
    def point(self) -> tuple[bytes, int]:
        """What one history is told from another by."""
        return self.branch.plain.name(self.size), self.size

    @property
    def claim(self) -> list[bytes | int]:
        return [*self.point, self.branch.plain.fingerprint(ZEROS, self.size)]

    @property
    def fingerprint(self) -> Fingerprint:
        return self.branch.memory.fingerprint(self.size)


@dataclass(frozen=True)
class Step:
    """From a history, by the merging message at ``index``, to the head that it names at place ``merge``."""

    index: int
    message: bytes
    merge: int
    into: Head


def code(call: object, *args: object, **named: object) -> str | None:
    """What a call is refused with, or None."""
    try:
        call(*args, **named)  # type: ignore[operator]
    except Ama2Error as fault:
        return fault.code
    return None


class MergingMachine(ForestMachine):
    """Leaf 0 is an ``open``; all others are messages with the context and the parent that they had."""

    realm = ZEROS
    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.envelopes: dict[bytes, bytes] = {}
        self.merged: dict[bytes, list[Head]] = {}
        self.all: list[Grown] = []

    def keep(self, envelope: bytes) -> bytes:
        """The id of an envelope, under which it is found again."""
        found = parse(envelope).message_id
        self.envelopes[found] = envelope
        return found

    def say(self, branch: Grown, merges: Sequence[Head] = ()) -> bytes:
        """A message that its author signs on seeing all of the branch."""
        self.fresh += 1
        head = Head(branch, len(branch.plain.leaves))
        name, size, value = head.claim
        claims = message_claims(
            c2=branch.plain.conversation,
            c5=[size, value, 0, ZEROS],
            c6=[name, branch.plain.leaves[-1], [each.claim for each in merges]],
            c9=[7, self.fresh],
        )
        return self.keep(signed(claims))

    def leaf(self, branch: Grown) -> bytes:
        return self.say(branch)

    @initialize(target=branches)
    def open(self) -> object:
        opening = self.keep(signed(open_claims()))
        main = self.begun(opening)
        self.grow(main, opening)
        self.all.append(main)
        workers = [self.fork(main, 1) for _ in range(3)]
        for worker in workers:
            self.append(worker)
        return multiple(main, *workers)

    @rule(target=branches, branch=branches, share=shares)
    def fork(self, branch: Grown, share: float) -> Grown:
        base = max(1, branch.size(share))
        made = Grown(branch.plain.fork(base), branch.memory.fork(base), branch.file.fork(base))
        self.all.append(made)
        return made

    @rule(branch=branches, chance=chances, count=st.integers(1, 4))
    def merge(self, branch: Grown, chance: Random, count: int) -> None:
        """Any heads but its own: of its parent, of a fork of it, of one that has merged it already (envelope.5.6 e)."""
        own = branch.plain.name(len(branch.plain.leaves))
        others = [each for each in self.all if each.plain.name(len(each.plain.leaves)) != own]
        chosen = chance.sample(others, min(count, len(others)))
        heads = [Head(each, chance.randint(1, len(each.plain.leaves))) for each in chosen]
        different = {each.point[0]: each for each in heads if each.point[0] != own}
        ordered = sorted(different.values(), key=lambda each: encode(each.claim))
        message = self.say(branch, ordered)
        self.merged[message] = ordered
        head = Head(branch, self.grow(branch, message) + 1)
        for _ in range(3):
            self.descended(head, chance)

    # -- the model -------------------------------------------------------------------------------------------------

    def ancestors(self, head: Head) -> set[bytes]:
        """As proofs.4 has it: the leaves of the head, and of each head that one of them merges, and so on."""
        found: set[bytes] = set()
        points: set[tuple[bytes, int]] = set()
        left = [head]
        while left:
            here = left.pop()
            if here.point in points:
                continue
            points.add(here.point)
            found.update(here.leaves)
            left.extend(each for leaf in here.leaves for each in self.merged.get(leaf, ()))
        return found

    def ways(self, head: Head) -> list[Step]:
        """Every merge in a history."""
        leaves = enumerate(head.leaves)
        return [Step(i, m, place, into) for i, m in leaves for place, into in enumerate(self.merged.get(m, ()))]

    def chain(self, head: Head, message: bytes, chance: Random) -> tuple[list[Step], Head]:
        """Some chain of merges to a message: not the shortest, and no history twice."""
        points = {head.point}
        trail: list[tuple[Step | None, Head]] = [(None, head)]
        left = [self.shuffled(head, chance)]
        while True:
            here = trail[-1][1]
            if message in here.leaves and (not left[-1] or chance.random() < 0.3):
                return [step for step, _ in trail if step is not None], here
            if not left[-1]:
                trail.pop()
                left.pop()
            elif (step := left[-1].pop()).into.point not in points:
                points.add(step.into.point)
                trail.append((step, step.into))
                left.append(self.shuffled(step.into, chance))

    def shuffled(self, head: Head, chance: Random) -> list[Step]:
        ways = self.ways(head)
        chance.shuffle(ways)
        return ways

    def hops(self, steps: list[Step], chance: Random) -> list[Hop]:
        trees = [chance.choice(step.into.branch.both) for step in steps]
        return [
            Hop(step.index, self.envelopes[step.message], tree, step.merge)
            for step, tree in zip(steps, trees, strict=True)
        ]

    # -- the proofs ------------------------------------------------------------------------------------------------

    @rule(branch=branches, share=shares, chance=chances)
    def descent(self, branch: Grown, share: float, chance: Random) -> None:
        self.descended(Head(branch, max(1, branch.size(share))), chance)

    def descended(self, head: Head, chance: Random) -> None:
        """Of a head and any message: it is an ancestor, and a proof says so; or it is none, and no proof does."""
        ancestors, own = self.ancestors(head), set(head.leaves)
        merged, strange = ancestors - own, self.envelopes.keys() - ancestors
        message = chance.choice(sorted(chance.choice([each for each in (own, merged, strange) if each])))
        if message in ancestors:
            proof = self.proved(head, message, chance)
            other = chance.choice(self.all)
            self.elsewhere(Head(other, chance.randint(1, len(other.plain.leaves))), head, message, proof)
        else:
            self.not_proved(head, message, chance)

    def proved(self, head: Head, message: bytes, chance: Random) -> bytes:
        steps, last = self.chain(head, message, chance)
        index = last.leaves.index(message)
        tree = chance.choice(head.branch.both)
        proof = prove_ancestry(tree, index, head.size, via=self.hops(steps, chance))
        found = check_ancestry(head.fingerprint, self.envelopes[message], proof)
        via = [step.message for step in steps]
        assert (bytes(found.id), found.index, [bytes(each) for each in found.via]) == (message, index, via)
        assert (found.fingerprint, found.found) == (head.fingerprint, last.fingerprint)
        twin = reference.check_ancestry(self.trusted(head), self.envelopes[message], proof)
        assert (twin.message_id, twin.index, twin.via) == (message, index, via)
        self.seen[f"{min(len(steps), 3)} merges"] += 1
        return proof

    def trusted(self, head: Head) -> reference.Fingerprint:
        name, size, value = head.claim
        assert isinstance(name, bytes)
        assert isinstance(value, bytes)
        return reference.Fingerprint(ZEROS, head.branch.plain.conversation, name, int(size), value)

    def elsewhere(self, other: Head, head: Head, message: bytes, proof: bytes) -> None:
        """A proof is for one head and one message."""
        refused = code(check_ancestry, other.fingerprint, self.envelopes[message], proof)
        if other.point == head.point:
            assert refused is None
        else:
            assert refused == ("AncestryRoot" if other.size == head.size else "ProofClaim")
        for another in self.envelopes:
            if another != message:
                assert code(check_ancestry, head.fingerprint, self.envelopes[another], proof) == "AncestryRoot"
                break

    def not_proved(self, head: Head, message: bytes, chance: Random) -> None:
        """Neither by a path in the history where it is, nor by a chain to another message, nor by a merge that is none."""
        self.seen["no ancestor"] += 1
        envelope = self.envelopes[message]
        instead = chance.choice(sorted(self.ancestors(head)))
        assert code(check_ancestry, head.fingerprint, envelope, self.proved(head, instead, chance)) == "AncestryRoot"
        for holder in self.holders(message):
            index = holder.leaves.index(message)
            proof = prove_ancestry(holder.branch.memory, index)
            expected = "AncestryRoot" if holder.size == head.size else "ProofClaim"
            assert code(check_ancestry, head.fingerprint, envelope, proof) == expected
            ways = self.ways(head)
            if not ways:
                continue
            step = chance.choice(ways)
            tree, merge = holder.branch.memory, chance.choice([step.merge, step.merge + 1])
            hop = Hop(step.index, self.envelopes[step.message], tree, merge)
            assert code(prove_ancestry, head.branch.memory, index, head.size, via=[hop]) == "ArgumentRange"
            self.seen["a merge that is none"] += 1

    def holders(self, message: bytes) -> list[Head]:
        """The branches with a message."""
        found = [Head(each, len(each.plain.leaves)) for each in self.all]
        return [each for each in found if message in each.leaves]


def test_histories_that_merge() -> None:
    MergingMachine.seen.clear()
    run_state_machine_as_test(
        MergingMachine, settings=settings(max_examples=100, stateful_step_count=30, deadline=None)
    )
    # Not by luck: each of these has come about.
    wanted = {"0 merges", "1 merges", "2 merges", "no ancestor", "a merge that is none"}
    assert MergingMachine.seen.keys() >= wanted, MergingMachine.seen
