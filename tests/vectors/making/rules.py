"""envelope.5: the claims. Each rule broken alone by authentic bytes, beside its twin that is accepted."""

from __future__ import annotations

from .cbor import Pairs, Raw, Value, encode, head
from .claims import ZERO, Claims, full_message, full_open, get, id_of, message, opening, ordered, put, without
from .envelope import seal
from .frame import SAMPLES, Asker, parsed
from .realms import realms
from .vector import Book

TIME_END = 1 << 48
KINDS = {
    1: "ok", 2: "ok", 3: "ClaimMissing", 4: "ClaimMissing", 5: "ClaimMissing",
    **dict.fromkeys((*range(16, 23), 32, 33, *range(48, 51)), "TypKind"),
}  # fmt: skip
UNKNOWN_KINDS = (0, 6, 15, 23, 24, 31, 34, 47, 51, 255, 256, 65536, 2**32 + 1, 2**32 + 2, 2**63 - 1)

# Where a value stands in the full claims, and which types are right there.
PLACES: dict[tuple[int, ...], str] = {
    (1,): "bytes", (2,): "bytes", (3,): "uint", (4,): "array", (4, 0): "bytes", (4, 1): "bytes null", (5,): "array", (5, 0): "uint",
    (5, 1): "bytes", (5, 2): "uint", (5, 3): "bytes", (6,): "array", (6, 0): "bytes", (6, 1): "bytes null", (6, 2): "array",
    (6, 2, 0): "array", (6, 2, 0, 0): "bytes", (6, 2, 0, 1): "uint", (6, 2, 0, 2): "bytes", (7,): "array null",
    (7, 0): "bytes null", (7, 1): "bytes", (7, 2): "text", (7, 3): "map", (7, 4): "bytes null", (8,): "array", (8, 0): "bytes text",
    (9,): "array", (9, 0): "uint", (9, 1): "uint", (10,): "uint", (11,): "bytes", (12,): "array null", (12, 0): "bytes",
    (12, 1): "uint", (12, 2): "text", (13,): "array null", (13, 0): "bytes text", (14,): "array", (14, 0): "true", (14, 1): "text null",
}  # fmt: skip
LISTS = {(6, 2), (8,), (13,)}

NAMES_BAD = {
    "empty": "", "dot": ".", "dots": "..", "up": "../x", "absolute": "/etc/passwd", "slash": "a/b", "backslash": "a\\b", "drive": "c:",
    "nul": "a\0", "nul-in-the-middle": "a\0b", "two-dots": "a..b", "dot-at-the-end": "a.", "minus-first": "-a", "underscore-first": "_a",
    "dot-first": ".a", "upper": "Alice", "space": "a b", "space-at-the-end": "a ", "newline": "a\n", "tab": "a\t", "at": "a@b",
    "colon": "name:a", "nfc": "andr\u00e9", "nfd": "andre\u0301", "homoglyph-cyrillic": "\u0430lice", "homoglyph-greek": "alic\u03b5",
    "full-width": "\uff41lice", "zero-width": "al\u200bice", "zero-width-joiner": "al\u200dice", "bom": "\ufeffalice",
    "right-to-left": "al\u202eice", "isolate": "\u2066alice\u2069", "soft-hyphen": "al\u00adice", "arabic-digit": "a\u0661",
    "emoji": "\U0001f600", "escape": "\x1b[2J", "delete": "a\x7f", "percent": "a%2f", "sixty-five": "x" * 65,
    "dotless-i": "al\u0131ce", "long-s": "bo\u017f",
}  # fmt: skip
NAMES_GOOD = {
    "a": "a",
    "digit": "7",
    "all": "a.b_c-d9",
    "ends-in-minus": "a-",
    "ends-in-underscore": "a_",
    "sixty-four": "x" * 64,
}


def build() -> Book:
    """All vectors of the claims."""
    book = Book("claims", "the claims (envelope.5)")
    ask = Rules(book)
    _kinds(ask)
    _labels(ask)
    _types(ask)
    _lists(ask)
    _ranges(ask)
    _names(ask)
    _texts(ask)
    _agreement(ask)
    _size(ask)
    _order(ask)
    realms(
        lambda name, clause, envelope, code: book.add(name, clause, {"op": "parse", "envelope": envelope.hex()}, code)
    )
    return book


