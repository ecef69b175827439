"""envelope.5 for the kinds of a realm: each alone by authentic bytes, beside its twin that is accepted."""

from __future__ import annotations

from collections.abc import Callable

from .cbor import Value
from .claims import ZERO, Claims, id_of, message, ordered, put, without
from .envelope import header, seal
from .people import ALICE

__all__ = ["TYP_REGISTRY", "realms"]

TYP_REGISTRY = "ama2sec-registry+cose"
TYPS = {"halt": "ama2sec-halt+cose", "resume": "ama2sec-halt+cose", "local-halt": "ama2sec-log+cose"}
OFFER = bytes(range(64))
POLICY: dict[object, Value] = {1: 2, 2: 1, 3: 1, 4: 1, 5: 2, 6: 1, 7: False}
GRANT: list[Value] = [id_of(40), OFFER, ["pay", "ship/*"], [id_of(41), "buyers"], 3, 1_900_000_000_000, 2, None]
Of = Callable[..., None]


def _inside(kind: int, extra: dict[object, Value]) -> Claims:
    base = message({1: id_of(1), 4: [id_of(3), None], 5: [1, id_of(6), 1, id_of(7)]})
    return ordered({**put(base, (3,), kind), **extra})


def _registry(kind: int, extra: dict[object, Value]) -> Claims:
    base = message(
        {1: id_of(1), 2: id_of(1), 4: [id_of(3), None], 5: [2, id_of(7), 2, id_of(7)], 6: [id_of(1), id_of(8), []]}
    )
    return ordered({**without(without(put(base, (3,), kind), 8), 12), 27: None, **extra})


def _genesis() -> Claims:
    document: list[Value] = [
        "acme",
        1,
        0,
        [["ada", id_of(50), OFFER, None], ["ben", id_of(51), OFFER, id_of(52)]],
        ["seq", id_of(53), OFFER],
        POLICY,
    ]
    base = without(_registry(16, {18: document}), 27)
    base = without(base, 9)
    base = put(put(base, (1,), ZERO), (2,), ZERO)
    base = put(put(base, (5,), [0, ZERO, 0, ZERO]), (6,), [ZERO, None, []])
    return ordered(put(base, (4,), [ALICE.kid, None]))


def _stop(kind: int, extra: dict[object, Value]) -> Claims:
    base = message({1: id_of(1), 2: id_of(1), 4: [id_of(3), None], 5: [0, ZERO, 0, ZERO], 6: [id_of(1), None, []]})
    for label in (8, 9, 12):
        base = without(base, label)
    return ordered({**put(base, (3,), kind), **extra})


def _whole() -> dict[str, Claims]:
    """Sound claims of each kind, by its name."""
    return {
        "fork": _inside(3, {15: GRANT}),
        "rollback": _inside(4, {16: [id_of(68), 2, [3, id_of(69)], "wrong price"]}),
        "close": _inside(5, {25: True}),
        "genesis": _genesis(),
        "enrol": _registry(17, {19: ["sales", id_of(60), 1, ["sellers"], id_of(61), None, OFFER]}),
        "revoke": _registry(18, {20: [id_of(62), 7, "left"]}),
        "policy": _registry(19, {18: [id_of(63), POLICY]}),
        "define": _registry(20, {18: ["order", None, b"\xa0"]}),
        "erase": _registry(21, {22: [id_of(64), ""]}),
        "term": _registry(22, {23: [12, id_of(65), "restored"]}),
        "halt": _stop(32, {17: b"\x81\x00", 26: "wrong prices"}),
        "resume": _stop(33, {21: [[id_of(66), id_of(67)], "right again"], 27: None}),
        "local-halt": _stop(48, {17: b"\x81\x00", 26: ""}),
    }


OWN = {
    "fork": 15,
    "rollback": 16,
    "close": 25,
    "genesis": 18,
    "enrol": 19,
    "revoke": 20,
    "policy": 18,
    "define": 18,
    "erase": 22,
    "term": 23,
    "halt": 17,
    "resume": 21,
    "local-halt": 17,
}


