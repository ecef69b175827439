//! Before the first verification: does the signature code refuse what rule S forbids (identity.1.6)?

use std::sync::OnceLock;

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};

use super::rule_s::{EnrolledKey, SignatureParts};
use crate::errors::{Code, Error, Result};

const MESSAGE: &[u8] = b"ama2sec self-test";

/// Run once in a process; afterwards a load of one value.
pub fn self_test() -> Result<()> {
    static OUTCOME: OnceLock<Result<()>> = OnceLock::new();
    OUTCOME
        .get_or_init(|| {
            self_test_of(|key, message, signature| {
                // Not `EnrolledKey::verify`: that asks for this very test first.
                let parts = SignatureParts::read(signature)?;
                EnrolledKey::enrol(key)?.verify_parts(&[message], &parts).map(|_| ())
            })
        })
        .clone()
}

/// The questions, put to any verifier: how a test shows that a lax one is noticed.
pub fn self_test_of(verify: impl Fn(&[u8], &[u8], &[u8]) -> Result<()>) -> Result<()> {
    let a = Scalar::from(0x5eed_u64);
    let r = Scalar::from(0x2611_u64);
    let key = EdwardsPoint::mul_base(&a).compress().0;
    let point = EdwardsPoint::mul_base(&r);
    let honest = signature(&point, &key, &r, &a);
    ask(verify(&key, MESSAGE, &honest).is_ok(), "an honest signature")?;
    for torsion in EIGHT_TORSION.iter().skip(1) {
        // A cofactored verification, and one random linear combination in two to eight, lets these through.
        let lax = signature(&(point + torsion), &key, &r, &a);
        ask(verify(&key, MESSAGE, &lax).is_err(), "a signature whose R has a torsion component")?;
    }
    ask(verify(&key, MESSAGE, &plus_order(&honest)).is_err(), "S plus the group order")?;
    let mut identity = [0u8; 32];
    identity[0] = 1;
    let mut keyless = [0u8; 64];
    keyless[0] = 1;
    ask(verify(&identity, MESSAGE, &keyless).is_err(), "a keyless forgery under the identity key")
}

fn ask(held: bool, what: &'static str) -> Result<()> {
    if held {
        return Ok(());
    }
    Err(Error::new(
        Code::SelfTestFailed,
        "a signature library that keeps to rule S",
        format!("another verdict on {what}"),
    ))
}

fn signature(point: &EdwardsPoint, key: &[u8; 32], r: &Scalar, a: &Scalar) -> [u8; 64] {
    let encoded = point.compress().0;
    let hash = Sha512::new().chain_update(encoded).chain_update(key).chain_update(MESSAGE).finalize();
    let s = r + Scalar::from_bytes_mod_order_wide(&hash.into()) * a;
    join(&encoded, s.as_bytes())
}

fn plus_order(signature: &[u8; 64]) -> [u8; 64] {
    /// The group order, little-endian (RFC 8032, section 5.1).
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut out = *signature;
    let mut carry = 0u16;
    for (byte, add) in out.iter_mut().skip(32).zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    out
}

pub(super) fn join(r: &[u8; 32], s: &[u8; 32]) -> [u8; 64] {
    let mut out = [0; 64];
    for (to, from) in out.iter_mut().zip(r.iter().chain(s)) {
        *to = *from;
    }
    out
}
