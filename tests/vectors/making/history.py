"""fingerprint.6, steps 3 to 12: the history of a transcript, and what the keeper of the file may do to it."""

from __future__ import annotations

from collections.abc import Callable

from .cbor import Value, encode
from .claims import TIME, ZERO, id_of, message, put
from .people import ALICE, BOB, CAROL, MALLORY, OPERATOR, STRANGER
from .talk import HEADER, Entry, Talk, file, lively
from .teller import Teller
from .tree import fingerprint

JUMP = 1 << 16


def add_to(tell: Teller) -> None:
    """All vectors of the history."""
    _members(tell)
    _numbers(tell)
    _contexts(tell)
    _heads(tell)
    _edits(tell)
    _order(tell)


def _members(tell: Teller) -> None:
    tell.fault("step3.message-first", "6.3", file([lively().items[1]]), "OpenMissing", 0)
    tell.fault("step3.message-first-of-two", "6.3", file(lively().items[1:3]), "OpenMissing", 0)
    talk = lively()
    tell.then("step3.open-again", "6.3", talk, talk.entries[0], "OpenAgain")
    tell.then("step3.another-open", "6.3", talk, Talk().open(members=None).entries[0], "OpenAgain")
    tell.then("step3.open-of-a-stranger", "6.3", talk, Talk().open(MALLORY, None).entries[0], "OpenAgain")
    other = Talk().open(BOB)
    tell.then("step4.other-conversation", "6.4", talk, other.say(BOB), "ConversationOther")
    tell.then("step4.invented-conversation", "6.4", talk, Entry(BOB, message(author=BOB)), "ConversationOther")
    tell.then("step5.no-member", "6.5", talk, talk.draft(MALLORY), "NotAMember")
    tell.fault("step5.opener-no-member", "6.5", file(Talk().open(MALLORY).items), "NotAMember", 0)
    for name, members, code in (
        ("by-id", [BOB.kid], None), ("by-name", ["bob"], None), ("by-another-name", ["bobby"], "NotAMember"), ("by-prefix", ["bo"], "NotAMember"),
        ("by-zeros", [ZERO], "NotAMember"), ("by-a-name-that-the-directory-gives-to-another", ["mallory"], "NotAMember"),
        ("by-hex-of-the-id-as-name", [BOB.kid.hex()], "NotAMember"),
    ):  # fmt: skip
        listed: list[Value] = sorted([ALICE.kid, *(m for m in members if isinstance(m, bytes))])
        made = Talk().open(members=listed + [m for m in members if isinstance(m, str)])
        if code is None:
            made.say(BOB, "here")
            tell.good(f"step5.{name}", "6.5", made)
        else:
            tell.then(f"step5.{name}", "6.5", made, made.draft(BOB), code)


def _numbers(tell: Teller) -> None:
    epoch = TIME + BOB.number

    def after(last: tuple[int, int] | None) -> Talk:
        talk = Talk().open()
        if last is not None:
            talk.say(BOB, seq=last)
        return talk

    for name, last, seq, clause, code in (
        ("first-zero", None, (0, 0), "6.6", None), ("first-at-the-jump", None, (epoch, JUMP), "6.7", None),
        ("first-above-the-jump", None, (epoch, JUMP + 1), "6.7", "SeqWindow"), ("first-last", None, (epoch, 2**32 - 1), "6.7", "SeqWindow"),
        ("first-epoch-far-ahead", None, (2**48 - 1, 0), "6.7", None),
        ("next", (epoch, 7), (epoch, 8), "6.6", None), ("same", (epoch, 7), (epoch, 7), "6.6", "SeqUsed"),
        ("below", (epoch, 7), (epoch, 6), "6.6", "SeqUsed"), ("zero-after-zero", (0, 0), (0, 0), "6.6", "SeqUsed"),
        ("at-the-jump", (epoch, 7), (epoch, 7 + JUMP), "6.7", None),
        ("above-the-jump", (epoch, 7), (epoch, 8 + JUMP), "6.7", "SeqWindow"),
        ("older-epoch", (epoch, 7), (epoch - 1, 9), "6.6", "SeqUsed"), ("older-epoch-high-counter", (epoch, 7), (epoch - 1, JUMP), "6.6", "SeqUsed"),
        ("older-epoch-above-the-jump", (epoch, 7), (epoch - 1, JUMP + 9), "6.6", "SeqUsed"),
        ("newer-epoch", (epoch, 7), (epoch + 1, 0), "6.6", None), ("newer-epoch-at-the-jump", (epoch, 7), (epoch + 1, JUMP), "6.7", None),
        ("newer-epoch-above-the-jump", (epoch, JUMP), (epoch + 1, JUMP + 1), "6.7", "SeqWindow"),
    ):  # fmt: skip
        talk = after(last)
        if code is None:
            talk.say(BOB, seq=seq)
            tell.good(f"seq.{name}", clause, talk)
        else:
            tell.then(f"seq.{name}", clause, talk, talk.draft(BOB, seq=seq), code)
    talk = Talk().open()
    for author in (ALICE, BOB, CAROL):
        talk.say(author, seq=(epoch, 1))
    tell.good("seq.each-author-has-its-own", "6.6", talk)
    full = Talk().open()
    counter = 0
    while counter < 4 * JUMP:
        counter += JUMP
        full.say(BOB, seq=(epoch, counter))
    tell.good("seq.four-jumps", "6.7", full)
    talk = lively()
    tell.then("seq.the-same-bytes", "6.6", talk, talk.entries[6], "SeqUsed")
    tell.then("seq.equivocation", "6.6", talk, Entry(BOB, {**talk.entries[6].claims, 10: 1, 12: None}), "SeqUsed")


