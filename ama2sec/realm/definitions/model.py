"""What a definition says: the steps of a workflow as a person, or the builder, writes them (spec workflow.1, workflow.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeAlias

__all__ = ["AnyOf", "Approvals", "Condition", "Output", "Rollback", "Step", "Unfit"]

Output: TypeAlias = "bool | int | str"
"""What a step signs for later steps to decide on."""

TYPES: Final = ("boolean", "integer", "text")
"""Of an output, in the order of their numbers in the document."""
RELATIONS: Final = ("equals", "at_most", "at_least")


class Unfit(Exception):
    """A definition that is none, at ``path``: from it, whoever asked says the line and column, or the step.

    A path that ends in ``""`` is of a key, not of its value. ``place`` is the line and column where there is no path yet. Never leaves
    this package.
    """

    def __init__(
        self, path: tuple[str | int, ...], expected: str, got: str, place: tuple[int, int] | None = None
    ) -> None:
        super().__init__(path, expected, got)
        self.path, self.expected, self.got, self.place = path, expected, got, place


@dataclass(frozen=True)
class AnyOf:
    """Needs of which one is enough: ``needs=AnyOf("paid", "on_account")``."""

    steps: tuple[str, ...]

    def __init__(self, *steps: str) -> None:
        object.__setattr__(self, "steps", steps)


@dataclass(frozen=True, slots=True)
class Approvals:
    """``count`` distinct principals of the groups ``by`` approve the latest transition of the step ``of`` (workflow.4)."""

    of: str
    _: KW_ONLY
    count: int
    by: Sequence[str]


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of an output that an earlier step has signed: exactly one of ``equals``, ``at_most``, ``at_least``."""

    step: str
    output: str
    _: KW_ONLY
    equals: Output | None = None
    at_most: int | None = None
    at_least: int | None = None

    @property
    def relation(self) -> str:
        """Which of the three."""
        return next((name for name in RELATIONS if getattr(self, name) is not None), RELATIONS[0])

    @property
    def value(self) -> Output:
        """What the output is held against."""
        found: Output = getattr(self, self.relation)
        return found

    def holds(self, output: Output | None) -> bool:
        """Whether it does, of this output (None: the step has signed none). An output of another type never holds (workflow.3, 39)."""
        if type(output) is not type(self.value):
            return False
        match self.relation:
            case "at_most":
                return int(output) <= int(self.value)
            case "at_least":
                return int(output) >= int(self.value)
            case _:
                return output == self.value


@dataclass(frozen=True, slots=True)
class Rollback:
    """Which groups may roll an instance back, and how often at most. Nobody, unless said."""

    by: Sequence[str] = ()
    at_most: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One step. In a ``Definition`` lists are tuples in canonical order, ``deadline`` is ms and ``payload`` is JSON text."""

    name: str
    by: Sequence[str]
    """The groups that may take it."""
    _: KW_ONLY
    needs: Sequence[str] | AnyOf = ()
    choice: str | None = None
    """A needed step after which only one of those that name it may be taken."""
    when: Sequence[Condition] = ()
    approvals: Approvals | None = None
    deadline: int | str | timedelta | None = None
    """How long after the instance's start it may be taken: ms, ``"36h"`` or a time span."""
    visits: int = 1
    terminal: bool = False
    """It ends the instance."""
    pivot: bool = False
    """The point of no return: no rollback goes behind it."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """What it signs: names and types, ``boolean``, ``integer`` or ``text``."""
    payload: Mapping[str, Any] | bool | str | None = None
    """The JSON Schema (draft 2020-12) of its body."""
    undo: str | None = None
    """The step that compensates it."""

    @property
    def needed(self) -> tuple[str, ...]:
        """The steps that it needs, all or any of them."""
        return self.needs.steps if isinstance(self.needs, AnyOf) else tuple(self.needs)

    @property
    def needs_any(self) -> bool:
        """Whether one of them is enough."""
        return isinstance(self.needs, AnyOf)
