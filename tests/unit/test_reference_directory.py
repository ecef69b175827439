"""The reference's directory: what it enrols, and the one file form that it reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ama2sec.errors import Ama2Error
from ama2sec.reference import Directory
from tests.world import KID, PUBLIC


def code_of(call: Any, *arguments: Any, **named: Any) -> str:
    try:
        call(*arguments, **named)
    except Ama2Error as fault:
        return fault.code
    return "ok"


def entry(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "purpose": "message", "key": PUBLIC.get(name, PUBLIC["alice"]).hex()} | changes


def file(*entries: Any, **changes: Any) -> bytes:
    whole = {"format": "ama2sec-directory", "version": 1, "entries": list(entries)} | changes
    return json.dumps({name: value for name, value in whole.items() if value is not ...}).encode()


def test_enrolling() -> None:
    made = Directory()
    alice = made.enrol(PUBLIC["alice"], name="alice")
    assert made.enrol(PUBLIC["alice"], name="alice", purpose="message") == alice
    assert (len(made), made.by_thumbprint(KID["alice"])) == (1, alice)
    for code, arguments in {
        "NameTaken": (PUBLIC["bob"], "alice", "message"),
        "KeyTaken": (PUBLIC["alice"], "alice", "operator"),
        "NameForm": (PUBLIC["bob"], "Bob", "message"),
        "ArgumentRange": (PUBLIC["bob"], "bob", "guest"),
        "KeyLength": (PUBLIC["bob"][:31], "Bob", "message"),
        "KeyWeak": (b"\x01" + bytes(31), "bob", "message"),
        "KeyNotCanonical": (b"\xff" * 32, "bob", "message"),
        "NotBytes": (bytearray(PUBLIC["bob"]), "bob", "message"),
    }.items():
        key, name, purpose = arguments
        assert code_of(made.enrol, key, name=name, purpose=purpose) == code
    assert code_of(made.enrol, PUBLIC["alice"], name="al") == "KeyTaken"
    made.enrol(PUBLIC["bob"], name="bob")
    assert code_of(made.enrol, PUBLIC["bob"], name="alice") == "NameTaken"  # both are taken: the name is judged first
    assert len(made) == 2
    assert code_of(made.by_thumbprint, bytes(32)) == "KeyUnknown"


def test_a_file_is_read() -> None:
    made = Directory.from_json(file(entry("alice"), entry("bob", purpose="root")))
    assert [made.by_thumbprint(KID[name]).purpose for name in ("alice", "bob")] == ["message", "root"]
    assert len(Directory.from_json(file())) == 0
    assert len(Directory.from_json(b" \n" + file(entry("alice")) + b"\n")) == 1


WRONG = [
    b"",
    b"[]",
    b"\xef\xbb\xbf" + file(),
    file().decode().encode("utf-16"),
    file()[:-1],
    file() + b"x",
    b"[" * 200_000,
    file(version=2),
    file(version=True),
    file(version=1.0),
    file(version=...),
    file(format="ama2sec"),
    file(comment=""),
    file(entries=None),
    file(entries={}),
    file().replace(b'"version": 1', b'"version": 1, "version": 1'),
    file(None),
    file(entry("alice", extra=1)),
    file({"name": "alice", "key": PUBLIC["alice"].hex()}),
    file(entry("alice", key=PUBLIC["alice"].hex().upper())),
    file(entry("alice", key=PUBLIC["alice"].hex()[:-1])),
    file(entry("alice", key=" " + PUBLIC["alice"].hex()[:-1])),
    file(entry("alice", purpose="guest")),
    file(entry("alice", purpose=1)),
    file(entry("\ud800")),
    file(entry("bob"), entry("alice")),
    file(entry("alice"), entry("alice")),
]


@pytest.mark.parametrize("data", WRONG, ids=range(len(WRONG)))
def test_other_forms_are_refused(data: bytes) -> None:
    assert code_of(Directory.from_json, data) == "DirectoryForm"


def test_entries_of_a_file_are_enrolled_like_any_others() -> None:
    assert code_of(Directory.from_json, file(entry("Alice"))) == "NameForm"
    assert code_of(Directory.from_json, file(entry("alice"), entry("alicf"))) == "KeyTaken"
    assert code_of(Directory.from_json, file(entry("a", key="00"), entry("b", key="ff" * 32))) == "KeyLength"
    for form in (
        entry("a"),
        entry("b", purpose="guest"),
        entry("b", key="0G"),
        None,
    ):  # the whole file's form comes first
        assert code_of(Directory.from_json, file(entry("a", key="00"), form)) == "DirectoryForm"
    assert code_of(Directory.from_json, file(entry("a", key=PUBLIC["alice"].hex()[:-2]))) == "KeyLength"
    assert code_of(Directory.from_json, file(entry("a", key="01" + "00" * 31))) == "KeyWeak"
    assert code_of(Directory.from_json, file(entry("a", key="ff" * 32))) == "KeyNotCanonical"
