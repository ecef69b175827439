"""The reference's registry: each check alone and the earlier of two, quorums, prefixes, the genesis, and the forms of its claims."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from ama2sec.errors import Ama2Error
from ama2sec.limits import MAX_DOCUMENT_CLAIMS, MAX_OPEN_PROPOSALS, SEQ_COUNTER_JUMP
from ama2sec.reference import Rejected, encode, parse, registry_digest
from ama2sec.reference.claims import MESSAGE_TYP
from ama2sec.reference.hashes import next_key
from ama2sec.reference.realm import Realm, Taken, make_genesis, make_offer
from ama2sec.reference.view import from_view, to_view
from tests.realm_world import (
    DEFINE,
    ENROL,
    ERASE,
    LAX,
    POLICY,
    REVOKE,
    TERM,
    TIME,
    World,
    key_of,
    kid_of,
    policy,
    seed_of,
)
from tests.unit.test_reference_admission import code_of
from tests.workflow_world import small

ID, OTHER = b"i" * 32, b"o" * 32
SMALL = bytes([1]) + bytes(31)


@cache
def stage(kind: type[World] = World) -> World:
    """Three roots, two of whom define; agents of each purpose; somebody who left."""
    world = kind(roots=3, laws=policy(q4=2))
    world.take(world.enrol("alice", following="alice-2"))
    world.take(world.enrol("gone"))
    world.take(world.enrol("operator", purpose="operator"))
    world.take(world.enrol("root-4", purpose="root"))
    world.take(world.entry(REVOKE, "root-1", [world.ids["gone"], 3, "left"]))
    world.take(world.entry(REVOKE, "root-1", [world.ids["root-4"], None, ""]))
    world.take(world.entry(ERASE, "root-1", [ID, ""]))
    world.proposal = world.take(world.entry(DEFINE, "root-1", ["flow", None, small()])).entry.message_id
    return world


def enrolled(**how: Any) -> Any:
    return lambda world: world.enrol("new", **how)


def own(kind: int, value: Any) -> Any:
    return lambda world: world.entry(kind, "root-1", value(world))


CHECKS: list[tuple[str, Any]] = [
    # 1 to 5
    ("PrincipalRevoked", lambda w: w.entry(TERM, "root-4", [0, ID, ""], c9=[TIME, 1 << 20])),
    ("PurposeWrong", lambda w: w.entry(TERM, "alice", [0, ID, ""], c9=[TIME, 1 << 20])),
    ("PurposeWrong", lambda w: w.entry(TERM, "sequencer", [0, ID, ""])),
    ("SeqUsed", lambda w: w.entry(TERM, "root-1", [0, ID, ""], c9=[TIME, 1], c5=[99, ID, 99, ID])),
    ("SeqWindow", lambda w: w.entry(TERM, "root-2", [0, ID, ""], c9=[TIME, SEQ_COUNTER_JUMP + 1], c5=[99, ID, 99, ID])),
    ("ContextAhead", lambda w: w.entry(TERM, "root-1", [0, ID, ""], c5=[99, ID, 99, ID])),
    ("RegistryForked", lambda w: w.entry(TERM, "root-1", [0, ID, ""], c5=[2, ID, 2, ID])),
    ("RegistryForked", lambda w: w.entry(TERM, "root-1", [0, ID, ""], c6=[w.id, ID, []])),
    ("RegistryForked", lambda w: w.approve(DEFINE, "root-2", ID, c6=[w.id, ID, []])),
    ("ProposalInvalid", lambda w: w.approve(DEFINE, "root-2", ID)),
    ("ProposalInvalid", lambda w: w.approve(TERM, "root-2", w.proposal)),
    ("ProposalInvalid", lambda w: w.approve(DEFINE, "root-1", w.proposal)),
    ("ProposalInvalid", lambda w: w.approve(DEFINE, "root-2", w.proposal, seen=w.registry.size - 1)),
    ("ok", lambda w: w.approve(DEFINE, "root-2", w.proposal)),
    ("ok", lambda w: w.entry(TERM, "root-1", [0, ID, ""], seen=1)),
    # 6 a to d
    ("PossessionInvalid", lambda w: w.enrol("alice", own=["x", SMALL, 1, [], None, None, bytes(64)])),
    ("PossessionInvalid", lambda w: w.enrol("new", own=[*w.enrolment("alice")[:6], bytes(64)])),
    ("PossessionInvalid", lambda w: w.enrol("new", own=["other", *w.enrolment("new")[1:]])),
    ("PossessionInvalid", lambda w: w.enrol("new", own=[*w.enrolment("new")[:2], 2, *w.enrolment("new")[3:]])),
    ("PossessionInvalid", lambda w: w.enrol("new", own=[*w.enrolment("new")[:4], ID, *w.enrolment("new")[5:]])),
    ("KeyEnrolled", lambda w: w.enrol("alice")),
    ("KeyEnrolled", lambda w: w.enrol("gone")),
    ("KeyEnrolled", lambda w: w.enrol("sequencer", purpose="sequencer")),
    ("NameEnrolled", enrolled(name="alice")),
    ("NameEnrolled", enrolled(name="sequencer")),
    ("NameEnrolled", enrolled(name="root-1", purpose="root")),
    ("ok", enrolled(name="gone")),
    ("RotationInvalid", enrolled(name="alice", replaces=ID)),
    ("RotationInvalid", lambda w: w.enrol("new", name="alice", replaces=w.ids["alice"])),
    ("RotationInvalid", lambda w: w.enrol("alice-2", name="alicia", replaces=w.ids["alice"])),
    ("RotationInvalid", lambda w: w.enrol("alice-2", name="alice", purpose="operator", replaces=w.ids["alice"])),
    ("RotationInvalid", lambda w: w.enrol("new", name="gone", replaces=w.ids["gone"])),
    ("RotationInvalid", lambda w: w.enrol("new", name="operator", purpose="operator", replaces=w.ids["operator"])),
    ("ok", lambda w: w.enrol("alice-2", name="alice", replaces=w.ids["alice"])),
    ("ok", lambda w: w.enrol("alice-2", name="somebody")),
    # e
    ("RevokeInvalid", own(REVOKE, lambda w: [ID, None, ""])),
    ("RevokeInvalid", own(REVOKE, lambda w: [w.ids["gone"], None, ""])),
    ("RevokeInvalid", own(REVOKE, lambda w: [w.ids["sequencer"], None, ""])),
    ("ok", own(REVOKE, lambda w: [w.ids["root-3"], None, ""])),
    ("ok", own(REVOKE, lambda w: [w.ids["alice"], (1 << 48) - 1, "x" * 256])),
    # f
    ("PolicyInvalid", own(POLICY, lambda w: [ID, LAX])),
    ("PolicyInvalid", own(POLICY, lambda w: [w.id, policy(q6=4)])),
    ("ok", own(POLICY, lambda w: [w.id, policy(q6=3)])),
    # g, h, i
    ("DefinitionInvalid", own(DEFINE, lambda w: ["flow", ID, small()])),
    ("DefinitionInvalid", own(DEFINE, lambda w: ["flow", None, small()[:-1]])),
    ("DefinitionInvalid", own(DEFINE, lambda w: ["flow", None, small("other")])),
    ("ok", own(DEFINE, lambda w: ["flow", None, small()])),
    ("EraseInvalid", own(ERASE, lambda w: [ID, ""])),
    ("ok", own(ERASE, lambda w: [OTHER, ""])),
    ("ok", own(TERM, lambda w: [0, ID, ""])),
]


@pytest.mark.parametrize(("code", "entry"), CHECKS, ids=[f"{n}-{code}" for n, (code, _) in enumerate(CHECKS)])
def test_each_check_alone(code: str, entry: Any) -> None:
    world = stage()
    names, before = dict(world.ids), registry_digest(world.registry)
    assert code_of(world, entry(world)) == code
    world.ids = names
    assert registry_digest(world.registry) == before


def test_of_two_checks_the_earlier_one() -> None:
    """Each step before 6 with a proposal that 6 would reject, and each pair of steps before 6."""
    world = stage()
    bad = [ID, None, ""]
    steps: list[tuple[str, dict[str, Any]]] = [
        ("PrincipalRevoked", {"by": "root-4"}),
        ("PurposeWrong", {"by": "alice"}),
        ("SeqUsed", {"c9": [0, 0]}),
        ("ContextAhead", {"c5": [99, ID, 99, ID]}),
        ("RegistryForked", {"c6": [world.id, ID, []]}),
    ]
    for number, (code, changes) in enumerate(steps):
        for _, others in steps[number:]:
            mixed: dict[str, Any] = {"by": "root-1"} | others | changes
            if code == "SeqUsed":
                mixed["c9"] = [0, 0]
                world.registry.seqs.setdefault(world.ids[mixed["by"]], (TIME, 0))
            assert code_of(world, world.entry(REVOKE, own=bad, **mixed)) == code, (code, others)


# -- quorums -------------------------------------------------------------------------------------------------------


def quorum_world(k: int, roots: int = 3) -> World:
    return World(roots=roots, laws=policy(q2=k))


def take(world: World, envelope: bytes) -> str:
    verdict = world.take(envelope).verdict
    return verdict.fault.code if isinstance(verdict, Rejected) else "ok"


def test_a_proposal_takes_effect_at_the_last_approval() -> None:
    world = quorum_world(3)
    proposal = world.take(world.enrol("alice")).entry.message_id
    assert proposal not in world.registry.agents
    assert [each.id for each in world.registry.proposals] == [proposal]
    assert take(world, world.approve(ENROL, "root-2", proposal)) == "ok"
    assert take(world, world.approve(ENROL, "root-2", proposal)) == "ProposalInvalid"
    assert proposal not in world.registry.agents
    assert take(world, world.approve(ENROL, "root-3", proposal)) == "ok"
    assert world.registry.proposals == []
    agent = world.registry.agents[proposal]
    assert (agent.enrolments[0].start, agent.enrolments[0].entry_id) == (world.registry.size, proposal)
    assert take(world, world.approve(ENROL, "root-1", proposal)) == "ProposalInvalid"


def test_an_approval_of_a_root_that_left_does_not_count() -> None:
    world = quorum_world(2, roots=4)
    proposal = world.take(world.enrol("alice")).entry.message_id
    assert take(world, world.entry(REVOKE, "root-2", [world.ids["root-1"], None, ""])) == "ok"
    assert take(world, world.approve(ENROL, "root-2", proposal)) == "ok"
    assert proposal not in world.registry.agents
    assert take(world, world.approve(ENROL, "root-3", proposal)) == "ok"
    assert proposal in world.registry.agents


def test_a_lower_quorum_waits_for_the_next_approval() -> None:
    world = quorum_world(3)
    proposal = world.take(world.enrol("alice")).entry.message_id
    assert take(world, world.entry(POLICY, "root-1", [world.id, policy(q2=2)])) == "ok"
    assert proposal not in world.registry.agents
    assert take(world, world.approve(ENROL, "root-2", proposal)) == "ok"
    assert proposal in world.registry.agents


def test_what_a_proposal_says_is_judged_again_where_it_would_take_effect() -> None:
    world = World(roots=3, laws=policy(q2=3))
    first = world.take(world.enrol("alice")).entry.message_id
    second = world.take(world.enrol("alice-2", name="alice")).entry.message_id
    for proposal in (first, second):
        assert take(world, world.approve(ENROL, "root-2", proposal)) == "ok"
    assert take(world, world.approve(ENROL, "root-3", first)) == "ok"
    size = world.registry.size
    assert take(world, world.approve(ENROL, "root-3", second)) == "NameEnrolled"
    assert world.registry.size == size
    assert [each.id for each in world.registry.proposals] == [second]
    assert len(world.registry.proposals[0].approved) == 2
    assert take(world, world.enrol("alice-3", name="alice")) == "NameEnrolled"


def test_the_oldest_of_too_many_proposals_lapses() -> None:
    world = quorum_world(2)
    made = [world.take(world.enrol(f"a{number}")).entry.message_id for number in range(MAX_OPEN_PROPOSALS)]
    other = world.take(world.enrol("b", by="root-2")).entry.message_id
    assert [each.id for each in world.registry.proposals] == [*made, other]
    one_more = world.take(world.enrol("c")).entry.message_id
    assert [each.id for each in world.registry.proposals] == [*made[1:], other, one_more]
    assert take(world, world.approve(ENROL, "root-3", made[0])) == "ProposalInvalid"
    assert take(world, world.approve(ENROL, "root-2", made[1])) == "ok"
    world.take(world.enrol("d"))
    assert world.registry.proposals[0].id == made[2]


def test_the_quorum_of_each_kind() -> None:
    for key, kind, value in (
        (1, POLICY, lambda w: [w.id, LAX]),
        (1, TERM, lambda w: [0, ID, ""]),
        (2, ENROL, lambda w: w.enrolment("alice")),
        (3, REVOKE, lambda w: [w.ids["root-3"], None, ""]),
        (4, DEFINE, lambda w: ["flow", None, small()]),
        (5, ERASE, lambda w: [ID, ""]),
    ):
        for quorum in (1, 2):
            world = World(roots=3, laws=policy(**{f"q{key}": quorum}))
            assert take(world, world.entry(kind, "root-1", value(world))) == "ok"
            assert len(world.registry.proposals) == quorum - 1


# -- prefixes ------------------------------------------------------------------------------------------------------


def test_keys_and_agents_as_of_a_prefix() -> None:
    world = World()
    proposal = world.take(world.enrol("alice", following="alice-2")).entry.message_id
    assert world.ids["alice"] == proposal
    world.take(world.enrol("alice-2", name="alice", replaces=proposal))
    world.take(world.entry(REVOKE, "root-1", [proposal, 7, "x"]))
    registry = world.registry
    for size, live in ((1, None), (2, "alice"), (3, "alice-2"), (4, None)):
        found = registry.live(size, proposal)
        assert (None if found is None else found.key.raw) == (None if live is None else key_of(live))
    for size, known in ((1, set()), (2, {"alice"}), (3, {"alice", "alice-2"}), (4, {"alice", "alice-2"})):
        for name in ("alice", "alice-2"):
            try:
                registry.key(size, proposal, kid_of(name))
                assert name in known
            except Ama2Error as fault:
                assert fault.code == "KeyUnknown"
                assert name not in known
    agent = registry.agents[proposal]
    assert (agent.revoked_at, agent.suspect_from) == (4, 7)
    assert [(each.start, each.until) for each in agent.enrolments] == [(2, 3), (3, None)]


def test_sequencers_hand_over() -> None:
    world = World()
    world.take(world.enrol("next", purpose="sequencer"))
    assert len(world.registry.live_sequencers()) == 2
    assert code_of(world, world.entry(REVOKE, "root-1", [world.ids["sequencer"], None, ""])) == "CheckpointKey"
    world.realm.sequencer_seed = seed_of("next")
    assert take(world, world.entry(REVOKE, "root-1", [world.ids["sequencer"], None, ""])) == "ok"
    assert [each.key.raw for each in world.registry.live_sequencers()] == [key_of("next")]
    assert take(world, world.entry(REVOKE, "root-1", [world.ids["next"], None, ""])) == "RevokeInvalid"


def test_roots_that_remain_are_as_many_as_the_largest_quorum() -> None:
    world = World(roots=2, laws=policy(q6=2))
    assert take(world, world.entry(REVOKE, "root-1", [world.ids["root-2"], None, ""])) == "RevokeInvalid"
    world.take(world.enrol("root-3", purpose="root"))
    assert take(world, world.entry(REVOKE, "root-1", [world.ids["root-2"], None, ""])) == "ok"


def test_definitions_name_what_they_replace_and_holds_hold() -> None:
    world = World()
    first = world.take(world.entry(DEFINE, "root-1", ["flow", None, small()])).entry.message_id
    assert take(world, world.entry(DEFINE, "root-1", ["flow", None, small(visits=2)])) == "DefinitionInvalid"
    assert take(world, world.entry(DEFINE, "root-1", ["flow", first, small(visits=2)])) == "ok"
    assert take(world, world.entry(DEFINE, "root-1", ["flow", first, small(visits=3)])) == "DefinitionInvalid"
    held = world.take(world.entry(POLICY, "root-1", [world.id, policy(hold=True)])).entry.message_id
    assert take(world, world.entry(ERASE, "root-1", [ID, ""])) == "EraseInvalid"
    assert take(world, world.entry(POLICY, "root-1", [world.id, LAX])) == "PolicyInvalid"
    assert take(world, world.entry(POLICY, "root-1", [held, LAX])) == "ok"
    assert take(world, world.entry(ERASE, "root-1", [ID, ""])) == "ok"


def test_outside_dev_two_roots_erase() -> None:
    world = World(laws=policy(q5=2), profile=0)
    assert code_of(world, world.entry(POLICY, "root-1", [world.id, policy(q5=1)])) == "PolicyInvalid"
    with pytest.raises(Ama2Error, match="GenesisInvalid"):
        World(profile=0)


# -- the genesis ---------------------------------------------------------------------------------------------------


def document(**changes: Any) -> list[Any]:
    def root(name: str, key: str, following: bytes | None = None) -> list[Any]:
        offer = make_offer(seed_of(key), bytes(32), 4, name, following)
        return [name, key_of(key), offer, following]

    parts: dict[str, Any] = {
        "name": "acme",
        "rules": 1,
        "profile": 1,
        "roots": [root("root-1", "root-1"), root("root-2", "root-2", next_key(key_of("later")))],
        "sequencer": ["seq", key_of("seq"), make_offer(seed_of("seq"), bytes(32), 3, "seq", None)],
        "policy": LAX,
    }
    return list((parts | changes).values())


def genesis(by: str = "root-1", **changes: Any) -> bytes:
    world = World()
    claims = {
        1: bytes(32), 2: bytes(32), 3: 16, 4: [kid_of(by), None], 5: [0, bytes(32), 0, bytes(32)],
        6: [bytes(32), None, []], 7: None, 10: TIME, 11: bytes(16), 18: document(**changes),
    }  # fmt: skip
    return world.sign(by, claims, {})


def begun(envelope: bytes) -> str:
    try:
        assert isinstance(Realm(b"").take(envelope, None, TIME), Taken)
    except Ama2Error as fault:
        return fault.code
    return "ok"


def test_a_genesis_is_judged_alone() -> None:
    good = document()
    first, second = good[3]
    twin = [*first[:1], *second[1:]]
    cases: list[tuple[str, dict[str, Any]]] = [
        ("ok", {}),
        ("RulesUnsupported", {"rules": 2, "policy": policy(q1=9)}),
        ("RulesUnsupported", {"rules": 0}),
        ("GenesisInvalid", {"policy": policy(q1=3)}),
        ("GenesisInvalid", {"profile": 0}),
        ("ok", {"profile": 0, "policy": policy(q5=2)}),
        ("GenesisInvalid", {"roots": [first, [*second[:2], bytes(64), second[3]]]}),
        ("GenesisInvalid", {"roots": [first, ["root-2", SMALL, bytes(64), None]]}),
        ("GenesisInvalid", {"sequencer": ["root-1", *good[4][1:]]}),
        ("GenesisInvalid", {"sequencer": ["seq", first[1], make_offer(seed_of("root-1"), bytes(32), 3, "seq", None)]}),
        (
            "GenesisInvalid",
            {"sequencer": ["seq", key_of("seq"), make_offer(seed_of("seq"), bytes(32), 4, "seq", None)]},
        ),
        ("ClaimRange", {"roots": []}),
        ("ListOrder", {"roots": [second, first]}),
        ("GenesisInvalid", {"roots": sorted([first, twin], key=encode)}),
        ("ClaimRange", {"profile": 2}),
        ("NameForm", {"name": "Acme"}),
    ]
    for code, changes in cases:
        assert begun(genesis(**changes)) == code, changes
    assert begun(genesis(by="stranger")) == "KeyUnknown"
    assert begun(genesis(by="root-2")) == "ok"
    forged = bytearray(genesis())
    forged[-1] ^= 1
    assert begun(bytes(forged)) in {"SignatureInvalid", "SignatureNotCanonical"}


def test_the_genesis_begins_what_it_says() -> None:
    world = World(roots=3, laws=policy(q1=2))
    registry = world.registry
    assert (registry.size, registry.leaves, registry.policy_id, registry.policy.root) == (1, [world.id], world.id, 2)
    assert set(registry.agents) == {kid_of(name) for name in ("root-1", "root-2", "root-3", "sequencer")}
    assert all(each.enrolments[0].start == 1 and each.enrolments[0].groups == () for each in registry.agents.values())


# -- the forms of the claims ---------------------------------------------------------------------------------------


def parsed(kind: int, value: Any, **changes: Any) -> str:
    world = stage()
    try:
        parse(world.entry(kind, "root-1", value, **changes))
    except Ama2Error as fault:
        return fault.code
    return "ok"


ENROLMENT = ["x", ID, 1, [], None, None, bytes(64)]


def put(value: list[Any], place: int, item: Any) -> list[Any]:
    return [*value[:place], item, *value[place + 1 :]]


FORMS: list[tuple[str, int, Any]] = [
    ("ClaimType", ENROL, ENROLMENT[:6]),
    ("ClaimType", ENROL, True),
    ("NameForm", ENROL, put(ENROLMENT, 0, "")),
    ("ClaimType", ENROL, put(ENROLMENT, 1, ID[:31])),
    ("ClaimRange", ENROL, put(ENROLMENT, 2, 0)),
    ("ClaimRange", ENROL, put(ENROLMENT, 2, 5)),
    ("ClaimType", ENROL, put(ENROLMENT, 2, True)),
    ("ClaimType", ENROL, put(ENROLMENT, 3, None)),
    ("TooMany", ENROL, put(ENROLMENT, 3, [None] * 17)),
    ("ok", ENROL, put(ENROLMENT, 3, [f"g{number:02}" for number in range(16)])),
    ("ListOrder", ENROL, put(ENROLMENT, 3, ["b", "a", None])),
    ("NameForm", ENROL, put(ENROLMENT, 3, ["b", "A"])),
    ("ok", ENROL, put(ENROLMENT, 3, ["b", "aa"])),
    ("ClaimType", ENROL, put(ENROLMENT, 4, b"")),
    ("ClaimType", ENROL, put(ENROLMENT, 5, 0)),
    ("ClaimType", ENROL, put(ENROLMENT, 6, bytes(63))),
    ("ClaimType", REVOKE, [ID, None]),
    ("ClaimRange", REVOKE, [ID, 1 << 48, None]),
    ("ClaimType", REVOKE, [ID, 0, None]),
    ("ClaimRange", REVOKE, [ID, 0, "x" * 257]),
    ("ClaimRange", REVOKE, [ID, 0, "\u00fc" * 129]),
    ("ClaimType", POLICY, [ID, []]),
    ("ClaimType", POLICY, [ID, {1: 1}]),
    ("ClaimType", POLICY, [None, LAX]),
    ("ClaimRange", POLICY, [ID, policy(q1=0)]),
    ("ClaimRange", POLICY, [ID, policy(q6=17)]),
    ("ClaimType", POLICY, [ID, policy(hold=1)]),
    ("ClaimType", POLICY, [ID, policy(q1=True)]),
    ("ClaimType", POLICY, [ID, {key + 1: value for key, value in LAX.items()}]),
    ("ClaimType", DEFINE, ["x", None]),
    ("ClaimType", DEFINE, ["x", None, "text"]),
    ("ClaimType", DEFINE, ["x", b"", b""]),
    ("ClaimType", ERASE, [ID]),
    ("ClaimType", ERASE, [None, ""]),
    ("ClaimRange", TERM, [1 << 48, None, ""]),
    ("ClaimType", TERM, [0, None, ""]),
    ("ClaimForm", TERM, None),
]


@pytest.mark.parametrize(("code", "kind", "value"), FORMS, ids=range(len(FORMS)))
def test_the_forms_of_the_claims(code: str, kind: int, value: Any) -> None:
    assert parsed(kind, value) == code


def test_how_the_claims_of_the_registry_agree() -> None:
    world, good = stage(), [0, ID, ""]
    size, fingerprint = world.registry_context()
    for code, changes in (
        ("ok", {}),
        ("ClaimForm", {"approves": ID}),
        ("ClaimForm", {"c2": ID}),
        ("ClaimForm", {"c6": [ID, ID, []]}),
        ("ClaimForm", {"c6": [world.id, None, []]}),
        ("ClaimForm", {"c6": [world.id, ID, [[ID, 1, ID]]]}),
        ("ClaimForm", {"c5": [size - 1, fingerprint, size, fingerprint]}),
        ("ClaimForm", {"c5": [size, ID, size, fingerprint]}),
        ("ClaimForm", {"c5": [0, fingerprint, 0, fingerprint]}),
        ("ClaimForm", {"c4": [ID, ID]}),
        ("ClaimForm", {"c7": [None, ID, "a", {}, None]}),
        ("ClaimForm", {"c1": bytes(32), "c2": bytes(32), "c6": [bytes(32), ID, []]}),
        ("ClaimForbidden", {"c8": []}),
        ("ClaimForbidden", {"c12": None}),
        ("ClaimMissing", {"c27": ...}),
        ("ClaimType", {"c27": 0}),
        ("TypKind", {"typ": MESSAGE_TYP}),
    ):
        assert parsed(TERM, good, **changes) == code, changes
    talk = [0, bytes(32), 1, ID]
    assert parsed(TERM, good, c3=1, c5=talk) == "TypKind"


def test_documents_may_be_long() -> None:
    room = MAX_DOCUMENT_CLAIMS - 600
    assert parsed(DEFINE, ["x", None, bytes(room)]) == "ok"
    assert parsed(DEFINE, ["x", None, bytes(MAX_DOCUMENT_CLAIMS)]) == "SizeLimit"
    assert parsed(ENROL, put(ENROLMENT, 3, [bytes(5000)])) == "SizeLimit"


GRANT = [ID, bytes(64), None, None, 0, None, 0, None]
GRANTS: list[tuple[str, Any]] = [
    ("ok", None),
    ("ok", GRANT),
    ("ClaimType", GRANT[:7]),
    ("ClaimType", put(GRANT, 0, b"")),
    ("ClaimType", put(GRANT, 1, ID)),
    ("ok", put(GRANT, 2, [])),
    ("TooMany", put(GRANT, 2, [None] * 33)),
    ("ClaimType", put(GRANT, 2, [b""])),
    *(
        ("NameForm", put(GRANT, 2, [step]))
        for step in ("", "/", "*", "/*", "a/", "a//b", "a/*/b", "a*", "A", "a/" * 32 + "b")
    ),
    *(("ok", put(GRANT, 2, [step])) for step in ("a", "a/*", "a/b", "a/b/*", "a/" * 31 + "*")),
    ("ListOrder", put(GRANT, 2, ["b", "a"])),
    ("TooMany", put(GRANT, 3, [None] * 33)),
    ("ClaimType", put(GRANT, 3, 0)),
    ("ListOrder", put(GRANT, 3, ["a", ID])),
    ("ClaimRange", put(GRANT, 4, 8)),
    ("ClaimRange", put(GRANT, 5, 1 << 48)),
    ("ClaimType", put(GRANT, 5, b"")),
    ("ClaimRange", put(GRANT, 6, 9)),
    ("ClaimType", put(GRANT, 7, b"")),
]


@pytest.mark.parametrize(("code", "grant"), GRANTS, ids=range(len(GRANTS)))
def test_the_forms_of_a_grant(code: str, grant: Any) -> None:
    world = talking()
    talk = next(iter(world.state.conversations))
    try:
        parse(world.fork("alice", talk, c15=grant))
    except Ama2Error as fault:
        assert fault.code == code
    else:
        assert code == "ok"


@cache
def talking() -> World:
    world = World()
    world.people("alice")
    world.opened("alice")
    return world


# -- the JSON view -------------------------------------------------------------------------------------------------


def test_the_view_of_every_kind_and_back() -> None:
    world = talking()
    talk = next(iter(world.state.conversations))
    made = [
        world.genesis,
        genesis(),
        world.enrol("new", groups=("a", "b"), following="later"),
        world.entry(REVOKE, "root-1", [ID, 5, "why"]),
        world.entry(POLICY, "root-1", [ID, policy(hold=True)]),
        world.entry(DEFINE, "root-1", ["x", None, b"doc"]),
        world.entry(ERASE, "root-1", [ID, "why"]),
        world.entry(TERM, "root-1", [5, ID, "why"]),
        world.approve(ENROL, "root-1", ID),
        world.open("alice", members=["a"]),
        world.say("alice", talk, c7=[None, ID, "s", {"a": 1}, None]),
        world.fork("alice", talk),
        world.fork("alice", talk, c15=world.grant("kid", steps=["a/*"], to=[ID, "a"], expires=5, next=ID)),
        world.close("alice", talk, whole=True),
    ]
    for envelope in made:
        found = parse(envelope)
        assert encode(from_view(to_view(found.claims), b"")) == found.payload


def test_a_genesis_that_is_made_has_the_roots_in_order() -> None:
    made = make_genesis("r", [seed_of(str(n)) for n in range(16)], seed_of("s"), LAX, 1, TIME, bytes(16))
    assert begun(made) == "ok"
