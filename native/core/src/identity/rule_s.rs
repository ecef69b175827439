//! Rule S: the one rule by which a signature is valid (identity.1).

use std::hint::black_box;
use std::mem::MaybeUninit;

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use sha2::{Digest, Sha256, Sha512};

use super::self_test::self_test;
use crate::errors::{Code, Error, Result};

/// The encoding of the identity point; rule S refuses it as R (identity.1.4).
const IDENTITY_ENCODING: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

/// Everything before x in the deterministic COSE_Key of an Ed25519 public key (identity.2.2).
const COSE_KEY_PREFIX: [u8; 8] = [0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20];

/// Multicodec `ed25519-pub`, as `did:key` writes it (identity.2.3).
const MULTICODEC: [u8; 2] = [0xed, 0x01];

/// RFC 9679 thumbprint of a public key: the `kid`, and outside a realm the agent's id.
pub type Thumbprint = [u8; 32];

/// Proof that a signature was checked under rule S. Nothing outside this room can make one.
#[derive(Clone, Copy, Debug)]
pub struct SignatureVerified(pub(super) ());

/// A public key that passed identity.1.3. Only `enrol` makes one, so no later step can forget the check.
#[derive(Clone)]
pub struct EnrolledKey {
    bytes: [u8; 32],
    /// -A, because the equation needs [S]B - [k]A.
    minus_a: EdwardsPoint,
    thumbprint: Thumbprint,
}

/// Every key has one encoding (identity.1.3), so the bytes say it all; comparing points costs an entry's admission more than a look-up.
impl PartialEq for EnrolledKey {
    fn eq(&self, other: &EnrolledKey) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for EnrolledKey {}

impl std::fmt::Debug for EnrolledKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EnrolledKey({})", crate::text::hex(&self.bytes))
    }
}

impl EnrolledKey {
    /// Steps 1 and 3 of rule S for a key. Raises `KeyLength`, `KeyNotCanonical`, `KeyWeak`.
    pub fn enrol(key: &[u8]) -> Result<EnrolledKey> {
        let bytes = key_bytes(key)?;
        let Some(a) = CompressedEdwardsY(bytes).decompress() else {
            return Err(Error::new(Code::KeyNotCanonical, "the encoding of a point on the curve", "no such point"));
        };
        // Decoding reduces y modulo p and ignores the sign of x = 0: only one encoding of each point is accepted.
        if a.compress().0 != bytes {
            return Err(Error::new(Code::KeyNotCanonical, "the one encoding of its point", "another encoding"));
        }
        if a.is_identity() || !a.is_torsion_free() {
            return Err(Error::new(Code::KeyWeak, "a point of the prime-order subgroup", "a low or mixed order"));
        }
        Ok(EnrolledKey { bytes, minus_a: -a, thumbprint: thumbprint_of(&bytes) })
    }

    /// The 32 bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    pub fn thumbprint(&self) -> &Thumbprint {
        &self.thumbprint
    }

    /// `did:key:z...` (identity.2.3).
    pub fn did_key(&self) -> String {
        let mut data = MULTICODEC.to_vec();
        data.extend_from_slice(&self.bytes);
        format!("did:key:z{}", bs58::encode(data).into_string())
    }

    /// Read a `did:key` strictly: it is made again and compared.
    pub fn from_did_key(text: &str) -> Result<EnrolledKey> {
        let wrong = || Error::new(Code::KeyFormatUnsupported, "a did:key of an Ed25519 key", "another text");
        // The longest text of 34 bytes in base58 has 47 characters: bounded before anything is decoded.
        let encoded = text.strip_prefix("did:key:z").filter(|rest| rest.len() <= 48).ok_or_else(wrong)?;
        let data = bs58::decode(encoded).into_vec().map_err(|_| wrong())?;
        let key = data.strip_prefix(&MULTICODEC).filter(|key| key.len() == 32).ok_or_else(wrong)?;
        let enrolled = EnrolledKey::enrol(key)?;
        if enrolled.did_key() == text { Ok(enrolled) } else { Err(wrong()) }
    }

    /// Rule S for an enrolled key: steps 1, 2, 4 and 5. Raises `SignatureLength`, `SignatureNotCanonical`,
    /// `SignatureWeak`, `SignatureInvalid`, `SelfTestFailed`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<SignatureVerified> {
        self_test()?;
        let parts = SignatureParts::read(signature)?;
        self.verify_parts(&[message], &parts)
    }

    /// Steps 4 and 5, without the self-test: the self-test itself comes through here.
    pub(super) fn verify_parts(&self, message: &[&[u8]], parts: &SignatureParts) -> Result<SignatureVerified> {
        parts.refuse_weak_r()?;
        let k = challenge(&parts.r, &self.bytes, message);
        parts.conclude(&multiply(&k, &self.minus_a, &parts.s).compress())
    }

    /// The point whose encoding must be R; the inversion that encoding needs is shared by the batch.
    pub(super) fn expected_r(&self, message: &[&[u8]], parts: &SignatureParts) -> EdwardsPoint {
        multiply(&challenge(&parts.r, &self.bytes, message), &self.minus_a, &parts.s)
    }
}

