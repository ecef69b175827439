"""Who: keys, identities, key files, and the directory of keys that a verifier accepts (spec identity)."""

from ama2sec._native import Id, PublicKey
from ama2sec.identity.directory import Directory, DirectoryEntry
from ama2sec.identity.identity import Identity, Signer
from ama2sec.identity.offer import Offer

__all__ = ["Directory", "DirectoryEntry", "Id", "Identity", "Offer", "PublicKey", "Signer"]
