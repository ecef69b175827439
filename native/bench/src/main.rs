//! A whole envelope in bulk (parse, verify, fingerprint) against a bare loop of `ed25519_dalek`'s `verify` over the same bytes,
//! in the same process and thread, in turn. CPU time of the thread, so that other processes count little. Prints ratios; asserts nothing.

mod admission;
mod clock;
mod delivery;
mod latch;
mod log;
mod opening;
mod proofs;
#[path = "../../core/tests/realm_support/mod.rs"]
mod support;
mod trees;
mod work;

use ama2sec_core::history::accumulator::{CompactRange, Scope};
use ama2sec_core::identity::{Directory, Name, Purpose, SigningKey, backend};
use ama2sec_core::message::{
    BodyPart, Draft, Incoming, MessageParts, OpenParts, Seq, UnverifiedEnvelope, sig_structure, verify_many,
};
use clock::{cpu, median};
use ed25519_dalek::{Signature, Verifier, VerifyingKey};

const COUNT: usize = 4096;
/// Messages a slice: some 5 ms, so that each side meets the same neighbours on a busy machine.
const SLICE: usize = 256;
const ROUNDS: usize = 7;

struct Signed {
    envelope: Vec<u8>,
    structure: Vec<u8>,
    signature: Signature,
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if asked.first().is_some_and(|first| first == "proofs") {
        return proofs::run(asked.get(1).is_some_and(|second| second == "--check"));
    }
    if asked.first().is_some_and(|first| first == "admission") {
        return admission::run();
    }
    match asked.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["latch", "--child", path] => return latch::child(path),
        ["latch"] => return latch::run(),
        _ => {}
    }
    if asked.first().is_some_and(|first| first == "work") {
        return work::run();
    }
    if asked.first().is_some_and(|first| first == "delivery") {
        return delivery::run();
    }
    if let [log, open, rest @ ..] = asked.as_slice()
        && (log.as_str(), open.as_str()) == ("log", "--open")
    {
        return opening::open(rest);
    }
    if asked.first().is_some_and(|first| first == "log") {
        return log::run(asked.get(1).is_some_and(|second| second == "--big"));
    }
    if asked.first().is_none_or(|first| first == "--big") {
        signatures()?;
        proofs::run(false)?;
        admission::run()?;
        log::run(!asked.is_empty())?;
        latch::run()?;
        delivery::run()?;
        work::run()?;
    }
    trees::run(&asked)
}

fn signatures() -> Outcome {
    let key = SigningKey::from_seed(&[7; 32])?;
    let theirs = VerifyingKey::from_bytes(key.public().as_bytes())?;
    let mut directory = Directory::default();
    directory.enrol(key.public().clone(), Name::parse("bench")?, Purpose::Message)?;
    let messages = conversation(&key)?;
    let (mut ours, mut loops, mut parses) = (Vec::new(), Vec::new(), Vec::new());
    for slice in (0..ROUNDS).flat_map(|_| messages.chunks(SLICE)) {
        let items: Vec<Incoming<'_>> = slice.iter().map(|m| Incoming { data: &m.envelope, body: None }).collect();
        loops.push(timed(|| {
            slice.iter().try_for_each(|message| Ok(theirs.verify(&message.structure, &message.signature)?))
        })?);
        ours.push(timed(|| whole(&items, &directory))?);
        parses.push(timed(|| {
            slice.iter().try_for_each(|message| {
                std::hint::black_box(UnverifiedEnvelope::parse(&message.envelope)?.id());
                Ok(())
            })
        })?);
    }
    let mut ratios: Vec<f64> = loops.iter().zip(&ours).map(|(their, our)| their / our).collect();
    let ratio = median(&mut ratios);
    let bytes = messages[0].envelope.len();
    println!("whole envelopes in bulk, {COUNT} of {bytes} bytes in slices of {SLICE}, one thread ({})", backend());
    println!("  ed25519_dalek verify, loop over the same signed bytes {:>8.2} us", median(&mut loops));
    println!("  ama2sec parse + verify + fingerprint                  {:>8.2} us", median(&mut ours));
    println!("  ama2sec parse + re-encode + id alone                  {:>8.2} us", median(&mut parses));
    let verdict = if ratio >= ASKED { "met" } else { "NOT MET" };
    println!("  the loop takes {ratio:.2}x our time   asked: >= {ASKED:.2}x   {verdict}");
    Ok(())
}

const ASKED: f64 = 0.95;

/// Microseconds of this thread's CPU time a message.
fn timed(call: impl FnOnce() -> Outcome) -> Result<f64, Box<dyn std::error::Error>> {
    let start = cpu();
    call()?;
    Ok((cpu() - start).as_secs_f64() * 1e6 / SLICE as f64)
}

/// Verify all in one call, then append each to the tree and take the fingerprint.
fn whole(items: &[Incoming<'_>], directory: &Directory) -> Outcome {
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
