"""Workflow instances (spec workflow.2 to 4): which step may be taken now, and which approvals count.

The numbers beside the checks are those of admission.2.
"""

from __future__ import annotations

from dataclasses import dataclass

from ama2sec.errors import error
from ama2sec.reference.claims import Claims, WorkflowState
from ama2sec.reference.dag import Approval, Conversation, Instance, Transition
from ama2sec.reference.definitions import ALL, Workflow, WorkflowStep
from ama2sec.reference.envelope import Envelope
from ama2sec.reference.forms import refuse
from ama2sec.reference.registry import Registry


@dataclass(frozen=True, slots=True)
class Move:
    """What an admitted entry does in a workflow. ``started`` is the start time of an instance that it begins."""

    instance: bytes
    workflow: Workflow
    started: int | None
    step: int
    principal: bytes


def judge_open(registry: Registry, time: int, size: int, entry: Envelope, principal: bytes) -> Move | None:
    """What an open does: nothing, or the start of an instance. Raises the code of the first check that fails."""
    required, name = entry.claims.workflow or (False, None)
    if name is not None and registry.definition(name, size) is None:  # 32
        refuse("WorkflowUnknown", "a definition that the registry has", name)
    opened = Conversation(entry.message_id, entry.claims.members, (required, name))
    return judge(registry, time, size, entry, opened, principal)


def judge(
    registry: Registry, time: int, size: int, entry: Envelope, conversation: Conversation, principal: bytes
) -> Move | None:
    """What an entry of a conversation does in a workflow, if anything. Raises the code of the first check that fails."""
    state = entry.claims.workflow_state
    if state is None:
        return None
    name = conversation.workflow[1]
    defined = None if name is None else registry.definition(name, size)
    if defined is None:  # 32
        raise error("WorkflowUnknown", "a conversation of a workflow", "one of none")
    if state.instance is None:
        instance = Instance(entry.message_id, defined.workflow, time)
    elif state.instance in conversation.instances:
        instance = conversation.instances[state.instance]
    else:  # 32
        raise error("WorkflowUnknown", "an instance of this conversation", state.instance.hex())
    if state.definition != instance.workflow.id:  # 33
        refuse("WorkflowVersion", instance.workflow.id.hex(), state.definition.hex())
    index = instance.workflow.index_of(state.step)
    if index is None:  # 34
        raise error("StepUnknown", f"a step of {instance.workflow.name}", state.step)
    asked = _Asked(registry, time, size, entry.claims, state, conversation, instance, index, principal)
    if state.approves is None:
        asked.check_step()
    else:
        asked.check_approval(state.approves)
    started = time if state.instance is None else None
    return Move(instance.id, instance.workflow, started, index, principal)


