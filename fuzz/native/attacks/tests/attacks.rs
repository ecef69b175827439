//! The attacks themselves: what is read is written again, what is attacked gets past the signature, and nothing depends on chance.

use std::collections::BTreeSet;
use std::path::Path;

use ama2sec_attacks::seal::{envelope, map};
use ama2sec_attacks::tree::Node;
use ama2sec_attacks::{follow, mutators, oracle, proofs};
use ama2sec_core::errors::Code;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus").join(target);
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("a corpus").map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a sample")).collect()
}

#[test]
fn what_is_read_is_written_again() {
    let mut read = 0;
    for target in ["codec", "envelope"] {
        for sample in corpus(target) {
            if let Some(node) = Node::read_whole(&sample) {
                assert_eq!(node.write(), sample);
                read += 1;
            }
        }
    }
    assert!(read > 60, "{read}");
}

#[test]
fn a_place_in_a_tree_is_found() {
    let mut root = Node::read_whole(b"\x83\x01\xa1\x02\x81\x03\xd2\x04").expect("an item");
    assert_eq!(root.count(), 8);
    let found: Vec<_> = (0..9).filter_map(|place| root.at(place).map(|node| node.write())).collect();
    let expected: [&[u8]; 8] = [
        b"\x83\x01\xa1\x02\x81\x03\xd2\x04",
        b"\x01",
        b"\xa1\x02\x81\x03",
        b"\x02",
        b"\x81\x03",
        b"\x03",
        b"\xd2\x04",
        b"\x04",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_mutation_is_repeated_by_its_seed_and_another_seed_makes_another() {
    for (target, mutate) in [
        ("codec", mutators::codec as fn(&[u8], u32) -> Option<Vec<u8>>),
        ("envelope", mutators::message),
        ("transcript", mutators::transcript),
        ("proof", proofs::proof),
        ("lightclient", follow::lightclient),
    ] {
        let samples = corpus(target);
        let sample = samples.iter().max_by_key(|sample| sample.len()).expect("a sample");
        let made: Vec<_> = (0..50).map(|seed| mutate(sample, seed)).collect();
        assert!(made == (0..50).map(|seed| mutate(sample, seed)).collect::<Vec<_>>());
        assert!(made.iter().collect::<BTreeSet<_>>().len() > 25, "{target}");
    }
}

/// The codes that mutations of a corpus get.
fn reached(
    target: &str,
    rounds: u32,
    mutate: fn(&[u8], u32) -> Option<Vec<u8>>,
    judge: fn(&[u8]) -> Option<Code>,
) -> BTreeSet<u16> {
    let made = corpus(target).into_iter().flat_map(|sample| (0..rounds).filter_map(move |seed| mutate(&sample, seed)));
    made.map(|made| judge(&made).map_or(0, Code::number)).collect()
}

#[test]
fn attacks_reach_what_stands_behind_the_signature() {
    let envelope = reached("envelope", 100, mutators::message, oracle::envelope);
    for code in [
        Code::ClaimType,
        Code::ClaimForm,
        Code::TooMany,
        Code::RealmOther,
        Code::PurposeWrong,
        Code::SignatureNotCanonical,
    ] {
        assert!(envelope.contains(&code.number()), "{}", code.as_str());
    }
    let transcript = reached("transcript", 30, mutators::transcript, oracle::transcript);
    for code in [
        Code::ContextForked,
        Code::ContextAhead,
        Code::SeqUsed,
        Code::OpenAgain,
        Code::NotAMember,
        Code::ConversationOther,
    ] {
        assert!(transcript.contains(&code.number()), "{}", code.as_str());
    }
    assert!(envelope.contains(&0) && transcript.contains(&0), "some are still honest");
}

#[test]
fn attacks_reach_every_fault_of_a_proof_and_of_a_light_client() {
    let proof = reached("proof", 60, proofs::proof, oracle::proof);
    let form = [Code::ProofForm, Code::ProofVersion, Code::ProofIndex, Code::ExhibitForm];
    for code in form.into_iter().chain([Code::ProofRoot, Code::AncestryRoot, Code::ProofClaim, Code::ArgumentRange]) {
        assert!(proof.contains(&code.number()), "{}", code.as_str());
    }
    let light = reached("lightclient", 60, follow::lightclient, oracle::lightclient);
    let context = [Code::ContextAhead, Code::ContextForked, Code::NeedsProof, Code::SeqUsed, Code::ConversationOther];
    let heads = [Code::HeadStale, Code::HeadForked, Code::ConsistencyRoot, Code::ProofRoot, Code::ProofClaim];
    for code in context.into_iter().chain(heads).chain([Code::StateForm, Code::OpenMissing, Code::BranchUnknown]) {
        assert!(light.contains(&code.number()), "{}", code.as_str());
    }
    assert!(proof.contains(&0) && light.contains(&0), "some are still honest");
}

/// What is attacked was attacked before: any number may stand in it.
#[test]
fn a_number_at_the_end_of_its_range_is_attacked_like_any_other() {
    for number in [0, u64::MAX] {
        let mut items = Vec::new();
        let data = corpus("transcript").into_iter().max_by_key(Vec::len).expect("a sample");
        let mut rest = data.as_slice();
        while let Some((mut item, length)) = Node::read(rest) {
            if let Some(seq) = envelope(&mut item).and_then(|found| map(found, 2)?.label(9)) {
                *seq = Node::Array(vec![Node::uint(number), Node::uint(number)]);
            }
            items.push(item);
            rest = &rest[length..];
        }
        let numbered: Vec<u8> = items.iter().flat_map(Node::write).collect();
        let made = (0..600).filter(|seed| mutators::transcript(&numbered, *seed).is_some()).count();
        assert!(made > 300, "{made}");
    }
}

/// S + L is the number that a verifier without the check takes for S.
#[test]
fn the_order_of_the_group_is_added_with_its_carries() {
    let mut signature = [0xff; 64];
    signature[63] = 0;
    mutators::add_order(&mut signature);
    assert_eq!(signature[32..35], [0xec, 0xd3, 0xf5]);
    assert_eq!(signature[63], 0x11);
    assert_eq!(signature[..32], [0xff; 32]);
}
