//! Writing: claims that are right by construction, then a signature (envelope.4, envelope.7).

use super::agree::agree;
use super::body::{BodyPart, commitment};
use super::claims::{Addr, BodyClaim, Claims, Context, Id, Kind, OpenPart, Seq, ZERO};
use super::claims_form::{check_media_type, check_size, parse_claims};
use super::envelope::{encode_envelope, header_of, sig_structure};
use super::hash::message_id;
use super::value::addr_key;
use crate::errors::{Code, Error, Result};
use crate::identity::{EnrolledKey, SigningKey};
use crate::limits::{MAX_BODY, MAX_RECIPIENTS, SIZE_END, TIME_END};

/// What both kinds of message have. Salts are the caller's randomness.
pub struct MessageParts<'a> {
    pub author: &'a EnrolledKey,
    pub recipients: Vec<Addr>,
    pub time: u64,
    pub salt: [u8; 16],
    pub body: Option<(BodyPart<'a>, &'a str)>,
}

/// What an `open` has besides. None: everyone enrolled.
pub struct OpenParts {
    pub members: Option<Vec<Addr>>,
}

/// Claims that wait for a signature. The bytes to sign are fixed when it is made.
#[derive(Debug)]
pub struct Draft {
    author: EnrolledKey,
    protected: Vec<u8>,
    payload: Vec<u8>,
    signed: Vec<u8>,
    id: Id,
}

impl Draft {
    /// A first entry of a conversation outside a realm. Raises `BodyLimit`, `TooMany`, `ClaimForm`, `ArgumentRange`.
    pub fn open(parts: MessageParts<'_>, open: OpenParts) -> Result<Draft> {
        let members = open.members.map(sorted).transpose()?;
        if members.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::new(Code::ArgumentRange, "at least one member", "none"));
        }
        let part = OpenPart { members, required: false, definition: None };
        Draft::make(parts, Kind::Open, (ZERO, ZERO, Context::EMPTY, None), None, Some(part))
    }

    /// A message in a conversation outside a realm, over the context `(n, fingerprint)` with leaf n-1 as its parent.
    pub fn message(
        parts: MessageParts<'_>,
        conversation: Id,
        n: u64,
        fingerprint: Id,
        parent: Id,
        seq: Seq,
    ) -> Result<Draft> {
        if n == 0 || n >= SIZE_END {
            return Err(Error::new(Code::ArgumentRange, "a context of at least one entry", n.to_string()));
        }
        let context = Context { size: n, fingerprint, registry_size: 0, registry_fingerprint: ZERO };
        Draft::make(parts, Kind::Message, (conversation, conversation, context, Some(parent)), Some(seq), None)
    }

    fn make(
        parts: MessageParts<'_>,
        kind: Kind,
        (conversation, branch, context, parent): (Id, Id, Context, Option<Id>),
        seq: Option<Seq>,
        open: Option<OpenPart>,
    ) -> Result<Draft> {
        if parts.time >= TIME_END || seq.is_some_and(|seq| seq.epoch >= TIME_END) {
            return Err(Error::new(Code::ArgumentRange, "a time below 2^48 ms", parts.time.to_string()));
        }
        let body = parts.body.as_ref().map(|(part, media_type)| body_claim(part, media_type)).transpose()?;
        let claims = Claims {
            realm: ZERO,
            conversation,
            kind,
            agent: *parts.author.thumbprint(),
            grant: None,
            context,
            branch,
            parent,
            merges: Vec::new(),
            workflow: None,
            recipients: sorted(parts.recipients)?,
            seq,
            time: parts.time,
            salt: parts.salt,
            body,
            open,
            act: None,
        };
        agree(&claims, parts.author.thumbprint())?;
        Draft::encoded(parts.author, &claims)
    }

    /// Any claims of a realm, held against all rules of their form before anything is signed. Raises the codes of envelope.5.
    pub fn of(author: &EnrolledKey, claims: &Claims) -> Result<Draft> {
        let draft = Draft::encoded(author, claims)?;
        parse_claims(&draft.payload, author.thumbprint(), claims.kind.typ())?;
        Ok(draft)
    }

    fn encoded(author: &EnrolledKey, claims: &Claims) -> Result<Draft> {
        let payload = claims.encode();
        check_size(payload.len(), claims.kind)?;
        let protected = header_of(author.thumbprint(), claims.kind.typ());
        let signed = sig_structure(&protected, &payload);
        let id = message_id(&signed);
        Ok(Draft { author: author.clone(), protected, payload, signed, id })
    }

    /// The exact bytes to sign.
    pub fn to_sign(&self) -> &[u8] {
        &self.signed
    }

    pub fn id(&self) -> &Id {
        &self.id
    }

    /// Sign with a key of the core. Raises `ArgumentRange` where the key is not the author's.
    pub fn sign(&self, key: &SigningKey) -> Result<Vec<u8>> {
        if *key.public() != self.author {
            return Err(Error::new(Code::ArgumentRange, "the author's own key", "another key"));
        }
        Ok(encode_envelope(&self.protected, &self.payload, &key.sign(&self.signed)))
    }

    /// Take a signature from elsewhere, verified before it is used (identity.2.5). Raises `SignerFault`.
    pub fn seal(&self, signature: &[u8]) -> Result<Vec<u8>> {
        let wrong = |fault: Error| {
            let got = format!("one that is refused as {}", fault.code.as_str());
            Error::new(Code::SignerFault, "the external signer's signature under its public key", got)
        };
        self.author.verify(&self.signed, signature).map_err(wrong)?;
        Ok(encode_envelope(&self.protected, &self.payload, signature))
    }
}

pub(crate) fn body_claim(part: &BodyPart<'_>, media_type: &str) -> Result<BodyClaim> {
    if part.body.len() > MAX_BODY {
        let got = format!("{} bytes", part.body.len());
        return Err(Error::new(Code::BodyLimit, format!("a body of at most {MAX_BODY} bytes"), got));
    }
    check_media_type(media_type)?;
    let salt: &[u8; 32] = part
        .salt
        .try_into()
        .map_err(|_| Error::new(Code::ArgumentRange, "a body salt of 32 bytes", "another length"))?;
    Ok(BodyClaim {
        commitment: commitment(salt, part.body),
        size: part.body.len() as u64,
        media_type: media_type.to_owned(),
    })
}

/// Sorted by encoding; the same address twice is once (envelope.5.5). Raises `TooMany`.
pub(crate) fn sorted(mut addrs: Vec<Addr>) -> Result<Vec<Addr>> {
    addrs.sort_by_cached_key(addr_key);
    addrs.dedup();
    if addrs.len() > MAX_RECIPIENTS {
        return Err(Error::new(Code::TooMany, format!("at most {MAX_RECIPIENTS} addresses"), addrs.len().to_string()));
    }
    Ok(addrs)
}
