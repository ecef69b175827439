//! Ranges: these messages, in this order, are the leaves [begin, end) of that history (proofs.2.5 to proofs.2.7).

use super::Hash;
use super::accumulator::{CompactRange, TreeHash};
use super::head::Fingerprint;
use super::path::{Place, Sibling, Side, no_claim, read_all};
use super::proof::{Claim, Proof, ProofTree, Reader, Writer, index_fault};
use super::reader::{NodeReader, gather};
use super::trusted::{Trusted, check_root, check_size};
use crate::errors::{Code, Error, Result};
use crate::limits::SIZE_END;

/// Some leaves of a history: begin < end <= size < 2^48.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    begin: u64,
    end: u64,
    last: Place,
}

impl Span {
    fn new(begin: u64, end: u64, size: u64) -> Option<Self> {
        let last = Place::new(end.checked_sub(1)?, size)?;
        (begin < end && end < SIZE_END).then_some(Span { begin, end, last })
    }

    /// The complete subtrees that make up [0, begin), largest first.
    fn before(self) -> impl ExactSizeIterator<Item = Sibling> {
        Peaks { at: 0, rest: self.begin }
    }

    /// The siblings on the right of PATH(end - 1), from the leaf upwards: every zero bit of end - 1 below the edge has one.
    fn behind(self) -> impl Iterator<Item = Sibling> {
        self.last.siblings().filter(|sibling| sibling.side == Side::Right)
    }

    fn behind_count(self) -> usize {
        self.last.siblings().len().saturating_sub((self.end - 1).count_ones() as usize)
    }
}

/// The complete subtrees of a prefix, largest first.
struct Peaks {
    at: u64,
    rest: u64,
}

impl Iterator for Peaks {
    type Item = Sibling;

    fn next(&mut self) -> Option<Sibling> {
        let size = 1 << self.rest.checked_ilog2()?;
        self.rest ^= size;
        let begin = self.at;
        self.at += size;
        Some(Sibling { side: Side::Left, begin, end: self.at })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.rest.count_ones() as usize;
        (count, Some(count))
    }
}

impl ExactSizeIterator for Peaks {}

/// What a range proof states.
#[derive(Clone, Debug)]
pub struct RangeProof<'a> {
    span: Span,
    before: &'a [Hash],
    behind: &'a [Hash],
}

/// The proof that messages are consecutive entries of a history that is trusted. Only `check_range` makes one.
#[derive(Clone, Debug)]
pub struct RangeIncluded<H: Trusted = Fingerprint> {
    begin: u64,
    ids: Vec<Hash>,
    head: H,
    range: Option<CompactRange<H::Tree>>,
}

impl<H: Trusted> RangeIncluded<H> {
    pub fn begin(&self) -> u64 {
        self.begin
    }

    /// The leaves in order: ids of messages, or leaf hashes of records.
    pub fn ids(&self) -> &[Hash] {
        &self.ids
    }

    /// What they were held against.
    pub fn head(&self) -> &H {
        &self.head
    }

    /// The compact range of the whole history, where the messages are its last ones: enough to go on from there (proofs.2.7).
    pub fn compact_range(&self) -> Option<&CompactRange<H::Tree>> {
        self.range.as_ref()
    }
}

impl<'a> RangeProof<'a> {
    pub(super) fn read(input: &mut Reader<'a>) -> Result<Self> {
        let (begin, end, size) = (input.number()?, input.number()?, input.number()?);
        // proofs.1.2
        let span = Span::new(begin, end, size)
            .ok_or_else(|| index_fault("begin < end <= size", format!("begin {begin}, end {end} and size {size}")))?;
        let before = input.hashes(span.before().len())?;
        Ok(RangeProof { span, before, behind: input.hashes(span.behind_count())? })
    }

