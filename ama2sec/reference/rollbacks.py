"""Rollbacks (spec rollback): what falls with a cut, who may cut, and what is left.

The closure is computed as the spec states it, as the least fixpoint, by looking at every branch until nothing changes. The numbers beside
the checks are those of admission.2.
"""

from __future__ import annotations

from dataclasses import dataclass

from ama2sec.errors import error
from ama2sec.reference import hashes
from ama2sec.reference.codec import encode
from ama2sec.reference.dag import Approval, Branch, Conversation, Instance, Transition
from ama2sec.reference.envelope import Envelope
from ama2sec.reference.forms import refuse
from ama2sec.reference.kinds import RollbackClaim
from ama2sec.reference.registry import Registry


@dataclass(frozen=True, slots=True)
class Cuts:
    """What an admitted rollback cuts: of each branch of its closure where (rollback.2.2)."""

    target: bytes
    at: dict[bytes, int]


def closure(conversation: Conversation, target: bytes, keep: int) -> dict[bytes, int]:
    """Of each branch that falls, or of which a part does, the first leaf that is undone (2.2)."""
    cuts = {target: keep}
    while True:
        more = {}
        for branch in conversation.branches.values():
            falls = _first_to_fall(branch, cuts)
            if falls is not None and falls < min(branch.end, cuts.get(branch.id, branch.end)):
                more[branch.id] = falls
        if not more:
            return cuts
        cuts |= more


def _first_to_fall(branch: Branch, cuts: dict[bytes, int]) -> int | None:
    """The first leaf of its own that rests on one that is cut."""
    if branch.parent is not None and branch.base > cuts.get(branch.parent.id, branch.base):
        return branch.base
    fallen = [
        index for index, heads in branch.merges.items() if any(size > cuts.get(source, size) for source, size in heads)
    ]
    return min(fallen, default=None)


def closure_digest(conversation: Conversation, cuts: dict[bytes, int]) -> tuple[int, bytes]:
    """How many leaves fall, and the hash of the closure (2.3)."""
    rows = [(each, cuts[each], conversation.branches[each].end) for each in sorted(cuts)]
    return sum(end - cut for _, cut, end in rows), hashes.closure(encode([list(row) for row in rows]))


def judge(
    registry: Registry, size: int, entry: Envelope, conversation: Conversation, principal: bytes
) -> tuple[bytes, Cuts]:
    """The id of the target's successor, and what is cut. Raises the code of the first check that fails, of 25 to 31."""
    said = entry.claims.rollback
    assert said is not None  # noqa: S101  (the kind has the claim)
    _check_role(registry, size, conversation, principal)
    _check_target(entry, conversation, said)
    cuts = closure(conversation, said.target, said.keep)
    if (said.count, said.hash) != closure_digest(conversation, cuts):  # 27
        refuse("RollbackIncomplete", "the closure as it is now", f"another of {said.count}")
    grant = entry.claims.grant
    for each in cuts if grant is not None else ():  # 28
        if grant not in {above.id for above in conversation.branches[each].lineage()}:
            refuse("RollbackScope", "branches of the child's own", each.hex())
    _check_effects(registry, size, conversation, cuts)
    return hashes.successor(entry.message_id, said.target), Cuts(said.target, cuts)


def _check_role(registry: Registry, size: int, conversation: Conversation, principal: bytes) -> None:  # 25
    name = conversation.workflow[1]
    if name is None:
        return
    defined, live = registry.definition(name, size), registry.live(size, principal)
    allowed = set() if defined is None else set(defined.workflow.rollback_by)
    if live is None or not allowed & set(live.groups):
        refuse("RollbackRole", f"one of {sorted(allowed)}", principal.hex())


def _check_target(entry: Envelope, conversation: Conversation, said: RollbackClaim) -> None:  # 26
    lineage = {branch.id: branch for branch in conversation.branches[entry.claims.branch].lineage()}
    target = lineage.get(said.target)
    if target is None:
        raise error("RollbackTarget", "a branch of the author's lineage", said.target.hex())
    if target.undone or not target.base < said.keep < target.end:
        refuse("RollbackTarget", f"a cut between {target.base} and {target.end}", str(said.keep))
    if conversation.tip(target.id).closed:
        refuse("RollbackTarget", "a branch that is open", "one that is closed")


def _check_effects(registry: Registry, size: int, conversation: Conversation, cuts: dict[bytes, int]) -> None:
    touched = {each.id: each for each in conversation.instances.values() if _undone(each, cuts)}
    for instance in touched.values():  # 29
        for taken in _undone(instance, cuts):
            step = instance.workflow.steps[taken.step]
            if step.pivot:
                refuse("RollbackPivot", "no point of no return", step.name)
    for instance in touched.values():  # 30
        if instance.rollbacks >= instance.workflow.rollback_cap:
            refuse("RollbackCap", f"at most {instance.workflow.rollback_cap} rollbacks", instance.id.hex())
    lines = {above.id for each in cuts for above in conversation.branches[each].lineage()}
    for halt in registry.halts.values():  # 31
        match halt.scope if halt.in_force(size) else ():
            case (2, conversation.id, branch):
                held = branch in lines
            case (3, conversation.id, bytes(instance_id)):
                # Its approvals are held as well.
                held = instance_id in touched or any(
                    _falls(each, cuts) for each in _approvals(conversation, instance_id)
                )
            case _:
                held = False
        if held:
            refuse("HaltedByEffect", "nothing that a halt holds", halt.id.hex())


def _falls(what: Transition | Approval, cuts: dict[bytes, int]) -> bool:
    return what.index >= cuts.get(what.branch, what.index + 1)


def _undone(instance: Instance, cuts: dict[bytes, int]) -> list[Transition]:
    return [taken for taken in instance.transitions if _falls(taken, cuts)]


def _approvals(conversation: Conversation, instance: bytes) -> list[Approval]:
    found = conversation.instances.get(instance)
    return [] if found is None else found.approvals


def apply(conversation: Conversation, cuts: Cuts, entry: Envelope, realm: bytes) -> None:
    """Cut, and let the successors begin (4)."""
    for instance in list(conversation.instances.values()):
        undone = _undone(instance, cuts.at)
        instance.transitions = [each for each in instance.transitions if each not in undone]
        instance.approvals = [each for each in instance.approvals if not _falls(each, cuts.at)]
        instance.rollbacks += bool(undone)
        if not instance.transitions:
            del conversation.instances[instance.id]
    has_ended = {each: conversation.tip(each).closed for each in cuts.at}
    for each, at in cuts.at.items():
        branch = conversation.branches[each]
        branch.cut, branch.undone, branch.successor = at, at == branch.base, None
        if branch.undone:
            continue
        if has_ended[each]:
            branch.closed = True
            continue
        branch.successor = hashes.successor(entry.message_id, each)
        scope = (realm, conversation.id, branch.successor)
        successor = Branch(scope, branch, at, entry.claims.agent)
        successor.append(entry.message_id)
        conversation.branches[successor.id] = successor
