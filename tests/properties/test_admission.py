"""Both implementations give one verdict, one record, one fingerprint and one digest for every entry of a realm (admission.4.4).

Three ways to entries: random histories with hostile ones mixed in (``AMA2SEC_SEED=7`` draws others), every entry of small
worlds (``make enumerate`` goes deeper), and each pair of faults. Each code that admission can give has to be met.
"""

from __future__ import annotations

import itertools
import os
from random import Random
from typing import Any

from ama2sec import Ama2Error, PublicKey, _conform_rust
from ama2sec import realm as core
from ama2sec import reference as ref
from ama2sec.errors import CATALOGUE
from ama2sec.reference import envelope as reading
from ama2sec.reference.rule_s import EnrolledKey
from tests.properties.hostile_realm import History
from tests.properties.small_worlds import explore
from tests.realm_world import BODY_SALT, REVOKE, TIME, World, key_of, policy, seed_of
from tests.remembered import remembering
from tests.two_realms import MET, TwoRealms, both, compare_replays
from tests.unit import test_reference_admission as pairs
from tests.unit import test_reference_registry as registry

SEED = os.environ.get("AMA2SEC_SEED", "2026")
HISTORIES, STEPS = 34, 80

# Codes of admission that no entry of a stream can have: the sequencer's own terms, budgets, and a genesis, which begins a stream.
# Halts, workflows and rollbacks have histories of their own: test_halt_agreement, test_workflow_agreement, test_rollback_agreement.
ELSEWHERE = {
    "TermInvalid",
    "QuotaExceeded",
    "GenesisInvalid",
    "RulesUnsupported",
    "Halted",
    "WorkflowVersion",
    "StepUnknown",
}
ELSEWHERE |= {"StepRole", "WorkflowEnded", "DeadlinePassed", "StepSpent", "StepExcluded", "StepNeeds", "StepWhen"}
ELSEWHERE |= {"ApprovalsMissing", "ApprovalInvalid", "ContextStale"}
ELSEWHERE |= {"GrantUndone", "BranchSuperseded", "BranchUndone", "MergeUndone", "HaltedByEffect"}
ELSEWHERE |= {f"Rollback{what}" for what in ("Role", "Target", "Incomplete", "Scope", "Pivot", "Cap")}
REFUSED = {"KeyUnknown", "SignatureInvalid", "RealmOther", "BodyMissing", "BodySize", "BodyMismatch", "BodyUnexpected"}
SHARED = {"PurposeWrong", "NotAMember", "SeqUsed", "SeqWindow", "BranchUnknown", "ContextAhead", "ContextForked"}
VERDICTS = {
    name
    for name, row in CATALOGUE.items()
    if row.built and row.clause.split(".")[0] in {"admission", "registry"} and name not in ELSEWHERE
}


def test_random_histories() -> None:
    before = sum(MET.values())
    met = MET.copy()
    for number in range(HISTORIES):
        history = History(Random(f"{SEED} {number}"))
        for _ in range(STEPS):
            history.step()
        if number % 6 == 0:
            history.world.compare_histories(list(history.world.state.conversations)[:2])
    new = MET - met
    assert sum(MET.values()) - before > HISTORIES * STEPS
    assert new["ok"] > 1000
    missed = (VERDICTS | REFUSED | SHARED) - set(new)
    assert not missed, (sorted(missed), new.most_common())


def test_small_worlds() -> None:
    with remembering():
        done = explore(2)
    assert (done.histories, done.entries > 4000) == (39, True)


def test_what_is_remembered_changes_no_answer() -> None:
    parse, plain = reading.parse_envelope, explore(1)
    with remembering():
        assert reading.parse_envelope is not parse
        remembered = explore(1)
    assert reading.parse_envelope is parse
    assert (remembered.histories, remembered.entries) == (plain.histories, plain.entries)
    assert remembered.answers.digest() == plain.answers.digest()


def test_each_pair_of_faults() -> None:
    met = 0
    for first, second in [*((fault, fault) for fault in pairs.ORDER), *itertools.combinations(pairs.ORDER, 2)]:
        made = pairs.staged({first, second}, TwoRealms)
        if made is None:
            continue
        world, envelope = made
        assert isinstance(world, TwoRealms)
        world.now = pairs.time_of({first, second})
        assert world.ask(envelope)["code"] == pairs.expected_of(first), (first, second)
        world.now = TIME
        met += 1
        if met % 40 == 0:  # recorded time does not go back: the stage is set anew
            pairs.stage.cache_clear()
        if pairs.time_of({first, second}) != TIME:
            pairs.stage.cache_clear()
    assert met > 250


