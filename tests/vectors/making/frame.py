"""envelope.4: the frame and the header, each rule broken by authentic bytes where that can be."""

from __future__ import annotations

from .cbor import Pairs, Raw, Value, encode, head
from .claims import message, opening, view
from .envelope import TYP, cose, header, message_id, seal, sig_structure
from .people import ALICE
from .vector import Book, times

KID = ALICE.kid
PAYLOAD = encode(message())
OFFER_TYP = "ama2sec-offer+cose"
OTHER_TYPS = ("registry", "halt", "log")
SAMPLES: dict[str, Value] = {
    "uint": 1, "negative": -1, "bytes": b"\x01", "text": "x", "array": [], "map": {}, "true": True, "null": None,
}  # fmt: skip


def parsed(claims: dict[object, Value]) -> dict[str, object]:
    """What `parse` answers for sound claims of alice's."""
    return {"message_id": message_id(claims).hex(), "kid": KID.hex(), "claims": view(claims)}


class Asker:
    """Adds `parse` questions to a book."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def __call__(self, id: str, clause: str, envelope: bytes, code: str = "ok", **answer: object) -> None:
        self.book.add(id, f"envelope.{clause}", {"op": "parse", "envelope": envelope.hex()}, code, **answer)

    def header(self, id: str, clause: str, protected: bytes | Value, code: str) -> None:
        """A header of these bytes or this value, signed by alice over sound claims."""
        written = protected if isinstance(protected, bytes) else encode(protected)
        self(id, clause, seal(PAYLOAD, protected=written), code)

    def frame(self, id: str, clause: str, code: str, *parts: Value, tag: bytes = b"\xd2") -> None:
        """An array of any parts, under any tag."""
        self(id, clause, tag + encode(list(parts)), code)


def build() -> Book:
    """All vectors of the frame and the header."""
    book = Book("envelope", "the frame and the protected header (envelope.4)")
    ask = Asker(book)
    ask("sound.message", "4", seal(message()), **parsed(message()))
    ask("sound.open", "4", seal(opening()), **parsed(opening()))
    _frames(ask)
    _codec_inside(ask)
    _header_form(ask)
    _header_values(ask)
    _signature_length(ask)
    _order(ask)
    _sizes(book)
    return book


def _parts() -> tuple[Value, Value, Value, Value]:
    protected = header(KID)
    return protected, {}, PAYLOAD, ALICE.sign(sig_structure(protected, PAYLOAD))


def _frames(ask: Asker) -> None:
    protected, _, payload, signature = parts = _parts()
    ask.frame("frame.twin", "4.1", "ok", *parts)
    ask.frame("frame.untagged", "4.1", "EnvelopeForm", *parts, tag=b"")
    for tag, name in (
        (98, "cose-sign"),
        (17, "cose-mac0"),
        (16, "cose-encrypt0"),
        (61, "cwt"),
        (55799, "self-described"),
        (2**64 - 1, "last"),
    ):
        ask.frame(f"frame.tag.{name}", "4.1", "EnvelopeForm", *parts, tag=head(6, tag))
    for width in (1, 2, 4, 8):
        ask.frame(f"frame.tag.18-in-{width}", "4.1", "EnvelopeForm", *parts, tag=head(6, 18, width))
    ask("frame.tag.reserved-head", "4.1", b"\xdc" + encode(list(parts)), "EnvelopeForm")
    ask("frame.tag.indefinite-head", "4.1", b"\xdf" + encode(list(parts)), "EnvelopeForm")
    ask("frame.tag.alone", "4.1", b"\xd2", "Truncated")
    ask("frame.tag.other-alone", "4.1", b"\xd3", "EnvelopeForm")
    ask("frame.nothing", "3.2", b"", "Truncated")
    ask.frame("frame.tag.twice", "4.1", "TypeForbidden", *parts, tag=b"\xd2\xd2")
    ask.frame("frame.tag.cwt-over-18", "4.1", "EnvelopeForm", *parts, tag=b"\xd8\x3d\xd2")
    ask("frame.not-an-array", "4.1", b"\xd2\xa0", "EnvelopeForm")
    ask("frame.bytes-around-it", "4.1", encode(b"\xd2" + encode(list(parts))), "EnvelopeForm")
    ask.frame("frame.none", "4.1", "EnvelopeForm")
    ask.frame("frame.three", "4.1", "EnvelopeForm", *parts[:3])
    ask.frame("frame.five", "4.1", "EnvelopeForm", *parts, b"")
    ask.frame("frame.cose-sign-signatures", "4.1", "EnvelopeForm", protected, {}, payload, [[protected, {}, signature]])
    for place, name in enumerate(("protected", "unprotected", "payload", "signature")):
        for other, value in SAMPLES.items():
            if (other == "map") if place == 1 else (other == "bytes"):
                continue
            changed = [value if i == place else part for i, part in enumerate(parts)]
            ask.frame(f"frame.type.{name}.{other}", "4.1", "EnvelopeForm", *changed)
    for name, value in {"alg": {1: -19}, "kid": {4: KID}, "a-label": {99: 0}, "text": {"a": 0}}.items():
        ask.frame(f"unprotected.{name}", "4.6", "UnprotectedNotEmpty", protected, value, payload, signature)
    ask.frame(
        "unprotected.alg-only-there", "4.2", "HeaderForm", encode({4: KID, 16: TYP}), {1: -19}, payload, signature
    )
    ask.frame(
        "unprotected.kid-only-there", "4.2", "HeaderForm", encode({1: -19, 16: TYP}), {4: KID}, payload, signature
    )
    ask.frame("unprotected.as-bytes", "4.1", "EnvelopeForm", protected, b"\xa0", payload, signature)


def _codec_inside(ask: Asker) -> None:
    """The codec's rules at each of the three places where it is asked."""
    protected, _, payload, signature = parts = _parts()
    good = seal(message())
    ask("codec.frame.trailing", "3.9", good + b"\0", "TrailingBytes")
    ask("codec.frame.trailing-envelope", "3.9", good + good, "TrailingBytes")
    ask("codec.frame.indefinite", "3.4", b"\xd2\x9f" + b"".join(map(encode, parts)) + b"\xff", "IndefiniteLength")
    ask("codec.frame.wide-array", "3.3", b"\xd2" + head(4, 4, 1) + b"".join(map(encode, parts)), "NotMinimal")
    wide = Raw(head(2, 64, 2) + bytes(signature if isinstance(signature, bytes) else b""))
    ask.frame("codec.frame.wide-signature", "3.3", "NotMinimal", protected, {}, payload, wide)
    ask.frame(
        "codec.frame.tag-on-payload",
        "3.5",
        "TypeForbidden",
        protected,
        {},
        Raw(b"\xd8\x18" + encode(payload)),
        signature,
    )
    ask.frame("codec.frame.float", "3.5", "FloatForbidden", protected, {1: 1.5}, payload, signature)
    ask.frame("codec.frame.undefined", "3.5", "TypeForbidden", protected, {}, Raw(b"\xf7"), signature)
    ask.frame("codec.frame.duplicate", "3.7", "MapDuplicateKey", protected, Pairs(((1, 1), (1, 1))), payload, signature)
    deep: Value = {}
    for _ in range(8):
        deep = {1: deep}
    ask.frame("codec.frame.depth", "3.8", "DepthLimit", protected, deep, payload, signature)
    for place, whole in (("header", header(KID)), ("claims", PAYLOAD)):

        def put(data: bytes, place: str = place) -> bytes:
            return seal(PAYLOAD, protected=data) if place == "header" else seal(data)

        pairs = whole[1:]
        count = whole[0] & 31
        for name, clause, data, code in (
            ("empty", "3.2", b"", "Truncated"),
            ("cut", "3.2", whole[:-1], "Truncated"),
            ("trailing", "3.9", whole + b"\0", "TrailingBytes"),
            ("wide-map", "3.3", head(5, count, 1) + pairs, "NotMinimal"),
            ("wide-key", "3.3", whole[:1] + b"\x18\x01" + whole[2:], "NotMinimal"),
            ("indefinite", "3.4", b"\xbf" + pairs + b"\xff", "IndefiniteLength"),
            ("duplicate-equal", "3.7", bytes([whole[0] + 1]) + _first_pair(whole) + pairs, "MapDuplicateKey"),
            ("duplicate-other", "3.7", bytes([whole[0] + 1]) + b"\x01\x00" + pairs, "MapDuplicateKey"),
            ("order", "3.7", bytes([whole[0] + 1]) + b"\x02\x00" + pairs, "MapKeyOrder"),
            ("bytes-key", "3.7", b"\xa1\x40\x00", "TypeForbidden"),
            ("float", "3.5", b"\xa1\x01\xf9\x00\x00", "FloatForbidden"),
            ("undefined", "3.5", b"\xa1\x01\xf7", "TypeForbidden"),
            ("tagged", "3.5", b"\xd8\x3d" + whole, "TypeForbidden"),
            ("tag-18", "3.5", b"\xd2" + whole, "TypeForbidden"),
            ("utf8", "3.6", b"\xa1\x01\x61\xff", "Utf8Invalid"),
            ("range", "3.3", b"\xa1\x01" + head(0, 2**63), "IntRange"),
            ("depth", "3.8", b"\xa1\x01" + b"\x81" * 8 + b"\0", "DepthLimit"),
            ("depth-60000", "3.8", b"\xa1\x01" + b"\x81" * 60_000, "DepthLimit")
            if place == "claims"
            else ("depth-9", "3.8", b"\x81" * 9 + b"\0", "DepthLimit"),
            ("length-2-63", "3.2", b"\xa1\x01" + head(2, 2**63), "Truncated"),
            ("count-2-64", "3.2", b"\xa1\x01" + head(4, 2**64 - 1), "Truncated"),
        ):
            if name == "depth-60000":
                protected = header(KID)
                signed = sig_structure(protected, data)
                runs = times(*_around_run(cose(protected, data, ALICE.sign(signed)), b"\x81", 60_000))
                ask.book.add(f"codec.{place}.{name}", f"envelope.{clause}", {"op": "parse", "envelope": runs}, code)
            else:
                ask(f"codec.{place}.{name}", clause, put(data), code)


