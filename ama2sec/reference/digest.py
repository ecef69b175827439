"""The digests of a state (spec admission.4): what two implementations compare after every entry."""

from __future__ import annotations

import hashlib

from ama2sec.reference import hashes
from ama2sec.reference.claims import DEFINE
from ama2sec.reference.codec import Value, encode
from ama2sec.reference.dag import Branch, Conversation, Granted, Instance, Seq, Transition
from ama2sec.reference.registry import Agent, Defined, KeyPeriod, Proposal, Registry


def conversation_digest(conversation: Conversation) -> bytes:
    """Of a conversation (4.1)."""
    c = conversation
    required, definition = c.workflow
    return _digest(
        [
            1,
            c.id,
            None if c.members is None else list(c.members),
            [required, definition],
            c.closed,
            c.records,
            [_branch(branch, c.grants.get(branch.id)) for _, branch in sorted(c.branches.items())],
            _seqs(c.seqs),
            [_instance(instance) for _, instance in sorted(c.instances.items())],
        ]
    )


def _instance(instance: Instance) -> Value:
    transitions: list[Value] = [
        [each.message_id, each.branch, each.index, each.step, each.principal, _outputs(each)]
        for each in instance.transitions
    ]
    approvals: list[Value] = [
        [each.message_id, each.branch, each.index, each.step, each.subject, each.principal]
        for each in instance.approvals
    ]
    return [instance.id, instance.workflow.id, instance.start_time, instance.rollbacks, transitions, approvals]


def _outputs(transition: Transition) -> Value:
    outputs: dict[int | str, Value] = {}
    outputs.update(transition.outputs)
    return outputs


def _branch(branch: Branch, granted: Granted | None) -> Value:
    merges: list[Value] = [
        [index, [[branch_id, size] for branch_id, size in heads]] for index, heads in sorted(branch.merges.items())
    ]
    return [
        branch.id,
        None if branch.parent is None else branch.parent.id,
        branch.base,
        branch.size,
        branch.root,
        _status(branch),
        branch.cut,
        branch.successor,
        branch.opener,
        None if granted is None else _grant(granted),
        merges,
    ]


def _status(branch: Branch) -> int:
    if branch.undone:
        return 3
    if branch.closed:
        return 1
    return 0 if branch.successor is None else 2


def _grant(granted: Granted) -> Value:
    grant = granted.grant
    return [
        grant.key,
        granted.by,
        granted.parent,
        None if grant.steps is None else list(grant.steps),
        None if grant.to is None else list(grant.to),
        grant.rights,
        grant.expires,
        grant.depth,
        grant.next,
    ]


def registry_digest(registry: Registry) -> bytes:
    """Of the registry (4.2)."""
    r = registry
    names = sorted(r.definitions, key=encode)
    return _digest(
        [
            2,
            r.name,
            r.size,
            r.root,
            r.rules_version,
            r.profile,
            [r.policy_id, r.policy.to_value()],
            [_agent(agent) for _, agent in sorted(r.agents.items())],
            [_definitions(name, r.definitions[name]) for name in names],
            [_proposal(proposal) for proposal in r.proposals],
            [*sorted(r.erased)],
            _seqs(r.seqs),
            [[halt.id, halt.author, list(halt.scope), halt.start] for _, halt in sorted(r.halts.items())],
            [[halt.id, halt.until] for _, halt in sorted(r.halts.items()) if halt.until is not None],
        ]
    )


def _definitions(name: str, meanings: list[Defined]) -> Value:
    return [name, [[each.entry_id, each.workflow.id, each.start] for each in meanings]]


def _agent(agent: Agent) -> Value:
    periods = [_period(each) for each in agent.enrolments]
    return [agent.id, agent.name, agent.purpose, periods, agent.revoked_at, agent.suspect_from]


def _period(each: KeyPeriod) -> Value:
    return [each.entry_id, each.key.raw, list(each.groups), each.next, each.start, each.until]


def _proposal(proposal: Proposal) -> Value:
    own = proposal.own_value
    if proposal.kind == DEFINE and isinstance(own, list) and isinstance(own[2], bytes):
        own = [*own[:2], hashlib.sha256(own[2]).digest()]
    return [proposal.id, proposal.leaf, proposal.author, proposal.kind, own, [*sorted(proposal.approved)]]


def _seqs(seqs: dict[bytes, Seq]) -> Value:
    return [[agent, *seq] for agent, seq in sorted(seqs.items())]


def _digest(value: Value) -> bytes:
    return hashes.state(encode(value))
