"""The command line: ``ama2sec keygen | id | directory | sign | verify | inspect | tree | replay | dag | head | errors``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from ama2sec.errors import Ama2Error, error

__all__ = ["Stopped", "guarded", "main"]


class Stopped(BaseException):
    """A signal ends the process after it has cleaned up: what is half-written is taken away first.

    Not ``KeyboardInterrupt``, which the library of the command line answers by itself, without a word.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(number)
        self.number = number


def main() -> NoReturn:
    """Run the command line and leave the process with the status that docs/cli.md lists. Never shows a traceback."""
    _prepare()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit status (errors.1)."""

    def command() -> int:
        from ama2sec.cli.app import invoke

        return invoke(arguments)

    return guarded(command, as_json="--json" in arguments)


def guarded(command: Callable[[], int], *, as_json: bool = False) -> int:
    """Run ``command`` and return its exit status; what it raises is reported, and becomes the status that docs/cli.md lists."""
    try:
        status = command()
        _flush()
    except Ama2Error as fault:
        return _report(fault, as_json, fault.exit_code)
    except (Stopped, KeyboardInterrupt) as stop:
        number = stop.number if isinstance(stop, Stopped) else signal.SIGINT
        told = "an interrupt; what was finished before it stays, and nothing is half-written"
        return _report(error("Cancelled", "to finish", told), as_json, 128 + number)
    except BrokenPipeError:
        _silence()
        return _report(error("PipeClosed", "a reader of the output", "none"), as_json, 21)
    except Exception as fault:  # noqa: BLE001  a fault of ours must not show a traceback, which may hold secrets
        ours = error("Internal", "the command to finish", f"{type(fault).__name__}; please report it")
        return _report(ours, as_json, ours.exit_code)
    return status


def _flush() -> None:
    from ama2sec.cli.show import flush

    flush()


def _silence() -> None:
    from ama2sec.cli.show import silence

    silence()


def _report(fault: Ama2Error, as_json: bool, status: int) -> int:
    from ama2sec.cli.show import emit, fault_view, flush, tell

    if as_json:
        try:
            emit(fault_view(fault))
            flush()
        except Ama2Error:
            # Standard output itself is at fault: it is said where it can be.
            pass
        else:
            return status
    tell(str(fault), style="red")
    return status


def _prepare() -> None:
    """Make the process safe to work in: no file of ours on a standard descriptor, no text that cannot be printed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # Closed by the caller: the next file to be opened, a key perhaps, would get this number.
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _stop)


def _stop(number: int, _: FrameType | None) -> NoReturn:
    raise Stopped(number)
