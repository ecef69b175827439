//! Verify, admit and append against a bare loop of `ed25519_dalek`'s `verify` over the same bytes and on as many threads, in turn, slice
//! by slice; CPU time of all threads, so "per core" whatever the number of cores. Prints ratios; asserts only that every entry is admitted.

use std::hint::black_box;
use std::sync::Arc;

use crate::support::{self, QUORUMS, Random, SEQUENCER, START, Who, enrol_part, genesis, key, root};
use ama2sec_core::errors::Result;
use ama2sec_core::history::sha_tree::TreeHead;
use ama2sec_core::identity::{Enrolled, Purpose, in_parallel};
use ama2sec_core::message::{
    Id, Keys, OpenPart, Proposal, Seq, UnverifiedEnvelope, ask_many_ahead, header_of, sig_structure,
};
use ama2sec_core::realm::checkpoint::sign_checkpoint;
use ama2sec_core::realm::draft::{Parts, draft_fork, draft_message, draft_open, draft_proposal};
use ama2sec_core::realm::engine::{Answer, Engine, Submission};
use ama2sec_core::realm::log::MemoryLog;
use ama2sec_core::realm::registry::Registry;
use ama2sec_core::realm::replay::{Expected, Replay};
use ama2sec_core::realm::{Limits, State};
use ed25519_dalek::{Signature, Verifier, VerifyingKey};

use crate::clock::{cpu_of_all, median};

pub(crate) type Outcome<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Entries that are timed at once: the group in which an engine appends.
pub(crate) const SLICE: usize = 256;
pub(crate) const ROUNDS: usize = 21;
const BULK: f64 = 0.95;
const ALONE: f64 = 0.85;

/// A realm with authors, and one conversation with branches.
pub(crate) struct Bench {
    pub(crate) engine: Engine<MemoryLog>,
    authors: Vec<Who>,
    pub(crate) chat: Id,
    branches: Vec<Id>,
    counters: Vec<u32>,
    random: Random,
}

/// What is verified on both sides.
struct Made {
    envelope: Vec<u8>,
    structure: Vec<u8>,
    signature: Signature,
    author: usize,
}

pub fn run() -> Outcome {
    println!("verify + admit + append to a log in memory, slices of {SLICE}, CPU time of all threads");
    for (authors, branches) in [(64, 10), (1_000, 10), (64, 100_000), (1_000, 100_000)] {
        measure(authors, branches, ROUNDS)?;
    }
    filtered(&[1, 100, 10_000], ROUNDS)
}

fn measure(authors: u16, branches: usize, rounds: usize) -> Outcome {
    let mut bench = Bench::new(authors, branches)?;
    let (mut loops, mut bulk, mut alone, mut bulk_ratio, mut alone_ratio) = (vec![], vec![], vec![], vec![], vec![]);
    let (mut reading, mut verifying) = (vec![], vec![]);
    for _ in 0..rounds {
        // The second slice is handed in after the first: its numbers go on, its contexts lag.
        let (many, few) = (bench.slice()?, bench.slice()?);
        let theirs = bench.loops_of_verify(&many)?;
        let read = bench.read(&many)?;
        reading.push(timed(|| bench.read(&many).map(drop))?);
        verifying
            .push(timed(|| ask_many_ahead(&read, 0).iter().try_for_each(|asked| Ok(asked.answer().map(drop)?)))?);
        let ours = timed(|| bench.submit_many(&many))?;
        let theirs_again = bench.loop_of_verify(&few, false)?;
        // What a checkpoint's signature takes between two verifications, where an engine makes it.
        let signature = bench.loop_of_verify(&few, true)? - theirs_again;
        let one_by_one = timed(|| few.iter().try_for_each(|made| bench.submit(made)))? - signature;
        // In bulk there is one for the whole slice.
        let ours = ours - signature / SLICE as f64;
        bulk_ratio.push(theirs / ours);
        // Where its tables fall on the stack decides about a fifth of the loop's time on AVX2: the faster of the two counts.
        alone_ratio.push(theirs.min(theirs_again) / one_by_one);
        loops.push(theirs);
        bulk.push(ours);
        alone.push(one_by_one);
    }
    println!("  {authors} authors, {branches} branches");
    println!("    ed25519_dalek verify, loop                          {:>8.2} us", median(&mut loops));
    println!("    read in bulk, alone                                 {:>8.2} us", median(&mut reading));
    println!("    verify in bulk, alone                               {:>8.2} us", median(&mut verifying));
    report("in bulk, without the checkpoint's signature", &mut bulk, &mut bulk_ratio, BULK);
    report("one by one, without the checkpoint's signature", &mut alone, &mut alone_ratio, ALONE);
    Ok(())
}

