"""A conversation file as a history: its entries, and the tree over their ids, for proofs (spec fingerprint.5, proofs)."""

from __future__ import annotations

import os
from array import array
from pathlib import Path
from typing import Final

from ama2sec import _files, _native
from ama2sec._native import Accumulator, Fingerprint, Id
from ama2sec.errors import error
from ama2sec.history.exhibit import make_exhibit
from ama2sec.history.proofs import prove_inclusion
from ama2sec.history.transcript import verify_conversation
from ama2sec.identity import Directory
from ama2sec.message import parse

__all__ = ["Archive"]

_CHUNK: Final = 1 << 20
_NOWHERE: Final = Id(bytes(32))


class Archive:
    """A conversation file, read once: 72 bytes of memory an entry, the entries themselves stay in the file.

    With a ``directory`` the whole conversation is verified first; without one only its form is read: proofs from it are as
    good (whoever checks them holds them against a head of his own), but nothing says that they are worth making.
    """

    __slots__ = ("_offsets", "_path", "accumulator", "verified")

    _offsets: array[int]
    _path: Path
    accumulator: Accumulator
    """The tree over the message ids."""
    verified: bool
    """Whether every signature and context was checked."""

    def __init__(self, path: str | os.PathLike[str], directory: Directory | None = None) -> None:
        """Raises ``FileUnreadable``, what ``verify_conversation`` raises, and the codec's codes of the first entry that does
        not read; ``Truncated`` for a part-written one at the end."""
        self._path = Path(path)
        self.verified = directory is not None
        head = None if directory is None else verify_conversation(path, directory).head
        self._read()
        if head is not None and head != self.accumulator.fingerprint():
            raise error("FileUnreadable", "the file that was verified", "another one: it was changed meanwhile")

    def _read(self) -> None:
        reader = _native.TranscriptReader()
        self._offsets = array("Q")
        at = len(_native.transcript_header())
        tree: Accumulator | None = None
        with _files.reading(self._path) as descriptor:
            while chunk := os.read(descriptor, _CHUNK):
                for entry in reader.feed(chunk):
                    found = parse(entry).id
                    tree = Accumulator(_NOWHERE, found) if tree is None else tree
                    tree.append(found)
                    self._offsets.append(at)
                    at += len(entry)
        left = reader.finish()
        if left:
            raise error("Truncated", "whole entries", f"{left} bytes of one")
        if tree is None:
            raise error("OpenMissing", "a conversation with its open", "none")
        self._offsets.append(at)
        self.accumulator = tree

    def __len__(self) -> int:
        return self.accumulator.size

    @property
    def head(self) -> Fingerprint:
        """The fingerprint of the whole."""
        return self.accumulator.fingerprint()

    def entry(self, index: int) -> bytes:
        """The entry at ``index`` as it travels. Raises ``ArgumentRange``; ``FileUnreadable`` if the file is not the one that
        was read."""
        if not 0 <= index < len(self):
            raise error("ArgumentRange", f"an entry below {len(self)}", str(index))
        start, end = self._offsets[index], self._offsets[index + 1]
        with _files.reading(self._path) as descriptor:
            data = os.pread(descriptor, end - start, start)
        changed = error("FileUnreadable", "the file that was read", "another one: it was changed meanwhile")
        if len(data) != end - start:
            raise changed
        if parse(data).id != self.accumulator.leaf(index):
            raise changed
        return data

    def exhibit(self, index: int, size: int | None = None) -> bytes:
        """The exhibit of the entry at ``index`` under the head at ``size``, all by default (spec proofs.6)."""
        proof = prove_inclusion(self.accumulator, index, size)
        return make_exhibit(self.accumulator.fingerprint(size), self.entry(index), proof)
