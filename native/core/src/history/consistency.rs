//! Consistency: a history begins with an older one (proofs.3).

use super::Hash;
use super::accumulator::TreeHash;
use super::head::Fingerprint;
use super::path::{Place, Sibling, Siblings, Side, Way, no_claim, read_all};
use super::proof::{Claim, Proof, ProofTree, Reader, Writer, form, index_fault};
use super::reader::NodeReader;
use super::trusted::{Trusted, check_root, check_size};
use crate::errors::{Code, Error, Result};
use crate::text::hex;

/// Two sizes of one history: 0 < old < new < 2^48.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Growth {
    old: u64,
    new: u64,
    last: Place,
}

impl Growth {
    pub fn new(old: u64, new: u64) -> Option<Self> {
        let last = Place::new(old.checked_sub(1)?, new)?;
        (old < new).then_some(Growth { old, new, last })
    }

    /// The last complete subtree of the old tree: there the two trees part. Its hash is the seed.
    pub fn seed(self) -> Sibling {
        Sibling { side: Side::Left, begin: self.old & (self.old - 1), end: self.old }
    }

    /// The siblings from the seed upwards: on the left in both trees, on the right in the new one only.
    pub fn siblings(self) -> Siblings {
        self.last.siblings_from(self.old.trailing_zeros())
    }
}

/// What a consistency proof states.
#[derive(Clone, Debug)]
pub struct ConsistencyProof<'a> {
    growth: Growth,
    seed: Hash,
    way: Way<'a>,
}

/// The proof that one trusted head extends another. Only `check_consistency` makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extended<H = Fingerprint> {
    old: H,
    new: H,
}

impl<H> Extended<H> {
    pub fn old(&self) -> &H {
        &self.old
    }

    pub fn new_head(&self) -> &H {
        &self.new
    }
}

/// The proof that two heads are one and the same. Only `compare_heads` makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unchanged<H = Fingerprint> {
    head: H,
}

impl<H> Unchanged<H> {
    pub fn head(&self) -> &H {
        &self.head
    }
}

/// How a newer head stands to an older one, where nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared<H = Fingerprint> {
    Unchanged(Unchanged<H>),
    Extended(Extended<H>),
}

impl<'a> ConsistencyProof<'a> {
    pub(super) fn read(input: &mut Reader<'a>) -> Result<Self> {
        let (old, new) = (input.number()?, input.number()?);
        // proofs.1.2
        let growth = Growth::new(old, new)
            .ok_or_else(|| index_fault("0 < old size < new size", format!("old size {old} and new size {new}")))?;
        let seed = *input.take("a seed")?;
        Self::over(growth, seed, input.hashes(growth.siblings().len())?)
    }

    /// proofs.1.3
    pub(super) fn over(growth: Growth, seed: Hash, hashes: &'a [Hash]) -> Result<Self> {
        let way = Way::new(growth.siblings(), hashes)
            .ok_or_else(|| form("a hash for each sibling", format!("{} hashes", hashes.len())))?;
        Ok(ConsistencyProof { growth, seed, way })
    }