def realms(of: Of) -> None:
    """``of(id, clause, envelope, code)`` for all of them."""

    def ask(id: str, clause: str, kind: str, claims: Value, code: str = "ok") -> None:
        typ = None if kind in ("fork", "rollback", "close") else header(ALICE.kid, typ=TYPS.get(kind, TYP_REGISTRY))
        of(f"realm.{kind}.{id}", clause, seal(claims, ALICE, typ), code)

    for kind, claims in _whole().items():
        own = OWN[kind]
        ask("whole", "envelope.5", kind, claims)
        other = header(ALICE.kid) if kind not in ("fork", "rollback", "close") else header(ALICE.kid, typ=TYP_REGISTRY)
        of(f"realm.{kind}.other-typ", "envelope.5.1", seal(claims, ALICE, other), "TypKind")
        for label in claims:
            if label != 3:
                ask(f"missing.{label}", "envelope.5.3", kind, without(claims, int(str(label))), "ClaimMissing")
        for label in range(1, 28):
            if label not in claims:
                ask(f"forbidden.{label}", "envelope.5.4", kind, ordered({**claims, label: None}), "ClaimForbidden")
        ask("unknown.28", "envelope.5.2", kind, ordered({**claims, 28: None}), "ClaimUnknown")
        ask("own.type", "envelope.5.5", kind, put(claims, (own,), "x"), "ClaimType")
        if 27 in claims:
            ask("approval", "envelope.5.6", kind, put(put(claims, (own,), None), (27,), id_of(9)))
            ask("approval.both", "envelope.5.6", kind, put(claims, (27,), id_of(9)), "ClaimForm")
            ask("approval.neither", "envelope.5.6", kind, put(claims, (own,), None), "ClaimForm")
        if kind not in ("fork", "rollback", "close", "genesis"):
            ask("other-conversation", "envelope.5.6", kind, put(claims, (2,), id_of(2)), "ClaimForm")
            ask("context-and-registry-differ", "envelope.5.6", kind, put(claims, (5, 2), 3), "ClaimForm")
            ask("merges", "envelope.5.6", kind, put(claims, (6, 2), [[id_of(9), 1, id_of(9)]]), "ClaimForm")
    snapshot = put(_whole()["local-halt"], (3,), 49)
    of(
        "realm.snapshot.not-built",
        "envelope.5.1",
        seal(snapshot, ALICE, header(ALICE.kid, typ=TYPS["local-halt"])),
        "KindNotBuilt",
    )
    _grants(ask)
    _documents(ask)
    _stops(ask)


def _stops(ask: Callable[..., None]) -> None:
    whole = _whole()
    for kind in ("halt", "local-halt", "resume"):
        claims = whole[kind]
        for name, path, value in (
            ("n", (5, 0), 1), ("context", (5, 1), id_of(9)), ("registry-size", (5, 2), 1), ("registry-fingerprint", (5, 3), id_of(9)),
            ("other-branch", (6, 0), id_of(9)), ("parent", (6, 1), id_of(9)), ("grant", (4, 1), id_of(3)),
            ("step", (7,), [id_of(9), id_of(10), "pay", {}, None]),
        ):  # fmt: skip
            ask(name, "envelope.5.6", kind, put(claims, path, value), "ClaimForm")
        zeros = put(put(put(claims, (1,), ZERO), (2,), ZERO), (6, 0), ZERO)
        ask("no-realm", "halt.1.2", kind, zeros, "ClaimForm")
        ask("no-realm.own-key", "halt.1.2", kind, put(zeros, (4,), [ALICE.kid, None]), "ClaimForm")
    for kind in ("halt", "local-halt"):
        for name, scope in (("empty", b""), ("no-cbor", b"\xff"), ("long", bytes(257)), ("longest", bytes(3700))):
            ask(f"scope.{name}", "halt.1.3", kind, put(whole[kind], (17,), scope))
        ask("scope.over-the-claims", "envelope.2.1", kind, put(whole[kind], (17,), bytes(4096)), "SizeLimit")
        ask("scope.array", "halt.1.3", kind, put(whole[kind], (17,), [0]), "ClaimType")
        ask("reason.longest", "halt.1.3", kind, put(whole[kind], (26,), "r" * 256))
        ask("reason.longer", "halt.1.3", kind, put(whole[kind], (26,), "r" * 257), "ClaimRange")
        ask("reason.bytes", "halt.1.3", kind, put(whole[kind], (26,), b"r"), "ClaimType")
    _resumes(ask, whole["resume"])


def _resumes(ask: Callable[..., None], whole: Claims) -> None:
    def own(id: str, value: Value, code: str = "ok") -> None:
        ask(f"own.{id}", "halt.1.3", "resume", put(whole, (21,), value), code)

    many: list[Value] = [id_of(70 + number) for number in range(65)]
    own("halts.most", [many[:64], ""])
    own("halts.too-many", [many, ""], "TooMany")
    own("halts.none", [[], ""], "ClaimRange")
    own("halts.type", [id_of(9), ""], "ClaimType")
    own("halts.order", [[id_of(67), id_of(66)], ""], "ListOrder")
    own("halts.twice", [[id_of(66), id_of(66)], ""], "ListOrder")
    own("halts.short", [[bytes(31)], ""], "ClaimType")
    own("halts.before-the-reason", [[], 1], "ClaimRange")
    own("reason.longest", [[id_of(66)], "r" * 256])
    own("reason.longer", [[id_of(66)], "r" * 257], "ClaimRange")
    own("reason.type", [[id_of(66)], b""], "ClaimType")
    own("length", [[id_of(66)]], "ClaimType")


