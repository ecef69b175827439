//! The light client: state files, and scripts that it follows beside a plain list (proofs.5).
#![no_main]

mod glue;

use ama2sec_attacks::{follow, oracle};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let _verdict = oracle::lightclient(data);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    glue::mutate(data, size, max_size, follow::lightclient(&data[..size], seed))
});
