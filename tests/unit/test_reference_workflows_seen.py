"""The reference's workflows (workflow.3, check 40, and what follows): what a sender has seen, digests, replays, halts of instances."""

from __future__ import annotations

from typing import Any

import pytest

from ama2sec.reference import (
    Admitted,
    Rejected,
    Stamp,
    admit,
    compile_definition,
    conversation_digest,
    decode,
    encode,
    parse,
    registry_digest,
    replay,
)
from tests.realm_world import REVOKE, TIME
from tests.unit.test_reference_admission import code_of
from tests.unit.test_reference_workflows import END, OTHER, PAY, PEOPLE, TWO, draft, flow_of
from tests.workflow_world import ANY, Flow, running, small, step

# -- 40: what the sender has seen ----------------------------------------------------------------------------------


def sides(world: Any, talk: bytes) -> tuple[bytes, bytes]:
    """Two branches, forked off at the instance's start."""
    one, two = (
        world.take(world.fork("dan", talk, n=world.talk(talk).branches[talk].size)).entry.message_id for _ in "12"
    )
    return one, two


def test_whoever_takes_a_step_has_seen_what_it_needs() -> None:
    world, talk = flow_of(step("a"), step("b", needs=["a"]), step("c", needs=["a"]), step("d", needs=["b", "c"], **END))
    start = world.taken("alice", talk, "a")
    one, two = sides(world, talk)
    world.taken("alice", talk, "b", start, branch=one)
    world.taken("eve", talk, "c", start, branch=two)  # parallel steps do not block each other
    heads = {side: (side, world.talk(talk).branches[side].size) for side in (one, two)}
    for code, branch, merges in (
        ("ContextStale", talk, []),
        ("ContextStale", talk, [heads[one]]),
        ("ContextStale", talk, [heads[two]]),
        ("ContextStale", one, []),
        ("ok", talk, [heads[one], heads[two]]),
        ("ok", one, [heads[two]]),
    ):
        assert code_of(world, world.move("alice", talk, "d", start, branch=branch, merges=merges)) == code
    short = (one, heads[one][1] - 1)
    assert code_of(world, world.move("alice", talk, "d", start, branch=two, merges=[short])) == "ContextStale"


def test_of_several_that_would_do_one_that_is_seen_is_enough() -> None:
    world, talk = flow_of(
        step("a"), step("b", needs=["a"]), step("c", needs=["a"]), step("d", needs=["b", "c"], mode=ANY, **END)
    )
    start = world.taken("alice", talk, "a")
    one, two = sides(world, talk)
    world.taken("alice", talk, "b", start, branch=one)
    world.taken("eve", talk, "c", start, branch=two)
    assert [code_of(world, world.move("alice", talk, "d", start, branch=at)) for at in (talk, one, two)] == [
        "ContextStale",
        "ok",
        "ok",
    ]


def test_one_that_is_seen_and_old_is_not_enough() -> None:
    world, talk = flow_of(
        step("a"),
        step("b", visits=3),
        step("c", visits=3),
        step("d", needs=["b", "c"], mode=ANY, visits=3),
        step("e", **END),
    )
    start = world.taken("alice", talk, "a")
    one, _ = sides(world, talk)
    for name in ("b", "d"):
        world.taken("alice", talk, name, start)
    world.taken("alice", talk, "c", start, branch=one)
    assert code_of(world, world.move("alice", talk, "d", start)) == "ContextStale"
    assert code_of(world, world.move("alice", talk, "d", start, branch=one)) == "ok"


def test_a_second_visit_of_the_start_descends_from_the_first() -> None:
    world, talk = flow_of(step("a", visits=3), step("b", **END))
    fork = world.take(world.fork("dan", talk)).entry.message_id
    start = world.taken("alice", talk, "a")
    for name in ("a", "b"):
        assert code_of(world, world.move("alice", talk, name, start, branch=fork)) == "ContextStale"
        assert code_of(world, world.move("alice", talk, name, start, n=1)) == "ContextStale"
        merged = world.move(
            "alice", talk, name, start, branch=fork, merges=[(talk, world.talk(talk).branches[talk].size)]
        )
        assert code_of(world, merged) == "ok"
        assert code_of(world, world.move("alice", talk, name, start)) == "ok"


