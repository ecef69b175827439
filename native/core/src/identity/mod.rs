//! Who: keys, rule S, names, the directory, key files (`audits/spec/identity.md`).

mod batch;
mod directory;
mod keyfile;
mod name;
mod rule_s;
mod self_test;
mod signing;

pub use batch::{SignedBytes, in_parallel, verify_batch};
pub use directory::{Directory, Enrolled};
pub use keyfile::{KeyFile, KeyFileSecrets, decode_keyfile, encode_keyfile};
pub use name::{Name, Purpose};
pub use rule_s::{EnrolledKey, SignatureVerified, Thumbprint, backend, ed25519_verify};
pub use self_test::{self_test, self_test_of};
pub use signing::SigningKey;
