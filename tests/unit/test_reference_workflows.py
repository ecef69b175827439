"""The reference's workflows (workflow.2 to 4): each check alone and the earlier of each pair, and the cases that broke other rules."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ama2sec.reference import (
    Rejected,
    Stamp,
    admit,
    compile_definition,
    parse,
)
from tests.realm_world import REVOKE, TIME, ZEROS
from tests.unit.test_reference_admission import code_of
from tests.workflow_world import ANY, document, running, small, step

OTHER = b"o" * 32
PEOPLE = {"alice": ("work",), "ben": ("risk",), "cy": ("risk",), "dan": (), "eve": ("risk", "work")}
END = {"terminal": True}


def flow_of(*steps: dict[str, Any]) -> tuple[Any, bytes]:
    """A realm with PEOPLE, and a conversation of this definition."""
    return running(document(list(steps)), **PEOPLE)


# -- each check alone, and the earlier of two ----------------------------------------------------------------------

PAY = document(
    [
        step("start", visits=9, outputs={"n": 1}),
        step("draft", needs=["start"], visits=9, outputs={"n": 1}),
        step("ping", visits=9),
        step("pay", needs=["draft", "ping"], choice="ping", when=[["draft", "n", 1, 1]], approvals=["draft", 2, ["risk"]], deadline=100),
        step("drop", needs=["ping"], choice="ping", visits=9),
        step("end", needs=["start"], **END),
    ]
)  # fmt: skip
TAKING = [
    "WorkflowUnknown",
    "WorkflowVersion",
    "StepUnknown",
    "StepRole",
    "WorkflowEnded",
    "DeadlinePassed",
    "StepSpent",
]
TAKING += ["StepExcluded", "StepNeeds", "StepWhen", "ApprovalsMissing", "ContextStale"]
APPROVING = [code for code in TAKING if code not in {"StepNeeds", "StepWhen", "ApprovalsMissing"}]
APPROVING.insert(-1, "ApprovalInvalid")


def draft(world: Any, talk: bytes, start: bytes, n: int, approvals: tuple[str, ...] = ("ben", "eve")) -> bytes:
    """A draft with this output, and its approvals for the payment."""
    made: bytes = world.taken("alice", talk, "draft", start, outputs={"n": n})
    world.taken("alice", talk, "ping", start)
    for by in approvals:
        world.taken(by, talk, "pay", start, approves=made)
    return made


def staged(faults: set[str], *, approving: bool = False) -> tuple[Any, bytes]:
    """An honest payment, or cy's approval of one, but for these faults."""
    world, talk = running(PAY, **PEOPLE)
    start = world.taken("alice", talk, "start")
    spent = "StepSpent" in faults
    given = ("ben",) if "ApprovalsMissing" in faults and not spent else ("ben", "eve")
    subject = draft(world, talk, start, 2 if "StepWhen" in faults and not spent else 1, given)
    if spent:
        world.taken("alice", talk, "pay", start)
        world.taken("alice", talk, "ping", start)  # the choice is open again, and something is new
        if "StepWhen" in faults:
            world.taken("alice", talk, "start", start)
            subject = world.taken("alice", talk, "draft", start, outputs={"n": 2})
        if "ApprovalsMissing" in faults:
            world.take(world.entry(REVOKE, "root-1", [world.ids["ben"], None, ""]))
    if "StepExcluded" in faults:
        world.taken("alice", talk, "drop", start)
    if "StepNeeds" in faults:
        world.taken("alice", talk, "start", start)
    if "WorkflowEnded" in faults:
        world.taken("alice", talk, "end", start)
    size = world.talk(talk).branches[talk].size
    state: list[Any] = [start, compile_definition(PAY).id, "pay", {}, subject if approving else None]
    if "WorkflowUnknown" in faults:
        state[0] = OTHER
    if "WorkflowVersion" in faults:
        state[1] = OTHER
    if "StepUnknown" in faults:
        state[2] = "none"
    if "ApprovalInvalid" in faults:
        state[3] = {"n": 1}
    seen = 1 if "ContextStale" in faults else size
    by = "dan" if "StepRole" in faults else "cy" if approving else "alice"
    return world, world.say(by, talk, n=seen, c7=state)


