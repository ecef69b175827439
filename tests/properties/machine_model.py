"""What a realm with workflows, rollbacks and halts has to be, stated once more: nothing but what was admitted, and what fell.

``Past`` keeps every entry that was admitted, in the order of the log, with the messages that it names itself. A workflow is judged by
``workflow_model`` over those that are left: a fresh fold each time. What falls is said by ``rollback_model``, over messages.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ama2sec.reference import encode, hashes
from ama2sec.reference.claims import OPEN, Claims, WorkflowState
from ama2sec.reference.dag import Branch, Conversation
from ama2sec.reference.envelope import Envelope
from ama2sec.reference.registry import Registry
from ama2sec.reference.scopes import Scope
from tests.properties.rollback_model import cuts_of, fallen, places
from tests.properties.workflow_model import Act, Message, Model, Said, Steps

NOBODY = 1 << 20
"""The number of a message that is not there, or no longer."""


@dataclass(frozen=True)
class Rules:
    """A definition as the model reads it."""

    steps: Steps
    rollback_by: tuple[str, ...]
    rollback_cap: int


@dataclass(frozen=True)
class Kept:
    """An entry that was admitted into a conversation. ``named`` are the leaves of its context, and of the heads that it merges."""

    talk: bytes
    by: bytes
    time: int
    named: frozenset[bytes]
    state: WorkflowState | None
    is_rollback: bool


@dataclass
class Past:
    """All that counts."""

    rules: dict[bytes, Rules]
    """Definitions by their ids."""
    groups: dict[bytes, tuple[str, ...]]
    """Of the agents that are live."""
    kept: dict[bytes, Kept] = field(default_factory=dict)
    gone: set[bytes] = field(default_factory=set)
    halts: dict[bytes, Scope] = field(default_factory=dict)
    """Those in force."""
    makers: dict[bytes, bytes] = field(default_factory=dict)
    """Who has granted a child."""
    rollbacks: Counter[bytes] = field(default_factory=Counter)

    # -- who, and what -------------------------------------------------------------------------------------------

    def line_of(self, agent: bytes) -> list[bytes]:
        """An agent, who made it, and so on to its principal."""
        found = [agent]
        while found[-1] in self.makers:
            found.append(self.makers[found[-1]])
        return found

    def is_live(self, agent: bytes) -> bool:
        return self.line_of(agent)[-1] in self.groups

    def left(self, talk: bytes) -> dict[bytes, Kept]:
        """What was not undone, in log order."""
        return {name: each for name, each in self.kept.items() if each.talk == talk and name not in self.gone}

    def fold(self, talk: bytes) -> dict[bytes, tuple[list[bytes], list[bytes]]]:
        """Of each instance its transitions and its approvals."""
        found: dict[bytes, tuple[list[bytes], list[bytes]]] = {}
        for name, each in self.left(talk).items():
            if each.state is None:
                continue
            lists = found[each.state.instance] if each.state.instance else found.setdefault(name, ([], []))
            lists[each.state.approves is not None].append(name)
        return found

    # -- halts: halt.2.3 -----------------------------------------------------------------------------------------

    def is_covered(self, entry: Envelope, talk: Conversation | None) -> bool:
        return any(self.covers(scope, entry, talk) for scope in self.halts.values())

    def covers(self, scope: Scope, entry: Envelope, talk: Conversation | None) -> bool:
        claims, where = entry.claims, entry.message_id if talk is None else talk.id
        if scope[0] in {1, 2, 3} and scope[1] != where:
            return False
        match scope:
            case (2, _, bytes(branch)):
                return talk is None or branch not in talk.branches or branch in self.lines(talk, claims)
            case (3, _, bytes(instance)):
                state = claims.workflow_state
                mine = None if state is None else state.instance or entry.message_id
                return talk is None or instance not in self.fold(talk.id) or instance == mine
            case (4, name):
                workflow = claims.workflow if talk is None else talk.workflow
                return workflow is not None and workflow[1] == name
            case (5, agent):
                return agent in self.line_of(claims.agent)
        return True

    def lines(self, talk: Conversation, claims: Claims) -> set[bytes]:
        named = [claims.branch, *(merge.branch for merge in claims.merges)]
        return {above.id for each in named if each in talk.branches for above in talk.branches[each].lineage()}

    # -- workflows: workflow.3, workflow.4 -----------------------------------------------------------------------

    def workflow_verdict(self, entry: Envelope, talk: Conversation | None, registry: Registry, time: int) -> str | None:
        """What 32 to 40 would say; None where the entry names a branch that is not there, or nobody who speaks."""
        claims = entry.claims
        state, workflow = claims.workflow_state, claims.workflow if talk is None else talk.workflow
        name = None if workflow is None else workflow[1]
        if state is None and (talk is not None or name is None):
            return "ok"
        meant = None if name is None else registry.definition(name, registry.size)
        if meant is None:
            return "WorkflowUnknown"
        if state is None:
            return "ok"
        if talk is not None and not {claims.branch, *(merge.branch for merge in claims.merges)} <= talk.branches.keys():
            return None
        if not self.is_live(claims.agent):
            return None
        if state.instance is None:
            return self.judged(entry, talk, meant.workflow.id, time)
        if talk is None or state.instance not in self.fold(talk.id):
            return "WorkflowUnknown"
        begun = self.kept[state.instance].state
        assert begun is not None
        return self.judged(entry, talk, begun.definition, time)

    def judged(self, entry: Envelope, talk: Conversation | None, definition: bytes, time: int) -> str:
        """By the model, over what is left."""
        claims, state = entry.claims, entry.claims.workflow_state
        assert state is not None
        model, numbers = self.model_of(talk, state.instance, definition)
        at = {} if talk is None else {branch: number for number, branch in enumerate(talk.branches)}
        act = Act(
            state.step,
            None if state.instance is None else numbers[state.instance],
            tuple(state.outputs.items()),
            None if state.approves is None else numbers.get(state.approves, NOBODY),
            state.definition == definition,
        )
        merges = tuple((at[merge.branch], merge.size) for merge in claims.merges)
        said = Said(self.line_of(claims.agent)[-1].hex(), at.get(claims.branch, 0), claims.size, merges, act)
        return model.verdict(said, time)

    def model_of(
        self, talk: Conversation | None, instance: bytes | None, definition: bytes
    ) -> tuple[Model, dict[bytes, int]]:
        """One instance among the messages that are left."""
        steps = self.rules[definition].steps
        people = {agent.hex(): groups for agent, groups in self.groups.items()}
        model, numbers = Model(steps, people, steps[0]["name"]), dict[bytes, int]()
        for name, each in {} if talk is None else self.left(talk.id).items():
            numbers[name] = len(numbers)
            act = self.act_of(name, each, instance, numbers)
            said = Said(self.line_of(each.by)[-1].hex(), 0, 0, (), act)
            # Whatever is named is there: else something stands on what was undone.
            named = frozenset(numbers[leaf] for leaf in each.named)
            model.messages.append(Message(numbers[name], said, each.time, named))
        if talk is not None:
            branches = talk.branches.values()
            held = [[] if each.undone else each.leaves[: each.end] for each in branches]
            model.branches = [[numbers[leaf] for leaf in leaves] for leaves in held]
            model.bases = [each.base for each in branches]
        return model, numbers

    def act_of(self, name: bytes, each: Kept, instance: bytes | None, numbers: dict[bytes, int]) -> Act | None:
        state = each.state
        if state is None or instance is None or (state.instance or name) != instance:
            return None
        outputs = tuple(state.outputs.items())
        if state.approves is None:
            return Act(state.step, numbers[state.instance] if state.instance else None, outputs)
        if not self.is_live(each.by):  # who has left approves no longer
            return None
        return Act(state.step, numbers[instance], outputs, numbers[state.approves])

    # -- rollbacks: rollback.3 -----------------------------------------------------------------------------------

    def rollback_verdict(self, entry: Envelope, talk: Conversation, registry: Registry) -> str | None:
        """What 25 to 31 would say; None where the entry's branch is not there, or where nobody speaks."""
        claims, said = entry.claims, entry.claims.rollback
        branch = talk.branches.get(claims.branch)
        if said is None or branch is None or not self.is_live(claims.agent):
            return None
        if not self.may_roll_back(claims.agent, talk, registry):
            return "RollbackRole"
        if not self.is_target(branch, talk, said.target, said.keep):
            return "RollbackTarget"
        falls = fallen(talk, said.target, said.keep)
        cuts = cuts_of(falls)
        rows = [[each, cuts[each], talk.branches[each].end] for each in sorted(cuts)]
        if (said.count, said.hash) != (len(falls), hashes.closure(encode(rows))):  # type: ignore[arg-type]
            return "RollbackIncomplete"
        lines = {each: {above.id for above in talk.branches[each].lineage()} for each in cuts}
        if claims.grant is not None and any(claims.grant not in line for line in lines.values()):
            return "RollbackScope"
        return self.effect(talk, falls, set().union(*lines.values()))

    def may_roll_back(self, agent: bytes, talk: Conversation, registry: Registry) -> bool:
        name = talk.workflow[1]
        if name is None:
            return True
        meant = registry.definition(name, registry.size)
        allowed = () if meant is None else self.rules[meant.workflow.id].rollback_by
        return bool(set(allowed) & set(self.groups[self.line_of(agent)[-1]]))

    def is_target(self, branch: Branch, talk: Conversation, target: bytes, keep: int) -> bool:
        if target not in {each.id for each in branch.lineage()}:
            return False
        held = sorted(index for owner, index in places(talk) if owner == target)
        return keep in held[1:] and not talk.tip(target).closed

    def effect(self, talk: Conversation, falls: set[tuple[bytes, int]], lines: set[bytes]) -> str:
        """29 to 31."""
        touched = self.touched(talk, falls)
        undone = {talk.branches[owner].leaves[index] for owner, index in falls}
        for transitions in touched.values():
            for each in transitions:
                state = self.kept[each].state
                assert state is not None
                steps = self.rules[state.definition].steps
                if each in undone and next(step for step in steps if step["name"] == state.step)["pivot"]:
                    return "RollbackPivot"
        for instance in touched:
            begun = self.kept[instance].state
            assert begun is not None
            if self.rollbacks[instance] >= self.rules[begun.definition].rollback_cap:
                return "RollbackCap"
        worded = {
            instance
            for instance, words in self.fold(talk.id).items()
            if undone & {each for kind in words for each in kind}
        }
        for scope in self.halts.values():
            if scope[0] in {2, 3} and scope[1] == talk.id and scope[2] in (lines if scope[0] == 2 else worded):
                return "HaltedByEffect"
        return "ok"

    def touched(self, talk: Conversation, falls: set[tuple[bytes, int]]) -> dict[bytes, list[bytes]]:
        """The instances that lose a transition, each with all of its transitions."""
        undone = {talk.branches[owner].leaves[index] for owner, index in falls}
        return {
            instance: transitions
            for instance, (transitions, _) in self.fold(talk.id).items()
            if undone & set(transitions)
        }

    # -- what happens --------------------------------------------------------------------------------------------

    def keep(self, entry: Envelope, conversation: Conversation | None, talk: bytes, time: int) -> None:
        """An entry that was admitted, on the state before it."""
        claims, named = entry.claims, set[bytes]()
        if conversation is not None and claims.rollback is None:  # the walk stops at a rollback (dag.4.3)
            heads = [(merge.branch, merge.size) for merge in claims.merges]
            for branch, size in ((claims.branch, claims.size), *heads):
                named |= set(conversation.branches[branch].leaves[:size])
        if claims.fork is not None:
            self.makers[entry.message_id] = claims.agent
        self.kept[entry.message_id] = Kept(
            talk, claims.agent, time, frozenset(named), claims.workflow_state, claims.rollback is not None
        )
        assert claims.kind == OPEN or not named & self.gone, "it stands on what was undone"

    def fell(self, talk: Conversation, falls: set[tuple[bytes, int]]) -> None:
        """What an admitted rollback undoes, on the state before it. Who has rolled back is a leaf in several places: see ``settle``."""
        for instance in self.touched(talk, falls):
            self.rollbacks[instance] += 1
        undone = {talk.branches[owner].leaves[index] for owner, index in falls}
        self.gone |= {each for each in undone if not self.kept[each].is_rollback}

    def settle(self, talk: Conversation) -> set[bytes]:
        """The messages that are held, on the state after a rollback; a rollback is gone where none of its places is left."""
        held = {talk.branches[owner].leaves[index] for owner, index in places(talk)}
        self.gone |= {name for name, each in self.left(talk.id).items() if each.is_rollback and name not in held}
        return held
