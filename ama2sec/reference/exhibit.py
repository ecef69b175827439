"""An exhibit: one message with its path and its head in one file (spec proofs.6)."""

from __future__ import annotations

from dataclasses import dataclass

from ama2sec.errors import Ama2Error, error
from ama2sec.limits import MAX_EXHIBIT, SIZE_END
from ama2sec.reference.codec import Value, decode, encode
from ama2sec.reference.directory import Directory
from ama2sec.reference.envelope import Verified, verify
from ama2sec.reference.proofs import Fingerprint, Included, check_inclusion
from ama2sec.reference.transcript import Head


@dataclass(frozen=True, slots=True)
class Exhibited:
    """Message and head belong together. Whose word the head is, is another question."""

    included: Included
    head_retained: bool
    """Whether the head was held against one that is trusted; else it is only ``as stated``."""
    verified: Verified | None
    """The message under the directory's keys, where a directory was given."""


def check_exhibit(data: bytes, *, head: str | None = None, directory: Directory | None = None) -> Exhibited:
    """The steps of proofs.6. ``head`` is the text form of a head that is trusted (``HeadForm``)."""
    if type(data) is not bytes:  # identity.2.4
        raise error("NotBytes", "bytes", type(data).__name__)
    trusted = None if head is None else Head.from_text(head)
    stated, entry, proof = _read(data)  # 1
    if trusted is not None and (stated.size, stated.value) != (trusted.size, trusted.fingerprint):  # 2
        code = "HeadStale" if stated.size < trusted.size else "HeadForked"
        raise error(code, trusted.to_text(), Head(stated.size, stated.value).to_text())
    included = check_inclusion(stated, entry, proof)  # 3
    return Exhibited(included, trusted is not None, None if directory is None else verify(entry, directory))  # 4


def _read(data: bytes) -> tuple[Fingerprint, bytes, bytes]:
    if len(data) > MAX_EXHIBIT:
        raise error("SizeLimit", f"an exhibit of at most {MAX_EXHIBIT} bytes", f"{len(data)}")
    try:
        value: Value = decode(data)
    except Ama2Error:
        value = None
    match value:
        case ["ama2sec-exhibit", version, [*scope], [_, _, _] as entry, bytes(proof)] if (
            version is not True and version == 1
        ):
            return _read_head(scope), encode(entry), proof
    raise error("ExhibitForm", '["ama2sec-exhibit", 1, head, entry, proof]', "another form")


def _read_head(scope: list[Value]) -> Fingerprint:
    match scope:
        case [bytes(realm), bytes(conversation), bytes(branch), int(size), bytes(value)] if (
            all(len(each) == 32 for each in (realm, conversation, branch, value))
            and not isinstance(size, bool)
            and 0 < size < SIZE_END
        ):
            return Fingerprint(realm, conversation, branch, size, value)
    raise error("ExhibitForm", "[realm, conversation, branch, size, fingerprint]", "another form")
