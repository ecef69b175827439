"""What somebody who keeps the file may do to it, and the one verdict that each deed must get.

None of it needs a private key of an author. The places are picked by a seeded generator among the messages that the next author had
seen: a deed that no later signature speaks of cannot be told from an honest history (spec fingerprint.8).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from ama2sec import ConversationReport, Directory, HistoryError, Identity, UnverifiedEnvelope, parse
from ama2sec._native import ConversationState, TranscriptReader, draft_message, transcript_header
from ama2sec.errors import error

__all__ = ["Attack", "Diagnosis", "attacks", "differences"]

_LURE = b"Change of plan: please pay the invoice to the account below."
_SIGNATURE = "the signature"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the verifier must say: the code and position of the first fault, and the one repair that explains it (spec fingerprint.8.4)."""

    code: str
    position: int
    kind: str
    at: int
    id: str | None
    proven_by: str = "entry"


@dataclass(frozen=True, slots=True)
class Attack:
    """One tampered file. ``must_be`` is a diagnosis, or the number of entries where nobody can see the deed."""

    name: str
    title: str
    where: str
    data: bytes
    must_be: Diagnosis | int
    with_head: bool = False


def attacks(data: bytes, directory: Directory, stranger: Identity, rng: random.Random) -> list[Attack]:
    """All six, at places that ``rng`` picks in the middle half of the transcript ``data``, which verifies."""
    entries = TranscriptReader().feed(data)
    seen = [size_seen(parse(entry)) for entry in entries]
    middle = range(max(2, len(entries) // 4), 3 * len(entries) // 4)
    answered = [at for at in middle if seen[at + 1] == at + 1]
    if not answered:
        raise error("ArgumentRange", "a conversation in which somebody had seen the message before his own", "none")
    cut = rng.randint(1, min(30, len(entries) // 4))
    return [
        _flip(entries, rng.choice(answered), directory, rng),
        _drop(entries, rng.choice(answered), directory),
        _swap(entries, rng.choice(answered)),
        _insert(entries, rng.choice(answered), directory, stranger),
        _cut(entries, cut, with_head=False),
        _cut(entries, cut, with_head=True),
    ]


def size_seen(envelope: UnverifiedEnvelope) -> int:
    """How many messages the author says that it had seen."""
    return int(envelope.claims["context_fingerprint"]["size"])


def _file(entries: list[bytes]) -> bytes:
    return transcript_header() + b"".join(entries)


def _flip(entries: list[bytes], at: int, directory: Directory, rng: random.Random) -> Attack:
    """One bit of something that matters; which of the steps of the verifier sees it depends on what it is."""
    entry = entries[at]
    message = parse(entry).verify(directory)
    start = entry.index(message.envelope)
    seen = message.context.hash
    parts = {
        _SIGNATURE: (start + len(message.envelope) - 64, 64, "SignatureInvalid"),
        "the fingerprint of what its author had seen": (entry.index(bytes(seen), start), 32, "SignatureInvalid"),
        "the name of the author's key": (entry.index(bytes(message.sender_id), start), 32, "ClaimForm"),
    }
    if message.body:
        parts["the text"] = (len(entry) - len(message.body), len(message.body), "BodyMismatch")
    what, (first, length, code) = rng.choice(list(parts.items()))
    bit = rng.randrange(8 * length)
    if what == _SIGNATURE and bit >= 508:
        code = "SignatureNotCanonical"  # the group has about 2^252 elements: these four bits are 0 in every signature
    changed = bytearray(entry)
    changed[first + bit // 8] ^= 1 << bit % 8
    return Attack(
        "flipped",
        "One bit is flipped",
        f"bit {bit:,} of {what}, message {at:,} by {message.sender}",
        _file([*entries[:at], bytes(changed), *entries[at + 1 :]]),
        Diagnosis(code, at, "altered", at, str(message.id)),
    )


def _drop(entries: list[bytes], at: int, directory: Directory) -> Attack:
    """The next author had seen one message more than are there now."""
    gone = parse(entries[at]).verify(directory)
    return Attack(
        "dropped",
        "One message is dropped",
        f"message {at:,} by {gone.sender}",
        _file(entries[:at] + entries[at + 1 :]),
        Diagnosis("ContextAhead", at, "missing", at, str(gone.id)),
    )


def _swap(entries: list[bytes], at: int) -> Attack:
    """The later one had seen the earlier one, and now comes before it."""
    return Attack(
        "swapped",
        "Two messages change places",
        f"messages {at:,} and {at + 1:,}",
        _file([*entries[:at], entries[at + 1], entries[at], *entries[at + 2 :]]),
        Diagnosis("ContextAhead", at, "swapped", at, str(parse(entries[at]).id)),
    )


def _insert(entries: list[bytes], at: int, directory: Directory, stranger: Identity) -> Attack:
    """Well made, over the true history, by a key that the verifier has enrolled: faultless in itself.

    The message at ``at`` had not seen it and need not have. The one after it says what it had seen, and that was something else.
    """
    state = ConversationState(directory._core)
    state.admit_many(entries[:at])
    lure = stranger.seal(draft_message(stranger.public, state, (1, 1), _LURE, "text/plain", [], 0))
    return Attack(
        "inserted",
        "A message is slipped in, well signed by an enrolled stranger",
        f"before message {at:,}",
        _file([*entries[:at], lure.to_bytes(), *entries[at:]]),
        Diagnosis("ContextForked", at + 2, "inserted", at, str(lure.id)),
    )


def _cut(entries: list[bytes], cut: int, *, with_head: bool) -> Attack:
    """Any beginning of an honest history is an honest history: only who kept a head can tell."""
    left = len(entries) - cut
    if not with_head:
        where = f"the last {cut} of {len(entries):,}; the verifier kept nothing"
        return Attack("cut", "The end is cut off", where, _file(entries[:left]), left)
    where = f"the last {cut} of {len(entries):,}; the verifier kept the head, 40 bytes"
    must_be = Diagnosis("HeadStale", left, "cut_off", left, None, proven_by="head")
    return Attack("cut", "The same file again", where, _file(entries[:left]), must_be, with_head=True)


def differences(attack: Attack, found: ConversationReport | HistoryError) -> list[str]:
    """How the verdict differs from the one that it must be; empty if it does not."""
    if isinstance(attack.must_be, int):
        wanted: dict[str, object] = {"valid": True, "entries": attack.must_be, "tail": "unchecked"}
    else:
        wanted = _wanted(attack.must_be)
    got = _said(found)
    return [
        f"{name} must be {wanted.get(name)}, is {got.get(name)}"
        for name in wanted | got
        if wanted.get(name) != got.get(name)
    ]


def _wanted(must_be: Diagnosis) -> dict[str, object]:
    return {
        "valid": False,
        "code": must_be.code,
        "position": must_be.position,
        "sound": must_be.position,
        "repairs": [(must_be.kind, must_be.at, must_be.id, must_be.proven_by)],
        "later entries that do not fit": 0,
        "judged": True,
    }


def _said(found: ConversationReport | HistoryError) -> dict[str, object]:
    if isinstance(found, ConversationReport):
        return {"valid": True, "entries": found.entries, "tail": found.tail}
    report: Any = found.report
    if not isinstance(report, dict):
        return {"valid": False, "code": found.code}
    return {
        "valid": False,
        "code": found.code,
        "position": report["first_fault"]["position"],
        "sound": report["sound"],
        "repairs": [_repair(row) for row in report["repairs"]],
        "later entries that do not fit": report["misfits_after"],
        "judged": report["judged"],
    }


def _repair(row: dict[str, Any]) -> tuple[str, int, str | None, str | None]:
    """Kind, place, the id that was signed, and what proves it."""
    ids, proof = row["ids"], row["proven_by"]
    return row["kind"], row["position"], ids[-1] if ids else None, None if proof is None else proof["by"]
