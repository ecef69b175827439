"""No seed and no passphrase in any message, repr, pickle or traceback, the variables of the frames included."""

from __future__ import annotations

import base64
import os
import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from ama2sec import Ama2Error, Conversation, Directory, Identity
from ama2sec._native import SigningKey
from tests.shell import ama2sec, process

SEED = b"a seed that shows where it goes!"
PASSPHRASE = "xyzzy-correct-horse"
WRONG = "plugh-wrong-donkey"

# Globals, and not variables of a test: a traceback shows those of every frame, and a test's own are its own.
SECRETS = [
    *(SEED, SEED.hex().encode(), base64.b64encode(SEED)[:40], repr(SEED)[2:-1].encode()),
    *(PASSPHRASE.encode(), WRONG.encode()),
]


def plant(folder: Path) -> None:
    key = SigningKey.from_seed(SEED)
    author = Identity._of("alice", "message", key.public, key)
    author.save(folder / "plain.key", passphrase=None)
    author.save(folder / "sealed.key", passphrase=PASSPHRASE)
    for name, data in (
        ("plain.ssh", author.to_openssh(passphrase=None)),
        ("sealed.ssh", author.to_openssh(passphrase=PASSPHRASE)),
        ("plain.pem", author.to_pkcs8(passphrase=None)),
        ("sealed.pem", author.to_pkcs8(passphrase=PASSPHRASE)),
    ):
        (folder / name).write_bytes(data)
    for name in ("plain.key", "sealed.key"):
        data = (folder / name).read_bytes()
        (folder / f"cut-{name}").write_bytes(data[:-1])
        (folder / f"damaged-{name}").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        (folder / f"longer-{name}").write_bytes(data + b"x")
    (folder / "damaged.pem").write_bytes(author.to_pkcs8(passphrase=None).replace(b"MC4", b"MC5"))
    (folder / "right").write_text(PASSPHRASE + "\n")
    (folder / "wrong").write_text(WRONG + "\n")
    for path in folder.iterdir():
        path.chmod(0o600)


def read(name: str) -> bytes:
    return Path(name).read_bytes()


CALLS: list[Callable[[], object]] = [
    *(
        lambda n=name: Identity.load(n, passphrase=None)
        for name in ("sealed.key", "cut-plain.key", "damaged-plain.key")
    ),
    *(lambda n=name: Identity.load(n, passphrase=None) for name in ("longer-plain.key", "none.key", "plain.pem")),
    *(lambda n=name: Identity.load(n, passphrase=WRONG) for name in ("sealed.key", "plain.key", "none.key", ".")),
    *(lambda n=name: Identity.load(n, passphrase=PASSPHRASE) for name in ("damaged-sealed.key", "cut-sealed.key")),
    lambda: Identity.load("sealed.key", passphrase=PASSPHRASE * 100),
    lambda: Identity.load("sealed.key", passphrase=PASSPHRASE + "\ud800"),
    lambda: Identity.load("sealed.key", passphrase=PASSPHRASE.encode()),  # type: ignore[arg-type]
    lambda: Identity.from_openssh(read("plain.ssh"), name="Alice"),
    lambda: Identity.from_openssh(read("plain.ssh")[:200], name="alice"),
    lambda: Identity.from_openssh(read("plain.ssh"), name="alice", passphrase=PASSPHRASE),
    lambda: Identity.from_openssh(read("sealed.ssh"), name="alice", passphrase=WRONG),
    lambda: Identity.from_openssh(bytearray(read("plain.ssh")), name="alice"),  # type: ignore[arg-type]
    lambda: Identity.from_pkcs8(read("damaged.pem"), name="alice"),
    lambda: Identity.from_pkcs8(read("plain.pem"), name="alice", purpose="captain"),
    lambda: Identity.from_pkcs8(read("sealed.pem"), name="alice", passphrase=WRONG),
    lambda: Identity.from_pkcs8(read("sealed.pem"), name="alice"),
    lambda: Identity.from_pkcs8(read("plain.pem"), name="alice", passphrase=PASSPHRASE),
    lambda: author().save("plain.key", passphrase=PASSPHRASE),
    lambda: author().save("no/such/folder", passphrase=PASSPHRASE),
    lambda: author().save("/dev/full/x", passphrase=None),
    lambda: author().save("x", passphrase=""),
    lambda: author().to_openssh(passphrase=PASSPHRASE * 100),
    lambda: author().to_pkcs8(passphrase=PASSPHRASE * 100),
    lambda: pickle.dumps(author()),
    lambda: author().sign("text"),  # type: ignore[arg-type]
    lambda: author().sign(bytes(1 << 19)),
    lambda: Conversation.create("no/such/folder", author(), Directory()),
    lambda: Conversation.load("plain.key", author(), Directory()),
]


def author() -> Identity:
    return Identity.load("plain.key")


