//! The mutators, for Python: the same attacks reach the core from both sides, and stand written once.

use pyo3::prelude::*;

/// `None` where the input cannot be read as a structure, or it is the turn of plain bytes.
#[pymodule]
mod ama2sec_mutator {
    use ama2sec_attacks::{follow, mutators, proofs};
    use pyo3::prelude::*;
    use pyo3::types::PyBytes;

    fn answer(py: Python<'_>, made: Option<Vec<u8>>) -> Option<Bound<'_, PyBytes>> {
        made.map(|made| PyBytes::new(py, &made))
    }

    #[pyfunction]
    fn codec<'py>(py: Python<'py>, data: &[u8], seed: u32) -> Option<Bound<'py, PyBytes>> {
        answer(py, mutators::codec(data, seed))
    }

    #[pyfunction]
    fn envelope<'py>(py: Python<'py>, data: &[u8], seed: u32) -> Option<Bound<'py, PyBytes>> {
        answer(py, mutators::message(data, seed))
    }

    #[pyfunction]
    fn transcript<'py>(py: Python<'py>, data: &[u8], seed: u32) -> Option<Bound<'py, PyBytes>> {
        answer(py, mutators::transcript(data, seed))
    }

    #[pyfunction]
    fn proof<'py>(py: Python<'py>, data: &[u8], seed: u32) -> Option<Bound<'py, PyBytes>> {
        answer(py, proofs::proof(data, seed))
    }

    #[pyfunction]
    fn lightclient<'py>(py: Python<'py>, data: &[u8], seed: u32) -> Option<Bound<'py, PyBytes>> {
        answer(py, follow::lightclient(data, seed))
    }
}