def time_of(faults: set[str]) -> int:
    return TIME + 101 if "DeadlinePassed" in faults else TIME + 100


@pytest.mark.parametrize("approving", [False, True])
def test_each_check_alone_and_the_earlier_of_two(approving: bool) -> None:
    order = APPROVING if approving else TAKING
    world, honest = staged(set(), approving=approving)
    assert code_of(world, honest, TIME + 100) == "ok"
    for faults in [*((code,) for code in order), *itertools.combinations(order, 2)]:
        world, entry = staged(set(faults), approving=approving)
        assert code_of(world, entry, time_of(set(faults))) == faults[0], faults


def test_an_approval_does_not_ask_for_needs_conditions_or_other_approvals() -> None:
    for fault in ("StepNeeds", "StepWhen"):
        world, entry = staged({fault}, approving=True)
        assert code_of(world, entry) == "ok"


# -- 32, 33: instances and definitions -----------------------------------------------------------------------------

TWO = document([step("a", visits=2), step("b", needs=["a"], **END)])


def test_what_an_open_may_say() -> None:
    world, _ = running(TWO, **PEOPLE)
    flow, later = compile_definition(TWO).id, compile_definition(small()).id
    cases: list[tuple[str, str, Any, Any]] = [
        ("ok", "alice", [False, "flow"], None),
        ("ok", "dan", [True, "flow"], None),
        ("ok", "alice", [True, "flow"], [None, flow, "a", {"n": 5}, None]),
        ("WorkflowUnknown", "alice", [False, "none"], None),
        ("WorkflowUnknown", "alice", [False, None], [None, flow, "a", {}, None]),
        ("WorkflowUnknown", "alice", [False, "none"], [None, flow, "a", {}, None]),
        ("WorkflowVersion", "alice", [False, "flow"], [None, OTHER, "a", {}, None]),
        ("WorkflowVersion", "alice", [False, "flow"], [None, later, "do", {}, None]),
        ("StepUnknown", "alice", [False, "flow"], [None, flow, "c", {}, None]),
        ("StepRole", "dan", [False, "flow"], [None, flow, "a", {}, None]),
        ("StepNeeds", "alice", [False, "flow"], [None, flow, "b", {}, None]),
    ]
    for code, by, workflow, state in cases:
        assert code_of(world, world.open(by, c14=workflow, c7=state)) == code, (workflow, state)
    talk = world.opened("alice", c14=[True, "flow"], c7=[None, flow, "a", {"n": 5}, None])
    instance = world.talk(talk).instances[talk]
    assert (instance.id, instance.start_time, instance.transitions[0].message_id) == (talk, TIME, talk)
    assert (instance.transitions[0].branch, instance.transitions[0].index) == (talk, 0)
    assert world.taken("alice", talk, "b", talk, flow=TWO)


def test_a_start_is_the_definitions_and_no_other_step_without_needs() -> None:
    world, talk = flow_of(step("a"), step("b"), step("c", **END))
    for name, code in (("a", "ok"), ("b", "StepNeeds"), ("c", "StepNeeds")):
        assert code_of(world, world.move("alice", talk, name)) == code


def test_a_conversation_without_a_workflow_has_none_and_notes_pass() -> None:
    world, talk = running(TWO, **PEOPLE)
    start = world.taken("alice", talk, "a")
    plain, required = world.opened("alice"), world.opened("alice", c14=[True, "flow"])
    assert code_of(world, world.move("alice", plain, "a", flow=TWO)) == "WorkflowUnknown"
    assert code_of(world, world.move("alice", required, "b", start)) == "WorkflowUnknown"  # of another conversation
    for note in (plain, required, talk):
        assert code_of(world, world.say("dan", note)) == "ok"


def test_a_start_that_was_rejected_is_no_instance() -> None:
    world, talk = running(TWO, **PEOPLE)
    rejected = world.take(world.move("dan", talk, "a")).entry.message_id
    note = world.take(world.say("alice", talk)).entry.message_id
    for instance in (rejected, note, talk):
        assert code_of(world, world.move("alice", talk, "b", instance, flow=TWO)) == "WorkflowUnknown"
    assert world.talk(talk).instances == {}


