"""The command line: ``ama2sec keygen | id | directory | sign | verify | inspect | errors``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from ama2sec.errors import Ama2Error, error

__all__ = ["guarded", "main"]

INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command line and leave the process with the status that docs/cli.md lists. Never shows a traceback."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit status."""

    def command() -> int:
        from ama2sec.cli.app import invoke

        return invoke(arguments)

    return guarded(command, as_json="--json" in arguments)


def guarded(command: Callable[[], int], *, as_json: bool = False) -> int:
    """Run ``command`` and return its exit status; what it raises is reported, and becomes the status that docs/cli.md lists."""
    try:
        status = command()
        sys.stdout.flush()
    except Ama2Error as fault:
        status = _report(fault, as_json)
    except BrokenPipeError:
        # Whoever read the output has gone. Point it at nothing, so that the interpreter's last flush says nothing either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = error("PipeClosed", "a reader of the output", "none").exit_code
    except KeyboardInterrupt:
        print("interrupted; nothing was half-written", file=sys.stderr)
        status = INTERRUPTED
    except Exception as fault:  # noqa: BLE001  a fault of ours must not show a traceback, which may hold secrets
        status = _report(
            error("Internal", "the command to finish", f"a {type(fault).__name__}; please report it"), as_json
        )
    return status


def _report(fault: Ama2Error, as_json: bool) -> int:
    from ama2sec.cli.show import plain

    if as_json:
        print(json.dumps(fault_view(fault)))
    else:
        print(plain(str(fault)), file=sys.stderr)
    return fault.exit_code


def fault_view(fault: Ama2Error) -> dict[str, object]:
    """An error as the JSON that ``--json`` prints."""
    view: dict[str, object] = {
        "ok": False,
        "code": fault.code,
        "number": fault.number,
        "blame": fault.blame,
        "clause": fault.clause,
        "expected": fault.expected,
        "got": fault.got,
    }
    if fault.offset is not None:
        view["offset"] = fault.offset
    if fault.report is not None:
        view["report"] = fault.report
    return view
