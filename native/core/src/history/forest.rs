//! Trees that fork: branches share the leaves of their common prefix, and every point of a history has one name (fingerprint.9).
//!
//! A branch keeps the nodes that its own leaves completed, in post-order, and the branch that it hangs from. So a fork costs the same
//! however long the history is: no node, no peak and no leaf is copied. A node is found by arithmetic alone once its owner is known.

use std::marker::PhantomData;

use super::Hash;
use super::accumulator::{CompactRange, Scope, TreeHash, bag, check_size, complete};
use super::head::{Fingerprint, Head};
use super::nodes::{NodeStore, grow, node_count, node_index};
use super::reader::{NodeReader, gather};
use crate::errors::{Code, Error, Result};

/// One branch of the forest that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Branch(u32);

/// Leaves whose nodes are written to the store in one piece.
const PIECE: usize = 256;

#[derive(Debug)]
struct Own<S> {
    /// The first own leaf; those below are inherited.
    base: u64,
    size: u64,
    /// The owner of leaf `base - 1`. A first branch is its own parent.
    parent: u32,
    /// An ancestor further up, at a distance that makes the search for an owner logarithmic.
    jump: u32,
    depth: u32,
    nodes: S,
}

/// Histories with one kind of hash, each with its forks. `S` keeps the nodes of one branch.
#[derive(Debug)]
pub struct Forest<T, S> {
    branches: Vec<Own<S>>,
    /// Room for the left neighbours and for the nodes of a leaf that is appended.
    room: [Vec<Hash>; 2],
    tree: PhantomData<fn() -> T>,
}

impl<T, S> Default for Forest<T, S> {
    fn default() -> Self {
        Forest { branches: Vec::new(), room: Default::default(), tree: PhantomData }
    }
}

impl<T: TreeHash, S: NodeStore> Forest<T, S> {
    /// A forest of one branch without leaves.
    pub fn with_branch(nodes: S) -> (Self, Branch) {
        let first = Own { base: 0, size: 0, parent: 0, jump: 0, depth: 0, nodes };
        (Forest { branches: vec![first], room: Default::default(), tree: PhantomData }, Branch(0))
    }

    /// A new history: the first branch of a conversation, over an empty store.
    pub fn plant(&mut self, nodes: S) -> Result<Branch> {
        let at = self.next()?;
        self.grown(Own { base: 0, size: 0, parent: at, jump: at, depth: 0, nodes })
    }

    /// A branch that inherits the first `base` leaves, at least one, over an empty store. It hangs from the owner of the last of them
    /// (fingerprint.9.2). `ArgumentRange` where the branch has fewer leaves.
    pub fn fork(&mut self, branch: Branch, base: u64, nodes: S) -> Result<Branch> {
        if base == 0 {
            return Err(range("a fork that inherits one leaf or more", base));
        }
        self.check(branch, base)?;
        self.next()?;
        let parent = self.owner(branch.0, base)?;
        let above = self.own(parent)?;
        let (jump, depth) = (above.jump, above.depth.saturating_add(1));
        let far = self.own(jump)?;
        // Two jumps of one length become one of their sum: the lengths along a chain are those of a skew-binary counter.
        let even = above.depth.saturating_sub(far.depth) == far.depth.saturating_sub(self.own(far.jump)?.depth);
        let jump = if even { far.jump } else { parent };
        self.grown(Own { base, size: base, parent, jump, depth, nodes })
    }

    /// Appends one leaf and returns its index.
    pub fn append(&mut self, branch: Branch, leaf: &Hash) -> Result<u64> {
        let index = self.size(branch)?;
        check_size(index.saturating_add(1))?;
        let [mut left, mut completed] = std::mem::take(&mut self.room);
        left.clear();
        completed.clear();
        // All reads before the first hash, so that none waits for a hash.
        for level in 0..index.trailing_ones() {
            left.push(self.read(branch.0, level, index >> level << level)?);
        }
        complete::<T>(leaf, left.iter().copied(), |node| completed.push(*node));
        self.write(branch, &completed)?;
        self.own_mut(branch.0)?.size = index + 1;
        self.room = [left, completed];
        Ok(index)
    }