def texts(fault: BaseException | None, *, seen: tuple[int, ...] = ()) -> str:
    """Everything that a logger or a crash reporter could write down of an exception, and of those behind it."""
    if fault is None or id(fault) in seen:
        return ""
    shown = traceback.TracebackException(type(fault), fault, fault.__traceback__, capture_locals=True)
    parts = ["".join(shown.format()), str(fault), repr(fault), repr(fault.args), repr(vars(fault)), f"{fault!a}"]
    frame = fault.__traceback__
    while frame is not None:
        parts.append(repr(frame.tb_frame.f_locals))
        frame = frame.tb_next
    if isinstance(fault, Ama2Error):
        parts.append(repr(pickle.dumps(fault)))
    seen = (*seen, id(fault))
    return "\n".join(parts) + texts(fault.__context__, seen=seen) + texts(fault.__cause__, seen=seen)


def found(text: str) -> list[bytes]:
    return [secret for secret in SECRETS if secret in text.encode(errors="surrogatepass")]


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    plant(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("call", CALLS, ids=map(str, range(len(CALLS))))
def test_no_error_carries_a_secret(call: Callable[[], object], planted: Path) -> None:
    del planted
    with pytest.raises(Ama2Error) as caught:
        call()
    assert found(texts(caught.value)) == []


def leaky(passphrase: str) -> None:
    raise ValueError(len(passphrase))


def test_this_search_finds_what_is_there() -> None:
    with pytest.raises(ValueError, match="19") as caught:
        leaky(PASSPHRASE)
    assert found(texts(caught.value)) == [PASSPHRASE.encode()]


def test_an_interrupt_while_a_key_is_opened_carries_none(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del planted

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ama2sec._native.keyfile_decode", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        Identity.load("plain.key", passphrase=PASSPHRASE)
    assert found(texts(caught.value)) == []


def test_no_object_shows_one(planted: Path) -> None:
    del planted
    for name, passphrase in (("plain.key", None), ("sealed.key", PASSPHRASE)):
        who = Identity.load(name, passphrase=passphrase)
        shown = [repr(who), str(who), f"{who!a}", repr(who._signer), str(who._signer), repr(dir(who)), repr(who.public)]
        shown += [repr(getattr(who, slot)) for slot in who.__slots__]
        assert found("\n".join(shown)) == []


@pytest.mark.parametrize(
    "command",
    [
        ["id", "sealed.key", "--passphrase-file", "right"],
        ["id", "sealed.key", "--passphrase-file", "wrong"],
        ["id", "plain.key", "--passphrase-file", "right"],
        ["id", "damaged-plain.key"],
        ["id", "cut-sealed.key", "--passphrase-file", "right"],
        ["id", "plain.pem"],
        ["id", "plain.key", "--export-pkcs8", "plain.pem", "--export-passphrase-file", "right"],
        ["id", "plain.key", "--export-openssh", "out", "--export-passphrase-file", "right"],
        ["keygen", "x", "-o", "x.key", "--import-pkcs8", "sealed.pem", "--import-passphrase-file", "wrong"],
        ["keygen", "x", "-o", "x.key", "--import-pkcs8", "damaged.pem", "--no-passphrase"],
        ["keygen", "x", "-o", "x.key", "--import-openssh", "plain.ssh", "--passphrase-file", "right"],
        ["keygen", "x", "-o", "no/x.key", "--import-openssh", "plain.ssh", "--passphrase-file", "right"],
        ["directory", "add", "d.json", "--name", "x", "--from", "damaged-plain.key"],
        ["directory", "add", "plain.key", "--name", "x", "--from", "sealed.key", "--passphrase-file", "right"],
        ["directory", "list", "plain.key"],
        ["sign", "-k", "plain.key", "--jsonl"],
        ["verify", "plain.key", "-d", "plain.key"],
        ["inspect", "plain.key"],
        ["inspect", "plain.pem"],
    ],
    ids=" ".join,
)
def test_no_command_shows_one(command: list[str], planted: Path) -> None:
    for done in (ama2sec(*command, stdin=b"{}"), ama2sec(*command, "--json", stdin=b"{}")):
        assert found(done.out.decode(errors="replace") + done.err) == []
    del planted


def test_a_fault_of_ours_in_a_process_shows_none(planted: Path) -> None:
    """Even where an exception gets past everything, to the interpreter itself."""
    program = (
        "import sys, traceback\n"
        "from ama2sec import Identity\n"
        "import tests.integration.test_secrets as t\n"
        "sys.excepthook = lambda *e: print(''.join(traceback.TracebackException(*e, capture_locals=True).format()))\n"
        "Identity.load('sealed.key', passphrase=t.WRONG)\n"
    )
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert "PassphraseWrong" in done.stdout
    assert found(done.stdout + done.stderr) == []
    assert process("id", "sealed.key").status == 21
    del planted
