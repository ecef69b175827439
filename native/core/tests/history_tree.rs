//! Trees, fingerprints, node stores and head texts against a naive model: the definitions, written down recursively.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod history_support;

use std::io::{Cursor, Read, Seek, SeekFrom, Write};

use ama2sec_core::errors::Code;
use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::{BranchTree, CompactRange, Scope, TreeHash, fingerprints};
use ama2sec_core::history::head::Head;
use ama2sec_core::history::nodes::{FileNodes, MemoryNodes, NodeStore, node_count, node_index};
use ama2sec_core::history::sha_tree::{Rfc6962, rfc6962_leaf, rfc6962_root};
use ama2sec_core::history::tree::Tree;
use history_support::Random;
use sha2::{Digest, Sha256};

fn keyed(purpose: &str, input: &[u8]) -> Hash {
    let key = blake3::derive_key(&format!("ama2sec 2026-11 v1 {purpose}"), b"");
    *blake3::keyed_hash(&key, input).as_bytes()
}

fn model_node(left: &Hash, right: &Hash) -> Hash {
    keyed("node", &[left.as_slice(), right].concat())
}

/// RFC 9162, section 2.1, as it is written.
fn model_root(leaves: &[Hash], node: &dyn Fn(&Hash, &Hash) -> Hash) -> Hash {
    if let [leaf] = leaves {
        return *leaf;
    }
    let k = (1..)
        .map(|bits| 1usize << bits)
        .find(|k| 2 * k >= leaves.len())
        .map_or(1, |k| if leaves.len() == 2 { 1 } else { k });
    node(&model_root(&leaves[..k], node), &model_root(&leaves[k..], node))
}

fn model_fingerprint(scope: &Scope, leaves: &[Hash]) -> Hash {
    if leaves.is_empty() {
        return [0; 32];
    }
    let n = (leaves.len() as u64).to_be_bytes();
    let root = model_root(leaves, &model_node);
    keyed("fingerprint", &[&scope.realm[..], &scope.conversation, &scope.branch, &n, &root].concat())
}

fn leaf(i: u64) -> Hash {
    *blake3::hash(&i.to_be_bytes()).as_bytes()
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(leaf).collect()
}

fn scope() -> Scope {
    Scope { realm: [1; 32], conversation: [2; 32], branch: [3; 32] }
}

#[test]
fn every_fingerprint_of_every_size_to_130() {
    let ids = leaves(130);
    let model: Vec<Hash> = (0..=130).map(|n| model_fingerprint(&scope(), &ids[..n])).collect();
    assert_eq!(fingerprints(&scope(), &ids).unwrap(), model);
    for size in 0..=130u64 {
        let mut tree = Tree::new(MemoryNodes::default());
        ids.iter().take(size as usize).for_each(|id| tree.append(id).unwrap());
        for n in 0..=size {
            assert_eq!(tree.fingerprint_at(&scope(), n).unwrap(), model[n as usize], "{n} of {size}");
            assert_eq!(tree.range_at(n).unwrap().fingerprint(&scope()), model[n as usize]);
        }
        assert_eq!(tree.root_at(size + 1).unwrap_err().code, Code::Internal);
    }
}

#[test]
fn a_fingerprint_binds_all_that_it_is_of() {
    let whole = fingerprints(&scope(), &leaves(3)).unwrap()[3];
    for change in 0..3 {
        let mut other = scope();
        *[&mut other.realm, &mut other.conversation, &mut other.branch][change] = [9; 32];
        assert_ne!(fingerprints(&other, &leaves(3)).unwrap()[3], whole);
    }
    let root = model_root(&leaves(3), &model_node);
    assert_eq!(scope().fingerprint(3, &root), whole);
    assert_ne!(scope().fingerprint(4, &root), whole);
}

#[test]
fn the_sha_tree_is_the_one_of_the_rfc() {
    let node = |left: &Hash, right: &Hash| -> Hash { Sha256::digest([&[1u8][..], left, right].concat()).into() };
    let nothing: Hash = Sha256::digest(b"").into();
    assert_eq!(rfc6962_root(&[]).unwrap(), nothing);
    let data: Vec<Vec<u8>> = (0..130u8).map(|i| vec![i; i as usize]).collect();
    let hashes: Vec<Hash> = data.iter().map(|d| rfc6962_leaf(d)).collect();
    assert_eq!(hashes[1], <[u8; 32]>::from(Sha256::digest([0, 1])));
    for n in 1..=130 {
        assert_eq!(rfc6962_root(&hashes[..n]).unwrap(), model_root(&hashes[..n], &node), "{n}");
    }
}

#[test]
fn the_published_roots_of_certificate_transparency() {
    let data: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let hashes: Vec<Hash> = data.iter().map(|d| rfc6962_leaf(d)).collect();
    let text = |hash: Hash| hash.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(
        text(rfc6962_root(&hashes[..1]).unwrap()),
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    );
    assert_eq!(
        text(rfc6962_root(&hashes[..7]).unwrap()),
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"
    );
    assert_eq!(
        text(rfc6962_root(&hashes).unwrap()),
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    );
}

#[test]
fn post_order_places_are_dense_and_never_move() {
    let mut expected = 0;
    for end in 1..=1000u64 {
        for level in 0..=end.trailing_zeros() {
            assert_eq!(node_index(level, end), expected);
            expected += 1;
        }
        assert_eq!(node_count(end), expected);
    }
}

