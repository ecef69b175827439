//! A whole envelope in bulk (parse, verify, fingerprint) against a bare loop of `ed25519_dalek`'s `verify` over the same bytes,
//! in the same process, one thread, in turn. Prints ratios; asserts nothing.

mod proofs;
mod trees;

use std::time::Instant;

use ama2sec_core::history::accumulator::{CompactRange, Scope};
use ama2sec_core::identity::{Directory, Name, Purpose, SigningKey, backend};
use ama2sec_core::message::{
    BodyPart, Draft, Incoming, MessageParts, OpenParts, Seq, UnverifiedEnvelope, sig_structure, verify_many,
};
use ed25519_dalek::{Signature, Verifier, VerifyingKey};

const COUNT: usize = 4096;
const ROUNDS: usize = 21;

struct Signed {
    envelope: Vec<u8>,
    structure: Vec<u8>,
    signature: Signature,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if asked.first().is_some_and(|first| first == "proofs") {
        return proofs::run(asked.get(1).is_some_and(|second| second == "--check"));
    }
    if asked.first().is_none_or(|first| first == "--big") {
        signatures()?;
        proofs::run(false)?;
    }
    trees::run(&asked)
}

fn signatures() -> Result<(), Box<dyn std::error::Error>> {
    let key = SigningKey::from_seed(&[7; 32])?;
    let theirs = VerifyingKey::from_bytes(key.public().as_bytes())?;
    let mut directory = Directory::default();
    directory.enrol(key.public().clone(), Name::parse("bench")?, Purpose::Message)?;
    let messages = conversation(&key)?;
    let items: Vec<Incoming<'_>> = messages.iter().map(|m| Incoming { data: &m.envelope, body: None }).collect();
    let (mut ours, mut loops, mut ratios, mut bare) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for message in &messages {
            theirs.verify(&message.structure, &message.signature)?;
        }
        let loop_time = start.elapsed().as_secs_f64();
        let start = Instant::now();
        whole(&items, &directory)?;
        let our_time = start.elapsed().as_secs_f64();
        let start = Instant::now();
        for message in &messages {
            let parsed = UnverifiedEnvelope::parse(&message.envelope)?;
            std::hint::black_box(parsed.id());
        }
        bare.push(start.elapsed().as_secs_f64());
        ratios.push(loop_time / our_time);
        ours.push(our_time);
        loops.push(loop_time);
    }
    let each = |figures: &mut Vec<f64>| median(figures) / COUNT as f64 * 1e6;
    println!("whole envelopes in bulk, {COUNT} of {} bytes, one thread ({})", messages[0].envelope.len(), backend());
    println!("  ed25519_dalek verify, loop over the same signed bytes {:>8.2} us", each(&mut loops));
    println!("  ama2sec parse + verify + fingerprint                  {:>8.2} us", each(&mut ours));
    println!("  ama2sec parse + re-encode + id alone                  {:>8.2} us", each(&mut bare));
    println!("  ours is {:.2}x the loop   asked: >= 0.95x", median(&mut ratios));
    Ok(())
}

/// Verify all in one call, then append each to the tree and take the fingerprint.
fn whole(items: &[Incoming<'_>], directory: &Directory) -> Result<(), Box<dyn std::error::Error>> {
    let mut range = CompactRange::new();
    let scope = Scope::of_file([5; 32]);
    for verdict in verify_many(items, directory, 1) {
        range.append(verdict?.id())?;
        std::hint::black_box(range.fingerprint(&scope));
    }
    Ok(())
}

fn conversation(key: &SigningKey) -> Result<Vec<Signed>, Box<dyn std::error::Error>> {
    let part = || BodyPart { salt: &[3; 32], body: b"a body of ordinary length, as agents send them" };
    let parts = |time| MessageParts {
        author: key.public(),
        recipients: Vec::new(),
        time,
        salt: [1; 16],
        body: Some((part(), "text/plain")),
    };
    let open = Draft::open(parts(0), OpenParts { members: None })?;
    let mut range = CompactRange::new();
    let scope = Scope::of_file(*open.id());
    let mut parent = *open.id();
    range.append(&parent)?;
    let mut made = Vec::with_capacity(COUNT);
    for n in 1..=COUNT as u64 {
        let seq = Seq { epoch: 1, counter: u32::try_from(n)? };
        let draft = Draft::message(parts(n), scope.conversation, n, range.fingerprint(&scope), parent, seq)?;
        let envelope = draft.sign(key)?;
        let signature: [u8; 64] = envelope[envelope.len() - 64..].try_into()?;
        parent = *draft.id();
        range.append(&parent)?;
        // What both sides verify: the same bytes.
        let structure = draft.to_sign().to_vec();
        debug_assert!(structure.starts_with(&sig_structure(&[], &[])[..11]));
        made.push(Signed { envelope, structure, signature: Signature::from_bytes(&signature) });
    }
    Ok(made)
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
