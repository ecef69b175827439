"""The trees, what `make` makes, and questions that are none (conform)."""

from __future__ import annotations

from collections.abc import Callable

from .cbor import encode
from .claims import Claims, full_message, full_open, id_of, message, opening, view
from .envelope import commitment, cose, header, keyed, message_id, seal, sig_structure
from .people import ALICE, BOB, directory
from .tree import fingerprint, rfc6962, rfc6962_leaf
from .vector import Book

# The leaves over which implementations of RFC 6962 have compared their roots since its first.
LEAVES = (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)  # fmt: skip


def fingerprints() -> Book:
    """The trees."""
    book = Book("fingerprint", "fingerprints and roots (fingerprint.1, fingerprint.2, fingerprint.4)")
    ids = [keyed("leaf", bytes([number])) for number in range(70)]
    for name, realm, conversation, branch in (
        ("file", bytes(32), id_of(1), id_of(1)), ("branch", bytes(32), id_of(1), id_of(2)), ("realm", id_of(3), id_of(1), id_of(2)),
    ):  # fmt: skip
        for count in (0, 1, 2, 3, 7, 8, 9, 70) if name == "file" else (3,):
            question = {
                "op": "fingerprint", "realm": realm.hex(), "conversation": conversation.hex(), "branch": branch.hex(),
                "ids": [id.hex() for id in ids[:count]],
            }  # fmt: skip
            answer = [fingerprint(conversation, ids[:n], branch, realm).hex() for n in range(count + 1)]
            book.add(f"{name}.{count}", "fingerprint.2", question, "ok", fingerprints=answer)
    leaves = [bytes.fromhex(leaf) for leaf in LEAVES]
    for count in range(9):
        root = rfc6962([rfc6962_leaf(leaf) for leaf in leaves[:count]])
        question = {"op": "rfc6962_root", "leaves": list(LEAVES[:count])}
        book.add(f"rfc6962.{count}", "fingerprint.4", question, "ok", root=root.hex())
    for count in (0, 1, 2, 3, 33, 70):
        question = {"op": "rfc6962_root", "leaf_hashes": [id.hex() for id in ids[:count]]}
        book.add(f"rfc6962.hashes.{count}", "fingerprint.4", question, "ok", root=rfc6962(ids[:count]).hex())
    return book


def makes() -> Book:
    """What `make` makes of honest and of hostile claims."""
    book = Book("make", "signing what is given (conform)")

    def made(id: str, question: dict[str, object], envelope: bytes, message_id: bytes) -> None:
        whole = {"op": "make", "seed": ALICE.seed.hex(), **question}
        book.add(id, "conform.3", whole, "ok", envelope=envelope.hex(), message_id=message_id.hex())

    for name, claims in {
        "message": message(),
        "open": opening(),
        "full-message": full_message(),
        "full-open": full_open(),
    }.items():
        made(name, {"claims": view(claims)}, seal(claims), message_id(claims))
    shown = view(message())
    shown["agent_identity"] = {"grant": None}
    made("agent-filled-in", {"claims": shown}, seal(message()), message_id(message()))
    less: Claims = {label: value for label, value in message().items() if label != 10}
    shown = {name: value for name, value in view(message()).items() if name != "time"}
    made("hostile.claim-missing", {"claims": shown}, seal(less), message_id(less))
    wrong = message({8: [id_of(2), id_of(1)], 11: b"", 10: 2**63 - 1})
    made("hostile.order-length-range", {"claims": view(wrong)}, seal(wrong), message_id(wrong))
    for name, payload in (
        ("empty", b""),
        ("not-cbor", b"\xff"),
        ("floats", b"\xa1\x01\xf9\x00\x00"),
        ("duplicate", b"\xa2\x01\x00\x01\x00"),
    ):
        made(f"claims-bytes.{name}", {"claims_bytes": payload.hex()}, seal(payload), message_id(payload))
    payload = encode(message())
    for name, protected in (("empty", b""), ("eddsa", header(ALICE.kid, alg=-8)), ("kid-of-bob", header(BOB.kid))):
        signed = sig_structure(protected, payload)
        envelope = cose(protected, payload, ALICE.sign(signed))
        made(
            f"header-bytes.{name}",
            {"claims_bytes": payload.hex(), "header_bytes": protected.hex()},
            envelope,
            keyed("leaf", signed),
        )
    salt, body = bytes(range(32)), b"hello"
    claims = opening({12: [commitment(salt, body), 5, "text/plain"]})
    shown = {**view(claims), "body": {"media_type": "text/plain"}}
    question = {"claims": shown, "body": body.hex(), "body_salt": salt.hex()}
    made("body.filled-in", question, seal(claims), message_id(claims))
    made("body.given", {**question, "claims": view(claims)}, seal(claims), message_id(claims))
    return book