class Rules(Asker):
    """Asks about claims that alice signs."""

    def of(self, id: str, clause: str, claims: Value, code: str = "ok") -> None:
        """A question; of sound claims the whole answer is expected."""
        answer = parsed(claims) if code == "ok" and isinstance(claims, dict) else {}
        self(id, f"5.{clause}", seal(claims), code, **answer)


def _kinds(ask: Rules) -> None:
    for number, code in KINDS.items():
        if code != "ok":
            ask.of(f"kind.{number}", "1", put(message(), (3,), number), code)
    for number in UNKNOWN_KINDS:
        ask.of(f"kind.{number}", "1", put(message(), (3,), number), "KindUnknown")
    ask.of("kind.missing", "1", without(message(), 3), "ClaimMissing")
    ask.of("kind.alone", "3", {3: 2}, "ClaimMissing")
    ask.of("kind.none-at-all", "1", {}, "ClaimMissing")
    for name, value in SAMPLES.items():
        if name not in ("uint", "map"):
            ask(f"payload.{name}", "4.7", seal(encode(value)), "ClaimType")
    ask("payload.uint", "4.7", seal(b"\x01"), "ClaimType")
    ask("payload.list-of-pairs", "4.7", seal(encode([[3, 2]])), "ClaimType")


def _labels(ask: Rules) -> None:
    for kind, claims in (("message", message()), ("open", opening())):
        for label in claims:
            if label != 3:
                ask.of(f"missing.{kind}.{label}", "3", without(claims, int(str(label))), "ClaimMissing")
        for label in range(1, 28):
            if label not in claims:
                value = {9: [1, 1], 13: None, 14: [False, None]}.get(label)
                ask.of(f"forbidden.{kind}.{label}", "4", ordered({**claims, label: value}), "ClaimForbidden")
        for other in (0, 28, 255, 256, 65536, 2**32 + 1, 2**63 - 1, -1, -3, -19, -(2**63), "", "a", "kind", "3"):
            name = other if isinstance(other, int) else f"text-{other}"
            ask.of(f"unknown.{kind}.{name}", "2", ordered({**claims, other: None}), "ClaimUnknown")


def _types(ask: Rules) -> None:
    for path, right in PLACES.items():
        claims = full_open() if path[0] > 12 else full_message()
        spot = ".".join(map(str, path))
        for name, value in SAMPLES.items():
            if name not in right.split():
                ask.of(f"type.{spot}.{name}", "5", put(claims, path, value), "ClaimType")
        old = get(claims, path)
        if isinstance(old, bytes):
            for length in sorted({0, len(old) - 1, len(old) + 1, 2 * len(old)}):
                ask.of(f"length.{spot}.{length}", "5", put(claims, path, (old * 2)[:length]), "ClaimType")
        if isinstance(old, list) and path not in LISTS:
            ask.of(f"length.{spot}.one-less", "5", put(claims, path, old[:-1]), "ClaimType")
            ask.of(f"length.{spot}.one-more", "5", put(claims, path, [*old, None]), "ClaimType")
            ask.of(f"length.{spot}.none", "5", put(claims, path, []), "ClaimType")
    ask.of("type.14.0.false", "5", put(full_open(), (14,), [False, "order"]))
    for name, value in SAMPLES.items():
        code = "ok" if name in ("uint", "negative", "text", "true") else "ClaimType"
        ask.of(f"type.output.{name}", "5", put(full_message(), (7, 3), {"a": value}), code)
    ask.of("type.output.false", "5", put(full_message(), (7, 3), {"a": False}))
    ask.of("type.output-key.uint", "5", put(full_message(), (7, 3), {1: 1}), "ClaimType")
    ask.of("type.output-key.negative", "5", put(full_message(), (7, 3), {-1: 1}), "ClaimType")
    ask.of("full.message", "5", full_message())
    ask.of("full.open", "5", full_open())


