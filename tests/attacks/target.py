"""What is attacked: both implementations, with one set of keys."""

from __future__ import annotations

from ama2sec import Ama2Error, Directory, verify, verify_conversation
from ama2sec.reference import Directory as ReferenceDirectory
from ama2sec.reference import verify as reference_verify
from ama2sec.reference import verify_transcript
from tests.vectors.making.claims import Claims, message
from tests.vectors.making.envelope import seal
from tests.vectors.making.people import ENROLLED
from tests.vectors.making.talk import Talk, file, lively

__all__ = ["DIRECTORY", "REFERENCE", "honest_still_passes", "judge", "judge_history", "refused", "refused_history"]

DIRECTORY = Directory()
REFERENCE = ReferenceDirectory()
for _who in ENROLLED:
    DIRECTORY.enrol(_who.public, name=_who.name, purpose=_who.purpose)
    REFERENCE.enrol(_who.public, name=_who.name, purpose=_who.purpose)

_HONEST: Claims = message()
_HONEST_ENVELOPE = seal(_HONEST)
_HONEST_TALK: Talk = lively()
_HONEST_FILE = file(_HONEST_TALK.items)


def judge(envelope: bytes, body: bytes | None = None, salt: bytes | None = None) -> str:
    """The code of one envelope, "ok" if it verifies. Both implementations must give the same."""
    codes = []
    for check, directory in ((verify, DIRECTORY), (reference_verify, REFERENCE)):
        try:
            check(envelope, directory, body=body, body_salt=salt)  # type: ignore[operator]
        except Ama2Error as fault:
            codes.append(fault.code)
        else:
            codes.append("ok")
    assert codes[0] == codes[1], (codes, envelope.hex())
    return codes[0]


def judge_history(data: bytes, head: str | None = None) -> tuple[str, int]:
    """Code and position of the first fault of a transcript, or "ok" and its size; the same from both."""
    found = []
    try:
        found.append(("ok", verify_conversation(data, DIRECTORY, head=head).entries))
    except Ama2Error as fault:
        assert isinstance(fault.report, dict)
        assert fault.report["sound"] == fault.report["first_fault"]["position"]
        found.append((fault.code, fault.report["sound"]))
    try:
        found.append(("ok", verify_transcript(data, REFERENCE, head=head).entries))
    except Ama2Error as fault:
        assert fault.position is not None
        found.append((fault.code, fault.position))
    assert found[0] == found[1], (found, data.hex())
    return found[0]


def honest_still_passes() -> None:
    """Nothing that was refused has changed what is accepted."""
    assert judge(_HONEST_ENVELOPE) == "ok"
    assert judge_history(_HONEST_FILE, _HONEST_TALK.head()) == ("ok", len(_HONEST_TALK.entries))


def refused(code: str, envelope: bytes, body: bytes | None = None, salt: bytes | None = None) -> None:
    """One attack on one envelope: its code, twice, and honest traffic afterwards."""
    assert [judge(envelope, body, salt) for _ in range(2)] == [code, code]
    honest_still_passes()


def refused_history(code: str, position: int, data: bytes, head: str | None = None) -> None:
    """One attack on one transcript."""
    assert [judge_history(data, head) for _ in range(2)] == [(code, position)] * 2
    honest_still_passes()
