//! Private keys (identity.2.6, RFC 8032 section 5.1.5).

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::rule_s::EnrolledKey;
use super::self_test::join;
use crate::errors::Result;

/// An Ed25519 private key. Overwritten when dropped; its `Debug` shows nothing of it. The public half always comes from the
/// seed, so nobody can sign with halves that do not belong together.
#[derive(ZeroizeOnDrop)]
pub struct SigningKey {
    seed: [u8; 32],
    scalar: Scalar,
    prefix: [u8; 32],
    #[zeroize(skip)]
    public: EnrolledKey,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey(<secret> of {:?})", self.public)
    }
}

impl SigningKey {
    /// Expand a seed of 32 random bytes. The caller's copy is its own to overwrite. Fails as enrolment does: for no seed ever
    /// seen, because a clamped scalar times B lies in the prime-order subgroup.
    pub fn from_seed(seed: &[u8; 32]) -> Result<SigningKey> {
        let mut hash: Zeroizing<[u8; 64]> = Zeroizing::new([0; 64]);
        let mut digest: [u8; 64] = Sha512::digest(seed).into();
        hash.copy_from_slice(&digest);
        digest.zeroize();
        let mut low = Zeroizing::new([0u8; 32]);
        let mut prefix = [0u8; 32];
        for (i, byte) in hash.iter().enumerate() {
            if let Some(slot) = if i < 32 { low.get_mut(i) } else { prefix.get_mut(i - 32) } {
                *slot = *byte;
            }
        }
        let scalar = Scalar::from_bytes_mod_order(clamp_integer(*low));
        let public = EnrolledKey::enrol(&EdwardsPoint::mul_base(&scalar).compress().0)?;
        Ok(SigningKey { seed: *seed, scalar, prefix, public })
    }

    pub fn public(&self) -> &EnrolledKey {
        &self.public
    }

    /// The deterministic Ed25519 signature, constant-time in the key.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut wide: [u8; 64] = Sha512::new().chain_update(self.prefix).chain_update(message).finalize().into();
        let mut r = Scalar::from_bytes_mod_order_wide(&wide);
        wide.zeroize();
        let encoded = EdwardsPoint::mul_base(&r).compress().0;
        let hash =
            Sha512::new().chain_update(encoded).chain_update(self.public.as_bytes()).chain_update(message).finalize();
        let s = Scalar::from_bytes_mod_order_wide(&hash.into()) * self.scalar + r;
        r.zeroize();
        join(&encoded, s.as_bytes())
    }

    /// The seed, for an export that the user asked for. The copy overwrites itself.
    pub fn expose_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.seed)
    }
}
