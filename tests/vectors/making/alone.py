"""envelope.7: a message on its own, as an entry or as a bare envelope; and the directory of a question (conform)."""

from __future__ import annotations

from .cbor import encode, head
from .claims import message, opening
from .curve import ZERO, raw
from .curve import encode as encode_point
from .envelope import commitment, seal
from .frame import parsed
from .people import ALICE, BOB, OPERATOR, directory
from .talk import HEADER, entry
from .vector import Book, times
from .verify import SALT, verified, with_body

MAX_ITEM = 328_064


def build() -> Book:
    """All vectors of messages on their own."""
    book = Book(
        "alone", "a message on its own (envelope.7), and the directory that a question brings (conform, identity.3)"
    )
    _entries(book)
    _faults(book)
    _directories(book)
    return book


def _verify(
    book: Book, id: str, clause: str, data: object, code: str = "ok", given: dict[str, str] = {}, **answer: object
) -> None:
    question = {
        "op": "verify",
        "envelope": data.hex() if isinstance(data, bytes) else data,
        "directory": directory(),
        **given,
    }
    book.add(id, clause, question, code, **answer)


def _entries(book: Book) -> None:
    claims = with_body(b"hello")
    whole, bare = entry(seal(claims), SALT, b"hello"), entry(seal(claims))
    for name, data in (("entry", whole), ("entry-withheld", bare), ("envelope", seal(claims))):
        book.add(f"parse.{name}", "envelope.7", {"op": "parse", "envelope": data.hex()}, "ok", **parsed(claims))
    _verify(book, "entry.with-body", "envelope.7", whole, **verified(claims, "present"))
    _verify(book, "entry.withheld", "envelope.7.2", bare, **verified(claims, "withheld"))
    _verify(book, "entry.without-body", "envelope.7", entry(seal(message())), **verified(message(), "none"))
    beside = {"body": b"hello".hex(), "body_salt": SALT.hex()}
    _verify(book, "entry.body-beside", "envelope.7", bare, given=beside, **verified(claims, "present"))
    _verify(book, "entry.two-bodies", "envelope.7", whole, "ArgumentType", given=beside)
    _verify(
        book,
        "entry.two-bodies-before-the-envelope",
        "envelope.7",
        entry(b"\xff", SALT, b"hello"),
        "ArgumentType",
        given=beside,
    )
    _verify(
        book,
        "entry.form-before-two-bodies",
        "envelope.7",
        encode([1, b"\xff", [SALT[1:], b"hello"]]),
        "ItemForm",
        given=beside,
    )
    _verify(book, "entry.body-other", "envelope.7.4", entry(seal(claims), SALT, b"hellO"), "BodyMismatch")
    _verify(book, "entry.body-longer", "envelope.7.3", entry(seal(claims), SALT, b"hello!"), "BodySize")
    _verify(book, "entry.body-unexpected", "envelope.7.1", entry(seal(opening()), SALT, b""), "BodyUnexpected")
    largest = bytes(262_144)
    big = opening({12: [commitment(SALT, largest), len(largest), "a/b"]})
    start = entry(seal(big), SALT, largest)[: -len(largest)]
    _verify(
        book, "entry.largest-body", "envelope.2.1", times((start, 1), (b"\0", len(largest))), **verified(big, "present")
    )


