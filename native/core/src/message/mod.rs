//! What is signed: the codec, the claims, the envelope, its body (`audits/spec/envelope.md`).

mod act;
mod act_form;
mod agree;
mod ahead;
mod body;
mod claims;
mod claims_form;
pub mod codec;
mod draft;
mod entry;
mod envelope;
mod hash;
mod id_map;
mod many;
mod offer;
mod value;
mod view;
mod view_act;
mod write;

pub use act::{
    Act, EnrolPart, GenesisPart, GrantPart, HaltPart, KeyBytes, Policy, Proposal, RegistryPart, RollbackPart, RootPart,
    StepPattern,
};
pub(crate) use act::{write_optional_uint, write_reach};
pub(crate) use act_form::{read_policy, read_proposal as read_proposal_claim};
pub use ahead::AskedAhead;
pub use body::{Body, BodyPart, commitment};
pub use claims::{Addr, BodyClaim, Claims, Context, Id, Kind, Merge, OpenPart, Output, Seq, Typ, WorkflowState, ZERO};
pub(crate) use claims::{write_addrs, write_optional_id, write_output, write_outputs};
pub(crate) use claims_form::{read_output, read_outputs};
pub use draft::{Draft, MessageParts, OpenParts};
pub(crate) use draft::{body_claim, sorted};
pub use entry::{Entry, encode_entry, parse_entry, parse_message};
pub(crate) use envelope::read_message;
pub use envelope::{
    AuthenticEnvelope, Keys, UnverifiedEnvelope, VerifiedEnvelope, encode_envelope, header_bytes, header_of,
    sig_structure,
};
pub use hash::{Purpose as HashPurpose, fingerprint, keyed, message_id, node};
pub use id_map::{IdHasher, IdMap};
pub use many::{Incoming, ask_many_ahead, verify_many};
pub use offer::{Offer, next_key_digest};
pub(crate) use value::Value;
pub(crate) use view::outputs_view;
pub use view::{claims_from_json, claims_to_json, typ_of_json};
pub use view_act::{genesis_from_json, grant_from_json, proposal_from_json, workflow_from_json};
pub(crate) use view_act::{policy_view, proposal_view};
pub use write::Writer;
