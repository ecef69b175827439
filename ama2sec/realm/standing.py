"""How an instance of a workflow stands, for people: what is done, what may be taken now by anybody, and what not, with its code.

    found = standing(realm.engine, conversation, instance)
    definition_to_svg(found.definition, found.states, found.notes, title=found.title)

``next_steps`` says it for one agent; here it is asked for one of each set of groups, as if everybody had read everything. It is advice: the log decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ama2sec._native import Id
from ama2sec.errors import error
from ama2sec.identity.identity import clock_ms
from ama2sec.realm.dag import Asked
from ama2sec.realm.definitions import Definition
from ama2sec.realm.definitions.soundness import grounds_of

__all__ = ["Standing", "standing"]

_SETS: Final = 64
"""Sets of groups, and heads of branches, for which it is asked."""
_HEADS: Final = 16
_ALIKE: Final = 16
"""Agents of one set that are asked until one is a member of the conversation."""
_ORDER: Final = (
    "NotAMember",
    "Halted",
    "ConversationClosed",
    "BranchClosed",
    "StepRole",
    "WorkflowEnded",
    "DeadlinePassed",
    "StepSpent",
    "StepExcluded",
    "StepNeeds",
    "StepWhen",
    "ApprovalsMissing",
    "ContextStale",
)
"""In the order of admission.2: of several answers the one that came furthest is shown."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One instance, as ``definition_to_svg`` draws it."""

    definition: Definition
    instance: Id
    ended: bool
    states: dict[str, str]
    """Of each step ``enabled``, ``done`` or ``refused``."""
    notes: dict[str, str]
    """Who took it, who approved, the code that it would get: a line each."""

    @property
    def title(self) -> str:
        """What it is a picture of."""
        return f"instance {self.instance.short} of {self.definition.name} {self.definition.id.short}{', ended' if self.ended else ''}"


def standing(
    source: Asked,
    conversation: Id,
    instance: Id | None = None,
    *,
    undone: Mapping[str, int] | None = None,
    closed: bool = False,
    time: int | None = None,
) -> Standing:
    """How an instance stands at ``time`` (ms since 1970; now), the only one of the conversation unless it is named.

    ``undone``: how often a step was taken back, if the caller has counted it: it is said beside the step. ``closed``: the caller has seen that
    the conversation was closed, and nothing may be taken. Stops are not looked at.

    Raises ``ConversationUnknown``, ``WorkflowUnknown`` (no workflow, or no such instance), ``StepAmbiguous`` (several, and none is named).
    """
    view = _instance(source, conversation, instance)
    definition = _definition(source, view["definition"])
    found = Id.from_hex(view["id"])
    names = {agent["id"]: agent["name"] for agent in source.ask("registry")["agents"]}
    answers = _answers(source, conversation, view, clock_ms() if time is None else time)
    states, notes = {}, {}
    for step in definition.steps:
        # Nobody could be asked where nobody is in a group, or no branch is open.
        code = "ConversationClosed" if closed else answers.get(step.name, "BranchClosed")
        taken = [each for each in view["transitions"] if each["step"] == step.name]
        states[step.name] = "enabled" if code is None else "done" if taken else "refused"
        lines = [_taken_by(taken, names)] if taken else []
        if _is_stale(definition, view, step.name):
            lines.append("out of date: done again before it counts")
        lines += _approved(view, step.name, names)
        if back := (undone or {}).get(step.name, 0):
            lines.append("taken back once" if back == 1 else f"taken back {back} times")
        if states[step.name] == "refused" and code is not None:
            lines.append(code)
        if lines:
            notes[step.name] = "\n".join(lines)
    return Standing(definition, found, view["ended"], states, notes)


