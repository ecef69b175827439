"""Workflows for the agents of a realm: which step a message takes, and what may be done now (spec workflow.5).

await realm.define(Definition.from_yaml(Path("trading.yaml")))
order = await trader.send({"sku": 7}, to="desk", workflow="trading")        # opens a conversation and takes the first step
await order.conversation.send({"total": 900}, step="quote", outputs={"total": 900})
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ama2sec._native import Id, RealmEngine, RealmEntry
from ama2sec.errors import Ama2Error, error
from ama2sec.identity.identity import clock_ms
from ama2sec.realm.definitions import Definition, Output, check_outputs, check_payload

if TYPE_CHECKING:
    from ama2sec.realm.handle import Handle

__all__ = ["Approvable", "NextStep", "Taken", "Taking", "Workflows"]

_SHOWN: Final = 8
"""Conversations, or steps, that an error names."""


@dataclass(frozen=True, slots=True)
class Approvable:
    """What would become of an approval."""

    subject: Id
    """The message that is approved."""
    code: str | None
    """The code that it would get; None: it would be admitted."""
    expected: str | None
    got: str | None


@dataclass(frozen=True, slots=True)
class NextStep:
    """What would become of a step, taken now by the one who asks (workflow.5.3). Advice: the log decides at the entry's place in it."""

    step: str
    instance: Id | None
    """None: it would start a new one."""
    code: str | None
    """The code that it would get; None: it is open."""
    expected: str | None
    got: str | None
    approve: Approvable | None
    """Where the step asks for approvals, and there is something to approve."""

    @property
    def is_open(self) -> bool:
        """Whether it may be taken."""
        return self.code is None


@dataclass(frozen=True, slots=True)
class Taken:
    """The step that a message takes, or approves."""

    instance: Id
    definition: Id
    step: str
    outputs: dict[str, Output]
    approves: Id | None
    """The message that is approved for the step; None: it takes it."""


@dataclass(frozen=True, slots=True)
class Taking:
    """What a caller says of the step that a message is to take. Without ``step``, ``workflow`` asks for the only one that is open."""

    workflow: str | None = None
    step: str | None = None
    outputs: Mapping[str, Output] | None = None
    instance: Id | None = None
    approves: Id | None = None

    @property
    def is_note(self) -> bool:
        """Nothing was said of a step. Raises ``ArgumentRange`` where something was said that goes with one."""
        if self.workflow is not None or self.step is not None:
            return False
        if self.outputs or self.instance is not None:
            raise error("ArgumentRange", "outputs and an instance with a step", "none")
        return True


@dataclass(frozen=True, slots=True)
class Chosen:
    """The step that a message will take: in what definition, and as the claims have it."""

    definition: Definition
    step: str
    view: str
    """The workflow_state, as JSON."""