def _contexts(tell: Teller) -> None:
    talk = lively()
    ids = talk.ids
    size = len(ids)

    def context(n: int, print_: bytes, parent: bytes, **more: Value) -> dict[object, Value]:
        return {5: [n, print_, 0, ZERO], 6: [more.get("branch", ids[0]), parent, more.get("merges", [])]}

    def step(id: str, clause: str, code: str, changes: dict[object, Value]) -> None:
        tell.then(id, clause, talk, talk.draft(BOB, changes=changes), code)

    own = fingerprint(ids[0], ids)
    step("step8.branch-other", "6.8", "BranchUnknown", context(size, own, ids[-1], branch=id_of(1)))
    step("step8.branch-of-a-later-id", "6.8", "BranchUnknown", context(size, own, ids[-1], branch=ids[1]))
    for ahead in (1, 2, 1000, 2**48 - 1 - size):
        step(f"step9.ahead.{ahead}", "6.9", "ContextAhead", context(size + ahead, own, ids[-1]))
    step(
        "step9.the-entry-itself",
        "6.9",
        "ContextAhead",
        context(size + 1, fingerprint(ids[0], [*ids, id_of(1)]), id_of(1)),
    )
    step("step10.parent-before", "6.10", "ContextForked", context(size, own, ids[-2]))
    step("step10.parent-invented", "6.10", "ContextForked", context(size, own, id_of(1)))
    step("step10.parent-is-the-first", "6.10", "ContextForked", context(size, own, ids[0]))
    step("step10.fingerprint-of-less", "6.10", "ContextForked", context(size, fingerprint(ids[0], ids[:-1]), ids[-1]))
    step("step10.size-of-less", "6.10", "ContextForked", context(size - 1, own, ids[-2]))
    phantom = [*ids[:-1], id_of(1)]
    step("step10.phantom", "6.10", "ContextForked", context(size, fingerprint(ids[0], phantom), ids[-1]))
    step(
        "step10.phantom-with-its-parent", "6.10", "ContextForked", context(size, fingerprint(ids[0], phantom), id_of(1))
    )
    omitted = ids[:2] + ids[3:]
    step("step10.omits-one", "6.10", "ContextForked", context(size - 1, fingerprint(ids[0], omitted), ids[-1]))
    swapped = ids[:4] + [ids[5], ids[4], ids[6]]
    step("step10.swapped", "6.10", "ContextForked", context(size, fingerprint(ids[0], swapped), ids[-1]))
    for keep in (1, 8, 16, 31):
        close = own[:keep] + bytes([own[keep] ^ 1]) + own[keep + 1 :]
        step(f"step10.prefix-of-{keep}", "6.10", "ContextForked", context(size, close, ids[-1]))
    step(
        "step10.other-branch",
        "6.10",
        "ContextForked",
        context(size, fingerprint(ids[0], ids, branch=id_of(1)), ids[-1]),
    )
    step(
        "step10.other-conversation",
        "6.10",
        "ContextForked",
        context(size, fingerprint(id_of(1), ids, branch=ids[0]), ids[-1]),
    )
    step(
        "step10.other-realm", "6.10", "ContextForked", context(size, fingerprint(ids[0], ids, realm=id_of(1)), ids[-1])
    )
    merge = [id_of(9), 1, id_of(9)]
    step("step11.merge", "6.11", "MergeNotBuilt", context(size, own, ids[-1], merges=[merge]))
    for n in range(1, size + 1):
        made = lively()
        made.say(BOB, f"having seen {n}", n=n)
        tell.good(f"step9.lag.{size - n}", "6.9", made)


