"""Envelopes: parse, verify (spec envelope).

What is hashed, signed and checked is in the core. ``UnverifiedEnvelope``, ``Message`` and ``Signed`` are frozen types of
the core without a constructor: a ``Message`` exists only because a verification succeeded.
"""

from __future__ import annotations

from collections.abc import Iterable

from ama2sec import _native
from ama2sec._native import Message, Signed, UnverifiedEnvelope
from ama2sec.errors import Ama2Error, error
from ama2sec.identity import Directory

__all__ = ["Message", "Signed", "UnverifiedEnvelope", "parse", "verify", "verify_many"]


def parse(data: bytes) -> UnverifiedEnvelope:
    """Read an envelope strictly, without a key: nothing in the result is known to be true.

    ``data`` is a bare envelope (first byte ``d2``) or one transcript entry (first byte ``83``), which may carry the body.
    Raises ``MalformedError`` with the code of the first rule that is broken; ``NotBytes``. Source: spec envelope.4, .5.
    """
    return _native.parse(data)


def verify(
    data: bytes,
    directory: Directory,
    *,
    body: bytes | None = None,
    body_salt: bytes | None = None,
    require_body: bool = False,
) -> Message:
    """Verify one message under the keys of ``directory`` and return it, or raise.

    ``body`` and ``body_salt`` (32 bytes) come from outside where ``data`` is a bare envelope; an entry carries them
    itself. Without a body the message says that it is withheld; ``require_body=True`` makes that ``BodyMissing``.

    Raises ``MalformedError``, ``KeyUnknownError``, ``SignatureError``, ``RefusedError`` (another realm), ``BodyError``,
    ``AuthorityError`` (the key is for another purpose). The result says who signed which claims; it says nothing about whether
    the history that they name exists: for that, ``verify_conversation``. Source: spec envelope.6.
    """
    return _native.verify(data, _core(directory), body, body_salt, require_body)


def verify_many(items: Iterable[bytes], directory: Directory, *, threads: int = 0) -> list[Message | Ama2Error]:
    """Verify any number of messages in one call, outside the interpreter lock, on all cores.

    Returns one verdict for each item, in order: the ``Message``, or the error that ``verify`` would have raised for
    it. ``threads=0`` means as many as there are cores. Source: spec identity.1, envelope.6.
    """
    listed = items if isinstance(items, list) else list(items)
    return _native.verify_many(listed, _core(directory), threads)


def _core(directory: Directory) -> _native.CoreDirectory:
    if not isinstance(directory, Directory):
        raise error("ArgumentType", "a Directory", type(directory).__name__)
    return directory._core