def _merge(branch: int, size: int = 1, fingerprint: int = 9) -> Value:
    return [id_of(branch), size, id_of(fingerprint)]


def _merges(*merges: Value) -> Claims:
    return message({6: [id_of(5), id_of(5), list(merges)]})


def _lists(ask: Rules) -> None:
    ids = [id_of(number) for number in range(1, 40)]
    for label, name, base in ((8, "recipients", message), (13, "members", opening)):
        ask.of(f"{name}.32", "5", base({label: ids[:32]}))
        ask.of(f"{name}.33", "5", base({label: ids[:33]}), "TooMany")
        ask.of(f"{name}.one", "5", base({label: ids[:1]}))
        ask.of(f"{name}.none", "5", base({label: []}), "ok" if label == 8 else "ClaimRange")
        ask.of(f"{name}.descending", "5", base({label: [ids[1], ids[0]]}), "ListOrder")
        ask.of(f"{name}.twice", "5", base({label: [ids[0], ids[0]]}), "ListOrder")
        ask.of(f"{name}.last-twice", "5", base({label: [*ids[:31], ids[30]]}), "ListOrder")
        ask.of(f"{name}.ids-before-names", "5", base({label: [ids[0], "a"]}))
        ask.of(f"{name}.names-before-ids", "5", base({label: ["a", ids[0]]}), "ListOrder")
        ask.of(f"{name}.short-names-first", "5", base({label: ["b", "aa"]}))
        ask.of(f"{name}.alphabetical-is-not-the-order", "5", base({label: ["aa", "b"]}), "ListOrder")
        ask.of(f"{name}.name-twice", "5", base({label: ["a", "a"]}), "ListOrder")
    ask.of("members.null", "5", opening({13: None}))
    ask.of("merges.16", "5", _merges(*(_merge(10 + n) for n in range(16))))
    ask.of("merges.17", "5", _merges(*(_merge(10 + n) for n in range(17))), "TooMany")
    ask.of("merges.two", "5", _merges(_merge(11), _merge(12)))
    ask.of("merges.descending", "5", _merges(_merge(12), _merge(11)), "ListOrder")
    ask.of("merges.twice", "5", _merges(_merge(12), _merge(12)), "ListOrder")
    ask.of("merges.same-branch-descending", "5", _merges(_merge(12, 2), _merge(12, 1)), "ListOrder")
    for count, code in ((0, "ok"), (16, "ok"), (17, "TooMany")):
        outputs: Value = {f"k{n:02}": n for n in range(count)}
        ask.of(f"outputs.{count}", "5", put(full_message(), (7, 3), outputs), code)
    ask.of("outputs.order", "5", put(full_message(), (7, 3), Pairs((("b", 1), ("a", 1)))), "MapKeyOrder")
    ask.of("outputs.duplicate", "5", put(full_message(), (7, 3), Pairs((("a", 1), ("a", 1)))), "MapDuplicateKey")


def _ranges(ask: Rules) -> None:
    def bounds(id: str, path: tuple[int, ...], last: int, claims: Claims) -> None:
        ask.of(f"range.{id}.{last}", "5", put(claims, path, last))
        for above in sorted({last + 1, 2 * last + 2, 2**63 - 1}):
            ask.of(f"range.{id}.{above}", "5", put(claims, path, above), "ClaimRange")
        for beyond in (2**63, 2**64 - 1):
            ask.of(f"range.{id}.{beyond}", "5", put(claims, path, beyond), "IntRange")

    bounds("context-size", (5, 0), TIME_END - 1, full_message())
    bounds("merge-size", (6, 2, 0, 1), TIME_END - 1, full_message())
    bounds("epoch", (9, 0), TIME_END - 1, full_message())
    bounds("counter", (9, 1), 2**32 - 1, full_message())
    bounds("time", (10,), TIME_END - 1, full_message())
    bounds("body-size", (12, 1), 262_144, full_message())
    inside = message({1: id_of(1), 5: [1, id_of(6), 1, id_of(7)]})
    bounds("registry-size", (5, 2), TIME_END - 1, inside)
    for path in ((9, 0), (9, 1), (10,), (12, 1)):
        ask.of(f"range.{'.'.join(map(str, path))}.0", "5", put(full_message(), path, 0))
    for number in (2**63 - 1, -(2**63), 0, -1):
        ask.of(f"range.output.{number}", "5", put(full_message(), (7, 3), {"a": number}))
    for number in (2**63, -(2**63) - 1):
        ask.of(f"range.output.{number}", "5", put(full_message(), (7, 3), {"a": number}), "IntRange")


