"""A peer with an enrolled key signs anything under its own name. It must not speak as another, nor have two histories accepted."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import pytest

from ama2sec import (
    Accumulator,
    Ama2Error,
    Conversation,
    Directory,
    HistoryError,
    Id,
    Identity,
    LightClient,
    PublicKey,
    prove_inclusion,
    verify,
    verify_conversation,
)
from ama2sec.message import Message, verify_many
from ama2sec.reference import Directory as ReferenceDirectory
from ama2sec.reference import EnrolledKey
from tests.attacks.target import DIRECTORY, honest_still_passes, judge, refused, refused_history
from tests.conftest import identity
from tests.vectors.making import curve
from tests.vectors.making.cbor import encode
from tests.vectors.making.claims import TIME, id_of, message, put
from tests.vectors.making.envelope import cose, header, keyed, seal, sig_structure
from tests.vectors.making.people import ALICE, BOB, CAROL, MALLORY, STRANGER, Person
from tests.vectors.making.talk import Entry, Talk, entry, file, lively

PAYLOAD = encode(message())
SIGNED = sig_structure(header(ALICE.kid), PAYLOAD)
ENVELOPE = seal(message())


def with_signature(signature: bytes) -> bytes:
    """Alice's message under another signature."""
    return cose(header(ALICE.kid), PAYLOAD, signature)


def resigned(nonce: int = 77) -> bytes:
    """Alice's message under a second valid signature of hers: other R, other S, same id."""
    r = curve.encode(curve.times(nonce, curve.BASE))
    return with_signature(curve.sign_with(nonce, r, ALICE.public, curve.secret(ALICE.seed), SIGNED))


# -- as somebody else ----------------------------------------------------------------------------------------------


def test_a17_an_unknown_key_signs_well() -> None:
    refused("KeyUnknown", seal(message(author=STRANGER), STRANGER))


@pytest.mark.parametrize("who", [BOB, MALLORY, STRANGER], ids=lambda who: who.name)
def test_a25_signed_by_another_key_under_the_claimed_sender(who: Person) -> None:
    refused("SignatureInvalid", with_signature(who.sign(SIGNED)))
    # Its own kid, and alice as agent: the claims contradict the header.
    refused("ClaimForm", seal(put(message(), (4, 0), ALICE.kid), who))
    # Both its own: an honest message, under its own name only.
    if who is not STRANGER:
        assert verify(seal(message(author=who), who), DIRECTORY).sender == who.name


def test_a24_signatures_exchanged_between_envelopes() -> None:
    other = seal(message({10: TIME + 1}))
    refused("SignatureInvalid", ENVELOPE[:-64] + other[-64:])
    refused("SignatureInvalid", other[:-64] + ENVELOPE[-64:])


def test_a26_malleability() -> None:
    good = ENVELOPE[-64:]
    for count in range(1, 15):
        refused("SignatureNotCanonical", with_signature(curve.plus_order(good, count)))
    r, s = good[:32], int.from_bytes(good[32:], "little")
    refused("SignatureInvalid", with_signature(r + (curve.L - s).to_bytes(32, "little")))
    minus_r = curve.decode(r)
    assert minus_r is not None
    mirrored = curve.encode((curve.P - minus_r[0], minus_r[1]))
    refused("SignatureInvalid", with_signature(mirrored + (curve.L - s).to_bytes(32, "little")))


@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_a27_signatures_of_other_lengths(length: int) -> None:
    refused("SignatureLength", with_signature((ENVELOPE[-64:] * 2)[:length]))


def test_a27_signatures_of_one_byte() -> None:
    for byte in range(256):
        signature = bytes([byte]) * 64
        expected = "SignatureNotCanonical" if byte >= 0x10 else "SignatureInvalid"
        assert judge(with_signature(signature)) == expected, byte


CONTEXTS = (
    "Signature",
    "Signature1",
    "CounterSignature",
    "CounterSignature0",
    "CounterSignatureV2",
    "MAC0",
    "Encrypt0",
    "",
)


