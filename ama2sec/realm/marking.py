"""What rollbacks and workflows say of the entries of a conversation, for its drawing: undone, where a rollback stands, the step taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ama2sec._native import Id
from ama2sec.realm.dag import Node, RealmDag
from ama2sec.realm.definitions.simulation import shown
from ama2sec.realm.drawing import Marks

__all__ = ["marks_of", "step_words"]


def marks_of(dag: RealmDag, nodes: Sequence[Node], claims: Iterable[tuple[Id, Mapping[str, Any]]] = ()) -> Marks:
    """Of the entries of a timeline. ``claims``: ids and claims of entries, of those whose step is to be named."""
    fates = {}
    for branch in dict.fromkeys(node.home[0] for node in nodes if node.home is not None):
        fates[branch] = dag.source.ask("fate", dag.conversation, branch=str(branch))
    undone = {
        node.id
        for node in nodes
        if node.home is not None and (fates[node.home[0]]["undone"] or node.home[1] >= fates[node.home[0]]["end"])
    }
    based = {node.id: node.stands_on for node in nodes if node.stands_on is not None}
    steps = {id: words for id, said in claims if (words := step_words(said))}  # noqa: A001
    return Marks(frozenset(undone), based, steps)


def step_words(claims: Mapping[str, Any]) -> str:
    """The step that an entry takes or approves, in a few words; empty for a note and for any other entry."""
    state = claims.get("workflow_state")
    if state is None:
        return ""
    outputs = "".join(f" {name}={shown(value)}" for name, value in state["outputs"].items())
    return (
        f"approves {state['approves'][:8]} for {state['step']}"
        if state["approves"]
        else f"takes {state['step']}{outputs}"
    )