def _names(ask: Rules) -> None:
    for names, code in ((NAMES_GOOD, "ok"), (NAMES_BAD, "NameForm")):
        for id, name in names.items():
            ask.of(f"name.recipient.{id}", "5", message({8: [name]}), code)
    for id in ("empty", "up", "upper", "homoglyph-cyrillic", "sixty-five", "nul"):
        name = NAMES_BAD[id]
        ask.of(f"name.member.{id}", "5", opening({13: [name]}), "NameForm")
        ask.of(f"name.step.{id}", "5", put(full_message(), (7, 2), name), "NameForm")
        ask.of(f"name.output.{id}", "5", put(full_message(), (7, 3), {name: 1}), "NameForm")
        ask.of(f"name.definition.{id}", "5", opening({14: [True, name]}), "NameForm")


def _texts(ask: Rules) -> None:
    for id, text, code in (
        ("one", "x", "ok"), ("127", "x" * 127, "ok"), ("128", "x" * 128, "ClaimForm"), ("empty", "", "ClaimForm"),
        ("first-printable", "!", "ok"), ("last-printable", "~", "ok"), ("space", "text/plain; a=b", "ClaimForm"), ("delete", "a\x7f", "ClaimForm"),
        ("control", "a\x1f", "ClaimForm"), ("newline", "text/plain\n", "ClaimForm"), ("nul", "a\0", "ClaimForm"), ("not-ascii", "text/plän", "ClaimForm"),
        ("html", "<script>", "ok"), ("escape", "\x1b[2J", "ClaimForm"), ("127-characters-of-two-bytes", "é" * 127, "ClaimForm"),
    ):  # fmt: skip
        ask.of(f"media-type.{id}", "5", message({12: [id_of(12), 5, text]}), code)
    for id, text, code in (
        ("256", "x" * 256, "ok"), ("257", "x" * 257, "ClaimRange"), ("256-bytes", "é" * 128, "ok"), ("258-bytes", "é" * 129, "ClaimRange"),
        ("empty", "", "ok"), ("any-character", "\0\x1b\u202e\U0001f600", "ok"),
    ):  # fmt: skip
        ask.of(f"output-text.{id}", "5", put(full_message(), (7, 3), {"a": text}), code)


