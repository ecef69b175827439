//! A script or a state file for each rule of proofs.5.

use ama2sec_attacks::follow::{Peer, honest_state, save, script};
use ama2sec_attacks::mutators::random;
use ama2sec_attacks::seal::{envelope, map, set, sign};
use ama2sec_attacks::tree::Node;
use ama2sec_attacks::world::WORLD;
use sha2::{Digest, Sha256};

use super::Sample;

pub fn samples() -> Vec<Sample> {
    let mut all = entries();
    all.extend(late_senders());
    all.extend(beginnings());
    all.extend(gaps());
    all.extend(skips());
    all.extend(states());
    all
}

fn edited(mut step: Node, edit: impl Fn(&mut Node) -> Option<()>) -> Node {
    edit(&mut step).expect("a step");
    step
}

/// The step with other claims in its entry, signed.
fn said(step: Node, edit: impl Fn(&mut Node) -> Option<()>) -> Node {
    edited(step, |step| {
        let found = envelope(step)?;
        edit(map(found, 2)?)?;
        sign(found).map(drop)
    })
}

fn flip(node: &mut Node) -> Option<()> {
    match node {
        Node::Bytes(bytes) => bytes.last_mut().map(|byte| *byte ^= 1),
        _ => None,
    }
}

/// A client that has followed `main` up to this size, and what comes then.
fn followed(size: usize, then: Vec<Node>) -> Vec<u8> {
    let mut peer = Peer::of(0);
    let mut steps = vec![peer.start()];
    steps.extend((1..size).map(|place| peer.receive(place, 1)));
    script([steps, then].concat())
}

fn entries() -> Vec<Sample> {
    let mut peer = Peer::of(0);
    let next = peer.receive(6, 1);
    let other =
        |place: usize| said(next.clone(), |claims| set(claims.label(6)?.element(place), Node::Bytes(vec![3; 32])));
    let again = |place: usize, mut peer: Peer| peer.receive(place, 0);
    let proof = Node::Bytes(WORLD[0].ids()[0].to_vec());
    let proven = edited(next.clone(), |step| set(step.element(2), proof.clone()));
    let forged = said(next.clone(), |claims| flip(claims.label(5)?.element(1)?));
    vec![
        ("ok", "follow", followed(peer.entries.len(), vec![save()])),
        ("ProofClaim", "proof-that-is-not-needed", followed(6, vec![proven])),
        ("SeqUsed", "twice", followed(6, vec![again(5, Peer::of(0))])),
        ("OpenAgain", "open", followed(6, vec![again(0, Peer::of(0))])),
        ("BranchUnknown", "branch", followed(6, vec![other(0)])),
        ("ContextForked", "parent", followed(6, vec![other(1)])),
        ("ContextForked", "fingerprint", followed(6, vec![forged])),
        ("ContextForked", "fork", followed(9, vec![peer.receive(9, 1), again(10, Peer::of(3))])),
    ]
}

fn late_senders() -> Vec<Sample> {
    let mut peer = Peer::of(0);
    // The first whose sender had seen less than the one message that is known after the join.
    let count = peer.entries.len();
    let behind = (2..count).find(|place| (peer.entries[*place].n as usize) < *place).expect("one who lags");
    let joined = peer.join(behind - 1, behind);
    let late = peer.receive(behind, behind);
    let bare = edited(late.clone(), |step| set(step.element(2), Node::null()));
    let forged = edited(late.clone(), |step| flip(step.element(2)?));
    let forked = said(late.clone(), |claims| flip(claims.label(5)?.element(1)?));
    vec![
        ("ok", "join-and-a-late-sender", script(vec![joined.clone(), save(), late])),
        ("NeedsProof", "late-sender", script(vec![joined.clone(), bare])),
        ("ProofRoot", "late-sender-forged", script(vec![joined.clone(), forged])),
        ("ConsistencyRoot", "late-sender-of-a-fork", script(vec![joined, forked])),
    ]
}

fn beginnings() -> Vec<Sample> {
    let mut peer = Peer::of(0);
    let message = Node::Bytes(peer.entries[1].item.clone());
    let other = Node::Bytes(vec![6; 32]);
    let joined = peer.join(3, 6);
    let fewer = |step: &mut Node| match step.element(3)? {
        Node::Array(items) => items.pop().map(drop),
        _ => None,
    };
    vec![
        ("OpenMissing", "start", script(vec![edited(peer.start(), |step| set(step.element(1), message.clone()))])),
        ("ProofRoot", "join-forged", script(vec![edited(joined.clone(), |step| flip(step.element(4)?))])),
        ("ArgumentRange", "join-one-fewer", script(vec![edited(joined.clone(), fewer)])),
        ("ConversationOther", "join", {
            script(vec![edited(joined, |step| set(step.element(1)?.element(1), other.clone()))])
        }),
    ]
}

