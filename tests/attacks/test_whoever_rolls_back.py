"""Whoever wants undone what stands against him rolls back: behind a pivot, around a halt, in part, again and again, or to be rid of evidence."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ama2sec import Accumulator, Ama2Error, Id, Realm, _conform_rust, check_inclusion, prove_inclusion
from ama2sec._native import SigningKey
from ama2sec.realm import check_receipt, replay_realm
from ama2sec.reference import parse
from ama2sec.reference.rollbacks import closure, closure_digest
from tests.attacks.desk import Desk
from tests.on_loop import code_of, on_loop, take
from tests.realm_world import REVOKE, TIME, seed_of
from tests.trading_desk import Desk as People

OTHER = bytes([7]) * 32


@pytest.fixture
def desk() -> Desk:
    return Desk.open()


def size_of(desk: Desk, branch: bytes | None = None) -> int:
    size: int = desk.world.talk(desk.talk).branches[branch or desk.talk].size
    return size


def back(desk: Desk, by: str, keep: int, **how: Any) -> bytes:
    return desk.world.rollback(by, desk.talk, keep, **how)


# -- who may, and how far (A40) ----------------------------------------------------------------------------------------


def test_a40_by_whom(desk: Desk) -> None:
    desk.quoted(900)
    keep = size_of(desk) - 1
    for who in ("tara", "pia", "olga"):
        desk.rejected("RollbackRole", back(desk, who, keep))
    desk.rejected("PurposeWrong", back(desk, "op", keep))
    world = desk.world
    kid = world.spawned("tara", desk.talk, "kid")
    desk.rejected("RollbackRole", back(desk, "kid", keep, branch=kid))
    world.spawned("rita", desk.talk, "aide", grant=world.grant("aide", rights=3))
    desk.rejected("GrantScope", back(desk, "aide", keep, branch=world.ids["aide"]))
    # With the right, still not what lies in its parent's branch.
    world.spawned("rita", desk.talk, "heir")
    desk.rejected("RollbackScope", back(desk, "heir", keep, branch=world.ids["heir"]))
    desk.goes_through()


def test_a40_to_where(desk: Desk) -> None:
    desk.quoted(900)
    world, size = desk.world, size_of(desk)
    beside = world.take(world.fork("rita", desk.talk, n=2)).entry.message_id
    falls = [1, OTHER]
    for how in (
        {"keep": 0}, {"keep": size}, {"keep": size + 1}, {"keep": 2, "target": OTHER}, {"keep": 3, "target": beside},
        {"keep": 2, "target": beside, "branch": beside},
    ):  # fmt: skip
        keep: int = how.pop("keep")  # type: ignore[assignment]
        desk.rejected("RollbackTarget", back(desk, "rita", keep, falls=falls, **how))
    desk.goes_through()


def test_behind_a_point_of_no_return(desk: Desk) -> None:
    """The trade is out. Nothing that falls may hold it, wherever the cut is made from."""
    world = desk.world
    desk.approved()
    fork = world.take(world.fork("tara", desk.talk)).entry.message_id
    at = size_of(desk, fork)
    desk.take("tara", "execute", branch=fork)
    world.take(world.say("tara", desk.talk, branch=fork))
    for keep in (2, size_of(desk) - 1):
        desk.rejected("RollbackPivot", back(desk, "rita", keep))
        desk.rejected("RollbackPivot", back(desk, "rita", keep, branch=fork))
    desk.rejected("RollbackPivot", back(desk, "rita", at, target=fork, branch=fork))
    # What came after it, and had nothing to do with it, may fall.
    successor = world.rolled("rita", desk.talk, at + 1, target=fork, branch=fork)
    desk.goes_through(branch=successor)


def test_again_and_again(desk: Desk) -> None:
    """The cap is the instance's: a fork, a successor, another of the group, all spend the same."""
    world, branch = desk.world, desk.talk
    keep = size_of(desk)
    for who in ("rita", "rob"):
        desk.quoted(900, branch=branch)
        branch = world.rolled(who, desk.talk, keep, target=branch, branch=branch)
        keep = size_of(desk, branch)
    desk.quoted(900, branch=branch)
    fork = world.take(world.fork("rita", desk.talk, branch=branch)).entry.message_id
    for who, at in (("rita", branch), ("rob", branch), ("max", fork)):
        desk.rejected("RollbackCap", back(desk, who, keep, target=branch, branch=at))
    desk.goes_through(branch=branch)


# -- in part -----------------------------------------------------------------------------------------------------------


