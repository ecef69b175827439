"""OpenSSH and PKCS#8 private keys, by ``cryptography`` (spec identity.4.6). Imported only when asked for."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ama2sec.errors import error

__all__ = ["read_openssh", "read_pkcs8", "write_openssh", "write_pkcs8"]

_MAX = 64 * 1024


def _read(load: Callable[[bytes, bytes | None], object], data: bytes, passphrase: bytes | None, what: str) -> bytes:
    if type(data) is not bytes:
        raise error("NotBytes", "bytes", type(data).__name__)
    if len(data) > _MAX:
        raise error("KeyFormatUnsupported", f"{what} of at most {_MAX} bytes", f"{len(data)} bytes")
    try:
        key = load(data, passphrase)
    except TypeError:
        # The library's word for "encrypted and no passphrase", and for "a passphrase for a key that is not encrypted".
        if passphrase is None:
            raise error("PassphraseNeeded", "a passphrase", "none, for an encrypted key") from None
        raise error("KeyFormatUnsupported", f"an encrypted {what}", "one that is not encrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        if passphrase is not None:
            raise error(
                "PassphraseWrong", f"the passphrase of a readable {what}", "one that does not open it"
            ) from None
        raise error("KeyFormatUnsupported", f"a readable {what}", "something else") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise error("KeyFormatUnsupported", "an Ed25519 key", type(key).__name__)
    return key.private_bytes_raw()


def read_openssh(data: bytes, passphrase: bytes | None) -> bytes:
    """The seed of an OpenSSH private key."""
    return _read(serialization.load_ssh_private_key, data, passphrase, "OpenSSH private key")


def read_pkcs8(data: bytes, passphrase: bytes | None) -> bytes:
    """The seed of a PKCS#8 PEM private key."""
    return _read(serialization.load_pem_private_key, data, passphrase, "PKCS#8 PEM key")


def _write(seed: bytes, passphrase: bytes | None, form: serialization.PrivateFormat) -> bytes:
    cover: serialization.KeySerializationEncryption
    cover = serialization.NoEncryption() if passphrase is None else serialization.BestAvailableEncryption(passphrase)
    return Ed25519PrivateKey.from_private_bytes(seed).private_bytes(serialization.Encoding.PEM, form, cover)


def write_openssh(seed: bytes, passphrase: bytes | None) -> bytes:
    """An OpenSSH private key."""
    return _write(seed, passphrase, serialization.PrivateFormat.OpenSSH)


def write_pkcs8(seed: bytes, passphrase: bytes | None) -> bytes:
    """A PKCS#8 PEM private key."""
    return _write(seed, passphrase, serialization.PrivateFormat.PKCS8)
