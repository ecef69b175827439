"""Entries that fail chosen checks of admission.2 and no other: for each number one alone, and every pair that there can be.

    $ python -m tests.properties.order_of_checks       # how many pairs there are, and which cannot be, and why

``Stage`` is a realm in which each fault is possible. ``entry`` makes an entry that has these faults: by whom it is, where it is said, and
what it claims, are put together from them. ``why_not`` says why two of them do not go together.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from ama2sec.limits import SEQ_COUNTER_JUMP
from ama2sec.reference import encode, parse
from tests.properties.order_stage import DEAD, OF_INSTANCE, RICH, Stage, child_name
from tests.realm_world import FORK, ROLLBACK, TIME

ID, OTHER = b"i" * 32, b"o" * 32
# In the order of admission.2. ``RegistryAhead`` is ContextAhead, of the registry.
NUMBERS: dict[str, int] = {
    "PrincipalRevoked": 1, "PurposeWrong": 2, "NotAMember": 3, "GrantUndone": 4, "GrantEnded": 5, "GrantExpired": 6, "Halted": 7,
    "SeqUsed": 8, "SeqWindow": 9, "RegistryAhead": 10, "RegistryForked": 11, "ConversationClosed": 12, "BranchUnknown": 13,
    "ContextAhead": 14, "ContextUnder": 15, "ContextForked": 16, "BranchUndone": 17, "BranchClosed": 17, "BranchSuperseded": 17,
    "GrantPlace": 18, "GrantScope": 19, "MergeForm": 20, "MergeUnknown": 21, "MergeAhead": 21, "MergeUnder": 21, "MergeForked": 21,
    "MergeUndone": 22, "MergeStale": 23, "ForkKey": 24, "ForkForm": 24, "ForkWidens": 24,
    "RollbackRole": 25, "RollbackTarget": 26, "RollbackIncomplete": 27, "RollbackScope": 28, "RollbackPivot": 29, "RollbackCap": 30,
    "HaltedByEffect": 31,
    "WorkflowUnknown": 32, "WorkflowVersion": 33, "StepUnknown": 34, "StepRole": 35, "WorkflowEnded": 36, "DeadlinePassed": 36,
    "StepSpent": 37, "StepExcluded": 37, "StepNeeds": 38, "StepWhen": 39, "ApprovalsMissing": 39, "ApprovalInvalid": 39, "ContextStale": 40,
}  # fmt: skip
ORDER = list(NUMBERS)
OF_PRINCIPAL = {
    "PrincipalRevoked": "gone",
    "PurposeWrong": "operator",
    "NotAMember": "out",
    "RollbackRole": "plain",
    "StepRole": "plain",
}
OF_GRANT = {"GrantUndone": "undone", "GrantEnded": "ended", "GrantExpired": "expired"}
OF_CHILD = {*OF_GRANT, "GrantPlace", "GrantScope", "ForkWidens", "RollbackScope"}
OF_ROLLBACKS = {name for name in ORDER if 25 <= NUMBERS[name] <= 31}
OF_WORKFLOWS = {name for name in ORDER if NUMBERS[name] >= 32}
MERGES = {name for name in ORDER if 21 <= NUMBERS[name] <= 23}
# What an entry has once. Two faults of one list are two values of it.
ONE_OF = {
    "a number is used, or too far away": {"SeqUsed", "SeqWindow"},
    "a context is of one size": {"ContextAhead", "ContextUnder"},
    "a registry context is of one size, which the registry has or has not": {"RegistryAhead", "RegistryForked"},
    "an entry is on one branch, which has one fate": {"BranchUnknown", *DEAD, "GrantPlace"},
    "within check 21 it is the order of the list that decides": {name for name in MERGES if NUMBERS[name] == 21},
}
STAGED = "both are of a rollback, or of a workflow: staged for themselves"
"""By ``staged`` of test_reference_rollback and of test_reference_workflows, which build the realm for the faults."""


# -- entries -------------------------------------------------------------------------------------------------------


def kinds_of(fault: str) -> set[str]:
    """In which kinds of entries a fault can be: a step, an approval, a fork with a grant, a rollback."""
    number = NUMBERS[fault]
    if number == 20:
        return {"fork", "rollback"}
    if number in {21, 22, 23}:
        return {"step", "approval"}
    if number == 24:
        return {"fork"}
    if 25 <= number <= 31:
        return {"rollback"}
    if fault == "ApprovalInvalid":
        return {"approval"}
    if fault in {"StepNeeds", "StepWhen", "ApprovalsMissing"}:
        return {"step"}
    if number >= 32:
        return {"step", "approval"}
    return {"step", "approval", "fork", "rollback"}


def kinds(faults: set[str]) -> list[str]:
    """Those in which all of them can be. Where merges have the wrong form, it is in kinds that do not merge."""
    extended = {"fork", "rollback"} if "MergeForm" in faults else set()
    found = [kinds_of(fault) | (extended if fault in MERGES else set()) for fault in faults]
    return sorted(set.intersection(*found))


def why_not(first: str, second: str) -> str | None:
    """Why no entry has both of these faults alone; None if one has."""
    both = {first, second}
    if both in (
        {"GrantUndone", "BranchUndone"},
        {"BranchUndone", "BranchClosed"},
    ):  # what is undone may have been closed
        return None
    if found := [reason for reason, group in ONE_OF.items() if len(both & group) > 1]:
        return found[0]
    if not kinds(both):
        return "the kind of the one entry is not that of the other"
    if both <= OF_ROLLBACKS or both <= OF_WORKFLOWS:
        return STAGED
    if "PurposeWrong" in both and both & OF_CHILD:
        return "an operator has no children, and a purpose is for ever"
    if "GrantUndone" in both and both & {*DEAD, "BranchUnknown", "GrantPlace"}:
        return "an undone grant is on its own branch, which is undone"
    if "GrantUndone" in both and both & {*RICH, "HaltedByEffect"}:
        return "what is undone holds nothing that could fall"
    return None


def entry(stage: Stage, faults: set[str], kind: str) -> bytes:
    """An entry of this kind that has these faults, and no other."""
    talk = stage.talk(stage.conversation)
    by, place = author(stage, faults)
    at = talk.branches[stage.at[place]]
    n = at.base if "ContextUnder" in faults else at.size
    if "Halted" in faults:
        stage.did(stage.halt("op", (5, stage.ids[by])))
    if "HaltedByEffect" in faults:
        stage.did(stage.halt("op", (2, stage.conversation, stage.at[f"{target_of(faults, place)} fork"])))
    size, fingerprint = stage.registry_context()
    context: list[Any] = [n, at.fingerprint(n) if n > at.base else OTHER, size, fingerprint]
    context[0] += 5 * ("ContextAhead" in faults)
    context[2] += "RegistryAhead" in faults
    context[3] = OTHER if "RegistryForked" in faults else context[3]
    parent = OTHER if "ContextForked" in faults else at.leaves[n - 1]
    changes: dict[str, Any] = {
        "c5": context,
        "c6": [OTHER if "BranchUnknown" in faults else at.id, parent, heads(stage, faults)],
        "c8": [stage.ids["cy"]] if "GrantScope" in faults else [],
    }
    if "SeqUsed" in faults:
        changes["c9"] = list(talk.seqs[stage.ids[by]])
    if "SeqWindow" in faults:
        changes["c9"] = [TIME + 1, SEQ_COUNTER_JUMP + 1]
    made = {"step": _step, "approval": _step, "fork": _fork, "rollback": _rollback}[kind]
    kind_of = {"fork": {"kind": FORK}, "rollback": {"kind": ROLLBACK}}.get(kind, {})
    changes |= made(stage, faults, target_of(faults, place), kind)
    return stage.say(by, stage.conversation, branch=at.id, n=max(n, at.base + 1), **kind_of, **changes)


def author(stage: Stage, faults: set[str]) -> tuple[str, str]:
    """Who, and on which branch."""
    principal = frozenset(OF_PRINCIPAL[fault] for fault in faults if fault in OF_PRINCIPAL)
    states = frozenset(OF_GRANT[fault] for fault in faults if fault in OF_GRANT)
    dead = next((DEAD[fault] for fault in faults if fault in DEAD), None)
    rich = next((fault for fault in faults if fault in RICH), None)
    if not faults & OF_CHILD:
        if {"BranchUndone", "BranchClosed"} <= faults:
            return stage.names[principal], child_name("", ("ended", "undone"))
        return stage.names[principal], " ".join(part for part in ("side", rich, dead) if part)
    kid = child_name(next(iter(principal), ""), states, rich=rich is not None)
    if "GrantPlace" in faults:
        return kid, f"side {rich}" if rich else "side"
    if dead is not None and "undone" not in states:
        return kid, f"{kid} {dead}"
    return kid, f"{kid} {rich}" if rich else f"{kid} own"


def target_of(faults: set[str], place: str) -> str:
    """What would be cut: the author's branch, or the one that it was forked off."""
    if "RollbackScope" in faults:
        return "trunk" if "GrantUndone" in faults else "nest"
    if faults & {*RICH, "HaltedByEffect"} and faults & DEAD.keys():
        return place.rpartition(" ")[0]
    return place


