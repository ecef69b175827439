"""Both implementations agree on halts and resumes, answer by answer and digest by digest (halt.1 to halt.3, admission.4.4).

Random histories with scopes that are right, nearly right and none at all (``AMA2SEC_SEED=7`` draws others); every scope that is
a byte away from a form; collapse; and a duplicate that a log has sequenced.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from ama2sec import Id
from ama2sec.errors import CATALOGUE
from ama2sec.limits import MAX_HALTS
from ama2sec.realm import replay_realm
from ama2sec.reference import conversation_digest, encode, parse, read_record, registry_digest
from ama2sec.reference.claims import LOG_TYP
from ama2sec.reference.record import entry_digest
from ama2sec.reference.scopes import REALM, Scope, read_scope
from tests.properties.hostile_realm import OTHER, History
from tests.realm_world import DEFINE, HALT, LOCAL_HALT, RESUME, TIME, ZEROS, World, policy
from tests.two_realms import MET, TwoRealms, both, compare_replays
from tests.workflow_world import small

SEED = os.environ.get("AMA2SEC_SEED", "2026")
HISTORIES, STEPS = 24, 90
OPERATORS = ("op-1", "op-2", "op-3")
# What a halt, a resume, or what they cover may be answered; each has to be met.
WANTED = {"Halted", "ResumeInvalid", "ProposalInvalid", "PurposeWrong", "PrincipalRevoked", "KeyUnknown", "RealmOther"}
WANTED |= {"ClaimForm", "ClaimRange", "ClaimType", "ClaimMissing", "ClaimForbidden", "TypKind", "KindNotBuilt"}
WANTED |= {"ListOrder", "TooMany", "SignatureInvalid", "ConformQuestion"}


@dataclass
class Halting(History):
    """A hostile history in which people stop things and let them go on."""

    halts: list[bytes] = field(default_factory=list)
    """The ids of all halts that were signed, admitted or not."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in OPERATORS:
            self.enrolled(name, purpose="operator")

    def step(self) -> None:
        """One entry, or two: a third of them about stopping."""
        choice = self.rng.random()
        if choice > 0.36:
            super().step()
        elif choice > 0.22:
            self.stop()
        elif choice > 0.03:
            self.let_go()
        else:
            self.definition()

    # -- what may be covered -------------------------------------------------------------------------------------

    def stop(self) -> None:
        """A halt, mostly of an operator, or a local one; sometimes one that is none."""
        rng, world = self.rng, self.world
        scope = self.scope()
        choice = rng.random()
        if choice < 0.25:
            self.answered(
                both(
                    op="halt",
                    scope=scope.hex(),
                    reason="r" * rng.choice((0, 256, 257)),
                    salt=self.salt(),
                    time=world.now,
                )
            )
            return
        by = self.operator() if choice < 0.85 else rng.choice([*self.keys, "root-1", "sequencer", *self.children])
        kind = HALT if rng.random() < 0.93 else LOCAL_HALT
        made = world.halt(by, scope, kind=kind, **(self.lies(kind) if rng.random() < 0.2 else {}))
        self.hand_in("halt", self.broken(made) if rng.random() < 0.04 else made)
        if rng.random() < 0.05:
            self.hand_in("halt", made)
        if rng.random() < 0.05:
            both(op="resume", envelope=made.hex(), time=world.now)

    def let_go(self) -> None:
        """A resume or an approval, mostly one that is needed."""
        rng, world = self.rng, self.world
        by = self.operator() if rng.random() < 0.6 else rng.choice(("root-1", "root-2", "root-3", *self.keys))
        waiting = [each.id for each in world.registry.proposals if each.kind == RESUME]
        if waiting and rng.random() < 0.6:
            proposal = rng.choice(waiting) if rng.random() < 0.9 else rng.choice([OTHER, *self.halts])
            made = world.approve_resume(by, proposal, **(self.lies(RESUME) if rng.random() < 0.1 else {}))
        elif waiting and rng.random() < 0.15:
            made = world.approve(DEFINE, "root-2", rng.choice(waiting))
        else:
            lies = self.lies(RESUME) if rng.random() < 0.15 else {}
            made = world.resume(by, self.named(), **lies)
        self.hand_in("resume", made)

    def named(self) -> list[bytes]:
        """Mostly all that is in force; sometimes what has ended, was never admitted, or is no halt."""
        living = [halt.id for halt in self.world.registry.halts.values() if halt.until is None][:64]
        if self.rng.random() < 0.2 or not living:
            living.append(self.rng.choice([OTHER, self.world.id, *self.halts]))
        if self.rng.random() < 0.3:
            living = self.rng.sample(living, self.rng.randint(1, len(living)))
        return sorted(set(living))

    def hand_in(self, op: str, envelope: bytes) -> None:
        self.sent.append(envelope)
        asked = op if self.rng.random() < 0.7 else "admit"
        self.answered(both(op=asked, envelope=envelope.hex(), time=self.world.now))

    def answered(self, found: dict[str, Any]) -> None:
        self.world.answers.append(found)
        if "record" in found:
            self.halts.append(read_record(bytes.fromhex(found["record"])).message_id)

    def operator(self) -> str:
        return self.rng.choice(OPERATORS)

    def salt(self) -> str:
        return self.world.counted_salt().hex()

    def definition(self) -> None:
        self.send(self.world.entry(DEFINE, self.root(), self.own(DEFINE)))

    # -- scopes --------------------------------------------------------------------------------------------------

    def scope(self) -> bytes:
        """The bytes of one, or nearly."""
        rng = self.rng
        whole = encode(list(self.form()))
        choice = rng.random()
        if choice < 0.8:
            return whole
        if choice < 0.85:
            return whole[: rng.randrange(len(whole))]
        if choice < 0.9:
            return whole + rng.randbytes(rng.choice((1, 2, 300)))
        if choice < 0.95:
            return self.broken(whole)
        return rng.randbytes(rng.choice((0, 1, 9, 256, 257, 4096)))

    def form(self) -> Scope:
        rng, talk = self.rng, self.talk() or OTHER
        branches = list(self.world.state.conversations[talk].branches) if talk != OTHER else []
        agents = [self.world.ids[name] for name in (*self.keys, *self.children)]
        return rng.choice(
            (
                REALM,
                (1, rng.choice((talk, talk, OTHER, self.world.id))),
                *[(2, talk, rng.choice([*branches, *branches, OTHER]))] * 4,
                (2, OTHER, talk),
                (3, talk, rng.choice((talk, OTHER))),
                (4, rng.choice(("flow", "other", "flow", "none"))),
                *[(5, rng.choice([*agents, OTHER, talk]))] * 3,
            )
        )

    def lies(self, kind: int) -> dict[str, Any]:
        """A claim that another form, or no halt, would have."""
        rng, world = self.rng, self.world
        many = [bytes([number]) * 32 for number in range(65)]
        own: list[dict[str, Any]] = [
            {"c17": [0]},
            {"c17": ...},
            {"c26": "r" * 257},
            {"c26": b"r"},
            {"c26": ...},
            {"c21": None},
        ]
        if kind == RESUME:
            own = [
                {"c21": value}
                for value in (
                    [[], ""],
                    [many, ""],
                    [many[:64], ""],
                    [many[1::-1], ""],
                    [[b"x"], ""],
                    [many, 1],
                    7,
                    [many[:1]],
                )
            ]
            own += [{"c27": OTHER}, {"c21": None, "c27": None}, {"c21": None, "c27": b""}, {"c27": ...}, {"c17": b""}]
        common: list[dict[str, Any]] = [
            {"c1": OTHER, "c2": OTHER, "c6": [OTHER, None, []]},
            {"c1": ZEROS, "c2": ZEROS, "c6": [ZEROS, None, []]},
            {"c2": OTHER},
            {"c3": rng.choice((2, 16, 32, 33, 34, 48, 49, 50))},
            {"c3": rng.choice((49, 50)), "typ": LOG_TYP},
            {"c4": [OTHER, None]},
            {"c4": [world.ids["op-1"], world.ids["op-1"]]},
            {
                "c5": rng.choice(
                    ([1, ZEROS, 0, ZEROS], [0, OTHER, 0, ZEROS], [0, ZEROS, 1, ZEROS], [0, ZEROS, 0, OTHER])
                )
            },
            {"c6": rng.choice(([world.id, OTHER, []], [OTHER, None, []], [world.id, None, [[OTHER, 1, OTHER]]]))},
            {"c7": [None, OTHER, "a", {}, None]},
            {"c9": [TIME, 1]},
            {"c10": -1},
            {"c11": b""},
            {"c18": b""},
            {"typ": rng.choice([f"ama2sec-{name}+cose" for name in ("message", "halt", "registry", "log", "offer")])},
        ]
        return rng.choice(own if rng.random() < 0.5 else common)


