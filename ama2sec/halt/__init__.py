"""A person's last word: stop a realm from anywhere on its host, and let it go on (spec halt).

stopped = stop("orders.db", reason="wrong prices")          # in force when this returns
stopped.quiesced                                             # nothing is on its way any more, by counters
resume("orders.db", [stopped.halt], operator=operator)       # takes effect with the next transaction of a program that has it open

These open the sidecar beside the realm's file and nothing else of it: they work while a writer hangs in a transaction, with a full disk,
and without any key. What a stop cannot do is in docs/stop.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ama2sec._native import Id, LatchFile, draft_halt, draft_resume, halt_scope
from ama2sec.errors import Ama2Error, error
from ama2sec.identity import Identity
from ama2sec.identity.identity import clock_ms
from ama2sec.limits import MAX_REASON

__all__ = [
    "Drill",
    "Status",
    "Stop",
    "Stopped",
    "brief",
    "drill",
    "encode_scope",
    "resume",
    "stated",
    "stop",
    "stop_status",
]

QUIET_MS: Final = 1_000
"""How long a stop waits for those who are on their way."""
_CUT: Final = "..."


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a stop has done. It is in force."""

    halt: Id | None
    """Its id, which a resume names; None where nobody has said yet whose sidecar it is: ``stop_status`` has it later."""
    outcome: str
    """``latched``, ``already`` (the same was in force), or ``spent`` (a signed one that was ended)."""
    quiesced: bool
    """Nothing in scope is sequenced, handed over or permitted on this host any more. False: somebody was still on his way."""
    alarm: str | None = None
    """The code of a fault of the disk: the stop holds, and may not outlive the machine."""


@dataclass(frozen=True, slots=True)
class Stop:
    """One halt that is latched."""

    halt: Id | None
    kind: str
    """``halt`` (signed by an operator), ``local-halt``, or ``unreadable``."""
    scope: str
    """As ``stop`` takes it; what does not read is ``realm``."""
    reason: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class Status:
    """What is latched beside a realm."""

    stopped: bool
    fault: str | None
    """Why the sidecar cannot be believed: then everything is stopped."""
    stops: tuple[Stop, ...]
    resumes: int
    """Resumes that wait for a program that has the realm open."""


@dataclass(frozen=True, slots=True)
class Drill:
    """What a drill has found."""

    programs: int
    """How many have the realm open."""
    saw: int
    """How many of them saw the change in time."""
    took_us: int


def encode_scope(scope: str) -> bytes:
    """The bytes of a scope (halt.2.1) from its text: ``realm``, ``conversation:ID``, ``branch:ID:ID``, ``instance:ID:ID``, ``agent:ID``,
    ``definition:NAME``. Raises ``ArgumentRange``."""
    kind, *parts = scope.split(":")
    try:
        if kind == "definition" and len(parts) == 1:
            return halt_scope(kind, name=parts[0])
        first, second, *more = [*map(Id.from_hex, parts), None, None]
        if len(more) == len(parts):
            return halt_scope(kind, first, second)
        raise ValueError(scope)
    except (ValueError, Ama2Error):
        expected = "realm, conversation:ID, branch:ID:ID, instance:ID:ID, agent:ID or definition:NAME"
        raise error("ArgumentRange", expected, scope[:80]) from None


def scope_text(view: Mapping[str, Any]) -> str:
    """The text of a scope from the core's view of it."""
    kind = str(view["kind"])
    parts = [view[name] for name in ("conversation", "branch", "instance", "agent", "definition") if name in view]
    return ":".join([kind, *map(str, parts)])


def status_of(view: Mapping[str, Any]) -> Status:
    """From the core's view."""
    stops = tuple(
        Stop(
            None if found["halt"] is None else Id.from_hex(found["halt"]),
            found["kind"],
            scope_text(found["scope"]),
            found["reason"],
            found["time"],
        )
        for found in view["stops"]
    )
    return Status(stopped=view["stopped"], fault=view["fault"], stops=stops, resumes=view["resumes"])


