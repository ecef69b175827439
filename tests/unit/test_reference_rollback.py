"""The reference's rollbacks (spec rollback): each check alone and the earlier of each pair, and the cases that broke other rules."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ama2sec.errors import Ama2Error
from ama2sec.reference import Rejected, parse
from ama2sec.reference.rollbacks import closure
from tests.realm_world import ROLLBACK, World
from tests.unit.test_reference_admission import code_of, judged
from tests.workflow_world import document, running, step

OTHER = b"o" * 32
PEOPLE = {"alice": ("work",), "ben": ("risk", "work"), "dan": ()}


def talk_of(*, leaves: int = 5, people: tuple[str, ...] = ("alice", "ben")) -> tuple[World, bytes]:
    """A conversation of alice with so many leaves, the open among them."""
    world = World()
    world.people(*people)
    talk = world.opened("alice")
    for _ in range(leaves - 1):
        world.take(world.say("alice", talk))
    return world, talk


def forked(world: World, talk: bytes, n: int, leaves: int = 2, by: str = "ben", **how: Any) -> bytes:
    """A fork at n, with so many leaves of its own."""
    branch = world.take(world.fork(by, talk, n=n, **how)).entry.message_id
    for _ in range(leaves - 1):
        world.take(world.say(by, talk, branch=branch))
    return branch


def taken(world: World, envelope: bytes) -> bytes:
    found = world.take(envelope)
    assert found.record.code == 0, found.record.code
    return found.entry.message_id


def status(world: World, talk: bytes, branch: bytes) -> tuple[str, int | None]:
    at = world.talk(talk).branches[branch]
    name = "undone" if at.undone else "closed" if at.closed else "open" if at.successor is None else "superseded"
    return name, at.cut


# -- form: rollback.1 ----------------------------------------------------------------------------------------------

FORMS: list[tuple[str, Any]] = [
    ("ok", [OTHER, 2, [1, OTHER], "r" * 256]),
    ("ok", [OTHER, (1 << 48) - 1, [(1 << 48) - 1, OTHER], ""]),
    ("ClaimType", [OTHER, 2, [1, OTHER]]), ("ClaimType", None), ("ClaimType", [OTHER[1:], 2, [1, OTHER], ""]),
    ("ClaimType", [OTHER, -1, [1, OTHER], ""]), ("ClaimRange", [OTHER, 1 << 48, [1, OTHER], ""]),
    ("ClaimType", [OTHER, 2, [1], ""]), ("ClaimType", [OTHER, 2, 1, ""]), ("ClaimType", [OTHER, 2, [1, b"x"], ""]),
    ("ClaimRange", [OTHER, 2, [0, OTHER], ""]), ("ClaimRange", [OTHER, 2, [1 << 48, OTHER], ""]),
    ("ClaimType", [OTHER, 2, [1, OTHER], b""]), ("ClaimRange", [OTHER, 2, [1, OTHER], "r" * 257]),
    ("ClaimRange", [OTHER, 1 << 48, [1, OTHER], b""]),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "own"), FORMS)
def test_forms(expected: str, own: Any) -> None:
    world, talk = talk_of()

    def code(**changes: Any) -> str:
        try:
            parse(world.rollback("alice", talk, 2, **{"c16": own} | changes))
        except Ama2Error as fault:
            return fault.code
        return "ok"

    assert code() == expected
    assert code(c15=None) == "ClaimForbidden"
    assert code(c16=...) == "ClaimMissing"
    if expected == "ok":
        assert code(c7=[OTHER, OTHER, "a", {}, None]) == "ClaimForm"
        assert code(c4=[world.ids["alice"], OTHER]) == "ClaimForm"


# -- each check alone, and the earlier of two ----------------------------------------------------------------------

ORDER = [
    "GrantScope", "MergeForm", "RollbackRole", "RollbackTarget", "RollbackIncomplete", "RollbackScope", "RollbackPivot",
    "RollbackCap", "HaltedByEffect",
]  # fmt: skip


def staged(faults: set[str]) -> tuple[Any, bytes]:
    """A rollback by ben's child, honest but for these faults."""
    steps = [
        step("start"),
        step("ping", visits=9),
        step("pay", pivot=True),
        step("end", needs=["start"], terminal=True),
    ]
    who = ["work"] if "RollbackRole" in faults else ["risk"]
    people = {"carl": ("work",), "ben": ("risk",)}
    for each in steps:
        each["by"] = ["risk", "work"]
    world, talk = running(document(steps, rollback=(who, 0 if "RollbackCap" in faults else 1)), **people)
    world.take(world.enrol("op", purpose="operator"))
    start = world.taken("ben", talk, "start")
    kid = world.spawned("ben", talk, "kid", grant=world.grant("kid", rights=3 if "GrantScope" in faults else 7))
    for name in ("ping", "pay" if "RollbackPivot" in faults else "ping"):
        world.taken("kid", talk, name, start, branch=kid)
    fork = taken(world, world.fork("kid", talk, branch=kid))
    if "RollbackScope" in faults:
        world.take(world.say("ben", talk, merges=[(kid, 5)]))
    if "HaltedByEffect" in faults:
        world.take(world.halt("op", (2, talk, fork)))
    base = world.talk(talk).branches[kid].base
    how: dict[str, Any] = {"falls": [3, OTHER]} if "RollbackIncomplete" in faults else {}
    if "RollbackTarget" in faults:
        how["c16"] = [kid, base, [3, OTHER], ""]
    merges = [(talk, world.talk(talk).branches[talk].size)] if "MergeForm" in faults else []
    return world, world.rollback("kid", talk, base + 1, target=kid, branch=kid, merges=merges, **how)


