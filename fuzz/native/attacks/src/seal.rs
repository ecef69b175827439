//! Linking and signing again what was attacked: authentic, hostile input. Without this every change dies at the signature.

use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::{Scope, fingerprints};
use ama2sec_core::identity::SigningKey;
use ama2sec_core::message::{commitment, message_id, sig_structure};

use crate::support::{NAMES, key};
use crate::tree::Node;

/// The first envelope in a tree: tag 18 over an array of four.
pub fn envelope(node: &mut Node) -> Option<&mut Node> {
    let place = (0..node.count()).find(|&place| {
        matches!(node.at(place), Some(Node::Tag(18, inner)) if matches!(inner.as_ref(), Node::Array(four) if four.len() == 4))
    })?;
    node.at(place)
}

fn part(envelope: &mut Node, index: usize) -> Option<&mut Node> {
    match envelope {
        Node::Tag(18, inner) => inner.element(index),
        _ => None,
    }
}

/// The map inside the header (0) or the payload (2).
pub fn map(envelope: &mut Node, index: usize) -> Option<&mut Node> {
    match part(envelope, index) {
        Some(Node::Wrapped(inner)) => Some(inner),
        _ => None,
    }
}

/// The content of a byte string.
pub fn content(node: &Node) -> Vec<u8> {
    match node {
        Node::Bytes(bytes) => bytes.clone(),
        Node::Wrapped(inner) => inner.write(),
        _ => Vec::new(),
    }
}

/// Put a value in place of another, where there is one.
pub fn set(place: Option<&mut Node>, value: Node) -> Option<()> {
    *place? = value;
    Some(())
}

/// What an honest signer would sign for these two strings.
pub fn to_sign(envelope: &mut Node) -> Option<Vec<u8>> {
    let protected = content(part(envelope, 0)?);
    Some(sig_structure(&protected, &content(part(envelope, 2)?)))
}

/// Whose key the header names; alice's where it names none of ours.
pub fn signer(envelope: &mut Node) -> SigningKey {
    let kid = map(envelope, 0).and_then(|header| header.label(4)).map(|kid| content(kid));
    let named = (0..NAMES.len()).map(key).find(|key| Some(key.public().thumbprint().as_slice()) == kid.as_deref());
    named.unwrap_or_else(|| key(0))
}

/// Sign with the key that the header names. The id of the message, if it can be signed at all.
pub fn sign(envelope: &mut Node) -> Option<Hash> {
    let signed = to_sign(envelope)?;
    let signature = signer(envelope).sign(&signed);
    *part(envelope, 3)? = Node::Bytes(signature.to_vec());
    Some(message_id(&signed))
}

/// Name this author in header and claims.
pub fn name_author(envelope: &mut Node, author: usize) -> Option<()> {
    let thumbprint = key(author).public().thumbprint().to_vec();
    *map(envelope, 0)?.label(4)? = Node::Bytes(thumbprint.clone());
    *map(envelope, 2)?.label(4)?.element(0)? = Node::Bytes(thumbprint);
    Some(())
}

/// Commit to the body that stands in the entry (envelope.7).
pub fn commit(entry: &mut Node) -> Option<()> {
    let body = entry.element(2)?;
    let salt: [u8; 32] = content(body.element(0)?).try_into().ok()?;
    let body = content(body.element(1)?);
    let claim = map(envelope(entry)?, 2)?.label(12)?;
    *claim.element(0)? = Node::Bytes(commitment(&salt, &body).to_vec());
    *claim.element(1)? = Node::uint(body.len() as u64);
    Some(())
}

/// Sign every entry of a file again; with `relink`, each names first the history that now stands before it.
pub fn seal_file(items: &mut [Node], relink: bool) {
    let mut ids: Vec<Hash> = Vec::new();
    for item in items {
        let Some(envelope) = envelope(item) else {
            continue;
        };
        if relink && !ids.is_empty() {
            link(envelope, &ids);
        }
        ids.extend(sign(envelope));
    }
}

/// Conversation, branch, parent and fingerprint for the size that the claims state.
fn link(envelope: &mut Node, ids: &[Hash]) -> Option<()> {
    let conversation = *ids.first()?;
    let claims = map(envelope, 2)?;
    let n = match claims.label(5)?.element(0)? {
        Node::Int { negative: false, argument } => usize::try_from(*argument).ok()?,
        _ => return None,
    };
    let seen = ids.get(..n).filter(|seen| !seen.is_empty())?;
    let fingerprint = *fingerprints(&Scope::of_file(conversation), seen).ok()?.last()?;
    *claims.label(2)? = Node::Bytes(conversation.to_vec());
    *claims.label(5)?.element(1)? = Node::Bytes(fingerprint.to_vec());
    let path = claims.label(6)?;
    *path.element(0)? = Node::Bytes(conversation.to_vec());
    *path.element(1)? = Node::Bytes(seen.last()?.to_vec());
    Some(())
}
