"""One writer at a time, numbers that are never used twice, acknowledgements that survive (spec agent.4)."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from ama2sec import Id
from ama2sec.errors import Ama2Error
from ama2sec.limits import SEQ_COUNTER_JUMP, TIME_END
from ama2sec.realm.lease import Lease

CHAT, OTHER = Id(b"\1" * 32), Id(b"\2" * 32)


def code(act: object, *args: object) -> str:
    with pytest.raises(Ama2Error) as caught:
        act(*args)  # type: ignore[operator]
    return caught.value.code


def test_numbers_rise_by_one_in_each_conversation(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "a.state", clock=lambda: 1000)
    assert [lease.next(CHAT), lease.next(OTHER), lease.next(CHAT)] == [(1000, 1), (1000, 1), (1000, 2)]
    lease.close()


@pytest.mark.parametrize("clock", [lambda: 1000, lambda: 5])
def test_an_epoch_is_above_every_earlier_one_whatever_the_clock_says(tmp_path: Path, clock: object) -> None:
    path, seen = tmp_path / "a.state", set[tuple[int, int]]()
    Lease(path, clock=lambda: 1000).close()
    for _ in range(5):
        lease = Lease(path, clock=clock)  # type: ignore[arg-type]
        for _ in range(3):
            seen.add(lease.next(CHAT))
        lease.close()
    assert len(seen) == 15
    assert min(seen) == (1001, 1)


def test_a_crash_at_any_moment_reuses_no_number(tmp_path: Path) -> None:
    """What a process that was killed leaves is the file as it is at that moment."""
    path, rng, seen = tmp_path / "a.state", random.Random(6), list[tuple[int, int]]()
    for _ in range(40):
        lease = Lease(path, clock=lambda: 1000)
        for position in range(rng.randrange(4)):
            seen.append(lease.next(CHAT))
            lease.acknowledge(position, 0)
        left = path.read_bytes()
        lease.close()
        path.write_bytes(left[: len(left) - rng.randrange(3)] if left.count(b"\n") > 1 else left)
    assert len(set(seen)) == len(seen) > 40


def test_behind_the_window_of_counters_a_new_epoch_begins(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "a.state", clock=lambda: 1000)
    for _ in range(SEQ_COUNTER_JUMP - 1):
        lease.next(CHAT)
    assert lease.next(CHAT) == (1000, SEQ_COUNTER_JUMP)
    assert lease.next(CHAT) == (1001, 1)
    assert b'"epoch": 1001' in (tmp_path / "a.state").read_bytes()
    lease.close()


def test_a_second_holder_gets_agent_in_use(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    lease = Lease(path)
    assert code(Lease, path) == "AgentInUse"
    lease.close()
    lease.close()
    assert code(lease.next, CHAT) == "AgentInUse"
    assert code(lease.acknowledge, 1, 2) == "AgentInUse"
    Lease(path).close()


def test_a_forked_process_has_no_lease(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "a.state")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            lease.next(CHAT)
        except Ama2Error as fault:
            os.write(writing, fault.code.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"AgentInUse"
    os.close(reading)
    os.close(writing)
    assert lease.next(CHAT)[1] == 1
    lease.close()


def test_in_memory_it_can_be_held_again_under_a_new_epoch() -> None:
    lease = Lease(None, clock=lambda: 1000)
    assert code(lease.reopen) == "AgentInUse"
    first = lease.next(CHAT)
    lease.acknowledge(4, 3)
    lease.close()
    lease.reopen()
    assert lease.next(CHAT) > first
    assert lease.is_acknowledged(4)
    assert not lease.is_acknowledged(3)


def test_acknowledgements_survive_as_a_set_would(tmp_path: Path) -> None:
    path, rng = tmp_path / "a.state", random.Random(7)
    lease, acked = Lease(path, start=0), set[int]()
    for turn in range(300):
        position = rng.randrange(100)
        acked.add(position)
        below = next(place for place in range(200) if place not in acked)
        lease.acknowledge(position, below)
        if turn % 20 == 0:
            lease.close()
            lease = Lease(path)
        assert [lease.is_acknowledged(place) for place in range(110)] == [place in acked for place in range(110)]
    lease.close()


def test_the_journal_is_written_anew_before_it_is_long(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    lease = Lease(path)
    for position in range(200_000):
        lease.acknowledge(position, position + 1)
    assert path.stat().st_size < 2 << 20
    lease.close()
    again = Lease(path)
    assert (again.below, path.stat().st_size < 200) == (200_000, True)
    again.close()


@pytest.mark.parametrize(
    "left",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[]\n",
        b'{"ama2sec-agent":1,"epoch":-1,"below":0,"acked":[]}\n',
        b'{"ama2sec-agent":1,"epoch":1,"below":true,"acked":[]}\n',
        b'{"ama2sec-agent":1,"epoch":1,"below":0,"acked":["x"]}\n',
        b'{"ama2sec-agent":1,"epoch":1,"below":0,"acked":[]}\nnonsense\n',
        b'{"ama2sec-agent":1,"epoch":1,"below":0,"acked":[]}\n1 2 3\n',
        b'{"ama2sec-agent":1,"epoch":1,"below":0,"acked":[]}\n1 -2\n',
        b"\xff\xff\n",
    ],
)
def test_a_damaged_state_is_named_and_left_alone(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "a.state"
    path.write_bytes(left)
    assert code(Lease, path) == "StateForm"
    assert path.read_bytes() == left


def test_a_clock_beyond_all_numbers(tmp_path: Path) -> None:
    with pytest.raises(Ama2Error) as caught:
        Lease(tmp_path / "a.state", clock=lambda: TIME_END)
    assert caught.value.code == "ClockRange"


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "a.state")
    assert (tmp_path / "a.state").stat().st_mode & 0o777 == 0o600
    lease.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no list of what is open")
def test_an_agent_that_acknowledges_nothing_holds_one_descriptor(tmp_path: Path) -> None:
    def held() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = held()
    lease = Lease(tmp_path / "a.state")
    assert held() == before + 1
    for position in range(3):
        lease.acknowledge(position, position + 1)
        assert held() == before + 2
    lease.close()
    assert held() == before
    assert Lease(tmp_path / "a.state").is_acknowledged(2)
