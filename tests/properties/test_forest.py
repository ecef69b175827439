"""Random histories that fork, in memory and with a node file at once, against plain lists of leaves."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule

from ama2sec import Accumulator, Fingerprint, Id, NodeFile
from tests.tree_model import PlainBranch

REALM, CONVERSATION = b"r" * 32, b"c" * 32
DEPTH = 10_000


@dataclass
class Grown:
    """One branch, three times: plain, in memory, in a node file."""

    plain: PlainBranch
    memory: Accumulator
    file: Accumulator

    @property
    def both(self) -> tuple[Accumulator, Accumulator]:
        return self.memory, self.file

    def size(self, share: float) -> int:
        """A size from 0 to that of the branch."""
        return round(share * len(self.plain.leaves))


shares = st.floats(0, 1)


class ForestMachine(RuleBasedStateMachine):
    """Whoever checks something else of a history adds rules in a subclass: ``branches`` holds every branch."""

    branches = Bundle("branches")
    realm = REALM

    def __init__(self) -> None:
        super().__init__()
        self.fresh = 0
        self.nodes = NodeFile()

    def leaf(self, branch: Grown) -> bytes:
        """The next leaf of a branch: here no message at all."""
        self.fresh += 1
        return hashlib.sha256(self.fresh.to_bytes(8, "big")).digest()

    def begun(self, conversation: bytes) -> Grown:
        """A branch of no leaves."""
        kept = Accumulator(self.realm, conversation, nodes=self.nodes)
        return Grown(PlainBranch(conversation), Accumulator(self.realm, conversation), kept)

    @initialize(target=branches)
    def open(self) -> Grown:
        return self.begun(CONVERSATION)

    def grow(self, branch: Grown, leaf: bytes) -> int:
        """One more leaf, three times; its index."""
        index = len(branch.plain.leaves)
        for tree in branch.both:
            assert tree.append(leaf) == index
        branch.plain.leaves.append(leaf)
        return index

    @rule(branch=branches)
    def append(self, branch: Grown) -> None:
        self.grow(branch, self.leaf(branch))

    @rule(branch=branches, count=st.integers(0, 40), joined=st.booleans())
    def extend(self, branch: Grown, count: int, joined: bool) -> None:
        leaves = [self.leaf(branch) for _ in range(count)]
        branch.plain.leaves.extend(leaves)
        for tree in branch.both:
            assert tree.extend(b"".join(leaves) if joined else leaves) == len(branch.plain.leaves)

    @rule(target=branches, branch=branches, share=shares)
    def fork(self, branch: Grown, share: float) -> object:
        base = branch.size(share)
        if base == 0:
            return multiple()
        return Grown(branch.plain.fork(base), branch.memory.fork(base), branch.file.fork(base))

    @rule(branch=branches)
    def facts(self, branch: Grown) -> None:
        plain = branch.plain
        for tree in branch.both:
            assert (tree.size, len(tree), tree.base) == (len(plain.leaves), len(plain.leaves), plain.base)
            assert tree.branch == (None if plain.id is None else Id(plain.id))

    @rule(branch=branches, share=shares)
    def older_history(self, branch: Grown, share: float) -> None:
        n = branch.size(share)
        if n == 0:
            return
        wanted = Fingerprint(
            Id(self.realm),
            Id(branch.plain.conversation),
            Id(branch.plain.name(n)),
            n,
            Id(branch.plain.fingerprint(self.realm, n)),
        )
        for tree in branch.both:
            assert tree.root(n) == branch.plain.root(n)
            assert tree.range(n) == branch.plain.range(n)
            assert bytes(tree.leaf(n - 1)) == branch.plain.leaves[n - 1]
            assert tree.fingerprint(n) == wanted

    @rule(one=branches, other=branches, share=shares)
    def one_name_for_each_point(self, one: Grown, other: Grown, share: float) -> None:
        """Two fingerprints of one conversation are equal where the histories are the same leaves of the same branches."""
        n = min(one.size(share), len(other.plain.leaves))
        if n == 0:
            return
        same = one.plain.leaves[:n] == other.plain.leaves[:n] and one.plain.name(n) == other.plain.name(n)
        assert (one.memory.fingerprint(n) == other.file.fingerprint(n)) == same


class DeepForestMachine(ForestMachine):
    """The same from the end of a chain of 10,000 forks, of one own leaf each."""

    @initialize(target=ForestMachine.branches)
    def open(self) -> Grown:
        branch = self.begun(CONVERSATION)
        # Whoever is forked off here stops growing, so all of them can share one list: the leaves before its fork are the same.
        shared = branch.plain.leaves
        for base in range(1, DEPTH + 1):
            self.grow(branch, self.leaf(branch))
            plain = PlainBranch(CONVERSATION, shared, base, branch.plain)
            branch = Grown(plain, branch.memory.fork(base), branch.file.fork(base))
        branch.plain.leaves = list(shared)
        return branch


ForestMachine.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestForest = ForestMachine.TestCase
DeepForestMachine.TestCase.settings = settings(max_examples=6, stateful_step_count=20, deadline=None)
TestDeepForest = DeepForestMachine.TestCase