def test_random_histories_with_halts() -> None:
    met, stopped = MET.copy(), 0
    for number in range(HISTORIES):
        history = Halting(Random(f"halts {SEED} {number}"))
        for _ in range(STEPS):
            history.step()
        stopped += sum(halt.until is not None for halt in history.world.registry.halts.values())
        if number % 5 == 0:
            history.world.compare_histories(list(history.world.state.conversations)[:2])
    new = MET - met
    assert not WANTED - set(new), (sorted(WANTED - set(new)), new.most_common())
    assert new["Halted"] > HISTORIES * 3
    assert new["ok"] > HISTORIES * STEPS / 4
    assert stopped > HISTORIES


# -- scopes that are nearly one ------------------------------------------------------------------------------------


def near(whole: bytes) -> list[bytes]:
    """Cut short at every place, longer by a byte, and with each bit of the heads turned."""
    cut = [whole[:end] for end in range(len(whole))]
    longer = [whole + bytes([byte]) for byte in (0, 0x40, 0xF6, 0xFF)]
    turned = [
        whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
        for at in range(min(4, len(whole)))
        for bit in range(8)
    ]
    return [*cut, *longer, *turned]


def test_every_scope_that_is_a_byte_away_from_a_form() -> None:
    forms: list[Scope] = [(0,), (1, OTHER), (2, OTHER, ZEROS), (4, "flow"), (5, OTHER)]
    realm = 0
    for form in forms:
        world = TwoRealms()
        world.take(world.enrol("op", purpose="operator"))
        world.take(world.entry(DEFINE, "root-1", ["flow", None, small()]))
        for scope in [encode(list(form)), *near(encode(list(form)))]:
            found = world.ask(world.halt("op", scope))
            assert (found["code"], found["verdict"]) == ("ok", "admitted")
            effective = [halt.scope for halt in world.registry.halts.values()][-1]
            assert effective == read_scope(scope, {"flow"})
            realm += effective == REALM
    assert realm > 300