def test_a28_signatures_over_something_else() -> None:
    """Every context string with every typ and every external data: one of them is a message's, and only that verifies."""
    accepted = 0
    typs = ("ama2sec-message+cose", *(f"ama2sec-{name}+cose" for name in ("halt", "registry", "log", "offer")), "JWT")
    for context, typ, external in itertools.product(CONTEXTS, typs, (b"", b"\0", ALICE.kid)):
        thing = sig_structure(header(ALICE.kid, typ=typ), PAYLOAD, context, external)
        code = judge(with_signature(ALICE.sign(thing)))
        own = (context, typ, external) == ("Signature1", "ama2sec-message+cose", b"")
        assert code == ("ok" if own else "SignatureInvalid"), (context, typ, external)
        accepted += own
    assert accepted == 1
    for thing in (
        PAYLOAD,
        hashlib.sha256(SIGNED).digest(),
        hashlib.sha512(SIGNED).digest(),
        keyed("leaf", SIGNED),
        SIGNED[1:],
        SIGNED + b"\0",
    ):
        refused("SignatureInvalid", with_signature(ALICE.sign(thing)))


def test_a14_no_choice_of_algorithm() -> None:
    for alg in (-8, -7, -35, -50, 0, 5, "EdDSA", "none", None, [-19]):
        refused("AlgUnsupported", seal(PAYLOAD, protected=header(ALICE.kid, alg)))


def test_the_name_is_the_verifiers_own() -> None:
    """Whatever an author calls itself, the name comes from the directory of the reader."""
    renamed = Directory()
    renamed.enrol(ALICE.public, name="somebody-else")
    assert verify(ENVELOPE, renamed).sender == "somebody-else"
    claims = message({8: ["alice"]}, MALLORY)
    assert verify(seal(claims, MALLORY), DIRECTORY).sender == "mallory"


# -- keys ----------------------------------------------------------------------------------------------------------

WEAK = [
    *[(key, "KeyWeak" if canonical else "KeyNotCanonical") for key, canonical in curve.small_order_encodings()],
    *[(curve.encode(curve.add(curve.BASE, point)), "KeyWeak") for point in curve.torsion()[1:]],
    *[(curve.raw(y + curve.P, sign), "KeyNotCanonical") for y in range(19) for sign in (0, 1)],
    *[(curve.raw(y, 0), "KeyNotCanonical") for y in range(2, 30) if curve.x_of(y, 0) is None],
]


def base58(data: bytes) -> str:
    """base58btc, naively."""
    digits, number = "", int.from_bytes(data, "big")
    while number:
        number, digit = divmod(number, 58)
        digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[digit] + digits
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + digits


def test_a18_a19_no_door_lets_a_weak_key_in() -> None:
    assert PublicKey(ALICE.public).did_key == "did:key:z" + base58(b"\xed\x01" + ALICE.public)
    directory, reference = Directory(), ReferenceDirectory()
    directory.enrol(ALICE.public, name="alice")
    before = directory.to_json()
    for key, code in WEAK:
        file_form = before.replace(ALICE.public.hex(), key.hex()).encode()
        doors = {
            "enrol": lambda key=key: directory.enrol(key, name="weak"),
            "PublicKey": lambda key=key: PublicKey(key),
            "did:key": lambda key=key: PublicKey.from_did_key("did:key:z" + base58(b"\xed\x01" + key)),
            "file": lambda text=file_form: Directory.from_json(text),
            "external": lambda key=key: Identity.external("weak", key, identity("a", 1)),  # type: ignore[arg-type]
            "reference": lambda key=key: reference.enrol(key, name="weak"),
            "reference key": lambda key=key: EnrolledKey(key),
            "reference file": lambda text=file_form: ReferenceDirectory.from_json(text),
        }
        for door, enter in doors.items():
            for _ in range(2):
                with pytest.raises(Ama2Error) as caught:
                    enter()
                if door == "external":
                    assert caught.value.code in (code, "ArgumentType")
                else:
                    assert caught.value.code == code, (door, key.hex())
    assert directory.to_json() == before
    assert len(reference) == 0
    honest_still_passes()


def test_a19_torsion_in_r() -> None:
    """What cofactored verification accepts, and a batch with a random combination accepts now and then."""
    a = curve.secret(ALICE.seed)
    r = curve.times(77, curve.BASE)
    for point in curve.torsion()[1:]:
        mixed = curve.sign_with(77, curve.encode(curve.add(r, point)), ALICE.public, a, SIGNED)
        refused("SignatureInvalid", with_signature(mixed))
        small = curve.sign_with(0, curve.encode(point), ALICE.public, a, SIGNED)
        refused("SignatureInvalid", with_signature(small))
    refused("SignatureWeak", with_signature(curve.sign_with(0, curve.encode(curve.ZERO), ALICE.public, a, SIGNED)))


