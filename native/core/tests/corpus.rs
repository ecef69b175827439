//! The seed corpora of the fuzzers as plain tests: each sample gets the code that its name states, and all that must hold for
//! any input holds for it. What a fuzzer finds is added there under its code, and stays.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use ama2sec_core::errors::Code;
use ama2sec_core::identity::Directory;

#[path = "../../../fuzz/native/attacks/src/oracle/mod.rs"]
mod oracle;
#[path = "proof_support/mod.rs"]
mod proof_support;
#[path = "../../../fuzz/native/attacks/src/seal.rs"]
#[allow(dead_code)]
mod seal;
#[path = "../../../fuzz/native/attacks/src/tree.rs"]
#[allow(dead_code)]
mod tree;
#[path = "../../../fuzz/native/attacks/src/world.rs"]
#[allow(dead_code)]
mod world;

use proof_support::histories as support;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

/// Every sample of a target; how many different codes there were.
fn replay(target: &str, judge: fn(&[u8]) -> Option<Code>) -> usize {
    let mut codes = std::collections::BTreeSet::new();
    for file in std::fs::read_dir(root().join(target)).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let expected = name.split('-').next().unwrap().to_owned();
        let found = judge(&std::fs::read(&path).unwrap()).map_or("ok", Code::as_str);
        assert_eq!(found, expected, "{target}/{name}");
        codes.insert(expected);
    }
    codes.len()
}

#[test]
fn items() {
    assert!(replay("codec", oracle::codec) >= 12);
}

#[test]
fn messages() {
    assert!(replay("envelope", oracle::envelope) >= 41);
}

#[test]
fn conversations() {
    assert!(replay("transcript", oracle::transcript) >= 52);
}

#[test]
fn proofs_and_exhibits() {
    assert!(replay("proof", oracle::proof) >= 39);
}

#[test]
fn light_clients() {
    assert!(replay("lightclient", oracle::lightclient) >= 30);
}

#[test]
fn the_messages_beside_the_corpora_are_those_that_proofs_are_held_against() {
    assert_eq!(std::fs::read_to_string(root().join("world.json")).unwrap(), world::to_json());
}

#[test]
fn the_directory_beside_the_corpora_is_the_one_that_judges_them() {
    let file = std::fs::read(root().join("directory.json")).unwrap();
    assert_eq!(Directory::from_json(&file).unwrap().to_json().unwrap(), oracle::DIRECTORY.to_json().unwrap());
}
