"""The light client: follow a conversation without keeping it (spec proofs.5).

client = LightClient(directory, opening)             # the open of the conversation, as it travelled
client.receive(entry)                                # each next message; no proof is needed
client.save("trip.light")                            # a few kilobytes, and never a step back
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ama2sec import _files
from ama2sec._native import Fingerprint, Id, LightState, Message, Missing
from ama2sec.errors import error
from ama2sec.identity import Directory
from ama2sec.limits import MAX_LIGHT_STATE

__all__ = ["LightClient", "Missing"]


class LightClient:
    """What a reader must keep to notice that it missed a message or that history has forked.

    It holds the compact range of its size, the fingerprints of the last 1,024 sizes, and one number for each author: it can
    judge every next message, but it cannot show older ones. ``directory`` is the reader's own. Source: spec proofs.5.
    """

    __slots__ = ("_directory", "_state")

    _directory: Directory
    _state: LightState

    def __init__(self, directory: Directory, opening: bytes) -> None:
        """Begin with the ``open`` of a conversation (an entry or a bare envelope): size 1.

        Raises what ``verify`` raises, ``OpenMissing`` for another kind of entry, ``NotAMember`` for an author who is none.
        """
        self._directory = _checked(directory)
        self._state = LightState.start(directory._core, opening)

    @classmethod
    def join(
        cls, directory: Directory, head: Fingerprint, *, opening: bytes, last: Iterable[bytes], proof: bytes
    ) -> LightClient:
        """Begin at a head that is trusted, without the history before it.

        ``last`` are the last messages up to the head (one is enough; with more, senders that lag need no proof), ``proof`` a range
        proof for them (``prove_range(accumulator, head.size - len(last), head.size)``). Raises ``ConversationOther``,
        ``ProofRoot``, ``ProofClaim``, ``ProofForm``, ``ArgumentRange``, and what ``verify`` raises. Source: spec proofs.5.1.
        """
        made = object.__new__(cls)
        made._directory = _checked(directory)
        made._state = LightState.join(directory._core, head, opening, list(last), proof)
        return made

    @classmethod
    def load(cls, path: str | os.PathLike[str], directory: Directory) -> LightClient:
        """Go on from a state file. Raises ``FileUnreadable``, ``StateForm``, and what verifying the open raises."""
        made = object.__new__(cls)
        made._directory = _checked(directory)
        made._state = _read(path, directory)
        return made

    @property
    def head(self) -> Fingerprint:
        """The size and fingerprint of all that this client has followed."""
        return self._state.head

    @property
    def size(self) -> int:
        """The number of entries that it has followed."""
        return self._state.head.size

    @property
    def oldest(self) -> int:
        """The oldest size that a sender may name without a proof."""
        return self._state.oldest

    def receive(self, data: bytes, proof: bytes | None = None) -> Message:
        """Verify the next entry and take it in, or raise and stay as it was.

        ``proof`` is for a sender who names a size below ``oldest``: a consistency proof from that size to this head. Raises
        what spec fingerprint.6 names; among others ``ContextAhead`` (something was missed: see ``missing``), ``ContextForked``
        (its author has seen another history), ``NeedsProof``. Source: spec proofs.5.2.
        """
        return self._state.receive(self._directory._core, data, proof)

    def missing(self, context: bytes | Fingerprint, first: Id, proof: bytes) -> Missing:
        """Which message is the first that was missed; ``source`` in the answer says on whose word.

        ``context`` is the message for which ``receive`` raised ``ContextAhead`` (source ``sender``: its author signed what it
        had seen), or a fingerprint that somebody stated (source ``peer``). ``first`` is the id that is said to stand at index
        ``size``, and ``proof`` an inclusion proof for it under that context. Raises ``NotAMember`` for the message of a stranger,
        what verifying it raises, ``ContextForked`` if the two histories
        part before that place (``expected`` says in which entries), ``ProofRoot``, ``ProofClaim``. Source: spec proofs.5.3.
        """
        if isinstance(context, Fingerprint):
            return self._state.missing_by_peer(context, first, proof)
        return self._state.missing_by_sender(self._directory._core, context, first, proof)

    def skip(self, head: Fingerprint, *, extends: bytes, last: Iterable[bytes], proof: bytes) -> None:
        """Move to a later head without the messages between.

        ``extends`` is a consistency proof from this head to that one; ``last`` and ``proof`` are as in ``join``. Raises
        ``HeadStale``, ``HeadForked``, ``ConsistencyRoot``, ``ProofRoot`` ...; nothing changes then. Source: spec proofs.5.4.
        """
        self._state.skip(self._directory._core, head, extends, list(last), proof)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state, whole or not at all, and never a step back.

        A state that is there already is only replaced by its own future: ``HeadStale`` for a smaller one, ``HeadForked`` for one
        of another history, ``NeedsProof`` where this client can tell neither, ``ConversationOther``. Two processes that save
        to one file: ``AgentInUse`` for the second. Raises ``WriteFailed``. Source: spec proofs.5.6.
        """
        target = Path(path)
        lock = _files.take_lock(target, "to be the only one that writes this state")
        try:
            if os.path.lexists(target):
                self._state.check_succeeds(_read(target, self._directory))
            _files.write_whole(target, self._state.encode(), replace=True, mode=0o600)
        finally:
            os.close(lock)
        self._state.mark_kept()

    def __repr__(self) -> str:
        return f"<LightClient at {self.head}>"


def _checked(directory: Directory) -> Directory:
    if not isinstance(directory, Directory):
        raise error("ArgumentType", "a Directory", type(directory).__name__)
    return directory


def _read(path: str | os.PathLike[str], directory: Directory) -> LightState:
    with _files.reading(path) as descriptor:
        data = _files.read_bounded(descriptor, MAX_LIGHT_STATE)
    return LightState.parse(data, directory._core)