    /// A range proof of this tree, or `ProofClaim` (proofs.1.4).
    pub fn parse<T: ProofTree>(data: &'a [u8]) -> Result<Self> {
        match Proof::parse(data)?.of_tree::<T>()? {
            Claim::Range(proof) => Ok(proof),
            other => Err(other.other_than("a range")),
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.number(self.begin()).number(self.end()).number(self.size()).hashes(self.before).hashes(self.behind);
    }

    pub fn begin(&self) -> u64 {
        self.span.begin
    }

    pub fn end(&self) -> u64 {
        self.span.end
    }

    pub fn size(&self) -> u64 {
        self.span.last.size()
    }

    /// The subtrees before the range, then those behind it, with the hashes that the proof states for them.
    pub fn steps(&self) -> impl Iterator<Item = (Sibling, &'a Hash)> {
        self.span.before().zip(self.before).chain(self.span.behind().zip(self.behind))
    }

    /// The compact range of `end`: the subtrees before the leaves, and the leaves.
    fn grown<T: TreeHash>(&self, leaves: &[Hash]) -> Result<CompactRange<T>> {
        let mut range = CompactRange::from_peaks(self.begin(), self.before.to_vec())?;
        leaves.iter().try_for_each(|leaf| range.append(leaf))?;
        Ok(range)
    }

    /// The root over the compact range of `end` and what stands behind it.
    fn root<T: TreeHash>(&self, range: &CompactRange<T>) -> Result<Hash> {
        let broken = || Error::new(Code::Internal, "a hash for each sibling", "fewer");
        let (last, mut left) = range.peaks().split_last().ok_or_else(broken)?;
        let mut node = *last;
        let mut behind = self.behind.iter();
        // The smallest peak of `end` is the last leaf with all siblings that stand on its left below it.
        for sibling in self.span.last.siblings_from(self.end().trailing_zeros()) {
            node = match sibling.side {
                Side::Right => T::node(&node, behind.next().ok_or_else(broken)?),
                Side::Left => {
                    let (peak, rest) = left.split_last().ok_or_else(broken)?;
                    left = rest;
                    T::node(peak, &node)
                }
            };
        }
        if left.is_empty() && behind.next().is_none() { Ok(node) } else { Err(broken()) }
    }
}

/// The proof that leaves [begin, end) are in the history of `size` leaves.
pub fn prove_range<T: ProofTree, R: NodeReader + ?Sized>(
    reader: &mut R,
    begin: u64,
    end: u64,
    size: u64,
) -> Result<Vec<u8>> {
    let span = Span::new(begin, end, size)
        .ok_or_else(|| no_claim("begin < end <= size < 2^48", format!("begin {begin}, end {end} and size {size}")))?;
    let siblings: Vec<Sibling> = span.behind().collect();
    let behind = read_all::<T, R>(reader, &siblings)?;
    let mut before = Vec::new();
    gather(reader, 0, begin, &mut before)?;
    let claim = Claim::Range(RangeProof { span, before: &before, behind: &behind });
    Ok(Proof { tree: T::KIND, claim }.encode())
}

/// The numbered steps of proofs.2.6. `leaves` are the messages themselves (or the records' bytes), in order.
pub fn check_range<H: Trusted>(trusted: &H, leaves: &[H::Leaf<'_>], proof: &[u8]) -> Result<RangeIncluded<H>> {
    // a. Form, type and tree; the size; then as many leaves as the range has.
    let proof = RangeProof::parse::<H::Tree>(proof)?;
    check_size("size", trusted.size(), proof.size())?;
    let count = proof.end() - proof.begin();
    if leaves.len() as u64 != count {
        let got = leaves.len().to_string();
        return Err(Error::new(Code::ArgumentRange, format!("{count} messages for this proof"), got));
    }
    // b. The leaves are computed here.
    let ids = leaves.iter().map(H::leaf).collect::<Result<Vec<Hash>>>()?;
    // c. The whole tree above them, then the fingerprint over it.
    let range = proof.grown::<H::Tree>(&ids)?;
    check_root(trusted, &proof.root(&range)?, Code::ProofRoot)?;
    // Bound by the root: the peaks are those of the trusted history, whoever sent them.
    let range = (proof.end() == trusted.size()).then_some(range);
    Ok(RangeIncluded { begin: proof.begin(), ids, head: *trusted, range })
}
