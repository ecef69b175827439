//! One proof for each rule of proofs.1 to proofs.4, proofs.6 and proofs.7.

use ama2sec_attacks::proof_support::{Model, proof, relabelled};
use ama2sec_attacks::proofs::ancestry;
use ama2sec_attacks::tree::Node;
use ama2sec_attacks::world::{Branch, WORLD};
use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::BranchTree;
use ama2sec_core::history::exhibit::make_exhibit;
use ama2sec_core::history::sha_tree::{Rfc6962, rfc6962_leaf};

use super::Sample;

fn model(branch: &Branch) -> Model<BranchTree> {
    Model::new(branch.ids())
}

/// The same bytes but for one that is another.
fn flipped(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] ^= 1;
    bytes
}

pub fn samples() -> Vec<Sample> {
    let mut main = model(&WORLD[0]);
    let mut all = forms(&main.inclusion_proof(5, 21), &main.range_proof(3, 6, 21));
    all.extend(claims(&mut main));
    all.extend(realm());
    all.extend(chains());
    all.extend(exhibits(&mut main));
    all
}

fn forms(inclusion: &[u8], range: &[u8]) -> Vec<Sample> {
    let cut = |bytes: &[u8], left: usize| bytes[..bytes.len() - left].to_vec();
    let behind = |bytes: &[u8], more: usize| [bytes, &vec![0; more]].concat();
    vec![
        ("ProofForm", "nothing", Vec::new()),
        ("ProofForm", "other-beginning", flipped(inclusion.to_vec(), 1)),
        ("ProofVersion", "zero", flipped(inclusion.to_vec(), 3)),
        ("ProofForm", "type-zero", flipped(inclusion.to_vec(), 4)),
        ("ProofForm", "type-five", proof(5, 1, &[1, 2], &[[1; 32]])),
        ("ProofForm", "tree-three", proof(1, 3, &[1, 2], &[[1; 32]])),
        ("ProofForm", "ancestry-of-a-realm", proof(4, 2, &[1, 2], &[[1; 32]])),
        ("ProofForm", "half-a-number", inclusion[..14].to_vec()),
        ("ProofForm", "one-hash-fewer", cut(inclusion, 32)),
        ("ProofForm", "one-hash-more", behind(inclusion, 32)),
        ("ProofForm", "one-byte-more", behind(inclusion, 1)),
        ("ProofForm", "one-byte-fewer", cut(range, 1)),
        ("ProofIndex", "index-is-size", proof(1, 1, &[21, 21], &[])),
        ("ProofIndex", "old-is-none", proof(2, 1, &[0, 21], &[[1; 32]])),
        ("ProofIndex", "old-is-new", proof(2, 1, &[21, 21], &[[1; 32]])),
        ("ProofIndex", "range-of-nothing", proof(3, 1, &[4, 4, 21], &[])),
        ("ProofIndex", "range-behind-the-end", proof(3, 1, &[4, 22, 21], &[])),
        ("ProofIndex", "no-size", proof(1, 1, &[0, 0], &[])),
        ("ProofForm", "no-hops", proof(4, 1, &[], &[])),
        ("ProofForm", "thirty-three-hops", [&proof(4, 1, &[], &[])[..], &[33]].concat()),
    ]
}

fn claims(main: &mut Model<BranchTree>) -> Vec<Sample> {
    let inclusion = main.inclusion_proof(5, 21);
    let consistency = main.consistency_proof(6, 21);
    let range = main.range_proof(3, 6, 21);
    let other = model(&WORLD[3]).consistency_proof(11, 15);
    vec![
        ("ok", "inclusion", inclusion.clone()),
        ("ok", "inclusion-of-one", main.inclusion_proof(0, 1)),
        ("ok", "inclusion-of-the-last", main.inclusion_proof(20, 21)),
        ("ProofRoot", "inclusion-flipped", flipped(inclusion.clone(), 40)),
        ("ProofRoot", "inclusion-of-a-neighbour", relabelled(&inclusion, &[4, 21])),
        ("ProofRoot", "inclusion-at-another-size", relabelled(&main.inclusion_proof(5, 20), &[5, 18])),
        ("ProofRoot", "inclusion-at-a-vast-size", proof(1, 1, &[1 << 40, (1 << 40) + 1], &[[1; 32]])),
        ("ok", "consistency", consistency.clone()),
        ("ok", "consistency-from-a-power-of-two", main.consistency_proof(8, 21)),
        ("ProofRoot", "consistency-other-seed", flipped(consistency.clone(), 18)),
        ("ProofRoot", "consistency-flipped", flipped(consistency, 60)),
        ("ProofRoot", "consistency-of-the-fork", other),
        ("ok", "range", range.clone()),
        ("ok", "range-to-the-end", main.range_proof(13, 21, 21)),
        ("ok", "range-of-all", main.range_proof(0, 21, 21)),
        ("ProofRoot", "range-flipped", flipped(range.clone(), 30)),
        ("ProofRoot", "range-moved", relabelled(&range, &[5, 7, 21])),
        ("ArgumentRange", "range-too-long", proof(3, 1, &[0, 1 << 20, 1 << 20], &[])),
    ]
}

