"""What was allowed, and where it is kept: realms, their registry, their log, their heads (spec registry, dag, admission, record).

engine, _ = RealmEngine.create(genesis, sequencer_key, now_ms)       # a realm in memory
answer = engine.submit(entry, now_ms)                                # admitted, rejected, duplicate or refused
verified = replay_realm(engine.export(), realm=engine.realm)         # raises, with .position and .offset
dag = RealmDag(verified, conversation)                               # who had seen what, on whose authority
"""

from ama2sec._native import (
    Checkpoint,
    EntryParts,
    RealmAnswer,
    RealmContext,
    RealmEngine,
    RealmVerified,
    Replay,
    SigningKey,
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
from ama2sec.realm.ancestry import AncestorProof, prove_ancestor
from ama2sec.realm.conversation import FileDag
from ama2sec.realm.dag import Branch, Link, Merged, Node, RealmDag
from ama2sec.realm.drawing import lay_out, to_dot, to_mermaid, to_text
from ama2sec.realm.replay import replay_realm
from ama2sec.realm.svg import to_svg

__all__ = [
    "AncestorProof",
    "Branch",
    "Checkpoint",
    "EntryParts",
    "FileDag",
    "Link",
    "Merged",
    "Node",
    "RealmAnswer",
    "RealmContext",
    "RealmDag",
    "RealmEngine",
    "RealmVerified",
    "Replay",
    "SigningKey",
    "check_checkpoint",
    "check_equivocation",
    "check_fork",
    "check_receipt",
    "checkpoint_origin",
    "draft_realm",
    "fork_evidence",
    "lay_out",
    "next_key_digest",
    "parse_record",
    "prove_ancestor",
    "replay_realm",
    "sign_offer",
    "to_dot",
    "to_mermaid",
    "to_svg",
    "to_text",
]
