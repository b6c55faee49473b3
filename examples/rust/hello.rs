// SPDX-License-Identifier: MIT
//! The smallest program: `./capos run examples/rust/hello.rs`.
#![no_std]
#![no_main]

use capos_rt::{entry_point, println};

entry_point!(main);

fn main() {
    println!("Hello from capOS!");
}
