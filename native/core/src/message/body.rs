//! The body and what commits to it (envelope.7).

use subtle::ConstantTimeEq;

use super::claims::{BodyClaim, Id};
use super::hash::{Purpose, key};
use crate::errors::{Code, Error, Result};

/// A body as it travels: beside the envelope, with its salt.
#[derive(Clone, Copy, Debug)]
pub struct BodyPart<'a> {
    pub salt: &'a [u8],
    pub body: &'a [u8],
}

/// What a reader knows of a verified envelope's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The claims commit to none.
    None,
    /// The claims commit to one that the reader was not given.
    Withheld,
    /// The one that the claims commit to.
    Present { salt: [u8; 32], body: Box<[u8]> },
}

/// Keyed BLAKE3 over salt and body.
pub fn commitment(salt: &[u8; 32], body: &[u8]) -> Id {
    *blake3::Hasher::new_keyed(key(Purpose::Body)).update(salt).update(body).finalize().as_bytes()
}

impl Body {
    /// The numbered steps of envelope.7.
    pub(super) fn check(claim: Option<&BodyClaim>, given: Option<BodyPart<'_>>, asked: bool) -> Result<Body> {
        let (claim, given) = match (claim, given) {
            (None, None) => return Ok(Body::None),
            (None, Some(_)) => return Err(Error::new(Code::BodyUnexpected, "no body", "one")),
            (Some(_), None) if asked => {
                return Err(Error::new(Code::BodyMissing, "the body that the claims commit to", "none"));
            }
            (Some(_), None) => return Ok(Body::Withheld),
            (Some(claim), Some(given)) => (claim, given),
        };
        if given.body.len() as u64 != claim.size {
            let got = format!("{} bytes", given.body.len());
            return Err(Error::new(Code::BodySize, format!("a body of {} bytes", claim.size), got));
        }
        let mismatch = || Error::new(Code::BodyMismatch, "the body that the claims commit to", "another body or salt");
        let salt: [u8; 32] = given.salt.try_into().map_err(|_| mismatch())?;
        // Whoever probes for a short erased body learns nothing from the time that the comparison takes.
        if bool::from(commitment(&salt, given.body).ct_eq(&claim.commitment)) {
            return Ok(Body::Present { salt, body: given.body.into() });
        }
        Err(mismatch())
    }
}
