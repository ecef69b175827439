//! From the core's errors, and from its panics, to Python's (errors.3).

use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ama2sec_core::errors::{CATALOGUE, Code, Error};
use pyo3::Borrowed;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString};

/// The Python exception of an error, made by the one function that makes them.
pub fn to_py(py: Python<'_>, fault: &Error) -> PyErr {
    let made = py
        .import("ama2sec.errors")
        .and_then(|module| module.getattr("error"))
        .and_then(|make| make.call1((fault.code.as_str(), fault.expected.as_ref(), fault.got.as_ref(), fault.offset)));
    match made {
        Ok(value) => PyErr::from_value(value),
        Err(other) => other,
    }
}

/// Run a call of the core. An error becomes its exception; a panic becomes `Panic`, an ordinary exception: nothing was accepted.
pub fn guard<T>(py: Python<'_>, call: impl FnOnce() -> Result<T, Error>) -> PyResult<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(fault)) => Err(to_py(py, &fault)),
        Err(_) => Err(to_py(py, &Error::new(Code::Panic, "the core to finish", "a fault of its own"))),
    }
}

/// The same, outside the interpreter lock.
pub fn guard_detached<T: Send>(py: Python<'_>, call: impl FnOnce() -> Result<T, Error> + Send) -> PyResult<T> {
    let outcome = py.detach(|| catch_unwind(AssertUnwindSafe(call)));
    guard(py, || match outcome {
        Ok(result) => result,
        Err(_) => Err(Error::new(Code::Panic, "the core to finish", "a fault of its own")),
    })
}

/// Exactly `bytes`: a subclass or a mutable buffer may change between the check and the use (identity.2.4).
pub fn exact<'a>(value: &'a Bound<'_, PyAny>) -> PyResult<&'a [u8]> {
    match value.cast_exact::<PyBytes>() {
        Ok(bytes) => Ok(bytes.as_bytes()),
        Err(_) => Err(not_bytes(value)),
    }
}

fn not_bytes(value: &Bound<'_, PyAny>) -> PyErr {
    let got = type_name(value);
    let got = if got == "bytes" { "a subclass of bytes".to_owned() } else { got };
    to_py(value.py(), &Error::new(Code::NotBytes, "bytes, exactly", got))
}

/// Exact bytes, or None.
pub fn exact_or_none<'a>(value: Option<&'a Bound<'_, PyAny>>) -> PyResult<Option<&'a [u8]>> {
    value.map(exact).transpose()
}

/// A text argument. Half a surrogate pair, which Python's strings can hold and UTF-8 cannot, is read as U+FFFD: every form of a text
/// refuses that character, so the caller gets the error of that form and no foreign exception.
pub struct Text(String);

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Text {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let Ok(text) = value.cast::<PyString>() else {
            return Err(to_py(value.py(), &Error::new(Code::ArgumentType, "a str", type_name(&value))));
        };
        Ok(Text(text.to_string_lossy().into_owned()))
    }
}

/// A whole number from 0 to 2^64 - 1; each use has bounds of its own besides.
#[derive(Clone, Copy)]
pub struct Uint(pub u64);

impl<'a, 'py> FromPyObject<'a, 'py> for Uint {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(number) = value.extract::<u64>() {
            return Ok(Uint(number));
        }
        let fault = if value.is_instance_of::<PyInt>() {
            Error::new(Code::ArgumentRange, "a number from 0 to 2^64 - 1", "one outside")
        } else {
            Error::new(Code::ArgumentType, "an int", type_name(&value))
        };
        Err(to_py(value.py(), &fault))
    }
}

fn type_name(value: &Bound<'_, PyAny>) -> String {
    value
        .get_type()
        .name()
        .map_or_else(|_| "another type".to_owned(), |name| name.to_string().chars().take(64).collect())
}

type Row = (u16, &'static str, &'static str, &'static str, &'static str, bool, &'static str);

/// The core's catalogue: (number, code, family, blame, clause, built, meaning).
#[pyfunction]
pub fn error_catalogue() -> Vec<Row> {
    CATALOGUE
        .iter()
        .map(|row| (row.number, row.name, row.family, row.blame.as_str(), row.clause, row.built, row.meaning))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_ordinary_exception_and_no_answer() {
        Python::initialize();
        Python::attach(|py| {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
            let sys = py.import("sys").and_then(|sys| sys.getattr("path"));
            let inserted = sys.and_then(|list| list.call_method1("insert", (0, path)));
            assert!(inserted.is_ok());
            for outcome in [
                guard(py, || -> Result<(), Error> {
                    Vec::<u8>::new()[0..1].to_vec();
                    Ok(())
                }),
                guard_detached(py, || -> Result<(), Error> {
                    Vec::<u8>::new()[0..1].to_vec();
                    Ok(())
                }),
            ] {
                let fault = outcome.err();
                let text = fault.as_ref().map(|fault| fault.value(py).to_string()).unwrap_or_default();
                assert!(text.starts_with("Panic:"), "{text}");
                assert!(fault.is_some_and(|fault| fault.is_instance_of::<pyo3::exceptions::PyException>(py)));
            }
        });
    }
}
