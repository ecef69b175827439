//! A light client that follows a script, beside a plain list that holds everything.
//!
//! A script is `[0, [step, ...]]`, a step one of `[1, open]`, `[2, head, open, [last], proof]` (join), `[3, entry, proof or null]`
//! (receive), `[4, entry, id, proof]` and `[5, head, id, proof]` (missing), `[6, head, extends, [last], proof]` (skip), `[7]` (save and
//! load); a head is `[realm, conversation, branch, size, fingerprint]`.

use std::collections::HashMap;
use std::sync::LazyLock;

use ama2sec_core::errors::{Code, Result};
use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::{Scope, fingerprints};
use ama2sec_core::history::head::{Fingerprint, Head};
use ama2sec_core::history::lightclient::{LightClient, Source};
use ama2sec_core::message::{UnverifiedEnvelope, VerifiedEnvelope, parse_message};

use super::DIRECTORY;
use super::light_twin::Follower;
use crate::tree::Node;
use crate::world::WORLD;

/// Steps that are followed; the rest of a script is left.
const STEPS: usize = 40;

/// One step with what it is made of.
#[derive(Debug)]
pub enum Step {
    Start(Vec<u8>),
    Join(Fingerprint, Vec<u8>, Vec<Vec<u8>>, Vec<u8>),
    Receive(Vec<u8>, Option<Vec<u8>>),
    MissingBySender(Vec<u8>, Hash, Vec<u8>),
    MissingByPeer(Fingerprint, Hash, Vec<u8>),
    Skip(Fingerprint, Vec<u8>, Vec<Vec<u8>>, Vec<u8>),
    Save,
}

/// Verifying is slow, and most entries are these.
static KNOWN: LazyLock<HashMap<&[u8], VerifiedEnvelope>> = LazyLock::new(|| {
    let entries = WORLD.iter().flat_map(|branch| &branch.entries);
    entries.map(|entry| (entry.item.as_slice(), verify(&entry.item).expect("an honest entry"))).collect()
});

fn verify(data: &[u8]) -> Result<VerifiedEnvelope> {
    let parts = parse_message(data)?;
    UnverifiedEnvelope::parse(parts.envelope)?.verify(&DIRECTORY, parts.body)
}

fn verified(data: &[u8]) -> Result<VerifiedEnvelope> {
    KNOWN.get(data).map_or_else(|| verify(data), |known| Ok(known.clone()))
}

fn all(items: &[Vec<u8>]) -> Result<Vec<VerifiedEnvelope>> {
    items.iter().map(|item| verified(item)).collect()
}

pub fn read(data: &[u8]) -> Option<Vec<Step>> {
    let Node::Array(two) = Node::read_whole(data)? else { return None };
    let [Node::Int { negative: false, argument: 0 }, Node::Array(steps)] = two.as_slice() else { return None };
    steps.iter().take(STEPS).map(step).collect()
}

fn step(node: &Node) -> Option<Step> {
    let Node::Array(parts) = node else { return None };
    let (Node::Int { negative: false, argument }, rest) = parts.split_first()? else { return None };
    Some(match (argument, rest) {
        (1, [open]) => Step::Start(bytes(open)?),
        (2, [at, open, last, proof]) => Step::Join(head(at)?, bytes(open)?, list(last)?, bytes(proof)?),
        (3, [entry, proof]) if *proof == Node::null() => Step::Receive(bytes(entry)?, None),
        (3, [entry, proof]) => Step::Receive(bytes(entry)?, Some(bytes(proof)?)),
        (4, [entry, id, proof]) => Step::MissingBySender(bytes(entry)?, hash(id)?, bytes(proof)?),
        (5, [at, id, proof]) => Step::MissingByPeer(head(at)?, hash(id)?, bytes(proof)?),
        (6, [at, extends, last, proof]) => Step::Skip(head(at)?, bytes(extends)?, list(last)?, bytes(proof)?),
        (7, []) => Step::Save,
        _ => return None,
    })
}

fn bytes(node: &Node) -> Option<Vec<u8>> {
    matches!(node, Node::Bytes(_) | Node::Wrapped(_)).then(|| crate::seal::content(node))
}

fn hash(node: &Node) -> Option<Hash> {
    bytes(node)?.try_into().ok()
}

fn list(node: &Node) -> Option<Vec<Vec<u8>>> {
    match node {
        Node::Array(items) => items.iter().map(bytes).collect(),
        _ => None,
    }
}