fn report(what: &str, ours: &mut [f64], ratios: &mut [f64], asked: f64) {
    let ratio = median(ratios);
    let verdict = if ratio >= asked { "met" } else { "NOT MET" };
    println!("    {what:<50} {:>9.2} us   {ratio:.2}x of the loop, asked >= {asked:.2}   {verdict}", median(ours));
}

/// Microseconds an entry.
pub(crate) fn timed(call: impl FnOnce() -> Outcome) -> Outcome<f64> {
    let start = cpu_of_all();
    call()?;
    Ok((cpu_of_all() - start).as_secs_f64() * 1e6 / SLICE as f64)
}

impl Bench {
    pub(crate) fn new(authors: u16, branches: usize) -> Outcome<Bench> {
        let (engine, _) =
            Engine::create(MemoryLog::new(), key(SEQUENCER), &genesis(QUORUMS, true), START, Limits::NONE)?;
        let count = usize::from(authors);
        let mut bench = Bench {
            engine,
            authors: vec![root(0)],
            chat: [0; 32],
            branches: Vec::new(),
            counters: vec![0; count.max(1)],
            random: Random(0x9e37_79b9),
        };
        bench.enrol(authors)?;
        bench.counters.fill(0);
        bench.chat = bench.open()?;
        bench.branches.push(bench.chat);
        bench.fork(branches)?;
        Ok(bench)
    }

    fn enrol(&mut self, authors: u16) -> Outcome {
        let realm = self.engine.with(|replica| Ok(replica.state().realm().copied().unwrap_or_default()))?;
        let mut made = Vec::new();
        for number in 0..authors {
            let seed = 2_000 + number;
            let part = enrol_part(realm, &format!("agent-{number}"), seed, Purpose::Message, &["desk"], None);
            let parts = self.parts(0)?;
            let envelope = self.engine.with(|replica| {
                let seen = replica.state().seen_registry(replica.state().registry_size())?;
                Ok(support::signed(root(0), |author| {
                    draft_proposal(author, &parts, &seen, Proposal::Enrol(Box::new(part)))
                }))
            })?;
            let id = support::id_of(&envelope);
            admitted(&self.engine.submit(Submission { envelope: &envelope, body: None }, START)?)?;
            made.push(Who { seed, agent: id, grant: None });
        }
        self.authors = made;
        Ok(())
    }

    fn open(&mut self) -> Outcome<Id> {
        let parts = self.parts(0)?;
        let who = self.author(0)?;
        let envelope = self.engine.with(|replica| {
            let state = replica.state();
            let seen = state.seen_registry(state.registry_size())?;
            let open = OpenPart { members: None, required: false, definition: None };
            Ok(support::signed(who, |author| draft_open(author, &parts, &seen, open)))
        })?;
        admitted(&self.engine.submit(Submission { envelope: &envelope, body: None }, START)?)?;
        Ok(support::id_of(&envelope))
    }

