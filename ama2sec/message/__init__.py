"""What is signed: envelopes, their bodies, and the one way from bytes to a verified message (spec envelope)."""

from ama2sec.message.envelope import Message, Signed, UnverifiedEnvelope, parse, verify, verify_many

__all__ = ["Message", "Signed", "UnverifiedEnvelope", "parse", "verify", "verify_many"]
