//! Key files: bytes in, bytes out (identity.4). Permissions and disks are the rim's.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::name::{Name, Purpose};
use super::signing::SigningKey;
use crate::errors::{Code, Error, Result};

const MAGIC: &[u8; 12] = b"ama2sec-key\n";
const HEADER: usize = 12 + 1 + 1 + 4 + 4 + 1 + 16 + 24;
const M_COST: u32 = 64 * 1024;
const T_COST: u32 = 3;

/// What a key file holds.
pub struct KeyFile {
    pub key: SigningKey,
    pub name: Name,
    pub purpose: Purpose,
}

/// Randomness and passphrase for writing an encrypted file. None of it is kept.
pub struct KeyFileSecrets<'a> {
    pub passphrase: &'a [u8],
    pub salt: [u8; 16],
    pub nonce: [u8; 24],
}

/// The bytes of a key file; encrypted where `secrets` are given (identity.4.1).
pub fn encode_keyfile(file: &KeyFile, secrets: Option<&KeyFileSecrets<'_>>) -> Result<Zeroizing<Vec<u8>>> {
    let plain = plaintext(file)?;
    let mut out = Zeroizing::new(MAGIC.to_vec());
    out.extend_from_slice(&[1, u8::from(secrets.is_some())]);
    let Some(secrets) = secrets else {
        out.resize(HEADER, 0);
        out.extend_from_slice(&plain);
        let check = Sha256::digest(out.as_slice());
        out.extend_from_slice(check.get(..16).unwrap_or_default());
        return Ok(out);
    };
    out.extend_from_slice(&M_COST.to_be_bytes());
    out.extend_from_slice(&T_COST.to_be_bytes());
    out.push(1);
    out.extend_from_slice(&secrets.salt);
    out.extend_from_slice(&secrets.nonce);
    let cipher = cipher(secrets.passphrase, &secrets.salt, M_COST, T_COST)?;
    let sealed = cipher
        .encrypt(&XNonce::from(secrets.nonce), Payload { msg: &plain, aad: &out })
        .map_err(|_| Error::new(Code::Internal, "the cipher to take a short text", "a fault"))?;
    out.extend_from_slice(&sealed);
    Ok(out)
}

/// Read a key file strictly. Raises `KeyFileForm`, `PassphraseNeeded`, `PassphraseWrong`.
pub fn decode_keyfile(data: &[u8], passphrase: Option<&[u8]>) -> Result<KeyFile> {
    let wrong =
        |got: &'static str| Error::new(Code::KeyFileForm, "an ama2sec-key file of version 1 (identity.4.1)", got);
    let (header, rest) = data.split_at_checked(HEADER).ok_or_else(|| wrong("fewer bytes"))?;
    let fields = header.strip_prefix(MAGIC).ok_or_else(|| wrong("another format"))?;
    let [1, kdf, m0, m1, m2, m3, t0, t1, t2, t3, p, random @ ..] = fields else {
        return Err(wrong("another version"));
    };
    let m_cost = u32::from_be_bytes([*m0, *m1, *m2, *m3]);
    let t_cost = u32::from_be_bytes([*t0, *t1, *t2, *t3]);
    let (Some(salt), Some(nonce)) = (random.first_chunk::<16>(), random.last_chunk::<24>()) else {
        return Err(wrong("fewer bytes"));
    };
    match (kdf, passphrase) {
        (0, None) => {
            if m_cost != 0 || t_cost != 0 || *p != 0 || random.iter().any(|byte| *byte != 0) {
                return Err(wrong("parameters of a cipher that is not used"));
            }
            let body = rest.len().checked_sub(16).and_then(|end| rest.split_at_checked(end));
            let (plain, check) = body.ok_or_else(|| wrong("fewer bytes"))?;
            let expected = Sha256::digest(data.get(..data.len() - 16).unwrap_or_default());
            if !bool::from(expected.get(..16).unwrap_or_default().ct_eq(check)) {
                return Err(wrong("a damaged file"));
            }
            parse_plaintext(plain).ok_or_else(|| wrong("a damaged file"))
        }
        // Somebody may have put an unencrypted file of his own in the place of the encrypted one.
        (0, Some(_)) => Err(wrong("a file that is not encrypted, and a passphrase for it")),
        (1, _) => {
            // The bounds are the reader's: a hostile file must not choose how much memory is taken (identity.4.2).
            if !(8 * 1024..=1024 * 1024).contains(&m_cost) || !(1..=16).contains(&t_cost) || *p != 1 {
                return Err(wrong("costs outside the bounds"));
            }
            let passphrase = passphrase
                .ok_or_else(|| Error::new(Code::PassphraseNeeded, "a passphrase", "none, for an encrypted key file"))?;
            let refused =
                || Error::new(Code::PassphraseWrong, "the passphrase of this key file", "one that does not open it");
            let opened = cipher(passphrase, salt, m_cost, t_cost)?
                .decrypt(&XNonce::from(*nonce), Payload { msg: rest, aad: header })
                .map(Zeroizing::new)
                .map_err(|_| refused())?;
            parse_plaintext(&opened).ok_or_else(|| wrong("a damaged file"))
        }
        _ => Err(wrong("an unknown key derivation")),
    }
}

fn plaintext(file: &KeyFile) -> Result<Zeroizing<Vec<u8>>> {
    let name = file.name.as_str().as_bytes();
    let length = u8::try_from(name.len())
        .map_err(|_| Error::new(Code::Internal, "a name of at most 64 bytes", "a longer one"))?;
    // Sized at once: growing would leave an unwiped copy of the seed behind.
    let mut out = Zeroizing::new(Vec::with_capacity(2 + name.len() + 32));
    out.push(file.purpose.number());
    out.push(length);
    out.extend_from_slice(name);
    out.extend_from_slice(file.key.expose_seed().as_slice());
    Ok(out)
}

fn parse_plaintext(plain: &[u8]) -> Option<KeyFile> {
    let [purpose, length, rest @ ..] = plain else {
        return None;
    };
    let (name, seed) = rest.split_at_checked(usize::from(*length))?;
    let seed: Zeroizing<[u8; 32]> = Zeroizing::new(seed.try_into().ok()?);
    Some(KeyFile {
        key: SigningKey::from_seed(&seed).ok()?,
        name: Name::parse(std::str::from_utf8(name).ok()?).ok()?,
        purpose: Purpose::from_number(*purpose)?,
    })
}

fn cipher(passphrase: &[u8], salt: &[u8; 16], m_cost: u32, t_cost: u32) -> Result<XChaCha20Poly1305> {
    let fault = || Error::new(Code::Internal, "key derivation inside its bounds", "a fault");
    let params = Params::new(m_cost, t_cost, 1, Some(32)).map_err(|_| fault())?;
    let mut key = Zeroizing::new([0u8; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, key.as_mut_slice())
        .map_err(|_| fault())?;
    Ok(XChaCha20Poly1305::new(&Key::from(*key)))
}
