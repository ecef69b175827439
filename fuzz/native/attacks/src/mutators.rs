//! One mutator a target: read, attack, write. What cannot be read is left to the fuzzer's own byte mutations.

use std::sync::LazyLock;

use crate::attack::{attack, chance, pick};
use crate::plans::{miscontext, plan, rebody, renumber};
use crate::seal::{commit, content, envelope, map, name_author, seal_file, sign, signer, to_sign};
use crate::support::{Made, NAMES, Random, conversation, file};
use crate::tree::Node;

/// A generator for one call. Its state must not be zero.
pub fn random(seed: u32) -> Random {
    let mut random = Random(u64::from(seed) << 16 | 0x9e37);
    random.below(2);
    random
}

/// Honest messages to start from: most of what a fuzzer keeps is broken in some way already, and what is broken twice is judged
/// by the first fault alone.
static HONEST: LazyLock<Vec<Made>> = LazyLock::new(|| conversation(9, 4, 3, 21));

/// Items of any kind. None: nothing to work on.
pub fn codec(data: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut random = random(seed);
    // A third goes to the fuzzer's own mutations: bytes are what a codec is about.
    if chance(&mut random, 33) {
        return None;
    }
    let mut root = Node::read_whole(data)?;
    for _ in 0..=random.below(3) {
        attack(&mut random, &mut root);
    }
    Some(root.write())
}

/// One message, as an entry or a bare envelope.
pub fn message(data: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut random = random(seed);
    if chance(&mut random, 10) {
        return None;
    }
    let fresh = chance(&mut random, 35).then(|| &HONEST[pick(&mut random, HONEST.len())].item);
    let mut root = Node::read_whole(fresh.map_or(data, Vec::as_slice))?;
    attack_message(&mut random, &mut root);
    if chance(&mut random, 60) {
        commit(&mut root);
    }
    if let Some(found) = envelope(&mut root) {
        if chance(&mut random, 85) {
            sign(found);
        }
        if chance(&mut random, 10) {
            attack_signature(&mut random, found);
        }
    }
    Some(root.write())
}

pub fn attack_message(random: &mut Random, root: &mut Node) {
    // One change more often than two: the second one hides the first.
    let changes = if chance(random, 60) { 1 } else { 2 + random.below(2) };
    for _ in 0..changes {
        match (random.below(13), envelope(root)) {
            // Most attacks go where most of the rules are: into the claims.
            (0..=2, Some(found)) => {
                if let Some(claims) = map(found, 2) {
                    plan(random, claims);
                }
            }
            (3..=7, Some(found)) => {
                if let Some(claims) = map(found, 2) {
                    attack(random, claims);
                }
            }
            (8, Some(found)) => {
                if let Some(header) = map(found, 0) {
                    attack(random, header);
                }
            }
            (9, Some(found)) => {
                name_author(found, pick(random, NAMES.len()));
            }
            (10, _) => {
                rebody(random, root);
            }
            _ => attack(random, root),
        }
    }
}

/// Signatures that only a lax verifier takes.
fn attack_signature(random: &mut Random, envelope: &mut Node) -> Option<()> {
    let signed = to_sign(envelope)?;
    let key = signer(envelope);
    let mut signature = key.sign(&signed);
    match random.below(6) {
        0 => add_order(&mut signature),
        1 => {
            signature[..32].fill(0);
            signature[0] = 1;
        }
        2 => signature.fill(0),
        // Over the payload alone, without the domain of COSE.
        3 => {
            if let Node::Tag(18, inner) = &*envelope
                && let Node::Array(parts) = inner.as_ref()
            {
                signature = key.sign(&content(parts.get(2)?));
            }
        }
        4 => signature = crate::support::key(pick(random, NAMES.len())).sign(&signed),
        _ => signature[pick(random, 64)] ^= 1 << random.below(8),
    }
    match envelope {
        Node::Tag(18, inner) => *inner.element(3)? = Node::Bytes(signature.to_vec()),
        _ => return None,
    }
    Some(())
}

/// The order of the group, little-endian: S + L verifies wherever nobody looks (identity.1.2).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

pub fn add_order(signature: &mut [u8; 64]) {
    let mut carry = 0u16;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
}

/// A conversation as a file.
pub fn transcript(data: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut random = random(seed);
    if chance(&mut random, 10) {
        return None;
    }
    let fresh = chance(&mut random, 35).then(|| file(&HONEST[..1 + pick(&mut random, HONEST.len())]));
    let mut items = Vec::new();
    let mut rest = fresh.as_deref().unwrap_or(data);
    while let Some((item, length)) = Node::read(rest) {
        items.push(item);
        rest = &rest[length..];
    }
    let changes = if chance(&mut random, 70) { 1 } else { 2 };
    for _ in 0..changes {
        if chance(&mut random, 50) {
            attack_order(&mut random, &mut items);
        } else if let Some(item) = at(&mut random, &mut items) {
            attack_message(&mut random, item);
            commit(item);
        }
    }
    if chance(&mut random, 90) {
        let relink = chance(&mut random, 70);
        seal_file(&mut items, relink);
    }
    if chance(&mut random, 15)
        && let Some(item) = at(&mut random, &mut items)
    {
        miscontext(&mut random, item);
    }
    let mut out: Vec<u8> = items.iter().flat_map(Node::write).collect();
    // What could not be read stays, most of the time: a cut tail is a case of its own.
    if chance(&mut random, 80) {
        out.extend_from_slice(rest);
    }
    Some(out)
}

fn at<'a>(random: &mut Random, items: &'a mut [Node]) -> Option<&'a mut Node> {
    let place = place(random, items.len());
    items.get_mut(place)
}

/// Seldom the header: a fault of it ends the reading at once.
fn place(random: &mut Random, count: usize) -> usize {
    if count < 2 || chance(random, 8) { 0 } else { 1 + pick(random, count - 1) }
}

/// Entries dropped, doubled, moved, from elsewhere; other authors, sizes and numbers.
fn attack_order(random: &mut Random, items: &mut Vec<Node>) -> Option<()> {
    let count = items.len();
    let (one, two) = (place(random, count), place(random, count));
    match random.below(8) {
        0 if count > 1 => drop(items.remove(one)),
        1 => items.insert(two, items.get(one)?.clone()),
        2 if count > 1 => items.swap(one, two),
        3 => items.truncate(one),
        4 => {
            let foreign = conversation(4, 3, 1, random.below(50) + 1);
            items.insert(two, Node::read_whole(&foreign.get(pick(random, 4))?.item)?);
        }
        5 => name_author(envelope(items.get_mut(one)?)?, pick(random, NAMES.len()))?,
        6 => {
            let size = [one as u64, random.below(count as u64 + 2), 1 << 47][pick(random, 3)];
            *map(envelope(items.get_mut(one)?)?, 2)?.label(5)?.element(0)? = Node::uint(size);
        }
        _ => renumber(random, items, one)?,
    }
    Some(())
}
