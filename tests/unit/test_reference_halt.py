"""The reference's halts and resumes in the registry (halt.1, halt.3): who may say them, what they need, what they do, how they end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ama2sec.errors import CATALOGUE
from ama2sec.limits import MAX_HALTS, MAX_OPEN_PROPOSALS, SEQ_COUNTER_JUMP
from ama2sec.reference import (
    Rejected,
    Stamp,
    admit,
    decode,
    encode,
    parse,
    read_record,
    registry_digest,
    replay,
)
from ama2sec.reference.claims import HALT_TYP, LOG_TYP, MESSAGE_TYP, REGISTRY_TYP
from ama2sec.reference.view import from_view, to_view
from tests.realm_world import (
    ENROL,
    HALT,
    LOCAL_HALT,
    POLICY,
    RESUME,
    REVOKE,
    TIME,
    ZEROS,
    World,
    kid_of,
    policy,
)
from tests.unit.test_reference_admission import code_of
from tests.workflow_world import small

OTHER = b"o" * 32
HEADER = encode([0, "ama2sec-transcript", 1])


@dataclass
class Acme(World):
    """A world that knows its conversation."""

    talk_id: bytes = b""


def acme(**laws: int) -> Acme:
    """Three roots, three operators, alice, bob and a conversation. A resume needs two of either, unless ``laws`` say otherwise:
    then all else needs one root, as it does before the policy of here is in force."""
    world = Acme(roots=3, laws=policy(**{"q6": 2} | laws))
    world.people("alice", "bob")
    for name in ("op-1", "op-2", "op-3"):
        world.take(world.enrol(name, purpose="operator"))
    if not laws:
        world.take(world.entry(POLICY, "root-1", [world.id, policy(q1=2, q6=2)]))
    world.talk_id = world.opened("alice")
    return world


def halted(world: World, by: str = "op-1", scope: Any = (0,)) -> bytes:
    return world.take(world.halt(by, scope)).entry.message_id


def resumed(world: World, by: str, halts: list[bytes]) -> bytes:
    return world.take(world.resume(by, halts)).entry.message_id


def stopped(world: Acme) -> bool:
    return code_of(world, world.say("bob", world.talk_id)) == "Halted"


# -- claims: halt.1, envelope.5 ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [HALT, LOCAL_HALT, RESUME])
def test_the_view_of_the_claims_and_back(kind: int) -> None:
    world = acme()
    made = {
        HALT: world.halt("op-1", (1, OTHER)),
        LOCAL_HALT: world.local_halt(b"\xff"),
        RESUME: world.resume("op-1", [OTHER, ZEROS]),
    }[kind]
    entry = parse(made)
    view = to_view(entry.claims)
    names = ["scope", "reason"] if kind != RESUME else ["resume", "approves"]
    assert list(view)[-4:] == ["time", "salt", *names]
    assert not {"recipients", "seq", "body"} & set(view)
    assert encode(from_view(view, ZEROS)) == entry.payload
    if kind == RESUME:
        assert view["resume"] == {"halts": [ZEROS.hex(), OTHER.hex()], "reason": "prices are right"}
        approval = to_view(parse(world.approve_resume("op-1", OTHER)).claims)
        assert (approval["resume"], approval["approves"]) == (None, OTHER.hex())


def test_each_kind_has_its_typ_and_the_kinds_besides_are_not_built() -> None:
    world = acme()
    for kind, own in ((HALT, HALT_TYP), (LOCAL_HALT, LOG_TYP), (RESUME, HALT_TYP)):
        for typ in (MESSAGE_TYP, HALT_TYP, REGISTRY_TYP, LOG_TYP):
            made = (
                world.resume("op-1", [OTHER], typ=typ)
                if kind == RESUME
                else world.halt("op-1", kind=kind, typ=typ)
            )  # fmt: skip
            assert code_of(world, made) != "TypKind" if typ == own else code_of(world, made) == "TypKind"
    for kind in (49, 50):
        assert code_of(world, world.halt("op-1", kind=kind)) == "KindNotBuilt"
        assert code_of(world, world.halt("op-1", kind=kind, typ=HALT_TYP)) == "TypKind"


def test_a_halt_is_of_this_realm() -> None:
    world = acme()
    other = {"c1": OTHER, "c2": OTHER, "c6": [OTHER, None, []]}
    assert code_of(world, world.halt("op-1", **other)) == "RealmOther"
    assert code_of(world, world.halt("op-1", c4=[OTHER, None])) == "KeyUnknown"
    broken = world.halt("op-1")
    assert code_of(world, broken[:-1] + bytes([broken[-1] ^ 1])) == "SignatureInvalid"


# -- who may: halt.3.1, halt.3.3 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "may"),
    [(HALT, {"op-1"}), (LOCAL_HALT, {"sequencer"}), (RESUME, {"op-1", "root-1"})],
)
def test_each_kind_is_said_by_keys_of_its_purposes(kind: int, may: set[str]) -> None:
    world = acme()
    halt = halted(world)
    for by in ("alice", "op-1", "sequencer", "root-1"):
        made = world.resume(by, [halt]) if kind == RESUME else world.halt(by, kind=kind)
        assert code_of(world, made) == ("ok" if by in may else "PurposeWrong"), by


def test_who_was_revoked_or_replaced_may_not() -> None:
    world = acme()
    world.take(world.enrol("old", purpose="operator", following="new"))
    world.take(world.enrol("new", name="old", purpose="operator", replaces=world.ids["old"]))
    world.take(world.entry(REVOKE, "root-1", [world.ids["op-2"], None, ""]))
    world.take(world.entry(REVOKE, "root-1", [world.ids["bob"], None, ""]))
    for by in ("old", "op-2", "bob"):  # before the purpose
        assert code_of(world, world.halt(by)) == "PrincipalRevoked"
        assert code_of(world, world.resume(by, [OTHER])) == "PrincipalRevoked"
    assert code_of(world, world.halt("new")) == "ok"


def test_a_halt_asks_for_nothing_else_and_burns_nothing() -> None:
    world = acme()
    before = dict(world.registry.seqs)
    for by in ("op-1", "alice", "op-1"):
        world.take(world.halt(by, c10=0), time=TIME + 10**9)
    assert world.registry.seqs == before
    rejected = admit(world.state, Stamp(TIME, world.registry.size), parse(world.halt("alice")))
    assert isinstance(rejected, Rejected)
    assert (rejected.conversation, rejected.burns) == (world.id, False)


def test_two_halts_with_the_same_words_are_two_and_the_same_bytes_are_one() -> None:
    world = acme()
    first, second = world.halt("op-1"), world.halt("op-1")
    world.take(first)
    assert world.realm.take(first, None, TIME) == len(world.realm.records) - 1
    world.take(second)
    assert len(world.registry.halts) == 2


def test_a_duplicate_that_reaches_a_replay_is_no_leaf_again() -> None:
    world = acme()
    made = world.halt("op-1")
    resume = world.resume("op-1", [world.take(made).entry.message_id])
    world.take(resume)
    approval = world.approve_resume("op-2", parse(resume).message_id)
    world.take(approval)
    assert not stopped(world)
    for entry in (made, resume, approval):
        verdict = admit(world.state, Stamp(TIME, world.registry.size), parse(entry))
        assert isinstance(verdict, Rejected)
        assert verdict.fault.code == "SeqUsed"
    world.take(world.entry(REVOKE, "root-1", [world.ids["op-1"], None, ""]))
    verdict = admit(world.state, Stamp(TIME, world.registry.size), parse(made))
    assert isinstance(verdict, Rejected)
    assert verdict.fault.code == "PrincipalRevoked"


# -- from where to where: halt.3.1, halt.3.5, halt.3.6 -------------------------------------------------------------


def test_a_halt_is_in_force_from_its_leaf_to_that_of_its_resume() -> None:
    world = acme(q6=1)
    entry = parse(world.say("bob", world.talk_id))
    begin = world.registry.size
    halt = halted(world, scope=(1, world.talk_id))
    world.people("carol")
    resumed(world, "op-2", [halt])
    world.people("dave")
    codes = []
    for size in range(begin, world.registry.size + 1):
        verdict = admit(world.state, Stamp(TIME, size), entry)
        codes.append(verdict.fault.code if isinstance(verdict, Rejected) else "ok")
    assert codes == ["ok", "Halted", "Halted", "ok", "ok"]
    assert (world.registry.halts[halt].start, world.registry.halts[halt].until) == (begin + 1, begin + 3)


def test_the_registry_is_never_covered() -> None:
    world = acme()
    world.take(world.local_halt())
    halted(world, scope=(1, world.id))
    halted(world, scope=(5, world.ids["root-1"]))
    halted(world, scope=(5, world.ids["op-1"]))
    assert stopped(world)
    for made in (
        world.enrol("carol"),
        world.entry(REVOKE, "root-1", [world.ids["bob"], None, ""]),
        world.halt("op-1"),
        world.local_halt(),
        world.resume("op-1", list(world.registry.halts)),
    ):
        assert code_of(world, made) == "ok"


def test_check_seven_stands_behind_six_and_before_eight() -> None:
    world = acme()
    world.take(world.enrol("gone"))
    gone = world.talk_id
    world.spawned("alice", gone, "late", grant=world.grant("late", expires=TIME + 1))
    branch = world.ids["late"]
    late = world.say("late", gone, branch=branch)
    world.take(world.entry(REVOKE, "root-1", [world.ids["gone"], None, ""]))
    closed = world.opened("alice", members=[world.ids["alice"]])
    world.take(world.close("alice", closed, whole=True, n=1))
    halted(world)
    assert code_of(world, world.say("gone", gone)) == "PrincipalRevoked"
    assert code_of(world, world.say("op-1", gone)) == "PurposeWrong"
    assert code_of(world, world.say("bob", closed, n=1)) == "NotAMember"
    assert code_of(world, late, time=TIME + 1) == "GrantExpired"
    assert code_of(world, late) == "Halted"
    for changes in (
        {"c9": [TIME, 0]},
        {"c9": [TIME, 9 + SEQ_COUNTER_JUMP]},
        {"c5": [1, OTHER, 99, OTHER]},
        {"c5": [1, OTHER, 1, OTHER]},
        {"c6": [OTHER, OTHER, []]},
        {"c7": [None, OTHER, "a", {}, None]},
    ):
        assert code_of(world, world.say("bob", gone, **changes)) == "Halted"
    assert code_of(world, world.say("alice", closed, n=1)) == "Halted"
    assert code_of(world, world.open("gone")) == "PrincipalRevoked"
    assert code_of(world, world.open("bob", members=[world.ids["alice"]])) == "NotAMember"
    assert code_of(world, world.open("bob", c5=[0, ZEROS, 99, OTHER])) == "Halted"


def test_what_was_halted_burns_its_number_and_an_open_leaves_nothing() -> None:
    world = acme()
    halted(world)
    refused = world.take(world.say("bob", world.talk_id, c9=[TIME, 7]))
    assert isinstance(refused.verdict, Rejected)
    assert refused.record.code == CATALOGUE["Halted"].number == 307
    assert world.talk(world.talk_id).seqs[world.ids["bob"]] == (TIME, 7)
    opened = world.take(world.open("bob"))
    assert opened.entry.message_id not in world.state.conversations


# -- collapse: halt.3.2 --------------------------------------------------------------------------------------------


def test_an_author_with_1024_halts_in_force_halts_the_realm() -> None:
    world = acme(q6=1)
    halts = [halted(world, "op-1", (1, OTHER)) for _ in range(MAX_HALTS)]
    assert MAX_HALTS == 1024
    assert not stopped(world)
    assert world.registry.halts[halted(world, "op-2", (1, OTHER))].scope == (1, OTHER)  # another author
    world.take(world.local_halt((1, OTHER)))
    assert not stopped(world)
    resumed(world, "op-2", [halts[3]])
    assert world.registry.halts[halted(world, "op-1", (1, OTHER))].scope == (1, OTHER)
    last = halted(world, "op-1", (1, OTHER))
    assert world.registry.halts[last].scope == (0,)
    assert stopped(world)
    resumed(world, "op-2", [last])
    resumed(world, "op-2", halts[10:74])
    assert not stopped(world)
    assert world.registry.halts[halted(world, "op-1", (1, OTHER))].scope == (1, OTHER)


# -- resumes: halt.3.3 to 3.5 --------------------------------------------------------------------------------------

WAYS = [
    (["op-1", "op-2"], True),
    (["op-2", "op-3"], True),
    (["root-1", "root-2"], True),
    (["op-1", "root-1"], False),  # the two are not added
    (["root-3", "op-3"], False),
    (["op-1", "root-1", "root-2"], True),
    (["root-1", "op-1", "op-2"], True),
    (["op-1"], False),
    (["root-1"], False),
]


@pytest.mark.parametrize(("approving", "enough"), WAYS)
def test_either_quorum_resumes_and_they_are_not_added(approving: list[str], enough: bool) -> None:
    world = acme()
    halt = halted(world, "op-1")
    first, *others = approving
    proposal = resumed(world, first, [halt])
    for by in others:
        assert stopped(world)
        world.take(world.approve_resume(by, proposal))
    assert stopped(world) is not enough
    assert [each.id for each in world.registry.proposals] == ([] if enough else [proposal])


def test_quorums_are_those_of_the_policy_at_the_entry_that_resumes() -> None:
    for laws, by in ((policy(q1=2, q6=1), "op-1"), (policy(q1=1, q6=2), "root-1")):
        world = acme()
        halt = halted(world)
        waiting = resumed(world, "op-2" if by == "root-1" else "root-2", [halt])
        change = world.take(world.entry(POLICY, "root-1", [world.registry.policy_id, laws])).entry.message_id
        world.take(world.approve(POLICY, "root-2", change))
        assert stopped(world)  # a policy brings nothing into force by itself
        world.take(world.approve_resume(by, waiting))
        assert not stopped(world)


def test_only_who_is_live_when_it_takes_effect_is_counted() -> None:
    world = acme()
    halt = halted(world)
    proposal = resumed(world, "op-1", [halt])
    world.take(world.entry(REVOKE, "root-1", [world.ids["op-1"], None, "stolen"]))
    world.take(world.approve_resume("op-2", proposal))
    assert stopped(world)
    world.take(world.approve_resume("op-3", proposal))
    assert not stopped(world)


def test_an_approval_is_of_an_open_resume_and_once_for_each() -> None:
    world = acme()
    halt = halted(world)
    proposal = resumed(world, "op-1", [halt])
    enrol = world.take(world.entry(POLICY, "root-1", [world.registry.policy_id, policy()])).entry.message_id
    for made in (
        world.approve_resume("op-1", proposal),
        world.approve_resume("op-2", OTHER),
        world.approve_resume("op-2", halt),
        world.approve_resume("root-2", enrol),
        world.approve(ENROL, "root-2", proposal),
        world.approve(POLICY, "root-2", proposal),
    ):
        assert code_of(world, made) == "ProposalInvalid"
    world.take(world.approve_resume("op-2", proposal))
    assert code_of(world, world.approve_resume("op-3", proposal)) == "ProposalInvalid"


def test_a_resume_names_halts_that_are_there_and_have_not_ended() -> None:
    world = acme(q6=1)
    first, second = halted(world), halted(world)
    rejected = world.take(world.halt("alice")).entry.message_id
    for named in ([OTHER], [first, OTHER], [rejected], [world.id], [first, second, rejected]):
        assert code_of(world, world.resume("op-1", named)) == "ResumeInvalid"
    resumed(world, "op-1", [first])
    assert code_of(world, world.resume("op-1", [first])) == "ResumeInvalid"
    assert code_of(world, world.resume("op-1", [first, second])) == "ResumeInvalid"
    assert code_of(world, world.resume("op-1", [second])) == "ok"


def test_what_a_proposal_names_is_judged_again_when_it_would_take_effect() -> None:
    world = acme()
    halt = halted(world)
    slow, quick = resumed(world, "root-1", [halt]), resumed(world, "op-1", [halt])
    world.take(world.approve_resume("op-2", quick))
    assert not stopped(world)
    assert code_of(world, world.approve_resume("op-1", slow)) == "ok"  # brings nothing into force: not judged
    assert code_of(world, world.approve_resume("root-2", slow)) == "ResumeInvalid"
    world.take(world.approve_resume("root-2", slow))
    assert [(each.id, each.approved) for each in world.registry.proposals] == [(slow, {world.ids["root-1"]})]


def test_a_resume_ends_what_it_names_and_nothing_else() -> None:
    world = acme()
    first, second = halted(world, "op-1"), halted(world, "op-2", (1, world.talk_id))
    proposal = resumed(world, "op-1", [first])
    third = halted(world, "op-3", (5, world.ids["bob"]))  # it comes while the resume waits
    world.take(world.approve_resume("op-2", proposal))
    until = {halt.id: halt.until for halt in world.registry.halts.values()}
    assert until == {first: world.registry.size, second: None, third: None}
    assert stopped(world)
    again = resumed(world, "root-1", [second, third])
    world.take(world.approve_resume("root-3", again))
    assert not stopped(world)


def test_the_halts_of_who_is_revoked_stay_and_the_roots_can_end_both() -> None:
    world = acme()
    halt = halted(world, "op-1")
    world.take(world.entry(REVOKE, "root-1", [world.ids["op-1"], None, "stolen"]))
    assert stopped(world)
    proposal = resumed(world, "root-1", [halt])
    world.take(world.approve_resume("root-2", proposal))
    assert not stopped(world)
    assert code_of(world, world.halt("op-1")) == "PrincipalRevoked"


def test_a_local_halt_is_ended_as_any_other() -> None:
    world = acme()
    local = world.take(world.local_halt()).entry.message_id
    assert world.registry.halts[local].author == kid_of("sequencer")
    assert stopped(world)
    proposal = resumed(world, "op-3", [local])
    world.take(world.approve_resume("op-1", proposal))
    assert not stopped(world)


def test_resumes_count_among_the_open_proposals_of_their_author() -> None:
    world = acme()
    halt = halted(world)
    oldest = world.take(world.entry(POLICY, "root-1", [world.registry.policy_id, policy()])).entry.message_id
    first = resumed(world, "root-1", [halt])
    for _ in range(MAX_OPEN_PROPOSALS - 2):
        resumed(world, "root-1", [halt])
    assert world.registry.proposals[0].id == oldest
    resumed(world, "root-1", [halt])
    assert code_of(world, world.approve(POLICY, "root-2", oldest)) == "ProposalInvalid"
    resumed(world, "root-1", [halt])
    assert code_of(world, world.approve_resume("root-2", first)) == "ProposalInvalid"


# -- digests and replay: halt.3.7, record.4 ------------------------------------------------------------------------


def test_the_digest_ends_with_the_halts_and_what_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    world = acme(q6=1)
    world.take(world.entry(20, "root-1", ["orders", None, small("orders")]))
    start = world.registry.size
    scopes = [(0,), (1, OTHER), (2, OTHER, ZEROS), (3, OTHER, ZEROS), (4, "orders"), (5, OTHER)]
    ids = [halted(world, "op-1", scope) for scope in scopes]
    local = world.take(world.local_halt(b"no scope at all")).entry.message_id
    resumed(world, "op-2", sorted(ids[:2]))
    seen: list[Any] = []
    monkeypatch.setattr("ama2sec.reference.hashes.state", lambda data: seen.append(decode(data)) or bytes(32))
    registry_digest(world.registry)
    halts = [
        [id_, world.ids["op-1"], list(scope), start + 1 + at]
        for at, (id_, scope) in enumerate(zip(ids, scopes, strict=True))
    ]
    halts.append([local, kid_of("sequencer"), [0], start + 1 + len(ids)])
    assert seen[0][-2:] == [sorted(halts), sorted([id_, world.registry.size] for id_ in ids[:2])]


def test_an_open_resume_stands_in_the_digest_with_its_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    world = acme()
    halt = halted(world)
    leaf, proposal = world.registry.size, resumed(world, "op-1", [halt])
    seen: list[Any] = []
    monkeypatch.setattr("ama2sec.reference.hashes.state", lambda data: seen.append(decode(data)) or bytes(32))
    registry_digest(world.registry)
    author = world.ids["op-1"]
    assert seen[0][9] == [[proposal, leaf, author, RESUME, [[halt], "prices are right"], [author]]]


def transcript(world: World, keep: set[bytes] | None = None) -> bytes:
    items = [HEADER]
    for envelope, record in world.sequenced:
        if keep is None or read_record(record).conversation in keep:
            items += [encode([2, record]), encode([1, envelope, None])]
    return b"".join(items)


def test_halts_and_resumes_are_replayed_whole_and_filtered() -> None:
    world = acme()
    for scope in ((1, world.talk_id), (5, world.ids["alice"]), b"junk"):
        halt = world.take(world.halt("op-2", scope)).entry.message_id
        world.take(world.say("bob", world.talk_id))
        world.take(world.halt("alice"))
        world.take(world.local_halt((2, world.talk_id, OTHER)))
        proposal = resumed(world, "op-1", [halt])
        world.take(world.approve_resume("op-3", proposal))
        world.take(world.open("bob"))
    for keep in (None, {world.id, world.talk_id}):
        found = replay(transcript(world, keep), realm=world.id, conversation=None if keep is None else world.talk_id)
        assert found.state.registry is not None
        assert registry_digest(found.state.registry) == registry_digest(world.registry)
        assert found.state.registry.halts == world.registry.halts
