"""What a light client is told, honest and hostile: the core and the reference give one code, one head, one state, step by step."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

import ama2sec
from ama2sec import Ama2Error, Id, reference
from ama2sec._native import Fingerprint, LightState
from ama2sec.limits import LIGHT_WINDOW, SIZE_END
from ama2sec.reference import Leaves, LightClient, encode, fingerprint, fingerprints, parse
from ama2sec.reference.envelope import public_of_seed
from ama2sec.reference.hashes import node
from ama2sec.reference.realm import make_genesis
from tests.properties import mutation
from tests.realm_world import LAX
from tests.world import KID, ZEROS, Talk, body_claim, directory, directory_view, entry, message_claims, signed

ROOT: Final = b"r" * 32
KEYS = directory()
KEYS.enrol(public_of_seed(ROOT), name="root", purpose="root")
_ENTRIES: Final = [*directory_view(), {"key": public_of_seed(ROOT).hex(), "purpose": "root", "name": "root"}]
_FILE: Final = {"format": "ama2sec-directory", "version": 1, "entries": sorted(_ENTRIES, key=lambda each: each["name"])}
CORE = ama2sec.Directory.from_json(json.dumps(_FILE).encode())._core
ID = b"i" * 32
MEMBERS = sorted([KID["alice"], "bob"], key=encode)
MET: Counter[str] = Counter()
Call = Callable[[], Any]


def told(count: int, talk: Talk | None = None, **changes: Any) -> Talk:
    """A conversation of alice and bob, or what follows ``talk`` in it, with lags of up to four."""
    talk = talk or Talk.opened(**({"c13": MEMBERS} | changes))
    for number in range(len(talk.items), count):
        body = b"hello" if number % 5 == 0 else None
        talk.say(("bob", "alice")[number % 2], seen=max(1, number - number * number % 5), body=body)
    return talk


def forked(talk: Talk, at: int, count: int) -> Talk:
    """The first ``at`` messages of a conversation, and then others."""
    other = Talk(counters={"alice": 40 + at, "bob": 40 + at})
    for envelope in talk.envelopes[:at]:
        other.add(envelope.data)
    return told(count, other)


MAIN = told(24)
TALKS: Final = (MAIN, MAIN, MAIN, MAIN, forked(MAIN, 3, 20), forked(MAIN, 12, 20), told(8, c10=5))


class Line:
    """Messages of which every leaf is known: what proofs are made of."""

    def __init__(self, ids: Sequence[bytes]) -> None:
        self.ids = list(ids)
        self.prints = list(fingerprints(ZEROS, ids[0], ids[0], ids))
        self.leaves = Leaves(self.ids)

    def head(self, size: int) -> reference.Fingerprint:
        return reference.Fingerprint(ZEROS, self.ids[0], self.ids[0], size, self.prints[size])


LINES: Final = {id(talk): Line([each.message_id for each in talk.envelopes]) for talk in TALKS}


def outcome(call: Call) -> tuple[str, Any]:
    try:
        return "ok", call()
    except Ama2Error as fault:
        return fault.code, None


def for_core(head: reference.Fingerprint) -> Fingerprint:
    return Fingerprint(Id(head.realm), Id(head.conversation), Id(head.branch), head.size, Id(head.value))


class Pair:
    """A light client of each implementation, told the same."""

    def __init__(self) -> None:
        self.core: Any = None
        self.light: Any = None
        self.ids: list[bytes] = []

    def ask(self, core: Call, light: Call) -> tuple[str, Any]:
        """The code on which both agree, with what the reference found. What is refused changes nothing."""
        before = self.core and self.core.encode()
        mine, _ = found = outcome(core)
        theirs, other = outcome(light)
        assert mine == theirs
        assert mine not in {"Internal", "Panic"}
        MET[mine] += 1
        if self.core is not None:
            self.check(before if mine != "ok" else None)
        elif mine == "ok":
            self.core, self.light = found[1], other
            self.check(None)
        return mine, other

    def check(self, before: bytes | None) -> None:
        state = self.core.encode()
        assert state == self.light.encode()
        assert before in {None, state}
        assert (self.core.head, self.core.oldest) == (for_core(self.light.head), self.light.oldest)

    def start(self, opening: bytes) -> str:
        code, _ = self.ask(lambda: LightState.start(CORE, opening), lambda: LightClient.start(KEYS, opening))
        if code == "ok":
            self.ids = [self.light.conversation]
        return code

    def join(self, head: reference.Fingerprint, opening: bytes, last: list[bytes], proof: bytes) -> str:
        return self.ask(
            lambda: LightState.join(CORE, for_core(head), opening, last, proof),
            lambda: LightClient.join(KEYS, head, opening, last, proof),
        )[0]

    def receive(self, message: bytes, proof: bytes | None = None) -> str:
        code, found = self.ask(
            lambda: self.core.receive(CORE, message, proof), lambda: self.light.receive(message, proof)
        )
        if code == "ok":
            self.ids.append(found.envelope.message_id)
        return code

    def missing(self, context: bytes | reference.Fingerprint, first: bytes, proof: bytes) -> str:
        if isinstance(context, bytes):
            return self.ask(
                lambda: self.core.missing_by_sender(CORE, context, Id(first), proof),
                lambda: self.light.missing_by_sender(context, first, proof),
            )[0]
        return self.ask(
            lambda: self.core.missing_by_peer(for_core(context), Id(first), proof),
            lambda: self.light.missing_by_peer(context, first, proof),
        )[0]

    def skip(self, head: reference.Fingerprint, extends: bytes, last: list[bytes], proof: bytes) -> str:
        return self.ask(
            lambda: self.core.skip(CORE, for_core(head), extends, last, proof),
            lambda: self.light.skip(head, extends, last, proof),
        )[0]

    def read_again(self) -> None:
        state = self.core.encode()
        self.core, self.light = LightState.parse(state, CORE), LightClient.parse(state, KEYS)
        self.check(state)

    def save(self, stored: bytes) -> str:
        """Over a state that was written earlier, by this client or another one."""
        core, light = LightState.parse(stored, CORE), LightClient.parse(stored, KEYS)
        code, _ = self.ask(lambda: self.core.check_succeeds(core), lambda: reference.check_replaces(light, self.light))
        if code == "ok":
            self.core.mark_kept()
            self.light.mark_kept()
        return code


# -- scripts -------------------------------------------------------------------------------------------------------


class Teller:
    """Tells a pair what a network of honest and hostile peers might, as Hypothesis decides."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.pair = Pair()
        self.stored: list[bytes] = []
        self.fresh = 0

    def number(self, least: int, most: int) -> int:
        found: int = self.draw(st.integers(least, max(least, most)))
        return found

    def one(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def bent(self, data: bytes) -> bytes:
        """The bytes, or once in a while with a bit flipped or the end cut off."""
        if not data or self.number(0, 9):
            return data
        place = self.number(0, len(data) - 1)
        return self.one(data[:place], data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])

    def proof(self, make: Callable[..., bytes], leaves: Leaves, *numbers: int) -> bytes:
        """Of the claim, of one like it, or none at all."""
        if not self.number(0, 7):
            numbers = tuple(number + self.one(-1, 0, 1) for number in numbers)
        code, made = outcome(lambda: make(leaves, *numbers))
        return self.bent(made) if code == "ok" else b""

    def scope(self, head: reference.Fingerprint) -> reference.Fingerprint:
        if self.number(0, 9):
            return head
        names = self.one(("realm",), ("conversation",), ("branch",), ("conversation", "branch"), ("value",))
        return replace(head, **dict.fromkeys(names, ID))

    def begin(self) -> None:
        talk = self.one(*TALKS)
        if self.number(0, 1):
            opening = self.one(*(talk.items[0],) * 6, talk.envelopes[0].data, talk.items[1], _CLOSED)
            self.pair.start(self.bent(opening))
            return
        head, last, shown = self.last_of(talk, self.number(1, len(talk.items) - 4))
        opening = self.one(*(talk.items[0],) * 8, talk.items[1], TALKS[-1].items[0], _CLOSED)
        if self.pair.join(self.scope(head), opening, last, shown) == "ok":
            self.pair.ids = LINES[id(talk)].ids[: head.size]

    def last_of(self, talk: Talk, size: int) -> tuple[reference.Fingerprint, list[bytes], bytes]:
        line, begin = LINES[id(talk)], max(0, size - self.number(1, 4))
        end = self.one(*(size,) * 8, max(begin + 1, size - 1))
        last = talk.items[begin:end]
        last = self.one(*(last,) * 10, last[::-1], last[1:], [*last[:-1], _GENESIS])
        return line.head(size), last, self.proof(reference.prove_range, line.leaves, begin, end, size)

    def receive(self) -> None:
        line, size = Line(self.pair.ids), len(self.pair.ids)
        talk = self.one(*TALKS)
        place = self.one(*(size,) * 6, *range(len(talk.items)))
        message = talk.items[min(place, len(talk.items) - 1)]
        if self.number(0, 2) == 0:
            message = self.forged(line)
        seen = parse(message).claims.size
        proof = self.proof(reference.prove_consistency, line.leaves, seen, size)
        needed = seen < self.pair.light.oldest
        self.pair.receive(self.bent(message), self.one(*((proof,) * 5 if needed else ()), None, None, None, proof))

    def forged(self, line: Line) -> bytes:
        """A message by somebody who knows all, with some claim of his choice."""
        author = self.one("alice", "alice", "bob", "bob", "mallory", "warden")
        size, conversation = len(line.ids), line.ids[0]
        n = self.number(1, size + 1)
        known = min(n, size)
        self.fresh += 1
        changes: dict[str, Any] = {
            "c2": conversation,
            "c5": [n, line.prints[known], 0, ZEROS],
            "c6": [conversation, line.ids[known - 1], []],
            "c9": [self.one(7, 8, 8, 8, 9), self.fresh],
        }
        changes |= self.one(
            *({},) * 6,
            {"c2": ID},
            {"c5": [known, ID, 0, ZEROS]},
            {"c6": [ID, line.ids[known - 1], []]},
            {"c6": [conversation, ID, []]},
            {"c6": [conversation, line.ids[known - 1], [[ID, 1, ID]]]},
            {"c9": [8, self.one(0, 1 << 16, (1 << 16) + 1)]},
            {"c1": ID, "c5": [1, ID, 1, ID]},
        )
        body = self.one(None, None, b"jello")
        return entry(signed(message_claims(author, c12=self.one(None, body_claim(b"jello")), **changes), author), body)

    def missing(self) -> None:
        size, talk = len(self.pair.ids), self.one(*TALKS)
        line = LINES[id(talk)]
        first = line.ids[self.one(*(min(size, len(line.ids) - 1),) * 8, 0)]
        place = self.number(min(size, len(line.ids) - 1), len(line.ids) - 1)
        context: bytes | reference.Fingerprint = self.scope(line.head(place + 1))
        seen = place + 1
        if self.number(0, 1):
            context = self.one(*(talk.items[place],) * 8, talk.items[0], self.forged(line), _GENESIS)
            seen = parse(context).claims.size
        self.pair.missing(context, first, self.proof(reference.prove_inclusion, line.leaves, size, seen))

    def skip(self) -> None:
        size, talk = len(self.pair.ids), self.one(*TALKS)
        line = LINES[id(talk)]
        ahead = self.one(*(self.number(size, len(line.ids)),) * 4, self.number(1, len(line.ids)))
        head, last, shown = self.last_of(talk, min(ahead, len(line.ids)))
        extends = self.proof(reference.prove_consistency, line.leaves, size, head.size)
        if self.pair.skip(self.scope(head), extends, last, shown) == "ok":
            self.pair.ids = line.ids[: head.size]

    def keep(self) -> None:
        """Read what was written, or write over what was written before; a state for later tellers stays."""
        if self.number(0, 1):
            self.pair.read_again()
        elif self.pair.save(self.one(*self.stored, *_STORED, self.pair.core.encode())) == "ok":
            self.stored.append(self.pair.core.encode())


