"""Every built code of the catalogue, met for real: the act that earns it stands here, one line a code."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ama2sec import (
    Accumulator,
    Ama2Error,
    Conversation,
    Definition,
    Directory,
    Fingerprint,
    Id,
    Identity,
    LightClient,
    PublicKey,
    _native,
    check_ancestry,
    check_consistency,
    check_exhibit,
    check_inclusion,
    compare_heads,
    parse,
    prove_ancestry,
    prove_consistency,
    prove_inclusion,
    sync,
    verify,
    verify_conversation,
)
from ama2sec.conform import answer
from ama2sec.errors import CATALOGUE
from ama2sec.hazmat import ed25519_sign, ed25519_verify
from ama2sec.history import write_transcript
from ama2sec.history.archive import Archive
from ama2sec.limits import MAX_BODY, MAX_ITEM
from ama2sec.realm.bodies import decode_json
from ama2sec.reference import encode, rule_s
from ama2sec.reference.claims import LOG_TYP
from ama2sec.reference.envelope import honest_header
from tests.shell import start
from tests.unit.realm_acts import REALM_ACTS
from tests.unit.rollback_acts import ROLLBACK_ACTS
from tests.unit.workflow_acts import WORKFLOW_ACTS
from tests.world import BODY_SALT, HEADER, KID, ZEROS, Talk, body_claim, entry, message_claims, open_claims, signed

IDENTITY_POINT = b"\1" + bytes(31)
CARGO_TEST = "a_panic_is_an_ordinary_exception_and_no_answer"


@dataclass(frozen=True)
class Place:
    """Who and what the acts below work with."""

    alice: Identity
    bob: Identity
    directory: Directory
    folder: Path

    @property
    def letter(self) -> bytes:
        return self.alice.sign(b"hello").to_bytes()

    def verified(self, claims: dict[Any, Any], **given: Any) -> object:
        return verify(signed(claims), self.directory, **given)

    def history(self, talk: Talk, items: list[bytes] | None = None, head: str | None = None) -> object:
        return verify_conversation(talk.data(items), self.directory, head=head)


def header(
    alg: object = -19, kid: object = KID["alice"], typ: object = "ama2sec-message+cose", **more: object
) -> bytes:
    return encode({1: alg, 4: kid, 16: typ, **{int(k[1:]): v for k, v in more.items()}})  # type: ignore[arg-type]


def frame(
    protected: bytes, unprotected: object = None, payload: bytes = b"\xa0", signature: bytes = bytes(64)
) -> bytes:
    return b"\xd2" + encode([protected, unprotected or {}, payload, signature])  # type: ignore[list-item]


def cbor(data: bytes) -> Callable[[Place], object]:
    return lambda _: _native.check_cbor(data)


def claims(**changes: Any) -> Callable[[Place], object]:
    return lambda _: parse(signed(message_claims(**changes)))


def raw_key(data: bytes) -> Callable[[Place], object]:
    return lambda _: PublicKey(data)


def raw_signature(change: Callable[[bytes], bytes]) -> Callable[[Place], object]:
    return lambda at: ed25519_verify(at.alice.public, b"x", change(ed25519_sign(at.alice, b"x")))


def conversation(*items: bytes, data: bytes = HEADER) -> Callable[[Place], object]:
    return lambda at: verify_conversation(data + b"".join(items), at.directory)


def told(act: Callable[[], Talk | tuple[Talk, dict[str, Any]]]) -> Callable[[Place], object]:
    def judge(at: Place) -> object:
        made = act()
        talk, options = made if isinstance(made, tuple) else (made, {})
        return at.history(talk, **options)

    return judge


def twice() -> tuple[Talk, dict[str, Any]]:
    talk = Talk.opened().say("bob")
    return talk, {"items": [*talk.items, talk.items[-1]]}


def of_another() -> tuple[Talk, dict[str, Any]]:
    talk, other = Talk.opened(), Talk.opened(c11=b"z" * 16).say("bob")
    return talk, {"items": [*talk.items, other.items[-1]]}


def opened_again() -> tuple[Talk, dict[str, Any]]:
    talk = Talk.opened()
    return talk, {"items": [talk.items[0], entry(signed(open_claims(c11=b"z" * 16)))]}


def merging() -> Talk:
    talk = Talk.opened()
    return talk.say("bob", c6=[talk.id, talk.id, [[b"m" * 32, 1, b"f" * 32]]])


def elsewhere() -> Talk:
    talk = Talk.opened()
    return talk.say("bob", c6=[b"b" * 32, talk.id, []])


def stale() -> tuple[Talk, dict[str, Any]]:
    talk = Talk.opened().say("bob")
    return talk, {"items": talk.items[:1], "head": talk.head()}


def in_use(at: Place) -> object:
    with Conversation.create("c.ama", at.alice, at.directory):
        return Conversation.load("c.ama", at.alice, at.directory)


def beyond_the_clock(at: Place) -> object:
    Conversation.create("c.ama", at.alice, at.directory).close()
    with mock.patch("ama2sec.history.conversation.clock_ms", return_value=1 << 48):
        return Conversation.load("c.ama", at.alice, at.directory)


def interrupted(at: Place) -> object:
    running = start("verify", "-d", "team.json")
    assert running.stdin is not None
    # More than a pipe holds: when it is written, the other end has begun to read.
    running.stdin.write(at.alice.sign(bytes(200_000)).to_bytes()[:-1])
    running.stdin.flush()
    running.terminate()
    return _reported(running.communicate()[1].decode().split(":")[0])


def unread(_: Place) -> object:
    reading, writing = os.pipe()
    os.close(reading)
    running = start("errors", stdout=writing)
    os.close(writing)
    return _reported(running.communicate()[1].decode().split(":")[0])


def _reported(code: str) -> object:
    raise LookupError(code)


def judged_before(at: Place) -> object:
    """An entry judged against a state that has moved on since: a fault of the program around the core."""
    with Conversation.create("c.ama", at.alice, at.directory) as chat:
        first = chat.to_bytes()[len(HEADER) :]
        second = chat.send(b"x").to_bytes()
    state = _native.ConversationState(at.directory._core)
    state.admit_many([first])
    checked = [state.check(second), state.check(second)]
    state.apply(checked[0])
    return state.apply(checked[1])


def lax_library(at: Place) -> object:
    signature = ed25519_sign(at.alice, b"x")
    rule_s._self_test.cache_clear()
    try:
        with mock.patch.object(rule_s, "_check_signature", return_value=None):
            return rule_s.ed25519_verify(bytes(at.alice.public), b"x", signature)
    finally:
        rule_s._self_test.cache_clear()


@dataclass(frozen=True)
class Tree:
    """A history of four entries, its tree, and what is asked about it."""

    entries: list[bytes]
    tree: Accumulator

    def head(self, size: int = 4) -> Fingerprint:
        return self.tree.fingerprint(size)

    def included(self, proof: bytes, index: int = 2, size: int = 4) -> object:
        return check_inclusion(self.head(size), self.entries[index], proof)


def proving(act: Callable[[Tree], object]) -> Callable[[Place], object]:
    def judge(_: Place) -> object:
        talk = Talk.opened().say("bob").say("alice").say("bob")
        tree = Accumulator(Id(ZEROS), Id(talk.id))
        tree.extend([parse(item).id for item in talk.items])
        return act(Tree(talk.items, tree))

    return judge


def other_past(at: Tree) -> object:
    head = at.head(2)
    other = Fingerprint(head.realm, head.conversation, head.branch, 2, Id(b"f" * 32))
    return check_consistency(other, at.head(), prove_consistency(at.tree, 2))


def damaged_exhibit(at: Place) -> object:
    write_transcript("e.ama", at.alice, [(at.alice, b"x", 1)], at.directory)
    return check_exhibit(Archive("e.ama").exhibit(1)[:-1])


def asked(line: bytes) -> Callable[[Place], object]:
    return lambda _: _reported(json.loads(answer(line, "rust"))["code"])


def overfull(_: Place) -> object:
    """A reader that takes more than may wait, and acknowledges none."""
    with sync.Realm.dev() as realm:
        sender, reader = realm.agent("a"), realm.agent("b", limit=1)
        sender.send("0", to="b")
        inbox = reader.inbox(acknowledge=False)
        return next(inbox), next(inbox)


ACTS: dict[str, Callable[[Place], object]] = {
    "SizeLimit": lambda at: parse(bytes(MAX_ITEM + 1)),
    "Truncated": cbor(b""),
    "TrailingBytes": cbor(b"\0\0"),
    "NotMinimal": cbor(b"\x18\0"),
    "IndefiniteLength": cbor(b"\x9f\xff"),
    "FloatForbidden": cbor(b"\xf9\0\0"),
    "TypeForbidden": cbor(b"\xf7"),
    "MapDuplicateKey": cbor(b"\xa2\0\0\0\0"),
    "MapKeyOrder": cbor(b"\xa2\1\0\0\0"),
    "DepthLimit": cbor(b"\x81" * 9 + b"\0"),
    "Utf8Invalid": cbor(b"\x61\xff"),
    "IntRange": cbor(b"\x1b" + b"\xff" * 8),
    "EnvelopeForm": lambda _: parse(b"\xd2\x80"),
    "HeaderForm": lambda _: parse(frame(encode({1: -19}))),
    "AlgUnsupported": lambda _: parse(frame(header(alg=-7))),
    "TypUnknown": lambda _: parse(frame(header(typ="ama2sec-poem+cose"))),
    "TypNotBuilt": lambda _: parse(frame(header(typ="ama2sec-offer+cose"))),
    "UnprotectedNotEmpty": lambda _: parse(frame(header(), {1: 1})),
    "SignatureLength": lambda _: parse(frame(header(), signature=bytes(63))),
    "ClaimUnknown": claims(c99=1),
    "ClaimMissing": claims(c7=...),
    "ClaimForbidden": claims(c13=None, c14=[False, None]),
    "ClaimType": claims(c10="now"),
    "ClaimRange": claims(c10=1 << 48),
    "ClaimForm": claims(c5=[0, b"f" * 32, 0, ZEROS]),
    "TooMany": claims(c8=[bytes([n]) * 32 for n in range(33)]),
    "ListOrder": claims(c8=["bob", "bob"]),
    "NameForm": claims(c8=["Bob"]),
    "KindUnknown": claims(c3=99),
    "KindNotBuilt": lambda _: parse(signed(message_claims(c3=49), header=honest_header(KID["alice"], LOG_TYP))),
    "TypKind": claims(c3=32),
    "TranscriptForm": conversation(data=encode([0, "poem", 1])),
    "TranscriptVersion": conversation(data=encode([0, "ama2sec-transcript", 2])),
    "ItemUnknown": conversation(encode([9])),
    "ItemNotBuilt": conversation(encode([2])),
    "ItemForm": conversation(encode([1])),
    "HeadForm": lambda at: verify_conversation(b"", at.directory, head="3"),
    "ProofForm": proving(lambda at: at.included(prove_inclusion(at.tree, 2)[:-1])),
    "ProofVersion": proving(lambda at: at.included(b"a2p\2" + prove_inclusion(at.tree, 2)[4:])),
    "ProofIndex": proving(lambda at: at.included(b"a2p\1\1\1" + bytes(5) + b"\4" + bytes(5) + b"\4")),
    "ProofRoot": proving(lambda at: at.included(prove_inclusion(at.tree, 2), index=1)),
    "ProofClaim": proving(lambda at: at.included(prove_inclusion(at.tree, 2), size=3)),
    "ConsistencyRoot": proving(other_past),
    "NeedsProof": proving(lambda at: compare_heads(at.head(2), at.head())),
    "AncestryRoot": proving(lambda at: check_ancestry(at.head(), at.entries[1], prove_ancestry(at.tree, 2))),
    "ExhibitForm": damaged_exhibit,
    "StateForm": lambda at: LightClient.load("team.json", at.directory),
    "KeyUnknown": lambda at: verify(at.letter, Directory()),
    "KeyLength": raw_key(bytes(31)),
    "KeyNotCanonical": raw_key(b"\2" + bytes(31)),
    "KeyWeak": raw_key(IDENTITY_POINT),
    "SignatureInvalid": raw_signature(lambda s: s[:32] + bytes([s[32] ^ 1]) + s[33:]),
    "SignatureNotCanonical": raw_signature(lambda s: s[:32] + b"\xff" * 32),
    "SignatureWeak": raw_signature(lambda s: IDENTITY_POINT + s[32:]),
    "BodyMissing": lambda at: at.verified(open_claims(c12=body_claim(b"x")), require_body=True),
    "BodyMismatch": lambda at: at.verified(open_claims(c12=body_claim(b"x")), body=b"y", body_salt=BODY_SALT),
    "BodySize": lambda at: at.verified(open_claims(c12=body_claim(b"x")), body=b"xx", body_salt=BODY_SALT),
    "BodyUnexpected": lambda at: at.verified(open_claims(), body=b"x", body_salt=BODY_SALT),
    "BodyForm": lambda _: decode_json(b'{"sku": 7'),
    "RealmOther": lambda at: at.verified(
        open_claims(c1=b"r" * 32, c4=[b"a" * 32, None], c5=[0, ZEROS, 1, b"f" * 32]),
    ),
    "PurposeWrong": lambda at: verify(signed(open_claims("warden"), "warden"), at.directory),
    "NotAMember": told(lambda: Talk.opened(c13=[KID["alice"]]).say("bob")),
    "SeqUsed": told(twice),
    "SeqWindow": told(lambda: Talk.opened().say("bob", c9=[7, (1 << 16) + 1])),
    "BranchUnknown": told(elsewhere),
    "ContextAhead": told(lambda: Talk.opened().say("bob", c5=[9, b"f" * 32, 0, ZEROS])),
    "ContextForked": told(lambda: Talk.opened().say("bob", c5=[1, b"f" * 32, 0, ZEROS])),
    "ConversationOther": told(of_another),
    "OpenMissing": conversation(),
    "OpenAgain": told(opened_again),
    "HeadStale": told(stale),
    "HeadForked": told(lambda: (Talk.opened(), {"head": "1:" + "0" * 64})),
    "MergeNotBuilt": told(merging),
    "NotBytes": lambda _: parse(bytearray(b"x")),  # type: ignore[arg-type]
    "ArgumentType": lambda _: Identity.external("x", bytes(32), 7),  # type: ignore[arg-type]
    "ArgumentRange": lambda _: Identity.generate("x", purpose="captain"),
    "NameTaken": lambda at: at.directory.enrol(Identity.generate("x").public, name="alice"),
    "NameUnknown": lambda at: at.directory.get("nobody"),
    "KeyTaken": lambda at: at.directory.enrol(at.alice.public, name="alicia"),
    "AgentInUse": in_use,
    "Backpressure": overfull,
    "SignerFault": lambda at: Identity.external("alice", at.alice.public, mock.Mock(sign=lambda _: bytes(64))).sign(
        b""
    ),
    "BodyLimit": lambda at: at.alice.sign(bytes(MAX_BODY + 1)),
    "Cancelled": interrupted,
    "ClockRange": beyond_the_clock,
    "ConformQuestion": asked(b"what?"),
    "KeyFileForm": lambda at: Identity.load(_private(at.folder / "k", b"junk")),
    "KeyFilePermissions": lambda _: Identity.load("team.json"),
    "PassphraseWrong": lambda at: Identity.load(_sealed(at), passphrase="wrong"),
    "PassphraseNeeded": lambda at: Identity.load(_sealed(at)),
    "KeyFormatUnsupported": lambda _: Identity.from_pkcs8(b"junk", name="x"),
    "FileUnreadable": lambda at: Identity.load(at.folder / "none"),
    "FileExists": lambda at: at.alice.save("alice.key", passphrase=None),
    "WriteFailed": lambda at: at.directory.save("no/such/folder"),
    "DirectoryForm": lambda _: Directory.from_json("[]"),
    "PipeClosed": unread,
    "DefinitionForm": lambda _: Definition.from_yaml("workflow: x"),
    "Internal": judged_before,
    "SelfTestFailed": lax_library,
}
ACTS |= REALM_ACTS | WORKFLOW_ACTS | ROLLBACK_ACTS
# A panic, and what a log does: in the tests of the core. What a disk, a suspended writer and a fork do: in test_realm_file.
ELSEWHERE = {"Panic", "LogUnknown", "LogConflict", "LogFull", "LogReadOnly", "LogBusy", "LogForked"}


def _private(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def _sealed(at: Place) -> Path:
    at.alice.save(at.folder / "sealed", passphrase="right")
    return at.folder / "sealed"


@pytest.fixture
def place(here: Path, alice: Identity, bob: Identity, directory: Directory) -> Place:
    return Place(alice, bob, directory, here)


def test_every_built_code_has_an_act() -> None:
    built = {entry.name for entry in CATALOGUE.values() if entry.built}
    assert set(ACTS) | ELSEWHERE == built
    assert not set(ACTS) & ELSEWHERE


@pytest.mark.parametrize("code", ACTS)
def test_the_act_earns_the_code(code: str, place: Place) -> None:
    with pytest.raises((Ama2Error, LookupError)) as caught:
        ACTS[code](place)
    found = caught.value
    assert (found.code if isinstance(found, Ama2Error) else found.args[0]) == code


def test_a_panic_is_earned_in_the_tests_of_the_core_because_nothing_from_outside_makes_one() -> None:
    source = Path(__file__).parents[2] / "native" / "python" / "src" / "errors.rs"
    assert f"fn {CARGO_TEST}()" in source.read_text()