def test_each_check_of_the_registry() -> None:
    for code, make in registry.CHECKS:
        world = registry.stage(TwoRealms)
        assert isinstance(world, TwoRealms)
        assert world.ask(make(world))["code"] == code
        if code == "ok":
            registry.stage.cache_clear()
    registry.stage.cache_clear()


def test_a_sequencer_signs_nothing_that_ends_its_own_key() -> None:
    world = TwoRealms(roots=3, laws=policy(q3=2))
    world.ask(world.enrol("next", purpose="sequencer"))
    proposal = bytes.fromhex(world.ask(world.entry(REVOKE, "root-1", [world.ids["sequencer"], None, ""]))["record"])[
        54:86
    ]
    for _ in range(2):
        assert world.ask(world.approve(REVOKE, "root-2", proposal))["code"] == "CheckpointKey"
    other = bytes.fromhex(world.ask(world.entry(REVOKE, "root-1", [world.ids["next"], None, ""]))["record"])[54:86]
    assert world.ask(world.approve(REVOKE, "root-2", other))["code"] == "ok"
    assert world.ask(world.approve(REVOKE, "root-2", proposal))["code"] == "RevokeInvalid"


def test_entries_travel_with_their_bodies() -> None:
    world = TwoRealms()
    world.ask(world.enrol("alice"))
    talk = bytes.fromhex(world.ask(ref.encode([1, world.open("alice"), None]))["conversation"])
    for given, body in (
        ([BODY_SALT, b"hello"], None),
        ([BODY_SALT, b"jello"], None),
        (None, b"hello"),
        ([BODY_SALT, b"hello"], b"hello"),
        (None, None),
    ):
        world.ask(ref.encode([1, world.say("alice", talk, body=b"hello"), given]), body=body)
    for broken in (
        b"\x83",
        ref.encode([2, b"", None]),
        ref.encode([1, b"", None]),
        ref.encode([1, world.say("alice", talk), [b"", b""]]),
    ):
        world.ask(broken)
    both(
        op="realm_new",
        time=TIME,
        sequencer_seed=seed_of("sequencer").hex(),
        envelope=ref.encode([1, world.genesis, None]).hex(),
    )


# -- the first entry -----------------------------------------------------------------------------------------------


def test_geneses() -> None:
    sequencer = seed_of("seq").hex()
    changes: list[dict[str, Any]] = [
        {}, {"rules": 2}, {"policy": policy(q1=3)}, {"profile": 0}, {"profile": 0, "policy": policy(q5=2)}, {"name": "X"},
        {"roots": []}, {"roots": registry.document()[3][:1]}, {"roots": registry.document()[3][1:]},
        {"roots": [["root-1", registry.SMALL, bytes(64), None]]}, {"policy": {}}, {"policy": policy(q1=0)},
        {"policy": {2: 99, **dict.fromkeys(range(3, 8), 1), 8: False}}, {"sequencer": ["root-1", *registry.document()[4][1:]]},
    ]  # fmt: skip
    for change in changes:
        envelope = registry.genesis(**change)
        found = both(op="realm_new", time=TIME, sequencer_seed=sequencer, envelope=envelope.hex())
        again = both(op="admit", time=TIME, envelope=envelope.hex())
        assert again["code"] == ("ok" if found["code"] == "ok" else "ConformQuestion")
        assert both(op="head")["code"] == again["code"]
        both(op="state_digest")
        both(op="state_digest", conversation="00" * 32)
    codes = {"ok", "RulesUnsupported", "GenesisInvalid", "NameForm", "ClaimRange", "ClaimType", "KeyUnknown"}
    assert codes <= set(MET)
    both(op="realm_new", time=TIME, sequencer_seed="00" * 32, envelope=registry.genesis().hex())
    both(op="realm_new", time=TIME, sequencer_seed=sequencer, envelope=registry.genesis(by="stranger").hex())
    both(op="realm_new", time=TIME, sequencer_seed=sequencer, envelope=registry.genesis()[:-1].hex())
    talk = World()
    talk.people("alice")
    both(op="realm_new", time=TIME, sequencer_seed=sequencer, envelope=talk.open("alice").hex())


