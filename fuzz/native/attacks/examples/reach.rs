//! How far the mutators get: verdicts over mutations of the seed corpora, by code. `cargo run --release --example reach`.

use std::collections::BTreeMap;
use std::path::Path;

use ama2sec_attacks::{follow, mutators, oracle, proofs};
use ama2sec_core::errors::Code;

type Mutator = fn(&[u8], u32) -> Option<Vec<u8>>;
type Judge = fn(&[u8]) -> Option<Code>;

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus");
    let targets: [(&str, Mutator, Judge); 5] = [
        ("codec", mutators::codec, oracle::codec),
        ("envelope", mutators::message, oracle::envelope),
        ("transcript", mutators::transcript, oracle::transcript),
        ("proof", proofs::proof, oracle::proof),
        ("lightclient", follow::lightclient, oracle::lightclient),
    ];
    for (target, mutate, judge) in targets {
        let mut files: Vec<_> = std::fs::read_dir(root.join(target))?.collect::<std::io::Result<_>>()?;
        files.sort_by_key(std::fs::DirEntry::path);
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for file in files {
            let seed = std::fs::read(file.path())?;
            for round in 0..100 {
                let made = mutate(&seed, round);
                let code = made.map_or("(bytes)", |made| judge(&made).map_or("ok", Code::as_str));
                *counts.entry(code).or_default() += 1;
            }
        }
        let mut sorted: Vec<_> = counts.into_iter().collect();
        sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        println!("{target}: {sorted:?}\n");
    }
    Ok(())
}