def test_approvals_that_were_not_seen_do_not_count_and_nobody_approves_unseen() -> None:
    world, talk = flow_of(step("a", visits=2), step("b", needs=["a"], approvals=["a", 2, ["risk"]], **END))
    start = world.taken("alice", talk, "a")
    one, two = sides(world, talk)
    second = world.taken("alice", talk, "a", start, branch=one)
    assert code_of(world, world.move("ben", talk, "b", start, approves=second, branch=two)) == "ContextStale"
    world.taken("ben", talk, "b", start, approves=second, branch=one)
    size = world.talk(talk).branches[one].size
    world.taken("cy", talk, "b", start, approves=second, branch=two, merges=[(one, size)])
    assert code_of(world, world.move("alice", talk, "b", start, branch=one)) == "ContextStale"  # cy's was not seen
    assert code_of(world, world.move("alice", talk, "b", start, branch=two)) == "ok"
    assert code_of(world, world.move("alice", talk, "b", start, branch=one, n=size - 1)) == "ContextStale"
    world.taken("eve", talk, "b", start, approves=second, branch=one)
    assert code_of(world, world.move("alice", talk, "b", start, branch=one)) == "ok"  # any two of three


def test_what_an_approver_who_left_had_said_is_not_asked_for() -> None:
    world, talk = flow_of(step("a"), step("b", needs=["a"], approvals=["a", 1, ["risk"]], **END))
    start = world.taken("alice", talk, "a")
    one, _ = sides(world, talk)
    world.taken("ben", talk, "b", start, approves=start)
    world.taken("cy", talk, "b", start, approves=start, branch=one)
    assert code_of(world, world.move("alice", talk, "b", start)) == "ok"
    world.take(world.entry(REVOKE, "root-1", [world.ids["ben"], None, ""]))
    assert code_of(world, world.move("alice", talk, "b", start)) == "ContextStale"  # cy's counts, and is elsewhere
    assert code_of(world, world.move("alice", talk, "b", start, branch=one)) == "ok"


# -- what stays, and what others make of it ------------------------------------------------------------------------


def test_a_rejected_step_burns_a_number_and_moves_nothing() -> None:
    world, talk = running(TWO, **PEOPLE)
    start = world.taken("alice", talk, "a")
    before = [*world.talk(talk).instances[start].transitions]
    world.take(world.move("dan", talk, "b", start))
    assert world.talk(talk).instances[start].transitions == before
    assert world.talk(talk).seqs[world.ids["dan"]] == (TIME, world.counters[world.ids["dan"], talk])


def story() -> tuple[Any, bytes, bytes]:
    """Two instances on two branches, of two versions, with approvals and what was rejected."""
    world, _ = running(PAY, **PEOPLE)
    talk = world.opened("alice", c14=[True, "flow"], c7=world.state_of(PAY, None, "start", {"n": 7}))
    world.running[talk] = compile_definition(PAY).id
    draft(world, talk, talk, 1)
    fork = world.take(world.fork("dan", talk)).entry.message_id
    world.take(world.move("dan", talk, "pay", talk))
    world.now += 50
    other = world.taken("alice", talk, "start", branch=fork)
    world.take(world.define(small()))
    world.taken("alice", talk, "do")
    world.taken("eve", talk, "draft", other, branch=fork, outputs={"n": -1})
    world.taken("alice", talk, "pay", talk)
    return world, talk, fork