fn realm() -> Vec<Sample> {
    let leaves: Vec<Hash> = (0..21).map(|n| rfc6962_leaf(format!("record {n}").as_bytes())).collect();
    let mut records = Model::<Rfc6962>::new(leaves);
    let inclusion = records.inclusion_proof(9, 20);
    vec![
        ("ok", "record", inclusion.clone()),
        ("ProofRoot", "record-flipped", flipped(inclusion, 50)),
        ("ok", "realm-consistency", records.consistency_proof(8, 21)),
        ("ProofRoot", "realm-consistency-flipped", flipped(records.consistency_proof(7, 21), 60)),
        ("ok", "realm-range", records.range_proof(2, 9, 21)),
    ]
}

fn chains() -> Vec<Sample> {
    let two = ancestry(21, &[(0, 14, 1, 1), (1, 4, 0, 2)], 3).expect("a chain");
    let one = ancestry(16, &[(0, 14, 0, 2)], 1).expect("a chain");
    let size = one.windows(4).rposition(|part| part == [0, 0, 0, 3]).expect("the size of the last hop");
    vec![
        ("ok", "ancestry-direct", ancestry(21, &[], 7).expect("a chain")),
        ("ok", "ancestry-one-merge", one.clone()),
        ("ok", "ancestry-two-merges", two.clone()),
        ("AncestryRoot", "last-path", flipped(two.clone(), two.len() - 1)),
        ("AncestryRoot", "first-path", flipped(two.clone(), 30)),
        ("AncestryRoot", "other-size", {
            let mut bytes = one.clone();
            bytes[size + 3] = 4;
            bytes
        }),
        ("AncestryRoot", "direct-flipped", flipped(ancestry(21, &[], 7).expect("a chain"), 50)),
        ("ProofForm", "hop-missing", flipped(two, 6)),
    ]
}

fn exhibits(main: &mut Model<BranchTree>) -> Vec<Sample> {
    let entry = &WORLD[0].entries[5].item;
    let honest = make_exhibit(&WORLD[0].head(21), entry, &main.inclusion_proof(5, 21)).expect("an exhibit");
    let edited = |edit: &dyn Fn(&mut Node) -> Option<()>| {
        let mut root = Node::read_whole(&honest).expect("an item");
        edit(&mut root).expect("an exhibit");
        root.write()
    };
    let set = |place: &'static [usize], value: Node| {
        edited(&|root| {
            let mut at = root;
            for index in place {
                at = at.element(*index)?;
            }
            *at = value.clone();
            Some(())
        })
    };
    vec![
        ("ok", "exhibit", honest.clone()),
        ("ExhibitForm", "version", set(&[1], Node::uint(2))),
        ("ExhibitForm", "name", set(&[0], Node::Text(b"ama2sec-exhibiT".to_vec()))),
        ("ExhibitForm", "no-size", set(&[2, 3], Node::uint(0))),
        ("ExhibitForm", "size-beyond", set(&[2, 3], Node::uint(1 << 48))),
        (
            "ExhibitForm",
            "entry-of-two",
            edited(&|root| match root.element(3)? {
                Node::Array(parts) => parts.pop().map(drop),
                _ => None,
            }),
        ),
        ("ExhibitForm", "byte-more", [&honest[..], &[0]].concat()),
        ("ProofClaim", "exhibit-size", set(&[2, 3], Node::uint(20))),
        ("ProofRoot", "exhibit-fingerprint", set(&[2, 4], Node::Bytes(vec![7; 32]))),
        ("ProofRoot", "exhibit-realm", set(&[2, 0], Node::Bytes(vec![7; 32]))),
        ("ProofRoot", "exhibit-other-entry", set(&[3], Node::read_whole(&WORLD[0].entries[6].item).expect("an item"))),
        ("ProofForm", "exhibit-without-proof", set(&[4], Node::Bytes(Vec::new()))),
    ]
}