    /// Branches of the first one, and of each other.
    fn fork(&mut self, branches: usize) -> Outcome {
        while self.branches.len() < branches {
            let count = SLICE.min(branches - self.branches.len());
            let mut made = Vec::with_capacity(count);
            for _ in 0..count {
                made.push(self.make(true)?);
            }
            self.submit_many(&made)?;
            self.branches.extend(made.iter().map(|made| support::id_of(&made.envelope)));
        }
        Ok(())
    }

    pub(crate) fn author(&self, author: usize) -> Outcome<Who> {
        Ok(*self.authors.get(author).ok_or("an author")?)
    }

    pub(crate) fn parts(&mut self, author: usize) -> Outcome<Parts<'static>> {
        let counter = self.counters.get_mut(author).ok_or("a counter")?;
        *counter += 1;
        let seq = Seq { epoch: START, counter: *counter };
        let mut salt = [0; 16];
        salt[..8].copy_from_slice(&self.random.below(u64::MAX).to_be_bytes());
        Ok(Parts { recipients: Vec::new(), seq, time: START, salt, body: None, workflow: None })
    }

    /// An entry by some author in some branch, after all that is in it now.
    fn make(&mut self, fork: bool) -> Outcome<Made> {
        let author = usize::try_from(self.random.below(self.authors.len() as u64))?;
        let branch =
            *self.branches.get(usize::try_from(self.random.below(self.branches.len() as u64))?).ok_or("one")?;
        let (parts, who, chat) = (self.parts(author)?, self.author(author)?, self.chat);
        let envelope = self.engine.with(|replica| {
            let seen = seen(replica.state(), &chat, &branch)?;
            Ok(support::signed(who, |author| {
                if fork {
                    draft_fork(author, &parts, &seen, None)
                } else {
                    draft_message(author, &parts, &seen, Vec::new())
                }
            }))
        })?;
        let claims = support::claims_of(&envelope);
        let structure =
            sig_structure(&header_of(key(who.seed).public().thumbprint(), claims.kind.typ()), &claims.encode());
        let signature: [u8; 64] = envelope.get(envelope.len() - 64..).ok_or("a signature")?.try_into()?;
        Ok(Made { envelope, structure, signature: Signature::from_bytes(&signature), author })
    }

    fn slice(&mut self) -> Outcome<Vec<Made>> {
        (0..SLICE).map(|_| self.make(false)).collect()
    }

    /// What `ask_many_ahead` is asked.
    fn read(&self, slice: &[Made]) -> Outcome<Vec<(UnverifiedEnvelope, Arc<Enrolled>)>> {
        let read = slice.iter().map(|made| UnverifiedEnvelope::parse(&made.envelope)).collect::<Result<Vec<_>>>()?;
        Ok(self.engine.with(|replica| {
            let keys = replica.state().keys(replica.state().registry_size());
            read.into_iter().map(|envelope| keys.signer(&envelope).map(|signer| (envelope, signer))).collect()
        })?)
    }

    /// The keys that the peer verifies with, made beforehand.
    fn their_keys(&self, slice: &[Made]) -> Outcome<Vec<VerifyingKey>> {
        let key = |made: &Made| Ok(VerifyingKey::from_bytes(key(self.author(made.author)?.seed).public().as_bytes())?);
        slice.iter().map(key).collect()
    }

    /// The loop on as many threads as ours takes: two that share a core cost more than one after the other.
    fn loops_of_verify(&self, slice: &[Made]) -> Outcome<f64> {
        let asked: Vec<(&Made, VerifyingKey)> = slice.iter().zip(self.their_keys(slice)?).collect();
        timed(|| {
            let verify = |(made, key): &(&Made, VerifyingKey)| key.verify(&made.structure, &made.signature);
            let verdicts = in_parallel(&asked, 0, 32, |chunk| chunk.iter().map(verify).collect());
            Ok(verdicts.into_iter().collect::<std::result::Result<(), _>>()?)
        })
    }

    /// With `checkpoints`, one is signed after each verification.
    fn loop_of_verify(&self, slice: &[Made], checkpoints: bool) -> Outcome<f64> {
        let sequencer = key(SEQUENCER);
        let origin =
            self.engine.with(|replica| Ok(replica.state().registry().map(Registry::origin)))?.ok_or("a realm")?;
        let keys = self.their_keys(slice)?;
        timed(|| {
            slice.iter().zip(&keys).zip(1..).try_for_each(|((made, key), size)| {
                key.verify(&made.structure, &made.signature)?;
                if checkpoints {
                    black_box(sign_checkpoint(&sequencer, &origin, &TreeHead { size, root: [7; 32] })?);
                }
                Ok(())
            })
        })
    }

    fn submit_many(&self, slice: &[Made]) -> Outcome {
        let items: Vec<Submission<'_>> =
            slice.iter().map(|made| Submission { envelope: &made.envelope, body: None }).collect();
        self.engine.submit_many(&items, START)?.iter().try_for_each(admitted)
    }

    fn submit(&self, made: &Made) -> Outcome {
        admitted(&self.engine.submit(Submission { envelope: &made.envelope, body: None }, START)?)
    }
}

