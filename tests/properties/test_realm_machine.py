"""A realm under whatever is done to it: agents, sub-agents, forks, merges, workflows, rollbacks, halts and revocations, all in one.

Rules are honest acts (``realm_machine``), and hostile ones (``hostile_workflows``, ``hostile_rollbacks``). After each of them the core, the
reference and ``machine_model`` agree. ``make machine`` runs it for longer, and differently each time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from ama2sec.conform import answer
from ama2sec.errors import Ama2Error
from ama2sec.reference import halts, rollbacks, workflows
from ama2sec.reference.dag import Conversation
from tests import two_realms
from tests.properties.hostile_rollbacks import HostileMachine
from tests.properties.machine_world import OF_ROLLBACKS, OF_WORKFLOWS, Ledger
from tests.remembered import remembering
from tests.two_realms import MET

RUNS = int(os.environ.get("AMA2SEC_MACHINE", "0"))
SEED = os.environ.get("AMA2SEC_SEED", "2026")
LEAST, MOST = 4, 40

# Each of these has come about in the runs of the test, and each of these codes was the answer of both implementations and the model.
RULES = {
    "advance",
    "go back",
    "wrong step",
    "forged approval",
    "a child approves",
    "race",
    "old visit",
    "not seen",
    "behind the end",
}
RULES |= {"undone approval", "left out", "pivot", "wrong rollback", "outside of a grant", "undone place", "dead branch"}
RULES |= {
    "not to be paid",
    "ended",
    "ended honestly",
    "once more",
    "too often",
    "held",
    "late",
    *(f"halted {scope}" for scope in range(6)),
}
CODES = OF_ROLLBACKS | OF_WORKFLOWS
CODES |= {"Halted", "ResumeInvalid", "GrantUndone", "GrantEnded", "GrantScope", "BranchUndone", "BranchClosed"}
CODES |= {
    "BranchSuperseded",
    "MergeUndone",
    "PrincipalRevoked",
    "NotAMember",
    "SeqUsed",
    "KeyUnknown",
    "SignatureInvalid",
}


def run(number: int, *, phases: tuple[Phase, ...] = (Phase.generate, Phase.shrink), examples: int = 10) -> None:
    """So many realms of 40 rules; another number, others."""
    settled = settings(
        max_examples=examples,
        stateful_step_count=40,
        database=None,
        deadline=None,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with remembering():
        run_state_machine_as_test(seed(f"{SEED} {number}")(HostileMachine), settings=settled)


def test_whatever_is_done_both_and_the_model_agree() -> None:
    """What is drawn depends on what else is loaded (Hypothesis takes constants from it): so it goes on until everything has come about."""
    HostileMachine.seen.clear()
    met = MET.copy()
    for number in range(RUNS or MOST):
        run(number)
        rules, codes = RULES - (+HostileMachine.seen).keys(), CODES - (MET - met).keys()
        if not RUNS and number + 1 >= LEAST and not rules and not codes:
            break
    assert not rules, (sorted(rules), HostileMachine.seen)
    assert not codes, (sorted(codes), (MET - met).most_common())


# -- the machine itself: faults that are planted are found ---------------------------------------------------------


def without(code: str, of: Callable[..., Any]) -> Callable[..., Any]:
    """A check that never gives this code."""

    def lax(*given: Any) -> Any:
        try:
            return of(*given)
        except Ama2Error as fault:
            if fault.code != code:
                raise
            return None

    return lax


def keeping_approvals(of: Callable[..., None]) -> Callable[..., None]:
    """A rollback that leaves the approvals of what it undoes."""

    def lax(talk: Conversation, *given: Any) -> None:
        before = {each.id: list(each.approvals) for each in talk.instances.values()}
        of(talk, *given)
        for each in talk.instances.values():
            each.approvals = before[each.id]

    return lax


def forgiving(of: Callable[..., None]) -> Callable[..., None]:
    """A rollback that does not count."""

    def lax(talk: Conversation, *given: Any) -> None:
        of(talk, *given)
        for each in talk.instances.values():
            each.rollbacks = 0

    return lax


PLANTED: dict[str, tuple[Any, str, Callable[[Any], Any]]] = {
    "31 is not asked": (rollbacks, "_check_effects", lambda of: without("HaltedByEffect", of)),
    "approvals outlive their subject": (rollbacks, "apply", keeping_approvals),
    "rollbacks do not count": (rollbacks, "apply", forgiving),
    "what is merged does not fall": (
        rollbacks,
        "_first_to_fall",
        lambda _: (
            lambda branch, cuts: (
                branch.base
                if branch.parent is not None and branch.base > cuts.get(branch.parent.id, branch.base)
                else None
            )
        ),
    ),
    "an old visit is current": (
        workflows._Asked,
        "is_current",
        lambda _: lambda asked, need: asked.last(need) is not None,
    ),
    "a child is not halted with who made it": (
        halts,
        "covers",
        lambda of: lambda scope, subject: scope[0] != 5 and of(scope, subject),
    ),
}


def found(monkeypatch: pytest.MonkeyPatch, name: str) -> str:
    """What the machine says of a fault in the reference."""
    module, function, make = PLANTED[name]
    monkeypatch.setattr(module, function, make(getattr(module, function)))
    for number in range(MOST):
        try:
            run(number, phases=(Phase.generate,))
        except (AssertionError, KeyError) as fault:
            return str(fault)
    return "nothing"


@pytest.mark.parametrize("name", ["31 is not asked", "approvals outlive their subject"])
def test_a_fault_in_one_of_them_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "reference" in found(monkeypatch, name)


@pytest.mark.parametrize("name", PLANTED)
def test_the_same_fault_in_both_is_found_by_the_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(**question: Any) -> Any:
        return json.loads(answer(json.dumps(question).encode(), "reference"))

    monkeypatch.setattr(two_realms, "both", ask)
    monkeypatch.setattr(Ledger, "alone", True)
    assert found(monkeypatch, name) != "nothing"
