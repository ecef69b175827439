"""What people, sub-agents and operators of a realm do honestly: the rules of a state machine over both implementations and a model.

After each of them the core, the reference and ``machine_model`` agree on the verdict and on what is; ``machine_world`` says how.
``test_realm_machine`` has the hostile ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any, ClassVar

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ama2sec.reference.dag import Branch, Instance
from tests.properties.machine_world import OTHER, PEOPLE, Ledger, trade

# Hypothesis' own randoms lean to the first choice and the smallest number, and so to realms in which little happens.
chances = st.integers(0, 1 << 32).map(Random)
MAX_BRANCHES, MAX_TALKS = 14, 5


class RealmMachine(RuleBasedStateMachine):
    """``world`` is the realm; ``late`` are entries that were signed and are still on their way."""

    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.world = Ledger()
        self.late: list[bytes] = []
        self.codes: Counter[str] = Counter()

    def put(self, envelope: bytes) -> str:
        code = self.world.put(envelope)
        self.codes[code] += 1
        event(code)
        return code

    def met(self, what: str, happened: bool = True) -> None:
        self.seen[what] += happened

    # -- what there is to choose from ------------------------------------------------------------------------------

    def talk(self, chance: Random, *, flow: bool = False) -> bytes:
        talks = [each for each in self.world.talks if not flow or self.world.talk(each).workflow[1] is not None]
        return chance.choice(talks[:2] + talks)

    def somebody(self, chance: Random, talk: bytes) -> tuple[str, Branch] | None:
        who = list(self.world.speakers(talk))
        if not who or not any(mine for _, mine in who):
            return None
        name, mine = chance.choice([each for each in who if each[1]])
        return name, chance.choice(mine)

    def instance(self, chance: Random, talk: bytes) -> Instance | None:
        running = list(self.world.talk(talk).instances.values())
        return chance.choice(running[-3:]) if running else None

    def acts(self, of: Instance, chance: Random, *, approving: bool) -> Iterator[tuple[list[Any], int]]:
        """Every claim 7 for an instance, the latest steps first; each with the number of its step."""
        numbers = list(range(len(of.workflow.steps)))
        chance.shuffle(numbers)
        for number in numbers:
            each = of.workflow.steps[number]
            outputs = {"n": chance.choice((1, 1, 1, 2))} if each.outputs else {}
            if not approving:
                yield [of.id, of.workflow.id, each.name, outputs, None], number
            elif each.approvals is not None:
                given = [taken.message_id for taken in of.transitions if taken.step == each.approvals.of]
                if given:
                    yield [of.id, of.workflow.id, each.name, {}, given[-1]], number

    def open_act(self, chance: Random, *, approving: bool) -> bytes | None:
        """A step, or an approval, that is open to somebody somewhere who has seen everything."""
        talk = self.talk(chance, flow=True)
        of = self.instance(chance, talk)
        if of is None:
            return None
        who = [each for each in self.world.speakers(talk) if each[1]]
        for state, _ in self.acts(of, chance, approving=approving):
            chance.shuffle(who)
            for name, mine in who:
                branch = chance.choice(mine)
                made = self.world.say(name, talk, branch=branch.id, c7=state, merges=self.world.heads(talk, branch))
                if self.world.code_of(made) == "ok":
                    return made
        return None

    # -- honest ----------------------------------------------------------------------------------------------------

    @rule(chance=chances)
    def write(self, chance: Random) -> None:
        """A note, on all that there is or on less."""
        talk = self.talk(chance)
        if found := self.somebody(chance, talk):
            name, branch = found
            n = max(branch.base + 1, branch.size - chance.choice((0, 0, 1, 2)))
            self.put(self.world.say(name, talk, branch=branch.id, n=n))

    @rule(chance=chances)
    def fork(self, chance: Random) -> None:
        talk = self.talk(chance)
        found = self.somebody(chance, talk)
        if found and len(self.world.talk(talk).branches) < MAX_BRANCHES:
            n = max(found[1].base + 1, found[1].size - chance.choice((0, 1)))
            self.put(self.world.fork(found[0], talk, branch=found[1].id, n=n))

    @rule(chance=chances)
    def spawn(self, chance: Random) -> None:
        """A sub-agent, mostly one that may do much."""
        talk = self.talk(chance)
        found = self.somebody(chance, talk)
        if found and len(self.world.talk(talk).branches) < MAX_BRANCHES:
            self.spawned(chance, talk, *found)

    def spawned(self, chance: Random, talk: bytes, by: str, branch: Branch, rights: int | None = None) -> str | None:
        world = self.world
        world.fresh += 1
        kid = f"kid-{world.fresh}"
        grant = world.grant(
            kid,
            rights=chance.choice((7, 7, 7, 3, 0)) if rights is None else rights,
            depth=chance.choice((0, 3)),
            steps=chance.choice((None, None, ["ship", "quote"], ["b"])) if rights is None else None,
            expires=chance.choice((None, None, None, world.now + 500)) if rights is None else None,
        )
        if self.put(world.spawn(by, talk, kid, branch=branch.id, grant=grant)) != "ok":
            return None
        world.children[kid] = talk
        return kid

    @rule(chance=chances)
    def merge(self, chance: Random) -> None:
        talk = self.talk(chance)
        if (found := self.somebody(chance, talk)) and (heads := self.world.heads(talk, found[1])):
            self.put(self.world.say(found[0], talk, branch=found[1].id, merges=heads))

    @rule(chance=chances)
    def close(self, chance: Random) -> None:
        """A branch, and rarely a conversation that was opened later."""
        talk = self.talk(chance)
        if (found := self.somebody(chance, talk)) and (found[1].id != talk or chance.random() < 0.1):
            whole = talk in self.world.talks[3:] and chance.random() < 0.2
            self.put(self.world.close(found[0], talk, branch=found[1].id, whole=whole))

    @rule(chance=chances)
    def begin(self, chance: Random) -> None:
        """An instance: by a message, or by an open."""
        world, talk = self.world, self.talk(chance, flow=True)
        name = world.talk(talk).workflow[1] or ""
        start = {"trade": "order", "loop": "a"}[name]
        who = [each for each in world.speakers(talk) if each[1]]
        if not who:
            return
        by, mine = chance.choice(who)
        state = [None, world.present(talk), start, {"n": 1}, None]
        if len(world.talks) < MAX_TALKS and chance.random() < 0.2 and by in PEOPLE:
            world.begun(world.open(by, c14=[chance.random() < 0.5, name], c7=state))
        else:
            self.put(world.say(by, talk, branch=chance.choice(mine).id, c7=state))

    @rule(chance=chances)
    def advance(self, chance: Random) -> None:
        """Some steps that are open, and approvals where there are none."""
        for _ in range(chance.choice((1, 2, 4))):
            made = self.open_act(chance, approving=chance.random() < 0.4)
            if made is not None:
                assert self.put(made) == "ok"
                self.met("advance")

    @rule(chance=chances)
    def go_back(self, chance: Random) -> None:
        """What was said last, somewhere, and all that came of it."""
        for _ in range(6):
            made = self.rollback(chance, self.talk(chance))
            if made is not None and self.world.code_of(made) == "ok":
                assert self.put(made) == "ok"
                self.met("go back")
                return

    def rollback(self, chance: Random, talk: bytes, by: str | None = None, **how: Any) -> bytes | None:
        found = self.somebody(chance, talk)
        if found is None:
            return None
        target = chance.choice(list(found[1].lineage()))
        if target.end - target.base < 2:
            return None
        keep = target.end - chance.randint(1, min(3, target.end - target.base - 1))
        return self.world.rollback(by or found[0], talk, keep, target=target.id, branch=found[1].id, **how)

    @rule(chance=chances)
    def halt(self, chance: Random) -> None:
        """Rarely all of it."""
        world, talk = self.world, self.talk(chance)
        scopes: list[Any] = [
            (2, talk, chance.choice(list(world.talk(talk).branches))),
            (3, talk, chance.choice([*world.talk(talk).instances, OTHER])),
            (5, world.ids[chance.choice([*PEOPLE, *world.children])]),
            (1, talk),
            (4, chance.choice(("trade", "loop", "none"))),
            (0,),
        ]
        if len(world.past.halts) < 3:
            world.stop(chance.choice(("op-1", "op-2")), chance.choice(scopes[: chance.choice((2, 3, 3, 6))]))

    @precondition(lambda self: self.world.past.halts)
    @rule(chance=chances)
    def resume(self, chance: Random) -> None:
        """By two operators, or by a root; sometimes one of them is late."""
        world, halts = self.world, sorted(self.world.past.halts)
        waiting = sorted(world.proposals)
        if waiting and chance.random() < 0.7:
            code = world.agree(chance.choice(("op-1", "op-2", "root-1")), chance.choice(waiting))
        else:
            named = halts if chance.random() < 0.7 else [*halts[:1], OTHER]
            code = world.let_go(chance.choice(("op-1", "root-1")), named)
        event(code)

    @rule(chance=chances)
    def time_passes(self, chance: Random) -> None:
        self.world.now += chance.choice((1, 50, 401))

    @precondition(lambda self: len(self.world.past.groups) > len(PEOPLE) - 2)
    @rule(chance=chances)
    def revoke(self, chance: Random) -> None:
        if chance.random() < 0.4:
            self.world.revoke(
                chance.choice([name for name in PEOPLE if self.world.ids[name] in self.world.past.groups])
            )

    @rule(chance=chances)
    def define(self, chance: Random) -> None:
        """Another definition takes the place of one; what runs goes on under its own."""
        visits = chance.choice((1, 2, 4))
        if chance.random() < 0.5:
            self.world.define("trade", trade(visits), ["undo"], chance.choice((0, 1, 2)))

    # -- always ----------------------------------------------------------------------------------------------------

    @invariant()
    def what_is_in_force_and_what_the_core_says_besides(self) -> None:
        self.world.check_halts()
        self.world.questions(Random(len(self.world.answers)))
