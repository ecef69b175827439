"""Envelopes, honest and authentic but hostile: both implementations answer alike, and what is honest verifies elsewhere too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import VerifyKey

from tests.both import IMPLEMENTATIONS, ask, same_code
from tests.vectors.making.cbor import Pairs, Raw, encode
from tests.vectors.making.claims import (
    ZERO,
    Claims,
    full_message,
    full_open,
    id_of,
    message,
    opening,
    ordered,
    put,
    view,
)
from tests.vectors.making.envelope import TYP, commitment, cose, header, message_id, seal, sig_structure
from tests.vectors.making.frame import SAMPLES
from tests.vectors.making.people import ALICE, BOB, ENROLLED, OPERATOR, STRANGER, Person, directory
from tests.vectors.making.rules import PLACES

DIRECTORY = directory()
IDS = st.binary(min_size=32, max_size=32).filter(any)
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9_-]|\.(?=[a-z0-9])){0,20}[a-z0-9]?", fullmatch=True).filter(
    lambda name: name[-1] != "."
)
TIMES = st.integers(0, 2**48 - 1)
SIZES = st.integers(1, 2**48 - 1)


def ascending(values: Any, most: int) -> Any:
    """Lists in the order of their elements' encodings, none twice."""
    return st.lists(values, max_size=most, unique_by=encode).map(lambda found: sorted(found, key=encode))


ADDRS = ascending(IDS | NAMES, 32)
OUTPUTS = st.dictionaries(NAMES, st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20), max_size=16)
MERGES = st.lists(st.tuples(IDS, SIZES, IDS), max_size=16, unique_by=lambda merge: merge[0]).map(
    lambda merges: sorted((list(merge) for merge in merges), key=encode)
)


@st.composite
def states(draw: Any, opened: bool) -> Any:
    """A workflow state, or none."""
    if draw(st.booleans()):
        return None
    instance = None if opened else draw(st.none() | IDS)
    outputs = dict(sorted(draw(OUTPUTS).items(), key=lambda pair: encode(pair[0])))
    return [instance, draw(IDS), draw(NAMES), outputs, draw(st.none() | IDS) if instance else None]


@st.composite
def honest(draw: Any) -> tuple[Person, Claims, bytes | None, bytes]:
    """Any claims that are sound outside a realm, with a body where they have one."""
    author = draw(st.sampled_from([ALICE, BOB]))
    opened = draw(st.booleans())
    body, salt = draw(st.none() | st.binary(max_size=50)), draw(st.binary(min_size=32, max_size=32))
    media_type = draw(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=127))
    changes = {
        7: draw(states(opened)),
        8: draw(ADDRS),
        10: draw(TIMES),
        11: draw(st.binary(min_size=16, max_size=16)),
        12: None if body is None else [commitment(salt, body), len(body), media_type],
    }
    if opened:
        definition = draw(st.none() | NAMES)
        changes |= {
            13: draw(st.none() | ADDRS.filter(len)),
            14: [definition is not None and draw(st.booleans()), definition],
        }
        return author, opening(changes, author), body, salt
    branch = draw(IDS)
    merges = [merge for merge in draw(MERGES) if merge[0] != branch]
    changes |= {2: draw(IDS), 5: [draw(SIZES), draw(IDS), 0, ZERO], 6: [branch, draw(IDS | st.just(ZERO)), merges]}
    changes |= {9: [draw(TIMES), draw(st.integers(0, 2**32 - 1))]}
    return author, message(changes, author), body, salt


@settings(deadline=None, max_examples=100)
@given(honest())
def test_whatever_is_sound_is_read_alike_and_verified_by_everybody(
    made: tuple[Person, Claims, bytes | None, bytes],
) -> None:
    author, claims, body, salt = made
    payload = encode(claims)
    envelope = seal(claims, author)
    if len(payload) > 4096:
        assert same_code(op="parse", envelope=envelope) == "SizeLimit"
        return
    given_body = {} if body is None else {"body": body, "body_salt": salt}
    for implementation in IMPLEMENTATIONS:
        found = ask(implementation, op="verify", envelope=envelope, directory=DIRECTORY, **given_body)
        state = "none" if body is None else "present"
        wanted = {
            "code": "ok",
            "sender": author.name,
            "message_id": message_id(claims, author).hex(),
            "claims": view(claims),
            "body": state,
        }
        assert found == {"id": None, **wanted}
        assert list(found["claims"]) == list(view(claims)), "members in the order of the labels"
        again = ask(implementation, op="make", seed=author.seed, claims=view(claims))
        assert again["envelope"] == envelope.hex()
    signed = sig_structure(header(author.kid), payload)
    VerifyKey(author.public).verify(signed, envelope[-64:])
    Ed25519PublicKey.from_public_bytes(author.public).verify(envelope[-64:], signed)


