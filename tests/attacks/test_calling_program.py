"""A program that calls this library passes wrong types and mutable buffers. It must not get a verification that did not happen."""

from __future__ import annotations

import copy
import os
import pickle
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ama2sec
from ama2sec import (
    Ama2Error,
    Conversation,
    Directory,
    Fingerprint,
    Id,
    Identity,
    PublicKey,
    _files,
    hazmat,
    parse,
    verify,
    verify_conversation,
)
from ama2sec._native import (
    Checked,
    CoreDirectory,
    ExecutionPath,
    Message,
    SignatureVerified,
    Signed,
    SigningKey,
    UnverifiedEnvelope,
    Verified,
)
from ama2sec.message import verify_many
from tests.attacks.target import DIRECTORY, honest_still_passes
from tests.conftest import identity
from tests.vectors.making.claims import message, opening
from tests.vectors.making.envelope import commitment, seal
from tests.vectors.making.people import ALICE, BOB
from tests.vectors.making.talk import file, lively

ENVELOPE = seal(message())
SALT = bytes(32)
WITH_BODY = seal(opening({12: [commitment(SALT, b"hello"), 5, "text/plain"]}))
FILE = file(lively().items)


class Bytes(bytes):
    """Equal to what was checked, until it is used."""

    def __getitem__(self, key: Any) -> Any:
        return b""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = bytes.__hash__