def test_an_instance_keeps_its_definition_when_another_takes_its_place() -> None:
    world, talk = running(TWO, **PEOPLE)
    old = world.taken("alice", talk, "a")
    size = world.registry.size
    world.take(world.define(small()))
    assert [each.start for each in world.registry.definitions["flow"]] == [size, size + 1]
    assert code_of(world, world.move("alice", talk, "b", old)) == "ok"
    assert code_of(world, world.move("alice", talk, "do", old)) == "StepUnknown"
    assert code_of(world, world.say("alice", talk, c7=world.state_of(small(), old, "b"))) == "WorkflowVersion"
    assert code_of(world, world.move("alice", talk, "a", flow=TWO)) == "WorkflowVersion"
    new = world.taken("alice", talk, "do")
    assert code_of(world, world.say("alice", talk, c7=world.state_of(TWO, new, "b"))) == "WorkflowVersion"


def test_a_definition_holds_as_of_the_stamp() -> None:
    world, talk = running(TWO, **PEOPLE)
    size = world.registry.size
    by_old, by_new = world.move("alice", talk, "a", seen=1), None
    opened = world.open("alice", c14=[False, "later"], seen=1)
    world.take(world.define(small()))
    world.take(world.define(small("later"), name="later"))
    by_new = world.move("alice", talk, "do", seen=1)

    def verdict(entry: bytes, at: int) -> str:
        found = admit(world.state, Stamp(TIME, at), parse(entry))
        return found.fault.code if isinstance(found, Rejected) else "ok"

    assert [verdict(by_old, at) for at in (size, size + 1)] == ["ok", "WorkflowVersion"]
    assert [verdict(by_new, at) for at in (size, size + 1)] == ["WorkflowVersion", "ok"]
    assert [verdict(opened, at) for at in (size, size + 1, size + 2)] == ["WorkflowUnknown", "WorkflowUnknown", "ok"]


# -- 35: who -------------------------------------------------------------------------------------------------------


def test_groups_count_as_of_the_stamp() -> None:
    world, talk = running(TWO, **PEOPLE)
    world.take(world.enrol("flo", groups=("work",), following="flo-2"))
    start = world.taken("flo", talk, "a")
    before = world.move("flo", talk, "b", start)
    assert code_of(world, before) == "ok"
    world.take(world.enrol("flo-2", name="flo", groups=("other",), replaces=world.ids["flo"]))
    world.ids["flo-2"] = world.ids["flo"]
    assert code_of(world, world.move("flo-2", talk, "b", start)) == "StepRole"
    assert code_of(world, world.move("alice", talk, "b", start)) == "ok"


def test_a_child_is_in_the_groups_of_its_principal_and_inside_its_grant() -> None:
    world, talk = running(TWO, **PEOPLE)
    kid = world.spawned("alice", talk, "kid")
    other = world.spawned("dan", talk, "other")
    narrow = world.spawned("alice", talk, "narrow", grant=world.grant("narrow", steps=["b", "a/*"]))
    assert code_of(world, world.move("other", talk, "a", branch=other)) == "StepRole"
    assert code_of(world, world.move("narrow", talk, "a", branch=narrow)) == "GrantScope"
    start = world.taken("kid", talk, "a", branch=kid)
    assert world.talk(talk).instances[start].transitions[0].principal == world.ids["alice"]
    assert code_of(world, world.move("narrow", talk, "b", start, branch=narrow)) == "ContextStale"
    seen = [(kid, world.talk(talk).branches[kid].size)]
    assert code_of(world, world.move("narrow", talk, "b", start, branch=narrow, merges=seen)) == "ok"


# -- 36, 37 --------------------------------------------------------------------------------------------------------


