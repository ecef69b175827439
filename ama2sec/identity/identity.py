"""An agent's identity: a name, one purpose, and something that can sign (spec identity.2)."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ama2sec import _files, _native
from ama2sec._native import Draft, Id, PublicKey, Signed, SigningKey
from ama2sec.errors import error
from ama2sec.identity.offer import Offer
from ama2sec.identity.secrecy import forgetful

__all__ = ["Identity", "Signer"]

_MAX_KEY_FILE = 4096


@runtime_checkable
class Signer(Protocol):
    """Anything that signs with Ed25519: a hardware token, an agent process, a key service."""

    def sign(self, message: bytes, /) -> bytes:
        """The 64-byte Ed25519 signature over ``message``."""
        ...


class Identity:
    """A name, a purpose, a public key, and the private key (in the core) or an external signer behind it.

    It has no textual form that shows a secret, and cannot be pickled. Make one with ``generate``, ``load``,
    ``external`` or one of the imports.
    """

    __slots__ = ("_name", "_public", "_purpose", "_signer")

    _name: str
    _public: PublicKey
    _purpose: str
    _signer: SigningKey | Signer

    def __init__(self) -> None:
        raise error("ArgumentType", "Identity.generate, .load, .external or .from_...", "Identity()")

    @classmethod
    def _of(cls, name: str, purpose: str, public: PublicKey, signer: SigningKey | Signer) -> Identity:
        made = object.__new__(cls)
        made._name = _native.check_name(name)
        made._purpose = _native.check_purpose(purpose)
        made._public = public
        made._signer = signer
        return made

    @classmethod
    def generate(cls, name: str, *, purpose: str = "message") -> Identity:
        """A new key pair from the operating system's randomness. Raises ``NameForm``, ``ArgumentRange``."""
        key = SigningKey.generate()
        return cls._of(name, purpose, key.public, key)

    @classmethod
    def external(
        cls, name: str, public_key: PublicKey | bytes, signer: Signer, *, purpose: str = "message"
    ) -> Identity:
        """An identity whose private key is elsewhere.

        ``signer.sign(bytes)`` returns the 64-byte signature; it is verified under ``public_key`` before it is used
        (``SignerFault``; spec identity.2.5).
        """
        if not isinstance(signer, Signer):
            raise error("ArgumentType", "an object with sign(bytes) -> bytes", type(signer).__name__)
        public = public_key if isinstance(public_key, PublicKey) else PublicKey(public_key)
        return cls._of(name, purpose, public, signer)

    @classmethod
    @forgetful
    def load(cls, path: str | os.PathLike[str], *, passphrase: str | None = None) -> Identity:
        """Read an ``ama2sec-key`` file (spec identity.4).

        Raises ``FileUnreadable``, ``KeyFilePermissions``, ``KeyFileForm``, ``PassphraseNeeded``, ``PassphraseWrong``.
        """
        with _files.reading(path) as descriptor:
            _files.private(descriptor, path)
            data = _files.read_bounded(descriptor, _MAX_KEY_FILE)
        key, name, purpose = _native.keyfile_decode(data, encoded_passphrase(passphrase))
        return cls._of(name, purpose, key.public, key)

    @forgetful
    def save(self, path: str | os.PathLike[str], *, passphrase: str | None) -> None:
        """Write the private key to a new file of mode 0600; ``passphrase=None`` leaves it unencrypted, on purpose.

        Raises ``FileExists``, ``WriteFailed``, and ``ArgumentType`` where the key is an external signer's.
        Source: spec identity.4.
        """
        key = self._own_key()
        data = _native.keyfile_encode(key, self._name, self._purpose, encoded_passphrase(passphrase))
        _files.write_whole(path, data, replace=False, mode=0o600)

    @classmethod
    @forgetful
    def from_openssh(
        cls, data: bytes, *, name: str, passphrase: str | None = None, purpose: str = "message"
    ) -> Identity:
        """Import an OpenSSH Ed25519 private key. Raises ``KeyFormatUnsupported``, ``PassphraseNeeded``,
        ``PassphraseWrong`` (spec identity.4.6)."""
        from ama2sec.identity import formats

        return cls._imported(formats.read_openssh(data, encoded_passphrase(passphrase)), name, purpose)

    @classmethod
    @forgetful
    def from_pkcs8(cls, data: bytes, *, name: str, passphrase: str | None = None, purpose: str = "message") -> Identity:
        """Import a PKCS#8 PEM Ed25519 private key; raises as ``from_openssh``."""
        from ama2sec.identity import formats

        return cls._imported(formats.read_pkcs8(data, encoded_passphrase(passphrase)), name, purpose)

    @classmethod
    def _imported(cls, seed: bytes, name: str, purpose: str) -> Identity:
        key = SigningKey.from_seed(seed)
        return cls._of(name, purpose, key.public, key)

    @forgetful
    def to_openssh(self, *, passphrase: str | None) -> bytes:
        """The private key in OpenSSH's format, encrypted where a passphrase is given."""
        from ama2sec.identity import formats

        return formats.write_openssh(self._own_key().expose_seed(), encoded_passphrase(passphrase))

    @forgetful
    def to_pkcs8(self, *, passphrase: str | None) -> bytes:
        """The private key as PKCS#8 PEM, encrypted where a passphrase is given."""
        from ama2sec.identity import formats

        return formats.write_pkcs8(self._own_key().expose_seed(), encoded_passphrase(passphrase))

    def sign(
        self,
        body: bytes,
        *,
        to: str | Id | Sequence[str | Id] = (),
        media_type: str = "application/octet-stream",
        time_ms: int | None = None,
    ) -> Signed:
        """Sign one message that is a conversation of its own; ``to_bytes()`` of the result is what travels.

        ``to`` takes names and ids; a name is resolved by each reader's own directory. ``time_ms`` is the time that the author
        claims (milliseconds since 1970; by default the clock's). Raises ``BodyLimit`` above 256 KiB, ``TooMany``, ``NameForm``,
        ``NotBytes``, ``SignerFault``. Source: spec envelope.5.
        """
        recipients = addresses(to)
        members = [self.id, *(address for address in recipients if address != self.id)]
        time_ms = clock_ms() if time_ms is None else time_ms
        return self.seal(Draft.open(self._public, body, media_type, recipients, members, time_ms))

    def offer(self, realm: Id, *, name: str | None = None) -> Offer:
        """Proof of possession of the private key, for one realm and this identity's purpose: to be enrolled under its name, or under
        ``name`` (``child`` for a sub-agent, spec dag.3.2). Raises ``NameForm``, and ``ArgumentType`` for an external signer's key.
        Source: spec registry.1.2.
        """
        name = self._name if name is None else name
        signature = _native.sign_offer(self._own_key(), realm, self._purpose, name)
        return Offer(self._public, self._purpose, name, signature)

    def seal(self, draft: Draft) -> Signed:
        """Sign a draft. What an external signer returns is verified before it is used (spec identity.2.5)."""
        if isinstance(self._signer, SigningKey):
            return draft.sign(self._signer)
        return draft.seal(self._signer.sign(draft.to_sign))

    def _own_key(self) -> SigningKey:
        if not isinstance(self._signer, SigningKey):
            raise error("ArgumentType", "an identity whose private key is in the core", "one with an external signer")
        return self._signer

    @property
    def name(self) -> str:
        """The name (spec identity.3.1)."""
        return self._name

    @property
    def purpose(self) -> str:
        """``message``, ``operator``, ``sequencer`` or ``root``."""
        return self._purpose

    @property
    def public(self) -> PublicKey:
        """The public key, checked."""
        return self._public

    @property
    def id(self) -> Id:
        """The key's RFC 9679 thumbprint: outside a realm, the agent's id."""
        return self._public.thumbprint

    @property
    def did_key(self) -> str:
        """The public key as ``did:key`` text."""
        return self._public.did_key

    def __repr__(self) -> str:
        return f"<Identity {self._name} ({self._purpose}) {self.id.short}>"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise error("ArgumentType", "an explicit save() or to_pkcs8()", "an attempt to pickle a private key")


def addresses(to: str | Id | Sequence[str | Id]) -> list[str | Id]:
    """One address or several, as a list."""
    if isinstance(to, (str, Id)):
        return [to]
    try:
        return list(to)
    except TypeError:
        raise error("ArgumentType", "names and ids", type(to).__name__) from None


def clock_ms() -> int:
    """The clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def encoded_passphrase(passphrase: str | None) -> bytes | None:
    """The passphrase as bytes; ``ArgumentRange`` where its length is not 1 to 1,024 bytes (spec identity.4.3)."""
    if passphrase is None:
        return None
    if type(passphrase) is not str:
        raise error("ArgumentType", "a passphrase as text", type(passphrase).__name__)
    try:
        data = passphrase.encode()
    except UnicodeEncodeError:
        raise error("ArgumentRange", "a passphrase of well-formed text", "surrogates") from None
    if not 1 <= len(data) <= 1024:
        raise error("ArgumentRange", "a passphrase of 1 to 1,024 bytes", "another length")
    return data
