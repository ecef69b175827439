//! Every bound of the formats, in one place (`audits/spec/envelope.md`, section 2). Sizes are bytes, times milliseconds.

/// Claims of an ordinary envelope (envelope.2.1).
pub const MAX_CLAIMS: usize = 4 * 1024;
/// Claims of a kind that carries its document (envelope.2.1).
pub const MAX_DOCUMENT_CLAIMS: usize = 64 * 1024;
/// A whole envelope: the document bound plus header, signature and framing (envelope.2.1).
pub const MAX_ENVELOPE: usize = MAX_DOCUMENT_CLAIMS + 256;
/// A body (envelope.2.1).
pub const MAX_BODY: usize = 256 * 1024;
/// Nesting of arrays, maps and tags (envelope.3.8).
pub const MAX_DEPTH: usize = 8;
/// Recipients of an entry, and members of a conversation.
pub const MAX_RECIPIENTS: usize = 32;
/// Merged heads of an entry.
pub const MAX_MERGES: usize = 16;
/// Entries of an outputs map.
pub const MAX_OUTPUTS: usize = 16;
/// A text value in an outputs map.
pub const MAX_OUTPUT_TEXT: usize = 256;
/// A name: of an agent, a group, a step, an output.
pub const MAX_NAME: usize = 64;
/// A media type.
pub const MAX_MEDIA_TYPE: usize = 127;
/// One above the highest time and the highest epoch of a number: they are u48 milliseconds.
pub const TIME_END: u64 = 1 << 48;
/// One above the highest size of a tree.
pub const SIZE_END: u64 = 1 << 48;
/// How far an epoch may lie past the time of judging (fingerprint.6.7): 24 h.
pub const SEQ_EPOCH_AHEAD: u64 = 24 * 60 * 60 * 1000;
/// How far the counter of a number may rise at once (fingerprint.6.7).
pub const SEQ_COUNTER_JUMP: u32 = 1 << 16;
/// Leaves that transcript verification keeps in memory to explain a fault (fingerprint.8.2).
pub const WINDOW: usize = 4096;
/// Keys of one directory.
pub const MAX_DIRECTORY: usize = 1 << 20;
/// A transcript item: an entry with the largest body and its framing.
pub const MAX_ITEM: usize = MAX_ENVELOPE + MAX_BODY + 128;
/// A proof (proofs.1.3).
pub const MAX_PROOF: usize = 256 * 1024;
/// Hops of an ancestry proof (proofs.4.2).
pub const MAX_HOPS: u8 = 32;
/// Roots of a genesis, and the highest quorum (registry.2).
pub const MAX_ROOTS: usize = 16;
/// Groups of an enrolment (registry.2).
pub const MAX_GROUPS: usize = 16;
/// A reason in a registry entry, in bytes (registry.2).
pub const MAX_REASON: usize = 256;

/// Halts that one resume names (halt.1.3).
pub const MAX_HALTS_ENDED: usize = 64;

/// Halts of one author in force beyond which the next is the realm's (halt.3.2).
pub const MAX_LIVE_HALTS: usize = 1024;

/// Bytes of a scope beyond which it is the realm's (halt.2.1).
pub const MAX_SCOPE: usize = 256;
/// Step patterns of a grant (dag.2).
pub const MAX_STEPS: usize = 32;
/// How deep a member's grant may be handed on (dag.2).
pub const MAX_DEPTH_OF_GRANTS: u8 = 8;
/// Open proposals of one author (registry.2.4).
pub const MAX_OPEN_PROPOSALS: usize = 64;
/// A checkpoint's text (record.2.1).
pub const MAX_CHECKPOINT: usize = 8 * 1024;
/// Signature lines of a checkpoint (record.2.1).
pub const MAX_SIGNATURES: usize = 16;
/// A receipt (record.3).
pub const MAX_RECEIPT: usize = 16 * 1024;
/// Sizes whose leaf and fingerprint a light client keeps (proofs.5).
pub const LIGHT_WINDOW: usize = 1024;
/// A light client's state file (proofs.5.5).
pub const MAX_LIGHT_STATE: usize = 64 << 20;
/// An exhibit (proofs.6).
pub const MAX_EXHIBIT: usize = 1 << 20;
/// A workflow's document (workflow.1.1).
pub const MAX_DEFINITION: usize = 60 * 1024;
/// Steps of a definition, and the indexes below it.
pub const MAX_WORKFLOW_STEPS: usize = 64;
/// Steps that one step needs.
pub const MAX_NEEDS: usize = 32;
/// Conditions of a step.
pub const MAX_CONDITIONS: usize = 16;
/// Approvals that a step asks for.
pub const MAX_APPROVALS: u8 = 16;
/// Groups that may take a step, approve it, or roll back.
pub const MAX_STEP_GROUPS: usize = 16;
/// A body's JSON Schema, in bytes.
pub const MAX_SCHEMA: usize = 16 * 1024;
