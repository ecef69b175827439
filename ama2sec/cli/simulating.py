"""``workflow simulate``: an instance played through by hand, before anybody depends on it (spec workflow.3)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ama2sec import Ama2Error
from ama2sec.cli.inputs import JSON, must_not_exist, write_output
from ama2sec.cli.show import emit, flush, line, plain, row, tell
from ama2sec.errors import error
from ama2sec.realm.definitions import Definition
from ama2sec.realm.definitions.form import milliseconds
from ama2sec.realm.definitions.model import Step
from ama2sec.realm.definitions.picture import definition_to_svg
from ama2sec.realm.definitions.simulation import Refusal, Simulation, read_output, shown

__all__ = ["simulate"]

REFUSED: Final = 17
_LINE: Final = 4096
_GRAMMAR: Final = "STEP [by WHO] [NAME=VALUE ...], approve STEP [by WHO], after 36h, or quit"

_FILE = typer.Argument(
    metavar="FILE", readable=False, help="A definition as YAML, or the name of an example.", show_default=False
)


def simulate(
    file: Annotated[Path, _FILE],
    steps: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="What is done, with commas between; else lines of standard input."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--draw", metavar="FILE", readable=False, help="Draw how it ended: a new SVG file.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Play an instance through: each line takes a step, and shows what may be taken next or the code that the step gets.

    A line is STEP [by WHO] and NAME=VALUE for each of its outputs; approve STEP [by WHO]; or after 36h, which lets time pass. WHO is a group, a person, or PERSON@GROUP; without it somebody who may. Exit status 0, or 17 where a step was refused; on a
    terminal 0.
    """
    from ama2sec.cli.workflows import load_definition

    if picture is not None:
        must_not_exist(picture)
    play = _Play(load_definition(file), as_json=as_json)
    asking = steps is None and sys.stdin is not None and sys.stdin.isatty()
    if not as_json:
        line(f"workflow {play.definition.name}", style="bold")
        play.show_next()
    for text in steps.split(",") if steps is not None else _lines(asking=asking):
        words = text.split()
        if words == ["quit"] and not play.has_step("quit"):
            break
        if words:
            play.act(words, forgiving=asking)
    if picture is not None:
        write_output(picture, play.drawn().encode())
    if play.refused and not asking:
        raise typer.Exit(REFUSED)


def _lines(*, asking: bool) -> Iterator[str]:
    if sys.stdin is None:
        return
    if asking:
        tell(f"One line each: {_GRAMMAR}.")
    while True:
        if asking:
            sys.stderr.write("> ")
            sys.stderr.flush()
        flush()
        text = sys.stdin.readline(_LINE)
        if not text:
            return
        yield text


@dataclass(frozen=True, slots=True)
class _Act:
    """One line, read."""

    kind: str
    step: Step
    who: str | None
    group: str | None
    outputs: dict[str, Any]


