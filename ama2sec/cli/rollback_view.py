"""What a rollback would undo, or has undone, for a person or a program."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any, Final

from ama2sec import Ama2Error, Id
from ama2sec._native import RealmEntry, RealmFile
from ama2sec.cli.show import emit, line, row
from ama2sec.cli.steps import Names, Steps, said
from ama2sec.realm.definitions import Definition
from ama2sec.realm.undoing import Cut, RolledBack, Undoing

__all__ = ["Plan", "show", "tell"]

_LINES: Final = 40
"""Branches, or steps, that are listed."""
_WIDE: Final = 62
"""Characters of a value: 80 columns without the label."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A closure, and what a person wants to know of it."""

    source: RealmFile
    entry: RealmEntry
    """The last that stays."""
    undoing: Undoing
    entries: dict[Id, list[RealmEntry]]
    """Of each branch what falls, as far as it is listed."""
    addressed: list[str]
    """To whom what falls was addressed."""
    definition: Definition | None
    refusal: Ama2Error | None
    """Why it would be refused, as far as that is known before it is signed."""
    stopped: bool


def show(plan: Plan, *, as_json: bool, dry_run: bool) -> None:
    """The plan, before anything is signed."""
    if as_json:
        emit(_view(plan))
        return
    found, names, steps = plan.undoing, Names(plan.source), Steps(plan.source)
    count = f"{_count(found.count, 'entry', 'entries')} in {_count(len(found.branches), 'branch', 'branches')}"
    line(f"{'would be' if dry_run else 'to be'} undone: {count}", style="bold yellow")
    row("conversation", str(plan.entry.conversation))
    row("stays", _words(plan.entry, names, steps), "the last message that stays")
    for cut in found.branches[:_LINES]:
        row("branch", "\n".join(_fallen(plan, cut, names, steps)))
    if len(found.branches) > _LINES:
        row("", f"and {_count(len(found.branches) - _LINES, 'branch', 'branches')} more")
    if plan.addressed:
        meaning = (
            "withdrawn where it was not handed over; a handler that has it is told, and its permit is MessageUndone"
        )
        row("addressed to", "\n".join(textwrap.wrap(", ".join(plan.addressed), _WIDE, break_on_hyphens=False)), meaning)
    _steps(found)
    if plan.definition is not None:
        rule = plan.definition.rollback
        often = "once" if rule.at_most == 1 else f"{rule.at_most} times"
        row("who may", ", ".join(rule.by) or "nobody", f"by {plan.definition.name}; an instance at most {often}")
    if plan.stopped:
        meaning = "while it holds a part of this, the rollback is refused (Latched, HaltedByEffect)"
        row("STOPPED", "a stop is in force here", meaning)
    if dry_run:
        line("nothing was signed")


def _count(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _fallen(plan: Plan, cut: Cut, names: Names, steps: Steps) -> list[str]:
    """One branch: what it keeps, and the first of what falls."""
    base = plan.source.ask("fate", plan.entry.conversation, branch=str(cut.branch))["base"]
    whole = "falls whole" if cut.size == base else f"keeps its first {cut.size:,}"
    lost, listed = cut.end - cut.size, plan.entries[cut.branch]
    lines = [f"{cut.branch.short}: {whole}, {lost:,} undone", *(_words(entry, names, steps) for entry in listed)]
    return [*lines, f"and {lost - len(listed):,} more"] if lost > len(listed) else lines


def _words(entry: RealmEntry, names: Names, steps: Steps) -> str:
    """One entry on one line; what it says only where no step says it."""
    to = ", ".join(names.to(entry))
    words = steps.words(entry, instance=False)
    if entry.claims["workflow_state"] is None and entry.kind != "rollback":
        words = f"{words or entry.kind}{said(entry)}"
    return f"{entry.position:>6}  {names.of(entry.sender)}{f' -> {to}' if to else ''}: {words}"


def _steps(found: Undoing) -> None:
    """What compensates, and what is in the way."""
    listed = found.compensations[:_LINES]
    for step in listed:
        last = step is listed[-1]
        meaning = "listed and never taken by itself: whoever has touched the world makes good for it" if last else ""
        row("compensate", f"{step.compensation}, for {step.step} {step.message.short}", meaning)
    if len(found.compensations) > len(listed):
        row("", f"and {len(found.compensations) - len(listed):,} more")
    for step in [each for each in found.steps if each.pivot][:_LINES]:
        row("NO RETURN", f"{step.step} {step.message.short}", "a point of no return: no rollback goes behind it")


def _view(plan: Plan) -> dict[str, Any]:
    found, refusal = plan.undoing, plan.refusal
    return {
        "ok": refusal is None,
        "code": None if refusal is None else refusal.code,
        "got": None if refusal is None else refusal.got,
        "conversation": str(plan.entry.conversation),
        "to": str(plan.entry.id),
        "count": found.count,
        "hash": str(found.hash),
        "branches": [{"branch": str(cut.branch), "keeps": cut.size, "end": cut.end} for cut in found.branches],
        "messages": [str(each) for each in found.messages],
        "addressed_to": plan.addressed,
        "steps": [
            {
                "instance": str(step.instance),
                "message": str(step.message),
                "step": step.step,
                "compensation": step.compensation,
                "pivot": step.pivot,
            }
            for step in found.steps
        ],
        "stopped": plan.stopped,
    }


def tell(done: RolledBack, *, as_json: bool) -> None:
    """What was done."""
    compensations = done.undone.compensations
    if as_json:
        emit(
            {
                "ok": True,
                "rollback": str(done.sent.id),
                "position": done.sent.position,
                "conversation": str(done.conversation.id),
                "branch": str(done.conversation.branch),
                "count": done.undone.count,
                "compensations": [{"message": str(each.message), "step": each.compensation} for each in compensations],
            }
        )
        return
    line(f"rolled back: {done.undone.count:,} undone", style="bold green")
    row("rollback", str(done.sent.id), f"at position {done.sent.position:,}")
    row("goes on in", str(done.conversation.branch), "the successor: messages to the old branch are BranchSuperseded")
