"""inspect: every field of one envelope, for a person."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ama2sec import Directory, Identity, _native
from ama2sec.history import write_transcript
from tests.conftest import SOME, crafted, identity
from tests.shell import ama2sec


def shown(data: bytes, *options: str) -> str:
    done = ama2sec("inspect", *options, stdin=data)
    assert (done.status, done.err) == (0, "")
    assert all(len(line) <= 80 for line in done.text.splitlines())
    return done.text


def test_an_open_with_a_body(here: Path, alice: Identity) -> None:
    signed = alice.sign(b"hello", to=["bob"], media_type="text/plain", time_ms=1_790_000_000_000)
    text = shown(signed.to_bytes())
    assert text.startswith("NOT VERIFIED")
    for wanted in (
        f"message id      {signed.id}\n",
        f"signed by key   {alice.id}\n",
        f"agent_identity  {alice.id}\n",
        "realm           none\n",
        "this message opens it",
        "context_fingerprint\n                nothing\n",
        "execution_path  it opens the first branch",
        "workflow_state  none\n",
        "recipients      bob\n",
        "time            2026-09-21T14:13:20.000+00:00\n",
        "body            5 bytes of text/plain\n",
        "it travels with the envelope",
        f"members         {alice.id}\n                bob\n",
        "workflow        none\n",
    ):
        assert wanted in text, wanted
    assert "| hello" not in text, "what is not verified is not shown as a body"
    text = shown(signed.to_bytes(), "-d", "team.json")
    assert text.startswith("VERIFIED: signed by alice.\n")
    assert text.endswith("  | hello\n")
    assert f"members         alice ({alice.id.short})\n" in text
    assert "it is not here: withheld" in shown(signed.envelope)


def test_a_message_with_everything_in_it(here: Path) -> None:
    state = {
        "instance": None,
        "definition": "ef" * 32,
        "step": "approve",
        "approves": None,
        "outputs": {"ok": True, "count": 7, "text": "fine"},
    }
    merges = [{"branch": "12" * 32, "size": 5, "fingerprint": "34" * 32}]
    path = {"branch": SOME, "parent": "cd" * 32, "merges": merges}
    text = shown(crafted(workflow_state=state, execution_path=path))
    for wanted in ("1,234 messages", "cd" * 32, "12" * 32, "34" * 32, "at 5 entries", "step approve", "ef" * 32):
        assert wanted in text, wanted
    for wanted in ("output ok = True", "output count = 7", "output text = 'fine'", "1790000000000, 17"):
        assert wanted in text, wanted
    state |= {"instance": "56" * 32, "approves": "78" * 32}
    text = shown(crafted(workflow_state=state))
    assert "56" * 32 in text
    assert "78" * 32 in text


@pytest.mark.parametrize("time", [0, 253_402_300_799_999, 253_402_300_800_000, (1 << 48) - 1])
def test_any_time_that_can_be_claimed_is_shown(time: int, here: Path) -> None:
    text = shown(crafted(time=time))
    assert ("ms since 1970" in text) == (time >= 253_402_300_800_000)


def test_json(here: Path, alice: Identity) -> None:
    signed = alice.sign(b"hello", to=["bob"])
    view = ama2sec("inspect", "--json", stdin=signed.to_bytes()).json
    assert list(view) == ["ok", "verified", "id", "kid", "typ", "claims"]
    assert (view["verified"], view["id"], view["kid"]) == (False, str(signed.id), str(alice.id))
    assert view["claims"]["recipients"] == ["name:bob"]
    view = ama2sec("inspect", "--json", "-d", "team.json", stdin=signed.to_bytes()).json
    assert (view["verified"], view["message"]["sender"]) == (True, "alice")


def test_one_of_several(here: Path, directory: Directory) -> None:
    alice = identity("alice", 1)
    write_transcript("trip.ama", alice, [(alice, b"words", 1)] * 3, directory)
    stream = b"".join(alice.sign(b"x").to_bytes() for _ in range(4))
    lines = b"".join(json.dumps({"entry": alice.sign(b"x").to_bytes().hex()}).encode() + b"\n" for _ in range(4))
    for data in ((here / "trip.ama").read_bytes(), stream, lines):
        ids = set()
        for position in range(4):
            view = ama2sec("inspect", "--at", str(position), "--json", stdin=data)
            assert view.status == 0
            ids.add(view.json["id"])
        assert len(ids) == 4
        for options in ([], ["--at", "4"], ["--at", "99999999999999999999"]):
            done = ama2sec("inspect", *options, stdin=data)
            assert (done.status, done.code) == (20, "ArgumentRange")
    only = alice.sign(b"x").to_bytes()
    assert ama2sec("inspect", "--at", "0", stdin=only).status == 0
    assert ama2sec("inspect", "--at", "1", stdin=only).code == "ArgumentRange"
    assert ama2sec("inspect", "--at", "1", stdin=_native.parse(only).envelope).code == "ArgumentRange"


@pytest.mark.parametrize(
    ("data", "code", "status"),
    [
        (b"", "Truncated", 11),
        (b"\x83\x00", "Truncated", 11),
        (b"\xff", "IndefiniteLength", 11),
        (b"{}", "EnvelopeForm", 11),
    ],
)
def test_what_is_no_envelope(data: bytes, code: str, status: int, here: Path) -> None:
    done = ama2sec("inspect", stdin=data)
    assert (done.status, done.code, done.out) == (status, code, b"")


def test_one_that_does_not_verify_is_not_shown(here: Path, alice: Identity) -> None:
    data = alice.sign(b"hello").to_bytes()
    done = ama2sec("inspect", "-d", "team.json", stdin=data[:-1] + b"!")
    assert (done.status, done.code, done.out) == (16, "BodyMismatch", b"")
