"""What must hold for every input: the core and the reference, which share no code, give the same verdict on it.

One function for each target. It answers with the code ("ok" where the input is accepted) and raises ``Disagreement`` where
the two differ. Any other exception that comes out is a finding as well. Used by the fuzzers and by the replay tests.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from ama2sec import Ama2Error, Directory, _native, reference, verify, verify_conversation
from ama2sec.errors import CATALOGUE, InternalError
from ama2sec.reference.view import to_view

CORPUS: Final = Path(__file__).resolve().parent.parent / "corpus"
_FILE: Final = (CORPUS / "directory.json").read_bytes()
CORE: Final = Directory.from_json(_FILE)
KEYS: Final = reference.Directory.from_json(_FILE)

_Answer = TypeVar("_Answer")
_EXPECTED: Final = {"ArgumentRange", "StateForm"}
"""Not a peer's fault, and still an answer to what a fuzzer does: a range of another length, a damaged state file."""


class Disagreement(AssertionError):
    """The two implementations differ: one of them is wrong, or the spec is."""


def codec(data: bytes) -> str:
    """Strict decoding; what the reference decodes, it encodes to the same bytes (spec envelope.3)."""
    core, _ = ask(_native.check_cbor, data)
    other, value = ask(reference.decode, data)
    same(core, other)
    if other == "ok":
        same(data, reference.encode(value))
    return core


def envelope(data: bytes) -> str:
    """One message, as an entry or bare: who signed what, and what is known of its body (spec envelope.4 to envelope.7)."""
    core, message = ask(verify, data, CORE)
    other, verified = ask(reference.verify, data, KEYS)
    same(core, other)
    if core == "ok":
        found = verified.envelope
        same(bytes(message.id), found.message_id)
        same((message.sender, message.body_state), (verified.sender.name, verified.body_state))
        same((message.envelope, message.claims), (found.data, to_view(found.claims)))
    return core


def transcript(data: bytes) -> str:
    """A conversation as a file, in one piece and in small ones: how far it is sound, and where it ends (spec fingerprint.6)."""
    core, answer = _judge(data)
    other, verified = ask(reference.verify_transcript, data, KEYS)
    if other == "ok":
        expected: object = (verified.head_text, verified.entries, verified.authors, verified.lag)
    else:
        expected = verified.sound
    same((core, answer), (other, expected))
    same(_judge(_Pieces(data)), (core, answer))
    return core


def _judge(source: bytes | io.BytesIO) -> tuple[str, object]:
    code, report = ask(verify_conversation, source, CORE)
    if code == "ok":
        return code, (str(report.head), report.entries, report.authors, report.lag)
    return code, report.report["sound"]


class _Pieces(io.BytesIO):
    """A file that never gives more than a few bytes at once."""

    def read(self, size: int = 1 << 20, /) -> bytes:
        return super().read(min(size, 1 + self.tell() % 97))


def ask(call: Callable[..., _Answer], *arguments: object) -> tuple[str, _Answer | Ama2Error]:
    """``ok`` and the answer, or the code and the error, which is a peer's and never ours."""
    try:
        return "ok", call(*arguments)
    except InternalError:
        raise
    except Ama2Error as fault:
        if CATALOGUE[fault.code].blame != "peer" and fault.code not in _EXPECTED:
            raise
        return fault.code, fault


def same(core: object, other: object) -> None:
    if core != other:
        raise Disagreement(f"core: {core!r}; reference: {other!r}")
