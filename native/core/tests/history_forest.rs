//! Forests against plain lists of leaves and the definitions, written down recursively: forks, names, stores, failures.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod history_support;

use std::sync::{Arc, Mutex};

use ama2sec_core::errors::Code;
use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::{BranchTree, Scope, TreeHash};
use ama2sec_core::history::forest::{Branch, Forest};
use ama2sec_core::history::node_file::{Disk, FileBranch, NodeFile};
use ama2sec_core::history::nodes::{MemoryNodes, NodeStore};
use ama2sec_core::history::reader::NodeReader;
use ama2sec_core::history::sha_tree::{Rfc6962, rfc6962_root};
use ama2sec_core::history::tree::Tree;
use history_support::Random;

const REALM: Hash = [1; 32];
const CONVERSATION: Hash = [2; 32];

/// RFC 9162, section 2.1, as it is written; `node` may be of either tree.
fn model_root<T: TreeHash>(leaves: &[Hash]) -> Hash {
    match leaves {
        [leaf] => *leaf,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            T::node(&model_root::<T>(&leaves[..k]), &model_root::<T>(&leaves[k..]))
        }
    }
}

fn leaf(i: u64) -> Hash {
    *blake3::hash(&i.to_be_bytes()).as_bytes()
}

/// A disk in memory that fails after some bytes.
struct Plate {
    bytes: Mutex<Vec<u8>>,
    room: Mutex<usize>,
}

impl Plate {
    fn with_room(room: usize) -> Arc<NodeFile<Plate>> {
        NodeFile::new(Plate { bytes: Mutex::default(), room: Mutex::new(room) })
    }
}

impl Disk for Plate {
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> std::io::Result<()> {
        let (bytes, offset) = (self.bytes.lock().unwrap(), offset as usize);
        let from = bytes.get(offset..offset + into.len()).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(from);
        Ok(())
    }

