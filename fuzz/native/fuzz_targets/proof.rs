//! Proofs and exhibits, held against histories that are known leaf by leaf (proofs.1 to proofs.4, proofs.6, proofs.7).
#![no_main]

mod glue;

use ama2sec_attacks::{oracle, proofs};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let _verdict = oracle::proof(data);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    glue::mutate(data, size, max_size, proofs::proof(&data[..size], seed))
});
