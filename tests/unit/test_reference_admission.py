"""The reference's verdicts on a realm's conversations: each number of admission.2 alone, the earlier of each pair, and what is refused."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from ama2sec.errors import Ama2Error
from ama2sec.limits import SEQ_COUNTER_JUMP, SEQ_EPOCH_AHEAD
from ama2sec.reference import Admitted, Rejected, Stamp, State, admit, conversation_digest, encode, parse
from ama2sec.reference.claims import MESSAGE_TYP
from ama2sec.reference.kinds import lies_in
from ama2sec.reference.realm import Realm, Taken, make_offer
from tests.realm_world import (
    BODY_SALT,
    CLOSE,
    FORK,
    LAX,
    MESSAGE,
    REVOKE,
    TIME,
    World,
    key_of,
    kid_of,
    policy,
    seed_of,
)

ID, OTHER = b"i" * 32, b"o" * 32


def code_of(world: World, envelope: bytes, time: int = TIME, body: bytes | None = None) -> str:
    """The code of a rejection or a refusal; ``ok`` otherwise. A rejection is judged and not applied."""
    try:
        verdict = judged(world, envelope, time, body)
    except Ama2Error as fault:
        return fault.code
    return verdict.fault.code if isinstance(verdict, Rejected) else "ok"


def judged(world: World, envelope: bytes, time: int = TIME, body: bytes | None = None) -> Any:
    realm = Realm(seed_of("sequencer"), world.state, [], {}, {}, TIME)
    before = digests(world)
    taken: list[Any] = []

    def keep(state: State, entry: Any, verdict: Any) -> None:
        taken.append(verdict)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ama2sec.reference.realm.apply", keep)
        realm.take(envelope, None if body is None else (body, BODY_SALT), time)
    assert digests(world) == before  # judging changes nothing
    return taken[0]


def digests(world: World) -> list[bytes]:
    return [conversation_digest(each) for each in world.state.conversations.values()]


# -- each number of admission.2, alone and in pairs ----------------------------------------------------------------

ORDER = [
    "PrincipalRevoked",
    "PurposeWrong",
    "NotAMember",
    "GrantEnded",
    "GrantExpired",
    "SeqUsed",
    "SeqWindow",
    "RegistryAhead",  # ContextAhead, of the registry
    "RegistryForked",
    "ConversationClosed",
    "BranchUnknown",
    "ContextAhead",
    "ContextUnder",
    "ContextForked",
    "BranchClosed",
    "GrantPlace",
    "GrantScope",
    "MergeForm",
    "MergeUnknown",
    "MergeAhead",
    "MergeUnder",
    "MergeForked",
    "MergeStale",
    "ForkKey",
    "ForkForm",
    "ForkWidens",
    "WorkflowUnknown",
]
AUTHORS: dict[frozenset[str], str] = {
    frozenset(): "alice",
    frozenset({"PrincipalRevoked"}): "gone",
    frozenset({"PurposeWrong"}): "operator",
    frozenset({"NotAMember"}): "mallory",
    frozenset({"PrincipalRevoked", "PurposeWrong"}): "gone-operator",
    frozenset({"PrincipalRevoked", "NotAMember"}): "gone-mallory",
    frozenset({"PurposeWrong", "NotAMember"}): "operator-out",
    frozenset({"child"}): "kid",
    frozenset({"GrantEnded"}): "ended",
    frozenset({"GrantExpired"}): "expired",
    frozenset({"GrantEnded", "GrantExpired"}): "both",
    frozenset({"GrantEnded", "child"}): "ended",
    frozenset({"GrantExpired", "child"}): "expired",
    frozenset({"PrincipalRevoked", "GrantEnded"}): "orphan-ended",
    frozenset({"PrincipalRevoked", "child"}): "orphan",
}
OF_AUTHOR = {"PrincipalRevoked", "PurposeWrong", "NotAMember", "GrantEnded", "GrantExpired"}
OF_CHILD = {"GrantPlace", "GrantScope", "ForkWidens"}
MERGE_FAULTS = {"MergeUnknown", "MergeAhead", "MergeUnder", "MergeForked", "MergeStale"}
FORK_FAULTS = {"ForkKey", "ForkForm", "ForkWidens"}
# Faults that want the same part of an entry to be two things.
ONE_OF = [
    {"SeqUsed", "SeqWindow"},
    {"RegistryAhead", "RegistryForked"},
    {"ContextAhead", "ContextUnder"},
    {"BranchUnknown", "BranchClosed", "GrantPlace"},
    MERGE_FAULTS,
    *({fault, merge} for fault in FORK_FAULTS | {"MergeForm"} for merge in MERGE_FAULTS),
    *({fault, "WorkflowUnknown"} for fault in FORK_FAULTS | {"MergeForm"}),
    *({child, "BranchClosed"} for child in OF_CHILD | {"GrantExpired"}),
]


@cache
def stage(kind: type[World] = World) -> tuple[World, bytes, bytes]:
    """A realm in which every fault is possible, with one conversation that is open and one that is closed."""
    world = kind()
    world.people("alice", "bob", "mallory", "gone", "gone-mallory")
    for operator in ("operator", "gone-operator", "operator-out"):
        world.take(world.enrol(operator, purpose="operator"))
    members = sorted((world.ids[each] for each in ("alice", "bob", "gone", "operator", "gone-operator")), key=encode)
    talks = [staged_talk(world, members, suffix) for suffix in ("", "-shut")]
    for name in ("gone", "gone-operator", "gone-mallory"):
        world.take(world.entry(REVOKE, "root-1", [world.ids[name], None, "left"]))
    world.take(world.close("bob", talks[1], whole=True))
    return world, talks[0], talks[1]


def staged_talk(world: World, members: list[bytes], suffix: str) -> bytes:
    talk = world.opened("alice", members=members)
    for _ in range(3):
        world.take(world.say("alice", talk))
    for name, author, expires in (
        ("kid", "alice", None),
        ("ended", "alice", None),
        ("expired", "alice", TIME + 5),
        ("both", "alice", TIME + 5),
        ("orphan", "gone", None),
        ("orphan-ended", "gone", None),
    ):
        grant = world.grant(name + suffix, to=[world.ids["alice"]], steps=["a"], rights=3, depth=3, expires=expires)
        branch = world.spawned(author, talk, name + suffix, grant=grant)
        world.take(world.say(name + suffix, talk, branch=branch, c8=[world.ids["alice"]]))
        if "ended" in name or name == "both":
            world.take(world.close("bob", talk, branch=branch))
    for name in ("side", "dead", "other"):
        world.ids[name + suffix] = world.take(world.fork("alice", talk)).entry.message_id
        world.take(world.say("bob", talk, branch=world.ids[name + suffix]))
    world.take(world.close("bob", talk, branch=world.ids["dead" + suffix]))
    return talk


def staged(faults: set[str], kind: type[World] = World) -> tuple[World, bytes] | None:
    """An entry with exactly these faults; None where they exclude each other."""
    if any(len(faults & group) > 1 for group in ONE_OF):
        return None
    who = frozenset(faults & OF_AUTHOR | ({"child"} if faults & OF_CHILD else set()))
    if who not in AUTHORS:
        return None
    world, talk, shut = stage(kind)
    is_shut = "ConversationClosed" in faults
    suffix, talk = ("-shut", shut) if is_shut else ("", talk)
    author = AUTHORS[who]
    is_child = author in {"kid", "ended", "expired", "both", "orphan", "orphan-ended"}
    author += suffix if is_child else ""
    changes: dict[str, Any] = {}
    branch = world.grants[author] if is_child else world.ids["side" + suffix]
    if "BranchClosed" in faults and not is_child:
        branch = world.ids["dead" + suffix]
    if "GrantPlace" in faults:
        branch = world.ids["side" + suffix]
    at = world.talk(talk).branches[branch]
    n = at.base if "ContextUnder" in faults else at.size
    size, fingerprint = world.registry_context()
    context = [n, at.fingerprint(n) if n > at.base else OTHER, size, fingerprint]
    path: list[Any] = [branch, at.leaves[n - 1], merges(world, talk, faults, suffix)]
    if "ContextAhead" in faults:
        context[0] += 5
    if "ContextForked" in faults:
        path[1] = OTHER
    if "BranchUnknown" in faults:
        path[0] = OTHER
    if "RegistryAhead" in faults:
        context[2] += 1
    if "RegistryForked" in faults:
        context[3] = OTHER
    if "SeqUsed" in faults:
        world.talk(talk).seqs.setdefault(world.ids[author], (TIME, 0))
        changes["c9"] = list(world.talk(talk).seqs[world.ids[author]])
    if "SeqWindow" in faults:
        changes["c9"] = [TIME + 1, SEQ_COUNTER_JUMP + 1]
    if "GrantScope" in faults:
        changes["c8"] = [world.ids["bob"]]
    if "WorkflowUnknown" in faults:
        changes["c7"] = [None, ID, "a", {}, None]
    is_fork = bool(faults & (FORK_FAULTS | {"MergeForm"}))
    if is_fork:
        changes["c15"] = forked(world, faults)
    made = world.say(
        author,
        talk,
        kind=FORK if is_fork else MESSAGE,
        branch=branch,
        n=max(n, at.base + 1),
        c5=context,
        c6=path,
        **changes,
    )
    return world, made


def merges(world: World, talk: bytes, faults: set[str], suffix: str) -> list[Any]:
    main, other = world.talk(talk).branches[talk], world.talk(talk).branches[world.ids["other" + suffix]]
    made = {
        "MergeForm": [other.id, other.size, other.fingerprint(other.size)],
        "MergeUnknown": [ID, 1, ID],
        "MergeAhead": [main.id, main.size + 1, ID],
        "MergeUnder": [other.id, other.base, ID],
        "MergeForked": [main.id, 1, ID],
        "MergeStale": [main.id, 1, main.fingerprint(1)],
    }
    return [made[fault] for fault in made if fault in faults]


def forked(world: World, faults: set[str]) -> Any:
    if not faults & FORK_FAULTS:
        return None
    child = "mallory" if "ForkKey" in faults else "grandchild"
    changes: dict[str, Any] = {"steps": ["a"], "to": [world.ids["alice"]], "rights": 3, "depth": 2}
    if "ForkWidens" in faults:
        changes["depth"] = 3
    if "ForkForm" in faults:
        changes["expires"] = TIME + 10
    return world.grant(child, **changes)


def expected_of(fault: str) -> str:
    return "ContextAhead" if fault == "RegistryAhead" else fault


def time_of(faults: set[str]) -> int:
    return TIME + 10 if faults & {"GrantExpired", "ForkForm"} else TIME


@pytest.mark.parametrize("fault", ORDER)
def test_each_number_alone(fault: str) -> None:
    made = staged({fault})
    assert made is not None
    assert code_of(*made, time=time_of({fault})) == expected_of(fault)


def test_without_a_fault_there_is_none() -> None:
    for faults, author in ((set(), "alice"), ({"child"}, "kid")):
        world, talk, _ = stage()
        branch = world.grants.get(author, world.ids["side"])
        for changes in ({}, {"kind": FORK, "c15": None}, {"kind": CLOSE, "c25": False}):
            assert code_of(world, world.say(author, talk, branch=branch, **changes)) == "ok", (faults, changes)


def test_of_two_faults_the_earlier_one() -> None:
    met = set()
    for first, second in itertools.combinations(ORDER, 2):
        faults = {first, second}
        made = staged(faults)
        if made is None:
            continue
        assert code_of(*made, time=time_of(faults)) == expected_of(first), (first, second)
        met.add((first, second))
    assert len(met) > 230
    assert {fault for pair in met for fault in pair} == set(ORDER)


def test_the_order_inside_a_number() -> None:
    world, talk, _ = stage()
    at = world.talk(talk).branches[talk]
    own, prints = at.leaves[-1], [at.size, OTHER, *world.registry_context()]
    assert code_of(world, world.say("alice", talk, c6=[talk, own, []], c5=prints)) == "ContextForked"
    stale = [talk, 2, at.fingerprint(2)]
    sides = [world.talk(talk).branches[world.ids[name]] for name in ("side", "other")]
    heads = [[side.id, side.size, side.fingerprint(side.size)] for side in sides]
    good = sorted([stale, *heads], key=encode)
    side = heads[0]
    # every merge is judged by 21 before any is by 23, and each is judged in the order of the list
    for wrong, code in (([ID, 1, ID], "MergeUnknown"), ([*side[:2], ID], "MergeForked")):
        listed = sorted([[talk, 1, at.fingerprint(1)], wrong], key=encode)
        assert (
            code_of(world, world.say("alice", talk, branch=heads[1][0], c6=[heads[1][0], sides[1].leaves[-1], listed]))
            == code
        )
    assert (
        code_of(
            world,
            world.say(
                "alice",
                talk,
                branch=world.ids["dead"],
                c6=[world.ids["dead"], world.talk(talk).branches[world.ids["dead"]].leaves[-1], good],
            ),
        )
        == "BranchClosed"
    )


def test_a_merge_brings_something_that_the_ones_before_it_do_not() -> None:
    world = World()
    world.people("alice")
    talk = world.opened("alice")
    one = world.take(world.fork("alice", talk)).entry.message_id
    two = world.take(world.fork("alice", talk, branch=one)).entry.message_id
    heads = sorted([(one, 2), (two, 3)], key=encode_head)
    # two holds one's leaf: listed after two, one brings nothing; listed before it, it does
    assert code_of(world, world.say("alice", talk, merges=heads)) == ("ok" if heads[0][0] == one else "MergeStale")
    world.take(world.say("alice", talk, branch=one))
    heads = sorted([(one, 3), (two, 3)], key=encode_head)
    assert code_of(world, world.say("alice", talk, merges=heads)) == "ok"
    assert code_of(world, world.say("alice", talk, branch=two, merges=[(talk, 1)])) == "MergeStale"
    assert code_of(world, world.say("alice", talk, branch=two, merges=[(one, 2)])) == "MergeStale"
    assert code_of(world, world.say("alice", talk, branch=two, merges=[(one, 3)])) == "ok"


def encode_head(head: tuple[bytes, int]) -> bytes:
    return encode(list(head))


def test_ancestors_through_merges_of_merges() -> None:
    world = World()
    world.people("alice")
    talk = world.opened("alice")
    one, two = (world.take(world.fork("alice", talk)).entry.message_id for _ in range(2))
    world.take(world.say("alice", talk, branch=one, merges=[(two, 2)]))
    world.take(world.say("alice", talk, merges=[(one, 3)]))
    assert world.talk(talk).ancestors((talk, 2)) == {talk: 2, one: 3, two: 2}
    assert world.talk(talk).ancestors((talk, 1)) == {talk: 1}
    assert world.talk(talk).is_ancestor((talk, 2), (two, 1))
    assert not world.talk(talk).is_ancestor((one, 2), (two, 1))
    assert code_of(world, world.say("alice", talk, merges=[(two, 2)])) == "MergeStale"
    assert code_of(world, world.say("alice", talk, n=1, merges=[(two, 2)])) == "ok"
    three = world.take(world.fork("alice", talk)).entry.message_id
    assert code_of(world, world.say("alice", talk, branch=three, merges=[(two, 2)])) == "MergeStale"
    world.take(world.close("alice", talk, branch=two))
    assert (
        code_of(world, world.say("alice", talk, branch=three, merges=[(two, 3)])) == "ok"
    )  # a closed branch may be merged


# -- an open -------------------------------------------------------------------------------------------------------


def test_an_open_is_judged_by_its_own_numbers() -> None:
    world, talk, _ = stage()
    size = world.registry.size
    alice = [world.ids["alice"]]
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("PrincipalRevoked", "gone-mallory", {"members": alice, "c14": [False, "x"]}),
        ("PurposeWrong", "operator", {"members": alice, "c14": [False, "x"]}),
        ("NotAMember", "mallory", {"members": alice, "c5": [0, bytes(32), size + 1, OTHER]}),
        ("ContextAhead", "alice", {"c5": [0, bytes(32), size + 1, OTHER]}),
        ("RegistryForked", "alice", {"c5": [0, bytes(32), size, OTHER], "c14": [False, "x"]}),
        ("WorkflowUnknown", "alice", {"c14": [False, "x"]}),
        ("WorkflowUnknown", "alice", {"c7": [None, ID, "a", {}, None]}),
        ("ok", "alice", {"members": alice}),
        ("ok", "alice", {"c5": [0, bytes(32), 1, world.registry.fingerprints[1]]}),
    ]
    for code, by, changes in cases:
        assert code_of(world, world.open(by, **changes)) == code
    entry = parse(world.sequenced[[s[0][:1] for s in world.sequenced].index(b"\xd2")][0])
    assert entry.kid == kid_of("root-1")
    opened = next(parse(each) for each, _ in world.sequenced if parse(each).message_id == talk)
    verdict = admit(world.state, Stamp(TIME, size), opened)
    assert isinstance(verdict, Rejected)
    assert (verdict.fault.code, verdict.burns, verdict.conversation) == ("SeqUsed", False, talk)


def test_a_rejected_open_leaves_nothing() -> None:
    world, _, _ = stage()
    before = set(world.state.conversations)
    taken = world.take(world.open("operator"))
    assert isinstance(taken.verdict, Rejected)
    assert set(world.state.conversations) == before
    assert taken.record.conversation == taken.record.message_id
    assert (taken.record.branch, taken.record.index, taken.record.prev) == (bytes(32), 0, 0)


def test_members_by_group_as_of_the_stamp() -> None:
    world = World()
    world.people("alice")
    world.take(world.enrol("bob", groups=("buyers", "sellers"), following="bob-2"))
    talk = world.opened("bob", members=["sellers"])
    assert code_of(world, world.say("alice", talk)) == "NotAMember"
    assert code_of(world, world.say("bob", talk)) == "ok"
    child = world.spawned("bob", talk, "kid")
    world.take(world.enrol("bob-2", name="bob", groups=("buyers",), replaces=world.ids["bob"]))
    assert code_of(world, world.say("bob-2", talk)) == "NotAMember"
    assert code_of(world, world.say("bob", talk)) == "PrincipalRevoked"
    assert code_of(world, world.say("kid", talk, branch=child)) == "NotAMember"
    everybody = world.opened("bob-2")
    assert code_of(world, world.say("alice", everybody)) == "ok"


# -- children ------------------------------------------------------------------------------------------------------


def test_a_child_lives_in_its_branch_and_the_forks_of_it() -> None:
    world = World()
    world.people("alice")
    talk = world.opened("alice")
    home = world.spawned("alice", talk, "kid", grant=world.grant("kid", rights=3, depth=2))
    inner = world.take(world.fork("kid", talk, branch=home)).entry.message_id
    assert code_of(world, world.say("kid", talk, branch=inner)) == "ok"
    assert code_of(world, world.say("kid", talk)) == "GrantPlace"
    grand = world.spawned("kid", talk, "grand", branch=inner, grant=world.grant("grand", rights=0, depth=0))
    assert code_of(world, world.say("grand", talk, branch=grand)) == "ok"
    assert code_of(world, world.say("grand", talk, branch=inner)) == "GrantPlace"
    assert code_of(world, world.say("kid", talk, branch=grand)) == "ok"
    assert code_of(world, world.fork("grand", talk, branch=grand)) == "GrantScope"
    assert code_of(world, world.say("grand", talk, branch=grand, merges=[(talk, 1)])) == "GrantScope"
    assert code_of(world, world.close("grand", talk, branch=grand)) == "ok"
    assert code_of(world, world.close("grand", talk, branch=grand, whole=True)) == "GrantScope"
    world.take(world.close("alice", talk, branch=home))
    assert code_of(world, world.say("grand", talk, branch=grand)) == "GrantEnded"
    assert code_of(world, world.say("alice", talk, branch=grand)) == "ok"
    assert code_of(world, world.say("alice", talk, branch=home)) == "BranchClosed"
    assert code_of(world, world.say("alice", talk, merges=[(home, 3)])) == "ok"


def test_what_narrows_and_what_does_not() -> None:
    world = World()
    world.people("alice")
    talk = world.opened("alice")
    mine: dict[str, Any] = {
        "steps": ["a", "b/*"],
        "to": ["buyers", world.ids["alice"]],
        "rights": 3,
        "expires": TIME + 9,
        "depth": 2,
    }
    mine["to"] = sorted(mine["to"], key=encode)
    home = world.spawned("alice", talk, "kid", grant=world.grant("kid", **mine))
    lesser = {"steps": ["a", "b/c", "b/c/*"], "depth": 1}
    cases: list[tuple[str, dict[str, Any]]] = [
        ("ok", {}),
        ("ok", {"steps": [], "to": [], "rights": 0, "expires": TIME + 1, "depth": 0}),
        ("ok", {"steps": ["b/*"]}),
        ("ForkWidens", {"steps": None}),
        ("ForkWidens", {"steps": ["b"]}),
        ("ForkWidens", {"steps": ["a/*"]}),
        ("ForkWidens", {"to": None}),
        ("ForkWidens", {"to": ["sellers"]}),
        ("ForkWidens", {"rights": 4}),
        ("ForkWidens", {"expires": None}),
        ("ForkWidens", {"expires": TIME + 10}),
        ("ForkForm", {"expires": TIME}),
        ("ForkWidens", {"depth": 2}),
    ]
    for code, changes in cases:
        grant = world.grant("grand", **(mine | lesser | changes))
        assert code_of(world, world.fork("kid", talk, branch=home, c15=grant, c8=[])) == code, changes
    assert code_of(world, world.spawn("alice", talk, "free", grant=world.grant("free"))) == "ok"


def test_steps_and_patterns() -> None:
    for step, pattern, fits in (
        ("a", "a", True),
        ("a", "a/*", False),
        ("a/b", "a/*", True),
        ("a/b/*", "a/*", True),
        ("a/*", "a/*", True),
        ("ab", "a/*", False),
        ("a/*", "a", False),
    ):
        assert lies_in(step, pattern) is fits


def test_the_key_of_a_child() -> None:
    world = World()
    world.people("alice", "bob")
    talk = world.opened("alice")
    other = world.opened("alice")
    wrong = make_offer(seed_of("kid"), world.id, 1, "kid", None)
    small = bytes([1]) + bytes(31)
    for grant in (
        world.grant("bob"),
        world.grant("root-1"),
        world.grant("kid", offer=wrong),
        world.grant("kid", offer=bytes(64)),
        world.grant("kid", key=key_of("else")),
        world.grant("kid", key=small),
    ):
        assert code_of(world, world.fork("alice", talk, c15=grant)) == "ForkKey"
    assert code_of(world, world.fork("alice", talk, c15=world.grant("kid", next=ID))) == "ok"
    branch = world.spawned("alice", talk, "kid")
    assert code_of(world, world.fork("alice", talk, c15=world.grant("kid"))) == "ForkKey"
    world.take(world.close("alice", talk, branch=branch))
    assert code_of(world, world.fork("alice", talk, c15=world.grant("kid"))) == "ForkKey"
    assert code_of(world, world.fork("alice", other, c15=world.grant("kid"))) == "ok"


# -- numbers -------------------------------------------------------------------------------------------------------


def test_numbers_and_their_window() -> None:
    world = World()
    world.people("alice")
    talk = world.opened("alice")
    jump = SEQ_COUNTER_JUMP
    for seq, code in (
        ([TIME, jump], "ok"),
        ([TIME, jump + 1], "SeqWindow"),
        ([TIME + SEQ_EPOCH_AHEAD, 0], "ok"),
        ([TIME + SEQ_EPOCH_AHEAD + 1, 0], "SeqWindow"),
        ([0, 0], "ok"),
    ):
        assert code_of(world, world.say("alice", talk, c9=seq)) == code
    world.take(world.say("alice", talk, c9=[9, 5]))
    for seq, code in (
        ([9, 5], "SeqUsed"),
        ([8, 99], "SeqUsed"),
        ([9, 5 + jump], "ok"),
        ([9, 6 + jump], "SeqWindow"),
        ([10, jump], "ok"),
        ([10, jump + 1], "SeqWindow"),
    ):
        assert code_of(world, world.say("alice", talk, c9=seq)) == code


def test_what_is_rejected_burns_its_number() -> None:
    world = World()
    world.people("alice", "bob")
    talk = world.opened("alice", members=[world.ids["alice"]])
    for by, changes, burns in (
        ("bob", {"c9": [9, 1]}, True),
        ("bob", {"c9": [9, 1]}, False),
        ("bob", {"c9": [9, 2 + SEQ_COUNTER_JUMP]}, False),
        ("alice", {"c9": [9, 2], "c7": [None, ID, "a", {}, None]}, True),
        ("alice", {"c9": [9, 2]}, False),
        ("alice", {"c9": [8, 2]}, False),
    ):
        before, records = dict(world.talk(talk).seqs), world.talk(talk).records
        verdict = world.take(world.say(by, talk, c11=world.counted_salt(), **changes)).verdict
        assert isinstance(verdict, Rejected)
        assert verdict.burns is burns
        after = world.talk(talk).seqs
        assert after == (before | {world.ids[by]: tuple(changes["c9"])} if burns else before)
        assert world.talk(talk).records == records + 1
    assert code_of(world, world.say("alice", talk, c9=[9, 3])) == "ok"


# -- refused: admission.1 ------------------------------------------------------------------------------------------


def test_refusals_in_their_order() -> None:
    world, talk, _ = stage()
    forged = bytearray(world.say("alice", talk, c1=OTHER))
    forged[-1] ^= 1
    cases: list[tuple[str, bytes]] = [
        ("Truncated", b""),
        ("KeyUnknown", world.say("stranger", talk) if world.ids.setdefault("stranger", OTHER) else b""),
        ("KeyUnknown", world.say("alice", talk, c4=[world.ids["bob"], None])),
        ("KeyUnknown", world.say("kid", talk, c2=OTHER, c4=[world.ids["kid"], world.ids["kid"]])),
        ("KeyUnknown", world.say("kid", talk, c4=[world.ids["ended"]] * 2)),
        ("KeyUnknown", world.say("alice", talk, c4=[world.ids["kid"]] * 2)),
        ("RealmOther", world.say("alice", talk, c1=OTHER, c2=OTHER, c12=[ID, 1, "a"])),
        ("BodyMissing", world.say("alice", talk, c2=OTHER, c12=[ID, 1, "a"])),
        ("ConversationUnknown", world.say("alice", talk, c2=OTHER)),
        ("ConversationUnknown", world.say("alice", talk, c2=world.id)),
        ("RealmOther", World(roots=3).genesis),
        ("TypKind", world.say("alice", talk, c3=17)),
        ("KeyUnknown", world.entry(REVOKE, "alice", [ID, None, ""], c4=[OTHER, None])),
    ]
    for code, envelope in cases:
        assert code_of(world, envelope) == code
    assert code_of(world, bytes(forged)) in {"SignatureInvalid", "SignatureNotCanonical"}


def test_bodies_are_there_and_match() -> None:
    world, talk, _ = stage()
    envelope = world.say("alice", talk, body=b"hello")
    assert code_of(world, envelope) == "BodyMissing"
    assert code_of(world, envelope, body=b"hell") == "BodySize"
    assert code_of(world, envelope, body=b"jello") == "BodyMismatch"
    assert code_of(world, envelope, body=b"hello") == "ok"
    assert code_of(world, world.say("alice", talk), body=b"") == "BodyUnexpected"
    assert code_of(world, world.entry(REVOKE, "root-1", [ID, None, ""]), body=b"") == "BodyUnexpected"


def test_the_same_bytes_have_one_place() -> None:
    world = World()
    world.people("alice")
    talk = world.opened("alice")
    good, bad = world.say("alice", talk), world.say("alice", talk, c7=[None, ID, "a", {}, None])
    taken = [world.take(each) for each in (good, bad)]
    for each, first in zip((good, bad), taken, strict=True):
        assert world.realm.take(each, None, TIME) == first.record.position
    resigned = bytearray(good)
    resigned[-1] ^= 1
    with pytest.raises(Ama2Error, match="Signature"):
        world.realm.take(bytes(resigned), None, TIME)


def test_before_the_genesis_nobody_is_known() -> None:
    world, talk, _ = stage()
    empty = Realm(b"")
    for envelope in (world.say("alice", talk), world.open("alice"), world.entry(REVOKE, "root-1", [ID, None, ""])):
        with pytest.raises(Ama2Error, match="KeyUnknown"):
            empty.take(envelope, None, TIME)
    assert isinstance(empty.take(world.genesis, None, TIME), Taken)


# -- records -------------------------------------------------------------------------------------------------------


def test_records_name_the_home_and_the_record_before() -> None:
    world = World()
    world.people("alice")
    talk = world.opened("alice")
    fork = world.take(world.fork("alice", talk), TIME + 7)
    assert (fork.record.branch, fork.record.index) == (fork.entry.message_id, 1)
    assert (fork.record.position, fork.record.prev, fork.record.registry_size) == (3, 3, 2)
    back = world.take(world.say("alice", talk), TIME)
    assert (back.record.time, back.record.prev, back.record.index) == (TIME + 7, 4, 1)
    late = world.take(world.say("alice", talk, n=1))
    assert (late.record.index, late.record.code) == (2, 0)
    enrolled = world.take(world.enrol("bob"))
    assert (enrolled.record.conversation, enrolled.record.branch, enrolled.record.index) == (world.id, world.id, 2)
    assert enrolled.record.prev == 2


def test_a_digest_covers_what_decides() -> None:
    def digest(change: Any) -> bytes:
        world = World()
        world.people("alice", "bob")
        talk = world.opened("alice", members=sorted((world.ids["alice"], world.ids["bob"])))
        branch = world.spawned("alice", talk, "kid")
        world.take(world.say("kid", talk, branch=branch, merges=[]))
        change(world, talk, world.talk(talk), world.talk(talk).branches[branch])
        return conversation_digest(world.talk(talk))

    def nothing(*_: Any) -> None: ...

    def grant(_: World, __: bytes, talk: Any, branch: Any) -> None:
        old = talk.grants[branch.id]
        talk.grants[branch.id] = replace(old, grant=replace(old.grant, depth=7))

    changes = [
        lambda world, talk, c, b: setattr(c, "closed", True),
        lambda world, talk, c, b: setattr(c, "records", 9),
        lambda world, talk, c, b: setattr(c, "members", None),
        lambda world, talk, c, b: setattr(c, "workflow", (True, "x")),
        lambda world, talk, c, b: c.seqs.update({world.ids["bob"]: (1, 1)}),
        lambda world, talk, c, b: c.seqs.pop(world.ids["alice"]),
        lambda world, talk, c, b: setattr(b, "closed", True),
        lambda world, talk, c, b: setattr(b, "opener", OTHER),
        lambda world, talk, c, b: setattr(b, "base", 0),
        lambda world, talk, c, b: b.merges.update({2: [(talk, 1)]}),
        lambda world, talk, c, b: b.append(OTHER),
        grant,
    ]
    found = [digest(change) for change in [nothing, *changes]]
    assert len(set(found)) == len(found)
    assert digest(nothing) == found[0]


def test_a_verdict_depends_on_the_stamp_alone() -> None:
    world = World()
    world.people("alice")
    talk = world.opened("alice")
    home = world.spawned("alice", talk, "kid", grant=world.grant("kid", expires=TIME + 5))
    envelope = world.say("kid", talk, branch=home)
    entry, size = parse(envelope), world.registry.size
    assert isinstance(admit(world.state, Stamp(TIME + 4, size), entry), Admitted)
    assert isinstance(admit(world.state, Stamp(TIME + 5, size), entry), Rejected)
    world.take(world.entry(REVOKE, "root-1", [world.ids["alice"], 0, ""]))
    assert isinstance(admit(world.state, Stamp(TIME + 4, size), entry), Admitted)
    assert isinstance(admit(world.state, Stamp(TIME + 4, size + 1), entry), Rejected)
    with pytest.raises(Ama2Error, match="Internal"):
        admit(world.state, Stamp(TIME, size), parse(world.enrol("bob")))


def test_words_of_the_laws() -> None:
    assert policy() == LAX
    assert policy(q5=2, hold=True) == LAX | {5: 2, 7: True}
    assert MESSAGE_TYP.endswith("message+cose")