def _joined_state(talk: Talk, size: int) -> bytes:
    line = LINES[id(talk)]
    proof = reference.prove_range(line.leaves, size - 1, size, size)
    return LightClient.join(KEYS, line.head(size), talk.items[0], [talk.items[size - 1]], proof).encode()


_GENESIS: Final = make_genesis("acme", [ROOT], b"q" * 32, dict(LAX), 1, 5, bytes(16))
_CLOSED: Final = Talk.opened(c13=["bob"]).items[0]
_STORED: Final = [_joined_state(talk, size) for talk in TALKS[3:] for size in (1, 4, 8)]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_what_a_client_is_told(data: st.DataObject) -> None:
    teller = Teller(data.draw)
    while teller.pair.core is None and teller.number(0, 3):
        teller.begin()
    if teller.pair.core is not None:
        for _ in range(teller.number(1, 10)):
            teller.one(teller.receive, teller.receive, teller.receive, teller.missing, teller.skip, teller.keep)()


def test_enough_was_met() -> None:
    """Whatever Hypothesis drew: a comparison that never gets past the first check would compare nothing."""
    rng = Random(2026)

    class _Drawn:
        def __call__(self, choices: Any) -> Any:
            return choices(rng)

    class _Quick(Teller):
        def number(self, least: int, most: int) -> int:
            return rng.randint(least, max(least, most))

        def one(self, *choices: Any) -> Any:
            return rng.choice(choices)

    MET.clear()
    for _ in range(120):
        teller = _Quick(_Drawn())
        while teller.pair.core is None:
            teller.begin()
        for _ in range(10):
            teller.one(teller.receive, teller.receive, teller.receive, teller.missing, teller.skip, teller.keep)()
    assert MET["ok"] > sum(MET.values()) / 5, MET
    assert set(MET) >= {
        *("OpenMissing", "OpenAgain", "ConversationOther", "NotAMember", "SeqUsed", "SeqWindow", "BranchUnknown"),
        *("ContextAhead", "ContextForked", "MergeNotBuilt", "NeedsProof", "RealmOther", "PurposeWrong"),
        *("ProofForm", "ProofClaim", "ProofRoot", "ConsistencyRoot", "HeadStale", "HeadForked"),
        *("ArgumentRange", "BodyMismatch", "BodyUnexpected", "SignatureInvalid"),
    }, MET


