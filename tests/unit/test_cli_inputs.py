"""Files, standard input and arguments, as the commands take them."""

from __future__ import annotations

import io
import os
import threading
import time
from pathlib import Path

import pytest

from ama2sec import Ama2Error
from ama2sec.cli import inputs, streams
from ama2sec.errors import error
from tests.shell import start


def given(data: bytes) -> inputs.Input:
    return inputs.Input(io.BytesIO(data), "given")  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [0, 1, 2, 15, 16, 17, 100_000])
def test_what_was_looked_at_is_read_again(length: int) -> None:
    data = bytes(range(33, 123)) * (length // 90 + 1)
    source = given(data[:length])
    assert data.startswith(source.first)
    assert inputs.read_whole(source, 1 << 20) == data[:length]
    assert source.done == length


def test_a_limit_is_a_limit() -> None:
    assert inputs.read_whole(given(bytes(10)), 10) == bytes(10)
    with pytest.raises(Ama2Error, match="SizeLimit"):
        inputs.read_whole(given(bytes(11)), 10)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x83\x00\x72", "conversation"),
        (b"\x83\x01", "sequence"),
        (b"\x83", "sequence"),
        (b"{}", "lines"),
        (b"   \r\n\t{}", "lines"),
        (b" " * 16 + b"{}", ""),
        (b"\xd2\x84", ""),
        (b"", ""),
        (b"[]", ""),
    ],
)
def test_the_first_bytes_say_what_it_is(data: bytes, kind: str) -> None:
    first = given(data).first
    found = {
        "conversation": streams.is_conversation(first),
        "sequence": streams.is_sequence(first),
        "lines": streams.is_lines(first),
    }
    assert [name for name, holds in found.items() if holds] == ([kind] if kind else [])


def test_a_pipe_that_has_nothing_yet_is_not_at_its_end(here: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    running = start("sign", "-k", "alice.key", "-o", "letter.ama", stdin=reading)

    def feed() -> None:
        for part in (b"first", b" and second"):
            time.sleep(0.5)
            os.write(writing, part)
        os.close(writing)

    feeder = threading.Thread(target=feed)
    feeder.start()
    out, err = running.communicate()
    feeder.join()
    os.close(reading)
    assert (running.returncode, err) == (0, b""), out
    assert (here / "letter.ama").read_bytes().endswith(b"first and second")


def test_a_fault_in_what_was_typed_is_the_callers() -> None:
    with pytest.raises(Ama2Error) as caught, inputs.argument("--head"):
        raise error("HeadForm", "a head", "another text")
    assert (caught.value.code, caught.value.blame, caught.value.expected) == (
        "ArgumentRange",
        "caller",
        "--head: a head",
    )
    with pytest.raises(Ama2Error, match="FileUnreadable"), inputs.argument("--head"):
        raise error("FileUnreadable", "a file", "none")


def test_what_is_before_a_wait_is_brought_out() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"{one}\n{two}\n")
    with open(reading, "rb", buffering=0) as file:
        source = inputs.Input(file, "pipe")
        waits: list[int] = []
        source.before_waiting = lambda: (waits.append(source.done), os.close(writing) if len(waits) == 1 else None)[0]
        assert list(streams.lines(source)) == [b"{one}\n", b"{two}\n"]
    assert waits[0] == len(b"{one}\n{two}\n")
