//! A light client's state as a file: strict, small, and sticky (proofs.5.5, proofs.5.6).

use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest, Sha256};

use super::Hash;
use super::accumulator::CompactRange;
use super::conversation::{check_member, differs};
use super::head::Head;
use super::lightclient::{LightClient, Point, opened};
use crate::errors::{Code, Error, Result};
use crate::identity::Directory;
use crate::limits::{LIGHT_WINDOW, MAX_DIRECTORY, MAX_LIGHT_STATE, SIZE_END, TIME_END};
use crate::message::codec::{Cursor, check_item};
use crate::message::{Seq, UnverifiedEnvelope, Writer};
use crate::text::hex;

const NAME: &str = "ama2sec-lightclient";
const VERSION: u64 = 1;

fn form() -> Error {
    Error::new(Code::StateForm, "a light client's state file of version 1", "another file, or a damaged one")
}

impl LightClient {
    /// The bytes of the state file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(1024 + 70 * self.points.len() + 52 * self.authors.len());
        out.array(7).text(NAME).uint(VERSION).bytes(self.opening.bytes()).uint(self.size());
        out.array(self.range.peaks().len());
        for peak in self.range.peaks() {
            out.bytes(peak);
        }
        out.array(self.points.len());
        for point in &self.points {
            out.array(2).bytes(&point.leaf).bytes(&point.fingerprint);
        }
        out.array(self.authors.len());
        for (author, seq) in &self.authors {
            out.array(3).bytes(author).uint(seq.epoch).uint(u64::from(seq.counter));
        }
        let sum: Hash = Sha256::digest(&out.0).into();
        out.0.extend_from_slice(&sum);
        out.0
    }

    /// Reads a state file. The directory is the reader's own, as ever: the open in it is verified again.
    pub fn parse(data: &[u8], directory: &Directory) -> Result<LightClient> {
        let (body, sum) = data.split_last_chunk::<32>().filter(|_| data.len() <= MAX_LIGHT_STATE).ok_or_else(form)?;
        if Hash::from(Sha256::digest(body)) != *sum {
            return Err(form());
        }
        check_item(body, false).map_err(|_| form())?;
        let parts = read_parts(body).ok_or_else(form)?;
        let opening = UnverifiedEnvelope::parse(parts.opening)?.verify(directory, None)?;
        let part = opened(&opening)?;
        check_member(part.members.as_deref(), &opening.claims().agent, opening.sender())?;
        let range = CompactRange::from_peaks(parts.size, parts.peaks).map_err(|_| form())?;
        let mut client = LightClient { opening, range, points: parts.points, authors: parts.authors, kept: None };
        // The last fingerprint follows from the peaks, and every known size is one of this history.
        let last = client.points.back().map(|point| point.fingerprint);
        let fits = client.points.len() as u64 <= client.size() && client.points.len() <= LIGHT_WINDOW;
        if !fits || last != Some(client.range.fingerprint(&client.scope())) || client.encode() != data {
            return Err(form());
        }
        client.kept = Some(client.head().head);
        Ok(client)
    }

    /// proofs.5.6: whether this state may take the place of a stored one. Never a smaller, never another history.
    pub fn check_succeeds(&self, stored: &LightClient) -> Result<()> {
        let (ours, theirs) = (self.head(), stored.head());
        if ours.scope != theirs.scope {
            let (stored, got) = (theirs.scope.conversation, ours.scope.conversation);
            return Err(differs(Code::ConversationOther, "a state of conversation", &stored, &got));
        }
        if ours.head.size < theirs.head.size {
            let expected = format!("a head of at least {} entries", theirs.head.size);
            return Err(Error::new(Code::HeadStale, expected, ours.head.size.to_string()));
        }
        let known = self.point(theirs.head.size).map(|point| point.fingerprint);
        match known.or_else(|| self.came_from(&theirs.head)) {
            Some(fingerprint) if fingerprint == theirs.head.fingerprint => Ok(()),
            Some(fingerprint) => {
                let what = format!("fingerprint of {} messages", theirs.head.size);
                Err(differs(Code::HeadForked, &what, &theirs.head.fingerprint, &fingerprint))
            }
            None => {
                let expected = format!("a client that knows size {}", theirs.head.size);
                Err(Error::new(Code::NeedsProof, expected, format!("one that knows {} and later", self.oldest())))
            }
        }
    }

    /// This state stands in the file now.
    pub fn mark_kept(&mut self) {
        self.kept = Some(self.head().head);
    }

    /// A client only moves to heads that extend the one it had: the head that it was read with lies in its past.
    fn came_from(&self, stored: &Head) -> Option<Hash> {
        self.kept.filter(|kept| kept.size == stored.size).map(|kept| kept.fingerprint)
    }
}

struct Parts<'a> {
    opening: &'a [u8],
    size: u64,
    peaks: Vec<Hash>,
    points: VecDeque<Point>,
    authors: BTreeMap<Hash, Seq>,
}

fn read_parts(body: &[u8]) -> Option<Parts<'_>> {
    let mut at = Cursor::new(body);
    let named = at.array()? == 7 && at.text()? == NAME && at.uint()? == VERSION;
    let (opening, size) = (at.bytes()?, at.uint()?);
    let count = at.array().filter(|count| *count <= 48)?;
    let mut peaks = Vec::with_capacity(count);
    for _ in 0..count {
        peaks.push(hash(&mut at)?);
    }
    let count = at.array().filter(|count| *count <= LIGHT_WINDOW)?;
    let mut points = VecDeque::with_capacity(count);
    for _ in 0..count {
        at.array().filter(|parts| *parts == 2)?;
        points.push_back(Point { leaf: hash(&mut at)?, fingerprint: hash(&mut at)? });
    }
    let count = at.array().filter(|count| *count <= MAX_DIRECTORY)?;
    let mut authors = BTreeMap::new();
    for _ in 0..count {
        at.array().filter(|parts| *parts == 3)?;
        let author = hash(&mut at)?;
        let epoch = at.uint().filter(|epoch| *epoch < TIME_END)?;
        authors.insert(author, Seq { epoch, counter: u32::try_from(at.uint()?).ok()? });
    }
    (named && (1..SIZE_END).contains(&size)).then_some(Parts { opening, size, peaks, points, authors })
}

fn hash(at: &mut Cursor<'_>) -> Option<Hash> {
    at.bytes()?.try_into().ok()
}

impl std::fmt::Display for LightClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.head(), hex(&self.scope().conversation))
    }
}
