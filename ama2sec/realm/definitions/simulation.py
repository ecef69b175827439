"""One instance played through by hand, in one branch: who takes what, and the code that a step out of order gets (spec workflow.3, workflow.4).

Everybody has seen everything, so check 40 holds; groups are as a person says. It decides nothing: the rules are those of ``admit``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ama2sec.errors import error
from ama2sec.realm.definitions.definition import Definition
from ama2sec.realm.definitions.model import Output, Step
from ama2sec.realm.definitions.soundness import grounds_of

__all__ = ["Refusal", "Simulation", "Taken"]


@dataclass(frozen=True, slots=True)
class Taken:
    """A transition."""

    step: str
    outputs: Mapping[str, Output]
    who: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not: the code, and what was expected."""

    code: str
    expected: str


class Simulation:
    """The state of one instance: what was taken, what was approved, how much time has passed."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.taken: list[Taken] = []
        self.now_ms = 0
        self._approvals: list[tuple[str, int, str]] = []
        self._grounds = grounds_of(definition.steps)

    @property
    def ended(self) -> bool:
        """Whether a terminal step was taken."""
        return any(self.definition.step(one.step).terminal for one in self.taken)

    def verdicts(self) -> dict[str, Refusal | None]:
        """Of each step what it would get now from somebody of its groups; outputs aside, None is yes."""
        return {step.name: self.verdict(step.name) for step in self.definition.steps}

    def verdict(self, name: str, group: str | None = None) -> Refusal | None:
        """What taking the step would get; ``group`` is that of whoever takes it, None one that may. Raises ``StepUnknown``."""
        step = self.definition.step(name)
        return (
            self._role(step, step.by, group)
            or self._open(step)
            or self._needs(step)
            or self._conditions(step)
            or self._approved(step)
        )

    def take(
        self, name: str, who: str, group: str | None = None, outputs: Mapping[str, Output] | None = None
    ) -> Refusal | None:
        """Take a step, if it may be taken. Raises ``StepUnknown``."""
        refused = self.verdict(name, group)
        if refused is None:
            self.taken.append(Taken(name, dict(outputs or {}), who))
        return refused

    def approve(self, name: str, who: str, group: str | None = None) -> Refusal | None:
        """Approve the latest transition of what the step's approvals are of (workflow.4). Raises ``StepUnknown``."""
        step = self.definition.step(name)
        asked = step.approvals
        if asked is None:
            return Refusal("ApprovalInvalid", f"a step with approvals; {name} has none")
        refused = self._role(step, asked.by, group) or self._open(step)
        if refused is not None:
            return refused
        subject = self._last(asked.of)
        if subject is None:
            return Refusal("ApprovalInvalid", f"{asked.of} taken before it is approved")
        if self.taken[subject].who == who:
            return Refusal("ApprovalInvalid", f"the approval of somebody else than {who}, who took {asked.of}")
        if (name, subject, who) in self._approvals:
            return Refusal("ApprovalInvalid", f"one approval by {who}")
        self._approvals.append((name, subject, who))
        return None

    def approvers(self, name: str) -> list[str]:
        """Who has approved what the step needs approved, as it is now."""
        asked = self.definition.step(name).approvals
        subject = None if asked is None else self._last(asked.of)
        return [who for step, about, who in self._approvals if (step, about) == (name, subject)]

    def _role(self, step: Step, by: object, group: str | None) -> Refusal | None:
        """35."""
        names = [str(name) for name in by] if isinstance(by, (list, tuple)) else []
        if group is None or group in names:
            return None
        return Refusal("StepRole", f"somebody of {', '.join(names)} for {step.name}")

    def _open(self, step: Step) -> Refusal | None:
        """36, 37."""
        if self.ended:
            return Refusal("WorkflowEnded", "an instance that has not ended")
        if isinstance(step.deadline, int) and self.now_ms > step.deadline:
            return Refusal("DeadlinePassed", f"{step.name} by {step.deadline} ms, now it is {self.now_ms} ms")
        if sum(one.step == step.name for one in self.taken) >= step.visits:
            return Refusal("StepSpent", f"{step.name} at most {step.visits} {'time' if step.visits == 1 else 'times'}")
        chosen = None if step.choice is None else self._last(step.choice)
        if chosen is None:
            return None
        for other in self.definition.steps:
            if other.choice == step.choice and other is not step and self._after(other.name, chosen):
                return Refusal("StepExcluded", f"what goes with {other.name}, which was chosen")
        return None

    def _needs(self, step: Step) -> Refusal | None:
        """38."""
        if not self.taken:
            start = self.definition.start
            return None if step.name == start else Refusal("StepNeeds", f"the start, {start}, first")
        before = self._last(step.name)
        current = [need for need in step.needed if self._current(need)]
        newer = [need for need in current if before is None or self._after(need, before)]
        if not step.needed or (newer and (step.needs_any or len(current) == len(step.needed))):
            return None
        missing = [need for need in step.needed if need not in current]
        if step.needs_any or not missing:
            return Refusal("StepNeeds", f"{' or '.join(step.needed)} {'first' if before is None else 'again first'}")
        return Refusal("StepNeeds", f"{' and '.join(missing)} first")

    def _conditions(self, step: Step) -> Refusal | None:
        """39."""
        for one in step.when:
            read = self._last(one.step)
            found = None if read is None else self.taken[read].outputs.get(one.output)
            if not one.holds(found):
                told = {"equals": "", "at_most": "at most ", "at_least": "at least "}[one.relation]
                return Refusal("StepWhen", f"{one.step}.{one.output} {told}{shown(one.value)}, it is {shown(found)}")
        return None

    def _approved(self, step: Step) -> Refusal | None:
        """39, the second half."""
        if step.approvals is None:
            return None
        asked, given = step.approvals, len(self.approvers(step.name))
        if given >= asked.count:
            return None
        return Refusal(
            "ApprovalsMissing", f"{asked.count} approvals of {asked.of} by {', '.join(asked.by)}, there are {given}"
        )

    def _last(self, name: str) -> int | None:
        return next((place for place in reversed(range(len(self.taken))) if self.taken[place].step == name), None)

    def _after(self, name: str, place: int) -> bool:
        last = self._last(name)
        return last is not None and last > place

    def _current(self, name: str) -> bool:
        """workflow.2.4."""
        last = self._last(name)
        return last is not None and not any(self._after(ground, last) for ground in self._grounds[name])


def shown(value: Output | None) -> str:
    """An output for people."""
    return "not there" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def read_output(step: Step, text: str) -> tuple[str, Output]:
    """``name=value`` as a person types it, by the type that the step declares. Raises ``ArgumentRange``."""
    name, equals, value = text.partition("=")
    kind = step.outputs.get(name)
    if not equals or kind is None:
        raise error(
            "ArgumentRange",
            f"an output of {step.name} as NAME=VALUE: {', '.join(step.outputs) or 'it has none'}",
            repr(text)[:64],
        )
    if kind == "text":
        return name, value
    found: dict[str, Output] = {"true": True, "false": False}
    if kind == "boolean" and value in found:
        return name, found[value]
    if kind == "integer" and value.removeprefix("-").isdecimal() and value.isascii() and len(value) <= 19:
        return name, int(value)
    raise error("ArgumentRange", f"{name} as {kind}", repr(value)[:64])
