//! The histories that proofs are held against: fixed, small, and known leaf by leaf, so that every claim can be decided.
//!
//! `main` is a conversation whose entry 14 merges `deep` and `worker`; `worker` merges `deep`; `fork` leaves `main` behind
//! entry 8 and says that it is the same branch.

use std::fmt::Write;
use std::sync::LazyLock;

use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::{Scope, fingerprints};
use ama2sec_core::history::head::{Fingerprint, Head};
use ama2sec_core::message::Merge;
use ama2sec_core::text::hex;

use crate::support::{Made, claims, conversation, ids, made, message, seq, sign};

/// One branch with all of its messages.
#[derive(Clone, Debug)]
pub struct Branch {
    pub name: &'static str,
    pub scope: Scope,
    pub entries: Vec<Made>,
    /// At every size, from 0.
    prints: Vec<Hash>,
}

pub static WORLD: LazyLock<Vec<Branch>> = LazyLock::new(branches);

/// Entries of `main` before the first merge: what a light client can follow.
pub const PLAIN: usize = 14;

impl Branch {
    fn new(name: &'static str, scope: Scope, entries: Vec<Made>) -> Self {
        let prints = fingerprints(&scope, &ids(&entries)).unwrap_or_default();
        Branch { name, scope, entries, prints }
    }

    pub fn ids(&self) -> Vec<Hash> {
        ids(&self.entries)
    }

    pub fn head(&self, size: usize) -> Fingerprint {
        Fingerprint { scope: self.scope, head: Head { size: size as u64, fingerprint: self.prints[size] } }
    }

    /// The size at which this is a head of this branch.
    pub fn size_at(&self, head: &Fingerprint) -> Option<usize> {
        let size = usize::try_from(head.head.size).ok().filter(|size| (1..=self.entries.len()).contains(size))?;
        (self.head(size) == *head).then_some(size)
    }

    fn merge(&self, size: usize) -> Merge {
        Merge { branch: self.scope.branch, size: size as u64, fingerprint: self.prints[size] }
    }
}

fn branches() -> Vec<Branch> {
    let plain = conversation(PLAIN, 4, 3, 33);
    let scope = Scope::of_file(plain[0].id);
    let side = |branch: u8| Scope { branch: [branch; 32], ..scope };
    let deep = (0..6).map(|n| sent(&plain, side(8), 1, n, &[])).collect();
    let deep = Branch::new("deep", side(8), deep);
    let merged = [(&deep, 6)];
    let worker = (0..9).map(|n| sent(&plain, side(9), 2, n, if n == 4 { &merged } else { &[] })).collect();
    let worker = Branch::new("worker", side(9), worker);
    let mut main = plain.clone();
    main.push(sent(&plain, scope, 3, 40, &[(&deep, 3), (&worker, 9)]));
    let mut fork = plain[..9].to_vec();
    for n in 0..6 {
        main.push(next(&main, n));
        fork.push(next(&fork, 50 + n));
    }
    vec![Branch::new("main", scope, main), worker, deep, Branch::new("fork", scope, fork)]
}

/// A message of a side branch, or one that merges.
fn sent(plain: &[Made], scope: Scope, author: usize, n: u64, merges: &[(&Branch, usize)]) -> Made {
    let salt = 1000 * u64::from(scope.branch[0]) + n;
    let mut said = claims(author, &ids(plain), plain.len(), seq(author, 100 + n), salt);
    said.branch = scope.branch;
    said.merges = merges.iter().map(|(branch, size)| branch.merge(*size)).collect();
    made(author, sign(author, &said), None)
}

fn next(before: &[Made], salt: u64) -> Made {
    let author = (salt % 4) as usize;
    message(author, &ids(before), before.len(), seq(author, 200 + salt), 60 + salt)
}

/// The messages of each branch as they travel, in hexadecimal: for those who judge in another language.
pub fn to_json() -> String {
    let mut out = String::new();
    for branch in WORLD.iter() {
        let entries: Vec<String> = branch.entries.iter().map(|entry| format!("    \"{}\"", hex(&entry.item))).collect();
        let name = branch.name;
        let begin = if out.is_empty() { "{" } else { "," };
        let _infallible = write!(out, "{begin}\n  \"{name}\": [\n{}\n  ]", entries.join(",\n"));
    }
    out + "\n}\n"
}
