//! Between libFuzzer and the mutators.

use libfuzzer_sys::fuzzer_mutate;

/// Puts the mutator's answer in place; what it cannot do, or what does not fit, is left to libFuzzer's own mutations.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, made: Option<Vec<u8>>) -> usize {
    let room = max_size.min(data.len());
    match made.filter(|made| !made.is_empty() && made.len() <= room) {
        Some(made) => {
            data[..made.len()].copy_from_slice(&made);
            made.len()
        }
        None => fuzzer_mutate(data, size, max_size),
    }
}
