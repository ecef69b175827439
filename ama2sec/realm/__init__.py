"""What was allowed, and where it is kept: realms, their registry, their log, their heads (spec registry, dag, admission, record).

engine, _ = RealmEngine.create(genesis, sequencer_key, now_ms)       # a realm in memory
answer = engine.submit(entry, now_ms)                                # admitted, rejected, duplicate or refused
verified = replay_realm(engine.export(), realm=engine.realm)         # raises, with .position and .offset
"""

from ama2sec._native import (
    Checkpoint,
    EntryParts,
    RealmAnswer,
    RealmContext,
    RealmEngine,
    RealmVerified,
    Replay,
    check_checkpoint,
    check_equivocation,
    check_fork,
    check_receipt,
    checkpoint_origin,
    draft_realm,
    fork_evidence,
    next_key_digest,
    parse_record,
    sign_offer,
)
from ama2sec.realm.replay import replay_realm

__all__ = [
    "Checkpoint",
    "EntryParts",
    "RealmAnswer",
    "RealmContext",
    "RealmEngine",
    "RealmVerified",
    "Replay",
    "check_checkpoint",
    "check_equivocation",
    "check_fork",
    "check_receipt",
    "checkpoint_origin",
    "draft_realm",
    "fork_evidence",
    "next_key_digest",
    "parse_record",
    "replay_realm",
    "sign_offer",
]