def _agreement(ask: Rules) -> None:
    def wrong(id: str, step: str, claims: Value) -> None:
        ask.of(f"agree.{step}.{id}", f"6.{step}", claims, "ClaimForm")

    wrong("conversation", "a", opening({2: id_of(1)}))
    wrong("branch", "a", opening({6: [id_of(1), None, []]}))
    wrong("size", "a", opening({5: [1, ZERO, 0, ZERO]}))
    wrong("fingerprint", "a", opening({5: [0, id_of(1), 0, ZERO]}))
    wrong("parent", "a", opening({6: [ZERO, id_of(1), []]}))
    wrong("parent-zeros", "a", opening({6: [ZERO, ZERO, []]}))
    wrong("merges", "a", opening({6: [ZERO, None, [_merge(7)]]}))
    wrong("conversation", "b", message({2: ZERO}))
    wrong("branch", "b", message({6: [ZERO, id_of(5), []]}))
    wrong("size", "b", message({5: [0, id_of(6), 0, ZERO]}))
    wrong("fingerprint", "b", message({5: [1, ZERO, 0, ZERO]}))
    wrong("parent", "b", message({6: [id_of(5), None, []]}))
    ask.of("agree.b.other-branch-than-conversation", "6.b", message({6: [id_of(4), id_of(5), []]}))
    ask.of("agree.b.parent-of-zeros-is-an-id", "6.b", message({6: [id_of(5), ZERO, []]}))
    for base in (opening, message):
        kind, size = ("open", 0) if base is opening else ("message", 1)
        print_ = ZERO if base is opening else id_of(6)
        wrong(f"{kind}.registry-size", "c", base({5: [size, print_, 1, ZERO]}))
        wrong(f"{kind}.registry-fingerprint", "c", base({5: [size, print_, 0, id_of(1)]}))
        wrong(f"{kind}.grant", "c", put(base(), (4, 1), id_of(1)))
        wrong(f"{kind}.agent-is-not-kid", "c", put(base(), (4, 0), id_of(1)))
        wrong(f"{kind}.realm-without-registry", "c", base({1: id_of(1)}))
        grant = None if base is opening else id_of(3)
        inside = base({1: id_of(1), 4: [id_of(3), grant], 5: [size, print_, 1, id_of(7)]})
        wrong(f"{kind}.grant-of-another", "c", put(inside, (4, 1), id_of(2)))
        ask.of(f"agree.c.{kind}.inside-a-realm", "6.c", inside)
        ask.of(f"agree.c.{kind}.inside-without-grant", "6.c", put(inside, (4, 1), None))
        ask.of(f"agree.c.{kind}.registry-zeros-at-size-1", "6.c", put(inside, (5, 3), ZERO))
    state = [id_of(9), id_of(10), "pay", {}, None]
    wrong("open-in-an-instance", "d", opening({7: state}))
    ask.of("agree.d.open-starts", "6.d", opening({7: [None, *state[1:]]}))
    ask.of("agree.d.message-starts", "6.d", message({7: [None, *state[1:]]}))
    ask.of("agree.d.message-goes-on", "6.d", message({7: state}))
    ask.of("agree.d.approves", "6.d", message({7: [*state[:4], id_of(1)]}))
    wrong("approves-without-instance", "d", message({7: [None, *state[1:4], id_of(1)]}))
    wrong("open-approves", "d", opening({7: [None, *state[1:4], id_of(1)]}))
    wrong("own-branch", "e", _merges(_merge(5)))
    wrong("own-branch-among-others", "e", _merges(_merge(4), _merge(5), _merge(6)))
    wrong("two-of-one-branch", "e", _merges(_merge(12, 1), _merge(12, 2)))
    wrong("two-of-one-branch-other-fingerprint", "e", _merges(_merge(12, 1, 8), _merge(12, 1, 9)))
    wrong("empty-merge", "e", _merges(_merge(12, 0)))
    ask.of("agree.e.same-fingerprint", "6.e", _merges(_merge(11), _merge(12)))
    wrong("required-without-definition", "f", opening({14: [True, None]}))
    for id, value in (("required", [True, "order"]), ("optional", [False, "order"]), ("none", [False, None])):
        ask.of(f"agree.f.{id}", "6.f", opening({14: value}))


def _padded(length: int, base: Claims) -> Claims:
    """Claims of exactly so many bytes: sound but for their length."""
    outputs: dict[str, Value] = {}
    for count in range(16):
        outputs[f"k{count:02}"] = "x" * 256
        claims = put(base, (7,), [None, id_of(10), "pay", dict(outputs), None])
        short = length - len(encode(claims)) + 256
        if 24 <= short <= 255:
            # A text of 24 to 255 bytes has a head of one byte less.
            outputs[f"k{count:02}"] = "x" * (short + 1 if short < 255 else short)
            claims = put(base, (7,), [None, id_of(10), "pay", outputs, None])
            if len(encode(claims)) == length:
                assert isinstance(claims, dict)
                return claims
    raise AssertionError(length)


