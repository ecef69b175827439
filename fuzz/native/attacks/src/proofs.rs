//! The mutator of proofs and exhibits: numbers, hashes and hops are changed each for itself, and what is then too many or too
//! few stays so, most of the time.

use std::sync::LazyLock;

use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::BranchTree;
use ama2sec_core::history::ancestry::AncestryProver;
use ama2sec_core::history::exhibit::make_exhibit;
use ama2sec_core::history::nodes::MemoryNodes;
use ama2sec_core::history::sha_tree::{Rfc6962, rfc6962_leaf};
use ama2sec_core::history::tree::Tree;
use ama2sec_core::message::UnverifiedEnvelope;

use crate::attack::{attack, boundary, chance, pick};
use crate::mutators::random;
use crate::oracle::form;
use crate::proof_support::{Model, Twin, proof as written};
use crate::seal::{envelope, map, sign};
use crate::support::Random;
use crate::tree::Node;
use crate::world::{Branch, WORLD};

/// A proof taken apart, whether or not its parts fit each other.
#[derive(Clone, Debug)]
pub struct Loose {
    head: [u8; 6],
    /// What an ancestry proof says of its hops.
    count: u8,
    hops: Vec<LooseHop>,
    tail: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct LooseHop {
    numbers: Vec<u64>,
    hashes: Vec<Hash>,
    merge: u8,
    kid: Hash,
    claims: Vec<u8>,
}

impl Loose {
    pub fn read(data: &[u8]) -> Option<Loose> {
        let (head, mut rest) = data.split_first_chunk::<6>()?;
        let mut loose = Loose { head: *head, count: 0, hops: Vec::new(), tail: Vec::new() };
        if head[4] != 4 {
            let numbers = (0..if head[4] == 3 { 3 } else { 2 }).map(|_| number(&mut rest)).collect::<Option<_>>()?;
            let (hashes, tail) = rest.as_chunks();
            loose.hops.push(LooseHop { numbers, hashes: hashes.to_vec(), ..LooseHop::default() });
            loose.tail = tail.to_vec();
            return Some(loose);
        }
        loose.count = take(&mut rest, 1)?[0];
        for left in (0..loose.count.min(40)).rev() {
            let numbers = vec![number(&mut rest)?, number(&mut rest)?];
            let count = form::count(1, &numbers).ok()?;
            let (hashes, _) = take(&mut rest, 32 * count)?.as_chunks();
            let mut hop = LooseHop { numbers, hashes: hashes.to_vec(), ..LooseHop::default() };
            if left > 0 {
                hop.merge = take(&mut rest, 1)?[0];
                hop.kid = take(&mut rest, 32)?.try_into().ok()?;
                let length = take(&mut rest, 2)?;
                hop.claims = take(&mut rest, usize::from(length[0]) << 8 | usize::from(length[1]))?.to_vec();
            }
            loose.hops.push(hop);
        }
        loose.tail = rest.to_vec();
        Some(loose)
    }

