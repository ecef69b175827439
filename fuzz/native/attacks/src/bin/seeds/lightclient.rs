//! A script or a state file for each rule of proofs.5.

use ama2sec_attacks::follow::{Peer, honest_state, save, script};
use ama2sec_attacks::mutators::random;
use ama2sec_attacks::seal::{envelope, map, set, sign};
use ama2sec_attacks::tree::Node;
use ama2sec_attacks::world::WORLD;
use sha2::{Digest, Sha256};

use super::Sample;

pub fn samples() -> Vec<Sample> {
    let mut all = scripts();
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

fn scripts() -> Vec<Sample> {
    let mut peer = Peer::of(0);
    let count = peer.entries.len();
    let to = |peer: &mut Peer, size: usize| {
        let mut steps = vec![peer.start()];
        steps.extend((1..size).map(|place| peer.receive(place, 1)));
        steps
    };
    let after = |peer: &mut Peer, step: Node| script([to(peer, 6), vec![step]].concat());
    let next = peer.receive(6, 1);
    let whole = script([to(&mut peer, count), vec![save()]].concat());
    // The last message joined at whose sender had seen less than the one message that is known.
    let behind = (2..count).find(|place| (peer.entries[*place].n as usize) < *place).expect("one who lags");
    let joined = peer.join(behind - 1, behind);
    let late = peer.receive(behind, behind);
    let bare = edited(late.clone(), |step| set(step.element(2), Node::null()));
    let forged = edited(late.clone(), |step| flip(step.element(2)?));
    let other = Peer::of(3).receive(10, 1);
    vec![
        ("ok", "follow", whole),
        ("ok", "join-and-a-late-sender", script(vec![joined.clone(), save(), late.clone()])),
        ("NeedsProof", "late-sender", script(vec![joined.clone(), bare])),
        ("ProofRoot", "late-sender-forged", script(vec![joined.clone(), forged])),
        ("ConsistencyRoot", "late-sender-of-a-fork", {
            let edited = said(late, |claims| flip(claims.label(5)?.element(1)?));
            script(vec![joined, edited])
        }),
        ("ProofClaim", "proof-that-is-not-needed", {
            let honest = Node::Bytes(WORLD[0].ids()[0].to_vec());
            after(&mut peer, edited(next.clone(), |step| set(step.element(2), honest.clone())))
        }),
        ("SeqUsed", "twice", {
            let again = peer.receive(5, 1);
            after(&mut peer, again)
        }),
        ("OpenAgain", "open", {
            let open = peer.receive(0, 0);
            after(&mut peer, open)
        }),
        ("BranchUnknown", "branch", {
            after(&mut peer, said(next.clone(), |claims| set(claims.label(6)?.element(0), Node::Bytes(vec![3; 32]))))
        }),
        ("ContextForked", "parent", {
            after(&mut peer, said(next.clone(), |claims| set(claims.label(6)?.element(1), Node::Bytes(vec![3; 32]))))
        }),
        ("ContextForked", "fingerprint", after(&mut peer, said(next, |claims| flip(claims.label(5)?.element(1)?)))),
        ("ContextForked", "fork", script([to(&mut peer, 9), vec![peer.receive(9, 1), other]].concat())),
        (
            "OpenMissing",
            "start",
            script(vec![edited(peer.start(), |step| {
                let entry = peer.entries[1].item.clone();
                set(step.element(1), Node::Bytes(entry))
            })]),
        ),
        ("ProofRoot", "join-forged", script(vec![edited(peer.join(3, 6), |step| flip(step.element(4)?))])),
        (
            "ArgumentRange",
            "join-one-fewer",
            script(vec![edited(peer.join(3, 6), |step| match step.element(3)? {
                Node::Array(items) => items.pop().map(drop),
                _ => None,
            })]),
        ),
        ("ConversationOther", "join", {
            let other = Node::Bytes(vec![6; 32]);
            script(vec![edited(peer.join(3, 6), |step| set(step.element(1)?.element(1), other.clone()))])
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
    vec![
        ("ok", "state", honest.clone()),
        ("StateForm", "state-other-sum", flipped),
        ("StateForm", "state-version", summed(&|root| set(root.element(1), Node::uint(2)))),
        ("StateForm", "state-size", summed(&|root| set(root.element(3), Node::uint(1 << 47)))),
        ("StateForm", "state-no-size", summed(&|root| set(root.element(3), Node::uint(0)))),
        ("StateForm", "state-fingerprint", summed(&point)),
        ("StateForm", "state-nothing-known", summed(&|root| set(root.element(5), Node::Array(Vec::new())))),
        (
            "StateForm",
            "state-authors-reversed",
            summed(&|root| match root.element(6)? {
                Node::Array(authors) => {
                    authors.reverse();
                    Some(())
                }
                _ => None,
            }),
        ),
        (
            "SignatureInvalid",
            "state-open",
            summed(&|root| match envelope(root)? {
                Node::Tag(_, inner) => flip(inner.element(3)?),
                _ => None,
            }),
        ),
    ]
}
