"""A realm, or one conversation of it, as it came from elsewhere: verified without the realm (spec record.4, agent.7).

found = verify_export(data, realm=kept_id, head=kept_head)       # raises, with .position and .offset
for message in found.messages:
    ...
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ama2sec import _files
from ama2sec._native import Id, RealmVerified, TranscriptReader, parse
from ama2sec.errors import error
from ama2sec.realm.bodies import decode_json, decode_text
from ama2sec.realm.dag import Node, RealmDag, agents, conversations
from ama2sec.realm.replay import replay_realm

__all__ = ["Exported", "ExportedMessage", "verify_export"]

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ExportedMessage:
    """One entry of a conversation, judged by the rules, in its place."""

    node: Node
    """Where it stands, who signed it and what its author had consumed; ``node.code`` says why it was rejected."""
    sender: str
    """The sender's name in the registry; of a sub-agent the first digits of its id."""
    body: bytes | None
    """None where there is none, or it is withheld."""
    media_type: str | None
    entry: bytes
    """As it travels."""

    @property
    def id(self) -> Id:
        """The message id."""
        return self.node.id

    @property
    def text(self) -> str:
        """The body as text. Raises ``Utf8Invalid``, ``BodyMissing``."""
        return decode_text(self._there())

    def json(self) -> Any:
        """The body as JSON. Raises ``Utf8Invalid``, ``BodyForm``, ``BodyMissing``."""
        return decode_json(self._there())

    def _there(self) -> bytes:
        if self.body is None:
            raise error("BodyMissing", "a body", "none, or one that is withheld")
        return self.body


@dataclass(frozen=True, slots=True)
class Exported:
    """What ``verify_export`` has verified."""

    verified: RealmVerified
    """The replay: ``realm_state`` and ``tail`` say what was held against something kept."""
    messages: list[ExportedMessage]
    """The entries of all conversations in the order of the log, rejected ones too."""

    def dag(self, conversation: Id) -> RealmDag:
        """Who had seen what in a conversation."""
        return RealmDag(self.verified, conversation)


def verify_export(
    data: bytes | str | os.PathLike[str],
    *,
    realm: Id | None = None,
    head: str | None = None,
    conversation: Id | None = None,
) -> Exported:
    """Verify what ``Realm.export`` gave, its bytes or the path of a file, and give its messages.

    ``realm`` is the realm's id and ``head`` a head that were kept: without either the realm is as the data states it, and a cut tail is
    not seen. ``conversation``: the data has the registry and this conversation only. Raises the first fault, with ``position`` and
    ``offset``; ``FileUnreadable``. Source: spec record.4.
    """
    if not isinstance(data, bytes):
        with _files.reading(data) as descriptor:
            data = b"".join(_pieces(descriptor))
    verified = replay_realm(data, realm=realm, head=head, conversation=conversation)
    reader = TranscriptReader(realm=True)
    entries = {parse(entry).id: entry for entry in reader.feed(data)}
    reader.finish()
    names = {agent.id: agent.name for agent in agents(verified)}
    nodes = [
        node for talk in conversations(verified) for node in RealmDag(verified, talk).timeline(limit=verified.records)
    ]
    nodes.sort(key=lambda node: node.position)
    return Exported(verified, [_message(node, names, entries[node.id]) for node in nodes])


def _pieces(descriptor: int) -> Iterator[bytes]:
    while piece := os.read(descriptor, _CHUNK):
        yield piece


def _message(node: Node, names: dict[Id, str], entry: bytes) -> ExportedMessage:
    claim = parse(entry).claims.get("body")
    media_type = None if claim is None else claim["media_type"]
    return ExportedMessage(node, names.get(node.author, node.author.short), _body(entry), media_type, entry)


def _body(entry: bytes) -> bytes | None:
    """The body in an entry that was read strictly before: ``[1, envelope, null | [salt, body]]`` (fingerprint.5.3)."""
    place = _string(entry, 2)[1]
    if entry[place] == 0xF6:
        return None
    start, end = _string(entry, _string(entry, place + 1)[1])
    return entry[start:end]


def _string(data: bytes, at: int) -> tuple[int, int]:
    """Where the byte string whose head is at ``at`` begins and ends."""
    info = data[at] & 0x1F
    width = 0 if info < 24 else 1 << (info - 24)
    length = info if width == 0 else int.from_bytes(data[at + 1 : at + 1 + width], "big")
    start = at + 1 + width
    return start, start + length