class Text(str):
    """A text that says it is another."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


NOT_BYTES: list[Callable[[bytes], Any]] = [
    bytearray, memoryview, Bytes, list, lambda data: data.hex(), lambda data: data.decode("latin-1"), lambda data: None, lambda data: 7,
]  # fmt: skip


@pytest.mark.parametrize("make", NOT_BYTES)
def test_only_exact_bytes_are_looked_at(make: Callable[[bytes], Any]) -> None:
    """A buffer that changes between the check and the use, and a subclass that lies: neither is read (identity.2.4)."""
    alice = identity("alice", 1)
    unverified = parse(WITH_BODY)
    doors: dict[str, Callable[[], object]] = {
        "verify": lambda: verify(make(ENVELOPE), DIRECTORY),
        "parse": lambda: parse(make(ENVELOPE)),
        "body": lambda: verify(WITH_BODY, DIRECTORY, body=make(b"hello"), body_salt=SALT),
        "salt": lambda: verify(WITH_BODY, DIRECTORY, body=b"hello", body_salt=make(SALT)),
        "unverified body": lambda: unverified.verify(DIRECTORY, body=make(b"hello"), body_salt=SALT),
        "hazmat key": lambda: hazmat.ed25519_verify(make(ALICE.public), b"", bytes(64)),
        "hazmat message": lambda: hazmat.ed25519_verify(ALICE.public, make(b"m"), bytes(64)),
        "hazmat signature": lambda: hazmat.ed25519_verify(ALICE.public, b"m", make(bytes(64))),
        "public key": lambda: PublicKey(make(ALICE.public)),
        "id": lambda: Id(make(ALICE.kid)),
        "sign": lambda: alice.sign(make(b"body")),
    }
    for door, enter in doors.items():
        if make(b"") is None and door in ("body", "salt", "unverified body", "sign"):
            continue  # no body is an answer of its own there
        with pytest.raises(Ama2Error) as caught:
            enter()
        assert (caught.value.code, caught.value.blame) == ("NotBytes", "caller"), door
    (found,) = verify_many([make(ENVELOPE)], DIRECTORY)
    assert isinstance(found, Ama2Error)
    assert found.code == "NotBytes"
    honest_still_passes()


def test_half_of_a_body_is_no_body() -> None:
    for half in ({"body": b"hello"}, {"body_salt": SALT}):
        for enter in (
            lambda half=half: verify(WITH_BODY, DIRECTORY, **half),
            lambda half=half: parse(WITH_BODY).verify(DIRECTORY, **half),
        ):
            with pytest.raises(Ama2Error) as caught:
                enter()
            assert (caught.value.code, caught.value.blame) == ("ArgumentType", "caller")
    assert verify(WITH_BODY, DIRECTORY).body_state == "withheld"
    with pytest.raises(Ama2Error, match="BodyMissing"):
        verify(WITH_BODY, DIRECTORY, require_body=True)


@pytest.mark.parametrize(
    "wrong",
    [None, {}, [], "team.json", object(), DIRECTORY._core, type("Fake", (), {"_core": object()})()],
    ids=lambda wrong: type(wrong).__name__,
)
def test_nothing_but_a_directory_is_a_directory(wrong: Any) -> None:
    doors: dict[str, Callable[[], object]] = {
        "verify": lambda: verify(ENVELOPE, wrong),
        "verify_many": lambda: verify_many([ENVELOPE], wrong),
        "verify_conversation": lambda: verify_conversation(FILE, wrong),
        "unverified": lambda: parse(ENVELOPE).verify(wrong),
    }
    for door, enter in doors.items():
        with pytest.raises(Ama2Error) as caught:
            enter()
        assert (caught.value.code, caught.value.blame) == ("ArgumentType", "caller"), door


VERIFIED = [Message, UnverifiedEnvelope, SignatureVerified, Verified, Checked, Signed, ExecutionPath]


@pytest.mark.parametrize("kind", VERIFIED, ids=lambda kind: kind.__name__)
def test_what_only_a_check_makes_nothing_else_makes(kind: type) -> None:
    for make in (kind, lambda: object.__new__(kind), lambda: kind.__new__(kind), lambda: type("Mine", (kind,), {})):
        with pytest.raises(TypeError):
            make()


def test_a_verified_message_cannot_be_changed_or_copied_out_of_bytes() -> None:
    found = verify(ENVELOPE, DIRECTORY)
    for name in ("sender", "body", "id", "anything"):
        with pytest.raises(AttributeError):
            setattr(found, name, "mallory")
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            take(found)
    with pytest.raises(TypeError):
        found.__class__ = UnverifiedEnvelope  # type: ignore[assignment]
    # What it hands out is its own: changing that changes nothing.
    found.claims["kind"] = "open"
    found.recipients.append("name:x")
    assert (found.claims["kind"], found.recipients) == ("message", [])


def test_an_unverified_envelope_cannot_be_taken_for_a_message() -> None:
    unverified = parse(ENVELOPE)
    assert not isinstance(unverified, Message)
    for name in ("sender", "sender_id", "body", "to_bytes"):
        assert not hasattr(unverified, name)
    assert "not verified" in repr(unverified)


def test_no_check_answers_with_a_truth_value() -> None:
    good = ALICE.sign(b"m")
    assert type(hazmat.ed25519_verify(ALICE.public, b"m", good)) is SignatureVerified
    with pytest.raises(Ama2Error):
        hazmat.ed25519_verify(ALICE.public, b"m", bytes(64))
    (bad,) = verify_many([b""], DIRECTORY)
    with pytest.raises(AttributeError):
        bad.sender  # type: ignore[union-attr]  # noqa: B018


def test_a_key_is_never_taken_from_a_message() -> None:
    """With an empty directory nothing verifies, whatever the envelope carries."""
    for data in (ENVELOPE, WITH_BODY):
        with pytest.raises(Ama2Error, match="KeyUnknown"):
            verify(data, Directory())


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\udc80" * 65], ids=ascii)
def test_half_a_surrogate_pair_has_the_error_of_the_form_that_it_breaks(text: str) -> None:
    alice = identity("alice", 1)
    doors: dict[str, tuple[str, Callable[[], object]]] = {
        "did:key": ("KeyFormatUnsupported", lambda: PublicKey.from_did_key("did:key:z" + text)),
        "head": ("HeadForm", lambda: verify_conversation(FILE, DIRECTORY, head=text)),
        "name": ("NameForm", lambda: Directory().enrol(ALICE.public, name=text)),
        "purpose": ("ArgumentRange", lambda: Directory().enrol(ALICE.public, name="a", purpose=text)),
        "look-up": ("NameForm", lambda: DIRECTORY.get(text)),
        "hex": ("ArgumentRange", lambda: Id.from_hex(text)),
        "identity": ("NameForm", lambda: Identity.generate(text)),
        "recipient": ("NameForm", lambda: alice.sign(b"", to=[text])),
        "media type": ("ClaimForm", lambda: alice.sign(b"", media_type=text)),
        "directory file": ("DirectoryForm", lambda: Directory.from_json(text)),
    }
    for door, (code, enter) in doors.items():
        with pytest.raises(Ama2Error) as caught:
            enter()
        assert caught.value.code == code, door


def test_numbers_out_of_range_and_of_other_types() -> None:
    alice, some = identity("alice", 1), Id(bytes(32))
    for number, code in (
        (-1, "ArgumentRange"),
        (2**64, "ArgumentRange"),
        (1 << 48, "ArgumentRange"),
        (1.5, "ArgumentType"),
        ("1", "ArgumentType"),
    ):
        with pytest.raises(Ama2Error) as caught:
            alice.sign(b"", time_ms=number)  # type: ignore[arg-type]
        assert (caught.value.code, caught.value.blame) == (code, "caller"), number
    for size, code in (
        (-1, "ArgumentRange"),
        (0, "HeadForm"),
        (1 << 48, "HeadForm"),
        (2**64, "ArgumentRange"),
        (None, "ArgumentType"),
    ):
        with pytest.raises(Ama2Error) as caught:
            Fingerprint(some, some, some, size, some)  # type: ignore[arg-type]
        assert caught.value.code == code, size
    for threads in (-1, 2**64, "2"):
        with pytest.raises(Ama2Error) as caught:
            verify_many([ENVELOPE], DIRECTORY, threads=threads)  # type: ignore[arg-type]
        assert caught.value.blame == "caller"
    assert len(verify_many([ENVELOPE] * 200, DIRECTORY, threads=10**6)) == 200


def test_a_private_key_is_in_no_text_and_in_no_pickle() -> None:
    alice = identity("alice", 1)
    key = alice._signer
    assert isinstance(key, SigningKey)
    for shown in (repr(alice), repr(key), str(key), repr(vars(type(key)))):
        assert ALICE.seed.hex()[:16] not in shown
    for secret in (alice, key):
        for take in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises((Ama2Error, TypeError)):
                take(secret)


def test_a_directory_that_changes_while_it_is_used() -> None:
    """Each verification has the directory as it was when it began: keys that come meanwhile make no verdict half one thing."""
    changing = Directory()
    changing.enrol(ALICE.public, name="alice")
    items = [ENVELOPE, seal(message(author=BOB), BOB)] * 400
    stop = threading.Event()
    numbers = iter(range(10**9))

    def enrol_more() -> None:
        while not stop.is_set():
            number = next(numbers)
            changing.enrol(SigningKey.from_seed(number.to_bytes(4, "big") * 8).public, name=f"n{number}")

    thread = threading.Thread(target=enrol_more)
    thread.start()
    try:
        for _ in range(5):
            found = verify_many(items, changing)
            assert [each.code if isinstance(each, Ama2Error) else each.sender for each in found] == [
                "alice",
                "KeyUnknown",
            ] * 400
    finally:
        stop.set()
        thread.join()


def test_the_facade_offers_no_maker_of_hostile_input() -> None:
    """`make` and raw signing exist only where their names say so."""
    offered = set(ama2sec.__all__)
    assert not offered & {"make", "SigningKey", "CoreDirectory", "Draft", "ed25519_sign", "ed25519_verify"}
    assert CoreDirectory.__module__ != "ama2sec"


# -- one writer, whatever the program does with it --------------------------------------------------------------------


def test_a_conversation_is_not_copied(tmp_path: Path) -> None:
    """Two copies would sign under one number, and close each other's files."""
    with Conversation.create(tmp_path / "a.ama", identity("alice", 1), DIRECTORY) as chat:
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(Ama2Error) as caught:
                attempt(chat)
            assert caught.value.code == "ArgumentType"
        chat.send(b"still one")
        assert chat.size == 2