def test_a_deadline_counts_from_the_start_and_includes_its_last_moment() -> None:
    world, talk = flow_of(step("a", deadline=1), step("b", needs=["a"], deadline=50, **END))
    world.now = TIME + 7
    start = world.taken("alice", talk, "a")
    entry = world.move("alice", talk, "b", start)
    assert code_of(world, entry, TIME + 57) == "ok"
    assert code_of(world, entry, TIME + 58) == "DeadlinePassed"
    assert code_of(world, world.move("alice", talk, "a"), TIME + 99) == "ok"  # another instance, another start


def test_a_race_has_one_winner_on_whatever_branch() -> None:
    world, talk = flow_of(step("a"), step("b", needs=["a"]), step("c", needs=["b"], **END))
    start = world.taken("alice", talk, "a")
    fork = world.take(world.fork("dan", talk)).entry.message_id
    first, second = world.move("alice", talk, "b", start), world.move("eve", talk, "b", start, branch=fork, n=3)
    world.take(first)
    assert code_of(world, second) == "StepSpent"


def test_an_exclusive_choice_lasts_until_what_it_chooses_on_comes_again() -> None:
    world, talk = flow_of(
        step("a", visits=3),
        step("b", needs=["a"], choice="a", visits=3),
        step("c", needs=["a"], choice="a", visits=3),
        step("d", needs=["a"], **END),
    )
    start = world.taken("alice", talk, "a")
    world.taken("alice", talk, "b", start)
    assert code_of(world, world.move("alice", talk, "c", start)) == "StepExcluded"
    assert code_of(world, world.move("alice", talk, "b", start)) == "StepNeeds"  # its own choice: but nothing is new
    world.taken("alice", talk, "a", start)
    for either in ("b", "c"):
        assert code_of(world, world.move("alice", talk, either, start)) == "ok"
    world.taken("alice", talk, "c", start)
    assert code_of(world, world.move("alice", talk, "b", start)) == "StepExcluded"


# -- 38 ------------------------------------------------------------------------------------------------------------


def test_who_reviewed_a_draft_has_not_reviewed_the_next_one() -> None:
    world, talk = flow_of(
        step("draft", visits=3), step("review", needs=["draft"], visits=3), step("publish", needs=["draft", "review"], **END)
    )  # fmt: skip
    start = world.taken("alice", talk, "draft")
    world.taken("eve", talk, "review", start)
    assert code_of(world, world.move("alice", talk, "publish", start)) == "ok"
    world.taken("alice", talk, "draft", start)
    assert code_of(world, world.move("alice", talk, "publish", start)) == "StepNeeds"
    world.taken("eve", talk, "review", start)
    assert code_of(world, world.move("alice", talk, "publish", start)) == "ok"


def test_needs_are_current_through_all_of_their_grounds() -> None:
    world, talk = flow_of(
        step("a", visits=3), step("b", needs=["a"], visits=3), step("c", needs=["b"], visits=3), step("d", needs=["c"], **END)
    )  # fmt: skip
    start = world.taken("alice", talk, "a")
    for name in ("b", "c"):
        world.taken("alice", talk, name, start)
    world.taken("alice", talk, "a", start)
    assert code_of(world, world.move("alice", talk, "d", start)) == "StepNeeds"
    assert code_of(world, world.move("alice", talk, "c", start)) == "StepNeeds"
    for name in ("b", "c"):
        world.taken("alice", talk, name, start)
    assert code_of(world, world.move("alice", talk, "d", start)) == "ok"


def test_in_a_loop_an_old_visit_satisfies_no_need() -> None:
    """draft - (review) - revise - review - ...: revise stands on a review that is later than the last revision."""
    world, talk = flow_of(
        step("draft"),
        step("review", needs=["draft", "revise"], mode=ANY, visits=3),
        step("revise", needs=["review"], visits=3),
        step("publish", needs=["review"], **END),
    )
    start = world.taken("alice", talk, "draft")
    assert code_of(world, world.move("alice", talk, "revise", start)) == "StepNeeds"
    world.taken("eve", talk, "review", start)
    assert code_of(world, world.move("eve", talk, "review", start)) == "StepNeeds"  # the draft is older than the review
    world.taken("alice", talk, "revise", start)
    assert code_of(world, world.move("alice", talk, "revise", start)) == "StepNeeds"
    assert code_of(world, world.move("alice", talk, "publish", start)) == "ok"
    world.taken("eve", talk, "review", start)
    assert code_of(world, world.move("eve", talk, "review", start)) == "StepNeeds"
    world.taken("alice", talk, "revise", start)
    world.taken("eve", talk, "review", start)
    assert code_of(world, world.move("eve", talk, "review", start)) == "StepSpent"


