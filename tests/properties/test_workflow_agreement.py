"""Both implementations agree on workflows, answer by answer and digest by digest (workflow, admission.4.4).

Documents that are sound, nearly sound, and broken at each byte; and random histories in which workflows run, with definitions that
were drawn, among halts, forks, children, revocations and lies (``AMA2SEC_SEED=7`` draws others).
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ama2sec.errors import CATALOGUE, Ama2Error
from ama2sec.reference import Record, Rejected, Stamp, admit, compile_definition, encode, parse, read_record
from ama2sec.reference.admission import check_authentic
from ama2sec.reference.dag import Instance
from ama2sec.reference.definitions import Workflow
from ama2sec.reference.record import entry_digest
from ama2sec.reference.scopes import Scope
from tests.both import ask, same_code
from tests.properties.hostile_realm import GROUPS, OTHER
from tests.properties.small_workflows import family
from tests.properties.test_halt_agreement import Halting, transcript
from tests.realm_world import DEFINE, ZEROS
from tests.two_realms import MET, compare_replays
from tests.unit import test_reference_definitions as documents
from tests.workflow_world import document, running, step

SEED = os.environ.get("AMA2SEC_SEED", "2026")
HISTORIES, STEPS = 28, 110
WANTED = {
    name
    for name, row in CATALOGUE.items()
    if row.clause.startswith("admission.2.") and 32 <= int(row.clause.split(".")[2]) <= 40
} | {"GrantScope", "Halted", "DefinitionInvalid"}
NAMES = ("a", "b", "c", "d", "e")


# -- documents -----------------------------------------------------------------------------------------------------


def drawn(rng: Random, name: str) -> bytes:
    """A definition; about every second one is sound."""
    names = NAMES[: rng.choice((1, 2, 3, 4, 5, 5, 5))]
    steps = []
    for at, called in enumerate(names):
        before, others = names[:at], [each for each in names if each != called]
        mode = rng.choice((0, 0, 1)) if at else 0
        needs = rng.sample(before if mode == 0 or rng.random() < 0.3 else others, min(at, rng.choice((0, 1, 1, 2))))
        chooses = at > 0 and rng.random() < 0.45
        if chooses or (at == len(names) - 1 and not needs):
            mode, needs = 0, before[:1]
        all_needs = needs if mode == 0 else []
        when = [condition(rng, each) for each in all_needs if rng.random() < 0.35]
        by = [group for group in GROUPS if rng.random() < 0.7]
        steps.append(
            step(
                called,
                by=by or [GROUPS[0]],
                mode=mode if needs else 0,
                needs=needs,
                choice=all_needs[0] if all_needs and (chooses or rng.random() < 0.2) else None,
                when=when,
                approvals=[all_needs[-1], rng.choice((1, 1, 2)), [rng.choice(GROUPS)]]
                if all_needs and rng.random() < 0.4
                else None,
                deadline=rng.choice((None, None, None, 1, 60, 200)),
                visits=rng.choice((1, 2, 9, 9)),
                terminal=at == len(names) - 1 or rng.random() < 0.03,
                pivot=rng.random() < 0.2,
                outputs={"flag": 0, "n": 1, "text": 2},
                undo=rng.choice(others) if others and rng.random() < 0.2 else None,
            )
        )
    if rng.random() < 0.15:
        broken(rng, steps)
    return document(steps, name=name, rollback=rng.choice((([], 0), (["buyers"], 3))))


def condition(rng: Random, of: str) -> list[Any]:
    kinds: list[list[Any]] = [[of, "flag", 0, True], [of, "n", rng.randint(0, 2), 1], [of, "text", 0, "x"]]
    return rng.choice(kinds)


def broken(rng: Random, steps: list[dict[str, Any]]) -> None:
    """One part of one step is another."""
    hostile: dict[str, Any] = {
        "visits": 0,
        "choice": 0,
        "undo": 9,
        "needs": [4],
        "terminal": None,
        "when": [[0, "n", 1, True]],
    }
    part = rng.choice(sorted(hostile))
    rng.choice(steps)[part] = hostile[part]


def compare(data: bytes) -> str:
    """The code of both, whose answers are the same."""
    found = [ask(implementation, op="workflow_compile", document=data) for implementation in ("rust", "reference")]
    bare = [{name: value for name, value in each.items() if name not in {"expected", "got"}} for each in found]
    assert bare[0] == bare[1], (data.hex(), bare)
    code: str = bare[0]["code"]
    return code


def test_documents_that_are_drawn() -> None:
    rng = Random(f"{SEED} documents")
    codes = Counter(compare(drawn(rng, "flow")) for _ in range(600))
    assert set(codes) == {"ok", "DefinitionInvalid"}
    assert min(codes.values()) > 60
    codes.update(compare(document(steps)) for _, steps in list(family())[::7])
    assert set(codes) == {"ok", "DefinitionInvalid"}


def test_documents_of_each_form_and_each_rule() -> None:
    for expected, change in documents.FORMS:
        whole = documents.value_of(
            [step("a", outputs={"n": 1, "t": 2}), step("b", needs=["a"], terminal=True)]
        )  # fmt: skip
        change(whole)
        assert compare(encode(whole)) == ("ok" if expected == "ok" else "DefinitionInvalid")
    for _, expected, steps in documents.SOUND:
        assert compare(document(steps)) == ("ok" if expected == "ok" else "DefinitionInvalid")


def test_every_bit_of_a_document() -> None:
    data = document(documents.trading(), rollback=[["ops"], 3])
    codes: Counter[str] = Counter()
    for at in range(len(data)):
        for bit in range(8):
            codes[compare(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])] += 1
        codes[compare(data[:at])] += 1
    assert set(codes) == {"ok", "DefinitionInvalid"}
    rng = Random(f"{SEED} bytes")
    for _ in range(1500):
        at = rng.randrange(len(data))
        cut = data[:at] + rng.randbytes(rng.randint(0, 3)) + data[at + rng.randint(0, 3) :]
        same_code(op="workflow_compile", document=cut)


# -- histories -----------------------------------------------------------------------------------------------------


@dataclass
class Working(Halting):
    """A hostile history in which workflows run, and people stop them at times."""

    codes: Counter[str] = field(default_factory=Counter)
    """What was said of the entries about workflows."""

    def step(self) -> None:
        """One entry, or two: most of them about workflows."""
        choice, rng = self.rng.random(), self.rng
        if choice < 0.62:
            self.work()
        elif choice < 0.66:
            self.defined()
        elif choice < 0.72:
            self.opened()
        elif choice < 0.74:
            self.stop()
        elif choice < 0.80:
            self.let_go()
        else:
            self.world.now += rng.choice((0, 9))
            super(Halting, self).step()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("dora", "emil"):
            self.enrolled(name)
        for name in ("flow", "other"):
            self.defined(name)
        for _ in range(2):
            self.opened()

    def defined(self, name: str | None = None) -> None:
        """A definition, mostly a sound one that takes the place of the present one, with its approvals."""
        rng, world = self.rng, self.world
        called = rng.choice(("flow", "other")) if name is None else name
        present = world.registry.definition(called, world.registry.size)
        data = (
            self.sound(called) if name is not None or rng.random() < 0.8 else drawn(rng, rng.choice((called, "else")))
        )
        found = self.send(world.entry(DEFINE, self.root(), [called, present and present.entry_id, data]))
        if found["code"] == "ok":
            self.approve_all(bytes.fromhex(found["record"])[54:86], DEFINE)

    def groups(self) -> tuple[str, ...]:
        return tuple(group for group in GROUPS if self.rng.random() < 0.75)

    def sound(self, name: str) -> bytes:
        while True:
            data = drawn(self.rng, name)
            try:
                compile_definition(data)
            except Ama2Error:
                continue
            return data

    def opened(self) -> None:
        """An open that names a definition, and that mostly starts an instance."""
        rng, world, by = self.rng, self.world, self.speaker()
        name = rng.choice(("flow", "other", "flow", "other", None, "none"))
        meant = None if name is None else world.registry.definition(name, world.registry.size)
        state = None
        if meant is not None and rng.random() < 0.6:
            state = self.lied([None, meant.workflow.id, self.start_of(meant.workflow), self.outputs(), None])
        self.send(world.open(by, c14=[name is not None and rng.random() < 0.3, name], c7=state))

    def start_of(self, workflow: Workflow) -> str:
        steps = workflow.steps
        return steps[workflow.start].name if self.rng.random() < 0.9 else self.rng.choice(steps).name

    def outputs(self) -> dict[Any, Any]:
        rng = self.rng
        whole = {
            "flag": rng.random() < 0.85,
            "n": rng.choice((1, 1, 1, 0, 2)),
            "text": rng.choice(("x", "x", "x", "y")),
        }
        if rng.random() < 0.1:
            whole[rng.choice(sorted(whole))] = rng.choice((True, 1, "x"))
        if rng.random() < 0.1:
            whole.pop(rng.choice(sorted(whole)))
        return whole

    def work(self) -> None:
        """Mostly something that is open to somebody; otherwise what is refused or rejected for a reason that is rare."""
        talks = [each.id for each in self.world.state.conversations.values() if each.workflow[1] is not None]
        if not talks:
            self.opened()
            return
        talk = self.rng.choice(talks)
        tries = [self.tried(talk) for _ in range(self.rng.choice((1, 3, 6)))]
        codes = [self.code_of(each) for each in tries]
        chosen = codes.index("ok") if "ok" in codes and self.rng.random() < 0.6 else codes.index(self.rarest(codes))
        self.codes[codes[chosen]] += 1
        self.send(tries[chosen])

    def rarest(self, codes: list[str]) -> str:
        """The code that this history has met the least."""
        return min(codes, key=lambda code: self.codes[code])

    def code_of(self, envelope: bytes) -> str:
        """What the reference would say."""
        state, registry = self.world.state, self.world.registry
        try:
            entry = parse(envelope)
            check_authentic(state, entry)
            found = admit(state, Stamp(self.world.now, registry.size), entry)
        except Ama2Error as fault:
            return fault.code
        return found.fault.code if isinstance(found, Rejected) else "ok"

    def tried(self, talk: bytes) -> bytes:
        """A step or an approval, somewhere, by somebody."""
        rng, world = self.rng, self.world
        who, where = self.author(talk)
        conversation = world.talk(talk)
        branch = conversation.branches[where]
        context = self.context(branch)
        heads: list[tuple[bytes, int]] = []
        if rng.random() < 0.5 and len(conversation.branches) > 1:
            heads = [
                (each.id, each.end)
                for each in conversation.branches.values()
                if each is not branch and rng.random() < 0.8 and self.is_new(talk, (branch.id, context["n"]), each)
            ][:16]
        return world.say(who, talk, merges=heads, c7=self.claimed(talk), **context)

    def is_new(self, talk: bytes, context: tuple[bytes, int], other: Any) -> bool:
        return max(other.base, self.world.talk(talk).ancestors(context).get(other.id, 0)) < other.end

    def claimed(self, talk: bytes) -> Any:
        """Claim 7."""
        rng, conversation = self.rng, self.world.talk(talk)
        instances = list(conversation.instances.values())
        if instances and rng.random() < 0.9:
            return self.lied(self.in_instance(rng.choice(instances[-3:])))
        name = conversation.workflow[1] or ""
        meant = self.world.registry.definition(name, self.world.registry.size)
        if meant is None:
            return [None, OTHER, "a", {}, None]
        return self.lied([None, meant.workflow.id, self.start_of(meant.workflow), self.outputs(), None])

    def in_instance(self, instance: Instance) -> list[Any]:
        rng, workflow = self.rng, instance.workflow
        asking = [each for each in workflow.steps if each.approvals is not None]
        if asking and rng.random() < 0.4:
            of = rng.choice(asking)
            assert of.approvals is not None
            given = [each.message_id for each in instance.transitions if each.step == of.approvals.of]
            last = given[-1] if given else instance.id
            subject = last if rng.random() < 0.85 else rng.choice([each.message_id for each in instance.transitions])
            return [instance.id, workflow.id, of.name, {}, subject]
        return [instance.id, workflow.id, rng.choice(workflow.steps).name, self.outputs(), None]

    def lied(self, state: list[Any]) -> list[Any]:
        """Rarely, one part is another."""
        rng, lie = self.rng, self.rng.randrange(60)
        if lie == 0:
            state[0] = rng.choice((OTHER, None))
        elif lie == 1:
            state[1] = rng.choice((OTHER, *self.definition_ids()))
        elif lie == 2:
            state[2] = rng.choice((*NAMES, "none"))
        elif lie == 3:
            state[3] = self.outputs()
        elif lie == 4:
            state[4] = rng.choice((OTHER, state[0], state[4]))
        return state

    def definition_ids(self) -> list[bytes]:
        return [each.workflow.id for meant in self.world.registry.definitions.values() for each in meant]

    def form(self) -> Scope:
        """Scopes of instances besides the others."""
        talk = self.talk()
        instances = [] if talk is None else list(self.world.talk(talk).instances)
        if talk is None or not instances or self.rng.random() < 0.5:
            return super().form()
        return 3, talk, self.rng.choice(instances)


def test_random_histories_with_workflows() -> None:
    met, moved, ended = MET.copy(), 0, 0
    for number in range(HISTORIES):
        history = Working(Random(f"workflows {SEED} {number}"))
        for _ in range(STEPS):
            history.step()
        instances = [each for talk in history.world.state.conversations.values() for each in talk.instances.values()]
        moved += sum(len(each.transitions) + len(each.approvals) for each in instances)
        ended += sum(each.workflow.steps[each.transitions[-1].step].terminal for each in instances)
        if number % 5 == 0:
            history.world.compare_histories(list(history.world.state.conversations)[:3])
    new = MET - met
    assert not WANTED - set(new), (sorted(WANTED - set(new)), new.most_common())
    assert (moved > HISTORIES * 12, ended > HISTORIES) == (True, True), (moved, ended, new.most_common())


def test_a_log_that_has_sequenced_a_start_twice() -> None:
    """The halt of an instance covers its start, also where that comes again (halt.2.3 d)."""
    world, talk = running(document([step("a", visits=2), step("b", needs=["a"], terminal=True)]), alice=("work",))
    world.take(world.enrol("op", purpose="operator"))
    starts = [world.move("alice", talk, "a") for _ in range(2)]
    for start in starts:
        world.take(start)
    world.take(world.halt("op", (3, talk, parse(starts[0]).message_id)))
    data, last = transcript(world), read_record(world.realm.records[-1])
    prev = max(at for at, line in enumerate(world.realm.records, 1) if read_record(line).conversation == talk)
    for start, expected in zip(starts, ("Halted", "SeqUsed"), strict=True):
        for code in ("Halted", "SeqUsed"):
            line = Record(
                last.position + 1, last.time, world.registry.size, entry_digest(start), parse(start).message_id, talk,
                ZEROS, 0, prev, CATALOGUE[code].number,
            )  # fmt: skip
            pair = encode([2, line.to_bytes()]) + encode([1, start, None])
            assert compare_replays(data + pair, realm=world.id) == ("ok" if code == expected else "RecordVerdict")
