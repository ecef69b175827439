//! What is signed: the codec, the claims, the envelope, its body (`audits/spec/envelope.md`).

mod body;
mod claims;
mod claims_form;
pub mod codec;
mod draft;
mod entry;
mod envelope;
mod hash;
mod many;
mod view;
mod write;

pub use body::{Body, BodyPart, commitment};
pub use claims::{Addr, BodyClaim, Claims, Context, Id, Kind, Merge, OpenPart, Output, Seq, WorkflowState, ZERO};
pub use draft::{Draft, MessageParts, OpenParts};
pub use entry::{Entry, encode_entry, parse_entry, parse_message};
pub(crate) use envelope::read_message;
pub use envelope::{HEADER_TYP, UnverifiedEnvelope, VerifiedEnvelope, encode_envelope, header_bytes, sig_structure};
pub use hash::{Purpose as HashPurpose, fingerprint, keyed, message_id, node};
pub use many::{Incoming, verify_many};
pub use view::{claims_from_json, claims_to_json};
pub use write::Writer;
