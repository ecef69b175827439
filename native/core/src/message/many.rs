//! Many envelopes at once, each with the verdict that it gets alone (envelope.6).

use std::sync::Arc;

use super::ahead::AskedAhead;
use super::body::BodyPart;
use super::claims::ZERO;
use super::entry::parse_message;
use super::envelope::{Keys, UnverifiedEnvelope, VerifiedEnvelope, name_key};
use crate::errors::Result;
use crate::identity::{Directory, Enrolled, in_parallel, verify_batch};

/// Items that share one inversion. More gain next to nothing, and leave the threads unequal work at the end.
const CHUNK: usize = 32;

/// One message in either form, and a body from elsewhere for a bare envelope.
#[derive(Clone, Copy)]
pub struct Incoming<'a> {
    pub data: &'a [u8],
    pub body: Option<BodyPart<'a>>,
}

/// One verdict an item, in order, on up to `threads` threads (0: as many as there are cores).
pub fn verify_many(items: &[Incoming<'_>], directory: &Directory, threads: usize) -> Vec<Result<VerifiedEnvelope>> {
    in_parallel(items, threads, CHUNK, |chunk| verify_chunk(chunk, directory))
}

/// An envelope whose key was found, and its body.
type Read<'a> = (UnverifiedEnvelope, Arc<Enrolled>, Option<BodyPart<'a>>);

fn read<'a>(item: &Incoming<'a>, directory: &Directory) -> Result<Read<'a>> {
    let entry = parse_message(item.data)?;
    let envelope = UnverifiedEnvelope::parse(entry.envelope)?;
    let sender = directory.signer(&envelope)?;
    Ok((envelope, sender, entry.body.or(item.body)))
}

/// What `UnverifiedEnvelope::ask_ahead` gives for each, in order, on up to `threads` threads.
pub fn ask_many_ahead(items: &[(UnverifiedEnvelope, Arc<Enrolled>)], threads: usize) -> Vec<AskedAhead> {
    in_parallel(items, threads, CHUNK, |chunk| {
        let questions: Vec<_> = chunk.iter().map(|(envelope, sender)| envelope.question(sender)).collect();
        let answers = verify_batch(&questions);
        chunk
            .iter()
            .zip(answers)
            .map(|((envelope, sender), answer)| AskedAhead::new(envelope.clone(), Arc::clone(sender), answer))
            .collect()
    })
}

fn verify_chunk(items: &[Incoming<'_>], directory: &Directory) -> Vec<Result<VerifiedEnvelope>> {
    let reads: Vec<Result<Read<'_>>> = items.iter().map(|item| read(item, directory)).collect();
    let questions: Vec<_> = reads
        .iter()
        .filter_map(|read| read.as_ref().ok())
        .map(|(envelope, sender, _)| envelope.question(sender))
        .collect();
    let mut answers = verify_batch(&questions).into_iter();
    reads
        .into_iter()
        .map(|read| {
            let (envelope, sender, body) = read?;
            let answer = answers.next().unwrap_or_else(|| {
                Err(crate::errors::Error::new(crate::errors::Code::Internal, "one answer a question", "fewer"))
            });
            let proof = answer.map_err(|fault| name_key(fault, &sender))?;
            envelope.authenticated(sender, proof).conclude(&ZERO, body, false)
        })
        .collect()
}
