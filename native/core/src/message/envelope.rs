//! The envelope: parse, verify (envelope.4, envelope.6).

use std::ops::Range;
use std::sync::Arc;

use super::body::{Body, BodyPart};
use super::claims::{Claims, Id, Typ, ZERO};
use super::claims_form::parse_claims;
use super::codec::{Cursor, Head, check_item};
use super::hash::message_id;
use super::write::Writer;
use crate::errors::{Code, Error, Result};
use crate::identity::{Directory, Enrolled, SignatureVerified, SignedBytes};
use crate::limits::MAX_ENVELOPE;
use crate::text;

const ALG: i64 = -19;

/// The protected header of a message signed by the key with this thumbprint.
pub fn header_bytes(kid: &Id) -> Vec<u8> {
    header_of(kid, Typ::Message)
}

/// The protected header of what the key with this thumbprint signs as `typ`.
pub fn header_of(kid: &Id, typ: Typ) -> Vec<u8> {
    let mut out = Writer::with_capacity(64);
    write_header(&mut out, kid, typ);
    out.0
}

fn write_header(out: &mut Writer, kid: &Id, typ: Typ) {
    out.map(3).uint(1).int(ALG).uint(4).bytes(kid).uint(16).text(typ.as_str());
}

/// The array of four, and "Signature1".
const SIGNATURE1: &[u8] = b"\x84\x6aSignature1";
/// The external data, of which there is none.
const NO_BYTES: &[u8] = b"\x40";

/// What is signed, and what the id is the hash of (envelope.4).
pub fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = Writer::with_capacity(protected.len() + payload.len() + 24);
    out.0.extend_from_slice(SIGNATURE1);
    out.bytes(protected);
    out.0.extend_from_slice(NO_BYTES);
    out.bytes(payload);
    out.0
}

/// The whole envelope.
pub fn encode_envelope(protected: &[u8], payload: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut out = Writer::with_capacity(protected.len() + payload.len() + signature.len() + 16);
    out.0.push(0xd2);
    out.array(4).bytes(protected).map(0).bytes(payload).bytes(signature);
    out.0
}

/// An envelope that reads strictly. Nothing in it is known to be true. A clone shares what was read: on its way into a log an envelope
/// is handed on several times.
#[derive(Clone, Debug)]
pub struct UnverifiedEnvelope(Arc<Read>);

/// What was read.
#[derive(Debug)]
struct Read {
    bytes: Arc<[u8]>,
    /// Where the byte strings of the protected header and of the payload stand, their heads included, and the signature without.
    protected: Range<usize>,
    payload: Range<usize>,
    signature: Range<usize>,
    kid: Id,
    id: Id,
    claims: Claims,
}

/// Whose key an envelope names: what a verifier looks up among the keys that it chose (envelope.6.2, admission.1.2).
pub trait Keys {
    /// Raises `KeyUnknown`.
    fn signer(&self, envelope: &UnverifiedEnvelope) -> Result<Arc<Enrolled>>;
}

impl Keys for Directory {
    fn signer(&self, envelope: &UnverifiedEnvelope) -> Result<Arc<Enrolled>> {
        self.by_kid(envelope.kid()).map(Arc::clone)
    }
}

/// An envelope whose signature was verified under a key that the verifier chose, and of which nothing else is known. Only
/// `authenticate` makes one, and `vouched` for an engine that has verified it before.
#[derive(Clone, Debug)]
pub struct AuthenticEnvelope {
    envelope: UnverifiedEnvelope,
    sender: Arc<Enrolled>,
}

/// An envelope whose signature, realm, body and purpose were checked. Only `verify` makes one.
#[derive(Clone, Debug)]
pub struct VerifiedEnvelope {
    envelope: UnverifiedEnvelope,
    sender: Arc<Enrolled>,
    body: Body,
}

fn fault<T>(
    code: Code,
    expected: impl Into<std::borrow::Cow<'static, str>>,
    got: impl Into<std::borrow::Cow<'static, str>>,
) -> Result<T> {
    Err(Error::new(code, expected, got))
}