def heads(stage: Stage, faults: set[str]) -> list[Any]:
    trunk, other, cut, nest = (stage.branch(name) for name in ("trunk", "other", "doomed", "nest"))
    made = {
        "MergeForm": [other.id, other.size, other.fingerprint(other.size)],
        "MergeUnknown": [ID, 1, ID],
        "MergeAhead": [nest.id, nest.size + 1, ID],
        "MergeUnder": [nest.id, nest.base, ID],
        "MergeForked": [nest.id, nest.size, ID],
        "MergeUndone": [cut.id, cut.size, cut.fingerprint(cut.size)],
        "MergeStale": [trunk.id, 1, trunk.fingerprint(1)],
    }
    return sorted((head for fault, head in made.items() if fault in faults), key=encode)


def _step(stage: Stage, faults: set[str], place: str, kind: str) -> dict[str, Any]:
    fault = next((each for each in OF_INSTANCE if each in faults), "")
    state: list[Any] = [stage.instances[fault], stage.flow, "pay", {}, None]
    if kind == "approval":
        state[4] = stage.subjects[fault]
    state[0] = OTHER if "WorkflowUnknown" in faults else state[0]
    state[1] = OTHER if "WorkflowVersion" in faults else state[1]
    state[2] = "none" if "StepUnknown" in faults else state[2]
    state[3] = {"n": 1} if "ApprovalInvalid" in faults else {}
    return {"c7": state}


