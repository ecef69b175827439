"""An instance of a workflow as a realm's file has it, for ``workflow draw``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ama2sec import Id, halt
from ama2sec._native import RealmFile
from ama2sec.cli.steps import Steps
from ama2sec.errors import Ama2Error, error
from ama2sec.realm.dag import RealmDag, conversations
from ama2sec.realm.definitions.picture import definition_to_svg
from ama2sec.realm.standing import standing

__all__ = ["draw_instance", "history_of"]


def draw_instance(path: Path, conversation: str, instance: str | None) -> str:
    """The picture, of a realm that is judged first; ids by their first digits. Raises ``ArgumentRange``, ``WorkflowUnknown``, ``StepAmbiguous``,
    and the first fault of the realm."""
    source = RealmFile.open(path)
    source.refresh()
    chat = _one(conversations(source), conversation, "--conversation")
    listed = [Id.from_hex(each["id"]) for each in source.ask("workflows", chat)["instances"]]
    which = None if instance is None else _one(listed, instance, "--instance")
    try:
        found = standing(source, chat, which)
    except Ama2Error as fault:
        # Whoever typed it is no peer.
        raise error("ArgumentRange", f"--conversation, --instance: {fault.expected}", fault.got) from None
    undone, closed = history_of(source, chat, found.instance)
    found = standing(source, chat, found.instance, undone=undone, closed=closed)
    stopped = ", while a stop is in force" if _is_stopped(path) else ""
    return definition_to_svg(found.definition, found.states, found.notes, title=f"{found.title}{stopped}")


def _is_stopped(path: Path) -> bool:
    try:
        return halt.stop_status(path).stopped
    except Ama2Error:
        return False


def _one(ids: Sequence[Id], text: str, option: str) -> Id:
    fitting = [one for one in ids if str(one).startswith(text.lower())]
    if len(fitting) != 1 or not text:
        raise error("ArgumentRange", f"{option}: one of this realm", f"{len(fitting)} that begin so")
    return fitting[0]


def history_of(source: RealmFile, conversation: Id, instance: Id) -> tuple[dict[str, int], bool]:
    """How often each step of an instance was taken and undone by a rollback; and whether the conversation was closed."""
    steps, dag, start, found, closed = Steps(source), RealmDag(source, conversation), 0, Counter[str](), False
    while nodes := dag.timeline(start):
        for node in nodes:
            if node.kind not in {"open", "message", "close"} or node.code is not None:
                continue
            entry = source.entries(node.position, 1)[0]
            closed = closed or entry.claims.get("close") is True
            view = steps.view(entry)
            if view is not None and view["approves"] is None and view["instance"] == str(instance):
                found[view["step"]] += steps.is_undone(entry)
        start += len(nodes)
    return dict(+found), closed
