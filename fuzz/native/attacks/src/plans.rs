//! Attacks that need more than one change: whoever changes only one field of these breaks an earlier rule first.

use crate::attack::{boundary, chance, pick};
use crate::seal::{content, envelope, map, set, sign};
use crate::support::{NAMES, Random, key};
use crate::tree::Node;

fn id(byte: u8) -> Node {
    Node::Bytes(vec![byte; 32])
}

/// One plan on the claims of a message, all other rules kept.
pub fn plan(random: &mut Random, claims: &mut Node) -> Option<()> {
    match random.below(8) {
        // Into a realm (envelope.5.6 c, envelope.6.4).
        0 => {
            set(claims.label(1), id(1))?;
            set(claims.label(5)?.element(2), Node::uint(1))
        }
        // In another's name, under the own key (envelope.5.6 c).
        1 => {
            let other = key(pick(random, NAMES.len()));
            set(claims.label(4)?.element(0), Node::Bytes(other.public().thumbprint().to_vec()))
        }
        // Merged heads, in order, of a size that may be 0 (envelope.5.6 e).
        2 => {
            let merge = |branch: u8, size: u64| Node::Array(vec![id(branch), Node::uint(size), id(7)]);
            let sizes = [random.below(2), random.below(2)];
            let second = 1 + random.below(2) as u8;
            set(claims.label(6)?.element(2), Node::Array(vec![merge(1, sizes[0]), merge(second, sizes[1])]))
        }
        // A step, with as many outputs as may be or one more, in order (envelope.5.5).
        3 => {
            let outputs = (0..16 + random.below(2)).map(|n| (Node::Text(format!("k{n:02}").into()), Node::uint(n)));
            let instance = if chance(random, 50) { id(3) } else { Node::null() };
            let approves = if chance(random, 50) { id(5) } else { Node::null() };
            let state = vec![instance, id(4), Node::Text(b"step".to_vec()), Node::Map(outputs.collect()), approves];
            set(claims.label(7), Node::Array(state))
        }
        // As many recipients as may be, or one more, or the same one twice.
        4 => {
            let count = 30 + random.below(4) as u8;
            let last = if chance(random, 30) { count - 1 } else { count };
            set(claims.label(8), Node::Array((0..count).chain([last]).map(id).collect()))
        }
        // A body's size and media type at their bounds.
        5 => {
            let body = claims.label(12)?;
            let length = 126 + random.below(3) as usize;
            match chance(random, 50) {
                true => set(body.element(1), Node::uint(boundary(random))),
                false => set(body.element(2), Node::Text(vec![b'a'; length])),
            }
        }
        6 => set(claims.label(10), Node::uint(boundary(random))),
        _ => {
            let place = pick(random, 2);
            set(claims.label(9)?.element(place), Node::uint(boundary(random)))
        }
    }
}

/// A body of a length at which the head of its string gets longer. `commit` makes it the one that was promised.
pub fn rebody(random: &mut Random, entry: &mut Node) -> Option<()> {
    let length = [0, 1, 23, 24, 255, 256, 700, 2000][pick(random, 8)];
    set(entry.element(2)?.element(1), Node::Bytes(vec![random.below(256) as u8; length]))
}

/// A number just inside or just outside the author's window (fingerprint.6, steps 6 and 7).
pub fn renumber(random: &mut Random, items: &mut [Node], place: usize) -> Option<()> {
    let (before, here) = items.split_at_mut_checked(place)?;
    let here = envelope(here.first_mut()?)?;
    let author = content(map(here, 0)?.label(4)?);
    let mut last = (1_793_000_000_000, 0);
    for item in before {
        let Some(found) = envelope(item) else {
            continue;
        };
        if map(found, 0).and_then(|header| header.label(4)).map(|kid| content(kid)) == Some(author.clone())
            && let Some(seq) = map(found, 2).and_then(|claims| claims.label(9))
            && let Node::Array(parts) = seq
            && let [Node::Int { argument: epoch, .. }, Node::Int { argument: counter, .. }] = parts.as_slice()
        {
            last = (*epoch, *counter);
        }
    }
    // What stood there before may be any number, from an attack.
    let (epoch, counter) = last;
    let epoch = [epoch, epoch, epoch.wrapping_add(1), epoch.wrapping_sub(1)][pick(random, 4)];
    let base = if epoch == last.0 { counter } else { 0 };
    let far = [base.wrapping_add(65_536), base.wrapping_add(65_537)];
    let counter = [counter, counter.wrapping_add(1), far[0], far[1], 65_536, 65_537][pick(random, 6)];
    set(map(here, 2)?.label(9), Node::Array(vec![Node::uint(epoch), Node::uint(counter)]))
}

/// One half of the context wrong, in a history that is right (fingerprint.6, steps 8 to 10). Signed here: linking would undo it.
pub fn miscontext(random: &mut Random, item: &mut Node) -> Option<()> {
    let found = envelope(item)?;
    let claims = map(found, 2)?;
    match random.below(4) {
        0 => set(claims.label(5)?.element(1), id(6))?,
        1 => set(claims.label(6)?.element(1), id(6))?,
        2 => set(claims.label(6)?.element(0), id(6))?,
        _ => set(claims.label(2), id(6))?,
    }
    sign(found).map(|_| ())
}