def _fork(stage: Stage, faults: set[str], place: str, kind: str) -> dict[str, Any]:
    changes: dict[str, Any] = {"to": [stage.ids["bob"]], "depth": 3 if "ForkWidens" in faults else 2}
    if "ForkForm" in faults:
        changes["expires"] = stage.now
    elif "GrantExpired" in faults:
        changes["expires"] = stage.now + 1
    return {"c15": stage.grant("bob" if "ForkKey" in faults else "new", **changes), "c11": stage.counted_salt()}


def _rollback(stage: Stage, faults: set[str], place: str, kind: str) -> dict[str, Any]:
    target = stage.branch(place)
    keep = target.base if "RollbackTarget" in faults else max(target.base + 1, target.end - 1)
    if faults & {"RollbackScope"}:
        keep = target.base + 1
    wrong = faults & {"RollbackTarget", "RollbackIncomplete"} or not target.base < keep < target.end
    found = stage.rollback(
        "bob", stage.conversation, keep, target=target.id, branch=stage.at["side"], falls=[1, OTHER] if wrong else None
    )
    said = parse(found).claims.rollback
    assert said is not None
    return {"c16": [said.target, said.keep, [said.count, said.hash], ""]}


OPENING = [
    "PrincipalRevoked",
    "PurposeWrong",
    "NotAMember",
    "Halted",
    "RegistryAhead",
    "RegistryForked",
    "WorkflowUnknown",
]
OPENING += ["WorkflowVersion", "StepUnknown", "StepRole", "StepNeeds"]
"""What an open that starts an instance is judged by; its number 8 is met by a replay alone, since a duplicate gets the original receipt."""
NOT_OF_ONE_OPEN = [{"RegistryAhead", "RegistryForked"}, {"StepUnknown", "StepNeeds"}]
"""It has one registry context, and takes one step."""


def opening(stage: Stage, faults: set[str]) -> bytes:
    """An open with these faults."""
    own = {"PrincipalRevoked": "gone", "PurposeWrong": "operator", "StepRole": "plain"}
    by = stage.names[frozenset(own[fault] for fault in faults if fault in own)]
    if "Halted" in faults:
        stage.did(stage.halt("op", (5, stage.ids[by])))
    size, fingerprint = stage.registry_context()
    context = [0, bytes(32), size + ("RegistryAhead" in faults), OTHER if "RegistryForked" in faults else fingerprint]
    name = "none" if "StepUnknown" in faults else "draft" if "StepNeeds" in faults else "start"
    state = [None, OTHER if "WorkflowVersion" in faults else stage.flow, name, {}, None]
    members = [stage.ids["bob"]] if "NotAMember" in faults else None
    workflow = [False, "none" if "WorkflowUnknown" in faults else "flow"]
    return stage.open(by, members=members, c5=context, c7=state, c14=workflow)


def pairs() -> Iterator[tuple[str, str]]:
    """Every two faults, the earlier one first."""
    return itertools.combinations(ORDER, 2)


if __name__ == "__main__":
    by_reason: dict[str, list[str]] = {}
    for first, second in pairs():
        by_reason.setdefault(why_not(first, second) or "put to both", []).append(f"{first} {second}")
    for reason, of in sorted(by_reason.items(), key=lambda row: -len(row[1])):
        print(f"{len(of):5} {reason}")
        for pair in of if reason not in {"put to both", STAGED} else ():
            print(f"        {pair}")
