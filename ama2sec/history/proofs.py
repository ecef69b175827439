"""Proofs: what a stranger can check of a history (spec proofs).

    proof = prove_inclusion(accumulator, 1)                       # whoever has the history
    check_inclusion(fingerprint, envelope, proof)                 # whoever has one message and trusts the fingerprint

Every check takes what is trusted, the message itself (never its hash) and the proof; it returns a proof that it checked, a
type that nothing else makes, or raises. Envelope arguments are bytes (an envelope or an entry), or a ``Message``, ``Signed``
or ``UnverifiedEnvelope``. A check says nothing about who signed a message: for that, ``verify``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ama2sec import _native
from ama2sec._native import (
    Accumulator,
    Ancestor,
    Extended,
    Fingerprint,
    Included,
    Message,
    RangeIncluded,
    Signed,
    Unchanged,
    UnverifiedEnvelope,
)
from ama2sec.errors import error

__all__ = [
    "Ancestor",
    "Extended",
    "Hop",
    "Included",
    "RangeIncluded",
    "Unchanged",
    "check_ancestry",
    "check_consistency",
    "check_inclusion",
    "check_range",
    "compare_heads",
    "inspect_proof",
    "prove_ancestry",
    "prove_consistency",
    "prove_inclusion",
    "prove_range",
]

Envelope = bytes | Message | Signed | UnverifiedEnvelope


@dataclass(frozen=True, slots=True)
class Hop:
    """One merge on the way: the message at ``index`` of the history so far merges a head of ``into``, where the way goes on.

    ``envelope`` is that message; ``merge`` says which of its merged heads is meant, counted from 0.
    """

    index: int
    envelope: Envelope
    into: Accumulator
    merge: int = 0


def prove_inclusion(accumulator: Accumulator, index: int, size: int | None = None) -> bytes:
    """The proof that entry ``index`` is in the history of ``size`` entries, all by default.

    At any size that the accumulator has had, through any depth of forks. Raises ``ArgumentRange`` unless index < size <=
    the accumulator's size. Source: spec proofs.1.6, proofs.2.
    """
    return _native.prove_inclusion(accumulator, index, size)


def check_inclusion(fingerprint: Fingerprint, envelope: Envelope, proof: bytes) -> Included:
    """Check that ``envelope`` is an entry of the history with this trusted fingerprint; ``index`` is in the result.

    Raises ``MalformedError`` for the proof's form (``ProofForm``, ``ProofVersion``, ``SizeLimit``) and the envelope's;
    ``ProofError``: ``ProofIndex``, ``ProofClaim`` (another type, tree or size than the trusted one), ``ProofRoot`` (it leads
    elsewhere). It does not state that the history was admitted: that is what trusting the fingerprint means. Source: spec
    proofs.2.3.
    """
    return _native.check_inclusion(fingerprint, envelope, proof)


def prove_consistency(accumulator: Accumulator, old_size: int, new_size: int | None = None) -> bytes:
    """The proof that the history of ``new_size`` entries, all by default, begins with that of ``old_size`` entries.

    Raises ``ArgumentRange`` unless 0 < old_size < new_size <= the accumulator's size. Source: spec proofs.3.
    """
    return _native.prove_consistency(accumulator, old_size, new_size)


def check_consistency(old: Fingerprint, new: Fingerprint, proof: bytes) -> Extended:
    """Check that the history with fingerprint ``new`` begins with the one with fingerprint ``old``.

    The branches of the two may differ: a fork has its parent's first entries. Raises as ``check_inclusion``, and
    ``ConsistencyRoot`` where the new head is right and the old one is no prefix of it. Source: spec proofs.3.3.
    """
    return _native.check_consistency(old, new, proof)


def compare_heads(old: Fingerprint, new: Fingerprint, proof: bytes | None = None) -> Unchanged | Extended:
    """How ``new``, a head that was offered, stands to ``old``, one that was kept.

    Raises ``HeadForked`` (same size, other history), ``HeadStale`` (shorter), ``NeedsProof`` (longer, and no proof was
    given), ``ProofClaim`` (another realm or conversation, or a proof for a head that did not change), and else as
    ``check_consistency``. Source: spec proofs.3.6.
    """
    return _native.compare_heads(old, new, proof)


def prove_range(accumulator: Accumulator, begin: int, end: int, size: int | None = None) -> bytes:
    """The proof that entries ``begin`` to ``end - 1`` are in the history of ``size`` entries, all by default.

    Raises ``ArgumentRange`` unless begin < end <= size <= the accumulator's size. Source: spec proofs.2.5.
    """
    return _native.prove_range(accumulator, begin, end, size)


def check_range(fingerprint: Fingerprint, envelopes: Iterable[Envelope], proof: bytes) -> RangeIncluded:
    """Check that ``envelopes``, in this order, are consecutive entries of the history with this trusted fingerprint.

    Where they are its last ones, the result has ``peaks``: the compact range of the whole, enough to go on from there.
    Raises as ``check_inclusion``, and ``ArgumentRange`` for another number of envelopes than the proof is for. Source: spec
    proofs.2.6, proofs.2.7.
    """
    listed = envelopes if isinstance(envelopes, list) else list(envelopes)
    return _native.check_range(fingerprint, listed, proof)


def prove_ancestry(accumulator: Accumulator, index: int, size: int | None = None, *, via: Sequence[Hop] = ()) -> bytes:
    """The proof that an entry lies in the past of the head of ``accumulator`` at ``size``, all by default.

        prove_ancestry(main, 2, via=[Hop(index=7, envelope=report, into=worker)])

    reads: from the head of ``main``, by way of its entry 7, which merges ``worker``, to entry 2 of ``worker``. Without
    ``via`` it is entry ``index`` of ``main`` itself; forks need no hop. Raises ``ArgumentRange`` for numbers that make no
    claim, an envelope that is not that entry, a merge that it does not have, and an accumulator that is not the merged
    history; at most 32 hops with the last. Source: spec proofs.4.
    """
    hops = []
    for hop in via:
        if not isinstance(hop, Hop):
            raise error("ArgumentType", "a list of Hop", type(hop).__name__)
        hops.append((hop.index, hop.envelope, hop.into, hop.merge))
    return _native.prove_ancestry(accumulator, index, size, hops)


def check_ancestry(fingerprint: Fingerprint, envelope: Envelope, proof: bytes) -> Ancestor:
    """Check that ``envelope`` lies in the past of the head with this trusted fingerprint.

    The result says where it was found (``found``, ``index``) and by way of which merging messages (``via``). It does not state
    that there is no shorter way. Raises as ``check_inclusion`` for the forms and the first size, ``AncestryRoot`` where the
    chain does not hold. Source: spec proofs.4.3.
    """
    return _native.check_ancestry(fingerprint, envelope, proof)


def inspect_proof(data: bytes) -> dict[str, Any]:
    """What a proof says, for people: its type, tree, numbers, and for each hash the entries [begin, end) that it stands for.

    Nothing is checked but the form (``ProofForm``, ``ProofVersion``, ``ProofIndex``, ``SizeLimit``; claims inside an
    ancestry proof are read strictly). Source: spec proofs.1.
    """
    return _native.inspect_proof(data)
