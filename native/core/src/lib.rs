#![forbid(unsafe_code)]
pub mod errors;
pub mod limits;
