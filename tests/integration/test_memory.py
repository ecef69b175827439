"""Memory does not grow with the length of a file: counted in the peak of a process of its own, never timed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ama2sec import Directory, Identity
from ama2sec.history import write_transcript
from tests.shell import environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc"),
]

SMALL, LARGE = 10_000, 50_000
BODY = b"x" * 600
# What may differ between two runs of one program; the longer files are 40 MB longer.
NOISE_KIB = 8 * 1024

PROGRAM = """
import sys
from ama2sec.cli import run
status = run(sys.argv[1:])
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(status, peak, file=sys.stderr)
"""


def peak(*arguments: str | Path) -> int:
    """The most memory that one command had, in KiB."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        check=True,
    )
    status, kib = done.stderr.splitlines()[-1].split()
    assert status == "0", done.stderr
    return int(kib)


def growth(*commands: tuple[str | Path, ...]) -> int:
    small, large = (peak(*command) for command in commands)
    return large - small


def test_verifying_a_conversation(here: Path, directory: Directory, alice: Identity, bob: Identity) -> None:
    for count in (SMALL, LARGE):
        turns = ((alice if i % 2 else bob, BODY, i) for i in range(count))
        head = write_transcript(f"{count}.ama", alice, turns, directory, lag=lambda position: position % 7)
        assert head.size == count + 1
        assert (here / f"{count}.ama").stat().st_size > count * len(BODY)
    commands = [("verify", f"{count}.ama", "-d", "team.json") for count in (SMALL, LARGE)]
    assert growth(*commands) < NOISE_KIB


def test_streams(here: Path, alice: Identity) -> None:
    entry = alice.sign(BODY).to_bytes()
    for count in (SMALL, LARGE):
        (here / f"{count}.ama").write_bytes(entry * count)
        (here / f"{count}.jsonl").write_bytes((b'{"entry": "' + entry.hex().encode() + b'"}\n') * count)
    for ending in ("ama", "jsonl"):
        commands = [("verify", f"{count}.{ending}", "-d", "team.json") for count in (SMALL, LARGE)]
        assert growth(*commands) < NOISE_KIB, ending
    for at in (0, SMALL - 1):
        commands = [("inspect", f"{count}.ama", "--at", str(at)) for count in (SMALL, LARGE)]
        assert growth(*commands) < NOISE_KIB


def test_signing_a_stream(here: Path) -> None:
    for count in (SMALL, LARGE):
        (here / f"{count}.jsonl").write_bytes((b'{"body": "' + BODY + b'"}\n') * count)
    for more in (("--json",), ("-o", "{}.out")):
        commands = [
            ("sign", "-k", "alice.key", "--jsonl", "-b", f"{count}.jsonl", *(part.format(count) for part in more))
            for count in (SMALL, LARGE)
        ]
        assert growth(*commands) < NOISE_KIB, more
    assert (here / f"{LARGE}.out").stat().st_size > LARGE * len(BODY)