def test_each_check_alone_and_the_earlier_of_two() -> None:
    world, honest = staged(set())
    assert code_of(world, honest) == "ok"
    for faults in [*((code,) for code in ORDER), *itertools.combinations(ORDER, 2)]:
        world, entry = staged(set(faults))
        assert code_of(world, entry) == faults[0], faults


# -- 26: targets ---------------------------------------------------------------------------------------------------


def test_targets() -> None:
    world, talk = talk_of()
    fork, beside = forked(world, talk, 3, leaves=3), forked(world, talk, 5)
    cases = [
        ("ok", fork, fork, 4), ("ok", fork, fork, 5), ("RollbackTarget", fork, fork, 3), ("RollbackTarget", fork, fork, 6),
        ("ok", fork, talk, 1), ("ok", fork, talk, 4), ("RollbackTarget", fork, talk, 0), ("RollbackTarget", fork, talk, 5),
        ("RollbackTarget", talk, fork, 4), ("RollbackTarget", fork, beside, 6), ("RollbackTarget", fork, OTHER, 2),
    ]  # fmt: skip
    for expected, at, target, keep in cases:
        how: dict[str, Any] = {} if expected == "ok" else {"falls": [1, OTHER]}
        entry = world.rollback("alice", talk, keep, target=target, branch=at, **how)
        assert code_of(world, entry) == expected, (expected, keep)
    world.take(world.close("alice", talk))
    assert code_of(world, world.rollback("alice", talk, 2, target=talk, branch=fork)) == "RollbackTarget"
    assert code_of(world, world.rollback("alice", talk, 2)) == "BranchClosed"


def test_a_target_whose_successor_is_closed() -> None:
    world, talk = talk_of()
    fork = forked(world, talk, 2)
    successor = world.rolled("alice", talk, 4)
    world.take(world.close("alice", talk, branch=successor))
    assert code_of(world, world.rollback("ben", talk, 2, branch=fork)) == "RollbackTarget"


# -- 2, 4: what falls ----------------------------------------------------------------------------------------------