impl UnverifiedEnvelope {
    /// The numbered steps of envelope.4, in the order given there.
    pub fn parse(data: &[u8]) -> Result<UnverifiedEnvelope> {
        if data.len() > MAX_ENVELOPE {
            return Err(Error::new(
                Code::SizeLimit,
                format!("an envelope of at most {MAX_ENVELOPE} bytes"),
                format!("{} bytes", data.len()),
            ));
        }
        let parts = outer_parts(data)?;
        let (kid, typ) = read_header(parts.protected)?;
        if !parts.unprotected_empty {
            return fault(Code::UnprotectedNotEmpty, "an empty unprotected header", "one with entries");
        }
        let signature = parts.signature;
        if signature.len() != 64 {
            return fault(Code::SignatureLength, "a signature of 64 bytes", format!("{} bytes", signature.len()));
        }
        let (claims, id) = read_payload(parts.protected, parts.payload, &kid, typ)?;
        let [protected, payload] = parts.items;
        Ok(UnverifiedEnvelope(Arc::new(Read { bytes: data.into(), protected, payload, signature, kid, id, claims })))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The thumbprint of the key that the author says it has used.
    pub fn kid(&self) -> &Id {
        &self.0.kid
    }

    pub fn id(&self) -> &Id {
        &self.0.id
    }

    pub fn claims(&self) -> &Claims {
        &self.0.claims
    }

    /// What the header says that it is: the typ of its kind.
    pub fn typ(&self) -> Typ {
        self.claims().kind.typ()
    }

    /// The numbered steps of envelope.7; `asked`: a body that the claims commit to must be there.
    pub fn check_body(&self, body: Option<BodyPart<'_>>, asked: bool) -> Result<Body> {
        Body::check(self.claims().body.as_ref(), body, asked)
    }

    /// The question of step 3: what a key must have signed.
    pub(super) fn question<'a>(&'a self, sender: &'a Enrolled) -> SignedBytes<'a> {
        let read = &*self.0;
        let part = |range: &Range<usize>| read.bytes.get(range.clone()).unwrap_or_default();
        // The very bytes of `sig_structure`: in it the same byte strings stand with the same heads.
        let message = [SIGNATURE1, part(&read.protected), NO_BYTES, part(&read.payload)];
        SignedBytes { key: &sender.key, message, signature: part(&read.signature) }
    }

    /// Steps 2 and 3, against keys that the verifier chose.
    pub fn authenticate(self, keys: &impl Keys) -> Result<AuthenticEnvelope> {
        let sender = keys.signer(&self)?;
        let question = self.question(&sender);
        let proof = question.verify().map_err(|fault| name_key(fault, &sender))?;
        Ok(self.authenticated(sender, proof))
    }

    /// Step 3 alone, under a key that the caller has found.
    pub(crate) fn check_signature(&self, sender: &Enrolled) -> Result<()> {
        self.question(sender).verify().map_err(|fault| name_key(fault, sender))?;
        Ok(())
    }

    /// Behind a signature that was verified.
    pub(super) fn authenticated(self, sender: Arc<Enrolled>, _signature: SignatureVerified) -> AuthenticEnvelope {
        AuthenticEnvelope { envelope: self, sender }
    }

    /// Without asking. The caller has bound these bytes, by a checkpoint under its own key, to an entry that it judged before (log.7).
    pub(crate) fn vouched(self, sender: Arc<Enrolled>) -> AuthenticEnvelope {
        AuthenticEnvelope { envelope: self, sender }
    }

    /// The numbered steps of envelope.6, against keys that the verifier chose, outside a realm.
    pub fn verify(self, directory: &Directory, body: Option<BodyPart<'_>>) -> Result<VerifiedEnvelope> {
        self.verify_asking(directory, body, false)
    }

    /// The same, where `asked` for a body one that the claims commit to must be there: `BodyMissing` (envelope.7.2).
    pub fn verify_asking(
        self,
        directory: &Directory,
        body: Option<BodyPart<'_>>,
        asked: bool,
    ) -> Result<VerifiedEnvelope> {
        self.authenticate(directory)?.conclude(&ZERO, body, asked)
    }
}

impl AuthenticEnvelope {
    pub fn id(&self) -> &Id {
        self.envelope.id()
    }

    pub fn kid(&self) -> &Id {
        self.envelope.kid()
    }

    pub fn claims(&self) -> &Claims {
        self.envelope.claims()
    }

    pub fn bytes(&self) -> &[u8] {
        self.envelope.bytes()
    }