    /// Appends many leaves, all or none, and returns the new size.
    pub fn extend(&mut self, branch: Branch, leaves: &[Hash]) -> Result<u64> {
        let before = self.size(branch)?;
        check_size(before.saturating_add(leaves.len() as u64))?;
        let mut range = self.range(branch, before)?;
        let mut completed = Vec::new();
        for piece in leaves.chunks(PIECE) {
            completed.clear();
            piece.iter().try_for_each(|leaf| range.append_with(leaf, |node| completed.push(*node)))?;
            self.write(branch, &completed)?;
        }
        self.own_mut(branch.0)?.size = range.size();
        Ok(range.size())
    }

    pub fn size(&self, branch: Branch) -> Result<u64> {
        Ok(self.own(branch.0)?.size)
    }

    /// How many leaves the branch inherits.
    pub fn base(&self, branch: Branch) -> Result<u64> {
        Ok(self.own(branch.0)?.base)
    }

    /// The leaf at `index`.
    pub fn leaf(&mut self, branch: Branch, index: u64) -> Result<Hash> {
        let size = self.size(branch)?;
        if index >= size {
            return Err(Error::new(Code::ArgumentRange, format!("an index below the size, {size}"), index.to_string()));
        }
        self.read(branch.0, 0, index + 1)
    }

    /// The complete subtree of height `level` that ends before leaf `end`: everything else is made of these (fingerprint.9.4).
    pub fn node(&mut self, branch: Branch, level: u32, end: u64) -> Result<Hash> {
        self.check_node(branch, level, end)?;
        self.read(branch.0, level, end)
    }

    /// The compact range at size `n`, older or not.
    pub fn range(&mut self, branch: Branch, n: u64) -> Result<CompactRange<T>> {
        CompactRange::from_peaks(n, self.peaks(branch, n)?)
    }

    /// The root at size `n`, older or not; none at 0.
    pub fn root(&mut self, branch: Branch, n: u64) -> Result<Option<Hash>> {
        Ok(bag::<T>(&self.peaks(branch, n)?))
    }

    /// What the fingerprint at size `n` > 0 is bound to: the branch that owns leaf n-1, whichever was asked (fingerprint.9.3).
    pub fn scope(&mut self, realm: &Hash, conversation: &Hash, branch: Branch, n: u64) -> Result<Scope> {
        self.check(branch, n)?;
        if n == 0 {
            return Err(range("a history of one leaf or more: no fingerprint has size 0", n));
        }
        let owner = Branch(self.owner(branch.0, n)?);
        let branch = self.id(owner, conversation)?.unwrap_or(*conversation);
        Ok(Scope { realm: *realm, conversation: *conversation, branch })
    }

    /// The fingerprint at size `n` > 0, under the name that this point has on every branch through it.
    pub fn fingerprint(&mut self, realm: &Hash, conversation: &Hash, branch: Branch, n: u64) -> Result<Fingerprint> {
        let scope = self.scope(realm, conversation, branch, n)?;
        let root = self.root(branch, n)?.ok_or_else(|| range("a history of one leaf or more", n))?;
        Ok(Fingerprint { scope, head: Head { size: n, fingerprint: scope.fingerprint(n, &root) } })
    }

    /// The branch's id: that of its first own leaf, none before there is one. A first branch has the conversation's (fingerprint.9.1).
    pub fn id(&mut self, branch: Branch, conversation: &Hash) -> Result<Option<Hash>> {
        let own = self.own(branch.0)?;
        match own.base {
            0 => Ok(Some(*conversation)),
            base if base < own.size => self.leaf(branch, base).map(Some),
            _ => Ok(None),
        }
    }