def test_a_fork_at_the_cut_survives_and_above_it_is_undone() -> None:
    world, talk = talk_of()
    at, above, on_top = forked(world, talk, 3), forked(world, talk, 4), b""
    on_top = forked(world, talk, 5, branch=above)
    successor = world.rolled("alice", talk, 3)
    assert [status(world, talk, each) for each in (talk, at, above, on_top, successor)] == [
        ("superseded", 3), ("open", None), ("undone", 4), ("undone", 5), ("open", None),
    ]  # fmt: skip
    new = world.talk(talk).branches[successor]
    assert (new.parent, new.base, new.size, new.opener) == (
        world.talk(talk).branches[talk],
        3,
        4,
        world.ids["alice"],
    )
    assert code_of(world, world.say("ben", talk, branch=at)) == "ok"
    assert code_of(world, world.say("ben", talk, branch=above)) == "BranchUndone"
    assert code_of(world, world.say("ben", talk, branch=on_top)) == "BranchUndone"
    # n makes no difference: a history that stands, said of a branch that was cut.
    assert code_of(world, world.say("ben", talk, n=2)) == "BranchSuperseded"
    assert code_of(world, world.fork("ben", talk, n=2)) == "BranchSuperseded"
    assert code_of(world, world.say("ben", talk, branch=successor)) == "ok"


def test_what_was_written_at_the_same_time_falls_and_has_to_be_stated() -> None:
    world, talk = talk_of()
    before = world.rollback("alice", talk, 3)
    world.take(world.say("ben", talk, n=2))
    assert code_of(world, before) == "RollbackIncomplete"
    assert code_of(world, world.rollback("alice", talk, 3, n=2)) == "ok"
    forked(world, talk, 4)
    assert closure(world.talk(talk), talk, 3).keys() > {talk}


def test_a_merge_falls_with_what_it_merges_and_so_on_round_about() -> None:
    world, talk = talk_of()
    first = forked(world, talk, 2, leaves=3)
    second = forked(world, talk, 2, leaves=2)
    taken(world, world.say("ben", talk, branch=first, merges=[(talk, 4)]))  # leaf 5 of first
    taken(world, world.say("ben", talk, branch=second, merges=[(first, 6)]))  # leaf 4 of second
    taken(world, world.say("alice", talk, branch=second))
    apart = forked(world, talk, 4, branch=second)
    assert closure(world.talk(talk), talk, 4) == {talk: 4}
    assert closure(world.talk(talk), talk, 3) == {talk: 3, first: 5, second: 4}
    world.rolled("alice", talk, 3)
    assert [status(world, talk, each) for each in (first, second, apart)] == [
        ("superseded", 5), ("superseded", 4), ("open", None),
    ]  # fmt: skip
    rollbacks = {
        world.talk(talk).branches[each].leaves[-1]
        for each in (world.talk(talk).branches[b].successor for b in (talk, first, second))
        if each is not None
    }
    assert len(rollbacks) == 1


def test_a_rollback_revives_nothing_and_a_home_that_was_cut_is_cut_deeper() -> None:
    world, talk = talk_of()
    fork = forked(world, talk, 5)
    old = world.rolled("alice", talk, 4)
    mine = forked(world, talk, 5, branch=old)
    new = world.rolled("alice", talk, 2, branch=old)
    assert [status(world, talk, each) for each in (talk, old, mine, fork, new)] == [
        ("superseded", 2), ("undone", 4), ("undone", 5), ("undone", 5), ("open", None),
    ]  # fmt: skip
    assert world.talk(talk).tip(talk).id == new
    for branch in (old, mine, fork):
        assert code_of(world, world.say("alice", talk, branch=branch)) == "BranchUndone"
        size = world.talk(talk).branches[branch].size
        assert code_of(world, world.say("alice", talk, branch=new, merges=[(branch, size)])) == "MergeUndone"
    for target, keep in ((old, 5), (talk, 2), (talk, 4)):
        entry = world.rollback("alice", talk, keep, target=target, branch=new, falls=[1, OTHER])
        assert code_of(world, entry) == "RollbackTarget"
    assert code_of(world, world.rollback("alice", talk, 1, branch=new)) == "ok"


