//! A conversation as a file: read and verified in pieces of any size (fingerprint.5, fingerprint.6).
#![no_main]

mod glue;

use ama2sec_attacks::{mutators, oracle};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let _verdict = oracle::transcript(data);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    glue::mutate(data, size, max_size, mutators::transcript(&data[..size], seed))
});