def test_a29_halves_that_do_not_belong_together() -> None:
    """Nobody can ask for a signature with one's seed and another's public key: an external signer is held against its key."""
    alice, bob = identity("alice", 1), identity("bob", 2)

    class SignsAsBob:
        def sign(self, message: bytes, /) -> bytes:
            return bob._signer.sign(message)

    crossed = Identity.external("alice", alice.public, SignsAsBob())
    for _ in range(2):
        with pytest.raises(Ama2Error) as caught:
            crossed.sign(b"x")
        assert (caught.value.code, caught.value.blame) == ("SignerFault", "caller")


# -- many at once, and again ---------------------------------------------------------------------------------------


def outcome(found: Message | Ama2Error) -> str:
    return found.code if isinstance(found, Ama2Error) else found.sender


def test_a30_one_id_with_good_and_bad_signatures_in_every_order() -> None:
    bad = ENVELOPE[:-64] + bytes([ENVELOPE[-64] ^ 1]) + ENVELOPE[-63:]
    three = {"good": ENVELOPE, "again": resigned(), "bad": bad}
    assert len({verify(three[name], DIRECTORY).id for name in ("good", "again")}) == 1
    for order in itertools.permutations([*three] * 2):
        codes = [outcome(found) for found in verify_many([three[name] for name in order], DIRECTORY)]
        assert codes == ["SignatureInvalid" if name == "bad" else "alice" for name in order]
    for name in ("bad", "good", "bad", "again", "bad"):
        assert judge(three[name]) == ("SignatureInvalid" if name == "bad" else "ok")


@pytest.mark.parametrize("threads", [1, 2])
def test_a31_one_bad_among_many_at_each_place(threads: int) -> None:
    """Batches have chunks of 64: every place, and two whose faults would cancel in a sum."""
    people = (ALICE, BOB, CAROL)
    honest = [seal(message({10: TIME + n}, people[n % 3]), people[n % 3]) for n in range(70)]
    a, r = curve.secret(ALICE.seed), curve.times(77, curve.BASE)
    cancels = with_signature(
        curve.sign_with(77, curve.encode(curve.add(r, curve.torsion()[4])), ALICE.public, a, SIGNED)
    )
    for place in range(70):
        items = list(honest)
        items[place] = [ENVELOPE[:-1] + b"\xff", cancels, b"", seal(message(author=STRANGER), STRANGER)][place % 4]
        found = [outcome(each) for each in verify_many(items, DIRECTORY, threads=threads)]
        wanted = [people[n % 3].name for n in range(70)]
        wanted[place] = ["SignatureNotCanonical", "SignatureInvalid", "Truncated", "KeyUnknown"][place % 4]
        assert found == wanted
    pair = [outcome(each) for each in verify_many([cancels, cancels, *honest], DIRECTORY, threads=threads)]
    assert pair[:3] == ["SignatureInvalid", "SignatureInvalid", "alice"]


# -- histories -----------------------------------------------------------------------------------------------------


def test_a34_two_messages_under_one_number_leave_evidence() -> None:
    talk = lively()
    one = talk.entries[6]
    other = Entry(BOB, {**one.claims, 10: 1, 12: None})
    data = file([*talk.items, other.item])
    refused_history("SeqUsed", 7, data)
    with pytest.raises(HistoryError) as caught:
        verify_conversation(data, DIRECTORY)
    report = caught.value.report
    assert isinstance(report, dict)
    (repair,) = report["repairs"]
    assert repair["kind"] == "equivocation"
    assert {one.envelope.hex(), other.envelope.hex()} == set(repair["evidence"])
    for envelope in repair["evidence"]:
        assert verify(bytes.fromhex(envelope), DIRECTORY).sender == "bob"


def test_a35_numbers_that_go_back_or_jump() -> None:
    talk = lively()
    epoch, counter = talk.entries[6].claims[9]  # type: ignore[misc]
    for seq, code in (
        ((epoch, counter), "SeqUsed"),
        ((epoch - 1, counter + 1), "SeqUsed"),
        ((epoch, counter + (1 << 16) + 1), "SeqWindow"),
    ):
        refused_history(code, 7, file([*talk.items, talk.draft(BOB, seq=seq).item]))
    talk.say(BOB, "a gap is not a fault", seq=(epoch, counter + (1 << 16)))
    assert verify_conversation(file(talk.items), DIRECTORY).entries == 8


