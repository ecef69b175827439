"""Exhibits from Python (spec proofs.6)."""

from __future__ import annotations

from pathlib import Path

import pytest

import ama2sec
from ama2sec import Directory, Identity
from tests.unit.test_lightclient import Told, code, tell


@pytest.fixture
def told(tmp_path: Path, alice: Identity, bob: Identity, directory: Directory) -> Told:
    return tell(tmp_path / "told.ama", alice, bob, directory, [b"one", b"two", b"three", b"four"])


def exhibit(told: Told, index: int) -> bytes:
    return ama2sec.make_exhibit(told.head(), told.entries[index], ama2sec.prove_inclusion(told.tree, index))


def test_one_file_shows_that_a_message_belongs_to_a_head(told: Told) -> None:
    for index in range(5):
        data = exhibit(told, index)
        found = ama2sec.check_exhibit(data, head=told.head(), directory=told.directory)
        assert (found.id, found.index, found.fingerprint) == (told.ids[index], index, told.head())
        assert found.head == "retained"
        assert found.message is not None
        assert found.message.sender in {"alice", "bob"}
        assert ama2sec.check_exhibit(data, head=str(told.head())).head == "retained"


def test_without_a_head_or_a_directory_the_result_says_so(told: Told) -> None:
    found = ama2sec.check_exhibit(exhibit(told, 2))
    assert (found.head, found.message) == ("as stated", None)
    assert ama2sec.parse(found.envelope).id == told.ids[2]
    assert "as stated" in repr(found)


def test_what_an_exhibit_must_not_do(told: Told, mallory: Identity) -> None:
    data = exhibit(told, 2)
    assert code(ama2sec.check_exhibit, data, head=told.head(4)) == "HeadForked"
    longer = ama2sec.Fingerprint(told.head().realm, told.head().conversation, told.head().branch, 6, told.head().hash)
    assert code(ama2sec.check_exhibit, data, head=longer) == "HeadStale"
    assert code(ama2sec.check_exhibit, data, head="5:zz") == "HeadForm"
    assert code(ama2sec.check_exhibit, data, directory=Directory()) == "KeyUnknown"
    assert code(ama2sec.check_exhibit, data, directory="keys") == "ArgumentType"
    assert code(ama2sec.check_exhibit, bytearray(data)) == "NotBytes"
    assert code(ama2sec.check_exhibit, data[:-1]) == "ExhibitForm"
    assert code(ama2sec.check_exhibit, bytes(1 << 21)) == "SizeLimit"
    proof = ama2sec.prove_inclusion(told.tree, 2)
    assert code(ama2sec.make_exhibit, told.head(), told.entries[1], proof) == "ProofRoot"
    # A made-up message has no place in the history, whoever signed it.
    assert code(ama2sec.make_exhibit, told.head(), mallory.sign(b"forged").to_bytes(), proof) == "ProofRoot"


def test_a_forged_signature_shows_against_a_directory(told: Told) -> None:
    data = exhibit(told, 2)
    envelope = ama2sec.check_exhibit(data).envelope
    at = data.index(envelope) + len(envelope) - 5
    forged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    assert ama2sec.check_exhibit(forged, head=told.head()).message is None
    assert code(ama2sec.check_exhibit, forged, head=told.head(), directory=told.directory) == "SignatureInvalid"
