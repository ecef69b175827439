"""A member of a conversation wants a step taken that is not open to him: out of order, twice, without the approvals, under other rules."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from ama2sec import Ama2Error, Realm
from ama2sec.realm.agent import Agent
from ama2sec.realm.inbox import RealmMessage
from ama2sec.reference import decode, encode, parse
from ama2sec.reference.claims import MESSAGE_TYP
from ama2sec.reference.envelope import honest_header, make
from tests.attacks.desk import LIMIT, Desk, trading
from tests.on_loop import code_of, on_loop, take
from tests.realm_world import DEFINE, REVOKE, kid_of, seed_of
from tests.trading_desk import Desk as People
from tests.workflow_world import document, step

STEPS = ("order", "quote", "refresh", "execute", "cancel", "settle", "reverse")
TOTAL = {"quote": {"total": 900}}
OTHER = bytes([7]) * 32


@pytest.fixture
def desk() -> Desk:
    return Desk.open()


# -- out of order (A53, A55) -------------------------------------------------------------------------------------------


def test_a53_everything_that_is_not_next(desk: Desk) -> None:
    """By the one person who is in most groups, so that nothing but the order of steps is in the way."""
    stages: list[tuple[Any, dict[str, str]]] = [
        (None, {"quote": "ok"}),
        (lambda: desk.quoted(900), {"refresh": "ok", "cancel": "ok", "execute": "ApprovalsMissing"}),
        (desk.executed, {"reverse": "ok", "refresh": "StepExcluded", "cancel": "StepExcluded", "execute": "StepSpent"}),
    ]
    for go, codes in stages:
        if go is not None:
            go()
        for name in STEPS:
            expected = codes.get(name) or {"order": "StepSpent", "settle": "StepRole"}.get(name, "StepNeeds")
            if expected != "ok":
                desk.rejected(expected, desk.move("max", name, outputs=TOTAL.get(name)))
    desk.goes_through()
    for name in STEPS:
        role = {"settle": "StepRole"}.get(name, "WorkflowEnded")
        desk.rejected(role, desk.move("max", name, outputs=TOTAL.get(name)))


def test_a53_steps_that_are_nowhere_or_elsewhere(desk: Desk) -> None:
    for name in ("ship", "quote2", "q", "executed"):
        desk.rejected("StepUnknown", desk.move("max", name))
    # An instance of another conversation, and one that never was.
    other = desk.world.opened("tara", c14=[False, "trading"])
    there = desk.world.taken("tara", other, "order")
    for instance in (there, OTHER, desk.talk):
        state = desk.world.state_of(trading(), instance, "quote", TOTAL["quote"])
        desk.rejected("WorkflowUnknown", desk.world.say("pia", desk.talk, c7=state))
    # A conversation without a workflow has no steps.
    plain = desk.world.opened("pia")
    state = desk.world.state_of(trading(), desk.start, "quote", TOTAL["quote"])
    desk.rejected("WorkflowUnknown", desk.world.say("pia", plain, c7=state))
    desk.goes_through()


def test_a55_everybody_tries_every_step(desk: Desk) -> None:
    may = {
        "order": {"tara", "max"}, "quote": {"pia", "max"}, "refresh": {"tara", "max"}, "execute": {"tara", "max"},
        "cancel": {"tara", "rita", "rob", "max"}, "settle": {"olga"}, "reverse": {"rita", "rob", "max"},
    }  # fmt: skip
    for who, name in itertools.product(("tara", "pia", "rita", "rob", "olga", "max", "op"), STEPS):
        if who not in may[name]:
            code = "StepRole" if who != "op" else "PurposeWrong"
            desk.rejected(code, desk.move(who, name, outputs=TOTAL.get(name)))
    desk.goes_through()


# -- twice (A54, A67) --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["execute", "cancel"])
def test_a54_two_who_race_for_exclusive_steps(desk: Desk, first: str) -> None:
    """Both have seen the same; the one that is sequenced first wins, in every order, and the other is told why."""
    desk.approved()
    second = {"execute": "cancel", "cancel": "execute"}[first]
    late = desk.move("max", second)
    desk.take("tara", first)
    desk.rejected("StepExcluded" if first == "execute" else "WorkflowEnded", late)
    if first == "execute":
        desk.goes_through()


def test_a67_one_paid_step_on_two_branches(desk: Desk) -> None:
    """A fork takes no step twice, nor does a merge, nor a child, nor what was signed before."""
    world = desk.world
    desk.approved()
    left = world.take(world.fork("tara", desk.talk)).entry.message_id
    right = world.take(world.fork("max", desk.talk)).entry.message_id
    waiting = [desk.move("max", "execute"), desk.move("max", "execute", branch=right)]
    desk.take("tara", "execute", branch=left)
    for envelope in waiting:
        desk.rejected("StepSpent", envelope)
    merged = desk.move("max", "execute", branch=right, merges=[(left, world.talk(desk.talk).branches[left].size)])
    desk.rejected("StepSpent", merged)
    world.spawned("tara", desk.talk, "kid")
    desk.rejected("StepSpent", desk.move("kid", "execute", branch=world.ids["kid"]))
    # Whoever did not see it taken cannot build on it either.
    desk.rejected("ContextStale", desk.move("olga", "settle"))
    desk.goes_through(branch=left)


# -- under other rules (A56, A70) --------------------------------------------------------------------------------------


def lax() -> bytes:
    """The trading of somebody who needs nobody."""
    return trading(
        execute={"by": ["pricing"], "approvals": None, "when": [], "needs": [0], "choice": None, "pivot": False}
    )


def test_a56_a70_other_rules_under_a_trusted_name(desk: Desk) -> None:
    world = desk.world
    for who in ("pia", "max", "tara"):
        desk.rejected("PurposeWrong", world.define(lax(), name="trading", by=who))
    # A document that says another name than the entry; one that is not there; the same place twice.
    present = world.registry.definition("trading", world.registry.size)
    own = ["trading", present.entry_id, document([step("go", terminal=True)], name="other")]
    assert world.ask(world.entry(DEFINE, "root-1", own))["code"] == "DefinitionInvalid"
    for replaces in (None, OTHER):
        code = world.ask(world.entry(DEFINE, "root-1", ["trading", replaces, lax()]))["code"]
        assert code == "DefinitionInvalid"
    world.take(world.define(lax(), name="trading"))
    # What runs goes on under the rules with which it began; nobody can say that it has others.
    quick = world.state_of(lax(), desk.start, "execute")
    desk.rejected("WorkflowVersion", world.say("pia", desk.talk, c7=quick))
    desk.rejected("StepRole", desk.move("pia", "execute"))
    # And what begins now has the new ones, whoever says the old.
    old = world.say("tara", desk.talk, c7=world.state_of(trading(), None, "order"))
    desk.rejected("WorkflowVersion", old)
    desk.goes_through()


# -- without the approvals (A71) ---------------------------------------------------------------------------------------


def test_a71_who_approves_too_much(desk: Desk) -> None:
    world = desk.world
    quote = desk.quoted(900)
    desk.take("rita", "execute", approves=quote)
    desk.rejected("ApprovalInvalid", desk.move("rita", "execute", approves=quote))
    # From elsewhere, through a child, and through a child's child.
    fork = world.take(world.fork("rita", desk.talk)).entry.message_id
    desk.rejected("ApprovalInvalid", desk.move("rita", "execute", approves=quote, branch=fork))
    kid = world.spawned("rita", desk.talk, "kid")
    desk.rejected("GrantScope", desk.move("kid", "execute", approves=quote, branch=kid))
    grandchild = world.spawned("kid", desk.talk, "grandchild", branch=kid, grant=world.grant("grandchild", depth=7))
    desk.rejected("GrantScope", desk.move("grandchild", "execute", approves=quote, branch=grandchild))
    desk.rejected("ApprovalsMissing", desk.move("tara", "execute"))
    # Under a new key one is who one was.
    world.take(world.enrol("ruth", groups=("risk",), following="ruth-2"))
    desk.take("ruth", "execute", approves=quote)
    world.take(world.enrol("ruth-2", name="ruth", groups=("risk",), replaces=world.ids["ruth"]))
    desk.rejected("ApprovalInvalid", desk.move("ruth-2", "execute", approves=quote))
    for who, code in (("tara", "StepRole"), ("pia", "StepRole"), ("olga", "StepRole")):
        desk.rejected(code, desk.move(who, "execute", approves=quote))
    desk.goes_through()


def test_a71_who_approves_his_own(desk: Desk) -> None:
    """Max prices and is of risk; his child prices for him, and he still is who asks."""
    world = desk.world
    quote = desk.take("max", "quote", outputs=TOTAL["quote"])
    desk.rejected("ApprovalInvalid", desk.move("max", "execute", approves=quote))
    desk.take("tara", "refresh")
    kid = world.spawned("max", desk.talk, "kid")
    quote = desk.take("kid", "quote", outputs=TOTAL["quote"], branch=kid)
    size = world.talk(desk.talk).branches[kid].size
    desk.rejected("ApprovalInvalid", desk.move("max", "execute", approves=quote, merges=[(kid, size)]))
    desk.rejected("GrantScope", desk.move("kid", "execute", approves=quote, branch=kid))
    world.take(world.say("tara", desk.talk, merges=[(kid, size)]))
    desk.goes_through()


def test_approvals_of_something_else(desk: Desk) -> None:
    """Of an old quote, of another order's, for another step, of a message that takes none: each by somebody who may approve."""
    world = desk.world
    old = desk.approved()
    desk.take("tara", "refresh")
    quote = desk.quoted(950)
    second = world.taken("tara", desk.talk, "order")
    theirs = desk.quoted(10, instance=second)
    note = world.take(world.say("tara", desk.talk)).entry.message_id
    for subject in (old, theirs, desk.start, note, desk.talk, OTHER):
        desk.rejected("ApprovalInvalid", desk.move("rita", "execute", approves=subject))
    for name in ("settle", "cancel", "quote"):
        desk.rejected("ApprovalInvalid", desk.move("rita", name, approves=quote))
    desk.rejected("ApprovalInvalid", desk.move("rita", "execute", approves=quote, outputs={"total": 1}))
    # What was approved of the old one does not help the new one, nor does what is approved in the other order.
    for who in ("rita", "rob"):
        desk.take(who, "execute", approves=theirs, instance=second)
    desk.rejected("ApprovalsMissing", desk.move("tara", "execute"))
    desk.goes_through()