def _size(ask: Rules) -> None:
    roomy = message({8: [id_of(number) for number in range(1, 9)]})
    ask.of("size.4096", "1", _padded(4096, roomy))
    ask.of("size.4097", "1", _padded(4097, roomy), "SizeLimit")
    long = "x" * 5000
    ask.of("size.after-kind-unknown", "1", ordered({**put(message(), (3,), 99), "a": long}), "KindUnknown")
    ask.of("size.after-typ-kind", "1", ordered({**put(message(), (3,), 16), 18: long}), "TypKind")
    ask.of("size.of-a-rollback", "1", ordered({**put(message(), (3,), 4), 16: long}), "SizeLimit")
    ask.of("size.after-kind-missing", "1", ordered({**without(message(), 3), "a": long}), "ClaimMissing")
    ask.of("size.before-unknown", "1", ordered({**message(), "a": long}), "SizeLimit")
    ask.of("size.before-missing", "1", put(without(message(), 10), (8,), [long]), "SizeLimit")
    ask.of("size.after-codec", "1", Raw(encode(ordered({**message(), "a": long})) + b"\0"), "TrailingBytes")


def _order(ask: Rules) -> None:
    """The steps of section 5 and the elements inside a claim, each against its successor."""

    def both(id: str, claims: Value, code: str) -> None:
        ask.of(f"first.{id}", "5", claims, code)

    unknown = ordered({**without(message(), 10), 99: 0})
    both("kind-type-before-unknown", put(unknown, (3,), "x"), "ClaimType")
    both("kind-unknown-before-unknown", put(unknown, (3,), 99), "KindUnknown")
    both("unknown-before-missing", unknown, "ClaimUnknown")
    both("missing-before-forbidden", ordered({**without(message(), 10), 13: None}), "ClaimMissing")
    both(
        "missing-of-a-later-label-before-forbidden", ordered({**without(message(), 12), 13: None, 1: 0}), "ClaimMissing"
    )
    both("forbidden-before-type", ordered({**message(), 1: 0, 26: None}), "ClaimForbidden")
    both("type-before-form", message({2: ZERO, 12: 0}), "ClaimType")
    both("lower-label-first", message({8: [id_of(1), id_of(1)], 10: "x"}), "ListOrder")
    both("lower-label-first-twin", message({8: "x", 10: TIME_END}), "ClaimType")
    both("context-left-to-right", message({5: [TIME_END, b"", 0, ZERO]}), "ClaimRange")
    both("context-left-to-right-twin", message({5: [1, b"", TIME_END, ZERO]}), "ClaimType")
    both("count-before-elements", message({8: ["/"] * 33}), "TooMany")
    both("members-empty-before-workflow", opening({13: [], 14: 0}), "ClaimRange")
    both("element-before-order", message({8: [id_of(2), b""]}), "ClaimType")
    both("order-before-next-element", message({8: [id_of(2), id_of(1), b""]}), "ListOrder")
    both("name-before-order", message({8: ["b", "/"]}), "NameForm")
    both("merge-count-before-elements", _merges(*([0] * 17)), "TooMany")
    both("merge-element-before-order", _merges(_merge(12), [id_of(11), TIME_END, id_of(1)]), "ClaimRange")
    both("merge-order-before-next", _merges(_merge(12), _merge(11), 0), "ListOrder")
    both("parent-before-merges", message({6: [id_of(5), 0, [0] * 17]}), "ClaimType")
    both("step-before-outputs", message({7: [None, id_of(1), "/", [], None]}), "NameForm")
    both(
        "outputs-count-before-elements", message({7: [None, id_of(1), "a", {n: 0 for n in range(17)}, None]}), "TooMany"
    )
    both("output-key-before-value", message({7: [None, id_of(1), "a", {"/": "x" * 300}, None]}), "NameForm")
    both("outputs-before-approves", message({7: [None, id_of(1), "a", {"a": "x" * 300}, 0]}), "ClaimRange")
    both("epoch-before-counter", message({9: [TIME_END, "x"]}), "ClaimRange")
    both("commitment-before-size", message({12: [b"", 2**62, ""]}), "ClaimType")
    both("size-before-media-type", message({12: [id_of(1), 2**62, ""]}), "ClaimRange")
    both("media-type-type-before-form", message({12: [id_of(1), 1, b""]}), "ClaimType")
    both("media-type-before-agreement", message({2: ZERO, 12: [id_of(1), 1, ""]}), "ClaimForm")
    both("codec-before-claims", Raw(head(5, 2) + b"\x01\x00\x03\xf7"), "TypeForbidden")
