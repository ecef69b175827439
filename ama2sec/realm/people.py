"""Who is in a realm: the keys beside it, the document that begins it, and what its registry says (spec agent.1)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ama2sec import _files
from ama2sec._native import Id, PublicKey, check_name
from ama2sec.errors import error
from ama2sec.identity import Identity, Offer
from ama2sec.realm.lease import Lease

__all__ = ["Keyring", "Person", "Registry", "enrolment_of", "genesis_document"]

_QUORUMS: Final = ("root", "enrol", "revoke", "define", "erase", "resume")
_PURPOSES: Final = ("message", "operator", "sequencer", "root")
_NOWHERE: Final = Id(bytes(32))
_MAX_FILE: Final = 4096


class Keyring:
    """Private keys in a folder of mode 0700, one key file of mode 0600 each; in memory without a folder.

    Raises ``WriteFailed``, ``FileUnreadable``, ``KeyFilePermissions`` and what key files raise. Source: spec agent.1.
    """

    __slots__ = ("_folder", "_held", "_leases")

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._held: dict[str, Identity] = {}
        self._leases: dict[str, Lease] = {}

    def make(self) -> None:
        """The folder, which must not be there yet (``FileExists``)."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(mode=0o700)
        except FileExistsError:
            raise _files.exists(self._folder) from None
        except (OSError, ValueError) as fault:
            raise _files.unwritable(self._folder, fault) from None
        _files.sync_folder(self._folder)

    def discard(self) -> None:
        """Take back what ``make`` and what followed it have made, for a realm that did not begin."""
        if self._folder is not None:
            for name in [*(f"{held}.key" for held in self._held), "realm.json"]:
                (self._folder / name).unlink(missing_ok=True)
            self._folder.rmdir()

    def add(self, identity: Identity) -> Identity:
        """Keep a private key under its name."""
        if self._folder is not None:
            identity.save(self._folder / f"{identity.name}.key", passphrase=None)
        self._held[identity.name] = identity
        return identity

    def find(self, name: str) -> Identity | None:
        """The key under a name, if there is one."""
        check_name(name)
        held = self._held.get(name)
        if held is None and self._folder is not None and os.path.lexists(path := self._folder / f"{name}.key"):
            held = Identity.load(path)
            if held.name != name:
                raise error("KeyFileForm", f"the key of {name}", f"one of {held.name}")
            self._held[name] = held
        return held

    def get(self, name: str) -> Identity:
        """The key under a name; ``NameUnknown`` if there is none."""
        found = self.find(name)
        if found is None:
            raise error("NameUnknown", "an agent whose key is here", name)
        return found

    def lease(self, name: str, start: int = 0) -> Lease:
        """The right to write as an agent, or as a root (spec agent.4). Raises as ``Lease``."""
        check_name(name)
        if self._folder is not None:
            return Lease(self._folder / f"{name}.state", start)
        held = self._leases.get(name)
        if held is None:
            held = self._leases[name] = Lease(None, start)
        else:
            held.reopen()
        return held

    def keep_realm(self, realm: Id) -> None:
        """Keep which realm the keys are of."""
        if self._folder is not None:
            text = json.dumps({"ama2sec-realm": 1, "realm": str(realm)}) + "\n"
            _files.write_whole(self._folder / "realm.json", text.encode(), replace=False, mode=0o600)

    def realm(self) -> Id:
        """Which realm the keys are of. Raises ``FileUnreadable``, ``StateForm``."""
        if self._folder is None:
            raise error("ArgumentRange", "the path of a realm", "none")
        path = self._folder / "realm.json"
        with _files.reading(path) as descriptor:
            data = _files.read_bounded(descriptor, _MAX_FILE)
        try:
            return Id.from_hex(json.loads(data)["realm"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise error("StateForm", f"the realm's id in {os.fspath(path)!r}", "something else") from None


# -- what is said to the registry --------------------------------------------------------------------------------------


def genesis_document(name: str, roots: Sequence[Identity], sequencer: Identity, quorum: int, *, dev: bool) -> str:
    """The document of a genesis (spec registry.2) in its JSON view; ``quorum`` of the roots decide on everything."""

    def holder(identity: Identity) -> dict[str, Any]:
        offer = identity.offer(_NOWHERE)
        return {"name": offer.name, "key": bytes(offer.public).hex(), "offer": offer.signature.hex()}

    policy: dict[str, Any] = {**dict.fromkeys(_QUORUMS, quorum), "hold": False}
    if not dev:
        # registry.3.6.f: one root alone erases nothing, but in a realm for trying out.
        policy["erase"] = max(quorum, 2)
    document = {
        "name": check_name(name),
        "rules_version": 1,
        "profile": int(dev),
        "roots": [{**holder(root), "next": None} for root in sorted(roots, key=lambda r: (len(r.name), r.name))],
        "sequencer": holder(sequencer),
        "policy": policy,
    }
    return json.dumps(document)


def enrolment_of(offer: Offer, groups: Iterable[str]) -> str:
    """What an enrolment says, in its JSON view (spec registry.2)."""
    view = {
        "name": offer.name,
        "key": bytes(offer.public).hex(),
        "purpose": _PURPOSES.index(offer.purpose) + 1,
        "groups": sorted({check_name(group) for group in groups}, key=lambda g: (len(g), g)),
        "next": None,
        "replaces": None,
        "offer": offer.signature.hex(),
    }
    return json.dumps(view)


# -- what the registry says --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Person:
    """An agent of the registry, as it is now."""

    id: Id
    name: str
    purpose: str
    groups: tuple[str, ...]
    live: bool
    key: bytes


class Registry:
    """Names and ids of a realm as of one size of its registry."""

    __slots__ = ("_by_id", "_gone", "_live", "groups", "quorums", "size")

    def __init__(self, view: dict[str, Any]) -> None:
        self.size: int = view["size"]
        self.quorums: dict[str, int] = {name: view["policy"][name] for name in _QUORUMS}
        self._by_id: dict[Id, Person] = {}
        self._live: dict[str, Person] = {}
        self._gone: dict[bytes, Person] = {}
        self.groups: set[str] = set()
        for agent in view["agents"]:
            key = bytes.fromhex(agent["enrolments"][-1]["key"])
            made = Person(
                Id.from_hex(agent["id"]), agent["name"], agent["purpose"], tuple(agent["groups"]), agent["live"], key
            )
            self.add(made, self.size)

    def add(self, person: Person, size: int) -> None:
        """Take in one more, as of a size."""
        self._by_id[person.id] = person
        if person.live:
            self._live[person.name] = person
            self.groups.update(person.groups)
        else:
            self._gone[person.key] = person
        self.size = size

    def named(self, name: str) -> Person | None:
        """Who lives under a name."""
        return self._live.get(name)

    def revoked(self, key: PublicKey) -> Person | None:
        """Who had this key and is no more."""
        return self._gone.get(bytes(key))

    def person(self, id: Id) -> Person | None:  # noqa: A002
        """Who has an id; None for a sub-agent, which is in no registry."""
        return self._by_id.get(id)

    def members(self) -> dict[str, set[Id]]:
        """Of each group the live agents in it."""
        found: dict[str, set[Id]] = {}
        for person in self._live.values():
            for group in person.groups:
                found.setdefault(group, set()).add(person.id)
        return found

    def address(self, to: str | Id) -> str | Id:
        """An id for the name of an agent; a group's name and an id as they are.

        Raises ``NameForm``, ``NameUnknown``, ``ArgumentType``, and ``ArgumentRange`` for a name that an agent and a group have.
        """
        if isinstance(to, Id):
            return to
        if not isinstance(to, str):
            raise error("ArgumentType", "names and ids", type(to).__name__)
        person = self._live.get(check_name(to))
        if person is not None and to in self.groups:
            raise error("ArgumentRange", "an id where an agent and a group have one name", to)
        if person is None and to not in self.groups:
            raise error("NameUnknown", "the name of an agent or a group of this realm", to)
        return to if person is None else person.id
