"""Hostile acts around rollbacks and halts, each set up where it has not come about; and what was signed before."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis.stateful import precondition, rule

from ama2sec.reference import parse
from ama2sec.reference.dag import Branch
from tests.properties.hostile_workflows import APPROVERS, WorkflowMachine
from tests.properties.machine_world import OF_ROLLBACKS, OTHER, PEOPLE
from tests.properties.realm_machine import chances


class HostileMachine(WorkflowMachine):
    """The same realm, and those who want to undo what cannot be undone, and to go on under a halt."""

    # -- rollbacks -------------------------------------------------------------------------------------------------

    @rule(chance=chances)
    def use_an_approval_that_was_undone(self, chance: Random) -> None:
        """Of a step that stands, and of one that fell with it."""
        if not (made := self.begun(chance, "loop")):
            return
        (talk, branch, start), world = made, self.world
        subject = start if chance.random() < 0.5 else self.taken(talk, branch, start, "a")
        if subject is None or self.taken(talk, branch, start, "b", approves=subject) is None:
            return
        at = world.talk(talk).branches[branch]
        keep = at.size - (1 if chance.random() < 0.5 or subject == start else 2)
        back = [world.rollback(by, talk, keep, target=branch, branch=branch) for by in self.people("undo")]
        if keep <= at.base or "ok" not in (codes := [world.code_of(each) for each in back]):
            return
        assert self.put(back[codes.index("ok")]) == "ok"
        tip = world.talk(talk).tip(branch).id
        assert self.taken(talk, tip, start, "b") is None
        used = world.talk(talk).instances[start].workflow.id if start in world.talk(talk).instances else OTHER
        by = chance.choice(self.people("work") or ["eve"])
        for approves in (None, subject if subject in world.past.gone else OTHER):
            assert self.put(world.say(by, talk, branch=tip, c7=[start, used, "b", {}, approves])) != "ok"
        self.met("undone approval")

    @rule(chance=chances)
    def leave_something_out(self, chance: Random) -> None:
        """A rollback whose closure has grown since it was signed, or that states another one."""
        talk = self.talk(chance)
        draft = self.rollback(chance, talk)
        if draft is None or self.world.code_of(draft) != "ok":
            return
        said, by = parse(draft).claims.rollback, chance.choice(self.people("work") or ["eve"])
        assert said is not None
        if chance.random() < 0.5:
            self.put(self.world.say(by, talk, branch=self.world.talk(talk).tip(said.target).id))
        else:
            draft = (
                self.rollback(chance, talk, falls=chance.choice(([said.count + 1, said.hash], [said.count, OTHER])))
                or draft
            )
        self.met("left out", self.put(draft) == "RollbackIncomplete")

    @rule(chance=chances)
    def go_back_behind_a_pivot(self, chance: Random) -> None:
        if not (made := self.begun(chance, "trade")):
            return
        (talk, branch, start), world = made, self.world
        quote = self.taken(talk, branch, start, "quote")
        for number in range(2) if quote else ():
            self.taken(talk, branch, start, "pay", approves=quote, by=APPROVERS[number:])
        if quote and self.taken(talk, branch, start, "pay"):
            by = chance.choice(self.people("undo") or ["ann"])
            at = world.talk(talk).branches[branch]
            code = self.put(
                world.rollback(by, talk, max(at.base + 1, at.size - chance.randint(1, 4)), target=branch, branch=branch)
            )
            assert code != "ok", code
            self.met("pivot", code == "RollbackPivot")

    @rule(chance=chances)
    def go_back_too_often(self, chance: Random) -> None:
        """An instance may be rolled back once: what is taken anew behind that stays."""
        if not (made := self.begun(chance, "trade")):
            return
        (talk, branch, start), world, code = made, self.world, "ok"
        by = chance.choice(self.people("undo") or ["ann"])
        for _ in range(2):
            if self.taken(talk, branch, start, chance.choice(("order", "quote"))) is None:
                return
            at = world.talk(talk).branches[branch]
            if at.size < at.base + 2:
                return
            code = self.put(world.rollback(by, talk, at.size - 1, target=branch, branch=branch))
            branch = world.talk(talk).tip(branch).id
        self.met("too often", code == "RollbackCap")

    @rule(chance=chances)
    def roll_back_wrongly(self, chance: Random) -> None:
        """Of some rollbacks that would be rejected the rarest: by anybody, of any place."""
        made = []
        for _ in range(8):
            talk = self.talk(chance)
            if found := self.somebody(chance, talk):
                target = chance.choice(list(self.world.talk(talk).branches.values()))
                keep = max(1, chance.choice((target.base, target.base + 1, target.end - 1, target.end)))
                made.append(
                    self.world.rollback(
                        found[0], talk, keep, target=target.id, branch=found[1].id, **self.closure(talk, target, keep)
                    )
                )
        self.met("wrong rollback", self.rarest(made, OF_ROLLBACKS) is not None)

    def closure(self, talk: bytes, target: Branch, keep: int) -> dict[str, Any]:
        """What a cut that there cannot be would state."""
        return {} if target.base < keep < target.end else {"falls": [1, OTHER]}

    @rule(chance=chances)
    def go_back_outside_of_a_grant(self, chance: Random) -> None:
        """A sub-agent would cut the branch that it was forked off."""
        talk = self.talk(chance)
        by, branch = chance.choice(self.people("undo") or ["ann"]), self.place(chance, talk)
        if branch is None or not self.said(talk, branch, by, 2):
            return
        kid = self.spawned(chance, talk, by, branch, 7)
        if kid is not None and self.said(talk, self.world.talk(talk).branches[self.world.ids[kid]], kid, 2):
            place = self.world.ids[kid]
            keep = branch.size - 1
            code = self.put(self.world.rollback(kid, talk, keep, target=branch.id, branch=place))
            assert code != "ok", code
            self.met("outside of a grant", code == "RollbackScope")
            self.put(
                self.world.rollback(
                    kid, talk, self.world.talk(talk).branches[place].size - 1, target=place, branch=place
                )
            )

    @rule(chance=chances)
    def speak_where_it_was_undone(self, chance: Random) -> None:
        """On branches that are gone, cut or closed; by children of a grant that is; merging what is."""
        talk = self.talk(chance)
        by, branch = chance.choice(self.people("undo") or ["ann"]), self.place(chance, talk)
        if branch is None or not self.said(talk, branch, by, 2):
            return
        kid = self.spawned(chance, talk, by, branch, 7)
        late = self.world.say(chance.choice(self.people("work") or ["eve"]), talk, branch=branch.id)
        if (
            kid is None
            or self.put(self.world.rollback(by, talk, branch.size - 1, target=branch.id, branch=branch.id)) != "ok"
        ):
            return
        tip = self.world.talk(talk).tip(branch.id).id
        codes = [
            self.put(self.world.say(kid, talk, branch=self.world.ids[kid])),
            self.put(self.world.say(by, talk, branch=self.world.ids[kid])),
            self.put(late),
            self.put(self.world.say(by, talk, branch=tip, merges=[(branch.id, branch.size)])),
        ]
        assert "ok" not in codes, codes
        self.met("undone place")

    @rule(chance=chances)
    def speak_where_it_has_ended(self, chance: Random) -> None:
        """On a branch that was closed; by the sub-agent whose branch it was."""
        talk = self.talk(chance)
        by, branch = chance.choice(self.people("work") or ["eve"]), self.place(chance, talk)
        kid = None if branch is None else self.spawned(chance, talk, by, branch, 7)
        if kid is not None and self.put(self.world.close(by, talk, branch=self.world.ids[kid])) == "ok":
            codes = [self.put(self.world.say(each, talk, branch=self.world.ids[kid])) for each in (kid, by)]
            assert "ok" not in codes, codes
            self.met("ended", codes == ["GrantEnded", "BranchClosed"])

    @rule(chance=chances)
    def speak_on_dead_branches(self, chance: Random) -> None:
        talk = self.talk(chance)
        dead = [
            each for each in self.world.talk(talk).branches.values() if each.undone or each.closed or each.successor
        ]
        by = [name for name in [*PEOPLE, *self.world.children] if self.world.past.is_live(self.world.ids[name])]
        made = [
            self.world.say(name, talk, branch=each.id)
            for each in dead
            for name in chance.sample(by, min(3, len(by)))
            if name in PEOPLE or self.world.children[name] == talk
        ]
        gone = {
            "BranchUndone",
            "BranchClosed",
            "BranchSuperseded",
            "GrantUndone",
            "GrantEnded",
            "GrantPlace",
            "GrantExpired",
        }
        self.met("dead branch", self.rarest(made, gone) is not None)

    # -- halts -----------------------------------------------------------------------------------------------------

    @rule(chance=chances)
    def act_under_a_halt(self, chance: Random) -> None:
        """What is open now, and then not; and again after the resume, under another number."""
        draft = self.open_act(chance, approving=chance.random() < 0.3)
        if draft is None:
            return
        claims, world = parse(draft).claims, self.world
        talk, state = world.talk(claims.conversation), claims.workflow_state
        assert state is not None
        by = next(name for name, agent in world.ids.items() if agent == claims.agent)
        own = [state.instance, state.definition, state.step, state.outputs, state.approves]
        heads = [(merge.branch, merge.size) for merge in claims.merges]
        scopes: list[Any] = [
            (2, talk.id, chance.choice([each.id for each in talk.branches[claims.branch].lineage()])),
            (3, talk.id, state.instance),
            (4, talk.workflow[1]),
            (5, chance.choice(world.past.line_of(claims.agent))),
            (1, talk.id),
            (0,),
        ]
        for scope in chance.sample(scopes, 3):
            if world.past.halts:
                return
            halt = world.stop(chance.choice(("op-1", "op-2")), scope)
            assert self.put(draft) == "Halted"
            self.met(f"halted {scope[0]}")
            draft = world.say(by, talk.id, branch=claims.branch, merges=heads, c7=own)
            if chance.random() < 0.9:
                self.lifted(halt)
        assert world.past.halts or self.put(draft) == "ok"

    @rule(chance=chances)
    def roll_back_what_a_halt_holds(self, chance: Random) -> None:
        """A branch, or an instance, that the entry itself is not in."""
        world, talk = self.world, self.talk(chance)
        by, branch = chance.choice(self.people("undo") or ["ann"]), self.place(chance, talk)
        if branch is None:
            return
        instances = list(world.talk(talk).instances.values())
        if instances and chance.random() < 0.5:
            last = chance.choice(instances).transitions[-1]
            scope, target, keep = (
                (3, talk, chance.choice(instances).id),
                world.talk(talk).branches[last.branch],
                last.index,
            )
        elif self.said(talk, branch, by, 2):
            side = world.fork(by, talk, branch=branch.id)
            if self.put(side) != "ok":
                return
            scope, target, keep = (2, talk, parse(side).message_id), branch, branch.size - 1
        else:
            return
        if not target.base < keep < target.end:
            return
        draft = world.rollback(by, talk, keep, target=target.id, branch=branch.id)
        halt = world.stop("op-1", scope)
        self.met("held", self.put(draft) == "HaltedByEffect")
        if chance.random() < 0.85:
            self.lifted(halt)

    # -- what was signed before ------------------------------------------------------------------------------------

    @rule(chance=chances)
    def sign_and_wait(self, chance: Random) -> None:
        draft = self.open_act(chance, approving=chance.random() < 0.3) or self.rollback(chance, self.talk(chance))
        if draft is not None:
            self.late.append(draft)

    @precondition(lambda self: self.late)
    @rule(chance=chances)
    def arrive_late(self, chance: Random) -> None:
        """Whatever has become of it; and its number is not free again."""
        draft = self.late.pop(chance.randrange(len(self.late)))
        entry, code = parse(draft), self.put(draft)
        if entry.claims.seq is not None and code not in {"KeyUnknown", "SeqWindow"}:
            by = next(name for name, agent in self.world.ids.items() if agent == entry.claims.agent)
            again = self.world.say(
                by,
                entry.claims.conversation,
                branch=entry.claims.branch,
                n=entry.claims.size,
                c9=list(entry.claims.seq),
            )
            assert self.put(again) != "ok"
            self.met("late")