fn head(node: &Node) -> Option<Fingerprint> {
    let Node::Array(five) = node else { return None };
    let [realm, conversation, branch, Node::Int { negative: false, argument: size }, print] = five.as_slice() else {
        return None;
    };
    let scope = Scope { realm: hash(realm)?, conversation: hash(conversation)?, branch: hash(branch)? };
    (1..1 << 48).contains(size).then_some(())?;
    Some(Fingerprint { scope, head: Head { size: *size, fingerprint: hash(print)? } })
}

/// Every step; the verdict is the first fault.
pub fn follow(script: &[Step]) -> Option<Code> {
    let mut pair: Option<(LightClient, Follower)> = None;
    let mut first = None;
    for step in script {
        let before = pair.as_ref().map(|(client, _)| client.encode());
        let fault = match take(&mut pair, step) {
            Ok(()) => None,
            Err(code) => {
                assert!(
                    before == pair.as_ref().map(|(client, _)| client.encode()),
                    "a fault changes nothing: {step:?}"
                );
                Some(code)
            }
        };
        if let Some((client, twin)) = &pair {
            knows_the_same(client, twin);
        }
        first = first.or(fault);
    }
    first
}

/// The client's answer, which is the twin's.
fn take(pair: &mut Option<(LightClient, Follower)>, step: &Step) -> std::result::Result<(), Code> {
    match (step, pair) {
        (Step::Start(open), pair) => {
            let open = verified(open).map_err(|fault| fault.code)?;
            let client = agreed(LightClient::start(open.clone()), Follower::start(&open))?;
            *pair = Some(client);
        }
        (Step::Join(head, open, last, proof), pair) => {
            let open = verified(open).map_err(|fault| fault.code)?;
            let last = all(last).map_err(|fault| fault.code)?;
            let client = LightClient::join(*head, open.clone(), &last, proof);
            *pair = Some(agreed(client, Follower::join(head, &open, &last, proof))?);
        }
        (_, None) => {}
        (Step::Receive(entry, proof), Some((client, twin))) => {
            let entry = verified(entry).map_err(|fault| fault.code)?;
            let expected = twin.receive(&entry, proof.as_deref());
            let (next, ()) = agreed(client.check(&entry, proof.as_deref()), expected)?;
            client.apply(next).expect("the client has not moved");
        }
        (Step::MissingBySender(entry, id, proof), Some((client, twin))) => {
            let entry = verified(entry).map_err(|fault| fault.code)?;
            agreed(client.missing_by(&entry, id, proof), twin.missing_by(&entry, id, proof))?;
        }
        (Step::MissingByPeer(context, id, proof), Some((client, twin))) => {
            let found = client.missing(*context, Source::Peer, id, proof);
            let (found, ()) = agreed(found, twin.missing(context, id, proof))?;
            assert!((found.id(), found.index(), found.context()) == (id, client.size(), context));
        }
        (Step::Skip(head, extends, last, proof), Some((client, twin))) => {
            let last = all(last).map_err(|fault| fault.code)?;
            let expected = twin.skip(head, extends, &last, proof);
            agreed(client.skip(*head, extends, &last, proof), expected)?;
        }
        (Step::Save, Some((client, _))) => save(client),
    }
    Ok(())
}

fn agreed<A: std::fmt::Debug, B: std::fmt::Debug>(
    client: Result<A>,
    twin: std::result::Result<B, Code>,
) -> std::result::Result<(A, B), Code> {
    match (client, twin) {
        (Ok(client), Ok(twin)) => Ok((client, twin)),
        (Err(fault), Err(code)) if fault.code == code => Err(code),
        (client, twin) => panic!("the client: {client:?}; all messages: {twin:?}"),
    }
}

fn save(client: &mut LightClient) {
    let written = client.encode();
    let read = LightClient::parse(&written, &DIRECTORY).expect("what was written is read");
    assert!(read.encode() == written, "written again, it differs");
    client.check_succeeds(&read).expect("it is its own successor");
    read.check_succeeds(client).expect("and the other way round");
    *client = read;
}

fn knows_the_same(client: &LightClient, twin: &Follower) {
    let ids = &twin.history.ids;
    assert!(client.size() == ids.len() as u64 && client.oldest() == twin.oldest as u64);
    let prints = fingerprints(&Scope::of_file(twin.conversation), ids).expect("a small history");
    assert!(client.head() == twin.head() && Some(&client.head().head.fingerprint) == prints.last());
    assert!(twin.history.numbers.iter().all(|(author, seq)| client.last_seq(author) == Some(*seq)));
}
