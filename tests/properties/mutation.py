"""Ways to break a value, some bytes, an envelope or a conversation, all decided by one random number generator."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

from ama2sec.reference import encode
from tests.world import (
    KID,
    NAMES,
    PUBLIC,
    ZEROS,
    Talk,
    body_claim,
    directory_view,
    entry,
    message_claims,
    open_claims,
    signed,
)

ID = b"i" * 32
JUNK: list[Any] = [
    *(None, True, False, 0, 1, -1, 23, 24, 1 << 16, (1 << 16) + 1, 1 << 32, (1 << 48) - 1, 1 << 48, (1 << 63) - 1, -(1 << 63)),
    *(b"", b"x", ID, ID[:31], ID + b"x", ZEROS, KID["alice"], KID["bob"], bytes(16)),
    *("", "a", "bob", "Bob", "alice", "a..b", "x" * 64, "x" * 65, "\u00fc", "text/plain", "a b", "x" * 257),
    *([], [0], [ID], [ID, 1, ID], [[ID, 1, ID]], ["a", "b"], ["b", "a"], ["a", "a"], [ID] * 33, [[ID, 1, ZEROS]] * 17),
    *({}, {1: 1}, {"a": True}, {"a": 1, "b": "x"}, {f"k{n:02}": n for n in range(17)}, {"a": None}, {"a": "x" * 257}),
]  # fmt: skip
JSON_JUNK: list[Any] = [
    *(None, True, 0, -1, 1.5, 1 << 63, -(1 << 63), (1 << 63) - 1, 1 << 64, 10**30, 1e300),
    *("", "00", "0", "AA", "name:", "name:bob", "bob", "open", "fork", "local-halt", "local halt", ID.hex(), "\u00fc", "\U0001f600"),
    *([], [0], [1, 2], ["name:a", "name:b"], [[]], {}, {"a": 1}, {"agent": ID.hex()}, {"grant": None, "x": 1}),
]  # fmt: skip


def pick(rng: Random, junk: list[Any]) -> Any:
    """A piece of junk of one's own: it may be put into something that is broken again."""
    return copy.deepcopy(rng.choice(junk))


def mutate(rng: Random, value: Any, junk: list[Any]) -> Any:
    """The value with one place in it replaced, dropped, doubled, added or moved."""
    if not isinstance(value, list | dict) or not value or rng.random() < 0.1:
        return pick(rng, junk)
    places: list[Any] = list(range(len(value))) if isinstance(value, list) else list(value)
    place = rng.choice(places)
    changed: Any = copy.copy(value)
    way = rng.randrange(8)
    if way < 4:
        changed[place] = mutate(rng, value[place], junk)
    elif way == 4:
        del changed[place]
    elif isinstance(changed, list):
        if way == 5:
            changed.insert(place, pick(rng, [*junk, value[place]]))
        elif way == 6:
            changed.insert(place, copy.deepcopy(value[place]))
        else:
            rng.shuffle(changed)
    else:
        key = (
            rng.choice([*range(-1, 30), "a", "x", "realm"])
            if isinstance(place, int)
            else rng.choice(["a", "x", "A", "kind"])
        )
        changed[key] = pick(rng, junk)
    return changed


def break_bytes(rng: Random, data: bytes) -> bytes:
    """The bytes with one to three small faults."""
    broken = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        place = rng.randrange(len(broken) + 1)
        way = rng.randrange(6)
        if way < 2 and place < len(broken):
            broken[place] ^= 1 << rng.randrange(8)
        elif way == 2 and place < len(broken):
            broken[place] = rng.choice(
                (0x00, 0x18, 0x1B, 0x5F, 0x61, 0x7F, 0x80, 0x9B, 0xA0, 0xA2, 0xBF, 0xC0, 0xD2, 0xF6, 0xF7, 0xF9, 0xFF)
            )
        elif way == 3:
            broken.insert(place, rng.randrange(256))
        elif way == 4:
            del broken[place : place + rng.choice((1, 1, 2, 40))]
        else:
            broken[place:place] = rng.randbytes(rng.randrange(4))
    return bytes(broken)


