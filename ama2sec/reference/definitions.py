"""Workflow definitions (spec workflow.1): the document, read strictly, and what makes it sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

from ama2sec.errors import Ama2Error
from ama2sec.limits import (
    MAX_APPROVALS,
    MAX_CONDITIONS,
    MAX_DEFINITION,
    MAX_NEEDS,
    MAX_OUTPUT_TEXT,
    MAX_OUTPUTS,
    MAX_ROLLBACKS,
    MAX_SCHEMA,
    MAX_STEP_GROUPS,
    MAX_VISITS,
    MAX_WORKFLOW_STEPS,
    TIME_END,
)
from ama2sec.reference import hashes
from ama2sec.reference.claims import Output
from ama2sec.reference.codec import Value, decode, encode
from ama2sec.reference.forms import kind_of, read_array, read_list, read_name, read_uint, refuse

ALL, ANY = 0, 1
EQUAL, AT_MOST, AT_LEAST = range(3)
_TYPES: Final[tuple[type, ...]] = (bool, int, str)
"""Of outputs, in the order of their numbers."""
_INDEX_END: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class When:
    """A condition over an output of the last transition of a step."""

    step: int
    output: str
    relation: int
    value: Output

    def holds(self, outputs: dict[str, Output]) -> bool:
        """Whether the output is there, is of the value's type, and stands in the relation to it."""
        found = outputs.get(self.output)
        if type(found) is not type(self.value):
            return False
        if isinstance(found, int) and isinstance(self.value, int) and self.relation != EQUAL:
            return found <= self.value if self.relation == AT_MOST else found >= self.value
        return found == self.value


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """How many principals have to approve the last transition of the step ``of``, and in which groups they are."""

    of: int
    count: int
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkflowStep:
    """One step. Indexes are those of the definition's steps."""

    name: str
    by: tuple[str, ...]
    mode: int
    needs: tuple[int, ...]
    choice: int | None
    when: tuple[When, ...]
    approvals: ApprovalRule | None
    deadline: int | None
    visits: int
    terminal: bool
    pivot: bool
    outputs: dict[str, int]
    payload: str | None
    undo: int | None

    @property
    def all_needs(self) -> tuple[int, ...]:
        """The steps that it needs with mode 0."""
        return self.needs if self.mode == ALL else ()


@dataclass(frozen=True, slots=True)
class Workflow:
    """A definition that is sound. ``id`` is that of its document."""

    id: bytes
    document: bytes
    name: str
    start: int
    rollback_by: tuple[str, ...]
    rollback_cap: int
    steps: tuple[WorkflowStep, ...]

    def index_of(self, name: str) -> int | None:
        """Where a step stands, if there is one of this name."""
        return next((index for index, step in enumerate(self.steps) if step.name == name), None)

    def grounds(self, index: int) -> set[int]:
        """The steps that a step needs with mode 0, and their grounds (1.3 d)."""
        found: set[int] = set()
        todo = list(self.steps[index].all_needs)
        while todo:
            at = todo.pop()
            if at not in found:
                found.add(at)
                todo += self.steps[at].all_needs
        return found


def compile_definition(document: bytes) -> Workflow:
    """The definition that a document is: of the form of 1.1, and sound; else ``DefinitionInvalid``."""
    if len(document) > MAX_DEFINITION:
        _invalid(f"a document of at most {MAX_DEFINITION} bytes", str(len(document)))
    try:
        value = decode(document)
        found = _workflow(value, document)
    except Ama2Error as fault:
        _invalid(fault.expected or fault.code, fault.got or "")
    if encode(value) != document:
        _invalid("the one encoding of the document", "another")
    _check_sound(found)
    return found


def _invalid(expected: str, got: str) -> NoReturn:
    refuse("DefinitionInvalid", expected, got)


# -- the form: 1.1 -------------------------------------------------------------------------------------------------


def _workflow(value: Value, document: bytes) -> Workflow:
    version, name, start, rollback, steps = read_array(value, "a definition", 5)
    if version is True or version != 1:
        _invalid("version 1", kind_of(version))
    by, cap = read_array(rollback, "a rollback", 2)
    return Workflow(
        id=hashes.definition_id(document),
        document=document,
        name=read_name(name, "a definition's name"),
        start=_index(start),
        rollback_by=_groups(by, least=0),
        rollback_cap=read_uint(cap, "a cap", MAX_ROLLBACKS + 1),
        steps=tuple(map(_step, _items(steps, "steps", 1, MAX_WORKFLOW_STEPS))),
    )


def _step(value: Value) -> WorkflowStep:
    parts = read_array(value, "a step", 13)
    name, by, needs, choice, when, approvals, deadline, visits, terminal, pivot, outputs, payload, undo = parts
    mode, indexes = _needs(needs)
    return WorkflowStep(
        name=read_name(name, "a step's name"),
        by=_groups(by, least=1),
        mode=mode,
        needs=indexes,
        choice=_or_null(choice, _index),
        when=tuple(map(_when, _items(when, "conditions", 0, MAX_CONDITIONS))),
        approvals=None if approvals is None else _approvals(approvals),
        deadline=_or_null(deadline, lambda item: _positive(item, "a deadline", TIME_END)),
        visits=_positive(visits, "visits", MAX_VISITS + 1),
        terminal=_boolean(terminal),
        pivot=_boolean(pivot),
        outputs=_outputs(outputs),
        payload=None if payload is None else _payload(payload),
        undo=_or_null(undo, _index),
    )