    /// The same bytes, shared.
    pub fn shared_bytes(&self) -> Arc<[u8]> {
        Arc::clone(&self.envelope.0.bytes)
    }

    /// What was parsed.
    pub(crate) fn parsed(&self) -> &UnverifiedEnvelope {
        &self.envelope
    }

    /// The enrolment whose key it was verified under.
    pub fn sender(&self) -> &Arc<Enrolled> {
        &self.sender
    }

    /// The numbered steps of envelope.7; `asked`: a body that the claims commit to must be there.
    pub fn check_body(&self, body: Option<BodyPart<'_>>, asked: bool) -> Result<Body> {
        self.envelope.check_body(body, asked)
    }

    /// Steps 4 to 6 of envelope.6, for the realm that the verifier expects.
    pub fn conclude(self, realm: &Id, body: Option<BodyPart<'_>>, asked: bool) -> Result<VerifiedEnvelope> {
        let AuthenticEnvelope { envelope, sender } = self;
        let claims = envelope.claims();
        if claims.realm != *realm {
            let expected = if *realm == ZERO { "an envelope outside any realm" } else { "an envelope of this realm" };
            return fault(Code::RealmOther, expected, format!("realm {}", text::hex(&claims.realm)));
        }
        let body = Body::check(claims.body.as_ref(), body, asked)?;
        if Some(sender.purpose) != envelope.typ().signed_by() {
            return fault(
                Code::PurposeWrong,
                format!("a key that signs {}", envelope.typ().as_str()),
                format!("one enrolled for {}", sender.purpose.as_str()),
            );
        }
        Ok(VerifiedEnvelope { envelope, sender, body })
    }
}

/// Steps 7 and 9: the claims, and the id of the message.
fn read_payload(protected: &[u8], payload: &[u8], kid: &Id, typ: Typ) -> Result<(Claims, Id)> {
    let claims = parse_claims(payload, kid, typ)?;
    // Step 9: one value, one encoding. What differs here is a fault of ours, and nothing is accepted.
    // What comes out beside it is `sig_structure` of the two.
    let mut signed = Writer::with_capacity(protected.len() + payload.len() + 24);
    signed.0.extend_from_slice(SIGNATURE1);
    let same_header = is_written_again(&mut signed, protected, |out| write_header(out, kid, typ));
    signed.0.extend_from_slice(NO_BYTES);
    let same_payload = is_written_again(&mut signed, payload, |out| claims.write(out));
    if !same_header || !same_payload {
        return fault(Code::Internal, "the bytes that these claims encode to", "other bytes");
    }
    Ok((claims, message_id(&signed.0)))
}

/// Whether what is written into a byte string is equal to what was received.
fn is_written_again(out: &mut Writer, received: &[u8], write: impl FnOnce(&mut Writer)) -> bool {
    out.begin_bytes(received.len());
    let start = out.0.len();
    write(out);
    out.0.get(start..) == Some(received)
}

/// A message without its signature, as an ancestry proof carries it: its claims and its id (proofs.4.2).
pub(crate) fn read_message(kid: &Id, payload: &[u8]) -> Result<(Claims, Id)> {
    read_payload(&header_bytes(kid), payload, kid, Typ::Message)
}

/// Say whose key it was; the key alone says nothing to a person.
pub(super) fn name_key(mut fault: Error, sender: &Enrolled) -> Error {
    if fault.code == Code::SignatureInvalid {
        fault.expected = format!("a signature that verifies under {}'s key", sender.name.as_str()).into();
    }
    fault
}

impl VerifiedEnvelope {
    pub fn bytes(&self) -> &[u8] {
        self.envelope.bytes()
    }

    pub fn id(&self) -> &Id {
        self.envelope.id()
    }

    pub fn claims(&self) -> &Claims {
        self.envelope.claims()
    }

    /// The directory's entry for the key; the name in it is the verifier's own.
    pub fn sender(&self) -> &Arc<Enrolled> {
        &self.sender
    }

    pub fn body(&self) -> &Body {
        &self.body
    }
}

struct Outer<'a> {
    protected: &'a [u8],
    unprotected_empty: bool,
    payload: &'a [u8],
    /// Both, with the heads of their byte strings.
    items: [Range<usize>; 2],
    signature: Range<usize>,
}