def item(rng: Random, depth: int = 0) -> bytes:
    """CBOR as a careless writer makes it: mostly right, with any of its faults anywhere."""
    major = rng.choice((0, 0, 1, 2, 3, 4, 4, 5, 5, 7)) if depth < 10 else rng.choice((0, 2, 3))
    if rng.random() < 0.04:
        return rng.randbytes(rng.randrange(1, 4))
    if depth == 0 and rng.random() < 0.02:
        return b"\x81" * rng.randint(6, 9) + item(rng, 9)
    if major == 7:
        return bytes([0xE0 | rng.choice((20, 21, 22, 20, 21, 22, 23, 24, 25, 31))])
    if major < 2:
        return head(rng, major, rng.choice((rng.randrange(30), 255, 256, 1 << 16, 1 << 32, (1 << 63) - 1, 1 << 63)))
    if major == 2:
        text = rng.randbytes(rng.randrange(30))
    elif major == 3:
        text = rng.choice((b"", b"a", b"bob", "\u00fc".encode(), b"\xff", b"\xed\xa0\x80"))
    else:
        return items(rng, major, depth)
    return head(rng, major, len(text) + (rng.random() < 0.03)) + text


def items(rng: Random, major: int, depth: int) -> bytes:
    """An array or a map. The keys of a map are put in order most of the time, and are mostly such as may be keys."""
    count = rng.choice((0, 1, 1, 2, 3, 4)) if depth else rng.randrange(1, 5)
    if major == 4:
        return head(rng, 4, count) + b"".join(item(rng, depth + 1) for _ in range(count))
    keys = [
        item(rng, depth + 1) if rng.random() < 0.1 else head(rng, rng.choice((0, 1)), rng.randrange(40))
        for _ in range(count)
    ]
    if rng.random() < 0.85:
        keys = sorted(set(keys))
    if keys and rng.random() < 0.05:
        keys.insert(0, keys[0])
    return head(rng, 5, len(keys)) + b"".join(key + item(rng, depth + 1) for key in keys)


def entries(rng: Random) -> Any:
    """A directory's entries, one of which says what it should not, or what another one says."""
    listed: Any = directory_view()
    place, other = rng.sample(range(len(listed)), 2)
    way = rng.randrange(5)
    if way == 0:
        return mutate(rng, listed, JSON_JUNK)
    if way == 1:
        listed[place]["key"] = rng.choice(
            (PUBLIC["bob"].hex(), "01" + "00" * 31, "ff" * 32, "00", "", listed[other]["key"])
        )
    elif way == 2:
        listed[place]["name"] = rng.choice(("Bob", "", "a..b", "\u0430", "\ud800", listed[other]["name"]))
    elif way == 3:
        listed[place]["purpose"] = rng.choice(("operator", "root", "guest", "", None))
    else:
        listed.append(
            {**listed[place], rng.choice(("key", "name", "purpose")): rng.choice(("zoe", "root", listed[other]["key"]))}
        )
    return listed


def head(rng: Random, major: int, argument: int) -> bytes:
    """A head, once in a while longer than need be."""
    shortest = encode(argument) if argument < 1 << 64 else b""
    if rng.random() < 0.02:
        return bytes([major << 5 | 26]) + (argument % (1 << 32)).to_bytes(4, "big")
    return bytes([major << 5 | shortest[0]]) + shortest[1:]


def hostile_claims(rng: Random) -> tuple[str, dict[Any, Any]]:
    """An author and claims, broken in one or two places."""
    author = rng.choice(NAMES)
    base = open_claims(author, c13=rng.choice((None, ["bob"]))) if rng.random() < 0.3 else message_claims(author)
    if rng.random() < 0.3:
        base[7] = [rng.choice((None, ID)), ID, "review", {"a": True, "b": -5, "c": "x"}, rng.choice((None, ID))]
    if rng.random() < 0.3:
        base[12] = body_claim(b"hello")
    if rng.random() < 0.2:
        base[6] = [base[6][0], base[6][1], [[ID, 1, ZEROS], [KID["bob"], 2, ZEROS]]]
    for _ in range(rng.choice((1, 1, 2))):
        label = rng.choice(list(base))
        way = rng.randrange(10)
        if way < 6:
            base[label] = mutate(rng, base[label], JUNK)
        elif way == 6:
            del base[label]
        elif way == 7:
            base[rng.choice([*range(-1, 30), "a"])] = pick(rng, JUNK)
        elif way == 8:
            base[3] = rng.choice((*range(7), 15, 16, 22, 23, 32, 33, 34, 48, 50, 51, 1 << 40))
        else:
            base[17] = bytes(rng.choice((1, 3000, 4096)))
    return author, base