def _needs(value: Value) -> tuple[int, tuple[int, ...]]:
    mode, indexes = read_array(value, "needs", 2)
    found = read_uint(mode, "a mode", 2), read_list(indexes, "needs", MAX_NEEDS, _index)
    if found == (ANY, ()):
        _invalid("mode 0 where nothing is needed", "mode 1")
    return found


def _when(value: Value) -> When:
    index, output, relation, operand = read_array(value, "a condition", 4)
    if not isinstance(operand, bool | int | str):
        _invalid("a boolean, an integer or a text", kind_of(operand))
    if isinstance(operand, str) and len(operand.encode()) > MAX_OUTPUT_TEXT:
        _invalid(f"a text of at most {MAX_OUTPUT_TEXT} bytes", str(len(operand.encode())))
    return When(_index(index), read_name(output, "an output"), read_uint(relation, "a relation", 3), operand)


def _approvals(value: Value) -> ApprovalRule:
    of, count, by = read_array(value, "approvals", 3)
    return ApprovalRule(_index(of), _positive(count, "a count", MAX_APPROVALS + 1), _groups(by, least=1))


def _outputs(value: Value) -> dict[str, int]:
    if not isinstance(value, dict) or len(value) > MAX_OUTPUTS:
        _invalid(f"a map of at most {MAX_OUTPUTS}", kind_of(value))
    return {read_name(name, "an output"): read_uint(kind, "a type", len(_TYPES)) for name, kind in value.items()}


def _payload(value: Value) -> str:
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= MAX_SCHEMA:
        _invalid(f"a text of 1 to {MAX_SCHEMA} bytes", kind_of(value))
    return value


def _groups(value: Value, *, least: int) -> tuple[str, ...]:
    found = read_list(value, "groups", MAX_STEP_GROUPS, lambda item: read_name(item, "a group"))
    if len(found) < least:
        _invalid(f"at least {least} groups", str(len(found)))
    return found


def _items(value: Value, what: str, least: int, most: int) -> list[Value]:
    if not isinstance(value, list) or not least <= len(value) <= most:
        _invalid(f"{what}: a list of {least} to {most}", kind_of(value))
    return value


def _or_null(value: Value, read: Callable[[Value], int]) -> int | None:
    return None if value is None else read(value)


def _index(value: Value) -> int:
    return read_uint(value, "an index", _INDEX_END)


def _positive(value: Value, what: str, end: int) -> int:
    found = read_uint(value, what, end)
    if found == 0:
        _invalid(f"{what} of at least 1", "0")
    return found


def _boolean(value: Value) -> bool:
    if not isinstance(value, bool):
        _invalid("a boolean", kind_of(value))
    return value


# -- soundness: 1.3 ------------------------------------------------------------------------------------------------


def _check_sound(workflow: Workflow) -> None:
    steps = list(enumerate(workflow.steps))
    if len({step.name for _, step in steps}) != len(steps):  # a
        _invalid("distinct names of steps", "one twice")
    if workflow.start >= len(steps):  # b
        _invalid("a start that is a step", str(workflow.start))
    for index, step in steps:
        _check_indexes(index, step, len(steps))
    start = workflow.steps[workflow.start]
    if start.needs or start.choice is not None or start.when or start.approvals is not None:  # c
        _invalid("a start without needs, choice, when and approvals", start.name)
    for index, step in steps:  # d
        if index in workflow.grounds(index):
            _invalid("a step that is not among its own grounds", step.name)
    for _, step in steps:  # e
        of = None if step.approvals is None else step.approvals.of
        if not {step.choice, of} - {None} <= set(step.all_needs):
            _invalid("a choice and an `of` that the step needs with mode 0", step.name)
    for index, step in steps:  # f
        for when in step.when:
            _check_when(workflow, index, when)
    if not any(step.terminal for _, step in steps):  # g
        _invalid("a step that is terminal", "none")


def _check_indexes(index: int, step: WorkflowStep, end: int) -> None:  # b
    of = None if step.approvals is None else step.approvals.of
    others = {*step.needs, step.choice, of, step.undo} - {None}
    if index in others:
        _invalid("a step that does not name itself", step.name)
    if any(at is not None and at >= end for at in {*others, *(when.step for when in step.when)}):
        _invalid(f"indexes below {end}", step.name)


def _check_when(workflow: Workflow, index: int, when: When) -> None:  # f
    name = workflow.steps[index].name
    if when.step not in workflow.grounds(index):
        _invalid("a condition over one of the step's grounds", name)
    declared = workflow.steps[when.step].outputs.get(when.output)
    if declared is None or type(when.value) is not _TYPES[declared]:
        _invalid("an output that is declared, and a value of its type", f"{name}: {when.output}")
    if when.relation != EQUAL and type(when.value) is not int:
        _invalid("an integer where something is at most or at least", f"{name}: {when.output}")
