"""What had been seen: heads, conversations kept as files, and their verification (spec fingerprint)."""

from ama2sec._native import Accumulator, Fingerprint, NodeFile
from ama2sec.history.archive import Archive
from ama2sec.history.conversation import Conversation
from ama2sec.history.exhibit import Exhibited, check_exhibit, make_exhibit, parse_exhibit
from ama2sec.history.lightclient import LightClient, Missing
from ama2sec.history.proofs import (
    Ancestor,
    Extended,
    Hop,
    Included,
    RangeIncluded,
    Unchanged,
    check_ancestry,
    check_consistency,
    check_inclusion,
    check_range,
    compare_heads,
    inspect_proof,
    prove_ancestry,
    prove_consistency,
    prove_inclusion,
    prove_range,
)
from ama2sec.history.transcript import ConversationReport, TranscriptError, parse_head, verify_conversation
from ama2sec.history.writer import write_transcript

__all__ = [
    "Accumulator",
    "Ancestor",
    "Archive",
    "Conversation",
    "ConversationReport",
    "Exhibited",
    "Extended",
    "Fingerprint",
    "Hop",
    "Included",
    "LightClient",
    "Missing",
    "NodeFile",
    "RangeIncluded",
    "TranscriptError",
    "Unchanged",
    "check_ancestry",
    "check_consistency",
    "check_exhibit",
    "check_inclusion",
    "check_range",
    "compare_heads",
    "inspect_proof",
    "make_exhibit",
    "parse_exhibit",
    "parse_head",
    "prove_ancestry",
    "prove_consistency",
    "prove_inclusion",
    "prove_range",
    "verify_conversation",
    "write_transcript",
]
