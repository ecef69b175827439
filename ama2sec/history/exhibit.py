"""Exhibits: one message, its path and its head in one small file that anybody can check (spec proofs.6)."""

from __future__ import annotations

from ama2sec import _native
from ama2sec._native import Exhibited, Fingerprint
from ama2sec.errors import error
from ama2sec.history.transcript import parse_head
from ama2sec.identity import Directory

__all__ = ["Exhibited", "check_exhibit", "make_exhibit", "parse_exhibit"]


def make_exhibit(fingerprint: Fingerprint, message: bytes, proof: bytes) -> bytes:
    """The exhibit of ``message`` (an entry or a bare envelope) under ``fingerprint``, with its inclusion proof.

    Only what passes its own check is made. Raises as ``check_inclusion``. Source: spec proofs.6.
    """
    return _native.make_exhibit(fingerprint, message, proof)


def check_exhibit(
    data: bytes, *, head: Fingerprint | str | None = None, directory: Directory | None = None
) -> Exhibited:
    """Check an exhibit: that its message stands in the history of its head.

    ``head`` is one that the checker trusts (a ``Fingerprint`` or its text ``size:hash``). Without it the result's ``head`` is
    ``as stated``: message and head belong together, and nothing says yet whose head it is. With a ``directory`` the message is
    verified too, and stands in the result. Raises ``ExhibitForm``, ``SizeLimit``, ``HeadStale``, ``HeadForked``,
    ``ProofRoot`` and what ``check_inclusion`` and ``verify`` raise. Source: spec proofs.6.
    """
    if directory is not None and not isinstance(directory, Directory):
        raise error("ArgumentType", "a Directory", type(directory).__name__)
    retained = None if head is None else parse_head(head)
    return _native.check_exhibit(data, retained, None if directory is None else directory._core)


def parse_exhibit(data: bytes) -> tuple[Fingerprint, bytes, bytes]:
    """The head that an exhibit states, its entry and its proof, for showing them: nothing is checked but the form.

    Raises ``ExhibitForm``, ``SizeLimit``. Source: spec proofs.6.
    """
    return _native.parse_exhibit(data)