# -- directed ------------------------------------------------------------------------------------------------------


def test_beyond_the_window() -> None:
    """A conversation of more than 1,024 messages: what is forgotten needs a proof, and what is known takes none."""
    talk = Talk.opened()
    for number in range(LIGHT_WINDOW + 4):
        talk.say(("alice", "bob")[number % 2], seen=max(1, number - 2))
    pair = Pair()
    pair.start(talk.items[0])
    for item in talk.items[1:]:
        pair.core.receive(CORE, item, None)
        pair.ids.append(pair.light.receive(item).envelope.message_id)
        assert pair.core.head == for_core(pair.light.head)
    pair.check(None)
    line, size = Line(pair.ids), len(pair.ids)
    assert pair.light.oldest == size - LIGHT_WINDOW + 1
    for seen in range(1, 9):
        known = seen >= size - LIGHT_WINDOW + 1
        late = entry(signed(talk.claims("mallory", seen), "mallory"))
        proof = reference.prove_consistency(line.leaves, seen, size)
        assert pair.receive(late, proof if known else None) == ("ProofClaim" if known else "NeedsProof")
    assert pair.receive(late) == "ok"
    late = entry(signed(talk.claims("mallory", 1), "mallory"))
    assert pair.receive(late, proof) == "ProofClaim"
    assert pair.receive(late, reference.prove_consistency(Line(pair.ids).leaves, 1, size + 1)) == "ok"
    joined = Pair()
    assert joined.join(line.head(size), talk.items[0], talk.items, reference.prove_range(line.leaves, 0, size)) == "ok"
    assert joined.light.oldest == size - LIGHT_WINDOW + 1
    joined.read_again()