def test_a_process_that_was_forked_off_signs_nothing(tmp_path: Path) -> None:
    """It has the same open file, the same lock and the same next number."""
    chat = Conversation.create(tmp_path / "a.ama", identity("alice", 1), DIRECTORY)
    reader, writer = os.pipe()
    held, release = os.pipe()
    child = os.fork()
    if not child:
        codes = []
        for call in (lambda: chat.send(b"from the child"), lambda: chat.receive(b""), chat.to_bytes):
            try:
                call()
            except Ama2Error as fault:
                codes.append(fault.code)
        chat.close()
        os.write(writer, " ".join(codes).encode())
        os.read(held, 1)
        os._exit(0)
    told = os.read(reader, 100)
    assert told == b"AgentInUse AgentInUse AgentInUse"
    # The child has closed its copy, and the lock is still the parent's.
    with pytest.raises(Ama2Error) as caught:
        Conversation.load(chat.path, identity("alice", 1), DIRECTORY)
    assert caught.value.code == "AgentInUse"
    chat.send(b"from the parent")
    chat.close()
    # It is nobody's now, although the child still lives.
    with Conversation.load(chat.path, identity("alice", 1), DIRECTORY) as again:
        assert again.size == 2
    os.write(release, b".")
    assert os.waitpid(child, 0)[1] == 0


def test_threads_that_share_a_conversation_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "a.ama"
    said: list[Signed] = []
    faults: list[BaseException] = []
    with Conversation.create(path, identity("alice", 1), DIRECTORY) as chat:

        def speak() -> None:
            try:
                said.extend(chat.send(b"x") for _ in range(20))
            except Ama2Error as fault:
                faults.append(fault)

        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=speak) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(before)
    assert faults == []
    assert len({verify(each.to_bytes(), DIRECTORY).seq for each in said}) == 80
    assert verify_conversation(path, DIRECTORY).entries == 81


