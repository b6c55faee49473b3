// SPDX-License-Identifier: MIT
//! Tells the crate where the schema compiler wrote its Rust: `CAPOS_GEN`, or the tree's own.

fn main() {
    println!("cargo:rerun-if-env-changed=CAPOS_GEN");
    let gen_folder = std::env::var("CAPOS_GEN").unwrap_or_else(|_| {
        let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
        format!("{here}/../../../build/gen/rust")
    });
    println!("cargo:rustc-env=CAPOS_GEN={gen_folder}");
    println!("cargo:rerun-if-changed={gen_folder}");
}
