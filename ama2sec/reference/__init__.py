"""The second implementation: pure Python, written from ``audits/spec`` alone, to be read in one sitting.

It shares error codes and bounds with the rest of the package and nothing else: no compiled module of this project, and none
of its Python. Its arithmetic is PyNaCl's and blake3's. It is slow, it keeps everything in memory, and it gives verdicts
without explanations. Where the two implementations answer differently, one of them is wrong, or the spec is.

    directory = Directory.from_json(open("team.json", "rb").read())
    print(verify_transcript(open("talk.cbor", "rb").read(), directory).head_text)

Read in this order: ``rule_s``, ``hashes``, ``codec``, ``names``, ``directory``, ``claims``, ``entry``, ``envelope``, ``tree``, ``transcript``,
``proof_form``, ``proofs``, ``exhibit``, ``lightclient``; and of realms ``kinds``, ``definitions``, ``dag``, ``scopes``, ``registry``, ``halts``, ``workflows``, ``admission``, ``digest``, ``checkpoint``, ``record``, ``replay``.
"""

from ama2sec.reference.admission import Admitted, Rejected, Stamp, State, admit, apply
from ama2sec.reference.checkpoint import (
    Checkpoint,
    Fork,
    check_checkpoint,
    check_fork,
    compare,
    make_fork,
    sign_checkpoint,
)
from ama2sec.reference.claims import Claims, read_claims
from ama2sec.reference.codec import decode, encode
from ama2sec.reference.definitions import Workflow, compile_definition
from ama2sec.reference.digest import conversation_digest, registry_digest
from ama2sec.reference.directory import Directory, Enrolled
from ama2sec.reference.envelope import Envelope, Verified, make, parse, verify
from ama2sec.reference.exhibit import Exhibited, check_exhibit
from ama2sec.reference.hashes import fingerprint
from ama2sec.reference.lightclient import LightClient, Missing, check_replaces
from ama2sec.reference.proof_form import read_proof
from ama2sec.reference.proofs import (
    Ancestor,
    Extended,
    Fingerprint,
    Included,
    Leaves,
    RangeIncluded,
    Step,
    Unchanged,
    check_ancestry,
    check_consistency,
    check_inclusion,
    check_range,
    compare_heads,
    prove_ancestry,
    prove_consistency,
    prove_inclusion,
    prove_range,
    rfc6962_check_consistency,
    rfc6962_check_inclusion,
)
from ama2sec.reference.record import (
    Equivocation,
    Receipt,
    Record,
    check_equivocation,
    check_receipt,
    make_equivocation,
    make_receipt,
    read_record,
)
from ama2sec.reference.replay import Replayed, replay
from ama2sec.reference.rule_s import EnrolledKey, SignatureVerified, ed25519_verify
from ama2sec.reference.transcript import Head, VerifiedTranscript, verify_transcript
from ama2sec.reference.tree import CompactRange, branch_root, fingerprints, rfc6962_leaf, rfc6962_root

__all__ = [
    "Admitted",
    "Ancestor",
    "Checkpoint",
    "Claims",
    "CompactRange",
    "Directory",
    "Enrolled",
    "EnrolledKey",
    "Envelope",
    "Equivocation",
    "Exhibited",
    "Extended",
    "Fingerprint",
    "Fork",
    "Head",
    "Included",
    "Leaves",
    "LightClient",
    "Missing",
    "RangeIncluded",
    "Receipt",
    "Record",
    "Rejected",
    "Replayed",
    "SignatureVerified",
    "Stamp",
    "State",
    "Step",
    "Unchanged",
    "Verified",
    "VerifiedTranscript",
    "Workflow",
    "admit",
    "apply",
    "branch_root",
    "check_ancestry",
    "check_checkpoint",
    "check_consistency",
    "check_equivocation",
    "check_exhibit",
    "check_fork",
    "check_inclusion",
    "check_range",
    "check_receipt",
    "check_replaces",
    "compare",
    "compare_heads",
    "compile_definition",
    "conversation_digest",
    "decode",
    "ed25519_verify",
    "encode",
    "fingerprint",
    "fingerprints",
    "make",
    "make_equivocation",
    "make_fork",
    "make_receipt",
    "parse",
    "prove_ancestry",
    "prove_consistency",
    "prove_inclusion",
    "prove_range",
    "read_claims",
    "read_proof",
    "read_record",
    "registry_digest",
    "replay",
    "rfc6962_check_consistency",
    "rfc6962_check_inclusion",
    "rfc6962_leaf",
    "rfc6962_root",
    "sign_checkpoint",
    "verify",
    "verify_transcript",
]