def test_one_of_several_is_enough_if_it_is_current_and_new() -> None:
    world, talk = flow_of(
        step("a", visits=9),
        step("b", needs=["a"], visits=9),
        step("c", visits=9),
        step("d", needs=["b", "c"], mode=ANY, visits=9),
        step("e", **END),
    )
    start = world.taken("alice", talk, "a")
    assert code_of(world, world.move("alice", talk, "d", start)) == "StepNeeds"
    world.taken("alice", talk, "b", start)
    assert code_of(world, world.move("alice", talk, "d", start)) == "ok"
    world.taken("alice", talk, "a", start)
    assert code_of(world, world.move("alice", talk, "d", start)) == "StepNeeds"  # b is not current
    world.taken("alice", talk, "c", start)
    world.taken("alice", talk, "d", start)
    assert code_of(world, world.move("alice", talk, "d", start)) == "StepNeeds"  # c is not new
    world.taken("alice", talk, "b", start)
    assert code_of(world, world.move("alice", talk, "d", start)) == "ok"


def test_a_step_without_needs_may_be_taken_whenever() -> None:
    world, talk = flow_of(step("a", visits=3), step("b", visits=2), step("c", **END))
    start = world.taken("alice", talk, "a")
    for name in ("b", "b", "a", "c"):
        world.taken("alice", talk, name, start)
    assert code_of(world, world.move("alice", talk, "a", start)) == "WorkflowEnded"


def test_with_several_needs_one_that_is_new_is_enough() -> None:
    world, talk = flow_of(
        step("a"), step("b", needs=["a"], visits=2), step("c", needs=["a"], visits=2), step("d", needs=["b", "c"], visits=3),
        step("up", visits=9), step("b2", needs=["up"], visits=9), step("d2", needs=["b2", "a"], visits=9), step("e", **END),
    )  # fmt: skip
    start = world.taken("alice", talk, "a")
    for name in ("b", "c", "d"):
        world.taken("alice", talk, name, start)
    assert code_of(world, world.move("alice", talk, "d", start)) == "StepNeeds"
    for name in ("up", "b2", "d2"):
        world.taken("alice", talk, name, start)
    assert code_of(world, world.move("alice", talk, "d2", start)) == "StepNeeds"
    for name in ("up", "b2"):
        world.taken("alice", talk, name, start)
    assert code_of(world, world.move("alice", talk, "d2", start)) == "ok"  # a is old, b2 is new


# -- 39 ------------------------------------------------------------------------------------------------------------


def test_conditions_read_what_was_signed_last() -> None:
    world, talk = flow_of(
        step("a", outputs={"n": 1, "t": 2}, visits=9),
        step("b", needs=["a"], visits=9),
        step("c", needs=["b"], when=[["a", "n", 2, 1], ["a", "n", 1, 3], ["a", "t", 0, "x"]], **END),
    )
    start = world.taken("alice", talk, "a", outputs={"n": 1, "t": "x"})
    for code, outputs in (
        ("ok", {"n": 1, "t": "x"}),
        ("ok", {"n": 3, "t": "x", "other": True}),
        ("StepWhen", {"n": 0, "t": "x"}),
        ("StepWhen", {"n": 4, "t": "x"}),
        ("StepWhen", {"n": True, "t": "x"}),
        ("StepWhen", {"n": 2, "t": "y"}),
        ("StepWhen", {"n": 2}),
        ("StepWhen", {}),
    ):
        world.taken("alice", talk, "a", start, outputs=outputs)
        world.taken("alice", talk, "b", start)
        assert code_of(world, world.move("alice", talk, "c", start)) == code, outputs