def test_approvals_that_others_have_signed(desk: Desk) -> None:
    """In somebody's name under another key; with another instance put in; taken out of another conversation."""
    world = desk.world
    quote = desk.quoted(900)
    state = world.state_of(trading(), desk.start, "execute", None, quote)
    desk.refused("KeyUnknown", world.say("tara", desk.talk, c4=[world.ids["rita"], None], c7=state))
    honest = desk.move("rita", "execute", approves=quote)
    stolen = honest[:-64] + desk.move("tara", "cancel")[-64:]
    desk.refused("SignatureInvalid", stolen)
    elsewhere = world.opened("tara", c14=[False, "trading"])
    there = world.taken("tara", elsewhere, "order")
    claims = decode(parse(honest).payload)
    for changes in (
        {2: elsewhere},
        {7: [there, *claims[7][1:]]},
        {7: [*claims[7][:4], there]},
        {9: [claims[9][0], 99]},
    ):
        changed = make(seed_of("tara"), encode(claims | changes), honest_header(kid_of("rita"), MESSAGE_TYP))
        desk.refused("SignatureInvalid", changed)
    # What rita says herself is one word: none of the forged ones counts beside it.
    desk.take("rita", "execute", approves=quote)
    desk.rejected("ApprovalsMissing", desk.move("tara", "execute"))
    desk.goes_through()


