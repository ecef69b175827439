"""fingerprint.5 and fingerprint.6: conversations as files."""

from __future__ import annotations

from . import history
from .cbor import Raw, Value, encode, head
from .claims import id_of
from .envelope import cose, header
from .people import ALICE, BOB, MALLORY, OPERATOR, STRANGER
from .talk import HEADER, Entry, Talk, entry, file, lively
from .teller import Teller
from .tree import fingerprint
from .vector import Book, times

MAX_ITEM = 328_064


def build() -> Book:
    """All vectors of transcripts."""
    book = Book("transcript", "conversations as files (fingerprint.5, fingerprint.6)")
    tell = Teller(book)
    _sound(tell)
    _header(tell)
    _items(tell)
    _cuts(tell)
    _envelopes(tell)
    history.add_to(tell)
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
    for name, value in {
        "negative": -1,
        "text": "1",
        "bytes": b"\x01",
        "null": None,
        "array": [1],
        "true": True,
    }.items():
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
        "size.a-fault-before-the-bound",
        "5.6",
        times((data + b"\x83\xf7" + head(2, 2**62), 1), (b"\0", MAX_ITEM)),
        "TypeForbidden",
        1,
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
    tell.fault(
        "step2.body-longer", "6.2", file([talk.items[0], entry(body.envelope, body.salt, b"one ")]), "BodySize", 1
    )
    tell.then("step2.body-unexpected", "6.2", talk, entry(signed, bytes(32), b""), "BodyUnexpected")
    withheld = Talk(talk.entries[:1] + [Entry(BOB, body.claims)] + talk.entries[2:])
    tell.good("step2.body-withheld", "5.3", withheld)
