"""Halts and resumes in the registry (spec halt.3): who may say them, what a resume needs, and what a halt stops."""

from __future__ import annotations

from collections import Counter

from ama2sec.limits import MAX_HALTS
from ama2sec.reference.claims import HALT
from ama2sec.reference.dag import Conversation
from ama2sec.reference.envelope import Envelope
from ama2sec.reference.forms import refuse
from ama2sec.reference.registry import (
    ROOT_PURPOSE,
    SEQUENCER_PURPOSE,
    Registry,
    RegistryChange,
    check_live,
    check_proposal,
    find_proposal,
)
from ama2sec.reference.scopes import REALM, Halt, covers, read_scope, subject_of

OPERATOR_PURPOSE = 2


def judge_halt(registry: Registry, entry: Envelope) -> Halt:
    """The halt that an entry would be (3.1, 3.2). Raises ``PrincipalRevoked``, ``PurposeWrong`` or ``SeqUsed``."""
    claims = entry.claims
    _check_author(registry, entry, {OPERATOR_PURPOSE if claims.kind == HALT else SEQUENCER_PURPOSE})
    mine = [halt for halt in registry.halts.values() if halt.author == claims.agent and halt.until is None]
    scope = read_scope(claims.scope or b"", registry.definitions)
    return Halt(entry.message_id, claims.agent, REALM if len(mine) >= MAX_HALTS else scope, registry.size + 1)


def judge_resume(registry: Registry, entry: Envelope) -> RegistryChange:
    """What a resume would bring (3.3, 3.4). Raises the code of the first check that fails."""
    author = _check_author(registry, entry, {OPERATOR_PURPOSE, ROOT_PURPOSE})
    proposal = find_proposal(registry, entry)
    approved = frozenset({*proposal.approved, author})
    living = Counter(registry.agents[each].purpose for each in approved if registry.live(registry.size, each))
    policy = registry.policy
    in_force = living[OPERATOR_PURPOSE] >= policy.resume or living[ROOT_PURPOSE] >= policy.root
    if entry.claims.approves is None or in_force:
        check_proposal(registry, proposal)
    return RegistryChange(proposal, approved, in_force)


def _check_author(registry: Registry, entry: Envelope, purposes: set[int]) -> bytes:
    author = check_live(registry, registry.size, entry.claims.agent, entry.kid)
    if author.purpose not in purposes:
        refuse("PurposeWrong", f"a purpose of {sorted(purposes)}", str(author.purpose))
    if entry.message_id in registry.leaves:
        refuse("SeqUsed", "an entry that is new", entry.message_id.hex())
    return author.id


def apply_halt(registry: Registry, halt: Halt) -> None:
    """Make an admitted halt the next leaf. From there on it is in force."""
    registry.append(halt.id)
    registry.halts[halt.id] = halt


def check_halted(registry: Registry, size: int, entry: Envelope, conversation: Conversation | None) -> None:
    """No halt that is in force at this size covers an entry of this conversation, or an open (3.6); else ``Halted``."""
    subject = subject_of(entry, conversation)
    for halt in registry.halts.values():
        if halt.in_force(size) and covers(halt.scope, subject):
            refuse("Halted", "no halt in force that covers this", halt.id.hex())