def _heads(tell: Teller) -> None:
    talk = lively()
    whole = file(talk.items)
    for size in range(1, 8):
        tell.good(f"head.at.{size}", "6.12", talk, kept=talk.head(size))
    for size in (1, 4, 7):
        number, print_ = talk.head(size).split(":")
        forked = f"{number}:{print_[:-1]}{'0' if print_[-1] != '0' else '1'}"
        tell.fault(f"head.forked.{size}", "6.12", whole, "HeadForked", size - 1, kept=forked)
    tell.fault("head.of-another-size", "6.12", whole, "HeadForked", 4, kept="5:" + talk.head(6).split(":")[1])
    tell.fault("head.of-another-conversation", "6.12", whole, "HeadForked", 1, kept=_second().head(2))
    for size in (1, 3, 6):
        tell.fault(f"head.stale.{size}", "6.12", file(talk.items[:size]), "HeadStale", size, kept=talk.head())
    tell.fault("head.far-ahead", "6.12", whole, "HeadStale", 7, kept=f"{2**48 - 1}:{talk.head().split(':')[1]}")
    tell.fault("head.and-no-entry", "6.12", HEADER, "OpenMissing", 0, kept=talk.head())
    tell.fault(
        "head.forked-before-a-later-fault",
        "6.12",
        file([*talk.items, talk.items[6]]),
        "HeadForked",
        6,
        kept="7:" + "0" * 64,
    )
    tell.fault(
        "head.forked-after-an-earlier-fault",
        "6.12",
        file([*talk.items[:3], *talk.items[4:]]),
        "ContextAhead",
        3,
        kept="7:" + "0" * 64,
    )
    tell.fault(
        "head.not-reached-because-of-a-fault",
        "6.12",
        file([*talk.items, talk.items[6]]),
        "SeqUsed",
        7,
        kept=f"9:{'0' * 64}",
    )

    digits = "0123456789abcdef" * 4
    for name, text in {
        "empty": "", "no-colon": digits, "no-size": f":{digits}", "zero": f"0:{digits}", "leading-zero": f"01:{digits}",
        "plus": f"+1:{digits}", "minus": f"-1:{digits}", "space": f" 1:{digits}", "space-behind": f"1:{digits} ", "newline": f"1:{digits}\n",
        "hex-size": f"0x1:{digits}", "underscore": f"1_0:{digits}", "too-large": f"{2**48}:{digits}", "beyond-u64": f"{2**64 + 1}:{digits}",
        "thousand-digits": f"{'9' * 1000}:{digits}", "short": f"1:{digits[:-1]}", "31-bytes": f"1:{digits[:-2]}", "33-bytes": f"1:{digits}00",
        "upper": f"1:{digits.upper()}", "arabic-digit": f"\u0661:{digits}", "full-width": f"1:{digits[:-1]}\uff10", "two-colons": f"1:2:{digits}",
    }.items():  # fmt: skip
        tell(f"head.form.{name}", "3.4", whole, "HeadForm", kept=text)


def _second() -> Talk:
    talk = Talk().open(BOB)
    talk.say(BOB, "elsewhere")
    return talk


