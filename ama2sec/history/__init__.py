"""What had been seen: heads, conversations kept as files, and their verification (spec fingerprint)."""

from ama2sec._native import Accumulator, Fingerprint
from ama2sec.history.conversation import Conversation
from ama2sec.history.transcript import ConversationReport, TranscriptError, parse_head, verify_conversation
from ama2sec.history.writer import write_transcript

__all__ = [
    "Accumulator",
    "Conversation",
    "ConversationReport",
    "Fingerprint",
    "TranscriptError",
    "parse_head",
    "verify_conversation",
    "write_transcript",
]
