"""Who: keys, identities, key files, and the directory of keys that a verifier accepts (spec identity)."""

from ama2sec._native import Id, PublicKey
from ama2sec.identity.directory import Directory, DirectoryEntry
from ama2sec.identity.identity import Identity, Signer

__all__ = ["Directory", "DirectoryEntry", "Id", "Identity", "PublicKey", "Signer"]