def test_a_closed_branch_is_not_opened_again() -> None:
    world, talk = talk_of()
    fork = forked(world, talk, 2)
    for size in (4, 5):
        taken(world, world.say("ben", talk, branch=fork, merges=[(talk, size)]))
    taken(world, world.close("ben", talk, branch=fork))
    old = world.rolled("alice", talk, 4)
    assert (status(world, talk, fork), world.talk(talk).branches[fork].successor) == (("closed", 5), None)
    assert code_of(world, world.say("ben", talk, branch=fork)) == "BranchClosed"
    world.rolled("alice", talk, 3, branch=old)
    assert (status(world, talk, fork), world.talk(talk).branches[fork].successor) == (("closed", 4), None)
    assert code_of(world, world.say("ben", talk, branch=fork, n=3)) == "BranchClosed"


def test_a_branch_whose_successor_was_closed_goes_on_nowhere() -> None:
    world, talk = talk_of()
    fork = forked(world, talk, 2)
    for size in (3, 5):
        taken(world, world.say("ben", talk, branch=fork, merges=[(talk, size)]))
    old = world.rolled("alice", talk, 4)
    ended = world.talk(talk).branches[fork].successor
    assert ended is not None
    world.take(world.close("ben", talk, branch=ended))
    world.rolled("alice", talk, 2, branch=old)
    assert (status(world, talk, fork), world.talk(talk).branches[fork].successor) == (("closed", 4), None)
    assert status(world, talk, ended) == ("undone", 5)


# -- what was in flight --------------------------------------------------------------------------------------------


def test_what_is_in_flight_on_a_branch_that_was_cut_burns_its_number() -> None:
    world, talk = talk_of()
    late = world.say("ben", talk)
    world.rolled("alice", talk, 3)
    verdict = judged(world, late)
    assert isinstance(verdict, Rejected)
    assert (verdict.fault.code, verdict.burns) == ("BranchSuperseded", True)
    world.take(late)
    assert list(world.talk(talk).seqs[world.ids["ben"]]) == list(parse(late).claims.seq or ())
    successor = world.talk(talk).branches[talk].successor
    assert code_of(world, world.say("ben", talk, branch=successor, c9=list(parse(late).claims.seq or ()))) == "SeqUsed"


def test_a_fork_of_history_is_evidence_on_a_dead_branch_too() -> None:
    world, talk = talk_of()
    world.rolled("alice", talk, 3)
    assert code_of(world, world.say("ben", talk, c6=[talk, OTHER, []])) == "ContextForked"


# -- 22, 4.4: merges and ancestors ---------------------------------------------------------------------------------


def test_merges_of_what_a_cut_branch_holds() -> None:
    world, talk = talk_of()
    fork = forked(world, talk, 1)
    successor = world.rolled("alice", talk, 3)
    for size, code in ((1, "MergeStale"), (2, "ok"), (3, "ok"), (4, "MergeUndone"), (5, "MergeUndone")):
        assert code_of(world, world.say("ben", talk, branch=fork, merges=[(talk, size)])) == code
    assert code_of(world, world.say("ben", talk, branch=successor, merges=[(talk, 3)])) == "MergeStale"
    assert code_of(world, world.say("ben", talk, branch=fork, merges=[(successor, 4)])) == "ok"


def test_nobody_has_seen_what_was_merged_in_what_was_undone() -> None:
    world, talk = talk_of(leaves=3)
    fork = forked(world, talk, 2, leaves=3)
    taken(world, world.say("alice", talk, merges=[(fork, 5)]))
    successor = world.rolled("alice", talk, 3)
    whole = world.talk(talk)
    assert whole.ancestors((successor, 4)) == {talk: 3, successor: 4}
    assert status(world, talk, fork) == ("open", None)
    assert code_of(world, world.say("alice", talk, branch=successor, merges=[(fork, 5)])) == "ok"


# -- children ------------------------------------------------------------------------------------------------------


def test_a_childs_rollback_that_would_cut_its_parent() -> None:
    world, talk = talk_of()
    kid = world.spawned("ben", talk, "kid", n=3)
    for _ in range(3):
        world.take(world.say("kid", talk, branch=kid))
    assert code_of(world, world.rollback("kid", talk, 2, branch=kid)) == "RollbackScope"
    assert code_of(world, world.rollback("kid", talk, 5, target=kid, branch=kid)) == "ok"
    world.take(world.say("alice", talk, merges=[(kid, 6)]))
    assert code_of(world, world.rollback("kid", talk, 5, target=kid, branch=kid)) == "RollbackScope"
    assert code_of(world, world.rollback("kid", talk, 6, target=kid, branch=kid)) == "ok"
    assert code_of(world, world.rollback("alice", talk, 5, target=kid, branch=kid)) == "ok"