    /// The nodes of one branch and all that it inherits, for proofs.
    pub fn view(&mut self, branch: Branch) -> View<'_, T, S> {
        View { forest: self, branch, near: (branch.0, u64::MAX) }
    }

    /// Forgets the leaves of a branch from `n` on: own leaves that no fork inherits.
    pub fn truncate(&mut self, branch: Branch, n: u64) -> Result<()> {
        self.check(branch, n)?;
        let base = self.base(branch)?;
        let inherited = |own: &Own<S>| own.parent == branch.0 && own.base > n;
        if n < base || self.branches.iter().any(inherited) {
            return Err(range("own leaves that no fork inherits", n));
        }
        let own = self.own_mut(branch.0)?;
        own.nodes.truncate(node_count(n) - node_count(base))?;
        own.size = n;
        Ok(())
    }

    /// How many branches there are.
    pub fn branches(&self) -> usize {
        self.branches.len()
    }

    /// Bytes of memory behind the branches, counted by capacity; `of` counts what a store holds beyond itself.
    pub fn resident(&self, of: impl Fn(&S) -> usize) -> usize {
        let table = self.branches.capacity() * size_of::<Own<S>>();
        self.branches.iter().fold(table, |sum, own| sum + of(&own.nodes))
    }

    /// The store of a branch's own nodes.
    pub fn store(&self, branch: Branch) -> Result<&S> {
        Ok(&self.own(branch.0)?.nodes)
    }

    fn peaks(&mut self, branch: Branch, n: u64) -> Result<Vec<Hash>> {
        self.check(branch, n)?;
        let mut peaks = Vec::with_capacity(n.count_ones() as usize);
        gather(&mut self.view(branch), 0, n, &mut peaks)?;
        Ok(peaks)
    }

    /// Appends nodes to the branch's own; after a failure they are as many as its leaves have.
    fn write(&mut self, branch: Branch, completed: &[Hash]) -> Result<()> {
        let Some(own) = self.branches.get_mut(branch.0 as usize) else { return Err(foreign()) };
        own.nodes.append(completed).inspect_err(|_| {
            // Places beyond the size are never read, and are written again: if this fails too, nothing is lost.
            let _ = own.nodes.truncate(node_count(own.size).saturating_sub(node_count(own.base)));
        })
    }

    fn read(&mut self, branch: u32, level: u32, end: u64) -> Result<Hash> {
        let owner = self.owner(branch, end)?;
        self.read_own(owner, level, end)
    }

    fn read_own(&mut self, owner: u32, level: u32, end: u64) -> Result<Hash> {
        let own = self.own_mut(owner)?;
        let place = node_index(level, end).checked_sub(node_count(own.base)).ok_or_else(foreign)?;
        own.nodes.node(place)
    }

    /// The branch that owns leaf `end - 1`: the nearest of the branch and its ancestors that begins below `end`.
    fn owner(&self, branch: u32, end: u64) -> Result<u32> {
        let mut at = branch;
        loop {
            let own = self.own(at)?;
            // The first branch of all begins at 0, so that the search ends.
            if own.base < end || own.base == 0 {
                return Ok(at);
            }
            at = if self.own(own.jump)?.base >= end { own.jump } else { own.parent };
        }
    }

    fn check_node(&self, branch: Branch, level: u32, end: u64) -> Result<()> {
        self.check(branch, end)?;
        if end == 0 || level > end.trailing_zeros() {
            return Err(range("a complete subtree that ends at a multiple of its size", end));
        }
        Ok(())
    }

    fn check(&self, branch: Branch, n: u64) -> Result<()> {
        let size = self.size(branch)?;
        if n > size {
            return Err(Error::new(
                Code::ArgumentRange,
                format!("at most the {size} leaves of the branch"),
                n.to_string(),
            ));
        }
        Ok(())
    }

    fn next(&self) -> Result<u32> {
        let full = || Error::new(Code::SizeLimit, "fewer than 2^32 branches", "one more");
        u32::try_from(self.branches.len()).map_err(|_| full())
    }

    fn grown(&mut self, own: Own<S>) -> Result<Branch> {
        let at = self.next()?;
        grow(&mut self.branches, 1);
        self.branches.push(own);
        Ok(Branch(at))
    }

    fn own(&self, at: u32) -> Result<&Own<S>> {
        self.branches.get(at as usize).ok_or_else(foreign)
    }

    fn own_mut(&mut self, at: u32) -> Result<&mut Own<S>> {
        self.branches.get_mut(at as usize).ok_or_else(foreign)
    }
}

/// One branch with all that it inherits, as a reader of nodes.
#[derive(Debug)]
pub struct View<'a, T, S> {
    forest: &'a mut Forest<T, S>,
    branch: Branch,
    /// The owner that was found last, and for which end: those of all lower ends are among its ancestors.
    near: (u32, u64),
}

impl<T: TreeHash, S: NodeStore> NodeReader for View<'_, T, S> {
    fn node(&mut self, level: u32, end: u64) -> Result<Hash> {
        let from = if end <= self.near.1 { self.near.0 } else { self.branch.0 };
        self.forest.check_node(self.branch, level, end)?;
        let owner = self.forest.owner(from, end)?;
        self.near = (owner, end);
        self.forest.read_own(owner, level, end)
    }
}

fn range(expected: &'static str, got: u64) -> Error {
    Error::new(Code::ArgumentRange, expected, got.to_string())
}

fn foreign() -> Error {
    Error::new(Code::Internal, "a branch and a node of this forest", "another")
}
