"""The reference reads the scope of a halt from any bytes at all, and says what it covers (halt.2): each form, each way out of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import pytest

from ama2sec.reference import encode, parse
from ama2sec.reference.scopes import REALM, Scope, read_scope
from tests.realm_world import CLOSE, FORK, ZEROS, World
from tests.unit.test_reference_admission import code_of
from tests.workflow_world import small

X, Y, OTHER = b"x" * 32, b"y" * 32, b"o" * 32
DEFINITIONS = {"orders", "a" * 64}
FORMS: list[Scope] = [(0,), (1, X), (2, X, Y), (3, X, Y), (4, "orders"), (4, "a" * 64), (5, X)]


# -- reading: halt.2.1, halt.2.2 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read_as_it_is(form: Scope) -> None:
    assert read_scope(encode(list(form)), DEFINITIONS) == form


@pytest.mark.parametrize("form", FORMS)
def test_a_scope_that_is_cut_short_or_goes_on_is_the_realm(form: Scope) -> None:
    whole = encode(list(form))
    for end in range(len(whole)):
        assert read_scope(whole[:end], DEFINITIONS) == REALM
    for byte in range(256):
        assert read_scope(whole + bytes([byte]), DEFINITIONS) == REALM


@pytest.mark.parametrize("form", FORMS)
def test_a_scope_with_any_byte_changed_is_a_form_or_the_realm(form: Scope) -> None:
    whole = encode(list(form))
    for at in range(len(whole)):
        for byte in range(256):
            changed = whole[:at] + bytes([byte]) + whole[at + 1 :]
            found = read_scope(changed, DEFINITIONS)
            assert found == REALM or (encode(list(found)) == changed and found[0] in range(6))


def test_every_short_string_but_one_form_is_the_realm() -> None:
    for length in range(3):
        for number in range(256**length):
            assert read_scope(number.to_bytes(length, "big"), DEFINITIONS) == REALM


@pytest.mark.parametrize(
    "value",
    [
        [], 0, None, True, X, "realm", {}, {0: 1}, [[0]], [None], [False], [True, X], ["0"], [-1], [-2, X], [b"\1", X],
        [1], [1, X, X], [1, X[:31]], [1, X + b"x"], [1, b""], [1, None], [1, "x" * 32], [1, [X]], [0, X], [0, None],
        [2, X], [2, X, Y, Y], [2, X, None], [2, None, Y], [2, X, Y[:31]], [2, X, "y" * 32], [2, X[:31], Y],
        [3, X], [3, X, Y[:31]], [3, None, Y], [3, X, Y, None],
        [4], [4, X], [4, b"orders"], [4, "orders", None], [4, "order"], [4, "Orders"], [4, ""], [4, "a" * 65], [4, None],
        [5], [5, "alice"], [5, X, Y], [5, X + X], [6], [6, X], [6, X, Y], [23, X], [24, X], [2**63 - 1, X],
    ],
)  # fmt: skip
def test_whatever_has_another_form_is_the_realm(value: Any) -> None:
    assert read_scope(encode(value), DEFINITIONS) == REALM


@pytest.mark.parametrize(
    "data",
    [
        b"\x82\x18\x01\x58\x20" + X,  # 1 in two bytes
        b"\x82\x01\x59\x00\x20" + X,  # a length in three bytes
        b"\x9f\x01\x58\x20" + X + b"\xff",  # indefinite
        b"\xd2\x82\x01\x58\x20" + X,  # a tag
        b"\x82\xf9\x3c\x00\x58\x20" + X,  # 1.0
        b"\x82\x04\x66order\xff",  # no UTF-8
        b"\x82\x04\x7f\x63ord\x63ers\xff",
        b"\x81" * 9,  # too deep
        bytes(257),
    ],
)
def test_what_is_no_deterministic_cbor_is_the_realm(data: bytes) -> None:
    assert read_scope(data, DEFINITIONS) == REALM


def test_a_scope_has_at_most_256_bytes() -> None:
    long = "d" * 252  # no realm has such a name; here one has
    assert read_scope(encode([4, long]), {long}) == (4, long)
    assert len(encode([4, long + "d"])) == 257
    assert read_scope(encode([4, long + "d"]), {long + "d"}) == REALM


def test_random_bytes_are_read_too() -> None:
    rng = Random(2026)
    for _ in range(20_000):
        data = rng.choice((b"", b"\x81", b"\x82\x01\x58\x20", b"\x83\x02\x58\x20")) + rng.randbytes(rng.randrange(70))
        found = read_scope(data, DEFINITIONS)
        assert found == REALM or encode(list(found)) == data


# -- what is covered: halt.2.3 -------------------------------------------------------------------------------------


@dataclass
class Stage:
    """A conversation with forks of forks and a chain of sub-agents, and another one beside it."""

    world: World
    talk: bytes
    other: bytes
    branches: dict[str, bytes]
    """main, left (off main), deep (off left), right (off main), and kid's, grandkid's, kid's own fork."""

    def entry(self, by: str, branch: str = "main", **how: Any) -> bytes:
        return self.world.say(by, self.talk, branch=self.branches[branch], **how)

    def halted(self, scope: Scope, envelope: bytes) -> bool:
        """Whether a halt of this scope, taken for the moment, rejects an entry that is admitted without it."""
        assert code_of(self.world, envelope) == "ok"
        registry = self.world.registry
        halt = self.world.take(self.world.halt("op", scope)).entry.message_id
        found = code_of(self.world, envelope)
        del registry.halts[halt]
        assert found in {"ok", "Halted"}
        return found == "Halted"


