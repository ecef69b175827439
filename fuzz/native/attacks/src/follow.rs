//! The mutator of light clients: scripts that an honest client could follow, then one thing in them that is not honest; and state
//! files, summed again.

use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::{BranchTree, Scope};
use ama2sec_core::history::head::Fingerprint;
use ama2sec_core::history::lightclient::LightClient;
use ama2sec_core::message::{UnverifiedEnvelope, parse_message};
use sha2::{Digest, Sha256};

use crate::attack::{attack, chance, pick};
use crate::mutators::{attack_message, random};
use crate::oracle::DIRECTORY;
use crate::proof_support::{Model, Twin};
use crate::proofs::{HONEST, attack_bytes};
use crate::seal::{commit, content, envelope, sign};
use crate::support::{Made, Random};
use crate::tree::Node;
use crate::world::{Branch, PLAIN, WORLD};

fn bytes(bytes: &[u8]) -> Node {
    Node::read_whole(&Node::Bytes(bytes.to_vec()).write()).unwrap_or_else(Node::null)
}

fn step(number: u64, rest: Vec<Node>) -> Node {
    Node::Array([vec![Node::uint(number)], rest].concat())
}

/// A script of these steps.
pub fn script(steps: Vec<Node>) -> Vec<u8> {
    Node::Array(vec![Node::uint(0), Node::Array(steps)]).write()
}

fn head(head: &Fingerprint) -> Node {
    let scope = &head.scope;
    let [realm, conversation, branch, print] =
        [&scope.realm, &scope.conversation, &scope.branch, &head.head.fingerprint].map(|part| bytes(part));
    Node::Array(vec![realm, conversation, branch, Node::uint(head.head.size), print])
}

/// What an honest peer can say of a branch.
pub struct Peer {
    branch: &'static Branch,
    model: Model<BranchTree>,
    pub entries: &'static [Made],
}

impl Peer {
    /// Of `main` before its merges (0), or of the fork (3).
    pub fn of(place: usize) -> Peer {
        let branch = &WORLD[place];
        let end = if place == 0 { PLAIN } else { branch.entries.len() };
        Peer { branch, model: Model::new(branch.ids()), entries: &branch.entries[..end] }
    }

    fn items(&self, begin: usize, end: usize) -> Node {
        Node::Array(self.entries[begin..end].iter().map(|entry| bytes(&entry.item)).collect())
    }

    pub fn start(&self) -> Node {
        step(1, vec![bytes(&self.entries[0].item)])
    }

    pub fn join(&mut self, begin: usize, end: usize) -> Node {
        let proof = bytes(&self.model.range_proof(begin, end, end));
        step(2, vec![head(&self.branch.head(end)), bytes(&self.entries[0].item), self.items(begin, end), proof])
    }

    /// The entry at this place, with a proof where its author's context is older than what is known.
    pub fn receive(&mut self, place: usize, oldest: usize) -> Node {
        let entry = &self.entries[place];
        let n = entry.n as usize;
        let proof = if n < oldest { bytes(&self.model.consistency_proof(n, place)) } else { Node::null() };
        step(3, vec![bytes(&entry.item), proof])
    }

    /// That entry `size` is the first that is missed, under the context of a later message or under a head.
    pub fn missing(&mut self, size: usize, later: usize, by_sender: bool) -> Node {
        let n = if by_sender { self.entries[later].n as usize } else { later };
        let proof = if size < n { self.model.inclusion_proof(size, n) } else { self.model.inclusion_proof(0, n) };
        let id = bytes(&self.entries[size].id);
        let context = if by_sender { bytes(&self.entries[later].item) } else { head(&self.branch.head(n)) };
        step(if by_sender { 4 } else { 5 }, vec![context, id, bytes(&proof)])
    }

    pub fn skip(&mut self, from: usize, begin: usize, end: usize) -> Node {
        let extends = bytes(&self.model.consistency_proof(from, end));
        let range = bytes(&self.model.range_proof(begin, end, end));
        step(6, vec![head(&self.branch.head(end)), extends, self.items(begin, end), range])
    }
}

