"""``workflow``: definitions checked, drawn and played through, before they come into a realm (spec workflow.6)."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ama2sec.cli.inputs import JSON, must_not_exist, write_output
from ama2sec.cli.instances import draw_instance
from ama2sec.cli.show import emit, line, row
from ama2sec.cli.simulating import simulate
from ama2sec.errors import Ama2Error, FileError, error
from ama2sec.realm.definitions import Definition, Explored, explore
from ama2sec.realm.definitions.picture import definition_to_mermaid, definition_to_svg
from ama2sec.realm.definitions.simulation import shown

__all__ = ["Format", "load_definition", "workflow_app"]

NOT_SOUND = 21

workflow_app = typer.Typer(
    help="Workflow definitions: check them, draw them, play them through.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_WHAT = "A definition as YAML, or the name of an example that comes with the software: order_processing, trading, manufacturing."
File = Annotated[Path, typer.Argument(metavar="FILE", readable=False, help=_WHAT, show_default=False)]
Files = Annotated[list[Path], typer.Argument(metavar="FILE", readable=False, help=_WHAT, show_default=False)]


class Format(StrEnum):
    """How a definition is drawn."""

    SVG = "svg"
    MERMAID = "mermaid"


def load_definition(path: Path) -> Definition:
    """A definition from a file or, where no file has the name, the example of that name."""
    name = os.fspath(path)
    if name in Definition.examples() and not os.path.lexists(path):
        return Definition.shipped(name)
    return Definition.from_yaml(path)


@workflow_app.command("check", short_help="Check definitions, and look for ways that get stuck.")
def check(
    files: Files,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 21 as well where an instance can get stuck.")
    ] = False,
    as_json: JSON = False,
) -> None:
    """Check definitions: their form, whether they are sound, and whether they are of use. The first error of each is shown with its
    line and column. Then every state that an instance can come to is looked at, up to a bound: whether an end can be reached from it.

    Exit status 0: all are sound. 21: one is not, or cannot be read.
    """
    bad = False
    for path in files:
        try:
            definition = load_definition(path)
        except FileError as fault:
            _print_fault(path, fault, as_json=as_json)
            bad = True
            continue
        found = explore(definition.steps, definition.start)
        _print_found(path, definition, found, as_json=as_json)
        bad = bad or (strict and found.stuck is not None)
    if bad:
        raise typer.Exit(NOT_SOUND)


def _print_fault(path: Path, fault: Ama2Error, *, as_json: bool) -> None:
    report = fault.report if isinstance(fault.report, dict) else {"line": None, "column": None, "step": None}
    place = os.fspath(path) if report["line"] is None else f"{path}:{report['line']}:{report['column']}"
    # The place stands in front, where editors look for it.
    got = fault.got.removesuffix(f" at {place}")
    if as_json:
        said = {"ok": False, "file": os.fspath(path), "code": fault.code, "number": fault.number}
        emit(
            {**said, **{key: report[key] for key in ("line", "column", "step")}, "expected": fault.expected, "got": got}
        )
    else:
        line(f"{place}: {fault.code}: expected {fault.expected}, got {got}", style="bold red")


def _print_found(path: Path, definition: Definition, found: Explored, *, as_json: bool) -> None:
    stuck = None
    if found.stuck is not None:
        stuck = [(definition.steps[move.step].name, dict(move.outputs)) for move in found.stuck]
    if as_json:
        emit(
            {
                "ok": True,
                "file": os.fspath(path),
                "workflow": definition.name,
                "definition": str(definition.id),
                "bytes": len(definition.document),
                "steps": [step.name for step in definition.steps],
                "groups": list(definition.groups),
                "states": found.states,
                "complete": found.complete,
                "stuck": None if stuck is None else [{"step": name, "outputs": outputs} for name, outputs in stuck],
            }
        )
        return
    line(f"{path}: sound", style="bold green")
    row("workflow", definition.name)
    row("definition", str(definition.id), f"{len(definition.document):,} bytes")
    row("steps", "\n".join(_wrapped([step.name for step in definition.steps])))
    row("groups", "\n".join(_wrapped(list(definition.groups))))
    states = f"{found.states:,} states" if found.complete else f"the first {found.states:,} states"
    if stuck is None:
        rest = "from each an end can be reached" if found.complete else "none of them is a dead end"
        row("looked at", states, f"{rest}; deadlines aside, and if whoever is asked approves")
        return
    row("looked at", states)
    row(
        "CAN GET STUCK",
        "\n".join(f"after {name}{_signed(outputs)}" for name, outputs in stuck),
        "no end can be reached from there",
    )


def _signed(outputs: dict[str, bool | int | str]) -> str:
    return f" ({', '.join(f'{name} {shown(value)}' for name, value in outputs.items())})" if outputs else ""


def _wrapped(names: list[str]) -> list[str]:
    lines = [""]
    for name in names:
        if lines[-1] and len(lines[-1]) + len(name) > 60:
            lines.append("")
        lines[-1] += f", {name}" if lines[-1] else name
    return [f"{text}," for text in lines[:-1]] + lines[-1:]


@workflow_app.command("draw", short_help="Draw a definition, or how an instance stands.")
def draw(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", readable=False, help=_WHAT, show_default=False)] = None,
    realm: Annotated[
        Path | None,
        typer.Option("--realm", metavar="REALM", readable=False, help="Draw an instance: the file of its realm."),
    ] = None,
    conversation: Annotated[
        str | None, typer.Option(metavar="ID", help="With --realm: the conversation, or its first digits.")
    ] = None,
    instance: Annotated[
        str | None, typer.Option(metavar="ID", help="With --realm: which instance, where the conversation has several.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", readable=False, help="A new file; else standard output."),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to draw it.")] = Format.SVG,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="The same as --format mermaid.")] = False,
) -> None:
    """Draw a definition: the start on top, every step below what it needs; choices, approvals, deadlines, the point of no return and the
    ends are marked. With --realm and --conversation an instance of it: the realm is judged, and each step shown as done (by whom),
    open to somebody now, or refused with its code.
    """
    as_mermaid = mermaid or form is Format.MERMAID
    if (file is None) == (realm is None):
        raise error("ArgumentRange", "a FILE, or --realm", "both or neither")
    if (realm is None) != (conversation is None) or (realm is None and instance is not None):
        raise error("ArgumentRange", "--realm with --conversation, and --instance with both", "one without the other")
    if realm is not None and as_mermaid:
        raise error("ArgumentRange", "SVG, of an instance", "mermaid")
    if out is not None:
        must_not_exist(out)
    if realm is not None and conversation is not None:
        drawn = draw_instance(realm, conversation, instance)
    elif file is not None:
        drawn = (definition_to_mermaid if as_mermaid else definition_to_svg)(load_definition(file))
    write_output(out, drawn.encode())


workflow_app.command("simulate", short_help="Play an instance through.")(simulate)