    /// A consistency proof of this tree, or `ProofClaim` (proofs.1.4).
    pub fn parse<T: ProofTree>(data: &'a [u8]) -> Result<Self> {
        match Proof::parse(data)?.of_tree::<T>()? {
            Claim::Consistency(proof) => Ok(proof),
            other => Err(other.other_than("consistency")),
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.number(self.growth.old).number(self.growth.new).hashes(&[self.seed]).hashes(self.way.hashes());
    }

    pub fn old_size(&self) -> u64 {
        self.growth.old
    }

    pub fn new_size(&self) -> u64 {
        self.growth.new
    }

    /// The seed, then the siblings upwards, with the hashes that the proof states for them.
    pub fn steps(&self) -> impl Iterator<Item = (Sibling, &Hash)> {
        std::iter::once((self.growth.seed(), &self.seed)).chain(self.way.steps())
    }

    /// The roots of the old tree and of the new one that this path leads to.
    fn roots<T: TreeHash>(&self) -> (Hash, Hash) {
        self.way.steps().fold((self.seed, self.seed), |(old, new), (sibling, hash)| match sibling.side {
            Side::Left => (T::node(hash, &old), T::node(hash, &new)),
            Side::Right => (old, T::node(&new, hash)),
        })
    }

    /// Steps b and c of proofs.3.3.
    pub(super) fn extends<H: Trusted>(&self, old: &H, new: &H) -> Result<Extended<H>> {
        let (old_root, new_root) = self.roots::<H::Tree>();
        // b. The new head.
        check_root(new, &new_root, Code::ProofRoot)?;
        // c. The old head, always: a checker that skips it accepts any old history under a true new one.
        check_root(old, &old_root, Code::ConsistencyRoot)?;
        Ok(Extended { old: *old, new: *new })
    }
}

/// Sizes that a caller named; it is his fault if they make no claim (proofs.1.6).
pub(super) fn growth(old: u64, new: u64) -> Result<Growth> {
    Growth::new(old, new)
        .ok_or_else(|| no_claim("0 < old size < new size < 2^48", format!("old size {old} and new size {new}")))
}

/// SUBPROOF(old, D, false) (proofs.3.2): the seed first.
pub(super) fn subproof<T: TreeHash, R: NodeReader + ?Sized>(reader: &mut R, growth: Growth) -> Result<Vec<Hash>> {
    let siblings: Vec<Sibling> = std::iter::once(growth.seed()).chain(growth.siblings()).collect();
    read_all::<T, R>(reader, &siblings)
}

/// The proof that the history of `new` leaves begins with that of `old` leaves.
pub fn prove_consistency<T: ProofTree, R: NodeReader + ?Sized>(reader: &mut R, old: u64, new: u64) -> Result<Vec<u8>> {
    let growth = growth(old, new)?;
    let hashes = subproof::<T, R>(reader, growth)?;
    let Some((seed, rest)) = hashes.split_first() else {
        return Err(Error::new(Code::Internal, "a seed", "none"));
    };
    let claim = Claim::Consistency(ConsistencyProof::over(growth, *seed, rest)?);
    Ok(Proof { tree: T::KIND, claim }.encode())
}

/// The numbered steps of proofs.3.3.
pub fn check_consistency<H: Trusted>(old: &H, new: &H, proof: &[u8]) -> Result<Extended<H>> {
    // a. Form, type, tree; one realm and one conversation (the branches may differ: proofs.3.4); the sizes.
    let proof = ConsistencyProof::parse::<H::Tree>(proof)?;
    old.related(new)?;
    check_size("old size", old.size(), proof.old_size())?;
    check_size("new size", new.size(), proof.new_size())?;
    proof.extends(old, new)
}

/// proofs.3.6: how `new` stands to `old`, or what is wrong about it.
pub fn compare_heads(old: &Fingerprint, new: &Fingerprint, proof: Option<&[u8]>) -> Result<Compared> {
    old.related(new)?;
    match (new.size().cmp(&old.size()), proof) {
        (std::cmp::Ordering::Equal, proof) if old == new => match proof {
            None => Ok(Compared::Unchanged(Unchanged { head: *old })),
            Some(_) => Err(Error::new(Code::ProofClaim, "no proof for a head that did not change", "one")),
        },
        (std::cmp::Ordering::Equal, _) => {
            let show = |head: &Fingerprint| format!("{head} of branch {}", hex(&head.scope.branch));
            Err(Error::new(Code::HeadForked, show(old), show(new)))
        }
        (std::cmp::Ordering::Less, _) => Err(Error::new(
            Code::HeadStale,
            format!("a head of at least {} entries", old.size()),
            new.size().to_string(),
        )),
        (std::cmp::Ordering::Greater, None) => {
            let expected = format!("a consistency proof from size {} to {}", old.size(), new.size());
            Err(Error::new(Code::NeedsProof, expected, "none"))
        }
        (std::cmp::Ordering::Greater, Some(proof)) => check_consistency(old, new, proof).map(Compared::Extended),
    }
}