class _Play:
    """A simulation, and what is printed of it."""

    def __init__(self, definition: Definition, *, as_json: bool) -> None:
        self.definition = definition
        self.refused = False
        self._run = Simulation(definition)
        self._json = as_json

    def has_step(self, name: str) -> bool:
        """Whether a step has this name: it goes before a word of the grammar."""
        return any(step.name == name for step in self.definition.steps)

    def act(self, words: list[str], *, forgiving: bool) -> None:
        """Do what a line says. Raises ``ArgumentRange``, ``StepUnknown``; to a person at a terminal they are told."""
        try:
            if words[0] == "after" and not self.has_step("after"):
                self._run.now_ms += milliseconds(words[1] if len(words) == 2 else "")
                self._told_time()
                return
            act = self._read(words)
        except Ama2Error as fault:
            if not forgiving:
                raise
            tell(str(fault), style="red")
            return
        who = act.who if act.who is not None else self._somebody(act)
        if act.kind == "approve":
            found = self._run.approve(act.step.name, who, act.group)
        else:
            found = self._run.take(act.step.name, who, act.group, act.outputs)
        self.refused = self.refused or found is not None
        self._tell(act, who, found)

    def _read(self, words: list[str]) -> _Act:
        kind, rest = "take", words
        # A step may be called approve as well: it is meant where no step follows.
        if words[0] == "approve" and not (self.has_step("approve") and not any(map(self.has_step, words[1:2]))):
            kind, rest = "approve", words[1:]
        if not rest:
            raise error("ArgumentRange", _GRAMMAR, "approve and no step")
        try:
            step = self.definition.step(rest[0])
        except Ama2Error as fault:
            # Whoever types it is no peer.
            raise error("ArgumentRange", fault.expected, fault.got) from None
        rest = rest[1:]
        who = group = None
        if rest[:1] == ["by"]:
            if len(rest) < 2:
                raise error("ArgumentRange", _GRAMMAR, "by and nobody")
            who, group = self._person(rest[1])
            rest = rest[2:]
        if kind == "approve" and rest:
            raise error("ArgumentRange", _GRAMMAR, repr(rest[0])[:64])
        return _Act(kind, step, who, group, dict(read_output(step, text) for text in rest))

    def _person(self, text: str) -> tuple[str | None, str | None]:
        """A group, a person of one that may, or both."""
        person, at, group = text.partition("@")
        if at:
            return person or None, group
        return (None, text) if text in self.definition.groups else (text, None)

    def _somebody(self, act: _Act) -> str:
        """Somebody of the group; for an approval somebody who has given none yet, and did not take what is approved."""
        if act.kind == "take":
            return f"somebody of {act.group or act.step.by[0]}"
        group = act.group or (act.step.approvals.by[0] if act.step.approvals is not None else "nobody")
        given = len(self._run.approvers(act.step.name))
        return f"approver {given + 1} of {group}"

    # -- what is shown ---------------------------------------------------------------------------------------------

    def _open(self) -> list[str]:
        return [name for name, found in self._run.verdicts().items() if found is None]

    def _waiting(self) -> list[Step]:
        """Steps that wait for approvals and for nothing else."""
        found = self._run.verdicts().items()
        return [self.definition.step(name) for name, why in found if why is not None and why.code == "ApprovalsMissing"]

    def _tell(self, act: _Act, who: str, found: Refusal | None) -> None:
        if self._json:
            said: dict[str, Any] = {
                "ok": found is None,
                "act": act.kind,
                "step": act.step.name,
                "who": who,
                "outputs": act.outputs,
            }
            said |= {
                "code": None if found is None else found.code,
                "expected": None if found is None else found.expected,
            }
            emit({**said, "next": self._open(), "ended": self._run.ended})
            return
        signed = "".join(f", {name} {shown(value)}" for name, value in act.outputs.items())
        done = "approved" if act.kind == "approve" else "taken"
        if found is None:
            line(f"{act.step.name}: {done} by {who}{signed}", style="green")
        else:
            line(f"{act.step.name}: REFUSED {found.code}, expected {found.expected}", style="bold red")
        self.show_next()

    def _told_time(self) -> None:
        if self._json:
            emit(
                {"ok": True, "act": "after", "now_ms": self._run.now_ms, "next": self._open(), "ended": self._run.ended}
            )
        else:
            line(f"now: {self._run.now_ms:,} ms after the start")
            self.show_next()

    def show_next(self) -> None:
        """What may be done now."""
        if self._run.ended:
            row("  next", "nothing: it has ended")
            return
        steps = [self.definition.step(name) for name in self._open()]
        said = [f"{step.name} ({', '.join(step.by)})" for step in steps]
        for step in self._waiting():
            assert step.approvals is not None  # noqa: S101  (it lacks some)
            given = len(self._run.approvers(step.name))
            said.append(f"approve {step.name} ({', '.join(step.approvals.by)}): {given} of {step.approvals.count}")
        row("  next", "\n".join(plain(text) for text in said) or "NOTHING: it is stuck")

    def drawn(self) -> str:
        """How it stands, as a picture."""
        states, notes = {}, {}
        taken = {one.step for one in self._run.taken}
        for name, found in self._run.verdicts().items():
            states[name] = "enabled" if found is None else "done" if name in taken else "refused"
            if found is not None and name not in taken:
                notes[name] = found.code
        return definition_to_svg(self.definition, states, notes)