def _instance(source: Asked, conversation: Id, instance: Id | None) -> dict[str, Any]:
    workflows = source.ask("workflows", conversation)
    if workflows["definition"] is None:
        raise error("WorkflowUnknown", "a conversation with a workflow", str(conversation))
    listed = [each["id"] for each in workflows["instances"]]
    if instance is None and len(listed) != 1:
        shown = ", ".join(each[:8] for each in listed[:8])
        raise error("StepAmbiguous", "an instance that is named, or a conversation with one", shown or "none")
    view: dict[str, Any] | None = source.ask(
        "instance", conversation, id=listed[0] if instance is None else str(instance)
    )
    if view is None:
        raise error("WorkflowUnknown", "an instance of this conversation", str(instance))
    return view


def _definition(source: Asked, id: str) -> Definition:  # noqa: A002
    for each in source.ask("definitions"):
        if each["id"] == id:
            return Definition.from_document(bytes.fromhex(each["document"]))
    raise error("WorkflowVersion", "a definition of this realm", id)


def _answers(source: Asked, conversation: Id, view: Mapping[str, Any], time: int) -> dict[str, str | None]:
    """Of each step the best that anybody would get: None, or the code of the check that came furthest."""
    best: dict[str, str | None] = {}
    heads = list(_heads(source, conversation, view))
    for alike in _askers(source):
        for branch, size in heads:
            for agent in alike:
                options = source.ask(
                    "next_steps", conversation, agent=agent, instance=view["id"], branch=branch, size=size, time=time
                )
                for option in options:
                    code = option["code"]
                    best[option["step"]] = _better(best.get(option["step"], code), code)
                if any(option["code"] != "NotAMember" for option in options):
                    break
    return best


def _better(one: str | None, two: str | None) -> str | None:
    if one is None or two is None:
        return None
    return max(one, two, key=lambda code: _ORDER.index(code) if code in _ORDER else -1)


def _askers(source: Asked) -> Iterable[list[str]]:
    """Live agents of each set of groups, the first so many."""
    found: dict[tuple[str, ...], list[str]] = {}
    for agent in source.ask("registry")["agents"]:
        groups = tuple(sorted(agent["groups"]))
        if agent["live"] and groups and agent["purpose"] == "message" and (groups in found or len(found) < _SETS):
            alike = found.setdefault(groups, [])
            if len(alike) < _ALIKE:
                alike.append(agent["id"])
    return found.values()


def _heads(source: Asked, conversation: Id, view: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Heads that are open, of the branches in which the instance has gone on, the latest first."""
    branches = [str(conversation), *(each["branch"] for each in [*view["transitions"], *view["approvals"]])]
    tips = [source.ask("fate", conversation, branch=branch)["tip"] for branch in dict.fromkeys(reversed(branches))]
    for tip in list(dict.fromkeys(tips))[:_HEADS]:
        fate = source.ask("fate", conversation, branch=tip)
        if fate["live"]:
            yield tip, fate["end"]


# -- what is said of a step ----------------------------------------------------------------------------------------


def _taken_by(taken: list[dict[str, Any]], names: Mapping[str, str]) -> str:
    by = names.get(taken[-1]["principal"], taken[-1]["principal"][:8])
    return f"taken by {by}" if len(taken) == 1 else f"taken by {by}, the {_ordinal(len(taken))} time"


def _ordinal(number: int) -> str:
    last = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{last}"


def _approved(view: Mapping[str, Any], step: str, names: Mapping[str, str]) -> list[str]:
    """Who has approved what is to be approved, as it is now."""
    last = {each["step"]: each["message"] for each in view["transitions"]}
    given = [each for each in view["approvals"] if each["step"] == step and each["subject"] in last.values()]
    by = [names.get(each["principal"], each["principal"][:8]) for each in given]
    return [f"approved by {', '.join(by)}"] if by else []


def _is_stale(definition: Definition, view: Mapping[str, Any], step: str) -> bool:
    """Whether a step among its grounds was taken later (workflow.2.4)."""
    last = {each["step"]: place for place, each in enumerate(view["transitions"])}
    grounds = grounds_of(definition.steps)[step]
    return step in last and any(last.get(each, -1) > last[step] for each in grounds)
