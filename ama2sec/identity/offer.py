"""Proof that somebody has a key, for whoever enrols it or grants something to it (spec registry.1.2)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from ama2sec._native import PublicKey, check_name
from ama2sec.errors import error

__all__ = ["Offer"]

_PURPOSES: Final = ("message", "operator", "sequencer", "root")


@dataclass(frozen=True, slots=True)
class Offer:
    """Proof that somebody has a key, made for one realm, one purpose and one name (spec registry.1.2). It is no secret."""

    public: PublicKey
    purpose: str
    name: str
    signature: bytes

    def to_json(self) -> str:
        """As text, to hand it to whoever enrols or grants."""
        parts = {"key": bytes(self.public).hex(), "offer": self.signature.hex()}
        return json.dumps({"name": self.name, "purpose": self.purpose, **parts})

    @classmethod
    def from_json(cls, text: str) -> Offer:
        """Read the text again. Raises ``ArgumentRange``; that the offer is true is judged when it is used."""
        try:
            view = json.loads(text)
            key, signature = bytes.fromhex(view["key"]), bytes.fromhex(view["offer"])
            name, purpose = view["name"], view["purpose"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise error("ArgumentRange", "an offer as JSON", "something else") from None
        if len(signature) != 64 or not isinstance(name, str) or purpose not in _PURPOSES:
            raise error("ArgumentRange", "an offer as JSON", "something else")
        return cls(PublicKey(key), purpose, check_name(name), signature)
