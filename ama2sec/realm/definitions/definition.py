"""A workflow's definition: made by YAML, by the builder, or read back from its bytes (spec workflow.1, workflow.6)."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ama2sec import _files
from ama2sec._native import Id, check_definition
from ama2sec.errors import Ama2Error, error
from ama2sec.realm.definitions.document import decode, encode_definition
from ama2sec.realm.definitions.form import Parts, read_form
from ama2sec.realm.definitions.model import RELATIONS, AnyOf, Approvals, Condition, Rollback, Step, Unfit
from ama2sec.realm.definitions.reading import MAX_TEXT, Places, read_yaml
from ama2sec.realm.definitions.soundness import check_sound
from ama2sec.realm.definitions.usefulness import check_groups, check_useful

__all__ = ["Definition"]

_SHIPPED: Final = Path(_files.__file__).parent / "workflows"


@dataclass(frozen=True, eq=False, repr=False)
class Definition:
    """A sound definition. Two are equal if they are the same bytes; ``id`` stands in every message that takes a step.

    ``Definition.build``, ``from_yaml`` and ``shipped`` refuse what is of no use as well (workflow.6.2); ``from_document`` reads what a
    realm has admitted, and asks only for soundness.
    """

    name: str
    start: str
    steps: tuple[Step, ...]
    rollback: Rollback
    document: bytes
    """The canonical bytes (workflow.1.1): what is registered."""
    id: Id
    _source: _Source = field(default_factory=lambda: _Source(None, None))

    @classmethod
    def build(
        cls, name: str, *, steps: Sequence[Step], start: str | None = None, rollback: Rollback | None = None
    ) -> Definition:
        """A definition out of steps; the first is the start, unless said. Raises ``DefinitionForm``, which names the step."""
        source = _Source(None, None)
        with source:
            raw: dict[str, Any] = {"workflow": name, "start": start, "steps": _listed(steps)}
            if rollback is not None:
                raw["rollback"] = {"by": rollback.by, "at_most": rollback.at_most}
            return cls._made(read_form(raw), source)

    @classmethod
    def from_yaml(cls, source: str | bytes | os.PathLike[str]) -> Definition:
        """A definition as people write it (workflow.6): text, or the path of a file.

        Raises ``DefinitionForm``, with line and column in its text and, for programs, in its ``report``; ``FileUnreadable``.
        """
        if not isinstance(source, os.PathLike):
            return cls._from_text(source, None)
        with _files.reading(source) as descriptor:
            data = _files.read_bounded(descriptor, MAX_TEXT)
        return cls._from_text(data, os.fspath(source))

    @classmethod
    def _from_text(cls, text: str | bytes, file: str | None) -> Definition:
        source = _Source(Places(), file)
        with source:
            assert source.places is not None  # noqa: S101  (it was given above)
            return cls._made(read_form(read_yaml(text, source.places)), source)

    @classmethod
    def from_document(cls, document: bytes) -> Definition:
        """A definition out of its canonical bytes. Raises ``DefinitionInvalid`` (workflow.1.4), ``NotBytes``."""
        if type(document) is not bytes:
            raise error("NotBytes", "bytes", type(document).__name__)
        try:
            parts = read_form(decode(document), schemas=False)
            check_sound(parts)
            if encode_definition(parts.name, parts.start, parts.rollback, parts.steps) != document:
                raise Unfit((), "lists in ascending order", "another order")
        except Unfit as fault:
            place = _words(fault.path)
            raise error(
                "DefinitionInvalid", fault.expected, f"{fault.got} in {place}" if place else fault.got
            ) from None
        return cls(*_of(parts), document, check_definition(document).id)

    @classmethod
    def shipped(cls, name: str) -> Definition:
        """One of the examples that come with this package: ``order_processing``, ``trading``, ``manufacturing``. Raises ``NameUnknown``."""
        known = cls.examples()
        if name not in known:
            raise error("NameUnknown", f"one of {', '.join(known)}", repr(name[:64]))
        return cls.from_yaml(_SHIPPED / f"{name}.yaml")

    @staticmethod
    def examples() -> tuple[str, ...]:
        """The names of those that come with this package."""
        return tuple(sorted(path.stem for path in _SHIPPED.glob("*.yaml")))

    @classmethod
    def _made(cls, parts: Parts, source: _Source) -> Definition:
        check_sound(parts)
        check_useful(parts)
        document = encode_definition(parts.name, parts.start, parts.rollback, parts.steps)
        return cls(*_of(parts), document, check_definition(document).id, source)

    def step(self, name: str) -> Step:
        """One step by its name. Raises ``StepUnknown`` (workflow.3, 34)."""
        found = next((step for step in self.steps if step.name == name), None)
        if found is None:
            raise error(
                "StepUnknown", f"one of the steps {', '.join(step.name for step in self.steps)}", repr(name)[:64]
            )
        return found

    @property
    def groups(self) -> tuple[str, ...]:
        """Every group that it names, sorted."""
        asked = [step.approvals.by for step in self.steps if step.approvals is not None]
        return tuple(sorted({name for by in (self.rollback.by, *(s.by for s in self.steps), *asked) for name in by}))

    def check_groups(self, members: Mapping[str, Collection[object]]) -> None:
        """With the groups of a realm at hand: each that is named has a member, and there are enough to approve (workflow.6.2).

        ``members``: of each group its live principals. Raises ``DefinitionForm``.
        """
        with self._source:
            check_groups(Parts(self.name, self.start, self.rollback, self.steps), members)

    def __eq__(self, other: object) -> bool:
        return self.document == other.document if isinstance(other, Definition) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.document)

    def __repr__(self) -> str:
        return f"Definition({self.name!r}, {len(self.steps)} steps, {self.id.short})"


def _of(parts: Parts) -> tuple[str, str, tuple[Step, ...], Rollback]:
    return parts.name, parts.start, parts.steps, parts.rollback


def _listed(steps: Sequence[Step]) -> list[tuple[Any, dict[str, Any]]]:
    """The builder's steps in the form of YAML: one reader judges both."""
    if not isinstance(steps, (list, tuple)):
        raise Unfit(("steps",), "a list of Step", type(steps).__name__)
    for number, step in enumerate(steps):
        if not isinstance(step, Step):
            raise Unfit(("steps", number), "a Step", type(step).__name__)
    return [(step.name, _fields(step)) for step in steps]


