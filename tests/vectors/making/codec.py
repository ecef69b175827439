"""envelope.3: the strict decoder alone."""

from __future__ import annotations

import struct
from collections.abc import Callable

from .cbor import Pairs, encode, head, wider
from .vector import Book, times

INTEGERS = (0, 1, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1)
# Lengths short enough to be written out.
LENGTHS = (0, 1, 23, 24, 255, 256)
MAJORS = {2: "bytes", 3: "text", 4: "array", 5: "map"}

UTF8 = {
    "ff": "ff",
    "lone-continuation": "80",
    "cut": "c3",
    "cut-of-three": "e282",
    "cut-of-four": "f09f98",
    "overlong-slash": "c0af",
    "overlong-nul": "c080",
    "overlong-of-three": "e080af",
    "overlong-of-four": "f08080af",
    "surrogate-high": "eda080",
    "surrogate-low": "edbfbf",
    "surrogate-pair": "eda081edb080",
    "above-10ffff": "f4908080",
    "five-bytes": "f888808080",
    "fe": "fe",
    "latin-1": "e9",
    "bad-in-the-middle": "618062",
}


def _content(major: int, length: int) -> bytes:
    if major == 5:
        return b"".join(encode(key) + b"\xf6" for key in range(length))
    return (b"a" if major < 4 else b"\xf6") * length


Ask = Callable[..., None]


def build() -> Book:
    """All vectors of the codec."""
    book = Book("codec", "strict deterministic CBOR (envelope.3)")

    def ask(id: str, clause: str, data: bytes, code: str = "ok") -> None:
        book.add(id, f"envelope.3.{clause}", {"op": "cbor", "bytes": data.hex()}, code)

    _allowed(ask)
    _heads(ask)
    _forbidden(ask)
    _lengths(ask)
    _maps(ask)
    _depth(ask, book)
    _order(ask)
    return book


def _allowed(ask: Ask) -> None:
    for name, value in {
        "empty-bytes": b"", "empty-text": "", "empty-array": [], "empty-map": {}, "false": False, "true": True, "null": None,
        "text": "é€😀", "text-nul": "\0", "text-not-nfc": "e\u0301", "nested": [1, [2, {3: [b"x", "y", -1]}], None],
    }.items():  # fmt: skip
        ask(f"allowed.{name}", "1", encode(value))
    ask("trailing.one-byte", "9", b"\x00\x00", "TrailingBytes")
    ask("trailing.after-map", "9", b"\xa0\xf6", "TrailingBytes")
    ask("trailing.half-an-item", "9", b"\x01\x58", "TrailingBytes")
    ask("trailing.a-break", "9", b"\x80\xff", "TrailingBytes")
    for name, data in UTF8.items():
        text = bytes.fromhex(data)
        ask(f"utf8.{name}", "6", head(3, len(text)) + text, "Utf8Invalid")
        ask(f"utf8.{name}.as-bytes", "6", head(2, len(text)) + text)


def _heads(ask: Ask) -> None:
    for number in INTEGERS:
        for major, name in ((0, "uint"), (1, "negative")):
            ask(f"integer.{name}.{number}", "3", head(major, number))
            for width in wider(number):
                ask(f"not-minimal.{name}.{number}-in-{width}", "3", head(major, number, width), "NotMinimal")
    for number in (2**63, 2**63 + 1, 2**64 - 1):
        ask(f"int-range.uint.{number}", "3", head(0, number), "IntRange")
        ask(f"int-range.negative.{number}", "3", head(1, number), "IntRange")
        ask(f"int-range.inside.{number}", "3", b"\x81" + head(0, number), "IntRange")
    for length in LENGTHS:
        for major, name in MAJORS.items():
            ask(f"length.{name}.{length}", "3", head(major, length) + _content(major, length))
            for width in wider(length):
                data = head(major, length, width) + _content(major, length)
                ask(f"not-minimal.{name}.{length}-in-{width}", "3", data, "NotMinimal")
    for major in range(8):
        for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
            if major < 6:
                for present in range(width):
                    data = bytes([major << 5 | info]) + b"\xff" * present
                    ask(f"truncated.head.{major}-{info}-{present}", "2", data, "Truncated")