def test_geneses_that_are_made() -> None:
    lax = {**dict.fromkeys(("root", "enrol", "revoke", "define", "erase", "resume"), 1), "hold": False}
    seeds = [seed_of(str(number)).hex() for number in range(16)]
    for change in (
        {},
        {"root_seeds": seeds},
        {"root_seeds": seeds[:1] * 2},
        {"root_seeds": []},
        {"root_seeds": [*seeds, seeds[0]]},
        {"name": "Not a name"},
        {"name": ""},
        {"salt": "00"},
        {"profile": 0},
        {"profile": 2},
        {"policy": lax | {"root": 3}},
        {"policy": lax | {"root": 0}},
        {"policy": lax | {"root": (1 << 63) - 1}},
        {"policy": lax | {"hold": 1}},
        {"policy": {}},
        {"policy": lax | {"erase": 2}, "profile": 0},
        {"sequencer_seed": seeds[0]},
        {"time": (1 << 48) - 1},
        {"time": 1 << 48},
    ):
        question = {
            "time": TIME,
            "sequencer_seed": "0a" * 32,
            "name": "acme",
            "root_seeds": seeds[:2],
            "salt": "01" * 16,
        }
        both(op="realm_new", **question | change)
        both(op="head")


def test_offers_and_next_keys() -> None:
    for purpose in (1, 2, 3, 4, 0, 5):
        for name in ("a", "child", "Not a name", ""):
            both(op="offer", seed="01" * 32, realm="02" * 32, purpose=purpose, name=name, next="03" * 32)
            both(op="offer", seed="01" * 32, realm="02" * 32, purpose=purpose, name=name)
    both(op="next_key", key="04" * 32)


# -- claims --------------------------------------------------------------------------------------------------------


def test_claims_of_every_kind_parse_to_one_view() -> None:
    world = registry.stage()
    rng = Random(f"{SEED} claims")
    for kind, value in [
        *((kind, value) for _, kind, value in registry.FORMS),
        *((None, grant) for _, grant in registry.GRANTS),
    ]:
        if kind is None:
            talking = registry.talking()
            envelope = talking.fork("alice", next(iter(talking.state.conversations)), c15=value)
        else:
            envelope = world.entry(kind, "root-1", value)
        both(op="parse", envelope=envelope.hex())
        claims = ref.decode(ref.parse(world.genesis).payload if rng.random() < 0.2 else ref.decode(envelope, 1)[2])  # type: ignore[index, arg-type]
        assert isinstance(claims, dict)
        for label in rng.sample(range(1, 29), 6):
            broken = dict(claims) | {label: rng.choice((None, 0, True, [], {}, b"", "", [0, 0], bytes(32), 1 << 48))}
            if rng.random() < 0.3:
                broken.pop(label)
            both(op="parse", envelope=world.sign("root-1", {3: 17} | broken, {}).hex())


# -- transcripts ---------------------------------------------------------------------------------------------------


def small_history(seed: str) -> tuple[bytes, bytes, list[bytes]]:
    """A transcript, the realm's id, and the conversations."""
    history = History(Random(seed))
    while len(history.world.realm.records) < 14:
        history.step()
    engine = _conform_rust._Stream.engine
    assert engine is not None
    return engine.export(), history.world.id, list(history.world.state.conversations)


def pieces(data: bytes) -> list[bytes]:
    """The items of a transcript."""
    found, at = [], 0
    while at < len(data):
        _, end = ref.codec.decode_first(data, at, len(data))
        found.append(data[at:end])
        at = end
    return found


def mutated(rng: Random, items: list[bytes]) -> list[bytes]:
    made, at = list(items), rng.randrange(1, len(items))
    match rng.randrange(8):
        case 0:
            del made[at]
        case 1:
            made.insert(at, rng.choice(made[1:]))
        case 2:
            other = rng.randrange(1, len(made))
            made[at], made[other] = made[other], made[at]
        case 3 | 4:
            where = rng.choice([n for n in range(1, len(made)) if made[n][1] == 2])
            line = bytearray(made[where])
            line[rng.randrange(4, len(line))] ^= 1 << rng.randrange(8)
            made[where] = bytes(line)
        case 5:
            pair = next(n for n in range(1, len(made)) if made[n][1] == 2)
            del made[pair + 2 * rng.randrange(4) :][:2]
            del made[at : at + 2]
        case 6:
            made.append(ref.encode([rng.choice((0, 2, 3, 4, 5)), rng.choice((b"", None, bytes(164)))]))
        case 7:
            piece = bytearray(made[at])
            piece[rng.randrange(len(piece))] ^= 1 << rng.randrange(8)
            made[at] = bytes(piece)
    return made


