"""The directory: which public keys a verifier accepts, and whose they are (spec identity.3)."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Final, NoReturn

from ama2sec.errors import error
from ama2sec.limits import MAX_DIRECTORY
from ama2sec.reference.names import check_name
from ama2sec.reference.rule_s import EnrolledKey

PURPOSES: Final = ("message", "operator", "sequencer", "root")
_MAX_FILE: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Enrolled:
    """One enrolled key: rule S was checked for it."""

    key: EnrolledKey
    purpose: str
    name: str


class Directory:
    """The keys that a verifier chose. No function takes one from what it verifies."""

    def __init__(self) -> None:
        self._by_name: dict[str, Enrolled] = {}
        self._by_thumbprint: dict[bytes, Enrolled] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def enrol(self, key: bytes, *, name: str, purpose: str = "message") -> Enrolled:
        """Add a key of 32 bytes. Raises ``NotBytes``, ``KeyLength``, ``KeyNotCanonical``, ``KeyWeak``, ``NameForm``,
        ``ArgumentRange`` (no such purpose; too many keys), ``NameTaken``, ``KeyTaken``."""
        entry = Enrolled(EnrolledKey(key), purpose, check_name(name))
        if purpose not in PURPOSES:
            raise error("ArgumentRange", "one of " + ", ".join(PURPOSES), ascii(purpose)[:64])
        named = self._by_name.get(name)
        if named is not None and named.key != entry.key:
            raise error("NameTaken", "a name that is free", name)
        if self._by_thumbprint.get(entry.key.thumbprint, entry) != entry:
            raise error("KeyTaken", "a key that is not enrolled yet", key.hex())
        if named is None and len(self) >= MAX_DIRECTORY:
            raise error("ArgumentRange", f"at most {MAX_DIRECTORY} keys", "one more")
        self._by_name[name] = self._by_thumbprint[entry.key.thumbprint] = entry
        return entry

    def by_thumbprint(self, kid: bytes) -> Enrolled:
        """The entry of the key with this thumbprint; else ``KeyUnknown`` (envelope.6.2)."""
        found = self._by_thumbprint.get(kid)
        if found is None:
            raise error("KeyUnknown", "the thumbprint of an enrolled key", kid.hex())
        return found

    @classmethod
    def from_json(cls, data: bytes) -> Directory:
        """Read the file form (identity.3.4). Raises ``DirectoryForm``, and what ``enrol`` raises."""
        if len(data) > _MAX_FILE:
            _refuse(f"at most {_MAX_FILE} bytes", str(len(data)))
        try:
            value = json.loads(data.decode("utf-8", "strict"), object_pairs_hook=_object)
        except (ValueError, RecursionError):
            _refuse("JSON in UTF-8", "something else")
        match value:
            case {"format": "ama2sec-directory", "version": version, "entries": list(entries), **rest} if not rest:
                if type(version) is not int or version != 1:
                    _refuse("version 1", "another version")
            case _:
                _refuse("the members format, version and entries", "others")
        directory = cls()
        listed = [_read_entry(item) for item in entries]
        if any(before >= name for (before, _, _), (name, _, _) in itertools.pairwise(listed)):
            _refuse("names in ascending order", "others")
        for name, purpose, key in listed:
            directory.enrol(key, name=name, purpose=purpose)
        return directory


def _read_entry(item: object) -> tuple[str, str, bytes]:
    match item:
        case {"name": str(name), "purpose": str(purpose), "key": str(key), **rest} if not rest:
            raw = _lower_hex(key)
        case _:
            _refuse("entries of name, purpose and key", "another form")
    if any("\ud800" <= letter <= "\udfff" for letter in name):  # an escape in JSON that stands for no character
        _refuse("text", "half a surrogate pair")
    if purpose not in PURPOSES:
        _refuse("a purpose", ascii(purpose)[:64])
    return name, purpose, raw


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member twice")
    return found


def _lower_hex(text: str) -> bytes:
    if any(digit not in "0123456789abcdef" for digit in text) or len(text) % 2:
        _refuse("lowercase hex", "something else")
    return bytes.fromhex(text)


def _refuse(expected: str, got: str) -> NoReturn:
    raise error("DirectoryForm", expected, got)