def test_a73_a_closure_that_leaves_something_out(desk: Desk) -> None:
    """Every branch that came of what falls, a merge of it and what came of that: any smaller statement is rejected."""
    world = desk.world
    early = world.take(world.fork("pia", desk.talk)).entry.message_id
    keep = size_of(desk)
    desk.quoted(900)
    late = world.take(world.fork("tara", desk.talk)).entry.message_id
    world.take(world.say("tara", desk.talk, branch=late))
    world.take(world.say("pia", desk.talk, branch=early, merges=[(late, size_of(desk, late))]))
    further = world.take(world.fork("olga", desk.talk, branch=early)).entry.message_id
    talk = world.talk(desk.talk)
    whole = closure(talk, desk.talk, keep)
    assert set(whole) == {desk.talk, early, late, further}
    for missing in set(whole) - {desk.talk}:
        part = {branch: cut for branch, cut in whole.items() if branch != missing}
        desk.rejected("RollbackIncomplete", back(desk, "rita", keep, falls=list(closure_digest(talk, part))))
    for branch, cut in whole.items():
        part = whole | {branch: cut + 1}
        desk.rejected("RollbackIncomplete", back(desk, "rita", keep, falls=list(closure_digest(talk, part))))
    successor = world.rolled("rita", desk.talk, keep)
    # What was merged elsewhere is not there either, and cannot be brought back in.
    for source in (late, further):
        desk.rejected("BranchUndone", world.say("tara", desk.talk, branch=source))
        merged = world.say("tara", desk.talk, branch=successor, merges=[(source, size_of(desk, source))])
        desk.rejected("MergeUndone", merged)
    desk.goes_through(branch=successor)


def test_what_is_said_meanwhile(desk: Desk) -> None:
    """Two roll back at once, and somebody writes between signing and sequencing: one is what it says, the other is rejected."""
    world, keep = desk.world, size_of(desk)
    desk.quoted(900)
    first, second = back(desk, "rita", keep), back(desk, "rob", keep)
    world.take(world.say("tara", desk.talk))
    for late in (first, second):
        desk.rejected("RollbackIncomplete", late)
    third, fourth = back(desk, "rita", keep), back(desk, "rob", keep)
    successor = world.talk(desk.talk).branches[desk.talk].successor
    assert successor is None
    world.take(third)
    desk.rejected("BranchSuperseded", fourth)
    successor = world.talk(desk.talk).branches[desk.talk].successor
    # The same entry again is the same entry, wherever it is sent.
    assert world.ask(third)["verdict"] == "duplicate"
    desk.goes_through(branch=successor)


# -- what it does not give back (A73) ----------------------------------------------------------------------------------


def test_a73_what_was_approved_and_refused_stays_so(desk: Desk) -> None:
    world = desk.world
    keep = size_of(desk)
    quote = desk.approved()
    approvals = [desk.move(who, "execute", approves=quote) for who in ("rita", "rob")]
    taken = desk.move("tara", "execute")
    cancelled = desk.move("pia", "cancel")
    desk.rejected("StepRole", cancelled)
    branch = world.rolled("max", desk.talk, keep)
    # Approvals and steps that fell are not there; nor do they count for the same words said again.
    for waiting in (*approvals, taken):
        desk.rejected("BranchSuperseded", waiting)
    again = desk.quoted(900, branch=branch)
    desk.rejected("ApprovalsMissing", desk.move("tara", "execute", branch=branch))
    desk.rejected("ApprovalInvalid", desk.move("rita", "execute", approves=quote, branch=branch))
    # What was rejected stays rejected: its number is spent, and the entry is known.
    assert world.ask(cancelled)["verdict"] == "duplicate"
    used = parse(taken).claims.seq
    desk.rejected("SeqUsed", desk.move("tara", "execute", branch=branch, c9=list(used)))
    assert again != quote
    desk.goes_through(branch=branch)


def test_a73_no_time_is_won(desk: Desk) -> None:
    """A deadline counts from the start, and the start stands."""
    world = desk.world
    keep = size_of(desk)
    desk.approved()
    world.now = TIME + 60_001
    desk.rejected("DeadlinePassed", desk.move("tara", "execute"))
    branch = world.rolled("rita", desk.talk, keep)
    quote = desk.quoted(900, branch=branch)
    desk.rejected("DeadlinePassed", desk.move("rita", "execute", approves=quote, branch=branch))
    desk.rejected("DeadlinePassed", desk.move("tara", "execute", branch=branch))
    desk.take("tara", "cancel", branch=branch)