def test_an_interrupt_at_any_point_of_a_write_leaves_a_sound_conversation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the write, in it, behind it, with the cut back failing as well: the next message goes on from what is there."""
    path = tmp_path / "a.ama"
    append, write, truncate = _files.append_durable, os.write, os.ftruncate

    def interrupted(*arguments: Any, after: bool) -> None:
        if after:
            append(*arguments)
        raise KeyboardInterrupt

    def partly(descriptor: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", broken)
        return write(descriptor, data[:70])

    def broken(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with Conversation.create(path, identity("alice", 1), DIRECTORY) as chat:
        for after in (False, True):
            with monkeypatch.context() as patched:
                patched.setattr(_files, "append_durable", lambda *a, after=after: interrupted(*a, after=after))
                with pytest.raises(KeyboardInterrupt):
                    chat.send(b"interrupted")
            chat.send(b"sound")
        assert chat.truncated_tail == 0
        monkeypatch.setattr(os, "write", partly)
        monkeypatch.setattr(os, "ftruncate", broken)
        with pytest.raises(Ama2Error) as caught:
            chat.send(b"torn")
        assert caught.value.code == "WriteFailed"
        monkeypatch.setattr(os, "write", write)
        monkeypatch.setattr(os, "ftruncate", truncate)
        chat.send(b"sound again")
        assert (chat.size, chat.truncated_tail) == (5, 70)
        head = str(chat.head)
    found = verify_conversation(path, DIRECTORY, head=head)
    assert (found.entries, found.tail) == (5, "checked")


def test_a_call_from_inside_a_call_is_refused(tmp_path: Path) -> None:
    """A signer that calls back, as a handler of a signal might: nothing is written into the middle of a write."""
    alice = identity("alice", 1)
    chats: list[Conversation] = []
    codes: list[str] = []

    def inside(chat: Conversation) -> None:
        for call in (lambda: chat.send(b"inside"), lambda: chat.receive(b""), chat.to_bytes, chat.close):
            with pytest.raises(Ama2Error) as caught:
                call()
            codes.append(caught.value.code)

    class Calling:
        def sign(self, data: bytes, /) -> bytes:
            for chat in chats:
                inside(chat)
            return SigningKey.from_seed(ALICE.seed).sign(data)

    with Conversation.create(
        tmp_path / "a.ama", Identity.external("alice", alice.public, Calling()), DIRECTORY
    ) as chat:
        chats.append(chat)
        chat.send(b"outside")
        assert codes == ["AgentInUse"] * 4
        assert chat.size == 2
    assert verify_conversation(tmp_path / "a.ama", DIRECTORY).entries == 2


def test_a_conversation_that_nobody_could_open_is_not_made(tmp_path: Path) -> None:
    operator = identity("warden", 4, "operator")
    stranger = identity("stranger", 99)
    directory = Directory()
    directory.enrol(operator.public, name="warden", purpose="operator")
    for who, code in ((operator, "PurposeWrong"), (stranger, "KeyUnknown")):
        with pytest.raises(Ama2Error) as caught:
            Conversation.create(tmp_path / "a.ama", who, directory)
        assert caught.value.code == code
    for data in ("a.ama", bytearray(FILE), Bytes(FILE)):
        with pytest.raises(Ama2Error) as caught:
            Conversation.join(tmp_path / "a.ama", identity("alice", 1), DIRECTORY, data)  # type: ignore[arg-type]
        assert caught.value.code == "NotBytes"
    assert list(tmp_path.iterdir()) == []


def test_addresses_and_names_of_files_that_are_none_are_the_callers_fault(tmp_path: Path) -> None:
    alice = identity("alice", 1)
    with Conversation.create(tmp_path / "a.ama", alice, DIRECTORY, members="bob") as chat:
        # One name, not its letters.
        assert chat.size == 1
        calls: list[tuple[str, Callable[[], object]]] = [
            ("ArgumentType", lambda: chat.send(b"", to=None)),  # type: ignore[arg-type]
            ("ArgumentType", lambda: alice.sign(b"", to=5)),  # type: ignore[arg-type]
            ("WriteFailed", lambda: Conversation.load("", alice, DIRECTORY)),
            ("WriteFailed", lambda: Conversation.load("a\0b", alice, DIRECTORY)),
        ]
        for code, call in calls:
            with pytest.raises(Ama2Error) as caught:
                call()
            assert caught.value.code == code
