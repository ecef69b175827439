//! The Python face of the core: types and calls, nothing that hashes, signs or decides.

mod definition;
mod errors;
mod halt;
mod history;
mod identity;
mod lightclient;
mod message;
mod proofs;
mod realm;
mod realm_draft;
mod realm_entry;
mod realm_file;
mod realm_inbox;
mod realm_questions;
mod replay;
mod rfc6962;
mod tree;

use pyo3::prelude::*;

/// The compiled core of ama2sec.
#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::definition::{RealmDefinition, check_definition};
    #[pymodule_export]
    use crate::errors::error_catalogue;
    #[pymodule_export]
    use crate::halt::{EngineHalts, LatchFile, draft_halt, draft_resume, halt_scope};
    #[pymodule_export]
    use crate::history::{
        Checked, ConversationState, Fingerprint, TranscriptReader, TranscriptVerifier, Verified, branch_fingerprints,
        draft_message, parse_head, rfc6962_root, transcript_header,
    };
    #[pymodule_export]
    use crate::identity::{
        CoreDirectory, Id, PublicKey, SignatureVerified, SigningKey, backend, check_name, check_purpose,
        ed25519_verify, keyfile_decode, keyfile_encode,
    };
    #[pymodule_export]
    use crate::lightclient::{Exhibited, LightState, Missing, check_exhibit, make_exhibit, parse_exhibit};
    #[pymodule_export]
    use crate::message::{
        Context, Draft, ExecutionPath, Message, Signed, UnverifiedEnvelope, check_cbor, make, parse, verify,
        verify_many,
    };
    #[pymodule_export]
    use crate::proofs::{
        Ancestor, Extended, Included, RangeIncluded, Unchanged, check_ancestry, check_consistency, check_inclusion,
        check_range, compare_heads, inspect_proof, prove_ancestry, prove_consistency, prove_inclusion, prove_range,
    };
    #[pymodule_export]
    use crate::realm::{RealmAnswer, RealmEngine, parse_record};
    #[pymodule_export]
    use crate::realm_draft::{EntryParts, RealmContext, draft_realm, next_key_digest, sign_offer};
    #[pymodule_export]
    use crate::realm_entry::RealmEntry;
    #[pymodule_export]
    use crate::realm_file::RealmFile;
    #[pymodule_export]
    use crate::realm_inbox::{RealmBell, RealmInbox};
    #[pymodule_export]
    use crate::replay::{
        Checkpoint, RealmVerified, Replay, check_checkpoint, check_equivocation, check_fork, check_receipt,
        checkpoint_origin, fork_evidence,
    };
    #[pymodule_export]
    use crate::rfc6962::{
        RecordIncluded, RecordRangeIncluded, Rfc6962Extended, Rfc6962Included, check_record_consistency,
        check_record_inclusion, check_record_range, prove_record_consistency, prove_record_inclusion,
        prove_record_range, rfc6962_check_consistency, rfc6962_check_inclusion, rfc6962_prove_consistency,
        rfc6962_prove_inclusion,
    };
    #[pymodule_export]
    use crate::tree::{Accumulator, NodeFile, RealmTree};
}