# -- collapse, and what a replay may meet --------------------------------------------------------------------------


def transcript(world: World) -> bytes:
    pairs = [encode([2, record]) + encode([1, envelope, None]) for envelope, record in world.sequenced]
    return b"".join([encode([0, "ama2sec-transcript", 1]), *pairs])


def stage() -> tuple[World, bytes]:
    """The reference's own realm: an operator, who may resume alone, and a conversation of alice."""
    world = World(laws=policy(q6=1))
    world.people("alice")
    world.take(world.enrol("op", purpose="operator"))
    return world, world.opened("alice")


def test_an_author_of_many_halts_halts_the_realm() -> None:
    world, talk = stage()
    for _ in range(MAX_HALTS):
        world.take(world.halt("op", (1, OTHER)))
    codes = [world.take(world.say("alice", talk)).record.code]
    last = world.take(world.halt("op", (1, OTHER))).entry.message_id
    codes.append(world.take(world.say("alice", talk)).record.code)
    world.take(world.resume("op", [last, *list(world.registry.halts)[:9]]))
    world.take(world.halt("op", (1, OTHER)))
    codes.append(world.take(world.say("alice", talk)).record.code)
    assert codes == [0, CATALOGUE["Halted"].number, 0]
    found = replay_realm(transcript(world), realm=Id(world.id))
    assert bytes(found.state_digest()) == registry_digest(world.registry)
    assert bytes(found.state_digest(Id(talk))) == conversation_digest(world.talk(talk))


def test_a_log_that_has_sequenced_a_halt_twice() -> None:
    world, _ = stage()
    halt = world.halt("op")
    resume = world.resume("op", [world.take(halt).entry.message_id])
    world.take(resume)
    data, last = transcript(world), read_record(world.realm.records[-1])
    for envelope in (halt, resume):
        ids = {"digest": entry_digest(envelope), "message_id": parse(envelope).message_id}
        next_ = {"position": last.position + 1, "prev": last.position + 1, "registry_size": world.registry.size}
        again = replace(last, **next_, **ids)
        rejected = replace(again, branch=ZEROS, index=0, code=CATALOGUE["SeqUsed"].number)
        admitted = replace(again, branch=world.id, index=world.registry.size, code=0)
        for record, code in ((rejected, "ok"), (admitted, "RecordVerdict")):
            pair = encode([2, record.to_bytes()]) + encode([1, envelope, None])
            assert compare_replays(data + pair, realm=world.id) == code
