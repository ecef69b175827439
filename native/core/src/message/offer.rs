//! Offers: proof of possession of a key that is to be enrolled or granted (registry.1.2, registry.1.3).

use super::act::KeyBytes;
use super::claims::{Id, Typ, write_optional_id};
use super::envelope::{header_of, sig_structure};
use super::hash::{Purpose as HashPurpose, keyed};
use super::write::Writer;
use crate::errors::Result;
use crate::identity::{EnrolledKey, Name, Purpose, SigningKey};

/// What the holder of a key says yes to: a realm (zeros in a genesis), a purpose, a name, and the key that may follow.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    pub realm: &'a Id,
    pub purpose: Purpose,
    pub name: &'a Name,
    pub next: Option<&'a Id>,
}

impl Offer<'_> {
    fn to_sign(self, key: &EnrolledKey) -> Vec<u8> {
        let mut payload = Writer::with_capacity(144);
        payload.array(4).bytes(self.realm).uint(u64::from(self.purpose.number())).text(self.name.as_str());
        write_optional_id(&mut payload, self.next);
        sig_structure(&header_of(key.thumbprint(), Typ::Offer), &payload.0)
    }

    pub fn sign(self, key: &SigningKey) -> [u8; 64] {
        key.sign(&self.to_sign(key.public()))
    }

    /// The key, once it is sound and the offer verifies under it. Raises the codes of identity.1.
    pub fn check(self, key: &KeyBytes, signature: &[u8; 64]) -> Result<EnrolledKey> {
        let key = EnrolledKey::enrol(key)?;
        key.verify(&self.to_sign(&key), signature)?;
        Ok(key)
    }
}

/// The digest by which a key names the one that may replace it.
pub fn next_key_digest(key: &KeyBytes) -> Id {
    keyed(HashPurpose::NextKey, key)
}