/// Rule S in full, all five steps in order, for a key that is not enrolled. Raises also `KeyLength`, `KeyNotCanonical`, `KeyWeak`.
pub fn ed25519_verify(key: &[u8], message: &[u8], signature: &[u8]) -> Result<SignatureVerified> {
    self_test()?;
    key_bytes(key)?;
    let parts = SignatureParts::read(signature)?;
    EnrolledKey::enrol(key)?.verify_parts(&[message], &parts)
}

fn key_bytes(key: &[u8]) -> Result<[u8; 32]> {
    key.try_into().map_err(|_| Error::new(Code::KeyLength, "a key of 32 bytes", format!("{} bytes", key.len())))
}

fn thumbprint_of(key: &[u8; 32]) -> Thumbprint {
    Sha256::new().chain_update(COSE_KEY_PREFIX).chain_update(key).finalize().into()
}

/// A signature that passed steps 1 and 2: R as bytes, S as a scalar below the group order.
pub(super) struct SignatureParts {
    r: [u8; 32],
    s: Scalar,
}

impl SignatureParts {
    pub(super) fn read(signature: &[u8]) -> Result<SignatureParts> {
        let wrong =
            || Error::new(Code::SignatureLength, "a signature of 64 bytes", format!("{} bytes", signature.len()));
        let bytes: &[u8; 64] = signature.try_into().map_err(|_| wrong())?;
        let (Some(r), Some(s)) = (bytes.first_chunk::<32>(), bytes.last_chunk::<32>()) else {
            return Err(wrong());
        };
        // S + L, S + 2L, ... verify as well in a lax library: one message would have many signatures.
        match Scalar::from_canonical_bytes(*s).into_option() {
            Some(s) => Ok(SignatureParts { r: *r, s }),
            None => Err(Error::new(Code::SignatureNotCanonical, "S below the group order", "S at or above it")),
        }
    }

    pub(super) fn refuse_weak_r(&self) -> Result<()> {
        if self.r == IDENTITY_ENCODING {
            return Err(Error::new(Code::SignatureWeak, "an R that is not the identity", "the identity"));
        }
        Ok(())
    }

    pub(super) fn conclude(&self, computed: &CompressedEdwardsY) -> Result<SignatureVerified> {
        if computed.0 == self.r {
            return Ok(SignatureVerified(()));
        }
        Err(Error::new(Code::SignatureInvalid, "a signature that verifies under this key", "one that does not"))
    }
}

fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[&[u8]]) -> Scalar {
    let begun = Sha512::new().chain_update(r).chain_update(key);
    let hash = message.iter().fold(begun, |hash, piece| hash.chain_update(piece)).finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

#[repr(align(4096))]
struct Page([MaybeUninit<u8>; 4096]);

/// [k](-A) + [S]B. On AVX2 the time of the multiplication depends on where its tables lie on the stack (4K aliasing, 31 to 41 us):
/// a page-aligned frame, and below it a fixed pad, put them always in the same good place.
#[inline(never)]
fn multiply(k: &Scalar, minus_a: &EdwardsPoint, s: &Scalar) -> EdwardsPoint {
    let page = Page([MaybeUninit::uninit(); 4096]);
    black_box(&page.0);
    multiply_padded(k, minus_a, s)
}

#[inline(never)]
fn multiply_padded(k: &Scalar, minus_a: &EdwardsPoint, s: &Scalar) -> EdwardsPoint {
    let pad = [MaybeUninit::<u8>::uninit(); 1536];
    black_box(&pad);
    EdwardsPoint::vartime_double_scalar_mul_basepoint(k, minus_a, s)
}

/// Which code the curve library runs on this processor: `avx512ifma`, `avx2` or `serial`. Decided as the library does.
pub fn backend() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if cfg!(curve25519_dalek_backend = "serial") {
            return "serial";
        }
        let ifma = std::is_x86_feature_detected!("avx512ifma") && std::is_x86_feature_detected!("avx512vl");
        if cfg!(curve25519_dalek_backend = "avx512") && ifma {
            return "avx512ifma";
        }
        if std::is_x86_feature_detected!("avx2") {
            return "avx2";
        }
    }
    "serial"
}