def test_the_largest_size() -> None:
    """A tree of as many leaves as there can be, each of them the open."""
    leaf, size = MAIN.id, SIZE_END - 2
    peaks = [leaf]
    for _ in range(47):
        peaks.append(node(peaks[-1], peaks[-1]))
    hashes = peaks[:1:-1]  # size - 1 = 2^48 - 3: all bits but the second
    before = reference.CompactRange(size - 1, [*hashes, leaf])
    before.append(leaf)
    root = before.root() or b""
    head = reference.Fingerprint(ZEROS, leaf, leaf, size, fingerprint(ZEROS, leaf, leaf, size, root))
    proof = b"a2p\1\3\1" + b"".join(n.to_bytes(6, "big") for n in (size - 1, size, size)) + b"".join([*hashes, leaf])
    pair = Pair()
    assert pair.join(head, MAIN.items[0], MAIN.items[:1], proof) == "ok"
    for number, expected in enumerate(("ok", "SizeLimit")):
        now = pair.light.head
        changes = {"c2": leaf, "c5": [now.size, now.value, 0, ZEROS], "c6": [leaf, pair.light._known[-1][0], []]}
        assert pair.receive(entry(signed(message_claims("bob", c9=[9, number], **changes), "bob"))) == expected
    pair.read_again()


def test_a_genesis_is_no_message() -> None:
    talk = told(6, c10=7, c13=None)
    line, pair = Line([each.message_id for each in talk.envelopes]), Pair()
    assert pair.start(_GENESIS) == "OpenMissing"
    proof = reference.prove_range(line.leaves, 4, 5)
    assert pair.join(line.head(5), talk.items[0], [_GENESIS], proof) == "ProofClaim"
    strange = Line([talk.id, parse(_GENESIS).message_id])
    assert pair.join(strange.head(2), talk.items[0], [_GENESIS], reference.prove_range(strange.leaves, 1, 2)) == (
        "ConversationOther"
    )
    pair.start(talk.items[0])
    assert pair.receive(_GENESIS) == "ConversationOther"
    assert pair.missing(_GENESIS, ID, b"") == "ProofForm"
    assert pair.missing(_GENESIS, ID, reference.prove_inclusion(line.leaves, 1, 5)) == "ProofClaim"
    assert pair.missing(talk.items[0], ID, b"") == "ArgumentRange"


