//! Attacks on any item: one change of a tree, where an attacker who knows the format would make it.

use crate::support::Random;
use crate::tree::Node;

/// Integers where a bound, a width or a sign changes.
const BOUNDARIES: [u64; 19] = [
    0,
    1,
    23,
    24,
    255,
    256,
    65_535,
    65_536,
    262_144,
    262_145,
    (1 << 32) - 1,
    1 << 32,
    (1 << 48) - 1,
    1 << 48,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX,
    8,
    32,
];

/// Lengths of the formats' strings, and their neighbours.
const LENGTHS: [usize; 14] = [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 257];

/// Heads that no honest writer makes: indefinite lengths, breaks, tags, floats, undefined, reserved forms, lengths beyond the end.
const HEADS: [&[u8]; 16] = [
    b"\xff",
    b"\x9f\x01\xff",
    b"\xbf\xff",
    b"\x5f\x41\x00\xff",
    b"\xf7",
    b"\xf8\x20",
    b"\xf9\x3c\x00",
    b"\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00",
    b"\x1c",
    b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\x9b\x00\x00\x00\x01\x00\x00\x00\x00",
    b"\xbb\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\xc1\x01",
    b"\x18\x17",
    b"\x62\xc0\x80",
    b"\x63\xed\xa0\x80",
];

pub fn chance(random: &mut Random, percent: u64) -> bool {
    random.below(100) < percent
}

pub fn pick(random: &mut Random, count: usize) -> usize {
    random.below(count.max(1) as u64) as usize
}

pub fn boundary(random: &mut Random) -> u64 {
    BOUNDARIES[pick(random, BOUNDARIES.len())]
}

/// Changes one node, anywhere.
pub fn attack(random: &mut Random, root: &mut Node) {
    let count = root.count();
    let place = pick(random, count);
    let other = match chance(random, 15) {
        true => root.at(pick(random, count)).cloned(),
        false => None,
    };
    let Some(node) = root.at(place) else {
        return;
    };
    match (other, random.below(10)) {
        // Field for field, also across envelopes: a graft, a swapped id, a swapped signature.
        (Some(other), _) => *node = other,
        (None, 0) => *node = leaf(random),
        (None, 1) => restyle(random, node),
        _ => edit(random, node),
    }
}

/// The same value in a form that is not allowed, or inside something else.
fn restyle(random: &mut Random, node: &mut Node) {
    let inner = Box::new(std::mem::replace(node, Node::null()));
    *node = match random.below(4) {
        0 => Node::Wide([1, 2, 4, 8][pick(random, 4)], inner),
        1 => Node::Tag([18, 17, 98, 24, 0][pick(random, 5)], inner),
        2 => Node::Wrapped(inner),
        _ => (0..=random.below(9)).fold(*inner, |inside, _| match random.below(3) {
            0 => Node::Map(vec![(Node::uint(0), inside)]),
            _ => Node::Array(vec![inside]),
        }),
    };
}

fn leaf(random: &mut Random) -> Node {
    match random.below(7) {
        0 => Node::uint(boundary(random)),
        1 => Node::Int { negative: true, argument: boundary(random) },
        2 => Node::Bytes(vec![random.below(3) as u8; LENGTHS[pick(random, LENGTHS.len())]]),
        3 => Node::Text(vec![b'a'; LENGTHS[pick(random, LENGTHS.len())]]),
        4 => Node::Raw(vec![0xf4 + random.below(3) as u8]),
        5 => [Node::Array(Vec::new()), Node::Map(Vec::new())][pick(random, 2)].clone(),
        _ => Node::Raw(HEADS[pick(random, HEADS.len())].to_vec()),
    }
}

fn edit(random: &mut Random, node: &mut Node) {
    match node {
        Node::Int { negative, argument } => match random.below(4) {
            0 => *negative = !*negative,
            1 => *argument = argument.wrapping_add(1),
            2 => *argument = argument.wrapping_sub(1),
            _ => *argument = boundary(random),
        },
        Node::Bytes(bytes) => match random.below(8) {
            0 => *node = Node::Text(std::mem::take(bytes)),
            _ => edit_string(random, bytes),
        },
        Node::Text(bytes) => match random.below(6) {
            0 => *node = Node::Bytes(std::mem::take(bytes)),
            1 => *bytes = TEXTS[pick(random, TEXTS.len())].to_vec(),
            _ => edit_string(random, bytes),
        },
        Node::Array(items) => edit_list(random, items, leaf),
        Node::Map(pairs) => edit_map(random, pairs),
        Node::Tag(number, _) => *number = [18, 17, 98, 24, 0, 6, 255][pick(random, 7)],
        Node::Wrapped(inner) => *node = Node::Bytes(inner.write()),
        Node::Wide(_, inner) => *node = inner.as_ref().clone(),
        Node::Raw(_) => *node = leaf(random),
    }
}

/// Texts with a meaning in the formats, and texts that only look like one.
const TEXTS: [&[u8]; 18] = [
    b"ama2sec-message+cose",
    b"ama2sec-halt+cose",
    b"ama2sec-registry+cose",
    b"ama2sec-log+cose",
    b"ama2sec-offer+cose",
    b"ama2sec-transcript",
    b"ama2sec-Message+cose",
    b"alice",
    b"bob",
    b"Alice",
    b"al\xd1\x96ce",
    b"../alice",
    b"a..b",
    b"alice.",
    b"",
    b"text/plain",
    b"text/ plain",
    b"\xff",
];

fn edit_string(random: &mut Random, bytes: &mut Vec<u8>) {
    match random.below(5) {
        0 => bytes.resize(LENGTHS[pick(random, LENGTHS.len())], 0),
        1 => {
            bytes.pop();
        }
        2 => bytes.push(random.below(256) as u8),
        3 => bytes.fill(0),
        _ if bytes.is_empty() => {}
        _ => {
            let at = pick(random, bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
    }
}

fn edit_list<T: Clone>(random: &mut Random, items: &mut Vec<T>, new: impl Fn(&mut Random) -> T) {
    if items.is_empty() {
        items.push(new(random));
        return;
    }
    let at = pick(random, items.len());
    match random.below(6) {
        0 => {
            items.remove(at);
        }
        // Once more, or more often than any list may hold.
        1 => {
            let copies = if chance(random, 25) { 33 } else { 1 };
            let item = items[at].clone();
            items.splice(at..at, std::iter::repeat_n(item, copies));
        }
        2 => items.insert(at, new(random)),
        3 => items.truncate(at),
        4 => items.reverse(),
        _ => {
            let other = pick(random, items.len());
            items.swap(at, other);
        }
    }
}

fn edit_map(random: &mut Random, pairs: &mut Vec<(Node, Node)>) {
    match random.below(4) {
        // Back in order: what is left of other attacks may then be the only fault.
        0 => pairs.sort_by_cached_key(|(key, _)| key.write()),
        1 if !pairs.is_empty() => {
            let at = pick(random, pairs.len());
            let key = match random.below(3) {
                0 => Node::uint(random.below(28)),
                1 => Node::Text(TEXTS[pick(random, TEXTS.len())].to_vec()),
                _ => leaf(random),
            };
            pairs[at].0 = key;
        }
        2 => {
            let pair = (Node::uint(random.below(28)), leaf(random));
            let at = pairs.partition_point(|(key, _)| key.write() < pair.0.write());
            pairs.insert(at, pair);
        }
        _ => edit_list(random, pairs, |random| (Node::uint(random.below(28)), leaf(random))),
    }
}
