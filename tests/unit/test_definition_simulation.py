"""An instance played through: the code of every step out of order (spec workflow.3, workflow.4)."""

from __future__ import annotations

import pytest

from ama2sec import Ama2Error
from ama2sec.realm.definitions import AnyOf, Definition, Step
from ama2sec.realm.definitions.simulation import Refusal, Simulation, read_output


def code(found: Refusal | None) -> str | None:
    return None if found is None else found.code


def trading(*steps: str) -> Simulation:
    run = Simulation(Definition.shipped("trading"))
    for step in steps:
        assert run.take(step, "ada", outputs={"total": 900} if step == "quote" else None) is None
    return run


def test_four_eyes() -> None:
    run = trading("order", "quote")
    assert code(run.take("execute", "ada")) == "ApprovalsMissing"
    assert code(run.approve("execute", "ada", "risk")) == "ApprovalInvalid", "who made the quote does not approve it"
    assert code(run.approve("execute", "ben", "traders")) == "StepRole"
    assert run.approve("execute", "ben", "risk") is None
    assert code(run.approve("execute", "ben", "risk")) == "ApprovalInvalid", "once"
    assert code(run.take("execute", "ada")) == "ApprovalsMissing"
    assert run.approvers("execute") == ["ben"]
    assert run.approve("execute", "eve") is None
    assert run.take("execute", "ada", "traders") is None
    assert code(run.take("cancel", "ada")) == "StepExcluded"
    assert run.take("settle", "ada") is None
    assert run.ended
    assert {code(found) for found in run.verdicts().values()} == {"WorkflowEnded"}
    assert code(run.approve("execute", "eve")) == "WorkflowEnded"


def test_a_new_quote_wants_new_approvals() -> None:
    run = trading("order", "quote")
    assert run.approve("execute", "ben") is None
    assert run.approve("execute", "eve") is None
    assert run.take("refresh", "ada") is None
    assert code(run.verdict("execute")) == "StepExcluded"
    assert run.take("quote", "ada", outputs={"total": 2_000_000}) is None
    assert code(run.verdict("execute")) == "StepWhen"
    assert run.take("refresh", "ada") is None
    assert run.take("quote", "ada") is None
    assert "it is not there" in str(run.verdict("execute"))
    assert run.take("refresh", "ada") is None
    assert run.take("quote", "ada", outputs={"total": 5}) is None
    assert code(run.verdict("execute")) == "ApprovalsMissing"
    assert run.approvers("execute") == []


def test_order_roles_visits_and_time() -> None:
    run = trading()
    assert code(run.verdict("quote")) == "StepNeeds"
    assert code(run.approve("execute", "ben")) == "ApprovalInvalid", "there is nothing to approve"
    assert code(run.approve("order", "ben")) == "ApprovalInvalid", "nobody is asked"
    assert code(run.take("order", "ada", "risk")) == "StepRole"
    assert run.take("order", "ada") is None
    assert code(run.take("order", "ada")) == "StepSpent"
    assert run.take("quote", "ada", outputs={"total": 1}) is None
    assert code(run.verdict("quote")) == "StepNeeds", "nothing has happened since the last one"
    run.now_ms = 8 * 3_600_000
    assert code(run.verdict("execute")) == "ApprovalsMissing"
    run.now_ms += 1
    assert code(run.verdict("execute")) == "DeadlinePassed"
    with pytest.raises(Ama2Error, match="StepUnknown"):
        run.verdict("excute")


def test_what_rests_on_something_that_was_done_again_is_not_current() -> None:
    steps = [
        Step("draft", by=["g"]),
        Step("change", by=["g"], needs=AnyOf("draft", "review"), visits=3),
        Step("review", by=["g"], needs=["change"], visits=3),
        Step("publish", by=["g"], needs=["change", "review"], terminal=True),
    ]
    run = Simulation(Definition.build("paper", steps=steps))
    for step in ("draft", "change", "review"):
        assert run.take(step, "ada") is None
    assert run.verdict("publish") is None
    assert run.take("change", "ada") is None
    assert code(run.verdict("publish")) == "StepNeeds", "the review is of another text"
    assert "review first" in str(run.verdict("publish"))
    assert run.take("review", "ada") is None
    assert run.take("publish", "ada") is None


def test_outputs_as_people_type_them() -> None:
    step = Step("a", by=["g"], outputs={"n": "integer", "ok": "boolean", "word": "text"})
    assert read_output(step, "n=-12") == ("n", -12)
    assert read_output(step, "ok=false") == ("ok", False)
    assert read_output(step, "word=a=b") == ("word", "a=b")
    for wrong in ("n", "n=1.5", "n=", "ok=yes", "m=1", "n=\u0661", "n=--1"):
        with pytest.raises(Ama2Error, match="ArgumentRange"):
            read_output(step, wrong)
