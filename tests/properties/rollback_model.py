"""What falls with a rollback, once more and slowly (rollback.2): no branches and no cuts, but messages and what they stand on.

A message stands on everything before it in its history, inherited or not, and on what the merges among that, and it itself, name.
A message that is there falls if it stands behind the cut, or on a message that falls; and it takes along what is behind it.
"""

from __future__ import annotations

from typing import TypeAlias

from ama2sec.reference.dag import Branch, Conversation

Place: TypeAlias = tuple[bytes, int]


def places(conversation: Conversation) -> set[Place]:
    """Every message that is held: the branch that owns it, and its index."""
    found = set()
    for branch in conversation.branches.values():
        last = branch.base if branch.undone else branch.size if branch.cut is None else branch.cut
        found |= {(branch.id, index) for index in range(branch.base, last)}
    return found


def owner(branch: Branch, index: int) -> Place:
    """Where a leaf of a history lives."""
    while index < branch.base:
        assert branch.parent is not None
        branch = branch.parent
    return branch.id, index


def stands_on(conversation: Conversation, place: Place) -> set[Place]:
    """Directly: the leaf before it, and the last one of each head that it merges."""
    branch, index = conversation.branches[place[0]], place[1]
    found = {owner(branch, index - 1)} if index else set()
    for source, size in branch.merges.get(index, ()):
        found.add(owner(conversation.branches[source], size - 1))
    return found


def fallen(conversation: Conversation, target: bytes, keep: int) -> set[Place]:
    """Every message that falls, by the definition."""
    held = places(conversation)
    below = {place: stands_on(conversation, place) for place in held}
    falls = {place for place in held if place[0] == target and place[1] >= keep}
    while True:
        more = {place for place in held - falls if below[place] & falls}
        if not more:
            return falls
        falls |= more


def cuts_of(falls: set[Place]) -> dict[bytes, int]:
    """Of each branch that loses something, the first message that falls."""
    return {branch: min(index for each, index in falls if each == branch) for branch, _ in falls}
