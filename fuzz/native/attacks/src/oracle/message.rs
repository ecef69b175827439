//! Items and messages: the codec against a second decoder, envelopes against the keys that could have signed them.

use std::sync::LazyLock;

use ama2sec_core::errors::{Code, Error};
use ama2sec_core::identity::{Purpose, SigningKey};
use ama2sec_core::message::codec::{Cursor, check_item};
use ama2sec_core::message::{
    Body, Incoming, UnverifiedEnvelope, VerifiedEnvelope, ZERO, claims_from_json, claims_to_json, commitment,
    encode_envelope, header_bytes, parse_message, sig_structure, verify_many,
};

use super::DIRECTORY;
use crate::support::{self, NAMES};
use crate::tree::Node;

static KEYS: LazyLock<Vec<SigningKey>> = LazyLock::new(|| (0..NAMES.len()).map(support::key).collect());
/// An honest neighbour in every batch.
static HONEST: LazyLock<Vec<u8>> = LazyLock::new(|| support::open(1, None, 9).item);

fn code<T>(verdict: &Result<T, Error>) -> Option<Code> {
    verdict.as_ref().err().map(|fault| fault.code)
}

/// The whole of the codec, both ways.
pub fn codec(data: &[u8]) -> Result<(), Error> {
    let verdict = check_item(data, false);
    let read = Node::read_whole(data);
    if let Some(node) = &read {
        assert!(node.write() == data, "the second decoder writes what it has read");
    }
    let canonical = read.is_some_and(|node| node.is_canonical(0));
    assert!(verdict.is_ok() == canonical, "codec: {verdict:?}, second decoder: {canonical}");
    match &verdict {
        Ok(()) => reads_whole(data),
        Err(fault) => {
            assert!((101..=112).contains(&fault.code.number()), "a code of the codec, not {}", fault.code.as_str());
            assert!(fault.offset.is_some_and(|at| at <= data.len()), "a place inside the input");
        }
    }
    // Tag 18 is the first byte and nothing else (envelope.4.1).
    let tagged = [&[0xd2], data].concat();
    assert!(code(&check_item(&tagged, true)) == code(&verdict), "tag 18 changes no other rule");
    assert!(code(&check_item(&tagged, false)) == Some(Code::TypeForbidden), "tag 18 where it is not allowed");
    verdict
}

fn reads_whole(data: &[u8]) {
    let mut cursor = Cursor::new(data);
    assert!(cursor.item() == Some(data), "the cursor reads what the codec has accepted");
    assert!(cursor.head().is_none(), "and nothing behind it");
    // envelope.3.2 and 3.9: no item is a beginning of another.
    for end in [0, data.len() / 2, data.len() - 1] {
        assert!(code(&check_item(&data[..end], false)) == Some(Code::Truncated), "cut at {end}");
    }
    let longer = [data, &[0]].concat();
    assert!(code(&check_item(&longer, false)) == Some(Code::TrailingBytes), "one byte more");
}

/// Alone and in a batch.
pub fn message(data: &[u8]) -> Result<VerifiedEnvelope, Error> {
    let verdict = parse_message(data).and_then(|entry| {
        let envelope = UnverifiedEnvelope::parse(entry.envelope)?;
        has_one_encoding(&envelope);
        envelope.verify(&DIRECTORY, entry.body)
    });
    let items = [Incoming { data: &HONEST, body: None }, Incoming { data, body: None }];
    let together = verify_many(&items, &DIRECTORY, 1);
    assert!(together[0].is_ok(), "a bad neighbour changes an honest verdict");
    assert!(code(&together[1]) == code(&verdict), "in a batch {:?}, alone {:?}", code(&together[1]), code(&verdict));
    match &verdict {
        Ok(verified) => is_authentic(verified),
        Err(fault) => assert!(fault.code.number() < 400, "a peer's fault, not {}", fault.code.as_str()),
    }
    verdict
}

/// envelope.4.9, and the JSON view as a second way through the claims.
fn has_one_encoding(envelope: &UnverifiedEnvelope) {
    let bytes = envelope.bytes();
    let signature = &bytes[bytes.len() - 64..];
    let payload = envelope.claims().encode();
    assert!(encode_envelope(&header_bytes(envelope.kid()), &payload, signature) == bytes, "written again, it differs");
    let view = claims_to_json(envelope.claims());
    assert!(claims_from_json(&view, envelope.kid()).is_ok_and(|again| again == payload), "the JSON view differs");
    assert!(payload.len() <= 4096 && Node::read_whole(bytes).is_some_and(|node| node.write() == bytes));
}

/// Signatures are deterministic, and all enrolled keys are known here: an accepted envelope carries, to the bit, the one
/// signature that its author's key makes over the strings that stand in it. Anything else is a forgery.
fn is_authentic(verified: &VerifiedEnvelope) {
    let (bytes, claims) = (verified.bytes(), verified.claims());
    let Some(Node::Tag(18, four)) = Node::read_whole(bytes) else {
        panic!("accepted, and no COSE_Sign1");
    };
    let Node::Array(four) = *four else {
        panic!("accepted, and no array");
    };
    let string = |node: &Node| match node {
        Node::Bytes(bytes) => bytes.clone(),
        Node::Wrapped(inner) => inner.write(),
        _ => panic!("accepted, and no byte string"),
    };
    let author = KEYS.iter().position(|key| key.public().thumbprint() == &claims.agent).expect("an enrolled author");
    assert!(verified.sender().name.as_str() == NAMES[author], "the directory's name for this key");
    assert!(verified.sender().purpose == Purpose::Message && author != 6, "a key for messages");
    assert!(string(&four[0]) == header_bytes(&claims.agent), "the header that this author writes");
    let signed = sig_structure(&string(&four[0]), &string(&four[2]));
    assert!(string(&four[3]) == KEYS[author].sign(&signed), "a signature that this author has not made");
    assert!(claims.realm == ZERO, "outside any realm");
    match (verified.body(), &claims.body) {
        (Body::None, None) | (Body::Withheld, Some(_)) => {}
        (Body::Present { salt, body }, Some(claim)) => {
            assert!(claim.commitment == commitment(salt, body) && claim.size == body.len() as u64, "another body");
        }
        (found, claim) => panic!("{found:?} for {claim:?}"),
    }
}