    pub fn write(&self) -> Vec<u8> {
        let mut out = self.head.to_vec();
        let ancestry = self.head[4] == 4;
        if ancestry {
            out.push(self.count);
        }
        for (place, hop) in self.hops.iter().enumerate() {
            for value in &hop.numbers {
                out.extend_from_slice(&value.to_be_bytes()[2..]);
            }
            out.extend_from_slice(hop.hashes.as_flattened());
            if ancestry && place + 1 < self.hops.len() {
                out.push(hop.merge);
                out.extend_from_slice(&hop.kid);
                out.extend_from_slice(&(hop.claims.len() as u16).to_be_bytes());
                out.extend_from_slice(&hop.claims);
            }
        }
        out.extend_from_slice(&self.tail);
        out
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(taken)
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    take(rest, 6).map(|bytes| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// Honest proofs of every type, in both trees, of the histories that the oracle holds them against.
pub static HONEST: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut all: Vec<Vec<u8>> =
        WORLD.iter().flat_map(|branch| plain(&mut Model::<BranchTree>::new(branch.ids()))).collect();
    let records: Vec<Hash> = (0..21).map(|n| rfc6962_leaf(format!("record {n}").as_bytes())).collect();
    all.extend(plain(&mut Model::<Rfc6962>::new(records)));
    all.extend(ancestries());
    all
});

/// Every third claim, by a fixed choice.
fn plain<T: Twin>(model: &mut Model<T>) -> Vec<Vec<u8>> {
    let size = model.leaves.len();
    let mut random = Random(size as u64 | 1 << 20);
    let mut all = Vec::new();
    for _ in 0..40 {
        let mut numbers = [0; 3].map(|_| pick(&mut random, size + 1));
        numbers.sort_unstable();
        let [a, b, c] = numbers;
        if a < c {
            all.push(model.inclusion_proof(a, c));
        }
        if 0 < b && b < c {
            all.push(model.consistency_proof(b, c));
        }
        if a < b {
            all.push(model.range_proof(a, b, c));
        }
    }
    all
}

/// Each way from `main` through its merges.
fn ancestries() -> Vec<Vec<u8>> {
    let ways: [&[(usize, usize, u8, usize)]; 4] =
        [&[], &[(0, 14, 0, 2)], &[(0, 14, 1, 1)], &[(0, 14, 1, 1), (1, 4, 0, 2)]];
    let mut all = Vec::new();
    for way in ways {
        for size in [15, 16, 21] {
            for index in [0, 2] {
                all.extend(ancestry(size, way, index));
            }
        }
    }
    all
}

/// By way of the entries (branch, index, merge, into), in this order, to the leaf `index`.
pub fn ancestry(size: u64, way: &[(usize, usize, u8, usize)], index: u64) -> Option<Vec<u8>> {
    let tree = |branch: &Branch| {
        let mut tree = Tree::new(MemoryNodes::default());
        tree.extend(&branch.ids()).ok().map(|_| tree)
    };
    let mut prover = AncestryProver::from_size(size);
    let mut end = 0;
    for &(branch, place, merge, into) in way {
        let message = UnverifiedEnvelope::parse(&WORLD[branch].entries[place].envelope).ok()?;
        prover.via(&mut tree(&WORLD[branch])?, place as u64, &message, merge).ok()?;
        end = into;
    }
    prover.to(&mut tree(&WORLD[end])?, index).ok()
}

/// A proof, or the exhibit of one.
pub fn proof(data: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut random = random(seed);
    if chance(&mut random, 10) {
        return None;
    }
    let fresh = chance(&mut random, 40);
    if chance(&mut random, 8) || (!fresh && data.first() == Some(&0x85)) {
        let exhibit = if fresh { honest_exhibit(&mut random) } else { Some(data.to_vec()) };
        return attack_exhibit(&mut random, &exhibit?);
    }
    let bytes = if fresh { &HONEST[pick(&mut random, HONEST.len())] } else { data };
    let mut loose = Loose::read(bytes)?;
    attack_proof(&mut random, &mut loose);
    Some(loose.write())
}

pub fn attack_proof(random: &mut Random, loose: &mut Loose) {
    let changes = if chance(random, 65) { 1 } else { 2 };
    for _ in 0..changes {
        change(random, loose);
    }
}

/// The same for bytes; what cannot be taken apart is cut.
pub fn attack_bytes(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    match Loose::read(bytes) {
        Some(mut loose) => {
            attack_proof(random, &mut loose);
            loose.write()
        }
        None => bytes[..pick(random, bytes.len())].to_vec(),
    }
}

fn change(random: &mut Random, loose: &mut Loose) -> Option<()> {
    let donor = &HONEST[pick(random, HONEST.len())];
    let place = pick(random, loose.hops.len());
    let kind = loose.head[4];
    match random.below(12) {
        // Another label on the same hashes: type, tree, version, beginning.
        0 => match random.below(6) {
            0 => loose.head[pick(random, 4)] ^= 1 << random.below(8),
            1 => loose.head[5] = random.below(4) as u8,
            2 => loose.head[5] = 3 - loose.head[5].clamp(1, 2),
            _ => loose.head[4] = random.below(6) as u8,
        },
        1 if kind == 4 => change_chain(random, loose, donor)?,
        1 | 2 => relabel(random, kind, loose.hops.get_mut(place)?),
        3 => {
            let hop = loose.hops.get_mut(place)?;
            let at = pick(random, hop.numbers.len());
            hop.numbers[at] = match random.below(4) {
                0 => hop.numbers[at].wrapping_add(1),
                1 => hop.numbers[at].wrapping_sub(1),
                2 => random.below(24),
                _ => boundary(random),
            };
        }
        4 if kind == 4 => change_merging(random, loose.hops.get_mut(place)?)?,
        5 => match random.below(3) {
            0 => drop(loose.tail.pop()),
            _ => loose.tail.extend(std::iter::repeat_n(0, [1, 31, 32][pick(random, 3)])),
        },
        _ => change_hashes(random, &mut loose.hops.get_mut(place)?.hashes, donor)?,
    }
    Some(())
}

/// Numbers that ask for as many hashes as there are: the proof of another claim, if only hashes counted.
fn relabel(random: &mut Random, kind: u8, hop: &mut LooseHop) {
    let kind = if kind == 4 { 1 } else { kind };
    for _ in 0..40 {
        let end = if chance(random, 70) { 22 } else { 1 << random.below(48) };
        let mut numbers: Vec<u64> = hop.numbers.iter().map(|_| random.below(end)).collect();
        numbers.sort_unstable();
        if chance(random, 60)
            && let (Some(size), Some(old)) = (numbers.last_mut(), hop.numbers.last())
        {
            *size = *old;
        }
        if form::count(kind, &numbers) == Ok(hop.hashes.len()) {
            hop.numbers = numbers;
            return;
        }
    }
}

fn change_hashes(random: &mut Random, hashes: &mut Vec<Hash>, donor: &[u8]) -> Option<()> {
    let foreign = Loose::read(donor)?.hops.pop()?.hashes;
    let (one, two) = (pick(random, hashes.len()), pick(random, hashes.len()));
    match random.below(8) {
        0 if !hashes.is_empty() => hashes.swap(one, two),
        1 if !hashes.is_empty() => drop(hashes.remove(one)),
        2 => hashes.insert(two, *hashes.get(one)?),
        3 => hashes.insert(one, *foreign.first()?),
        4 => *hashes.get_mut(one)? = *foreign.get(pick(random, foreign.len()))?,
        5 => {
            let branch = &WORLD[pick(random, WORLD.len())];
            *hashes.get_mut(one)? = branch.entries[pick(random, branch.entries.len())].id;
        }
        6 => hashes.reverse(),
        _ => hashes.get_mut(one)?[pick(random, 32)] ^= 1 << random.below(8),
    }
    Some(())
}

/// Hops dropped, doubled, swapped, transplanted, and how many there are said to be.
fn change_chain(random: &mut Random, loose: &mut Loose, donor: &[u8]) -> Option<()> {
    let place = pick(random, loose.hops.len());
    match random.below(6) {
        0 => loose.count = [0, 1, 32, 33, 255, loose.count.wrapping_add(1)][pick(random, 6)],
        1 => loose.hops.insert(place, loose.hops.get(place)?.clone()),
        2 if loose.hops.len() > 1 => drop(loose.hops.remove(place)),
        3 => loose.hops.insert(place, Loose::read(donor)?.hops.pop()?),
        4 => {
            let hop = loose.hops.get(place)?.clone();
            loose.hops = vec![hop; 31 + pick(random, 3)];
        }
        _ => loose.hops.reverse(),
    }
    if chance(random, 85) {
        loose.count = loose.hops.len() as u8;
    }
    Some(())
}

/// The merging message: another key, another merge, other claims.
fn change_merging(random: &mut Random, hop: &mut LooseHop) -> Option<()> {
    match random.below(5) {
        0 => hop.merge = [0, 1, 2, 16, 255][pick(random, 5)],
        1 => hop.kid = *crate::support::key(pick(random, 7)).public().thumbprint(),
        2 => {
            let branch = &WORLD[pick(random, WORLD.len())];
            let entry = &branch.entries[pick(random, branch.entries.len())];
            let message = UnverifiedEnvelope::parse(&entry.envelope).ok()?;
            (hop.kid, hop.claims) = (*message.kid(), message.claims().encode());
        }
        3 => drop(hop.claims.pop()),
        _ => {
            let mut claims = Node::read_whole(&hop.claims)?;
            attack(random, &mut claims);
            hop.claims = claims.write();
        }
    }
    Some(())
}

pub fn honest_exhibit(random: &mut Random) -> Option<Vec<u8>> {
    let branch = &WORLD[pick(random, WORLD.len())];
    let size = 1 + pick(random, branch.entries.len());
    let index = pick(random, size);
    let proof = Model::<BranchTree>::new(branch.ids()).inclusion_proof(index, size);
    make_exhibit(&branch.head(size), &branch.entries[index].item, &proof).ok()
}

/// Its head, its entry or its proof.
fn attack_exhibit(random: &mut Random, data: &[u8]) -> Option<Vec<u8>> {
    let mut root = Node::read_whole(data)?;
    match random.below(5) {
        0 => attack(random, &mut root),
        1 => attack(random, root.element(3)?),
        2 => attack(random, root.element(2)?),
        3 => {
            let Node::Bytes(proof) = root.element(4)? else { return None };
            *proof = attack_bytes(random, proof);
        }
        // A message that is all of its history: every head of size 1 can be made by anybody.
        _ => {
            let entry = root.element(3)?;
            if let Some(claims) = envelope(entry).and_then(|found| map(found, 2)) {
                attack(random, claims);
            }
            let id = sign(envelope(entry)?)?;
            let scope = WORLD[0].scope;
            let head = [&scope.realm, &scope.conversation, &scope.branch].map(|part| Node::Bytes(part.to_vec()));
            let print = Node::Bytes(scope.fingerprint(1, &id).to_vec());
            *root.element(2)? = Node::Array(head.into_iter().chain([Node::uint(1), print]).collect());
            *root.element(4)? = Node::Bytes(written(1, 1, &[0, 1], &[]));
        }
    }
    Some(root.write())
}