def _edits(tell: Teller) -> None:
    """A61: what the keeper of a file may do to it."""
    talk = lively()
    items = talk.items

    def edit(id: str, change: Callable[[list[bytes]], object], code: str, at: int) -> None:
        edited = list(items)
        change(edited)
        tell.fault(f"edit.{id}", "6", file(edited), code, at)

    edit("drop.0", lambda them: them.pop(0), "OpenMissing", 0)
    edit("drop.1", lambda them: them.pop(1), "ContextAhead", 1)
    edit("drop.2", lambda them: them.pop(2), "ContextAhead", 3)
    edit("drop.3", lambda them: them.pop(3), "ContextAhead", 3)
    edit("drop.4", lambda them: them.pop(4), "ContextAhead", 5)
    edit("drop.5", lambda them: them.pop(5), "ContextAhead", 5)
    edit("swap.0-1", lambda them: them.insert(0, them.pop(1)), "OpenMissing", 0)
    edit("swap.1-2", lambda them: them.insert(1, them.pop(2)), "ContextAhead", 1)
    edit("swap.4-5", lambda them: them.insert(4, them.pop(5)), "ContextForked", 6)
    edit("twice.3", lambda them: them.insert(4, them[3]), "SeqUsed", 4)
    edit("moved-to-the-end.1", lambda them: them.append(them.pop(1)), "ContextAhead", 1)
    edit("of-another.2", lambda them: them.__setitem__(2, _second().items[1]), "ConversationOther", 2)
    edit("inserted-forged", lambda them: them.insert(3, talk.draft(STRANGER, n=2).item), "KeyUnknown", 3)
    late = Talk(talk.entries[:3]).draft(MALLORY)
    edit("inserted-by-a-non-member", lambda them: them.insert(3, late.item), "NotAMember", 3)
    inserted = Talk(talk.entries[:3], {"carol": 50}).draft(CAROL, seq=(TIME + CAROL.number, 101))
    edit("inserted-by-a-member", lambda them: them.insert(3, inserted.item), "ContextForked", 5)
    resigned = Entry(BOB, {**talk.entries[1].claims, 12: None})
    edit("rewritten-by-its-author", lambda them: them.__setitem__(1, resigned.item), "ContextForked", 2)
    cut = Talk(talk.entries[:5])
    tell.good("edit.tail-cut-without-a-head", "8", cut)
    tell.fault("edit.tail-cut-with-a-head", "6.12", file(cut.items), "HeadStale", 5, kept=talk.head())


def _order(tell: Teller) -> None:
    """The steps against their successors."""
    talk = lively()
    other = id_of(1)

    def first(id: str, clause: str, code: str, author: object = BOB, **changed: Value) -> None:
        names = {"realm": 1, "conversation": 2, "kind": 3, "context": 5, "path": 6, "seq": 9}
        changes: dict[object, Value] = {names[name]: value for name, value in changed.items()}
        assert author in (BOB, MALLORY, STRANGER, OPERATOR)
        tell.then(f"first.{id}", clause, talk, talk.draft(author, changes=changes), code)  # type: ignore[arg-type]

    used, wide = [TIME + BOB.number, 1], [TIME + BOB.number, JUMP * 4]
    ahead: Value = [99, other, 0, ZERO]
    merged: Value = [other, other, [[id_of(9), 1, id_of(9)]]]
    last = talk.ids[-1]
    first("key-before-conversation", "6.2", "KeyUnknown", STRANGER, conversation=other)
    first("purpose-before-conversation", "6.2", "PurposeWrong", OPERATOR, conversation=other)
    first("conversation-before-member", "6.4", "ConversationOther", MALLORY, conversation=other, seq=used, path=merged)
    first("member-before-seq", "6.5", "NotAMember", MALLORY, seq=[TIME, JUMP + 1], path=merged, context=ahead)
    first("seq-used-before-branch", "6.6", "SeqUsed", seq=used, path=merged, context=ahead)
    first("seq-window-before-branch", "6.7", "SeqWindow", seq=wide, path=merged, context=ahead)
    first("branch-before-context", "6.8", "BranchUnknown", path=merged, context=ahead)
    first("ahead-before-parent", "6.9", "ContextAhead", path=[talk.ids[0], other, merged[2]], context=ahead)  # type: ignore[index]
    first("forked-before-merge", "6.10", "ContextForked", path=[talk.ids[0], other, merged[2]])  # type: ignore[index]
    first(
        "fingerprint-before-merge",
        "6.10",
        "ContextForked",
        path=[talk.ids[0], last, merged[2]],
        context=[7, other, 0, ZERO],
    )  # type: ignore[index]
    two = file([*talk.items[:3], talk.draft(STRANGER).item, b"\xff"])
    tell.fault("first.earlier-entry-before-later-codec", "6", two, "KeyUnknown", 3)
    form = file([*talk.items[:3], encode([1]), talk.draft(STRANGER).item])
    tell.fault("first.form-before-a-later-key", "6", form, "ItemForm", 3)
    claims = put(talk.draft(STRANGER).claims, (10,), 2**48)
    assert isinstance(claims, dict)
    tell.then("first.claims-before-key", "6.1", talk, Entry(STRANGER, claims), "ClaimRange")