class Workflows:
    """What the registry of a realm defines, and what is under way in its conversations."""

    def __init__(self, engine: RealmEngine) -> None:
        self._engine = engine
        self._size = -1
        self._by_name: dict[str, list[tuple[Id, Definition]]] = {}
        self._read: dict[str, Definition] = {}

    # -- definitions ---------------------------------------------------------------------------------------------

    def _versions(self, name: str) -> Sequence[tuple[Id, Definition]]:
        size = self._engine.registry_size
        if size != self._size:
            found: dict[str, list[tuple[Id, Definition]]] = {}
            for view in self._engine.ask("definitions") or ():
                definition = self._read.get(view["id"])
                if definition is None:
                    definition = self._read[view["id"]] = Definition.from_document(bytes.fromhex(view["document"]))
                found.setdefault(view["name"], []).append((Id.from_hex(view["entry"]), definition))
            self._by_name, self._size = found, size
        return self._by_name.get(name, ())

    def named(self, name: str) -> Definition:
        """The definition in force under a name. Raises ``WorkflowUnknown``."""
        versions = self._versions(name)
        if not versions:
            raise error("WorkflowUnknown", "a workflow that the realm defines", name)
        return versions[-1][1]

    def entry_of(self, name: str) -> Id | None:
        """The registry's entry of the definition in force under a name, which the next one names as what it replaces."""
        versions = self._versions(name)
        return versions[-1][0] if versions else None

    def version(self, name: str, id: Id) -> Definition:  # noqa: A002
        """A definition of this name by its id, in force or replaced. Raises ``WorkflowVersion``."""
        for _, definition in self._versions(name):
            if definition.id == id:
                return definition
        raise error("WorkflowVersion", f"a definition of {name}", str(id))

    # -- what is under way ---------------------------------------------------------------------------------------

    def in_conversation(
        self, conversation: Id, *, instance: Id | None = None, running: int | None = 0
    ) -> dict[str, Any]:
        """Its workflow (``definition``, ``required``), and of its ``instances`` the one that is named, or the first that run (None: all).

        Raises ``ConversationUnknown``.
        """
        named = None if instance is None else str(instance)
        view: dict[str, Any] = self._engine.ask("workflows", conversation, instance=named, running=running)
        return view

    def instance(self, conversation: Id, id: Id) -> dict[str, Any]:  # noqa: A002
        """One instance, with its transitions and approvals in log order. Raises ``WorkflowUnknown``."""
        view: dict[str, Any] | None = self._engine.ask("instance", conversation, id=str(id))
        if view is None:
            raise error("WorkflowUnknown", "an instance of this conversation", str(id))
        return view

    def next_steps(self, handle: Handle, size: int, instance: Id | None = None) -> list[NextStep]:
        """Each step of each instance that runs, or of the one that would be started where none does. Raises ``WorkflowUnknown``."""
        view = self.in_conversation(handle.id, running=None if instance is None else 0)
        if view["definition"] is None:
            raise error("WorkflowUnknown", "a conversation with a workflow", str(handle.id))
        asked: list[Id | None] = [instance] if instance is not None else [*_running(view)] or [None]
        return [step for each in asked for step in self._options(handle, size, each)]

    def _options(self, handle: Handle, size: int, instance: Id | None) -> list[NextStep]:
        views = self._engine.ask(
            "next_steps",
            handle.id,
            agent=str(handle.agent.id),
            instance=None if instance is None else str(instance),
            branch=str(handle.branch),
            size=size,
            time=clock_ms(),
        )
        return [_next_step(view, instance) for view in views]

    # -- which step a message takes ------------------------------------------------------------------------------

    def opening(self, taking: Taking) -> Chosen:
        """The step with which a conversation begins. Raises ``WorkflowUnknown``, ``StepAmbiguous``, ``ArgumentRange`` (its outputs)."""
        if taking.workflow is not None and taking.instance is None:
            definition = self.named(taking.workflow)
            if taking.step in {None, definition.start}:
                return _chosen(None, definition, definition.start, taking)
        raise error("StepAmbiguous", "a conversation in which the step is taken", f"none; open: {self._open(taking)}")

    def _open(self, taking: Taking) -> str:
        """Conversations in which a step could be meant, the first few, for an error."""
        found: list[str] = []
        for text in self._engine.ask("conversations"):
            view = self.in_conversation(Id.from_hex(text), running=1)
            if view["definition"] is not None and taking.workflow in {None, view["definition"]} and _running(view):
                found.append(text)
            if len(found) == _SHOWN:
                break
        return ", ".join(found) or "none"

    def choose(self, handle: Handle, size: int, taking: Taking) -> Chosen:
        """The step that a message in a conversation takes.

        Raises ``WorkflowUnknown``, ``StepAmbiguous``, ``StepUnknown``, ``ArgumentRange`` (its outputs).
        """
        name = self.in_conversation(handle.id)["definition"]
        if name is None or taking.workflow not in {None, name}:
            raise error("WorkflowUnknown", f"a step of {name or 'no workflow'}", str(taking.workflow or taking.step))
        if taking.step is None:
            instance, step = self._only(handle, size, taking.instance)
        else:
            step = taking.step
            instance = taking.instance or self._instance(handle.id, name, step)
        definition = self.named(name) if instance is None else self._version_of(handle.id, name, instance)
        return _chosen(instance, definition, step, taking)

    def _only(self, handle: Handle, size: int, instance: Id | None) -> tuple[Id | None, str]:
        options = [option for option in self.next_steps(handle, size, instance) if option.is_open]
        if len(options) != 1:
            names = ", ".join(option.step for option in options[:_SHOWN])
            raise error("StepAmbiguous", "a step that is named, or exactly one that is open", names or "none is open")
        return options[0].instance, options[0].step

    def _instance(self, conversation: Id, name: str, step: str) -> Id | None:
        """The instance that is meant: a new one at a start that is taken once; else the only one that runs."""
        present = self.named(name)
        if step == present.start and present.step(step).visits == 1:
            return None
        running = _running(self.in_conversation(conversation, running=_SHOWN))
        if step == present.start and not running:
            return None
        if len(running) != 1:
            shown = ", ".join(str(each) for each in running)
            raise error("StepAmbiguous", "an instance that is named, or exactly one that runs", shown or "none")
        return running[0]

    def _version_of(self, conversation: Id, name: str, instance: Id) -> Definition:
        for each in self.in_conversation(conversation, instance=instance)["instances"]:
            return self.version(name, Id.from_hex(each["definition"]))
        raise error("WorkflowUnknown", "an instance of this conversation", str(instance))

    # -- messages ------------------------------------------------------------------------------------------------

    def taken(self, entry: RealmEntry) -> Taken | None:
        """The step that an entry takes or approves; None for a note, and in a conversation without a workflow."""
        view = entry.claims["workflow_state"]
        if view is None:
            return None
        instance = entry.id if view["instance"] is None else Id.from_hex(view["instance"])
        approves = None if view["approves"] is None else Id.from_hex(view["approves"])
        return Taken(instance, Id.from_hex(view["definition"]), view["step"], dict(view["outputs"]), approves)

    def subject_of(self, entry: RealmEntry) -> str:
        """For which step a transition can be approved. Raises ``StepAmbiguous``, ``ApprovalInvalid``."""
        taken = self.taken(entry)
        if taken is None or taken.approves is not None:
            raise error("ApprovalInvalid", "the approval of a message that takes a step", "one of another")
        definition = self._definition_of(entry, taken)
        asking = [
            step.name for step in definition.steps if step.approvals is not None and step.approvals.of == taken.step
        ]
        if len(asking) != 1:
            names = ", ".join(asking)
            raise error("StepAmbiguous", f"the one step that asks for approvals of {taken.step}", names or "none does")
        return asking[0]

    def _definition_of(self, entry: RealmEntry, taken: Taken) -> Definition:
        return self.version(self.in_conversation(entry.conversation)["definition"], taken.definition)

    def check_body(self, entry: RealmEntry) -> None:
        """The body of a transition fits the schema of its step. Raises ``BodySchema`` (workflow.5.1)."""
        taken = self.taken(entry)
        if taken is not None and taken.approves is None:
            definition = self._definition_of(entry, taken)
            check_payload(definition, taken.step, entry.body, entry.media_type, sending=False)

    def check_act(self, entry: RealmEntry) -> None:
        """Whether one may act on a message at all. Raises ``NoteOnly`` (workflow.5.2)."""
        if self.taken(entry) is None:
            if self.in_conversation(entry.conversation)["required"]:
                raise error("NoteOnly", "a message that takes a step of the workflow", "a note")
            return
        self._check_outputs(entry)
        try:
            self.check_body(entry)
        except Ama2Error as fault:
            if fault.code != "BodySchema":
                raise
            raise error("NoteOnly", "a message whose body fits its step", "one that does not") from None

    def _check_outputs(self, entry: RealmEntry) -> None:
        taken = self.taken(entry)
        if taken is not None and taken.approves is None:
            check_outputs(self._definition_of(entry, taken), taken.step, taken.outputs, sending=False)


def _running(view: Mapping[str, Any]) -> list[Id]:
    return [Id.from_hex(each["id"]) for each in view["instances"] if not each["ended"]]


def _chosen(instance: Id | None, definition: Definition, step: str, taking: Taking) -> Chosen:
    outputs = dict(taking.outputs or {})
    if taking.approves is None:
        check_outputs(definition, step, outputs, sending=True)
    view = {
        "instance": None if instance is None else str(instance),
        "definition": str(definition.id),
        "step": definition.step(step).name,
        "outputs": outputs,
        "approves": None if taking.approves is None else str(taking.approves),
    }
    return Chosen(definition, step, json.dumps(view))


def _next_step(view: Mapping[str, Any], instance: Id | None) -> NextStep:
    told = view["approve"]
    approve = None
    if told is not None:
        approve = Approvable(Id.from_hex(told["subject"]), told["code"], told["expected"], told["got"])
    return NextStep(view["step"], instance, view["code"], view["expected"], view["got"], approve)
