"""Small workflows in which somebody rolls back, exhaustively: both implementations against a model, and an honest order ends them."""

from __future__ import annotations

import pytest

from tests.properties.small_undone_work import explore
from tests.remembered import remembering
from tests.two_realms import MET

CODES = {
    "ApprovalInvalid",
    "ApprovalsMissing",
    "BranchSuperseded",
    "ContextStale",
    "RollbackIncomplete",
    "RollbackRole",
}
CODES |= {
    "BranchUndone",
    "MergeUndone",
    "RollbackTarget",
    "StepNeeds",
    "StepRole",
    "StepSpent",
    "WorkflowUnknown",
}


@pytest.mark.parametrize(("name", "histories"), [("join", 9), ("either", 10), ("any", 10)])
def test_every_history_of_two_moves(name: str, histories: int) -> None:
    met = MET.copy()
    with remembering():
        done, ended = explore(name, 2)
    assert (done.histories, ended["ended"] > 4) == (histories, True)
    assert name == "join" or (MET - met)["WorkflowEnded"] > 4


def test_every_history_of_three_moves() -> None:
    """``make enumerate-undone`` goes deeper, with all four definitions."""
    met = MET.copy()
    with remembering():
        done, ended = explore("line", 3)
    assert (done.histories, dict(ended)) == (33, {"ended": 21})
    assert set(MET - met) >= CODES, sorted(CODES - set(MET - met))
