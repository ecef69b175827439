"""The reference's light client: each step of proofs.5, its refusal, and that a refusal changes nothing."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from ama2sec.errors import Ama2Error
from ama2sec.limits import LIGHT_WINDOW, MAX_LIGHT_STATE, SIZE_END
from ama2sec.reference import (
    Directory,
    Fingerprint,
    Leaves,
    LightClient,
    Missing,
    check_replaces,
    decode,
    encode,
    fingerprint,
    prove_consistency,
    prove_inclusion,
    prove_range,
    verify,
)
from ama2sec.reference.hashes import node
from ama2sec.reference.proof_form import RANGE, spans
from tests.world import KID, ZEROS, Talk, directory, entry, message_claims, signed

KNOWN = directory()
ID = b"i" * 32
MEMBERS = sorted([KID["alice"], "bob"], key=encode)


def told(count: int = 20, **changes: Any) -> Talk:
    """A conversation of alice and bob, each with a lag of two."""
    talk = Talk.opened(c13=MEMBERS, **changes)
    for number in range(1, count):
        talk.say(("bob", "alice")[number % 2], seen=max(1, number - 2), body=b"hello" if number % 5 == 0 else None)
    return talk


TALK = told()
OTHER = told(4, c10=5)


def forked(at: int, count: int) -> Talk:
    """The first ``at`` messages of ``TALK``, and others."""
    talk = Talk(counters={"alice": 40, "bob": 40})
    for each in TALK.envelopes[:at]:
        talk.add(each.data)
    for _ in range(at, count):
        talk.say("bob", seen=at)
    return talk


def leaves(talk: Talk) -> Leaves:
    return Leaves([each.message_id for each in talk.envelopes])


def head(talk: Talk, size: int) -> Fingerprint:
    return Fingerprint(ZEROS, talk.id, talk.id, size, talk.prints[size])


def followed(size: int, talk: Talk = TALK) -> LightClient:
    client = LightClient.start(KNOWN, talk.items[0])
    for item in talk.items[1:size]:
        client.receive(item)
    return client


def joined(size: int, count: int = 1, talk: Talk = TALK) -> LightClient:
    proof = prove_range(leaves(talk), size - count, size, size)
    return LightClient.join(KNOWN, head(talk, size), talk.items[0], talk.items[size - count : size], proof)


def code(call: Any, *given: Any) -> str:
    """The code; where it is an error, the client that was asked is as it was."""
    client = getattr(call, "__self__", None)
    before = client.encode() if isinstance(client, LightClient) else b""
    try:
        call(*given)
    except Ama2Error as fault:
        assert not before or client.encode() == before
        return fault.code
    return "ok"


def after(client: LightClient, talk: Talk = TALK, author: str = "alice", seen: int = 1, **changes: Any) -> bytes:
    """One more message for a client, by one who has seen ``seen`` messages of ``talk``."""
    claims = talk.claims(author, seen, **({"c9": [8, client.size]} | changes))
    return entry(signed(claims, author))


# -- it starts, joins, and follows: 5.1, 5.2 -----------------------------------------------------------------------


def test_it_follows_and_holds_the_same_head() -> None:
    client = LightClient.start(KNOWN, TALK.envelopes[0].data)
    for size in range(1, 20):
        assert (client.head, client.size, client.oldest) == (head(TALK, size), size, 1)
        assert client.receive(TALK.items[size]).sender.name in {"alice", "bob"}
    assert client.head == head(TALK, 20)


@pytest.mark.parametrize("count", [1, 2, 7, 19])
def test_it_joins_at_a_head_and_follows_from_there(count: int) -> None:
    for size in range(count, 20):
        client = joined(size, count)
        assert (client.head, client.oldest) == (head(TALK, size), size - count + 1)
        late = TALK.envelopes[size].claims.size
        proof = prove_consistency(leaves(TALK), late, size) if late < client.oldest else None
        if proof is not None:
            assert code(client.receive, TALK.items[size]) == "NeedsProof"
        client.receive(TALK.items[size], proof)
        assert client.head == head(TALK, size + 1)


def test_what_it_does_not_start_with() -> None:
    start = LightClient.start
    assert code(start, KNOWN, TALK.items[1]) == "OpenMissing"
    assert code(start, Directory(), TALK.items[0]) == "KeyUnknown"
    assert code(start, KNOWN, Talk.opened(c13=["bob"]).items[0]) == "NotAMember"
    assert code(start, KNOWN, TALK.items[0][:-1]) == "Truncated"
    assert code(start, KNOWN, bytearray(TALK.items[0])) == "NotBytes"


def test_what_it_does_not_join() -> None:
    good = head(TALK, 9)
    last, proof = TALK.items[7:9], prove_range(leaves(TALK), 7, 9, 9)

    def join(
        at: Fingerprint = good, opening: bytes = TALK.items[0], given: list[bytes] = last, shown: bytes = proof
    ) -> str:
        return code(LightClient.join, KNOWN, at, opening, given, shown)

    assert join() == "ok"
    assert join(opening=TALK.items[1], given=[b"", b""]) == "Truncated"  # every message is verified first
    assert join(opening=TALK.items[1]) == "OpenMissing"
    assert join(opening=Talk.opened(c13=["bob"]).items[0]) == "NotAMember"
    assert join(replace(good, realm=ID, conversation=ID, branch=ID)) == "RealmOther"
    assert join(replace(good, conversation=ID, branch=ID)) == "ConversationOther"
    assert join(opening=OTHER.items[0]) == "ConversationOther"
    assert join(replace(good, branch=ID), shown=b"") == "BranchUnknown"
    assert join(shown=proof[:-1]) == "ProofForm"
    assert join(shown=prove_inclusion(leaves(TALK), 8, 9)) == "ProofClaim"
    assert join(shown=prove_range(leaves(TALK), 7, 9, 10)) == "ProofClaim"
    assert join(given=last[:1]) == "ArgumentRange"
    assert join(given=last[::-1]) == "ProofRoot"
    assert join(replace(good, value=ID)) == "ProofRoot"
    assert join(given=last[:1], shown=prove_range(leaves(TALK), 7, 8, 9)) == "ProofClaim"


def test_the_last_messages_are_of_this_conversation() -> None:
    """Even where a fingerprint that is trusted by mistake has others."""
    strange = Talk()
    strange.add(TALK.envelopes[0].data)
    strange.add(OTHER.envelopes[1].data)
    assert code(joined, 2, 1, strange) == "ConversationOther"


@pytest.mark.parametrize(
    ("expected", "author", "changes"),
    [
        ("ok", "alice", {}),
        ("ConversationOther", "mallory", {"c2": ID}),
        ("NotAMember", "mallory", {"c9": [0, 1 << 20]}),
        ("SeqUsed", "alice", {"c9": [7, 1], "c6": [ID, ID, []]}),
        ("SeqWindow", "alice", {"c9": [8, (1 << 16) + 1], "c6": [ID, ID, []]}),
        ("BranchUnknown", "alice", {"c5": [11, ID, 0, ZEROS], "c6": [ID, ID, []]}),
        ("ContextAhead", "alice", {"c5": [11, ID, 0, ZEROS]}),
        ("ContextForked", "alice", {"c5": [9, ID, 0, ZEROS]}),
        ("ContextForked", "alice", {"c6": [TALK.id, ID, [[ID, 1, ID]]]}),
        ("MergeNotBuilt", "alice", {"c6": [TALK.id, TALK.id, [[ID, 1, ID]]]}),
        ("RealmOther", "mallory", {"c1": ID, "c5": [1, ID, 1, ID]}),
        ("PurposeWrong", "warden", {}),
    ],
)
def test_the_steps_for_the_next_message(expected: str, author: str, changes: dict[str, Any]) -> None:
    client = followed(10)
    assert code(client.receive, after(client, author=author, **changes)) == expected


def test_another_open_and_the_same_message_again() -> None:
    client = followed(10)
    assert code(client.receive, TALK.items[0]) == "OpenAgain"
    assert code(client.receive, OTHER.items[0]) == "OpenAgain"
    assert code(client.receive, TALK.items[9]) == "SeqUsed"
    assert code(client.receive, entry(TALK.envelopes[10].data, b"jello")) == "BodyMismatch"
    assert code(client.receive, TALK.envelopes[10].data) == "ok"  # the body is withheld


def test_a_sender_who_is_late_brings_a_proof() -> None:
    client = joined(10, 3)  # knows the sizes 8 to 10
    right = prove_consistency(leaves(TALK), 7, 10)
    late = after(client, seen=7)
    assert code(client.receive, late) == "NeedsProof"
    assert code(client.receive, late, b"") == "ProofForm"
    assert code(client.receive, late, prove_consistency(leaves(TALK), 6, 10)) == "ProofClaim"
    assert code(client.receive, late, right[:-1] + b"x") == "ProofRoot"
    assert code(client.receive, after(client, seen=7, c5=[7, ID, 0, ZEROS]), right) == "ConsistencyRoot"
    assert code(client.receive, after(client, seen=8, c6=[TALK.id, ID, []]), right) == "ProofClaim"
    assert code(client.receive, after(client, seen=8, c5=[11, ID, 0, ZEROS]), right) == "ContextAhead"
    merging = after(client, seen=7, c6=[TALK.id, ID, [[ID, 1, ID]]])
    assert code(client.receive, merging) == "NeedsProof"
    assert code(client.receive, merging, right) == "MergeNotBuilt"
    # The fingerprint binds the parent, which is not looked at.
    assert code(client.receive, after(client, seen=7, c6=[TALK.id, ID, []]), right) == "ok"


def test_it_knows_1024_sizes() -> None:
    messages = [
        TALK.items[0],
        *(entry(signed(TALK.claims("bob", 1, c9=[9, i]), "bob")) for i in range(LIGHT_WINDOW + 1)),
    ]
    ids = [TALK.id, *(verify(each, KNOWN).envelope.message_id for each in messages[1:])]
    client = LightClient.start(KNOWN, messages[0])
    for each in messages[1:LIGHT_WINDOW]:
        client.receive(each)
    assert (client.size, client.oldest) == (LIGHT_WINDOW, 1)
    client.receive(messages[LIGHT_WINDOW])
    assert (client.size, client.oldest) == (LIGHT_WINDOW + 1, 2)
    late = messages[LIGHT_WINDOW + 1]
    assert code(client.receive, late) == "NeedsProof"
    assert code(client.receive, late, prove_consistency(Leaves(ids), 1, LIGHT_WINDOW + 1)) == "ok"
    size = LIGHT_WINDOW + 2
    tree = Leaves(ids)
    at = Fingerprint(ZEROS, TALK.id, TALK.id, size, fingerprint(ZEROS, TALK.id, TALK.id, size, tree.root(0, size)))
    whole = LightClient.join(KNOWN, at, messages[0], messages, prove_range(tree, 0, size))
    assert (whole.head, whole.oldest) == (client.head, 3)
    assert whole.encode() == client.encode()
    assert LightClient.parse(whole.encode(), KNOWN).oldest == 3


class _Vast:
    """As many leaves as are asked for, each of them the open."""

    tree = 1
    size = SIZE_END - 1

    def root(self, begin: int, end: int) -> bytes:
        peak, found, size = TALK.id, None, end - begin
        while size:
            if size & 1:
                found = peak if found is None else node(peak, found)
            peak, size = node(peak, peak), size >> 1
        assert found is not None
        return found


def test_sizes_end() -> None:
    size = SIZE_END - 2
    at = Fingerprint(ZEROS, TALK.id, TALK.id, size, fingerprint(ZEROS, TALK.id, TALK.id, size, _Vast().root(0, size)))
    client = LightClient.join(KNOWN, at, TALK.items[0], TALK.items[:1], prove_range(_Vast(), size - 1, size, size))
    assert len(spans(RANGE, (size - 1, size, size))) == (size - 1).bit_count()
    for epoch, expected in enumerate(("ok", "SizeLimit"), start=8):
        now = client.head
        late = after(client, c9=[epoch, 0], c5=[now.size, now.value, 0, ZEROS], c6=[TALK.id, client._known[-1][0], []])
        assert code(client.receive, late) == expected
    assert LightClient.parse(client.encode(), KNOWN).size == SIZE_END - 1


# -- what was missed: 5.3 ------------------------------------------------------------------------------------------


def test_what_was_missed_by_a_sender_or_a_peer() -> None:
    client = followed(10)
    late = TALK.items[19]
    assert code(client.receive, late) == "ContextAhead"
    seen = TALK.envelopes[19].claims.size
    first, proof = TALK.envelopes[10].message_id, prove_inclusion(leaves(TALK), 10, seen)
    assert client.missing_by_sender(late, first, proof) == Missing(first, 10, head(TALK, seen), "sender")
    proof = prove_inclusion(leaves(TALK), 10, 20)
    assert client.missing_by_peer(head(TALK, 20), first, proof) == Missing(first, 10, head(TALK, 20), "peer")
    assert code(client.missing_by_peer, head(TALK, 20), ID, proof) == "ProofRoot"
    assert code(client.missing_by_peer, head(TALK, 19), first, proof) == "ProofClaim"
    assert code(client.missing_by_peer, head(TALK, 20), first, prove_inclusion(leaves(TALK), 11, 20)) == "ProofClaim"
    assert code(client.missing_by_peer, head(TALK, 20), first, prove_range(leaves(TALK), 10, 11, 20)) == "ProofClaim"
    assert code(client.missing_by_peer, replace(head(TALK, 20), realm=ID), first, proof) == "ProofClaim"
    assert code(client.missing_by_peer, replace(head(TALK, 20), conversation=ID), first, proof) == "ProofClaim"
    assert code(client.missing_by_peer, replace(head(TALK, 20), branch=ID), first, proof) == "ProofRoot"
    assert code(client.missing_by_peer, head(TALK, 20), first, proof[:-1]) == "ProofForm"


def test_who_may_say_what_was_missed() -> None:
    client = followed(10)
    assert code(client.missing_by_sender, entry(signed(message_claims("mallory"), "mallory")), ID, b"") == "NotAMember"
    assert code(client.missing_by_sender, OTHER.items[0], ID, b"") == "ArgumentRange"
    assert code(client.missing_by_sender, OTHER.items[1], ID, b"") == "ProofForm"
    proof = prove_inclusion(leaves(TALK), 10, 20)
    assert code(client.missing_by_sender, OTHER.items[3], ID, proof) == "ProofClaim"
    assert code(client.missing_by_sender, TALK.items[3], ID, proof) == "ProofClaim"


@pytest.mark.parametrize(("at", "part"), [(7, "leaves 0 to 8"), (8, "leaves 8 to 12"), (12, "leaves 12 to 13")])
def test_a_fork_is_told_from_a_gap(at: int, part: str) -> None:
    client, fork = followed(13), forked(at, 16)
    proof = prove_inclusion(leaves(fork), 13)
    with pytest.raises(Ama2Error) as caught:
        client.missing_by_peer(head(fork, 16), fork.envelopes[13].message_id, proof)
    assert caught.value.code == "ContextForked"
    assert caught.value.expected.startswith(part)


# -- a later head: 5.4 ---------------------------------------------------------------------------------------------


def test_it_skips_ahead() -> None:
    client = followed(6)
    extends, proof = prove_consistency(leaves(TALK), 6, 15), prove_range(leaves(TALK), 12, 15, 15)
    client.skip(head(TALK, 15), extends, TALK.items[12:15], proof)
    assert (client.head, client.oldest) == (head(TALK, 15), 13)
    assert client.encode() == joined(15, 3).encode()
    for item in TALK.items[15:]:
        client.receive(item)
    assert client.head == head(TALK, 20)


def test_what_it_does_not_skip_to() -> None:
    client, fork = followed(6), forked(4, 16)
    good = head(TALK, 15)
    right, last, shown = (
        prove_consistency(leaves(TALK), 6, 15),
        TALK.items[14:15],
        prove_range(leaves(TALK), 14, 15, 15),
    )

    def skip(at: Fingerprint, extends: bytes = b"", given: list[bytes] = last, proof: bytes = shown) -> str:
        return code(client.skip, at, extends, given, proof)

    assert skip(good, given=[b"\xd2"]) == "Truncated"
    assert skip(head(TALK, 5)) == "HeadStale"
    assert skip(head(fork, 6)) == "HeadForked"
    assert skip(replace(good, branch=ID)) == "BranchUnknown"
    assert skip(good) == "ProofForm"
    assert skip(good, right[:-1] + b"x") == "ProofRoot"
    assert skip(head(fork, 15), prove_consistency(leaves(fork), 6, 15)) == "ConsistencyRoot"
    assert skip(good, right, TALK.items[13:14]) == "ProofRoot"
    assert skip(good, right, last, prove_range(leaves(TALK), 13, 14, 15)) == "ProofRoot"
    assert skip(good, right, TALK.items[13:14], prove_range(leaves(TALK), 13, 14, 15)) == "ProofClaim"
    assert skip(head(TALK, 6), b"", [], b"") == "ok"  # the same head: nothing is looked at
    assert client.encode() == followed(6).encode()
    assert skip(good, right) == "ok"


def test_a_skip_forgets_no_author() -> None:
    client, proof = followed(6), prove_range(leaves(TALK), 14, 15, 15)
    client.skip(head(TALK, 15), prove_consistency(leaves(TALK), 6, 15), TALK.items[14:15], proof)
    assert [len(value_of(each)[6]) for each in (client, joined(15))] == [2, 1]


def test_a_number_that_was_known_does_not_go_back() -> None:
    """A history that is trusted may have an older number behind a newer one: a replay that nobody could tell (5.7)."""
    talk = Talk.opened(c13=MEMBERS)
    for number in (5, 4, 3):
        talk.say("bob", c9=[9, number])
    client = followed(2, talk)
    skip = prove_consistency(leaves(talk), 2, 4), talk.items[2:], prove_range(leaves(talk), 2, 4, 4)
    client.skip(head(talk, 4), *skip)
    assert value_of(client)[6] == [[KID["bob"], 9, 5]]
    assert value_of(joined(4, 2, talk))[6] == [[KID["bob"], 9, 4]]
    assert code(client.receive, after(client, talk, "bob", 4, c9=[9, 5])) == "SeqUsed"


# -- the state file: 5.5 -------------------------------------------------------------------------------------------


def summed(value: Any) -> bytes:
    state = encode(value)
    return state + hashlib.sha256(state).digest()


def value_of(client: LightClient) -> Any:
    return decode(client.encode()[:-32])


def parse_code(data: bytes) -> str:
    return code(LightClient.parse, data, KNOWN)


def test_the_state_file() -> None:
    client = followed(11)
    ids = [each.message_id for each in TALK.envelopes]
    tree = Leaves(ids)
    wanted = [
        *("ama2sec-lightclient", 1, TALK.envelopes[0].data, 11),
        [tree.root(0, 8), tree.root(8, 10), ids[10]],
        [[ids[i], TALK.prints[i + 1]] for i in range(11)],
        sorted([KID[name], *max(e.claims.seq or (0, 0) for e in TALK.envelopes[:11] if e.kid == KID[name])] for name in ("alice", "bob")),
    ]  # fmt: skip
    assert client.encode() == summed(wanted)
    again = LightClient.parse(client.encode(), KNOWN)
    assert again.encode() == client.encode()
    assert (again.head, again.oldest) == (client.head, 1)
    again.receive(TALK.items[11])
    assert again.head == head(TALK, 12)


def test_every_bit_of_it_and_every_cut() -> None:
    data = joined(6, 2).encode()
    for place in range(len(data)):
        assert parse_code(data[:place]) == "StateForm"
        for bit in range(8):
            assert parse_code(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]) == "StateForm"
    assert parse_code(data + b"\0") == "StateForm"
    assert parse_code(bytes(MAX_LIGHT_STATE + 1)) == "StateForm"
    assert code(LightClient.parse, bytearray(data), KNOWN) == "NotBytes"
    assert code(LightClient.parse, data, Directory()) == "KeyUnknown"


@pytest.mark.parametrize(
    ("place", "other"),
    [
        *((0, other) for other in ("ama2sec-lightclients", b"ama2sec-lightclient", 1)),
        *((1, other) for other in (0, 2, True, "1")),
        *((2, other) for other in ("", None, [])),
        *((3, other) for other in (0, 5, 7, 10, -6, True, SIZE_END, SIZE_END + 6, b"\6")),
        *((4, other) for other in ([], [ID], [ID, ID], [ID] * 3, [ID, ID[:31]], [ID, None], {}, None)),
        *((5, other) for other in ([], [[ID, ID]] * 7, [[ID, ID]], [[ID]], [[ID, ID, ID]], [[ID, 1]], [ID], None, {})),
        *((6, other) for other in ([[ID, 1]], [[ID, 1, 1, 1]], [[ID[1:], 1, 1]], [[ID, 1 << 48, 1]], [[ID, 1, 1 << 32]])),
        *((6, other) for other in ([[ID, -1, 1]], [[ID, 1, True]], [[ID, 1, 1]] * 2, [[ID, 1, 1], [KID["bob"][:0], 1, 1]], None)),
        (6, [[ID, 1, 1], [b"h" * 32, 1, 1]]),
    ],
)  # fmt: skip
def test_what_is_no_state(place: int, other: Any) -> None:
    value = value_of(joined(6, 2))
    assert parse_code(summed(value)) == "ok"
    value[place] = other
    assert parse_code(summed(value)) == "StateForm"


def test_no_state_of_another_length_and_the_open_is_verified_again() -> None:
    value = value_of(followed(6))
    for wrong in (value[:-1], [*value, None], {1: 1}, 1):
        assert parse_code(summed(wrong)) == "StateForm"
    state = encode(value) + b"\0"
    assert parse_code(state + hashlib.sha256(state).digest()) == "StateForm"
    for expected, opening in (
        ("StateForm", OTHER.envelopes[0].data),  # sound, and the fingerprints are another conversation's
        ("OpenMissing", TALK.envelopes[1].data),
        ("NotAMember", Talk.opened(c13=["bob"]).envelopes[0].data),
        ("SignatureInvalid", TALK.envelopes[0].data[:-40] + b"x" + TALK.envelopes[0].data[-39:]),
        ("EnvelopeForm", TALK.items[0]),  # an envelope, not the entry around it
        ("Truncated", b""),
    ):
        # The form is judged before the open, and what follows from the open's id after it.
        for fault, rest in (
            ("StateForm", [value[3], value[4], value[5], [None]]),
            ("StateForm", [value[3], [ID] * 49, value[5], value[6]]),
            (expected, [value[3], [], value[5], value[6]]),
            (expected, [value[3], value[4], [], value[6]]),
            (expected, [*value[3:6], value[6][::-1]]),
        ):
            assert parse_code(summed([*value[:2], opening, *rest])) == fault
        assert parse_code(summed([*value[:2], opening, *value[3:]])) == expected
    known = [*value[5][:-1], [value[5][-1][0], ID]]
    assert parse_code(summed([*value[:5], known, value[6]])) == "StateForm"
    assert parse_code(summed([*value[:6], []])) == "ok"
    assert parse_code(summed([*value[:6], [[ID, (1 << 48) - 1, (1 << 32) - 1]]])) == "ok"


# -- which state may replace which: 5.6 ----------------------------------------------------------------------------


def test_only_the_past_is_replaced() -> None:
    fork = followed(8, forked(5, 8))
    for expected, old, new in (
        ("ok", followed(5), followed(9)),
        ("ok", followed(9), followed(9)),
        ("ok", joined(9), followed(9)),
        ("HeadStale", followed(9), followed(8)),
        ("HeadStale", fork, followed(6)),
        ("HeadForked", fork, followed(8)),
        ("HeadForked", fork, followed(9)),
        ("ok", followed(5), fork),
        ("ConversationOther", followed(2, OTHER), followed(9)),
        ("ConversationOther", followed(9), followed(2, OTHER)),
        ("NeedsProof", followed(5), joined(9)),
        ("NeedsProof", fork, joined(9)),
    ):
        assert code(check_replaces, old, new) == expected


def test_a_client_knows_the_head_at_which_it_was_kept() -> None:
    client = followed(5)
    extends, proof = prove_consistency(leaves(TALK), 5, 15), prove_range(leaves(TALK), 14, 15, 15)
    read = LightClient.parse(client.encode(), KNOWN)
    for each in (client, read):
        each.skip(head(TALK, 15), extends, TALK.items[14:15], proof)
    assert code(check_replaces, followed(5), client) == "NeedsProof"
    assert code(check_replaces, followed(5), read) == "ok"
    assert code(check_replaces, followed(5, forked(4, 5)), read) == "HeadForked"
    assert code(check_replaces, followed(6), read) == "NeedsProof"
    read.mark_kept()
    assert code(check_replaces, followed(5), read) == "NeedsProof"
    read.receive(after(read, seen=15))
    assert code(check_replaces, joined(15), read) == "ok"