def verifiable(rng: Random) -> tuple[bytes, bytes | None, bytes | None]:
    """An envelope with sound claims and a sound signature, and a body that may be another one, or none, or too much."""
    author = rng.choice(NAMES)
    body = rng.choice((None, b"", b"hello"))
    changes: dict[str, Any] = {} if body is None else {"c12": body_claim(body)}
    if rng.random() < 0.15:
        changes |= {"c1": ID, "c5": [1, ID, 1, ID]}
    envelope = signed(message_claims(author, **changes), author)
    salt: bytes | None = bytes(range(32))
    given = rng.choice((None, body, body, b"jello", b"x"))
    if given is None:
        salt = None
    elif rng.random() < 0.2:
        salt = rng.choice((b"", bytes(31), bytes(32)))
    if rng.random() < 0.1:
        envelope = entry(envelope, body)
    return envelope, given, salt


def hostile_talk(rng: Random) -> tuple[bytes, str | None]:
    """A conversation whose last entries, or whose order, or whose head are not what they should be."""
    members = rng.choice((None, None, sorted(["alice", KID["bob"]], key=encode), [KID["mallory"]]))
    talk = Talk.opened("alice", c13=members)
    for _ in range(rng.randrange(6)):
        talk.say(
            rng.choice(("alice", "bob")), seen=rng.randint(1, len(talk.items)), body=rng.choice((None, None, b"hello"))
        )
    other = Talk.opened("alice", c13=members, c10=5).say("bob").say("alice")
    items = list(talk.items)
    way = rng.randrange(12)
    place = rng.randrange(len(items))
    if way < 5:
        items.append(_hostile_entry(rng, talk))
    elif way == 5:
        del items[place]
    elif way == 6:
        items.insert(place, items[rng.randrange(len(items))])
    elif way == 7:
        rng.shuffle(items)
    elif way == 8:
        items.insert(place, rng.choice(other.items))
    elif way == 9:
        items[place] = break_bytes(rng, items[place])
    elif way == 10:
        items.insert(
            place,
            encode(rng.choice(([2], [3, 1], [4], [0], [5, b"", None], [1, b"", True], [], 7, [1, b"", [b"", b""]]))),
        )
    data = talk.data(items)
    if way == 11:
        header = rng.choice(
            (encode([0, "ama2sec-transcript", rng.choice((0, 2, -1, None))]), break_bytes(rng, data[:22]))
        )
        data = header + data[22:] if rng.random() < 0.5 else data[: rng.randrange(len(data))]
    return data, _some_head(rng, talk, other)


def _hostile_entry(rng: Random, talk: Talk) -> bytes:
    """One more entry, honestly signed, with one of its ties to the history wrong."""
    author = rng.choice(NAMES[:3]) if rng.random() < 0.9 else "warden"
    n = len(talk.items)
    claims = talk.claims(author, seen=rng.randint(1, n))
    label = rng.choice((2, 5, 5, 6, 6, 9, 9, 9, 0))
    if label == 2:
        claims[2] = ID
    elif label == 5:
        claims[5] = [rng.randint(1, n + 2), rng.choice((ID, *talk.prints[1:])), 0, ZEROS]
    elif label == 6:
        parent = rng.choice((ID, *(envelope.message_id for envelope in talk.envelopes)))
        claims[6] = [rng.choice((talk.id, talk.id, ID)), parent, rng.choice(([], [[ID, 1, ID]]))]
    elif label == 9:
        claims[9] = [
            rng.choice((6, 7, 7, 8)),
            rng.choice((0, 1, 2, 5, 1 << 16, (1 << 16) + 1, (1 << 16) + 3, (1 << 32) - 1)),
        ]
    return entry(signed(claims, author), rng.choice((None, None, None, None, b"hello")))


def _some_head(rng: Random, talk: Talk, other: Talk) -> str | None:
    n = len(talk.items)
    return rng.choice(
        (
            None,
            None,
            None,
            talk.head(rng.randint(1, n)),
            f"{n + 1}:{ID.hex()}",
            other.head(rng.randint(1, 3)),
            f"0{n}:{ID.hex()}",
        )
    )