def stated(reason: str) -> str:
    """The reason of a stop as it is written down: half a surrogate pair, as a terminal in another encoding gives it, becomes ``?``.

    Whatever somebody has typed beside it, the stop is what he wants.
    """
    return reason.encode("utf-8", "replace").decode()


def brief(reason: str) -> str:
    """The same, of at most 256 bytes: what is longer is cut, and ends in ``...``. Nobody who wants to stop is sent back for shorter words."""
    whole = stated(reason).encode()
    if len(whole) <= MAX_REASON:
        return whole.decode()
    return whole[: MAX_REASON - len(_CUT)].decode("utf-8", "ignore") + _CUT


def stop(
    path: str | os.PathLike[str],
    scope: str = "realm",
    reason: str = "",
    *,
    operator: Identity | None = None,
    wait_ms: int = QUIET_MS,
) -> Stopped:
    """Stop the realm at ``path``, or a part of it (``encode_scope``), now. Needs no key and no open realm.

    With ``operator`` the halt is signed, so that others can see whose it was. Where the sidecar is missing it is made, and programs that have
    the realm open are stopped by that. Waits at most ``wait_ms`` for those who are on their way. Raises ``FileUnreadable`` (no realm there),
    ``LatchForm`` (the sidecar cannot be read: the realm is stopped by that), ``LogReadOnly``. A reason over 256 bytes is cut.
    """
    encoded, reason = encode_scope(scope), brief(reason)
    latch = LatchFile.open(path, make=True)
    if operator is None:
        halt, outcome = latch.stop(encoded, reason, clock_ms())
    else:
        agent, realm = _operator(latch, operator)
        signed = operator.seal(draft_halt(operator.public, agent, realm, encoded, reason, clock_ms()))
        halt, outcome = latch.stop_signed(signed.envelope)
    # In force by now. The disk comes last: it may take its time.
    quiesced = latch.quiesce(wait_ms)
    return Stopped(halt, outcome, quiesced, None if latch.sync() else "LogFailed")


def _operator(latch: LatchFile, operator: Identity) -> tuple[Id, Id]:
    agent, realm = latch.agent_of(operator.public), latch.realm
    if agent is None or realm is None:
        raise error("KeyUnknown", "the key of an operator or root of this realm", operator.name)
    return agent, realm


def stop_status(path: str | os.PathLike[str]) -> Status:
    """What is latched beside the realm at ``path``. A sidecar that is missing or cannot be read is a stop. Raises ``FileUnreadable``."""
    try:
        return status_of(LatchFile.open(path).status())
    except Ama2Error as fault:
        if fault.code == "LatchForm" or (fault.code == "FileUnreadable" and os.path.exists(path)):
            return Status(stopped=True, fault="the sidecar cannot be read, or is not there", stops=(), resumes=0)
        raise


def resume(path: str | os.PathLike[str], halt_ids: Iterable[Id | str], operator: Identity, *, reason: str = "") -> Id:
    """End exactly these halts, signed by an operator or a root: the id of the entry.

    It waits in the sidecar for a program that has the realm open, or opens it next, and takes effect when the realm has admitted it: where
    the policy asks for several operators, each of them approves it (``approve_resume`` of the realm's operator). Raises ``FileUnreadable``, ``LatchForm``,
    ``KeyUnknown``, ``ArgumentRange``, ``ClaimRange`` and ``TooMany`` (1 to 64 halts).
    """
    halts = [Id.from_hex(each) if isinstance(each, str) else each for each in halt_ids]
    latch = LatchFile.open(path)
    agent, realm = _operator(latch, operator)
    signed = operator.seal(draft_resume(operator.public, agent, realm, halts, stated(reason), clock_ms()))
    latch.post(signed.envelope)
    return signed.id


def drill(path: str | os.PathLike[str], *, wait_ms: int = QUIET_MS) -> Drill:
    """Test the way from here to every program that has the realm open, and stop nothing. Raises as ``stop``."""
    return Drill(*LatchFile.open(path).drill(wait_ms))