pub fn save() -> Node {
    step(7, Vec::new())
}

/// Steps that an honest client can take, one after the other.
fn honest_script(random: &mut Random) -> Vec<Node> {
    let mut peer = Peer::of([0, 0, 3][pick(random, 3)]);
    let count = peer.entries.len();
    let mut steps = Vec::new();
    let (mut size, mut oldest) = (1, 1);
    if chance(random, 50) {
        steps.push(peer.start());
    } else {
        size = 1 + pick(random, count);
        let begin = pick(random, size);
        oldest = begin + 1;
        steps.push(peer.join(begin, size));
    }
    for _ in 0..1 + random.below(7) {
        if size == count {
            break;
        }
        let later = size + 1 + pick(random, count - size);
        match random.below(10) {
            0 => {
                let begin = pick(random, later);
                steps.push(peer.skip(size, begin, later));
                (size, oldest) = (later, begin + 1);
            }
            1 => steps.push(peer.missing(size, later, false)),
            2 => steps.push(peer.missing(size, later - 1, true)),
            3 => steps.push(save()),
            _ => {
                steps.push(peer.receive(size, oldest));
                size += 1;
            }
        }
    }
    steps
}

/// A state that an honest client writes.
pub fn honest_state(random: &mut Random) -> Option<Vec<u8>> {
    let peer = Peer::of([0, 3][pick(random, 2)]);
    let verified = |entry: &Made| {
        let parts = parse_message(&entry.item)?;
        UnverifiedEnvelope::parse(parts.envelope)?.verify(&DIRECTORY, parts.body)
    };
    let mut client = LightClient::start(verified(&peer.entries[0]).ok()?).ok()?;
    for entry in &peer.entries[1..1 + pick(random, peer.entries.len())] {
        let next = client.check(&verified(entry).ok()?, None).ok()?;
        client.apply(next).ok()?;
    }
    Some(client.encode())
}

/// A script, or a state file.
pub fn lightclient(data: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut random = random(seed);
    if chance(&mut random, 8) {
        return None;
    }
    let fresh = chance(&mut random, 45);
    if (fresh && chance(&mut random, 20)) || (!fresh && data.first() == Some(&0x87)) {
        let state = if fresh { honest_state(&mut random)? } else { data.to_vec() };
        return attack_state(&mut random, &state);
    }
    let mut steps = match fresh {
        true => honest_script(&mut random),
        false => match Node::read_whole(data)? {
            Node::Array(mut two) if two.len() == 2 => match two.pop()? {
                Node::Array(steps) => steps,
                _ => return None,
            },
            _ => return None,
        },
    };
    for _ in 0..if chance(&mut random, 70) { 1 } else { 2 } {
        attack_script(&mut random, &mut steps);
    }
    Some(script(steps))
}

fn attack_script(random: &mut Random, steps: &mut Vec<Node>) -> Option<()> {
    let (one, two) = (pick(random, steps.len()), pick(random, steps.len()));
    match random.below(14) {
        0 if steps.len() > 1 => drop(steps.remove(one)),
        1 => steps.insert(two, steps.get(one)?.clone()),
        2 if steps.len() > 1 => steps.swap(one, two),
        // What another client is told.
        3 | 4 => {
            let foreign = honest_script(random);
            steps.insert(two, foreign.get(pick(random, foreign.len()))?.clone());
        }
        5..=7 => attack_entry(random, steps.get_mut(one)?)?,
        8 => attack(random, steps.get_mut(one)?),
        9 => attack_head(random, steps.get_mut(one)?)?,
        10 => swap_last(random, steps.get_mut(one)?)?,
        _ => attack_proof(random, steps.get_mut(one)?)?,
    }
    Some(())
}

/// Nodes of a step for which this holds; one of them.
fn any<'a>(random: &mut Random, step: &'a mut Node, holds: impl Fn(&Node) -> bool) -> Option<&'a mut Node> {
    let places: Vec<usize> =
        (0..step.count()).filter(|place| step.at(*place).is_some_and(|node| holds(node))).collect();
    let place = *places.get(pick(random, places.len()))?;
    step.at(place)
}