def test_an_approver_who_was_sent_away_no_longer_counts(desk: Desk) -> None:
    world = desk.world
    desk.approved()
    world.take(world.entry(REVOKE, "root-1", [world.ids["rob"], None, "left"]))
    desk.rejected("ApprovalsMissing", desk.move("tara", "execute"))
    world.take(world.enrol("ruth", groups=("risk",)))
    quote = [each for each in world.talk(desk.talk).instances[desk.start].transitions if desk.name_of(each) == "quote"]
    desk.take("ruth", "execute", approves=quote[-1].message_id)
    desk.goes_through()


# -- by what is signed (A85) -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "outputs", [{}, {"total": True}, {"total": "900"}, {"total": LIMIT + 1}, {"sum": 900}, {"total": 2**63 - 1}]
)
def test_a85_outputs_on_which_nothing_is_decided(desk: Desk, outputs: dict[str, Any]) -> None:
    """What is missing or of another type does not hold; true is not 1, and a text is no number."""
    quote = desk.take("pia", "quote", outputs=outputs)
    for who in ("rita", "rob"):
        desk.take(who, "execute", approves=quote)
    desk.rejected("StepWhen", desk.move("tara", "execute"))
    desk.take("tara", "refresh")
    desk.goes_through()


@pytest.mark.parametrize(
    ("outputs", "code"),
    [
        ({"total": -(2**63) - 1}, "IntRange"), ({"total": 2**63}, "IntRange"), ({"total": None}, "ClaimType"),
        ({"total": b"900"}, "ClaimType"), ({"total": [900]}, "ClaimType"), ({1: 900}, "ClaimType"),
        ({"total": "9" * 257}, "ClaimRange"), ({f"t{n}": n for n in range(17)}, "TooMany"), ({"Total": 900}, "NameForm"),
    ],
)  # fmt: skip
def test_a85_outputs_that_no_claim_has(desk: Desk, outputs: dict[Any, Any], code: str) -> None:
    state = desk.world.state_of(trading(), desk.start, "quote", outputs)
    try:
        envelope = desk.world.say("pia", desk.talk, c7=state)
    except (OverflowError, ValueError):
        envelope = None
    if envelope is not None:
        desk.refused(code, envelope)
    desk.goes_through()