Change = Callable[[Any, Any], Any]


def _wrong_type(draw: Any, claims: Any) -> Any:
    paths = [path for path in PLACES if _reaches(claims, path)]
    if not paths:
        return claims
    others = [*SAMPLES.values(), 2**48, 2**62, b"x" * 32, ZERO, ["x"], {"a": 1}]
    return put(claims, draw(st.sampled_from(paths)), draw(st.sampled_from(others)))


def _reaches(claims: Any, path: tuple[int, ...]) -> bool:
    for step in path:
        if not (isinstance(claims, dict) and step in claims) and not (isinstance(claims, list) and step < len(claims)):
            return False
        claims = claims[step]
    return True


def _label(draw: Any, claims: Any) -> Any:
    label = draw(st.integers(-2, 28) | st.sampled_from(["a", 2**40]))
    return ordered({**claims, label: draw(st.sampled_from([*SAMPLES.values()]))})


def _missing(draw: Any, claims: Any) -> Any:
    label = draw(st.sampled_from([*claims]))
    return {key: value for key, value in claims.items() if key != label}


def _kind(draw: Any, claims: Any) -> Any:
    return {**claims, 3: draw(st.integers(0, 60))} if 3 in claims else claims


def _swapped(draw: Any, claims: Any) -> Any:
    pairs = list(claims.items())
    i, j = draw(st.integers(0, len(pairs) - 1)), draw(st.integers(0, len(pairs) - 1))
    pairs[i], pairs[j] = pairs[j], pairs[i]
    return Pairs(tuple(pairs))


def _long(draw: Any, claims: Any) -> Any:
    return ordered({**claims, draw(st.sampled_from([8, 11, 99])): ["x" * 300] * 14})


CHANGES: list[Change] = [_wrong_type, _wrong_type, _label, _missing, _kind, _long]


@st.composite
def hostile(draw: Any) -> bytes:
    """Authentic bytes with up to three faults, anywhere."""
    who = draw(st.sampled_from([ALICE, BOB, OPERATOR, STRANGER]))
    claims: Any = draw(st.sampled_from([message(author=who), opening(author=who), full_message(), full_open()]))
    for _ in range(draw(st.integers(0, 3))):
        claims = draw(st.sampled_from(CHANGES))(draw, claims)
        if not claims:
            break
    if claims and draw(st.integers(0, 9)) == 0:
        claims = _swapped(draw, claims)
    payload = encode(claims)
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(payload)))
        payload = payload[:at] + draw(st.binary(max_size=3)) + payload[at + draw(st.integers(0, 2)) :]
    protected = header(who.kid)
    if draw(st.integers(0, 4)) == 0:
        alg, typ = (
            draw(st.sampled_from([-19, -8, None, "EdDSA"])),
            draw(st.sampled_from([TYP, "ama2sec-halt+cose", "x", 1])),
        )
        protected = header(draw(st.sampled_from([who.kid, who.kid[:31], ALICE.kid, b""])), alg, typ)
    elif draw(st.integers(0, 9)) == 0:
        protected = draw(st.sampled_from([b"", b"\xa0", b"\x80", protected + b"\0", b"\xbf\xff", protected[:-1]]))
    signature: Any = draw(
        st.sampled_from(
            [who.sign(sig_structure(protected, payload))] * 5 + [bytes(64), bytes(64), b"\xff" * 64, b"", None]
        )
    )
    unprotected: Any = draw(st.sampled_from([{}] * 6 + [{1: 1}, Raw(b"\xbf\xff"), b""]))
    return cose(
        protected,
        payload,
        signature,
        unprotected,
        draw(st.sampled_from([b"\xd2"] * 12 + [b"", b"\xd8\x62", b"\xd2\xd2"])),
    )


