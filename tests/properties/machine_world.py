"""One realm for the state machine: its people and definitions, and what is held against ``machine_model`` at every entry.

``put`` gives an entry to the core and to the reference, whose whole answers are compared; then to the model. ``questions`` compares what
the core answers beside the verdicts: fates of branches, instances, what a rollback would undo, what may be done now.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, ClassVar

from ama2sec import Id, _conform_rust
from ama2sec.errors import CATALOGUE, Ama2Error
from ama2sec.reference import Rejected, Stamp, admit, encode, parse
from ama2sec.reference.admission import check_authentic, check_place
from ama2sec.reference.claims import OPEN
from ama2sec.reference.dag import Branch, Conversation, Instance
from ama2sec.reference.envelope import Envelope
from ama2sec.reference.hashes import definition_id
from ama2sec.reference.rollbacks import closure_digest
from ama2sec.reference.scopes import REALM, Scope
from tests.properties.machine_model import NOBODY, Past, Rules
from tests.properties.rollback_model import cuts_of, fallen
from tests.properties.workflow_model import Act, Said
from tests.realm_world import DEFINE, REVOKE, policy
from tests.two_realms import TwoRealms
from tests.workflow_world import ANY, Flow, document, step

OTHER = b"o" * 32
PEOPLE = {
    "ann": ("undo", "work"),
    "bob": ("check",),
    "cat": ("work", "check"),
    "dan": ("undo", "check"),
    "eve": ("work",),
    "zoe": (),
}
OPERATORS = ("op-1", "op-2")
NUMBER = {name: row.clause.split(".")[2] for name, row in CATALOGUE.items() if row.clause.startswith("admission.2.")}
OF_ROLLBACKS = {name for name, number in NUMBER.items() if 25 <= int(number) <= 31}
OF_WORKFLOWS = {name for name, number in NUMBER.items() if 32 <= int(number) <= 40}


def trade(visits: int) -> list[dict[str, Any]]:
    """A definition with everything; others of it allow more or fewer orders."""
    both = ["work", "check"]
    return [
        step("order", visits=visits, outputs={"n": 1}),
        step("quote", needs=["order"], visits=3, by=both, outputs={"n": 1}),
        step("ship", needs=["quote"], choice="quote", visits=2, by=both),
        step("fetch", needs=["quote"], choice="quote", visits=2, by=both),
        step("pay", needs=["quote"], when=[["quote", "n", 1, 1]], approvals=["quote", 2, ["check"]], deadline=400, pivot=True),
        step("bill", mode=ANY, needs=["ship", "pay"], visits=2, by=both, undo="quote"),
        step("done", needs=["pay"], terminal=True),
    ]  # fmt: skip


LOOP = [
    step("a", visits=9, by=["work", "check"], outputs={"n": 1}),
    step("b", needs=["a"], approvals=["a", 1, ["check"]], visits=9, undo="a"),
    step("c", needs=["b"], visits=9, by=["work", "check"]),
    step("z", needs=["b"], terminal=True),
]


class Ledger(TwoRealms):
    """The realm before the first rule: three conversations, two of them with a workflow."""

    present = Flow.present
    people_of: ClassVar[dict[str, tuple[str, ...]]] = PEOPLE
    alone = False
    """Whether the reference is asked alone: then the model has to find by itself what is wrong."""

    def __init__(self) -> None:
        super().__init__(roots=2, laws=policy(q6=2))
        for name, groups in self.people_of.items():
            self.ask(self.enrol(name, groups=tuple(sorted(groups, key=encode))))
        self.past = Past({}, {self.ids[name]: groups for name, groups in self.people_of.items()})
        self.proposals: dict[bytes, tuple[tuple[bytes, ...], set[str]]] = {}
        self.talks: list[bytes] = []
        self.children: dict[str, bytes] = {}
        self.fresh = 0
        self.prepare()

    def prepare(self) -> None:
        """Operators, definitions and conversations."""
        for name in OPERATORS:
            self.ask(self.enrol(name, purpose="operator"))
        self.define("trade", trade(3), ["undo"], 1)
        self.define("loop", LOOP, ["undo", "work"], 2)
        members = [self.ids[name] for name in ("ann", "bob", "cat", "dan")]
        self.begun(self.open("ann", c14=[False, "trade"]))
        self.begun(self.open("cat", c14=[True, "loop"]))
        self.begun(self.open("ann", members=sorted(members, key=encode)))

    def define(self, name: str, steps: list[dict[str, Any]], by: list[str], cap: int) -> None:
        data = document(steps, name=name, rollback=(by, cap))
        present = self.registry.definition(name, self.registry.size)
        own = [name, None if present is None else present.entry_id, data]
        assert self.ask(self.entry(DEFINE, "root-1", own))["code"] == "ok"
        self.past.rules[definition_id(data)] = Rules(steps, tuple(by), cap)

    def begun(self, envelope: bytes) -> str:
        """An open. Its code."""
        code = self.put(envelope)
        if code == "ok":
            self.talks.append(parse(envelope).message_id)
        return code

    def revoke(self, name: str) -> None:
        if self.ask(self.entry(REVOKE, "root-1", [self.ids[name], None, ""]))["code"] == "ok":
            del self.past.groups[self.ids[name]]

    # -- entries of conversations, against the model -------------------------------------------------------------

    def put(self, envelope: bytes) -> str:
        """To both, and to the model. The code."""
        try:
            entry = parse(envelope)
        except Ama2Error:
            return str(self.ask(envelope)["code"])
        where = entry.message_id if entry.claims.kind == OPEN else entry.claims.conversation
        talk, time = self.state.conversations.get(where), max(self.now, self.realm.time)
        covered = self.past.is_covered(entry, talk)
        expected = self.expected(entry, talk, time)
        falls = None
        if talk is not None and entry.claims.rollback is not None and expected == "ok":
            falls = fallen(talk, entry.claims.rollback.target, entry.claims.rollback.keep)
        before = None if talk is None else self.seen(talk.id)
        found = self.ask(envelope)
        code: str = found["code"]
        if code in OF_WORKFLOWS | OF_ROLLBACKS or found.get("verdict") == "admitted":
            assert code == expected, (code, expected)
        if found.get("verdict") == "admitted":
            assert not covered, "admitted under a halt"
            assert self.past.is_live(entry.claims.agent), "by somebody who has left"
            self.settle(entry, talk, where, time, falls, before)
        assert code != "Halted" or covered, "no halt covers it"
        return code

    def expected(self, entry: Envelope, talk: Conversation | None, time: int) -> str | None:
        if talk is not None and entry.claims.rollback is not None:
            return self.past.rollback_verdict(entry, talk, self.registry)
        return self.past.workflow_verdict(entry, talk, self.registry, time)

    def settle(
        self, entry: Envelope, talk: Conversation | None, where: bytes, time: int, falls: Any, before: Any
    ) -> None:
        """What was admitted, and what has to hold then."""
        self.past.keep(entry, talk, where, time)
        if falls is not None and talk is not None:
            self.past.fell(talk, falls)
        self.check(self.talk(where))
        if entry.claims.workflow_state is None and entry.claims.rollback is None and talk is not None:
            assert self.seen(where) == before, "a note moved something"

    def check(self, talk: Conversation) -> None:
        """The state is what follows from all that was admitted and is left."""
        held = self.past.settle(talk)
        assert held == self.past.left(talk.id).keys(), "what is held is not what is left"
        fold = self.past.fold(talk.id)
        assert fold == {
            each.id: ([t.message_id for t in each.transitions], [a.message_id for a in each.approvals])
            for each in talk.instances.values()
        }, "what was undone counts, or what was not does not"
        for each in talk.instances.values():
            self.check_instance(each)

    def check_instance(self, each: Instance) -> None:
        kept = [self.past.kept[taken.message_id] for taken in (*each.transitions, *each.approvals)]
        assert [self.past.line_of(one.by)[-1] for one in kept] == [
            taken.principal for taken in (*each.transitions, *each.approvals)
        ]
        assert each.start_time == kept[0].time
        assert each.rollbacks == self.past.rollbacks[each.id] <= each.workflow.rollback_cap
        for number, one in enumerate(each.workflow.steps):
            assert sum(taken.step == number for taken in each.transitions) <= one.visits

    # -- what the core answers besides ---------------------------------------------------------------------------

    @property
    def engine(self) -> Any:
        return _conform_rust._Stream.engine

    def seen(self, talk: bytes) -> list[Any]:
        """The instances, as the core shows them."""
        if self.alone:
            return [self.shown(each) for _, each in sorted(self.talk(talk).instances.items())]
        name = Id(talk)
        listed = self.engine.ask("workflows", name)["instances"]
        return [self.engine.ask("instance", name, id=each["id"]) for each in listed]

    def questions(self, chance: Random) -> None:
        """Fates and instances of a conversation; what a cut would undo; what somebody may do now."""
        if self.alone:
            return
        talk = self.talk(chance.choice(self.talks))
        name, branches = Id(talk.id), list(talk.branches.values())
        shown = [self.shown(each) for _, each in sorted(talk.instances.items())]
        assert self.seen(talk.id) == shown
        for branch in branches:
            assert self.engine.ask("fate", name, branch=branch.id.hex()) == self.fate(talk, branch)
        held = [branch for branch in branches if branch.end > branch.base + 1]
        if held:
            target = chance.choice(held)
            self.compare_undoing(talk, target, chance.randint(target.base + 1, target.end - 1))
        live = [branch for branch in branches if not branch.undone]
        branch = chance.choice(live)
        if branch.end > branch.base and talk.workflow[1] is not None:
            asker = chance.choice([*PEOPLE, *(kid for kid, where in self.children.items() if where == talk.id)])
            instance = chance.choice([None, *talk.instances])
            self.compare_options(talk, asker, (branch, chance.randint(branch.base + 1, branch.end)), instance)

    def shown(self, of: Instance) -> dict[str, Any]:
        names = [each.name for each in of.workflow.steps]
        return {
            "id": of.id.hex(),
            "definition": of.workflow.id.hex(),
            "name": of.workflow.name,
            "start_time": of.start_time,
            "ended": any(of.workflow.steps[each.step].terminal for each in of.transitions),
            "transitions": [
                {"message": each.message_id.hex(), "branch": each.branch.hex(), "index": each.index}
                | {"step": names[each.step], "principal": each.principal.hex(), "outputs": each.outputs}
                for each in of.transitions
            ],
            "approvals": [
                {"message": each.message_id.hex(), "branch": each.branch.hex(), "index": each.index}
                | {"step": names[each.step], "subject": each.subject.hex(), "principal": each.principal.hex()}
                for each in of.approvals
            ],
        }

    def fate(self, talk: Conversation, branch: Branch) -> dict[str, Any]:
        live = not (branch.undone or branch.closed or branch.successor)
        return {
            "base": branch.base,
            "end": branch.end,
            "live": live,
            "undone": branch.undone,
            "successor": branch.successor and branch.successor.hex(),
            "tip": talk.tip(branch.id).id.hex(),
        }

    def compare_undoing(self, talk: Conversation, target: Branch, keep: int) -> None:
        found = self.engine.ask("undoing", Id(talk.id), target=target.id.hex(), size=keep)
        falls = fallen(talk, target.id, keep)
        cuts = cuts_of(falls)
        count, name = closure_digest(talk, cuts)
        assert (found["count"], found["hash"]) == (count, name.hex()) == (len(falls), name.hex())
        assert {each["branch"]: each["cut"] for each in found["branches"]} == {b.hex(): c for b, c in cuts.items()}
        undone = sorted(talk.branches[branch].leaves[index].hex() for branch, index in falls)
        assert sorted(found["messages"]) == undone
        lost = [each for all_ in self.past.touched(talk, falls).values() for each in all_ if each.hex() in undone]
        assert sorted(each["message"] for each in found["steps"]) == sorted(each.hex() for each in lost)

    def compare_options(self, talk: Conversation, asker: str, seen: tuple[Branch, int], instance: bytes | None) -> None:
        """The core's ``next_steps`` against the model (workflow.5.3), for an agent that is live."""
        agent, past = self.ids[asker], self.past
        registry = self.registry.definition(talk.workflow[1] or "", self.registry.size)
        if not past.is_live(agent) or registry is None:
            return
        definition = registry.workflow.id
        if instance is not None:
            begun = past.kept[instance].state
            assert begun is not None
            definition = begun.definition
        where = {"branch": seen[0].id.hex(), "size": seen[1], "agent": agent.hex(), "time": self.now}
        found = self.engine.ask("next_steps", Id(talk.id), instance=instance and instance.hex(), **where)
        model, numbers = past.model_of(talk, instance, definition)
        at = list(talk.branches).index(seen[0].id)
        began = None if instance is None else numbers[instance]
        patterns = talk.grants[agent].grant.steps if agent in talk.grants else None

        def verdict(name: str, subject: int | None) -> str | None:
            said = Said(past.line_of(agent)[-1].hex(), at, seen[1], (), Act(name, began, (), subject))
            code = model.verdict(said, self.now)
            return None if code == "ok" else code

        # What stands before the checks of a step is said in their place.
        before = self.stands_before(talk, asker, seen, [instance, definition, found[0]["step"], {}, None])
        for each in found:
            granted = patterns is None or each["step"] in patterns
            own = verdict(each["step"], None) if granted else "GrantScope"
            assert each["code"] == (own if before == "ok" else before), (each, before)
            if each["approve"] is not None:
                subject = numbers.get(bytes.fromhex(each["approve"]["subject"]), NOBODY)
                own = verdict(each["step"], subject)
                assert each["approve"]["code"] == (own if before == "ok" else before), (each, before)

    def stands_before(self, talk: Conversation, asker: str, seen: tuple[Branch, int], state: list[Any]) -> str | None:
        """A code that is none of the step's: of the author, the conversation or the branch. It would come first."""
        code = self.code_of(self.say(asker, talk.id, branch=seen[0].id, n=seen[1], c7=state))
        own = OF_WORKFLOWS | {"ok", "GrantScope"}
        return "ok" if code in own else code

    # -- halts ---------------------------------------------------------------------------------------------------

    def stop(self, by: str, scope: Scope) -> bytes:
        """A halt at once. Its id."""
        made = self.halt(by, scope)
        assert self.ask(made)["code"] == "ok"
        effective = REALM if scope[0] == 4 and scope[1] not in {"trade", "loop"} else scope
        self.past.halts[parse(made).message_id] = effective
        return parse(made).message_id

    def let_go(self, by: str, halts: list[bytes]) -> str:
        """A proposal to end these; by a root it is at once in force."""
        made = self.resume(by, sorted(halts))
        code = str(self.ask(made)["code"])
        if code == "ok":
            self.proposals[parse(made).message_id] = tuple(halts), set()
            self.agreed(parse(made).message_id, by)
        return code

    def agree(self, by: str, proposal: bytes) -> str:
        code = str(self.ask(self.approve_resume(by, proposal))["code"])
        if code == "ok":
            self.agreed(proposal, by)
        return code

    def agreed(self, proposal: bytes, by: str) -> None:
        halts, authors = self.proposals[proposal]
        authors.add(by)
        if any(each.startswith("root") for each in authors) or len(authors) >= 2:
            self.proposals.pop(proposal)
            for each in halts:
                self.past.halts.pop(each)

    def check_halts(self) -> None:
        assert self.past.halts == {
            each.id: each.scope for each in self.registry.halts.values() if each.until is None
        }, "what is in force"

    # -- what the reference would say ----------------------------------------------------------------------------

    def code_of(self, envelope: bytes) -> str:
        """Nothing is changed."""
        try:
            entry = parse(envelope)
            check_authentic(self.state, entry)
            check_place(self.state, entry)
            found = admit(self.state, Stamp(max(self.now, self.realm.time), self.registry.size), entry)
        except Ama2Error as fault:
            return fault.code
        return found.fault.code if isinstance(found, Rejected) else "ok"

    # -- what there is to choose from ----------------------------------------------------------------------------

    def live(self, talk: bytes) -> list[Branch]:
        """The branches on which something can be said."""
        return [
            each for each in self.talk(talk).branches.values() if not (each.undone or each.closed or each.successor)
        ]

    def heads(self, talk: bytes, branch: Branch) -> list[tuple[bytes, int]]:
        """The other branches, as far as they are held, and each as far as it brings something."""
        at, found = self.talk(talk), [(branch.id, branch.size)]
        for each in sorted(at.branches.values(), key=lambda other: other.id):  # the order of a list of merges
            if each is not branch and max(each.base, at.ancestors(*found).get(each.id, 0)) < each.end:
                found.append((each.id, each.end))
        return found[1:17]

    def speakers(self, talk: bytes) -> Iterator[tuple[str, list[Branch]]]:
        """Everybody who has not left, and where he may speak."""
        for name in self.people_of:
            if self.ids[name] in self.past.groups:
                yield name, self.live(talk)
        for kid, where in self.children.items():
            if where == talk and self.past.is_live(self.ids[kid]):
                mine = [each for each in self.live(talk) if self.ids[kid] in {above.id for above in each.lineage()}]
                if mine:
                    yield kid, mine
