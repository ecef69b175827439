//! Many signatures at once: an exact verdict for each (identity.1).
//!
//! Only the inversion that encoding a point needs is shared. A random linear combination of the equations would be faster and
//! is unsound for rule S with any coefficients, so it is not here.

use std::sync::{Mutex, OnceLock};

use curve25519_dalek::edwards::EdwardsPoint;

use super::rule_s::{EnrolledKey, SignatureParts, SignatureVerified};
use super::self_test::self_test;
use crate::errors::Result;

/// One question: is this a signature of that key over these bytes?
pub struct SignedBytes<'a> {
    pub key: &'a EnrolledKey,
    /// In pieces, one behind the other: nothing is copied to put them together.
    pub message: [&'a [u8]; 4],
    pub signature: &'a [u8],
}

impl<'a> SignedBytes<'a> {
    pub fn new(key: &'a EnrolledKey, message: &'a [u8], signature: &'a [u8]) -> SignedBytes<'a> {
        SignedBytes { key, message: [message, &[], &[], &[]], signature }
    }

    /// What `EnrolledKey::verify` says of it.
    pub fn verify(&self) -> Result<SignatureVerified> {
        self_test()?;
        self.key.verify_parts(&self.message, &SignatureParts::read(self.signature)?)
    }
}

/// One verdict an item, in order, each equal to what `EnrolledKey::verify` says of it.
pub fn verify_batch(items: &[SignedBytes<'_>]) -> Vec<Result<SignatureVerified>> {
    if let Err(fault) = self_test() {
        return items.iter().map(|_| Err(fault.clone())).collect();
    }
    let read: Vec<Result<SignatureParts>> = items
        .iter()
        .map(|item| {
            let parts = SignatureParts::read(item.signature)?;
            parts.refuse_weak_r()?;
            Ok(parts)
        })
        .collect();
    let points: Vec<EdwardsPoint> = items
        .iter()
        .zip(&read)
        .filter_map(|(item, parts)| parts.as_ref().ok().map(|parts| item.key.expected_r(&item.message, parts)))
        .collect();
    let mut encodings = EdwardsPoint::compress_batch_alloc(&points).into_iter();
    read.into_iter()
        .map(|parts| {
            let parts = parts?;
            match encodings.next() {
                Some(computed) => parts.conclude(&computed),
                // One encoding exists for each item that was read; were one missing, nothing may be accepted.
                None => Err(crate::errors::Error::new(crate::errors::Code::Internal, "one encoding an item", "fewer")),
            }
        })
        .collect()
}

/// Asked once: the answer is read from files, which takes as long as a few signatures.
static CORES: OnceLock<usize> = OnceLock::new();

/// Map chunks of `items` on up to `threads` threads (0: as many as there are cores), keeping the order.
/// A panic in a worker is a panic of the call: nothing is answered then.
pub fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    chunk: usize,
    map: impl Fn(&[T]) -> Vec<R> + Sync,
) -> Vec<R> {
    let chunk = chunk.max(1);
    let cores = *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from));
    let wanted = if threads == 0 { cores } else { threads.min(64) };
    let workers = wanted.min(items.len().div_ceil(chunk));
    if workers <= 1 {
        return gathered(items.len(), items.chunks(chunk).map(map));
    }
    let mut answers: Vec<Vec<R>> = Vec::new();
    answers.resize_with(items.len().div_ceil(chunk), Vec::new);
    let work = Mutex::new(items.chunks(chunk).zip(answers.iter_mut()));
    let run = || {
        loop {
            // A poisoned lock means that another worker panicked while it took work; the scope reports that panic.
            let next = match work.lock() {
                Ok(mut queue) => queue.next(),
                Err(_) => None,
            };
            match next {
                Some((part, slot)) => *slot = map(part),
                None => return,
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers {
            // Where the system gives no more threads, those that there are do the work: no reason to panic.
            if std::thread::Builder::new().spawn_scoped(scope, run).is_err() {
                break;
            }
        }
        run();
    });
    gathered(items.len(), answers.into_iter())
}

fn gathered<R>(count: usize, parts: impl Iterator<Item = Vec<R>>) -> Vec<R> {
    let mut all = Vec::with_capacity(count);
    parts.for_each(|part| all.extend(part));
    all
}
