#![forbid(unsafe_code)]
pub mod errors;
pub mod history;
pub mod limits;