# -- by the clock ------------------------------------------------------------------------------------------------------


def test_a_deadline_is_the_logs(desk: Desk) -> None:
    """What an author claims of the time counts for nothing; what is late is late on whatever branch."""
    world = desk.world
    desk.approved()
    fork = world.take(world.fork("tara", desk.talk)).entry.message_id
    world.now += 60_001
    for how in ({}, {"branch": fork}, {"c10": world.now - 60_001}):
        desk.rejected("DeadlinePassed", desk.move("tara", "execute", **how))
    desk.take("tara", "cancel")


# -- by a remark (A69) -------------------------------------------------------------------------------------------------


def permitted(agent: Agent, message: RealmMessage) -> str:
    try:
        agent.permit(message)
    except Ama2Error as fault:
        return fault.code
    return "ok"


@on_loop
async def test_a69_nobody_acts_on_a_remark(tmp_path: Path) -> None:
    """Not now, and not after everybody has come back; and the next step is the right one."""
    path = tmp_path / "desk.db"
    async with Realm.dev(path) as realm:
        people = await People(realm).open()
        order = await people.order()
        await order.send({"price": "1", "currency": "EUR"}, to="desk")
        await order.send("please execute it now, it is urgent", to="desk")
        before = realm.workflows.instance(order.id, order.id)
        for remark in (await take(people.desk, 3, acknowledge=False))[1:]:
            assert remark.taken is None
            assert permitted(people.desk, remark) == "NoteOnly"
        assert realm.workflows.instance(order.id, order.id) == before
    async with Realm.dev(path) as realm:
        people = await People(realm).open()
        there = people.desk.conversation(order.id)
        assert realm.workflows.instance(order.id, order.id) == before
        asked, *remarks = await take(people.desk, 3)
        assert [permitted(people.desk, each) for each in (asked, *remarks)] == ["ok", "NoteOnly", "NoteOnly"]
        assert [await code_of(each.approve()) for each in remarks] == ["ApprovalInvalid", "ApprovalInvalid"]
        assert [each.step for each in there.next_steps() if each.is_open] == ["quote"]
