//! Proofs: a whole check against a bare loop of the hashes that it cannot do without, and proving below many forks.

use std::hint::black_box;

use ama2sec_core::errors::Result;
use ama2sec_core::history::accumulator::{BranchTree, Scope};
use ama2sec_core::history::forest::{Branch, Forest};
use ama2sec_core::history::inclusion::{InclusionProof, check_inclusion, prove_inclusion};
use ama2sec_core::history::nodes::MemoryNodes;
use ama2sec_core::history::trusted::Leaf;
use ama2sec_core::identity::SigningKey;
use ama2sec_core::message::{
    BodyPart, Draft, HashPurpose, MessageParts, OpenParts, UnverifiedEnvelope, fingerprint, keyed, message_id, node,
};

use crate::clock::{cpu, median};

type Hash = [u8; 32];

const LEAVES: u64 = 1 << 20;
const FORKS: u64 = 10_000;
/// Short slices, one after the other in turn.
const CALLS: u64 = 200;
const ROUNDS: u64 = 301;

/// `number_alone`: prints only the microseconds of one whole check.
pub fn run(number_alone: bool) -> std::result::Result<(), Box<dyn std::error::Error>> {
    checking(number_alone)?;
    if !number_alone {
        forks()?;
    }
    Ok(())
}

fn leaf(i: u64) -> Hash {
    keyed(HashPurpose::Leaf, &i.to_be_bytes())
}

fn seconds(mut call: impl FnMut(u64)) -> f64 {
    let start = cpu();
    (0..CALLS).for_each(&mut call);
    (cpu() - start).as_secs_f64()
}

/// An envelope, the bytes that its id is the hash of, and the id.
fn message() -> Result<(Vec<u8>, Vec<u8>, Hash)> {
    let key = SigningKey::from_seed(&[7; 32])?;
    let parts = MessageParts {
        author: key.public(),
        recipients: Vec::new(),
        time: 1_793_000_000_000,
        salt: [1; 16],
        body: Some((BodyPart { salt: &[3; 32], body: b"a body" }, "text/plain")),
    };
    let draft = Draft::open(parts, OpenParts { members: None })?;
    Ok((draft.sign(&key)?, draft.to_sign().to_vec(), *draft.id()))
}

/// One message in the middle of a million: the whole check of its envelope, and its hashes alone.
fn checking(number_alone: bool) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let (envelope, signed, id) = message()?;
    let mut ids: Vec<Hash> = (0..LEAVES).map(leaf).collect();
    let index = LEAVES / 3;
    if let Some(slot) = ids.get_mut(usize::try_from(index)?) {
        *slot = id;
    }
    let (mut forest, branch) = Forest::<BranchTree, _>::with_branch(MemoryNodes::default());
    forest.extend(branch, &ids)?;
    let (realm, conversation) = ([1; 32], [2; 32]);
    let trusted = forest.fingerprint(&realm, &conversation, branch, LEAVES)?;
    let proof = prove_inclusion::<BranchTree, _>(&mut forest.view(branch), index, LEAVES)?;
    let path: Vec<Hash> = InclusionProof::parse::<BranchTree>(&proof)?.steps().map(|(_, hash)| *hash).collect();
    let Scope { realm, conversation, branch } = trusted.scope;
    let read = UnverifiedEnvelope::parse(&envelope)?;
    let (mut ours, mut again, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let hashes = seconds(|_| {
            let root = path.iter().fold(message_id(black_box(&signed)), |root, hash| node(&root, hash));
            black_box(fingerprint(&realm, &conversation, &branch, LEAVES, &root));
        });
        let whole = seconds(|_| {
            black_box(check_inclusion(&trusted, Leaf::Bytes(black_box(&envelope)), &proof).is_ok());
        });
        again.push(seconds(|_| {
            black_box(check_inclusion(&trusted, Leaf::Read(black_box(&read)), &proof).is_ok());
        }));
        ratios.push(hashes / whole);
        ours.push(whole);
        bare.push(hashes);
    }
    let micros = |figures: &mut Vec<f64>| median(figures) / CALLS as f64 * 1e6;
    if number_alone {
        println!("{:.3}", micros(&mut ours));
        return Ok(());
    }
    println!("check an inclusion proof, {} bytes of envelope, {LEAVES} leaves", envelope.len());
    println!("  its hashes alone                                      {:>8.2} us", micros(&mut bare));
    println!("  check_inclusion, envelope as bytes                    {:>8.2} us", micros(&mut ours));
    println!("  check_inclusion, envelope read before                 {:>8.2} us", micros(&mut again));
    println!("  the check has {:.2} of the speed of its hashes   asked: >= 0.60", median(&mut ratios));
    Ok(())
}

/// The same proofs from one long branch and from the last of many forks.
fn forks() -> Result<()> {
    let size = 4 * FORKS;
    let leaves: Vec<Hash> = (0..size).map(leaf).collect();
    let (mut plain, only) = Forest::<BranchTree, _>::with_branch(MemoryNodes::default());
    plain.extend(only, &leaves)?;
    let (mut forest, mut last) = Forest::<BranchTree, _>::with_branch(MemoryNodes::default());
    for (at, leaves) in leaves.chunks(4).enumerate() {
        if at > 0 {
            last = forest.fork(last, 4 * at as u64, MemoryNodes::default())?;
        }
        forest.extend(last, leaves)?;
    }
    let place = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size;
    let proofs = |forest: &mut Forest<BranchTree, MemoryNodes>, branch: Branch, round: u64| {
        seconds(|i| {
            let index = place(round * CALLS + i);
            black_box(prove_inclusion::<BranchTree, _>(&mut forest.view(branch), index, size).is_ok());
        })
    };
    let (mut without, mut with, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (one, many) = (proofs(&mut plain, only, round), proofs(&mut forest, last, round));
        ratios.push(many / one);
        without.push(one);
        with.push(many);
    }
    let micros = |figures: &mut Vec<f64>| median(figures) / CALLS as f64 * 1e6;
    println!("prove inclusion, {size} leaves");
    println!("  one branch                                            {:>8.2} us", micros(&mut without));
    println!("  the last of a chain of {FORKS} forks                   {:>8.2} us", micros(&mut with));
    println!("  {:.2}x of one branch   asked: <= 3.00x", median(&mut ratios));
    Ok(())
}