@cache
def stage() -> Stage:
    world = World()
    world.people("alice", "bob")
    world.take(world.enrol("op", purpose="operator"))
    talk, other = world.opened("alice"), world.opened("bob")
    named = {"main": talk}
    for name, by, under in (("left", "alice", "main"), ("deep", "bob", "left"), ("right", "bob", "main")):
        named[name] = world.take(world.fork(by, talk, branch=named[under])).entry.message_id
    named["kid"] = world.spawned("alice", talk, "kid", branch=named["right"])
    named["grandkid"] = world.spawned(
        "kid", talk, "grandkid", branch=named["kid"], grant=world.grant("grandkid", depth=7)
    )
    named["kid-fork"] = world.take(world.fork("kid", talk, branch=named["kid"])).entry.message_id
    return Stage(world, talk, other, named)


WAYS = ["main", "left", "deep", "right", "kid", "grandkid", "kid-fork"]
UNDER = {
    "main": {*WAYS},
    "left": {"left", "deep"},
    "deep": {"deep"},
    "right": {"right", "kid", "grandkid", "kid-fork"},
    "kid": {"kid", "grandkid", "kid-fork"},
    "grandkid": {"grandkid"},
    "kid-fork": {"kid-fork"},
}


def test_the_realm_covers_every_conversation() -> None:
    at = stage()
    for branch in WAYS:
        assert at.halted((0,), at.entry("bob", branch))
    assert at.halted((0,), at.world.say("bob", at.other))


def test_a_conversation_covers_its_own_entries_alone() -> None:
    at = stage()
    for branch in WAYS:
        assert at.halted((1, at.talk), at.entry("bob", branch))
        assert not at.halted((1, at.other), at.entry("bob", branch))
    assert not at.halted((1, at.talk), at.world.say("bob", at.other))
    assert not at.halted((1, at.world.id), at.entry("bob"))


@pytest.mark.parametrize("kind", ["message", "fork", "close", "spawn"])
@pytest.mark.parametrize("halted", WAYS)
def test_a_branch_covers_itself_and_what_was_forked_off_it_at_any_depth(halted: str, kind: str) -> None:
    at = stage()
    for branch in WAYS:
        entry = {
            "message": lambda: at.entry("bob", branch),  # noqa: B023  (called at once)
            "fork": lambda: at.world.fork("bob", at.talk, branch=at.branches[branch]),  # noqa: B023
            "close": lambda: at.world.close("bob", at.talk, branch=at.branches[branch]),  # noqa: B023
            "spawn": lambda: at.world.spawn("bob", at.talk, "spawned", branch=at.branches[branch]),  # noqa: B023
        }[kind]()
        assert at.halted((2, at.talk, at.branches[halted]), entry) == (branch in UNDER[halted]), branch


@pytest.mark.parametrize("halted", WAYS)
def test_a_branch_covers_who_merges_what_comes_from_it(halted: str) -> None:
    at = stage()
    for branch, head in (("main", "deep"), ("main", "kid-fork"), ("left", "right"), ("right", "left")):
        merged = at.branches[head]
        size = at.world.talk(at.talk).branches[merged].size
        entry = at.entry("bob", branch, merges=[(merged, size)])
        assert at.halted((2, at.talk, at.branches[halted]), entry) == bool({branch, head} & UNDER[halted])


def test_a_branch_that_the_conversation_does_not_have_is_the_whole_conversation() -> None:
    at = stage()
    for branch in WAYS:
        assert at.halted((2, at.talk, OTHER), at.entry("bob", branch))
        assert at.halted((2, at.talk, at.other), at.entry("bob", branch))
    assert not at.halted((2, at.talk, OTHER), at.world.say("bob", at.other))