def questions() -> Book:
    """Questions that are none: each gets `ConformQuestion`, and the next line is answered."""
    book = Book("conform", "malformed questions (conform.1)")

    def wrong(id: str, question: dict[str, object]) -> None:
        book.add(id, "conform.1", question, "ConformQuestion")

    envelope = seal(message()).hex()
    wrong("op.none", {})
    wrong("op.unknown", {"op": "sign"})
    wrong("op.case", {"op": "CBOR", "bytes": "00"})
    for name, value in {"number": 1, "null": None, "list": ["cbor"]}.items():
        wrong(f"op.{name}", {"op": value, "bytes": "00"})
    for name, value in {
        "missing": ..., "odd": "0", "upper": "F6", "prefix": "0xf6", "space": "f6 ", "other-digits": "zz", "number": 246, "null": None,
        "list": ["f6"], "full-width": "\uff10\uff10",
    }.items():  # fmt: skip
        wrong(f"hex.{name}", {"op": "cbor"} if value is ... else {"op": "cbor", "bytes": value})
    wrong("ed25519.no-key", {"op": "ed25519_verify", "msg": "", "sig": "00"})
    wrong("ed25519.no-msg", {"op": "ed25519_verify", "key": "00", "sig": "00"})
    wrong("ed25519.no-sig", {"op": "ed25519_verify", "key": "00", "msg": ""})
    wrong("parse.no-envelope", {"op": "parse"})
    wrong("verify.no-directory", {"op": "verify", "envelope": envelope})
    one = directory()[0]
    for name, value in {
        "object": {}, "null": None, "text": "alice", "numbers": [1], "no-key": [{"purpose": "message", "name": "alice"}],
        "no-name": [{"key": one["key"], "purpose": "message"}], "no-purpose": [{"key": one["key"], "name": "alice"}],
        "key-upper": [{**one, "key": one["key"].upper()}],
    }.items():  # fmt: skip
        wrong(f"directory.{name}", {"op": "verify", "envelope": envelope, "directory": value})
    wrong("make.no-seed", {"op": "make", "claims_bytes": "a0"})
    wrong("make.no-claims", {"op": "make", "seed": ALICE.seed.hex()})
    wrong("make.both-claims", {"op": "make", "seed": ALICE.seed.hex(), "claims": view(message()), "claims_bytes": "a0"})
    wrong("make.claims-unknown-member", {"op": "make", "seed": ALICE.seed.hex(), "claims": {**view(message()), "x": 1}})
    _views(wrong)
    wrong("transcript.no-bytes", {"op": "transcript", "directory": directory()})
    wrong(
        "fingerprint.no-ids", {"op": "fingerprint", "realm": "00" * 32, "conversation": "00" * 32, "branch": "00" * 32}
    )
    for name, id in (("31", "00" * 31), ("33", "00" * 33), ("upper", "FF" * 32)):
        wrong(
            f"fingerprint.id-{name}",
            {"op": "fingerprint", "realm": id, "conversation": "00" * 32, "branch": "00" * 32, "ids": []},
        )
        wrong(f"fingerprint.ids-{name}", {
            "op": "fingerprint", "realm": "00" * 32, "conversation": "00" * 32, "branch": "00" * 32, "ids": [id],
        })  # fmt: skip
    wrong("rfc6962.neither", {"op": "rfc6962_root"})
    wrong("rfc6962.hash-31", {"op": "rfc6962_root", "leaf_hashes": ["00" * 31]})
    return book