/// Step 1: tag 18 over an array of byte string, map, byte string, byte string.
fn outer_parts(data: &[u8]) -> Result<Outer<'_>> {
    let expected = "COSE_Sign1: tag 18 over [bytes, map, bytes, bytes]";
    if data.first().is_some_and(|first| first >> 5 == 6 && *first != 0xd2) {
        return fault(Code::EnvelopeForm, expected, "another tag");
    }
    check_item(data, true)?;
    if data.first() != Some(&0xd2) {
        return fault(Code::EnvelopeForm, expected, "no tag");
    }
    four_parts(data).map_or_else(|| fault(Code::EnvelopeForm, expected, "another structure"), Ok)
}

fn four_parts(data: &[u8]) -> Option<Outer<'_>> {
    let mut cursor = Cursor::behind_tag(data);
    if cursor.array()? != 4 {
        return None;
    }
    let (protected, protected_item) = bytes_in(&mut cursor)?;
    let Some(Head::Map(pairs)) = cursor.peek() else {
        return None;
    };
    cursor.item()?;
    let (payload, payload_item) = bytes_in(&mut cursor)?;
    let (signature, signature_item) = bytes_in(&mut cursor)?;
    let signature = signature_item.end - signature.len()..signature_item.end;
    let items = [protected_item, payload_item];
    Some(Outer { protected, unprotected_empty: pairs == 0, payload, items, signature })
}

/// A byte string, and where it stands with its head.
fn bytes_in<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a [u8], Range<usize>)> {
    let start = cursor.position();
    let bytes = cursor.bytes()?;
    Some((bytes, start..cursor.position()))
}

/// The header as every sound envelope has it, recognised by its bytes alone. None says nothing about it: `read_header` judges it then.
fn sound_header(protected: &[u8]) -> Option<(Id, Typ)> {
    const BEFORE_KID: [u8; 6] = [0xa3, 0x01, 0x32, 0x04, 0x58, 0x20];
    let (kid, rest) = protected.strip_prefix(&BEFORE_KID)?.split_first_chunk::<32>()?;
    let [0x10, head, typ @ ..] = rest else { return None };
    let is_it = |known: &Typ| known.signed_by().is_some() && known.as_str().as_bytes() == typ;
    let typ = Typ::ALL.into_iter().find(is_it).filter(|known| usize::from(*head) == 0x60 + known.as_str().len())?;
    Some((*kid, typ))
}

/// Steps 2 to 5. The order is form, alg, typ, kid.
fn read_header(protected: &[u8]) -> Result<(Id, Typ)> {
    if let Some(found) = sound_header(protected) {
        return Ok(found);
    }
    const EXPECTED: &str = "a protected header of exactly {1: alg, 4: kid, 16: typ}";
    check_item(protected, false)?;
    let mut cursor = Cursor::new(protected);
    let form = || Error::new(Code::HeaderForm, EXPECTED, "another header");
    let Some(Head::Map(3)) = cursor.head() else {
        return Err(form());
    };
    let mut values: [&[u8]; 3] = [&[]; 3];
    for (slot, label) in values.iter_mut().zip([1u64, 4, 16]) {
        if cursor.uint() != Some(label) {
            return Err(form());
        }
        *slot = cursor.item().ok_or_else(form)?;
    }
    let [alg, kid, typ] = values;
    match Cursor::new(alg).head() {
        Some(Head::Negative(ALG)) => {}
        Some(Head::Negative(other)) => return fault(Code::AlgUnsupported, "alg -19 (Ed25519)", other.to_string()),
        _ => return fault(Code::AlgUnsupported, "alg -19 (Ed25519)", "another value"),
    }
    let typ = read_typ(Cursor::new(typ).text().ok_or_else(form)?)?;
    let kid = Cursor::new(kid).bytes().and_then(|kid| kid.try_into().ok()).ok_or_else(form)?;
    Ok((kid, typ))
}

fn read_typ(found: &str) -> Result<Typ> {
    let expected = "ama2sec-message+cose or ama2sec-registry+cose";
    match Typ::ALL.into_iter().find(|typ| typ.as_str() == found) {
        Some(typ) if typ.signed_by().is_some() => Ok(typ),
        Some(_) => fault(Code::TypNotBuilt, expected, text::shown(found.as_bytes())),
        None => fault(Code::TypUnknown, expected, text::shown(found.as_bytes())),
    }
}