def test_an_authors_number_only_rises() -> None:
    """Where a trusted history has an older number behind a newer one, the highest is what both keep."""
    talk = Talk.opened()
    for number in (5, 4, 3):
        talk.say("bob", c9=[9, number])
    line, pair, joined = Line([each.message_id for each in talk.envelopes]), Pair(), Pair()
    pair.start(talk.items[0])
    assert pair.receive(talk.items[1]) == "ok"
    shown = talk.items[2:], reference.prove_range(line.leaves, 2, 4)
    assert joined.join(line.head(4), talk.items[0], *shown) == "ok"
    assert pair.skip(line.head(4), reference.prove_consistency(line.leaves, 2, 4), *shown) == "ok"
    for one, highest in ((pair, 5), (joined, 4)):
        for number, expected in ((highest, "SeqUsed"), (highest + 1, "ok")):
            assert one.receive(entry(signed(talk.claims("bob", 4, c9=[9, number]), "bob"))) == expected


# -- state files ---------------------------------------------------------------------------------------------------


def state_code(data: bytes) -> str:
    """Both read it, and write it again as it was, or both give one code."""
    mine, core = outcome(lambda: LightState.parse(data, CORE))
    theirs, light = outcome(lambda: LightClient.parse(data, KEYS))
    assert mine == theirs, data.hex()
    if mine == "ok":
        assert core.encode() == light.encode() == data
    return mine


def summed(state: bytes) -> bytes:
    return state + hashlib.sha256(state).digest()


def test_every_bit_of_a_state_file() -> None:
    state = _joined_state(MAIN, 3)
    for place in range(len(state)):
        for bit in range(8):
            broken = state[:place] + bytes([state[place] ^ 1 << bit]) + state[place + 1 :]
            assert state_code(broken) == "StateForm"
            if bit == place % 8 and place < len(state) - 32:
                MET["state " + state_code(summed(broken[:-32]))] += 1
    assert all(MET[f"state {code}"] for code in ("SignatureInvalid", "StateForm", "ok"))


def test_states_that_say_something_else() -> None:
    codes: Counter[str] = Counter()
    bases = [reference.decode(state[:-32]) for state in _STORED[:4]]
    openings = [parse(_CLOSED).data, MAIN.envelopes[1].data, MAIN.items[0], MAIN.envelopes[0].data[:-1], _GENESIS, b""]
    for number in range(1500):
        rng = Random(number)
        value: Any = mutation.mutate(rng, rng.choice(bases), [*mutation.JUNK, [ID, ID], [ID, 1, 1]])
        if number % 4 == 0 and isinstance(value, list) and len(value) > 2:
            value[2] = openings[number // 4 % 6]
        codes[state_code(summed(encode(value)))] += 1
    assert {"ok", "StateForm", "OpenMissing", "NotAMember", "EnvelopeForm", "Truncated"} <= {*codes}, codes


def test_the_bounds_of_a_state_are_judged_before_its_open() -> None:
    """And what must hold between its parts after it (proofs.5.5)."""
    good = reference.decode(_joined_state(MAIN, 3)[:-32])
    forged = good[2][:-1] + bytes([good[2][-1] ^ 1])
    for place, other, expected in (
        (4, [ID] * 48, "SignatureInvalid"),
        (4, [ID] * 49, "StateForm"),
        (5, [[ID, ID]] * LIGHT_WINDOW, "SignatureInvalid"),
        (5, [[ID, ID]] * (LIGHT_WINDOW + 1), "StateForm"),
        (5, [], "SignatureInvalid"),
        (6, [[ID, 1, 1]] * 2, "SignatureInvalid"),
        (6, [[ID, (1 << 48) - 1, (1 << 32) - 1]], "SignatureInvalid"),
        (6, [[ID, 1 << 48, 1]], "StateForm"),
        (6, [[ID, 1, 1 << 32]], "StateForm"),
        (3, SIZE_END - 1, "SignatureInvalid"),
        (3, SIZE_END, "StateForm"),
        (3, 0, "StateForm"),
    ):
        value = [*good[:2], forged, *good[3:]]
        value[place] = other
        assert state_code(summed(encode(value))) == expected, (place, expected)
        value[2] = good[2]
        assert state_code(summed(encode(value))) == (
            "ok" if place == 6 and expected != "StateForm" and len(other) == 1 else "StateForm"
        )
