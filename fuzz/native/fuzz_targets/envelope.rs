//! One message: parse and verify, under keys that are fixed (envelope.4 to envelope.7).
#![no_main]

mod glue;

use ama2sec_attacks::{mutators, oracle};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let _verdict = oracle::envelope(data);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    glue::mutate(data, size, max_size, mutators::message(&data[..size], seed))
});