def _around_run(whole: bytes, piece: bytes, count: int) -> tuple[tuple[bytes, int], ...]:
    before, after = whole.split(piece * count, 1)
    return (before, 1), (piece, count), (after, 1)


def _first_pair(whole: bytes) -> bytes:
    return whole[1:3] if whole[2] == 0x32 else whole[1 : 4 + 32]


def _header_form(ask: Asker) -> None:
    ask.header("header.twin", "4.2", {1: -19, 4: KID, 16: TYP}, "ok")
    for name, value in {"array": [], "uint": 1, "bytes": b"", "text": "", "null": None}.items():
        ask.header(f"header.is-{name}", "4.2", Raw(encode(value)), "HeaderForm")
    ask.header("header.empty-map", "4.2", {}, "HeaderForm")
    ask.header("header.no-alg", "4.2", {4: KID, 16: TYP}, "HeaderForm")
    ask.header("header.no-kid", "4.2", {1: -19, 16: TYP}, "HeaderForm")
    ask.header("header.no-typ", "4.2", {1: -19, 4: KID}, "HeaderForm")
    for label, value in ((0, 0), (2, [16]), (3, "text/plain"), (5, b""), (6, b""), (7, b"")):
        ask.header(
            f"header.extra.{label}", "4.2", dict(sorted({1: -19, 4: KID, 16: TYP, label: value}.items())), "HeaderForm"
        )
    for label in (15, 17, 33, 394, -1, -65537, "a"):
        pairs = sorted(
            ((encode(k), v) for k, v in ((1, -19), (4, KID), (16, TYP), (label, 0))), key=lambda pair: pair[0]
        )
        ask.header(
            f"header.extra.{label}", "4.2", Pairs(tuple((Raw(key), value) for key, value in pairs)), "HeaderForm"
        )
    ask.header("header.other-label-for-alg", "4.2", {2: -19, 4: KID, 16: TYP}, "HeaderForm")
    ask.header("header.text-label-for-typ", "4.2", {1: -19, 4: KID, "typ": TYP}, "HeaderForm")