def _forbidden(ask: Ask) -> None:
    for major, name in MAJORS.items():
        open_ = bytes([major << 5 | 31])
        ask(f"indefinite.{name}", "4", open_ + b"\xff", "IndefiniteLength")
        ask(f"indefinite.{name}.inside", "4", b"\x82\x00" + open_ + b"\xff", "IndefiniteLength")
    ask("indefinite.chunks", "4", bytes.fromhex("5f41004101ff"), "IndefiniteLength")
    ask("indefinite.break", "4", b"\xff", "IndefiniteLength")
    ask("indefinite.break.inside", "4", b"\x81\xff", "IndefiniteLength")
    ask("indefinite.break.as-key", "4", b"\xa1\xff\x00", "IndefiniteLength")
    for name, data in {
        "half": "f93c00", "half-nan": "f97e00", "half-infinity": "f97c00", "half-minus-zero": "f98000", "single": "fa3f800000",
        "double": "fb3ff0000000000000", "double-of-an-integer": "fb4010000000000000",
    }.items():  # fmt: skip
        ask(f"float.{name}", "5", bytes.fromhex(data), "FloatForbidden")
        ask(f"float.{name}.inside", "5", b"\xa1\x01" + bytes.fromhex(data), "FloatForbidden")
    ask("float.without-its-bytes", "10", b"\xf9", "FloatForbidden")
    ask("float.nan-payload", "5", b"\xfa" + struct.pack(">I", 0x7FC00001), "FloatForbidden")
    for info in [*range(20), 23]:
        ask(f"simple.{info}", "5", bytes([0xE0 | info]), "TypeForbidden")
    for value in (0, 24, 31, 32, 255):
        ask(f"simple.two-bytes.{value}", "5", bytes([0xF8, value]), "TypeForbidden")
    for info in (28, 29, 30):
        for major in range(8):
            ask(f"reserved.{major}-{info}", "5", bytes([major << 5 | info]), "TypeForbidden")
    for major in (0, 1, 6):
        ask(f"reserved.{major}-31", "5", bytes([major << 5 | 31]), "TypeForbidden")
    for tag in (0, 1, 2, 18, 24, 98, 258, 55799, 2**64 - 1):
        ask(f"tag.{tag}", "5", head(6, tag) + b"\x40", "TypeForbidden")
        ask(f"tag.{tag}.inside", "5", b"\x81" + head(6, tag) + b"\x40", "TypeForbidden")
    ask("tag.bignum-that-fits", "5", bytes.fromhex("c24101"), "TypeForbidden")


def _lengths(ask: Ask) -> None:
    ask("truncated.nothing", "2", b"", "Truncated")
    for length in (2, 24, 256, 65536, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1):
        for major, name in MAJORS.items():
            ask(f"truncated.{name}.{length}", "2", head(major, length) + b"\x00", "Truncated")
            ask(f"truncated.{name}.{length}.inside", "2", b"\x82\x00" + head(major, length) + b"\x00", "Truncated")
    ask("truncated.array.one-short", "2", b"\x83\x00\x00", "Truncated")
    ask("truncated.map.a-pair-needs-two", "2", b"\xa2\x01\x01\x02", "Truncated")
    ask("truncated.map.no-value", "2", b"\xa1\x01", "Truncated")
    ask("truncated.map.value-cut", "2", b"\xa1\x01\x41", "Truncated")
    ask("truncated.nested", "2", b"\x81\x82\x00", "Truncated")
    ask("truncated.count-fits-but-items-do-not", "2", b"\x82\x41\x00", "Truncated")


