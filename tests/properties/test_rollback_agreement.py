"""Both implementations agree on rollbacks, answer by answer and digest by digest (rollback, admission.4.4).

Random histories with workflows, halts, children, forks and merges, in which people roll back (``AMA2SEC_SEED=7`` draws others). At
each rollback what falls is held against a statement of its own, over messages; and what is left of the workflows against a fold over
the messages that are left.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ama2sec.errors import Ama2Error
from ama2sec.reference import conversation_digest, decode, encode, parse
from ama2sec.reference.claims import WorkflowState
from ama2sec.reference.dag import Branch, Conversation
from ama2sec.reference.rollbacks import closure, closure_digest
from tests.both import IMPLEMENTATIONS, ask, same_code
from tests.properties.hostile_realm import GROUPS, OTHER
from tests.properties.rollback_model import cuts_of, fallen, places
from tests.properties.small_rollbacks import explore
from tests.properties.test_workflow_agreement import Working
from tests.realm_world import TIME
from tests.remembered import remembering
from tests.two_realms import MET, asked_of_core
from tests.unit.test_reference_rollback import FORMS, ORDER, staged, talk_of

SEED = os.environ.get("AMA2SEC_SEED", "2026")
HISTORIES, STEPS = 20, 120
# The rarer ones are those of SMALL, and of the cases that the reference's own tests stage.
WANTED = {
    "RollbackRole",
    "RollbackTarget",
    "RollbackIncomplete",
    "RollbackPivot",
    "RollbackCap",
    "BranchSuperseded",
    "Halted",
}

SMALL = {"RollbackTarget", "RollbackIncomplete", "RollbackScope", "BranchSuperseded", "BranchUndone", "MergeUndone"}
SMALL |= {"GrantUndone", "GrantEnded", "GrantPlace", "MergeStale", "BranchClosed"}


@dataclass
class Rolling(Working):
    """A hostile history in which people go back at times."""

    shapes: Counter[str] = field(default_factory=Counter)
    """What the rollbacks that were admitted did."""

    def step(self) -> None:
        choice = self.rng.random()
        if choice < 0.16:
            self.roll_back()
        elif choice < 0.3:
            self.merge_or_end()
        else:
            super().step()

    def sound(self, name: str) -> bytes:
        """Many may roll back here, some of them often."""
        value = decode(super().sound(name))
        assert isinstance(value, list)
        value[3] = self.rng.choice(([[], 3], [["buyers"], 1], [list(GROUPS), 0], [list(GROUPS), 2], [list(GROUPS), 9]))
        return encode(value)

    def branch(self, talk: bytes) -> Branch:
        """Mostly one on which something can be said."""
        all_ = list(self.world.talk(talk).branches.values())
        alive = [each for each in all_ if not (each.undone or each.closed or each.successor)]
        return self.rng.choice(alive if alive and self.rng.random() < 0.85 else all_)

    def author(self, talk: bytes) -> tuple[str, bytes]:
        who, where = super().author(talk)
        tip = self.world.talk(talk).tip(where)
        return who, tip.id if self.rng.random() < 0.8 else where

    def merge_or_end(self) -> None:
        """Branches take in each other, so that they fall together; and some end."""
        rng, talk = self.rng, self.talk()
        if talk is None:
            return
        who, where = self.author(talk)
        branch = self.world.talk(talk).branches[where]
        context = self.context(branch)
        others = [each for each in self.world.talk(talk).branches.values() if each is not branch]
        heads = [(each.id, each.end) for each in others if self.is_new(talk, (where, context["n"]), each)]
        if heads and rng.random() < 0.8:
            head, end = rng.choice(heads)
            whole = self.world.talk(talk).branches[head].size
            self.send(self.world.say(who, talk, merges=[(head, rng.choice((end, end, whole)))], **context))
        elif where != talk and rng.random() < 0.4:
            self.send(self.world.close(who, talk, **context))
        else:
            self.send(self.world.fork(who, talk, **context))

    # -- rolling back --------------------------------------------------------------------------------------------

    def roll_back(self) -> None:
        """Mostly what was said last, somewhere; and mostly all that falls by it."""
        rng, talk = self.rng, self.talk()
        if talk is None:
            return
        tries = [self.rollback(talk) for _ in range(rng.choice((1, 3, 8)))]
        codes = [self.code_of(each) for each in tries]
        chosen = codes.index("ok") if "ok" in codes and rng.random() < 0.7 else codes.index(self.rarest(codes))
        self.codes[codes[chosen]] += 1
        entry = tries[chosen]
        if codes[chosen] == "ok":
            self.admitted(entry, self.world.talk(talk))
        else:
            self.send(entry)

    def rollback(self, talk: bytes) -> bytes:
        rng, conversation = self.rng, self.world.talk(talk)
        who, where = self.author(talk)
        children = [each for each in self.children if self.world.ids[each] in conversation.grants]
        if children and rng.random() < 0.3:
            who = rng.choice(children)
            where = conversation.tip(self.world.ids[who]).id
        line = list(conversation.branches[where].lineage())
        target = rng.choice(line) if rng.random() < 0.95 else rng.choice(list(conversation.branches.values()))
        low, high = target.base + 1, max(target.base + 1, target.end - 1)
        keep = rng.randint(max(low, high - rng.choice((0, 1, 2, 9))), high)
        keep = keep if rng.random() < 0.95 else rng.choice((target.base, target.end, target.size, target.size + 1))
        count, digest = closure_digest(conversation, closure(conversation, target.id, keep))
        falls = [max(1, count), digest]
        if rng.random() < 0.06:
            falls = rng.choice(([falls[0] + 1, digest], [falls[0], OTHER]))
        merges = self.heads(talk, conversation.branches[where], 1) if rng.random() < 0.03 and len(line) > 1 else []
        return self.world.rollback(
            who, talk, keep, target=target.id, falls=falls, merges=merges, **self.context(conversation.branches[where])
        )

    def admitted(self, envelope: bytes, conversation: Conversation) -> None:
        """What an honest rollback does, against the definitions."""
        said = parse(envelope).claims.rollback
        assert said is not None
        falls = fallen(conversation, said.target, said.keep)
        cuts = closure(conversation, said.target, said.keep)
        assert (cuts, said.count) == (cuts_of(falls), len(falls))
        before = {each.id: each.rollbacks for each in conversation.instances.values()}
        held = places(conversation)
        starts = {each.id: each.start_time for each in conversation.instances.values()}
        touched = {each.id for each in conversation.instances.values() if self.is_touched(each, falls)}
        assert self.send(envelope)["verdict"] == "admitted"
        rollback = parse(envelope).message_id
        left, new = (
            places(conversation),
            {each.id for each in conversation.branches.values() if each.leaves[-1] == rollback},
        )
        assert {place for place in left if place[0] not in new} == held - falls
        assert self.folded(conversation) == {
            each.id: ([t.message_id for t in each.transitions], [a.message_id for a in each.approvals])
            for each in conversation.instances.values()
        }
        for each in conversation.instances.values():
            assert (each.rollbacks, each.start_time) == (before[each.id] + (each.id in touched), starts[each.id])
        self.shapes["rollbacks"] += 1
        self.shapes["branches"] += len(cuts)
        self.shapes["undone"] += sum(conversation.branches[each].undone for each in cuts)
        self.shapes["ended"] += sum(
            conversation.branches[each].closed and not conversation.branches[each].undone for each in cuts
        )
        self.shapes["by a merge"] += sum(
            at > conversation.branches[each].base and each != said.target for each, at in cuts.items()
        )
        self.shapes["deeper"] += said.target in {
            each.id for each in conversation.branches.values() if each.id in cuts
        } and any(
            b.undone and b.parent is not None and b.parent.id == said.target and b.leaves[b.base] != b.id
            for b in conversation.branches.values()
        )
        self.shapes["instances"] += len(touched)
        self.shapes["gone"] += len(touched - conversation.instances.keys())

    def is_touched(self, instance: Any, falls: set[tuple[bytes, int]]) -> bool:
        return any((each.branch, each.index) in falls for each in instance.transitions)

    def folded(self, conversation: Conversation) -> dict[bytes, tuple[list[bytes], list[bytes]]]:
        """The instances' transitions and approvals, from the messages that are held, in log order."""
        homes = {conversation.branches[branch].leaves[index] for branch, index in places(conversation)}
        found: dict[bytes, tuple[list[bytes], list[bytes]]] = {}
        for envelope in dict.fromkeys(self.sent):
            try:
                entry = parse(envelope)
            except Ama2Error:  # bytes that nobody signed
                continue
            state = entry.claims.workflow_state
            if state is None or entry.message_id not in homes:
                continue
            self.fold(found, entry.message_id, state)
        return found

    def fold(self, found: dict[bytes, tuple[list[bytes], list[bytes]]], message: bytes, state: WorkflowState) -> None:
        lists = found.setdefault(message, ([], [])) if state.instance is None else found[state.instance]
        lists[state.approves is not None].append(message)