def test_a_child_goes_on_in_the_successor_until_that_ends() -> None:
    world, talk = talk_of()
    kid = world.spawned("ben", talk, "kid", n=3)
    for _ in range(3):
        world.take(world.say("kid", talk, branch=kid))
    below = world.spawned("kid", talk, "below", branch=kid, n=4, grant=world.grant("below", depth=7))
    successor = world.rolled("kid", talk, 4, target=kid, branch=kid)
    assert code_of(world, world.say("kid", talk, branch=kid)) == "BranchSuperseded"
    assert code_of(world, world.say("kid", talk, branch=successor)) == "ok"
    assert code_of(world, world.say("below", talk, branch=below)) == "ok"
    world.take(world.close("kid", talk, branch=successor))
    for child, branch in (("kid", kid), ("kid", successor), ("below", below)):
        assert code_of(world, world.say(child, talk, branch=branch)) == "GrantEnded"


def test_a_grant_that_was_undone_takes_its_chain_along() -> None:
    world, talk = talk_of()
    kid = world.spawned("ben", talk, "kid", n=4)
    below = world.spawned("kid", talk, "below", branch=kid, grant=world.grant("below", depth=7))
    world.take(world.close("kid", talk, branch=kid))
    assert code_of(world, world.say("below", talk, branch=below)) == "GrantEnded"
    successor = world.rolled("alice", talk, 3)
    for child, branch in (("kid", kid), ("below", below), ("kid", successor)):
        assert code_of(world, world.say(child, talk, branch=branch)) == "GrantUndone"
    assert code_of(world, world.spawn("ben", talk, "kid", branch=successor)) == "ForkKey"


# -- workflows -----------------------------------------------------------------------------------------------------

PAYING = [
    step("start", visits=9),
    step("draft", needs=["start"], visits=2),
    step("pay", needs=["draft"], approvals=["draft", 1, ["risk"]], pivot=True),
    step("end", needs=["pay"], terminal=True),
]


def paying(cap: int = 9, rollback: Any = None) -> tuple[Any, bytes, bytes]:
    """A conversation at work, with its start at leaf 1."""
    world, talk = running(document(PAYING, rollback=rollback or (["risk"], cap)), **PEOPLE)
    world.take(world.enrol("op", purpose="operator"))
    return world, talk, world.taken("alice", talk, "start")


def test_who_may_and_a_groups_meaning_is_that_of_the_stamp() -> None:
    world, talk, _ = paying()
    world.take(world.say("alice", talk))
    for name, code in (("alice", "RollbackRole"), ("ben", "ok"), ("dan", "RollbackRole")):
        assert code_of(world, world.rollback(name, talk, 2)) == code
    world.take(world.define(document(PAYING, rollback=(["work"], 9))))
    assert code_of(world, world.rollback("alice", talk, 2)) == "ok"
    world.take(world.define(document(PAYING)))
    for name in PEOPLE:
        assert code_of(world, world.rollback(name, talk, 2)) == "RollbackRole"
    plain = world.opened("dan")
    world.take(world.say("dan", plain))
    assert code_of(world, world.rollback("dan", plain, 1)) == "ok"


def test_what_was_taken_is_open_again_and_counts_no_visit() -> None:
    world, talk, start = paying()
    for _ in range(2):
        world.taken("alice", talk, "draft", start)
        world.taken("alice", talk, "start", start)
    assert code_of(world, world.move("alice", talk, "draft", start)) == "StepSpent"
    successor = world.rolled("ben", talk, 4)
    instance = world.talk(talk).instances[start]
    assert ([each.step for each in instance.transitions], instance.rollbacks) == ([0, 1, 0], 1)
    world.taken("alice", talk, "draft", start, branch=successor)
    again = world.rolled("ben", talk, 3, branch=successor)
    assert world.talk(talk).instances[start].rollbacks == 2
    assert code_of(world, world.move("alice", talk, "draft", start, branch=again)) == "StepNeeds"
    last = world.rolled("ben", talk, 1, branch=again)
    assert world.talk(talk).instances == {}
    assert code_of(world, world.move("alice", talk, "draft", start, branch=last)) == "WorkflowUnknown"


