//! Exhibits: the form against the second decoder, and what is accepted against histories of which all messages are known.

use ama2sec_core::errors::{Code, Result};
use ama2sec_core::history::accumulator::Scope;
use ama2sec_core::history::exhibit::{Exhibit, Exhibited, check_exhibit, make_exhibit};
use ama2sec_core::history::head::{Fingerprint, Head};
use ama2sec_core::history::inclusion::check_inclusion;
use ama2sec_core::history::trusted::Leaf;

use crate::tree::Node;
use crate::world::WORLD;

/// proofs.6: with the head that it states, and with one that was kept.
pub fn exhibit(data: &[u8]) -> Option<Code> {
    let parsed = Exhibit::parse(data);
    let twin = read(data);
    match (&parsed, &twin) {
        (Ok(parsed), Some((stated, entry, proof))) => {
            assert!((parsed.stated(), parsed.entry(), parsed.proof()) == (stated, entry.as_slice(), proof.as_slice()));
        }
        (Err(fault), None) => assert!([Code::ExhibitForm, Code::SizeLimit].contains(&fault.code)),
        _ => panic!("form: {parsed:?}, its twin: {twin:?}"),
    }
    let verdict = check_exhibit(data, None);
    if let Some((stated, entry, proof)) = &twin {
        let alone = check_inclusion(stated, Leaf::Bytes(entry), proof);
        assert!(verdict.as_ref().err() == alone.as_ref().err(), "{verdict:?}, without its file {alone:?}");
        retained(data, stated, &verdict);
        if let Ok(found) = &verdict {
            assert!(!found.retained() && found.included().head() == stated);
            assert!(make_exhibit(stated, entry, proof).is_ok_and(|again| again == data), "made again, it differs");
            is_true(found, entry);
        }
    }
    verdict.err().map(|fault| fault.code)
}

/// Step 2: the head that is stated is the one that was kept, or it is refused before anything else is judged.
fn retained(data: &[u8], stated: &Fingerprint, verdict: &Result<Exhibited>) {
    let main = &WORLD[0];
    let kept = main.head((stated.head.size as usize).clamp(2, main.entries.len())).head;
    let found = check_exhibit(data, Some(&kept));
    if kept == stated.head {
        let same = found.as_ref().map(|found| *found.included()).map_err(|fault| fault.code);
        assert!(same == verdict.as_ref().map(|found| *found.included()).map_err(|fault| fault.code), "{found:?}");
        assert!(found.is_ok_and(|found| found.retained()) == verdict.is_ok());
    } else {
        let expected = if stated.head.size < kept.size { Code::HeadStale } else { Code::HeadForked };
        assert!(found.is_err_and(|fault| fault.code == expected), "another head than {kept}");
    }
}

/// Under a head of a history that is known, the message stands in its place.
fn is_true(found: &Exhibited, entry: &[u8]) {
    let included = found.included();
    for branch in WORLD.iter().filter(|branch| branch.size_at(included.head()).is_some()) {
        let made = &branch.entries[included.index() as usize];
        assert!(made.id == *included.id(), "another message in this place of {}", branch.name);
        assert!(entry.windows(made.envelope.len() - 64).any(|part| part == &made.envelope[..made.envelope.len() - 64]));
    }
}

/// proofs.6 as a pattern.
fn read(data: &[u8]) -> Option<(Fingerprint, Vec<u8>, Vec<u8>)> {
    let node = Node::read_whole(data).filter(|node| node.is_canonical(0) && data.len() <= 1 << 20)?;
    let Node::Array(five) = node else { return None };
    let [Node::Text(name), version, Node::Array(head), Node::Array(entry), proof] = five.as_slice() else {
        return None;
    };
    let [realm, conversation, branch, Node::Int { negative: false, argument: size @ 1..0x1_0000_0000_0000 }, print] =
        head.as_slice()
    else {
        return None;
    };
    if name != b"ama2sec-exhibit" || *version != Node::uint(1) || entry.len() != 3 {
        return None;
    }
    let scope = Scope { realm: hash(realm)?, conversation: hash(conversation)?, branch: hash(branch)? };
    let stated = Fingerprint { scope, head: Head { size: *size, fingerprint: hash(print)? } };
    Some((stated, Node::Array(entry.clone()).write(), string(proof)?))
}

fn string(node: &Node) -> Option<Vec<u8>> {
    match node {
        Node::Bytes(bytes) => Some(bytes.clone()),
        Node::Wrapped(inner) => Some(inner.write()),
        _ => None,
    }
}

fn hash(node: &Node) -> Option<[u8; 32]> {
    string(node)?.try_into().ok()
}
