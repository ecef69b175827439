//! A RUSTFLAGS in the environment silently drops the flags of .cargo/config.toml, and with them the fast curve code.
//! Better no build than a slow one that nobody notices.

fn main() {
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let chosen = variable("CARGO_CFG_CURVE25519_DALEK_BACKEND");
    if variable("CARGO_CFG_TARGET_ARCH") == "x86_64" && chosen.is_empty() {
        println!(
            "cargo::error=curve25519_dalek_backend is not set: RUSTFLAGS in the environment hides .cargo/config.toml. \
             Unset RUSTFLAGS, or add --cfg curve25519_dalek_backend=\"avx512\" (or \"simd\", \"serial\") to it."
        );
    }
}