pub(crate) fn seen(state: &State, chat: &Id, branch: &Id) -> Result<ama2sec_core::realm::draft::Seen> {
    let size = state.conversation(chat).map_or(Ok(0), |found| {
        let branches = found.branches();
        branches.number(branch).map_or(Ok(0), |number| branches.get(number).map(|branch| branch.size))
    })?;
    state.seen(state.seen_registry(state.registry_size())?, chat, branch, size)
}

pub(crate) fn admitted(answer: &Answer) -> Outcome {
    match answer {
        Answer::Sequenced { error: None, .. } => Ok(()),
        other => Err(format!("not admitted: {other:?}").into()),
    }
}

/// The replay of one conversation out of realms with ever more others.
fn filtered(others: &[usize], rounds: usize) -> Outcome {
    println!("replay of one conversation of {} entries, filtered out of a realm", 4 * SLICE);
    let mut exports = Vec::new();
    for count in others {
        let mut bench = Bench::new(64, 1)?;
        let chat = bench.chat;
        for _ in 0..4 {
            let slice = bench.slice()?;
            bench.submit_many(&slice)?;
        }
        for _ in 0..*count {
            bench.open()?;
        }
        let mut data = Vec::new();
        bench.engine.export(Some(&chat), |piece| {
            data.extend_from_slice(piece);
            Ok(())
        })?;
        exports.push((*count, chat, data, Vec::new()));
    }
    for _ in 0..rounds {
        for (_, chat, data, figures) in &mut exports {
            figures.push(timed(|| replay(data, chat))? * SLICE as f64 / 1e3);
        }
    }
    let mut first = None;
    for (count, _, data, figures) in &mut exports {
        let took = median(figures);
        let ratio = took / *first.get_or_insert(took);
        println!("  beside {count:>6} others: {:>8} bytes {took:>8.2} ms   {ratio:.2}x of the first", data.len());
    }
    Ok(())
}

fn replay(data: &[u8], chat: &Id) -> Outcome {
    let mut replay = Replay::new(Expected { only: Some(*chat), ..Expected::default() });
    replay.feed(data)?;
    replay.finish().map_err(|failure| format!("{failure:?}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_admitted() {
        assert!(measure(3, 5, 1).is_ok());
        assert!(filtered(&[1, 3], 1).is_ok());
    }

    #[test]
    fn what_is_not_admitted_is_no_figure() {
        let mut bench = Bench::new(1, 1).unwrap_or_else(|fault| unreachable!("{fault}"));
        let slice = bench.slice().unwrap_or_else(|fault| unreachable!("{fault}"));
        assert!(bench.submit_many(&slice).is_ok());
        assert!(bench.submit_many(&slice).is_err(), "duplicates");
    }
}