SALT = bytes(range(32))
BODIES = st.sampled_from(
    [
        {},
        {},
        {"body": b"hello", "body_salt": SALT},
        {"body": b"hello", "body_salt": b""},
        {"body": b"", "body_salt": SALT},
    ]
)


@settings(deadline=None, max_examples=250)
@given(hostile(), BODIES)
def test_any_faults_are_judged_alike(envelope: bytes, body: dict[str, bytes]) -> None:
    parsed = [ask(implementation, op="parse", envelope=envelope) for implementation in IMPLEMENTATIONS]
    code = same_code(op="verify", envelope=envelope, directory=DIRECTORY, **body)
    if parsed[0]["code"] == "ok":
        assert parsed[0] == parsed[1]
    else:
        assert parsed[0]["code"] == parsed[1]["code"] == code


def test_the_makers_of_faults_reach_most_codes() -> None:
    """A generator that made only one kind of fault would prove little."""
    seen: set[str] = set()

    @settings(deadline=None, max_examples=300, database=None, derandomize=True)
    @given(hostile(), BODIES)
    def look(envelope: bytes, body: dict[str, bytes]) -> None:
        seen.add(ask("rust", op="verify", envelope=envelope, directory=DIRECTORY, **body)["code"])

    look()
    assert len(seen) >= 15, sorted(seen)
    assert {"ok", "ClaimType", "ClaimForm", "ClaimMissing", "ClaimUnknown"} <= seen, sorted(seen)


PAIRS: dict[str, Callable[[Any], Any]] = {
    "kind": lambda claims: put(claims, (3,), 99),
    "unknown": lambda claims: ordered({**claims, 99: 0}),
    "missing": lambda claims: {key: value for key, value in claims.items() if key != 10},
    "forbidden": lambda claims: ordered({**claims, 26: 0}),
    "type": lambda claims: put(claims, (2,), 0),
    "later type": lambda claims: put(claims, (11,), b""),
    "range": lambda claims: put(claims, (5, 0), 2**48),
    "many": lambda claims: put(claims, (8,), [id_of(n) for n in range(40)]),
    "order": lambda claims: put(claims, (8,), [id_of(2), id_of(1)]),
    "name": lambda claims: put(claims, (8,), ["../x"]),
    "form": lambda claims: put(claims, (6, 0), ZERO),
    "agent": lambda claims: put(claims, (4, 0), id_of(3)),
    "realm": lambda claims: put(put(claims, (1,), id_of(1)), (5, 2), 1),
}
# The steps of envelope.5 in their order, a claim's own label between.
CODES = {
    "kind": (1, "KindUnknown"), "unknown": (2, "ClaimUnknown"), "missing": (3, "ClaimMissing"), "forbidden": (4, "ClaimForbidden"),
    "type": (502, "ClaimType"), "range": (505, "ClaimRange"), "many": (508, "TooMany"), "order": (508, "ListOrder"), "name": (508, "NameForm"),
    "later type": (511, "ClaimType"), "form": (600, "ClaimForm"), "agent": (600, "ClaimForm"), "realm": (900, "RealmOther"),
}  # fmt: skip


@pytest.mark.parametrize("first", PAIRS)
def test_all_pairs_of_faults(first: str) -> None:
    """Two faults at once, whichever was made first: the one that the steps meet first."""
    step, code = CODES[first]
    for second, change in PAIRS.items():
        other_step, other_code = CODES[second]
        if first == second or step == other_step != 600:
            continue
        wanted = code if step < other_step else other_code
        if {first, second} == {"agent", "realm"}:
            wanted = "RealmOther"  # inside a realm the agent's id is not the kid
        claims = change(PAIRS[first](message()))
        assert same_code(op="verify", envelope=seal(claims), directory=DIRECTORY) == wanted, (first, second)


def test_the_directory_decides_and_nothing_else() -> None:
    for who in ENROLLED:
        for listed in ENROLLED:
            answer = same_code(op="verify", envelope=seal(message(author=who), who), directory=directory((listed,)))
            assert answer == (
                "KeyUnknown" if listed is not who else "ok" if who.purpose == "message" else "PurposeWrong"
            )
