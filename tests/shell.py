"""The command line for tests: inside this process, in a process of its own, or on a terminal of its own."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from ama2sec.cli import run
from ama2sec.cli.show import console

REPOSITORY = Path(__file__).parents[1]
PROGRAM = [sys.executable, "-c", "from ama2sec.cli import main; main()"]


@dataclass(frozen=True)
class Done:
    """What a command did."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def code(self) -> str:
        """The code of the one error, wherever it was told."""
        return str(self.json["code"]) if self.out.startswith(b'{"ok": false') else self.err.split(":")[0]

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def ama2sec(*arguments: str | Path, stdin: bytes = b"") -> Done:
    """Run one command line in this process, with standard streams of its own."""
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace")
    err = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace")
    given = io.TextIOWrapper(io.BytesIO(stdin), "utf-8")
    console.cache_clear()
    with mock.patch.multiple(sys, stdin=given, stdout=out, stderr=err):
        status = run([str(argument) for argument in arguments])
        out.flush()
        err.flush()
    return Done(status, out.buffer.getvalue(), err.buffer.getvalue().decode())  # type: ignore[attr-defined]


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AMA2SEC_")}
    return kept | {"PYTHONPATH": str(REPOSITORY)} | changes


def process(*arguments: str | Path, stdin: bytes | int = b"", **changes: str) -> Done:
    """Run one command line in a process of its own that has no terminal."""
    given: dict[str, Any] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    done = subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        capture_output=True,
        env=environment(**changes),
        timeout=120,
        check=False,
        start_new_session=True,
        **given,
    )
    return Done(done.returncode, done.stdout, done.stderr.decode())


def start(*arguments: str | Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start one command line with pipes, and leave it running."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | options
    return subprocess.Popen([*PROGRAM, *map(str, arguments)], env=environment(), **pipes)


def terminal(
    *arguments: str | Path, answers: Sequence[tuple[str, bytes]] = (), columns: int = 80, out: Path | None = None
) -> tuple[int, str]:
    """Run one command line on a terminal; each answer is typed when its prompt has been shown.

    Returns the status and all that the terminal showed. ``out`` takes standard output elsewhere.
    """
    child, terminal_end = pty.fork()
    if child == 0:
        try:
            if out is not None:
                os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT, 0o600), 1)
            os.execve(PROGRAM[0], [*PROGRAM, *map(str, arguments)], environment(TERM="xterm", NO_COLOR=""))
        finally:
            os._exit(99)
    fcntl.ioctl(terminal_end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    shown, seen, waiting = b"", 0, list(answers)
    try:
        while True:
            if not select.select([terminal_end], [], [], 60)[0]:
                os.kill(child, signal.SIGKILL)
                raise AssertionError(f"nothing more after {shown!r}")
            try:
                part = os.read(terminal_end, 65536)
            except OSError:
                break
            if not part:
                break
            shown += part
            if waiting and waiting[0][0].encode() in shown[seen:]:
                seen = len(shown)
                # What is typed before the echo is off would be shown, and thrown away.
                _until_echo_is_off(terminal_end, secret="assphrase" in waiting[0][0] or "again" in waiting[0][0])
                os.write(terminal_end, waiting.pop(0)[1])
    finally:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(terminal_end)
    return status, shown.decode().replace("\r\n", "\n")


def _until_echo_is_off(terminal_end: int, *, secret: bool) -> None:
    while secret and termios.tcgetattr(terminal_end)[3] & termios.ECHO:
        select.select([], [], [], 0.01)
