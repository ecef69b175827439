"""Verifiable shared history for multi-agent systems: sign, verify, and prove what history a sender had seen.

    alice = Identity.generate("alice")
    signed = alice.sign(b"hello", to=["bob"])
    directory = Directory()
    directory.enrol(alice.public, name="alice", purpose="message")
    message = verify(signed.to_bytes(), directory)        # raises, or returns a message that is verified

Names are loaded when they are first used: ``ama2sec.reference`` and ``ama2sec.errors`` work without the compiled core.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ama2sec._native import Accumulator as Accumulator
    from ama2sec._native import Fingerprint as Fingerprint
    from ama2sec._native import NodeFile as NodeFile
    from ama2sec.errors import Ama2Error as Ama2Error
    from ama2sec.errors import HistoryError as HistoryError
    from ama2sec.halt import resume as resume
    from ama2sec.halt import stop as stop
    from ama2sec.halt import stop_status as stop_status
    from ama2sec.history import Ancestor as Ancestor
    from ama2sec.history import Conversation as Conversation
    from ama2sec.history import ConversationReport as ConversationReport
    from ama2sec.history import Exhibited as Exhibited
    from ama2sec.history import Extended as Extended
    from ama2sec.history import Hop as Hop
    from ama2sec.history import Included as Included
    from ama2sec.history import LightClient as LightClient
    from ama2sec.history import Missing as Missing
    from ama2sec.history import RangeIncluded as RangeIncluded
    from ama2sec.history import Unchanged as Unchanged
    from ama2sec.history import check_ancestry as check_ancestry
    from ama2sec.history import check_consistency as check_consistency
    from ama2sec.history import check_exhibit as check_exhibit
    from ama2sec.history import check_inclusion as check_inclusion
    from ama2sec.history import check_range as check_range
    from ama2sec.history import compare_heads as compare_heads
    from ama2sec.history import inspect_proof as inspect_proof
    from ama2sec.history import make_exhibit as make_exhibit
    from ama2sec.history import prove_ancestry as prove_ancestry
    from ama2sec.history import prove_consistency as prove_consistency
    from ama2sec.history import prove_inclusion as prove_inclusion
    from ama2sec.history import prove_range as prove_range
    from ama2sec.history import verify_conversation as verify_conversation
    from ama2sec.identity import Directory as Directory
    from ama2sec.identity import DirectoryEntry as DirectoryEntry
    from ama2sec.identity import Id as Id
    from ama2sec.identity import Identity as Identity
    from ama2sec.identity import Offer as Offer
    from ama2sec.identity import PublicKey as PublicKey
    from ama2sec.message import Message as Message
    from ama2sec.message import Signed as Signed
    from ama2sec.message import UnverifiedEnvelope as UnverifiedEnvelope
    from ama2sec.message import parse as parse
    from ama2sec.message import verify as verify
    from ama2sec.message import verify_many as verify_many
    from ama2sec.realm.definitions import Definition as Definition
    from ama2sec.realm.exported import verify_export as verify_export
    from ama2sec.realm.sdk import Realm as Realm

__version__ = "0.1.0"

_WHERE = {
    "Accumulator": "_native",
    "Ama2Error": "errors",
    "Ancestor": "history",
    "Conversation": "history",
    "ConversationReport": "history",
    "Definition": "realm.definitions",
    "Directory": "identity",
    "DirectoryEntry": "identity",
    "Exhibited": "history",
    "Extended": "history",
    "Fingerprint": "_native",
    "HistoryError": "errors",
    "Hop": "history",
    "Id": "identity",
    "Identity": "identity",
    "Included": "history",
    "LightClient": "history",
    "Message": "message",
    "Missing": "history",
    "NodeFile": "_native",
    "Offer": "identity",
    "PublicKey": "identity",
    "RangeIncluded": "history",
    "Realm": "realm.sdk",
    "Signed": "message",
    "Unchanged": "history",
    "UnverifiedEnvelope": "message",
    "check_ancestry": "history",
    "check_consistency": "history",
    "check_exhibit": "history",
    "check_inclusion": "history",
    "check_range": "history",
    "compare_heads": "history",
    "inspect_proof": "history",
    "make_exhibit": "history",
    "parse": "message",
    "prove_ancestry": "history",
    "prove_consistency": "history",
    "prove_inclusion": "history",
    "prove_range": "history",
    "verify": "message",
    "verify_conversation": "history",
    "verify_export": "realm.exported",
    "verify_many": "message",
    "resume": "halt",
    "stop": "halt",
    "stop_status": "halt",
}
_ROOMS = frozenset({"errors", "hazmat", "history", "identity", "limits", "message", "realm", "reference", "sync"})

__all__ = [*sorted(_WHERE), *sorted(_ROOMS), "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    if name in _WHERE:
        found: object = getattr(importlib.import_module(f"ama2sec.{_WHERE[name]}"), name)
        globals()[name] = found
        return found
    if name in _ROOMS:
        return importlib.import_module(f"ama2sec.{name}")
    raise AttributeError(f"module 'ama2sec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