def _maps(ask: Ask) -> None:
    def pairs(*keys: object) -> bytes:
        return encode(Pairs(tuple((key, 0) for key in keys)))

    same = {"uint": 1, "negative": -1, "text": "a", "empty-text": "", "wide": 65536}
    for name, key in same.items():
        ask(f"duplicate.{name}.equal-value", "7", pairs(key, key), "MapDuplicateKey")
        ask(f"duplicate.{name}.other-value", "7", encode(Pairs(((key, 1), (key, 2)))), "MapDuplicateKey")
        ask(f"duplicate.{name}.twin", "7", pairs(key))
    ask("duplicate.not-neighbours", "7", pairs(1, 2, 1), "MapKeyOrder")
    ask("duplicate.third", "7", pairs(1, 2, 2), "MapDuplicateKey")
    ask("duplicate.inside", "7", b"\x81" + pairs(1, 1), "MapDuplicateKey")
    for low, high in (
        (1, 2), (23, 24), (255, 256), (24, -1), (10, -1), (-1, -2), (-24, -25), (1, "a"), (-1, ""), ("", "a"), ("b", "aa"), ("a", "b"),
        (2**32, -1), ("z", "é"),
    ):  # fmt: skip
        ask(f"order.{encode(low).hex()}-{encode(high).hex()}", "7", pairs(low, high))
        ask(f"order.{encode(high).hex()}-{encode(low).hex()}", "7", pairs(high, low), "MapKeyOrder")
    for name, key in {"bytes": b"", "array": [], "map": {}, "false": False, "null": None}.items():
        ask(f"key.{name}", "7", pairs(key), "TypeForbidden")
        ask(f"key.{name}.as-value", "7", encode({1: key}))
    ask("key.long-bytes-cut", "10", b"\xa1\x58\x00", "TypeForbidden")


def _depth(ask: Ask, book: Book) -> None:
    for depth, code in ((1, "ok"), (8, "ok"), (9, "DepthLimit"), (10, "DepthLimit"), (64, "DepthLimit")):
        ask(f"depth.arrays.{depth}", "8", b"\x81" * (depth - 1) + b"\x80", code)
        ask(f"depth.maps.{depth}", "8", b"\xa1\x00" * (depth - 1) + b"\xa0", code)
        ask(f"depth.mixed.{depth}", "8", b"\x81\xa1\x00" * (depth // 2) + (b"\x80" if depth % 2 else b"\x00"), code)
    ask("depth.item-on-the-eighth", "8", b"\x81" * 8 + b"\x00")
    ask("depth.comes-back", "8", b"\x82" + b"\x81" * 6 + b"\x80" + b"\x81" * 6 + b"\x80")
    ask("depth.ninth-second", "8", b"\x82" + b"\x81" * 6 + b"\x80" + b"\x81" * 7 + b"\x80", "DepthLimit")
    for name, piece in (("arrays", b"\x81"), ("maps", b"\xa1\x00"), ("nested-values", b"\x82\x00")):
        question = {"op": "cbor", "bytes": times((piece, 100_000), (b"\x00", 1))}
        book.add(f"depth.{name}.100000", "envelope.3.8", question, "DepthLimit")


def _order(ask: Ask) -> None:
    """3.10: of two faults the one that is read first, and in one head the steps in their order."""
    for name, data, code in (
        ("argument-before-form", "1a000000", "Truncated"),
        ("form-before-range", "1b00000000ffffffff", "NotMinimal"),
        ("form-before-length", "590001", "NotMinimal"),
        ("length-before-depth", "81818181818181819b7fffffffffffffff", "Truncated"),
        ("length-before-contents", "42ff", "Truncated"),
        ("text-length-before-utf8", "62ff", "Truncated"),
        ("forbidden-before-argument", "fb", "FloatForbidden"),
        ("indefinite-before-depth", "81818181818181819fff", "IndefiniteLength"),
        ("key-type-before-argument", "a15900", "TypeForbidden"),
        ("float-before-key-type", "a1f93c0000", "FloatForbidden"),
        ("tag-as-key", "a1c00000", "TypeForbidden"),
        ("key-form-before-order", "a20200180100", "NotMinimal"),
        ("key-utf8-before-order", "a26261610061ff00", "Utf8Invalid"),
        ("key-order-before-value", "a2020001f7", "MapKeyOrder"),
        ("first-value-before-second-key", "a202f70100", "TypeForbidden"),
        ("contents-before-trailing", "81f700", "TypeForbidden"),
        ("first-element-first", "82f7ff", "TypeForbidden"),
        ("depth-before-contents", "818181818181818181ff", "DepthLimit"),
    ):
        ask(f"first.{name}", "10", bytes.fromhex(data), code)