def _fields(step: Step) -> dict[str, Any]:
    asked = step.approvals
    when = [_condition(one) for one in step.when] if isinstance(step.when, (list, tuple)) else step.when
    return {
        "by": step.by,
        "needs": {"any": list(step.needs.steps)} if isinstance(step.needs, AnyOf) else step.needs,
        "choice": step.choice,
        "when": when,
        "approvals": {"of": asked.of, "count": asked.count, "by": asked.by} if isinstance(asked, Approvals) else asked,
        "deadline": step.deadline,
        "visits": step.visits,
        "terminal": step.terminal,
        "pivot": step.pivot,
        "outputs": step.outputs,
        "payload": step.payload,
        "undo": step.undo,
    }


def _condition(one: object) -> object:
    if not isinstance(one, Condition):
        return one
    return {"step": one.step, "output": one.output, **{name: getattr(one, name) for name in RELATIONS}}


def _words(path: tuple[str | int, ...]) -> str:
    """A path for people: ``step 'execute', needs[0]``."""
    parts = [part for part in path if part != ""]
    begin = 0
    said = ""
    if len(parts) > 1 and parts[0] == "steps":
        said, begin = f"step {parts[1]!r}", 2
    inner = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts[begin:]).lstrip(".")
    return f"{said}, {inner}" if said and inner else said or inner


class _Source:
    """Where a definition came from. As a context it says, of what is unfit, the place in it."""

    def __init__(self, places: Places | None, file: str | None) -> None:
        self.places, self.file = places, file

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, fault: BaseException | None, __: object) -> None:
        if isinstance(fault, Unfit):
            raise self._error(fault) from None

    def _error(self, fault: Unfit) -> Ama2Error:
        step = fault.path[1] if len(fault.path) > 1 and fault.path[0] == "steps" else None
        if self.places is None:
            words = _words(fault.path)
            found = error("DefinitionForm", fault.expected, f"{fault.got} in {words}" if words else fault.got)
            found.report = {"file": None, "line": None, "column": None, "step": step}
            return found
        line, column = fault.place or self.places.of(fault.path)
        place = f"line {line}, column {column}" if self.file is None else f"{self.file}:{line}:{column}"
        found = error("DefinitionForm", fault.expected, f"{fault.got} at {place}")
        found.report = {"file": self.file, "line": line, "column": column, "step": step}
        return found