def test_a73_whoever_was_sent_away_does_not_come_back(desk: Desk) -> None:
    """The registry is not rolled back: keys, groups, halts and definitions are those of the stamp."""
    world = desk.world
    keep = size_of(desk)
    desk.quoted(900)
    world.take(world.entry(REVOKE, "root-1", [world.ids["pia"], None, "left"]))
    branch = world.rolled("rita", desk.talk, keep)
    desk.rejected("PrincipalRevoked", desk.move("pia", "quote", outputs={"total": 1}, branch=branch))
    desk.take("max", "quote", outputs={"total": 900}, branch=branch)
    desk.executed(branch=branch)
    desk.goes_through(branch=branch)


def test_a_child_whose_beginning_was_undone(desk: Desk) -> None:
    """Nor its children, nor under the same key again."""
    world = desk.world
    keep = size_of(desk)
    desk.quoted(900)
    kid = world.spawned("tara", desk.talk, "kid")
    world.spawned("kid", desk.talk, "heir", branch=kid, grant=world.grant("heir", depth=7))
    branch = world.rolled("rita", desk.talk, keep)
    for who in ("kid", "heir"):
        desk.rejected("GrantUndone", world.say(who, desk.talk, branch=world.ids[who]))
        desk.rejected("GrantUndone", world.say(who, desk.talk, branch=branch))
    desk.rejected("ForkKey", world.fork("tara", desk.talk, branch=branch, c15=world.grant("kid")))
    desk.goes_through(branch=branch)


# -- around a halt -----------------------------------------------------------------------------------------------------


def test_a40_around_a_halt(desk: Desk) -> None:
    """Of the realm, the conversation, the agent, the definition, the branch, the instance: no rollback takes out what is held."""
    world = desk.world
    keep = size_of(desk)
    desk.quoted(900)
    fork = world.take(world.fork("tara", desk.talk)).entry.message_id
    world.take(world.say("tara", desk.talk, branch=fork))
    scopes: list[tuple[Any, str]] = [
        ((0,), "Halted"), ((1, desk.talk), "Halted"), ((4, world.ids["rita"]), "Halted"), ((5, "trading"), "Halted"),
        ((2, desk.talk, desk.talk), "Halted"), ((2, desk.talk, fork), "HaltedByEffect"),
        ((3, desk.talk, desk.start), "HaltedByEffect"),
    ]  # fmt: skip
    for scope, code in scopes:
        halted = world.take(world.halt("op", scope)).entry.message_id
        desk.rejected(code, back(desk, "rita", keep))
        if code == "HaltedByEffect":
            desk.rejected(code, back(desk, "rob", keep, branch=desk.talk))
        world.take(world.resume("op", [halted]))
    branch = world.rolled("rita", desk.talk, keep)
    # A branch that fell stays held if it is held, and what goes on instead of a held one is held.
    world.take(world.halt("op", (2, desk.talk, desk.talk)))
    desk.rejected("Halted", world.say("tara", desk.talk, branch=branch))
    assert world.talk(desk.talk).branches[fork].undone


def test_a_halted_instance_keeps_its_approvals(desk: Desk) -> None:
    """Behind the quote there is nothing but the words of risk: a rollback that takes no step would take those (rollback.3.31)."""
    world = desk.world
    quote = desk.quoted(900)
    keep = size_of(desk)
    for who in ("rita", "rob"):
        desk.take(who, "execute", approves=quote)
    halted = world.take(world.halt("op", (3, desk.talk, desk.start))).entry.message_id
    desk.rejected("HaltedByEffect", back(desk, "rita", keep))
    world.take(world.resume("op", [halted]))
    branch = world.rolled("rita", desk.talk, keep)
    assert not world.talk(desk.talk).instances[desk.start].approvals
    desk.goes_through(branch=branch)


# -- to be rid of evidence ---------------------------------------------------------------------------------------------


