"""Workflows once more, slowly (workflow.3, workflow.4): no state but the messages, no order but theirs, no caches.

What a message has seen is found by walking the graph. A definition is the steps that ``tests.workflow_world.step`` makes, and
steps are known by their names. Messages are numbered in log order; whatever is asked here is well formed, and right in all that
is not about workflows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Steps = list[dict[str, Any]]


@dataclass(frozen=True)
class Act:
    """What somebody does in a workflow. ``instance`` is the number of its first message, or of none that began one."""

    step: str
    instance: int | None = None
    outputs: tuple[tuple[str, Any], ...] = ()
    approves: int | None = None
    version: bool = True
    """Whether the definition that the message names is the right one."""


@dataclass(frozen=True)
class Said:
    """A message, or a fork: on a branch, with the first ``n`` of its leaves as context, and heads of others. Branches are numbered."""

    by: str
    branch: int
    n: int
    merges: tuple[tuple[int, int], ...] = ()
    act: Act | None = None
    fork: bool = False


@dataclass(frozen=True)
class Message:
    """A message that was admitted, at this time."""

    number: int
    said: Said
    time: int
    named: frozenset[int]
    """All that it names itself: the leaves of its context, and those of the heads that it merges."""

    @property
    def instance(self) -> int | None:
        act = self.said.act
        return None if act is None else self.number if act.instance is None else act.instance

    @property
    def is_transition(self) -> bool:
        return self.said.act is not None and self.said.act.approves is None


@dataclass
class Model:
    """A conversation of a definition. ``people`` has everybody's groups; whoever is in it is live."""

    steps: Steps
    people: dict[str, tuple[str, ...]]
    start: str
    messages: list[Message] = field(default_factory=list)
    branches: list[list[int]] = field(default_factory=lambda: [[]])
    bases: list[int] = field(default_factory=lambda: [0])
    """Where each branch's own leaves begin."""

    # -- what there is -------------------------------------------------------------------------------------------

    def step(self, name: str) -> dict[str, Any] | None:
        return next((each for each in self.steps if each["name"] == name), None)

    def transitions(self, instance: int | None, step: str | None = None) -> list[Message]:
        """Of an instance, in log order; of one step alone."""
        found = [each for each in self.messages if each.is_transition and each.instance == instance]
        return [each for each in found if step is None or _act(each).step == step]

    def last(self, instance: int | None, step: str) -> Message | None:
        found = self.transitions(instance, step)
        return max(found, key=lambda each: each.number) if found else None

    def grounds(self, step: str) -> set[str]:
        """By the definition: what it needs all of, and the grounds of these."""
        of = self.step(step)
        assert of is not None
        needs = set(of["needs"]) if of["mode"] == 0 else set()
        return needs.union(*(self.grounds(need) for need in needs))

    def is_current(self, instance: int | None, step: str) -> bool:
        last = self.last(instance, step)
        if last is None:
            return False
        others = [self.last(instance, ground) for ground in self.grounds(step)]
        return all(other is None or other.number < last.number for other in others)

    def named(self, said: Said) -> frozenset[int]:
        """The leaves that a message names itself."""
        found = set(self.branches[said.branch][: said.n])
        for branch, size in said.merges:
            found |= set(self.branches[branch][:size])
        return frozenset(found)

    def ancestors(self, said: Said) -> set[int]:
        """Whatever it names, and whatever that names."""
        found: set[int] = set()
        todo = set(self.named(said))
        while todo:
            at = todo.pop()
            if at not in found:
                found.add(at)
                todo |= self.messages[at].named
        return found

    # -- what happens --------------------------------------------------------------------------------------------

    def take(self, said: Said, time: int) -> int:
        """An entry that was admitted. Its number."""
        number = len(self.messages)
        self.messages.append(Message(number, said, time, self.named(said)))
        if said.fork:
            self.branches.append([*self.branches[said.branch][: said.n], number])
            self.bases.append(said.n)
        else:
            self.branches[said.branch].append(number)
        return number

    def verdict(self, said: Said, time: int) -> str:
        """The code, or ``ok``."""
        return "ok" if said.act is None else next(self._faults(said, said.act, time), "ok")

    def _faults(self, said: Said, act: Act, time: int) -> Iterator[str]:
        """Everything that is wrong, in the order of the checks."""
        starts = {each.number for each in self.messages if each.is_transition and each.instance == each.number}
        if act.instance is not None and act.instance not in starts:  # 32
            yield "WorkflowUnknown"
            return
        if not act.version:  # 33
            yield "WorkflowVersion"
        step = self.step(act.step)
        if step is None:  # 34
            yield "StepUnknown"
            return
        begun = time if act.instance is None else self.messages[act.instance].time
        if act.approves is not None:
            yield from self._faults_of_approval(said, act, step, act.approves, begun, time)
            return
        if not set(self.people[said.by]) & set(step["by"]):  # 35
            yield "StepRole"
        yield from self._faults_of_moment(act.instance, step, begun, time)
        if act.instance is None:
            if act.step != self.start:  # 38
                yield "StepNeeds"
            return
        yield from self._faults_of_step(said, act.instance, step)

    def _faults_of_moment(self, instance: int | None, step: dict[str, Any], begun: int, time: int) -> Iterator[str]:
        """36 and 37."""
        done = [] if instance is None else self.transitions(instance)
        if any(self._of(each)["terminal"] for each in done):
            yield "WorkflowEnded"
        if step["deadline"] is not None and time - begun > step["deadline"]:
            yield "DeadlinePassed"
        if len([each for each in done if _act(each).step == step["name"]]) >= step["visits"]:
            yield "StepSpent"
        if step["choice"] is not None:
            chosen_on = self.last(instance, step["choice"])
            others = [each["name"] for each in self.steps if each["choice"] == step["choice"] and each is not step]
            later = [each for each in done if chosen_on is None or each.number > chosen_on.number]
            if any(_act(each).step in others for each in later):
                yield "StepExcluded"

    def _faults_of_step(self, said: Said, instance: int, step: dict[str, Any]) -> Iterator[str]:
        """38 to 40 in an instance that runs."""
        needs = {name: self.last(instance, name) for name in step["needs"]}
        mine = self.last(instance, step["name"])
        new = {name for name, last in needs.items() if last and (mine is None or last.number > mine.number)}
        current = {name for name in needs if self.is_current(instance, name)}
        if step["mode"] == 0:
            fits = set(needs)
            if current != set(needs) or (needs and not new):  # 38
                yield "StepNeeds"
        else:
            fits = current & new
            if not fits:  # 38
                yield "StepNeeds"
        read = {when[0]: self.last(instance, when[0]) for when in step["when"]}
        if not all(self._holds(read[when[0]], when) for when in step["when"]):  # 39
            yield "StepWhen"
        approvals = self._approvals(instance, step)
        count = step["approvals"][1] if step["approvals"] else 0
        if len({each.said.by for each in approvals}) < count:  # 39
            yield "ApprovalsMissing"
        seen = self.ancestors(said)
        seen_needs = {name for name in fits if (last := needs[name]) and last.number in seen}
        wanted = len(fits) if step["mode"] == 0 else 1
        if (  # 40
            instance not in seen
            or len(seen_needs) < wanted
            or any(last is None or last.number not in seen for last in read.values())
            or len([each for each in approvals if each.number in seen]) < count
        ):
            yield "ContextStale"

    def _holds(self, last: Message | None, when: list[Any]) -> bool:
        _, output, relation, value = when
        found = None if last is None else dict(_act(last).outputs).get(output)
        if type(found) is not type(value):
            return False
        return (
            bool((found == value, found <= value, found >= value)[relation]) if type(value) is int else found == value
        )

    def _approvals(self, instance: int, step: dict[str, Any]) -> list[Message]:
        """Of the last transition of what is to be approved, for this step."""
        if step["approvals"] is None:
            return []
        of = self.last(instance, step["approvals"][0])
        return [
            each
            for each in self.messages
            if each.instance == instance
            and not each.is_transition
            and (_act(each).step, _act(each).approves) == (step["name"], of and of.number)
        ]

    def _faults_of_approval(
        self, said: Said, act: Act, step: dict[str, Any], subject: int, begun: int, time: int
    ) -> Iterator[str]:
        rule = step["approvals"]
        if rule is None:  # 35
            yield "ApprovalInvalid"
            return
        if not set(self.people[said.by]) & set(rule[2]):  # 35
            yield "StepRole"
        yield from self._faults_of_moment(act.instance, step, begun, time)
        assert act.instance is not None
        last = self.last(act.instance, rule[0])
        again = [each for each in self._approvals(act.instance, step) if each.said.by == said.by]
        if act.outputs or last is None or last.number != subject or last.said.by == said.by or again:  # 39
            yield "ApprovalInvalid"
        if not {act.instance, subject} <= self.ancestors(said):  # 40
            yield "ContextStale"

    def _of(self, message: Message) -> dict[str, Any]:
        found = self.step(_act(message).step)
        assert found is not None
        return found


def _act(message: Message) -> Act:
    assert message.said.act is not None
    return message.said.act