#[test]
fn a_range_stays_below_its_size_bound_and_is_small() {
    let size = (1 << 48) - 2;
    let mut range = CompactRange::<BranchTree>::from_peaks(size, vec![[7; 32]; 47]).unwrap();
    range.append(&[1; 32]).unwrap();
    assert_eq!(range.peaks().len(), 48);
    assert_eq!(range.append(&[1; 32]).unwrap_err().code, Code::SizeLimit);
    assert_eq!(range.size(), (1 << 48) - 1);
    assert_eq!(CompactRange::<Rfc6962>::from_peaks(1 << 48, vec![[7; 32]]).unwrap_err().code, Code::SizeLimit);
    assert_eq!(CompactRange::<Rfc6962>::from_peaks(3, vec![[7; 32]]).unwrap_err().code, Code::Internal);
    assert_eq!(BranchTree::node(&[1; 32], &[2; 32]), model_node(&[1; 32], &[2; 32]));
}

#[test]
fn random_older_roots_come_from_the_file_as_from_memory() {
    let mut random = Random(42);
    for window in [1, 2, 7, 64] {
        let mut tree = Tree::new(FileNodes::new(Cursor::new(Vec::new()), window));
        let mut twin = Tree::new(MemoryNodes::default());
        let mut kept = vec![[0; 32]];
        for i in 0..3000 {
            tree.append(&leaf(i)).unwrap();
            twin.append(&leaf(i)).unwrap();
            kept.push(twin.fingerprint_at(&scope(), i + 1).unwrap());
            let n = random.below(i + 2);
            assert_eq!(tree.fingerprint_at(&scope(), n).unwrap(), kept[n as usize]);
            assert_eq!(tree.leaf(n.min(i)).unwrap(), leaf(n.min(i)));
            assert!(tree.store().unwrap().in_memory() <= 4 * window + 256, "memory is bounded by the window");
        }
    }
}

#[test]
fn a_truncated_tree_goes_on_as_if_nothing_had_been() {
    let mut random = Random(7);
    for window in [1, 16, 4096] {
        let mut tree = Tree::new(FileNodes::new(Cursor::new(Vec::new()), window));
        let mut ids = Vec::new();
        for round in 0..200u64 {
            for i in 0..random.below(60) {
                ids.push(leaf(round << 32 | i));
                tree.append(ids.last().unwrap()).unwrap();
            }
            let n = random.below(ids.len() as u64 + 1).max(ids.len() as u64 / 2);
            ids.truncate(n as usize);
            tree.truncate(n).unwrap();
            assert_eq!(tree.size(), n);
            let older = random.below(n + 1);
            let model = model_fingerprint(&scope(), &ids[..older as usize]);
            assert_eq!(tree.fingerprint_at(&scope(), older).unwrap(), model);
        }
    }
}

/// A disk that is full after some bytes, and one that forgets what was written.
struct Broken {
    room: usize,
}

impl Write for Broken {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Ok(0)
    }
}

impl Seek for Broken {
    fn seek(&mut self, _: SeekFrom) -> std::io::Result<u64> {
        Ok(0)
    }
}

#[test]
fn a_full_disk_and_a_lost_file_are_errors_of_their_own() {
    let mut store = FileNodes::new(Broken { room: 1000 }, 4);
    let code = (0..1000).find_map(|i| store.push(&leaf(i)).err()).unwrap().code;
    assert_eq!(code, Code::WriteFailed);
    let mut store = FileNodes::new(Broken { room: usize::MAX }, 4);
    (0..100).for_each(|i| store.push(&leaf(i)).unwrap());
    assert_eq!(store.node(0).unwrap_err().code, Code::FileUnreadable);
    assert_eq!(store.node(100).unwrap_err().code, Code::Internal);
}

#[test]
fn a_head_has_one_text() {
    let text = format!("3:{}", "4be9".repeat(16));
    let head = Head::parse(&text).unwrap();
    assert_eq!((head.size, head.fingerprint[0], head.to_string()), (3, 0x4b, text.clone()));
    let biggest = format!("{}:{}", (1u64 << 48) - 1, "00".repeat(32));
    assert_eq!(Head::parse(&biggest).unwrap().to_string(), biggest);
    let digits = "4be9".repeat(16);
    let wrong = [
        String::new(),
        ":".into(),
        digits.clone(),
        format!(":{digits}"),
        format!("0:{digits}"),
        format!("03:{digits}"),
        format!("+3:{digits}"),
        format!("-3:{digits}"),
        format!(" 3:{digits}"),
        format!("3: {digits}"),
        format!("3:{digits} "),
        format!("3:{digits}\n"),
        format!("3:{}", digits.to_uppercase()),
        format!("3:{}", &digits[1..]),
        format!("3:{digits}0"),
        format!("3:{digits}00"),
        format!("{}:{digits}", 1u64 << 48),
        format!("{}:{digits}", "9".repeat(40)),
        format!("3::{digits}"),
        format!("٣:{digits}"),
        format!("3:{}é", &digits[2..]),
    ];
    for text in wrong {
        let error = Head::parse(&text).unwrap_err();
        assert_eq!(error.code, Code::HeadForm, "{text}");
        assert!(error.got.len() <= 64 && error.got.is_ascii());
    }
}
