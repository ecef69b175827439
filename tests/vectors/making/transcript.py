"""fingerprint.5 and fingerprint.6: conversations as files."""

from __future__ import annotations

from collections.abc import Callable

from .cbor import Raw, Value, encode, head
from .claims import TIME, ZERO, id_of, message, put
from .envelope import cose, header
from .people import ALICE, BOB, CAROL, MALLORY, OPERATOR, STRANGER, directory
from .talk import HEADER, MEMBERS, Entry, Talk, entry, file, lively
from .tree import fingerprint
from .vector import Book, times

MAX_ITEM = 328_064
JUMP = 1 << 16


class Teller:
    """Adds `transcript` questions to a book."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def __call__(self, id: str, clause: str, data: object, code: str, kept: str | None = None, **answer: object) -> None:
        question: dict[str, object] = {"op": "transcript", "bytes": data.hex() if isinstance(data, bytes) else data}
        question["directory"] = directory()
        if kept is not None:
            question["head"] = kept
        self.book.add(id, f"fingerprint.{clause}", question, code, **answer)

    def fault(self, id: str, clause: str, data: object, code: str, at: int, kept: str | None = None) -> None:
        """A fault at a position: everything before it is sound."""
        self(id, clause, data, code, kept, position=at, sound=at)

    def good(self, id: str, clause: str, talk: Talk, kept: str | None = None) -> None:
        """A sound conversation."""
        self(id, clause, file(talk.items), "ok", kept, head=talk.head(), entries=len(talk.entries))

    def then(self, id: str, clause: str, talk: Talk, next: Entry | bytes, code: str) -> None:
        """A sound conversation and one entry that is not: the fault stands at its place, whatever comes behind."""
        item = next if isinstance(next, bytes) else next.item
        self.fault(id, clause, file([*talk.items, item]), code, len(talk.entries))


def build() -> Book:
    """All vectors of transcripts."""
    book = Book("transcript", "conversations as files (fingerprint.5, fingerprint.6)")
    tell = Teller(book)
    _sound(tell)
    _header(tell)
    _items(tell)
    _cuts(tell)
    _envelopes(tell)
    _members(tell)
    _numbers(tell)
    _contexts(tell)
    _heads(tell)
    _edits(tell)
    _order(tell)
    return book


def _sound(tell: Teller) -> None:
    tell.good("sound.lively", "6", lively())
    tell.good("sound.open-alone", "6", Talk().open())
    tell.good("sound.everyone", "6.5", Talk().open(members=None))
    alone = Talk().open(members=None)
    for number in range(20):
        alone.say(ALICE, n=1 + number // 2)
    tell.good("sound.lag", "6", alone)


def _header(tell: Teller) -> None:
    talk = Talk().open()
    rest = b"".join(talk.items)

    def wrong(id: str, first: Value, code: str = "TranscriptForm") -> None:
        tell.fault(f"header.{id}", "5.1", encode(first) + rest, code, 0)

    tell.fault("header.nothing", "5.1", b"", "Truncated", 0)
    for length in (1, 5, 21):
        tell.fault(f"header.cut.{length}", "5.1", HEADER[:length], "Truncated", 0)
    for number in (0, 2, 23, 24, 255, 2**32, 2**63 - 1):
        wrong(f"version.{number}", [0, "ama2sec-transcript", number], "TranscriptVersion")
    for name, value in {"negative": -1, "text": "1", "bytes": b"\x01", "null": None, "array": [1], "true": True}.items():
        wrong(f"version-type.{name}", [0, "ama2sec-transcript", value])
    wrong("type", [1, "ama2sec-transcript", 1])
    wrong("name", [0, "ama2sec-transcripT", 1])
    wrong("name-as-bytes", [0, b"ama2sec-transcript", 1])
    wrong("two", [0, "ama2sec-transcript"])
    wrong("four", [0, "ama2sec-transcript", 1, None])
    wrong("none", [])
    wrong("map", {0: "ama2sec-transcript"})
    wrong("uint", 0)
    tell.fault("header.missing", "5.1", rest, "TranscriptForm", 0)
    tell.fault("header.wide", "5.5", b"\x83\x18\x00" + HEADER[2:] + rest, "NotMinimal", 0)
    tell.fault("header.indefinite", "5.5", b"\x9f" + HEADER[1:] + b"\xff" + rest, "IndefiniteLength", 0)
    tell.fault("header.tagged", "5.5", b"\xd9\xd9\xf7" + HEADER + rest, "TypeForbidden", 0)
    tell.fault("header.alone", "6.3", HEADER, "OpenMissing", 0)


def _items(tell: Teller) -> None:
    talk = Talk().open()
    envelope = talk.say(BOB).envelope

    def item(id: str, clause: str, value: Value, code: str) -> None:
        tell.then(f"item.{id}", clause, talk, encode(value), code)
        tell.fault(f"item.{id}.first", clause, HEADER + encode(value), code, 0)

    for number, name in ((2, "record"), (3, "head"), (4, "proof")):
        item(name, "5.2", [number, envelope, None], "ItemNotBuilt")
        item(f"{name}-alone", "5.2", [number], "ItemNotBuilt")
    for number in (0, 5, 23, 24, 255, 2**63 - 1):
        item(f"type.{number}", "5.2", [number, envelope, None], "ItemUnknown")
    item("second-header", "5.2", Raw(HEADER), "ItemUnknown")
    for name, value in {
        "uint": 1, "negative": -1, "bytes": envelope, "text": "x", "map": {1: envelope}, "null": None, "true": True, "empty": [],
        "type-negative": [-1, envelope, None], "type-text": ["1", envelope, None], "type-null": [None, envelope, None],
        "type-array": [[1], envelope, None],
    }.items():  # fmt: skip
        item(f"no-type.{name}", "5.2", value, "ItemUnknown")
    salt, body = bytes(32), b"x"
    for name, value in {
        "one": [1], "two": [1, envelope], "four": [1, envelope, None, None], "envelope-text": [1, "x", None], "envelope-null": [1, None, None],
        "envelope-array": [1, [envelope], None], "part-true": [1, envelope, True], "part-uint": [1, envelope, 0],
        "part-bytes": [1, envelope, body], "part-map": [1, envelope, {0: salt}], "part-empty": [1, envelope, []],
        "part-one": [1, envelope, [salt]], "part-three": [1, envelope, [salt, body, None]], "salt-31": [1, envelope, [salt[:31], body]],
        "salt-33": [1, envelope, [salt + b"\0", body]], "salt-text": [1, envelope, ["x" * 32, body]],
        "body-text": [1, envelope, [salt, "x"]], "body-null": [1, envelope, [salt, None]],
    }.items():  # fmt: skip
        item(f"form.{name}", "5.3", value, "ItemForm")
    item("envelope-empty", "5.3", [1, b"", None], "Truncated")
    item("envelope-not-looked-into-before-the-form", "5.3", [1, b"\xff", True], "ItemForm")
    for name, data, code in (
        ("indefinite", b"\x9f\x01\xff", "IndefiniteLength"), ("float", b"\x83\x01\xf9\0\0\xf6", "FloatForbidden"),
        ("tag", b"\xd2" + encode([1, envelope, None]), "TypeForbidden"), ("bare-envelope", envelope, "TypeForbidden"),
        ("undefined", b"\xf7", "TypeForbidden"), ("wide-type", b"\x83\x18\x01" + encode(envelope) + b"\xf6", "NotMinimal"),
        ("wide-length", b"\x83\x01" + head(2, 5, 1) + b"x" * 5 + b"\xf6", "NotMinimal"), ("break", b"\xff", "IndefiniteLength"),
        ("utf8", b"\x82\x05\x61\xff", "Utf8Invalid"), ("range", b"\x81" + head(0, 2**63), "IntRange"),
        ("order", b"\xa2\x02\0\x01\0", "MapKeyOrder"), ("duplicate", b"\xa2\x01\0\x01\0", "MapDuplicateKey"),
        ("depth", b"\x81" * 9 + b"\0", "DepthLimit"),
    ):  # fmt: skip
        tell.then(f"item.codec.{name}", "5.5", talk, data, code)
        tell.fault(f"item.codec.{name}.more-behind", "5.5", file([*talk.items, data, talk.items[1]]), code, 2)


def _cuts(tell: Teller) -> None:
    talk = lively()
    whole = file(talk.items)
    last = len(talk.items[-1])
    for missing in (1, 2, 40, 64, last - 1):
        tell.fault(f"cut.{missing}", "5.6", whole[:-missing], "Truncated", 6)
    tell.fault("cut.in-the-middle-of-a-length", "5.6", whole + b"\x83\x01\x59\x01", "Truncated", 7)
    small = Talk().open()
    data = file(small.items)
    for length in (2**31, 2**32, 2**62, 2**63, 2**64 - 1):
        huge = b"\x83\x01" + head(2, length)
        tell.fault(f"size.declared.{length}", "5.6", data + huge, "Truncated", 1)
        question = times((data + huge, 1), (b"\0", MAX_ITEM))
        tell.fault(f"size.declared.{length}.more-behind", "5.6", question, "SizeLimit", 1)
    # An item of exactly the largest size is read, and its envelope is at fault.
    frame = b"\x83\x01\x41\xd2\x82" + encode(bytes(32))
    body = MAX_ITEM - len(frame) - 5
    for size, code in ((MAX_ITEM, "Truncated"), (MAX_ITEM + 1, "SizeLimit")):
        length = body + size - MAX_ITEM
        item = times((data + frame + head(2, length), 1), (b"\0", length))
        tell.fault(f"size.item.{size}", "5.6", item, code, 1)
    tell.fault(
        "size.a-fault-before-the-bound", "5.6", times((data + b"\x83\xf7" + head(2, 2**62), 1), (b"\0", MAX_ITEM)), "TypeForbidden", 1
    )
    for piece in (b"\x81", b"\xa1\x00"):
        tell.fault(f"depth.100000.{piece.hex()}", "5.5", times((data, 1), (piece, 100_000)), "DepthLimit", 1)


def _envelopes(tell: Teller) -> None:
    """Steps 1 and 2: what is wrong with an envelope is wrong with it in a file."""
    talk = lively()
    draft = talk.draft(BOB)
    signed = draft.envelope
    tell.then("step1.claim-unknown", "6.1", talk, Entry(BOB, {**draft.claims, 99: 0}), "ClaimUnknown")
    tell.then("step1.trailing", "6.1", talk, entry(signed + b"\0"), "TrailingBytes")
    tell.then("step1.untagged", "6.1", talk, entry(signed[1:]), "EnvelopeForm")
    tell.then("step1.entry-in-an-entry", "6.1", talk, entry(draft.item), "EnvelopeForm")
    large = times((file(talk.items) + b"\x83\x01" + head(2, 65_793), 1), (b"\0", 65_793), (b"\xf6", 1))
    tell.fault("step1.size", "6.1", large, "SizeLimit", 7)
    tell.then("step2.stranger", "6.2", talk, talk.draft(STRANGER), "KeyUnknown")
    tell.then("step2.operator", "6.2", talk, talk.draft(OPERATOR), "PurposeWrong")
    broken = signed[:-1] + bytes([signed[-1] ^ 0x01])
    tell.then("step2.signature", "6.2", talk, entry(broken), "SignatureInvalid")
    by_mallory = cose(header(BOB.kid), encode(draft.claims), talk.draft(MALLORY).envelope[-64:])
    tell.then("step2.in-the-name-of-bob", "6.2", talk, entry(by_mallory), "SignatureInvalid")
    inside = {**draft.claims, 1: id_of(1), 5: [7, fingerprint(talk.ids[0], talk.ids), 1, id_of(2)]}
    tell.then("step2.realm", "6.2", talk, Entry(BOB, inside), "RealmOther")
    body = talk.entries[1]
    spoken = talk.items[:1] + [entry(body.envelope, body.salt, b"ONE")]
    tell.fault("step2.body-other", "6.2", file(spoken), "BodyMismatch", 1)
    tell.fault("step2.body-longer", "6.2", file([talk.items[0], entry(body.envelope, body.salt, b"one ")]), "BodySize", 1)
    tell.then("step2.body-unexpected", "6.2", talk, entry(signed, bytes(32), b""), "BodyUnexpected")
    withheld = Talk(talk.entries[:1] + [Entry(BOB, body.claims)] + talk.entries[2:])
    tell.good("step2.body-withheld", "5.3", withheld)


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
    step("step9.the-entry-itself", "6.9", "ContextAhead", context(size + 1, fingerprint(ids[0], [*ids, id_of(1)]), id_of(1)))
    step("step10.parent-before", "6.10", "ContextForked", context(size, own, ids[-2]))
    step("step10.parent-invented", "6.10", "ContextForked", context(size, own, id_of(1)))
    step("step10.parent-is-the-first", "6.10", "ContextForked", context(size, own, ids[0]))
    step("step10.fingerprint-of-less", "6.10", "ContextForked", context(size, fingerprint(ids[0], ids[:-1]), ids[-1]))
    step("step10.size-of-less", "6.10", "ContextForked", context(size - 1, own, ids[-2]))
    phantom = [*ids[:-1], id_of(1)]
    step("step10.phantom", "6.10", "ContextForked", context(size, fingerprint(ids[0], phantom), ids[-1]))
    step("step10.phantom-with-its-parent", "6.10", "ContextForked", context(size, fingerprint(ids[0], phantom), id_of(1)))
    omitted = ids[:2] + ids[3:]
    step("step10.omits-one", "6.10", "ContextForked", context(size - 1, fingerprint(ids[0], omitted), ids[-1]))
    swapped = ids[:4] + [ids[5], ids[4], ids[6]]
    step("step10.swapped", "6.10", "ContextForked", context(size, fingerprint(ids[0], swapped), ids[-1]))
    for keep in (1, 8, 16, 31):
        close = own[:keep] + bytes([own[keep] ^ 1]) + own[keep + 1 :]
        step(f"step10.prefix-of-{keep}", "6.10", "ContextForked", context(size, close, ids[-1]))
    step("step10.other-branch", "6.10", "ContextForked", context(size, fingerprint(ids[0], ids, branch=id_of(1)), ids[-1]))
    step("step10.other-conversation", "6.10", "ContextForked", context(size, fingerprint(id_of(1), ids, branch=ids[0]), ids[-1]))
    step("step10.other-realm", "6.10", "ContextForked", context(size, fingerprint(ids[0], ids, realm=id_of(1)), ids[-1]))
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
    tell.fault("head.forked-before-a-later-fault", "6.12", file([*talk.items, talk.items[6]]), "HeadForked", 6, kept="7:" + "0" * 64)
    tell.fault("head.forked-after-an-earlier-fault", "6.12", file([*talk.items[:3], *talk.items[4:]]), "ContextAhead", 3, kept="7:" + "0" * 64)
    tell.fault("head.not-reached-because-of-a-fault", "6.12", file([*talk.items, talk.items[6]]), "SeqUsed", 7, kept=f"9:{'0' * 64}")


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

    edit("drop.0", lambda all: all.pop(0), "OpenMissing", 0)
    edit("drop.1", lambda all: all.pop(1), "ContextAhead", 1)
    edit("drop.2", lambda all: all.pop(2), "ContextAhead", 3)
    edit("drop.3", lambda all: all.pop(3), "ContextAhead", 3)
    edit("drop.4", lambda all: all.pop(4), "ContextAhead", 5)
    edit("drop.5", lambda all: all.pop(5), "ContextAhead", 5)
    edit("swap.0-1", lambda all: all.insert(0, all.pop(1)), "OpenMissing", 0)
    edit("swap.1-2", lambda all: all.insert(1, all.pop(2)), "ContextAhead", 1)
    edit("swap.4-5", lambda all: all.insert(4, all.pop(5)), "ContextForked", 6)
    edit("twice.3", lambda all: all.insert(4, all[3]), "SeqUsed", 4)
    edit("moved-to-the-end.1", lambda all: all.append(all.pop(1)), "ContextAhead", 1)
    edit("of-another.2", lambda all: all.__setitem__(2, _second().items[1]), "ConversationOther", 2)
    edit("inserted-forged", lambda all: all.insert(3, talk.draft(STRANGER, n=2).item), "KeyUnknown", 3)
    late = Talk(talk.entries[:3]).draft(MALLORY)
    edit("inserted-by-a-non-member", lambda all: all.insert(3, late.item), "NotAMember", 3)
    inserted = Talk(talk.entries[:3], {"carol": 50}).draft(CAROL, seq=(TIME + CAROL.number, 101))
    edit("inserted-by-a-member", lambda all: all.insert(3, inserted.item), "ContextForked", 5)
    resigned = Entry(BOB, {**talk.entries[1].claims, 12: None})
    edit("rewritten-by-its-author", lambda all: all.__setitem__(1, resigned.item), "ContextForked", 2)
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
    first("fingerprint-before-merge", "6.10", "ContextForked", path=[talk.ids[0], last, merged[2]], context=[7, other, 0, ZERO])  # type: ignore[index]
    two = file([*talk.items[:3], talk.draft(STRANGER).item, b"\xff"])
    tell.fault("first.earlier-entry-before-later-codec", "6", two, "KeyUnknown", 3)
    form = file([*talk.items[:3], encode([1]), talk.draft(STRANGER).item])
    tell.fault("first.form-before-a-later-key", "6", form, "ItemForm", 3)
    claims = put(talk.draft(STRANGER).claims, (10,), 2**48)
    assert isinstance(claims, dict)
    tell.then("first.claims-before-key", "6.1", talk, Entry(STRANGER, claims), "ClaimRange")
