"""A git history as a conversation: every commit a message, every second child of a commit a branch, every merge a merge.

An entry's ancestors are then exactly those of its commit, together with entries that stand for no commit: the open, and the forks. So
what git answers about commits can be held against what the realm answers about messages.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ama2sec._native import Id, SigningKey
from ama2sec.demo.desk import Actor, Desk
from ama2sec.realm import replay_realm
from ama2sec.realm.dag import Node, RealmDag

NOW: Final = 1_793_000_000_000
MERGES: Final = 16


def git(folder: Path, *arguments: str, when: int = 0) -> str:
    """Run git with no configuration but its own; returns what it prints. Status 1 is an answer, not a fault."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_NAME": "a", f"GIT_{role}_EMAIL": "a@example.org"}
        environment |= {f"GIT_{role}_DATE": f"{1_700_000_000 + when} +0000"}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout if done.returncode == 0 else f"{done.stdout}\x00"


def new_repository(folder: Path) -> Path:
    """An empty repository."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")
    return folder


def grow(folder: Path, rng: random.Random, count: int) -> list[str]:
    """Commits that git makes: branches, lag, octopus merges, criss-cross merges, several roots. Returns them, parents first."""
    tree = git(folder, "write-tree").strip()
    made: list[str] = []

    def commit(*parents: str) -> str:
        options = [part for parent in parents for part in ("-p", parent)]
        made.append(git(folder, "commit-tree", tree, *options, "-m", f"c{len(made)}", when=len(made)).strip())
        return made[-1]

    commit()
    while len(made) < count:
        recent = made[-12:]
        match rng.randrange(10):
            case 0 if rng.random() < 0.2:
                commit()
            case 0 | 1 | 2 | 3:
                commit(rng.choice(recent))
            case 4 | 5 | 6:
                commit(made[-1])
            case 7 | 8 if len(recent) > 2:
                # Several parents, in any order, one perhaps an ancestor of another.
                commit(*rng.sample(recent, rng.randrange(2, min(6, len(recent)))))
            case _ if len(recent) > 2:
                left, right = rng.sample(recent, 2)
                commit(commit(left, right), right)
                commit(commit(right, left), left)
    git(folder, "update-ref", "refs/heads/all", commit(*rng.sample(made[-8:], min(4, len(made)))))
    for number, each in enumerate(made):
        git(folder, "update-ref", f"refs/keep/{number}", each)
    return made


def parents_of(folder: Path, most: int | None = None) -> dict[str, list[str]]:
    """All commits with their parents, parents first; of a long history the first ``most``."""
    found: dict[str, list[str]] = {}
    for line in git(folder, "rev-list", "--all", "--topo-order", "--reverse", "--parents").split("\n"):
        if line and (most is None or len(found) < most):
            commit, *parents = line.strip("\x00").split(" ")
            found[commit] = parents
    return found


@dataclass
class Replayed:
    """The history as a conversation, and what stands for what."""

    dag: RealmDag
    ids: dict[str, Id]
    data: bytes
    realm: Id
    commits: dict[Id, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.commits = {one: commit for commit, one in self.ids.items()}

    def only(self, nodes: Sequence[Node]) -> set[str]:
        """The commits among some entries."""
        return {self.commits[node.id] for node in nodes if node.id in self.commits}


def replay_git(history: dict[str, list[str]]) -> Replayed:
    """Say every commit in an engine in memory, and replay what the engine exports."""
    keys = iter(range(1, 1 << 16))
    desk = Desk("git", NOW, lambda: SigningKey.from_seed(next(keys).to_bytes(32, "big")))
    author = desk.enrol("author")
    writing = _Writing(desk, author, desk.open(author))
    for commit, parents in history.items():
        writing.commit(commit, parents)
    data = desk.engine.export()
    verified = replay_realm(data, realm=desk.realm)
    return Replayed(RealmDag(verified, writing.conversation), writing.ids, data, desk.realm)


class _Writing:
    def __init__(self, desk: Desk, author: Actor, conversation: Id) -> None:
        self.desk, self.author, self.conversation = desk, author, conversation
        self.ids: dict[str, Id] = {}
        self._homes: dict[str, tuple[Id, int]] = {}
        """The branch of each commit, and the size with it as last leaf."""
        self._sizes: dict[Id, int] = {conversation: 1}
        self._ancestors: dict[str, set[str]] = {}

    def commit(self, commit: str, parents: list[str]) -> None:
        """One commit after its parents; a parent that brings nothing new is no merge (admission.2, 23)."""
        branch = self._branch_at(*self._homes[parents[0]]) if parents else self._branch_at(self.conversation, 1)
        seen = self._past(parents[0]) if parents else set[str]()
        heads: list[tuple[Id, int | None]] = []
        for parent in _newest_first(parents[1:], list(self.ids)):
            if parent not in seen:
                seen = seen | self._past(parent)
                heads.append(self._homes[parent])
        if len(heads) > MERGES:
            raise ValueError(f"a commit with more than {MERGES} merged parents")
        heads.sort(key=lambda head: bytes(head[0]))
        self.ids[commit] = self.desk.say(self.author, self.conversation, branch, merges=heads)
        self._sizes[branch] += 1
        self._homes[commit] = (branch, self._sizes[branch])
        self._ancestors[commit] = seen

    def _past(self, commit: str) -> set[str]:
        return self._ancestors[commit] | {commit}

    def _branch_at(self, branch: Id, size: int) -> Id:
        """The branch itself where nothing follows yet, else a fork of it."""
        if self._sizes[branch] == size and branch != self.conversation:
            return branch
        fork = self.desk.fork(self.author, self.conversation, branch, size=size)
        self._sizes[fork] = size + 1
        return fork


def _newest_first(parents: list[str], order: list[str]) -> Iterator[str]:
    places = {commit: place for place, commit in enumerate(order)}
    return iter(sorted(parents, key=lambda parent: -places[parent]))


def differences(folder: Path, history: dict[str, list[str]], rng: random.Random, pairs: int) -> list[str]:
    """Where git and the replayed conversation answer differently about so many pairs of commits."""
    found = replay_git(history)
    commits, wrong = list(history), list[str]()
    for _ in range(pairs):
        one, two = rng.choice(commits), rng.choice(commits)
        first, second = found.ids[one], found.ids[two]
        # A commit counts as its own ancestor in git, a message does not.
        ours = one == two or found.dag.is_ancestor(first, second)
        theirs = "\x00" not in git(folder, "merge-base", "--is-ancestor", one, two)
        if ours != theirs:
            wrong.append(f"is-ancestor {one} {two}: git {theirs}")
        bases = set(git(folder, "merge-base", "--all", one, two).replace("\x00", "").split())
        mine = _bases(found, one, two)
        if bases != mine:
            wrong.append(f"merge-base {one} {two}: git {sorted(bases)}, here {sorted(mine)}")
        past = set(git(folder, "rev-list", one).split()) - {one}
        if past != found.only(found.dag.ancestors(first, limit=1 << 20)):
            wrong.append(f"rev-list {one}")
        only_two = set(git(folder, "rev-list", f"{one}..{two}").split())
        mine = found.only(found.dag.ancestors(second, limit=1 << 20)) | {two}
        if only_two != mine - found.only(found.dag.ancestors(first, limit=1 << 20)) - {one}:
            wrong.append(f"rev-list {one}..{two}")
    return wrong


def _bases(found: Replayed, one: str, two: str) -> set[str]:
    first, second = found.ids[one], found.ids[two]
    if one == two or found.dag.is_ancestor(first, second):
        return {one}
    if found.dag.is_ancestor(second, first):
        return {two}
    return found.only(found.dag.nearest_common_ancestors([first, second], limit=1 << 20))