def apply(conversation: Conversation, move: Move, entry: Envelope, home: tuple[bytes, int]) -> None:
    """What an admitted entry with this home changes."""
    state = entry.claims.workflow_state
    assert state is not None  # noqa: S101  (there is a move)
    if move.started is not None:
        conversation.instances[move.instance] = Instance(move.instance, move.workflow, move.started)
    instance = conversation.instances[move.instance]
    if state.approves is None:
        taken = Transition(entry.message_id, *home, move.step, move.principal, state.outputs)
        instance.transitions.append(taken)
    else:
        approval = Approval(entry.message_id, *home, move.step, state.approves, move.principal)
        instance.approvals.append(approval)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A step of an instance that somebody wants to take, or an approval. A place is one in the list of transitions."""

    registry: Registry
    time: int
    size: int
    claims: Claims
    state: WorkflowState
    conversation: Conversation
    instance: Instance
    index: int
    principal: bytes

    @property
    def step(self) -> WorkflowStep:
        return self.instance.workflow.steps[self.index]

    def last(self, step: int) -> int | None:
        """The place of the latest transition of a step, if there is one (workflow.2.4)."""
        places = [place for place, taken in enumerate(self.instance.transitions) if taken.step == step]
        return places[-1] if places else None

    def is_current(self, step: int) -> bool:
        """Whether a step was taken, and none of its grounds later (workflow.2.4)."""
        last = self.last(step)
        if last is None:
            return False
        grounds = self.instance.workflow.grounds(step)
        return not any(taken.step in grounds for taken in self.instance.transitions[last + 1 :])

    def was_taken_after(self, step: int, place: int | None) -> bool:
        """Whether a step was taken, and later than at a place, if there is one."""
        last = self.last(step)
        return last is not None and (place is None or last > place)

    # -- taking a step: workflow.3 -------------------------------------------------------------------------------

    def check_step(self) -> None:
        """35 to 40 of a transition."""
        self.check_role(self.step.by)  # 35
        self.check_open()  # 36, 37
        fits = self.check_needs()  # 38
        self.check_when()  # 39
        approvals = self.check_approved()  # 39
        if self.state.instance is not None:
            self.check_seen(fits, approvals)  # 40

    def check_role(self, groups: tuple[str, ...]) -> None:  # 35
        live = self.registry.live(self.size, self.principal)
        if live is None or not set(live.groups) & set(groups):
            refuse("StepRole", f"one of {', '.join(groups)}", self.principal.hex())

    def check_open(self) -> None:
        workflow, step, transitions = self.instance.workflow, self.step, self.instance.transitions
        if any(workflow.steps[taken.step].terminal for taken in transitions):  # 36
            refuse("WorkflowEnded", "an instance that goes on", "one that has ended")
        if step.deadline is not None and self.time > self.instance.start_time + step.deadline:  # 36
            refuse("DeadlinePassed", f"a time of at most {self.instance.start_time + step.deadline}", str(self.time))
        if sum(taken.step == self.index for taken in transitions) >= step.visits:  # 37
            refuse("StepSpent", f"at most {step.visits} of {step.name}", "one more")
        if step.choice is None:
            return
        last = self.last(step.choice)
        for taken in transitions if last is None else transitions[last + 1 :]:  # 37
            other = workflow.steps[taken.step]
            if taken.step != self.index and other.choice == step.choice:
                refuse("StepExcluded", f"no other choice than {step.name}", other.name)

    def check_needs(self) -> list[int]:
        """38. The needs on which the step may stand."""
        if self.state.instance is None:
            if self.index != self.instance.workflow.start:
                refuse("StepNeeds", "the step that starts the workflow", self.step.name)
            return []
        needs, before = self.step.needs, self.last(self.index)
        later = [need for need in needs if self.was_taken_after(need, before)]
        current = [need for need in needs if self.is_current(need)]
        if self.step.mode == ALL:
            if len(current) < len(needs) or (needs and not later):
                refuse("StepNeeds", f"all that {self.step.name} needs, and something new", "less")
            return list(needs)
        fits = [need for need in current if need in later]
        if not fits:
            refuse("StepNeeds", f"one of the steps that {self.step.name} needs, and new", "none")
        return fits

    def check_when(self) -> None:  # 39
        for when in self.step.when:
            last = self.last(when.step)
            if last is None or not when.holds(self.instance.transitions[last].outputs):
                refuse("StepWhen", f"{when.output} as {self.step.name} asks for", "otherwise")

    def check_approved(self) -> list[Approval]:
        """39. The approvals that count: of the last transition, for this step, by principals that are live."""
        rule = self.step.approvals
        if rule is None:
            return []
        last = self.last(rule.of)
        subject = None if last is None else self.instance.transitions[last].message_id
        found = [
            each
            for each in self.instance.approvals
            if (each.step, each.subject) == (self.index, subject)
            and self.registry.live(self.size, each.principal) is not None
        ]
        if len({each.principal for each in found}) < rule.count:
            refuse("ApprovalsMissing", f"{rule.count} approvals", str(len(found)))
        return found

    def check_seen(self, fits: list[int], approvals: list[Approval]) -> None:  # 40
        self.check_start_seen()
        seen = [need for need in fits if self.has_seen_last(need)]
        if len(seen) < (len(fits) if self.step.mode == ALL else 1):
            refuse("ContextStale", "a sender who has seen what the step needs", "one who has not")
        if not all(self.has_seen_last(when.step) for when in self.step.when):
            refuse("ContextStale", "a sender who has seen what the conditions read", "one who has not")
        rule = self.step.approvals
        witnessed = {each.principal for each in approvals if self.has_seen(each)}
        if rule is not None and len(witnessed) < rule.count:
            refuse("ContextStale", f"a sender who has seen {rule.count} approvals", str(len(witnessed)))

    # -- approvals: workflow.4 -----------------------------------------------------------------------------------

    def check_approval(self, subject: bytes) -> None:
        """35 to 40 of an approval."""
        rule = self.step.approvals
        if rule is None:  # 35
            raise error("ApprovalInvalid", "a step that asks for approvals", self.step.name)
        self.check_role(rule.by)  # 35
        self.check_open()  # 36, 37
        last = self.last(rule.of)
        of = None if last is None else self.instance.transitions[last]
        given = [
            each.principal for each in self.instance.approvals if each.subject == subject and each.step == self.index
        ]
        fits = (  # 39
            not self.state.outputs,
            of is not None and of.message_id == subject,
            of is not None and of.principal != self.principal,
            self.principal not in given,
        )
        if not all(fits):
            refuse("ApprovalInvalid", "a first word, without outputs, of another than took the step", "otherwise")
        self.check_start_seen()  # 40
        if of is None or not self.has_seen(of):  # 40
            refuse("ContextStale", "a sender who has seen the subject", "one who has not")

    # -- what the sender has seen: dag.4 -------------------------------------------------------------------------

    def check_start_seen(self) -> None:
        """40. The instance's start is the first of its transitions."""
        if not self.has_seen(self.instance.transitions[0]):
            refuse("ContextStale", "a sender who has seen the instance's start", "one who has not")

    def has_seen_last(self, step: int) -> bool:
        """Whether the latest transition of a step is an ancestor."""
        last = self.last(step)
        return last is not None and self.has_seen(self.instance.transitions[last])

    def has_seen(self, what: Transition | Approval) -> bool:
        """Whether an entry is an ancestor of the one at hand (dag.4.3)."""
        heads = [(merge.branch, merge.size) for merge in self.claims.merges]
        seen = self.conversation.ancestors((self.claims.branch, self.claims.size), *heads)
        return seen.get(what.branch, 0) > what.index