def test_a73_what_was_undone_can_be_proved(desk: Desk) -> None:
    """Proofs and receipts from before are good, the entry is where it was, and what is exported tells of it in both implementations."""
    world = desk.world
    keep = size_of(desk)
    message = desk.quoted(900)
    engine = _conform_rust._Stream.engine
    assert engine is not None
    chat, position = Id(desk.talk), engine.position_of(Id(message))
    assert position is not None
    (entry,) = engine.entries(position, 1)
    leaves = world.talk(desk.talk).branches[desk.talk].leaves
    tree = Accumulator(engine.realm, chat)
    tree.extend([Id(leaf) for leaf in leaves])
    proof, head, old = prove_inclusion(tree, keep), engine.head(), tree.fingerprint()
    receipt = engine.receipt(position, proof=True, head=head)

    branch = world.rolled("rita", desk.talk, keep)
    desk.goes_through(branch=branch)
    assert engine.is_undone(chat, chat, keep)
    assert engine.fingerprint(chat, chat, keep + 1) == old.hash
    assert check_inclusion(old, entry.envelope, proof).index == keep
    key = SigningKey.from_seed(seed_of("sequencer")).public
    assert check_receipt(receipt, entry.envelope, key, engine.origin, head=head)["record"]["position"] == position
    later = engine.receipt(position, proof=True, head=engine.head())
    assert (
        check_receipt(later, entry.envelope, key, engine.origin, head=engine.head())["record"]["position"] == position
    )
    assert engine.entries(position, 1)[0].to_bytes() == entry.to_bytes()
    for conversation in (None, chat):
        data = engine.export(conversation)
        assert entry.envelope in data
        told = replay_realm(data, realm=engine.realm, conversation=conversation, head=head)
        assert told.state_digest(chat) == engine.state_digest(chat)


def test_two_histories_under_one_number_are_evidence_on_a_dead_branch(desk: Desk) -> None:
    """Whoever signs two entries under one number does not get rid of it by a rollback of the first."""
    world = desk.world
    keep = size_of(desk)
    first = world.say("pia", desk.talk)
    world.take(first)
    branch = world.rolled("rita", desk.talk, keep)
    used = list(parse(first).claims.seq)
    desk.rejected("SeqUsed", world.say("pia", desk.talk, branch=branch, c9=used))
    desk.goes_through(branch=branch)


# -- through the SDK ---------------------------------------------------------------------------------------------------


@on_loop
async def test_nobody_acts_on_what_was_taken_back() -> None:
    """Who holds a message, a permit, an approval or a branch of what fell is told so, by name."""
    async with Realm.dev() as realm:
        people = await People(realm).open()
        order = await people.order()
        (asked,) = await take(people.desk, 1)
        await asked.reply({"price": "1", "currency": "EUR"}, step="quote", outputs={"total": 1}, to=["trader", "risk"])
        (quote,) = await take(people.ben, 1)
        (held,) = await take(people.cy, 1, acknowledge=False)
        permit = people.cy.permit(held)
        rolled = await people.at(people.ben, order).rollback(asked, on_stale="rebase")
        with pytest.raises(Ama2Error) as caught:
            permit.check()
        assert caught.value.code == "MessageUndone"
        with pytest.raises(Ama2Error) as caught:
            people.cy.permit(held)
        assert caught.value.code == "MessageUndone"
        assert held.undone
        assert quote.undone
        assert await code_of(quote.approve()) == "BranchSuperseded"
        assert rolled.undone.count == 1


@on_loop
async def test_what_is_undone_while_a_stop_holds_it_up_is_not_handed_over() -> None:
    """The reader waits at the gate with a message that stood when it was taken (agent.3.8)."""
    async with Realm.dev() as realm:
        people = await People(realm).open()
        order = await people.order()
        (asked,) = await take(people.desk, 1)
        halted = await realm.dev_operator().stop(f"agent:{people.cy.id}")
        assert halted.halt is not None
        for said in ("1", "2"):
            await people.at(people.desk, order).send(said, to="risk", on_stale="rebase")
        inbox = people.cy.inbox()
        reading = asyncio.ensure_future(anext(inbox))
        await asyncio.sleep(0.05)
        rolled = await people.at(people.ben, order).rollback(asked, on_stale="rebase")
        after = await rolled.conversation.send("3", to="cy", on_stale="rebase")
        assert not reading.done()
        await realm.dev_operator().resume([halted.halt])
        assert (await reading).id == after.id
        assert people.cy.mailbox.waiting()[0] == [after.position]


@on_loop
async def test_a_permit_ends_with_the_commit_of_a_rollback_elsewhere(tmp_path: Path) -> None:
    """Another program has the realm open, and has not heard of it yet: what it holds permits nothing (rollback.5.2)."""
    path = tmp_path / "orders.db"
    async with Realm.dev(path) as here:
        ann = await here.agent("ann")
        await (await here.agent("ben")).close()
        first = await ann.send("open", to="ben")
        async with Realm.open(path) as there:
            ben = await there.agent("ben")
            await first.conversation.send("act", to="ben")
            (_, held) = await take(ben, 2, acknowledge=False)
            permit = ben.permit(held)
            permit.check()
            there.engine.end_watch()
            await first.conversation.rollback(first)
            with pytest.raises(Ama2Error) as caught:
                permit.check()
            assert caught.value.code == "MessageUndone"