def test_instances_stand_in_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    world, talk, fork = story()
    seen: list[Any] = []
    monkeypatch.setattr("ama2sec.reference.hashes.state", lambda data: seen.append(decode(data)) or bytes(32))
    conversation_digest(world.talk(talk))
    registry_digest(world.registry)
    ids = [compile_definition(each).id for each in (PAY, small())]
    rows = {row[0]: row for row in seen[0][8]}
    assert list(rows) == sorted(world.talk(talk).instances)
    alice, ben, eve = (world.ids[name] for name in ("alice", "ben", "eve"))
    leaves = world.talk(talk).branches[talk].leaves
    assert rows[talk] == [
        talk, ids[0], TIME, 0,
        [[talk, talk, 0, 0, alice, {"n": 7}], [leaves[1], talk, 1, 1, alice, {"n": 1}], [leaves[2], talk, 2, 2, alice, {}], [leaves[6], talk, 6, 3, alice, {}]],
        [[leaves[3], talk, 3, 3, leaves[1], ben], [leaves[4], talk, 4, 3, leaves[1], eve]],
    ]  # fmt: skip
    own = world.talk(talk).branches[fork].leaves
    assert rows[own[6]][1:4] == [ids[0], TIME + 50, 0]
    assert rows[own[6]][4] == [[own[6], fork, 6, 0, alice, {}], [own[7], fork, 7, 1, world.ids["eve"], {"n": -1}]]
    assert rows[leaves[5]] == [leaves[5], ids[1], TIME + 50, 0, [[leaves[5], talk, 5, 0, alice, {}]], []]
    meanings = world.registry.definitions["flow"]
    assert seen[1][8] == [["flow", [[each.entry_id, id_, each.start] for each, id_ in zip(meanings, ids, strict=True)]]]


def test_workflows_are_replayed_whole_and_filtered() -> None:
    world, talk, _ = story()
    header = encode([0, "ama2sec-transcript", 1])
    for keep in (None, {world.id, talk}):
        items = [
            encode([2, record]) + encode([1, envelope, None])
            for envelope, record in world.sequenced
            if keep is None or record[86:118] in keep
        ]
        found = replay(header + b"".join(items), realm=world.id, conversation=None if keep is None else talk)
        assert conversation_digest(found.state.conversations[talk]) == conversation_digest(world.talk(talk))
        assert found.state.registry is not None
        assert registry_digest(found.state.registry) == registry_digest(world.registry)


def test_a_halt_of_an_instance_covers_it_and_no_other() -> None:
    world, talk = running(TWO, **PEOPLE)
    world.take(world.enrol("op", purpose="operator"))
    one, two = (world.taken("alice", talk, "a") for _ in "12")
    world.take(world.halt("op", (3, talk, one)))
    assert code_of(world, world.move("alice", talk, "b", one)) == "Halted"
    assert code_of(world, world.move("alice", talk, "b", one, approves=OTHER)) == "Halted"
    for entry in (world.move("alice", talk, "b", two), world.move("alice", talk, "a"), world.say("alice", talk)):
        assert code_of(world, entry) == "ok"
    world.take(world.halt("op", (3, talk, OTHER)))  # not there yet: the whole conversation
    assert code_of(world, world.say("alice", talk)) == "Halted"


def test_a_halt_covers_its_instances_start_should_a_log_sequence_it_twice() -> None:
    world, talk = running(TWO, **PEOPLE)
    world.take(world.enrol("op", purpose="operator"))
    starts = [world.move("alice", talk, "a") for _ in "12"]
    for start in starts:
        world.take(start)
    world.take(world.halt("op", (3, talk, parse(starts[0]).message_id)))
    again = [admit(world.state, Stamp(TIME, world.registry.size), parse(start)) for start in starts]
    assert [each.fault.code for each in again if isinstance(each, Rejected)] == ["Halted", "SeqUsed"]


def test_verdicts_of_a_definition_that_was_halted_by_name() -> None:
    world, talk = running(TWO, **PEOPLE)
    world.take(world.enrol("op", purpose="operator"))
    plain = world.opened("alice")
    world.take(world.halt("op", (4, "flow")))
    assert code_of(world, world.move("alice", talk, "a")) == "Halted"
    assert code_of(world, world.say("alice", plain)) == "ok"
    assert code_of(world, world.open("alice", c14=[False, "flow"])) == "Halted"


def test_an_admitted_step_says_what_it_moves() -> None:
    world, talk = running(TWO, **PEOPLE)
    entry = world.move("alice", talk, "a")
    found = admit(world.state, Stamp(TIME, world.registry.size), parse(entry))
    assert isinstance(found, Admitted)
    assert found.change is not None
    assert world.talk(talk).instances == {}  # judging changes nothing
    assert isinstance(world, Flow)