def _header_values(ask: Asker) -> None:
    for alg in (-8, -7, -20, -18, -35, -36, -37, -47, -50, -257, 0, 1, 5, 18, 19, -(2**63), 2**63 - 1):
        ask.header(f"alg.{alg}", "4.3", {1: alg, 4: KID, 16: TYP}, "AlgUnsupported")
    for name, value in {**SAMPLES, "EdDSA": "EdDSA", "none": "none", "text-of-19": "-19", "list": [-19]}.items():
        ask.header(f"alg.type.{name}", "4.3", {1: value, 4: KID, 16: TYP}, "AlgUnsupported")
    for length in (0, 1, 16, 31, 33, 64):
        ask.header(f"kid.length.{length}", "4.4", {1: -19, 4: (KID * 2)[:length], 16: TYP}, "HeaderForm")
    for name, value in SAMPLES.items():
        ask.header(f"kid.type.{name}", "4.4", {1: -19, 4: value, 16: TYP}, "HeaderForm")
        if name != "text":
            ask.header(f"typ.type.{name}", "4.5", {1: -19, 4: KID, 16: value}, "HeaderForm")
    ask.header("kid.text-of-32", "4.4", {1: -19, 4: "k" * 32, 16: TYP}, "HeaderForm")
    ask.header("typ.reserved.offer", "4.5", {1: -19, 4: KID, 16: OFFER_TYP}, "TypNotBuilt")
    for name in OTHER_TYPS:
        ask.header(f"typ.{name}-of-a-message", "5.1", {1: -19, 4: KID, 16: f"ama2sec-{name}+cose"}, "TypKind")
    for name, typ in {
        "empty": "", "upper": TYP.upper(), "no-suffix": "ama2sec-message", "media-type": f"application/{TYP}", "space": f"{TYP} ",
        "nul": f"{TYP}\0", "prefix": TYP[:-1], "jwt": "JWT", "cose": "application/cose", "homoglyph": "аma2sec-message+cose",
        "reserved-upper": "ama2sec-Halt+cose", "terminal": "\x1b[2J",
    }.items():  # fmt: skip
        ask.header(f"typ.unknown.{name}", "4.5", {1: -19, 4: KID, 16: typ}, "TypUnknown")


