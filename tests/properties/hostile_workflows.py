"""Hostile acts in workflows, each set up where it has not come about: wrong steps, forged approvals, races, old visits."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis.stateful import rule

from ama2sec.reference import parse
from ama2sec.reference.dag import Branch
from tests.properties.machine_world import OF_WORKFLOWS, OTHER, PEOPLE
from tests.properties.realm_machine import MAX_BRANCHES, RealmMachine, chances

APPROVERS = [name for name, groups in PEOPLE.items() if "check" in groups]


class WorkflowMachine(RealmMachine):
    """The same realm, and those who want its workflows to break."""

    # -- what has to be there first --------------------------------------------------------------------------------

    def place(self, chance: Random, talk: bytes) -> Branch | None:
        """A branch on which something can be said, and room for more of them."""
        live = self.world.live(talk)
        return chance.choice(live) if live and len(self.world.talk(talk).branches) < MAX_BRANCHES else None

    def people(self, *groups: str) -> list[str]:
        """Who has not left, and is in one of these groups."""
        return [
            name
            for name in PEOPLE
            if self.world.ids[name] in self.world.past.groups and set(groups) & set(PEOPLE[name])
        ]

    def said(self, talk: bytes, branch: Branch, by: str, count: int = 1) -> bool:
        return all(self.put(self.world.say(by, talk, branch=branch.id)) == "ok" for _ in range(count))

    def taken(self, talk: bytes, branch: bytes, instance: bytes | None, step: str, **how: Any) -> bytes | None:
        """A step, or an approval, by whoever may; the message, if there is one."""
        world = self.world
        at = world.talk(talk).branches[branch]
        n = how.pop("n", 1)
        if (
            at.undone
            or at.closed
            or at.successor
            or (instance is not None and instance not in world.talk(talk).instances)
        ):
            return None
        used = world.present(talk) if instance is None else world.talk(talk).instances[instance].workflow.id
        outputs = {"n": n} if step in {"order", "quote", "a"} and not how.get("approves") else {}
        state = [instance, used, step, outputs, how.get("approves")]
        for by in how.get("by", PEOPLE):
            made = world.say(by, talk, branch=branch, merges=world.heads(talk, at), c7=state)
            if world.code_of(made) == "ok":
                assert self.put(made) == "ok"
                return parse(made).message_id
        return None

    def begun(self, chance: Random, name: str) -> tuple[bytes, bytes, bytes] | None:
        """A new instance of this definition: its conversation, the branch, the start."""
        talk = self.world.talks[0 if name == "trade" else 1]
        branch = self.place(chance, talk)
        start = None if branch is None else self.taken(talk, branch.id, None, "order" if name == "trade" else "a")
        return None if branch is None or start is None else (talk, branch.id, start)

    def rarest(self, made: list[bytes], codes: set[str]) -> str | None:
        """Of some entries the one whose code this realm has met the least."""
        found = [
            (self.codes[code], number)
            for number, each in enumerate(made)
            if (code := self.world.code_of(each)) in codes
        ]
        return self.put(made[min(found)[1]]) if found else None

    def lifted(self, halt: bytes) -> None:
        if halt in self.world.past.halts:
            assert self.world.let_go("root-2", [halt]) == "ok"

    # -- workflows -------------------------------------------------------------------------------------------------

    @rule(chance=chances)
    def take_a_wrong_step(self, chance: Random) -> None:
        """Of some acts that would be rejected, whatever they name, the rarest."""
        self.met(
            "wrong step", self.rarest([each for _ in range(8) if (each := self.lie(chance))], OF_WORKFLOWS) is not None
        )

    def lie(self, chance: Random) -> bytes | None:
        talk = self.talk(chance, flow=True)
        found, of = self.somebody(chance, talk), self.instance(chance, talk)
        if found is None or of is None:
            return None
        acts = list(self.acts(of, chance, approving=chance.random() < 0.3))
        if not acts:
            return None
        state = chance.choice(acts)[0]
        others = [taken.message_id for taken in of.transitions] + sorted(self.world.past.gone) + [OTHER]
        match chance.randrange(8):
            case 0:
                state[0] = chance.choice(others)
            case 1:
                state[1] = chance.choice([OTHER, *self.world.past.rules])
            case 2:
                state[2] = "none"
            case 3 if state[4] is not None:
                state[4] = chance.choice(others)
            case 4 if state[4] is not None:
                state[3] = {"n": 1}
        heads = self.world.heads(talk, found[1]) if chance.random() < 0.5 else []
        return self.world.say(found[0], talk, branch=found[1].id, merges=heads, c7=state)

    @rule(chance=chances)
    def forge_an_approval(self, chance: Random) -> None:
        """In somebody else's name; by who took the step; by who may not; twice."""
        if not (made := self.begun(chance, "loop")):
            return
        (talk, branch, start), world = made, self.world
        state = [start, world.talk(talk).instances[start].workflow.id, "b", {}, start]
        how: dict[str, Any] = {"branch": branch, "c7": state}
        taker, honest = world.past.kept[start].by, world.say("bob", talk, **how)
        codes = [
            self.put(world.say("zoe", talk, **how, c4=[world.ids[chance.choice(APPROVERS)], None])),
            self.put(honest[:-1] + bytes([honest[-1] ^ 1])),
            *(self.put(world.say(name, talk, **how)) for name in PEOPLE if world.ids[name] == taker or name == "zoe"),
        ]
        assert "ok" not in codes, codes
        if self.taken(talk, branch, start, "b", approves=start, by=APPROVERS):
            for name in APPROVERS:
                if world.ids[name] in {world.past.kept[each].by for each in world.past.fold(talk)[start][1]}:
                    assert self.put(world.say(name, talk, **how)) != "ok"
            self.met("forged approval")

    @rule(chance=chances)
    def build_on_what_was_not_seen(self, chance: Random) -> None:
        """The next step, by everybody, from just before what it builds on."""
        if not (made := self.begun(chance, "trade")):
            return
        (talk, branch, start), world = made, self.world
        state = [start, world.talk(talk).instances[start].workflow.id, "quote", {"n": 1}, None]
        before = world.talk(talk).branches[branch].size - 1
        codes = {self.put(world.say(by, talk, branch=branch, n=before, c7=state)) for by in PEOPLE}
        assert "ok" not in codes, codes
        self.met("not seen", "ContextStale" in codes)

    @rule(chance=chances)
    def have_a_child_approve(self, chance: Random) -> None:
        """An approver's own sub-agent, that may do everything that can be granted."""
        if made := self.begun(chance, "loop"):
            talk, branch, start = made
            by = chance.choice(APPROVERS)
            kid = self.spawned(chance, talk, by, self.world.talk(talk).branches[branch], 7)
            if kid is not None:
                state = [start, self.world.talk(talk).instances[start].workflow.id, "b", {}, start]
                code = self.put(self.world.say(kid, talk, branch=self.world.ids[kid], c7=state))
                assert code in {"GrantScope", "Halted"}, code
                self.met("a child approves")

    @rule(chance=chances)
    def race(self, chance: Random) -> None:
        """Two branches, one exclusive choice, neither has seen the other's: one has it."""
        if not (made := self.begun(chance, "trade")):
            return
        (talk, branch, start), world = made, self.world
        by = self.people("work", "check")
        if not by or self.taken(talk, branch, start, "quote") is None:
            return
        side = world.fork(chance.choice(by), talk, branch=branch)
        if self.put(side) != "ok":
            return
        used, steps = (
            world.talk(talk).instances[start].workflow.id,
            chance.choice((("ship", "fetch"), ("fetch", "ship"), ("ship", "ship"))),
        )
        drafts = [
            world.say(chance.choice(by), talk, branch=at, c7=[start, used, step, {}, None])
            for at, step in zip((branch, parse(side).message_id), steps, strict=True)
        ]
        if (
            world.code_of(drafts[0]) == world.code_of(drafts[1]) == "ok"
            and parse(drafts[0]).claims.agent != parse(drafts[1]).claims.agent
        ):
            chance.shuffle(drafts)
            codes = [self.put(draft) for draft in drafts]
            assert codes == ["ok", "StepNeeds" if steps[0] == steps[1] else "StepExcluded"], codes
            self.met("race")

    @rule(chance=chances)
    def build_on_an_old_visit(self, chance: Random) -> None:
        """What was approved and taken before its ground came again."""
        if not (made := self.begun(chance, "loop")):
            return
        talk, branch, start = made
        for step, approves in (("b", start), ("b", None)):
            if self.taken(talk, branch, start, step, approves=approves) is None:
                return
        assert self.taken(talk, branch, start, "b") is None
        if self.taken(talk, branch, start, "a"):
            assert self.taken(talk, branch, start, "c") is None
            used = self.world.talk(talk).instances[start].workflow.id
            for step in ("c", "b"):
                by = chance.choice(self.people("work") or ["eve"])
                self.put(self.world.say(by, talk, branch=branch, c7=[start, used, step, {}, None]))
            self.met("old visit")

    @rule(chance=chances)
    def go_on_behind_the_end(self, chance: Random) -> None:
        if made := self.begun(chance, "loop"):
            talk, branch, start = made
            for step, approves in (("b", start), ("b", None), ("z", None)):
                if self.taken(talk, branch, start, step, approves=approves) is None:
                    return
            assert self.taken(talk, branch, start, chance.choice(("a", "c"))) is None
            self.rarest([each for _ in range(9) if (each := self.lie(chance))], {"WorkflowEnded"})
            self.met("behind the end")

    @rule(chance=chances)
    def pay_what_may_not_be_paid(self, chance: Random) -> None:
        """A quote that is too high; a deadline that has passed; all else is there."""
        if not (made := self.begun(chance, "trade")):
            return
        (talk, branch, start), world, dear = made, self.world, chance.random() < 0.5
        quote = self.taken(talk, branch, start, "quote", n=2 if dear else 1)
        if quote is None:
            return
        for number in range(2):
            self.taken(talk, branch, start, "pay", approves=quote, by=APPROVERS[number:])
        world.now += 0 if dear else 401
        used = world.talk(talk).instances[start].workflow.id
        by = chance.choice(self.people("work") or ["eve"])
        code = self.put(world.say(by, talk, branch=branch, c7=[start, used, "pay", {}, None]))
        assert code != "ok", code
        self.met("not to be paid", code in {"StepWhen", "DeadlinePassed"})

    @rule(chance=chances)
    def take_it_once_more(self, chance: Random) -> None:
        """A step that needs nothing, as often as there are visits, and then again."""
        if not (made := self.begun(chance, "trade")):
            return
        talk, branch, start = made
        for _ in range(4):
            if self.taken(talk, branch, start, "order") is None:
                used = self.world.talk(talk).instances[start].workflow.id
                by = chance.choice(self.people("work") or ["eve"])
                code = self.put(self.world.say(by, talk, branch=branch, c7=[start, used, "order", {}, None]))
                assert code != "ok", code
                self.met("once more", code == "StepSpent")
                return

    @rule(chance=chances)
    def end_it_honestly(self, chance: Random) -> None:
        """Whatever came before, once nothing is halted: who has seen everything gets to the end, if there is a branch to speak on."""
        world = self.world
        talk = world.talks[1]
        running = [
            each for each in world.talk(talk).instances.values() if not any(t.step == 3 for t in each.transitions)
        ]
        if not running or world.talk(talk).closed or not world.live(talk):
            return
        if world.past.halts:
            assert world.let_go("root-1", sorted(world.past.halts)) == "ok"
        of, branch = chance.choice(running), chance.choice(world.live(talk)).id
        if sum(taken.step == 0 for taken in of.transitions) > 7:  # the visits are nearly spent
            return
        for _ in range(4):
            last = [taken.message_id for taken in of.transitions if taken.step == 0][-1]
            for step, approves in (("z", None), ("b", None), ("b", last), ("a", None)):
                if self.taken(talk, branch, of.id, step, approves=approves) is not None:
                    break
            else:
                raise AssertionError("nothing is open to anybody")
            if of.transitions[-1].step == 3:
                self.met("ended honestly")
                return
        raise AssertionError("it goes on")
