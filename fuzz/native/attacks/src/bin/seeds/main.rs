//! Writes the seed corpora: for each rule an honest or a hostile sample, named `<code>-<what>`. `make fuzz-seeds`.
//!
//! The name's code is what the writer of the sample means; the oracle's verdict is held against it before anything is written.

mod codec;
mod envelope;
mod lightclient;
mod proof;
mod transcript;

use std::path::Path;

use ama2sec_attacks::{oracle, world};
use ama2sec_core::errors::Code;

/// The code that is expected ("ok" where the sample is honest), what it shows, and the bytes.
pub type Sample = (&'static str, &'static str, Vec<u8>);

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus");
    std::fs::create_dir_all(&root)?;
    let directory = oracle::DIRECTORY.to_json().expect("a directory as JSON");
    std::fs::write(root.join("directory.json"), directory)?;
    std::fs::write(root.join("world.json"), world::to_json())?;
    write(&root.join("codec"), codec::samples(), oracle::codec)?;
    write(&root.join("envelope"), envelope::samples(), oracle::envelope)?;
    write(&root.join("transcript"), transcript::samples(), oracle::transcript)?;
    write(&root.join("proof"), proof::samples(), oracle::proof)?;
    write(&root.join("lightclient"), lightclient::samples(), oracle::lightclient)
}

fn write(folder: &Path, samples: Vec<Sample>, judge: fn(&[u8]) -> Option<Code>) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut wrong = Vec::new();
    for (expected, what, bytes) in samples {
        let found = judge(&bytes).map_or("ok", Code::as_str);
        if found == expected {
            std::fs::write(folder.join(format!("{expected}-{what}")), bytes)?;
        } else {
            wrong.push(format!("{what}: {found}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}
