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
    from ama2sec.errors import Ama2Error as Ama2Error
    from ama2sec.errors import HistoryError as HistoryError
    from ama2sec.history import Conversation as Conversation
    from ama2sec.history import ConversationReport as ConversationReport
    from ama2sec.history import verify_conversation as verify_conversation
    from ama2sec.identity import Directory as Directory
    from ama2sec.identity import DirectoryEntry as DirectoryEntry
    from ama2sec.identity import Id as Id
    from ama2sec.identity import Identity as Identity
    from ama2sec.identity import PublicKey as PublicKey
    from ama2sec.message import Message as Message
    from ama2sec.message import Signed as Signed
    from ama2sec.message import UnverifiedEnvelope as UnverifiedEnvelope
    from ama2sec.message import parse as parse
    from ama2sec.message import verify as verify
    from ama2sec.message import verify_many as verify_many

__version__ = "0.1.0"

_WHERE = {
    "Accumulator": "_native",
    "Ama2Error": "errors",
    "Conversation": "history",
    "ConversationReport": "history",
    "Directory": "identity",
    "DirectoryEntry": "identity",
    "Fingerprint": "_native",
    "HistoryError": "errors",
    "Id": "identity",
    "Identity": "identity",
    "Message": "message",
    "PublicKey": "identity",
    "Signed": "message",
    "UnverifiedEnvelope": "message",
    "parse": "message",
    "verify": "message",
    "verify_conversation": "history",
    "verify_many": "message",
}
_ROOMS = frozenset({"errors", "hazmat", "history", "identity", "limits", "message", "reference"})

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