def test_what_names_a_branch_that_is_not_there_is_not_covered_by_one_that_is() -> None:
    at = stage()
    right = at.world.talk(at.talk).branches[at.branches["right"]]
    stray = at.entry("bob", c6=[OTHER, at.talk, []])
    merging = at.entry("bob", "right", c6=[right.id, right.leaves[-1], [[OTHER, 1, OTHER]]])
    for scope, codes in (
        ((2, at.talk, at.branches["left"]), ("BranchUnknown", "MergeUnknown")),
        ((2, at.talk, at.branches["main"]), ("BranchUnknown", "Halted")),
        ((2, at.talk, OTHER), ("Halted", "Halted")),
        ((1, at.talk), ("Halted", "Halted")),
    ):
        halt = at.world.take(at.world.halt("op", scope)).entry.message_id
        assert (code_of(at.world, stray), code_of(at.world, merging)) == codes
        del at.world.registry.halts[halt]


def test_an_unknown_instance_is_its_conversation() -> None:
    at = stage()
    assert at.halted((3, at.talk, OTHER), at.entry("bob", "deep"))
    assert not at.halted((3, at.other, OTHER), at.entry("bob", "deep"))


def test_an_agent_covers_itself_and_everybody_below_it() -> None:
    at = stage()
    ids = at.world.ids
    entries = {
        "alice": at.entry("alice"),
        "bob": at.entry("bob"),
        "kid": at.entry("kid", "kid"),
        "grandkid": at.entry("grandkid", "grandkid"),
    }
    below = {
        "alice": {"alice", "kid", "grandkid"},
        "bob": {"bob"},
        "kid": {"kid", "grandkid"},
        "grandkid": {"grandkid"},
        "op": set[str](),
    }
    for halted, covered in below.items():
        for author, entry in entries.items():
            assert at.halted((5, ids[halted]), entry) == (author in covered), (halted, author)
    assert not at.halted((5, OTHER), entries["bob"])
    assert not at.halted((5, at.talk), entries["alice"])


def test_a_member_is_covered_on_a_childs_branch_and_a_child_is_not_by_who_speaks_there() -> None:
    at = stage()
    assert not at.halted((5, at.world.ids["kid"]), at.entry("alice", "kid"))
    assert not at.halted(
        (5, at.world.ids["bob"]), at.entry("kid", "kid")
    )  # bob forked the branch that alice spawned on


def test_opens_are_covered_by_the_realm_their_author_and_their_own_id() -> None:
    at = stage()
    opened = at.world.open("bob")
    name = parse(opened).message_id
    for scope in ((0,), (5, at.world.ids["bob"]), (1, name), (2, name, name), (2, name, OTHER), (3, name, OTHER)):
        assert at.halted(scope, opened), scope
    for scope in ((5, at.world.ids["alice"]), (1, at.talk), (2, at.talk, name), (2, at.talk, OTHER), (1, ZEROS)):
        assert not at.halted(scope, opened), scope


def test_a_definition_covers_the_open_that_names_it_and_an_unknown_one_is_the_realm() -> None:
    at = World()
    at.people("alice")
    at.take(at.enrol("op", purpose="operator"))
    talk = at.opened("alice")
    early = at.take(at.halt("op", (4, "orders"))).entry.message_id
    assert code_of(at, at.say("alice", talk)) == "Halted"
    at.take(at.entry(20, "root-1", ["orders", None, small("orders")]))
    assert code_of(at, at.say("alice", talk)) == "Halted"  # what it was when it was admitted
    at.take(at.resume("root-1", [early]))
    orders = at.opened("alice", c14=[False, "orders"])
    at.take(at.halt("op", (4, "orders")))
    assert code_of(at, at.say("alice", talk)) == "ok"
    assert code_of(at, at.open("alice")) == "ok"
    assert code_of(at, at.open("alice", c14=[False, "other"])) == "WorkflowUnknown"
    assert code_of(at, at.open("alice", c14=[False, "orders"])) == "Halted"
    for kind, own in ((2, {}), (FORK, {"c15": None}), (CLOSE, {"c25": False})):
        assert code_of(at, at.say("alice", orders, kind=kind, **own)) == "Halted"


def test_a_branch_that_is_to_come_is_the_whole_conversation_until_it_is_there() -> None:
    world = World()
    world.people("alice")
    world.take(world.enrol("op", purpose="operator"))
    talk = world.opened("alice")
    fork = world.fork("alice", talk)
    world.take(world.halt("op", (2, talk, parse(fork).message_id)))
    for entry in (world.say("alice", talk), fork):
        assert code_of(world, entry) == "Halted"