def _signature_length(ask: Asker) -> None:
    protected, _, payload, signature = _parts()
    assert isinstance(signature, bytes)
    for length in (0, 1, 32, 63, 65, 96, 128):
        ask.frame(
            f"signature-length.{length}", "4.8", "SignatureLength", protected, {}, payload, (signature * 2)[:length]
        )


def _order(ask: Asker) -> None:
    """Order: 1, 2, 2's form, 3, 5, 4, 6, 8, 7 with section 5."""
    payload, short = b"\xff", b""
    unprotected: Value = {1: 1}

    def stacked(id: str, code: str, protected: bytes, unprotected: Value, signature: bytes, payload: bytes) -> None:
        ask.frame(f"first.{id}", "4", code, protected, unprotected, payload, signature)

    stacked("header-codec", "Truncated", b"", unprotected, short, payload)
    stacked("header-form", "HeaderForm", encode({1: -8, 16: "x"}), unprotected, short, payload)
    stacked("alg", "AlgUnsupported", header(b"", -8, "x"), unprotected, short, payload)
    stacked("typ-unknown", "TypUnknown", header(b"", -19, "x"), unprotected, short, payload)
    stacked("typ-reserved", "TypNotBuilt", header(b"", -19, OFFER_TYP), unprotected, short, payload)
    stacked("typ-type", "HeaderForm", header(KID, -19, 5), unprotected, short, payload)
    stacked("kid", "HeaderForm", header(b""), unprotected, short, payload)
    stacked("unprotected", "UnprotectedNotEmpty", header(KID), unprotected, short, payload)
    stacked("signature-length", "SignatureLength", header(KID), {}, short, payload)
    stacked("payload", "IndefiniteLength", header(KID), {}, bytes(64), payload)


def _sizes(book: Book) -> None:
    """2.1: an envelope of the largest size is read (and fails for another reason); one byte more is not."""
    for name, first in (("tag", b"\xd3"), ("zeros", b"\x00"), ("arrays", b"\x81")):
        for size in (65_792, 65_793):
            read = {"tag": "EnvelopeForm", "zeros": "TrailingBytes", "arrays": "DepthLimit"}[name]
            code = read if size == 65_792 else "SizeLimit"
            envelope = times((first, 1), (b"\x81" if name == "arrays" else b"\x00", size - 1))
            book.add(f"size.{name}.{size}", "envelope.2.1", {"op": "parse", "envelope": envelope}, code)