def test_a43_a44_a45_fingerprints_of_another_history() -> None:
    talk = lively()
    size, print_ = len(talk.ids), talk.head().split(":")[1]
    own = bytes.fromhex(print_)

    def claiming(n: int, fingerprint: bytes, parent: bytes) -> bytes:
        changes: dict[object, object] = {5: [n, fingerprint, 0, bytes(32)], 6: [talk.ids[0], parent, []]}
        return file([*talk.items, talk.draft(BOB, changes=changes).item])

    for keep in (8, 16, 31):
        refused_history("ContextForked", size, claiming(size, own[:keep] + bytes(32 - keep), talk.ids[-1]))
    for n in range(1, size):
        refused_history("ContextForked", size, claiming(n, own, talk.ids[n - 1]))
    refused_history("ContextAhead", size, claiming(size + 1, own, talk.ids[-1]))
    # A prefix that is older is no fault: it is lag, and it is reported.
    for n in range(1, size + 1):
        report = verify_conversation(file([*talk.items, talk.draft(BOB, n=n).item]), DIRECTORY)
        assert report.lag == max(2, size - n)


def test_a45_the_report_names_the_message_that_was_held_back() -> None:
    talk = lively()
    held, witness = talk.entries[3], talk.entries[4]
    (repair,) = _report(file([*talk.items[:3], *talk.items[4:]]))["repairs"]
    assert (repair["kind"], repair["position"], repair["ids"]) == ("missing", 3, [held.id.hex()])
    assert repair["proven_by"] == {"by": "entry", "position": 3, "id": witness.id.hex()}


def _report(data: bytes) -> dict[str, list[dict[str, object]]]:
    with pytest.raises(HistoryError) as caught:
        verify_conversation(data, DIRECTORY)
    assert isinstance(caught.value.report, dict)
    return caught.value.report


def test_a80_a_second_signature_makes_no_second_message(tmp_path: Path) -> None:
    """Its author can sign one message twice. It is one message: the first is kept."""
    talk = Talk().open()
    first = talk.say(BOB)
    nonce, r = 78, curve.encode(curve.times(78, curve.BASE))
    signed = sig_structure(header(BOB.kid), encode(first.claims))
    signature = curve.sign_with(nonce, r, BOB.public, curve.secret(BOB.seed), signed)
    second = cose(header(BOB.kid), encode(first.claims), signature)
    assert second != first.envelope
    assert verify(second, DIRECTORY).id == verify(first.envelope, DIRECTORY).id
    refused_history("SeqUsed", 2, file([*talk.items, entry(second)]))
    with Conversation.join(tmp_path / "c", identity("alice", 1), DIRECTORY, file(talk.items[:1])) as chat:
        chat.receive(first.item)
        before = chat.to_bytes()
        assert bytes(chat.receive(entry(second)).id) == first.id
        assert chat.to_bytes() == before


def test_a_member_cannot_speak_in_a_conversation_of_others() -> None:
    talk = lively()
    refused_history("NotAMember", 7, file([*talk.items, talk.draft(MALLORY).item]))
    refused_history("NotAMember", 0, file(Talk().open(MALLORY).items))
    merged = talk.draft(BOB, changes={6: [talk.ids[0], talk.ids[-1], [[id_of(1), 1, id_of(2)]]]})
    refused_history("MergeNotBuilt", 7, file([*talk.items, merged.item]))


def test_a_stranger_to_the_conversation_names_nothing_that_is_missing() -> None:
    """Enrolled, but no member: a light client takes his word for a gap as little as his message."""
    talk = lively()
    tree = Accumulator(Id(bytes(32)), Id(talk.ids[0]))
    for one in talk.ids:
        tree.append(Id(one))
    client = LightClient(DIRECTORY, talk.items[0])
    proof = prove_inclusion(tree, 1)
    for who, code in ((MALLORY, "NotAMember"), (BOB, "ContextAhead")):
        told = talk.draft(who).item
        with pytest.raises(Ama2Error) as caught:
            client.receive(told)
        assert caught.value.code == code
        if who is BOB:
            assert client.missing(told, Id(talk.ids[1]), proof).source == "sender"
            continue
        with pytest.raises(Ama2Error) as caught:
            client.missing(told, Id(talk.ids[1]), proof)
        assert caught.value.code == code