def test_approvals_count_by_live_principals_for_one_message_and_one_step() -> None:
    world, talk = flow_of(
        step("a", visits=3),
        step("b", needs=["a"], approvals=["a", 2, ["risk"]], **END),
        step("c", needs=["a"], approvals=["a", 1, ["risk"]]),
    )
    first = world.taken("alice", talk, "a")
    world.taken("ben", talk, "b", first, approves=first)
    world.taken("cy", talk, "c", first, approves=first)
    assert code_of(world, world.move("alice", talk, "b", first)) == "ApprovalsMissing"
    world.taken("cy", talk, "b", first, approves=first)
    assert code_of(world, world.move("alice", talk, "b", first)) == "ok"
    world.take(world.entry(REVOKE, "root-1", [world.ids["cy"], None, ""]))
    assert code_of(world, world.move("alice", talk, "b", first)) == "ApprovalsMissing"
    world.taken("eve", talk, "b", first, approves=first)
    assert code_of(world, world.move("alice", talk, "b", first)) == "ok"
    again = world.taken("alice", talk, "a", first)
    assert code_of(world, world.move("alice", talk, "b", first)) == "ApprovalsMissing"
    assert code_of(world, world.move("ben", talk, "b", first, approves=again)) == "ok"


def test_an_approval_fits_its_subject() -> None:
    world, talk = flow_of(
        step("a", visits=3), step("b", needs=["a"], approvals=["a", 2, ["risk"]], **END), step("c", needs=["a"])
    )
    first = world.taken("eve", talk, "a")
    note = world.take(world.say("dan", talk)).entry.message_id
    for code, by, subject, outputs in (
        ("ok", "ben", first, {}),
        ("ApprovalInvalid", "ben", first, {"n": 1}),
        ("ApprovalInvalid", "ben", OTHER, {}),
        ("ApprovalInvalid", "ben", note, {}),
        ("ApprovalInvalid", "ben", ZEROS, {}),
        ("ApprovalInvalid", "eve", first, {}),  # she took it
        ("StepRole", "alice", first, {}),
    ):
        assert code_of(world, world.move(by, talk, "b", first, approves=subject, outputs=outputs)) == code
    for name in ("a", "c"):
        assert code_of(world, world.move("ben", talk, name, first, approves=first)) == "ApprovalInvalid"
        assert (
            code_of(world, world.move("dan", talk, name, first, approves=first)) == "ApprovalInvalid"
        )  # 35, and no role
    taken = world.taken("ben", talk, "b", first, approves=first)
    assert code_of(world, world.move("ben", talk, "b", first, approves=first)) == "ApprovalInvalid"  # twice
    assert code_of(world, world.move("cy", talk, "b", first, approves=taken)) == "ApprovalInvalid"
    world.taken("alice", talk, "a", first)
    assert code_of(world, world.move("cy", talk, "b", first, approves=first)) == "ApprovalInvalid"  # no longer the last
    world.taken("ben", talk, "b", first, approves=world.talk(talk).instances[first].transitions[-1].message_id)
    assert code_of(world, world.say("cy", talk, c7=world.state_of(TWO, None, "b", {}, first))) == "ClaimForm"


def test_a_child_approves_nothing() -> None:
    world, talk = flow_of(step("a"), step("b", needs=["a"], approvals=["a", 1, ["risk"]], **END))
    start = world.taken("alice", talk, "a")
    kid = world.spawned("ben", talk, "kid")
    assert code_of(world, world.move("kid", talk, "b", start, approves=start, branch=kid)) == "GrantScope"
    assert code_of(world, world.move("ben", talk, "b", start, approves=start, branch=kid)) == "ok"


def test_an_approval_moves_nothing() -> None:
    world, talk = flow_of(
        step("a"), step("b", needs=["a"], approvals=["a", 1, ["risk"]]), step("c", needs=["b"], **END)
    )
    start = world.taken("alice", talk, "a")
    world.taken("ben", talk, "b", start, approves=start)
    instance = world.talk(talk).instances[start]
    assert (len(instance.transitions), len(instance.approvals)) == (1, 1)
    assert code_of(world, world.move("alice", talk, "c", start)) == "StepNeeds"
