"""Ancestry proofs out of a replayed conversation: what a stranger can check, who trusts one signed head (spec dag.4.4, proofs.4)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from ama2sec import _files
from ama2sec._native import Accumulator, Fingerprint, Id, TranscriptReader, parse
from ama2sec.errors import error
from ama2sec.history.proofs import Hop, prove_ancestry
from ama2sec.realm.dag import LIMIT, Node, RealmDag

__all__ = ["AncestorProof", "prove_ancestor"]

_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class AncestorProof:
    """That the author of ``of`` had consumed the message ``above``.

    Whoever has verified the message ``of`` takes ``fingerprint`` from its signed claims (its context, or the head of one of its merges),
    and checks: ``check_ancestry(fingerprint, envelope_of_above, proof)``.
    """

    above: Id
    of: Id
    fingerprint: Fingerprint
    merge: int | None
    """Which merge of ``of`` the fingerprint is of; None for its context."""
    proof: bytes


def prove_ancestor(
    dag: RealmDag,
    above: Id,
    id: Id,  # noqa: A002
    transcript: bytes | str | os.PathLike[str],
    *,
    realm: Id,
    limit: int = LIMIT,
) -> AncestorProof | None:
    """Prove that the author of ``id`` had consumed ``above``; None where it had not.

    ``transcript`` is what was replayed: the envelopes of merging messages are read from it. Raises ``ArgumentRange`` for ids that the
    conversation does not have, for a conversation of more than ``limit`` entries, and for a way of more than 32 merges
    (proofs.4.2).
    """
    way = dag.path(id, above, limit=limit)
    if way is None or len(way) < 2:
        return None
    nodes = {node.id: node for node in _timeline(dag, limit)}
    trees = _Trees(realm, dag.conversation, list(nodes.values()))
    first = nodes[way[0]]
    merge = _merge_of(first, way[1])
    if merge is None:
        branch, size = first.branch, first.size
    else:
        branch, size = first.merges[merge].branch, first.merges[merge].size
    hops = []
    for node, following in zip(map(nodes.__getitem__, way[1:]), way[2:], strict=False):
        taken = _merge_of(node, following)
        if taken is not None:
            head = node.merges[taken]
            hops.append((node, taken, trees.prefix(head.branch, head.size)))
    envelopes = _envelopes(transcript, {node.id for node, _, _ in hops})
    via = [Hop(_index(node), envelopes[node.id], into, taken) for node, taken, into in hops]
    start = trees.prefix(branch, size)
    proof = prove_ancestry(start, _index(nodes[above]), size, via=via)
    return AncestorProof(above, id, start.fingerprint(size), merge, proof)


def _timeline(dag: RealmDag, limit: int) -> list[Node]:
    found = dag.timeline(limit=limit + 1)
    if len(found) > limit:
        raise error("ArgumentRange", f"a conversation of at most {limit} entries", "more")
    return [node for node in found if node.home is not None]


def _merge_of(node: Node, following: Id) -> int | None:
    """Which merge leads from a node to the next of the way; None: its parent does."""
    if node.parent == following:
        return None
    return next(number for number, merged in enumerate(node.merges) if merged.last == following)


def _index(node: Node) -> int:
    if node.home is None:
        raise error("Internal", "an entry with a home", "none")
    return node.home[1]


class _Trees:
    """The trees of a conversation's branches, built again from the ids of its entries."""

    def __init__(self, realm: Id, conversation: Id, nodes: list[Node]) -> None:
        self._realm, self._conversation = realm, conversation
        self._leaves: dict[Id, list[Id]] = {}
        self._forks = {node.id: node for node in nodes if node.kind == "fork"}
        for node in nodes:
            if node.home is not None:
                self._leaves.setdefault(node.home[0], []).append(node.id)
        self._made: dict[Id, Accumulator] = {}

    def prefix(self, branch: Id, size: int) -> Accumulator:
        """The tree of a branch, which has had this size."""
        made = self._whole(branch)
        if size > made.size:
            raise error("Internal", f"a branch of at least {size} entries", str(made.size))
        return made

    def _whole(self, branch: Id) -> Accumulator:
        # Up to a branch that is there or the first one; no recursion: a lineage can be as long as the conversation.
        lineage = [branch]
        while lineage[-1] not in self._made and lineage[-1] in self._forks:
            lineage.append(self._forks[lineage[-1]].branch)
        for one in reversed(lineage):
            if one not in self._made:
                fork = self._forks.get(one)
                made = (
                    Accumulator(self._realm, self._conversation)
                    if fork is None
                    else self._made[fork.branch].fork(fork.size)
                )
                made.extend(self._leaves[one])
                self._made[one] = made
        return self._made[branch]


def _envelopes(transcript: bytes | str | os.PathLike[str], wanted: set[Id]) -> dict[Id, bytes]:
    reader = TranscriptReader(realm=True)
    found: dict[Id, bytes] = {}
    if not wanted:
        return found

    def take(chunk: bytes) -> None:
        for entry in reader.feed(chunk):
            id = parse(entry).id  # noqa: A001
            if id in wanted:
                found[id] = entry

    if isinstance(transcript, bytes):
        take(transcript)
    else:
        with _files.reading(transcript) as descriptor:
            while chunk := os.read(descriptor, _CHUNK):
                take(chunk)
    if len(found) < len(wanted):
        raise error("FileUnreadable", "the transcript that was replayed", "another one")
    return found