def _faults(book: Book) -> None:
    envelope = seal(message())

    def wrong(id: str, clause: str, data: object, code: str) -> None:
        question: dict[str, object] = {"op": "parse", "envelope": data.hex() if isinstance(data, bytes) else data}
        book.add(f"fault.{id}.parse", clause, question, code)
        _verify(book, f"fault.{id}.verify", clause, data, code)

    wrong("cut", "envelope.3.2", entry(envelope)[:-1], "Truncated")
    wrong("one-byte", "envelope.3.2", b"\x83", "Truncated")
    wrong("trailing", "envelope.3.9", entry(envelope) + b"\0", "TrailingBytes")
    wrong("two", "envelope.3.9", entry(envelope) * 2, "TrailingBytes")
    wrong("wide-type", "envelope.3.3", b"\x83\x18\x01" + encode(envelope) + b"\xf6", "NotMinimal")
    for number in (0, 2, 3, 4, 5, -1):
        wrong(f"type.{number}", "envelope.7", encode([number, envelope, None]), "ItemForm")
    wrong("type.true", "envelope.7", encode([True, envelope, None]), "ItemForm")
    wrong("header", "envelope.7", HEADER, "ItemForm")
    wrong("part", "envelope.7", encode([1, envelope, True]), "ItemForm")
    wrong("salt", "envelope.7", encode([1, envelope, [SALT[1:], b""]]), "ItemForm")
    wrong("four", "envelope.4.1", encode([1, envelope, None, None]), "EnvelopeForm")
    wrong("two-elements", "envelope.4.1", encode([1, envelope]), "EnvelopeForm")
    wrong("envelope", "envelope.5.2", entry(seal({**message(), 99: 0})), "ClaimUnknown")
    wrong("entry-inside", "envelope.4.1", entry(entry(envelope)), "EnvelopeForm")
    wrong(
        "envelope-size",
        "envelope.2.1",
        times((b"\x83\x01" + head(2, 65_793), 1), (b"\0", 65_793), (b"\xf6", 1)),
        "SizeLimit",
    )
    frame = b"\x83\x01\x41\xd2\x82" + encode(SALT)
    for size, code in ((MAX_ITEM, "Truncated"), (MAX_ITEM + 1, "SizeLimit")):
        length = size - len(frame) - 5
        wrong(f"size.{size}", "fingerprint.5.6", times((frame + head(2, length), 1), (b"\0", length)), code)


def _directories(book: Book) -> None:
    """Enrolment comes before anything else is read: the bytes asked about are none."""
    alice, bob = directory((ALICE, BOB))
    strange = {"key": raw(2, 0).hex(), "purpose": "message", "name": "strange"}

    def ask(id: str, clause: str, listed: list[dict[str, str]], code: str) -> None:
        book.add(f"directory.{id}.verify", clause, {"op": "verify", "envelope": "ff", "directory": listed}, code)
        book.add(
            f"directory.{id}.transcript",
            clause,
            {"op": "transcript", "bytes": "ff", "directory": listed, "head": "x"},
            code,
        )

    ask("key-31", "identity.1.1", [{**alice, "key": alice["key"][2:]}], "KeyLength")
    ask("key-33", "identity.1.1", [{**alice, "key": alice["key"] + "00"}], "KeyLength")
    ask("key-empty", "identity.1.1", [{**alice, "key": ""}], "KeyLength")
    ask("key-no-point", "identity.1.3", [strange], "KeyNotCanonical")
    ask("key-identity", "identity.1.3", [{**alice, "key": encode_point(ZERO).hex()}], "KeyWeak")
    ask("name", "identity.3.1", [{**alice, "name": "../alice"}], "NameForm")
    ask("name-empty", "identity.3.1", [{**alice, "name": ""}], "NameForm")
    ask("name-taken", "identity.3.3", [alice, {**bob, "name": "alice"}], "NameTaken")
    ask("key-taken-by-name", "identity.3.3", [alice, {**alice, "name": "bob"}], "KeyTaken")
    ask("key-taken-by-purpose", "identity.3.3", [alice, {**alice, "purpose": "operator"}], "KeyTaken")
    ask("in-order", "conform.2", [alice, {**bob, "name": "alice"}, strange], "NameTaken")
    ask("in-order-twin", "conform.2", [strange, alice, {**bob, "name": "alice"}], "KeyNotCanonical")
    again = {"op": "verify", "envelope": seal(message()).hex(), "directory": [alice, bob, alice]}
    book.add("directory.again", "identity.3.3", again, "ok", **verified(message(), "none"))
    nobody = {**again, "directory": []}
    book.add("directory.empty", "envelope.6.2", nobody, "KeyUnknown")
    other = {**again, "directory": directory((BOB, OPERATOR))}
    book.add("directory.of-others", "envelope.6.2", other, "KeyUnknown")
    book.add(
        "head-before-bytes",
        "conform.2",
        {"op": "transcript", "bytes": "ff", "directory": [alice], "head": "x"},
        "HeadForm",
    )
