"""Identities, signers, key files, directories: what they hold, and what they refuse."""

from __future__ import annotations

import copy
import os
import pickle
import stat
import subprocess
import traceback
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from ama2sec import Ama2Error, Directory, Identity, PublicKey, verify
from tests.conftest import identity

PASS = "correct horse"


def code(caught: pytest.ExceptionInfo[Ama2Error]) -> str:
    return caught.value.code


def test_a_key_file_round_trips_encrypted_and_plain(tmp_path: Path, alice: Identity) -> None:
    for name, passphrase in (("plain", None), ("sealed", PASS)):
        path = tmp_path / name
        alice.save(path, passphrase=passphrase)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        read = Identity.load(path, passphrase=passphrase)
        assert (read.name, read.purpose, read.public) == ("alice", "message", alice.public)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".ama2sec-")]


def test_key_files_are_never_overwritten_and_a_wrong_passphrase_is_named(tmp_path: Path, alice: Identity) -> None:
    path = tmp_path / "alice.key"
    alice.save(path, passphrase=PASS)
    before = path.read_bytes()
    for call, wanted in (
        (lambda: alice.save(path, passphrase=None), "FileExists"),
        (lambda: Identity.load(path), "PassphraseNeeded"),
        (lambda: Identity.load(path, passphrase="wrong"), "PassphraseWrong"),
        (lambda: Identity.load(path, passphrase=""), "ArgumentRange"),
        (lambda: Identity.load(path, passphrase="x" * 1025), "ArgumentRange"),
        (lambda: Identity.load(tmp_path / "none.key"), "FileUnreadable"),
        (lambda: Identity.load(tmp_path), "FileUnreadable"),
        (lambda: alice.save(tmp_path / "no" / "such.key", passphrase=None), "WriteFailed"),
        (lambda: Identity.load("a\0b"), "FileUnreadable"),
    ):
        with pytest.raises(Ama2Error) as caught:
            call()
        assert code(caught) in (wanted, "KeyFilePermissions" if wanted == "FileUnreadable" else wanted)
        assert PASS not in "".join(traceback.format_exception(caught.value))
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o660])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, alice: Identity, mode: int) -> None:
    path = tmp_path / "alice.key"
    alice.save(path, passphrase=None)
    path.chmod(mode)
    with pytest.raises(Ama2Error) as caught:
        Identity.load(path)
    assert code(caught) == "KeyFilePermissions"


def test_a_key_file_of_another_user_and_a_pipe_are_refused(tmp_path: Path, alice: Identity) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = os.open(fifo, os.O_RDWR)
    try:
        with pytest.raises(Ama2Error) as caught:
            Identity.load(fifo)
        assert code(caught) == "KeyFilePermissions"
    finally:
        os.close(writer)
    if os.geteuid() == 0:
        path = tmp_path / "theirs.key"
        alice.save(path, passphrase=None)
        os.chown(path, 12345, 12345)
        with pytest.raises(Ama2Error) as caught:
            Identity.load(path)
        assert code(caught) == "KeyFilePermissions"


def test_every_truncation_of_a_key_file_is_refused(tmp_path: Path, alice: Identity) -> None:
    whole = tmp_path / "whole"
    alice.save(whole, passphrase=None)
    data = whole.read_bytes()
    part = tmp_path / "part"
    for end in range(0, len(data), 3):
        part.write_bytes(data[:end])
        part.chmod(0o600)
        with pytest.raises(Ama2Error) as caught:
            Identity.load(part)
        assert code(caught) == "KeyFileForm"


def test_secrets_are_in_no_text(tmp_path: Path) -> None:
    author = Identity.generate("alice")
    author.save(tmp_path / "k", passphrase=None)
    seed = (tmp_path / "k").read_bytes()[-48:-16]
    shown = repr(author) + str(author) + repr(author._signer) + repr(author.__class__.__slots__)
    assert seed.hex() not in shown
    for action in (pickle.dumps, copy.deepcopy, copy.copy):
        with pytest.raises((Ama2Error, TypeError)):
            action(author)
    with pytest.raises(TypeError):
        pickle.dumps(author._signer)
    with pytest.raises(Ama2Error):
        Identity()


def test_an_external_signer_is_verified_before_it_is_used(alice: Identity, directory: Directory) -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
    outside = Identity.external("alice", alice.public, key)
    assert verify(outside.sign(b"hello").to_bytes(), directory).sender == "alice"

    class Lying:
        def __init__(self, answer: object) -> None:
            self.answer = answer

        def sign(self, message: bytes) -> object:
            del message
            return self.answer

    for answer in (b"", b"\0" * 64, b"\0" * 63, bytearray(64), None, key.sign(b"other bytes")):
        with pytest.raises(Ama2Error) as caught:
            Identity.external("alice", alice.public, Lying(answer)).sign(b"hello")  # type: ignore[arg-type]
        assert code(caught) == "SignerFault"
    with pytest.raises(Ama2Error) as caught:
        Identity.external("alice", alice.public, object())  # type: ignore[arg-type]
    assert code(caught) == "ArgumentType"
    for call in (lambda: outside.save("never", passphrase=None), lambda: outside.to_openssh(passphrase=None)):
        with pytest.raises(Ama2Error):
            call()