def test_each_check_alone_in_both() -> None:
    for code in ("ok", *ORDER):
        world, entry = staged({code})
        found = asked_of_core(world, entry, TIME)
        taken = world.take(entry)
        assert found.get("code", "ok") == code
        assert found["record"] == taken.record.to_bytes().hex()
        assert found["digest"] == conversation_digest(world.talk(taken.record.conversation)).hex()


def test_every_small_history() -> None:
    """``make enumerate-rollbacks`` goes deeper."""
    met = MET.copy()
    with remembering():
        done = explore(3)
    assert (done.histories, done.entries) == (119, 12113)
    assert set(MET - met) >= SMALL


def test_random_histories_with_rollbacks() -> None:
    met, shapes = MET.copy(), Counter[str]()
    for number in range(HISTORIES):
        history = Rolling(Random(f"rollbacks {SEED} {number}"))
        for _ in range(STEPS):
            history.step()
        shapes.update(history.shapes)
        if number % 4 == 0:
            history.world.compare_histories(list(history.world.state.conversations)[:3])
    new = MET - met
    assert not WANTED - set(new), (sorted(WANTED - set(new)), new.most_common(), shapes)
    wanted = {"rollbacks": 30, "undone": 5, "by a merge": 2, "deeper": 2, "instances": 10, "gone": 3}
    assert all(shapes[name] >= least for name, least in wanted.items()), shapes


def test_claims_and_their_view() -> None:
    """Each form of claim 16, and its JSON view read again (rollback.1, conform.2)."""
    world, talk = talk_of()
    codes: Counter[str] = Counter()
    for expected, own in FORMS:
        envelope = world.rollback("alice", talk, 2, c16=own)
        codes[same_code(op="parse", envelope=envelope)] += 1
        if expected == "ok":
            found = [ask(implementation, op="parse", envelope=envelope)["claims"] for implementation in IMPLEMENTATIONS]
            assert found[0] == found[1]
            target, keep, falls, reason = own
            of = {"count": falls[0], "hash": falls[1].hex()}
            assert found[0]["rollback"] == {"target": target.hex(), "size": keep, "closure": of, "reason": reason}
    assert set(codes) == {"ok", "ClaimType", "ClaimRange"}
