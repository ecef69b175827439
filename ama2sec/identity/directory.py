"""The keys that a verifier accepts, under the names that it gives them (spec identity.3)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from ama2sec import _files, _native
from ama2sec._native import Id, PublicKey
from ama2sec.errors import error
from ama2sec.identity.secrecy import forgetful

__all__ = ["Directory", "DirectoryEntry"]

_MAX_FILE = 256 << 20


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """One enrolled key: ``name``, ``purpose`` (``message``, ``operator``, ``sequencer``, ``root``) and ``public``."""

    name: str
    purpose: str
    public: PublicKey


class Directory:
    """A list of enrolled keys. What a message says about its sender's key is never asked: only this list is.

    Every key that enters was decoded, re-encoded and checked for its subgroup (spec identity.1.3). The file form is
    not signed: it belongs where the verifier's own configuration is (spec identity.3.4).
    """

    __slots__ = ("_core",)

    def __init__(self) -> None:
        self._core = _native.CoreDirectory()

    def enrol(self, public: PublicKey | bytes | str, *, name: str, purpose: str = "message") -> DirectoryEntry:
        """Accept a key under a name and for one purpose.

        ``public`` is a ``PublicKey``, 32 bytes, or a ``did:key`` text. Enrolling the same triple again changes nothing.

        Raises ``KeyLength``, ``KeyNotCanonical`` or ``KeyWeak`` for a key that rule S refuses, ``NameForm``,
        ``NameTaken`` (the name has another key), ``KeyTaken`` (the key has another name or purpose).
        Source: spec identity.3.3.
        """
        key = as_public_key(public)
        self._core.enrol(key, name, purpose)
        return DirectoryEntry(name, purpose, key)

    def get(self, name: str) -> DirectoryEntry:
        """The entry under ``name``; raises ``NameUnknown``."""
        key, purpose = self._core.by_name(name)
        return DirectoryEntry(name, purpose, key)

    def name_of(self, key_id: Id) -> str | None:
        """The name under which the key with this thumbprint is enrolled, or None."""
        return self._core.name_of(key_id)

    def __len__(self) -> int:
        return len(self._core)

    def __iter__(self) -> Iterator[DirectoryEntry]:
        """The entries, sorted by name."""
        return iter([DirectoryEntry(name, purpose, key) for name, purpose, key in self._core.entries()])

    def __repr__(self) -> str:
        return f"<Directory of {len(self)} keys>"

    def to_json(self) -> str:
        """The file form (spec identity.3.4)."""
        return self._core.to_json().decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Directory:
        """Read the file form, each key checked again. Raises ``DirectoryForm`` or what ``enrol`` raises."""
        made = cls.__new__(cls)
        made._core = _native.CoreDirectory.from_json(
            text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        )
        return made

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file form, whole or not at all, over an older one. Raises ``WriteFailed``."""
        _files.write_whole(path, self._core.to_json(), replace=True)

    @classmethod
    @forgetful
    def load(cls, path: str | os.PathLike[str]) -> Directory:
        """Read a directory file. Raises ``FileUnreadable``, ``DirectoryForm``, or what ``enrol`` raises."""
        with _files.reading(path) as descriptor:
            data = _files.read_bounded(descriptor, _MAX_FILE)
        if len(data) > _MAX_FILE:
            raise error("DirectoryForm", f"a file of at most {_MAX_FILE} bytes", "a longer one")
        return cls.from_json(data)


def as_public_key(public: PublicKey | bytes | str) -> PublicKey:
    """A checked key from any of the forms in which a caller may hold one."""
    if isinstance(public, PublicKey):
        return public
    if isinstance(public, str):
        return PublicKey.from_did_key(public)
    return PublicKey(public)