fn gaps() -> Vec<Sample> {
    let mut peer = Peer::of(0);
    let start = peer.start();
    let last = peer.entries.len() - 1;
    let mut fork = Peer::of(3);
    let joined = peer.join(8, 12);
    vec![
        ("ContextAhead", "gap", script(vec![start.clone(), peer.receive(last, 1)])),
        ("ok", "gap-by-sender", script(vec![start.clone(), peer.missing(1, last, true)])),
        ("ok", "gap-by-peer", script(vec![start.clone(), peer.missing(1, last, false)])),
        ("ProofRoot", "gap-other-id", {
            let gap = edited(peer.missing(1, last, false), |step| flip(step.element(2)?));
            script(vec![start.clone(), gap])
        }),
        ("ProofClaim", "gap-elsewhere", script(vec![start, peer.missing(2, last, false)])),
        ("ContextForked", "gap-in-a-fork", script(vec![joined, fork.missing(12, 14, false)])),
    ]
}

fn skips() -> Vec<Sample> {
    let mut peer = Peer::of(0);
    let joined = peer.join(3, 7);
    let mut fork = Peer::of(3);
    let behind = peer.join(3, 10);
    vec![
        ("ok", "skip", script(vec![joined.clone(), peer.skip(7, 10, 12), save(), peer.receive(12, 11)])),
        ("ok", "skip-nowhere", {
            let mut step = peer.skip(3, 6, 7);
            step = edited(step, |step| set(step.element(2), Node::Bytes(Vec::new())));
            script(vec![joined.clone(), step])
        }),
        ("HeadStale", "skip-back", script(vec![joined.clone(), peer.skip(3, 4, 5)])),
        ("HeadForked", "skip-aside", script(vec![behind.clone(), fork.skip(7, 9, 10)])),
        ("ConsistencyRoot", "skip-to-a-fork", script(vec![behind, fork.skip(10, 11, 12)])),
        ("ProofRoot", "skip-forged", {
            let step = edited(peer.skip(7, 10, 12), |step| flip(step.element(2)?));
            script(vec![joined.clone(), step])
        }),
        ("ProofClaim", "skip-from-elsewhere", script(vec![joined, peer.skip(6, 10, 12)])),
    ]
}

fn states() -> Vec<Sample> {
    let honest = honest_state(&mut random(5)).expect("a state");
    let summed = |edit: &dyn Fn(&mut Node) -> Option<()>| {
        let mut root = Node::read_whole(&honest[..honest.len() - 32]).expect("an item");
        edit(&mut root).expect("a state");
        let body = root.write();
        let sum = Sha256::digest(&body).to_vec();
        [body, sum].concat()
    };
    let mut flipped = honest.clone();
    flipped[40] ^= 1;
    let point = |root: &mut Node| match root.element(5)? {
        Node::Array(points) => points.last_mut().and_then(|point| flip(point.element(1)?)),
        _ => None,
    };
    let authors = |root: &mut Node| match root.element(6)? {
        Node::Array(authors) => {
            authors.reverse();
            Some(())
        }
        _ => None,
    };
    let signature = |root: &mut Node| match envelope(root)? {
        Node::Tag(_, inner) => flip(inner.element(3)?),
        _ => None,
    };
    vec![
        ("ok", "state", honest.clone()),
        ("StateForm", "state-other-sum", flipped),
        ("StateForm", "state-version", summed(&|root| set(root.element(1), Node::uint(2)))),
        ("StateForm", "state-size", summed(&|root| set(root.element(3), Node::uint(1 << 47)))),
        ("StateForm", "state-no-size", summed(&|root| set(root.element(3), Node::uint(0)))),
        ("StateForm", "state-fingerprint", summed(&point)),
        ("StateForm", "state-nothing-known", summed(&|root| set(root.element(5), Node::Array(Vec::new())))),
        ("StateForm", "state-authors-reversed", summed(&authors)),
        ("SignatureInvalid", "state-open", summed(&signature)),
    ]
}