def test_an_approval_that_was_undone_never_counts() -> None:
    world, talk, start = paying()
    drafted = world.taken("alice", talk, "draft", start)
    world.taken("ben", talk, "pay", start, approves=drafted)
    assert code_of(world, world.move("alice", talk, "pay", start)) == "ok"
    successor = world.rolled("ben", talk, 3)
    instance = world.talk(talk).instances[start]
    assert (instance.approvals, len(instance.transitions), instance.rollbacks) == ([], 2, 0)
    assert code_of(world, world.move("alice", talk, "pay", start, branch=successor)) == "ApprovalsMissing"
    world.taken("ben", talk, "pay", start, approves=drafted, branch=successor)
    assert code_of(world, world.move("alice", talk, "pay", start, branch=successor)) == "ok"


def test_a_point_of_no_return() -> None:
    world, talk, start = paying()
    drafted = world.taken("alice", talk, "draft", start)
    world.taken("ben", talk, "pay", start, approves=drafted)
    world.taken("alice", talk, "pay", start)
    world.take(world.say("alice", talk))
    assert code_of(world, world.rollback("ben", talk, 5)) == "ok"
    assert code_of(world, world.rollback("ben", talk, 4)) == "RollbackPivot"
    assert code_of(world, world.rollback("ben", talk, 1)) == "RollbackPivot"


def test_a_cap_is_for_each_instance_and_only_for_what_is_touched() -> None:
    world, talk, start = paying(cap=1)
    world.taken("alice", talk, "draft", start)
    successor = world.rolled("ben", talk, 2)
    world.taken("alice", talk, "draft", start, branch=successor)
    world.take(world.say("alice", talk, branch=successor))
    cases = ((4, "ok"), (3, "RollbackCap"))
    for keep, code in cases:
        assert code_of(world, world.rollback("ben", talk, keep, target=successor, branch=successor)) == code
    assert code_of(world, world.rollback("ben", talk, 1, branch=successor)) == "RollbackCap"
    other = world.taken("alice", talk, "start", branch=successor)
    entry = world.rollback("ben", talk, 5, target=successor, branch=successor)
    assert code_of(world, entry) == "ok"
    world.take(entry)
    assert set(world.talk(talk).instances) == {start}
    assert other not in world.talk(talk).instances


def test_halts_of_what_falls() -> None:
    world, talk, start = paying()
    fork = forked(world, talk, 2, by="alice")
    world.taken("alice", talk, "draft", start)
    stopped = [(2, talk, fork), (3, talk, start)]
    for scope, keeps in zip(
        stopped, ({1: "HaltedByEffect", 2: "ok"}, {1: "HaltedByEffect", 2: "HaltedByEffect"}), strict=True
    ):
        halted = world.take(world.halt("op", scope)).entry.message_id
        for keep, code in keeps.items():
            assert code_of(world, world.rollback("ben", talk, keep)) == code
        world.take(world.resume("op", [halted]))
        assert code_of(world, world.rollback("ben", talk, 1)) == "ok"
    other = world.opened("alice")
    world.take(world.halt("op", (2, other, other)))
    assert code_of(world, world.rollback("ben", talk, 1)) == "ok"


def test_a_kind_that_is_a_leaf_of_no_branch_that_was_there() -> None:
    world, talk = talk_of()
    made = world.rollback("alice", talk, 3)
    before = world.talk(talk).branches[talk].size
    found = world.take(made)
    successor = world.talk(talk).branches[talk].successor
    assert parse(made).claims.kind == ROLLBACK
    assert world.talk(talk).branches[talk].size == before
    assert (found.record.branch, found.record.index) == (successor, 3)