def test_openssh_and_pkcs8_round_trip(alice: Identity) -> None:
    for passphrase in (None, PASS):
        for write, read in ((alice.to_openssh, Identity.from_openssh), (alice.to_pkcs8, Identity.from_pkcs8)):
            data = write(passphrase=passphrase)
            assert read(data, name="alice", passphrase=passphrase).public == alice.public
            if passphrase:
                with pytest.raises(Ama2Error) as caught:
                    read(data, name="alice")
                assert code(caught) == "PassphraseNeeded"
                with pytest.raises(Ama2Error) as caught:
                    read(data, name="alice", passphrase="wrong")
                assert code(caught) == "PassphraseWrong"
                assert "wrong" not in str(caught.value)
            with pytest.raises(Ama2Error) as caught:
                read(data[: len(data) // 2], name="alice", passphrase=passphrase)
            assert code(caught) in ("KeyFormatUnsupported", "PassphraseWrong", "PassphraseNeeded")


def test_ssh_keygen_reads_what_is_exported(tmp_path: Path, alice: Identity) -> None:
    path = tmp_path / "id"
    path.write_bytes(alice.to_openssh(passphrase=None))
    path.chmod(0o600)
    try:
        shown = subprocess.run(["ssh-keygen", "-y", "-f", str(path)], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("ssh-keygen is not on this machine")
    import base64

    assert base64.b64decode(shown.split()[1])[-32:] == bytes(alice.public)


def test_other_kinds_of_keys_are_not_imported() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    forms = serialization.PrivateFormat
    for form, read in ((forms.PKCS8, Identity.from_pkcs8), (forms.OpenSSH, Identity.from_openssh)):
        data = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        with pytest.raises(Ama2Error) as caught:
            read(data, name="alice")
        assert code(caught) == "KeyFormatUnsupported"


class Sub(bytes):
    pass


@pytest.mark.parametrize("wrong", [bytearray(b"x"), memoryview(b"x"), Sub(b"x"), "x", None, 7])
def test_only_immutable_bytes_are_taken(wrong: object, alice: Identity, directory: Directory) -> None:
    from ama2sec import hazmat, parse

    signature = hazmat.ed25519_sign(alice, b"x")
    calls = [
        lambda: alice.sign(wrong) if wrong is not None else parse(wrong),  # type: ignore[arg-type]
        lambda: parse(wrong),  # type: ignore[arg-type]
        lambda: verify(wrong, directory),  # type: ignore[arg-type]
        lambda: PublicKey(wrong),  # type: ignore[arg-type]
        lambda: hazmat.ed25519_verify(alice.public, wrong, signature),  # type: ignore[arg-type]
        lambda: hazmat.ed25519_verify(alice.public, b"x", wrong),  # type: ignore[arg-type]
        lambda: hazmat.ed25519_verify(wrong, b"x", signature),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(Ama2Error) as caught:
            call()
        assert code(caught) == "NotBytes"
        assert caught.value.blame == "caller"


@pytest.mark.parametrize("name", ["", "..", "a/b", "../../etc/passwd", "A", "a b", "a\0", "ä", "x" * 65, "C:", "a."])
def test_names_never_become_paths(name: str, alice: Identity) -> None:
    for call in (lambda: Identity.generate(name), lambda: Directory().enrol(alice.public, name=name)):
        with pytest.raises(Ama2Error) as caught:
            call()
        assert code(caught) == "NameForm"


def test_directories_refuse_clashes_and_read_back(tmp_path: Path, alice: Identity, bob: Identity) -> None:
    directory = Directory()
    directory.enrol(alice.public, name="alice")
    directory.enrol(alice.did_key, name="alice")
    directory.enrol(bytes(bob.public), name="bob", purpose="operator")
    for call, wanted in (
        (lambda: directory.enrol(bob.public, name="alice"), "NameTaken"),
        (lambda: directory.enrol(alice.public, name="carol"), "KeyTaken"),
        (lambda: directory.enrol(alice.public, name="alice", purpose="root"), "KeyTaken"),
        (lambda: directory.enrol(alice.public, name="alice", purpose="captain"), "ArgumentRange"),
        (lambda: directory.get("nobody"), "NameUnknown"),
        (lambda: directory.enrol(b"\1" + b"\0" * 31, name="weak"), "KeyWeak"),
        (lambda: directory.enrol(b"\2" + b"\0" * 31, name="weak"), "KeyNotCanonical"),
        (lambda: directory.enrol(b"\0" * 31, name="short"), "KeyLength"),
        (lambda: directory.enrol("did:key:zzz", name="short"), "KeyFormatUnsupported"),
        (lambda: Directory.from_json("{}"), "DirectoryForm"),
        (lambda: Directory.load(tmp_path / "none"), "FileUnreadable"),
    ):
        with pytest.raises(Ama2Error) as caught:
            call()
        assert code(caught) == wanted
    path = tmp_path / "team.json"
    directory.save(path)
    read = Directory.load(path)
    assert [(e.name, e.purpose, e.public) for e in read] == [(e.name, e.purpose, e.public) for e in directory]
    assert read.name_of(alice.id) == "alice"
    assert len(read) == 2


def test_an_operators_key_signs_no_message(directory: Directory) -> None:
    warden = identity("warden", 4, "operator")
    with pytest.raises(Ama2Error) as caught:
        verify(warden.sign(b"stop").to_bytes(), directory)
    assert code(caught) == "PurposeWrong"
