"""Ancestry and merge bases against git: git makes the histories, and answers the same questions."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from ama2sec import check_ancestry
from ama2sec._native import TranscriptReader, parse
from ama2sec.realm.ancestry import prove_ancestor
from tests.git_history import differences, git, grow, new_repository, parents_of, replay_git

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: nothing to compare with")


@pytest.mark.parametrize("seed", range(6))
def test_a_generated_history_has_the_ancestors_and_merge_bases_of_git(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    folder = new_repository(tmp_path / "r")
    made = grow(folder, rng, 40)
    history = parents_of(folder)
    assert set(history) == set(made)
    assert any(len(parents) > 2 for parents in history.values()), "an octopus"
    assert differences(folder, history, rng, 25) == []


def test_a_criss_cross_has_two_merge_bases(tmp_path: Path) -> None:
    folder = new_repository(tmp_path / "r")
    tree = git(folder, "write-tree").strip()

    def commit(name: str, *parents: str) -> str:
        options = [part for parent in parents for part in ("-p", parent)]
        return git(folder, "commit-tree", tree, *options, "-m", name).strip()

    root = commit("root")
    left, right = commit("left", root), commit("right", root)
    one, two = commit("one", left, right), commit("two", right, left)
    for name, each in (("one", one), ("two", two)):
        git(folder, "update-ref", f"refs/heads/{name}", each)
    found = replay_git(parents_of(folder))
    nearest = found.dag.nearest_common_ancestors([found.ids[one], found.ids[two]])
    assert found.only(nearest) == {left, right} == set(git(folder, "merge-base", "--all", one, two).split())


def test_what_git_says_is_noticed_when_it_is_not_the_same(tmp_path: Path) -> None:
    folder = new_repository(tmp_path / "r")
    rng = random.Random(3)
    grow(folder, rng, 12)
    history = parents_of(folder)
    # A lie about one commit: its parents are taken away.
    last = list(history)[-1]
    assert history[last]
    assert differences(folder, {**history, last: []}, rng, 60) != []


@pytest.mark.parametrize("seed", range(3))
def test_every_ancestor_can_be_proved_to_a_stranger_and_nobody_else(seed: int, tmp_path: Path) -> None:
    rng = random.Random(100 + seed)
    folder = new_repository(tmp_path / "r")
    grow(folder, rng, 30)
    found = replay_git(parents_of(folder))
    reader = TranscriptReader(realm=True)
    envelopes = {parse(entry).id: entry for entry in reader.feed(found.data)}
    for _ in range(40):
        above, below = rng.choice(list(found.ids.values())), rng.choice(list(found.ids.values()))
        proof = prove_ancestor(found.dag, above, below, found.data, realm=found.realm)
        assert (proof is not None) == found.dag.is_ancestor(above, below)
        if proof is None:
            continue
        # The trusted head is one that the author of the later message has signed.
        claims = parse(envelopes[below]).claims
        signed = (
            claims["context_fingerprint"] if proof.merge is None else claims["execution_path"]["merges"][proof.merge]
        )
        assert (signed["size"], signed["fingerprint"]) == (proof.fingerprint.size, str(proof.fingerprint.hash))
        assert check_ancestry(proof.fingerprint, envelopes[above], proof.proof).id == above