    fn write_all_at(&self, from: &[u8], offset: u64) -> std::io::Result<()> {
        let (mut bytes, mut room, offset) = (self.bytes.lock().unwrap(), self.room.lock().unwrap(), offset as usize);
        *room = room.checked_sub(from.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        let length = bytes.len().max(offset + from.len());
        bytes.resize(length, 0);
        bytes[offset..offset + from.len()].copy_from_slice(from);
        Ok(())
    }
}

/// A branch of the model: all of its leaves, how many of them are inherited, and from which branch of the model.
struct Plain {
    leaves: Vec<Hash>,
    base: u64,
    parent: usize,
}

impl Plain {
    fn first() -> Plain {
        Plain { leaves: Vec::new(), base: 0, parent: 0 }
    }
}

/// The name of the branch that owns leaf n-1, found by walking up, one parent after the other.
fn model_name(model: &[Plain], mut at: usize, n: u64) -> Hash {
    while n <= model[at].base {
        at = model[at].parent;
    }
    match model[at].base {
        0 => CONVERSATION,
        base => model[at].leaves[base as usize],
    }
}

fn model_fingerprint(model: &[Plain], at: usize, n: u64) -> Hash {
    let branch = model_name(model, at, n);
    let root = model_root::<BranchTree>(&model[at].leaves[..n as usize]);
    Scope { realm: REALM, conversation: CONVERSATION, branch }.fingerprint(n, &root)
}

/// Everything that a forest answers for one branch at size n, against the model.
fn compare<S: NodeStore>(forest: &mut Forest<BranchTree, S>, branch: Branch, model: &[Plain], at: usize, n: u64) {
    let leaves = &model[at].leaves[..n as usize];
    if n == 0 {
        assert_eq!(forest.root(branch, 0).unwrap(), None);
        assert_eq!(forest.fingerprint(&REALM, &CONVERSATION, branch, 0).unwrap_err().code, Code::ArgumentRange);
        return;
    }
    assert_eq!(forest.root(branch, n).unwrap(), Some(model_root::<BranchTree>(leaves)));
    assert_eq!(forest.range(branch, n).unwrap().root(), Some(model_root::<BranchTree>(leaves)));
    assert_eq!(forest.leaf(branch, n - 1).unwrap(), leaves[n as usize - 1]);
    let found = forest.fingerprint(&REALM, &CONVERSATION, branch, n).unwrap();
    assert_eq!((found.head.size, found.head.fingerprint), (n, model_fingerprint(model, at, n)));
    assert_eq!(found.scope.branch, model_name(model, at, n));
}

#[test]
fn every_size_and_every_node_to_130() {
    let (mut forest, branch) = Forest::<BranchTree, _>::with_branch(MemoryNodes::default());
    let mut model = vec![Plain::first()];
    for size in 0..=130u64 {
        assert_eq!(forest.size(branch).unwrap(), size);
        (0..=size).for_each(|n| compare(&mut forest, branch, &model, 0, n));
        for end in 1..=size {
            for level in 0..=end.trailing_zeros() {
                let part = &model[0].leaves[(end - (1 << level)) as usize..end as usize];
                let found = forest.view(branch).node(level, end).unwrap();
                assert_eq!(found, model_root::<BranchTree>(part), "{level} {end}");
            }
            let above = forest.node(branch, end.trailing_zeros() + 1, end).unwrap_err();
            assert_eq!(above.code, Code::ArgumentRange);
        }
        for fault in [forest.node(branch, 0, size + 1), forest.node(branch, 0, 0), forest.leaf(branch, size)] {
            assert_eq!(fault.unwrap_err().code, Code::ArgumentRange);
        }
        assert_eq!(forest.root(branch, size + 1).unwrap_err().code, Code::ArgumentRange);
        assert_eq!(forest.range(branch, size + 1).unwrap_err().code, Code::ArgumentRange);
        assert_eq!(forest.append(branch, &leaf(size)).unwrap(), size);
        model[0].leaves.push(leaf(size));
    }
}

#[test]
fn every_fork_of_every_size_to_34() {
    for size in 1..=34u64 {
        for base in 1..=size {
            let (mut forest, main) = Forest::<BranchTree, _>::with_branch(MemoryNodes::default());
            let mut model = vec![Plain::first()];
            for i in 0..size {
                forest.append(main, &leaf(i)).unwrap();
                model[0].leaves.push(leaf(i));
            }
            let fork = forest.fork(main, base, MemoryNodes::default()).unwrap();
            model.push(Plain { leaves: model[0].leaves[..base as usize].to_vec(), base, parent: 0 });
            assert_eq!(forest.id(fork, &CONVERSATION).unwrap(), None);
            for i in 0..9 {
                (0..=base + i).for_each(|n| compare(&mut forest, fork, &model, 1, n));
                forest.append(fork, &leaf(1000 + i)).unwrap();
                model[1].leaves.push(leaf(1000 + i));
            }
            assert_eq!(forest.id(fork, &CONVERSATION).unwrap(), Some(leaf(1000)));
            assert_eq!(forest.id(main, &CONVERSATION).unwrap(), Some(CONVERSATION));
            assert_eq!((forest.base(fork).unwrap(), forest.base(main).unwrap()), (base, 0));
            (0..=size).for_each(|n| compare(&mut forest, main, &model, 0, n));
        }
    }
}

#[test]
fn forks_have_bounds() {
    let (mut forest, main) = Forest::<BranchTree, _>::with_branch(MemoryNodes::default());
    assert_eq!(forest.fork(main, 0, MemoryNodes::default()).unwrap_err().code, Code::ArgumentRange);
    assert_eq!(forest.fork(main, 1, MemoryNodes::default()).unwrap_err().code, Code::ArgumentRange);
    forest.extend(main, &[leaf(0), leaf(1)]).unwrap();
    assert_eq!(forest.fork(main, 3, MemoryNodes::default()).unwrap_err().code, Code::ArgumentRange);
    assert_eq!(forest.branches(), 1);
    let fork = forest.fork(main, 2, MemoryNodes::default()).unwrap();
    // A fork inherits: to fork it below its own leaves is to fork the branch further up.
    let below = forest.fork(fork, 1, MemoryNodes::default()).unwrap();
    forest.append(fork, &leaf(2)).unwrap();
    assert_eq!(forest.root(below, 1).unwrap(), Some(leaf(0)));
    assert_eq!(forest.root(below, 2).unwrap_err().code, Code::ArgumentRange);
    // What a fork inherits cannot be cut away under it, what lies beyond can.
    forest.append(main, &leaf(9)).unwrap();
    forest.truncate(main, 2).unwrap();
    assert_eq!((forest.size(main).unwrap(), forest.root(fork, 2).unwrap()), (2, forest.root(main, 2).unwrap()));
    assert_eq!(forest.truncate(main, 1).unwrap_err().code, Code::ArgumentRange);
    assert_eq!(forest.truncate(fork, 1).unwrap_err().code, Code::ArgumentRange);
    forest.truncate(fork, 2).unwrap();
    assert_eq!((forest.size(fork).unwrap(), forest.id(fork, &CONVERSATION).unwrap()), (2, None));
    // A branch of another forest is none of this one.
    let mut other = Forest::<BranchTree, MemoryNodes>::default();
    for fault in
        [other.append(main, &leaf(1)), other.size(main), other.fork(main, 1, MemoryNodes::default()).map(|_| 0)]
    {
        assert_eq!(fault.unwrap_err().code, Code::Internal);
    }
}

#[test]
fn a_fork_of_a_fork_ten_thousand_deep() {
    let (mut forest, mut branch) = Forest::<BranchTree, _>::with_branch(MemoryNodes::default());
    let mut leaves = Vec::new();
    let mut chain = vec![branch];
    for depth in 0..10_000u64 {
        // Two own leaves a branch, the second of which the next branch does not inherit.
        forest.append(branch, &leaf(depth)).unwrap();
        forest.append(branch, &leaf(depth | 1 << 40)).unwrap();
        leaves.push(leaf(depth));
        branch = forest.fork(branch, depth + 1, MemoryNodes::default()).unwrap();
        chain.push(branch);
        assert_eq!(forest.base(branch).unwrap(), depth + 1);
    }
    assert_eq!(forest.root(branch, 10_000).unwrap(), Some(model_root::<BranchTree>(&leaves)));
    let mut random = Random(3);
    for _ in 0..300 {
        let n = random.below(10_000) + 1;
        let found = forest.fingerprint(&REALM, &CONVERSATION, branch, n).unwrap();
        // Branch i owns leaf i alone on this chain: the name of size n is that of branch n-1, whose first leaf is leaf n-1.
        let name = if n == 1 { CONVERSATION } else { leaf(n - 1) };
        assert_eq!(found.scope.branch, name);
        assert_eq!(forest.root(branch, n).unwrap(), Some(model_root::<BranchTree>(&leaves[..n as usize])));
        let (at, n) = (n, random.below(n) + 1);
        let shallow = forest.fingerprint(&REALM, &CONVERSATION, chain[at as usize], n).unwrap();
        assert_eq!(shallow, forest.fingerprint(&REALM, &CONVERSATION, branch, n).unwrap());
    }
    // The middle of the chain goes on by itself.
    assert_eq!(forest.size(chain[5000]).unwrap(), 5002);
    assert_eq!(forest.leaf(chain[5000], 5001).unwrap(), leaf(5000 | 1 << 40));
    assert_eq!(forest.root(chain[5000], 5000).unwrap(), Some(model_root::<BranchTree>(&leaves[..5000])));
}

/// Random appends, extends and forks, in memory and in a file at once, against the model.
#[test]
fn random_forests_in_memory_and_in_a_file() {
    for seed in 1..=6u64 {
        let mut random = Random(seed * 0x9e37_79b9);
        let file = Plate::with_room(usize::MAX);
        let (mut memory, first) = Forest::<BranchTree, _>::with_branch(MemoryNodes::default());
        let (mut disk, twin) = Forest::<BranchTree, FileBranch<Plate>>::with_branch(file.branch());
        let mut branches = vec![(first, twin)];
        let mut model = vec![Plain::first()];
        for fresh in 0..1500 {
            let at = random.below(branches.len() as u64) as usize;
            let (in_memory, on_disk) = branches[at];
            let size = model[at].leaves.len() as u64;
            match random.below(4) {
                0 if size > 0 && branches.len() < 60 => {
                    let base = random.below(size) + 1;
                    let fork = memory.fork(in_memory, base, MemoryNodes::default()).unwrap();
                    branches.push((fork, disk.fork(on_disk, base, file.branch()).unwrap()));
                    model.push(Plain { leaves: model[at].leaves[..base as usize].to_vec(), base, parent: at });
                }
                1 => {
                    let many: Vec<Hash> = (0..random.below(40)).map(|i| leaf(seed << 50 | fresh << 8 | i)).collect();
                    model[at].leaves.extend_from_slice(&many);
                    assert_eq!(memory.extend(in_memory, &many).unwrap(), size + many.len() as u64);
                    assert_eq!(disk.extend(on_disk, &many).unwrap(), size + many.len() as u64);
                }
                _ => {
                    let one = leaf(seed << 50 | fresh << 8 | 255);
                    model[at].leaves.push(one);
                    assert_eq!(memory.append(in_memory, &one).unwrap(), size);
                    assert_eq!(disk.append(on_disk, &one).unwrap(), size);
                }
            }
            let n = random.below(model[at].leaves.len() as u64 + 1);
            compare(&mut memory, in_memory, &model, at, n);
            compare(&mut disk, on_disk, &model, at, n);
        }
        for (at, (in_memory, on_disk)) in branches.iter().enumerate() {
            for n in (0..=model[at].leaves.len() as u64).step_by(7) {
                compare(&mut memory, *in_memory, &model, at, n);
                compare(&mut disk, *on_disk, &model, at, n);
            }
        }
    }
}

#[test]
fn one_name_for_each_point() {
    let (mut forest, main) = Forest::<BranchTree, _>::with_branch(MemoryNodes::default());
    forest.extend(main, &(0..8).map(leaf).collect::<Vec<_>>()).unwrap();
    let fork = forest.fork(main, 4, MemoryNodes::default()).unwrap();
    let again = forest.fork(fork, 4, MemoryNodes::default()).unwrap();
    forest.append(fork, &leaf(100)).unwrap();
    // The very same leaf on the parent: the histories are equal, the points are not (it is another branch's leaf).
    forest.append(again, &leaf(4)).unwrap();
    let mut at = |branch, n| forest.fingerprint(&REALM, &CONVERSATION, branch, n).unwrap();
    for n in 1..=4 {
        assert_eq!(at(main, n), at(fork, n));
        assert_eq!(at(main, n), at(again, n));
    }
    assert_eq!(at(fork, 5).scope.branch, leaf(100));
    assert_eq!((at(again, 5).scope.branch, at(main, 5).scope.branch), (leaf(4), CONVERSATION));
    assert_ne!(at(again, 5).head, at(main, 5).head);
}

#[test]
fn the_sha_tree_is_the_same_code_with_another_hash() {
    let mut tree = Tree::of_records(MemoryNodes::default());
    let leaves: Vec<Hash> = (0..200).map(leaf).collect();
    assert_eq!(tree.extend(&leaves[..100]).unwrap(), 100);
    leaves[100..].iter().for_each(|leaf| tree.append(leaf).unwrap());
    for n in 1..=200 {
        let root = tree.root_at(n).unwrap().unwrap();
        assert_eq!(root, model_root::<Rfc6962>(&leaves[..n as usize]));
        assert_eq!(root, rfc6962_root(&leaves[..n as usize]).unwrap());
        assert_eq!(tree.node(0, n).unwrap(), leaves[n as usize - 1]);
    }
    assert_eq!(tree.root_at(0).unwrap(), None);
}

#[test]
fn many_leaves_in_one_call_are_the_same_leaves() {
    let leaves: Vec<Hash> = (0..5000).map(leaf).collect();
    for before in [0, 1, 1023, 1024, 2000] {
        let file = Plate::with_room(usize::MAX);
        let (mut forest, branch) = Forest::<BranchTree, _>::with_branch(file.branch());
        leaves[..before].iter().for_each(|leaf| assert!(forest.append(branch, leaf).is_ok()));
        assert_eq!(forest.extend(branch, &leaves[before..]).unwrap(), 5000);
        for n in [1, 1000, 1024, 1025, 4096, 4999, 5000] {
            assert_eq!(forest.root(branch, n).unwrap(), Some(model_root::<BranchTree>(&leaves[..n as usize])));
        }
        assert_eq!(forest.extend(branch, &[]).unwrap(), 5000);
    }
}

/// A full disk at any moment: the call fails, the history is as it was, and goes on where there is room again.
#[test]
fn a_full_disk_changes_nothing() {
    let leaves: Vec<Hash> = (0..3000).map(leaf).collect();
    for room in [0, 31, 32, 64, 1000, 40_000, 130_000] {
        let file = NodeFile::new(Plate { bytes: Mutex::default(), room: Mutex::new(room) });
        let (mut forest, branch) = Forest::<BranchTree, _>::with_branch(file.branch());
        let mut size = 0;
        let code = loop {
            match forest.append(branch, &leaves[size]) {
                Ok(index) => assert_eq!(index, size as u64),
                Err(fault) => break fault.code,
            }
            size += 1;
        };
        assert_eq!(code, Code::WriteFailed);
        assert_eq!(forest.extend(branch, &leaves[size..]).unwrap_err().code, Code::WriteFailed);
        assert_eq!(forest.size(branch).unwrap(), size as u64);
        let model = if size == 0 { None } else { Some(model_root::<BranchTree>(&leaves[..size])) };
        assert_eq!(forest.root(branch, size as u64).unwrap(), model);
    }
    // Half of what was to be written fits: with room again, what follows is written over it.
    struct Tight(Plate, Mutex<bool>);
    impl Disk for Tight {
        fn read_exact_at(&self, into: &mut [u8], offset: u64) -> std::io::Result<()> {
            self.0.read_exact_at(into, offset)
        }
        fn write_all_at(&self, from: &[u8], offset: u64) -> std::io::Result<()> {
            if offset > 20_000 && !*self.1.lock().unwrap() {
                *self.1.lock().unwrap() = true;
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.0.write_all_at(from, offset)
        }
    }
    let plate = Plate { bytes: Mutex::default(), room: Mutex::new(usize::MAX) };
    let file = NodeFile::new(Tight(plate, Mutex::new(false)));
    let (mut forest, branch) = Forest::<BranchTree, _>::with_branch(file.branch());
    forest.extend(branch, &leaves[..10]).unwrap();
    assert_eq!(forest.extend(branch, &leaves[1000..]).unwrap_err().code, Code::WriteFailed);
    assert_eq!(forest.size(branch).unwrap(), 10);
    forest.extend(branch, &leaves[10..]).unwrap();
    assert_eq!(forest.root(branch, 3000).unwrap(), Some(model_root::<BranchTree>(&leaves)));
    (0..3000).for_each(|i| assert_eq!(forest.leaf(branch, i).unwrap(), leaves[i as usize]));
}

#[test]
fn a_lost_file_is_an_error_of_its_own() {
    struct Forgetful;
    impl Disk for Forgetful {
        fn read_exact_at(&self, _: &mut [u8], _: u64) -> std::io::Result<()> {
            Err(std::io::ErrorKind::UnexpectedEof.into())
        }
        fn write_all_at(&self, _: &[u8], _: u64) -> std::io::Result<()> {
            Ok(())
        }
    }
    let file = NodeFile::new(Forgetful);
    let (mut forest, branch) = Forest::<BranchTree, _>::with_branch(file.branch());
    forest.extend(branch, &(0..4000).map(leaf).collect::<Vec<_>>()).unwrap();
    assert_eq!(forest.leaf(branch, 0).unwrap_err().code, Code::FileUnreadable);
    assert_eq!(forest.root(branch, 1999).unwrap_err().code, Code::FileUnreadable);
    // The newest nodes are remembered, and so are right or absent.
    assert_eq!(forest.leaf(branch, 3999).unwrap(), leaf(3999));
    // A place that was given to the branch and not written yet is no node.
    let mut store = file.branch();
    for place in 0..20 {
        assert_eq!(store.node(place).unwrap_err().code, Code::Internal);
        store.push(&leaf(place)).unwrap();
        assert_eq!(store.node(place).unwrap(), leaf(place));
    }
}

/// In pieces, and nobody sees them: against a vector, appended in pieces of other lengths, truncated to every length.
#[test]
fn nodes_in_memory_are_a_vector() {
    let all: Vec<_> = (0..700).map(leaf).collect();
    for length in 0..all.len() {
        let mut store = MemoryNodes::default();
        all.chunks(97).for_each(|piece| store.append(piece).unwrap());
        store.truncate(length as u64).unwrap();
        for beyond in [length, length + 1, length + 128, length + 300, usize::MAX] {
            assert_eq!(store.node(beyond as u64).unwrap_err().code, Code::Internal);
        }
        store.append(&all[length..]).unwrap();
        assert!(all.iter().zip(0..).all(|(node, place)| store.node(place).unwrap() == *node));
        assert_eq!(store.node(700).unwrap_err().code, Code::Internal);
    }
}

/// Memory by capacity: 100 bytes a branch and 70 an own message; with nodes in a file 250 bytes a branch, however long it is.
#[test]
fn memory_is_counted() {
    for (branches, own) in [(2000u64, 1u64), (2000, 2), (2000, 10), (200, 100), (20, 5000)] {
        let mut forest = Forest::<BranchTree, MemoryNodes>::default();
        let file = Plate::with_room(usize::MAX);
        let mut disk = Forest::<BranchTree, FileBranch<Plate>>::default();
        let mut planted = Vec::new();
        for _ in 0..branches {
            planted.push((forest.plant(MemoryNodes::default()).unwrap(), disk.plant(file.branch()).unwrap()));
        }
        for i in 0..own {
            for (branch, twin) in &planted {
                forest.append(*branch, &leaf(i)).unwrap();
                disk.append(*twin, &leaf(i)).unwrap();
            }
        }
        let resident = forest.resident(MemoryNodes::resident) as u64;
        assert!(resident <= branches * (100 + 70 * own), "{branches} of {own}: {resident}");
        let resident = disk.resident(FileBranch::resident) as u64;
        assert!(resident <= branches * 250 + 4096, "{branches} of {own} in a file: {resident}");
    }
}
