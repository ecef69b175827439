//! The strict decoder (envelope.3).
#![no_main]

mod glue;

use ama2sec_attacks::{mutators, oracle};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let _verdict = oracle::codec(data);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    glue::mutate(data, size, max_size, mutators::codec(&data[..size], seed))
});