def _grants(ask: Callable[..., None]) -> None:
    whole = _whole()["fork"]

    def grant(id: str, place: int, value: Value, code: str = "ok") -> None:
        ask(f"grant.{id}", "dag.2", "fork", put(whole, (15, place), value), code)

    ask("without-grant", "dag.2", "fork", put(whole, (15,), None))
    ask("outside-a-realm", "envelope.5.6", "fork", ordered({**put(message(), (3,), 3), 15: None}), "ClaimForm")
    ask("in-a-workflow", "envelope.5.6", "fork", put(whole, (7,), [None, id_of(10), "pay", {}, None]), "ClaimForm")
    ask("under-its-own-grant", "envelope.5.6", "fork", put(whole, (4,), [id_of(3), id_of(3)]))
    ask("under-another-grant", "envelope.5.6", "fork", put(whole, (4,), [id_of(3), id_of(4)]), "ClaimForm")
    for name, key in (("short", bytes(31)), ("long", bytes(33))):
        grant(f"key.{name}", 0, key, "ClaimType")
    grant("offer.short", 1, OFFER[:63], "ClaimType")
    grant("steps.any", 2, None)
    grant("steps.none", 2, [])
    grant("steps.unsorted", 2, ["ship/*", "pay"], "ListOrder")
    grant("steps.twice", 2, ["pay", "pay"], "ListOrder")
    for name, bad in {
        "star": "*", "star-in-a-name": "a*", "star-in-the-middle": "a/*/b", "up": "../x", "upper": "A", "slash-first": "/a", "slash-last": "a/",
    }.items():  # fmt: skip
        grant(f"steps.form.{name}", 2, [bad], "NameForm")
    grant("steps.33", 2, [f"a{n:02}" for n in range(33)], "TooMany")
    grant("to.any", 3, None)
    grant("to.33", 3, sorted(id_of(100 + n) for n in range(33)), "TooMany")
    grant("rights.7", 4, 7)
    grant("rights.8", 4, 8, "ClaimRange")
    grant("expires.never", 5, None)
    grant("expires.end", 5, 1 << 48, "ClaimRange")
    grant("depth.8", 6, 8)
    grant("depth.9", 6, 9, "ClaimRange")
    grant("next", 7, id_of(42))


def _documents(ask: Callable[..., None]) -> None:
    genesis = _whole()["genesis"]

    def document(id: str, path: tuple[int, ...], value: Value, code: str = "ok") -> None:
        ask(f"document.{id}", "registry.2", "genesis", put(genesis, (18, *path), value), code)

    document("name", (0,), "../acme", "NameForm")
    document("no-roots", (3,), [], "ClaimRange")
    document("roots.unsorted", (3,), [["ben", id_of(50), OFFER, None], ["ada", id_of(51), OFFER, None]], "ListOrder")
    document("roots.17", (3,), [[f"r{n:02}", id_of(50), OFFER, None] for n in range(17)], "TooMany")
    document("profile.2", (2,), 2, "ClaimRange")
    document("policy.quorum-0", (5,), {**POLICY, 1: 0}, "ClaimRange")
    document("policy.quorum-17", (5,), {**POLICY, 3: 17}, "ClaimRange")
    document("policy.six", (5,), {k: v for k, v in POLICY.items() if k != 7}, "ClaimType")
    document("policy.eight", (5,), {**POLICY, 8: 1}, "ClaimType")
    document("policy.hold", (5,), {**POLICY, 7: 1}, "ClaimType")
    enrol = _whole()["enrol"]
    ask("purpose.0", "registry.2", "enrol", put(enrol, (19, 2), 0), "ClaimRange")
    ask("purpose.5", "registry.2", "enrol", put(enrol, (19, 2), 5), "ClaimRange")
    ask("groups.17", "registry.2", "enrol", put(enrol, (19, 3), [f"g{n:02}" for n in range(17)]), "TooMany")
    ask("groups.unsorted", "registry.2", "enrol", put(enrol, (19, 3), ["b", "a"]), "ListOrder")
    revoke = _whole()["revoke"]
    ask("reason.256", "registry.2", "revoke", put(revoke, (20, 2), "x" * 256))
    ask("reason.257", "registry.2", "revoke", put(revoke, (20, 2), "x" * 257), "ClaimRange")
    define = _whole()["define"]
    ask("large", "envelope.2.1", "define", put(define, (18, 2), bytes(60_000)))
    ask("too-large", "envelope.2.1", "define", put(define, (18, 2), bytes(65_536)), "SizeLimit")