def _views(wrong: Callable[[str, dict[str, object]], None]) -> None:
    """Claims that do not have the form of the view: every member of every wrong JSON type, and members too many and too few."""
    samples: dict[str, object] = {
        "number": 1,
        "fraction": 1.5,
        "text": "zz",
        "true": True,
        "null": None,
        "list": [1],
        "object": {"x": 1},
    }
    hexes, numbers, texts = {"text"}, {"number"}, {"text"}
    whole = view(full_message())
    opened = view(full_open())

    def ask(id: str, claims: dict[str, object]) -> None:
        wrong(f"view.{id.replace('_', '-')}", {"op": "make", "seed": ALICE.seed.hex(), "claims": claims})

    def member(view: dict[str, object], path: str, right: set[str], *, hex: bool = False) -> None:
        for name, value in samples.items():
            if name not in right or (hex and name == "text"):
                ask(f"{path}.{name}", _changed(view, path.split("."), value))

    member(whole, "realm", hexes, hex=True)
    member(whole, "salt", hexes, hex=True)
    member(whole, "kind", numbers)
    member(whole, "time", numbers)
    member(whole, "agent_identity", set())
    member(whole, "agent_identity.agent", hexes, hex=True)
    member(whole, "agent_identity.grant", hexes | {"null"}, hex=True)
    member(whole, "context_fingerprint", set())
    member(whole, "context_fingerprint.size", numbers)
    member(whole, "context_fingerprint.fingerprint", hexes, hex=True)
    member(whole, "execution_path", set())
    member(whole, "execution_path.branch", hexes, hex=True)
    member(whole, "execution_path.parent", hexes | {"null"}, hex=True)
    member(whole, "execution_path.merges", set())
    member(whole, "execution_path.merges.0", set())
    member(whole, "execution_path.merges.0.size", numbers)
    member(whole, "workflow_state", {"null"})
    member(whole, "workflow_state.outputs", {"object"})
    member(whole, "workflow_state.outputs.a", {"number", "text", "true"})
    member(whole, "workflow_state.step", texts)
    member(whole, "recipients", {"null"})
    member(whole, "recipients.0", hexes, hex=True)
    member(whole, "seq", set())
    member(whole, "seq.0", numbers)
    member(whole, "body", {"null"})
    member(whole, "body.size", numbers)
    member(whole, "body.media_type", texts)
    member(opened, "members", {"null"})
    member(opened, "members.0", hexes, hex=True)
    member(opened, "workflow", set())
    member(opened, "workflow.required", {"true"})
    member(opened, "workflow.definition", texts | {"null"})
    for path, base in (
        ("agent_identity", whole), ("context_fingerprint", whole), ("execution_path", whole), ("execution_path.merges.0", whole),
        ("workflow_state", whole), ("body", whole), ("workflow", opened),
    ):  # fmt: skip
        found = base
        for step in path.split("."):
            found = found[int(step)] if isinstance(found, list) else found[step]  # type: ignore[index,assignment]
        ask(f"{path}.one-more", _changed(base, [*path.split("."), "more"], None))
        for name in () if path == "agent_identity" else found:
            ask(f"{path}.without-{name}", _changed(base, [*path.split("."), name], ...))
    for name, value in (("too-large", 2**63), ("too-small", -(2**63) - 1), ("u64", 2**64)):
        ask(f"time.{name}", {**whole, "time": value})
    ask("salt.odd", {**whole, "salt": "0"})
    ask("salt.upper", {**whole, "salt": "FF"})
    ask("seq.one", {**whole, "seq": [1]})
    ask("seq.three", {**whole, "seq": [1, 2, 3]})
    ask("kind.unknown", {**whole, "kind": "letter"})
    ask("kind.underscore", {**whole, "kind": "local_halt"})


def _changed(value: object, path: list[str], new: object) -> dict[str, object]:
    """A copy with one member replaced, added, or (``...``) taken away."""
    step, rest = path[0], path[1:]
    if isinstance(value, list):
        return [_changed(old, rest, new) if rest else new if str(i) == step else old for i, old in enumerate(value)]  # type: ignore[return-value]
    assert isinstance(value, dict)
    if rest:
        return {**value, step: _changed(value[step], rest, new)}
    return {name: old for name, old in value.items() if name != step} if new is ... else {**value, step: new}
