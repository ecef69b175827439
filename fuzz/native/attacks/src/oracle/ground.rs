//! What proofs are held against: trees of which every leaf is known, small ones and vast ones, and the one proof of each claim.

use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::{BranchTree, Scope};
use ama2sec_core::history::consistency::prove_consistency;
use ama2sec_core::history::head::{Fingerprint, Head};
use ama2sec_core::history::inclusion::prove_inclusion;
use ama2sec_core::history::proof::ProofTree;
use ama2sec_core::history::range::prove_range;
use ama2sec_core::history::reader::NodeReader;
use ama2sec_core::history::sha_tree::{Rfc6962, TreeHead, rfc6962_leaf};
use ama2sec_core::history::trusted::{Leaf, Trusted};

use crate::proof_support::{Model, Same, Twin};
use crate::world::Branch;

/// A head that a proof is held against, made from a root.
pub trait Judged: Trusted<Tree: Twin + ProofTree> + PartialEq {
    fn of(scope: &Scope, size: u64, root: &Hash) -> Self;
    fn read(bytes: &[u8]) -> Self::Leaf<'_>;
    /// The same head with another hash.
    fn other(&self) -> Self;
}

impl Judged for Fingerprint {
    fn of(scope: &Scope, size: u64, root: &Hash) -> Self {
        Fingerprint { scope: *scope, head: Head { size, fingerprint: scope.fingerprint(size, root) } }
    }

    fn read(bytes: &[u8]) -> Leaf<'_> {
        Leaf::Bytes(bytes)
    }

    fn other(&self) -> Self {
        let mut other = *self;
        other.head.fingerprint[0] ^= 0x80;
        other
    }
}

impl Judged for TreeHead {
    fn of(_: &Scope, size: u64, root: &Hash) -> Self {
        TreeHead { size, root: *root }
    }

    fn read(bytes: &[u8]) -> &[u8] {
        bytes
    }

    fn other(&self) -> Self {
        let mut other = *self;
        other.root[31] ^= 1;
        other
    }
}

enum Nodes<T> {
    Distinct(Model<T>),
    /// Leaves that are all the same: as many as are asked for.
    Alike(Same),
}

/// One history, and what its leaves are made of.
pub struct Ground<H: Judged> {
    scope: Scope,
    nodes: Nodes<H::Tree>,
    pub things: Vec<Vec<u8>>,
}

impl Ground<Fingerprint> {
    pub fn branch(branch: &Branch) -> Self {
        let things = branch.entries.iter().map(|entry| entry.item.clone()).collect();
        Ground { scope: branch.scope, nodes: Nodes::Distinct(Model::new(branch.ids())), things }
    }

    pub fn vast_branch(branch: &Branch) -> Self {
        let first = &branch.entries[0];
        Ground {
            scope: branch.scope,
            nodes: Nodes::Alike(Same::new::<BranchTree>(first.id)),
            things: vec![first.item.clone()],
        }
    }
}

const NOWHERE: Scope = Scope { realm: [0; 32], conversation: [0; 32], branch: [0; 32] };

impl Ground<TreeHead> {
    pub fn realm(size: usize) -> Self {
        let things: Vec<_> = (0..size).map(|n| format!("record {n}").into_bytes()).collect();
        let leaves = things.iter().map(|record| rfc6962_leaf(record)).collect();
        Ground { scope: NOWHERE, nodes: Nodes::Distinct(Model::new(leaves)), things }
    }

    pub fn vast_realm() -> Self {
        let things = vec![b"record".to_vec()];
        Ground { scope: NOWHERE, nodes: Nodes::Alike(Same::new::<Rfc6962>(rfc6962_leaf(&things[0]))), things }
    }
}

impl<H: Judged> Ground<H> {
    /// Whether there is a head of this size.
    pub fn reaches(&self, size: u64) -> bool {
        matches!(self.nodes, Nodes::Alike(_)) || size <= self.things.len() as u64
    }

    pub fn thing(&self, index: u64) -> &[u8] {
        &self.things[index as usize % self.things.len()]
    }

    pub fn head(&mut self, size: u64) -> H {
        let root = match &mut self.nodes {
            Nodes::Distinct(model) => model.mth(0, size as usize),
            Nodes::Alike(same) => root_of_same::<H::Tree>(same, size),
        };
        H::of(&self.scope, size, &root)
    }

    /// The one proof of this type and these numbers.
    pub fn proof(&mut self, kind: u8, numbers: &[u64]) -> Vec<u8> {
        match (&mut self.nodes, kind, numbers) {
            (Nodes::Distinct(model), 1, &[i, n]) => model.inclusion_proof(i as usize, n as usize),
            (Nodes::Distinct(model), 2, &[m, n]) => model.consistency_proof(m as usize, n as usize),
            (Nodes::Distinct(model), _, &[a, b, n]) => model.range_proof(a as usize, b as usize, n as usize),
            (Nodes::Alike(same), 1, &[i, n]) => prove_inclusion::<H::Tree, _>(same, i, n).expect("a proof"),
            (Nodes::Alike(same), 2, &[m, n]) => prove_consistency::<H::Tree, _>(same, m, n).expect("a proof"),
            (Nodes::Alike(same), _, &[a, b, n]) => prove_range::<H::Tree, _>(same, a, b, n).expect("a proof"),
            _ => panic!("no numbers of type {kind}"),
        }
    }
}

fn root_of_same<T: Twin>(same: &mut Same, size: u64) -> Hash {
    let levels = (0..48).filter(|level| size >> level & 1 == 1);
    let peak = |level: u32, same: &mut Same| same.node(level, 1 << level).expect("a node");
    let folded = levels.fold(None, |right: Option<Hash>, level| {
        let left = peak(level, same);
        Some(right.map_or(left, |right| T::node(&left, &right)))
    });
    folded.expect("a size above 0")
}
