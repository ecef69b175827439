//! A map from branches to sizes that is cheap to keep in many versions (dag.4.2).
//!
//! Each merge leaf keeps the cumulative map of its branch. Versions share what they have in common: a change copies one path, and a
//! join looks only at what differs, because equal parts are one and the same object.

use std::sync::Arc;

const BITS: u32 = 4;
const FAN: usize = 1 << BITS;

#[derive(Debug)]
enum Node {
    Leaf([u64; FAN]),
    Inner([Option<Arc<Node>>; FAN]),
}

/// Sizes by branch number. A branch that is not in it has size 0.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    root: Option<Arc<Node>>,
    /// Levels above the leaves.
    height: u32,
}

fn slot(key: u32, height: u32) -> usize {
    (key >> (height * BITS)) as usize % FAN
}

/// Whether a tree of this height has a place for the key.
fn holds(key: u32, height: u32) -> bool {
    key.checked_shr((height + 1) * BITS).unwrap_or(0) == 0
}

impl Sizes {
    pub fn get(&self, branch: u32) -> u64 {
        if !holds(branch, self.height) {
            return 0;
        }
        let mut at = self.root.as_ref();
        let mut height = self.height;
        while let Some(node) = at {
            match node.as_ref() {
                Node::Leaf(sizes) => return sizes.get(slot(branch, 0)).copied().unwrap_or(0),
                Node::Inner(children) => at = children.get(slot(branch, height)).and_then(Option::as_ref),
            }
            height = height.saturating_sub(1);
        }
        0
    }

    /// The map in which a branch has at least this size.
    #[must_use]
    pub fn raised(&self, branch: u32, size: u64) -> Sizes {
        if self.get(branch) >= size {
            return self.clone();
        }
        let mut height = self.height;
        while !holds(branch, height) {
            height += 1;
        }
        let lifted = self.lifted(height);
        Sizes { root: Some(raise(lifted.root.as_ref(), height, branch, size)), height }
    }

    /// The larger size of each branch.
    #[must_use]
    pub fn joined(&self, other: &Sizes) -> Sizes {
        let height = self.height.max(other.height);
        let (ours, theirs) = (self.lifted(height), other.lifted(height));
        Sizes { root: join(ours.root.as_ref(), theirs.root.as_ref()), height }
    }

    /// (branch, size) in the order of the numbers.
    pub fn each(&self, mut visit: impl FnMut(u32, u64)) {
        if let Some(root) = &self.root {
            walk(root, 0, &mut visit);
        }
    }

    /// The same map in a higher tree.
    fn lifted(&self, height: u32) -> Sizes {
        let mut lifted = self.clone();
        while lifted.height < height {
            lifted.root = lifted.root.map(|root| {
                let mut children: [Option<Arc<Node>>; FAN] = Default::default();
                if let Some(first) = children.first_mut() {
                    *first = Some(root);
                }
                Arc::new(Node::Inner(children))
            });
            lifted.height += 1;
        }
        lifted
    }
}

fn raise(node: Option<&Arc<Node>>, height: u32, branch: u32, size: u64) -> Arc<Node> {
    if height == 0 {
        let mut sizes = match node.map(Arc::as_ref) {
            Some(Node::Leaf(sizes)) => *sizes,
            _ => [0; FAN],
        };
        if let Some(place) = sizes.get_mut(slot(branch, 0)) {
            *place = size;
        }
        return Arc::new(Node::Leaf(sizes));
    }
    let mut children = match node.map(Arc::as_ref) {
        Some(Node::Inner(children)) => children.clone(),
        _ => Default::default(),
    };
    if let Some(place) = children.get_mut(slot(branch, height)) {
        *place = Some(raise(place.as_ref(), height - 1, branch, size));
    }
    Arc::new(Node::Inner(children))
}

fn join(ours: Option<&Arc<Node>>, theirs: Option<&Arc<Node>>) -> Option<Arc<Node>> {
    let (ours, theirs) = match (ours, theirs) {
        (Some(ours), Some(theirs)) => (ours, theirs),
        (one, other) => return one.or(other).cloned(),
    };
    if Arc::ptr_eq(ours, theirs) {
        return Some(Arc::clone(ours));
    }
    match (ours.as_ref(), theirs.as_ref()) {
        (Node::Leaf(left), Node::Leaf(right)) => {
            let mut sizes = *left;
            sizes.iter_mut().zip(right).for_each(|(size, other)| *size = (*size).max(*other));
            Some(kept(ours, theirs, sizes == *left, sizes == *right, || Node::Leaf(sizes)))
        }
        (Node::Inner(left), Node::Inner(right)) => {
            let mut children = left.clone();
            children.iter_mut().zip(right).for_each(|(child, other)| *child = join(child.as_ref(), other.as_ref()));
            let same = |side: &[Option<Arc<Node>>; FAN]| side.iter().zip(&children).all(|(old, new)| is_same(old, new));
            let (is_left, is_right) = (same(left), same(right));
            Some(kept(ours, theirs, is_left, is_right, || Node::Inner(children)))
        }
        // Trees of one height have leaves and inner nodes at the same places.
        _ => Some(Arc::clone(ours)),
    }
}

fn is_same(old: &Option<Arc<Node>>, new: &Option<Arc<Node>>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => Arc::ptr_eq(old, new),
        (None, None) => true,
        _ => false,
    }
}

/// What a join gives is one of the two where it can be, so that later joins find equal parts to be the same object.
fn kept(
    ours: &Arc<Node>,
    theirs: &Arc<Node>,
    is_ours: bool,
    is_theirs: bool,
    made: impl FnOnce() -> Node,
) -> Arc<Node> {
    match (is_ours, is_theirs) {
        (true, _) => Arc::clone(ours),
        (_, true) => Arc::clone(theirs),
        _ => Arc::new(made()),
    }
}

fn walk(node: &Node, prefix: u32, visit: &mut impl FnMut(u32, u64)) {
    match node {
        Node::Leaf(sizes) => {
            for (place, size) in (0u32..).zip(sizes).filter(|(_, size)| **size > 0) {
                visit(prefix << BITS | place, *size);
            }
        }
        Node::Inner(children) => {
            for (place, child) in (0u32..).zip(children) {
                if let Some(child) = child {
                    walk(child, prefix << BITS | place, visit);
                }
            }
        }
    }
}