fn attack_entry(random: &mut Random, step: &mut Node) -> Option<()> {
    let is_entry =
        |node: &Node| matches!(node, Node::Array(parts) if parts.len() == 3 && matches!(&parts[1], Node::Wrapped(_)));
    let entry = any(random, step, is_entry)?;
    attack_message(random, entry);
    commit(entry);
    if chance(random, 90) {
        sign(envelope(entry)?)?;
    }
    Some(())
}

fn attack_proof(random: &mut Random, step: &mut Node) -> Option<()> {
    let is_proof = |node: &Node| matches!(node, Node::Bytes(bytes) if bytes.starts_with(b"a2p"));
    let proof = any(random, step, is_proof)?;
    *proof = match chance(random, 30) {
        true => bytes(&HONEST[pick(random, HONEST.len())]),
        false => bytes(&attack_bytes(random, &content(proof))),
    };
    Some(())
}

/// Another head that somebody could have stated.
fn attack_head(random: &mut Random, step: &mut Node) -> Option<()> {
    let is_head =
        |node: &Node| matches!(node, Node::Array(parts) if parts.len() == 5 && matches!(&parts[3], Node::Int { .. }));
    let place = any(random, step, is_head)?;
    let branch = &WORLD[pick(random, WORLD.len())];
    let mut other = branch.head(1 + pick(random, branch.entries.len()));
    match random.below(6) {
        0 => other.scope.branch = [6; 32],
        1 => other.scope.realm = [6; 32],
        2 => other.scope.conversation = [6; 32],
        3 => other.head.fingerprint[31] ^= 1,
        _ => {}
    }
    *place = head(&other);
    Some(())
}

/// The last messages: one fewer, one more, in another order.
fn swap_last(random: &mut Random, step: &mut Node) -> Option<()> {
    let is_list = |node: &Node| matches!(node, Node::Array(parts) if matches!(parts.first(), Some(Node::Wrapped(_))));
    let Node::Array(items) = any(random, step, is_list)? else { return None };
    let (one, two) = (pick(random, items.len()), pick(random, items.len()));
    match random.below(3) {
        0 => drop(items.remove(one)),
        1 => items.insert(two, items.get(one)?.clone()),
        _ => items.swap(one, two),
    }
    Some(())
}

/// A state file with one change: mostly with the sum, and often with the fingerprint, that belong to it then.
fn attack_state(random: &mut Random, data: &[u8]) -> Option<Vec<u8>> {
    let (body, sum) = data.split_last_chunk::<32>()?;
    let mut root = Node::read_whole(body)?;
    match random.below(4) {
        0 => attack(random, &mut root),
        1 => attack(random, root.element(3)?),
        _ => {
            let part = root.element(2 + pick(random, 5))?;
            attack(random, part);
        }
    }
    if chance(random, 60) {
        refit(&mut root);
    }
    let written = root.write();
    let sum = if chance(random, 92) { Sha256::digest(&written).to_vec() } else { sum.to_vec() };
    Some([written, sum].concat())
}

/// The last fingerprint that the peaks give.
fn refit(root: &mut Node) -> Option<()> {
    let opening = UnverifiedEnvelope::parse(&content(root.element(2)?)).ok()?;
    let Node::Int { negative: false, argument: size } = *root.element(3)? else { return None };
    let Node::Array(peaks) = root.element(4)? else { return None };
    let peaks: Vec<Hash> = peaks.iter().map(|peak| content(peak).try_into().ok()).collect::<Option<_>>()?;
    let top = peaks.iter().rev().copied().reduce(|right, left| BranchTree::node(&left, &right))?;
    let print = Scope::of_file(*opening.id()).fingerprint(size, &top);
    let Node::Array(points) = root.element(5)? else { return None };
    *points.last_mut()?.element(1)? = bytes(&print);
    Some(())
}