def test_transcripts_that_were_tampered_with() -> None:
    for number in range(4):
        data, realm, talks = small_history(f"{SEED} transcript {number}")
        rng, items = Random(f"{SEED} tampered {number}"), pieces(data)
        assert compare_replays(data, realm=realm) == "ok"
        assert compare_replays(data, realm=b"o" * 32) == "RealmOther"
        assert compare_replays(items[0]) == "OpenMissing"
        compare_replays(data, conversation=talks[0] if talks else b"o" * 32)
        for _ in range(60):
            broken = b"".join(mutated(rng, items))
            compare_replays(broken, realm=rng.choice((None, realm)), conversation=rng.choice((None, None, *talks[:1])))
    assert len([met for met in MET if met.startswith("replay:")]) > 12


def test_checkpoints_kept_and_in_transcripts() -> None:
    world = TwoRealms()
    for name in ("alice", "bob"):
        world.ask(world.enrol(name))
    engine, origin = _conform_rust._Stream.engine, f"acme/{world.id.hex()}"
    assert engine is not None
    root = ref.rfc6962_root([ref.rfc6962_leaf(line) for line in world.realm.records])
    bare = [item for item in pieces(engine.export()) if item[1] != 3]
    for text in (
        world.realm.checkpoint(),
        ref.sign_checkpoint(seed_of("sequencer"), origin, 3, b"o" * 32),
        ref.sign_checkpoint(seed_of("sequencer"), origin, 4, root),
        ref.sign_checkpoint(seed_of("sequencer"), "acme/x", 3, root),
        ref.sign_checkpoint(seed_of("alice"), origin, 3, root),
        world.realm.checkpoint().replace(b"\n3\n", b"\n2\n"),
        world.realm.checkpoint() * 2,
        b"x",
    ):
        compare_replays(b"".join(bare), checkpoint=text)
        for at in (1, 2, 3, len(bare)):
            compare_replays(b"".join([*bare[:at], ref.encode([3, text]), *bare[at:]]))
            compare_replays(b"".join([*bare[:at], ref.encode([3, text]), *bare[at:]]), conversation=b"o" * 32)


# -- evidence ------------------------------------------------------------------------------------------------------


def outcome(call: Any, *given: Any, **named: Any) -> str:
    try:
        call(*given, **named)
    except Ama2Error as fault:
        return fault.code
    return "ok"


def flips(rng: Random, data: bytes, count: int) -> list[bytes]:
    found = [data, data[:-1], data + b"\0", b""]
    for _ in range(count):
        at = rng.randrange(len(data))
        found.append(data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :])
    return found


def test_receipts_forks_and_equivocations() -> None:
    world = TwoRealms()
    world.ask(world.enrol("alice"))
    talk = bytes.fromhex(world.ask(world.open("alice"))["conversation"])
    said = [world.say("alice", talk, c9=[TIME, 5], c11=bytes([n]) * 16) for n in range(2)]
    world.ask(said[0])
    engine, rng = _conform_rust._Stream.engine, Random(f"{SEED} evidence")
    assert engine is not None
    origin = f"acme/{world.id.hex()}"
    people = {name: PublicKey(key_of(name)) for name in ("sequencer", "alice")}
    keys = {name: EnrolledKey(key_of(name)) for name in people}
    for proof in (False, True):
        for receipt in flips(rng, engine.receipt(3, proof=proof), 120):
            for envelope in (said[0], said[1]):
                by_rust = outcome(core.check_receipt, receipt, envelope, people["sequencer"], origin)
                assert by_rust == outcome(ref.check_receipt, receipt, envelope, keys["sequencer"], origin)
    notes = [
        ref.sign_checkpoint(seed_of("sequencer"), origin, size, root)
        for size, root in ((3, b"a" * 32), (3, b"b" * 32), (4, b"c" * 32))
    ]
    for one, other in itertools.product(notes, notes):
        for evidence in flips(rng, ref.make_fork(one, other), 40):
            by_rust = outcome(core.check_fork, evidence, people["sequencer"], origin)
            assert by_rust == outcome(ref.check_fork, evidence, keys["sequencer"], origin)
    for note in flips(rng, notes[0], 300):
        by_rust = outcome(core.check_checkpoint, note, people["sequencer"], origin)
        assert by_rust == outcome(ref.check_checkpoint, note, keys["sequencer"], origin)
    more = [*said, world.say("alice", talk), world.open("alice"), world.open("alice")]
    for one, other in itertools.product(more, more):
        for evidence in flips(rng, ref.encode(["ama2sec-equivocation", 1, one, other]), 15):
            for name in sorted(people):
                by_rust = outcome(core.check_equivocation, evidence, people[name])
                assert by_rust == outcome(ref.check_equivocation, evidence, keys[name])
